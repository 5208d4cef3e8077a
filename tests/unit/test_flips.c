/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Single-bit flips over a small disk with the whole chain on it (tests/cli/chain.bash makes it, without assay). Each
 * one changes the facts, or lies where the facts say that nothing measures it; and where they say that, nothing changes.
 * FLIP_SEED=N repeats a run.
 */
#include "tests/unit/unit.h"

#include <inttypes.h>
#include <time.h>

#include "core/hash.h"
#include "measure/links.h"
#include "measure/regions.h"

#define FLIPS 2000 /* over the whole disk; and as many over its regions, which are of very different sizes */

static uint8_t *disk;
static size_t disk_size;
static uint64_t random_state;
static bool have_disk;

static uint64_t next_random(void) /* splitmix64 */
{
	uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* The facts as text without the image's digest; NULL: refused. */
static char *facts_of(size_t *ret_broken, struct assay_json **ret_regions, struct assay_err *err)
{
	static const struct assay_facts_options options = { .banks = ASSAY_BANK_BIT(ASSAY_SHA256),
							    .no_image_digest = true };
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO(assay_image) *image = NULL;
	ASSAY_AUTO(assay_json) *facts = NULL;
	ASSAY_AUTO(assay_links) *links = NULL;
	char *text = NULL;
	size_t len;

	*ret_broken = 0;
	memset(err, 0, sizeof(*err));
	if (assay_src_from_mem(disk, disk_size, &src, err) < 0 || assay_image_open(src, "d", &image, err) < 0 ||
	    assay_image_facts(image, &options, &facts, &links, err) < 0)
		return NULL;
	for (size_t i = 0; i < links->n; i++)
		*ret_broken += links->l[i].state == ASSAY_LINK_BROKEN;
	assert_int_equal(assay_json_dump(facts, &text, &len, err), 0);
	if (ret_regions)
		assert_int_equal(assay_json_parse(text, len, ret_regions, err), 0);
	return text;
}

static const char *member(const struct assay_json *o, const char *key)
{
	const char *s = assay_json_str(assay_json_get(o, key));

	return s ? s : "";
}

static uint64_t number(const struct assay_json *o, const char *key)
{
	int64_t v = -1;

	assert_true(assay_json_get_int(assay_json_get(o, key), &v) && v >= 0);
	return (uint64_t)v;
}

static const struct assay_json *region_at(const struct assay_json *regions, uint64_t at)
{
	size_t low = 0, high = assay_json_len(regions);

	while (high - low > 1) {
		size_t mid = (low + high) / 2;

		if (number(assay_json_at(regions, mid), "offset") <= at)
			low = mid;
		else
			high = mid;
	}
	return assay_json_at(regions, low);
}

static int make_disk(void **state)
{
	char dir[] = "/tmp/assay-flips-XXXXXX", command[512], path[64];
	FILE *f;

	(void)state;
	if (!unit_have("bash") || !mkdtemp(dir))
		return 0;
	snprintf(command, sizeof(command),
		 "bash -c '. tests/cli/chain.bash; [ -z \"$(chain_missing)\" ] || exit 1; cd %s && chain_root root && "
		 "chain_squashfs root root.sqfs && chain_disk disk root.sqfs' >&2",
		 dir);
	snprintf(path, sizeof(path), "%s/disk", dir);
	if (system(command) == 0 && (f = fopen(path, "rb")) != NULL) {
		fseek(f, 0, SEEK_END);
		disk_size = (size_t)ftell(f);
		rewind(f);
		disk = malloc(disk_size);
		have_disk = disk && fread(disk, 1, disk_size, f) == disk_size;
		fclose(f);
	}
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command) != 0;
}

static int free_disk(void **state)
{
	(void)state;
	free(disk);
	return 0;
}

static void need_disk(void)
{
	if (!have_disk)
		unit_skip("the disk cannot be made: mksquashfs, veritysetup, sfdisk, mtools, python3 or jq is missing");
}

