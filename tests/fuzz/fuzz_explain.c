/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log against a prediction that is fixed, and against one that is the log itself with some events left out or of
 * another digest (the first byte says which). Whatever differs has a cause, and each cause words. Target functions:
 * assay_align, assay_explain, assay_row_words.
 */
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "precompute/explain.h"
#include "tpm/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BANKS (ASSAY_BANK_BIT(ASSAY_SHA1) | ASSAY_BANK_BIT(ASSAY_SHA256))

/* detail, where it is the words of an event of the platform; its digest is of the text */
static const struct {
	unsigned pcr;
	uint32_t type;
	const char *source, *detail;
} fixed[] = {
	{ 0, EV_S_CRTM_VERSION, "platform f", "firmware version \"1\"" },
	{ 0, EV_EFI_PLATFORM_FIRMWARE_BLOB, "platform f", "firmware 0xe0000 bytes at 0x820000" },
	{ 0, EV_EFI_PLATFORM_FIRMWARE_BLOB, "platform f", "firmware 0xe80000 bytes at 0x900000" },
	{ 7, EV_EFI_VARIABLE_DRIVER_CONFIG, "platform f", "variable SecureBoot (EFI global): off" },
	{ 7, EV_EFI_VARIABLE_DRIVER_CONFIG, "platform f", "variable db (image security): empty" },
	{ 1, EV_PLATFORM_CONFIG_FLAGS, "platform f", "platform configuration \"ACPI DATA\"" },
	{ 1, EV_EFI_VARIABLE_BOOT, "platform f", "variable BootOrder (EFI global): 0001" },
	{ 1, EV_EFI_VARIABLE_BOOT, "platform f", "variable Boot0001 (EFI global): \"UEFI\" PciRoot(0x0)" },
	{ 2, EV_EFI_BOOT_SERVICES_DRIVER, "platform f", "driver PciRoot(0x0)/Offset(0x0,0x1) (0x100 bytes)" },
	{ 4, EV_EFI_ACTION, "platform f", "action \"Calling EFI Application from Boot Option\"" },
	{ 4, EV_SEPARATOR, "platform f", "separator" },
	{ 5, EV_EFI_GPT_EVENT, "the disk's primary GPT", "header and 1 partitions" },
	{ 4, EV_EFI_BOOT_SERVICES_APPLICATION, "\\EFI\\BOOT\\BOOTX64.EFI", "Authenticode digest" },
	{ 5, EV_EVENT_TAG, "\\loader\\loader.conf", "loader.conf, 10 bytes" },
	{ 12, EV_IPL, "\\EFI\\BOOT\\BOOTX64.EFI", "the options as UTF-16 with NUL: \"quiet\"" },
	{ 4, EV_EFI_BOOT_SERVICES_APPLICATION, "\\u.efi", "Authenticode digest" },
	{ 11, EV_IPL, "\\u.efi .linux", "the section's name \".linux\" with its NUL" },
	{ 11, EV_IPL, "\\u.efi .linux", "the section's content, 1 bytes" },
	{ 11, EV_IPL, "\\u.efi .cmdline", "the section's name \".cmdline\" with its NUL" },
	{ 11, EV_IPL, "\\u.efi .cmdline", "the section's content, 2 bytes" },
	{ 12, EV_IPL, "\\u.efi.extra.d", "credentials: a cpio archive of 1 files" },
	{ 4, EV_EFI_BOOT_SERVICES_APPLICATION, "\\u.efi .linux", "the inner kernel's Authenticode digest" },
	{ 9, EV_EVENT_TAG, "\\u.efi .cmdline", "LOADED_IMAGE::LoadOptions, the command line: \"quiet\"" },
	{ 9, EV_EVENT_TAG, "\\u.efi .initrd", "Linux initrd, as handed over" },
	{ 5, EV_EFI_ACTION, "exit of boot services", "\"Exit Boot Services Invocation\"" },
};

static const char platform[] =
	"{\"name\": \"f\", \"origin\": {\"firmware\": [{\"file\": \"OVMF.fd\", \"sha256\": \"00112233445566778899\"}], "
	"\"qemu\": {\"arguments\": [\"-m 512\", \"-smp 1\"]}}}";
static const char facts[] =
	"{\"gpt\": {\"disk_guid\": \"00000000-0000-0000-0000-000000000000\", \"partitions\": [{\"index\": 1, \"type\": "
	"\"c12a7328-f81f-11d2-ba4b-00a0c93ec93b\", \"guid\": \"c12a7328-f81f-11d2-ba4b-00a0c93ec93b\", \"first_lba\": "
	"34, "
	"\"last_lba\": 40, \"name\": \"esp\", \"attributes\": \"0000000000000000\"}]}, \"esp\": {\"programs\": "
	"[{\"path\": \"/a\", "
	"\"authenticode\": {\"sha256\": \"00\"}}]}}";

