/* SPDX-License-Identifier: Apache-2.0 */
#include "precompute/root.h"

#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "measure/links.h"
#include "measure/verity/cmdline.h"

/* A root hash as the command line has it. */
struct named {
	const char *key;
	const char *member;		  /* in the prediction */
	struct assay_verity_named *value; /* NULL: not named */
	char hex[ASSAY_HEX_MAX];	  /* "": what is named is no hash */
	bool seen;			  /* the disk has it */
};

struct root {
	struct named named[2]; /* root, /usr */
	bool any;
};

static int read_named(struct root *root, const char *cmdline, struct assay_err *err)
{
	root->named[0] = (struct named){ .key = "roothash", .member = "root_hash" };
	root->named[1] = (struct named){ .key = "usrhash", .member = "usr_hash" };
	for (size_t i = 0; cmdline && i < 2; i++) {
		struct named *n = &root->named[i];

		if (assay_verity_cmdline(cmdline, i == 1, &n->value, err) < 0)
			return -1;
		if (!n->value)
			continue;
		root->any = true;
		assay_hex(n->value->root_hash, n->value->root_hash_size, n->hex);
	}
	return 0;
}

/* Does the boot that is predicted depend on it? What hangs on no root hash does when none is named. */
static bool concerns(struct root *root, const struct assay_link *l)
{
	if (l->root_hash_size == 0)
		return !root->any;
	struct named *n = &root->named[l->usr];
	if (!n->value || n->value->root_hash_size != l->root_hash_size ||
	    memcmp(n->value->root_hash, l->root_hash, l->root_hash_size) != 0)
		return false;
	n->seen = true;
	return true;
}

static int judge(struct root *root, const struct assay_links *links, struct assay_err *err)
{
	const struct assay_link *unchecked = NULL;

	for (size_t i = 0; i < links->n; i++) {
		const struct assay_link *l = &links->l[i];

		if (!concerns(root, l))
			continue;
		if (l->state == ASSAY_LINK_BROKEN)
			return assay_fail(err, ASSAY_E_MISMATCH, ASSAY_NO_OFFSET, "broken link: %s: %s: %s",
					  assay_link_kind_name(l->kind), l->what, l->why);
		/* What lies in verified data may be of an unknown kind. */
		if (l->state == ASSAY_LINK_UNCHECKED && l->kind <= ASSAY_LINK_VERITY && !unchecked)
			unchecked = l;
	}
	for (size_t i = 0; i < 2; i++)
		if (root->named[i].value && root->named[i].value->refused.code == ASSAY_E_UNSUPPORTED)
			return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
					  "link that cannot be checked: root hash: %s",
					  root->named[i].value->refused.msg);
	for (size_t i = 0; i < 2; i++)
		if (root->named[i].value && !root->named[i].seen)
			return assay_fail(err, ASSAY_E_MISMATCH, ASSAY_NO_OFFSET,
					  "broken link: root hash: %s=%s: no partition of the disk has it",
					  root->named[i].key, root->named[i].hex);
	if (unchecked)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "link that cannot be checked: %s: %s: %s",
				  assay_link_kind_name(unchecked->kind), unchecked->what, unchecked->why);
	return 0;
}

static struct assay_json *root_json(const struct root *root, bool checked)
{
	struct assay_json *o = assay_json_object();

	assay_json_set_bool(o, "checked", checked);
	for (size_t i = 0; i < 2; i++)
		if (root->named[i].hex[0])
			assay_json_set_str(o, root->named[i].member, root->named[i].hex);
	if (!root->any)
		assay_json_set_str(o, "remark", "the command line names no root hash: nothing vouches for the "
						"root filesystem");
	else if (!checked)
		assay_json_set_str(o, "remark", "it was not checked that the root hash covers the disk's root, "
						"nor what lies in it");
	return o;
}

static int run(struct root *root, struct assay_image *image, const char *cmdline, bool skip,
	       const struct assay_links *links, struct assay_json **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_links) *own = NULL;

	if (read_named(root, cmdline, err) < 0)
		return -1;
	if (!skip && !links && assay_image_links(image, NULL, NULL, &own, err) < 0)
		return -1;
	if (!skip && judge(root, links ? links : own, err) < 0)
		return -1;
	*ret = root_json(root, !skip);
	return 0;
}

int assay_predict_root(struct assay_image *image, const char *cmdline, bool skip,
		       const struct assay_links *links, struct assay_json **ret, struct assay_err *err)
{
	struct root root = { 0 };
	const int rc = run(&root, image, cmdline, skip, links, ret, err);

	for (size_t i = 0; i < 2; i++)
		assay_verity_named_free(&root.named[i].value);
	return rc;
}
