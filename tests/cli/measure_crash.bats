#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# assay-agent measure when things go wrong: killed, without power, on a full disk, at a TPM that is busy or goes away. Each
# event of the log is extended once, whatever happened.

bats_require_minimum_version 1.5.0

setup() {
	load common
	load swtpm
	cd "$BATS_TEST_DIRNAME/../.."
	tmp=$BATS_TEST_TMPDIR
	load measure
}

teardown() {
	agent_teardown
}

@test "crash: killed before and behind each call of a measurement: each event is extended once" {
	build_shim
	start_tpm
	configure
	measure timing 0
	env LD_PRELOAD="$tmp/dies.so" DIES_COUNT="$tmp/count" "$agent" measure timing --config "$config" 0.5 >/dev/null
	local calls n i=0 kills=0 how
	calls=$(cat "$tmp/count")
	[ "$calls" -gt 30 ]
	for how in DIES_BEFORE=1 DIES_AFTER=1 DIES_TORN=1; do
		for ((n = 1; n <= calls; n++)); do
			i=$((i + 1))
			run dying "$n" "$i" "$how"
			[ "$status" -eq 99 ] || continue
			kills=$((kills + 1))
			# Every fourth time, killed again while the first kill is being mended.
			[ $((n % 4)) -ne 0 ] || run dying "$((n / 2 + 1))" "$i.25" "$how"
			measure timing "$i.5" >/dev/null
			[ $((n % 8)) -ne 0 ] || agree
		done
	done
	agree
	[ "$kills" -gt $((calls * 2)) ]
	# No event twice; those of agents that were not killed are all there.
	"$replay" "$log" --events >"$tmp/events"
	[ "$(sort "$tmp/events" | uniq -d | wc -l)" = 0 ]
	[ "$(grep -c '\.5}' "$tmp/events")" = $((kills + 1)) ]
	echo "# $kills kills" >&3
}

@test "crash: killed at each call while the log is made" {
	build_shim
	start_tpm
	configure
	local n calls=0 how
	env LD_PRELOAD="$tmp/dies.so" DIES_COUNT="$tmp/count" "$agent" measure timing --config "$config" 0.5 >/dev/null
	calls=$(cat "$tmp/count")
	for how in DIES_AFTER=1 DIES_TORN=1; do
		for ((n = 1; n <= calls; n += 2)); do
			stop_tpm
			rm -rf "$tmp/state" "$tmp/run"
			start_tpm
			run dying "$n" "$n" "$how"
			[ "$status" -eq 99 ]
			measure timing "$n.5" >/dev/null
			agree
		done
	done
}

@test "crash: power lost at each call: the next boot says so, and nothing is extended" {
	build_shim
	start_tpm
	configure
	measure timing 0
	local n
	for ((n = 5; n <= 60; n += 7)); do
		run dying "$n" "$n" DIES_TORN=1
		stop_tpm
		start_tpm
		run -1 measure timing 1
		[[ $output == *"of an earlier boot"* ]]
		[ -z "$(of_tools)" ]
		"$agent" log --config "$config" --set-aside >/dev/null
		measure timing 1
		agree
	done
}

@test "full disk: nothing is extended, the log is whole" {
	build_shim
	start_tpm
	configure
	measure timing 1
	cp "$log" "$tmp/before"
	of_tools >"$tmp/pcrs"
	run -1 env LD_PRELOAD="$tmp/dies.so" NOSPACE=1 "$agent" measure timing --config "$config" 2
	[[ $output == *"No space left on device"* ]]
	cmp "$tmp/before" "$log"
	# The same by a limit that the kernel enforces.
	run -1 bash -c 'trap "" XFSZ; ulimit -f 1; exec "$@"' - "$agent" measure timing --config "$config" 2
	[[ $output == *"File too large"* ]]
	cmp "$tmp/before" "$log"
	of_tools | diff "$tmp/pcrs" -
	measure timing 3
	agree
	# While the log is made.
	stop_tpm
	rm -rf "$tmp/state" "$tmp/run"
	start_tpm
	run -1 env LD_PRELOAD="$tmp/dies.so" NOSPACE=1 "$agent" measure timing --config "$config" 2
	[ ! -e "$log" ]
	measure timing 3
	agree
}

@test "busy: TPM_RC_RETRY and its kin are asked again, and the event is extended once" {
	start_tpm
	start_proxy 922 908 90a 903 906 922 922 922 922 922 922 922
	measure timing 1
	agree
	start_proxy 904 901 920
	measure timing 2
	agree
	[ "$(wc -l <"$log")" = 3 ]
}

@test "busy: for ever: an error, nothing extended, nothing in the log" {
	start_tpm
	start_proxy ok '922*'
	measure timing 1
	cp "$log" "$tmp/before"
	run -1 timeout 60 "$agent" measure timing --config "$config" 2
	[[ $output == *"TPM2_PCR_Extend"* ]]
	cmp "$tmp/before" "$log"
	agree "swtpm:path=$tmp/tpm.sock"
	# A refusal for good is not asked again: TPM_RC_LOCALITY.
	start_proxy 907
	run -1 timeout 5 "$agent" measure timing --config "$config" 2
	cmp "$tmp/before" "$log"
	start_proxy
	measure timing 3
	agree "swtpm:path=$tmp/tpm.sock"
}

@test "gone: the connection breaks before or behind the extend: the next start finds out" {
	start_tpm
	local how
	for how in before after before after; do
		start_proxy ok "$how"
		measure timing "1$(wc -l <"$log" 2>/dev/null || echo 0)"
		run -1 measure timing "2$(wc -l <"$log")"
		[[ $output == *"the next start finds out"* ]]
		run -0 "$agent" log --config "$config"
		case $how in
		before) [[ ${lines[-1]} == *"but for the last event"* ]] ;;
		after) [ "${lines[-1]}" = "The TPM agrees." ] ;;
		esac
		measure timing "3$(wc -l <"$log")"
		agree "swtpm:path=$tmp/tpm.sock"
	done
	[ "$(wc -l <"$log")" = 13 ]
	# Gone while the step is completed, too.
	start_proxy before before ok
	run -1 measure timing 5
	run -1 measure timing 6
	measure timing 7
	agree "swtpm:path=$tmp/tpm.sock"
	[ "$("$replay" "$log" --events | grep -c ':[567]}')" = 2 ]
}

