#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# assay verify: proofs that are made here without a TPM and without assay (make_proof.py), one good one of each kind, and for
# each refusal one that has just this wrong. Signatures and chains are checked by tpm2_checkquote and openssl, too.

bats_require_minimum_version 1.5.0

setup_file() {
	load proof
	lacks=$(proof_missing)
	export lacks
	[ -z "$lacks" ] || return 0
	export machine=$BATS_FILE_TMPDIR/machine
	(
		proof_setup "$proof_top" "$machine"
		machine_events
		prove good.json "${events[@]}" --tls tls.pem --nonce "$(printf '%020d' 1)" --tcg-log boot.log --manifest example
	)
}

setup() {
	load proof
	top=$proof_top
	assay=$top/build/assay
	[ -z "$lacks" ] || skip "$lacks is missing"
	cd "$machine"
	tmp=$BATS_TEST_TMPDIR
	nonce=$(printf '%020d' 1)
	at=(--at 2026-11-22T12:00:00Z)
	with=(--manifest signed.json --key key.pub --trust trust "${at[@]}")
	machine_events
}

# refused CODE PROOF [OPTION...]: exit 3, this code first, and a text that is not empty; stdout in $output.
refused() {
	local code=$1 proof=$2
	shift 2
	run -3 --separate-stderr "$assay" verify "$proof" "${with[@]}" "$@"
	[ -z "$stderr" ]
	grep -m1 '^REFUSED ' <<< "$output"
	[[ $(grep -m1 '^REFUSED ' <<< "$output") == "REFUSED     $code: "?* ]]
	[[ $output != *"verified  "* ]]
	run -3 --separate-stderr "$assay" verify "$proof" "${with[@]}" "$@" --json
	[ "$(jq -r '.reasons[0].code' <<< "$output")" = "$code" ]
	[ "$(jq .verified <<< "$output")" = false ]
	output=$(jq -r '.reasons[].text' <<< "$output")
}

verified() {
	run -0 --separate-stderr "$assay" verify "$@" "${at[@]}"
	[ -z "$stderr" ]
	[[ $output == *"verified    the machine runs example, release 7"* ]]
}

edited() { # FILTER [FROM]: the good proof, with its JSON changed
	jq "$1" "${2:-good.json}" > "$tmp/edited.json"
}

# The proof that a machine would give with other events.
with_events() {
	prove "$tmp/proof.json" "$@" --tls tls.pem
}

@test "a good proof: each step, each register, each event in words, digests to compare" {
	verified good.json "${with[@]}" --nonce "$nonce" --tls-cert tls.pem
	[[ $output == *"1 attestation key: good"*"2 quote: good"*"answers the nonce"*"3 hashed values: good"*"machine: good"* ]]
	[[ $output == *"the firmware's event log leads to the values"* ]]
	[ "$(grep -c 'PCR.*sha256.*equal$' <<< "$output")" = 16 ]
	[[ $output == *"application disk, root hash $(cat data.roothash)"* ]]
	[[ $output == *"container @local/hello:1 is $(cat container.id)"* ]]
	[[ $output == *"  input     sha1 $(printf '%040d' 6)  data/set"* ]]
	[[ $output == *"  output    sha256 $(printf '%064d' 7)  out.zip"* ]]
	[[ $output == *"compute consumed: 12.5e15"* ]]
	[[ $output == *"sha256:$(openssl x509 -in tls.pem -outform DER | sha256sum | cut -d' ' -f1), CN=server.example"* ]]
}

@test "freshness is said not to have been asked for; a proof without log verifies by values alone, and says so" {
	verified good.json "${with[@]}"
	[[ $output == *"not asked; it answers nonce $nonce"* ]]
	prove "$tmp/p" "${events[@]}" --tls tls.pem
	verified "$tmp/p" "${with[@]}"
	[[ $output == *"not asked; it may be of any age"* ]]
	[[ $output == *"no firmware event log: by values alone"* ]]
}

@test "each way of signing, by openssl: RSASSA, RSAPSS, ECDSA on three curves, with SHA-256, -384, -512" {
	local curve hash
	for hash in sha256 sha384 sha512; do
		for scheme in rsassa rsapss; do
			prove "$tmp/p" --scheme $scheme --hash $hash
			verified "$tmp/p" "${with[@]}"
		done
	done
	for curve in P-256 P-384 P-521; do
		proof_cert "$tmp/ec" "Test AK" ca "$proof_ak_ext" -algorithm EC -pkeyopt ec_paramgen_curve:$curve
		prove "$tmp/p" --key "$tmp/ec.key" --scheme ecdsa --hash sha384
		jq --rawfile pem "$tmp/ec.pem" '.ak.certificates[0] = $pem' "$tmp/p" > "$tmp/edited.json"
		verified "$tmp/edited.json" "${with[@]}"
		rm "$tmp/ec.key"
	done
}

@test "oracles: tpm2_checkquote agrees on the signature, openssl on the chain; on a wrong one too" {
	need tpm2_checkquote
	jq -r .quote.message good.json | base64 -d > "$tmp/message"
	jq -r .quote.signature good.json | base64 -d > "$tmp/signature"
	openssl pkey -in ak.key -pubout -out "$tmp/ak.pub"
	tpm2_checkquote -u "$tmp/ak.pub" -m "$tmp/message" -s "$tmp/signature" -g sha256 \
		-q "$({ printf "%s" "$nonce" | xxd -r -p; openssl x509 -in tls.pem -outform DER | openssl dgst -sha256 -binary; } | sha256sum | cut -d' ' -f1)"
	openssl verify -CAfile trust/root.pem -untrusted ca.pem -attime "$(date -d 2026-11-22 +%s)" ak.pem
	printf '\1' | dd of="$tmp/message" bs=1 seek=60 conv=notrunc status=none
	run ! tpm2_checkquote -u "$tmp/ak.pub" -m "$tmp/message" -s "$tmp/signature" -g sha256
	edited "$(printf '.quote.message = "%s"' "$(base64 -w0 "$tmp/message")")"
	refused bad-signature "$tmp/edited.json"
}

