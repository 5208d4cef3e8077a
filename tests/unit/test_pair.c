/* SPDX-License-Identifier: Apache-2.0 */
/* Which partitions belong together: what command lines name, what UUIDs say, data disks. */
#include "tests/unit/chain_build.h"
#include "tests/unit/verity_build.h"
#include "tests/unit/alloc.h"

#include "core/text.h"
#include "measure/verity/report.h"

#define ROOT_DATA "4f68bce3-e8cd-4db1-96e7-fbcaf984b709"
#define ROOT_TREE "2c7357ed-ebd2-46d9-aec1-23d437ec2bf5"
#define USR_DATA "8484680c-9521-48c6-9c11-b0720656f69e"
#define USR_TREE "77ff5f63-e7b6-4633-acf4-1565b864c0e6"
#define GENERIC "0fc63daf-8483-4772-8e79-3d69d8477de4"
#define STUB "systemd-stub 257.13"

static char hex[129];	     /* of the root hash */
static uint8_t guids[2][16]; /* of data and tree */
static struct verity_tree *tree;

/* A tree of 40 blocks, and the UUIDs that go with it. */
static void start(enum assay_bank bank)
{
	const size_t n = bank == ASSAY_SHA256 ? 32 : 64;

	tree = verity_make(bank, 1, 512, 512, 40, 8, 0);
	assay_hex(tree->root, n, hex);
	for (int i = 0; i < 2; i++) {
		const char *h = i ? hex + 2 * n - 32 : hex;
		char text[37];

		snprintf(text, sizeof(text), "%.8s-%.4s-%.4s-%.4s-%.12s", h, h + 8, h + 12, h + 16,
			 h + 20);
		assert_true(assay_guid_parse(text, guids[i]));
	}
}

static const uint8_t *tree_data(void)
{
	return tree->mem + VERITY_SHIFT;
}

/* The disk with these files, the data and the tree; more partitions behind them. */
struct disk {
	uint8_t *p;
	size_t len;
	struct assay_src *src;
};

static struct disk disk_of(const struct disk_file *files, size_t n, const char *data_type,
			   const char *tree_type, const struct disk_part *more, size_t n_more)
{
	struct disk_part parts[8] = {
		{ data_type, guids[0], "data", tree_data(), tree->data_size },
		{ tree_type, guids[1], "tree", tree_data() + tree->data_size, tree->hash_size },
	};
	struct disk d;
	struct assay_err err;

	for (size_t i = 0; i < n_more; i++)
		parts[2 + i] = more[i];
	d.p = disk_build_parts(files, n, parts, 2 + n_more, &d.len);
	assert_int_equal(assay_src_from_mem(d.p, d.len, &d.src, &err), 0);
	return d;
}

static void done(struct disk *d)
{
	assay_src_free(&d->src);
	free(d->p);
}

static struct assay_verity_pairs *pairs_of(struct disk *d)
{
	struct assay_verity_pairs *pairs = NULL;
	struct assay_err err;

	if (assay_verity_pairs_find(d->src, &pairs, &err) < 0)
		fail_msg("%s", err.msg);
	for (size_t i = 0; i < pairs->n; i++)
		assay_verity_pair_check(d->src, &pairs->p[i]);
	return pairs;
}

static void verified(const struct assay_verity_pair *p, const char *source)
{
	if (!p->checked)
		fail_msg("%s", p->err.msg);
	assert_true(p->report.verified);
	assert_memory_equal(p->root_hash, tree->root, p->root_hash_size);
	assert_int_equal(p->data, 2);
	assert_int_equal(p->hash, 3);
	if (source)
		assert_string_equal(p->source, source);
	else
		assert_null(p->source);
}

static void refused(const struct assay_verity_pair *p, enum assay_code code, const char *why)
{
	assert_false(p->checked);
	if (p->err.code != code || !strstr(p->err.msg, why))
		fail_msg("%d %s, not %d %s", p->err.code, p->err.msg, code, why);
}

/* --- UUIDs --------------------------------------------------------------------------------------
 */

