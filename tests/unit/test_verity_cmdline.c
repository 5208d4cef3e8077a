/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What systemd makes of a command line. Each row names the function of systemd (252.39 and 257.13)
 * that decides it; files: veritysetup-generator.c, veritysetup.c, fstab-generator.c,
 * proc-cmdline.c, extract-word.c.
 */
#include "tests/unit/unit.h"
#include "tests/unit/alloc.h"

#include "core/limits.h"
#include "measure/verity/cmdline.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

/* want: the root hash's first byte; 0: none is named; -1: refused, and `why` is in the message. */
struct row {
	const char *cmdline;
	int want;
	const char *why;
};

static void check(const struct row *row, bool usr)
{
	ASSAY_AUTO(assay_verity_named) *n = NULL;
	struct assay_err err;

	assert_int_equal(assay_verity_cmdline(row->cmdline, usr, &n, &err), 0);
	if (row->want == 0 ? n != NULL : !n)
		fail_msg("%s: %s", row->cmdline, n ? "named" : "not named");
	if (!n)
		return;
	assert_int_equal(n->usr, usr);
	if (row->want > 0) {
		if (n->refused.code != ASSAY_OK)
			fail_msg("%s: %s", row->cmdline, n->refused.msg);
		assert_int_equal(n->root_hash[0], row->want);
		assert_true(n->root_hash_size >= 16);
	} else if (n->refused.code == ASSAY_OK || !strstr(n->refused.msg, row->why)) {
		fail_msg("%s: %s, not '%s'", row->cmdline,
			 n->refused.code == ASSAY_OK ? "taken" : n->refused.msg, row->why);
	}
}

