/* SPDX-License-Identifier: Apache-2.0 */
/* Event types: names, their data in words, and the data of those that we predict. */
#ifndef ASSAY_TPM_EVENT_H
#define ASSAY_TPM_EVENT_H

#include "core/guid.h"
#include "tpm/eventlog.h"

/* TCG PC Client Platform Firmware Profile 1.06, 10.4.1 */
enum assay_event_type {
	EV_PREBOOT_CERT = 0x00000000,
	EV_POST_CODE = 0x00000001,
	EV_UNUSED = 0x00000002,
	EV_NO_ACTION = 0x00000003,
	EV_SEPARATOR = 0x00000004,
	EV_ACTION = 0x00000005,
	EV_EVENT_TAG = 0x00000006,
	EV_S_CRTM_CONTENTS = 0x00000007,
	EV_S_CRTM_VERSION = 0x00000008,
	EV_CPU_MICROCODE = 0x00000009,
	EV_PLATFORM_CONFIG_FLAGS = 0x0000000a,
	EV_TABLE_OF_DEVICES = 0x0000000b,
	EV_COMPACT_HASH = 0x0000000c,
	EV_IPL = 0x0000000d,
	EV_IPL_PARTITION_DATA = 0x0000000e,
	EV_NONHOST_CODE = 0x0000000f,
	EV_NONHOST_CONFIG = 0x00000010,
	EV_NONHOST_INFO = 0x00000011,
	EV_OMIT_BOOT_DEVICE_EVENTS = 0x00000012,
	EV_POST_CODE2 = 0x00000013,
	EV_EFI_VARIABLE_DRIVER_CONFIG = 0x80000001,
	EV_EFI_VARIABLE_BOOT = 0x80000002,
	EV_EFI_BOOT_SERVICES_APPLICATION = 0x80000003,
	EV_EFI_BOOT_SERVICES_DRIVER = 0x80000004,
	EV_EFI_RUNTIME_SERVICES_DRIVER = 0x80000005,
	EV_EFI_GPT_EVENT = 0x80000006,
	EV_EFI_ACTION = 0x80000007,
	EV_EFI_PLATFORM_FIRMWARE_BLOB = 0x80000008,
	EV_EFI_HANDOFF_TABLES = 0x80000009,
	EV_EFI_PLATFORM_FIRMWARE_BLOB2 = 0x8000000a,
	EV_EFI_HANDOFF_TABLES2 = 0x8000000b,
	EV_EFI_VARIABLE_BOOT2 = 0x8000000c,
	EV_EFI_GPT_EVENT2 = 0x8000000d,
	EV_EFI_HCRTM_EVENT = 0x80000010,
	EV_EFI_VARIABLE_AUTHORITY = 0x800000e0,
	EV_EFI_SPDM_FIRMWARE_BLOB = 0x800000e1,
	EV_EFI_SPDM_FIRMWARE_CONFIG = 0x800000e2,
	EV_EFI_SPDM_DEVICE_POLICY = 0x800000e3,
	EV_EFI_SPDM_DEVICE_AUTHORITY = 0x800000e4,
};

/* "EV_SEPARATOR", or NULL for a type that we do not know. */
const char *assay_event_type_name(uint32_t type);
bool assay_event_type_from_name(const char *name, uint32_t *ret); /* also "0x80000001" */

/*
 * The event in words, one line, fresh memory: "variable SecureBoot (EFI global): on",
 * "application PciRoot(0x0)/…/HD(1,GPT,…)/\EFI\BOOT\BOOTX64.EFI". Malformed data is described as
 * such, with where, never an error; control characters come out escaped. NULL only when out of
 * memory.
 */
char *assay_event_describe(const struct assay_event *ev);

/*
 * Is the event's digest one of its data, where the profile wants it to be (strings, separators,
 * variables, GPT)? NOT_OF_DATA: it should be and is not, in some bank. For all other types, and
 * where the firmware may choose, the answer is UNSPECIFIED.
 */
enum assay_event_match { ASSAY_EVENT_UNSPECIFIED, ASSAY_EVENT_OF_DATA, ASSAY_EVENT_NOT_OF_DATA };
int assay_event_match(const struct assay_event *ev, enum assay_event_match *ret,
		      struct assay_err *err) ASSAY_MUST;

/* UEFI_VARIABLE_DATA (PFP 1.06, 10.2.6). Borrowed name bytes are UTF-16LE, without a NUL. */
struct assay_event_variable {
	uint8_t guid[16]; /* as on the wire (mixed endian) */
	const uint8_t *name;
	size_t name_len; /* bytes */
	const uint8_t *data;
	size_t data_len;
	size_t extra_len; /* bytes after all that: shims before 15.3 leave some */
};
int assay_event_variable_parse(const uint8_t *data, size_t len, uint64_t at,
			       struct assay_event_variable *ret, struct assay_err *err) ASSAY_MUST;

/* UEFI_IMAGE_LOAD_EVENT (PFP 1.06, 10.2.3). */
struct assay_event_image {
	uint64_t location; /* in memory, when it was measured */
	uint64_t length;
	uint64_t link_time;
	const uint8_t *path; /* borrowed: a UEFI device path, see tpm/devpath.h */
	size_t path_len;
};
int assay_event_image_parse(const uint8_t *data, size_t len, uint64_t at,
			    struct assay_event_image *ret, struct assay_err *err) ASSAY_MUST;

#endif
