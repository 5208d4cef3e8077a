/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/disk/open_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>

#include "core/text.h"
#include "measure/disk/format.h"

#define HEAD 8192

struct kind {
	uint8_t len;
	char magic[15];
	assay_disk_open_fn *open;
};

static const struct kind kinds[] = {
	{ 4, "QFI\xfb", assay_disk_open_qcow2 },
	{ 8, "conectix", assay_disk_open_vhd },
	{ 8, "vhdxfile", assay_disk_open_vhdx },
	{ 4, "KDMV", assay_disk_open_vmdk },
	{ 10, "# Disk Des", assay_disk_open_vmdk_extents },
	{ 3, "\x1f\x8b\x08", assay_disk_open_gzip },
	{ 6,
	  "\xfd"
	  "7zXZ\0",
	  assay_disk_open_xz },
	{ 4, "\x28\xb5\x2f\xfd", assay_disk_open_zstd },
};

static bool has_gpt(const uint8_t *head, size_t len)
{
	return (len >= 520 && memcmp(head + 512, "EFI PART", 8) == 0) ||
	       (len >= 4104 && memcmp(head + 4096, "EFI PART", 8) == 0);
}

static const struct kind *kind_of(const uint8_t *head, size_t len)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (len >= kinds[i].len && memcmp(head, kinds[i].magic, kinds[i].len) == 0)
			return &kinds[i];
	}
	return NULL;
}

/* The footer is all that tells a fixed VHD from a raw disk. */
static bool is_fixed_vhd(struct assay_src *src)
{
	const uint64_t size = assay_src_size(src);
	uint8_t footer[ASSAY_VHD_FOOTER];
	struct assay_vhd v;

	return size > sizeof(footer) &&
	       assay_src_read(src, size - sizeof(footer), footer, sizeof(footer), NULL) == 0 &&
	       assay_vhd_parse_footer(assay_cur_make(footer, sizeof(footer), 0), &v, NULL) == 0 &&
	       v.fixed && v.size == size - sizeof(footer);
}

static int open_raw(const struct assay_disk_file *file, struct assay_src **ret,
		    const char **ret_format, struct assay_err *err)
{
	(void)err;
	*ret_format = "raw";
	*ret = assay_src_ref(file->src);
	return 0;
}

static int open_file(const struct assay_disk_file *file, struct assay_src **ret,
		     struct assay_disk_info *ret_info, struct assay_err *err)
{
	const uint64_t size = assay_src_size(file->src);
	const size_t len = size < HEAD ? (size_t)size : HEAD;
	ASSAY_AUTO_FREE uint8_t *head = NULL;
	assay_disk_open_fn *open;
	const struct kind *kind;
	struct stat st;
	const char *format;

	if (assay_src_read_alloc(file->src, 0, len, HEAD, &head, err) < 0)
		return -1;
	kind = kind_of(head, len);
	/* The magics lie where a raw disk has its boot code: which of the two a machine takes is not in the file. */
	if (kind && has_gpt(head, len))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, 0,
				  "two disks in one: begins as an image of another format, and has a GPT "
				  "as a raw disk");
	if (kind && (fstat(file->fd, &st) < 0 || !S_ISREG(st.st_mode)))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, 0,
				  "a disk image on a block device; copy it into a file");
	if (kind)
		open = kind->open;
	else
		open = is_fixed_vhd(file->src) ? assay_disk_open_vhd : open_raw;
	if (open(file, ret, &format, err) < 0)
		return -1;
	*ret_info = (struct assay_disk_info){ format, size };
	return 0;
}

int assay_disk_open(const char *path, const struct assay_disk_opts *opts, struct assay_src **ret,
		    struct assay_disk_info *ret_info, struct assay_err *err)
{
	static const struct assay_disk_opts none = { 0 };
	struct assay_disk_file file = { .path = path, .opts = opts ? opts : &none };
	int rc;

	file.fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (file.fd < 0)
		return assay_fail_sys(err, "cannot open");
	const int copy = fcntl(file.fd, F_DUPFD_CLOEXEC, 0);

	rc = copy < 0 ? assay_fail_sys(err, "cannot open") : assay_src_from_fd(copy, &file.src, err);
	if (rc == 0)
		rc = open_file(&file, ret, ret_info, err);
	assay_src_free(&file.src);
	close(file.fd);
	return rc;
}

int assay_disk_open_named(const char *image_path, const char *name, char **ret_path, int *ret_fd,
			  struct assay_src **ret, struct assay_err *err)
{
	const char *slash = strrchr(image_path, '/');
	ASSAY_AUTO_FREE char *path = NULL;
	ASSAY_AUTO(assay_src) *src = NULL;
	int fd, copy;

	/* "json:…", "nbd://…": qemu's ways to things that are no files. */
	if (name[strcspn(name, ":/")] == ':')
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "no file's name");
	if (name[0] == '/' || !slash)
		path = assay_strdup(name);
	else
		path = assay_asprintf("%.*s/%s", (int)(slash - image_path), image_path, name);
	if (!path)
		return assay_fail_mem(err);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return assay_fail_sys(err, "cannot open");
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0 ? assay_fail_sys(err, "cannot open") < 0
		     : assay_src_from_fd(copy, &src, err) < 0) {
		close(fd);
		return -1;
	}
	*ret_path = assay_steal(&path);
	*ret_fd = fd;
	*ret = assay_steal(&src);
	return 0;
}
