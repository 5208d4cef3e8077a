#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# One disk in every form that is read: qemu-img, gzip, xz, zstd and tar make them, and the facts have to be those of the raw
# one. Images that lead elsewhere, that are cut off, that contradict themselves: refused, and no other file is read.

setup_file() {
	bats_require_minimum_version 1.5.0
	export LC_ALL=C.UTF-8 PATH=$PATH:/usr/sbin:/sbin
	local tool lacks=
	for tool in qemu-img qemu-nbd sfdisk mformat mcopy mmd objcopy; do
		command -v "$tool" > /dev/null || lacks="$lacks $tool"
	done
	export lacks
	[ -z "$lacks" ] || return 0
	# An odd size (no multiple of any cluster), data at both ends, holes between.
	cd "$BATS_FILE_TMPDIR"
	head -c 100000 /dev/urandom > noise
	truncate -s 41990656 disk.raw
	sfdisk -q disk.raw <<- END
		label: gpt
		label-id: 00000000-0000-0000-0000-000000000001
		start=2048, size=69632, type=c12a7328-f81f-11d2-ba4b-00a0c93ec93b, uuid=00000000-0000-0000-0000-000000000002
		start=71680, size=10200, type=0fc63daf-8483-4772-8e79-3d69d8477de4, uuid=00000000-0000-0000-0000-000000000003
	END
	mformat -i disk.raw@@1M -F -T 69632 -h 255 -s 63 -c 1 -v ESP ::
	mmd -i disk.raw@@1M ::/EFI ::/EFI/BOOT
	"$BATS_TEST_DIRNAME/../fixtures/make-pe.py" program .text=code
	mcopy -i disk.raw@@1M program ::/EFI/BOOT/BOOTX64.EFI
	mcopy -i disk.raw@@1M noise ::/
	dd if=noise of=disk.raw bs=4096 seek=10000 conv=notrunc status=none
	"$BATS_TEST_DIRNAME/../../build/assay" measure --json disk.raw > facts
	echo "nobody is to see this, $RANDOM$RANDOM" > secret
	truncate -s 1M secret
}

setup() {
	assay=$BATS_TEST_DIRNAME/../../build/assay
	[ -z "$lacks" ] || skip "not installed:$lacks"
	cd "$BATS_TEST_TMPDIR"
	disk=$BATS_FILE_TMPDIR/disk.raw
	secret=$BATS_FILE_TMPDIR/secret
}

need() {
	local tool
	for tool; do
		command -v "$tool" > /dev/null || skip "$tool is not installed"
	done
}

# refused TEXT COMMAND...: exit 1, one line on stderr, nothing on stdout, TEXT in it.
refused() {
	local text=$1
	shift
	run -1 --separate-stderr "$@"
	[ -z "$output" ]
	[ "${#stderr_lines[@]}" -eq 1 ]
	[[ $stderr == *"$text"* ]] || {
		echo "$stderr"
		false
	}
}

# same FORMAT FILE [OPTION]...: the facts are the raw disk's but for name, format and the file's size.
same() {
	local format=$1 file=$2
	shift 2
	"$assay" measure --json "$@" "$file" > ours
	python3 - ours "$BATS_FILE_TMPDIR/facts" "$format" "$file" <<- 'END'
		import json, os, sys
		ours, raw = (json.load(open(p)) for p in sys.argv[1:3])
		image = ours["image"]
		assert image.pop("format") == sys.argv[3], ours
		assert image.pop("name") == sys.argv[4]
		assert image.pop("file_size") == os.stat(sys.argv[4]).st_size
		for key in "format", "name", "file_size":
		    del raw["image"][key]
		assert ours == raw
	END
}

convert() { # FILE FORMAT OPTION...
	qemu-img convert -O "$2" "${@:3}" "$disk" "$1"
}

@test "qcow2: zlib, zstd, old and new, small and large clusters, subclusters" {
	convert a qcow2
	same qcow2 a
	convert a qcow2 -c
	same qcow2 a
	convert a qcow2 -c -o compression_type=zstd
	same qcow2 a
	convert a qcow2 -o compat=0.10,cluster_size=512
	same qcow2 a
	convert a qcow2 -o cluster_size=2M
	same qcow2 a
	convert a qcow2 -o extended_l2=on,cluster_size=64k
	same qcow2 a
	convert a qcow2 -o preallocation=metadata
	same qcow2 a
	convert a qcow2 -S 0
	same qcow2 a
}

