/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target function: assay_verity_cmdline. What is taken has a root hash; a word that names none, put
 * before or behind, changes nothing, and another root hash behind counts.
 */
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "measure/verity/cmdline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct assay_verity_named *parse(const char *text, bool usr)
{
	struct assay_verity_named *n = NULL;
	struct assay_err err;

	if (assay_verity_cmdline(text, usr, &n, &err) < 0)
		abort();
	return n;
}

static void same(const struct assay_verity_named *a, const struct assay_verity_named *b)
{
	if (!a != !b || (a && (a->refused.code != b->refused.code || a->fec != b->fec ||
			       a->root_hash_size != b->root_hash_size ||
			       memcmp(a->root_hash, b->root_hash, sizeof(a->root_hash)) != 0)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char other[] =
		"roothash=00000000000000000000000000000000000000000000000000000000000000ff";
	/* The kernel's own end of the line is a rule of its own. */
	if (size > 1024)
		return 0;
	ASSAY_AUTO_FREE char *text = malloc(size + 1);

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	ASSAY_AUTO_FREE char *before = assay_asprintf("quiet %s", text);
	ASSAY_AUTO_FREE char *behind = assay_asprintf("%s %s", text, other);
	for (int usr = 0; usr < 2; usr++) {
		ASSAY_AUTO(assay_verity_named) *n = parse(text, usr);
		ASSAY_AUTO(assay_verity_named) *b = parse(before, usr);

		if (n && n->refused.code == ASSAY_OK && n->root_hash_size < 16)
			abort();
		same(n, b);
	}
	/* Not where the text leaves a quote open. */
	ASSAY_AUTO(assay_verity_named) *n = parse(behind, false);
	if (!strpbrk(text, "'\"") &&
	    (!n || (n->refused.code == ASSAY_OK &&
		    (n->root_hash_size != 32 || n->root_hash[31] != 0xff))))
		abort();
	return 0;
}
