/* SPDX-License-Identifier: Apache-2.0 */
/* libarchive, loaded when the first packed thing is met (core/dl.h). */
#ifndef ASSAY_MEASURE_ARCHIVE_LIB_H
#define ASSAY_MEASURE_ARCHIVE_LIB_H

#include <archive.h>
#include <archive_entry.h>

#include "core/err.h"

/* The functions that are used: member, and libarchive's symbol with its type. */
#define ASSAY_ARCHIVE_FUNCTIONS(F)                                                                 \
	F(entry_filetype, archive_entry_filetype)                                                  \
	F(entry_pathname, archive_entry_pathname)                                                  \
	F(entry_size, archive_entry_size)                                                          \
	F(entry_size_is_set, archive_entry_size_is_set)                                            \
	F(error_number, archive_errno)                                                             \
	F(error_string, archive_error_string)                                                      \
	F(filter_bytes, archive_filter_bytes)                                                      \
	F(set_error, archive_set_error)                                                            \
	F(read_append_filter, archive_read_append_filter)                                          \
	F(read_data_block, archive_read_data_block)                                                \
	F(read_free, archive_read_free)                                                            \
	F(read_new, archive_read_new)                                                              \
	F(read_next_header, archive_read_next_header)                                              \
	F(read_open1, archive_read_open1)                                                          \
	F(read_set_callback_data, archive_read_set_callback_data)                                  \
	F(read_set_read_callback, archive_read_set_read_callback)                                  \
	F(read_support_format_raw, archive_read_support_format_raw)                                \
	F(read_support_format_tar, archive_read_support_format_tar)

struct assay_archive_lib {
#define ASSAY_ARCHIVE_MEMBER_(name, symbol) __typeof__(&(symbol)) name;
	ASSAY_ARCHIVE_FUNCTIONS(ASSAY_ARCHIVE_MEMBER_)
#undef ASSAY_ARCHIVE_MEMBER_
};

/* Loaded once and kept; ASSAY_E_UNSUPPORTED when it is not installed. Thread-safe. */
int assay_archive_lib_get(const struct assay_archive_lib **ret, struct assay_err *err) ASSAY_MUST;

#endif
