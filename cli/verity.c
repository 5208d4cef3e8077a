/* SPDX-License-Identifier: Apache-2.0 */
/* verity: does a disk's data lead to the root hash that binds it? */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/disk.h"
#include "core/text.h"
#include "measure/owners.h"
#include "measure/verity/report.h"

struct options {
	struct assay_disk_opts disk;
	bool json;
	const char *root_hash; /* given: the devices are named, not looked for */
	const char *hash_device;
	bool with_offset;
	uint64_t hash_offset; /* without a root hash: of a data disk's superblock */
	bool no_superblock;
	struct assay_verity_params params; /* without a superblock */
};

static bool parse_u64(const char *text, uint64_t *ret)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	*ret = strtoull(text, &end, 10);
	return *end == '\0' && strlen(text) <= 18;
}

/* --- what came out ------------------------------------------------------------------------------
 */

static void print_fault(const struct assay_verity_pair *pair, size_t i)
{
	ASSAY_AUTO_FREE char *text = assay_verity_fault_text(pair, i);

	printf("    %s\n", text ? text : "out of memory");
}

static void print_pair(const struct assay_verity_pair *pair)
{
	const struct assay_verity_params *p = &pair->params;
	const struct assay_verity_report *r = &pair->report;
	char hex[ASSAY_HEX_MAX];

	if (pair->data)
		printf("partition %u, tree in %u: ", pair->data, pair->hash);
	else if (pair->hash)
		printf("tree in partition %u: ", pair->hash);
	puts(!pair->checked ? "could not be checked"
	     : r->verified  ? "verified"
			    : "does NOT verify");
	if (pair->root_hash_size)
		printf("  %s %s\n", pair->generic ? "root hash" : pair->usr ? "usrhash " : "roothash",
		       assay_hex(pair->root_hash, pair->root_hash_size, hex));
	if (pair->source) {
		struct assay_str text = { 0 };

		assay_str_add_escaped(&text, pair->source, strlen(pair->source));
		printf("  named by %s\n", text.p ? text.p : "");
		assay_str_clear(&text);
	}
	if (pair->fec)
		puts("  error correction is asked for, and not checked");
	if (!pair->checked) {
		printf("  %s\n", pair->err.msg);
		return;
	}
	printf("  %s, %" PRIu64 " blocks of %" PRIu32 " bytes, %u levels of %" PRIu32
	       "-byte blocks\n",
	       assay_bank_name(p->bank), p->data_blocks, p->data_block_size, r->levels,
	       p->hash_block_size);
	for (size_t i = 0; i < r->n_faults && i < ASSAY_VERITY_MAX_FAULTS; i++)
		print_fault(pair, i);
	if (r->n_faults > ASSAY_VERITY_MAX_FAULTS)
		printf("    %" PRIu64 " in all\n", r->n_faults);
	if (r->n_unjudged)
		printf("    and %" PRIu64 " blocks below them that nothing vouches for\n",
		       r->n_unjudged);
}

static int worse(int rc, const struct assay_verity_pair *pair)
{
	if (pair->checked && !pair->report.verified)
		return ASSAY_EXIT_MISMATCH;
	return !pair->checked && rc == ASSAY_EXIT_OK ? ASSAY_EXIT_FAIL : rc;
}

/* --- the two ways -------------------------------------------------------------------------------
 */

/* An OS disk; or, when nothing on it names or says a root hash, a data disk. */
static int find_pairs(struct assay_src *disk, const struct options *o,
		      struct assay_verity_pairs **ret, struct assay_err *err)
{
	struct assay_err why;

	if (o->with_offset)
		return assay_verity_pairs_of_data(disk, o->hash_offset, ret, err);
	if (assay_verity_pairs_find(disk, ret, err) == 0)
		return 0;
	if (err->code != ASSAY_E_NOTFOUND)
		return -1;
	if (assay_verity_pairs_of_data(disk, ASSAY_NO_OFFSET, ret, &why) == 0)
		return 0;
	if (why.code != ASSAY_E_NOTFOUND)
		*err = why;
	return -1;
}

static int check_disk(const char *path, uint64_t part, const struct options *o,
		      struct assay_json *list)
{
	ASSAY_AUTO(assay_src) *disk = NULL;
	ASSAY_AUTO(assay_verity_pairs) *pairs = NULL;
	int rc = ASSAY_EXIT_OK;
	struct assay_err err;
	size_t n = 0;

	if (assay_cli_disk_open(path, &o->disk, &disk, &err) < 0 ||
	    find_pairs(disk, o, &pairs, &err) < 0)
		return assay_cli_fail(path, &err);
	for (size_t i = 0; i < pairs->n; i++) {
		struct assay_verity_pair *pair = &pairs->p[i];

		if (part && pair->data != part && pair->hash != part)
			continue;
		n++;
		assay_verity_pair_check(disk, pair);
		assay_verity_owners_on(disk, pair);
		rc = worse(rc, pair);
		if (!pair->checked)
			assay_cli_fail(path, &pair->err);
		if (o->json)
			assay_json_append(list, assay_verity_pair_json(pair));
		else
			print_pair(pair);
	}
	if (n == 0) {
		assay_fail(&err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
			   "partition %" PRIu64 " belongs to no dm-verity pair", part);
		return assay_cli_fail(path, &err);
	}
	return rc;
}

