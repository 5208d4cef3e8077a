/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The caller's thread walks and puts each name's line into a ring; threads hash the files of those
 * lines; the lines leave the ring in order. Without threads a file is hashed when its line leaves.
 */
#include "measure/fs/tree.h"

#include <inttypes.h>
#include <pthread.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/evp.h>

#include "core/digest.h"
#include "core/hash.h"
#include "core/limits.h"
#include "core/text.h"
#include "measure/fs/fs_priv.h"
#include "measure/fs/walk.h"

#define BLOCK ((size_t)256 << 10)
#define RING 128U
#define MAX_THREADS 16U
/* A file with more has tables that are not held many times over: the ring is emptied before it. */
#define BIG (1ULL << 30)

/* A file with several names: its node is what they share. */
struct hard_link {
	uint64_t node;
	char *first; /* name in the listing */
	uint8_t sha256[32];
};

enum state { WAITING, BUSY, DONE };

struct line {
	enum state state;
	struct assay_str text; /* without the digest */
	bool is_file;
	struct assay_src *src;	/* to be hashed; NULL: nothing is */
	struct hard_link *link; /* or NULL */
	bool again;		/* not the link's first name */
	uint8_t sha256[32];
	bool failed;
	struct assay_err err;
};

struct tree {
	struct assay_fs *fs;
	size_t skip; /* bytes of a path that are the top's */
	assay_fs_tree_fn *fn;
	void *arg;
	EVP_MD_CTX *listing;
	EVP_MD_CTX *ctx; /* for want of threads */
	uint8_t *buf;
	void *links; /* tsearch(), by their nodes */
	struct assay_fs_tree sum;

	pthread_mutex_t lock; /* guards the ring and the lines' states */
	pthread_cond_t work, done;
	struct line ring[RING];
	uint64_t out, next, in; /* lines that left; that threads have looked at; that came */
	bool stop;
	pthread_t threads[MAX_THREADS];
	unsigned n_threads;
};

static int fail_evp(struct assay_err *err)
{
	return assay_fail(err, ASSAY_E_CRYPTO, ASSAY_NO_OFFSET, "SHA-256 failed");
}

/* --- hashing ---- */

static int hash_file(struct assay_src *src, EVP_MD_CTX *ctx, uint8_t *buf, uint8_t ret[32],
		     struct assay_err *err)
{
	const uint64_t size = assay_src_size(src);

