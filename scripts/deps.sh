#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# deps.sh [build|golden|matrix|slurm|check|bench|fuzz]...
#
# Install what a job needs and this machine lacks, on Debian 12 or 13. Asks dpkg first and does
# nothing when all is there; apt runs as root, by sudo if need be. A package that one release
# calls by another name, or does not have, stands beside its release below.

set -euo pipefail

die() {
	echo "deps.sh: $*" >&2
	exit 1
}

groups=("$@")
[[ ${#groups[@]} -gt 0 ]] || groups=(build)

release=
# shellcheck source=/dev/null
[[ ! -r /etc/os-release ]] || release=$(. /etc/os-release && echo "${ID-}-${VERSION_ID-}")

build=(gcc make pkg-config libc6-dev libssl-dev libjansson-dev libyaml-dev libarchive-dev libcurl4-openssl-dev libevent-dev libnbd-dev libsquashfs-dev libtss2-dev)
golden=(
	ca-certificates clang cpio debian-archive-keyring dosfstools fdisk ipxe-qemu lld llvm mmdebstrap
	mtools openssl ovmf python3 python3-yaml qemu-system-x86 swtpm swtpm-tools systemd-boot-efi tpm2-tools util-linux zstd
)
check=(
	bats binutils busybox-static bzip2 clang clang-format cpio cryptsetup-bin dosfstools e2fsprogs efitools erofs-utils file gdisk
	git gzip jq kmod libarchive-tools libcmocka-dev libefivar1 libtpms-dev mandoc mtree-netbsd osslsigncode pesign podman procps python3-cbor2 python3-jsonschema
	qemu-utils sbsigntool shellcheck skopeo squashfs-tools squashfs-tools-ng strace tar time umoci xxd
	xz-utils
)
bench=(binutils cryptsetup-bin e2fsprogs openssl pesign qemu-utils skopeo squashfs-tools time)
fuzz=(clang llvm)
case $release in
debian-12) fuzz+=(libclang-rt-14-dev) ;;
debian-13) fuzz+=(libclang-rt-19-dev) ;;
*) ;;
esac

# Streams of initrds: headers; the libraries come with libarchive.
build+=(libbz2-dev liblz4-dev liblzma-dev libzstd-dev zlib1g-dev)
check+=(lz4)
# Digests of fs-verity.
check+=(fsverity)
# Certificates that were valid some years ago.
check+=(faketime)
# Tokens and TPMs that sign; the provider for tokens is in Debian 13, and fetched for 12.
check+=(softhsm2 swtpm swtpm-tools tpm2-openssl tpm2-tools)
[[ $release != debian-13 ]] || check+=(pkcs11-provider)
bench+=(faketime jq)

# Programs that use the library, in C, C++ and Python.
check+=(g++ mypy python3-requests python3-typeshed)

# A matrix of images and platforms, here or on a cluster; a cluster and a registry of one machine for the tests.
matrix=(ninja-build python3 python3-yaml)
slurm=(slurm-client)
check+=(curl docker-registry munge slurm-wlm)

wanted=("${build[@]}")
for g in "${groups[@]}"; do
	case $g in
	build) ;;
	golden) wanted+=("${golden[@]}") ;;
	matrix) wanted+=("${matrix[@]}") ;;
	slurm) wanted+=("${slurm[@]}") ;;
	check) wanted+=("${golden[@]}" "${matrix[@]}" "${check[@]}" "${fuzz[@]}") ;;
	bench) wanted+=("${golden[@]}" "${bench[@]}") ;;
	fuzz) wanted+=("${fuzz[@]}") ;;
	*)
		echo "usage: deps.sh [build|golden|matrix|slurm|check|bench|fuzz]..." >&2
		exit 2
		;;
	esac
done

command -v dpkg-query >/dev/null || die "not a Debian system: install by hand: ${wanted[*]}"

# What dpkg does not call installed. A name may be provided by another package (time64 renames).
mapfile -t missing < <(
	comm -23 <(printf '%s\n' "${wanted[@]}" | LC_ALL=C sort -u) \
		<(dpkg-query -W -f '${db:Status-Status}\t${Package}\t${Provides}\n' |
			awk -F'\t' '$1 == "installed" { print $2; n = split($3, p, /, */); for (i = 1; i <= n; i++) { sub(/ .*/, "", p[i]); print p[i] } }' |
			LC_ALL=C sort -u)
)
[[ ${#missing[@]} -gt 0 ]] || exit 0

case $release in
debian-12 | debian-13) ;;
*) die "only Debian 12 and 13 are known here; install by hand: ${missing[*]}" ;;
esac

root=()
if [[ $(id -u) -ne 0 ]]; then
	command -v sudo >/dev/null || die "neither root nor sudo: install by hand: ${missing[*]}"
	root=(sudo)
fi
echo "deps.sh: installing ${missing[*]}" >&2

install() {
	"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends \
		-o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install "${missing[@]}" >&2
}
simulate() {
	apt-get -qq -s --no-install-recommends install "${missing[@]}" >/dev/null 2>&1
}
simulate || "${root[@]}" apt-get -qq update >&2
# A failed download may only mean that the lists are older than the mirror.
install || {
	"${root[@]}" apt-get -qq update >&2
	install
} || die "cannot install: ${missing[*]}"
