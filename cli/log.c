/* SPDX-License-Identifier: Apache-2.0 */
/* assay log show, assay log replay: firmware event logs in words, and the PCRs that follow. */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/out.h"
#include "core/text.h"
#include "tpm/event.h"
#include "tpm/eventlog.h"

/* --- show --------------------------------------------------------------------------------------
 */

static void type_text(uint32_t type, char *dst, size_t size)
{
	const char *name = assay_event_type_name(type);

	if (name)
		snprintf(dst, size, "%s", name);
	else
		snprintf(dst, size, "0x%08" PRIx32, type);
}

static struct assay_json *json_banks(unsigned banks)
{
	struct assay_json *list = assay_json_array();

	for (unsigned b = 0; b < ASSAY_N_BANKS; b++) {
		if (banks & ASSAY_BANK_BIT(b))
			assay_json_append(list,
					  assay_json_string(assay_bank_name((enum assay_bank)b)));
	}
	return list;
}

static int json_event(const struct assay_event *ev, size_t number, struct assay_json *list,
		      struct assay_err *err)
{
	ASSAY_AUTO_FREE char *words = assay_event_describe(ev);
	enum assay_event_match match;
	char type[48];

	if (!words)
		return assay_fail_mem(err);
	if (assay_event_match(ev, &match, err) < 0)
		return -1;

	struct assay_json *o = assay_json_object();

	type_text(ev->type, type, sizeof(type));
	assay_json_set_int(o, "number", number);
	assay_json_set_int(o, "offset", ev->at);
	assay_json_set_int(o, "pcr", ev->pcr);
	assay_json_set_str(o, "type", type);
	assay_json_set_int(o, "type_id", ev->type);
	assay_json_set_bool(o, "extended", ev->type != EV_NO_ACTION);
	assay_json_set(o, "digests", assay_json_digests(&ev->digests));
	assay_json_set(o, "data", assay_json_hex(ev->data, ev->data_len));
	assay_json_set_str(o, "description", words);
	if (match != ASSAY_EVENT_UNSPECIFIED)
		assay_json_set_bool(o, "digest_of_data", match == ASSAY_EVENT_OF_DATA);
	assay_json_append(list, o);
	return 0;
}

static int show_json(const struct assay_eventlog *log, const char *path, struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *top = assay_json_object();
	struct assay_json *events = assay_json_array();

	assay_json_set_str(top, "schema", "assay.eventlog/1");
	assay_json_set_str(top, "format", assay_log_format_name(log->format));
	assay_json_set(top, "banks", json_banks(log->banks));
	assay_json_set_bool(top, "other_banks", log->other_banks);
	if (log->format != ASSAY_LOG_CCEL) {
		assay_json_set_int(top, "startup_locality", log->locality);
		assay_json_set_bool(top, "hcrtm", log->hcrtm);
	}
	assay_json_set_int(top, "end", log->end);
	for (size_t i = 0; i < log->n; i++) {
		if (json_event(&log->events[i], i, events, err) < 0) {
			assay_json_free(&events);
			return assay_cli_fail(path, err);
		}
	}
	assay_json_set(top, "events", events);
	return assay_cli_write_json(top, "-");
}

/* The bank whose digests the table shows: sha256 where the log has it. */
static enum assay_bank shown_bank(const struct assay_eventlog *log)
{
	static const enum assay_bank order[] = { ASSAY_SHA256, ASSAY_SHA384, ASSAY_SHA512 };

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (log->carried & ASSAY_BANK_BIT(order[i]))
			return order[i];
	}
	return ASSAY_SHA1;
}

static int print_event(const struct assay_event *ev, size_t number, int width, enum assay_bank bank,
		       struct assay_err *err)
{
	ASSAY_AUTO_FREE char *words = assay_event_describe(ev);
	enum assay_event_match match;
	char type[48], pcr[16] = "-", hex[ASSAY_HEX_MAX] = "-";

