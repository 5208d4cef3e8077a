/* SPDX-License-Identifier: Apache-2.0 */
/* Key and certificate without a TPM: what is measured goes into a log in memory. */
#include <fcntl.h>
#include <linux/magic.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "attest/tls.h"
#include "attest/tls_priv.h"
#include "core/text.h"
#include "tests/unit/alloc.h"
#include "tests/unit/unit.h"

static char dir[] = "/dev/shm/assay-test-XXXXXX";
static char key[100], cert[100], key_new[100];
static const char *names[] = { "machine.example", "localhost", "127.0.0.1", "::1", "*.machine.example" };
static struct assay_tls_options opt;
static struct assay_cel *log_;
static enum { WELL, REFUSES, DIES_BEFORE, DIES_AFTER, FAILS_AFTER } measures;

static int measure(void *arg, const char *pem, size_t len, struct assay_err *err)
{
	const struct assay_runtime_event ev = { ASSAY_CARRY_CERTIFICATE, pem, len };

	assert_ptr_equal(arg, &measures);
	/* Nobody can have the certificate yet. */
	if (!opt.renew)
		assert_int_not_equal(access(cert, F_OK), 0);
	if (measures == REFUSES)
		return assay_fail(err, ASSAY_E_TPM, ASSAY_NO_OFFSET, "refused");
	if (measures == DIES_BEFORE)
		_exit(7);
	if (assay_cel_add(log_, 15, &ev, ASSAY_BANK_BIT(ASSAY_SHA256), NULL, err) < 0)
		return -1;
	return measures == FAILS_AFTER ? assay_fail(err, ASSAY_E_TPM, ASSAY_NO_OFFSET, "who knows") : 0;
}

static int set_up(void **state)
{
	struct statfs fs;

	(void)state;
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	if (!mkdtemp(dir) || statfs(dir, &fs) < 0)
		return -1;
	snprintf(key, sizeof(key), "%s/key.pem", dir);
	snprintf(key_new, sizeof(key_new), "%s/key.pem.new", dir);
	snprintf(cert, sizeof(cert), "%s/cert.pem", dir);
	log_ = assay_cel_new();
	measures = WELL;
	opt = (struct assay_tls_options){ .names = names, .n_names = 5, .certificate = cert, .key = key, .owner = geteuid(),
					  .now = 1790000000, .days = 10,
					  .allow_disk = fs.f_type != TMPFS_MAGIC };
	return 0;
}

