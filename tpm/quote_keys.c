/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/quote.h"

#include <stdio.h>
#include <string.h>

#include "core/cur.h"

/* TPM_ALG_ID (Part 2, 6.3) and TPM_ECC_CURVE (6.4) */
enum {
	ALG_RSA = 0x0001,
	ALG_AES = 0x0006,
	ALG_NULL = 0x0010,
	ALG_RSASSA = 0x0014,
	ALG_RSAES = 0x0015,
	ALG_RSAPSS = 0x0016,
	ALG_OAEP = 0x0017,
	ALG_ECDSA = 0x0018,
	ALG_ECDH = 0x0019,
	ALG_ECC = 0x0023,
};
#define MAX_RSA 512 /* bytes: 4096 bits, the most that TPMs have */
#define MAX_ECC 66  /* P-521 */

static const char *alg_name(uint16_t alg, char buf[16])
{
	static const struct {
		uint16_t alg;
		const char *name;
	} names[] = {
		{ ALG_RSA, "RSA" },	  { 0x0004, "SHA-1" },	   { 0x0005, "HMAC" },	  { ALG_AES, "AES" },
		{ 0x0008, "KEYEDHASH" },  { 0x000a, "XOR" },	   { ALG_NULL, "NULL" },  { 0x0012, "SM3-256" },
		{ 0x0013, "SM4" },	  { ALG_RSASSA, "RSASSA" }, { ALG_RSAES, "RSAES" }, { ALG_RSAPSS, "RSAPSS" },
		{ ALG_OAEP, "OAEP" },	  { ALG_ECDSA, "ECDSA" },  { ALG_ECDH, "ECDH" },  { 0x001a, "ECDAA" },
		{ 0x001b, "SM2" },	  { 0x001c, "ECSCHNORR" }, { 0x001d, "ECMQV" },	  { ALG_ECC, "ECC" },
		{ 0x0025, "SYMCIPHER" },  { 0x0026, "CAMELLIA" },  { 0x0027, "SHA3-256" }, { 0x0028, "SHA3-384" },
		{ 0x0029, "SHA3-512" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].alg == alg)
			return names[i].name;
	snprintf(buf, 16, "0x%04x", alg);
	return buf;
}

static int sized(struct assay_cur *c, const char *what, size_t max, const uint8_t **ret, size_t *ret_len, struct assay_err *err)
{
	const uint64_t at = c->at;
	const uint16_t size = assay_cur_be16(c);

	if (size > max)
		return assay_fail(err, ASSAY_E_CORRUPT, at, "%s of %u bytes, at most %zu", what, size, max);
	*ret = assay_cur_take(c, size);
	*ret_len = size;
	return 0;
}

static int ended(const struct assay_cur *c, const char *what, struct assay_err *err)
{
	if (assay_cur_done(c, what, err) < 0)
		return -1;
	if (c->left != 0)
		return assay_fail(err, ASSAY_E_CORRUPT, c->at, "%zu bytes after the %s", c->left, what);
	return 0;
}

/* --- signatures --------------------------------------------------------------------------------- */

int assay_tpm_signature_parse(const uint8_t *p, size_t len, struct assay_tpm_signature *ret, struct assay_err *err)
{
	struct assay_cur c = assay_cur_make(p, len, 0);
	struct assay_tpm_signature sig = { 0 };
	char buf[16];
	int r;

	const uint16_t alg = assay_cur_be16(&c);
	if (!c.bad && alg != ALG_RSASSA && alg != ALG_RSAPSS && alg != ALG_ECDSA)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, 0, "a signature by %s", alg_name(alg, buf));
	const uint16_t hash = assay_cur_be16(&c);
	if (!c.bad && !assay_bank_from_tcg_id(hash, &sig.hash))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, 2, "a signature over a digest by %s", alg_name(hash, buf));
	if (alg == ALG_ECDSA) {
		sig.scheme = ASSAY_SIG_ECDSA;
		r = sized(&c, "an ECDSA signature's r", MAX_ECC, &sig.r, &sig.r_len, err);
		if (r == 0)
			r = sized(&c, "an ECDSA signature's s", MAX_ECC, &sig.s, &sig.s_len, err);
	} else {
		sig.scheme = alg == ALG_RSAPSS ? ASSAY_SIG_RSAPSS : ASSAY_SIG_RSASSA;
		r = sized(&c, "an RSA signature", MAX_RSA, &sig.rsa, &sig.rsa_len, err);
	}
	if (r < 0 || ended(&c, "signature", err) < 0)
		return -1;
	if (alg == ALG_ECDSA ? sig.r_len == 0 || sig.s_len == 0 : sig.rsa_len == 0)
		return assay_fail(err, ASSAY_E_CORRUPT, 4, "a signature without bytes");
	*ret = sig;
	return 0;
}

