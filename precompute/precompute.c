/* SPDX-License-Identifier: Apache-2.0 */
#include "precompute/precompute.h"

#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/text.h"
#include "measure/whole.h"
#include "precompute/chain/chain.h"
#include "precompute/kernel.h"
#include "precompute/root.h"
#include "tpm/event_build.h"

/* --- slots -------------------------------------------------------------------------------------- */

static int slot_gpt(struct assay_chain *c, struct assay_err *err)
{
	const struct assay_gpt *gpt = c->image->gpt;
	ASSAY_AUTO_FREE uint8_t *data = NULL;
	size_t len;

	if (assay_event_build_gpt(gpt->header_bytes, gpt->entries, gpt->header.n_entries,
				  gpt->header.entry_size, &data, &len, err) < 0)
		return -1;
	return assay_chain_measure(c, 5, EV_EFI_GPT_EVENT, data, len,
				   assay_strdup("the disk's primary GPT"),
				   assay_asprintf("header and %zu partitions", gpt->n_parts), err);
}

/* EFI_ACTION strings: PFP 1.06, 10.4.4; the text without NUL. */
static int action(struct assay_chain *c, unsigned pcr, const char *text, bool image,
		  struct assay_err *err)
{
	struct assay_digests d;

	if (assay_digest_mem(c->banks, text, strlen(text), &d, err) < 0)
		return -1;
	return assay_prediction_add(c->p, pcr, EV_EFI_ACTION, &d, image,
				    image ? assay_strdup("exit of boot services") :
					    assay_asprintf("platform %s", c->platform->name),
				    assay_asprintf("\"%s\"", text), err);
}

static int slot_boot(struct assay_chain *c, const struct assay_platform_event *slot,
		     struct assay_efi_file *boot, struct assay_err *err)
{
	for (unsigned i = 0; i < slot->tries; i++)
		if (action(c, 4, "Returning from EFI Application from Boot Option", false, err) < 0 ||
		    action(c, 4, "Calling EFI Application from Boot Option", false, err) < 0)
			return -1;
	return assay_chain_run(c, boot, err);
}

static int slot_exit(struct assay_chain *c, struct assay_err *err)
{
	if (action(c, 5, "Exit Boot Services Invocation", true, err) < 0)
		return -1;
	return action(c, 5, "Exit Boot Services Returned with Success", true, err);
}

static int platform_event(struct assay_chain *c, const struct assay_platform_event *ev,
			  struct assay_err *err)
{
	ASSAY_AUTO_FREE struct assay_digests *values = calloc(ev->n_values, sizeof(*values));

	if (!values)
		return assay_fail_mem(err);
	for (size_t i = 0; i < ev->n_values; i++)
		values[i] = ev->values[i].digests;
	return assay_prediction_add_set(c->p, ev->pcr, ev->type, values, ev->n_values, false,
					assay_asprintf("platform %s", c->platform->name),
					ev->note ? assay_strdup(ev->note) : NULL, err);
}

static int fill_slots(struct assay_chain *c, struct assay_efi_file *boot, struct assay_err *err)
{
	for (size_t i = 0; i < c->platform->n; i++) {
		const struct assay_platform_event *ev = &c->platform->events[i];
		int rc = -1;

		switch (ev->slot) {
		case ASSAY_SLOT_NONE:
			rc = platform_event(c, ev, err);
			break;
		case ASSAY_SLOT_GPT:
			rc = slot_gpt(c, err);
			break;
		case ASSAY_SLOT_BOOT:
			rc = slot_boot(c, ev, boot, err);
			break;
		case ASSAY_SLOT_EXIT:
			rc = slot_exit(c, err);
			break;
		}
		if (rc < 0)
			return -1;
	}
	return 0;
}

/* --- from events to values ---------------------------------------------------------------------- */

static int extend_one(unsigned banks, const struct assay_digests *value,
		      const struct assay_digests *digest, struct assay_digests *ret,
		      struct assay_err *err)
{
	struct assay_digests out = { .banks = banks };

	for (int b = 0; b < ASSAY_N_BANKS; b++) {
		if (!(banks & ASSAY_BANK_BIT(b)))
			continue;
		if (!(digest->banks & ASSAY_BANK_BIT(b)))
			return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
					  "an event without a digest in bank %s",
					  assay_bank_name((enum assay_bank)b));
		size_t n = assay_bank_size((enum assay_bank)b);
		const struct assay_part parts[2] = { { value->d[b], n }, { digest->d[b], n } };
		if (assay_digest_one((enum assay_bank)b, parts, 2, out.d[b], err) < 0)
			return -1;
	}
	*ret = out;
	return 0;
}

