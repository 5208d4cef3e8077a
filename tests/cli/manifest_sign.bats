#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# manifest sign and verify, with keys that openssl made: each signature is checked by openssl over bytes that a shell puts
# together, and openssl's are checked by us; every refusal by its name.

bats_require_minimum_version 1.5.0

setup_file() {
	load scratch
	scratch_setup
	[ -z "${scratch_lacks-}" ] || return 0
	cd "$scratch"
	openssl genpkey -algorithm ed25519 -out ed25519.pem
	openssl ecparam -name prime256v1 -genkey -noout -out p256.pem
	openssl ecparam -name secp384r1 -genkey -noout -out p384.pem
	openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:2048 -out rsa.pem
	openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:3072 -out rsa3072.pem
	for k in ed25519 p256 p384 rsa rsa3072; do
		openssl pkey -in $k.pem -pubout -out $k.pub
		"$(realpath "$BATS_TEST_DIRNAME/../..")/build/assay" manifest sign manifest.json --key $k.pem -o $k.json > /dev/null
	done
}

setup() {
	top=$(realpath "$BATS_TEST_DIRNAME/../..")
	assay=$top/build/assay
	[ -z "${scratch_lacks-}" ] || skip "$scratch_lacks is missing"
	cd "$scratch"
	tmp=$BATS_TEST_TMPDIR
	at=(--at 2026-12-01)
}

# pae ENVELOPE: what is signed, by DSSE's specification and nothing of ours.
pae() {
	jq -r .payload "$1" | base64 -d > "$tmp/payload"
	local type
	type=$(jq -r .payloadType "$1")
	printf 'DSSEv1 %d %s %d ' "${#type}" "$type" "$(stat -c %s "$tmp/payload")"
	cat "$tmp/payload"
}

# openssl_args KIND: how openssl signs and checks so.
openssl_args() {
	case $1 in
	ed25519) echo -rawin ;;
	p256) echo -rawin -digest sha256 ;;
	p384) echo -rawin -digest sha384 ;;
	rsa*) echo -rawin -digest sha256 -pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:32 -pkeyopt rsa_mgf1_md:sha256 ;;
	esac
}


@test "each kind of key: openssl accepts our signature, and the key's name is the SHA-256 of its SubjectPublicKeyInfo" {
	for k in ed25519 p256 p384 rsa rsa3072; do
		pae $k.json > "$tmp/pae"
		jq -r '.signatures[0].sig' $k.json | base64 -d > "$tmp/sig"
		# shellcheck disable=SC2046 # words
		openssl pkeyutl -verify -pubin -inkey $k.pub -in "$tmp/pae" -sigfile "$tmp/sig" $(openssl_args $k)
		echo x >> "$tmp/pae"
		# shellcheck disable=SC2046
		run openssl pkeyutl -verify -pubin -inkey $k.pub -in "$tmp/pae" -sigfile "$tmp/sig" $(openssl_args $k)
		[ "$status" -ne 0 ]
		[ "$(jq -r '.signatures[0].keyid' $k.json)" = "$(openssl pkey -pubin -in $k.pub -outform DER | sha256sum | cut -d' ' -f1)" ]
		cmp <(jq -r .payload $k.json) <(jq -r .payload manifest.json)
	done
}

@test "each kind of key: we accept openssl's signature, and no other key's" {
	for k in ed25519 p256 p384 rsa rsa3072; do
		pae manifest.json > "$tmp/pae"
		# shellcheck disable=SC2046 # words
		openssl pkeyutl -sign -inkey $k.pem -in "$tmp/pae" -out "$tmp/sig" $(openssl_args $k)
		jq --arg sig "$(base64 -w0 "$tmp/sig")" '.signatures = [{sig: $sig}]' manifest.json > "$tmp/env"
		run -0 "$assay" manifest verify "${at[@]}" "$tmp/env" --key $k.pub
		[[ $output == *"1 signer, 1 wanted; valid then"* ]]
		for other in ed25519 p256 p384 rsa rsa3072; do
			[ $other = $k ] || run -3 "$assay" manifest verify "${at[@]}" "$tmp/env" --key $other.pub
			[ $other = $k ] || [[ $output == *"wrong-key"* ]]
		done
	done
}

@test "RSA with another salt, another digest or the old padding is no signature here" {
	pae manifest.json > "$tmp/pae"
	for how in "rsa_padding_mode:pkcs1" "rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:20" \
		"rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:max" "rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:32 -pkeyopt rsa_mgf1_md:sha512"; do
		# shellcheck disable=SC2086 # words
		openssl pkeyutl -sign -inkey rsa.pem -in "$tmp/pae" -out "$tmp/sig" -rawin -digest sha256 -pkeyopt $how
		jq --arg sig "$(base64 -w0 "$tmp/sig")" '.signatures = [{sig: $sig}]' manifest.json > "$tmp/env"
		run -3 "$assay" manifest verify "${at[@]}" "$tmp/env" --key rsa.pub
	done
}

