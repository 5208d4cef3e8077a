/* SPDX-License-Identifier: Apache-2.0 */
/* Causes in the image: the partition table, what is started, what the kernel is handed (docs/PCRS.md). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "precompute/explain_priv.h"
#include "tpm/devpath.h"

/* --- programs in PCR 4 -------------------------------------------------------------------------- */

enum role { ROLE_LOADER, ROLE_UKI, ROLE_KERNEL, ROLE_INNER };

static bool ends_with(const char *s, const char *tail)
{
	const size_t n = strlen(s), t = strlen(tail);

	return n >= t && strcmp(s + n - t, tail) == 0;
}

static bool is_program(const struct assay_pred_event *ev)
{
	return ev->pcr == 4 && ev->type == EV_EFI_BOOT_SERVICES_APPLICATION;
}

static enum role role_of(const struct assay_prediction *p, const struct assay_pred_event *ev)
{
	const size_t n = strlen(ev->source);

	if (ends_with(ev->source, " .linux"))
		return ROLE_INNER;
	for (size_t i = 0; i < p->n; i++)
		if (p->events[i].pcr == 11 && strncmp(p->events[i].source, ev->source, n) == 0 &&
		    p->events[i].source[n] == ' ')
			return ROLE_UKI;
	/* Of those that are no UKI the last is the kernel of a boot loader's entry. */
	for (const struct assay_pred_event *later = ev + 1; later < p->events + p->n; later++)
		if (is_program(later) && !ends_with(later->source, " .linux"))
			return ROLE_LOADER;
	return ROLE_KERNEL;
}

/* The path that the log says a program was loaded from: "\EFI\BOOT\BOOTX64.EFI", or all of its device path. */
static int logged_path(const struct assay_event *ev, char **ret, struct assay_err *err)
{
	struct assay_event_image img;
	ASSAY_AUTO_FREE char *text = NULL;

	if (assay_event_image_parse(ev->data, ev->data_len, ev->data_at, &img, NULL) < 0) {
		*ret = assay_strdup("a program (the log does not tell its path)");
		return *ret ? 0 : assay_fail_mem(err);
	}
	text = assay_devpath_text(img.path, img.path_len, ev->data_at + 32);
	if (!text)
		return assay_fail_mem(err);
	const char *file = strstr(text, "/\\");

	*ret = assay_strdup(file ? file + 1 : *text ? text : "a program without a path");
	return *ret ? 0 : assay_fail_mem(err);
}

/* Another program of the same disk with the digest that was measured; NULL: none that the facts know. */
static const char *known_program(const struct assay_explainer *x, const struct assay_event *ev)
{
	const struct assay_json *list = assay_json_get(assay_json_get(x->in->facts, "esp"), "programs");
	char hex[ASSAY_HEX_MAX];

	if (!(ev->digests.banks & ASSAY_BANK_BIT(x->bank)))
		return NULL;
	assay_hex(ev->digests.d[x->bank], assay_bank_size(x->bank), hex);
	for (size_t i = 0; i < assay_json_len(list); i++) {
		const struct assay_json *o = assay_json_at(list, i);
		const char *d =
			assay_json_str(assay_json_get(assay_json_get(o, "authenticode"), assay_bank_name(x->bank)));

		if (d && strcmp(d, hex) == 0)
			return assay_json_str(assay_json_get(o, "path"));
	}
	return NULL;
}

/* "the machine loaded \EFI\BOOT\BOOTX64.EFI with digest …, the prediction expects …" */
static int loaded(struct assay_explainer *x, const struct assay_row *row, char **ret)
{
	ASSAY_AUTO_FREE char *path = NULL;
	char a[ASSAY_SHORT_HEX], b[ASSAY_SHORT_HEX];
	const char *bank = assay_bank_name(x->bank);
	const char *known;

	if (!row->real) {
		*ret = assay_asprintf("the machine did not load %s (%s %s), which was predicted", row->pred->source,
				      bank, assay_row_short(x, row, false, b));
		return *ret ? 0 : assay_fail_mem(x->err);
	}
	if (logged_path(row->real, &path, x->err) < 0)
		return -1;
	known = known_program(x, row->real);
	if (!row->pred) {
		*ret = assay_asprintf("the machine loaded one program more, %s with digest %s (%s%s%s)", path,
				      assay_row_short(x, row, true, a), bank, known ? "; that is the disk's " : "",
				      known ? known : "");
		return *ret ? 0 : assay_fail_mem(x->err);
	}
	const bool moved = strcasecmp(path, row->pred->source) != 0 && !ends_with(row->pred->source, " .linux");

	*ret = assay_asprintf("the machine loaded %s with digest %s (%s), expected is %s%s%s%s%s%s", path,
			      assay_row_short(x, row, true, a), bank, moved ? row->pred->source : "",
			      moved ? " with " : "", assay_row_short(x, row, false, b),
			      known ? " (the one measured is the disk's " : "", known ? known : "", known ? ")" : "");
	return *ret ? 0 : assay_fail_mem(x->err);
}

