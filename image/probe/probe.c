/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The probe: an EFI application that says what this machine's firmware has measured, and powers
 * off. It reads; it calls nothing that extends a PCR, sets a variable or changes a bank.
 *
 * The report is lines of text (docs/PROBE.md), each with its own CRC-32: a serial line also carries
 * the firmware's screen, and loses bytes. It goes to every serial port, and into two files beside
 * the program, where its file system can be written: ASSAY.TXT, the same lines, and ASSAY.LOG, the
 * event log as it lay in memory. The console gets a few words for whoever looks at the screen, and
 * the report too if there is no serial port.
 */
#include "efi.h"

#define MAX_PORTS 8
#define MAX_LOG (16U << 20) /* the largest log seen has 100 KiB; more is a wrong length field */
#define PORT_CHUNK 96	    /* bytes of a blob in one line */
#define CONSOLE_CHUNK 36    /* so that no line reaches the 80th column, where firmware breaks it */
#define TEXT_BESIDE_LOG 32768 /* room for all lines but the log's: PCRs of five banks and facts */

static struct efi_system_table *st;
static struct efi_boot_services *bs;
static struct efi_serial_io *ports[MAX_PORTS];
static size_t n_ports;

/* The report so far, for the file. text_full: there was no memory for all of it. */
static char *text;
static size_t text_len, text_max;
static bool text_full;

/* One line under construction; long enough for a blob's line and for any fact. */
static char line[256];
static size_t line_len;

/* --- the line ------------------------------------------------------------------------------- */

static void put_char(char c)
{
	if (line_len < sizeof(line))
		line[line_len++] = c;
}

static void put(const char *s)
{
	while (*s != '\0')
		put_char(*s++);
}

static void put_hex(uint64_t v, unsigned digits)
{
	while (digits-- > 0)
		put_char("0123456789abcdef"[v >> (4 * digits) & 15]);
}

/* Firmware's words: printable ASCII stays, all else is a question mark. */
static void put_words(const efi_char *s, size_t max)
{
	for (; s != NULL && *s != 0 && max > 0; s++, max--)
		put_char(*s >= ' ' && *s <= '~' ? (char)*s : '?');
}

static void put_base64(const uint8_t *p, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < len; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16;

		if (i + 1 < len)
			v |= (uint32_t)p[i + 1] << 8;
		if (i + 2 < len)
			v |= p[i + 2];
		put_char(digits[v >> 18]);
		put_char(digits[v >> 12 & 63]);
		put_char(i + 1 < len ? digits[v >> 6 & 63] : '=');
		put_char(i + 2 < len ? digits[v & 63] : '=');
	}
}

static uint32_t crc32(const void *p, size_t len)
{
	uint32_t crc = 0;

	bs->calculate_crc32(p, len, &crc);
	return crc;
}

/* --- where it goes -------------------------------------------------------------------------- */

static void console(const char *s, size_t len)
{
	efi_char wide[64];

	if (st->con_out == NULL)
		return;
	while (len > 0) {
		size_t n = 0;

		while (n < sizeof(wide) / sizeof(wide[0]) - 1 && len > 0) {
			wide[n++] = (efi_char)*s++;
			len--;
		}
		wide[n] = 0;
		st->con_out->output_string(st->con_out, wide);
	}
}

/* Not every write takes everything. One that takes nothing ends the port's service: no hanging. */
static bool port_write(struct efi_serial_io *port, const char *s, size_t len)
{
	while (len > 0) {
		size_t n = len;

		port->write(port, &n, s);
		if (n == 0 || n > len)
			return false;
		s += n;
		len -= n;
	}
	return true;
}

static void find_ports(void)
{
	static const struct efi_guid guid = EFI_SERIAL_IO_GUID;
	efi_handle *handles = NULL;
	size_t n = 0;

	if (bs->locate_handle_buffer(EFI_LOCATE_BY_PROTOCOL, &guid, NULL, &n, &handles) != 0)
		return;
	for (size_t i = 0; i < n && n_ports < MAX_PORTS; i++) {
		void *port = NULL;

		if (bs->handle_protocol(handles[i], &guid, &port) == 0 && port != NULL)
			ports[n_ports++] = port;
	}
	bs->free_pool(handles);
}

