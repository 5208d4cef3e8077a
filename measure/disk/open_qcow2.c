/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A qcow2 and, where they are allowed, the files behind it. qemu gets a description with every node spelled out: it never
 * goes by a name or a format that stands in an image.
 */
#include "measure/disk/open_priv.h"

#include <string.h>
#include <unistd.h>

#include "core/limits.h"
#include "core/text.h"
#include "measure/disk/format.h"
#include "measure/disk/helper.h"
#include "measure/disk/nbd.h"

#define MAX_FILES (2 * ASSAY_DISK_MAX_BACKING) /* each with a data file */

struct chain {
	const struct assay_disk_opts *opts;
	int fds[MAX_FILES];
	size_t n;
	struct assay_str json;
};

static int refuse_named(struct chain *chain, const char *what, const char *name,
			struct assay_err *err)
{
	struct assay_str text = { 0 };

	if (chain->opts->allow_backing)
		return 0;
	assay_str_add_escaped(&text, name, strlen(name));
	assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
		   "qcow2 with %s '%s': that file is read with --allow-backing only", what,
		   text.p ? text.p : "");
	assay_str_clear(&text);
	return -1;
}

static int add_fd(struct chain *chain, int fd, struct assay_err *err)
{
	if (chain->n == MAX_FILES)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "more than %u files behind it",
				  ASSAY_DISK_MAX_BACKING);
	chain->fds[chain->n++] = fd;
	return 0;
}

static void add_file_node(struct chain *chain, size_t nr)
{
	assay_str_add(&chain->json, "{\"driver\":\"file\",\"filename\":\"/proc/self/fd/%d\"}",
		      ASSAY_HELPER_FD((int)nr));
}

static int add_qcow2(struct chain *chain, const char *path, struct assay_src *src, size_t nr,
		     unsigned depth, uint64_t *ret_size, struct assay_err *err);

/* A file that an image names; the description of it goes behind `key`. */
static int add_named(struct chain *chain, const char *path, const char *key, const char *name,
		     const char *format, unsigned depth, uint64_t *ret_size, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO_FREE char *full = NULL;
	const size_t nr = chain->n;
	uint64_t size;
	int fd;

	if (assay_disk_open_named(path, name, &full, &fd, &src, err) < 0)
		return -1;
	if (add_fd(chain, fd, err) < 0) {
		close(fd);
		return -1;
	}
	*ret_size = assay_src_size(src);
	assay_str_add(&chain->json, ",\"%s\":", key);
	if (!format) {
		add_file_node(chain, nr);
		return 0;
	}
	if (strcmp(format, "qcow2") == 0)
		return add_qcow2(chain, full, src, nr, depth + 1, &size, err);
	if (strcmp(format, "raw") != 0)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  *format ? "its format is given as something else than qcow2 and raw"
					  : "the image does not say which format it has");
	assay_str_add(&chain->json, "{\"driver\":\"raw\",\"file\":");
	add_file_node(chain, nr);
	assay_str_add(&chain->json, "}");
	return 0;
}

static int add_qcow2(struct chain *chain, const char *path, struct assay_src *src, size_t nr,
		     unsigned depth, uint64_t *ret_size, struct assay_err *err)
{
	struct assay_qcow2 q;
	uint64_t data_size = 0, ignored;

	if (depth >= ASSAY_DISK_MAX_BACKING)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "more than %u backing files",
				  ASSAY_DISK_MAX_BACKING - 1);
	if (assay_qcow2_open(src, &q, err) < 0)
		return -1;
	if (q.backing_offset != 0 && refuse_named(chain, "backing file", q.backing, err) < 0)
		return -1;
	if (q.has_data_file && refuse_named(chain, "external data file", q.data_file, err) < 0)
		return -1;
	assay_str_add(&chain->json, "{\"driver\":\"qcow2\",\"file\":");
	add_file_node(chain, nr);
	if (q.has_data_file && add_named(chain, path, "data-file", q.data_file, NULL, depth,
					 &data_size, err) < 0)
		return assay_wrap(err, "external data file");
	if (q.backing_offset == 0)
		assay_str_add(&chain->json, ",\"backing\":null");
	else if (add_named(chain, path, "backing", q.backing, q.backing_format, depth, &ignored,
			   err) < 0)
		return assay_wrap(err, "backing file");
	assay_str_add(&chain->json, "}");
	if (assay_qcow2_check(src, &q, data_size, err) < 0)
		return -1;
	*ret_size = q.size;
	return 0;
}

int assay_disk_open_qcow2(const struct assay_disk_file *file, struct assay_src **ret,
			  const char **ret_format, struct assay_err *err)
{
	struct chain chain = { .opts = file->opts, .fds = { file->fd }, .n = 1 };
	uint64_t size;
	int rc = add_qcow2(&chain, file->path, file->src, 0, 0, &size, err);

	if (rc == 0 && chain.json.bad)
		rc = assay_fail_mem(err);
	if (rc == 0)
		rc = assay_nbd_open(chain.json.p, chain.fds, chain.n, size, ret, err);
	for (size_t i = 1; i < chain.n; i++)
		close(chain.fds[i]);
	assay_str_clear(&chain.json);
	*ret_format = "qcow2";
	return rc;
}
