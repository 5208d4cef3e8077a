/* SPDX-License-Identifier: Apache-2.0 */
/* CEL-JSON with our content (TCG Canonical Event Log Format 1.0, 5.1 for the JSON encoding). */
#include "tpm/cel.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/text.h"

static const char content_type[] = "assay";

struct assay_cel *assay_cel_new(void)
{
	return calloc(1, sizeof(struct assay_cel));
}

void assay_cel_free(struct assay_cel **p)
{
	struct assay_cel *cel = p ? assay_steal(p) : NULL;

	if (!cel)
		return;
	for (size_t i = 0; i < cel->n; i++)
		free((void *)(uintptr_t)cel->records[i].event.text);
	free(cel->records);
	free(cel);
}

/* The text is copied; the rest of the record stands. */
static int push(struct assay_cel *cel, const struct assay_cel_record *record, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *text = NULL;
	const size_t len = record->event.len;

	if (cel->n >= ASSAY_CEL_MAX_RECORDS)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "%u records of a log, and one more", ASSAY_CEL_MAX_RECORDS);
	text = malloc(len + 1);
	if (!text)
		return assay_fail_mem(err);
	/* Room doubles whenever the number of records is a power of two. */
	if ((cel->n & (cel->n - 1)) == 0) {
		struct assay_cel_record *more = realloc(cel->records, (cel->n ? 2 * cel->n : 1) * sizeof(*more));

		if (!more)
			return assay_fail_mem(err);
		cel->records = more;
	}
	if (len)
		memcpy(text, record->event.text, len);
	text[len] = '\0';
	cel->banks = record->digests.banks;
	cel->records[cel->n] = *record;
	cel->records[cel->n++].event.text = assay_steal(&text);
	return 0;
}

static int check_place(const struct assay_cel *cel, unsigned pcr, unsigned banks, struct assay_err *err)
{
	if (pcr >= ASSAY_N_PCRS)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "PCR %u: there are 0 to %d", pcr, ASSAY_N_PCRS - 1);
	if (banks == 0)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "no digest in a bank that is known");
	if (cel->n > 0 && cel->banks != banks)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "digests in other banks than the records before have");
	return 0;
}

int assay_cel_add(struct assay_cel *cel, unsigned pcr, const struct assay_runtime_event *ev, unsigned banks,
		  const struct assay_cel_record **ret, struct assay_err *err)
{
	struct assay_cel_record record = { .recnum = cel->n, .pcr = pcr, .event = *ev };
	uint32_t c;

	/* JSON could not give the same bytes back. */
	for (size_t i = 0, n; i < ev->len; i += n) {
		n = assay_utf8_next(ev->text + i, ev->len - i, &c);
		if (n == 0)
			return assay_fail(err, ASSAY_E_CORRUPT, i, "an event whose text is not UTF-8");
	}
	if (check_place(cel, pcr, banks, err) < 0 || assay_runtime_digests(ev, banks, &record.digests, err) < 0 ||
	    push(cel, &record, err) < 0)
		return -1;
	if (ret)
		*ret = &cel->records[cel->n - 1];
	return 0;
}

void assay_cel_drop_last(struct assay_cel *cel)
{
	cel->n--;
	free((void *)(uintptr_t)cel->records[cel->n].event.text);
	/* push() makes room when n is a power of two: there may be more of it then, never less. */
	if (cel->n == 0)
		cel->banks = 0;
}

/* --- parsing ------------------------------------------------------------------------------------ */

/* Exactly these members; they are all required. */
static int members(const struct assay_json *o, const char *const *names, size_t n, const char *what, struct assay_err *err)
{
	if (!assay_json_is_object(o))
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "%s is no object", what);
	for (size_t i = 0; i < n; i++)
		if (!assay_json_get(o, names[i]))
			return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "%s without '%s'", what, names[i]);
	if (assay_json_len(o) != n)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "%s with members that are not known", what);
	return 0;
}

static int parse_digest(const struct assay_json *o, struct assay_digests *d, struct assay_err *err)
{
	static const char *const names[] = { "digest", "hashAlg" };
	const char *alg, *hex;
	enum assay_bank bank;

	if (members(o, names, 2, "digest", err) < 0)
		return -1;
	alg = assay_json_str(assay_json_get(o, "hashAlg"));
	hex = assay_json_str(assay_json_get(o, "digest"));
	if (!alg || !hex)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "digest: 'digest' and 'hashAlg' have to be texts");
	/* Names as they are written, so that no bank can be there twice. */
	if (!assay_bank_from_name(alg, &bank) || strcmp(alg, assay_bank_name(bank)) != 0)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "digest: a hashAlg that is not known");
	if (d->banks & ASSAY_BANK_BIT(bank))
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "two digests of bank %s", alg);
	/* Lower case alone: a record is written in one way. */
	if (strspn(hex, "0123456789abcdef") != 2 * assay_bank_size(bank) ||
	    !assay_unhex(hex, strlen(hex), d->d[bank], assay_bank_size(bank)))
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "digest: bank %s has %zu hex digits, in lower case", alg,
				  2 * assay_bank_size(bank));
	d->banks |= ASSAY_BANK_BIT(bank);
	return 0;
}

static int parse_content(const struct assay_json *o, struct assay_runtime_event *ret, struct assay_err *err)
{
	if (!assay_json_is_object(o) || assay_json_len(o) != 1)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "content is no object of one member");
	for (unsigned i = 0; i < ASSAY_N_CARRIERS; i++) {
		const struct assay_json *v = assay_json_get(o, assay_carrier_name((enum assay_carrier)i));

		if (!v)
			continue;
		ret->carrier = (enum assay_carrier)i;
		ret->text = assay_json_text(v, &ret->len);
		if (!ret->text)
			return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "content: '%s' is no text",
					  assay_carrier_name(ret->carrier));
		return 0;
	}
	return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "content of a kind that is not known");
}

