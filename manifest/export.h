/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A prediction's golden values in the forms that other systems read. One file below manifest/export/ for each form, and a
 * row in the table of them all; docs/EXPORT.md says who reads it, and what of the prediction it cannot hold.
 *
 * A value is passed on or it is not: no form gets one that the prediction does not have. What is left out is said, and
 * what was asked for and is not there is refused by name.
 */
#ifndef ASSAY_MANIFEST_EXPORT_H
#define ASSAY_MANIFEST_EXPORT_H

#include <stdbool.h>

#include "manifest/key.h"
#include "manifest/manifest.h"

struct assay_export_request {
	const struct assay_prediction *prediction;
	const struct assay_manifest *manifest; /* that it stands in; NULL: the prediction came alone */
	unsigned banks;			       /* 0: those that the form takes by itself */
	uint32_t pcrs;			       /* bit i: PCR i; 0: the same */
	const char *phase; /* PCR 11 as it is after this phase; NULL: as it is when the kernel starts */
	const char *key;   /* a private key (manifest/key.h), for the form that is signed; else NULL */
	const struct assay_secret *secret; /* its passphrase or PIN; may be NULL */
};

struct assay_export_file {
	char *name; /* below the directory, "NAME" or "DIR/NAME"; NULL: the one file */
	char *data;
	size_t len;
};

struct assay_export {
	struct assay_export_file *files; /* one, or those of a directory */
	size_t n;
	char **notes; /* what was left out, in words */
	size_t n_notes;
};
void assay_export_clear(struct assay_export *e);

struct assay_export_format {
	const char *name;  /* "keylime" */
	const char *title; /* "keylime's tpm_policy" */
	bool directory;
	bool phases; /* knows PCR 11 after a phase */
	bool key;    /* is signed */
	int (*run)(const struct assay_export_format *format, const struct assay_export_request *req,
		   struct assay_export *ret, struct assay_err *err);
};
/* All of them, in the order of the manual; *ret_n may be NULL. */
const struct assay_export_format *assay_export_formats(size_t *ret_n);
/* NULL when there is none of that name. */
const struct assay_export_format *assay_export_format(const char *name);

/*
 * ASSAY_E_NOTFOUND: a PCR, bank or phase has no golden value; ASSAY_E_UNSUPPORTED: the form cannot hold what there is;
 * ASSAY_E_USAGE: it does not go with the request. *ret (always to be cleared) is empty then.
 */
int assay_export(const struct assay_export_format *format, const struct assay_export_request *req,
		 struct assay_export *ret, struct assay_err *err) ASSAY_MUST;

#endif
