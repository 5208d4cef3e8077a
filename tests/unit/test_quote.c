/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quotes, signatures, keys and PCR values as TPMs and tpm2-tools write them. tests/corpus/quote has what swtpm and
 * tpm2_quote made (its first byte says which parser); the oracles are libtss2-mu and tpm2_print.
 */
#include <tss2/tss2_mu.h>

#include "core/base64.h"
#include "core/json.h"
#include "tests/unit/alloc.h"
#include "tests/unit/unit.h"
#include "tpm/quote.h"

static struct assay_err err;

static uint8_t *corpus(const char *name, size_t *ret_len)
{
	char path[128];
	uint8_t *buf = malloc(4096);

	snprintf(path, sizeof(path), "tests/corpus/quote/%s", name);
	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	assert_non_null(buf);
	const size_t n = fread(buf, 1, 4096, f);
	fclose(f);
	assert_true(n > 1 && n < 4096);
	memmove(buf, buf + 1, n - 1);
	*ret_len = n - 1;
	return buf;
}

/* Memory of just this length, so that a sanitizer sees what is read past it. */
static uint8_t *exactly(const uint8_t *p, size_t n)
{
	uint8_t *q = malloc(n ? n : 1);

	assert_non_null(q);
	memcpy(q, p, n);
	return q;
}

/* --- quotes ------------------------------------------------------------------------------------- */

static void same_as_mu(const uint8_t *p, size_t n, const struct assay_quote *q)
{
	TPMS_ATTEST a;
	size_t at = 0;

	assert_int_equal(Tss2_MU_TPMS_ATTEST_Unmarshal(p, n, &at, &a), TSS2_RC_SUCCESS);
	assert_int_equal(at, n);
	assert_int_equal(a.qualifiedSigner.size, q->signer_len);
	assert_memory_equal(a.qualifiedSigner.name, q->signer, q->signer_len);
	assert_int_equal(a.extraData.size, q->extra_len);
	assert_memory_equal(a.extraData.buffer, q->extra, q->extra_len);
	assert_true(a.clockInfo.clock == q->clock);
	assert_int_equal(a.clockInfo.resetCount, q->reset_count);
	assert_int_equal(a.clockInfo.restartCount, q->restart_count);
	assert_int_equal(a.clockInfo.safe, q->safe);
	assert_true(a.firmwareVersion == q->firmware_version);
	assert_int_equal(a.attested.quote.pcrSelect.count, q->n_selections);
	for (size_t i = 0; i < q->n_selections; i++) {
		const TPMS_PCR_SELECTION *s = &a.attested.quote.pcrSelect.pcrSelections[i];
		uint32_t bits = 0;

		for (unsigned k = 0; k < s->sizeofSelect; k++)
			bits |= (uint32_t)s->pcrSelect[k] << 8 * k;
		assert_int_equal(s->hash, q->selections[i].hash);
		assert_int_equal(bits, q->selections[i].pcrs);
	}
	assert_int_equal(a.attested.quote.pcrDigest.size, q->pcr_digest_len);
	assert_memory_equal(a.attested.quote.pcrDigest.buffer, q->pcr_digest, q->pcr_digest_len);
}

static void test_attest(void **state)
{
	static const char *const names[] = { "attest", "attest-banks" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		size_t n;
		ASSAY_AUTO_FREE uint8_t *p = corpus(names[i], &n);
		struct assay_quote q;

		assert_int_equal(assay_quote_parse(p, n, &q, &err), 0);
		same_as_mu(p, n, &q);
		assert_int_equal(q.extra_len, 4);
		assert_memory_equal(q.extra, "\x00\x11\x22\x33", 4);
		assert_true(q.safe);
		assert_int_equal(q.n_selections, i == 0 ? 1 : 3);
		assert_int_equal(q.selections[0].pcrs, i == 0 ? 0xffff : 0x14001);
		assert_int_equal(q.selections[0].bank, i == 0 ? ASSAY_SHA256 : ASSAY_SHA1);
		for (size_t cut = 0; cut < n; cut++) {
			ASSAY_AUTO_FREE uint8_t *part = exactly(p, cut);

			memset(&q, 0x5a, sizeof(q));
			assert_int_equal(assay_quote_parse(part, cut, &q, &err), -1);
			assert_int_equal(err.code, ASSAY_E_CORRUPT);
			assert_int_equal(((uint8_t *)&q)[0], 0x5a);
		}
		p[n] = 0;
		assert_int_equal(assay_quote_parse(p, n + 1, &q, &err), -1);
		assert_string_equal(err.msg, "1 bytes after the quote");
	}
}

