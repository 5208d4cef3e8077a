/* SPDX-License-Identifier: Apache-2.0 */
/* Names of functions in the comments are systemd's; 252.39 and 257.13 agree where no version is
 * named. */
#include "measure/verity/cmdline.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/limits.h"
#include "core/text.h"

/* The last of each that counts. */
struct seen {
	bool usr;
	char *hash;	   /* roothash=, for who sets devices up: also with "rd." before it */
	char *mounted;	   /* roothash=, for who mounts: as it stands */
	char *what;	   /* root= or mount.usr= */
	char *data, *tree; /* systemd.verity_root_data=, systemd.verity_root_hash= */
	char *options;	   /* systemd.verity_root_options= */
	bool off;	   /* systemd.verity=0 */
	bool bootconfig;
	bool dm_create; /* dm-mod.create= with a verity target */
	bool delete;	/* a character that 252 and 257 take differently */
};

static void free_seen(struct seen *s)
{
	free(s->hash);
	free(s->mounted);
	free(s->what);
	free(s->data);
	free(s->tree);
	free(s->options);
}

/* --- words --------------------------------------------------------------------------------------
 */

/*
 * extract_first_word(EXTRACT_UNQUOTE|EXTRACT_RELAX|EXTRACT_RETAIN_ESCAPE). false: there is none.
 * NULL in *ret: out of memory.
 */
static bool next_word(const char **p, char **ret)
{
	static const char separators[] = " \t\n\r\x7f";
	struct assay_str word = { 0 };
	char quote = 0;

	*p += strspn(*p, separators);
	if (**p == '\0')
		return false;
	for (; **p && (quote || !strchr(separators, **p)); ++*p) {
		if (quote ? **p == quote : **p == '"' || **p == '\'')
			quote = quote ? 0 : **p;
		else
			assay_str_add_n(&word, *p, 1);
	}
	*ret = assay_str_steal(&word);
	return true;
}

/* proc_cmdline_key_streq(): '-' and '_' are the same. */
static bool same_key(const char *a, const char *b)
{
	for (; *a && *b; a++, b++)
		if (*a != *b && !((*a == '-' || *a == '_') && (*b == '-' || *b == '_')))
			return false;
	return *a == *b;
}

/* parse_boolean(); what is none is passed over. */
static void set_boolean(const char *value, bool *ret)
{
	static const char *const words[] = { "0", "no",	 "n", "false", "f", "off",
					     "1", "yes", "y", "true",  "t", "on" };
	const size_t n = sizeof(words) / sizeof(words[0]);

	for (size_t i = 0; i < n; i++)
		if (strcasecmp(value, words[i]) == 0)
			*ret = i >= n / 2;
}

static int replace(char **dst, const char *value, struct assay_err *err)
{
	char *copy = assay_strdup(value);

	if (!copy)
		return assay_fail_mem(err);
	free(*dst);
	*dst = copy;
	return 0;
}

/*
 * parse_proc_cmdline_item() of both generators. The one that sets devices up asks for "rd." to be
 * taken away (PROC_CMDLINE_STRIP_RD_PREFIX; we are in an initrd), the one that mounts does not. A
 * key without "=" that needs a value is passed over (proc_cmdline_value_missing()).
 */
static int take_word(struct seen *s, char *word, struct assay_err *err)
{
	const bool rd = strncmp(word, "rd.", 3) == 0;
	char *key = rd ? word + 3 : word;
	char *value = strchr(key, '=');
	const char *hash = s->usr ? "usrhash" : "roothash";
	const struct {
		const char *root, *usr;
		char **dst;
	} rows[] = {
		{ "systemd.verity_root_data", "systemd.verity_usr_data", &s->data },
		{ "systemd.verity_root_hash", "systemd.verity_usr_hash", &s->tree },
		{ "systemd.verity_root_options", "systemd.verity_usr_options", &s->options },
	};

	if (value)
		*value++ = '\0';
	if (strcmp(key, "systemd.verity") == 0) {
		bool on = !s->off;

		set_boolean(value ? value : "1", &on);
		s->off = !on;
	}
	if (!rd && strcmp(key, "bootconfig") == 0)
		s->bootconfig = true;
	if (!value)
		return 0;
	if (strcmp(key, hash) == 0) {
		if (replace(&s->hash, value, err) < 0)
			return -1;
		return rd ? 0 : replace(&s->mounted, value, err);
	}
	if (!rd && strcmp(key, s->usr ? "mount.usr" : "root") == 0)
		return replace(&s->what, value, err);
	if (!rd && same_key(key, "dm_mod.create") && strstr(value, " verity "))
		s->dm_create = true;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (same_key(key, s->usr ? rows[i].usr : rows[i].root))
			return replace(rows[i].dst, value, err);
	return 0;
}

static int take_words(struct seen *s, const char *p, struct assay_err *err)
{
	char *word;

	while (next_word(&p, &word)) {
		const int rc = word ? take_word(s, word, err) : assay_fail_mem(err);

		free(word);
		if (rc < 0)
			return -1;
	}
	return 0;
}

/* --- values -------------------------------------------------------------------------------------
 */

/* unhexmem(): blanks between digits are passed over. */
static bool parse_hash(const char *text, struct assay_verity_named *n)
{
	char digits[2 * ASSAY_MAX_DIGEST];
	size_t len = 0;

	for (; *text; text++) {
		if (strchr(" \t\n\r", *text))
			continue;
		if (len == sizeof(digits))
			return false;
		digits[len++] = *text;
	}
	/* Shorter ones do not lead to partitions, and no digest that is not refused is so short. */
	if (len / 2 < 16 || !assay_unhex(digits, len, n->root_hash, len / 2))
		return false;
	n->root_hash_size = len / 2;
	return true;
}

