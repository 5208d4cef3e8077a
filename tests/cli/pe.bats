#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# assay pe against other people's tools, on other people's files.

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	assay=$PWD/build/assay
	make_pe=$PWD/tests/fixtures/make-pe.py
	shared=${ASSAY_SHARED:-../shared}/data/pe
	tmp=$BATS_TEST_TMPDIR
	bats_require_minimum_version 1.5.0
}

need() {
	local tool
	for tool; do
		command -v "$tool" >/dev/null || skip "$tool is not installed"
	done
}

# Real UEFI programs: of this machine's packages, and fetched by scripts/fetch-deb.sh.
real_files() {
	find /usr/lib/systemd/boot/efi /usr/lib/shim /usr/lib/grub /boot build/deb build/debian "$shared" \
		-type f \( -name '*.efi' -o -name '*.efi.signed' -o -name '*.efi.stub' -o -name 'vmlinuz-*' \) \
		2>/dev/null | sort || true
}

# our BANK FILE
our() {
	"$assay" pe --bank "$1" "$2" | awk -v b="$1" '$1 == b { print $2; exit }'
}

# of_pesign BANK FILE
of_pesign() {
	pesign -h -d "$1" -i "$2" | awk '{ print $1 == "hash:" ? $2 : $1 }'
}

# From 116 on pesign too pads to 8 what is unsigned, which firmware does not; the output tells them apart.
pesign_pads() {
	[[ $(pesign -h -i "$1") != hash:* ]]
}

# of_slices BANK FILE: of a file whose sections lie in order and without signatures, all but two fields
of_slices() {
	python3 -c '
import hashlib, struct, sys
b = open(sys.argv[2], "rb").read()
opt = struct.unpack_from("<I", b, 60)[0] + 24
certs = opt + (144 if b[opt:opt + 2] == b"\x0b\x02" else 128)
print(hashlib.new(sys.argv[1], b[:opt + 64] + b[opt + 68:certs] + b[certs + 8:]).hexdigest())' "$1" "$2"
}

# of_efitools FILE: sha256; pads to 8 what is unsigned
of_efitools() {
	hash-to-efi-sig-list "$1" "$tmp/esl" | awk '/^HASH IS/ { print $3 }'
}

# of_osslsigncode FILE: of a signed file, in the bank of its first signature
of_osslsigncode() {
	osslsigncode verify "$1" 2>/dev/null | awk -F': *' '/^Calculated message digest/ { gsub(/[^0-9A-F]/, "", $2); print tolower($2); exit }'
}

keys() {
	local name
	for name in one two; do
		[[ -e $tmp/$name.key ]] || openssl req -x509 -newkey rsa:2048 -nodes -subj "/CN=test $name" \
			-days 10 -keyout "$tmp/$name.key" -out "$tmp/$name.pem" 2>/dev/null
	done
}

# sign NAME IN OUT
sign() {
	sbsign --key "$tmp/$1.key" --cert "$tmp/$1.pem" --output "$3" "$2" 2>/dev/null
	[ -s "$3" ]
}

# A UKI in $tmp/uki.efi, as objcopy makes it out of systemd's stub (or of a plain PE file).
make_uki() {
	need objcopy
	local stub args=() vma name
	stub=$(real_files | grep -m 1 '/linuxx64.efi.stub$') || skip "no linuxx64.efi.stub on this machine"
	printf 'ID=test\n' >"$tmp/osrel"
	printf 'console=ttyS0 quiet' >"$tmp/cmdline"
	printf '6.1.0-test' >"$tmp/uname"
	head -c 12345 /dev/urandom >"$tmp/initrd"
	"$make_pe" "$tmp/linux" .text=kernel .data=more tail=48
	vma=$((0x$(objdump -h "$stub" | awk '$2 ~ /^\./ { v = $4 } END { print v }') + 0x100000))
	for name in osrel cmdline uname initrd linux; do
		args+=(--add-section ".$name=$tmp/$name" --change-section-vma ".$name=$vma")
		vma=$((vma + 0x100000))
	done
	objcopy "${args[@]}" "$stub" "$tmp/uki.efi" 2>/dev/null
	truncate -s %8 "$tmp/uki.efi" # signing pads, and would change the digest
}

