/* SPDX-License-Identifier: Apache-2.0 */
/* The files of an archive, wherever they lie; those of a tar file here. */
#include "measure/container/store_priv.h"

#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/text.h"
#include "measure/container/unpack.h"

struct assay_store {
	const struct assay_store_ops *ops;
	void *data;
};

int assay_store_new(const struct assay_store_ops *ops, void *data, struct assay_store **ret,
		    struct assay_err *err)
{
	struct assay_store *store = calloc(1, sizeof(*store));

	if (!store) {
		ops->free(data);
		return assay_fail_mem(err);
	}
	*store = (struct assay_store){ .ops = ops, .data = data };
	*ret = store;
	return 0;
}

void assay_store_free(struct assay_store **storep)
{
	struct assay_store *store = storep ? assay_steal(storep) : NULL;

	if (!store)
		return;
	store->ops->free(store->data);
	free(store);
}

int assay_store_find(const struct assay_store *store, const char *name, char **ret,
		     struct assay_err *err)
{
	if (store->ops->find)
		return store->ops->find(store->data, name, ret, err);
	return assay_tar_clean(NULL, 0, name, false, ASSAY_NO_OFFSET, ret, err);
}

int assay_store_open(const struct assay_store *store, const char *name, struct assay_src **ret,
		     struct assay_err *err)
{
	ASSAY_AUTO_FREE char *clean = NULL;

	if (assay_tar_clean(NULL, 0, name, false, ASSAY_NO_OFFSET, &clean, err) < 0)
		return -1;
	return store->ops->open(store->data, clean, ret, err);
}

/* --- in a tar file -----------------------------------------------------------------------------
 */

static int tar_find(void *data, const char *name, char **ret, struct assay_err *err)
{
	const struct assay_tar_entry *e;

	if (assay_tar_find(data, name, &e, err) < 0)
		return -1;
	*ret = assay_strdup(e->name);
	return *ret ? 0 : assay_fail_mem(err);
}

static int tar_open(void *data, const char *name, struct assay_src **ret, struct assay_err *err)
{
	const struct assay_tar *tar = data;
	const struct assay_tar_entry *e;

	if (assay_tar_find(tar, name, &e, err) < 0)
		return -1;
	return assay_src_slice(tar->src, e->off, e->size, ret, err);
}

static void tar_free(void *data)
{
	struct assay_tar *tar = data;

	assay_tar_free(&tar);
}

static const struct assay_store_ops tar_ops = { tar_find, tar_open, tar_free };

/* --- is it a tar file at all? ------------------------------------------------------------------
 */

struct magic {
	uint64_t off;
	const char *bytes;
	size_t len;
	const char *what;
};

static const struct magic refused[] = {
	{ 512, "EFI PART", 8, "GPT" },
	{ 4096, "EFI PART", 8, "GPT" },
	{ 0, "QFI\xfb", 4, "qcow2" },
	{ 0, "KDMV", 4, "VMDK" },
	{ 0, "# Disk DescriptorFile", 21, "VMDK" },
	{ 0, "vhdxfile", 8, "VHDX" },
	{ 0, "conectix", 8, "VHD" },
	{ 0, "hsqs", 4, "squashfs" },
};

static int check_magic(struct assay_src *src, struct assay_err *err)
{
	uint8_t head[4096 + 8] = { 0 };
	const uint64_t size = assay_src_size(src);

	if (size == 0)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "is empty");
	if (assay_src_read(src, 0, head, size < sizeof(head) ? size : sizeof(head), err) < 0)
		return -1;
	/* A tar file may begin with any letters: those of a file's name. */
	if (size > 262 && memcmp(head + 257, "ustar", 5) == 0)
		return 0;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (memcmp(head + refused[i].off, refused[i].bytes, refused[i].len) == 0)
			return assay_fail(err, ASSAY_E_UNSUPPORTED, refused[i].off,
					  "this is a disk image (%s), no container archive",
					  refused[i].what);
	if (size >= 512 && head[510] == 0x55 && head[511] == 0xaa)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, 510,
				  "this is a disk image (MBR), no container archive");
	return 0;
}

static int open_tar(struct assay_src *src, struct assay_store **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_tar) *tar = NULL;

	if (check_magic(src, err) < 0 || assay_tar_open(src, &tar, err) < 0)
		return -1;
	return assay_store_new(&tar_ops, assay_steal(&tar), ret, err);
}

int assay_store_open_tar(struct assay_src *src, struct assay_store **ret, bool *ret_spooled,
			 struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *plain = NULL;
	enum assay_packing packing;

	if (assay_packing_of_src(src, &packing, err) < 0)
		return -1;
	*ret_spooled = packing != ASSAY_PACKING_NONE;
	if (!*ret_spooled)
		return open_tar(src, ret, err);
	if (assay_spool(src, packing, ASSAY_CONTAINER_MAX_SPOOL, &plain, err) < 0 ||
	    open_tar(plain, ret, err) < 0)
		return assay_wrap(err, "unpacked (%s)", assay_packing_name(packing));
	return 0;
}