/* values x the event's accepted digests */
static int extend_set(unsigned banks, struct assay_pcr_values *pcr, const struct assay_pred_event *ev,
		      unsigned index, struct assay_err *err)
{
	size_t n = pcr->n * ev->n_values;

	if (n > ASSAY_MAX_ACCEPTED)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET,
				  "PCR %u: more than %d accepted values", index, ASSAY_MAX_ACCEPTED);
	struct assay_digests *out = calloc(n, sizeof(*out));
	if (!out)
		return assay_fail_mem(err);
	for (size_t i = 0; i < pcr->n; i++)
		for (size_t k = 0; k < ev->n_values; k++)
			if (extend_one(banks, &pcr->v[i], &ev->values[k], &out[i * ev->n_values + k],
				       err) < 0) {
				free(out);
				return assay_wrap(err, "PCR %u", index);
			}
	free(pcr->v);
	pcr->v = out;
	pcr->n = n;
	return 0;
}

static int drop_value(struct assay_pcr_values *pcr, enum assay_pcr_status status, const char *why,
		      struct assay_err *err)
{
	char *reason = assay_strdup(why);

	if (!reason)
		return assay_fail_mem(err);
	free(pcr->v);
	pcr->v = NULL;
	pcr->n = 0;
	pcr->status = status;
	free(pcr->reason);
	pcr->reason = reason;
	return 0;
}

static int replay_pcr(struct assay_chain *c, unsigned index, struct assay_err *err)
{
	struct assay_pcr_values *pcr = &c->p->pcr[index];

	pcr->v = calloc(1, sizeof(*pcr->v));
	if (!pcr->v)
		return assay_fail_mem(err);
	pcr->n = 1;
	pcr->v[0].banks = c->banks;
	pcr->status = ASSAY_PCR_ZERO;
	/* Reset value of PCR 0: the locality of TPM2_Startup, or 4 after an H-CRTM (PFP 1.06, 10.4.5.3). */
	if (index == 0)
		for (int b = 0; b < ASSAY_N_BANKS; b++)
			pcr->v[0].d[b][assay_bank_size((enum assay_bank)b) - 1] =
				(uint8_t)(c->platform->hcrtm ? 4 : c->platform->locality);
	for (size_t i = 0; i < c->p->n; i++) {
		const struct assay_pred_event *ev = &c->p->events[i];

		if (ev->pcr != index)
			continue;
		if (ev->image)
			pcr->status = ASSAY_PCR_IMAGE;
		else if (pcr->status == ASSAY_PCR_ZERO)
			pcr->status = ASSAY_PCR_PLATFORM;
		if (extend_set(c->banks, pcr, ev, index, err) < 0)
			return -1;
	}
	if (c->no_value[index])
		return drop_value(pcr, ASSAY_PCR_UNPREDICTABLE, c->no_value[index], err);
	if (c->platform->unknown[index])
		return drop_value(pcr, ASSAY_PCR_UNKNOWN, c->platform->unknown[index], err);
	return 0;
}

/* --- PCR 10 ------------------------------------------------------------------------------------- */

/* The k-th combination of accepted values of PCR 0-9 as registers. */
static void combination(const struct assay_prediction *p, size_t k, struct assay_pcrs *ret)
{
	for (unsigned i = 0; i < 10; i++) {
		const struct assay_pcr_values *v = &p->pcr[i];
		const struct assay_digests *d = &v->v[k % v->n];

		k /= v->n;
		for (int b = 0; b < ASSAY_N_BANKS; b++)
			memcpy(ret->v[b][i], d->d[b], ASSAY_MAX_DIGEST);
	}
}

/* How many combinations there are; 0 when PCR 10 has none and was marked so. */
static int count_combinations(struct assay_prediction *p, size_t *ret, struct assay_err *err)
{
	struct assay_pcr_values *pcr = &p->pcr[10];
	size_t n = 1;

	*ret = 0;
	for (unsigned i = 0; i < 10; i++) {
		if (p->pcr[i].n == 0) {
			bool unknown = p->pcr[i].status == ASSAY_PCR_UNKNOWN;
			ASSAY_AUTO_FREE char *why = assay_asprintf(
				"IMA's boot_aggregate is over PCR 0-9, and PCR %u has no value", i);

			if (!why)
				return assay_fail_mem(err);
			return drop_value(pcr, unknown ? ASSAY_PCR_UNKNOWN : ASSAY_PCR_UNPREDICTABLE,
					  why, err);
		}
		n *= p->pcr[i].n;
		if (n > ASSAY_MAX_ACCEPTED)
			return drop_value(pcr, ASSAY_PCR_UNPREDICTABLE,
					  "more combinations of PCR 0-9's accepted values than a "
					  "prediction holds",
					  err);
	}
	*ret = n;
	return 0;
}

