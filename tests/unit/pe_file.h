/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A folder for a test's files, commands run in it, and PE files opened from memory. A test program
 * has one folder; setup and teardown make and remove it.
 */
#ifndef ASSAY_TESTS_PE_FILE_H
#define ASSAY_TESTS_PE_FILE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <dirent.h>
#include <unistd.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "measure/pe/pe.h"
#include "tests/unit/pe_build.h"

static char dir[] = "/tmp/assay-test.XXXXXX";

struct file {
	uint8_t *p; /* a copy of exactly its size */
	struct assay_src *src;
	struct assay_pe *pe;
};

static inline void open_bytes(struct file *f, const uint8_t *p, size_t len)
{
	struct assay_err err;

	f->p = malloc(len);
	assert_non_null(f->p);
	memcpy(f->p, p, len);
	assert_int_equal(assay_src_from_mem(f->p, len, &f->src, &err), 0);
	if (assay_pe_open(f->src, &f->pe, &err) < 0)
		fail_msg("%s", err.msg);
}

static inline void close_file(struct file *f)
{
	assay_pe_free(&f->pe);
	assay_src_free(&f->src);
	free(f->p);
}

static inline void path_of(char path[256], const char *name)
{
	snprintf(path, 256, "%s/%s", dir, name);
}

static inline void write_file(const char *name, const void *p, size_t len)
{
	char path[256];
	FILE *f;

	path_of(path, name);
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static inline uint8_t *read_file(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	uint8_t *p;
	long size;

	if (!f)
		return NULL;
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	size = ftell(f);
	assert_true(size >= 0);
	rewind(f);
	p = malloc((size_t)size + 1);
	assert_non_null(p);
	assert_int_equal(fread(p, 1, (size_t)size, f), (size_t)size);
	fclose(f);
	*len = (size_t)size;
	return p;
}

/* Runs a command in the folder; its exit status, and the first line that it prints. */
static inline int run(const char *command, char *line, size_t size)
{
	char text[1024];
	FILE *f;
	int status;

	snprintf(text, sizeof(text), "cd %s && { %s; } 2>/dev/null", dir, command);
	f = popen(text, "r");
	assert_non_null(f);
	if (!fgets(line, (int)size, f))
		line[0] = '\0';
	while (fgets(text, sizeof(text), f))
		;
	status = pclose(f);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline bool have(const char *tool)
{
	char command[64], line[256];

	snprintf(command, sizeof(command), "command -v %s", tool);
	return run(command, line, sizeof(line)) == 0;
}

#define NEED(tool)                                                                                 \
	do {                                                                                       \
		if (!have(tool)) {                                                                 \
			print_message("# SKIP %s: %s is not installed\n", __func__, tool);         \
			skip();                                                                    \
		}                                                                                  \
	} while (0)

static inline struct peb sample(bool plus, unsigned n_dirs)
{
	struct peb b;

	peb_start(&b, plus, n_dirs, 8);
	assay_put_le32(b.p + PEB_OPT + 64, 0x12345678);
	peb_fill(&b, ".text", 1500, 1);
	peb_fill(&b, ".data", 600, 2);
	return b;
}

static inline int setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static inline int teardown(void **state)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char path[512];

	(void)state;
	while (d && (e = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (e->d_name[0] != '.')
			unlink(path);
	}
	if (d)
		closedir(d);
	return rmdir(dir);
}

#endif
