/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/config.h"

#include <stdlib.h>
#include <string.h>

#include "attest/serve.h"
#include "core/limits.h"
#include "core/src.h"
#include "core/text.h"
#include "core/yaml.h"

static const char *const sources[] = { "azure", "gcp", "ek", "handle" };

const char *assay_ak_source_name(enum assay_ak_source source)
{
	return sources[source];
}

void assay_agent_config_free(struct assay_agent_config **p)
{
	struct assay_agent_config *c = p ? assay_steal(p) : NULL;

	if (!c)
		return;
	free(c->tcti);
	free(c->certificates);
	free(c->log);
	free(c->firmware_log);
	free(c->containers);
	free(c->manifest);
	for (size_t i = 0; i < c->n_tls_names; i++)
		free(c->tls_names[i]);
	free(c->tls_names);
	free(c->tls_certificate);
	free(c->tls_key);
	free(c->listen);
	free(c);
}

/* --- defaults ----------------------------------------------------------------------------------- */

static const unsigned default_plan[] = {
	[ASSAY_RUN_DISK] = 15,	       [ASSAY_RUN_SENTINEL] = 15,     [ASSAY_RUN_TLS] = 15,
	[ASSAY_RUN_REQUEST] = 14,      [ASSAY_RUN_CONTAINER] = 14,    [ASSAY_RUN_CODE] = 14,
	[ASSAY_RUN_WEIGHTS_FILE] = 14, [ASSAY_RUN_WEIGHTS_TREE] = 14, [ASSAY_RUN_INPUT] = 14,
	[ASSAY_RUN_CONFIGURATION] = 14, [ASSAY_RUN_OUTPUTS] = 8,      [ASSAY_RUN_TIMING] = 8,
	[ASSAY_RUN_COMPUTE] = 8,
};

static int fill(char **text, const char *value, struct assay_err *err)
{
	if (!*text)
		*text = assay_strdup(value);
	return *text ? 0 : assay_fail_mem(err);
}

/* What the file leaves out. */
static int fill_defaults(struct assay_agent_config *c, struct assay_err *err)
{
	if (fill(&c->tcti, "device:/dev/tpmrm0", err) < 0 || fill(&c->log, "/run/assay/runtime.cel", err) < 0 ||
	    fill(&c->tls_certificate, "/run/assay/tls/cert.pem", err) < 0 ||
	    fill(&c->tls_key, "/run/assay/tls/key.pem", err) < 0 || fill(&c->listen, "127.0.0.1:8081", err) < 0)
		return -1;
	if (c->n_tls_names > 0)
		return 0;
	c->tls_names = calloc(1, sizeof(*c->tls_names));
	if (!c->tls_names || fill(&c->tls_names[0], "localhost", err) < 0)
		return assay_fail_mem(err);
	c->n_tls_names = 1;
	return 0;
}

static struct assay_agent_config *new_config(void)
{
	struct assay_agent_config *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->banks = ASSAY_BANK_BIT(ASSAY_SHA256);
	memcpy(c->pcrs, default_plan, sizeof(c->pcrs));
	c->tls_owner = 65534;
	c->queue = ASSAY_SERVE_QUEUE;
	c->connections = ASSAY_SERVE_CONNECTIONS;
	c->max_age = ASSAY_SERVE_MAX_AGE;
	c->timeout = ASSAY_SERVE_TIMEOUT;
	return c;
}

int assay_agent_config_default(struct assay_agent_config **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_agent_config) *c = new_config();

	if (!c)
		return assay_fail_mem(err);
	if (fill_defaults(c, err) < 0)
		return -1;
	*ret = assay_steal(&c);
	return 0;
}

/* --- reading ------------------------------------------------------------------------------------ */

static int fail_at(struct assay_err *err, const struct assay_yaml *node, const char *what)
{
	return assay_fail(err, ASSAY_E_CORRUPT, node->at, "line %u: %s", node->line, what);
}

static int get_text(const struct assay_yaml *map, const char *key, char **ret, struct assay_err *err)
{
	const char *s;

	if (assay_yaml_str(map, key, false, &s, err) < 0)
		return -1;
	if (!s)
		return 0;
	if (!*s)
		return assay_fail(err, ASSAY_E_CORRUPT, assay_yaml_get(map, key)->at, "line %u: '%s' is empty",
				  assay_yaml_get(map, key)->line, key);
	*ret = assay_strdup(s);
	return *ret ? 0 : assay_fail_mem(err);
}

/* One that is written to or served from: where it lies must not hang on where the agent was started. */
static int get_path(const struct assay_yaml *map, const char *key, char **ret, struct assay_err *err)
{
	if (get_text(map, key, ret, err) < 0)
		return -1;
	if (*ret && (*ret)[0] != '/')
		return fail_at(err, assay_yaml_get(map, key), "a path has to begin with /");
	return 0;
}

