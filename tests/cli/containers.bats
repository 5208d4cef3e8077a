#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# assay containers: archives made here with tar and jq, IDs and digests by sha256sum, and what
# skopeo and umoci make of the same images.

bats_require_minimum_version 1.5.0

setup_file() {
	export dir=$BATS_FILE_TMPDIR/c
	mkdir -p "$dir/root" && cd "$dir"
	seq 1 5000 > root/numbers
	echo first > root/a
	make_tar l1.tar root numbers
	make_tar l2.tar root a
	cp l1.tar l3.tar # the same layer again
	d1=$(sum l1.tar) d2=$(sum l2.tar)
	jq -cn --arg a "sha256:$d1" --arg b "sha256:$d2" \
		'{architecture: "amd64", os: "linux", config: {Env: ["A=b"]}, rootfs: {type: "layers", diff_ids: [$a, $b, $a]}}' > config
	export id
	id=$(sum config)
	docker_archive old.tar "$id.json"
	oci_layout oci gzip
	tar -C oci -cf oci.tar .
	# both styles in one
	cp -a oci both
	jq -cn --arg c "blobs/sha256/$id" --argjson l "$(jq -c '[.layers[].digest | sub("sha256:"; "blobs/sha256/")]' manifest)" \
		'[{Config: $c, RepoTags: ["web:1"], Layers: $l}]' > both/manifest.json
	tar -C both -cf both.tar .
}

make_tar() { tar -C "$2" --sort=name --mtime=@0 --owner=0 --group=0 -cf "$1" "${@:3}"; }
sum() { sha256sum < "$1" | cut -d' ' -f1; }

# docker_archive OUT CONFIG-NAME: as docker save wrote it, a link for the layer that is there twice
docker_archive() {
	rm -rf d && mkdir -p d/l1 d/l2 d/l3
	cp l1.tar d/l1/layer.tar
	cp l2.tar d/l2/layer.tar
	ln -s ../l1/layer.tar d/l3/layer.tar
	mkdir -p "d/$(dirname "$2")" && cp config "d/$2"
	jq -cn --arg c "$2" '[{Config: $c, RepoTags: ["web:1", "web:latest"], Layers: ["l1/layer.tar", "l2/layer.tar", "l3/layer.tar"]}]' > d/manifest.json
	# shellcheck disable=SC2046 # one word is one name
	tar -C d -cf "$1" $(ls d)
}

add_blob() { # FILE MEDIA-TYPE: a descriptor
	local s
	s=$(sum "$1")
	cp "$1" "$dir/$out/blobs/sha256/$s"
	jq -cn --arg d "sha256:$s" --argjson n "$(stat -c %s "$1")" --arg t "$2" '{mediaType: $t, digest: $d, size: $n}'
}

oci_layout() { # FOLDER PACKER
	local out=$1 layers=() l
	mkdir -p "$out/blobs/sha256"
	for l in l1 l2 l3; do
		"$2" -c < $l.tar > $l.packed
		layers+=("$(add_blob $l.packed application/vnd.oci.image.layer.v1.tar+"$2")")
	done
	jq -cn --argjson c "$(add_blob config application/vnd.oci.image.config.v1+json)" \
		--argjson l "[$(IFS=,; echo "${layers[*]}")]" \
		'{schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json", config: $c, layers: $l}' > manifest
	jq -cn --argjson m "$(add_blob manifest application/vnd.oci.image.manifest.v1+json)" \
		'{schemaVersion: 2, manifests: [$m + {annotations: {"org.opencontainers.image.ref.name": "web:1"}}]}' > "$out/index.json"
	echo '{"imageLayoutVersion":"1.0.0"}' > "$out/oci-layout"
}

setup() {
	top=$(realpath "$BATS_TEST_DIRNAME/../..")
	shared=${ASSAY_SHARED:-$top/../shared}
	export PATH=$top/build:$PATH
	cd "$dir"
	work=$BATS_TEST_TMPDIR
}

