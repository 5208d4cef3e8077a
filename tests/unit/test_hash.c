/* SPDX-License-Identifier: Apache-2.0 */
/* core/hash.c against the openssl program, fed with the same bytes put together by hand. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include "core/hash.h"
#include "core/log.h"
#include "tests/unit/alloc.h"
#include "tests/unit/unit.h"

#define SIZE (3000003U)

static uint8_t *data; /* SIZE bytes */
static struct assay_src *file, *mem;

static int set_up(void **state)
{
	char path[] = "/tmp/assay-test-XXXXXX";
	const int fd = mkstemp(path);
	uint64_t x = 88172645463325252ULL;

	(void)state;
	data = malloc(SIZE);
	if (!data || fd < 0)
		return -1;
	for (size_t i = 0; i < SIZE; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		data[i] = (uint8_t)x;
	}
	if (write(fd, data, SIZE) != SIZE || close(fd) < 0)
		return -1;
	if (assay_src_open_file(path, &file, NULL) < 0 || unlink(path) < 0)
		return -1;
	return assay_src_from_mem(data, SIZE, &mem, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	assay_src_free(&file);
	assay_src_free(&mem);
	free(data);
	return 0;
}

/* What the openssl program says of len bytes. */
static void oracle(enum assay_bank bank, const uint8_t *p, size_t len, char *hex)
{
	char path[] = "/tmp/assay-test-XXXXXX", command[120];
	const int fd = mkstemp(path);
	FILE *pipe;

	assert_true(fd >= 0);
	while (len > 0) {
		const ssize_t n = write(fd, p, len);

		assert_true(n > 0);
		p += n;
		len -= (size_t)n;
	}
	close(fd);
	snprintf(command, sizeof(command), "openssl dgst -%s -r < %s", assay_bank_name(bank), path);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	hex[0] = '\0';
	assert_non_null(fgets(hex, ASSAY_HEX_MAX, pipe));
	pclose(pipe);
	unlink(path);
	hex[2 * assay_bank_size(bank)] = '\0';
}

static void expect(enum assay_bank bank, const struct assay_digests *got, const uint8_t *p,
		   size_t len)
{
	char want[ASSAY_HEX_MAX], have[ASSAY_HEX_MAX];

	assert_true(got->banks & ASSAY_BANK_BIT(bank));
	oracle(bank, p, len, want);
	assert_string_equal(assay_hex(got->d[bank], assay_bank_size(bank), have), want);
}

#define NEED_OPENSSL()                                                                             \
	do {                                                                                       \
		if (!unit_have("openssl"))                                                         \
			unit_skip("the openssl program is missing");                               \
	} while (0)

static void test_whole_file(void **state)
{
	struct assay_digests d;
	struct assay_err err;

	(void)state;
	NEED_OPENSSL();
	assert_int_equal(assay_hash_src(file, ASSAY_ALL_BANKS, &d, &err), 0);
	assert_int_equal(d.banks, ASSAY_ALL_BANKS);
	for (unsigned b = 0; b < ASSAY_N_BANKS; b++)
		expect(b, &d, data, SIZE);
}

struct plan {
	struct assay_hash_job job;
	struct assay_extent ranges[12];
	uint8_t *bytes; /* ranges, zeros, tail */
	size_t len;	/* of ranges and zeros */
};

static uint64_t upto(uint64_t n)
{
	return (uint64_t)random() % (n + 1);
}

static void make_plan(struct plan *p)
{
	static const size_t gaps[] = { 0, 1, 8, 5000, 20000, 400000 };
	static const size_t lens[] = { 0, 1, 100, 4096, 300000, 900000 };
	uint64_t pos = upto(2) ? upto(100000) : 0;

	memset(p, 0, sizeof(*p));
	p->job.banks = (unsigned)upto(ASSAY_ALL_BANKS - 1) + 1;
	p->bytes = malloc(SIZE + 3000000);
	assert_non_null(p->bytes);
	for (size_t n = upto(12); p->job.n_ranges < n;) {
		struct assay_extent *r = &p->ranges[p->job.n_ranges];

		r->off = pos + upto(gaps[upto(5)]);
		r->len = upto(lens[upto(5)]);
		if (r->off + r->len > SIZE)
			break;
		memcpy(p->bytes + p->len, data + r->off, r->len);
		p->len += r->len;
		pos = r->off + r->len;
		p->job.n_ranges++;
	}
	p->job.ranges = p->ranges;
	p->job.zeros = upto(3) ? 0 : upto(lens[upto(5)]);
	memset(p->bytes + p->len, 0, p->job.zeros);
	p->len += p->job.zeros;
	if (upto(2) == 0) {
		p->job.with_tail = true;
		p->job.tail = data + 7;
		p->job.tail_len = upto(1) ? 0 : upto(200000);
		memcpy(p->bytes + p->len, data + 7, p->job.tail_len);
	}
}

/* Random sets of jobs, each with random ranges, banks, zeros and tail, with 1 to 4 threads. */
static void test_random_jobs(void **state)
{
	(void)state;
	NEED_OPENSSL();
	srandom(2);
	for (int round = 0; round < 40; round++) {
		struct assay_src *const src = round % 2 ? file : mem;
		struct assay_hash_job jobs[6];
		struct plan plans[6];
		const size_t n = 1 + upto(5), one = upto(n - 1);
		struct assay_err err;

		for (size_t i = 0; i < n; i++) {
			make_plan(&plans[i]);
			jobs[i] = plans[i].job;
		}
		assay_hash_set_threads(1 + (unsigned)upto(3));
		assert_int_equal(assay_hash_run(src, jobs, n, &err), 0);
		for (size_t i = 0; i < n; i++) {
			struct assay_digests want;

			/* All against the one-shot digest, and one of them against openssl. */
			assert_int_equal(assay_digest_mem(jobs[i].banks, plans[i].bytes,
							  plans[i].len, &want, NULL),
					 0);
			assert_true(assay_digests_equal(&want, &jobs[i].ret));
			assert_memory_equal(&want, &jobs[i].ret, sizeof(want));
			if (jobs[i].with_tail) {
				assert_int_equal(assay_digest_mem(jobs[i].banks, plans[i].bytes,
								  plans[i].len + jobs[i].tail_len,
								  &want, NULL),
						 0);
				assert_true(assay_digests_equal(&want, &jobs[i].ret_tail));
			} else {
				assert_int_equal(jobs[i].ret_tail.banks, 0);
			}
			if (i == one) {
				const enum assay_bank b =
					(enum assay_bank)__builtin_ctz(jobs[i].banks);

				expect(b, &jobs[i].ret, plans[i].bytes, plans[i].len);
				if (jobs[i].with_tail)
					expect(b, &jobs[i].ret_tail, plans[i].bytes,
					       plans[i].len + jobs[i].tail_len);
			}
			free(plans[i].bytes);
		}
	}
	assay_hash_set_threads(0);
}

/* Every length around the edges of blocks, and every thread count. */
/* A source and parts of it in one step: the same as each for itself, which OpenSSL hashes. */
static void test_parts(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 60; round++) {
		const uint64_t size = round == 0 ? 64 : (uint64_t)(rand() % SIZE) + 64;
		ASSAY_AUTO(assay_src) *some = NULL;
		struct assay_extent parts[8], all = { 0, size };
		struct assay_digests ret[8], want;
		uint64_t at = 0;
		size_t n = 0;

		assert_int_equal(assay_src_slice(round % 2 ? file : mem, 0, size, &some, NULL), 0);
		while (n < 8 && at < size / 64) {
			const uint64_t skip = round % 3 ? (uint64_t)rand() % (size / 64 - at) / 2 : 0;
			const uint64_t left = size / 64 - at - skip;
			const uint64_t len = n == 7 ? left : (uint64_t)rand() % left + 1;

			parts[n++] = (struct assay_extent){ 64 * (at + skip), 64 * len };
			at += skip + len;
		}
		if (!assay_hash_parts_possible(parts, n, size)) {
			unit_skip("this processor has no SHA instructions");
			return;
		}
		struct assay_hash_job job = { .banks = ASSAY_BANK_BIT(ASSAY_SHA256), .ranges = &all, .n_ranges = 1,
					      .parts = parts, .n_parts = n, .ret_parts = ret };
		assert_int_equal(assay_hash_run(some, &job, 1, NULL), 0);
		assert_int_equal(assay_hash_src(some, ASSAY_BANK_BIT(ASSAY_SHA256), &want, NULL), 0);
		assert_true(assay_digests_equal(&job.ret, &want));
		for (size_t i = 0; i < n; i++) {
			ASSAY_AUTO(assay_src) *part = NULL;

			assert_int_equal(assay_src_slice(some, parts[i].off, parts[i].len, &part, NULL), 0);
			assert_int_equal(assay_hash_src(part, ASSAY_BANK_BIT(ASSAY_SHA256), &want, NULL), 0);
			assert_true(assay_digests_equal(&ret[i], &want));
		}
		if (round == 1)
			expect(ASSAY_SHA256, &ret[0], data + parts[0].off, parts[0].len);
	}
}

