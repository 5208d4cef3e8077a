/* SPDX-License-Identifier: Apache-2.0 */
/* assay platform probe: boots the probe on a QEMU machine, and learns the machine's profile. */
#include "cli/cli.h"

#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/machine.h"
#include "cli/platform_priv.h"
#include "cli/qemu.h"
#include "core/log.h"
#include "core/src.h"
#include "core/text.h"

#ifndef ASSAY_DATADIR
#define ASSAY_DATADIR "/usr/local/share/assay"
#endif

struct probe_args {
	const char *qemu, *probe, *disk, *name, *note, *tpm, *banks, *out;
	unsigned timeout;
};

/* The architecture that the emulator is for, as the probe's files are named. */
static const char *short_arch(const char *line)
{
	const char *end = line + strcspn(line, " \t");

	for (const char *p = line; p + 7 <= end; p++)
		if (strncmp(p, "aarch64", 7) == 0)
			return "aa64";
	return "x64";
}

/* The probe's disk: in a build folder beside the program, or where `make install` put it. */
static char *find_probe_disk(const char *arch)
{
	static const char *const places[] = { "probe", "../share/assay/probe" };
	char self[PATH_MAX];
	const ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *folder;

	if (n > 0) {
		self[n] = '\0';
		folder = dirname(self);
		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
			char *path = assay_asprintf("%s/%s/probe-%s.img", folder, places[i], arch);

			if (!path || access(path, R_OK) == 0)
				return path;
			free(path);
		}
	}
	return assay_asprintf("%s/probe/probe-%s.img", ASSAY_DATADIR, arch);
}

/* --- the disk -----------------------------------------------------------------------------------
 */

/* A private copy of the probe's disk; with another probe in it, if one was given (a signed one). */
static int make_disk(struct assay_machine *m, const char *from, const char *probe, const char *arch,
		     const char *to, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *image = NULL;
	char *target =
		strcmp(arch, "aa64") == 0 ? "::/EFI/BOOT/BOOTAA64.EFI" : "::/EFI/BOOT/BOOTX64.EFI";

	if (assay_copy_file(from, to, err) < 0)
		return -1;
	if (!probe)
		return 0;
	/* The probe's disk has its one partition at 1 MiB (image/probe/disk.sh). */
	image = assay_asprintf("%s@@1M", to);
	if (!image)
		return assay_fail_mem(err);
	char *argv[] = { "mcopy", "-o", "-i", image, (char *)probe, target, NULL };
	return assay_machine_run(m, argv, NULL, err);
}

/* --- the origin ---------------------------------------------------------------------------------
 */

/* One line for each option with its value: "-m 2048". */
static struct assay_yaml *arguments_node(const struct assay_qemu *q)
{
	ASSAY_AUTO(assay_yaml) *list = assay_yaml_seq();
	struct assay_str s = { 0 };

	for (size_t i = 1; list && i < q->n; i++) {
		ASSAY_AUTO_FREE char *word = assay_qemu_quote(q->shown[i]);
		ASSAY_AUTO_FREE char *line = NULL;

		if (!word) {
			assay_str_clear(&s);
			return NULL;
		}
		assay_str_add(&s, "%s%s", s.len ? " " : "", word);
		if (q->shown[i + 1] && q->shown[i + 1][0] != '-')
			continue;
		line = assay_str_steal(&s);
		if (!line || assay_yaml_append(list, assay_yaml_scalar(line)) < 0)
			return NULL;
		s = (struct assay_str){ 0 };
	}
	return assay_steal(&list);
}

static struct assay_yaml *firmware_node(const struct assay_qemu *q)
{
	ASSAY_AUTO(assay_yaml) *list = assay_yaml_seq();

	for (size_t i = 0; list && i < q->n_files; i++) {
		const struct assay_qemu_file *f = &q->files[i];
		ASSAY_AUTO(assay_yaml) *map = assay_yaml_map();
		char hex[ASSAY_HEX_MAX], size[32];

		snprintf(size, sizeof(size), "%" PRIu64, f->size);
		if (!map || assay_yaml_set_str(map, "file", f->path) < 0 ||
		    assay_yaml_set_str(map, "sha256",
				       assay_hex(f->digest.d[ASSAY_SHA256], 32, hex)) < 0 ||
		    assay_yaml_set_str(map, "size", size) < 0 ||
		    assay_yaml_append(list, assay_steal(&map)) < 0)
			return NULL;
	}
	return assay_steal(&list);
}

