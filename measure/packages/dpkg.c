/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/packages/dpkg.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/limits.h"

enum { PACKAGE, VERSION, ARCHITECTURE, STATUS, N_FIELDS, OTHER = N_FIELDS, NO_FIELD };
static const char *const field_names[N_FIELDS] = { "Package", "Version", "Architecture", "Status" };

struct text {
	const char *p;
	size_t len;
};

struct stanza {
	struct text field[N_FIELDS]; /* p NULL: not there */
	int last;		     /* the field that a continuation would belong to */
	size_t line;		     /* its first; 0: nothing yet */
};

struct parser {
	struct assay_dpkg *to;
	bool loose;
	size_t line;
	struct stanza now;
};

static int bad(const struct parser *p, struct assay_err *err, const char *what)
{
	return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "line %zu: %s", p->line, what);
}

static struct text trimmed(const char *p, size_t len)
{
	while (len > 0 && (*p == ' ' || *p == '\t')) {
		p++;
		len--;
	}
	while (len > 0 && (p[len - 1] == ' ' || p[len - 1] == '\t'))
		len--;
	return (struct text){ p, len };
}

static bool alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Letters, digits, and these, beginning with a letter or digit. */
static bool made_of(struct text t, const char *others)
{
	if (t.len == 0 || !alnum(t.p[0]))
		return false;
	for (size_t i = 0; i < t.len; i++)
		if (!alnum(t.p[i]) && (t.p[i] == '\0' || !strchr(others, t.p[i])))
			return false;
	return true;
}

/* --- a stanza ----------------------------------------------------------------------------------- */

struct state {
	const char *name;
	bool here; /* its files are, or some of them */
};
/* dpkg(1), "Package states" */
static const struct state states[] = {
	{ "not-installed", false },   { "config-files", false },    { "half-installed", true }, { "unpacked", true },
	{ "half-configured", true }, { "triggers-awaited", true }, { "triggers-pending", true }, { "installed", true },
};

/* "install ok installed": want, flag, state. */
static int read_status(const struct parser *p, struct text status, const struct state **ret, struct assay_err *err)
{
	struct text word = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < status.len; n++) {
		const size_t begin = i;

		while (i < status.len && status.p[i] != ' ' && status.p[i] != '\t')
			i++;
		word = (struct text){ status.p + begin, i - begin };
		while (i < status.len && (status.p[i] == ' ' || status.p[i] == '\t'))
			i++;
	}
	if (n != 3)
		return bad(p, err, "a Status that is not of three words");
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		if (strlen(states[i].name) == word.len && memcmp(states[i].name, word.p, word.len) == 0) {
			*ret = &states[i];
			return 0;
		}
	}
	return bad(p, err, "a Status that dpkg does not know");
}

static void clear_package(struct assay_dpkg_package *package)
{
	free(package->name);
	free(package->version);
	free(package->arch);
}

static int add(struct parser *p, const struct state *state, struct assay_err *err)
{
	const struct text *f = p->now.field;
	struct assay_dpkg *to = p->to;

	if (to->n == ASSAY_DPKG_MAX_PACKAGES)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "line %zu: more than %u packages", p->line,
				  ASSAY_DPKG_MAX_PACKAGES);
	if ((to->n & (to->n - 1)) == 0) {
		struct assay_dpkg_package *more = reallocarray(to->p, to->n ? 2 * to->n : 1, sizeof(*more));

		if (!more)
			return assay_fail_mem(err);
		to->p = more;
	}
	struct assay_dpkg_package package = {
		.name = strndup(f[PACKAGE].p, f[PACKAGE].len),
		.version = strndup(f[VERSION].p, f[VERSION].len),
		.arch = strndup(f[ARCHITECTURE].p ? f[ARCHITECTURE].p : "", f[ARCHITECTURE].len),
		.state = strcmp(state->name, "installed") == 0 ? NULL : state->name,
	};
	if (!package.name || !package.version || !package.arch) {
		clear_package(&package);
		return assay_fail_mem(err);
	}
	to->p[to->n++] = package;
	return 0;
}

