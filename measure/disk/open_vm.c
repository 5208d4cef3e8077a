/* SPDX-License-Identifier: Apache-2.0 */
/* VHD, VHDX, VMDK: checked by us, read by the helper; but what is plain in its file is read from there. */
#include <string.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/limits.h"
#include "core/text.h"
#include "measure/disk/format.h"
#include "measure/disk/helper.h"
#include "measure/disk/nbd.h"
#include "measure/disk/open_priv.h"

/* driver: qemu's name, and options behind it. */
static int open_by_helper(const struct assay_disk_file *file, const char *driver, uint64_t size,
			  struct assay_src **ret, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *disk =
		assay_asprintf("{\"driver\":%s,\"file\":{\"driver\":\"file\",\"filename\":"
			       "\"/proc/self/fd/%d\"}}",
			       driver, ASSAY_HELPER_FD(0));

	return disk ? assay_nbd_open(disk, &file->fd, 1, size, ret, err) : assay_fail_mem(err);
}

int assay_disk_open_vhd(const struct assay_disk_file *file, struct assay_src **ret,
			const char **ret_format, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *body = NULL;
	struct assay_vhd v;

	if (assay_vhd_check(file->src, &v, err) < 0)
		return -1;
	*ret_format = v.fixed ? "VHD, fixed" : "VHD, dynamic";
	/* Joined out of one part, so that the disk is an outermost source, as in every other form. */
	if (v.fixed)
		return assay_src_slice(file->src, 0, v.size, &body, err) < 0
			       ? -1
			       : assay_src_join(&body, 1, ret, err);
	/* Left alone, qemu goes by the geometry of some writers' disks, and loses their ends. */
	return open_by_helper(file, "\"vpc\",\"force_size_calc\":\"current_size\"", v.size, ret, err);
}

int assay_disk_open_vhdx(const struct assay_disk_file *file, struct assay_src **ret,
			 const char **ret_format, struct assay_err *err)
{
	struct assay_vhdx v;

	if (assay_vhdx_check(file->src, &v, err) < 0)
		return -1;
	*ret_format = v.fixed ? "VHDX, fixed" : "VHDX, dynamic";
	return open_by_helper(file, "\"vhdx\"", v.size, ret, err);
}

int assay_disk_open_vmdk(const struct assay_disk_file *file, struct assay_src **ret,
			 const char **ret_format, struct assay_err *err)
{
	struct assay_vmdk v;

	if (assay_vmdk_check(file->src, &v, err) < 0)
		return -1;
	*ret_format = v.compressed ? "VMDK, streamOptimized" : "VMDK, monolithicSparse";
	return open_by_helper(file, "\"vmdk\",\"backing\":null", v.size, ret, err);
}

/* --- a descriptor that names flat files ---------------------------------------------------------
 */

static int open_extent(const struct assay_disk_file *file, const struct assay_vmdk_extent *e,
		       struct assay_src **ret, struct assay_err *err)
{
	static const struct assay_extent hole = { ASSAY_SRC_HOLE, 0 };
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO_FREE char *path = NULL;
	struct assay_extent zeros = hole;
	int fd;

	if (e->kind == ASSAY_VMDK_ZERO) {
		zeros.len = e->size;
		return assay_src_extents(file->src, &zeros, 1, ret, err);
	}
	if (e->kind != ASSAY_VMDK_FLAT)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "an extent that is not FLAT or ZERO");
	if (assay_disk_open_named(file->path, e->file, &path, &fd, &src, err) < 0)
		return -1;
	close(fd);
	return assay_src_slice(src, e->offset, e->size, ret, err);
}

static int open_extents(const struct assay_disk_file *file, const struct assay_vmdk_descriptor *d,
			struct assay_src **ret, struct assay_err *err)
{
	ASSAY_AUTO_FREE struct assay_src **parts = calloc(d->n, sizeof(struct assay_src *));
	struct assay_str name = { 0 };
	int rc = parts ? 0 : assay_fail_mem(err);

	for (size_t i = 0; rc == 0 && i < d->n; i++) {
		const struct assay_vmdk_extent *e = &d->extents[i];

		assay_str_clear(&name);
		if (e->file)
			assay_str_add_escaped(&name, e->file, strlen(e->file));
		if (e->file && !file->opts->allow_backing)
			rc = assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
					"VMDK whose disk is in other files, '%s': they are read with "
					"--allow-backing only",
					name.p ? name.p : "");
		else if (open_extent(file, e, &parts[i], err) < 0)
			rc = assay_wrap(err, "extent '%s'", name.p ? name.p : "ZERO");
	}
	if (rc == 0)
		rc = assay_src_join(parts, d->n, ret, err);
	for (size_t i = 0; parts && i < d->n; i++)
		assay_src_free(&parts[i]);
	assay_str_clear(&name);
	return rc;
}

int assay_disk_open_vmdk_extents(const struct assay_disk_file *file, struct assay_src **ret,
				 const char **ret_format, struct assay_err *err)
{
	uint64_t size = assay_src_size(file->src);
	struct assay_vmdk_descriptor d = { 0 };
	ASSAY_AUTO_FREE uint8_t *text = NULL;
	int rc;

	if (assay_src_read_alloc(file->src, 0, size, ASSAY_VMDK_MAX_DESCRIPTOR, &text, err) < 0)
		return assay_wrap(err, "VMDK descriptor");
	/* Padded to a sector by some. */
	while (size > 0 && text[size - 1] == '\0')
		size--;
	if (assay_vmdk_parse_descriptor((char *)text, (size_t)size, 0, &d, err) < 0)
		return assay_wrap(err, "VMDK descriptor");
	*ret_format = "VMDK, extents";
	rc = open_extents(file, &d, ret, err);
	assay_vmdk_descriptor_clear(&d);
	return rc;
}