@test "could not check: exit 1, one line on stderr, nothing on stdout" {
	printf 'no JSON' > "$tmp/p"
	for f in "$tmp/p" /dev/null "$tmp/missing" "$tmp"; do
		run -1 --separate-stderr "$assay" verify "$f" "${with[@]}"
		[ -z "$output" ]
		[ "${#stderr_lines[@]}" = 1 ]
	done
	run -1 "$assay" verify good.json --manifest signed.json --key key.pub --trust "$tmp"
	[[ $output == *"no anchor"* ]]
	run -1 "$assay" verify good.json --manifest good.json --key key.pub --trust trust
	run -1 "$assay" verify good.json "${with[@]}" --platform other
	[[ $output == *"no prediction for platform other"* ]]
}

@test "usage: exit 2" {
	for words in "" "--trust trust" "--manifest signed.json --key key.pub" "--trust trust --manifest signed.json" \
		"--trust trust --pcrs a --manifest signed.json --key key.pub" "--trust trust --manifest signed.json --ca key.pub" \
		"--nonce 00 --trust trust" "--nonce xx00112233445566 --trust trust" "--ignore-pcr 16 --trust trust --pcrs a" \
		"--log-pcr 17 --trust trust --pcrs a" "--expect nothing=1 --trust trust --pcrs a" "--at noon" "--min-release 0" \
		"--trust trust --pcrs a --expect input:a=md5:00" "--trust trust --pcrs a --expect root_hash=00" \
		"--trust trust --pcrs a --expect output=sha256:$(printf '%064d' 1)" "--trust trust --pcrs a --expect tls"; do
		# shellcheck disable=SC2086 # words
		run -2 --separate-stderr "$assay" verify good.json $words
		[ -z "$output" ]
	done
	run -2 "$assay" verify "${with[@]}"
}

# --- the file ---------------------------------------------------------------------------------------

@test "malformed: a member that is missing, unknown, of another kind; Base64, hex and PEM in another way than the one" {
	local filter
	for filter in 'del(.nonce)' '.more = 1' '.ak.more = 1' '.ak.source = "mine"' '.ak.public = ""' '.ak.public += "="' \
		'.ak.certificates = "x"' '.ak.certificates[0] = "x"' '.ak.certificates[0] |= rtrimstr("\n")' \
		'.ak.certificates[0] += .ak.certificates[1]' '.quote.message |= "\n" + .' 'del(.quote.signature)' '.pcrs = []' \
		'.pcrs.md5 = {"0": "00"}' '.pcrs.sha256["24"] = .pcrs.sha256["0"]' '.pcrs.sha256["01"] = .pcrs.sha256["1"]' \
		'.pcrs.sha256["4"] |= ascii_upcase' '.pcrs.sha384 = {}' '.nonce = "0"' '.nonce |= . + "zz"' '.nonce = 7' \
		'.manifest = "example"' '.manifest.name = 1' '.tls.certificate = 1' '.tls = {}' '.tcg_log = "*"' '.runtime_log = {}' \
		'.runtime_log[0].more = 1' '.runtime_log[1].recnum = 7' 'del(.runtime_log[2].digests[1])' '.runtime_log[0].pcr = 24' '.runtime_log[3].content = {"other": "x"}'; do
		edited "$filter"
		refused malformed "$tmp/edited.json"
	done
}

@test "unknown-kind: another schema, other files, each by its name" {
	edited '.schema = "assay.proof/2"'
	refused unknown-kind "$tmp/edited.json"
	[[ $output == *'"assay.proof/2"'* ]]
	echo '{}' > "$tmp/p"
	refused unknown-kind "$tmp/p"
	refused unknown-kind signed.json
	[[ $output == *"an envelope of a manifest"* ]]
	echo '{"measurements": {}}' > "$tmp/p"
	refused unknown-kind "$tmp/p"
}

# --- 1: the attestation key ------------------------------------------------------------------------

@test "no-certificate, bad-certificate" {
	edited '.ak.certificates = []'
	refused no-certificate "$tmp/edited.json"
	edited '.ak.certificates[1] = "-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n"'
	refused bad-certificate "$tmp/edited.json"
	[[ $output == *"certificate 2"* ]]
}

@test "untrusted-key: the key of another CA, a missing intermediate, a self-signed certificate" {
	proof_cert "$tmp/root" "Test root" - "$proof_ca_ext"
	mkdir "$tmp/trust" && cp "$tmp/root.pem" "$tmp/trust"
	with=(--manifest signed.json --key key.pub --trust "$tmp/trust" "${at[@]}")
	refused untrusted-key good.json
	with=(--manifest signed.json --key key.pub --trust trust "${at[@]}")
	edited 'del(.ak.certificates[1])'
	refused untrusted-key "$tmp/edited.json"
	# An intermediate among what is trusted helps, but is no anchor.
	cp root.pem ca.pem "$tmp/trust/"
	verified "$tmp/edited.json" --manifest signed.json --key key.pub --trust "$tmp/trust"
	rm "$tmp/trust/root.pem"
	run -1 "$assay" verify "$tmp/edited.json" --manifest signed.json --key key.pub --trust "$tmp/trust"
}

