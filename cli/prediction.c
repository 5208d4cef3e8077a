/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/prediction.h"

#include <stdio.h>
#include <string.h>

#include "core/limits.h"
#include "core/src.h"

int assay_cli_prediction_open(const char *path, struct assay_prediction **ret, struct assay_manifest **ret_manifest,
			      struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *json = NULL;

	*ret = NULL;
	*ret_manifest = NULL;
	if (assay_json_load(path, &json, err) < 0)
		return -1;
	if (assay_json_get(json, "payload") || assay_json_get(json, "_type"))
		return assay_manifest_load(path, ret_manifest, err);
	return assay_prediction_parse(json, ret, err);
}

int assay_cli_prediction_check(const struct assay_prediction *p, const char *platform, struct assay_err *err)
{
	const char *name = assay_json_str(assay_json_get(p->platform, "name"));

	if (platform && (!name || strcmp(name, platform) != 0))
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "a prediction for platform %s, not for %s",
				  name ? name : "unknown", platform);
	return 0;
}

int assay_cli_prediction_load_with(const char *path, const char *platform, struct assay_prediction **ret,
				   struct assay_manifest **ret_manifest, struct assay_err *err)
{
	ASSAY_AUTO(assay_manifest) *m = NULL;
	ASSAY_AUTO(assay_prediction) *p = NULL;

	if (assay_cli_prediction_open(path, &p, &m, err) < 0)
		return -1;
	if (m && assay_manifest_prediction(m, platform, &p, NULL, err) < 0)
		return -1;
	if (assay_cli_prediction_check(p, platform, err) < 0)
		return -1;
	*ret = assay_steal(&p);
	*ret_manifest = assay_steal(&m);
	return 0;
}

int assay_cli_prediction_load(const char *path, const char *platform, struct assay_prediction **ret,
			      struct assay_err *err)
{
	ASSAY_AUTO(assay_manifest) *m = NULL;

	return assay_cli_prediction_load_with(path, platform, ret, &m, err);
}

int assay_cli_pcrs_load(const char *path, struct assay_pcrs *ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO_FREE uint8_t *text = NULL;

	if (assay_src_open_file(path, &src, err) < 0 ||
	    assay_src_read_alloc(src, 0, assay_src_size(src), ASSAY_PCRS_MAX_FILE, &text, err) < 0)
		return -1;
	return assay_pcrs_parse((const char *)text, (size_t)assay_src_size(src), ret, err);
}

static const char *const covers[ASSAY_PREDICTED_PCRS] = {
	"firmware",
	"firmware configuration",
	"option ROMs and drivers",
	"their configuration",
	"boot applications",
	"partition table, exit of boot services",
	"vendor's own",
	"Secure Boot policy",
	"GRUB's commands",
	"command line and initrd as handed over",
	"IMA's boot aggregate",
	"UKI sections, boot phases",
	"overrides and credentials",
	"system extensions",
	"shim's MokList",
	"machine identity; the application",
};

/* The sources of a PCR's image events, or else the platform; each once. */
static void print_sources(const struct assay_prediction *p, unsigned pcr)
{
	const char *platform = assay_json_str(assay_json_get(p->platform, "name"));
	const char *last = NULL;
	bool first = true;

	if (p->pcr[pcr].reason) {
		printf("%s", p->pcr[pcr].reason);
		return;
	}
	if (p->pcr[pcr].status == ASSAY_PCR_PLATFORM)
		printf("platform %s", platform ? platform : "");
	if (p->pcr[pcr].status == ASSAY_PCR_ZERO)
		printf("nothing measured");
	for (size_t i = 0; i < p->n; i++) {
		if (p->events[i].pcr != pcr || !p->events[i].image)
			continue;
		if (last && strcmp(last, p->events[i].source) == 0)
			continue;
		/* Parts of one file: its path once. */
		const char *source = p->events[i].source;
		size_t path = strcspn(source, " ");
		bool again = last && source[path] && strncmp(last, source, path + 1) == 0;

		printf("%s%s", first ? "" : again ? " " : ", ", again ? source + path + 1 : source);
		last = source;
		first = false;
	}
}

void assay_cli_prediction_print(const struct assay_prediction *p)
{
	for (int b = 0; b < ASSAY_N_BANKS; b++) {
		if (!(p->banks & ASSAY_BANK_BIT(b)))
			continue;
		size_t size = assay_bank_size((enum assay_bank)b);
		int width = (int)(2 * size);

		printf("%-3s  %-*s  %-38s  %s\n", "PCR", width, assay_bank_name((enum assay_bank)b),
		       "what it covers", "where it comes from");
		for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS; i++) {
			const struct assay_pcr_values *v = &p->pcr[i];
			char hex[ASSAY_HEX_MAX];

			if (v->n == 0)
				snprintf(hex, sizeof(hex), "%s", assay_pcr_status_name(v->status));
			else
				assay_hex(v->v[0].d[b], size, hex);
			printf("%3u  %-*s  %-38s  ", i, width, hex, covers[i]);
			print_sources(p, i);
			putchar('\n');
			for (size_t k = 1; k < v->n; k++)
				printf("     %s  or this\n", assay_hex(v->v[k].d[b], size, hex));
		}
		putchar('\n');
	}
	const char *entry = assay_json_str(assay_json_get(p->image, "entry"));
	const char *why = assay_json_str(assay_json_get(p->image, "entry_reason"));
	if (entry)
		printf("systemd-boot starts the entry '%s': %s\n", entry, why ? why : "");
	const struct assay_json *root = assay_json_get(p->image, "root");
	const char *remark = assay_json_str(assay_json_get(root, "remark"));
	printf("root: %s\n", remark ? remark : "covered by the root hash on the command line, checked");
}
