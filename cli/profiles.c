/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/profiles.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/hash.h"
#include "core/limits.h"
#include "core/text.h"

void assay_cli_profiles_clear(struct assay_cli_profiles *profiles)
{
	for (size_t i = 0; i < profiles->n; i++)
		free(profiles->p[i].path);
	free(profiles->p);
	*profiles = (struct assay_cli_profiles){ 0 };
}

/* The path is handed over. */
static int add(struct assay_cli_profiles *profiles, char *path, bool found, struct assay_err *err)
{
	struct assay_cli_profile *more = realloc(profiles->p, (profiles->n + 1) * sizeof(*more));

	if (more)
		profiles->p = more;
	if (!more || !path) {
		free(path);
		return assay_fail_mem(err);
	}
	more[profiles->n++] = (struct assay_cli_profile){ path, found };
	return 0;
}

static bool has(const struct assay_cli_release *r, const char *name)
{
	for (size_t i = 0; i < r->n_platforms; i++)
		if (strcmp(r->platforms[i]->name, name) == 0)
			return true;
	return false;
}

static const char *digest_of(const struct assay_json *prediction)
{
	const struct assay_json *digest = assay_json_get(assay_json_get(prediction, "platform"), "digest");

	return assay_json_str(assay_json_get(digest, "sha256"));
}

/* Is it the digest of a profile that the manifest names, for a platform that none is given for? */
static bool wanted(const struct assay_manifest *m, const struct assay_cli_release *r, const struct assay_digests *d)
{
	char hex[ASSAY_HEX_MAX];

	for (size_t i = 0; i < r->n_platforms; i++)
		if (assay_digests_equal(&r->platforms[i]->digest, d))
			return false;
	assay_hex(d->d[ASSAY_SHA256], assay_bank_size(ASSAY_SHA256), hex);
	for (size_t i = 0; i < assay_json_len(m->predictions); i++) {
		const struct assay_json *p = assay_json_at(m->predictions, i);

		if (digest_of(p) && strcmp(digest_of(p), hex) == 0 && !has(r, assay_manifest_platform(p)))
			return true;
	}
	return false;
}

/* One file of the folder. What cannot be read, or is no profile, is none that the manifest means. */
static int look(const char *path, const struct assay_manifest *m, struct assay_cli_release *r,
		struct assay_cli_profiles *ret, struct assay_err *err)
{
	const unsigned banks = ASSAY_BANK_BIT(ASSAY_SHA256);
	ASSAY_AUTO(assay_platform) *p = NULL;
	ASSAY_AUTO(assay_src) *src = NULL;
	struct assay_platform **more;
	struct assay_digests d;

	if (assay_src_open_file(path, &src, err) < 0 || assay_src_size(src) > ASSAY_YAML_MAX_FILE ||
	    assay_hash_src(src, banks, &d, err) < 0)
		return 0;
	/* Read once more: it is what was hashed only if its digest is the same. */
	if (!wanted(m, r, &d) || assay_platform_load(path, &p, err) < 0 || has(r, p->name) ||
	    !assay_digests_equal(&p->digest, &d))
		return 0;
	more = realloc(r->platforms, (r->n_platforms + 1) * sizeof(struct assay_platform *));
	if (!more)
		return assay_fail_mem(err);
	r->platforms = more;
	if (add(ret, assay_strdup(path), true, err) < 0)
		return -1;
	more[r->n_platforms++] = assay_steal(&p);
	return 0;
}

static int is_yaml(const struct dirent *e)
{
	const size_t n = strlen(e->d_name);

	return n > 5 && strcmp(e->d_name + n - 5, ".yaml") == 0;
}

static int search(const char *folder, const struct assay_manifest *m, struct assay_cli_release *r,
		  struct assay_cli_profiles *ret, struct assay_err *err)
{
	struct dirent **files = NULL;
	const int n = scandir(folder, &files, is_yaml, alphasort);
	int rc = 0;

	if (n < 0)
		return errno == ENOMEM ? assay_fail_mem(err) : assay_fail_sys(err, "cannot be listed");
	if (n > ASSAY_PROFILES_MAX_FILES)
		rc = assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "%d files *.yaml, limit %d; --platform names some", n,
				ASSAY_PROFILES_MAX_FILES);
	for (int i = 0; i < n; i++) {
		ASSAY_AUTO_FREE char *path = assay_asprintf("%s%s", folder, files[i]->d_name);

		if (rc == 0 && r->n_platforms < assay_json_len(m->predictions))
			rc = path ? look(path, m, r, ret, err) : assay_fail_mem(err);
		free(files[i]);
	}
	free(files);
	return rc;
}

int assay_cli_profiles_find(const char *manifest_path, const struct assay_manifest *m,
			    const struct assay_cli_paths *given, struct assay_cli_release *r,
			    struct assay_cli_profiles *ret)
{
	const char *slash = strrchr(manifest_path, '/');
	ASSAY_AUTO_FREE char *folder = slash ? strndup(manifest_path, (size_t)(slash - manifest_path) + 1) :
					       assay_strdup("./");
	bool all = true;
	struct assay_err err;

	if (!folder) {
		assay_fail_mem(&err);
		return assay_cli_fail(NULL, &err);
	}
	for (size_t i = 0; i < r->n_platforms; i++) {
		for (size_t k = 0; k < i; k++)
			if (strcmp(r->platforms[i]->name, r->platforms[k]->name) == 0) {
				assay_fail(&err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "a second profile of platform %s",
					   r->platforms[i]->name);
				return assay_cli_fail(given->p[i], &err);
			}
		if (add(ret, assay_strdup(given->p[i]), false, &err) < 0)
			return assay_cli_fail(NULL, &err);
	}
	for (size_t i = 0; i < assay_json_len(m->predictions); i++)
		all = all && has(r, assay_manifest_platform(assay_json_at(m->predictions, i)));
	if (!all && search(folder, m, r, ret, &err) < 0)
		return assay_cli_fail(folder, &err);
	return ASSAY_EXIT_OK;
}
