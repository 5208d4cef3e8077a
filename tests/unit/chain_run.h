/* SPDX-License-Identifier: Apache-2.0 */
/* One whole precompute in memory, for the tests of chains. */
#ifndef ASSAY_TESTS_CHAIN_RUN_H
#define ASSAY_TESTS_CHAIN_RUN_H

#include "precompute/precompute.h"
#include "tests/unit/chain_build.h"
#include "tests/unit/unit.h"

struct chain_run {
	const char *platform; /* NULL: build_platform */
	struct assay_precompute_options options;
	const char *const *more; /* partitions beside the ESP */
	size_t n_more;
};

static struct assay_err run_err;

static inline int chain_try(const struct chain_run *r, const struct disk_file *files, size_t n,
			    struct assay_prediction **ret)
{
	ASSAY_AUTO(assay_src) *disk = NULL;
	ASSAY_AUTO(assay_image) *image = NULL;
	ASSAY_AUTO(assay_platform) *platform = NULL;
	const char *text = r->platform ? r->platform : build_platform;
	size_t len;
	uint8_t *p = disk_build(files, n, r->more, r->n_more, &len);
	int rc = -1;

	memset(&run_err, 0, sizeof(run_err));
	if (assay_platform_parse(text, strlen(text), &platform, &run_err) < 0)
		fail_msg("platform: %s", run_err.msg);
	if (assay_src_from_mem(p, len, &disk, &run_err) == 0 &&
	    assay_image_open(disk, "disk.img", &image, &run_err) == 0)
		rc = assay_precompute(image, platform, &r->options, ret, &run_err);
	assay_image_free(&image);
	assay_src_free(&disk);
	free(p);
	return rc;
}

static inline struct assay_prediction *chain_ok(const struct chain_run *r,
						const struct disk_file *files, size_t n)
{
	struct assay_prediction *p = NULL;

	if (chain_try(r, files, n, &p) < 0)
		fail_msg("%s", run_err.msg);
	return p;
}

/* Expects a refusal by name, with these words in it. */
static inline void chain_refused(const struct chain_run *r, const struct disk_file *files, size_t n,
				 const char *words)
{
	struct assay_prediction *p = NULL;

	if (chain_try(r, files, n, &p) == 0)
		fail_msg("not refused: %s", words);
	assert_null(p);
	if (!strstr(run_err.msg, words))
		fail_msg("'%s' is not in '%s'", words, run_err.msg);
}

/* The n-th event of a PCR. */
static inline const struct assay_pred_event *chain_event(const struct assay_prediction *p,
							 unsigned pcr, size_t n)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->events[i].pcr == pcr && n-- == 0)
			return &p->events[i];
	return NULL;
}

static inline size_t chain_count(const struct assay_prediction *p, unsigned pcr)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += p->events[i].pcr == pcr;
	return n;
}

/* That event's sha256 is of these bytes. */
static inline void chain_is(const struct assay_prediction *p, unsigned pcr, size_t n,
			    const void *bytes, size_t len)
{
	const struct assay_pred_event *ev = chain_event(p, pcr, n);
	struct assay_digests d;

	assert_non_null(ev);
	assert_int_equal(assay_digest_mem(ASSAY_BANK_BIT(ASSAY_SHA256), bytes, len, &d, &run_err),
			 0);
	if (memcmp(d.d[ASSAY_SHA256], ev->values[0].d[ASSAY_SHA256], 32) != 0)
		fail_msg("event %zu of PCR %u (%s: %s) is not of these %zu bytes", n, pcr,
			 ev->source, ev->detail ? ev->detail : "", len);
}

/* The same for a text as UTF-16 with its NUL; ASCII, and \xNN for U+00NN. */
static inline void chain_is_utf16(const struct assay_prediction *p, unsigned pcr, size_t n,
				  const char *text)
{
	uint8_t u[8192];
	size_t len = strlen(text) + 1;

	assert_true(2 * len <= sizeof(u));
	for (size_t i = 0; i < len; i++)
		assay_put_le16(u + 2 * i, (uint8_t)text[i]);
	chain_is(p, pcr, n, u, 2 * len);
}

#define CHAIN_FILE(name, builder)                                                                  \
	{                                                                                          \
		name, (builder).p, (builder).len                                                   \
	}
#define CHAIN_TEXT(name, text)                                                                     \
	{                                                                                          \
		name, text, sizeof(text) - 1                                                       \
	}
#define CHAIN_N(files) (sizeof(files) / sizeof(*(files)))

#endif