/* --- sections in PCR 11 ------------------------------------------------------------------------- */

static const struct {
	const char *name, *words;
	bool initrd; /* goes to the kernel with the initrd (systemd-stub 252 or 257) */
} section_words[] = {
	{ ".linux", "kernel" },		 { ".osrel", "os-release", true },
	{ ".cmdline", "command line" },	 { ".initrd", "initrd", true },
	{ ".ucode", "microcode", true }, { ".splash", "boot picture" },
	{ ".dtb", "device tree" },	 { ".uname", "kernel release" },
	{ ".sbat", "SBAT table" },	 { ".pcrpkey", "key of PCR signatures", true },
	{ ".profile", "profile", true },
};
#define N_SECTIONS (sizeof(section_words) / sizeof(section_words[0]))

struct sections {
	size_t logged;			     /* events of PCR 11 that the machine measured */
	unsigned same, changed, more, fewer; /* bit i: section_words[i] */
	size_t unknown;			     /* of other names */
};

static bool has(unsigned set, const char *name)
{
	for (size_t i = 0; i < N_SECTIONS; i++)
		if ((set & (1U << i)) && strcmp(section_words[i].name, name) == 0)
			return true;
	return false;
}

/* A section is two events: its name, then its content. */
static int read_sections(struct assay_explainer *x, struct sections *ret)
{
	const struct assay_alignment *a = &x->e->pcr[11].events;
	struct sections s = { 0 };

	if (x->e->pcr[11].log_disagrees) {
		*ret = s;
		return 0;
	}
	for (size_t i = 0; i < a->n; i++) {
		const struct assay_row *row = &a->rows[i];
		ASSAY_AUTO_FREE char *name =
			row->pred ? assay_align_name_predicted(row->pred) : assay_align_name_logged(row->real);
		size_t k = 0;

		if (!name)
			return assay_fail_mem(x->err);
		s.logged += row->real != NULL;
		while (k < N_SECTIONS && strcmp(section_words[k].name, name) != 0)
			k++;
		if (k == N_SECTIONS) {
			s.unknown += row->kind != ASSAY_ROW_SAME;
			continue;
		}
		switch (row->kind) {
		case ASSAY_ROW_SAME:
			s.same |= 1U << k;
			break;
		case ASSAY_ROW_CHANGED:
			s.changed |= 1U << k;
			break;
		case ASSAY_ROW_ONLY_LOGGED:
			s.more |= 1U << k;
			break;
		case ASSAY_ROW_ONLY_PREDICTED:
			s.fewer |= 1U << k;
			break;
		}
	}
	/* The name of a section whose content changed is the same. */
	s.changed |= (s.same | s.more) & s.fewer;
	s.changed |= s.same & s.more;
	s.more &= ~s.changed;
	s.fewer &= ~s.changed;
	s.same &= ~s.changed;
	*ret = s;
	return 0;
}

static void add_names(struct assay_str *s, unsigned set, bool in_words)
{
	unsigned left = (unsigned)__builtin_popcount(set);

	for (size_t i = 0; i < N_SECTIONS; i++) {
		if (!(set & (1U << i)))
			continue;
		left--;
		if (in_words)
			assay_str_add(s, "%s (%s)", section_words[i].words, section_words[i].name);
		else
			assay_str_add(s, "%s", section_words[i].name);
		assay_str_add(s, "%s", left > 1 ? ", " : left == 1 ? " and " : "");
	}
}

