#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# publish.sh [--golden DIR] --key URI [--cert CHAIN.pem] MANIFEST PROFILE...
#
# Sign a manifest and publish it with its platforms' profiles as DIR/NAME/RELEASE/ (DIR: golden), whole or not at all.
# What is published stays: the same release with other content is refused (exit 1); with the same content the
# signature is added, if this key has not signed it yet.

set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
assay=${ASSAY:-$top/build/assay}
golden=$top/golden
sign=()

die() {
	printf 'publish.sh: %s\n' "$*" >&2
	exit 1
}
usage() {
	sed -n '4s/^# /usage: /p' "$0" >&2
	exit 2
}

while [[ $# -gt 0 ]]; do
	case $1 in
	--golden) golden=${2:?--golden needs a folder} ;;
	--key | --cert) sign+=("$1" "${2:?$1 needs a value}") ;;
	-*) usage ;;
	*) break ;;
	esac
	shift 2
done
[[ $# -ge 1 && ${#sign[@]} -gt 0 ]] || usage
manifest=$1
shift

statement=$("$assay" manifest show --statement "$manifest") || exit 1
name=$(jq -r .predicate.name <<<"$statement")
release=$(jq -r .predicate.release <<<"$statement")
dir=$golden/$name/$release

# Two at a time must not both find that nothing is there.
mkdir -p "$golden/$name"
exec 9<"$golden/$name"
flock 9

if [[ -e $dir ]]; then
	[[ -e $dir/manifest.dsse.json ]] || die "$dir is there, and has no manifest"
	"$assay" manifest show --statement "$dir/manifest.dsse.json" | cmp -s - <("$assay" manifest show --statement "$manifest") ||
		die "release $release of $name is published and says something else ('assay diff' tells what); give this one another number"
	said=$("$assay" manifest sign "$dir/manifest.dsse.json" "${sign[@]}" 2>&1) && exit 0
	[[ $said != *'is by this key already'* ]] || exit 0
	printf '%s\n' "$said" >&2
	exit 1
fi

new=$golden/$name/.$release.new
rm -rf "$new"
trap 'rm -rf "$new"' EXIT
mkdir "$new"
# The profiles that it was made with, each under its own name.
jq -r '.predicate.inputs[] | select(.kind == "platform") | "\(.digest.sha256) \(.name)"' <<<"$statement" |
	while read -r digest platform; do
		found=
		for profile; do
			[[ $(sha256sum <"$profile") != "$digest  -" ]] || found=$profile
		done
		[[ -n $found ]] || die "the profile of platform $platform, with SHA-256 $digest, is not among the files given"
		cp "$found" "$new/$platform.yaml"
		chmod 644 "$new/$platform.yaml"
	done
"$assay" manifest sign "$manifest" "${sign[@]}" -o "$new/manifest.dsse.json"
chmod 644 "$new/manifest.dsse.json"
mv -T "$new" "$dir"
trap - EXIT
