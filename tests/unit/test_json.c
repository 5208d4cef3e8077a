/* SPDX-License-Identifier: Apache-2.0 */
#include "core/json_priv.h"
#include "core/limits.h"
#include "tests/unit/alloc.h"
#include "tests/unit/unit.h"

static char *dump(const struct assay_json *node)
{
	struct assay_err err;
	char *text = NULL;
	size_t len;

	assert_int_equal(assay_json_dump(node, &text, &len, &err), 0);
	assert_int_equal(strlen(text), len);
	return text;
}

static void expect(const char *in, size_t len, const char *want)
{
	ASSAY_AUTO(assay_json) *node = NULL;
	ASSAY_AUTO_FREE char *out = NULL;
	struct assay_err err;

	if (assay_json_parse(in, len, &node, &err) < 0)
		fail_msg("%s: %s", in, err.msg);
	out = dump(node);
	assert_string_equal(out, want);
}

static void test_layout(void **state)
{
	static const char in[] = "{\"b\":[1,-2,{}],\"a\":{\"z\":null,\"y\":true,\"x\":false},"
				 "\"B\":\"t\",\"c\":[],\"\":0}";

	(void)state;
	expect(in, strlen(in),
	       "{\n  \"\": 0,\n  \"B\": \"t\",\n  \"a\": {\n    \"x\": false,\n    \"y\": true,\n"
	       "    \"z\": null\n  },\n  \"b\": [\n    1,\n    -2,\n    {}\n  ],\n  \"c\": "
	       "[]\n}\n");
	expect("[]", 2, "[]\n");
	expect(" {} \n", 5, "{}\n");
	expect("[9223372036854775807,-9223372036854775808,-0]", 45,
	       "[\n  9223372036854775807,\n  -9223372036854775808,\n  0\n]\n");
}

static void test_copies(void **state)
{
	static const char in[] = "{\"a\":[1,\"x\\u0000y\",null,true],\"b\":{\"c\":-3},\"d\":\"\"}";
	ASSAY_AUTO(assay_json) *node = NULL, *copy = NULL;
	ASSAY_AUTO_FREE char *one = NULL, *two = NULL;
	struct assay_err err;
	size_t len;

	(void)state;
	assert_int_equal(assay_json_parse(in, strlen(in), &node, &err), 0);
	copy = assay_json_copy(node);
	one = dump(node);
	two = dump(copy);
	assert_string_equal(one, two);
	assert_true(assay_json_equal(node, copy));
	assert_true(assay_json_equal(NULL, NULL));
	assert_false(assay_json_equal(node, NULL));
	assert_null(assay_json_copy(NULL));
	assert_memory_equal(assay_json_text(assay_json_at(assay_json_get(copy, "a"), 1), &len), "x\0y", 4);
	assert_int_equal(len, 3);
	assert_null(assay_json_text(copy, &len));
	/* Any one difference is seen. */
	assert_false(assay_json_equal(assay_json_at(assay_json_get(copy, "a"), 0), assay_json_at(assay_json_get(copy, "a"), 1)));
	assay_json_set_str(copy, "d", "e");
	assert_false(assay_json_equal(node, copy));
	assay_json_remove(copy, "d");
	assert_false(assay_json_equal(node, copy));
	assay_json_remove(copy, "nothing");
	assert_int_equal(assay_json_len(copy), 2);
	assay_json_set_str(copy, "d", "");
	assert_true(assay_json_equal(node, copy));
	assay_json_set_str(copy, "D", assay_json_str(assay_json_get(copy, "d")));
	assay_json_remove(copy, "d");
	assert_false(assay_json_equal(node, copy));
}

static void test_texts(void **state)
{
	static const char in[] =
		"[\"\\u0000\\u0001\\u001f\\\"\\\\\\/\\b\\f\\n\\r\\t\x7f\\u00e9\\ud83d\\ude00\"]";

	(void)state;
	expect(in, strlen(in),
	       "[\n  "
	       "\"\\u0000\\u0001\\u001f\\\"\\\\/"
	       "\\b\\f\\n\\r\\t\x7f\xc3\xa9\xf0\x9f\x98\x80\"\n]\n");
}

