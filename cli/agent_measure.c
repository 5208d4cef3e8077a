/* SPDX-License-Identifier: Apache-2.0 */
/* assay-agent measure: what needs no files hashed; the others are in agent_measure_files.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attest/dm.h"
#include "cli/agent_priv.h"
#include "core/limits.h"
#include "core/src.h"
#include "core/text.h"

/* --- events of one call ------------------------------------------------------------------------- */

void assay_events_clear(struct assay_events *events)
{
	for (size_t i = 0; i < events->n; i++)
		free(events->items[i].text);
	free(events->items);
	*events = (struct assay_events){ 0 };
}

void assay_events_add(struct assay_events *events, enum assay_runtime_kind kind, char *text)
{
	if (events->n == events->cap) {
		const size_t cap = events->cap ? 2 * events->cap : 16;
		struct assay_event_item *more = text ? realloc(events->items, cap * sizeof(*more)) : NULL;

		if (!more) {
			free(text);
			events->no_memory = true;
			return;
		}
		events->items = more;
		events->cap = cap;
	}
	events->no_memory |= !text;
	events->items[events->n++] = (struct assay_event_item){ kind, text };
}

int assay_events_add_content(struct assay_events *events, enum assay_runtime_kind kind, struct assay_json *content,
			     struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *owned = content;
	char *text = NULL;

	if (assay_runtime_text(kind, owned, &text, err) < 0)
		return -1;
	assay_events_add(events, kind, text);
	return 0;
}

static int measure_all(const struct assay_events *events, struct assay_agent_log *log, struct assay_err *err)
{
	for (size_t i = 0; i < events->n; i++) {
		const enum assay_runtime_kind kind = events->items[i].kind;
		const struct assay_runtime_event ev = { assay_runtime_carrier(kind), events->items[i].text,
							strlen(events->items[i].text) };
		ASSAY_AUTO_FREE char *words = NULL;

		if (assay_agent_measure(log, kind, &ev, err) < 0)
			return -1;
		words = assay_runtime_describe(&ev);
		printf("PCR %u\t%s\n", assay_agent_log_cel(log)->records[assay_agent_log_cel(log)->n - 1].pcr, words ? words : "");
	}
	return 0;
}

int assay_events_measure(struct assay_events *events, const char *config)
{
	/* In this order: the lock is given back last. */
	ASSAY_AUTO(assay_agent_log) *log = NULL;
	ASSAY_AUTO(assay_agent) *agent = NULL;
	struct assay_err err;
	int r;

	r = events->no_memory ? assay_fail_mem(&err) : 0;
	if (r == 0)
		r = assay_agent_open_locked(config, &agent, &err);
	if (r == 0)
		r = assay_agent_log_open_locked(agent->config, &agent->lock, agent->tpm, &log, &err);
	if (r == 0)
		r = measure_all(events, log, &err);
	assay_events_clear(events);
	return r < 0 ? assay_cli_fail(NULL, &err) : ASSAY_EXIT_OK;
}

/* --- calls -------------------------------------------------------------------------------------- */

/* Options --config, and one more that takes an argument where `more` is given. */
static bool options(const struct assay_verb *verb, int argc, char **argv, const char *more, const char **ret_config,
		    const char **ret_more)
{
	const struct option opts[] = {
		{ "config", required_argument, NULL, 'c' },
		{ more, required_argument, NULL, 'm' },
		{ 0 },
	};
	int ch;

	while ((ch = assay_cli_getopt(verb, argc, argv, "", opts)) != -1) {
		if (ch == 'c')
			*ret_config = optarg;
		else if (ch == 'm')
			*ret_more = optarg;
		else
			return false;
	}
	return true;
}

static int read_text(const char *path, char **ret, size_t *ret_len, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	uint8_t *text;

	if (assay_src_open_file(path, &src, err) < 0 ||
	    assay_src_read_alloc(src, 0, assay_src_size(src), ASSAY_RUNTIME_MAX_TEXT, &text, err) < 0)
		return -1;
	*ret = (char *)text;
	*ret_len = (size_t)assay_src_size(src);
	return 0;
}

