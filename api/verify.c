/* SPDX-License-Identifier: Apache-2.0 */
#include "api/verify.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "api/verify_priv.h"
#include "core/limits.h"
#include "core/ossl.h"
#include "core/text.h"
#include "manifest/releases.h"

int assay_api_policy_new(struct assay_api_policy **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_api_policy) *p = calloc(1, sizeof(*p));

	if (!p)
		return assay_fail_mem(err);
	p->anchors = assay_anchors_new();
	if (!p->anchors)
		return assay_fail_mem(err);
	p->policy.log_pcr = -1;
	*ret = assay_steal(&p);
	return 0;
}

void assay_api_policy_free(struct assay_api_policy **pp)
{
	struct assay_api_policy *p = pp ? assay_steal(pp) : NULL;

	if (!p)
		return;
	for (size_t i = 0; i < p->n_boots; i++) {
		struct assay_prediction *prediction = (struct assay_prediction *)(uintptr_t)p->boots[i].prediction;

		assay_prediction_free(&prediction);
	}
	for (size_t i = 0; i < p->n_manifests; i++) {
		struct assay_api_manifest *m = &p->manifests[i];

		for (size_t k = 0; k < m->n_containers; k++)
			free(m->names[k]);
		free(m->names);
		free(m->containers);
		free(m->disks);
		free(m->refused);
		assay_verdict_free(&m->verdict);
	}
	for (size_t i = 0; i < p->n_keys; i++)
		assay_key_free(&p->keys[i]);
	for (size_t i = 0; i < p->n_identities; i++)
		free(p->identities[i]);
	for (size_t i = 0; i < p->n_expected; i++)
		assay_expected_clear(&p->expected[i]);
	free(p->boots);
	free(p->manifests);
	free(p->keys);
	free(p->identities);
	free(p->expected);
	free(p->values);
	free(p->name);
	free(p->platform);
	free(p->state);
	free(p->phase);
	assay_ca_free(&p->ca);
	assay_anchors_free(&p->anchors);
	free(p);
}

/* Room for one more; false without memory. */
static bool room(void **list, size_t n, size_t size)
{
	void *more = realloc(*list, (n + 1) * size);

	if (more)
		*list = more;
	return more != NULL;
}

static int set_text(char **into, const char *text, struct assay_err *err)
{
	char *copy = assay_strdup(text);

	if (!copy)
		return assay_fail_mem(err);
	free(*into);
	*into = copy;
	return 0;
}

/* --- who may sign ------------------------------------------------------------------------------------ */

static int take_key(struct assay_api_policy *p, struct assay_key *key, struct assay_err *err)
{
	if (!room((void **)&p->keys, p->n_keys, sizeof(struct assay_key *))) {
		assay_key_free(&key);
		return assay_fail_mem(err);
	}
	p->keys[p->n_keys++] = key;
	return 0;
}

int assay_api_add_key(struct assay_api_policy *p, const char *uri, struct assay_err *err)
{
	struct assay_key *key = NULL;

	return assay_key_load(uri, &key, err) < 0 ? -1 : take_key(p, key, err);
}

int assay_api_add_key_mem(struct assay_api_policy *p, const void *bytes, size_t len, struct assay_err *err)
{
	const unsigned char *at = bytes;
	struct assay_key *key = NULL;
	EVP_PKEY *pkey = NULL;
	int r;

	if (len > ASSAY_KEY_MAX_FILE)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "a key of %zu bytes", len);
	ERR_clear_error();
	if (len > 0 && at[0] == 0x30) {
		pkey = d2i_PUBKEY_ex(NULL, &at, (long)len, assay_ossl_lib(), NULL);
		if (pkey && at != (const unsigned char *)bytes + len) {
			EVP_PKEY_free(pkey);
			pkey = NULL;
		}
	} else {
		BIO *bio = BIO_new_mem_buf(bytes, (int)len);

		pkey = bio ? PEM_read_bio_PUBKEY_ex(bio, NULL, NULL, NULL, assay_ossl_lib(), NULL) : NULL;
		BIO_free(bio);
	}
	if (!pkey)
		return assay_fail_openssl(err, "no public key");
	r = assay_key_of(pkey, &key, err);
	EVP_PKEY_free(pkey);
	return r < 0 ? -1 : take_key(p, key, err);
}

