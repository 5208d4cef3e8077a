#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# golden.sh: the golden manifest of a release, made and signed into golden/IMAGE/RELEASE/ (publish.sh), and its PCRs as
# one table. Probes the reference machine, unless profiles are given. From the environment:
#
#   DISK=build/image/base.raw   the OS disk           DATA='a.raw b.raw'     disks that nothing boots from
#   IMAGE=base                  its name              RELEASE=N              the number of this release
#   PLATFORM='a.yaml b.yaml'    profiles              KEY=URI [CERT=PEM]     who signs; else a key for trying out
#   EXPIRES=+365d               end of its validity   GOLDEN=golden          where manifests are published
#   BANK=sha256                 the banks of the table
#
# Without RELEASE, a release that says the same as the newest one is that one, any other is the next. It is valid from
# SOURCE_DATE_EPOCH on; unless that is set, from the time of the commit that is checked out.

set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/reference.sh
. scripts/reference.sh

disk=${DISK:-build/image/base.raw}
image=${IMAGE:-base}
golden=${GOLDEN:-golden}
work=build/golden

step() { printf '== %s\n' "$*" >&2; }
die() {
	printf 'golden.sh: %s\n' "$*" >&2
	exit 1
}

mkdir -p "$work"
if [[ -z ${SOURCE_DATE_EPOCH-} ]]; then
	SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null) || SOURCE_DATE_EPOCH=$(sed -n 's/^SourceDateEpoch=//p' mkosi.conf)
fi
export SOURCE_DATE_EPOCH

read -ra profiles <<<"${PLATFORM-}"
read -ra data <<<"${DATA-}"
if [[ ${#profiles[@]} -eq 0 ]]; then
	step "probing the platform: booting the probe on the reference machine"
	truncate -s 8M "$work/capture.raw"
	profiles=("$work/$reference_name.yaml")
	build/assay platform probe --name "$reference_name" \
		--qemu "$(scripts/vm.sh line "${reference_options[@]}" --disk disk --capture "$work/capture.raw")" \
		-o "${profiles[0]}"
fi

create() { # RELEASE
	local p
	local -a more=()
	for p in "${profiles[@]}"; do more+=(--platform "$p"); done
	for p in "${data[@]}"; do more+=(--data "$p"); done
	build/assay manifest create "$disk" --name "$image" --release "$1" "${more[@]}" ${EXPIRES:+--expires "$EXPIRES"} \
		-o "$work/manifest.json"
}
statement() { build/assay manifest show --statement "$1"; }

newest=$(find "$golden/$image" -mindepth 2 -maxdepth 2 -name manifest.dsse.json 2>/dev/null | sed 's,/[^/]*$,,; s,.*/,,' |
	grep -x '[1-9][0-9]*' | sort -n | tail -n 1) || true
release=${RELEASE:-${newest:-1}}
step "measuring $disk, predicting its PCRs"
create "$release"
if [[ -z ${RELEASE-} && -n $newest ]] &&
	! cmp -s <(statement "$work/manifest.json") <(statement "$golden/$image/$newest/manifest.dsse.json"); then
	release=$((newest + 1))
	step "release $newest of $image says something else: this is release $release"
	create "$release"
fi

if [[ -z ${KEY-} ]]; then
	# Of no worth to anybody else: whoever reads build/ can sign with it.
	KEY=build/keys/try-out.pem
	if [[ ! -e $KEY ]]; then
		mkdir -p build/keys
		(umask 077 && openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$KEY.new") 2>/dev/null ||
			(umask 077 && openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$KEY.new" 2>/dev/null) ||
			die "openssl makes no key"
		openssl pkey -in "$KEY.new" -pubout -out build/keys/try-out.pub.pem
		mv "$KEY.new" "$KEY"
	fi
	step "no KEY=: signing with a key for trying out, $KEY (public: build/keys/try-out.pub.pem)"
	public=build/keys/try-out.pub.pem
fi
scripts/publish.sh --golden "$golden" --key "$KEY" ${CERT:+--cert "$CERT"} "$work/manifest.json" "${profiles[@]}"

manifest=$golden/$image/$release/manifest.dsse.json
[[ -z ${public-} ]] || build/assay manifest verify "$manifest" --key "$public" --name "$image" >&2
build/assay manifest show --pcrs --bank "${BANK:-sha256}" "$manifest"
printf 'published: %s\n' "$manifest"
