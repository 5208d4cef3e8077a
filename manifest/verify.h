/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who signed a manifest, and whether it may be believed now. Signatures are checked over the bytes as they are
 * (manifest/envelope.h); the payload is parsed when enough of them hold, and not before.
 *
 * A signature says which key and which bytes. Beside it an envelope carries what nothing signs: the key's name, a
 * certificate. They never choose which key is tried. But when they contradict what was found, the envelope has been
 * changed, and is refused.
 */
#ifndef ASSAY_MANIFEST_VERIFY_H
#define ASSAY_MANIFEST_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/digest.h"
#include "manifest/cert.h"
#include "manifest/envelope.h"
#include "manifest/key.h"
#include "manifest/manifest.h"

/* Why something that was checked does not hold; the worst last among those that a signature may have. */
enum assay_refusal {
	ASSAY_REFUSED_NOT = 0,
	ASSAY_REFUSED_UNSIGNED,	  /* no signature */
	ASSAY_REFUSED_KEY,	  /* a signature by nobody who was given */
	ASSAY_REFUSED_IDENTITY,	  /* its certificate is somebody else's */
	ASSAY_REFUSED_CHAIN,	  /* its certificate does not lead to the CA, or is not for this */
	ASSAY_REFUSED_THRESHOLD,  /* fewer signers than wanted */
	ASSAY_REFUSED_EXTRA,	  /* something that is not signed contradicts what is */
	ASSAY_REFUSED_SIGNATURE,  /* it claims to be of a key, and is not by it */
	ASSAY_REFUSED_NAME,	  /* of another image */
	ASSAY_REFUSED_EARLY,	  /* not valid yet */
	ASSAY_REFUSED_EXPIRED,
	ASSAY_REFUSED_RELEASE,	  /* below the lowest wanted */
	ASSAY_REFUSED_ROLLBACK,	  /* below one that was accepted before */
	ASSAY_REFUSED_REPLACED,	  /* the release that was accepted before, with other content */
	ASSAY_N_REFUSALS
};
/* "bad-signature": for programs. */
const char *assay_refusal_name(enum assay_refusal refusal);

struct assay_verify_policy {
	const struct assay_key *const *keys;
	size_t n_keys;
	const struct assay_ca *ca; /* or NULL: certificates count nothing */
	const char *const *identities;
	size_t n_identities;
	unsigned threshold;  /* distinct signers; 1 or more */
	const char *name;    /* NULL: any */
	uint64_t min_release; /* 0: any */
	int64_t at;	     /* the time to judge at */
	bool ignore_unsigned; /* pass over what nothing signs: key ids of other keys, certificates nobody judges, members */
};

struct assay_verified_sig {
	bool counted;		/* toward the threshold */
	enum assay_refusal why; /* NOT: good; not counted then when its signer had been */
	char key[ASSAY_KEY_ID]; /* the key that it is by; "" when it is by none that was given */
	enum assay_key_kind kind;
	size_t given;		/* index into policy->keys, or SIZE_MAX */
	size_t identity;	/* index into policy->identities, or SIZE_MAX */
	char text[256];		/* in words, when it is not counted */
};

struct assay_verdict {
	enum assay_refusal refusal; /* ASSAY_REFUSED_NOT: verified */
	char reason[512];	    /* in words, when it is not */
	unsigned counted, threshold;
	struct assay_verified_sig *sigs;
	size_t n_sigs;
	char payload_sha256[2 * 32 + 1];
	struct assay_envelope *env;
	struct assay_manifest *manifest; /* NULL when its signatures do not suffice */
};

/*
 * `text` is an envelope (or a statement, which is one without signatures). 0 with a verdict, or -1 when nothing can be
 * said: no envelope, or signed and no manifest that is known here.
 */
int assay_manifest_verify(const char *text, size_t len, const struct assay_verify_policy *policy,
			  struct assay_verdict **ret, struct assay_err *err) ASSAY_MUST;
/* Sets the reason, when nothing has been refused before. For whoever judges further. */
void assay_verdict_refuse(struct assay_verdict *v, enum assay_refusal refusal, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void assay_verdict_free(struct assay_verdict **v);
ASSAY_DEFINE_AUTO(assay_verdict)

#endif
