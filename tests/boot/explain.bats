#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Machines that were made to differ from a manifest in one thing each, and booted: the first line of assay explain names
# that thing, and all else that differs is said to follow from it. Registers are the guest's, and lead from the log.
#
# shellcheck disable=SC2154,SC2034 # what lib.bash sets and reads

bats_require_minimum_version 1.5.0

setup_file() {
	load lib
	load oracle
	load check
	check_setup
	[ -z "${boot_missing-}" ] || return 0
	explain_base
}

setup() {
	load lib
	load oracle
	load check
	[ -z "${boot_missing-}" ] || skip "$boot_missing is missing"
	base=$boot_dir/explain/base
	dir=$boot_dir/explain/$BATS_TEST_NUMBER
	rm -rf "$dir"
	mkdir -p "$dir"
	explain_row && boot_row_machine
}

explain_row() { boot_row kernel=6.1 "$@"; }

# The disk and machine that all others are held against: a UKI, no NIC, one CPU.
explain_base() {
	local base=$boot_dir/explain/base
	explain_row
	rm -rf "$boot_dir/explain"
	mkdir -p "$base"
	boot_row_machine && boot_row_parts "$base" && boot_row_disk "$base" && boot_row_profile "$base" && explain_manifest "$base"
}

# explain_manifest DIR [PROFILE]: DIR/manifest.json of DIR/disk.img.
explain_manifest() {
	"$assay" manifest create "$1/disk.img" --platform "${2:-$1/profile.yaml}" --name explained --release 1 \
		--bank sha1,sha256,sha384 --not-before 2026-11-22 -o "$1/manifest.json"
}

# The parts of the base, to be changed.
explain_parts() { cp "$base"/{linux,initrd,cmdline,osrel,uname} "$dir"; }

# explain_boot [DISK] : boots it on boot_machine's machine.
explain_boot() { boot_capture "$dir" "${1:-$dir/disk.img}"; }

# first_is PCR WORDS [MANIFEST-DIR]: the first line is about this PCR and has these words (a pattern); each other cause
# follows from it.
first_is() {
	local causes
	run -3 "$assay" explain "${3:-$base}/manifest.json" --log "$dir/log.bin" --pcrs "$dir/pcrs.txt"
	printf '%s\n' "$output" > "$dir/explained"
	causes=$(sed '/^$/,$d' <<< "$output")
	echo "$causes"
	# shellcheck disable=SC2053 # a pattern
	[[ ${lines[0]} == "PCR $1, event "*": "$2 ]] || boot_die "expected PCR $1: $2" || return 1
	run ! grep -v '^  from that: ' <<< "${causes#*$'\n'}"
	# Registers and log agree, so that the log tells of each register.
	run -3 "$assay" explain "${3:-$base}/manifest.json" --log "$dir/log.bin" --pcrs "$dir/pcrs.txt" --json
	[ "$(jq '[.pcrs[] | select(.log_disagrees)] | length' <<< "$output")" -eq 0 ]
	# Nothing that differs is left without a cause.
	[ "$(jq '[.pcrs[].events[] | select((.verdict != "same") != has("cause"))] | length' <<< "$output")" -eq 0 ]
}

# --- the machine ----------------------------------------------------------------------------------

@test "the machine as it was: nothing differs" {
	explain_boot "$base/disk.img"
	run -0 "$assay" explain "$base/manifest.json" --log "$dir/log.bin" --pcrs "$dir/pcrs.txt"
	[ "${lines[0]}" = "no PCR differs: registers and log are as predicted" ]
}

@test "more memory" {
	boot_vm+=(--memory 2048)
	explain_boot "$base/disk.img"
	first_is 1 "the machine's configuration differs, *: more memory than the profile's machine (-m 1024), *"
}

@test "one more CPU" {
	boot_vm+=(--smp 2)
	explain_boot "$base/disk.img"
	first_is 1 "the machine's configuration differs, *: another number of CPUs, or *-smp 1*"
}

@test "a boot option that fails first" {
	truncate -s 1M "$dir/empty.img"
	# shellcheck disable=SC2054 # the commas are QEMU's
	boot_extra=(-- -drive "if=none,id=empty,format=raw,readonly=on,file=$dir/empty.img"
		-device "virtio-blk-pci,drive=empty,bootindex=0")
	explain_boot "$base/disk.img"
	first_is 1 'the firmware has one boot option more: Boot0001 *; it was tried in vain before the image*(PCR 4)*'
}

