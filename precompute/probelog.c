/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "measure/disk/crc32.h"
#include "precompute/probelog.h"

#define TAG "@assay "
#define TAG_LEN 7
#define CRC_LEN 9 /* a blank and eight digits */

/* A piece of the text, never NUL-terminated. */
struct span {
	const uint8_t *p;
	size_t len;
};

/* One line of the report: KEY VALUE, or KEY+OFFSET BASE64 for a piece of a blob. */
struct record {
	struct span key, value;
	size_t at; /* of the tag, in the text */
};

/* Facts that every report has; a lost line must not pass for one that was never there. */
enum fact {
	FACT_VENDOR,
	FACT_FW_REVISION,
	FACT_UEFI_REVISION,
	FACT_SECURE_BOOT,
	FACT_SETUP_MODE,
	FACT_SOURCE,
	FACT_SUPPORTED,
	FACT_ACTIVE,
	FACT_MANUFACTURER,
	FACT_TRUNCATED,
	FACT_ERROR, /* this one only when there is no log */
	N_FACTS,
};
static const char *const fact_keys[N_FACTS] = {
	"firmware-vendor", "firmware-revision", "uefi-revision", "secure-boot",	 "setup-mode",
	"source",	   "supported-banks",	"active-banks",	 "manufacturer", "truncated",
	"error",
};

struct blob {
	uint8_t *p;
	size_t len, room, max;
};

struct report {
	struct assay_probe_info info;
	struct span facts[N_FACTS]; /* p == NULL: not seen */
	struct blob log;
	struct blob pcrs[ASSAY_N_BANKS];
	bool unreadable[ASSAY_N_BANKS];
	struct record end;
	bool ended;
	uint64_t damaged; /* where the first damaged line is, or ASSAY_NO_OFFSET */
};

static void report_clear(struct report *r)
{
	free(r->log.p);
	for (int b = 0; b < ASSAY_N_BANKS; b++)
		free(r->pcrs[b].p);
}

static bool is(struct span s, const char *word)
{
	return s.len == strlen(word) && memcmp(s.p, word, s.len) == 0;
}

