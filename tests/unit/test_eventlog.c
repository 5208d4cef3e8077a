/* SPDX-License-Identifier: Apache-2.0 */
/* The framing of event logs: each format, each cut, each ceiling, each contradiction. */
#include "core/limits.h"
#include "tests/unit/log_build.h"
#include "tpm/eventlog.h"

#define SHA1 ASSAY_BANK_BIT(ASSAY_SHA1)
#define SHA256 ASSAY_BANK_BIT(ASSAY_SHA256)
#define SHA384 ASSAY_BANK_BIT(ASSAY_SHA384)

static struct assay_err err;
static struct assay_eventlog *log_;

static int parse(struct log_build *b)
{
	assay_eventlog_free(&log_);
	return assay_eventlog_parse(b->p, b->len, &log_, &err);
}

static int teardown(void **state)
{
	(void)state;
	assay_eventlog_free(&log_);
	return 0;
}

/* Expects a refusal, and that it says so with these words and at this place. */
static void refused(struct log_build *b, enum assay_code code, const char *words, uint64_t at)
{
	struct assay_eventlog *untouched = (struct assay_eventlog *)&err;

	assert_int_equal(assay_eventlog_parse(b->p, b->len, &untouched, &err), -1);
	if (!strstr(err.msg, words))
		fail_msg("'%s' is not in: %s", words, err.msg);
	assert_int_equal(err.code, code);
	assert_int_equal(err.at, at);
	assert_ptr_equal(untouched, &err);
	free(b->p);
	*b = (struct log_build){ 0 };
}

static struct log_build small_tcg2(void)
{
	struct log_build b = { 0 };

	log_header(&b, SHA1 | SHA256);
	log_locality(&b, SHA1 | SHA256, 3);
	log_event_of(&b, 0, EV_S_CRTM_VERSION, SHA1 | SHA256, "1\0\0", 4);
	log_event_of(&b, 7, EV_SEPARATOR, SHA1 | SHA256, "\0\0\0", 4);
	return b;
}

static struct log_build small_tcg12(void)
{
	struct log_build b = { 0 };

	log_event12(&b, 0, EV_NO_ACTION, NULL, "Spec ID Event00\0\0\0\0\0\2\1\0\0", 25);
	log_event12(&b, 4, EV_EFI_ACTION, "12345678901234567890", "Calling", 7);
	log_event12(&b, 4, EV_SEPARATOR, "12345678901234567890", "\0\0\0", 4);
	return b;
}

static struct log_build small_ccel(void)
{
	static const uint16_t algs[][2] = { { 0x000c, 48 } };
	struct log_build var = log_variable(LOG_EFI_GLOBAL, "SecureBoot", "\1", 1);
	struct log_build b = { 0 };

	log_header_in(&b, 1, algs, 1);
	log_event_of(&b, 1, EV_EFI_VARIABLE_DRIVER_CONFIG, SHA384, var.p, var.len);
	log_event_of(&b, 2, EV_EFI_ACTION, SHA384, "Exit", 4);
	free(var.p);
	return b;
}

static void test_tcg2(void **state)
{
	struct log_build b = small_tcg2();
	struct assay_digests d;

	(void)state;
	assert_int_equal(parse(&b), 0);
	assert_int_equal(log_->format, ASSAY_LOG_TCG2);
	assert_int_equal(log_->banks, SHA1 | SHA256);
	assert_int_equal(log_->carried, SHA1 | SHA256);
	assert_false(log_->other_banks);
	assert_int_equal(log_->locality, 3);
	assert_false(log_->hcrtm);
	assert_null(log_->startup_unclear);
	assert_int_equal(log_->n, 4);
	assert_int_equal(log_->end, b.len);

	const struct assay_event *ev = &log_->events[3];

	assert_int_equal(ev->pcr, 7);
	assert_int_equal(ev->type, EV_SEPARATOR);
	assert_int_equal(ev->data_len, 4);
	assert_int_equal(ev->data_at, b.len - 4);
	assert_int_equal(ev->at, b.len - 4 - 4 - (2 + 32) - (2 + 20) - 4 - 8);
	assert_int_equal(assay_digest_mem(SHA1 | SHA256, "\0\0\0", 4, &d, &err), 0);
	assert_true(assay_digests_equal(&d, &ev->digests));
	free(b.p);
}