/* --- keys --------------------------------------------------------------------------------------- */

/* TPMT_SYM_DEF_OBJECT, 11.1.7: block ciphers have a size and a mode. */
static int parse_symmetric(struct assay_cur *c, struct assay_tpm_public *pub, struct assay_err *err)
{
	const uint64_t at = c->at;
	char buf[16];

	pub->symmetric = assay_cur_be16(c);
	if (c->bad || pub->symmetric == ALG_NULL)
		return 0;
	if (pub->symmetric != ALG_AES)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at, "a key that protects others by %s", alg_name(pub->symmetric, buf));
	pub->symmetric_bits = assay_cur_be16(c);
	pub->symmetric_mode = assay_cur_be16(c);
	return 0;
}

/* TPMT_RSA_SCHEME, 11.2.4.2, TPMT_ECC_SCHEME, 11.2.5.6: what each has after its name. */
static int parse_scheme(struct assay_cur *c, struct assay_tpm_public *pub, struct assay_err *err)
{
	const uint64_t at = c->at;
	char buf[16];
	bool ok;

	pub->scheme = assay_cur_be16(c);
	if (c->bad || pub->scheme == ALG_NULL)
		return 0;
	if (pub->kind == ASSAY_TPM_RSA)
		ok = pub->scheme == ALG_RSASSA || pub->scheme == ALG_RSAPSS || pub->scheme == ALG_RSAES || pub->scheme == ALG_OAEP;
	else
		ok = pub->scheme == ALG_ECDSA || pub->scheme == ALG_ECDH;
	if (!ok)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at, "a key for %s", alg_name(pub->scheme, buf));
	if (pub->scheme != ALG_RSAES)
		pub->scheme_hash = assay_cur_be16(c);
	return 0;
}

static int parse_rsa(struct assay_cur *c, struct assay_tpm_public *pub, struct assay_err *err)
{
	const uint64_t at = c->at;

	pub->bits = assay_cur_be16(c);
	pub->exponent = assay_cur_be32(c);
	if (pub->exponent == 0)
		pub->exponent = 65537;
	const uint64_t n_at = c->at;
	if (sized(c, "an RSA modulus", MAX_RSA, &pub->n, &pub->n_len, err) < 0)
		return -1;
	if (c->bad)
		return 0;
	if (pub->bits != 1024 && pub->bits != 2048 && pub->bits != 3072 && pub->bits != 4096)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at, "an RSA key of %u bits", pub->bits);
	if (pub->n_len != 0 && pub->n_len != pub->bits / 8)
		return assay_fail(err, ASSAY_E_CORRUPT, n_at, "an RSA modulus of %zu bytes in a key of %u bits", pub->n_len,
				  pub->bits);
	return 0;
}

static int parse_ecc(struct assay_cur *c, struct assay_tpm_public *pub, struct assay_err *err)
{
	static const unsigned bits[] = { [3] = 256, [4] = 384, [5] = 521 };
	const uint64_t at = c->at;
	char buf[16];

	pub->curve = assay_cur_be16(c);
	if (!c->bad && (pub->curve < 3 || pub->curve > 5))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at, "a key on TPM_ECC_CURVE 0x%04x", pub->curve);
	const uint64_t kdf_at = c->at;
	const uint16_t kdf = assay_cur_be16(c);
	if (!c->bad && kdf != ALG_NULL) /* TPMI_ALG_KDF: "shall be TPM_ALG_NULL", note in 12.2.3.6 */
		return assay_fail(err, ASSAY_E_UNSUPPORTED, kdf_at, "a key with KDF %s", alg_name(kdf, buf));
	if (c->bad)
		return 0;
	pub->bits = bits[pub->curve];
	const size_t max = (pub->bits + 7) / 8;
	const uint64_t x_at = c->at;
	if (sized(c, "a point's x", max, &pub->x, &pub->x_len, err) < 0 || sized(c, "a point's y", max, &pub->y, &pub->y_len, err) < 0)
		return -1;
	if (!c->bad && (pub->x_len == 0) != (pub->y_len == 0))
		return assay_fail(err, ASSAY_E_CORRUPT, x_at, "a point with one coordinate");
	return 0;
}

