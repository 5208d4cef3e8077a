/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CBOR (RFC 8949) in its one deterministic form (4.2.1): shortest heads, definite lengths, map keys in the order of their
 * bytes and each once. The writer writes no other, the reader takes no other: what was read, written again, is the same
 * bytes. No floats, no undefined.
 */
#ifndef ASSAY_CORE_CBOR_H
#define ASSAY_CORE_CBOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

enum assay_cbor_kind {
	ASSAY_CBOR_UINT,  /* n */
	ASSAY_CBOR_NINT,  /* -1 - n */
	ASSAY_CBOR_BYTES, /* p, len */
	ASSAY_CBOR_TEXT,  /* the same, UTF-8 */
	ASSAY_CBOR_ARRAY, /* items */
	ASSAY_CBOR_MAP,	  /* items: key, value, key, value, … */
	ASSAY_CBOR_TAG,	  /* n; one item */
	ASSAY_CBOR_SIMPLE /* n: 20 false, 21 true, 22 null */
};

struct assay_cbor {
	enum assay_cbor_kind kind;
	uint64_t n;
	uint8_t *p; /* with a NUL behind it */
	size_t len;
	struct assay_cbor **items;
	size_t n_items;
	bool bad; /* memory ran out, here or below, while it was made */
};

void assay_cbor_free(struct assay_cbor **node);
ASSAY_DEFINE_AUTO(assay_cbor)

/* Fresh nodes; NULL when there is no memory. */
struct assay_cbor *assay_cbor_uint(uint64_t v);
struct assay_cbor *assay_cbor_int(int64_t v);
struct assay_cbor *assay_cbor_bytes(const void *p, size_t len);
struct assay_cbor *assay_cbor_text(const char *s);
struct assay_cbor *assay_cbor_array(void);
struct assay_cbor *assay_cbor_map(void);
struct assay_cbor *assay_cbor_tag(uint64_t tag, struct assay_cbor *item); /* takes it */
struct assay_cbor *assay_cbor_simple(uint8_t value);
/* Children are handed over; NULL counts as out of memory, which assay_cbor_write() tells. */
void assay_cbor_append(struct assay_cbor *array, struct assay_cbor *item);
void assay_cbor_put(struct assay_cbor *map, struct assay_cbor *key, struct assay_cbor *value);

/* Fresh bytes. ASSAY_E_CORRUPT: text that is no UTF-8, a key twice. */
int assay_cbor_write(const struct assay_cbor *node, uint8_t **ret, size_t *ret_len, struct assay_err *err) ASSAY_MUST;

/* One item and nothing behind it. Ceilings: ASSAY_CBOR_MAX_SIZE, _DEPTH, _NODES. */
int assay_cbor_parse(const void *p, size_t len, struct assay_cbor **ret, struct assay_err *err) ASSAY_MUST;

/* The value under an integer key; NULL when there is none, or this is no map. */
const struct assay_cbor *assay_cbor_get(const struct assay_cbor *map, uint64_t key);
/* The item of a tag; NULL when it is another. */
const struct assay_cbor *assay_cbor_tagged(const struct assay_cbor *node, uint64_t tag);

#endif
