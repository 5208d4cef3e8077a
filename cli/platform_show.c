/* SPDX-License-Identifier: Apache-2.0 */
/* assay platform show: a profile in words, or as JSON. */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "precompute/platform.h"

#define N_SHOWN 16 /* PCRs that profiles speak of */

/* Text of a file that anyone may have written: nothing that steers a terminal. */
static void print_foreign(const char *s)
{
	size_t left = strlen(s);

	while (left > 0) {
		uint32_t c;
		const size_t n = assay_utf8_next(s, left, &c);

		if (n == 0 || c < 0x20 || (c >= 0x7f && c < 0xa0))
			putchar('?');
		else
			fwrite(s, 1, n, stdout);
		s += n ? n : 1;
		left -= n ? n : 1;
	}
}

static void print_line(const char *label, const char *text)
{
	if (!text)
		return;
	printf("%-12s ", label);
	print_foreign(text);
	putchar('\n');
}

static const char *slot_words(enum assay_slot slot)
{
	switch (slot) {
	case ASSAY_SLOT_GPT:
		return "the disk's partition table";
	case ASSAY_SLOT_BOOT:
		return "the disk's boot application, and what it measures";
	case ASSAY_SLOT_EXIT:
		return "exit of boot services";
	case ASSAY_SLOT_NONE:
		break;
	}
	return "";
}

static const char *member(const struct assay_yaml *map, const char *key)
{
	const struct assay_yaml *m = assay_yaml_get(map, key);

	return m && m->kind == ASSAY_YAML_SCALAR ? m->scalar : NULL;
}

static void print_list(const char *label, const struct assay_yaml *list)
{
	for (size_t i = 0; list && i < list->n; i++)
		print_line(label, list->items[i]->scalar);
}

static void print_origin(const struct assay_yaml *origin)
{
	const struct assay_yaml *firmware = assay_yaml_get(origin, "firmware");
	const struct assay_yaml *qemu = assay_yaml_get(origin, "qemu");

	if (!origin)
		return;
	printf("%-12s %s, %s\n", "origin", member(origin, "kind"), member(origin, "date"));
	for (size_t i = 0; firmware && i < firmware->n; i++) {
		print_line("firmware", member(firmware->items[i], "file"));
		print_line("", member(firmware->items[i], "sha256"));
	}
	if (qemu) {
		print_line("qemu", member(qemu, "version"));
		print_list("", assay_yaml_get(qemu, "arguments"));
	}
	print_line("log", member(assay_yaml_get(origin, "log"), "sha256"));
	print_line("probe", member(assay_yaml_get(origin, "probe"), "sha256"));
	print_list("source", assay_yaml_get(origin, "sources"));
	print_line("note", member(origin, "note"));
}

static void print_event(const struct assay_platform_event *e)
{
	const char *type = assay_event_type_name(e->type);

	if (e->slot != ASSAY_SLOT_NONE) {
		printf("%3u  %-34s %s", e->slot == ASSAY_SLOT_BOOT ? 4 : 5, "(slot)",
		       slot_words(e->slot));
		if (e->tries)
			printf(", after %u boot option%s tried in vain", e->tries,
			       e->tries == 1 ? "" : "s");
		putchar('\n');
		return;
	}
	printf("%3u  ", e->pcr);
	if (type)
		printf("%-34s ", type);
	else
		printf("0x%08" PRIx32 "%24s ", e->type, "");
	if (e->note)
		print_foreign(e->note);
	else if (e->values[0].hashed && e->n_values == 1)
		print_foreign(e->values[0].hashed);
	if (e->n_values > 1)
		printf("%sone of %zu values", e->note ? "; " : "", e->n_values);
	putchar('\n');
	for (size_t i = 0; e->n_values > 1 && i < e->n_values; i++) {
		const struct assay_platform_value *v = &e->values[i];

		printf("%40s- ", "");
		if (v->hashed)
			print_foreign(v->hashed);
		if (v->note) {
			fputs(v->hashed ? ": " : "", stdout);
			print_foreign(v->note);
		}
		putchar('\n');
	}
}