static void by_uuid(void **state)
{
	static const char *const types[][2] = { { ROOT_DATA, ROOT_TREE },
						{ USR_DATA, USR_TREE },
						{ GENERIC, GENERIC } };
	static const enum assay_bank banks[] = { ASSAY_SHA256, ASSAY_SHA512 };

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		start(banks[i % 2]);
		struct disk d = disk_of(NULL, 0, types[i / 2][0], types[i / 2][1], NULL, 0);
		ASSAY_AUTO(assay_verity_pairs) *pairs = pairs_of(&d);

		assert_int_equal(pairs->n, 1);
		verified(&pairs->p[0], NULL);
		assert_int_equal(pairs->p[0].usr, i / 2 == 1);
		assert_int_equal(pairs->p[0].generic, i / 2 == 2);
		done(&d);
		verity_drop(tree);
	}
}

/* A and B: the tree's root says whose it is. */
static void two_of_a_type(void **state)
{
	(void)state;
	start(ASSAY_SHA256);
	const struct disk_part other = { ROOT_DATA, NULL, NULL, NULL, 512 };
	struct disk d = disk_of(NULL, 0, ROOT_DATA, ROOT_TREE, &other, 1);
	struct assay_verity_pairs *pairs = pairs_of(&d);

	assert_int_equal(pairs->n, 1);
	verified(&pairs->p[0], NULL);
	assay_verity_pairs_free(&pairs);
	/* With another UUID none of them is it. */
	done(&d);
	guids[0][0] ^= 1;
	d = disk_of(NULL, 0, ROOT_DATA, ROOT_TREE, &other, 1);
	pairs = pairs_of(&d);
	assert_int_equal(pairs->n, 1);
	refused(&pairs->p[0], ASSAY_E_NOTFOUND, "none of 2 partitions");
	assay_verity_pairs_free(&pairs);
	done(&d);
	verity_drop(tree);
}

static void twins(void **state)
{
	(void)state;
	start(ASSAY_SHA256);
	ASSAY_AUTO_FREE char *entry = assay_asprintf("linux /l\noptions roothash=%s\n", hex);
	const struct disk_file file = { "/loader/entries/a.conf", entry, strlen(entry) };
	const struct disk_part twin = { ROOT_DATA, guids[0], NULL, NULL, 512 };
	struct disk d = disk_of(&file, 1, ROOT_DATA, ROOT_TREE, &twin, 1);
	ASSAY_AUTO(assay_verity_pairs) *pairs = pairs_of(&d);

	refused(&pairs->p[0], ASSAY_E_NOTFOUND, "more than one partition has the UUID");
	done(&d);
	verity_drop(tree);
}

/* --- command lines ------------------------------------------------------------------------------
 */

