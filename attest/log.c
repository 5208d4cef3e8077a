/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/log.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "attest/log_priv.h"
#include "core/text.h"

static const char schema[] = "assay.runtime-log/1";

struct assay_agent_log {
	const struct assay_agent_config *config;
	struct assay_tpm *tpm;
	struct assay_log_file *file;
	struct assay_cel *cel;
	uint32_t reset, restart; /* of the header */
	uint32_t mask;		 /* the PCRs that are the log's: of the plan, and of its records */
	unsigned banks;		 /* that the TPM has */
	struct assay_pcrs pcrs;	 /* what the TPM has, kept up to date */
	bool sentinel;
	bool broken; /* nobody knows what the last event came to */
};

void assay_agent_log_free(struct assay_agent_log **p)
{
	struct assay_agent_log *log = p ? assay_steal(p) : NULL;

	if (!log)
		return;
	assay_cel_free(&log->cel);
	assay_log_file_free(&log->file);
	free(log);
}

const struct assay_cel *assay_agent_log_cel(const struct assay_agent_log *log)
{
	return log->cel;
}

const char *assay_agent_log_certificate(const struct assay_agent_log *log)
{
	for (size_t i = log->cel->n; i > 0; i--)
		if (log->cel->records[i - 1].event.carrier == ASSAY_CARRY_CERTIFICATE)
			return log->cel->records[i - 1].event.text;
	return NULL;
}

/* --- the file's text ---------------------------------------------------------------------------- */

static int header_line(uint32_t reset, uint32_t restart, char **ret, size_t *ret_len, struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *o = assay_json_object();

	assay_json_set_str(o, "schema", schema);
	assay_json_set_int(o, "resetCount", reset);
	assay_json_set_int(o, "restartCount", restart);
	return assay_json_dump_line(o, ret, ret_len, err);
}

static int parse_header(struct assay_agent_log *log, const struct assay_json *o, struct assay_err *err)
{
	const char *text = assay_json_str(assay_json_get(o, "schema"));
	int64_t reset, restart;

	if (!text || strcmp(text, schema) != 0)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "no header of %s", schema);
	if (assay_json_len(o) != 3 || !assay_json_get_int(assay_json_get(o, "resetCount"), &reset) ||
	    !assay_json_get_int(assay_json_get(o, "restartCount"), &restart) || reset < 0 || reset > UINT32_MAX ||
	    restart < 0 || restart > UINT32_MAX)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "resetCount and restartCount have to be there, and nothing else");
	log->reset = (uint32_t)reset;
	log->restart = (uint32_t)restart;
	return 0;
}

static int parse_line(struct assay_agent_log *log, const char *line, size_t len, bool first, struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *o = NULL;

	if (assay_json_parse(line, len, &o, err) < 0)
		return -1;
	return first ? parse_header(log, o, err) : assay_cel_parse_record(log->cel, o, err);
}

static int parse_lines(struct assay_agent_log *log, const char *text, struct assay_err *err)
{
	const char *p = text, *end = text + log->file->size;

	for (unsigned line = 1; p < end; line++) {
		const size_t len = (size_t)((const char *)memchr(p, '\n', (size_t)(end - p)) - p);

		if (parse_line(log, p, len, line == 1, err) < 0) {
			if (err && err->at != ASSAY_NO_OFFSET)
				err->at += (uint64_t)(p - text);
			return assay_wrap(err, "%s: line %u", log->file->path, line);
		}
		p += len + 1;
	}
	if (log->file->size == 0)
		return assay_fail(err, ASSAY_E_CORRUPT, 0, "%s: no header of %s", log->file->path, schema);
	for (size_t i = 0; i < log->cel->n; i++) {
		log->mask |= 1U << log->cel->records[i].pcr;
		log->sentinel |= log->cel->records[i].event.carrier == ASSAY_CARRY_SENTINEL;
	}
	return 0;
}

/* --- the log and the TPM ------------------------------------------------------------------------ */

