/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Event data in words (TCG PC Client Platform Firmware Profile 1.06, 10.4.1 for which type has
 * which data). Here: the dispatch, the strings and the structures of a few fields; variables,
 * tagged events, EV_NO_ACTION and SPDM have files of their own.
 */
#include <inttypes.h>
#include <string.h>

#include "core/guid.h"
#include "tpm/event.h"
#include "tpm/words_priv.h"

static void words_string(struct assay_str *s, const struct assay_event *ev, const char *what)
{
	assay_str_add(s, "%s ", what);
	assay_words_guess(s, ev->data, ev->data_len);
}

static void words_separator(struct assay_str *s, const struct assay_event *ev)
{
	if (ev->data_len == 4 && memcmp(ev->data, "\0\0\0\0", 4) == 0) {
		assay_str_add(s, "separator");
	} else if (ev->data_len == 4 && memcmp(ev->data, "\xff\xff\xff\xff", 4) == 0) {
		assay_str_add(s, "separator ffffffff");
	} else if (ev->data_len == 4 && memcmp(ev->data, "\1\0\0\0", 4) == 0) {
		assay_str_add(s, "separator after an error");
	} else {
		assay_str_add(s, "separator ");
		assay_words_guess(s, ev->data, ev->data_len);
	}
}

static void words_version(struct assay_str *s, const struct assay_event *ev)
{
	char text[37];

	assay_str_add(s, "firmware version ");
	if (ev->data_len == 16 && !assay_words_is_utf16(ev->data, 16) &&
	    !assay_words_is_utf8(ev->data, 16))
		assay_str_add(s, "%s", assay_guid_text(ev->data, text));
	else if (ev->data_len == 2 && memcmp(ev->data, "\0\0", 2) == 0)
		assay_str_add(s, "\"\"");
	else
		assay_words_guess(s, ev->data, ev->data_len);
}

/* UEFI_PLATFORM_FIRMWARE_BLOB, and with a description before it UEFI_PLATFORM_FIRMWARE_BLOB2. */
static void words_blob(struct assay_str *s, const struct assay_event *ev, bool described,
		       const char *what)
{
	struct assay_cur c = assay_cur_make(ev->data, ev->data_len, ev->data_at);
	struct assay_err err;

	assay_str_add(s, "%s ", what);
	if (described) {
		const size_t n = assay_cur_u8(&c);
		const uint8_t *p = assay_cur_take(&c, n);

		if (p) {
			assay_words_guess(s, p, n);
			assay_str_add(s, ", ");
		}
	}

	const uint64_t base = assay_cur_le64(&c);
	const uint64_t len = assay_cur_le64(&c);

	if (assay_cur_done(&c, "blob", &err) < 0) {
		assay_words_malformed(s, &err);
		return;
	}
	assay_str_add(s, "0x%" PRIx64 " bytes at 0x%" PRIx64, len, base);
	if (c.left)
		assay_str_add(s, " [and %zu more bytes]", c.left);
}

/* Of types whose data is a string in one profile and a blob in the next. */
static void words_string_or_blob(struct assay_str *s, const struct assay_event *ev, bool described,
				 const char *what)
{
	if (ev->data_len >= 16 && !assay_words_is_utf8(ev->data, ev->data_len) &&
	    !assay_words_is_utf16(ev->data, ev->data_len) &&
	    (!described || ev->data_len == 17U + ev->data[0]))
		words_blob(s, ev, described, what);
	else
		words_string(s, ev, what);
}

/* UEFI_HANDOFF_TABLE_POINTERS (2): pairs of a GUID and an address. */
static void words_tables(struct assay_str *s, const struct assay_event *ev, bool described)
{
	struct assay_cur c = assay_cur_make(ev->data, ev->data_len, ev->data_at);
	struct assay_err err;

	assay_str_add(s, "tables handed over: ");
	if (described) {
		const size_t n = assay_cur_u8(&c);
		const uint8_t *p = assay_cur_take(&c, n);

		if (p) {
			assay_words_guess(s, p, n);
			assay_str_add(s, ": ");
		}
	}

	const uint64_t n = assay_cur_le64(&c);

	for (uint64_t i = 0; i < n && !c.bad; i++) {
		uint8_t guid[16];

		assay_cur_copy(&c, guid, sizeof(guid));

		const uint64_t address = assay_cur_le64(&c);

		if (c.bad)
			break;
		assay_str_add(s, "%s", i ? ", " : "");
		assay_words_guid(s, guid);
		assay_str_add(s, " at 0x%" PRIx64, address);
	}
	if (assay_cur_done(&c, "handoff tables", &err) < 0)
		assay_words_malformed(s, &err);
}

static void words_image(struct assay_str *s, const struct assay_event *ev, const char *what)
{
	struct assay_event_image img;
	struct assay_err err;

	assay_str_add(s, "%s ", what);
	if (assay_event_image_parse(ev->data, ev->data_len, ev->data_at, &img, &err) < 0) {
		assay_words_malformed(s, &err);
		return;
	}
	if (img.path_len)
		assay_words_devpath(s, img.path, img.path_len, ev->data_at + 32);
	else
		assay_str_add(s, "without a path");
	assay_str_add(s, " (0x%" PRIx64 " bytes)", img.length);
}