static int probe_origin(struct assay_machine *m, const struct assay_qemu *q,
			struct assay_yaml **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_yaml) *origin = NULL;
	ASSAY_AUTO(assay_yaml) *qemu = NULL;
	ASSAY_AUTO_FREE char *version = NULL;
	char *argv[] = { q->real[0], "--version", NULL };

	if (assay_origin_new("probe", &origin, err) < 0 ||
	    assay_machine_run(m, argv, &version, err) < 0)
		return -1;
	qemu = assay_yaml_map();
	if (!qemu || (q->n_files && assay_yaml_set(origin, "firmware", firmware_node(q)) < 0) ||
	    assay_yaml_set_str(qemu, "version", version) < 0 ||
	    assay_yaml_set(qemu, "arguments", arguments_node(q)) < 0 ||
	    assay_yaml_set(origin, "qemu", assay_steal(&qemu)) < 0)
		return assay_fail_mem(err);
	*ret = assay_steal(&origin);
	return 0;
}

/* --- the boot -----------------------------------------------------------------------------------
 */

/* A firmware's last words on the screen often say why nothing was started. */
static int fail_report(const char *serial, size_t len, struct assay_err *err)
{
	size_t from = len;
	struct assay_str s = { 0 };

	while (len > 0 && (serial[len - 1] == '\n' || serial[len - 1] == '\r'))
		len--;
	for (from = len; from > 0 && serial[from - 1] != '\n' && len - from < 160; from--)
		;
	assay_str_add_escaped(&s, serial + from, len - from);
	(void)assay_wrap(err, "the serial line (its last words: \"%s\")", s.p ? s.p : "");
	assay_str_clear(&s);
	return -1;
}

static int boot(struct assay_machine *m, const struct probe_args *a, const struct assay_qemu *q,
		struct assay_taken_log *ret, struct assay_err *err)
{
	char *serial = NULL;
	size_t len = 0;
	bool timed_out;

	if (assay_machine_start_tpm(m, a->banks, err) < 0 ||
	    assay_machine_boot(m, q->real, a->timeout, &timed_out, err) < 0 ||
	    assay_machine_read_serial(m, &serial, &len, err) < 0)
		return -1;
	ASSAY_AUTO_FREE char *copy = assay_asprintf("%.*s", (int)(len < 4096 ? len : 4096),
						    serial + (len < 4096 ? 0 : len - 4096));
	if (assay_taken_log_read((uint8_t *)serial, len, ret, err) == 0)
		return 0;
	(void)fail_report(copy ? copy : "", copy ? strlen(copy) : 0, err);
	return timed_out ? assay_wrap(err, "QEMU still ran after %u s", a->timeout) : -1;
}

static int probe(const struct probe_args *a, const char *disk_from)
{
	const char *const arch = short_arch(a->qemu);
	ASSAY_AUTO(assay_machine) *m = NULL;
	ASSAY_AUTO(assay_qemu) *q = NULL;
	ASSAY_AUTO(assay_yaml) *origin = NULL;
	ASSAY_AUTO_FREE char *name = NULL, *disk = NULL, *tpm_device = NULL;
	struct assay_taken_log taken;
	struct assay_boot_app app;
	struct assay_err err;
	int rc;

	if (assay_machine_new(&m, &err) < 0)
		return assay_cli_fail(NULL, &err);
	name = a->name ? assay_strdup(a->name) : assay_platform_name_of(a->out);
	disk = assay_asprintf("%s/disk.img", assay_machine_folder(m));
	tpm_device = assay_asprintf("tpm-%s", a->tpm);
	if (!name || !disk || !tpm_device) {
		(void)assay_fail_mem(&err);
		return assay_cli_fail(NULL, &err);
	}
	const struct assay_qemu_paths paths = { .folder = assay_machine_folder(m),
						.disk = disk,
						.tpm = assay_machine_tpm_socket(m),
						.serial = assay_machine_serial(m) };
	if (assay_qemu_plan(a->qemu, &paths, tpm_device, &q, &err) < 0 ||
	    make_disk(m, disk_from, a->probe, arch, disk, &err) < 0 ||
	    assay_boot_app_of_disk(disk, NULL, NULL, &app, &err) < 0 ||
	    probe_origin(m, q, &origin, &err) < 0)
		return assay_cli_fail(NULL, &err);
	if (q->serial_added)
		assay_log(ASSAY_LOG_WARNING, "the QEMU command has no -serial; a serial port was "
					     "added, and is part of the machine that was probed");
	if (boot(m, a, q, &taken, &err) < 0)
		return assay_cli_fail(NULL, &err);
	const struct assay_learn_job job = { .taken = &taken,
					     .app = &app,
					     .name = name,
					     .description = a->note,
					     .app_path = a->probe ? a->probe : disk_from,
					     .out_path = a->out };
	rc = assay_platform_learn_to(&job, assay_steal(&origin));
	assay_taken_log_clear(&taken);
	return rc;
}

