/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text in which a VMDK describes itself: "key=value" lines, and one line for each extent:
 *
 *	RW 4192256 FLAT "disk-flat.vmdk" 0
 *
 * Unknown keys are passed over, as every reader does; an extent that is not understood is not.
 */
#include "measure/disk/format.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/limits.h"
#include "core/num.h"

struct line {
	const char *p, *end;
};

static void skip_blanks(struct line *l)
{
	while (l->p < l->end && (*l->p == ' ' || *l->p == '\t'))
		l->p++;
}

static bool take_word(struct line *l, char *ret, size_t size)
{
	size_t n = 0;

	skip_blanks(l);
	while (l->p < l->end && *l->p != ' ' && *l->p != '\t' && n < size - 1)
		ret[n++] = *l->p++;
	ret[n] = '\0';
	return n > 0 && (l->p == l->end || *l->p == ' ' || *l->p == '\t');
}

static bool take_number(struct line *l, uint64_t *ret)
{
	char word[20];

	if (!take_word(l, word, sizeof(word)) || strspn(word, "0123456789") != strlen(word))
		return false;
	*ret = strtoull(word, NULL, 10);
	return strlen(word) < 19;
}

/* "Text" in quotes, and not nothing. */
static bool take_quoted(struct line *l, struct line *ret)
{
	const char *close;

	skip_blanks(l);
	if (l->p == l->end || *l->p != '"')
		return false;
	close = memchr(l->p + 1, '"', (size_t)(l->end - l->p - 1));
	if (!close || close == l->p + 1)
		return false;
	*ret = (struct line){ l->p + 1, close };
	l->p = close + 1;
	return true;
}

static const struct {
	const char *word;
	enum assay_vmdk_kind kind;
} kinds[] = {
	{ "SPARSE", ASSAY_VMDK_SPARSE },
	{ "FLAT", ASSAY_VMDK_FLAT },
	{ "ZERO", ASSAY_VMDK_ZERO },
};

static int parse_extent(struct line l, uint64_t at, struct assay_vmdk_descriptor *d,
			struct assay_err *err)
{
	struct assay_vmdk_extent e = { .kind = ASSAY_VMDK_OTHER }, *more;
	uint64_t sectors, first = 0;
	struct line name;
	char word[24];

	if (d->n == ASSAY_VMDK_MAX_EXTENTS)
		return assay_fail(err, ASSAY_E_LIMIT, at, "more than %u extents",
				  ASSAY_VMDK_MAX_EXTENTS);
	take_word(&l, word, sizeof(word)); /* the access: it has been looked at */
	if (!take_number(&l, &sectors) || sectors == 0 || !take_word(&l, word, sizeof(word)))
		return assay_fail(err, ASSAY_E_CORRUPT, at, "an extent without size and type");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(word, kinds[i].word) == 0)
			e.kind = kinds[i].kind;
	if (sectors > ASSAY_DISK_MAX_SIZE / 512 || sectors * 512 > ASSAY_DISK_MAX_SIZE - d->size)
		return assay_fail(err, ASSAY_E_LIMIT, at, "extents of more than %llu bytes",
				  ASSAY_DISK_MAX_SIZE);
	if (e.kind != ASSAY_VMDK_ZERO) {
		if (!take_quoted(&l, &name))
			return assay_fail(err, ASSAY_E_CORRUPT, at, "an extent without a file");
		skip_blanks(&l);
		if (l.p < l.end && (!take_number(&l, &first) || first > ASSAY_DISK_MAX_SIZE / 512))
			return assay_fail(err, ASSAY_E_CORRUPT, at, "an extent with an odd offset");
		e.file = strndup(name.p, (size_t)(name.end - name.p));
		if (!e.file)
			return assay_fail_mem(err);
	}
	e.size = sectors * 512;
	e.offset = first * 512;
	more = realloc(d->extents, (d->n + 1) * sizeof(*more));
	if (!more) {
		free(e.file);
		return assay_fail_mem(err);
	}
	d->extents = more;
	d->extents[d->n++] = e;
	d->size += e.size;
	return 0;
}

