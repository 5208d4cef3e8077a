/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proof DIR SEED N: mutations of a proof that is good, checked in this process; built with ASan and UBSan.
 *
 * DIR has proof.json, signed.json (a manifest), key.pub and root.pem; the nonce is the proof's own. Mutation number i hangs on
 * SEED and i alone: `proof DIR SEED i+1 i` repeats it. None may be accepted, except one that is the same document:
 *
 *   same          the same JSON value: white space, order of members, escapes in strings
 *   source        ak.source is another of its four words (nothing signs it)
 *   hint          manifest is null: the hint is left out
 *   no-tcg-log    tcg_log is null: the platform has none
 *   tcg-log       tcg_log has other texts, or other digests of SHA-1; where it leads to is the same
 *   log           runtime_log has other banks besides SHA-256, its banks or events of two PCRs in another order: each PCR's
 *                 events are the same, and in their order
 *   public        ak.public says other things of the same key, which its certificate alone speaks for
 *
 * (docs/VERIFY.md, "What a proof has that nothing signs".) The last lines are the figures.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/verify.h"
#include "core/base64.h"
#include "core/clock.h"
#include "core/text.h"
#include "tpm/eventlog.h"

#define AT 1795348800 /* 2026-11-22T12:00:00Z */
#define MAX_VALUES 4096

static void die(const char *what, const struct assay_err *err)
{
	fprintf(stderr, "proof: %s: %s\n", what, err ? err->msg : "failed");
	exit(2);
}

static char *slurp(const char *dir, const char *name, size_t *len)
{
	char path[4096];
	char *text = NULL;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "r");
	if (!f || fseek(f, 0, SEEK_END) < 0)
		die(path, NULL);
	*len = (size_t)ftell(f);
	rewind(f);
	text = malloc(*len + 1);
	if (!text || fread(text, 1, *len, f) != *len)
		die(path, NULL);
	text[*len] = '\0';
	fclose(f);
	return text;
}

/* --- chance (splitmix64) -------------------------------------------------------------------------- */

static uint64_t state;

static uint64_t chance(void)
{
	uint64_t z = (state += 0x9e3779b97f4a7c15U);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
	return z ^ (z >> 31);
}

static size_t below(size_t n)
{
	return n ? (size_t)(chance() % n) : 0;
}

/* --- the good one, and where its values are ------------------------------------------------------- */

struct value {
	size_t begin, end; /* of the value */
	size_t key;	   /* where its member begins; or `begin`, in an array */
	size_t parent;	   /* index; SIZE_MAX: none */
	char kind;	   /* the first character: { [ " digit t f n */
};

static char *good;
static size_t good_len;
static struct assay_json *good_json;
static struct value values[MAX_VALUES];
static size_t n_values;

static size_t skip_space(size_t at)
{
	while (at < good_len && strchr(" \t\r\n", good[at]))
		at++;
	return at;
}

static size_t skip_string(size_t at)
{
	for (at++; good[at] != '"'; at++)
		if (good[at] == '\\')
			at++;
	return at + 1;
}

/* The text is JSON, as assay_json_parse() has found, and no deeper than that allows. */
static size_t scan(size_t at, size_t key, size_t parent)
{
	const size_t me = n_values;

	if (n_values == MAX_VALUES)
		die("more values than there is room for", NULL);
	values[n_values++] = (struct value){ at, 0, key, parent, good[at] };
	if (good[at] == '{' || good[at] == '[') {
		const char open = good[at];

		for (at = skip_space(at + 1); good[at] != '}' && good[at] != ']';) {
			const size_t member = at;

			if (open == '{')
				at = skip_space(skip_space(skip_string(at)) + 1);
			at = skip_space(scan(at, member, me));
			if (good[at] == ',')
				at = skip_space(at + 1);
		}
		at++;
	} else if (good[at] == '"') {
		at = skip_string(at);
	} else {
		while (!strchr(",]} \n\r\t", good[at]))
			at++;
	}
	values[me].end = at;
	return at;
}