static void ukis_entries_addons(void **state)
{
	struct peb plain, named, addon;
	char cmdline[300], other[300], entry[400];

	(void)state;
	start(ASSAY_SHA256);
	snprintf(cmdline, sizeof(cmdline), "quiet roothash=%s", hex);
	snprintf(other, sizeof(other), "roothash=%s root=/dev/sda1", hex);
	snprintf(entry, sizeof(entry),
		 "title x\nlinux /linux\noptions a b\noptions c roothash=%s\n", hex);
	build_uki(&plain, STUB, BUILD_DEBIAN_6_12, "quiet");
	build_uki(&named, STUB, BUILD_DEBIAN_6_12, cmdline);
	build_systemd(&addon, STUB);
	peb_text(&addon, ".cmdline", cmdline);
	const struct {
		struct disk_file files[3];
		size_t n, n_pairs;
		const char *source;
	} rows[] = {
		{ { { "/EFI/Linux/n.efi", named.p, named.len } }, 1, 1, "/EFI/Linux/n.efi" },
		{ { { "/n.efi", named.p, named.len }, { "/z.efi", named.p, named.len } },
		  2,
		  1,
		  "/n.efi" },
		{ { { "/loader/entries/e.conf", entry, strlen(entry) } },
		  1,
		  1,
		  "/loader/entries/e.conf" },
		{ { { "/LOADER/Entries/E.CONF", entry, strlen(entry) } },
		  1,
		  1,
		  "/LOADER/Entries/E.CONF" },
		{ { { "/loader/e.conf", entry, strlen(entry) } }, 1, 1, NULL },
		{ { { "/loader/entries/e.txt", entry, strlen(entry) } }, 1, 1, NULL },
		{ { { "/p.efi", plain.p, plain.len },
		    { "/p.efi.extra.d/a.addon.efi", addon.p, addon.len } },
		  2,
		  1,
		  "/p.efi" },
		{ { { "/p+3-1.efi", plain.p, plain.len },
		    { "/p.efi.extra.d/a.addon.efi", addon.p, addon.len } },
		  2,
		  1,
		  "/p+3-1.efi" },
		{ { { "/p.efi", plain.p, plain.len },
		    { "/loader/addons/a.addon.efi", addon.p, addon.len } },
		  2,
		  1,
		  "/p.efi" },
		{ { { "/p.efi", plain.p, plain.len },
		    { "/q.efi.extra.d/a.addon.efi", addon.p, addon.len } },
		  2,
		  1,
		  NULL },
		{ { { "/p.efi", plain.p, plain.len }, { "/a.addon.efi", addon.p, addon.len } },
		  2,
		  1,
		  NULL },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct disk d = disk_of(rows[i].files, rows[i].n, ROOT_DATA, ROOT_TREE, NULL, 0);
		ASSAY_AUTO(assay_verity_pairs) *pairs = pairs_of(&d);

		assert_int_equal(pairs->n, rows[i].n_pairs);
		verified(&pairs->p[0], rows[i].source);
		done(&d);
	}
	peb_free(&plain);
	peb_free(&named);

	/* The same root hash under a command line that mounts something else is not the same. */
	build_uki(&named, STUB, BUILD_DEBIAN_6_12, other);
	const struct disk_file files[] = { { "/loader/entries/e.conf", entry, strlen(entry) },
					   { "/n.efi", named.p, named.len } };
	struct disk d = disk_of(files, 2, ROOT_DATA, ROOT_TREE, NULL, 0);
	struct assay_verity_pairs *pairs = pairs_of(&d);

	assert_int_equal(pairs->n, 2);
	verified(&pairs->p[0], "/loader/entries/e.conf");
	assert_true(pairs->p[0].by_entry);
	assert_false(pairs->p[1].by_entry);
	refused(&pairs->p[1], ASSAY_E_UNSUPPORTED, "root=/dev/sda1 is mounted");
	assay_verity_pairs_free(&pairs);
	done(&d);
	peb_free(&named);
	peb_free(&addon);
	verity_drop(tree);
}

/* Refused for the same reason is one pair, for another one is two. */
static void refused_twice(void **state)
{
	char a[300], b[300];

	(void)state;
	start(ASSAY_SHA256);
	snprintf(a, sizeof(a), "efi /l\noptions roothash=%s root=/dev/sda1\n", hex);
	snprintf(b, sizeof(b), "efi /l\noptions roothash=%s root=/dev/sdb1\n", hex);
	const struct disk_file files[] = { { "/loader/entries/a.conf", a, strlen(a) },
					   { "/loader/entries/b.conf", b, strlen(b) },
					   { "/loader/entries/c.conf", a, strlen(a) } };
	struct disk d = disk_of(files, 3, GENERIC, ROOT_TREE, NULL, 0);
	ASSAY_AUTO(assay_verity_pairs) *pairs = pairs_of(&d);

	assert_int_equal(pairs->n, 3);
	refused(&pairs->p[0], ASSAY_E_UNSUPPORTED, "root=/dev/sda1 is mounted");
	refused(&pairs->p[1], ASSAY_E_UNSUPPORTED, "root=/dev/sdb1 is mounted");
	refused(&pairs->p[2], ASSAY_E_NOTFOUND, "none of 0 partitions");
	done(&d);
	verity_drop(tree);
}