/* Exactly n lower-case digits. */
static bool read_hex(struct span s, size_t n, uint32_t *ret)
{
	uint32_t v = 0;

	if (s.len != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		const uint8_t c = s.p[i];

		if (c >= '0' && c <= '9')
			v = v << 4 | (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (uint32_t)(c - 'a' + 10);
		else
			return false;
	}
	*ret = v;
	return true;
}

/* The span up to the first `c`, which is cut off with it; false, and nothing cut, without one. */
static bool split(struct span *s, char c, struct span *ret)
{
	const uint8_t *p = s->len > 0 ? memchr(s->p, c, s->len) : NULL;

	if (p == NULL)
		return false;
	*ret = (struct span){ s->p, (size_t)(p - s->p) };
	s->len -= ret->len + 1;
	s->p = p + 1;
	return true;
}

/* Is there a whole and undamaged record at this tag? */
static bool read_record(struct span text, size_t at, struct record *ret)
{
	const uint8_t *p = text.p + at;
	size_t max = text.len - at, len = TAG_LEN;
	uint32_t crc;

	if (max > ASSAY_PROBELOG_MAX_LINE)
		max = ASSAY_PROBELOG_MAX_LINE;
	while (len < max && p[len] >= ' ' && p[len] <= '~')
		len++;
	if (len < TAG_LEN + CRC_LEN || p[len - CRC_LEN] != ' ' ||
	    !read_hex((struct span){ p + len - 8, 8 }, 8, &crc) ||
	    assay_crc32(0, p, len - CRC_LEN) != crc)
		return false;
	ret->at = at;
	ret->value = (struct span){ p + TAG_LEN, len - CRC_LEN - TAG_LEN };
	return split(&ret->value, ' ', &ret->key);
}

/* The next tag at or after *at, which moves behind it. */
static bool next_tag(struct span text, size_t *at, size_t *ret)
{
	const uint8_t *p =
		*at < text.len ? memmem(text.p + *at, text.len - *at, TAG, TAG_LEN) : NULL;

	if (p == NULL)
		return false;
	*ret = (size_t)(p - text.p);
	*at = *ret + TAG_LEN;
	return true;
}

static int base64_digit(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Strict: whole groups, padding only at the end, no bits left over. dst has 3/4 of s.len. */
static bool read_base64(struct span s, uint8_t *dst, size_t *ret_len)
{
	size_t n = 0, pad = 0;

	if (s.len == 0 || s.len % 4 != 0)
		return false;
	while (pad < 2 && s.p[s.len - 1 - pad] == '=')
		pad++;
	for (size_t i = 0; i < s.len; i += 4) {
		const size_t missing = i + 4 == s.len ? pad : 0;
		uint32_t v = 0;

		for (size_t k = 0; k < 4; k++) {
			const int digit = k < 4 - missing ? base64_digit(s.p[i + k]) : 0;

			if (digit < 0)
				return false;
			v = v << 6 | (uint32_t)digit;
		}
		if ((v & ((1U << 8 * missing) - 1)) != 0)
			return false;
		for (size_t k = 0; k < 3 - missing; k++)
			dst[n++] = (uint8_t)(v >> (16 - 8 * k));
	}
	*ret_len = n;
	return true;
}

/* A piece of a blob: the next one, or word for word one that is there (two ports, one line). */
static int add_piece(struct blob *blob, const char *name, const struct record *rec,
		     struct span offset, struct assay_err *err)
{
	uint8_t piece[ASSAY_PROBELOG_MAX_LINE];
	uint32_t at;
	size_t n;

	if (!read_hex(offset, 6, &at) || !read_base64(rec->value, piece, &n))
		return assay_fail(err, ASSAY_E_CORRUPT, rec->at,
				  "probe report: not an offset and base64 in a line of %s", name);
	if (at > blob->len)
		return assay_fail(err, ASSAY_E_CORRUPT, rec->at,
				  "probe report: a gap in %s: 0x%06zx wanted, 0x%06" PRIx32
				  " found",
				  name, blob->len, at);
	if (at < blob->len) {
		if (n > blob->len - at || memcmp(blob->p + at, piece, n) != 0)
			return assay_fail(err, ASSAY_E_CORRUPT, rec->at,
					  "probe report: %s has two contents at 0x%06" PRIx32, name,
					  at);
		return 0;
	}
	if (n > blob->max - blob->len)
		return assay_fail(err, ASSAY_E_LIMIT, rec->at,
				  "probe report: %s is longer than %zu bytes", name, blob->max);
	if (n > blob->room - blob->len) {
		const size_t room = 2 * blob->room + 4096;
		uint8_t *p = realloc(blob->p, room);

		if (p == NULL)
			return assay_fail_mem(err);
		blob->p = p;
		blob->room = room;
	}
	memcpy(blob->p + blob->len, piece, n);
	blob->len += n;
	return 0;
}

/* "pcrs-sha256" -> its bank. */
static bool pcrs_bank(struct span key, enum assay_bank *ret)
{
	char name[16] = { 0 };

	if (key.len <= 5 || key.len - 5 >= sizeof(name) || memcmp(key.p, "pcrs-", 5) != 0)
		return false;
	memcpy(name, key.p + 5, key.len - 5);
	return assay_bank_from_name(name, ret);
}

/* One record into the report. Keys that nobody knows are passed over: newer probes may say more. */
static int take(struct report *r, struct record rec, struct assay_err *err)
{
	struct span name = rec.key, offset = rec.key;
	enum assay_bank bank;

	if (split(&offset, '+', &name)) {
		if (is(name, "log"))
			return add_piece(&r->log, "the log", &rec, offset, err);
		if (pcrs_bank(name, &bank))
			return add_piece(&r->pcrs[bank], assay_bank_name(bank), &rec, offset, err);
		return 0;
	}
	if (pcrs_bank(rec.key, &bank) && is(rec.value, "unreadable"))
		r->unreadable[bank] = true;
	for (int f = 0; f < N_FACTS; f++) {
		if (!is(rec.key, fact_keys[f]))
			continue;
		if (r->facts[f].p != NULL &&
		    (r->facts[f].len != rec.value.len ||
		     memcmp(r->facts[f].p, rec.value.p, rec.value.len) != 0))
			return assay_fail(err, ASSAY_E_CORRUPT, rec.at,
					  "probe report: %s has two values", fact_keys[f]);
		r->facts[f] = rec.value;
	}
	if (is(rec.key, "end")) {
		r->end = rec;
		r->ended = true;
	}
	return 0;
}

/* --- what the records say ------------------------------------------------------------------- */

/* Something is missing; where a damaged line is, that is likely it. */
static int missing(const struct report *r, const char *what, struct assay_err *err)
{
	if (r->damaged != ASSAY_NO_OFFSET)
		return assay_fail(err, ASSAY_E_CORRUPT, r->damaged,
				  "probe report: %s missing, and a line is damaged", what);
	return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "probe report: %s missing", what);
}

static int hex_fact(const struct report *r, enum fact f, size_t digits, uint32_t *ret,
		    struct assay_err *err)
{
	if (!read_hex(r->facts[f], digits, ret))
		return assay_fail(err, ASSAY_E_CORRUPT, r->end.at,
				  "probe report: %s is not %zu hex digits", fact_keys[f], digits);
	return 0;
}

static int variable_fact(const struct report *r, enum fact f, int *ret, struct assay_err *err)
{
	uint32_t v = 0;

	if (is(r->facts[f], "absent")) {
		*ret = ASSAY_PROBE_ABSENT;
	} else if (is(r->facts[f], "unreadable")) {
		*ret = ASSAY_PROBE_UNREADABLE;
	} else {
		if (hex_fact(r, f, 2, &v, err) < 0)
			return -1;
		*ret = (int)v;
	}
	return 0;
}

static int words(const struct report *r, struct span s, const char *what, char *ret, size_t room,
		 struct assay_err *err)
{
	if (s.len >= room)
		return assay_fail(err, ASSAY_E_CORRUPT, r->end.at,
				  "probe report: %s is %zu characters, %zu fit", what, s.len,
				  room - 1);
	memcpy(ret, s.p, s.len);
	ret[s.len] = '\0';
	return 0;
}

static int read_facts(struct report *r, struct assay_err *err)
{
	struct assay_probe_info *i = &r->info;
	uint32_t truncated = 0;

	for (int f = 0; f < FACT_ERROR; f++)
		if (r->facts[f].p == NULL)
			return missing(r, fact_keys[f], err);
	if (words(r, r->facts[FACT_VENDOR], "firmware-vendor", i->firmware_vendor,
		  sizeof(i->firmware_vendor), err) < 0 ||
	    words(r, r->facts[FACT_SOURCE], "source", i->source, sizeof(i->source), err) < 0 ||
	    hex_fact(r, FACT_FW_REVISION, 8, &i->firmware_revision, err) < 0 ||
	    hex_fact(r, FACT_UEFI_REVISION, 8, &i->uefi_revision, err) < 0 ||
	    variable_fact(r, FACT_SECURE_BOOT, &i->secure_boot, err) < 0 ||
	    variable_fact(r, FACT_SETUP_MODE, &i->setup_mode, err) < 0 ||
	    hex_fact(r, FACT_SUPPORTED, 8, &i->supported_banks, err) < 0 ||
	    hex_fact(r, FACT_ACTIVE, 8, &i->active_banks, err) < 0 ||
	    hex_fact(r, FACT_MANUFACTURER, 8, &i->manufacturer, err) < 0 ||
	    hex_fact(r, FACT_TRUNCATED, 2, &truncated, err) < 0)
		return -1;
	i->truncated = truncated != 0;
	return 0;
}

/* A CCEL's registers are no PCRs, and the probe does not read them. */
static int read_pcrs(struct report *r, struct assay_err *err)
{
	struct assay_pcrs *pcrs = &r->info.pcrs;

	for (enum assay_bank b = 0; b < ASSAY_N_BANKS; b++) {
		const size_t size = assay_bank_size(b);

		if ((r->info.active_banks & ASSAY_BANK_BIT(b)) == 0 || r->unreadable[b])
			continue;
		if (r->pcrs[b].len != ASSAY_N_PCRS * size)
			return missing(r, "a part of the PCRs is", err);
		pcrs->banks |= ASSAY_BANK_BIT(b);
		pcrs->have[b] = ASSAY_ALL_PCRS;
		for (size_t i = 0; i < ASSAY_N_PCRS; i++)
			memcpy(pcrs->v[b][i], r->pcrs[b].p + i * size, size);
	}
	return 0;
}

static int no_log(const struct report *r, struct assay_err *err)
{
	const struct span why = r->facts[FACT_ERROR];

	if (why.p == NULL)
		return missing(r, "the reason why there is no log is", err);
	return assay_fail(err, ASSAY_E_NOTFOUND, r->end.at, "the probe found no event log: %.*s",
			  (int)why.len, (const char *)why.p);
}

static int check_end(struct report *r, struct assay_err *err)
{
	struct span rest = r->end.value, word, size_word;
	uint32_t size, crc;

	if (is(rest, "none"))
		return no_log(r, err);
	if (!split(&rest, ' ', &word) || !is(word, "log") || !split(&rest, ' ', &size_word) ||
	    !read_hex(size_word, 8, &size) || !read_hex(rest, 8, &crc))
		return assay_fail(err, ASSAY_E_CORRUPT, r->end.at,
				  "probe report: its end does not give the log's length and CRC");
	if (r->log.len != size || size == 0)
		return missing(r, "a part of the log is", err);
	if (assay_crc32(0, r->log.p, r->log.len) != crc)
		return assay_fail(err, ASSAY_E_CORRUPT, r->end.at,
				  "probe report: the log's CRC is not the one the probe gave");
	return 0;
}

static int parse(struct span text, struct report *r, struct assay_err *err)
{
	struct record rec, begin = { .key = { NULL, 0 } };
	struct span version;
	size_t at = 0, tag;

	/* The last report counts */
	while (next_tag(text, &at, &tag))
		if (read_record(text, tag, &rec) && is(rec.key, "begin"))
			begin = rec;
	if (begin.key.p == NULL)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "no probe report in it");
	if (!split(&begin.value, ' ', &version) || !is(version, "1"))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, begin.at,
				  "probe report: not of version 1");
	at = begin.at + TAG_LEN;
	while (!r->ended && next_tag(text, &at, &tag)) {
		if (read_record(text, tag, &rec)) {
			if (take(r, rec, err) < 0) {
				/* A line that was lost leaves a gap behind it */
				if (r->damaged != ASSAY_NO_OFFSET && err != NULL)
					err->at = r->damaged;
				return -1;
			}
		} else if (r->damaged == ASSAY_NO_OFFSET) {
			r->damaged = tag;
		}
	}
	if (!r->ended)
		return missing(r, "its end is", err);
	if (words(r, begin.value, "the architecture", r->info.arch, sizeof(r->info.arch), err) <
		    0 ||
	    read_facts(r, err) < 0 || check_end(r, err) < 0)
		return -1;
	if (!is(r->facts[FACT_SOURCE], "tcg2"))
		return is(r->facts[FACT_SOURCE], "cc")
			       ? 0
			       : assay_fail(err, ASSAY_E_UNSUPPORTED, r->end.at,
					    "probe report: a log from the unknown source \"%s\"",
					    r->info.source);
	return read_pcrs(r, err);
}

int assay_probelog_parse(const uint8_t *text, size_t len, uint8_t **ret_log, size_t *ret_len,
			 struct assay_probe_info *ret_info, struct assay_err *err)
{
	struct report r = { .damaged = ASSAY_NO_OFFSET, .log.max = ASSAY_EVENTLOG_MAX };

	if (len > ASSAY_PROBELOG_MAX_TEXT)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET,
				  "%zu bytes of serial text, limit %u", len,
				  ASSAY_PROBELOG_MAX_TEXT);
	for (enum assay_bank b = 0; b < ASSAY_N_BANKS; b++)
		r.pcrs[b].max = ASSAY_N_PCRS * assay_bank_size(b);
	if (parse((struct span){ text, len }, &r, err) < 0) {
		report_clear(&r);
		return -1;
	}
	*ret_log = assay_steal(&r.log.p);
	*ret_len = r.log.len;
	*ret_info = r.info;
	report_clear(&r);
	return 0;
}