static void print_platform(const struct assay_platform *p)
{
	print_line("platform", p->name);
	print_line("", p->description);
	printf("%-12s %s\n%-12s", "arch", p->arch, "banks");
	for (unsigned b = 0; b < ASSAY_N_BANKS; b++)
		if (p->banks & ASSAY_BANK_BIT(b))
			printf(" %s", assay_bank_name(b));
	printf("\n%-12s %s\n", "Secure Boot",
	       p->secure_boot < 0 ? "not known" : (p->secure_boot ? "on" : "off"));
	if (p->locality || p->hcrtm)
		printf("%-12s PCR 0 starts at %u%s\n", "start", p->hcrtm ? 4 : p->locality,
		       p->hcrtm ? " (H-CRTM)" : "");
	print_origin(p->origin);
	printf("\nPCR  %-34s %s\n", "event", "what");
	for (size_t i = 0; i < p->n; i++)
		print_event(&p->events[i]);
	for (unsigned i = 0; i < N_SHOWN; i++) {
		if (!p->unknown[i])
			continue;
		printf("%3u  %-34s ", i, "(not known)");
		print_foreign(p->unknown[i]);
		putchar('\n');
	}
}

/* --- JSON ---------------------------------------------------------------------------------------
 */

static struct assay_json *value_json(const struct assay_platform_value *v)
{
	struct assay_json *json = assay_json_object();

	assay_json_set(json, "digests", assay_json_digests(&v->digests));
	if (v->hashed)
		assay_json_set_str(json,
				   v->form == ASSAY_FORM_TEXT	 ? "text"
				   : v->form == ASSAY_FORM_UTF16 ? "utf16"
								 : "hex",
				   v->hashed);
	if (v->note)
		assay_json_set_str(json, "note", v->note);
	return json;
}

static struct assay_json *event_json(const struct assay_platform_event *e)
{
	static const char *const slots[] = { "", "gpt", "boot", "exit" };
	struct assay_json *json = assay_json_object();
	struct assay_json *values;
	char number[16];

	if (e->note)
		assay_json_set_str(json, "note", e->note);
	if (e->slot != ASSAY_SLOT_NONE) {
		assay_json_set_str(json, "slot", slots[e->slot]);
		if (e->slot == ASSAY_SLOT_BOOT)
			assay_json_set_int(json, "tries", e->tries);
		return json;
	}
	snprintf(number, sizeof(number), "0x%08" PRIx32, e->type);
	assay_json_set_int(json, "pcr", e->pcr);
	assay_json_set_str(json, "type",
			   assay_event_type_name(e->type) ? assay_event_type_name(e->type)
							  : number);
	values = assay_json_array();
	for (size_t i = 0; i < e->n_values; i++)
		assay_json_append(values, value_json(&e->values[i]));
	assay_json_set(json, "accept", values);
	if (e->data)
		assay_json_set(json, "data", assay_json_hex(e->data, e->data_len));
	return json;
}

static struct assay_json *platform_json(const struct assay_platform *p)
{
	struct assay_json *json = assay_platform_json(p);
	struct assay_json *banks = assay_json_array();
	struct assay_json *events = assay_json_array();
	struct assay_json *unknown = assay_json_object();
	char number[16];

	for (unsigned b = 0; b < ASSAY_N_BANKS; b++)
		if (p->banks & ASSAY_BANK_BIT(b))
			assay_json_append(banks, assay_json_string(assay_bank_name(b)));
	for (size_t i = 0; i < p->n; i++)
		assay_json_append(events, event_json(&p->events[i]));
	for (unsigned i = 0; i < N_SHOWN; i++) {
		snprintf(number, sizeof(number), "%u", i);
		if (p->unknown[i])
			assay_json_set_str(unknown, number, p->unknown[i]);
	}
	assay_json_set(json, "banks", banks);
	assay_json_set_int(json, "startup_locality", p->locality);
	assay_json_set(json, "events", events);
	assay_json_set(json, "unknown", unknown);
	return json;
}

int assay_cmd_platform_show(const struct assay_verb *verb, int argc, char **argv)
{
	static const struct option opts[] = { { "json", no_argument, NULL, 'j' }, { 0 } };
	ASSAY_AUTO(assay_platform) *p = NULL;
	struct assay_err err;
	bool json = false;
	int c;

	while ((c = assay_cli_getopt(verb, argc, argv, "j", opts)) != -1) {
		if (c != 'j')
			return assay_cli_usage(verb);
		json = true;
	}
	if (argc - optind != 1)
		return assay_cli_usage(verb);
	if (assay_platform_load(argv[optind], &p, &err) < 0)
		return assay_cli_fail(argv[optind], &err);
	if (json) {
		ASSAY_AUTO(assay_json) *node = platform_json(p);

		return assay_cli_write_json(node, "-");
	}
	print_platform(p);
	return ASSAY_EXIT_OK;
}
