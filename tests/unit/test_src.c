/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "core/limits.h"
#include "core/src.h"
#include "tests/unit/alloc.h"
#include "tests/unit/unit.h"

static uint8_t data[1000];

static void fill(void)
{
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 31 + i / 256);
}

static struct assay_src *mem(void)
{
	struct assay_src *src = NULL;

	fill();
	assert_int_equal(assay_src_from_mem(data, sizeof(data), &src, NULL), 0);
	return src;
}

static char *temp_file(const void *p, size_t len)
{
	char *path = strdup("/tmp/assay-test-XXXXXX");
	const int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, p, len), len);
	close(fd);
	return path;
}

/* Every read of a small source against the bytes that ought to come, past the end included. */
static void check_reads(struct assay_src *src, const uint8_t *want, size_t size)
{
	assert_int_equal(assay_src_size(src), size);
	for (size_t off = 0; off <= size + 1; off++) {
		for (size_t len = 0; len <= size + 1 - (off > size ? size + 1 : off); len++) {
			uint8_t *buf = malloc(len ? len : 1), *alloced = NULL;
			const bool fits = off <= size && len <= size - off;
			struct assay_err err = { 0 };

			assert_int_equal(assay_src_read(src, off, buf, len, &err), fits ? 0 : -1);
			if (fits)
				assert_memory_equal(buf, want + off, len);
			else
				assert_int_equal(err.code, ASSAY_E_CORRUPT);
			assert_int_equal(assay_src_read_alloc(src, off, len, len, &alloced, &err),
					 fits ? 0 : -1);
			if (fits) {
				assert_memory_equal(alloced, want + off, len);
				assert_int_equal(alloced[len], 0);
			} else {
				assert_null(alloced);
			}
			free(alloced);
			free(buf);
		}
	}
}

static void test_mem(void **state)
{
	ASSAY_AUTO(assay_src) *src = NULL;

	(void)state;
	fill();
	for (size_t n = 0; n < 20; n++) {
		assert_int_equal(assay_src_from_mem(data, n, &src, NULL), 0);
		check_reads(src, data, n);
		assay_src_free(&src);
		assert_null(src);
	}
	assay_src_free(&src);
	assay_src_free(NULL);
}

static void test_file(void **state)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO_FREE char *path = NULL;

	(void)state;
	fill();
	path = temp_file(data, 30);
	assert_int_equal(assay_src_open_file(path, &src, NULL), 0);
	unlink(path);
	check_reads(src, data, 30);
	assert_int_equal(assay_src_origin(src, 7), 7);
}

static void test_empty_file(void **state)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO_FREE char *path = temp_file("", 0);

	(void)state;
	assert_int_equal(assay_src_open_file(path, &src, NULL), 0);
	unlink(path);
	check_reads(src, data, 0);
}

/* No descriptor goes to programs that we start. */
static void test_cloexec(void **state)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO_FREE char *path = temp_file("x", 1);
	const int next = dup(0);

	(void)state;
	close(next);
	assert_int_equal(assay_src_open_file(path, &src, NULL), 0);
	unlink(path);
	assert_true(fcntl(next, F_GETFD) & FD_CLOEXEC);
	assay_src_free(&src);
	assert_int_equal(fcntl(next, F_GETFD), -1);
}

static void refuse(const char *path, enum assay_code code, const char *word)
{
	struct assay_src *src = NULL;
	struct assay_err err;

	assert_int_equal(assay_src_open_file(path, &src, &err), -1);
	assert_null(src);
	assert_int_equal(err.code, code);
	if (!strstr(err.msg, word))
		fail_msg("%s: %s", path, err.msg);
}

static void test_refused(void **state)
{
	char dir[] = "/tmp/assay-test-XXXXXX", path[64];
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	refuse(dir, ASSAY_E_UNSUPPORTED, "is a directory");
	refuse("/dev/null", ASSAY_E_UNSUPPORTED, "is a character device");
	snprintf(path, sizeof(path), "%s/none", dir);
	refuse(path, ASSAY_E_IO, "cannot open: No such file");
	refuse("", ASSAY_E_IO, "cannot open");
	/* Nobody writes to this pipe, and still we come back. */
	assert_int_equal(mkfifo(path, 0600), 0);
	refuse(path, ASSAY_E_UNSUPPORTED, "is a pipe");
	unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	refuse(path, ASSAY_E_IO, "cannot open"); /* ENXIO, says the kernel */
	close(fd);
	unlink(path);
	rmdir(dir);
}

