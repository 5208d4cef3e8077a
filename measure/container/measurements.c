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

/* Takes the name over. The same name with the same ID is there once. */
static int add(struct assay_measurements *m, char *name, const uint8_t id[32],
	       struct assay_err *err)
{
	ASSAY_AUTO_FREE char *owned = name;

	for (size_t i = 0; i < m->n; i++) {
		if (strcmp(m->m[i].name, name) != 0)
			continue;
		if (memcmp(m->m[i].id, id, 32) == 0)
			return 0;
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET,
				  "two images of different IDs have the name %.200s", name);
	}
	struct assay_measurement *more = realloc(m->m, (m->n + 1) * sizeof(*more));
	if (!more)
		return assay_fail_mem(err);
	m->m = more;
	m->m[m->n].name = assay_steal(&owned);
	memcpy(m->m[m->n].id, id, 32);
	m->n++;
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

static int add_name(struct assay_measurements *m, const char *name, const uint8_t id[32],
		    struct assay_err *err)
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
	char *key = assay_asprintf(PREFIX "%s", name);
	if (!key)
		return assay_fail_mem(err);
	return add(m, key, id, err);
}

int assay_measurements_add(struct assay_measurements *m, const struct assay_containers *c,
			   struct assay_err *err)
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
		for (size_t j = 0; j < image->names.n; j++)
			if (add_name(m, image->names.s[j], image->id, err) < 0)
				return -1;
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
	char *name = assay_strdup(key);
	if (!name)
		return assay_fail_mem(p->err);
	return add(&p->m, name, id, p->err);
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

int assay_measurements_load(const char *path, struct assay_measurements *ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO_FREE uint8_t *text = NULL;

	if (assay_src_open_file(path, &src, err) < 0 ||
	    assay_src_read_alloc(src, 0, assay_src_size(src), ASSAY_CONTAINER_MAX_JSON, &text,
				 err) < 0)
		return -1;
	return assay_measurements_parse((const char *)text, (size_t)assay_src_size(src), ret, err);
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
		free(m->m[i].name);
	free(m->m);
	*m = (struct assay_measurements){ 0 };
}