/* Words for a person: on the console alone. */
static void say(void)
{
	put("\r\n");
	console(line, line_len);
	line_len = 0;
}

/* A line of the report is done: sign it with its CRC, and out. */
static void report(void)
{
	uint32_t crc = crc32(line, line_len);

	put_char(' ');
	put_hex(crc, 8);
	put("\r\n");
	for (size_t i = 0; i < n_ports; i++)
		if (ports[i] != NULL && !port_write(ports[i], line, line_len))
			ports[i] = NULL;
	if (n_ports == 0)
		console(line, line_len);
	for (size_t i = 0; i < line_len; i++) {
		if (text_len == text_max)
			text_full = true;
		else
			text[text_len++] = line[i];
	}
	line_len = 0;
}

static void report_start(const char *key)
{
	put("@assay ");
	put(key);
}

static void report_word(const char *key, const char *value)
{
	report_start(key);
	put_char(' ');
	put(value);
	report();
}

static void report_hex(const char *key, uint64_t value, unsigned digits)
{
	report_start(key);
	put_char(' ');
	put_hex(value, digits);
	report();
}

static void report_blob(const char *name, const uint8_t *p, size_t len)
{
	const size_t chunk = n_ports > 0 ? PORT_CHUNK : CONSOLE_CHUNK;

	for (size_t at = 0; at < len; at += chunk) {
		report_start(name);
		put_char('+');
		put_hex(at, 6);
		put_char(' ');
		put_base64(p + at, len - at < chunk ? len - at : chunk);
		report();
	}
}

/* --- facts ---------------------------------------------------------------------------------- */

/* SecureBoot and SetupMode are one byte (3.3); whatever else is there is shown by its length. */
static void report_variable(const char *key, const efi_char *name)
{
	static const struct efi_guid global = EFI_GLOBAL_VARIABLE_GUID;
	uint8_t value = 0;
	size_t size = sizeof(value);
	efi_status status = st->runtime->get_variable(name, &global, NULL, &size, &value);

	if (status == EFI_SUCCESS && size == 1)
		report_hex(key, value, 2);
	else if (status == EFI_NOT_FOUND)
		report_word(key, "absent");
	else
		report_word(key, "unreadable");
}

static uint32_t be(const uint8_t *p, unsigned n)
{
	uint32_t v = 0;

	while (n-- > 0)
		v = v << 8 | *p++;
	return v;
}

static uint32_t le(const uint8_t *p, unsigned n)
{
	uint32_t v = 0;

	while (n-- > 0)
		v = v << 8 | p[n];
	return v;
}

/*
 * One PCR of one bank: TPM2_PCR_Read (TPM 2.0 Library, part 3, 22.4), which needs no authorisation
 * and changes nothing. 0 when the TPM gave another answer than asked for.
 */
static size_t read_pcr(struct efi_tcg2 *tcg2, uint16_t alg, unsigned pcr, uint8_t *ret, size_t max)
{
	uint8_t in[20] = { 0x80, 0x01, 0, 0, 0, sizeof(in), 0, 0, 0x01, 0x7e, 0, 0, 0, 1 };
	static uint8_t out[256];

	in[14] = (uint8_t)(alg >> 8);
	in[15] = (uint8_t)alg;
	in[16] = 3;
	in[17 + pcr / 8] = (uint8_t)(1U << pcr % 8);
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = 0;
	if (tcg2->submit_command(tcg2, sizeof(in), in, sizeof(out), out) != EFI_SUCCESS)
		return 0;

	/* header 10, update counter 4, the selection as it was asked for, a list of one digest */
	if (be(out, 2) != 0x8001 || be(out + 6, 4) != 0 || be(out + 24, 4) != 1)
		return 0;
	for (size_t i = 10; i < sizeof(in); i++)
		if (out[i + 4] != in[i])
			return 0;
	size_t size = be(out + 28, 2);
	if (size > max || be(out + 2, 4) != 30 + size)
		return 0;
	for (size_t i = 0; i < size; i++)
		ret[i] = out[30 + i];
	return size;
}