int assay_cmd_measure_disk(const struct assay_verb *verb, int argc, char **argv)
{
	const char *config = NULL, *dm = NULL;
	struct assay_events events = { 0 };
	char hex[ASSAY_HEX_MAX];
	struct assay_err err;

	if (!options(verb, argc, argv, "dm", &config, &dm) || argc - optind != (dm ? 0 : 1))
		return assay_cli_usage(verb);
	if (dm && assay_dm_root_hash(dm, hex, &err) < 0)
		return assay_cli_fail(dm, &err);
	assay_events_add(&events, ASSAY_RUN_DISK, assay_strdup(dm ? hex : argv[optind]));
	return assay_events_measure(&events, config);
}

int assay_cmd_measure_sentinel(const struct assay_verb *verb, int argc, char **argv)
{
	struct assay_events events = { 0 };
	const char *config = NULL;

	if (!options(verb, argc, argv, NULL, &config, NULL) || argc != optind)
		return assay_cli_usage(verb);
	assay_events_add(&events, ASSAY_RUN_SENTINEL, assay_strdup(""));
	return assay_events_measure(&events, config);
}

/* --- containers --------------------------------------------------------------------------------- */

static int add_container(struct assay_events *events, const char *name, const char *id, struct assay_err *err)
{
	struct assay_json *content = assay_json_object(), *spec = assay_json_object(), *resolved = assay_json_object();

	assay_json_set_str(spec, "image_name", name);
	assay_json_set_str(resolved, "id", id);
	assay_json_set(content, "spec", spec);
	assay_json_set(content, "resolved", resolved);
	return assay_events_add_content(events, ASSAY_RUN_CONTAINER, content, err);
}

/* The list that the image has of its containers: of --list, or of the configuration. */
static int load_list(const char *path, const char *config_path, struct assay_json **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_agent_config) *config = NULL;
	ASSAY_AUTO(assay_json) *list = NULL;

	if (!path) {
		if (assay_agent_config_load(config_path, &config, err) < 0)
			return -1;
		path = config->containers;
		if (!path)
			return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET,
					  "the configuration has no 'containers', and no list is given");
	}
	if (assay_json_load(path, &list, err) < 0)
		return assay_wrap(err, "%s", path);
	if (!assay_json_is_object(list))
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "%s: no list of names and image IDs", path);
	*ret = assay_steal(&list);
	return 0;
}

int assay_cmd_measure_container(const struct assay_verb *verb, int argc, char **argv)
{
	const char *config = NULL, *list_path = NULL, *id;
	struct assay_events events = { 0 };
	ASSAY_AUTO(assay_json) *list = NULL;
	struct assay_err err;

	if (!options(verb, argc, argv, "list", &config, &list_path) || argc - optind != 2)
		return assay_cli_usage(verb);
	if (load_list(list_path, config, &list, &err) < 0)
		return assay_cli_fail(NULL, &err);
	id = assay_json_str(assay_json_get(list, argv[optind]));
	if (!id) {
		assay_fail(&err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "container %s is not in the list", argv[optind]);
		return assay_cli_fail(NULL, &err);
	}
	if (strcmp(id, argv[optind + 1]) != 0) {
		assay_fail(&err, ASSAY_E_MISMATCH, ASSAY_NO_OFFSET, "container %s is to be %s, not %s", argv[optind], id, argv[optind + 1]);
		assay_cli_fail(NULL, &err);
		return ASSAY_EXIT_MISMATCH;
	}
	if (add_container(&events, argv[optind], id, &err) < 0)
		return assay_cli_fail(NULL, &err);
	return assay_events_measure(&events, config);
}

struct adding {
	struct assay_events *events;
	struct assay_err *err;
};

static int add_listed(const char *name, const struct assay_json *value, void *arg)
{
	const struct adding *a = arg;
	const char *id = assay_json_str(value);

	if (!id)
		return assay_fail(a->err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "container %s: no image ID in the list", name);
	return add_container(a->events, name, id, a->err);
}