@test "certificate-time: before, after, and --at in between" {
	with=(--manifest signed.json --key key.pub --trust trust --at 2025-12-01)
	refused certificate-time good.json
	with=(--manifest signed.json --key key.pub --trust trust --at 2037-01-01)
	refused certificate-time good.json
	[[ $output == *"expired"* ]]
	cp ak.key "$tmp/old.key"
	proof_days=10 proof_cert "$tmp/old" "Test AK" ca "$proof_ak_ext"
	prove "$tmp/p"
	jq --rawfile pem "$tmp/old.pem" '.ak.certificates[0] = $pem' "$tmp/p" > "$tmp/edited.json"
	with=(--manifest signed.json --key key.pub --trust trust "${at[@]}")
	refused certificate-time "$tmp/edited.json"
	[[ $output == *"Test AK"* ]]
	at=(--at 2026-01-05)
	verified "$tmp/edited.json" --manifest signed.json --key key.pub --trust trust
}

@test "certificate-usage: a TLS server's, a CA's, one for encryption" {
	local ext
	cp ak.key "$tmp/x.key"
	prove "$tmp/p"
	for ext in 'extendedKeyUsage=serverAuth\n' 'keyUsage=critical,keyEncipherment\nextendedKeyUsage=2.23.133.8.3\n' "$proof_ca_ext" \
		'extendedKeyUsage=1.3.6.1.4.1.311.10.3.12\n'; do
		proof_cert "$tmp/x" "Test AK" ca "$ext"
		jq --rawfile pem "$tmp/x.pem" '.ak.certificates[0] = $pem' "$tmp/p" > "$tmp/edited.json"
		refused certificate-usage "$tmp/edited.json"
	done
	# Without an extendedKeyUsage there is nothing to be wrong with it.
	proof_cert "$tmp/x" "Test AK" ca 'keyUsage=digitalSignature\n'
	jq --rawfile pem "$tmp/x.pem" '.ak.certificates[0] = $pem' "$tmp/p" > "$tmp/edited.json"
	verified "$tmp/edited.json" "${with[@]}"
}

@test "certificate-extra: one that leads nowhere, one twice" {
	jq --rawfile pem tls.pem '.ak.certificates += [$pem]' good.json > "$tmp/edited.json"
	refused certificate-extra "$tmp/edited.json"
	edited '.ak.certificates += [.ak.certificates[1]]'
	refused certificate-extra "$tmp/edited.json"
	# The root itself may be there.
	jq --rawfile pem root.pem '.ak.certificates += [$pem]' good.json > "$tmp/edited.json"
	verified "$tmp/edited.json" "${with[@]}"
}

@test "key-mismatch: ak.public is another key" {
	openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$tmp/other.key" 2> /dev/null
	prove "$tmp/p" --key "$tmp/other.key"
	jq --slurpfile p "$tmp/p" '.ak.public = $p[0].ak.public' good.json > "$tmp/edited.json"
	refused key-mismatch "$tmp/edited.json"
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$tmp/ec.key"
	prove "$tmp/p" --key "$tmp/ec.key" --scheme ecdsa
	jq --slurpfile p "$tmp/p" '.ak.public = $p[0].ak.public' good.json > "$tmp/edited.json"
	refused key-mismatch "$tmp/edited.json"
}

@test "key-kind: not restricted, decrypting, not fixed, made elsewhere" {
	local a
	for a in 0x00040072 0x00070072 0x00050070 0x00050062 0x00050052 0x00010072; do
		prove "$tmp/p" --attributes $a
		refused key-kind "$tmp/p"
	done
}

# --- 2: the quote ---------------------------------------------------------------------------------

@test "weak-algorithm: signed with SHA-1" {
	prove "$tmp/p" --hash sha1
	refused weak-algorithm "$tmp/p"
}

@test "a key of 1024 bits leads to no anchor" {
	proof_cert "$tmp/small" "Test AK" ca "$proof_ak_ext" -algorithm RSA -pkeyopt rsa_keygen_bits:1024
	prove "$tmp/p" --key "$tmp/small.key"
	jq --rawfile pem "$tmp/small.pem" '.ak.certificates[0] = $pem' "$tmp/p" > "$tmp/edited.json"
	refused untrusted-key "$tmp/edited.json"
}

@test "bad-signature: by another TPM's key, of another message" {
	openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$tmp/other.key" 2> /dev/null
	prove "$tmp/p" --sign-with "$tmp/other.key"
	refused bad-signature "$tmp/p"
	prove "$tmp/q" --nonce "$(printf '%020d' 2)"
	jq --slurpfile q "$tmp/q" '.quote.message = $q[0].quote.message' good.json > "$tmp/edited.json"
	refused bad-signature "$tmp/edited.json"
	edited '.quote.signature = "AAAA"'
	refused bad-signature "$tmp/edited.json"
}

@test "no-quote: something else that the key signed, or bytes behind it" {
	prove "$tmp/p" --type 0x8017
	refused no-quote "$tmp/p"
	prove "$tmp/p" --magic 0x00544347
	refused no-quote "$tmp/p"
	prove "$tmp/p" --rest 00
	refused no-quote "$tmp/p"
}

@test "nonce: another one, none; a replayed proof" {
	refused nonce good.json --nonce "$(printf '%020d' 2)"
	[[ $output == *"another nonce: it is not fresh"* ]]
	prove "$tmp/p"
	refused nonce "$tmp/p" --nonce "$nonce"
	[[ $output == *"no nonce: it is not fresh"* ]]
	# The old quote under a new nonce.
	edited '.nonce = "00000000000000000002"'
	refused binding "$tmp/edited.json" --nonce "$(printf '%020d' 2)"
}