/* What is no longer there is an error, never zeros. */
static void test_shrunk(void **state)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO(assay_src) *slice = NULL;
	ASSAY_AUTO_FREE char *path = NULL;
	struct assay_err err;
	uint8_t buf[100];

	(void)state;
	fill();
	path = temp_file(data, 100);
	assert_int_equal(assay_src_open_file(path, &src, NULL), 0);
	assert_int_equal(truncate(path, 60), 0);
	unlink(path);
	assert_int_equal(assay_src_read(src, 0, buf, 60, &err), 0);
	assert_int_equal(assay_src_read(src, 0, buf, 61, &err), -1);
	assert_int_equal(err.code, ASSAY_E_IO);
	assert_int_equal(err.at, 60);
	assert_int_equal(assay_src_slice(src, 50, 20, &slice, NULL), 0);
	assert_int_equal(assay_src_read(slice, 5, buf, 10, &err), -1);
	assert_int_equal(err.code, ASSAY_E_IO);
	assert_int_equal(err.at, 60);
}

static void test_slice(void **state)
{
	ASSAY_AUTO(assay_src) *src = mem();
	ASSAY_AUTO(assay_src) *a = NULL;
	ASSAY_AUTO(assay_src) *b = NULL;
	ASSAY_AUTO(assay_src) *c = NULL;
	struct assay_err err;

	(void)state;
	assert_int_equal(assay_src_slice(src, 100, 50, &a, NULL), 0);
	assert_int_equal(assay_src_slice(a, 10, 30, &b, NULL), 0);
	/* The parents may go; what is inside keeps them. */
	assay_src_free(&src);
	check_reads(a, data + 100, 50);
	assay_src_free(&a);
	check_reads(b, data + 110, 30);
	assert_int_equal(assay_src_origin(b, 3), 113);
	assert_int_equal(assay_src_slice(b, 30, 0, &c, NULL), 0);
	check_reads(c, data + 140, 0);
	assay_src_free(&c);
	assert_int_equal(assay_src_slice(b, 0, 31, &c, &err), -1);
	assert_int_equal(err.code, ASSAY_E_CORRUPT);
	assert_int_equal(err.at, 110);
	assert_int_equal(assay_src_slice(b, 31, 0, &c, &err), -1);
	assert_int_equal(assay_src_slice(b, 1, UINT64_MAX, &c, &err), -1);
	assert_int_equal(assay_src_slice(b, UINT64_MAX, 1, &c, &err), -1);
	assert_null(c);
}

static void test_extents(void **state)
{
	static const struct assay_extent e[] = {
		{ 30, 5 }, { 35, 5 }, { 0, 3 },	  { 99, 0 },
		{ 3, 2 },  { 35, 5 }, { 90, 10 }, { 1, 1 },
	};
	ASSAY_AUTO(assay_src) *whole = mem();
	ASSAY_AUTO(assay_src) *disk = NULL;
	ASSAY_AUTO(assay_src) *file = NULL;
	ASSAY_AUTO(assay_src) *part = NULL;
	ASSAY_AUTO(assay_src) *nested = NULL;
	struct assay_err err;
	uint8_t want[64];
	size_t n = 0;

	(void)state;
	assert_int_equal(assay_src_slice(whole, 500, 100, &disk, NULL), 0);
	for (size_t i = 0; i < sizeof(e) / sizeof(e[0]); i++) {
		memcpy(want + n, data + 500 + e[i].off, e[i].len);
		n += e[i].len;
	}
	assert_int_equal(assay_src_extents(disk, e, sizeof(e) / sizeof(e[0]), &file, NULL), 0);
	check_reads(file, want, n);
	assert_int_equal(assay_src_origin(file, 0), 530);
	assert_int_equal(assay_src_origin(file, 9), 539);
	assert_int_equal(assay_src_origin(file, 10), 500);
	assert_int_equal(assay_src_origin(file, 14), 504);
	assert_int_equal(assay_src_origin(file, 15), 535);
	assert_int_equal(assay_src_origin(file, n - 1), 501);
	assert_int_equal(assay_src_origin(file, n), 502);

	/* A section of that file, and a file in an image in that file. */
	assert_int_equal(assay_src_slice(file, 8, 15, &part, NULL), 0);
	check_reads(part, want + 8, 15);
	assert_int_equal(assay_src_origin(part, 2), 500);
	assert_int_equal(assay_src_extents(part, (struct assay_extent[]){ { 10, 5 }, { 0, 5 } }, 2,
					   &nested, NULL),
			 0);
	assay_src_free(&whole);
	assay_src_free(&disk);
	assay_src_free(&file);
	assay_src_free(&part);
	memmove(want, want + 8, 15);
	memcpy(want + 20, want + 10, 5);
	memcpy(want + 25, want, 5);
	check_reads(nested, want + 20, 10);
	assert_int_equal(
		assay_src_extents(nested, (struct assay_extent[]){ { 6, 5 } }, 1, &part, &err), -1);
	assert_int_equal(err.code, ASSAY_E_CORRUPT);
	assert_null(part);
}

