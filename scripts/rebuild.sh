#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# rebuild.sh [--new-packages] MANIFEST [PROFILE...]
#
# Do these sources make what a manifest says? Checks the commit out anew under build/rebuild, builds assay and the base
# image there, as another user of another time zone might, and audits the manifest with that assay and that image. The
# packages are those of this checkout's last build; with --new-packages the newest ones.
#
# Exit 0: the audit agrees; 3: it does not, and what differs is told by `assay diff`; 1: could not.

set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
build=${ASSAY_BUILD:-$top/build}

say() { printf 'rebuild.sh: %s\n' "$*" >&2; }
new_packages=
if [[ ${1-} == --new-packages ]]; then
	new_packages=1
	shift
fi
[[ $# -ge 1 && $1 != -* ]] || {
	sed -n '4s/^# /usage: /p' "$0" >&2
	exit 2
}
manifest=$(realpath "$1")
shift
profiles=()
for p; do profiles+=(--platform "$(realpath "$p")"); done

git -C "$top" diff --quiet HEAD || say "this checkout has changes that are in no commit; they are left out"
dir=$build/rebuild
rm -rf "$dir"
mkdir -p "$dir"
git clone -q "$top" "$dir/checkout"
mkdir -p "$dir/checkout/build"
if [[ -z $new_packages ]]; then
	cd "$build"
	cp -a --parents apt tools image.work/cache containers.work/repo "$dir/checkout/build"
fi
cd "$dir/checkout"
(
	umask 077
	export TZ=Pacific/Auckland
	unset ASSAY_BUILD
	make -s -j"$(nproc)" all
	if [[ -n $new_packages ]]; then scripts/build-image.sh --refresh; else scripts/build-image.sh --offline; fi
) >"$dir/log" 2>&1 || {
	tail -n 30 "$dir/log" >&2
	say "the image cannot be built"
	exit 1
}
rc=0
build/assay audit "$manifest" --disk build/image/base.raw "${profiles[@]}" || rc=$?
[[ $rc -ne 3 ]] || build/assay diff "$manifest" build/image/base.raw "${profiles[@]}" || true
exit $rc
