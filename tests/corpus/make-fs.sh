#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# make-fs.sh: the seeds of fuzz_erofs and fuzz_ext4. Small images: what a fuzzer changes should matter.

set -euo pipefail
cd "$(dirname "$0")"
tool=../../scripts/trixie-tool.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir -p "$work/tree/dir"
printf 'a file\n' >"$work/tree/file"
seq 300 >"$work/tree/dir/seq"
ln -s dir/seq "$work/tree/link"
ln "$work/tree/file" "$work/tree/hard"
truncate -s 3000 "$work/tree/hole"
printf x >>"$work/tree/hole"
printf '%s\n' "$work"/tree/dir/name{1..20} | xargs touch
ln -s "$(printf '%0100d' 0)" "$work/tree/long"

# erofs: without the first 1024 bytes, as fuzz_erofs takes them.
erofs() {
	"$tool" mkfs.erofs -b512 -T0 -U00000000-0000-0000-0000-000000000001 --all-root "${@:2}" "$work/img" "$work/tree" >/dev/null 2>&1
	tail -c +1025 "$work/img" >"erofs/$1"
	rm "$work/img"
}
mkdir -p erofs
erofs plain -Enoinline_data
erofs inline -Eforce-inode-compact
erofs extended -Eforce-inode-extended --root-xattr-isize=64
erofs chunks --chunksize=512
erofs indexes --chunksize=1024 -Eforce-chunk-indexes
erofs lz4 -zlz4
erofs fragments -zlz4 -Eall-fragments

# ext4: an image of 256 KiB in pieces, as fuzz_ext4 puts them together. Checksums would keep a fuzzer out: one seed has
# them, so that their code is reached at all.
ext() {
	truncate -s 0 "$work/img"
	truncate -s 256K "$work/img"
	E2FSPROGS_FAKE_TIME=1000000000 mke2fs -q -F -d "$work/tree" -b 1024 -N 48 -I 256 -m 0 -U 00000000-0000-0000-0000-000000000001 \
		-E hash_seed=00000000-0000-0000-0000-000000000001,root_owner=0:0 "${@:2}" "$work/img"
	python3 - "$work/img" "ext4/$1" <<-'END'
		import struct, sys
		data = open(sys.argv[1], "rb").read()
		unit = 128
		out = open(sys.argv[2], "wb")
		at = 0
		while at < len(data):
		    end = at
		    while end < len(data) and any(data[end:end + unit]):
		        end += unit
		    if end > at:
		        out.write(struct.pack("<HH", at // unit, end - at) + data[at:end].rstrip(b"\0").ljust(end - at, b"\0"))
		    at = end + unit
	END
	rm "$work/img"
}
mkdir -p ext4
ext ext2 -t ext2
ext extents -t ext4 -O ^metadata_csum,^has_journal,^resize_inode
ext checksums -t ext4 -O ^has_journal,^resize_inode
ext old-checksums -t ext4 -O ^metadata_csum,uninit_bg,^has_journal,^resize_inode
ext inline -t ext4 -O inline_data,^metadata_csum,^has_journal,^resize_inode
ext meta-bg -t ext4 -O meta_bg,^metadata_csum,^has_journal,^resize_inode
