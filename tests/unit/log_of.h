/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine that does what a prediction says: a disk, a platform out of a table of events with their data, and the
 * event log that the two lead to. The log's events have data as firmware, systemd and the kernel write it.
 */
#ifndef ASSAY_TESTS_LOG_OF_H
#define ASSAY_TESTS_LOG_OF_H

#include "core/text.h"
#include "precompute/precompute.h"
#include "tests/unit/chain_run.h"
#include "tests/unit/log_build.h"
#include "tpm/event_build.h"

#define LOG_BANKS (ASSAY_BANK_BIT(ASSAY_SHA1) | ASSAY_BANK_BIT(ASSAY_SHA256))

/* An event of the platform. */
struct log_fact {
	uint32_t pcr, type;
	const void *data;
	size_t len;
};
#define LOG_TEXT(pcr, type, text)                                                                                      \
	{                                                                                                              \
		pcr, type, text, sizeof(text) - 1                                                                      \
	}

struct machine {
	const struct log_fact *facts;
	size_t n_facts;
	unsigned tries;
	const char *const *parts; /* partitions beside the ESP */
	size_t n_parts;
	const char *origin; /* YAML lines of the profile's origin; or NULL */
	const char *name;   /* of the profile; NULL: "small" */
	/* made of it: */
	struct assay_prediction *p;
	struct assay_json *disk; /* assay.facts/1 */
	struct log_build log_bytes;
	struct assay_eventlog *log;
	struct assay_pcrs *pcrs;
};

static struct assay_err machine_err;

/* The profile as YAML: each event's digest out of its bytes, and its words as a note, as learning makes them. */
static inline char *machine_yaml(const struct machine *m)
{
	struct assay_str s = { 0 };

	assay_str_add(&s,
		      "schema: assay.platform/1\nname: %s\narch: x86-64\nbanks: [sha1, sha256]\nsecure_boot: false\n%s"
		      "events:\n",
		      m->name ? m->name : "small", m->origin ? m->origin : "");
	for (size_t i = 0; i < m->n_facts; i++) {
		const struct log_fact *f = &m->facts[i];
		const struct assay_event ev = {
			.pcr = f->pcr, .type = f->type, .data = f->data, .data_len = (uint32_t)f->len
		};
		char *words = assay_event_describe(&ev);
		char *hex = malloc(2 * f->len + 1);

		assert_non_null(words);
		assert_non_null(hex);
		assay_hex(f->data, f->len, hex);
		assay_str_add(&s, "  - {pcr: %u, type: %s, hex: \"%s\", note: \"", f->pcr,
			      assay_event_type_name(f->type), hex);
		for (const char *c = words; *c; c++)
			assay_str_add(&s, "%s%c", *c == '"' || *c == '\\' ? "\\" : "", *c);
		assay_str_add(&s, "\"}\n");
		free(words);
		free(hex);
	}
	assay_str_add(&s, "  - {slot: gpt}\n  - {slot: boot, tries: %u}\n  - {slot: exit}\n", m->tries);
	return assay_str_steal(&s);
}

static inline void log_put(struct log_build *b, const struct assay_pred_event *ev, const void *data, size_t len)
{
	struct assay_digests d = ev->values[0];

	d.banks &= LOG_BANKS;
	log_event(b, ev->pcr, ev->type, &d, data, len);
}

static inline void log_utf16(struct log_build *b, const char *text)
{
	for (size_t i = 0; i <= strlen(text); i++)
		log_le16(b, (uint8_t)text[i]);
}

/* UEFI_IMAGE_LOAD_EVENT of a file on a disk, or of memory (path ""). */
static inline struct log_build log_image(const char *path)
{
	struct log_build b = { 0 };
	const size_t n = *path ? 2 * (strlen(path) + 1) : 16;

	log_le64(&b, 0x3d000000);
	log_le64(&b, 0x1000);
	log_le64(&b, 0);
	log_le64(&b, n + 4 + 4);
	log_bytes(&b, *path ? "\4\4" : "\4\3", 2);
	log_le16(&b, (uint16_t)(n + 4));
	if (*path)
		log_utf16(&b, path);
	else
		log_bytes(&b, "\xf8\xd1\xc5\x55\xcd\x04\xb5\x46\x8a\x20\xe5\x6c\xbb\x30\x52\xd0", 16);
	log_bytes(&b, "\x7f\xff\4\0", 4);
	return b;
}

