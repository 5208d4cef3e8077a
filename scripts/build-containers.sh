#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# build-containers.sh [--output DIR] [--refresh | --offline]
#
# Build the container archives of image/containers.yaml into DIR, build/containers unless named:
#   NAME.tar                      a docker-archive; a user's own is a copy
#   container_measurements.json   image IDs, as `assay containers --measurements` reads them
#   packages.tsv                  container, package, version, sha256: what each ID was made of
# No daemon, no root; the network for packages alone, which apt chooses and checks. Archives that
# these recipes and packages made already are left as they are.
#
#   --refresh   take the newest packages (else those of the last build are kept)
#   --offline   read nothing from the network; fail if something is missing

set -euo pipefail
# shellcheck source=scripts/apt-private.sh
. "$(dirname "$0")/apt-private.sh"
# shellcheck source=scripts/debian-repo.sh
. "$top/scripts/debian-repo.sh"

suite=trixie
output=$build/containers
refresh=
offline=
while [[ $# -gt 0 ]]; do
	case $1 in
	--output)
		output=${2:?--output needs a folder}
		shift
		;;
	--refresh) refresh=1 ;;
	--offline) offline=1 ;;
	*)
		echo "usage: build-containers.sh [--output DIR] [--refresh | --offline]" >&2
		exit 2
		;;
	esac
	shift
done

yaml=$top/image/containers.yaml
archive=$top/scripts/container_archive.py
assay=$build/assay
work=$build/containers.work
repo=$work/repo
[[ -x $assay ]] || die "$assay is not built: run make"
mkdir -p "$work" "$output"
output=$(cd "$output" && pwd)
lock "$work/lock"

# Every file of a container has the time that every file of the image has.
when=$(sed -n 's/^SourceDateEpoch=//p' "$top/mkosi.conf")
rows=$("$archive" list "$yaml")
names=$("$archive" packages "$yaml")

# Somebody may want no containers but archives.
if [[ -z $names ]]; then
	mkdir -p "$repo"
	: >"$repo/packages.tsv"
elif [[ -n $refresh ]] || ! repo_has "$repo" "$names"; then
	[[ -z $offline ]] || die "the repository at $repo does not have all packages"
	apt_private_setup "$suite"
	apt_private_update "$([[ -n $refresh ]] && echo 0 || echo 1440)"
	# shellcheck disable=SC2086 # one word is one package
	repo_make "$repo" "$names" $names
fi

# What decides the bytes of the archives that recipes make.
decided_by() (
	cd "$top"
	sha256sum scripts/container_archive.py image/containers.yaml
	find image/containers -printf '%p %y%l' \( -perm -100 -printf ' x\n' -o -printf '\n' \) \
		\( -type f -exec sha256sum {} \; -o -true \) | LC_ALL=C sort
	echo "$when"
	cat "$repo/packages.tsv"
)
decided=$(decided_by | sha256sum)
fresh=
[[ -e $output/decided && $(<"$output/decided") == "$decided" ]] || fresh=1
[[ -z $fresh ]] || rm -f "$output"/*.tar "$output"/*.json "$output"/*.tsv
rm -f "$output/decided"

: >"$work/packages.tsv"
: >"$work/want.tsv"
archives=()
while IFS=$'\t' read -r name tag path id; do
	if [[ $path == - ]]; then
		[[ -e $output/$name.tar && -e $output/$name.id ]] ||
			"$archive" build "$yaml" "$name" "$repo" "$when" "$output/$name.tar" >"$output/$name.id"
		id=$(<"$output/$name.id")
		while read -r package; do
			awk -F'\t' -v OFS='\t' -v c="$name" -v p="$package" '$1 == p { print c, $0; n++ } END { exit n != 1 }' \
				"$repo/packages.tsv" || die "$package: not once in $repo"
		done < <("$archive" packages "$yaml" "$name") >>"$work/packages.tsv"
	else
		[[ $path == /* ]] || path=$(dirname "$yaml")/$path
		[[ -r $path ]] || die "container $name: no archive $path"
		cp "$path" "$output/$name.tar"
	fi
	chmod 644 "$output/$name.tar"
	printf '@local/%s:%s %s %s\n' "$name" "$tag" "$id" "$name" >>"$work/want.tsv"
	archives+=("$output/$name.tar")
done <<<"$rows"

# assay reads each archive, its layers too, and has to find one image in it: the one expected. So
# does the program that will look at it in the guest.
guest=$top/image/root/usr/lib/assay/containers
while read -r key id name; do
	found=$("$assay" containers --measurements "$output/$name.tar") || die "container $name: assay refuses the archive"
	found=$(sed -n 's/^ *"\(.*\)": "\(.*\)",\{0,1\}$/\1 \2/p' <<<"$found")
	[[ $found == "$key $id" ]] || die "container $name: expected is $key $id, in the archive is $found"
	found=$("$guest" id "$output/$name.tar") || die "container $name: the guest cannot read it: $found"
	[[ $found == "$key $id" ]] || die "container $name: expected is $key $id, the guest reads $found"
done <"$work/want.tsv"
"$assay" containers --measurements "${archives[@]}" >"$output/container_measurements.json"
mv "$work/packages.tsv" "$output/packages.tsv"
echo "$decided" >"$output/decided"
say "$output: ${#archives[@]} archives, $(cat "${archives[@]}" | wc -c) bytes"
