/* SPDX-License-Identifier: Apache-2.0 */
/* What changed on a disk beside its ESP: partition table, root hashes, filesystems, containers. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "manifest/diff_priv.h"
#include "measure/fs/tree.h"

/* "partition 2", or "the disk" where it has none. */
struct name {
	char text[48];
};

static struct name name_of(const struct assay_json *o)
{
	const int64_t part = assay_diff_int(o, "partition");
	struct name n = { "the disk" };

	if (part > 0)
		snprintf(n.text, sizeof(n.text), "partition %" PRId64, part);
	return n;
}

static const struct assay_json *of_partition(const struct assay_json *list, const struct assay_json *like)
{
	for (size_t i = 0; i < assay_json_len(list); i++)
		if (assay_diff_int(assay_json_at(list, i), "partition") == assay_diff_int(like, "partition"))
			return assay_json_at(list, i);
	return NULL;
}

static unsigned partition_of(const struct assay_json *o)
{
	const int64_t part = assay_diff_int(o, "partition");

	return part > 0 ? (unsigned)part : 0;
}

/* --- root hashes -------------------------------------------------------------------------------- */

/* Is this partition's GUID half of the root hash? (systemd's repart, Discoverable Partitions Specification) */
static bool guid_is_half(const struct assay_json *gpt, int64_t part, const char *hash, bool last)
{
	const struct assay_json *list = assay_json_get(gpt, "partitions");
	const size_t len = strlen(hash);

	for (size_t i = 0; i < assay_json_len(list) && len >= 32; i++) {
		const char *guid = assay_diff_str(assay_json_at(list, i), "guid");
		const char *half = last ? hash + len - 32 : hash;
		size_t k = 0;

		if (assay_diff_int(assay_json_at(list, i), "index") != part)
			continue;
		for (; *guid; guid++) {
			if (*guid == '-')
				continue;
			if (k == 32 || *guid != half[k])
				return false;
			k++;
		}
		return k == 32;
	}
	return false;
}

static bool guid_follows(const struct assay_json *facts, int64_t part)
{
	const struct assay_json *list = assay_json_get(facts, "verity");

	for (size_t i = 0; i < assay_json_len(list); i++) {
		const struct assay_json *v = assay_json_at(list, i);
		const char *hash = assay_diff_str(v, "root_hash");

		if ((assay_diff_int(v, "partition") == part && guid_is_half(assay_json_get(facts, "gpt"), part, hash, false)) ||
		    (assay_diff_int(v, "hash_partition") == part &&
		     guid_is_half(assay_json_get(facts, "gpt"), part, hash, true)))
			return true;
	}
	return false;
}

static void verity_pair(struct assay_diff_work *w, const struct assay_json *facts[2], const struct assay_json *a,
			const struct assay_json *b)
{
	static const char *const others[] = { "algorithm", "data_block_size", "hash_block_size", "data_blocks",
					      "hash_partition", "salt", "source", "usage", "verified" };
	const bool moved = !assay_diff_same(a, b, "root_hash");
	ASSAY_AUTO_FREE char *what = assay_asprintf("root hash of %s", name_of(b).text);
	ASSAY_AUTO_FREE char *text = NULL;
	struct assay_diff_item *item = NULL;

	if (moved) {
		text = assay_asprintf("%s -> %s", assay_diff_str(a, "root_hash"), assay_diff_str(b, "root_hash"));
		item = assay_diff_add(w, ASSAY_DIFF_VERITY, "root hash", what, text);
		item->cause.root_hash = partition_of(b);
		item->cause.section = ".cmdline";
		item->cause.options = true;
		item->cause.gpt = guid_follows(facts[0], assay_diff_int(a, "partition")) ||
				  guid_follows(facts[1], assay_diff_int(b, "partition"));
		assay_diff_path(w, item, 0, assay_diff_str(a, "source"));
		assay_diff_path(w, item, 1, assay_diff_str(b, "source"));
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		const struct assay_json *x = assay_json_get(a, others[i]), *y = assay_json_get(b, others[i]);
		ASSAY_AUTO_FREE char *from = NULL, *to = NULL;
		size_t len;

		if ((!x && !y) || assay_json_equal(x, y))
			continue;
		if (!item) {
			item = assay_diff_add(w, ASSAY_DIFF_VERITY, "verity", what, "the same, made otherwise");
			item->cause.root_hash_of = partition_of(b);
		}
		if ((x && assay_json_dump(x, &from, &len, NULL) < 0) || (y && assay_json_dump(y, &to, &len, NULL) < 0)) {
			w->bad = true;
			return;
		}
		assay_diff_detail(w, item, "%s: %.*s -> %.*s", others[i], (int)strcspn(from ? from : "nothing", "\n"),
				  from ? from : "nothing", (int)strcspn(to ? to : "nothing", "\n"), to ? to : "nothing");
	}
}

