/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/ak.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "core/limits.h"
#include "core/src.h"
#include "core/text.h"
#include "tpm/credential.h"

#define AZURE_KEY 0x81000003U
#define AZURE_CERTIFICATE 0x01c101d0U
#define GCP_RSA 0x01c10000U /* certificate; its template is the next index */
#define GCP_ECC 0x01c10002U

void assay_ak_free(struct assay_ak **akp)
{
	struct assay_ak *ak = akp ? assay_steal(akp) : NULL;

	if (!ak)
		return;
	assay_tpm_key_free(&ak->key);
	for (size_t i = 0; i < ak->n_certificates; i++)
		free(ak->certificates[i]);
	free(ak->certificates);
	free(ak->public_area);
	free(ak);
}

/* --- certificates ------------------------------------------------------------------------------- */

/* Fresh; NULL when out of memory. */
static char *pem_of(X509 *x)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *p = NULL, *text = NULL;

	if (bio && PEM_write_bio_X509(bio, x) > 0) {
		const long len = BIO_get_mem_data(bio, &p);

		text = assay_asprintf("%.*s", (int)len, p);
	}
	BIO_free(bio);
	ERR_clear_error();
	return text;
}

int assay_ak_nv_certificate(struct assay_tpm *tpm, uint32_t nv, char **ret, struct assay_err *err)
{
	ASSAY_AUTO_FREE uint8_t *p = NULL;
	const unsigned char *at;
	size_t len;

	if (assay_tpm_nv_read(tpm, nv, &p, &len, err) < 0)
		return -1;
	at = p;
	X509 *x = d2i_X509(NULL, &at, (long)len);
	ERR_clear_error();
	if (!x)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "NV index 0x%08" PRIx32 " has no certificate in it", nv);
	char *pem = pem_of(x);
	X509_free(x);
	if (!pem)
		return assay_fail_mem(err);
	*ret = pem;
	return 0;
}

/* Takes the PEM over, NULL too. */
static int add_certificate(struct assay_ak *ak, char *pem, struct assay_err *err)
{
	char **grown = pem ? realloc(ak->certificates, (ak->n_certificates + 1) * sizeof(*grown)) : NULL;

	if (!grown) {
		free(pem);
		return assay_fail_mem(err);
	}
	ak->certificates = grown;
	ak->certificates[ak->n_certificates++] = pem;
	return 0;
}

static int no_passphrase(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

static int add_pem(struct assay_ak *ak, BIO *bio, struct assay_err *err)
{
	size_t n = 0;

	for (;;) {
		ERR_clear_error();
		X509 *x = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
		const int reason = ERR_GET_REASON(ERR_peek_last_error());
		ERR_clear_error();
		if (!x && reason == PEM_R_NO_START_LINE)
			break;
		if (!x)
			return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "certificate %zu cannot be read", n + 1);
		if (ak->n_certificates >= ASSAY_CHAIN_MAX_CERTS) {
			X509_free(x);
			return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "more than %u certificates", ASSAY_CHAIN_MAX_CERTS);
		}
		char *pem = pem_of(x);
		X509_free(x);
		if (add_certificate(ak, pem, err) < 0)
			return -1;
		n++;
	}
	if (n == 0)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "no certificate in it");
	return 0;
}

static int add_file(struct assay_ak *ak, const char *path, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO_FREE uint8_t *p = NULL;

	if (assay_src_open_file(path, &src, err) < 0 ||
	    assay_src_read_alloc(src, 0, assay_src_size(src), ASSAY_CA_MAX_FILE, &p, err) < 0)
		return assay_wrap(err, "%s", path);
	BIO *bio = BIO_new_mem_buf(p, (int)assay_src_size(src));
	const int r = bio ? add_pem(ak, bio, err) : assay_fail_mem(err);
	BIO_free(bio);
	return r < 0 ? assay_wrap(err, "%s", path) : 0;
}

