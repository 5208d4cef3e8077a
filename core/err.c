/* SPDX-License-Identifier: Apache-2.0 */
#include "core/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Texts are made aside first: an argument may well point into err->msg. */
static void set(struct assay_err *err, enum assay_code code, int sys, uint64_t at, const char *msg)
{
	err->code = code;
	err->sys = sys;
	err->at = at;
	memcpy(err->msg, msg, sizeof(err->msg));
}

/* ": TEXT" after what msg holds, as far as it fits. */
static void append(char *msg, size_t size, const char *text)
{
	size_t len = strlen(msg);

	for (const char *p = ": "; *p && len + 1 < size; p++)
		msg[len++] = *p;
	while (*text && len + 1 < size)
		msg[len++] = *text++;
	msg[len] = '\0';
}

int assay_fail(struct assay_err *err, enum assay_code code, uint64_t at, const char *fmt, ...)
{
	char msg[sizeof(err->msg)] = "";
	va_list ap;

	if (!err)
		return -1;
	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	set(err, code, 0, at, msg);
	return -1;
}

int assay_fail_sys(struct assay_err *err, const char *fmt, ...)
{
	const int sys = errno;
	char msg[sizeof(err->msg)] = "", text[128];
	va_list ap;

	if (!err)
		return -1;
	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	append(msg, sizeof(msg), strerror_r(sys, text, sizeof(text)));
	set(err, ASSAY_E_IO, sys, ASSAY_NO_OFFSET, msg);
	return -1;
}

int assay_fail_mem(struct assay_err *err)
{
	return assay_fail(err, ASSAY_E_NOMEM, ASSAY_NO_OFFSET, "out of memory");
}

int assay_wrap(struct assay_err *err, const char *fmt, ...)
{
	char msg[sizeof(err->msg)] = "";
	va_list ap;

	if (!err)
		return -1;
	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);

	/* What went wrong matters more than where: a context that takes most of the room gives way.
	 */
	if (strlen(msg) + strlen(err->msg) + 2 >= sizeof(msg))
		msg[sizeof(msg) / 2] = '\0';
	append(msg, sizeof(msg), err->msg);
	memcpy(err->msg, msg, sizeof(msg));
	return -1;
}

void assay_free_auto_(void *p)
{
	void *mem;

	memcpy(&mem, p, sizeof(mem));
	free(mem);
}
