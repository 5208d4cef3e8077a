/* SPDX-License-Identifier: Apache-2.0 */
/* The partition table in an event against the one in the facts, partition by partition. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/cur.h"
#include "core/limits.h"
#include "precompute/explain_priv.h"

struct part {
	uint8_t type[16], guid[16];
	uint64_t first, last, attributes;
	uint64_t index; /* of the entry; the event does not tell it */
	char *name;
	size_t other; /* 1 + index of its counterpart; 0: none */
};

struct table {
	char disk[37];
	struct part *parts;
	size_t n;
};

#define MAX_WORDS 4 /* differences that are named; the rest is counted */

static void clear(struct table *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->parts[i].name);
	free(t->parts);
}

/* UEFI_GPT_DATA (PFP 1.06, 10.2.5): header, number of used entries, these (UEFI 2.10, 5.3.3). */
static int read_event(const struct assay_event *ev, struct table *ret, struct assay_err *err)
{
	struct assay_cur c = assay_cur_make(ev->data, ev->data_len, ev->data_at);
	uint8_t disk[16];

	assay_cur_skip(&c, 56);
	assay_cur_copy(&c, disk, sizeof(disk));
	assay_cur_skip(&c, 12);
	const uint32_t size = assay_cur_le32(&c);

	assay_cur_skip(&c, 4);
	const uint64_t n = assay_cur_le64(&c);

	if (assay_cur_done(&c, "UEFI_GPT_DATA", err) < 0)
		return -1;
	if (size < 128 || n > ASSAY_GPT_MAX_ENTRIES || n > c.left / size)
		return assay_fail(err, ASSAY_E_CORRUPT, ev->data_at + 84, "%" PRIu64 " entries of %" PRIu32 " bytes", n,
				  size);
	assay_guid_text(disk, ret->disk);
	ret->parts = calloc((size_t)n + 1, sizeof(*ret->parts));
	if (!ret->parts)
		return assay_fail_mem(err);
	for (; ret->n < n; ret->n++) {
		struct assay_cur e = assay_cur_sub(&c, size);
		struct part *p = &ret->parts[ret->n];

		assay_cur_copy(&e, p->type, sizeof(p->type));
		assay_cur_copy(&e, p->guid, sizeof(p->guid));
		p->first = assay_cur_le64(&e);
		p->last = assay_cur_le64(&e);
		p->attributes = assay_cur_le64(&e);
		const uint8_t *name = assay_cur_take(&e, 72);

		p->name = name ? assay_utf16_to_utf8(name, 72) : NULL;
		if (!p->name)
			return assay_fail_mem(err);
	}
	return 0;
}

static bool integer(const struct assay_json *o, const char *key, uint64_t *ret)
{
	int64_t v;

	if (!assay_json_get_int(assay_json_get(o, key), &v) || v < 0)
		return false;
	*ret = (uint64_t)v;
	return true;
}

static bool guid(const struct assay_json *o, const char *key, uint8_t ret[16])
{
	const char *text = assay_json_str(assay_json_get(o, key));

	return text && assay_guid_parse(text, ret);
}

/* false: these are no facts about a partition table. */
static int read_facts(const struct assay_json *facts, struct table *ret, bool *ret_there, struct assay_err *err)
{
	const struct assay_json *gpt = assay_json_get(facts, "gpt");
	const struct assay_json *parts = assay_json_get(gpt, "partitions");
	const char *disk = assay_json_str(assay_json_get(gpt, "disk_guid"));
	const size_t n = assay_json_len(parts);

	*ret_there = false;
	if (!disk || strlen(disk) != 36 || n > ASSAY_GPT_MAX_ENTRIES)
		return 0;
	memcpy(ret->disk, disk, sizeof(ret->disk));
	ret->parts = calloc(n + 1, sizeof(*ret->parts));
	if (!ret->parts)
		return assay_fail_mem(err);
	for (; ret->n < n; ret->n++) {
		const struct assay_json *o = assay_json_at(parts, ret->n);
		const char *name = assay_json_str(assay_json_get(o, "name"));
		const char *attributes = assay_json_str(assay_json_get(o, "attributes"));
		struct part *p = &ret->parts[ret->n];
		uint8_t be[8];

		if (!guid(o, "type", p->type) || !guid(o, "guid", p->guid) || !integer(o, "first_lba", &p->first) ||
		    !integer(o, "last_lba", &p->last) || !integer(o, "index", &p->index) || !name || !attributes ||
		    !assay_unhex(attributes, strlen(attributes), be, sizeof(be)))
			return 0;
		struct assay_cur c = assay_cur_make(be, sizeof(be), 0);

		p->attributes = assay_cur_be64(&c);
		p->name = assay_strdup(name);
		if (!p->name)
			return assay_fail_mem(err);
	}
	*ret_there = true;
	return 0;
}

/* By GUID; those that are left by their first block, then by name. */
static void pair(struct table *real, struct table *pred)
{
	for (int how = 0; how < 3; how++) {
		for (size_t i = 0; i < real->n; i++) {
			for (size_t k = 0; k < pred->n && !real->parts[i].other; k++) {
				const struct part *a = &real->parts[i], *b = &pred->parts[k];

				if (b->other || (how == 0   ? memcmp(a->guid, b->guid, 16) != 0
						 : how == 1 ? a->first != b->first
							    : strcmp(a->name, b->name) != 0))
					continue;
				real->parts[i].other = k + 1;
				pred->parts[k].other = i + 1;
			}
		}
	}
}

