/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/https.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "cli/curl_lib.h"

/* --- where to --------------------------------------------------------------------------------------- */

static int not_an_origin(const char *url, struct assay_err *err)
{
	return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "'%s': https://HOST[:PORT] is wanted", url);
}

/* A part of a URL, fresh; NULL when it has none. */
static char *part(const struct assay_curl_lib *curl, CURLU *u, CURLUPart what)
{
	char *of_curl = NULL, *copy;

	if (curl->url_get(u, what, &of_curl, 0) != CURLUE_OK)
		return NULL;
	copy = strdup(of_curl);
	curl->free(of_curl);
	return copy;
}

static bool has_none(const struct assay_curl_lib *curl, CURLU *u, CURLUPart what)
{
	ASSAY_AUTO_FREE char *text = part(curl, u, what);

	return !text || (what == CURLUPART_PATH && strcmp(text, "/") == 0);
}

static bool is_ascii(const char *s)
{
	while (*s > 0x20 && *s < 0x7f)
		s++;
	return *s == '\0';
}

int assay_origin_parse(const char *url, struct assay_origin *ret, struct assay_err *err)
{
	const struct assay_curl_lib *curl;
	ASSAY_AUTO_FREE char *host = NULL, *port = NULL, *text = NULL;
	CURLU *u;
	bool good;

	/* What libcurl is not needed to see. */
	if (strncasecmp(url, "https://", 8) != 0 || !is_ascii(url))
		return not_an_origin(url, err);
	if (assay_curl_lib_get(&curl, err) < 0)
		return -1;
	u = curl->url();
	if (!u)
		return assay_fail_mem(err);
	good = curl->url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK;
	static const CURLUPart others[] = { CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_PATH, CURLUPART_QUERY,
					    CURLUPART_FRAGMENT, CURLUPART_ZONEID };
	for (size_t i = 0; good && i < sizeof(others) / sizeof(others[0]); i++)
		good = has_none(curl, u, others[i]);
	if (good) {
		host = part(curl, u, CURLUPART_HOST);
		port = part(curl, u, CURLUPART_PORT);
	}
	curl->url_cleanup(u);
	if (!good || !host)
		return not_an_origin(url, err);
	if (asprintf(&text, "https://%s%s%s", host, port ? ":" : "", port ? port : "") < 0) {
		text = NULL;
		return assay_fail_mem(err);
	}
	const size_t n = strlen(host);
	if (host[0] == '[' && host[n - 1] == ']') {
		memmove(host, host + 1, n - 2);
		host[n - 2] = '\0';
	}
	*ret = (struct assay_origin){ .url = assay_steal(&text), .host = assay_steal(&host) };
	return 0;
}

void assay_origin_clear(struct assay_origin *origin)
{
	free(origin->url);
	free(origin->host);
	*origin = (struct assay_origin){ 0 };
}

/* --- the connection --------------------------------------------------------------------------------- */

struct assay_https {
	const struct assay_curl_lib *curl;
	CURL *easy;
	const char *url; /* the origin's */
	bool connected;	 /* no other connection from now on */
	bool wanted_another;
	X509 *peer;
	uint8_t *der;
	size_t der_len;
};

struct sink {
	struct assay_https *https;
	struct assay_out *out;
	uint64_t left;
	bool too_much;
};

static size_t on_body(char *p, size_t one, size_t n, void *arg)
{
	struct sink *sink = arg;
	long status = 0;

	(void)one;
	sink->https->curl->easy_getinfo(sink->https->easy, CURLINFO_RESPONSE_CODE, &status);
	if (n > sink->left) {
		sink->too_much = true;
		return 0;
	}
	sink->left -= n;
	if (status == 200)
		assay_out_write(sink->out, p, n);
	return n;
}

/* A socket for another connection than the one whose certificate was judged is not to be had. */
static curl_socket_t on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct assay_https *https = arg;

	(void)purpose;
	if (!https->connected)
		return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	https->wanted_another = true;
	return CURL_SOCKET_BAD;
}