is_image() { # JSON: one image of our ID, all layers right, nothing to remark
	jq -e --arg id "sha256:$id" 'length == 1 and .[0].image_id == $id and .[0].layers_verified == true and .[0].disagreements == []' <<< "$1"
}

@test "every style gives the ID of sha256sum and verified layers" {
	for a in old.tar d oci.tar oci both.tar both; do
		[ $a != d ] || continue # has a link, see below
		run -0 assay containers --json $a
		is_image "$output"
	done
	oci_layout zs zstd
	run -0 assay containers --json zs
	is_image "$output"
	run -0 jq -r '.[0].layers[0].packing' <<< "$output"
	[ "$output" = zstd ]
}

@test "a folder's links are not followed" {
	run -1 assay containers d
	[[ $output == *"is a link"* ]]
}

@test "--ids-only reads no layer" {
	cp old.tar "$work/x.tar"
	offset=$(assay containers --json old.tar | jq '.[0].layers[0].offset')
	printf X | dd of="$work/x.tar" bs=1 seek=$((offset + 700)) conv=notrunc status=none
	run -0 assay containers --ids-only --json "$work/x.tar"
	jq -e --arg id "sha256:$id" '.[0].image_id == $id and .[0].layers_verified == null' <<< "$output"
	run -3 assay containers "$work/x.tar"
	[[ $output == *DIFFERENT* ]]
}

@test "skopeo agrees on the configuration, and its copies of each kind have the same ID" {
	command -v skopeo > /dev/null || skip "skopeo is missing"
	[ "$(skopeo inspect --config --raw docker-archive:old.tar | sha256sum | cut -d' ' -f1)" = "$id" ]
	skopeo copy -q docker-archive:old.tar:web:1 docker-archive:"$work/s.tar":web:1
	run -0 assay containers --json "$work/s.tar"
	is_image "$output"
	[ "$(jq -r '.[0].names[0]' <<< "$output")" = docker.io/library/web:1 ]
	# skopeo writes a new configuration for OCI: ours must give that one's ID
	skopeo copy -q docker-archive:old.tar:web:1 oci-archive:"$work/o.tar":web:1
	other=$(skopeo inspect --config --raw oci-archive:"$work/o.tar" | sha256sum | cut -d' ' -f1)
	run -0 assay containers --json "$work/o.tar"
	jq -e --arg id "sha256:$other" '.[0].image_id == $id and .[0].layers_verified and .[0].disagreements == []' <<< "$output"
}

@test "an image that umoci made" {
	command -v umoci > /dev/null || skip "umoci is missing"
	umoci init --layout "$work/u" && umoci new --image "$work/u:one"
	umoci insert --rootless --image "$work/u:one" root/a /a
	config=$(jq -r '.manifests[0].digest | sub(":"; "/")' "$work/u/index.json")
	config=$(jq -r .config.digest "$work/u/blobs/$config")
	run -0 assay containers --json "$work/u"
	jq -e --arg id "$config" '.[0].image_id == $id and .[0].layers_verified and .[0].disagreements == [] and .[0].names == ["one"]' <<< "$output"
}

@test "a configuration under a wrong name: the bytes count, where skopeo says nothing" {
	wrong=$(printf 'f%.0s' {1..64})
	docker_archive wrong.tar "$wrong.json"
	run -0 assay containers --json wrong.tar
	jq -e --arg id "sha256:$id" '.[0].image_id == $id and (.[0].disagreements | length) == 1 and .[0].layers_verified' <<< "$output"
	command -v skopeo > /dev/null || skip "skopeo is missing"
	skopeo inspect --config docker-archive:wrong.tar > /dev/null
}

