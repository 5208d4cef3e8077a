/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of systemd-boot's menu, and its default entry. Function names in the comments are those
 * of src/boot/boot.c (257.13); 252.39 has the same under older names (config_entry_compare(),
 * config_entry_find(), config_default_entry_select()).
 */
#include "measure/boot/order.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/cur.h"
#include "core/limits.h"
#include "core/text.h"
#include "measure/boot/loader_priv.h"

/* --- versions ---- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int three_way(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}

static const char *skip_foreign(const char *s)
{
	while (*s && !is_digit(*s) && !is_alpha(*s) && !strchr("~-^.", *s))
		s++;
	return s;
}

static size_t span(const char *s, bool (*kind)(char))
{
	size_t n = 0;

	while (kind(s[n]))
		n++;
	return n;
}

static int compare_n(const char *a, const char *b, size_t n)
{
	int r = strncmp(a, b, n);

	return r < 0 ? -1 : r > 0;
}

/* One segment of digits in either: none is older; without leading zeros, longer is newer. */
static int compare_digits(const char **a, const char **b)
{
	size_t na = span(*a, is_digit), nb = span(*b, is_digit);
	const char *end_a = *a + na, *end_b = *b + nb;
	int r = three_way(na > 0, nb > 0);

	while (r == 0 && **a == '0')
		(*a)++;
	while (r == 0 && **b == '0')
		(*b)++;
	if (r == 0)
		r = three_way(end_a - *a, end_b - *b);
	if (r == 0)
		r = compare_n(*a, *b, (size_t)(end_a - *a));
	*a = end_a;
	*b = end_b;
	return r;
}

static int compare_letters(const char **a, const char **b)
{
	size_t na = span(*a, is_alpha), nb = span(*b, is_alpha);
	int r = compare_n(*a, *b, na < nb ? na : nb);

	if (r == 0)
		r = three_way((int64_t)na, (int64_t)nb);
	*a += na;
	*b += nb;
	return r;
}

/* Version Format Specification (UAPI.10), as strverscmp_improved() has it. */
int assay_version_compare(const char *a, const char *b)
{
	static const char separators[] = "-^.";
	int r;

	a = a ? a : "";
	b = b ? b : "";
	for (;;) {
		a = skip_foreign(a);
		b = skip_foreign(b);
		if (*a == '~' ||
		    *b == '~') { /* a pre-release is older than anything, even the end */
			r = three_way(*a != '~', *b != '~');
			if (r != 0)
				return r;
			a++;
			b++;
		}
		if (!*a || !*b)
			return three_way((uint8_t)*a, (uint8_t)*b);
		for (const char *s = separators; *s; s++) {
			if (*a != *s && *b != *s)
				continue;
			r = three_way(*a != *s, *b != *s);
			if (r != 0)
				return r;
			a++;
			b++;
		}
		r = is_digit(*a) || is_digit(*b) ? compare_digits(&a, &b) : compare_letters(&a, &b);
		if (r != 0)
			return r;
	}
}

/* --- patterns ---- */

/* UTF-16 with a NUL, as the boot loader matches it: `?` stands for one unit. */
static int to_units(const char *s, uint16_t **ret, struct assay_err *err)
{
	ASSAY_AUTO_FREE uint8_t *bytes = NULL;
	size_t len;

	if (assay_utf8_to_utf16(s, strlen(s), &bytes, &len, err) < 0)
		return -1;
	uint16_t *u = calloc(len / 2 + 1, sizeof(*u));
	if (!u)
		return assay_fail_mem(err);
	struct assay_cur c = assay_cur_make(bytes, len, ASSAY_NO_OFFSET);
	for (size_t i = 0; i < len / 2; i++)
		u[i] = assay_cur_le16(&c);
	*ret = u;
	return 0;
}

/* A set, after its '['. *p moves to its ']'. */
static bool match_set(const uint16_t **p, uint16_t c, bool *ret_match)
{
	bool can_range = true;

	*ret_match = false;
	for (bool first = true;; first = false) {
		++*p;
		if (**p == 0)
			return false;
		if (**p == '\\') {
			if (*++*p == 0)
				return false;
			*ret_match |= **p == c;
			can_range = true;
			continue;
		}
		if (**p == ']' && !first)
			return true;
		if (**p == '-' && can_range && !first && (*p)[1] != ']') {
			uint16_t low = (*p)[-1];

			++*p;
			if (**p == '\\')
				++*p;
			if (**p == 0)
				return false;
			*ret_match |= low <= c && c <= **p;
			can_range = false; /* [a-c-f] is [-abcf] */
			continue;
		}
		*ret_match |= **p == c;
		can_range = true;
	}
}

enum piece { PIECE_NO, PIECE_END, PIECE_STAR };

/* efi_fnmatch_prefix(): up to the end of the pattern, or to a '*', behind which both then point. */
static enum piece match_piece(const uint16_t **pattern, const uint16_t **text)
{
	const uint16_t *p = *pattern, *t = *text;

