/* SPDX-License-Identifier: Apache-2.0 */
#include "precompute/kernel.h"

#include <stdlib.h>
#include <string.h>

#include "core/cur.h"
#include "core/text.h"

/*
 * Debian's kernels: the configuration is the one of the packages linux-image-6.1.0-*-amd64 and
 * linux-image-6.12.*+deb13-amd64 and their cloud flavours (/boot/config-*).
 */
static const struct assay_kernel_rules rows[] = {
	{ .series = "6.1", .ima_template = "ima-sig", .ima_hash = ASSAY_SHA256, .sha512_builtin = false },
	{ .series = "6.12", .ima_template = "ima-sig", .ima_hash = ASSAY_SHA256, .sha512_builtin = true },
};

static const struct assay_kernel_rules *by_series(const char *version)
{
	for (size_t i = 0; version && i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = strlen(rows[i].series);

		if (strncmp(version, rows[i].series, n) == 0 && (version[n] < '0' || version[n] > '9'))
			return &rows[i];
	}
	return NULL;
}

const struct assay_kernel_rules *assay_kernel_rules_find(const char *version, const char *assume)
{
	const struct assay_kernel_rules *rules = by_series(version);

	return rules ? rules : by_series(assume);
}

/* --- command lines ------------------------------------------------------------------------------ */

/* One argument: name and value, [.., ..) each; value NULL when there is no '='. */
struct arg {
	const char *name, *name_end;
	const char *value, *value_end;
};

/* The kernel's isspace() (lib/ctype.c), to which 0xa0 is one, whatever character it belongs to. */
static bool is_space(unsigned char ch)
{
	return ch == ' ' || (ch >= '\t' && ch <= '\r') || ch == 0xa0;
}

/*
 * next_arg() of lib/cmdline.c: blanks in double quotes do not end an argument; quotes around the whole of it or
 * around its value do not belong to it.
 */
static bool next_arg(const char **p, struct arg *ret)
{
	bool quoted, in_quote;
	const char *equals = NULL;
	const char *end;

	while (is_space((unsigned char)**p))
		(*p)++;
	if (!**p)
		return false;
	quoted = in_quote = **p == '"';
	*ret = (struct arg){ .name = *p + quoted };
	for (end = ret->name; *end && (in_quote || !is_space((unsigned char)*end)); end++) {
		if (*end == '=' && !equals && end > ret->name)
			equals = end;
		if (*end == '"')
			in_quote = !in_quote;
	}
	*p = end;
	if (equals) {
		ret->value = equals + 1;
		if (*ret->value == '"') {
			ret->value++;
			quoted = true;
		}
	}
	if (quoted && end > ret->name && end[-1] == '"')
		end--;
	ret->name_end = equals ? equals : end;
	if (equals)
		ret->value_end = end > ret->value ? end : ret->value;
	/* What follows "--" is for init alone (parse_args(), efi_parse_options()). */
	return ret->value || ret->name_end - ret->name != 2 || memcmp(ret->name, "--", 2) != 0;
}

/* Does the name start with this word? '-' and '_' are the same in a parameter's name (parameqn()). */
static bool starts(const struct arg *arg, const char *word)
{
	const char *p = arg->name;

	for (; *word; word++, p++)
		if (p == arg->name_end || (*p == '-' ? '_' : *p) != (*word == '-' ? '_' : *word))
			return false;
	return true;
}

static bool is(const struct arg *arg, const char *word)
{
	return (size_t)(arg->name_end - arg->name) == strlen(word) && starts(arg, word);
}

bool assay_cmdline_has(const char *cmdline, const char *word)
{
	struct arg arg;

	while (next_arg(&cmdline, &arg))
		if (is(&arg, word))
			return true;
	return false;
}

/* --- IMA ---------------------------------------------------------------------------------------- */

static int refuse(struct assay_err *err, const char *why)
{
	return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "%s", why);
}

static bool value_is(const struct arg *arg, const char *text)
{
	size_t n = (size_t)(arg->value_end - arg->value);

	return n == strlen(text) && memcmp(arg->value, text, n) == 0;
}

/* ima_template_setup(): the first one that is known counts; others than these two are not computed here. */
static int template_setting(const struct arg *arg, const char **template, struct assay_err *err)
{
	static const char *const templates[] = { "ima-ng", "ima-sig" };

	for (size_t i = 0; i < sizeof(templates) / sizeof(templates[0]); i++)
		if (value_is(arg, templates[i])) {
			*template = templates[i];
			return 0;
		}
	return refuse(err, "an IMA template other than ima-ng and ima-sig");
}

/* hash_setup(): likewise. */
static int hash_setting(const struct arg *arg, enum assay_bank *hash, struct assay_err *err)
{
	for (int b = 0; b < ASSAY_N_BANKS; b++)
		if (value_is(arg, assay_bank_name((enum assay_bank)b))) {
			*hash = (enum assay_bank)b;
			return 0;
		}
	return refuse(err, "an IMA hash other than sha1, sha256, sha384 and sha512");
}

