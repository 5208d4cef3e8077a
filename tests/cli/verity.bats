#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# assay verity on trees and disks that veritysetup and sfdisk made; veritysetup verify is the oracle.

setup() {
	bats_require_minimum_version 1.5.0
	export PATH=$PATH:/usr/sbin:/sbin
	load verity
	load scratch
	top=$(realpath "$BATS_TEST_DIRNAME/../..")
	assay=$top/build/assay
	cd "$BATS_TEST_TMPDIR"
}

need() {
	local tool
	for tool; do
		command -v "$tool" > /dev/null || skip "$tool is missing"
	done
}

# A data device of this many bytes, no two blocks alike.
data() {
	seq 1 9999999 | head -c "$1" > "$2" || true
	[ "$(stat -c %s "$2")" = "$1" ]
}

json() { # FILTER WANT: of the last run's output
	[ "$(jq -c "$1" <<< "$output")" = "$2" ] || {
		echo "$1: $(jq -c "$1" <<< "$output"), not $2"
		false
	}
}

@test "trees that veritysetup made verify: algorithms, block sizes, salts, hash types" {
	need veritysetup jq
	local hash sizes salt type root n=0
	data $((3 << 19)) data
	for hash in sha256 sha384 sha512; do
		for sizes in "4096 4096" "512 512" "1024 4096" "65536 512" "512 65536" "2048 1024"; do
			for salt in - 00 $(printf 'a5%.0s' {1..256}); do
				type=$((n++ % 4 != 0))
				rm -f tree
				root=$(verity_format data tree --hash=$hash --format=$type --salt="$salt" \
					--data-block-size="${sizes% *}" --hash-block-size="${sizes#* }")
				veritysetup verify data tree "$root"
				run -0 --separate-stderr "$assay" verity --json --root-hash "$root" --hash-device tree data
				json '.[0] | [.verified, .root_hash, .data_root_hash, .algorithm, .hash_type, .superblock]' \
					"[true,\"$root\",\"$root\",\"$hash\",$type,true]"
			done
		done
	done
	[ "$n" = 54 ]
}

@test "trees without a superblock, in a file of their own and behind the data" {
	need veritysetup jq
	local root hash sizes salt options n=0
	data $((1 << 20)) data
	root=$(verity_format data tree --no-superblock --salt=abcd --hash=sha512)
	veritysetup verify data tree "$root" --no-superblock --salt=abcd --hash=sha512
	run -0 "$assay" verity --json --root-hash "$root" --hash-device tree --no-superblock --salt abcd --hash sha512 data
	json '.[0] | [.verified, .superblock]' '[true,false]'
	# Another salt leads to another root.
	run -3 "$assay" verity --root-hash "$root" --hash-device tree --no-superblock --salt abce --hash sha512 data

	cp data both
	root=$(verity_format both both --no-superblock --salt=- --data-blocks=128 --hash-offset=524288)
	run -0 "$assay" verity --root-hash "$root" --no-superblock --hash-offset 524288 --data-blocks 128 --salt - both
	local salts=(- 0011 "$(printf 'c3%.0s' {1..256})")
	for hash in sha256 sha384 sha512; do
		for sizes in "4096 4096" "512 1024" "2048 512" "65536 4096" "512 65536"; do
			salt=${salts[n++ % 3]}
			data $((1 << 20)) both
			options=(--no-superblock "--hash=$hash" "--salt=$salt" "--data-block-size=${sizes% *}"
				"--hash-block-size=${sizes#* }" "--data-blocks=$((524288 / ${sizes% *}))" --hash-offset=524288)
			root=$(verity_format both both "${options[@]}")
			veritysetup verify both both "$root" "${options[@]}"
			run -0 "$assay" verity --root-hash "$root" --no-superblock --hash $hash --salt "$salt" \
				--data-block-size "${sizes% *}" --hash-block-size "${sizes#* }" \
				--data-blocks $((524288 / ${sizes% *})) --hash-offset 524288 both
		done
	done
	[ "$n" = 15 ]
	data $((1 << 20)) both
	root=$(verity_format both both --data-blocks=128 --hash-offset=524800)
	run -0 "$assay" verity --root-hash "$root" --hash-offset 524800 both
}

@test "a flipped bit in data or tree: the block, its level and offset; veritysetup sees it too" {
	need veritysetup jq
	local root at level block
	data $((3 << 20)) data # 768 blocks, 6 of level 1, 1 of level 2
	root=$(verity_format data tree --salt=55)
	for at in 0 4096 1234567 3145727; do
		verity_flip data $at
		run -3 "$assay" verity --json --root-hash "$root" --hash-device tree data
		json '.[0] | [.verified, .faults_total, .unjudged, (.faults[0] | .level, .block, .offset, .size)]' \
			"[false,1,0,0,$((at / 4096)),$((at / 4096 * 4096)),4096]"
		run ! veritysetup verify data tree "$root"
		verity_flip data $at
	done
	for at in 4096:2:0 8191:2:0 8192:1:0 12289:1:1 32767:1:5; do
		IFS=: read -r at level block <<< "$at"
		verity_flip tree "$at"
		run -3 "$assay" verity --json --root-hash "$root" --hash-device tree data
		json '.[0] | [.verified, .faults_total, .unjudged, .data_root_hash, (.faults[0] | .level, .block, .offset)]' \
			"[false,1,0,\"$root\",$level,$block,$((at / 4096 * 4096))]"
		run ! veritysetup verify data tree "$root"
		verity_flip tree "$at"
	done
	run -0 "$assay" verity --root-hash "$root" --hash-device tree data
	run -3 "$assay" verity --root-hash "${root:1}0" --hash-device tree data
	[[ $output == *"that of neither the data nor the stored tree"* ]]
}

