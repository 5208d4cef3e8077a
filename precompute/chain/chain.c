/* SPDX-License-Identifier: Apache-2.0 */
#include "precompute/chain/chain.h"

#include <stdlib.h>
#include <string.h>

#include "core/text.h"

void assay_chain_clear(struct assay_chain *c)
{
	free(c->kernel.version);
	free(c->kernel.cmdline);
	for (size_t i = 0; i < ASSAY_PREDICTED_PCRS; i++)
		free(c->no_value[i]);
}

/* --- the table ---------------------------------------------------------------------------------- */

static const struct {
	enum assay_efi_kind kind;
	int (*run)(struct assay_chain *, struct assay_efi_file *, struct assay_err *);
	const char *refusal; /* of those without run */
} rows[] = {
	{ ASSAY_EFI_UKI, assay_chain_uki, NULL },
	{ ASSAY_EFI_SDBOOT, assay_chain_sdboot, NULL },
	{ ASSAY_EFI_SHIM, NULL, "shim: its chain is not predicted yet" },
	{ ASSAY_EFI_GRUB, NULL, "GRUB: its chain is not predicted yet" },
	{ ASSAY_EFI_LINUX, NULL, "a kernel that the firmware starts itself: not predicted yet" },
	{ ASSAY_EFI_ADDON, NULL, "an addon, which starts nothing" },
	{ ASSAY_EFI_OTHER, NULL, "an unknown UEFI program: what it measures is not known" },
};

int assay_chain_run(struct assay_chain *c, struct assay_efi_file *boot, struct assay_err *err)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].kind != boot->info.kind)
			continue;
		if (rows[i].run)
			return rows[i].run(c, boot, err);
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "%s is %s", boot->path,
				  rows[i].refusal);
	}
	return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "%s: no chain for this program",
			  boot->path);
}

/* --- what rows share ---------------------------------------------------------------------------- */

char *assay_efi_path(const char *path, const char *what)
{
	char *s = assay_asprintf("%s%s%s", path, *what ? " " : "", what);

	for (size_t i = 0; s && path[i]; i++)
		if (s[i] == '/')
			s[i] = '\\';
	return s;
}

int assay_chain_measure(struct assay_chain *c, unsigned pcr, uint32_t type, const void *data,
			size_t len, char *source, char *detail, struct assay_err *err)
{
	struct assay_digests d;

	if (assay_digest_mem(c->banks, data, len, &d, err) < 0) {
		free(source);
		free(detail);
		return -1;
	}
	return assay_prediction_add(c->p, pcr, type, &d, true, source, detail, err);
}

int assay_chain_utf16(const char *text, const char *what, uint8_t **ret, size_t *ret_len,
		      struct assay_err *err)
{
	uint8_t *u;
	size_t len;

	if (assay_utf8_to_utf16(text, strlen(text), &u, &len, err) < 0)
		return err->code == ASSAY_E_NOMEM ?
			       -1 :
			       assay_wrap(err, "%s: not UTF-8, and boot stages differ in what they make of it",
					  what);
	/* systemd's boot stages know the basic plane only and drop the rest (xstrn8_to_16()). */
	for (size_t i = 0; i + 1 < len; i += 2)
		if ((u[i + 1] & 0xf8) == 0xd8) {
			free(u);
			return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
					  "%s: a character beyond U+FFFF, which boot stages drop", what);
		}
	uint8_t *grown = realloc(u, len + 2);
	if (!grown) {
		free(u);
		return assay_fail_mem(err);
	}
	grown[len] = 0;
	grown[len + 1] = 0;
	*ret = grown;
	*ret_len = len + 2;
	return 0;
}

int assay_chain_load_options(struct assay_chain *c, const char *options, char *source,
			     struct assay_err *err)
{
	ASSAY_AUTO_FREE char *owned = source;
	ASSAY_AUTO_FREE uint8_t *u = NULL;
	size_t len;

	if (assay_chain_utf16(options, "load options", &u, &len, err) < 0)
		return -1;
	return assay_chain_measure(c, 12, EV_IPL, u, len, assay_steal(&owned),
				   assay_asprintf("the options as UTF-16 with NUL: \"%s\"", options), err);
}
