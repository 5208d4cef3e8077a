/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Libraries that are loaded when they are first needed: what most verbs never use is not to be paid for at each start.
 */
#ifndef ASSAY_CORE_DL_H
#define ASSAY_CORE_DL_H

#include <pthread.h>
#include <stddef.h>

#include "core/err.h"

struct assay_dl_symbol {
	const char *name;
	void **ret; /* a pointer to a function, or to data */
};

/* A static one for each library; ASSAY_DL() fills it. */
struct assay_dl {
	const char *soname;
	const struct assay_dl_symbol *symbols;
	size_t n;
	pthread_mutex_t lock;
	int state;	   /* 0: not tried, 1: loaded, -1: cannot be */
	char missing[256]; /* why not */
};
#define ASSAY_DL(so, table)                                                                        \
	{                                                                                          \
		.soname = so, .symbols = table, .n = sizeof(table) / sizeof((table)[0]),           \
		.lock = PTHREAD_MUTEX_INITIALIZER                                                  \
	}

/*
 * Loads it at the first call, with all of its symbols (those of the libraries that it needs are found too), and keeps
 * it until the process ends. ASSAY_E_UNSUPPORTED with what is missing. Thread-safe.
 */
int assay_dl_get(struct assay_dl *dl, struct assay_err *err) ASSAY_MUST;

#endif
