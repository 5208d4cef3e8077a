/* SPDX-License-Identifier: Apache-2.0 */
/* The job of this header is turning foreign bytes into one line that is safe on a terminal. */
#ifndef ASSAY_TPM_WORDS_PRIV_H
#define ASSAY_TPM_WORDS_PRIV_H

#include <stdbool.h>

#include "core/cur.h"
#include "core/text.h"
#include "tpm/eventlog.h"

/* Texts longer than this are cut, and the rest counted: a command line fits, a blob does not. */
#define ASSAY_WORDS_MAX_TEXT 4096
/* Bytes shown of data that is no text. */
#define ASSAY_WORDS_MAX_HEX 32

/*
 * Letters as they are, control characters as \n or \xNN and line or direction marks as \u{N}; a NUL
 * ends the text, and what follows it (other than further NULs) is counted.
 */
void assay_words_utf16(struct assay_str *s, const uint8_t *p, size_t len);
void assay_words_utf8(struct assay_str *s, const uint8_t *p, size_t len);
/* The first bytes in hex and how many there are: "16 bytes 0a0b…" */
void assay_words_hex(struct assay_str *s, const uint8_t *p, size_t len);
/* Quoted text if it looks like one (UTF-16, ASCII, UTF-8), else hex, after a name where it has one.
 */
void assay_words_guess(struct assay_str *s, const uint8_t *p, size_t len);
bool assay_words_is_utf16(const uint8_t *p, size_t len);
bool assay_words_is_utf8(const uint8_t *p, size_t len);
/* A name where there is one ("EFI global"), the GUID's text where not. */
void assay_words_guid(struct assay_str *s, const uint8_t guid[16]);

/* A device path as text (UEFI 2.10, 10.6); damage is said in its place. See tpm/devpath.h. */
void assay_words_devpath(struct assay_str *s, const uint8_t *p, size_t len, uint64_t at);

/* "; malformed: UEFI_VARIABLE_DATA cut short: … (at byte 0x10)" */
void assay_words_malformed(struct assay_str *s, const struct assay_err *err);

/* The pieces of describe.c that have a file of their own. */
void assay_words_variable(struct assay_str *s, const struct assay_event *ev);
void assay_words_tagged(struct assay_str *s, const struct assay_event *ev);
void assay_words_no_action(struct assay_str *s, const struct assay_event *ev);
void assay_words_spdm(struct assay_str *s, const struct assay_event *ev);

#endif
