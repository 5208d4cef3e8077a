/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/disk.h"
#include "core/out.h"
#include "core/text.h"
#include "precompute/precompute.h"

struct options {
	struct assay_precompute_options pre;
	struct assay_disk_opts disk;
	const char *platform;
	const char *out;
	bool json;
};

static const char *const covers[ASSAY_PREDICTED_PCRS] = {
	"firmware",
	"firmware configuration",
	"option ROMs and drivers",
	"their configuration",
	"boot applications",
	"partition table, exit of boot services",
	"vendor's own",
	"Secure Boot policy",
	"GRUB's commands",
	"command line and initrd as handed over",
	"IMA's boot aggregate",
	"UKI sections, boot phases",
	"overrides and credentials",
	"system extensions",
	"shim's MokList",
	"machine identity; the application",
};

/* The sources of a PCR's image events, or else the platform; each once. */
static void print_sources(const struct assay_prediction *p, unsigned pcr)
{
	const char *platform = assay_json_str(assay_json_get(p->platform, "name"));
	const char *last = NULL;
	bool first = true;

	if (p->pcr[pcr].reason) {
		printf("%s", p->pcr[pcr].reason);
		return;
	}
	if (p->pcr[pcr].status == ASSAY_PCR_PLATFORM)
		printf("platform %s", platform ? platform : "");
	if (p->pcr[pcr].status == ASSAY_PCR_ZERO)
		printf("nothing measured");
	for (size_t i = 0; i < p->n; i++) {
		if (p->events[i].pcr != pcr || !p->events[i].image)
			continue;
		if (last && strcmp(last, p->events[i].source) == 0)
			continue;
		/* Parts of one file: its path once. */
		const char *source = p->events[i].source;
		size_t path = strcspn(source, " ");
		bool again = last && source[path] && strncmp(last, source, path + 1) == 0;

		printf("%s%s", first ? "" : again ? " " : ", ", again ? source + path + 1 : source);
		last = source;
		first = false;
	}
}

static void print_table(const struct assay_prediction *p)
{
	for (int b = 0; b < ASSAY_N_BANKS; b++) {
		if (!(p->banks & ASSAY_BANK_BIT(b)))
			continue;
		size_t size = assay_bank_size((enum assay_bank)b);
		int width = (int)(2 * size);

		printf("%-3s  %-*s  %-38s  %s\n", "PCR", width, assay_bank_name((enum assay_bank)b),
		       "what it covers", "where it comes from");
		for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS; i++) {
			const struct assay_pcr_values *v = &p->pcr[i];
			char hex[ASSAY_HEX_MAX];

			if (v->n == 0)
				snprintf(hex, sizeof(hex), "%s", assay_pcr_status_name(v->status));
			else
				assay_hex(v->v[0].d[b], size, hex);
			printf("%3u  %-*s  %-38s  ", i, width, hex, covers[i]);
			print_sources(p, i);
			putchar('\n');
			for (size_t k = 1; k < v->n; k++)
				printf("     %s  or this\n", assay_hex(v->v[k].d[b], size, hex));
		}
		putchar('\n');
	}
	const char *entry = assay_json_str(assay_json_get(p->image, "entry"));
	const char *why = assay_json_str(assay_json_get(p->image, "entry_reason"));
	if (entry)
		printf("systemd-boot starts the entry '%s': %s\n", entry, why ? why : "");
	const struct assay_json *root = assay_json_get(p->image, "root");
	const char *remark = assay_json_str(assay_json_get(root, "remark"));
	printf("root: %s\n", remark ? remark : "covered by the root hash on the command line, checked");
}

static int run(const struct options *o, const char *path)
{
	ASSAY_AUTO(assay_image) *image = NULL;
	ASSAY_AUTO(assay_platform) *platform = NULL;
	ASSAY_AUTO(assay_prediction) *p = NULL;
	struct assay_err err;

	if (assay_platform_load(o->platform, &platform, &err) < 0)
		return assay_cli_fail(o->platform, &err);
	if (assay_cli_image_open(path, &o->disk, &image, &err) < 0)
		return assay_cli_fail(path, &err);
	if (assay_precompute(image, platform, &o->pre, &p, &err) < 0) {
		(void)assay_cli_fail(path, &err);
		return err.code == ASSAY_E_MISMATCH ? ASSAY_EXIT_MISMATCH : ASSAY_EXIT_FAIL;
	}
	if (o->json || o->out) {
		ASSAY_AUTO(assay_json) *json = assay_prediction_json(p);
		int rc = assay_cli_write_json(json, o->out ? o->out : "-");

		if (rc != ASSAY_EXIT_OK || o->json || strcmp(o->out, "-") == 0)
			return rc;
	}
	print_table(p);
	return ASSAY_EXIT_OK;
}

int assay_cmd_precompute(const struct assay_verb *verb, int argc, char **argv)
{
	static const struct option opts[] = {
		ASSAY_CLI_DISK_OPTION,
		{ "platform", required_argument, NULL, 'p' },
		{ "bank", required_argument, NULL, 'b' },
		{ "boot", required_argument, NULL, 'B' },
		{ "entry", required_argument, NULL, 'e' },
		{ "assume-stub", required_argument, NULL, 's' },
		{ "assume-kernel", required_argument, NULL, 'k' },
		{ "skip-chain", no_argument, NULL, 'c' },
		{ "no-image-digest", no_argument, NULL, 'n' },
		{ "json", no_argument, NULL, 'j' },
		{ "output", required_argument, NULL, 'o' },
		{ 0 },
	};
	struct options o = { 0 };
	struct assay_err err;
	int ch;

	while ((ch = assay_cli_getopt(verb, argc, argv, "o:", opts)) != -1) {
		switch (ch) {
		case ASSAY_CLI_ALLOW_BACKING:
			o.disk.allow_backing = true;
			break;
		case 'p':
			o.platform = optarg;
			break;
		case 'b':
			if (assay_bank_list(optarg, &o.pre.banks, &err) < 0)
				return assay_cli_usage_msg(verb, "%s", err.msg);
			break;
		case 'B':
			o.pre.boot = optarg;
			break;
		case 'e':
			o.pre.entry = optarg;
			break;
		case 's':
			o.pre.assume_stub = optarg;
			break;
		case 'k':
			o.pre.assume_kernel = optarg;
			break;
		case 'c':
			o.pre.skip_chain = true;
			break;
		case 'n':
			o.pre.no_image_digest = true;
			break;
		case 'j':
			o.json = true;
			break;
		case 'o':
			o.out = optarg;
			break;
		default:
			return assay_cli_usage(verb);
		}
	}
	if (argc - optind != 1)
		return assay_cli_usage(verb);
	if (!o.platform)
		return assay_cli_usage_msg(verb, "--platform FILE is missing");
	return run(&o, argv[optind]);
}
