#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# make-platforms.sh [FOLDER]: the profiles of the reference machine with the OVMF of Debian 12 and of
# Debian 13, each made by booting the probe, into FOLDER (default: golden/platforms). The firmware is
# fetched into build/debs. The date is SOURCE_DATE_EPOCH's, or today's.
#
# A profile holds for the firmware and for QEMU's version: QEMU makes the ACPI tables that OVMF 2025.02
# measures. Both are in the profile.

set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/reference.sh
. scripts/reference.sh

out=${1:-golden/platforms}
work=build/platforms
mkdir -p "$out" "$work"
truncate -s 8M "$work/capture.raw"

for release in 12:bookworm 13:trixie; do
	suite=${release#*:}
	debs=build/debs/$suite
	[ -r "$debs/usr/share/OVMF/OVMF_CODE_4M.fd" ] || scripts/fetch-deb.sh "$suite" "$debs" ovmf
	version=$(awk -F '\t' '$1 == "ovmf" { print $2 }' "$debs/packages.tsv")
	name=q35-ovmf-${version%%-*}
	printf '== %s: booting the probe\n' "$name" >&2
	build/assay platform probe --name "$name" \
		--note "QEMU's q35 with one CPU, 2 GiB, tpm-crb, two virtio disks and no NIC; OVMF of Debian ${release%:*}, package ovmf $version" \
		--qemu "$(scripts/vm.sh line "${reference_options[@]}" --disk disk --capture "$work/capture.raw" \
			--code "$debs/usr/share/OVMF/OVMF_CODE_4M.fd")" \
		-o "$out/$name.yaml"
done
