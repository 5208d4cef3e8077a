#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs tests that are built already:
#
#   tests/run.sh [unit|fuzz|cli|boot|all|FILE]...     (nothing means all)
#
# FILE is a bats file or a program that speaks TAP. Unit tests and cli run two at a time, boots on two
# lanes: one for those that use the base image, one for the others. The output of each goes to build/test-logs/, that of a failing one is shown in full. A
# program that dies, fails without saying so, or runs fewer or more tests than it announced counts
# as a failure. The last line is "N passed, N failed, N skipped"; exit 1 if anything failed or if
# nothing ran (skipping everything is running nothing).

set -u
cd "$(dirname "$0")/.." || exit 1

# Tools that a user needs no root for lie there all the same: sfdisk, sgdisk, mkfs.vfat.
export PATH=$PATH:/usr/sbin:/sbin

out=${ASSAY_TEST_OUT:-build}
logs=${ASSAY_TEST_LOGS:-$out/test-logs}
jobs=${ASSAY_TEST_JOBS:-2}
limit=${ASSAY_TEST_TIMEOUT:-900} # seconds for one file; boots get four times that

mkdir -p "$logs" || exit 1
totals=$(mktemp -d) || exit 1
trap 'rm -rf "$totals"' EXIT

# count FILE STATUS NAME: TAP in, "passed failed skipped" out; notes and skips into $totals.
count() {
	awk -v status="$2" -v file="$3" -v skips="$totals/skips.$id" -v notes="$totals/notes.$id" '
	function note(text) { print file ": " text > notes; failed++ }
	/^# skipped: / { reason = substr($0, 12) }
	/^1\.\.[0-9]+/ { sub(/^1\.\./, ""); planned += $1; plan = 1; next }
	/^(not )?ok [0-9]+/ {
		seen++
		name = $0
		sub(/^(not )?ok [0-9]+( -)? */, "", name)
		if (match(name, /# *[Ss][Kk][Ii][Pp]( |$)/)) {
			# bats: "name # skip reason"; cmocka: "# SKIP name", the reason on a line before
			before = substr(name, 1, RSTART - 1)
			after = substr(name, RSTART + RLENGTH)
			sub(/ +$/, "", before)
			if (before == "") { before = after; after = reason }
			if (after == "") after = "no reason given"
			print file ": " before ": " after > skips
			skipped++
		} else if ($1 == "ok")
			passed++
		else
			failed++
		reason = ""
	}
	END {
		if (!plan)
			note("announced no tests")
		else if (planned == 0)
			note("has no tests in it")
		else if (seen != planned)
			note("announced " planned " tests and ran " seen + 0)
		if (status == 124)
			note("took too long and was stopped")
		else if (status > 128)
			note("died of signal " status - 128)
		else if (status != 0 && !failed)
			note("ended with status " status " though no test failed")
		print passed + 0, failed + 0, skipped + 0
	}' "$1"
}

# run_file GROUP NAME SECONDS COMMAND...
run_file() {
	# A number of its own: processes' numbers come back in a run of half an hour.
	local id=$started
	local group=$1 name=$2 seconds=$3 log status passed failed skipped began=$SECONDS
	shift 3
	log=$logs/$group-$name.log
	timeout -k 10 "$seconds" "$@" > "$log" 2>&1 < /dev/null
	status=$?
	count "$log" "$status" "$group/$name" > "$totals/count.$id"
	read -r passed failed skipped < "$totals/count.$id"
	{
		flock 9
		printf '%-32s %4d passed' "$group/$name" "$passed"
		[ "$failed" = 0 ] || printf ', %d FAILED' "$failed"
		[ "$skipped" = 0 ] || printf ', %d skipped' "$skipped"
		[ $((SECONDS - began)) -lt 10 ] || printf ', %d s' $((SECONDS - began))
		printf '\n'
		if [ "$failed" != 0 ]; then
			sed 's/^/    /' "$log"
			[ ! -e "$totals/notes.$id" ] || sed 's/^/    /' "$totals/notes.$id"
		fi
	} 9> "$totals/lock"
}

# A fuzz target over its corpus is one test: its replay says nothing when all is well.
replay() {
	local program=$1 corpus=$2
	echo "1..1"
	if [ ! -x "$program" ]; then
		echo "not ok 1 - $program is not built"
	elif [ -z "$(ls -A "$corpus" 2> /dev/null)" ]; then
		echo "not ok 1 - no corpus in $corpus"
	elif "$program" "$corpus"; then
		echo "ok 1 - $corpus: $(find "$corpus" -type f | wc -l) files"
	else
		echo "not ok 1 - $corpus: status $?"
	fi
}
export -f replay

missing() {
	echo "1..1"
	echo "not ok 1 - $1 is not built"
}
export -f missing

running=0
started=0
start() {
	if [ "$running" -ge "$width" ]; then
		wait -n
		running=$((running - 1))
	fi
	run_file "$@" &
	started=$((started + 1))
	running=$((running + 1))
}

run_one() { # GROUP FILE
	local group=$1 file=$2 seconds=$limit name
	name=$(basename "$file" .bats)
	[ "$group" != boot ] || seconds=$((4 * limit))
	case $file in
	*.bats)
		if command -v bats > /dev/null; then
			start "$group" "$name" "$seconds" bats --tap "$file"
		else
			start "$group" "$name" "$seconds" bash -c 'echo 1..1; echo "ok 1 '"$name"' # skip bats is missing"'
		fi
		;;
	*)
		if [ -x "$file" ]; then
			start "$group" "$name" "$seconds" "$(realpath "$file")"
		else
			# shellcheck disable=SC2016 # for the inner shell to expand
			start "$group" "$name" "$seconds" bash -c 'missing "$0"' "$file"
		fi
		;;
	esac
}

