/* SPDX-License-Identifier: Apache-2.0 */
/* The table of the forms, and what they are made of. */
#include "manifest/export/export_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"

static const struct assay_export_format formats[] = {
	{ "aicert", "the measurements file of the AICert and BlindLlama verifiers", .phases = true, .run = assay_export_aicert },
	{ "corim", "an unsigned CoRIM", .phases = true, .run = assay_export_corim },
	{ "keylime", "keylime's tpm_policy", .phases = true, .run = assay_export_keylime },
	{ "nitro", "AWS NitroTPM reference measurements", .phases = true, .run = assay_export_nitro },
	{ "pcrlock", "components for systemd-pcrlock, a directory", .directory = true, .run = assay_export_pcrlock },
	{ "pcrs-json", "assay.pcrs/1, every accepted value of every bank", .phases = true, .run = assay_export_pcrs_json },
	{ "pcrsig", "systemd's signatures of PCR 11, as systemd-measure makes them", .phases = true, .key = true,
	  .run = assay_export_pcrsig },
	{ "rvps", "a message for trustee's Reference Value Provider Service", .phases = true, .run = assay_export_rvps },
};
#define N_FORMATS (sizeof(formats) / sizeof(formats[0]))

const struct assay_export_format *assay_export_formats(size_t *ret_n)
{
	if (ret_n)
		*ret_n = N_FORMATS;
	return formats;
}

const struct assay_export_format *assay_export_format(const char *name)
{
	for (size_t i = 0; i < N_FORMATS; i++)
		if (strcmp(formats[i].name, name) == 0)
			return &formats[i];
	return NULL;
}

void assay_export_clear(struct assay_export *e)
{
	for (size_t i = 0; i < e->n; i++) {
		free(e->files[i].name);
		free(e->files[i].data);
	}
	free(e->files);
	for (size_t i = 0; i < e->n_notes; i++)
		free(e->notes[i]);
	free(e->notes);
	memset(e, 0, sizeof(*e));
}

int assay_export(const struct assay_export_format *format, const struct assay_export_request *req,
		 struct assay_export *ret, struct assay_err *err)
{
	memset(ret, 0, sizeof(*ret));
	if (req->phase && !format->phases)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "%s does not go by the phase of the boot",
				  format->name);
	if (!req->key != !format->key)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET,
				  format->key ? "%s wants a private key" : "%s is not signed: it wants no key", format->name);
	if (format->run(format, req, ret, err) < 0) {
		assay_export_clear(ret);
		return -1;
	}
	return 0;
}

/* --- what comes out ----------------------------------------------------------------------------- */

int assay_export_add(struct assay_export *out, const char *name, const void *data, size_t len,
		     struct assay_err *err)
{
	struct assay_export_file *grown = reallocarray(out->files, out->n + 1, sizeof(*grown));

	if (!grown)
		return assay_fail_mem(err);
	out->files = grown;
	struct assay_export_file *file = &out->files[out->n++];
	memset(file, 0, sizeof(*file));
	file->name = name ? assay_strdup(name) : NULL;
	file->data = malloc(len + 1);
	if ((name && !file->name) || !file->data)
		return assay_fail_mem(err);
	memcpy(file->data, data, len);
	file->data[len] = '\0';
	file->len = len;
	return 0;
}

int assay_export_add_json(struct assay_export *out, const char *name, struct assay_json *json,
			  struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *own = json;
	ASSAY_AUTO_FREE char *text = NULL;
	size_t len;

	if (assay_json_dump(own, &text, &len, err) < 0)
		return -1;
	return assay_export_add(out, name, text, len, err);
}

int assay_export_note(struct assay_export *out, struct assay_err *err, const char *fmt, ...)
{
	char **grown = reallocarray(out->notes, out->n_notes + 1, sizeof(*grown));
	char *text;
	va_list ap;

	if (!grown)
		return assay_fail_mem(err);
	out->notes = grown;
	va_start(ap, fmt);
	int n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return assay_fail_mem(err);
	out->notes[out->n_notes++] = text;
	return 0;
}

struct assay_json *assay_export_value(const struct assay_export_pick *pick, unsigned pcr, enum assay_bank bank)
{
	return assay_json_hex(pick->pcr[pcr].v[0].d[bank], assay_bank_size(bank));
}

struct assay_json *assay_export_values(const struct assay_export_pick *pick, unsigned pcr, enum assay_bank bank)
{
	struct assay_json *set = assay_json_array();

	for (size_t i = 0; i < pick->pcr[pcr].n; i++)
		assay_json_append(set, assay_json_hex(pick->pcr[pcr].v[i].d[bank], assay_bank_size(bank)));
	return set;
}

const char *assay_export_platform(const struct assay_export_request *req)
{
	return assay_json_str(assay_json_get(req->prediction->platform, "name"));
}

const char *assay_export_image(const struct assay_export_request *req)
{
	return req->manifest ? req->manifest->name :
			       assay_json_str(assay_json_get(req->prediction->image, "name"));
}
