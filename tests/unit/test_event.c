/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What events say: names of types, data in words, structures in and out. Real logs (shared data)
 * must be described without a word of damage, and rebuilt byte for byte by the encoders.
 */
#include "core/limits.h"
#include "core/text.h"
#include "tests/unit/log_build.h"
#include "tpm/devpath.h"
#include "tpm/event_build.h"

static struct assay_err err;

static char *describe(uint32_t type, const void *data, size_t len)
{
	const struct assay_event ev = {
		.type = type,
		.data = data,
		.data_len = (uint32_t)len,
		.data_at = 0x1000,
	};
	char *text = assay_event_describe(&ev);

	assert_non_null(text);
	return text;
}

static void says(uint32_t type, const void *data, size_t len, const char *expected)
{
	char *text = describe(type, data, len);

	assert_string_equal(text, expected);
	free(text);
}

static void says_built(uint32_t type, struct log_build b, const char *expected)
{
	says(type, b.p, b.len, expected);
	free(b.p);
}

/* One line, and nothing in it that a terminal obeys. */
static void assert_tame(const char *text)
{
	for (const char *p = text; *p;) {
		uint32_t c = 0;
		const size_t n = assay_utf8_next(p, strlen(p), &c);

		assert_true(n > 0);
		assert_true(c >= 0x20 && !(c >= 0x7f && c < 0xa0));
		p += n;
	}
}

/* Data cut anywhere is described, and the shorter ones are called malformed from `until` down. */
static void each_cut(uint32_t type, const struct log_build *b, size_t until)
{
	for (size_t cut = 0; cut < b->len; cut++) {
		uint8_t *p = malloc(cut ? cut : 1);
		char *text;

		assert_non_null(p);
		memcpy(p, b->p, cut);
		text = describe(type, p, cut);
		assert_tame(text);
		if (cut < until && !strstr(text, "malformed"))
			fail_msg("cut at %zu: %s", cut, text);
		free(text);
		free(p);
	}
}

static void test_type_names(void **state)
{
	uint32_t type = 77;

	(void)state;
	assert_string_equal(assay_event_type_name(EV_SEPARATOR), "EV_SEPARATOR");
	assert_string_equal(assay_event_type_name(0x800000e0), "EV_EFI_VARIABLE_AUTHORITY");
	assert_null(assay_event_type_name(0x12345678));
	assert_true(assay_event_type_from_name("EV_EFI_GPT_EVENT", &type));
	assert_int_equal(type, 0x80000006);
	assert_true(assay_event_type_from_name("0x80000001", &type));
	assert_int_equal(type, 0x80000001);
	assert_true(assay_event_type_from_name("0XABCDEF01", &type));
	assert_int_equal(type, 0xabcdef01);
	type = 77;
	assert_false(assay_event_type_from_name("EV_EFI_GPT", &type));
	assert_false(assay_event_type_from_name("0x8000000", &type));
	assert_false(assay_event_type_from_name("0x8000000g", &type));
	assert_false(assay_event_type_from_name("", &type));
	assert_int_equal(type, 77);
	/* Every name that there is leads back to its type. */
	for (uint64_t t = 0; t < 0x100; t++) {
		for (unsigned high = 0; high < 2; high++) {
			const uint32_t v = (uint32_t)t | (high ? 0x80000000U : 0);
			const char *name = assay_event_type_name(v);

			assert_true(!name ||
				    (assay_event_type_from_name(name, &type) && type == v));
		}
	}
}

static void test_strings(void **state)
{
	(void)state;
	says(EV_SEPARATOR, "\0\0\0", 4, "separator");
	says(EV_SEPARATOR, "\377\377\377\377", 4, "separator ffffffff");
	says(EV_SEPARATOR, "\1\0\0", 4, "separator after an error");
	says(EV_SEPARATOR, "WBCL", 4, "separator \"WBCL\"");
	says(EV_SEPARATOR, "", 0, "separator 0 bytes");
	says(EV_EFI_ACTION, "Exit Boot Services Invocation", 29,
	     "action \"Exit Boot Services Invocation\"");
	says(EV_ACTION, "\1\2", 2, "action 2 bytes 0102");
	says(EV_S_CRTM_VERSION, "\0\0", 2, "firmware version \"\"");
	says(EV_S_CRTM_VERSION, "2\0.\0001\0\0\0", 8, "firmware version \"2.1\"");
	says(EV_S_CRTM_VERSION, "\x61\xdf\xe4\x8b\xca\x93\xd2\x11\xaa\x0d\x00\xe0\x98\x03\x2b\x8c",
	     16, "firmware version 8be4df61-93ca-11d2-aa0d-00e098032b8c");
	says(EV_IPL, "grub_cmd: set a=\"b\"\n\0", 21, "boot loader: \"grub_cmd: set a=\"b\"\\n\"");
	says(EV_IPL, "r\0o\0\xdf\0\0\0", 8, "boot loader: \"ro\xc3\x9f\"");
	says(EV_NONHOST_INFO, "GCE NonHostInfo\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32,
	     "other processor's information \"GCE NonHostInfo\" and 16 bytes "
	     "01000000000000000000000000000000");
	says(EV_PLATFORM_CONFIG_FLAGS, "ACPI DATA", 9, "platform configuration \"ACPI DATA\"");
	says(EV_EFI_HCRTM_EVENT, "HCRTM", 5, "hardware root of trust \"HCRTM\"");
	says(EV_OMIT_BOOT_DEVICE_EVENTS, "BOOT ATTEMPTS OMITTED", 21,
	     "boot attempts are not measured: \"BOOT ATTEMPTS OMITTED\"");
	says(EV_CPU_MICROCODE, "x", 1, "CPU microcode \"x\"");
	says(EV_TABLE_OF_DEVICES, "\0\1", 2, "table of devices 2 bytes 0001");
	says(EV_COMPACT_HASH, "\x10\0\0\0", 4, "hash of 4 bytes 10000000");
	says(EV_IPL_PARTITION_DATA, "p", 1, "boot loader's partition data \"p\"");
	says(EV_NONHOST_CODE, "c", 1, "other processor's code \"c\"");
	says(EV_NONHOST_CONFIG, "c", 1, "other processor's configuration \"c\"");
	says(EV_PREBOOT_CERT, "c", 1, "certificate \"c\"");
	says(EV_UNUSED, "c", 1, "data \"c\"");
	says(0x12345678, "\1", 1, "data 1 byte 01");
}

