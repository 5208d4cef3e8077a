/* SPDX-License-Identifier: Apache-2.0 */
/* The framing of event logs; what the events mean is in event.c and describe.c. */
#include "tpm/eventlog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cur.h"
#include "core/limits.h"
#include "tpm/event.h"

/* What the header of a crypto-agile log announces. */
struct algs {
	bool agile;
	size_t n;
	struct {
		uint16_t id;
		uint16_t size;
	} alg[ASSAY_EVENTLOG_MAX_ALGS];
};

/*
 * TCG_EfiSpecIdEvent (PFP 1.06, 10.4.5): the sizes in it are the only way past a digest of an
 * algorithm that we do not know.
 */
static int parse_spec_id(struct assay_cur c, struct algs *ret, struct assay_eventlog *log,
			 struct assay_err *err)
{
	struct algs a = { .agile = true };

	assay_cur_skip(&c, 16 + 4 + 4); /* signature, platform class, versions and uintn size */

	const uint64_t at = c.at;
	const uint32_t n = assay_cur_le32(&c);

	if (assay_cur_done(&c, "Spec ID event", err) < 0)
		return -1;
	if (n == 0)
		return assay_fail(err, ASSAY_E_CORRUPT, at, "Spec ID event announces no algorithm");
	if (n > ASSAY_EVENTLOG_MAX_ALGS)
		return assay_fail(err, ASSAY_E_LIMIT, at,
				  "Spec ID event announces %u algorithms, limit %d", n,
				  ASSAY_EVENTLOG_MAX_ALGS);
	for (uint32_t i = 0; i < n; i++) {
		const uint64_t alg_at = c.at;
		const uint16_t id = assay_cur_le16(&c);
		const uint16_t size = assay_cur_le16(&c);
		enum assay_bank bank;

		if (assay_cur_done(&c, "Spec ID event's algorithms", err) < 0)
			return -1;
		for (size_t k = 0; k < a.n; k++) {
			if (a.alg[k].id == id)
				return assay_fail(err, ASSAY_E_CORRUPT, alg_at,
						  "Spec ID event announces algorithm 0x%04x twice",
						  id);
		}
		if (size == 0 || size > ASSAY_MAX_DIGEST)
			return assay_fail(err, ASSAY_E_CORRUPT, alg_at,
					  "Spec ID event: algorithm 0x%04x has digests of %u bytes",
					  id, size);
		if (!assay_bank_from_tcg_id(id, &bank)) {
			log->other_banks = true;
		} else if (size != assay_bank_size(bank)) {
			return assay_fail(err, ASSAY_E_CORRUPT, alg_at,
					  "Spec ID event: %s digests of %u bytes instead of %zu",
					  assay_bank_name(bank), size, assay_bank_size(bank));
		} else {
			log->banks |= ASSAY_BANK_BIT(bank);
		}
		a.alg[a.n].id = id;
		a.alg[a.n++].size = size;
	}
	assay_cur_skip(&c, assay_cur_u8(&c)); /* vendor's information */
	if (assay_cur_done(&c, "Spec ID event's vendor information", err) < 0)
		return -1;
	*ret = a;
	return 0;
}

static size_t digest_size(const struct algs *algs, uint16_t id)
{
	enum assay_bank bank;

	for (size_t i = 0; i < algs->n; i++) {
		if (algs->alg[i].id == id)
			return algs->alg[i].size;
	}
	/* Some logs carry one digest more than their header promises. */
	return assay_bank_from_tcg_id(id, &bank) ? assay_bank_size(bank) : 0;
}

/* TPML_DIGEST_VALUES in the log's byte order. */
static int parse_digests(struct assay_cur *c, const struct algs *algs, size_t number,
			 struct assay_event *ev, struct assay_err *err)
{
	const uint64_t at = c->at;
	const uint32_t n = assay_cur_le32(c);

