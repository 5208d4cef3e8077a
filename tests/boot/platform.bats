#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# assay platform probe on machines that boot: the committed profiles, Secure Boot, the report on the
# console; and PCR 4 by the formula of before, with pesign and sha256sum.

setup_file() {
	bats_require_minimum_version 1.5.0
	cd "$BATS_TEST_DIRNAME/../.." || exit
	export top=$PWD
	export debs=${ASSAY_BOOT_DEBS:-$PWD/build/debs}
	local tool
	export missing=''
	for tool in qemu-system-x86_64 swtpm swtpm_setup mcopy sfdisk python3; do
		command -v $tool > /dev/null || missing+=" $tool"
	done
	[ -n "$missing" ] || make -s probe > /dev/null
}

setup() {
	cd "$top" || exit
	[ -z "$missing" ] || skip "missing:$missing"
	assay=$PWD/build/assay
	tmp=$BATS_TEST_TMPDIR
}

need() {
	local tool
	for tool; do
		command -v "$tool" > /dev/null || skip "$tool is not installed"
	done
}

# packages SUITE FILE PACKAGE...: fetched, unless FILE is there; skips without.
packages() {
	[ -e "$debs/$1/$2" ] || scripts/fetch-deb.sh "$1" "$debs/$1" "${@:3}" > /dev/null ||
		skip "packages of $1 cannot be fetched: ${*:3}"
}

ovmf() {
	packages "$1" usr/share/OVMF/OVMF_CODE_4M.fd ovmf
	echo "-drive if=pflash,unit=0,format=raw,readonly=on,file=$debs/$1/usr/share/OVMF/$2 -drive if=pflash,unit=1,format=raw,file=$debs/$1/usr/share/OVMF/$3"
}

# What a profile says, without where it comes from.
events_of() {
	sed -n '/^events:/,$p' "$1"
}