static const struct assay_json *same_pair(const struct assay_json *list, const struct assay_json *like)
{
	for (size_t i = 0; i < assay_json_len(list); i++) {
		const struct assay_json *v = assay_json_at(list, i);

		if (assay_diff_int(v, "partition") == assay_diff_int(like, "partition") && assay_diff_same(v, like, "usage"))
			return v;
	}
	return NULL;
}

static void verity(struct assay_diff_work *w, const struct assay_json *facts[2])
{
	const struct assay_json *a = assay_json_get(facts[0], "verity"), *b = assay_json_get(facts[1], "verity");

	for (int side = 0; side < 2; side++) {
		const struct assay_json *ours = side ? b : a, *theirs = side ? a : b;

		for (size_t i = 0; i < assay_json_len(ours); i++) {
			const struct assay_json *v = assay_json_at(ours, i), *other = same_pair(theirs, v);
			ASSAY_AUTO_FREE char *text = NULL;

			if (other && side == 0)
				verity_pair(w, facts, v, other);
			if (other)
				continue;
			text = assay_asprintf("%c %s of %s", side ? '+' : '-', assay_diff_str(v, "root_hash"), name_of(v).text);
			struct assay_diff_item *item = assay_diff_add(w, ASSAY_DIFF_VERITY, "root hash", "root hash", text);
			item->cause.root_hash = partition_of(v);
			item->cause.section = ".cmdline";
			item->cause.options = true;
			item->cause.gpt = guid_follows(facts[side], assay_diff_int(v, "partition"));
			assay_diff_path(w, item, side, assay_diff_str(v, "source"));
		}
	}
}

/* --- partition table ---------------------------------------------------------------------------- */

static struct assay_diff_item *gpt_line(struct assay_diff_work *w, char *text)
{
	struct assay_diff_item *item = assay_diff_add(w, ASSAY_DIFF_GPT, "partition table", "partition table", text);

	free(text);
	item->cause.gpt = true;
	return item;
}

static void partition(struct assay_diff_work *w, const struct assay_json *facts[2], const struct assay_json *a,
		      const struct assay_json *b)
{
	static const struct {
		const char *key, *words;
	} texts[] = { { "name", "name" }, { "type", "type" }, { "attributes", "attributes" } };
	const int64_t from = assay_diff_int(a, "size"), to = assay_diff_int(b, "size"), index = assay_diff_int(b, "index");
	struct assay_str s = { 0 };
	struct assay_diff_item *item = NULL;

	if (from != to)
		assay_str_add(&s, "%s by %" PRId64 " bytes to %" PRId64, from < to ? "grew" : "shrank",
			      from < to ? to - from : from - to, to);
	if (!assay_diff_same(a, b, "offset"))
		assay_str_add(&s, "%smoved from byte %" PRId64 " to %" PRId64, s.len ? "; " : "", assay_diff_int(a, "offset"),
			      assay_diff_int(b, "offset"));
	if (!assay_diff_same(a, b, "guid") && (!guid_follows(facts[0], index) || !guid_follows(facts[1], index)))
		assay_str_add(&s, "%sGUID %s -> %s", s.len ? "; " : "", assay_diff_str(a, "guid"), assay_diff_str(b, "guid"));
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (!assay_diff_same(a, b, texts[i].key))
			assay_str_add(&s, "%s%s %s -> %s", s.len ? "; " : "", texts[i].words, assay_diff_str(a, texts[i].key),
				      assay_diff_str(b, texts[i].key));
	if (s.len)
		item = gpt_line(w, assay_asprintf("partition %" PRId64 " %s", index, s.p));
	(void)item;
	w->bad = w->bad || s.bad;
	assay_str_clear(&s);
}

static const struct assay_json *of_index(const struct assay_json *list, int64_t index)
{
	for (size_t i = 0; i < assay_json_len(list); i++)
		if (assay_diff_int(assay_json_at(list, i), "index") == index)
			return assay_json_at(list, i);
	return NULL;
}

