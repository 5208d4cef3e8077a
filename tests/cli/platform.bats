#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# assay platform: profiles read, made out of logs, and what the probe's machine is given. Machines
# that really boot are in tests/boot/platform.bats; here QEMU is a script.

setup() {
	bats_require_minimum_version 1.5.0
	cd "$BATS_TEST_DIRNAME/../.."
	top=$PWD
	assay=$PWD/build/assay
	tmp=$BATS_TEST_TMPDIR
	golden=$PWD/golden/platforms
	calling='4:action:Calling EFI Application from Boot Option'
	returning='4:action:Returning from EFI Application from Boot Option'
}

need() {
	local tool
	for tool; do
		command -v "$tool" > /dev/null || skip "$tool is not installed"
	done
}

# A boot application, and its digest as make-log.py takes it, by pesign.
app() {
	need pesign python3
	tests/fixtures/make-pe.py "$tmp/app.efi" .text=code
	digest=digest:$(pesign -h -d sha1 -i "$tmp/app.efi" | awk '{ print $1 == "hash:" ? $2 : $1 }'),$(
		pesign -h -d sha256 -i "$tmp/app.efi" | awk '{ print $1 == "hash:" ? $2 : $1 }')
}

log() {
	tests/fixtures/make-log.py "$tmp/log" "$@"
}

learn() {
	run -"$1" "$assay" platform learn --log "$tmp/log" --probe "$tmp/app.efi" -o "$tmp/out.yaml"
	[ "$1" -eq 0 ] || [ ! -e "$tmp/out.yaml" ]
}

json() {
	python3 -c "import json,sys; p=json.load(open(sys.argv[1])); print($1)" "$2"
}

@test "every profile of golden/platforms can be read, and says where it comes from" {
	local file n=0
	need python3
	for file in "$golden"/*.yaml; do
		"$assay" platform show "$file" > "$tmp/words"
		grep -q "^origin" "$tmp/words"
		"$assay" platform show --json "$file" > "$tmp/json"
		[ "$(json 'p["name"]' "$tmp/json").yaml" = "$(basename "$file")" ]
		[ "$(json 'p["schema"]' "$tmp/json")" = assay.platform/1 ]
		[ "$(json 'p["digest"]["sha256"]' "$tmp/json")" = "$(sha256sum < "$file" | cut -d' ' -f1)" ]
		run ! grep -E '/(tmp|home|root)/' "$file"
		n=$((n + 1))
	done
	[ "$n" -ge 5 ]
}

@test "the profiles of the clouds leave unknown what nobody has published" {
	need python3
	"$assay" platform show --json "$golden/aws-nitrotpm.yaml" > "$tmp/aws"
	[ "$(json 'p["banks"]' "$tmp/aws")" = "['sha256', 'sha384']" ]
	[ "$(json 'sorted(p["unknown"])' "$tmp/aws")" = "['0', '1', '7']" ]
	"$assay" platform show --json "$golden/azure-trusted-launch.yaml" > "$tmp/azure"
	[ "$(json 'sorted(p["unknown"])' "$tmp/azure")" = "['0', '5', '6', '7']" ]
	"$assay" platform show --json "$golden/gcp.yaml" > "$tmp/gcp"
	[ "$(json 'sorted(p["unknown"])' "$tmp/gcp")" = "['1', '7']" ]
}

# A PCR out of a profile's events, every accepted value: EVENTS extended by sha256sum and the shell.
@test "Google's PCR 0, 2, 3 and 6 are those that were read from Google's machines" {
	local known=${ASSAY_SHARED:-../shared}/data/eventlogs/known-pcrs.json
	need python3
	[ -r "$known" ] || skip "no shared data: data/eventlogs/known-pcrs.json"
	"$assay" platform show --json "$golden/gcp.yaml" > "$tmp/gcp"
	python3 - "$tmp/gcp" "$known" <<-'PY'
	import hashlib, itertools, json, sys
	p, known = (json.load(open(f)) for f in sys.argv[1:3])
	def values(pcr, bank):
	    sets = [[v["digests"][bank] for v in e["accept"]] for e in p["events"] if e.get("pcr") == pcr]
	    for combination in itertools.product(*sets):
	        v = bytes(len(combination[0]) // 2)
	        for d in combination:
	            v = hashlib.new(bank, v + bytes.fromhex(d)).digest()
	        yield v.hex()
	n = 0
	for name, versions in (("google-rhel8-uefi.bin", 1), ("google-debian-10.bin", 1),
	                       ("google-confidential-gke-debug-251000_eventlog.bin", 2)):
	    for bank, pcrs in known[name]["pcrs"].items():
	        for pcr in (0, 2, 3, 6):
	            got = list(values(pcr, bank))
	            assert pcrs[str(pcr)] in got, (name, bank, pcr)
	            assert len(got) == (2 if pcr == 0 else 1)
	            n += 1
	assert n == 16, n
	PY
}

@test "a profile with an unknown key: one line with file, line, key and offset, exit 1" {
	sed 's/^arch:/archh: x\narch:/' "$golden/gcp.yaml" > "$tmp/bad.yaml"
	run -1 --separate-stderr "$assay" platform show "$tmp/bad.yaml"
	[ -z "$output" ]
	# shellcheck disable=SC2154 # bats sets it
	[ "$(wc -l <<< "$stderr")" -eq 1 ]
	[[ $stderr == "assay platform show: $tmp/bad.yaml: line "*"unknown key 'archh' in a platform profile (at byte 0x"* ]]
}

@test "nothing in a profile steers the terminal" {
	sed 's/^description: .*/description: "a\\e[2Jb\\u009bc"/; /^  Google\|^  far\|^  registers/d' "$golden/gcp.yaml" > "$tmp/evil.yaml"
	run -0 "$assay" platform show "$tmp/evil.yaml"
	[[ $output == *"a?[2Jb?c"* ]]
	run ! env LC_ALL=C grep -q $'\e' <<< "$output"
}