@test "binding: a quote made for another nonce or TLS certificate" {
	edited '.nonce = null'
	refused binding "$tmp/edited.json"
	edited '.tls = null'
	refused binding "$tmp/edited.json"
	proof_cert "$tmp/mitm" "server.example" - 'subjectAltName=DNS:server.example\n'
	jq --rawfile pem "$tmp/mitm.pem" '.tls.certificate = $pem' good.json > "$tmp/edited.json"
	refused binding "$tmp/edited.json"
	prove "$tmp/p" --extra ""
	refused binding "$tmp/p"
}

# --- 3: the values --------------------------------------------------------------------------------

@test "empty-selection" {
	prove "$tmp/p" --select ""
	refused empty-selection "$tmp/p"
	prove "$tmp/p" --select "sha256:"
	refused empty-selection "$tmp/p"
}

@test "pcr-not-signed: a value outside of the selection" {
	edited '.pcrs.sha256["16"] = .pcrs.sha256["0"]'
	refused pcr-not-signed "$tmp/edited.json"
	[[ $output == *"PCR 16 in bank sha256"* ]]
	edited '.pcrs.sha384 = {"4": (.pcrs.sha256["4"] + "00000000000000000000000000000000")}'
	refused pcr-not-signed "$tmp/edited.json"
}

@test "pcr-not-given: a signed register without value" {
	edited 'del(.pcrs.sha256["4"])'
	refused pcr-not-given "$tmp/edited.json"
	[[ $output == *"PCR 4 of bank sha256"* ]]
	edited 'del(.pcrs.sha1)'
	refused pcr-not-given "$tmp/edited.json"
}

@test "pcr-digest: other values than those that were signed" {
	edited '.pcrs.sha256["4"] = .pcrs.sha256["5"]'
	refused pcr-digest "$tmp/edited.json"
	edited '.pcrs.sha1["4"] = .pcrs.sha1["5"]'
	refused pcr-digest "$tmp/edited.json"
}

# --- the boot ---------------------------------------------------------------------------------------

@test "bank: SHA-1 alone, a register that is not signed, banks that differ" {
	prove "$tmp/p" --select "sha1:0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15"
	refused bank "$tmp/p"
	prove "$tmp/p" --select "sha256:0,1,2,3,4,5,6,7,8,9,10,11,12,13,14"
	refused bank "$tmp/p"
	[[ $output == "PCR 15 is signed in no bank"* ]]
	sed 's/^sha256 .*//; /^$/d' pcrs.txt > "$tmp/pcrs"
	python3 -c 'for i in range(16): print("sha384", i, "00" * 48)' >> "$tmp/pcrs"
	prove "$tmp/p" --pcrs "$tmp/pcrs"
	refused bank "$tmp/p"
}

@test "more registers than 0 to 15 are told, and not judged" {
	prove "$tmp/p" --select "sha256:0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15" "${events[@]}" --tls tls.pem
	verified "$tmp/p" "${with[@]}"
	{ cat pcrs.txt && echo "sha256 23 $(printf '%064d' 1)" && echo "sha1 23 $(printf '%040d' 1)"; } > "$tmp/pcrs"
	prove "$tmp/p" --pcrs "$tmp/pcrs"
	verified "$tmp/p" "${with[@]}"
	[[ $output == *"PCR 23 sha256 $(printf '%064d' 1) not judged"* ]]
}

@test "pcr-mismatch: with a log, the first line is the cause: another kernel, another command line" {
	local kind words
	sed "s/^\(sha256\|sha1\) 11 \(....\)/\1 11 beef/" pcrs.txt > "$tmp/pcrs"
	prove "$tmp/p" --pcrs "$tmp/pcrs"
	refused pcr-mismatch "$tmp/p"
	[[ $output == "PCR 11 (sha256) differs: UKI: kernel, command line, initrd: expected "*", quoted beef"* ]]
	# Another disk is booted: with its own log, and against the manifest of the first.
	for kind in cmdline linux; do
		rm -rf "$tmp/other" && mkdir "$tmp/other"
		if [ $kind = cmdline ]; then
			chain_disk "$tmp/other/disk.img" root.sqfs "quiet debug roothash=$(jq -r .payload manifest.json | base64 -d | jq -r '.predicate.facts.verity[0].root_hash')"
			words="another command line: "
		else
			(
				eval "$(declare -f chain_uki | sed 's/6\.12\.0-amd64/6.13.0-amd64/')"
				chain_disk "$tmp/other/disk.img" root.sqfs
			)
			words="another kernel: "
		fi
		"$assay" precompute "$tmp/other/disk.img" --platform small.yaml --json -o "$tmp/other/p.json"
		"$top/tests/fixtures/log-of.py" "$tmp/other/p.json" "$tmp/other/log"
		jq -r '.banks | to_entries[] | .key as $bank | .value | to_entries[] | "\($bank) \(.key) \(.value)"' "$tmp/other/p.json" > "$tmp/other/pcrs"
		prove "$tmp/p" --pcrs "$tmp/other/pcrs" --tcg-log "$tmp/other/log" "${events[@]}" --tls tls.pem
		refused pcr-mismatch "$tmp/p"
		echo "$output"
		[[ $output == "$words"* ]]
	done
}