@test "a damaged layer, gzip and plain: exit 3, where skopeo inspect gives an ID all the same" {
	cp -a oci bad
	blob=$(jq -r '.manifests[0].digest | sub(":"; "/")' oci/index.json)
	blob=$(jq -r '.layers[1].digest | sub(":"; "/")' "oci/blobs/$blob")
	gzip -c < l3.tar > "bad/blobs/$blob" # another layer's bytes
	run -3 --separate-stderr assay containers --json bad
	jq -e '.[0].layers_verified == false and .[0].layers[1].verified == false and .[0].layers[0].verified and (.[0].disagreements | length) == 1' <<< "$output"
	head -c 100 "oci/blobs/$blob" > "bad/blobs/$blob"
	run -3 assay containers bad
	[[ $output == *DAMAGED* ]]
	run -3 assay containers --measurements bad
	[[ $output != *@local* ]]
	command -v skopeo > /dev/null || skip "skopeo is missing"
	skopeo inspect --config oci:bad > /dev/null
}

@test "several images in an archive; one name for two is refused for measurements" {
	rm -rf two && mkdir two && cp -a d/. two/
	jq -c '. + {os: "plan9"}' config > config2
	cp config2 "two/$(sum config2).json"
	jq -c --arg c "$(sum config2).json" '. + [.[0] + {Config: $c, RepoTags: ["other:1"]}]' d/manifest.json > two/manifest.json
	# shellcheck disable=SC2046 # one word is one name
	tar -C two -cf two.tar $(ls two)
	run -0 assay containers --json two.tar
	jq -e --arg a "sha256:$id" --arg b "sha256:$(sum config2)" '[.[].image_id] == [$a, $b] and all(.layers_verified)' <<< "$output"
	run -0 assay containers --measurements two.tar
	[ "$(jq -c . <<< "$output")" = "{\"@local/other:1\":\"sha256:$(sum config2)\",\"@local/web:1\":\"sha256:$id\",\"@local/web:latest\":\"sha256:$id\"}" ]
	jq -c '.[1].RepoTags = ["web:1"]' two/manifest.json > m && mv m two/manifest.json
	# shellcheck disable=SC2046 # one word is one name
	tar -C two -cf two.tar $(ls two)
	run -1 assay containers --measurements two.tar
	[[ $output == *"two images of different IDs"* ]]
}

@test "lists that differ are told" {
	cp -a both differ
	jq '.manifests = [.manifests[0] + {digest: "sha256:'"$(printf '0%.0s' {1..64})"'"}]' both/index.json > differ/index.json
	run -0 assay containers --json differ
	jq -e '.[0].disagreements | length == 2' <<< "$output"
}

@test "--check: the same, another ID, one more, one less" {
	assay containers --measurements oci.tar > "$work/m.json"
	run -0 assay containers --check "$work/m.json" oci.tar
	sed "s/sha256:./sha256:$([ "${id:0:1}" = 0 ] && echo 1 || echo 0)/" "$work/m.json" > "$work/n.json"
	run -3 assay containers --check "$work/n.json" oci.tar
	[[ $output == *DIFFERENT* ]]
	run -3 assay containers --check "$work/m.json" old.tar
	[[ $output == *"@local/web:latest: sha256:$id, not listed"* ]]
	jq '. + {"@local/x:1": "sha256:'"$id"'"}' "$work/m.json" > "$work/n.json"
	run -3 assay containers --check "$work/n.json" oci.tar
	[[ $output == *"@local/x:1: in no archive"* ]]
	echo '{"web:1": "sha256:'"$id"'"}' > "$work/n.json"
	run -1 assay containers --check "$work/n.json" oci.tar
}

