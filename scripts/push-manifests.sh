#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# push-manifests.sh REGISTRY/PREFIX MANIFEST...
#
# Push signed manifests as PREFIX/NAME:RELEASE, by oras. One that is there already stays, and has to be the same file:
# a release's number is given once. The same file makes the same artifact: its time is the manifest's own.

set -euo pipefail

die() {
	echo "push-manifests.sh: $*" >&2
	exit 1
}

[[ $# -ge 2 ]] || {
	echo "usage: push-manifests.sh REGISTRY/PREFIX MANIFEST..." >&2
	exit 2
}
prefix=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for file; do
	statement=$(jq -r '.payload | @base64d' "$file") || die "$file: no envelope"
	[[ $(jq '.signatures | length' "$file") -gt 0 ]] || die "$file: nobody has signed it"
	read -r name release time < <(jq -r 'select(.predicateType == "urn:assay:golden-manifest:1").predicate |
		"\(.name) \(.release) \(.validity.notBefore)"' <<<"$statement") || die "$file: no manifest"
	ref=$prefix/$name:$release
	if oras resolve "$ref" >"$work/digest" 2>"$work/error"; then
		rm -rf "$work/there"
		oras pull "$ref" -o "$work/there" >/dev/null
		cmp -s "$work/there/manifest.dsse.json" "$file" || die "$ref is another manifest than $file"
		echo "there: $ref@$(cat "$work/digest")"
		continue
	fi
	# Whoever is kept from looking does not know that nothing is there.
	grep -q 'not found' "$work/error" || die "$ref: $(cat "$work/error")"
	cp "$file" "$work/manifest.dsse.json"
	(cd "$work" && oras push "$ref" --artifact-type application/vnd.in-toto+json \
		--annotation "org.opencontainers.image.created=$time" \
		manifest.dsse.json:application/vnd.dsse.envelope.v1+json >/dev/null)
	echo "pushed: $ref@$(oras resolve "$ref")"
done