static const struct value *any_value(char kind)
{
	for (unsigned tries = 0; tries < 10000; tries++) {
		const struct value *v = &values[1 + below(n_values - 1)];

		if (!kind || v->kind == kind)
			return v;
	}
	return &values[1];
}

/* A value by the name of its member; the first there is. */
static const struct value *named(const char *name)
{
	char key[64];

	snprintf(key, sizeof(key), "\"%s\"", name);
	for (size_t i = 1; i < n_values; i++)
		if (values[i].key != values[i].begin && strncmp(good + values[i].key, key, strlen(key)) == 0)
			return &values[i];
	die(name, NULL);
	return NULL;
}

/* --- texts --------------------------------------------------------------------------------------- */

static struct assay_str out;

static void put(size_t begin, size_t end)
{
	if (end > begin)
		assay_str_add_n(&out, good + begin, end - begin);
}

static void replace(size_t begin, size_t end, const void *p, size_t n)
{
	put(0, begin);
	if (n)
		assay_str_add_n(&out, p, n);
	put(end, good_len);
}

static void replace_text(const struct value *v, const char *text)
{
	replace(v->begin, v->end, text, strlen(text));
}

static void bytes(void)
{
	const size_t at = below(good_len), n = 1 + below(8);
	uint8_t some[8];

	for (size_t i = 0; i < sizeof(some); i++)
		some[i] = (uint8_t)chance();
	switch (below(5)) {
	case 0:
		some[0] = (uint8_t)(good[at] ^ (1 << below(8)));
		replace(at, at + 1, some, 1);
		break;
	case 1:
		replace(at, at + 1, some, 1);
		break;
	case 2:
		replace(at, at, some, n);
		break;
	case 3:
		replace(at, at + n < good_len ? at + n : good_len, NULL, 0);
		break;
	default:
		put(0, at);
	}
}

/* A member or an item with the comma that goes with it. */
static void span(const struct value *v, size_t *begin, size_t *end)
{
	*begin = v->key;
	*end = v->end;
	const size_t next = skip_space(v->end);
	if (good[next] == ',') {
		*end = skip_space(next + 1);
		return;
	}
	for (size_t at = v->key; at-- > 0;) {
		if (good[at] == ',')
			*begin = at;
		if (!strchr(" \t\r\n", good[at]))
			break;
	}
}

static void structure(void)
{
	static const char *const others[] = { "null", "true", "false", "0", "-1", "15", "1.5", "1e3", "\"\"", "[]", "{}", "[null]",
					      "\"sha256\"", "\"00\"", "9223372036854775807", "18446744073709551616", "\"\\u0000\"" };
	const struct value *a = any_value('\0'), *b = any_value('\0');
	size_t begin, end;

	switch (below(6)) {
	case 0:
		span(a, &begin, &end);
		replace(begin, end, NULL, 0);
		break;
	case 1: /* there twice */
		put(0, a->end);
		assay_str_add(&out, ",");
		put(a->key, good_len);
		break;
	case 2:
		replace_text(a, others[below(sizeof(others) / sizeof(others[0]))]);
		break;
	case 3: /* each in the other's place */
		for (unsigned i = 0; i < 100 && a->parent != b->parent && below(3) != 0; i++)
			b = any_value('\0');
		if (a->begin > b->begin) {
			const struct value *t = a;
			a = b;
			b = t;
		}
		if (a->end > b->begin) {
			replace(b->begin, b->end, good + a->begin, 1);
			break;
		}
		put(0, a->begin);
		put(b->begin, b->end);
		put(a->end, b->begin);
		put(a->begin, a->end);
		put(b->end, good_len);
		break;
	case 4: /* one for another */
		put(0, a->begin);
		put(b->begin, b->end);
		put(a->end, good_len);
		break;
	default: /* another name, or one more member */
		for (unsigned i = 0; i < 1000 && a->key == a->begin; i++)
			a = any_value('\0');
		if (below(2)) {
			const char c = (char)(good[a->key + 1] ^ 0x20);
			replace(a->key + 1, a->key + 2, &c, 1);
		} else {
			replace(a->key, a->key, "\"more\": 1, ", 11);
		}
	}
}