static char *new_partition(char sign, const struct assay_json *p)
{
	const char *type = assay_diff_str(p, "type_name");

	return assay_asprintf("%c partition %" PRId64 ": %s%s%s, %" PRId64 " bytes", sign, assay_diff_int(p, "index"),
			      assay_diff_str(p, "name"), *assay_diff_str(p, "name") ? ", " : "",
			      *type ? type : assay_diff_str(p, "type"), assay_diff_int(p, "size"));
}

static void gpt(struct assay_diff_work *w, const struct assay_json *facts[2])
{
	static const char *const others[] = { "sector_size", "protective_mbr", "backup" };
	const struct assay_json *x = assay_json_get(facts[0], "gpt"), *y = assay_json_get(facts[1], "gpt");
	const struct assay_json *a = assay_json_get(x, "partitions"), *b = assay_json_get(y, "partitions");
	const size_t before = w->diff->n;
	bool followed = false;

	if (!x || !y) {
		if (x || y)
			(void)gpt_line(w, assay_strdup(x ? "there is none any more" : "there is one now"));
		return;
	}
	for (size_t i = 0; i < assay_json_len(a); i++) {
		const struct assay_json *p = assay_json_at(a, i), *q = of_index(b, assay_diff_int(p, "index"));

		followed = followed || (q && !assay_diff_same(p, q, "guid"));
		if (q)
			partition(w, facts, p, q);
		else
			(void)gpt_line(w, new_partition('-', p));
	}
	for (size_t i = 0; i < assay_json_len(b); i++)
		if (!of_index(a, assay_diff_int(assay_json_at(b, i), "index")))
			(void)gpt_line(w, new_partition('+', assay_json_at(b, i)));
	if (!assay_diff_same(x, y, "disk_guid"))
		(void)gpt_line(w, assay_asprintf("GUID of the disk %s -> %s", assay_diff_str(x, "disk_guid"),
						 assay_diff_str(y, "disk_guid")));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (!assay_diff_same(x, y, others[i]))
			(void)gpt_line(w, assay_asprintf("%s: %s", others[i],
							 strcmp(others[i], "backup") == 0 ?
								 assay_diff_str(y, "backup") :
								 "another one"));
	/* The header counts the entries' checksum and the disk's size in. */
	if (w->diff->n == before && !followed && !assay_diff_same(x, y, "header")) {
		const int64_t from = assay_diff_int(assay_json_get(facts[0], "image"), "size"),
			      to = assay_diff_int(assay_json_get(facts[1], "image"), "size");

		(void)gpt_line(w, from != to ? assay_asprintf("the header: the disk %s by %" PRId64 " bytes to %" PRId64,
							      from < to ? "grew" : "shrank",
							      from < to ? to - from : from - to, to) :
					       assay_strdup("the header, and no partition"));
	}
}

/* --- trees -------------------------------------------------------------------------------------- */

struct lines {
	char **l;
	size_t n, cap;
};

static void clear_lines(struct lines *lines)
{
	for (size_t i = 0; i < lines->n; i++)
		free(lines->l[i]);
	free(lines->l);
}

/* One name of a tree; the words between two of them (hard links) are no names. */
static int keep_line(const char *line, size_t len, void *arg, struct assay_err *err)
{
	struct lines *to = arg;

	if (*line == '#')
		return 0;
	if (to->n == to->cap) {
		const size_t cap = to->cap ? 2 * to->cap : 1024;
		char **more = reallocarray(to->l, cap, sizeof(*more));

		if (!more)
			return assay_fail_mem(err);
		to->l = more;
		to->cap = cap;
	}
	to->l[to->n] = strndup(line, len > 0 && line[len - 1] == '\n' ? len - 1 : len);
	return to->l[to->n] ? (void)to->n++, 0 : assay_fail_mem(err);
}

static int read_tree(struct assay_src *disk, const struct assay_json *facts, const struct assay_json *filesystem,
		     struct lines *ret, struct assay_err *err)
{
	const struct assay_json *part = of_index(assay_json_get(assay_json_get(facts, "gpt"), "partitions"),
						 assay_diff_int(filesystem, "partition"));
	const struct assay_json *pair = of_partition(assay_json_get(facts, "verity"), filesystem);
	int64_t offset = assay_diff_int(part, "offset"), size = assay_diff_int(part, "size");
	const int64_t covered = assay_diff_int(pair, "data_blocks"), block = assay_diff_int(pair, "data_block_size");
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO(assay_fs) *fs = NULL;
	struct assay_fs_tree tree;

