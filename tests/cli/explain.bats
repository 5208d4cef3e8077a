#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# assay explain, of logs that were made out of predictions and changed in one place; real boots are in tests/boot/.

bats_require_minimum_version 1.5.0

setup_file() {
	load scratch
	scratch_setup
}

setup() {
	top=$(realpath "$BATS_TEST_DIRNAME/../..")
	assay=$top/build/assay
	log_of=$top/tests/fixtures/log-of.py
	tmp=$BATS_TEST_TMPDIR
	[ -z "${scratch_lacks-}" ] || skip "$scratch_lacks is missing"
	cd "$scratch"
}

# first EDIT... -- WORDS: the first line of a log with these edits begins like this.
first() {
	local edits=()
	while [ "$1" != -- ]; do
		edits+=("$1")
		shift
	done
	"$log_of" prediction.json "$tmp/log" "${edits[@]}"
	run -3 "$assay" explain manifest.json --log "$tmp/log"
	[[ ${lines[0]} == "$2"* ]] || {
		echo "$output"
		false
	}
}

@test "a machine as predicted: exit 0, and it is said" {
	run -0 "$assay" explain prediction.json --log same.log
	[ "${lines[0]}" = "no PCR differs: the log leads to what is predicted" ]
	[[ ${lines[-1]} == "30 compared: 30 equal, 0 different;"* ]]
	run -0 "$assay" explain manifest.json --log same.log --pcrs pcrs.txt
	[ "${lines[0]}" = "no PCR differs: registers and log are as predicted" ]
	[[ ${lines[-1]} == "32 compared: 32 equal, 0 different;"* ]]
}

@test "one event changed, gone, or one more: the first line names it, exit 3" {
	first change:4:3 -- 'PCR 4, event 3: the machine loaded \EFI\BOOT\BOOTX64.EFI with digest '
	[[ ${lines[0]} == *"another UKI; all that is measured of its sections is the same"* ]]
	first change:4:3 change:11:6 -- 'PCR 4, event 3: the machine loaded \EFI\BOOT\BOOTX64.EFI with digest '
	[[ ${lines[0]} == *": another UKI; its command line (.cmdline) differs; .linux, .osrel"*" are the same" ]]
	first more:4:3 -- 'PCR 4, event 3: the machine loaded one program more, '
	first more:4:1 -- 'PCR 4, event 1: one more: '
	first drop:5:4 -- 'PCR 5, event 4: "Exit Boot Services Returned with Success" is missing'
	first change:5:2 -- 'PCR 5, event 2: another partition table'
	first change:9:2 -- 'PCR 9, event 2: the kernel was handed another initrd'
	first change:0:2 -- 'PCR 0, event 2: another separator'
	first change:0:1 change:4:3 -- 'PCR 0, event 1: another firmware'
	[[ ${lines[1]} == "PCR 4, event 3: "* ]]
}

@test "what follows is said to follow" {
	first change:4:3 change:4:4 change:11:2 change:9:2 change:11:8 -- 'PCR 4, event 3: '
	[[ ${lines[1]} == "  from that: PCR 4, event 4: "*"another kernel in the UKI; follows from the other UKI" ]]
	[[ ${lines[2]} == "  from that: PCR 9, event 2: "*"another initrd"* ]]
	[[ ${lines[3]} == "manifest example release 1, platform example" ]]
	grep -qE '^  changed +3  EV_EFI_BOOT_SERVICES_APPLICATION +[0-9a-f]{16}  application ' <<< "$output"
	grep -qE '^ +expected  [0-9a-f]{16}  ' <<< "$output"
}

@test "registers that the log does not lead to are named" {
	awk '$2 == 2 { $3 = substr($3, 3) "00" } 1' pcrs.txt > "$tmp/pcrs"
	run -3 "$assay" explain prediction.json --log same.log --pcrs "$tmp/pcrs"
	[[ ${lines[0]} == "PCR 2: the log does not lead to the register of PCR 2: "* ]]
	# the registers are as predicted, and the log tells of something else
	"$log_of" prediction.json "$tmp/log" change:4:3
	run -3 "$assay" explain prediction.json --log "$tmp/log" --pcrs pcrs.txt
	[[ ${lines[0]} == "PCR 4: the log does not lead to the register of PCR 4: "* ]]
}

@test "phases of PCR 11, of registers alone" {
	jq -r '.phases[1].pcr11 | to_entries[] | "\(.key) 11 \(.value)"' prediction.json > "$tmp/eleven"
	{ awk '$2 != 11' pcrs.txt; cat "$tmp/eleven"; } > "$tmp/pcrs"
	run -3 "$assay" explain prediction.json --log same.log --pcrs "$tmp/pcrs"
	[[ ${lines[0]} == "PCR 11: the register is that of the log and phase enter-initrd:leave-initrd: "* ]]
	run -0 "$assay" explain prediction.json --log same.log --pcrs "$tmp/pcrs" --phase enter-initrd:leave-initrd
	run -1 "$assay" explain prediction.json --log same.log --pcrs "$tmp/pcrs" --phase nonesuch
	run -2 "$assay" explain prediction.json --log same.log --phase enter-initrd
}