static int parse_record(struct assay_cel *cel, const struct assay_json *o, struct assay_err *err)
{
	static const char *const names[] = { "content", "content_type", "digests", "pcr", "recnum" };
	struct assay_cel_record record = { .recnum = cel->n };
	struct assay_digests computed;
	const struct assay_json *digests;
	const char *type;
	int64_t recnum, pcr;

	if (members(o, names, 5, "record", err) < 0)
		return -1;
	if (!assay_json_get_int(assay_json_get(o, "recnum"), &recnum) || recnum < 0 || (uint64_t)recnum != record.recnum)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "recnum is not %" PRIu64, record.recnum);
	type = assay_json_str(assay_json_get(o, "content_type"));
	if (!type || strcmp(type, content_type) != 0)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "content_type is not '%s'", content_type);
	if (!assay_json_get_int(assay_json_get(o, "pcr"), &pcr) || pcr < 0)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "pcr is not the number of one");
	record.pcr = pcr < ASSAY_N_PCRS ? (unsigned)pcr : ASSAY_N_PCRS;
	digests = assay_json_get(o, "digests");
	if (!assay_json_is_array(digests) || assay_json_len(digests) > ASSAY_N_BANKS)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "digests are not an array of up to %d", ASSAY_N_BANKS);
	for (size_t i = 0; i < assay_json_len(digests); i++)
		if (parse_digest(assay_json_at(digests, i), &record.digests, err) < 0)
			return -1;
	if (parse_content(assay_json_get(o, "content"), &record.event, err) < 0 ||
	    check_place(cel, record.pcr, record.digests.banks, err) < 0 ||
	    assay_runtime_digests(&record.event, record.digests.banks, &computed, err) < 0)
		return -1;
	for (unsigned b = 0; b < ASSAY_N_BANKS; b++)
		if (!assay_bytes_equal(computed.d[b], record.digests.d[b], ASSAY_MAX_DIGEST))
			return assay_fail(err, ASSAY_E_MISMATCH, ASSAY_NO_OFFSET, "the %s digest is not that of the content",
					  assay_bank_name((enum assay_bank)b));
	return push(cel, &record, err);
}

int assay_cel_parse_record(struct assay_cel *cel, const struct assay_json *record, struct assay_err *err)
{
	return parse_record(cel, record, err) < 0 ? assay_wrap(err, "record %zu", cel->n) : 0;
}

int assay_cel_parse(const struct assay_json *records, struct assay_cel **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_cel) *cel = assay_cel_new();

	if (!cel)
		return assay_fail_mem(err);
	if (!assay_json_is_array(records))
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "a runtime log that is no array");
	for (size_t i = 0; i < assay_json_len(records); i++)
		if (assay_cel_parse_record(cel, assay_json_at(records, i), err) < 0)
			return -1;
	*ret = assay_steal(&cel);
	return 0;
}

/* --- writing ------------------------------------------------------------------------------------ */

struct assay_json *assay_cel_record_json(const struct assay_cel_record *record)
{
	struct assay_json *o = assay_json_object(), *content = assay_json_object(), *digests = assay_json_array();

	assay_json_set(content, assay_carrier_name(record->event.carrier),
		       assay_json_string_n(record->event.text, record->event.len));
	for (unsigned b = 0; b < ASSAY_N_BANKS; b++) {
		const enum assay_bank bank = (enum assay_bank)b;
		struct assay_json *d;

		if (!(record->digests.banks & ASSAY_BANK_BIT(b)))
			continue;
		d = assay_json_object();
		assay_json_set_str(d, "hashAlg", assay_bank_name(bank));
		assay_json_set(d, "digest", assay_json_hex(record->digests.d[b], assay_bank_size(bank)));
		assay_json_append(digests, d);
	}
	assay_json_set_int(o, "recnum", record->recnum);
	assay_json_set_int(o, "pcr", record->pcr);
	assay_json_set(o, "digests", digests);
	assay_json_set_str(o, "content_type", content_type);
	assay_json_set(o, "content", content);
	return o;
}

struct assay_json *assay_cel_json(const struct assay_cel *cel)
{
	struct assay_json *a = assay_json_array();

	for (size_t i = 0; i < cel->n; i++)
		assay_json_append(a, assay_cel_record_json(&cel->records[i]));
	return a;
}

/* --- replay ------------------------------------------------------------------------------------- */

int assay_cel_replay(const struct assay_cel *cel, size_t n, struct assay_pcrs *pcrs, struct assay_err *err)
{
	for (size_t i = 0; i < n && i < cel->n; i++) {
		const struct assay_cel_record *r = &cel->records[i];
		bool any = false;

		for (unsigned b = 0; b < ASSAY_N_BANKS; b++) {
			const enum assay_bank bank = (enum assay_bank)b;

			if (!(pcrs->have[b] & 1U << r->pcr))
				continue;
			if (!(r->digests.banks & ASSAY_BANK_BIT(b)))
				return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
						  "record %zu: no %s digest to extend PCR %u with", i, assay_bank_name(bank), r->pcr);
			if (assay_pcr_extend(pcrs, bank, r->pcr, r->digests.d[b], err) < 0)
				return assay_wrap(err, "record %zu", i);
			any = true;
		}
		if (!any)
			return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
					  "record %zu: PCR %u has no value to begin with", i, r->pcr);
	}
	return 0;
}
