#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# fetch-deb.sh [--with-depends] SUITE DESTDIR PACKAGE...
#
# Download Debian packages of a suite and unpack them under DESTDIR, beside each other as they
# would lie under /; nothing is installed and the machine's own apt is not touched. apt checks
# the archive's signature and each package's digest. A meta package of the kernel
# (linux-image-cloud-amd64) brings the kernel that it stands for. --with-depends brings what the
# packages depend on too (not what they recommend).
#
# DESTDIR/packages.tsv lists what is there: name, version, sha256, and the name it was asked by.
# What is there already is not fetched again, whatever its version: remove DESTDIR for newer ones.

set -euo pipefail
# shellcheck source=scripts/apt-private.sh
. "$(dirname "$0")/apt-private.sh"

with_depends=
if [[ ${1-} == --with-depends ]]; then
	with_depends=1
	shift
fi
[[ $# -ge 3 ]] || {
	echo "usage: fetch-deb.sh [--with-depends] SUITE DESTDIR PACKAGE..." >&2
	exit 2
}
suite=$1
dest=$2
shift 2
list=$dest/packages.tsv

missing() {
	local p
	for p; do
		[[ -e $list ]] && awk -F'\t' -v p="$p${with_depends:+ +}" '$4 == p || $1 == p { f = 1 } END { exit !f }' "$list" || echo "$p"
	done
}

is_suite() {
	[[ ! -e $list || $(head -n 1 "$list") == "# Debian $suite" ]] || die "$dest has packages of another suite"
}

is_suite
mapfile -t todo < <(missing "$@")
[[ ${#todo[@]} -gt 0 ]] || exit 0

mkdir -p "$dest"
lock "$build/apt/lock"
is_suite
mapfile -t todo < <(missing "$@") # somebody else may have fetched them meanwhile
[[ ${#todo[@]} -gt 0 ]] || exit 0

apt_private_setup "$suite" --main-only
apt_private_update

# What a meta package of the kernel stands for; any other name is its own answer.
resolve() {
	local p=$1 real
	if [[ $p =~ ^linux-image-(cloud-)?(amd64|arm64)$ ]]; then
		real=$(apt-cache depends --no-recommends --no-suggests "$p" |
			sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1)
		[[ -n $real ]] || die "$p of $suite stands for no kernel"
		echo "$real"
	else
		echo "$p"
	fi
}

# PACKAGE... -> $apt_dir/debs and $apt_dir/fetched, lines "name version sha256 file".
fetch() {
	local uri file size sum version
	local -a want=()
	apt-get -qq --print-uris download "$@" >"$apt_dir/uris" || return 1
	: >"$apt_dir/fetched"
	while read -r uri file size sum; do
		[[ -n $uri && $sum == SHA256:* ]] || die "$file: the archive gives no sha256 (${sum%%:*})"
		version=${file#*_}
		version=${version%_*}
		printf '%s\t%s\t%s\t%s\n' "${file%%_*}" "${version//%3a/:}" "${sum#SHA256:}" "$file" >>"$apt_dir/fetched"
		if [[ ! -e $apt_dir/debs/$file ]]; then
			say "fetching ${file%_*} ($((size / 1024)) KiB)"
			want+=("${file%%_*}=${version//%3a/:}")
		fi
	done <"$apt_dir/uris"
	if [[ ${#want[@]} -gt 0 ]]; then
		rm -rf "$apt_dir/incoming"
		mkdir "$apt_dir/incoming"
		(cd "$apt_dir/incoming" && quietly apt-get -qq download "${want[@]}") || return 1
		mv "$apt_dir/incoming"/*.deb "$apt_dir/debs/"
	fi
	while IFS=$'\t' read -r _ _ sum file; do
		sha256sum --quiet --check <<<"$sum  $apt_dir/debs/$file" >&2 || {
			rm -f "$apt_dir/debs/$file"
			die "$file: wrong digest"
		}
	done <"$apt_dir/fetched"
}

# Sets names (what to unpack) and asked_as (package -> the name it was asked by); fetches.
get_all() {
	local p real
	names=()
	for p in "${todo[@]}"; do
		real=$(resolve "$p") || return 1
		asked_as[$real]=$p${with_depends:+ +}
		names+=("$real")
	done
	if [[ -n $with_depends ]]; then
		apt-get -qq -s install "${names[@]}" >"$apt_dir/simulated" || return 1
		mapfile -t names < <(sed -n 's/^Inst \([^ ]*\) .*/\1/p' "$apt_dir/simulated")
	fi
	fetch "${names[@]}"
}

declare -A asked_as=()
if ! get_all; then
	apt_private_update 0 # the mirror may have moved on since the lists were read
	get_all || die "cannot fetch ${todo[*]} from $suite"
fi

[[ -e $list ]] || echo "# Debian $suite" >"$list"
while IFS=$'\t' read -r _ _ _ file; do
	dpkg-deb -x "$apt_dir/debs/$file" "$dest"
done <"$apt_dir/fetched"
# Listed when all is unpacked: a run that was broken off is repeated.
while IFS=$'\t' read -r name version sum _; do
	if [[ -n ${asked_as[$name]-} ]] || ! awk -F'\t' -v p="$name" '$1 == p { f = 1 } END { exit !f }' "$list"; then
		printf '%s\t%s\t%s\t%s\n' "$name" "$version" "$sum" "${asked_as[$name]-}"
	fi
done <"$apt_dir/fetched" >"$apt_dir/lines"
cat "$apt_dir/lines" >>"$list"