static void test_no_extents(void **state)
{
	ASSAY_AUTO(assay_src) *whole = mem();
	ASSAY_AUTO(assay_src) *file = NULL;

	(void)state;
	assert_int_equal(assay_src_extents(whole, NULL, 0, &file, NULL), 0);
	check_reads(file, data, 0);
	(void)assay_src_origin(file, 0);
	assay_src_free(&file);
	assert_int_equal(
		assay_src_extents(whole, (struct assay_extent[]){ { 5, 0 } }, 1, &file, NULL), 0);
	check_reads(file, data, 0);
}

/* Holes read as zeros, take no room in the parent, and keep what lies around them apart. */
static void test_holes(void **state)
{
	static const struct assay_extent e[] = {
		{ ASSAY_SRC_HOLE, 3 }, { 30, 5 }, { ASSAY_SRC_HOLE, 2 }, { ASSAY_SRC_HOLE, 0 },
		{ ASSAY_SRC_HOLE, 4 }, { 35, 5 }, { ASSAY_SRC_HOLE, 1 },
	};
	static const struct assay_extent more[] = { { 10, 1 }, { ASSAY_SRC_HOLE, UINT64_MAX } };
	ASSAY_AUTO(assay_src) *whole = mem();
	ASSAY_AUTO(assay_src) *file = NULL;
	ASSAY_AUTO(assay_src) *part = NULL;
	ASSAY_AUTO(assay_src) *large = NULL;
	uint8_t want[20] = { 0 }, byte = 1;
	struct assay_err err;

	(void)state;
	memcpy(want + 3, data + 30, 5);
	memcpy(want + 14, data + 35, 5);
	assert_int_equal(assay_src_extents(whole, e, sizeof(e) / sizeof(e[0]), &file, NULL), 0);
	check_reads(file, want, 20);
	assert_int_equal(assay_src_origin(file, 0), 0);
	assert_int_equal(assay_src_origin(file, 3), 30);
	assert_int_equal(assay_src_origin(file, 8), 35);
	assert_int_equal(assay_src_origin(file, 13), 35);
	assert_int_equal(assay_src_origin(file, 14), 35);
	assert_int_equal(assay_src_origin(file, 18), 39);
	assert_int_equal(assay_src_origin(file, 19), 40);
	assert_int_equal(assay_src_origin(file, 20), 40);
	assert_int_equal(assay_src_slice(file, 6, 10, &part, NULL), 0);
	check_reads(part, want + 6, 10);

	/* Sizes of which no memory has any are no trouble, but for the sum. */
	assert_int_equal(assay_src_extents(whole, more + 1, 1, &large, NULL), 0);
	assert_int_equal(assay_src_size(large), UINT64_MAX);
	assert_int_equal(assay_src_read(large, UINT64_MAX - 1, &byte, 1, &err), 0);
	assert_int_equal(byte, 0);
	assert_int_equal(assay_src_extents(whole, more, 2, &large, &err), -1);
	assert_int_equal(err.code, ASSAY_E_CORRUPT);
	assert_int_equal(err.at, 11);
}

