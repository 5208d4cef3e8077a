/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Versions, and loader.conf. Function names in the comments are those of src/boot/efi/boot.c
 * (252.39) and src/boot/boot.c (257.13).
 */
#include "measure/boot/loader.h"

#include <stdlib.h>
#include <string.h>

#include "measure/boot/loader_priv.h"

int assay_sdboot_rules(unsigned version, enum assay_sdboot *ret, struct assay_err *err)
{
	if (version == 252)
		*ret = ASSAY_SDBOOT_252;
	else if (version == 257)
		*ret = ASSAY_SDBOOT_257;
	else
		return assay_fail(
			err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
			"systemd-boot %u: its rules for choosing an entry were not read yet "
			"(252 and 257 were)",
			version);
	return 0;
}

static void parse_timeout(enum assay_sdboot rules, const char *value,
			  struct assay_loader_conf *conf)
{
	uint64_t u;

	if (strcmp(value, "menu-force") == 0) {
		conf->timeout = ASSAY_TIMEOUT_FOREVER;
	} else if (strcmp(value, "menu-hidden") == 0 ||
		   (rules != ASSAY_SDBOOT_252 && strcmp(value, "menu-disabled") == 0)) {
		conf->timeout = ASSAY_TIMEOUT_NONE;
	} else if (assay_boot_number(value, &u, NULL) && u <= UINT32_MAX) {
		/* menu-force is kept as the largest number. */
		conf->timeout = u == 0		  ? ASSAY_TIMEOUT_NONE
				: u == UINT32_MAX ? ASSAY_TIMEOUT_FOREVER
						  : ASSAY_TIMEOUT_SECONDS;
		conf->timeout_sec = u;
	}
}

static bool known_enroll(enum assay_sdboot rules, const char *value)
{
	return strcmp(value, "manual") == 0 || strcmp(value, "force") == 0 ||
	       strcmp(value, "off") == 0 ||
	       (rules != ASSAY_SDBOOT_252 && strcmp(value, "if-safe") == 0);
}

static int parse_conf(enum assay_sdboot rules, struct boot_lines *l, struct assay_loader_conf *conf,
		      struct assay_err *err)
{
	char *key, *value;

	/* config_defaults_load_from_file(): the last one counts. */
	while (assay_boot_next_line(l, rules, " \t", &key, &value)) {
		if (strcmp(key, "timeout") == 0) {
			parse_timeout(rules, value, conf);
		} else if (strcmp(key, "default") == 0) {
			/* @saved alone is special; another @word is ignored, not taken back. */
			if (value[0] == '@' && !assay_boot_same_case(value, "@saved"))
				continue;
			if (assay_boot_set_text(&conf->default_entry, value, err) < 0)
				return -1;
			assay_boot_lower(conf->default_entry); /* config_load_defaults() */
		} else if (strcmp(key, "secure-boot-enroll") == 0 && known_enroll(rules, value)) {
			if (assay_boot_set_text(&conf->secure_boot_enroll, value, err) < 0)
				return -1;
		}
	}
	return 0;
}

int assay_loader_conf_parse(enum assay_sdboot rules, const void *p, size_t len,
			    struct assay_loader_conf **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_loader_conf) *conf = NULL;
	BOOT_LINES l = { 0 };

	if (assay_boot_lines_open(p, len, &l, err) < 0)
		return -1;
	conf = calloc(1, sizeof(*conf));
	if (!conf)
		return assay_fail_mem(err);
	conf->bytes = malloc(len ? len : 1);
	if (!conf->bytes)
		return assay_fail_mem(err);
	if (len)
		memcpy(conf->bytes, p, len);
	conf->len = len;
	if (parse_conf(rules, &l, conf, err) < 0)
		return -1;
	*ret = assay_steal(&conf);
	return 0;
}

void assay_loader_conf_free(struct assay_loader_conf **confp)
{
	struct assay_loader_conf *conf = assay_steal(confp);

	if (!conf)
		return;
	free(conf->bytes);
	free(conf->default_entry);
	free(conf->secure_boot_enroll);
	free(conf);
}
