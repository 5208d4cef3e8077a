/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/container/archive_lib.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

/* The major version of the interface in Debian 12 and 13, and of the headers that this is built
 * with. */
#define SONAME "libarchive.so.13"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct assay_archive_lib lib;
static char missing[256];

static void *symbol(void *handle, const char *name)
{
	void *p = dlsym(handle, name);

	if (!p && !missing[0])
		strncpy(missing, name, sizeof(missing) - 1);
	return p;
}

static void load(void)
{
	/* Kept until the process ends: its functions are in use by then. */
	void *handle = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL);

	if (!handle) {
		const char *why = dlerror();

		strncpy(missing, why ? why : SONAME, sizeof(missing) - 1);
		return;
	}
	/* POSIX: a pointer from dlsym() may be stored through void **. */
#define LOAD(name, sym) *(void **)&lib.name = symbol(handle, #sym);
	ASSAY_ARCHIVE_FUNCTIONS(LOAD)
#undef LOAD
}

int assay_archive_lib_get(const struct assay_archive_lib **ret, struct assay_err *err)
{
	pthread_once(&once, load);
	if (missing[0])
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "packed layers need libarchive: %s", missing);
	*ret = &lib;
	return 0;
}
