/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Event data as firmware, boot loaders and kernels build it, for predictions. Strings that are
 * measured without a NUL (EV_EFI_ACTION, GRUB's commands) need no function: their bytes are the
 * data.
 *
 * Each returns fresh memory for the caller to free.
 */
#ifndef ASSAY_TPM_EVENT_BUILD_H
#define ASSAY_TPM_EVENT_BUILD_H

#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

#define ASSAY_GPT_EVENT_HEADER 92 /* sizeof(EFI_PARTITION_TABLE_HEADER) */

/*
 * UEFI_GPT_DATA for EV_EFI_GPT_EVENT: the header as on the disk, the number of used entries as 64
 * bits, those entries whole. Used is an entry whose type GUID is not zero (as EDK2's
 * DxeTpm2MeasureBootLib counts).
 */
int assay_event_build_gpt(const uint8_t header[ASSAY_GPT_EVENT_HEADER], const uint8_t *entries,
			  uint32_t n_entries, uint32_t entry_size, uint8_t **ret, size_t *ret_len,
			  struct assay_err *err) ASSAY_MUST;

/*
 * UEFI_VARIABLE_DATA for EV_EFI_VARIABLE_DRIVER_CONFIG and …_AUTHORITY: the name is UTF-8 here and
 * UTF-16 without a NUL there.
 */
int assay_event_build_variable(const uint8_t guid[16], const char *name, const void *data,
			       size_t data_len, uint8_t **ret, size_t *ret_len,
			       struct assay_err *err) ASSAY_MUST;

/* TCG_PCClientTaggedEvent for EV_EVENT_TAG: identifier, size, data. */
int assay_event_build_tagged(uint32_t id, const void *data, size_t data_len, uint8_t **ret,
			     size_t *ret_len, struct assay_err *err) ASSAY_MUST;

/* A string as UTF-16LE with its NUL, as boot stages measure command lines. */
int assay_event_build_utf16z(const char *text, uint8_t **ret, size_t *ret_len,
			     struct assay_err *err) ASSAY_MUST;

/* The identifiers that Linux's EFI stub and systemd's boot stages tag events with. */
#define ASSAY_TAG_LINUX_INITRD 0x8f3b22ecU
#define ASSAY_TAG_LINUX_LOAD_OPTIONS 0x8f3b22edU
#define ASSAY_TAG_SYSTEMD_LOADER_CONF 0xf5bc582aU
#define ASSAY_TAG_SYSTEMD_DEVICETREE_ADDON 0x6c46f751U
#define ASSAY_TAG_SYSTEMD_INITRD_ADDON 0x49dffe0fU
#define ASSAY_TAG_SYSTEMD_UCODE_ADDON 0xdac08e1aU
#define ASSAY_TAG_SYSTEMD_UKI_PROFILE 0x13aed6dbU

#endif