/* An addon that only moves what a UKI names. */
static void addon_moves(void **state)
{
	struct peb uki, addon;
	char cmdline[300];

	(void)state;
	start(ASSAY_SHA256);
	snprintf(cmdline, sizeof(cmdline), "roothash=%s", hex);
	build_uki(&uki, STUB, BUILD_DEBIAN_6_12, cmdline);
	build_systemd(&addon, STUB);
	peb_text(&addon, ".cmdline", "root=/dev/sda1");
	const struct disk_file files[] = { { "/u.efi", uki.p, uki.len },
					   { "/u.efi.extra.d/a.addon.efi", addon.p, addon.len } };
	struct disk d = disk_of(files, 2, ROOT_DATA, ROOT_TREE, NULL, 0);
	ASSAY_AUTO(assay_verity_pairs) *pairs = pairs_of(&d);

	assert_int_equal(pairs->n, 2);
	verified(&pairs->p[0], "/u.efi");
	refused(&pairs->p[1], ASSAY_E_UNSUPPORTED, "root=/dev/sda1 is mounted");
	done(&d);
	peb_free(&uki);
	peb_free(&addon);
	verity_drop(tree);
}

static void profiles(void **state)
{
	struct peb uki;
	char cmdline[300];

	(void)state;
	start(ASSAY_SHA256);
	snprintf(cmdline, sizeof(cmdline), "roothash=%s\x01quiet", hex);
	build_uki(&uki, STUB, BUILD_DEBIAN_6_12, "quiet");
	peb_text(&uki, ".profile", "ID=a\n");
	peb_text(&uki, ".profile", "ID=b\n");
	peb_text(&uki, ".cmdline", cmdline); /* systemd-stub makes a blank of \x01 */
	const struct disk_file file = { "/u.efi", uki.p, uki.len };
	struct disk d = disk_of(&file, 1, ROOT_DATA, ROOT_TREE, NULL, 0);
	ASSAY_AUTO(assay_verity_pairs) *pairs = pairs_of(&d);

	assert_int_equal(pairs->n, 1);
	verified(&pairs->p[0], "/u.efi");
	done(&d);
	peb_free(&uki);
	verity_drop(tree);
}

static void xbootldr(void **state)
{
	size_t len;

	(void)state;
	start(ASSAY_SHA256);
	ASSAY_AUTO_FREE char *entry = assay_asprintf("efi /l\noptions roothash=%s\n", hex);
	const struct disk_file file = { "/loader/entries/a.conf", entry, strlen(entry) };
	ASSAY_AUTO_FREE uint8_t *volume = disk_volume(&file, 1, &len);
	const struct disk_part boot = { DISK_XBOOTLDR, NULL, NULL, volume, len };
	struct disk d = disk_of(NULL, 0, ROOT_DATA, ROOT_TREE, &boot, 1);
	struct assay_verity_pairs *pairs = pairs_of(&d);

	assert_int_equal(pairs->n, 1);
	verified(&pairs->p[0], "/loader/entries/a.conf");
	assay_verity_pairs_free(&pairs);
	done(&d);

	/* One that no firmware reads by itself. */
	const struct disk_part none = { DISK_XBOOTLDR, NULL, NULL, NULL, 512 };

	d = disk_of(NULL, 0, ROOT_DATA, ROOT_TREE, &none, 1);
	pairs = pairs_of(&d);
	verified(&pairs->p[0], NULL);
	assay_verity_pairs_free(&pairs);
	done(&d);
	verity_drop(tree);
}

