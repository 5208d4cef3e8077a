#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# assay-agent proof: against software TPMs set up as clouds do. What judges: tpm2_checkquote (signature, values), tpm2_pcrread,
# openssl (chains, RSAPSS), a Python script that takes proofs apart by itself.

bats_require_minimum_version 1.5.0

setup_file() {
	load common
	load swtpm
	command -v openssl faketime tpm2_createprimary >/dev/null || return 0
	ak_ca "$BATS_FILE_TMPDIR/ca"
}

setup() {
	load common
	load swtpm
	top=$(realpath "$BATS_TEST_DIRNAME/../..")
	agent=$top/build/assay-agent
	tmp=$BATS_TEST_TMPDIR
	ca=$BATS_FILE_TMPDIR/ca
	export TSS2_LOG=all+none
	need swtpm tpm2_checkquote openssl faketime python3
}

teardown() {
	stop_tpm
}

# machine KIND [OPTION]...: a TPM, and $tmp/agent.yaml for it.
machine() {
	local kind=$1 key=handle certificates=$tmp/chain.pem handle='handle: "0x81010010", '
	tpm_with_ak "$kind" "$tmp/tpm" --ca "$ca" "${@:2}"
	cat "$tmp/tpm/ak.pem" "$ca/intermediate.pem" >"$tmp/chain.pem"
	case $kind in
	azure | gcp*) key=${kind%-*} handle='' certificates=$ca/intermediate.pem ;;
	ek*) key=ek ;;
	esac
	cat >"$tmp/agent.yaml" <<-EOF
		schema: assay.agent/1
		tpm: {tcti: "$tcti", key: $key, ${handle}certificates: $certificates}
		banks: [sha256]
		log: $tmp/runtime.cel
		manifest: base
	EOF
}

prove() {
	"$agent" proof --config "$tmp/agent.yaml" -o "$tmp/proof.json" "$@"
}

measure() {
	"$agent" measure "$1" --config "$tmp/agent.yaml" "${@:2}" >/dev/null
}

# parts PROOF SCHEME: taken apart into $tmp/parts; the signature, by others.
parts() {
	rm -rf "$tmp/parts"
	python3 "$top/tests/fixtures/proof_parts.py" "$1" "$tmp/parts"
	openssl x509 -in "$tmp/parts/cert0.pem" -pubkey -noout >"$tmp/parts/key.pem"
	case $2 in
	pss)
		# tpm2_checkquote knows no RSAPSS; the signature's head is alg, hash, size.
		tail -c +7 "$tmp/parts/signature" >"$tmp/parts/raw"
		openssl dgst -sha256 -verify "$tmp/parts/key.pem" -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:auto \
			-signature "$tmp/parts/raw" "$tmp/parts/message"
		;;
	*)
		# shellcheck disable=SC2046 # an option and its word, or none
		tpm2_checkquote -u "$tmp/parts/key.pem" -m "$tmp/parts/message" -s "$tmp/parts/signature" -f "$tmp/parts/pcrs" \
			-g sha256 $([ ! -s "$tmp/parts/extra" ] || echo "-q $(cat "$tmp/parts/extra")") >/dev/null
		;;
	esac
}

# What the TPM has, of these banks, in PCRs 0 to 15 (or to $1).
of_tools() {
	local last=$1 bank
	shift
	for bank; do
		tpm2_pcrread -T "$tcti" "$bank:all" | awk -v b="$bank" -v last="$last" \
			'/: 0x/ { sub(/^ */, ""); sub(/ *: 0x/, " "); if ($1 <= last) print b, $1, tolower($2) }'
	done
}

# A certificate to serve with.
tls() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$tmp/tls.key" -subj "/CN=${1:-localhost}" \
		-days 1 -out "$tmp/tls.pem" 2>/dev/null
}

is_of_schema() {
	python3 -c 'import jsonschema' 2>/dev/null || return 0
	python3 -c 'import json, sys, jsonschema
jsonschema.validate(json.load(open(sys.argv[2])), json.load(open(sys.argv[1])))' "$top/docs/schemas/proof-1.json" "$1"
}

