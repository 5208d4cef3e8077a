/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/hash.h"
#include "core/src.h"
#include "core/text.h"

#define MAX_WORDS 1024
#define MAX_FILES 16

static int fail_line(struct assay_err *err, const char *what)
{
	return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "the QEMU command: %s", what);
}

/* --- words --------------------------------------------------------------------------------------
 */

struct words {
	char **w; /* room for MAX_WORDS and a NULL */
	size_t n;
};

static void words_clear(struct words *words)
{
	for (size_t i = 0; words->w && i < words->n; i++)
		free(words->w[i]);
	free(words->w);
	*words = (struct words){ 0 };
}

/* Takes word over; NULL is out of memory. */
static int push(struct words *words, char *word, struct assay_err *err)
{
	if (!word)
		return assay_fail_mem(err);
	if (words->n == MAX_WORDS) {
		free(word);
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET,
				  "the QEMU command: more than %d words", MAX_WORDS);
	}
	words->w[words->n++] = word;
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

/* One word from *p on, which is moved past it. */
static int split_word(const char **p, char **ret, struct assay_err *err)
{
	struct assay_str s = { 0 };
	char quote = 0;
	const char *q = *p;

	for (; *q && (quote || !is_blank(*q)); q++) {
		if (quote && *q == quote) {
			quote = 0;
			continue;
		}
		if (!quote && (*q == '\'' || *q == '"')) {
			quote = *q;
			continue;
		}
		/* As in a shell: inside "..." a backslash stands for itself before most characters.
		 */
		if (*q == '\\' && quote != '\'' && (!quote || q[1] == '"' || q[1] == '\\')) {
			if (!q[1]) {
				assay_str_clear(&s);
				return fail_line(err, "a backslash at the end");
			}
			q++;
		}
		assay_str_add_n(&s, q, 1);
	}
	if (quote) {
		assay_str_clear(&s);
		return fail_line(err, "a quote is not closed");
	}
	*p = q;
	*ret = assay_str_steal(&s);
	return *ret ? 0 : assay_fail_mem(err);
}

static int split(const char *line, struct words *words, struct assay_err *err)
{
	for (;;) {
		char *word = NULL;

		while (is_blank(*line))
			line++;
		if (!*line)
			break;
		if (split_word(&line, &word, err) < 0 || push(words, word, err) < 0)
			return -1;
	}
	return words->n ? 0 : fail_line(err, "it is empty");
}

char *assay_qemu_quote(const char *word)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				    "_-.,:=/+@%{}";
	struct assay_str s = { 0 };

	if (*word && strspn(word, plain) == strlen(word))
		return assay_strdup(word);
	assay_str_add(&s, "'");
	for (; *word; word++) {
		if (*word == '\'')
			assay_str_add(&s, "'\\''");
		else
			assay_str_add_n(&s, word, 1);
	}
	assay_str_add(&s, "'");
	return assay_str_steal(&s);
}

/* --- options ------------------------------------------------------------------------------------
 */

/* QEMU takes "-drive" and "--drive". */
static bool is_option(const char *word, const char *name)
{
	if (word[0] != '-')
		return false;
	return strcmp(word + (word[1] == '-' ? 2 : 1), name) == 0;
}

/* Position of the option's word, or 0 (where the program is). */
static size_t find_option(const struct words *words, const char *name)
{
	for (size_t i = 1; i < words->n; i++)
		if (is_option(words->w[i], name))
			return i;
	return 0;
}

static bool mentions(const struct words *words, const char *placeholder)
{
	for (size_t i = 1; i < words->n; i++)
		if (strstr(words->w[i], placeholder))
			return true;
	return false;
}

/*
 * The value of a key in "file=a,,b.fd,if=pflash" (a comma doubled is one comma), fresh; NULL when
 * it is not there. A bare "readonly" is "on".
 */