/* Random cuts of a file into extents, against the same bytes put together by hand. */
static void test_extents_random(void **state)
{
	ASSAY_AUTO(assay_src) *whole = mem();

	(void)state;
	srandom(1);
	for (int round = 0; round < 300; round++) {
		ASSAY_AUTO(assay_src) *file = NULL;
		struct assay_extent e[40];
		uint8_t want[40 * 64], got[sizeof(want)];
		size_t n = (size_t)random() % 40, size = 0;

		for (size_t i = 0; i < n; i++) {
			e[i].len = (uint64_t)random() % 64;
			e[i].off = (uint64_t)random() % (sizeof(data) - 64);
			if (i > 0 && random() % 3 == 0 && e[i - 1].off < 800)
				e[i].off = e[i - 1].off + e[i - 1].len;
			memcpy(want + size, data + e[i].off, e[i].len);
			if (random() % 4 == 0) {
				e[i].off = ASSAY_SRC_HOLE;
				memset(want + size, 0, e[i].len);
			}
			size += e[i].len;
		}
		assert_int_equal(assay_src_extents(whole, e, n, &file, NULL), 0);
		assert_int_equal(assay_src_size(file), size);
		for (int i = 0; i < 50; i++) {
			const size_t off = (size_t)random() % (size + 1);
			const size_t len = (size_t)random() % (size - off + 1);

			assert_int_equal(assay_src_read(file, off, got, len, NULL), 0);
			assert_memory_equal(got, want + off, len);
			/* The zeros of a hole lie nowhere. */
			if (len > 0 && got[0] != 0)
				assert_int_equal(data[assay_src_origin(file, off)], got[0]);
		}
	}
}

static void test_limits(void **state)
{
	ASSAY_AUTO(assay_src) *whole = mem();
	ASSAY_AUTO(assay_src) *file = NULL;
	struct assay_extent *many = calloc(ASSAY_SRC_MAX_EXTENTS + 1, sizeof(*many));
	struct assay_err err;
	uint8_t *p = NULL;

	(void)state;
	assert_non_null(many);
	for (size_t i = 0; i <= ASSAY_SRC_MAX_EXTENTS; i++)
		many[i] = (struct assay_extent){ i % 2 ? 7 : 3, 1 };
	for (size_t n = ASSAY_SRC_MAX_EXTENTS - 1; n <= ASSAY_SRC_MAX_EXTENTS; n++) {
		uint8_t last;

		assert_int_equal(assay_src_extents(whole, many, n, &file, &err), 0);
		assert_int_equal(assay_src_size(file), n);
		assert_int_equal(assay_src_read(file, n - 1, &last, 1, &err), 0);
		assert_int_equal(last, data[(n - 1) % 2 ? 7 : 3]);
		assay_src_free(&file);
	}
	assert_int_equal(assay_src_extents(whole, many, ASSAY_SRC_MAX_EXTENTS + 1, &file, &err),
			 -1);
	assert_int_equal(err.code, ASSAY_E_LIMIT);
	free(many);

	assert_int_equal(assay_src_read_alloc(whole, 0, 9, 10, &p, &err), 0);
	free(assay_steal(&p));
	assert_int_equal(assay_src_read_alloc(whole, 0, 10, 10, &p, &err), 0);
	free(assay_steal(&p));
	assert_int_equal(assay_src_read_alloc(whole, 4, 11, 10, &p, &err), -1);
	assert_int_equal(err.code, ASSAY_E_LIMIT);
	assert_int_equal(err.at, 4);
	assert_null(p);
}

/* The sum of extents is 64 bits wide, and not more: a sparse file makes such sizes real. */
static void test_huge(void **state)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO(assay_src) *file = NULL;
	ASSAY_AUTO(assay_src) *slice = NULL;
	ASSAY_AUTO_FREE char *path = temp_file("", 0);
	const uint64_t size = 8ULL << 40;
	struct assay_extent *e;
	const size_t n = 3U << 20;
	struct assay_err err;
	uint8_t byte = 1;

	(void)state;
	if (truncate(path, (off_t)size) < 0) {
		unlink(path);
		unit_skip("the filesystem of /tmp takes no file of 8 TiB");
	}
	assert_int_equal(assay_src_open_file(path, &src, NULL), 0);
	unlink(path);
	assert_true(assay_src_size(src) == size);
	assert_int_equal(assay_src_read(src, size - 1, &byte, 1, NULL), 0);
	assert_int_equal(byte, 0);
	assert_int_equal(assay_src_slice(src, size - 1, 1, &slice, NULL), 0);
	assert_true(assay_src_origin(slice, 0) == size - 1);

	e = malloc(n * sizeof(*e));
	assert_non_null(e);
	for (size_t i = 0; i < n; i++)
		e[i] = (struct assay_extent){ 0, size };
	assert_int_equal(assay_src_extents(src, e, (1U << 21) - 1, &file, &err), 0);
	assay_src_free(&file);
	assert_int_equal(assay_src_extents(src, e, n, &file, &err), -1);
	assert_int_equal(err.code, ASSAY_E_CORRUPT);
	free(e);
}