# source KIND [SCHEME]: a proof by a key of that kind holds before everybody.
source_works() {
	machine "$1"
	measure sentinel
	tls && measure certificate "$tmp/tls.pem"
	prove --nonce 00112233445566778899aabbccddeeff
	parts "$tmp/proof.json" "${2-}"
	diff <(of_tools 15 sha256) "$tmp/parts/values"
	# The chain, by openssl; the key, as the TPM has it.
	openssl verify -CAfile "$ca/root.pem" -untrusted "$tmp/parts/cert1.pem" "$tmp/parts/cert0.pem"
	cmp "$tmp/parts/public" "$tmp/tpm/ak.pub"
	diff <(openssl x509 -in "$tmp/parts/cert0.pem" -pubkey -noout) "$tmp/tpm/ak.pubkey.pem"
	is_of_schema "$tmp/proof.json"
	[ "$(jq -r '.nonce, .manifest.name, .ak.source' "$tmp/proof.json" | paste -sd' ')" = \
		"00112233445566778899aabbccddeeff base $(sed -n 's/.*key: \([a-z]*\).*/\1/p' "$tmp/agent.yaml")" ]
	jq -r .tls.certificate "$tmp/proof.json" | diff -B - "$tmp/tls.pem"
}

@test "azure: key at its handle, certificate in NV" { source_works azure; }
@test "gcp: RSA template and certificate in NV" { source_works gcp; }
@test "gcp: ECC template and certificate in NV" { source_works gcp-ecc; }
@test "handle: RSA" { source_works handle; }
@test "handle: ECC" { source_works handle-ecc; }
@test "handle: RSAPSS" { source_works handle-pss pss; }

@test "without nonce, without certificate; the same moment gives the same values" {
	machine handle-ecc
	"$agent" proof --config "$tmp/agent.yaml" >"$tmp/proof.json"
	parts "$tmp/proof.json"
	diff <(of_tools 15 sha256) "$tmp/parts/values"
	[ "$(jq -c '[.nonce, .tls, .tcg_log, .runtime_log]' "$tmp/proof.json")" = '[null,null,null,[]]' ]
	is_of_schema "$tmp/proof.json"
	cp "$tmp/parts/values" "$tmp/values"
	prove --nonce 0011223344556677
	parts "$tmp/proof.json"
	diff "$tmp/values" "$tmp/parts/values"
}

@test "several banks: each quoted, in the signed order" {
	machine handle
	sed -i 's/^banks: .*/banks: [sha1, sha256, sha384]/' "$tmp/agent.yaml"
	measure sentinel
	prove
	parts "$tmp/proof.json"
	diff <(of_tools 15 sha1 sha256 sha384) "$tmp/parts/values"
	[ "$(jq -c '.runtime_log[0].digests | map(.hashAlg)' "$tmp/proof.json")" = '["sha1","sha256","sha384","sha512"]' ]
}

@test "a bank that the TPM does not have is refused" {
	machine handle
	tpm2_pcrallocate -T "$tcti" sha1:all+sha256:all+sha384:all+sha512:none >/dev/null
	stop_tpm
	start_tpm "$tmp/tpm"
	prove
	sed -i 's/^banks: .*/banks: [sha256, sha512]/' "$tmp/agent.yaml"
	run -1 prove
	[[ $output == *"the TPM does not quote bank sha512: it is not active" ]]
}

@test "while others measure and ask" {
	machine azure
	measure sentinel
	(for i in 1 2 3 4 5 6 7 8; do measure compute "$i"; done) &
	local pid=$! i
	for i in 1 2 3 4 5 6; do
		prove --nonce "00112233445566$i$i" 3>&-
		parts "$tmp/proof.json"
	done
	wait "$pid"
	prove
	parts "$tmp/proof.json"
	[ "$(jq '.runtime_log | length' "$tmp/proof.json")" = 9 ]
	diff <(of_tools 15 sha256) "$tmp/parts/values"
}