	for (;; p++, t++) {
		bool in_set;

		switch (*p) {
		case 0:
			return *t == 0 ? PIECE_END : PIECE_NO;
		case '\\':
			p++;
			if (*p == 0 || *p != *t)
				return PIECE_NO;
			break;
		case '?':
			if (*t == 0)
				return PIECE_NO;
			break;
		case '*':
			while (*p == '*')
				p++;
			*pattern = p;
			*text = t;
			return PIECE_STAR;
		case '[':
			if (*t == 0 || !match_set(&p, *t, &in_set) || !in_set)
				return PIECE_NO;
			break;
		default:
			if (*p != *t)
				return PIECE_NO;
		}
	}
}

/* efi_fnmatch(): after the first '*', each piece at the first place where it fits. */
int assay_boot_match(const char *pattern, const char *text, bool *ret, struct assay_err *err)
{
	ASSAY_AUTO_FREE uint16_t *pattern_units = NULL;
	ASSAY_AUTO_FREE uint16_t *text_units = NULL;

	if (to_units(pattern, &pattern_units, err) < 0 || to_units(text, &text_units, err) < 0)
		return -1;
	const uint16_t *p = pattern_units, *t = text_units;
	enum piece piece = match_piece(&p, &t);
	while (piece == PIECE_STAR || (piece == PIECE_NO && p != pattern_units)) {
		if (piece == PIECE_NO) {
			if (*t == 0)
				break;
			t++;
		}
		piece = match_piece(&p, &t);
	}
	*ret = piece == PIECE_END;
	return 0;
}

/* --- order ---- */

/* strcmp16(), for which NULL comes before anything. */
static int compare_text(const char *a, const char *b)
{
	if (!a || !b)
		return three_way(a != NULL, b != NULL);
	int r = strcmp(a, b); /* in UTF-8 as in UCS-2: characters in order */
	return r < 0 ? -1 : r > 0;
}

static const char *sort_id(const struct assay_boot_entry *e)
{
	return e->id_without_profile ? e->id_without_profile : e->id;
}

/* boot_entry_compare(); *ret_by names what decided. */
static int compare(const struct assay_boot_entry *a, const struct assay_boot_entry *b,
		   const char **ret_by)
{
	int r;

	*ret_by = "boot counter";
	if ((r = three_way(a->tries_left == 0, b->tries_left == 0)) != 0)
		return r;
	*ret_by = "sort-key";
	if ((r = three_way(!a->sort_key, !b->sort_key)) != 0)
		return r;
	if (a->sort_key && b->sort_key) {
		if ((r = compare_text(a->sort_key, b->sort_key)) != 0)
			return r;
		*ret_by = "machine-id";
		if ((r = compare_text(a->machine_id, b->machine_id)) != 0)
			return r;
		*ret_by = "version";
		if ((r = -assay_version_compare(a->version, b->version)) != 0)
			return r;
	}
	*ret_by = "name";
	if ((r = -assay_version_compare(sort_id(a), sort_id(b))) != 0)
		return r;
	*ret_by = "profile";
	if (a->id_without_profile && b->id_without_profile &&
	    (r = three_way(a->profile, b->profile)) != 0)
		return r;
	*ret_by = "boot counter";
	if (a->tries_left >= 0 && b->tries_left >= 0) {
		if ((r = -three_way(a->tries_left, b->tries_left)) != 0)
			return r;
		if ((r = three_way(a->tries_done, b->tries_done)) != 0)
			return r;
	}
	*ret_by = "place in the directory";
	return 0;
}

/* sort_pointer_array(): by insertion, which keeps the order of equals; compare() is no total order
 * (entries without a counter equal any other), so another algorithm may give another result. */
static void sort(const struct assay_boot_entry *const *entries, size_t *order, size_t n)
{
	const char *by;

	for (size_t i = 0; i < n; i++) {
		size_t k = i;

		while (k > 0 && compare(entries[order[k - 1]], entries[i], &by) > 0) {
			order[k] = order[k - 1];
			k--;
		}
		order[k] = i;
	}
}

static const char *or_none(const char *s)
{
	return s ? s : "(none)";
}

/* Why the first entry of the menu stands before the second. */
static char *why_first(const struct assay_boot_entry *const *entries, const size_t *order, size_t n)
{
	const struct assay_boot_entry *a, *b;
	const char *by;

	if (n == 1)
		return assay_strdup("the only entry");
	a = entries[order[0]];
	b = entries[order[1]];
	(void)compare(a, b, &by);
	if (strcmp(by, "sort-key") == 0)
		return assay_asprintf("first by sort-key: %s before %s", or_none(a->sort_key),
				      or_none(b->sort_key));
	if (strcmp(by, "machine-id") == 0)
		return assay_asprintf("first by machine-id: %s before %s", or_none(a->machine_id),
				      or_none(b->machine_id));
	if (strcmp(by, "version") == 0)
		return assay_asprintf("first by version: %s before %s", or_none(a->version),
				      or_none(b->version));
	if (strcmp(by, "boot counter") == 0)
		return assay_asprintf("first by boot counter: %s before %s", a->file, b->file);
	return assay_asprintf("first by %s: %s before %s", by, a->id, b->id);
}