@test "of a manifest's platforms the one that agrees best is taken, and which" {
	local name
	for name in b a c; do
		sed "s/^name: example\$/name: $name/" platform.yaml > "$tmp/$name.yaml"
	done
	# another firmware version in b
	sed -i '/EV_S_CRTM_VERSION/,/note/ s/\(sha[0-9]*: \)......../\100000000/' "$tmp/b.yaml"
	"$assay" manifest create disk.img --platform "$tmp/b.yaml" --platform "$tmp/a.yaml" --name x --release 1 \
		--not-before 2026-11-22 -o "$tmp/two.json"
	run -0 "$assay" explain "$tmp/two.json" --log same.log
	[[ $output == *"platform a: the one that agrees best of "*"a (30 of 30)"* ]]
	[[ $output == *"b (28 of 30)"*"; --platform takes another"* ]]
	run -3 "$assay" explain "$tmp/two.json" --log same.log --platform b
	[[ ${lines[0]} == "PCR 0, event 1: another firmware"* ]]
	[[ $output != *"agrees best"* ]]
	run -1 "$assay" explain "$tmp/two.json" --log same.log --platform nonesuch
	[[ $output == *"nonesuch"* ]]
	# two that agree as well
	"$assay" manifest create disk.img --platform "$tmp/a.yaml" --platform "$tmp/c.yaml" --name x --release 1 \
		--not-before 2026-11-22 -o "$tmp/same.json"
	run -0 "$assay" explain "$tmp/same.json" --log same.log
	[[ $output == *"the first that agrees best of "*"; another agrees as well; --platform"* ]]
	run -1 "$assay" explain prediction.json --log same.log --platform nonesuch
}

@test "what cannot be explained: exit 1, and nothing on stdout" {
	"$assay" precompute disk.img --platform platform.yaml --bank sha1 --json -o "$tmp/sha1.json"
	"$log_of" "$tmp/sha1.json" "$tmp/log"
	"$assay" precompute disk.img --platform platform.yaml --bank sha256 --json -o "$tmp/sha256.json"
	run -1 --separate-stderr "$assay" explain "$tmp/sha256.json" --log "$tmp/log"
	[ -z "$output" ]
	[[ $stderr == *"no digests in a bank of the prediction" ]]
	run -1 "$assay" explain prediction.json --log disk.img
	run -1 "$assay" explain disk.img --log same.log
	run -1 "$assay" explain prediction.json --log same.log --pcrs disk.img
	echo '# no register' > "$tmp/pcrs"
	run -1 --separate-stderr "$assay" explain prediction.json --log same.log --pcrs "$tmp/pcrs"
	[ -z "$output" ]
}

@test "names in a prediction do not steer the terminal" {
	jq '(.pcrs[4].events[2].source) = "\u001b[31mred\u202e\u0085" | .platform.name = "a\nb"' prediction.json > "$tmp/evil.json"
	"$log_of" prediction.json "$tmp/log" drop:4:3
	run -3 "$assay" explain "$tmp/evil.json" --log "$tmp/log"
	[[ $output == *'\x1b[31mred\u{202e}\x'* ]]
	[[ $output == *'platform a\x0ab'* ]]
	[[ $output != *$'\e'* ]]
}

@test "every recorded log against every prediction: an answer, and a first cause" {
	local shared=${ASSAY_SHARED:-$top/../shared} log p n=0 rc
	[ -d "$shared/data/eventlogs" ] || skip "$shared/data/eventlogs is missing"
	for p in "$top"/golden/platforms/*.yaml; do
		"$assay" precompute disk.img --platform "$p" --json -o "$tmp/$(basename "$p" .yaml).json"
	done
	for log in "$shared"/data/eventlogs/*; do
		[[ $log != *.json ]] || continue
		for p in prediction.json "$tmp"/*.json; do
			rc=0
			"$assay" explain "$p" --log "$log" > "$tmp/out" 2> "$tmp/err" || rc=$?
			case $rc in
			1) [ ! -s "$tmp/out" ] && [ "$(wc -l < "$tmp/err")" -eq 1 ] ;;
			3) head -n 1 "$tmp/out" | grep -qE '^PCR [0-9]+(, event [0-9]+)?: .' ;;
			*) false ;;
			esac || {
				echo "$log, $p: exit $rc"
				head "$tmp/out" "$tmp/err"
				false
			}
			n=$((n + (rc == 3)))
		done
	done
	[ "$n" -ge 20 ]
}
