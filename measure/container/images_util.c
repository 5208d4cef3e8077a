/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/container/images_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/digest.h"
#include "core/limits.h"
#include "core/text.h"
#include "measure/container/container_priv.h"

/* --- strings -----------------------------------------------------------------------------------
 */

int assay_strings_add(struct assay_strings *list, const char *s, struct assay_err *err)
{
	char **more = realloc(list->s, (list->n + 1) * sizeof(*more));

	if (!more)
		return assay_fail_mem(err);
	list->s = more;
	list->s[list->n] = assay_strdup(s);
	if (!list->s[list->n])
		return assay_fail_mem(err);
	list->n++;
	return 0;
}

int assay_strings_add_once(struct assay_strings *list, const char *s, struct assay_err *err)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->s[i], s) == 0)
			return 0;
	if (list->n == ASSAY_CONTAINER_MAX_NAMES)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET,
				  "more than %u names of an image, or remarks about it",
				  ASSAY_CONTAINER_MAX_NAMES);
	return assay_strings_add(list, s, err);
}

static int __attribute__((format(printf, 3, 0)))
add_va(struct assay_strings *list, struct assay_err *err, const char *fmt, va_list ap)
{
	char *text = NULL;

	if (vasprintf(&text, fmt, ap) < 0)
		return assay_fail_mem(err);
	const int r = assay_strings_add_once(list, text, err);
	free(text);
	return r;
}

int assay_strings_addf(struct assay_strings *list, struct assay_err *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	const int r = add_va(list, err, fmt, ap);
	va_end(ap);
	return r;
}

int assay_container_disagree(struct assay_container_image *image, struct assay_err *err,
			     const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	const int r = add_va(&image->disagreements, err, fmt, ap);
	va_end(ap);
	return r;
}

void assay_strings_clear(struct assay_strings *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->s[i]);
	free(list->s);
	*list = (struct assay_strings){ 0 };
}

int assay_container_wrap(struct assay_err *err, const char *noun, const char *path)
{
	struct assay_str s = { 0 };

	assay_str_add_escaped(&s, path, strlen(path));
	assay_wrap(err, "%s %.200s", noun, s.p ? s.p : "");
	assay_str_clear(&s);
	return -1;
}

bool assay_digest_parse(const char *s, uint8_t ret[32])
{
	if (strncmp(s, "sha256:", 7) != 0)
		return false;
	for (const char *p = s + 7; *p; p++)
		if (*p >= 'A' && *p <= 'F')
			return false;
	return assay_unhex(s + 7, strlen(s + 7), ret, 32);
}

int assay_digest_need(const char *text, const char *what, uint8_t ret[32], struct assay_err *err)
{
	struct assay_str s = { 0 };

	if (!text)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "JSON: %s is no text",
				  what);
	if (assay_digest_parse(text, ret))
		return 0;
	assay_str_add_escaped(&s, text, strnlen(text, 150));
	assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
		   "JSON: %s is not \"sha256:\" and 64 lower-case hex digits: %s", what,
		   s.p ? s.p : "");
	assay_str_clear(&s);
	return -1;
}

bool assay_blob_claim(const char *path, uint8_t ret[32])
{
	const char *prefix = "blobs/sha256/";

	return strncmp(path, prefix, strlen(prefix)) == 0 &&
	       assay_unhex(path + strlen(prefix), strlen(path + strlen(prefix)), ret, 32);
}

/* --- ownership ---------------------------------------------------------------------------------
 */

void assay_container_image_clear(struct assay_container_image *image)
{
	free(image->config);
	free(image->os);
	free(image->architecture);
	assay_strings_clear(&image->names);
	assay_strings_clear(&image->disagreements);
	free(image->layers);
	*image = (struct assay_container_image){ 0 };
}

void assay_containers_free(struct assay_containers **cp)
{
	struct assay_containers *c = cp ? assay_steal(cp) : NULL;

	if (!c)
		return;
	for (size_t i = 0; i < c->n_images; i++)
		assay_container_image_clear(&c->images[i]);
	for (size_t i = 0; i < c->n_blobs; i++) {
		free(c->blobs[i].path);
		free(c->blobs[i].damage);
	}
	free(c->images);
	free(c->blobs);
	free(c);
}

/* --- JSON --------------------------------------------------------------------------------------
 */

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* Unicode has two more: the long s, and the sign for kelvin. */
static bool same_folded(const char *key, const char *want)
{
	for (; *want; want++) {
		if (lower(*want) == 's' && strncmp(key, "\xc5\xbf", 2) == 0)
			key += 2;
		else if (lower(*want) == 'k' && strncmp(key, "\xe2\x84\xaa", 3) == 0)
			key += 3;
		else if (lower(*key) == lower(*want))
			key++;
		else
			return false;
	}
	return *key == '\0';
}

static int is_other_key(const char *key, const struct assay_json *value, void *arg)
{
	const char *const *want = arg;

	(void)value;
	return strcmp(key, *want) != 0 && same_folded(key, *want);
}

int assay_ci_get(const struct assay_json *obj, const char *key, const struct assay_json **ret,
		 struct assay_err *err)
{
	if (!obj || !assay_json_is_object(obj))
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET,
				  "JSON: an object with \"%s\" is missing", key);
	if (assay_json_each(obj, is_other_key, &key))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "JSON: a key that some readers take for \"%s\" and some do not",
				  key);
	*ret = assay_json_get(obj, key);
	return 0;
}

int assay_ci_need(const struct assay_json *obj, const char *key, enum assay_ci_kind kind,
		  const struct assay_json **ret, struct assay_err *err)
{
	static const char *const names[] = { "text", "array", "object" };
	const struct assay_json *node;

	if (assay_ci_get(obj, key, &node, err) < 0)
		return -1;
	if (!node || !(kind == ASSAY_CI_STRING	? assay_json_str(node) != NULL
		       : kind == ASSAY_CI_ARRAY ? assay_json_is_array(node)
						: assay_json_is_object(node)))
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "JSON: no %s \"%s\"",
				  names[kind], key);
	*ret = node;
	return 0;
}
