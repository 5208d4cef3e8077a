/* SPDX-License-Identifier: Apache-2.0 */
/* Container archives in memory, member by member; checksums and digests by this file's own sums and
 * OpenSSL's. */
#ifndef ASSAY_TESTS_CONTAINER_BUILD_H
#define ASSAY_TESTS_CONTAINER_BUILD_H

#include "tests/unit/unit.h"

#include <openssl/sha.h>

struct tar {
	uint8_t *p;
	size_t n, cap;
};

static inline void tar_put(struct tar *t, const void *p, size_t n)
{
	if (t->n + n > t->cap) {
		t->cap = 2 * (t->n + n);
		t->p = realloc(t->p, t->cap);
		assert_non_null(t->p);
	}
	if (n > 0)
		memcpy(t->p + t->n, p, n);
	t->n += n;
}

static inline void tar_sum(uint8_t *h)
{
	unsigned s = 0;

	memset(h + 148, ' ', 8);
	for (size_t i = 0; i < 512; i++)
		s += h[i];
	snprintf((char *)h + 148, 8, "%06o", s);
}

static inline void tar_member(struct tar *t, char type, const char *name, const char *link,
			      const void *data, size_t len)
{
	static const uint8_t zeros[512];
	uint8_t h[512] = { 0 };

	memcpy(h, name, strnlen(name, 100));
	memcpy(h + 157, link, strnlen(link, 100));
	snprintf((char *)h + 124, 12, "%011lo", (unsigned long)len);
	h[156] = (uint8_t)type;
	memcpy(h + 257, "ustar\00000", 8);
	tar_sum(h);
	tar_put(t, h, 512);
	tar_put(t, data, len);
	tar_put(t, zeros, (512 - len % 512) % 512);
}

static inline void tar_end(struct tar *t)
{
	static const uint8_t zeros[1024];

	tar_put(t, zeros, sizeof(zeros));
}

static inline void tar_hex_of(const void *p, size_t n, char hex[65])
{
	uint8_t d[32];

	SHA256(p, n, d);
	for (size_t i = 0; i < 32; i++)
		sprintf(hex + 2 * i, "%02x", d[i]);
}

static const char layer[] = "any bytes are a layer";
#define LAYER_LEN (sizeof(layer) - 1)

/* A docker-archive of n layers, all the same file. */
static inline struct tar tar_docker(size_t n, const char *config_name, const char *diff_id)
{
	struct tar t = { 0 };
	char *config = malloc(200 + n * 80), *list = malloc(400 + n * 8), hex[65];
	size_t c, l;

	tar_hex_of(layer, LAYER_LEN, hex);
	c = (size_t)sprintf(config, "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[");
	l = (size_t)sprintf(list, "[{\"Config\":\"%s\",\"RepoTags\":[\"a:1\"],\"Layers\":[",
			    config_name);
	for (size_t i = 0; i < n; i++) {
		c += (size_t)sprintf(config + c, "%s\"sha256:%s\"", i ? "," : "",
				     diff_id ? diff_id : hex);
		l += (size_t)sprintf(list + l, "%s\"l\"", i ? "," : "");
	}
	c += (size_t)sprintf(config + c, "]}}");
	l += (size_t)sprintf(list + l, "]}]");
	tar_member(&t, '0', "manifest.json", "", list, l);
	tar_member(&t, '0', config_name, "", config, c);
	tar_member(&t, '0', "l", "", layer, LAYER_LEN);
	free(config);
	free(list);
	return t;
}

#endif