static void refuse(const char *in, size_t len, enum assay_code code, uint64_t at, const char *word)
{
	struct assay_json *node = NULL;
	struct assay_err err;

	assert_int_equal(assay_json_parse(in, len, &node, &err), -1);
	assert_null(node);
	if (err.code != code || err.at != at || !strstr(err.msg, word))
		fail_msg("'%.*s': code %d at %llu, %s", (int)len, in, (int)err.code,
			 (unsigned long long)err.at, err.msg);
}

#define REFUSE(in, at, word) refuse(in, strlen(in), ASSAY_E_CORRUPT, at, word)

static void test_refused(void **state)
{
	(void)state;
	REFUSE("", 0, "line 1");
	REFUSE("1", 1, "expected");
	REFUSE("{\"a\":1,\n\"a\":2}", 11, "line 2: JSON: duplicate");
	REFUSE("[1] x", 5, "end of file expected");
	REFUSE("[1]\n[2]", 5, "end of file expected");
	REFUSE("[\n\n1.0]", 3, "line 3: JSON number that is no integer");
	REFUSE("{\"a\":-1e3}", 5, "no integer");
	REFUSE("[1E2]", 1, "no integer");
	REFUSE("[9223372036854775808]", 20, "too big");
	REFUSE("[-9223372036854775809]", 21, "too big");
	REFUSE("[01]", 2, "JSON");
	REFUSE("[+1]", 2, "JSON");
	REFUSE("[1,]", 4, "JSON");
	REFUSE("['a']", 2, "JSON");
	REFUSE("[\"\xff\"]", 2, "unable to decode");
	REFUSE("[\"\xc0\x80\"]", 2, "unable to decode");
	REFUSE("[\"\\ud800\"]", 9, "JSON");
	REFUSE("{\"a\\u0000\":1}", 10, "NUL byte in object key");
	REFUSE("[\"\n\"]", 2, "JSON");
	REFUSE("[NaN]", 4, "JSON");
	REFUSE("\xef\xbb\xbf[]", 3, "JSON");
	refuse("[]\0", 3, ASSAY_E_CORRUPT, 3, "JSON");
}

/* The message quotes the input, and is still one line that a terminal may see. */
static void test_message_is_clean(void **state)
{
	struct assay_json *node = NULL;
	struct assay_err err;

	(void)state;
	assert_int_equal(assay_json_parse("[\x1b[31m\n]", 8, &node, &err), -1);
	for (const char *p = err.msg; *p; p++)
		assert_true((unsigned char)*p >= 0x20 && *p != 0x7f);
}

/* Cut anywhere, a document is refused; a copy of that length shows a read past it. */
static void test_cut(void **state)
{
	static const char in[] =
		"{\"s\": \"assay.x/1\", \"a\": [1, -2, {\"t\": true}, \"\\u00e9\xc3\xa9\"], "
		"\"n\": null}";

	(void)state;
	for (size_t n = 0; n < sizeof(in) - 1; n++) {
		char *copy = malloc(n ? n : 1);
		struct assay_json *node = NULL;
		struct assay_err err;

		assert_non_null(copy);
		memcpy(copy, in, n);
		assert_int_equal(assay_json_parse(copy, n, &node, &err), -1);
		assert_int_equal(err.code, ASSAY_E_CORRUPT);
		assert_true(err.at <= n);
		free(copy);
	}
}