	if (!ctx || !buf)
		return assay_fail_mem(err);
	if (EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
		return fail_evp(err);
	for (uint64_t off = 0; off < size; off += BLOCK) {
		const size_t n = size - off < BLOCK ? (size_t)(size - off) : BLOCK;

		if (assay_src_read(src, off, buf, n, err) < 0)
			return -1;
		if (EVP_DigestUpdate(ctx, buf, n) != 1)
			return fail_evp(err);
	}
	return EVP_DigestFinal_ex(ctx, ret, NULL) == 1 ? 0 : fail_evp(err);
}

static void *hasher(void *arg)
{
	struct tree *t = arg;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t *buf = malloc(BLOCK);

	pthread_mutex_lock(&t->lock);
	while (!t->stop) {
		if (t->next == t->in) {
			pthread_cond_wait(&t->work, &t->lock);
			continue;
		}
		struct line *l = &t->ring[t->next++ % RING];

		if (l->state != WAITING)
			continue;
		l->state = BUSY;
		pthread_mutex_unlock(&t->lock);
		l->failed = hash_file(l->src, ctx, buf, l->sha256, &l->err) < 0;
		pthread_mutex_lock(&t->lock);
		l->state = DONE;
		pthread_cond_signal(&t->done);
	}
	pthread_mutex_unlock(&t->lock);
	free(buf);
	EVP_MD_CTX_free(ctx);
	return NULL;
}

/* --- lines out ---- */

static int put(struct tree *t, const char *text, size_t len, struct assay_err *err)
{
	if (EVP_DigestUpdate(t->listing, text, len) != 1)
		return fail_evp(err);
	return t->fn ? t->fn(text, len, t->arg, err) : 0;
}

static void clear(struct line *l)
{
	assay_str_clear(&l->text);
	assay_src_free(&l->src);
	l->link = NULL;
}

static int finish_line(struct tree *t, struct line *l, struct assay_err *err)
{
	char hex[ASSAY_HEX_MAX];

	if (l->failed) {
		if (err)
			*err = l->err;
		/* The name, without its dot. */
		return assay_wrap(err, "%.*s", (int)strcspn(l->text.p, " ") - 1, l->text.p + 1);
	}
	/* The first has left the ring before. */
	if (l->again) {
		ASSAY_AUTO_FREE char *note = assay_asprintf("# hard link to %s:\n", l->link->first);

		if (!note)
			return assay_fail_mem(err);
		if (put(t, note, strlen(note), err) < 0)
			return -1;
		memcpy(l->sha256, l->link->sha256, sizeof(l->sha256));
	} else if (l->link) {
		memcpy(l->link->sha256, l->sha256, sizeof(l->sha256));
	}
	if (l->is_file)
		assay_str_add(&l->text, " sha256digest=%s", assay_hex(l->sha256, 32, hex));
	assay_str_add(&l->text, "\n");
	if (l->text.bad)
		return assay_fail_mem(err);
	return put(t, l->text.p, l->text.len, err);
}

/* The oldest line leaves the ring. */
static int emit(struct tree *t, struct assay_err *err)
{
	struct line *l = &t->ring[t->out % RING];
	int rc;

	pthread_mutex_lock(&t->lock);
	if (l->state == WAITING && t->n_threads == 0) {
		l->failed = hash_file(l->src, t->ctx, t->buf, l->sha256, &l->err) < 0;
		l->state = DONE;
		t->next = t->out + 1;
	}
	while (l->state != DONE)
		pthread_cond_wait(&t->done, &t->lock);
	t->out++;
	if (t->next < t->out)
		t->next = t->out;
	pthread_mutex_unlock(&t->lock);
	rc = finish_line(t, l, err);
	clear(l);
	return rc;
}

/* --- lines in ---- */

/* As vis(3) in octal: mtree's own characters, what a shell or mtree(8) would expand, and what is
 * not printable. */
static void add_name(struct assay_str *s, const char *name)
{
	for (const unsigned char *p = (const unsigned char *)name; *p; p++) {
		if (*p <= 0x20 || *p >= 0x7f || strchr("\\#=*?[", *p))
			assay_str_add(s, "\\%03o", *p);
		else
			assay_str_add_n(s, p, 1);
	}
}

static const char *type_name(const struct assay_fs_stat *st)
{
	switch (st->kind) {
	case ASSAY_FS_FILE:
		return "file";
	case ASSAY_FS_DIR:
		return "dir";
	case ASSAY_FS_SYMLINK:
		return "link";
	default:
		break;
	}
	switch (st->mode & S_IFMT) {
	case S_IFBLK:
		return "block";
	case S_IFCHR:
		return "char";
	case S_IFIFO:
		return "fifo";
	case S_IFSOCK:
		return "socket";
	default:
		return NULL;
	}
}

static int by_node(const void *a, const void *b)
{
	const struct hard_link *x = a, *y = b;

	return x->node < y->node ? -1 : x->node > y->node;
}

static void free_link(void *p)
{
	struct hard_link *link = p;

	free(link->first);
	free(link);
}

/* *ret_new: the line is the first that has this node. */
static int find_link(struct tree *t, uint64_t node, const char *line, struct hard_link **ret,
		     bool *ret_new, struct assay_err *err)
{
	struct hard_link *fresh, **found;
	struct hard_link key = { .node = node };

	found = tfind(&key, &t->links, by_node);
	*ret_new = !found;
	if (found) {
		*ret = *found;
		return 0;
	}
	fresh = calloc(1, sizeof(*fresh));
	if (!fresh)
		return assay_fail_mem(err);
	fresh->node = node;
	fresh->first = assay_asprintf("%.*s", (int)strcspn(line, " "), line);
	if (!fresh->first || !tsearch(fresh, &t->links, by_node)) {
		free_link(fresh);
		return assay_fail_mem(err);
	}
	*ret = fresh;
	return 0;
}

static int open_file(struct tree *t, const struct assay_fs_entry *e, struct line *l,
		     struct assay_err *err)
{
	const struct assay_fs_nodes *nodes = t->fs->ops->nodes;
	bool first = true;

	if (nodes && e->st.links > 1) {
		if (l->text.bad)
			return assay_fail_mem(err);
		if (find_link(t, e->node, l->text.p, &l->link, &first, err) < 0)
			return -1;
		l->again = !first;
		assay_str_add(&l->text, " nlink=%" PRIu32, e->st.links);
	}
	assay_str_add(&l->text, " size=%" PRIu64, e->st.size);
	if (!first)
		return 0;
	if (e->st.size > ASSAY_FS_MAX_TREE_BYTES - t->sum.bytes)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET,
				  "files of more than %llu bytes", ASSAY_FS_MAX_TREE_BYTES);
	t->sum.files++;
	t->sum.bytes += e->st.size;
	return nodes ? nodes->open(t->fs->data, e->node, &l->src, err)
		     : assay_fs_file(t->fs, e->path, &l->src, NULL, err);
}

