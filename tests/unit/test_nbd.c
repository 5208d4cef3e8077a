/* SPDX-License-Identifier: Apache-2.0 */
/* The source behind qemu-nbd, and the sandbox around that; unpacking up to its ceiling. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "core/cur.h"
#include "measure/disk/crc32.h"
#include "measure/disk/nbd.h"
#include "measure/disk/unpack.h"
#include "tests/unit/unit.h"

#define SIZE ((3U << 20) + 1000 * 512)

static uint8_t *disk;
static char dir[64];

static const char *in_dir(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void write_file(const char *name, const void *p, size_t len)
{
	FILE *f = fopen(in_dir(name), "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static int make_dir(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/assay-test-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	disk = malloc(SIZE);
	srandom(7);
	for (size_t i = 0; i < SIZE; i++)
		disk[i] = i / 300000 % 2 ? 0 : (uint8_t)random();
	write_file("disk", disk, SIZE);
	return 0;
}

static int remove_dir(void **state)
{
	static const char *const names[] = { "disk", "secret", "evil", "flat" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(in_dir(names[i]));
	rmdir(dir);
	free(disk);
	return 0;
}

static void *read_all(void *arg)
{
	unsigned seed = (unsigned)(size_t)&arg;
	uint8_t *buf = malloc(SIZE);

	for (int i = 0; i < 200; i++) {
		const size_t off = i < 4 ? 0 : (size_t)rand_r(&seed) % SIZE;
		const size_t len = i < 4 ? SIZE : (size_t)rand_r(&seed) % (SIZE - off);

		if (assay_src_read(arg, off, buf, len, NULL) < 0 || memcmp(buf, disk + off, len) != 0) {
			free(buf);
			return arg;
		}
	}
	/* And on, in small steps. */
	for (size_t off = 0; off + 5000 <= SIZE; off += 5000)
		if (assay_src_read(arg, off, buf, 5000, NULL) < 0 || memcmp(buf, disk + off, 5000) != 0) {
			free(buf);
			return arg;
		}
	free(buf);
	return NULL;
}

static void need_helper(void)
{
	if (!unit_have("qemu-nbd") || !unit_have("qemu-img"))
		unit_skip("qemu-nbd and qemu-img are not installed");
}

#define RAW "{\"driver\":\"raw\",\"file\":{\"driver\":\"file\",\"filename\":\"/proc/self/fd/4\"}}"

static void test_reads(void **state)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	pthread_t threads[8];
	struct assay_err err;
	int fd;

	(void)state;
	need_helper();
	fd = open(in_dir("disk"), O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	if (assay_nbd_open(RAW, &fd, 1, SIZE, &src, &err) < 0)
		fail_msg("%s", err.msg);
	close(fd);
	for (int i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_all, src), 0);
	for (int i = 0; i < 8; i++) {
		void *bad;

		pthread_join(threads[i], &bad);
		assert_null(bad);
	}
}

