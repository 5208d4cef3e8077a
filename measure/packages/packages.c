/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/packages/packages.h"

#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/text.h"
#include "measure/packages/dpkg.h"

#define STATUS "/var/lib/dpkg/status"
#define STATUS_D "/var/lib/dpkg/status.d"
#define UPDATES "/var/lib/dpkg/updates"

struct search {
	struct assay_fs *fs;
	struct assay_json *list;
	bool found;	/* something: the list is wanted */
	uint64_t bytes; /* of the files of status.d so far */
};

/* Of a machine that fails, not of a database that is bad. */
static bool is_ours(const struct assay_err *err)
{
	return err->code == ASSAY_E_IO || err->code == ASSAY_E_NOMEM || err->code == ASSAY_E_CRYPTO;
}

static struct assay_json *installed_json(const struct assay_dpkg *packages)
{
	ASSAY_AUTO(assay_json) *o = assay_json_object();

	for (size_t i = 0; i < packages->n; i++) {
		const struct assay_dpkg_package *p = &packages->p[i];
		ASSAY_AUTO_FREE char *key = assay_asprintf("%s%s%s", p->name, *p->arch ? ":" : "", p->arch);
		ASSAY_AUTO_FREE char *value = assay_asprintf("%s%s%s", p->version, p->state ? " " : "",
							     p->state ? p->state : "");

		if (!key || !value)
			return NULL;
		assay_json_set_str(o, key, value);
	}
	return assay_steal(&o);
}

static struct assay_json *database(struct search *s, const char *kind, const char *path)
{
	struct assay_json *o = assay_json_object();

	s->found = true;
	assay_json_set_str(o, "kind", kind);
	assay_json_set_str(o, "path", path);
	return o;
}

/* rc of reading it: what was wrong with a database is told in its place. */
static int told(struct search *s, const char *path, struct assay_dpkg *packages, int rc, struct assay_err *err)
{
	if (rc == 0)
		rc = assay_dpkg_sort(packages, err);
	if (rc < 0 && is_ours(err))
		return -1;
	struct assay_json *o = database(s, "dpkg", path);

	if (rc < 0)
		assay_json_set_str(o, "error", err->msg);
	else
		assay_json_set(o, "installed", installed_json(packages));
	assay_json_append(s->list, o);
	return 0;
}

static int parse_file(struct assay_src *src, bool loose, struct assay_dpkg *to, struct assay_err *err)
{
	ASSAY_AUTO_FREE uint8_t *text = NULL;
	const uint64_t size = assay_src_size(src);

	if (assay_src_read_alloc(src, 0, size, ASSAY_DPKG_MAX_STATUS, &text, err) < 0)
		return -1;
	return assay_dpkg_parse((const char *)text, (size_t)size, loose, to, err);
}

/* --- /var/lib/dpkg/status ----------------------------------------------------------------------- */

/* dpkg writes what it does to updates/NNNN first (its lib/dpkg/dbmodify.c): they count on top of status. */
static int check_updates(struct search *s, struct assay_err *err)
{
	struct assay_dir dir = { 0 };
	bool some = false;

	if (assay_fs_list(s->fs, UPDATES, &dir, err) < 0)
		return err->code == ASSAY_E_NOTFOUND ? 0 : -1;
	for (size_t i = 0; i < dir.n; i++)
		some = some || (*dir.e[i].name && strspn(dir.e[i].name, "0123456789") == strlen(dir.e[i].name));
	assay_dir_clear(&dir);
	return some ? assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				 "dpkg was interrupted: " UPDATES " has changes that are not in it yet") :
		      0;
}

static int find_status(struct search *s, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	struct assay_dpkg packages = { 0 };
	int rc = assay_fs_file(s->fs, STATUS, &src, NULL, err);

	if (rc < 0 && err->code == ASSAY_E_NOTFOUND)
		return 0;
	if (rc == 0)
		rc = check_updates(s, err);
	if (rc == 0)
		rc = parse_file(src, false, &packages, err);
	rc = told(s, STATUS, &packages, rc, err);
	assay_dpkg_clear(&packages);
	return rc;
}