	if (c->bad)
		return 0; /* the caller asks assay_cur_done() */
	if (n == 0 && ev->type != EV_NO_ACTION)
		return assay_fail(err, ASSAY_E_CORRUPT, at, "event %zu has no digest", number);
	if (n > ASSAY_EVENTLOG_MAX_ALGS)
		return assay_fail(err, ASSAY_E_LIMIT, at, "event %zu has %u digests, limit %d",
				  number, n, ASSAY_EVENTLOG_MAX_ALGS);
	for (uint32_t i = 0; i < n; i++) {
		const uint64_t alg_at = c->at;
		const uint16_t id = assay_cur_le16(c);
		const size_t size = digest_size(algs, id);
		enum assay_bank bank;

		if (c->bad)
			return 0;
		if (size == 0)
			return assay_fail(err, ASSAY_E_UNSUPPORTED, alg_at,
					  "event %zu: a digest of algorithm 0x%04x, whose size the "
					  "log's header does not give",
					  number, id);
		if (!assay_bank_from_tcg_id(id, &bank)) {
			assay_cur_skip(c, size);
			continue;
		}
		if (ev->digests.banks & ASSAY_BANK_BIT(bank))
			return assay_fail(err, ASSAY_E_CORRUPT, alg_at,
					  "event %zu has two %s digests", number,
					  assay_bank_name(bank));
		assay_cur_copy(c, ev->digests.d[bank], size);
		ev->digests.banks |= ASSAY_BANK_BIT(bank);
	}
	return 0;
}

/* TCG_PCR_EVENT2 or, in a log of TCG 1.2 and as the first event of every log, TCG_PCR_EVENT. */
static int parse_event(struct assay_cur *c, const struct algs *algs, size_t number,
		       struct assay_event *ret, struct assay_err *err)
{
	struct assay_event ev = { .at = c->at };
	char what[48];

	ev.pcr = assay_cur_le32(c);
	ev.type = assay_cur_le32(c);
	if (algs->agile) {
		if (parse_digests(c, algs, number, &ev, err) < 0)
			return -1;
	} else {
		assay_cur_copy(c, ev.digests.d[ASSAY_SHA1], assay_bank_size(ASSAY_SHA1));
		ev.digests.banks = ASSAY_BANK_BIT(ASSAY_SHA1);
	}

	const uint64_t size_at = c->at;

	ev.data_len = assay_cur_le32(c);
	snprintf(what, sizeof(what), "event %zu of the log", number);
	if (assay_cur_done(c, what, err) < 0)
		return -1;
	/* SP 800-155 events are in no PCR (ffffffff); whatever is extended is in one that exists.
	 */
	if (ev.pcr >= ASSAY_N_PCRS && ev.type != EV_NO_ACTION)
		return assay_fail(err, ASSAY_E_CORRUPT, ev.at,
				  "event %zu extends PCR 0x%x: no event log, or a damaged one",
				  number, ev.pcr);
	if (ev.data_len > ASSAY_EVENTLOG_MAX_DATA)
		return assay_fail(err, ASSAY_E_LIMIT, size_at,
				  "event %zu has %u bytes of data, limit %u", number, ev.data_len,
				  ASSAY_EVENTLOG_MAX_DATA);
	ev.data_at = c->at;
	ev.data = assay_cur_take(c, ev.data_len);
	snprintf(what, sizeof(what), "data of event %zu of the log", number);
	if (assay_cur_done(c, what, err) < 0)
		return -1;
	*ret = ev;
	return 0;
}

static int append(struct assay_eventlog *log, size_t *cap, const struct assay_event *ev,
		  struct assay_err *err)
{
	if (log->n == ASSAY_EVENTLOG_MAX_EVENTS)
		return assay_fail(err, ASSAY_E_LIMIT, ev->at, "more than %u events",
				  ASSAY_EVENTLOG_MAX_EVENTS);
	if (log->n == *cap) {
		const size_t more = *cap ? 2 * *cap : 64;
		struct assay_event *p = reallocarray(log->events, more, sizeof(*p));

		if (!p)
			return assay_fail_mem(err);
		log->events = p;
		*cap = more;
	}
	log->events[log->n++] = *ev;
	if (ev->type != EV_NO_ACTION)
		log->carried |= ev->digests.banks;
	return 0;
}

