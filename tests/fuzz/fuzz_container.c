/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target functions: assay_containers_read, assay_tar_open, assay_tar_parse_header,
 * assay_measurements_add, assay_container_is.
 *
 * The input is a tar file; checksums of headers are put right, so that mutants get past them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "measure/container/container_priv.h"
#include "measure/container/unpack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct assay_container_opts opts = { .max_layer = 1 << 20 };
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO(assay_containers) *c = NULL;
	struct assay_measurements m = { 0 };
	bool is;
	struct assay_err err;
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	memcpy(copy, data, size);
	for (size_t at = 0; at + 512 <= size; at += 512) {
		unsigned sum = 8 * ' ';

		if (memcmp(copy + at + 257, "ustar", 5) != 0)
			continue;
		for (size_t i = 0; i < 512; i++)
			sum += i < 148 || i >= 156 ? copy[at + i] : 0;
		snprintf((char *)copy + at + 148, 8, "%06o", sum);
	}
	assay_hash_set_threads(1);
	const bool have = assay_src_from_mem(copy, size, &src, &err) == 0;

	if (have)
		(void)!assay_container_is(src, &is, &err);
	/* What is packed as a whole would go over the disk. */
	if (have && assay_packing_of(copy, size) == ASSAY_PACKING_NONE &&
	    assay_containers_read(src, &opts, &c, &err) == 0) {
		const struct assay_container_place place = { .archive = "x" };
		struct assay_json *list = assay_json_array();

		if (c->n_images == 0)
			abort();
		assay_containers_json(c, &place, list);
		assay_json_free(&list);
		(void)!assay_measurements_add(&m, c, "x", &err);
		assay_measurements_clear(&m);
	}
	assay_containers_free(&c);
	assay_src_free(&src);
	free(copy);
	return 0;
}
