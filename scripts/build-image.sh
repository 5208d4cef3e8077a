#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# build-image.sh [--output DIR] [--refresh | --offline] [--inputs]
#
# Build the base image (mkosi.conf, image/) into DIR, build/image unless named: base.raw, and
# beside it the exact packages it was made of. What comes from the network comes before mkosi
# starts: a tools tree of Debian 13 (made once), and a repository of just the packages that the
# image takes, chosen and checked by apt. The same repository gives the same bytes. The container
# archives in the image are made first, by build-containers.sh, and assay-agent by build-agent.sh.
#
#   --output DIR  where base.raw goes
#   --refresh     take the newest packages (else those of the last build are kept)
#   --offline     read nothing from the network; fail if something is missing
#   --inputs      print a digest of what in this repository decides the image; no build
#
# mkosi needs root here; without it, sudo is used for that part alone.

set -euo pipefail
# shellcheck source=scripts/apt-private.sh
. "$(dirname "$0")/apt-private.sh"
# shellcheck source=scripts/debian-repo.sh
. "$top/scripts/debian-repo.sh"

suite=trixie
output=$build/image
refresh=
offline=
inputs=
while [[ $# -gt 0 ]]; do
	case $1 in
	--output)
		output=${2:?--output needs a folder}
		shift
		;;
	--refresh) refresh=1 ;;
	--offline) offline=1 ;;
	--inputs) inputs=1 ;;
	*)
		echo "usage: build-image.sh [--output DIR] [--refresh | --offline] [--inputs]" >&2
		exit 2
		;;
	esac
	shift
done

# What in the repository makes the image; what else makes the containers in it; the agent's are build-agent.sh's to name.
sources=(mkosi.conf image/initrd image/repart image/root)
container_sources=(image/containers image/containers.yaml scripts/build-containers.sh scripts/container_archive.py)
inputs_digest() (
	cd "$top"
	agent=$(scripts/build-agent.sh --sources)
	mapfile -t agent_sources <<<"$agent"
	find "${sources[@]}" "${container_sources[@]}" "${agent_sources[@]}" scripts/build-image.sh scripts/debian-repo.sh -printf '%p %y%l' \( -perm -100 -printf ' x\n' -o -printf '\n' \) \
		\( -type f -exec sha256sum {} \; -o -true \) | LC_ALL=C sort | sha256sum | cut -c 1-64
)
if [[ -n $inputs ]]; then
	inputs_digest
	exit 0
fi

work=$build/image.work
repo=$work/cache/cache/apt/repo
mkdir -p "$work" "$output"
output=$(cd "$output" && pwd)
lock "$work/lock"

root=()
[[ $(id -u) -eq 0 ]] || root=(sudo)

# --- the tools --------------------------------------------------------------------------------

tools_packages=(
	apt bubblewrap binutils cpio cryptsetup-bin debian-archive-keyring dosfstools e2fsprogs
	kmod mkosi mtools python3-pefile squashfs-tools systemd systemd-boot-efi systemd-repart
	systemd-ukify uidmap zstd
	gcc libc6-dev libevent-dev libjansson-dev libssl-dev libtss2-dev libyaml-dev
)
tools_key=$(printf '%s\n' "$suite" "${tools_packages[@]}" | sha256sum | cut -c 1-12)
tools=$build/tools/$suite-$tools_key

make_tools() {
	[[ ! -e $tools/.complete ]] || return 0
	[[ -z $offline ]] || die "no tools tree at $tools"
	say "making a tools tree of Debian $suite (once)"
	"$top/scripts/debian_sources.py" "$suite" >"$work/tools.sources"
	env -u APT_CONFIG apt-config dump | grep '^Acquire::' | grep -v '^Acquire::IndexTargets' >"$work/tools.apt.conf" || true
	"${root[@]}" rm -rf "$build/tools/"*
	mkdir -p "$build/tools"
	local include
	include=$(
		IFS=,
		echo "${tools_packages[*]}"
	)
	quietly "${root[@]}" env -u APT_CONFIG mmdebstrap --variant=apt --mode=root --aptopt="$work/tools.apt.conf" \
		--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
		--include="$include" "$suite" "$tools" "$work/tools.sources"
	"${root[@]}" touch "$tools/.complete"
}

# mkosi is Python of the standard library alone: the machine's Python runs the tools tree's mkosi.
mkosi() {
	local py=$work/python
	mkdir -p "$py"
	ln -sfn "$tools/usr/lib/python3/dist-packages/mkosi" "$py/mkosi"
	# depmod's files would get the modes that the caller's umask leaves.
	(
		umask 022
		"${root[@]}" env -u APT_CONFIG -u SOURCE_DATE_EPOCH PYTHONPATH="$py" PYTHONDONTWRITEBYTECODE=1 \
			python3 -m mkosi \
			--directory="$work/tree" --tools-tree="$tools" --package-cache-dir="$work/cache" \
			--sandbox-tree="$work/sandbox" --workspace-dir="$work/space" "$@"
	)
}

