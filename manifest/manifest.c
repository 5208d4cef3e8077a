/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a manifest. */
#include "manifest/manifest.h"

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/limits.h"
#include "core/text.h"

void assay_manifest_free(struct assay_manifest **mp)
{
	struct assay_manifest *m = mp ? assay_steal(mp) : NULL;

	if (!m)
		return;
	assay_json_free(&m->statement);
	free(m);
}

/* A member that says what this is; other versions are refused by name. */
static int expect(const struct assay_json *o, const char *key, const char *value, struct assay_err *err)
{
	const char *s = assay_json_str(assay_json_get(o, key));

	if (!s)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "manifest: no \"%s\"", key);
	if (strcmp(s, value) != 0)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "manifest: %s is \"%.80s\", not \"%s\"",
				  key, s, value);
	return 0;
}

static int missing(const char *what, struct assay_err *err)
{
	return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "manifest: %s", what);
}

static int read_validity(const struct assay_json *o, struct assay_manifest *m, struct assay_err *err)
{
	const char *from = assay_json_str(assay_json_get(o, "notBefore"));
	const char *until = assay_json_str(assay_json_get(o, "expires"));

	if (!from || !until)
		return missing("no validity with notBefore and expires", err);
	if (assay_clock_parse(from, &m->not_before, err) < 0)
		return assay_wrap(err, "manifest: notBefore");
	if (assay_clock_parse(until, &m->expires, err) < 0)
		return assay_wrap(err, "manifest: expires");
	if (m->expires <= m->not_before)
		return missing("it expires before it is valid", err);
	return 0;
}

static int read_subject(const struct assay_json *subject, struct assay_err *err)
{
	if (assay_json_len(subject) == 0 || !assay_json_is_array(subject))
		return missing("no subject", err);
	for (size_t i = 0; i < assay_json_len(subject); i++) {
		const struct assay_json *s = assay_json_at(subject, i);

		if (!assay_json_str(assay_json_get(s, "name")) || assay_json_len(assay_json_get(s, "digest")) == 0)
			return missing("a subject without name or digest", err);
	}
	return 0;
}

const char *assay_manifest_platform(const struct assay_json *prediction)
{
	return assay_json_str(assay_json_get(assay_json_get(prediction, "platform"), "name"));
}

static int read_predictions(const struct assay_json *list, struct assay_err *err)
{
	if (assay_json_len(list) == 0 || !assay_json_is_array(list))
		return missing("no predictions", err);
	for (size_t i = 0; i < assay_json_len(list); i++) {
		const char *name = assay_manifest_platform(assay_json_at(list, i));

		if (!name)
			return missing("a prediction without the name of its platform", err);
		for (size_t k = 0; k < i; k++)
			if (strcmp(name, assay_manifest_platform(assay_json_at(list, k))) == 0)
				return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET,
						  "manifest: two predictions for platform %s", name);
	}
	return 0;
}

static int read_predicate(const struct assay_json *o, struct assay_manifest *m, struct assay_err *err)
{
	int64_t release;

	if (expect(o, "schema", ASSAY_MANIFEST_SCHEMA, err) < 0)
		return -1;
	m->name = assay_json_str(assay_json_get(o, "name"));
	if (!m->name)
		return missing("no name", err);
	if (assay_manifest_check_name(m->name, err) < 0) {
		err->code = ASSAY_E_CORRUPT;
		return assay_wrap(err, "manifest");
	}
	if (!assay_json_get_int(assay_json_get(o, "release"), &release) || release < 1)
		return missing("no release number", err);
	m->release = (uint64_t)release;
	if (read_validity(assay_json_get(o, "validity"), m, err) < 0)
		return -1;
	m->facts = assay_json_get(o, "facts");
	m->data = assay_json_get(o, "data");
	m->predictions = assay_json_get(o, "predictions");
	if (!assay_json_is_object(m->facts))
		return missing("no facts", err);
	if (!assay_json_is_array(m->data))
		return missing("no list of data disks", err);
	return read_predictions(m->predictions, err);
}

int assay_manifest_parse(const char *text, size_t len, struct assay_manifest **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_manifest) *m = calloc(1, sizeof(*m));
	struct assay_err own;

	err = err ? err : &own;
	if (!m)
		return assay_fail_mem(err);
	if (len > ASSAY_MANIFEST_MAX)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "manifest: %zu bytes, limit %u", len,
				  ASSAY_MANIFEST_MAX);
	if (assay_json_parse(text, len, &m->statement, err) < 0)
		return assay_wrap(err, "manifest");
	if (expect(m->statement, "_type", ASSAY_STATEMENT_TYPE, err) < 0 ||
	    expect(m->statement, "predicateType", ASSAY_MANIFEST_TYPE, err) < 0)
		return -1;
	m->subject = assay_json_get(m->statement, "subject");
	m->predicate = assay_json_get(m->statement, "predicate");
	if (read_predicate(m->predicate, m, err) < 0 || read_subject(m->subject, err) < 0)
		return -1;
	*ret = assay_steal(&m);
	return 0;
}

int assay_manifest_of(const struct assay_envelope *env, struct assay_manifest **ret, struct assay_err *err)
{
	if (strcmp(env->payload_type, ASSAY_INTOTO_PAYLOAD) != 0)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "DSSE envelope: payloadType is \"%.80s\", not \"%s\"", env->payload_type,
				  ASSAY_INTOTO_PAYLOAD);
	return assay_manifest_parse((const char *)env->payload, env->payload_len, ret, err);
}

int assay_manifest_load(const char *path, struct assay_manifest **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_envelope) *env = NULL;

	if (assay_envelope_load(path, &env, err) < 0)
		return -1;
	return assay_manifest_of(env, ret, err);
}

/* "q35-ovmf-2022.11, gcp" */
static char *platform_names(const struct assay_manifest *m)
{
	struct assay_str s = { 0 };

	for (size_t i = 0; i < assay_json_len(m->predictions); i++)
		assay_str_add(&s, "%s%s", i ? ", " : "", assay_manifest_platform(assay_json_at(m->predictions, i)));
	return assay_str_steal(&s);
}

int assay_manifest_prediction(const struct assay_manifest *m, const char *platform, struct assay_prediction **ret,
			      const struct assay_json **ret_json, struct assay_err *err)
{
	const size_t n = assay_json_len(m->predictions);
	const struct assay_json *found = !platform && n == 1 ? assay_json_at(m->predictions, 0) : NULL;

	for (size_t i = 0; platform && i < n; i++)
		if (strcmp(assay_manifest_platform(assay_json_at(m->predictions, i)), platform) == 0)
			found = assay_json_at(m->predictions, i);
	if (!found) {
		ASSAY_AUTO_FREE char *names = platform_names(m);

		if (!names)
			return assay_fail_mem(err);
		if (!platform)
			return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET,
					  "the manifest is for several platforms, name one: %s", names);
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
				  "the manifest has no prediction for platform %s, but for %s", platform, names);
	}
	if (assay_prediction_parse(found, ret, err) < 0)
		return assay_wrap(err, "manifest: prediction for %s", assay_manifest_platform(found));
	if (ret_json)
		*ret_json = found;
	return 0;
}
