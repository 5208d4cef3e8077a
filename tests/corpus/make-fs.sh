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