/* Escape sequences, direction marks, surrogates alone: letters of a log, not orders to a terminal.
 */
static void test_hostile_text(void **state)
{
	uint8_t data[65536];
	char *text;

	(void)state;
	says(EV_IPL, "a\33[2Jb", 6, "boot loader: 6 bytes 611b5b324a62");
	says(EV_IPL,
	     "a\xe2\x80\xae"
	     "b",
	     5, "boot loader: \"a\\u{202e}b\"");
	says(EV_IPL,
	     "a\0\x2e\x20"
	     "b\0",
	     6, "boot loader: \"a\\u{202e}b\"");
	says(EV_IPL,
	     "a\0\0\xd8"
	     "b\0",
	     6, "boot loader: 6 bytes 610000d86200");
	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = i & 1 ? 0 : 'x';
	text = describe(EV_IPL, data, sizeof(data));
	assert_true(strlen(text) < 3000);
	assert_non_null(strstr(text, "more bytes]"));
	free(text);
	memset(data, 'x', sizeof(data));
	text = describe(EV_IPL, data, sizeof(data));
	assert_true(strlen(text) < 5000);
	assert_non_null(strstr(text, "more bytes]"));
	free(text);
	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 2654435761U >> 13);
	for (uint32_t type = 0; type < 0x14; type++) {
		for (unsigned high = 0; high < 2; high++) {
			text = describe(type | (high ? 0x80000000U : 0), data + type, 300 + type);
			assert_tame(text);
			free(text);
		}
	}
}

static void test_blobs(void **state)
{
	struct log_build b = { 0 };

	(void)state;
	log_le64(&b, 0x820000);
	log_le64(&b, 0xe0000);
	says(EV_EFI_PLATFORM_FIRMWARE_BLOB, b.p, b.len, "firmware 0xe0000 bytes at 0x820000");
	says(EV_POST_CODE, b.p, b.len, "firmware code 0xe0000 bytes at 0x820000");
	each_cut(EV_EFI_PLATFORM_FIRMWARE_BLOB, &b, 16);
	free(b.p);

	b = (struct log_build){ 0 };
	log_bytes(&b, "\4BIOS", 5);
	log_le64(&b, 0xff000000);
	log_le64(&b, 0x1000);
	says(EV_EFI_PLATFORM_FIRMWARE_BLOB2, b.p, b.len,
	     "firmware \"BIOS\", 0x1000 bytes at 0xff000000");
	says(EV_POST_CODE2, b.p, b.len, "firmware code \"BIOS\", 0x1000 bytes at 0xff000000");
	says(EV_S_CRTM_CONTENTS, b.p, b.len, "root of trust \"BIOS\", 0x1000 bytes at 0xff000000");
	each_cut(EV_EFI_PLATFORM_FIRMWARE_BLOB2, &b, b.len);
	free(b.p);
	says(EV_POST_CODE, "ACPI DATA", 9, "firmware code \"ACPI DATA\"");
}

static void test_tables(void **state)
{
	struct log_build b = { 0 };
	uint8_t guid[16];

	(void)state;
	assert_true(assay_guid_parse("eb9d2d31-2d88-11d3-9a16-0090273fc14d", guid));
	log_le64(&b, 1);
	log_bytes(&b, guid, 16);
	log_le64(&b, 0x5fd70000);
	says(EV_EFI_HANDOFF_TABLES, b.p, b.len, "tables handed over: SMBIOS table at 0x5fd70000");
	each_cut(EV_EFI_HANDOFF_TABLES, &b, b.len);
	assay_put_le64(b.p, UINT64_MAX);
	char *text = describe(EV_EFI_HANDOFF_TABLES, b.p, b.len);
	assert_non_null(strstr(text, "malformed: handoff tables cut short"));
	free(text);
	free(b.p);
}

/* --- device paths ------------------------------------------------------------------------------
 */

static void node(struct log_build *b, unsigned type, unsigned subtype, const void *data, size_t len)
{
	const uint8_t head[2] = { (uint8_t)type, (uint8_t)subtype };

	log_bytes(b, head, 2);
	log_le16(b, (uint16_t)(4 + len));
	log_bytes(b, data, len);
}

static void path_says(struct log_build *b, const char *expected)
{
	char *text = assay_devpath_text(b->p, b->len, 0x100);

	assert_non_null(text);
	assert_string_equal(text, expected);
	free(text);
	b->len = 0;
}

#define END_NODE "\x7f\xff\4\0"

