/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/container_build.h"

#include "core/limits.h"
#include "measure/container/container.h"
#include "measure/container/container_priv.h"

static int read_tar(const struct tar *t, size_t len, uint64_t max, struct assay_containers **ret,
		    struct assay_err *err)
{
	const struct assay_container_opts opts = { .max_layer = max };
	ASSAY_AUTO(assay_src) *src = NULL;
	/* Exactly as large, so that a sanitizer sees a read past its end. */
	uint8_t *copy = malloc(len ? len : 1);

	memcpy(copy, t->p, len);
	assert_int_equal(assay_src_from_mem(copy, len, &src, err), 0);
	const int r = assay_containers_read(src, &opts, ret, err);

	assay_src_free(&src);
	free(copy);
	return r;
}

/* Ends the archive, and frees it. */
static void good(struct tar t)
{
	ASSAY_AUTO(assay_containers) *c = NULL;
	struct assay_err err = { 0 };

	tar_end(&t);
	if (read_tar(&t, t.n, 0, &c, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(c->n_images, 1);
	assert_true(assay_container_verified(c, &c->images[0]));
	free(t.p);
}

static void bad(struct tar t, enum assay_code code, const char *msg)
{
	struct assay_containers *c = (void *)&t;
	struct assay_err err = { 0 };

	tar_end(&t);
	assert_int_equal(read_tar(&t, t.n, 0, &c, &err), -1);
	if (err.code != code || !strstr(err.msg, msg))
		fail_msg("code %d, %s", (int)err.code, err.msg);
	assert_ptr_equal(c, &t);
	free(t.p);
}

/* --- tests -------------------------------------------------------------------------------------
 */

static void ids_and_layers(void **state)
{
	ASSAY_AUTO(assay_containers) *c = NULL;
	struct tar t = tar_docker(2, "c.json", NULL);
	struct assay_err err;
	uint8_t id[32];

	(void)state;
	tar_end(&t);
	assert_int_equal(read_tar(&t, t.n, 0, &c, &err), 0);
	SHA256(t.p + 512 * 3, strlen((char *)t.p + 512 * 3), id);
	assert_memory_equal(c->images[0].id, id, 32);
	assert_int_equal(c->n_blobs, 1); /* shared */
	assert_int_equal(c->blobs[0].unpacked, LAYER_LEN);
	assert_int_equal(c->images[0].disagreements.n, 0);
	assert_string_equal(c->images[0].names.s[0], "a:1");
	free(t.p);
}

static void wrong_digests(void **state)
{
	char zeros[65], name[80];
	ASSAY_AUTO(assay_containers) *c = NULL;
	struct assay_err err;

	(void)state;
	memset(zeros, '0', 64);
	zeros[64] = '\0';
	snprintf(name, sizeof(name), "%s.json", zeros);
	struct tar t = tar_docker(1, name, zeros);
	tar_end(&t);
	assert_int_equal(read_tar(&t, t.n, 0, &c, &err), 0);
	assert_false(assay_container_verified(c, &c->images[0]));
	assert_int_equal(c->images[0].layers[0].state, ASSAY_LAYER_DIFFERENT);
	assert_int_equal(c->images[0].disagreements.n, 1);
	free(t.p);
	bad(tar_docker(1, "c", "ABC"), ASSAY_E_UNSUPPORTED, "lower-case hex digits: sha256:ABC");
}

static void every_cut(void **state)
{
	struct tar t = tar_docker(1, "c", NULL);
	const size_t whole = t.n;

	(void)state;
	tar_end(&t);
	for (size_t len = 0; len < t.n; len++) {
		struct assay_containers *c = NULL;
		struct assay_err err = { 0 };
		const int r = read_tar(&t, len, 0, &c, &err);

		/* One block of zeros at the very end is an end mark. */
		assert_int_equal(r, len == whole + 512 ? 0 : -1);
		assert_true(r == 0 || err.code == ASSAY_E_CORRUPT);
		assay_containers_free(&c);
	}
	free(t.p);
}

static void names(void **state)
{
	struct tar t;

	(void)state;
	t = tar_docker(1, "c", NULL);
	tar_member(&t, '0', "./l", "", "", 0);
	bad(t, ASSAY_E_UNSUPPORTED, "twice");
	t = tar_docker(1, "c", NULL);
	tar_member(&t, '5', "d/", "", "", 0);
	tar_member(&t, '5', "d", "", "", 0);
	good(t);
	t = tar_docker(1, "c", NULL);
	tar_member(&t, '0', "x/../l", "", "", 0);
	bad(t, ASSAY_E_UNSUPPORTED, "..");
	t = tar_docker(1, "c", NULL);
	tar_member(&t, '0', "l/below", "", "", 0);
	bad(t, ASSAY_E_UNSUPPORTED, "below");
	t = tar_docker(1, "c", NULL);
	tar_member(&t, 'S', "s", "", "", 0);
	bad(t, ASSAY_E_UNSUPPORTED, "sparse");
	t = tar_docker(1, "c", NULL);
	tar_member(&t, 'x', "p", "", "22 GNU.sparse.major=1\n", 22);
	bad(t, ASSAY_E_UNSUPPORTED, "sparse");
	t = tar_docker(1, "c", NULL);
	tar_member(&t, 'g', "p", "", "10 path=l\n", 10);
	bad(t, ASSAY_E_UNSUPPORTED, "global");
	t = tar_docker(1, "c", NULL);
	tar_member(&t, 'x', "p", "", "10 path=l\n", 10);
	tar_member(&t, '0', "other", "", "", 0);
	bad(t, ASSAY_E_UNSUPPORTED, "twice");
	t = tar_docker(1, "c", NULL);
	tar_member(&t, 'x', "p", "", "99 path=l\n", 10);
	bad(t, ASSAY_E_CORRUPT, "pax");
	t = tar_docker(1, "c", NULL);
	tar_member(&t, '2', "s", "l", "data", 4);
	bad(t, ASSAY_E_UNSUPPORTED, "4 bytes of data");
	t = tar_docker(1, "c", NULL);
	tar_end(&t);
	t.n -= 512;
	tar_member(&t, '0', "after", "", "", 0);
	bad(t, ASSAY_E_UNSUPPORTED, "single block of zeros");
	t = tar_docker(1, "c", NULL);
	t.p[0] ^= 1;
	bad(t, ASSAY_E_CORRUPT, "checksum");
}

/* A chain of n links to the layer, found by its far end. */
static struct tar chain(unsigned n)
{
	struct tar t = tar_docker(1, "c", NULL);
	char name[8] = "l", to[8];

	/* the list names "l": rename the layer's own entry, and begin the chain there */
	uint8_t *h = t.p + t.n - 1024;
	h[0] = 'z';
	tar_sum(h);
	for (unsigned i = 0; i < n; i++) {
		if (i + 1 == n)
			snprintf(to, sizeof(to), "z");
		else
			snprintf(to, sizeof(to), "n%u", i);
		tar_member(&t, i % 2 ? '1' : '2', name, to, "", 0);
		snprintf(name, sizeof(name), "%s", to);
	}
	return t;
}

static void ceilings(void **state)
{
	ASSAY_AUTO(assay_containers) *c = NULL;
	struct assay_err err;
	struct tar t;

	(void)state;
	good(chain(ASSAY_TAR_MAX_LINKS - 1));
	good(chain(ASSAY_TAR_MAX_LINKS));
	bad(chain(ASSAY_TAR_MAX_LINKS + 1), ASSAY_E_LIMIT, "links");
	good(tar_docker(ASSAY_CONTAINER_MAX_LAYERS - 1, "c", NULL));
	good(tar_docker(ASSAY_CONTAINER_MAX_LAYERS, "c", NULL));
	bad(tar_docker(ASSAY_CONTAINER_MAX_LAYERS + 1, "c", NULL), ASSAY_E_LIMIT, "layers");
	for (unsigned over = 0; over < 2; over++) {
		t = tar_docker(1, "c", NULL);
		for (unsigned i = 3; i < ASSAY_TAR_MAX_ENTRIES + over; i++)
			tar_member(&t, '5', "d", "", "", 0);
		if (over)
			bad(t, ASSAY_E_LIMIT, "tar headers");
		else
			good(t);
	}
	t = tar_docker(1, "c", NULL);
	tar_end(&t);
	assert_int_equal(read_tar(&t, t.n, LAYER_LEN, &c, &err), 0);
	assay_containers_free(&c);
	assert_int_equal(read_tar(&t, t.n, LAYER_LEN - 1, &c, &err), -1);
	assert_int_equal(err.code, ASSAY_E_LIMIT);
	free(t.p);
}

/* The seeds of the fuzz target that other tools packed: xz, bzip2, gzip in two members, zstd with a
 * skippable frame behind. */
static void seeds(void **state)
{
	static const struct {
		const char *name;
		enum assay_packing packing;
		bool damaged;
	} rows[] = {
		{ "xz", ASSAY_PACKING_XZ, false },
		{ "bzip2", ASSAY_PACKING_BZIP2, false },
		{ "members", ASSAY_PACKING_GZIP, false },
		{ "skippable", ASSAY_PACKING_ZSTD, false },
		{ "damaged", ASSAY_PACKING_GZIP, true },
	};
	const struct assay_container_opts opts = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ASSAY_AUTO(assay_containers) *c = NULL;
		ASSAY_AUTO(assay_src) *src = NULL;
		struct assay_err err = { 0 };
		char path[100];

		snprintf(path, sizeof(path), "tests/corpus/container/docker-%s", rows[i].name);
		if (assay_src_open_file(path, &src, &err) < 0 ||
		    assay_containers_read(src, &opts, &c, &err) < 0)
			fail_msg("%s: %s", path, err.msg);
		assert_int_equal(c->blobs[0].packing, rows[i].packing);
		assert_int_equal(c->blobs[0].damage != NULL, rows[i].damaged);
		assert_int_equal(assay_container_verified(c, &c->images[0]), !rows[i].damaged);
	}
}

static int parse(const char *text, struct assay_measurements *m, struct assay_err *err)
{
	return assay_measurements_parse(text, strlen(text), m, err);
}

static void measurements(void **state)
{
#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	struct assay_measurements m = { 0 };
	struct assay_err err;

	(void)state;
	assert_int_equal(parse("{\"@local/b:1\":\"sha256:" HEX "\",\"@local/a:1\":\"sha256:" HEX
			       "\"}",
			       &m, &err),
			 0);
	assert_int_equal(m.n, 2);
	assert_string_equal(m.m[0].name, "@local/a:1");
	assay_measurements_clear(&m);
	assert_int_equal(parse("[]", &m, &err), -1);
	assert_int_equal(parse("{\"b:1\":\"sha256:" HEX "\"}", &m, &err), -1);
	assert_int_equal(parse("{\"@local/b\":\"sha256:" HEX "\"}", &m, &err), -1);
	assert_int_equal(parse("{\"@local/b:\":\"sha256:" HEX "\"}", &m, &err), -1);
	assert_int_equal(parse("{\"@local/b:1\":\"" HEX "\"}", &m, &err), -1);
	assert_int_equal(parse("{\"@local/b:1\":\"sha256:" HEX "0\"}", &m, &err), -1);
	assert_int_equal(parse("{\"@local/b:1\":\"sha256:A123456789abcdef" HEX "\"}", &m, &err),
			 -1);
	assert_null(m.m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_and_layers), cmocka_unit_test(wrong_digests),
		cmocka_unit_test(every_cut),	  cmocka_unit_test(names),
		cmocka_unit_test(ceilings),	  cmocka_unit_test(seeds),
		cmocka_unit_test(measurements),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("container", tests, NULL, NULL);
}