/* Entries that the boot loader makes itself; whether it does depends on the machine. */
static int names_automatic(const char *pattern, bool *ret, struct assay_err *err)
{
	static const char *const automatic[] = {
		"auto-osx",
		"auto-windows",
		"auto-efi-shell",
		"auto-efi-default",
		"auto-reboot-to-firmware-setup",
		"auto-poweroff",
		"auto-reboot",
		"secure-boot-keys-auto",
	};

	*ret = strncmp(pattern, "auto-", 5) == 0 || strncmp(pattern, "secure-boot-keys-", 17) == 0;
	for (size_t i = 0; !*ret && i < sizeof(automatic) / sizeof(automatic[0]); i++)
		if (assay_boot_match(pattern, automatic[i], ret, err) < 0)
			return -1;
	return 0;
}

/* config_find_entry(): the first in menu order that matches; n when none does. */
static int find(const char *pattern, const struct assay_boot_entry *const *entries,
		const size_t *order, size_t n, size_t *ret, struct assay_err *err)
{
	bool hit = false;

	for (size_t i = 0; i < n; i++) {
		if (assay_boot_match(pattern, entries[order[i]]->id, &hit, err) < 0)
			return -1;
		if (hit) {
			*ret = i;
			return 0;
		}
	}
	*ret = n;
	return 0;
}

static int new_choice(const struct assay_boot_entry *const *entries, size_t n,
		      struct assay_boot_choice **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_boot_choice) *c = NULL;

	if (n == 0)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
				  "no boot entry: none in loader/entries, no UKI in EFI/Linux");
	if (n > ASSAY_LOADER_MAX_ENTRIES)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "%zu boot entries, limit %u",
				  n, ASSAY_LOADER_MAX_ENTRIES);
	c = calloc(1, sizeof(*c));
	if (!c)
		return assay_fail_mem(err);
	c->order = calloc(n, sizeof(*c->order));
	if (!c->order)
		return assay_fail_mem(err);
	c->n = n;
	sort(entries, c->order, n);
	*ret = assay_steal(&c);
	return 0;
}

static int settle(struct assay_boot_choice *c, const struct assay_boot_entry *const *entries,
		  size_t place, char *why, struct assay_err *err)
{
	if (!why)
		return assay_fail_mem(err);
	c->why = why;
	c->chosen = c->order[place];
	c->counted = entries[c->chosen]->tries_left >= 0;
	return 0;
}

int assay_boot_choose(const struct assay_loader_conf *conf,
		      const struct assay_boot_entry *const *entries, size_t n,
		      struct assay_boot_choice **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_boot_choice) *c = NULL;
	const char *pattern = conf ? conf->default_entry : NULL;
	size_t place = n;
	bool automatic;

	if (new_choice(entries, n, &c, err) < 0)
		return -1;
	if (conf && conf->timeout == ASSAY_TIMEOUT_FOREVER)
		return assay_fail(
			err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
			"loader.conf: timeout menu-force: the menu waits for a person to choose");
	/* config_select_default_entry() */
	if (pattern) {
		if (strcmp(pattern, "@saved") == 0)
			return assay_fail(
				err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				"loader.conf: default @saved: the choice is kept in an EFI "
				"variable");
		if (find(pattern, entries, c->order, n, &place, err) < 0)
			return -1;
		if (place == n && names_automatic(pattern, &automatic, err) < 0)
			return -1;
		if (place == n && automatic)
			return assay_fail(
				err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				"loader.conf: default '%s' may name an entry that systemd-boot "
				"makes itself, depending on the machine",
				pattern);
	}
	if (place < n) {
		if (settle(c, entries, place, assay_asprintf("loader.conf default '%s'", pattern),
			   err) < 0)
			return -1;
	} else {
		ASSAY_AUTO_FREE char *why = why_first(entries, c->order, n);
		if (!why)
			return assay_fail_mem(err);
		char *text = pattern ? assay_asprintf("loader.conf default '%s' matches none; %s",
						      pattern, why)
				     : assay_steal(&why);
		if (settle(c, entries, 0, text, err) < 0)
			return -1;
	}
	*ret = assay_steal(&c);
	return 0;
}

int assay_boot_choose_id(const char *id, const struct assay_boot_entry *const *entries, size_t n,
			 struct assay_boot_choice **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_boot_choice) *c = NULL;

	if (new_choice(entries, n, &c, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const struct assay_boot_entry *e = entries[c->order[i]];

		if (!assay_boot_same_case(e->id, id) && !assay_boot_same_case(e->file, id))
			continue;
		if (settle(c, entries, i, assay_strdup("asked for"), err) < 0)
			return -1;
		*ret = assay_steal(&c);
		return 0;
	}
	return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "no boot entry '%s'", id);
}

void assay_boot_choice_free(struct assay_boot_choice **choicep)
{
	struct assay_boot_choice *c = assay_steal(choicep);

	if (!c)
		return;
	free(c->why);
	free(c->order);
	free(c);
}
