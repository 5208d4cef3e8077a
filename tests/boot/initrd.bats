#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The tree that a kernel makes of an initrd whose members are in each other's way, against assay initrd's; real kernels
# and their modules against file, modinfo and the packers.

bats_require_minimum_version 1.5.0

setup() {
	load lib
	load ../cli/common
	assay=$boot_top/build/assay
	tmp=$BATS_TEST_TMPDIR
	cd "$tmp"
}

# The archives: made by Python, since cpio would not write most of this.
make_initrd() {
	python3 - "$1" "$2" <<- 'EOF'
		import gzip, stat, sys
		ino = 1000
		def member(name, data=b"", mode=stat.S_IFREG | 0o644, uid=0, gid=0, ino_=None, nlink=1, rmajor=0, rminor=0):
		    global ino
		    ino += 1
		    n = name.encode() + b"\0"
		    h = "070701" + "".join(f"{v:08x}" for v in (ino_ or ino, mode, uid, gid, nlink, 0, len(data), 0, 0, rmajor, rminor, len(n), 0))
		    b = h.encode() + n
		    b += b"\0" * (-len(b) % 4) + data
		    return b + b"\0" * (-len(b) % 4)
		D, L, C = stat.S_IFDIR | 0o755, stat.S_IFLNK | 0o777, stat.S_IFCHR | 0o600
		trailer = member("TRAILER!!!", mode=0)
		first = b"".join([
		    member("bin", mode=D), member("bin/busybox", open(sys.argv[1], "rb").read(), stat.S_IFREG | 0o755),
		    member("init", b"""#!/bin/busybox sh
		/bin/busybox mount -t proc proc /proc
		cd /t
		echo TREE-BEGIN
		/bin/busybox find . -exec /bin/busybox stat -c '%n %u %g %a %h %F %s %t,%T' {} \\;
		/bin/busybox find . -type l -exec /bin/busybox sh -c 'echo "LINK $1 $(/bin/busybox readlink $1)"' - {} \\;
		/bin/busybox find . -type f -exec /bin/busybox sha256sum {} \\;
		echo TREE-END
		/bin/busybox poweroff -f
		""", stat.S_IFREG | 0o755),
		    member("proc", mode=D), member("t", mode=D),
		])
		second = b"".join([
		    # later files win; kinds change; full folders stay
		    member("t/a", b"old"), member("t/full", mode=D), member("t/full/x", b"x"), member("t/empty", mode=D),
		    member("t/full", b"no"), member("t/empty", b"file now"), member("t/full", b"nowhere", L, 9, 8),
		    member("t/f", b"file"), member("t/f", b"target", L), member("t/g", b"target", L), member("t/g", b"file"),
		    member("t/h", b"target", L), member("t/h", mode=D), member("t/h", mode=stat.S_IFDIR | 0o700, uid=5),
		    # names through links, lost members
		    member("t/usr", mode=D), member("t/usr/lib", mode=D), member("t/lib", b"usr/lib", L),
		    member("t/lib/a", b"through"), member("t/usr/up", b"../lib/.", L), member("t/usr/up/b", b"up"),
		    member("t/abs", b"/t/usr", L), member("t/abs/lib/c", b"abs"), member("t/loop", b"loop", L), member("t/loop/x", b"lost"),
		    member("t/none/x", b"lost"), member("t/a/x", b"lost"),
		    # hard links
		    member("t/l1", ino_=7, nlink=3), member("t/l2", ino_=7, nlink=3), member("t/l3", b"data", ino_=7, nlink=3),
		    member("t/n1", mode=C, rmajor=1, rminor=3, ino_=9, nlink=2), member("t/n2", mode=C, rmajor=1, rminor=3, ino_=9, nlink=2),
		    trailer,
		    member("t/d", b"data", ino_=7, nlink=2), member("t/d", b"lost", ino_=7, nlink=2),
		    member("t/e", b"first", ino_=8, nlink=2), member("t/e2", b"second", ino_=8, nlink=2),
		    member("t/e3", mode=stat.S_IFREG | 0o700, ino_=8, nlink=2),
		    member("t/l2", b"bye"), member("t/a", b"new", stat.S_IFREG | 0o600, 3, 4),
		    # devices that are there already; a folder in a device's place
		    member("t/n1", mode=C, rmajor=1, rminor=5, uid=6), member("t/dd", mode=D), member("t/dd", mode=C, rmajor=1, rminor=3),
		    member("/t//./slash", b"slash"), member("t/sub/", mode=D), member("t/p", mode=stat.S_IFIFO | 0o600),
		    trailer,
		])
		out = first + gzip.compress(second, mtime=0)
		open(sys.argv[2], "wb").write(out)
	EOF
}