int assay_api_set_ca(struct assay_api_policy *p, const char *path, struct assay_err *err)
{
	struct assay_ca *ca = NULL;

	if (assay_ca_load(path, &ca, err) < 0)
		return -1;
	assay_ca_free(&p->ca);
	p->ca = ca;
	return 0;
}

int assay_api_set_ca_mem(struct assay_api_policy *p, const char *pem, size_t len, struct assay_err *err)
{
	struct assay_ca *ca = NULL;

	if (assay_ca_parse(pem, len, &ca, err) < 0)
		return -1;
	assay_ca_free(&p->ca);
	p->ca = ca;
	return 0;
}

int assay_api_add_identity(struct assay_api_policy *p, const char *name, struct assay_err *err)
{
	char *copy = assay_strdup(name);

	if (!copy || !room((void **)&p->identities, p->n_identities, sizeof(char *))) {
		free(copy);
		return assay_fail_mem(err);
	}
	p->identities[p->n_identities++] = copy;
	return 0;
}

void assay_api_set_min_release(struct assay_api_policy *p, uint64_t min_release)
{
	p->min_release = min_release;
}

void assay_api_set_threshold(struct assay_api_policy *p, unsigned threshold)
{
	p->threshold = threshold;
}

int assay_api_set_name(struct assay_api_policy *p, const char *name, struct assay_err *err)
{
	return assay_manifest_check_name(name, err) < 0 ? -1 : set_text(&p->name, name, err);
}

int assay_api_set_platform(struct assay_api_policy *p, const char *platform, struct assay_err *err)
{
	return set_text(&p->platform, platform, err);
}

int assay_api_set_state(struct assay_api_policy *p, const char *path, struct assay_err *err)
{
	return set_text(&p->state, path, err);
}

/* --- manifests ----------------------------------------------------------------------------------------- */

/* An image's name as container_measurements.json lists it (measure/container/measurements.c). */
static char *listed_name(const char *name)
{
	static const char *const hosts[] = { "docker.io/library/", "localhost/" };

	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		if (strncmp(name, hosts[i], strlen(hosts[i])) == 0)
			return assay_asprintf("@local/%s", name + strlen(hosts[i]));
	return assay_asprintf("@local/%s", name);
}

static int add_container(struct assay_api_manifest *m, const char *name, const char *id, struct assay_err *err)
{
	char *listed = listed_name(name);

	if (!listed || !room((void **)&m->names, m->n_containers, sizeof(char *)) ||
	    !room((void **)&m->containers, m->n_containers, sizeof(*m->containers))) {
		free(listed);
		return assay_fail_mem(err);
	}
	m->names[m->n_containers] = listed;
	m->containers[m->n_containers++] = (struct assay_known_container){ listed, id };
	return 0;
}

/* Images of the OS disk and of the data disks, each under each of its names. */
static int add_containers(struct assay_api_manifest *m, struct assay_err *err)
{
	const struct assay_manifest *read = m->verdict->manifest;

	for (size_t d = 0; d <= assay_json_len(read->data); d++) {
		const struct assay_json *of = d == 0 ? read->facts : assay_json_at(read->data, d - 1);
		const struct assay_json *list = assay_json_get(of, "containers");

		for (size_t i = 0; i < assay_json_len(list); i++) {
			const struct assay_json *names = assay_json_get(assay_json_at(list, i), "names");
			const char *id = assay_json_str(assay_json_get(assay_json_at(list, i), "image_id"));

			for (size_t k = 0; id && k < assay_json_len(names); k++) {
				const char *name = assay_json_str(assay_json_at(names, k));

				if (name && add_container(m, name, id, err) < 0)
					return -1;
			}
		}
	}
	return 0;
}

