/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "cli/links.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/disk.h"

static const char *text_of(const struct assay_json *o, const char *key)
{
	const char *s = assay_json_str(assay_json_get(o, key));

	return s ? s : "";
}

static int64_t number_of(const struct assay_json *o, const char *key)
{
	int64_t v = 0;

	assay_json_get_int(assay_json_get(o, key), &v);
	return v;
}

static int print_digest(const char *key, const struct assay_json *value, void *indent)
{
	printf("%s%-7s %s\n", (const char *)indent, key, assay_json_str(value));
	return 0;
}

static void print_digests(const struct assay_json *digests, char *indent)
{
	(void)assay_json_each(digests, print_digest, indent);
}

static void print_partitions(const struct assay_json *gpt)
{
	const struct assay_json *parts = assay_json_get(gpt, "partitions");

	printf("GPT     %lld-byte sectors, disk %s\n", (long long)number_of(gpt, "sector_size"),
	       text_of(gpt, "disk_guid"));
	if (strcmp(text_of(gpt, "backup"), "same") != 0)
		printf("        the backup table %s: %s\n", text_of(gpt, "backup"),
		       text_of(gpt, "backup_reason"));
	for (size_t i = 0; i < assay_json_len(parts); i++) {
		const struct assay_json *p = assay_json_at(parts, i);
		const char *type = text_of(p, "type_name");

		printf("  %2lld    %-30s %12lld bytes at %-12lld %s ", (long long)number_of(p, "index"),
		       *type ? type : text_of(p, "type"), (long long)number_of(p, "size"),
		       (long long)number_of(p, "offset"), text_of(p, "guid"));
		assay_cli_print_line(text_of(p, "name"));
		putchar('\n');
	}
}

static void print_program(const struct assay_json *p, const char *boot)
{
	bool boots = strcmp(text_of(p, "path"), boot) == 0;

	assay_cli_print_line(text_of(p, "path"));
	printf("  %s", text_of(p, "kind"));
	if (*text_of(p, "magic")) {
		fputs(", ", stdout);
		assay_cli_print_line(text_of(p, "magic"));
	}
	printf("%s\n", boots ? "  <- what the firmware starts" : "");
	print_digests(assay_json_get(p, "authenticode"), "        ");
	if (*text_of(p, "cmdline")) {
		fputs("        .cmdline ", stdout);
		assay_cli_print_line(text_of(p, "cmdline"));
		putchar('\n');
	}
	const char *version = text_of(assay_json_get(p, "kernel"), "version");
	if (*version) {
		fputs("        .linux   ", stdout);
		assay_cli_print_line(version);
		putchar('\n');
	}
}

/* How many bytes of the disk a digest covers. */
static void print_regions(const struct assay_json *regions)
{
	static const char *const names[] = { "yes", "partly", "no" };
	int64_t bytes[3] = { 0 };

	for (size_t i = 0; i < assay_json_len(regions); i++) {
		const struct assay_json *r = assay_json_at(regions, i);

		for (size_t k = 0; k < 3; k++)
			if (strcmp(text_of(r, "measured"), names[k]) == 0)
				bytes[k] += number_of(r, "size");
	}
	printf("bytes   %lld measured, %lld in part, %lld not (--json: regions)\n", (long long)bytes[0],
	       (long long)bytes[1], (long long)bytes[2]);
}

static void print_image(const struct assay_json *image)
{
	printf("disk    %s, %lld bytes", text_of(image, "name"), (long long)number_of(image, "size"));
	if (strcmp(text_of(image, "format"), "raw") != 0)
		printf(", %s in %lld bytes", text_of(image, "format"),
		       (long long)number_of(image, "file_size"));
	putchar('\n');
	print_digests(assay_json_get(image, "digest"), "        ");
}

static void print_modules(const struct assay_json *modules)
{
	for (size_t i = 0; i < assay_json_len(modules); i++) {
		const struct assay_json *m = assay_json_at(modules, i);
		const char *why = text_of(m, "reason");

		printf("modules partition %lld, for ", (long long)number_of(m, "partition"));
		assay_cli_print_line(text_of(m, "program"));
		if (*why) {
			fputs(": NOT its kernel's: ", stdout);
			assay_cli_print_line(why);
		} else {
			fputs(": its kernel's, ", stdout);
			assay_cli_print_line(text_of(m, "release"));
		}
		putchar('\n');
	}
}

/* A disk that nothing boots from. */
static void print_data(const struct assay_json *facts, const struct assay_links *links)
{
	const struct assay_json *gpt = assay_json_get(facts, "gpt");

	print_image(assay_json_get(facts, "image"));
	if (gpt)
		print_partitions(gpt);
	putchar('\n');
	assay_cli_links_print(links);
	print_regions(assay_json_get(facts, "regions"));
}

