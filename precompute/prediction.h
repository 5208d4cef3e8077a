/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A prediction: the events that a machine will measure, each with its source in words, and the PCRs
 * that follow. Made by precompute/precompute.h, written as assay.prediction/1, read back by compare.
 */
#ifndef ASSAY_PRECOMPUTE_PREDICTION_H
#define ASSAY_PRECOMPUTE_PREDICTION_H

#include "core/json.h"
#include "tpm/pcr.h"

#define ASSAY_PREDICTION_SCHEMA "assay.prediction/1"
#define ASSAY_PREDICTED_PCRS 16

enum assay_pcr_status {
	ASSAY_PCR_ZERO,	       /* nothing is measured into it before user space */
	ASSAY_PCR_PLATFORM,    /* only what the platform profile holds */
	ASSAY_PCR_IMAGE,       /* what the image decides is in it */
	ASSAY_PCR_RUNTIME,     /* extended by what runs later: needs a log */
	ASSAY_PCR_UNKNOWN,     /* the profile does not know the platform's part */
	ASSAY_PCR_UNPREDICTABLE,
};
const char *assay_pcr_status_name(enum assay_pcr_status status);

struct assay_pred_event {
	unsigned pcr;
	uint32_t type;
	struct assay_digests *values; /* one, or the accepted ones */
	size_t n_values;
	char *source; /* "\EFI\BOOT\BOOTX64.EFI .linux", "platform q35-ovmf-2025.02" */
	char *detail; /* what is measured, in words; or NULL */
	bool image;
};

/* The accepted values of one PCR; n == 0: no value. One digest in each bank for each. */
struct assay_pcr_values {
	enum assay_pcr_status status;
	char *reason; /* why there is no value, or a remark; may be NULL */
	struct assay_digests *v;
	size_t n;
};

struct assay_phase {
	char *name; /* "enter-initrd:leave-initrd" */
	struct assay_digests pcr11;
};

struct assay_prediction {
	unsigned banks;
	struct assay_json *image;    /* {"name", "digest", "size", "boot", "chain", …} */
	struct assay_json *platform; /* assay_platform_json() */
	struct assay_pred_event *events;
	size_t n;
	struct assay_pcr_values pcr[ASSAY_PREDICTED_PCRS];
	struct assay_phase *phases;
	size_t n_phases;
};

void assay_prediction_free(struct assay_prediction **p);
ASSAY_DEFINE_AUTO(assay_prediction)

/* Adds an event (single value); strings are handed over, NULL source counts as out of memory. */
int assay_prediction_add(struct assay_prediction *p, unsigned pcr, uint32_t type,
			 const struct assay_digests *d, bool image, char *source, char *detail,
			 struct assay_err *err) ASSAY_MUST;

/* The same with a set of accepted values. */
int assay_prediction_add_set(struct assay_prediction *p, unsigned pcr, uint32_t type,
			     const struct assay_digests *values, size_t n, bool image, char *source,
			     char *detail, struct assay_err *err) ASSAY_MUST;

struct assay_json *assay_prediction_json(const struct assay_prediction *p);
/* Reads it back; written again it is the same, byte for byte, but for keys that are not known here. */
int assay_prediction_parse(const struct assay_json *json, struct assay_prediction **ret,
			   struct assay_err *err) ASSAY_MUST;

#endif
