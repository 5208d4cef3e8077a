/* SPDX-License-Identifier: Apache-2.0 */
/* A runtime event in words, one line. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tpm/runtime_priv.h"
#include "tpm/words_priv.h"

/* Outputs that are told one by one; a request's JSON up to so many characters. */
#define MAX_TOLD 8
#define MAX_REQUEST 400

static void add_text(struct assay_str *s, const struct assay_json *v)
{
	const char *text = assay_json_str(v);

	if (text)
		assay_words_utf8(s, (const uint8_t *)text, strlen(text));
}

static void add_member(struct assay_str *s, const struct assay_json *o, const char *before, const char *name)
{
	if (!assay_json_get(o, name))
		return;
	assay_str_add(s, "%s", before);
	add_text(s, assay_json_get(o, name));
}

/* Digests by their hex alone, whatever way they are written. */
static void add_hash(struct assay_str *s, const struct assay_json *o, const char *name)
{
	const char *text = assay_json_str(assay_json_get(o, name));
	char hex[ASSAY_HEX_MAX];
	enum assay_bank bank;

	if (text && assay_runtime_hash(text, &bank, hex))
		assay_str_add(s, "%s:%s", assay_bank_name(bank), hex);
}

static void add_number(struct assay_str *s, const struct assay_json *v)
{
	int64_t n;

	if (assay_json_get_int(v, &n))
		assay_str_add(s, "%" PRId64, n);
	else
		add_text(s, v);
}

static void words_request(struct assay_str *s, const struct assay_json *content)
{
	ASSAY_AUTO_FREE char *line = NULL;
	size_t len;

	if (assay_json_dump_line(content, &line, &len, NULL) < 0) {
		s->bad = 1;
		return;
	}
	len--; /* the newline */
	assay_str_add(s, "request ");
	assay_words_utf8(s, (const uint8_t *)line, len > MAX_REQUEST ? MAX_REQUEST : len);
	if (len > MAX_REQUEST)
		assay_str_add(s, "… (%zu bytes)", len);
}

static void words_outputs(struct assay_str *s, const struct assay_json *content)
{
	const size_t n = assay_json_len(content);

	for (size_t i = 0; i < n && i < MAX_TOLD; i++) {
		const struct assay_json *item = assay_json_at(content, i);

		add_member(s, assay_json_get(item, "spec"), i ? ", output " : "output ", "path");
		assay_str_add(s, ": ");
		add_hash(s, assay_json_get(item, "resolved"), "hash");
	}
	if (n > MAX_TOLD)
		assay_str_add(s, ", and %zu more", n - MAX_TOLD);
}

/* A tree with the number of its files, a file with its size. */
static void words_files(struct assay_str *s, const char *what, const struct assay_json *spec, const struct assay_json *resolved)
{
	const bool tree = assay_json_get(resolved, "files") != NULL;
	const struct assay_json *n = assay_json_get(resolved, tree ? "files" : "size");
	int64_t count;

	add_member(s, spec, what, "path");
	assay_str_add(s, ": ");
	add_number(s, n);
	assay_str_add(s, tree ? " file%s, " : " byte%s, ", assay_json_get_int(n, &count) && count == 1 ? "" : "s");
	if (assay_json_get(resolved, "fsverity"))
		assay_str_add(s, "fs-verity ");
	add_hash(s, resolved, assay_json_get(resolved, "fsverity") ? "fsverity" : "hash");
}

static void words_input(struct assay_str *s, const struct assay_json *spec)
{
	const struct assay_json *proto = assay_json_get(spec, "resource_proto");

	add_member(s, proto, "input ", "resource_type");
	add_member(s, proto, " ", "path");
	add_member(s, proto, " from ", "repo");
	add_member(s, proto, " at ", "hash");
}

static void words_event(struct assay_str *s, enum assay_runtime_kind kind, const struct assay_json *content)
{
	const struct assay_json *spec = assay_json_get(content, "spec");
	const struct assay_json *resolved = assay_json_get(content, "resolved");

	switch (kind) {
	case ASSAY_RUN_REQUEST:
		words_request(s, content);
		return;
	case ASSAY_RUN_OUTPUTS:
		words_outputs(s, content);
		return;
	case ASSAY_RUN_TIMING:
		assay_str_add(s, "it took ");
		add_number(s, assay_json_get(content, "finetune_time"));
		assay_str_add(s, " seconds");
		return;
	case ASSAY_RUN_COMPUTE:
		assay_str_add(s, "compute consumed: ");
		add_number(s, assay_json_get(content, "total_flos"));
		assay_str_add(s, " floating-point operations");
		return;
	case ASSAY_RUN_CONTAINER:
		add_member(s, spec, "container ", "image_name");
		add_member(s, resolved, " is ", "id");
		return;
	case ASSAY_RUN_CODE:
		words_files(s, "server code ", spec, resolved);
		return;
	case ASSAY_RUN_WEIGHTS_FILE:
	case ASSAY_RUN_WEIGHTS_TREE:
		words_files(s, "weights ", spec, resolved);
		return;
	case ASSAY_RUN_INPUT:
		words_input(s, spec);
		assay_str_add(s, ": ");
		break;
	default:
		assay_str_add(s, "configuration");
		add_member(s, spec, " ", "path");
		assay_str_add(s, ": ");
	}
	add_hash(s, resolved, "hash");
}

char *assay_runtime_describe(const struct assay_runtime_event *ev)
{
	ASSAY_AUTO(assay_json) *content = NULL;
	enum assay_runtime_kind kind;
	struct assay_str s = { 0 };
	struct assay_err err = { 0 };
	char hex[ASSAY_HEX_MAX];
	uint8_t fingerprint[32];

	if (assay_runtime_parse(ev, &kind, &content, &err) < 0) {
		if (err.code == ASSAY_E_NOMEM)
			return NULL;
		assay_str_add(&s, "not understood: ");
		assay_words_utf8(&s, (const uint8_t *)err.msg, strlen(err.msg));
	} else if (kind == ASSAY_RUN_DISK) {
		assay_str_add(&s, "application disk, root hash %.*s", (int)ev->len, ev->text);
	} else if (kind == ASSAY_RUN_SENTINEL) {
		assay_str_add(&s, "the set-up has ended");
	} else if (kind == ASSAY_RUN_TLS) {
		if (assay_runtime_fingerprint(ev, fingerprint, &err) < 0)
			return NULL;
		assay_str_add(&s, "TLS certificate, fingerprint sha256:%s", assay_hex(fingerprint, sizeof(fingerprint), hex));
	} else {
		words_event(&s, kind, content);
	}
	return assay_str_steal(&s);
}
