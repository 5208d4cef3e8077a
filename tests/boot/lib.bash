# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Real boots: small disks made without root (sfdisk, mtools, objcopy, ukify), a machine for each
# row (QEMU, OVMF, swtpm), and what the guest reports of its own TPM. Sourced by the bats files and
# by hand; everything it makes lies under build/boot/.

set -o pipefail
PATH=$PATH:/usr/sbin:/sbin # sfdisk, mkfs.vfat

boot_top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
boot_dir=${ASSAY_BOOT_DIR:-$boot_top/build/boot}
boot_debs=${ASSAY_BOOT_DEBS:-$boot_top/build/debs}
# shellcheck disable=SC2034 # for those that source this file
boot_banks=(sha1 sha256 sha384)

# How often a boot is tried again when the guest died before it could report anything: a kernel
# panic under QEMU's TCG (two CPUs, Linux 6.12) is no measurement. Each repeat is counted aloud.
boot_tries=${ASSAY_BOOT_TRIES:-6}
boot_timeout=${ASSAY_BOOT_TIMEOUT:-240}

boot_say() { printf '# %s\n' "$*" >&2; }
boot_die() {
	printf '%s\n' "$*" >&2
	return 1
}

# --- what other people made ----------------------------------------------------------------------

# debian 12 | debian 13 -> suite
boot_suite() {
	case $1 in
	12) echo bookworm ;;
	13) echo trixie ;;
	*) boot_die "no Debian release $1" ;;
	esac
}

# Kernel, boot loader, stub, firmware, option ROM and busybox of both releases, unpacked once.
boot_debs_get() {
	local suite
	for suite in bookworm trixie; do
		local pkgs=(ovmf ipxe-qemu systemd-boot-efi linux-image-cloud-amd64 busybox-static)
		"$boot_top/scripts/fetch-deb.sh" "$suite" "$boot_debs/$suite" "${pkgs[@]}" || return 1
	done
}

boot_kernel() { # 6.1 | 6.12
	local f
	case $1 in
	6.1) f=("$boot_debs"/bookworm/boot/vmlinuz-6.1.*-cloud-amd64) ;;
	6.12) f=("$boot_debs"/trixie/boot/vmlinuz-6.12.*-cloud-amd64) ;;
	esac
	[ -f "${f[0]}" ] || boot_die "no kernel $1 in $boot_debs" || return 1
	printf '%s\n' "${f[0]}"
}

boot_stub_suite() { # 252 | 257
	case $1 in
	252) echo bookworm ;;
	257) echo trixie ;;
	*) boot_die "no systemd $1" ;;
	esac
}

boot_stub() { echo "$boot_debs/$(boot_stub_suite "$1")/usr/lib/systemd/boot/efi/linuxx64.efi.stub"; }
boot_loader() { echo "$boot_debs/$(boot_stub_suite "$1")/usr/lib/systemd/boot/efi/systemd-bootx64.efi"; }

boot_ukify() { "$boot_top/scripts/trixie-tool.sh" ukify "$@"; }

# --- the guest ------------------------------------------------------------------------------------