static void test_depth(void **state)
{
	(void)state;
	for (int depth = ASSAY_JSON_MAX_DEPTH - 1; depth <= ASSAY_JSON_MAX_DEPTH + 1; depth++) {
		struct assay_json *node = NULL;
		char text[3 * ASSAY_JSON_MAX_DEPTH] = "";
		struct assay_err err;
		int r;

		memset(text, '[', (size_t)depth);
		memset(text + depth, ']', (size_t)depth);
		r = assay_json_parse(text, strlen(text), &node, &err);
		assert_int_equal(r, depth <= ASSAY_JSON_MAX_DEPTH ? 0 : -1);
		if (r < 0) {
			assert_int_equal(err.code, ASSAY_E_LIMIT);
			assert_int_equal(err.at, ASSAY_JSON_MAX_DEPTH);
		}
		assay_json_free(&node);
	}
	/* Brackets in texts do not count. */
	ASSAY_AUTO(assay_json) *node = NULL;
	char text[200];

	memset(text, '[', sizeof(text));
	text[1] = '"';
	text[100] = '\\';
	text[101] = '"';
	text[198] = '"';
	text[199] = ']';
	assert_int_equal(assay_json_parse(text, sizeof(text), &node, NULL), 0);
}

static void test_file(void **state)
{
	char path[] = "/tmp/assay-test-XXXXXX";
	ASSAY_AUTO(assay_json) *node = NULL;
	struct assay_err err;
	const int fd = mkstemp(path);
	char *text = malloc(ASSAY_JSON_MAX_FILE + 1);

	(void)state;
	assert_true(fd >= 0);
	assert_non_null(text);
	memset(text, ' ', ASSAY_JSON_MAX_FILE + 1);
	text[0] = '[';
	text[1] = ']';
	assert_int_equal(write(fd, text, ASSAY_JSON_MAX_FILE), ASSAY_JSON_MAX_FILE);
	assert_int_equal(assay_json_load(path, &node, &err), 0);
	assay_json_free(&node);
	assert_int_equal(assay_json_parse(text, ASSAY_JSON_MAX_FILE + 1, &node, &err), -1);
	assert_int_equal(err.code, ASSAY_E_LIMIT);
	assert_int_equal(write(fd, " ", 1), 1);
	assert_int_equal(assay_json_load(path, &node, &err), -1);
	assert_int_equal(err.code, ASSAY_E_LIMIT);
	assert_null(node);
	close(fd);
	unlink(path);
	assert_int_equal(assay_json_load(path, &node, &err), -1);
	assert_int_equal(err.code, ASSAY_E_IO);
	free(text);
}

static void test_build(void **state)
{
	ASSAY_AUTO(assay_json) *obj = assay_json_object();
	ASSAY_AUTO_FREE char *text = NULL;
	struct assay_json *arr = assay_json_array();
	struct assay_digests d;

	(void)state;
	assert_int_equal(assay_digest_mem(ASSAY_BANK_BIT(ASSAY_SHA1), "abc", 3, &d, NULL), 0);
	assay_json_set_int(obj, "twice", 1);
	assay_json_set_int(obj, "twice", 2);
	assay_json_set_str(obj, "bad \xff key", "bad \xe2\x82 text");
	assay_json_set_str(obj, "null", NULL);
	assay_json_set_bool(obj, "bool", true);
	assay_json_set_int(obj, "max", INT64_MAX);
	assay_json_set_int(obj, "more", (uint64_t)INT64_MAX + 1);
	assay_json_set_int(obj, "most", UINT64_MAX);
	assay_json_append(arr, assay_json_hex("\x01\xff", 2));
	assay_json_append(arr, assay_json_hex(NULL, 0));
	assay_json_append(arr, assay_json_string_n("a\0b", 3));
	assay_json_set(obj, "arr", arr);
	assay_json_set(obj, "digests", assay_json_digests(&d));
	text = dump(obj);
	assert_string_equal(text,
			    "{\n  \"arr\": [\n    \"01ff\",\n    \"\",\n    \"a\\u0000b\"\n  ],\n"
			    "  \"bad \xef\xbf\xbd key\": \"bad \xef\xbf\xbd\xef\xbf\xbd text\",\n"
			    "  \"bool\": true,\n"
			    "  \"digests\": {\n    \"sha1\": "
			    "\"a9993e364706816aba3e25717850c26c9cd0d89d\"\n  },\n"
			    "  \"max\": 9223372036854775807,\n"
			    "  \"more\": \"9223372036854775808\",\n"
			    "  \"most\": \"18446744073709551615\",\n"
			    "  \"null\": null,\n  \"twice\": 2\n}\n");
}