# A lane runs boots one after another. Each file is run by the lane that takes it first; the file's place in the list is its
# number.
lane() {
	local first=$1 place
	shift
	for place; do
		mkdir "$totals/taken.$first.$place" 2> /dev/null || continue
		started=$((first + place))
		run_one boot "${boots[place]}"
	done
	wait
}

run_group() {
	local group=$1 source name
	width=$jobs
	case $group in
	unit)
		for source in tests/unit/test_*.c; do
			[ -e "$source" ] || continue
			run_one unit "$out/tests/$(basename "$source" .c)"
		done
		;;
	fuzz)
		for source in tests/fuzz/fuzz_*.c; do
			[ -e "$source" ] || continue
			name=$(basename "$source" .c)
			# shellcheck disable=SC2016 # for the inner shell to expand
			start fuzz "$name" "$limit" bash -c 'replay "$0" "$1"' "$out/fuzz/$name" \
				"tests/corpus/${name#fuzz_}"
		done
		;;
	cli)
		for source in tests/cli/*.bats; do
			[ -e "$source" ] || continue
			run_one cli "$source"
		done
		;;
	boot)
		# A machine of one processor keeps one core busy. The first of those that use the image builds it; when the
		# others are done, their lane helps with the last.
		local first=$started boots=() of_image=() others=() last_first=()
		for source in tests/boot/*.bats; do
			[ -e "$source" ] || continue
			if grep -q 'build/image' "$source"; then
				of_image+=("${#boots[@]}")
				[ "${#of_image[@]}" = 1 ] || last_first=("${#boots[@]}" "${last_first[@]}")
			else
				others+=("${#boots[@]}")
			fi
			boots+=("$source")
		done
		width=1
		if [ "$jobs" = 1 ]; then
			lane "$started" "${of_image[@]}" "${others[@]}"
		else
			lane "$started" "${of_image[@]}" &
			lane "$started" "${others[@]}" "${last_first[@]}" &
		fi
		wait
		started=$((first + ${#boots[@]}))
		;;
	*)
		if [ ! -e "$group" ]; then
			echo "tests/run.sh: no group and no file '$group'" >&2
			exit 2
		fi
		run_one file "$group"
		;;
	esac
	wait
	running=0
}

[ $# -gt 0 ] || set -- all
for group; do
	if [ "$group" = all ]; then
		run_group unit
		run_group fuzz
		run_group cli
		run_group boot
	else
		run_group "$group"
	fi
done

if compgen -G "$totals/skips.*" > /dev/null; then
	echo "Skipped:"
	sort "$totals"/skips.* | sed 's/^/    /'
fi
cat /dev/null "$totals"/count.* 2> /dev/null | {
	passed=0 failed=0 skipped=0 files=0
	while read -r p f s; do
		passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
		files=$((files + 1))
	done
	# A file whose count is missing was lost by this script: that is a failure too.
	failed=$((failed + started - files))
	echo "$passed passed, $failed failed, $skipped skipped" | tee "$logs/summary"
	[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}
