/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/ca.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "core/clock.h"
#include "core/ossl.h"
#include "core/out.h"
#include "core/outdir.h"
#include "core/text.h"
#include "tpm/credential.h"
#include "tpm/enroll.h"
#include "verify/ca_priv.h"

#define PENDING "assay.ak-pending/1"

int assay_akca_init(const char *dir, const char *cn, int64_t now, unsigned days, struct assay_err *err)
{
	ASSAY_AUTO(assay_outdir) *out = NULL;
	ASSAY_AUTO_FREE char *cert = NULL;
	char *key = NULL;
	uint8_t serial[20];
	int r;

	if (assay_outdir_open(dir, &out, err) < 0 || assay_akca_serial(serial, err) < 0 ||
	    assay_akca_self(cn, serial, now, days, &cert, &key, err) < 0)
		return -1;
	r = assay_outdir_add(out, "ca.key", key, strlen(key), err);
	OPENSSL_cleanse(key, strlen(key));
	free(key);
	return r < 0 || assay_outdir_add(out, "ca.pem", cert, strlen(cert), err) < 0 ? -1 : assay_outdir_commit(out, err);
}

/* DIR/FOLDER/NAME, the folder made where it is not there. */
static int path_in(const char *dir, const char *folder, const char *name, const char *end, char **ret, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *top = assay_asprintf("%s/%s", dir, folder);

	*ret = top ? assay_asprintf("%s/%s%s", top, name, end) : NULL;
	if (!*ret)
		return assay_fail_mem(err);
	if (mkdir(top, 0777) < 0 && errno != EEXIST)
		return assay_fail_sys(err, "%s", top);
	return 0;
}

static int sha256_hex(const void *p, size_t len, char ret[65], struct assay_err *err)
{
	const struct assay_part part = { p, len };
	uint8_t d[32];

	if (assay_digest_one(ASSAY_SHA256, &part, 1, d, err) < 0)
		return -1;
	assay_hex(d, sizeof(d), ret);
	return 0;
}

/* --- challenges --------------------------------------------------------------------------------- */

static int keep_pending(const char *dir, const char *id, const char *request, size_t len, const uint8_t *secret, int64_t now,
			struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *o = assay_json_object();
	ASSAY_AUTO(assay_out) *out = NULL;
	ASSAY_AUTO_FREE char *path = NULL;
	char of_request[65], of_secret[65], expires[ASSAY_CLOCK_TEXT];

	if (sha256_hex(request, len, of_request, err) < 0 || sha256_hex(secret, ASSAY_ENROLL_SECRET, of_secret, err) < 0)
		return -1;
	assay_json_set_str(o, "schema", PENDING);
	assay_json_set_str(o, "request", of_request);
	assay_json_set_str(o, "secret", of_secret);
	assay_json_set_str(o, "expires", assay_clock_text(now + ASSAY_AKCA_ANSWER_SECONDS, expires));
	if (path_in(dir, "challenges", id, ".json", &path, err) < 0)
		return -1;
	if (assay_out_open(path, &out, err) < 0 || assay_json_write(o, out, err) < 0 || assay_out_commit(out, err) < 0)
		return assay_wrap(err, "%s", path);
	return 0;
}

static int judge_request(const struct assay_enroll_request *r, const struct assay_anchors *trust, int64_t now, struct assay_err *err)
{
	if (assay_tpm_public_attests(&r->ak, err) < 0 ||
	    (r->ak.kind == ASSAY_TPM_RSA && r->ak.bits < 2048 &&
	     assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "an attestation key of %u bits", r->ak.bits) < 0)) {
		/* Checked, and refused. */
		if (err)
			err->code = ASSAY_E_MISMATCH;
		return -1;
	}
	if (!r->ek_certificate)
		return assay_fail(err, ASSAY_E_MISMATCH, ASSAY_NO_OFFSET,
				  "the request has no certificate of the TPM's endorsement key: nobody says that it is a TPM");
	return assay_akca_judge_ek(r->ek_certificate, &r->ek, trust, now, err);
}

int assay_akca_challenge(const char *dir, const char *request, size_t len, const struct assay_anchors *trust, int64_t now,
			 struct assay_json **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_enroll_request) *r = NULL;
	struct assay_akca ca = { 0 };
	struct assay_enroll_challenge challenge = { 0 };
	struct assay_credential credential;
	uint8_t id[32], secret[ASSAY_ENROLL_SECRET];
	int made = -1;

	/* Whoever has mistaken the folder is told before any machine does work. */
	if (assay_akca_load(dir, &ca, err) < 0)
		return -1;
	assay_akca_clear(&ca);
	if (assay_enroll_request_parse(request, len, &r, err) < 0 || judge_request(r, trust, now, err) < 0)
		return -1;
	if (RAND_bytes_ex(assay_ossl_lib(), id, sizeof(id), 0) <= 0 || RAND_priv_bytes_ex(assay_ossl_lib(), secret, sizeof(secret), 0) <= 0)
		return assay_fail_openssl(err, "random bytes");
	assay_hex(id, sizeof(id), challenge.id);
	if (assay_credential_make(&r->ek, r->ak_name, r->ak_name_len, secret, sizeof(secret), &credential, err) == 0)
		made = keep_pending(dir, challenge.id, request, len, secret, now, err);
	OPENSSL_cleanse(secret, sizeof(secret));
	if (made < 0)
		return -1;
	challenge.ek = r->ek.kind;
	if (assay_tpm_public_name(r->ek_public, r->ek_public_len, challenge.ek_name, &challenge.ek_name_len, err) < 0)
		return -1;
	challenge.blob = credential.blob;
	challenge.blob_len = credential.blob_len;
	challenge.seed = credential.seed;
	challenge.seed_len = credential.seed_len;
	*ret = assay_enroll_challenge_json(&challenge);
	return 0;
}

