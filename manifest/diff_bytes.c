/* SPDX-License-Identifier: Apache-2.0 */
/* Two disks of which every fact is the same: are their bytes? */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "manifest/diff_priv.h"

#define BLOCK ((size_t)1 << 20)

/* "partition 1 (ESP): clusters of no file", by the facts' own list. */
static const struct assay_json *region_at(const struct assay_json *facts, uint64_t off)
{
	const struct assay_json *list = assay_json_get(facts, "regions");

	for (size_t i = 0; i < assay_json_len(list); i++) {
		const struct assay_json *r = assay_json_at(list, i);
		const int64_t at = assay_diff_int(r, "offset"), size = assay_diff_int(r, "size");

		if (at >= 0 && size > 0 && off >= (uint64_t)at && off - (uint64_t)at < (uint64_t)size)
			return r;
	}
	return NULL;
}

struct found {
	uint64_t first, n;
};

static int compare_disks(struct assay_src *a, struct assay_src *b, struct found *ret, struct assay_err *err)
{
	const uint64_t x = assay_src_size(a), y = assay_src_size(b), end = x < y ? x : y;
	ASSAY_AUTO_FREE uint8_t *buf = malloc(2 * BLOCK);

	if (!buf)
		return assay_fail_mem(err);
	*ret = (struct found){ .first = end };
	for (uint64_t off = 0; off < end; off += BLOCK) {
		const size_t n = end - off < BLOCK ? (size_t)(end - off) : BLOCK;

		if (assay_src_read(a, off, buf, n, err) < 0 || assay_src_read(b, off, buf + BLOCK, n, err) < 0)
			return -1;
		if (memcmp(buf, buf + BLOCK, n) == 0)
			continue;
		for (size_t i = 0; i < n; i++) {
			if (buf[i] == buf[BLOCK + i])
				continue;
			if (ret->n++ == 0)
				ret->first = off + i;
		}
	}
	return 0;
}

/* Manifests know each partition's digest, not the bytes. */
static void by_partitions(struct assay_diff_work *w, struct assay_diff_item *item, const struct assay_json *a,
			  const struct assay_json *b)
{
	const struct assay_json *x = assay_json_get(assay_json_get(a, "gpt"), "partitions");
	const struct assay_json *y = assay_json_get(assay_json_get(b, "gpt"), "partitions");
	size_t n = 0;

	for (size_t i = 0; i < assay_json_len(x); i++) {
		const struct assay_json *p = assay_json_at(x, i), *q = assay_json_at(y, i);

		if (!assay_json_get(p, "digest") || !assay_json_get(q, "digest") || assay_diff_same(p, q, "digest"))
			continue;
		n++;
		assay_diff_detail(w, item, "in partition %" PRId64 " (%s)", assay_diff_int(p, "index"),
				  assay_diff_str(p, "type_name"));
	}
	if (n == 0 && assay_json_len(x) > 0)
		assay_diff_detail(w, item, "outside of partitions");
}

int assay_diff_bytes(struct assay_diff_work *w, const struct assay_json *a, const struct assay_json *b,
		     struct assay_src *const disks[2], struct assay_err *err)
{
	const struct assay_json *x = assay_json_get(a, "image"), *y = assay_json_get(b, "image");
	const struct assay_json *p = assay_json_get(assay_json_get(x, "digest"), "sha256");
	const struct assay_json *q = assay_json_get(assay_json_get(y, "digest"), "sha256");
	struct assay_diff_item *item;
	struct found found = { 0 };

	if (assay_json_equal(p, q))
		return 0;
	item = assay_diff_add(w, ASSAY_DIFF_UNMEASURED, "unmeasured", "unmeasured",
			      "the disks differ in bytes that no fact is about");
	if (!assay_diff_same(x, y, "size"))
		assay_diff_detail(w, item, "size %" PRId64 " -> %" PRId64, assay_diff_int(x, "size"), assay_diff_int(y, "size"));
	if (!disks[0] || !disks[1]) {
		by_partitions(w, item, a, b);
		return 0;
	}
	if (compare_disks(disks[0], disks[1], &found, err) < 0)
		return -1;
	if (found.n == 0)
		return 0;
	const struct assay_json *region = region_at(b, found.first);
	assay_diff_detail(w, item, "%" PRIu64 " byte%s, the first at 0x%" PRIx64 ": %s", found.n, found.n > 1 ? "s" : "",
			  found.first, region ? assay_diff_str(region, "what") : "nothing that has a name");
	return 0;
}
