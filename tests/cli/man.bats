#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The manual pages: well formed, each reference leads somewhere, every verb's options are in its
# page, and the examples run as they are printed, in a folder with the files that they name.

bats_require_minimum_version 1.5.0

setup_file() {
	load scratch
	scratch_setup
}

setup() {
	top=$(realpath "$BATS_TEST_DIRNAME/../..")
	cd "$top"
	export PATH=$top/build:$PATH:/usr/sbin:/sbin
}

# The commands of a page's examples, as a reader sees them.
examples() {
	mandoc -Tascii -Owidth=1000 "$1" | sed 's/.\x08//g' |
		sed -n '/^EXAMPLES/,/^[A-Z]/p' | sed -n 's/^ *\$ //p'
}

run_examples() { # PAGE HOW-MANY [FILTER...]: a grep over the commands
	local page=$top/man/$1 many=$2 line n=0
	shift 2
	[ $# -gt 0 ] || set -- cat
	command -v mandoc > /dev/null || skip "mandoc is missing"
	[ -z "${scratch_lacks-}" ] || skip "$scratch_lacks is missing"
	mkdir "$BATS_TEST_TMPDIR/here"
	cp -a --sparse=always "$scratch"/. "$BATS_TEST_TMPDIR/here"
	cd "$BATS_TEST_TMPDIR/here"
	while read -r line; do
		n=$((n + 1))
		echo "\$ $line"
		bash -e -o pipefail -c "$line" < /dev/null > "$BATS_TEST_TMPDIR/stdout"
	done < <(examples "$page" | "$@")
	[ "$n" -ge "$many" ]
}

@test "each page is well formed" {
	command -v mandoc > /dev/null || skip "mandoc is missing"
	# Which pages this machine has is not the pages' fault; our own are looked for below.
	run bash -c 'mandoc -Tlint -W style man/*.[1-8] 2> /dev/null'
	! grep -vE 'referenced manual not found|input text line longer than 80 bytes' <<< "$output" | grep . || {
		echo "$output"
		false
	}
}

@test "a page with a fault is seen" {
	command -v mandoc > /dev/null || skip "mandoc is missing"
	sed 's/^\.Sh NAME/.Sh NAMES/' man/assay.1 > "$BATS_TEST_TMPDIR/assay.1"
	run ! mandoc -Tlint -W style "$BATS_TEST_TMPDIR/assay.1"
}

@test "each reference to a page of ours leads to one, and assay(1) leads to all" {
	local page name
	grep -hE '^\.Xr assay' man/* | sort -u | while read -r _ name section _; do
		[ -e "man/$name.$section" ] || {
			echo "no page $name($section)"
			false
		}
	done
	for page in man/*; do
		name=${page##*/}
		[ "$name" = assay.1 ] || grep -qx "\.Xr ${name%.*} ${name##*.}\( ,\| \.\)\?" man/assay.1 || {
			echo "assay(1) does not name $name"
			false
		}
	done
}