/* Who is known to extend a PCR before anything of ours runs (docs/PCRS.md). */
static const char *usual_extender(unsigned pcr)
{
	static const char *const names[] = {
		[8] = "GRUB, with its commands",
		[9] = "GRUB and the kernel, with the files and the initrd that they read",
		[10] = "the kernel's IMA",
		[11] = "systemd-stub and systemd-pcrphase",
		[12] = "systemd-stub and systemd-boot, with command lines",
		[13] = "systemd-stub, with system extensions",
		[14] = "shim, with its MOK lists",
		[15] = "systemd, with the machine's ID and its file systems",
	};

	return pcr < 8 ? "the firmware" : pcr < sizeof(names) / sizeof(names[0]) ? names[pcr] : "a dynamic launch";
}

/* The first register of the mask that has another value; false: none has. */
static bool find_difference(const struct assay_pcrs *a, const struct assay_pcrs *b, uint32_t mask, enum assay_bank *ret_bank,
			    unsigned *ret_pcr)
{
	for (unsigned k = 0; k < ASSAY_N_BANKS; k++) {
		for (unsigned i = 0; i < ASSAY_N_PCRS; i++) {
			const enum assay_bank bank = (enum assay_bank)k;

			if (!(mask & a->have[k] & 1U << i) ||
			    assay_bytes_equal(a->v[k][i], b->v[k][i], assay_bank_size(bank)))
				continue;
			*ret_bank = bank;
			*ret_pcr = i;
			return true;
		}
	}
	return false;
}

static bool same(const struct assay_pcrs *a, const struct assay_pcrs *b, uint32_t mask)
{
	enum assay_bank bank;
	unsigned pcr;

	return !find_difference(a, b, mask, &bank, &pcr);
}

/* What the TPM would have after the first n records. */
static int expect(const struct assay_agent_log *log, size_t n, struct assay_pcrs *ret, struct assay_err *err)
{
	assay_pcrs_reset(ret, log->pcrs.banks);
	memcpy(ret->have, log->pcrs.have, sizeof(ret->have));
	return assay_cel_replay(log->cel, n, ret, err);
}

static int fail_difference(const struct assay_agent_log *log, const struct assay_pcrs *expected, struct assay_err *err)
{
	char want[ASSAY_HEX_MAX], have[ASSAY_HEX_MAX];
	enum assay_bank bank;
	unsigned pcr;

	if (!find_difference(&log->pcrs, expected, log->mask, &bank, &pcr))
		return assay_fail(err, ASSAY_E_MISMATCH, ASSAY_NO_OFFSET, "%s: the PCRs are not those of the log", log->file->path);
	assay_hex(expected->v[bank][pcr], assay_bank_size(bank), want);
	assay_hex(log->pcrs.v[bank][pcr], assay_bank_size(bank), have);
	if (assay_pcr_is_zero(expected, bank, pcr))
		return assay_fail(err, ASSAY_E_MISMATCH, ASSAY_NO_OFFSET,
				  "%s PCR %u is not zero, and the log has no event in it: it is %s; %s may have extended it, "
				  "or the log of this boot is gone", assay_bank_name(bank), pcr, have, usual_extender(pcr));
	return assay_fail(err, ASSAY_E_MISMATCH, ASSAY_NO_OFFSET, "%s: %s PCR %u: the log gives %s, the TPM has %s", log->file->path,
			  assay_bank_name(bank), pcr, want, have);
}

