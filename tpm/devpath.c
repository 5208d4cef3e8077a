/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/devpath.h"

#include <string.h>

#include "core/guid.h"
#include "core/limits.h"
#include "tpm/words_priv.h"

/* Device path types (UEFI 2.10, 10.3.1). */
enum { HARDWARE = 1, ACPI = 2, MESSAGING = 3, MEDIA = 4, BBS = 5, END = 0x7f };

static void add_guid(struct assay_str *s, struct assay_cur *c)
{
	uint8_t guid[16];
	char text[37];

	assay_cur_copy(c, guid, sizeof(guid));
	assay_str_add(s, "%s", assay_guid_text(guid, text));
}

static void add_rest_hex(struct assay_str *s, struct assay_cur *c)
{
	const size_t n = c->left;
	const uint8_t *p = assay_cur_take(c, n);

	for (size_t i = 0; p && i < n && i < 64; i++)
		assay_str_add(s, "%02x", p[i]);
	if (n > 64)
		assay_str_add(s, "…");
}

/* "VenHw(<guid>,<data>)" */
static void add_vendor(struct assay_str *s, struct assay_cur *c, const char *name)
{
	assay_str_add(s, "%s(", name);
	add_guid(s, c);
	if (c->left) {
		assay_str_add(s, ",");
		add_rest_hex(s, c);
	}
	assay_str_add(s, ")");
}

static bool hardware_node(struct assay_str *s, unsigned subtype, struct assay_cur *c)
{
	switch (subtype) {
	case 1: {
		const unsigned function = assay_cur_u8(c);

		assay_str_add(s, "Pci(0x%x,0x%x)", assay_cur_u8(c), function);
		return true;
	}
	case 2:
		assay_str_add(s, "PcCard(0x%x)", assay_cur_u8(c));
		return true;
	case 3: {
		const uint32_t type = assay_cur_le32(c);
		const uint64_t start = assay_cur_le64(c);
		const uint64_t end = assay_cur_le64(c);

		assay_str_add(s, "MemoryMapped(0x%x,0x%llx,0x%llx)", type,
			      (unsigned long long)start, (unsigned long long)end);
		return true;
	}
	case 4:
		add_vendor(s, c, "VenHw");
		return true;
	case 5:
		assay_str_add(s, "Ctrl(0x%x)", assay_cur_le32(c));
		return true;
	case 6: {
		const unsigned type = assay_cur_u8(c);

		assay_str_add(s, "BMC(0x%x,0x%llx)", type, (unsigned long long)assay_cur_le64(c));
		return true;
	}
	default:
		return false;
	}
}

/* A compressed EISA identifier: three letters of five bits, then four hex digits. */
static void add_eisa(struct assay_str *s, uint32_t id)
{
	const uint32_t high = id & 0xffff;

	for (int shift = 10; shift >= 0; shift -= 5) {
		const char letter = (char)('@' + (high >> shift & 0x1f));

		assay_str_add(s, "%c", letter);
	}
	assay_str_add(s, "%04x", id >> 16);
}

static bool acpi_node(struct assay_str *s, unsigned subtype, struct assay_cur *c)
{
	static const struct {
		uint32_t hid;
		const char *name;
	} known[] = {
		{ 0x0a0341d0, "PciRoot" }, { 0x0a0841d0, "PcieRoot" },
		{ 0x060441d0, "Floppy" },  { 0x030141d0, "Keyboard" },
		{ 0x050141d0, "Serial" },  { 0x040141d0, "ParallelPort" },
	};

	if (subtype == 1) {
		const uint32_t hid = assay_cur_le32(c);
		const uint32_t uid = assay_cur_le32(c);

		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
			if (known[i].hid == hid) {
				assay_str_add(s, "%s(0x%x)", known[i].name, uid);
				return true;
			}
		}
		assay_str_add(s, "Acpi(");
		add_eisa(s, hid);
		assay_str_add(s, ",0x%x)", uid);
		return true;
	}
	if (subtype == 2) {
		const uint32_t hid = assay_cur_le32(c);
		const uint32_t uid = assay_cur_le32(c);

		assay_str_add(s, "AcpiEx(");
		add_eisa(s, hid);
		assay_str_add(s, ",0x%x)", uid);
		assay_cur_skip(c, c->left); /* CID and the three strings */
		return true;
	}
	if (subtype == 3) {
		assay_str_add(s, "AcpiAdr(0x%x", assay_cur_le32(c));
		while (!c->bad && c->left >= 4)
			assay_str_add(s, ",0x%x", assay_cur_le32(c));
		assay_str_add(s, ")");
		return true;
	}
	return false;
}