@test "a qcow2 with internal snapshots is the disk as it is now" {
	need qemu-io
	convert a qcow2
	qemu-io -c 'write -P 7 20M 1M' a > /dev/null
	qemu-img snapshot -c before a
	qemu-img convert -O qcow2 -l before a old
	qemu-io -c 'write -z 20M 1M' a > /dev/null
	dd if="$disk" bs=1M skip=20 count=1 of=piece status=none
	qemu-io -c 'write -s piece 20M 1M' a > /dev/null
	same qcow2 a
	run same qcow2 old
	[ "$status" -ne 0 ]
}

@test "VHD and VHDX, fixed and dynamic" {
	convert a vpc -o force_size=on
	same "VHD, dynamic" a
	convert a vpc -o subformat=fixed,force_size=on
	same "VHD, fixed" a
	convert a vhdx
	same "VHDX, dynamic" a
	convert a vhdx -o block_size=256M
	same "VHDX, dynamic" a
	convert a vhdx -o subformat=fixed
	same "VHDX, fixed" a
}

@test "VMDK: monolithicSparse, streamOptimized" {
	convert a vmdk
	same "VMDK, monolithicSparse" a
	convert a vmdk -o zeroed_grain=on
	same "VMDK, monolithicSparse" a
	convert a vmdk -o subformat=streamOptimized
	same "VMDK, streamOptimized" a
}

@test "raw in gzip, xz, zstd and tar, sparse tar too" {
	need gzip xz zstd tar
	gzip -c "$disk" > a
	same "raw in gzip" a
	xz -0 -c "$disk" > a
	same "raw in xz" a
	zstd -q -c "$disk" > a
	same "raw in zstd" a
	cp --sparse=always "$disk" disk.raw
	tar -czf a disk.raw
	same "raw in tar.gz" a
	tar --format=oldgnu -Sczf a disk.raw
	same "raw in tar.gz" a
	tar --format=posix -Sczf a ./disk.raw
	same "raw in tar.gz" a
	tar -cJf a disk.raw
	same "raw in tar.xz" a
	tar --zstd -cf a disk.raw
	same "raw in tar.zst" a
}

