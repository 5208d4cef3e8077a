#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Packages in the facts: dpkg's own reading of the same database, and databases that are refused or only named.
bats_require_minimum_version 1.5.0

setup_file() {
	load common
	need mksquashfs jq dpkg dpkg-query dpkg-deb
	export dir=$BATS_FILE_TMPDIR/p
	mkdir -p "$dir" && cd "$dir"
}

setup() {
	top=$(realpath "$BATS_TEST_DIRNAME/../..")
	assay=$top/build/assay
	load common
	cd "$dir"
	tmp=$BATS_TEST_TMPDIR
	root=$tmp/root
	db=$root/var/lib/dpkg
	mkdir -p "$db"
}

# packages [JQ]: of the filesystem that $root is made into.
packages() {
	rm -f "$tmp/root.sqfs"
	mksquashfs "$root" "$tmp/root.sqfs" -quiet -no-progress -all-root > /dev/null
	"$assay" measure --data --json "$tmp/root.sqfs" | jq -r ".[0].filesystems[0].packages${1-}"
}

# theirs: what dpkg-query makes of the database, as ours.
theirs() {
	dpkg-query --admindir="$1" -W -f '${db:Status-Status} ${Package}:${Architecture} ${Version}\n' |
		awk '$1 != "config-files" && $1 != "not-installed" { print $2, $3 ($1 == "installed" ? "" : " " $1) }' | LC_ALL=C sort
}
ours() { packages '[0].installed | to_entries[] | "\(.key) \(.value)"' | LC_ALL=C sort; }

# package NAME VERSION ARCH [FIELDS]: of no files
package() {
	mkdir -p "$tmp/$1/DEBIAN"
	printf 'Package: %s\nVersion: %s\nArchitecture: %s\nMaintainer: T <t@example.org>\n%bDescription: d\n more of it\n .\n end\n' \
		"$1" "$2" "$3" "${4-}" > "$tmp/$1/DEBIAN/control"
	dpkg-deb --root-owner-group --build "$tmp/$1" "$tmp/$1.deb" > /dev/null
}

@test "a database that dpkg wrote: installed, unpacked, removed, of two architectures" {
	mkdir -p "$db/updates" "$db/info" "$db/triggers" && : > "$db/status"
	package one 1:2.0-1~b+c amd64 'Multi-Arch: same\n'
	package two 3 all
	package three 4-5 amd64 'Depends: nobody\n'
	package gone 1 all
	mkdir -p "$tmp/gone/etc" && echo x > "$tmp/gone/etc/x" && echo /etc/x > "$tmp/gone/DEBIAN/conffiles" &&
		dpkg-deb --root-owner-group --build "$tmp/gone" "$tmp/gone.deb" > /dev/null
	dpkg() { command dpkg --root="$root" --force-not-root --force-script-chrootless --force-bad-path --log=/dev/null "$@" > /dev/null 2>&1; }
	dpkg --install "$tmp/one.deb" "$tmp/two.deb" "$tmp/gone.deb"
	dpkg --unpack "$tmp/three.deb"
	dpkg --remove gone
	grep -q '^Status: .* config-files' "$db/status" && grep -q '^Status: .* unpacked' "$db/status"
	sed 's/^Package: one$/&\nXyz: y/; s/Architecture: amd64/Architecture: arm64/' "$db/status" |
		awk -v RS= '/^Package: one/ { print; print "" }' >> "$db/status"
	theirs "$db" > "$tmp/theirs"
	[ "$(wc -l < "$tmp/theirs")" -eq 4 ]
	diff <(ours) "$tmp/theirs"
	[ "$(packages '[0].path')" = /var/lib/dpkg/status ]
}

@test "this machine's own database" {
	[ -s /var/lib/dpkg/status ] || skip "this machine has no dpkg database"
	[ -z "$(find /var/lib/dpkg/updates -name '[0-9]*')" ] || skip "this machine's dpkg was interrupted"
	cp /var/lib/dpkg/status "$db/" && mkdir "$db/updates"
	theirs "$db" > "$tmp/theirs"
	diff <(ours) "$tmp/theirs"
	[ "$(wc -l < "$tmp/theirs")" -gt 50 ]
}

