/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/initrd/modules.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/text.h"
#include "measure/initrd/elf.h"
#include "measure/unpack/unpack.h"

bool assay_module_path(const char *path, const char **ret_release, size_t *ret_len)
{
	static const char folder[] = "lib/modules/";
	static const char *const ends[] = { ".ko", ".ko.gz", ".ko.xz", ".ko.zst" };
	const size_t len = strlen(path);

	path += strspn(path, "/");
	if (strncmp(path, "usr/", 4) == 0)
		path += 4;
	if (strncmp(path, folder, strlen(folder)) != 0)
		return false;
	path += strlen(folder);
	const char *slash = strchr(path, '/');
	if (!slash || slash == path)
		return false;
	const size_t rest = strlen(slash);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		const size_t n = strlen(ends[i]);

		if (rest <= n + 1 || len <= n || strcmp(slash + rest - n, ends[i]) != 0)
			continue;
		*ret_release = path;
		*ret_len = (size_t)(slash - path);
		return true;
	}
	return false;
}

/* --- one module --------------------------------------------------------------------------------- */

struct grown {
	uint8_t *p;
	size_t len, cap;
};

static int add_bytes(void *arg, const uint8_t *p, size_t n, struct assay_err *err)
{
	struct grown *g = arg;

	if (n > g->cap - g->len) {
		size_t cap = g->cap ? g->cap : (size_t)256 << 10;

		while (cap - g->len < n)
			cap *= 2; /* what comes in is bounded by max_out */
		uint8_t *fresh = realloc(g->p, cap);

		if (!fresh)
			return assay_fail_mem(err);
		g->p = fresh;
		g->cap = cap;
	}
	memcpy(g->p + g->len, p, n);
	g->len += n;
	return 0;
}

static int vermagic_of(const void *content, size_t len, char **ret, struct assay_err *err)
{
	const enum assay_codec codec = assay_codec_of(content, len);
	ASSAY_AUTO(assay_src) *src = NULL;
	struct grown g = { 0 };
	const struct assay_unpack_opts opts = {
		.max_out = ASSAY_MODULE_MAX, .lenient = true, .take = add_bytes, .arg = &g
	};
	uint64_t used;
	int rc;

	if (codec == ASSAY_CODEC_NONE)
		return assay_module_vermagic(content, len, ret, err);
	if (assay_src_from_mem(content, len, &src, err) < 0)
		return -1;
	rc = assay_unpack(src, 0, codec, &opts, &used, err);
	if (rc == 0)
		rc = assay_module_vermagic(g.p, g.len, ret, err);
	free(g.p);
	return rc;
}

/* --- all of them -------------------------------------------------------------------------------- */

static int find_release(struct assay_modules *m, const char *release, size_t len,
			struct assay_module_release **ret, struct assay_err *err)
{
	for (size_t i = 0; i < m->n; i++) {
		if (strncmp(m->r[i].release, release, len) == 0 && m->r[i].release[len] == '\0') {
			*ret = &m->r[i];
			return 0;
		}
	}
	if (m->n == ASSAY_MODULE_MAX_RELEASES)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET,
				  "modules of more than %u kernel releases", ASSAY_MODULE_MAX_RELEASES);
	struct assay_module_release *p = reallocarray(m->r, m->n + 1, sizeof(*p));
	char *copy = strndup(release, len);

	if (p)
		m->r = p;
	if (!p || !copy) {
		free(copy);
		return assay_fail_mem(err);
	}
	m->r[m->n] = (struct assay_module_release){ .release = copy };
	*ret = &m->r[m->n++];
	return 0;
}

static int note(char **path, char **text, const char *new_path, const char *new_text,
		struct assay_err *err)
{
	if (*path)
		return 0;
	*path = assay_strdup(new_path);
	*text = assay_strdup(new_text);
	return *path && *text ? 0 : assay_fail_mem(err);
}

int assay_modules_add(struct assay_modules *m, const char *path, const void *content, size_t len,
		      struct assay_err *err)
{
	ASSAY_AUTO_FREE char *vermagic = NULL;
	struct assay_module_release *r = NULL;
	const char *release;
	size_t n;