static void test_parts_refused(void **state)
{
	static const struct {
		struct assay_extent parts[2];
		size_t n;
	} cases[] = {
		{ { { 32, 64 } }, 1 },		      { { { 64, 65 } }, 1 },
		{ { { 0, 128 }, { 64, 64 } }, 2 },    { { { 128, 64 }, { 0, 64 } }, 2 },
		{ { { 0, 0 } }, 1 },		      { { { 4096, 64 } }, 1 },
		{ { { 64, UINT64_MAX - 63 } }, 1 },
	};
	const struct assay_extent all = { 0, 4096 };
	ASSAY_AUTO(assay_src) *some = NULL;
	struct assay_digests ret[2];

	(void)state;
	assert_int_equal(assay_src_slice(mem, 0, 4096, &some, NULL), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct assay_hash_job job = { .banks = ASSAY_BANK_BIT(ASSAY_SHA256), .ranges = &all, .n_ranges = 1,
					      .parts = cases[i].parts, .n_parts = cases[i].n, .ret_parts = ret };

		assert_false(assay_hash_parts_possible(cases[i].parts, cases[i].n, 4096));
		assert_int_equal(assay_hash_run(some, &job, 1, NULL), -1);
	}
	struct assay_extent good = { 64, 64 };
	struct assay_hash_job job = { .banks = ASSAY_BANK_BIT(ASSAY_SHA1), .ranges = &all, .n_ranges = 1,
				      .parts = &good, .n_parts = 1, .ret_parts = ret };
	assert_int_equal(assay_hash_run(some, &job, 1, NULL), -1);
}

