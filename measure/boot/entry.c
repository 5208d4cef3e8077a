/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries: type #1 of the Boot Loader Specification, and UKIs. Function names in the comments are
 * those of src/boot/efi/boot.c (252.39) and src/boot/boot.c (257.13).
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/text.h"
#include "measure/boot/loader_priv.h"

void assay_boot_entry_free(struct assay_boot_entry **entryp)
{
	struct assay_boot_entry *e = assay_steal(entryp);

	if (!e)
		return;
	for (size_t i = 0; i < e->n_initrds; i++)
		free(e->initrds[i]);
	free(e->initrds);
	free(e->file);
	free(e->id);
	free(e->id_without_profile);
	free(e->title);
	free(e->sort_key);
	free(e->version);
	free(e->machine_id);
	free(e->devicetree);
	free(e->loader);
	free(e->options);
	free(e);
}

bool assay_boot_entry_name(enum assay_sdboot rules, const char *file, const char *suffix)
{
	const size_t len = strlen(file), n = strlen(suffix);
	char start[6] = "";

	if (file[0] == '.' || len < n || !assay_boot_same_case(file + len - n, suffix))
		return false;
	/* These names are kept for entries that the boot loader makes itself. */
	snprintf(start, sizeof(start), "%s", file);
	if (rules != ASSAY_SDBOOT_252)
		assay_boot_lower(start);
	return strcmp(start, "auto-") != 0;
}

static struct assay_boot_entry *new_entry(const char *file)
{
	struct assay_boot_entry *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->tries_left = -1;
	e->tries_done = -1;
	e->file = assay_strdup(file);
	e->id = assay_strdup(file);
	assay_boot_lower(e->id);
	if (!e->file || !e->id)
		assay_boot_entry_free(&e);
	return e;
}

/*
 * config_entry_parse_tries(), boot_entry_parse_tries(): "+LEFT" or "+LEFT-DONE" before the suffix.
 * 252 leaves the id as it is (counter included). 257 makes a new one without the counter, in the
 * file's own case and without the profile's name, after id was put into lower case.
 */
static int parse_tries(enum assay_sdboot rules, struct assay_boot_entry *e, const char *suffix,
		       struct assay_err *err)
{
	const char *plus = strrchr(e->file, '+');
	const char *p;
	uint64_t left, done = 0;

	if (!plus || !assay_boot_number(plus + 1, &left, &p) || left > INT_MAX)
		return 0;
	if (*p == '-' && (!assay_boot_number(p + 1, &done, &p) || done > INT_MAX))
		return 0;
	if (!assay_boot_same_case(p, suffix))
		return 0;
	e->tries_left = (int64_t)left;
	e->tries_done = (int64_t)done;
	if (rules == ASSAY_SDBOOT_252)
		return 0;
	char *id = assay_asprintf("%.*s%s", (int)(plus - e->file), e->file, suffix);
	if (!id)
		return assay_fail_mem(err);
	free(e->id);
	e->id = id;
	return 0;
}

struct type1 {
	enum assay_sdboot rules;
	const char *arch;
	const char *self;
	struct assay_boot_entry *e;
	bool started; /* linux or efi was seen */
	const char *skip;
};

static int set_path(const struct boot_lines *l, const char *key, char **dst, const char *value,
		    struct assay_err *err)
{
	/* The boot loader stops with an assertion here. */
	if (!*value)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "line %u: %s is empty",
				  l->line, key);
	if (assay_boot_set_text(dst, value, err) < 0)
		return -1;
	assay_boot_turn_slashes(*dst);
	return 0;
}

static int add_initrd(const struct boot_lines *l, struct assay_boot_entry *e, const char *value,
		      struct assay_err *err)
{
	char **more;

	if (e->n_initrds == ASSAY_LOADER_MAX_INITRDS)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET,
				  "line %u: more than %u initrds", l->line,
				  ASSAY_LOADER_MAX_INITRDS);
	more = realloc(e->initrds, (e->n_initrds + 1) * sizeof(*more));
	if (!more)
		return assay_fail_mem(err);
	e->initrds = more;
	e->initrds[e->n_initrds] = NULL;
	if (set_path(l, "initrd", &e->initrds[e->n_initrds], value, err) < 0)
		return -1;
	e->n_initrds++;
	return 0;
}

static int add_options(const struct boot_lines *l, struct assay_boot_entry *e, const char *value,
		       struct assay_err *err)
{
	ASSAY_AUTO_FREE char *more = NULL;

	if (!e->options)
		return assay_boot_set_text(&e->options, value, err);
	/* The boot loader would print a NULL here. */
	if (!*value)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "line %u: empty options after others", l->line);
	if (assay_boot_set_text(&more, value, err) < 0)
		return -1;
	char *both = assay_asprintf("%s %s", e->options, more);
	if (!both)
		return assay_fail_mem(err);
	free(e->options);
	e->options = both;
	return 0;
}