@test "archives that are packed as a whole, by docker save | gzip and its kin" {
	mkdir "$work/tmp"
	for p in gzip xz bzip2 zstd; do
		$p -c < oci.tar > "$work/x.tar.$p"
		TMPDIR=$work/tmp run -0 assay containers --json "$work/x.tar.$p"
		is_image "$output"
	done
	[ -z "$(ls -A "$work/tmp")" ]
	TMPDIR=$work/nowhere run -1 assay containers "$work/x.tar.xz"
	[[ $output == *"cannot make a temporary file"* ]]
	# packed twice: once is undone
	gzip -c < "$work/x.tar.gzip" > "$work/twice.gz"
	run -1 assay containers "$work/twice.gz"
	[[ $output == *gzip* ]]
	head -c -100 "$work/x.tar.gzip" > "$work/cut.gz"
	run -1 assay containers "$work/cut.gz"
	[[ $output == *"unpacked (gzip)"* ]]
}

# packed_docker OUT PACKER: a docker-archive whose layers are packed, as containers/image and Docker take them too
packed_docker() {
	rm -rf "$work/p" && mkdir "$work/p"
	for l in l1 l2; do "$2" -c < $l.tar > "$work/p/$l"; done
	cp config "$work/p/$id.json"
	jq -cn --arg c "$id.json" '[{Config: $c, RepoTags: ["web:1"], Layers: ["l1", "l2", "l1"]}]' > "$work/p/manifest.json"
	tar -C "$work/p" -cf "$1" "$id.json" l1 l2 manifest.json
}

@test "layers in gzip, xz, bzip2 and zstd, which skopeo unpacks to the same digests" {
	command -v skopeo > /dev/null || skip "skopeo is missing"
	for p in gzip xz bzip2 zstd; do
		packed_docker "$work/$p.tar" $p
		run -0 assay containers --json "$work/$p.tar"
		is_image "$output"
		[ "$(jq -r '.[0].layers[0].packing' <<< "$output")" = $p ]
		# it compares what it unpacks with the diff IDs
		skopeo copy -q "docker-archive:$work/$p.tar" "dir:$work/$p"
		sed -i "s/$(sum l1.tar)/$(sum l2.tar)/" "$work/p/$id.json"
		tar -C "$work/p" -cf "$work/bad.tar" "$id.json" l1 l2 manifest.json
		run -3 assay containers "$work/bad.tar"
		run -1 skopeo copy -q "docker-archive:$work/bad.tar" "dir:$work/bad"
	done
}