@test "a disk whose UUIDs are the halves of the root hash" {
	need veritysetup jq sfdisk mformat
	local hash root
	data $((2 << 20)) data
	for hash in sha256 sha512; do
		rm -f tree
		root=$(verity_format data tree --hash=$hash)
		verity_disk disk data tree "$root"
		run -0 "$assay" verity --json disk
		json '.[] | [.partition, .hash_partition, .root_hash, .verified, .source, .usage]' \
			"[2,3,\"$root\",true,\"uuid\",\"root\"]"
		run -0 "$assay" verity disk 2
		run -0 "$assay" verity disk 3
		run -1 "$assay" verity disk 1
		verity_flip disk $(((8 << 20) + 4096))
		run -3 "$assay" verity --json disk
		json '.[0] | [.verified, (.faults[0] | .level, .block, .offset)]' "[false,0,1,$(((8 << 20) + 4096))]"
		verity_flip disk $(((8 << 20) + 4096))
		verity_flip disk $(((16 << 20) + 4096 + 9000))
		run -3 "$assay" verity --json disk
		json '.[0] | [.verified, .faults[0].offset]' "[false,$(((16 << 20) + 12288))]"
		verity_flip disk $(((16 << 20) + 4096 + 9000))
	done
	# A broken superblock: it could not be checked.
	verity_flip disk $((16 << 20))
	run -1 --separate-stderr "$assay" verity --json disk
	json '.[0].verified' false
	[[ $stderr == *"no dm-verity superblock"* ]]
}

@test "a UKI on the ESP names the root hash" {
	need veritysetup jq sfdisk mformat mcopy objcopy
	[ -e "$scratch_stub" ] || skip "systemd-boot-efi is missing"
	local root
	data $((2 << 20)) data
	root=$(verity_format data tree)
	verity_disk disk data tree "$root"
	mmd -i disk@@1M ::/EFI ::/EFI/Linux
	uki() { # NAME CMDLINE
		printf '%s' "$2" > cmdline
		echo kernel > linux
		objcopy --add-section .cmdline=cmdline --change-section-vma .cmdline=0x2010000 \
			--add-section .linux=linux --change-section-vma .linux=0x2040000 "$scratch_stub" uki.efi
		mcopy -o -i disk@@1M uki.efi "::/EFI/Linux/$1"
	}
	uki a.efi "quiet roothash=0 rd.roothash=\"$root\""
	run -0 "$assay" verity --json disk
	json '.[] | [.partition, .hash_partition, .root_hash, .verified, .source]' \
		"[2,3,\"$root\",true,\"/EFI/Linux/a.efi\"]"
	# A second one with the same hash is no second pair; one for other partitions cannot be checked.
	uki b.efi "roothash=$root"
	run -0 "$assay" verity --json disk
	json length 1
	uki c.efi "usrhash=$(rev <<< "$root")"
	run -1 --separate-stderr "$assay" verity --json disk
	json 'map([.usage, .verified])' '[["root",true],["usr",false]]'
	[[ $stderr == *"no partition has the UUID that is the first half of usrhash="* ]]
	uki c.efi "roothash=xyz"
	run -1 --separate-stderr "$assay" verity disk
	[[ $stderr == *"roothash= is no root hash"* ]]
	uki c.efi "roothash=$root systemd.verity_root_data=/dev/vda9"
	mdel -i disk@@1M ::/EFI/Linux/a.efi ::/EFI/Linux/b.efi
	run -1 --separate-stderr "$assay" verity disk
	[[ $stderr == *"systemd.verity_root_data=/dev/vda9 is not followed"* ]]
	uki c.efi "roothash=${root%?}$(((0x${root: -1} + 1) % 10))"
	run -1 --separate-stderr "$assay" verity disk 2
	[[ $stderr == *"last half of roothash="* ]]
}