@test "real files: sha1 and sha256 as pesign has them" {
	need pesign
	local n=0 f b
	for f in $(real_files); do
		for b in sha1 sha256; do
			[ "$(our $b "$f")" = "$(of_pesign $b "$f")" ] || {
				echo "$b of $f: $(our $b "$f"), pesign $(of_pesign $b "$f")"
				false
			}
		done
		n=$((n + 1))
	done
	[ "$n" -gt 0 ] || skip "no UEFI programs on this machine"
	echo "# $n files" >&3
}

@test "real files: sha256 as efitools have it, where the length is a multiple of 8" {
	need hash-to-efi-sig-list
	local n=0 f
	for f in $(real_files); do
		[ $(($(stat -c %s "$f") % 8)) -eq 0 ] || continue
		# It fails on Microsoft's two signatures of shim.
		[ -n "$(of_efitools "$f")" ] || continue
		[ "$(our sha256 "$f")" = "$(of_efitools "$f")" ] || {
			echo "$f: $(our sha256 "$f"), efitools $(of_efitools "$f")"
			false
		}
		n=$((n + 1))
	done
	[ "$n" -gt 0 ] || skip "no UEFI programs on this machine"
}

@test "real files: the digests that their signers signed, and stored checksums" {
	local n=0 f
	for f in $(real_files | grep -E 'signed$|vmlinuz'); do
		run -0 "$assay" pe --full "$f"
		[[ $output == *"signature  sha256 by "* ]] || continue
		[[ $output != *"of another file"* ]]
		[[ $output == *", correct"* ]]
		n=$((n + 1))
	done
	[ "$n" -gt 0 ] || skip "no signed UEFI programs on this machine"
}

@test "real files: what they are" {
	local n=0 f want
	for f in $(real_files); do
		case ${f##*/} in
		systemd-boot*) want=systemd-boot ;;
		shim*) want=shim ;;
		grub* | gcd*) want=grub ;;
		vmlinuz*) want=linux ;;
		addon*) want=addon ;;
		mm*.efi* | fb*.efi* | linux*.stub) want=other ;;
		*) continue ;;
		esac
		run -0 "$assay" pe "$f"
		[[ ${lines[1]} == "  kind       $want"* ]] || {
			echo "$f: ${lines[1]}"
			false
		}
		n=$((n + 1))
	done
	[ "$n" -gt 0 ] || skip "no UEFI programs on this machine"
}

@test "each length modulo 8, unsigned: as its bytes and as pesign; signed: as it was signed" {
	need pesign sbsign openssl python3
	keys
	local more kind bank same # run changes i
	for kind in "" pe32; do
		for more in 0 1 2 3 4 5 6 7 8; do
			"$make_pe" "$tmp/x.efi" $kind .text=code .data=data tail=$more
			cp "$tmp/x.efi" "$tmp/same.efi"
			same=$tmp/same.efi
			! pesign_pads "$same" || truncate -s %8 "$same"
			for bank in sha1 sha256; do
				[ "$(our $bank "$tmp/x.efi")" = "$(of_slices $bank "$tmp/x.efi")" ]
				[ "$(our $bank "$same")" = "$(of_pesign $bank "$tmp/x.efi")" ]
			done
			sign one "$tmp/x.efi" "$tmp/s.efi"
			run -0 "$assay" pe "$tmp/s.efi"
			[[ $output == *"signature  sha256 by CN = test one"* ]]
			# Signing pads, and so changes the digest of what was no multiple of 8.
			if [ $((more % 8)) -eq 0 ]; then
				[ "$(our sha256 "$tmp/x.efi")" = "$(our sha256 "$tmp/s.efi")" ]
			else
				[ "$(our sha256 "$tmp/x.efi")" != "$(our sha256 "$tmp/s.efi")" ]
			fi
		done
	done
}

@test "every bank as osslsigncode has it" {
	need osslsigncode openssl
	keys
	make_uki
	local b
	for b in sha1 sha256 sha384 sha512; do
		rm -f "$tmp/s.efi"
		osslsigncode sign -h "$b" -certs "$tmp/one.pem" -key "$tmp/one.key" -in "$tmp/uki.efi" \
			-out "$tmp/s.efi" >/dev/null
		[ -n "$(of_osslsigncode "$tmp/s.efi")" ]
		[ "$(our $b "$tmp/s.efi")" = "$(of_osslsigncode "$tmp/s.efi")" ]
		run -0 "$assay" pe --bank "$b" "$tmp/s.efi"
		[[ $output == *"signature  $b by CN = test one"* ]]
	done
}

