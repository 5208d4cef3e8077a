# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Disks with dm-verity partitions, made by veritysetup and sfdisk.

# verity_format DATA HASH OPTION...: prints the root hash.
verity_format() {
	veritysetup format --uuid=00000000-0000-0000-0000-000000000001 "${@:3}" "$1" "$2" |
		sed -n 's/^Root hash:[[:space:]]*//p'
}

verity_uuid() { # 32 hex digits
	sed -E 's/(.{8})(.{4})(.{4})(.{4})(.{12})/\1-\2-\3-\4-\5/' <<< "$1"
}

# verity_disk DISK DATA HASH ROOTHASH [ESP-MIB]: data in partition 2 at 8 MiB, its tree in 3 at 16 MiB,
# both of at most 8 MiB; an ESP of 7 MiB in partition 1, formatted when mkfs.vfat is wanted later.
verity_disk() {
	local root=$4
	truncate -s 0 "$1" && truncate -s 32M "$1" || return 1
	sfdisk -q "$1" << END || return 1
label: gpt
label-id: 00000000-0000-0000-0000-000000000002
start=2048, size=14336, type=c12a7328-f81f-11d2-ba4b-00a0c93ec93b, uuid=00000000-0000-0000-0000-000000000003
start=16384, size=16384, type=4f68bce3-e8cd-4db1-96e7-fbcaf984b709, uuid=$(verity_uuid "${root:0:32}")
start=32768, size=16384, type=2c7357ed-ebd2-46d9-aec1-23d437ec2bf5, uuid=$(verity_uuid "${root: -32}")
END
	dd if="$2" of="$1" bs=1M seek=8 conv=notrunc,sparse status=none &&
		dd if="$3" of="$1" bs=1M seek=16 conv=notrunc,sparse status=none || return 1
	mformat -i "$1@@1M" -T 14336 -h 255 -s 63 -v ESP ::
}

# flip FILE OFFSET: the lowest bit of a byte.
verity_flip() {
	local byte
	byte=$(od -An -tu1 -j "$2" -N 1 "$1")
	printf '%b' "\\x$(printf %02x $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