static int tear_down(void **state)
{
	char command[100];

	(void)state;
	assay_cel_free(&log_);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static char *slurp(const char *path)
{
	static char text[2][4096];
	static int turn;
	FILE *f = fopen(path, "r");
	char *p = text[turn ^= 1];

	if (!f)
		return NULL;
	p[fread(p, 1, sizeof(text[0]) - 1, f)] = '\0';
	fclose(f);
	return p;
}

static int ensure(enum assay_tls_done *done, struct assay_err *err)
{
	uint8_t sha256[32];

	return assay_tls_ensure(&opt, log_, measure, &measures, done, sha256, err);
}

static enum assay_tls_done ensured(void)
{
	enum assay_tls_done done;
	struct assay_err err;

	if (ensure(&done, &err) < 0)
		fail_msg("%s", err.msg);
	return done;
}

static const struct assay_runtime_event *measured(size_t i)
{
	assert_true(i < log_->n);
	return &log_->records[i].event;
}

/* What is there is a pair, and the certificate is the last one that was measured. */
static void expect_good(size_t n_measured)
{
	struct stat st;

	assert_int_equal(log_->n, n_measured);
	assert_string_equal(slurp(cert), measured(n_measured - 1)->text);
	const char *c = slurp(cert), *k = slurp(key);
	assert_true(assay_tls_is_pair(c, strlen(c), k, strlen(k)));
	assert_int_equal(stat(key, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0400);
	assert_int_equal(st.st_uid, opt.owner);
	assert_int_equal(stat(cert, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0444);
	assert_int_not_equal(access(key_new, F_OK), 0);
}

static void made_once(void **state)
{
	char before[4096];

	(void)state;
	assert_int_equal(ensured(), ASSAY_TLS_MADE);
	expect_good(1);
	strcpy(before, slurp(key));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(ensured(), ASSAY_TLS_THERE);
		expect_good(1);
	}
	assert_string_equal(slurp(key), before);
	opt.renew = true;
	assert_int_equal(ensured(), ASSAY_TLS_MADE);
	expect_good(2);
	opt.renew = false;
	assert_int_equal(ensured(), ASSAY_TLS_THERE);
	expect_good(2);
	assert_string_not_equal(slurp(key), before);
}

static void certificate(void **state)
{
	FILE *f;
	X509 *x;

	(void)state;
	ensured();
	f = fopen(cert, "r");
	x = PEM_read_X509(f, NULL, NULL, NULL);
	fclose(f);
	assert_non_null(x);
	assert_int_equal(X509_get_version(x), X509_VERSION_3);
	assert_int_equal(X509_check_host(x, "machine.example", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(x, "localhost", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(x, "a.machine.example", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(x, "example", 0, 0, NULL), 0);
	assert_int_equal(X509_check_ip_asc(x, "127.0.0.1", 0), 1);
	assert_int_equal(X509_check_ip_asc(x, "::1", 0), 1);
	assert_int_equal(X509_check_ip_asc(x, "127.0.0.2", 0), 0);
	assert_int_equal(X509_check_ca(x), 0);
	assert_int_equal(X509_check_purpose(x, X509_PURPOSE_SSL_SERVER, 0), 1);
	assert_int_equal(X509_check_purpose(x, X509_PURPOSE_SSL_CLIENT, 0), 0);
	assert_int_equal(X509_get_key_usage(x), KU_DIGITAL_SIGNATURE);
	assert_int_equal(X509_self_signed(x, 1), 1);
	EVP_PKEY *k = X509_get_pubkey(x);
	assert_int_equal(EVP_PKEY_get_bits(k), 256);
	EVP_PKEY_free(k);
	time_t at = opt.now + 10 * 86400 - 1;
	assert_true(X509_cmp_time(X509_get0_notAfter(x), &at) > 0);
	at += 1;
	assert_true(X509_cmp_time(X509_get0_notAfter(x), &at) <= 0);
	at = opt.now - 86400;
	assert_true(X509_cmp_time(X509_get0_notBefore(x), &at) <= 0);
	X509_free(x);
}

/* openssl's own program has no objection either. */
static void openssl_agrees(void **state)
{
	char command[600];

	(void)state;
	if (!unit_have("openssl"))
		unit_skip("openssl is not installed");
	opt.now = time(NULL);
	ensured();
	snprintf(command, sizeof(command),
		 "openssl verify -x509_strict -purpose sslserver -verify_hostname machine.example -partial_chain -trusted %s %s >/dev/null "
		 "&& openssl pkey -in %s -check -noout >/dev/null",
		 cert, cert, key);
	assert_int_equal(system(command), 0);
}

static void bad_names(void **state)
{
	static const char *const bad[] = { "", ".", "a..b", "-a", "a-", "a_b", "a b", "*", "*.", "a.*.b", "1.2.3.4.5", "1.2.3",
					   "a\n", "::g", "a/b", ".a", "a.", "\xc3\xa4.example", "b.-a", "b-.a",
					   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
	static const char *const good[] = { "a", "a-b", "1a", "1.a", "xn--4ca.example",
					    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
					    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example" };
	char *k, *c;
	size_t kl, cl;
	struct assay_err err;

	(void)state;
	opt.n_names = 1;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		opt.names = &bad[i];
		if (assay_tls_make(&opt, &k, &kl, &c, &cl, &err) == 0)
			fail_msg("'%s' is taken", bad[i]);
		assert_int_equal(err.code, ASSAY_E_USAGE);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		opt.names = &good[i];
		if (assay_tls_make(&opt, &k, &kl, &c, &cl, &err) < 0)
			fail_msg("%s", err.msg);
		assert_true(assay_tls_is_pair(c, cl, k, kl));
		free(k);
		free(c);
	}
	opt.n_names = 0;
	assert_int_equal(assay_tls_make(&opt, &k, &kl, &c, &cl, &err), -1);
	opt.n_names = 1;
	static const unsigned days[] = { 0, ASSAY_TLS_MAX_DAYS + 1 };
	for (int i = 0; i < 2; i++) {
		opt.days = days[i];
		assert_int_equal(assay_tls_make(&opt, &k, &kl, &c, &cl, &err), -1);
		assert_int_equal(err.code, ASSAY_E_USAGE);
	}
}

/* Ended at each step, the next start completes it. */
static void ended_before_it_is_measured(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		const pid_t pid = fork();
		int status;

		if (pid == 0) {
			measures = DIES_BEFORE;
			ensured();
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
		assert_int_not_equal(access(cert, F_OK), 0);
		assert_int_not_equal(access(key, F_OK), 0);
		assert_int_equal(access(key_new, F_OK), 0);
	}
	assert_int_equal(ensured(), ASSAY_TLS_MADE);
	expect_good(1);
}

static void ended_when_it_is_measured(void **state)
{
	enum assay_tls_done done;
	struct assay_err err;

	(void)state;
	measures = FAILS_AFTER; /* the same as dying there: nothing is done after it */
	assert_int_equal(ensure(&done, &err), -1);
	assert_int_not_equal(access(cert, F_OK), 0);
	assert_int_not_equal(access(key, F_OK), 0);
	measures = WELL;
	assert_int_equal(ensured(), ASSAY_TLS_COMPLETED);
	expect_good(1);
	assert_int_equal(ensured(), ASSAY_TLS_THERE);
	/* The same of a second one. */
	measures = FAILS_AFTER;
	opt.renew = true;
	assert_int_equal(ensure(&done, &err), -1);
	measures = WELL;
	opt.renew = false;
	assert_int_equal(ensured(), ASSAY_TLS_COMPLETED);
	expect_good(2);
}

static void ended_before_it_is_published(void **state)
{
	(void)state;
	ensured();
	unlink(cert);
	assert_int_equal(ensured(), ASSAY_TLS_COMPLETED);
	expect_good(1);
	/* Half of one, or that of another time, is replaced; the key is not touched. */
	unlink(cert);
	FILE *f = fopen(cert, "w");
	fputs("-----BEGIN", f);
	fclose(f);
	assert_int_equal(ensured(), ASSAY_TLS_COMPLETED);
	expect_good(1);
}

static void refused_by_the_tpm(void **state)
{
	enum assay_tls_done done;
	struct assay_err err;

	(void)state;
	measures = REFUSES;
	assert_int_equal(ensure(&done, &err), -1);
	assert_int_equal(err.code, ASSAY_E_TPM);
	assert_int_not_equal(access(cert, F_OK), 0);
	assert_int_not_equal(access(key, F_OK), 0);
	measures = WELL;
	assert_int_equal(ensured(), ASSAY_TLS_MADE);
	/* One in use goes on when another cannot be measured. */
	measures = REFUSES;
	opt.renew = true;
	assert_int_equal(ensure(&done, &err), -1);
	opt.renew = false;
	assert_int_equal(ensured(), ASSAY_TLS_THERE);
	expect_good(1);
}

static void replaced_when_it_cannot_serve(void **state)
{
	static const char *others[] = { "other.example" };

	(void)state;
	ensured();
	opt.now += 10 * 86400 - 1;
	assert_int_equal(ensured(), ASSAY_TLS_THERE);
	opt.now += 1;
	unlink(cert);
	assert_int_equal(ensured(), ASSAY_TLS_MADE);
	expect_good(2);
	opt.names = others;
	opt.n_names = 1;
	unlink(cert);
	assert_int_equal(ensured(), ASSAY_TLS_MADE);
	expect_good(3);
	/* The key is gone: so is its certificate's use. */
	unlink(key);
	unlink(cert);
	assert_int_equal(ensured(), ASSAY_TLS_MADE);
	expect_good(4);
	/* A key of nobody's, of an earlier boot say. */
	assay_cel_free(&log_);
	log_ = assay_cel_new();
	unlink(cert);
	assert_int_equal(ensured(), ASSAY_TLS_MADE);
	expect_good(1);
}

static void refused(void **state)
{
	static const char *const name = "localhost";
	enum assay_tls_done done;
	struct assay_err err;
	char text[4096], old[4096];
	struct stat st;

	(void)state;
	ensured();
	/* Somebody may have read it. */
	assert_int_equal(chmod(key, 0440), 0);
	assert_int_equal(ensure(&done, &err), -1);
	assert_int_equal(err.code, ASSAY_E_MISMATCH);
	assert_non_null(strstr(err.msg, "0440"));
	assert_int_equal(chmod(key, 0400), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(key, 12345, (gid_t)-1), 0);
		assert_int_equal(ensure(&done, &err), -1);
		assert_int_equal(err.code, ASSAY_E_MISMATCH);
		assert_int_equal(chown(key, opt.owner, (gid_t)-1), 0);
	}
	assert_int_equal(ensured(), ASSAY_TLS_THERE);
	/* That of an earlier certificate is back. */
	strcpy(old, slurp(key));
	opt.renew = true;
	ensured();
	opt.renew = false;
	unlink(key);
	FILE *f = fopen(key, "w");
	fputs(old, f);
	fclose(f);
	chmod(key, 0400);
	assert_int_equal(ensure(&done, &err), -1);
	assert_int_equal(err.code, ASSAY_E_MISMATCH);
	assert_non_null(strstr(err.msg, "earlier"));
	assert_string_equal(slurp(key), old);
	assert_int_equal(log_->n, 2);
	unlink(key);
	/* Links and folders in its place. */
	assert_int_equal(symlink("elsewhere", key), 0);
	assert_int_equal(ensure(&done, &err), -1);
	unlink(key);
	assert_int_equal(mkdir(key, 0700), 0);
	assert_int_equal(ensure(&done, &err), -1);
	rmdir(key);
	snprintf(text, sizeof(text), "%s/none/key.pem", dir);
	opt.key = text;
	assert_int_equal(ensure(&done, &err), -1);
	assert_int_equal(err.code, ASSAY_E_IO);
	opt.key = opt.certificate;
	assert_int_equal(ensure(&done, &err), -1);
	assert_int_equal(err.code, ASSAY_E_USAGE);
	/* A disk. */
	snprintf(text, sizeof(text), "/assay-no-memory/key.pem");
	opt.key = "build/key.pem";
	opt.allow_disk = false;
	opt.names = &name;
	opt.n_names = 1;
	struct statfs fs;
	if (statfs("build", &fs) == 0 && fs.f_type != TMPFS_MAGIC && fs.f_type != RAMFS_MAGIC) {
		assert_int_equal(ensure(&done, &err), -1);
		assert_int_equal(err.code, ASSAY_E_UNSUPPORTED);
		assert_non_null(strstr(err.msg, "tmpfs"));
		assert_int_not_equal(stat("build/key.pem", &st), 0);
	}
}

static void owner(void **state)
{
	(void)state;
	if (geteuid() != 0)
		unit_skip("not root: no file can be given to another user");
	opt.owner = 65534;
	assert_int_equal(ensured(), ASSAY_TLS_MADE);
	expect_good(1);
	assert_int_equal(ensured(), ASSAY_TLS_THERE);
}

static int once(struct assay_err *err)
{
	enum assay_tls_done done;

	unlink(key);
	unlink(cert);
	assay_cel_free(&log_);
	log_ = assay_cel_new();
	if (!log_)
		return assay_fail_mem(err);
	return ensure(&done, err);
}

static void without_memory(void **state)
{
	(void)state;
	opt.n_names = 2;
	unit_alloc_each(once, false);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(made_once),
		T(certificate),
		T(openssl_agrees),
		T(bad_names),
		T(ended_before_it_is_measured),
		T(ended_when_it_is_measured),
		T(ended_before_it_is_published),
		T(refused_by_the_tpm),
		T(replaced_when_it_cannot_serve),
		T(refused),
		T(owner),
		T(without_memory),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
