/* SPDX-License-Identifier: Apache-2.0 */
/* Making a manifest: facts, predictions, and what they were made of. */
#include "manifest/make_priv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/text.h"

#define NAME_MAX_LEN 128

int assay_manifest_check_name(const char *name, struct assay_err *err)
{
	static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	const size_t len = strlen(name);

	/* It becomes the name of a folder, and a tag in registries. */
	if (len == 0 || len > NAME_MAX_LEN || !strchr(first, name[0]) ||
	    strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") != len)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET,
				  "a name has 1 to %d characters of A-Z a-z 0-9 . _ - and begins with a letter or digit",
				  NAME_MAX_LEN);
	return 0;
}

static int check(const struct assay_manifest_input *in, struct assay_err *err)
{
	if (assay_manifest_check_name(in->name, err) < 0)
		return -1;
	if (in->release < 1 || in->release > INT64_MAX)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "release numbers begin at 1");
	if (in->not_before < 0 || in->expires > ASSAY_CLOCK_MAX || in->expires <= in->not_before)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "it would expire before it is valid");
	if (in->n_platforms == 0)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "no platform to predict for");
	for (size_t i = 0; i < in->n_platforms; i++)
		for (size_t k = 0; k < i; k++)
			if (strcmp(in->platforms[i]->name, in->platforms[k]->name) == 0)
				return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "two profiles of platform %s",
						  in->platforms[i]->name);
	for (size_t i = 0; i < in->n_data; i++) {
		bool twice = strcmp(in->data[i].name, in->image->name) == 0;

		for (size_t k = 0; k < i; k++)
			twice = twice || strcmp(in->data[i].name, in->data[k].name) == 0;
		if (twice)
			return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "two disks named %s", in->data[i].name);
	}
	return 0;
}

/* --- facts -------------------------------------------------------------------------------------- */

/* "broken link: verity: …" */
int assay_manifest_judge(const struct assay_links *links, const char *disk, struct assay_err *err)
{
	for (size_t i = 0; i < links->n; i++)
		if (links->l[i].state == ASSAY_LINK_BROKEN)
			return assay_fail(err, ASSAY_E_MISMATCH, ASSAY_NO_OFFSET, "%s: broken link: %s: %s: %s", disk,
					  assay_link_kind_name(links->l[i].kind), links->l[i].what,
					  links->l[i].why ? links->l[i].why : "");
	return 0;
}

/* What the disk was packed in is no fact about the disk: a qcow2 of it has the same manifest. */
static struct assay_json *unpacked(const struct assay_json *facts)
{
	struct assay_json *o = assay_json_copy(facts);
	struct assay_json *image = assay_json_copy(assay_json_get(facts, "image"));

	assay_json_remove(image, "format");
	assay_json_remove(image, "file_size");
	assay_json_set(o, "image", image);
	return o;
}

int assay_manifest_facts(struct assay_image *image, const char *boot, struct assay_json **ret,
			 struct assay_links **ret_links, struct assay_err *err)
{
	const struct assay_facts_options options = {
		.boot = boot,
		.banks = ASSAY_BANK_BIT(ASSAY_SHA256),
		.partitions = true,
	};
	ASSAY_AUTO(assay_json) *facts = NULL;
	const bool initrds = image->initrds;

	image->initrds = true;
	const int rc = assay_image_facts(image, &options, &facts, ret_links, err);
	image->initrds = initrds;
	if (rc < 0)
		return -1;
	*ret = unpacked(facts);
	return 0;
}

static int make_facts(const struct assay_manifest_input *in, struct assay_json *o, struct assay_links **ret_links,
		      struct assay_err *err)
{
	ASSAY_AUTO(assay_links) *links = NULL;
	struct assay_json *facts;

	if (assay_manifest_facts(in->image, in->precompute.boot, &facts, &links, err) < 0)
		return -1;
	assay_json_set(o, "facts", facts);
	if (assay_manifest_judge(links, in->image->name, err) < 0)
		return -1;
	*ret_links = assay_steal(&links);
	return 0;
}

