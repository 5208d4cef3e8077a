/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/dm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/dm-ioctl.h>
#include <sys/ioctl.h>

/* The words of a line, one after another; NULL at its end. */
static const char *next_word(const char **p, size_t *ret_len)
{
	const char *word;

	*p += strspn(*p, " ");
	word = *p;
	*ret_len = strcspn(word, " ");
	*p += *ret_len;
	return *ret_len ? word : NULL;
}

static bool is_word(const char *word, size_t len, const char *what)
{
	return strlen(what) == len && strncmp(word, what, len) == 0;
}

/* version dev hash_dev data_block hash_block n_data hash_start algorithm DIGEST salt [n_options option...] */
int assay_dm_verity_parse(const char *params, char ret[ASSAY_HEX_MAX], struct assay_err *err)
{
	uint8_t digest[ASSAY_MAX_DIGEST];
	const char *p = params, *word = NULL;
	bool known = false;
	size_t len = 0;

	for (unsigned i = 0; i <= 8; i++) {
		word = next_word(&p, &len);
		if (!word)
			return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "a verity table with %u words", i);
	}
	for (unsigned b = 0; b < ASSAY_N_BANKS; b++)
		known |= len == 2 * assay_bank_size((enum assay_bank)b);
	if (!known || !assay_unhex(word, len, digest, len / 2))
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "a verity table without a root digest");
	assay_hex(digest, len / 2, ret);
	while ((word = next_word(&p, &len)) != NULL)
		if (is_word(word, len, "ignore_corruption"))
			return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
					  "the device is told to ignore corruption: its root digest says nothing");
	return 0;
}

/* One answer of the device-mapper: the header, and what follows it. */
union answer {
	struct dm_ioctl head;
	char bytes[16384];
};

static int check_answer(const union answer *a, const char **ret_params, struct assay_err *err)
{
	const struct dm_target_spec *spec;
	const uint32_t start = a->head.data_start;

	if (a->head.flags & DM_BUFFER_FULL_FLAG)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "a table of more than %zu bytes", sizeof(*a));
	if (!(a->head.flags & DM_ACTIVE_PRESENT_FLAG))
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "the device has no table");
	if (a->head.target_count != 1 || start < sizeof(a->head) || start > sizeof(*a) - sizeof(*spec) - 1)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "the device is of %u targets", a->head.target_count);
	spec = (const struct dm_target_spec *)(const void *)(a->bytes + start);
	if (strncmp(spec->target_type, "verity", sizeof(spec->target_type)) != 0 || spec->sector_start != 0)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "the device is not one of dm-verity");
	*ret_params = a->bytes + start + sizeof(*spec);
	return 0;
}

int assay_dm_root_hash(const char *name, char ret[ASSAY_HEX_MAX], struct assay_err *err)
{
	ASSAY_AUTO_FREE union answer *a = calloc(1, sizeof(*a));
	const char *params = "";
	int fd, r;

	if (!a)
		return assay_fail_mem(err);
	if (strlen(name) == 0 || strlen(name) >= sizeof(a->head.name))
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "a device-mapper name has 1 to %zu characters",
				  sizeof(a->head.name) - 1);
	a->head.version[0] = DM_VERSION_MAJOR;
	a->head.data_size = sizeof(*a) - 1; /* a NUL stays at the end */
	a->head.data_start = sizeof(a->head);
	a->head.flags = DM_STATUS_TABLE_FLAG;
	memcpy(a->head.name, name, strlen(name));
	fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return assay_fail_sys(err, "/dev/mapper/control");
	r = ioctl(fd, DM_TABLE_STATUS, a);
	if (r < 0 && errno == ENXIO)
		assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "the device-mapper has no such device");
	else if (r < 0)
		assay_fail_sys(err, "DM_TABLE_STATUS");
	close(fd);
	if (r < 0)
		return -1;
	a->bytes[sizeof(*a) - 1] = '\0';
	return check_answer(a, &params, err) < 0 ? -1 : assay_dm_verity_parse(params, ret, err);
}
