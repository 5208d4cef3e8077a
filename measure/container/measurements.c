/* SPDX-License-Identifier: Apache-2.0 */
/* container_measurements.json: the names of images and their IDs. */
#include <stdlib.h>
#include <string.h>

#include "core/digest.h"
#include "core/limits.h"
#include "core/src.h"
#include "core/text.h"
#include "measure/container/container.h"
#include "measure/container/images_priv.h"

#define PREFIX "@local/"

static int compare(const void *a, const void *b)
{
	const struct assay_measurement *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static void clear_one(struct assay_measurement *m)
{
	free(m->name);
	free(m->archive);
}

/* Takes it over, also when it fails. The same name with the same ID is there once. */
static int add(struct assay_measurements *m, struct assay_measurement *new, struct assay_err *err)
{
	struct assay_measurement *more;
	int rc = 0;

	for (size_t i = 0; i < m->n; i++) {
		if (strcmp(m->m[i].name, new->name) != 0)
			continue;
		if (memcmp(m->m[i].id, new->id, 32) != 0)
			rc = assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET,
					"two images of different IDs have the name %.200s",
					new->name);
		m->m[i].verified &= new->verified;
		clear_one(new);
		return rc;
	}
	more = realloc(m->m, (m->n + 1) * sizeof(*more));
	if (!more) {
		clear_one(new);
		return assay_fail_mem(err);
	}
	m->m = more;
	m->m[m->n++] = *new;
	qsort(m->m, m->n, sizeof(*m->m), compare);
	return 0;
}

/* NAME:TAG of printable ASCII, as reference grammars allow; with a tag. */
static bool good_name(const char *name)
{
	const char *slash = strrchr(name, '/'), *colon = strchr(slash ? slash : name, ':');

	for (const char *p = name; *p; p++)
		if (!(*p >= 'a' && *p <= 'z') && !(*p >= 'A' && *p <= 'Z') &&
		    !(*p >= '0' && *p <= '9') && !strchr("._-/:", *p))
			return false;
	return colon && colon > (slash ? slash + 1 : name) && colon[1] && !strchr(colon + 1, ':');
}

/* The name as it is listed; NULL without memory. ASSAY_E_UNSUPPORTED: it has no tag, or is none. */
static int listed_name(const char *name, char **ret, struct assay_err *err)
{
	static const char *const hosts[] = { "docker.io/library/", "localhost/" };
	struct assay_str shown = { 0 };

	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		if (strncmp(name, hosts[i], strlen(hosts[i])) == 0) {
			name += strlen(hosts[i]);
			break;
		}
	}
	if (!good_name(name)) {
		assay_str_add_escaped(&shown, name, strlen(name));
		assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
			   "the name %.200s is no NAME:TAG", shown.p ? shown.p : "\"\"");
		assay_str_clear(&shown);
		return -1;
	}
	*ret = assay_asprintf(PREFIX "%s", name);
	return *ret ? 0 : assay_fail_mem(err);
}

int assay_measurements_add(struct assay_measurements *m, const struct assay_containers *c,
			   const char *archive, struct assay_err *err)
{
	for (size_t i = 0; i < c->n_images; i++) {
		const struct assay_container_image *image = &c->images[i];
		char hex[ASSAY_HEX_MAX];

		if (image->attestation)
			continue;
		if (image->names.n == 0)
			return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
					  "the image sha256:%s has no name",
					  assay_hex(image->id, 32, hex));
		for (size_t j = 0; j < image->names.n; j++) {
			struct assay_measurement new = { .verified = assay_container_verified(
								 c, image) };

			memcpy(new.id, image->id, 32);
			if (listed_name(image->names.s[j], &new.name, err) < 0)
				return -1;
			new.archive = assay_strdup(archive);
			if (!new.archive) {
				clear_one(&new);
				return assay_fail_mem(err);
			}
			if (add(m, &new, err) < 0)
				return -1;
		}
	}
	return 0;
}

struct parsing {
	struct assay_measurements m;
	struct assay_err *err;
};