@test "learn: the usual log" {
	app
	log 0:version:v1 7:separator:hex:00000000 "$calling" '{separators}' 5:gpt:table "4:application:$digest" \
		'4:application:the kernel' '11:0xd:.linux'
	SOURCE_DATE_EPOCH=86400 learn 0
	"$assay" platform show --json "$tmp/out.yaml" > "$tmp/json"
	[ "$(json '[e.get("slot", e.get("pcr")) for e in p["events"]]' "$tmp/json")" = \
		"[0, 7, 4, 0, 1, 2, 3, 4, 5, 6, 'gpt', 'boot', 'exit']" ]
	[ "$(json 'p["origin"]["date"], p["origin"]["kind"], p["name"]' "$tmp/json")" = "1970-01-02 learned out" ]
	[ "$(json 'p["origin"]["log"]["sha256"]' "$tmp/json")" = "$(sha256sum < "$tmp/log" | cut -d' ' -f1)" ]
	[ "$(json 'p["origin"]["probe"]["sha256"]' "$tmp/json")" = "${digest#*,}" ]
	[ "$(json 'p["events"][0]["accept"][0]["digests"]["sha256"]' "$tmp/json")" = "$(printf v1 | sha256sum | cut -d' ' -f1)" ]
}

@test "learn: twice the same input, twice the same bytes" {
	app
	log 0:version:v1 "$calling" '{separators}' 5:gpt:table "4:application:$digest"
	SOURCE_DATE_EPOCH=0 "$assay" platform learn --log "$tmp/log" --probe "$tmp/app.efi" --name a -o "$tmp/one.yaml"
	SOURCE_DATE_EPOCH=0 "$assay" platform learn --log "$tmp/log" --probe "$tmp/app.efi" --name a > "$tmp/two.yaml"
	cmp "$tmp/one.yaml" "$tmp/two.yaml"
}

@test "learn: options tried in vain are counted" {
	app
	log "$calling" '{separators}' "$returning" "$calling" "$returning" "$calling" 5:gpt:table "4:application:$digest"
	learn 0
	grep -qx '  - {slot: boot, tries: 2}' "$tmp/out.yaml"
}

@test "learn: refuses what it cannot tell apart, and writes nothing" {
	app
	log "$calling" '{separators}' '4:application:something else'
	learn 1
	[[ $output == *"no event in PCR 4 has the boot application's digest"* ]]
	log "$calling" "4:application:$digest" "4:application:$digest"
	learn 1
	[[ $output == *"measured twice"*"(at byte 0x"* ]]
	log "$calling" "4:application:$digest" '2:driver:late'
	learn 1
	[[ $output == *"an event in PCR 2 (EV_EFI_BOOT_SERVICES_DRIVER) after the boot application"* ]]
	head -c 100 "$tmp/log" > "$tmp/short" && mv "$tmp/short" "$tmp/log"
	learn 1
	echo "no report in here" > "$tmp/log"
	learn 1
}

