/* SPDX-License-Identifier: Apache-2.0 */
#include "core/limits.h"
#include "measure/disk/open_priv.h"
#include "measure/disk/unpack.h"

static int open_packed(const struct assay_disk_file *file, enum assay_packer packer,
		       struct assay_src **ret, const char **ret_format, struct assay_err *err)
{
	static const char *const names[][2] = {
		[ASSAY_PACKER_GZIP] = { "raw in gzip", "raw in tar.gz" },
		[ASSAY_PACKER_XZ] = { "raw in xz", "raw in tar.xz" },
		[ASSAY_PACKER_ZSTD] = { "raw in zstd", "raw in tar.zst" },
	};
	bool tar;

	if (assay_disk_unpack(file->src, packer, ASSAY_DISK_MAX_UNPACKED, ret, &tar, err) < 0)
		return -1;
	*ret_format = names[packer][tar];
	return 0;
}

int assay_disk_open_gzip(const struct assay_disk_file *file, struct assay_src **ret,
			 const char **ret_format, struct assay_err *err)
{
	return open_packed(file, ASSAY_PACKER_GZIP, ret, ret_format, err);
}

int assay_disk_open_xz(const struct assay_disk_file *file, struct assay_src **ret,
		       const char **ret_format, struct assay_err *err)
{
	return open_packed(file, ASSAY_PACKER_XZ, ret, ret_format, err);
}

int assay_disk_open_zstd(const struct assay_disk_file *file, struct assay_src **ret,
			 const char **ret_format, struct assay_err *err)
{
	return open_packed(file, ASSAY_PACKER_ZSTD, ret, ret_format, err);
}