static int ima(struct assay_chain *c, struct assay_err *err)
{
	struct assay_prediction *p = c->p;
	struct assay_pcr_values *pcr = &p->pcr[10];
	const struct assay_kernel_rules *rules =
		assay_kernel_rules_find(c->kernel.version, c->options->assume_kernel);
	ASSAY_AUTO_FREE struct assay_pcrs *regs = NULL;
	ASSAY_AUTO_FREE struct assay_digests *values = NULL;
	size_t n;

	if (pcr->n == 0) /* the profile knows nothing of what comes before IMA */
		return 0;
	if (count_combinations(p, &n, err) < 0)
		return -1;
	if (n == 0)
		return 0;
	if (!rules)
		return drop_value(pcr, ASSAY_PCR_UNPREDICTABLE, "the kernel's IMA is not known", err);
	regs = calloc(1, sizeof(*regs));
	values = calloc(n, sizeof(*values));
	if (!regs || !values)
		return assay_fail_mem(err);
	for (size_t k = 0; k < n; k++) {
		combination(p, k, regs);
		if (assay_ima_boot_aggregate(rules, c->kernel.version, c->kernel.cmdline,
					     c->platform->banks, regs, c->banks, &values[k], err) == 0)
			continue;
		if (err->code != ASSAY_E_UNSUPPORTED)
			return -1;
		ASSAY_AUTO_FREE char *why = assay_strdup(err->msg);
		return why ? drop_value(pcr, ASSAY_PCR_UNPREDICTABLE, why, err) : assay_fail_mem(err);
	}
	if (assay_prediction_add_set(p, 10, EV_NO_ACTION, values, n, true,
				     assay_asprintf("kernel %.*s, IMA", (int)strcspn(c->kernel.version, " "),
						    c->kernel.version),
				     assay_strdup("boot_aggregate over PCR 0-9; in IMA's own log"), err) < 0)
		return -1;
	pcr->status = ASSAY_PCR_IMAGE;
	/* CONFIG_IMA_ARCH_POLICY (arch_ima_get_policy()): MODULE_CHECK and KEXEC_KERNEL_CHECK are then measured. */
	if (c->secure_boot) {
		pcr->reason = assay_strdup("until the kernel loads its first module: with Secure Boot on, "
					   "IMA measures each of them");
		if (!pcr->reason)
			return assay_fail_mem(err);
	}
	return extend_set(c->banks, pcr, &p->events[p->n - 1], 10, err);
}

/* --- phases of user space ----------------------------------------------------------------------- */

/* systemd-pcrphase's words (systemd-pcrphase.service(8)), each measured without NUL. */
static int phases(struct assay_chain *c, struct assay_err *err)
{
	static const char *const words[] = { "enter-initrd", "leave-initrd", "sysinit", "ready",
					     "shutdown", "final" };
	const size_t n = sizeof(words) / sizeof(words[0]);
	struct assay_prediction *p = c->p;
	struct assay_digests value;

	if (p->pcr[11].n != 1 || p->pcr[11].status != ASSAY_PCR_IMAGE)
		return 0;
	value = p->pcr[11].v[0];
	p->phases = calloc(n, sizeof(*p->phases));
	if (!p->phases)
		return assay_fail_mem(err);
	for (size_t i = 0; i < n; i++) {
		struct assay_digests d;

		if (assay_digest_mem(c->banks, words[i], strlen(words[i]), &d, err) < 0 ||
		    extend_one(c->banks, &value, &d, &value, err) < 0)
			return -1;
		p->phases[i].name = i == 0 ? assay_strdup(words[0]) :
					     assay_asprintf("%s:%s", p->phases[i - 1].name, words[i]);
		if (!p->phases[i].name)
			return assay_fail_mem(err);
		p->phases[i].pcr11 = value;
		p->n_phases++;
	}
	return 0;
}

/* --- the whole ---------------------------------------------------------------------------------- */

