/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/pe/report.h"

#include <stdlib.h>
#include <string.h>

#include "core/text.h"

/* --- gathering ---------------------------------------------------------------------------------
 */

static bool is_uki_section(const struct assay_pe_section *s)
{
	for (unsigned w = 0; w < ASSAY_UKI_N_SECTIONS; w++)
		if (strcmp(s->name, assay_uki_section_name(w)) == 0)
			return s->virtual_size != 0;
	return false;
}

static int hash(struct assay_pe_report *r, unsigned banks, struct assay_err *err)
{
	const size_t n = r->pe->n_sections;
	ASSAY_AUTO_FREE const struct assay_pe_section **wanted =
		calloc(n, sizeof(struct assay_pe_section *));
	ASSAY_AUTO_FREE struct assay_digests *digests = NULL;
	size_t n_wanted = 0;

	if (!wanted)
		return assay_fail_mem(err);
	for (size_t i = 0; r->full && i < n; i++)
		if (is_uki_section(&r->pe->sections[i]))
			wanted[n_wanted++] = &r->pe->sections[i];
	digests = calloc(n_wanted + 1, sizeof(*digests));
	r->sections = calloc(n, sizeof(*r->sections));
	if (!digests || !r->sections)
		return assay_fail_mem(err);
	if (assay_pe_hash(r->pe, banks, wanted, n_wanted, &r->authenticode, digests, err) < 0)
		return -1;
	for (size_t i = 0; i < n_wanted; i++)
		r->sections[wanted[i] - r->pe->sections] = digests[i];
	return 0;
}

/* A kernel that cannot be read is told about and does not fail the file. */
static int look_inside(struct assay_pe_report *r, unsigned banks, struct assay_err *err)
{
	const struct assay_pe_section *s = assay_pe_section(r->pe, ".linux");
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO(assay_pe) *kernel = NULL;

	if (!s || s->virtual_size == 0)
		return 0;
	if (assay_uki_kernel(r->pe, s, &src, err) == 0 && assay_pe_open(src, &kernel, err) == 0 &&
	    assay_authenticode(kernel, banks, &r->kernel, err) == 0 &&
	    assay_linux_version(src, &r->kernel_version, err) == 0)
		return 0;
	if (err->code == ASSAY_E_NOMEM || err->code == ASSAY_E_IO)
		return -1;
	r->kernel_error = assay_strdup(err->msg);
	return r->kernel_error ? 0 : assay_fail_mem(err);
}

static int examine(struct assay_pe_report *r, struct assay_src *src, unsigned banks,
		   struct assay_err *err)
{
	struct assay_authenticode_plan plan;

	if (assay_pe_open(src, &r->pe, err) < 0 || assay_authenticode_plan(r->pe, &plan, err) < 0)
		return -1;
	r->gaps = plan.gaps;
	assay_authenticode_plan_clear(&plan);
	if (assay_efi_identify(r->pe, &r->info, err) < 0 ||
	    assay_pe_certs_read(r->pe, &r->certs, err) < 0 || hash(r, banks, err) < 0)
		return -1;
	if (!r->full)
		return 0;
	if (r->pe->checksum != 0 && assay_pe_checksum(r->pe, &r->checksum, err) < 0)
		return -1;
	return look_inside(r, banks, err);
}

int assay_pe_report_make(struct assay_src *src, unsigned banks, bool full,
			 struct assay_pe_report **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_pe_report) *r = calloc(1, sizeof(*r));

	if (!r)
		return assay_fail_mem(err);
	r->full = full;
	if (examine(r, src, banks, err) < 0)
		return -1;
	*ret = assay_steal(&r);
	return 0;
}

void assay_pe_report_free(struct assay_pe_report **rp)
{
	struct assay_pe_report *r = *rp;

	if (!r)
		return;
	assay_pe_free(&r->pe);
	assay_efi_info_clear(&r->info);
	assay_pe_certs_clear(&r->certs);
	free(r->sections);
	free(r->kernel_version);
	free(r->kernel_error);
	free(r);
	*rp = NULL;
}

int assay_pe_report_matches(const struct assay_pe_report *r, const struct assay_pe_cert *c)
{
	enum assay_bank bank;

	if (!c->digest_alg || !assay_bank_from_name(c->digest_alg, &bank) ||
	    !(r->authenticode.banks & ASSAY_BANK_BIT(bank)))
		return -1;
	return assay_bytes_equal(c->digest, r->authenticode.d[bank], c->digest_len);
}

/* --- JSON ---------------------------------------------------------------------------------------
 */

static struct assay_json *json_sbat(const struct assay_sbat *sbat)
{
	struct assay_json *rows = assay_json_array();