static void test_block_edges(void **state)
{
	static const size_t edges[] = { 0, 1, 64, 4096, 65536, 262144, 524288, 786432, SIZE - 2 };

	(void)state;
	for (unsigned threads = 0; threads < 4; threads++) {
		assay_hash_set_threads(threads == 3 ? 99 : threads);
		for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
			for (size_t d = 0; d <= 2; d++) {
				const uint64_t len = edges[i] + d - (edges[i] > 0);
				const struct assay_extent r = { SIZE - len - (len < SIZE), len };
				struct assay_hash_job job = { .banks = 0xa,
							      .ranges = &r,
							      .n_ranges = 1 };
				struct assay_digests want;

				assert_int_equal(assay_hash_run(file, &job, 1, NULL), 0);
				assert_int_equal(
					assay_digest_mem(0xa, data + r.off, len, &want, NULL), 0);
				assert_true(assay_digests_equal(&want, &job.ret));
			}
		}
	}
	assay_hash_set_threads(0);
}

static void test_nothing(void **state)
{
	static const struct assay_extent none[] = { { 5, 0 }, { 5, 0 }, { SIZE, 0 } };
	ASSAY_AUTO(assay_src) *empty = NULL;
	struct assay_hash_job jobs[] = {
		{ .banks = 2 },
		{ .banks = 2, .ranges = none, .n_ranges = 3 },
		{ .banks = 2, .with_tail = true, .tail = "abc", .tail_len = 3 },
		{ .banks = 2, .zeros = 64, .with_tail = true },
	};
	struct assay_digests nothing, abc, zeros, d;

	(void)state;
	assert_int_equal(assay_digest_mem(2, NULL, 0, &nothing, NULL), 0);
	assert_int_equal(assay_digest_mem(2, "abc", 3, &abc, NULL), 0);
	assert_int_equal(assay_digest_mem(2, (uint8_t[64]){ 0 }, 64, &zeros, NULL), 0);
	assert_int_equal(assay_hash_run(file, jobs, 4, NULL), 0);
	assert_true(assay_digests_equal(&jobs[0].ret, &nothing));
	assert_true(assay_digests_equal(&jobs[1].ret, &nothing));
	assert_true(assay_digests_equal(&jobs[2].ret, &nothing));
	assert_true(assay_digests_equal(&jobs[2].ret_tail, &abc));
	assert_true(assay_digests_equal(&jobs[3].ret, &zeros));
	assert_true(assay_digests_equal(&jobs[3].ret_tail, &zeros));
	assert_int_equal(assay_hash_run(file, NULL, 0, NULL), 0);
	assert_int_equal(assay_src_from_mem("", 0, &empty, NULL), 0);
	assert_int_equal(assay_hash_src(empty, 2, &d, NULL), 0);
	assert_true(assay_digests_equal(&d, &nothing));
}