/* Whatever went missing on the way, it is told at the end. */
static void test_remembered(void **state)
{
	ASSAY_AUTO(assay_json) *obj = assay_json_object();
	struct assay_json *inner = assay_json_array();
	ASSAY_AUTO(assay_out) *out = NULL;
	struct assay_err err;
	char *text = NULL;
	size_t len;

	(void)state;
	assay_json_append(inner, NULL);
	assay_json_set(obj, "inner", inner);
	assay_json_set_int(obj, "more", 1);
	assert_int_equal(assay_json_dump(obj, &text, &len, &err), -1);
	assert_int_equal(err.code, ASSAY_E_NOMEM);
	assert_null(text);
	assert_int_equal(assay_out_memory(&out, NULL), 0);
	assert_int_equal(assay_json_write(obj, out, &err), -1);
	assert_int_equal(assay_json_dump(NULL, &text, &len, &err), -1);
	assay_json_set(NULL, "x", assay_json_null());
	assay_json_append(NULL, assay_json_null());
}

static int count_sorted(const char *key, const struct assay_json *value, void *arg)
{
	char *last = arg;

	assert_non_null(value);
	assert_true(strcmp(last, key) < 0);
	snprintf(last, 10, "%s", key);
	return strcmp(key, "stop") == 0 ? 5 : 0;
}

static void test_read(void **state)
{
	static const char in[] = "{\"s\":\"text\",\"i\":-5,\"b\":true,\"n\":null,\"a\":[1,\"x\"],"
				 "\"nul\":\"a\\u0000b\",\"o\":{\"z\":1,\"stop\":2,\"a\":3}}";
	ASSAY_AUTO(assay_json) *doc = NULL;
	char last[10] = "";
	int64_t i = 9;
	bool b = false;

	(void)state;
	assert_int_equal(assay_json_parse(in, strlen(in), &doc, NULL), 0);
	assert_true(assay_json_is_object(doc));
	assert_int_equal(assay_json_len(doc), 7);
	assert_string_equal(assay_json_str(assay_json_get(doc, "s")), "text");
	assert_null(assay_json_str(assay_json_get(doc, "i")));
	assert_null(assay_json_str(assay_json_get(doc, "nul")));
	assert_null(assay_json_str(assay_json_get(doc, "absent")));
	assert_false(assay_json_get_int(assay_json_get(doc, "s"), &i));
	assert_false(assay_json_get_int(NULL, &i));
	assert_int_equal(i, 9);
	assert_true(assay_json_get_int(assay_json_get(doc, "i"), &i));
	assert_int_equal(i, -5);
	assert_false(assay_json_get_bool(assay_json_get(doc, "n"), &b));
	assert_true(assay_json_get_bool(assay_json_get(doc, "b"), &b));
	assert_true(b);
	assert_true(assay_json_is_array(assay_json_get(doc, "a")));
	assert_false(assay_json_is_array(doc));
	assert_string_equal(assay_json_str(assay_json_at(assay_json_get(doc, "a"), 1)), "x");
	assert_null(assay_json_at(assay_json_get(doc, "a"), 2));
	assert_null(assay_json_at(doc, 0));
	assert_null(assay_json_get(assay_json_get(doc, "a"), "s"));
	assert_int_equal(assay_json_len(assay_json_get(doc, "s")), 0);
	assert_int_equal(assay_json_each(assay_json_get(doc, "o"), count_sorted, last), 5);
	assert_string_equal(last, "stop");
	assert_int_equal(assay_json_each(NULL, count_sorted, last), 0);
}

