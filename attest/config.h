/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent is set to: one YAML file, schema assay.agent/1 (assay-agent.yaml(5)). It is part of the image, and so
 * of the manifest. Strict: a key that is not known is refused with its line.
 */
#ifndef ASSAY_ATTEST_CONFIG_H
#define ASSAY_ATTEST_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "attest/proof.h"
#include "tpm/runtime.h"

#define ASSAY_AGENT_CONFIG "/etc/assay/agent.yaml"

/* Whose attestation key it is, and where its certificates are (attest/ak.h). */
enum assay_ak_source { ASSAY_AK_AZURE, ASSAY_AK_GCP, ASSAY_AK_EK, ASSAY_AK_HANDLE, ASSAY_N_AK_SOURCES };
const char *assay_ak_source_name(enum assay_ak_source source); /* "azure" */

struct assay_agent_config {
	char *tcti;
	bool has_key; /* tpm.key is given: proofs need it, measuring does not */
	enum assay_ak_source key;
	uint32_t handle;    /* of "handle"; of "ek" where the key is kept; 0: none */
	char *certificates; /* a file of PEM, or NULL */

	unsigned banks; /* that are quoted; default sha256 */
	char *log;	/* default /run/assay/runtime.cel */
	char *firmware_log; /* NULL: none is looked for */
	unsigned pcrs[ASSAY_N_RUNTIME_KINDS]; /* the plan: 0 to 15, which is what quotes have */
	char *containers; /* container_measurements.json; NULL: none */
	char *manifest;	  /* its name, or NULL */

	char **tls_names; /* at least one: localhost by default */
	size_t n_tls_names;
	char *tls_certificate, *tls_key; /* files; default below /run/assay/tls */
	uint32_t tls_owner;		 /* user ID of who serves with them; default 65534 */

	char *listen;	/* ADDRESS:PORT; default 127.0.0.1:8081 */
	unsigned queue; /* proofs that wait; default 256 */
	unsigned connections; /* at a time; default 2048 */
	unsigned max_age;     /* seconds: a proof without a nonce that is older is made anew; default 300 */
	unsigned timeout;     /* seconds: for a request to come in, and for its proof; default 60 */
	enum assay_proof_format attestation; /* of /attestation.json; default assay.proof/1 */
};

/* Everything at its default. */
int assay_agent_config_default(struct assay_agent_config **ret, struct assay_err *err) ASSAY_MUST;
int assay_agent_config_parse(const char *text, size_t len, struct assay_agent_config **ret, struct assay_err *err) ASSAY_MUST;
/* A file; NULL: ASSAY_AGENT_CONFIG. Errors name it. */
int assay_agent_config_load(const char *path, struct assay_agent_config **ret, struct assay_err *err) ASSAY_MUST;
void assay_agent_config_free(struct assay_agent_config **config);
ASSAY_DEFINE_AUTO(assay_agent_config)

#endif
