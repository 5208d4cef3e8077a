/* SPDX-License-Identifier: Apache-2.0 */
/* Keys out of OpenSSL's stores: files, tokens, TPMs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <openssl/store.h>
#include <openssl/ui.h>

#include "core/limits.h"
#include "core/src.h"
#include "core/text.h"
#include "manifest/key_priv.h"

void assay_key_home_clear(struct assay_key_home *home)
{
	if (home->extra)
		OSSL_PROVIDER_unload(home->extra);
	if (home->base)
		OSSL_PROVIDER_unload(home->base);
	OSSL_LIB_CTX_free(home->own);
	memset(home, 0, sizeof(*home));
}

char *assay_key_uri_text(const char *uri)
{
	char *text = assay_strdup(uri);
	char *pin = text && strncmp(text, "pkcs11:", 7) == 0 ? strstr(text, "pin-value=") : NULL;

	while (pin) {
		char *value = pin + strlen("pin-value=");
		const size_t len = strcspn(value, "&;?");

		if (len >= 3) {
			memcpy(value, "...", 3);
			memmove(value + 3, value + len, strlen(value + len) + 1);
		} else {
			memset(value, '.', len);
		}
		pin = strstr(value, "pin-value=");
	}
	return text;
}

static int home_open(const char *provider, struct assay_key_home *ret, struct assay_err *err)
{
	ret->lib = assay_key_lib();
	if (ret->lib && !provider)
		return 0;
	ret->lib = ret->own = OSSL_LIB_CTX_new();
	/* Where a token's module is, may be in the user's configuration; without one the environment says it. */
	if (ret->own && OSSL_LIB_CTX_load_config(ret->own, NULL) <= 0)
		ERR_clear_error();
	ret->base = ret->own ? OSSL_PROVIDER_load(ret->own, "default") : NULL;
	if (!ret->base)
		return assay_fail_openssl(err, "cannot set up OpenSSL");
	ret->extra = OSSL_PROVIDER_load(ret->lib, provider);
	if (!ret->extra) {
		ERR_clear_error();
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "OpenSSL's provider %s cannot be loaded (Debian's package %s has it)", provider,
				  strcmp(provider, "tpm2") == 0 ? "tpm2-openssl" : "pkcs11-provider");
	}
	/* A TPM hashes some thousand times slower than the processor. */
	if (strcmp(provider, "tpm2") == 0)
		ret->properties = "?provider=tpm2,tpm2.digest!=yes,tpm2.cipher!=yes";
	return 0;
}

/* --- who is asked for a passphrase --------------------------------------------------------------- */

struct asking {
	const struct assay_secret *secret;
	const char *what;
	unsigned times;
};

/*
 * Asked once: a token that is told a wrong PIN again and again locks itself.
 * (A pem_password_cb of openssl's.)
 */
static int on_ask(char *buf, int size, int rwflag, void *arg)
{
	struct asking *a = arg;

	(void)rwflag;
	if (a->times++ > 0 || !a->secret || size <= 0)
		return -1;
	return a->secret->ask(a->secret->arg, a->what, buf, (size_t)size);
}

/* --- the store ----------------------------------------------------------------------------------- */

struct file {
	uint8_t *bytes;
	size_t len;
};

static void file_clear(struct file *f)
{
	if (f->bytes)
		OPENSSL_cleanse(f->bytes, f->len);
	free(f->bytes);
}

static int file_read(const char *path, struct file *ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;

	if (assay_src_open_file(path, &src, err) < 0 ||
	    assay_src_read_alloc(src, 0, assay_src_size(src), ASSAY_KEY_MAX_FILE, &ret->bytes, err) < 0)
		return -1;
	ret->len = (size_t)assay_src_size(src);
	return 0;
}

static bool has(const struct file *f, const char *text)
{
	return f->bytes && memmem(f->bytes, f->len, text, strlen(text));
}

/* The provider that a URI needs beside OpenSSL's own; NULL: none. A file has been read into f. */
static const char *provider_of(const char *uri, const struct file *f)
{
	if (strncmp(uri, "pkcs11:", 7) == 0)
		return "pkcs11";
	return strncmp(uri, "handle:", 7) == 0 || has(f, "BEGIN TSS2 PRIVATE KEY") ? "tpm2" : NULL;
}

static bool is_file(const char *uri)
{
	return strncmp(uri, "pkcs11:", 7) != 0 && strncmp(uri, "handle:", 7) != 0;
}

