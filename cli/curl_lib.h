/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl, as far as we need it. It is loaded when the first connection is made (core/dl.h). */
#ifndef ASSAY_CLI_CURL_LIB_H
#define ASSAY_CLI_CURL_LIB_H

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#include "core/err.h"

#define ASSAY_CURL_FUNCTIONS(X)                                                                    \
	X(global_init, curl_global_init)                                                           \
	X(easy_init, curl_easy_init)                                                               \
	X(easy_setopt, curl_easy_setopt)                                                           \
	X(easy_perform, curl_easy_perform)                                                         \
	X(easy_getinfo, curl_easy_getinfo)                                                         \
	X(easy_strerror, curl_easy_strerror)                                                       \
	X(easy_cleanup, curl_easy_cleanup)                                                         \
	X(slist_append, curl_slist_append)                                                         \
	X(slist_free_all, curl_slist_free_all)                                                     \
	X(url, curl_url)                                                                           \
	X(url_set, curl_url_set)                                                                   \
	X(url_get, curl_url_get)                                                                   \
	X(url_cleanup, curl_url_cleanup)                                                           \
	X(free, curl_free)

struct assay_curl_lib {
#define MEMBER(name, sym) __typeof__(sym) *name;
	ASSAY_CURL_FUNCTIONS(MEMBER)
#undef MEMBER
};

/* Borrowed, static, and initialised. ASSAY_E_UNSUPPORTED where libcurl is missing. */
int assay_curl_lib_get(const struct assay_curl_lib **ret, struct assay_err *err) ASSAY_MUST;

#endif