/* How does the log stand to the TPM? *ret_why: of what is wrong. */
static int examine(struct assay_agent_log *log, enum assay_log_state *ret, struct assay_err *ret_why, struct assay_err *err)
{
	struct assay_pcrs all, before;
	uint32_t reset, restart;
	const size_t n = log->cel->n;

	if (assay_tpm_boot_count(log->tpm, &reset, &restart, err) < 0 || assay_tpm_read_pcrs(log->tpm, &log->pcrs, err) < 0)
		return -1;
	log->banks = log->pcrs.banks;
	assay_pcrs_reset(&all, log->banks);
	/* A TPM that was restarted has lost its PCRs; one that was resumed has kept them, and counts that as a restart. */
	if (reset != log->reset || (restart != log->restart && n > 0 && same(&log->pcrs, &all, log->mask))) {
		*ret = ASSAY_LOG_EARLIER;
		assay_fail(ret_why, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
			   "%s: of an earlier boot (resetCount %" PRIu32 ", restartCount %" PRIu32 "; now %" PRIu32 ", %" PRIu32
			   "): 'assay-agent log --set-aside' moves it away",
			   log->file->path, log->reset, log->restart, reset, restart);
		return 0;
	}
	*ret = ASSAY_LOG_DIFFERS;
	if (n > 0 && log->cel->banks != log->banks) {
		assay_fail(ret_why, ASSAY_E_MISMATCH, ASSAY_NO_OFFSET, "%s: the TPM has other banks than the log", log->file->path);
		return 0;
	}
	if (expect(log, n, &all, err) < 0)
		return -1;
	if (same(&log->pcrs, &all, log->mask)) {
		*ret = ASSAY_LOG_REPLAYS;
		return 0;
	}
	if (n > 0) {
		if (expect(log, n - 1, &before, err) < 0)
			return -1;
		if (same(&log->pcrs, &before, log->mask)) {
			*ret = ASSAY_LOG_PENDING;
			return 0;
		}
	}
	fail_difference(log, &all, ret_why);
	return 0;
}

/* --- opening ------------------------------------------------------------------------------------ */

int assay_agent_log_lock(const struct assay_agent_config *config, struct assay_log_file **ret, struct assay_err *err)
{
	return assay_log_file_lock(config->log, ret, err);
}

/* Takes the lock over, on failure too; *ret_text is NULL where there is no log. */
static int open_file(const struct assay_agent_config *config, struct assay_log_file **lock, struct assay_tpm *tpm,
		     struct assay_agent_log **ret, char **ret_text, struct assay_err *err)
{
	ASSAY_AUTO(assay_log_file) *file = assay_steal(lock);
	ASSAY_AUTO(assay_agent_log) *log = calloc(1, sizeof(*log));
	ASSAY_AUTO_FREE char *text = NULL;
	struct assay_err why;

	if (!log)
		return assay_fail_mem(err);
	log->config = config;
	log->tpm = tpm;
	log->cel = assay_cel_new();
	if (!log->cel)
		return assay_fail_mem(err);
	for (unsigned k = 0; k < ASSAY_N_RUNTIME_KINDS; k++)
		log->mask |= 1U << config->pcrs[k];
	log->file = assay_steal(&file);
	if (assay_log_file_read(log->file, &text, &why) < 0 && why.code != ASSAY_E_NOTFOUND) {
		if (err)
			*err = why;
		return -1;
	}
	*ret = assay_steal(&log);
	*ret_text = assay_steal(&text);
	return 0;
}

/* The first log of this boot; the PCRs have to be at their beginning. */
static int begin(struct assay_agent_log *log, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *line = NULL;
	struct assay_err why = { 0 };
	enum assay_log_state state;
	size_t len;

	if (assay_tpm_boot_count(log->tpm, &log->reset, &log->restart, err) < 0 || examine(log, &state, &why, err) < 0)
		return -1;
	if (state != ASSAY_LOG_REPLAYS) {
		if (err)
			*err = why;
		return -1;
	}
	if (header_line(log->reset, log->restart, &line, &len, err) < 0)
		return -1;
	return assay_log_file_create(log->file, line, len, err);
}

/* The last event is in the log, and not in the PCRs. */
static int complete(struct assay_agent_log *log, struct assay_err *err)
{
	const struct assay_cel_record *last = &log->cel->records[log->cel->n - 1];
	struct assay_pcrs all;

	if (assay_tpm_extend(log->tpm, last->pcr, &last->digests, err) < 0 ||
	    assay_tpm_read_pcrs(log->tpm, &log->pcrs, err) < 0 || expect(log, log->cel->n, &all, err) < 0)
		return -1;
	return same(&log->pcrs, &all, log->mask) ? 0 : fail_difference(log, &all, err);
}