static int add_disks(struct assay_api_manifest *m, struct assay_err *err)
{
	const struct assay_json *data = m->verdict->manifest->data;

	for (size_t d = 0; d < assay_json_len(data); d++) {
		const struct assay_json *list = assay_json_get(assay_json_at(data, d), "verity");

		for (size_t i = 0; i < assay_json_len(list); i++) {
			const char *hash = assay_json_str(assay_json_get(assay_json_at(list, i), "root_hash"));

			if (!hash || !*hash)
				continue;
			if (!room((void **)&m->disks, m->n_disks, sizeof(*m->disks)))
				return assay_fail_mem(err);
			m->disks[m->n_disks++] = hash;
		}
	}
	return 0;
}

static int add_boots(struct assay_api_policy *p, struct assay_api_manifest *m, struct assay_err *err)
{
	const struct assay_manifest *read = m->verdict->manifest;

	for (size_t i = 0; i < assay_json_len(read->predictions); i++) {
		const struct assay_json *json = assay_json_at(read->predictions, i);
		const char *platform = assay_manifest_platform(json);
		struct assay_prediction *prediction = NULL;

		if (p->platform && strcmp(p->platform, platform) != 0)
			continue;
		if (assay_prediction_parse(json, &prediction, err) < 0)
			return assay_wrap(err, "manifest: prediction for %s", platform);
		if (!room((void **)&p->boots, p->n_boots, sizeof(*p->boots))) {
			assay_prediction_free(&prediction);
			return assay_fail_mem(err);
		}
		p->boots[p->n_boots++] = (struct assay_expectation){
			.name = read->name,
			.release = read->release,
			.platform = platform,
			.not_before = read->not_before,
			.expires = read->expires,
			.prediction = prediction,
			.facts = read->facts,
			.containers = m->containers,
			.n_containers = m->n_containers,
			.disks = m->disks,
			.n_disks = m->n_disks,
			.refused = m->refused,
			.manifest = p->n_manifests,
		};
	}
	return 0;
}

/* Its validity is judged with each proof. */
static bool is_about_time(enum assay_refusal refusal)
{
	return refusal == ASSAY_REFUSED_EARLY || refusal == ASSAY_REFUSED_EXPIRED;
}

/* m is in the policy's list already, and goes with it. */
static int fill(struct assay_api_policy *p, struct assay_api_manifest *m, struct assay_err *err)
{
	const struct assay_verdict *v = m->verdict;

	if (v->refusal != ASSAY_REFUSED_NOT && !is_about_time(v->refusal)) {
		m->refused = assay_asprintf("%s: %s", assay_refusal_name(v->refusal), v->reason);
		if (!m->refused)
			return assay_fail_mem(err);
	}
	/* One whose signatures do not suffice has not been looked into. */
	if (!v->manifest)
		return 0;
	if (add_containers(m, err) < 0 || add_disks(m, err) < 0 || add_boots(p, m, err) < 0)
		return -1;
	return 0;
}

