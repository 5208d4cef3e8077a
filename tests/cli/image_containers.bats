#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The containers of the base image, without building or booting one: archives made by recipes of
# small packages, a user's own archive, the comparison with what is committed, and the program that
# the guest checks its archives with.

bats_require_minimum_version 1.5.0
load common

setup_file() {
	export top=$BATS_TEST_DIRNAME/../..
	export work=$BATS_FILE_TMPDIR/w
	export PATH=$top/build:$PATH
	python3 -c 'import yaml' 2>/dev/null || { export missing=python3-yaml; return 0; }
	command -v dpkg-deb >/dev/null || { export missing=dpkg-deb; return 0; }
	mkdir -p "$work/debs" && cd "$work"
	# Two packages of what Debian's have: documentation, links, modes, paths from before /usr was merged.
	mkdir -p one/usr/{bin,share/doc/one,share/man/man1} one/lib/x86_64-linux-gnu
	printf '#!/bin/sh\necho one\n' >one/usr/bin/one
	chmod 755 one/usr/bin/one
	echo lib >one/lib/x86_64-linux-gnu/libone.so.1.0
	ln -s libone.so.1.0 one/lib/x86_64-linux-gnu/libone.so.1
	echo read >one/usr/share/doc/one/README
	echo mine >one/usr/share/doc/one/copyright
	echo page >one/usr/share/man/man1/one.1
	mkdir -p two/usr/share/two two/etc
	echo data >two/usr/share/two/data
	echo setting >two/etc/two.conf
	chmod 600 two/etc/two.conf
	for p in one two; do
		mkdir $p/DEBIAN
		printf 'Package: %s\nVersion: 1:2.0-1\nArchitecture: amd64\nMaintainer: T <t@example.org>\nDescription: t\n' $p >$p/DEBIAN/control
		dpkg-deb --root-owner-group --build $p debs/${p}_1%3a2.0-1_amd64.deb >/dev/null
	done
	mkdir -p containers/box/etc
	echo ours >containers/box/etc/two.conf
	cat >containers.yaml <<-'END'
		containers:
		  - name: box
		    tag: "3"
		    packages: [one, two]
		    links: {usr/bin/uno: one}
		    folders: {/tmp: "1777"}
		    user: "65534:65534"
		    env: [A=b]
		    entrypoint: [/usr/bin/one]
	END
	"$top/scripts/container_archive.py" build containers.yaml box debs 1767225600 box.tar >box.id
}

setup() {
	[ -z "${missing-}" ] || skip "$missing is missing"
	cd "$work"
}

archive() { "$top/scripts/container_archive.py" build "$1" box debs 1767225600 "$2"; }

@test "recipe: the layer is the packages' files, without documentation, and what is laid over them" {
	layer=$(jq -r '.[0].Layers[0]' <<<"$(tar -xOf box.tar manifest.json)")
	run -0 tar --numeric-owner -tvf <(tar -xOf box.tar "$layer")
	awk '{ print $1, $2, $6, $7, $8 }' <<<"$output" | sed 's/ *$//' >list
	diff list - <<-'END'
		lrwxrwxrwx 0/0 bin -> usr/bin
		drwxr-xr-x 0/0 etc/
		-rw-r--r-- 0/0 etc/two.conf
		lrwxrwxrwx 0/0 lib -> usr/lib
		drwxrwxrwt 0/0 tmp/
		drwxr-xr-x 0/0 usr/
		drwxr-xr-x 0/0 usr/bin/
		-rwxr-xr-x 0/0 usr/bin/one
		lrwxrwxrwx 0/0 usr/bin/uno -> one
		drwxr-xr-x 0/0 usr/lib/
		drwxr-xr-x 0/0 usr/lib/x86_64-linux-gnu/
		lrwxrwxrwx 0/0 usr/lib/x86_64-linux-gnu/libone.so.1 -> libone.so.1.0
		-rw-r--r-- 0/0 usr/lib/x86_64-linux-gnu/libone.so.1.0
		drwxr-xr-x 0/0 usr/share/
		drwxr-xr-x 0/0 usr/share/doc/
		drwxr-xr-x 0/0 usr/share/doc/one/
		-rw-r--r-- 0/0 usr/share/doc/one/copyright
		drwxr-xr-x 0/0 usr/share/two/
		-rw-r--r-- 0/0 usr/share/two/data
	END
	[ "$(awk '{ print $4, $5 }' <<<"$(TZ=UTC tar --full-time -tvf <(tar -xOf box.tar "$layer"))" | sort -u)" = "2026-01-01 00:00:00" ]
	mkdir x && tar -C x -xf <(tar -xOf box.tar "$layer")
	cmp x/usr/bin/one one/usr/bin/one
	cmp x/etc/two.conf containers/box/etc/two.conf
}

