/* SPDX-License-Identifier: Apache-2.0 */
/* Two lists of events beside each other: what is the same, changed, more, fewer. */
#include "core/limits.h"
#include "precompute/align.h"
#include "tests/unit/alloc.h"
#include "tpm/event.h"

#define SHA256 ASSAY_BANK_BIT(ASSAY_SHA256)
#define BOTH (SHA256 | ASSAY_BANK_BIT(ASSAY_SHA1))

static struct assay_err err;

/*
 * A list as a text: each event is a letter for its digest, upper case for EV_SEPARATOR and lower case for
 * EV_COMPACT_HASH whose words are that letter; "[abc]" is an event that accepts any of these.
 */
struct lists {
	struct assay_prediction p;
	struct assay_eventlog log;
	struct assay_digests *values;
	size_t n_values;
};

static struct assay_digests digest(char c, unsigned banks)
{
	struct assay_digests d = { .banks = banks };

	for (int b = 0; b < ASSAY_N_BANKS; b++)
		if (banks & ASSAY_BANK_BIT(b))
			memset(d.d[b], c, assay_bank_size((enum assay_bank)b));
	return d;
}

static uint32_t type_of(char c)
{
	return c >= 'A' && c <= 'Z' ? EV_SEPARATOR : EV_COMPACT_HASH;
}

static struct lists make(const char *predicted, const char *logged)
{
	struct lists l = { 0 };

	l.p.events = calloc(strlen(predicted) + 1, sizeof(*l.p.events));
	l.values = calloc(strlen(predicted) + 1, sizeof(*l.values));
	l.log.events = calloc(strlen(logged) + 1, sizeof(*l.log.events));
	assert_true(l.p.events && l.values && l.log.events);
	for (const char *c = predicted; *c; c++) {
		struct assay_pred_event *ev = &l.p.events[l.p.n++];

		*ev = (struct assay_pred_event){ .pcr = 4,
						 .type = type_of(c[*c == '[']),
						 .values = &l.values[l.n_values] };
		ev->source = strdup("platform p");
		ev->detail = malloc(16);
		assert_non_null(ev->detail);
		snprintf(ev->detail, 16, "hash of \"%c\"", c[*c == '[']);
		if (*c != '[') {
			l.values[l.n_values++] = digest(*c, BOTH);
			ev->n_values = 1;
			continue;
		}
		for (c++; *c != ']'; c++, ev->n_values++)
			l.values[l.n_values++] = digest(*c, BOTH);
	}
	for (const char *c = logged; *c; c++)
		l.log.events[l.log.n++] = (struct assay_event){ .pcr = 4,
								.type = type_of(*c),
								.digests = digest(*c, BOTH),
								.data = (const uint8_t *)c,
								.data_len = 1 };
	return l;
}

static void clear(struct lists *l)
{
	for (size_t i = 0; i < l->p.n; i++) {
		free(l->p.events[i].source);
		free(l->p.events[i].detail);
	}
	free(l->p.events);
	free(l->values);
	free(l->log.events);
}

/* The alignment as a text: "a" same, "a>b" changed, "-a" only predicted, "+b" only logged. */
static void expect_in(unsigned banks, const char *predicted, const char *logged, const char *want)
{
	struct lists l = make(predicted, logged);
	struct assay_alignment a;
	char text[256] = "";
	size_t pred = 0, real = 0, differing = 0;

	assert_int_equal(assay_align(&l.p, &l.log, 4, banks, &a, &err), 0);
	for (size_t i = 0; i < a.n; i++) {
		const struct assay_row *r = &a.rows[i];
		const size_t n = strlen(text);
		const char p = r->pred ? (char)r->pred->values[0].d[ASSAY_SHA256][0] : '-';
		const char q = r->real ? (char)r->real->digests.d[ASSAY_SHA256][0] : '-';

		switch (r->kind) {
		case ASSAY_ROW_SAME:
			snprintf(text + n, sizeof(text) - n, "%c", q);
			break;
		case ASSAY_ROW_CHANGED:
			snprintf(text + n, sizeof(text) - n, "%c>%c", p, q);
			break;
		case ASSAY_ROW_ONLY_PREDICTED:
			snprintf(text + n, sizeof(text) - n, "-%c", p);
			break;
		case ASSAY_ROW_ONLY_LOGGED:
			snprintf(text + n, sizeof(text) - n, "+%c", q);
			break;
		}
		differing += r->kind != ASSAY_ROW_SAME;
		/* Both lists come out whole and in their order. */
		assert_int_equal(r->n_pred, r->pred ? ++pred : 0);
		assert_int_equal(r->n_real, r->real ? ++real : 0);
		assert_true(!r->pred || r->pred == &l.p.events[pred - 1]);
		assert_true(!r->real || r->real == &l.log.events[real - 1]);
		assert_int_equal(r->at, r->real ? real - 1 : real);
	}
	assert_int_equal(pred, l.p.n);
	assert_int_equal(real, l.log.n);
	assert_int_equal(a.differing, differing);
	assert_false(a.by_place);
	assert_string_equal(text, want);
	assay_alignment_clear(&a);
	clear(&l);
}

