/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "cli/cli.h"

static int fail(const char *what, const char *why)
{
	struct assay_err err;

	(void)assay_fail(&err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "%s", why);
	(void)assay_cli_fail(what, &err);
	return -1;
}

/* Its first line; read without buffers of others, in which it would stay. */
static int from_file(const char *path, char *buf, size_t size)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t n = 0;
	ssize_t got = 0;

	if (fd < 0)
		return fail(path, strerror(errno));
	while (n < size && !memchr(buf, '\n', n)) {
		got = read(fd, buf + n, size - n);
		if (got <= 0 && !(got < 0 && errno == EINTR))
			break;
		n += got > 0 ? (size_t)got : 0;
	}
	const int sys = errno;
	close(fd);
	if (got < 0)
		return fail(path, strerror(sys));
	const char *end = memchr(buf, '\n', n);
	if (!end && n == size)
		return fail(path, "its first line is too long for a passphrase");
	n = end ? (size_t)(end - buf) : n;
	return (int)(n > 0 && buf[n - 1] == '\r' ? n - 1 : n);
}

static int from_terminal(const char *what, char *buf, size_t size)
{
	char prompt[256];
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

	/* OpenSSL would go on to read standard input. */
	if (fd < 0)
		return fail(what, "it asks for a passphrase or a PIN, and there is no terminal to ask at: "
				  "--passphrase-file or ASSAY_PASSPHRASE gives it");
	close(fd);
	snprintf(prompt, sizeof(prompt), "Passphrase or PIN for %.200s: ", what);
	for (char *p = prompt; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	if (EVP_read_pw_string_min(buf, 0, (int)(size > 1024 ? 1024 : size) - 1, prompt, 0) != 0)
		return -1;
	return (int)strlen(buf);
}

static int ask(void *arg, const char *what, char *buf, size_t size)
{
	const char *path = arg;
	const char *text = getenv("ASSAY_PASSPHRASE");

	if (path)
		return from_file(path, buf, size);
	if (!text)
		return from_terminal(what, buf, size);
	if (strlen(text) > size)
		return fail("ASSAY_PASSPHRASE", "too long for a passphrase");
	memcpy(buf, text, strlen(text));
	return (int)strlen(text);
}

struct assay_secret assay_cli_secret(const char *path)
{
	return (struct assay_secret){ ask, (void *)(uintptr_t)path };
}