@test "a flipped bit in data: the file it lies in, as unsquashfs sees it" {
	need veritysetup jq sfdisk mformat mksquashfs unsquashfs
	local root at name
	mkdir -p root/usr/bin root/etc
	for name in usr/bin/one usr/bin/two etc/three; do
		seq -f "$name %.0f" 1 20000 > "root/$name"
	done
	# Bytes of files lie in it as they are.
	mksquashfs root data -quiet -no-progress -all-root -noD -no-fragments > /dev/null
	root=$(verity_format data tree)
	verity_disk disk data tree "$root"
	for name in usr/bin/one usr/bin/two etc/three; do
		at=$(grep -obaF "$name 10000" data)
		at=${at%%:*}
		verity_flip disk $(((8 << 20) + at))
		run -3 --separate-stderr "$assay" verity --json disk
		json '.[0].faults | [length, .[0].block, .[0].path, .[0].more]' "[1,$((at / 4096)),\"/$name\",0]"
		verity_flip disk $(((8 << 20) + at))
		# unsquashfs says that this file, and no other, is another one.
		verity_flip data "$at"
		rm -rf out
		unsquashfs -quiet -no-progress -d out data > /dev/null
		run diff -rq root out
		[ "$output" = "Files root/$name and out/$name differ" ]
		verity_flip data "$at"
	done
	# With the filesystem's own superblock wrong nobody knows, and the block is named all the same.
	verity_flip disk $(((8 << 20) + 40))
	run -3 --separate-stderr "$assay" verity disk
	[[ $output == *"data block 0, "* ]]
	verity_flip disk $(((8 << 20) + 40))
	run -0 "$assay" verity disk
}

@test "data disks: as systemd-repart makes them, and without partitions" {
	need veritysetup jq sfdisk mformat
	local root at
	data $((2 << 20)) data
	root=$(verity_format data tree)
	verity_disk disk data tree "$root"
	sfdisk -q --part-type disk 2 0fc63daf-8483-4772-8e79-3d69d8477de4
	sfdisk -q --part-type disk 3 0fc63daf-8483-4772-8e79-3d69d8477de4
	run -0 --separate-stderr "$assay" verity --json disk
	json '.[] | [.partition, .hash_partition, .root_hash, .verified, .source, .usage]' \
		"[2,3,\"$root\",true,\"uuid\",\"data\"]"
	verity_flip disk $(((8 << 20) + 9000))
	run -3 "$assay" verity disk

	for at in 2097152 2101248 2097664; do
		data $((2 << 20)) both
		root=$(verity_format both both --hash-offset=$at --data-blocks=512)
		veritysetup verify both both "$root" --hash-offset=$at
		run -0 --separate-stderr "$assay" verity --json both
		json '.[] | [.root_hash, .verified, .source, .usage]' "[\"$root\",true,\"tree\",\"data\"]"
		run -0 --separate-stderr "$assay" verity --json --hash-offset $at both
		json '.[] | [.root_hash, .verified]' "[\"$root\",true]"
		run -1 "$assay" verity --hash-offset 4096 both
		verity_flip both 70000
		run -3 --separate-stderr "$assay" verity --json both
		json '.[0] | [.root_hash, .verified, (.faults[0] | .level, .block)]' "[\"$root\",false,0,17]"
	done
}

@test "a Type 1 entry names the root hash, alone or against a UKI" {
	need veritysetup jq sfdisk mformat mcopy
	local root
	data $((1 << 20)) data
	root=$(verity_format data tree)
	verity_disk disk data tree "$root"
	mmd -i disk@@1M ::/loader ::/loader/entries
	printf 'title x\nlinux /vmlinuz\noptions quiet\noptions roothash=%s\n' "$root" > e.conf
	mcopy -i disk@@1M e.conf ::/loader/entries/
	run -0 --separate-stderr "$assay" verity --json disk
	json '.[] | [.verified, .source, .usage]' '[true,"/loader/entries/e.conf","root"]'
	sed -i 's/quiet/root=\/dev\/vda2/' e.conf
	mcopy -o -i disk@@1M e.conf ::/loader/entries/
	run -1 --separate-stderr "$assay" verity --json disk
	[[ $stderr == *"root=/dev/vda2 is mounted, and not what roothash= binds"* ]]
	printf 'linux /vmlinuz\noptions roothash=%s systemd.verity_root_options=fec-device=/dev/vdb\n' "$root" > e.conf
	mcopy -o -i disk@@1M e.conf ::/loader/entries/
	run -0 --separate-stderr "$assay" verity --json disk
	json '.[] | [.verified, .fec]' '[true,"not checked"]'
}

@test "what cannot be checked is exit 1, a wrong call is 2" {
	need sfdisk mformat
	data 65536 data
	run -1 "$assay" verity data
	run -1 "$assay" verity --root-hash 00 data
	run -1 "$assay" verity --root-hash "$(printf '0%.0s' {1..64})" nothere
	run -2 "$assay" verity
	run -2 "$assay" verity data 0
	run -2 "$assay" verity data x
	run -2 "$assay" verity data 1 2
	run -2 "$assay" verity --salt 00 data
	run -2 "$assay" verity --root-hash 00 --salt 00 data
	run -2 "$assay" verity --root-hash 00 --no-superblock --salt 0 data
	run -2 "$assay" verity --root-hash 00 --no-superblock --data-block-size 99999999999999999999 data
	run -2 "$assay" verity --root-hash 00 --no-superblock --hash md5 data
	truncate -s 8M empty
	sfdisk -q empty <<< 'label: gpt'
	run -1 --separate-stderr "$assay" verity empty
	[[ $stderr == *"no UKI or boot entry names a root hash"* ]]
}
