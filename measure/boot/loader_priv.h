/* SPDX-License-Identifier: Apache-2.0 */
/* Shared inside measure/boot: lines.c for loader.c, entry.c and order.c. */
#ifndef ASSAY_MEASURE_BOOT_LOADER_PRIV_H
#define ASSAY_MEASURE_BOOT_LOADER_PRIV_H

#include "measure/boot/loader.h"

/* Equal but for the case of ASCII letters. */
bool assay_boot_same_case(const char *a, const char *b);
/* ASCII letters into lower case, in place; NULL is let be. */
void assay_boot_lower(char *s);
/* Decimal digits to the end, or up to what *tail gets; false when there are none or too many. */
bool assay_boot_number(const char *s, uint64_t *ret, const char **tail);

/* A value becomes *dst; an empty one takes it away, as it gives a NULL in the boot loader. */
int assay_boot_set_text(char **dst, const char *value, struct assay_err *err) ASSAY_MUST;
/* Slashes turn round, doubled ones go, in place. */
void assay_boot_turn_slashes(char *path);

/* A file as text: its own copy, ended at the first NUL as the boot loader sees it. */
struct boot_lines {
	char *text;
	size_t pos;
	unsigned line; /* of the last key, counted from 1 */
};
int assay_boot_lines_open(const void *p, size_t len, struct boot_lines *ret,
			  struct assay_err *err) ASSAY_MUST;
void assay_boot_lines_close(struct boot_lines *l);
#define BOOT_LINES __attribute__((cleanup(assay_boot_lines_close))) struct boot_lines
/* The next line with a key and something behind it; both lie in the text. */
bool assay_boot_next_line(struct boot_lines *l, enum assay_sdboot rules, const char *sep,
			  char **key, char **value);

#endif
