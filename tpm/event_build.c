/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/event_build.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/cur.h"
#include "core/num.h"
#include "core/text.h"

/* NULL with *err set when it cannot be had. */
static uint8_t *event_alloc(size_t fixed, uint64_t more, struct assay_err *err)
{
	uint64_t len;
	uint8_t *p;

	/* The log's event size has 32 bits. */
	if (assay_add_overflows(fixed, more, &len) || len > UINT32_MAX) {
		assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "event data of more than 4 GiB");
		return NULL;
	}
	p = malloc(len ? len : 1);
	if (!p)
		assay_fail_mem(err);
	return p;
}

static bool entry_used(const uint8_t *entry)
{
	static const uint8_t zero[16];

	return memcmp(entry, zero, sizeof(zero)) != 0;
}

int assay_event_build_gpt(const uint8_t header[ASSAY_GPT_EVENT_HEADER], const uint8_t *entries,
			  uint32_t n_entries, uint32_t entry_size, uint8_t **ret, size_t *ret_len,
			  struct assay_err *err)
{
	uint64_t used = 0;
	uint64_t size;
	uint8_t *p;

	if (entry_size < 128)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "GPT entry size %u",
				  entry_size);
	for (uint32_t i = 0; i < n_entries; i++)
		used += entry_used(entries + (size_t)i * entry_size);
	if (assay_mul_overflows(used, entry_size, &size))
		size = UINT64_MAX;
	p = event_alloc(ASSAY_GPT_EVENT_HEADER + 8, size, err);
	if (!p)
		return -1;
	*ret = p;
	*ret_len = ASSAY_GPT_EVENT_HEADER + 8 + (size_t)size;
	memcpy(p, header, ASSAY_GPT_EVENT_HEADER);
	p += ASSAY_GPT_EVENT_HEADER;
	assay_put_le64(p, used);
	p += 8;
	for (uint32_t i = 0; i < n_entries; i++) {
		const uint8_t *entry = entries + (size_t)i * entry_size;

		if (!entry_used(entry))
			continue;
		memcpy(p, entry, entry_size);
		p += entry_size;
	}
	return 0;
}

int assay_event_build_variable(const uint8_t guid[16], const char *name, const void *data,
			       size_t data_len, uint8_t **ret, size_t *ret_len,
			       struct assay_err *err)
{
	ASSAY_AUTO_FREE uint8_t *utf16 = NULL;
	size_t name_len = 0;
	uint8_t *p;

	if (assay_utf8_to_utf16(name, strlen(name), &utf16, &name_len, err) < 0)
		return -1;
	p = event_alloc(32 + name_len, data_len, err);
	if (!p)
		return -1;
	*ret = p;
	*ret_len = 32 + name_len + data_len;
	memcpy(p, guid, 16);
	assay_put_le64(p + 16, name_len / 2);
	assay_put_le64(p + 24, data_len);
	if (name_len)
		memcpy(p + 32, utf16, name_len);
	if (data_len)
		memcpy(p + 32 + name_len, data, data_len);
	return 0;
}

int assay_event_build_tagged(uint32_t id, const void *data, size_t data_len, uint8_t **ret,
			     size_t *ret_len, struct assay_err *err)
{
	uint8_t *p = event_alloc(8, data_len, err);

	if (!p)
		return -1;
	*ret = p;
	*ret_len = 8 + data_len;
	assay_put_le32(p, id);
	assay_put_le32(p + 4, (uint32_t)data_len);
	if (data_len)
		memcpy(p + 8, data, data_len);
	return 0;
}

int assay_event_build_utf16z(const char *text, uint8_t **ret, size_t *ret_len,
			     struct assay_err *err)
{
	ASSAY_AUTO_FREE uint8_t *utf16 = NULL;
	size_t len = 0;
	uint8_t *p;

	if (assay_utf8_to_utf16(text, strlen(text), &utf16, &len, err) < 0)
		return -1;
	p = event_alloc(2, len, err);
	if (!p)
		return -1;
	*ret = p;
	*ret_len = len + 2;
	if (len)
		memcpy(p, utf16, len);
	assay_put_le16(p + len, 0);
	return 0;
}