@test "the firmware's log: as it is, empty, absent" {
	machine handle-ecc
	echo "firmware_log: $tmp/boot.log" >>"$tmp/agent.yaml"
	prove
	[ "$(jq .tcg_log "$tmp/proof.json")" = null ]
	: >"$tmp/boot.log"
	prove
	[ "$(jq .tcg_log "$tmp/proof.json")" = null ]
	head -c 200000 /dev/urandom >"$tmp/boot.log"
	prove
	parts "$tmp/proof.json"
	cmp "$tmp/parts/tcg_log" "$tmp/boot.log"
	truncate -s 16777217 "$tmp/boot.log"
	run -1 prove
	[[ $output == *"$tmp/boot.log: more than 16777216 bytes" ]]
	rm "$tmp/boot.log" && mkdir "$tmp/boot.log"
	run -1 prove
	[[ $output == *"$tmp/boot.log: Is a directory" ]]
}

@test "format aicert: events and certificate, and what it has no place for" {
	machine azure
	echo '{"a": 1}' >"$tmp/request.json"
	measure request "$tmp/request.json"
	measure timing 60
	tls && measure certificate "$tmp/tls.pem"
	prove --format aicert
	parts "$tmp/proof.json"
	diff <(of_tools 23 sha256) "$tmp/parts/values"
	[ "$(jq -c '[(.event_log | length), (.output_event_log | length), (.remote_attestation.cert_chain | length)]' "$tmp/proof.json")" = '[1,1,2]' ]
	[ "$(jq -r '.event_log[0] | fromjson | .event_type' "$tmp/proof.json")" = build_request ]
	jq -r .ca_cert "$tmp/proof.json" | diff -B - "$tmp/tls.pem"
	openssl verify -CAfile "$ca/root.pem" -untrusted "$tmp/parts/cert1.pem" "$tmp/parts/cert0.pem"
	run -2 prove --format aicert --nonce 0011223344556677
	[[ $output == *"format aicert has no place for a nonce"* ]]
	run -1 prove --format blindllama
	[[ $output == *"format blindllama has no place for record 0 of the runtime log (event in PCR 14)" ]]
	tls again && measure certificate "$tmp/tls.pem"
	run -1 prove --format aicert
	[[ $output == *"format aicert has no place for record 3 of the runtime log (certificate in PCR 15)" ]]
	measure sentinel
	run -1 prove --format aicert
	[[ $output == *"record 3 "* ]]
	prove
}

@test "format aicert: the sentinel is named" {
	machine handle-ecc
	measure sentinel
	run -1 prove --format aicert
	[[ $output == *"format aicert has no place for record 0 of the runtime log (sentinel in PCR 15)" ]]
}

@test "format blindllama: a disk, the sentinel, a certificate" {
	machine azure
	run -1 prove --format blindllama
	[[ $output == *"needs a disk, the sentinel and a certificate: the runtime log has no root_hash" ]]
	measure disk "$(printf '%064d' 7)"
	measure sentinel
	run -1 prove --format blindllama
	[[ $output == *"the runtime log has no certificate" ]]
	tls && measure certificate "$tmp/tls.pem"
	prove --format blindllama
	parts "$tmp/proof.json"
	diff <(of_tools 15 sha256) "$tmp/parts/values"
	[ "$(jq -r .application_disk_roothash "$tmp/proof.json")" = "$(printf '%064d' 7)" ]
	run -1 prove --format aicert
	[[ $output == *"record 0 of the runtime log (root_hash in PCR 15)" ]]
}

@test "a key that signs whatever it is given is refused" {
	local kind
	for kind in azure gcp handle-ecc; do
		rm -rf "$tmp/tpm"
		machine "$kind" --not-restricted
		run -1 prove
		[[ $output == "assay-agent proof: attestation key ("*"): no attestation key: it is not restricted: "* ]]
		[ ! -e "$tmp/proof.json" ]
		stop_tpm
	done
}

@test "a certificate of another key is refused" {
	openssl genrsa -out "$tmp/other.key" 2048 2>/dev/null
	openssl rsa -in "$tmp/other.key" -pubout -out "$tmp/other.pem" 2>/dev/null
	local kind
	for kind in azure gcp handle; do
		rm -rf "$tmp/tpm"
		machine "$kind" --of "$tmp/other.pem"
		run -1 prove
		[[ $output == *"its certificate is of another key than the TPM's" ]]
		stop_tpm
	done
}