/* --- base64, certificates, quotes ---------------------------------------------------------------- */

static const char *const packed[] = { "message", "signature", "public", "tcg_log" };

static uint8_t *unpack(const struct value *v, size_t *len)
{
	uint8_t *p;
	struct assay_err err;

	if (assay_base64_decode(good + v->begin + 1, v->end - v->begin - 2, &p, len, &err) < 0)
		die("base64", &err);
	return p;
}

static void put_packed(const struct value *v, const uint8_t *p, size_t len)
{
	char *text = assay_base64_encode(p, len);

	replace(v->begin + 1, v->end - 1, text, strlen(text));
	free(text);
}

static void packed_bytes(void)
{
	const struct value *v = named(packed[below(4)]);
	size_t len;
	uint8_t *p = unpack(v, &len);

	switch (below(4)) {
	case 0:
		len = below(len);
		break;
	case 1:
		p = realloc(p, len + 8);
		memcpy(p + len, p, 8);
		len += 1 + below(8);
		break;
	default:
		for (size_t n = 1 + below(3); n > 0; n--)
			p[below(len)] ^= (uint8_t)(1U << below(8));
	}
	put_packed(v, p, len);
	free(p);
}

/* TPMS_ATTEST, field by field (TPM 2.0 Library, Part 2, 10.12.8). */
static void quote_field(void)
{
	const struct value *v = named("message");
	size_t len, at[12], size[12], n = 0, p = 0;
	uint8_t *b = unpack(v, &len);
	static const uint8_t fixed[] = { 8, 4, 4, 1, 8 };

#define FIELD(bytes) (at[n] = p, size[n] = (bytes), p += size[n], n++)
	FIELD(4); /* magic */
	FIELD(2); /* type */
	FIELD(2 + (size_t)(b[p] << 8 | b[p + 1])); /* qualifiedSigner */
	FIELD(2 + (size_t)(b[p] << 8 | b[p + 1])); /* extraData */
	for (size_t i = 0; i < sizeof(fixed); i++)
		FIELD(fixed[i]); /* clock, resetCount, restartCount, safe, firmwareVersion */
	FIELD(4); /* count of selections */
	FIELD(2 + 1 + 3); /* the first */
	at[n] = p; /* the rest */
	size[n] = len - p;
	n++;
	const size_t i = below(n);
	switch (below(4)) {
	case 0:
		memset(b + at[i], 0, size[i]);
		break;
	case 1:
		memset(b + at[i], 0xff, size[i]);
		break;
	case 2:
		b[at[i] + size[i] - 1]++;
		break;
	default:
		for (size_t k = 0; k < size[i]; k++)
			b[at[i] + k] = (uint8_t)chance();
	}
	put_packed(v, b, len);
	free(b);
}

static void base64_written_otherwise(void)
{
	const struct value *v = named(packed[below(4)]);
	const size_t begin = v->begin + 1, end = v->end - 1, at = begin + below(end - begin);
	static const char *const inside[] = { " ", "\\n", "=", "-", "_", "\\u000a", "." };
	char c;

	switch (below(4)) {
	case 0: /* without its padding, or with more of it */
		if (good[end - 1] == '=')
			replace(end - 1, end, NULL, 0);
		else
			replace(end, end, "=", 1);
		break;
	case 1:
		replace(at, at, inside[below(7)], strlen(inside[below(1)]));
		break;
	case 2: /* bits after the end */
		c = good[end - 2] == '=' ? 'B' : 'C';
		replace(end - 3, end - 2, &c, 1);
		break;
	default: /* the other alphabet */
		put(0, begin);
		for (size_t i = begin; i < end; i++)
			assay_str_add(&out, "%c", good[i] == '+' ? '-' : good[i] == '/' ? '_' : good[i]);
		put(end, good_len);
	}
}

