/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Causes in the platform: PCRs 0 to 3, 6 and 7, and what the firmware does before it starts the image. What is said of
 * OVMF and QEMU was seen in boots of machines that differ in one thing each (tests/boot/explain.bats).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "precompute/explain_priv.h"

/* --- PCR 0 -------------------------------------------------------------------------------------- */

static bool is_blob(uint32_t type)
{
	return type == EV_EFI_PLATFORM_FIRMWARE_BLOB || type == EV_EFI_PLATFORM_FIRMWARE_BLOB2;
}

/* " (profile made for OVMF_CODE_4M.fd, sha256 624e06de18b4fa53…)", of whatever the profile tells. */
static char *made_for(const struct assay_explainer *x)
{
	const struct assay_json *origin = assay_json_get(x->in->prediction->platform, "origin");
	const struct assay_json *fw = assay_json_at(assay_json_get(origin, "firmware"), 0);
	const char *file = assay_json_str(assay_json_get(fw, "file"));
	const char *sha = assay_json_str(assay_json_get(fw, "sha256"));
	const char *slash = file ? strrchr(file, '/') : NULL;

	if (!file)
		return assay_asprintf("profile %s", x->made_for);
	return assay_asprintf("profile %s, made for %s%s%.16s%s", x->made_for, slash ? slash + 1 : file,
			      sha ? ", sha256 " : "", sha ? sha : "", sha ? "…" : "");
}

static int firmware_words(struct assay_explainer *x, const struct assay_row *row, char **ret)
{
	ASSAY_AUTO_FREE char *words = row->real ? assay_event_describe(row->real) : assay_strdup("nothing");
	ASSAY_AUTO_FREE char *whose = made_for(x);

	if (!words || !whose)
		return assay_fail_mem(x->err);
	*ret = assay_asprintf("another firmware: %s, expected %s (%s)", words,
			      *assay_row_detail(row) ? assay_row_detail(row) : "another", whose);
	return *ret ? 0 : assay_fail_mem(x->err);
}

/*
 * OVMF measures its PEI volume where it runs, after it has written to it: with the same firmware it changes with memory
 * size, CPUs and machine type (docs/PCRS.md). Another firmware has another version, or another volume besides.
 */
static int firmware(struct assay_explainer *x)
{
	const struct assay_alignment *a = &x->e->pcr[0].events;
	const struct assay_row *first = NULL, *version = NULL;
	size_t blobs = 0, same_blobs = 0, moved = 0;
	char *words;

	for (size_t i = 0; i < a->n; i++) {
		const struct assay_row *row = &a->rows[i];

		if (!is_blob(assay_row_type(row)))
			continue;
		blobs++;
		same_blobs += row->kind == ASSAY_ROW_SAME;
		if (row->kind == ASSAY_ROW_CHANGED) {
			ASSAY_AUTO_FREE char *real = assay_event_describe(row->real);

			if (!real)
				return assay_fail_mem(x->err);
			moved += strcmp(real, assay_row_detail(row)) != 0;
		} else if (row->kind != ASSAY_ROW_SAME) {
			moved++;
		}
	}
	for (size_t at = 0;;) {
		const struct assay_row *row = assay_explain_next(x, 0, &at);

		if (!row)
			break;
		if (assay_row_type(row) == EV_SEPARATOR)
			continue;
		first = first ? first : row;
		if (!version && assay_row_type(row) == EV_S_CRTM_VERSION)
			version = row;
	}
	if (!first)
		return 0;
	const bool same_firmware =
		!version && is_blob(assay_row_type(first)) && moved == 0 && same_blobs > 0 && same_blobs + 1 == blobs;
	if (same_firmware) {
		ASSAY_AUTO_FREE char *memory = assay_explain_memory(x);
		ASSAY_AUTO_FREE char *what = assay_event_describe(first->real);

		if (!memory || !what)
			return assay_fail_mem(x->err);
		words = assay_asprintf(
			"%s has another digest, while version and the other volume are the same: probably another "
			"memory size, number of CPUs or machine type, which OVMF's first volume depends on%s%s",
			what, *memory ? "; " : "", memory);
	} else {
		if (firmware_words(x, version ? version : first, &words) < 0)
			return -1;
		x->other_firmware = true;
	}
	if (assay_explain_add(x, same_firmware ? ASSAY_CAUSE_CONFIGURATION : ASSAY_CAUSE_FIRMWARE, false, 0,
			      version ? version : first, words) < 0)
		return -1;
	for (size_t at = 0;;) {
		const struct assay_row *row = assay_explain_next(x, 0, &at);

		if (!row)
			return 0;
		if (assay_row_type(row) != EV_SEPARATOR)
			assay_explain_claim(x, 0, row);
	}
}

