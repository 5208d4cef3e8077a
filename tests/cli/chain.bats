#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The chain from a UKI's command line down to image IDs, on disks that mksquashfs, veritysetup and sfdisk made: what
# measure and precompute say when it is whole, and when one bit of it is not.

bats_require_minimum_version 1.5.0

setup_file() {
	export PATH=$PATH:/usr/sbin:/sbin MTOOLS_SKIP_CHECK=1
	load chain
	load common
	lacks=$(chain_missing)
	export lacks
	[ -z "$lacks" ] || return 0
	cd "$BATS_FILE_TMPDIR"
	small_profile sha256 > p.yaml
	chain_root root
	chain_squashfs root root.sqfs
	chain_disk disk.img root.sqfs
}

setup() {
	[ -z "$lacks" ] || skip "missing: $lacks"
	load chain
	assay=$(realpath "$BATS_TEST_DIRNAME/../..")/build/assay
	cd "$BATS_TEST_TMPDIR"
	from=$BATS_FILE_TMPDIR
	cp "$from/disk.img" "$from/p.yaml" .
}

# part N: where partition N begins.
part() {
	sfdisk -J disk.img | jq ".partitiontable.partitions[$1 - 1].start * 512"
}

# at TEXT [FILE]: where these bytes are, once.
at() {
	local found
	found=$(grep -obaF -- "$1" "${2-disk.img}")
	[ "$(wc -l <<< "$found")" = 1 ] || return 1
	echo "${found%%:*}"
}

# broken OFFSET WORDS...: with that byte's bit flipped, measure writes facts and exits with 3, precompute predicts
# nothing and exits with 3; both name the link with these words.
broken() {
	local offset=$1 word
	shift
	verity_flip disk.img "$offset"
	run -3 --separate-stderr "$assay" measure --json disk.img
	[ "$(jq -r .schema <<< "$output")" = assay.facts/1 ]
	[ "$(jq '[.chain[] | select(.state == "broken")] | length' <<< "$output")" -ge 1 ]
	for word; do
		grep -F -- "$word" <<< "$stderr"
	done
	run -3 --separate-stderr "$assay" precompute disk.img --platform p.yaml --json -o out.json
	[ -z "$output" ] && [ ! -e out.json ]
	for word; do
		grep -F -- "$word" <<< "$stderr"
	done
	verity_flip disk.img "$offset"
	cmp disk.img "$from/disk.img"
}

@test "a whole chain: what veritysetup, sfdisk and unsquashfs say" {
	local root
	run -0 --separate-stderr "$assay" measure --json disk.img
	[ -z "$stderr" ]
	root=$(jq -r '.verity[0].root_hash' <<< "$output")
	grep -F "roothash=$root" <(strings -n 8 disk.img)
	dd if=disk.img of=data bs=512 skip=$(($(part 2) / 512)) count="$(chain_sectors "$from/root.sqfs")" status=none
	dd if=disk.img of=tree bs=512 skip=$(($(part 3) / 512)) status=none
	veritysetup verify data tree "$root"
	[ "$(jq -c '[.chain[:3][] | [.link, .state]]' <<< "$output")" = '[["root hash","ok"],["verity","ok"],["filesystem","ok"]]' ]
	[ "$(jq '[.chain[] | select(.state == "broken" or .state == "open")] | length' <<< "$output")" = 0 ]
	# regions: partitions and their bounds are sfdisk's, the sum is the file
	[ "$(jq '[.regions[].size] | add' <<< "$output")" = "$(stat -c %s disk.img)" ]
	[ "$(jq -r ".regions[] | select(.offset == $(part 2)) | .measured + \" \" + .by[0]" <<< "$output")" = "yes roothash of partition 2" ]

	[ "$(jq -r '.filesystems[0].tree.sha256' <<< "$output")" = "$("$assay" ls --digest --part 2 disk.img /)" ]
	[ "$(jq -r '.filesystems[0].tree | .files' <<< "$output")" = "$(find "$from/root" -type f | wc -l)" ]

	run -0 --separate-stderr "$assay" precompute disk.img --platform p.yaml --json
	[ "$(jq -c .image.root <<< "$output")" = "{\"checked\":true,\"root_hash\":\"$root\"}" ]
	run -0 "$assay" measure disk.img
	[[ $output == *"ok         verity"*"<- roothash="* ]]
}

@test "one bit: command line, hash tree, data, partition table" {
	local root
	root=$("$assay" measure --json disk.img | jq -r '.verity[0].root_hash')
	# a digit of the root hash; the UKI is another, but it is a UKI
	broken $(($(at "roothash=$root") + 12)) "broken link: root hash: roothash="
	broken $(($(part 3) + 4096)) "broken link: verity: partition 2" "tree level 1, block 0"
	# which file lies in the first block: the only one whose bytes do not pack
	broken $(($(part 2) + 4096 + 77)) "broken link: verity: partition 2" ", in /usr/bin/tool" "data block 1, 4096 bytes at byte 0x$(printf %x $(($(part 2) + 4096)))"
	# the superblock's salt
	broken $(($(part 3) + 88)) "broken link: verity: partition 2"
	# a partition entry: firmware takes no such table
	verity_flip disk.img $((1024 + 130))
	run -1 "$assay" measure disk.img
	[[ $output == *"GPT entries' CRC"* ]]
	run -1 "$assay" precompute disk.img --platform p.yaml
	[[ $output == *"GPT entries' CRC"* ]]
}