static void rules(void **state)
{
	static const struct row rows[] = {
		/* proc_cmdline_parse(), free_and_strdup(): the last one counts */
		{ "", 0, NULL },
		{ "quiet root=/dev/sda1", 0, NULL },
		{ "roothash=" A, 0xaa, NULL },
		{ "roothash=" A " quiet roothash=" B, 0xbb, NULL },
		{ "roothash=" B " roothash=" A, 0xaa, NULL },
		{ "usrhash=" A, 0, NULL },
		{ "xroothash=" A, 0, NULL },
		{ "roothashx=" A, 0, NULL },
		{ "RootHash=" A, 0, NULL },
		/* proc_cmdline_value_missing(): a key alone is passed over, an empty value is one
		 */
		{ "roothash", 0, NULL },
		{ "roothash=" A " roothash", 0xaa, NULL },
		{ "roothash=", -1, "is no root hash" },
		{ "roothash=" A " roothash=", -1, "is no root hash" },
		/* proc_cmdline.c, mangle_word(); fstab-generator.c has no
		   PROC_CMDLINE_STRIP_RD_PREFIX */
		{ "rd.roothash=" A, -1, "nothing mounts" },
		{ "rd.roothash=" A " root=/dev/mapper/root", 0xaa, NULL },
		{ "roothash=" A " rd.roothash=" B, 0xbb, NULL },
		{ "rd.roothash=" B " roothash=" A, 0xaa, NULL },
		{ "rd.rd.roothash=" A, 0, NULL },
		{ "roothash= rd.roothash=" A, -1, "nothing mounts" },
		/* extract_first_word(EXTRACT_UNQUOTE|EXTRACT_RELAX|EXTRACT_RETAIN_ESCAPE) */
		{ "roothash=\"" A "\"", 0xaa, NULL },
		{ "\"roothash=" A "\"", 0xaa, NULL },
		{ "roo'thash=" A "'", 0xaa, NULL },
		{ "x='y roothash=" A "'", 0, NULL },
		{ "x='y roothash=" A, 0, NULL },
		{ "x=\\' roothash=" A "'", 0, NULL },
		{ "x=\\ roothash=" A, 0xaa, NULL },
		{ "roothash=" A "\n", 0xaa, NULL },
		{ "\troothash=" A "\rquiet", 0xaa, NULL },
		/* hexdecoct.c, unhexmem_full(): any case, blanks between digits, an even number of
		   digits */
		{ "roothash=AAAAAAAAAAAAAAAAaaaaaaaaaaaaaaaaAAAAAAAAAAAAAAAAaaaaaaaaaaaaaaaa", 0xaa,
		  NULL },
		{ "roothash='a a" A "'", 0xaa, NULL },
		{ "roothash=a" A, -1, "is no root hash" },
		{ "roothash=0x" A, -1, "is no root hash" },
		{ "roothash=" A A, 0xaa, NULL },
		{ "roothash=" A A "aa", -1, "is no root hash" },
		/* determine_device(): below 128 bits no partitions are looked for */
		{ "roothash=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 0xaa, NULL },
		{ "roothash=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", -1, "is no root hash" },
		/* fstab-generator.c, determine_device(): root= goes before the device */
		{ "roothash=" A " root=/dev/mapper/root", 0xaa, NULL },
		{ "root=/dev/sda2 roothash=" A, -1, "root=/dev/sda2 is mounted" },
		{ "roothash=" A " root=gpt-auto", -1, "root=gpt-auto is mounted" },
		{ "roothash=" A " root=fstab", -1, "is mounted" },
		{ "roothash=" A " root=", -1, "is mounted" },
		{ "root=/dev/sda2 roothash=" A " root=/dev/mapper/root", 0xaa, NULL },
		{ "roothash=" A " rd.root=/dev/sda2", 0xaa, NULL },
		{ "roothash=" A " mount.usr=/dev/sda2", 0xaa, NULL },
		/* parse_proc_cmdline_item(): systemd.verity */
		{ "roothash=" A " systemd.verity=0", -1, "systemd.verity=0" },
		{ "roothash=" A " systemd.verity=OFF", -1, "systemd.verity=0" },
		{ "systemd.verity=no roothash=" A " systemd.verity=1", 0xaa, NULL },
		{ "systemd.verity=no roothash=" A " systemd.verity", 0xaa, NULL },
		{ "roothash=" A " systemd.verity=maybe", 0xaa, NULL },
		{ "roothash=" A " rd.systemd.verity=0", -1, "systemd.verity=0" },
		{ "systemd.verity=0", 0, NULL },
		/* create_special_device(): without a root hash there is no device */
		{ "systemd.verity_root_data=PARTUUID=x systemd.verity_root_hash=PARTUUID=y", 0,
		  NULL },
		/* veritysetup.c, parse_options() */
		{ "roothash=" A " systemd.verity_root_options=", 0xaa, NULL },
		{ "roothash=" A " systemd.verity_root_options=restart-on-corruption,_netdev", 0xaa,
		  NULL },
		{ "roothash=" A
		  " systemd.verity_root_options=superblock=yes,data-block-size=512,salt=-",
		  0xaa, NULL },
		{ "roothash=" A " systemd.verity_root_options=hash-offset=0", 0xaa, NULL },
		{ "roothash=" A " systemd.verity_root_options=root-hash-signature=/s", 0xaa, NULL },
		{ "roothash=" A " systemd.verity_root_options=/signature,ignore-corruption", 0xaa,
		  NULL },
		{ "roothash=" A " systemd.verity_root_options=base64:AAAA", 0xaa, NULL },
		{ "roothash=" A " systemd.verity_root_options=ignore-corruption", -1,
		  "'ignore-corruption'" },
		{ "roothash=" A " systemd.verity_root_options=nofail,ignore-corruption", -1,
		  "'ignore-corruption'" },
		{ "roothash=" A " systemd.verity-root-options=ignore-corruption", -1,
		  "'ignore-corruption'" },
		{ "roothash=" A " rd.systemd.verity_root_options=ignore-corruption", -1,
		  "'ignore-corruption'" },
		{ "roothash=" A " systemd.verity_root_options=superblock=no,salt=-", -1,
		  "'superblock=no'" },
		{ "roothash=" A " systemd.verity_root_options=superblock=,nofail", -1,
		  "'superblock='" },
		{ "roothash=" A " systemd.verity_root_options=hash-offset=4096", -1,
		  "'hash-offset=4096'" },
		{ "roothash=" A " systemd.verity_root_options=something", -1, "'something'" },
		{ "roothash=" A " systemd.verity_usr_options=something", 0xaa, NULL },
		/* generator.c: the options go into a unit between quotes */
		{ "roothash=" A " systemd.verity_root_options=salt=\\x2cignore-corruption", -1,
		  "backslashes" },
		{ "roothash=" A " systemd.verity_root_options=salt=\"',ignore-corruption,'\"", -1,
		  "quotes" },
		/* the kernel: COMMAND_LINE_SIZE, bootconfig, dm-init; systemd-stub's
		   shall_be_whitespace() */
		{ "bootconfig roothash=" A, -1, "bootconfig" },
		{ "roothash=" A "\x7f", -1, "0x7f" },
		{ "dm-mod.create=\"root,,,ro,0 8 verity 1 a b\" roothash=" A, -1, "dm-mod.create" },
		{ "dm-mod.create=\"root,,,ro,0 8 verity 1 a b\"", -1, "dm-mod.create" },
		{ "dm-mod.create=\"root,,,ro,0 8 linear a 0\"", 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(&rows[i], false);
}

static void usr(void **state)
{
	static const struct row rows[] = {
		{ "usrhash=" A " roothash=" B, 0xaa, NULL },
		{ "roothash=" A, 0, NULL },
		{ "rd.usrhash=" A, -1, "nothing mounts" },
		{ "rd.usrhash=" A " mount.usr=/dev/mapper/usr", 0xaa, NULL },
		{ "usrhash=" A " mount.usr=/dev/sda2", -1, "mount.usr=/dev/sda2 is mounted" },
		{ "usrhash=" A " root=/dev/sda2", 0xaa, NULL },
		{ "usrhash=" A " systemd.verity_usr_options=ignore-corruption", -1,
		  "ignore-corruption" },
		{ "usrhash=" A " systemd.verity_root_options=ignore-corruption", 0xaa, NULL },
		{ "usrhash=" A " systemd.verity=f", -1, "systemd.verity=0" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(&rows[i], true);
}

static void devices_and_fec(void **state)
{
	static const char text[] =
		"roothash=" A
		" systemd.verity_root_data=PARTUUID=1 systemd.verity-root_data=PARTUUID=2 "
		"rd.systemd.verity_root_hash='PARTLABEL=a b' "
		"systemd.verity_root_options=fec-device=/dev/x,fec-offset=4096,fec-roots=2";
	ASSAY_AUTO(assay_verity_named) *n = NULL;
	struct assay_err err;

	(void)state;
	assert_int_equal(assay_verity_cmdline(text, false, &n, &err), 0);
	assert_non_null(n);
	assert_int_equal(n->refused.code, ASSAY_OK);
	assert_string_equal(n->data, "PARTUUID=2");
	assert_string_equal(n->hash, "PARTLABEL=a b");
	assert_true(n->fec);
}

/* The kernel's end of the line: one below, to, and past it. */
static void too_long(void **state)
{
	static const char start[] = "roothash=" A " ";
	char text[ASSAY_CMDLINE_MAX + 2];
	struct row row = { text, 0xaa, "of which a kernel keeps 2047" };

	(void)state;
	for (size_t len = ASSAY_CMDLINE_MAX - 2; len <= ASSAY_CMDLINE_MAX + 1; len++) {
		memset(text, 'x', len);
		memcpy(text, start, strlen(start));
		text[len] = '\0';
		row.want = len < ASSAY_CMDLINE_MAX ? 0xaa : -1;
		check(&row, false);
	}
}

static int alloc_case(struct assay_err *err)
{
	ASSAY_AUTO(assay_verity_named) *n = NULL;

	return assay_verity_cmdline("quiet roothash=" A " systemd.verity_root_data=PARTUUID=1 "
				    "systemd.verity_root_options=nofail roothash=" B " root=x",
				    false, &n, err);
}

static void out_of_memory(void **state)
{
	(void)state;
	unit_alloc_each(alloc_case, true);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(rules),	   cmocka_unit_test(usr),
	cmocka_unit_test(devices_and_fec), cmocka_unit_test(too_long),
	cmocka_unit_test(out_of_memory),
};

UNIT_MAIN(tests)
