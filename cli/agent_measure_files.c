/* SPDX-License-Identifier: Apache-2.0 */
/* assay-agent measure: code, weights, inputs, configuration and outputs, which are files. */
#include <stdlib.h>
#include <string.h>

#include "attest/files.h"
#include "cli/agent_priv.h"
#include "core/digest.h"
#include "core/text.h"

struct call {
	const char *config, *type, *repo, *commit;
	bool fsverity;
};

/* Options of one call; those that are not in `opts` cannot be given. */
static bool options(const struct assay_verb *verb, int argc, char **argv, const struct option *opts, struct call *call)
{
	int ch;

	while ((ch = assay_cli_getopt(verb, argc, argv, "", opts)) != -1) {
		if (ch == 'c')
			call->config = optarg;
		else if (ch == 't')
			call->type = optarg;
		else if (ch == 'r')
			call->repo = optarg;
		else if (ch == 'g')
			call->commit = optarg;
		else if (ch == 'v')
			call->fsverity = true;
		else
			return false;
	}
	return true;
}

static const struct option plain[] = {
	{ "config", required_argument, NULL, 'c' },
	{ 0 },
};

/* "sha256:<hex>" */
static struct assay_json *hash_json(const uint8_t digest[32])
{
	char text[7 + ASSAY_HEX_MAX] = "sha256:";

	assay_hex(digest, 32, text + 7);
	return assay_json_string(text);
}

static struct assay_json *content_of(struct assay_json *spec, struct assay_json *resolved)
{
	struct assay_json *content = assay_json_object();

	assay_json_set(content, "spec", spec);
	assay_json_set(content, "resolved", resolved);
	return content;
}

static struct assay_json *path_spec(const char *path)
{
	struct assay_json *spec = assay_json_object();

	assay_json_set_str(spec, "path", path);
	return spec;
}

/* Of a file its digest, of a folder that of its tree. */
static int digest_of(const char *path, uint8_t ret[32], struct assay_err *err)
{
	ASSAY_AUTO(assay_files) *files = NULL;

	if (assay_files_list(path, &files, err) < 0 || assay_files_hash(files, false, err) < 0)
		return -1;
	if (files->tree)
		return assay_files_tree_digest(files, ret, err);
	memcpy(ret, files->files[0].digest, 32);
	return 0;
}

/* {"spec": {"path": …}, "resolved": {"hash": …}} */
static int path_and_hash(const char *path, struct assay_json **ret, struct assay_err *err)
{
	struct assay_json *resolved;
	uint8_t digest[32];

	if (digest_of(path, digest, err) < 0)
		return -1;
	resolved = assay_json_object();
	assay_json_set(resolved, "hash", hash_json(digest));
	*ret = content_of(path_spec(path), resolved);
	return 0;
}

static int finish(struct assay_events *events, const struct call *call, int r, struct assay_err *err)
{
	if (r == 0)
		return assay_events_measure(events, call->config);
	assay_events_clear(events);
	return assay_cli_fail(NULL, err);
}

/* --- trees -------------------------------------------------------------------------------------- */

static int add_tree(struct assay_events *events, enum assay_runtime_kind kind, const struct assay_files *files,
		    struct assay_err *err)
{
	struct assay_json *resolved;
	uint8_t digest[32];

	if (assay_files_tree_digest(files, digest, err) < 0)
		return -1;
	resolved = assay_json_object();
	assay_json_set(resolved, files->fsverity ? "fsverity" : "hash", hash_json(digest));
	assay_json_set_int(resolved, "files", files->n);
	return assay_events_add_content(events, kind, content_of(path_spec(files->top), resolved), err);
}

static int add_code(struct assay_events *events, const char *path, struct assay_err *err)
{
	ASSAY_AUTO(assay_files) *files = NULL;

	if (assay_files_list(path, &files, err) < 0)
		return -1;
	if (!files->tree)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "%s: not a folder", path);
	if (assay_files_hash(files, false, err) < 0)
		return -1;
	return add_tree(events, ASSAY_RUN_CODE, files, err);
}

int assay_cmd_measure_code(const struct assay_verb *verb, int argc, char **argv)
{
	struct assay_events events = { 0 };
	struct call call = { 0 };
	struct assay_err err;

	if (!options(verb, argc, argv, plain, &call) || argc - optind != 1)
		return assay_cli_usage(verb);
	return finish(&events, &call, add_code(&events, argv[optind], &err), &err);
}

static int add_weights_file(struct assay_events *events, const struct assay_files *files, const struct assay_file *file,
			    struct assay_err *err)
{
	ASSAY_AUTO_FREE char *path = files->top ? assay_asprintf("%s/%s", files->top, file->path) : assay_strdup(file->path);
	struct assay_json *resolved;

