#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# assay diff on pairs of small disks that differ in one thing each: its first line names that thing, and the PCRs that it
# says move are those in which two predictions differ by jq. As disks, as manifests, and one of each.
bats_require_minimum_version 1.5.0

setup_file() {
	export PATH=$PATH:/usr/sbin:/sbin MTOOLS_SKIP_CHECK=1
	load common
	load chain
	lacks="$(chain_missing)$(command -v cpio > /dev/null || echo "cpio ")$(command -v sgdisk > /dev/null || echo "sgdisk ")"
	export lacks
	[ -z "$lacks" ] || return 0
	export dir=$BATS_FILE_TMPDIR
	cd "$dir"
	parts
	small_profile sha256 > p.yaml
	chain_root root && mkdir -p root/var/lib/dpkg && printf 'Package: libx\nStatus: install ok installed\nVersion: 1.0-1\nArchitecture: amd64\n' > root/var/lib/dpkg/status
	chain_squashfs root root.sqfs
	mkdir -p in/usr/lib/modules/6.12.0-amd64 in/usr/bin && echo one > in/usr/bin/tool && echo ext4 > in/usr/lib/modules/6.12.0-amd64/ext4.ko
	initrd in in.cpio
	seq 1 5000 > seq && mksquashfs seq data.sqfs -quiet -no-progress -all-root -all-time 0 -mkfs-time 0 > /dev/null
	disk a.img
	manifest a.img a.json
}

setup() {
	[ -z "$lacks" ] || skip "missing: $lacks"
	load common
	load chain
	parts
	top=$(realpath "$BATS_TEST_DIRNAME/../..")
	assay=$top/build/assay
	tmp=$BATS_TEST_TMPDIR
	cd "$dir"
}

# What the UKI is made of; chain_disk() asks for it under this name.
parts() {
	kernel=6.12.0-amd64 stub='#### LoaderInfo: systemd-stub 257.13 ####' osrel=$'ID=example\nVERSION_ID=1\n' initrd=$dir/in.cpio words=quiet
	more=()
	chain_uki() {
		"$chain_top/tests/fixtures/make-pe.py" "$1.linux" .text=code put=0xc4:0300 put=0x1f1:04 put=0x202:486472530f02 \
			put=0x20e:1000 "put=0x210:$(printf '%s (x@y) #1\0' "$kernel" | od -An -v -tx1 | tr -d ' \n')" &&
			"$chain_top/tests/fixtures/make-pe.py" "$1" ".sdmagic=$stub" ".osrel=$osrel" ".cmdline=$words ${2#quiet }" \
				".initrd=@$initrd" "${more[@]}" ".linux=@$1.linux" && rm "$1.linux"
	}
}

# initrd FOLDER OUT
initrd() {
	find "$1" -exec touch -h -d @0 {} +
	(cd "$1" && find . | LC_ALL=C sort | cpio -o --quiet --reproducible -H newc -R 0:0) > "$2"
}

# disk OUT [SQUASHFS]
disk() { chain_disk "$1" "${2-$dir/root.sqfs}"; }

manifest() { # DISK OUT [OPTION...]
	"${assay-$(realpath "$BATS_TEST_DIRNAME/../..")/build/assay}" manifest create "$1" --platform "$dir/p.yaml" --name example --release 1 \
		--not-before 2026-01-01T00:00:00Z "${@:3}" -o "$2"
}

# moved A B: the PCRs in which two predictions differ, by jq: "4 10 11".
moved() {
	jq -rn --slurpfile a <("$assay" precompute --json --skip-chain --platform p.yaml "$1") \
		--slurpfile b <("$assay" precompute --json --skip-chain --platform p.yaml "$2") \
		'[range(16) | tostring | select($a[0].banks.sha256[.] != $b[0].banks.sha256[.])] | join(" ")'
}

# same_verdict JSON: kinds and PCRs, without what only disks can tell.
verdict() { jq -c '[.changes[] | select(.kind != "manifest") | [.kind, .what, .pcrs]]' "$1"; }