static void add_ipv4(struct assay_str *s, const uint8_t *p)
{
	assay_str_add(s, "%u.%u.%u.%u", p[0], p[1], p[2], p[3]);
}

static void add_ipv6(struct assay_str *s, const uint8_t *p)
{
	for (int i = 0; i < 16; i += 2)
		assay_str_add(s, "%s%02x%02x", i ? ":" : "", p[i], p[i + 1]);
}

static void ip_node(struct assay_str *s, unsigned subtype, struct assay_cur *c)
{
	const size_t size = subtype == 12 ? 4 : 16;
	uint8_t local[16], remote[16];
	unsigned protocol, fixed;

	assay_cur_copy(c, local, size);
	assay_cur_copy(c, remote, size);
	assay_cur_skip(c, 4); /* ports */
	protocol = assay_cur_le16(c);
	fixed = assay_cur_u8(c);
	assay_cur_skip(c, c->left); /* gateway, mask or prefix: not in older nodes */
	assay_str_add(s, "IPv%d(", subtype == 12 ? 4 : 6);
	(subtype == 12 ? add_ipv4 : add_ipv6)(s, remote);
	if (protocol == 6 || protocol == 17)
		assay_str_add(s, ",%s", protocol == 6 ? "TCP" : "UDP");
	else
		assay_str_add(s, ",0x%x", protocol);
	if (subtype == 12)
		assay_str_add(s, ",%s,", fixed ? "Static" : "DHCP");
	else
		assay_str_add(s, ",%s,", fixed == 0 ? "Static" : "Auto");
	(subtype == 12 ? add_ipv4 : add_ipv6)(s, local);
	assay_str_add(s, ")");
}

static void mac_node(struct assay_str *s, struct assay_cur *c)
{
	uint8_t mac[32];

	assay_cur_copy(c, mac, sizeof(mac));

	const unsigned type = assay_cur_u8(c);
	const int n = type == 0 || type == 1 ? 6 : 32; /* Ethernet addresses have six bytes */

	assay_str_add(s, "MAC(");
	for (int i = 0; i < n; i++)
		assay_str_add(s, "%02x", mac[i]);
	assay_str_add(s, ",0x%x)", type);
}

static void uart_node(struct assay_str *s, struct assay_cur *c)
{
	static const char parity[] = "DNEOMS";
	static const char *const stop[] = { "D", "1", "1.5", "2" };

	assay_cur_skip(c, 4);

	const uint64_t baud = assay_cur_le64(c);
	const unsigned bits = assay_cur_u8(c);
	const unsigned par = assay_cur_u8(c);
	const unsigned stops = assay_cur_u8(c);

	assay_str_add(s, "Uart(%llu,%u,%c,%s)", (unsigned long long)baud, bits,
		      par < 6 ? parity[par] : 'x', stops < 4 ? stop[stops] : "x");
}

static void usb_class_node(struct assay_str *s, struct assay_cur *c)
{
	const unsigned vendor = assay_cur_le16(c);
	const unsigned product = assay_cur_le16(c);
	const unsigned class = assay_cur_u8(c);
	const unsigned subclass = assay_cur_u8(c);

	assay_str_add(s, "UsbClass(0x%x,0x%x,0x%x,0x%x,0x%x)", vendor, product, class, subclass,
		      assay_cur_u8(c));
}

static void nvme_node(struct assay_str *s, struct assay_cur *c)
{
	uint8_t eui[8];

	assay_str_add(s, "NVMe(0x%x", assay_cur_le32(c));
	assay_cur_copy(c, eui, sizeof(eui));
	/* In the order of the wire, which is that of the EUI-64; EDK2's text has it backwards. */
	for (int i = 0; i < 8; i++)
		assay_str_add(s, "%c%02x", i == 0 ? ',' : '-', eui[i]);
	assay_str_add(s, ")");
}