/* fstab_node_to_udev_node(), and udev's names: UUIDs in lower case, labels as they are. */
static void named_devices(void **state)
{
	static const struct {
		const char *data, *tree;
		enum assay_code code;
		const char *why;
	} rows[] = {
		{ "PARTLABEL=data", "/dev/disk/by-partlabel/tree", ASSAY_OK, NULL },
		{ "PARTLABEL=data", NULL, ASSAY_OK, NULL },
		{ NULL, "PARTLABEL=tree", ASSAY_OK, NULL },
		{ "PARTUUID=a1a1a1a1-a1a1-a1a1-a1a1-a1a1a1a1a1a1", NULL, ASSAY_E_NOTFOUND,
		  "no such partition" },
		{ "PARTLABEL=Data", NULL, ASSAY_E_NOTFOUND, "no such partition" },
		{ "PARTLABEL=more", NULL, ASSAY_E_NOTFOUND, "more than one partition" },
		{ "PARTLABEL=", NULL, ASSAY_E_UNSUPPORTED, "is not followed" },
		{ "PARTLABEL=a/b", NULL, ASSAY_E_UNSUPPORTED, "is not followed" },
		{ "/dev/sda2", NULL, ASSAY_E_UNSUPPORTED, "is not followed" },
		{ "UUID=1", NULL, ASSAY_E_UNSUPPORTED, "is not followed" },
		{ NULL, "/dev/disk/by-id/x", ASSAY_E_UNSUPPORTED,
		  "systemd.verity_root_hash=/dev/disk/by-id/x is not" },
	};

	(void)state;
	start(ASSAY_SHA256);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char entry[600];
		const struct disk_part more[] = { { GENERIC, NULL, "more", NULL, 512 },
						  { GENERIC, NULL, "more", NULL, 512 } };

		snprintf(entry, sizeof(entry), "efi /l\noptions roothash=%s %s%s %s%s\n", hex,
			 rows[i].data ? "systemd.verity_root_data=" : "",
			 rows[i].data ? rows[i].data : "",
			 rows[i].tree ? "systemd.verity_root_hash=" : "",
			 rows[i].tree ? rows[i].tree : "");
		const struct disk_file file = { "/loader/entries/a.conf", entry, strlen(entry) };
		struct disk d = disk_of(&file, 1, ROOT_DATA, ROOT_TREE, more, 2);
		ASSAY_AUTO(assay_verity_pairs) *pairs = pairs_of(&d);

		if (rows[i].code == ASSAY_OK)
			verified(&pairs->p[0], "/loader/entries/a.conf");
		else
			refused(&pairs->p[0], rows[i].code, rows[i].why);
		done(&d);
	}
	/* By UUID, in lower case and in upper case, which udev does not have. */
	for (int upper = 0; upper < 2; upper++) {
		char entry[600], uuid[37];

		assay_guid_text(guids[0], uuid);
		for (char *c = uuid; upper && *c; c++)
			*c = (char)(*c >= 'a' && *c <= 'f' ? *c - 32 : *c);
		snprintf(entry, sizeof(entry),
			 "efi /l\noptions roothash=%s systemd.verity_root_data=PARTUUID=%s\n", hex,
			 uuid);
		const struct disk_file file = { "/loader/entries/a.conf", entry, strlen(entry) };
		struct disk d = disk_of(&file, 1, ROOT_DATA, ROOT_TREE, NULL, 0);
		ASSAY_AUTO(assay_verity_pairs) *pairs = pairs_of(&d);

		if (upper)
			refused(&pairs->p[0], ASSAY_E_NOTFOUND, "no such partition");
		else
			verified(&pairs->p[0], "/loader/entries/a.conf");
		done(&d);
	}
	verity_drop(tree);
}

/* Two root hashes for each profile: to the ceiling, and past it. */
static void ceiling(void **state)
{
	(void)state;
	for (unsigned n = ASSAY_VERITY_MAX_PAIRS / 2; n <= ASSAY_VERITY_MAX_PAIRS / 2 + 1; n++) {
		ASSAY_AUTO(assay_verity_pairs) *pairs = NULL;
		struct disk d = { NULL };
		struct assay_err err;
		struct peb uki;

		peb_start(&uki, true, 16, 600);
		peb_text(&uki, ".sdmagic", "#### LoaderInfo: " STUB " ####");
		peb_text(&uki, ".linux", "k");
		for (unsigned i = 0; i < n; i++) {
			char text[200];

			snprintf(text, sizeof(text), "roothash=%064x usrhash=%064x", i + 1, i + 1);
			peb_text(&uki, ".profile", "ID=x\n");
			peb_text(&uki, ".cmdline", text);
		}
		const struct disk_file file = { "/u.efi", uki.p, uki.len };
		d.p = disk_build_parts(&file, 1, NULL, 0, &d.len);
		assert_int_equal(assay_src_from_mem(d.p, d.len, &d.src, &err), 0);
		if (n == ASSAY_VERITY_MAX_PAIRS / 2) {
			assert_int_equal(assay_verity_pairs_find(d.src, &pairs, &err), 0);
			assert_int_equal(pairs->n, ASSAY_VERITY_MAX_PAIRS);
		} else {
			assert_int_equal(assay_verity_pairs_find(d.src, &pairs, &err), -1);
			assert_int_equal(err.code, ASSAY_E_LIMIT);
		}
		done(&d);
		peb_free(&uki);
	}
}

