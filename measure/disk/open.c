/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/disk/open.h"

int assay_disk_open(const char *path, const struct assay_disk_opts *opts, struct assay_src **ret,
		    struct assay_disk_info *ret_info, struct assay_err *err)
{
	(void)opts;
	if (assay_src_open_file(path, ret, err) < 0)
		return -1;
	*ret_info = (struct assay_disk_info){ "raw", assay_src_size(*ret) };
	return 0;
}