static void *ref_and_read(void *arg)
{
	for (int i = 0; i < 2000; i++) {
		struct assay_src *mine = assay_src_ref(arg);
		ASSAY_AUTO(assay_src) *part = NULL;
		uint8_t buf[8];

		if (assay_src_slice(mine, (uint64_t)i % 900, 8, &part, NULL) < 0 ||
		    assay_src_read(part, 0, buf, sizeof(buf), NULL) < 0 ||
		    memcmp(buf, data + i % 900, sizeof(buf)) != 0)
			return arg;
		assay_src_free(&mine);
	}
	return NULL;
}

static void test_threads(void **state)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO_FREE char *path = NULL;
	pthread_t threads[4];

	(void)state;
	fill();
	path = temp_file(data, sizeof(data));
	assert_int_equal(assay_src_open_file(path, &src, NULL), 0);
	unlink(path);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ref_and_read, src), 0);
	for (int i = 0; i < 4; i++) {
		void *bad;

		pthread_join(threads[i], &bad);
		assert_null(bad);
	}
}

/* A block device of our own making, where one may make one. */
static void test_block_device(void **state)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO_FREE char *path = NULL;
	static uint8_t disk[1 << 20];
	char command[200], dev[64] = "";
	uint8_t buf[16];
	FILE *p;

	(void)state;
	if (!unit_have("losetup") || geteuid() != 0)
		unit_skip("a block device takes losetup and root");
	memset(disk + 123456, 0x5a, 16);
	path = temp_file(disk, sizeof(disk));
	snprintf(command, sizeof(command), "losetup --read-only --find --show %s 2>/dev/null",
		 path);
	p = popen(command, "r");
	assert_non_null(p);
	if (!fgets(dev, sizeof(dev), p))
		dev[0] = '\0';
	pclose(p);
	unlink(path);
	dev[strcspn(dev, "\n")] = '\0';
	if (!dev[0])
		unit_skip("no loop device to be had here");
	snprintf(command, sizeof(command), "losetup --detach %s", dev);
	const int opened = assay_src_open_file(dev, &src, NULL);
	const bool detached = system(command) == 0; /* it goes with the last reader */

	assert_int_equal(opened, 0);
	assert_true(detached);
	assert_int_equal(assay_src_size(src), sizeof(disk));
	assert_int_equal(assay_src_read(src, 123456, buf, 16, NULL), 0);
	assert_memory_equal(buf, disk + 123456, 16);
}

static char *oom_path;

static int use_sources(struct assay_err *err)
{
	static const struct assay_extent e[] = { { 1, 2 }, { 10, 20 }, { 30, 5 } };
	ASSAY_AUTO(assay_src) *file = NULL;
	ASSAY_AUTO(assay_src) *m = NULL;
	ASSAY_AUTO(assay_src) *part = NULL;
	ASSAY_AUTO(assay_src) *pieces = NULL;
	ASSAY_AUTO_FREE uint8_t *bytes = NULL;

	if (assay_src_open_file(oom_path, &file, err) < 0 ||
	    assay_src_from_mem(data, 10, &m, err) < 0 ||
	    assay_src_slice(file, 10, 50, &part, err) < 0 ||
	    assay_src_extents(part, e, 3, &pieces, err) < 0 ||
	    assay_src_read_alloc(pieces, 0, 27, 27, &bytes, err) < 0)
		return -1;
	assert_memory_equal(bytes, data + 11, 2);
	return 0;
}

static void test_out_of_memory(void **state)
{
	(void)state;
	fill();
	oom_path = temp_file(data, 100);
	unit_alloc_each(use_sources, true);
	unlink(oom_path);
	free(oom_path);
}

/* Bytes that somebody else supplies; from byte 900 on they cannot be had. */
static unsigned freed;

static int supply(void *p, uint64_t off, uint8_t *buf, size_t len, struct assay_err *err)
{
	const uint8_t *from = p;

	if (off + len > 900)
		return assay_fail(err, ASSAY_E_IO, off, "gone");
	memcpy(buf, from + off, len);
	return 0;
}

static void released(void *p)
{
	(void)p;
	freed++;
}