/* "another UKI; its command line (.cmdline) differs; .linux, .osrel and .initrd are the same" */
static int sections_words(struct assay_explainer *x, const struct sections *c, char **ret)
{
	struct assay_str s = { 0 };

	if (x->e->pcr[11].log_disagrees) {
		assay_str_add(&s, "another UKI; what is in it is not told, for the log does not lead to PCR 11");
	} else if (c->logged == 0) {
		assay_str_add(&s, "it is no UKI, for it measured no section (PCR 11)");
	} else if (!(c->changed | c->more | c->fewer) && !c->unknown) {
		assay_str_add(&s, "another UKI; all that is measured of its sections is the same, so it is another "
				  "systemd-stub, another signature, "
				  "or a section that is not measured");
	} else {
		assay_str_add(&s, "another UKI");
		if (c->changed) {
			assay_str_add(&s, "; its ");
			add_names(&s, c->changed, true);
			assay_str_add(&s, " differ%s", c->changed & (c->changed - 1) ? "" : "s");
		}
		if (c->more) {
			assay_str_add(&s, "; it measures a ");
			add_names(&s, c->more, true);
			assay_str_add(&s, " more");
		}
		if (c->fewer) {
			assay_str_add(&s, "; it measures no ");
			add_names(&s, c->fewer, true);
		}
		if (c->unknown)
			assay_str_add(&s, "; %zu more events of PCR 11 differ", c->unknown);
		if (c->same) {
			assay_str_add(&s, "; ");
			add_names(&s, c->same, false);
			assay_str_add(&s, c->same & (c->same - 1) ? " are the same" : " is the same");
		}
	}
	*ret = assay_str_steal(&s);
	return *ret ? 0 : assay_fail_mem(x->err);
}

static void note_sections(struct assay_explainer *x, const struct sections *c)
{
	const unsigned all = c->changed | c->more | c->fewer;

	if (has(all, ".cmdline") || has(all, ".profile"))
		x->other_cmdline = true;
	for (size_t i = 0; i < N_SECTIONS; i++)
		if (section_words[i].initrd && (all & (1U << i)))
			x->other_initrd = true;
}

static void claim_open(struct assay_explainer *x, unsigned pcr)
{
	for (size_t at = 0;;) {
		const struct assay_row *row = assay_explain_next(x, pcr, &at);

		if (!row)
			return;
		assay_explain_claim(x, pcr, row);
	}
}

static int uki(struct assay_explainer *x, const struct assay_row *row, unsigned pcr)
{
	struct sections c = { 0 };
	ASSAY_AUTO_FREE char *what = NULL;
	ASSAY_AUTO_FREE char *of = NULL;

	if (read_sections(x, &c) < 0 || sections_words(x, &c, &of) < 0)
		return -1;
	if (pcr == 4 && loaded(x, row, &what) < 0)
		return -1;
	note_sections(x, &c);
	const bool before = x->other_program;
	const bool predicted = x->e->pcr[4].verdict == ASSAY_EXPLAINED_AGREES;

	x->other_program = x->other_uki = true;
	if (assay_explain_add(
		    x, ASSAY_CAUSE_UKI, pcr == 11 && before, pcr, row,
		    what     ? assay_asprintf("%s: %s", what, of)
		    : before ? assay_asprintf("what was started instead tells of its sections: %s", of)
		    : predicted
			    ? assay_asprintf(
				      "the program that was started is as predicted (PCR 4), and yet its sections are "
				      "not, as of %s: another profile of it, or another boot stage measured here",
				      of)
			    : assay_asprintf("by its sections: %s", of)) < 0)
		return -1;
	claim_open(x, 11);
	return 0;
}

static int program(struct assay_explainer *x, const struct assay_row *row, enum role role)
{
	static const char *const words[] = { [ROLE_LOADER] = "another boot loader",
					     [ROLE_KERNEL] = "another kernel",
					     [ROLE_INNER] = "another kernel in the UKI" };
	ASSAY_AUTO_FREE char *what = NULL;

	if (role == ROLE_UKI && row->real)
		return uki(x, row, 4);
	if (loaded(x, row, &what) < 0)
		return -1;
	/* The stub loads it past the firmware's measurement then (docs/PCRS.md, 4). */
	if (role == ROLE_INNER && x->secure_boot_set && row->kind != ASSAY_ROW_CHANGED)
		return assay_explain_add(
			x, ASSAY_CAUSE_KERNEL, true, 4, row,
			assay_asprintf(
				"%s; follows from Secure Boot: where it is on, systemd-stub loads the kernel without "
				"a measurement",
				what));
	const bool follows = role == ROLE_INNER && x->other_program;

	x->other_program = true;
	return assay_explain_add(x,
				 role == ROLE_LOADER ? ASSAY_CAUSE_BOOT_LOADER
				 : role == ROLE_UKI  ? ASSAY_CAUSE_UKI
						     : ASSAY_CAUSE_KERNEL,
				 follows, 4, row,
				 assay_asprintf("%s%s%s%s", what, row->kind == ASSAY_ROW_CHANGED ? ": " : "",
						row->kind == ASSAY_ROW_CHANGED ? words[role] : "",
						follows ? "; follows from the other UKI" : ""));
}