/* Where TPMT_PUBLIC begins: behind the size, where the size is that of what follows. */
static size_t inner(const uint8_t *p, size_t len)
{
	return len >= 2 && (size_t)(p[0] << 8 | p[1]) == len - 2 ? 2 : 0;
}

int assay_tpm_public_parse(const uint8_t *p, size_t len, struct assay_tpm_public *ret, struct assay_err *err)
{
	const size_t skip = inner(p, len);
	struct assay_cur c = assay_cur_make(p, len, 0);
	struct assay_tpm_public pub = { 0 };
	char buf[16];

	assay_cur_skip(&c, skip);
	const uint16_t type = assay_cur_be16(&c);
	if (!c.bad && type != ALG_RSA && type != ALG_ECC)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, skip, "a key of type %s", alg_name(type, buf));
	pub.kind = type == ALG_ECC ? ASSAY_TPM_ECC : ASSAY_TPM_RSA;
	pub.name_alg = assay_cur_be16(&c);
	pub.attributes = assay_cur_be32(&c);
	if (sized(&c, "a key's policy", ASSAY_MAX_DIGEST, &pub.policy, &pub.policy_len, err) < 0 ||
	    parse_symmetric(&c, &pub, err) < 0 || parse_scheme(&c, &pub, err) < 0)
		return -1;
	if ((pub.kind == ASSAY_TPM_RSA ? parse_rsa : parse_ecc)(&c, &pub, err) < 0 || ended(&c, "public key", err) < 0)
		return -1;
	*ret = pub;
	return 0;
}

int assay_tpm_public_name(const uint8_t *p, size_t len, uint8_t ret[66], size_t *ret_len, struct assay_err *err)
{
	struct assay_tpm_public pub;
	enum assay_bank bank;
	uint8_t name[66];
	char buf[16];

	if (assay_tpm_public_parse(p, len, &pub, err) < 0)
		return -1;
	if (!assay_bank_from_tcg_id(pub.name_alg, &bank))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, inner(p, len) + 2, "a key whose name is by %s",
				  alg_name(pub.name_alg, buf));
	const struct assay_part part = { p + inner(p, len), len - inner(p, len) };
	name[0] = (uint8_t)(pub.name_alg >> 8);
	name[1] = (uint8_t)pub.name_alg;
	if (assay_digest_one(bank, &part, 1, name + 2, err) < 0)
		return -1;
	*ret_len = 2 + assay_bank_size(bank);
	memcpy(ret, name, *ret_len);
	return 0;
}

int assay_tpm_public_attests(const struct assay_tpm_public *public, struct assay_err *err)
{
	static const struct {
		uint32_t bit;
		bool set;
		const char *what;
	} rules[] = {
		{ ASSAY_TPMA_RESTRICTED, true, "not restricted: it signs whatever it is given, a quote that no TPM made too" },
		{ ASSAY_TPMA_SIGN, true, "not for signing" },
		{ ASSAY_TPMA_DECRYPT, false, "for decrypting too" },
		{ ASSAY_TPMA_FIXED_TPM, true, "one that can be moved to another TPM (no fixedTPM)" },
		{ ASSAY_TPMA_FIXED_PARENT, true, "one that can be moved to another parent (no fixedParent)" },
		{ ASSAY_TPMA_SENSITIVE_DATA_ORIGIN, true, "not made by the TPM (no sensitiveDataOrigin)" },
	};

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (((public->attributes & rules[i].bit) != 0) != rules[i].set)
			return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "no attestation key: it is %s", rules[i].what);
	return 0;
}
