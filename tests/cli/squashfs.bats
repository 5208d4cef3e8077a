#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# assay ls and assay cat on what mksquashfs writes: the tree that went in, and unsquashfs, are the oracles.

load common

setup_file() {
	bats_require_minimum_version 1.5.0
	export LC_ALL=C
	local tree=$BATS_FILE_TMPDIR/tree
	mkdir -p "$tree"/{empty,deep/er/still,many} && cd "$tree" || return 1
	: > nothing
	printf x > one
	# Ends on both sides of a block's end, for the smallest and the usual block size.
	local n
	for n in 4095 4096 4097 12288 131071 131072 131073; do
		seq 1 100000 | head -c $n > "bytes-$n"
	done
	seq 1 300000 > long
	head -c 400000 /dev/urandom > random
	truncate -s 5M sparse && printf middle | dd of=sparse bs=1 seek=3000000 conv=notrunc status=none
	truncate -s 1M all-hole
	cp long "deep/er/still/the same as long"
	ln one deep/hard
	ln -s one link
	ln -s /deep/er/still deep/absolute
	ln -s ../../../../../../one deep/er/above
	ln -s "$(printf 'x%.0s' {1..2000})" dangling
	printf 1 > $'odd \t\n name\xff\\'
	local i
	for i in {1..700}; do echo "$i" > "many/file $i"; done
	mkfifo pipe
}

setup() {
	assay=$(realpath "$BATS_TEST_DIRNAME/../..")/build/assay
	tree=$BATS_FILE_TMPDIR/tree
	cd "$BATS_TEST_TMPDIR" || return 1
}

# image [OPTION]...: the tree as fs.sqfs.
image() {
	need mksquashfs unsquashfs
	mksquashfs "$tree" fs.sqfs -noappend -quiet -no-progress -all-root "$@" > mksquashfs.log || {
		cat mksquashfs.log
		return 1
	}
}

# same_tree: names, and each file's content.
odd=$'odd \t\n name\xff\\'
same_tree() {
	local f n=0
	(cd "$tree" && find . -mindepth 1 ! -name 'odd*' \( -type d -printf '%P/\n' -o -printf '%P\n' \)) | sort > theirs
	"$assay" ls -R fs.sqfs | grep -v '^odd' | sort > ours
	diff theirs ours || return 1
	while IFS= read -r f; do
		"$assay" cat fs.sqfs "/$f" | cmp - "$tree/$f" || return 1
		n=$((n + 1))
	done < <(cd "$tree" && find . -type f ! -path './many/*' ! -name 'odd*' -printf '%P\n'; echo 'many/file 350')
	[ "$n" -gt 10 ] || return 1
	"$assay" cat fs.sqfs "/$odd" | cmp - "$tree/$odd" || return 1
	# Nothing of a name gets to the terminal that could steer it.
	"$assay" ls fs.sqfs | grep -qxF 'odd \x09\x0a name\xff\'
}

# fails TEXT COMMAND...: exit 1, nothing on stdout, TEXT on stderr.
fails() {
	local text=$1
	shift
	run -1 --separate-stderr "$@"
	[ -z "$output" ]
	[[ $stderr == *"$text"* ]] || {
		echo "$stderr"
		false
	}
}

@test "each compression" {
	local comp
	for comp in gzip xz lz4 zstd lzma; do
		image -comp $comp
		same_tree || {
			echo "with $comp"
			false
		}
	done
}

@test "the smallest and the largest blocks, with and without fragments" {
	image -comp zstd -b 4K && same_tree
	image -comp gzip -b 1M -no-fragments && same_tree
	image -comp lz4 -b 4K -always-use-fragments -no-duplicates && same_tree
}

@test "nothing packed; no export table; no padding" {
	image -noI -noD -noF -noX -no-exports -nopad && same_tree
	image -noI -no-xattrs && same_tree
	image -noD -no-sparse && same_tree
}

@test "another writer: squashfs-tools-ng" {
	need gensquashfs
	gensquashfs --pack-dir "$tree" -c zstd -q -f fs.sqfs
	same_tree
	gensquashfs --pack-dir "$tree" -c xz -b 65536 -q -f --exportable fs.sqfs
	same_tree
}

@test "a compression that is not known is refused by name" {
	image -comp lzo
	fails 'squashfs packed with lzo, which libsquashfs' "$assay" ls fs.sqfs
}

@test "links stay inside" {
	image
	[ "$("$assay" cat fs.sqfs /link)" = x ]
	[ "$("$assay" cat fs.sqfs /deep/er/above)" = x ]
	"$assay" cat fs.sqfs '/deep/absolute/the same as long' | cmp - "$tree/long"
	"$assay" cat fs.sqfs '/deep/absolute/../../../../long' | cmp - "$tree/long"
	fails 'dangling: no such file' "$assay" cat fs.sqfs /dangling
	fails '/pipe: not a file' "$assay" cat fs.sqfs /pipe
	fails '/deep: not a file' "$assay" cat fs.sqfs /deep
}

@test "a damaged block is named, with its place on the disk; other files can be read" {
	image -comp gzip -no-fragments
	# The data of the file that comes first in the order of names.
	printf XXXXXXXX | dd of=fs.sqfs bs=1 seek=200 conv=notrunc status=none
	fails '/bytes-12288: block 0: ' "$assay" cat -o out fs.sqfs /bytes-12288
	[[ $stderr == *' bytes of gzip do not unpack'*'(at byte 0x60)' ]]
	[ ! -e out ]
	"$assay" cat fs.sqfs /random | cmp - "$tree/random"
}

@test "cut short, at many lengths" {
	image -comp xz -nopad
	local size len
	size=$(stat -c %s fs.sqfs)
	for len in 0 3 4 95 96 97 4096 $((size / 2)) $((size - 1)); do
		head -c "$len" fs.sqfs > cut.sqfs
		run -1 --separate-stderr "$assay" ls cut.sqfs
		[ -z "$output" ]
		[ "${#stderr_lines[@]}" -eq 1 ]
	done
}