@test "a UKI with no, one and two signatures" {
	need pesign sbsign sbverify openssl
	keys
	make_uki
	sign one "$tmp/uki.efi" "$tmp/1.efi"
	sign two "$tmp/1.efi" "$tmp/2.efi"
	sbverify --cert "$tmp/one.pem" "$tmp/2.efi"
	sbverify --cert "$tmp/two.pem" "$tmp/2.efi"
	local f
	for f in uki 1 2; do
		[ "$(our sha256 "$tmp/$f.efi")" = "$(of_pesign sha256 "$tmp/$f.efi")" ]
		[ "$(our sha256 "$tmp/$f.efi")" = "$(our sha256 "$tmp/1.efi")" ]
	done
	run -0 "$assay" pe "$tmp/uki.efi"
	[[ $output != *signature* ]]
	run -0 "$assay" pe "$tmp/2.efi"
	[[ $output == *"signature  sha256 by CN = test one"*"signature  sha256 by CN = test two"* ]]

	# One byte of the kernel changed: the signatures are those of another file.
	printf 'K' | dd of="$tmp/2.efi" bs=1 seek=$(($(stat -c %s "$tmp/uki.efi") / 2)) conv=notrunc 2>/dev/null
	run -0 "$assay" pe "$tmp/2.efi"
	[[ $output == *"signature  sha256 of another file by CN = test one"* ]]
}