static void must(bool ok)
{
	if (!ok)
		abort();
}

static struct assay_json *parse(const char *text)
{
	struct assay_json *json;

	must(assay_json_parse(text, strlen(text), &json, NULL) == 0);
	return json;
}

/* The log's own events as a profile has them; `how` spoils some. */
static void add_own(struct assay_prediction *p, const struct assay_eventlog *log, unsigned how)
{
	for (size_t i = 0; i < log->n; i++) {
		const struct assay_event *ev = &log->events[i];
		struct assay_digests d = ev->digests;

		if (ev->type == EV_NO_ACTION || ev->pcr >= ASSAY_PREDICTED_PCRS || (d.banks & BANKS) != BANKS ||
		    (how & 1 && i % 5 == 2))
			continue;
		d.banks = BANKS;
		if (how & 2 && i % 7 == 3)
			d.d[ASSAY_SHA256][0] ^= 1;
		must(assay_prediction_add(p, ev->pcr, ev->type, &d, false, assay_strdup("platform f"),
					  assay_event_describe(ev), NULL) == 0);
	}
}

static struct assay_prediction *predict(const struct assay_eventlog *log, unsigned how)
{
	struct assay_prediction *p = calloc(1, sizeof(*p));

	must(p != NULL);
	p->banks = BANKS;
	p->image = assay_json_object();
	p->platform = parse(platform);
	for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS; i++) {
		p->pcr[i].v = calloc(1, sizeof(*p->pcr[i].v));
		must(p->pcr[i].v != NULL);
		p->pcr[i].v[0].banks = BANKS;
		p->pcr[i].n = 1;
		p->pcr[i].status = ASSAY_PCR_IMAGE;
	}
	if (how & 4) {
		add_own(p, log, how);
		return p;
	}
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
		struct assay_digests d;

		must(assay_digest_mem(BANKS, fixed[i].detail, strlen(fixed[i].detail), &d, NULL) == 0);
		must(assay_prediction_add(p, fixed[i].pcr, fixed[i].type, &d, false, assay_strdup(fixed[i].source),
					  assay_strdup(fixed[i].detail), NULL) == 0);
	}
	return p;
}

static void check(const struct assay_explanation *e)
{
	must(!e->differs || e->n_causes > 0);
	for (size_t i = 0; i < e->n_causes; i++) {
		must(strncmp(e->causes[i].words, "PCR ", 4) == 0 && assay_cause_name(e->causes[i].kind));
		must(i == 0 || e->causes[i - 1].follows <= e->causes[i].follows);
	}
	must(e->n_causes == 0 || !e->causes[0].follows);
	for (unsigned pcr = 0; pcr < ASSAY_PREDICTED_PCRS; pcr++) {
		const struct assay_explained_pcr *p = &e->pcr[pcr];

		for (size_t k = 0; k < p->events.n; k++) {
			ASSAY_AUTO_FREE char *words = assay_row_words(&p->events.rows[k], ASSAY_SHA256);

			must(words != NULL && p->causes[k] <= e->n_causes);
			must((p->causes[k] == 0) == (p->events.rows[k].kind == ASSAY_ROW_SAME) || p->log_disagrees);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ASSAY_AUTO(assay_eventlog) *log = NULL;
	ASSAY_AUTO(assay_prediction) *p = NULL;
	ASSAY_AUTO(assay_json) *disk = NULL;
	ASSAY_AUTO(assay_explanation) *e = NULL;
	ASSAY_AUTO_FREE struct assay_pcrs *pcrs = calloc(1, sizeof(*pcrs));

	must(pcrs != NULL);
	if (size == 0 || assay_eventlog_parse(data + 1, size - 1, &log, NULL) < 0)
		return 0;
	disk = parse(facts);
	p = predict(log, data[0]);
	for (int b = ASSAY_SHA1; b <= ASSAY_SHA256; b++)
		pcrs->have[b] = 0xffff;
	pcrs->banks = BANKS;

	const struct assay_explain_input in = {
		.prediction = p, .facts = data[0] & 8 ? disk : NULL, .log = log, .pcrs = data[0] & 16 ? pcrs : NULL
	};
	if (assay_explain(&in, &e, NULL) == 0)
		check(e);
	return 0;
}