/* Whatever we take, MU takes whole and reads the same; over every value of every byte. */
static void test_attest_mutants(void **state)
{
	size_t n, taken = 0;
	ASSAY_AUTO_FREE uint8_t *p = corpus("attest-banks", &n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		const uint8_t was = p[i];

		for (unsigned v = 0; v < 256; v++) {
			struct assay_quote q;

			p[i] = (uint8_t)v;
			if (assay_quote_parse(p, n, &q, &err) < 0)
				continue;
			same_as_mu(p, n, &q);
			taken++;
		}
		p[i] = was;
	}
	assert_true(taken > 20000);
}

static void refused(const uint8_t *p, size_t n, enum assay_code code, uint64_t at, const char *msg)
{
	struct assay_quote q;

	assert_int_equal(assay_quote_parse(p, n, &q, &err), -1);
	assert_string_equal(err.msg, msg);
	assert_int_equal(err.code, code);
	assert_int_equal(err.at, at);
}

/* A quote of our own making by MU: of `n` selections. */
static size_t quote_of(uint16_t n, uint16_t hash, uint8_t octets, uint16_t extra, uint8_t *buf, size_t size)
{
	TPMS_ATTEST a = { .magic = TPM2_GENERATED_VALUE, .type = TPM2_ST_ATTEST_QUOTE };
	size_t at = 0;

	a.extraData.size = extra;
	a.attested.quote.pcrSelect.count = n;
	for (uint16_t i = 0; i < n; i++) {
		a.attested.quote.pcrSelect.pcrSelections[i].hash = (uint16_t)(hash + i);
		a.attested.quote.pcrSelect.pcrSelections[i].sizeofSelect = octets;
		memset(a.attested.quote.pcrSelect.pcrSelections[i].pcrSelect, 1, octets);
	}
	a.attested.quote.pcrDigest.size = 64;
	assert_int_equal(Tss2_MU_TPMS_ATTEST_Marshal(&a, buf, size, &at), TSS2_RC_SUCCESS);
	return at;
}

static void test_attest_ceilings(void **state)
{
	struct assay_quote q;
	uint8_t buf[512];
	size_t n;

	(void)state;
	/* No selection, and sixteen. */
	n = quote_of(0, 11, 3, 0, buf, sizeof(buf));
	assert_int_equal(assay_quote_parse(buf, n, &q, &err), 0);
	assert_int_equal(q.n_selections, 0);
	n = quote_of(16, 0x100, 3, 64, buf, sizeof(buf));
	assert_int_equal(assay_quote_parse(buf, n, &q, &err), 0);
	same_as_mu(buf, n, &q);
	assert_int_equal(q.n_selections, 16);
	assert_false(q.selections[0].known);
	/* The count lies behind magic, type, two sizes with 64 bytes, clock and version. */
	const size_t count_at = 4 + 2 + 2 + 2 + 64 + 17 + 8;
	assert_int_equal(buf[count_at + 3], 16);
	buf[count_at + 3] = 17;
	refused(buf, n, ASSAY_E_LIMIT, count_at, "17 PCR selections in a quote, at most 16");
	buf[count_at + 3] = 16;
	buf[count_at + 5 + 7 - 1] = 1; /* hash of the second: as that of the first */
	buf[count_at + 4 + 6 + 1] = 0;
	refused(buf, n, ASSAY_E_CORRUPT, count_at + 4 + 6, "a quote selects bank 0x0100 twice");
	buf[count_at + 4 + 2] = 5;
	refused(buf, n, ASSAY_E_CORRUPT, count_at + 4 + 2, "a PCR selection of 5 octets, at most 4");
	n = quote_of(1, 11, 4, 0, buf, sizeof(buf));
	refused(buf, n, ASSAY_E_UNSUPPORTED, count_at - 64 + 4, "a quote of PCRs past 23 (selection 0x01010101)");
	buf[count_at - 64 + 4 + 3 + 3] = 0;
	assert_int_equal(assay_quote_parse(buf, n, &q, &err), 0);
	/* MU has it that TPM2B_DATA ends at 64; Part 2, 10.4.3: sizeof(TPMT_HA). */
	n = quote_of(1, 11, 3, 64, buf, sizeof(buf));
	memmove(buf + 13, buf + 10, n - 10);
	buf[9] = 67;
	refused(buf, n + 3, ASSAY_E_CORRUPT, 8, "extraData of 67 bytes in a quote, at most 66");
	memmove(buf + 12, buf + 13, n - 10);
	buf[9] = 66;
	assert_int_equal(assay_quote_parse(buf, n + 2, &q, &err), 0);
	assert_int_equal(q.extra_len, 66);
	n = quote_of(1, 11, 3, 64, buf, sizeof(buf));
	buf[n - 64 - 1] = 65;
	refused(buf, n, ASSAY_E_CORRUPT, n - 66, "the PCRs' digest of 65 bytes in a quote, at most 64");
	buf[n - 64 - 1] = 64;
	buf[count_at - 9] = 2;
	refused(buf, n, ASSAY_E_CORRUPT, count_at - 9, "clockInfo.safe is 2, neither 0 nor 1");
	buf[7] = 67;
	refused(buf, n, ASSAY_E_CORRUPT, 6, "the signer's name of 67 bytes in a quote, at most 66");
}

