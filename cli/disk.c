/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/disk.h"

#include <string.h>

int assay_cli_disk_open(const char *path, const struct assay_disk_opts *opts,
			struct assay_src **ret, struct assay_err *err)
{
	struct assay_disk_info info;

	return assay_disk_open(path, opts, ret, &info, err);
}

int assay_cli_image_open(const char *path, const struct assay_disk_opts *opts,
			 struct assay_image **ret, struct assay_err *err)
{
	const char *slash = strrchr(path, '/');
	ASSAY_AUTO(assay_src) *disk = NULL;
	struct assay_disk_info info;

	if (assay_disk_open(path, opts, &disk, &info, err) < 0 ||
	    assay_image_open(disk, slash ? slash + 1 : path, ret, err) < 0)
		return -1;
	(*ret)->file = info;
	return 0;
}
