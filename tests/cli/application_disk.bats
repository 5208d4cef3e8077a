#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Application disks: the same files make the same disk, veritysetup and unsquashfs find in it what went in, and what the
# machine would refuse is refused before. (That the base image takes one, serving.bats sees.)

bats_require_minimum_version 1.5.0

setup() {
	export PATH=$PATH:/usr/sbin:/sbin
	load common
	need mksquashfs unsquashfs veritysetup sfdisk jq
	top=$(realpath "$BATS_TEST_DIRNAME/../..")
	cd "$BATS_TEST_TMPDIR"
	mkdir -p app/containers app/weights/"two words"
	archive application:1 app/containers/application.tar
	seq 1 100000 >app/weights/model.bin
	echo more >app/weights/"two words/x"
}

# archive NAME FILE: an image with one empty layer.
archive() {
	mkdir a
	tar -cf a/layer.tar -T /dev/null
	printf '{"architecture":"amd64","os":"linux","config":{"Env":["N=%s"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' "$1" \
		"$(sha256sum <a/layer.tar | cut -c 1-64)" >a/config.json
	printf '[{"Config":"config.json","RepoTags":["localhost/%s"],"Layers":["layer.tar"]}]' "$1" >a/manifest.json
	tar -C a -cf "$2" manifest.json config.json layer.tar
	rm -r a
}

disk() {
	run "$top/scripts/application-disk.sh" "$@"
	echo "$output"
}

@test "application disk: its UUIDs are the root hash, by which veritysetup and assay verify it" {
	disk app app.raw
	[ "$status" -eq 0 ]
	[[ $output =~ ^[0-9a-f]{64}$ ]]
	hash=$output
	[ "$(sfdisk --json app.raw | jq -r '[.partitiontable.partitions[] | .uuid] | join("") | ascii_downcase | gsub("-"; "")')" = "$hash" ]
	[ "$(sfdisk --json app.raw | jq -r '[.partitiontable.partitions[].name] | join(" ")')" = "application application-verity" ]
	for n in 1 2; do
		read -r start size < <(sfdisk --json app.raw | jq -r ".partitiontable.partitions[$n - 1] | \"\(.start) \(.size)\"")
		dd if=app.raw of="part$n" bs=512 skip="$start" count="$size" status=none
	done
	veritysetup verify part1 part2 "$hash"
	unsquashfs -quiet -no-progress -dest out part1 >/dev/null
	diff -r app out
	[ "$(unsquashfs -lln part1 | awk '$2 != "0/0" || $1 !~ /^(drwxr-xr-x|-rw-r--r--)$/' | grep -c /)" -eq 0 ]
	run -0 "$top/build/assay" measure --data --json app.raw
	[ "$(jq -r '.[0] | [.chain[].state] | unique | join(" ")' <<<"$output")" = ok ]
	[ "$(jq -r '.[0].verity[0].root_hash' <<<"$output")" = "$hash" ]
}

@test "application disk: modes, times, owners and the folder's name have no part in it; each byte has" {
	disk app app.raw
	cp -r app "another app"
	chmod -R go= "another app"
	touch -d 2001-01-01 "another app"/weights/*
	disk "another app" other.raw
	[ "$status" -eq 0 ]
	cmp app.raw other.raw
	printf x | dd of="another app/weights/model.bin" bs=1 seek=7 conv=notrunc status=none
	disk "another app" other.raw
	run ! cmp -s app.raw other.raw
}

@test "application disk: what the machine would refuse is refused, and nothing is left" {
	refused() {
		disk app no.raw
		[ "$status" -eq 1 ]
		[[ $output == *"$1"* ]]
		[ ! -e no.raw ]
		[ -z "$(find . -name '.application.*')" ]
	}
	archive other:1 app/containers/more.tar
	disk app two.raw
	[ "$status" -eq 0 ]
	rm app/containers/more.tar
	refused "container_measurements.json is not that of the archives"
	rm app/container_measurements.json
	ln -s model.bin app/weights/link
	refused "neither file nor folder"
	rm app/weights/link
	touch 'app/weights/a"b'
	refused "cannot be packed"
	rm 'app/weights/a"b'
	archive application:2 app/containers/application.tar
	refused "is not localhost/application:1"
	rm app/containers/application.tar
	refused "no containers/application.tar"
	rm -r app/weights
	refused "no folder weights"
	disk app
	[ "$status" -eq 2 ]
}