static void report_pcrs(struct efi_tcg2 *tcg2, uint32_t active)
{
	/* By bit of the bitmap (TCG EFI Protocol, 6.4.1) */
	static const struct {
		uint16_t alg, size;
		char name[14];
	} banks[] = {
		{ 0x04, 20, "pcrs-sha1" },    { 0x0b, 32, "pcrs-sha256" },
		{ 0x0c, 48, "pcrs-sha384" },  { 0x0d, 64, "pcrs-sha512" },
		{ 0x12, 32, "pcrs-sm3_256" },
	};
	static uint8_t values[24 * 64];

	for (size_t b = 0; b < sizeof(banks) / sizeof(banks[0]); b++) {
		unsigned pcr = 0;

		if ((active >> b & 1) == 0)
			continue;
		while (pcr < 24 && read_pcr(tcg2, banks[b].alg, pcr, values + pcr * banks[b].size,
					    banks[b].size) == banks[b].size)
			pcr++;
		if (pcr == 24)
			report_blob(banks[b].name, values, (size_t)24 * banks[b].size);
		else
			report_word(banks[b].name, "unreadable");
	}
}

/* --- the log -------------------------------------------------------------------------------- */

/*
 * Where the log ends: GetEventLog tells the start of the last entry, so its length has to be read
 * out of it. The first entry is a TCG_PCR_EVENT whose data (Spec ID Event03) has the digest sizes,
 * all others are TCG_PCR_EVENT2 (TCG PC Client Platform Firmware Profile 1.05, 10.2). 0: not so.
 */
static size_t log_length(const uint8_t *log, const uint8_t *last)
{
	static const char signature[16] = "Spec ID Event03";
	const uint8_t *algs = log + 32 + 28; /* { u16 id, u16 size }[] */
	const uint8_t *p = last;

	if (log == NULL || last < log || (size_t)(last - log) > MAX_LOG ||
	    le(log + 28, 4) > MAX_LOG)
		return 0;
	if (last == log)
		return 32 + le(log + 28, 4);
	for (size_t i = 0; i < sizeof(signature); i++)
		if (log[32 + i] != (uint8_t)signature[i])
			return 0;
	const uint32_t n_algs = le(log + 32 + 24, 4);
	const uint32_t n_digests = le(p + 8, 4);
	if (n_algs > 16 || n_digests > 16)
		return 0;
	p += 12;
	for (uint32_t d = 0; d < n_digests; d++) {
		uint32_t a = 0;

		while (a < n_algs && le(algs + 4 * (size_t)a, 2) != le(p, 2))
			a++;
		if (a == n_algs)
			return 0;
		p += 2 + le(algs + 4 * (size_t)a + 2, 2);
	}
	if (le(p, 4) > MAX_LOG)
		return 0;
	return (size_t)(p + 4 - log) + le(p, 4);
}

struct found {
	const char *source; /* tcg2, cc, or none */
	const char *why;    /* with none */
	struct efi_tcg2 *tcg2;
	uint32_t supported, active, manufacturer;
	const uint8_t *log;
	size_t len;
	bool truncated;
};

