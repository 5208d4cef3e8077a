/* SPDX-License-Identifier: Apache-2.0 */
#include "core/json_arena.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <jansson.h>

#define FIRST_CHUNK ((size_t)64 << 10)
#define LAST_CHUNK ((size_t)4 << 20)

struct assay_json_chunk {
	struct assay_json_chunk *next;
	size_t size; /* of bytes[] */
	max_align_t bytes[];
};

static _Thread_local struct assay_json_arena *current;
static pthread_once_t installed = PTHREAD_ONCE_INIT;
/* jansson is the whole process's: others' trees go on being of the memory that they were. */
static json_malloc_t others_malloc;
static json_free_t others_free;

/* Twice as large as the one before, and large enough. */
static bool add_chunk(struct assay_json_arena *a, size_t wanted)
{
	size_t size = a->chunks ? 2 * a->chunks->size : FIRST_CHUNK;
	struct assay_json_chunk *chunk;

	if (size > LAST_CHUNK)
		size = LAST_CHUNK;
	if (size < wanted)
		size = wanted;
	chunk = size <= SIZE_MAX / 2 ? malloc(sizeof(*chunk) + size) : NULL;
	if (!chunk)
		return false;
	chunk->size = size;
	chunk->next = a->chunks;
	a->chunks = chunk;
	a->at = (char *)chunk->bytes;
	a->end = a->at + size;
	return true;
}

static void *arena_malloc(size_t size)
{
	struct assay_json_arena *a = current;
	const size_t align = _Alignof(max_align_t);
	void *p;

	if (!a)
		return others_malloc(size);
	if (size == 0 || size > SIZE_MAX / 4) {
		a->failed = a->failed || size > 0;
		return NULL;
	}
	size = (size + align - 1) / align * align;
	if (size > (size_t)(a->end - a->at) && !add_chunk(a, size)) {
		a->failed = true;
		return NULL;
	}
	p = a->at;
	a->at += size;
	return p;
}

/* What came before the arena goes where it came from; what is of the arena goes with it. */
static void arena_free(void *p)
{
	for (const struct assay_json_chunk *c = current ? current->chunks : NULL; c; c = c->next)
		if ((uintptr_t)p - (uintptr_t)c->bytes < c->size)
			return;
	others_free(p);
}

static void install(void)
{
	json_get_alloc_funcs(&others_malloc, &others_free);
	json_set_alloc_funcs(arena_malloc, arena_free);
}

void assay_json_arena_begin(struct assay_json_arena *arena)
{
	pthread_once(&installed, install);
	*arena = (struct assay_json_arena){ 0 };
	current = arena;
}

bool assay_json_arena_used(const struct assay_json_arena *arena)
{
	return arena->chunks != NULL;
}

void assay_json_arena_end(struct assay_json_arena *arena)
{
	current = NULL;
	while (arena->chunks) {
		struct assay_json_chunk *next = arena->chunks->next;

		free(arena->chunks);
		arena->chunks = next;
	}
}
