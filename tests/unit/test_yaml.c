/* SPDX-License-Identifier: Apache-2.0 */
#include "core/limits.h"
#include "core/text.h"
#include "core/yaml.h"
#include "tests/unit/alloc.h"
#include "tests/unit/unit.h"

static struct assay_yaml *parse(const char *text)
{
	struct assay_yaml *node = NULL;
	struct assay_err err;

	if (assay_yaml_parse(text, strlen(text), &node, &err) < 0)
		fail_msg("%s in\n%s", err.msg, text);
	return node;
}

static char *write_text(const struct assay_yaml *node)
{
	ASSAY_AUTO(assay_out) *out = NULL;
	char *text = NULL;
	size_t len;

	assert_int_equal(assay_out_memory(&out, NULL), 0);
	assay_yaml_write(node, out);
	assert_int_equal(assay_out_steal(out, &text, &len, NULL), 0);
	return text;
}

static bool same(const struct assay_yaml *a, const struct assay_yaml *b)
{
	if (a->kind != b->kind || a->n != b->n || !a->key != !b->key ||
	    (a->key && strcmp(a->key, b->key) != 0) ||
	    (a->kind == ASSAY_YAML_SCALAR && strcmp(a->scalar, b->scalar) != 0))
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (!same(a->items[i], b->items[i]))
			return false;
	}
	return true;
}

static void test_tree(void **state)
{
	ASSAY_AUTO(assay_yaml) *doc = parse("# profile\n"
					    "name: q35 ovmf\n"
					    "n: 0012\n"
					    "\xc3\xa9: [a, \"b: c\"]\n"
					    "pcrs:\n"
					    "  - pcr: 0\n"
					    "    type: 'EV_X'\n"
					    "  - {pcr: 7}\n"
					    "empty:\n"
					    "text: |\n"
					    "  one\n"
					    "  two\n");
	const struct assay_yaml *pcrs = assay_yaml_get(doc, "pcrs");
	const char *s;

	(void)state;
	assert_int_equal(doc->kind, ASSAY_YAML_MAP);
	assert_int_equal(doc->n, 6);
	assert_string_equal(doc->items[1]->key, "n");
	assert_string_equal(doc->items[1]->scalar, "0012");
	assert_int_equal(assay_yaml_str(doc, "name", true, &s, NULL), 0);
	assert_string_equal(s, "q35 ovmf");
	assert_int_equal(assay_yaml_get(doc, "name")->line, 2);
	assert_int_equal(assay_yaml_get(doc, "name")->at, 16);
	/* bytes, though libyaml counts characters */
	assert_int_equal(assay_yaml_get(doc, "\xc3\xa9")->at, 37);
	assert_true(assay_yaml_get(doc, "\xc3\xa9")->flow);
	assert_string_equal(assay_yaml_get(doc, "\xc3\xa9")->items[1]->scalar, "b: c");
	assert_int_equal(pcrs->kind, ASSAY_YAML_SEQ);
	assert_int_equal(pcrs->n, 2);
	assert_false(pcrs->items[0]->flow);
	assert_int_equal(pcrs->items[0]->line, 6);
	assert_string_equal(assay_yaml_get(pcrs->items[0], "type")->scalar, "EV_X");
	assert_string_equal(assay_yaml_get(pcrs->items[1], "pcr")->scalar, "7");
	assert_string_equal(assay_yaml_get(doc, "empty")->scalar, "");
	assert_string_equal(assay_yaml_get(doc, "text")->scalar, "one\ntwo\n");
	assert_null(assay_yaml_get(doc, "none"));
	assert_null(assay_yaml_get(pcrs, "pcr"));
	assert_null(assay_yaml_get(NULL, "pcr"));
}

static void refuse(const char *in, size_t len, enum assay_code code, uint64_t at, const char *word)
{
	struct assay_yaml *node = NULL;
	struct assay_err err;

	assert_int_equal(assay_yaml_parse(in, len, &node, &err), -1);
	assert_null(node);
	if (err.code != code || err.at != at || !strstr(err.msg, word))
		fail_msg("'%.*s': code %d at %llu, %s", (int)len, in, (int)err.code,
			 (unsigned long long)err.at, err.msg);
}

#define REFUSE(in, code, at, word) refuse(in, strlen(in), code, at, word)