# resealed WORDS...: a new hash tree over root.sqfs, and a UKI that names its root: now the deeper link is what is broken.
resealed() {
	local word
	chain_disk disk.img root.sqfs
	run -3 --separate-stderr "$assay" measure --json disk.img
	[ "$(jq -c '[.chain[:2][].state]' <<< "$output")" = '["ok","ok"]' ]
	for word; do
		grep -F -- "$word" <<< "$stderr"
	done
	run -3 --separate-stderr "$assay" precompute disk.img --platform p.yaml --json -o out.json
	[ -z "$output" ] && [ ! -e out.json ]
	grep -F -- "$1" <<< "$stderr"
}

@test "images and their list: what skopeo says" {
	command -v skopeo > /dev/null || skip "skopeo is missing"
	local name tag tar
	"$assay" measure --json disk.img > facts
	for name in hello:1 world:2; do
		tar=$from/root/usr/share/assay/containers/${name%:*}.tar
		tag=$(skopeo inspect --config --raw "docker-archive:$tar:localhost/$name" | sha256sum)
		[ "$(jq -r ".containers[] | select(.names == [\"localhost/$name\"]) | .image_id" facts)" = "sha256:${tag%% *}" ]
	done
	[ "$(jq -c '[.container_measurements[0].entries[].state]' facts)" = '["agrees","agrees"]' ]
	[ "$(jq -c '[.chain[2:][] | [.link, .state]] | unique' facts)" = '[["container","ok"],["container measurements","ok"],["filesystem","ok"]]' ]
}

@test "a tree over a root that is broken itself: squashfs, configuration, layer, list" {
	local share=root/usr/share/assay inodes
	# the squashfs's metadata: the inode table's packed bytes, behind their length
	cp "$from/root.sqfs" .
	inodes=$(od -An -tu8 -j 64 -N 8 root.sqfs)
	verity_flip root.sqfs $((inodes + 12))
	resealed "broken link: filesystem: partition 2"

	cp -r "$from/root" .
	verity_flip $share/containers/hello.tar "$(at amd64 $share/containers/hello.tar)"
	chain_squashfs root root.sqfs
	resealed "broken link: container measurements: /usr/share/assay/container_measurements.json" "@local/hello:1"

	rm -r root && cp -r "$from/root" .
	verity_flip $share/containers/world.tar "$(at "a line of the layer" $share/containers/world.tar)"
	chain_squashfs root root.sqfs
	resealed "broken link: container: /usr/share/assay/containers/world.tar" "layer 1, layer.tar"

	rm -r root && cp -r "$from/root" .
	verity_flip $share/container_measurements.json 30
	chain_squashfs root root.sqfs
	resealed "broken link: container measurements: /usr/share/assay/container_measurements.json"
}

@test "data disks: a device of its own, partitions; whole, and with one bit changed" {
	local root size blocks
	cp "$from/root.sqfs" device
	truncate -s %4096 device
	size=$(stat -c %s device)
	blocks=$((size / 4096))
	root=$(verity_format device device --data-blocks=$blocks --hash-offset=$size --salt=77)
	run -0 --separate-stderr "$assay" measure --data --json device disk.img
	[ "$(jq -c '[.[].schema] | unique' <<< "$output")" = '["assay.data/1"]' ]
	[ "$(jq -r '.[0].verity[0].root_hash' <<< "$output")" = "$root" ]
	[ "$(jq -c '[.[] | [.chain[].state] | unique]' <<< "$output")" = '[["ok"],["ok"]]' ]
	[ "$(jq '.[0].containers | length' <<< "$output")" = 2 ]
	[ "$(jq '[.[0].regions[].size] | add' <<< "$output")" = "$(stat -c %s device)" ]
	[ "$(jq -c '.[0].regions[0] | [.measured, .size]' <<< "$output")" = "[\"yes\",$size]" ]
	run -0 "$assay" measure --data device
	[[ $output == *"root hash=$root: the disk, hash tree behind the data  <- the disk's own word"* ]]

	verity_flip device 5000
	run -3 --separate-stderr "$assay" measure --data --json disk.img device
	[[ $stderr == *"device: broken link: verity: the disk: $blocks blocks"*"data block 1, 4096 bytes at byte 0x1000, in /usr/bin/tool" ]]
	# a filesystem alone: nothing vouches for it
	run -0 --separate-stderr "$assay" measure --data --json "$from/root.sqfs"
	[ "$(jq -c '[.[0].chain[] | select(.link == "verity") | .state]' <<< "$output")" = '["open"]' ]
	run -1 "$assay" measure --data --json disk.img nonesuch
	run -2 "$assay" measure --data --boot /x disk.img
	run -2 "$assay" measure --data
}

@test "--skip-chain: a prediction that says what it is worth" {
	run -0 --separate-stderr "$assay" precompute disk.img --platform p.yaml --json
	jq 'del(.image.root)' <<< "$output" > checked
	verity_flip disk.img $(($(part 2) + 5000))
	run -0 --separate-stderr "$assay" precompute --skip-chain disk.img --platform p.yaml --json
	[[ $(jq -r '.image.root | "\(.checked) \(.remark)"' <<< "$output") == "false it was not checked"* ]]
	# the values are the same: no boot stage but the kernel would see it
	diff <(jq .pcrs checked) <(jq .pcrs <<< "$output")
	run -0 "$assay" precompute --skip-chain disk.img --platform p.yaml
	[[ ${lines[-1]} == "root: it was not checked"* ]]
}

@test "no root hash: not broken, and said" {
	chain_disk disk.img "$from/root.sqfs" "quiet root=/dev/vda2"
	# and nothing that the UUIDs could be taken for
	sfdisk -q --part-uuid disk.img 2 00000000-0000-0000-0000-00000000000a
	sfdisk -q --part-type disk.img 3 0fc63daf-8483-4772-8e79-3d69d8477de4
	run -0 --separate-stderr "$assay" measure --json disk.img
	[ "$(jq -r '.chain[] | select(.link == "verity") | .state + ": " + .why' <<< "$output")" = "open: no root hash covers it: nothing vouches for it" ]
	[ "$(jq -r ".regions[] | select(.offset == $(part 2)).measured" <<< "$output")" = partly ]
	[ "$(jq -r ".regions[] | select(.offset == $(part 3)).measured" <<< "$output")" = no ]
	run -0 --separate-stderr "$assay" precompute disk.img --platform p.yaml --json
	[[ $(jq -r .image.root.remark <<< "$output") == "the command line names no root hash"* ]]
}

@test "random bits through the programs: exit codes as documented, and never a word too few" {
	local size offset rc seed=${FLIP_SEED-$RANDOM} i
	echo "FLIP_SEED=$seed"
	RANDOM=$seed
	size=$(stat -c %s disk.img)
	"$assay" measure --json disk.img | jq 'del(.image.digest)' > before
	for ((i = 0; i < 40; i++)); do
		offset=$(((RANDOM << 15 | RANDOM) % size))
		verity_flip disk.img $offset
		rc=0
		"$assay" measure --json disk.img > facts 2> errors || rc=$?
		verity_flip disk.img $offset
		echo "byte $offset: exit $rc"
		case $rc in
		0 | 3) jq 'del(.image.digest)' facts > after ;;
		1) [ ! -s facts ] && grep -q "^assay measure: disk.img: ." errors ;;
		*) false ;;
		esac
		[ $rc != 3 ] || grep -q "broken link" errors
		measured=$(jq -r "[.regions[] | select(.offset <= $offset)][-1].measured" before)
		if [ $rc != 1 ] && cmp -s before after; then
			[ "$measured" != yes ]
		else
			[ "$measured" != no ]
		fi
	done
}

