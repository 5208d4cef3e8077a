#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# PCR 11 against Debian 13's systemd-measure.

setup() {
	load common
	bats_require_minimum_version 1.5.0
	cd "$BATS_TEST_DIRNAME/../.."
	top=$PWD
	assay=$PWD/build/assay
	export MTOOLS_SKIP_CHECK=1 PATH=$PATH:/usr/sbin:/sbin
	cd "$BATS_TEST_TMPDIR"
	small_profile "sha1, sha256, sha384, sha512" >p.yaml
}

# disk SECTION...: a disk that boots a UKI of these, each as it lies in the file of its name.
disk() {
	need mkfs.vfat mmd mcopy python3
	local parts=('.sdmagic=#### LoaderInfo: systemd-stub 257.13 ####') name
	for name; do
		parts+=(".$name=@$name")
	done
	"$top/tests/fixtures/make-pe.py" BOOTX64.EFI "${parts[@]}"
	rm -f esp.img
	mkfs.vfat -C -F 12 esp.img 4096 >/dev/null
	mmd -i esp.img ::/EFI ::/EFI/BOOT
	mcopy -i esp.img BOOTX64.EFI ::/EFI/BOOT/
	"$top/tests/fixtures/make-gpt.py" disk.img 8 esp:1:4:esp.img
}

files() {
	printf 'ID=test\nNAME=Test\n' >osrel
	printf ' console=ttyS0  quiet ' >cmdline
	head -c 3001 /dev/zero | tr '\0' i >initrd
	printf 'microcode' >ucode
	printf 'picture' >splash
	printf 'tree' >dtb
	printf '6.12.0' >"uname"
	printf 'sbat,1,SBAT Version,sbat,1,https://example.org\n' >sbat
	printf 'key' >pcrpkey
	"$top/tests/fixtures/make-pe.py" linux .text=code put=0xc4:0300 tail=100
}

# same SECTION...: PCR 11 at each phase and in each bank is systemd-measure's.
same() {
	local args=() name
	for name; do
		args+=("--$name=$PWD/$name")
	done
	disk "$@"
	"$assay" precompute disk.img --platform p.yaml --json >ours.json
	"$top/scripts/trixie-tool.sh" systemd-measure calculate "${args[@]}" --bank=sha1 --bank=sha256 --bank=sha384 \
		--bank=sha512 --phase=: --phase=enter-initrd --phase=enter-initrd:leave-initrd \
		--phase=enter-initrd:leave-initrd:sysinit --phase=enter-initrd:leave-initrd:sysinit:ready \
		--json=short >theirs.json || skip "systemd-measure cannot be had"
	python3 - ours.json theirs.json <<-'EOF'
		import json, sys
		ours, theirs = (json.load(open(f)) for f in sys.argv[1:])
		phases = {p["phase"]: p["pcr11"] for p in ours["phases"]}
		n = 0
		for bank, rows in theirs.items():
		    for row in rows:
		        phase = row.get("phase", ":")
		        mine = ours["banks"][bank]["11"] if phase in (":", "") else phases[phase][bank]
		        assert row["pcr"] == 11 and mine == row["hash"], (bank, phase, mine, row["hash"])
		        n += 1
		assert n == 20, n
	EOF
}

@test "PCR 11 is systemd-measure's: a kernel alone" {
	files
	same linux
}

@test "PCR 11 is systemd-measure's: the usual sections" {
	files
	same osrel cmdline initrd uname linux
}

@test "PCR 11 is systemd-measure's: every section" {
	files
	same linux pcrpkey sbat uname dtb splash ucode initrd cmdline osrel
}