int assay_manifest_data_facts(const struct assay_manifest_data *data, struct assay_json **ret,
			      struct assay_links **ret_links, struct assay_err *err)
{
	const struct assay_facts_options options = { .banks = ASSAY_BANK_BIT(ASSAY_SHA256) };
	ASSAY_AUTO(assay_json) *facts = NULL;

	if (assay_data_facts(data->disk, data->name, &data->info, &options, &facts, ret_links, err) < 0)
		return -1;
	*ret = unpacked(facts);
	return 0;
}

static int make_data(const struct assay_manifest_input *in, struct assay_json *o, struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *list = assay_json_array();

	for (size_t i = 0; i < in->n_data; i++) {
		ASSAY_AUTO(assay_links) *links = NULL;
		struct assay_json *facts;

		if (assay_manifest_data_facts(&in->data[i], &facts, &links, err) < 0)
			return assay_wrap(err, "%s", in->data[i].name);
		assay_json_append(list, facts);
		if (assay_manifest_judge(links, in->data[i].name, err) < 0)
			return -1;
	}
	assay_json_set(o, "data", assay_steal(&list));
	return 0;
}

/* --- predictions -------------------------------------------------------------------------------- */

static int disk_digest(const struct assay_json *facts, struct assay_digests *ret, struct assay_err *err)
{
	const char *hex = assay_json_str(
		assay_json_get(assay_json_get(assay_json_get(facts, "image"), "digest"), "sha256"));

	*ret = (struct assay_digests){ .banks = ASSAY_BANK_BIT(ASSAY_SHA256) };
	/* Facts that ran out of memory have none. */
	if (!hex || !assay_unhex(hex, strlen(hex), ret->d[ASSAY_SHA256], assay_bank_size(ASSAY_SHA256)))
		return assay_fail_mem(err);
	return 0;
}

int assay_manifest_predict(struct assay_image *image, const struct assay_platform *platform,
			   const struct assay_precompute_options *options, const struct assay_links *links,
			   const struct assay_json *facts, struct assay_json **ret, struct assay_err *err)
{
	struct assay_precompute_options all = *options;
	ASSAY_AUTO(assay_prediction) *p = NULL;
	struct assay_digests disk;

	if (disk_digest(facts, &disk, err) < 0)
		return -1;
	all.no_image_digest = false;
	all.links = links;
	all.disk = &disk;
	if (assay_precompute(image, platform, &all, &p, err) < 0)
		return assay_wrap(err, "platform %s", platform->name);
	*ret = assay_prediction_json(p);
	return 0;
}

static int make_predictions(const struct assay_manifest_input *in, const struct assay_links *links,
			    struct assay_json *o, struct assay_err *err)
{
	struct assay_precompute_options options = in->precompute;
	ASSAY_AUTO(assay_json) *list = assay_json_array();

	options.skip_chain = false;
	for (size_t i = 0; i < in->n_platforms; i++) {
		struct assay_json *p;

		if (assay_manifest_predict(in->image, in->platforms[i], &options, links, assay_json_get(o, "facts"), &p,
					   err) < 0)
			return -1;
		assay_json_append(list, p);
	}
	assay_json_set(o, "predictions", assay_steal(&list));
	return 0;
}

/* What follows is also run over parts of a foreign manifest (manifest/audit.c): any member may be missing. */

/* --- what it was made of ------------------------------------------------------------------------ */

static struct assay_json *input(const char *kind, const struct assay_json *name, const struct assay_json *digest)
{
	struct assay_json *o = assay_json_object();

	assay_json_set_str(o, "kind", kind);
	if (name)
		assay_json_set(o, "name", assay_json_copy(name));
	if (digest)
		assay_json_set(o, "digest", assay_json_copy(digest));
	return o;
}

/* One of a profile's origin: {"file", "sha256"}. */
static void add_origin(struct assay_json *list, const char *kind, const char *platform, const struct assay_json *origin)
{
	const struct assay_json *sha256 = assay_json_get(origin, "sha256");
	struct assay_json *digest, *o;

	if (!sha256)
		return;
	digest = assay_json_object();
	assay_json_set(digest, "sha256", assay_json_copy(sha256));
	o = input(kind, assay_json_get(origin, "file"), digest);
	assay_json_free(&digest);
	assay_json_set_str(o, "platform", platform);
	assay_json_append(list, o);
}