/* --- /var/lib/dpkg/status.d --------------------------------------------------------------------- */

static bool ends_in(const char *s, const char *end)
{
	const size_t n = strlen(s), k = strlen(end);

	return n >= k && strcmp(s + n - k, end) == 0;
}

static int add_loose(struct search *s, const char *name, struct assay_dpkg *to, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *path = assay_asprintf(STATUS_D "/%s", name);
	ASSAY_AUTO(assay_src) *src = NULL;

	if (!path)
		return assay_fail_mem(err);
	if (assay_fs_file(s->fs, path, &src, NULL, err) < 0)
		return -1;
	if (assay_src_size(src) > ASSAY_DPKG_MAX_STATUS - s->bytes)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "files of more than %u bytes",
				  ASSAY_DPKG_MAX_STATUS);
	s->bytes += assay_src_size(src);
	return parse_file(src, true, to, err);
}

static int find_status_d(struct search *s, struct assay_err *err)
{
	struct assay_dpkg packages = { 0 };
	struct assay_dir dir = { 0 };
	int rc = assay_fs_list(s->fs, STATUS_D, &dir, err);

	if (rc < 0 && err->code == ASSAY_E_NOTFOUND)
		return 0;
	for (size_t i = 0; i < dir.n && rc == 0; i++) {
		/* Digests of a package's files lie beside it. */
		if (dir.e[i].kind == ASSAY_FS_DIR || ends_in(dir.e[i].name, ".md5sums"))
			continue;
		rc = add_loose(s, dir.e[i].name, &packages, err);
		if (rc < 0)
			assay_wrap(err, "%.80s", dir.e[i].name);
	}
	assay_dir_clear(&dir);
	rc = told(s, STATUS_D, &packages, rc, err);
	assay_dpkg_clear(&packages);
	return rc;
}

/* --- others ------------------------------------------------------------------------------------- */

static int find_others(struct search *s, struct assay_err *err)
{
	static const struct {
		const char *kind, *path;
	} others[] = {
		{ "rpm", "/usr/lib/sysimage/rpm/rpmdb.sqlite" },
		{ "rpm", "/lib/sysimage/rpm/rpmdb.sqlite" }, /* a partition of /usr */
		{ "rpm", "/usr/lib/sysimage/rpm/Packages.db" },
		{ "rpm", "/var/lib/rpm/rpmdb.sqlite" },
		{ "rpm", "/var/lib/rpm/Packages.db" },
		{ "rpm", "/var/lib/rpm/Packages" },
		{ "apk", "/lib/apk/db/installed" },
		{ "apk", "/usr/lib/apk/db/installed" },
		{ "pacman", "/var/lib/pacman/local" },
		{ "opkg", "/usr/lib/opkg/status" },
		{ "opkg", "/var/lib/opkg/status" },
		{ "portage", "/var/db/pkg" },
		{ "nix", "/nix/var/nix/db/db.sqlite" },
	};
	const char *last = "";

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct assay_fs_stat st;

		/* One of each kind is enough: by links the same one has several paths. */
		if (strcmp(others[i].kind, last) == 0)
			continue;
		if (assay_fs_lstat(s->fs, others[i].path, &st, err) < 0) {
			if (is_ours(err))
				return -1;
			continue;
		}
		last = others[i].kind;
		assay_json_append(s->list, database(s, others[i].kind, others[i].path));
	}
	return 0;
}

int assay_packages_facts(struct assay_fs *fs, struct assay_json *filesystem, struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *list = assay_json_array();
	struct search s = { .fs = fs, .list = list };

	if (find_status(&s, err) < 0 || find_status_d(&s, err) < 0 || find_others(&s, err) < 0)
		return -1;
	if (s.found)
		assay_json_set(filesystem, "packages", assay_steal(&list));
	return 0;
}