/* "64 MiB"; of sectors of 512 bytes, and else in sectors. */
static void add_size(struct assay_str *s, const struct part *p)
{
	const uint64_t sectors = p->last >= p->first ? p->last - p->first + 1 : 0;

	if (sectors % 2048 == 0 && sectors)
		assay_str_add(s, "%" PRIu64 " sectors (%" PRIu64 " MiB, if these are 512 bytes)", sectors,
			      sectors / 2048);
	else
		assay_str_add(s, "%" PRIu64 " sectors", sectors);
}

static void add_part(struct assay_str *s, const struct part *p)
{
	char text[37];

	assay_str_add(s, "\"%s\" %s, ", p->name, assay_guid_text(p->guid, text));
	add_size(s, p);
}

struct words {
	struct assay_str s;
	size_t n;
};

/* A place for one more difference, or NULL when enough are named. */
static struct assay_str *next(struct words *w)
{
	if (w->n++ >= MAX_WORDS)
		return NULL;
	if (w->n > 1)
		assay_str_add(&w->s, "; ");
	return &w->s;
}

static void differences(struct words *w, const struct part *a, const struct part *b)
{
	const uint64_t number = b->index;
	char ta[37], tb[37];
	struct assay_str *s;

	if (strcmp(a->name, b->name) != 0 && (s = next(w)))
		assay_str_add(s, "partition %" PRIu64 " (%s) is named \"%s\", expected \"%s\"", number,
			      assay_guid_text(a->guid, ta), a->name, b->name);
	if (memcmp(a->guid, b->guid, 16) != 0 && (s = next(w)))
		assay_str_add(s, "partition %" PRIu64 " (\"%s\") has GUID %s, expected %s", number, a->name,
			      assay_guid_text(a->guid, ta), assay_guid_text(b->guid, tb));
	if (memcmp(a->type, b->type, 16) != 0 && (s = next(w)))
		assay_str_add(s, "partition %" PRIu64 " (\"%s\") is of type %s, expected %s", number, a->name,
			      assay_guid_text(a->type, ta), assay_guid_text(b->type, tb));
	if ((a->first != b->first || a->last != b->last) && (s = next(w))) {
		assay_str_add(s, "partition %" PRIu64 " (\"%s\") has ", number, a->name);
		add_size(s, a);
		assay_str_add(s, " from %" PRIu64 ", expected ", a->first);
		add_size(s, b);
		assay_str_add(s, " from %" PRIu64, b->first);
	}
	if (a->attributes != b->attributes && (s = next(w)))
		assay_str_add(s, "partition %" PRIu64 " (\"%s\") has attributes 0x%" PRIx64 ", expected 0x%" PRIx64,
			      number, a->name, a->attributes, b->attributes);
}

static void compare(struct words *w, struct table *real, struct table *pred)
{
	struct assay_str *s;

	pair(real, pred);
	for (size_t i = 0; i < real->n; i++) {
		const struct part *p = &real->parts[i];

		if (p->other) {
			differences(w, p, &pred->parts[p->other - 1]);
		} else if ((s = next(w))) {
			assay_str_add(s, "a partition is one more: ");
			add_part(s, p);
		}
	}
	for (size_t k = 0; k < pred->n; k++)
		if (!pred->parts[k].other && (s = next(w))) {
			assay_str_add(s, "a partition is missing: ");
			add_part(s, &pred->parts[k]);
		}
	if (strcmp(real->disk, pred->disk) != 0 && (s = next(w)))
		assay_str_add(s, "the disk's GUID is %s, expected %s", real->disk, pred->disk);
	if (w->n == 0 && (s = next(w)))
		assay_str_add(
			s,
			"its partitions are the same, in name, place and identity: their order or the table's header "
			"differs (a disk of another size)");
	if (w->n > MAX_WORDS)
		assay_str_add(&w->s, "; and %zu more", w->n - MAX_WORDS);
}

static void list(struct words *w, const struct table *real, const char *expected)
{
	assay_str_add(&w->s, "the machine's disk %s has %zu partition%s: ", real->disk, real->n,
		      real->n == 1 ? "" : "s");
	for (size_t i = 0; i < real->n && i < MAX_WORDS; i++) {
		assay_str_add(&w->s, "%s", i ? "; " : "");
		add_part(&w->s, &real->parts[i]);
	}
	if (real->n > MAX_WORDS)
		assay_str_add(&w->s, "; and %zu more", real->n - MAX_WORDS);
	assay_str_add(&w->s, "; expected %s (a manifest would tell which partition differs)", expected);
}

static int words(const struct assay_explainer *x, const struct assay_row *row, struct words *w, struct assay_err *err)
{
	struct table real = { 0 }, pred = { 0 };
	enum assay_event_match match;
	bool there = false;
	int rc = assay_event_match(row->real, &match, err);

	if (rc == 0 && match == ASSAY_EVENT_NOT_OF_DATA) {
		assay_str_add(&w->s, "what the log has of it is not what was hashed");
		return 0;
	}
	if (rc == 0)
		rc = read_event(row->real, &real, err);
	if (rc == 0)
		rc = read_facts(x->in->facts, &pred, &there, err);
	if (rc == 0 && there)
		compare(w, &real, &pred);
	else if (rc == 0)
		list(w, &real, *assay_row_detail(row) ? assay_row_detail(row) : "another");
	clear(&real);
	clear(&pred);
	if (rc < 0 && err->code != ASSAY_E_NOMEM && err->code != ASSAY_E_CRYPTO) {
		assay_str_add(&w->s, "the log's is malformed: %s", err->msg);
		return 0;
	}
	return rc;
}

char *assay_explain_gpt(const struct assay_explainer *x, const struct assay_row *row)
{
	struct words w = { 0 };
	struct assay_err err;

	assay_str_add(&w.s, "another partition table: ");
	if (words(x, row, &w, &err) < 0) {
		assay_str_clear(&w.s);
		return NULL;
	}
	return assay_str_steal(&w.s);
}
