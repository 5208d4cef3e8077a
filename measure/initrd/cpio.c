/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/initrd/cpio.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

/* --- headers ------------------------------------------------------------------------------------ */

static bool hex_field(struct assay_cur *c, uint32_t *ret)
{
	uint32_t v = 0;

	for (int i = 0; i < 8; i++) {
		const uint8_t b = assay_cur_u8(c);

		if (b >= '0' && b <= '9')
			v = v << 4 | (uint32_t)(b - '0');
		else if ((b | 0x20) >= 'a' && (b | 0x20) <= 'f')
			v = v << 4 | (uint32_t)((b | 0x20) - 'a' + 10);
		else
			return false;
	}
	*ret = v;
	return true;
}

int assay_cpio_parse_header(struct assay_cur in, struct assay_cpio_header *ret, struct assay_err *err)
{
	static const char *const names[] = { "inode",	   "mode",	    "uid",	   "gid",
					     "link count", "mtime",	    "file size",   "device major",
					     "device minor", "node's major", "node's minor", "name size",
					     "checksum" };
	const uint64_t start = in.at;
	struct assay_cpio_header h;
	uint32_t *const fields[] = { &h.ino,   &h.mode,	 &h.uid,    &h.gid,    &h.nlink,     &h.mtime, &h.size,
				     &h.major, &h.minor, &h.rmajor, &h.rminor, &h.name_size, &h.check };
	char magic[6];

	if (in.left < ASSAY_CPIO_HEADER) {
		assay_cur_skip(&in, ASSAY_CPIO_HEADER);
		return assay_cur_done(&in, "cpio header", err);
	}
	assay_cur_copy(&in, magic, sizeof(magic));
	h.summed = memcmp(magic, "070702", 6) == 0;
	if (memcmp(magic, "070707", 6) == 0)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, start,
				  "cpio header: the old ASCII format (070707), which the kernel refuses");
	if (!h.summed && memcmp(magic, "070701", 6) != 0)
		return assay_fail(err, ASSAY_E_CORRUPT, start, "no cpio magic");
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (!hex_field(&in, fields[i]))
			return assay_fail(err, ASSAY_E_CORRUPT, start + 6 + 8 * i,
					  "cpio header: %s: not eight hex digits", names[i]);
	*ret = h;
	return 0;
}

/* --- the stream --------------------------------------------------------------------------------- */

void assay_cpio_init(struct assay_cpio *c, const struct assay_cpio_sink *sink)
{
	memset(c, 0, sizeof(*c));
	c->sink = *sink;
	c->fresh = true;
}

void assay_cpio_restart(struct assay_cpio *c)
{
	c->state = ASSAY_CPIO_BETWEEN;
	c->pos = 0;
}

static uint32_t padding(uint64_t pos)
{
	return (uint32_t)((4 - pos % 4) % 4);
}

static void enter(struct assay_cpio *c, enum assay_cpio_state state, uint32_t left)
{
	c->state = state;
	c->left = left;
	c->have = 0;
}

static int end_member(struct assay_cpio *c, struct assay_err *err)
{
	if (c->sink.end(c->sink.arg, err) < 0)
		return -1;
	enter(c, ASSAY_CPIO_IN_PADDING, padding(c->pos));
	if (c->left == 0)
		c->state = ASSAY_CPIO_BETWEEN;
	return 0;
}

/* All of the header is there. */
static int got_header(struct assay_cpio *c, struct assay_err *err)
{
	if (assay_cpio_parse_header(assay_cur_make(c->buf, ASSAY_CPIO_HEADER, c->member_at), &c->h, err) < 0)
		return -1;
	c->fresh = false;
	/* The kernel passes over members like these, and what it makes of the rest is up to its buffers. */
	if (c->h.name_size == 0)
		return assay_fail(err, ASSAY_E_CORRUPT, c->member_at, "cpio member without a name");
	if (c->h.name_size > ASSAY_CPIO_MAX_NAME)
		return assay_fail(err, ASSAY_E_LIMIT, c->member_at, "cpio member: a name of %" PRIu32
			       " bytes, limit %u", c->h.name_size, ASSAY_CPIO_MAX_NAME);
	if (c->h.mode > 0xffff)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, c->member_at,
				  "cpio member: mode 0x%08" PRIx32 ", of which the kernel takes 16 bits", c->h.mode);
	if (S_ISLNK(c->h.mode) && c->h.size > ASSAY_CPIO_MAX_NAME)
		return assay_fail(err, ASSAY_E_LIMIT, c->member_at,
			       "cpio member: a symbolic link of %" PRIu32 " bytes, limit %u", c->h.size,
			       ASSAY_CPIO_MAX_NAME);
	if (!S_ISREG(c->h.mode) && !S_ISLNK(c->h.mode) && c->h.size > 0)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, c->member_at,
			       "cpio member of mode 0%" PRIo32 " with %" PRIu32
			       " bytes of data: the kernel passes over it", c->h.mode, c->h.size);
	enter(c, ASSAY_CPIO_IN_NAME, c->h.name_size + padding(c->pos + c->h.name_size));
	return 0;
}

static int got_data(struct assay_cpio *c, struct assay_err *err)
{
	if (c->h.summed && c->sum != c->h.check)
		return assay_fail(err, ASSAY_E_CORRUPT, c->member_at,
			       "cpio member: its data has the sum 0x%08" PRIx32 ", the header says 0x%08" PRIx32,
			       c->sum, c->h.check);
	return end_member(c, err);
}