int assay_cmd_measure_containers(const struct assay_verb *verb, int argc, char **argv)
{
	const char *config = NULL, *list_path = NULL;
	struct assay_events events = { 0 };
	ASSAY_AUTO(assay_json) *list = NULL;
	struct assay_err err;
	struct adding adding = { &events, &err };

	if (!options(verb, argc, argv, NULL, &config, NULL) || argc - optind > 1)
		return assay_cli_usage(verb);
	if (argc > optind)
		list_path = argv[optind];
	if (load_list(list_path, config, &list, &err) < 0)
		return assay_cli_fail(NULL, &err);
	if (assay_json_each(list, add_listed, &adding) != 0) {
		assay_events_clear(&events);
		return assay_cli_fail(NULL, &err);
	}
	return assay_events_measure(&events, config);
}

/* --- texts and numbers -------------------------------------------------------------------------- */

/* The object goes into the event as it stands: what a job asked for is not written anew. */
static int request_text(const char *path, char **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *json = NULL;
	ASSAY_AUTO_FREE char *text = NULL;
	size_t len;

	if (read_text(path, &text, &len, err) < 0 || assay_json_parse_reals(text, len, &json, err) < 0)
		return -1;
	if (!assay_json_is_object(json))
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "a request has to be a JSON object");
	while (len > 0 && strchr(" \t\r\n", text[len - 1]))
		len--;
	*ret = assay_asprintf("{\"content\":%.*s,\"event_type\":\"build_request\"}", (int)len, text);
	return *ret ? 0 : assay_fail_mem(err);
}

int assay_cmd_measure_request(const struct assay_verb *verb, int argc, char **argv)
{
	struct assay_events events = { 0 };
	const char *config = NULL;
	struct assay_err err;
	char *text;

	if (!options(verb, argc, argv, NULL, &config, NULL) || argc - optind != 1)
		return assay_cli_usage(verb);
	if (request_text(argv[optind], &text, &err) < 0)
		return assay_cli_fail(argv[optind], &err);
	assay_events_add(&events, ASSAY_RUN_REQUEST, text);
	return assay_events_measure(&events, config);
}

static int measure_number(const struct assay_verb *verb, int argc, char **argv, enum assay_runtime_kind kind, const char *member)
{
	struct assay_events events = { 0 };
	const char *config = NULL;
	struct assay_json *content;
	struct assay_err err;

	if (!options(verb, argc, argv, NULL, &config, NULL) || argc - optind != 1)
		return assay_cli_usage(verb);
	if (!assay_json_is_number(argv[optind], strlen(argv[optind])) || argv[optind][0] == '-')
		return assay_cli_usage_msg(verb, "'%s' is no number as JSON has them, from 0 on", argv[optind]);
	content = assay_json_object();
	assay_json_set(content, member, assay_json_number(argv[optind]));
	if (assay_events_add_content(&events, kind, content, &err) < 0)
		return assay_cli_fail(NULL, &err);
	return assay_events_measure(&events, config);
}

int assay_cmd_measure_timing(const struct assay_verb *verb, int argc, char **argv)
{
	return measure_number(verb, argc, argv, ASSAY_RUN_TIMING, "finetune_time");
}

int assay_cmd_measure_compute(const struct assay_verb *verb, int argc, char **argv)
{
	return measure_number(verb, argc, argv, ASSAY_RUN_COMPUTE, "total_flos");
}

int assay_cmd_measure_certificate(const struct assay_verb *verb, int argc, char **argv)
{
	struct assay_events events = { 0 };
	const char *config = NULL;
	struct assay_err err;
	size_t len;
	char *text;

	if (!options(verb, argc, argv, NULL, &config, NULL) || argc - optind != 1)
		return assay_cli_usage(verb);
	if (read_text(argv[optind], &text, &len, &err) < 0)
		return assay_cli_fail(argv[optind], &err);
	if (strlen(text) != len) {
		free(text);
		assay_fail(&err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "a certificate that is not PEM");
		return assay_cli_fail(argv[optind], &err);
	}
	assay_events_add(&events, ASSAY_RUN_TLS, text);
	return assay_events_measure(&events, config);
}