static void test_ops(void **state)
{
	static const struct assay_src_ops ops = { .read = supply, .free = released };
	struct assay_src *src = NULL, *slice = NULL, *part = NULL;
	uint8_t buf[16];
	struct assay_err err;

	(void)state;
	fill();
	freed = 0;
	assert_int_equal(assay_src_from_ops(&ops, data, sizeof(data), &src, NULL), 0);
	assert_int_equal(assay_src_slice(src, 100, 50, &slice, NULL), 0);
	assert_int_equal(assay_src_extents(src, (struct assay_extent[]){ { 10, 3 }, { 200, 5 } }, 2,
					   &part, NULL),
			 0);
	check_reads(slice, data + 100, 50);
	assert_int_equal(assay_src_read(part, 0, buf, 8, NULL), 0);
	assert_memory_equal(buf, data + 10, 3);
	assert_memory_equal(buf + 3, data + 200, 5);
	assert_int_equal(assay_src_origin(slice, 7), 107);
	assert_int_equal(assay_src_read(src, 890, buf, 11, &err), -1);
	assert_int_equal(err.code, ASSAY_E_IO);
	assert_int_equal(assay_src_read(src, 995, buf, 6, &err), -1);
	assert_int_equal(err.code, ASSAY_E_CORRUPT);
	assay_src_free(&src);
	assay_src_free(&slice);
	assert_int_equal(freed, 0);
	assay_src_free(&part);
	assert_int_equal(freed, 1);
}

/* Byte by byte: a stretch ends where the origin of the next byte does not follow. */
static void test_stretch(void **state)
{
	static const struct assay_extent e[] = { { 100, 10 }, { 110, 5 }, { 50, 7 }, { 0, 1 } };
	static const struct assay_extent holed[] = { { 7, 5 }, { ASSAY_SRC_HOLE, 6 }, { 12, 5 } };
	bool hole;
	ASSAY_AUTO(assay_src) *sparse = NULL;
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO(assay_src) *part = NULL;
	ASSAY_AUTO(assay_src) *file = NULL;
	ASSAY_AUTO(assay_src) *inner = NULL;
	ASSAY_AUTO(assay_src) *other = NULL;

	(void)state;
	assert_int_equal(assay_src_from_mem(data, sizeof(data), &src, NULL), 0);
	assert_int_equal(assay_src_from_mem(data, sizeof(data), &other, NULL), 0);
	assert_int_equal(assay_src_slice(src, 300, 200, &part, NULL), 0);
	assert_int_equal(assay_src_extents(part, e, 4, &file, NULL), 0);
	assert_int_equal(assay_src_slice(file, 3, 19, &inner, NULL), 0);
	for (uint64_t at = 0; at < 19; at++) {
		uint64_t n = 1;

		while (at + n < 19 && assay_src_origin(inner, at + n) == assay_src_origin(inner, at) + n)
			n++;
		assert_int_equal(assay_src_stretch(inner, at, &hole), n);
	}
	assert_int_equal(assay_src_stretch(inner, 19, &hole), 0);
	assert_int_equal(assay_src_stretch(src, 5, &hole), sizeof(data) - 5);
	assert_false(hole);
	assert_int_equal(assay_src_extents(part, holed, 3, &sparse, NULL), 0);
	assert_int_equal(assay_src_stretch(sparse, 3, &hole), 2);
	assert_false(hole);
	assert_int_equal(assay_src_stretch(sparse, 6, &hole), 5);
	assert_true(hole);
	assert_int_equal(assay_src_stretch(sparse, 11, &hole), 5);
	assert_false(hole);
	assert_true(assay_src_within(inner, src));
	assert_true(assay_src_within(src, src));
	assert_false(assay_src_within(inner, other));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_mem),	      cmocka_unit_test(test_file),
	cmocka_unit_test(test_empty_file),    cmocka_unit_test(test_cloexec),
	cmocka_unit_test(test_refused),	      cmocka_unit_test(test_shrunk),
	cmocka_unit_test(test_slice),	      cmocka_unit_test(test_extents),
	cmocka_unit_test(test_no_extents),    cmocka_unit_test(test_holes),
	cmocka_unit_test(test_extents_random),
	cmocka_unit_test(test_limits),	      cmocka_unit_test(test_huge),
	cmocka_unit_test(test_threads),	      cmocka_unit_test(test_block_device),
	cmocka_unit_test(test_ops),	      cmocka_unit_test(test_stretch),
	cmocka_unit_test(test_out_of_memory),
};

UNIT_MAIN(tests)
