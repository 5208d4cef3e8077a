/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/whole.h"

#include <stdlib.h>

/* The disk and each partition are jobs of one pass; or of one job, which is faster. */
static int hash_parts(struct assay_whole *w, struct assay_err *err)
{
	const size_t n = w->gpt->n_parts;
	const struct assay_extent all = { 0, assay_src_size(w->disk) };
	ASSAY_AUTO_FREE struct assay_hash_job *jobs = calloc(n + 1, sizeof(*jobs));
	ASSAY_AUTO_FREE struct assay_extent *ranges = calloc(n + 1, sizeof(*ranges));

	w->parts = calloc(n + 1, sizeof(*w->parts));
	if (!jobs || !ranges || !w->parts)
		return assay_fail_mem(err);
	for (size_t i = 0; i <= n; i++) {
		ranges[i] = i == n ? all : (struct assay_extent){ w->gpt->parts[i].offset, w->gpt->parts[i].size };
		jobs[i] = (struct assay_hash_job){ .banks = w->banks, .ranges = &ranges[i], .n_ranges = 1 };
	}
	if (n > 0 && w->banks == ASSAY_BANK_BIT(ASSAY_SHA256) && assay_hash_parts_possible(ranges, n, all.len)) {
		jobs[n].parts = ranges;
		jobs[n].n_parts = n;
		jobs[n].ret_parts = w->parts;
		if (assay_hash_run(w->disk, &jobs[n], 1, err) < 0)
			return -1;
	} else {
		if (assay_hash_run(w->disk, jobs, n + 1, err) < 0)
			return -1;
		for (size_t i = 0; i < n; i++)
			w->parts[i] = jobs[i].ret;
	}
	w->digests = jobs[n].ret;
	return 0;
}

static void *hash(void *arg)
{
	struct assay_whole *w = arg;

	w->rc = w->gpt ? hash_parts(w, &w->err) : assay_hash_src(w->disk, w->banks, &w->digests, &w->err);
	return NULL;
}

void assay_whole_start(struct assay_whole *w, struct assay_src *disk, const struct assay_gpt *gpt, unsigned banks)
{
	*w = (struct assay_whole){ .disk = disk, .gpt = gpt, .banks = banks };
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

void assay_whole_clear(struct assay_whole *w)
{
	free(w->parts);
	w->parts = NULL;
}