static void find_log(struct found *f)
{
	static const struct efi_guid tcg2_guid = EFI_TCG2_GUID, cc_guid = EFI_CC_GUID;
	uint64_t first = 0, last = 0;
	uint8_t truncated = 0;
	efi_status status;
	void *p = NULL;

	f->source = "none";
	f->supported = f->active = f->manufacturer = 0;
	f->tcg2 = NULL;
	f->log = NULL;
	f->len = 0;
	if (bs->locate_protocol(&tcg2_guid, NULL, &p) == EFI_SUCCESS) {
		static struct efi_tcg2_capability cap;

		cap.size = sizeof(cap);
		f->tcg2 = p;
		f->why = "GetCapability of the TCG2 protocol failed";
		if (f->tcg2->get_capability(f->tcg2, &cap) != EFI_SUCCESS)
			return;
		f->why = "the TCG2 protocol is there, a TPM is not";
		if (cap.tpm_present == 0)
			return;
		f->supported = cap.hash_algorithms;
		f->active = cap.active_banks;
		f->manufacturer = cap.manufacturer;
		f->source = "tcg2";
		status = f->tcg2->get_event_log(f->tcg2, EFI_TCG2_LOG_FORMAT_2, &first, &last,
						&truncated);
	} else if (bs->locate_protocol(&cc_guid, NULL, &p) == EFI_SUCCESS) {
		static struct efi_cc_capability cap;
		struct efi_cc *cc = p;

		cap.size = sizeof(cap);
		f->why = "GetCapability of the CC measurement protocol failed";
		if (cc->get_capability(cc, &cap) != EFI_SUCCESS)
			return;
		f->supported = f->active = cap.hash_algorithms;
		f->manufacturer = (uint32_t)cap.cc_type << 8 | cap.cc_subtype;
		f->source = "cc";
		status = cc->get_event_log(cc, EFI_TCG2_LOG_FORMAT_2, &first, &last, &truncated);
	} else {
		f->why = "no TCG2 protocol, no CC protocol: no TPM 2.0?";
		return;
	}
	f->why = "GetEventLog failed: no log in the crypto-agile format";
	if (status != EFI_SUCCESS)
		return;
	f->why = "the event log is empty";
	if (first == 0 || last == 0)
		return;
	f->truncated = truncated != 0;
	f->why = "the event log is not crypto-agile, or too long";
	f->log = (const uint8_t *)(uintptr_t)first;
	f->len = log_length(f->log, (const uint8_t *)(uintptr_t)last);
}

/* --- files ---------------------------------------------------------------------------------- */

/* The folder this program was loaded from, with a backslash at its end, then NAME. */
static void beside(const struct efi_loaded_image *self, const char *name, efi_char *ret, size_t max)
{
	const uint8_t *p = (const uint8_t *)self->file_path;
	size_t n = 0, end = 0;

	/* More than one node is one path in pieces (10.3.5.4); 64 bounds a path without an end */
	for (unsigned i = 0; p != NULL && p[0] != EFI_DP_END && i < 64; i++) {
		uint32_t len = le(p + 2, 2);

		if (len < sizeof(struct efi_device_path))
			break;
		if (p[0] == EFI_DP_MEDIA && p[1] == EFI_DP_MEDIA_FILE)
			for (uint32_t at = 4; at + 2 <= len && le(p + at, 2) != 0 && n < max - 16;
			     at += 2) {
				ret[n++] = (efi_char)le(p + at, 2);
				if (ret[n - 1] == '\\')
					end = n;
			}
		p += len;
	}
	if (end == 0)
		for (const char *s = "\\EFI\\BOOT\\"; *s != '\0'; s++)
			ret[end++] = (efi_char)*s;
	while (*name != '\0')
		ret[end++] = (efi_char)*name++;
	ret[end] = 0;
}

static efi_status write_file(struct efi_file *root, const efi_char *path, const void *data,
			     size_t len)
{
	struct efi_file *f = NULL;
	const uint64_t mode = EFI_FILE_READ | EFI_FILE_WRITE;
	size_t n = len;

	/* Writing does not shorten a file that was longer */
	if (root->open(root, &f, path, mode, 0) == EFI_SUCCESS)
		f->delete (f);
	efi_status status = root->open(root, &f, path, mode | EFI_FILE_CREATE, 0);
	if (status != EFI_SUCCESS)
		return status;
	status = f->write(f, &n, data);
	if (status == EFI_SUCCESS && n != len)
		status = EFI_ERROR_BIT;
	if (status == EFI_SUCCESS)
		return f->close(f);
	f->delete (f); /* half a log is worse than none */
	return status;
}