	if (!assay_module_path(path, &release, &n))
		return 0;
	if (find_release(m, release, n, &r, err) < 0)
		return -1;
	r->modules++;
	if (!content)
		return 0;
	if (vermagic_of(content, len, &vermagic, err) < 0) {
		if (err->code == ASSAY_E_NOMEM || err->code == ASSAY_E_IO)
			return -1;
		r->unreadable++;
		return note(&r->unreadable_path, &r->unreadable_why, path, err->msg, err);
	}
	r->checked++;
	/* "6.12.48-amd64 SMP preempt mod_unload modversions": the release is its first word. */
	if (strlen(r->release) == strcspn(vermagic, " ") &&
	    strncmp(r->release, vermagic, strlen(r->release)) == 0)
		return 0;
	r->others++;
	return note(&r->other_path, &r->other_vermagic, path, vermagic, err);
}

static int compare_releases(const void *a, const void *b)
{
	return strcmp(((const struct assay_module_release *)a)->release,
		      ((const struct assay_module_release *)b)->release);
}

void assay_modules_sort(struct assay_modules *m)
{
	if (m->n > 0)
		qsort(m->r, m->n, sizeof(*m->r), compare_releases);
}

void assay_modules_clear(struct assay_modules *m)
{
	for (size_t i = 0; i < m->n; i++) {
		free(m->r[i].release);
		free(m->r[i].other_path);
		free(m->r[i].other_vermagic);
		free(m->r[i].unreadable_path);
		free(m->r[i].unreadable_why);
	}
	free(m->r);
	*m = (struct assay_modules){ 0 };
}

/* --- against the kernel ------------------------------------------------------------------------- */

const char *assay_modules_verdict_name(enum assay_modules_verdict v)
{
	static const char *const names[] = { "none", "unknown", "match", "mismatch" };

	return names[v];
}

int assay_modules_check(const struct assay_modules *m, const char *release,
			enum assay_modules_verdict *ret, char **ret_why, struct assay_err *err)
{
	const struct assay_module_release *ours = NULL;
	struct assay_str why = { 0 };

	*ret_why = NULL;
	*ret = m->n == 0 ? ASSAY_MODULES_NONE : ASSAY_MODULES_UNKNOWN;
	if (m->n == 0 || !release)
		return 0;
	for (size_t i = 0; i < m->n; i++)
		if (strcmp(m->r[i].release, release) == 0)
			ours = &m->r[i];
	*ret = ASSAY_MODULES_MATCH;
	if (!ours) {
		*ret = ASSAY_MODULES_MISMATCH;
		for (size_t i = 0; i < m->n; i++)
			assay_str_add(&why, "%s%s", i ? ", " : "modules for ", m->r[i].release);
		assay_str_add(&why, ", kernel is %s", release);
	} else if (ours->others > 0) {
		*ret = ASSAY_MODULES_MISMATCH;
		assay_str_add(&why, "%zu modules of %s are for another kernel: %s has vermagic \"%s\"",
			      ours->others, release, ours->other_path, ours->other_vermagic);
	}
	if (*ret == ASSAY_MODULES_MATCH)
		return 0;
	*ret_why = assay_str_steal(&why);
	return *ret_why ? 0 : assay_fail_mem(err);
}

struct assay_json *assay_modules_json(const struct assay_modules *m, const char *release)
{
	struct assay_json *o = assay_json_object();
	struct assay_json *list = assay_json_array();
	ASSAY_AUTO_FREE char *why = NULL;
	enum assay_modules_verdict verdict;
	struct assay_err err;

	if (assay_modules_check(m, release, &verdict, &why, &err) < 0) {
		assay_json_free(&o);
		assay_json_free(&list);
		return NULL; /* its parent takes that for out of memory */
	}
	assay_json_set_str(o, "verdict", assay_modules_verdict_name(verdict));
	if (why)
		assay_json_set_str(o, "reason", why);
	for (size_t i = 0; i < m->n; i++) {
		const struct assay_module_release *r = &m->r[i];
		struct assay_json *e = assay_json_object();

		assay_json_set_str(e, "release", r->release);
		assay_json_set_int(e, "modules", r->modules);
		assay_json_set_int(e, "checked", r->checked);
		assay_json_set_int(e, "others", r->others);
		if (r->others) {
			assay_json_set_str(e, "other_path", r->other_path);
			assay_json_set_str(e, "other_vermagic", r->other_vermagic);
		}
		assay_json_set_int(e, "unreadable", r->unreadable);
		if (r->unreadable) {
			assay_json_set_str(e, "unreadable_path", r->unreadable_path);
			assay_json_set_str(e, "unreadable_why", r->unreadable_why);
		}
		assay_json_append(list, e);
	}
	assay_json_set(o, "releases", list);
	return o;
}
