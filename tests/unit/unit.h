/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every unit test includes: cmocka with what it needs, skipping aloud, and the folder of
 * shared data. A test program ends its main with UNIT_MAIN(tests).
 */
#ifndef ASSAY_TESTS_UNIT_H
#define ASSAY_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* Skip this test with its reason, in the form that tests/run.sh collects. */
#define unit_skip(...)                                                                             \
	do {                                                                                       \
		print_message("# skipped: " __VA_ARGS__);                                          \
		print_message("\n");                                                               \
		skip();                                                                            \
	} while (0)

/* A file under the folder of shared data into path; false when it is not there. */
static inline bool unit_shared(const char *name, char *path, size_t size)
{
	const char *top = getenv("ASSAY_SHARED");

	snprintf(path, size, "%s/%s", top ? top : "../shared", name);
	return access(path, R_OK) == 0;
}

/* Is there a program of this name in PATH? */
static inline bool unit_have(const char *program)
{
	char command[256];

	snprintf(command, sizeof(command), "command -v %s >/dev/null 2>&1", program);
	return system(command) == 0;
}

#define UNIT_MAIN(tests)                                                                           \
	int main(void)                                                                             \
	{                                                                                          \
		cmocka_set_message_output(CM_OUTPUT_TAP);                                          \
		return cmocka_run_group_tests(tests, NULL, NULL);                                  \
	}

#endif
