#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The base image with one bit changed, link by link: measure and precompute name the link. Nothing is booted. DISK names
# another image.

bats_require_minimum_version 1.5.0

setup_file() {
	export PATH=$PATH:/usr/sbin:/sbin
	load ../cli/verity
	load ../cli/common
	need jq sfdisk veritysetup
	top=$(realpath "$BATS_TEST_DIRNAME/../..")
	export assay=$top/build/assay
	export image=${DISK:-$top/build/image/base.raw}
	[ -e "$image" ] || skip "$image is not built"
	cd "$BATS_FILE_TMPDIR"
	small_profile sha256 > p.yaml
	"$assay" measure --json "$image" > facts
	# Bits all over the data tell in one go which file lies where.
	cp --reflink=auto --sparse=always "$image" marked.raw
	local start size i
	start=$(jq '.gpt.partitions[1].offset' facts)
	size=$(jq '.verity[0] | .data_blocks * .data_block_size' facts)
	for ((i = 1; i < 60; i++)); do
		verity_flip marked.raw $((start + size / 60 * i + 100))
	done
	"$assay" verity --json marked.raw > marked || [ $? -eq 3 ]
	rm marked.raw
}

setup() {
	load ../cli/verity
	cd "$BATS_FILE_TMPDIR"
	[ -e disk.raw ] || cp --reflink=auto --sparse=always "$image" disk.raw
}

teardown_file() {
	rm -f "$BATS_FILE_TMPDIR"/*.raw
}

fact() {
	jq -r "$1" facts
}

# told EXIT WORDS...: both verbs end like that, and say these words.
told() {
	local exit=$1 word
	shift
	run -"$exit" --separate-stderr "$assay" measure --json disk.raw
	[ "$exit" = 1 ] || [ "$(jq -r .schema <<< "$output")" = assay.facts/1 ]
	for word; do
		grep -F -- "$word" <<< "$stderr"
	done
	run -"$exit" --separate-stderr "$assay" precompute disk.raw --platform p.yaml --json
	[ -z "$output" ]
	for word; do
		grep -F -- "$word" <<< "$stderr"
	done
}

# flipped OFFSET EXIT WORDS...
flipped() {
	verity_flip disk.raw "$1"
	told "${@:2}"
	verity_flip disk.raw "$1"
}

# changed OFFSET FILTER: no link is broken, but this fact is another one, and so is the prediction.
changed() {
	local before after
	before=$("$assay" precompute --skip-chain "$image" --platform p.yaml --json | jq -c .pcrs)
	verity_flip disk.raw "$1"
	run -0 --separate-stderr "$assay" measure --json disk.raw
	[ "$(jq -cS "$2" <<< "$output")" != "$(jq -cS "$2" facts)" ]
	after=$("$assay" precompute --skip-chain disk.raw --platform p.yaml --json | jq -c .pcrs)
	[ "$before" != "$after" ]
	verity_flip disk.raw "$1"
}

@test "the image as it is: each link holds" {
	[ "$(fact '[.chain[].state] | unique | join(" ")')" = ok ]
	[ "$(fact '[.chain[].link] | unique | length')" -ge 3 ]
	[ "$(fact '[.regions[].size] | add')" = "$(stat -c %s "$image")" ]
}

@test "partition table" {
	flipped $((1024 + 130)) 1 "GPT entries' CRC"
}

@test "ESP: a section of the UKI, and its command line" {
	local at
	at=$(fact '.regions[] | select(.what | endswith("section .initrd")) | .offset')
	changed $((at + 5000)) '.esp.programs[0].sections'
	# a digit of the root hash
	at=$(fact '.regions[] | select(.what | endswith("section .cmdline")) | .offset')
	flipped $((at + 20)) 3 "broken link: root hash: roothash="
}

@test "hash tree" {
	local at
	at=$(fact '.regions[] | select(.what | endswith(": hash tree")) | .offset')
	flipped $((at + 10)) 3 "broken link: verity: partition 2" "tree level"
}

# in_file PATTERN: the offset of a marked block that the map gives to such a file.
in_file() {
	jq -r "[.[0].faults[] | select((.path // \"\") | test(\"$1\"))][0].offset // empty" marked
}

@test "data: the file is named" {
	local at
	at=$(in_file '^/usr/(lib|bin)/')
	[ -n "$at" ]
	flipped $((at + 100)) 3 "broken link: verity: partition 2" "data block" ", in /usr/"
}

@test "data: the archives and the list of their IDs" {
	local at file
	[ "$(fact '.containers | length')" -gt 0 ] || skip "the image carries no containers"
	at=$(in_file '/containers/.*[.]tar$')
	[ -n "$at" ]
	file=$(jq -r ".[0].faults[] | select(.offset == $at).path" marked)
	flipped $((at + 100)) 3 "broken link: verity: partition 2" ", in $file"
}

@test "squashfs metadata: under its tree, and with a tree made anew over it" {
	local start tree inodes size block root old
	start=$(fact '.gpt.partitions[1].offset')
	tree=$(fact '.gpt.partitions[2].offset')
	size=$(fact '.verity[0] | .data_blocks * .data_block_size')
	block=$(fact '.verity[0].data_block_size')
	old=$(fact '.verity[0].root_hash')
	inodes=$(od -An -tu8 -j $((start + 64)) -N 8 disk.raw)
	flipped $((start + inodes + 40)) 3 "broken link: verity: partition 2"

	# Sealed anew: tree, command line (of the same length) and UUIDs follow, and what is broken is the filesystem.
	verity_flip disk.raw $((start + inodes + 40))
	dd if=disk.raw of=data.raw bs=1M iflag=skip_bytes,count_bytes skip="$start" count="$size" conv=sparse status=none
	rm -f tree.raw
	root=$(verity_format data.raw tree.raw --salt="$(fact '.verity[0].salt')" --data-block-size="$block" \
		--hash-block-size="$(fact '.verity[0].hash_block_size')")
	dd if=tree.raw of=disk.raw bs=1M oflag=seek_bytes seek="$tree" conv=notrunc status=none
	[ "$root" != "$old" ]
	printf %s "$root" | dd of=disk.raw bs=1 conv=notrunc status=none \
		seek=$(($(fact '.regions[] | select(.what | endswith("section .cmdline")) | .offset') + 9))
	sfdisk -q --part-uuid disk.raw 2 "$(verity_uuid "${root:0:32}")"
	sfdisk -q --part-uuid disk.raw 3 "$(verity_uuid "${root: -32}")"
	told 3 "broken link: filesystem: partition 2"
	run -3 --separate-stderr "$assay" measure --json disk.raw
	[ "$(jq -r '.verity[0] | "\(.root_hash) \(.verified)"' <<< "$output")" = "$root true" ]
	rm disk.raw data.raw tree.raw
}