static char *get_key(const char *list, const char *key, bool *oom)
{
	const size_t n = strlen(key);

	while (*list) {
		const bool bare = strncmp(list, key, n) == 0 && (list[n] == ',' || !list[n]);
		const bool match = bare || (strncmp(list, key, n) == 0 && list[n] == '=');
		struct assay_str s = { 0 };

		for (list += match && !bare ? n + 1 : 0; *list; list++) {
			if (list[0] == ',' && list[1] != ',')
				break;
			if (list[0] == ',')
				list++;
			assay_str_add_n(&s, list, 1);
		}
		if (*list)
			list++;
		if (match) {
			char *value = bare ? assay_strdup("on") : assay_str_steal(&s);

			if (bare)
				assay_str_clear(&s);
			*oom |= !value;
			return value;
		}
		assay_str_clear(&s);
	}
	return NULL;
}

static bool key_is(const char *list, const char *key, const char *value, bool *oom)
{
	ASSAY_AUTO_FREE char *v = get_key(list, key, oom);

	return v && strcmp(v, value) == 0;
}

/* --- completing the line ------------------------------------------------------------------------
 */

static int push_option(struct words *words, const char *name, const char *value,
		       struct assay_err *err)
{
	if (push(words, assay_strdup(name), err) < 0)
		return -1;
	return value ? push(words, assay_strdup(value), err) : 0;
}

/* Whatever the port is connected to, the guest sees the same; only "none" takes it away. */
static int complete_serial(struct words *words, bool *added, struct assay_err *err)
{
	const size_t at = find_option(words, "serial");

	if (at == 0) {
		*added = true;
		return push_option(words, "-serial", "file:{serial}", err);
	}
	if (at + 1 == words->n)
		return fail_line(err, "-serial without a value");
	if (strcmp(words->w[at + 1], "none") == 0)
		return fail_line(err,
				 "-serial none: the probe's report comes over the serial port");
	/* A chardev of the line's own may be what writes {serial}. */
	if (mentions(words, "{serial}"))
		return 0;
	if (strncmp(words->w[at + 1], "chardev:", 8) == 0)
		return fail_line(err, "-serial chardev:… and no chardev writes to {serial}");
	free(words->w[at + 1]);
	words->w[at + 1] = assay_strdup("file:{serial}");
	return words->w[at + 1] ? 0 : assay_fail_mem(err);
}

static int complete_tpm(struct words *words, const char *device, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *text = NULL;

	if (find_option(words, "tpmdev")) {
		if (mentions(words, "{tpm}"))
			return 0;
		return fail_line(err, "-tpmdev, and no chardev with path={tpm}");
	}
	if (mentions(words, "{tpm}"))
		return fail_line(err, "{tpm}, and no -tpmdev");
	text = assay_asprintf("%s,tpmdev=assay-tpm", device);
	if (!text)
		return assay_fail_mem(err);
	return push_option(words, "-chardev", "socket,id=assay-swtpm,path={tpm}", err) < 0 ||
			       push_option(words, "-tpmdev",
					   "emulator,id=assay-tpm,chardev=assay-swtpm", err) < 0 ||
			       push_option(words, "-device", text, err) < 0
		       ? -1
		       : 0;
}

static int complete(struct words *words, const char *tpm_device, bool *serial_added,
		    struct assay_err *err)
{
	if (find_option(words, "daemonize"))
		return fail_line(err, "-daemonize is refused: assay waits for QEMU itself");
	if (complete_serial(words, serial_added, err) < 0 ||
	    complete_tpm(words, tpm_device, err) < 0)
		return -1;
	if (!mentions(words, "{disk}") &&
	    (push_option(words, "-drive", "if=none,id=assay-disk,format=raw,file={disk}", err) <
		     0 ||
	     push_option(words, "-device", "virtio-blk-pci,drive=assay-disk,bootindex=1", err) < 0))
		return -1;
	if (!find_option(words, "display") && !find_option(words, "nographic") &&
	    push_option(words, "-display", "none", err) < 0)
		return -1;
	if (!find_option(words, "monitor") && !find_option(words, "qmp") &&
	    !find_option(words, "mon") && push_option(words, "-monitor", "none", err) < 0)
		return -1;
	if (!find_option(words, "no-reboot") && push_option(words, "-no-reboot", NULL, err) < 0)
		return -1;
	return 0;
}

/* --- files --------------------------------------------------------------------------------------
 */