/* --- separators --------------------------------------------------------------------------------- */

/* PFP 1.06, 3.3.4 and 10.4.1: zeros or ones before the boot; an error is 1, and the data says which. */
static int separators(struct assay_explainer *x)
{
	for (unsigned pcr = 0; pcr < 8; pcr++) {
		for (size_t at = 0;;) {
			const struct assay_row *row = assay_explain_next(x, pcr, &at);

			if (!row)
				break;
			if (assay_row_type(row) != EV_SEPARATOR)
				continue;
			const bool zero =
				row->real && row->real->data_len == 4 && memcmp(row->real->data, "\0\0\0\0", 4) == 0;
			const char *what =
				!row->real   ? "the separator, with which firmware ends its part, is missing"
				: !row->pred ? "a separator more than predicted: firmware ends its part elsewhere"
				: zero	     ? "another separator than predicted"
					     : "the separator tells of an error in the firmware (it is not 00000000)";

			/* The same in several PCRs is one cause. */
			const bool again = x->e->n_causes > 0 && strstr(x->e->causes[x->e->n_causes - 1].words, what);

			if (again) {
				assay_explain_claim(x, pcr, row);
				continue;
			}
			if (assay_explain_add(x, ASSAY_CAUSE_FIRMWARE, false, pcr, row, assay_strdup(what)) < 0)
				return -1;
		}
	}
	return 0;
}

/* --- PCR 7 -------------------------------------------------------------------------------------- */

static int secure_boot_row(struct assay_explainer *x, const struct assay_row *row)
{
	ASSAY_AUTO_FREE char *real = row->real ? assay_event_describe(row->real) : assay_strdup("");
	const char *pred = assay_row_detail(row);
	const char *words;

	if (!real)
		return assay_fail_mem(x->err);
	words = *real ? real : pred;
	if (assay_explain_is_variable(words, "SecureBoot")) {
		const bool now = strncmp(assay_explain_value(real), "on", 2) == 0;
		const bool then = strncmp(assay_explain_value(pred), "on", 2) == 0;

		if (now != then) {
			x->secure_boot_set = true;
			return assay_explain_add(
				x, ASSAY_CAUSE_SECURE_BOOT, false, 7, row,
				assay_asprintf("Secure Boot is %s, the profile (%s) is of a machine where it is %s",
					       now ? "on" : "off", x->made_for, then ? "on" : "off"));
		}
		return assay_explain_add(
			x, ASSAY_CAUSE_SECURE_BOOT, x->other_firmware, 7, row,
			assay_asprintf("Secure Boot is %s on both, but firmware measures that otherwise: %s, "
				       "expected %s%s",
				       now ? "on" : "off", real, *pred ? pred : "another",
				       x->other_firmware ? "; follows from the other firmware" : ""));
	}
	const size_t name = strcspn(words, ":");
	const char *which = strncmp(words, "variable ", 9) == 0 ? words + 9 : words;

	return assay_explain_add(
		x, ASSAY_CAUSE_SECURE_BOOT, x->secure_boot_set, 7, row,
		!row->real   ? assay_asprintf("%s is not measured, the profile has it", pred)
		: !row->pred ? assay_asprintf("%s is measured, the profile does not have it", real)
			     : assay_asprintf("%.*s has another content: %s; expected %s%s",
					      (int)(name - (size_t)(which - words)), which, assay_explain_value(real),
					      *pred ? assay_explain_value(pred) : "another",
					      x->secure_boot_set ? "; the keys that came with Secure Boot" : ""));
}

static int secure_boot(struct assay_explainer *x)
{
	for (size_t at = 0;;) {
		const struct assay_row *row = assay_explain_next(x, 7, &at);

		if (!row)
			return 0;
		if (assay_row_type(row) == EV_EFI_VARIABLE_DRIVER_CONFIG && secure_boot_row(x, row) < 0)
			return -1;
	}
}

/* --- PCRs 2 and 3 ------------------------------------------------------------------------------- */

static bool is_program(uint32_t type)
{
	return type == EV_EFI_BOOT_SERVICES_DRIVER || type == EV_EFI_RUNTIME_SERVICES_DRIVER ||
	       type == EV_EFI_BOOT_SERVICES_APPLICATION;
}

