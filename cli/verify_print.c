/* SPDX-License-Identifier: Apache-2.0 */
/* A verdict on a proof, for people: the three steps, then the machine. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/explain.h"
#include "cli/verify.h"
#include "core/clock.h"
#include "core/text.h"
#include "verify/quote.h"

/* A line's first word, in a column of its own. */
static void label(const char *word)
{
	printf("%-12s", word);
}

static void foreign(const char *before, const char *text, const char *after)
{
	printf("%s", before);
	assay_cli_print_safe(text);
	printf("%s", after);
}

static const char *outcome(const struct assay_proof_verdict *v, enum assay_step step)
{
	return v->step_bad[step] ? "REFUSED" : v->reached < step ? "not reached" : "good";
}

/* --- the three steps --------------------------------------------------------------------------------- */

static void print_key(const struct assay_proof_verdict *v)
{
	const struct assay_judged_way *w = &v->way;
	char from[ASSAY_CLOCK_TEXT], until[ASSAY_CLOCK_TEXT];

	printf("1 attestation key: %s\n", outcome(v, ASSAY_STEP_KEY));
	if (!w->leaf)
		return;
	label("  key");
	foreign("", w->subject, "");
	printf(", certified from %s to %s\n", assay_clock_text(w->not_before, from), assay_clock_text(w->not_after, until));
	if (w->n > 0) {
		label("  anchor");
		foreign("", w->anchor, "");
		printf(" (%zu certificates)\n", w->n);
	}
}

static void print_quote(const struct assay_proof_verdict *v)
{
	char hex[2 * ASSAY_NONCE_MAX + 1];

	printf("2 quote: %s\n", outcome(v, ASSAY_STEP_QUOTE));
	if (!v->has_quote)
		return;
	label("  signed");
	printf("%s with %s; the TPM was reset %" PRIu32 " times, its clock %s\n", assay_sig_scheme_words(v->signature.scheme),
	       assay_bank_name(v->signature.hash), v->quote.reset_count, v->quote.safe ? "has gone on since" : "may have been set back");
	label("  fresh");
	if (v->nonce_asked && !v->step_bad[ASSAY_STEP_QUOTE])
		printf("it answers the nonce that was asked with\n");
	else if (v->nonce_asked)
		printf("no\n");
	else if (v->proof->has_nonce)
		printf("not asked; it answers nonce %s\n", assay_hex(v->proof->nonce, v->proof->nonce_len, hex));
	else
		printf("not asked; it may be of any age\n");
}

static void print_values(const struct assay_proof_verdict *v)
{
	printf("3 hashed values: %s\n", outcome(v, ASSAY_STEP_VALUES));
	if (v->reached < ASSAY_STEP_VALUES)
		return;
	for (size_t i = 0; i < v->quote.n_selections; i++) {
		const struct assay_pcr_selection *s = &v->quote.selections[i];

		label("  signed");
		printf("%d PCRs of %s\n", __builtin_popcount(s->pcrs), s->known ? assay_bank_name(s->bank) : "a bank that is not known");
	}
}

/* --- the machine ---------------------------------------------------------------------------------------- */

static void print_boot(const struct assay_proof_verdict *v)
{
	const struct assay_expectation *e = v->boot;

	printf("machine: %s\n", v->step_bad[ASSAY_STEP_BOOT] || v->step_bad[ASSAY_STEP_RUNTIME] ? "REFUSED" :
				v->reached < ASSAY_STEP_RUNTIME				     ? "not reached" :
											       "good");
	if (e && e->name) {
		label("  manifest");
		foreign("", e->name, "");
		printf(", release %" PRIu64 ", platform ", e->release);
		foreign("", e->platform, v->matched ? "\n" : ", comes closest\n");
	}
	if (v->reached < ASSAY_STEP_RUNTIME)
		return;
	label("  log");
	printf("%s\n", !v->log		 ? "no firmware event log: by values alone" :
		       v->log_agrees ? "the firmware's event log leads to the values" :
				       "the firmware's event log does not lead to the values");
}