static void write_files(efi_handle image, const struct found *f)
{
	static const struct efi_guid image_guid = EFI_LOADED_IMAGE_GUID;
	static const struct efi_guid fs_guid = EFI_SIMPLE_FILE_SYSTEM_GUID;
	static efi_char path[512];
	struct efi_loaded_image *self = NULL;
	struct efi_simple_file_system *fs = NULL;
	struct efi_file *root = NULL;
	efi_status status = bs->handle_protocol(image, &image_guid, (void **)&self);

	if (status == EFI_SUCCESS)
		status = bs->handle_protocol(self->device, &fs_guid, (void **)&fs);
	if (status == EFI_SUCCESS)
		status = fs->open_volume(fs, &root);
	if (status == EFI_SUCCESS && !text_full && text_len > 0) {
		beside(self, "ASSAY.TXT", path, sizeof(path) / sizeof(path[0]));
		status = write_file(root, path, text, text_len);
	}
	if (status == EFI_SUCCESS && f->len > 0) {
		beside(self, "ASSAY.LOG", path, sizeof(path) / sizeof(path[0]));
		status = write_file(root, path, f->log, f->len);
	}
	if (root != NULL)
		root->close(root);
	if (status == EFI_SUCCESS) {
		put("assay probe: written beside the program: ASSAY.TXT, and ASSAY.LOG if there is "
		    "a log");
	} else {
		put("assay probe: no file written, status 0x");
		put_hex(status, sizeof(status) * 2);
	}
	say();
}

/* --- all of it ------------------------------------------------------------------------------ */

static void report_all(const struct found *f)
{
#if defined(__x86_64__)
	report_word("begin", "1 x64");
#elif defined(__aarch64__)
	report_word("begin", "1 aa64");
#else
#error "no name for this architecture"
#endif
	report_start("firmware-vendor ");
	put_words(st->firmware_vendor, 46); /* what stays below 80 columns */
	report();
	report_hex("firmware-revision", st->firmware_revision, 8);
	report_hex("uefi-revision", st->hdr.revision, 8);
	report_variable("secure-boot", L"SecureBoot");
	report_variable("setup-mode", L"SetupMode");
	report_word("source", f->source);
	report_hex("supported-banks", f->supported, 8);
	report_hex("active-banks", f->active, 8);
	report_hex("manufacturer", f->manufacturer, 8);
	report_hex("truncated", f->truncated, 2);
	if (f->tcg2 != NULL)
		report_pcrs(f->tcg2, f->active);
	if (f->len > 0) {
		report_blob("log", f->log, f->len);
		report_start("end log ");
		put_hex(f->len, 8);
		put_char(' ');
		put_hex(crc32(f->log, f->len), 8);
		report();
	} else {
		report_word("error", f->why);
		report_word("end", "none");
	}
}

efi_status efi_main(efi_handle image, struct efi_system_table *system)
{
	static struct found f;

	st = system;
	bs = system->boot;
	put("\r\nassay probe: reads the firmware's event log, changes nothing, powers off");
	say();
	find_ports();
	find_log(&f);

	/* Base64 is 4/3, a line of the narrow kind half as much again */
	text_max = f.len * 5 / 2 + TEXT_BESIDE_LOG;
	if (bs->allocate_pool(2 /* EfiLoaderData */, text_max, (void **)&text) != EFI_SUCCESS)
		text_max = 0;

	/* Whatever the console still holds of a line must not end up in the first one */
	for (size_t i = 0; i < n_ports; i++)
		if (!port_write(ports[i], "\r\n", 2))
			ports[i] = NULL;
	report_all(&f);

	if (f.len > 0) {
		put("assay probe: event log of 0x");
		put_hex(f.len, 8);
		put(" bytes, 0x");
		put_hex(n_ports, 1);
		put(" serial ports");
	} else {
		put("assay probe: NO EVENT LOG: ");
		put(f.why);
	}
	say();
	write_files(image, &f);
	put("assay probe: powering off");
	say();
	st->runtime->reset_system(EFI_RESET_SHUTDOWN, EFI_SUCCESS, 0, NULL);
	return EFI_SUCCESS; /* not reached; else the firmware tries the next boot option */
}
