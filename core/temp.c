/* SPDX-License-Identifier: Apache-2.0 */
#include "core/temp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/text.h"

const char *assay_temp_folder(void)
{
	const char *folder = secure_getenv("TMPDIR");

	return folder && *folder ? folder : "/var/tmp";
}

int assay_temp_open(int *ret_fd, struct assay_err *err)
{
	const char *folder = assay_temp_folder();
	int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
		/* A filesystem without nameless files. */
		ASSAY_AUTO_FREE char *name = assay_asprintf("%s/assay-XXXXXX", folder);

		if (!name)
			return assay_fail_mem(err);
		fd = mkostemp(name, O_CLOEXEC);
		if (fd >= 0)
			unlink(name);
	}
	if (fd < 0)
		return assay_fail_sys(err, "cannot make a temporary file in %s", folder);
	*ret_fd = fd;
	return 0;
}
