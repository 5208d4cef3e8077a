/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The face of this room: what a release says of itself. A manifest is an in-toto Statement v1
 * (github.com/in-toto/attestation, spec/v1/statement.md) whose predicate is assay.manifest/1 (assay-manifest(5)): the
 * facts about a disk, and one prediction for each platform. It is made here, read here, and carried by an envelope
 * (manifest/envelope.h).
 *
 * The same input gives the same bytes: nothing of the machine that makes it gets in, neither its time nor its paths.
 */
#ifndef ASSAY_MANIFEST_MANIFEST_H
#define ASSAY_MANIFEST_MANIFEST_H

#include "manifest/envelope.h"
#include "measure/image.h"
#include "measure/links.h"
#include "precompute/precompute.h"

#define ASSAY_STATEMENT_TYPE "https://in-toto.io/Statement/v1"
#define ASSAY_MANIFEST_TYPE "urn:assay:golden-manifest:1"
#define ASSAY_MANIFEST_SCHEMA "assay.manifest/1"

/* --- making ------------------------------------------------------------------------------------- */

/* A disk that nothing boots from. */
struct assay_manifest_data {
	struct assay_src *disk;
	const char *name; /* a file's name without its folder */
	struct assay_disk_info info;
};

struct assay_manifest_input {
	struct assay_image *image;
	const struct assay_manifest_data *data;
	size_t n_data;
	struct assay_platform *const *platforms; /* at least one; each name once */
	size_t n_platforms;
	const char *name; /* of the image; 1 to 128 of A-Z a-z 0-9 . _ - , the first a letter or digit */
	uint64_t release; /* 1 or more; rises with each release of that name */
	int64_t not_before, expires; /* seconds since 1970, UTC */
	/* banks, boot, entry, assume_stub, assume_kernel; the rest is decided here. */
	struct assay_precompute_options precompute;
};

/*
 * The statement. ASSAY_E_MISMATCH when a link of a disk's chain is broken. *ret_links (NULL: not wanted): those of
 * the OS disk, of which some may be unchecked.
 */
int assay_manifest_make(const struct assay_manifest_input *in, struct assay_json **ret,
			struct assay_links **ret_links, struct assay_err *err) ASSAY_MUST;
/* ASSAY_E_USAGE says what is wrong with it. */
int assay_manifest_check_name(const char *name, struct assay_err *err) ASSAY_MUST;

/* --- reading ------------------------------------------------------------------------------------ */

struct assay_manifest {
	struct assay_json *statement;
	/* Borrowed from it: */
	const struct assay_json *subject;     /* array of {"name", "digest"} */
	const struct assay_json *predicate;
	const struct assay_json *facts;	      /* assay.facts/1 */
	const struct assay_json *data;	      /* array of assay.data/1 */
	const struct assay_json *predictions; /* array of assay.prediction/1, at least one */
	const char *name;
	uint64_t release;
	int64_t not_before, expires;
};

/*
 * A statement's bytes: a payload whose signatures have been checked, or that nobody signed. Looks at _type, predicateType
 * and schema first; unknown ones are ASSAY_E_UNSUPPORTED.
 */
int assay_manifest_parse(const char *text, size_t len, struct assay_manifest **ret,
			 struct assay_err *err) ASSAY_MUST;
/* The payload of an envelope, which must say that it is an in-toto Statement. */
int assay_manifest_of(const struct assay_envelope *env, struct assay_manifest **ret,
		      struct assay_err *err) ASSAY_MUST;
/* A file: an envelope, whose signatures nobody looks at here, or a statement. */
int assay_manifest_load(const char *path, struct assay_manifest **ret, struct assay_err *err) ASSAY_MUST;
void assay_manifest_free(struct assay_manifest **m);
ASSAY_DEFINE_AUTO(assay_manifest)

/* The name of the platform that a prediction is for; never NULL in a manifest that was parsed. */
const char *assay_manifest_platform(const struct assay_json *prediction);
/*
 * The prediction for a platform; NULL: the only one there is. ASSAY_E_NOTFOUND names those that there are. `ret_json`
 * (may be NULL) is borrowed.
 */
int assay_manifest_prediction(const struct assay_manifest *m, const char *platform, struct assay_prediction **ret,
			      const struct assay_json **ret_json, struct assay_err *err) ASSAY_MUST;

#endif