static void test_attest_types(void **state)
{
	static const struct {
		uint8_t low;
		const char *name;
	} types[] = {
		{ 0x14, "TPM_ST_ATTEST_NV (0x8014)" },	      { 0x15, "TPM_ST_ATTEST_COMMAND_AUDIT (0x8015)" },
		{ 0x16, "TPM_ST_ATTEST_SESSION_AUDIT (0x8016)" }, { 0x17, "TPM_ST_ATTEST_CERTIFY (0x8017)" },
		{ 0x19, "TPM_ST_ATTEST_TIME (0x8019)" },	      { 0x1a, "TPM_ST_ATTEST_CREATION (0x801a)" },
		{ 0x1c, "TPM_ST_ATTEST_NV_DIGEST (0x801c)" }, { 0x42, "an unknown type (0x8042)" },
	};
	size_t n;
	ASSAY_AUTO_FREE uint8_t *p = corpus("attest", &n);
	char msg[128];

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		p[5] = types[i].low;
		snprintf(msg, sizeof(msg), "an attestation that is no quote: %s", types[i].name);
		refused(p, n, ASSAY_E_UNSUPPORTED, 4, msg);
	}
	p[0] = 0xfe;
	refused(p, n, ASSAY_E_CORRUPT, 0, "not of a TPM: magic 0xfe544347");
}

/* --- values ------------------------------------------------------------------------------------- */

static void test_values(void **state)
{
	static const struct {
		const char *attest, *pcrs;
		bool same;
	} rows[] = { { "attest-banks", "pcrs-banks", true }, { "attest", "pcrs", true } };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		size_t n, m, k;
		ASSAY_AUTO_FREE uint8_t *a = corpus(rows[i].attest, &n), *p = corpus(rows[i].pcrs, &m), *back = NULL;
		ASSAY_AUTO_FREE struct assay_pcrs *pcrs = calloc(1, sizeof(*pcrs));
		uint8_t digest[ASSAY_MAX_DIGEST];
		struct assay_quote q;

		assert_int_equal(assay_quote_parse(a, n, &q, &err), 0);
		assert_int_equal(assay_serialized_pcrs_parse(p, m, pcrs, &err), 0);
		for (size_t s = 0; s < q.n_selections; s++)
			assert_int_equal(pcrs->have[q.selections[s].bank], q.selections[s].pcrs);
		assert_int_equal(assay_quote_digest(&q, pcrs, ASSAY_SHA256, digest, &err), 0);
		assert_memory_equal(digest, q.pcr_digest, 32);
		/* What tpm2_quote wrote. */
		assert_int_equal(assay_serialized_pcrs_write(&q, pcrs, &back, &k, &err), 0);
		assert_int_equal(k, m);
		assert_memory_equal(back, p, m);
		for (size_t cut = 0; cut < m; cut++) {
			ASSAY_AUTO_FREE uint8_t *part = exactly(p, cut);

			assert_int_equal(assay_serialized_pcrs_parse(part, cut, pcrs, &err), -1);
			assert_int_equal(err.code, ASSAY_E_CORRUPT);
		}
		p[m] = 0;
		assert_int_equal(assay_serialized_pcrs_parse(p, m + 1, pcrs, &err), -1);
		assert_string_equal(err.msg, "more PCR values than are selected");
		/* One that is missing. */
		pcrs->have[q.selections[0].bank] &= ~1U;
		assert_int_equal(assay_quote_digest(&q, pcrs, ASSAY_SHA256, digest, &err), -1);
		assert_int_equal(err.code, ASSAY_E_NOTFOUND);
		assert_int_equal(assay_serialized_pcrs_write(&q, pcrs, &back, &k, &err), -1);
		assert_int_equal(err.code, ASSAY_E_NOTFOUND);
		/* A bank that is not known. */
		pcrs->have[q.selections[0].bank] |= 1U;
		q.selections[0].known = false;
		q.selections[0].hash = 0x12;
		assert_int_equal(assay_quote_digest(&q, pcrs, ASSAY_SHA256, digest, &err), -1);
		assert_string_equal(err.msg, "the quote is of a bank 0x0012, which is not known");
	}
}

