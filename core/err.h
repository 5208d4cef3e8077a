/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The error value: one on the caller's stack, filled by whoever fails, given context on the way up.
 *
 * A code tells a program what to do, the text tells a person what happened, and `at` is the
 * absolute byte offset in the outermost file (ASSAY_NO_OFFSET where there is none).
 */
#ifndef ASSAY_CORE_ERR_H
#define ASSAY_CORE_ERR_H

#include <stdint.h>

#define ASSAY_NO_OFFSET UINT64_MAX

enum assay_code {
	ASSAY_OK = 0,
	ASSAY_E_IO,	     /* the operating system refused; `sys` has its errno */
	ASSAY_E_CORRUPT,     /* the bytes contradict their format */
	ASSAY_E_UNSUPPORTED, /* well-formed as far as we can tell, and refused by name */
	ASSAY_E_LIMIT,	     /* past a ceiling of core/limits.h */
	ASSAY_E_NOTFOUND,    /* the thing asked for is not there */
	ASSAY_E_CRYPTO,	     /* the crypto library failed, or a signature is bad */
	ASSAY_E_TPM,	     /* the TPM, or the way to it, failed */
	ASSAY_E_MISMATCH,    /* checked, and it does not match */
	ASSAY_E_NOMEM,	     /* out of memory */
	ASSAY_E_USAGE,	     /* the caller's words are off (a bank, a path, an option) */
};

struct assay_err {
	enum assay_code code;
	int sys;     /* errno, or 0 */
	uint64_t at; /* byte offset in the outermost file, or ASSAY_NO_OFFSET */
	char msg[512];
};

/* Set the error. Always returns -1, so that a failure cannot leak out as 0. err may be NULL. */
int assay_fail(struct assay_err *err, enum assay_code code, uint64_t at, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* The same for a failed system call: ASSAY_E_IO, errno kept, its text appended. Always -1. */
int assay_fail_sys(struct assay_err *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Out of memory. Always -1. */
int assay_fail_mem(struct assay_err *err);

/* Put "CONTEXT: " before the message (the noun: a file, a partition). Always returns -1. */
int assay_wrap(struct assay_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define ASSAY_MUST __attribute__((warn_unused_result))

/*
 * Owned locals: ASSAY_AUTO(assay_src) *s = NULL; calls assay_src_free(&s) when it leaves scope.
 * The type's header says ASSAY_DEFINE_AUTO(assay_src) once.
 */
#define ASSAY_DEFINE_AUTO(type)                                                                    \
	static inline void type##_auto_(struct type **p)                                           \
	{                                                                                          \
		type##_free(p);                                                                    \
	}
#define ASSAY_AUTO(type) __attribute__((cleanup(type##_auto_))) struct type
/* Owned plain memory: ASSAY_AUTO_FREE uint8_t *buf = NULL; */
#define ASSAY_AUTO_FREE __attribute__((cleanup(assay_free_auto_)))
void assay_free_auto_(void *p);
/* Hand ownership over, visibly at the call. */
#define assay_steal(pp)                                                                            \
	({                                                                                         \
		__typeof__(*(pp)) stolen_ = *(pp);                                                 \
		*(pp) = NULL;                                                                      \
		stolen_;                                                                           \
	})

#endif