# The init reports before it does anything that could be measured (with Secure Boot on, IMA's
# architecture policy measures modules), then says which stages ran, and powers off.
boot_init() {
	cat <<'INIT'
#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sysfs /sys
$b mount -t securityfs securityfs /sys/kernel/security
$b mount -t devtmpfs dev /dev
t=/sys/class/tpm/tpm0
{
for bank in sha1 sha256 sha384; do
	i=0
	while [ $i -lt 24 ]; do
		v=missing
		read -r v < $t/pcr-$bank/$i
		echo "pcr $bank $i $v"
		i=$((i + 1))
	done
done
$b base64 /sys/kernel/security/tpm0/binary_bios_measurements | while read -r l; do echo "log $l"; done
$b base64 /sys/kernel/security/ima/binary_runtime_measurements | while read -r l; do echo "ima $l"; done
read -r l < /proc/cmdline
echo "cmdline $l"
echo "kernel $($b uname -r)"
echo "cpus $($b grep -c ^processor /proc/cpuinfo)"
for k in /*.ko; do [ -e $k ] && $b insmod $k; done
if $b mount -t efivarfs efivarfs /sys/firmware/efi/efivars; then
	for v in LoaderInfo StubInfo LoaderEntrySelected; do
		for f in /sys/firmware/efi/efivars/$v-*; do
			[ -e $f ] && echo "$v $($b tail -c +5 $f | $b tr -d '\000')"
		done
	done
	f=/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c
	[ -e $f ] && echo "SecureBoot $($b tail -c +5 $f | $b hexdump -v -e '1/1 "%d"')"
fi
} > /report
sum=$($b sha256sum < /report)
echo > /dev/console # the firmware may have left a line open
$b sed 's/^/assay-report: /' /report > /dev/console
echo "assay-report-end: ${sum%% *}" > /dev/console
$b sleep 1
$b poweroff -f
INIT
}

# boot_initrd OUT DEBIAN KERNEL [FILLER]: FILLER makes the content, and so the length, of one
# initrd differ from another's.
boot_initrd() {
	local out=$1 suite kernel=$3 filler=${4-} tmp mod
	suite=$(boot_suite "$2") || return 1
	tmp=$(mktemp -d) || return 1
	mkdir -p "$tmp"/{bin,dev,proc,sys}
	local bb
	for bb in "$boot_debs/$suite/usr/bin/busybox" "$boot_debs/$suite/bin/busybox"; do
		[ -x "$bb" ] && cp "$bb" "$tmp/bin/busybox"
	done
	for mod in "$(dirname "$(boot_kernel "$kernel")")"/../{usr/,}lib/modules/"$kernel".*/kernel/fs/efivarfs/efivarfs.ko*; do
		case $mod in
		*.xz) [ -f "$mod" ] && xz -dc "$mod" > "$tmp/efivarfs.ko" ;;
		*.ko) [ -f "$mod" ] && cp "$mod" "$tmp/efivarfs.ko" ;;
		esac
	done
	boot_init > "$tmp/init"
	chmod 755 "$tmp/init"
	[ -z "$filler" ] || printf '%s' "$filler" > "$tmp/filler"
	find "$tmp" -exec touch -h -d @0 {} +
	(cd "$tmp" && find . -mindepth 1 | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0 --reproducible) |
		gzip -n -9 > "$out" || return 1
	rm -rf "$tmp"
}

boot_os_release() { # DEBIAN
	printf 'ID=assay-test\nVERSION_ID=%s\nNAME="assay boot test"\nPRETTY_NAME="assay boot test, Debian %s parts"\n' "$1" "$1"
}

# --- UKIs -----------------------------------------------------------------------------------------

# boot_uki_objcopy OUT STUB SECTION=FILE...: by hand, as systemd-stub's manual page of 252 has it:
# each section behind the one before it, at the next page.
boot_uki_objcopy() {
	local out=$1 stub=$2 page=4096 at=0 args=() s name size vma index
	shift 2
	while read -r index name size vma _; do
		[[ $index =~ ^[0-9]+$ ]] || continue
		((16#$vma + 16#$size > at)) && at=$((16#$vma + 16#$size))
	done < <(objdump -h "$stub")
	for s in "$@"; do
		name=${s%%=*}
		size=$(stat -Lc %s "${s#*=}") || return 1
		at=$(((at + page - 1) / page * page))
		args+=(--add-section "$name=${s#*=}" --change-section-vma "$name=$(printf '0x%x' "$at")")
		at=$((at + size))
	done
	objcopy "${args[@]}" "$stub" "$out"
}

# boot_uki_ukify OUT STUB SECTION=FILE...: the same by Debian 13's ukify, which also merges .sbat.
boot_uki_ukify() {
	local out=$1 stub=$2 s args=()
	shift 2
	for s in "$@"; do
		case ${s%%=*} in
		.linux) args+=("--linux=${s#*=}") ;;
		.initrd) args+=("--initrd=${s#*=}") ;;
		.cmdline) args+=("--cmdline=@${s#*=}") ;;
		.osrel) args+=("--os-release=@${s#*=}") ;;
		.uname) args+=("--uname=$(cat "${s#*=}")") ;;
		.splash) args+=("--splash=${s#*=}") ;;
		.pcrpkey) args+=("--pcrpkey=${s#*=}") ;;
		.ucode) args+=("--microcode=${s#*=}") ;;
		*) args+=("--section=${s%%=*}:@${s#*=}") ;;
		esac
	done
	boot_ukify build --stub="$stub" --output="$out" "${args[@]}" > "$out.ukify" 2>&1 ||
		boot_die "ukify: $(cat "$out.ukify")"
}

