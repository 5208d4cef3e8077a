/* SPDX-License-Identifier: Apache-2.0 */
/* Claims in layers against a disk that is painted byte by byte. */
#include "tests/unit/alloc.h"
#include "tests/unit/unit.h"

#include "core/limits.h"
#include "measure/regions.h"

#define SIZE 300

static uint64_t state_of_random = 1;

static unsigned next(unsigned n)
{
	state_of_random = state_of_random * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (unsigned)(state_of_random >> 33) % n;
}

struct claim {
	enum assay_region_layer layer;
	uint64_t offset, size;
	unsigned label;
};

static void check_list(struct assay_regions *r, const unsigned *want, size_t size)
{
	ASSAY_AUTO_FREE struct assay_region *list = NULL;
	uint64_t at = 0;
	size_t n;

	assert_int_equal(assay_regions_list(r, &list, &n, NULL), 0);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(list[i].offset, at);
		assert_true(list[i].size > 0);
		assert_true(i == 0 || list[i].label != list[i - 1].label);
		for (; at < list[i].offset + list[i].size; at++)
			assert_int_equal(list[i].label, want[at]);
	}
	assert_int_equal(at, size);
}

/* The paint: coarse layers first; on one layer what starts first, of two at one place the longer, then the older label. */
static void paint(unsigned *want, const struct claim *c, size_t n)
{
	memset(want, 0, SIZE * sizeof(*want));
	for (unsigned layer = 0; layer < ASSAY_N_LAYERS; layer++) {
		for (uint64_t at = 0; at < SIZE; at++) {
			const struct claim *best = NULL;

			for (size_t i = 0; i < n; i++) {
				if (c[i].layer != layer || at < c[i].offset || at - c[i].offset >= c[i].size)
					continue;
				if (!best || c[i].offset < best->offset ||
				    (c[i].offset == best->offset &&
				     (c[i].size > best->size || (c[i].size == best->size && c[i].label < best->label))))
					best = &c[i];
			}
			if (best)
				want[at] = best->label;
		}
	}
}

static void test_painted(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 500; round++) {
		ASSAY_AUTO(assay_regions) *r = NULL;
		struct claim c[20];
		unsigned want[SIZE];
		const size_t n = next(20);

		assert_int_equal(assay_regions_new(SIZE, &r, NULL), 0);
		for (size_t i = 0; i < n; i++) {
			c[i].layer = next(ASSAY_N_LAYERS);
			c[i].offset = next(SIZE);
			c[i].size = 1 + next(60);
			assert_int_equal(assay_regions_label(r, ASSAY_MEASURED_YES, "x", &c[i].label, NULL, "l%zu", i), 0);
			assert_int_equal(assay_regions_claim(r, c[i].layer, c[i].offset, c[i].size, c[i].label, NULL), 0);
			/* What leaves the disk is cut off. */
			if (c[i].size > SIZE - c[i].offset)
				c[i].size = SIZE - c[i].offset;
		}
		paint(want, c, n);
		check_list(r, want, SIZE);
	}
}

static void test_drop(void **state)
{
	ASSAY_AUTO(assay_regions) *r = NULL;
	unsigned want[SIZE] = { 0 }, part, inside, outside;

	(void)state;
	assert_int_equal(assay_regions_new(SIZE, &r, NULL), 0);
	assert_int_equal(assay_regions_label(r, ASSAY_MEASURED_PARTLY, NULL, &part, NULL, "part"), 0);
	assert_int_equal(assay_regions_label(r, ASSAY_MEASURED_NO, NULL, &inside, NULL, "inside"), 0);
	assert_int_equal(assay_regions_label(r, ASSAY_MEASURED_YES, "PCR 4", &outside, NULL, "outside"), 0);
	assert_int_equal(assay_regions_claim(r, ASSAY_LAYER_PARTITION, 100, 100, part, NULL), 0);
	assert_int_equal(assay_regions_claim(r, ASSAY_LAYER_FILE, 100, 10, inside, NULL), 0);
	assert_int_equal(assay_regions_claim(r, ASSAY_LAYER_DETAIL, 199, 1, inside, NULL), 0);
	assert_int_equal(assay_regions_claim(r, ASSAY_LAYER_FILE, 200, 10, outside, NULL), 0);
	assert_int_equal(assay_regions_claim(r, ASSAY_LAYER_FILE, 99, 1, outside, NULL), 0);
	assay_regions_drop(r, ASSAY_LAYER_PARTITION, 100, 100);
	for (size_t i = 99; i < 210; i++)
		want[i] = i < 100 || i >= 200 ? outside : part;
	check_list(r, want, SIZE);
	assert_int_equal(assay_regions_measured(r, part), ASSAY_MEASURED_PARTLY);
	assert_string_equal(assay_regions_what(r, outside), "outside");
}

