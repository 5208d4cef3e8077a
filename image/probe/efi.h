/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of UEFI that the probe uses, and no more. Sections are those of the UEFI Specification
 * 2.10, except where another text is named. Table entries that are never called are counted in
 * unused_ arrays: only their room matters.
 */
#ifndef ASSAY_PROBE_EFI_H
#define ASSAY_PROBE_EFI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 2.3.1: the types. On x86_64 calls follow Microsoft's ABI (2.3.4), which is the target's own. */
typedef uintptr_t efi_status;
typedef void *efi_handle;
typedef uint16_t efi_char;

#define EFI_SUCCESS 0U
#define EFI_ERROR_BIT ((efi_status)1 << (sizeof(efi_status) * 8 - 1)) /* appendix D */
#define EFI_BUFFER_TOO_SMALL (EFI_ERROR_BIT | 5)
#define EFI_NOT_FOUND (EFI_ERROR_BIT | 14)

struct efi_guid {
	uint32_t a;
	uint16_t b, c;
	uint8_t d[8];
};

/* 4.2: header of each table */
struct efi_table_header {
	uint64_t signature;
	uint32_t revision, header_size, crc, reserved;
};

/* 12.4: text output */
struct efi_text_output {
	void *unused_reset;
	efi_status (*output_string)(struct efi_text_output *this, const efi_char *string);
	/* more follows, unused */
};

/* 4.4, chapter 7: boot services */
enum efi_locate { EFI_LOCATE_BY_PROTOCOL = 2 };

struct efi_boot_services {
	struct efi_table_header hdr;
	void *unused_task_memory_[5]; /* task priority; AllocatePages to GetMemoryMap */
	efi_status (*allocate_pool)(int type, size_t size, void **ret);
	efi_status (*free_pool)(void *p);
	void *unused_event_[6];
	void *unused_install_[3];
	efi_status (*handle_protocol)(efi_handle handle, const struct efi_guid *protocol, void **ret);
	void *unused_reserved_to_stall_[12]; /* Reserved to GetNextMonotonicCount, Stall */
	void *unused_watchdog_;
	void *unused_connect_[2];
	void *unused_open_[4];
	efi_status (*locate_handle_buffer)(enum efi_locate type, const struct efi_guid *protocol,
					   void *key, size_t *ret_count, efi_handle **ret);
	efi_status (*locate_protocol)(const struct efi_guid *protocol, void *registration,
				      void **ret);
	void *unused_multiple_[2];
	efi_status (*calculate_crc32)(const void *data, size_t size, uint32_t *ret);
	/* more follows, unused */
};
_Static_assert(offsetof(struct efi_boot_services, handle_protocol) == 0x98, "UEFI 4.4");
_Static_assert(offsetof(struct efi_boot_services, locate_protocol) == 0x140, "UEFI 4.4");

/* 4.5, chapter 8: runtime services */
enum efi_reset { EFI_RESET_SHUTDOWN = 2 };

struct efi_runtime_services {
	struct efi_table_header hdr;
	void *unused_time_[4];
	void *unused_virtual_[2];
	efi_status (*get_variable)(const efi_char *name, const struct efi_guid *vendor,
				   uint32_t *ret_attributes, size_t *size, void *data);
	void *unused_variable_[3]; /* GetNextVariableName, SetVariable, GetNextHighMonotonicCount */
	void (*reset_system)(enum efi_reset type, efi_status status, size_t size, void *data);
	/* more follows, unused */
};
_Static_assert(offsetof(struct efi_runtime_services, reset_system) == 0x68, "UEFI 4.5");

/* 4.3 */
struct efi_system_table {
	struct efi_table_header hdr;
	const efi_char *firmware_vendor;
	uint32_t firmware_revision;
	efi_handle unused_con_in_handle;
	void *unused_con_in;
	efi_handle unused_con_out_handle;
	struct efi_text_output *con_out;
	efi_handle unused_std_err_handle;
	struct efi_text_output *unused_std_err;
	struct efi_runtime_services *runtime;
	struct efi_boot_services *boot;
	/* more follows, unused */
};

/* 10.2 and 10.3.5.4: device paths; the one node that counts here is a file's path */
struct efi_device_path {
	uint8_t type, subtype, length[2]; /* length: little endian, this header included */
};
#define EFI_DP_MEDIA 0x04
#define EFI_DP_MEDIA_FILE 0x04
#define EFI_DP_END 0x7f