/* Nodes of two small numbers. */
static void pair_node(struct assay_str *s, const char *name, unsigned a, unsigned b)
{
	assay_str_add(s, "%s(0x%x,0x%x)", name, a, b);
}

static bool messaging_node(struct assay_str *s, unsigned subtype, struct assay_cur *c)
{
	unsigned a, b, d;

	switch (subtype) {
	case 1:
		a = assay_cur_u8(c);
		b = assay_cur_u8(c);
		assay_str_add(s, "Ata(%s,%s,0x%x)", a ? "Secondary" : "Primary",
			      b ? "Slave" : "Master", assay_cur_le16(c));
		return true;
	case 2:
		a = assay_cur_le16(c);
		pair_node(s, "Scsi", a, assay_cur_le16(c));
		return true;
	case 5:
		a = assay_cur_u8(c);
		pair_node(s, "USB", a, assay_cur_u8(c));
		return true;
	case 10:
		add_vendor(s, c, "VenMsg");
		return true;
	case 11:
		mac_node(s, c);
		return true;
	case 12:
	case 13:
		ip_node(s, subtype, c);
		return true;
	case 14:
		uart_node(s, c);
		return true;
	case 15:
		usb_class_node(s, c);
		return true;
	case 17:
		assay_str_add(s, "Unit(0x%x)", assay_cur_u8(c));
		return true;
	case 18:
		a = assay_cur_le16(c);
		b = assay_cur_le16(c);
		d = assay_cur_le16(c);
		assay_str_add(s, "Sata(0x%x,0x%x,0x%x)", a, b, d);
		return true;
	case 20:
		assay_str_add(s, "Vlan(%u)", assay_cur_le16(c));
		return true;
	case 23:
		nvme_node(s, c);
		return true;
	case 24: {
		const size_t n = c->left;

		assay_str_add(s, "Uri(");
		assay_words_utf8(s, assay_cur_take(c, n), n);
		assay_str_add(s, ")");
		return true;
	}
	case 25:
		a = assay_cur_u8(c);
		pair_node(s, "UFS", a, assay_cur_u8(c));
		return true;
	case 26:
		assay_str_add(s, "SD(0x%x)", assay_cur_u8(c));
		return true;
	case 29:
		assay_str_add(s, "eMMC(0x%x)", assay_cur_u8(c));
		return true;
	default:
		return false;
	}
}

static void hard_drive_node(struct assay_str *s, struct assay_cur *c)
{
	uint8_t signature[16];
	char text[37];

	const uint32_t number = assay_cur_le32(c);
	const uint64_t start = assay_cur_le64(c);
	const uint64_t size = assay_cur_le64(c);

	assay_cur_copy(c, signature, sizeof(signature));
	assay_cur_skip(c, 1); /* partition table format: follows from the signature's kind */

	const unsigned kind = assay_cur_u8(c);

	assay_str_add(s, "HD(%u,", number);
	if (kind == 2) {
		assay_str_add(s, "GPT,%s", assay_guid_text(signature, text));
	} else if (kind == 1) {
		struct assay_cur in = assay_cur_make(signature, 4, 0);

		assay_str_add(s, "MBR,0x%08x", assay_cur_le32(&in));
	} else {
		assay_str_add(s, "%u,0", kind);
	}
	assay_str_add(s, ",0x%llx,0x%llx)", (unsigned long long)start, (unsigned long long)size);
}