/* Many lanes over the same little and large ranges. */
static void test_many_jobs(void **state)
{
	enum { N = 300 };
	struct assay_hash_job *jobs = calloc(N, sizeof(*jobs));
	struct assay_extent *r = calloc(N, sizeof(*r));

	(void)state;
	assert_non_null(jobs);
	assert_non_null(r);
	for (size_t i = 0; i < N; i++) {
		r[i] = (struct assay_extent){ (N - i) * 997, i * 1013 % 50000 };
		jobs[i] = (struct assay_hash_job){ .banks = 3, .ranges = &r[i], .n_ranges = 1 };
	}
	assay_hash_set_threads(3);
	assert_int_equal(assay_hash_run(file, jobs, N, NULL), 0);
	assay_hash_set_threads(0);
	for (size_t i = 0; i < N; i++) {
		struct assay_digests want;

		assert_int_equal(assay_digest_mem(3, data + r[i].off, r[i].len, &want, NULL), 0);
		assert_true(assay_digests_equal(&want, &jobs[i].ret));
	}
	free(jobs);
	free(r);
}

static void refuse(struct assay_hash_job job, enum assay_code code)
{
	static const struct assay_extent all = { 0, SIZE };
	struct assay_hash_job jobs[2] = { { .banks = 2, .ranges = &all, .n_ranges = 1 }, job };
	const struct assay_hash_job before = jobs[1];
	struct assay_err err;

	assert_int_equal(assay_hash_run(file, jobs, 2, &err), -1);
	assert_int_equal(err.code, code);
	assert_non_null(strstr(err.msg, "job 1"));
	assert_memory_equal(&before, &jobs[1], sizeof(before));
	assert_int_equal(assay_hash_run(file, jobs, 2, NULL), -1);
}

static void test_refused(void **state)
{
	static const struct assay_extent backward[] = { { 10, 5 }, { 0, 5 } };
	static const struct assay_extent overlap[] = { { 10, 5 }, { 14, 5 } };
	static const struct assay_extent past[] = { { 10, 5 }, { SIZE - 4, 5 } };
	static const struct assay_extent wraps[] = { { 10, UINT64_MAX } };

	(void)state;
	refuse((struct assay_hash_job){ .banks = 2, .ranges = backward, .n_ranges = 2 },
	       ASSAY_E_USAGE);
	refuse((struct assay_hash_job){ .banks = 2, .ranges = overlap, .n_ranges = 2 },
	       ASSAY_E_USAGE);
	refuse((struct assay_hash_job){ .banks = 2, .ranges = past, .n_ranges = 2 },
	       ASSAY_E_CORRUPT);
	refuse((struct assay_hash_job){ .banks = 2, .ranges = wraps, .n_ranges = 1 },
	       ASSAY_E_CORRUPT);
	refuse((struct assay_hash_job){ .banks = 0 }, ASSAY_E_USAGE);
	refuse((struct assay_hash_job){ .banks = 16 }, ASSAY_E_USAGE);
}