static void test_refused(void **state)
{
	(void)state;
	REFUSE("", ASSAY_E_CORRUPT, 0, "line 1: an empty YAML file");
	REFUSE("# only\n", ASSAY_E_CORRUPT, 7, "an empty YAML file");
	REFUSE("a: &x 1\n", ASSAY_E_UNSUPPORTED, 3, "line 1: YAML anchors are refused");
	REFUSE("a: &x [1]\n", ASSAY_E_UNSUPPORTED, 3, "anchors");
	REFUSE("a: &x {b: 1}\n", ASSAY_E_UNSUPPORTED, 3, "anchors");
	REFUSE("&x a: 1\n", ASSAY_E_UNSUPPORTED, 0, "anchors");
	REFUSE("\na: *x\n", ASSAY_E_UNSUPPORTED, 4, "line 2: YAML aliases are refused");
	REFUSE("*x : 1\n", ASSAY_E_UNSUPPORTED, 0, "aliases");
	REFUSE("a: !!int 1\n", ASSAY_E_UNSUPPORTED, 3, "YAML tags are refused");
	REFUSE("a: ! 1\n", ASSAY_E_UNSUPPORTED, 3, "tags");
	REFUSE("!t [1]\n", ASSAY_E_UNSUPPORTED, 0, "tags");
	REFUSE("%YAML 1.1\n---\na: 1\n", ASSAY_E_UNSUPPORTED, 0, "directives");
	REFUSE("%TAG ! tag:x,2000:\n---\na: 1\n", ASSAY_E_UNSUPPORTED, 0, "directives");
	REFUSE("a: 1\n---\nb: 2\n", ASSAY_E_CORRUPT, 5, "line 2: a second YAML document");
	REFUSE("a: 1\nb: 2\na: 3\n", ASSAY_E_CORRUPT, 13,
	       "line 3: key 'a' given twice, first on line 1");
	REFUSE("a: {b: 1, \"b\": 2}\n", ASSAY_E_CORRUPT, 15, "key 'b' given twice");
	REFUSE("[a]: 1\n", ASSAY_E_CORRUPT, 0, "a key that is no plain text");
	REFUSE("{a: 1}: 1\n", ASSAY_E_CORRUPT, 0, "a key that is no plain text");
	REFUSE("a: \"\\0\"\n", ASSAY_E_UNSUPPORTED, 3, "NUL");
	REFUSE("\"a\\0\": b\n", ASSAY_E_UNSUPPORTED, 0, "NUL");
	REFUSE("a: [1\n", ASSAY_E_CORRUPT, 6, "line 2: YAML: did not find expected");
	REFUSE("a: b: c\n", ASSAY_E_CORRUPT, 4, "line 1: YAML: mapping values");
	REFUSE("a:\n\tb: c\n", ASSAY_E_CORRUPT, 3, "line 2: YAML:");
	REFUSE("a: 1\n b: 2\n", ASSAY_E_CORRUPT, 7, "line 2: YAML:");
	REFUSE("x: 1\na: \xff\n", ASSAY_E_CORRUPT, 8, "line 2: YAML: invalid leading UTF-8");
	REFUSE("a: \x01\n", ASSAY_E_CORRUPT, 3, "YAML: control characters");
	refuse("a: 1\0", 5, ASSAY_E_CORRUPT, 4, "YAML: control characters");
	refuse("\xff\xfe"
	       "a\0",
	       4, ASSAY_E_CORRUPT, 0, "YAML");
}

static void test_mark(void **state)
{
	ASSAY_AUTO(assay_yaml) *doc = parse("\xef\xbb\xbf"
					    "a: b\r\nc: \xe2\x82\xac\r\nd: e\n");

	(void)state;
	assert_string_equal(doc->items[0]->key, "a");
	assert_int_equal(doc->items[0]->at, 6);
	assert_int_equal(doc->items[2]->at, 20);
	assert_int_equal(doc->items[2]->line, 3);
}

/* Cut anywhere, it is refused or read, but no byte past the end is. */
static void test_cut(void **state)
{
	static const char in[] = "name: \"q\\u00e935\"\npcrs:\n  - {pcr: 0, t: 'x'}\n  - pcr: 7\n"
				 "    s: [\xc3\xa9, b]\n? long\n: |\n  text\n";

	(void)state;
	for (size_t n = 0; n < sizeof(in); n++) {
		ASSAY_AUTO(assay_yaml) *node = NULL;
		char *copy = malloc(n ? n : 1);
		struct assay_err err;

		assert_non_null(copy);
		memcpy(copy, in, n);
		if (assay_yaml_parse(copy, n, &node, &err) < 0)
			assert_true(err.at <= n);
		free(copy);
	}
}