static const struct value *any_pem(void)
{
	for (;;) {
		const struct value *v = any_value('"');

		if (strncmp(good + v->begin + 1, "-----BEGIN", 10) == 0)
			return v;
	}
}

/* PEM as it stands in JSON: \n are two characters there. */
static void certificate(void)
{
	const struct value *v = any_pem();
	const char *body = strstr(good + v->begin, "-----\\n") + 7;
	const char *tail = strstr(body, "-----END");
	ASSAY_AUTO_FREE char *plain = malloc((size_t)(tail - body) + 1);
	static const char *const space[] = { " ", "\\r", "\\n", "\\t", "-", "=", "x", "\\u0000" };
	size_t n = 0, len;
	struct assay_err err;
	uint8_t *der;

	if (below(5) == 0) {
		const size_t at = v->begin + 1 + below(v->end - v->begin - 1);
		const char *s = space[below(8)];

		replace(at, at, s, strlen(s));
		return;
	}
	for (const char *p = body; p < tail; p++) {
		if (p[0] == '\\')
			p++;
		else
			plain[n++] = *p;
	}
	if (assay_base64_decode(plain, n, &der, &len, &err) < 0)
		die("PEM", &err);
	switch (below(4)) {
	case 0:
		len -= 1 + below(len - 1);
		break;
	case 1: /* something behind it */
		der = realloc(der, len + 4);
		memset(der + len, (int)below(256), 4);
		len += 1 + below(4);
		break;
	default:
		for (size_t k = 1 + below(2); k > 0; k--)
			der[below(len)] ^= (uint8_t)(1U << below(8));
	}
	ASSAY_AUTO_FREE char *text = assay_base64_encode(der, len);
	free(der);
	put(0, (size_t)(body - good));
	const size_t width = below(8) ? 64 : 76;
	for (size_t i = 0; i < strlen(text); i += width)
		assay_str_add(&out, "%.*s\\n", (int)width, text + i);
	put((size_t)(tail - good), good_len);
}

/* Hex in upper case, or of another digit. */
static void hex(void)
{
	for (unsigned tries = 0; tries < 10000; tries++) {
		const struct value *v = any_value('"');
		const size_t n = v->end - v->begin - 2;

		if (n < 16 || strspn(good + v->begin + 1, "0123456789abcdef") < n)
			continue;
		const size_t at = v->begin + 1 + below(n);
		char c = good[at];
		switch (below(3)) {
		case 0: /* zeros have no case */
			if (c < 'a')
				continue;
			c = (char)(c - 0x20);
			break;
		case 1:
			c = c == '0' ? '1' : '0';
			break;
		default:
			replace(v->begin + 1, v->begin + 1, "0x", 2);
			return;
		}
		replace(at, at + 1, &c, 1);
		return;
	}
}

/* --- the runtime log, well made ------------------------------------------------------------------- */

/* Records in another order, dropped, twice, new, in another PCR: with right numbers and digests. */
static void records(void)
{
	ASSAY_AUTO(assay_cel) *log = NULL;
	ASSAY_AUTO(assay_cel) *cel = assay_cel_new();
	ASSAY_AUTO(assay_json) *o = assay_json_copy(good_json);
	ASSAY_AUTO_FREE char *text = NULL;
	struct assay_err err;
	size_t len;

	if (assay_cel_parse(assay_json_get(good_json, "runtime_log"), &log, &err) < 0)
		die("runtime_log", &err);
	const size_t what = below(6), i = below(log->n), j = below(log->n);
	for (size_t k = 0; k < log->n; k++) {
		const struct assay_cel_record *r = &log->records[what == 0 && k == i ? j : what == 0 && k == j ? i : k];
		const struct assay_runtime_event zero = { ASSAY_CARRY_SENTINEL, "", 0 };
		unsigned pcr = r->pcr, banks = log->banks;

		if (what == 1 && k == i)
			continue;
		if (what == 3 && k == i)
			pcr = (unsigned)below(24);
		if (what == 5)
			banks = 1U + (unsigned)below(ASSAY_ALL_BANKS);
		if (assay_cel_add(cel, pcr, &r->event, what == 5 && k > 0 ? cel->banks : banks, NULL, &err) < 0)
			die("a record", &err);
		if ((what == 2 && k == i && assay_cel_add(cel, pcr, &r->event, banks, NULL, &err) < 0) ||
		    (what == 4 && k == i && assay_cel_add(cel, (unsigned)below(16), below(2) ? &zero : &log->records[j].event, banks, NULL, &err) < 0))
			die("a record", &err);
	}
	assay_json_set(o, "runtime_log", assay_cel_json(cel));
	if (assay_json_dump(o, &text, &len, &err) < 0)
		die("dump", &err);
	assay_str_add_n(&out, text, len);
}