	if (!words)
		return assay_fail_mem(err);
	if (assay_event_match(ev, &match, err) < 0)
		return -1;
	type_text(ev->type, type, sizeof(type));
	if (ev->pcr < ASSAY_N_PCRS)
		snprintf(pcr, sizeof(pcr), "%" PRIu32, ev->pcr);
	if (ev->type != EV_NO_ACTION && (ev->digests.banks & ASSAY_BANK_BIT(bank)))
		snprintf(assay_hex(ev->digests.d[bank], assay_bank_size(bank), hex) + 16, 4, "%s",
			 "…");
	/* The ellipsis is one column and three bytes: pad by hand. */
	printf("%5zu  %3s  %-*s  %s%*s  %s%s\n", number, pcr, width, type, hex, hex[1] ? 0 : 16, "",
	       words, match == ASSAY_EVENT_NOT_OF_DATA ? " [its digest is not of this data]" : "");
	return 0;
}

static int show_text(const struct assay_eventlog *log, const char *path, struct assay_err *err)
{
	const enum assay_bank bank = shown_bank(log);
	int width = 4;

	for (size_t i = 0; i < log->n; i++) {
		const char *name = assay_event_type_name(log->events[i].type);
		const int len = name ? (int)strlen(name) : 10;

		if (len > width)
			width = len;
	}
	printf("%5s  %3s  %-*s  %-17s  %s\n", "event", log->format == ASSAY_LOG_CCEL ? "MR" : "PCR",
	       width, "type", assay_bank_name(bank), "what");
	for (size_t i = 0; i < log->n; i++) {
		if (print_event(&log->events[i], i, width, bank, err) < 0)
			return assay_cli_fail(path, err);
	}
	if (fflush(stdout) != 0 || ferror(stdout)) {
		assay_fail_sys(err, "cannot write");
		return assay_cli_fail("standard output", err);
	}
	return ASSAY_EXIT_OK;
}

int assay_cmd_log_show(const struct assay_verb *verb, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	ASSAY_AUTO(assay_eventlog) *log = NULL;
	bool json = false;
	struct assay_err err;
	int c;

	while ((c = assay_cli_getopt(verb, argc, argv, "j", opts)) != -1) {
		if (c != 'j')
			return assay_cli_usage(verb);
		json = true;
	}
	if (argc - optind != 1)
		return assay_cli_usage_msg(verb, "one LOG, please");

	const char *path = argv[optind];

	if (assay_eventlog_load(path, &log, &err) < 0)
		return assay_cli_fail(path, &err);
	return json ? show_json(log, path, &err) : show_text(log, path, &err);
}

/* --- replay ------------------------------------------------------------------------------------
 */

struct result {
	const struct assay_eventlog *log;
	bool rtmrs; /* the registers are those of a confidential VM */
	struct assay_pcrs pcrs;
	struct assay_replay_reasons reasons;
};

static unsigned n_registers(const struct result *r)
{
	return r->rtmrs ? ASSAY_N_RTMRS : ASSAY_N_PCRS;
}

/* {"sha256": {"10": "no event of the log extends it"}} */
static struct assay_json *json_reasons(const struct result *r)
{
	struct assay_json *top = assay_json_object();

	for (unsigned b = 0; b < ASSAY_N_BANKS; b++) {
		if (!(r->pcrs.banks & ASSAY_BANK_BIT(b)))
			continue;

		struct assay_json *bank = assay_json_object();

		for (unsigned i = 0; i < n_registers(r); i++) {
			char key[4];

			snprintf(key, sizeof(key), "%u", i);
			if (r->reasons.why[b][i])
				assay_json_set_str(bank, key, r->reasons.why[b][i]);
		}
		assay_json_set(top, assay_bank_name((enum assay_bank)b), bank);
	}
	return top;
}

static int replay_json(const struct result *r)
{
	ASSAY_AUTO(assay_json) *top = assay_json_object();

	assay_json_set_str(top, "schema", "assay.replay/1");
	assay_json_set_str(top, "format", assay_log_format_name(r->log->format));
	/* RTMRs must not be taken for PCRs by whoever reads "banks". */
	assay_json_set(top, r->rtmrs ? "rtmrs" : "banks", assay_pcrs_json(&r->pcrs));
	assay_json_set(top, "unreplayed", json_reasons(r));
	return assay_cli_write_json(top, "-");
}