# fat_disk OUT FOLDER: a partitioned disk whose second partition has the folder's files
fat_disk() {
	truncate -s 12M "$1"
	printf 'label: gpt\nstart=2048, size=2048, type=swap\nstart=4096, size=18432, type=linux\n' |
		/sbin/sfdisk -q --no-reread --no-tell-kernel "$1" 2> /dev/null
	/sbin/mkfs.vfat --offset 4096 "$1" 9216 &> /dev/null
	mcopy -s -i "$1@@2M" "$2"/* ::/
}

@test "in a disk's filesystem: archives and layouts with their partition, broken ones by name, others not at all" {
	mkdir -p "$work/f/sub/deep"
	cp old.tar "$work/f/OLD.TAR"
	gzip -c < oci.tar > "$work/f/sub/packed image.tgz"
	cp -a oci "$work/f/sub/deep/layout"
	echo no archive > "$work/f/notes.tar"
	tar -cf "$work/f/other.tar" root
	xz -c < "$work/f/other.tar" > "$work/f/other.tar.xz"
	cp both.tar "$work/f/both.backup"
	fat_disk "$work/disk" "$work/f"
	run -0 --separate-stderr assay containers --json "$work/disk"
	[ -z "$stderr" ]
	jq -e --arg id "sha256:$id" --arg d "$work/disk" 'length == 3 and all(.image_id == $id and .layers_verified and .partition == 2 and .disk == $d)
		and [.[].archive] == ["/OLD.TAR", "/sub/deep/layout", "/sub/packed image.tgz"]' <<< "$output"
	run -0 assay containers --ids-only "$work/disk"
	[[ $output == *"$work/disk: partition 2: /sub/deep/layout"* ]]
	run -0 assay containers --measurements "$work/disk"
	[ "$(jq -c . <<< "$output")" = "{\"@local/web:1\":\"sha256:$id\",\"@local/web:latest\":\"sha256:$id\"}" ]
	echo "$output" > "$work/m.json"
	run -0 assay containers --check "$work/m.json" "$work/disk"
	run -3 assay containers --check "$work/m.json" oci

	# the filesystem alone, from byte 0
	dd if="$work/disk" of="$work/part" bs=1M skip=2 status=none
	run -0 assay containers --json "$work/part"
	jq -e 'length == 3 and all(has("partition") | not)' <<< "$output"

	# a cut archive among them: the others are told all the same
	head -c 4000 old.tar > "$work/f/cut.tar"
	fat_disk "$work/disk2" "$work/f"
	run -1 --separate-stderr assay containers --json "$work/disk2"
	[[ $stderr == *"partition 2: /cut.tar: "*"cut short"* ]]
	jq -e 'length == 3' <<< "$output"
	run -1 --separate-stderr assay containers --measurements "$work/disk2"
	[ -z "$output" ]
}

@test "a disk in qcow2, in gzip, and as Google Cloud packs it: told from packed archives by what is in them" {
	mkdir -p "$work/f" && cp old.tar "$work/f"
	fat_disk "$work/disk.raw" "$work/f"
	gzip -c < "$work/disk.raw" > "$work/disk.gz"
	tar -C "$work" -czf "$work/disk.tar.gz" disk.raw
	local d disks=(disk.gz disk.tar.gz)
	if command -v qemu-img > /dev/null && command -v qemu-nbd > /dev/null; then
		qemu-img convert -O qcow2 "$work/disk.raw" "$work/disk.qcow2"
		disks+=(disk.qcow2)
	fi
	for d in "${disks[@]}"; do
		run -0 --separate-stderr assay containers --json "$work/$d"
		jq -e --arg id "sha256:$id" --arg d "$work/$d" 'length == 1 and .[0].image_id == $id and .[0].layers_verified and .[0].disk == $d and .[0].archive == "/old.tar"' <<< "$output"
	done
	[ ${#disks[@]} -eq 3 ] || skip "qemu-img or qemu-nbd is missing"
}

@test "in squashfs, ext4 and erofs alike: links, hard links, several archives; a bit in a layer" {
	mkdir -p "$work/r/opt/images" "$work/r/etc"
	cp old.tar "$work/r/opt/images/a.tar"
	ln "$work/r/opt/images/a.tar" "$work/r/opt/images/b.tar"
	cp -a oci "$work/r/opt/layout"
	ln -s images/a.tar "$work/r/opt/link.tar"
	ln -s /opt/layout "$work/r/etc/layout"
	mkfs_squashfs() { mksquashfs "$1" "$2" -quiet -no-progress -noappend -comp zstd; }
	mkfs_ext4() { truncate -s 16M "$2" && mke2fs -q -t ext4 -d "$1" "$2"; }
	mkfs_erofs() { mkfs.erofs "$2" "$1"; }
	local fs missing=
	for fs in squashfs ext4 erofs; do
		mkfs_$fs "$work/r" "$work/$fs" &> "$work/log" || { missing+=" $fs"; continue; }
		run -0 --separate-stderr assay containers --json "$work/$fs"
		[ -z "$stderr" ]
		jq -e --arg id "sha256:$id" 'all(.image_id == $id and .layers_verified) and [.[].archive] == ["/opt/images/a.tar", "/opt/images/b.tar", "/opt/layout"]' <<< "$output"
	done
	# an archive's bytes lie as they are in ext4
	offset=$(grep -abo -m 1 '^4999$' "$work/ext4" | head -n 1 | cut -d: -f1)
	printf 5 | dd of="$work/ext4" bs=1 seek="$offset" conv=notrunc status=none
	run -3 assay containers "$work/ext4"
	[[ $output == *DIFFERENT* ]]
	[ -z "$missing" ] || skip "cannot make$missing"
}

@test "a partition that cannot be looked into is told; a list of measurements does without none" {
	mkdir -p "$work/f" && cp old.tar "$work/f"
	fat_disk "$work/disk" "$work/f"
	dd if=/dev/zero of="$work/disk" bs=1M seek=2 count=1 conv=notrunc status=none
	printf 'LUKS\xba\xbe' | dd of="$work/disk" bs=1 seek=2M conv=notrunc status=none
	run -0 --separate-stderr assay containers --json "$work/disk"
	[[ $stderr == *"partition 2 is not looked into: "*LUKS* ]]
	run -1 assay containers --measurements "$work/disk"
	[[ $output == *"partition 2: "*LUKS* ]]
}

@test "refused by name: other files, keys in another case, a name twice" {
	printf nothing > "$work/none"
	run -1 assay containers "$work/none"
	[[ $output == *"neither a container archive nor a partitioned disk"* ]]
	rm -rf "$work/k" && cp -a d "$work/k"
	sed 's/"Config":/"config":"x","Config":/' d/manifest.json > "$work/k/manifest.json"
	tar -C "$work/k" -cf "$work/k.tar" .
	run -1 assay containers "$work/k.tar"
	[[ $output == *"some readers take for"* ]]
	cp old.tar "$work/twice.tar" && tar -C d -rf "$work/twice.tar" manifest.json
	run -1 assay containers "$work/twice.tar"
	[[ $output == *twice* ]]
}

@test "layers of any size, plain and packed, on one core and on all" {
	mkdir "$work/n" && cd "$work/n"
	local n=0 s ids=() files=()
	for s in 0 1 63 64 65 131071 131072 131073 262144 1048576 1048577 3000000; do
		head -c "$s" /dev/urandom > "l$s"
		ids+=("sha256:$(sum "l$s")") && files+=("l$s")
	done
	for s in 65 1048577; do
		zstd -q "l$s" -o "z$s" && ids+=("sha256:$(sum "l$s")") && files+=("z$s")
	done
	jq -cn --args '{rootfs: {type: "layers", diff_ids: $ARGS.positional}}' "${ids[@]}" > c
	jq -cn --args '[{Config: "c", RepoTags: ["n:1"], Layers: $ARGS.positional}]' "${files[@]}" > manifest.json
	tar -cf ../n.tar c manifest.json "${files[@]}"
	for n in 0 "0-$(($(nproc) - 1))"; do
		run -0 taskset -c "$n" assay containers --json ../n.tar
		jq -e '.[0].layers_verified and (.[0].layers | length) == 14' <<< "$output"
		run -0 taskset -c "$n" assay containers --json .
		jq -e '.[0].layers_verified' <<< "$output"
	done
	# one bit of each: that layer and no other
	printf X | dd of=l131073 bs=1 seek=131072 conv=notrunc status=none
	run -3 --separate-stderr assay containers --json .
	jq -e '[.[0].layers[] | select(.verified | not) | .path] == ["l131073"]' <<< "$output"
}

@test "a member twice: skopeo takes the first, GNU tar the last, we neither" {
	cp old.tar "$work/dup.tar"
	jq -c '.[0].RepoTags = ["other:1"]' d/manifest.json > "$work/manifest.json"
	tar -C "$work" -rf "$work/dup.tar" manifest.json
	run -1 assay containers "$work/dup.tar"
	[[ $output == *"manifest.json: is in the tar file twice: readers differ"* ]]
	[ "$(tar -C "$work" -xf "$work/dup.tar" manifest.json && jq -r '.[0].RepoTags[0]' "$work/manifest.json")" = other:1 ]
	command -v skopeo > /dev/null || skip "skopeo is missing"
	skopeo inspect --config docker-archive:"$work/dup.tar":web:1 > /dev/null
	run -1 skopeo inspect --config docker-archive:"$work/dup.tar":other:1
}

@test "kaniko's names, hard links, names of 100 and more bytes in GNU and pax headers" {
	local long blob
	long=$(printf 'x%.0s' {1..150})
	rm -rf "$work/k" && mkdir "$work/k" && cd "$work/k"
	cp "$dir/config" "sha256:$id"
	gzip -c < "$dir/l1.tar" > "$(sum "$dir/l1.tar").tar.gz"
	gzip -c < "$dir/l2.tar" > "$long"
	ln "$(sum "$dir/l1.tar").tar.gz" again
	jq -cn --args '[{Config: $ARGS.positional[0], RepoTags: ["web:1"], Layers: $ARGS.positional[1:]}]' \
		"sha256:$id" "$(sum "$dir/l1.tar").tar.gz" "$long" again > manifest.json
	for format in gnu pax ustar; do
		[ $format != ustar ] || { mv "$long" short && sed -i "s/$long/short/" manifest.json; }
		tar --format=$format -cf ../k.tar -- *
		run -0 assay containers --json ../k.tar
		is_image "$output"
		command -v skopeo > /dev/null || continue
		[ "$(skopeo inspect --config --raw docker-archive:../k.tar | sha256sum | cut -d' ' -f1)" = "$id" ]
	done
	# a hole in a layer, and tar told to look for holes
	truncate -s 1M hole && tar -Scf ../s.tar -- *
	run -1 assay containers ../s.tar
	[[ $output == *"sparse file"* ]]
}

@test "an index of two platforms: both images, as skopeo tells them apart" {
	cp -a oci "$work/multi"
	local out=$work/multi m2
	jq -c '.architecture = "arm64"' config > "$work/config2"
	add_blob() { # FILE MEDIA-TYPE
		cp "$1" "$out/blobs/sha256/$(sum "$1")"
		jq -cn --arg d "sha256:$(sum "$1")" --argjson n "$(stat -c %s "$1")" --arg t "$2" '{mediaType: $t, digest: $d, size: $n}'
	}
	manifest_of_oci | jq -c --argjson c "$(add_blob "$work/config2" application/vnd.oci.image.config.v1+json)" '.config = $c' > "$work/m2"
	m2=$(add_blob "$work/m2" application/vnd.oci.image.manifest.v1+json)
	jq -c --argjson b "$m2" '{schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: [
		(.manifests[0] | del(.annotations)) + {platform: {os: "linux", architecture: "amd64"}}, $b + {platform: {os: "linux", architecture: "arm64"}}]}' \
		oci/index.json > "$work/inner"
	jq -cn --argjson i "$(add_blob "$work/inner" application/vnd.oci.image.index.v1+json)" \
		'{schemaVersion: 2, manifests: [$i + {annotations: {"org.opencontainers.image.ref.name": "web:1"}}]}' > "$out/index.json"
	run -0 assay containers --json "$out"
	jq -e --arg a "sha256:$id" --arg b "sha256:$(sum "$work/config2")" '[.[].image_id] == [$a, $b] and all(.layers_verified and .names == ["web:1"] and .disagreements == [])
		and [.[].architecture] == ["amd64", "arm64"]' <<< "$output"
	# one name for two IDs: it depends on the machine which one is meant
	run -1 assay containers --measurements "$out"
	[[ $output == *"two images of different IDs"* ]]
	command -v skopeo > /dev/null || skip "skopeo is missing"
	for arch in amd64 arm64; do
		[ "$(skopeo inspect --override-arch $arch --config --raw "oci:$out:web:1" | sha256sum | cut -d' ' -f1)" = \
			"$(jq -r --arg a $arch '.[] | select(.architecture == $a).image_id | sub("sha256:"; "")' <<< "$(assay containers --json "$out")")" ]
	done
}

# The manifest of the layout oci.
manifest_of_oci() {
	cat "oci/blobs/$(jq -r '.manifests[0].digest | sub(":"; "/")' oci/index.json)"
}

# with JQ-PROGRAM: a copy of that layout with its manifest changed so, in $work/w
with() {
	local m
	rm -rf "$work/w" && cp -a oci "$work/w"
	manifest_of_oci | jq -c "$1" > "$work/new"
	m=$(sum "$work/new")
	cp "$work/new" "$work/w/blobs/sha256/$m"
	jq -c --arg d "sha256:$m" --argjson n "$(stat -c %s "$work/new")" '.manifests[0] += {digest: $d, size: $n}' oci/index.json > "$work/w/index.json"
}

@test "refused by name: digests in capitals and of other hashes, counts that differ, foreign and encrypted layers" {
	with '.layers[0].digest |= (sub("sha256:"; "") | ascii_upcase | "sha256:" + .)'
	run -1 assay containers "$work/w"
	[[ $output == *'is not "sha256:" and 64 lower-case hex digits: sha256:'* ]]
	if command -v skopeo > /dev/null; then
		run -1 skopeo copy -q "oci:$work/w:web:1" "dir:$work/copy"
	fi
	with '.layers[0].digest = "sha512:" + ([range(128) | "0"] | add)'
	run -1 assay containers "$work/w"
	[[ $output == *"hex digits: sha512:0000"* ]]
	with '.layers |= .[1:]'
	run -1 assay containers "$work/w"
	[[ $output == *"2 layers, but the configuration names 3"* ]]
	with '.layers[0] += {digest: ("sha256:" + ([range(64) | "0"] | add)), mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", urls: ["https://example.org/"]}'
	run -1 assay containers "$work/w"
	[[ $output == *"is a foreign one, to be had elsewhere"* ]]
	with '.layers[0].mediaType += "+encrypted"'
	run -1 assay containers "$work/w"
	[[ $output == *"is encrypted"* ]]
	# one that lies in the archive is a layer like any other
	with '.layers[0].mediaType = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"'
	run -0 assay containers --json "$work/w"
	is_image "$output"
}

@test "podman loads the same IDs" {
	command -v podman > /dev/null || skip "podman is missing"
	[ "$(id -u)" -eq 0 ] || skip "podman's store without a user namespace needs root"
	local pod=(podman --root "$work/root" --runroot "$work/run" --storage-driver vfs)
	"${pod[@]}" info &> /dev/null || skip "podman does not run here"
	zstd -q old.tar -o "$work/packed.tar.zst"
	packed_docker "$work/layers.tar" xz
	for a in old.tar both.tar "$work/packed.tar.zst" "$work/layers.tar"; do
		"${pod[@]}" load -q -i $a
		[ "$("${pod[@]}" images --no-trunc --quiet | sort -u)" = "sha256:$id" ]
		[ "$(assay containers --json $a | jq -r '.[].image_id')" = "sha256:$id" ]
		"${pod[@]}" rmi -a -f > /dev/null
	done
	"${pod[@]}" load -q -i oci.tar # its configuration is kept as it is
	[ "$("${pod[@]}" images --no-trunc --quiet)" = "sha256:$id" ]
	# what podman saves is ours again
	"${pod[@]}" save -q --format docker-archive -o "$work/saved.tar" "sha256:$id"
	run -0 assay containers --json "$work/saved.tar"
	jq -e --arg id "sha256:$id" '.[0].image_id == $id and .[0].layers_verified' <<< "$output"
	"${pod[@]}" system reset -f &> /dev/null || rm -rf "$work/root"
}

@test "docker 25's archive of hello-world" {
	archive=$shared/data/containers/google-hello-world-v25.tar
	[ -e "$archive" ] || skip "data/containers/google-hello-world-v25.tar is missing"
	config=$(tar -xOf "$archive" manifest.json | jq -r '.[0].Config')
	run -0 assay containers --json "$archive"
	jq -e --arg id "sha256:$(tar -xOf "$archive" "$config" | sha256sum | cut -d' ' -f1)" \
		'.[0].image_id == $id and .[0].layers_verified and .[0].disagreements == []' <<< "$output"
}
