#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# disk.sh PROBE.EFI NAME DISK: a GPT disk of one ESP that holds PROBE.EFI as \EFI\BOOT\NAME and
# nothing else. The same bytes each time: GUIDs and volume number are fixed, and so is the time,
# which mtools takes from the files it copies (a volume label would have the time of day).
#
# FAT32, as UEFI 13.3 has it for a fixed disk, wants 65525 clusters, hence the size; nearly all of
# it is a hole.
set -euo pipefail
export LC_ALL=C TZ=UTC MTOOLS_SKIP_CHECK=1 PATH=$PATH:/usr/sbin:/sbin
probe=$1 name=$2 disk=$3

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/EFI/BOOT"
cp "$probe" "$work/EFI/BOOT/$name"
find "$work" -exec touch -d "@${SOURCE_DATE_EPOCH:-1767225600}" {} +

rm -f "$disk.tmp"
truncate -s 40M "$disk.tmp"
sfdisk --quiet "$disk.tmp" <<'TABLE'
label: gpt
label-id: 6F2D3A1E-5B0C-4C57-9A6E-2C1B7A9D0E11
first-lba: 2048
sector-size: 512
start=2048, size=77824, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, uuid=0B9E5D37-82C4-4E0F-8B1D-5A3F6C7E2D44, name=probe
TABLE
esp=$disk.tmp@@1M
mformat -i "$esp" -m 0xf8 -H 2048 -T 77824 -h 64 -s 32 -c 1 -F -N a55a9106 ::
mcopy -i "$esp" -s -m "$work/EFI" ::
mv "$disk.tmp" "$disk"