/* --- data disks ---------------------------------------------------------------------------------
 */

static int of_data(const void *p, size_t len, uint64_t at, struct assay_verity_pairs **ret,
		   struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;

	assert_int_equal(assay_src_from_mem(p, len, &src, err), 0);
	if (assay_verity_pairs_of_data(src, at, ret, err) < 0)
		return -1;
	for (size_t i = 0; i < (*ret)->n; i++)
		assay_verity_pair_check(src, &(*ret)->p[i]);
	return 0;
}

static void whole_devices(void **state)
{
	(void)state;
	for (uint64_t blocks = 1; blocks < 50; blocks += 39) {
		struct assay_verity_pairs *pairs = NULL;
		struct assay_err err;

		tree = verity_make(ASSAY_SHA256, 1, 512, 512, blocks, 8, 0);
		const size_t len = tree->data_size + tree->hash_size;
		uint8_t *copy = malloc(len);

		memcpy(copy, tree_data(), len);
		for (int given = 0; given < 2; given++) {
			assert_int_equal(of_data(copy, len,
						 given ? tree->data_size : ASSAY_NO_OFFSET, &pairs,
						 &err),
					 0);
			assert_int_equal(pairs->n, 1);
			assert_true(pairs->p[0].checked && pairs->p[0].report.verified);
			assert_true(pairs->p[0].generic);
			assert_memory_equal(pairs->p[0].root_hash, tree->root, 32);
			assay_verity_pairs_free(&pairs);
		}
		/* A bit of the data: of the lone block the root hash is another one. */
		copy[100] ^= 1;
		assert_int_equal(of_data(copy, len, ASSAY_NO_OFFSET, &pairs, &err), 0);
		assert_int_equal(pairs->p[0].report.verified, blocks == 1);
		assert_int_equal(memcmp(pairs->p[0].root_hash, tree->root, 32) == 0, blocks != 1);
		assay_verity_pairs_free(&pairs);
		copy[100] ^= 1;
		assert_int_equal(of_data(copy, len, 0, &pairs, &err), -1);
		assert_int_equal(err.code, ASSAY_E_NOTFOUND);
		assert_int_equal(of_data(copy, len, 511, &pairs, &err), -1);
		copy[tree->data_size] ^= 1;
		assert_int_equal(of_data(copy, len, ASSAY_NO_OFFSET, &pairs, &err), -1);
		assert_int_equal(err.code, ASSAY_E_NOTFOUND);
		free(copy);
		verity_drop(tree);
	}
}

/* What looks like a superblock inside the data counts when it could be one. */
static void two_superblocks(void **state)
{
	struct assay_verity_params p = { .bank = ASSAY_SHA256,
					 .hash_type = 1,
					 .data_block_size = 512,
					 .hash_block_size = 512,
					 .data_blocks = 3 };
	struct assay_verity_pairs *pairs = NULL;
	struct assay_err err;

	(void)state;
	tree = verity_make(ASSAY_SHA256, 1, 512, 512, 40, 8, 0);
	const size_t len = tree->data_size + tree->hash_size;
	uint8_t *copy = malloc(len);

	memcpy(copy, tree_data(), len);
	verity_put_superblock(copy + 3 * 512, &p);
	assert_int_equal(of_data(copy, len, ASSAY_NO_OFFSET, &pairs, &err), -1);
	assert_int_equal(err.code, ASSAY_E_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "which one counts"));
	/* One that speaks of more data than lies before it is none. */
	p.data_blocks = 4;
	verity_put_superblock(copy + 3 * 512, &p);
	assert_int_equal(of_data(copy, len, ASSAY_NO_OFFSET, &pairs, &err), 0);
	assert_int_equal(pairs->p[0].superblock, tree->data_size);
	assert_false(pairs->p[0].report.verified);
	assay_verity_pairs_free(&pairs);
	free(copy);
	verity_drop(tree);
}