/* It sees another size than we have read; it fails, and says why. */
static void test_disagreement(void **state)
{
	struct assay_src *src = NULL;
	struct assay_err err;
	int fd;

	(void)state;
	need_helper();
	fd = open(in_dir("disk"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(assay_nbd_open(RAW, &fd, 1, SIZE + 512, &src, &err), -1);
	assert_int_equal(err.code, ASSAY_E_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "qemu-nbd sees one of"));
	assert_int_equal(assay_nbd_open("{\"driver\":\"qcow2\",\"file\":{\"driver\":\"file\","
					"\"filename\":\"/proc/self/fd/4\"}}",
					&fd, 1, SIZE, &src, &err),
			 -1);
	assert_non_null(strstr(err.msg, "qemu-nbd says: Image is not in qcow2 format"));
	assert_null(src);
	close(fd);
}

/*
 * The header checks left out, and names left to qemu: the sandbox alone keeps it from another file. Without the sandbox,
 * this qcow2 is a way to the secret.
 */
static void test_sandbox(void **state)
{
	static const char *const other[] = {
		"{\"driver\":\"qcow2\",\"file\":{\"driver\":\"file\",\"filename\":\"/proc/self/fd/4\"}}",
		"{\"driver\":\"raw\",\"file\":{\"driver\":\"file\",\"filename\":\"%s/secret\"}}",
		"{\"driver\":\"raw\",\"file\":{\"driver\":\"file\",\"filename\":\"/etc/passwd\"}}",
		"{\"driver\":\"raw\",\"file\":{\"driver\":\"nbd\",\"server\":{\"type\":\"inet\","
		"\"host\":\"127.0.0.1\",\"port\":\"1\"}}}",
		"{\"driver\":\"raw\",\"file\":{\"driver\":\"nbd\",\"server\":{\"type\":\"unix\","
		"\"path\":\"/nowhere/s\"}}}",
	};
	char command[400];
	int fd;

	(void)state;
	need_helper();
	if (syscall(444, NULL, 0, 1) < 1)
		unit_skip("this kernel has no Landlock");
	write_file("secret", disk, 65536);
	snprintf(command, sizeof(command),
		 "cd %s && qemu-img create -q -f qcow2 -b $PWD/secret -F raw evil 65536", dir);
	assert_int_equal(system(command), 0);
	fd = open(in_dir("evil"), O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
		struct assay_src *src = NULL;
		struct assay_err err;
		char text[400];

		/* "%s" is in one of them. */
		const char *mark = strstr(other[i], "%s");

		if (mark)
			snprintf(text, sizeof(text), "%.*s%s%s", (int)(mark - other[i]), other[i], dir,
				 mark + 2);
		else
			snprintf(text, sizeof(text), "%s", other[i]);
		assert_int_equal(assay_nbd_open(text, &fd, 1, 65536, &src, &err), -1);
		if (!strstr(err.msg, "Permission denied") && !strstr(err.msg, "not permitted"))
			fail_msg("%s: %s", text, err.msg);
	}
	close(fd);
}

/* A gzip file of one stored block, and the ceiling at its size. */
static void test_unpack_limit(void **state)
{
	static uint8_t gz[10 + 5 + 5000 + 8];

	(void)state;
	memcpy(gz, "\x1f\x8b\x08\0\0\0\0\0\0\xff\1", 11);
	gz[11] = 5000 & 0xff;
	gz[12] = 5000 >> 8;
	gz[13] = (uint8_t)~gz[11];
	gz[14] = (uint8_t)~gz[12];
	memcpy(gz + 15, disk, 5000);
	assay_put_le32(gz + 5015, assay_crc32(0, disk, 5000));
	assay_put_le32(gz + 5019, 5000);
	for (uint64_t limit = 4999; limit <= 5001; limit++) {
		ASSAY_AUTO(assay_src) *packed = NULL;
		ASSAY_AUTO(assay_src) *src = NULL;
		uint8_t got[5000];
		struct assay_err err;
		bool tar;
		int rc;

		assert_int_equal(assay_src_from_mem(gz, sizeof(gz), &packed, NULL), 0);
		rc = assay_disk_unpack(packed, ASSAY_PACKER_GZIP, limit, &src, &tar, &err);
		assert_int_equal(rc, limit < 5000 ? -1 : 0);
		if (rc < 0) {
			assert_int_equal(err.code, ASSAY_E_LIMIT);
			continue;
		}
		assert_false(tar);
		assert_int_equal(assay_src_size(src), 5000);
		assert_int_equal(assay_src_read(src, 0, got, 5000, NULL), 0);
		assert_memory_equal(got, disk, 5000);
	}
	/* The checksum is looked at. */
	for (size_t at = sizeof(gz) - 8; at < sizeof(gz); at += 4) {
		ASSAY_AUTO(assay_src) *packed = NULL;
		struct assay_src *src = NULL;
		struct assay_err err;
		bool tar;

		gz[at] ^= 1;
		assert_int_equal(assay_src_from_mem(gz, sizeof(gz), &packed, NULL), 0);
		assert_int_equal(assay_disk_unpack(packed, ASSAY_PACKER_GZIP, 1U << 20, &src, &tar, &err),
				 -1);
		assert_int_equal(err.code, ASSAY_E_CORRUPT);
		gz[at] ^= 1;
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_reads),
	cmocka_unit_test(test_disagreement),
	cmocka_unit_test(test_sandbox),
	cmocka_unit_test(test_unpack_limit),
};

int main(void)
{
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
