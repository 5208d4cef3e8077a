/* SPDX-License-Identifier: Apache-2.0 */
#include "core/dl.h"

#include <dlfcn.h>
#include <stdio.h>

static int load(struct assay_dl *dl)
{
	void *handle = dlopen(dl->soname, RTLD_NOW | RTLD_LOCAL);

	if (!handle) {
		const char *why = dlerror();

		snprintf(dl->missing, sizeof(dl->missing), "%s", why ? why : dl->soname);
		return -1;
	}
	for (size_t i = 0; i < dl->n; i++) {
		*dl->symbols[i].ret = dlsym(handle, dl->symbols[i].name);
		if (!*dl->symbols[i].ret) {
			snprintf(dl->missing, sizeof(dl->missing), "%s has no %s", dl->soname,
				 dl->symbols[i].name);
			return -1;
		}
	}
	return 1;
}

int assay_dl_get(struct assay_dl *dl, struct assay_err *err)
{
	int state;

	pthread_mutex_lock(&dl->lock);
	if (dl->state == 0)
		dl->state = load(dl);
	state = dl->state;
	pthread_mutex_unlock(&dl->lock);
	return state > 0 ? 0
			 : assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "%s", dl->missing);
}
