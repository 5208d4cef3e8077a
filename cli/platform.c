/* SPDX-License-Identifier: Apache-2.0 */
/* assay platform learn, assay platform show: profiles out of logs, and in words. */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/platform_priv.h"
#include "core/clock.h"
#include "core/limits.h"
#include "core/src.h"
#include "core/text.h"
#include "measure/image.h"

/* --- what learn and probe share -----------------------------------------------------------------
 */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int read_boot_app(struct assay_src *src, struct assay_boot_app *ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_pe) *pe = NULL;
	struct assay_boot_app app = { 0 };

	if (assay_pe_open(src, &pe, err) < 0)
		return -1;
	if (pe->machine == 0x8664)
		app.arch = "x86-64";
	else if (pe->machine == 0xaa64)
		app.arch = "aarch64";
	else
		return assay_fail(
			err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
			"a program for machine 0x%04x; profiles are for x86-64 and aarch64",
			pe->machine);
	if (assay_authenticode(pe, ASSAY_ALL_BANKS, &app.digests, err) < 0)
		return -1;
	*ret = app;
	return 0;
}

int assay_boot_app_read(const char *path, struct assay_boot_app *ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;

	return assay_src_open_file(path, &src, err) < 0 ? -1 : read_boot_app(src, ret, err);
}

int assay_boot_app_of_disk(const char *path, const struct assay_disk_opts *opts, const char *boot,
			   struct assay_boot_app *ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_image) *image = NULL;
	ASSAY_AUTO(assay_efi_file) *file = NULL;
	ASSAY_AUTO_FREE char *usual = NULL;

	if (assay_cli_image_open(path, opts, &image, err) < 0 ||
	    (!boot && assay_image_boot_path(image, NULL, &usual, err) < 0) ||
	    assay_image_efi(image, boot ? boot : usual, &file, err) < 0)
		return -1;
	return read_boot_app(file->src, ret, err);
}

/* SOURCE_DATE_EPOCH, so that the same input gives the same file. */
static int today(char ret[ASSAY_CLOCK_TEXT], struct assay_err *err)
{
	int64_t now;

	if (assay_clock_epoch(&now, err) < 0) {
		if (err->code != ASSAY_E_NOTFOUND)
			return -1;
		now = assay_clock_now();
	}
	assay_clock_text(now, ret)[10] = '\0';
	return 0;
}

int assay_origin_new(const char *kind, struct assay_yaml **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_yaml) *origin = assay_yaml_map();
	char date[ASSAY_CLOCK_TEXT];

	if (today(date, err) < 0)
		return -1;
	if (!origin || assay_yaml_set_str(origin, "kind", kind) < 0 ||
	    assay_yaml_set_str(origin, "date", date) < 0)
		return assay_fail_mem(err);
	*ret = assay_steal(&origin);
	return 0;
}

int assay_origin_set(struct assay_yaml *origin, const char *key, const char *name,
		     const struct assay_digests *d, struct assay_err *err)
{
	ASSAY_AUTO(assay_yaml) *map = assay_yaml_map();
	char hex[ASSAY_HEX_MAX];

	if (!map || (name && assay_yaml_set_str(map, "file", name) < 0) ||
	    assay_yaml_set_str(map, "sha256", assay_hex(d->d[ASSAY_SHA256], 32, hex)) < 0 ||
	    assay_yaml_set(origin, key, assay_steal(&map)) < 0)
		return assay_fail_mem(err);
	return 0;
}

char *assay_platform_name_of(const char *path)
{
	const char *base = base_name(path);
	const char *dot = strrchr(base, '.');

	if (strcmp(path, "-") == 0)
		return assay_strdup("platform");
	if (dot && dot > base && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0))
		return assay_asprintf("%.*s", (int)(dot - base), base);
	return assay_strdup(base);
}

/* What is written is read again first: a profile that assay itself refuses must not leave the
 * house. */
static int write_checked(const struct assay_platform *p, const char *path, struct assay_err *err)
{
	ASSAY_AUTO(assay_platform) *again = NULL;
	ASSAY_AUTO(assay_out) *memory = NULL;
	ASSAY_AUTO(assay_out) *out = NULL;
	ASSAY_AUTO_FREE char *text = NULL;
	size_t len;

	if (assay_out_memory(&memory, err) < 0 || assay_platform_write(p, memory, err) < 0 ||
	    assay_out_steal(memory, &text, &len, err) < 0)
		return -1;
	if (assay_platform_parse(text, len, &again, err) < 0)
		return assay_wrap(err, "the profile made from this log");
	if (assay_out_open(path, &out, err) < 0)
		return -1;
	assay_out_write(out, text, len);
	return assay_out_commit(out, err);
}

/* --- logs ---------------------------------------------------------------------------------------
 */

