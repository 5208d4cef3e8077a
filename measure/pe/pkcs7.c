/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/pe/pkcs7_priv.h"

#include <limits.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

#include "core/cur.h"

/* SPC_INDIRECT_DATA_OBJID, 1.3.6.1.4.1.311.2.1.4 */
static const uint8_t spc_oid[] = { 0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x01, 0x04 };

PKCS7 *assay_pkcs7_parse(const uint8_t *data, size_t len)
{
	const uint8_t *p = data;
	PKCS7 *p7;

	/* What is predicted must not depend on the machine's openssl.cnf. */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	if (len > INT_MAX)
		return NULL;
	p7 = d2i_PKCS7(NULL, &p, (long)len);
	if (p7 && PKCS7_type_is_signed(p7) && p7->d.sign && p7->d.sign->contents)
		return p7;
	PKCS7_free(p7);
	ERR_clear_error();
	return NULL;
}

/*
 * The next DER element: its content as a cursor, *ret_size its size with header. Definite lengths
 * of up to four bytes.
 */
static struct assay_cur element(struct assay_cur *c, uint8_t want_tag, size_t *ret_size)
{
	const size_t before = c->left;
	const uint8_t tag = assay_cur_u8(c);
	uint64_t len = assay_cur_u8(c);

	if (len > 0x84 || len == 0x80) {
		len = UINT64_MAX; /* does not fit: spoils the cursor */
	} else if (len > 0x80) {
		unsigned n = (unsigned)len & 0x7f;

		for (len = 0; n > 0; n--)
			len = len << 8 | assay_cur_u8(c);
	}
	struct assay_cur inner = assay_cur_sub(c, tag == want_tag ? len : UINT64_MAX);
	if (ret_size)
		*ret_size = before - c->left;
	return inner;
}

static const char *alg_name(const uint8_t *oid, size_t len, size_t *ret_size)
{
	static const struct {
		uint8_t oid[9];
		uint8_t len;
		const char *name;
		size_t size;
	} algs[] = {
		{ { 0x2b, 0x0e, 0x03, 0x02, 0x1a }, 5, "sha1", 20 },
		{ { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01 }, 9, "sha256", 32 },
		{ { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02 }, 9, "sha384", 48 },
		{ { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03 }, 9, "sha512", 64 },
	};

	for (size_t i = 0; i < sizeof(algs) / sizeof(*algs); i++) {
		if (len == algs[i].len && memcmp(oid, algs[i].oid, len) == 0) {
			*ret_size = algs[i].size;
			return algs[i].name;
		}
	}
	return NULL;
}

/*
 * SpcIndirectDataContent ::= SEQUENCE { data SpcAttributeTypeAndOptionalValue,
 *     messageDigest SEQUENCE { SEQUENCE { OID, parameters OPTIONAL }, OCTET STRING } }
 */
bool assay_pkcs7_spc(const PKCS7 *p7, struct assay_spc *ret)
{
	const PKCS7 *contents = p7->d.sign->contents;
	const ASN1_TYPE *any = contents->d.other;
	struct assay_spc spc;
	size_t size, want;

	if (OBJ_length(contents->type) != sizeof(spc_oid) ||
	    memcmp(OBJ_get0_data(contents->type), spc_oid, sizeof(spc_oid)) != 0)
		return false;
	if (!any || ASN1_TYPE_get(any) != V_ASN1_SEQUENCE)
		return false;
	const ASN1_STRING *seq = any->value.sequence;
	struct assay_cur c =
		assay_cur_make(ASN1_STRING_get0_data(seq), (size_t)ASN1_STRING_length(seq), 0);
	spc.content = ASN1_STRING_get0_data(seq);
	spc.content_len = (size_t)ASN1_STRING_length(seq);

	struct assay_cur outer = element(&c, 0x30, &size);
	element(&outer, 0x30, NULL); /* what the digest is of: SPC_PE_IMAGE_DATA and its flags */
	struct assay_cur info = element(&outer, 0x30, NULL);
	struct assay_cur alg = element(&info, 0x30, NULL);
	struct assay_cur oid = element(&alg, 0x06, NULL);
	struct assay_cur digest = element(&info, 0x04, NULL);
	if (c.bad || outer.bad || info.bad || alg.bad || oid.bad || digest.bad)
		return false;
	spc.alg = alg_name(oid.p, oid.left, &want);
	if (!spc.alg || digest.left != want)
		return false;
	spc.digest = digest.p;
	spc.digest_len = digest.left;
	*ret = spc;
	return true;
}
