/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON out. One layout, so that equal trees are equal bytes: sorted keys (the nodes keep them so),
 * two spaces, one member a line, {} and [] for what is empty, UTF-8 as it is, control characters as
 * RFC 8259 section 7 demands with the short escapes where they exist.
 */
#include "core/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/json_priv.h"
#include "core/text.h"

/* To a growing string or to an output: both remember their own failures. */
struct sink {
	struct assay_str *str;
	struct assay_out *out;
	bool line; /* all on one, without a blank */
};

static void put(const struct sink *to, const char *p, size_t len)
{
	if (to->str)
		assay_str_add_n(to->str, p, len);
	else
		assay_out_write(to->out, p, len);
}

static void put_indent(const struct sink *to, unsigned depth)
{
	if (to->line)
		return;
	put(to, "\n", 1);
	while (depth-- > 0)
		put(to, "  ", 2);
}

static void put_text(const struct sink *to, const char *s, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	static const char named[32] = {
		['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'
	};
	size_t plain = 0;

	put(to, "\"", 1);
	for (size_t i = 0; i < len; i++) {
		const unsigned char c = (unsigned char)s[i];
		char esc[6] = { '\\', (char)c };
		size_t n = 2;

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		if (c < 0x20 && named[c]) {
			esc[1] = named[c];
		} else if (c < 0x20) {
			esc[1] = 'u';
			esc[2] = esc[3] = '0';
			esc[4] = digits[c >> 4];
			esc[5] = digits[c & 15];
			n = 6;
		}
		put(to, s + plain, i - plain);
		put(to, esc, n);
		plain = i + 1;
	}
	put(to, s + plain, len - plain);
	put(to, "\"", 1);
}

static void put_node(const struct sink *to, const struct assay_json *node, unsigned depth)
{
	const bool object = node->kind == JSON_NODE_OBJECT;
	char number[24];

	switch (node->kind) {
	case JSON_NODE_NULL:
		put(to, "null", 4);
		return;
	case JSON_NODE_BOOL:
		put(to, node->boolean ? "true" : "false", node->boolean ? 4 : 5);
		return;
	case JSON_NODE_INT:
		put(to, number,
		    (size_t)snprintf(number, sizeof(number), "%" PRId64, node->integer));
		return;
	case JSON_NODE_NUMBER:
		put(to, node->text, node->len);
		return;
	case JSON_NODE_STRING:
		put_text(to, node->text, node->len);
		return;
	case JSON_NODE_OBJECT:
	case JSON_NODE_ARRAY:
		break;
	}
	put(to, object ? "{" : "[", 1);
	for (size_t i = 0; i < node->len; i++) {
		const struct assay_json *kid = node->kids[i];

		if (i > 0)
			put(to, ",", 1);
		put_indent(to, depth + 1);
		if (object) {
			put_text(to, kid->key, strlen(kid->key));
			put(to, ": ", to->line ? 1 : 2);
		}
		put_node(to, kid, depth + 1);
	}
	if (node->len > 0)
		put_indent(to, depth);
	put(to, object ? "}" : "]", 1);
}

static int put_document(const struct sink *to, const struct assay_json *node, struct assay_err *err)
{
	if (!node || node->oom)
		return assay_fail_mem(err);
	put_node(to, node, 0);
	put(to, "\n", 1);
	return 0;
}

static int dump(const struct assay_json *node, bool line, char **ret, size_t *ret_len,
		struct assay_err *err)
{
	struct assay_str text = { 0 };
	const struct sink to = { .str = &text, .line = line };
	size_t len;
	char *p;

	if (put_document(&to, node, err) < 0)
		return -1;
	len = text.len;
	p = assay_str_steal(&text);
	if (!p)
		return assay_fail_mem(err);
	*ret = p;
	*ret_len = len;
	return 0;
}

int assay_json_dump(const struct assay_json *node, char **ret, size_t *ret_len,
		    struct assay_err *err)
{
	return dump(node, false, ret, ret_len, err);
}

int assay_json_dump_line(const struct assay_json *node, char **ret, size_t *ret_len,
			 struct assay_err *err)
{
	return dump(node, true, ret, ret_len, err);
}

int assay_json_write(const struct assay_json *node, struct assay_out *out, struct assay_err *err)
{
	const struct sink to = { .out = out };

	return put_document(&to, node, err);
}