/* --- the same document ---------------------------------------------------------------------------- */

static void written_otherwise(void)
{
	ASSAY_AUTO_FREE char *text = NULL;
	struct assay_err err;
	const struct value *v;
	size_t len;

	switch (below(4)) {
	case 0: /* white space before a value */
		v = any_value('\0');
		replace(v->begin, v->begin, "\n\t ", 1 + below(3));
		break;
	case 1: /* members in order of their names */
		if (assay_json_dump(good_json, &text, &len, &err) < 0)
			die("dump", &err);
		assay_str_add_n(&out, text, len);
		break;
	case 2: { /* a character by its number */
		v = any_value('"');
		const size_t at = v->begin + 1 + below(v->end - v->begin - 2);
		char escaped[8];
		if (v->end - v->begin < 3 || good[at] == '\\' || good[at - 1] == '\\') {
			put(0, good_len);
			break;
		}
		snprintf(escaped, sizeof(escaped), "\\u%04x", (unsigned char)good[at]);
		replace(at, at + 1, escaped, 6);
		break;
	}
	default: /* a member moved to the end of its object */
		do
			v = any_value('\0');
		while (v->key == v->begin);
		const struct value *in = &values[v->parent];
		size_t begin, end;
		span(v, &begin, &end);
		if (good[begin] == ',' || skip_space(v->end) + 1 == in->end) {
			put(0, good_len);
			break;
		}
		put(0, begin);
		put(end, in->end - 1);
		assay_str_add(&out, ", ");
		put(v->key, v->end);
		put(in->end - 1, good_len);
	}
}

static void unsigned_parts(void)
{
	static const char *const sources[] = { "\"azure\"", "\"gcp\"", "\"ek\"", "\"handle\"", "\"other\"", "null" };
	static const char *const hints[] = { "null", "{\"name\": \"other\"}", "{\"name\": \"example\", \"release\": 7}", "{\"name\": \"exampl\"}",
					     "\"example\"" };

	switch (below(4)) {
	case 0:
		replace_text(named("source"), sources[below(6)]);
		break;
	case 1:
		replace_text(named("manifest"), hints[below(5)]);
		break;
	case 2:
		replace_text(named("tcg_log"), below(2) ? "null" : "\"\"");
		break;
	default:
		packed_bytes();
	}
}

static const struct {
	const char *name;
	void (*fn)(void);
	unsigned weight;
} mutations[] = {
	{ "bytes", bytes, 20 },
	{ "structure", structure, 25 },
	{ "packed bytes", packed_bytes, 10 },
	{ "quote fields", quote_field, 10 },
	{ "base64", base64_written_otherwise, 6 },
	{ "certificates", certificate, 10 },
	{ "hex", hex, 7 },
	{ "records", records, 12 },
	{ "written otherwise", written_otherwise, 3 },
	{ "what nothing signs", unsigned_parts, 5 },
};
#define N_MUTATIONS (sizeof(mutations) / sizeof(mutations[0]))