int assay_agent_log_open(const struct assay_agent_config *config, struct assay_tpm *tpm, struct assay_agent_log **ret,
			 struct assay_err *err)
{
	struct assay_log_file *lock = NULL;

	if (assay_agent_log_lock(config, &lock, err) < 0)
		return -1;
	return assay_agent_log_open_locked(config, &lock, tpm, ret, err);
}

int assay_agent_log_open_locked(const struct assay_agent_config *config, struct assay_log_file **lock, struct assay_tpm *tpm,
				struct assay_agent_log **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_agent_log) *log = NULL;
	ASSAY_AUTO_FREE char *text = NULL;
	struct assay_err why = { 0 };
	enum assay_log_state state;

	if (open_file(config, lock, tpm, &log, &text, err) < 0)
		return -1;
	if (!text) {
		if (begin(log, err) < 0)
			return -1;
		*ret = assay_steal(&log);
		return 0;
	}
	if (parse_lines(log, text, err) < 0 || examine(log, &state, &why, err) < 0)
		return -1;
	if (state == ASSAY_LOG_EARLIER || state == ASSAY_LOG_DIFFERS) {
		if (err)
			*err = why;
		return -1;
	}
	/* Whoever was killed may have left a part of a line; it was not extended, or the PCRs would say so. */
	if (log->file->found > log->file->size || state == ASSAY_LOG_PENDING)
		if (assay_log_file_mend(log->file, err) < 0)
			return -1;
	if (state == ASSAY_LOG_PENDING && complete(log, err) < 0)
		return assay_wrap(err, "%s: completing record %zu", log->file->path, log->cel->n - 1);
	*ret = assay_steal(&log);
	return 0;
}

int assay_agent_log_look(const struct assay_agent_config *config, struct assay_log_file **lock, struct assay_tpm *tpm,
			 struct assay_cel **ret, enum assay_log_state *ret_state, struct assay_err *ret_why, struct assay_err *err)
{
	ASSAY_AUTO(assay_agent_log) *log = NULL;
	ASSAY_AUTO_FREE char *text = NULL;

	if (open_file(config, lock, tpm, &log, &text, err) < 0)
		return -1;
	if (!text)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "%s: there is no log", config->log);
	if (parse_lines(log, text, err) < 0 || examine(log, ret_state, ret_why, err) < 0)
		return -1;
	*ret = assay_steal(&log->cel);
	return 0;
}

int assay_agent_log_set_aside(const struct assay_agent_config *config, struct assay_log_file **lock, struct assay_tpm *tpm,
			      char **ret_path, struct assay_err *err)
{
	ASSAY_AUTO(assay_agent_log) *log = NULL;
	ASSAY_AUTO_FREE char *text = NULL;
	uint32_t reset, restart;
	struct assay_pcrs zero;
	bool earlier;

	if (open_file(config, lock, tpm, &log, &text, err) < 0)
		return -1;
	if (!text)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "%s: there is no log", config->log);
	if (assay_tpm_boot_count(tpm, &reset, &restart, err) < 0 || assay_tpm_read_pcrs(tpm, &log->pcrs, err) < 0)
		return -1;
	assay_pcrs_reset(&zero, log->pcrs.banks);
	/* One that cannot be read may be moved too, as long as nothing has been extended. */
	earlier = parse_lines(log, text, NULL) == 0 && reset != log->reset;
	if (!earlier && !same(&log->pcrs, &zero, log->mask))
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "%s: it is of this boot, and its PCRs are extended", config->log);
	return assay_log_file_move(log->file, ret_path, err);
}

/* --- measuring ---------------------------------------------------------------------------------- */

static int check_event(const struct assay_agent_log *log, enum assay_runtime_kind kind, const struct assay_runtime_event *ev,
		       struct assay_err *err)
{
	enum assay_runtime_kind said;

