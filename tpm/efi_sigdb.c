/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/efi_sigdb.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include "core/cur.h"
#include "core/guid.h"
#include "core/limits.h"
#include "core/text.h"

#define OWNER 16

/* UEFI 2.10, 32.4.1: type GUID, and the size of the data after the owner (0: the list's own). */
static const struct {
	const char *guid;
	const char *name;
	uint32_t size;
} kinds[ASSAY_N_SIG_KINDS] = {
	[ASSAY_SIG_OTHER] = { "", "signature of unknown type", 0 },
	[ASSAY_SIG_SHA1] = { "826ca512-cf10-4ac9-b187-be01496631bd", "SHA-1 hash", 20 },
	[ASSAY_SIG_SHA224] = { "0b6e5233-a65c-44c9-9407-d9ab83bfc8bd", "SHA-224 hash", 28 },
	[ASSAY_SIG_SHA256] = { "c1c41626-504c-4092-aca9-41f936934328", "SHA-256 hash", 32 },
	[ASSAY_SIG_SHA384] = { "ff3e5307-9fd0-48c9-85f1-8ad56c701e01", "SHA-384 hash", 48 },
	[ASSAY_SIG_SHA512] = { "093e0fae-a6c4-4f50-9f1b-d41e2b89c19a", "SHA-512 hash", 64 },
	[ASSAY_SIG_RSA2048] = { "3c5766e8-269c-4e34-aa14-ed776e85b3b6", "RSA-2048 key", 256 },
	[ASSAY_SIG_RSA2048_SHA1] = { "67f8444f-8743-48f1-a328-1eaab8736080",
				     "RSA-2048 signature of a SHA-1", 256 },
	[ASSAY_SIG_RSA2048_SHA256] = { "e2b36190-879b-4a3d-ad8d-f2e7bba32784",
				       "RSA-2048 signature of a SHA-256", 256 },
	[ASSAY_SIG_X509] = { "a5c059a1-94e4-4aa7-87b5-ab155c2bf072", "X.509 certificate", 0 },
	[ASSAY_SIG_X509_SHA256] = { "3bd2a492-96c0-4079-b420-fcf98ef103ed",
				    "SHA-256 of a certificate", 48 },
	[ASSAY_SIG_X509_SHA384] = { "7076876e-80c2-4ee6-aad2-28b349a6865b",
				    "SHA-384 of a certificate", 64 },
	[ASSAY_SIG_X509_SHA512] = { "446dbf63-2502-4cda-bcfa-2465d2b0fe9d",
				    "SHA-512 of a certificate", 80 },
	[ASSAY_SIG_PKCS7] = { "4aafd29d-68df-49ee-8aa9-347d375665a7", "PKCS #7 signature", 0 },
	[ASSAY_SIG_EXTERNAL] = { "452e8ced-dfff-4b8c-ae01-5118862e682c", "external management", 1 },
};

const char *assay_sig_kind_name(enum assay_sig_kind kind)
{
	return kinds[kind].name;
}

static enum assay_sig_kind kind_of(const uint8_t type[16])
{
	char text[37];

	assay_guid_text(type, text);
	for (unsigned k = 1; k < ASSAY_N_SIG_KINDS; k++) {
		if (strcmp(kinds[k].guid, text) == 0)
			return (enum assay_sig_kind)k;
	}
	return ASSAY_SIG_OTHER;
}

static int append(struct assay_sigdb *db, size_t *cap, const struct assay_sig *sig,
		  struct assay_err *err)
{
	if (db->n == ASSAY_SIGDB_MAX_ENTRIES)
		return assay_fail(err, ASSAY_E_LIMIT, sig->at, "more than %u signatures",
				  ASSAY_SIGDB_MAX_ENTRIES);
	if (db->n == *cap) {
		const size_t more = *cap ? 2 * *cap : 16;
		struct assay_sig *p = reallocarray(db->sigs, more, sizeof(*p));

		if (!p)
			return assay_fail_mem(err);
		db->sigs = p;
		*cap = more;
	}
	db->sigs[db->n++] = *sig;
	return 0;
}

/* One EFI_SIGNATURE_LIST; c moves past it. */
static int parse_list(struct assay_cur *c, struct assay_sigdb *db, size_t *cap,
		      struct assay_err *err)
{
	const uint64_t at = c->at;
	struct assay_sig sig = { .list = db->n_lists };

	assay_cur_copy(c, sig.type, sizeof(sig.type));

