/* SPDX-License-Identifier: Apache-2.0 */
#include "api/public_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/limits.h"

struct assay_policy *assay_policy_new(void)
{
	struct assay_policy *policy = calloc(1, sizeof(*policy));
	struct assay_err err;

	if (!policy)
		return NULL;
	atomic_init(&policy->users, 1);
	if (assay_api_policy_new(&policy->api, &err) < 0) {
		free(policy);
		return NULL;
	}
	return policy;
}

/* Counting is not changing: what a policy says stays as it is. */
struct assay_policy *assay_policy_use(const struct assay_policy *policy)
{
	struct assay_policy *p = (struct assay_policy *)(uintptr_t)policy;

	atomic_fetch_add(&p->users, 1);
	return p;
}

static void drop_manifests(struct assay_policy *policy)
{
	for (size_t i = 0; i < policy->n_manifests; i++)
		free(policy->manifests[i].p);
	free(policy->manifests);
	policy->manifests = NULL;
	policy->n_manifests = 0;
}

void assay_policy_free(struct assay_policy *policy)
{
	if (!policy || atomic_fetch_sub(&policy->users, 1) != 1)
		return;
	drop_manifests(policy);
	assay_api_policy_free(&policy->api);
	free(policy);
}

const char *assay_policy_error(const struct assay_policy *policy)
{
	return policy ? policy->error : "out of memory";
}

/* --- building ----------------------------------------------------------------------------------- */

/* What went wrong, as a caller sees it. It is not forgotten: such a policy may lack an expectation. */
static enum assay_status failed(struct assay_policy *policy, const struct assay_err *err)
{
	if (!policy)
		return ASSAY_COULD_NOT;
	const enum assay_status status = err->code == ASSAY_E_USAGE ? ASSAY_BAD_CALL : ASSAY_COULD_NOT;

	snprintf(policy->error, sizeof(policy->error), "%s", err->msg);
	if (policy->broken == ASSAY_VERIFIED && !policy->sealed) {
		policy->broken = status;
		memcpy(policy->first_error, policy->error, sizeof(policy->error));
	}
	return status;
}

static int misused(struct assay_err *err, const char *what)
{
	return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "%s", what);
}

/* Whether it may be changed, and by this argument. */
static int begin(const struct assay_policy *policy, const void *argument, struct assay_err *err)
{
	if (!policy)
		return assay_fail_mem(err);
	if (policy->sealed)
		return misused(err, "the policy is sealed");
	if (!argument)
		return misused(err, "a NULL argument");
	return 0;
}

static int keep_manifest(struct assay_policy *policy, const void *bytes, size_t len, struct assay_err *err)
{
	const size_t limit = 2 * (size_t)ASSAY_MANIFEST_MAX; /* in base64 */
	void *more;
	char *copy;

	if (len > limit)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "a manifest of %zu bytes, limit %zu", len, limit);
	more = reallocarray(policy->manifests, policy->n_manifests + 1, sizeof(*policy->manifests));
	if (more)
		policy->manifests = more;
	copy = more ? malloc(len + 1) : NULL;
	if (!copy)
		return assay_fail_mem(err);
	memcpy(copy, bytes, len);
	copy[len] = '\0';
	policy->manifests[policy->n_manifests].p = copy;
	policy->manifests[policy->n_manifests++].len = len;
	return 0;
}

enum assay_status assay_policy_add_manifest(struct assay_policy *policy, const void *bytes, size_t len)
{
	struct assay_err err;

	if (begin(policy, bytes, &err) < 0 || keep_manifest(policy, bytes, len, &err) < 0)
		return failed(policy, &err);
	return ASSAY_VERIFIED;
}

enum assay_status assay_policy_add_key(struct assay_policy *policy, const void *bytes, size_t len)
{
	struct assay_err err;

	if (begin(policy, bytes, &err) < 0 || assay_api_add_key_mem(policy->api, bytes, len, &err) < 0)
		return failed(policy, &err);
	policy->has_key = true;
	return ASSAY_VERIFIED;
}

enum assay_status assay_policy_set_ca(struct assay_policy *policy, const void *pem, size_t len)
{
	struct assay_err err;

	if (begin(policy, pem, &err) < 0 || assay_api_set_ca_mem(policy->api, pem, len, &err) < 0)
		return failed(policy, &err);
	policy->has_ca = true;
	return ASSAY_VERIFIED;
}

enum assay_status assay_policy_add_identity(struct assay_policy *policy, const char *name)
{
	struct assay_err err;

	if (begin(policy, name, &err) < 0 || assay_api_add_identity(policy->api, name, &err) < 0)
		return failed(policy, &err);
	policy->has_identity = true;
	return ASSAY_VERIFIED;
}

enum assay_status assay_policy_add_trust(struct assay_policy *policy, const void *bytes, size_t len)
{
	struct assay_err err;

	if (begin(policy, bytes, &err) < 0 || assay_api_add_trust_mem(policy->api, bytes, len, &err) < 0)
		return failed(policy, &err);
	policy->has_trust = true;
	return ASSAY_VERIFIED;
}

enum assay_status assay_policy_add_trust_folder(struct assay_policy *policy, const char *path)
{
	struct assay_err err;

