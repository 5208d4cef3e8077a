# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Small disks with the whole chain on them, made without assay: a UKI whose command line names the root hash of a
# squashfs in which container archives lie, and the file that lists their image IDs.

# What this file wants.
chain_tools=(mksquashfs veritysetup sfdisk mkfs.vfat mmd mcopy python3 jq sha256sum)
chain_top=$(realpath "${BASH_SOURCE[0]%/*}/../..")
# shellcheck source=tests/cli/verity.bash
. "$chain_top/tests/cli/verity.bash"

chain_missing() {
	local tool
	for tool in "${chain_tools[@]}"; do
		command -v "$tool" > /dev/null || printf '%s ' "$tool"
	done
}

# chain_archive OUT NAME WORD: an image of one layer with the WORD in it, as docker save once wrote it; prints its ID.
chain_archive() {
	local out=$1 name=$2 word=$3 work layer id
	work=$(mktemp -d) || return 1
	(
		cd "$work" && mkdir -p image in/app && printf '%s\n' "$word" > in/app/word && seq 1 500 > in/app/numbers &&
			tar -C in --sort=name --mtime=@0 --owner=0 --group=0 -cf image/layer.tar app || exit 1
		layer=$(sha256sum < image/layer.tar)
		printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
			"${layer%% *}" > config
		id=$(sha256sum < config)
		id=${id%% *}
		mv config "image/$id.json"
		printf '[{"Config":"%s.json","RepoTags":["localhost/%s"],"Layers":["layer.tar"]}]' "$id" "$name" > image/manifest.json
		tar -C image --sort=name --mtime=@0 --owner=0 --group=0 -cf archive.tar . && printf '%s\n' "$id"
	) && mv "$work/archive.tar" "$out"
	local rc=$?
	rm -rf "$work"
	return $rc
}

# chain_root DIR: a root filesystem's files.
chain_root() {
	local share=$1/usr/share/assay one two
	mkdir -p "$share/containers" "$1/usr/bin" "$1/etc" || return 1
	python3 -c 'import hashlib, sys
for i in range(1000): sys.stdout.buffer.write(hashlib.sha256(b"%d" % i).digest())' > "$1/usr/bin/tool" && ln -s tool "$1/usr/bin/link" && echo example > "$1/etc/hostname" || return 1
	one=$(chain_archive "$share/containers/hello.tar" hello:1 hello) &&
		two=$(chain_archive "$share/containers/world.tar" world:2 "a line of the layer") || return 1
	printf '{\n  "@local/hello:1": "sha256:%s",\n  "@local/world:2": "sha256:%s"\n}\n' "$one" "$two" \
		> "$share/container_measurements.json"
}

# chain_squashfs DIR OUT [OPTION...]
chain_squashfs() {
	rm -f "$2"
	mksquashfs "$1" "$2" -quiet -no-progress -all-root -all-time 0 -mkfs-time 0 -no-xattrs -no-fragments "${@:3}" > /dev/null
}

# chain_uki OUT CMDLINE
chain_uki() {
	"$chain_top/tests/fixtures/make-pe.py" "$1.linux" .text=code put=0xc4:0300 put=0x1f1:04 put=0x202:486472530f02 \
		put=0x20e:1000 "put=0x210:$(printf '6.12.0-amd64 (debian-kernel@lists.debian.org) #1\0' | od -An -v -tx1 | tr -d ' \n')" &&
		"$chain_top/tests/fixtures/make-pe.py" "$1" '.sdmagic=#### LoaderInfo: systemd-stub 257.13 ####' \
			$'.osrel=ID=example\n' ".cmdline=$2" '.initrd=no initrd at all, of odd length' ".linux=@$1.linux" &&
		rm "$1.linux"
}

# Of whole blocks of 4096 bytes.
chain_sectors() {
	local blocks=$((($(stat -c %s "$1") + 4095) / 4096))
	echo $((blocks * 8))
}

# chain_disk OUT ROOT [CMDLINE]: ROOT (a filesystem) under a new hash tree, and a UKI that names its root hash, or has
# the command line given. Partition 1 is the ESP at 64 KiB, 2 the root, 3 its tree.
chain_disk() {
	local out=$1 root_image=$2 work root sectors tree
	work=$(mktemp -d) || return 1
	root=$(verity_format "$root_image" "$work/tree" --salt=5a5a --data-block-size=4096 --hash-block-size=4096) || return 1
	chain_uki "$work/BOOTX64.EFI" "${3-quiet roothash=$root}" &&
		mkfs.vfat -C -F 12 -i 01020304 --invariant "$work/esp" 256 > /dev/null &&
		mmd -i "$work/esp" ::/EFI ::/EFI/BOOT && mcopy -i "$work/esp" "$work/BOOTX64.EFI" ::/EFI/BOOT/ || return 1
	sectors=$(chain_sectors "$root_image")
	tree=$(($(chain_sectors "$work/tree") + 8))
	rm -f "$out"
	truncate -s $(((128 + 512 + sectors + 8 + tree + 40) * 512)) "$out"
	sfdisk -q "$out" << END || return 1
label: gpt
label-id: 00000000-0000-0000-0000-000000000002
first-lba: 40
start=128, size=512, type=c12a7328-f81f-11d2-ba4b-00a0c93ec93b, uuid=00000000-0000-0000-0000-000000000003
start=640, size=$((sectors + 8)), type=4f68bce3-e8cd-4db1-96e7-fbcaf984b709, uuid=$(verity_uuid "${root:0:32}")
start=$((648 + sectors)), size=$tree, type=2c7357ed-ebd2-46d9-aec1-23d437ec2bf5, uuid=$(verity_uuid "${root: -32}")
END
	dd if="$work/esp" of="$out" bs=512 seek=128 conv=notrunc status=none &&
		dd if="$root_image" of="$out" bs=512 seek=640 conv=notrunc status=none &&
		dd if="$work/tree" of="$out" bs=512 seek=$((648 + sectors)) conv=notrunc status=none
	local rc=$?
	rm -rf "$work"
	return $rc
}
