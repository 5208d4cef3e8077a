/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for jansson's tree, which lives while a text is parsed and goes all at once: thousands of small pieces need
 * neither be found nor given back one by one. Private to json.c.
 */
#ifndef ASSAY_CORE_JSON_ARENA_H
#define ASSAY_CORE_JSON_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct assay_json_arena {
	struct assay_json_chunk *chunks;
	char *at, *end; /* what is left of the newest */
	bool failed;	/* memory ran out while it was in use */
};

/* Until assay_json_arena_end(), what jansson asks for in this thread comes from `arena`. Not to be nested. */
void assay_json_arena_begin(struct assay_json_arena *arena);
/* Whether jansson took its memory from it: not when the program has given it functions of its own since. */
bool assay_json_arena_used(const struct assay_json_arena *arena);
/* Gives everything back; json_t of its time are gone. */
void assay_json_arena_end(struct assay_json_arena *arena);

#endif
