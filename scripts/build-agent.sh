#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# build-agent.sh OUTPUT TREE
#
# Build assay-agent for the base image with the compiler and the libraries of TREE, a root of Debian 13 (that which
# build-image.sh makes), whatever compiler this machine has. The flags are its own: nothing of the environment, of
# the Makefile or of this checkout's path gets into the bytes. Needs root, for the root directory TREE.
#
#   build-agent.sh --sources     the files that decide the bytes

set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top"
export LC_ALL=C

sources() {
	find core tpm attest -name '*.[ch]'
	find cli -name 'agent*.[ch]' -o -name 'cli.[ch]'
	echo VERSION
	echo scripts/build-agent.sh
}
if [[ ${1-} == --sources ]]; then
	sources | sort
	exit 0
fi
[[ $# -eq 2 ]] || {
	echo "usage: build-agent.sh OUTPUT TREE | --sources" >&2
	exit 2
}
output=$(realpath "$1")
tree=$(realpath "$2")

work=$(mktemp -d "${TMPDIR:-/tmp}/assay-agent.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
sources | xargs cp --parents -t "$work/src"
cat >"$work/build" <<'END'
set -eu
cd /mnt/src
flags="-std=c17 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I. -O2 -fPIE -fstack-protector-strong -D_FORTIFY_SOURCE=2
	-fvisibility=hidden -pthread -Wall"
version=$(cat VERSION)
find . -name '*.c' | sort >../list
xargs -P "$(nproc)" -I{} gcc $flags "-DASSAY_VERSION=\"$version\"" -c -o {}.o {} <../list
gcc -pie -pthread -s -Wl,-z,relro,-z,now -Wl,--as-needed -o ../assay-agent $(sed 's/$/.o/' ../list) \
	-lcrypto -ljansson -lyaml -levent -ltss2-esys -ltss2-mu -ltss2-rc -ltss2-tctildr
END
# A mount of its own, which nobody else sees and which ends with the process.
# shellcheck disable=SC2016 # that shell expands it
env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C unshare --mount --propagation private sh -euc \
	'mount --bind "$1" "$2/mnt" && exec chroot "$2" sh /mnt/build' sh "$work" "$tree"
install -m 755 "$work/assay-agent" "$output"