/* Blocks that are not full, and empty ones, as TPMs may answer. */
static void test_values_blocks(void **state)
{
	ASSAY_AUTO_FREE struct assay_pcrs *pcrs = calloc(1, sizeof(*pcrs)), *back = calloc(1, sizeof(*back));
	uint8_t buf[136 + 4 * 532] = { 2, 0, 0, 0, 0x0b, 0, 3, 7, 0, 0, 0, 0, 0x04, 0, 3, 0, 0, 0x80, 0 };

	(void)state;
	buf[132] = 4;
	const size_t counts[] = { 1, 0, 2, 1 };
	for (size_t b = 0; b < 4; b++) {
		uint8_t *block = buf + 136 + b * 532;

		block[0] = (uint8_t)counts[b];
		for (size_t i = 0; i < counts[b]; i++) {
			block[4 + i * 66] = b == 3 ? 20 : 32;
			memset(block + 4 + i * 66 + 2, (int)(16 * b + i), 64);
		}
	}
	assert_int_equal(assay_serialized_pcrs_parse(buf, sizeof(buf), pcrs, &err), 0);
	assert_int_equal(pcrs->banks, ASSAY_BANK_BIT(ASSAY_SHA1) | ASSAY_BANK_BIT(ASSAY_SHA256));
	assert_int_equal(pcrs->have[ASSAY_SHA256], 7);
	assert_int_equal(pcrs->have[ASSAY_SHA1], 1U << 23);
	assert_int_equal(pcrs->v[ASSAY_SHA256][1][0], 32);
	assert_int_equal(pcrs->v[ASSAY_SHA256][2][31], 33);
	assert_int_equal(pcrs->v[ASSAY_SHA1][23][19], 48);

	static const struct {
		size_t at;
		uint8_t v;
		enum assay_code code;
		const char *msg;
	} bad[] = {
		{ 0, 17, ASSAY_E_CORRUPT, "17 selections in 16 slots" },
		{ 132, 97, ASSAY_E_LIMIT, "97 blocks of PCR values, at most 96" },
		{ 132, 3, ASSAY_E_CORRUPT, "PCR values cut short: more are selected than there are" },
		{ 132, 5, ASSAY_E_CORRUPT, "more PCR values than are selected" },
		{ 136, 9, ASSAY_E_CORRUPT, "9 PCR values in a block of 8" },
		{ 136, 2, ASSAY_E_CORRUPT, "a PCR value of 0 bytes in a bank of 32" },
		{ 140, 20, ASSAY_E_CORRUPT, "a PCR value of 20 bytes in a bank of 32" },
		{ 4, 0x12, ASSAY_E_UNSUPPORTED, "PCR values of a bank 0x0012" },
		{ 12, 0x0b, ASSAY_E_CORRUPT, "bank sha256 twice" },
		{ 6, 5, ASSAY_E_CORRUPT, "a PCR selection of 5 octets, at most 4" },
		{ 7, 3, ASSAY_E_CORRUPT, "a PCR value of 32 bytes in a bank of 20" },
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const uint8_t was = buf[bad[i].at];

		buf[bad[i].at] = bad[i].v;
		assert_int_equal(assay_serialized_pcrs_parse(buf, sizeof(buf), back, &err), -1);
		assert_string_equal(err.msg, bad[i].msg);
		assert_int_equal(err.code, bad[i].code);
		buf[bad[i].at] = was;
	}
	/* 96 blocks are as many as there can be. */
	buf[6] = 4;
	buf[10] = 1;
	assert_int_equal(assay_serialized_pcrs_parse(buf, sizeof(buf), back, &err), -1);
	assert_string_equal(err.msg, "values of PCRs past 23 (selection 0x01000007)");
}

/* --- signatures --------------------------------------------------------------------------------- */