/* No hole, no overlap, from the first byte to the last. */
static void test_regions_cover_the_disk(void **state)
{
	ASSAY_AUTO(assay_json) *facts = NULL;
	struct assay_err err;
	size_t broken;
	uint64_t at = 0;

	(void)state;
	need_disk();
	free(facts_of(&broken, &facts, &err));
	assert_non_null(facts);
	assert_int_equal(broken, 0);
	const struct assay_json *regions = assay_json_get(facts, "regions");
	for (size_t i = 0; i < assay_json_len(regions); i++) {
		assert_int_equal(number(assay_json_at(regions, i), "offset"), at);
		assert_true(number(assay_json_at(regions, i), "size") > 0);
		at += number(assay_json_at(regions, i), "size");
	}
	assert_int_equal(at, disk_size);
}

struct tally {
	size_t refused, broken, told, silent;
};

static void flip(uint64_t at, unsigned bit, const char *before, const struct assay_json *regions,
		 struct tally *tally)
{
	const struct assay_json *region = region_at(regions, at);
	const char *measured = member(region, "measured");
	struct assay_err err;
	size_t broken;

	disk[at] ^= (uint8_t)(1U << bit);
	char *after = facts_of(&broken, NULL, &err);
	disk[at] ^= (uint8_t)(1U << bit);
	const bool same = after && strcmp(after, before) == 0;

	if (!after && (err.code == ASSAY_OK || !err.msg[0] || err.code == ASSAY_E_IO || err.code == ASSAY_E_NOMEM))
		fail_msg("byte %" PRIu64 " bit %u: refused with code %d, '%s'", at, bit, (int)err.code, err.msg);
	if (same && strcmp(measured, "yes") == 0)
		fail_msg("byte %" PRIu64 " bit %u in '%s': said to be measured, and nothing changes", at, bit,
			 member(region, "what"));
	if (!same && strcmp(measured, "no") == 0)
		fail_msg("byte %" PRIu64 " bit %u in '%s': said not to be measured, and %s", at, bit,
			 member(region, "what"), after ? "facts change" : err.msg);
	if (!after)
		tally->refused++;
	else if (broken)
		tally->broken++;
	else if (!same)
		tally->told++;
	else
		tally->silent++;
	free(after);
}

static void run_flips(bool by_region)
{
	ASSAY_AUTO(assay_json) *facts = NULL;
	struct tally tally = { 0 };
	struct assay_err err;
	size_t broken;

	char *before = facts_of(&broken, &facts, &err);
	if (!before)
		fail_msg("%s", err.msg);
	const struct assay_json *regions = assay_json_get(facts, "regions");
	for (size_t i = 0; i < FLIPS; i++) {
		uint64_t at = next_random() % disk_size;

		if (by_region) {
			const struct assay_json *r =
				assay_json_at(regions, next_random() % assay_json_len(regions));

			at = number(r, "offset") + at % number(r, "size");
		}
		flip(at, (unsigned)(next_random() % 8), before, regions, &tally);
	}
	free(before);
	print_message("# %d flips: %zu refused, %zu broken links, %zu other facts, %zu in unmeasured bytes\n", FLIPS,
		      tally.refused, tally.broken, tally.told, tally.silent);
	assert_true(tally.broken > 0 && tally.silent > 0 && tally.refused > 0 && tally.told > 0);
}

static void test_flips_anywhere(void **state)
{
	(void)state;
	need_disk();
	run_flips(false);
}

static void test_flips_in_each_region(void **state)
{
	(void)state;
	need_disk();
	run_flips(true);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_regions_cover_the_disk),
	cmocka_unit_test(test_flips_anywhere),
	cmocka_unit_test(test_flips_in_each_region),
};

int main(void)
{
	const char *seed = getenv("FLIP_SEED");

	random_state = seed ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL);
	printf("# FLIP_SEED=%" PRIu64 "\n", random_state);
	assay_hash_set_threads(1);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_disk, free_disk);
}