static void test_tcg12(void **state)
{
	struct log_build b = small_tcg12();

	(void)state;
	assert_int_equal(parse(&b), 0);
	assert_int_equal(log_->format, ASSAY_LOG_TCG12);
	assert_int_equal(log_->banks, SHA1);
	assert_int_equal(log_->n, 3);
	assert_int_equal(log_->events[1].digests.banks, SHA1);
	assert_memory_equal(log_->events[1].digests.d[ASSAY_SHA1], "12345678901234567890", 20);
	free(b.p);
}

static void test_ccel(void **state)
{
	struct log_build b = small_ccel();
	const size_t len = b.len;

	(void)state;
	log_fill(&b, 0xff, 4096);
	assert_int_equal(parse(&b), 0);
	assert_int_equal(log_->format, ASSAY_LOG_CCEL);
	assert_int_equal(log_->banks, SHA384);
	assert_int_equal(log_->n, 3);
	assert_int_equal(log_->end, len);
	free(b.p);
}

/* What looks like a CCEL and is not, and the other way round. */
static void test_ccel_or_not(void **state)
{
	static const uint16_t sha256[][2] = { { 0x000b, 32 } };
	struct log_build var = log_variable(LOG_EFI_GLOBAL, "SecureBoot", "\1", 1);
	struct log_build other = log_variable(LOG_EFI_GLOBAL, "DeployedMode", "\1", 1);
	struct log_build b = { 0 };

	(void)state;
	/* SHA-384 alone, but PCR 7 has an event: a PC's log. */
	log_header(&b, SHA384);
	log_event_of(&b, 7, EV_EFI_VARIABLE_DRIVER_CONFIG, SHA384, var.p, var.len);
	log_event_of(&b, 1, EV_SEPARATOR, SHA384, "\0\0\0", 4);
	assert_int_equal(parse(&b), 0);
	assert_int_equal(log_->format, ASSAY_LOG_TCG2);

	/* An Arm CVM's: other hash, header in register 0; SecureBoot is where no PC has it. */
	b.len = 0;
	log_header_in(&b, 0, sha256, 1);
	log_event_of(&b, 1, EV_EFI_VARIABLE_DRIVER_CONFIG, SHA256, var.p, var.len);
	assert_int_equal(parse(&b), 0);
	assert_int_equal(log_->format, ASSAY_LOG_CCEL);

	/* DeployedMode may be in PCR 1 of a PC (if Secure Boot is off). */
	b.len = 0;
	log_header(&b, SHA256);
	log_event_of(&b, 1, EV_EFI_VARIABLE_DRIVER_CONFIG, SHA256, other.p, other.len);
	assert_int_equal(parse(&b), 0);
	assert_int_equal(log_->format, ASSAY_LOG_TCG2);

	b.len = 0;
	log_header(&b, SHA256);
	log_event_of(&b, 2, EV_EFI_GPT_EVENT, SHA256, "", 0);
	assert_int_equal(parse(&b), 0);
	assert_int_equal(log_->format, ASSAY_LOG_CCEL);
	free(b.p);
	free(var.p);
	free(other.p);
}

/* Shorter by any number of bytes, a log is refused; only a cut between events is a shorter log. */
static void each_cut(struct log_build b)
{
	bool boundary[4096] = { false };

	assert_int_equal(parse(&b), 0);
	assert_true(b.len < sizeof(boundary));
	for (size_t i = 0; i < log_->n; i++)
		boundary[log_->events[i].data_at + log_->events[i].data_len] = true;
	for (size_t cut = 0; cut < b.len; cut++) {
		/* Exactly as large as the input, for the sanitizer's sake. */
		uint8_t *p = malloc(cut ? cut : 1);
		struct assay_eventlog *l = NULL;
		int r;

		assert_non_null(p);
		memcpy(p, b.p, cut);
		r = assay_eventlog_parse(p, cut, &l, &err);
		if (boundary[cut]) {
			assert_int_equal(r, 0);
			assert_int_equal(l->end, cut);
		} else if (r == 0) {
			/* What is left of the last event is zeros alone: padding. */
			for (size_t i = l->end; i < cut; i++)
				assert_int_equal(p[i], 0);
		} else if (cut > 0) {
			assert_int_equal(err.code, ASSAY_E_CORRUPT);
			assert_true(err.at <= cut);
		}
		assay_eventlog_free(&l);
		free(p);
	}
	free(b.p);
}