static void add_platform(struct assay_json *list, const struct assay_json *platform)
{
	const char *name = assay_json_str(assay_json_get(platform, "name"));
	const struct assay_json *origin = assay_json_get(platform, "origin");
	const struct assay_json *firmware = assay_json_get(origin, "firmware");

	if (assay_json_get(platform, "digest"))
		assay_json_append(list, input("platform", assay_json_get(platform, "name"),
					      assay_json_get(platform, "digest")));
	for (size_t i = 0; i < assay_json_len(firmware); i++)
		add_origin(list, "firmware", name, assay_json_at(firmware, i));
	add_origin(list, "probe", name, assay_json_get(origin, "probe"));
	add_origin(list, "log", name, assay_json_get(origin, "log"));
}

static struct assay_json *inputs_json(const struct assay_json *predicate)
{
	const struct assay_json *image = assay_json_get(assay_json_get(predicate, "facts"), "image");
	const struct assay_json *data = assay_json_get(predicate, "data");
	const struct assay_json *predictions = assay_json_get(predicate, "predictions");
	struct assay_json *list = assay_json_array();

	assay_json_append(list, input("disk", assay_json_get(image, "name"), assay_json_get(image, "digest")));
	for (size_t i = 0; i < assay_json_len(data); i++) {
		image = assay_json_get(assay_json_at(data, i), "image");
		assay_json_append(list, input("data", assay_json_get(image, "name"), assay_json_get(image, "digest")));
	}
	for (size_t i = 0; i < assay_json_len(predictions); i++)
		add_platform(list, assay_json_get(assay_json_at(predictions, i), "platform"));
	return list;
}

/* --- what clients look for, by itself ----------------------------------------------------------- */

static void add_members(struct assay_json *list, const struct assay_json *from, const char *disk,
			const char *const *keys, size_t n)
{
	for (size_t i = 0; i < assay_json_len(from); i++) {
		struct assay_json *o = assay_json_object();

		assay_json_set_str(o, "disk", disk);
		for (size_t k = 0; k < n; k++)
			if (assay_json_get(assay_json_at(from, i), keys[k]))
				assay_json_set(o, keys[k], assay_json_copy(assay_json_get(assay_json_at(from, i), keys[k])));
		assay_json_append(list, o);
	}
}

/* Image IDs and root hashes of all disks: {"disk", …}. */
static struct assay_json *summary(const struct assay_json *predicate, const char *member, const char *const *keys,
				  size_t n)
{
	const struct assay_json *facts = assay_json_get(predicate, "facts");
	const struct assay_json *data = assay_json_get(predicate, "data");
	struct assay_json *list = assay_json_array();

	for (size_t i = 0; i <= assay_json_len(data); i++) {
		const struct assay_json *of = i == 0 ? facts : assay_json_at(data, i - 1);

		add_members(list, assay_json_get(of, member),
			    assay_json_str(assay_json_get(assay_json_get(of, "image"), "name")), keys, n);
	}
	return list;
}

static void add_summaries(struct assay_json *o)
{
	static const char *const containers[] = { "archive", "image_id", "names", "partition" };
	static const char *const verity[] = { "algorithm", "partition", "root_hash", "usage" };

	assay_json_set(o, "containers", summary(o, "containers", containers, sizeof(containers) / sizeof(containers[0])));
	assay_json_set(o, "verity", summary(o, "verity", verity, sizeof(verity) / sizeof(verity[0])));
}

/* --- the statement ------------------------------------------------------------------------------ */

static void add_subject(struct assay_json *list, const char *name, const struct assay_json *digest)
{
	struct assay_json *o = assay_json_object();

	assay_json_set_str(o, "name", name);
	if (digest)
		assay_json_set(o, "digest", assay_json_copy(digest));
	assay_json_append(list, o);
}