static void test_devpath_nodes(void **state)
{
	static const struct {
		unsigned type, subtype;
		const char *data;
		size_t len;
		const char *text;
	} nodes[] = {
		{ 1, 1, "\0\3", 2, "Pci(0x3,0x0)" },
		{ 1, 2, "\1", 1, "PcCard(0x1)" },
		{ 1, 3, "\13\0\0\0\0\0\0\1\0\0\0\0\377\377\377\1\0\0\0\0", 20,
		  "MemoryMapped(0xb,0x1000000,0x1ffffff)" },
		{ 1, 4, "\x61\xdf\xe4\x8b\xca\x93\xd2\x11\xaa\x0d\x00\xe0\x98\x03\x2b\x8c\x12\x34",
		  18, "VenHw(8be4df61-93ca-11d2-aa0d-00e098032b8c,1234)" },
		{ 1, 5, "\2\0\0\0", 4, "Ctrl(0x2)" },
		{ 1, 6, "\1\2\0\0\0\0\0\0\0", 9, "BMC(0x1,0x2)" },
		{ 2, 1, "\xd0\x41\x03\x0a\0\0\0\0", 8, "PciRoot(0x0)" },
		{ 2, 1, "\xd0\x41\x08\x0a\1\0\0\0", 8, "PcieRoot(0x1)" },
		{ 2, 1, "\xd0\x41\x01\x05\1\0\0\0", 8, "Serial(0x1)" },
		{ 2, 1, "\xd0\x41\x34\x12\1\0\0\0", 8, "Acpi(PNP1234,0x1)" },
		{ 2, 2, "\xd0\x41\x34\x12\1\0\0\0\0\0\0\0\0\0\0", 15, "AcpiEx(PNP1234,0x1)" },
		{ 2, 3, "\0\1\1\x80\2\0\0\0", 8, "AcpiAdr(0x80010100,0x2)" },
		{ 3, 1, "\0\1\2\0", 4, "Ata(Primary,Slave,0x2)" },
		{ 3, 2, "\1\0\2\0", 4, "Scsi(0x1,0x2)" },
		{ 3, 5, "\3\0", 2, "USB(0x3,0x0)" },
		{ 3, 10, "\x61\xdf\xe4\x8b\xca\x93\xd2\x11\xaa\x0d\x00\xe0\x98\x03\x2b\x8c", 16,
		  "VenMsg(8be4df61-93ca-11d2-aa0d-00e098032b8c)" },
		{ 3, 11, "RT\0\22\64\126\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 33,
		  "MAC(525400123456,0x1)" },
		{ 3, 12, "\0\0\0\0\12\0\0\1\0\0\0\0\6\0\0", 15, "IPv4(10.0.0.1,TCP,DHCP,0.0.0.0)" },
		{ 3, 14, "\0\0\0\0\0\302\1\0\0\0\0\0\10\1\1", 15, "Uart(115200,8,N,1)" },
		{ 3, 15, "\1\0\2\0\3\4\5", 7, "UsbClass(0x1,0x2,0x3,0x4,0x5)" },
		{ 3, 17, "\1", 1, "Unit(0x1)" },
		{ 3, 18, "\2\0\377\377\0\0", 6, "Sata(0x2,0xffff,0x0)" },
		{ 3, 20, "\12\0", 2, "Vlan(10)" },
		{ 3, 23, "\1\0\0\0\0\x25\x38\1\2\3\4\5", 12, "NVMe(0x1,00-25-38-01-02-03-04-05)" },
		{ 3, 24, "http://h/b.efi", 14, "Uri(http://h/b.efi)" },
		{ 3, 25, "\1\2", 2, "UFS(0x1,0x2)" },
		{ 3, 26, "\1", 1, "SD(0x1)" },
		{ 3, 29, "\1", 1, "eMMC(0x1)" },
		{ 4, 1,
		  "\1\0\0\0\0\10\0\0\0\0\0\0\0\370\3\0\0\0\0\0"
		  "\x61\xdf\xe4\x8b\xca\x93\xd2\x11\xaa\x0d\x00\xe0\x98\x03\x2b\x8c\2\2",
		  38, "HD(1,GPT,8be4df61-93ca-11d2-aa0d-00e098032b8c,0x800,0x3f800)" },
		{ 4, 1,
		  "\1\0\0\0\0\10\0\0\0\0\0\0\0\370\3\0\0\0\0\0"
		  "\x78\x56\x34\x12\0\0\0\0\0\0\0\0\0\0\0\0\1\1",
		  38, "HD(1,MBR,0x12345678,0x800,0x3f800)" },
		{ 4, 2, "\0\0\0\0\x2b\0\0\0\0\0\0\0\4\0\0\0\0\0\0\0", 20, "CDROM(0x0,0x2b,0x4)" },
		{ 4, 3, "\x61\xdf\xe4\x8b\xca\x93\xd2\x11\xaa\x0d\x00\xe0\x98\x03\x2b\x8c", 16,
		  "VenMedia(8be4df61-93ca-11d2-aa0d-00e098032b8c)" },
		{ 4, 4, "\\\0a\0.\0e\0f\0i\0\0\0", 14, "\\a.efi" },
		{ 4, 5, "\x61\xdf\xe4\x8b\xca\x93\xd2\x11\xaa\x0d\x00\xe0\x98\x03\x2b\x8c", 16,
		  "Media(8be4df61-93ca-11d2-aa0d-00e098032b8c)" },
		{ 4, 6, "\x61\xdf\xe4\x8b\xca\x93\xd2\x11\xaa\x0d\x00\xe0\x98\x03\x2b\x8c", 16,
		  "FvFile(8be4df61-93ca-11d2-aa0d-00e098032b8c)" },
		{ 4, 7, "\x61\xdf\xe4\x8b\xca\x93\xd2\x11\xaa\x0d\x00\xe0\x98\x03\x2b\x8c", 16,
		  "Fv(8be4df61-93ca-11d2-aa0d-00e098032b8c)" },
		{ 4, 8, "\0\0\0\0\0\x60\1\0\0\0\0\0\377\x53\3\0\0\0\0\0", 20,
		  "Offset(0x16000,0x353ff)" },
		{ 4, 9,
		  "\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\0"
		  "\x61\xdf\xe4\x8b\xca\x93\xd2\x11\xaa\x0d\x00\xe0\x98\x03\x2b\x8c\1\0",
		  34, "RamDisk(0x1000000,0x2000000,8be4df61-93ca-11d2-aa0d-00e098032b8c,0x1)" },
		{ 5, 1, "\2\0\0\0disk", 9, "BBS(0x2,disk)" },
		{ 3, 99, "\1\2", 2, "Path(3,99,0102)" },
		{ 9, 1, "", 0, "Path(9,1)" },
	};
	struct log_build b = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		node(&b, nodes[i].type, nodes[i].subtype, nodes[i].data, nodes[i].len);
		log_bytes(&b, END_NODE, 4);
		path_says(&b, nodes[i].text);
		/* Each node cut short: said, with where. Those of any length are never too short.
		 */
		for (size_t cut = 0; cut < nodes[i].len; cut++) {
			char *text;

			node(&b, nodes[i].type, nodes[i].subtype, nodes[i].data, cut);
			log_bytes(&b, END_NODE, 4);
			text = assay_devpath_text(b.p, b.len, 0x100);
			assert_non_null(text);
			assert_tame(text);
			b.len = 0;
			free(text);
		}
	}
	node(&b, 4, 1, "\1\0\0\0", 4);
	log_bytes(&b, END_NODE, 4);
	path_says(&b,
		  "HD(1,0,0,0x0,0x0)[malformed: node cut short: 8 bytes wanted, 0 left (at byte "
		  "0x108)]");
	free(b.p);
}

