#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# boot.sh: boot the built image on the reference machine, take the PCRs of every bank and the event log out of the guest,
# and print predicted against actual. Exit 0: equal, 3: different, 1: could not.

set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/reference.sh
. scripts/reference.sh

disk=${DISK:-build/image/base.raw}
prediction=${GOLDEN:-golden/base}/prediction.json
dir=build/boot-run

[ -r "$prediction" ] || { echo "boot.sh: no $prediction; run 'make golden' first" >&2; exit 1; }
rm -rf "$dir"
mkdir -p "$dir"
truncate -s 8M "$dir/capture.raw"
echo "== booting $disk (software emulation: about a minute)" >&2
scripts/vm.sh run "$PWD/$dir/vm" "${reference_options[@]}" --disk "$disk" --capture "$PWD/$dir/capture.raw" || {
	echo "boot.sh: the machine did not power off by itself; the end of its console:" >&2
	tail -n 20 "$dir/vm/serial.log" >&2
	exit 1
}
tar -C "$dir" -xf "$dir/capture.raw" pcrs eventlog || {
	echo "boot.sh: the guest left no report" >&2
	exit 1
}
rc=0
build/assay compare "$prediction" --pcrs "$dir/pcrs" || rc=$?
if [ "$rc" -eq 3 ]; then
	echo "== by the guest's event log" >&2
	build/assay compare "$prediction" --log "$dir/eventlog" | grep '^PCR' || true
fi
exit "$rc"
