/* SPDX-License-Identifier: Apache-2.0 */
/* PCR 1: boot options, and what QEMU's ACPI tables tell of memory, CPUs and devices. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "precompute/explain_priv.h"

/* --- memory and CPUs ---------------------------------------------------------------------------- */

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
 * there is.
 */
char *assay_explain_memory(const struct assay_explainer *x)
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
	return assay_asprintf("%s memory than the profile's machine (-m %" PRIu64
			      "), for programs were loaded %s 0x%" PRIx64,
			      more ? "more" : "less", mib, more ? "up to" : "no higher than", end);
}

/* --- boot options ------------------------------------------------------------------------------- */

const char *assay_explain_value(const char *words)
{
	const char *colon = strstr(words, "): ");

	return colon ? colon + 3 : words;
}

bool assay_explain_is_variable(const char *words, const char *name)
{
	return strncmp(words, "variable ", 9) == 0 && strncmp(words + 9, name, strlen(name)) == 0 &&
	       words[9 + strlen(name)] == ' ';
}

/* The device path of a boot option in words, whatever its number and name; "" for other events. */
static const char *option_path(const char *words)
{
	const char *value = assay_explain_value(words);
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
		ASSAY_AUTO_FREE char *words =
			logged ? assay_event_describe(row->real) : assay_strdup(assay_row_detail(row));

		if (!words)
			return assay_fail_mem(x->err);
		*ret = strcmp(option_path(words), path) == 0;
	}
	return 0;
}

/* One boot option that only one side has. */
static int boot_option(struct assay_explainer *x, const struct assay_row *row, bool more)
{
	ASSAY_AUTO_FREE char *words = more ? assay_event_describe(row->real) : assay_strdup(assay_row_detail(row));
	const int tries = assay_explain_tries(x);
	const bool tried = more ? tries > 0 : tries < 0;

	if (!words)
		return assay_fail_mem(x->err);
	if (assay_explain_add(
		    x, ASSAY_CAUSE_BOOT_OPTION, x->other_device || x->other_firmware, 1, row,
		    assay_asprintf("the firmware has one boot option %s: %s%s%s", more ? "more" : "fewer",
				   strncmp(words, "variable ", 9) == 0 ? words + 9 : words,
				   !tried ? ""
				   : more ? "; it was tried in vain before the image's (PCR 4)"
					  : "; the profile's machine tries it in vain before the image's (PCR 4)",
				   x->other_device     ? "; follows from the other device"
				   : x->other_firmware ? "; follows from the other firmware"
						       : "")) < 0)
		return -1;
	x->other_device = true;
	if (tried)
		assay_explain_claim_actions(x);
	return 0;
}

int assay_explain_boot_options(struct assay_explainer *x)
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
			ASSAY_AUTO_FREE char *words =
				logged ? assay_event_describe(row->real) : assay_strdup(assay_row_detail(row));
			bool there;

			if (!words)
				return assay_fail_mem(x->err);
			if (logged && assay_explain_is_variable(words, "BootOrder"))
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
		if (assay_explain_add(
			    x, ASSAY_CAUSE_BOOT_OPTION, false, 1, order,
			    assay_asprintf("the firmware's boot options are in another order: %s, expected %s",
					   assay_explain_value(words), assay_explain_value(assay_row_detail(order)))) <
		    0)
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

/* --- ACPI tables -------------------------------------------------------------------------------- */

static bool is_acpi(const struct assay_row *row)
{
	static const char text[] = "ACPI DATA"; /* PFP 1.06, 10.4.4 */

	if (row->real)
		return row->real->data_len >= sizeof(text) - 1 && memcmp(row->real->data, text, sizeof(text) - 1) == 0;
	return strstr(assay_row_detail(row), text) != NULL;
}

/*
 * QEMU hands its ACPI tables over as files; OVMF (2025.02) measures each: how they are to be put together, the RSDP,
 * the TPM's log area, the tables. Other addresses (memory size) change the tables alone; another number of CPUs, or a
 * device, moves them about, and changes the first two as well.
 */
int assay_explain_acpi(struct assay_explainer *x)
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
	ASSAY_AUTO_FREE char *memory = assay_explain_memory(x);
	const bool follows = x->other_firmware || x->other_device;
	const bool qemu = profile_memory(x) > 0;
	const bool laid_out = first->kind == ASSAY_ROW_CHANGED && (changed > 1 || last < n);

	if (!memory)
		return assay_fail_mem(x->err);
	if (qemu)
		snprintf(machine, sizeof(machine), " (the profile's machine has -m %" PRIu64 "%s%.40s)",
			 profile_memory(x), cpus ? " " : "", cpus ? cpus : "");
	const char *why =
		x->other_firmware ? "follows from the other firmware"
		: x->other_device ? "follows from the other device"
		: *memory	  ? memory
		: !qemu		  ? "another memory size, number of CPUs, or other devices"
		: laid_out
			? "they are laid out otherwise: another number of CPUs, or a device without a ROM more or fewer"
			: "their layout is the same: probably another memory size";

	if (assay_explain_add(
		    x, ASSAY_CAUSE_CONFIGURATION, follows, 1, first,
		    assay_asprintf("the machine's configuration differs, by %zu of %zu events of ACPI tables: %s%s%s",
				   changed, n, why,
				   !follows && *memory && laid_out ? "; perhaps other CPUs or devices as well" : "",
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
