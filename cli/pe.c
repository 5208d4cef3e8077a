/* SPDX-License-Identifier: Apache-2.0 */
/* assay pe: what a UEFI program is, and the digests that firmware measures of it. */
#include "cli/cli.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/src.h"
#include "core/text.h"
#include "measure/pe/uki.h"

/* All that is told about one file. */
struct report {
	const char *path;
	struct assay_pe *pe;
	struct assay_efi_info info;
	struct assay_pe_certs certs;
	struct assay_digests authenticode;
	uint64_t gaps;
	bool full;
	/* with --full: */
	uint32_t checksum;		/* computed, where one is stored */
	struct assay_digests *sections; /* of those of the UKI specification; else banks == 0 */
	struct assay_digests kernel;	/* of the PE file inside .linux */
	char *kernel_version;
	char *kernel_error;
};

static void report_clear(struct report *r)
{
	assay_pe_free(&r->pe);
	assay_efi_info_clear(&r->info);
	assay_pe_certs_clear(&r->certs);
	free(r->sections);
	free(r->kernel_version);
	free(r->kernel_error);
}

/* --- gathering ---------------------------------------------------------------------------------
 */

static bool is_uki_section(const struct assay_pe_section *s)
{
	for (unsigned w = 0; w < ASSAY_UKI_N_SECTIONS; w++)
		if (strcmp(s->name, assay_uki_section_name(w)) == 0)
			return s->virtual_size != 0;
	return false;
}

static int hash(struct report *r, unsigned banks, struct assay_err *err)
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
static int look_inside(struct report *r, unsigned banks, struct assay_err *err)
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