static int end_stanza(struct parser *p, struct assay_err *err)
{
	const struct text *f = p->now.field;
	const struct state *state = p->loose ? &states[sizeof(states) / sizeof(states[0]) - 1] : &states[0];

	if (p->now.line == 0)
		return 0;
	/* From here on it is the stanza that is spoken of. */
	p->line = p->now.line;
	if (!made_of(f[PACKAGE], "-+._"))
		return bad(p, err, f[PACKAGE].p ? "a Package that is no package's name" : "a stanza without Package");
	if (f[STATUS].p && read_status(p, f[STATUS], &state, err) < 0)
		return -1;
	if (!state->here)
		return 0;
	if (!made_of(f[VERSION], ".-+~:"))
		return bad(p, err, f[VERSION].p ? "a Version that is no version" : "a package without Version");
	if (f[ARCHITECTURE].p && !made_of(f[ARCHITECTURE], "-"))
		return bad(p, err, "an Architecture that is none");
	return add(p, state, err);
}

/* --- lines -------------------------------------------------------------------------------------- */

static int continuation(const struct parser *p, const char *line, size_t len, struct assay_err *err)
{
	if (p->now.line == 0)
		return bad(p, err, "a continuation of nothing");
	if (trimmed(line, len).len == 0)
		return bad(p, err, "a blank line in a field");
	if (p->now.last != OTHER)
		return bad(p, err, "a name, version, architecture or status of several lines");
	return 0;
}

static int field(struct parser *p, const char *line, size_t len, struct assay_err *err)
{
	const char *colon = memchr(line, ':', len);
	const size_t n = colon ? (size_t)(colon - line) : 0;

	if (n == 0 || line[0] == '-' || line[0] == '#')
		return bad(p, err, "neither a field nor a continuation");
	for (size_t i = 0; i < n; i++)
		if (line[i] <= 0x20 || line[i] >= 0x7f)
			return bad(p, err, "neither a field nor a continuation");
	if (p->now.line == 0)
		p->now = (struct stanza){ .line = p->line, .last = NO_FIELD };
	p->now.last = OTHER;
	for (int i = 0; i < N_FIELDS; i++) {
		if (strlen(field_names[i]) != n || strncasecmp(field_names[i], line, n) != 0)
			continue;
		if (p->now.field[i].p)
			return bad(p, err, "a field that is there twice");
		p->now.field[i] = trimmed(colon + 1, len - n - 1);
		p->now.last = i;
	}
	return 0;
}

int assay_dpkg_parse(const char *text, size_t len, bool loose, struct assay_dpkg *to, struct assay_err *err)
{
	struct parser p = { .to = to, .loose = loose };
	size_t line = 0;

	if (len > ASSAY_DPKG_MAX_STATUS)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "%zu bytes, limit %u", len, ASSAY_DPKG_MAX_STATUS);
	for (size_t pos = 0; pos < len;) {
		const char *start = text + pos;
		const char *newline = memchr(start, '\n', len - pos);
		const size_t n = newline ? (size_t)(newline - start) : len - pos;

		p.line = ++line;
		if (!newline && !loose)
			return bad(&p, err, "the last line does not end");
		if (memchr(start, '\0', n))
			return bad(&p, err, "a NUL");
		if (n == 0) {
			if (end_stanza(&p, err) < 0)
				return -1;
			p.now = (struct stanza){ 0 };
		} else if ((*start == ' ' || *start == '\t' ? continuation(&p, start, n, err) :
							      field(&p, start, n, err)) < 0) {
			return -1;
		}
		pos += n + 1;
	}
	return end_stanza(&p, err);
}

/* --- the list ----------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	const struct assay_dpkg_package *x = a, *y = b;
	const int names = strcmp(x->name, y->name);

	return names ? names : strcmp(x->arch, y->arch);
}

int assay_dpkg_sort(struct assay_dpkg *packages, struct assay_err *err)
{
	if (packages->n > 1)
		qsort(packages->p, packages->n, sizeof(*packages->p), compare);
	for (size_t i = 1; i < packages->n; i++)
		if (compare(&packages->p[i - 1], &packages->p[i]) == 0)
			return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "package %.80s is there twice",
					  packages->p[i].name);
	return 0;
}

void assay_dpkg_clear(struct assay_dpkg *packages)
{
	for (size_t i = 0; i < packages->n; i++)
		clear_package(&packages->p[i]);
	free(packages->p);
	*packages = (struct assay_dpkg){ 0 };
}
