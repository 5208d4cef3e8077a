/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of Linux kernels: which ones somebody has looked at, and how their IMA records the
 * boot aggregate.
 */
#ifndef ASSAY_PRECOMPUTE_KERNEL_H
#define ASSAY_PRECOMPUTE_KERNEL_H

#include <stdbool.h>

#include "core/digest.h"
#include "tpm/pcr.h"

struct assay_kernel_rules {
	const char *series; /* "6.12" */
	/* The distribution's configuration: */
	const char *ima_template;  /* CONFIG_IMA_DEFAULT_TEMPLATE */
	enum assay_bank ima_hash;  /* CONFIG_IMA_DEFAULT_HASH */
	bool sha512_builtin;	   /* CONFIG_CRYPTO_SHA512=y: SHA-384 and SHA-512 are there when IMA starts */
};

/* By the version string's series, or by `assume` when that names a row and the version has none; NULL. */
const struct assay_kernel_rules *assay_kernel_rules_find(const char *version, const char *assume);

/* Is this word (up to '=' or whole) on a kernel command line, before "--"? Quotes as the kernel has them. */
bool assay_cmdline_has(const char *cmdline, const char *word);

/*
 * The digests that IMA extends PCR 10 with at boot, when no policy is loaded: its boot_aggregate over
 * PCR 0-9 (security/integrity/ima/ima_init.c, ima_crypto.c). `active` are the TPM's banks, `banks` those that `pcrs`
 * holds and that are wanted. When it cannot be told, -1 with ASSAY_E_UNSUPPORTED and the reason.
 */
int assay_ima_boot_aggregate(const struct assay_kernel_rules *rules, const char *version,
			     const char *cmdline, unsigned active, const struct assay_pcrs *pcrs,
			     unsigned banks, struct assay_digests *ret, struct assay_err *err) ASSAY_MUST;

#endif
