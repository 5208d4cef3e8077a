/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Would firmware accept a signature: EDK2's HashPeImageByType() (DxeImageVerificationLib),
 * AuthenticodeVerify() and Pkcs7Verify() (BaseCryptLib), step by step, because what it accepts is
 * what it measures (EV_EFI_VARIABLE_AUTHORITY).
 */
#include "measure/pe/pe.h"

#include <limits.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "core/limits.h"
#include "measure/pe/pkcs7_priv.h"

#define WIN_CERT_TYPE_PKCS_SIGNED_DATA 0x0002
#define WIN_CERT_TYPE_EFI_GUID 0x0ef1

/*
 * EDK2 finds the image's digest algorithm by comparing bytes at a fixed offset of the signature:
 * the first digestAlgorithms OID, provided that the outer SEQUENCE's length takes two bytes. A
 * signature that is encoded otherwise is not accepted.
 */
bool assay_pe_cert_bank(const struct assay_pe_cert *cert, enum assay_bank *ret)
{
	static const struct {
		enum assay_bank bank;
		uint8_t len;
		uint8_t oid[9];
	} algs[] = {
		{ ASSAY_SHA1, 5, { 0x2b, 0x0e, 0x03, 0x02, 0x1a } },
		{ ASSAY_SHA256, 9, { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01 } },
		{ ASSAY_SHA384, 9, { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02 } },
		{ ASSAY_SHA512, 9, { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03 } },
	};

	if (cert->type != WIN_CERT_TYPE_PKCS_SIGNED_DATA)
		return false;
	for (size_t i = 0; i < sizeof(algs) / sizeof(*algs); i++) {
		if (cert->size < 32U + algs[i].len)
			return false;
		if ((cert->data[1] & 0x82) == 0x82 &&
		    memcmp(cert->data + 32, algs[i].oid, algs[i].len) == 0) {
			*ret = algs[i].bank;
			return true;
		}
	}
	return false;
}

/* What is signed: the content of the SEQUENCE without its header, by EDK2's reading of the length.
 */
static bool signed_content(const struct assay_spc *spc, const uint8_t **ret, size_t *ret_len)
{
	const uint8_t *p = spc->content;
	size_t len;

	if (spc->content_len < 4)
		return false;
	if ((p[1] & 0x80) == 0) {
		len = p[1];
		p += 2;
	} else if ((p[1] & 0x82) == 0x82) {
		len = (size_t)p[2] << 8 | p[3];
		p += 4;
	} else {
		return false;
	}
	if (len > spc->content_len - (size_t)(p - spc->content))
		return false;
	*ret = p;
	*ret_len = len;
	return true;
}

/* The signature itself and its chain; 1 good, 0 bad, -1 out of memory. */
static int pkcs7_verify(PKCS7 *p7, X509 *trusted, const uint8_t *content, size_t len)
{
	X509_STORE *store = X509_STORE_new();
	BIO *bio = BIO_new_mem_buf(content, (int)len);
	int r = -1;

	if (store && bio && X509_STORE_add_cert(store, trusted) == 1) {
		/* A trusted certificate ends the chain even if it is no root; clocks are not asked.
		 */
		X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_NO_CHECK_TIME);
		/* PKCS7_verify() would ask for a certificate for e-mail. */
		X509_STORE_set_purpose(store, X509_PURPOSE_ANY);
		r = PKCS7_verify(p7, NULL, store, bio, NULL, PKCS7_BINARY) == 1;
	}
	BIO_free(bio);
	X509_STORE_free(store);
	ERR_clear_error();
	return r;
}

int assay_pe_cert_verify(const struct assay_pe_cert *cert, const struct assay_digests *image,
			 const uint8_t *trusted_der, size_t trusted_len, bool *ret,
			 struct assay_err *err)
{
	struct assay_spc spc;
	enum assay_bank bank;
	const uint8_t *content, *p = trusted_der;
	size_t len;
	PKCS7 *p7;
	X509 *trusted;
	int good = 0;

	if (cert->type == WIN_CERT_TYPE_EFI_GUID)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "signature of type 0x%04x (EFI GUID)", cert->type);
	if (cert->type != WIN_CERT_TYPE_PKCS_SIGNED_DATA) {
		*ret = false; /* firmware passes over it */
		return 0;
	}
	if (trusted_len > ASSAY_PE_MAX_CERT_TABLE)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET,
				  "trusted certificate of %zu bytes, limit %u", trusted_len,
				  ASSAY_PE_MAX_CERT_TABLE);
	p7 = assay_pkcs7_parse(cert->data, cert->size);
	if (!p7 || !assay_pe_cert_bank(cert, &bank) || !assay_pkcs7_spc(p7, &spc) ||
	    !signed_content(&spc, &content, &len)) {
		PKCS7_free(p7);
		*ret = false;
		return 0;
	}
	if (!(image->banks & ASSAY_BANK_BIT(bank))) {
		PKCS7_free(p7);
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
				  "the signature is over %s, which was not computed",
				  assay_bank_name(bank));
	}

	/* EDK2 compares the end of the content with the image's digest. */
	const size_t size = assay_bank_size(bank);
	trusted = d2i_X509(NULL, &p, (long)trusted_len);
	if (trusted && len >= size && assay_bytes_equal(content + len - size, image->d[bank], size))
		good = pkcs7_verify(p7, trusted, content, len);
	X509_free(trusted);
	PKCS7_free(p7);
	ERR_clear_error();
	if (good < 0)
		return assay_fail_mem(err);
	*ret = good;
	return 0;
}
