/* SPDX-License-Identifier: Apache-2.0 */
/* Causes beside the programs: loader.conf, options, credentials and extensions, initrd, who vouched, the exit. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "precompute/explain_priv.h"

/* --- PCR 5 -------------------------------------------------------------------------------------- */

int assay_explain_loader_conf(struct assay_explainer *x)
{
	for (size_t at = 0;;) {
		const struct assay_row *row = assay_explain_next(x, 5, &at);

		if (!row)
			return 0;
		if (assay_row_type(row) != EV_EVENT_TAG)
			continue;
		ASSAY_AUTO_FREE char *real = row->real ? assay_event_describe(row->real) : assay_strdup("");
		char a[ASSAY_SHORT_HEX], b[ASSAY_SHORT_HEX];

		if (!real)
			return assay_fail_mem(x->err);
		if (row->real && !strstr(real, "loader.conf"))
			continue;
		/* Another boot loader, or none, has no other file. */
		const bool follows = row->kind != ASSAY_ROW_CHANGED && x->other_program;

		if (assay_explain_add(
			    x, ASSAY_CAUSE_LOADER_CONF, follows, 5, row,
			    !row->real
				    ? assay_asprintf("no \\loader\\loader.conf was measured%s",
						     follows ? "; follows from the other program" : ": it is not there")
			    : !row->pred ? assay_strdup("there is a \\loader\\loader.conf, which was not predicted")
					 : assay_asprintf(
						   "another \\loader\\loader.conf: digest %s (%s), expected is %s (%s)",
						   assay_row_short(x, row, true, a), assay_bank_name(x->bank),
						   assay_row_short(x, row, false, b), assay_row_detail(row))) < 0)
			return -1;
	}
}

static int exit_of_boot_services(struct assay_explainer *x)
{
	for (size_t at = 0;;) {
		const struct assay_row *row = assay_explain_next(x, 5, &at);

		if (!row)
			return 0;
		if (assay_row_type(row) != EV_EFI_ACTION)
			continue;
		ASSAY_AUTO_FREE char *real = row->real ? assay_event_describe(row->real) : assay_strdup("");

		if (!real)
			return assay_fail_mem(x->err);
		if (assay_explain_add(x, ASSAY_CAUSE_OTHER, false, 5, row,
				      !row->real ? assay_asprintf("%s is missing: the log ends before the kernel left "
								  "the firmware's services",
								  assay_row_detail(row))
				      : strstr(real, "Failure")
					      ? assay_asprintf("%s: the kernel's first attempt to leave the firmware's "
							       "services failed, which is "
							       "not predicted",
							       real)
					      : assay_asprintf("%s was not predicted", real)) < 0)
			return -1;
	}
}

/* --- PCRs 12 and 13 ----------------------------------------------------------------------------- */

/* systemd-stub's words for the archives that it makes of what lies beside a UKI (pack_cpio()). */
static bool is_archive(const char *words)
{
	return strstr(words, "initrd\"") || strstr(words, "a cpio archive of");
}

static const char *archive_words(const char *words)
{
	return strcasestr(words, "global credentials") ? "credentials in \\loader\\credentials"
	       : strcasestr(words, "credentials")      ? "credentials (*.cred beside the UKI)"
	       : strcasestr(words, "system extension") ? "system extensions (*.raw beside the UKI)"
	       : strcasestr(words, "configuration")    ? "configuration extensions (*.confext.raw beside the UKI)"
						       : "an archive of files beside the UKI";
}

/* The first word in which two command lines part, of each. */
static void part_at(const char *a, const char *b, const char **ret_a, const char **ret_b)
{
	size_t i = 0;

	while (a[i] && a[i] == b[i])
		i++;
	while (i > 0 && a[i - 1] != ' ')
		i--;
	*ret_a = a + i;
	*ret_b = b + i;
}

static int options_row(struct assay_explainer *x, const struct assay_row *row)
{
	ASSAY_AUTO_FREE char *real = row->real ? assay_align_name_logged(row->real) : NULL;
	ASSAY_AUTO_FREE char *pred = row->pred ? assay_align_name_predicted(row->pred) : NULL;
	const bool follows = x->addon || x->other_cmdline || x->secure_boot_set;
	const char *why = x->addon	     ? "; follows from the addon"
			  : x->other_cmdline ? "; follows from the other command line"
			  : follows ? "; follows from Secure Boot, with which systemd-stub heeds the UKI's own alone"
				    : "";
	const char *a = "", *b = "";

	if ((row->real && !real) || (row->pred && !pred))
		return assay_fail_mem(x->err);
	if (real && pred)
		part_at(real, pred, &a, &b);
	if (assay_explain_add(
		    x, ASSAY_CAUSE_CMDLINE, follows, 12, row,
		    !pred ? assay_asprintf("a command line that was not predicted is handed over or added: \"%s\": an "
					   "addon beside the UKI, or "
					   "an override by boot loader or SMBIOS%s",
					   real, why)
		    : !real ? assay_asprintf("the command line that was predicted is not handed over: \"%s\"%s", pred,
					     why)
			    : assay_asprintf("another command line: \"%s\", expected \"%s\"; they part at \"%.*s\" and "
					     "\"%.*s\"%s",
					     real, pred, (int)strcspn(a, " "), a, (int)strcspn(b, " "), b, why)) < 0)
		return -1;
	x->other_cmdline = true;
	return 0;
}