/* One line; sets t->skip when the entry is dropped on the spot. */
static int type1_line(struct type1 *t, const struct boot_lines *l, const char *key,
		      const char *value, struct assay_err *err)
{
	struct assay_boot_entry *e = t->e;

	if (strcmp(key, "title") == 0)
		return assay_boot_set_text(&e->title, value, err);
	if (strcmp(key, "sort-key") == 0)
		return assay_boot_set_text(&e->sort_key, value, err);
	if (strcmp(key, "version") == 0)
		return assay_boot_set_text(&e->version, value, err);
	if (strcmp(key, "machine-id") == 0)
		return assay_boot_set_text(&e->machine_id, value, err);
	if (strcmp(key, "devicetree") == 0)
		return set_path(l, key, &e->devicetree, value, err);
	if (strcmp(key, "initrd") == 0)
		return add_initrd(l, e, value, err);
	if (strcmp(key, "options") == 0)
		return add_options(l, e, value, err);
	if (strcmp(key, "linux") == 0) {
		e->kind = ASSAY_ENTRY_LINUX;
		t->started = true;
		return set_path(l, key, &e->loader, value, err);
	}
	if (strcmp(key, "efi") == 0) {
		e->kind = ASSAY_ENTRY_EFI;
		t->started = true;
		if (set_path(l, key, &e->loader, value, err) < 0)
			return -1;
		if (t->self && assay_boot_same_case(e->loader, t->self))
			t->skip = "it starts the boot loader itself";
		return 0;
	}
	if (strcmp(key, "architecture") == 0 && !assay_boot_same_case(value, t->arch))
		t->skip = "it is for another architecture";
	return 0;
}

int assay_boot_entry_type1(enum assay_sdboot rules, const char *file, const void *p, size_t len,
			   const char *arch, const char *self, struct assay_boot_entry **ret,
			   const char **ret_why, struct assay_err *err)
{
	ASSAY_AUTO(assay_boot_entry) *e = NULL;
	struct type1 t = { .rules = rules, .arch = arch, .self = self };
	BOOT_LINES l = { 0 };
	char *key, *value;

	if (assay_boot_lines_open(p, len, &l, err) < 0)
		return -1;
	e = new_entry(file);
	if (!e)
		return assay_fail_mem(err);
	t.e = e;
	while (!t.skip && assay_boot_next_line(&l, rules, " \t", &key, &value))
		if (type1_line(&t, &l, key, value, err) < 0)
			return -1;
	if (!t.skip && !t.started)
		t.skip = "it has neither linux nor efi";
	if (ret_why)
		*ret_why = t.skip;
	if (t.skip) {
		*ret = NULL;
		return 0;
	}
	if (parse_tries(rules, e, ".conf", err) < 0)
		return -1;
	*ret = assay_steal(&e);
	return 0;
}

/* --- UKIs ---- */

enum { PRETTY_NAME, IMAGE_ID, NAME, ID, IMAGE_VERSION, VERSION, VERSION_ID, BUILD_ID, N_OSREL };

static const char *const osrel_keys[N_OSREL] = { "PRETTY_NAME", "IMAGE_ID",	 "NAME",
						 "ID",		"IMAGE_VERSION", "VERSION",
						 "VERSION_ID",	"BUILD_ID" };

static int read_keys(enum assay_sdboot rules, const void *p, size_t len, const char *const *keys,
		     char **values, size_t n, struct assay_err *err)
{
	BOOT_LINES l = { 0 };
	char *key, *value;

	if (assay_boot_lines_open(p, len, &l, err) < 0)
		return -1;
	while (assay_boot_next_line(&l, rules, "=", &key, &value))
		for (size_t i = 0; i < n; i++)
			if (strcmp(key, keys[i]) == 0 &&
			    assay_boot_set_text(&values[i], value, err) < 0)
				return -1;
	return 0;
}

static const char *first_of(char *const *v, const uint8_t *which, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (v[which[i]])
			return v[which[i]];
	return NULL;
}

static int copy_text(char **dst, const char *s, struct assay_err *err)
{
	if (!s)
		return 0;
	*dst = assay_strdup(s);
	return *dst ? 0 : assay_fail_mem(err);
}

/* bootspec_pick_name_version_sort_key(); false when the boot loader passes over the file. */
static int pick(char *const *v, struct assay_boot_entry *e, bool *ret_good, struct assay_err *err)
{
	static const uint8_t names[] = { PRETTY_NAME, IMAGE_ID, NAME, ID };
	static const uint8_t versions[] = { IMAGE_VERSION, VERSION, VERSION_ID, BUILD_ID };
	static const uint8_t sort_keys[] = { IMAGE_ID, ID };

	if (copy_text(&e->title, first_of(v, names, sizeof(names)), err) < 0 ||
	    copy_text(&e->version, first_of(v, versions, sizeof(versions)), err) < 0 ||
	    copy_text(&e->sort_key, first_of(v, sort_keys, sizeof(sort_keys)), err) < 0)
		return -1;
	*ret_good = e->title != NULL;
	return 0;
}