static void test_devpath(void **state)
{
	struct log_build b = { 0 };

	(void)state;
	path_says(&b, "");
	node(&b, 2, 1, "\xd0\x41\x03\x0a\0\0\0\0", 8);
	node(&b, 1, 1, "\1\37", 2);
	node(&b, 4, 4, "\\\0x\0\0\0", 6);
	log_bytes(&b, END_NODE, 4);
	path_says(&b, "PciRoot(0x0)/Pci(0x1f,0x1)/\\x");

	node(&b, 1, 5, "\1\0\0\0", 4);
	log_bytes(&b, "\x7f\1\4\0", 4);
	node(&b, 1, 5, "\2\0\0\0", 4);
	log_bytes(&b, END_NODE, 4);
	log_fill(&b, 0xee, 3);
	path_says(&b, "Ctrl(0x1),Ctrl(0x2)[and 3 more bytes]");

	node(&b, 1, 5, "\1\0\0\0", 4);
	path_says(&b, "Ctrl(0x1)[malformed: no end node (at byte 0x108)]");
	log_bytes(&b, "\1\5\3\0", 4);
	path_says(&b, "[malformed: node of impossible length (at byte 0x100)]");
	log_bytes(&b, "\1\5\10\0\1\0\0", 7);
	path_says(&b, "[malformed: node of impossible length (at byte 0x100)]");
	log_bytes(&b, "\1\5\10", 3);
	path_says(&b, "[malformed: node cut short (at byte 0x100)]");

	for (size_t n = ASSAY_DEVPATH_MAX_NODES - 1; n <= ASSAY_DEVPATH_MAX_NODES + 1; n++) {
		char *text;

		/* n nodes, the end among them */
		for (size_t i = 1; i < n; i++)
			node(&b, 1, 5, "\1\0\0\0", 4);
		log_bytes(&b, END_NODE, 4);
		text = assay_devpath_text(b.p, b.len, 0);
		assert_int_equal(strstr(text, "too many nodes") != NULL,
				 n > ASSAY_DEVPATH_MAX_NODES);
		free(text);
		b.len = 0;
	}
	free(b.p);
}

static struct log_build image_event(void)
{
	struct log_build path = { 0 }, b = { 0 };

	node(&path, 4, 4, "\\\0x\0\0\0", 6);
	log_bytes(&path, END_NODE, 4);
	log_le64(&b, 0x1000);
	log_le64(&b, 0x2000);
	log_le64(&b, 0);
	log_le64(&b, path.len);
	log_bytes(&b, path.p, path.len);
	free(path.p);
	return b;
}

static void test_images(void **state)
{
	struct log_build b = image_event();
	struct assay_event_image img;

	(void)state;
	says(EV_EFI_BOOT_SERVICES_APPLICATION, b.p, b.len, "application \\x (0x2000 bytes)");
	says(EV_EFI_BOOT_SERVICES_DRIVER, b.p, b.len, "driver \\x (0x2000 bytes)");
	says(EV_EFI_RUNTIME_SERVICES_DRIVER, b.p, b.len, "runtime driver \\x (0x2000 bytes)");
	each_cut(EV_EFI_BOOT_SERVICES_APPLICATION, &b, b.len);
	assert_int_equal(assay_event_image_parse(b.p, b.len, 0, &img, &err), 0);
	assert_int_equal(img.location, 0x1000);
	assert_int_equal(img.length, 0x2000);
	assert_int_equal(img.path_len, b.len - 32);
	assert_ptr_equal(img.path, b.p + 32);
	for (size_t cut = 0; cut < b.len; cut++) {
		assert_int_equal(assay_event_image_parse(b.p, cut, 0, &img, &err), -1);
		assert_int_equal(err.code, ASSAY_E_CORRUPT);
	}
	assay_put_le64(b.p + 24, 0);
	says(EV_EFI_BOOT_SERVICES_APPLICATION, b.p, 32,
	     "application without a path (0x2000 bytes)");
	assay_put_le64(b.p + 24, UINT64_MAX);
	assert_int_equal(assay_event_image_parse(b.p, b.len, 0, &img, &err), -1);
	free(b.p);
}