/* 9.1 */
#define EFI_LOADED_IMAGE_GUID                                                                      \
	{ 0x5b1b31a1, 0x9562, 0x11d2, { 0x8e, 0x3f, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b } }
struct efi_loaded_image {
	uint32_t revision;
	efi_handle parent;
	struct efi_system_table *system;
	efi_handle device;
	const struct efi_device_path *file_path;
	/* more follows, unused */
};

/* 12.8 */
#define EFI_SERIAL_IO_GUID                                                                         \
	{ 0xbb25cf6f, 0xf1d4, 0x11d2, { 0x9a, 0x0c, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0xfd } }
struct efi_serial_io {
	uint32_t revision;
	void *unused_[4]; /* Reset to GetControl */
	efi_status (*write)(struct efi_serial_io *this, size_t *size, const void *data);
	/* more follows, unused */
};

/* 13.4, 13.5 */
#define EFI_SIMPLE_FILE_SYSTEM_GUID                                                                \
	{ 0x964e5b22, 0x6459, 0x11d2, { 0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b } }
#define EFI_FILE_READ UINT64_C(1)
#define EFI_FILE_WRITE UINT64_C(2)
#define EFI_FILE_CREATE (UINT64_C(1) << 63)

struct efi_file {
	uint64_t revision;
	efi_status (*open)(struct efi_file *this, struct efi_file **ret, const efi_char *name,
			   uint64_t mode, uint64_t attributes);
	efi_status (*close)(struct efi_file *this);
	efi_status (*delete)(struct efi_file *this); /* closes too */
	void *unused_read;
	efi_status (*write)(struct efi_file *this, size_t *size, const void *data);
	/* more follows, unused */
};

struct efi_simple_file_system {
	uint64_t revision;
	efi_status (*open_volume)(struct efi_simple_file_system *this, struct efi_file **ret);
};

/* 3.3: the variables SecureBoot and SetupMode belong to this vendor */
#define EFI_GLOBAL_VARIABLE_GUID                                                                   \
	{ 0x8be4df61, 0x93ca, 0x11d2, { 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c } }

/*
 * TCG EFI Protocol Specification, Family 2.0, Revision 00.13, section 6. Only what reads: neither
 * HashLogExtendEvent nor SetActivePcrBanks has a type here, so nothing can call them.
 */
#define EFI_TCG2_GUID                                                                              \
	{ 0x607f766c, 0x7455, 0x42be, { 0x93, 0x0b, 0xe4, 0xd7, 0x6d, 0xb2, 0x72, 0x0f } }
#define EFI_TCG2_LOG_FORMAT_2 2U

struct efi_tcg2_capability {
	uint8_t size;
	uint8_t structure_version[2], protocol_version[2];
	uint32_t hash_algorithms, log_formats;
	uint8_t tpm_present;
	uint16_t max_command, max_response;
	uint32_t manufacturer, n_banks, active_banks;
};

struct efi_tcg2 {
	efi_status (*get_capability)(struct efi_tcg2 *this, struct efi_tcg2_capability *ret);
	efi_status (*get_event_log)(struct efi_tcg2 *this, uint32_t format, uint64_t *ret_location,
				    uint64_t *ret_last_entry, uint8_t *ret_truncated);
	void *unused_hash_log_extend_event;
	efi_status (*submit_command)(struct efi_tcg2 *this, uint32_t size, const uint8_t *command,
				     uint32_t max, uint8_t *ret);
	/* more follows, unused */
};

/* 38.2: the same for confidential guests, whose log is a CCEL */
#define EFI_CC_GUID                                                                                \
	{ 0x96751a3d, 0x72f4, 0x41a6, { 0xa7, 0x94, 0xed, 0x5d, 0x0e, 0x67, 0xae, 0x6b } }
struct efi_cc_capability {
	uint8_t size;
	uint8_t structure_version[2], protocol_version[2];
	uint32_t hash_algorithms, log_formats;
	uint8_t cc_type, cc_subtype;
};

struct efi_cc {
	efi_status (*get_capability)(struct efi_cc *this, struct efi_cc_capability *ret);
	efi_status (*get_event_log)(struct efi_cc *this, uint32_t format, uint64_t *ret_location,
				    uint64_t *ret_last_entry, uint8_t *ret_truncated);
	/* more follows, unused */
};

#endif