@test "pcr-not-predicted: by name, unless --ignore-pcr" {
	jq '.payload' manifest.json -r | base64 -d | jq -c '.predicate.predictions[0] |= ((.pcrs[5] |= (.status = "unknown" | .reason = "nobody knows")) | .banks |= map_values(del(.["5"])))' > "$tmp/statement"
	jq -n --arg p "$(base64 -w0 "$tmp/statement")" '{payloadType: "application/vnd.in-toto+json", payload: $p, signatures: []}' > "$tmp/m.json"
	"$assay" manifest sign "$tmp/m.json" --key key.pem -o "$tmp/s.json" > /dev/null
	with=(--manifest "$tmp/s.json" --key key.pub --trust trust "${at[@]}")
	refused pcr-not-predicted good.json
	[[ $output == *"PCR 5 "*"nobody knows"* ]]
	verified good.json "${with[@]}" --ignore-pcr 5
	[[ $output == *"not predicted, ignored"* ]]
	# Nothing may be measured into one that nobody judges.
	with_events "${events[@]}" --event 5 event '{"content":{"total_flos":1},"event_type":"compute_consumed"}'
	refused runtime-place "$tmp/proof.json" --ignore-pcr 5
}

@test "tcg-log: one that does not lead to the values, that cannot be read, of no TPM" {
	"$top/tests/fixtures/log-of.py" prediction.json "$tmp/log" drop:4:1
	prove "$tmp/p" --tcg-log "$tmp/log"
	refused tcg-log "$tmp/p"
	[[ $output == *"PCR 4"* ]]
	# One that has left out all of a PCR.
	jq '.pcrs |= map(if .pcr == 9 then .events = [] else . end)' prediction.json > "$tmp/without"
	run ! cmp -s prediction.json "$tmp/without"
	"$top/tests/fixtures/log-of.py" "$tmp/without" "$tmp/log"
	prove "$tmp/p" --tcg-log "$tmp/log"
	refused tcg-log "$tmp/p"
	[[ $output == *"has no event of PCR 9"* ]]
	head -c 100 boot.log > "$tmp/log"
	prove "$tmp/p" --tcg-log "$tmp/log"
	refused tcg-log "$tmp/p"
}

@test "manifest: expired, not valid yet, of a key that nobody named, of a release too low, rolled back" {
	at=(--at 2027-06-01)
	with=(--manifest signed.json --key key.pub --trust trust "${at[@]}")
	refused manifest good.json
	[[ $output == *"expired: valid until 2027-01-01"* ]]
	at=(--at 2026-11-22)
	with=(--manifest signed.json --key key.pub --trust trust "${at[@]}")
	refused manifest good.json --min-release 8
	[[ $output == *"release-too-low"* ]]
	openssl genpkey -algorithm ed25519 -out "$tmp/k" && openssl pkey -in "$tmp/k" -pubout -out "$tmp/k.pub"
	with=(--manifest signed.json --key "$tmp/k.pub" --trust trust "${at[@]}")
	refused manifest good.json
	[[ $output == *"wrong-key"* ]]
	# Release 8 is accepted and written down; then the proof is of release 7.
	jq -r .payload manifest.json | base64 -d | jq -c '.predicate.release = 8' > "$tmp/statement"
	jq -n --arg p "$(base64 -w0 "$tmp/statement")" '{payloadType: "application/vnd.in-toto+json", payload: $p, signatures: []}' > "$tmp/m.json"
	"$assay" manifest sign "$tmp/m.json" --key key.pem -o "$tmp/eight.json" > /dev/null
	run -0 "$assay" verify good.json --manifest "$tmp/eight.json" --key key.pub --trust trust "${at[@]}" --state "$tmp/state"
	[[ $output == *"example, release 8"* ]]
	[ "$(jq .images.example.release "$tmp/state")" = 8 ]
	with=(--manifest signed.json --key key.pub --trust trust "${at[@]}")
	refused manifest good.json --state "$tmp/state"
	[[ $output == *"rolled-back"* ]]
	[ "$(jq .images.example.release "$tmp/state")" = 8 ]
	# A refused proof writes nothing down.
	refused nonce good.json --nonce "$(printf '%020d' 2)" --state "$tmp/other"
	[ ! -e "$tmp/other" ]
}

@test "several manifests: the one that matches is named, one that is refused is set aside" {
	sed 's/^name: small/name: other/; s/sha1, sha256/sha256/' small.yaml > "$tmp/other.yaml"
	chain_disk "$tmp/disk.img" root.sqfs "debug roothash=$(jq -r .payload manifest.json | base64 -d | jq -r '.predicate.facts.verity[0].root_hash')"
	"$assay" manifest create "$tmp/disk.img" --platform "$tmp/other.yaml" --platform small.yaml --name example --release 6 --not-before 2026-01-01 \
		--expires 2027-01-01 -o "$tmp/m.json"
	"$assay" manifest sign "$tmp/m.json" --key key.pem -o "$tmp/six.json" > /dev/null
	verified good.json --manifest "$tmp/six.json" "${with[@]}"
	verified good.json --manifest "$tmp/m.json" "${with[@]}"
	[[ $output == *"platform small"* ]]
}

@test "other-manifest: the machine says that it is for another" {
	edited '.manifest.name = "another"'
	refused other-manifest "$tmp/edited.json"
}

# --- what came after the boot --------------------------------------------------------------------------

@test "runtime-log: a record that contradicts itself; a bank that it does not have" {
	edited '.runtime_log[4].content.event |= sub("17"; "18")'
	refused runtime-log "$tmp/edited.json"
	[[ $output == *"record 4"* ]]
	edited '.runtime_log |= map(.digests |= map(select(.hashAlg == "sha1")))'
	refused runtime-log "$tmp/edited.json"
	[[ $output == *"no digests in bank sha256"* ]]
	# Without SHA-1 nothing is missing.
	edited '.runtime_log |= map(.digests |= map(select(.hashAlg == "sha256")))'
	verified "$tmp/edited.json" "${with[@]}"
}

