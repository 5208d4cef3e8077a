/* SPDX-License-Identifier: Apache-2.0 */
/* UEFI variables in words: Secure Boot's state and databases, boot options, and all others. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/guid.h"
#include "tpm/efi_sigdb.h"
#include "tpm/event.h"
#include "tpm/words_priv.h"

/* Certificates named one by one up to this many; a dbx's hashes are counted only. */
#define MAX_NAMED 12

static bool name_is(const struct assay_event_variable *v, const char *name)
{
	const size_t n = strlen(name);

	if (v->name_len != 2 * n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (v->name[2 * i] != (uint8_t)name[i] || v->name[2 * i + 1] != 0)
			return false;
	}
	return true;
}

static bool name_is_one_of(const struct assay_event_variable *v, const char *const *names)
{
	for (; *names; names++) {
		if (name_is(v, *names))
			return true;
	}
	return false;
}

/* "Boot0007": four hex digits after the prefix. */
static bool name_is_numbered(const struct assay_event_variable *v, const char *prefix)
{
	const size_t n = strlen(prefix);

	if (v->name_len != 2 * (n + 4))
		return false;
	for (size_t i = 0; i < n + 4; i++) {
		const uint8_t c = v->name[2 * i];
		const bool hex =
			(c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');

		if (v->name[2 * i + 1] != 0 || (i < n ? c != (uint8_t)prefix[i] : !hex))
			return false;
	}
	return true;
}

/* EFI_SIGNATURE_DATA or a bare certificate: whose, and its fingerprint. */
static void words_certificate(struct assay_str *s, const uint8_t *der, size_t len)
{
	char *name = assay_cert_name(der, len);
	struct assay_digests d;
	char hex[ASSAY_HEX_MAX];

	if (name)
		assay_str_add(s, "\"%s\" ", name);
	free(name);
	if (assay_digest_mem(ASSAY_BANK_BIT(ASSAY_SHA256), der, len, &d, NULL) == 0)
		assay_str_add(s, "sha256 %.16s…", assay_hex(d.d[ASSAY_SHA256], 32, hex));
}

static void words_sigdb(struct assay_str *s, const uint8_t *p, size_t len, uint64_t at)
{
	size_t count[ASSAY_N_SIG_KINDS] = { 0 };
	struct assay_sigdb db;
	struct assay_err err;
	size_t named = 0;
	bool any = false;

	if (assay_sigdb_parse(p, len, at, &db, &err) < 0) {
		assay_words_malformed(s, &err);
		return;
	}
	for (size_t i = 0; i < db.n; i++)
		count[db.sigs[i].kind]++;
	for (unsigned k = 0; k < ASSAY_N_SIG_KINDS; k++) {
		if (count[k] == 0)
			continue;
		assay_str_add(s, "%s%zu %s%s", any ? ", " : "", count[k],
			      assay_sig_kind_name((enum assay_sig_kind)k),
			      count[k] == 1				     ? ""
			      : k >= ASSAY_SIG_SHA1 && k <= ASSAY_SIG_SHA512 ? "es"
									     : "s");
		any = true;
	}
	if (!any)
		assay_str_add(s, "empty");
	for (size_t i = 0; i < db.n && named < MAX_NAMED; i++) {
		const struct assay_sig *sig = &db.sigs[i];

		if (sig->kind != ASSAY_SIG_X509)
			continue;
		assay_str_add(s, named++ ? ", " : ": ");
		words_certificate(s, sig->data, sig->len);
		assay_str_add(s, " owner ");
		assay_words_guid(s, sig->owner);
	}
	if (count[ASSAY_SIG_X509] > named)
		assay_str_add(s, " and %zu more", count[ASSAY_SIG_X509] - named);
	assay_sigdb_free(&db);
}

/* What vouched for an image: EFI_SIGNATURE_DATA out of db, or shim's own certificate bare. */
static void words_authority(struct assay_str *s, const struct assay_event_variable *v)
{
	/* A DER certificate starts with a SEQUENCE of two length bytes; an owner GUID seldom does.
	 */
	if (v->data_len >= 4 && v->data[0] == 0x30 && v->data[1] == 0x82) {
		words_certificate(s, v->data, v->data_len);
	} else if (v->data_len > 20 && v->data[16] == 0x30 && v->data[17] == 0x82) {
		words_certificate(s, v->data + 16, v->data_len - 16);
		assay_str_add(s, " owner ");
		assay_words_guid(s, v->data);
	} else {
		assay_words_guess(s, v->data, v->data_len);
	}
}

static void words_switch(struct assay_str *s, const struct assay_event_variable *v)
{
	if (v->data_len == 0)
		assay_str_add(s, "no value");
	else if (v->data_len == 1 && v->data[0] <= 1)
		assay_str_add(s, v->data[0] ? "on" : "off");
	else
		assay_words_hex(s, v->data, v->data_len);
}

static void words_order(struct assay_str *s, const struct assay_event_variable *v)
{
	struct assay_cur c = assay_cur_make(v->data, v->data_len, 0);

	for (size_t i = 0; c.left >= 2; i++)
		assay_str_add(s, "%s%04x", i ? " " : "", assay_cur_le16(&c));
	if (c.left)
		assay_str_add(s, " [and 1 more byte]");
	if (v->data_len == 0)
		assay_str_add(s, "empty");
}

/* EFI_LOAD_OPTION (UEFI 2.10, 3.1.3). */
static void words_load_option(struct assay_str *s, const struct assay_event_variable *v,
			      uint64_t at)
{
	struct assay_cur c = assay_cur_make(v->data, v->data_len, at);
	struct assay_err err;

	const uint32_t attributes = assay_cur_le32(&c);
	const size_t path_len = assay_cur_le16(&c);
	size_t n = 0;

	while (c.left - n >= 2 && (c.p[n] != 0 || c.p[n + 1] != 0))
		n += 2;
	if (!c.bad) {
		assay_str_add(s, "\"");
		assay_words_utf16(s, c.p, n);
		assay_str_add(s, "\" ");
	}
	assay_cur_skip(&c, n + 2);

	const uint64_t path_at = c.at;
	const uint8_t *path = assay_cur_take(&c, path_len);

	if (assay_cur_done(&c, "EFI_LOAD_OPTION", &err) < 0) {
		assay_words_malformed(s, &err);
		return;
	}
	assay_words_devpath(s, path, path_len, path_at);
	if (!(attributes & 1))
		assay_str_add(s, ", not active");
	if (attributes & 8)
		assay_str_add(s, ", hidden");
	if (c.left) {
		assay_str_add(s, ", options ");
		assay_words_guess(s, c.p, c.left);
	}
}

static void words_value(struct assay_str *s, const struct assay_event *ev,
			const struct assay_event_variable *v)
{
	static const char *const switches[] = {
		"SecureBoot",  "SetupMode",  "AuditMode",  "DeployedMode",   "VendorKeys",
		"MokIgnoreDB", "MokSBState", "MokDBState", "MokListTrusted", NULL
	};
	static const char *const databases[] = { "PK",	"KEK",	 "db",	    "dbx",	"dbt",
						 "dbr", "devdb", "MokList", "MokListX", NULL };
	static const char *const orders[] = {
		"BootOrder",   "DriverOrder", "SysPrepOrder", "PlatformRecoveryOrder", "BootNext",
		"BootCurrent", NULL
	};
	const uint64_t at = ev->data_at + (uint64_t)(v->data - ev->data);

	if (name_is_one_of(v, switches))
		words_switch(s, v);
	else if (ev->type == EV_EFI_VARIABLE_AUTHORITY || ev->type == EV_EFI_SPDM_DEVICE_AUTHORITY)
		words_authority(s, v);
	else if (name_is_one_of(v, databases))
		words_sigdb(s, v->data, v->data_len, at);
	else if (name_is_one_of(v, orders))
		words_order(s, v);
	else if (name_is_numbered(v, "Boot") || name_is_numbered(v, "Driver") ||
		 name_is_numbered(v, "SysPrep") || name_is_numbered(v, "PlatformRecovery"))
		words_load_option(s, v, at);
	else if (v->data_len == 0)
		assay_str_add(s, "no value");
	else
		assay_words_guess(s, v->data, v->data_len);
}

void assay_words_variable(struct assay_str *s, const struct assay_event *ev)
{
	const bool authority = ev->type == EV_EFI_VARIABLE_AUTHORITY;
	struct assay_event_variable v;
	struct assay_err err;

	assay_str_add(s, authority ? "authority in " : "variable ");
	if (assay_event_variable_parse(ev->data, ev->data_len, ev->data_at, &v, &err) < 0) {
		assay_words_malformed(s, &err);
		return;
	}
	assay_words_utf16(s, v.name, v.name_len);
	assay_str_add(s, " (");
	assay_words_guid(s, v.guid);
	assay_str_add(s, "): ");
	words_value(s, ev, &v);
	if (v.extra_len)
		assay_str_add(s, " [and %zu more byte%s]", v.extra_len,
			      v.extra_len == 1 ? "" : "s");
}