/* boot_entry_add_type2() of 257: what a profile adds to id and title. */
static int name_profile(struct assay_boot_entry *e, unsigned number, const char *id,
			const char *title, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *base_id = assay_steal(&e->id);
	ASSAY_AUTO_FREE char *base_title = assay_steal(&e->title);

	e->profile = number;
	if (number > 0 && id)
		e->id = assay_asprintf("%s@%s", base_id, id);
	else if (number > 0)
		e->id = assay_asprintf("%s@%u", base_id, number);
	else
		e->id = assay_strdup(base_id);
	assay_boot_lower(e->id);
	if (title)
		e->title = assay_asprintf("%s (%s)", base_title, title);
	else if (number > 0 && id)
		e->title = assay_asprintf("%s (%s)", base_title, id);
	else if (number > 0)
		e->title = assay_asprintf("%s (Profile #%u)", base_title, number + 1);
	else
		e->title = assay_strdup(base_title);
	if (number > 0)
		e->id_without_profile = assay_strdup(base_id);
	return e->id && e->title && (number == 0 || e->id_without_profile) ? 0
									   : assay_fail_mem(err);
}

static int make_uki(enum assay_sdboot rules, const void *osrel, size_t osrel_len, unsigned number,
		    const void *profile, size_t profile_len, char **osrel_values,
		    char **profile_values, struct assay_boot_entry *e, const char **skip,
		    struct assay_err *err)
{
	static const char *const profile_keys[] = { "ID", "TITLE" };
	bool good;

	if (!osrel || osrel_len == 0) {
		*skip = "it has no .osrel section";
		return 0;
	}
	if (read_keys(rules, osrel, osrel_len, osrel_keys, osrel_values, N_OSREL, err) < 0)
		return assay_wrap(err, "os-release");
	if (pick(osrel_values, e, &good, err) < 0)
		return -1;
	if (!good) {
		*skip = "its os-release has none of PRETTY_NAME, IMAGE_ID, NAME, ID";
		return 0;
	}
	e->kind = ASSAY_ENTRY_UKI;
	e->loader = assay_asprintf("\\EFI\\Linux\\%s", e->file);
	if (!e->loader)
		return assay_fail_mem(err);
	if (rules != ASSAY_SDBOOT_252) {
		if (profile && read_keys(rules, profile, profile_len, profile_keys, profile_values,
					 2, err) < 0)
			return assay_wrap(err, ".profile");
		if (name_profile(e, number, profile_values[0], profile_values[1], err) < 0)
			return -1;
	}
	return parse_tries(rules, e, ".efi", err);
}

int assay_boot_entry_uki(enum assay_sdboot rules, const char *file, const void *osrel,
			 size_t osrel_len, unsigned profile_number, const void *profile,
			 size_t profile_len, struct assay_boot_entry **ret, const char **ret_why,
			 struct assay_err *err)
{
	ASSAY_AUTO(assay_boot_entry) *e = NULL;
	char *osrel_values[N_OSREL] = { 0 }, *profile_values[2] = { 0 };
	const char *skip = NULL;
	int rc;

	if (rules == ASSAY_SDBOOT_252 && profile_number > 0) {
		if (ret_why)
			*ret_why = "systemd-boot 252 knows no profiles";
		*ret = NULL;
		return 0;
	}
	e = new_entry(file);
	if (!e)
		return assay_fail_mem(err);
	rc = make_uki(rules, osrel, osrel_len, profile_number, profile, profile_len, osrel_values,
		      profile_values, e, &skip, err);
	for (size_t i = 0; i < N_OSREL; i++)
		free(osrel_values[i]);
	free(profile_values[0]);
	free(profile_values[1]);
	if (rc < 0)
		return -1;
	if (ret_why)
		*ret_why = skip;
	*ret = skip ? NULL : assay_steal(&e);
	return 0;
}

int assay_boot_path(const char *loader, char **ret, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *path =
		assay_asprintf("%s%s", *loader == '\\' || *loader == '/' ? "" : "/", loader);

	if (!path)
		return assay_fail_mem(err);
	for (char *p = path; *p; p++)
		if (*p == '\\')
			*p = '/';
	for (const char *p = path; *p; p += strcspn(p, "/")) {
		p++;
		size_t n = strcspn(p, "/");

		if ((n == 1 || n == 2) && memcmp(p, "..", n) == 0)
			return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
					  "path with '%.*s' in it: %s", (int)n, p, loader);
	}
	*ret = assay_steal(&path);
	return 0;
}