/* --- variables ---------------------------------------------------------------------------------
 */

static void test_variables(void **state)
{
	struct log_build v = log_variable(LOG_EFI_GLOBAL, "SecureBoot", "\1", 1);

	(void)state;
	each_cut(EV_EFI_VARIABLE_DRIVER_CONFIG, &v, v.len);
	says_built(EV_EFI_VARIABLE_DRIVER_CONFIG, v, "variable SecureBoot (EFI global): on");
	says_built(EV_EFI_VARIABLE_DRIVER_CONFIG, log_variable(LOG_EFI_GLOBAL, "SecureBoot", "", 1),
		   "variable SecureBoot (EFI global): off");
	says_built(EV_EFI_VARIABLE_DRIVER_CONFIG, log_variable(LOG_EFI_GLOBAL, "SecureBoot", "", 0),
		   "variable SecureBoot (EFI global): no value");
	says_built(EV_EFI_VARIABLE_DRIVER_CONFIG,
		   log_variable(LOG_EFI_GLOBAL, "AuditMode", "\2", 1),
		   "variable AuditMode (EFI global): 1 byte 02");
	says_built(EV_EFI_VARIABLE_DRIVER_CONFIG, log_variable(LOG_EFI_GLOBAL, "PK", "", 0),
		   "variable PK (EFI global): empty");
	says_built(
		EV_EFI_VARIABLE_DRIVER_CONFIG, log_variable(LOG_IMAGE_SECURITY, "db", "x", 1),
		"variable db (image security): malformed: EFI_SIGNATURE_LIST cut short: 16 bytes "
		"wanted, 1 left (at byte 0x1024)");
	says_built(EV_EFI_VARIABLE_BOOT, log_variable(LOG_EFI_GLOBAL, "BootOrder", "\1\0\0\0\3", 5),
		   "variable BootOrder (EFI global): 0001 0000 [and 1 more byte]");
	says_built(EV_EFI_VARIABLE_DRIVER_CONFIG,
		   log_variable("00000000-0000-0000-0000-000000000001", "Mine", "\1\2", 2),
		   "variable Mine (00000000-0000-0000-0000-000000000001): 2 bytes 0102");
	says_built(EV_EFI_VARIABLE_AUTHORITY,
		   log_variable("605dab50-e046-4300-abb6-3dd810dd8b23", "SbatLevel", "sbat,1\n", 7),
		   "authority in SbatLevel (shim): \"sbat,1\\n\"");
}

static void test_load_option(void **state)
{
	struct log_build path = { 0 }, b = { 0 }, v;

	(void)state;
	node(&path, 4, 4, "\\\0x\0\0\0", 6);
	log_bytes(&path, END_NODE, 4);
	log_le32(&b, 1);
	log_le16(&b, (uint16_t)path.len);
	log_bytes(&b, "L\0i\0n\0u\0x\0\0\0", 12);
	log_bytes(&b, path.p, path.len);

	const size_t whole = b.len;

	log_bytes(&b, "q\0u\0i\0e\0t\0\0\0", 12);
	says_built(EV_EFI_VARIABLE_BOOT, log_variable(LOG_EFI_GLOBAL, "Boot000A", b.p, b.len),
		   "variable Boot000A (EFI global): \"Linux\" \\x, options \"quiet\"");
	b.p[0] = 8;
	says_built(EV_EFI_VARIABLE_BOOT2, log_variable(LOG_EFI_GLOBAL, "SysPrep0001", b.p, whole),
		   "variable SysPrep0001 (EFI global): \"Linux\" \\x, not active, hidden");
	for (size_t cut = 0; cut < whole; cut++) {
		char *text;

		v = log_variable(LOG_EFI_GLOBAL, "Boot0001", b.p, cut);
		text = describe(EV_EFI_VARIABLE_BOOT, v.p, v.len);
		assert_non_null(strstr(text, "malformed: EFI_LOAD_OPTION cut short"));
		free(text);
		free(v.p);
	}
	/* Five digits, or none: some other variable. */
	says_built(EV_EFI_VARIABLE_BOOT, log_variable(LOG_EFI_GLOBAL, "Boot00010", "\1", 1),
		   "variable Boot00010 (EFI global): 1 byte 01");
	free(b.p);
	free(path.p);
}

static void test_variable_parse(void **state)
{
	struct log_build v = log_variable(LOG_IMAGE_SECURITY, "db", "abc", 3);
	struct assay_event_variable var;

	(void)state;
	assert_int_equal(assay_event_variable_parse(v.p, v.len, 0, &var, &err), 0);
	assert_int_equal(var.name_len, 4);
	assert_memory_equal(var.name, "d\0b", 4);
	assert_int_equal(var.data_len, 3);
	assert_memory_equal(var.data, "abc", 3);
	assert_int_equal(var.extra_len, 0);
	memset(&var, 0xee, sizeof(var));
	for (size_t cut = 0; cut < v.len; cut++) {
		uint8_t *p = malloc(cut ? cut : 1);

		memcpy(p, v.p, cut);
		assert_int_equal(assay_event_variable_parse(p, cut, 7, &var, &err), -1);
		assert_int_equal(err.code, ASSAY_E_CORRUPT);
		assert_true(err.at >= 7 && err.at <= 7 + cut);
		free(p);
	}
	assert_int_equal(var.extra_len, 0xeeeeeeeeeeeeeeeeULL);

	/* Old shims: bytes after what is announced. */
	log_bytes(&v, "\0\0\0\0\0\257", 6);
	assert_int_equal(assay_event_variable_parse(v.p, v.len, 0, &var, &err), 0);
	assert_int_equal(var.data_len, 3);
	assert_int_equal(var.extra_len, 6);

	assay_put_le64(v.p + 16, 1ULL << 63); /* twice this is 0 in 64 bits */
	assert_int_equal(assay_event_variable_parse(v.p, v.len, 0, &var, &err), -1);
	assert_int_equal(err.at, 16);
	assay_put_le64(v.p + 16, 2);
	assay_put_le64(v.p + 24, UINT64_MAX);
	assert_int_equal(assay_event_variable_parse(v.p, v.len, 0, &var, &err), -1);
	assert_int_equal(err.at, 24);
	free(v.p);
}