int assay_api_add_manifest(struct assay_api_policy *p, const char *text, size_t len, int64_t at, struct assay_err *err)
{
	const struct assay_verify_policy who = {
		.keys = (const struct assay_key *const *)p->keys,
		.n_keys = p->n_keys,
		.ca = p->ca,
		.identities = (const char *const *)p->identities,
		.n_identities = p->n_identities,
		.threshold = p->threshold ? p->threshold : 1,
		.name = p->name,
		.min_release = p->min_release,
		.at = at,
	};
	struct assay_api_manifest m = { 0 };

	if (p->n_keys + p->n_identities == 0)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "nobody has been named who may sign manifests");
	if (!p->ca != (p->n_identities == 0))
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "a CA and the names of those whom it certifies belong together");
	if (p->values)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "either manifests or a list of measurements");
	if (assay_manifest_verify(text, len, &who, &m.verdict, err) < 0)
		return -1;
	if (!room((void **)&p->manifests, p->n_manifests, sizeof(m))) {
		assay_verdict_free(&m.verdict);
		return assay_fail_mem(err);
	}
	p->manifests[p->n_manifests] = m;
	const size_t n_boots = p->n_boots;
	const int r = fill(p, &p->manifests[p->n_manifests], err);

	p->n_manifests++;
	if (r < 0) {
		/* What has been taken of it goes with the policy; nothing matches it. */
		while (p->n_boots > n_boots) {
			struct assay_prediction *prediction = (struct assay_prediction *)(uintptr_t)p->boots[--p->n_boots].prediction;

			assay_prediction_free(&prediction);
		}
		return -1;
	}
	if (p->platform && p->n_boots == n_boots && p->manifests[p->n_manifests - 1].verdict->manifest)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "the manifest has no prediction for platform %s", p->platform);
	return 0;
}

size_t assay_api_n_manifests(const struct assay_api_policy *p)
{
	return p->n_manifests;
}

const char *assay_api_manifest_refused(const struct assay_api_policy *p, size_t manifest)
{
	return manifest < p->n_manifests ? p->manifests[manifest].refused : NULL;
}

/* --- an old proof's list of values --------------------------------------------------------------------- */

struct reading {
	struct assay_pcrs *values;
	struct assay_err *err;
};

static int read_value(const char *key, const struct assay_json *value, void *arg)
{
	struct reading *r = arg;
	const char *hex = assay_json_str(value);
	char *end;
	unsigned long pcr;

	pcr = strlen(key) <= 2 && *key >= '0' && *key <= '9' ? strtoul(key, &end, 10) : ASSAY_N_PCRS;
	if (pcr >= ASSAY_N_PCRS || *end)
		return assay_fail(r->err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "measurements: \"%.40s\" is no PCR", key);
	for (int b = ASSAY_SHA256; hex && b < ASSAY_N_BANKS; b++) {
		const enum assay_bank bank = (enum assay_bank)b;

		if (!assay_unhex(hex, strlen(hex), r->values->v[b][pcr], assay_bank_size(bank)))
			continue;
		r->values->banks |= ASSAY_BANK_BIT(b);
		r->values->have[b] |= 1U << pcr;
		return 0;
	}
	return assay_fail(r->err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "measurements: PCR %lu is not the hex of SHA-256 or a longer digest", pcr);
}

int assay_api_set_measurements(struct assay_api_policy *p, const char *text, size_t len, struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *o = NULL;
	ASSAY_AUTO_FREE struct assay_pcrs *values = calloc(1, sizeof(*values));
	struct reading r = { values, err };

	if (!values)
		return assay_fail_mem(err);
	if (p->n_manifests || p->values)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "one list of measurements, and no manifest beside it");
	if (assay_json_parse(text, len, &o, err) < 0)
		return -1;
	const struct assay_json *list = assay_json_get(o, "measurements");
	if (!assay_json_is_object(list) || assay_json_len(list) == 0)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "no \"measurements\" with PCRs in it");
	if (assay_json_each(list, read_value, &r) != 0)
		return -1;
	if (!room((void **)&p->boots, 0, sizeof(*p->boots)))
		return assay_fail_mem(err);
	p->boots[0] = (struct assay_expectation){ .values = values };
	p->n_boots = 1;
	p->values = assay_steal(&values);
	return 0;
}

int assay_api_set_log_pcr(struct assay_api_policy *p, unsigned pcr, struct assay_err *err)
{
	/* Those from 17 to 22 begin with ones, or belong to a dynamic launch. */
	if (pcr >= ASSAY_N_PCRS || (pcr >= 17 && pcr <= 22))
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "no event log goes into PCR %u", pcr);
	p->policy.log_pcr = (int)pcr;
	return 0;
}