int assay_ak_match(const char *pem, const struct assay_tpm_public *public, const char *what, struct assay_err *err)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *x = bio ? PEM_read_bio_X509(bio, NULL, no_passphrase, NULL) : NULL;
	EVP_PKEY *pkey = x ? X509_get0_pubkey(x) : NULL;
	const bool same = pkey && assay_tpm_public_is(public, pkey);

	X509_free(x);
	BIO_free(bio);
	ERR_clear_error();
	if (!same)
		return assay_fail(err, ASSAY_E_MISMATCH, ASSAY_NO_OFFSET, "%s is of another key than the TPM's", what);
	return 0;
}

/* --- sources ------------------------------------------------------------------------------------ */

static int open_azure(struct assay_tpm *tpm, struct assay_ak *ak, struct assay_err *err)
{
	char *pem = NULL;

	if (assay_tpm_key_persistent(tpm, AZURE_KEY, &ak->key, err) < 0 ||
	    assay_ak_nv_certificate(tpm, AZURE_CERTIFICATE, &pem, err) < 0)
		return -1;
	return add_certificate(ak, pem, err);
}

static int open_gcp(struct assay_tpm *tpm, struct assay_ak *ak, struct assay_err *err)
{
	static const uint32_t all[] = { GCP_RSA, GCP_ECC };
	char *pem = NULL;

	for (size_t i = 0; i < 2; i++) {
		struct assay_err why;

		if (assay_ak_nv_certificate(tpm, all[i], &pem, &why) == 0)
			return add_certificate(ak, pem, err) < 0 ? -1 : assay_tpm_key_template(tpm, all[i] + 1, &ak->key, err);
		if (why.code != ASSAY_E_NOTFOUND) {
			*err = why;
			return -1;
		}
	}
	return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
			  "the TPM has no certificate of an attestation key in NV index 0x%08x (RSA) or 0x%08x (ECC)", GCP_RSA,
			  GCP_ECC);
}

static int open_handle(struct assay_tpm *tpm, const struct assay_agent_config *config, struct assay_ak *ak, struct assay_err *err)
{
	const uint32_t handle = config->handle ? config->handle : ASSAY_AK_HANDLE_DEFAULT;

	if (assay_tpm_key_persistent(tpm, handle, &ak->key, err) < 0) {
		if (err && err->code == ASSAY_E_NOTFOUND && config->key == ASSAY_AK_EK)
			return assay_wrap(err, "`assay-agent key create` has not been run");
		return -1;
	}
	if (!config->certificates)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
				  "the configuration names no file with the key's certificate (tpm: certificates)");
	return 0;
}

static int open_source(struct assay_tpm *tpm, const struct assay_agent_config *config, struct assay_ak *ak, struct assay_err *err)
{
	switch (config->key) {
	case ASSAY_AK_AZURE:
		return open_azure(tpm, ak, err);
	case ASSAY_AK_GCP:
		return open_gcp(tpm, ak, err);
	case ASSAY_AK_EK:
	case ASSAY_AK_HANDLE:
		return open_handle(tpm, config, ak, err);
	case ASSAY_N_AK_SOURCES:
		break;
	}
	return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "no such source of keys");
}

int assay_ak_open(struct assay_tpm *tpm, const struct assay_agent_config *config, struct assay_ak **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_ak) *ak = calloc(1, sizeof(*ak));

	if (!ak)
		return assay_fail_mem(err);
	if (!config->has_key)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "the configuration names no attestation key (tpm: key)");
	ak->source = config->key;
	if (open_source(tpm, config, ak, err) < 0 || assay_tpm_key_public(ak->key, &ak->public_area, &ak->public_len, err) < 0 ||
	    assay_tpm_public_parse(ak->public_area, ak->public_len, &ak->public, err) < 0 || assay_tpm_public_attests(&ak->public, err) < 0 ||
	    (config->certificates && add_file(ak, config->certificates, err) < 0))
		return assay_wrap(err, "attestation key (%s)", assay_ak_source_name(config->key));
	if (assay_ak_match(ak->certificates[0], &ak->public, "its certificate", err) < 0)
		return assay_wrap(err, "attestation key (%s)", assay_ak_source_name(config->key));
	*ret = assay_steal(&ak);
	return 0;
}