@test "no key, no certificate, where they ought to be" {
	machine azure --no-cert
	run -1 prove
	[[ $output == "assay-agent proof: attestation key (azure): the TPM has no NV index 0x01c101d0" ]]
	tpm2_evictcontrol -T "$tcti" -C o -c 0x81000003 >/dev/null
	run -1 prove
	[[ $output == *"(azure): the TPM has no key 0x81000003" ]]
	sed -i 's/key: azure/key: gcp/' "$tmp/agent.yaml"
	run -1 prove
	[[ $output == *"(gcp): the TPM has no certificate of an attestation key in NV index 0x01c10000 (RSA) or 0x01c10002 (ECC)" ]]
	sed -i 's/key: gcp/key: ek/' "$tmp/agent.yaml"
	run -1 prove
	[[ $output == *"(ek): \`assay-agent key create\` has not been run: the TPM has no key 0x81010010" ]]
	# An index that is there, and holds something else.
	echo hello >"$tmp/hello"
	nv_put 0x01c10000 "$tmp/hello"
	sed -i 's/key: ek/key: gcp/' "$tmp/agent.yaml"
	run -1 prove
	[[ $output == *"NV index 0x01c10000 has no certificate in it" ]]
	# A certificate, and no template.
	openssl x509 -in "$tmp/tpm/ak.pem" -outform der -out "$tmp/ak.der"
	nv_put 0x01c10000 "$tmp/ak.der"
	run -1 prove
	[[ $output == *"the TPM has no NV index 0x01c10001" ]]
	nv_put 0x01c10001 "$tmp/hello"
	run -1 prove
	[[ $output == *"the template in NV 0x01c10001: a key of type "* ]]
	# Defined, never written.
	tpm2_nvundefine -T "$tcti" -C o 0x01c10000 >/dev/null
	tpm2_nvdefine -T "$tcti" -C o -s 64 -a 'ownerwrite|ownerread' 0x01c10000 >/dev/null
	run -1 prove
	[[ $output == *"NV index 0x01c10000 (RSA)"* ]]
}

@test "configurations that make no proof" {
	machine handle
	cp "$tmp/agent.yaml" "$tmp/good.yaml"
	sed -i 's/, certificates: [^}]*//' "$tmp/agent.yaml"
	run -1 prove
	[[ $output == *"the configuration names no file with the key's certificate (tpm: certificates)" ]]
	sed -i "s/^tpm: .*/tpm: {tcti: \"${tcti//\//\\/}\"}/" "$tmp/agent.yaml"
	run -1 prove
	[[ $output == *"the configuration names no attestation key (tpm: key)" ]]
	cp "$tmp/good.yaml" "$tmp/agent.yaml"
	: >"$tmp/chain.pem"
	run -1 prove
	[[ $output == *"$tmp/chain.pem: no certificate in it" ]]
	printf '%s\n' '-----BEGIN CERTIFICATE-----' AAAA '-----END CERTIFICATE-----' >"$tmp/chain.pem"
	run -1 prove
	[[ $output == *"$tmp/chain.pem: certificate 1 cannot be read" ]]
	for _ in {1..17}; do cat "$tmp/tpm/ak.pem"; done >"$tmp/chain.pem"
	run -1 prove
	[[ $output == *"more than 16 certificates" ]]
	rm "$tmp/chain.pem"
	run -1 prove
	[[ $output == *"$tmp/chain.pem"*"No such file"* ]]
	stop_tpm
	run -1 prove
	[ ! -e "$tmp/proof.json" ]
}

@test "usage" {
	local words
	for words in "--nonce 00" "--nonce 0011223344556677f" "--nonce zz11223344556677" "--format json" "extra" \
		"--nonce $(printf '%0130d' 0)"; do
		# shellcheck disable=SC2086 # words
		run -2 "$agent" proof $words
	done
	machine handle-ecc
	prove --nonce "$(printf '%0128d' 0)"
	run -1 prove -o "$tmp/none/proof.json"
	[[ $output == *"$tmp/none"* ]]
}