static int make_subject(const struct assay_json *predicate, struct assay_json **ret, struct assay_err *err)
{
	const struct assay_json *facts = assay_json_get(predicate, "facts");
	const struct assay_json *parts = assay_json_get(assay_json_get(facts, "gpt"), "partitions");
	const struct assay_json *data = assay_json_get(predicate, "data");
	ASSAY_AUTO(assay_json) *list = assay_json_array();

	for (size_t i = 0; i <= assay_json_len(data); i++) {
		const struct assay_json *of = i == 0 ? facts : assay_json_at(data, i - 1);
		const struct assay_json *image = assay_json_get(of, "image");
		const char *name_of = assay_json_str(assay_json_get(image, "name"));
		const char *disk = name_of ? name_of : "";

		add_subject(list, disk, assay_json_get(image, "digest"));
		for (size_t k = 0; i == 0 && k < assay_json_len(parts); k++) {
			const struct assay_json *part = assay_json_at(parts, k);
			int64_t index = 0;

			assay_json_get_int(assay_json_get(part, "index"), &index);
			ASSAY_AUTO_FREE char *name = assay_asprintf("%s#partition%" PRId64, disk, index);
			if (!name)
				return assay_fail_mem(err);
			add_subject(list, name, assay_json_get(part, "digest"));
		}
	}
	*ret = assay_steal(&list);
	return 0;
}

static struct assay_json *options_json(const struct assay_precompute_options *options)
{
	struct assay_json *o = assay_json_object();

	if (options->banks) {
		struct assay_json *banks = assay_json_array();

		for (unsigned b = 0; b < ASSAY_N_BANKS; b++)
			if (options->banks & ASSAY_BANK_BIT(b))
				assay_json_append(banks, assay_json_string(assay_bank_name((enum assay_bank)b)));
		assay_json_set(o, "banks", banks);
	}
	if (options->boot)
		assay_json_set_str(o, "boot", options->boot);
	if (options->entry)
		assay_json_set_str(o, "entry", options->entry);
	if (options->assume_stub)
		assay_json_set_str(o, "assume_stub", options->assume_stub);
	if (options->assume_kernel)
		assay_json_set_str(o, "assume_kernel", options->assume_kernel);
	return o;
}

void assay_manifest_describe(const struct assay_manifest_input *in, struct assay_json *o)
{
	struct assay_json *validity = assay_json_object();
	struct assay_json *tool = assay_json_object();
	char text[ASSAY_CLOCK_TEXT];

	assay_json_set_str(o, "schema", ASSAY_MANIFEST_SCHEMA);
	assay_json_set_str(o, "name", in->name);
	assay_json_set_int(o, "release", in->release);
	assay_json_set_str(validity, "notBefore", assay_clock_text(in->not_before, text));
	assay_json_set_str(validity, "expires", assay_clock_text(in->expires, text));
	assay_json_set(o, "validity", validity);
	assay_json_set_str(tool, "name", "assay");
	assay_json_set_str(tool, "version", ASSAY_VERSION);
	assay_json_set(o, "tool", tool);
	assay_json_set(o, "options", options_json(&in->precompute));
}

int assay_manifest_finish(struct assay_json *predicate, struct assay_json **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *o = predicate;
	struct assay_json *statement, *subject = NULL;

	if (make_subject(o, &subject, err) < 0)
		return -1;
	assay_json_set(o, "inputs", inputs_json(o));
	add_summaries(o);
	statement = assay_json_object();
	assay_json_set_str(statement, "_type", ASSAY_STATEMENT_TYPE);
	assay_json_set(statement, "subject", subject);
	assay_json_set_str(statement, "predicateType", ASSAY_MANIFEST_TYPE);
	assay_json_set(statement, "predicate", assay_steal(&o));
	*ret = statement;
	return 0;
}

int assay_manifest_make(const struct assay_manifest_input *in, struct assay_json **ret,
			struct assay_links **ret_links, struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *predicate = assay_json_object();
	ASSAY_AUTO(assay_links) *links = NULL;

	if (check(in, err) < 0)
		return -1;
	assay_manifest_describe(in, predicate);
	if (make_facts(in, predicate, &links, err) < 0 || make_data(in, predicate, err) < 0 ||
	    make_predictions(in, links, predicate, err) < 0 ||
	    assay_manifest_finish(assay_steal(&predicate), ret, err) < 0)
		return -1;
	if (ret_links)
		*ret_links = assay_steal(&links);
	return 0;
}