@test "runtime-value: a record that is missing, moved, added, changed" {
	edited 'del(.runtime_log[4]) | .runtime_log |= (to_entries | map(.value.recnum = .key | .value))'
	refused runtime-value "$tmp/edited.json"
	[[ $output == *"PCR 14"*"a record is missing, or has been changed"* ]]
	edited '.runtime_log[4] as $a | .runtime_log[5] as $b | .runtime_log[4] = $b | .runtime_log[5] = $a | .runtime_log[4].recnum = 4 | .runtime_log[5].recnum = 5'
	refused runtime-value "$tmp/edited.json"
	[[ $output == *"records 4 and 5 are in each other's places"* ]]
	edited '.runtime_log += [.runtime_log[7] | .recnum = 8]'
	refused runtime-value "$tmp/edited.json"
	[[ $output == *"record 7 was not measured, the others lead to it"* ]]
	edited '(.runtime_log[3] | .recnum = 4) as $r | .runtime_log = .runtime_log[:4] + [$r] + (.runtime_log[4:] | map(.recnum += 1))'
	refused runtime-value "$tmp/edited.json"
	[[ $output == *"was not measured"* ]]
	with_events "${events[@]}" --unlogged 14 secret
	refused runtime-value "$tmp/proof.json"
	prove "$tmp/p" --unlogged 14 secret
	refused runtime-value "$tmp/p"
	[[ $output == *"PCR 14 has been extended, and no record"* ]]
}

@test "runtime-place: a record in a register of the boot, or one that is not judged" {
	with_events "${events[@]}" --event 11 event '{"content":{"total_flos":1},"event_type":"compute_consumed"}'
	refused runtime-place "$tmp/proof.json"
	[[ $output == *"PCR 11"* ]]
	{ cat pcrs.txt && echo "sha256 16 $(printf '%064d' 0)" && echo "sha1 16 $(printf '%040d' 0)"; } > "$tmp/pcrs"
	prove "$tmp/p" --pcrs "$tmp/pcrs" --event 16 event '{"content":{"total_flos":1},"event_type":"compute_consumed"}'
	refused runtime-place "$tmp/p"
	[[ $output == *"PCR 16, which is not judged"* ]]
}

@test "runtime-event: an unknown type, a shape that is not of its type, no JSON" {
	with_events "${events[@]}" --event 14 event '{"content":{},"event_type":"backdoor"}'
	refused runtime-event "$tmp/proof.json"
	[[ $output == *"record 8"*backdoor* ]]
	with_events "${events[@]}" --event 14 event '{"content":{"spec":{}},"event_type":"input_image"}'
	refused runtime-event "$tmp/proof.json"
	with_events "${events[@]}" --event 14 event 'no JSON'
	refused runtime-event "$tmp/proof.json"
	prove "$tmp/p" --event 15 certificate "no certificate"
	refused runtime-event "$tmp/p"
}

@test "runtime-order: a disk after the end of the set-up, two ends, none, or the two in two PCRs" {
	prove "$tmp/p" --event 15 root_hash "$(cat data.roothash)" --event 14 sentinel ""
	refused runtime-order "$tmp/p"
	[[ $output == *"record 1 is in PCR 14, record 0 in PCR 15"* ]]
	prove "$tmp/p" --event 15 sentinel "" --event 15 root_hash "$(cat data.roothash)"
	refused runtime-order "$tmp/p"
	[[ $output == *"record 1: a disk after the set-up"* ]]
	prove "$tmp/p" --event 15 sentinel "" --event 15 sentinel ""
	refused runtime-order "$tmp/p"
	prove "$tmp/p" --event 15 root_hash "$(cat data.roothash)"
	refused runtime-order "$tmp/p"
	[[ $output == *"no sentinel"* ]]
}

@test "unknown-disk: not in the manifest, and not expected" {
	local other
	other=$(printf '%064d' 9)
	prove "$tmp/p" --event 15 root_hash "$other" --event 15 sentinel ""
	refused unknown-disk "$tmp/p"
	[[ $output == *"$other"* ]]
	verified "$tmp/p" "${with[@]}" --expect "root_hash=$other"
	# The root filesystem is no application disk.
	prove "$tmp/p" --event 15 root_hash "$(jq -r .payload manifest.json | base64 -d | jq -r '.predicate.facts.verity[0].root_hash')" --event 15 sentinel ""
	refused unknown-disk "$tmp/p"
}

@test "unknown-container: another image under a known name, another name" {
	local other
	other=$(printf '%064d' 9)
	prove "$tmp/p" --event 14 event "{\"content\":{\"resolved\":{\"id\":\"sha256:$other\"},\"spec\":{\"image_name\":\"@local/hello:1\"}},\"event_type\":\"input_image\"}"
	refused unknown-container "$tmp/p"
	[[ $output == *"in the manifest it is $(cat container.id)"* ]]
	verified "$tmp/p" "${with[@]}" --expect "container:@local/hello:1=sha256:$other"
	prove "$tmp/p" --event 14 event "{\"content\":{\"resolved\":{\"id\":\"$(cat container.id)\"},\"spec\":{\"image_name\":\"@local/other:1\"}},\"event_type\":\"input_image\"}"
	refused unknown-container "$tmp/p"
	[[ $output == *"neither in the manifest nor expected"* ]]
}

