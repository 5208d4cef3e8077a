/* SPDX-License-Identifier: Apache-2.0 */
/* Event types by name, and the two structures of event data that others need too. */
#include "tpm/event.h"

#include <stdlib.h>
#include <string.h>

#include "core/cur.h"

static const struct {
	uint32_t type;
	const char *name;
} types[] = {
#define TYPE(t)                                                                                    \
	{                                                                                          \
		t, #t                                                                              \
	}
	TYPE(EV_PREBOOT_CERT),
	TYPE(EV_POST_CODE),
	TYPE(EV_UNUSED),
	TYPE(EV_NO_ACTION),
	TYPE(EV_SEPARATOR),
	TYPE(EV_ACTION),
	TYPE(EV_EVENT_TAG),
	TYPE(EV_S_CRTM_CONTENTS),
	TYPE(EV_S_CRTM_VERSION),
	TYPE(EV_CPU_MICROCODE),
	TYPE(EV_PLATFORM_CONFIG_FLAGS),
	TYPE(EV_TABLE_OF_DEVICES),
	TYPE(EV_COMPACT_HASH),
	TYPE(EV_IPL),
	TYPE(EV_IPL_PARTITION_DATA),
	TYPE(EV_NONHOST_CODE),
	TYPE(EV_NONHOST_CONFIG),
	TYPE(EV_NONHOST_INFO),
	TYPE(EV_OMIT_BOOT_DEVICE_EVENTS),
	TYPE(EV_POST_CODE2),
	TYPE(EV_EFI_VARIABLE_DRIVER_CONFIG),
	TYPE(EV_EFI_VARIABLE_BOOT),
	TYPE(EV_EFI_BOOT_SERVICES_APPLICATION),
	TYPE(EV_EFI_BOOT_SERVICES_DRIVER),
	TYPE(EV_EFI_RUNTIME_SERVICES_DRIVER),
	TYPE(EV_EFI_GPT_EVENT),
	TYPE(EV_EFI_ACTION),
	TYPE(EV_EFI_PLATFORM_FIRMWARE_BLOB),
	TYPE(EV_EFI_HANDOFF_TABLES),
	TYPE(EV_EFI_PLATFORM_FIRMWARE_BLOB2),
	TYPE(EV_EFI_HANDOFF_TABLES2),
	TYPE(EV_EFI_VARIABLE_BOOT2),
	TYPE(EV_EFI_GPT_EVENT2),
	TYPE(EV_EFI_HCRTM_EVENT),
	TYPE(EV_EFI_VARIABLE_AUTHORITY),
	TYPE(EV_EFI_SPDM_FIRMWARE_BLOB),
	TYPE(EV_EFI_SPDM_FIRMWARE_CONFIG),
	TYPE(EV_EFI_SPDM_DEVICE_POLICY),
	TYPE(EV_EFI_SPDM_DEVICE_AUTHORITY),
#undef TYPE
};
#define N_TYPES (sizeof(types) / sizeof(types[0]))

const char *assay_event_type_name(uint32_t type)
{
	for (size_t i = 0; i < N_TYPES; i++) {
		if (types[i].type == type)
			return types[i].name;
	}
	return NULL;
}

bool assay_event_type_from_name(const char *name, uint32_t *ret)
{
	uint8_t be[4];

	for (size_t i = 0; i < N_TYPES; i++) {
		if (strcmp(types[i].name, name) == 0) {
			*ret = types[i].type;
			return true;
		}
	}
	if (strlen(name) != 10 || name[0] != '0' || (name[1] != 'x' && name[1] != 'X') ||
	    !assay_unhex(name + 2, 8, be, sizeof(be)))
		return false;

	struct assay_cur c = assay_cur_make(be, sizeof(be), 0);

	*ret = assay_cur_be32(&c);
	return true;
}

int assay_event_variable_parse(const uint8_t *data, size_t len, uint64_t at,
			       struct assay_event_variable *ret, struct assay_err *err)
{
	struct assay_cur c = assay_cur_make(data, len, at);
	struct assay_event_variable v = { 0 };

	assay_cur_copy(&c, v.guid, sizeof(v.guid));

	const uint64_t name_chars = assay_cur_le64(&c);
	const uint64_t data_len = assay_cur_le64(&c);

	if (assay_cur_done(&c, "UEFI_VARIABLE_DATA", err) < 0)
		return -1;
	if (name_chars > c.left / 2)
		return assay_fail(err, ASSAY_E_CORRUPT, at + 16,
				  "UEFI_VARIABLE_DATA: a name of %llu characters in %zu bytes",
				  (unsigned long long)name_chars, c.left);
	v.name_len = (size_t)name_chars * 2;
	v.name = assay_cur_take(&c, v.name_len);
	if (data_len > c.left)
		return assay_fail(err, ASSAY_E_CORRUPT, at + 24,
				  "UEFI_VARIABLE_DATA: %llu bytes of data announced, %zu there",
				  (unsigned long long)data_len, c.left);
	v.data_len = (size_t)data_len;
	v.data = assay_cur_take(&c, data_len);
	v.extra_len = c.left;
	*ret = v;
	return 0;
}

int assay_event_image_parse(const uint8_t *data, size_t len, uint64_t at,
			    struct assay_event_image *ret, struct assay_err *err)
{
	struct assay_cur c = assay_cur_make(data, len, at);
	struct assay_event_image v = { 0 };

	v.location = assay_cur_le64(&c);
	v.length = assay_cur_le64(&c);
	v.link_time = assay_cur_le64(&c);

	const uint64_t path_len = assay_cur_le64(&c);

	if (assay_cur_done(&c, "UEFI_IMAGE_LOAD_EVENT", err) < 0)
		return -1;
	v.path = assay_cur_take(&c, path_len);
	if (assay_cur_done(&c, "device path of UEFI_IMAGE_LOAD_EVENT", err) < 0)
		return -1;
	v.path_len = (size_t)path_len;
	*ret = v;
	return 0;
}

/* Types whose digest the profile defines as the hash of the event's data (PFP 1.06, 10.4.1). */
static bool digest_is_of_data(const struct assay_event *ev)
{
	switch (ev->type) {
	case EV_SEPARATOR: /* an error separator's data tells of the error, its digest is of 1 */
		return ev->data_len == 4 && (memcmp(ev->data, "\0\0\0\0", 4) == 0 ||
					     memcmp(ev->data, "\xff\xff\xff\xff", 4) == 0);
	case EV_ACTION:
	case EV_EFI_ACTION:
	case EV_S_CRTM_VERSION:
	case EV_OMIT_BOOT_DEVICE_EVENTS:
	case EV_EFI_VARIABLE_DRIVER_CONFIG:
	case EV_EFI_VARIABLE_AUTHORITY:
	case EV_EFI_VARIABLE_BOOT2:
	case EV_EFI_GPT_EVENT:
	case EV_EFI_GPT_EVENT2:
		return true;
	default:
		return false;
	}
}

int assay_event_match(const struct assay_event *ev, enum assay_event_match *ret,
		      struct assay_err *err)
{
	struct assay_digests d;

	if (!digest_is_of_data(ev) || ev->digests.banks == 0) {
		*ret = ASSAY_EVENT_UNSPECIFIED;
		return 0;
	}
	if (assay_digest_mem(ev->digests.banks, ev->data, ev->data_len, &d, err) < 0)
		return -1;
	*ret = assay_digests_equal(&d, &ev->digests) ? ASSAY_EVENT_OF_DATA
						     : ASSAY_EVENT_NOT_OF_DATA;
	return 0;
}