	if (!path)
		return assay_fail_mem(err);
	resolved = assay_json_object();
	assay_json_set(resolved, files->fsverity ? "fsverity" : "hash", hash_json(file->digest));
	assay_json_set_int(resolved, "size", file->size);
	return assay_events_add_content(events, ASSAY_RUN_WEIGHTS_FILE, content_of(path_spec(path), resolved), err);
}

/* One event for each file, and one for the tree that they are. */
static int add_weights(struct assay_events *events, const char *path, bool fsverity, struct assay_err *err)
{
	ASSAY_AUTO(assay_files) *files = NULL;

	if (assay_files_list(path, &files, err) < 0 || assay_files_hash(files, fsverity, err) < 0)
		return -1;
	for (size_t i = 0; i < files->n; i++)
		if (add_weights_file(events, files, &files->files[i], err) < 0)
			return -1;
	return files->tree ? add_tree(events, ASSAY_RUN_WEIGHTS_TREE, files, err) : 0;
}

int assay_cmd_measure_weights(const struct assay_verb *verb, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "fsverity", no_argument, NULL, 'v' },
		{ 0 },
	};
	struct assay_events events = { 0 };
	struct call call = { 0 };
	struct assay_err err;
	int r = 0;

	if (!options(verb, argc, argv, opts, &call) || argc - optind < 1)
		return assay_cli_usage(verb);
	for (int i = optind; r == 0 && i < argc; i++)
		r = add_weights(&events, argv[i], call.fsverity, &err);
	return finish(&events, &call, r, &err);
}

/* --- inputs and outputs ------------------------------------------------------------------------- */

static int add_input(struct assay_events *events, const struct call *call, const char *path, struct assay_err *err)
{
	struct assay_json *proto, *spec, *resolved;
	uint8_t digest[32];

	if (digest_of(path, digest, err) < 0)
		return -1;
	proto = assay_json_object();
	assay_json_set_str(proto, "resource_type", call->type);
	assay_json_set_str(proto, "path", path);
	if (call->repo)
		assay_json_set_str(proto, "repo", call->repo);
	if (call->commit)
		assay_json_set_str(proto, "hash", call->commit);
	spec = assay_json_object();
	assay_json_set(spec, "resource_proto", proto);
	resolved = assay_json_object();
	assay_json_set(resolved, "hash", hash_json(digest));
	return assay_events_add_content(events, ASSAY_RUN_INPUT, content_of(spec, resolved), err);
}

int assay_cmd_measure_input(const struct assay_verb *verb, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "config", required_argument, NULL, 'c' }, { "type", required_argument, NULL, 't' },
		{ "repo", required_argument, NULL, 'r' },   { "commit", required_argument, NULL, 'g' },
		{ 0 },
	};
	struct assay_events events = { 0 };
	struct call call = { 0 };
	struct assay_err err;
	uint8_t sha1[20];

	if (!options(verb, argc, argv, opts, &call) || argc - optind != 1)
		return assay_cli_usage(verb);
	if (!call.type)
		return assay_cli_usage_msg(verb, "--type is missing: model, dataset, …");
	if (call.commit && !assay_unhex(call.commit, strlen(call.commit), sha1, sizeof(sha1)))
		return assay_cli_usage_msg(verb, "a commit has 40 hex digits");
	return finish(&events, &call, add_input(&events, &call, argv[optind], &err), &err);
}

int assay_cmd_measure_configuration(const struct assay_verb *verb, int argc, char **argv)
{
	struct assay_events events = { 0 };
	struct assay_json *content;
	struct call call = { 0 };
	struct assay_err err;
	int r;

	if (!options(verb, argc, argv, plain, &call) || argc - optind > 1)
		return assay_cli_usage(verb);
	/* Without a name the agent's own. */
	r = path_and_hash(argc > optind ? argv[optind] : call.config ? call.config : ASSAY_AGENT_CONFIG, &content, &err);
	if (r == 0)
		r = assay_events_add_content(&events, ASSAY_RUN_CONFIGURATION, content, &err);
	return finish(&events, &call, r, &err);
}

/* All in one event: what a job has given back. */
int assay_cmd_measure_outputs(const struct assay_verb *verb, int argc, char **argv)
{
	struct assay_events events = { 0 };
	struct assay_json *array, *item;
	struct call call = { 0 };
	struct assay_err err;
	int r = 0;

	if (!options(verb, argc, argv, plain, &call) || argc - optind < 1)
		return assay_cli_usage(verb);
	array = assay_json_array();
	for (int i = optind; r == 0 && i < argc; i++) {
		r = path_and_hash(argv[i], &item, &err);
		if (r == 0)
			assay_json_append(array, item);
	}
	if (r == 0)
		r = assay_events_add_content(&events, ASSAY_RUN_OUTPUTS, array, &err);
	else
		assay_json_free(&array);
	return finish(&events, &call, r, &err);
}