/* --- GPT ---------------------------------------------------------------------------------------
 */

static void fill_entry(uint8_t *e, uint8_t type, uint8_t guid, const char *name)
{
	memset(e, 0, 128);
	e[0] = type;
	e[16] = guid;
	for (size_t i = 0; name[i]; i++)
		e[56 + 2 * i] = (uint8_t)name[i];
}

static void test_gpt(void **state)
{
	uint8_t header[ASSAY_GPT_EVENT_HEADER] = "EFI PART", entries[4][128];
	struct log_build b;
	uint8_t *data;
	size_t len;

	(void)state;
	header[56] = 0xd1;
	assay_put_le32(header + 84, 128);
	fill_entry(entries[0], 1, 0xa1, "ESP");
	fill_entry(entries[1], 0, 0xa2, "unused, whatever else it says");
	fill_entry(entries[2], 1, 0xa3, "");
	fill_entry(entries[3], 0, 0, "");
	assert_int_equal(assay_event_build_gpt(header, entries[0], 4, 128, &data, &len, &err), 0);
	assert_int_equal(len, 92 + 8 + 2 * 128);
	assert_memory_equal(data, header, 92);
	assert_memory_equal(data + 92, "\2\0\0\0\0\0\0", 8);
	assert_memory_equal(data + 100, entries[0], 128);
	assert_memory_equal(data + 228, entries[2], 128);
	says(EV_EFI_GPT_EVENT, data, len,
	     "GPT disk 000000d1-0000-0000-0000-000000000000, 2 partitions: "
	     "\"ESP\" 000000a1-0000-0000-0000-000000000000, "
	     "\"\" 000000a3-0000-0000-0000-000000000000");
	b = (struct log_build){ .p = data, .len = len };
	each_cut(EV_EFI_GPT_EVENT, &b, len);
	assay_put_le64(data + 92, UINT64_MAX);
	char *text = describe(EV_EFI_GPT_EVENT2, data, len);
	assert_non_null(strstr(text, "malformed: partition entries of UEFI_GPT_DATA cut short"));
	free(text);
	assay_put_le32(data + 84, 127);
	text = describe(EV_EFI_GPT_EVENT, data, len);
	assert_non_null(strstr(text, "malformed: entries of 127 bytes (at byte 0x1054)"));
	free(text);
	free(data);
	assert_int_equal(assay_event_build_gpt(header, entries[0], 4, 127, &data, &len, &err), -1);

	assert_int_equal(assay_event_build_gpt(header, entries[3], 1, 128, &data, &len, &err), 0);
	assert_int_equal(len, 100);
	says(EV_EFI_GPT_EVENT, data, len,
	     "GPT disk 000000d1-0000-0000-0000-000000000000, 0 partitions");
	free(data);
}

/* --- tags and signatures -----------------------------------------------------------------------
 */

static void test_tagged(void **state)
{
	struct log_build b;
	uint8_t *data;
	size_t len;

	(void)state;
	assert_int_equal(assay_event_build_tagged(ASSAY_TAG_LINUX_INITRD, "Linux initrd", 13, &data,
						  &len, &err),
			 0);
	assert_int_equal(len, 21);
	assert_memory_equal(data, "\xec\x22\x3b\x8f\x0d\0\0\0Linux initrd", 21);
	says(EV_EVENT_TAG, data, len, "initrd: \"Linux initrd\"");
	b = (struct log_build){ .p = data, .len = len };
	each_cut(EV_EVENT_TAG, &b, 0);
	for (size_t cut = 1; cut < len; cut++) {
		char *text = describe(EV_EVENT_TAG, data, cut);

		assert_non_null(strstr(text, "malformed: tagged event cut short"));
		free(text);
	}
	free(data);
	says(EV_EVENT_TAG, "\1\2\3\4\0\0\0\0", 8, "tag 0x04030201: 0 bytes");
	says(EV_EVENT_TAG, "", 0, "tagged event without data");
	assert_int_equal(assay_event_build_tagged(1, NULL, 0, &data, &len, &err), 0);
	assert_int_equal(len, 8);
	free(data);
}

