/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel modules in the filesystems, against the kernels that the ESP has. A release is told by the folder that a module
 * lies in; the modules themselves are not opened (there may be thousands of them, packed).
 */
#include <string.h>

#include "core/text.h"
#include "measure/fs/walk.h"
#include "measure/initrd/modules.h"
#include "measure/root_modules.h"

static int add_module(const struct assay_fs_entry *e, void *arg, struct assay_err *err)
{
	if (e->st.kind != ASSAY_FS_FILE)
		return 0;
	return assay_modules_add(arg, e->path, NULL, 0, err);
}

/* A folder that is not there has none. */
static int walk(struct assay_fs *fs, const char *path, struct assay_modules *m, struct assay_err *err)
{
	struct assay_fs_stat st;

	if (assay_fs_lstat(fs, path, &st, err) < 0)
		return err->code == ASSAY_E_NOTFOUND ? 0 : -1;
	return st.kind == ASSAY_FS_DIR ? assay_fs_walk(fs, path, add_module, m, err) : 0;
}

int assay_root_modules(struct assay_fs *fs, struct assay_json *filesystem, struct assay_err *err)
{
	struct assay_modules m = { 0 };
	struct assay_fs_stat lib;
	/* "/lib" may be a link to "usr/lib": the same modules, then. On a partition of /usr it is a folder. */
	const bool linked = assay_fs_lstat(fs, "/lib", &lib, NULL) == 0 && lib.kind == ASSAY_FS_SYMLINK;
	int rc = walk(fs, "/usr/lib/modules", &m, err);

	if (rc == 0 && !linked)
		rc = walk(fs, "/lib/modules", &m, err);
	assay_modules_sort(&m);
	if (rc == 0 && m.n > 0) {
		struct assay_json *list = assay_json_array();

		for (size_t i = 0; i < m.n; i++) {
			struct assay_json *o = assay_json_object();

			assay_json_set_str(o, "release", m.r[i].release);
			assay_json_set_int(o, "modules", m.r[i].modules);
			assay_json_append(list, o);
		}
		assay_json_set(filesystem, "modules", list);
	}
	assay_modules_clear(&m);
	return rc;
}

static bool has_release(const struct assay_json *modules, const char *release)
{
	for (size_t i = 0; i < assay_json_len(modules); i++) {
		const char *r = assay_json_str(assay_json_get(assay_json_at(modules, i), "release"));

		if (r && strcmp(r, release) == 0)
			return true;
	}
	return false;
}

/* "modules for 6.12.48, 6.12.57" */
static char *releases(const struct assay_json *modules)
{
	struct assay_str s = { 0 };

	for (size_t i = 0; i < assay_json_len(modules); i++) {
		const char *r = assay_json_str(assay_json_get(assay_json_at(modules, i), "release"));

		assay_str_add(&s, "%s%s", i ? ", " : "modules for ", r ? r : "?");
	}
	return assay_str_steal(&s);
}

int assay_root_modules_check(struct assay_json *facts, struct assay_err *err)
{
	const struct assay_json *programs = assay_json_get(assay_json_get(facts, "esp"), "programs");
	const struct assay_json *filesystems = assay_json_get(facts, "filesystems");
	ASSAY_AUTO(assay_json) *list = assay_json_array();

	for (size_t i = 0; i < assay_json_len(programs); i++) {
		const struct assay_json *p = assay_json_at(programs, i);
		const char *release = assay_json_str(assay_json_get(assay_json_get(p, "linux"), "release"));

		for (size_t k = 0; release && k < assay_json_len(filesystems); k++) {
			const struct assay_json *fs = assay_json_at(filesystems, k);
			const struct assay_json *modules = assay_json_get(fs, "modules");
			const bool match = has_release(modules, release);
			struct assay_json *o;
			int64_t part = 0;

			if (!modules)
				continue;
			o = assay_json_object();
			assay_json_set_str(o, "program", assay_json_str(assay_json_get(p, "path")));
			assay_json_set_str(o, "release", release);
			assay_json_get_int(assay_json_get(fs, "partition"), &part);
			assay_json_set_int(o, "partition", (uint64_t)part);
			assay_json_set_str(o, "verdict", assay_modules_verdict_name(match ? ASSAY_MODULES_MATCH :
										     ASSAY_MODULES_MISMATCH));
			if (!match) {
				ASSAY_AUTO_FREE char *others = releases(modules);
				ASSAY_AUTO_FREE char *why =
					others ? assay_asprintf("%s, kernel is %s", others, release) : NULL;

				if (!why) {
					assay_json_free(&o);
					return assay_fail_mem(err);
				}
				assay_json_set_str(o, "reason", why);
			}
			assay_json_append(list, o);
		}
	}
	assay_json_set(facts, "modules", assay_steal(&list));
	return 0;
}