	if (!part) {
		offset = 0;
		size = (int64_t)assay_src_size(disk);
	}
	/* As measure/root.c looks at it: what dm-verity gives to the kernel. */
	if (covered > 0 && block > 0 && covered <= size / block)
		size = covered * block;
	if (offset < 0 || size < 0 || assay_src_slice(disk, (uint64_t)offset, (uint64_t)size, &src, err) < 0 ||
	    assay_fs_open(src, &fs, err) < 0 || assay_fs_tree_digest(fs, "/", keep_line, ret, &tree, err) < 0)
		return -1;
	return 0;
}

/* As assay_fs_walk() has them: '/' is the least of bytes, and the name ends at the first blank. */
static int compare_names(const char *a, const char *b)
{
	for (;; a++, b++) {
		const int x = *a == ' ' ? 0 : *a == '/' ? 1 : (unsigned char)*a + 1;
		const int y = *b == ' ' ? 0 : *b == '/' ? 1 : (unsigned char)*b + 1;

		if (x != y || x == 0)
			return x < y ? -1 : x > y;
	}
}

struct tree_counts {
	size_t changed, added, removed, times;
};

/* Value of "key=" in a line: where it stands and how long it is; NULL. */
static const char *value_of(const char *line, const char *key, size_t *ret_len)
{
	const char *at = strstr(line, key);

	if (!at)
		return NULL;
	at += strlen(key);
	*ret_len = strcspn(at, " ");
	return at;
}

static bool same_value(const char *a, const char *b, const char *key)
{
	size_t n = 0, k = 0;
	const char *x = value_of(a, key, &n), *y = value_of(b, key, &k);

	return (!x && !y) || (x && y && n == k && memcmp(x, y, n) == 0);
}

static void changed_line(struct assay_diff_work *w, struct assay_diff_item *item, const char *a, const char *b,
			 struct tree_counts *c)
{
	static const char *const keys[] = { " type=", " mode=", " uid=", " gid=", " link=", " device=" };
	const int len = (int)strcspn(b, " ");
	struct assay_str more = { 0 };
	const bool content = !same_value(a, b, " sha256digest=") || !same_value(a, b, " size=");

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		size_t n = 0, k = 0;
		const char *x = value_of(a, keys[i], &n), *y = value_of(b, keys[i], &k);

		if (!same_value(a, b, keys[i]))
			assay_str_add(&more, "%s%.*s %.*s -> %.*s", more.len ? ", " : "", (int)strlen(keys[i]) - 2, keys[i] + 1,
				      x ? (int)n : 4, x ? x : "none", y ? (int)k : 4, y ? y : "none");
	}
	if (!content && !more.len) {
		c->times++;
	} else {
		c->changed++;
		/* Without its dot. */
		if (more.len)
			assay_diff_detail(w, item, "~ %.*s: %s%s", len > 1 ? len - 1 : 1, len > 1 ? b + 1 : "/",
					  content ? "other content, " : "", more.p);
		else
			assay_diff_detail(w, item, "~ %.*s", len > 1 ? len - 1 : 1, len > 1 ? b + 1 : "/");
	}
	w->bad = w->bad || more.bad;
	assay_str_clear(&more);
}

static void only_one(struct assay_diff_work *w, struct assay_diff_item *item, char sign, const char *line)
{
	assay_diff_detail(w, item, "%c %.*s", sign, (int)strcspn(line, " ") - 1, line + 1);
}