static int parse_key(struct line key, struct line value, uint64_t at,
		     struct assay_vmdk_descriptor *d, struct assay_err *err)
{
	const size_t n = (size_t)(key.end - key.p);
	char text[64] = "";

	while (value.end > value.p && (value.end[-1] == ' ' || value.end[-1] == '\t'))
		value.end--;
	if (value.end - value.p >= 2 && *value.p == '"' && value.end[-1] == '"') {
		value.p++;
		value.end--;
	}
	snprintf(text, sizeof(text), "%.*s", (int)(value.end - value.p < 64 ? value.end - value.p : 63),
		 value.p);
	if (n == 10 && strncasecmp(key.p, "createType", n) == 0)
		snprintf(d->type, sizeof(d->type), "%s", text);
	/* What stands for "no parent" is ffffffff; a hint with a name in it is a parent. */
	if ((n == 9 && strncasecmp(key.p, "parentCID", n) == 0 &&
	     strcasecmp(text, "ffffffff") != 0) ||
	    (n == 18 && strncasecmp(key.p, "parentFileNameHint", n) == 0))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at,
				  "it has a parent: most of its disk is in another file; merge them");
	return 0;
}

static bool begins(const struct line *l, const char *word)
{
	const size_t n = strlen(word);

	return (size_t)(l->end - l->p) > n && strncmp(l->p, word, n) == 0 &&
	       (l->p[n] == ' ' || l->p[n] == '\t');
}

static int parse_line(struct line l, uint64_t at, struct assay_vmdk_descriptor *d,
		      struct assay_err *err)
{
	const char *equals;
	struct line key;

	skip_blanks(&l);
	if (l.p == l.end || *l.p == '#')
		return 0;
	if (begins(&l, "RW") || begins(&l, "RDONLY"))
		return parse_extent(l, at, d, err);
	if (begins(&l, "NOACCESS"))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at, "an extent that may not be read");
	equals = memchr(l.p, '=', (size_t)(l.end - l.p));
	if (!equals)
		return assay_fail(err, ASSAY_E_CORRUPT, at, "a line without '='");
	key = (struct line){ l.p, equals };
	while (key.end > key.p && (key.end[-1] == ' ' || key.end[-1] == '\t'))
		key.end--;
	l.p = equals + 1;
	skip_blanks(&l);
	return parse_key(key, l, at, d, err);
}

int assay_vmdk_parse_descriptor(const char *text, size_t len, uint64_t at,
				struct assay_vmdk_descriptor *ret, struct assay_err *err)
{
	struct assay_vmdk_descriptor d = { 0 };
	const char *p = text, *end = text + len;

	if (len > ASSAY_VMDK_MAX_DESCRIPTOR)
		return assay_fail(err, ASSAY_E_LIMIT, at, "%zu bytes, limit %u", len,
				  ASSAY_VMDK_MAX_DESCRIPTOR);
	if (memchr(text, '\0', len))
		return assay_fail(err, ASSAY_E_CORRUPT, at, "a NUL inside the text");
	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		struct line l = { p, nl ? nl : end };

		while (l.end > l.p && l.end[-1] == '\r')
			l.end--;
		if (parse_line(l, at + (uint64_t)(p - text), &d, err) < 0) {
			assay_vmdk_descriptor_clear(&d);
			return -1;
		}
		p = nl ? nl + 1 : end;
	}
	if (d.n == 0)
		return assay_fail(err, ASSAY_E_CORRUPT, at, "no extent");
	if (!d.type[0]) {
		assay_vmdk_descriptor_clear(&d);
		return assay_fail(err, ASSAY_E_CORRUPT, at, "no createType");
	}
	*ret = d;
	return 0;
}

void assay_vmdk_descriptor_clear(struct assay_vmdk_descriptor *d)
{
	for (size_t i = 0; i < d->n; i++)
		free(d->extents[i].file);
	free(d->extents);
	*d = (struct assay_vmdk_descriptor){ 0 };
}
