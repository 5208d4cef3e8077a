/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's TLS key and its certificate, made in the guest and measured before anybody can use them. The key stays in
 * memory: its file lies on tmpfs or ramfs.
 *
 * In this order: the key beside its place (KEY.new), the measurement, the key into its place, the certificate. Whatever ends
 * the agent in between, the log tells the next one what is in use, and that one completes the rest:
 *
 *   the log's last certificate is of KEY      the certificate's file is written when it is not there, and all is done
 *   … is of KEY.new                           KEY.new becomes KEY first
 *   … is of neither, or there is none         nobody can use it: a new key, a new certificate, a new event
 */
#ifndef ASSAY_ATTEST_TLS_H
#define ASSAY_ATTEST_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tpm/cel.h"

#define ASSAY_TLS_DAYS 365U
#define ASSAY_TLS_MAX_DAYS 36500U

struct assay_tls_options {
	const char *const *names; /* DNS names, or IP addresses */
	size_t n_names;
	const char *certificate, *key; /* files */
	uint32_t owner;		       /* of the key's file: who serves with it */
	int64_t now;		       /* seconds since 1970 */
	unsigned days;		       /* that the certificate is valid */
	bool allow_disk;	       /* the key's file may lie on any file system */
	bool renew;		       /* a new one, though there is one in use */
};

enum assay_tls_done { ASSAY_TLS_THERE, ASSAY_TLS_COMPLETED, ASSAY_TLS_MADE };

/* Measures PEM text as kind ASSAY_RUN_TLS; what assay_agent_measure() does. */
typedef int assay_tls_measure_fn(void *arg, const char *pem, size_t len, struct assay_err *err);

/*
 * Sees to it that key and certificate are there, and that the log's last certificate is this one. log: what has been measured
 * in this boot. One in use is replaced when it has expired, or is of other names than the options'; so is a key that belongs
 * to no certificate of the log. *ret_sha256: of the certificate in DER. Refused:
 *   ASSAY_E_UNSUPPORTED  the key would lie on a disk
 *   ASSAY_E_MISMATCH     a key in use whose file others may have read; a key of an earlier certificate of the log
 *   ASSAY_E_USAGE        a name that is neither a DNS name nor an IP address
 */
int assay_tls_ensure(const struct assay_tls_options *opt, const struct assay_cel *log, assay_tls_measure_fn *measure,
		     void *arg, enum assay_tls_done *ret, uint8_t ret_sha256[32], struct assay_err *err) ASSAY_MUST;

/*
 * A P-256 key (PKCS #8) and a self-signed certificate of it: version 3, CA:FALSE, digitalSignature, serverAuth, the names as
 * subjectAltName, valid from a day before `now`. Both as PEM, fresh; the key is the caller's to wipe.
 */
int assay_tls_make(const struct assay_tls_options *opt, char **ret_key, size_t *ret_key_len, char **ret_certificate,
		   size_t *ret_certificate_len, struct assay_err *err) ASSAY_MUST;

#endif
