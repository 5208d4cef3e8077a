/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libassay: is the machine that made this proof the one that a signed golden manifest describes?
 *
 * A policy says what is expected. It is built up, sealed, and then used by as many threads as there are. Bytes go in, a
 * verdict comes out: nothing is printed, no file is opened but the folder of assay_policy_add_trust_folder(), nothing is
 * kept between calls, and the process is never ended. What is missing or not known is refused.
 *
 *	struct assay_policy *policy = assay_policy_new();
 *	struct assay_result *result;
 *
 *	assay_policy_add_manifest(policy, manifest, manifest_len);
 *	assay_policy_add_key(policy, pem, pem_len);
 *	assay_policy_add_trust(policy, vendor_ca, vendor_ca_len);
 *	if (assay_policy_seal(policy) != ASSAY_VERIFIED)
 *		complain(assay_policy_error(policy));
 *	else if (assay_verify(policy, proof, proof_len, nonce, nonce_len, peer, peer_len, &result) == ASSAY_VERIFIED)
 *		...
 *	assay_result_free(result);
 *	assay_policy_free(policy);
 *
 * Link with `pkg-config --cflags --libs libassay`. Functions and numbers that are here stay; new ones may come, and so may
 * new codes of refusals. Texts for people change.
 */
#ifndef ASSAY_H
#define ASSAY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define ASSAY_PUBLIC __attribute__((visibility("default")))
#else
#define ASSAY_PUBLIC
#endif

/** enum assay_status - what a call came to; the numbers are assay-verify(1)'s exit statuses. */
enum assay_status {
	ASSAY_VERIFIED = 0,  /* of a function that builds a policy: done */
	ASSAY_COULD_NOT = 1, /* nothing can be said: memory, a library that is missing, something unreadable */
	ASSAY_BAD_CALL = 2,  /* the caller's arguments are off */
	ASSAY_REFUSED = 3    /* checked, and not to be trusted: assay_result_code() says why */
};

/** assay_version() - the library's version, "0.1.0". Static. */
ASSAY_PUBLIC const char *assay_version(void);

/* --- policies ------------------------------------------------------------------------------------- */

/** struct assay_policy - whom to trust and what to expect. */
struct assay_policy;

/**
 * assay_policy_new() - a policy that trusts nobody and expects nothing yet.
 *
 * Return: one to be freed with assay_policy_free(), or NULL when there is no memory. Every function takes a NULL policy,
 * and then answers ASSAY_COULD_NOT.
 */
ASSAY_PUBLIC struct assay_policy *assay_policy_new(void);

/** assay_policy_free() - when no thread verifies with it any more; its results may stay. NULL is nothing. */
ASSAY_PUBLIC void assay_policy_free(struct assay_policy *policy);

/**
 * assay_policy_error() - what the last function that built this policy and failed had to say.
 *
 * Return: one line for people; "" when none has failed. The policy's, until the next of these calls.
 */
ASSAY_PUBLIC const char *assay_policy_error(const struct assay_policy *policy);

/*
 * The functions below build a policy. All bytes are copied. They answer ASSAY_VERIFIED when it is done; else the policy is
 * as it was, assay_policy_error() says why, and assay_policy_seal() will refuse the policy: a call whose answer nobody
 * looked at takes away no expectation. ASSAY_BAD_CALL after assay_policy_seal(). Not for two threads at once.
 */

/**
 * assay_policy_add_manifest() - a golden manifest that a machine may be running: one of the release that is going, one of
 * the release that comes.
 * @bytes: a DSSE envelope, as `assay manifest sign` writes it
 * @len: in bytes
 */
ASSAY_PUBLIC enum assay_status assay_policy_add_manifest(struct assay_policy *policy, const void *bytes, size_t len);

/**
 * assay_policy_add_key() - a key that may sign manifests.
 * @bytes: a public key, PEM or DER: Ed25519, ECDSA P-256 or P-384, RSA of 2048 bits or more
 */
ASSAY_PUBLIC enum assay_status assay_policy_add_key(struct assay_policy *policy, const void *bytes, size_t len);

/**
 * assay_policy_set_ca() - the CAs of those who may sign manifests; goes with assay_policy_add_identity().
 * @pem: certificates; each is an anchor
 */
ASSAY_PUBLIC enum assay_status assay_policy_set_ca(struct assay_policy *policy, const void *pem, size_t len);

/**
 * assay_policy_add_identity() - whom that CA has to have certified.
 * @name: an email address, URI or DNS name of the certificate, byte for byte
 */
ASSAY_PUBLIC enum assay_status assay_policy_add_identity(struct assay_policy *policy, const char *name);

/**
 * assay_policy_add_trust() - anchors that the chain of a machine's attestation key has to lead to: roots of TPM makers and
 * clouds, or one's own CA (`assay ca`).
 * @bytes: certificates in PEM, or one in DER
 */
ASSAY_PUBLIC enum assay_status assay_policy_add_trust(struct assay_policy *policy, const void *bytes, size_t len);

