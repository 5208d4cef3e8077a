/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LoadImage with Secure Boot on: whose signature lets the program run, and the EV_EFI_VARIABLE_AUTHORITY event that
 * this db entry brings into PCR 7 the first time it vouches for something. The order of checks is
 * EDK2's (SecurityPkg, DxeImageVerificationLib: DxeImageVerificationHandler(), IsAllowedByDb(),
 * SecureBootHook(), IsDataMeasured()).
 */
#include "precompute/chain/chain.h"

#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "tpm/efi_sigdb.h"
#include "tpm/event_build.h"

struct check {
	struct assay_chain *c;
	const struct assay_pe *pe;
	const char *path;
	struct assay_digests digest; /* Authenticode, in every bank */
	struct assay_event_variable db_var;
	struct assay_sigdb db, dbx;
};

/* IsDataMeasured(): also by what the platform started, an option ROM's driver for one. */
static bool is_measured(const struct assay_chain *c, const struct assay_digests *d)
{
	for (size_t i = 0; i < c->p->n; i++) {
		const struct assay_pred_event *ev = &c->p->events[i];
		bool same = ev->pcr == 7 && ev->type == EV_EFI_VARIABLE_AUTHORITY && ev->n_values == 1;

		for (int b = 0; same && b < ASSAY_N_BANKS; b++)
			if (c->banks & ASSAY_BANK_BIT(b))
				same = memcmp(ev->values[0].d[b], d->d[b],
					      assay_bank_size((enum assay_bank)b)) == 0;
		if (same)
			return true;
	}
	return false;
}

/* PCR 7: the variable's GUID and name with the one EFI_SIGNATURE_DATA, unless it is there already. */
static int vouch(struct check *k, const struct assay_sig *sig, struct assay_err *err)
{
	struct assay_chain *c = k->c;
	ASSAY_AUTO_FREE uint8_t *data = NULL;
	ASSAY_AUTO_FREE char *who = NULL;
	struct assay_digests d;
	size_t len;

	if (assay_event_build_variable(k->db_var.guid, "db", sig->raw, sig->raw_len, &data, &len,
				       err) < 0 ||
	    assay_digest_mem(c->banks, data, len, &d, err) < 0)
		return -1;
	if (is_measured(c, &d))
		return 0;
	if (sig->kind == ASSAY_SIG_X509)
		who = assay_cert_name(sig->data, sig->len);
	return assay_prediction_add(
		c->p, 7, EV_EFI_VARIABLE_AUTHORITY, &d, true,
		assay_asprintf("platform %s, db", c->platform->name),
		assay_asprintf("%s%s%s%s vouches for %s", assay_sig_kind_name(sig->kind), who ? " \"" : "",
			       who ? who : "", who ? "\"" : "", k->path),
		err);
}

static const enum assay_sig_kind hash_kinds[ASSAY_N_BANKS] = {
	[ASSAY_SHA1] = ASSAY_SIG_SHA1,
	[ASSAY_SHA256] = ASSAY_SIG_SHA256,
	[ASSAY_SHA384] = ASSAY_SIG_SHA384,
	[ASSAY_SHA512] = ASSAY_SIG_SHA512,
};

/* IsSignatureFoundInDatabase(): the first entry with the program's digest of this kind. */
static const struct assay_sig *find_hash(const struct check *k, const struct assay_sigdb *db,
					 enum assay_bank bank)
{
	for (size_t i = 0; i < db->n; i++)
		if (db->sigs[i].kind == hash_kinds[bank] && db->sigs[i].len == assay_bank_size(bank) &&
		    memcmp(db->sigs[i].data, k->digest.d[bank], db->sigs[i].len) == 0)
			return &db->sigs[i];
	return NULL;
}

/* The first certificate of the database that this signature chains to; *ret NULL when there is none. */
static int find_cert(const struct check *k, const struct assay_sigdb *db,
		     const struct assay_pe_cert *cert, const struct assay_sig **ret,
		     struct assay_err *err)
{
	*ret = NULL;
	for (size_t i = 0; i < db->n; i++) {
		bool good;

		if (db->sigs[i].kind != ASSAY_SIG_X509)
			continue;
		if (assay_pe_cert_verify(cert, &k->digest, db->sigs[i].data, db->sigs[i].len, &good,
					 err) < 0)
			return assay_wrap(err, "%s: signature", k->path);
		if (good) {
			*ret = &db->sigs[i];
			return 0;
		}
	}
	return 0;
}

static int refuse(const struct check *k, const char *why, struct assay_err *err)
{
	return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
			  "%s: Secure Boot is on and the firmware will not start it: %s", k->path, why);
}

/* Not signed: each hash is looked up, the longest first, and each one in db is measured. */
static int check_unsigned(struct check *k, struct assay_err *err)
{
	bool found = false;

	/* EDK2 can be built without SHA-1 (DISABLE_SHA1_DEPRECATED_INTERFACES), which nobody can see. */
	if (find_hash(k, &k->db, ASSAY_SHA1) || find_hash(k, &k->dbx, ASSAY_SHA1))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "%s: its SHA-1 hash is in db or dbx, and whether the firmware heeds that "
				  "is not known",
				  k->path);
	for (int b = ASSAY_N_BANKS - 1; b >= 0; b--) {
		const struct assay_sig *sig;

		if (find_hash(k, &k->dbx, (enum assay_bank)b))
			return refuse(k, "its hash is in dbx", err);
		sig = find_hash(k, &k->db, (enum assay_bank)b);
		if (sig && vouch(k, sig, err) < 0)
			return -1;
		found |= sig != NULL;
	}
	return found ? 0 : refuse(k, "it is not signed, and its hash is not in db", err);
}

