/* SPDX-License-Identifier: Apache-2.0 */
/* Archives that are packed as a whole: seeking needs them plain. */
#include "measure/container/store_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "core/log.h"
#include "core/temp.h"
#include "measure/container/unpack.h"

static int write_all(int fd, const uint8_t *p, size_t n, struct assay_err *err)
{
	while (n > 0) {
		const ssize_t w = write(fd, p, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return assay_fail_sys(err, "cannot write a temporary file in %s",
					      assay_temp_folder());
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

struct progress {
	uint64_t done, total;
};

static int seen(void *arg, const void *p, size_t n, struct assay_err *err)
{
	struct progress *progress = arg;

	(void)p;
	(void)err;
	progress->done += n;
	assay_progress(progress->done, progress->total);
	return 0;
}

static int unpack_into(int fd, struct assay_src *packed, enum assay_packing packing, uint64_t limit,
		       struct assay_err *err)
{
	struct progress progress = { .total = assay_src_size(packed) };
	ASSAY_AUTO(assay_unpack) *u = NULL;
	uint64_t left = limit;
	const void *p;
	size_t n;

	if (assay_unpack_open(packed, packing, seen, &progress, &u, err) < 0)
		return -1;
	for (;;) {
		if (assay_unpack_next(u, &p, &n, err) < 0)
			return -1;
		if (n == 0)
			return 0;
		if (n > left)
			return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET,
					  "more than %" PRIu64 " bytes", limit);
		left -= n;
		if (write_all(fd, p, n, err) < 0)
			return -1;
	}
}

int assay_spool(struct assay_src *packed, enum assay_packing packing, uint64_t limit,
		struct assay_src **ret, struct assay_err *err)
{
	int fd = -1;

	if (assay_temp_open(&fd, err) < 0)
		return -1;
	if (unpack_into(fd, packed, packing, limit, err) < 0) {
		close(fd);
		return -1;
	}
	return assay_src_from_fd(fd, ret, err);
}
