#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# trixie-tool.sh TOOL [ARGUMENT...]
#
# Run a program of Debian 13 on Debian 12 or 13, for tests that take it as their oracle:
#   trixie-tool.sh systemd-measure calculate --linux=vmlinuz --bank=sha256 --json=short
#   trixie-tool.sh ukify build --linux=vmlinuz --initrd=initrd --output=uki.efi
# The package and all that it depends on is unpacked under build/trixie-tools (fetch-deb.sh), and
# the program started with that folder's own loader and libraries: no root, no chroot.
# `trixie-tool.sh --path FILE` prints where a file of those packages lies, without starting it.

set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
tree=${ASSAY_BUILD:-$top/build}/trixie-tools

[[ $# -ge 1 ]] || {
	echo "usage: trixie-tool.sh TOOL [ARGUMENT...] | --path FILE" >&2
	exit 2
}
tool=$1
shift

# erofs-utils, cryptsetup-bin: other programs that tests ask for. The stub comes with ukify.
packages=(systemd systemd-ukify systemd-boot-efi)
case $tool in
# These load libtss2 when they sign, or talk to a TPM.
systemd-measure | systemd-pcrlock)
	packages+=(libtss2-esys-3.0.2-0t64 libtss2-mu-4.0.1-0t64 libtss2-rc0t64 libtss2-tcti-swtpm0t64)
	;;
dump.erofs | fsck.erofs | mkfs.erofs) packages=(erofs-utils) ;;
veritysetup) packages=(cryptsetup-bin) ;;
systemd-repart) packages=(systemd-repart) ;;
cosign | oras | osslsigncode | pesign) packages=("$tool") ;;
esac
"$top/scripts/fetch-deb.sh" --with-depends trixie "$tree" "${packages[@]}"

if [[ $tool == --path ]]; then
	[[ -e $tree/${1#/} ]] || {
		echo "trixie-tool.sh: no $1 in ${packages[*]}" >&2
		exit 1
	}
	echo "$tree/${1#/}"
	exit 0
fi

libs=$tree/usr/lib/x86_64-linux-gnu
run() {
	exec "$libs/ld-linux-x86-64.so.2" --library-path "$libs:$libs/systemd" "$@"
}

for dir in usr/bin usr/sbin usr/lib/systemd; do
	program=$tree/$dir/$tool
	[[ ! -f $program ]] || break
done
[[ -f $program ]] || {
	echo "trixie-tool.sh: no program $tool in ${packages[*]}" >&2
	exit 1
}

if [[ $tool == ukify ]]; then
	# Its own Python, its own systemd-measure and its own stub, not this machine's.
	mkdir -p "$tree/wrappers"
	printf '#!/bin/sh\nunset PYTHONHOME\nexec "%s" systemd-measure "$@"\n' "$top/scripts/trixie-tool.sh" >"$tree/wrappers/measure.$$"
	chmod +x "$tree/wrappers/measure.$$"
	mv "$tree/wrappers/measure.$$" "$tree/wrappers/systemd-measure"
	extra=()
	if [[ ${1-} == build ]]; then
		extra=(--tools="$tree/wrappers")
		stub=addonx64.efi.stub
		[[ " $*" != *" --linux"* ]] || stub=linuxx64.efi.stub
		[[ " $*" == *" --stub"* ]] || extra+=(--stub="$tree/usr/lib/systemd/boot/efi/$stub")
	fi
	export PYTHONHOME=$tree/usr PYTHONDONTWRITEBYTECODE=1
	run "$tree/usr/bin/python3" "$program" "$@" "${extra[@]}"
fi
run "$program" "$@"