static void test_cuts(void **state)
{
	(void)state;
	each_cut(small_tcg2());
	each_cut(small_tcg12());
	each_cut(small_ccel());
}

static void test_nothing(void **state)
{
	struct log_build b = { 0 };

	(void)state;
	refused(&b, ASSAY_E_CORRUPT, "the event log is empty", ASSAY_NO_OFFSET);
	log_fill(&b, 0, 1);
	refused(&b, ASSAY_E_CORRUPT, "nothing but bytes of 0x00", 0);
	log_fill(&b, 0, 65536);
	refused(&b, ASSAY_E_CORRUPT, "nothing but bytes of 0x00", 0);
	log_fill(&b, 0xff, 65536);
	refused(&b, ASSAY_E_CORRUPT, "nothing but bytes of 0xff", 0);
	log_bytes(&b, "\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\3\0\076\0\1\0\0\0\0\0\0\0\1\2\3\4", 33);
	refused(&b, ASSAY_E_CORRUPT, "event 0 extends PCR 0x464c457f", 0);
}

static void test_padding(void **state)
{
	static const uint8_t fill[] = { 0x00, 0xff };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		for (size_t n = 0; n < 70; n++) {
			struct log_build b = small_tcg2();
			const size_t len = b.len;

			log_fill(&b, fill[i], n);
			assert_int_equal(parse(&b), 0);
			assert_int_equal(log_->n, 4);
			assert_int_equal(log_->end, len);
			free(b.p);
		}
	}

	/* Something after the padding: then it was none. */
	struct log_build b = small_tcg2();
	const size_t len = b.len;

	log_fill(&b, 0, 64);
	log_fill(&b, 1, 1);
	refused(&b, ASSAY_E_CORRUPT, "event 4 has no digest", len + 8);
	b = small_tcg2();
	log_fill(&b, 0xff, 64);
	log_fill(&b, 1, 1);
	refused(&b, ASSAY_E_LIMIT, "event 4 has 4294967295 digests", len + 8);
}

static void test_short_no_action(void **state)
{
	struct log_build b = { 0 };

	(void)state;
	/* A log of one event, as older firmware leaves it. */
	log_event12(&b, 0, EV_NO_ACTION, NULL, "StartupLocality\0\3", 17);
	assert_int_equal(parse(&b), 0);
	assert_int_equal(log_->n, 1);
	assert_int_equal(log_->locality, 3);

	/* Data shorter than any signature is nobody's. */
	for (size_t n = 0; n < 17; n++) {
		b.len = 0;
		log_header(&b, SHA256);
		log_no_action(&b, 0, SHA256, "StartupLocality\0\3", n);
		log_event_of(&b, 0, EV_SEPARATOR, SHA256, "\0\0\0", 4);
		assert_int_equal(parse(&b), 0);
		assert_int_equal(log_->n, 3);
		assert_int_equal(log_->locality, 0);
		assert_int_equal(log_->startup_unclear != NULL, n == 16);
	}
	free(b.p);
}

static void test_no_pcr(void **state)
{
	struct log_build b = { 0 };

	(void)state;
	log_header(&b, SHA256);
	log_no_action(&b, 0xffffffff, SHA256, "SP800-155 Event", 16);
	assert_int_equal(parse(&b), 0);
	assert_int_equal(log_->events[1].pcr, 0xffffffff);
	const size_t at = b.len;
	log_event_of(&b, ASSAY_N_PCRS - 1, EV_IPL, SHA256, "x", 1);
	assert_int_equal(parse(&b), 0);
	b.len = at;
	log_event_of(&b, ASSAY_N_PCRS, EV_IPL, SHA256, "x", 1);
	refused(&b, ASSAY_E_CORRUPT, "event 2 extends PCR 0x18", at);
}

