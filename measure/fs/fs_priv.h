/* SPDX-License-Identifier: Apache-2.0 */
/* Shared inside measure/fs. */
#ifndef ASSAY_MEASURE_FS_FS_PRIV_H
#define ASSAY_MEASURE_FS_FS_PRIV_H

#include "measure/fs/fs.h"

struct assay_fs {
	const struct assay_fs_ops *ops;
	void *data;
};

#endif