/* A large object in any order, in linear time or nearly: 200,000 members, keys descending. */
static void test_large(void **state)
{
	enum { N = 200000 };
	ASSAY_AUTO(assay_json) *doc = NULL;
	char *text = malloc(N * 20), *p = text;
	char last[10] = "";

	(void)state;
	assert_non_null(text);
	*p++ = '{';
	for (int i = N; i > 0; i--)
		p += sprintf(p, "\"%07d\":%d,", i, i);
	p[-1] = '}';
	assert_int_equal(assay_json_parse(text, (size_t)(p - text), &doc, NULL), 0);
	assert_int_equal(assay_json_len(doc), N);
	assert_int_equal(assay_json_each(doc, count_sorted, last), 0);
	free(text);
}

/* The same text as another program makes of the same value. */
static void test_python(void **state)
{
	static const char script[] =
		"import json,sys\n"
		"sys.stdout.write(json.dumps(json.load(sys.stdin),indent=2,sort_keys=True,"
		"ensure_ascii=False)+'\\n')";
	static const char in[] = "{\"k\": [[], {}, [[1]], {\"a\": {\"b\": []}}], \"\xc3\xa9\": "
				 "\"\\u0001\\b\\f\\\\/\", "
				 "\"Z\": -7, \"a b\": null, \"t\": [true, false]}";
	char path[] = "/tmp/assay-test-XXXXXX", command[500], got[1000];
	ASSAY_AUTO(assay_json) *doc = NULL;
	ASSAY_AUTO_FREE char *ours = NULL;
	FILE *p;
	int fd;

	(void)state;
	if (!unit_have("python3"))
		unit_skip("python3 is missing");
	fd = mkstemp(path);
	assert_int_equal(write(fd, in, strlen(in)), strlen(in));
	close(fd);
	snprintf(command, sizeof(command), "PYTHONIOENCODING=utf-8 python3 -c \"%s\" < %s", script,
		 path);
	p = popen(command, "r");
	assert_non_null(p);
	got[fread(got, 1, sizeof(got) - 1, p)] = '\0';
	pclose(p);
	unlink(path);
	assert_int_equal(assay_json_parse(in, strlen(in), &doc, NULL), 0);
	ours = dump(doc);
	assert_string_equal(ours, got);
}

static int use_json(struct assay_err *err)
{
	static const char in[] = "{\"b\":[1,\"two\",{}],\"a\":{\"z\":null,\"y\":true},\"c\":[]}";
	ASSAY_AUTO(assay_json) *doc = NULL;
	ASSAY_AUTO(assay_json) *built = assay_json_object();
	ASSAY_AUTO(assay_out) *out = NULL;
	ASSAY_AUTO_FREE char *text = NULL;
	ASSAY_AUTO_FREE char *written = NULL;
	struct assay_json *arr = assay_json_array();
	size_t len;

	for (uint64_t i = 0; i < 6; i++) {
		assay_json_append(arr, assay_json_int(i));
		assay_json_append(arr, assay_json_hex(&i, 1));
	}
	assay_json_set(built, "arr", arr);
	assay_json_set_str(built, "s", "t");
	if (assay_json_parse(in, strlen(in), &doc, err) < 0 ||
	    assay_json_dump(doc, &text, &len, err) < 0 || assay_out_memory(&out, err) < 0 ||
	    assay_json_write(built, out, err) < 0 || assay_out_steal(out, &written, &len, err) < 0)
		return -1;
	assert_int_equal(strlen(text), 96);
	assert_int_equal(strlen(written), 132);
	return 0;
}