static void test_locality(void **state)
{
	static const struct {
		int first, second; /* -1: no such event */
		bool hcrtm;
		unsigned locality;
		bool clear;
	} cases[] = {
		{ -1, -1, false, 0, true }, { 0, -1, false, 0, true },	{ 3, -1, false, 3, true },
		{ 4, -1, false, 4, true },  { 3, 3, false, 3, true },	{ 3, 0, false, 0, false },
		{ 1, -1, false, 1, false }, { 5, -1, false, 5, false }, { -1, -1, true, 4, true },
		{ 4, -1, true, 4, true },   { 3, -1, true, 4, false },	{ 0, -1, true, 4, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct log_build b = { 0 };

		log_header(&b, SHA256);
		if (cases[i].first >= 0)
			log_locality(&b, SHA256, (uint8_t)cases[i].first);
		if (cases[i].hcrtm)
			log_event_of(&b, 0, EV_EFI_HCRTM_EVENT, SHA256, "HCRTM", 5);
		if (cases[i].second >= 0)
			log_locality(&b, SHA256, (uint8_t)cases[i].second);
		assert_int_equal(parse(&b), 0);
		assert_int_equal(log_->hcrtm, cases[i].hcrtm);
		assert_int_equal(log_->startup_unclear == NULL, cases[i].clear);
		if (cases[i].clear)
			assert_int_equal(log_->locality, cases[i].locality);
		free(b.p);
	}
}

/* Unknown algorithms are stepped over, by the size that the header gives. */
static void test_unknown_algorithm(void **state)
{
	static const uint16_t algs[][2] = { { 0x000b, 32 }, { 0x0012, 32 }, { 0x1234, 7 } };
	static const uint16_t only[][2] = { { 0x0012, 32 } };
	struct log_build b = { 0 };

	(void)state;
	log_header_in(&b, 0, algs, 3);
	log_le32(&b, 2);
	log_le32(&b, EV_IPL);
	log_le32(&b, 3);
	log_le16(&b, 0x1234);
	log_fill(&b, 0xee, 7);
	log_le16(&b, 0x000b);
	log_fill(&b, 0xaa, 32);
	log_le16(&b, 0x0012);
	log_fill(&b, 0xbb, 32);
	log_le32(&b, 1);
	log_bytes(&b, "x", 1);
	assert_int_equal(parse(&b), 0);
	assert_true(log_->other_banks);
	assert_int_equal(log_->banks, SHA256);
	assert_int_equal(log_->n, 2);
	assert_int_equal(log_->events[1].digests.banks, SHA256);
	assert_int_equal(log_->events[1].digests.d[ASSAY_SHA256][31], 0xaa);

	b.len = 0;
	log_header_in(&b, 0, only, 1);
	assert_int_equal(parse(&b), 0);
	assert_int_equal(log_->banks, 0);
	free(b.p);
	b = (struct log_build){ 0 };

	log_header(&b, SHA256);

	const size_t at = b.len;

	log_le32(&b, 2);
	log_le32(&b, EV_IPL);
	log_le32(&b, 1);
	log_le16(&b, 0x0012);
	log_fill(&b, 0xbb, 32);
	log_le32(&b, 0);
	refused(&b, ASSAY_E_UNSUPPORTED, "event 1: a digest of algorithm 0x0012, whose size",
		at + 12);
}

static void test_fewer_and_more(void **state)
{
	struct log_build b = { 0 };

	(void)state;
	/* The header promises two banks, events carry one. */
	log_header(&b, SHA1 | SHA256);
	log_event_of(&b, 0, EV_IPL, SHA256, "x", 1);
	assert_int_equal(parse(&b), 0);
	assert_int_equal(log_->banks, SHA1 | SHA256);
	assert_int_equal(log_->carried, SHA256);

	/* It promises one, and they carry two. */
	b.len = 0;
	log_header(&b, SHA256);
	log_event_of(&b, 0, EV_IPL, SHA1 | SHA256, "x", 1);
	assert_int_equal(parse(&b), 0);
	assert_int_equal(log_->banks, SHA256);
	assert_int_equal(log_->carried, SHA1 | SHA256);
	free(b.p);
}

static void test_digest_lists(void **state)
{
	struct log_build b = { 0 };
	size_t at;

	(void)state;
	log_header(&b, SHA1);
	at = b.len;
	log_le32(&b, 0);
	log_le32(&b, EV_IPL);
	log_le32(&b, 2);
	for (int i = 0; i < 2; i++) {
		log_le16(&b, 0x0004);
		log_fill(&b, 0xaa, 20);
	}
	log_le32(&b, 0);
	refused(&b, ASSAY_E_CORRUPT, "event 1 has two sha1 digests", at + 12 + 22);

	log_header(&b, SHA1);
	at = b.len;
	log_le32(&b, 0);
	log_le32(&b, EV_IPL);
	log_le32(&b, 0);
	log_le32(&b, 1);
	log_bytes(&b, "x", 1);
	refused(&b, ASSAY_E_CORRUPT, "event 1 has no digest", at + 8);

	log_header(&b, SHA1);
	log_le32(&b, 0);
	log_le32(&b, EV_NO_ACTION);
	log_le32(&b, 0);
	log_le32(&b, 1);
	log_bytes(&b, "x", 1);
	assert_int_equal(parse(&b), 0);
	free(b.p);
}

/* ASSAY_EVENTLOG_MAX_ALGS: one below, to, and past it, in the header and in an event. */
static void test_algorithm_ceiling(void **state)
{
	uint16_t algs[ASSAY_EVENTLOG_MAX_ALGS + 1][2];
	struct log_build b = { 0 };

	(void)state;
	for (uint16_t i = 0; i <= ASSAY_EVENTLOG_MAX_ALGS; i++) {
		algs[i][0] = (uint16_t)(0x100 + i);
		algs[i][1] = 1;
	}
	for (uint16_t n = ASSAY_EVENTLOG_MAX_ALGS - 1; n <= ASSAY_EVENTLOG_MAX_ALGS + 1; n++) {
		log_header_in(&b, 0, algs, n);
		if (n > ASSAY_EVENTLOG_MAX_ALGS) {
			refused(&b, ASSAY_E_LIMIT, "announces 17 algorithms, limit 16", 32 + 24);
			break;
		}
		assert_int_equal(parse(&b), 0);
		b.len = 0;
	}
	for (uint32_t n = ASSAY_EVENTLOG_MAX_ALGS - 1; n <= ASSAY_EVENTLOG_MAX_ALGS + 1; n++) {
		log_header_in(&b, 0, algs, ASSAY_EVENTLOG_MAX_ALGS);

		const size_t at = b.len;

		log_le32(&b, 0);
		log_le32(&b, EV_IPL);
		log_le32(&b, n);
		for (uint32_t i = 0; i < n; i++) {
			log_le16(&b, algs[i][0]);
			log_fill(&b, 1, 1);
		}
		log_le32(&b, 0);
		if (n > ASSAY_EVENTLOG_MAX_ALGS) {
			refused(&b, ASSAY_E_LIMIT, "event 1 has 17 digests, limit 16", at + 8);
			break;
		}
		assert_int_equal(parse(&b), 0);
		b.len = 0;
	}
}

static void test_spec_id(void **state)
{
	static const uint16_t twice[][2] = { { 0x000b, 32 }, { 0x000b, 32 } };
	static const uint16_t wrong[][2] = { { 0x000b, 20 } };
	static const uint16_t empty[][2] = { { 0x0012, 0 } };
	static const uint16_t most[][2] = { { 0x0012, 64 } };
	static const uint16_t large[][2] = { { 0x0012, 65 } };
	struct log_build b = { 0 };

	(void)state;
	log_header_in(&b, 0, twice, 2);
	refused(&b, ASSAY_E_CORRUPT, "announces algorithm 0x000b twice", 32 + 28 + 4);
	log_header_in(&b, 0, wrong, 1);
	refused(&b, ASSAY_E_CORRUPT, "sha256 digests of 20 bytes instead of 32", 32 + 28);
	log_header_in(&b, 0, empty, 1);
	refused(&b, ASSAY_E_CORRUPT, "algorithm 0x0012 has digests of 0 bytes", 32 + 28);
	log_header_in(&b, 0, large, 1);
	refused(&b, ASSAY_E_CORRUPT, "algorithm 0x0012 has digests of 65 bytes", 32 + 28);
	log_header_in(&b, 0, twice, 0);
	refused(&b, ASSAY_E_CORRUPT, "announces no algorithm", 32 + 24);
	log_header_in(&b, 0, most, 1);
	assert_int_equal(parse(&b), 0);
	free(b.p);

	/* Each cut inside the structure, the event's own size being right. */
	struct log_build spec = log_spec_id(twice, 1);

	for (size_t n = 16; n < spec.len; n++) {
		b = (struct log_build){ 0 };
		log_event12(&b, 0, EV_NO_ACTION, NULL, spec.p, n);
		assert_int_equal(parse(&b), -1);
		assert_int_equal(err.code, ASSAY_E_CORRUPT);
		assert_true(strncmp(err.msg, "Spec ID event", 13) == 0);
		assert_true(err.at >= 32 && err.at <= 32 + n);
		free(b.p);
	}
	free(spec.p);
}

static void test_data_ceiling(void **state)
{
	static uint8_t data[ASSAY_EVENTLOG_MAX_DATA + 1];

	(void)state;
	for (size_t n = ASSAY_EVENTLOG_MAX_DATA - 1; n <= ASSAY_EVENTLOG_MAX_DATA + 1; n++) {
		struct log_build b = { 0 };

		log_event12(&b, 0, EV_IPL, "12345678901234567890", data, n);
		log_event12(&b, 0, EV_IPL, "12345678901234567890", "x", 1);
		if (n <= ASSAY_EVENTLOG_MAX_DATA) {
			assert_int_equal(parse(&b), 0);
			free(b.p);
		} else {
			refused(&b, ASSAY_E_LIMIT, "event 0 has 1048577 bytes of data", 28);
		}
	}
}

static void test_count_ceiling(void **state)
{
	(void)state;
	for (size_t n = ASSAY_EVENTLOG_MAX_EVENTS - 1; n <= ASSAY_EVENTLOG_MAX_EVENTS + 1; n++) {
		struct log_build b = { 0 };

		for (size_t i = 0; i < n; i++)
			log_event12(&b, 0, EV_IPL, "12345678901234567890", "x", 1);
		if (n <= ASSAY_EVENTLOG_MAX_EVENTS) {
			assert_int_equal(parse(&b), 0);
			assert_int_equal(log_->n, n);
			free(b.p);
		} else {
			refused(&b, ASSAY_E_LIMIT, "more than 65536 events",
				33 * (uint64_t)ASSAY_EVENTLOG_MAX_EVENTS);
		}
	}
}

static void write_file(const char *path, const struct log_build *b)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(b->p, 1, b->len, f), b->len);
	assert_int_equal(fclose(f), 0);
}

