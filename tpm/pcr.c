/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/pcr.h"

#include <stdio.h>
#include <string.h>

#include "core/limits.h"

void assay_pcrs_reset(struct assay_pcrs *pcrs, unsigned banks)
{
	memset(pcrs, 0, sizeof(*pcrs));
	pcrs->banks = banks & ASSAY_ALL_BANKS;
	for (unsigned b = 0; b < ASSAY_N_BANKS; b++) {
		if (!(banks & ASSAY_BANK_BIT(b)))
			continue;
		pcrs->have[b] = ASSAY_ALL_PCRS;
		/* The dynamic-launch PCRs come out of TPM2_Startup as all ones. */
		for (unsigned i = 17; i <= 22; i++)
			memset(pcrs->v[b][i], 0xff, assay_bank_size((enum assay_bank)b));
	}
}

int assay_pcr_extend(struct assay_pcrs *pcrs, enum assay_bank bank, unsigned index,
		     const uint8_t *digest, struct assay_err *err)
{
	if (index >= ASSAY_N_PCRS)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "PCR %u: the PC Client profile has PCRs 0 to %d", index,
				  ASSAY_N_PCRS - 1);
	if (!(pcrs->have[bank] & 1U << index))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "PCR %u of bank %s has no value to extend", index,
				  assay_bank_name(bank));

	const size_t size = assay_bank_size(bank);
	const struct assay_part parts[] = {
		{ pcrs->v[bank][index], size },
		{ digest, size },
	};
	uint8_t out[ASSAY_MAX_DIGEST];

	if (assay_digest_one(bank, parts, 2, out, err) < 0)
		return -1;
	memcpy(pcrs->v[bank][index], out, size);
	return 0;
}

int assay_pcr_extend_all(struct assay_pcrs *pcrs, unsigned index, const struct assay_digests *d,
			 struct assay_err *err)
{
	for (unsigned b = 0; b < ASSAY_N_BANKS; b++) {
		if ((pcrs->banks & ASSAY_BANK_BIT(b)) && !(d->banks & ASSAY_BANK_BIT(b)))
			return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
					  "no %s digest to extend PCR %u with",
					  assay_bank_name((enum assay_bank)b), index);
	}
	for (unsigned b = 0; b < ASSAY_N_BANKS; b++) {
		if ((pcrs->banks & ASSAY_BANK_BIT(b)) &&
		    assay_pcr_extend(pcrs, (enum assay_bank)b, index, d->d[b], err) < 0)
			return -1;
	}
	return 0;
}

bool assay_pcr_is_zero(const struct assay_pcrs *pcrs, enum assay_bank bank, unsigned index)
{
	static const uint8_t zero[ASSAY_MAX_DIGEST];

	return index < ASSAY_N_PCRS && (pcrs->have[bank] & 1U << index) &&
	       assay_bytes_equal(pcrs->v[bank][index], zero, assay_bank_size(bank));
}

/* --- the text form -----------------------------------------------------------------------------
 */

struct word {
	const char *p;
	size_t len;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of [*p, end), up to blanks or a comment; length 0 at the end. */
static struct word next_word(const char **p, const char *end)
{
	struct word w;

	while (*p < end && is_blank(**p))
		(*p)++;
	if (*p < end && **p == '#')
		*p = end;
	w.p = *p;
	while (*p < end && !is_blank(**p) && **p != '#')
		(*p)++;
	w.len = (size_t)(*p - w.p);
	return w;
}

static bool parse_index(struct word w, unsigned *ret)
{
	unsigned v = 0;

	if (w.len == 0 || w.len > 2 || (w.len == 2 && w.p[0] == '0'))
		return false;
	for (size_t i = 0; i < w.len; i++) {
		if (w.p[i] < '0' || w.p[i] > '9')
			return false;
		v = v * 10 + (unsigned)(w.p[i] - '0');
	}
	if (v >= ASSAY_N_PCRS)
		return false;
	*ret = v;
	return true;
}

static bool parse_bank(struct word w, enum assay_bank *ret)
{
	char name[16];

	if (w.len >= sizeof(name))
		return false;
	memcpy(name, w.p, w.len);
	name[w.len] = '\0';
	return strlen(name) == w.len && assay_bank_from_name(name, ret);
}

/* How much of a foreign word goes into a message. */
static int shown(struct word w)
{
	return w.len > 40 ? 40 : (int)w.len;
}

static int parse_line(const char *p, const char *end, uint64_t at, unsigned line,
		      struct assay_pcrs *pcrs, struct assay_err *err)
{
	const struct word wbank = next_word(&p, end), windex = next_word(&p, end),
			  whex = next_word(&p, end), rest = next_word(&p, end);
	enum assay_bank bank;
	unsigned index;
	uint8_t v[ASSAY_MAX_DIGEST] = { 0 };