static char *compare_trees(struct assay_diff_work *w, struct assay_diff_item *item, const struct lines *a,
			   const struct lines *b)
{
	struct tree_counts c = { 0 };
	struct assay_str s = { 0 };

	for (size_t i = 0, k = 0; i < a->n || k < b->n;) {
		const int order = i == a->n ? 1 : k == b->n ? -1 : compare_names(a->l[i], b->l[k]);

		if (order < 0) {
			c.removed++;
			only_one(w, item, '-', a->l[i++]);
		} else if (order > 0) {
			c.added++;
			only_one(w, item, '+', b->l[k++]);
		} else {
			if (strcmp(a->l[i], b->l[k]) != 0)
				changed_line(w, item, a->l[i], b->l[k], &c);
			i++;
			k++;
		}
	}
	if (c.changed)
		assay_str_add(&s, "%zu file%s changed", c.changed, c.changed > 1 ? "s" : "");
	if (c.added)
		assay_str_add(&s, "%s+%zu", s.len ? ", " : "", c.added);
	if (c.removed)
		assay_str_add(&s, "%s-%zu", s.len ? ", " : "", c.removed);
	if (c.times)
		assay_str_add(&s, "%s%zu with another time alone", s.len ? ", " : "", c.times);
	return assay_str_steal(&s);
}

/* Walks both trees where there are two disks. */
static int by_files(struct assay_diff_work *w, const struct assay_json *facts[2], const struct assay_json *fs[2],
		    struct assay_src *const disks[2], struct assay_diff_item *item, struct assay_err *err)
{
	struct lines lines[2] = { { 0 } };
	int rc = 0;

	for (int i = 0; i < 2 && rc == 0; i++) {
		rc = read_tree(disks[i], facts[i], fs[i], &lines[i], err);
		if (rc < 0)
			assay_wrap(err, "%s: %s", i ? "B" : "A", name_of(fs[i]).text);
	}
	if (rc == 0) {
		char *text = compare_trees(w, item, &lines[0], &lines[1]);

		free(item->change.text);
		item->change.text = text;
		w->bad = w->bad || !text;
	}
	for (int i = 0; i < 2; i++)
		clear_lines(&lines[i]);
	return rc;
}

/* --- packages ----------------------------------------------------------------------------------- */

struct packages {
	struct assay_diff_item *item;
	struct assay_str first; /* "libssl3 3.5.1-1 -> 3.5.2-1" */
	size_t changed, added, removed;
};

static void one_package(struct assay_diff_work *w, const char *key, const struct assay_json *a,
			const struct assay_json *b, void *arg)
{
	const char *x = assay_json_str(a) ? assay_json_str(a) : "", *y = assay_json_str(b) ? assay_json_str(b) : "";
	const int name = (int)strcspn(key, ":");
	struct packages *p = arg;

	if (a && b && strcmp(x, y) == 0)
		return;
	if (a && b) {
		if (p->changed++ < 3)
			assay_str_add(&p->first, "%s%.*s %s -> %s", p->first.len ? ", " : "", name, key, x, y);
		assay_diff_detail(w, p->item, "~ %s %s -> %s", key, x, y);
	} else {
		p->added += !a;
		p->removed += !b;
		assay_diff_detail(w, p->item, "%c %s %s", a ? '-' : '+', key, a ? x : y);
	}
}

static void packages(struct assay_diff_work *w, const struct assay_json *a, const struct assay_json *b)
{
	const struct assay_json *x = assay_json_get(a, "packages"), *y = assay_json_get(b, "packages");

	if (!x && !y)
		return;
	for (size_t i = 0; i < assay_json_len(y) || i < assay_json_len(x); i++) {
		const struct assay_json *q = assay_json_at(y, i) ? assay_json_at(y, i) : assay_json_at(x, i);
		const struct assay_json *db[2] = { assay_diff_find(x, "path", assay_diff_str(q, "path")),
						   assay_diff_find(y, "path", assay_diff_str(q, "path")) };
		ASSAY_AUTO_FREE char *what = assay_asprintf("packages of %s", name_of(b).text);
		struct packages p = { 0 };

		if (db[0] && db[1] && assay_json_equal(db[0], db[1]))
			continue;
		p.item = assay_diff_add(w, ASSAY_DIFF_PACKAGES, "packages", what, "");
		p.item->cause.root_hash_of = partition_of(b);
		assay_diff_pairs(w, assay_json_get(db[0], "installed"), assay_json_get(db[1], "installed"), one_package, &p);
		if (p.changed > 3)
			assay_str_add(&p.first, ", %zu more", p.changed - 3);
		if (p.added || p.removed)
			assay_str_add(&p.first, "%s+%zu -%zu", p.first.len ? ", " : "", p.added, p.removed);
		/* All of it is in the line. */
		if (p.changed <= 3 && p.added + p.removed == 0) {
			for (size_t k = 0; k < p.item->change.n_details; k++)
				free(p.item->change.details[k]);
			p.item->change.n_details = 0;
		}
		if (!p.first.len)
			assay_str_add(&p.first, "%s: the database", assay_diff_str(q, "path"));
		if (!db[0] || !db[1])
			assay_str_add(&p.first, " (%s has no %s)", db[0] ? "B" : "A", assay_diff_str(q, "path"));
		free(p.item->change.text);
		p.item->change.text = assay_str_steal(&p.first);
		w->bad = w->bad || !p.item->change.text;
	}
}

