#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# assay on images by mkfs.erofs, this machine's and Debian 13's; the tree they were made of, and dump.erofs of
# Debian 13, are the oracles.

load common
load tree

setup_file() {
	bats_require_minimum_version 1.5.0
	export LC_ALL=C.UTF-8 PATH=$PATH:/usr/sbin:/sbin
	make_tree "$BATS_FILE_TMPDIR/tree"
}

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	assay=$PWD/build/assay
	trixie=$PWD/scripts/trixie-tool.sh
	tree=$BATS_FILE_TMPDIR/tree
	cd "$BATS_TEST_TMPDIR"
}

make_image() {
	"$@" "$tree" >mkfs.log 2>&1 || {
		cat mkfs.log
		return 1
	}
}

@test "erofs: plain, with tails beside inodes, compact and extended inodes" {
	need mkfs.erofs
	local options
	for options in -Enoinline_data -Eforce-inode-compact -Eforce-inode-extended; do
		make_image mkfs.erofs "$options" "${options#-}.img"
		same_tree "${options#-}.img" "$tree"
	done
}

@test "erofs: chunks, with holes and shared ones, with and without tables of eight bytes" {
	need mkfs.erofs
	make_image mkfs.erofs --chunksize=4096 chunks.img
	same_tree chunks.img "$tree"
	make_image "$trixie" mkfs.erofs -b1024 --chunksize=2048 -Eforce-chunk-indexes indexes.img
	same_tree indexes.img "$tree"
}

@test "erofs: small blocks, extended attributes" {
	local b
	for b in 512 2048; do
		make_image "$trixie" mkfs.erofs "-b$b" --root-xattr-isize=100 "$b.img"
		same_tree "$b.img" "$tree"
	done
}

@test "erofs: names, numbers and bytes as dump.erofs has them" {
	local f
	# Its dump.erofs reads no smaller blocks.
	make_image "$trixie" mkfs.erofs dump.img
	"$trixie" dump.erofs --ls --path=/many dump.img | awk '$2 == 1 { print $3 }' | sort >theirs
	"$assay" ls --part 0 dump.img /many | sort | diff theirs -
	[ "$(wc -l <theirs)" -eq 3000 ]
	for f in six holes EFI/BOOT/x*; do
		[ -e "$tree/$f" ] || continue
		"$trixie" dump.erofs --cat --path="/$f" dump.img >theirs
		"$assay" cat --part 0 dump.img "/$f" | cmp theirs -
	done
}

@test "erofs: what is compressed is listed, and refused by name when opened" {
	need mkfs.erofs
	local options
	yes assay | head -c 200000 >"$BATS_TEST_TMPDIR/text"
	mkdir sub
	cp text sub/text
	tree=$BATS_TEST_TMPDIR/sub
	for options in -zlz4 "-zlz4 -Elegacy-compress" "-zlz4hc -Eztailpacking"; do
		# shellcheck disable=SC2086
		make_image mkfs.erofs $options z.img
		[ "$("$assay" ls --part 0 z.img)" = text ]
		run -1 --separate-stderr "$assay" cat --part 0 z.img /text
		[ -z "$output" ]
		[[ $stderr == *"/text: "*"compressed with LZ4"* ]]
	done
	for options in lzma deflate zstd; do
		make_image "$trixie" mkfs.erofs "-z$options" z.img
		run -1 --separate-stderr "$assay" cat --part 0 z.img /text
		[[ $stderr == *"compressed with ${options/lzma/LZMA}"* ]]
	done
	make_image "$trixie" mkfs.erofs -zlz4 -Eall-fragments z.img
	run -1 --separate-stderr "$assay" cat --part 0 z.img /text
	[[ $stderr == *"fragments"* ]]
}

@test "erofs: a blob beside the image, a wrong checksum and a cut image are refused by name" {
	need mkfs.erofs
	touch blob # newer ones want it to be there
	make_image mkfs.erofs --chunksize=4096 --blobdev=blob blob.img
	run -1 --separate-stderr "$assay" ls --part 0 blob.img
	[[ $stderr == *"1 further devices (blobs)"* ]]
	make_image mkfs.erofs whole.img
	cp whole.img bad.img
	printf '\x77' | dd of=bad.img bs=1 seek=1090 conv=notrunc status=none
	run -1 --separate-stderr "$assay" ls --part 0 bad.img
	[[ $stderr == *"the superblock's checksum is 0x"* ]]
	cp whole.img bad.img
	truncate -s -1 bad.img
	run -1 --separate-stderr "$assay" ls --part 0 bad.img
	[[ $stderr == *"cut short"* ]]
}
