/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Platform profiles: what firmware and machine configuration measure, in log order, with slots
 * where the image decides. A profile is a YAML file (docs/FORMATS.md, assay-platform(5)); it is
 * read here, made by precompute/learn.h out of an event log, and filled by precompute/predict.c.
 */
#ifndef ASSAY_PRECOMPUTE_PLATFORM_H
#define ASSAY_PRECOMPUTE_PLATFORM_H

#include "core/json.h"
#include "core/yaml.h"
#include "tpm/event.h"

#define ASSAY_PLATFORM_SCHEMA "assay.platform/1"

enum assay_slot {
	ASSAY_SLOT_NONE, /* an event of the platform */
	ASSAY_SLOT_GPT,	 /* PCR 5: the partition table of the disk that is booted */
	ASSAY_SLOT_BOOT, /* PCR 4: the first boot application; then everything that its chain
			    measures */
	ASSAY_SLOT_EXIT, /* PCR 5: exit of boot services */
};

/*
 * How a value is written in the file. All but the first say what is hashed, so that nobody has to
 * copy digests; they are computed in every bank when the profile is read.
 */
enum assay_platform_form {
	ASSAY_FORM_DIGESTS,
	ASSAY_FORM_TEXT,  /* the text's bytes, without a NUL */
	ASSAY_FORM_UTF16, /* the text as UTF-16LE with its NUL */
	ASSAY_FORM_HEX,	  /* these bytes */
};

/* One value that the platform may measure at this place. */
struct assay_platform_value {
	struct assay_digests digests; /* in every bank of the profile */
	enum assay_platform_form form;
	char *hashed; /* the text, or lower-case hex, as written; NULL for FORM_DIGESTS */
	char *note;   /* where it comes from; or NULL */
};

struct assay_platform_event {
	enum assay_slot slot;
	/*
	 * SLOT_BOOT: boot options that the firmware tries in vain before the image's. Each stands
	 * for two EV_EFI_ACTION events in PCR 4: "Returning from EFI Application from Boot Option",
	 * then "Calling EFI Application from Boot Option". The first "Calling" is an event of the
	 * platform.
	 */
	unsigned tries;

	/* slot NONE: */
	unsigned pcr;
	uint32_t type;
	struct assay_platform_value *values; /* one, or a set of accepted ones */
	size_t n_values;
	/*
	 * The event's data, kept where the image's events depend on it (variables and authorities
	 * of PCR 7); or NULL. Its digest is the event's digest: a file that says otherwise is
	 * refused.
	 */
	uint8_t *data;
	size_t data_len;
	char *note; /* in words; or NULL */
};

struct assay_platform {
	char *name;
	char *description; /* or NULL */
	char *arch;	   /* "x86-64" or "aarch64" */
	unsigned banks;	   /* active PCR banks of the TPM: IMA depends on them */
	unsigned locality; /* StartupLocality: PCR 0 starts at this value */
	bool hcrtm;	   /* PCR 0 has an EV_EFI_HCRTM_EVENT: it starts at 4 */
	/* -1 unknown, 0 off, 1 on: the key secure_boot, or else the SecureBoot variable's event */
	int secure_boot;
	struct assay_platform_event
		*events; /* exactly one boot slot; gpt and exit slots unless PCR 5 is unknown */
	size_t n;
	char *unknown[ASSAY_N_PCRS]; /* why nothing is known about this PCR's platform part; NULL
					when it is known */
	struct assay_yaml *origin;   /* as written; may be NULL */
	struct assay_digests
		digest; /* sha256 of the file's bytes; banks == 0 for one that was learned */
};

int assay_platform_parse(const char *text, size_t len, struct assay_platform **ret,
			 struct assay_err *err) ASSAY_MUST;
int assay_platform_load(const char *path, struct assay_platform **ret,
			struct assay_err *err) ASSAY_MUST;
void assay_platform_free(struct assay_platform **p);
ASSAY_DEFINE_AUTO(assay_platform)

/* The same profile as YAML, byte-identical for the same content. */
int assay_platform_write(const struct assay_platform *p, struct assay_out *out,
			 struct assay_err *err) ASSAY_MUST;
/* {"name": …, "digest": {"sha256": …}, "arch": …, "secure_boot": …, "origin": {…}} */
struct assay_json *assay_platform_json(const struct assay_platform *p);

/* The profile's event of a UEFI variable in PCR 7 ("db", "SecureBoot", …), parsed; false when there
 * is none with data. */
bool assay_platform_variable(const struct assay_platform *p, const char *name,
			     struct assay_event_variable *ret);

#endif