static size_t mutate(void)
{
	unsigned sum = 0, at = 0;
	size_t which = 0;

	for (size_t i = 0; i < N_MUTATIONS; i++)
		sum += mutations[i].weight;
	const unsigned pick = (unsigned)below(sum);
	while (pick >= at + mutations[which].weight)
		at += mutations[which++].weight;
	mutations[which].fn();
	return which;
}

/* --- is it the same? ------------------------------------------------------------------------------ */

enum same { SAME, SOURCE, HINT, NO_TCG_LOG, TCG_LOG, LOG, PUBLIC, OTHER };
static const char *const same_names[] = { "same", "source", "hint", "no-tcg-log", "tcg-log", "log", "public" };

/* Does the second lead to the values of the first? In the bank that decides. */
static bool same_pcrs(const struct assay_json *a, const struct assay_json *b)
{
	const struct assay_json *node[2] = { a, b };
	struct assay_pcrs pcrs[2] = { 0 };

	for (int i = 0; i < 2; i++) {
		ASSAY_AUTO(assay_eventlog) *log = NULL;
		ASSAY_AUTO_FREE uint8_t *p = NULL;
		size_t len, n;
		const char *text = assay_json_text(node[i], &len);

		if (!text || assay_base64_decode(text, len, &p, &n, NULL) < 0 || assay_eventlog_parse(p, n, &log, NULL) < 0 ||
		    assay_eventlog_replay(log, ASSAY_BANK_BIT(ASSAY_SHA256), &pcrs[i], NULL, NULL) < 0)
			return false;
	}
	for (unsigned i = 0; i < ASSAY_N_PCRS; i++)
		if (((pcrs[0].have[ASSAY_SHA256] ^ pcrs[1].have[ASSAY_SHA256]) & (1U << i)) ||
		    memcmp(pcrs[0].v[ASSAY_SHA256][i], pcrs[1].v[ASSAY_SHA256][i], 32) != 0)
			return false;
	return true;
}

/* The records of each PCR, in their order. */
static bool same_events(const struct assay_json *a, const struct assay_json *b)
{
	ASSAY_AUTO(assay_cel) *x = NULL;
	ASSAY_AUTO(assay_cel) *y = NULL;

	if (assay_cel_parse(a, &x, NULL) < 0 || assay_cel_parse(b, &y, NULL) < 0 || x->n != y->n ||
	    !(y->banks & ASSAY_BANK_BIT(ASSAY_SHA256)))
		return false;
	for (unsigned pcr = 0; pcr < ASSAY_N_PCRS; pcr++) {
		size_t j = 0;

		for (size_t i = 0; i <= x->n; i++) {
			if (i < x->n && x->records[i].pcr != pcr)
				continue;
			while (j < y->n && y->records[j].pcr != pcr)
				j++;
			if (i == x->n || j == y->n) {
				if (i < x->n || j < y->n)
					return false;
				break;
			}
			const struct assay_runtime_event *p = &x->records[i].event, *q = &y->records[j++].event;
			if (p->carrier != q->carrier || p->len != q->len || memcmp(p->text, q->text, p->len) != 0)
				return false;
		}
	}
	return true;
}

/* The same key: its numbers, and the attributes that a key for quotes must have. */
static bool same_key(const struct assay_json *a, const struct assay_json *b)
{
	const struct assay_json *node[2] = { a, b };
	struct assay_tpm_public key[2];
	uint8_t *p[2] = { NULL, NULL };
	bool is = true;

	for (int i = 0; i < 2; i++) {
		size_t len, n;
		const char *text = assay_json_text(node[i], &len);

		is = is && text && assay_base64_decode(text, len, &p[i], &n, NULL) == 0 &&
		     assay_tpm_public_parse(p[i], n, &key[i], NULL) == 0;
	}
	const uint32_t must = ASSAY_TPMA_FIXED_TPM | ASSAY_TPMA_FIXED_PARENT | ASSAY_TPMA_SENSITIVE_DATA_ORIGIN | ASSAY_TPMA_RESTRICTED |
			      ASSAY_TPMA_SIGN | ASSAY_TPMA_DECRYPT;
	is = is && key[0].kind == key[1].kind && key[0].kind == ASSAY_TPM_RSA && key[0].n_len == key[1].n_len &&
	     memcmp(key[0].n, key[1].n, key[0].n_len) == 0 && key[0].exponent == key[1].exponent &&
	     (key[0].attributes & must) == (key[1].attributes & must);
	free(p[0]);
	free(p[1]);
	return is;
}