static int examine(struct report *r, unsigned banks, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	struct assay_authenticode_plan plan;

	if (assay_src_open_file(r->path, &src, err) < 0 || assay_pe_open(src, &r->pe, err) < 0 ||
	    assay_authenticode_plan(r->pe, &plan, err) < 0)
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

/* 1 the signature is over this very file, 0 it is not, -1 its bank was not asked for. */
static int over_this_file(const struct report *r, const struct assay_pe_cert *c)
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

static struct assay_json *json_signatures(const struct report *r)
{
	struct assay_json *list = assay_json_array();

	for (size_t i = 0; i < r->certs.n; i++) {
		const struct assay_pe_cert *c = &r->certs.c[i];
		struct assay_json *o = assay_json_object();
		const int same = over_this_file(r, c);

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

static struct assay_json *json_sections(const struct report *r)
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

static struct assay_json *json_kernel(const struct report *r)
{
	struct assay_json *o = assay_json_object();

	if (r->kernel.banks)
		assay_json_set(o, "authenticode", assay_json_digests(&r->kernel));
	if (r->kernel_error)
		assay_json_set_str(o, "error", r->kernel_error);
	assay_json_set_str(o, "version", r->kernel_version);
	return o;
}

static struct assay_json *json_report(const struct report *r)
{
	const struct assay_pe *pe = r->pe;
	struct assay_json *o = assay_json_object();

	assay_json_set_str(o, "path", r->path);
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

/* --- text ---------------------------------------------------------------------------------------
 */

/* Bytes out of a file, on their way to a terminal. */
static void print_foreign(const char *s)
{
	struct assay_str text = { 0 };

	assay_str_add_escaped(&text, s, strlen(s));
	fputs(text.p ? text.p : "", stdout);
	assay_str_clear(&text);
}

static void print_digests(const char *indent, const struct assay_digests *d)
{
	char hex[ASSAY_HEX_MAX];

	for (unsigned b = 0; b < ASSAY_N_BANKS; b++)
		if (d->banks & ASSAY_BANK_BIT(b))
			printf("%s%-10s %s\n", indent, assay_bank_name(b),
			       assay_hex(d->d[b], assay_bank_size(b), hex));
}

static void print_head(const struct report *r)
{
	const struct assay_pe *pe = r->pe;
	const char *machine = assay_pe_machine_name(pe->machine);
	const char *subsystem = assay_pe_subsystem_name(pe->subsystem);

	printf("%s\n  %-10s %s", r->path, "kind", assay_efi_kind_name(r->info.kind));
	if (r->info.magic) {
		fputs(", ", stdout);
		print_foreign(r->info.magic);
	} else if (r->info.version) {
		putchar(' ');
		print_foreign(r->info.version);
	}
	if (r->info.kernel_version) {
		putchar(' ');
		print_foreign(r->info.kernel_version);
	}
	if (r->info.n_profiles)
		printf(", %zu profiles", r->info.n_profiles);
	printf("\n  %-10s %s, ", "format", pe->plus ? "PE32+" : "PE32");
	if (machine)
		printf("%s, ", machine);
	else
		printf("machine 0x%04" PRIx16 ", ", pe->machine);
	if (subsystem)
		printf("%s, ", subsystem);
	else
		printf("subsystem %" PRIu16 ", ", pe->subsystem);
	printf("%" PRIu64 " bytes\n", assay_src_size(pe->src));
}

static void print_checksum(const struct report *r)
{
	const uint32_t stored = r->pe->checksum;

	printf("  %-10s ", "checksum");
	if (stored == 0)
		printf("none\n");
	else if (!r->full)
		printf("0x%08" PRIx32 "\n", stored);
	else if (stored == r->checksum)
		printf("0x%08" PRIx32 ", correct\n", stored);
	else
		printf("0x%08" PRIx32 ", but the file's is 0x%08" PRIx32 "\n", stored, r->checksum);
}

static void print_signatures(const struct report *r)
{
	for (size_t i = 0; i < r->certs.n; i++) {
		const struct assay_pe_cert *c = &r->certs.c[i];
		const int same = over_this_file(r, c);

		printf("  %-10s ", "signature");
		if (!c->digest_alg && !c->signer) {
			printf("of type 0x%04" PRIx16 ", %" PRIu32 " bytes, not readable\n",
			       c->type, c->size);
			continue;
		}
		printf("%s%s by %s\n", c->digest_alg ? c->digest_alg : "no digest",
		       same == 1   ? ""
		       : same == 0 ? " of another file"
				   : " (not compared)",
		       c->signer ? c->signer : "an unknown signer");
	}
}

static void print_sbat(const struct report *r)
{
	if (r->info.sbat_error)
		printf("  %-10s cannot be read: %s\n", "sbat", r->info.sbat_error);
	for (size_t i = 0; i < r->info.sbat.n; i++) {
		const struct assay_sbat_row *row = &r->info.sbat.rows[i];

		printf("  %-10s ", "sbat");
		print_foreign(row->component);
		printf(" %" PRIu32 ", ", row->generation);
		print_foreign(row->package);
		putchar(' ');
		print_foreign(row->version);
		putchar('\n');
	}
}

static void print_sections(const struct report *r)
{
	printf("  %-10s %10s %10s %10s %10s\n", "section", "size", "address", "in file", "at");
	for (size_t i = 0; i < r->pe->n_sections; i++) {
		const struct assay_pe_section *s = &r->pe->sections[i];
		struct assay_str name = { 0 };

		assay_str_add_escaped(&name, s->name, strlen(s->name));
		printf("  %-10s %10" PRIu32 " 0x%08" PRIx32 " %10" PRIu32 " 0x%08" PRIx32 "\n",
		       name.p ? name.p : "", s->virtual_size, s->virtual_address, s->raw_size,
		       s->raw_offset);
		assay_str_clear(&name);
		print_digests("    ", &r->sections[i]);
		if (strcmp(s->name, ".linux") != 0)
			continue;
		if (r->kernel_version) {
			fputs("    version    ", stdout);
			print_foreign(r->kernel_version);
			putchar('\n');
		}
		if (r->kernel_error)
			printf("    as a PE file: %s\n", r->kernel_error);
		if (r->kernel.banks)
			printf("    as a PE file:\n");
		print_digests("    ", &r->kernel);
	}
}

static void print_report(const struct report *r)
{
	print_head(r);
	print_digests("  ", &r->authenticode);
	print_checksum(r);
	if (r->gaps)
		printf("  %-10s %" PRIu64
		       " bytes between the sections; not all of the file counts\n",
		       "gaps", r->gaps);
	print_signatures(r);
	print_sbat(r);
	print_sections(r);
}

/* --- the verb -----------------------------------------------------------------------------------
 */

int assay_cmd_pe(const struct assay_verb *verb, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "bank", required_argument, NULL, 'b' },
		{ "json", no_argument, NULL, 'j' },
		{ "full", no_argument, NULL, 'f' },
		{ 0 },
	};
	ASSAY_AUTO(assay_json) *list = assay_json_array();
	unsigned banks = ASSAY_BANK_BIT(ASSAY_SHA256);
	bool json = false, full = false;
	int c, rc = ASSAY_EXIT_OK;
	struct assay_err err;

	while ((c = getopt_long(argc, argv, "b:fj", opts, NULL)) != -1) {
		switch (c) {
		case 'b':
			if (assay_bank_list(optarg, &banks, &err) < 0)
				return assay_cli_usage_msg(verb, "%s", err.msg);
			break;
		case 'j':
			json = true;
			break;
		case 'f':
			full = true;
			break;
		default:
			return assay_cli_usage(verb);
		}
	}
	if (optind == argc)
		return assay_cli_usage_msg(verb, "a FILE is missing");

	for (int i = optind; i < argc; i++) {
		struct report r = { .path = argv[i], .full = full };

		if (examine(&r, banks, &err) < 0) {
			rc = assay_cli_fail(argv[i], &err);
		} else if (json) {
			assay_json_append(list, json_report(&r));
		} else {
			if (i > optind)
				putchar('\n');
			print_report(&r);
		}
		report_clear(&r);
	}
	if (json) {
		const int written = assay_cli_write_json(list, "-");

		return written == ASSAY_EXIT_OK ? rc : written;
	}
	return rc;
}