@test "two signers, thresholds, and a key that signs twice" {
	cp ed25519.json "$tmp/env"
	run -0 "$assay" manifest sign "$tmp/env" --key p256.pem
	[[ $output == "signed with ECDSA P-256 key "* ]]
	run -0 "$assay" manifest verify "${at[@]}" "$tmp/env" --key ed25519.pub --key p256.pub --threshold 2
	[[ $output == *"2 signers, 2 wanted; valid then"* ]]
	run -0 "$assay" manifest verify "${at[@]}" "$tmp/env" --key p256.pub
	run -3 "$assay" manifest verify "${at[@]}" "$tmp/env" --key p256.pub --key rsa.pub --threshold 2
	[[ $output == *"below-threshold: 1 of 2"* ]]
	cp p256.pub "$tmp/again.pub"
	run -3 "$assay" manifest verify "${at[@]}" "$tmp/env" --key p256.pub --key "$tmp/again.pub" --threshold 2
	run -2 "$assay" manifest verify "${at[@]}" "$tmp/env" --key p256.pub --threshold 2

	cp "$tmp/env" "$tmp/before"
	run -1 "$assay" manifest sign "$tmp/env" --key p256.pem
	[[ $output == *"signature 2 is by this key already"* ]]
	cmp "$tmp/env" "$tmp/before"
}

@test "nobody has signed; a bare statement; a file that is none" {
	run -3 "$assay" manifest verify "${at[@]}" manifest.json --key p256.pub
	[[ $output == *"no-signature"* ]]
	"$assay" manifest show --statement manifest.json > "$tmp/statement"
	run -3 "$assay" manifest verify "${at[@]}" "$tmp/statement" --key p256.pub
	[[ $output == *"no-signature"* ]]
	run -0 "$assay" manifest sign "$tmp/statement" --key p256.pem
	run -0 "$assay" manifest verify "${at[@]}" "$tmp/statement" --key p256.pub
	for text in '{}' '[]' 'x' '{"payload":"e30=","payloadType":"x"}' '{"payload":"e30","payloadType":"x","signatures":[]}'; do
		echo "$text" > "$tmp/bad"
		run -1 "$assay" manifest verify "${at[@]}" "$tmp/bad" --key p256.pub
		run -1 "$assay" manifest sign "$tmp/bad" --key p256.pem
		[ "$(cat "$tmp/bad")" = "$text" ]
	done
	jq '.x = 1' p256.json > "$tmp/env"
	run -1 "$assay" manifest sign "$tmp/env" --key rsa.pem
	[[ $output == *'"x" is not known here'* ]]
}

@test "name, release, and when it is valid" {
	run -0 "$assay" manifest verify p256.json --key p256.pub --at 2026-12-01 --name example --min-release 1
	run -3 "$assay" manifest verify p256.json --key p256.pub --at 2026-12-01 --name other
	[[ $output == *"wrong-name: it is of example, not of other"* ]]
	run -3 "$assay" manifest verify p256.json --key p256.pub --at 2026-12-01 --min-release 2
	[[ $output == *"release-too-low"* ]]
	run -3 "$assay" manifest verify p256.json --key p256.pub --at 2026-11-21T23:59:59Z
	[[ $output == *"not-yet-valid"* ]]
	run -0 "$assay" manifest verify p256.json --key p256.pub --at 2026-11-22
	run -0 "$assay" manifest verify p256.json --key p256.pub --at 2027-11-22
	run -3 "$assay" manifest verify p256.json --key p256.pub --at 2027-11-22T00:00:01Z
	[[ $output == *"expired"* ]]
}

@test "signed by the right key, and no manifest that is known: exit 1" {
	# sign_as FILTER: the statement changed, signed by openssl.
	sign_as() {
		"$assay" manifest show --statement manifest.json | jq -c "$1" > "$tmp/statement"
		jq --arg p "$(base64 -w0 "$tmp/statement")" '.payload = $p' manifest.json > "$tmp/unsigned"
		pae "$tmp/unsigned" > "$tmp/pae"
		openssl pkeyutl -sign -inkey ed25519.pem -in "$tmp/pae" -out "$tmp/sig" -rawin
		jq --arg sig "$(base64 -w0 "$tmp/sig")" '.signatures = [{sig: $sig}]' "$tmp/unsigned" > "$tmp/env"
	}
	sign_as .
	run -0 "$assay" manifest verify "${at[@]}" "$tmp/env" --key ed25519.pub
	for what in '._type = "https://in-toto.io/Statement/v2"' '.predicateType = "urn:assay:golden-manifest:2"' \
		'.predicate.schema = "assay.manifest/2"' 'del(.predicate.release)' '.predicate.validity.expires = "soon"'; do
		sign_as "$what"
		run -1 "$assay" manifest verify "${at[@]}" "$tmp/env" --key ed25519.pub
		[[ $output == *"manifest: "* ]]
		run -1 "$assay" manifest sign "$tmp/env" --key p256.pem
	done
	[ -n "$output" ]
	# Duplicate keys, which jq would not write: in the envelope, and in what is signed.
	sed '0,/"payloadType"/s//"payload": "e30=",\n  "payloadType"/' p256.json > "$tmp/env"
	run -1 "$assay" manifest verify "${at[@]}" "$tmp/env" --key p256.pub
	[[ $output == *"duplicate"* ]]
	"$assay" manifest show --statement manifest.json | sed 's/"predicateType"/"_type": "x",\n  "predicateType"/' > "$tmp/statement"
	jq --arg p "$(base64 -w0 "$tmp/statement")" '.payload = $p' manifest.json > "$tmp/unsigned"
	pae "$tmp/unsigned" > "$tmp/pae"
	openssl pkeyutl -sign -inkey ed25519.pem -in "$tmp/pae" -out "$tmp/sig" -rawin
	jq --arg sig "$(base64 -w0 "$tmp/sig")" '.signatures = [{sig: $sig}]' "$tmp/unsigned" > "$tmp/env"
	run -1 "$assay" manifest verify "${at[@]}" "$tmp/env" --key ed25519.pub
	[[ $output == *"duplicate"* ]]
}