static bool is_tpm(const char *name)
{
	return strcmp(name, "crb") == 0 || strcmp(name, "tis") == 0 ||
	       strcmp(name, "tis-device") == 0;
}

/* Names as swtpm_setup takes them, in the order of banks. */
static char *bank_names(unsigned banks)
{
	struct assay_str s = { 0 };

	for (unsigned b = 0; b < ASSAY_N_BANKS; b++)
		if (banks & ASSAY_BANK_BIT(b))
			assay_str_add(&s, "%s%s", s.len ? "," : "", assay_bank_name(b));
	return assay_str_steal(&s);
}

static int parse_args(const struct assay_verb *verb, int argc, char **argv, struct probe_args *a,
		      unsigned *banks)
{
	static const struct option opts[] = {
		{ "qemu", required_argument, NULL, 'q' },
		{ "probe", required_argument, NULL, 'p' },
		{ "probe-disk", required_argument, NULL, 'd' },
		{ "name", required_argument, NULL, 'n' },
		{ "note", required_argument, NULL, 't' },
		{ "tpm", required_argument, NULL, 'T' },
		{ "banks", required_argument, NULL, 'b' },
		{ "bank", required_argument, NULL, 'b' },
		{ "timeout", required_argument, NULL, 's' },
		{ "output", required_argument, NULL, 'o' },
		{ 0 },
	};
	struct assay_err err;
	char *end;
	int c;

	while ((c = assay_cli_getopt(verb, argc, argv, "o:", opts)) != -1) {
		switch (c) {
		case 'q':
			a->qemu = optarg;
			break;
		case 'p':
			a->probe = optarg;
			break;
		case 'd':
			a->disk = optarg;
			break;
		case 'n':
			a->name = optarg;
			break;
		case 't':
			a->note = optarg;
			break;
		case 'T':
			a->tpm = optarg;
			if (!is_tpm(a->tpm))
				return assay_cli_usage_msg(verb, "--tpm %s: crb, tis or tis-device",
							   a->tpm);
			break;
		case 'b':
			if (assay_bank_list(optarg, banks, &err) < 0)
				return assay_cli_usage_msg(verb, "%s", err.msg);
			break;
		case 's':
			a->timeout = (unsigned)strtoul(optarg, &end, 10);
			if (*end || end == optarg || a->timeout == 0 || a->timeout > 86400)
				return assay_cli_usage_msg(verb, "--timeout %s: 1 to 86400 seconds",
							   optarg);
			break;
		case 'o':
			a->out = optarg;
			break;
		default:
			return assay_cli_usage(verb);
		}
	}
	if (argc != optind)
		return assay_cli_usage(verb);
	if (!a->qemu)
		return assay_cli_usage_msg(verb, "--qemu is missing");
	return ASSAY_EXIT_OK;
}

int assay_cmd_platform_probe(const struct assay_verb *verb, int argc, char **argv)
{
	ASSAY_AUTO_FREE char *disk = NULL, *banks_text = NULL;
	struct probe_args a = { .tpm = "crb", .timeout = 120, .out = "-" };
	unsigned banks = ASSAY_BANK_BIT(ASSAY_SHA1) | ASSAY_BANK_BIT(ASSAY_SHA256) |
			 ASSAY_BANK_BIT(ASSAY_SHA384);
	const int rc = parse_args(verb, argc, argv, &a, &banks);

	if (rc != ASSAY_EXIT_OK)
		return rc;
	a.banks = banks_text = bank_names(banks);
	disk = a.disk ? assay_strdup(a.disk) : find_probe_disk(short_arch(a.qemu));
	if (!banks_text || !disk) {
		struct assay_err err;

		(void)assay_fail_mem(&err);
		return assay_cli_fail(NULL, &err);
	}
	return probe(&a, disk);
}
