/* SPDX-License-Identifier: Apache-2.0 */
/* libnbd, loaded when the first disk that needs it is met (core/dl.h). */
#ifndef ASSAY_MEASURE_DISK_NBD_LIB_H
#define ASSAY_MEASURE_DISK_NBD_LIB_H

#include <libnbd.h>

#include "core/err.h"

/* The functions that are used: member, and libnbd's symbol with its type. */
#define ASSAY_NBD_FUNCTIONS(F)                                                                     \
	F(create, nbd_create)                                                                      \
	F(close, nbd_close)                                                                        \
	F(add_meta_context, nbd_add_meta_context)                                                  \
	F(can_meta_context, nbd_can_meta_context)                                                  \
	F(connect_socket, nbd_connect_socket)                                                      \
	F(get_error, nbd_get_error)                                                                \
	F(get_size, nbd_get_size)                                                                  \
	F(aio_pread, nbd_aio_pread)                                                                \
	F(aio_command_completed, nbd_aio_command_completed)                                        \
	F(block_status, nbd_block_status)                                                          \
	F(poll, nbd_poll)

struct assay_nbd_lib {
#define ASSAY_NBD_MEMBER_(name, symbol) __typeof__(&(symbol)) name;
	ASSAY_NBD_FUNCTIONS(ASSAY_NBD_MEMBER_)
#undef ASSAY_NBD_MEMBER_
};

/* ASSAY_E_UNSUPPORTED when it is not installed. Thread-safe. */
int assay_nbd_lib_get(const struct assay_nbd_lib **ret, struct assay_err *err) ASSAY_MUST;

#endif
