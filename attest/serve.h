/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proofs over HTTP (docs/SERVING.md). One thread owns the connections (libevent), another one what makes proofs, which is as
 * slow as a TPM: between them is a queue with a bound.
 *
 *   GET /.well-known/assay/proof              the latest proof, without a nonce
 *   GET /.well-known/assay/proof?nonce=HEX    a fresh one
 *   GET /attestation.json                     the latest one, as the configuration says
 */
#ifndef ASSAY_ATTEST_SERVE_H
#define ASSAY_ATTEST_SERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

/* What a proof is asked for. */
enum assay_served {
	ASSAY_SERVED_FRESH,  /* with the client's nonce */
	ASSAY_SERVED_LATEST, /* without */
	ASSAY_SERVED_OTHER,  /* without, in the format of /attestation.json where it has its own */
	ASSAY_N_SERVED
};

struct assay_prover {
	/*
	 * The text of a proof, fresh in *ret. Called in one thread alone, one call at a time; a broken connection to the
	 * TPM is its own to mend, at the next call at the latest.
	 */
	int (*prove)(void *arg, enum assay_served what, const uint8_t *nonce, size_t nonce_len, char **ret,
		     size_t *ret_len, struct assay_err *err);
	void *arg;
	bool other; /* knows ASSAY_SERVED_OTHER; else /attestation.json is ASSAY_SERVED_LATEST */
};

struct assay_serve_options {
	const char *listen; /* "127.0.0.1:8081", "[::1]:8081"; port 0: any that is free */
	bool any_address;   /* not only of the loopback interface */
	const char *watch;  /* a latest proof is made anew when this file changed (NULL: none) */
	unsigned queue;	    /* requests for fresh proofs that may wait; those beyond get 503 */
	unsigned connections;
	unsigned max_age; /* seconds: a latest proof that is older is made anew */
	unsigned timeout; /* seconds: for a request to come in, and for its proof to be made */
	bool signals;	  /* SIGTERM and SIGINT end assay_server_run(): what waits is answered first */
};
#define ASSAY_SERVE_QUEUE 256U
#define ASSAY_SERVE_CONNECTIONS 2048U
#define ASSAY_SERVE_MAX_AGE 300U
#define ASSAY_SERVE_TIMEOUT 60U

struct assay_server;

/*
 * Binds and listens; makes the first latest proof, so that a machine that cannot prove itself fails here. Options and
 * prover are copied, what they point to is borrowed. ASSAY_E_USAGE: an address that is none, or not of loopback.
 */
int assay_server_new(const struct assay_serve_options *opt, const struct assay_prover *prover,
		     struct assay_server **ret, struct assay_err *err) ASSAY_MUST;
/* "127.0.0.1:43210": where it listens. */
const char *assay_server_address(const struct assay_server *server);
/*
 * Until it is stopped. ASSAY_E_TPM: a proof that was under way did not end in time; its thread goes on with the
 * prover, whatever becomes of the server.
 */
int assay_server_run(struct assay_server *server, struct assay_err *err) ASSAY_MUST;
/* From any thread or signal handler: no more connections; what waits is answered, for `timeout` seconds at most. */
void assay_server_stop(struct assay_server *server);
void assay_server_free(struct assay_server **server);
ASSAY_DEFINE_AUTO(assay_server)

/* The nonce of a query "nonce=HEX", 16 to 128 digits of any case. ASSAY_E_USAGE says what a query is. */
#define ASSAY_SERVE_NONCE_MAX 64
int assay_serve_query(const char *query, uint8_t ret[ASSAY_SERVE_NONCE_MAX], size_t *ret_len,
		      struct assay_err *err) ASSAY_MUST;

/*
 * sd_notify(3): tells the service manager ("READY=1") by a datagram to $NOTIFY_SOCKET, a path or an abstract name. Nothing
 * when there is none.
 */
int assay_serve_notify(const char *state, struct assay_err *err) ASSAY_MUST;

#endif
