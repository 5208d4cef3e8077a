#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# assay ls and assay cat on disks made by sfdisk, mkfs.vfat and mtools; mtools is the oracle.

setup_file() {
	bats_require_minimum_version 1.5.0
	# A UTF-8 locale that is always there, and disks that mtools does not second-guess.
	export LC_ALL=C.UTF-8 MTOOLS_SKIP_CHECK=1 PATH=$PATH:/usr/sbin:/sbin
	python3 "$BATS_TEST_DIRNAME/../fixtures/make-tree.py" "$BATS_FILE_TMPDIR/tree"
}

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	assay=$PWD/build/assay
	make_gpt=$PWD/tests/fixtures/make-gpt.py
	tree=$BATS_FILE_TMPDIR/tree
	cd "$BATS_TEST_TMPDIR"
}

need() {
	local tool
	for tool; do
		command -v "$tool" >/dev/null || skip "$tool is not installed"
	done
}

# same_tree DISK [OPTION]...: what assay sees on the ESP is the tree, names and contents.
same_tree() {
	local disk=$1 f
	shift
	"$assay" ls -R "$@" "$disk" | sort >ours
	(cd "$tree" && find . -mindepth 1 \( -type d -printf '%P/\n' \) -o -printf '%P\n') | sort >theirs
	diff theirs ours
	"$assay" ls -lR "$@" "$disk" | grep -v '/$' | sed 's/^ *//' | sort >ours
	(cd "$tree" && find . -type f -printf '%s  %P\n') | sort >theirs
	diff theirs ours
	while IFS= read -r f; do
		"$assay" cat "$@" "$disk" "/$f" | cmp - "$tree/$f" || return 1
	done < <(cd "$tree" && find . -type f -printf '%P\n')
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

@test "FAT12: hundreds of files as mtools wrote them" {
	need mkfs.vfat mcopy
	mkfs.vfat -C -F 12 -s 8 -r 512 esp.img 12000 >/dev/null
	mcopy -s -i esp.img "$tree"/* "$tree"/.hidden ::/
	"$make_gpt" disk.img 32 esp:1:12:esp.img
	same_tree disk.img
}

@test "FAT16: hundreds of files, in a partition made by sfdisk" {
	need mkfs.vfat mcopy sfdisk
	truncate -s 64M disk.img
	printf 'label: gpt\nstart=2048, size=20M, type=L, name=first\nsize=32M, type=U, name="ESP ä"\n' |
		sfdisk -q disk.img
	mkfs.vfat -F 16 --offset $((2048 + 40960)) disk.img 32768 >/dev/null 2>&1
	mcopy -s -i "disk.img@@21M" "$tree"/* "$tree"/.hidden ::/
	same_tree disk.img
	same_tree disk.img --part 2
	refused "partition 1: unknown filesystem" "$assay" ls --part 1 disk.img
	refused "no partition 3" "$assay" ls --part 3 disk.img
}

@test "FAT32: hundreds of files, in a partition made by sgdisk" {
	need mkfs.vfat mcopy sgdisk
	truncate -s 80M disk.img
	sgdisk -n 1:2048:+70M -t 1:ef00 -c 1:ESP disk.img >/dev/null
	mkfs.vfat -F 32 -s 1 --offset 2048 disk.img 71680 >/dev/null 2>&1
	mcopy -s -i "disk.img@@1M" "$tree"/* "$tree"/.hidden ::/
	same_tree disk.img
}

@test "4096-byte sectors, of the disk and of the FAT" {
	need mkfs.vfat mcopy
	mkfs.vfat -C -F 16 -S 4096 -s 1 esp.img 24000 >/dev/null
	mcopy -s -i esp.img "$tree"/* "$tree"/.hidden ::/
	"$make_gpt" --sector-size 4096 disk.img 32 linux:30:1 esp:1:24:esp.img
	same_tree disk.img
}

@test "a filesystem without a partition table: --part 0" {
	need mkfs.vfat mcopy
	mkfs.vfat -C -F 16 esp.img 24000 >/dev/null
	mcopy -s -i esp.img "$tree"/* "$tree"/.hidden ::/
	same_tree esp.img --part 0
	same_tree esp.img
	refused "this is a FAT filesystem without a partition table" "$assay" ls --part esp esp.img
}

@test "fragmented files, and deleted ones that are not found" {
	need mkfs.vfat mcopy mdel mdir
	local i
	mkfs.vfat -C -F 16 -s 1 esp.img 6000 >/dev/null
	for i in {1..40}; do
		head -c $((i * 700)) /dev/urandom >small
		mcopy -i esp.img small "::/piece number $i.bin"
	done
	for i in {1..40..2}; do
		mdel -i esp.img "::/piece number $i.bin"
	done
	for i in {1..6}; do
		head -c $((50000 + i * 1111)) /dev/urandom >"big$i"
		mcopy -i esp.img "big$i" ::/
	done
	"$make_gpt" disk.img 8 esp:1:6:esp.img
	for i in {1..6}; do
		"$assay" cat disk.img "/BIG$i" | cmp - "big$i"
	done
	for i in {2..40..2}; do
		mcopy -n -o -i esp.img "::/piece number $i.bin" want
		"$assay" cat disk.img "/piece number $i.bin" | cmp - want
	done
	for i in {1..40..2}; do
		refused "no such file: /piece number $i.bin" "$assay" cat disk.img "/piece number $i.bin"
	done
	"$assay" ls disk.img | sort >ours
	mdir -b -i esp.img ::/ | sed 's,^::/,,' | sort >theirs
	diff theirs ours
	# They were in pieces indeed: the largest one has more than one run.
	[ "$(mshowfat -i esp.img ::/big6 | grep -o '<' | wc -l)" -gt 1 ]
}

@test "names match in any case, by their 8.3 form too, and come out as on the disk" {
	need mkfs.vfat mcopy mmd
	mkfs.vfat -C -F 12 esp.img 6000 >/dev/null
	mmd -i esp.img ::/EFI ::/EFI/boot
	echo one >one
	mcopy -i esp.img one "::/EFI/boot/BootX64.efi"
	mcopy -i esp.img one "::/EFI/boot/a rather long name.efi"
	"$make_gpt" disk.img 8 esp:1:6:esp.img
	[ "$("$assay" cat disk.img /efi/BOOT/BOOTX64.EFI)" = one ]
	[ "$("$assay" cat disk.img '/EFI/BOOT/ARATHE~1.EFI')" = one ]
	[ "$("$assay" ls disk.img /efi)" = boot/ ]
	[[ $("$assay" ls -l disk.img /efi/boot) == *"           4  BootX64.efi"* ]]
}

@test "cat -o writes a file whole, or not at all" {
	need mkfs.vfat mcopy
	mkfs.vfat -C -F 12 esp.img 6000 >/dev/null
	head -c 300000 /dev/urandom >one
	mcopy -i esp.img one ::/
	"$make_gpt" disk.img 8 esp:1:6:esp.img
	"$assay" cat -o out disk.img /one
	cmp out one
	refused "no such file" "$assay" cat -o other disk.img /two
	[ ! -e other ]
}

@test "a differing or broken backup is no hindrance, and never used" {
	need mkfs.vfat mcopy
	mkfs.vfat -C -F 12 esp.img 6000 >/dev/null
	echo one >one
	mcopy -i esp.img one ::/
	"$make_gpt" --evil backup disk.img 8 esp:1:6:esp.img
	[ "$("$assay" cat disk.img /one)" = one ]
	"$make_gpt" --evil no-backup disk.img 8 esp:1:6:esp.img
	[ "$("$assay" cat disk.img /one)" = one ]
	"$make_gpt" --evil crc disk.img 8 esp:1:6:esp.img
	refused "GPT header's CRC is" "$assay" ls disk.img
	"$make_gpt" disk.img 8 esp:1:6:esp.img
	dd if=/dev/zero of=disk.img bs=512 seek=1 count=1 conv=notrunc status=none
	refused "no primary GPT; there is a backup" "$assay" ls disk.img
}

@test "bad disks: one line each that says what is wrong" {
	: >empty
	refused "empty: no GPT: the file is empty" "$assay" ls empty
	truncate -s 1M zeros
	refused "zeros: no GPT: the first 65536 bytes are all zeros" "$assay" ls zeros
	"$make_gpt" disk.img 8 linux:1:6
	refused "no EFI System Partition among 1 partitions" "$assay" ls disk.img
	"$make_gpt" disk.img 8 esp:1:2 esp:4:2
	refused "2 EFI System Partitions" "$assay" ls disk.img
	"$make_gpt" --evil overlap disk.img 8 esp:1:2 linux:3:2
	refused "partitions 1 and 2 overlap" "$assay" ls disk.img
	printf 'LUKS\272\276' >luks
	"$make_gpt" disk.img 8 esp:1:2:luks
	refused "EFI System Partition: unsupported: this is an encrypted filesystem (LUKS) (at byte 0x100000)" \
		"$assay" ls disk.img
	refused "is a directory" "$assay" ls .
	refused "nowhere: cannot open: No such file or directory" "$assay" ls nowhere
}

@test "images in other formats are named" {
	need qemu-img bzip2 gzip
	truncate -s 1M raw
	qemu-img convert -O vdi raw disk.vdi
	qemu-img convert -O qcow2 raw disk.qcow2
	bzip2 -k raw
	refused "this is a VDI image, not a raw disk" "$assay" ls disk.vdi
	refused "this is a bzip2-compressed file, not a raw disk" "$assay" ls raw.bz2
	gzip disk.qcow2
	refused "this is a qcow2 image, not a raw disk" "$assay" ls disk.qcow2.gz
}

@test "an MBR disk, and filesystems on the bare disk, are named" {
	need sfdisk mkfs.ext4
	truncate -s 8M mbr
	printf 'label: dos\nstart=2048, type=c\n' | sfdisk -q mbr
	refused "no GPT; an MBR partition table is there" "$assay" ls mbr
	truncate -s 8M ext4
	mkfs.ext4 -q ext4
	"$assay" ls ext4 | grep -qx lost+found/
	"$assay" ls --part 0 ext4 | grep -qx lost+found/
	mkfs.ext4 -q -F -O journal_dev ext4
	refused "nothing but a journal of another filesystem" "$assay" ls --part 0 ext4
}

@test "a chain that loops names file and place" {
	need mkfs.vfat mcopy mshowfat
	mkfs.vfat -C -F 16 -s 1 -R 1 esp.img 6000 >/dev/null
	head -c 5000 /dev/urandom >one
	mcopy -i esp.img one ::/
	# Its second cluster leads back to its first. The FAT starts at byte 512, two bytes a cluster.
	first=$(mshowfat -i esp.img ::/one | sed -E 's/.*<([0-9]+)-.*/\1/')
	printf "\\x$(printf %02x "$first")\\x00" |
		dd of=esp.img bs=1 seek=$((512 + 2 * (first + 1))) conv=notrunc status=none
	"$make_gpt" disk.img 8 esp:1:6:esp.img
	refused "file /one: cluster chain from $first loops (at byte 0x" "$assay" cat disk.img /one
}

@test "a 10 GB disk with a 2 GB ESP: milliseconds, and little memory" {
	need mkfs.vfat mcopy mmd sfdisk
	truncate -s 10G disk.img
	printf 'label: gpt\nstart=2048, size=2G, type=U\ntype=L\n' | sfdisk -q disk.img
	mkfs.vfat -F 32 --offset 2048 disk.img 2097152 >/dev/null 2>&1
	mmd -i disk.img@@1M ::/EFI ::/EFI/Linux
	head -c 80000000 /dev/urandom >uki
	mcopy -i disk.img@@1M uki ::/EFI/Linux/linux.efi
	run -0 python3 - "$assay" <<-'END'
		import resource, subprocess, sys
		used = lambda: resource.getrusage(resource.RUSAGE_CHILDREN)
		for _ in range(20):
		    out = subprocess.run([sys.argv[1], "ls", "-R", "disk.img"], check=True, capture_output=True, text=True).stdout
		assert out == "EFI/\nEFI/Linux/\nEFI/Linux/linux.efi\n", out
		# Processor time of the whole process, which a busy machine stretches less: 3 to 6 ms here.
		each = (used().ru_utime + used().ru_stime) / 20
		assert each < 0.020, each
		subprocess.run([sys.argv[1], "cat", "-o", "out", "disk.img", "/efi/linux/linux.efi"], check=True)
		assert used().ru_maxrss < 24 * 1024, used().ru_maxrss
	END
	cmp uki out
}

@test "usage" {
	local verb
	for verb in ls cat; do
		run -0 "$assay" $verb --help
		[[ $output == *"Usage: assay $verb "* ]]
		run -2 "$assay" $verb
		run -2 "$assay" $verb --nonsense disk.img
		run -2 "$assay" $verb --part -1 disk.img /
		[[ $output == *"'-1' is no partition number"* ]]
		run -2 "$assay" $verb a b c
	done
	run -2 "$assay" cat disk.img
	run -2 "$assay" cat -l disk.img /x
	run -2 "$assay" ls -o x disk.img
}

@test "the manual page: no complaints, and its examples run" {
	need mandoc mkfs.vfat mcopy mmd
	local page=$BATS_TEST_DIRNAME/../../man/assay-ls.1 line
	run -0 mandoc -Tlint -Wwarning "$page"
	[ -z "$output" ]
	mkfs.vfat -C -F 12 esp.img 6000 >/dev/null
	mmd -i esp.img ::/EFI ::/EFI/BOOT ::/EFI/Linux ::/loader
	echo one >one
	mcopy -i esp.img one ::/EFI/BOOT/BOOTX64.EFI
	mcopy -i esp.img one ::/loader/loader.conf
	"$make_gpt" disk.img 8 esp:1:6:esp.img
	mkdir bin
	ln -s "$assay" bin/assay
	local n=0
	while IFS= read -r line; do
		echo "$line"
		PATH=$PWD/bin:$PATH bash -euo pipefail -c "$line"
		n=$((n + 1))
	done < <(sed -n 's/^\.Dl \$ //p' "$page")
	[ "$n" -ge 4 ]
	cmp BOOTX64.EFI one
}
