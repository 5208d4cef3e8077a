#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# assay-agent against a software TPM; tpm2-tools read the same one.

setup() {
	load common
	load swtpm
	bats_require_minimum_version 1.5.0
	cd "$BATS_TEST_DIRNAME/../.."
	agent=$PWD/build/assay-agent
	tmp=$BATS_TEST_TMPDIR
	export TSS2_LOG=all+none
}

teardown() {
	stop_tpm
}

# What tpm2-tools read, as lines BANK INDEX HEX.
of_tools() {
	local bank
	for bank in sha1 sha256 sha384 sha512; do
		tpm2_pcrread -T "$tcti" "$bank:all" | awk -v b="$bank" \
			'/: 0x/ { sub(/^ */, ""); sub(/ *: 0x/, " "); print b, $1, tolower($2) }'
	done
}

@test "pcrs: every register of every bank, as tpm2_pcrread has them" {
	start_tpm
	local pcr
	for pcr in 0 4 7 8 9 10 15 16 23; do
		tpm2_pcrextend -T "$tcti" "$pcr:sha1=$(printf '%040d' "$pcr"),sha256=$(printf '%064d' "$pcr")"
	done
	of_tools >"$tmp/theirs"
	[ "$(wc -l <"$tmp/theirs")" -ge 48 ]
	grep -qv ' 0*$' "$tmp/theirs"
	"$agent" pcrs --tcti "$tcti" >"$tmp/ours"
	diff "$tmp/theirs" "$tmp/ours"
	"$agent" pcrs --tcti "$tcti" --json >"$tmp/ours.json"
	python3 - "$tmp/ours.json" "$tmp/theirs" <<-'EOF'
		import json, sys
		banks = json.load(open(sys.argv[1]))["banks"]
		ours = sorted((b, int(i), v) for b in banks for i, v in banks[b].items())
		theirs = sorted((b, int(i), v) for b, i, v in map(str.split, open(sys.argv[2])))
		assert ours == theirs
	EOF
}

@test "pcrs: after one more extend exactly that register differs" {
	start_tpm
	"$agent" pcrs --tcti "$tcti" >"$tmp/before"
	tpm2_pcrextend -T "$tcti" "11:sha256=$(printf '%064d' 1)"
	"$agent" pcrs --tcti "$tcti" >"$tmp/after"
	run -1 diff "$tmp/before" "$tmp/after"
	[ "$(grep -c '^[<>]' <<<"$output")" = 2 ]
	[ "$(grep -c '^[<>] sha256 11 ' <<<"$output")" = 2 ]
}

@test "pcrs: other kinds of connection are refused, by name" {
	local kind
	for kind in cmd:true mssim device swtpm tabrmd libtpms: ''; do
		run -1 --separate-stderr "$agent" pcrs --tcti "$kind"
		[ -z "$output" ]
		[ "${#stderr_lines[@]}" -eq 1 ]
		[[ $stderr == "assay-agent pcrs: TCTI '$kind': device: and swtpm: are the ones there are" ]]
	done
}

@test "pcrs: no TPM" {
	local where
	for where in device:/nonexistent/tpm device:/dev/null "swtpm:path=$tmp/none"; do
		run -1 --separate-stderr timeout 60 "$agent" pcrs --tcti "$where"
		[ -z "$output" ]
		[ "${#stderr_lines[@]}" -eq 1 ]
		[[ $stderr == "assay-agent pcrs: "* ]]
	done
}

@test "pcrs: usage" {
	run -2 "$agent" pcrs extra
	run -2 "$agent" pcrs --nope
	run -2 "$agent" nope
	run -2 "$agent"
	run -0 "$agent" pcrs --help
	[[ $output == *"--tcti TCTI"* ]]
}

@test "pcrs: a reader that is gone is a failure" {
	[ -e /dev/full ] || skip "no /dev/full"
	start_tpm
	run -1 bash -c '"$1" pcrs --tcti "$2" >/dev/full' - "$agent" "$tcti"
	[[ $output == *"standard output"* ]]
}