/* A file that shrinks under us ends all threads, with the error of the read. */
static void test_reader_fails(void **state)
{
	(void)state;
	for (unsigned threads = 1; threads <= 4; threads++) {
		for (off_t left = 0; left < 2900000; left += 700001) {
			ASSAY_AUTO(assay_src) *src = NULL;
			char path[] = "/tmp/assay-test-XXXXXX";
			const int fd = mkstemp(path);
			struct assay_digests d = { 0 };
			struct assay_err err;

			assert_true(fd >= 0);
			assert_int_equal(write(fd, data, SIZE), SIZE);
			assert_int_equal(assay_src_open_file(path, &src, NULL), 0);
			unlink(path);
			assert_int_equal(ftruncate(fd, left), 0);
			close(fd);
			assay_hash_set_threads(threads);
			assert_int_equal(assay_hash_src(src, ASSAY_ALL_BANKS, &d, &err), -1);
			assert_int_equal(err.code, ASSAY_E_IO);
			assert_int_equal(err.at, left);
			assert_int_equal(d.banks, 0);
		}
	}
	assay_hash_set_threads(0);
}

static struct {
	pthread_t thread;
	uint64_t done, total;
	unsigned calls;
	bool wrong;
} seen;

static void on_progress(uint64_t done, uint64_t total, void *arg)
{
	(void)arg;
	seen.wrong |= !pthread_equal(pthread_self(), seen.thread) || done < seen.done ||
		      done > total || total != SIZE;
	seen.done = done;
	seen.total = total;
	seen.calls++;
}

static void test_progress(void **state)
{
	(void)state;
	for (unsigned threads = 1; threads <= 3; threads++) {
		struct assay_digests d;

		memset(&seen, 0, sizeof(seen));
		seen.thread = pthread_self();
		assay_hash_set_threads(threads);
		assay_log_set(NULL, on_progress, NULL);
		assert_int_equal(assay_hash_src(file, 3, &d, NULL), 0);
		assay_log_set(NULL, NULL, NULL);
		assert_false(seen.wrong);
		/* With helpers, the caller's thread may find all of it done. */
		assert_true(seen.calls > (threads == 1));
		assert_true(seen.done == SIZE && seen.total == SIZE);
	}
	assay_hash_set_threads(0);
}

/* A fragmented file: the source underneath is extents. */
static void test_extents_source(void **state)
{
	static const struct assay_extent e[] = { { 2000000, 500000 },
						 { 0, 7 },
						 { 1000000, 600001 } };
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO_FREE uint8_t *bytes = malloc(1100008);
	struct assay_digests got, want;

	(void)state;
	memcpy(bytes, data + 2000000, 500000);
	memcpy(bytes + 500000, data, 7);
	memcpy(bytes + 500007, data + 1000000, 600001);
	assert_int_equal(assay_src_extents(file, e, 3, &src, NULL), 0);
	assert_int_equal(assay_hash_src(src, 6, &got, NULL), 0);
	assert_int_equal(assay_digest_mem(6, bytes, 1100008, &want, NULL), 0);
	assert_true(assay_digests_equal(&got, &want));
}

static int hash_small(struct assay_err *err)
{
	static const struct assay_extent r[] = { { 0, 100 }, { 200, 50000 } };
	struct assay_hash_job jobs[] = {
		{ .banks = 0xf,
		  .ranges = r,
		  .n_ranges = 2,
		  .with_tail = true,
		  .tail = "x",
		  .tail_len = 1 },
		{ .banks = 2, .ranges = r, .n_ranges = 1, .zeros = 10 },
	};

	return assay_hash_run(mem, jobs, 2, err);
}

static int hash_large(struct assay_err *err)
{
	struct assay_digests d;

	return assay_hash_src(file, 3, &d, err);
}

static void test_out_of_memory(void **state)
{
	(void)state;
	unit_alloc_each(hash_small, true);
	assay_hash_set_threads(2);
	unit_alloc_each(hash_large, false);
	assay_hash_set_threads(0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_whole_file),     cmocka_unit_test(test_random_jobs),
	cmocka_unit_test(test_parts),	       cmocka_unit_test(test_parts_refused),
	cmocka_unit_test(test_block_edges),    cmocka_unit_test(test_nothing),
	cmocka_unit_test(test_many_jobs),      cmocka_unit_test(test_refused),
	cmocka_unit_test(test_reader_fails),   cmocka_unit_test(test_progress),
	cmocka_unit_test(test_extents_source), cmocka_unit_test(test_out_of_memory),
};

int main(void)
{
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