static bool is_one_of(const char *word, size_t len, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(list[i]) == len && memcmp(list[i], word, len) == 0)
			return true;
	return false;
}

static bool starts_with_one_of(const char *word, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strncmp(word, list[i], strlen(list[i])) == 0)
			return true;
	return false;
}

/*
 * parse_options() of veritysetup.c, 257; 252 knows but the first half of `harmless`, and passes
 * over the rest. What stands in the superblock is taken from nowhere else, so the shape's options
 * say nothing beside one.
 */
static int parse_options(const char *options, const char *key, struct assay_verity_named *n)
{
	static const char *const harmless[] = {
		"",
		"noauto",
		"auto",
		"nofail",
		"fail",
		"_netdev",
		"x-initrd.attach",
		"restart-on-corruption",
		"panic-on-corruption",
		"ignore-zero-blocks",
		"check-at-most-once",
		"hash-offset=0",
	};
	static const char *const shape[] = { "format=",
					     "data-block-size=",
					     "hash-block-size=",
					     "data-blocks=",
					     "salt=",
					     "uuid=",
					     "hash=",
					     "root-hash-signature=" };
	static const char *const fec[] = { "fec-device=", "fec-offset=", "fec-roots=" };

	/* The unit that they are written into has quotes, escapes and variables of its own. */
	if (strpbrk(options, "\\'\"$%"))
		return assay_fail(&n->refused, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "%s= with quotes, backslashes, $ or %% is not followed", key);
	/* A signature alone, as older ones had it. */
	if (options[0] == '/' || strncmp(options, "base64:", 7) == 0)
		return 0;
	for (const char *p = options;; p++) {
		const size_t len = strcspn(p, ",");
		bool superblock = false;

		if (strncmp(p, "superblock=", 11) == 0 && len < 20) {
			char value[10] = { 0 };

			memcpy(value, p + 11, len - 11);
			set_boolean(value, &superblock);
		}
		if (starts_with_one_of(p, fec, sizeof(fec) / sizeof(fec[0])))
			n->fec = true;
		else if (!superblock &&
			 !is_one_of(p, len, harmless, sizeof(harmless) / sizeof(harmless[0])) &&
			 !starts_with_one_of(p, shape, sizeof(shape) / sizeof(shape[0])))
			return assay_fail(&n->refused, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
					  "%s= has '%.*s', which is not followed", key,
					  (int)(len < 64 ? len : 64), p);
		p += len;
		if (*p == '\0')
			return 0;
	}
}

/* --- the verdict --------------------------------------------------------------------------------
 */

#define refuse(n, ...) assay_fail(&(n)->refused, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, __VA_ARGS__)

static int judge(const struct seen *s, const char *cmdline, struct assay_verity_named *n)
{
	const char *key = s->usr ? "usrhash" : "roothash";
	const char *mount = s->usr ? "mount.usr" : "root";
	const char *device = s->usr ? "/dev/mapper/usr" : "/dev/mapper/root";
	const char *options = s->usr ? "systemd.verity_usr_options" : "systemd.verity_root_options";

	if (!s->hash)
		return refuse(n, "dm-mod.create= with a verity target is not followed");
	if (!parse_hash(s->hash, n))
		return assay_fail(&n->refused, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET,
				  "%s= is no root hash", key);
	/* COMMAND_LINE_SIZE of x86 and arm64: the kernel keeps no more, its NUL included. */
	if (strlen(cmdline) >= ASSAY_CMDLINE_MAX)
		return refuse(n, "a command line of %zu bytes, of which a kernel keeps %u",
			      strlen(cmdline), ASSAY_CMDLINE_MAX - 1);
	if (s->delete)
		return refuse(n, "a command line with the control character 0x7f, which is a "
				 "blank to some versions of systemd-stub");
	if (s->bootconfig)
		return refuse(n, "bootconfig: parameters out of the initrd are not followed");
	if (s->dm_create)
		return refuse(n, "dm-mod.create= beside %s= is not followed", key);
	if (s->off)
		return refuse(n, "systemd.verity=0: %s= is not looked at", key);
	if (s->what && strcmp(s->what, device) != 0)
		return refuse(n, "%s=%.64s is mounted, and not what %s= binds", mount, s->what,
			      key);
	/* fstab-generator's determine_device(): it mounts the device where there is a hash. */
	if (!s->what && (!s->mounted || s->mounted[0] == '\0'))
		return refuse(n, "rd.%s= alone: nothing mounts what it binds", key);
	return s->options ? parse_options(s->options, options, n) : 0;
}

int assay_verity_cmdline(const char *cmdline, bool usr, struct assay_verity_named **ret,
			 struct assay_err *err)
{
	ASSAY_AUTO(assay_verity_named) *n = NULL;
	struct seen s = { .usr = usr, .delete = strchr(cmdline, 0x7f) != NULL };

	*ret = NULL;
	int rc = take_words(&s, cmdline, err);
	if (rc == 0 && (s.hash || (s.dm_create && !usr))) {
		n = calloc(1, sizeof(*n));
		if (!n) {
			rc = assay_fail_mem(err);
		} else {
			n->usr = usr;
			n->refused.at = ASSAY_NO_OFFSET;
			(void)judge(&s, cmdline, n);
			n->data = assay_steal(&s.data);
			n->hash = assay_steal(&s.tree);
		}
	}
	free_seen(&s);
	if (rc == 0)
		*ret = assay_steal(&n);
	return rc;
}

void assay_verity_named_free(struct assay_verity_named **named)
{
	struct assay_verity_named *n = assay_steal(named);

	if (!n)
		return;
	free(n->data);
	free(n->hash);
	free(n);
}
