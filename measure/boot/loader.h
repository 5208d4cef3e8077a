/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What systemd-boot reads off the ESP: loader/loader.conf, the .conf files of loader/entries (Boot
 * Loader Specification, UAPI.1, type #1), and of each UKI in EFI/Linux its os-release and profile
 * (type #2).
 *
 * Text is parsed as systemd-boot's own parser does it (src/boot/boot.c and efi-string.c; where the
 * versions differ, the code says so), not as the specification would have it. Strings come out as
 * the boot loader holds them, in UTF-8: it drops bytes that are no UTF-8 and characters beyond
 * U+FFFF, so conversion to UTF-16 gives its very bytes.
 */
#ifndef ASSAY_MEASURE_BOOT_LOADER_H
#define ASSAY_MEASURE_BOOT_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

/* Versions whose sources were read; where they differ, each has its own rule. */
enum assay_sdboot {
	ASSAY_SDBOOT_252,
	ASSAY_SDBOOT_257,
};
/* From systemd-boot's major version; ASSAY_E_UNSUPPORTED for one that nobody has looked at. */
int assay_sdboot_rules(unsigned version, enum assay_sdboot *ret, struct assay_err *err) ASSAY_MUST;

/* --- loader.conf ---- */

enum assay_loader_timeout {
	ASSAY_TIMEOUT_NONE,    /* no menu, at most a look at the keyboard: also when not given */
	ASSAY_TIMEOUT_SECONDS, /* a menu, then the default entry */
	ASSAY_TIMEOUT_FOREVER, /* menu-force: nothing starts without a person */
};

struct assay_loader_conf {
	uint8_t *bytes; /* as on the disk: what 257 measures into PCR 5 */
	size_t len;
	char *default_entry; /* the pattern, in lower case as it is matched; NULL: none */
	enum assay_loader_timeout timeout;
	uint64_t timeout_sec;
	/* "force", "if-safe", "manual", "off"; NULL: not given, the version's own (252: manual,
	 * 257: if-safe). Keys under /loader/keys are then enrolled before anything else is started.
	 */
	char *secure_boot_enroll;
};

int assay_loader_conf_parse(enum assay_sdboot rules, const void *p, size_t len,
			    struct assay_loader_conf **ret, struct assay_err *err) ASSAY_MUST;
void assay_loader_conf_free(struct assay_loader_conf **conf);
ASSAY_DEFINE_AUTO(assay_loader_conf)

/* --- entries ---- */

enum assay_entry_kind {
	ASSAY_ENTRY_LINUX, /* type #1 with `linux` */
	ASSAY_ENTRY_EFI,   /* type #1 with `efi` */
	ASSAY_ENTRY_UKI,   /* type #2, or one profile of it */
};

struct assay_boot_entry {
	enum assay_entry_kind kind;
	char *file;		  /* its name in loader/entries or EFI/Linux, as on the disk */
	char *id;		  /* what patterns match and `default` names */
	char *id_without_profile; /* 257, profile > 0; else NULL */
	unsigned profile;
	char *title;	  /* NULL: none */
	char *sort_key;	  /* NULL: none */
	char *version;	  /* NULL: none */
	char *machine_id; /* NULL: none */
	char *devicetree; /* a path like loader; NULL: none */
	char *loader;	/* what is started: a path with backslashes, as the boot loader opens it */
	char **initrds; /* paths like loader, in the order of the file */
	size_t n_initrds;
	char *options;	    /* type #1: all `options` lines, joined by one blank; NULL: none */
	int64_t tries_left; /* -1: the name has no boot counter */
	int64_t tries_done;
};
void assay_boot_entry_free(struct assay_boot_entry **entry);
ASSAY_DEFINE_AUTO(assay_boot_entry)

/* Is a file of this name looked at? suffix: ".conf" in loader/entries, ".efi" in EFI/Linux. */
bool assay_boot_entry_name(enum assay_sdboot rules, const char *file, const char *suffix);

/*
 * A type #1 entry. arch is the boot loader's own ("x64", "aa64"); self the path it was started by
 * ("\EFI\systemd\systemd-bootx64.efi"; NULL for entries of the XBOOTLDR partition).
 * *ret is NULL when the boot loader makes no entry of it: *ret_why, when ret_why is not NULL, then
 * says why (static text). It makes none either when entry->loader does not exist: the caller looks.
 */
int assay_boot_entry_type1(enum assay_sdboot rules, const char *file, const void *p, size_t len,
			   const char *arch, const char *self, struct assay_boot_entry **ret,
			   const char **ret_why, struct assay_err *err) ASSAY_MUST;

/*
 * A UKI of EFI/Linux (profile 0), or one of its further profiles (257 only). profile is that
 * profile's .profile section, NULL when it has none; osrel its own .osrel or the base's, NULL when
 * there is none. *ret is NULL when the boot loader makes no entry, as above.
 */
int assay_boot_entry_uki(enum assay_sdboot rules, const char *file, const void *osrel,
			 size_t osrel_len, unsigned profile_number, const void *profile,
			 size_t profile_len, struct assay_boot_entry **ret, const char **ret_why,
			 struct assay_err *err) ASSAY_MUST;

/* "\EFI\Linux\x.efi" -> "/EFI/Linux/x.efi" for assay_fs_file(); refuses "." and ".." components. */
int assay_boot_path(const char *loader, char **ret, struct assay_err *err) ASSAY_MUST;

#endif