/* Data and holes in turn; a file system without holes says that all is data. */
static int copy_data(int from, int to, off_t size)
{
	static char buf[1 << 16];

	for (off_t at = 0; at < size;) {
		off_t end;
		const off_t data = lseek(from, at, SEEK_DATA);

		if (data < 0)
			return errno == ENXIO ? 0 : -1;
		end = lseek(from, data, SEEK_HOLE);
		if (end < 0)
			return -1;
		for (at = data; at < end;) {
			const size_t want =
				end - at < (off_t)sizeof(buf) ? (size_t)(end - at) : sizeof(buf);
			const ssize_t n = pread(from, buf, want, at);

			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0 || pwrite(to, buf, (size_t)n, at) != n)
				return -1;
			at += n;
		}
	}
	return 0;
}

int assay_copy_file(const char *from, const char *to, struct assay_err *err)
{
	struct stat st;
	int r = -1;
	const int in = open(from, O_RDONLY | O_CLOEXEC);
	const int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (in < 0)
		(void)assay_fail_sys(err, "%s", from);
	else if (out < 0)
		(void)assay_fail_sys(err, "%s", to);
	else if (fstat(in, &st) < 0 || ftruncate(out, st.st_size) < 0 ||
		 copy_data(in, out, st.st_size) < 0)
		(void)assay_fail_sys(err, "cannot copy %s", from);
	else
		r = 0;
	if (in >= 0)
		close(in);
	if (out >= 0 && close(out) < 0 && r == 0)
		r = assay_fail_sys(err, "cannot copy %s", from);
	return r;
}

static int add_file(struct assay_qemu *q, const char *path, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	struct assay_qemu_file f = { 0 };

	if (q->n_files == MAX_FILES)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET,
				  "the QEMU command: more than %d files of firmware", MAX_FILES);
	if (assay_src_open_file(path, &src, err) < 0 ||
	    assay_hash_src(src, ASSAY_BANK_BIT(ASSAY_SHA256), &f.digest, err) < 0)
		return assay_wrap(err, "%s", path);
	f.size = assay_src_size(src);
	f.path = assay_strdup(path);
	if (!f.path)
		return assay_fail_mem(err);
	q->files[q->n_files++] = f;
	return 0;
}

/* A private copy of a file; where it is. */
static int copy_file(struct assay_qemu *q, const struct assay_qemu_paths *paths, const char *path,
		     bool firmware, char **ret, struct assay_err *err)
{
	if (firmware && add_file(q, path, err) < 0)
		return -1;
	*ret = assay_asprintf("%s/copy-%zu", paths->folder, ++q->n_copies);
	if (!*ret)
		return assay_fail_mem(err);
	return assay_copy_file(path, *ret, err);
}

/* text with every {disk}, {tpm}, {serial} and {copy:PATH} replaced. */
static int substitute(struct assay_qemu *q, const struct assay_qemu_paths *paths, const char *text,
		      bool firmware, char **ret, struct assay_err *err)
{
	struct assay_str s = { 0 };

	while (*text) {
		ASSAY_AUTO_FREE char *file = NULL, *copy = NULL;
		const char *end;

		if (strncmp(text, "{disk}", 6) == 0) {
			assay_str_add(&s, "%s", paths->disk);
			text += 6;
		} else if (strncmp(text, "{tpm}", 5) == 0) {
			assay_str_add(&s, "%s", paths->tpm);
			text += 5;
		} else if (strncmp(text, "{serial}", 8) == 0) {
			assay_str_add(&s, "%s", paths->serial);
			text += 8;
		} else if (strncmp(text, "{copy:", 6) == 0 && (end = strchr(text, '}'))) {
			file = assay_asprintf("%.*s", (int)(end - text - 6), text + 6);
			if (!file || copy_file(q, paths, file, firmware, &copy, err) < 0) {
				assay_str_clear(&s);
				return file ? -1 : assay_fail_mem(err);
			}
			assay_str_add(&s, "%s", copy);
			text = end + 1;
		} else {
			assay_str_add_n(&s, text++, 1);
		}
	}
	*ret = assay_str_steal(&s);
	return *ret ? 0 : assay_fail_mem(err);
}

