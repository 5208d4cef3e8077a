/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verifies MANIFEST KEY TRUST PROOF SECONDS: how often libassay verifies a proof in a second, on one core; each time from the
 * proof's bytes on. Prints the number.
 */
#define _GNU_SOURCE
#include <assay.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static char *slurp(const char *path, size_t *ret_len)
{
	FILE *f = fopen(path, "rb");
	char *text = malloc(1 << 24);

	if (!f || !text) {
		perror(path);
		exit(1);
	}
	*ret_len = fread(text, 1, 1 << 24, f);
	fclose(f);
	return text;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	struct assay_policy *policy = assay_policy_new();
	size_t manifest_len, key_len, proof_len;

	if (argc != 6)
		return 2;
	char *manifest = slurp(argv[1], &manifest_len), *key = slurp(argv[2], &key_len), *proof = slurp(argv[4], &proof_len);
	if (assay_policy_add_manifest(policy, manifest, manifest_len) || assay_policy_add_key(policy, key, key_len) ||
	    assay_policy_add_trust_folder(policy, argv[3]) || assay_policy_seal(policy)) {
		fprintf(stderr, "verifies: %s\n", assay_policy_error(policy));
		return 1;
	}
	const double start = now(), end = start + atof(argv[5]);
	double at = start;
	long n = 0;

	for (; at < end; at = now()) {
		struct assay_result *result;

		if (assay_verify(policy, proof, proof_len, NULL, 0, NULL, 0, &result) != ASSAY_VERIFIED) {
			fprintf(stderr, "verifies: %s\n", assay_result_message(result));
			return 1;
		}
		assay_result_free(result);
		n++;
	}
	printf("%.1f\n", (double)n / (at - start));
	assay_policy_free(policy);
	free(manifest);
	free(key);
	free(proof);
	return 0;
}