	for (size_t i = 0; i < sbat->n; i++) {
		const struct assay_sbat_row *row = &sbat->rows[i];
		struct assay_json *o = assay_json_object();

		assay_json_set_str(o, "component", row->component);
		assay_json_set_int(o, "generation", row->generation);
		assay_json_set_str(o, "vendor", row->vendor);
		assay_json_set_str(o, "package", row->package);
		assay_json_set_str(o, "version", row->version);
		assay_json_set_str(o, "url", row->url);
		assay_json_append(rows, o);
	}
	return rows;
}

static struct assay_json *json_signatures(const struct assay_pe_report *r)
{
	struct assay_json *list = assay_json_array();

	for (size_t i = 0; i < r->certs.n; i++) {
		const struct assay_pe_cert *c = &r->certs.c[i];
		struct assay_json *o = assay_json_object();
		const int same = assay_pe_report_matches(r, c);

		assay_json_set_int(o, "type", c->type);
		assay_json_set_int(o, "offset", c->offset);
		assay_json_set_int(o, "size", c->size);
		assay_json_set_str(o, "signer", c->signer);
		assay_json_set_str(o, "issuer", c->issuer);
		assay_json_set_str(o, "digest_alg", c->digest_alg);
		assay_json_set(o, "digest",
			       c->digest_alg ? assay_json_hex(c->digest, c->digest_len)
					     : assay_json_null());
		if (same >= 0)
			assay_json_set_bool(o, "digest_matches", same);
		assay_json_append(list, o);
	}
	return list;
}

static struct assay_json *json_sections(const struct assay_pe_report *r)
{
	struct assay_json *list = assay_json_array();

	for (size_t i = 0; i < r->pe->n_sections; i++) {
		const struct assay_pe_section *s = &r->pe->sections[i];
		struct assay_json *o = assay_json_object();

		assay_json_set_str(o, "name", s->name);
		assay_json_set_int(o, "virtual_size", s->virtual_size);
		assay_json_set_int(o, "virtual_address", s->virtual_address);
		assay_json_set_int(o, "raw_size", s->raw_size);
		assay_json_set_int(o, "raw_offset", s->raw_offset);
		assay_json_set_int(o, "characteristics", s->characteristics);
		if (r->sections[i].banks)
			assay_json_set(o, "digests", assay_json_digests(&r->sections[i]));
		assay_json_append(list, o);
	}
	return list;
}

static struct assay_json *json_kernel(const struct assay_pe_report *r)
{
	struct assay_json *o = assay_json_object();

	if (r->kernel.banks)
		assay_json_set(o, "authenticode", assay_json_digests(&r->kernel));
	if (r->kernel_error)
		assay_json_set_str(o, "error", r->kernel_error);
	assay_json_set_str(o, "version", r->kernel_version);
	return o;
}

struct assay_json *assay_pe_report_json(const struct assay_pe_report *r, const char *path)
{
	const struct assay_pe *pe = r->pe;
	struct assay_json *o = assay_json_object();

	assay_json_set_str(o, "path", path);
	assay_json_set_int(o, "size", assay_src_size(pe->src));
	assay_json_set_str(o, "format", pe->plus ? "PE32+" : "PE32");
	assay_json_set_str(o, "machine", assay_pe_machine_name(pe->machine));
	assay_json_set_int(o, "machine_id", pe->machine);
	assay_json_set_str(o, "subsystem", assay_pe_subsystem_name(pe->subsystem));
	assay_json_set_int(o, "subsystem_id", pe->subsystem);
	assay_json_set_int(o, "timestamp", pe->timestamp);
	assay_json_set(o, "authenticode", assay_json_digests(&r->authenticode));
	assay_json_set_int(o, "gaps", r->gaps);
	assay_json_set_int(o, "checksum", pe->checksum);
	if (pe->checksum && r->full)
		assay_json_set_int(o, "checksum_computed", r->checksum);

	assay_json_set_str(o, "kind", assay_efi_kind_name(r->info.kind));
	assay_json_set_str(o, "magic", r->info.magic);
	assay_json_set_str(o, "version", r->info.version);
	assay_json_set_int(o, "profiles", r->info.n_profiles);
	if (r->info.kind == ASSAY_EFI_LINUX)
		assay_json_set_str(o, "kernel_version", r->info.kernel_version);
	if (r->kernel.banks || r->kernel_error)
		assay_json_set(o, "kernel", json_kernel(r));
	assay_json_set(o, "sbat", json_sbat(&r->info.sbat));
	if (r->info.sbat_error)
		assay_json_set_str(o, "sbat_error", r->info.sbat_error);
	assay_json_set(o, "signatures", json_signatures(r));
	assay_json_set(o, "sections", json_sections(r));
	return o;
}