/* --- filesystems and containers ----------------------------------------------------------------- */

static const struct assay_json *tree_of(const struct assay_json *fs)
{
	return assay_json_get(fs, "tree");
}

static int filesystem(struct assay_diff_work *w, const struct assay_json *facts[2], const struct assay_json *fs[2],
		      struct assay_src *const disks[2], struct assay_err *err)
{
	ASSAY_AUTO_FREE char *what = assay_asprintf("filesystem of %s", name_of(fs[1]).text);
	const struct assay_json *x = tree_of(fs[0]), *y = tree_of(fs[1]);
	ASSAY_AUTO_FREE char *text = NULL;
	struct assay_diff_item *item;

	packages(w, fs[0], fs[1]);
	if (!assay_diff_same(fs[0], fs[1], "type") || !assay_diff_same(fs[0], fs[1], "error")) {
		text = assay_asprintf("%s%s -> %s%s", assay_diff_str(fs[0], "type"), assay_diff_str(fs[0], "error"),
				      assay_diff_str(fs[1], "type"), assay_diff_str(fs[1], "error"));
		item = assay_diff_add(w, ASSAY_DIFF_FILES, "filesystem", what, text);
		item->cause.root_hash_of = partition_of(fs[1]);
	}
	if (!x || !y || assay_diff_same(x, y, "sha256"))
		return 0;
	free(text);
	text = assay_asprintf("other files, %" PRId64 " -> %" PRId64 " names: tree %.12s... -> %.12s...", assay_diff_int(x, "names"),
			      assay_diff_int(y, "names"), assay_diff_str(x, "sha256"), assay_diff_str(y, "sha256"));
	item = assay_diff_add(w, ASSAY_DIFF_FILES, "filesystem", what, text);
	item->cause.root_hash_of = partition_of(fs[1]);
	return disks[0] && disks[1] ? by_files(w, facts, fs, disks, item, err) : 0;
}

static int filesystems(struct assay_diff_work *w, const struct assay_json *facts[2], struct assay_src *const disks[2],
		       struct assay_err *err)
{
	const struct assay_json *a = assay_json_get(facts[0], "filesystems"), *b = assay_json_get(facts[1], "filesystems");

	for (int side = 0; side < 2; side++) {
		const struct assay_json *ours = side ? b : a, *theirs = side ? a : b;

		for (size_t i = 0; i < assay_json_len(ours); i++) {
			const struct assay_json *p = assay_json_at(ours, i), *q = of_partition(theirs, p);
			const struct assay_json *fs[2] = { p, q };
			ASSAY_AUTO_FREE char *text = NULL;

			if (q && side == 0 && filesystem(w, facts, fs, disks, err) < 0)
				return -1;
			if (q)
				continue;
			text = assay_asprintf("%c %s of %s", side ? '+' : '-', assay_diff_str(p, "type"), name_of(p).text);
			assay_diff_add(w, ASSAY_DIFF_FILES, "filesystem", "filesystem", text)->cause.root_hash_of = partition_of(p);
		}
	}
	return 0;
}

static const char *first_name(const struct assay_json *c)
{
	const char *name = assay_json_str(assay_json_at(assay_json_get(c, "names"), 0));

	return name ? name : assay_diff_str(c, "archive");
}

static const struct assay_json *same_container(const struct assay_json *list, const struct assay_json *like)
{
	for (size_t i = 0; i < assay_json_len(list); i++) {
		const struct assay_json *c = assay_json_at(list, i);

		if (strcmp(first_name(c), first_name(like)) == 0 && assay_diff_same(c, like, "archive"))
			return c;
	}
	for (size_t i = 0; i < assay_json_len(list); i++)
		if (strcmp(first_name(assay_json_at(list, i)), first_name(like)) == 0)
			return assay_json_at(list, i);
	return NULL;
}

