/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attribute certificate table (Microsoft PE Format, "The Attribute Certificate Table") and the
 * PKCS#7 SignedData in it (Windows Authenticode Portable Executable Signature Format,
 * "SignedData").
 */
#include "measure/pe/pe.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include "core/limits.h"
#include "core/num.h"
#include "core/text.h"
#include "measure/pe/pkcs7_priv.h"

#define WIN_CERT_HEADER 8

/* A name in one line, "CN = …, O = …"; NULL when out of memory, too. */
static char *name_text(const X509_NAME *name)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL, *p;
	long len;

	if (!bio)
		return NULL;
	/* UTF-8 as it is, control characters escaped: it goes to terminals. */
	if (X509_NAME_print_ex(bio, name, 0,
			       XN_FLAG_ONELINE & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0) {
		len = BIO_get_mem_data(bio, &p);
		if (len >= 0)
			text = strndup(p, (size_t)len);
	}
	BIO_free(bio);
	return text;
}

/* Fills in what can be read; what cannot stays NULL. */
static void describe(struct assay_pe_cert *cert)
{
	PKCS7 *p7 = assay_pkcs7_parse(cert->data, cert->size);
	STACK_OF(X509) * signers;
	struct assay_spc spc;

	if (!p7)
		return;
	if (assay_pkcs7_spc(p7, &spc)) {
		cert->digest_alg = assay_strdup(spc.alg);
		if (cert->digest_alg) {
			memcpy(cert->digest, spc.digest, spc.digest_len);
			cert->digest_len = spc.digest_len;
		}
	}
	signers = PKCS7_get0_signers(p7, NULL, 0);
	if (signers && sk_X509_num(signers) > 0) {
		cert->signer = name_text(X509_get_subject_name(sk_X509_value(signers, 0)));
		cert->issuer = name_text(X509_get_issuer_name(sk_X509_value(signers, 0)));
	}
	sk_X509_free(signers);
	PKCS7_free(p7);
	ERR_clear_error();
}

/* One entry; the cursor then is behind its padding. */
static int parse_cert(struct assay_cur *in, uint64_t offset, struct assay_pe_cert *ret,
		      struct assay_err *err)
{
	const uint64_t start = in->at;
	struct assay_pe_cert cert = { 0 };
	uint64_t padded;

	uint32_t length = assay_cur_le32(in);
	cert.revision = assay_cur_le16(in);
	cert.type = assay_cur_le16(in);
	if (assay_cur_done(in, "certificate table entry", err) < 0)
		return -1;
	if (length <= WIN_CERT_HEADER)
		return assay_fail(err, ASSAY_E_CORRUPT, start,
				  "certificate table entry of %" PRIu32 " bytes", length);
	cert.offset = offset + WIN_CERT_HEADER;
	cert.size = length - WIN_CERT_HEADER;
	const uint8_t *data = assay_cur_take(in, cert.size);
	if (assay_cur_done(in, "certificate table entry", err) < 0)
		return -1;
	/* Firmware denies a file whose last entry is not padded to 8 within the table. */
	if (!assay_align_overflows(length, 8, &padded))
		assay_cur_skip(in, padded - length);
	if (assay_cur_done(in, "padding of the certificate table entry", err) < 0)
		return -1;
	cert.data = malloc(cert.size);
	if (!cert.data)
		return assay_fail_mem(err);
	memcpy(cert.data, data, cert.size);
	*ret = cert;
	return 0;
}

int assay_pe_certs_read(const struct assay_pe *pe, struct assay_pe_certs *ret,
			struct assay_err *err)
{
	ASSAY_AUTO_FREE uint8_t *table = NULL;
	struct assay_pe_certs certs = { 0 };

	if (pe->cert_size == 0) {
		*ret = certs;
		return 0;
	}
	if (assay_src_read_alloc(pe->src, pe->cert_offset, pe->cert_size, ASSAY_PE_MAX_CERT_TABLE,
				 &table, err) < 0)
		return assay_wrap(err, "certificate table");
	const uint64_t at = assay_src_origin(pe->src, pe->cert_offset);
	struct assay_cur cur = assay_cur_make(table, pe->cert_size, at);

	certs.c = calloc(ASSAY_PE_MAX_CERTS, sizeof(*certs.c));
	if (!certs.c)
		return assay_fail_mem(err);
	while (cur.left > 0) {
		if (certs.n == ASSAY_PE_MAX_CERTS) {
			assay_fail(err, ASSAY_E_LIMIT, cur.at,
				   "certificate table with more than %d entries",
				   ASSAY_PE_MAX_CERTS);
			goto fail;
		}
		if (parse_cert(&cur, pe->cert_offset + (pe->cert_size - cur.left),
			       &certs.c[certs.n], err) < 0)
			goto fail;
		describe(&certs.c[certs.n++]);
	}
	*ret = certs;
	return 0;
fail:
	assay_pe_certs_clear(&certs);
	return -1;
}

void assay_pe_certs_clear(struct assay_pe_certs *certs)
{
	for (size_t i = 0; i < certs->n; i++) {
		free(certs->c[i].data);
		free(certs->c[i].signer);
		free(certs->c[i].issuer);
		free(certs->c[i].digest_alg);
	}
	free(certs->c);
	memset(certs, 0, sizeof(*certs));
}
