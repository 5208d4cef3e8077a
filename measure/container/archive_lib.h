/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libarchive, loaded when the first packed layer is met: it brings a dozen libraries of its own,
 * and every other verb would pay for them at each start.
 */
#ifndef ASSAY_MEASURE_CONTAINER_ARCHIVE_LIB_H
#define ASSAY_MEASURE_CONTAINER_ARCHIVE_LIB_H

#include <archive.h>
#include <archive_entry.h>

#include "core/err.h"

/* The functions that are used: member, and libarchive's symbol with its type. */
#define ASSAY_ARCHIVE_FUNCTIONS(F)                                                                 \
	F(error_number, archive_errno)                                                             \
	F(error_string, archive_error_string)                                                      \
	F(set_error, archive_set_error)                                                            \
	F(read_append_filter, archive_read_append_filter)                                          \
	F(read_data_block, archive_read_data_block)                                                \
	F(read_free, archive_read_free)                                                            \
	F(read_new, archive_read_new)                                                              \
	F(read_next_header, archive_read_next_header)                                              \
	F(read_open1, archive_read_open1)                                                          \
	F(read_set_callback_data, archive_read_set_callback_data)                                  \
	F(read_set_read_callback, archive_read_set_read_callback)                                  \
	F(read_support_format_raw, archive_read_support_format_raw)

struct assay_archive_lib {
#define ASSAY_ARCHIVE_MEMBER_(name, symbol) __typeof__(&(symbol)) name;
	ASSAY_ARCHIVE_FUNCTIONS(ASSAY_ARCHIVE_MEMBER_)
#undef ASSAY_ARCHIVE_MEMBER_
};

/* Loaded once and kept; ASSAY_E_UNSUPPORTED when it is not installed. Thread-safe. */
int assay_archive_lib_get(const struct assay_archive_lib **ret, struct assay_err *err) ASSAY_MUST;

#endif