	if (log->broken)
		return assay_fail(err, ASSAY_E_TPM, ASSAY_NO_OFFSET, "%s has to be opened again first", log->config->log);
	if (assay_runtime_parse(ev, &said, NULL, err) < 0)
		return -1;
	if (said != kind)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "an event of kind %s, which says that it is %s",
				  assay_runtime_kind_name(kind), assay_runtime_kind_name(said));
	if (log->sentinel && (kind == ASSAY_RUN_SENTINEL || kind == ASSAY_RUN_DISK))
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET,
				  kind == ASSAY_RUN_DISK ? "the set-up has ended: no disk follows the sentinel" :
							   "the set-up has ended already: there is one sentinel");
	return 0;
}

/* What the PCRs will be. */
static int foresee(const struct assay_agent_log *log, const struct assay_cel_record *record, struct assay_pcrs *ret,
		   struct assay_err *err)
{
	bool any = false;

	*ret = log->pcrs;
	for (unsigned b = 0; b < ASSAY_N_BANKS; b++) {
		if (!(ret->have[b] & 1U << record->pcr))
			continue;
		any = true;
		if (assay_pcr_extend(ret, (enum assay_bank)b, record->pcr, record->digests.d[b], err) < 0)
			return -1;
	}
	return any ? 0 : assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "no active bank has PCR %u", record->pcr);
}

/*
 * The line is on disk. Where the TPM says that it did not extend, and its PCRs say so too, the line goes again; where
 * it cannot be asked, nobody knows until the next start.
 */
static int extend(struct assay_agent_log *log, const struct assay_cel_record *record, const struct assay_pcrs *after,
		  size_t line_len, struct assay_err *err)
{
	const unsigned pcr = record->pcr;
	struct assay_pcrs now;

	if (assay_tpm_extend(log->tpm, pcr, &record->digests, err) == 0) {
		log->pcrs = *after;
		return 0;
	}
	if (assay_tpm_read_pcrs(log->tpm, &now, NULL) == 0) {
		/* The answer was lost, not the command. */
		if (same(&now, after, log->mask)) {
			log->pcrs = *after;
			return 0;
		}
		if (same(&now, &log->pcrs, log->mask) && assay_log_file_take_back(log->file, line_len, NULL) == 0) {
			assay_cel_drop_last(log->cel);
			return assay_wrap(err, "PCR %u", pcr);
		}
	}
	log->broken = true;
	return assay_wrap(err, "the event is logged; whether it is extended, the next start finds out");
}

/* The event is the last one of log->cel; it stays there when it is in the file. */
static int keep(struct assay_agent_log *log, const struct assay_cel_record *record, struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *json = assay_cel_record_json(record);
	ASSAY_AUTO_FREE char *line = NULL;
	struct assay_pcrs after;
	size_t len = 0;

	if (foresee(log, record, &after, err) < 0 || assay_json_dump_line(json, &line, &len, err) < 0 ||
	    assay_log_file_append(log->file, line, len, &log->broken, err) < 0) {
		assay_cel_drop_last(log->cel);
		return -1;
	}
	return extend(log, record, &after, len, err);
}

int assay_agent_measure(struct assay_agent_log *log, enum assay_runtime_kind kind, const struct assay_runtime_event *ev,
			struct assay_err *err)
{
	const struct assay_cel_record *record;

	if (check_event(log, kind, ev, err) < 0 ||
	    assay_cel_add(log->cel, log->config->pcrs[kind], ev, log->banks, &record, err) < 0 || keep(log, record, err) < 0)
		return -1;
	log->sentinel |= kind == ASSAY_RUN_SENTINEL;
	return 0;
}

int assay_agent_measure_content(struct assay_agent_log *log, enum assay_runtime_kind kind, const struct assay_json *content,
				struct assay_err *err)
{
	ASSAY_AUTO_FREE char *text = NULL;
	struct assay_runtime_event ev = { .carrier = ASSAY_CARRY_EVENT };

	if (assay_runtime_text(kind, content, &text, err) < 0)
		return -1;
	ev.text = text;
	ev.len = strlen(text);
	return assay_agent_measure(log, kind, &ev, err);
}