static void print_pcr(const struct assay_judged_pcr *p)
{
	static const char *const words[] = {
		[ASSAY_JUDGED_NOT] = "not judged",
		[ASSAY_JUDGED_EQUAL] = "equal",
		[ASSAY_JUDGED_DIFFERENT] = "DIFFERENT",
		[ASSAY_JUDGED_NOT_PREDICTED] = "NOT PREDICTED",
		[ASSAY_JUDGED_IGNORED] = "not predicted, ignored",
	};
	char expected[ASSAY_HEX_MAX], quoted[ASSAY_HEX_MAX];
	const size_t size = assay_bank_size(p->bank);

	printf("  PCR %-2u %-6s %s", p->pcr, assay_bank_name(p->bank), assay_hex(p->quoted, size, quoted));
	if (p->verdict == ASSAY_JUDGED_DIFFERENT)
		printf(" expected %s", assay_hex(p->expected, size, expected));
	if (p->records)
		printf(" (%zu record%s)", p->records, p->records == 1 ? "" : "s");
	printf(" %s\n", words[p->verdict]);
}

static int print_events(const struct assay_proof_verdict *v, struct assay_err *err)
{
	for (size_t i = 0; i < v->n_events; i++) {
		const struct assay_cel_record *r = &v->proof->log->records[i];
		/* AICert's early ones as they are: what was measured. */
		ASSAY_AUTO_FREE char *words = v->events[i].known ? assay_runtime_describe(&r->event) :
								   assay_asprintf("%.300s", r->event.text);

		if (!words)
			return assay_fail_mem(err);
		printf("  event %-2" PRIu64 " PCR %-2u ", r->recnum, r->pcr);
		foreign("", words, "\n");
	}
	return 0;
}

static void print_tls(const struct assay_proof_verdict *v)
{
	char hex[ASSAY_HEX_MAX];

	if (!v->has_tls)
		return;
	label("  TLS");
	printf("sha256:%s, ", assay_hex(v->tls_sha256, 32, hex));
	foreign("", v->tls_subject, "\n");
}

/* Digests on lines of their own, as sha256sum and git print them, to be compared. */
static void print_claims(const struct assay_proof_verdict *v)
{
	static const struct {
		enum assay_runtime_kind kind;
		const char *word;
	} told[] = { { ASSAY_RUN_INPUT, "input" },		  { ASSAY_RUN_CONFIGURATION, "config" },
		     { ASSAY_RUN_WEIGHTS_FILE, "weights" }, { ASSAY_RUN_WEIGHTS_TREE, "weights" },
		     { ASSAY_RUN_CODE, "code" },	  { ASSAY_RUN_OUTPUTS, "output" } };

	for (size_t k = 0; k < sizeof(told) / sizeof(told[0]); k++) {
		for (size_t i = 0; i < v->n_claims; i++) {
			const struct assay_claim *c = &v->claims[i];
			char hex[ASSAY_HEX_MAX] = "";
			enum assay_bank bank = ASSAY_SHA256;

			if (c->kind != told[k].kind || !assay_runtime_hash(c->digest, &bank, hex))
				continue;
			printf("  %-8s  %s%s %s  ", told[k].word, c->fsverity ? "fs-verity " : "", assay_bank_name(bank), hex);
			foreign("", c->name ? c->name : "-", "\n");
		}
	}
}

static void print_reasons(const struct assay_proof_verdict *v)
{
	for (size_t i = 0; i < v->n_reasons; i++) {
		printf("REFUSED     %s: ", assay_proof_refusal_name(v->reasons[i].code));
		foreign("", v->reasons[i].text, "\n");
	}
}

int assay_cli_verdict_print(const struct assay_proof_verdict *v, struct assay_err *err)
{
	char at[ASSAY_CLOCK_TEXT];

	if (v->proof) {
		label("proof");
		printf("%s, judged at %s\n", assay_proof_shape_name(v->proof->shape), assay_clock_text(v->at, at));
		print_key(v);
		print_quote(v);
		print_values(v);
		print_boot(v);
	}
	if (v->reached == ASSAY_STEP_RUNTIME) {
		for (size_t i = 0; i < v->n_pcrs; i++)
			print_pcr(&v->pcrs[i]);
		if (print_events(v, err) < 0)
			return -1;
		print_claims(v);
		print_tls(v);
	}
	print_reasons(v);
	if (assay_proof_verified(v) && v->boot->name) {
		label("verified");
		foreign("the machine runs ", v->boot->name, "");
		printf(", release %" PRIu64 "\n", v->boot->release);
	} else if (assay_proof_verified(v)) {
		label("verified");
		printf("the values are those of the list\n");
	}
	return 0;
}