@test "a UKI's sections as sha256sum has them, and its kernel as pesign" {
	need pesign python3
	make_uki
	"$assay" pe --json --full "$tmp/uki.efi" >"$tmp/json"
	local name
	for name in osrel cmdline uname initrd linux; do
		[ "$(python3 -c '
import json, sys
s = {s["name"]: s for s in json.load(open(sys.argv[1]))[0]["sections"]}
print(s[sys.argv[2]]["digests"]["sha256"])' "$tmp/json" ".$name")" = "$(sha256sum <"$tmp/$name" | cut -d' ' -f1)" ]
	done
	[ "$(python3 -c '
import json, sys
f = json.load(open(sys.argv[1]))[0]
assert f["kind"] == "uki" and f["version"]
print(f["kernel"]["authenticode"]["sha256"])' "$tmp/json")" = "$(of_pesign sha256 "$tmp/linux")" ]
}

@test "gaps between sections: as pesign and efitools" {
	need pesign hash-to-efi-sig-list
	local parts
	for parts in "gap=512 .text=x" ".text=x gap=1024 .data=y" "gap=512 .text=x gap=512 .data=y tail=40"; do
		# shellcheck disable=SC2086
		"$make_pe" "$tmp/x.efi" $parts
		[ "$(our sha256 "$tmp/x.efi")" = "$(of_pesign sha256 "$tmp/x.efi")" ]
		[ "$(our sha256 "$tmp/x.efi")" = "$(of_efitools "$tmp/x.efi")" ]
		run -0 "$assay" pe "$tmp/x.efi"
		[[ $output == *"gaps "*" bytes between the sections"* ]]
	done
}

@test "shim with Microsoft's two signatures" {
	local f=$shared/debian-shimx64.efi.signed
	[ -e "$f" ] || skip "no $f"
	run -0 "$assay" pe --full "$f"
	[[ $output == *"kind       shim 16.1"* ]]
	[[ $output == *"signature  sha256 by "*"CN = Microsoft Windows UEFI Driver Publisher"* ]]
	[[ $output == *"signature  sha256 by "*"CN = Microsoft UEFI CA 2023 signer"* ]]
	[[ $output == *"checksum   0x0010791b, correct"* ]]
	[[ $output == *"sbat       shim.debian 1, shim 16.1"* ]]
}

@test "somebody else's test UKI, with gaps and a broken SBAT" {
	need pesign
	local f=$shared/edgelesssys-uki.efi
	[ -e "$f" ] || skip "no $f"
	[ "$(our sha256 "$f")" = "$(of_pesign sha256 "$f")" ]
	run -0 "$assay" pe "$f"
	[[ $output == *"sbat       cannot be read: SBAT line 1: 1 fields, 6 wanted"* ]]
	[[ $output == *"gaps       7168 bytes"* ]]
}

@test "JSON: its keys, sorted, the same twice" {
	need python3
	"$make_pe" "$tmp/x.efi" .text=code ".sbat=sbat,1,v,p,1,u"
	"$assay" pe --json --bank sha1,sha512 "$tmp/x.efi" >"$tmp/a"
	"$assay" pe --json --bank sha512,sha1 "$tmp/x.efi" >"$tmp/b"
	cmp "$tmp/a" "$tmp/b"
	python3 - "$tmp/a" "$tmp/x.efi" <<-'END'
		import json, sys
		[f] = json.load(open(sys.argv[1]))
		assert list(f) == sorted(f), list(f)
		assert f["path"] == sys.argv[2]
		assert sorted(f["authenticode"]) == ["sha1", "sha512"]
		assert len(f["authenticode"]["sha512"]) == 128
		assert f["kind"] == "other" and f["machine"] == "x86-64" and f["format"] == "PE32+"
		assert f["signatures"] == [] and f["gaps"] == 0
		assert f["sbat"] == [dict(component="sbat", generation=1, vendor="v", package="p", version="1", url="u")]
		assert [s["name"] for s in f["sections"]] == [".text", ".sbat"]
	END
}

@test "one bad file among several: the others are printed, exit 1" {
	"$make_pe" "$tmp/x.efi" .text=code
	echo "no PE file, and not long enough to be taken for one in the first place" >"$tmp/bad"
	run -1 --separate-stderr "$assay" pe "$tmp/x.efi" "$tmp/bad" "$tmp/x.efi"
	[ "$stderr" = "assay pe: $tmp/bad: no PE file: no MZ signature (at byte 0x0)" ]
	[ "$(grep -c '  sha256 ' <<<"$output")" -eq 2 ]
	run -1 --separate-stderr "$assay" pe "$tmp/bad" "$tmp/x.efi" --json
	[ "$(grep -c '"path"' <<<"$output")" -eq 1 ]
}

@test "bad input: one line, with file, structure and offset" {
	need python3
	: >"$tmp/empty"
	head -c 4096 /dev/zero >"$tmp/zeros"
	"$make_pe" "$tmp/uki" .text=code .cmdline=x .linux=@tests/corpus/pe/kernel
	head -c -100 "$tmp/uki" >"$tmp/cut"
	mkdir "$tmp/folder"
	local f
	for f in empty zeros cut folder missing; do
		run -1 --separate-stderr "$assay" pe "$tmp/$f"
		[ -z "$output" ]
		[ "${#stderr_lines[@]}" -eq 1 ]
		[[ $stderr == "assay pe: $tmp/$f: "* ]]
	done
	run -1 "$assay" pe "$tmp/empty"
	[[ $output == *"DOS header cut short: 2 bytes wanted, 0 left (at byte 0x0)" ]]
	run -1 "$assay" pe "$tmp/cut"
	[[ $output == *"section .linux cut short: "*"(at byte 0x"* ]]
}

@test "usage: options in any place, wrong ones exit 2" {
	"$make_pe" "$tmp/x.efi" .text=code
	run -0 "$assay" pe "$tmp/x.efi" --bank sha1
	[[ $output == *"  sha1 "* ]]
	run -2 "$assay" pe
	run -2 "$assay" pe --bank md5 "$tmp/x.efi"
	[[ $output == *md5* ]]
	run -2 "$assay" pe --nonesuch "$tmp/x.efi"
	run -0 --separate-stderr "$assay" pe --help
	[[ $output == "Usage: assay pe "* ]]
	[ -z "$stderr" ]
}

@test "control characters out of a file do not reach the terminal" {
	"$make_pe" "$tmp/x.efi" .text=code "$(printf '.\033[2J=x')" \
		"$(printf '.sdmagic=#### LoaderInfo: systemd-stub \033]0;x ####')" .linux=k
	run -0 "$assay" pe --full "$tmp/x.efi"
	[[ $output != *$'\033'* ]]
	run -0 "$assay" pe --json "$tmp/x.efi"
	[[ $output != *$'\033'* ]]
}

@test "the manual page: no complaints, and its examples run" {
	need mandoc
	# Other pages may not be installed; long lines are no matter of mandoc's.
	run -0 mandoc -Tlint -Wwarning man/assay-pe.1
	[ -z "$output" ]
	cd "$tmp"
	"$make_pe" linux.efi .text=code
	cp linux.efi BOOTX64.EFI
	local n=0 line
	while read -r line; do
		PATH=${assay%/*}:$PATH bash -c "$line" >/dev/null
		n=$((n + 1))
	done < <(sed -n 's/^\.Dl \$ //p' "$OLDPWD/man/assay-pe.1")
	[ "$n" -eq 3 ]
}