static void expect(const char *predicted, const char *logged, const char *want)
{
	expect_in(BOTH, predicted, logged, want);
}

static void test_same(void **state)
{
	(void)state;
	expect("", "", "");
	expect("a", "a", "a");
	expect("abCd", "abCd", "abCd");
}

static void test_more_and_fewer(void **state)
{
	(void)state;
	expect("", "ab", "+a+b");
	expect("ab", "", "-a-b");
	expect("abc", "xabc", "+xabc");
	expect("abc", "axbc", "a+xbc");
	expect("abc", "abcx", "abc+x");
	expect("abc", "bc", "-abc");
	expect("abc", "ac", "a-bc");
	expect("abc", "ab", "ab-c");
	expect("aab", "aaab", "aa+ab");
	/* one here, another there */
	expect("abcdef", "abxcdf", "ab+xcd-ef");
}

static void test_changed(void **state)
{
	(void)state;
	expect("abc", "axc", "ab>xc");
	expect("a", "x", "a>x");
	/* Events of two kinds never stand for each other. */
	expect("abc", "aXc", "a-b+Xc");
	/* A change, and one more of another kind beside it. */
	expect("abc", "aXyc", "a+Xb>yc");
	expect("abc", "ayXc", "ab>y+Xc");
}

static void test_sets(void **state)
{
	(void)state;
	expect("a[bxy]c", "abc", "abc");
	expect("a[bxy]c", "ayc", "ayc");
	expect("a[bxy]c", "azc", "ab>zc");
	expect("[ab][ab]", "ba", "ba");
	expect("[ab]c", "zac", "+zac");
}

/* Of events of one kind the one of the same name stands for the other. */
static void test_names(void **state)
{
	struct lists l = make("abc", "xyz");
	struct assay_alignment a;

	(void)state;
	/* "b" is measured first, with another digest; one is more, one is gone */
	l.log.events[0].data = (const uint8_t *)"b";
	l.log.events[1].data = (const uint8_t *)"c";
	l.log.events[2].data = (const uint8_t *)"d";
	assert_int_equal(assay_align(&l.p, &l.log, 4, BOTH, &a, &err), 0);
	assert_int_equal(a.n, 4);
	assert_int_equal(a.rows[0].kind, ASSAY_ROW_ONLY_PREDICTED);
	assert_int_equal(a.rows[1].kind, ASSAY_ROW_CHANGED);
	assert_int_equal(a.rows[2].kind, ASSAY_ROW_CHANGED);
	assert_int_equal(a.rows[3].kind, ASSAY_ROW_ONLY_LOGGED);
	assay_alignment_clear(&a);
	clear(&l);
}