@test "each option of a verb's synopsis is in its page" {
	local program line page option
	for program in assay assay-agent; do
		while read -r line; do
			# shellcheck disable=SC2086 # one or two words
			run -0 "$program" $line --help
			page=$(sed -n 's/^Manual page: \(.*\)(\([0-9]\))$/\1.\2/p' <<< "$output")
			for option in $(grep '^Usage:' <<< "$output" | grep -oE -- '(^|[^a-z-])--?[a-zA-Z-]+' | grep -oE -- '-+[a-zA-Z-]+'); do
				# .Fl bank and .Fl -bank; -lR is two
				if [[ $option == --* ]]; then
					grep -qE -- "\.(It|Op|Ar|Oo) .*Fl ${option#-}( |\$)|^\.Fl ${option#-}( |\$)|Fl ${option#-} " "man/$page"
				else
					for ((i = 1; i < ${#option}; i++)); do
						grep -qE -- "Fl ${option:i:1}( |\$)|Fl [a-zA-Z]*${option:i:1}" "man/$page"
					done
				fi || {
					echo "man/$page does not have $option"
					false
				}
			done
		done < <("$program" --help | sed -n 's/^  \([a-z]\+\( [a-z]\+\)\?\)  .*/\1/p')
	done
}

@test "each page about a verb has examples, and each of them is tested below" {
	local page
	for page in man/*.[18]; do
		[ "$(examples "$page" | wc -l)" -gt 0 ] || {
			echo "$page has no examples"
			false
		}
		grep -q "run_examples ${page##*/} " "$BATS_TEST_FILENAME" || {
			echo "the examples of $page are not tested"
			false
		}
	done
}

@test "examples of assay(1)" {
	run_examples assay.1 3
}

@test "examples of assay-measure(1)" {
	run_examples assay-measure.1 6
	[ "$(cat "$BATS_TEST_TMPDIR/stdout")" = "console=ttyS0 quiet" ]
}

@test "examples of assay-precompute(1)" {
	run_examples assay-precompute.1 4
	[ "$(head -n 1 "$BATS_TEST_TMPDIR/stdout")" = "EV_EFI_ACTION platform example" ]
}

@test "examples of assay-audit(1)" {
	run_examples assay-audit.1 4
	grep -qF "subject[disk.img].digest" "$BATS_TEST_TMPDIR/stdout"
}

# Those with a TPM run in ca.bats.
@test "examples of assay-ca(1): a CA" {
	run_examples assay-ca.1 1 grep 'ca init'
	[ -s attestation-ca/ca.pem ]
}

@test "examples of assay-diff(1)" {
	run_examples assay-diff.1 5
	[ "$(tail -n 1 "$BATS_TEST_TMPDIR/stdout")" = "example: []" ]
}

@test "examples of assay-manifest(1)" {
	run_examples assay-manifest.1 3
	grep -qE '^[0-9a-f]{64}$' "$BATS_TEST_TMPDIR/stdout"
}

@test "examples of assay-compare(1)" {
	run_examples assay-compare.1 3
}

@test "examples of assay-export(1)" {
	run_examples assay-export.1 7
}

@test "examples of assay-explain(1)" {
	run_examples assay-explain.1 3
	grep -q '^PCR 5, event 2: another partition table: ' "$BATS_TEST_TMPDIR/stdout"
}

@test "examples of assay-connect(1)" {
	load server
	[ -z "$(proof_missing)" ] || skip "$(proof_missing)is missing"
	# shellcheck disable=SC2030 # for run_examples
	export scratch=$BATS_TEST_TMPDIR/machine
	(server_setup "$top" "$scratch") > "$BATS_TEST_TMPDIR/log" 2>&1
	cd "$scratch"
	cp signed.json manifest.dsse.json
	cp key.pub pub.pem
	start_server
	run_examples assay-connect.1 2 sed "s/8443/$port/"
	[ "$(cat answer)" = "hello from /" ]
	stop_servers
}

@test "examples of assay-verify(1)" {
	run_examples assay-verify.1 4
	[ "$(cat "$BATS_TEST_TMPDIR/stdout")" = certificate-time ] || grep -qx manifest "$BATS_TEST_TMPDIR/stdout"
}

@test "examples of assay-pe(1)" {
	run_examples assay-pe.1 3
}

@test "examples of assay-containers(1)" {
	run_examples assay-containers.1 5
}

@test "examples of assay-ls(1)" {
	run_examples assay-ls.1 4
}

@test "examples of assay-verity(1)" {
	run_examples assay-verity.1 4
	grep -q verified "$BATS_TEST_TMPDIR/stdout"
}

@test "examples of assay-initrd(1)" {
	run_examples assay-initrd.1 5
	[ "$(cat "$BATS_TEST_TMPDIR/stdout")" = 6.12.0-amd64 ]
}

@test "examples of assay-log(1)" {
	run_examples assay-log.1 3
}

@test "examples of assay-platform(1)" {
	run_examples assay-platform.1 2 grep -v -- --qemu
	grep -q 'rack 4, firmware 1.2' "$BATS_TEST_TMPDIR/stdout"
}

@test "examples of assay-platform(1): a machine is probed" {
	local tool
	for tool in qemu-system-x86_64 swtpm swtpm_setup; do
		command -v $tool > /dev/null || skip "$tool is missing"
	done
	[ -e /usr/share/OVMF/OVMF_CODE_4M.fd ] || skip "ovmf is missing"
	[ -e build/probe/probe-x64.img ] || skip "build/probe is not built"
	mkdir -p build/boot
	exec 8> "${ASSAY_BOOT_LOCK:-build/boot/lock}"
	flock 8 # one machine at a time
	run_examples assay-platform.1 1 grep -- --qemu 8>&-
	exec 8>&-
	grep -q '^  kind: probe$' "$BATS_TEST_TMPDIR/here/q35.yaml"
}

@test "examples of assay-agent(8), with a TPM simulator" {
	command -v swtpm > /dev/null || skip "swtpm is missing"
	mkdir "$BATS_TEST_TMPDIR/tpm" "$BATS_TEST_TMPDIR/here"
	cd "$BATS_TEST_TMPDIR/here"
	swtpm socket --tpm2 --tpmstate dir="$BATS_TEST_TMPDIR/tpm" --flags startup-clear \
		--server type=unixio,path=tpm.sock --ctrl type=unixio,path=tpm.sock.ctrl 3>&- &
	pid=$!
	for _ in {1..50}; do
		[ ! -S tpm.sock.ctrl ] || break
		sleep 0.1
	done
	printf '%s\n' 'schema: assay.agent/1' 'tpm: {tcti: "swtpm:path=tpm.sock"}' "log: $PWD/log/runtime.cel" > agent.yaml
	mkdir srv
	echo code > srv/main
	n=0 failed=''
	while read -r line; do
		n=$((n + 1))
		bash -e -o pipefail -c "$line" < /dev/null > "$BATS_TEST_TMPDIR/stdout.$n" || failed="$failed $line"
	done < <(examples "$top/man/assay-agent.8")
	kill "$pid" 2> /dev/null || true
	wait "$pid" || true
	[ -z "$failed" ]
	[ "$n" -ge 4 ]
	grep -qE '^sha256 0 0{64}$' "$BATS_TEST_TMPDIR/stdout.1"
	grep -qx 1 "$BATS_TEST_TMPDIR/stdout.4"
	: run_examples assay-agent.8 # for the test that looks for this
}