static bool configure(struct assay_https *h)
{
	const struct assay_curl_lib *curl = h->curl;
	const struct {
		CURLoption option;
		long value;
	} numbers[] = {
		{ CURLOPT_FOLLOWLOCATION, 0 },
		{ CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1 },
		{ CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2 },
		{ CURLOPT_SSL_SESSIONID_CACHE, 0 },
		/* The proof judges the certificate, not the public CAs; the name is compared here. */
		{ CURLOPT_SSL_VERIFYPEER, 0 },
		{ CURLOPT_SSL_VERIFYHOST, 0 },
		{ CURLOPT_CERTINFO, 1 },
		{ CURLOPT_NETRC, CURL_NETRC_IGNORED },
		{ CURLOPT_TCP_KEEPALIVE, 1 },
	};
	const struct {
		CURLoption option;
		const char *value;
	} texts[] = {
		{ CURLOPT_PROTOCOLS_STR, "https" },
		{ CURLOPT_PROXY, "" },
		{ CURLOPT_CAINFO, NULL },
		{ CURLOPT_CAPATH, NULL },
		{ CURLOPT_USERAGENT, "assay/" ASSAY_VERSION },
	};
	bool good = true;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		good = good && curl->easy_setopt(h->easy, numbers[i].option, numbers[i].value) == CURLE_OK;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		good = good && curl->easy_setopt(h->easy, texts[i].option, texts[i].value) == CURLE_OK;
	good = good && curl->easy_setopt(h->easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK;
	good = good && curl->easy_setopt(h->easy, CURLOPT_OPENSOCKETFUNCTION, on_socket) == CURLE_OK;
	return good && curl->easy_setopt(h->easy, CURLOPT_OPENSOCKETDATA, h) == CURLE_OK;
}

int assay_https_new(const struct assay_origin *origin, struct assay_https **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_https) *h = calloc(1, sizeof(*h));

	if (!h)
		return assay_fail_mem(err);
	if (assay_curl_lib_get(&h->curl, err) < 0)
		return -1;
	h->url = origin->url;
	h->easy = h->curl->easy_init();
	if (!h->easy)
		return assay_fail_mem(err);
	if (!configure(h))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "this libcurl lacks an option that is needed");
	*ret = assay_steal(&h);
	return 0;
}

void assay_https_free(struct assay_https **https)
{
	struct assay_https *h = *https;

	if (!h)
		return;
	if (h->easy)
		h->curl->easy_cleanup(h->easy);
	X509_free(h->peer);
	OPENSSL_free(h->der);
	free(h);
	*https = NULL;
}

/* The first certificate of the connection, which is the server's own (RFC 8446, 4.4.2). libcurl has it as PEM. */
static int take_peer(struct assay_https *h, struct assay_err *err)
{
	static const char label[] = "Cert:";
	const struct curl_slist *line = NULL;
	struct curl_certinfo *info = NULL;
	int len;

	if (h->curl->easy_getinfo(h->easy, CURLINFO_CERTINFO, &info) == CURLE_OK && info && info->num_of_certs > 0)
		line = info->certinfo[0];
	while (line && strncmp(line->data, label, sizeof(label) - 1) != 0)
		line = line->next;
	if (!line)
		return assay_fail(err, ASSAY_E_CRYPTO, ASSAY_NO_OFFSET, "the server has no certificate");
	BIO *bio = BIO_new_mem_buf(line->data + sizeof(label) - 1, -1);
	h->peer = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	BIO_free(bio);
	len = h->peer ? i2d_X509(h->peer, &h->der) : -1;
	ERR_clear_error();
	if (len <= 0)
		return assay_fail(err, ASSAY_E_CRYPTO, ASSAY_NO_OFFSET, "the server's certificate cannot be read");
	h->der_len = (size_t)len;
	return 0;
}

/* --- asking ----------------------------------------------------------------------------------------- */