/* UEFI_GPT_DATA: the header's 92 bytes, the number of used entries, the entries. */
static void words_gpt(struct assay_str *s, const struct assay_event *ev)
{
	struct assay_cur c = assay_cur_make(ev->data, ev->data_len, ev->data_at);
	uint8_t disk[16], sig[8];
	struct assay_err err;
	char text[37];

	assay_cur_copy(&c, sig, sizeof(sig));
	assay_cur_skip(&c, 48);
	assay_cur_copy(&c, disk, sizeof(disk));
	assay_cur_skip(&c, 12); /* where the entries are, and how many */

	const uint32_t size = assay_cur_le32(&c);

	assay_cur_skip(&c, 4); /* their checksum */

	const uint64_t n = assay_cur_le64(&c);

	assay_str_add(s, "GPT ");
	if (assay_cur_done(&c, "UEFI_GPT_DATA", &err) < 0) {
		assay_words_malformed(s, &err);
		return;
	}
	assay_str_add(s, "disk %s%s, %" PRIu64 " partition%s", assay_guid_text(disk, text),
		      memcmp(sig, "EFI PART", 8) == 0 ? "" : " (no GPT signature)", n,
		      n == 1 ? "" : "s");
	if (size < 128) {
		assay_str_add(s, "; malformed: entries of %u bytes (at byte 0x%" PRIx64 ")", size,
			      ev->data_at + 84);
		return;
	}
	for (uint64_t i = 0; i < n; i++) {
		struct assay_cur e = assay_cur_sub(&c, size);
		uint8_t guid[16];

		assay_cur_skip(&e, 16); /* type */
		assay_cur_copy(&e, guid, sizeof(guid));
		assay_cur_skip(&e, 24);

		const uint8_t *name = assay_cur_take(&e, 72);

		if (!name)
			break;
		assay_str_add(s, "%s\"", i ? ", " : ": ");
		assay_words_utf16(s, name, 72);
		assay_str_add(s, "\" %s", assay_guid_text(guid, text));
	}
	if (assay_cur_done(&c, "partition entries of UEFI_GPT_DATA", &err) < 0) {
		assay_str_add(s, "; ");
		assay_words_malformed(s, &err);
	} else if (c.left) {
		assay_str_add(s, " [and %zu more bytes]", c.left);
	}
}

static void words_event(struct assay_str *s, const struct assay_event *ev)
{
	switch (ev->type) {
	case EV_NO_ACTION:
		assay_words_no_action(s, ev);
		break;
	case EV_SEPARATOR:
		words_separator(s, ev);
		break;
	case EV_ACTION:
	case EV_EFI_ACTION:
		words_string(s, ev, "action");
		break;
	case EV_EVENT_TAG:
		assay_words_tagged(s, ev);
		break;
	case EV_POST_CODE:
		words_string_or_blob(s, ev, false, "firmware code");
		break;
	case EV_POST_CODE2:
		words_string_or_blob(s, ev, true, "firmware code");
		break;
	case EV_S_CRTM_CONTENTS:
		words_string_or_blob(s, ev, ev->data_len != 16, "root of trust");
		break;
	case EV_S_CRTM_VERSION:
		words_version(s, ev);
		break;
	case EV_CPU_MICROCODE:
		words_string(s, ev, "CPU microcode");
		break;
	case EV_PLATFORM_CONFIG_FLAGS:
		words_string(s, ev, "platform configuration");
		break;
	case EV_TABLE_OF_DEVICES:
		words_string(s, ev, "table of devices");
		break;
	case EV_COMPACT_HASH:
		words_string(s, ev, "hash of");
		break;
	case EV_IPL:
		words_string(s, ev, "boot loader:");
		break;
	case EV_IPL_PARTITION_DATA:
		words_string(s, ev, "boot loader's partition data");
		break;
	case EV_NONHOST_CODE:
		words_string(s, ev, "other processor's code");
		break;
	case EV_NONHOST_CONFIG:
		words_string(s, ev, "other processor's configuration");
		break;
	case EV_NONHOST_INFO:
		words_string(s, ev, "other processor's information");
		break;
	case EV_OMIT_BOOT_DEVICE_EVENTS:
		words_string(s, ev, "boot attempts are not measured:");
		break;
	case EV_PREBOOT_CERT:
		words_string(s, ev, "certificate");
		break;
	case EV_EFI_VARIABLE_DRIVER_CONFIG:
	case EV_EFI_VARIABLE_BOOT:
	case EV_EFI_VARIABLE_BOOT2:
	case EV_EFI_VARIABLE_AUTHORITY:
	case EV_EFI_SPDM_DEVICE_POLICY:
	case EV_EFI_SPDM_DEVICE_AUTHORITY:
		assay_words_variable(s, ev);
		break;
	case EV_EFI_BOOT_SERVICES_APPLICATION:
		words_image(s, ev, "application");
		break;
	case EV_EFI_BOOT_SERVICES_DRIVER:
		words_image(s, ev, "driver");
		break;
	case EV_EFI_RUNTIME_SERVICES_DRIVER:
		words_image(s, ev, "runtime driver");
		break;
	case EV_EFI_GPT_EVENT:
	case EV_EFI_GPT_EVENT2:
		words_gpt(s, ev);
		break;
	case EV_EFI_PLATFORM_FIRMWARE_BLOB:
		words_blob(s, ev, false, "firmware");
		break;
	case EV_EFI_PLATFORM_FIRMWARE_BLOB2:
		words_blob(s, ev, true, "firmware");
		break;
	case EV_EFI_HANDOFF_TABLES:
		words_tables(s, ev, false);
		break;
	case EV_EFI_HANDOFF_TABLES2:
		words_tables(s, ev, true);
		break;
	case EV_EFI_HCRTM_EVENT:
		words_string(s, ev, "hardware root of trust");
		break;
	case EV_EFI_SPDM_FIRMWARE_BLOB:
	case EV_EFI_SPDM_FIRMWARE_CONFIG:
		assay_words_spdm(s, ev);
		break;
	default:
		words_string(s, ev, "data");
		break;
	}
}

char *assay_event_describe(const struct assay_event *ev)
{
	struct assay_str s = { 0 };

	words_event(&s, ev);
	return assay_str_steal(&s);
}