/* --- issuing ------------------------------------------------------------------------------------ */

static int not_pending(struct assay_err *err, const char *why)
{
	return assay_fail(err, ASSAY_E_MISMATCH, ASSAY_NO_OFFSET, "the answer's challenge %s", why);
}

/* Is it an answer to a challenge of ours for this request? *ret_path: what is to be taken away. */
static int judge_answer(const char *dir, const char *request, size_t len, const struct assay_enroll_answer *answer, int64_t now,
			char **ret_path, struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *o = NULL;
	ASSAY_AUTO_FREE char *path = NULL;
	char of_request[65], of_secret[65];
	int64_t expires;

	if (path_in(dir, "challenges", answer->id, ".json", &path, err) < 0)
		return -1;
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return not_pending(err, "is none of this CA's, or has been answered already");
	if (assay_json_load(path, &o, err) < 0)
		return assay_wrap(err, "%s", path);
	const char *schema = assay_json_str(assay_json_get(o, "schema")), *for_request = assay_json_str(assay_json_get(o, "request"));
	const char *secret = assay_json_str(assay_json_get(o, "secret")), *until = assay_json_str(assay_json_get(o, "expires"));
	if (!schema || strcmp(schema, PENDING) != 0 || !for_request || strlen(for_request) != 64 || !secret || strlen(secret) != 64 ||
	    !until || assay_clock_parse(until, &expires, NULL) < 0)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "%s: not what this program wrote", path);
	if (sha256_hex(request, len, of_request, err) < 0 || sha256_hex(answer->secret, sizeof(answer->secret), of_secret, err) < 0)
		return -1;
	if (!assay_bytes_equal(for_request, of_request, 64))
		return not_pending(err, "is for another request");
	if (!assay_bytes_equal(secret, of_secret, 64))
		return not_pending(err, "has another secret");
	if (now >= expires)
		return not_pending(err, "is too old: make a new one");
	*ret_path = assay_steal(&path);
	return 0;
}

/* A serial number that nobody has: its file is made, empty. */
static int reserve(const char *dir, uint8_t serial[20], char **ret_path, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *path = NULL;
	char hex[41];

	if (assay_akca_serial(serial, err) < 0 || path_in(dir, "issued", assay_hex(serial, 20, hex), ".pem", &path, err) < 0)
		return -1;
	const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return assay_fail_sys(err, "%s", path);
	close(fd);
	*ret_path = assay_steal(&path);
	return 0;
}

static int keep(const char *path, const char *pem, struct assay_err *err)
{
	ASSAY_AUTO(assay_out) *out = NULL;

	if (assay_out_open(path, &out, err) < 0)
		return assay_wrap(err, "%s", path);
	assay_out_write(out, pem, strlen(pem));
	return assay_out_commit(out, err) < 0 ? assay_wrap(err, "%s", path) : 0;
}

static int sign_and_take(const struct assay_akca *ca, const char *dir, const char *pending, const struct assay_enroll_request *r,
			 int64_t now, unsigned days, char **ret, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *path = NULL, *pem = NULL;
	uint8_t serial[20];
	char name[33], cn[64];

	assay_hex(r->ak_name + 2, 16, name);
	snprintf(cn, sizeof(cn), "attestation key %s", name);
	if (reserve(dir, serial, &path, err) < 0)
		return -1;
	int done = assay_akca_sign(ca, &r->ak, cn, serial, now, days, &pem, err);
	/* Of two that have the same answer one takes the challenge away. */
	if (done == 0 && unlink(pending) < 0)
		done = errno == ENOENT ? not_pending(err, "has been answered already") : assay_fail_sys(err, "%s", pending);
	if (done == 0)
		done = keep(path, pem, err);
	if (done < 0) {
		(void)unlink(path);
		return -1;
	}
	*ret = assay_steal(&pem);
	return 0;
}

int assay_akca_issue(const char *dir, const char *request, size_t request_len, const char *answer, size_t answer_len, int64_t now,
		     unsigned days, char **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_enroll_request) *r = NULL;
	ASSAY_AUTO_FREE char *pending = NULL;
	struct assay_enroll_answer a;
	struct assay_akca ca = { 0 };

	if (assay_akca_load(dir, &ca, err) < 0)
		return -1;
	int done = assay_enroll_request_parse(request, request_len, &r, err);
	if (done == 0 && assay_enroll_answer_parse(answer, answer_len, &a, err) < 0)
		done = assay_wrap(err, "the answer");
	if (done == 0)
		done = judge_answer(dir, request, request_len, &a, now, &pending, err);
	if (done == 0)
		done = sign_and_take(&ca, dir, pending, r, now, days, ret, err);
	assay_akca_clear(&ca);
	return done;
}
