#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# golden.sh: the base image's golden PCRs. Probes the reference machine (or takes PLATFORM=FILE.yaml), measures
# the disk, precomputes, writes golden/base/ and prints one table.

set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/reference.sh
. scripts/reference.sh

disk=${DISK:-build/image/base.raw}
out=${GOLDEN:-golden/base}
work=build/golden

step() { printf '== %s\n' "$*" >&2; }

mkdir -p "$out" "$work"
if [ -n "${PLATFORM-}" ]; then
	cp "$PLATFORM" "$work/platform.yaml"
else
	step "probing the platform: booting the probe on the reference machine"
	truncate -s 8M "$work/capture.raw"
	build/assay platform probe --name "$reference_name" \
		--qemu "$(scripts/vm.sh line "${reference_options[@]}" --disk disk --capture "$work/capture.raw")" \
		-o "$work/platform.yaml"
fi
step "measuring $disk"
build/assay measure "$disk" --bank sha1,sha256,sha384 --json -o "$work/facts.json"
step "precomputing"
build/assay precompute "$disk" --platform "$work/platform.yaml" --json -o "$work/prediction.json"
for f in platform.yaml facts.json prediction.json; do
	mv "$work/$f" "$out/$f"
done
build/assay precompute "$disk" --platform "$out/platform.yaml" --bank "${BANK:-sha256}"
printf 'written: %s/{platform.yaml,facts.json,prediction.json}\n' "$out"