/* --- the rest -------------------------------------------------------------------------------------------- */

int assay_api_add_trust(struct assay_api_policy *p, const char *path, struct assay_err *err)
{
	return assay_anchors_load(p->anchors, path, err);
}

int assay_api_add_trust_mem(struct assay_api_policy *p, const void *bytes, size_t len, struct assay_err *err)
{
	return assay_anchors_add(p->anchors, "trust", bytes, len, err);
}

int assay_api_expect(struct assay_api_policy *p, const char *text, struct assay_err *err)
{
	struct assay_expected e;

	if (p->n_expected >= ASSAY_EXPECT_MAX)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "more than %u expectations", ASSAY_EXPECT_MAX);
	if (assay_expected_parse(text, &e, err) < 0)
		return -1;
	if (!room((void **)&p->expected, p->n_expected, sizeof(e))) {
		assay_expected_clear(&e);
		return assay_fail_mem(err);
	}
	p->expected[p->n_expected++] = e;
	return 0;
}

int assay_api_ignore_pcr(struct assay_api_policy *p, unsigned pcr, struct assay_err *err)
{
	if (pcr >= ASSAY_PREDICTED_PCRS)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "PCR %u is not judged in any case", pcr);
	p->policy.ignored |= 1U << pcr;
	return 0;
}

int assay_api_set_phase(struct assay_api_policy *p, const char *phase, struct assay_err *err)
{
	return set_text(&p->phase, phase, err);
}

/* --- checking ---------------------------------------------------------------------------------------------- */

/* Manifests that nothing could match say why, where nothing did. */
static void tell_refused(const struct assay_api_policy *p, struct assay_proof_verdict *v)
{
	for (size_t i = 0; i < p->n_manifests && !v->matched; i++)
		if (p->manifests[i].refused && !p->manifests[i].verdict->manifest)
			assay_proof_refuse(v, ASSAY_STEP_BOOT, ASSAY_PROOF_MANIFEST, "manifest %zu: %s", i + 1, p->manifests[i].refused);
}

/* The release that a machine was found to run, against those that were accepted before. */
static int accept(const struct assay_api_policy *p, struct assay_proof_verdict *v, struct assay_err *err)
{
	struct assay_verdict copy;
	bool is_new;

	if (!p->state || !assay_proof_verified(v) || !v->boot->prediction)
		return 0;
	copy = *p->manifests[v->boot->manifest].verdict;
	copy.refusal = ASSAY_REFUSED_NOT;
	if (assay_releases_accept(p->state, &copy, &is_new, err) < 0)
		return assay_wrap(err, "%s", p->state);
	if (copy.refusal != ASSAY_REFUSED_NOT)
		assay_proof_refuse(v, ASSAY_STEP_BOOT, ASSAY_PROOF_MANIFEST, "the manifest of %s, release %" PRIu64 ": %s: %s", v->boot->name,
				   v->boot->release, assay_refusal_name(copy.refusal), copy.reason);
	return 0;
}

int assay_api_verify(const struct assay_api_policy *p, const char *proof, size_t len, const struct assay_proof_request *request,
		     struct assay_proof_verdict **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_proof_verdict) *v = NULL;
	struct assay_proof_policy policy = p->policy;

	policy.anchors = p->anchors;
	policy.boots = p->boots;
	policy.n_boots = p->n_boots;
	policy.expected = p->expected;
	policy.n_expected = p->n_expected;
	policy.phase = p->phase;
	if (assay_proof_judge(proof, len, &policy, request, &v, err) < 0)
		return -1;
	if (v->reached == ASSAY_STEP_RUNTIME)
		tell_refused(p, v);
	if (accept(p, v, err) < 0)
		return -1;
	if (v->oom)
		return assay_fail_mem(err);
	*ret = assay_steal(&v);
	return 0;
}
