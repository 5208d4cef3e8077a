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

/* Does QEMU's command line of the profile say how much memory there is? In MiB; 0: no. */
static uint64_t profile_memory(const struct assay_explainer *x)
{
	const struct assay_json *args = assay_json_get(
		assay_json_get(assay_json_get(x->in->prediction->platform, "origin"), "qemu"), "arguments");
	uint64_t mib = 0;

	for (size_t i = 0; i < assay_json_len(args); i++) {
		const char *s = assay_json_str(assay_json_at(args, i));
		uint64_t v = 0;

		if (!s || strncmp(s, "-m ", 3) != 0)
			continue;
		s += 3;
		if (strncmp(s, "size=", 5) == 0)
			s += 5;
		while (*s >= '0' && *s <= '9' && v < 1U << 24)
			v = 10 * v + (uint64_t)(*s++ - '0');
		if (*s == 'G' || *s == 'g')
			v *= 1024;
		else if (*s && *s != 'M' && *s != 'm' && *s != ',')
			v = 0;
		mib = v;
	}
	return mib;
}

static const char *profile_cpus(const struct assay_explainer *x)
{
	const struct assay_json *args = assay_json_get(
		assay_json_get(assay_json_get(x->in->prediction->platform, "origin"), "qemu"), "arguments");
	const char *smp = NULL;

	for (size_t i = 0; i < assay_json_len(args); i++) {
		const char *s = assay_json_str(assay_json_at(args, i));

		if (s && strncmp(s, "-smp ", 5) == 0)
			smp = s;
	}
	return smp;
}

/*
 * EDK2 gives memory out from its top, below 2 GiB on QEMU's q35 (3 GiB, pc): where programs were loaded tells how much
 * there is. In words, "" when it cannot be told: "more memory than the profile's machine (-m 1024), for programs were
 * loaded up to 0x7dd18000".
 */
