/* SPDX-License-Identifier: Apache-2.0 */
/* What lies beside a UKI: credentials, extensions, addons. */
#include "precompute/chain/stub_priv.h"

#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/num.h"
#include "precompute/cpio.h"

bool assay_stub_number(const char **p, uint64_t *ret)
{
	const char *end = *p;
	uint64_t n = 0;

	for (; *end >= '0' && *end <= '9'; end++)
		if (assay_mul_overflows(n, 10, &n) ||
		    assay_add_overflows(n, (uint64_t)(*end - '0'), &n))
			return false;
	if (end == *p)
		return false;
	*p = end;
	*ret = n;
	return true;
}

/*
 * remove_boot_count() of 257: from the first '+' of the whole path on, folders included, when a counter
 * follows that ends the path or stands before a dot.
 */
char *assay_stub_plain_name(const char *path)
{
	char *copy = assay_strdup(path);
	char *plus = copy ? strchr(copy, '+') : NULL;
	const char *end;
	uint64_t number;

	if (!plus)
		return copy;
	end = plus + 1;
	if (!assay_stub_number(&end, &number))
		return copy;
	if (*end == '-') {
		end++;
		if (!assay_stub_number(&end, &number))
			return copy;
	}
	if (*end == '\0' || *end == '.')
		memmove(plus, end, strlen(end) + 1);
	return copy;
}

static bool ends_with_no_case(const char *name, const char *suffix)
{
	size_t n = strlen(name);
	size_t m = strlen(suffix);

	return n >= m && strcasecmp(name + n - m, suffix) == 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in a folder of the ESP that the stub would pick up, sorted as it sorts them. */
static int pick(struct assay_stub *s, const char *folder, const char *suffix, const char *but,
		char ***ret, size_t *ret_n, struct assay_err *err)
{
	struct assay_dir dir = { 0 };
	char **names;
	size_t n = 0;

	*ret = NULL;
	*ret_n = 0;
	if (assay_fs_list(s->c->image->fs, folder, &dir, err) < 0) {
		if (err->code == ASSAY_E_NOTFOUND)
			return 0;
		return -1;
	}
	names = calloc(dir.n + 1, sizeof(*names));
	for (size_t i = 0; names && i < dir.n; i++) {
		const char *name = dir.e[i].name;
		bool ascii = true;

		for (const char *p = name; *p; p++)
			ascii &= (unsigned char)*p < 0x80;
		if (dir.e[i].kind == ASSAY_FS_DIR || name[0] == '.' || !ascii || !ends_with_no_case(name, suffix) ||
		    (but && ends_with_no_case(name, but)))
			continue;
		names[n++] = assay_steal(&dir.e[i].name);
	}
	assay_dir_clear(&dir);
	if (!names)
		return assay_fail_mem(err);
	qsort(names, n, sizeof(*names), compare_names);
	*ret = names;
	*ret_n = n;
	return 0;
}

static void free_names(char **names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

/* pack_cpio(): files of one kind in one archive, to be measured into `pcr` and handed to the kernel. */
static int pack_sidecars(struct assay_stub *s, const char *folder, const char *suffix, const char *but,
			 const char *dir, unsigned dir_mode, unsigned file_mode, unsigned pcr,
			 const char *what, struct assay_err *err)
{
	struct assay_cpio_file *files = NULL;
	char **names = NULL;
	size_t n = 0;
	size_t total = 0;
	int rc = -1;

	if (pick(s, folder, suffix, but, &names, &n, err) < 0)
		return -1;
	if (n == 0) {
		free_names(names, n);
		return 0;
	}
	files = calloc(n, sizeof(*files));
	if (!files) {
		assay_fail_mem(err);
		goto out;
	}
	for (size_t i = 0; i < n; i++) {
		ASSAY_AUTO_FREE char *path = assay_asprintf("%s/%s", folder, names[i]);
		uint8_t *bytes = NULL;

		if (!path) {
			assay_fail_mem(err);
			goto out;
		}
		if (assay_image_read(s->c->image, path, ASSAY_SIDECAR_MAX - total, &bytes,
				     &files[i].len, err) < 0)
			goto out;
		files[i].name = names[i];
		files[i].data = bytes;
		total += files[i].len;
	}
	size_t start = s->sidecars.len;
	if (assay_cpio_append(&s->sidecars, dir, dir_mode, file_mode, files, n, err) < 0)
		goto out;
	s->packs[s->n_packs++] = (struct assay_stub_pack){ .pcr = pcr,
						.start = start,
						.len = s->sidecars.len - start,
						.n = n,
						.folder = folder,
						.what = what };
	rc = 0;
out:
	for (size_t i = 0; files && i < n; i++)
		free((void *)(uintptr_t)files[i].data);
	free(files);
	free_names(names, n);
	return rc;
}

/* An addon is one more image through LoadImage, and more; until it has its own rules it is refused by name. */
static int refuse_addons(struct assay_stub *s, const char *folder, struct assay_err *err)
{
	char **names;
	size_t n;
	int rc = 0;

	if (!s->rules->addons)
		return 0;
	if (pick(s, folder, ".addon.efi", NULL, &names, &n, err) < 0)
		return -1;
	if (n > 0)
		rc = assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				"%s/%s: addons beside a UKI are not predicted yet", folder, names[0]);
	free_names(names, n);
	return rc;
}

int assay_stub_sidecars(struct assay_stub *s, struct assay_err *err)
{
	if (refuse_addons(s, "/loader/addons", err) < 0 || refuse_addons(s, s->extra_dir, err) < 0)
		return -1;
	if (pack_sidecars(s, s->extra_dir, ".cred", NULL, ".extra/credentials", 0500, 0400, 12,
			  "credentials", err) < 0 ||
	    pack_sidecars(s, "/loader/credentials", ".cred", NULL, ".extra/global_credentials", 0500,
			  0400, 12, "global credentials", err) < 0 ||
	    pack_sidecars(s, s->extra_dir, ".raw", s->rules->confext ? ".confext.raw" : NULL,
			  ".extra/sysext", 0555, 0444, 13, "system extensions", err) < 0)
		return -1;
	if (s->rules->confext &&
	    pack_sidecars(s, s->extra_dir, ".confext.raw", NULL, ".extra/confext", 0555, 0444, 12,
			  "configuration extensions", err) < 0)
		return -1;
	return 0;
}

int assay_stub_measure_sidecars(const struct assay_stub *s, struct assay_err *err)
{
	for (size_t i = 0; i < s->n_packs; i++) {
		const struct assay_stub_pack *pack = &s->packs[i];

		if (assay_chain_measure(s->c, pack->pcr, EV_IPL, s->sidecars.p + pack->start, pack->len,
					assay_efi_path(pack->folder, ""),
					assay_asprintf("%s: a cpio archive of %zu files", pack->what,
						       pack->n),
					err) < 0)
			return -1;
	}
	return 0;
}