@test "every verb opens them, and the image tool agrees about contents" {
	convert a.qcow2 qcow2 -c
	[ "$("$assay" ls a.qcow2)" = "$("$assay" ls "$disk")" ]
	"$assay" cat a.qcow2 /noise | cmp - "$BATS_FILE_TMPDIR/noise"
	cat > small.yaml <<- 'END'
		schema: assay.platform/1
		name: small
		arch: x86-64
		banks: [sha256]
		secure_boot: false
		events:
		  - {slot: gpt}
		  - {slot: boot, tries: 0}
		  - {slot: exit}
	END
	# The program is none that boots anything: refused in the same words.
	run -1 "$assay" precompute --platform small.yaml "$disk"
	local raw=${output#*: }
	run -1 "$assay" precompute --platform small.yaml a.qcow2
	[ "${output#*: }" = "${raw//disk.raw/a.qcow2}" ] || [ "${output##*: }" = "${raw##*: }" ]
	run -1 "$assay" verity a.qcow2
	[[ $output == *"a.qcow2"*"verity"* ]]
}

@test "names do not matter, bytes do" {
	convert disk.raw qcow2
	same qcow2 disk.raw
	cp "$disk" disk.qcow2
	same raw disk.qcow2
	# A name for a shell, for qemu and for a terminal.
	mkdir 'json:{"a":1}'
	convert 'b' qcow2
	mv b 'json:{"a":1}/nbd:,b '"'"'$(c)"\'
	"$assay" ls 'json:{"a":1}/nbd:,b '"'"'$(c)"\' | grep -q noise
}

@test "a backing file is refused by name, and never read" {
	cp "$secret" hidden
	qemu-img create -q -f qcow2 -b "$secret" -F raw a 40M
	refused "qcow2 with backing file '$secret': that file is read with --allow-backing only" "$assay" ls a
	qemu-img create -q -f qcow2 -b /etc/passwd -F raw a 40M
	refused "with backing file '/etc/passwd'" "$assay" ls --part 0 a
	qemu-img create -q -f qcow2 -b 'json:{"driver":"raw","file":{"driver":"file","filename":"/etc/passwd"}}' -F raw a 40M
	refused "with backing file 'json:{" "$assay" measure a
	refused "backing file: no file's name" "$assay" measure --allow-backing a
	qemu-img create -q -f qcow2 -u -b 'nbd://127.0.0.1/x' -F raw a 40M
	refused "backing file: no file's name" "$assay" measure --allow-backing a
	qemu-img create -q -f qcow2 -u -b nowhere -F raw a 40M
	refused "backing file: cannot open: No such file" "$assay" measure --allow-backing a
	qemu-img create -q -f qcow2 -u -b b -F qcow2 a 40M
	qemu-img create -q -f qcow2 -u -b a -F qcow2 b 40M
	refused "more than 7 backing files" "$assay" measure --allow-backing a
	qemu-img create -q -f qcow2 -u -b /dev/zero -F raw a 40M
	refused "backing file: is a character device" "$assay" measure --allow-backing a
}

@test "an external data file is refused by name, and never read" {
	qemu-img create -q -f qcow2 -o "data_file=$PWD/data" a 40M
	cp "$secret" data
	refused "qcow2 with external data file '$PWD/data': that file is read with --allow-backing only" "$assay" ls a
}

@test "--allow-backing: chains of files, relative names, external data" {
	local size
	size=$(stat -c %s "$disk")
	mkdir in
	convert in/base qcow2
	qemu-img create -q -f qcow2 -b base -F qcow2 in/middle
	qemu-img create -q -f qcow2 -b in/middle -F qcow2 a
	same qcow2 a --allow-backing
	cp "$disk" plain
	qemu-img create -q -f qcow2 -b plain -F raw a
	same qcow2 a --allow-backing
	# Raw is what the image says it is: bytes that look like something else stay what they are.
	qemu-img create -q -f qcow2 -b in/base -F raw a "$size"
	refused "this is a qcow2 image, not a raw disk" "$assay" ls --allow-backing a
	qemu-img create -q -f qcow2 -o "data_file=$PWD/data" a "$size"
	qemu-img convert -n -O qcow2 "$disk" a
	same qcow2 a --allow-backing
	truncate -s -200000 data
	refused "lies past the file's end" "$assay" measure --allow-backing a
}

@test "a VMDK that names other files is refused by name, and none is read" {
	printf '# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\ncreateType="monolithicFlat"\nRW 4 FLAT "/etc/passwd" 0\n' > a
	refused "VMDK whose disk is in other files, '/etc/passwd': they are read with --allow-backing only" "$assay" ls --part 0 a
	convert a.vmdk vmdk -o subformat=monolithicFlat
	refused "VMDK whose disk is in other files, 'a-flat.vmdk'" "$assay" ls a.vmdk
	same "VMDK, extents" a.vmdk --allow-backing
	convert b.vmdk vmdk -o subformat=twoGbMaxExtentFlat
	same "VMDK, extents" b.vmdk --allow-backing
	convert c.vmdk vmdk -o subformat=twoGbMaxExtentSparse
	refused "an extent that is not FLAT or ZERO" "$assay" ls --allow-backing c.vmdk
	refused "descriptor: no extent" "$assay" ls c-s001.vmdk
	# A parent, and descriptors inside that tell of something else.
	convert base.vmdk vmdk
	qemu-img create -q -f vmdk -b base.vmdk -F vmdk a
	refused "it has a parent" "$assay" ls a
	refused "it has a parent" "$assay" ls --allow-backing a
	sed 's/createType="monolithicSparse"/createType="monolithicFlatXX"/' base.vmdk > a
	refused "VMDK of type 'monolithicFlatXX'" "$assay" ls a
	sed 's/SPARSE "base.vmdk"/FLAT   "base.vmdk"/' base.vmdk > a
	refused "descriptor tells of another disk" "$assay" ls a
	# Without a capacity, qemu would take it for a descriptor.
	cp base.vmdk a
	printf '\0\0\0\0\0\0\0\0' | dd of=a bs=1 seek=12 conv=notrunc status=none
	refused "VMDK without a capacity" "$assay" ls a
}

@test "differencing VHD and VHDX are refused" {
	convert a vpc
	# Type 4 in both copies of the footer, with checksums: the type's last byte is at 63, the sum's at 64.
	python3 - a <<- 'END'
		import sys
		d = bytearray(open(sys.argv[1], "rb").read())
		for at in 0, len(d) - 512:
		    d[at + 60:at + 68] = bytes([0, 0, 0, 4]) + bytes(4)
		    d[at + 64:at + 68] = (~sum(d[at:at + 512]) & 0xffffffff).to_bytes(4, "big")
		open(sys.argv[1], "wb").write(d)
	END
	refused "differencing VHD" "$assay" ls a
	convert a vhdx
	# HasParent in the file parameters: the second word of the item that begins with the block size.
	python3 - a <<- 'END'
		import sys
		d = bytearray(open(sys.argv[1], "rb").read())
		entry = d.index(bytes.fromhex("3767a1ca36fa434db3b633f0aa44e76b"))
		table = d.rindex(b"metadata", 0, entry)
		item = table + int.from_bytes(d[entry + 16:entry + 20], "little")
		d[item + 4] |= 2
		open(sys.argv[1], "wb").write(d)
	END
	refused "differencing VHDX" "$assay" ls a
}

@test "two disks in one file are refused" {
	convert a qcow2
	dd if="$disk" of=a bs=512 skip=1 seek=1 count=1 conv=notrunc status=none
	refused "two disks in one" "$assay" ls a
}

@test "qcow2 that is encrypted, damaged, or newer than we know" {
	convert good qcow2
	patch_at() { # OFFSET BYTES
		cp good a
		printf '%b' "$2" | dd of=a bs=1 seek="$1" conv=notrunc status=none
	}
	patch_at 35 '\x01'
	refused "encrypted" "$assay" ls a
	patch_at 79 '\x02'
	refused "marked corrupt" "$assay" ls a
	patch_at 79 '\x01'
	refused "was not closed" "$assay" ls a
	patch_at 79 '\x20'
	refused "unknown incompatible features 0x20" "$assay" ls a
	patch_at 7 '\x04'
	refused "qcow version 4" "$assay" ls a
	patch_at 23 '\x19'
	refused "clusters of 2^25 bytes" "$assay" ls a
	patch_at 28 '\x7f'
	refused "first-level table" "$assay" ls a
	# What our checks let pass, the helper may still refuse: its words reach the user.
	patch_at 55 '\x01'
	refused "qemu-nbd says: " "$assay" ls a
}

@test "files that are cut off, anywhere, or have something behind them" {
	need gzip xz zstd jq
	local f cut size digest
	digest=$(jq -c .image.digest "$BATS_FILE_TMPDIR/facts")
	convert a.qcow2 qcow2
	convert b.qcow2 qcow2 -c
	convert c.vhd vpc -o force_size=on
	convert d.vhdx vhdx
	convert e.vmdk vmdk
	gzip -c "$disk" > f.gz
	xz -0 -c "$disk" > g.xz
	zstd -q -c "$disk" > h.zst
	for f in *.*; do
		size=$(stat -c %s "$f")
		for cut in 1 512 $((size / 3)) $((size / 2)) $((size - 700)); do
			head -c $((size - cut)) "$f" > "cut"
			echo "$f without its last $cut bytes"
			# Or nothing of the disk was in what is missing.
			run --separate-stderr "$assay" measure --json cut
			[ "$status" -eq 1 ] || [ "$cut" -le 512 ]
			[ "$status" -eq 1 ] || [ "$(jq -c .image.digest <<< "$output")" = "$digest" ]
		done
	done
	(cat f.gz; echo more) > a
	refused "gzip: " "$assay" ls a
	cat f.gz f.gz > a
	refused "several members" "$assay" ls a
	(cat g.xz; echo more) > a
	refused "xz: " "$assay" ls a
	(cat h.zst; echo more) > a
	refused "zstd: " "$assay" ls a
	# One bit, which inflate does not notice: the checksum does.
	head -c 1M /dev/urandom > noise
	gzip -n noise
	printf '\xff\x00\xff\x00' | dd of=noise.gz bs=1 seek=500000 conv=notrunc status=none
	refused "gzip: the checksum at its end is not that of what was unpacked" "$assay" measure noise.gz
}

@test "a tar file holds disk.raw and nothing else" {
	need tar gzip
	cp "$disk" disk.raw
	echo more > "more"
	tar -czf a disk.raw more
	refused "there is also 'more' in the tar file" "$assay" ls a
	tar -czf a more disk.raw
	refused "there is 'more' in the tar file" "$assay" ls a
	ln -s /etc/passwd link
	tar --transform s/link/disk.raw/ -czf a link
	refused "there is 'disk.raw' in the tar file" "$assay" ls a
	tar -cf a.tar disk.raw
	head -c 20000000 a.tar | gzip > a
	refused "tar: Truncated" "$assay" ls a
	run find "$BATS_TEST_TMPDIR" /var/tmp -maxdepth 1 -name 'assay-disk-*'
	[ -z "$output" ]
}

@test "no helper, no socket and no temporary file stays behind, killed or not" {
	need pgrep
	convert a qcow2
	truncate -s 8G big
	qemu-img convert -O qcow2 -S 0 "$disk" b
	before=$(find /tmp -maxdepth 1 -name 'assay-nbd-*' | wc -l)
	"$assay" ls a > /dev/null
	# A reader that waits for somebody to read what it prints: killed in the middle, with its helper at work.
	mkfifo pipe
	"$assay" cat --part 1 a /noise > pipe 2> /dev/null &
	pid=$!
	exec 9< pipe
	read -r -N 10 -u 9 _ || true
	helper=$(pgrep -P "$pid" -x qemu-nbd)
	[ -n "$helper" ]
	kill -KILL "$pid"
	for _ in {1..50}; do
		[ -d "/proc/$helper" ] || break
		sleep 0.1
	done
	exec 9<&-
	[ ! -d "/proc/$helper" ]
	[ "$(find /tmp -maxdepth 1 -name 'assay-nbd-*' | wc -l)" -eq "$before" ]
}

@test "without qemu-nbd, qcow2 is refused and raw disks are read" {
	convert a qcow2
	refused "needs qemu-nbd, which is not installed" env PATH=/nowhere "$assay" ls a
	env PATH=/nowhere "$assay" ls "$disk" > /dev/null
}

@test "a user who is not root reads them too, and root reads what is not root's" {
	need runuser
	[ "$(id -u)" -eq 0 ] || skip "not root"
	local folder
	folder=$(mktemp -d /tmp/assay-test-XXXXXX)
	convert "$folder/a" qcow2
	chown -R nobody "$folder"
	chmod 600 "$folder/a"
	install -m 755 "$assay" "$folder/assay"
	"$assay" ls "$folder/a" > want
	run runuser -u nobody -- "$folder/assay" ls "$folder/a"
	rm -r "$folder"
	[ "$status" -eq 0 ]
	[ "$output" = "$(cat want)" ]
}

@test "the helper opens the image and its libraries, nothing else" {
	need strace
	convert a qcow2
	strace -f -e trace=execve,open,openat,openat2,socket,connect,fork,vfork -o trace "$assay" ls a > /dev/null ||
		skip "strace cannot trace here"
	grep -q 'execve("[^"]*/qemu-nbd"' trace
	# What the helper's processes opened with success, after they became qemu-nbd.
	pid=$(awk '/execve\("[^"]*\/qemu-nbd"/ { print $1; exit }' trace)
	awk -v pid="$pid" '$1 >= pid' trace | grep -E 'open(at2?)?\(' | grep -v -e ' = -1 ' -e ENOENT |
		grep -oE '"[^"]+"' | tr -d '"' | sort -u > opened
	grep -q '^/proc/self/fd/4$' opened
	run grep -vE '^(/proc/self/fd/4|/lib(64)?/|/usr/lib(64)?/|/etc/ld\.so\.cache|/dev/null|/dev/urandom)' opened
	echo "$output"
	[ -z "$output" ]
}

@test "a 30 GB disk: little memory, in each format that is quick to make" {
	[ -x /usr/bin/time ] || skip "time is not installed"
	cp "$disk" big.raw
	truncate -s 30G big.raw
	qemu-img convert -O qcow2 big.raw big.qcow2
	qemu-img convert -O vhdx big.raw big.vhdx
	qemu-img convert -O vpc -o force_size=on big.raw big.vhd
	qemu-img convert -O vmdk big.raw big.vmdk
	local f kib
	for f in big.*; do
		kib=$({ /usr/bin/time -f %M "$assay" ls "$f" > /dev/null; } 2>&1)
		echo "$f: $kib KiB"
		[ "$kib" -le 65536 ]
	done
}