/* Where the run of zeros or ff begins that the log's area ends with. */
static size_t padding_start(const uint8_t *p, size_t len)
{
	size_t start = len;

	if (len > 0 && (p[len - 1] == 0 || p[len - 1] == 0xff)) {
		while (start > 0 && p[start - 1] == p[len - 1])
			start--;
	}
	return start;
}

static bool is_spec_id03(const struct assay_event *ev)
{
	return ev->type == EV_NO_ACTION && ev->data_len >= 16 &&
	       memcmp(ev->data, "Spec ID Event03", 16) == 0;
}

/*
 * Where PCR 0 starts: PFP 1.06, 10.4.5 (StartupLocality event); TPM 2.0 Library, Part 1, on H-CRTM,
 * which leaves a 4 in PCR 0 before it extends it.
 */
static void find_startup(struct assay_eventlog *log)
{
	bool seen = false;

	for (size_t i = 0; i < log->n; i++) {
		const struct assay_event *ev = &log->events[i];

		if (ev->type == EV_EFI_HCRTM_EVENT && ev->pcr == 0)
			log->hcrtm = true;
		if (ev->type != EV_NO_ACTION || ev->data_len < 16 ||
		    memcmp(ev->data, "StartupLocality", 16) != 0)
			continue;
		if (ev->data_len < 17) {
			log->startup_unclear = "the StartupLocality event is cut short";
			return;
		}

		const unsigned locality = ev->data[16];

		if (locality != 0 && locality != 3 && locality != 4)
			log->startup_unclear = "the StartupLocality event names no locality that "
					       "can start a TPM (0, 3 or 4)";
		else if (seen && locality != log->locality)
			log->startup_unclear = "two StartupLocality events contradict each other";
		seen = true;
		log->locality = locality;
	}
	if (log->hcrtm && seen && log->locality != 4)
		log->startup_unclear = "an H-CRTM event and another StartupLocality than 4 "
				       "contradict each other";
	if (log->hcrtm)
		log->locality = 4;
}

static bool is_secure_boot_variable(const struct assay_event *ev)
{
	static const uint8_t global[16] = { 0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11,
					    0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c };
	struct assay_event_variable var;

	return ev->type == EV_EFI_VARIABLE_DRIVER_CONFIG &&
	       assay_event_variable_parse(ev->data, ev->data_len, 0, &var, NULL) == 0 &&
	       memcmp(var.guid, global, 16) == 0 && var.name_len == 20 &&
	       memcmp(var.name, "S\0e\0c\0u\0r\0e\0B\0o\0o\0t", 20) == 0;
}

static bool is_ccel(const struct assay_eventlog *log)
{
	bool sign = log->events[0].pcr == 1 ||
		    (log->banks == ASSAY_BANK_BIT(ASSAY_SHA384) && !log->other_banks && log->n > 1);

	for (size_t i = 0; i < log->n; i++) {
		const struct assay_event *ev = &log->events[i];

		if (ev->type == EV_NO_ACTION)
			continue;
		if (ev->pcr > ASSAY_N_RTMRS)
			return false;
		if (ev->type == EV_EFI_GPT_EVENT || is_secure_boot_variable(ev))
			sign = true;
	}
	return sign;
}

static int parse_all(const uint8_t *bytes, size_t len, struct assay_eventlog *log,
		     struct assay_err *err)
{
	const size_t padding = padding_start(bytes, len);
	struct assay_cur c = assay_cur_make(bytes, len, 0);
	struct algs algs = { 0 };
	struct assay_event ev;
	size_t cap = 0;