static int option_roms(struct assay_explainer *x)
{
	for (size_t at = 0;;) {
		const struct assay_row *row = assay_explain_next(x, 2, &at);

		if (!row)
			return 0;
		if (!is_program(assay_row_type(row)))
			continue;
		ASSAY_AUTO_FREE char *real = row->real ? assay_event_describe(row->real) : assay_strdup("");
		char a[ASSAY_SHORT_HEX], b[ASSAY_SHORT_HEX];

		if (!real)
			return assay_fail_mem(x->err);
		x->other_device = true;
		if (assay_explain_add(
			    x, ASSAY_CAUSE_OPTION_ROM, false, 2, row,
			    !row->pred
				    ? assay_asprintf(
					      "one option ROM more than predicted: %s: a device with a ROM, a network "
					      "card for instance, that the profile's machine (%s) does not have",
					      real, x->made_for)
			    : !row->real
				    ? assay_asprintf(
					      "one option ROM fewer than predicted: %s: the profile's machine (%s) has "
					      "a device that this one does not have, a network card for instance",
					      assay_row_detail(row), x->made_for)
				    : assay_asprintf("another option ROM: %s with digest %s, expected %s with %s", real,
						     assay_row_short(x, row, true, a), assay_row_detail(row),
						     assay_row_short(x, row, false, b))) < 0)
			return -1;
	}
}

/* --- PCR 4, before the image -------------------------------------------------------------------- */

bool assay_row_is_action(const struct assay_row *row, const char *text)
{
	if (row->real)
		return row->real->type == EV_EFI_ACTION && row->real->data_len >= strlen(text) &&
		       memcmp(row->real->data, text, strlen(text)) == 0;
	return row->pred->type == EV_EFI_ACTION && strstr(assay_row_detail(row), text);
}

/* Boot options that were tried in vain: how many more than predicted; negative: fewer. */
int assay_explain_tries(const struct assay_explainer *x)
{
	int n = 0;

	for (size_t at = 0;;) {
		const struct assay_row *row = assay_explain_next(x, 4, &at);

		if (!row)
			return n;
		if (row->kind != ASSAY_ROW_CHANGED && assay_row_is_action(row, "Returning from EFI Application"))
			n += row->kind == ASSAY_ROW_ONLY_LOGGED ? 1 : -1;
	}
}

void assay_explain_claim_actions(struct assay_explainer *x)
{
	for (size_t at = 0;;) {
		const struct assay_row *row = assay_explain_next(x, 4, &at);

		if (!row)
			return;
		if (assay_row_type(row) == EV_EFI_ACTION)
			assay_explain_claim(x, 4, row);
	}
}

static int boot_attempts(struct assay_explainer *x)
{
	const int tries = assay_explain_tries(x);
	const struct assay_row *first = NULL;

	for (size_t at = 0; !first;) {
		const struct assay_row *row = assay_explain_next(x, 4, &at);

		if (!row)
			break;
		if (assay_row_is_action(row, "Returning from EFI Application") ||
		    assay_row_is_action(row, "Calling EFI Application"))
			first = row;
	}
	if (!first || tries == 0)
		return 0;
	const unsigned n = (unsigned)(tries > 0 ? tries : -tries);

	if (assay_explain_add(
		    x, ASSAY_CAUSE_BOOT_ATTEMPT, false, 4, first,
		    assay_asprintf(
			    "the firmware tried %u boot option%s %s than the profile (%s) says before it started the "
			    "image",
			    n, n == 1 ? "" : "s", tries > 0 ? "more" : "fewer", x->made_for)) < 0)
		return -1;
	assay_explain_claim_actions(x);
	return 0;
}

/* --- what is left ------------------------------------------------------------------------------- */

static int rest(struct assay_explainer *x)
{
	static const unsigned pcrs[] = { 0, 1, 2, 3, 6 };

	x->rest = true;
	for (size_t i = 0; i < sizeof(pcrs) / sizeof(pcrs[0]); i++) {
		for (size_t at = 0;;) {
			const struct assay_row *row = assay_explain_next(x, pcrs[i], &at);

			if (!row)
				break;
			ASSAY_AUTO_FREE char *change = assay_row_change(row, x->bank);

			if (!change)
				return assay_fail_mem(x->err);
			if (assay_explain_add(x, pcrs[i] == 1 ? ASSAY_CAUSE_CONFIGURATION : ASSAY_CAUSE_OTHER,
					      x->other_firmware, pcrs[i], row,
					      assay_asprintf("%s%s", change,
							     x->other_firmware ? "; may follow from the other firmware"
									       : "")) < 0)
				return -1;
		}
	}
	return 0;
}

int assay_explain_platform(struct assay_explainer *x)
{
	if (firmware(x) < 0 || separators(x) < 0 || secure_boot(x) < 0 || option_roms(x) < 0 ||
	    assay_explain_boot_options(x) < 0 || assay_explain_acpi(x) < 0 || boot_attempts(x) < 0)
		return -1;
	return rest(x);
}