	if (wbank.len == 0)
		return 0;
	if (whex.len == 0 || rest.len != 0)
		return assay_fail(err, ASSAY_E_CORRUPT, at,
				  "line %u: not of the form BANK INDEX HEX", line);
	if (!parse_bank(wbank, &bank))
		return assay_fail(err, ASSAY_E_CORRUPT, at, "line %u: no bank '%.*s'", line,
				  shown(wbank), wbank.p);
	if (!parse_index(windex, &index))
		return assay_fail(err, ASSAY_E_CORRUPT, at,
				  "line %u: '%.*s' is no PCR from 0 to %d", line, shown(windex),
				  windex.p, ASSAY_N_PCRS - 1);
	if (whex.len > 2 && whex.p[0] == '0' && (whex.p[1] == 'x' || whex.p[1] == 'X'))
		return assay_fail(err, ASSAY_E_CORRUPT, at,
				  "line %u: hex digits without 0x, please", line);

	const size_t size = assay_bank_size(bank);

	if (!assay_unhex(whex.p, whex.len, v, size))
		return assay_fail(err, ASSAY_E_CORRUPT, at,
				  "line %u: a %s value has %zu hex digits", line,
				  assay_bank_name(bank), 2 * size);
	if ((pcrs->have[bank] & 1U << index) && !assay_bytes_equal(pcrs->v[bank][index], v, size))
		return assay_fail(err, ASSAY_E_CORRUPT, at,
				  "line %u: %s PCR %u given twice, with different values", line,
				  assay_bank_name(bank), index);
	pcrs->banks |= ASSAY_BANK_BIT(bank);
	pcrs->have[bank] |= 1U << index;
	memcpy(pcrs->v[bank][index], v, size);
	return 0;
}

int assay_pcrs_parse(const char *text, size_t len, struct assay_pcrs *ret, struct assay_err *err)
{
	struct assay_pcrs pcrs = { 0 };
	unsigned line = 1;

	if (len > ASSAY_PCRS_MAX_FILE)
		return assay_fail(err, ASSAY_E_LIMIT, 0, "%zu bytes of PCR values, limit %u", len,
				  ASSAY_PCRS_MAX_FILE);
	for (size_t pos = 0; pos < len; line++) {
		const char *eol = memchr(text + pos, '\n', len - pos);
		const size_t end = eol ? (size_t)(eol - text) : len;

		if (parse_line(text + pos, text + end, pos, line, &pcrs, err) < 0)
			return -1;
		pos = end + 1;
	}
	*ret = pcrs;
	return 0;
}

struct assay_json *assay_pcrs_json(const struct assay_pcrs *pcrs)
{
	struct assay_json *top = assay_json_object();

	for (unsigned b = 0; b < ASSAY_N_BANKS; b++) {
		if (!(pcrs->banks & ASSAY_BANK_BIT(b)))
			continue;

		struct assay_json *bank = assay_json_object();

		for (unsigned i = 0; i < ASSAY_N_PCRS; i++) {
			char key[4];

			if (!(pcrs->have[b] & 1U << i))
				continue;
			snprintf(key, sizeof(key), "%u", i);
			assay_json_set(
				bank, key,
				assay_json_hex(pcrs->v[b][i], assay_bank_size((enum assay_bank)b)));
		}
		assay_json_set(top, assay_bank_name((enum assay_bank)b), bank);
	}
	return top;
}
