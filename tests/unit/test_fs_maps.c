/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maps of filesystems that others made: what a map calls unused is what dumpe2fs calls free, block
 * by block, and in an erofs image nothing but zeros.
 */
#include <inttypes.h>
#include <sys/wait.h>

#include "measure/fs/map.h"
#include "tests/unit/unit.h"

static char dir[] = "/tmp/assay-test-XXXXXX";

static bool run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static bool run(const char *format, ...)
{
	char command[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	return system(command) == 0;
}

static int setup(void **state)
{
	(void)state;
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	if (!mkdtemp(dir))
		return -1;
	/* Holes, many names, a file in many pieces, links short and long. */
	return run("cd %s && mkdir -p tree/many && cd tree && "
		   "seq -f many/a-longer-name-%%g 1 2000 | xargs touch && "
		   "seq 1 40000 >text && ln text hard && ln -s text short && "
		   "ln -s $(printf '%%0200d' 0) long && truncate -s 3000000 sparse && "
		   "for i in $(seq 1 2 600); do printf x | dd of=sparse bs=1 seek=$((i * 4096)) "
		   "conv=notrunc status=none; done",
		   dir)
		       ? 0
		       : -1;
}

static int teardown(void **state)
{
	(void)state;
	return run("rm -r %s", dir) ? 0 : -1;
}

static struct assay_fs_map *map_of(const char *image)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO(assay_fs) *fs = NULL;
	struct assay_fs_map *map = NULL;
	struct assay_err err;

	if (assay_src_open_file(image, &src, &err) < 0 || assay_fs_open(src, &fs, &err) < 0 ||
	    assay_fs_map_new(fs, &map, &err) < 0)
		fail_msg("%s: %s", image, err.msg);
	return map;
}

/* One byte for each block: 1 where dumpe2fs says free. */
static void read_free(const char *image, uint8_t *is_free, size_t n)
{
	char command[256], *line = NULL;
	size_t size = 0, lines = 0;
	FILE *f;

	snprintf(command, sizeof(command), "dumpe2fs %s 2>/dev/null", image);
	f = popen(command, "r");
	assert_non_null(f);
	while (getline(&line, &size, f) > 0) {
		char *p = strstr(line, "  Free blocks: ");

		if (!p)
			continue;
		lines++;
		for (p = strtok(p + 15, ", \n"); p; p = strtok(NULL, ", \n")) {
			unsigned long from, to;
			const int got = sscanf(p, "%lu-%lu", &from, &to);

			assert_true(got >= 1);
			to = got == 2 ? to : from;
			assert_true(to < n);
			memset(is_free + from, 1, to - from + 1);
		}
	}
	free(line);
	assert_int_equal(pclose(f), 0);
	assert_true(lines > 0);
}

static void test_ext4(void **state)
{
	static const struct {
		unsigned block;
		const char *options;
	} made[] = {
		{ 1024, "-t ext2" },
		{ 1024, "-t ext3" },
		{ 1024, "-t ext4" },
		{ 4096, "-t ext4 -O quota,orphan_file" },
		{ 1024, "-t ext4 -O ^has_journal,inline_data" },
		{ 1024, "-t ext4 -g 1024 -O meta_bg,^resize_inode" },
		{ 1024, "-t ext4 -O sparse_super2,^metadata_csum,uninit_bg" },
	};

	(void)state;
	if (!unit_have("mke2fs") || !unit_have("dumpe2fs"))
		unit_skip("mke2fs, dumpe2fs are not installed");
	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
		const unsigned block = made[i].block;
		const size_t n = (48U << 20) / block;
		uint8_t *is_free = calloc(1, n);
		uint64_t wrong = 0, used = 0;
		char image[64];

		assert_non_null(is_free);
		snprintf(image, sizeof(image), "%s/img", dir);
		assert_true(run("cd %s && truncate -s 0 img && truncate -s 48M img && "
				"mke2fs -q -F -b %u -d tree %s img 2>/dev/null",
				dir, block, made[i].options));
		ASSAY_AUTO(assay_fs_map) *map = map_of(image);
		read_free(image, is_free, n);
		for (size_t b = 0; b < n; b++) {
			bool unused = true;

			/* The whole block, as a file's last one is used in part. */
			const struct assay_fs_region *r = assay_fs_map_find(map, b * block);
			for (; r < map->r + map->n && r->off < (b + 1) * block; r++)
				unused = unused && strcmp(r->what, "unused") == 0;
			used += !unused;
			if (unused != is_free[b] && wrong++ < 10)
				print_message("# %s: block %zu is %s, and %s\n", made[i].options, b,
					      is_free[b] ? "free" : "in use",
					      assay_fs_map_find(map, b * block)->what);
		}
		assert_int_equal(wrong, 0);
		assert_true(used > 300);
		free(is_free);
	}
}

static void test_erofs(void **state)
{
	static const char *const made[] = { "-x-1 -Eforce-inode-compact", "-x-1 -Enoinline_data",
					    "-x-1 --chunksize=4096" };

	(void)state;
	if (!unit_have("mkfs.erofs"))
		unit_skip("mkfs.erofs is not installed");
	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
		ASSAY_AUTO(assay_src) *src = NULL;
		size_t structures = 0;
		char image[64];

		snprintf(image, sizeof(image), "%s/img", dir);
		assert_true(run("cd %s && rm -f img && mkfs.erofs %s img tree >/dev/null 2>&1", dir,
				made[i]));
		ASSAY_AUTO(assay_fs_map) *map = map_of(image);
		assert_int_equal(assay_src_open_file(image, &src, NULL), 0);
		for (size_t r = 0; r < map->n; r++) {
			uint8_t *p = NULL;

			structures += !map->r[r].path;
			if (strcmp(map->r[r].what, "unused") != 0)
				continue;
			assert_int_equal(assay_src_read_alloc(src, map->r[r].off, map->r[r].len,
							      1 << 24, &p, NULL),
					 0);
			for (uint64_t b = 0; b < map->r[r].len; b++)
				if (p[b])
					fail_msg("%s: byte %" PRIu64 " is unused, and 0x%02x",
						 made[i], map->r[r].off + b, p[b]);
			free(p);
		}
		assert_true(structures >= 3); /* superblock, inodes, directories */
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ext4),
		cmocka_unit_test(test_erofs),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