# check FIRST [OTHER]: of a.img and b.img the first line begins with FIRST, and its PCRs are those that move.
check() {
	local b=${2-$tmp/b.img} want
	want=$(moved a.img "$b")
	run -3 "$assay" diff --platform p.yaml a.img "$b"
	echo "$output"
	echo "# moved: $want"
	[[ ${lines[0]} == "$1"* ]]
	[[ ${lines[0]} == *"  ($([ -n "$want" ] && echo "PCR ${want// /, }" || echo "no PCR"))" ]]
	run -3 "$assay" diff --json --platform p.yaml a.img "$b"
	echo "$output" > "$tmp/disks"
	[ "$(jq -r '.platforms[0].moved | join(" ")' <<< "$output")" = "$want" ]
	[ "$(jq -r '[.changes[].pcrs.small[]] | unique | join(" ")' <<< "$output")" = "$want" ]
	[ "$(jq '[.changes[] | select(.kind == "event")] | length' <<< "$output")" -eq 0 ]
	# as manifests, and mixed
	manifest "$b" "$tmp/b.json" || return 0
	for pair in "a.json $tmp/b.json" "a.json $b" "a.img $tmp/b.json"; do
		# shellcheck disable=SC2086 # two words
		run -3 "$assay" diff --json --platform p.yaml $pair
		echo "$output" > "$tmp/pair"
		diff <(verdict "$tmp/disks") <(verdict "$tmp/pair")
	done
}

@test "the same disk, a copy of it, its manifest" {
	cp a.img "$tmp/b.img"
	for pair in "a.img a.img" "a.img $tmp/b.img" "a.json a.json" "a.img a.json" "a.json $tmp/b.img"; do
		# shellcheck disable=SC2086 # two words
		run -0 "$assay" diff --platform p.yaml $pair
		[ "$output" = $'the same\non platform small: no PCR moves' ]
	done
	run -0 "$assay" diff a.img a.img
	[ "$output" = "the same" ]
}

@test "kernel" {
	kernel=6.12.1-amd64
	disk "$tmp/b.img"
	check "kernel: 6.12.0-amd64 -> 6.12.1-amd64"
}

@test "command line" {
	words="panic=-1 x=\"a b\""
	disk "$tmp/b.img"
	check 'command line: +panic=-1 +x="a b" -quiet'
}

@test "initrd: a file, a module, a mode, all packed otherwise" {
	cp -a in "$tmp/in" && echo two > "$tmp/in/usr/bin/tool" && chmod 755 "$tmp/in/usr/bin/tool"
	echo gpu > "$tmp/in/usr/lib/modules/6.12.0-amd64/virtio_gpu.ko"
	initrd "$tmp/in" "$tmp/in.cpio"
	initrd=$tmp/in.cpio
	disk "$tmp/b.img"
	check "initrd: 1 file changed, +1 file, +1 module (virtio_gpu)"
	run -3 "$assay" diff a.img "$tmp/b.img"
	[ "${lines[1]}" = "    + usr/lib/modules/6.12.0-amd64/virtio_gpu.ko" ] || [ "${lines[2]}" = "    + usr/lib/modules/6.12.0-amd64/virtio_gpu.ko" ]
	[[ $output == *"~ usr/bin/tool: -> mode=0755 other content"* ]]
	rm "$tmp/in/usr/lib/modules/6.12.0-amd64/ext4.ko" && cp in/usr/bin/tool "$tmp/in/usr/bin/tool"
	initrd "$tmp/in" "$tmp/in.cpio"
	disk "$tmp/b.img"
	check "initrd: 1 file changed, +1 -1 files, +1 module (virtio_gpu), -1 module (ext4)"
	gzip -n < in.cpio > "$tmp/in.cpio"
	disk "$tmp/b.img"
	check "initrd: the same files, packed otherwise: none -> gzip"
}

@test "initrd: the modules of another kernel release are the same ones" {
	mkdir -p "$tmp/in" && cp -a in/usr "$tmp/in/" && mv "$tmp/in/usr/lib/modules/6.12.0-amd64" "$tmp/in/usr/lib/modules/6.12.1-amd64"
	initrd "$tmp/in" "$tmp/in.cpio"
	initrd=$tmp/in.cpio
	disk "$tmp/b.img"
	check "initrd: modules of 6.12.0-amd64 -> 6.12.1-amd64"
}

@test "sections: os-release, uname, one more" {
	osrel=$'ID=example\nVERSION_ID=2\n'
	disk "$tmp/b.img"
	check ".osrel: other text"
	run -3 "$assay" diff a.img "$tmp/b.img"
	[ "${lines[1]} ${lines[2]}" = "    - VERSION_ID=1     + VERSION_ID=2" ]
	parts
	more=(.uname=6.12.0-amd64)
	disk "$tmp/b.img"
	check ".uname: added"
	more=(.pcrpkey=key)
	disk "$tmp/b.img"
	check ".pcrpkey: added"
}

@test "version of the stub" {
	stub='#### LoaderInfo: systemd-stub 252.39 ####'
	disk "$tmp/b.img"
	check "boot stub: systemd-stub 257.13 -> systemd-stub 252.39"
}

@test "a file under dm-verity" {
	cp -a root "$tmp/root" && echo other > "$tmp/root/etc/hostname" && ln -sf nowhere "$tmp/root/usr/bin/link" && echo x > "$tmp/root/etc/more"
	chain_squashfs "$tmp/root" "$tmp/root.sqfs"
	disk "$tmp/b.img" "$tmp/root.sqfs"
	check "filesystem of partition 2: "
	run -3 "$assay" diff a.img "$tmp/b.img"
	[[ ${lines[0]} == "filesystem of partition 2: 2 files changed, +1"* ]]
	[ "${lines[1]}${lines[2]}${lines[3]}" = "    ~ /etc/hostname    + /etc/more    ~ /usr/bin/link: link tool -> nowhere" ]
	[[ $output == *"root hash of partition 2: "* ]]
	[[ $output != *"command line"* && $output != *"partition table"* ]]
}

@test "version of a package" {
	cp -a root "$tmp/root" && sed -i 's/1.0-1/1.0-2/' "$tmp/root/var/lib/dpkg/status"
	chain_squashfs "$tmp/root" "$tmp/root.sqfs"
	disk "$tmp/b.img" "$tmp/root.sqfs"
	check "packages of partition 2: libx 1.0-1 -> 1.0-2"
	printf '\nPackage: liby\nStatus: install ok installed\nVersion: 2\nArchitecture: all\n' >> "$tmp/root/var/lib/dpkg/status"
	chain_squashfs "$tmp/root" "$tmp/root.sqfs"
	disk "$tmp/b.img" "$tmp/root.sqfs"
	check "packages of partition 2: libx 1.0-1 -> 1.0-2, +1 -0"
}

@test "a container" {
	cp -a root "$tmp/root"
	share=$tmp/root/usr/share/assay
	old=$(jq -r '."@local/hello:1"' "$share/container_measurements.json")
	new=$(chain_archive "$share/containers/hello.tar" hello:1 changed)
	sed -i "s/$old/sha256:$new/" "$share/container_measurements.json"
	chain_squashfs "$tmp/root" "$tmp/root.sqfs"
	disk "$tmp/b.img" "$tmp/root.sqfs"
	check "container localhost/hello:1: image ID $old -> sha256:$new"
}

@test "partition table: a GUID, a name, the disk's" {
	cp a.img "$tmp/b.img" && sgdisk --partition-guid=1:00000000-0000-0000-0000-0000000000aa "$tmp/b.img" > /dev/null
	check "partition table: partition 1 GUID 00000000-0000-0000-0000-000000000003 -> 00000000-0000-0000-0000-0000000000aa"
	cp a.img "$tmp/b.img" && sgdisk --change-name=2:other "$tmp/b.img" > /dev/null
	check "partition table: partition 2 name "
	cp a.img "$tmp/b.img" && sgdisk --disk-guid=00000000-0000-0000-0000-0000000000bb "$tmp/b.img" > /dev/null
	check "partition table: GUID of the disk"
}

@test "a partition that grew, a disk that grew" {
	cp a.img "$tmp/b.img" && truncate -s +1M "$tmp/b.img" && sgdisk --move-second-header "$tmp/b.img" > /dev/null
	check "partition table: the header: the disk grew by 1048576 bytes"
	start=$(sfdisk -J a.img | jq '.partitiontable.partitions[2].start')
	guid=$(sfdisk -J a.img | jq -r '.partitiontable.partitions[2].uuid')
	sgdisk --delete=3 --set-alignment=1 --new=3:"$start":+512K --typecode=3:2c7357ed-ebd2-46d9-aec1-23d437ec2bf5 --partition-guid=3:"$guid" "$tmp/b.img" > /dev/null
	check "partition table: partition 3 grew by "
}

@test "a file on the ESP" {
	cp a.img "$tmp/b.img" && mmd -i "$tmp/b.img@@64K" ::/loader && echo x > "$tmp/x" && mcopy -i "$tmp/b.img@@64K" "$tmp/x" ::/loader/x.conf
	check 'ESP: + \loader\x.conf'
	cp "$tmp/b.img" "$tmp/c.img" && echo longer > "$tmp/x" && mcopy -o -i "$tmp/c.img@@64K" "$tmp/x" ::/loader/x.conf
	run -3 "$assay" diff --platform p.yaml "$tmp/b.img" "$tmp/c.img"
	[ "${lines[0]}" = 'ESP: ~ \loader\x.conf: other content, 2 -> 7 bytes  (no PCR)' ]
	run -3 "$assay" diff "$tmp/b.img" a.img
	[ "${lines[0]}" = 'ESP: - \loader\x.conf' ]
	[ "${lines[-1]}" = "not compared: PCRs; --platform FILE.yaml names the machine to compare them on" ]
}

@test "a credential beside the UKI, which the stub measures" {
	cp a.img "$tmp/b.img" && mmd -i "$tmp/b.img@@64K" ::/loader ::/loader/credentials && echo x > "$tmp/x" &&
		mcopy -i "$tmp/b.img@@64K" "$tmp/x" ::/loader/credentials/x.cred
	check 'ESP: + \loader\credentials\x.cred'
}

@test "bytes that no fact is about" {
	cp a.img "$tmp/b.img" && printf x | dd of="$tmp/b.img" bs=1 seek=40000 conv=notrunc status=none
	run -3 "$assay" diff --platform p.yaml a.img "$tmp/b.img"
	[ "${lines[0]}" = "unmeasured: the disks differ in bytes that no fact is about  (no PCR)" ]
	[[ ${lines[1]} == "    1 byte, the first at 0x9c40: "* ]]
	check "unmeasured: "
	# the last cluster of the ESP: manifests know the partition
	cp a.img "$tmp/b.img" && printf x | dd of="$tmp/b.img" bs=1 seek=$((65536 + 262143)) conv=notrunc status=none
	check "unmeasured: "
	run -3 "$assay" diff a.json "$tmp/b.json"
	[ "${lines[1]}" = "    in partition 1 (EFI System)" ]
}

@test "data disks: in manifests, and by themselves" {
	cp data.sqfs "$tmp/weights.raw"
	manifest a.img "$tmp/one.json" --data "$tmp/weights.raw"
	seq 2 5001 > "$tmp/seq" && rm "$tmp/weights.raw" && mksquashfs "$tmp/seq" "$tmp/weights.raw" -quiet -no-progress -all-root -all-time 0 -mkfs-time 0 > /dev/null
	manifest a.img "$tmp/two.json" --data "$tmp/weights.raw"
	run -3 "$assay" diff "$tmp/one.json" "$tmp/two.json"
	[[ ${lines[0]} == "data disk weights.raw: filesystem of the disk: other files, 2 -> 2 names"*"  (no PCR)" ]]
	run -3 "$assay" diff a.json "$tmp/two.json"
	[ "${lines[0]}" = "data disk: + weights.raw  (no PCR)" ]
	run -3 "$assay" diff data.sqfs "$tmp/weights.raw"
	[ "${lines[0]}" = "filesystem of the disk: 1 file changed" ]
	[ "${lines[1]}" = "    ~ /seq" ]
	run -0 "$assay" diff a.img "$tmp/two.json"
	[[ $output == *"not compared: data disks: only B tells of any (1), they are not compared"* ]]
	run -1 "$assay" diff a.img data.sqfs
	[[ $output == *"data.sqfs: nothing boots from this disk, and from a.img something does"* ]]
}

@test "manifests: name, release, validity, platforms" {
	manifest a.img "$tmp/b.json" --name other --release 2 --expires +2d
	run -3 "$assay" diff a.json "$tmp/b.json"
	[ "${lines[0]}" = "expires: 2027-01-01T00:00:00Z -> 2026-01-03T00:00:00Z" ]
	[ "${lines[1]}" = "name: example -> other" ]
	[ "${lines[2]}" = "release: 1 -> 2" ]
	[ "${lines[3]}" = "on platform small: no PCR moves" ]
	# another profile of the same name: its events, and its digest
	sed 's/^events:$/&\n  - {pcr: 0, type: EV_S_CRTM_VERSION, text: "2"}\n  - {pcr: 1, type: EV_SEPARATOR, hex: "00000000"}/' p.yaml > "$tmp/p.yaml"
	"$assay" manifest create a.img --platform "$tmp/p.yaml" --name example --release 1 --not-before 2026-01-01T00:00:00Z -o "$tmp/b.json"
	run -3 "$assay" diff a.json "$tmp/b.json"
	[[ ${lines[0]} == "platform small: another profile: sha256 "*"  (PCR 0, 1)" ]]
	sed 's/^name: small/name: large/' p.yaml > "$tmp/p.yaml"
	"$assay" manifest create a.img --platform p.yaml --platform "$tmp/p.yaml" --name example --release 1 --not-before 2026-01-01T00:00:00Z -o "$tmp/b.json"
	run -3 "$assay" diff a.json "$tmp/b.json"
	[[ ${lines[0]} == "platform: + large"* ]]
}

@test "a chain that is broken is a difference" {
	cp a.img "$tmp/b.img" && verity_flip "$tmp/b.img" $((640 * 512 + 5000))
	run -3 "$assay" diff a.img "$tmp/b.img"
	[[ $output == *"the chain: B: verity: "*" is broken: "* ]]
}

@test "what cannot be read, two profiles of one name, usage" {
	run -1 "$assay" diff a.img "$tmp/none"
	echo '{}' > "$tmp/x"
	run -1 "$assay" diff a.img "$tmp/x"
	run -1 "$assay" diff --platform p.yaml --platform p.yaml a.img a.img
	[[ $output == *"two profiles of platform small"* ]]
	run -2 "$assay" diff a.img
	run -2 "$assay" diff a.img a.img a.img
}

@test "systemd-boot: a UKI's command line, a Type 1 entry's options and initrd, another chain" {
	load scratch
	[ -z "$(scratch_missing)" ] || skip "$(scratch_missing | tr '\n' ' ')is missing"
	(scratch_make "$top" "$tmp/s")
	cp p.yaml "$tmp/s/p.yaml"
	cd "$tmp/s"
	uki() { mcopy -o -i "$1@@1M" "$2" ::/EFI/Linux/linux.efi; }
	cp disk.img a.img && mcopy -o -i a.img@@1M BOOTX64.EFI ::/EFI/BOOT/BOOTX64.EFI
	"$assay" manifest create a.img --platform p.yaml --name example --release 1 --not-before 2026-01-01T00:00:00Z -o a.json
	printf 'console=ttyS0 loud' > cmdline && objcopy --update-section .cmdline=cmdline linux.efi loud.efi
	cp a.img b.img && uki b.img loud.efi
	check 'command line of \EFI\Linux\linux.efi: +loud -quiet' b.img
	check "kind of program: systemd-boot -> uki" disk.img
	cp a.img b.img && printf 'timeout 5\n' > loader.conf && mcopy -o -i b.img@@1M loader.conf ::/loader/loader.conf
	check 'ESP: ~ \loader\loader.conf: other content' b.img
	# Type 1
	mdel -i a.img@@1M ::/EFI/Linux/linux.efi && mmd -i a.img@@1M ::/loader/entries ::/k && mcopy -i a.img@@1M parts/linux ::/k/linux
	head -c 1200 parts/initrd > initrd && mcopy -i a.img@@1M initrd ::/k/initrd
	printf 'title x\nlinux /k/linux\ninitrd /k/initrd\noptions quiet\n' > x.conf && mcopy -i a.img@@1M x.conf ::/loader/entries/
	"$assay" manifest create a.img --platform p.yaml --name example --release 1 --not-before 2026-01-01T00:00:00Z -o a.json
	cp a.img b.img && sed 's/quiet/loud/' x.conf > y.conf && mcopy -o -i b.img@@1M y.conf ::/loader/entries/x.conf
	check 'ESP: ~ \loader\entries\x.conf: other content' b.img
	cp a.img b.img && (cat initrd && printf '\0\0\0\0') > longer && mcopy -o -i b.img@@1M longer ::/k/initrd
	check 'ESP: ~ \k\initrd: other content, 1200 -> 1204 bytes' b.img
}