/** assay_policy_add_trust_folder() - the same of each file in a folder whose name ends in .pem, .crt, .cer or .der. */
ASSAY_PUBLIC enum assay_status assay_policy_add_trust_folder(struct assay_policy *policy, const char *path);

/** assay_policy_set_min_release() - manifests of releases below this one are refused. */
ASSAY_PUBLIC enum assay_status assay_policy_set_min_release(struct assay_policy *policy, uint64_t release);

/** assay_policy_set_time() - judge as of this second since 1970 (UTC), and not as of each call's own time. */
ASSAY_PUBLIC enum assay_status assay_policy_set_time(struct assay_policy *policy, int64_t seconds);

/**
 * assay_policy_expect() - something that the machine has to have measured.
 * @text: KEY=VALUE as --expect of assay-verify(1) has it: "container:@local/caddy:1=sha256:...", "manifest=base"
 *
 * Several may be given; all have to hold.
 */
ASSAY_PUBLIC enum assay_status assay_policy_expect(struct assay_policy *policy, const char *text);

/**
 * assay_policy_set_measurements() - for proofs of AICert and BlindLlama: the values that they come with, instead of
 * manifests.
 * @json: {"measurements": {"0": "<hex>", ...}}
 */
ASSAY_PUBLIC enum assay_status assay_policy_set_measurements(struct assay_policy *policy, const void *json, size_t len);

/**
 * assay_policy_option() - what few need.
 * @name: an option of assay-verify(1) without its dashes: "name", "threshold", "platform", "phase", "ignore-pcr",
 *	"log-pcr", "state"
 * @value: its argument
 *
 * ASSAY_BAD_CALL for a name that is not known. With "state", a file, each verification reads and writes that file.
 */
ASSAY_PUBLIC enum assay_status assay_policy_option(struct assay_policy *policy, const char *name, const char *value);

/**
 * assay_policy_seal() - no more is to come: the policy is complete, and does not change any more.
 *
 * ASSAY_BAD_CALL when something is missing: a manifest, somebody who may sign it, trust. When one of the calls above has
 * failed: what the first of them answered, and its error.
 */
ASSAY_PUBLIC enum assay_status assay_policy_seal(struct assay_policy *policy);

/* --- verdicts ------------------------------------------------------------------------------------- */

/** struct assay_result - what one verification came to. It outlives its policy. Not for two threads at once. */
struct assay_result;

/**
 * assay_verify() - judge a proof (assay.proof/1).
 * @policy: a sealed one; any number of threads may use it at once
 * @proof: its bytes
 * @proof_len: how many
 * @nonce: what this client asked with, and nobody before; NULL: any nonce, or none, will do, and the proof may be old
 * @nonce_len: 8 to 64 bytes; 0 with NULL
 * @peer: the certificate, in DER, that the TLS connection at hand was made with; NULL: there is none to be compared
 * @peer_len: how many bytes
 * @result: where to put the verdict, which is to be freed with assay_result_free(); NULL in it when there is no memory
 *
 * Return: ASSAY_VERIFIED, or why not; assay_result_status() has the same.
 */
ASSAY_PUBLIC enum assay_status assay_verify(const struct assay_policy *policy, const void *proof, size_t proof_len,
					    const void *nonce, size_t nonce_len, const void *peer, size_t peer_len,
					    struct assay_result **result);

/* Everything that these return is the result's, and goes with it. A NULL result is one that there was no memory for. */

/** assay_result_free() - NULL is nothing. */
ASSAY_PUBLIC void assay_result_free(struct assay_result *result);

/** assay_result_status() - what assay_verify() answered. */
ASSAY_PUBLIC enum assay_status assay_result_status(const struct assay_result *result);

/** assay_result_message() - one line for people: which manifest was matched, the first refusal, or what went wrong. Safe. */
ASSAY_PUBLIC const char *assay_result_message(const struct assay_result *result);

/** assay_result_refusals() - how many reasons there are not to trust it; 0 unless ASSAY_REFUSED. */
ASSAY_PUBLIC size_t assay_result_refusals(const struct assay_result *result);

/** assay_result_code() - reason number @i for programs, "nonce"; NULL past the last. docs/API.md lists them. */
ASSAY_PUBLIC const char *assay_result_code(const struct assay_result *result, size_t i);

/** assay_result_text() - reason number @i for people; NULL past the last. It may quote the proof: escape it for terminals. */
ASSAY_PUBLIC const char *assay_result_text(const struct assay_result *result, size_t i);

/** assay_result_json() - the whole verdict, assay.verdict/1, in UTF-8; NULL unless verified or refused, or without memory. */
ASSAY_PUBLIC const char *assay_result_json(struct assay_result *result);

/** assay_result_manifest() - the name of the manifest that was matched; NULL unless verified. */
ASSAY_PUBLIC const char *assay_result_manifest(const struct assay_result *result);

/** assay_result_release() - its release; 0 unless verified. */
ASSAY_PUBLIC uint64_t assay_result_release(const struct assay_result *result);

#ifdef __cplusplus
}
#endif

#endif
