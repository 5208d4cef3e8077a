/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small disk whose programs and texts are the input's: the first byte says what is spoiled, the
 * rest is it. Bit 0 to 1: the boot file (a UKI of 252 or 257, systemd-boot 252 or 257); bit 2 to 4:
 * which part is the input (the whole boot file, a command line, loader.conf, an entry, a UKI of
 * EFI/Linux, a section's name and content, bytes laid over the UKI). Target functions:
 * assay_precompute, assay_image_facts.
 */
#include "measure/links.h"
#include "precompute/precompute.h"
#include "tests/unit/chain_build.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct assay_platform *platform(void)
{
	/* One bank: hashing is not what is looked for. */
	static const char text[] = "schema: assay.platform/1\nname: f\narch: x86-64\nbanks: [sha1]\n"
				   "secure_boot: false\nevents:\n  - {slot: gpt}\n"
				   "  - {slot: boot, tries: 0}\n  - {slot: exit}\n";
	static struct assay_platform *p;
	struct assay_err err;

	if (!p && assay_platform_parse(text, strlen(text), &p, &err) < 0)
		abort();
	return p;
}

static void run(uint8_t *disk, size_t len)
{
	static const struct assay_precompute_options options = { .no_image_digest = true };
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO(assay_image) *image = NULL;
	ASSAY_AUTO(assay_prediction) *p = NULL;
	static const struct assay_facts_options facts_options = { .banks = ASSAY_BANK_BIT(ASSAY_SHA1) };
	ASSAY_AUTO(assay_json) *facts = NULL;
	ASSAY_AUTO(assay_links) *links = NULL;
	struct assay_err err;

	if (assay_src_from_mem(disk, len, &src, &err) < 0 ||
	    assay_image_open(src, "d", &image, &err) < 0)
		return;
	if (assay_precompute(image, platform(), &options, &p, &err) == 0) {
		ASSAY_AUTO(assay_json) *json = assay_prediction_json(p);
		ASSAY_AUTO(assay_prediction) *back = NULL;
		ASSAY_AUTO_FREE char *text = NULL;
		size_t n;

		/* What is predicted can be written, and read back. */
		if (assay_json_dump(json, &text, &n, &err) < 0 ||
		    assay_prediction_parse(json, &back, &err) < 0)
			abort();
	}
	if (assay_image_facts(image, &facts_options, &facts, &links, &err) < 0)
		return;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const programs[] = { "systemd-stub 252.39", "systemd-stub 257.13",
						"systemd-boot 252.39", "systemd-boot 257.13" };
	struct disk_file files[4];
	struct peb boot, uki;
	size_t n = 0, len;
	char name[9] = "";
	uint8_t *disk;

	if (size < 10 || size > 65536)
		return 0;
	const unsigned what = data[0] >> 2 & 7, first = data[0] & 3;
	data++;
	size--;
	build_uki(&uki, programs[first & 1], BUILD_DEBIAN_6_12, what == 1 ? NULL : "quiet");
	if (what == 1)
		peb_section(&uki, ".cmdline", data, size);
	if (what == 5) {
		memcpy(name, data, 8);
		peb_section(&uki, name, data + 8, size - 8);
	}
	if (what == 6) {
		size_t at = ((size_t)data[0] | (size_t)data[1] << 8) % uki.len;

		for (size_t i = 2; i < size && at + i - 2 < uki.len; i++)
			uki.p[at + i - 2] = data[i];
	}
	build_systemd(&boot, programs[2 + (first & 1)]);
	if (what == 0)
		files[n++] = (struct disk_file){ "/EFI/BOOT/BOOTX64.EFI", data, size };
	else if (first & 2)
		files[n++] = (struct disk_file){ "/EFI/BOOT/BOOTX64.EFI", boot.p, boot.len };
	else
		files[n++] = (struct disk_file){ "/EFI/BOOT/BOOTX64.EFI", uki.p, uki.len };
	if (what == 2)
		files[n++] = (struct disk_file){ "/loader/loader.conf", data, size };
	if (what == 3)
		files[n++] = (struct disk_file){ "/loader/entries/e.conf", data, size };
	if (what == 4)
		files[n++] = (struct disk_file){ "/EFI/Linux/a.efi", data, size };
	files[n++] = (struct disk_file){ "/EFI/Linux/b.efi", uki.p, uki.len };
	if (what == 7)
		files[n++] =
			(struct disk_file){ "/EFI/BOOT/BOOTX64.EFI.extra.d/a.cred", data, size };
	disk = disk_build(files, n, NULL, 0, &len);
	run(disk, len);
	free(disk);
	peb_free(&uki);
	peb_free(&boot);
	return 0;
}