static int check_device(const char *path, const struct options *o, struct assay_json *list)
{
	ASSAY_AUTO(assay_src) *data = NULL;
	ASSAY_AUTO(assay_src) *hash = NULL;
	struct assay_verity_pair pair = { .params = o->params };
	struct assay_err err;

	if (assay_cli_disk_open(path, &o->disk, &data, &err) < 0)
		return assay_cli_fail(path, &err);
	if (o->hash_device) {
		if (assay_cli_disk_open(o->hash_device, &o->disk, &hash, &err) < 0)
			return assay_cli_fail(o->hash_device, &err);
	} else {
		hash = assay_src_ref(data);
	}
	pair.params.hash_start = o->hash_offset;
	if (o->no_superblock && pair.params.data_blocks == 0)
		pair.params.data_blocks = assay_src_size(data) / pair.params.data_block_size;
	if (!o->no_superblock && assay_verity_open(hash, o->hash_offset, &pair.params, &err) < 0)
		return assay_cli_fail(o->hash_device ? o->hash_device : path, &err);
	pair.root_hash_size = strlen(o->root_hash) / 2;
	if (pair.root_hash_size != assay_bank_size(pair.params.bank) ||
	    !assay_unhex(o->root_hash, strlen(o->root_hash), pair.root_hash, pair.root_hash_size)) {
		assay_fail(&err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "'%s' is no root hash in %s",
			   o->root_hash, assay_bank_name(pair.params.bank));
		return assay_cli_fail(path, &err);
	}
	if (assay_verity_check(data, hash, &pair.params, pair.root_hash, &pair.report, &err) < 0)
		return assay_cli_fail(path, &err);
	pair.checked = true;
	assay_verity_owners(data, &pair);
	if (o->json)
		assay_json_append(list, assay_verity_pair_json(&pair));
	else
		print_pair(&pair);
	assay_verity_pair_clear(&pair);
	return worse(ASSAY_EXIT_OK, &pair);
}

/* --- the verb -----------------------------------------------------------------------------------
 */

static bool parse_option(int c, struct options *o)
{
	struct assay_verity_params *p = &o->params;
	uint64_t n = 0;

	switch (c) {
	case ASSAY_CLI_ALLOW_BACKING:
		o->disk.allow_backing = true;
		return true;
	case 'j':
		o->json = true;
		return true;
	case 'r':
		o->root_hash = optarg;
		return true;
	case 'd':
		o->hash_device = optarg;
		return true;
	case 'n':
		o->no_superblock = true;
		return true;
	case 'a':
		return assay_bank_from_name(optarg, &p->bank);
	case 's':
		p->salt_size = strlen(optarg) / 2;
		return strcmp(optarg, "-") == 0 ||
		       (p->salt_size <= sizeof(p->salt) &&
			assay_unhex(optarg, strlen(optarg), p->salt, p->salt_size));
	case 'f':
		p->hash_type = (unsigned)(*optarg - '0');
		return strcmp(optarg, "0") == 0 || strcmp(optarg, "1") == 0;
	default:
		if (!strchr("oDHN", c) || !parse_u64(optarg, &n))
			return false;
		if (c == 'o')
			o->hash_offset = n;
		else if (c == 'N')
			p->data_blocks = n;
		else if (n < ASSAY_VERITY_MIN_BLOCK || n > ASSAY_VERITY_MAX_BLOCK)
			return false;
		else if (c == 'D')
			p->data_block_size = (uint32_t)n;
		else
			p->hash_block_size = (uint32_t)n;
		return true;
	}
}

int assay_cmd_verity(const struct assay_verb *verb, int argc, char **argv)
{
	static const struct option opts[] = {
		ASSAY_CLI_DISK_OPTION,
		{ "json", no_argument, NULL, 'j' },
		{ "root-hash", required_argument, NULL, 'r' },
		{ "hash-device", required_argument, NULL, 'd' },
		{ "hash-offset", required_argument, NULL, 'o' },
		{ "no-superblock", no_argument, NULL, 'n' },
		{ "hash", required_argument, NULL, 'a' },
		{ "format", required_argument, NULL, 'f' },
		{ "data-block-size", required_argument, NULL, 'D' },
		{ "hash-block-size", required_argument, NULL, 'H' },
		{ "data-blocks", required_argument, NULL, 'N' },
		{ "salt", required_argument, NULL, 's' },
		{ 0 },
	};
	/* veritysetup's defaults */
	struct options o = { .params = { .bank = ASSAY_SHA256,
					 .hash_type = 1,
					 .data_block_size = 4096,
					 .hash_block_size = 4096 } };
	ASSAY_AUTO(assay_json) *list = assay_json_array();
	bool device = false, shape = false;
	uint64_t part = 0;
	int c, rc;

	while ((c = assay_cli_getopt(verb, argc, argv, "", opts)) != -1) {
		if (c == '?')
			return assay_cli_usage(verb);
		if (!parse_option(c, &o))
			return assay_cli_usage_msg(verb, "'%s' is not understood", optarg);
		device |= c == 'd' || c == 'n';
		shape |= c < 0x80 && strchr("afDHNs", c) != NULL;
		o.with_offset |= c == 'o';
	}
	if ((device || shape) && !o.root_hash)
		return assay_cli_usage_msg(verb, "that option needs --root-hash");
	if (shape && !o.no_superblock)
		return assay_cli_usage_msg(verb,
					   "the superblock says that; or is it --no-superblock?");
	if (argc - optind < 1 || argc - optind > (o.root_hash || o.with_offset ? 1 : 2))
		return assay_cli_usage(verb);
	if (argc - optind == 2 && (!parse_u64(argv[optind + 1], &part) || part == 0))
		return assay_cli_usage_msg(verb, "'%s' is no partition number", argv[optind + 1]);

	rc = o.root_hash ? check_device(argv[optind], &o, list)
			 : check_disk(argv[optind], part, &o, list);
	if (o.json && assay_json_len(list) > 0) {
		const int written = assay_cli_write_json(list, "-");

		return written == ASSAY_EXIT_OK ? rc : written;
	}
	return rc;
}
