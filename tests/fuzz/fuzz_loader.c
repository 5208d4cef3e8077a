/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target functions: assay_loader_conf_parse, assay_boot_entry_type1, assay_boot_entry_uki,
 * assay_boot_choose, assay_boot_match, assay_version_compare.
 *
 * The input is a list of files, parted by bytes 0xff: loader.conf, then entries (a first character
 * '!' makes it a UKI's os-release), the first line of each being its name. First byte: the rules.
 */
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "measure/boot/order.h"

#define ENTRIES 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct assay_boot_entry *entry_of(enum assay_sdboot rules, const uint8_t *p, size_t len)
{
	struct assay_boot_entry *e = NULL;
	const uint8_t *nl = memchr(p, '\n', len);
	struct assay_err err;
	char name[64] = "x.conf";
	size_t n = nl ? (size_t)(nl - p) : 0;

	/* Names come off the disk as proper UTF-8 without a NUL: ASCII will do. */
	if (n > 0 && n < sizeof(name)) {
		for (size_t i = 0; i < n; i++)
			name[i] = (char)(p[i] & 0x7f ? p[i] & 0x7f : '_');
		name[n] = '\0';
		p += n + 1;
		len -= n + 1;
	}
	(void)assay_boot_entry_name(rules, name, ".conf");
	if (name[0] == '!') {
		if (assay_boot_entry_uki(rules, name, p, len, len & 3, len & 4 ? p : NULL,
					 len & 4 ? len : 0, &e, NULL, &err) < 0)
			return NULL;
	} else if (assay_boot_entry_type1(rules, name, p, len, "x64", "\\EFI\\BOOT\\BOOTX64.EFI",
					  &e, NULL, &err) < 0) {
		return NULL;
	}
	if (e) {
		ASSAY_AUTO_FREE char *path = NULL;

		(void)!assay_boot_path(e->loader, &path, &err);
	}
	return e;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct assay_boot_entry *entries[ENTRIES];
	ASSAY_AUTO(assay_loader_conf) *conf = NULL;
	ASSAY_AUTO(assay_boot_choice) *choice = NULL;
	struct assay_err err;
	size_t n = 0;

	if (size < 1)
		return 0;
	const enum assay_sdboot rules = data[0] & 1 ? ASSAY_SDBOOT_257 : ASSAY_SDBOOT_252;
	data++;
	size--;
	for (bool first = true; n < ENTRIES; first = false) {
		const uint8_t *end = memchr(data, 0xff, size);
		size_t len = end ? (size_t)(end - data) : size;

		if (first) {
			if (assay_loader_conf_parse(rules, data, len, &conf, &err) < 0)
				return 0;
		} else {
			entries[n] = entry_of(rules, data, len);
			n += entries[n] != NULL;
		}
		if (!end)
			break;
		data += len + 1;
		size -= len + 1;
	}
	const struct assay_boot_entry *const *list =
		(const struct assay_boot_entry *const *)entries;
	if (assay_boot_choose(conf, list, n, &choice, &err) == 0 &&
	    (choice->chosen >= n || !choice->why))
		abort();
	/* The order of versions goes one way. */
	for (size_t i = 1; i < n; i++)
		if (assay_version_compare(list[i]->id, list[i - 1]->id) !=
		    -assay_version_compare(list[i - 1]->id, list[i]->id))
			abort();
	for (size_t i = 0; i < n; i++)
		assay_boot_entry_free(&entries[i]);
	return 0;
}
