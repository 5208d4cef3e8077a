/* SPDX-License-Identifier: Apache-2.0 */
/* Event logs built byte by byte, for the tests of what reads them. */
#ifndef ASSAY_TESTS_LOG_BUILD_H
#define ASSAY_TESTS_LOG_BUILD_H

#include "core/cur.h"
#include "core/digest.h"
#include "tests/unit/unit.h"
#include "tpm/event.h"

struct log_build {
	uint8_t *p;
	size_t len;
	size_t cap;
};

static inline void log_bytes(struct log_build *b, const void *p, size_t n)
{
	if (b->len + n > b->cap) {
		b->cap = 2 * (b->len + n) + 256;
		b->p = realloc(b->p, b->cap);
		assert_non_null(b->p);
	}
	if (n)
		memcpy(b->p + b->len, p, n);
	b->len += n;
}

static inline void log_fill(struct log_build *b, uint8_t value, size_t n)
{
	while (n-- > 0)
		log_bytes(b, &value, 1);
}

static inline void log_le16(struct log_build *b, uint16_t v)
{
	uint8_t p[2];

	assay_put_le16(p, v);
	log_bytes(b, p, sizeof(p));
}

static inline void log_le32(struct log_build *b, uint32_t v)
{
	uint8_t p[4];

	assay_put_le32(p, v);
	log_bytes(b, p, sizeof(p));
}

static inline void log_le64(struct log_build *b, uint64_t v)
{
	uint8_t p[8];

	assay_put_le64(p, v);
	log_bytes(b, p, sizeof(p));
}

/* TCG_PCR_EVENT: a log of TCG 1.2, or the header of any. */
static inline void log_event12(struct log_build *b, uint32_t pcr, uint32_t type, const void *digest,
			       const void *data, size_t len)
{
	log_le32(b, pcr);
	log_le32(b, type);
	if (digest)
		log_bytes(b, digest, 20);
	else
		log_fill(b, 0, 20);
	log_le32(b, (uint32_t)len);
	log_bytes(b, data, len);
}

/* The data of a "Spec ID Event03" that announces these algorithms. */
static inline struct log_build log_spec_id(const uint16_t (*algs)[2], size_t n)
{
	struct log_build b = { 0 };

	log_bytes(&b, "Spec ID Event03", 16);
	log_le32(&b, 0);
	log_bytes(&b, "\0\2\0\2", 4);
	log_le32(&b, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		log_le16(&b, algs[i][0]);
		log_le16(&b, algs[i][1]);
	}
	log_bytes(&b, "\0", 1);
	return b;
}

static inline void log_header_in(struct log_build *b, uint32_t pcr, const uint16_t (*algs)[2],
				 size_t n)
{
	struct log_build data = log_spec_id(algs, n);

	log_event12(b, pcr, EV_NO_ACTION, NULL, data.p, data.len);
	free(data.p);
}

/* The header of a crypto-agile log with banks that assay knows. */
static inline void log_header(struct log_build *b, unsigned banks)
{
	uint16_t algs[ASSAY_N_BANKS][2];
	size_t n = 0;

	for (unsigned k = 0; k < ASSAY_N_BANKS; k++) {
		if (!(banks & ASSAY_BANK_BIT(k)))
			continue;
		algs[n][0] = assay_bank_tcg_id((enum assay_bank)k);
		algs[n++][1] = (uint16_t)assay_bank_size((enum assay_bank)k);
	}
	log_header_in(b, 0, algs, n);
}

/* TCG_PCR_EVENT2 */
static inline void log_event(struct log_build *b, uint32_t pcr, uint32_t type,
			     const struct assay_digests *d, const void *data, size_t len)
{
	uint32_t n = 0;

	for (unsigned k = 0; k < ASSAY_N_BANKS; k++)
		n += d->banks >> k & 1U;
	log_le32(b, pcr);
	log_le32(b, type);
	log_le32(b, n);
	for (unsigned k = 0; k < ASSAY_N_BANKS; k++) {
		if (!(d->banks & ASSAY_BANK_BIT(k)))
			continue;
		log_le16(b, assay_bank_tcg_id((enum assay_bank)k));
		log_bytes(b, d->d[k], assay_bank_size((enum assay_bank)k));
	}
	log_le32(b, (uint32_t)len);
	log_bytes(b, data, len);
}

/* An event whose digests are those of its data. */
static inline void log_event_of(struct log_build *b, uint32_t pcr, uint32_t type, unsigned banks,
				const void *data, size_t len)
{
	struct assay_digests d;

	assert_int_equal(assay_digest_mem(banks, data, len, &d, NULL), 0);
	log_event(b, pcr, type, &d, data, len);
}

/* EV_NO_ACTION: digests of zeros. */
static inline void log_no_action(struct log_build *b, uint32_t pcr, unsigned banks,
				 const void *data, size_t len)
{
	const struct assay_digests zero = { .banks = banks };

	log_event(b, pcr, EV_NO_ACTION, &zero, data, len);
}

static inline void log_locality(struct log_build *b, unsigned banks, uint8_t locality)
{
	uint8_t data[17] = "StartupLocality";

	data[16] = locality;
	log_no_action(b, 0, banks, data, sizeof(data));
}

/* UEFI_VARIABLE_DATA with an ASCII name. */
static inline struct log_build log_variable(const char *guid, const char *name, const void *data,
					    size_t len)
{
	struct log_build b = { 0 };
	uint8_t g[16];

	assert_true(assay_guid_parse(guid, g));
	log_bytes(&b, g, 16);
	log_le64(&b, strlen(name));
	log_le64(&b, len);
	for (; *name; name++)
		log_le16(&b, (uint8_t)*name);
	log_bytes(&b, data, len);
	return b;
}

#define LOG_EFI_GLOBAL "8be4df61-93ca-11d2-aa0d-00e098032b8c"
#define LOG_IMAGE_SECURITY "d719b2cb-3d3a-4596-a3bc-dad00e67656f"

#endif
