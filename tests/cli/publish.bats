#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# docs/PUBLISHING.md, its commands as they stand there, with oras and cosign of Debian 13 against a registry on 127.0.0.1.

bats_require_minimum_version 1.5.0

setup_file() {
	load chain
	load common
	load registry
	export PATH=$PATH:/usr/sbin:/sbin published=$BATS_FILE_TMPDIR/published lacks=''
	local tool
	lacks=$(chain_missing)
	for tool in docker-registry openssl curl; do
		command -v $tool >/dev/null || lacks+="$tool "
	done
	registry_clients oras cosign
	export PATH=$chain_top/build:$PATH
	export HOME=$BATS_FILE_TMPDIR/home # where cosign and oras would keep things
	mkdir "$HOME"
	[ -z "$lacks" ] || return 0
	oras version >&2 && cosign version >&2 || {
		lacks="oras or cosign of Debian 13 (cannot be fetched) "
		return 0
	}
	mkdir "$published"
	cd "$published"
	chain_root root
	chain_squashfs root root.sqfs
	chain_disk disk.raw root.sqfs
	small_profile sha256 >small.yaml
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out release.pem 2>/dev/null
	openssl pkey -in release.pem -pubout -out release.pub
	openssl genpkey -algorithm ED25519 -out other.pem
	openssl pkey -in other.pem -pubout -out other.pub
	assay manifest create disk.raw --platform small.yaml --name base --release 12 --not-before 2026-01-01 \
		--expires +10000d -o manifest.dsse.json
	assay manifest sign manifest.dsse.json --key release.pem
	registry_start
	document >run.sh
	# One shell, as one reader has one.
	COSIGN_PASSWORD=example bash -ex -o pipefail run.sh >out 2>&1 </dev/null || touch failed
}

teardown_file() {
	load registry
	registry_stop
}

setup() {
	load registry
	[ -z "$lacks" ] || skip "missing: $lacks"
	cd "$published"
	at=$(registry_at)
}

# The document's commands; of the registry only the name is another.
document() {
	sed -n 's/^    \$ //p' "$chain_top/docs/PUBLISHING.md" | sed "s/registry\.example\.com/$(registry_at)/g"
}

@test "the document's commands run, each of them" {
	[ "$(grep -c . run.sh)" -ge 15 ]
	[ "$(grep -cE '^(oras|cosign) ' run.sh)" -ge 9 ]
	[ ! -e failed ] || {
		cat out
		false
	}
}

@test "what is pulled is what was pushed, byte for byte" {
	cmp manifest.dsse.json pulled/manifest.dsse.json
	cmp manifest.dsse.json found/manifest.dsse.json
	[ "$(jq '.manifests | length' referrers.json)" -eq 1 ]
}

@test "what cosign gives back is the same payload, signatures and types" {
	cmp <(jq -S . downloaded.json) <(jq -S . manifest.dsse.json)
	cmp <(jq -r .payload verified.json) <(jq -r .payload manifest.dsse.json)
}

@test "what cosign attests is the image, with the manifest's predicate" {
	digest=$(oras resolve "$at/os/base:12")
	jq -r .payload attested.json | base64 -d >statement
	jq -e --arg d "${digest#sha256:}" '.subject | length == 1 and .[0].digest.sha256 == $d' statement
	[ "$(jq -r .predicateType statement)" = urn:assay:golden-manifest:1 ]
	cmp <(jq -S .predicate statement) <(jq -S . predicate.json)
	cosign download attestation "$at/os/base@$digest" | tail -n 1 >theirs.json
	run assay manifest verify theirs.json --key cosign.pub
	[ "$status" -eq 1 ] || [ "$status" -eq 3 ]
}

@test "media types, and where the registry keeps a referrer" {
	digest=$(oras resolve "$at/os/base:12")
	oras manifest fetch "$at/os/base-manifest:12" >alone
	jq -e '.artifactType == "application/vnd.in-toto+json" and .layers[0].mediaType == "application/vnd.dsse.envelope.v1+json"' alone
	[ "$(jq -r '.layers[0].digest' alone)" = "sha256:$(sha256sum <manifest.dsse.json | cut -d ' ' -f 1)" ]
	oras manifest fetch "$(jq -r '.manifests[0].reference' referrers.json)" >referrer
	[ "$(jq -r .subject.digest referrer)" = "$digest" ]
	# As the document says of this registry: no referrers API, but a tag.
	[ "$(curl -s -o /dev/null -w '%{http_code}' "http://$at/v2/os/base/referrers/$digest")" = 404 ]
	curl -s "http://$at/v2/os/base/tags/list" | jq -e --arg t "${digest/:/-}" '.tags | index($t) and index($t + ".att")'
}

@test "a wrong key, another disk, another type, a changed payload: cosign refuses" {
	local blob=(cosign verify-blob-attestation --insecure-ignore-tlog=true --signature)
	"${blob[@]}" manifest.dsse.json --key release.pub --type urn:assay:golden-manifest:1 disk.raw
	run -1 "${blob[@]}" manifest.dsse.json --key other.pub --type urn:assay:golden-manifest:1 disk.raw
	run -1 "${blob[@]}" manifest.dsse.json --key release.pub --type urn:assay:golden-manifest:2 disk.raw
	run -1 "${blob[@]}" manifest.dsse.json --key release.pub --type urn:assay:golden-manifest:1 small.yaml
	jq -c '.payload |= (@base64d | sub("\"base\""; "\"bass\"") | @base64)' manifest.dsse.json >changed.json
	run -1 "${blob[@]}" changed.json --key release.pub --type urn:assay:golden-manifest:1 disk.raw
	run -3 assay manifest verify changed.json --key release.pub
	run -3 assay manifest verify pulled/manifest.dsse.json --key other.pub
}

@test "each of two signers is enough for cosign, Ed25519 too" {
	assay manifest sign manifest.dsse.json --key other.pem -o two.json
	for key in release.pub other.pub; do
		cosign verify-blob-attestation --key $key --insecure-ignore-tlog=true --type urn:assay:golden-manifest:1 --signature two.json disk.raw
	done
	assay manifest verify two.json --key release.pub --key other.pub --threshold 2
}

@test "a registry that gives other bytes is found out" {
	digest=$(sha256sum <manifest.dsse.json)
	stored=$(find "$BATS_FILE_TMPDIR/store" -path "*/${digest%% *}/data")
	[ -n "$stored" ]
	cp "$stored" kept
	sed -i '0,/A/s//B/' "$stored"
	run -1 oras pull "$at/os/base-manifest:12" -o bad
	cp kept "$stored"
}