@test "modules of the root, and the kernel that they are for" {
	cp -a "$from/root" root
	mkdir -p root/usr/lib/modules/6.12.0-amd64/kernel root/usr/lib/modules/6.11.9-amd64/kernel
	ln -s usr/lib root/lib
	touch root/usr/lib/modules/6.12.0-amd64/kernel/{one.ko,two.ko.xz,no.module} root/usr/lib/modules/6.11.9-amd64/kernel/three.ko.zst
	chain_squashfs root root.sqfs && chain_disk disk.img root.sqfs
	"$assay" measure --json disk.img > facts
	[ "$(jq -c '.filesystems[0].modules' facts)" = '[{"modules":1,"release":"6.11.9-amd64"},{"modules":2,"release":"6.12.0-amd64"}]' ]
	[ "$(jq -c '.modules' facts)" = '[{"partition":2,"program":"/EFI/BOOT/BOOTX64.EFI","release":"6.12.0-amd64","verdict":"match"}]' ]
	run -0 "$assay" measure disk.img
	[[ $output == *"modules partition 2, for /EFI/BOOT/BOOTX64.EFI: its kernel's, 6.12.0-amd64"* ]]

	# Those of another kernel, in a folder that is no link.
	rm -r root/usr/lib/modules/6.12.0-amd64 root/lib
	mkdir -p root/lib/modules/6.10-amd64/extra && touch root/lib/modules/6.10-amd64/extra/four.ko
	chain_squashfs root root.sqfs && chain_disk disk.img root.sqfs
	"$assay" measure --json disk.img > facts
	[ "$(jq -c '.modules[0] | [.verdict, .reason]' facts)" = '["mismatch","modules for 6.10-amd64, 6.11.9-amd64, kernel is 6.12.0-amd64"]' ]
	run -0 "$assay" measure disk.img
	[[ $output == *"NOT its kernel's: modules for 6.10-amd64"* ]]
}
