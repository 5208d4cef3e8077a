/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/pe/sbat.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"

#define N_FIELDS 6

struct field {
	const char *p;
	size_t len;
};

static struct field trimmed(const char *p, size_t len)
{
	while (len > 0 && (*p == ' ' || *p == '\t')) {
		p++;
		len--;
	}
	while (len > 0 && (p[len - 1] == ' ' || p[len - 1] == '\t' || p[len - 1] == '\r'))
		len--;
	return (struct field){ p, len };
}

static bool generation(struct field f, uint32_t *ret)
{
	uint64_t v = 0;

	if (f.len == 0 || f.len > 10)
		return false;
	for (size_t i = 0; i < f.len; i++) {
		if (f.p[i] < '0' || f.p[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(f.p[i] - '0');
	}
	if (v == 0 || v > INT32_MAX)
		return false;
	*ret = (uint32_t)v;
	return true;
}

static void clear_row(struct assay_sbat_row *row)
{
	free(row->component);
	free(row->vendor);
	free(row->package);
	free(row->version);
	free(row->url);
}

/* One line, which is not empty. */
static int parse_row(const char *line, size_t len, uint64_t at, size_t nr,
		     struct assay_sbat_row *ret, struct assay_err *err)
{
	struct field f[N_FIELDS];
	struct assay_sbat_row row = { 0 };
	const char *p = line, *end = line + len;
	size_t n = 0;

	while (n < N_FIELDS) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		const char *stop = comma ? comma : end;

		f[n++] = trimmed(p, (size_t)(stop - p));
		if (!comma)
			break;
		p = comma + 1;
	}
	if (n < N_FIELDS)
		return assay_fail(err, ASSAY_E_CORRUPT, at, "SBAT line %zu: %zu fields, %d wanted",
				  nr, n, N_FIELDS);
	if (f[0].len == 0)
		return assay_fail(err, ASSAY_E_CORRUPT, at, "SBAT line %zu: no component name", nr);
	if (!generation(f[1], &row.generation))
		return assay_fail(err, ASSAY_E_CORRUPT, at,
				  "SBAT line %zu: the generation is no number from 1 to %d", nr,
				  INT32_MAX);
	row.component = strndup(f[0].p, f[0].len);
	row.vendor = strndup(f[2].p, f[2].len);
	row.package = strndup(f[3].p, f[3].len);
	row.version = strndup(f[4].p, f[4].len);
	row.url = strndup(f[5].p, f[5].len);
	if (!row.component || !row.vendor || !row.package || !row.version || !row.url) {
		clear_row(&row);
		return assay_fail_mem(err);
	}
	*ret = row;
	return 0;
}

static int add_row(struct assay_sbat *sbat, const char *line, size_t len, uint64_t at, size_t nr,
		   struct assay_err *err)
{
	struct assay_sbat_row *more;

	if (sbat->n == ASSAY_SBAT_MAX_ROWS)
		return assay_fail(err, ASSAY_E_LIMIT, at, "SBAT line %zu: more than %d rows", nr,
				  ASSAY_SBAT_MAX_ROWS);
	more = realloc(sbat->rows, (sbat->n + 1) * sizeof(*more));
	if (!more)
		return assay_fail_mem(err);
	sbat->rows = more;
	if (parse_row(line, len, at, nr, &sbat->rows[sbat->n], err) < 0)
		return -1;
	sbat->n++;
	return 0;
}

int assay_sbat_parse(const char *text, size_t len, uint64_t at, struct assay_sbat *ret,
		     struct assay_err *err)
{
	struct assay_sbat sbat = { 0 };
	size_t nr = 0, pos = 0;

	if (len > ASSAY_SBAT_MAX_SIZE)
		return assay_fail(err, ASSAY_E_LIMIT, at, "SBAT of %zu bytes, limit %u", len,
				  ASSAY_SBAT_MAX_SIZE);
	len = strnlen(text, len);
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		pos = 3;
	while (pos < len) {
		const char *line = text + pos;
		const char *newline = memchr(line, '\n', len - pos);
		const size_t n = newline ? (size_t)(newline - line) : len - pos;

		nr++;
		if (trimmed(line, n).len > 0 &&
		    add_row(&sbat, line, n, at == ASSAY_NO_OFFSET ? at : at + pos, nr, err) < 0) {
			assay_sbat_clear(&sbat);
			return -1;
		}
		pos += n + 1;
	}
	*ret = sbat;
	return 0;
}

const struct assay_sbat_row *assay_sbat_find(const struct assay_sbat *sbat, const char *component)
{
	for (size_t i = 0; i < sbat->n; i++)
		if (strcmp(sbat->rows[i].component, component) == 0)
			return &sbat->rows[i];
	return NULL;
}

void assay_sbat_clear(struct assay_sbat *sbat)
{
	for (size_t i = 0; i < sbat->n; i++)
		clear_row(&sbat->rows[i]);
	free(sbat->rows);
	memset(sbat, 0, sizeof(*sbat));
}