	if (begin(policy, path, &err) < 0 || assay_api_add_trust(policy->api, path, &err) < 0)
		return failed(policy, &err);
	policy->has_trust = true;
	return ASSAY_VERIFIED;
}

enum assay_status assay_policy_set_min_release(struct assay_policy *policy, uint64_t release)
{
	struct assay_err err;

	if (begin(policy, "", &err) < 0)
		return failed(policy, &err);
	assay_api_set_min_release(policy->api, release);
	return ASSAY_VERIFIED;
}

enum assay_status assay_policy_set_time(struct assay_policy *policy, int64_t seconds)
{
	struct assay_err err;
	int rc = begin(policy, "", &err);

	if (rc == 0 && (seconds < 0 || seconds > ASSAY_CLOCK_MAX))
		rc = misused(&err, "a time before 1970 or after 9999");
	if (rc < 0)
		return failed(policy, &err);
	policy->at = seconds;
	policy->has_time = true;
	return ASSAY_VERIFIED;
}

enum assay_status assay_policy_expect(struct assay_policy *policy, const char *text)
{
	struct assay_err err;

	if (begin(policy, text, &err) < 0 || assay_api_expect(policy->api, text, &err) < 0)
		return failed(policy, &err);
	return ASSAY_VERIFIED;
}

enum assay_status assay_policy_set_measurements(struct assay_policy *policy, const void *json, size_t len)
{
	struct assay_err err;

	if (begin(policy, json, &err) < 0 || assay_api_set_measurements(policy->api, json, len, &err) < 0)
		return failed(policy, &err);
	policy->has_measurements = true;
	return ASSAY_VERIFIED;
}

/* A number as people write it: digits, no more than it takes. */
static int read_number(const char *name, const char *value, unsigned max, unsigned *ret, struct assay_err *err)
{
	const size_t n = strlen(value);
	const unsigned v = n < 6 ? (unsigned)strtoul(value, NULL, 10) : max + 1;

	if (n < 1 || strspn(value, "0123456789") != n || (n > 1 && value[0] == '0') || v > max)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "%s: a number up to %u is wanted", name, max);
	*ret = v;
	return 0;
}

static int set_option(struct assay_api_policy *api, const char *name, const char *value, struct assay_err *err)
{
	unsigned v;

	if (strcmp(name, "name") == 0)
		return assay_api_set_name(api, value, err);
	if (strcmp(name, "platform") == 0)
		return assay_api_set_platform(api, value, err);
	if (strcmp(name, "phase") == 0)
		return assay_api_set_phase(api, value, err);
	if (strcmp(name, "state") == 0)
		return assay_api_set_state(api, value, err);
	if (strcmp(name, "ignore-pcr") == 0)
		return read_number(name, value, ASSAY_N_PCRS - 1, &v, err) < 0 ? -1 : assay_api_ignore_pcr(api, v, err);
	if (strcmp(name, "log-pcr") == 0)
		return read_number(name, value, ASSAY_N_PCRS - 1, &v, err) < 0 ? -1 : assay_api_set_log_pcr(api, v, err);
	if (strcmp(name, "threshold") != 0)
		return misused(err, "no such option");
	if (read_number(name, value, ASSAY_DSSE_MAX_SIGNATURES, &v, err) < 0)
		return -1;
	assay_api_set_threshold(api, v);
	return 0;
}

enum assay_status assay_policy_option(struct assay_policy *policy, const char *name, const char *value)
{
	struct assay_err err;

	if (begin(policy, name, &err) < 0 || begin(policy, value, &err) < 0 || set_option(policy->api, name, value, &err) < 0)
		return failed(policy, &err);
	return ASSAY_VERIFIED;
}

/* What `assay verify` would call a usage mistake. */
static int check_complete(const struct assay_policy *p, struct assay_err *err)
{
	if (!p->n_manifests && !p->has_measurements)
		return misused(err, "no manifest says what is expected");
	if (p->n_manifests && p->has_measurements)
		return misused(err, "manifests, and values of an old proof: one or the other");
	if (p->has_ca != p->has_identity)
		return misused(err, "a CA of signers and their identities belong together");
	if (p->n_manifests && !p->has_key && !p->has_ca)
		return misused(err, "nobody who may sign manifests: no key, and no CA");
	if (!p->has_trust)
		return misused(err, "no anchors of attestation keys");
	return 0;
}

enum assay_status assay_policy_seal(struct assay_policy *policy)
{
	struct assay_err err;

	if (begin(policy, "", &err) < 0)
		return failed(policy, &err);
	if (policy->broken != ASSAY_VERIFIED) {
		memcpy(policy->error, policy->first_error, sizeof(policy->error));
		return policy->broken;
	}
	if (check_complete(policy, &err) < 0)
		return failed(policy, &err);
	for (size_t i = 0; i < policy->n_manifests; i++) {
		const int64_t at = policy->has_time ? policy->at : assay_clock_now();

		if (assay_api_add_manifest(policy->api, policy->manifests[i].p, policy->manifests[i].len, at, &err) < 0)
			return failed(policy, &err);
	}
	drop_manifests(policy);
	policy->sealed = true;
	return ASSAY_VERIFIED;
}