static int describe(struct tree *t, const struct assay_fs_entry *e, struct line *l,
		    struct assay_err *err)
{
	const struct assay_fs_nodes *nodes = t->fs->ops->nodes;
	const char *type = type_name(&e->st);
	struct assay_str *s = &l->text;

	if (!type)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "of unknown type 0%o",
				  e->st.mode & S_IFMT);
	assay_str_add(s, ".");
	/* The first is the top itself. */
	if (t->sum.names > 1)
		add_name(s, e->path + t->skip);
	else if (e->path[1])
		t->skip = strlen(e->path);
	assay_str_add(s, " type=%s", type);
	/* FAT knows of nothing else. */
	if (nodes)
		assay_str_add(
			s, " mode=%04o uid=%" PRIu32 " gid=%" PRIu32 " time=%" PRId64 ".%09" PRIu32,
			e->st.mode & 07777, e->st.uid, e->st.gid, e->st.mtime, e->st.mtime_nsec);
	if (e->st.kind == ASSAY_FS_FILE)
		return open_file(t, e, l, err);
	if (e->st.kind == ASSAY_FS_SYMLINK) {
		ASSAY_AUTO_FREE char *target = NULL;

		if (nodes->readlink(t->fs->data, e->node, &target, err) < 0)
			return -1;
		assay_str_add(s, " link=");
		add_name(s, target);
	}
	if (type[0] == 'b' || type[0] == 'c')
		assay_str_add(s, " device=native,%" PRIu32 ",%" PRIu32, e->st.major, e->st.minor);
	return 0;
}

static int add(const struct assay_fs_entry *e, void *arg, struct assay_err *err)
{
	struct tree *t = arg;
	const bool big = e->st.kind == ASSAY_FS_FILE && e->st.size > BIG;

	while (t->in - t->out == RING || (big && t->in > t->out))
		if (emit(t, err) < 0)
			return -1;
	struct line *l = &t->ring[t->in % RING];

	*l = (struct line){ .is_file = e->st.kind == ASSAY_FS_FILE };
	t->sum.names++;
	if (describe(t, e, l, err) < 0) {
		clear(l);
		return assay_wrap(err, "%s", e->path);
	}
	pthread_mutex_lock(&t->lock);
	l->state = l->src ? WAITING : DONE;
	t->in++;
	if (l->state == WAITING)
		pthread_cond_signal(&t->work);
	pthread_mutex_unlock(&t->lock);
	return 0;
}

/* --- the whole ---- */

static int run(struct tree *t, const char *path, struct assay_err *err)
{
	static const char head[] = "#mtree\n";
	const unsigned n = assay_hash_threads();

	t->listing = EVP_MD_CTX_new();
	t->ctx = EVP_MD_CTX_new();
	t->buf = malloc(BLOCK);
	if (!t->listing || !t->ctx || !t->buf)
		return assay_fail_mem(err);
	if (EVP_DigestInit_ex(t->listing, EVP_sha256(), NULL) != 1)
		return fail_evp(err);
	while (n > 1 && t->n_threads < n && t->n_threads < MAX_THREADS &&
	       pthread_create(&t->threads[t->n_threads], NULL, hasher, t) == 0)
		t->n_threads++;
	if (put(t, head, sizeof(head) - 1, err) < 0 || assay_fs_walk(t->fs, path, add, t, err) < 0)
		return -1;
	while (t->out < t->in)
		if (emit(t, err) < 0)
			return -1;
	return EVP_DigestFinal_ex(t->listing, t->sum.sha256, NULL) == 1 ? 0 : fail_evp(err);
}

int assay_fs_tree_digest(struct assay_fs *fs, const char *path, assay_fs_tree_fn *fn, void *arg,
			 struct assay_fs_tree *ret, struct assay_err *err)
{
	struct tree *t = calloc(1, sizeof(*t));
	int rc;

	if (!t)
		return assay_fail_mem(err);
	t->fs = fs;
	t->fn = fn;
	t->arg = arg;
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->work, NULL);
	pthread_cond_init(&t->done, NULL);
	rc = run(t, path, err);

	pthread_mutex_lock(&t->lock);
	t->stop = true;
	pthread_cond_broadcast(&t->work);
	pthread_mutex_unlock(&t->lock);
	for (unsigned i = 0; i < t->n_threads; i++)
		pthread_join(t->threads[i], NULL);
	for (size_t i = 0; i < RING; i++)
		clear(&t->ring[i]);
	tdestroy(t->links, free_link);
	EVP_MD_CTX_free(t->listing);
	EVP_MD_CTX_free(t->ctx);
	free(t->buf);
	pthread_cond_destroy(&t->done);
	pthread_cond_destroy(&t->work);
	pthread_mutex_destroy(&t->lock);
	if (rc == 0)
		*ret = t->sum;
	free(t);
	return rc;
}