static void test_signatures(void **state)
{
	static const struct {
		const char *name;
		enum assay_sig_scheme scheme;
	} rows[] = { { "signature-rsa", ASSAY_SIG_RSASSA },
		     { "signature-pss", ASSAY_SIG_RSAPSS },
		     { "signature-ecc", ASSAY_SIG_ECDSA } };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		size_t n, at = 0;
		ASSAY_AUTO_FREE uint8_t *p = corpus(rows[i].name, &n);
		struct assay_tpm_signature sig;
		TPMT_SIGNATURE mu;

		assert_int_equal(assay_tpm_signature_parse(p, n, &sig, &err), 0);
		assert_int_equal(Tss2_MU_TPMT_SIGNATURE_Unmarshal(p, n, &at, &mu), TSS2_RC_SUCCESS);
		assert_int_equal(sig.scheme, rows[i].scheme);
		assert_int_equal(sig.hash, ASSAY_SHA256);
		if (sig.scheme == ASSAY_SIG_ECDSA) {
			assert_int_equal(sig.r_len, mu.signature.ecdsa.signatureR.size);
			assert_memory_equal(sig.r, mu.signature.ecdsa.signatureR.buffer, sig.r_len);
			assert_int_equal(sig.s_len, mu.signature.ecdsa.signatureS.size);
			assert_memory_equal(sig.s, mu.signature.ecdsa.signatureS.buffer, sig.s_len);
		} else {
			assert_int_equal(sig.rsa_len, mu.signature.rsassa.sig.size);
			assert_memory_equal(sig.rsa, mu.signature.rsassa.sig.buffer, sig.rsa_len);
		}
		for (size_t cut = 0; cut < n; cut++) {
			ASSAY_AUTO_FREE uint8_t *part = exactly(p, cut);

			assert_int_equal(assay_tpm_signature_parse(part, cut, &sig, &err), -1);
			assert_int_equal(err.code, ASSAY_E_CORRUPT);
		}
		p[n] = 0;
		assert_int_equal(assay_tpm_signature_parse(p, n + 1, &sig, &err), -1);
		assert_string_equal(err.msg, "1 bytes after the signature");
	}
}