/* A member that is a list of texts, at least one; NULL in *ret when it is not there. */
static int get_list(const struct assay_yaml *map, const char *key, const struct assay_yaml **ret, struct assay_err *err)
{
	const struct assay_yaml *list = assay_yaml_get(map, key);

	if (list && (list->kind != ASSAY_YAML_SEQ || list->n == 0))
		return assay_fail(err, ASSAY_E_CORRUPT, list->at, "line %u: '%s' has to be a list, and not empty", list->line, key);
	if (list && list->n > ASSAY_AGENT_MAX_NAMES)
		return assay_fail(err, ASSAY_E_LIMIT, list->at, "line %u: '%s' has %zu items, limit %u", list->line, key, list->n,
				  ASSAY_AGENT_MAX_NAMES);
	for (size_t i = 0; list && i < list->n; i++)
		if (list->items[i]->kind != ASSAY_YAML_SCALAR || !list->items[i]->scalar[0])
			return fail_at(err, list->items[i], "an item that is no text");
	*ret = list;
	return 0;
}

/* A mapping that may be left out. */
static int get_map(const struct assay_yaml *top, const char *key, const char *const *keys, const struct assay_yaml **ret,
		   struct assay_err *err)
{
	*ret = assay_yaml_get(top, key);
	return *ret ? assay_yaml_only(*ret, keys, key, err) : 0;
}

static int read_tpm(const struct assay_yaml *top, struct assay_agent_config *c, struct assay_err *err)
{
	static const char *const keys[] = { "tcti", "key", "handle", "certificates", NULL };
	const struct assay_yaml *map;
	const char *key = NULL;
	uint64_t handle = 0;
	unsigned i = 0;

	if (get_map(top, "tpm", keys, &map, err) < 0)
		return -1;
	if (!map)
		return 0;
	if (get_text(map, "tcti", &c->tcti, err) < 0 || get_text(map, "certificates", &c->certificates, err) < 0 ||
	    assay_yaml_str(map, "key", false, &key, err) < 0 ||
	    assay_yaml_uint(map, "handle", false, UINT32_MAX, &handle, err) < 0)
		return -1;
	if (key) {
		while (i < ASSAY_N_AK_SOURCES && strcmp(sources[i], key) != 0)
			i++;
		if (i == ASSAY_N_AK_SOURCES)
			return fail_at(err, assay_yaml_get(map, "key"), "a key is one of azure, gcp, ek, handle");
		c->has_key = true;
		c->key = (enum assay_ak_source)i;
	}
	/* TPM_HT_PERSISTENT */
	if (assay_yaml_get(map, "handle") && handle >> 24 != 0x81)
		return fail_at(err, assay_yaml_get(map, "handle"), "a persistent handle begins with 0x81");
	if (c->has_key && c->key == ASSAY_AK_HANDLE && handle == 0)
		return fail_at(err, map, "key: handle needs a 'handle'");
	c->handle = (uint32_t)handle;
	return 0;
}

static int read_banks(const struct assay_yaml *top, struct assay_agent_config *c, struct assay_err *err)
{
	const struct assay_yaml *list;
	unsigned banks = 0;

	if (get_list(top, "banks", &list, err) < 0)
		return -1;
	for (size_t i = 0; list && i < list->n; i++) {
		enum assay_bank bank;

		if (!assay_bank_from_name(list->items[i]->scalar, &bank) ||
		    strcmp(list->items[i]->scalar, assay_bank_name(bank)) != 0)
			return fail_at(err, list->items[i], "a bank is one of sha1, sha256, sha384, sha512");
		if (banks & ASSAY_BANK_BIT(bank))
			return fail_at(err, list->items[i], "a bank that is there twice");
		banks |= ASSAY_BANK_BIT(bank);
	}
	if (list)
		c->banks = banks;
	return 0;
}

static int read_plan(const struct assay_yaml *top, struct assay_agent_config *c, struct assay_err *err)
{
	const char *keys[ASSAY_N_RUNTIME_KINDS + 1] = { NULL };
	const struct assay_yaml *map;

	for (unsigned k = 0; k < ASSAY_N_RUNTIME_KINDS; k++)
		keys[k] = assay_runtime_plan_name((enum assay_runtime_kind)k);
	if (get_map(top, "pcrs", keys, &map, err) < 0)
		return -1;
	for (unsigned k = 0; map && k < ASSAY_N_RUNTIME_KINDS; k++) {
		uint64_t pcr = c->pcrs[k];

		/* 15: what a proof's quote goes up to. */
		if (assay_yaml_uint(map, keys[k], false, 15, &pcr, err) < 0)
			return -1;
		c->pcrs[k] = (unsigned)pcr;
	}
	/* One PCR's events have an order that the TPM vouches for; between two PCRs there is none. */
	if (c->pcrs[ASSAY_RUN_DISK] != c->pcrs[ASSAY_RUN_SENTINEL])
		return fail_at(err, map, "pcrs: disk and sentinel have to be one PCR, or the sentinel would close nothing");
	return 0;
}