/* An application disk: any bit of its root hash or its tree's top is a fault, not another disk. */
static void application_disk(void **state)
{
	(void)state;
	start(ASSAY_SHA256);
	for (int fault = 0; fault < 4; fault++) {
		struct assay_verity_pairs *pairs = NULL;
		struct assay_err err;

		if (fault == 1)
			guids[0][3] ^= 4;
		if (fault == 2)
			guids[1][3] ^= 4;
		struct disk d = disk_of(NULL, 0, GENERIC, GENERIC, NULL, 0);

		if (fault == 3) {
			/* the tree's first block */
			const size_t at = d.len - 34 * 512 - tree->hash_size + 512;

			d.p[at + 5] ^= 1;
		}
		if (of_data(d.p, d.len, ASSAY_NO_OFFSET, &pairs, &err) < 0)
			fail_msg("%s", err.msg);
		assert_int_equal(pairs->n, 1);
		if (fault == 0)
			verified(&pairs->p[0], NULL);
		else
			assert_false(pairs->p[0].checked && pairs->p[0].report.verified);
		if (fault == 3) {
			assert_int_equal(pairs->p[0].report.n_faults, 1);
			assert_int_equal(pairs->p[0].report.faults[0].level,
					 pairs->p[0].report.levels);
		}
		assay_verity_pairs_free(&pairs);
		done(&d);
		if (fault == 1)
			guids[0][3] ^= 4;
		if (fault == 2)
			guids[1][3] ^= 4;
	}
	verity_drop(tree);
}

/* --- memory -------------------------------------------------------------------------------------
 */

static struct disk alloc_disk;

static int alloc_case(struct assay_err *err)
{
	ASSAY_AUTO(assay_verity_pairs) *pairs = NULL;

	return assay_verity_pairs_find(alloc_disk.src, &pairs, err);
}

static uint8_t *alloc_device;
static size_t alloc_len;

static int alloc_data_case(struct assay_err *err)
{
	ASSAY_AUTO(assay_verity_pairs) *pairs = NULL;
	ASSAY_AUTO(assay_src) *src = NULL;

	if (assay_src_from_mem(alloc_device, alloc_len, &src, err) < 0)
		return -1;
	return assay_verity_pairs_of_data(src, ASSAY_NO_OFFSET, &pairs, err);
}

static void out_of_memory(void **state)
{
	static struct peb uki, addon; /* what skips frees nothing */
	char cmdline[300];

	(void)state;
	start(ASSAY_SHA256);
	snprintf(cmdline, sizeof(cmdline), "roothash=%s", hex);
	build_uki(&uki, STUB, BUILD_DEBIAN_6_12, cmdline);
	build_systemd(&addon, STUB);
	peb_text(&addon, ".cmdline", "x");
	const struct disk_file files[] = { { "/u.efi", uki.p, uki.len },
					   { "/loader/addons/a.addon.efi", addon.p, addon.len } };
	alloc_disk = disk_of(files, 2, ROOT_DATA, ROOT_TREE, NULL, 0);
	unit_alloc_each(alloc_case, false);
	done(&alloc_disk);
	alloc_device = malloc(tree->data_size + tree->hash_size);
	alloc_len = tree->data_size + tree->hash_size;
	memcpy(alloc_device, tree_data(), alloc_len);
	unit_alloc_each(alloc_data_case, false);
	free(alloc_device);
	peb_free(&uki);
	peb_free(&addon);
	verity_drop(tree);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(by_uuid),
	cmocka_unit_test(two_of_a_type),
	cmocka_unit_test(twins),
	cmocka_unit_test(ukis_entries_addons),
	cmocka_unit_test(refused_twice),
	cmocka_unit_test(addon_moves),
	cmocka_unit_test(profiles),
	cmocka_unit_test(xbootldr),
	cmocka_unit_test(named_devices),
	cmocka_unit_test(ceiling),
	cmocka_unit_test(whole_devices),
	cmocka_unit_test(two_superblocks),
	cmocka_unit_test(application_disk),
	cmocka_unit_test(out_of_memory),
};

UNIT_MAIN(tests)
