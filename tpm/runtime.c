/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/runtime.h"

#include <string.h>

#include "core/limits.h"
#include "core/text.h"
#include "tpm/runtime_priv.h"

static const char *const carriers[] = { "event", "certificate", "root_hash", "sentinel" };

const char *assay_carrier_name(enum assay_carrier carrier)
{
	return carriers[carrier];
}

bool assay_carrier_from_name(const char *name, enum assay_carrier *ret)
{
	for (unsigned i = 0; i < ASSAY_N_CARRIERS; i++) {
		if (strcmp(carriers[i], name) == 0) {
			*ret = (enum assay_carrier)i;
			return true;
		}
	}
	return false;
}

static const struct {
	const char *name, *plan;
	enum assay_carrier carrier;
} kinds[] = {
	[ASSAY_RUN_DISK] = { "disk", "disk", ASSAY_CARRY_ROOT_HASH },
	[ASSAY_RUN_SENTINEL] = { "sentinel", "sentinel", ASSAY_CARRY_SENTINEL },
	[ASSAY_RUN_TLS] = { "tls", "tls", ASSAY_CARRY_CERTIFICATE },
	[ASSAY_RUN_REQUEST] = { "build_request", "request", ASSAY_CARRY_EVENT },
	[ASSAY_RUN_CONTAINER] = { "input_image", "container", ASSAY_CARRY_EVENT },
	[ASSAY_RUN_CODE] = { "server_code", "code", ASSAY_CARRY_EVENT },
	[ASSAY_RUN_WEIGHTS_FILE] = { "weights_file", "weights", ASSAY_CARRY_EVENT },
	[ASSAY_RUN_WEIGHTS_TREE] = { "weights_tree", "weights", ASSAY_CARRY_EVENT },
	[ASSAY_RUN_INPUT] = { "input_resource", "input", ASSAY_CARRY_EVENT },
	[ASSAY_RUN_CONFIGURATION] = { "configuration", "configuration", ASSAY_CARRY_EVENT },
	[ASSAY_RUN_OUTPUTS] = { "outputs", "output", ASSAY_CARRY_EVENT },
	[ASSAY_RUN_TIMING] = { "timing", "timing", ASSAY_CARRY_EVENT },
	[ASSAY_RUN_COMPUTE] = { "compute_consumed", "compute", ASSAY_CARRY_EVENT },
};

const char *assay_runtime_kind_name(enum assay_runtime_kind kind)
{
	return kinds[kind].name;
}

const char *assay_runtime_plan_name(enum assay_runtime_kind kind)
{
	return kinds[kind].plan;
}

enum assay_carrier assay_runtime_carrier(enum assay_runtime_kind kind)
{
	return kinds[kind].carrier;
}

bool assay_runtime_kind_from_name(const char *name, enum assay_runtime_kind *ret)
{
	for (unsigned i = 0; i < ASSAY_N_RUNTIME_KINDS; i++) {
		if (strcmp(kinds[i].name, name) == 0) {
			*ret = (enum assay_runtime_kind)i;
			return true;
		}
	}
	return false;
}

/* --- what is extended --------------------------------------------------------------------------- */

/* Root hashes as veritysetup writes them: lower case, of a digest's size. */
static int root_hash(const struct assay_runtime_event *ev, uint8_t ret[ASSAY_MAX_DIGEST], size_t *ret_len,
		     struct assay_err *err)
{
	const size_t n = ev->len / 2;
	bool known = false, zero = true;

	for (unsigned b = 0; b < ASSAY_N_BANKS; b++)
		known |= n == assay_bank_size((enum assay_bank)b);
	if (!known || !assay_unhex(ev->text, ev->len, ret, n))
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "a root hash that is not the hex of a digest");
	for (size_t i = 0; i < ev->len; i++)
		if (ev->text[i] >= 'A' && ev->text[i] <= 'F')
			return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "a root hash in upper case");
	for (size_t i = 0; i < n; i++)
		zero &= ret[i] == 0;
	/* It would be taken for a sentinel. */
	if (zero)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "a root hash of zeros");
	*ret_len = n;
	return 0;
}