static int read_tls(const struct assay_yaml *top, struct assay_agent_config *c, struct assay_err *err)
{
	static const char *const keys[] = { "names", "certificate", "key", "owner", NULL };
	const struct assay_yaml *map, *names;
	uint64_t owner = c->tls_owner;

	if (get_map(top, "tls", keys, &map, err) < 0)
		return -1;
	if (!map)
		return 0;
	/* The highest is -1, which chown() takes for "as it was". */
	if (get_list(map, "names", &names, err) < 0 || get_path(map, "certificate", &c->tls_certificate, err) < 0 ||
	    get_path(map, "key", &c->tls_key, err) < 0 ||
	    assay_yaml_uint(map, "owner", false, UINT32_MAX - 1, &owner, err) < 0)
		return -1;
	c->tls_owner = (uint32_t)owner;
	if (!names)
		return 0;
	c->tls_names = calloc(names->n, sizeof(*c->tls_names));
	if (!c->tls_names)
		return assay_fail_mem(err);
	for (; c->n_tls_names < names->n; c->n_tls_names++) {
		c->tls_names[c->n_tls_names] = assay_strdup(names->items[c->n_tls_names]->scalar);
		if (!c->tls_names[c->n_tls_names])
			return assay_fail_mem(err);
	}
	return 0;
}

static int read_count(const struct assay_yaml *map, const char *key, unsigned min, unsigned max, unsigned *ret,
		      struct assay_err *err)
{
	uint64_t v = *ret;

	if (assay_yaml_uint(map, key, false, max, &v, err) < 0)
		return -1;
	if (v < min)
		return assay_fail(err, ASSAY_E_CORRUPT, assay_yaml_get(map, key)->at, "line %u: '%s' is at least %u",
				  assay_yaml_get(map, key)->line, key, min);
	*ret = (unsigned)v;
	return 0;
}

static int read_serve(const struct assay_yaml *top, struct assay_agent_config *c, struct assay_err *err)
{
	static const char *const keys[] = { "listen", "queue", "connections", "max_age", "timeout", "attestation", NULL };
	const struct assay_yaml *map;
	const char *format = NULL;

	if (get_map(top, "serve", keys, &map, err) < 0)
		return -1;
	if (!map)
		return 0;
	if (get_text(map, "listen", &c->listen, err) < 0 ||
	    read_count(map, "queue", 1, ASSAY_AGENT_MAX_QUEUE, &c->queue, err) < 0 ||
	    read_count(map, "connections", ASSAY_SERVE_MIN_CONNECTIONS, ASSAY_AGENT_MAX_QUEUE, &c->connections, err) < 0 ||
	    read_count(map, "max_age", 1, ASSAY_SERVE_MAX_SECONDS, &c->max_age, err) < 0 ||
	    read_count(map, "timeout", 1, ASSAY_SERVE_MAX_SECONDS, &c->timeout, err) < 0 ||
	    assay_yaml_str(map, "attestation", false, &format, err) < 0)
		return -1;
	if (format && !assay_proof_format_from_name(format, &c->attestation))
		return fail_at(err, assay_yaml_get(map, "attestation"), "attestation is one of assay, aicert, blindllama");
	return 0;
}

int assay_agent_config_parse(const char *text, size_t len, struct assay_agent_config **ret, struct assay_err *err)
{
	static const char *const keys[] = { "schema", "tpm",	    "banks",	"log", "firmware_log", "pcrs",
					    "containers", "manifest", "tls", "serve", NULL };
	ASSAY_AUTO(assay_yaml) *top = NULL;
	ASSAY_AUTO(assay_agent_config) *c = NULL;
	const char *schema;

	if (assay_yaml_parse(text, len, &top, err) < 0 || assay_yaml_only(top, keys, "the agent's configuration", err) < 0 ||
	    assay_yaml_str(top, "schema", true, &schema, err) < 0)
		return -1;
	if (strcmp(schema, "assay.agent/1") != 0)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, assay_yaml_get(top, "schema")->at,
				  "line %u: the schema is not assay.agent/1", assay_yaml_get(top, "schema")->line);
	c = new_config();
	if (!c)
		return assay_fail_mem(err);
	if (read_tpm(top, c, err) < 0 || read_banks(top, c, err) < 0 || get_path(top, "log", &c->log, err) < 0 ||
	    get_path(top, "firmware_log", &c->firmware_log, err) < 0 || read_plan(top, c, err) < 0 ||
	    get_path(top, "containers", &c->containers, err) < 0 || get_text(top, "manifest", &c->manifest, err) < 0 ||
	    read_tls(top, c, err) < 0 || read_serve(top, c, err) < 0 || fill_defaults(c, err) < 0)
		return -1;
	*ret = assay_steal(&c);
	return 0;
}

int assay_agent_config_load(const char *path, struct assay_agent_config **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO_FREE uint8_t *text = NULL;

	if (!path)
		path = ASSAY_AGENT_CONFIG;
	if (assay_src_open_file(path, &src, err) < 0 ||
	    assay_src_read_alloc(src, 0, assay_src_size(src), ASSAY_YAML_MAX_FILE, &text, err) < 0 ||
	    assay_agent_config_parse((const char *)text, (size_t)assay_src_size(src), ret, err) < 0)
		return assay_wrap(err, "%s", path);
	return 0;
}