@test "the committed profiles of the reference machine: made again, they say the same" {
	local file again version
	packages bookworm usr/share/OVMF/OVMF_CODE_4M.fd ovmf
	packages trixie usr/share/OVMF/OVMF_CODE_4M.fd ovmf
	version="    version: $(qemu-system-x86_64 --version | head -n 1)"
	for file in golden/platforms/q35-ovmf-*.yaml; do
		grep -qxF "$version" "$file" || skip "$file was made with another QEMU"
	done
	scripts/make-platforms.sh "$tmp/again"
	for file in golden/platforms/q35-ovmf-*.yaml; do
		again=$tmp/again/${file##*/}
		[ -e "$again" ] || skip "Debian's OVMF has changed: ${file##*/} was not made again"
		diff <(events_of "$file") <(events_of "$again")
	done
}

@test "the manual page's probe, and the machine's profile as a table" {
	local line
	[ -e /usr/share/OVMF/OVMF_CODE_4M.fd ] || skip "no /usr/share/OVMF/OVMF_CODE_4M.fd"
	line=$(sed -n 's/^\.Dl \$ \(assay platform probe\)/\1/p' man/assay-platform.1)
	cd "$tmp"
	PATH=${assay%/*}:$PATH bash -c "$line"
	run -0 "$assay" platform show q35.yaml
	[[ $output == *"Secure Boot  off"* && $output == *"(slot)"*"boot application"* ]]
}

@test "learn: from a console with the probe's report, from ASSAY.TXT and from ASSAY.LOG" {
	cp --sparse=always build/probe/probe-x64.img "$tmp/disk.img"
	packages bookworm usr/share/OVMF/OVMF_CODE_4M.fd ovmf
	scripts/vm.sh run "$tmp/vm" --disk "$tmp/disk.img" --disk-mode rw --code "$debs/bookworm/usr/share/OVMF/OVMF_CODE_4M.fd"
	mcopy -i "$tmp/disk.img@@1M" ::/EFI/BOOT/ASSAY.LOG ::/EFI/BOOT/ASSAY.TXT "$tmp"
	for log in "$tmp/vm/serial.log" "$tmp/ASSAY.LOG" "$tmp/ASSAY.TXT"; do
		"$assay" platform learn --log "$log" --probe build/probe/probe-x64.efi --name x -o "$log.yaml"
		events_of "$log.yaml" > "$log.events"
		cmp "$log.events" "$tmp/vm/serial.log.events"
	done
	# A report whose PCRs are not those of its log is not believed.
	python3 - "$tmp/ASSAY.TXT" "$tmp/forged.txt" <<-'PY'
	import base64, re, sys, zlib
	def forge(m):
	    piece = bytearray(base64.b64decode(m[2]))
	    piece[0] ^= 1
	    body = m[1] + base64.b64encode(piece)
	    return body + b" %08x" % zlib.crc32(body)
	text, n = re.subn(rb"(@assay pcrs-sha256\+0+ )(\S+) [0-9a-f]{8}", forge, open(sys.argv[1], "rb").read())
	assert n == 1, n
	open(sys.argv[2], "wb").write(text)
	PY
	run -1 "$assay" platform learn --log "$tmp/forged.txt" --probe build/probe/probe-x64.efi -o "$tmp/forged.yaml"
	[[ $output == *"the log does not lead to the TPM's sha256 PCR 0"* ]]
	[ ! -e "$tmp/forged.yaml" ]
}

@test "Secure Boot on: a signed probe, whose key is left out; an unsigned one is refused" {
	local flash key cert
	need sbsign openssl
	flash=$(ovmf bookworm OVMF_CODE_4M.secboot.fd OVMF_VARS_4M.snakeoil.fd)
	key=$debs/bookworm/usr/share/ovmf/PkKek-1-snakeoil.key cert=${key%.key}.pem
	[ -e "$key" ] || skip "no snakeoil key in Debian's ovmf"
	openssl rsa -in "$key" -passin pass:snakeoil -out "$tmp/key.pem" 2> /dev/null
	sbsign --key "$tmp/key.pem" --cert "$cert" --output "$tmp/probe.efi" build/probe/probe-x64.efi 2> /dev/null
	flash="qemu-system-x86_64 -machine q35,smm=on -global driver=cfi.pflash01,property=secure,value=on -m 1024 -nodefaults $flash -serial stdio"
	"$assay" platform probe --qemu "$flash" --probe "$tmp/probe.efi" -o "$tmp/sb.yaml"
	grep -qx 'secure_boot: true' "$tmp/sb.yaml"
	# db with the key is there, the event by which it vouched for the probe is not.
	grep -q 'variable db (image security): 1 X.509' "$tmp/sb.yaml"
	run ! grep -q EV_EFI_VARIABLE_AUTHORITY "$tmp/sb.yaml"
	run -1 "$assay" platform probe --qemu "$flash" --timeout 60 -o "$tmp/no.yaml"
	echo "$output"
	[ ! -e "$tmp/no.yaml" ]
}

# --- PCR 4 by the formula of before -----------------------------------------------------------------

# As mithril-security/aicert's scripts/compute_expected_pcr4.py has it, with its tools: pesign for the
# digests of the UKI and of the kernel in it, sha256sum for the rest.
sha256_hex() {
	python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read()))' | sha256sum | cut -d' ' -f1
}

text_hash() {
	printf %s "$1" | sha256sum | cut -d' ' -f1
}

old_pcr4() { # VAIN UKI KERNEL
	local pcr d
	local digests=("$(text_hash "Calling EFI Application from Boot Option")" "$(printf 00000000 | sha256_hex)")
	[ "$1" = 0 ] || digests+=("$(text_hash "Returning from EFI Application from Boot Option")"
		"$(text_hash "Calling EFI Application from Boot Option")")
	digests+=("$(pesign -h -d sha256 -i "$2" | awk '{ print $1 == "hash:" ? $2 : $1 }')"
		"$(pesign -h -d sha256 -i "$3" | awk '{ print $1 == "hash:" ? $2 : $1 }')")
	pcr=$(printf '0%.0s' {1..64})
	for d in "${digests[@]}"; do
		pcr=$(printf %s "$pcr$d" | sha256_hex)
	done
	echo "$pcr"
}

# make_uki STUB KERNEL OUT
make_uki() {
	printf 'ID=test\n' > "$tmp/osrel"
	printf 'console=ttyS0' > "$tmp/cmdline"
	head -c 5000 /dev/zero > "$tmp/initrd"
	local end at args=() name
	end=$(objdump -h "$1" | awk '$1 ~ /^[0-9]+$/ { print $4, $3 }' |
		python3 -c 'import sys; print(max(int(a, 16) + int(n, 16) for a, n in map(str.split, sys.stdin)))')
	at=$(((end + 65535) / 65536 * 65536))
	cp "$2" "$tmp/linux"
	for name in osrel cmdline initrd linux; do
		args+=(--add-section ".$name=$tmp/$name" --change-section-vma ".$name=$at")
		at=$(((at + $(stat -c %s "$tmp/$name") + 65535) / 65536 * 65536))
	done
	objcopy "${args[@]}" "$1" "$3"
	# Of a file of odd length pesign 116 gives another digest than firmware.
	truncate -s %8 "$3"
}

predicted_pcr4() {
	"$assay" precompute "$tmp/disk.img" --platform "$1" --json |
		python3 -c 'import json,sys; print(json.load(sys.stdin)["banks"]["sha256"]["4"])'
}

@test "PCR 4 on Azure and QEMU is what the older formula gives, with pesign and sha256sum" {
	local suite stub kernel
	need pesign objcopy objdump mformat
	for suite in bookworm trixie; do
		packages "$suite" usr/lib/systemd/boot/efi/linuxx64.efi.stub systemd-boot-efi linux-image-cloud-amd64
		stub=$debs/$suite/usr/lib/systemd/boot/efi/linuxx64.efi.stub
		kernel=$(find "$debs/$suite/boot" -name 'vmlinuz-*-cloud-amd64' 2> /dev/null | sort | head -n 1)
		[ -n "$kernel" ] || skip "no kernel of $suite"
		make_uki "$stub" "$kernel" "$tmp/uki.efi"
		image/probe/disk.sh "$tmp/uki.efi" BOOTX64.EFI "$tmp/disk.img"
		[ "$(predicted_pcr4 golden/platforms/azure-trusted-launch.yaml)" = "$(old_pcr4 0 "$tmp/uki.efi" "$kernel")" ]
		# The QEMU of the formula tried one boot option in vain; the reference machine tries none.
		[ "$(predicted_pcr4 golden/platforms/q35-ovmf-2022.11.yaml)" = "$(old_pcr4 0 "$tmp/uki.efi" "$kernel")" ]
		sed 's/tries: 0/tries: 1/' golden/platforms/q35-ovmf-2022.11.yaml > "$tmp/vain.yaml"
		[ "$(predicted_pcr4 "$tmp/vain.yaml")" = "$(old_pcr4 1 "$tmp/uki.efi" "$kernel")" ]
	done
}