static void test_load(void **state)
{
	char path[] = "/tmp/assay-log-XXXXXX";
	const int fd = mkstemp(path);
	struct log_build b = small_tcg2();

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assay_eventlog_free(&log_);

	log_fill(&b, 0, ASSAY_EVENTLOG_MAX - 1 - b.len);
	write_file(path, &b);
	assert_int_equal(assay_eventlog_load(path, &log_, &err), 0);
	assert_int_equal(log_->n, 4);
	assay_eventlog_free(&log_);
	log_fill(&b, 0, 1);
	write_file(path, &b);
	assert_int_equal(assay_eventlog_load(path, &log_, &err), 0);
	assay_eventlog_free(&log_);
	log_fill(&b, 0, 1);
	write_file(path, &b);
	assert_int_equal(assay_eventlog_load(path, &log_, &err), -1);
	assert_int_equal(err.code, ASSAY_E_LIMIT);
	assert_int_equal(parse(&b), -1);
	assert_int_equal(err.code, ASSAY_E_LIMIT);
	free(b.p);

	unlink(path);
	assert_int_equal(assay_eventlog_load(path, &log_, &err), -1);
	assert_int_equal(err.code, ASSAY_E_IO);
	assert_int_equal(assay_eventlog_load("/", &log_, &err), -1);
	assert_int_equal(err.code, ASSAY_E_IO);
	assert_int_equal(assay_eventlog_load("/dev/zero", &log_, &err), -1);
	assert_int_equal(err.code, ASSAY_E_IO);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(assay_log_format_name(ASSAY_LOG_TCG12), "tcg1.2");
	assert_string_equal(assay_log_format_name(ASSAY_LOG_TCG2), "tcg2");
	assert_string_equal(assay_log_format_name(ASSAY_LOG_CCEL), "ccel");
	assay_eventlog_free(NULL);
}

#define T(f) cmocka_unit_test_teardown(f, teardown)
static const struct CMUnitTest tests[] = {
	T(test_tcg2),
	T(test_tcg12),
	T(test_ccel),
	T(test_ccel_or_not),
	T(test_cuts),
	T(test_nothing),
	T(test_padding),
	T(test_short_no_action),
	T(test_no_pcr),
	T(test_locality),
	T(test_unknown_algorithm),
	T(test_fewer_and_more),
	T(test_digest_lists),
	T(test_algorithm_ceiling),
	T(test_spec_id),
	T(test_data_ceiling),
	T(test_count_ceiling),
	T(test_load),
	T(test_names),
};

UNIT_MAIN(tests)