@test "recipe: the ID is that of the configuration's bytes, for assay, for the guest and for skopeo" {
	config=$(jq -r '.[0].Config' <<<"$(tar -xOf box.tar manifest.json)")
	id=sha256:$(tar -xOf box.tar "$config" | sha256sum | cut -d' ' -f1)
	[ "$(<box.id)" = "$id" ]
	[ "$(assay containers --measurements box.tar | jq -c .)" = "{\"@local/box:3\":\"$id\"}" ]
	run -0 "$top/image/root/usr/lib/assay/containers" id box.tar
	[ "$output" = "@local/box:3 $id" ]
	need skopeo
	run -0 skopeo inspect --config docker-archive:box.tar
	[ "$(jq -c '[.config.User, .config.Env, .config.Entrypoint, .created]' <<<"$output")" = \
		'["65534:65534",["A=b"],["/usr/bin/one"],"2026-01-01T00:00:00Z"]' ]
	skopeo copy --quiet docker-archive:box.tar dir:copy
	[ "$(jq -r .config.digest copy/manifest.json)" = "$id" ]
}

@test "recipe: umask, time zone, locale, and the modes of a checkout do not show" {
	cp -a . ../w2 && cd ../w2
	chmod -R go= containers
	touch containers/box/etc/two.conf
	(umask 077 && TZ=Pacific/Auckland LC_ALL=C.UTF-8 PYTHONHASHSEED=7 archive containers.yaml again.tar)
	cmp again.tar "$work/box.tar"
	rm -rf ../w2
}

@test "recipe: what is not understood is refused by name" {
	fault() { # SED-EXPRESSION MESSAGE
		sed "$1" containers.yaml >bad.yaml
		run -1 archive bad.yaml bad.tar
		echo "$output"
		[[ $output == *"$2"* ]]
	}
	fault 's/packages: .*/packages: [one, three]/' "three: 0 packages"
	fault 's/packages: .*/packages: [one, one]/' "is in two packages"
	fault 's/tag: .*/tag: 3/' "tag: text wanted (numbers in quotes)"
	fault 's/name: box/name: Box/' "lower-case letters"
	fault 's/user:/usr:/' "unknown key 'usr'"
	fault 's/packages:.*/keep: []/' "either packages or an archive"
	fault 's/1777/17x7/' "the mode is octal digits"
	fault 's/packages: .*/&\n    drop: ["*two*"]/' "nothing of two is wanted"
	fault 's/packages: .*/archive: a.tar/' "an archive has name, tag, archive and id"
}

# A copy of what builds containers, with containers.yaml of a user's own archive alone.
own() { # NAME ID
	rm -rf own && mkdir -p own/build own/image
	cp -a "$top/mkosi.conf" "$top/scripts" own/
	mkdir -p own/image/root/usr/lib && cp -a "$top/image/root/usr/lib/assay" own/image/root/usr/lib/
	ln -s "$(realpath "$top/build/assay")" own/build/assay
	mkdir own/image/containers
	printf 'containers:\n  - name: %s\n    tag: "3"\n    archive: %s\n    id: %s\n' "$1" "$work/${3-box.tar}" "$2" \
		>own/image/containers.yaml
	run env -u ASSAY_BUILD own/scripts/build-containers.sh --offline
	echo "$output"
}