static char *memory_words(const struct assay_explainer *x)
{
	const uint64_t mib = profile_memory(x);
	uint64_t end = 0;

	for (size_t i = 0; i < x->in->log->n; i++) {
		const struct assay_event *ev = &x->in->log->events[i];
		struct assay_event_image img;

		if (ev->type != EV_EFI_BOOT_SERVICES_APPLICATION && ev->type != EV_EFI_BOOT_SERVICES_DRIVER)
			continue;
		if (assay_event_image_parse(ev->data, ev->data_len, ev->data_at, &img, NULL) < 0 ||
		    img.location > UINT32_MAX || img.length > UINT32_MAX)
			continue;
		if (img.location + img.length > end)
			end = img.location + img.length;
	}
	const bool more = end > mib << 20;
	const bool less = mib <= 2048 && end < (mib << 20) / 4 * 3;

	if (!mib || !end || !(more || less))
		return assay_strdup("");
	return assay_asprintf("%s memory than the profile's machine (-m %" PRIu64 "), for programs were loaded %s 0x%" PRIx64,
			      more ? "more" : "less", mib, more ? "up to" : "no higher than", end);
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
	const bool same_firmware = !version && is_blob(assay_row_type(first)) && moved == 0 && same_blobs > 0 &&
				   same_blobs + 1 == blobs;
	if (same_firmware) {
		ASSAY_AUTO_FREE char *memory = memory_words(x);
		ASSAY_AUTO_FREE char *what = assay_event_describe(first->real);

		if (!memory || !what)
			return assay_fail_mem(x->err);
		words = assay_asprintf("%s has another digest, while version and the other volume are the same: probably another "
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
			const bool zero = row->real && row->real->data_len == 4 && memcmp(row->real->data, "\0\0\0\0", 4) == 0;
			const char *what = !row->real ? "the separator, with which firmware ends its part, is missing" :
					   !row->pred ? "a separator more than predicted: firmware ends its part elsewhere" :
					   zero	      ? "another separator than predicted" :
							"the separator tells of an error in the firmware (it is not 00000000)";

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

/* "on", "off", or "no value", which is off as well: the words behind "variable SecureBoot (EFI global): ". */
static const char *after_colon(const char *words)
{
	const char *colon = strstr(words, "): ");

	return colon ? colon + 3 : words;
}

/* "SecureBoot" of "variable SecureBoot (EFI global): …" */
static bool is_variable(const char *words, const char *name)
{
	return strncmp(words, "variable ", 9) == 0 && strncmp(words + 9, name, strlen(name)) == 0 &&
	       words[9 + strlen(name)] == ' ';
}

static int secure_boot_row(struct assay_explainer *x, const struct assay_row *row)
{
	ASSAY_AUTO_FREE char *real = row->real ? assay_event_describe(row->real) : assay_strdup("");
	const char *pred = assay_row_detail(row);
	const char *words;

	if (!real)
		return assay_fail_mem(x->err);
	words = *real ? real : pred;
	if (is_variable(words, "SecureBoot")) {
		const bool now = strncmp(after_colon(real), "on", 2) == 0;
		const bool then = strncmp(after_colon(pred), "on", 2) == 0;

		if (now != then) {
			x->secure_boot_set = true;
			return assay_explain_add(x, ASSAY_CAUSE_SECURE_BOOT, false, 7, row,
						 assay_asprintf("Secure Boot is %s, the profile (%s) is of a machine where it is %s",
								now ? "on" : "off", x->made_for, then ? "on" : "off"));
		}
		return assay_explain_add(x, ASSAY_CAUSE_SECURE_BOOT, x->other_firmware, 7, row,
					 assay_asprintf("Secure Boot is %s on both, but firmware measures that otherwise: %s, "
							"expected %s%s",
							now ? "on" : "off", real, *pred ? pred : "another",
							x->other_firmware ? "; follows from the other firmware" : ""));
	}
	const size_t name = strcspn(words, ":");
	const char *which = strncmp(words, "variable ", 9) == 0 ? words + 9 : words;

	return assay_explain_add(
		x, ASSAY_CAUSE_SECURE_BOOT, x->secure_boot_set, 7, row,
		!row->real ? assay_asprintf("%s is not measured, the profile has it", pred) :
		!row->pred ? assay_asprintf("%s is measured, the profile does not have it", real) :
			     assay_asprintf("%.*s has another content: %s; expected %s%s", (int)(name - (size_t)(which - words)),
					    which, after_colon(real), *pred ? after_colon(pred) : "another",
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
			    !row->pred ? assay_asprintf("one option ROM more than predicted: %s: a device with a ROM, a network "
							"card for instance, that the profile's machine (%s) does not have",
							real, x->made_for) :
			    !row->real ? assay_asprintf("one option ROM fewer than predicted: %s: the profile's machine (%s) has "
							"a device that this one does not have, a network card for instance",
							assay_row_detail(row), x->made_for) :
					 assay_asprintf("another option ROM: %s with digest %s, expected %s with %s", real,
							assay_row_short(x, row, true, a), assay_row_detail(row),
							assay_row_short(x, row, false, b))) < 0)
			return -1;
	}
}

/* --- PCR 1 -------------------------------------------------------------------------------------- */

/* The device path of a boot option in words, whatever its number and name; "" for other events. */
static const char *option_path(const char *words)
{
	const char *value = after_colon(words);
	const char *end;

	if (strncmp(words, "variable Boot", 13) != 0 || *value != '"')
		return "";
	end = strstr(value + 1, "\" ");
	return end ? end + 2 : "";
}

static bool is_boot_variable(uint32_t type)
{
	return type == EV_EFI_VARIABLE_BOOT || type == EV_EFI_VARIABLE_BOOT2;
}

/* Is there a boot option with this path on the other side? */
static int has_option(struct assay_explainer *x, const char *path, bool logged, bool *ret)
{
	const struct assay_alignment *a = &x->e->pcr[1].events;

	*ret = false;
	for (size_t i = 0; i < a->n && !*ret; i++) {
		const struct assay_row *row = &a->rows[i];

		if (!is_boot_variable(assay_row_type(row)) || (logged ? !row->real : !row->pred))
			continue;
		ASSAY_AUTO_FREE char *words = logged ? assay_event_describe(row->real) : assay_strdup(assay_row_detail(row));

		if (!words)
			return assay_fail_mem(x->err);
		*ret = strcmp(option_path(words), path) == 0;
	}
	return 0;
}

static bool is_action(const struct assay_row *row, const char *text)
{
	if (row->real)
		return row->real->type == EV_EFI_ACTION && row->real->data_len >= strlen(text) &&
		       memcmp(row->real->data, text, strlen(text)) == 0;
	return row->pred->type == EV_EFI_ACTION && strstr(assay_row_detail(row), text);
}

/* Boot options that were tried in vain: how many more than predicted; negative: fewer. */
static int more_tries(const struct assay_explainer *x)
{
	int n = 0;

	for (size_t at = 0;;) {
		const struct assay_row *row = assay_explain_next(x, 4, &at);

		if (!row)
			return n;
		if (row->kind != ASSAY_ROW_CHANGED && is_action(row, "Returning from EFI Application"))
			n += row->kind == ASSAY_ROW_ONLY_LOGGED ? 1 : -1;
	}
}

static void claim_actions(struct assay_explainer *x)
{
	for (size_t at = 0;;) {
		const struct assay_row *row = assay_explain_next(x, 4, &at);

		if (!row)
			return;
		if (assay_row_type(row) == EV_EFI_ACTION)
			assay_explain_claim(x, 4, row);
	}
}

/* One boot option that only one side has. */
static int boot_option(struct assay_explainer *x, const struct assay_row *row, bool more)
{
	ASSAY_AUTO_FREE char *words = more ? assay_event_describe(row->real) : assay_strdup(assay_row_detail(row));
	const int tries = more_tries(x);
	const bool tried = more ? tries > 0 : tries < 0;

	if (!words)
		return assay_fail_mem(x->err);
	if (assay_explain_add(x, ASSAY_CAUSE_BOOT_OPTION, x->other_device || x->other_firmware, 1, row,
			      assay_asprintf("the firmware has one boot option %s: %s%s%s", more ? "more" : "fewer",
					     strncmp(words, "variable ", 9) == 0 ? words + 9 : words,
					     !tried ? "" :
					     more   ? "; it was tried in vain before the image's (PCR 4)" :
						      "; the profile's machine tries it in vain before the image's (PCR 4)",
					     x->other_device   ? "; follows from the other device" :
					     x->other_firmware ? "; follows from the other firmware" :
								 "")) < 0)
		return -1;
	x->other_device = true;
	if (tried)
		claim_actions(x);
	return 0;
}

static int boot_options(struct assay_explainer *x)
{
	const struct assay_row *order = NULL;
	bool found = false;

	for (size_t at = 0;;) {
		const struct assay_row *row = assay_explain_next(x, 1, &at);

		if (!row)
			break;
		if (!is_boot_variable(assay_row_type(row)))
			continue;
		for (int logged = 1; logged >= 0; logged--) {
			if (logged ? !row->real : !row->pred)
				continue;
			ASSAY_AUTO_FREE char *words = logged ? assay_event_describe(row->real) :
							       assay_strdup(assay_row_detail(row));
			bool there;

			if (!words)
				return assay_fail_mem(x->err);
			if (logged && is_variable(words, "BootOrder"))
				order = row;
			if (!*option_path(words))
				continue;
			if (has_option(x, option_path(words), !logged, &there) < 0)
				return -1;
			if (there)
				continue;
			if (boot_option(x, row, logged) < 0)
				return -1;
			found = true;
		}
	}
	if (order && !found && !x->other_firmware) {
		ASSAY_AUTO_FREE char *words = assay_event_describe(order->real);

		if (!words)
			return assay_fail_mem(x->err);
		if (assay_explain_add(x, ASSAY_CAUSE_BOOT_OPTION, false, 1, order,
				      assay_asprintf("the firmware's boot options are in another order: %s, expected %s",
						     after_colon(words), after_colon(assay_row_detail(order)))) < 0)
			return -1;
		found = true;
	}
	if (!found)
		return 0;
	/* The others are the same options under other numbers. */
	for (size_t at = 0;;) {
		const struct assay_row *row = assay_explain_next(x, 1, &at);

		if (!row)
			return 0;
		if (is_boot_variable(assay_row_type(row)))
			assay_explain_claim(x, 1, row);
	}
}

static bool is_acpi(const struct assay_row *row)
{
	static const char text[] = "ACPI DATA"; /* PFP 1.06, 10.4.4 */

	if (row->real)
		return row->real->data_len >= sizeof(text) - 1 && memcmp(row->real->data, text, sizeof(text) - 1) == 0;
	return strstr(assay_row_detail(row), text) != NULL;
}

/*
 * QEMU hands its ACPI tables over as files; OVMF (2025.02) measures each: how they are to be put together, the RSDP, the
 * TPM's log area, the tables. Other addresses (memory size) change the tables alone; another number of CPUs, or a device,
 * moves them about, and changes the first two as well.
 */
static int acpi(struct assay_explainer *x)
{
	const struct assay_alignment *a = &x->e->pcr[1].events;
	const struct assay_row *first = NULL;
	size_t n = 0, changed = 0, last = 0;
	const char *cpus = profile_cpus(x);
	char machine[128] = "";

	for (size_t i = 0; i < a->n; i++) {
		if (!is_acpi(&a->rows[i]))
			continue;
		n++;
		if (a->rows[i].kind == ASSAY_ROW_SAME)
			continue;
		changed++;
		last = n;
		first = first ? first : &a->rows[i];
	}
	if (!first || x->e->pcr[1].log_disagrees || x->e->pcr[1].verdict == ASSAY_EXPLAINED_NOT_PREDICTED)
		return 0;
	ASSAY_AUTO_FREE char *memory = memory_words(x);
	const bool follows = x->other_firmware || x->other_device;
	const bool qemu = profile_memory(x) > 0;
	const bool laid_out = first->kind == ASSAY_ROW_CHANGED && (changed > 1 || last < n);

	if (!memory)
		return assay_fail_mem(x->err);
	if (qemu)
		snprintf(machine, sizeof(machine), " (the profile's machine has -m %" PRIu64 "%s%.40s)", profile_memory(x),
			 cpus ? " " : "", cpus ? cpus : "");
	const char *why = x->other_firmware ? "follows from the other firmware" :
			  x->other_device   ? "follows from the other device" :
			  *memory	    ? memory :
			  !qemu		    ? "another memory size, number of CPUs, or other devices" :
			  laid_out ? "they are laid out otherwise: another number of CPUs, or a device without a ROM more or fewer" :
				     "their layout is the same: probably another memory size";

	if (assay_explain_add(x, ASSAY_CAUSE_CONFIGURATION, follows, 1, first,
			      assay_asprintf("the machine's configuration differs, by %zu of %zu events of ACPI tables: %s%s%s", changed,
					     n, why, !follows && *memory && laid_out ? "; perhaps other CPUs or devices as well" : "",
					     follows || *memory ? "" : machine)) < 0)
		return -1;
	for (size_t at = 0;;) {
		const struct assay_row *row = assay_explain_next(x, 1, &at);

		if (!row)
			return 0;
		if (is_acpi(row))
			assay_explain_claim(x, 1, row);
	}
}

/* --- PCR 4, before the image -------------------------------------------------------------------- */

static int boot_attempts(struct assay_explainer *x)
{
	const int tries = more_tries(x);
	const struct assay_row *first = NULL;

	for (size_t at = 0; !first;) {
		const struct assay_row *row = assay_explain_next(x, 4, &at);

		if (!row)
			break;
		if (is_action(row, "Returning from EFI Application") || is_action(row, "Calling EFI Application"))
			first = row;
	}
	if (!first || tries == 0)
		return 0;
	const unsigned n = (unsigned)(tries > 0 ? tries : -tries);

	if (assay_explain_add(x, ASSAY_CAUSE_BOOT_ATTEMPT, false, 4, first,
			      assay_asprintf("the firmware tried %u boot option%s %s than the profile (%s) says before it started the "
					     "image",
					     n, n == 1 ? "" : "s", tries > 0 ? "more" : "fewer", x->made_for)) < 0)
		return -1;
	claim_actions(x);
	return 0;
}

/* --- what is left ------------------------------------------------------------------------------- */

static int rest(struct assay_explainer *x)
{
	static const unsigned pcrs[] = { 0, 1, 2, 3, 6 };

	for (size_t i = 0; i < sizeof(pcrs) / sizeof(pcrs[0]); i++) {
		for (size_t at = 0;;) {
			const struct assay_row *row = assay_explain_next(x, pcrs[i], &at);

			if (!row)
				break;
			ASSAY_AUTO_FREE char *change = assay_row_change(row, x->bank);

			if (!change)
				return assay_fail_mem(x->err);
			if (assay_explain_add(x, pcrs[i] == 1 ? ASSAY_CAUSE_CONFIGURATION : ASSAY_CAUSE_OTHER, x->other_firmware,
					      pcrs[i], row,
					      assay_asprintf("%s%s", change,
							     x->other_firmware ? "; may follow from the other firmware" : "")) < 0)
				return -1;
		}
	}
	return 0;
}

int assay_explain_platform(struct assay_explainer *x)
{
	if (firmware(x) < 0 || separators(x) < 0 || secure_boot(x) < 0 || option_roms(x) < 0 || boot_options(x) < 0 ||
	    acpi(x) < 0 || boot_attempts(x) < 0)
		return -1;
	return rest(x);
}