@test "what nothing signs is refused when it contradicts, and can be passed over" {
	other=$(jq -r '.signatures[0].keyid' rsa.json)
	for what in ".signatures[0].keyid = \"$other\"" '.signatures[0].keyid = "x"' '.signatures[0].cert = "x"' '.x = 1' '.signatures[0].x = 1'; do
		jq "$what" p256.json > "$tmp/env"
		run -3 "$assay" manifest verify "${at[@]}" "$tmp/env" --key p256.pub --key rsa.pub
		[[ $output == *"contradiction"* ]]
		run -0 "$assay" manifest verify "${at[@]}" "$tmp/env" --key p256.pub --key rsa.pub --ignore-unsigned
	done
	for what in 'del(.signatures[0].keyid)' '.signatures[0].keyid = ""'; do
		jq "$what" p256.json > "$tmp/env"
		run -0 "$assay" manifest verify "${at[@]}" "$tmp/env" --key p256.pub
	done
}

@test "one byte changed, of each kind" {
	for what in '.payload |= "A" + .[1:]' '.payload |= .[:-8] + "AAAAAAAA"' '.payloadType |= . + "x"' \
		'.signatures[0].sig |= "B" + .[1:]' '.signatures[0].keyid |= "0" + .[1:]'; do
		jq "$what" ed25519.json > "$tmp/env"
		cmp -s "$tmp/env" ed25519.json || run -3 "$assay" manifest verify "${at[@]}" "$tmp/env" --key ed25519.pub
	done
	size=$(stat -c %s ed25519.json)
	for ((i = 0; i < size; i += size / 60 + 1)); do
		cp ed25519.json "$tmp/env"
		byte=$(od -An -tu1 -j $i -N 1 "$tmp/env")
		printf '%b' "\\x$(printf %02x $((byte ^ 1)))" | dd of="$tmp/env" bs=1 seek=$i conv=notrunc status=none
		run "$assay" manifest verify "${at[@]}" "$tmp/env" --key ed25519.pub
		[ "$status" -eq 3 ] || [ "$status" -eq 1 ] || {
			echo "byte $i: exit $status"
			false
		}
	done
}

@test "passphrases: from a file, the environment, a terminal; a wrong one, none, and none of them is printed" {
	openssl pkey -in p256.pem -aes256 -passout pass:s3cret-word -out "$tmp/locked.pem"
	printf 's3cret-word\nmore\n' > "$tmp/pass"
	run -0 "$assay" manifest sign manifest.json --key "$tmp/locked.pem" --passphrase-file "$tmp/pass" -o "$tmp/env"
	run -0 "$assay" manifest verify "${at[@]}" "$tmp/env" --key p256.pub
	run -0 env ASSAY_PASSPHRASE=s3cret-word "$assay" manifest sign manifest.json --key "$tmp/locked.pem" -o "$tmp/env2"
	run -1 env ASSAY_PASSPHRASE=s3cret-wrong "$assay" manifest sign manifest.json --key "$tmp/locked.pem" -o "$tmp/env3"
	[[ $output == *"is wrong"* && $output != *s3cret* ]]
	run -1 setsid "$assay" manifest sign manifest.json --key "$tmp/locked.pem" -o "$tmp/env3" < "$tmp/pass"
	[[ $output == *"no terminal"* ]]
	run -1 "$assay" manifest sign manifest.json --key "$tmp/locked.pem" --passphrase-file "$tmp/nonesuch" -o "$tmp/env3"
	[[ $output == *nonesuch*"No such file"* ]]
	[ ! -e "$tmp/env3" ]
	command -v script > /dev/null || skip "script is not installed"
	run -0 script -qec "$assay manifest sign manifest.json --key $tmp/locked.pem -o $tmp/env3" /dev/null < <(sleep 1; echo s3cret-word; sleep 1)
	[[ $output == *"Passphrase or PIN for "* && $output != *s3cret* ]]
	run -0 "$assay" manifest verify "${at[@]}" "$tmp/env3" --key p256.pub
}