@test "a network card with an option ROM" {
	explain_row nic=virtio && boot_row_machine
	explain_boot "$base/disk.img"
	first_is 2 'one option ROM more than predicted: driver PciRoot(0x0)/Pci(*, a network card for instance, *'
}

@test "another firmware" {
	explain_row fw=12 && boot_row_machine
	explain_boot "$base/disk.img"
	first_is 0 'another firmware: firmware version "", expected firmware version "2025.02*made for OVMF_CODE_4M.fd, sha256 *'
}

# --- the disk -------------------------------------------------------------------------------------

@test "another kernel" {
	explain_parts
	cp "$(boot_kernel 6.12)" "$dir/linux"
	boot_row_disk "$dir"
	explain_boot
	first_is 4 'the machine loaded \\EFI\\BOOT\\BOOTX64.EFI with digest *: another UKI; its kernel (.linux) differs; .osrel, .cmdline, .initrd, .uname and .sbat are the same'
}

@test "another initrd" {
	explain_parts
	boot_initrd "$dir/initrd" 13 6.1 'one file more'
	boot_row_disk "$dir"
	explain_boot
	first_is 4 '*: another UKI; its initrd (.initrd) differs; .linux, .osrel, .cmdline, .uname and .sbat are the same'
}

@test "another command line" {
	explain_parts
	printf ' audit=0' >> "$dir/cmdline"
	boot_row_disk "$dir"
	explain_boot
	first_is 4 '*: another UKI; its command line (.cmdline) differs; .linux, .osrel, .initrd, .uname and .sbat are the same'
}

@test "another os-release" {
	explain_parts
	echo 'BUILD_ID=2' >> "$dir/osrel"
	boot_row_disk "$dir"
	explain_boot
	first_is 4 '*: another UKI; its os-release (.osrel) differs; .linux, .cmdline, .initrd, .uname and .sbat are the same'
	grep -q '^  from that: PCR 9, event 2: the kernel was handed another initrd: ' "$dir/explained"
}

@test "a section more" {
	explain_parts
	row[sections]=.splash
	boot_row_small "$dir"
	boot_row_disk "$dir"
	explain_boot
	first_is 4 '*: another UKI; it measures a boot picture (.splash) more; *'
}

@test "another partition table" {
	cp --sparse=always "$base/disk.img" "$dir/disk.img"
	sfdisk --quiet --part-label "$dir/disk.img" 2 data
	explain_boot
	first_is 5 'another partition table: partition 2 (5f3a6e1c-35d5-4b9c-9a44-2f7f3e2b1c02) is named "data", expected "root"'
}

@test "credentials beside the UKI" {
	cp --sparse=always "$base/disk.img" "$dir/disk.img"
	printf 'a secret' > "$dir/a.cred"
	mmd -i "$dir/disk.img@@$boot_esp_offset" ::/EFI/BOOT/BOOTX64.EFI.extra.d
	mcopy -i "$dir/disk.img@@$boot_esp_offset" "$dir/a.cred" ::/EFI/BOOT/BOOTX64.EFI.extra.d/
	explain_boot
	first_is 12 'the machine was handed credentials (\*.cred beside the UKI) that the prediction does not have'
}

@test "an addon beside the UKI" {
	cp --sparse=always "$base/disk.img" "$dir/disk.img"
	boot_ukify build --stub="$(dirname "$(boot_stub 257)")/addonx64.efi.stub" --cmdline=audit=0 --output="$dir/a.addon.efi" \
		> "$dir/ukify" 2>&1 || boot_die "$(cat "$dir/ukify")"
	mmd -i "$dir/disk.img@@$boot_esp_offset" ::/EFI/BOOT/BOOTX64.EFI.extra.d
	mcopy -i "$dir/disk.img@@$boot_esp_offset" "$dir/a.addon.efi" ::/EFI/BOOT/BOOTX64.EFI.extra.d/
	explain_boot
	first_is 4 '*a.addon.efi*: an addon beside the UKI, *'
}

# --- systemd-boot ---------------------------------------------------------------------------------

@test "another loader.conf" {
	local one=$boot_dir/explain/loader
	explain_row chain=sdboot-uki
	mkdir -p "$one"
	cp "$base"/{linux,initrd,cmdline,osrel,uname} "$one"
	boot_row_disk "$one"
	explain_manifest "$one" "$base/profile.yaml"
	cp --sparse=always "$one/disk.img" "$dir/disk.img"
	printf '# loader.conf: 1\ntimeout 0\n' > "$dir/loader.conf"
	mcopy -o -i "$dir/disk.img@@$boot_esp_offset" "$dir/loader.conf" ::/loader/loader.conf
	explain_boot
	first_is 5 'another \\loader\\loader.conf: digest *' "$one"
}