int assay_runtime_digests(const struct assay_runtime_event *ev, unsigned banks, struct assay_digests *ret,
			  struct assay_err *err)
{
	struct assay_digests d = { .banks = banks };
	uint8_t root[ASSAY_MAX_DIGEST];
	size_t n = 0;

	if (ev->len > ASSAY_RUNTIME_MAX_TEXT)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "an event of %zu bytes, limit %u", ev->len,
				  ASSAY_RUNTIME_MAX_TEXT);
	switch (ev->carrier) {
	case ASSAY_CARRY_SENTINEL:
		if (ev->len != 0)
			return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "a sentinel with a text");
		break;
	case ASSAY_CARRY_ROOT_HASH:
		if (root_hash(ev, root, &n, err) < 0 || assay_digest_mem(banks, root, n, &d, err) < 0)
			return -1;
		for (unsigned b = 0; b < ASSAY_N_BANKS; b++)
			if ((banks & ASSAY_BANK_BIT(b)) && assay_bank_size((enum assay_bank)b) == n)
				memcpy(d.d[b], root, n);
		break;
	case ASSAY_CARRY_EVENT:
	case ASSAY_CARRY_CERTIFICATE:
	default:
		if (assay_digest_mem(banks, ev->text, ev->len, &d, err) < 0)
			return -1;
	}
	*ret = d;
	return 0;
}

/* --- texts -------------------------------------------------------------------------------------- */

static bool lower_hex(const char *p, size_t n, char ret_hex[ASSAY_HEX_MAX])
{
	uint8_t bytes[ASSAY_MAX_DIGEST];

	if (!assay_unhex(p, 2 * n, bytes, n))
		return false;
	assay_hex(bytes, n, ret_hex);
	return memcmp(p, ret_hex, 2 * n) == 0;
}

bool assay_runtime_hash(const char *text, enum assay_bank *ret_bank, char ret_hex[ASSAY_HEX_MAX])
{
	static const struct {
		const char *before, *after;
		enum assay_bank bank;
	} forms[] = {
		{ "sha256:", "", ASSAY_SHA256 },
		{ "", "", ASSAY_SHA256 },
		{ "sha1:", "", ASSAY_SHA1 },
		/* Python's own writing of the bytes that git printed. */
		{ "sha1:b'", "\\n'", ASSAY_SHA1 },
	};
	const size_t len = strlen(text);

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		const size_t before = strlen(forms[i].before), n = assay_bank_size(forms[i].bank);

		if (len != before + 2 * n + strlen(forms[i].after) ||
		    strncmp(text, forms[i].before, before) != 0 ||
		    strcmp(text + before + 2 * n, forms[i].after) != 0 || !lower_hex(text + before, n, ret_hex))
			continue;
		*ret_bank = forms[i].bank;
		return true;
	}
	return false;
}

int assay_runtime_text(enum assay_runtime_kind kind, const struct assay_json *content, char **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *o = assay_json_object();
	ASSAY_AUTO_FREE char *text = NULL;
	struct assay_runtime_event ev = { .carrier = ASSAY_CARRY_EVENT };

	if (kinds[kind].carrier != ASSAY_CARRY_EVENT)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "%s is not carried as an event", kinds[kind].name);
	assay_json_set_str(o, "event_type", kinds[kind].name);
	assay_json_set(o, "content", assay_json_copy(content));
	if (assay_json_dump_line(o, &text, &ev.len, err) < 0)
		return -1;
	text[--ev.len] = '\0'; /* the newline */
	ev.text = text;
	if (assay_runtime_parse(&ev, NULL, NULL, err) < 0)
		return -1;
	*ret = assay_steal(&text);
	return 0;
}