	if (len == 0)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "the event log is empty");
	if (len > ASSAY_EVENTLOG_MAX)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET,
				  "an event log of %zu bytes, limit %u", len, ASSAY_EVENTLOG_MAX);
	if (padding == 0)
		return assay_fail(err, ASSAY_E_CORRUPT, 0,
				  "no event log: nothing but bytes of 0x%02x", bytes[0]);

	if (parse_event(&c, &algs, 0, &ev, err) < 0 || append(log, &cap, &ev, err) < 0)
		return -1;
	log->format = ASSAY_LOG_TCG12;
	log->banks = ASSAY_BANK_BIT(ASSAY_SHA1);
	if (is_spec_id03(&ev)) {
		log->format = ASSAY_LOG_TCG2;
		log->banks = 0;
		if (parse_spec_id(assay_cur_make(ev.data, ev.data_len, ev.data_at), &algs, log,
				  err) < 0)
			return -1;
	}
	while (c.at < padding) {
		if (parse_event(&c, &algs, log->n, &ev, err) < 0 || append(log, &cap, &ev, err) < 0)
			return -1;
	}
	log->end = c.at;
	find_startup(log);
	if (log->format == ASSAY_LOG_TCG2 && is_ccel(log))
		log->format = ASSAY_LOG_CCEL;
	return 0;
}

int assay_eventlog_parse(const uint8_t *bytes, size_t len, struct assay_eventlog **ret,
			 struct assay_err *err)
{
	ASSAY_AUTO(assay_eventlog) *log = calloc(1, sizeof(*log));

	if (!log)
		return assay_fail_mem(err);
	if (parse_all(bytes, len, log, err) < 0)
		return -1;
	*ret = assay_steal(&log);
	return 0;
}

/*
 * Reads to the end of the file: the kernel's logs in securityfs have a size of 0, so that sources
 * (core/src.h), which trust the size, cannot serve here.
 */
static int read_file(const char *path, uint8_t **ret, size_t *ret_len, struct assay_err *err)
{
	ASSAY_AUTO_FREE uint8_t *buf = NULL;
	size_t len = 0, cap = 0;
	struct stat st;
	ssize_t n = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return assay_fail_sys(err, "cannot open");
	if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode)) {
		close(fd);
		return assay_fail(err, ASSAY_E_IO, ASSAY_NO_OFFSET, "not a regular file");
	}
	do {
		len += (size_t)n;
		if (len == cap) {
			const size_t more = cap ? 2 * cap : 1U << 16;
			uint8_t *p = realloc(buf, more);

			if (!p) {
				close(fd);
				return assay_fail_mem(err);
			}
			buf = p;
			cap = more;
		}
		do
			n = read(fd, buf + len, cap - len);
		while (n < 0 && errno == EINTR);
	} while (n > 0 && len <= ASSAY_EVENTLOG_MAX);
	if (n < 0) {
		assay_fail_sys(err, "cannot read");
		close(fd);
		return -1;
	}
	close(fd);
	if (len > ASSAY_EVENTLOG_MAX)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET,
				  "an event log above the limit of %u bytes", ASSAY_EVENTLOG_MAX);
	*ret = assay_steal(&buf);
	*ret_len = len;
	return 0;
}

int assay_eventlog_load(const char *path, struct assay_eventlog **ret, struct assay_err *err)
{
	ASSAY_AUTO_FREE uint8_t *bytes = NULL;
	size_t len = 0;

	if (read_file(path, &bytes, &len, err) < 0 ||
	    assay_eventlog_parse(bytes, len, ret, err) < 0)
		return -1;
	(*ret)->owned = assay_steal(&bytes);
	return 0;
}

void assay_eventlog_free(struct assay_eventlog **log)
{
	if (!log || !*log)
		return;
	free((*log)->events);
	free((*log)->owned);
	free(*log);
	*log = NULL;
}

const char *assay_log_format_name(enum assay_log_format format)
{
	static const char *const names[] = {
		[ASSAY_LOG_TCG12] = "tcg1.2",
		[ASSAY_LOG_TCG2] = "tcg2",
		[ASSAY_LOG_CCEL] = "ccel",
	};

	return names[format];
}
