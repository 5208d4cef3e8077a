/* SPDX-License-Identifier: Apache-2.0 */
/* assay pe: what a UEFI program is, and the digests that firmware measures of it. */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "core/src.h"
#include "core/text.h"
#include "measure/pe/report.h"

/* --- text ---------------------------------------------------------------------------------------
 */

static void print_digests(const char *indent, const struct assay_digests *d)
{
	char hex[ASSAY_HEX_MAX];

	for (unsigned b = 0; b < ASSAY_N_BANKS; b++)
		if (d->banks & ASSAY_BANK_BIT(b))
			printf("%s%-10s %s\n", indent, assay_bank_name(b),
			       assay_hex(d->d[b], assay_bank_size(b), hex));
}

static void print_head(const struct assay_pe_report *r, const char *path)
{
	const struct assay_pe *pe = r->pe;
	const char *machine = assay_pe_machine_name(pe->machine);
	const char *subsystem = assay_pe_subsystem_name(pe->subsystem);

	printf("%s\n  %-10s %s", path, "kind", assay_efi_kind_name(r->info.kind));
	if (r->info.magic) {
		fputs(", ", stdout);
		assay_cli_print_foreign(r->info.magic);
	} else if (r->info.version) {
		putchar(' ');
		assay_cli_print_foreign(r->info.version);
	}
	if (r->info.kernel_version) {
		putchar(' ');
		assay_cli_print_foreign(r->info.kernel_version);
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

static void print_checksum(const struct assay_pe_report *r)
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

static void print_signatures(const struct assay_pe_report *r)
{
	for (size_t i = 0; i < r->certs.n; i++) {
		const struct assay_pe_cert *c = &r->certs.c[i];
		const int same = assay_pe_report_matches(r, c);

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

static void print_sbat(const struct assay_pe_report *r)
{
	if (r->info.sbat_error)
		printf("  %-10s cannot be read: %s\n", "sbat", r->info.sbat_error);
	for (size_t i = 0; i < r->info.sbat.n; i++) {
		const struct assay_sbat_row *row = &r->info.sbat.rows[i];

		printf("  %-10s ", "sbat");
		assay_cli_print_foreign(row->component);
		printf(" %" PRIu32 ", ", row->generation);
		assay_cli_print_foreign(row->package);
		putchar(' ');
		assay_cli_print_foreign(row->version);
		putchar('\n');
	}
}

static void print_sections(const struct assay_pe_report *r)
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
			assay_cli_print_foreign(r->kernel_version);
			putchar('\n');
		}
		if (r->kernel_error)
			printf("    as a PE file: %s\n", r->kernel_error);
		if (r->kernel.banks)
			printf("    as a PE file:\n");
		print_digests("    ", &r->kernel);
	}
}

static void print_report(const struct assay_pe_report *r, const char *path)
{
	print_head(r, path);
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

	/*
	 * Nothing is verified here, so no algorithm is looked up by its old name: their
	 * registration would take a third of this verb's time for a small file. Comes before all
	 * other use.
	 */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_ADD_ALL_CIPHERS | OPENSSL_INIT_NO_ADD_ALL_DIGESTS |
				    OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS |
				    OPENSSL_INIT_NO_LOAD_CONFIG,
			    NULL);
	while ((c = assay_cli_getopt(verb, argc, argv, "b:fj", opts)) != -1) {
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
		ASSAY_AUTO(assay_src) *src = NULL;
		ASSAY_AUTO(assay_pe_report) *r = NULL;

		if (assay_src_open_file(argv[i], &src, &err) < 0 ||
		    assay_pe_report_make(src, banks, full, &r, &err) < 0) {
			rc = assay_cli_fail(argv[i], &err);
		} else if (json) {
			assay_json_append(list, assay_pe_report_json(r, argv[i]));
		} else {
			if (i > optind)
				putchar('\n');
			print_report(r, argv[i]);
		}
	}
	if (json) {
		const int written = assay_cli_write_json(list, "-");

		return written == ASSAY_EXIT_OK ? rc : written;
	}
	return rc;
}