@test "other options in a boot loader's entry" {
	local one=$boot_dir/explain/entry
	explain_row chain=sdboot-entry
	mkdir -p "$one"
	cp "$base"/{linux,initrd,cmdline,osrel,uname} "$one"
	boot_row_disk "$one"
	explain_manifest "$one" "$base/profile.yaml"
	explain_parts
	printf ' audit=0' >> "$dir/cmdline"
	boot_row_disk "$dir"
	explain_boot
	first_is 12 'another command line: "initrd=*panic=-1 audit=0", expected "initrd=*panic=-1"; they part at *' "$one"
}

# --- Secure Boot ----------------------------------------------------------------------------------

# One build of the firmware, whose variable store has no keys, ours, or ours but for a certificate of db. The profiles are
# learned from the first two boots.
explain_secure() { # none|own|other
	local suite store
	suite=$(boot_suite 13)
	explain_row sb=on && boot_row_machine # makes the keys and their store
	case $1 in
	none)
		store=$boot_debs/$suite/usr/share/OVMF/OVMF_VARS_4M.fd
		boot_vm+=(--vars "$store")
		;;
	other)
		store=$boot_dir/explain/other.fd
		[ -e "$store" ] || explain_store "$store"
		explain_row sb=on && boot_row_machine
		boot_vm+=(--vars "$store")
		;;
	esac
	signed=$boot_dir/explain/signed
	[ -e "$signed/disk.img" ] && return
	mkdir -p "$signed"
	cp "$base"/{linux,initrd,cmdline,osrel,uname} "$signed"
	boot_row_disk "$signed"
}

explain_store() { # OUT
	local work=$boot_dir/explain/store owner=6d4bcb5e-5a38-4ea5-a3ad-1f54e6f3a2c1
	mkdir -p "$work"
	(cd "$boot_keys" && sign-efi-sig-list -t '2024-01-01 00:00:00' -g $owner -k KEK.key -c KEK.crt db db.esl "$work/db.auth") \
		> /dev/null || return 1
	printf 'timeout 0\nsecure-boot-enroll force\n' > "$work/loader.conf"
	boot_disk "$work/enrol.img" "$(boot_loader 257)=/EFI/BOOT/BOOTX64.EFI" "$work/loader.conf=/loader/loader.conf" \
		"$boot_keys/PK.auth=/loader/keys/auto/PK.auth" "$boot_keys/KEK.auth=/loader/keys/auto/KEK.auth" \
		"$work/db.auth=/loader/keys/auto/db.auth" || return 1
	boot_vm+=(--vars "$boot_debs/trixie/usr/share/OVMF/OVMF_VARS_4M.fd")
	boot_run "$work/boot" --disk "$work/enrol.img" --timeout 120 || : # systemd-boot resets the machine, and vm.sh ends there
	[ "$(cat "$work/boot/end" 2> /dev/null)" = guest-reset ] || boot_die "no keys were enrolled: $(cat "$work/boot.vm")" || return 1
	mv "$work/boot/vars.fd" "$1"
}

explain_learn() { # NAME
	mkdir -p "$boot_dir/explain/$1"
	cp --sparse=always "$signed/disk.img" "$boot_dir/explain/$1"
	"$assay" platform learn --log "$dir/log.bin" --probe "$signed/uki.efi" -o "$boot_dir/explain/$1/profile.yaml"
	explain_manifest "$boot_dir/explain/$1"
}

@test "Secure Boot on, where the profile has it off" {
	explain_secure none
	explain_boot "$signed/disk.img"
	explain_learn sb-off
	explain_secure own
	explain_boot "$signed/disk.img"
	explain_learn sb-on
	first_is 7 'Secure Boot is on, the profile * is of a machine where it is off' "$boot_dir/explain/sb-off"
	grep -q '^  from that: PCR 4, event 4: the machine did not load ' "$dir/explained"
}

@test "another db" {
	explain_secure other
	[ -e "$boot_dir/explain/sb-on/manifest.json" ] || {
		explain_secure own
		explain_boot "$signed/disk.img"
		explain_learn sb-on
		explain_secure other
	}
	explain_boot "$signed/disk.img"
	first_is 7 'db (image security) has another content: 1 X.509 certificate: "assay boot test db" *; expected 2 X.509 certificates: *"assay boot test db2"*' \
		"$boot_dir/explain/sb-on"
}