static void test_signatures_bad(void **state)
{
	static const struct {
		uint8_t b[8];
		size_t n;
		enum assay_code code;
		const char *msg;
	} bad[] = {
		{ { 0, 0x10 }, 2, ASSAY_E_UNSUPPORTED, "a signature by NULL" },
		{ { 0, 0x05, 0, 0x0b }, 4, ASSAY_E_UNSUPPORTED, "a signature by HMAC" },
		{ { 0, 0x1a, 0, 0x0b }, 4, ASSAY_E_UNSUPPORTED, "a signature by ECDAA" },
		{ { 0, 0x1b, 0, 0x0b }, 4, ASSAY_E_UNSUPPORTED, "a signature by SM2" },
		{ { 0xab, 0xcd, 0, 0x0b }, 4, ASSAY_E_UNSUPPORTED, "a signature by 0xabcd" },
		{ { 0, 0x14, 0, 0x27 }, 4, ASSAY_E_UNSUPPORTED, "a signature over a digest by SHA3-256" },
		{ { 0, 0x14, 0, 0x0b, 0, 0 }, 6, ASSAY_E_CORRUPT, "a signature without bytes" },
		{ { 0, 0x18, 0, 0x0b, 0, 0, 0, 0 }, 8, ASSAY_E_CORRUPT, "a signature without bytes" },
		{ { 0, 0x14, 0, 0x0b, 2, 1 }, 6, ASSAY_E_CORRUPT, "an RSA signature of 513 bytes, at most 512" },
		{ { 0, 0x14, 0, 0x0b, 2, 0 }, 6, ASSAY_E_CORRUPT, "signature cut short: 512 bytes wanted, 0 left" },
		{ { 0, 0x18, 0, 0x0b, 0, 67 }, 6, ASSAY_E_CORRUPT, "an ECDSA signature's r of 67 bytes, at most 66" },
		{ { 0, 0x18, 0, 0x0b, 0, 66 }, 6, ASSAY_E_CORRUPT, "signature cut short: 66 bytes wanted, 0 left" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct assay_tpm_signature sig;

		assert_int_equal(assay_tpm_signature_parse(bad[i].b, bad[i].n, &sig, &err), -1);
		assert_string_equal(err.msg, bad[i].msg);
		assert_int_equal(err.code, bad[i].code);
	}
}

/* --- keys --------------------------------------------------------------------------------------- */

static const char *const keys[] = { "public-rsa", "public-pss", "public-ecc", "public-ek", "public-ek-ecc", "template" };

static void public_as_mu(const uint8_t *p, size_t n, const struct assay_tpm_public *pub)
{
	TPMT_PUBLIC mu;
	size_t at = 0;

	assert_int_equal(Tss2_MU_TPMT_PUBLIC_Unmarshal(p, n, &at, &mu), TSS2_RC_SUCCESS);
	assert_int_equal(at, n);
	assert_int_equal(mu.type, pub->kind == ASSAY_TPM_RSA ? TPM2_ALG_RSA : TPM2_ALG_ECC);
	assert_int_equal(mu.nameAlg, pub->name_alg);
	assert_int_equal(mu.objectAttributes, pub->attributes);
	assert_int_equal(mu.authPolicy.size, pub->policy_len);
	assert_memory_equal(mu.authPolicy.buffer, pub->policy, pub->policy_len);
	assert_int_equal(mu.parameters.asymDetail.symmetric.algorithm, pub->symmetric);
	if (pub->symmetric != TPM2_ALG_NULL) {
		assert_int_equal(mu.parameters.asymDetail.symmetric.keyBits.aes, pub->symmetric_bits);
		assert_int_equal(mu.parameters.asymDetail.symmetric.mode.aes, pub->symmetric_mode);
	}
	assert_int_equal(mu.parameters.asymDetail.scheme.scheme, pub->scheme);
	if (pub->scheme_hash)
		assert_int_equal(mu.parameters.asymDetail.scheme.details.anySig.hashAlg, pub->scheme_hash);
	if (pub->kind == ASSAY_TPM_RSA) {
		assert_int_equal(mu.parameters.rsaDetail.keyBits, pub->bits);
		assert_true(mu.parameters.rsaDetail.exponent == pub->exponent ||
			    (mu.parameters.rsaDetail.exponent == 0 && pub->exponent == 65537));
		assert_int_equal(mu.unique.rsa.size, pub->n_len);
		assert_memory_equal(mu.unique.rsa.buffer, pub->n, pub->n_len);
	} else {
		assert_int_equal(mu.parameters.eccDetail.curveID, pub->curve);
		assert_int_equal(mu.unique.ecc.x.size, pub->x_len);
		assert_memory_equal(mu.unique.ecc.x.buffer, pub->x, pub->x_len);
		assert_int_equal(mu.unique.ecc.y.size, pub->y_len);
		assert_memory_equal(mu.unique.ecc.y.buffer, pub->y, pub->y_len);
	}
}

static void test_public(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		size_t n;
		ASSAY_AUTO_FREE uint8_t *p = corpus(keys[i], &n);
		const size_t skip = strcmp(keys[i], "template") == 0 ? 0 : 2;
		struct assay_tpm_public pub, without;

		assert_int_equal(assay_tpm_public_parse(p, n, &pub, &err), 0);
		public_as_mu(p + skip, n - skip, &pub);
		/* With and without the size in front it is the same key, and has the same name. */
		assert_int_equal(assay_tpm_public_parse(p + skip, n - skip, &without, &err), 0);
		assert_memory_equal(&pub, &without, sizeof(pub));
		uint8_t a[66], b[66];
		size_t a_len, b_len;
		assert_int_equal(assay_tpm_public_name(p, n, a, &a_len, &err), 0);
		assert_int_equal(assay_tpm_public_name(p + skip, n - skip, b, &b_len, &err), 0);
		assert_int_equal(a_len, 34);
		assert_int_equal(b_len, 34);
		assert_memory_equal(a, b, 34);
		assert_memory_equal(a, "\x00\x0b", 2);
		for (size_t cut = 0; cut < n; cut++) {
			ASSAY_AUTO_FREE uint8_t *part = exactly(p, cut);

			assert_int_equal(assay_tpm_public_parse(part, cut, &pub, &err), -1);
			assert_true(err.code == ASSAY_E_CORRUPT || err.code == ASSAY_E_UNSUPPORTED);
		}
		for (size_t cut = 0; cut < n - skip; cut++) {
			ASSAY_AUTO_FREE uint8_t *part = exactly(p + skip, cut);

			assert_int_equal(assay_tpm_public_parse(part, cut, &pub, &err), -1);
			/* 0x0023 in front is ECC, and the size of what is 35 bytes long. */
			assert_int_equal(err.code, cut == 37 && p[skip + 1] == 0x23 ? ASSAY_E_UNSUPPORTED : ASSAY_E_CORRUPT);
		}
		p[n] = 0;
		assert_int_equal(assay_tpm_public_parse(p + skip, n + 1 - skip, &pub, &err), -1);
		assert_string_equal(err.msg, "1 bytes after the public key");
	}
}

static void test_public_mutants(void **state)
{
	size_t taken = 0;

	(void)state;
	for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
		size_t n;
		ASSAY_AUTO_FREE uint8_t *p = corpus(keys[k], &n);
		const size_t skip = strcmp(keys[k], "template") == 0 ? 0 : 2;

		for (size_t i = skip; i < n && i < 90; i++) {
			const uint8_t was = p[i];

			for (unsigned v = 0; v < 256; v++) {
				struct assay_tpm_public pub;

				p[i] = (uint8_t)v;
				if (assay_tpm_public_parse(p, n, &pub, &err) < 0)
					continue;
				public_as_mu(p + skip, n - skip, &pub);
				taken++;
			}
			p[i] = was;
		}
	}
	assert_true(taken > 10000);
}

