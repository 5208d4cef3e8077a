#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The probe on real machines: what it reports, what it leaves on its disk, and what it leaves alone.
# The PCRs are compared with swtpm's own (read after the guest stopped) and with what tpm2_eventlog
# makes of the log.

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.."
	export top=$PWD
	local tool
	export missing=''
	for tool in qemu-system-x86_64 swtpm swtpm_setup swtpm_ioctl tpm2_pcrread tpm2_eventlog mcopy sfdisk \
		python3 clang lld-link; do
		command -v $tool > /dev/null || missing+=" $tool"
	done
	[ -n "$missing" ] || make -s probe > /dev/null
}

setup() {
	cd "$top"
	[ -z "$missing" ] || skip "missing:$missing"
	vm=$BATS_TEST_TMPDIR/vm
	disk=$BATS_TEST_TMPDIR/disk.img
	report="python3 tests/boot/probe_report.py"
	cp --sparse=always build/probe/probe-x64.img "$disk"
}

# 12 | 13: the OVMF of that Debian, installed on such a machine, else fetched. Skips without one.
firmware() {
	local suite=bookworm
	[ "$1" = 12 ] || suite=trixie
	code=${ASSAY_BOOT_DEBS:-build/debs}/$suite/usr/share/OVMF/OVMF_CODE_4M.fd
	[ -e "$code" ] || ! grep -qs "^VERSION_ID=\"$1\"" /etc/os-release || code=/usr/share/OVMF/OVMF_CODE_4M.fd
	[ -e "$code" ] || scripts/fetch-deb.sh "$suite" "${code%/usr/share/OVMF/*}" ovmf > /dev/null ||
		skip "the OVMF of Debian $1 cannot be fetched"
}

boot() {
	run scripts/vm.sh run "$vm" --disk "$disk" --timeout 120 "$@"
	echo "$output"
	[ "$status" -eq 0 ]
}

# tpm2_eventlog's replay as BANK INDEX HEX
replay() {
	tpm2_eventlog "$1" | awk '
	/^pcrs:/ { on = 1; next }
	on && /^  [a-z0-9]+:$/ { bank = $1; sub(":", "", bank); next }
	on && / : 0x/ { sub("0x", "", $3); print bank, $1, $3 }'
}

# The whole check of one machine: report, files, replay, and the TPM itself.
check_machine() {
	boot --disk-mode rw "$@"
	$report "$vm/serial.log" log > "$vm/serial.eventlog"
	$report "$vm/serial.log" pcrs > "$vm/serial.pcrs"
	mcopy -i "$disk@@1M" ::/EFI/BOOT/ASSAY.LOG "$vm/esp.log"
	mcopy -i "$disk@@1M" ::/EFI/BOOT/ASSAY.TXT "$vm/esp.txt"
	cmp "$vm/serial.eventlog" "$vm/esp.log"
	# ASSAY.TXT is what went down the line, line by line
	grep -o '@assay .*' "$vm/serial.log" | cmp - "$vm/esp.txt"
	# the probe's PCRs, and the TPM's after it: it extended nothing, and it lied about nothing
	diff "$vm/pcrs" "$vm/serial.pcrs"
	replay "$vm/esp.log" > "$vm/replay"
	[ "$(wc -l < "$vm/replay")" -ge 24 ] # 0-7 in three banks
	while read -r line; do
		grep -qx "$line" "$vm/pcrs" || {
			echo "the log replays to $line; the TPM has $(grep "^${line% *} " "$vm/pcrs")"
			return 1
		}
	done < "$vm/replay"
}

@test "Debian 12's OVMF, TPM CRB" {
	firmware 12
	check_machine --code "$code"
	run $report "$vm/serial.log" facts
	[[ $output == *"source tcg2"* && $output == *"secure-boot 00"* && $output == *"active-banks 00000007"* ]]
}

@test "Debian 12's OVMF, TPM TIS, NVMe, a NIC with option ROM, 2 CPUs" {
	firmware 12
	check_machine --code "$code" --tpm tis --disk-bus nvme --net virtio --smp 2 --memory 2048
}

@test "Debian 12's OVMF, one bank, machine pc" {
	firmware 12
	boot --code "$code" --machine pc --tpm tis --banks sha256
	$report "$vm/serial.log" pcrs | diff - "$vm/pcrs"
	run $report "$vm/serial.log" facts
	[[ $output == *"active-banks 00000002"* ]]
}

@test "Debian 13's OVMF, TPM CRB" {
	firmware 13
	check_machine --code "$code"
}

@test "Debian 13's OVMF that enforces no-execute" {
	firmware 13
	code=${code%.fd}.secboot.strictnx.fd
	[ -e "$code" ] || skip "no strictnx build of OVMF"
	check_machine --code "$code" --vars "${code%_CODE*}_VARS_4M.fd" --secure
}

@test "a second boot finds the first one's files, and writes the same log" {
	firmware 12
	# A longer file of that name must not leave its tail behind
	head -c 100000 /dev/zero > "$BATS_TEST_TMPDIR/ASSAY.LOG"
	mcopy -i "$disk@@1M" "$BATS_TEST_TMPDIR/ASSAY.LOG" ::/EFI/BOOT/ASSAY.LOG
	check_machine --code "$code"
}

@test "a disk that cannot be written: the serial line has it all" {
	firmware 12
	boot --code "$code" --disk-mode ro
	$report "$vm/serial.log" pcrs | diff - "$vm/pcrs"
	grep -q "assay probe: no file written, status 0x8" "$vm/serial.log"
	cmp "$disk" build/probe/probe-x64.img
}

@test "no TPM: it says so and powers off" {
	firmware 12
	boot --code "$code" --tpm none
	grep -q "assay probe: NO EVENT LOG: no TCG2 protocol" "$vm/serial.log"
	run $report "$vm/serial.log" facts
	[[ $output == *"source none"* && $output == *"end none"* ]]
}

@test "no serial port: the file has it" {
	firmware 12
	boot --code "$code" --disk-mode rw --serial none
	[ ! -e "$vm/serial.log" ]
	mcopy -i "$disk@@1M" ::/EFI/BOOT/ASSAY.TXT "$vm/esp.txt"
	$report "$vm/esp.txt" pcrs | diff - "$vm/pcrs"
}

@test "two builds give the same bytes" {
	local before
	before=$(sha256sum build/probe/probe-*.{efi,img})
	sleep 2 # FAT counts time by two seconds
	touch image/probe/probe.c
	make -s probe > /dev/null
	[ "$before" = "$(sha256sum build/probe/probe-*.{efi,img})" ]
}