static void test_depth(void **state)
{
	(void)state;
	for (int depth = ASSAY_YAML_MAX_DEPTH - 1; depth <= ASSAY_YAML_MAX_DEPTH + 1; depth++) {
		struct assay_yaml *node = NULL;
		char text[3 * ASSAY_YAML_MAX_DEPTH] = "";
		struct assay_err err;
		int r;

		memset(text, '[', (size_t)depth);
		memset(text + depth, ']', (size_t)depth);
		r = assay_yaml_parse(text, strlen(text), &node, &err);
		assert_int_equal(r, depth <= ASSAY_YAML_MAX_DEPTH ? 0 : -1);
		if (r < 0) {
			assert_int_equal(err.code, ASSAY_E_LIMIT);
			assert_int_equal(err.at, ASSAY_YAML_MAX_DEPTH);
		}
		assay_yaml_free(&node);
	}
}

static void test_nodes(void **state)
{
	char *text = malloc(4 * ASSAY_YAML_MAX_NODES + 100);

	(void)state;
	assert_non_null(text);
	for (size_t n = ASSAY_YAML_MAX_NODES - 1; n <= ASSAY_YAML_MAX_NODES + 1; n++) {
		struct assay_yaml *node = NULL;
		struct assay_err err;
		char *p = text;
		int r;

		for (size_t i = 0; i < n - 1; i++)
			p += sprintf(p, "- a\n");
		r = assay_yaml_parse(text, (size_t)(p - text), &node, &err);
		assert_int_equal(r, n <= ASSAY_YAML_MAX_NODES ? 0 : -1);
		if (r < 0)
			assert_int_equal(err.code, ASSAY_E_LIMIT);
		assay_yaml_free(&node);
	}
	free(text);
}

static void test_key_length(void **state)
{
	(void)state;
	for (int n = ASSAY_YAML_MAX_KEY - 1; n <= ASSAY_YAML_MAX_KEY + 1; n++) {
		ASSAY_AUTO(assay_yaml) *built = assay_yaml_map();
		ASSAY_AUTO(assay_yaml) *again = NULL;
		struct assay_yaml *node = NULL;
		char text[ASSAY_YAML_MAX_KEY + 20], key[ASSAY_YAML_MAX_KEY + 2];
		struct assay_err err;
		int r;

		memset(key, 1, sizeof(key)); /* what takes most room when written */
		key[n] = '\0';
		memset(text, 'k', (size_t)n);
		strcpy(text + n, ": v\n");
		r = assay_yaml_parse(text, strlen(text), &node, &err);
		assert_int_equal(r, n <= ASSAY_YAML_MAX_KEY ? 0 : -1);
		if (r < 0)
			assert_int_equal(err.code, ASSAY_E_LIMIT);
		assay_yaml_free(&node);
		assert_int_equal(assay_yaml_set_str(built, key, "v"), r);
		if (r == 0) {
			ASSAY_AUTO_FREE char *out = write_text(built);

			again = parse(out);
			assert_true(same(built, again));
		}
	}
}

static void test_file(void **state)
{
	char path[] = "/tmp/assay-test-XXXXXX";
	ASSAY_AUTO(assay_yaml) *node = NULL;
	const int fd = mkstemp(path);
	char *text = malloc(ASSAY_YAML_MAX_FILE);
	struct assay_err err;

	(void)state;
	assert_true(fd >= 0);
	assert_non_null(text);
	memset(text, '\n', ASSAY_YAML_MAX_FILE);
	memcpy(text, "a: b", 4);
	assert_int_equal(write(fd, text, ASSAY_YAML_MAX_FILE), ASSAY_YAML_MAX_FILE);
	free(text);
	assert_int_equal(assay_yaml_load(path, &node, &err), 0);
	assay_yaml_free(&node);
	assert_int_equal(write(fd, "\n", 1), 1);
	assert_int_equal(assay_yaml_load(path, &node, &err), -1);
	assert_int_equal(err.code, ASSAY_E_LIMIT);
	assert_int_equal(ftruncate(fd, 4), 0);
	assert_int_equal(assay_yaml_load(path, &node, &err), 0);
	close(fd);
	unlink(path);
}