static int sidecars(struct assay_explainer *x, unsigned pcr)
{
	for (size_t at = 0;;) {
		const struct assay_row *row = assay_explain_next(x, pcr, &at);

		if (!row)
			return 0;
		ASSAY_AUTO_FREE char *real = row->real ? assay_event_describe(row->real) : assay_strdup("");

		if (!real)
			return assay_fail_mem(x->err);
		if (!is_archive(row->real ? real : assay_row_detail(row))) {
			if (pcr == 12 && options_row(x, row) < 0)
				return -1;
			continue;
		}
		const char *what = archive_words(row->real ? real : assay_row_detail(row));

		if (assay_explain_add(
			    x, ASSAY_CAUSE_SIDECAR, false, pcr, row,
			    !row->pred	 ? assay_asprintf("the machine was handed %s that the prediction does not have",
							  what)
			    : !row->real ? assay_asprintf("the machine was not handed %s, which were predicted", what)
					 : assay_asprintf("other %s than predicted", what)) < 0)
			return -1;
		x->other_initrd = true;
	}
}

/* --- PCR 9 -------------------------------------------------------------------------------------- */

static int handed_over(struct assay_explainer *x)
{
	for (size_t at = 0;;) {
		const struct assay_row *row = assay_explain_next(x, 9, &at);

		if (!row)
			return 0;
		if (assay_row_type(row) != EV_EVENT_TAG)
			continue;
		ASSAY_AUTO_FREE char *name =
			row->real ? assay_align_name_logged(row->real) : assay_align_name_predicted(row->pred);
		char a[ASSAY_SHORT_HEX], b[ASSAY_SHORT_HEX];

		if (!name)
			return assay_fail_mem(x->err);
		const bool options = strstr(name, "LoadOptions") != NULL;
		const bool initrd = strstr(name, "initrd") != NULL;

		if (!options && !initrd)
			continue;
		const bool known = options ? x->other_cmdline : x->other_initrd;
		/* Another boot loader or kernel is handed the same initrd and options, if any. */
		const bool program = x->other_uki || (row->kind != ASSAY_ROW_CHANGED && x->other_program);
		const bool follows = known || x->addon || program;
		const char *what = options ? "command line" : "initrd";
		const char *why = known && options ? "; follows from the other command line"
				  : known	   ? "; follows from what it is put together of"
				  : x->addon	   ? "; follows from the addon"
				  : program	   ? "; follows from the other program"
						   : "";

		if (assay_explain_add(
			    x, options ? ASSAY_CAUSE_CMDLINE : ASSAY_CAUSE_INITRD, follows, 9, row,
			    !row->real ? assay_asprintf("the kernel measured no %s%s", what, why)
			    : !row->pred
				    ? assay_asprintf("the kernel was handed %s %s, which was not predicted%s",
						     options ? "a" : "an", what, why)
				    : assay_asprintf(
					      "the kernel was handed another %s: digest %s (%s), expected is %s, %s%s",
					      what, assay_row_short(x, row, true, a), assay_bank_name(x->bank),
					      assay_row_short(x, row, false, b), row->pred->source, why)) < 0)
			return -1;
	}
}

/* --- PCR 7, by programs ------------------------------------------------------------------------- */

static int authorities(struct assay_explainer *x)
{
	for (size_t at = 0;;) {
		const struct assay_row *row = assay_explain_next(x, 7, &at);

		if (!row)
			return 0;
		if (assay_row_type(row) != EV_EFI_VARIABLE_AUTHORITY)
			continue;
		ASSAY_AUTO_FREE char *real = row->real ? assay_event_describe(row->real) : assay_strdup("");

		if (!real)
			return assay_fail_mem(x->err);
		const char *why = x->secure_boot_set ? "; follows from Secure Boot"
				  : x->other_program
					  ? "; follows from the other program, which another signer vouches for"
					  : "";

		if (assay_explain_add(
			    x, ASSAY_CAUSE_SECURE_BOOT, *why != '\0', 7, row,
			    !row->pred
				    ? assay_asprintf("one vouched for a program who was not predicted: %s%s", real, why)
			    : !row->real ? assay_asprintf("nobody was asked to vouch, where predicted is %s (%s)%s",
							  assay_row_detail(row), row->pred->source, why)
					 : assay_asprintf("another vouched for a program: %s, expected %s%s", real,
							  assay_row_detail(row), why)) < 0)
			return -1;
	}
}

int assay_explain_handed(struct assay_explainer *x)
{
	if (sidecars(x, 12) < 0 || sidecars(x, 13) < 0 || handed_over(x) < 0 || exit_of_boot_services(x) < 0)
		return -1;
	return authorities(x);
}
