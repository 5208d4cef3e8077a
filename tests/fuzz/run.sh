#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh [SECONDS] [TARGET...]: fuzz each target for SECONDS (60), as many at a time as there are cores. What it
# finds on the way stays in build/fuzz-corpus, what breaks in build/fuzz-found; exit 1 if anything broke.

set -u
cd "$(dirname "$0")/../.." || exit 1
seconds=${1:-60}
[ $# -eq 0 ] || shift
bins=${ASSAY_FUZZ_BIN:-build/fuzz/fuzz}

targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
	for f in "$bins"/fuzz_*; do
		[ -x "$f" ] && targets+=("$(basename "$f")")
	done
fi
[ ${#targets[@]} -gt 0 ] || { echo "run.sh: no targets in $bins; 'make fuzz' builds them" >&2; exit 1; }

one() {
	local name=$1 what=${1#fuzz_} log rc=0
	local seeds=tests/corpus/$what kept=build/fuzz-corpus/$what found=build/fuzz-found/$what/
	mkdir -p "$kept" "$found"
	log=$found/log
	local dict=()
	[ -r "$seeds.dict" ] && dict=(-dict="$seeds.dict")
	[ -d "$seeds" ] || seeds=$kept
	"$bins/$name" -max_total_time="$seconds" -timeout=25 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix="$found" "${dict[@]}" "$kept" "$seeds" >"$log" 2>&1 || rc=$?
	if [ "$rc" -eq 0 ]; then
		echo "ok   $name: $(awk '/stat::number_of_executed_units/ { print $2 }' "$log") runs in $seconds s"
		rm -f "$log"
		rmdir "$found" 2>/dev/null
		return 0
	fi
	echo "FAIL $name: exit $rc; $found"
	tail -n 15 "$log"
	return 1
}
export -f one
export bins seconds
printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I{} bash -c 'one {}'
