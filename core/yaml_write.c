/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML out. Text is written plain only where it cannot be taken for anything else; the rule is far
 * narrower than YAML's own, and everything past it is double-quoted (YAML 1.2.2, 7.3.1).
 */
#include "core/yaml.h"

#include <string.h>

#include "core/text.h"

static void put(struct assay_out *out, const char *s)
{
	assay_out_write(out, s, strlen(s));
}

static void put_indent(struct assay_out *out, unsigned indent)
{
	while (indent-- > 0)
		put(out, " ");
}

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_plain(const char *s, bool flow)
{
	const size_t len = strlen(s);

	if (len == 0 || !(is_alnum(s[0]) || strchr("/\\_.+(", s[0])) || s[len - 1] == ' ' ||
	    s[len - 1] == ':' || strncmp(s, "...", 3) == 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		const char c = s[i];

		if (is_alnum(c) || strchr("/\\_.+()-=@%*;<>~^$!|&'", c))
			continue;
		if (c == ' ' && s[i + 1] != '#')
			continue;
		if (!flow && (strchr("#,?\"", c) || (c == ':' && s[i + 1] != ' ')))
			continue;
		return false;
	}
	return true;
}

/* What YAML calls printable (5.1), apart from what would break the line. */
static bool is_printable(uint32_t c)
{
	return (c >= 0x20 && c <= 0x7e) ||
	       (c >= 0xa0 && c <= 0xd7ff && c != 0x2028 && c != 0x2029) ||
	       (c >= 0xe000 && c <= 0xfffd && c != 0xfeff) || (c >= 0x10000 && c <= 0x10ffff);
}

static void put_char(struct assay_out *out, const char *p, size_t len, uint32_t c)
{
	if (c == '"')
		put(out, "\\\"");
	else if (c == '\\')
		put(out, "\\\\");
	else if (c == '\n')
		put(out, "\\n");
	else if (c == '\t')
		put(out, "\\t");
	else if (is_printable(c))
		assay_out_write(out, p, len);
	else if (c <= 0xff)
		assay_out_printf(out, "\\x%02x", c);
	else
		assay_out_printf(out, "\\u%04x", c);
}

static void put_text(struct assay_out *out, const char *s, bool flow)
{
	size_t left = strlen(s);

	if (is_plain(s, flow)) {
		assay_out_write(out, s, left);
		return;
	}
	put(out, "\"");
	while (left > 0) {
		uint32_t c;
		const size_t len = assay_utf8_next(s, left, &c);

		/* Nodes hold UTF-8 only: building replaces and parsing refuses the rest. */
		put_char(out, s, len ? len : 1, len ? c : 0xfffd);
		s += len ? len : 1;
		left -= len ? len : 1;
	}
	put(out, "\"");
}

static void put_flow(struct assay_out *out, const struct assay_yaml *node)
{
	const bool map = node->kind == ASSAY_YAML_MAP;

	if (node->kind == ASSAY_YAML_SCALAR) {
		put_text(out, node->scalar, true);
		return;
	}
	put(out, map ? "{" : "[");
	for (size_t i = 0; i < node->n; i++) {
		if (i > 0)
			put(out, ", ");
		if (map) {
			put_text(out, node->items[i]->key, true);
			put(out, ": ");
		}
		put_flow(out, node->items[i]);
	}
	put(out, map ? "}" : "]");
}

/* "# ..." for each line of the comment, each ended and the next thing indented. */
static void put_comment(struct assay_out *out, const char *text, unsigned indent)
{
	for (const char *p = text; *p;) {
		size_t left = strcspn(p, "\n");

		put(out, left ? "# " : "#");
		while (left > 0) {
			uint32_t c;
			const size_t len = assay_utf8_next(p, left, &c);

			if (len > 0 && is_printable(c))
				assay_out_write(out, p, len);
			else
				put(out, "?");
			p += len ? len : 1;
			left -= len ? len : 1;
		}
		put(out, "\n");
		put_indent(out, indent);
		p += *p == '\n';
	}
}

static bool on_one_line(const struct assay_yaml *node)
{
	return node->kind == ASSAY_YAML_SCALAR || node->flow || node->n == 0;
}

static void put_short(struct assay_out *out, const struct assay_yaml *node)
{
	if (node->kind == ASSAY_YAML_SCALAR)
		put_text(out, node->scalar, false);
	else
		put_flow(out, node);
	put(out, "\n");
}

/* Begins where the line stands, which is at column `indent`; ends with a newline. */
static void put_block(struct assay_out *out, const struct assay_yaml *node, unsigned indent)
{
	for (size_t i = 0; i < node->n; i++) {
		const struct assay_yaml *item = node->items[i];

		if (i > 0)
			put_indent(out, indent);
		if (node->kind == ASSAY_YAML_SEQ) {
			put(out, "- ");
			if (on_one_line(item))
				put_short(out, item);
			else
				put_block(out, item, indent + 2);
			continue;
		}
		if (item->comment)
			put_comment(out, item->comment, indent);
		put_text(out, item->key, false);
		put(out, ":");
		if (on_one_line(item)) {
			put(out, " ");
			put_short(out, item);
		} else {
			put(out, "\n");
			put_indent(out, indent + 2);
			put_block(out, item, indent + 2);
		}
	}
}

void assay_yaml_write(const struct assay_yaml *node, struct assay_out *out)
{
	if (on_one_line(node))
		put_short(out, node);
	else
		put_block(out, node, 0);
}