/* Of what else is in a file, what a person may have taken for a key. */
static int none_found(bool is_private, const struct file *f, const struct asking *a, struct assay_err *err)
{
	const unsigned long code = ERR_peek_last_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;

	if (a->times > 0) {
		ERR_clear_error();
		return assay_fail(err, ASSAY_E_CRYPTO, ASSAY_NO_OFFSET, "%s",
				  a->secret ? "the passphrase or PIN is wrong, or was not given" :
					      "it asks for a passphrase or a PIN");
	}
	ERR_clear_error();
	if (!is_private && has(f, "PRIVATE KEY-----"))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "a private key, where the public one is wanted (openssl pkey -pubout)");
	if (!is_private && has(f, "BEGIN CERTIFICATE-----"))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "a certificate, where a public key is wanted: --ca judges certificates");
	if (is_private && has(f, "BEGIN PUBLIC KEY-----"))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "a public key, where the private one is wanted");
	return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "no %s key in it%s%s",
			  is_private ? "private" : "public", reason ? ": " : "", reason ? reason : "");
}

/* All keys of that type are looked at: a URI that means several means none. */
static int load_one(OSSL_STORE_CTX *store, int type, EVP_PKEY **ret, unsigned *ret_n)
{
	EVP_PKEY *first = NULL;
	unsigned n = 0;

	if (OSSL_STORE_expect(store, type) <= 0)
		return -1;
	for (unsigned tries = 0; tries < ASSAY_KEY_MAX_OBJECTS && !OSSL_STORE_eof(store); tries++) {
		OSSL_STORE_INFO *info = OSSL_STORE_load(store);

		if (!info)
			continue;
		if (OSSL_STORE_INFO_get_type(info) == type) {
			EVP_PKEY *key = type == OSSL_STORE_INFO_PKEY ? OSSL_STORE_INFO_get1_PKEY(info) :
								       OSSL_STORE_INFO_get1_PUBKEY(info);

			if (n++ == 0)
				first = key;
			else
				EVP_PKEY_free(key);
		}
		OSSL_STORE_INFO_free(info);
	}
	*ret = first;
	*ret_n = n;
	return 0;
}

static int fetch(const char *uri, bool is_private, struct asking *a, struct file *f, struct assay_key_home *home,
		 EVP_PKEY **ret, struct assay_err *err)
{
	UI_METHOD *ui = UI_UTIL_wrap_read_pem_callback(on_ask, 0);
	BIO *bio = f->bytes ? BIO_new_mem_buf(f->bytes, (int)f->len) : NULL;
	OSSL_STORE_CTX *store = NULL;
	EVP_PKEY *key = NULL;
	unsigned n = 0;
	int r = -1;

	ERR_clear_error();
	if (ui && bio)
		store = OSSL_STORE_attach(bio, "file", home->lib, home->properties, ui, a, NULL, NULL, NULL);
	else if (ui && !f->bytes)
		store = OSSL_STORE_open_ex(uri, home->lib, home->properties, ui, a, NULL, NULL, NULL);
	if (store)
		r = load_one(store, is_private ? OSSL_STORE_INFO_PKEY : OSSL_STORE_INFO_PUBKEY, &key, &n);
	if (r < 0)
		assay_fail_openssl(err, "cannot be opened");
	else if (n == 0)
		r = none_found(is_private, f, a, err);
	else if (n > 1 || !key)
		r = assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "%u %s keys: it must name one", n,
			       is_private ? "private" : "public");
	if (store)
		OSSL_STORE_close(store);
	BIO_free(bio);
	UI_destroy_method(ui);
	if (r < 0) {
		EVP_PKEY_free(key);
		return -1;
	}
	ERR_clear_error();
	*ret = key;
	return 0;
}

int assay_key_fetch(const char *uri, bool is_private, const struct assay_secret *secret, struct assay_key_home *ret_home,
		    EVP_PKEY **ret, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *text = assay_key_uri_text(uri);
	struct asking a = { secret, text, 0 };
	struct file f = { 0 };
	int r;

	if (!text)
		return assay_fail_mem(err);
	r = is_file(uri) ? file_read(uri, &f, err) : 0;
	if (r == 0)
		r = home_open(provider_of(uri, &f), ret_home, err);
	if (r == 0)
		r = fetch(uri, is_private, &a, &f, ret_home, ret, err);
	file_clear(&f);
	return r;
}
