/* SPDX-License-Identifier: Apache-2.0 */
/* The face of this room: what is expected of a machine, and whether a proof shows it. */
#ifndef ASSAY_VERIFY_POLICY_H
#define ASSAY_VERIFY_POLICY_H

#include "verify/verdict.h"

struct assay_known_container {
	const char *name; /* "@local/caddy:1" */
	const char *id;	  /* "sha256:…" */
};

/* A boot that would be accepted: a release on a platform. Borrowed, but its own lists. */
struct assay_expectation {
	const char *name; /* of the image */
	uint64_t release;
	const char *platform;
	int64_t not_before, expires;		    /* the manifest's */
	const struct assay_prediction *prediction; /* NULL: `values` alone */
	const struct assay_pcrs *values;	    /* of an old proof's MEASUREMENTS: only what is there is compared */
	const struct assay_json *facts;		    /* for explanations; or NULL */
	const struct assay_known_container *containers;
	size_t n_containers;
	const char *const *disks; /* root hashes of the data disks, lower-case hex */
	size_t n_disks;
	const char *refused; /* why the manifest does not count: "release 6, wanted is 7 or later"; or NULL */
	size_t manifest;     /* the caller's number of it */
};

/* One `--expect K=V`. */
enum assay_expect {
	ASSAY_EXPECT_ROOT_HASH,	 /* root_hash=HEX */
	ASSAY_EXPECT_CONTAINER,	 /* container:NAME=sha256:HEX */
	ASSAY_EXPECT_INPUT,	 /* input:PATH=sha256:HEX or sha1:HEX */
	ASSAY_EXPECT_OUTPUT,	 /* output:PATH=… */
	ASSAY_EXPECT_WEIGHTS,	 /* weights:PATH=…, or fsverity:sha256:HEX */
	ASSAY_EXPECT_CODE,	 /* code:PATH=… */
	ASSAY_EXPECT_CONFIGURATION, /* configuration:PATH=… */
	ASSAY_EXPECT_TLS,	 /* tls=sha256:HEX, of the certificate in DER */
	ASSAY_EXPECT_MANIFEST,	 /* manifest=NAME */
	ASSAY_N_EXPECTS
};
struct assay_expected {
	enum assay_expect what;
	char *name; /* "" where there is none */
	char *value;
	bool fsverity;
};
/* ASSAY_E_USAGE says what is wrong with it. */
int assay_expected_parse(const char *text, struct assay_expected *ret, struct assay_err *err) ASSAY_MUST;
void assay_expected_clear(struct assay_expected *e);

/* Not changed by checking: one for all threads. */
struct assay_proof_policy {
	const struct assay_anchors *anchors;
	const struct assay_expectation *boots;
	size_t n_boots;
	const struct assay_expected *expected;
	size_t n_expected;
	uint32_t ignored;  /* bit i: PCR i may be without a predicted value */
	const char *phase; /* which value of PCR 11 is expected; NULL: that at the kernel's start */
	int log_pcr;	   /* where an older shape's event log went; -1: its own plan */
};

struct assay_proof_request {
	int64_t at;
	const uint8_t *nonce; /* NULL: not asked with one */
	size_t nonce_len;
	const uint8_t *peer; /* the certificate of the TLS connection, DER; NULL: not asked */
	size_t peer_len;
};

/* 0 with a verdict; -1 when nothing can be said: it is no JSON (ASSAY_E_CORRUPT), no memory, OpenSSL fails. */
int assay_proof_judge(const char *text, size_t len, const struct assay_proof_policy *policy,
		      const struct assay_proof_request *request, struct assay_proof_verdict **ret, struct assay_err *err) ASSAY_MUST;

#endif