static void test_windows(void **state)
{
	struct log_build in = { 0 }, b = { 0 };

	(void)state;
	log_le32(&in, 0x00050001);
	log_le32(&in, 1);
	log_bytes(&in, "\1", 1);
	log_le32(&in, 0x0005ffff);
	log_le32(&in, 4);
	log_le32(&in, 0x12);
	log_le32(&in, 0x00050009);
	log_le32(&in, 6);
	log_bytes(&in, "\\\0W\0\0\0", 6);
	log_le32(&b, 0x40010001);
	log_le32(&b, (uint32_t)in.len);
	log_bytes(&b, in.p, in.len);
	says(EV_EVENT_TAG, b.p, b.len,
	     "Windows: TrustBoundary={OSKernelDebug=1, 0x0005ffff=0x12, SystemRoot=\"\\W\"}");
	says(EV_NO_ACTION, b.p, b.len,
	     "Windows: TrustBoundary={OSKernelDebug=1, 0x0005ffff=0x12, SystemRoot=\"\\W\"}");
	each_cut(EV_EVENT_TAG, &b, 0);
	for (size_t cut = 4; cut < b.len; cut++) {
		char *text = describe(EV_EVENT_TAG, b.p, cut);

		assert_non_null(strstr(text, "malformed: Windows event cut short"));
		free(text);
	}
	/* Deeper than any real one: the innermost stays bytes. */
	for (int i = 0; i < 40; i++) {
		struct log_build outer = { 0 };

		log_le32(&outer, 0x40010001);
		log_le32(&outer, (uint32_t)b.len);
		log_bytes(&outer, b.p, b.len);
		free(b.p);
		b = outer;
	}
	char *text = describe(EV_EVENT_TAG, b.p, b.len);
	assert_true(strlen(text) < 300);
	free(text);
	free(b.p);
	free(in.p);
}

static void test_no_action(void **state)
{
	static const uint16_t algs[][2] = { { 0x000b, 32 }, { 0x0012, 32 } };
	struct log_build b = log_spec_id(algs, 2);

	(void)state;
	says(EV_NO_ACTION, b.p, b.len,
	     "log header: specification 2.0 errata 0, client, sha256, algorithm 0x0012 of 32 "
	     "bytes");
	each_cut(EV_NO_ACTION, &b, 0);
	free(b.p);
	says(EV_NO_ACTION, "StartupLocality\0\3", 17, "startup locality 3: PCR 0 starts at 3");
	says(EV_NO_ACTION, "StartupLocality", 16,
	     "startup locality: malformed: no locality (at byte 0x1010)");
	says(EV_NO_ACTION, "StartupLocality", 15, "not extended: \"StartupLocality\"");
	says(EV_NO_ACTION, "", 0, "not extended: 0 bytes");
	says(EV_NO_ACTION, "H-CRTM CompMeas\0x", 17, "not extended: H-CRTM CompMeas, \"x\"");

	b = (struct log_build){ 0 };
	log_bytes(&b, "SP800-155 Event3", 16);
	log_le32(&b, 11129);
	log_fill(&b, 0, 16);
	log_bytes(&b, "\2G\0\2M\0\2V\0\2F\0", 12);
	log_le32(&b, 1);
	log_bytes(&b, "\2W\0", 3);
	log_le32(&b, 1);
	log_le32(&b, 10);
	log_bytes(&b, "https://x/", 10);
	const size_t until = b.len;
	log_fill(&b, 0, 8);
	says(EV_NO_ACTION, b.p, b.len,
	     "reference manifest 00000000-0000-0000-0000-000000000000 of vendor 11129, platform of "
	     "\"G\", model \"M\", version \"V\", firmware of \"F\", firmware version \"W\", at "
	     "\"https://x/\"");
	for (size_t cut = 16; cut < until; cut++) {
		char *text = describe(EV_NO_ACTION, b.p, cut);

		assert_non_null(strstr(text, "malformed: SP800-155 event cut short"));
		free(text);
	}
	free(b.p);
}

static void test_spdm(void **state)
{
	struct log_build b = { 0 };

	(void)state;
	log_bytes(&b, "SPDM Device Sec2\2\0\1", 19);
	says(EV_EFI_SPDM_FIRMWARE_BLOB, b.p, b.len,
	     "device's firmware by SPDM (structure version 2): 1 byte 01");
	each_cut(EV_EFI_SPDM_FIRMWARE_CONFIG, &b, 18);
	b.p[0] = 'X';
	char *text = describe(EV_EFI_SPDM_FIRMWARE_CONFIG, b.p, b.len);
	assert_non_null(strstr(text, "malformed: no signature (at byte 0x1000)"));
	free(text);
	free(b.p);
	says_built(EV_EFI_SPDM_DEVICE_POLICY, log_variable(LOG_IMAGE_SECURITY, "devdb", "", 0),
		   "variable devdb (image security): empty");
}

static void test_build_strings(void **state)
{
	uint8_t guid[16], *data;
	size_t len;

	(void)state;
	assert_int_equal(assay_event_build_utf16z("a\xc3\x9f", &data, &len, &err), 0);
	assert_int_equal(len, 6);
	assert_memory_equal(data, "a\0\xdf\0\0\0", 6);
	free(data);
	assert_int_equal(assay_event_build_utf16z("", &data, &len, &err), 0);
	assert_int_equal(len, 2);
	free(data);
	assert_int_equal(assay_event_build_utf16z("\xff", &data, &len, &err), -1);
	assert_true(assay_guid_parse(LOG_EFI_GLOBAL, guid));
	assert_int_equal(assay_event_build_variable(guid, "", NULL, 0, &data, &len, &err), 0);
	assert_int_equal(len, 32);
	free(data);
}

static void test_match(void **state)
{
	const unsigned banks = ASSAY_BANK_BIT(ASSAY_SHA1) | ASSAY_BANK_BIT(ASSAY_SHA384);
	struct assay_event ev = { .type = EV_EFI_ACTION,
				  .data = (const uint8_t *)"x",
				  .data_len = 1 };
	enum assay_event_match m;

	(void)state;
	assert_int_equal(assay_event_match(&ev, &m, &err), 0);
	assert_int_equal(m, ASSAY_EVENT_UNSPECIFIED); /* no digest at all */
	assert_int_equal(assay_digest_mem(banks, "x", 1, &ev.digests, &err), 0);
	assert_int_equal(assay_event_match(&ev, &m, &err), 0);
	assert_int_equal(m, ASSAY_EVENT_OF_DATA);
	ev.digests.d[ASSAY_SHA384][47] ^= 1;
	assert_int_equal(assay_event_match(&ev, &m, &err), 0);
	assert_int_equal(m, ASSAY_EVENT_NOT_OF_DATA);
	ev.type = EV_IPL;
	assert_int_equal(assay_event_match(&ev, &m, &err), 0);
	assert_int_equal(m, ASSAY_EVENT_UNSPECIFIED);
	ev.type = EV_SEPARATOR; /* of an error: its data is not what is hashed */
	assert_int_equal(assay_event_match(&ev, &m, &err), 0);
	assert_int_equal(m, ASSAY_EVENT_UNSPECIFIED);
}