static bool media_node(struct assay_str *s, unsigned subtype, struct assay_cur *c)
{
	switch (subtype) {
	case 1:
		hard_drive_node(s, c);
		return true;
	case 2: {
		const uint32_t entry = assay_cur_le32(c);
		const uint64_t start = assay_cur_le64(c);
		const uint64_t size = assay_cur_le64(c);

		assay_str_add(s, "CDROM(0x%x,0x%llx,0x%llx)", entry, (unsigned long long)start,
			      (unsigned long long)size);
		return true;
	}
	case 3:
		add_vendor(s, c, "VenMedia");
		return true;
	case 4: {
		const size_t n = c->left;

		assay_words_utf16(s, assay_cur_take(c, n), n);
		return true;
	}
	case 5:
		add_vendor(s, c, "Media");
		return true;
	case 6:
		add_vendor(s, c, "FvFile");
		return true;
	case 7:
		add_vendor(s, c, "Fv");
		return true;
	case 8: {
		assay_cur_skip(c, 4); /* reserved */

		const uint64_t start = assay_cur_le64(c);
		const uint64_t end = assay_cur_le64(c);

		assay_str_add(s, "Offset(0x%llx,0x%llx)", (unsigned long long)start,
			      (unsigned long long)end);
		return true;
	}
	case 9: {
		const uint64_t start = assay_cur_le64(c);
		const uint64_t end = assay_cur_le64(c);

		assay_str_add(s, "RamDisk(0x%llx,0x%llx,", (unsigned long long)start,
			      (unsigned long long)end);
		add_guid(s, c);
		assay_str_add(s, ",0x%x)", assay_cur_le16(c));
		return true;
	}
	default:
		return false;
	}
}

static bool bbs_node(struct assay_str *s, unsigned subtype, struct assay_cur *c)
{
	if (subtype != 1)
		return false;

	const unsigned type = assay_cur_le16(c);

	assay_cur_skip(c, 2); /* status flags */
	assay_str_add(s, "BBS(0x%x,", type);

	const size_t n = c->left;

	assay_words_utf8(s, assay_cur_take(c, n), n);
	assay_str_add(s, ")");
	return true;
}

/* Any node that has no words of its own: "Path(type,subtype,data)". */
static void add_node(struct assay_str *s, unsigned type, unsigned subtype, struct assay_cur c)
{
	static bool (*const by_type[])(struct assay_str *, unsigned, struct assay_cur *) = {
		[HARDWARE] = hardware_node, [ACPI] = acpi_node, [MESSAGING] = messaging_node,
		[MEDIA] = media_node,	    [BBS] = bbs_node,
	};
	struct assay_cur in = c;
	struct assay_err err;

	if (type < sizeof(by_type) / sizeof(by_type[0]) && by_type[type] &&
	    by_type[type](s, subtype, &in)) {
		if (assay_cur_done(&in, "node", &err) < 0) {
			assay_str_add(s, "[");
			assay_words_malformed(s, &err);
			assay_str_add(s, "]");
		}
		return;
	}
	assay_str_add(s, "Path(%u,%u", type, subtype);
	if (c.left) {
		assay_str_add(s, ",");
		add_rest_hex(s, &c);
	}
	assay_str_add(s, ")");
}

static void add_damage(struct assay_str *s, const char *what, uint64_t at)
{
	assay_str_add(s, "[malformed: %s (at byte 0x%llx)]", what, (unsigned long long)at);
}

void assay_words_devpath(struct assay_str *s, const uint8_t *p, size_t len, uint64_t at)
{
	struct assay_cur c = assay_cur_make(p, len, at);
	bool first = true;

	for (unsigned n = 0; c.left > 0; n++) {
		const uint64_t node_at = c.at;
		const unsigned type = assay_cur_u8(&c);
		const unsigned subtype = assay_cur_u8(&c);
		const unsigned size = assay_cur_le16(&c);

		if (n == ASSAY_DEVPATH_MAX_NODES) {
			add_damage(s, "too many nodes", node_at);
			return;
		}
		if (c.bad || size < 4 || size - 4U > c.left) {
			add_damage(s, c.bad ? "node cut short" : "node of impossible length",
				   node_at);
			return;
		}

		const struct assay_cur node = assay_cur_sub(&c, size - 4U);

		if (type == END && subtype == 0xff) {
			if (c.left)
				assay_str_add(s, "[and %zu more bytes]", c.left);
			return;
		}
		if (type == END && subtype == 1) {
			assay_str_add(s, ",");
			first = true;
			continue;
		}
		if (!first)
			assay_str_add(s, "/");
		first = false;
		add_node(s, type, subtype, node);
	}
	if (len > 0)
		add_damage(s, "no end node", c.at);
}

char *assay_devpath_text(const uint8_t *p, size_t len, uint64_t at)
{
	struct assay_str s = { 0 };

	assay_words_devpath(&s, p, len, at);
	return assay_str_steal(&s);
}