	const uint32_t list_size = assay_cur_le32(c);
	const uint32_t header_size = assay_cur_le32(c);
	const uint32_t sig_size = assay_cur_le32(c);

	if (assay_cur_done(c, "EFI_SIGNATURE_LIST", err) < 0)
		return -1;
	if (list_size < 28)
		return assay_fail(err, ASSAY_E_CORRUPT, at + 16,
				  "EFI_SIGNATURE_LIST of %u bytes, its own header has 28",
				  list_size);

	struct assay_cur in = assay_cur_sub(c, list_size - 28);

	if (assay_cur_done(c, "signatures of an EFI_SIGNATURE_LIST", err) < 0)
		return -1;
	assay_cur_skip(&in, header_size);
	if (assay_cur_done(&in, "signature header of an EFI_SIGNATURE_LIST", err) < 0)
		return -1;
	sig.kind = kind_of(sig.type);
	if (sig_size <= OWNER)
		return assay_fail(
			err, ASSAY_E_CORRUPT, at + 24,
			"EFI_SIGNATURE_LIST: signatures of %u bytes, the owner alone has 16",
			sig_size);
	if (kinds[sig.kind].size && sig_size - OWNER != kinds[sig.kind].size)
		return assay_fail(err, ASSAY_E_CORRUPT, at + 24,
				  "EFI_SIGNATURE_LIST: %u bytes for one %s", sig_size - OWNER,
				  kinds[sig.kind].name);
	if (in.left % sig_size != 0)
		return assay_fail(
			err, ASSAY_E_CORRUPT, at + 16,
			"EFI_SIGNATURE_LIST: %zu bytes are no multiple of its signatures' %u",
			in.left, sig_size);
	while (in.left > 0) {
		sig.at = in.at;
		sig.raw = in.p;
		sig.raw_len = sig_size;
		assay_cur_copy(&in, sig.owner, OWNER);
		sig.len = sig_size - OWNER;
		sig.data = assay_cur_take(&in, sig.len);
		if (append(db, cap, &sig, err) < 0)
			return -1;
	}
	db->n_lists++;
	return 0;
}

int assay_sigdb_parse(const uint8_t *bytes, size_t len, uint64_t at, struct assay_sigdb *ret,
		      struct assay_err *err)
{
	struct assay_cur c = assay_cur_make(bytes, len, at);
	struct assay_sigdb db = { 0 };
	size_t cap = 0;

	if (len > ASSAY_SIGDB_MAX)
		return assay_fail(err, ASSAY_E_LIMIT, at,
				  "a signature database of %zu bytes, limit %u", len,
				  ASSAY_SIGDB_MAX);
	while (c.left > 0) {
		if (parse_list(&c, &db, &cap, err) < 0) {
			assay_sigdb_free(&db);
			return -1;
		}
	}
	*ret = db;
	return 0;
}

void assay_sigdb_free(struct assay_sigdb *db)
{
	free(db->sigs);
	memset(db, 0, sizeof(*db));
}

/* One attribute of the subject, control characters as U+FFFD. */
static char *subject_part(const X509_NAME *name, int nid)
{
	const int i = X509_NAME_get_index_by_NID((X509_NAME *)name, nid, -1);
	struct assay_str s = { 0 };
	unsigned char *utf8 = NULL;
	int n;

	if (i < 0)
		return NULL;
	n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, i)));
	for (int k = 0; k < n;) {
		uint32_t ch = 0;
		const size_t len = assay_utf8_next((const char *)utf8 + k, (size_t)(n - k), &ch);

		assay_str_add_char(&s, len == 0 || ch < 0x20 || (ch >= 0x7f && ch < 0xa0) ? 0xfffd
											  : ch);
		k += len ? (int)len : 1;
	}
	OPENSSL_free(utf8);
	return n > 0 ? assay_str_steal(&s) : NULL;
}

char *assay_cert_name(const uint8_t *der, size_t len)
{
	const unsigned char *p = der;
	char *text = NULL;
	X509 *cert;

	if (len > LONG_MAX)
		return NULL;
	cert = d2i_X509(NULL, &p, (long)len);
	if (cert) {
		text = subject_part(X509_get_subject_name(cert), NID_commonName);
		if (!text)
			text = subject_part(X509_get_subject_name(cert), NID_organizationName);
	}
	X509_free(cert);
	ERR_clear_error();
	return text;
}