@test "the base image: what the image's own list says" {
	image=$top/build/image
	[ -s "$image/base.raw" ] && [ -s "$image/packages.tsv" ] || skip "no base image in build/image"
	"$assay" measure --json "$image/base.raw" |
		jq -r '.filesystems[0].packages[0].installed | to_entries[] | "\(.key | sub(":.*"; ""))\t\(.value)"' > "$tmp/ours"
	diff <(LC_ALL=C sort "$tmp/ours") <(LC_ALL=C sort "$image/packages.tsv")
	"$assay" cat "$image/base.raw" /var/lib/dpkg/status --part 2 > "$db/status"
	mkdir "$db/updates"
	diff <("$assay" measure --json "$image/base.raw" |
		jq -r '.filesystems[0].packages[0].installed | to_entries[] | "\(.key) \(.value)"' | LC_ALL=C sort) <(theirs "$db")
}

@test "status.d, as images without dpkg have it; both" {
	mkdir "$db/status.d"
	printf 'Package: base-files\nVersion: 12.4\nArchitecture: amd64\nDescription: x' > "$db/status.d/base"
	printf 'Package: tzdata\nVersion: 2024a-0\nArchitecture: all\n\n' > "$db/status.d/dHpkYXRh"
	echo 'd41d8cd98f00b204e9800998ecf8427e  etc/x' > "$db/status.d/base.md5sums"
	[ "$(packages '[] | "\(.kind) \(.path) \(.installed | tojson)"')" = 'dpkg /var/lib/dpkg/status.d {"base-files:amd64":"12.4","tzdata:all":"2024a-0"}' ]
	printf 'Package: more\nStatus: install ok installed\nVersion: 1\n' > "$db/status"
	[ "$(packages '| map(.path + " " + (.installed | keys | join(","))) | join("; ")')" = \
		'/var/lib/dpkg/status more; /var/lib/dpkg/status.d base-files:amd64,tzdata:all' ]
	cp "$db/status.d/base" "$db/status.d/again"
	[[ $(packages '[1].error') == "package base-files is there twice" ]]
	echo nonsense > "$db/status.d/again"
	[[ $(packages '[1].error') == "again: line 1: neither a field nor a continuation" ]]
}

@test "what is refused is said, and the rest of the facts is there" {
	printf 'Package: a\nStatus: install ok installed\nVersion: 1\n' > "$db/status"
	[ "$(packages '[0].installed | tojson')" = '{"a":"1"}' ]
	mkdir "$db/updates" && : > "$db/updates/tmp.i"
	[ "$(packages '[0].installed | tojson')" = '{"a":"1"}' ]
	: > "$db/updates/0000"
	[[ $(packages '[0].error') == *"interrupted"* ]]
	rm "$db/updates/0000"
	printf 'Package: a\nStatus: install ok installed\nVersion: 1' > "$db/status"
	[ "$(packages '[0].error')" = "line 3: the last line does not end" ]
	[ "$(packages '[0] | has("installed")')" = false ]
	"$assay" measure --data --json "$tmp/root.sqfs" | jq -e '.[0].filesystems[0].tree.sha256'
}

@test "other kinds are named, and nothing is read; where there is none, nothing is said" {
	rm -r "${root:?}/var"
	[ "$(packages)" = null ]
	mkdir -p "$root"/{usr/lib/sysimage/rpm,lib/apk/db,var/lib/pacman/local}
	: > "$root/usr/lib/sysimage/rpm/rpmdb.sqlite"
	: > "$root/lib/apk/db/installed"
	[ "$(packages '| map(.kind + " " + .path) | join("; ")')" = \
		"rpm /usr/lib/sysimage/rpm/rpmdb.sqlite; apk /lib/apk/db/installed; pacman /var/lib/pacman/local" ]
}
