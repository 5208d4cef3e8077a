/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linux kernel images: the x86 setup header (Documentation/arch/x86/boot.rst), the arm64 and RISC-V
 * image headers (Documentation/arch/arm64/booting.rst, .../riscv/boot-image-header.rst), and the
 * compressed EFI image of other machines (drivers/firmware/efi/libstub/zboot-header.S).
 */
#include "measure/pe/uki.h"

#include <inttypes.h>
#include <string.h>

#include "core/limits.h"
#include "core/text.h"

#define SECTOR 512
#define SETUP_SECTS 0x1f1
#define HEADER_MAGIC 0x202
#define KERNEL_VERSION 0x20e
#define HEADER_END 0x210	 /* of what holds the version */
#define SETUP_HEADER_END 0x264 /* of the fields up to init_size */

/* The begin of the file, as much of it as there is. */
static int read_start(struct assay_src *src, uint8_t buf[HEADER_END], size_t *len,
		      struct assay_err *err)
{
	const uint64_t size = assay_src_size(src);

	memset(buf, 0, HEADER_END);
	*len = size < HEADER_END ? (size_t)size : HEADER_END;
	return *len == 0 ? 0 : assay_src_read(src, 0, buf, *len, err);
}

static bool has_setup_header(const uint8_t buf[HEADER_END])
{
	return memcmp(buf + HEADER_MAGIC, "HdrS", 4) == 0;
}

int assay_linux_detect(struct assay_src *kernel, bool *ret, struct assay_err *err)
{
	uint8_t buf[HEADER_END];
	size_t len;

	if (read_start(kernel, buf, &len, err) < 0)
		return -1;
	*ret = memcmp(buf, "MZ", 2) == 0 &&
	       (has_setup_header(buf) || memcmp(buf + 0x38, "ARM\x64", 4) == 0 ||
		memcmp(buf + 0x38, "RSC\x05", 4) == 0 || memcmp(buf + 4, "zimg", 4) == 0);
	return 0;
}

int assay_linux_version(struct assay_src *kernel, char **ret, struct assay_err *err)
{
	uint8_t buf[HEADER_END];
	char text[ASSAY_LINUX_VERSION_MAX + 1];
	size_t len;

	if (read_start(kernel, buf, &len, err) < 0)
		return -1;
	if (len < HEADER_END || !has_setup_header(buf)) {
		*ret = NULL;
		return 0;
	}
	struct assay_cur c = assay_cur_make(buf + HEADER_MAGIC + 4, HEADER_END - HEADER_MAGIC - 4,
					    assay_src_origin(kernel, HEADER_MAGIC + 4));
	const uint16_t protocol = assay_cur_le16(&c);
	assay_cur_skip(&c, KERNEL_VERSION - HEADER_MAGIC - 6);
	const uint16_t pointer = assay_cur_le16(&c);
	if (assay_cur_done(&c, "kernel setup header", err) < 0)
		return -1;
	if (protocol < 0x0200 || pointer == 0) {
		*ret = NULL;
		return 0;
	}

	/* The pointer counts from 0x200 on and must stay within the setup code; 0 sectors mean 4.
	 */
	const uint64_t off = (uint64_t)pointer + 0x200;
	const uint64_t sectors = buf[SETUP_SECTS] ? buf[SETUP_SECTS] : 4;
	const uint64_t end = (sectors + 1) * SECTOR;
	const uint64_t size = assay_src_size(kernel);
	if (off >= end || off >= size)
		return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(kernel, KERNEL_VERSION),
				  "kernel setup header: the version string at %" PRIu64
				  " lies outside the setup code, which ends at %" PRIu64,
				  off, end < size ? end : size);
	uint64_t room = (end < size ? end : size) - off;
	if (room > ASSAY_LINUX_VERSION_MAX)
		room = ASSAY_LINUX_VERSION_MAX;
	if (assay_src_read(kernel, off, text, (size_t)room, err) < 0)
		return -1;
	if (!memchr(text, '\0', (size_t)room))
		return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(kernel, off),
				  "kernel version string without an end within %" PRIu64 " bytes",
				  room);
	char *version = assay_strdup(text);
	if (!version)
		return assay_fail_mem(err);
	*ret = version;
	return 0;
}

/* --- the header as facts ------------------------------------------------------------------------ */

static uint32_t field(const uint8_t *buf, size_t len, size_t off, size_t size)
{
	struct assay_cur c = assay_cur_make(buf, len, 0);

	assay_cur_skip(&c, off);
	switch (size) {
	case 1:
		return assay_cur_u8(&c);
	case 2:
		return assay_cur_le16(&c);
	default:
		return assay_cur_le32(&c);
	}
}

/* The header ends where its jump at 0x200 goes; what lies behind that end is code. */
static uint32_t setup_field(const uint8_t *buf, size_t len, uint16_t protocol, uint16_t since, size_t off,
			    size_t size)
{
	const size_t end = 0x202 + (len > 0x201 ? buf[0x201] : 0);

	return protocol < since || off + size > end ? 0 : field(buf, len, off, size);
}