static int check_platform(const struct assay_chain *c, struct assay_err *err)
{
	unsigned boots = 0;

	for (size_t i = 0; i < c->platform->n; i++)
		boots += c->platform->events[i].slot == ASSAY_SLOT_BOOT;
	if (boots != 1)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET,
				  "platform %s: %u boot slots; there must be one", c->platform->name, boots);
	if (c->platform->secure_boot < 0)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "platform %s: whether Secure Boot is on is not known; the key "
				  "secure_boot says it",
				  c->platform->name);
	unsigned missing = c->p->banks & ~c->platform->banks;
	for (int b = 0; b < ASSAY_N_BANKS; b++)
		if (missing & ASSAY_BANK_BIT(b))
			return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET,
					  "platform %s: no digests in bank %s", c->platform->name,
					  assay_bank_name((enum assay_bank)b));
	/* PartitionInstallGptChildHandles(): without it there is no partition to boot from. */
	if (!c->image->gpt->protective_mbr)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, assay_src_origin(c->image->disk, 446),
				  "no protective MBR record (type EE from LBA 1): firmware does not look at "
				  "the GPT of such a disk");
	if (c->image->n_esps > 1)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "%zu EFI system partitions: which one boots is not decided",
				  c->image->n_esps);
	return 0;
}

static int describe_image(struct assay_chain *c, const struct assay_efi_file *boot,
			  struct assay_err *err)
{
	struct assay_json *o = c->p->image;

	assay_json_set_str(o, "name", c->image->name);
	assay_json_set_int(o, "size", assay_src_size(c->image->disk));
	assay_json_set_str(o, "boot", boot->path);
	assay_json_set_str(o, "chain", assay_efi_kind_name(boot->info.kind));
	if (c->kernel.version)
		assay_json_set(o, "kernel", assay_json_string_n(c->kernel.version,
								strcspn(c->kernel.version, " ")));
	struct assay_whole whole = { 0 };
	const struct assay_digests *known = c->options->disk;
	const bool digest = !c->options->no_image_digest && !known;
	struct assay_json *root;

	if (digest)
		assay_whole_start(&whole, c->image->disk, NULL, ASSAY_BANK_BIT(ASSAY_SHA256));
	const int rc = assay_predict_root(c->image, c->kernel.cmdline, c->options->skip_chain,
					  c->options->links, &root, err);
	if (rc == 0)
		assay_json_set(o, "root", root);
	if (!digest) {
		if (rc == 0 && known) {
			struct assay_digests d = *known;

			d.banks = ASSAY_BANK_BIT(ASSAY_SHA256);
			assay_json_set(o, "digest", assay_json_digests(&d));
		}
		return rc;
	}
	if (assay_whole_finish(&whole, rc == 0, err) < 0)
		return -1;
	assay_json_set(o, "digest", assay_json_digests(&whole.digests));
	return 0;
}

static int fill(struct assay_chain *c, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *path = NULL;
	ASSAY_AUTO(assay_efi_file) *boot = NULL;

	c->p->image = assay_json_object();
	c->p->platform = assay_platform_json(c->platform);
	if (check_platform(c, err) < 0)
		return -1;
	if (c->options->boot) {
		path = assay_strdup(c->options->boot);
		if (!path)
			return assay_fail_mem(err);
		for (char *p = path; *p; p++)
			if (*p == '\\')
				*p = '/';
	} else if (assay_image_boot_path(c->image, c->platform->arch, &path, err) < 0) {
		return -1;
	}
	if (assay_image_efi(c->image, path, &boot, err) < 0)
		return -1;
	if (fill_slots(c, boot, err) < 0)
		return -1;
	for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS; i++)
		if (replay_pcr(c, i, err) < 0)
			return -1;
	if (ima(c, err) < 0 || phases(c, err) < 0)
		return -1;
	return describe_image(c, boot, err);
}

int assay_precompute(struct assay_image *image, const struct assay_platform *platform,
		     const struct assay_precompute_options *options, struct assay_prediction **ret,
		     struct assay_err *err)
{
	ASSAY_AUTO(assay_prediction) *p = calloc(1, sizeof(*p));
	struct assay_chain c = { .image = image, .platform = platform, .options = options, .p = p };

	if (!p)
		return assay_fail_mem(err);
	p->banks = options->banks ? options->banks : platform->banks;
	/* IMA's aggregate is over the sha256 bank whenever the TPM has it, or else over sha1 (ima_hash= aside). */
	c.banks = p->banks | (platform->banks & ASSAY_BANK_BIT(ASSAY_SHA256));
	if (!(c.banks & ASSAY_BANK_BIT(ASSAY_SHA256)))
		c.banks |= platform->banks & ASSAY_BANK_BIT(ASSAY_SHA1);
	c.secure_boot = platform->secure_boot > 0;
	int rc = fill(&c, err);
	assay_chain_clear(&c);
	if (rc < 0)
		return -1;
	*ret = assay_steal(&p);
	return 0;
}
