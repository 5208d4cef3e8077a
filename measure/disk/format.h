/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disk image formats, as far as we read them ourselves: enough to know what is in the file, how large the disk is, which
 * other files it names, and that each block that it maps lies inside the file. (Readers take what lies past the end of a
 * file for zeros: of a download that broke off, one would measure a disk that nobody has made.) The bytes of the disk are
 * read by qemu-nbd, from what was checked here.
 */
#ifndef ASSAY_MEASURE_DISK_FORMAT_H
#define ASSAY_MEASURE_DISK_FORMAT_H

#include <stdbool.h>

#include "core/cur.h"
#include "core/src.h"

/* --- qcow2 (qemu, docs/interop/qcow2.txt) ------------------------------------------------------- */

struct assay_qcow2 {
	uint32_t version;
	uint32_t cluster_bits;
	uint64_t size;
	uint64_t l1_offset;
	uint32_t l1_entries;
	uint64_t backing_offset; /* 0: no backing file */
	uint32_t backing_len;
	bool has_data_file;
	bool extended_l2;
	/* Names as in the file, NUL-terminated; empty where there is none. */
	char backing[1024];
	char backing_format[64];
	char data_file[1024];
};

/* in: the file's first bytes: a cluster of them, if it has as many. Looks at bytes only. */
int assay_qcow2_parse(struct assay_cur in, struct assay_qcow2 *ret, struct assay_err *err) ASSAY_MUST;
int assay_qcow2_open(struct assay_src *file, struct assay_qcow2 *ret, struct assay_err *err) ASSAY_MUST;
/* Do all clusters lie inside the file, or inside the external data file, of data_size bytes? */
int assay_qcow2_check(struct assay_src *file, const struct assay_qcow2 *q, uint64_t data_size,
		      struct assay_err *err) ASSAY_MUST;

/* --- VHD (Microsoft, Virtual Hard Disk Image Format Specification 1.0) --------------------------- */

#define ASSAY_VHD_FOOTER 512U

struct assay_vhd {
	uint64_t size;
	bool fixed;
	/* dynamic: */
	uint64_t header_offset;
	uint64_t bat_offset;
	uint32_t bat_entries;
	uint32_t block_size;
};

/* A footer, or the copy of it at the head of a dynamic one. */
int assay_vhd_parse_footer(struct assay_cur in, struct assay_vhd *ret, struct assay_err *err) ASSAY_MUST;
/* The header of a dynamic one: fills the rest. */
int assay_vhd_parse_header(struct assay_cur in, struct assay_vhd *ret, struct assay_err *err) ASSAY_MUST;
/* A footer at the end, and in a dynamic one all that follows from it. */
int assay_vhd_check(struct assay_src *file, struct assay_vhd *ret, struct assay_err *err) ASSAY_MUST;

/* --- VHDX (Microsoft, [MS-VHDX]) ------------------------------------------------------------------ */

struct assay_vhdx {
	uint64_t size;
	uint32_t block_size;
	uint32_t sector_size;
	bool fixed;
	uint64_t bat_offset;
	uint32_t bat_len;
	uint64_t metadata_offset;
	uint32_t metadata_len;
};

/* Each looks at bytes only. in: 4 KiB of a header; 64 KiB of a region table; 64 KiB of metadata table. */
struct assay_vhdx_header {
	uint64_t sequence;
	bool has_log;
};
int assay_vhdx_parse_header(struct assay_cur in, struct assay_vhdx_header *ret,
			    struct assay_err *err) ASSAY_MUST;
int assay_vhdx_parse_regions(struct assay_cur in, struct assay_vhdx *ret,
			     struct assay_err *err) ASSAY_MUST;
/* in: the whole metadata region's first bytes, items included. */
int assay_vhdx_parse_metadata(struct assay_cur in, struct assay_vhdx *ret,
			      struct assay_err *err) ASSAY_MUST;
int assay_vhdx_check(struct assay_src *file, struct assay_vhdx *ret, struct assay_err *err) ASSAY_MUST;

/* --- VMDK (VMware, Virtual Disk Format 5.0) ------------------------------------------------------- */

struct assay_vmdk {
	uint64_t size;
	bool compressed; /* streamOptimized */
	uint64_t grain;	 /* bytes */
	uint32_t per_table;
	uint64_t directory; /* byte offsets; 0 of the directory: it is at the file's end, in a footer */
	uint64_t descriptor;
	uint64_t descriptor_len;
	bool zero_grains; /* an entry of 1 means zeros */
};

int assay_vmdk_parse_header(struct assay_cur in, struct assay_vmdk *ret, struct assay_err *err) ASSAY_MUST;
int assay_vmdk_check(struct assay_src *file, struct assay_vmdk *ret, struct assay_err *err) ASSAY_MUST;

/* A text descriptor. */
enum assay_vmdk_kind { ASSAY_VMDK_SPARSE, ASSAY_VMDK_FLAT, ASSAY_VMDK_ZERO, ASSAY_VMDK_OTHER };

struct assay_vmdk_extent {
	enum assay_vmdk_kind kind;
	uint64_t size;	 /* bytes */
	uint64_t offset; /* bytes, in its file */
	char *file;	 /* NULL: ZERO */
};

struct assay_vmdk_descriptor {
	char type[64]; /* createType */
	struct assay_vmdk_extent *extents;
	size_t n;
	uint64_t size;
};
/* Refuses what has a parent. */
int assay_vmdk_parse_descriptor(const char *text, size_t len, uint64_t at,
				struct assay_vmdk_descriptor *ret, struct assay_err *err) ASSAY_MUST;
void assay_vmdk_descriptor_clear(struct assay_vmdk_descriptor *d);

#endif
