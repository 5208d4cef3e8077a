#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Broken disks and profiles: one line that names file, structure and offset, exit 1, no output file.

setup_file() {
	bats_require_minimum_version 1.5.0
	export LC_ALL=C.UTF-8 MTOOLS_SKIP_CHECK=1 PATH=$PATH:/usr/sbin:/sbin
}

setup() {
	load common
	cd "$BATS_TEST_DIRNAME/../.."
	assay=$PWD/build/assay
	make_gpt=$PWD/tests/fixtures/make-gpt.py
	make_pe=$PWD/tests/fixtures/make-pe.py
	cd "$BATS_TEST_TMPDIR"
	small_profile "sha1, sha256" >p.yaml
}

# fails REGEX COMMAND...: exit 1, nothing on stdout, one line on stderr that matches.
fails() {
	local regex=$1
	shift
	run -1 --separate-stderr "$@"
	[ -z "$output" ]
	[ "${#stderr_lines[@]}" -eq 1 ]
	[[ $stderr =~ $regex ]] || {
		echo "$stderr"
		false
	}
}

# bad REGEX DISK: measure and precompute both refuse it, and leave no file, and an old one as it was.
bad() {
	local verb
	for verb in measure precompute; do
		local args=("$2")
		[ $verb = measure ] || args+=(--platform p.yaml)
		fails "^assay $verb: $2: $1" "$assay" $verb "${args[@]}"
		fails "^assay $verb: $2: $1" "$assay" $verb "${args[@]}" -o out.json
		[ ! -e out.json ]
		echo old >out.json
		fails "^assay $verb: $2: $1" "$assay" $verb "${args[@]}" --json -o out.json
		[ "$(cat out.json)" = old ]
		rm out.json
		[ -z "$(find . -name '*out.json*')" ]
	done
}

# disk FILE...: an ESP with these as EFI/BOOT/*.
esp() {
	need mkfs.vfat mcopy mmd
	rm -f esp.img
	mkfs.vfat -C -F 12 esp.img 4096 >/dev/null
	mmd -i esp.img ::/EFI ::/EFI/BOOT
	local f
	for f; do
		mcopy -i esp.img "$f" ::/EFI/BOOT/
	done
}

# A UKI as make-pe.py makes it: BOOTX64.EFI.
uki() {
	"$make_pe" linux .text=kernel tail=3000
	"$make_pe" BOOTX64.EFI '.sdmagic=#### LoaderInfo: systemd-stub 257.9 ####' .osrel=ID=x \
		.initrd=initrd .linux=@linux
}

@test "an empty file" {
	: >disk.img
	bad '.*GPT.*' disk.img
}

@test "a file of zeros" {
	truncate -s 8M disk.img
	bad '.*GPT.*\(at byte 0x' disk.img
}

@test "noise" {
	head -c 4M /dev/urandom >disk.img
	bad '.*GPT.*' disk.img
}

@test "a disk without an ESP" {
	"$make_gpt" disk.img 8 linux:1:2
	bad 'no EFI system partition among the 1 partitions of the GPT$' disk.img
}

@test "an ESP without a boot file" {
	esp p.yaml
	"$make_gpt" disk.img 8 esp:1:4:esp.img
	bad 'partition 1 \(ESP\): no boot file /EFI/BOOT/BOOTX64.EFI' disk.img
}

@test "a boot file that is no program" {
	echo text >BOOTX64.EFI
	esp BOOTX64.EFI
	"$make_gpt" disk.img 8 esp:1:4:esp.img
	bad 'partition 1 \(ESP\): /EFI/BOOT/BOOTX64.EFI: .*\(at byte 0x' disk.img
}

@test "a UKI cut at each of many places" {
	uki
	local size at
	size=$(stat -c %s BOOTX64.EFI)
	for at in 0 1 63 64 130 200 400 700 1024 $((size - 2600)) $((size - 513)); do
		head -c "$at" BOOTX64.EFI >"cut"
		mkdir -p c && mv cut c/BOOTX64.EFI
		esp c/BOOTX64.EFI
		"$make_gpt" disk.img 8 esp:1:4:esp.img
		bad 'partition 1 \(ESP\): /EFI/BOOT/BOOTX64.EFI: ' disk.img
	done
}

@test "a GPT with overlapping partitions, a broken header, and a table cut short" {
	uki
	esp BOOTX64.EFI
	"$make_gpt" --evil overlap disk.img 16 esp:1:4:esp.img linux:5:2
	bad '.*overlap.*\(at byte 0x' disk.img
	"$make_gpt" --evil crc disk.img 16 esp:1:4:esp.img
	bad '.*GPT.*\(at byte 0x' disk.img
	"$make_gpt" disk.img 16 esp:1:4:esp.img
	truncate -s 1500 disk.img
	bad '.*GPT.*' disk.img
}

