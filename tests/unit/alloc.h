/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running out of memory, everywhere: unit_alloc_each(fn) calls fn again and again, with the first
 * allocation failing, then the second, until none fails any more. This file defines malloc and its
 * kin for the whole program, libraries included, so it is included by one file of a program only;
 * under a sanitizer, which defines them too, unit_alloc_each() skips.
 */
#ifndef ASSAY_TESTS_ALLOC_H
#define ASSAY_TESTS_ALLOC_H

#include <errno.h>
#include <stdatomic.h>

#include "core/err.h"
#include "tests/unit/unit.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define UNIT_SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNIT_SANITIZED
#endif

static atomic_long alloc_left = -1; /* this many succeed; -1: all do */
static atomic_bool alloc_failed;
static atomic_long alloc_live;

#if defined(__GLIBC__) && !defined(UNIT_SANITIZED)
#define UNIT_ALLOC_WORKS 1

#define UNIT_SEEN __attribute__((visibility("default")))
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void __libc_free(void *p);
UNIT_SEEN void *malloc(size_t size);
UNIT_SEEN void *calloc(size_t n, size_t size);
UNIT_SEEN void *realloc(void *p, size_t size);
UNIT_SEEN void free(void *p);

/* The one that was to fail fails, and so does each after it: memory does not come back. */
static bool alloc_may(void)
{
	if (atomic_load(&alloc_left) < 0)
		return true;
	if (atomic_load(&alloc_left) > 0) {
		atomic_fetch_sub(&alloc_left, 1);
		return true;
	}
	atomic_store(&alloc_failed, true);
	errno = ENOMEM;
	return false;
}

static void *alloc_count(void *p)
{
	if (p)
		atomic_fetch_add(&alloc_live, 1);
	return p;
}

void *malloc(size_t size)
{
	return alloc_may() ? alloc_count(__libc_malloc(size)) : NULL;
}

void *calloc(size_t n, size_t size)
{
	return alloc_may() ? alloc_count(__libc_calloc(n, size)) : NULL;
}

void *realloc(void *p, size_t size)
{
	if (!alloc_may())
		return NULL;
	return p ? __libc_realloc(p, size) : alloc_count(__libc_realloc(NULL, size));
}

void free(void *p)
{
	if (p)
		atomic_fetch_sub(&alloc_live, 1);
	__libc_free(p);
}
#else
#define UNIT_ALLOC_WORKS 0
#endif

/*
 * fn returns 0, or -1 with *err set, and has freed all it got; with check_leaks that is counted
 * (libraries that keep memory for later must have been warmed up).
 */
static inline void unit_alloc_each(int (*fn)(struct assay_err *err), bool check_leaks)
{
	struct assay_err err;

	if (!UNIT_ALLOC_WORKS)
		unit_skip("allocations cannot be made to fail under a sanitizer");
	assert_int_equal(fn(&err), 0);
	for (long n = 0;; n++) {
		const long live = atomic_load(&alloc_live);
		int r;

		assert_true(n < 100000);
		memset(&err, 0, sizeof(err));
		atomic_store(&alloc_failed, false);
		atomic_store(&alloc_left, n);
		r = fn(&err);
		atomic_store(&alloc_left, -1);
		if (check_leaks && atomic_load(&alloc_live) != live)
			fail_msg("failing allocation %ld leaks %ld", n,
				 atomic_load(&alloc_live) - live);
		if (!atomic_load(&alloc_failed)) {
			assert_int_equal(r, 0);
			print_message("# %ld allocations failed in turn\n", n);
			return;
		}
		/* An allocation one can do without may have failed; nothing else may come of it. */
		if (r != 0 && err.code != ASSAY_E_NOMEM && err.code != ASSAY_E_CRYPTO)
			fail_msg("failing allocation %ld: code %d, %s", n, (int)err.code, err.msg);
	}
}

#endif