# --- disks ----------------------------------------------------------------------------------------

# The ESP's place on every disk below.
boot_esp_offset=$((2048 * 512))

# boot_disk OUT FILE=PATH...: a GPT with an ESP holding FILE at PATH, and a second partition.
# Sizes, identities and times are fixed: the same files give the same disk.
boot_disk() {
	local out=$1 f path dir esp_mib=${boot_esp_mib:-64} fat=${boot_fat:-32}
	shift
	rm -f "$out"
	truncate -s $(((esp_mib + 4) * 1048576)) "$out" || return 1
	sfdisk --quiet "$out" <<-TABLE || return 1
		label: gpt
		label-id: 5f3a6e1c-35d5-4b9c-9a44-2f7f3e2b1c00
		first-lba: 2048
		start=2048, size=$((esp_mib * 2048)), type=c12a7328-f81f-11d2-ba4b-00a0c93ec93b, uuid=5f3a6e1c-35d5-4b9c-9a44-2f7f3e2b1c01, name="esp"
		start=$((2048 + esp_mib * 2048)), size=2048, type=4f68bce3-e8cd-4db1-96e7-fbcaf984b709, uuid=5f3a6e1c-35d5-4b9c-9a44-2f7f3e2b1c02, name="root"
	TABLE
	mkfs.vfat -F "$fat" -s $((fat == 32 ? 1 : 4)) -n ESP -i 0a55a7e5 --invariant --offset 2048 "$out" \
		$((esp_mib * 1024)) > "$out.mkfs" 2>&1 || boot_die "mkfs.vfat: $(cat "$out.mkfs")" || return 1
	rm -f "$out.mkfs"
	for f in "$@"; do
		path=${f#*=} dir=
		while [[ ${path#/} == */* ]]; do
			path=${path#/}
			dir=$dir/${path%%/*}
			path=${path#*/}
			mdir -i "$out@@$boot_esp_offset" "::$dir" > /dev/null 2>&1 ||
				mmd -i "$out@@$boot_esp_offset" "::$dir" || return 1
		done
		mcopy -o -i "$out@@$boot_esp_offset" "${f%%=*}" "::${f#*=}" || return 1
	done
}

# --- Secure Boot ----------------------------------------------------------------------------------

boot_keys=$boot_dir/keys

# PK, KEK and two certificates in db, all our own, and the variable updates that systemd-boot enrols.
boot_keys_make() {
	local n owner=6d4bcb5e-5a38-4ea5-a3ad-1f54e6f3a2c1
	[ -e "$boot_keys/complete" ] && return 0
	mkdir -p "$boot_keys"
	(
		cd "$boot_keys" || exit 1
		for n in PK KEK db db2; do
			openssl req -new -x509 -newkey rsa:2048 -nodes -sha256 -days 3650 -subj "/CN=assay boot test $n" \
				-keyout $n.key -out $n.crt 2> /dev/null &&
				cert-to-efi-sig-list -g $owner $n.crt $n.esl > /dev/null || exit 1
		done
		cat db.esl db2.esl > both.esl
		sign-efi-sig-list -t '2024-01-01 00:00:00' -g $owner -k PK.key -c PK.crt PK PK.esl PK.auth > /dev/null &&
			sign-efi-sig-list -t '2024-01-01 00:00:00' -g $owner -k PK.key -c PK.crt KEK KEK.esl KEK.auth > /dev/null &&
			sign-efi-sig-list -t '2024-01-01 00:00:00' -g $owner -k KEK.key -c KEK.crt db both.esl db.auth > /dev/null
	) && touch "$boot_keys/complete"
}

boot_sign() { # db|db2 IN OUT
	sbsign --key "$boot_keys/$1.key" --cert "$boot_keys/$1.crt" --output "$3" "$2" > /dev/null 2>&1
}

# boot_store DEBIAN on|off: the path of the pristine variable store. With Secure Boot on, our keys
# are enrolled once by systemd-boot, with Debian's blank store as the start.
boot_store() {
	local suite blank store work
	suite=$(boot_suite "$1") || return 1
	blank=$boot_debs/$suite/usr/share/OVMF/OVMF_VARS_4M.fd
	[ "$2" = on ] || {
		echo "$blank"
		return 0
	}
	store=$boot_dir/stores/$suite-own-keys.fd
	[ -e "$store" ] || (
		boot_keys_make || exit 1
		work=$boot_dir/stores/$suite
		mkdir -p "$work"
		printf 'timeout 0\nsecure-boot-enroll force\n' > "$work/loader.conf"
		boot_disk "$work/enrol.img" "$(boot_loader 257)=/EFI/BOOT/BOOTX64.EFI" "$work/loader.conf=/loader/loader.conf" \
			"$boot_keys/PK.auth=/loader/keys/auto/PK.auth" "$boot_keys/KEK.auth=/loader/keys/auto/KEK.auth" \
			"$boot_keys/db.auth=/loader/keys/auto/db.auth" || exit 1
		boot_vm=(--code "$boot_debs/$suite/usr/share/OVMF/OVMF_CODE_4M.secboot.fd" --vars "$blank" --secure)
		boot_extra=()
		# systemd-boot resets the machine when the keys are in, and vm.sh ends there.
		boot_run "$work/boot" --disk "$work/enrol.img" --timeout 120
		[ "$(cat "$work/boot/end" 2> /dev/null)" = guest-reset ] ||
			boot_die "no keys were enrolled: $(cat "$work/boot.vm" "$work/boot/serial.log" 2> /dev/null)" || exit 1
		mv "$work/boot/vars.fd" "$store"
	) || return 1
	echo "$store"
}

# --- machines -------------------------------------------------------------------------------------

# boot_machine DEBIAN GIB none|virtio tis|crb on|off: sets boot_vm, the options of scripts/vm.sh that
# say which machine it is. One CPU for each GiB.
boot_machine() {
	local suite share store rom
	suite=$(boot_suite "$1") || return 1
	share=$boot_debs/$suite/usr/share/OVMF
	store=$(boot_store "$1" "$5") || return 1
	# Without cmpxchg16b: QEMU 7.2 leaves its flags in disorder, and an interrupt right behind it (Linux
	# 6.12 has one in each kmalloc) is a double fault, seen in about one boot of ten.
	# shellcheck disable=SC2054 # the comma is QEMU's
	boot_vm=(--vars "$store" --memory $((1024 * $2)) --smp "$2" --tpm "$4" --cpu qemu64,-cx16)
	if [ "$5" = on ]; then
		boot_vm+=(--code "$share/OVMF_CODE_4M.secboot.fd" --secure)
	else
		boot_vm+=(--code "$share/OVMF_CODE_4M.fd")
	fi
	boot_extra=()
	[ "$3" = none ] && return 0
	for rom in "$boot_debs/$suite"/usr/{share,lib/ipxe}/qemu/efi-virtio.rom; do
		# shellcheck disable=SC2054 # the commas are QEMU's
		[ ! -e "$rom" ] || boot_extra=(-- -netdev 'user,id=net0,restrict=on'
			-device "virtio-net-pci,netdev=net0,romfile=$rom")
	done
	[ ${#boot_extra[@]} -gt 0 ] || boot_die "no option ROM in $boot_debs/$suite"
}

boot_alone() {
	mkdir -p "$boot_dir"
	flock -o "${ASSAY_BOOT_LOCK:-$boot_dir/lock}" "$@"
}

# boot_run DIR OPTION...: one boot of boot_machine's machine in the fresh folder DIR. One machine at a
# time, whoever else runs tests here.
boot_run() {
	local dir=$1
	shift
	rm -rf "$dir"
	boot_alone "$boot_top/scripts/vm.sh" run "$dir" "${boot_vm[@]}" "$@" "${boot_extra[@]}" > "$dir.vm" 2>&1
}

# boot_report DIR: takes the guest's report out of the serial line into DIR/report, pcrs.txt, log.bin
# and ima.bin; fails if it is not there whole.
boot_report() {
	local dir=$1 want have
	tr -d '\r' < "$dir/serial.log" | sed -n 's/^assay-report: //p' > "$dir/report"
	want=$(tr -d '\r' < "$dir/serial.log" | sed -n 's/^assay-report-end: //p')
	have=$(sha256sum < "$dir/report")
	[ -n "$want" ] && [ "$want" = "${have%% *}" ] || return 1
	sed -n 's/^pcr //p' "$dir/report" > "$dir/pcrs.txt"
	sed -n 's/^log //p' "$dir/report" | base64 -d > "$dir/log.bin" || return 1
	sed -n 's/^ima //p' "$dir/report" | base64 -d > "$dir/ima.bin"
}

# Did the guest's kernel die by itself? Firmware or boot loader trouble says nothing like it.
boot_panicked() {
	grep -aqE 'Kernel panic|double fault|Oops:|BUG: |PANIC: ' "$1/serial.log"
}

# boot_capture DIR DISK: boots DISK on boot_machine's machine from a pristine store and leaves the
# guest's report, log and PCRs in DIR.
boot_capture() {
	local dir=$1 disk=$2 try
	mkdir -p "$dir"
	rm -f "$dir"/{log.bin,pcrs.txt,ima.bin,report,tries,panic-*}
	for ((try = 1; try <= boot_tries; try++)); do
		if boot_run "$dir/boot" --disk "$disk" --timeout "$boot_timeout" && boot_report "$dir/boot"; then
			cp "$dir/boot"/{log.bin,pcrs.txt,ima.bin,report} "$dir"
			echo "$try" > "$dir/tries"
			return 0
		fi
		boot_panicked "$dir/boot" || {
			boot_die "no report, and no panic either ($(cat "$dir/boot.vm")); the end of $dir/boot/serial.log:
$(tail -n 15 "$dir/boot/serial.log" | tr -dc '[:print:]\n')"
			return 1
		}
		cp "$dir/boot/serial.log" "$dir/panic-$try.txt"
		boot_say "the guest panicked, which is no measurement: boot $try of at most $boot_tries goes again ($(basename "$dir"))"
	done
	boot_die "$boot_tries boots, each a guest panic: $dir"
}

# --- rows -----------------------------------------------------------------------------------------

# boot_row KEY=VALUE...: sets the array row. What is not given is the plain choice.
boot_row() {
	local word
	declare -gA row=([fw]=13 [size]=1 [nic]=none [tpm]=crb [chain]=uki [sb]=off [systemd]=257 [kernel]=6.12
		[fat]=32 [build]=ukify [sections]='' [cmdline]='' [filler]='' [learned]='' [keys]=two [sidecars]='' [others]='')
	for word in "$@"; do
		[[ -v row[${word%%=*}] ]] || boot_die "no such thing in a row: $word" || return 1
		row[${word%%=*}]=${word#*=}
	done
}

# The row in plain words, and as the name of a folder.
boot_row_name() {
	local name chain
	case ${row[chain]} in
	uki) chain="UKI started by firmware" ;;
	sdboot-uki) chain="systemd-boot and a UKI" ;;
	sdboot-entry) chain="systemd-boot and a Type 1 entry" ;;
	esac
	name="Debian ${row[fw]} OVMF, ${row[size]} GiB and CPU, "
	[ "${row[nic]}" = none ] && name+="no NIC, " || name+="virtio-net with option ROM, "
	name+="tpm-${row[tpm]}, $chain, Secure Boot ${row[sb]}, systemd ${row[systemd]}, Linux ${row[kernel]}"
	[ -z "${row[sections]}" ] || name+=", with ${row[sections]//,/ }"
	[ -z "${row[sidecars]}" ] || name+=", credentials and extensions beside the UKI"
	[ -z "${row[others]}" ] || name+=", one counted entry among others"
	[ -z "${row[learned]}" ] || name+=", profile from another disk's log"
	echo "$name"
}

boot_row_slug() {
	echo "fw${row[fw]}-${row[size]}g-${row[nic]}-${row[tpm]}-${row[chain]}-sb${row[sb]}-${row[systemd]}-${row[kernel]}${row[sidecars]:+-sidecars}${row[learned]:+-learned}"
}

boot_row_machine() {
	boot_machine "${row[fw]}" "${row[size]}" "${row[nic]}" "${row[tpm]}" "${row[sb]}"
}

# With Secure Boot on: the file, signed; the first application by db, what it starts by db2 (or by db
# as well, for a row with keys=same: the firmware measures a certificate once).
boot_maybe_sign() { # db|db2 FILE
	local key=$1
	[ "${row[sb]}" = on ] || return 0
	[ "${row[keys]}" = two ] || key=db
	boot_sign "$key" "$2" "$2.signed" && mv "$2.signed" "$2"
}

# boot_row_parts DIR: kernel, initrd, command line and the small sections, as files in DIR.
boot_row_parts() {
	local dir=$1 debian=13
	[ "${row[systemd]}" = 257 ] || debian=12
	mkdir -p "$dir"
	cp "$(boot_kernel "${row[kernel]}")" "$dir/linux" || return 1
	boot_initrd "$dir/initrd" "$debian" "${row[kernel]}" "${row[filler]}" || return 1
	# panic=-1: a guest that dies is a reset, not a wait for the timeout
	printf '%s' "console=ttyS0 quiet loglevel=3 panic=-1${row[cmdline]:+ ${row[cmdline]}}" > "$dir/cmdline"
	boot_os_release "$debian" > "$dir/osrel"
	local name
	name=$(boot_kernel "${row[kernel]}")
	printf '%s' "${name##*/vmlinuz-}" > "$dir/uname"
	boot_row_small "$dir"
}

# Sections that only some rows have; their content matters to nobody in the guest.
boot_row_small() { # DIR
	[[ ,${row[sections]}, != *,.splash,* ]] || # a BMP of one pixel
		base64 -d > "$1/splash" <<< 'Qk06AAAAAAAAADYAAAAoAAAAAQAAAAEAAAABABgAAAAAAAQAAAAAAAAAAAAAAAAAAAAAAAAAECAwAA=='
	[[ ,${row[sections]}, != *,.ucode,* ]] || (
		umask 022
		mkdir -p "$1/early/kernel/x86/microcode" && printf 'no microcode at all' > "$1/early/kernel/x86/microcode/GenuineIntel.bin" &&
			cd "$1/early" && find . -mindepth 1 | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0 --reproducible > "$1/ucode" &&
			truncate -s -1 "$1/ucode" # of the zeros at its end: the stub has to fill up
	) || return 1
	[[ ,${row[sections]}, != *,.pcrsig,* ]] || printf '{"sha256":[]}\n' > "$1/pcrsig"
	[[ ,${row[sections]}, != *,.pcrpkey,* ]] || {
		boot_keys_make && openssl x509 -in "$boot_keys/db.crt" -noout -pubkey > "$1/pcrpkey"
	}
}

# boot_row_uki DIR: DIR/uki.efi out of the parts.
boot_row_uki() {
	local dir=$1 s args=()
	args=(".osrel=$dir/osrel" ".cmdline=$dir/cmdline" ".uname=$dir/uname")
	for s in ${row[sections]//,/ }; do
		args+=("$s=$dir/${s#.}")
	done
	args+=(".initrd=$dir/initrd" ".linux=$dir/linux")
	"boot_uki_${row[build]}" "$dir/uki.efi" "$(boot_stub "${row[systemd]}")" "${args[@]}"
}

# What lies beside a UKI and is handed over with the initrd. Sets the array sidecars, for boot_disk.
boot_row_sidecars() { # DIR PATH-OF-UKI
	local f
	sidecars=()
	[ -n "${row[sidecars]}" ] || return 0
	mkdir -p "$1/extra"
	for f in b.cred a.cred ext.raw conf.confext.raw; do
		printf 'this is %s' "$f" > "$1/extra/$f"
		sidecars+=("$1/extra/$f=$2.extra.d/$f")
	done
	printf 'this is global' > "$1/extra/global.cred"
	sidecars+=("$1/extra/global.cred=/loader/credentials/global.cred")
}

# Other entries beside the row's: an older one (by number, not by letters), and a newer one that has
# no tries left. Nothing in them could boot. Sets the arrays others, for boot_disk, and counted, the
# row's own boot counter.
boot_row_others() { # DIR
	local n name version
	others=() counted=
	[ -n "${row[others]}" ] || return 0
	counted=+3
	for n in 'assay-9 9' 'assay-99+0-2 99'; do
		name=${n% *} version=${n#* }
		if [ "${row[chain]}" = sdboot-uki ]; then
			boot_os_release "$version" > "$1/other-osrel"
			boot_uki_objcopy "$1/other-$version" "$(boot_stub "${row[systemd]}")" ".osrel=$1/other-osrel" ".linux=$1/osrel" || return 1
			boot_maybe_sign db2 "$1/other-$version" || return 1
			others+=("$1/other-$version=/EFI/Linux/$name.efi")
		else
			printf 'title other\nversion %s\nlinux /assay/other\n' "$version" > "$1/other-$version"
			others+=("$1/other-$version=/loader/entries/$name.conf" "$1/osrel=/assay/other")
		fi
	done
}

# boot_row_disk DIR: DIR/disk.img, bootable by the row's chain, out of the parts.
boot_row_disk() {
	local dir=$1 sidecars others counted
	case ${row[chain]} in
	uki)
		boot_row_sidecars "$dir" /EFI/BOOT/BOOTX64.EFI
		boot_row_uki "$dir" && boot_maybe_sign db "$dir/uki.efi" &&
			boot_fat=${row[fat]} boot_disk "$dir/disk.img" "$dir/uki.efi=/EFI/BOOT/BOOTX64.EFI" "${sidecars[@]}"
		;;
	sdboot-uki)
		boot_row_sidecars "$dir" /EFI/Linux/assay-13.efi
		boot_row_others "$dir" || return 1
		printf '# loader.conf: 0\ntimeout 0\n' > "$dir/loader.conf"
		cp "$(boot_loader "${row[systemd]}")" "$dir/boot.efi"
		boot_row_uki "$dir" && boot_maybe_sign db2 "$dir/uki.efi" && boot_maybe_sign db "$dir/boot.efi" &&
			boot_fat=${row[fat]} boot_disk "$dir/disk.img" "$dir/boot.efi=/EFI/BOOT/BOOTX64.EFI" \
				"$dir/loader.conf=/loader/loader.conf" "$dir/uki.efi=/EFI/Linux/assay-13$counted.efi" "${sidecars[@]}" "${others[@]}"
		;;
	sdboot-entry)
		boot_row_others "$dir" || return 1
		printf '# loader.conf: 0\ntimeout 0\ndefault assay-*\n' > "$dir/loader.conf"
		cp "$(boot_loader "${row[systemd]}")" "$dir/boot.efi"
		printf 'title assay boot test\nversion 13\nlinux /assay/linux\ninitrd /assay/initrd\noptions %s\n' \
			"$(cat "$dir/cmdline")" > "$dir/entry.conf"
		boot_maybe_sign db2 "$dir/linux" && boot_maybe_sign db "$dir/boot.efi" &&
			boot_fat=${row[fat]} boot_disk "$dir/disk.img" "$dir/boot.efi=/EFI/BOOT/BOOTX64.EFI" \
				"$dir/loader.conf=/loader/loader.conf" "$dir/entry.conf=/loader/entries/assay-13$counted.conf" \
				"$dir/linux=/assay/linux" "$dir/initrd=/assay/initrd" "${others[@]}"
		;;
	*) boot_die "no chain ${row[chain]}" ;;
	esac
}

# boot_row_probe DIR: boots the probe on the row's machine; its event log is DIR/probe.bin.
boot_row_probe() {
	local dir=$1
	cp "$boot_top/build/probe/probe-x64.efi" "$dir/probe.efi" && boot_maybe_sign db "$dir/probe.efi" || return 1
	"$boot_top/image/probe/disk.sh" "$dir/probe.efi" BOOTX64.EFI "$dir/probe.img" || return 1
	rm -f "$dir/probe.bin"
	boot_run "$dir/probe" --disk "$dir/probe.img" --disk-mode rw --timeout 120 ||
		boot_die "the probe: $(cat "$dir/probe.vm")" || return 1
	mcopy -i "$dir/probe.img@@1048576" ::/EFI/BOOT/ASSAY.LOG "$dir/probe.bin"
}

# boot_row_profile DIR: DIR/profile.yaml of the row's machine, by assay's own probe, or out of the
# log of another disk's boot.
boot_row_profile() {
	local dir=$1 probe=()
	if [ -n "${row[learned]}" ]; then
		boot_row_learn "$dir"
		return
	fi
	if [ "${row[sb]}" = on ]; then
		cp "$boot_top/build/probe/probe-x64.efi" "$dir/probe.efi" && boot_maybe_sign db "$dir/probe.efi" || return 1
		probe=(--probe "$dir/probe.efi")
	fi
	boot_alone "$boot_top/build/assay" platform probe "${probe[@]}" -o "$dir/profile.yaml" \
		--qemu "$("$boot_top/scripts/vm.sh" line "${boot_vm[@]}" --disk disk "${boot_extra[@]}")"
}

# The profile out of the log of a disk that is known: 252's stub with Linux 6.1, whatever the row has.
boot_row_learn() { # DIR
	local dir=$1/known saved
	mkdir -p "$dir"
	saved=$(declare -p row)
	row[chain]=uki row[systemd]=252 row[kernel]=6.1 row[build]=objcopy row[sections]='' row[filler]=known
	boot_row_parts "$dir" && boot_row_disk "$dir" && boot_capture "$dir" "$dir/disk.img"
	local rc=$?
	eval "${saved/declare -A/declare -gA}"
	[ $rc -eq 0 ] || return $rc
	"$boot_top/build/assay" platform learn --log "$dir/log.bin" --probe "$dir/uki.efi" -o "$1/profile.yaml"
}
