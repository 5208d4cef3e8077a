/* SPDX-License-Identifier: Apache-2.0 */
/* --expect K=V. */
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "verify/policy.h"

static const struct {
	const char *key;
	bool named;
} forms[ASSAY_N_EXPECTS] = {
	[ASSAY_EXPECT_ROOT_HASH] = { "root_hash", false }, [ASSAY_EXPECT_CONTAINER] = { "container", true },
	[ASSAY_EXPECT_INPUT] = { "input", true },	   [ASSAY_EXPECT_OUTPUT] = { "output", true },
	[ASSAY_EXPECT_WEIGHTS] = { "weights", true },	   [ASSAY_EXPECT_CODE] = { "code", true },
	[ASSAY_EXPECT_CONFIGURATION] = { "configuration", true }, [ASSAY_EXPECT_TLS] = { "tls", false },
	[ASSAY_EXPECT_MANIFEST] = { "manifest", false },
};

void assay_expected_clear(struct assay_expected *e)
{
	free(e->name);
	free(e->value);
	*e = (struct assay_expected){ 0 };
}

static int check_value(const struct assay_expected *e, struct assay_err *err)
{
	char hex[ASSAY_HEX_MAX];
	enum assay_bank bank;
	const size_t n = strlen(e->value);

	if (e->what == ASSAY_EXPECT_MANIFEST)
		return n ? 0 : assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "manifest= wants a name");
	if (e->what == ASSAY_EXPECT_ROOT_HASH) {
		if ((n == 64 || n == 96 || n == 128) && strspn(e->value, "0123456789abcdef") == n)
			return 0;
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "root_hash= wants lower-case hex, as veritysetup writes it");
	}
	if (!assay_runtime_hash(e->value, &bank, hex) || (strncmp(e->value, "sha256:", 7) != 0 && strncmp(e->value, "sha1:", 5) != 0) ||
	    (bank == ASSAY_SHA1 && e->what != ASSAY_EXPECT_INPUT) || (e->fsverity && e->what != ASSAY_EXPECT_WEIGHTS))
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "%s wants sha256:HEX%s", forms[e->what].key,
				  e->what == ASSAY_EXPECT_INPUT	  ? " or sha1:HEX" :
				  e->what == ASSAY_EXPECT_WEIGHTS ? " or fsverity:sha256:HEX" :
								    "");
	return 0;
}

int assay_expected_parse(const char *text, struct assay_expected *ret, struct assay_err *err)
{
	/* Paths may have a '=' in them, digests have none. */
	const char *equals = strrchr(text, '='), *colon = strchr(text, ':');
	struct assay_expected e = { 0 };
	size_t key;

	if (!equals)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "no '=' in it");
	key = colon && colon < equals ? (size_t)(colon - text) : (size_t)(equals - text);
	for (e.what = 0; e.what < ASSAY_N_EXPECTS; e.what++)
		if (strlen(forms[e.what].key) == key && strncmp(forms[e.what].key, text, key) == 0)
			break;
	if (e.what == ASSAY_N_EXPECTS)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET,
				  "it begins with none of root_hash, container, input, output, weights, code, configuration, tls, manifest");
	if (forms[e.what].named != (text + key < equals) || (forms[e.what].named && text + key + 1 == equals))
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "%s", forms[e.what].named ? "it wants KIND:NAME=VALUE" : "it wants KEY=VALUE");
	e.name = forms[e.what].named ? strndup(text + key + 1, (size_t)(equals - text) - key - 1) : strdup("");
	e.fsverity = strncmp(equals + 1, "fsverity:", 9) == 0;
	e.value = strdup(equals + 1 + (e.fsverity ? 9 : 0));
	if (!e.name || !e.value) {
		assay_expected_clear(&e);
		return assay_fail_mem(err);
	}
	if (check_value(&e, err) < 0) {
		assay_expected_clear(&e);
		return -1;
	}
	*ret = e;
	return 0;
}