# --- what is built ----------------------------------------------------------------------------

# A copy of the image's sources as mkosi wants them laid out, with modes that do not depend on the
# umask of whoever checked them out; with the container archives, the list of their IDs, and the agent.
stage_tree() { # CONTAINERS AGENT
	rm -rf "$work/tree"
	mkdir -p "$work/tree/mkosi.images" "$work/sandbox/etc/apt/sources.list.d" "$work/space"
	(cd "$top" && cp -a --parents "${sources[@]}" "$work/tree/")
	mv "$work/tree/image/initrd" "$work/tree/mkosi.images/initrd"
	local share=$work/tree/image/root/usr/share/assay
	mkdir -p "$share/containers"
	cp "$1/"*.tar "$share/containers/"
	cp "$1/container_measurements.json" "$share/"
	mkdir -p "$work/tree/image/root/usr/bin" "$work/tree/image/root/application"
	cp "$2" "$work/tree/image/root/usr/bin/assay-agent"
	chmod -R u=rwX,go=rX "$work/tree"
	# Inside mkosi the repository lies in the package cache. apt checked each package against the
	# archive's signature when it was fetched.
	printf '%s\n' 'Types: deb' 'URIs: file:///var/cache/apt/repo' 'Suites: ./' 'Trusted: yes' \
		>"$work/sandbox/etc/apt/sources.list.d/mkosi.sources"
}

# The names in the Packages= lists of the image and its initrd.
wanted_packages() {
	mkosi --output-dir="$work/out" --json summary | python3 -c '
import json, sys
names = {p for i in json.load(sys.stdin)["Images"] for p in i["Packages"]}
print("\n".join(sorted(names)))'
}

# Resolve, download and index; nothing happens if the last build wanted the same.
make_repo() {
	local wanted
	wanted=$(wanted_packages)
	if [[ -z $refresh ]] && repo_has "$repo" "$wanted"; then
		return 0
	fi
	[[ -z $offline ]] || die "the repository at $repo does not have all packages"
	apt_private_setup "$suite"
	apt_private_update "$([[ -n $refresh ]] && echo 0 || echo 1440)"
	# shellcheck disable=SC2086 # one word is one package
	apt-get -qq -s install '?essential' base-files $wanted >"$work/simulated" ||
		die "the packages of the image cannot be resolved"
	local -a names
	mapfile -t names < <(sed -n 's/^Inst \([^ ]*\) .*/\1/p' "$work/simulated")
	mkdir -p "$(dirname "$repo")"
	repo_make "$repo" "$wanted" "${names[@]}"
}

# build_into DIR CONTAINERS
build_into() {
	local out=$work/out
	"${root[@]}" rm -rf "$out" "$work/space"
	mkdir -p "$out" "$work/space"
	local show=quietly
	[[ ! -t 2 ]] || show=
	$show mkosi --output-dir="$out" --force build || die "mkosi failed"
	"${root[@]}" chown -R "$(id -u):$(id -g)" "$out"
	# What is in the image, and all that it was made of (the initrd's packages too).
	python3 - "$out" "$1" "$tools" "$repo/packages.tsv" <<-'END'
		import json, pathlib, shutil, sys
		out, dest, tools, repo = map(pathlib.Path, sys.argv[1:])
		def names(f):
		    return sorted((p["name"], p["version"]) for p in json.loads((out / f).read_text())["packages"])
		def write(name, rows):
		    (dest / name).write_text("".join("\t".join(r) + "\n" for r in rows))
		write("packages.tsv", names("base.manifest"))
		write("initrd-packages.tsv", names("initrd.manifest"))
		status = (tools / "var/lib/dpkg/status").read_text()
		write("tools.tsv", sorted((f["Package"], f["Version"]) for f in
		      (dict(l.split(": ", 1) for l in s.splitlines() if not l.startswith(" ") and ": " in l)
		       for s in status.split("\n\n")) if "Package" in f))
		shutil.copy(repo, dest / "fetched.tsv")
	END
	mv "$out/base.raw" "$1/base.raw"
	cp "$2/packages.tsv" "$1/container-packages.tsv"
	"${root[@]}" rm -rf "$work/space" "$out"
}

containers=$build/containers
[[ $output == "$build/image" ]] || containers=$output/containers
build_containers() {
	"$top/scripts/build-containers.sh" --output "$1" ${refresh:+--refresh} ${offline:+--offline}
}
build_containers "$containers"
make_tools
"${root[@]}" env -i PATH="$PATH" "$top/scripts/build-agent.sh" "$work/assay-agent" "$tools" || die "assay-agent cannot be built"
stage_tree "$containers" "$work/assay-agent"
make_repo
build_into "$output" "$containers"
say "$output/base.raw: $(stat -c %s "$output/base.raw") bytes, sha256 $(sha256sum <"$output/base.raw" | cut -c 1-64)"
