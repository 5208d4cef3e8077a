#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# boot.sh: boot the built image on the reference machine, take the PCRs of every bank and the event log out of the guest,
# and print predicted against actual. Exit 0: equal, 3: different, 1: could not. From the environment, as golden.sh has
# them: DISK, IMAGE, GOLDEN, and RELEASE (the newest).

set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/reference.sh
. scripts/reference.sh

disk=${DISK:-build/image/base.raw}
releases=${GOLDEN:-golden}/${IMAGE:-base}
release=${RELEASE:-$(find "$releases" -mindepth 2 -maxdepth 2 -name manifest.dsse.json 2>/dev/null | sed 's,/[^/]*$,,; s,.*/,,' |
	sort -n | tail -n 1)}
manifest=$releases/$release/manifest.dsse.json
dir=build/boot-run

if [ -z "$release" ] || [ ! -r "$manifest" ]; then
	echo "boot.sh: no manifest under $releases; run 'make golden' first" >&2
	exit 1
fi
# A guest kernel that dies early under QEMU's software emulation (seen now and then, a double fault) has measured nothing
# wrong: it is booted again, aloud. Whatever else keeps the machine from powering off by itself is a failure.
tries=4
for ((try = 1; ; try++)); do
	rm -rf "$dir"
	mkdir -p "$dir"
	truncate -s 8M "$dir/capture.raw"
	echo "== booting $disk (software emulation: a minute or two)" >&2
	! scripts/vm.sh run "$PWD/$dir/vm" "${reference_options[@]}" --timeout 600 --disk "$disk" \
		--capture "$PWD/$dir/capture.raw" || break
	# panic=-1 resets the machine; so early, the kernel may not have had a console to say why.
	if [ "$try" -lt "$tries" ] && [ "$(cat "$dir/vm/end" 2>/dev/null)" = guest-reset ]; then
		echo "boot.sh: the guest's kernel died and reset the machine (boot $try of at most $tries)" >&2
		grep -aE 'Kernel panic|double fault|PANIC: ' "$dir/vm/serial.log" | head -n 2 >&2 || true
		continue
	fi
	echo "boot.sh: the machine did not power off by itself; the end of its console:" >&2
	tail -n 20 "$dir/vm/serial.log" >&2
	exit 1
done
tar -C "$dir" -xf "$dir/capture.raw" pcrs eventlog || {
	echo "boot.sh: the guest left no report" >&2
	exit 1
}
rc=0
build/assay compare "$manifest" --platform "$reference_name" --pcrs "$dir/pcrs" || rc=$?
if [ "$rc" -eq 3 ]; then
	echo "== why, by the guest's event log" >&2
	build/assay explain "$manifest" --platform "$reference_name" --log "$dir/eventlog" --pcrs "$dir/pcrs" || true
fi
exit "$rc"
