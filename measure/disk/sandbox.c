/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/disk/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "core/log.h"

/* --- Landlock -----------------------------------------------------------------------------------
 *
 * By system call: Debian has no library for it, and its headers are older than kernels that it runs on.
 */

#ifndef __NR_landlock_create_ruleset
#define __NR_landlock_create_ruleset 444
#define __NR_landlock_add_rule 445
#define __NR_landlock_restrict_self 446
#endif
#define LL_CREATE_VERSION 1U
#define LL_RULE_PATH_BENEATH 1
#define LL_EXECUTE (1ULL << 0)
#define LL_WRITE_FILE (1ULL << 1)
#define LL_READ_FILE (1ULL << 2)
#define LL_READ_DIR (1ULL << 3)

/* What each version of the interface can forbid (linux/landlock.h): all of it is. */
static const uint64_t fs_rights[] = {
	(1ULL << 13) - 1, /* 1: all but those below */
	(1ULL << 14) - 1, /* 2: rename and link to another folder */
	(1ULL << 15) - 1, /* 3: truncate */
	(1ULL << 15) - 1, /* 4: (TCP) */
	(1ULL << 16) - 1, /* 5: ioctl on devices */
};
#define LL_NET_ALL 3ULL	  /* from 4: bind, connect */
#define LL_SCOPE_ALL 3ULL /* from 6: abstract unix sockets, signals to others */

struct ll_ruleset {
	uint64_t fs;
	uint64_t net;
	uint64_t scoped;
};

struct ll_beneath {
	uint64_t access;
	int32_t parent;
} __attribute__((packed));

static int add_fd(int ruleset, int fd, uint64_t access)
{
	const struct ll_beneath rule = { .access = access, .parent = fd };

	return (int)syscall(__NR_landlock_add_rule, ruleset, LL_RULE_PATH_BENEATH, &rule, 0);
}

/* What is not there needs no rule. */
static int add_path(int ruleset, const char *path, uint64_t access, struct assay_err *err)
{
	const int fd = open(path, O_PATH | O_CLOEXEC);
	struct stat st;
	int r = 0;

	if (fd < 0)
		return 0;
	if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode))
		access &= ~LL_READ_DIR;
	if (add_fd(ruleset, fd, access) < 0)
		r = assay_fail_sys(err, "cannot allow the helper to read %s", path);
	close(fd);
	return r;
}

static int add_rules(int ruleset, const char *program, const int *fds, size_t n,
		     struct assay_err *err)
{
	/* The loader is run by the kernel: it lies among the libraries. */
	static const char *const libraries[] = { "/lib", "/lib32", "/lib64", "/libx32", "/usr/lib",
						 "/usr/lib32", "/usr/lib64", "/usr/libx32" };

	for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++) {
		if (add_path(ruleset, libraries[i], LL_READ_FILE | LL_READ_DIR | LL_EXECUTE, err) <
		    0)
			return -1;
	}
	if (add_path(ruleset, program, LL_READ_FILE | LL_EXECUTE, err) < 0 ||
	    add_path(ruleset, "/etc/ld.so.cache", LL_READ_FILE, err) < 0 ||
	    add_path(ruleset, "/dev/null", LL_READ_FILE | LL_WRITE_FILE, err) < 0 ||
	    add_path(ruleset, "/dev/urandom", LL_READ_FILE, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (add_fd(ruleset, fds[i], LL_READ_FILE) < 0)
			return assay_fail_sys(err, "cannot allow the helper to read the image");
	}
	return 0;
}

int assay_sandbox_prepare(const char *program, const int *fds, size_t n, int *ret,
			  struct assay_err *err)
{
	const size_t known = sizeof(fs_rights) / sizeof(fs_rights[0]);
	struct ll_ruleset attr = { 0 };
	const long abi = syscall(__NR_landlock_create_ruleset, NULL, 0, LL_CREATE_VERSION);
	size_t size = sizeof(attr.fs);
	int ruleset;

	if (abi < 1) {
		assay_log(ASSAY_LOG_INFO, "this kernel has no Landlock: what keeps qemu-nbd from other files is "
					  "how it is called, and seccomp");
		*ret = -1;
		return 0;
	}
	attr.fs = fs_rights[(size_t)abi < known ? (size_t)abi - 1 : known - 1];
	if (abi >= 4) {
		attr.net = LL_NET_ALL;
		size += sizeof(attr.net);
	}
	if (abi >= 6) {
		attr.scoped = LL_SCOPE_ALL;
		size += sizeof(attr.scoped);
	}
	ruleset = (int)syscall(__NR_landlock_create_ruleset, &attr, size, 0);
	if (ruleset < 0)
		return assay_fail_sys(err, "cannot make a Landlock ruleset");
	if (add_rules(ruleset, program, fds, n, err) < 0) {
		close(ruleset);
		return -1;
	}
	*ret = ruleset;
	return 0;
}

/* --- seccomp ------------------------------------------------------------------------------------
 */

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif

#ifdef ARCH
#define NR (uint32_t)offsetof(struct seccomp_data, nr)
#define ARG0 (uint32_t)offsetof(struct seccomp_data, args[0])
#define LOAD(off) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, off)
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, what)
/* The next statement is run when it is this call. */
#define IF_CALL(nr) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(nr), 0, 1)
#define REFUSE(nr) IF_CALL(nr), RETURN(SECCOMP_RET_ERRNO | EPERM)

/*
 * Calls that a reader of one file has no use for: new sockets and processes, other processes, the machine. Little-endian
 * hosts alone: the low half of an argument is its first.
 */
static struct sock_filter filter[] = {
	LOAD((uint32_t)offsetof(struct seccomp_data, arch)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0),
	RETURN(SECCOMP_RET_KILL_PROCESS),
	LOAD(NR),
#ifdef __x86_64__
	/* The x32 calls. */
	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1),
	RETURN(SECCOMP_RET_KILL_PROCESS),
#endif
	/* Threads, no processes; glibc falls back to clone(), whose flags can be seen. */
	IF_CALL(__NR_clone3),
	RETURN(SECCOMP_RET_ERRNO | ENOSYS),
#ifdef __NR_fork
	REFUSE(__NR_fork),
	REFUSE(__NR_vfork),
#endif
	REFUSE(__NR_socket),
	REFUSE(__NR_connect),
	REFUSE(__NR_bind),
	REFUSE(__NR_listen),
	REFUSE(__NR_execveat),
	REFUSE(__NR_ptrace),
	REFUSE(__NR_process_vm_readv),
	REFUSE(__NR_process_vm_writev),
	REFUSE(__NR_pidfd_open),
	REFUSE(__NR_pidfd_getfd),
	REFUSE(__NR_kcmp),
	/* Ways to files around their paths, and around this filter. */
	REFUSE(__NR_open_by_handle_at),
	REFUSE(__NR_name_to_handle_at),
	REFUSE(__NR_io_uring_setup),
	REFUSE(__NR_io_uring_enter),
	REFUSE(__NR_io_uring_register),
	REFUSE(__NR_mount),
	REFUSE(__NR_umount2),
	REFUSE(__NR_open_tree),
	REFUSE(__NR_move_mount),
	REFUSE(__NR_fsopen),
	REFUSE(__NR_pivot_root),
	REFUSE(__NR_chroot),
	REFUSE(__NR_unshare),
	REFUSE(__NR_setns),
	REFUSE(__NR_bpf),
	REFUSE(__NR_perf_event_open),
	REFUSE(__NR_userfaultfd),
	REFUSE(__NR_add_key),
	REFUSE(__NR_request_key),
	REFUSE(__NR_keyctl),
	REFUSE(__NR_init_module),
	REFUSE(__NR_finit_module),
	REFUSE(__NR_delete_module),
	REFUSE(__NR_kexec_load),
	REFUSE(__NR_reboot),
	REFUSE(__NR_swapon),
	REFUSE(__NR_acct),
	REFUSE(__NR_quotactl),
	REFUSE(__NR_syslog),
	REFUSE(__NR_sethostname),
	REFUSE(__NR_settimeofday),
	REFUSE(__NR_clock_settime),
	REFUSE(__NR_clock_adjtime),
	REFUSE(__NR_personality),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clone, 0, 3),
	LOAD(ARG0),
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 1, 0),
	RETURN(SECCOMP_RET_ERRNO | EPERM),
	RETURN(SECCOMP_RET_ALLOW),
};

static const char *filter_calls(void)
{
	const struct sock_fprog prog = { sizeof(filter) / sizeof(filter[0]), filter };

	/* A kernel without seccomp says EINVAL. */
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0) < 0 && errno != EINVAL)
		return "cannot filter its system calls";
	return NULL;
}
#else
static const char *filter_calls(void)
{
	return NULL;
}
#endif

/* --- the child ----------------------------------------------------------------------------------
 */

static const char *limit(void)
{
	/* qemu-nbd takes some 40 MiB and, with its threads' stacks, below 1 GiB of addresses. */
	static const struct rlimit space = { 4ULL << 30, 4ULL << 30 }, none = { 0, 0 },
				   files = { 256, 256 };

	if (setrlimit(RLIMIT_AS, &space) < 0 || setrlimit(RLIMIT_CORE, &none) < 0 ||
	    setrlimit(RLIMIT_FSIZE, &none) < 0 || setrlimit(RLIMIT_NOFILE, &files) < 0)
		return "cannot set its limits";
	return NULL;
}

const char *assay_sandbox_enter(int ruleset)
{
	const char *failed = limit();

	if (failed)
		return failed;
	/* Root keeps what opens a file that is not root's own. Others have none to drop. */
	for (unsigned long cap = 0; cap < 64; cap++) {
		if (cap != CAP_DAC_OVERRIDE && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 &&
		    errno == EINVAL)
			break;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return "cannot renounce privileges";
	if (ruleset >= 0 && syscall(__NR_landlock_restrict_self, ruleset, 0) < 0)
		return "cannot enter the Landlock sandbox";
	return filter_calls();
}