static bool prepare(struct assay_https *h, const struct assay_https_get *get, const char *url, struct sink *sink, char *why)
{
	const struct assay_curl_lib *curl = h->curl;
	const long seconds = get->timeout_ms / 1000 > 0 ? get->timeout_ms / 1000 : 1;

	why[0] = '\0';
	return curl->easy_setopt(h->easy, CURLOPT_ERRORBUFFER, why) == CURLE_OK &&
	       curl->easy_setopt(h->easy, CURLOPT_URL, url) == CURLE_OK &&
	       curl->easy_setopt(h->easy, CURLOPT_WRITEDATA, sink) == CURLE_OK &&
	       curl->easy_setopt(h->easy, CURLOPT_CONNECTTIMEOUT_MS, get->timeout_ms) == CURLE_OK &&
	       curl->easy_setopt(h->easy, CURLOPT_TIMEOUT_MS, get->patient ? 0L : get->timeout_ms) == CURLE_OK &&
	       curl->easy_setopt(h->easy, CURLOPT_LOW_SPEED_LIMIT, 1L) == CURLE_OK &&
	       curl->easy_setopt(h->easy, CURLOPT_LOW_SPEED_TIME, seconds) == CURLE_OK;
}

static int explain(struct assay_https *h, CURLcode rc, const struct sink *sink, uint64_t max, const char *why,
		   struct assay_err *err)
{
	if (h->wanted_another)
		return assay_fail(err, ASSAY_E_MISMATCH, ASSAY_NO_OFFSET,
				  "the server has closed the connection that was verified; nothing is sent over another");
	if (sink->too_much)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "an answer of more than %" PRIu64 " bytes", max);
	return assay_fail(err, ASSAY_E_IO, ASSAY_NO_OFFSET, "%s", *why ? why : h->curl->easy_strerror(rc));
}

static int perform(struct assay_https *h, const struct assay_https_get *get, const char *url, struct assay_https_answer *ret,
		   struct assay_err *err)
{
	struct sink sink = { .https = h, .out = get->out, .left = get->max };
	char why[CURL_ERROR_SIZE];
	curl_off_t retry = 0;
	long connects = 0;
	CURLcode rc;

	if (!prepare(h, get, url, &sink, why))
		return assay_fail_mem(err);
	rc = h->curl->easy_perform(h->easy);
	h->curl->easy_setopt(h->easy, CURLOPT_ERRORBUFFER, NULL);
	if (rc != CURLE_OK) {
		ret->gone = h->wanted_another;
		return explain(h, rc, &sink, get->max, why, err);
	}
	h->curl->easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &ret->status);
	h->curl->easy_getinfo(h->easy, CURLINFO_RETRY_AFTER, &retry);
	h->curl->easy_getinfo(h->easy, CURLINFO_NUM_CONNECTS, &connects);
	ret->retry_after = retry > 0 ? (uint64_t)retry : 0;
	if (connects != (h->connected ? 0 : 1))
		return assay_fail(err, ASSAY_E_MISMATCH, ASSAY_NO_OFFSET, "%ld connections in the place of one", connects);
	return 0;
}

int assay_https_get(struct assay_https *https, const struct assay_https_get *get, struct assay_https_answer *ret,
		    struct assay_err *err)
{
	ASSAY_AUTO_FREE char *url = NULL;

	*ret = (struct assay_https_answer){ 0 };
	https->wanted_another = false;
	if (asprintf(&url, "%s%s", https->url, get->path) < 0) {
		url = NULL;
		return assay_fail_mem(err);
	}
	if (perform(https, get, url, ret, err) < 0)
		return -1;
	if (https->connected)
		return 0;
	https->connected = true;
	return take_peer(https, err);
}

const uint8_t *assay_https_peer(const struct assay_https *https, size_t *ret_len)
{
	*ret_len = https->der_len;
	return https->der;
}

bool assay_https_is_for(const struct assay_https *https, const char *host)
{
	ASN1_OCTET_STRING *ip = a2i_IPADDRESS(host);
	bool good;

	ASN1_OCTET_STRING_free(ip);
	if (ip)
		good = X509_check_ip_asc(https->peer, host, 0) == 1;
	else
		good = X509_check_host(https->peer, host, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
				       NULL) == 1;
	ERR_clear_error();
	return good;
}
