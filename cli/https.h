/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One TLS connection to a server that nobody has vouched for yet: its certificate is there to be judged, and what is
 * asked afterwards goes over that same connection or nowhere. No public CA is asked, no redirect followed, no proxy used.
 */
#ifndef ASSAY_CLI_HTTPS_H
#define ASSAY_CLI_HTTPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/out.h"

/* What a URL names: https://HOST[:PORT], and nothing else. */
struct assay_origin {
	char *url;  /* without a slash at its end */
	char *host; /* an IPv6 address without brackets */
};
/* ASSAY_E_USAGE: it is another kind of URL. */
int assay_origin_parse(const char *url, struct assay_origin *ret, struct assay_err *err) ASSAY_MUST;
void assay_origin_clear(struct assay_origin *origin);

struct assay_https;
int assay_https_new(const struct assay_origin *origin, struct assay_https **ret, struct assay_err *err) ASSAY_MUST;
void assay_https_free(struct assay_https **https);
ASSAY_DEFINE_AUTO(assay_https)

struct assay_https_answer {
	long status;	     /* of HTTP */
	uint64_t retry_after; /* seconds; 0: it says nothing */
	bool gone;	     /* on failure: the connection had been closed, and nothing was answered */
};

/*
 * GET path ("/…"). The first makes the connection; a later one that would need another is refused before anything is sent
 * (ASSAY_E_MISMATCH, ret->gone). What a 200 has goes to `out`; more than max bytes are ASSAY_E_LIMIT. timeout_ms is for all
 * of it; with `patient`, for connecting and for each time that nothing comes. *ret is written on failure too.
 */
struct assay_https_get {
	const char *path;
	struct assay_out *out;
	uint64_t max;
	long timeout_ms;
	bool patient;
};
int assay_https_get(struct assay_https *https, const struct assay_https_get *get, struct assay_https_answer *ret,
		    struct assay_err *err) ASSAY_MUST;

/* The certificate of the connection, DER; borrowed. After the first GET. */
const uint8_t *assay_https_peer(const struct assay_https *https, size_t *ret_len);
/* Whether that certificate is for this host: a DNS name or IP address of its subjectAltName (RFC 6125, RFC 2818). */
bool assay_https_is_for(const struct assay_https *https, const char *host);

#endif
