/* SPDX-License-Identifier: Apache-2.0 */
/* What the forms share: which values go in, and how files come out. */
#ifndef ASSAY_MANIFEST_EXPORT_PRIV_H
#define ASSAY_MANIFEST_EXPORT_PRIV_H

#include "manifest/export.h"

#define ASSAY_EXPORT_PCRS ((1U << ASSAY_PREDICTED_PCRS) - 1U)

/* What a form can hold. */
struct assay_export_rule {
	uint32_t pcrs;	    /* taken when nobody names any */
	bool all;	    /* none of those may be missing */
	bool sets;	    /* more than one accepted value for a PCR */
	bool one_bank;	    /* its values stand without their bank's name */
	unsigned bank;	    /* the banks that its definition fixes; 0: any */
	uint32_t never;	    /* PCRs that the reader refuses */
	const char *why;    /* it does */
};

/* The golden values that go in: for each PCR of `pcrs` its accepted ones, each in every bank of `banks`. Borrowed. */
struct assay_export_pick {
	unsigned banks;
	uint32_t pcrs;
	struct {
		const struct assay_digests *v;
		size_t n;
	} pcr[ASSAY_PREDICTED_PCRS];
};

/* Leaving out adds a note to `out`. */
int assay_export_choose(const struct assay_export_format *format, const struct assay_export_rule *rule,
			const struct assay_export_request *req, struct assay_export *out,
			struct assay_export_pick *ret, struct assay_err *err) ASSAY_MUST;
/* The one bank of a pick; the form's rule says one_bank. */
enum assay_bank assay_export_bank(const struct assay_export_pick *pick);
/* ASSAY_E_NOTFOUND names the phases that there are. */
int assay_export_phase(const struct assay_prediction *p, const char *name, const struct assay_phase **ret,
		       struct assay_err *err) ASSAY_MUST;

/* The value as JSON: a string, or those of a set as an array. */
struct assay_json *assay_export_value(const struct assay_export_pick *pick, unsigned pcr, enum assay_bank bank);
struct assay_json *assay_export_values(const struct assay_export_pick *pick, unsigned pcr, enum assay_bank bank);
/* What the values are for. */
const char *assay_export_platform(const struct assay_export_request *req);
const char *assay_export_image(const struct assay_export_request *req);

/* A file's text or bytes are copied; name NULL: the one file. */
int assay_export_add(struct assay_export *out, const char *name, const void *data, size_t len,
		     struct assay_err *err) ASSAY_MUST;
/* JSON as assay_json_write() writes it; takes the node, whatever happens. */
int assay_export_add_json(struct assay_export *out, const char *name, struct assay_json *json,
			  struct assay_err *err) ASSAY_MUST;
int assay_export_note(struct assay_export *out, struct assay_err *err, const char *fmt, ...) ASSAY_MUST
	__attribute__((format(printf, 3, 4)));

/* The forms: each in the file of its name. */
typedef int assay_export_fn(const struct assay_export_format *format, const struct assay_export_request *req,
			    struct assay_export *ret, struct assay_err *err);
assay_export_fn assay_export_aicert, assay_export_corim, assay_export_keylime, assay_export_nitro, assay_export_pcrs_json,
	assay_export_pcrlock, assay_export_pcrsig, assay_export_rvps;

#endif