static void container(struct assay_diff_work *w, const struct assay_json *a, const struct assay_json *b)
{
	ASSAY_AUTO_FREE char *what = assay_asprintf("container %s", first_name(b));
	const struct assay_json *x = assay_json_get(a, "layers"), *y = assay_json_get(b, "layers");
	const bool id = !assay_diff_same(a, b, "image_id");
	ASSAY_AUTO_FREE char *text = NULL;

	if (id)
		text = assay_asprintf("image ID %s -> %s", assay_diff_str(a, "image_id"), assay_diff_str(b, "image_id"));
	else if (!assay_diff_same(a, b, "archive"))
		text = assay_asprintf("archive %s -> %s", assay_diff_str(a, "archive"), assay_diff_str(b, "archive"));
	else if (!assay_diff_same(a, b, "names"))
		text = assay_strdup("other names");
	else if (!assay_diff_same(a, b, "layers"))
		text = assay_strdup("the same image, its layers packed otherwise or not all there");
	else
		return;
	struct assay_diff_item *item = assay_diff_add(w, ASSAY_DIFF_CONTAINER, "container", what, text);
	item->cause.root_hash_of = partition_of(b);
	for (size_t i = 0; id && (i < assay_json_len(x) || i < assay_json_len(y)); i++) {
		const char *from = assay_diff_str(assay_json_at(x, i), "diff_id"), *to = assay_diff_str(assay_json_at(y, i), "diff_id");

		if (strcmp(from, to) != 0)
			assay_diff_detail(w, item, "~ layer %zu: %s -> %s", i + 1, *from ? from : "none", *to ? to : "none");
	}
}

static void containers(struct assay_diff_work *w, const struct assay_json *facts[2])
{
	const struct assay_json *a = assay_json_get(facts[0], "containers"), *b = assay_json_get(facts[1], "containers");

	for (int side = 0; side < 2; side++) {
		const struct assay_json *ours = side ? b : a, *theirs = side ? a : b;

		for (size_t i = 0; i < assay_json_len(ours); i++) {
			const struct assay_json *c = assay_json_at(ours, i), *other = same_container(theirs, c);
			ASSAY_AUTO_FREE char *text = NULL;

			if (other && side == 0)
				container(w, c, other);
			if (other)
				continue;
			text = assay_asprintf("%c %s, image ID %s", side ? '+' : '-', first_name(c), assay_diff_str(c, "image_id"));
			assay_diff_add(w, ASSAY_DIFF_CONTAINER, "container", "container", text)->cause.root_hash_of =
				partition_of(c);
		}
	}
}

/* --- the chain ---------------------------------------------------------------------------------- */

static bool has_link(const struct assay_json *chain, const struct assay_json *like)
{
	for (size_t i = 0; i < assay_json_len(chain); i++) {
		const struct assay_json *l = assay_json_at(chain, i);

		if (assay_diff_same(l, like, "link") && assay_diff_same(l, like, "state") && assay_diff_same(l, like, "why"))
			return true;
	}
	return false;
}

/* Links that hold on one side only: what else changed is told above. */
static void chain(struct assay_diff_work *w, const struct assay_json *facts[2])
{
	for (int side = 0; side < 2; side++) {
		const struct assay_json *ours = assay_json_get(facts[side], "chain");
		const struct assay_json *theirs = assay_json_get(facts[!side], "chain");

		for (size_t i = 0; i < assay_json_len(ours); i++) {
			const struct assay_json *l = assay_json_at(ours, i);
			ASSAY_AUTO_FREE char *text = NULL;

			if (strcmp(assay_diff_str(l, "state"), "ok") == 0 || has_link(theirs, l))
				continue;
			text = assay_asprintf("%s %s: %s is %s: %s", side ? "B:" : "A:", assay_diff_str(l, "link"),
					      assay_diff_str(l, "what"), assay_diff_str(l, "state"), assay_diff_str(l, "why"));
			(void)assay_diff_add(w, ASSAY_DIFF_CHAIN, "chain", "the chain", text);
		}
	}
}

int assay_diff_disk(struct assay_diff_work *w, const struct assay_json *a, const struct assay_json *b,
		    struct assay_src *const disks[2], struct assay_err *err)
{
	const struct assay_json *facts[2] = { a, b };

	gpt(w, facts);
	verity(w, facts);
	if (filesystems(w, facts, disks, err) < 0)
		return -1;
	containers(w, facts);
	chain(w, facts);
	return 0;
}
