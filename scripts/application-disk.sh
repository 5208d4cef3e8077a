#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# application-disk.sh FOLDER OUTPUT
#
# Make of FOLDER a disk that the base image mounts at /application, measures and serves (docs/SERVING.md):
#
#   FOLDER/containers/NAME.tar            container archives; application.tar, localhost/application:1, is started
#   FOLDER/weights/                       what it serves; it sees them at /weights
#   FOLDER/container_measurements.json    made here; one that is there has to be right
#
# or, in the place of all that, runs and proves (docs/PROVENANCE.md):
#
#   FOLDER/job/job.yaml and more          a job
#
# A squashfs and its dm-verity tree, each a partition; the partitions' UUIDs are the two halves of the root hash, as
# systemd-repart does it. Prints the root hash. Needs no root; of the same files the same tools make the same bytes.

set -euo pipefail
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
top=$(cd "$(dirname "$0")/.." && pwd)
assay=${ASSAY:-$top/build/assay}
when=${SOURCE_DATE_EPOCH:-$(sed -n 's/^SourceDateEpoch=//p' "$top/mkosi.conf")}

die() {
	echo "application-disk.sh: $*" >&2
	exit 1
}
[[ $# -eq 2 && $1 != -* ]] || {
	sed -n '4s/^# /usage: /p' "$0" >&2
	exit 2
}
folder=$(realpath "$1")
output=$2
for tool in mksquashfs veritysetup sfdisk; do
	command -v "$tool" >/dev/null || die "$tool is missing"
done
[[ -x $assay ]] || die "$assay is not built: run make"
if [[ -d $folder/job ]]; then
	[[ -f $folder/job/job.yaml ]] || die "$folder: no job/job.yaml"
	[[ $(ls -A "$folder") == job ]] || die "$folder: a job disk has the folder job and nothing else"
else
	[[ -d $folder/weights ]] || die "$folder: no folder weights"
	[[ -f $folder/containers/application.tar ]] || die "$folder: no containers/application.tar"
fi

work=$(mktemp -d "$(dirname "$output")/.application.XXXXXX")
trap 'rm -rf "$work"' EXIT

if [[ ! -d $folder/job ]]; then
	# The guest takes no archive that is not listed, nor one under another name.
	"$assay" containers --measurements "$folder"/containers/*.tar >"$work/list"
	grep -q '^  "@local/application:1": ' "$work/list" || die "containers/application.tar is not localhost/application:1"
	if [[ -e $folder/container_measurements.json ]]; then
		cmp -s "$folder/container_measurements.json" "$work/list" || die "$folder/container_measurements.json is not that of the archives"
	else
		cp "$work/list" "$folder/container_measurements.json"
	fi
fi

# Owner and modes must not depend on who packs. A name in quotes: no quote, backslash or newline in it.
odd=$(cd "$folder" && find . \( -name '*["\\]*' -o -name $'*\n*' \) -print -quit)
[[ -z $odd ]] || die "$folder/$odd: such a name cannot be packed"
odd=$(cd "$folder" && find . ! -type f ! -type d -print -quit)
[[ -z $odd ]] || die "$folder/$odd: neither file nor folder"
(cd "$folder" && find . -mindepth 1 \( -type d -printf '"%P" m 755 0 0\n' \) -o -printf '"%P" m 644 0 0\n') >"$work/modes"
env -u SOURCE_DATE_EPOCH mksquashfs "$folder" "$work/data" -noappend -no-progress -quiet -no-xattrs -all-root -root-mode 0755 \
	-comp zstd -mkfs-time "$when" -all-time "$when" -pf "$work/modes" >/dev/null

# Salt and UUID follow from the data: a random one would make another disk each time.
sum=$(sha256sum <"$work/data")
uuid() { sed -E 's/^(.{8})(.{4})(.{4})(.{4})(.{12}).*/\1-\2-\3-\4-\5/' <<<"$1"; }
truncate -s %4096 "$work/data"
root=$(veritysetup format --salt="${sum%% *}" --uuid="$(uuid "$sum")" "$work/data" "$work/tree" | sed -n 's/^Root hash:[[:space:]]*//p')
[[ $root =~ ^[0-9a-f]{64}$ ]] || die "veritysetup made no root hash"

# Each partition begins at a whole MiB; one is left at the end for the second table.
mib=$((1 << 20))
data=$((($(stat -c %s "$work/data") + mib - 1) / mib))
tree=$((($(stat -c %s "$work/tree") + mib - 1) / mib))
truncate -s $(((data + tree + 2) * mib)) "$work/disk"
sfdisk --quiet "$work/disk" <<END
label: gpt
label-id: $(uuid "${root:16:32}")
start=2048, size=$((data * 2048)), type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, uuid=$(uuid "${root:0:32}"), name=application
start=$(((1 + data) * 2048)), size=$((tree * 2048)), type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, uuid=$(uuid "${root:32}"), name=application-verity
END
dd if="$work/data" of="$work/disk" bs=1M seek=1 conv=notrunc,sparse status=none
dd if="$work/tree" of="$work/disk" bs=1M seek=$((1 + data)) conv=notrunc,sparse status=none
mv "$work/disk" "$output"
echo "$root"