@test "learn: a disk's boot application, from its ESP" {
	app
	need sfdisk mformat mcopy
	image/probe/disk.sh "$tmp/app.efi" BOOTX64.EFI "$tmp/disk.img"
	log "$calling" '{separators}' 5:gpt:table "4:application:$digest"
	"$assay" platform learn --log "$tmp/log" --disk "$tmp/disk.img" -o "$tmp/out.yaml"
	grep -q 'slot: boot' "$tmp/out.yaml"
	run -1 "$assay" platform learn --log "$tmp/log" --disk "$tmp/disk.img" --boot /EFI/other.efi -o "$tmp/no.yaml"
	[ ! -e "$tmp/no.yaml" ]
}

@test "usage mistakes: exit 2" {
	run -2 "$assay" platform
	run -2 "$assay" platform show
	run -2 "$assay" platform show a b
	run -2 "$assay" platform learn --log a
	run -2 "$assay" platform learn --log a --probe b --disk c
	run -2 "$assay" platform learn --log a --probe b --boot c
	run -2 "$assay" platform probe
	run -2 "$assay" platform probe --qemu x --tpm none
	run -2 "$assay" platform probe --qemu x --timeout 0
	run -2 "$assay" platform probe --qemu x --banks md5
	run -0 "$assay" platform probe --help
}

# --- what QEMU is started with ----------------------------------------------------------------------

# A QEMU that says how it was called, writes to its variable store, and does what $1 says then.
fake_qemu() {
	need swtpm swtpm_setup
	[ -e build/probe/probe-x64.img ] || skip "no probe (make probe)"
	mkdir -p "$tmp/run"
	cat > "$tmp/fake" <<-SCRIPT
	#!/bin/bash
	if [ "\$1" = --version ]; then echo "FAKE 1.0"; exit; fi
	printf '%s\n' "\$@" > "$tmp/words"
	for word; do
		case \$word in if=pflash*) for f in \${word//,/ }; do case \$f in file=*/copy-*) echo written >> "\${f#file=}";; esac; done;; esac
	done
	$1
	SCRIPT
	chmod +x "$tmp/fake"
	head -c 4096 /dev/zero > "$tmp/code.fd"
	head -c 4096 /dev/zero > "$tmp/vars.fd"
	export TMPDIR=$tmp/run
}

probe() {
	run "-$1" "$assay" platform probe --qemu "$2" --timeout "${3:-20}" -o "$tmp/out.yaml"
	[ ! -e "$tmp/out.yaml" ]
	# Nothing stays behind
	[ -z "$(ls "$tmp/run")" ]
}

@test "probe: words, placeholders and what is added" {
	fake_qemu 'exit 7'
	probe 1 "$tmp/fake -m 1 -name 'two words' -drive if=pflash,readonly=on,file=$tmp/code.fd -drive file=$tmp/vars.fd,if=pflash -serial stdio"
	[[ $output == *"fake ended with 7: it said nothing"* ]]
	sed "s|$tmp/run/assay-probe\.[^/]*|RUN|g" "$tmp/words" > "$tmp/seen"
	diff "$tmp/seen" - <<-WORDS
	-m
	1
	-name
	two words
	-drive
	if=pflash,readonly=on,file=$tmp/code.fd
	-drive
	file=RUN/copy-1,if=pflash
	-serial
	file:RUN/serial
	-chardev
	socket,id=assay-swtpm,path=RUN/tpm.sock
	-tpmdev
	emulator,id=assay-tpm,chardev=assay-swtpm
	-device
	tpm-crb,tpmdev=assay-tpm
	-drive
	if=none,id=assay-disk,format=raw,file=RUN/disk.img
	-device
	virtio-blk-pci,drive=assay-disk,bootindex=1
	-display
	none
	-monitor
	none
	-no-reboot
	WORDS
	# The variable store is as it was; the copy was written to.
	head -c 4096 /dev/zero | cmp - "$tmp/vars.fd"
}

@test "probe: a command that has everything is left as it is" {
	fake_qemu 'exit 7'
	probe 1 "$tmp/fake -chardev file,id=s,path={serial} -serial chardev:s -chardev socket,id=c,path={tpm} -tpmdev emulator,id=t,chardev=c -device tpm-tis,tpmdev=t -drive file={disk},format=raw,if=virtio -display none -monitor none -no-reboot -drive if=none,file={copy:$tmp/vars.fd}"
	sed "s|$tmp/run/assay-probe\.[^/]*|RUN|g" "$tmp/words" | tr '\n' ' ' > "$tmp/seen"
	[ "$(cat "$tmp/seen")" = "-chardev file,id=s,path=RUN/serial -serial chardev:s -chardev socket,id=c,path=RUN/tpm.sock -tpmdev emulator,id=t,chardev=c -device tpm-tis,tpmdev=t -drive file=RUN/disk.img,format=raw,if=virtio -display none -monitor none -no-reboot -drive if=none,file=RUN/copy-1 " ]
}