static void test_only(void **state)
{
	static const char *const keys[] = { "name", "pcrs", NULL };
	ASSAY_AUTO(assay_yaml) *good = parse("pcrs: 1\nname: x\n");
	ASSAY_AUTO(assay_yaml) *bad = parse("name: x\nprcs: 1\n");
	ASSAY_AUTO(assay_yaml) *seq = parse("- name\n");
	struct assay_err err;

	(void)state;
	assert_int_equal(assay_yaml_only(good, keys, "profile", &err), 0);
	assert_int_equal(assay_yaml_only(bad, keys, "profile", &err), -1);
	assert_int_equal(err.code, ASSAY_E_CORRUPT);
	assert_string_equal(err.msg, "line 2: unknown key 'prcs' in profile");
	assert_int_equal(assay_yaml_only(seq, keys, "profile", &err), -1);
	assert_int_equal(err.code, ASSAY_E_CORRUPT);
}

static void test_members(void **state)
{
	static const char *const bad_numbers[] = {
		"neg", "hexed", "over", "word", "nil", "spaced"
	};
	ASSAY_AUTO(assay_yaml) *doc =
		parse("dec: 12\nhex: 0xFf\nmax: 18446744073709551615\n"
		      "over: 18446744073709551616\nneg: -1\nword: twelve\n"
		      "hexed: 0x\nnil:\nspaced: '1 '\nyes: yes\nt: true\nf: false\n"
		      "list: [1]\nlead: 007\n");
	struct assay_err err;
	const char *s = "before";
	uint64_t v = 77;
	bool b = true;

	(void)state;
	assert_int_equal(assay_yaml_uint(doc, "dec", true, 12, &v, &err), 0);
	assert_int_equal(v, 12);
	assert_int_equal(assay_yaml_uint(doc, "dec", true, 11, &v, &err), -1);
	assert_string_equal(err.msg, "line 1: 'dec' is to be a number from 0 to 11, not '12'");
	assert_int_equal(assay_yaml_uint(doc, "hex", true, 255, &v, &err), 0);
	assert_int_equal(v, 255);
	assert_int_equal(assay_yaml_uint(doc, "max", true, UINT64_MAX, &v, &err), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(assay_yaml_uint(doc, "lead", true, 9, &v, &err), 0);
	assert_int_equal(v, 7);
	for (size_t i = 0; i < sizeof(bad_numbers) / sizeof(bad_numbers[0]); i++) {
		assert_int_equal(assay_yaml_uint(doc, bad_numbers[i], true, UINT64_MAX, &v, &err),
				 -1);
		assert_int_equal(v, 7);
	}
	assert_int_equal(assay_yaml_uint(doc, "absent", false, 9, &v, &err), 0);
	assert_int_equal(v, 7);
	assert_int_equal(assay_yaml_uint(doc, "absent", true, 9, &v, &err), -1);
	assert_string_equal(err.msg, "line 1: 'absent' is missing");
	assert_int_equal(assay_yaml_bool(doc, "f", true, &b, &err), 0);
	assert_false(b);
	assert_int_equal(assay_yaml_bool(doc, "yes", true, &b, &err), -1);
	assert_false(b);
	assert_int_equal(assay_yaml_bool(doc, "t", true, &b, &err), 0);
	assert_true(b);
	assert_int_equal(assay_yaml_bool(doc, "absent", false, &b, &err), 0);
	assert_int_equal(assay_yaml_str(doc, "list", true, &s, &err), -1);
	assert_int_equal(err.code, ASSAY_E_CORRUPT);
	assert_string_equal(s, "before");
	assert_int_equal(assay_yaml_str(doc, "absent", false, &s, &err), 0);
	assert_null(s);
}

static void test_write(void **state)
{
	ASSAY_AUTO(assay_yaml) *doc = assay_yaml_map();
	struct assay_yaml *seq = assay_yaml_seq(), *flow = assay_yaml_map(),
			  *map = assay_yaml_map();
	ASSAY_AUTO_FREE char *text = NULL;

	(void)state;
	assert_int_equal(assay_yaml_set_str(doc, "schema", "assay.platform/1"), 0);
	assert_int_equal(assay_yaml_set_str(doc, "path", "\\EFI\\BOOT\\BOOTX64.EFI"), 0);
	assert_int_equal(assay_yaml_set_str(doc, "tricky", "a: b # c"), 0);
	flow->flow = true;
	assert_int_equal(assay_yaml_set_str(flow, "pcr", "0"), 0);
	assert_int_equal(assay_yaml_set_str(flow, "type", "EV_A, b"), 0);
	assert_int_equal(assay_yaml_append(seq, flow), 0);
	assert_int_equal(assay_yaml_set_str(map, "pcr", "7"), 0);
	assert_int_equal(assay_yaml_set(map, "none", assay_yaml_seq()), 0);
	map->items[0]->comment = "first\n\nthird \x01";
	assert_int_equal(assay_yaml_append(seq, map), 0);
	seq->comment = "in log order";
	assert_int_equal(assay_yaml_set(doc, "events", seq), 0);
	text = write_text(doc);
	assert_string_equal(text, "schema: assay.platform/1\n"
				  "path: \\EFI\\BOOT\\BOOTX64.EFI\n"
				  "tricky: \"a: b # c\"\n"
				  "# in log order\n"
				  "events:\n"
				  "  - {pcr: 0, type: \"EV_A, b\"}\n"
				  "  - # first\n"
				  "    #\n"
				  "    # third ?\n"
				  "    pcr: 7\n"
				  "    none: []\n");
	ASSAY_AUTO(assay_yaml) *again = parse(text);
	assert_true(same(doc, again));
}

static void test_build_refused(void **state)
{
	ASSAY_AUTO(assay_yaml) *map = assay_yaml_map();
	ASSAY_AUTO(assay_yaml) *seq = assay_yaml_seq();

	(void)state;
	assert_int_equal(assay_yaml_set(map, "a", NULL), -1);
	assert_int_equal(assay_yaml_set(NULL, "a", assay_yaml_map()), -1);
	assert_int_equal(assay_yaml_append(seq, NULL), -1);
	assert_int_equal(assay_yaml_append(NULL, assay_yaml_seq()), -1);
	assert_int_equal(assay_yaml_append(map, assay_yaml_seq()), -1);
	assert_int_equal(assay_yaml_set(seq, "a", assay_yaml_seq()), -1);
	assert_int_equal(assay_yaml_set_str(map, "a", NULL), -1);
	assert_int_equal(assay_yaml_set_str(map, "a", "1"), 0);
	assert_int_equal(assay_yaml_set_str(map, "a", "2"), -1);
	assert_int_equal(map->n, 1);
	assert_int_equal(seq->n, 0);
}

/* Texts made of what YAML gives a meaning to. */
static char *random_text(void)
{
	static const char *const bits[] = {
		"a",
		"Z",
		"0",
		":",
		": ",
		"#",
		" #",
		" ",
		"-",
		"- ",
		"---",
		"...",
		"?",
		"? ",
		",",
		"[",
		"]",
		"{",
		"}",
		"&",
		"*",
		"!",
		"|",
		">",
		"'",
		"\"",
		"%",
		"@",
		"`",
		"\\",
		"\n",
		"\t",
		"\r",
		"\x01",
		"\x7f",
		"\xc2\x85",
		"\xc2\xa0",
		"\xc3\xa9",
		"\xe2\x80\xa8",
		"\xef\xbb\xbf",
		"\xef\xbf\xbe",
		"\xf0\x9f\x98\x80",
		"~",
		"=",
		"null",
		"true",
		"0x1",
		"\xff",
		"<<",
	};
	struct assay_str s = { 0 };

	for (long n = random() % 6; n > 0; n--)
		assay_str_add(&s, "%s", bits[(size_t)random() % (sizeof(bits) / sizeof(bits[0]))]);
	return assay_str_steal(&s);
}

static struct assay_yaml *random_tree(unsigned depth)
{
	const long kind = depth < 5 ? random() % 3 : 0;
	struct assay_yaml *node = NULL;

	if (kind == 0) {
		ASSAY_AUTO_FREE char *text = random_text();

		node = assay_yaml_scalar(text);
	} else {
		node = kind == 1 ? assay_yaml_seq() : assay_yaml_map();
		node->flow = random() % 4 == 0;
		for (long n = random() % 5; n > 0; n--) {
			ASSAY_AUTO_FREE char *key = random_text();
			struct assay_yaml *child = random_tree(depth + 1);

			child->comment = random() % 4 ? NULL : "why: [this";
			if (kind == 1)
				assert_int_equal(assay_yaml_append(node, child), 0);
			else
				(void)!assay_yaml_set(node, key, child);
		}
	}
	assert_non_null(node);
	return node;
}

static void test_round_trip(void **state)
{
	(void)state;
	srandom(3);
	for (int round = 0; round < 20000; round++) {
		ASSAY_AUTO(assay_yaml) *tree = random_tree(0);
		ASSAY_AUTO_FREE char *text = write_text(tree);
		ASSAY_AUTO(assay_yaml) *again = parse(text);
		ASSAY_AUTO_FREE char *text2 = NULL;

		if (!same(tree, again))
			fail_msg("not the same:\n%s", text);
		/* Nothing is left to chance: the same tree is the same text. */
		text2 = write_text(tree);
		assert_string_equal(text, text2);
	}
}

/* What we write, another reader reads as the same tree. */
static void put_python(struct assay_str *s, const struct assay_yaml *node)
{
	if (node->kind == ASSAY_YAML_SCALAR) {
		assay_str_add(s, "b'");
		assay_str_add_escaped(s, node->scalar, strlen(node->scalar));
		assay_str_add(s, "'.decode()");
		return;
	}
	assay_str_add(s, node->kind == ASSAY_YAML_MAP ? "{" : "[");
	for (size_t i = 0; i < node->n; i++) {
		if (node->kind == ASSAY_YAML_MAP) {
			assay_str_add(s, "b'");
			assay_str_add_escaped(s, node->items[i]->key, strlen(node->items[i]->key));
			assay_str_add(s, "'.decode():");
		}
		put_python(s, node->items[i]);
		assay_str_add(s, ",");
	}
	assay_str_add(s, node->kind == ASSAY_YAML_MAP ? "}" : "]");
}

static void test_pyyaml(void **state)
{
	char path[] = "/tmp/assay-test-XXXXXX", command[100];
	struct assay_str s = { 0 };
	int fd, status;

	(void)state;
	if (system("python3 -c 'import yaml' 2>/dev/null") != 0)
		unit_skip("PyYAML is missing");
	srandom(4);
	assay_str_add(&s, "import yaml\n");
	for (int round = 0; round < 500; round++) {
		ASSAY_AUTO(assay_yaml) *tree = random_tree(0);
		ASSAY_AUTO_FREE char *text = write_text(tree);

		assay_str_add(&s, "a=b'");
		assay_str_add_escaped(&s, text, strlen(text));
		assay_str_add(&s, "'.decode()\nassert yaml.load(a,yaml.BaseLoader)==");
		put_python(&s, tree);
		assay_str_add(&s, ",a\n");
	}
	fd = mkstemp(path);
	assert_int_equal(write(fd, s.p, s.len), s.len);
	close(fd);
	assay_str_clear(&s);
	snprintf(command, sizeof(command), "python3 %s", path);
	status = system(command);
	unlink(path);
	assert_int_equal(status, 0);
}

static int use_yaml(struct assay_err *err)
{
	static const char in[] = "a: 1\nb: [x, {y: z}]\nc:\n  - d: e\n    f: \"\\x01\"\n";
	ASSAY_AUTO(assay_yaml) *doc = NULL;
	ASSAY_AUTO(assay_yaml) *built = assay_yaml_map();
	ASSAY_AUTO(assay_out) *out = NULL;
	ASSAY_AUTO_FREE char *text = NULL;
	struct assay_yaml *seq = assay_yaml_seq();
	size_t len;
	int r = 0;

	for (int i = 0; i < 5; i++)
		r |= assay_yaml_append(seq, assay_yaml_scalar("x"));
	r |= assay_yaml_set(built, "seq", seq);
	r |= assay_yaml_set_str(built, "a", "b");
	if (r < 0)
		return assay_fail_mem(err);
	if (assay_yaml_parse(in, strlen(in), &doc, err) < 0 || assay_out_memory(&out, err) < 0)
		return -1;
	assay_yaml_write(doc, out);
	assay_yaml_write(built, out);
	if (assay_out_steal(out, &text, &len, err) < 0)
		return -1;
	assert_int_equal(len,
			 strlen(in) + strlen("seq:\n") + 5 * strlen("  - x\n") + strlen("a: b\n"));
	return 0;
}

static void test_out_of_memory(void **state)
{
	(void)state;
	unit_alloc_each(use_yaml, true);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_tree),	      cmocka_unit_test(test_refused),
	cmocka_unit_test(test_mark),	      cmocka_unit_test(test_cut),
	cmocka_unit_test(test_depth),	      cmocka_unit_test(test_nodes),
	cmocka_unit_test(test_key_length),    cmocka_unit_test(test_file),
	cmocka_unit_test(test_only),	      cmocka_unit_test(test_members),
	cmocka_unit_test(test_write),	      cmocka_unit_test(test_build_refused),
	cmocka_unit_test(test_round_trip),    cmocka_unit_test(test_pyyaml),
	cmocka_unit_test(test_out_of_memory),
};

UNIT_MAIN(tests)
