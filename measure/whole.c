/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/whole.h"

static void *hash(void *arg)
{
	struct assay_whole *w = arg;

	w->rc = assay_hash_src(w->disk, w->banks, &w->digests, &w->err);
	return NULL;
}

void assay_whole_start(struct assay_whole *w, struct assay_src *disk, unsigned banks)
{
	*w = (struct assay_whole){ .disk = disk, .banks = banks };
	w->started = assay_hash_threads() > 1 && pthread_create(&w->thread, NULL, hash, w) == 0;
}

int assay_whole_finish(struct assay_whole *w, bool wanted, struct assay_err *err)
{
	if (w->started)
		pthread_join(w->thread, NULL);
	else if (wanted)
		hash(w);
	if (!wanted)
		return -1;
	if (w->rc < 0 && err)
		*err = w->err;
	return w->rc;
}