@test "a FAT chain that loops" {
	uki
	esp BOOTX64.EFI
	# Clusters 2 and 3 are the folders; the file's from 4 on: the second leads back to the first.
	python3 - esp.img <<-'EOF'
		import struct, sys
		p = bytearray(open(sys.argv[1], "rb").read())
		sector, reserved = struct.unpack_from("<H", p, 11)[0], struct.unpack_from("<H", p, 14)[0]
		def put(c, v):
		    at = reserved * sector + c + c // 2
		    w = struct.unpack_from("<H", p, at)[0]
		    struct.pack_into("<H", p, at, w & 0x000f | v << 4 if c & 1 else w & 0xf000 | v)
		put(5, 4)
		open(sys.argv[1], "wb").write(p)
	EOF
	"$make_gpt" disk.img 16 esp:1:4:esp.img
	bad 'partition 1 \(ESP\): .*(loop|clusters).*\(at byte 0x' disk.img
}

@test "other filesystems on the ESP, and encrypted ones" {
	need mkfs.ext4
	truncate -s 4M fs.img
	printf 'LUKS\xba\xbe\0\002' | dd of=fs.img conv=notrunc status=none
	"$make_gpt" disk.img 8 esp:1:4:fs.img
	bad 'partition 1 \(ESP\): .*LUKS' disk.img
	mkfs.ext4 -q -F fs.img
	"$make_gpt" disk.img 8 esp:1:4:fs.img
	bad 'partition 1 \(ESP\): .*ext' disk.img
	head -c 4M /dev/zero | tr '\0' 'x' >fs.img
	"$make_gpt" disk.img 8 esp:1:4:fs.img
	bad 'partition 1 \(ESP\): .*unknown filesystem' disk.img
	truncate -s 0 fs.img
	truncate -s 4M fs.img
	"$make_gpt" disk.img 8 esp:1:4:fs.img
	bad 'partition 1 \(ESP\): ' disk.img
}

@test "a disk that is not there, not readable, or a folder" {
	bad 'cannot open: No such file or directory' nothing.img
	mkdir folder
	bad '.*' folder
	touch secret.img
	chmod 0 secret.img
	[ "$(id -u)" -ne 0 ] || skip "root reads everything"
	bad '.*Permission denied' secret.img
}

@test "profiles that do not hold what is asked for" {
	uki
	esp BOOTX64.EFI
	"$make_gpt" disk.img 8 esp:1:4:esp.img
	local name
	# with what is refused in each, and what the message says
	while IFS='|' read -r name edit words; do
		sed "$edit" p.yaml >"$name.yaml"
		fails "^assay precompute: $name.yaml: .*$words" \
			"$assay" precompute disk.img --platform "$name.yaml" -o out.json
		[ ! -e out.json ]
	done <<-'EOF'
		key|s/^arch:/colour: red\narch:/|colour
		eventkey|s/tries: 0/tries: 0, x: 1/|x
		schema|s/platform.1/platform\/2/|schema
		slot|s/slot: exit/slot: door/|door
		noboot|/slot: boot/d|slot
		bank|s/sha1, sha256/sha1, md5/|md5
		yaml|s/^events:/events: [/|.
	EOF
	: >empty.yaml
	fails '^assay precompute: empty.yaml: ' "$assay" precompute disk.img --platform empty.yaml
	fails '^assay precompute: none.yaml: ' "$assay" precompute disk.img --platform none.yaml
	fails '^assay precompute: \.: ' "$assay" precompute disk.img --platform .
	fails 'platform small: no digests in bank sha384' \
		"$assay" precompute disk.img --platform p.yaml --bank sha384 -o out.json
	[ ! -e out.json ]
}

@test "predictions and registers that compare cannot take" {
	echo '{}' >p.json
	echo 'sha256 0 00' >pcrs
	fails '^assay compare: p.json: ' "$assay" compare p.json --pcrs pcrs
	: >empty.json
	fails '^assay compare: empty.json: ' "$assay" compare empty.json --pcrs pcrs
	echo '{"schema": "assay.prediction/9"}' >p.json
	fails '^assay compare: p.json: .*assay.prediction/9' "$assay" compare p.json --pcrs pcrs
	run -2 "$assay" compare p.json
	run -2 "$assay" compare p.json --pcrs pcrs --log pcrs
}