/* A program that was not predicted: a boot loader in front, a shell, or the inner kernel without Secure Boot. */
static int unexpected(struct assay_explainer *x, const struct assay_row *row)
{
	ASSAY_AUTO_FREE char *what = NULL;

	if (loaded(x, row, &what) < 0)
		return -1;
	if (strstr(what, ".addon.efi ")) {
		x->addon = true;
		return assay_explain_add(x, ASSAY_CAUSE_SIDECAR, false, 4, row,
					 assay_asprintf("%s: an addon beside the UKI, or in \\loader\\addons", what));
	}
	const bool inner = strstr(what, "VenMedia(") != NULL; /* systemd-stub's path of the kernel in a UKI */
	const bool follows = inner && (x->secure_boot_set || x->other_program);

	x->other_program |= !inner;
	return assay_explain_add(
		x, inner ? ASSAY_CAUSE_KERNEL : ASSAY_CAUSE_BOOT_LOADER, follows, 4, row,
		assay_asprintf("%s%s", what,
			       !inner ? ""
			       : x->secure_boot_set
				       ? "; the kernel in the UKI; follows from Secure Boot being off: where it is "
					 "on, systemd-stub loads it without a measurement"
				       : "; the kernel in the UKI"));
}

/* Up to the program that is no boot loader, and none before it either; or from there on. */
static int programs(struct assay_explainer *x, bool loaders)
{
	const struct assay_alignment *a = &x->e->pcr[4].events;
	size_t image = 0;

	while (image < a->n && !(a->rows[image].pred && is_program(a->rows[image].pred) &&
				 role_of(x->in->prediction, a->rows[image].pred) != ROLE_LOADER))
		image++;
	for (size_t at = 0;;) {
		const struct assay_row *row = assay_explain_next(x, 4, &at);

		if (!row)
			return 0;
		if (assay_row_type(row) != EV_EFI_BOOT_SERVICES_APPLICATION || (at <= image) != loaders)
			continue;
		if ((row->pred ? program(x, row, role_of(x->in->prediction, row->pred)) : unexpected(x, row)) < 0)
			return -1;
	}
}

/* --- PCR 5 -------------------------------------------------------------------------------------- */

static bool is_gpt(uint32_t type)
{
	return type == EV_EFI_GPT_EVENT || type == EV_EFI_GPT_EVENT2;
}

static int partition_table(struct assay_explainer *x)
{
	for (size_t at = 0;;) {
		const struct assay_row *row = assay_explain_next(x, 5, &at);

		if (!row)
			return 0;
		if (!is_gpt(assay_row_type(row)))
			continue;
		char *words = row->kind == ASSAY_ROW_CHANGED ? assay_explain_gpt(x, row)
			      : row->real
				      ? assay_strdup("the firmware measured a partition table more than predicted: "
						     "of another disk")
				      : assay_strdup("no partition table was measured: the machine did not boot from a "
						     "disk with a GPT");

		if (assay_explain_add(x, ASSAY_CAUSE_PARTITION_TABLE, false, 5, row, words) < 0)
			return -1;
	}
}

/* --- what is left ------------------------------------------------------------------------------- */

static int rest(struct assay_explainer *x)
{
	static const char *const hints[ASSAY_PREDICTED_PCRS] = {
		[8] = " (GRUB measures its commands here)",
		[14] = " (shim measures its keys here)",
	};

	x->rest = true;
	for (unsigned pcr = 0; pcr < ASSAY_PREDICTED_PCRS; pcr++) {
		for (size_t at = 0;;) {
			const struct assay_row *row = assay_explain_next(x, pcr, &at);

			if (!row)
				break;
			ASSAY_AUTO_FREE char *change = assay_row_change(row, x->bank);
			const bool follows = x->other_firmware && (pcr == 4 || pcr == 5 || pcr == 7) &&
					     assay_row_type(row) != EV_EFI_BOOT_SERVICES_APPLICATION;

			if (!change)
				return assay_fail_mem(x->err);
			if (assay_explain_add(x, ASSAY_CAUSE_OTHER, follows, pcr, row,
					      assay_asprintf("%s%s%s", change, hints[pcr] ? hints[pcr] : "",
							     follows ? "; may follow from the other firmware" : "")) <
			    0)
				return -1;
		}
	}
	return 0;
}

int assay_explain_image(struct assay_explainer *x)
{
	size_t at = 0;

	x->rest = false;
	if (partition_table(x) < 0 || programs(x, true) < 0 || assay_explain_loader_conf(x) < 0 ||
	    programs(x, false) < 0)
		return -1;
	/* Sections differ, and PCR 4 has nothing to say. */
	const struct assay_row *row = assay_explain_next(x, 11, &at);

	if (row && uki(x, row, 11) < 0)
		return -1;
	if (assay_explain_handed(x) < 0)
		return -1;
	return rest(x);
}