enum { WIN_CERT_TYPE_EFI_GUID = 0x0ef1 };

/* One signature of several: dbx first; then db, unless an earlier one vouched for the program. */
static int check_signature(struct check *k, const struct assay_pe_cert *cert, bool *vouched,
			   struct assay_err *err)
{
	const struct assay_sig *sig;
	enum assay_bank bank;

	if (cert->type == WIN_CERT_TYPE_EFI_GUID)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, cert->offset,
				  "%s: a signature of type 0x%04x (EFI GUID)", k->path, cert->type);
	if (find_cert(k, &k->dbx, cert, &sig, err) < 0)
		return -1;
	if (sig)
		return refuse(k, "a certificate of its signature is in dbx", err);
	if (!assay_pe_cert_bank(cert, &bank))
		return 0;
	if (!*vouched) {
		if (find_cert(k, &k->db, cert, &sig, err) < 0 || (sig && vouch(k, sig, err) < 0))
			return -1;
		*vouched = sig != NULL;
	}
	if (find_hash(k, &k->dbx, bank))
		return refuse(k, "its hash is in dbx", err);
	if (!*vouched) {
		sig = find_hash(k, &k->db, bank);
		if (sig && vouch(k, sig, err) < 0)
			return -1;
		*vouched = sig != NULL;
	}
	return 0;
}

static int check_signatures(struct check *k, struct assay_err *err)
{
	struct assay_pe_certs certs = { 0 };
	bool vouched = false;
	int rc = 0;

	for (size_t i = 0; i < k->dbx.n; i++) {
		enum assay_sig_kind kind = k->dbx.sigs[i].kind;

		if (kind == ASSAY_SIG_X509_SHA256 || kind == ASSAY_SIG_X509_SHA384 ||
		    kind == ASSAY_SIG_X509_SHA512)
			return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
					  "dbx of platform %s revokes certificates by hash and time, which "
					  "is not judged yet",
					  k->c->platform->name);
	}
	if (assay_pe_certs_read(k->pe, &certs, err) < 0)
		return assay_wrap(err, "%s", k->path);
	for (size_t i = 0; rc == 0 && i < certs.n; i++)
		rc = check_signature(k, &certs.c[i], &vouched, err);
	assay_pe_certs_clear(&certs);
	if (rc == 0 && !vouched)
		return refuse(k, "none of its signatures chains to a certificate in db", err);
	return rc;
}

static int authority(struct assay_chain *c, const struct assay_pe *pe, const char *path,
		     struct assay_err *err)
{
	struct check k = { .c = c, .pe = pe, .path = path };
	struct assay_event_variable dbx;
	int rc = -1;

	if (!assay_platform_variable(c->platform, "db", &k.db_var))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "platform %s: Secure Boot is on, but the profile does not hold the "
				  "contents of db",
				  c->platform->name);
	if (assay_sigdb_parse(k.db_var.data, k.db_var.data_len, 0, &k.db, err) < 0)
		return assay_wrap(err, "platform %s: db", c->platform->name);
	if (!assay_platform_variable(c->platform, "dbx", &dbx)) {
		assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
			   "platform %s: Secure Boot is on, but the profile does not hold the contents of dbx",
			   c->platform->name);
		goto out;
	}
	if (assay_sigdb_parse(dbx.data, dbx.data_len, 0, &k.dbx, err) < 0) {
		assay_wrap(err, "platform %s: dbx", c->platform->name);
		goto out;
	}
	if (assay_authenticode(pe, ASSAY_ALL_BANKS, &k.digest, err) < 0) {
		assay_wrap(err, "%s", path);
		goto out;
	}
	rc = pe->cert_size == 0 ? check_unsigned(&k, err) : check_signatures(&k, err);
out:
	assay_sigdb_free(&k.db);
	assay_sigdb_free(&k.dbx);
	return rc;
}

enum { SUBSYSTEM_EFI_APPLICATION = 10, MACHINE_X64 = 0x8664, MACHINE_AA64 = 0xaa64 };

int assay_chain_load_image(struct assay_chain *c, const struct assay_pe *pe,
			   const struct assay_digests *digest, const char *path,
			   struct assay_err *err)
{
	ASSAY_AUTO_FREE char *spelled = assay_efi_path(path, "");

	if (!spelled)
		return assay_fail_mem(err);
	if (pe->subsystem != SUBSYSTEM_EFI_APPLICATION)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "%s: not an EFI application (subsystem %u), which firmware measures "
				  "elsewhere",
				  spelled, pe->subsystem);
	uint16_t machine = strcmp(c->platform->arch, "aarch64") == 0 ? MACHINE_AA64 : MACHINE_X64;
	if (pe->machine != machine)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "%s: a program for machine 0x%04x, which a platform of %s does not start",
				  spelled, pe->machine, c->platform->arch);
	/* Whose keys are unknown, PCR 7 has no value and nobody can say who vouches. */
	if (c->secure_boot && !c->platform->unknown[7] && authority(c, pe, spelled, err) < 0)
		return -1;
	return assay_prediction_add(c->p, 4, EV_EFI_BOOT_SERVICES_APPLICATION, digest, true,
				    assay_steal(&spelled), assay_strdup("Authenticode digest"), err);
}