/* Every log starts with a PCR's number in four bytes; no text has a NUL in its second. */
static bool is_binary_log(const uint8_t *p, size_t len)
{
	return len >= 4 && p[0] < ASSAY_N_PCRS && p[1] == 0 && p[2] == 0 && p[3] == 0;
}

int assay_taken_log_read(uint8_t *text, size_t len, struct assay_taken_log *ret,
			 struct assay_err *err)
{
	ASSAY_AUTO_FREE uint8_t *bytes = text;
	struct assay_taken_log taken = { 0 };

	if (!is_binary_log(text, len)) {
		uint8_t *log;

		taken.report = true;
		if (assay_probelog_parse(text, len, &log, &len, &taken.info, err) < 0)
			return -1;
		free(bytes);
		bytes = log;
		if (taken.info.truncated)
			return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
					  "the firmware had no room for all events in its log");
	}
	if (assay_eventlog_parse(bytes, len, &taken.log, err) < 0)
		return -1;
	if (assay_digest_mem(ASSAY_BANK_BIT(ASSAY_SHA256), bytes, len, &taken.digest, err) < 0) {
		assay_eventlog_free(&taken.log);
		return -1;
	}
	taken.bytes = assay_steal(&bytes);
	*ret = taken;
	return 0;
}

void assay_taken_log_clear(struct assay_taken_log *taken)
{
	assay_eventlog_free(&taken->log);
	free(taken->bytes);
	taken->bytes = NULL;
}

/* The log has to lead to the very PCRs that the probe read. */
static int check_pcrs(const struct assay_taken_log *taken, struct assay_err *err)
{
	const struct assay_pcrs *seen = &taken->info.pcrs;
	struct assay_pcrs told;

	if (assay_eventlog_replay(taken->log, taken->log->banks, &told, NULL, err) < 0)
		return -1;
	for (unsigned b = 0; b < ASSAY_N_BANKS; b++) {
		for (unsigned i = 0; i < 16; i++) {
			if (!((told.have[b] & seen->have[b]) >> i & 1) ||
			    assay_bytes_equal(told.v[b][i], seen->v[b][i], assay_bank_size(b)))
				continue;
			return assay_fail(err, ASSAY_E_MISMATCH, ASSAY_NO_OFFSET,
					  "the log does not lead to the TPM's %s PCR %u",
					  assay_bank_name(b), i);
		}
	}
	return 0;
}

/* What the probe saw beside the log: it must agree, and may tell more. */
static int add_report(const struct assay_taken_log *taken, struct assay_platform *p,
		      struct assay_err *err)
{
	const struct assay_probe_info *info = &taken->info;

	if (info->secure_boot >= 0 && p->secure_boot >= 0 && info->secure_boot != p->secure_boot)
		return assay_fail(err, ASSAY_E_MISMATCH, ASSAY_NO_OFFSET,
				  "Secure Boot is %s by the variable, and %s by the log",
				  info->secure_boot ? "on" : "off", p->secure_boot ? "on" : "off");
	if (info->secure_boot >= 0)
		p->secure_boot = info->secure_boot;
	if ((info->active_banks & ASSAY_ALL_BANKS) != p->banks && !p->unknown[10]) {
		p->unknown[10] =
			assay_strdup("the TPM's active banks are not those of the log, and "
				     "IMA's measurement depends on them");
		if (!p->unknown[10])
			return assay_fail_mem(err);
	}
	return 0;
}

static int finish_origin(const struct assay_learn_job *job, struct assay_yaml *origin,
			 struct assay_err *err)
{
	const struct assay_probe_info *info = &job->taken->info;
	ASSAY_AUTO_FREE char *note = NULL;

	if (assay_origin_set(origin, "log", job->log_path ? base_name(job->log_path) : NULL,
			     &job->taken->digest, err) < 0 ||
	    assay_origin_set(origin, "probe", base_name(job->app_path), &job->app->digests, err) <
		    0)
		return -1;
	if (!job->taken->report)
		return 0;
	note = assay_asprintf("firmware by %s, revision 0x%08x, UEFI %u.%u", info->firmware_vendor,
			      (unsigned)info->firmware_revision,
			      (unsigned)(info->uefi_revision >> 16),
			      (unsigned)(info->uefi_revision & 0xffff) / 10);
	if (!note || assay_yaml_set_str(origin, "note", note) < 0)
		return assay_fail_mem(err);
	return 0;
}