/* Which of the differences that may be. Only one: mutations are of one thing. */
static enum same compare(const char *text, size_t len)
{
	ASSAY_AUTO(assay_json) *other = NULL;
	ASSAY_AUTO(assay_json) *patched = NULL;
	enum same is = OTHER;

	if (assay_json_parse(text, len, &other, NULL) < 0)
		return OTHER;
	if (assay_json_equal(good_json, other))
		return SAME;
	const struct assay_json *ak = assay_json_get(other, "ak"), *good_ak = assay_json_get(good_json, "ak");
	const struct assay_json *tcg = assay_json_get(other, "tcg_log"), *good_tcg = assay_json_get(good_json, "tcg_log");
	struct assay_json *null = assay_json_null();

	patched = assay_json_copy(other);
	if (assay_json_equal(assay_json_get(other, "manifest"), null)) {
		assay_json_set(patched, "manifest", assay_json_copy(assay_json_get(good_json, "manifest")));
		is = HINT;
	} else if (!assay_json_equal(tcg, good_tcg)) {
		is = assay_json_equal(tcg, null) ? NO_TCG_LOG : same_pcrs(good_tcg, tcg) ? TCG_LOG : OTHER;
		assay_json_set(patched, "tcg_log", assay_json_copy(good_tcg));
	} else if (ak && !assay_json_equal(assay_json_get(ak, "source"), assay_json_get(good_ak, "source"))) {
		struct assay_json *copy = assay_json_copy(ak);
		assay_json_set(copy, "source", assay_json_copy(assay_json_get(good_ak, "source")));
		assay_json_set(patched, "ak", copy);
		is = SOURCE;
	} else if (same_events(assay_json_get(good_json, "runtime_log"), assay_json_get(other, "runtime_log")) &&
		   !assay_json_equal(assay_json_get(good_json, "runtime_log"), assay_json_get(other, "runtime_log"))) {
		assay_json_set(patched, "runtime_log", assay_json_copy(assay_json_get(good_json, "runtime_log")));
		is = LOG;
	} else if (ak && same_key(assay_json_get(ak, "public"), assay_json_get(good_ak, "public"))) {
		struct assay_json *copy = assay_json_copy(ak);
		assay_json_set(copy, "public", assay_json_copy(assay_json_get(good_ak, "public")));
		assay_json_set(patched, "ak", copy);
		is = PUBLIC;
	}
	assay_json_free(&null);
	return assay_json_equal(good_json, patched) ? is : OTHER;
}

/* --- all of it ------------------------------------------------------------------------------------ */

static struct assay_api_policy *make_policy(const char *dir)
{
	struct assay_api_policy *policy;
	struct assay_err err;
	size_t key_len, manifest_len, root_len;
	ASSAY_AUTO_FREE char *key = slurp(dir, "key.pub", &key_len);
	ASSAY_AUTO_FREE char *manifest = slurp(dir, "signed.json", &manifest_len);
	ASSAY_AUTO_FREE char *root = slurp(dir, "root.pem", &root_len);

	if (assay_api_policy_new(&policy, &err) < 0 || assay_api_add_key_mem(policy, key, key_len, &err) < 0 ||
	    assay_api_add_manifest(policy, manifest, manifest_len, AT, &err) < 0 ||
	    assay_api_add_trust_mem(policy, root, root_len, &err) < 0)
		die("the policy", &err);
	return policy;
}