@test "probe: commands that cannot work are refused by name" {
	fake_qemu 'exit 7'
	probe 1 "$tmp/fake 'open"
	[[ $output == *"a quote is not closed"* ]]
	probe 1 "$tmp/fake -serial none"
	[[ $output == *"-serial none"* ]]
	probe 1 "$tmp/fake -tpmdev emulator,id=t,chardev=c"
	[[ $output == *"no chardev with path={tpm}"* ]]
	probe 1 "$tmp/fake -daemonize"
	[[ $output == *"-daemonize"* ]]
	probe 1 "$tmp/fake -drive if=pflash,file=$tmp/absent.fd"
	[[ $output == *"$tmp/absent.fd"* ]]
	probe 1 "$tmp/no-such-program"
	[[ $output == *"cannot start $tmp/no-such-program"* ]]
	probe 1 " "
	[[ $output == *"it is empty"* ]]
	[ ! -e "$tmp/words" ]
}

@test "probe: QEMU's last words, and the serial line's" {
	fake_qemu 'echo "first"; echo "qemu: no such machine" >&2; exit 1'
	probe 1 "$tmp/fake -serial stdio"
	[[ $output == *"ended with 1: qemu: no such machine"* ]]
	# shellcheck disable=SC2016 # for the script
	fake_qemu 'while [ $# -gt 0 ]; do [ "$1" = -serial ] && printf "BdsDxe: failed to load: Access Denied\r\n" > "${2#file:}"; shift; done'
	probe 1 "$tmp/fake -serial stdio"
	[[ $output == *"Access Denied"* ]]
}

@test "probe: the time is over, and QEMU with it" {
	fake_qemu "echo \$\$ > $tmp/pid; echo hello > /dev/null; exec sleep 300"
	run -1 "$assay" platform probe --qemu "$tmp/fake -serial stdio" --timeout 2 -o "$tmp/out.yaml"
	[ -z "$(ls "$tmp/run")" ]
	run ! kill -0 "$(cat "$tmp/pid")"
}

@test "probe: a signal ends QEMU and swtpm and cleans up" {
	fake_qemu "echo \$\$ > $tmp/pid; exec sleep 300"
	"$assay" platform probe --qemu "$tmp/fake -serial stdio" -o "$tmp/out.yaml" 3>&- &
	local pid=$! i rc=0
	for ((i = 0; i < 200; i++)); do
		[ ! -s "$tmp/pid" ] || break
		sleep 0.1
	done
	[ -s "$tmp/pid" ]
	kill -TERM "$pid"
	wait "$pid" || rc=$?
	[ "$rc" -eq 143 ]
	[ -z "$(ls "$tmp/run")" ]
	run ! kill -0 "$(cat "$tmp/pid")"
	[ ! -e "$tmp/out.yaml" ]
}

# --- the manual -------------------------------------------------------------------------------------

@test "the manual pages: no complaints, and their examples run" {
	need mandoc pesign python3
	run -0 mandoc -Tlint -Wwarning man/assay-platform.1 man/assay-platform.5
	[ -z "$output" ]
	app
	log "$calling" '{separators}' 5:gpt:table "4:application:$digest"
	cp "$tmp/log" "$tmp/console.txt"
	cp "$tmp/app.efi" "$tmp/probe-x64.efi"
	cd "$tmp"
	local n=0 line
	while read -r line; do
		[[ $line != *"platform probe"* ]] || continue # tests/boot/platform.bats
		PATH=${assay%/*}:$PATH bash -c "$line" > /dev/null
		n=$((n + 1))
	done < <(sed -n 's/^\.Dl \$ //p' "$top/man/assay-platform.1")
	[ "$n" -eq 2 ]
	grep -q 'rack 4, firmware 1.2' rack4.yaml
	sed -n '/^\.Bd -literal/,/^\.Ed/p' "$top/man/assay-platform.5" | sed '1d;$d' > example.yaml
	"$assay" platform show example.yaml > /dev/null
}
