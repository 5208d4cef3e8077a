/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target functions: assay_probelog_parse. Lines without a right CRC are passed over, which would
 * keep a fuzzer out: so each input is tried as it is, and with every line of it signed.
 */
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "measure/disk/crc32.h"
#include "precompute/probelog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try(const void *p, size_t len)
{
	struct assay_probe_info info;
	struct assay_err err;
	uint8_t *log;
	size_t n;

	if (assay_probelog_parse(p, len, &log, &n, &info, &err) < 0)
		return;
	if (n == 0 || strlen(info.arch) >= sizeof(info.arch))
		abort();
	free(log);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct assay_str s = { 0 };
	size_t start = 0;

	try(data, size);
	for (size_t i = 0; i <= size; i++) {
		if (i < size && data[i] != '\n')
			continue;
		size_t len = i - start;
		const uint8_t *line = data + start;

		/* A line of a capture brings the old CRC along */
		if (len > 0 && line[len - 1] == '\r')
			len -= len > 10 ? 10 : 1;
		if (len > 0) {
			assay_str_add_n(&s, line, len);
			assay_str_add(&s, " %08x\n", assay_crc32(0, line, len));
		}
		start = i + 1;
	}
	if (s.p != NULL)
		try(s.p, s.len);
	assay_str_clear(&s);
	return 0;
}