/* 1: accepted, 0: refused, -1: could not say. */
static int verify(const struct assay_api_policy *policy, const struct assay_proof_request *request, const char *text, size_t len,
		  unsigned *reasons)
{
	ASSAY_AUTO(assay_proof_verdict) *verdict = NULL;
	struct assay_err err;

	if (assay_api_verify(policy, text, len, request, &verdict, &err) < 0)
		return err.code == ASSAY_E_NOMEM || err.code == ASSAY_E_CRYPTO ? (die("verify", &err), -1) : -1;
	for (size_t i = 0; i < verdict->n_reasons; i++)
		reasons[verdict->reasons[i].code]++;
	return assay_proof_verified(verdict);
}

int main(int argc, char **argv)
{
	static unsigned reasons[ASSAY_N_PROOF_REFUSALS];
	unsigned of[N_MUTATIONS] = { 0 }, accepted[OTHER] = { 0 }, refused = 0, no_json = 0, same = 0, bad = 0;
	uint8_t nonce[ASSAY_NONCE_MAX];
	size_t nonce_len = 0;
	struct assay_err err;

	if (argc < 4 || argc > 5) {
		fprintf(stderr, "usage: proof DIR SEED N [FIRST]\n");
		return 2;
	}
	const uint64_t seed = strtoull(argv[2], NULL, 10), n = strtoull(argv[3], NULL, 10);
	const uint64_t first = argc > 4 ? strtoull(argv[4], NULL, 10) : 0;
	struct assay_api_policy *policy = make_policy(argv[1]);
	good = slurp(argv[1], "proof.json", &good_len);
	if (assay_json_parse(good, good_len, &good_json, &err) < 0)
		die("proof.json", &err);
	scan(skip_space(0), skip_space(0), SIZE_MAX);
	const char *text = assay_json_str(assay_json_get(good_json, "nonce"));
	nonce_len = text ? strlen(text) / 2 : 0;
	if (text && !assay_unhex(text, strlen(text), nonce, nonce_len))
		die("nonce", NULL);
	const struct assay_proof_request request = { .at = AT, .nonce = text ? nonce : NULL, .nonce_len = nonce_len };
	if (verify(policy, &request, good, good_len, reasons) != 1)
		die("the proof that all others are made of is not accepted", NULL);

	for (uint64_t i = first; i < n; i++) {
		state = seed * 0x2545f4914f6cdd1dU + i;
		assay_str_clear(&out);
		const size_t which = mutate();
		of[which]++;
		const int r = verify(policy, &request, out.p ? out.p : "", out.len, reasons);
		const enum same is = r == 1 ? compare(out.p, out.len) : OTHER;
		if (r == 0)
			refused++;
		else if (r < 0)
			no_json++;
		else if (is != OTHER)
			accepted[is]++, same++;
		if (r == 1 && is == OTHER) {
			char name[64];

			snprintf(name, sizeof(name), "accepted-%" PRIu64 ".json", i);
			FILE *f = fopen(name, "w");
			if (f) {
				fwrite(out.p, 1, out.len, f);
				fclose(f);
			}
			printf("mutation %" PRIu64 " (%s) is accepted, and is another document: %s\n", i, mutations[which].name, name);
			bad++;
		}
	}
	for (size_t i = 0; i < N_MUTATIONS; i++)
		printf("%6u of %s\n", of[i], mutations[i].name);
	for (int i = 0; i < ASSAY_N_PROOF_REFUSALS; i++)
		if (reasons[i])
			printf("%6u times %s\n", reasons[i], assay_proof_refusal_name((enum assay_proof_refusal)i));
	for (int i = 0; i < OTHER; i++)
		printf("%6u accepted, the same document: %s\n", accepted[i], same_names[i]);
	printf("%" PRIu64 " mutations, seed %" PRIu64 ": %u refused, %u no JSON, %u the same document, %u wrongly accepted\n", n - first, seed,
	       refused, no_json, same, bad);
	assay_str_clear(&out);
	assay_json_free(&good_json);
	assay_api_policy_free(&policy);
	free(good);
	return bad ? 1 : 0;
}
