/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/container/find.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/limits.h"
#include "core/text.h"
#include "measure/container/container_priv.h"
#include "measure/fs/walk.h"

struct walk {
	struct assay_fs *fs;
	const struct assay_container_opts *opts;
	struct assay_reading *readings; /* one for each archive of found */
	struct assay_found found;
};

static bool named_like_one(const char *name)
{
	static const char *const ends[] = { ".tar",	".tar.gz", ".tgz",
					    ".tar.zst", ".tar.xz", ".tar.bz2" };
	const size_t len = strlen(name);

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		const size_t n = strlen(ends[i]);

		/* FAT keeps names of eight letters in capitals. */
		if (len > n && strcasecmp(name + len - n, ends[i]) == 0)
			return true;
	}
	return false;
}

static int add(struct walk *w, const char *path, struct assay_err *err)
{
	struct assay_found_archive *a;
	struct assay_reading *r;

	if (w->found.n == ASSAY_CONTAINER_MAX_ARCHIVES)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET,
				  "more than %u container archives", ASSAY_CONTAINER_MAX_ARCHIVES);
	a = realloc(w->found.a, (w->found.n + 1) * sizeof(*a));
	if (!a)
		return assay_fail_mem(err);
	w->found.a = a;
	r = realloc(w->readings, (w->found.n + 1) * sizeof(*r));
	if (!r)
		return assay_fail_mem(err);
	w->readings = r;
	r[w->found.n] = (struct assay_reading){ 0 };
	a[w->found.n] = (struct assay_found_archive){ .path = assay_strdup(path) };
	if (!a[w->found.n].path)
		return assay_fail_mem(err);
	w->found.n++;
	return 0;
}

/* That memory ran out is no fact about the archive; everything else is. */
static int give_up(struct walk *w, struct assay_err *err)
{
	assay_reading_clear(&w->readings[w->found.n - 1]);
	return w->found.a[w->found.n - 1].err.code == ASSAY_E_NOMEM ? assay_fail_mem(err) : 0;
}

static int read_tar(struct walk *w, const char *path, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	struct assay_err why = { 0 };
	bool is = true;

	const bool told = assay_fs_file(w->fs, path, &src, NULL, &why) == 0 &&
			  assay_container_is(src, &is, &why) == 0;
	if (told && !is)
		return 0;
	if (add(w, path, err) < 0)
		return -1;
	struct assay_found_archive *a = &w->found.a[w->found.n - 1];
	struct assay_reading *r = &w->readings[w->found.n - 1];

	a->err = why;
	if (!told || assay_reading_tar(r, src, &a->err) < 0)
		return give_up(w, err);
	/* What it takes on the disk when unpacked is given back before the next one. */
	if (r->spooled) {
		if (assay_readings_hash(r, 1, w->opts, err) < 0)
			return -1;
		assay_store_free(&r->store);
	}
	return 0;
}

static int read_layout(struct walk *w, const char *path, struct assay_err *err)
{
	if (add(w, path, err) < 0)
		return -1;
	if (assay_reading_fs(&w->readings[w->found.n - 1], w->fs, path,
			     &w->found.a[w->found.n - 1].err) < 0)
		return give_up(w, err);
	return 0;
}

static int visit(const struct assay_fs_entry *e, void *arg, struct assay_err *err)
{
	const char *name = strrchr(e->path, '/') + 1;
	ASSAY_AUTO_FREE char *folder = NULL;

	if (e->st.kind != ASSAY_FS_FILE)
		return 0;
	if (strcmp(name, "oci-layout") == 0) {
		const int len = (int)(name - e->path) - 1;

		folder = len ? assay_asprintf("%.*s", len, e->path) : assay_strdup("/");
		return folder ? read_layout(arg, folder, err) : assay_fail_mem(err);
	}
	return named_like_one(name) ? read_tar(arg, e->path, err) : 0;
}

static int compare_paths(const void *a, const void *b)
{
	const struct assay_found_archive *x = a, *y = b;

	return strcmp(x->path, y->path);
}

static int find(struct walk *w, struct assay_err *err)
{
	if (assay_fs_walk(w->fs, "/", visit, w, err) < 0 ||
	    assay_readings_hash(w->readings, w->found.n, w->opts, err) < 0)
		return -1;
	for (size_t i = 0; i < w->found.n; i++) {
		struct assay_found_archive *a = &w->found.a[i];
		struct assay_reading *r = &w->readings[i];

		if (r->failed && r->err.code == ASSAY_E_NOMEM)
			return assay_fail_mem(err);
		if (r->failed)
			a->err = r->err;
		else
			a->containers = assay_steal(&r->c);
	}
	if (w->found.n > 0)
		qsort(w->found.a, w->found.n, sizeof(*w->found.a), compare_paths);
	return 0;
}

int assay_containers_find(struct assay_fs *fs, const struct assay_container_opts *opts,
			  struct assay_found *ret, struct assay_err *err)
{
	struct walk w = { .fs = fs, .opts = opts };
	const int rc = find(&w, err);

	for (size_t i = 0; i < w.found.n; i++)
		assay_reading_clear(&w.readings[i]);
	free(w.readings);
	if (rc < 0)
		assay_found_clear(&w.found);
	else
		*ret = w.found;
	return rc;
}

void assay_found_clear(struct assay_found *found)
{
	for (size_t i = 0; i < found->n; i++) {
		free(found->a[i].path);
		assay_containers_free(&found->a[i].containers);
	}
	free(found->a);
	*found = (struct assay_found){ 0 };
}

int assay_found_measurements(const struct assay_found *found, struct assay_measurements *ret,
			     struct assay_err *err)
{
	struct assay_measurements m = { 0 };

	for (size_t i = 0; i < found->n; i++) {
		const struct assay_found_archive *a = &found->a[i];
		int rc = 0;

		if (a->containers) {
			rc = assay_measurements_add(&m, a->containers, a->path, err);
		} else {
			rc = -1;
			if (err)
				*err = a->err;
		}
		if (rc < 0) {
			assay_measurements_clear(&m);
			return assay_container_wrap(err, "archive", a->path);
		}
	}
	*ret = m;
	return 0;
}