/* Two ways to read: the fast one takes less, and never another thing. */
static void test_two_ways(void **state)
{
	static const struct {
		const char *text;
		bool fast;
	} texts[] = {
		{ "{}", true }, { " [ ] ", true }, { "[1,-2,999999999999999999]", true }, { "[1000000000000000000]", false },
		{ "[-0]", false }, { "[01]", false }, { "[1.5]", false }, { "[1e3]", false }, { "[-]", false }, { "[1x]", false },
		{ "[true,false,null]", true }, { "[truth]", false }, { "[nul]", false }, { "{\"b\":1,\"a\":2}", true },
		{ "{\"a\":1,\"a\":2}", false }, { "{\"b\":1,\"a\":2,\"b\":3}", false }, { "{\"a\":1,}", false }, { "[1,]", false },
		{ "[,1]", false }, { "{1:2}", false }, { "{\"a\" 1}", false }, { "[\"a\\\"b\\\\c\\/\\b\\f\\n\\r\\t\"]", true },
		{ "[\"\\u0041\"]", false }, { "[\"\\x\"]", false }, { "[\"a\\", false }, { "[\"a", false },
		{ "[\"12345678901234567890123456789012\\\"x\"]", true }, { "[\"1234567\x1f\"]", false }, { "[\"12345678\n\"]", false },
		{ "[\"\xc3\xa4 12345678 \xe2\x82\xac\"]", true }, { "[\"1234567\xc3\"]", false }, { "[\"\xed\xa0\x80\"]", false },
		{ "[] []", false }, { "[]x", false }, { "1", false }, { "\"a\"", false }, { "", false }, { "[", false }, { "{\"a\":", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		/* Of its very size, so that a read past it is seen. */
		const size_t len = strlen(texts[i].text);
		ASSAY_AUTO_FREE char *copy = malloc(len + 1);
		ASSAY_AUTO(assay_json) *fast = NULL;
		ASSAY_AUTO(assay_json) *strict = NULL;
		struct assay_err err;

		memcpy(copy, texts[i].text, len);
		fast = assay_json_parse_fast(copy, len);
		if ((fast != NULL) != texts[i].fast)
			fail_msg("%s", texts[i].text);
		if (fast && (assay_json_parse_strict(copy, len, &strict, &err) < 0 || !assay_json_equal(fast, strict)))
			fail_msg("%s", texts[i].text);
	}
}

/* Trees in one block, changed: what is added, replaced, taken out, and what outlives the rest. */
static void test_block(void **state)
{
	static const char text[] = "{\"a\":{\"x\":[1,2]},\"b\":\"t\",\"c\":{\"d\":{}}}";
	ASSAY_AUTO(assay_json) *top = NULL;
	ASSAY_AUTO(assay_json) *taken = NULL;
	ASSAY_AUTO(assay_json) *copy = NULL;
	ASSAY_AUTO(assay_json) *outer = assay_json_object();
	ASSAY_AUTO_FREE char *out = NULL;
	struct assay_err err;

	(void)state;
	assert_int_equal(assay_json_parse(text, strlen(text), &top, &err), 0);
	copy = assay_json_copy(top);
	assert_true(assay_json_equal(copy, top));
	assay_json_set_str(copy, "b", "other");
	for (int i = 0; i < 20; i++) {
		char key[8];

		snprintf(key, sizeof(key), "k%d", i);
		assay_json_set(copy, key, assay_json_copy(top));
	}
	assay_json_remove(copy, "a");
	assert_int_equal(assay_json_len(copy), 22);
	taken = assay_json_take(&top, "a");
	assert_null(top);
	assert_int_equal(assay_json_len(assay_json_get(taken, "x")), 2);
	assay_json_set(outer, "inner", assay_steal(&taken));
	assay_json_set(outer, "copy", assay_steal(&copy));
	out = dump(assay_json_get(outer, "inner"));
	assert_string_equal(out, "{\n  \"x\": [\n    1,\n    2\n  ]\n}\n");
	/* One that nobody parsed is copied. */
	assert_null(assay_json_take(&outer, "nobody"));
	taken = assay_json_take(&outer, "inner");
	assert_non_null(outer);
	assert_true(assay_json_equal(taken, assay_json_get(outer, "inner")));
}

static void test_out_of_memory(void **state)
{
	(void)state;
	unit_alloc_each(use_json, true);
}

/* Long texts, which jansson does not get to see, beside what looks like their stand-ins. */
static void test_long(void **state)
{
	static const char odd[] = "\\u0000000";
	ASSAY_AUTO(assay_json) *node = NULL;
	ASSAY_AUTO_FREE char *text = malloc(1 << 20);
	char longs[3][100];
	struct assay_err err;
	size_t len;

	(void)state;
	for (unsigned with_odd = 0; with_odd < 2; with_odd++) {
		for (unsigned i = 0; i < 3; i++) {
			memset(longs[i], 'a' + (int)i, 38 + i);
			longs[i][38 + i] = '\0';
		}
		len = (size_t)sprintf(text, "{ \"a\" :\n\t [\"%s\",  \"%s\" , \"%s\"%s%s%s ],\r\n  \"b\":  \"  x  \" } ", longs[0],
				      longs[1], longs[2], with_odd ? ",\"" : "", with_odd ? odd : "", with_odd ? "\"" : "");
		if (assay_json_parse(text, len, &node, &err) < 0)
			fail_msg("%s", err.msg);
		for (unsigned i = 0; i < 3; i++)
			assert_string_equal(assay_json_str(assay_json_at(assay_json_get(node, "a"), i)), longs[i]);
		assert_string_equal(assay_json_str(assay_json_get(node, "b")), "  x  ");
		if (with_odd) {
			const char *s = assay_json_text(assay_json_at(assay_json_get(node, "a"), 3), &len);

			assert_int_equal(len, 4);
			assert_memory_equal(s, "\0" "000", 4);
		}
		assay_json_free(&node);
	}
	/* As a key; with something wrong behind it, told by its place; thousands of them, in order. */
	len = (size_t)sprintf(text, "{\"%s\":1}", longs[2]);
	assert_int_equal(assay_json_parse(text, len, &node, &err), 0);
	assert_non_null(assay_json_get(node, longs[2]));
	assay_json_free(&node);
	len = (size_t)sprintf(text, "[\"%s\",\n      x]", longs[2]);
	assert_int_equal(assay_json_parse(text, len, &node, &err), -1);
	assert_non_null(strstr(err.msg, "line 2"));
	assert_true(err.at > 40 && err.at <= len);
	len = (size_t)sprintf(text, "{\"x\":\"%s\",\"x\":\"%s\"}", longs[2], longs[2]);
	assert_int_equal(assay_json_parse(text, len, &node, &err), -1);
	text[0] = '[';
	len = 1;
	for (unsigned i = 0; i < 9000; i++)
		len += (size_t)sprintf(text + len, "%s\"%060u\"", i ? "," : "", i);
	text[len++] = ']';
	assert_int_equal(assay_json_parse(text, len, &node, &err), 0);
	for (unsigned i = 0; i < 9000; i++) {
		char want[64];

		sprintf(want, "%060u", i);
		assert_string_equal(assay_json_str(assay_json_at(node, i)), want);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_long), cmocka_unit_test(test_layout),	      cmocka_unit_test(test_copies),
		cmocka_unit_test(test_texts),
	cmocka_unit_test(test_refused),	      cmocka_unit_test(test_message_is_clean),
	cmocka_unit_test(test_cut),	      cmocka_unit_test(test_depth),
	cmocka_unit_test(test_file),	      cmocka_unit_test(test_build),
	cmocka_unit_test(test_remembered),    cmocka_unit_test(test_read),
	cmocka_unit_test(test_large),	      cmocka_unit_test(test_python),
	cmocka_unit_test(test_out_of_memory), cmocka_unit_test(test_two_ways),
	cmocka_unit_test(test_block),
};

UNIT_MAIN(tests)