/* Neighbours with the same words are one, whoever claimed them; "by" is a list. */
static void test_json(void **state)
{
	static const char want[] =
		"[\n  {\n    \"by\": [\n      \"PCR 4\",\n      \"PCR 11\"\n    ],\n    \"measured\": \"yes\",\n"
		"    \"offset\": 0,\n    \"size\": 20,\n    \"what\": \"a\"\n  },\n  {\n    \"by\": [],\n"
		"    \"measured\": \"no\",\n    \"offset\": 20,\n    \"size\": 5,\n    \"what\": \"unused, in no partition\"\n"
		"  }\n]\n";
	ASSAY_AUTO(assay_regions) *r = NULL;
	ASSAY_AUTO(assay_json) *json = NULL;
	ASSAY_AUTO_FREE char *text = NULL;
	unsigned one, two;
	size_t len;

	(void)state;
	assert_int_equal(assay_regions_new(25, &r, NULL), 0);
	assert_int_equal(assay_regions_label(r, ASSAY_MEASURED_YES, "PCR 4\nPCR 11", &one, NULL, "a"), 0);
	assert_int_equal(assay_regions_label(r, ASSAY_MEASURED_YES, "PCR 4\nPCR 11", &two, NULL, "a"), 0);
	assert_int_equal(assay_regions_claim(r, ASSAY_LAYER_FILE, 10, 10, two, NULL), 0);
	assert_int_equal(assay_regions_claim(r, ASSAY_LAYER_PART, 0, 10, one, NULL), 0);
	assert_int_equal(assay_regions_json(r, &json, NULL), 0);
	assert_int_equal(assay_json_dump(json, &text, &len, NULL), 0);
	assert_string_equal(text, want);
}

/* A source in pieces, with a hole; and one that is cut out of something else. */
static void test_sources(void **state)
{
	static const struct assay_extent e[] = { { 50, 10 }, { ASSAY_SRC_HOLE, 30 }, { 20, 10 } };
	static uint8_t bytes[SIZE];
	ASSAY_AUTO(assay_regions) *r = NULL;
	ASSAY_AUTO(assay_src) *disk = NULL;
	ASSAY_AUTO(assay_src) *part = NULL;
	ASSAY_AUTO(assay_src) *file = NULL;
	ASSAY_AUTO(assay_src) *other = NULL;
	unsigned want[SIZE] = { 0 }, label;

	(void)state;
	assert_int_equal(assay_src_from_mem(bytes, SIZE, &disk, NULL), 0);
	assert_int_equal(assay_src_from_mem(bytes, SIZE, &other, NULL), 0);
	assert_int_equal(assay_src_slice(disk, 100, 100, &part, NULL), 0);
	assert_int_equal(assay_src_extents(part, e, 3, &file, NULL), 0);
	assert_int_equal(assay_regions_new(SIZE, &r, NULL), 0);
	assert_int_equal(assay_regions_label(r, ASSAY_MEASURED_YES, NULL, &label, NULL, "f"), 0);
	assert_int_equal(assay_regions_claim_src(r, ASSAY_LAYER_FILE, disk, file, 5, 40, label, NULL), 0);
	assert_int_equal(assay_regions_claim_src(r, ASSAY_LAYER_FILE, disk, other, 0, SIZE, label, NULL), 0);
	assert_int_equal(assay_regions_claim_src(r, ASSAY_LAYER_FILE, disk, disk, 290, 100, label, NULL), 0);
	for (size_t i = 0; i < 5; i++)
		want[155 + i] = want[120 + i] = label;
	for (size_t i = 290; i < SIZE; i++)
		want[i] = label;
	check_list(r, want, SIZE);
}

static void test_limit(void **state)
{
	ASSAY_AUTO(assay_regions) *r = NULL;
	struct assay_err err;
	unsigned label;

	(void)state;
	assert_int_equal(assay_regions_new(UINT64_C(1) << 40, &r, NULL), 0);
	assert_int_equal(assay_regions_label(r, ASSAY_MEASURED_YES, NULL, &label, NULL, "f"), 0);
	for (uint64_t i = 0; i < ASSAY_REGIONS_MAX; i++)
		assert_int_equal(assay_regions_claim(r, ASSAY_LAYER_FILE, 2 * i, 1, label, &err), 0);
	/* one more that touches the last is no more */
	assert_int_equal(assay_regions_claim(r, ASSAY_LAYER_FILE, 2 * ASSAY_REGIONS_MAX - 1, 1, label, &err), 0);
	assert_int_equal(assay_regions_claim(r, ASSAY_LAYER_FILE, 2 * ASSAY_REGIONS_MAX + 1, 1, label, &err), -1);
	assert_int_equal(err.code, ASSAY_E_LIMIT);
	assay_regions_drop(r, ASSAY_LAYER_PARTITION, 0, 10);
	assert_int_equal(assay_regions_claim(r, ASSAY_LAYER_FILE, 2 * ASSAY_REGIONS_MAX + 1, 1, label, &err), 0);
}

static int whole(struct assay_err *err)
{
	ASSAY_AUTO(assay_regions) *r = NULL;
	ASSAY_AUTO(assay_json) *json = NULL;
	ASSAY_AUTO_FREE char *text = NULL;
	unsigned label;
	size_t len;

	if (assay_regions_new(SIZE, &r, err) < 0)
		return -1;
	for (unsigned i = 0; i < 20; i++)
		if (assay_regions_label(r, ASSAY_MEASURED_YES, "PCR 4", &label, err, "l%u", i) < 0 ||
		    assay_regions_claim(r, ASSAY_LAYER_FILE, 9 * i, 5, label, err) < 0)
			return -1;
	return assay_regions_json(r, &json, err) < 0 || assay_json_dump(json, &text, &len, err) < 0 ? -1 : 0;
}

static void test_out_of_memory(void **state)
{
	(void)state;
	unit_alloc_each(whole, true);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_painted), cmocka_unit_test(test_drop),  cmocka_unit_test(test_json),
	cmocka_unit_test(test_sources), cmocka_unit_test(test_limit), cmocka_unit_test(test_out_of_memory),
};

UNIT_MAIN(tests)