@test "a kernel's tree of members in each other's way" {
	need python3 qemu-system-x86_64 jq
	boot_debs_get
	make_initrd "$(find "$boot_debs/trixie/" -path "*bin/busybox" | head -n 1)" initrd
	boot_alone timeout 300 qemu-system-x86_64 -m 512 -smp 1 -nodefaults -nographic -no-reboot -serial "file:$tmp/serial" \
		-kernel "$(boot_kernel 6.12)" -initrd initrd -append 'console=ttyS0 quiet panic=-1' < /dev/null
	tr -d '\r' < serial | sed -n '/TREE-BEGIN$/,/^TREE-END$/p' > guest
	grep -qx TREE-END guest || {
		tail -n 20 serial
		false
	}
	python3 - guest <(cd / && "$assay" initrd --json "$tmp/initrd") <<- 'EOF'
		import json, sys
		theirs, links, sums = {}, {}, {}
		for line in open(sys.argv[1]).read().splitlines()[1:-1]:
		    w = line.split()
		    if w[0] == "LINK":
		        links[w[1]] = w[2]
		    elif len(w) == 2:
		        sums[w[1]] = w[0]
		    else:
		        name, uid, gid, mode, n = w[:5]
		        theirs[name] = [int(uid), int(gid), int(mode, 8), " ".join(w[5:-2]), int(w[-2]), w[-1], int(n)]
		kinds = {"dir": "directory", "link": "symbolic link", "char": "character special file", "fifo": "fifo"}
		ours = {}
		for f in json.load(open(sys.argv[2]))["files"]:
		    if f["path"] != "t" and not f["path"].startswith("t/"):
		        continue
		    name = "." + f["path"][1:]
		    ours[name] = f
		assert set(ours) == set(theirs), set(ours) ^ set(theirs)
		for name, f in ours.items():
		    uid, gid, mode, kind, size, dev, n = theirs[name]
		    assert [f["uid"], f["gid"], int(f["mode"], 8)] == [uid, gid, mode], (name, f, theirs[name])
		    if f["type"] == "file":
		        assert kind.startswith("regular") and f["size"] == size and f["sha256"] == sums[name] and f["links"] == n, (name, f, theirs[name], sums.get(name))
		    else:
		        assert kinds[f["type"]] == kind, (name, f, kind)
		    if f["type"] == "link":
		        assert f["target"] == links[name], name
		    if f["type"] == "char":
		        assert f"{f['major']:x},{f['minor']:x}" == dev, (name, f, dev)
		assert len(ours) >= 29, len(ours)
		print(len(ours), "files alike")
	EOF
}

@test "real kernels: version as file says; modules as modinfo says" {
	need file jq modinfo cpio
	boot_debs_get
	for v in 6.1 6.12; do
		kernel=$(boot_kernel $v)
		suite=bookworm
		[ $v = 6.1 ] || suite=trixie
		modules=$(dirname "$(find "$boot_debs/$suite/" -path '*lib/modules/*/modules.builtin' | head -n 1)")
		release=${modules##*/}
		mkdir -p "$v/usr/lib/modules/$release"
		find "$modules" -name '*.ko*' | LC_ALL=C sort | awk 'NR % 20 == 1 && ++n <= 30' |
			while read -r m; do cp "$m" "$v/usr/lib/modules/$release/"; done
		(cd "$v" && find . | cpio -o --quiet -H newc) > "$v.cpio"
		run -0 "$assay" initrd --json "$v.cpio"
		jq -e --arg r "$release" --argjson n "$(find "$v" -name '*.ko*' | wc -l)" \
			'.modules.releases == [{release: $r, modules: $n, checked: $n, others: 0, unreadable: 0}] and $n >= 10' <<< "$output"
		for m in "$v/usr/lib/modules/$release"/*; do
			[[ $(modinfo -F vermagic "$m") == "$release "* ]]
		done
		[[ $(file -b "$kernel") == *"version $("$assay" pe --json "$kernel" | jq -r '.[0].kernel_version' | cut -d' ' -f1) "* ]]
	done
}