/* "…,file=PATH,…" with another path. Keys other than file are carried over as they stand. */
static char *replace_file(const char *list, const char *path)
{
	struct assay_str s = { 0 };

	while (*list) {
		const char *p = list;

		while (*p && !(p[0] == ',' && p[1] != ','))
			p += p[0] == ',' ? 2 : 1;
		if (s.len)
			assay_str_add(&s, ",");
		if (strncmp(list, "file=", 5) == 0)
			assay_str_add(&s, "file=%s", path);
		else
			assay_str_add_n(&s, list, (size_t)(p - list));
		list = *p ? p + 1 : p;
	}
	return assay_str_steal(&s);
}

/* A flash drive: digested, and copied if the machine may write to it. */
static int flash_drive(struct assay_qemu *q, const struct assay_qemu_paths *paths, const char *list,
		       char **ret, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *file = NULL, *copy = NULL;
	bool oom = false, ro;

	file = get_key(list, "file", &oom);
	ro = key_is(list, "readonly", "on", &oom);
	if (oom)
		return assay_fail_mem(err);
	if (!file)
		return fail_line(err, "a flash drive without file=");
	/* {copy:PATH} says the same by hand. */
	if (strchr(file, '{'))
		return substitute(q, paths, list, true, ret, err);
	if (ro) {
		*ret = assay_strdup(list);
		return *ret ? add_file(q, file, err) : assay_fail_mem(err);
	}
	if (copy_file(q, paths, file, true, &copy, err) < 0)
		return -1;
	*ret = replace_file(list, copy);
	return *ret ? 0 : assay_fail_mem(err);
}

/* The word after `option`, with real paths. */
static int real_word(struct assay_qemu *q, const struct assay_qemu_paths *paths, const char *option,
		     const char *word, char **ret, struct assay_err *err)
{
	bool oom = false;

	if (is_option(option, "drive") && key_is(word, "if", "pflash", &oom))
		return flash_drive(q, paths, word, ret, err);
	if (oom)
		return assay_fail_mem(err);
	if (is_option(option, "pflash") && !strchr(word, '{'))
		return copy_file(q, paths, word, true, ret, err);
	if (is_option(option, "bios") && !strchr(word, '{') && add_file(q, word, err) < 0)
		return -1;
	/* What is copied by hand is firmware where it takes firmware's place. */
	return substitute(q, paths, word,
			  is_option(option, "pflash") || is_option(option, "bios") ||
				  is_option(option, "blockdev"),
			  ret, err);
}

/* --- the plan -----------------------------------------------------------------------------------
 */

void assay_qemu_free(struct assay_qemu **q)
{
	if (!q || !*q)
		return;
	for (size_t i = 0; i < (*q)->n; i++) {
		if ((*q)->shown)
			free((*q)->shown[i]);
		if ((*q)->real)
			free((*q)->real[i]);
	}
	for (size_t i = 0; i < (*q)->n_files; i++)
		free((*q)->files[i].path);
	free((*q)->shown);
	free((*q)->real);
	free((*q)->files);
	free(*q);
	*q = NULL;
}

int assay_qemu_plan(const char *line, const struct assay_qemu_paths *paths, const char *tpm_device,
		    struct assay_qemu **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_qemu) *q = calloc(1, sizeof(*q));
	struct words words = { calloc(MAX_WORDS + 1, sizeof(char *)), 0 };
	bool added = false;

	if (!q || !words.w) {
		words_clear(&words);
		return assay_fail_mem(err);
	}
	if (split(line, &words, err) < 0 || complete(&words, tpm_device, &added, err) < 0) {
		words_clear(&words);
		return -1;
	}
	q->shown = words.w;
	q->n = words.n;
	q->serial_added = added;
	q->real = calloc(q->n + 1, sizeof(char *));
	q->files = calloc(MAX_FILES, sizeof(*q->files));
	if (!q->real || !q->files)
		return assay_fail_mem(err);
	for (size_t i = 0; i < q->n; i++)
		if (real_word(q, paths, i > 0 ? q->shown[i - 1] : "", q->shown[i], &q->real[i],
			      err) < 0)
			return -1;
	*ret = assay_steal(&q);
	return 0;
}