@test "tls-certificate: not the peer's, not measured, not the last, expired" {
	proof_cert "$tmp/mitm" "server.example" - 'subjectAltName=DNS:server.example\n' -algorithm EC -pkeyopt ec_paramgen_curve:P-256
	refused tls-certificate good.json --tls-cert "$tmp/mitm.pem"
	[[ $output == *"somebody is in between"* ]]
	openssl x509 -in tls.pem -outform DER -out "$tmp/tls.der"
	verified good.json "${with[@]}" --tls-cert "$tmp/tls.der"
	prove "$tmp/p" --tls tls.pem
	refused tls-certificate "$tmp/p"
	[[ $output == *"not among what was measured"* ]]
	prove "$tmp/p" --event 15 certificate @tls.pem --event 15 certificate "@$tmp/mitm.pem" --tls tls.pem
	refused tls-certificate "$tmp/p"
	[[ $output == *"not the last that was measured"* ]]
	prove "$tmp/p" --event 15 certificate @tls.pem
	refused tls-certificate "$tmp/p"
	[[ $output == *"bound to none"* ]]
	prove "$tmp/p"
	refused tls-certificate "$tmp/p" --tls-cert tls.pem
	proof_days=10 proof_cert "$tmp/old" "server.example" - 'subjectAltName=DNS:server.example\n' -algorithm EC -pkeyopt ec_paramgen_curve:P-256
	prove "$tmp/p" --event 15 certificate "@$tmp/old.pem" --tls "$tmp/old.pem"
	refused tls-certificate "$tmp/p"
	[[ $output == *"expired at 2026-11-22"* ]]
}

@test "expectation: each kind, met and not" {
	local tls e
	tls=$(openssl x509 -in tls.pem -outform DER | sha256sum | cut -d' ' -f1)
	expects=("root_hash=$(cat data.roothash)" "container:@local/hello:1=$(cat container.id)"
		"input:data/set=sha1:$(printf '%040d' 6)" "output:out.zip=sha256:$(printf '%064d' 7)"
		"weights:model/weights.bin=sha256:$(printf '%064d' 5)" "tls=sha256:$tls" "manifest=example")
	for e in "${expects[@]}"; do
		all+=(--expect "$e")
	done
	verified good.json "${with[@]}" "${all[@]}"
	for e in "root_hash=$(printf '%064d' 1)" "container:@local/world:2=$(cat container.id)" "container:@local/hello:1=sha256:$(printf '%064d' 1)" \
		"input:data/set=sha1:$(printf '%040d' 7)" "input:data/other=sha1:$(printf '%040d' 6)" "output:out.zip=sha256:$(printf '%064d' 8)" \
		"weights:model/weights.bin=sha256:$(printf '%064d' 6)" "weights:model/weights.bin=fsverity:sha256:$(printf '%064d' 5)" \
		"code:app=sha256:$(printf '%064d' 1)" "configuration:c.yaml=sha256:$(printf '%064d' 1)" "tls=sha256:$(printf '%064d' 1)" "manifest=other"; do
		refused expectation good.json --expect "$e"
	done
}

# --- the older shapes -----------------------------------------------------------------------------------

@test "the shapes of AICert and BlindLlama, against a manifest, and against their own list" {
	prove "$tmp/a" "${events[@]:0:0}" --shape aicert --event 14 event '{"content":{"resolved":{"hash":"'"$(printf '%064d' 1)"'"},"spec":{"config_file":{"lr":0.5}}},"event_type":"axolotl_configuration"}' \
		--event 8 event '{"content":{"total_flos":1},"event_type":"compute_consumed"}' --event 15 certificate @tls.pem
	verified "$tmp/a" "${with[@]}"
	prove "$tmp/b" --shape blindllama --event 15 root_hash "$(cat data.roothash)" --event 15 sentinel "" --event 15 certificate @tls.pem
	verified "$tmp/b" "${with[@]}"
	jq '{measurements: {"4": .banks.sha256["4"], "12": .banks.sha256["12"]}}' prediction.json > "$tmp/m"
	for p in a b; do
		run -0 "$assay" verify "$tmp/$p" --pcrs "$tmp/m" --trust trust "${at[@]}"
		[[ $output == *"verified    the values are those of the list"* ]]
	done
	jq '{measurements: {"4": .banks.sha256["5"]}}' prediction.json > "$tmp/m"
	run -3 "$assay" verify "$tmp/a" --pcrs "$tmp/m" --trust trust "${at[@]}"
	[[ $output == *"REFUSED     pcr-mismatch: PCR 4"* ]]
	# An output that was swapped, and a log of another register.
	jq '.output_event_log[0] |= sub("1"; "2")' "$tmp/a" > "$tmp/c"
	refused runtime-value "$tmp/c"
	jq '{measurements: {"4": .banks.sha256["4"]}}' prediction.json > "$tmp/m"
	run -3 "$assay" verify "$tmp/a" --pcrs "$tmp/m" --log-pcr 9 --trust trust "${at[@]}"
	# No nonce is in them.
	refused nonce "$tmp/a" --nonce "$nonce"
	refused tls-certificate "$tmp/a" --tls-cert tls.pem
	jq '.more = 1' "$tmp/b" > "$tmp/c"
	refused malformed "$tmp/c"
}