/* "# sha256 8-13,15: no event of the log extends it": registers of one reason on one line. */
static void print_reasons(const struct result *r, unsigned b, struct assay_out *out)
{
	const char *const kind = r->rtmrs ? "RTMR" : "";
	uint32_t done = 0;

	for (unsigned i = 0; i < n_registers(r); i++) {
		const char *why = r->reasons.why[b][i];

		if (!why || (done & 1U << i))
			continue;
		assay_out_printf(out, "# %s %s", assay_bank_name((enum assay_bank)b), kind);
		for (unsigned k = i, n = 0; k < n_registers(r); k++) {
			const char *other = r->reasons.why[b][k];
			unsigned last = k;

			if (!other || strcmp(other, why) != 0)
				continue;
			while (last + 1 < n_registers(r) && r->reasons.why[b][last + 1] &&
			       strcmp(r->reasons.why[b][last + 1], why) == 0)
				last++;
			assay_out_printf(out, n++ ? ",%u" : "%u", k);
			if (last > k)
				assay_out_printf(out, "-%u", last);
			for (; k < last; k++)
				done |= 1U << k;
			done |= 1U << last;
		}
		assay_out_printf(out, ": %s\n", why);
	}
}

/* Lines that --pcrs of other verbs reads again; what is not known is in comments. */
static int replay_text(const struct result *r, struct assay_err *err)
{
	ASSAY_AUTO(assay_out) *out = NULL;
	char hex[ASSAY_HEX_MAX];

	if (assay_out_open("-", &out, err) < 0)
		return assay_cli_fail(NULL, err);
	for (unsigned b = 0; b < ASSAY_N_BANKS; b++) {
		const char *bank = assay_bank_name((enum assay_bank)b);

		if (!(r->pcrs.banks & ASSAY_BANK_BIT(b)))
			continue;
		for (unsigned i = 0; i < n_registers(r); i++) {
			if (r->pcrs.have[b] & 1U << i)
				assay_out_printf(
					out, "%s %s%u %s\n", bank, r->rtmrs ? "RTMR" : "", i,
					assay_hex(r->pcrs.v[b][i],
						  assay_bank_size((enum assay_bank)b), hex));
		}
		print_reasons(r, b, out);
	}
	if (assay_out_commit(out, err) < 0)
		return assay_cli_fail("standard output", err);
	return ASSAY_EXIT_OK;
}

int assay_cmd_log_replay(const struct assay_verb *verb, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "bank", required_argument, NULL, 'b' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	ASSAY_AUTO(assay_eventlog) *log = NULL;
	struct result r = { 0 };
	bool json = false;
	unsigned banks = 0;
	struct assay_err err;
	int c, rc;

	while ((c = assay_cli_getopt(verb, argc, argv, "b:j", opts)) != -1) {
		if (c == 'b') {
			if (assay_bank_list(optarg, &banks, &err) < 0)
				return assay_cli_usage_msg(verb, "%s", err.msg);
		} else if (c == 'j') {
			json = true;
		} else {
			return assay_cli_usage(verb);
		}
	}
	if (argc - optind != 1)
		return assay_cli_usage_msg(verb, "one LOG, please");

	const char *path = argv[optind];

	if (assay_eventlog_load(path, &log, &err) < 0)
		return assay_cli_fail(path, &err);
	for (unsigned b = 0; b < ASSAY_N_BANKS; b++) {
		if ((banks & ASSAY_BANK_BIT(b)) && !(log->carried & ASSAY_BANK_BIT(b))) {
			assay_fail(&err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
				   "no event has a %s digest", assay_bank_name((enum assay_bank)b));
			return assay_cli_fail(path, &err);
		}
	}
	if (banks == 0)
		banks = log->banks | log->carried;
	r.log = log;
	r.rtmrs = log->format == ASSAY_LOG_CCEL;
	rc = r.rtmrs ? assay_eventlog_replay_rtmrs(log, banks, &r.pcrs, &r.reasons, &err)
		     : assay_eventlog_replay(log, banks, &r.pcrs, &r.reasons, &err);
	if (rc < 0)
		return assay_cli_fail(path, &err);
	rc = json ? replay_json(&r) : replay_text(&r, &err);
	assay_replay_reasons_free(&r.reasons);
	return rc;
}
