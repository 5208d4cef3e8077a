#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The runner of all tests, tested: it must not call anything passed that was not.

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	export ASSAY_TEST_LOGS=$BATS_TEST_TMPDIR/logs
	f=tests/fixtures/run
}

last_line() {
	[ "${lines[-1]}" = "$1" ] || {
		echo "$output"
		false
	}
}

@test "two that pass" {
	run tests/run.sh $f/passing
	[ "$status" -eq 0 ]
	last_line "2 passed, 0 failed, 0 skipped"
}

@test "one that fails is shown in full and fails the run" {
	run tests/run.sh $f/passing $f/failing
	[ "$status" -eq 1 ]
	[[ $output == *"# the reason"* ]]
	last_line "3 passed, 1 failed, 0 skipped"
}

@test "skipped tests are named with their reasons" {
	run tests/run.sh $f/skipping
	[ "$status" -eq 0 ]
	[[ $output == *"file/skipping: two: no oracle here"* ]]
	[[ $output == *"file/skipping: three: no tool"* ]]
	last_line "1 passed, 0 failed, 2 skipped"
}

@test "a crash counts as failed, twice: the signal and the tests not run" {
	run tests/run.sh $f/crashing
	[ "$status" -eq 1 ]
	[[ $output == *"died of signal 11"* ]]
	last_line "1 passed, 2 failed, 0 skipped"
}

@test "fewer tests than announced" {
	run tests/run.sh $f/short
	[ "$status" -eq 1 ]
	[[ $output == *"announced 3 tests and ran 2"* ]]
	last_line "2 passed, 1 failed, 0 skipped"
}

@test "a bad status without a failed test" {
	run tests/run.sh $f/lying
	[ "$status" -eq 1 ]
	last_line "1 passed, 1 failed, 0 skipped"
}

@test "no plan, an empty plan, a program that is not there" {
	run tests/run.sh $f/silent
	[ "$status" -eq 1 ]
	last_line "0 passed, 1 failed, 0 skipped"
	run tests/run.sh $f/empty
	[ "$status" -eq 1 ]
	last_line "0 passed, 1 failed, 0 skipped"
	run tests/run.sh $f/nonesuch
	[ "$status" -eq 2 ]
}

@test "one that hangs is stopped" {
	ASSAY_TEST_TIMEOUT=1 run tests/run.sh $f/slow
	[ "$status" -eq 1 ]
	[[ $output == *"took too long"* ]]
}

@test "a run in which everything was skipped ran nothing" {
	run tests/run.sh $f/all-skipped
	[ "$status" -eq 1 ]
	last_line "0 passed, 0 failed, 1 skipped"
}

@test "boots: each file once, whichever lane takes it; what fails in one is counted" {
	local tree=$BATS_TEST_TMPDIR/tree name
	mkdir -p "$tree/tests/boot"
	cp tests/run.sh "$tree/tests/"
	for name in a b c d; do
		printf '# build/image\n@test "%s" { echo %s >>ran; sleep 1; }\n' $name $name >"$tree/tests/boot/$name.bats"
	done
	printf '@test "x" { echo x >>ran; false; }\n' >"$tree/tests/boot/x.bats"
	for name in 1 2; do
		rm -f "$tree/ran"
		ASSAY_TEST_LOGS=$tree/logs ASSAY_TEST_JOBS=$name run "$tree/tests/run.sh" boot
		[ "$status" -eq 1 ]
		last_line "4 passed, 1 failed, 0 skipped"
		[ "$(sort "$tree/ran" | tr -d '\n')" = abcdx ]
	done
}