@test "old proofs of real machines: what their index says of them" {
	local real=$top/../shared/data/proofs
	[ -d "$real" ] || skip "no ../shared/data/proofs"
	mkdir "$tmp/trust" && cp "$real"/*.crt "$tmp/trust"
	python3 - "$real" "$tmp" <<- 'EOF'
	import base64, json, struct, sys
	real, tmp = sys.argv[1:]
	for i, name in enumerate(("mithril-security-docs-get-started-067f1705", "mithril-security-b9606b44-sample_build_response")):
	    ra = json.load(open(f"{real}/{name}.json"))["remote_attestation"]
	    if i == 1:  # its root came with it
	        open(f"{tmp}/trust/ame.crt", "wb").write(base64.b64decode(ra["cert_chain"][2]["base64"]))
	    b, values = base64.b64decode(ra["quote"]["pcr"]["base64"]), []
	    for k in range(struct.unpack_from("<I", b, 132)[0]):
	        for n in range(struct.unpack_from("<I", b, 136 + 532 * k)[0]):
	            at = 136 + 532 * k + 4 + 66 * n
	            values.append(b[at + 2 : at + 2 + struct.unpack_from("<H", b, at)[0]].hex())
	    json.dump({"measurements": {str(n): values[n] for n in (0, 1, 2, 3, 4, 12, 13)}}, open(f"{tmp}/m{i}", "w"))
	EOF
	one=$real/mithril-security-docs-get-started-067f1705.json
	two=$real/mithril-security-b9606b44-sample_build_response.json
	run -0 "$assay" verify "$one" --pcrs "$tmp/m0" --log-pcr 16 --trust "$tmp/trust" --at 2024-05-01
	[[ $output == *"finetuned-model.zip"* ]]
	run -0 "$assay" verify "$two" --pcrs "$tmp/m1" --log-pcr 16 --trust "$tmp/trust" --at 2023-12-01
	# Expired since; another register; another list.
	run -3 "$assay" verify "$one" --pcrs "$tmp/m0" --log-pcr 16 --trust "$tmp/trust"
	[[ $output == *"certificate-time"* ]]
	run -3 "$assay" verify "$one" --pcrs "$tmp/m0" --log-pcr 14 --trust "$tmp/trust" --at 2024-05-01
	[[ $output == *"runtime-value"* ]]
	run -3 "$assay" verify "$one" --pcrs "$tmp/m1" --log-pcr 16 --trust "$tmp/trust" --at 2024-05-01
	[[ $output == *"pcr-mismatch"* ]]
	# Others' evidence is refused by its name.
	run -3 "$assay" verify "$real/confidential-containers-evidence-v1.json" --pcrs "$tmp/m0" --trust "$tmp/trust"
	[[ $output == *"unknown-kind: it is evidence of confidential-containers"* ]]
	run -3 "$assay" verify "$real/google-windows_gcp_shielded_vm.json" --pcrs "$tmp/m0" --trust "$tmp/trust"
	[[ $output == *"unknown-kind: it is a dump of go-attestation"* ]]
	run -1 "$assay" verify "$real/Dstack-TEE-guest-agent-attestation-gcp-tdx.bin" --pcrs "$tmp/m0" --trust "$tmp/trust"
}

@test "a quote of a Google TDX machine, signed with ECDSA, and its key's certificate" {
	local real=$top/../shared/data/proofs evidence
	evidence=$real/Dstack-TEE-guest-agent-attestation-gcp-tdx.bin
	[ -r "$evidence" ] || skip "no ../shared/data/proofs"
	mkdir "$tmp/trust" && cp "$real"/google-gcp_ek_ak_ca_*.crt "$tmp/trust"
	# TPMS_ATTEST, its length and TPMT_SIGNATURE, then the values of PCRs 0, 2 and 14, and the certificate: as AICert has them.
	python3 - "$evidence" "$tmp" <<- 'EOF'
	import base64, json, re, struct, sys
	d, tmp = open(sys.argv[1], "rb").read(), sys.argv[2]
	at = d.index(b"\xffTCG\x80\x18")
	sig = d.index(bytes.fromhex("0018000b0020"), at)
	message, signature = d[at : sig - 2], d[sig : sig + 72]
	named = (m.start() for m in re.finditer(b"sha256\x80", d) if m.start() > sig)
	values = [(struct.unpack("<I", d[k - 5 : k - 1])[0], d[k + 7 : k + 39]) for k in named]
	selection = b"".join(struct.pack("<HB", 0x0B, 3) + bytes([0x05, 0x40, 0, 0]) + b"\0" if n == 0 else bytes(8) for n in range(16))
	block = struct.pack("<I", 3) + b"".join(struct.pack("<H", 32) + v + bytes(32) for _, v in values) + bytes(66 * 5)
	pcr = struct.pack("<I", 1) + selection + struct.pack("<I", 1) + block
	der = next(k for k in range(sig, len(d)) if d[k : k + 2] == b"\x30\x82")
	der = d[der : der + 4 + struct.unpack(">H", d[der + 2 : der + 4])[0]]
	b64 = lambda b: {"base64": base64.b64encode(b).decode()}
	for name, m in (("good", message), ("bad", message[:-1] + bytes([message[-1] ^ 1]))):
	    json.dump({"event_log": [], "remote_attestation": {"quote": {"message": b64(m), "signature": b64(signature), "pcr": b64(pcr)},
	               "cert_chain": [b64(der)]}}, open(f"{tmp}/{name}.json", "w"))
	json.dump({"measurements": {str(n): v.hex() for n, v in values}}, open(f"{tmp}/m", "w"))
	EOF
	run -0 "$assay" verify "$tmp/good.json" --pcrs "$tmp/m" --log-pcr 16 --trust "$tmp/trust" "${at[@]}"
	[[ $output == *"ECDSA with sha256"* ]]
	run -3 "$assay" verify "$tmp/bad.json" --pcrs "$tmp/m" --log-pcr 16 --trust "$tmp/trust" "${at[@]}"
	[[ $output == *"bad-signature"* ]]
	rm "$tmp/trust"/*root*
	run "$assay" verify "$tmp/good.json" --pcrs "$tmp/m" --log-pcr 16 --trust "$tmp/trust" "${at[@]}"
	[ "$status" -ne 0 ]
}