static int learn_job(const struct assay_learn_job *job, struct assay_yaml *origin,
		     struct assay_platform **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_yaml) *owned = origin;
	ASSAY_AUTO(assay_platform) *p = NULL;

	if (job->taken->report && check_pcrs(job->taken, err) < 0)
		return -1;
	if (finish_origin(job, origin, err) < 0 ||
	    assay_platform_learn(job->taken->log, &job->app->digests, job->name, job->app->arch,
				 assay_steal(&owned), &p, err) < 0)
		return -1;
	if (job->taken->report && add_report(job->taken, p, err) < 0)
		return -1;
	if (job->description) {
		p->description = assay_strdup(job->description);
		if (!p->description)
			return assay_fail_mem(err);
	}
	*ret = assay_steal(&p);
	return 0;
}

int assay_platform_learn_to(const struct assay_learn_job *job, struct assay_yaml *origin)
{
	ASSAY_AUTO(assay_platform) *p = NULL;
	struct assay_err err;

	if (learn_job(job, origin, &p, &err) < 0)
		return assay_cli_fail(job->log_path, &err);
	if (write_checked(p, job->out_path, &err) < 0)
		return assay_cli_fail(job->out_path, &err);
	return ASSAY_EXIT_OK;
}

/* --- learn --------------------------------------------------------------------------------------
 */

struct learn_args {
	const char *log, *probe, *disk, *boot, *name, *note, *out;
	struct assay_disk_opts disk_opts;
};

static int read_log(const char *path, struct assay_taken_log *ret, struct assay_err *err)
{
	ASSAY_AUTO_FREE uint8_t *text = NULL;
	ASSAY_AUTO(assay_src) *src = NULL;

	if (assay_src_open_file(path, &src, err) < 0 ||
	    assay_src_read_alloc(src, 0, assay_src_size(src), ASSAY_PROBELOG_MAX_TEXT, &text, err) <
		    0)
		return -1;
	return assay_taken_log_read(assay_steal(&text), (size_t)assay_src_size(src), ret, err);
}

static int learn(const struct learn_args *a)
{
	ASSAY_AUTO(assay_yaml) *origin = NULL;
	ASSAY_AUTO_FREE char *name = NULL;
	const char *from = a->probe ? a->probe : a->disk;
	struct assay_taken_log taken;
	struct assay_boot_app app;
	struct assay_err err;
	int rc;

	name = a->name ? assay_strdup(a->name) : assay_platform_name_of(a->out);
	if (!name || assay_origin_new("learned", &origin, &err) < 0) {
		if (!name)
			(void)assay_fail_mem(&err);
		return assay_cli_fail(NULL, &err);
	}
	if ((a->probe ? assay_boot_app_read(a->probe, &app, &err)
		      : assay_boot_app_of_disk(a->disk, &a->disk_opts, a->boot, &app, &err)) < 0)
		return assay_cli_fail(from, &err);
	if (read_log(a->log, &taken, &err) < 0)
		return assay_cli_fail(a->log, &err);
	const struct assay_learn_job job = { .taken = &taken,
					     .app = &app,
					     .name = name,
					     .description = a->note,
					     .log_path = a->log,
					     .app_path = from,
					     .out_path = a->out };
	rc = assay_platform_learn_to(&job, assay_steal(&origin));
	assay_taken_log_clear(&taken);
	return rc;
}

int assay_cmd_platform_learn(const struct assay_verb *verb, int argc, char **argv)
{
	static const struct option opts[] = {
		ASSAY_CLI_DISK_OPTION,
		{ "log", required_argument, NULL, 'l' },
		{ "probe", required_argument, NULL, 'p' },
		{ "disk", required_argument, NULL, 'd' },
		{ "boot", required_argument, NULL, 'b' },
		{ "name", required_argument, NULL, 'n' },
		{ "note", required_argument, NULL, 't' },
		{ "output", required_argument, NULL, 'o' },
		{ 0 },
	};
	struct learn_args a = { .out = "-" };
	int c;

	while ((c = assay_cli_getopt(verb, argc, argv, "o:", opts)) != -1) {
		switch (c) {
		case ASSAY_CLI_ALLOW_BACKING:
			a.disk_opts.allow_backing = true;
			break;
		case 'l':
			a.log = optarg;
			break;
		case 'p':
			a.probe = optarg;
			break;
		case 'd':
			a.disk = optarg;
			break;
		case 'b':
			a.boot = optarg;
			break;
		case 'n':
			a.name = optarg;
			break;
		case 't':
			a.note = optarg;
			break;
		case 'o':
			a.out = optarg;
			break;
		default:
			return assay_cli_usage(verb);
		}
	}
	if (argc != optind)
		return assay_cli_usage(verb);
	if (!a.log)
		return assay_cli_usage_msg(verb, "--log is missing");
	if (!a.probe == !a.disk)
		return assay_cli_usage_msg(verb, "one of --probe and --disk is wanted");
	if (a.boot && !a.disk)
		return assay_cli_usage_msg(verb, "--boot goes with --disk");
	return learn(&a);
}
