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
#define HEADER_END 0x210

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