static void test_banks(void **state)
{
	struct lists l = make("a", "a");
	struct assay_alignment a;

	(void)state;
	/* Both banks have to agree where both are there. */
	l.log.events[0].digests.d[ASSAY_SHA1][0] ^= 1;
	assert_int_equal(assay_align(&l.p, &l.log, 4, BOTH, &a, &err), 0);
	assert_int_equal(a.differing, 1);
	assay_alignment_clear(&a);
	assert_int_equal(assay_align(&l.p, &l.log, 4, SHA256, &a, &err), 0);
	assert_int_equal(a.differing, 0);
	assay_alignment_clear(&a);
	/* A digest that is not there equals nothing. */
	l.log.events[0].digests.banks = ASSAY_BANK_BIT(ASSAY_SHA1);
	assert_int_equal(assay_align(&l.p, &l.log, 4, SHA256, &a, &err), 0);
	assert_int_equal(a.differing, 1);
	assay_alignment_clear(&a);
	/* Other PCRs, and what extends none. */
	assert_int_equal(assay_align(&l.p, &l.log, 5, BOTH, &a, &err), 0);
	assert_int_equal(a.n, 0);
	assay_alignment_clear(&a);
	l.log.events[0].type = l.p.events[0].type = EV_NO_ACTION;
	assert_int_equal(assay_align(&l.p, &l.log, 4, BOTH, &a, &err), 0);
	assert_int_equal(a.n, 0);
	assay_alignment_clear(&a);
	clear(&l);
}

/* At the ceiling each pair is looked at; past it they are paired by their place. */
static void test_ceiling(void **state)
{
	const size_t side = 1024;
	char *a = calloc(1, side + 2), *b = calloc(1, side + 2);
	struct assay_alignment al;
	struct lists l;

	(void)state;
	assert_true(a && b);
	assert_int_equal(side * side, ASSAY_ALIGN_MAX_PAIRS);
	/* Nothing at the ends is the same; one letter is shifted by one. */
	for (size_t i = 0; i < side; i++) {
		a[i] = "abcdefg"[i % 7];
		b[i] = "gabcdef"[i % 7];
	}
	a[0] = 'x';
	b[side - 1] = 'y';
	l = make(a, b);
	assert_int_equal(assay_align(&l.p, &l.log, 4, BOTH, &al, &err), 0);
	assert_false(al.by_place);
	assert_true(al.differing < 8);
	assay_alignment_clear(&al);
	clear(&l);
	a[side] = 'z';
	l = make(a, b);
	assert_int_equal(assay_align(&l.p, &l.log, 4, BOTH, &al, &err), 0);
	assert_true(al.by_place);
	assert_int_equal(al.n, side + 1);
	assert_true(al.differing > side / 2);
	assert_int_equal(al.rows[side].kind, ASSAY_ROW_ONLY_PREDICTED);
	assay_alignment_clear(&al);
	clear(&l);
	free(a);
	free(b);
}

static void test_words(void **state)
{
	struct lists l = make("a[bc]d", "axE");
	struct assay_alignment a;
	static const char *const want[] = {
		"event 1: ", "event 2: the machine measured EV_COMPACT_HASH (hash of \"x\"), 7878",
		"event 3 is missing: predicted EV_COMPACT_HASH (platform p: hash of \"d\"), 6464",
		"event 3 is one more: the machine measured EV_SEPARATOR (separator \"E\"), 4545"
	};

	(void)state;
	assert_int_equal(assay_align(&l.p, &l.log, 4, BOTH, &a, &err), 0);
	assert_int_equal(a.n, 4);
	for (size_t i = 0; i < a.n; i++) {
		char *words = assay_row_words(&a.rows[i], ASSAY_SHA256);

		assert_non_null(words);
		if (strncmp(words, want[i], strlen(want[i])) != 0)
			fail_msg("%s", words);
		free(words);
	}
	assay_alignment_clear(&a);
	clear(&l);
}

static struct lists given;

static int align_once(struct assay_err *e)
{
	struct assay_alignment a;

	if (assay_align(&given.p, &given.log, 4, BOTH, &a, e) < 0)
		return -1;
	assay_alignment_clear(&a);
	return 0;
}

static void test_memory(void **state)
{
	(void)state;
	given = make("abcd[ef]g", "axcXfg");
	unit_alloc_each(align_once, true);
	clear(&given);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),	cmocka_unit_test(test_more_and_fewer), cmocka_unit_test(test_changed),
		cmocka_unit_test(test_sets),	cmocka_unit_test(test_names),	       cmocka_unit_test(test_banks),
		cmocka_unit_test(test_ceiling), cmocka_unit_test(test_words),	       cmocka_unit_test(test_memory),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
