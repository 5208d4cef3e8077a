#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# check-containers.sh [--write] [DIR]
#
# Hold the containers that were built into DIR (build/containers) against what the repository has:
# container_measurements.json, and in image/containers.packages.tsv the packages that each ID was
# made of. A container of the same packages must have the same ID; of one whose packages have moved
# on, the packages are named. Exit 0: nothing differs that should not, 3: something does.
#
#   --write   put what was built into the repository instead, to be reviewed and committed

set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)

write=
if [[ ${1-} == --write ]]; then
	write=1
	shift
fi
[[ $# -le 1 && ${1-} != -* ]] || {
	echo "usage: check-containers.sh [--write] [DIR]" >&2
	exit 2
}
built=${1-${ASSAY_BUILD:-$top/build}/containers}
committed=${ASSAY_COMMITTED:-$top}
list=container_measurements.json
packages=image/containers.packages.tsv
[[ -r $built/$list && -r $built/packages.tsv ]] || {
	echo "check-containers.sh: nothing is built in $built" >&2
	exit 1
}

if [[ -n $write ]]; then
	for pair in "$list:$list" "packages.tsv:$packages"; do
		cmp -s "$built/${pair%%:*}" "$committed/${pair##*:}" || {
			cp "$built/${pair%%:*}" "$committed/${pair##*:}"
			echo "written: ${pair##*:}"
		}
	done
	exit 0
fi

# of FILE CONTAINER: its rows of a packages.tsv, without the name.
of() {
	awk -F'\t' -v OFS='\t' -v c="$2" '$1 == c { print $2, $3, $4 }' "$1" | LC_ALL=C sort
}
ids() {
	sed -n 's/^ *"@local\/\(.*\)": "\(.*\)",\{0,1\}$/\1 \2/p' "$1"
}

rc=0
while read -r name want; do
	found=$(ids "$built/$list" | awk -v n="$name" '$1 == n { print $2 }')
	container=${name%:*}
	if [[ -z $found ]]; then
		echo "$name: committed, not built"
		rc=3
	elif [[ $found == "$want" ]]; then
		echo "$name: $found, as committed"
	elif moved=$(diff <(of "$committed/$packages" "$container") <(of "$built/packages.tsv" "$container")); then
		echo "$name: $found, DIFFERENT: committed is $want, of the same packages"
		rc=3
	else
		echo "$name: $found, not the committed $want; its packages have moved on:"
		awk '/^[<>]/ { v[$2] = v[$2] ($1 == "<" ? " " $3 : " -> " $3) } END { for (p in v) print "  " p ":" v[p] }' <<<"$moved" | LC_ALL=C sort
	fi
done < <(ids "$committed/$list")
while read -r name found; do
	ids "$committed/$list" | grep -q "^$name " || {
		echo "$name: $found, not committed"
		rc=3
	}
done < <(ids "$built/$list")
exit "$rc"