static int parse_x86(struct assay_src *src, const uint8_t *buf, size_t len, struct assay_linux_header *h,
		     struct assay_err *err)
{
	const uint64_t size = assay_src_size(src);

	if (len < HEADER_END)
		return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(src, len),
				  "kernel setup header cut short");
	h->arch = "x86";
	h->protocol = (uint16_t)field(buf, len, 0x206, 2);
	h->setup_sects = buf[SETUP_SECTS] ? buf[SETUP_SECTS] : 4;
	h->syssize = (uint64_t)16 * setup_field(buf, len, h->protocol, 0x0204, 0x1f4, 4);
	h->loadflags = (uint8_t)setup_field(buf, len, h->protocol, 0x0200, 0x211, 1);
	h->relocatable = setup_field(buf, len, h->protocol, 0x0205, 0x234, 1) != 0;
	h->xloadflags = (uint16_t)setup_field(buf, len, h->protocol, 0x020c, 0x236, 2);
	h->cmdline_size = setup_field(buf, len, h->protocol, 0x0206, 0x238, 4);
	h->payload_offset = setup_field(buf, len, h->protocol, 0x0208, 0x248, 4);
	h->payload_size = setup_field(buf, len, h->protocol, 0x0208, 0x24c, 4);
	h->init_size = setup_field(buf, len, h->protocol, 0x020a, 0x260, 4);
	if (h->payload_size == 0) {
		h->payload_offset = 0;
		return 0;
	}
	/* It counts from the protected-mode code on. */
	h->payload_offset += ((uint64_t)h->setup_sects + 1) * SECTOR;
	if (h->payload_offset > size || h->payload_size > size - h->payload_offset)
		return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(src, 0x248),
				  "kernel setup header: a payload of %" PRIu64 " bytes at %" PRIu64
				  ", the file has %" PRIu64, h->payload_size, h->payload_offset, size);
	return 0;
}

static int parse_zboot(struct assay_src *src, const uint8_t *buf, size_t len,
		       struct assay_linux_header *h, struct assay_err *err)
{
	const uint64_t size = assay_src_size(src);

	if (len < 0x40)
		return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(src, len),
				  "kernel header (EFI zboot) cut short");
	h->arch = "zboot";
	h->payload_offset = field(buf, len, 8, 4);
	h->payload_size = field(buf, len, 12, 4);
	memcpy(h->packing, buf + 24, sizeof(h->packing) - 1);
	if (h->payload_offset > size || h->payload_size > size - h->payload_offset)
		return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(src, 8),
				  "kernel header (EFI zboot): a payload of %" PRIu64 " bytes at %" PRIu64
				  ", the file has %" PRIu64, h->payload_size, h->payload_offset, size);
	return 0;
}

/* arm64's and RISC-V's agree in these fields. */
static int parse_image(struct assay_src *src, const uint8_t *buf, size_t len, const char *arch,
		       struct assay_linux_header *h, struct assay_err *err)
{
	if (len < 0x40)
		return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(src, len),
				  "kernel image header cut short");
	struct assay_cur c = assay_cur_make(buf, len, assay_src_origin(src, 0));

	h->arch = arch;
	assay_cur_skip(&c, 8);
	h->text_offset = assay_cur_le64(&c);
	h->image_size = assay_cur_le64(&c);
	h->flags = assay_cur_le64(&c);
	return assay_cur_done(&c, "kernel image header", err);
}

int assay_linux_header_read(struct assay_src *kernel, struct assay_linux_header *ret, struct assay_err *err)
{
	struct assay_linux_header h = { 0 };
	uint8_t buf[SETUP_HEADER_END] = { 0 };
	const uint64_t size = assay_src_size(kernel);
	const size_t len = size < sizeof(buf) ? (size_t)size : sizeof(buf);
	int rc;

	if (len > 0 && assay_src_read(kernel, 0, buf, len, err) < 0)
		return -1;
	if (has_setup_header(buf))
		rc = parse_x86(kernel, buf, len, &h, err);
	else if (memcmp(buf + 4, "zimg", 4) == 0)
		rc = parse_zboot(kernel, buf, len, &h, err);
	else if (memcmp(buf + 0x38, "ARM\x64", 4) == 0)
		rc = parse_image(kernel, buf, len, "arm64", &h, err);
	else if (memcmp(buf + 0x38, "RSC\x05", 4) == 0)
		rc = parse_image(kernel, buf, len, "riscv", &h, err);
	else
		rc = assay_fail(err, ASSAY_E_UNSUPPORTED, assay_src_origin(kernel, 0),
				"no header of a Linux kernel that is known (x86, arm64, RISC-V, EFI zboot)");
	if (rc == 0)
		*ret = h;
	return rc;
}