/* What the command line changes. */
static int ima_settings(const char *cmdline, const char **template, enum assay_bank *hash,
			struct assay_err *err)
{
	/* Without '=' in the kernel's table: whatever begins so is taken for it. */
	static const char *const policies[] = { "ima_policy", "ima_tcb", "ima_appraise" };
	static const char *const unknown[] = { "lsm", "ima", "integrity", "bootconfig" };
	bool have_template = false, have_hash = false;
	struct arg arg;

	while (next_arg(&cmdline, &arg)) {
		int length = (int)(arg.name_end - arg.name);
		bool other = starts(&arg, "ima_");

		for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
			if (starts(&arg, policies[i]))
				return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
						  "the command line loads an IMA policy (%.*s): PCR 10 needs "
						  "IMA's log",
						  length, arg.name);
		for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
			other |= is(&arg, unknown[i]);
		if (arg.value && is(&arg, "ima_template")) {
			if (!have_template && template_setting(&arg, template, err) < 0)
				return -1;
			have_template = true;
		} else if (arg.value && is(&arg, "ima_hash")) {
			if (!have_hash && hash_setting(&arg, hash, err) < 0)
				return -1;
			have_hash = true;
		} else if (other) {
			return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
					  "what %.*s on the command line does to IMA is not known", length,
					  arg.name);
		}
	}
	return 0;
}

/* ima_calc_boot_aggregate(): the bank of IMA's own hash, else SHA-256, else SHA-1. */
static bool aggregate_bank(unsigned active, enum assay_bank wanted, enum assay_bank *ret)
{
	const enum assay_bank order[] = { wanted, ASSAY_SHA256, ASSAY_SHA1 };

	for (size_t i = 0; i < 3; i++)
		if (active & ASSAY_BANK_BIT(order[i])) {
			*ret = order[i];
			return true;
		}
	return false;
}

static int aggregate(const struct assay_pcrs *pcrs, enum assay_bank bank, uint8_t *ret,
		     struct assay_err *err)
{
	/* PCR 8 and 9 are in all but the SHA-1 one. */
	unsigned n = bank == ASSAY_SHA1 ? 8 : 10;
	struct assay_part parts[10];

	for (unsigned i = 0; i < n; i++)
		parts[i] = (struct assay_part){ pcrs->v[bank][i], assay_bank_size(bank) };
	return assay_digest_one(bank, parts, n, ret, err);
}

int assay_ima_boot_aggregate(const struct assay_kernel_rules *rules, const char *version,
			     const char *cmdline, unsigned active, const struct assay_pcrs *pcrs,
			     unsigned banks, struct assay_digests *ret, struct assay_err *err)
{
	static const char name[] = "boot_aggregate";
	const char *template = rules->ima_template;
	enum assay_bank hash = rules->ima_hash;
	uint8_t digest[ASSAY_MAX_DIGEST];
	uint8_t data[4 + 8 + ASSAY_MAX_DIGEST + 4 + sizeof(name) + 4];
	struct assay_digests d = { .banks = banks };
	enum assay_bank bank;

	/* The settings are the distribution's; nobody else's kernel is known to have them. */
	if (!version || !strstr(version, "debian-kernel@lists.debian.org") || !strstr(version, "amd64"))
		return refuse(err, "how this kernel's IMA is configured is not known (known: Debian's amd64)");
	if (cmdline && ima_settings(cmdline, &template, &hash, err) < 0)
		return -1;
	if (!aggregate_bank(active, hash, &bank))
		return refuse(err, "the TPM has neither a SHA-1 nor a SHA-256 bank, or not IMA's own");
	if (!(banks & ASSAY_BANK_BIT(bank)))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "IMA's boot_aggregate is over bank %s, which was not asked for",
				  assay_bank_name(bank));
	if (hash > ASSAY_SHA256 && !rules->sha512_builtin)
		return refuse(err, "ima_hash= names a hash that this kernel has not at that time");
	if (aggregate(pcrs, bank, digest, err) < 0)
		return -1;

	/* d-ng: length, "sha256:", NUL, digest; n-ng: length, name with NUL; sig: length 0. */
	uint8_t *p = data;
	size_t alg = strlen(assay_bank_name(bank));
	size_t size = assay_bank_size(bank);
	assay_put_le32(p, (uint32_t)(alg + 2 + size));
	p = mempcpy(p + 4, assay_bank_name(bank), alg);
	*p++ = ':';
	*p++ = '\0';
	p = mempcpy(p, digest, size);
	assay_put_le32(p, sizeof(name));
	p = mempcpy(p + 4, name, sizeof(name));
	if (strcmp(template, "ima-sig") == 0) {
		assay_put_le32(p, 0);
		p += 4;
	}

	const struct assay_part part = { data, (size_t)(p - data) };
	for (int b = 0; b < ASSAY_N_BANKS; b++) {
		bool there = b == ASSAY_SHA1 || b == ASSAY_SHA256 || rules->sha512_builtin;

		if (!(banks & ASSAY_BANK_BIT(b)))
			continue;
		/* A hash that the kernel lacks at that time: SHA-1, filled up with zeros. */
		if (assay_digest_one(there ? (enum assay_bank)b : ASSAY_SHA1, &part, 1, d.d[b], err) < 0)
			return -1;
	}
	*ret = d;
	return 0;
}