static void test_public_bad(void **state)
{
	/* Offsets in the TPMT_PUBLIC of an RSA and of an ECC key without a policy. */
	static const struct {
		const char *key;
		size_t at;
		uint16_t v;
		enum assay_code code;
		const char *msg;
	} bad[] = {
		{ "public-rsa", 0, 0x0008, ASSAY_E_UNSUPPORTED, "a key of type KEYEDHASH" },
		{ "public-rsa", 0, 0x0025, ASSAY_E_UNSUPPORTED, "a key of type SYMCIPHER" },
		{ "public-rsa", 8, 65, ASSAY_E_CORRUPT, "a key's policy of 65 bytes, at most 64" },
		{ "public-rsa", 10, 0x0013, ASSAY_E_UNSUPPORTED, "a key that protects others by SM4" },
		{ "public-rsa", 12, 0x0018, ASSAY_E_UNSUPPORTED, "a key for ECDSA" },
		{ "public-ecc", 12, 0x0014, ASSAY_E_UNSUPPORTED, "a key for RSASSA" },
		{ "public-ecc", 12, 0x001a, ASSAY_E_UNSUPPORTED, "a key for ECDAA" },
		{ "public-rsa", 16, 2047, ASSAY_E_UNSUPPORTED, "an RSA key of 2047 bits" },
		{ "public-rsa", 16, 3072, ASSAY_E_CORRUPT, "an RSA modulus of 256 bytes in a key of 3072 bits" },
		{ "public-rsa", 22, 513, ASSAY_E_CORRUPT, "an RSA modulus of 513 bytes, at most 512" },
		{ "public-ecc", 16, 0x0020, ASSAY_E_UNSUPPORTED, "a key on TPM_ECC_CURVE 0x0020" },
		{ "public-ecc", 16, 0x0002, ASSAY_E_UNSUPPORTED, "a key on TPM_ECC_CURVE 0x0002" },
		{ "public-ecc", 18, 0x0020, ASSAY_E_UNSUPPORTED, "a key with KDF 0x0020" },
		{ "public-ecc", 20, 33, ASSAY_E_CORRUPT, "a point's x of 33 bytes, at most 32" },
		{ "public-ecc", 54, 33, ASSAY_E_CORRUPT, "a point's y of 33 bytes, at most 32" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		size_t n;
		ASSAY_AUTO_FREE uint8_t *p = corpus(bad[i].key, &n);
		struct assay_tpm_public pub;

		p[2 + bad[i].at] = (uint8_t)(bad[i].v >> 8);
		p[2 + bad[i].at + 1] = (uint8_t)bad[i].v;
		assert_int_equal(assay_tpm_public_parse(p, n, &pub, &err), -1);
		assert_string_equal(err.msg, bad[i].msg);
		assert_int_equal(err.code, bad[i].code);
	}
	/* A name by an algorithm that we do not have. */
	size_t n, len;
	ASSAY_AUTO_FREE uint8_t *p = corpus("public-ecc", &n);
	uint8_t name[66];
	p[2 + 3] = 0x12;
	assert_int_equal(assay_tpm_public_name(p, n, name, &len, &err), -1);
	assert_string_equal(err.msg, "a key whose name is by SM3-256");
	/* Half a point. */
	p[2 + 3] = 0x0b;
	p[2 + 20 + 1] = 0;
	p[2 + 22] = 0;
	p[2 + 22 + 1] = 32;
	p[1] = (uint8_t)(p[1] - 32);
	struct assay_tpm_public pub;
	assert_int_equal(assay_tpm_public_parse(p, n - 32, &pub, &err), -1);
	assert_string_equal(err.msg, "a point with one coordinate");
}

/* --- extraData ---------------------------------------------------------------------------------- */

static void test_extra(void **state)
{
	static const uint8_t zero[32];
	uint8_t nonce[65] = { 1, 2, 3 }, extra[32], want[32];

	(void)state;
	/* printf '' | cat - <(head -c 32 /dev/zero) | sha256sum */
	assert_int_equal(assay_quote_extra(NULL, 0, zero, extra, &err), 0);
	assert_true(assay_unhex("66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925", 64, want, 32));
	assert_memory_equal(extra, want, 32);
	assert_int_equal(assay_quote_extra(nonce, 64, zero, extra, &err), 0);
	assert_int_equal(assay_quote_extra(nonce, 65, zero, extra, &err), -1);
	assert_int_equal(err.code, ASSAY_E_LIMIT);
}

/* --- memory ------------------------------------------------------------------------------------- */

static uint8_t *memory_attest, *memory_pcrs;
static size_t memory_attest_len, memory_pcrs_len;
static struct assay_pcrs memory_values;

static int memory_once(struct assay_err *e)
{
	ASSAY_AUTO_FREE uint8_t *back = NULL;
	struct assay_quote q;
	size_t n;

	if (assay_quote_parse(memory_attest, memory_attest_len, &q, e) < 0 ||
	    assay_serialized_pcrs_parse(memory_pcrs, memory_pcrs_len, &memory_values, e) < 0)
		return -1;
	return assay_serialized_pcrs_write(&q, &memory_values, &back, &n, e);
}

static int memory_digest(struct assay_err *e)
{
	uint8_t digest[ASSAY_MAX_DIGEST];
	struct assay_quote q;

	if (assay_quote_parse(memory_attest, memory_attest_len, &q, e) < 0)
		return -1;
	return assay_quote_digest(&q, &memory_values, ASSAY_SHA256, digest, e);
}

static void test_memory(void **state)
{
	(void)state;
	memory_attest = corpus("attest-banks", &memory_attest_len);
	memory_pcrs = corpus("pcrs-banks", &memory_pcrs_len);
	unit_alloc_each(memory_once, true);
	unit_alloc_each(memory_digest, false);
	free(memory_attest);
	free(memory_pcrs);
}

/* --- in the field ------------------------------------------------------------------------------- */

static uint8_t *bytes_at(const struct assay_json *quote, const char *name, size_t *ret_len)
{
	const char *text = assay_json_str(assay_json_get(assay_json_get(quote, name), "base64"));
	uint8_t *p = NULL;

	assert_non_null(text);
	assert_int_equal(assay_base64_decode(text, strlen(text), &p, ret_len, &err), 0);
	return p;
}

/* Proofs that machines of a cloud have given. */
static void test_real(void **state)
{
	static const char *const names[] = { "data/proofs/mithril-security-b9606b44-sample_build_response.json",
					     "data/proofs/mithril-security-docs-get-started-067f1705.json" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		ASSAY_AUTO(assay_json) *proof = NULL;
		struct assay_tpm_signature sig;
		struct assay_quote q;
		static struct assay_pcrs pcrs;
		uint8_t digest[32];
		size_t n, m, k, l;
		char path[512];

		if (!unit_shared(names[i], path, sizeof(path)))
			unit_skip("%s is not there", path);
		assert_int_equal(assay_json_load(path, &proof, &err), 0);
		const struct assay_json *quote = assay_json_get(assay_json_get(proof, "remote_attestation"), "quote");
		ASSAY_AUTO_FREE uint8_t *message = bytes_at(quote, "message", &n), *signature = bytes_at(quote, "signature", &m),
					*values = bytes_at(quote, "pcr", &k), *back = NULL;
		assert_int_equal(assay_quote_parse(message, n, &q, &err), 0);
		same_as_mu(message, n, &q);
		assert_int_equal(assay_tpm_signature_parse(signature, m, &sig, &err), 0);
		assert_int_equal(assay_serialized_pcrs_parse(values, k, &pcrs, &err), 0);
		assert_int_equal(assay_quote_digest(&q, &pcrs, ASSAY_SHA256, digest, &err), 0);
		assert_int_equal(q.pcr_digest_len, 32);
		/* The one from the documentation selects no PCR, and its values are of all. */
		if (q.selections[0].pcrs != 0) {
			assert_memory_equal(digest, q.pcr_digest, 32);
			assert_int_equal(assay_serialized_pcrs_write(&q, &pcrs, &back, &l, &err), 0);
			assert_int_equal(l, k);
			assert_memory_equal(back, values, k);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attest),	       cmocka_unit_test(test_attest_mutants),
		cmocka_unit_test(test_attest_ceilings), cmocka_unit_test(test_attest_types),
		cmocka_unit_test(test_values),	       cmocka_unit_test(test_values_blocks),
		cmocka_unit_test(test_signatures),     cmocka_unit_test(test_signatures_bad),
		cmocka_unit_test(test_public),	       cmocka_unit_test(test_public_mutants),
		cmocka_unit_test(test_public_bad),     cmocka_unit_test(test_extra),
		cmocka_unit_test(test_memory),	       cmocka_unit_test(test_real),
	};

	/* MU would complain of hostile input on stderr. */
	setenv("TSS2_LOG", "all+NONE", 1);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