/* What the machine writes for an event of the image. */
static inline void log_image_event(struct log_build *b, const struct assay_pred_event *ev, const uint8_t *gpt,
				   size_t gpt_len)
{
	const char *blank = strrchr(ev->source, ' ');
	const char *quote = ev->detail ? strchr(ev->detail, '"') : NULL;
	struct log_build data = { 0 };
	uint8_t *tagged = NULL;
	size_t len = 0;

	if (ev->type == EV_EFI_GPT_EVENT) {
		log_bytes(&data, gpt, gpt_len);
	} else if (ev->type == EV_EFI_BOOT_SERVICES_APPLICATION) {
		data = log_image(blank && strcmp(blank, " .linux") == 0 ? "" : ev->source);
	} else if (ev->type == EV_EFI_ACTION) {
		assert_non_null(quote);
		log_bytes(&data, quote + 1, strlen(quote) - 2);
	} else if (ev->pcr == 11) {
		log_utf16(&data, blank + 1);
	} else if (ev->type == EV_EVENT_TAG) {
		const bool options = ev->pcr == 9 && ev->detail && strncmp(ev->detail, "LOADED", 6) == 0;
		const char *text = ev->pcr == 5 ? "loader.conf"
				   : options	? "LOADED_IMAGE::LoadOptions"
						: "Linux initrd";

		assert_int_equal(assay_event_build_tagged(ev->pcr == 5 ? ASSAY_TAG_SYSTEMD_LOADER_CONF
							  : options    ? ASSAY_TAG_LINUX_LOAD_OPTIONS
								       : ASSAY_TAG_LINUX_INITRD,
							  text, strlen(text) + 1, &tagged, &len, &machine_err),
				 0);
		log_bytes(&data, tagged, len);
	} else if (quote) { /* options, whose text is in quotes */
		char *text = strdup(quote + 1);

		assert_non_null(text);
		text[strlen(text) - 1] = '\0';
		log_utf16(&data, text);
		free(text);
	} else {
		log_utf16(&data, ev->pcr == 13 ? "System extension initrd" : "Credentials initrd");
	}
	log_put(b, ev, data.p, data.len);
	free(data.p);
	free(tagged);
}

/* Predicts, and boots. */
static inline void machine_boot(struct machine *m, const struct disk_file *files, size_t n)
{
	const struct assay_precompute_options options = { .no_image_digest = true };
	const struct assay_facts_options wanted = { .banks = LOG_BANKS, .no_image_digest = true };
	ASSAY_AUTO(assay_src) *disk = NULL;
	ASSAY_AUTO(assay_image) *image = NULL;
	ASSAY_AUTO(assay_links) *links = NULL;
	ASSAY_AUTO(assay_platform) *platform = NULL;
	char *yaml = machine_yaml(m);
	size_t len, gpt_len, fact = 0;
	uint8_t *bytes = disk_build(files, n, m->parts, m->n_parts, &len), *gpt;

	assert_non_null(yaml);
	if (assay_platform_parse(yaml, strlen(yaml), &platform, &machine_err) < 0 ||
	    assay_src_from_mem(bytes, len, &disk, &machine_err) < 0 ||
	    assay_image_open(disk, "disk.img", &image, &machine_err) < 0 ||
	    assay_precompute(image, platform, &options, &m->p, &machine_err) < 0 ||
	    assay_image_facts(image, &wanted, &m->disk, &links, &machine_err) < 0 ||
	    assay_event_build_gpt(image->gpt->header_bytes, image->gpt->entries, image->gpt->header.n_entries,
				  image->gpt->header.entry_size, &gpt, &gpt_len, &machine_err) < 0)
		fail_msg("%s", machine_err.msg);
	log_header(&m->log_bytes, LOG_BANKS);
	for (size_t i = 0; i < m->p->n; i++) {
		const struct assay_pred_event *ev = &m->p->events[i];

		if (ev->type == EV_NO_ACTION)
			continue;
		if (strncmp(ev->source, "platform ", 9) != 0) {
			log_image_event(&m->log_bytes, ev, gpt, gpt_len);
		} else if (fact < m->n_facts) {
			log_put(&m->log_bytes, ev, m->facts[fact].data, m->facts[fact].len);
			fact++;
		} else { /* the tries of the boot slot */
			log_put(&m->log_bytes, ev, ev->detail + 1, strlen(ev->detail) - 2);
		}
	}
	if (assay_eventlog_parse(m->log_bytes.p, m->log_bytes.len, &m->log, &machine_err) < 0)
		fail_msg("%s", machine_err.msg);
	m->pcrs = calloc(1, sizeof(*m->pcrs));
	assert_non_null(m->pcrs);
	for (int b = 0; b < ASSAY_N_BANKS; b++)
		for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS && (m->p->banks & ASSAY_BANK_BIT(b)); i++)
			if (m->p->pcr[i].n) {
				memcpy(m->pcrs->v[b][i], m->p->pcr[i].v[0].d[b], ASSAY_MAX_DIGEST);
				m->pcrs->have[b] |= 1U << i;
			}
	free(gpt);
	free(bytes);
	free(yaml);
}

static inline void machine_free(struct machine *m)
{
	assay_prediction_free(&m->p);
	assay_json_free(&m->disk);
	assay_eventlog_free(&m->log);
	free(m->log_bytes.p);
	free(m->pcrs);
}

#endif