static int parse_one(const char *key, const struct assay_json *value, void *arg)
{
	struct parsing *p = arg;
	const char *text = assay_json_str(value);
	uint8_t id[32];

	if (strncmp(key, PREFIX, strlen(PREFIX)) != 0 || !good_name(key + strlen(PREFIX)))
		return assay_fail(p->err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET,
				  "a name that is no " PREFIX "NAME:TAG");
	if (!text || !assay_digest_parse(text, id))
		return assay_fail(p->err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET,
				  "%.200s: no \"sha256:\" and 64 lower-case hex digits", key);
	if (p->m.n == ASSAY_CONTAINER_MAX_IMAGES)
		return assay_fail(p->err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "more than %u names",
				  ASSAY_CONTAINER_MAX_IMAGES);
	struct assay_measurement new = { .name = assay_strdup(key) };
	if (!new.name)
		return assay_fail_mem(p->err);
	memcpy(new.id, id, 32);
	return add(&p->m, &new, p->err);
}

int assay_measurements_parse(const char *text, size_t len, struct assay_measurements *ret,
			     struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *json = NULL;
	struct parsing p = { .err = err };

	if (assay_json_parse(text, len, &json, err) < 0)
		return -1;
	if (!assay_json_is_object(json))
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "no JSON object");
	if (assay_json_each(json, parse_one, &p) != 0) {
		assay_measurements_clear(&p.m);
		return -1;
	}
	*ret = p.m;
	return 0;
}

int assay_measurements_read(struct assay_src *src, struct assay_measurements *ret,
			    struct assay_err *err)
{
	ASSAY_AUTO_FREE uint8_t *text = NULL;

	if (assay_src_read_alloc(src, 0, assay_src_size(src), ASSAY_CONTAINER_MAX_JSON, &text,
				 err) < 0)
		return -1;
	return assay_measurements_parse((const char *)text, (size_t)assay_src_size(src), ret, err);
}

int assay_measurements_load(const char *path, struct assay_measurements *ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;

	if (assay_src_open_file(path, &src, err) < 0)
		return -1;
	return assay_measurements_read(src, ret, err);
}

struct assay_json *assay_measurements_json(const struct assay_measurements *m)
{
	struct assay_json *obj = assay_json_object();

	for (size_t i = 0; i < m->n; i++) {
		char id[7 + ASSAY_HEX_MAX] = "sha256:";

		assay_hex(m->m[i].id, 32, id + 7);
		assay_json_set_str(obj, m->m[i].name, id);
	}
	return obj;
}

void assay_measurements_clear(struct assay_measurements *m)
{
	for (size_t i = 0; i < m->n; i++)
		clear_one(&m->m[i]);
	free(m->m);
	*m = (struct assay_measurements){ 0 };
}

/* --- one list against another ------------------------------------------------------------------
 */

const char *assay_listed_name(enum assay_listed_state state)
{
	static const char *const names[] = { "agrees", "differs", "missing", "unlisted" };

	return names[state];
}

static struct assay_listed judge(const struct assay_measurement *listed,
				 const struct assay_measurement *found)
{
	struct assay_listed m = { .name = (listed ? listed : found)->name,
				  .listed = listed,
				  .found = found };

	if (!found)
		m.state = ASSAY_LISTED_MISSING;
	else if (!listed)
		m.state = ASSAY_LISTED_UNLISTED;
	else if (memcmp(listed->id, found->id, 32) != 0)
		m.state = ASSAY_LISTED_DIFFERS;
	return m;
}

/* Both are sorted. */
int assay_measurements_compare(const struct assay_measurements *listed,
			       const struct assay_measurements *found, struct assay_listed **ret,
			       size_t *ret_n, struct assay_err *err)
{
	struct assay_listed *m = calloc(listed->n + found->n + 1, sizeof(*m));
	size_t i = 0, j = 0, n = 0;

	if (!m)
		return assay_fail_mem(err);
	while (i < listed->n || j < found->n) {
		const int c = i == listed->n  ? 1
			      : j == found->n ? -1
					      : strcmp(listed->m[i].name, found->m[j].name);

		m[n++] = judge(c <= 0 ? &listed->m[i] : NULL, c >= 0 ? &found->m[j] : NULL);
		i += c <= 0;
		j += c >= 0;
	}
	*ret = m;
	*ret_n = n;
	return 0;
}