static void print_facts(const struct assay_json *facts, const struct assay_links *links)
{
	const struct assay_json *esp = assay_json_get(facts, "esp");
	const struct assay_json *programs = assay_json_get(esp, "programs");
	const struct assay_json *files = assay_json_get(esp, "files");

	print_image(assay_json_get(facts, "image"));
	print_partitions(assay_json_get(facts, "gpt"));
	printf("ESP     partition %lld, %s\n\n", (long long)number_of(esp, "partition"),
	       text_of(esp, "filesystem"));
	for (size_t i = 0; i < assay_json_len(programs); i++)
		print_program(assay_json_at(programs, i), text_of(facts, "boot"));
	for (size_t i = 0; i < assay_json_len(files); i++) {
		const struct assay_json *f = assay_json_at(files, i);

		assay_cli_print_line(text_of(f, "path"));
		printf("  %lld bytes", (long long)number_of(f, "size"));
		if (*text_of(f, "error"))
			printf(", a program that cannot be read: %s", text_of(f, "error"));
		putchar('\n');
		print_digests(assay_json_get(f, "digest"), "        ");
	}
	putchar('\n');
	assay_cli_links_print(links);
	print_modules(assay_json_get(facts, "modules"));
	print_regions(assay_json_get(facts, "regions"));
}

struct options {
	struct assay_facts_options facts;
	struct assay_disk_opts disk;
	const char *out;
	bool initrds, json;
};

static int measure_os(const struct options *o, const char *path)
{
	ASSAY_AUTO(assay_image) *image = NULL;
	ASSAY_AUTO(assay_json) *facts = NULL;
	ASSAY_AUTO(assay_links) *links = NULL;
	struct assay_err err;

	if (assay_cli_image_open(path, &o->disk, &image, &err) < 0)
		return assay_cli_fail(path, &err);
	image->initrds = o->initrds;
	if (assay_image_facts(image, &o->facts, &facts, &links, &err) < 0)
		return assay_cli_fail(path, &err);
	if (o->json || o->out) {
		int rc = assay_cli_write_json(facts, o->out ? o->out : "-");

		if (rc != ASSAY_EXIT_OK)
			return rc;
	}
	if (!o->json)
		print_facts(facts, links);
	return assay_cli_links_judge(path, links);
}

/* One of several: its facts go to the list, or to stdout in words. */
static int measure_data(const struct options *o, const char *path, struct assay_json *list)
{
	ASSAY_AUTO(assay_src) *disk = NULL;
	ASSAY_AUTO(assay_json) *facts = NULL;
	ASSAY_AUTO(assay_links) *links = NULL;
	const char *slash = strrchr(path, '/');
	struct assay_disk_info info;
	struct assay_err err;

	if (assay_disk_open(path, &o->disk, &disk, &info, &err) < 0 ||
	    assay_data_facts(disk, slash ? slash + 1 : path, &info, &o->facts, &facts, &links, &err) < 0)
		return assay_cli_fail(path, &err);
	const int rc = assay_cli_links_judge(path, links);
	if (!o->json)
		print_data(facts, links);
	assay_json_append(list, assay_steal(&facts));
	return rc;
}

static int measure_all_data(const struct options *o, char **paths, int n)
{
	ASSAY_AUTO(assay_json) *list = assay_json_array();
	int rc = ASSAY_EXIT_OK;

	for (int i = 0; i < n; i++) {
		const int one = measure_data(o, paths[i], list);

		/* No list of some of them. */
		if (one == ASSAY_EXIT_FAIL)
			return one;
		rc = one > rc ? one : rc;
	}
	if (o->json || o->out) {
		const int written = assay_cli_write_json(list, o->out ? o->out : "-");

		if (written != ASSAY_EXIT_OK)
			return written;
	}
	return rc;
}

int assay_cmd_measure(const struct assay_verb *verb, int argc, char **argv)
{
	static const struct option opts[] = {
		ASSAY_CLI_DISK_OPTION,
		{ "bank", required_argument, NULL, 'b' },
		{ "boot", required_argument, NULL, 'B' },
		{ "data", no_argument, NULL, 'd' },
		{ "initrd", no_argument, NULL, 'i' },
		{ "json", no_argument, NULL, 'j' },
		{ "output", required_argument, NULL, 'o' },
		{ 0 },
	};
	struct options o = { .facts = { .banks = ASSAY_BANK_BIT(ASSAY_SHA256) } };
	bool data = false;
	struct assay_err err;
	int ch;

	while ((ch = assay_cli_getopt(verb, argc, argv, "o:", opts)) != -1) {
		switch (ch) {
		case 'b':
			if (assay_bank_list(optarg, &o.facts.banks, &err) < 0)
				return assay_cli_usage_msg(verb, "%s", err.msg);
			break;
		case ASSAY_CLI_ALLOW_BACKING:
			o.disk.allow_backing = true;
			break;
		case 'B':
			for (char *p = optarg; *p; p++)
				if (*p == '\\')
					*p = '/';
			o.facts.boot = optarg;
			break;
		case 'd':
			data = true;
			break;
		case 'i':
			o.initrds = true;
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
	if (data && (o.facts.boot || o.initrds))
		return assay_cli_usage_msg(verb, "nothing boots from a data disk");
	if (argc - optind < 1 || (!data && argc - optind != 1))
		return assay_cli_usage(verb);
	return data ? measure_all_data(&o, argv + optind, argc - optind) : measure_os(&o, argv[optind]);
}