@test "a user's own archive goes in under its name and ID, and no other" {
	own box "$(<box.id)"
	[ "$status" -eq 0 ]
	cmp own/build/containers/box.tar box.tar
	[ "$(jq -r '."@local/box:3"' own/build/containers/container_measurements.json)" = "$(<box.id)" ]
	own box "sha256:$(printf '0%.0s' {1..64})"
	[ "$status" -eq 1 ]
	[[ $output == *"container box: expected is @local/box:3 sha256:0000"*"in the archive is @local/box:3 $(<box.id)"* ]]
	own crate "$(<box.id)"
	[ "$status" -eq 1 ]
	[[ $output == *"expected is @local/crate:3"* ]]
	# A layer that is not the one that the ID covers
	LC_ALL=C sed 's/^echo one/echo two/' box.tar >other.tar
	own box "$(<box.id)" other.tar
	[ "$status" -eq 1 ]
	[[ $output == *"assay refuses the archive"* ]]
	[ ! -e own/build/containers/container_measurements.json ]
}

@test "committed IDs: equal, moved with their packages, and different without" {
	rm -rf c b && mkdir -p c/image b
	list() { printf '{\n  "@local/box:3": "sha256:%s"\n}\n' "$1"; }
	printf 'box\tone\t1.0\taaaa\nbox\ttwo\t1.0\tbbbb\n' | tee c/image/containers.packages.tsv >b/packages.tsv
	list 11 | tee c/container_measurements.json >b/container_measurements.json
	compare() { ASSAY_COMMITTED=$work/c run "$top/scripts/check-containers.sh" "$@" "$work/b"; echo "$output"; }
	compare
	[ "$status" -eq 0 ]
	[ "$output" = "box:3: sha256:11, as committed" ]
	list 22 >b/container_measurements.json
	compare
	[ "$status" -eq 3 ]
	[[ $output == *"box:3: sha256:22, DIFFERENT: committed is sha256:11, of the same packages"* ]]
	sed -i 's/two\t1.0\tbbbb/two\t1.1\tcccc/' b/packages.tsv
	compare
	[ "$status" -eq 0 ]
	[[ $output == *"box:3: sha256:22, not the committed sha256:11; its packages have moved on:"*"  two: 1.0 -> 1.1"* ]]
	[[ $output != *"  one:"* ]]
	[ "$(<c/container_measurements.json)" = "$(list 11)" ]
	sed -i 's/box/crate/' b/container_measurements.json
	compare
	[ "$status" -eq 3 ]
	[[ $output == *"box:3: committed, not built"*"crate:3: sha256:22, not committed"* ]]
	compare --write
	[ "$output" = "written: container_measurements.json
written: image/containers.packages.tsv" ]
	cmp b/container_measurements.json c/container_measurements.json
	cmp b/packages.tsv c/image/containers.packages.tsv
}

# What the guest says of a folder with box.tar and its list, after COMMAND has had its way there.
guest() { # STATUS COMMAND
	rm -rf g && mkdir -p g/containers
	cp box.tar g/containers/
	assay containers --measurements box.tar >g/container_measurements.json
	(cd g && eval "$2")
	run -"$1" "$top/image/root/usr/lib/assay/containers" check g
	echo "$output"
}

@test "guest: every archive is listed with its ID, and every listed one is there" {
	guest 0 :
	[ "$output" = "assay-containers: box.tar: @local/box:3 $(<box.id), as listed
assay-containers: all as listed" ]
	guest 1 "sed -i 's/sha256:.*\"/sha256:$(printf '5%.0s' {1..64})\"/' container_measurements.json"
	[[ $output == *"WRONG: g/containers/box.tar: expected @local/box:3 sha256:5555"*", actual @local/box:3 $(<box.id)"* ]]
	[[ $output == *"no container is started" ]]
	guest 1 'sed -i s/box:3/box:4/ container_measurements.json'
	[[ $output == *"expected @local/box:4 $(<box.id), actual @local/box:3 "* ]]
	guest 1 'rm containers/box.tar'
	[[ $output == *"WRONG: g/containers/box.tar is missing; expected @local/box:3 $(<box.id)"* ]]
	guest 1 'cp containers/box.tar containers/more.tar'
	[[ $output == *"WRONG: g/containers/more.tar is not listed; actual @local/box:3 $(<box.id)"* ]]
	guest 1 'cp containers/box.tar containers/.hidden'
	[[ $output == *".hidden is not listed"* ]]
	guest 1 'ln -s nowhere containers/link.tar'
	[[ $output == *"link.tar is not listed"* ]]
}

@test "guest: a list in another form, and an archive that is not of one image, are wrong" {
	for fault in '2s/$/,\n  "@local\/a:1": "sha256:aa"/' '1s/^/ /' '$d' '$a}' 's/"sha256:/"sha512:/' 's/@local/@other/' \
		'2s/"$/0"/' '2s/^  /  "x": 1, /' '2s/box/..\/box/' '2d'; do
		guest 1 "sed -i '$fault' container_measurements.json"
		[[ $output == *"WRONG: g/container_measurements.json: not a list of names and IDs"* ]]
	done
	guest 1 ': >container_measurements.json'
	[[ $output == *"not a list of names and IDs"* ]]
	guest 1 'rm container_measurements.json'
	pack() { # JQ-FILTER of the manifest
		mkdir m && tar -C m -xf containers/box.tar
		jq -c "$1" m/manifest.json >m/new && mv m/new m/manifest.json
		tar -C m -cf containers/box.tar . --transform 's,^\./,,'
		rm -r m
	}
	for filter in '. + .' '.[0].RepoTags += ["b:1"]' 'del(.[0].Config)' '.[0].RepoTags = []' '.[0].Config = "no such"' \
		'.[0].Config = .[0].Layers[0]' '.[0].config = "x" | .[0].x = {Config: "y"}'; do
		guest 1 "pack '$filter'"
		[[ $output == *"WRONG: g/containers/box.tar: "*"expected @local/box:3 $(<box.id)"* ]]
	done
	for filter in '.[0].RepoTags = ["box:3*"]' '.[0].Config = "a\\b"'; do
		guest 1 "pack '$filter'"
		[[ $output == *"no manifest.json of one image with one name"* ]]
	done
	guest 0 "pack '.[0].more = 1'"
	# A second configuration of the same name
	guest 1 'echo >x && tar --append -f containers/box.tar --transform "s,.*,$(tar -tf containers/box.tar | sed -n 2p)," x'
	[[ $output == *", actual @local/box:3 "* ]]
	# Cut short
	guest 1 'truncate -s 1600 containers/box.tar'
	[[ $output == *", actual @local/box:3 "* ]]
	guest 1 'truncate -s 600 containers/box.tar'
}

# The guest's program with this machine's podman, whose store is a folder of the test.
loads() { # STATUS
	mkdir -p bin
	printf '#!/bin/sh\nexec %s --root %s --runroot %s --storage-driver vfs "$@"\n' "$(type -p podman)" "$work/store" "$work/run" \
		>bin/podman
	chmod +x bin/podman
	PATH=$work/bin:$PATH run -"$1" "$top/image/root/usr/lib/assay/containers" load g
	echo "$output"
}

@test "guest: podman has to take each archive, and to have the listed IDs and no others" {
	need podman
	[ "$(id -u)" -eq 0 ] || skip "podman's store without a user namespace needs root"
	podman --root "$work/store" --runroot "$work/run" --storage-driver vfs info &>/dev/null || skip "podman does not run here"
	guest 0 :
	loads 0
	[ "${lines[-1]}" = "assay-containers: all as listed" ]
	[ "$(podman --root "$work/store" --runroot "$work/run" --storage-driver vfs images --no-trunc --format '{{.ID}}')" = "$(<box.id)" ]
	# One more, from elsewhere
	bin/podman tag localhost/box:3 localhost/other:1
	loads 1
	[[ $output == *"WRONG: podman's images differ; expected:"*"@local/box:3 $(<box.id)"*"actual:"*"@local/other:1 $(<box.id)"* ]]
	bin/podman rmi --force --all >/dev/null
	# A layer that is not the configuration's; name, configuration and ID are right.
	guest 0 "LC_ALL=C sed 's/^echo one/echo two/' containers/box.tar >x && mv x containers/box.tar"
	loads 1
	[[ $output == *"WRONG: g/containers/box.tar: podman refuses it: "* ]]
	[ -z "$(bin/podman images --quiet)" ]
}