static int begin_member(struct assay_cpio *c, const char *target, struct assay_err *err)
{
	if (c->sink.begin(c->sink.arg, &c->h, c->name, target, c->member_at, err) < 0)
		return -1;
	c->sum = 0;
	enter(c, ASSAY_CPIO_IN_DATA, target ? 0 : c->h.size);
	if (c->left > 0)
		return 0;
	return S_ISREG(c->h.mode) ? got_data(c, err) : end_member(c, err);
}

static int got_name(struct assay_cpio *c, struct assay_err *err)
{
	const size_t len = c->h.name_size - 1;

	if (c->name[len] != '\0')
		return assay_fail(err, ASSAY_E_CORRUPT, c->member_at, "cpio member: a name without its NUL");
	if (memchr(c->name, '\0', len))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, c->member_at,
			       "cpio member: a NUL within its name, where readers differ");
	if (!S_ISLNK(c->h.mode))
		return begin_member(c, NULL, err);
	enter(c, ASSAY_CPIO_IN_TARGET, c->h.size);
	if (c->left > 0)
		return 0;
	return assay_fail(err, ASSAY_E_CORRUPT, c->member_at, "cpio member: a symbolic link to nothing");
}

static int got_target(struct assay_cpio *c, struct assay_err *err)
{
	/* Some writers end it with a NUL, which is not part of it. */
	const size_t len = strnlen((const char *)c->buf, c->h.size);

	if (len == 0 || len + 1 < c->h.size)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, c->member_at,
			       "cpio member: a NUL within a link's target, where readers differ");
	c->buf[c->h.size] = '\0';
	return begin_member(c, (const char *)c->buf, err);
}

/* The whole of a part is there: on to the next. */
static int part_done(struct assay_cpio *c, struct assay_err *err)
{
	switch (c->state) {
	case ASSAY_CPIO_IN_HEADER:
		return got_header(c, err);
	case ASSAY_CPIO_IN_NAME:
		return got_name(c, err);
	case ASSAY_CPIO_IN_TARGET:
		return got_target(c, err);
	case ASSAY_CPIO_IN_DATA:
		return got_data(c, err);
	default:
		c->state = ASSAY_CPIO_BETWEEN;
		return 0;
	}
}

/* n bytes of the part. */
static int take(struct assay_cpio *c, const uint8_t *p, uint32_t n, struct assay_err *err)
{
	switch (c->state) {
	case ASSAY_CPIO_IN_HEADER:
	case ASSAY_CPIO_IN_TARGET:
		memcpy(c->buf + c->have, p, n);
		break;
	case ASSAY_CPIO_IN_NAME:
		memcpy(c->name + c->have, p, n);
		break;
	case ASSAY_CPIO_IN_DATA:
		for (uint32_t i = 0; c->h.summed && i < n; i++)
			c->sum += p[i];
		if (c->sink.data(c->sink.arg, p, n, err) < 0)
			return -1;
		break;
	default:
		break; /* padding; the kernel does not look at it */
	}
	c->have += n;
	c->pos += n;
	c->left -= n;
	return c->left ? 0 : part_done(c, err);
}

/* Between members; *ret_used grows over zeros. True: a header begins. */
static int between(struct assay_cpio *c, const uint8_t *p, size_t n, size_t *ret_used, bool *ret_header,
		   struct assay_err *err)
{
	size_t i = 0;

	while (!c->fresh && i < n && p[i] == 0)
		i++;
	c->pos += i;
	*ret_used += i;
	*ret_header = i < n && p[i] == '0';
	if (i == n || !*ret_header)
		return 0;
	if (c->pos % 4 != 0)
		return assay_fail(err, ASSAY_E_CORRUPT, c->pos, "cpio header at a byte that is no multiple of 4");
	c->member_at = c->pos;
	enter(c, ASSAY_CPIO_IN_HEADER, ASSAY_CPIO_HEADER);
	return 0;
}

int assay_cpio_feed(struct assay_cpio *c, const uint8_t *p, size_t n, size_t *ret_used,
		    struct assay_err *err)
{
	size_t used = 0;

	while (used < n) {
		if (c->state == ASSAY_CPIO_BETWEEN) {
			bool header;

			if (between(c, p + used, n - used, &used, &header, err) < 0)
				return -1;
			if (!header)
				break;
		}
		const uint32_t step = n - used < c->left ? (uint32_t)(n - used) : c->left;

		if (take(c, p + used, step, err) < 0)
			return -1;
		used += step;
	}
	*ret_used = used;
	return 0;
}

int assay_cpio_finish(const struct assay_cpio *c, struct assay_err *err)
{
	static const char *const parts[] = { [ASSAY_CPIO_BETWEEN] = "",
					     [ASSAY_CPIO_IN_HEADER] = "its header",
					     [ASSAY_CPIO_IN_NAME] = "its name",
					     [ASSAY_CPIO_IN_TARGET] = "its target",
					     [ASSAY_CPIO_IN_DATA] = "its data",
					     [ASSAY_CPIO_IN_PADDING] = "its padding" };

	if (c->state == ASSAY_CPIO_BETWEEN || c->state == ASSAY_CPIO_IN_PADDING)
		return 0;
	return assay_fail(err, ASSAY_E_CORRUPT, c->member_at,
		       "cpio member: %s cut short: %" PRIu32 " more bytes wanted", parts[c->state], c->left);
}