/* --- real logs ---------------------------------------------------------------------------------
 */

static const char *const logs[] = {
	"confidential-containers-CCEL_data_grub",
	"google-confidential-gke-debug-251000_eventlog.bin",
	"google-cos-101-amd-sev.bin",
	"google-debian-10.bin",
	"google-gdc-host.bin",
	"google-rhel8-uefi.bin",
	"google-sb_cert_eventlog",
	"google-short_no_action_eventlog",
	"immune-gmbh-issue926-x1carbon-ancient.eventlog.bin",
	"immune-gmbh-latitude-7520.eventlog.bin",
	"immune-gmbh-test-HP-EliteBook-830-G6-baseline.eventlog.bin",
	"keylime-binary_bios_measurements",
	"keylime-binary_bios_measurements-secureboot",
	"tpm2-software-event-sd-boot-fedora37.bin",
};

/* The firmware's own bytes, taken apart and put together again. */
static void rebuild_gpt(const struct assay_event *ev)
{
	struct assay_cur c = assay_cur_make(ev->data + 84, 4, 0);
	const uint32_t size = assay_cur_le32(&c);
	const size_t n = (ev->data_len - 100) / size;
	uint8_t *entries = calloc(2 * n + 1, size), *data;
	size_t len;

	assert_non_null(entries);
	for (size_t i = 0; i < n; i++) /* with an unused entry before each */
		memcpy(entries + (2 * i + 1) * size, ev->data + 100 + i * size, size);
	assert_int_equal(assay_event_build_gpt(ev->data, entries, (uint32_t)(2 * n + 1), size,
					       &data, &len, &err),
			 0);
	assert_int_equal(len, ev->data_len);
	assert_memory_equal(data, ev->data, len);
	free(data);
	free(entries);
}

static void rebuild_variable(const struct assay_event *ev)
{
	struct assay_event_variable v;
	uint8_t *data;
	size_t len;
	char *name;

	assert_int_equal(assay_event_variable_parse(ev->data, ev->data_len, 0, &v, &err), 0);
	name = assay_utf16_to_utf8(v.name, v.name_len);
	assert_int_equal(
		assay_event_build_variable(v.guid, name, v.data, v.data_len, &data, &len, &err), 0);
	assert_int_equal(len + v.extra_len, ev->data_len);
	assert_memory_equal(data, ev->data, len);
	free(data);
	free(name);
}

static void test_real_logs(void **state)
{
	unsigned gpts = 0, variables = 0, events = 0, mismatches = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
		ASSAY_AUTO(assay_eventlog) *log = NULL;
		char name[256], path[512];

		snprintf(name, sizeof(name), "data/eventlogs/%s", logs[i]);
		if (!unit_shared(name, path, sizeof(path)))
			unit_skip("no shared %s", name);
		if (assay_eventlog_load(path, &log, &err) < 0)
			fail_msg("%s: %s", logs[i], err.msg);
		for (size_t k = 0; k < log->n; k++) {
			const struct assay_event *ev = &log->events[k];
			enum assay_event_match m;
			char *text = assay_event_describe(ev);

			assert_non_null(text);
			assert_tame(text);
			if (strstr(text, "malformed"))
				fail_msg("%s: event %zu: %s", logs[i], k, text);
			assert_int_equal(assay_event_match(ev, &m, &err), 0);
			mismatches += m == ASSAY_EVENT_NOT_OF_DATA;
			if (ev->type == EV_EFI_GPT_EVENT) {
				rebuild_gpt(ev);
				gpts++;
			} else if (ev->type == EV_EFI_VARIABLE_DRIVER_CONFIG ||
				   ev->type == EV_EFI_VARIABLE_AUTHORITY) {
				rebuild_variable(ev);
				variables++;
			}
			events++;
			free(text);
		}
	}
	print_message("# %u events, %u GPT events and %u variables rebuilt\n", events, gpts,
		      variables);
	/* A Dell's S_CRTM_VERSION, and what three old shims put into PCR 7 with bytes to spare. */
	assert_int_equal(mismatches, 4);
	assert_true(gpts >= 10 && variables >= 100);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_type_names),     cmocka_unit_test(test_strings),
	cmocka_unit_test(test_hostile_text),   cmocka_unit_test(test_blobs),
	cmocka_unit_test(test_tables),	       cmocka_unit_test(test_devpath_nodes),
	cmocka_unit_test(test_devpath),	       cmocka_unit_test(test_images),
	cmocka_unit_test(test_variables),      cmocka_unit_test(test_load_option),
	cmocka_unit_test(test_variable_parse), cmocka_unit_test(test_gpt),
	cmocka_unit_test(test_tagged),	       cmocka_unit_test(test_windows),
	cmocka_unit_test(test_no_action),      cmocka_unit_test(test_spdm),
	cmocka_unit_test(test_build_strings),  cmocka_unit_test(test_match),
	cmocka_unit_test(test_real_logs),
};

UNIT_MAIN(tests)
