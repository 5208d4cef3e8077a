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
	for (size_t i = 0; i < c->p->n; i++) {
		const struct assay_pred_event *ev = &c->p->events[i];

		if (ev->pcr == 7 && ev->type == EV_EFI_VARIABLE_AUTHORITY &&
		    memcmp(ev->values[0].d[ASSAY_SHA256], d.d[ASSAY_SHA256],
			   assay_bank_size(ASSAY_SHA256)) == 0)
			return 0;
	}
	if (sig->kind == ASSAY_SIG_X509)
		who = assay_cert_name(sig->data, sig->len);
	return assay_prediction_add(
		c->p, 7, EV_EFI_VARIABLE_AUTHORITY, &d, true,
		assay_asprintf("platform %s, db", c->platform->name),
		assay_asprintf("%s%s%s%s vouches for %s", assay_sig_kind_name(sig->kind), who ? " \"" : "",
			       who ? who : "", who ? "\"" : "", k->path),
		err);
}

static bool hash_kind(enum assay_sig_kind kind, enum assay_bank *ret)
{
	switch (kind) {
	case ASSAY_SIG_SHA1:
		*ret = ASSAY_SHA1;
		return true;
	case ASSAY_SIG_SHA256:
		*ret = ASSAY_SHA256;
		return true;
	case ASSAY_SIG_SHA384:
		*ret = ASSAY_SHA384;
		return true;
	case ASSAY_SIG_SHA512:
		*ret = ASSAY_SHA512;
		return true;
	default:
		return false;
	}
}

static const struct assay_sig *find_hash(const struct check *k, const struct assay_sigdb *db)
{
	for (size_t i = 0; i < db->n; i++) {
		enum assay_bank bank;

		if (hash_kind(db->sigs[i].kind, &bank) && db->sigs[i].len == assay_bank_size(bank) &&
		    memcmp(db->sigs[i].data, k->digest.d[bank], db->sigs[i].len) == 0)
			return &db->sigs[i];
	}
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

static int check_dbx(const struct check *k, const struct assay_pe_certs *certs, struct assay_err *err)
{
	const struct assay_sig *sig;

	if (find_hash(k, &k->dbx))
		return refuse(k, "its hash is in dbx", err);
	for (size_t i = 0; i < k->dbx.n; i++) {
		enum assay_sig_kind kind = k->dbx.sigs[i].kind;

		if (kind == ASSAY_SIG_X509_SHA256 || kind == ASSAY_SIG_X509_SHA384 ||
		    kind == ASSAY_SIG_X509_SHA512)
			return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
					  "dbx of platform %s revokes certificates by hash and time, which "
					  "is not judged yet",
					  k->c->platform->name);
	}
	for (size_t i = 0; i < certs->n; i++) {
		if (find_cert(k, &k->dbx, &certs->c[i], &sig, err) < 0)
			return -1;
		if (sig)
			return refuse(k, "a certificate of its signature is in dbx", err);
	}
	return 0;
}

static int check_signatures(struct check *k, struct assay_err *err)
{
	struct assay_pe_certs certs = { 0 };
	const struct assay_sig *sig = NULL;
	int rc = -1;

	if (assay_pe_certs_read(k->pe, &certs, err) < 0)
		return assay_wrap(err, "%s", k->path);
	if (check_dbx(k, &certs, err) < 0)
		goto out;
	for (size_t i = 0; i < certs.n && !sig; i++) {
		if (find_cert(k, &k->db, &certs.c[i], &sig, err) < 0)
			goto out;
		if (!sig)
			sig = find_hash(k, &k->db);
	}
	if (certs.n == 0)
		sig = find_hash(k, &k->db);
	if (sig)
		rc = vouch(k, sig, err);
	else
		rc = refuse(k, certs.n ? "none of its signatures chains to a certificate in db" :
					 "it is not signed, and its hash is not in db",
			    err);
out:
	assay_pe_certs_clear(&certs);
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
	rc = check_signatures(&k, err);
out:
	assay_sigdb_free(&k.db);
	assay_sigdb_free(&k.dbx);
	return rc;
}

enum { SUBSYSTEM_EFI_APPLICATION = 10 };

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
	/* Whose keys are unknown, PCR 7 has no value and nobody can say who vouches. */
	if (c->secure_boot && !c->platform->unknown[7] && authority(c, pe, spelled, err) < 0)
		return -1;
	return assay_prediction_add(c->p, 4, EV_EFI_BOOT_SERVICES_APPLICATION, digest, true,
				    assay_steal(&spelled), assay_strdup("Authenticode digest"), err);
}
