/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/release.h"

#include <stdlib.h>
#include <string.h>

#include "cli/disk.h"

int assay_cli_paths_add(struct assay_cli_paths *paths, char *path, struct assay_err *err)
{
	char **more = realloc(paths->p, (paths->n + 1) * sizeof(*more));

	if (!more)
		return assay_fail_mem(err);
	paths->p = more;
	more[paths->n++] = path;
	return 0;
}

void assay_cli_paths_clear(struct assay_cli_paths *paths)
{
	free(paths->p);
	*paths = (struct assay_cli_paths){ 0 };
}

bool assay_cli_release_number(const char *text, uint64_t *ret)
{
	char *end;

	if (*text < '1' || *text > '9' || strlen(text) > 18)
		return false;
	*ret = strtoull(text, &end, 10);
	return *end == '\0';
}

int assay_cli_release_data(const struct assay_cli_paths *paths, const struct assay_disk_opts *opts,
			   struct assay_cli_release *r)
{
	struct assay_err err;

	r->data = calloc(paths->n + 1, sizeof(*r->data));
	if (!r->data) {
		assay_fail_mem(&err);
		return assay_cli_fail(NULL, &err);
	}
	for (size_t i = 0; i < paths->n; i++) {
		struct assay_manifest_data *d = &r->data[i];
		const char *slash = strrchr(paths->p[i], '/');

		if (assay_disk_open(paths->p[i], opts, &d->disk, &d->info, &err) < 0)
			return assay_cli_fail(paths->p[i], &err);
		d->name = slash ? slash + 1 : paths->p[i];
		r->n_data++;
	}
	return ASSAY_EXIT_OK;
}

int assay_cli_release_platforms(const struct assay_cli_paths *paths, struct assay_cli_release *r)
{
	struct assay_err err;

	r->platforms = calloc(paths->n + 1, sizeof(struct assay_platform *));
	if (!r->platforms) {
		assay_fail_mem(&err);
		return assay_cli_fail(NULL, &err);
	}
	for (size_t i = 0; i < paths->n; i++) {
		if (assay_platform_load(paths->p[i], &r->platforms[i], &err) < 0)
			return assay_cli_fail(paths->p[i], &err);
		r->n_platforms++;
	}
	return ASSAY_EXIT_OK;
}

static int open_image(const char *path, const char *name, const struct assay_disk_opts *opts, struct assay_image **ret,
		      struct assay_err *err)
{
	ASSAY_AUTO(assay_image) *image = NULL;

	if (assay_cli_image_open(path, opts, &image, err) < 0)
		return -1;
	if (name) {
		char *copy = strdup(name);

		if (!copy)
			return assay_fail_mem(err);
		free(image->name);
		image->name = copy;
	}
	*ret = assay_steal(&image);
	return 0;
}

int assay_cli_release_open(const char *disk, const char *name, const struct assay_cli_paths *data,
			   const struct assay_cli_paths *platforms, const struct assay_disk_opts *opts,
			   struct assay_cli_release *ret)
{
	struct assay_err err;
	int rc;

	*ret = (struct assay_cli_release){ 0 };
	if (open_image(disk, name, opts, &ret->image, &err) < 0)
		return assay_cli_fail(disk, &err);
	rc = assay_cli_release_data(data, opts, ret);
	if (rc == ASSAY_EXIT_OK)
		rc = assay_cli_release_platforms(platforms, ret);
	if (rc != ASSAY_EXIT_OK)
		return rc;
	ret->in.image = ret->image;
	ret->in.data = ret->data;
	ret->in.n_data = ret->n_data;
	ret->in.platforms = ret->platforms;
	ret->in.n_platforms = ret->n_platforms;
	return ASSAY_EXIT_OK;
}

void assay_cli_release_clear(struct assay_cli_release *r)
{
	assay_image_free(&r->image);
	for (size_t i = 0; i < r->n_data; i++)
		assay_src_free(&r->data[i].disk);
	free(r->data);
	for (size_t i = 0; i < r->n_platforms; i++)
		assay_platform_free(&r->platforms[i]);
	free(r->platforms);
	*r = (struct assay_cli_release){ 0 };
}
