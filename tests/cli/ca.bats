#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# A CA of one's own for attestation keys: assay ca, assay-agent key. Others' parts: TPM2_MakeCredential and
# TPM2_ActivateCredential by tpm2-tools, certificates and chains by openssl, endorsement keys' certificates of a CA that openssl
# is, and of swtpm's own.

bats_require_minimum_version 1.5.0

setup_file() {
	load common
	load swtpm
	command -v openssl faketime tpm2_createprimary >/dev/null || return 0
	ak_ca "$BATS_FILE_TMPDIR/vendor" "Vendor"
	mkdir "$BATS_FILE_TMPDIR/trust"
	cp "$BATS_FILE_TMPDIR/vendor/root.pem" "$BATS_FILE_TMPDIR/trust/root.crt"
	cp "$BATS_FILE_TMPDIR/vendor/intermediate.pem" "$BATS_FILE_TMPDIR/trust/"
}

setup() {
	load common
	load swtpm
	top=$(realpath "$BATS_TEST_DIRNAME/../..")
	assay=$top/build/assay
	agent=$top/build/assay-agent
	tmp=$BATS_TEST_TMPDIR
	vendor=$BATS_FILE_TMPDIR/vendor
	trust=$BATS_FILE_TMPDIR/trust
	ca=$tmp/ca
	export TSS2_LOG=all+none
	need swtpm tpm2_makecredential openssl faketime python3 jq
}

teardown() {
	stop_tpm
}

# machine KIND [OPTION]: a TPM with an endorsement key's certificate, $tmp/agent.yaml for it, and a CA in $ca.
machine() {
	tpm_with_ak "$1" "$tmp/tpm" --ca "$vendor" "${@:2}"
	config
	[ -d "$ca" ] || "$assay" ca init "$ca" --name "Our CA"
}

config() {
	cat >"$tmp/agent.yaml" <<-EOF
		schema: assay.agent/1
		tpm: {tcti: "$tcti", key: ek, certificates: $tmp/ak.pem}
		log: $tmp/runtime.cel
	EOF
}

create() { "$agent" key create --config "$tmp/agent.yaml" -o "$tmp/request.json" "$@"; }
# shellcheck disable=SC2120 # run hands arguments on
challenge() { "$assay" ca challenge "$ca" "$tmp/request.json" --ek-trust "$trust" -o "$tmp/challenge.json" "$@"; }
activate() { "$agent" key activate --config "$tmp/agent.yaml" -o "$tmp/answer.json" "$tmp/challenge.json"; }
issue() { "$assay" ca issue "$ca" "$tmp/request.json" "$tmp/answer.json" -o "$tmp/ak.pem" "$@"; }

is_of_schema() {
	python3 -c 'import jsonschema' 2>/dev/null || return 0
	python3 -c 'import json, sys, jsonschema
jsonschema.validate(json.load(open(sys.argv[2])), json.load(open(sys.argv[1])))' "$top/docs/schemas/$1.json" "$2"
}

# The whole way; then a proof by that key, judged by tpm2_checkquote and openssl.
whole() {
	create "${@:2}"
	is_of_schema ak-request-1 "$tmp/request.json"
	challenge
	is_of_schema ak-challenge-1 "$tmp/challenge.json"
	activate
	is_of_schema ak-answer-1 "$tmp/answer.json"
	issue
	openssl verify -x509_strict -CAfile "$ca/ca.pem" "$tmp/ak.pem"
	openssl x509 -in "$tmp/ak.pem" -noout -ext extendedKeyUsage,keyUsage,basicConstraints >"$tmp/ext"
	# 2.23.133.8.3, for which OpenSSL has a name since 3.4
	openssl x509 -in "$tmp/ak.pem" -outform der | xxd -p | tr -d '\n' | grep -q 06056781050803
	grep -q 'CA:FALSE' "$tmp/ext"
	tpm2_readpublic -T "$tcti" -c 0x81010010 -f pem -o "$tmp/key.pem" >"$tmp/readpublic"
	openssl x509 -in "$tmp/ak.pem" -pubkey -noout | diff - "$tmp/key.pem"
	grep -q "$1" "$tmp/readpublic"
	"$agent" proof --config "$tmp/agent.yaml" --nonce 0011223344556677 -o "$tmp/proof.json"
	python3 "$top/tests/fixtures/proof_parts.py" "$tmp/proof.json" "$tmp/parts"
	tpm2_checkquote -u "$tmp/key.pem" -m "$tmp/parts/message" -s "$tmp/parts/signature" -f "$tmp/parts/pcrs" -g sha256 \
		-q "$(cat "$tmp/parts/extra")" >/dev/null
	[ "$(jq -r .ak.source "$tmp/proof.json")" = ek ]
}

@test "an RSA endorsement key: request, challenge, answer, certificate, proof" {
	machine ek
	whole rsassa
	diff <(jq -r .ek.public "$tmp/request.json" | base64 -d | tail -c +3) <(tail -c +3 "$tmp/tpm/ak.pub")
	# Nothing of it is left in the TPM.
	[ -z "$(tpm2_getcap -T "$tcti" handles-transient)" ]
	[ -z "$(tpm2_getcap -T "$tcti" handles-loaded-session)" ]
}

@test "an ECC endorsement key" {
	machine ek-ecc
	whole ecdsa
	[ "$(jq -r .ek "$tmp/challenge.json")" = ecc ]
}

@test "an ECC key under an RSA endorsement key, and the other way round" {
	machine ek
	whole ecdsa --key ecc
	stop_tpm
	rm -r "$tmp/tpm"
	machine ek-ecc
	whole rsassa --key rsa
}

@test "an endorsement key's certificate by swtpm's own CA" {
	need swtpm_setup swtpm_localca
	mkdir -p "$tmp/tpm/state" "$tmp/localca"
	cat >"$tmp/localca.conf" <<-EOF
		statedir = $tmp/localca
		signingkey = $tmp/localca/signkey.pem
		issuercert = $tmp/localca/issuercert.pem
		certserial = $tmp/localca/certserial
	EOF
	printf '%s\n' '--platform-manufacturer Test' '--platform-version 1' '--platform-model Test' >"$tmp/localca.options"
	printf 'create_certs_tool = %s\ncreate_certs_tool_config = %s\ncreate_certs_tool_options = %s\n' \
		"$(command -v swtpm_localca)" "$tmp/localca.conf" "$tmp/localca.options" >"$tmp/setup.conf"
	swtpm_setup --tpm2 --config "$tmp/setup.conf" --tpmstate "$tmp/tpm/state" --create-ek-cert --logfile "$tmp/log" \
		--overwrite >/dev/null || { cat "$tmp/log"; false; }
	start_tpm "$tmp/tpm"
	config
	"$assay" ca init "$ca" --name "Our CA"
	mkdir "$tmp/trust"
	cp "$tmp"/localca/*cert.pem "$tmp/trust"
	trust=$tmp/trust
	whole rsassa
	trust=$BATS_FILE_TMPDIR/trust
	run -3 challenge
	[[ $output == *"leads to no trusted root"* ]]
}

# Oracle: TPM2_MakeCredential by the TPM itself, in the place of ours.
@test "what tpm2_makecredential makes, key activate answers" {
	local kind
	for kind in ek ek-ecc; do
		rm -rf "$tmp/tpm"
		machine "$kind"
		create
		head -c 32 /dev/urandom >"$tmp/secret"
		jq -r .ek.public "$tmp/request.json" | base64 -d >"$tmp/ek.pub"
		tpm2_makecredential -T "$tcti" -u "$tmp/ek.pub" -s "$tmp/secret" -n "$(jq -r .ak.name "$tmp/request.json")" -o "$tmp/blob"
		flush_tpm
		python3 - "$tmp" "$kind" <<-'EOF'
			import base64, hashlib, json, struct, sys
			b = open(sys.argv[1] + "/blob", "rb").read()
			assert b[:8] == bytes.fromhex("badcc0de00000001")
			n, = struct.unpack_from(">H", b, 8)
			blob, seed = b[8:10 + n], b[10 + n:]
			name = "000b" + hashlib.sha256(open(sys.argv[1] + "/ek.pub", "rb").read()[2:]).hexdigest()
			e = lambda x: base64.b64encode(x).decode()
			json.dump({"schema": "assay.ak-challenge/1", "id": "0" * 64, "ek": "ecc" if "ecc" in sys.argv[2] else "rsa",
			           "ek_name": name, "blob": e(blob), "seed": e(seed)}, open(sys.argv[1] + "/challenge.json", "w"))
		EOF
		activate
		[ "$(jq -r .secret "$tmp/answer.json")" = "$(xxd -p -c 64 "$tmp/secret")" ]
		stop_tpm
	done
}

# Oracle: TPM2_ActivateCredential by tpm2-tools.
@test "what ca challenge makes, tpm2_activatecredential answers" {
	local kind alg
	for kind in ek ek-ecc; do
		rm -rf "$tmp/tpm"
		machine "$kind"
		create
		challenge
		python3 - "$tmp" <<-'EOF'
			import base64, json, sys
			c = json.load(open(sys.argv[1] + "/challenge.json"))
			d = base64.b64decode
			open(sys.argv[1] + "/blob", "wb").write(bytes.fromhex("badcc0de00000001") + d(c["blob"]) + d(c["seed"]))
		EOF
		alg=rsa
		[ "$kind" = ek ] || alg=ecc
		tpm2_createek -T "$tcti" -G "$alg" -c "$tmp/ek.ctx" -u "$tmp/ek.pub" >/dev/null
		flush_tpm
		tpm2_startauthsession -T "$tcti" --policy-session -S "$tmp/session"
		tpm2_policysecret -T "$tcti" -S "$tmp/session" -c e >/dev/null
		tpm2_activatecredential -T "$tcti" -c 0x81010010 -C "$tmp/ek.ctx" -i "$tmp/blob" -o "$tmp/secret" \
			-P "session:$tmp/session" >/dev/null
		flush_tpm
		tpm2_flushcontext -T "$tcti" "$tmp/session" 2>/dev/null || true
		jq -n --arg id "$(jq -r .id "$tmp/challenge.json")" --arg s "$(xxd -p -c 64 "$tmp/secret")" \
			'{schema: "assay.ak-answer/1", id: $id, secret: $s}' >"$tmp/answer.json"
		issue
		openssl verify -CAfile "$ca/ca.pem" "$tmp/ak.pem"
		stop_tpm
	done
}

@test "an answer is taken once, also when two come at a time" {
	machine ek
	create
	challenge
	activate
	local i pids=()
	for i in 1 2 3 4 5 6; do
		"$assay" ca issue "$ca" "$tmp/request.json" "$tmp/answer.json" -o "$tmp/cert$i.pem" 2>"$tmp/err$i" &
		pids+=($!)
	done
	local good=0 refused=0 rc
	for i in "${pids[@]}"; do
		rc=0 && wait "$i" || rc=$?
		[ "$rc" != 0 ] || good=$((good + 1))
		[ "$rc" != 3 ] || refused=$((refused + 1))
	done
	cat "$tmp"/err*
	[ "$good $refused" = "1 5" ]
	[ "$(ls "$tmp"/cert*.pem | wc -l)" = 1 ]
	[ "$(ls "$ca/issued" | wc -l)" = 1 ]
	cmp "$tmp"/cert?.pem "$ca"/issued/*.pem
	[ -z "$(ls "$ca/challenges")" ]
	run -3 issue
	[[ $output == "assay ca issue: the answer's challenge is none of this CA's, or has been answered already" ]]
	# A second certificate has another serial number.
	challenge && activate && issue
	[ "$(ls "$ca/issued" | wc -l)" = 2 ]
}

@test "another's answer, another request, a wrong secret, one that is too old" {
	machine ek
	create
	challenge
	activate
	cp "$tmp/request.json" "$tmp/good.json"
	cp "$tmp/answer.json" "$tmp/good-answer.json"
	jq --arg s "$(printf '%064d' 7)" '.secret = $s' "$tmp/good-answer.json" >"$tmp/answer.json"
	run -3 issue
	[[ $output == *"has another secret" ]]
	cp "$tmp/good-answer.json" "$tmp/answer.json"
	# Another key of the same TPM, asked for with the first one's answer.
	"$agent" key create --config "$tmp/agent.yaml" --replace -o "$tmp/request.json"
	run -3 issue
	[[ $output == *"is for another request" ]]
	# The challenge is for a key that is gone.
	run -1 activate
	[[ $output == "assay-agent key activate: the challenge is for another TPM, or for another key of this one" ]]
	cp "$tmp/good.json" "$tmp/request.json"
	cp "$ca"/challenges/*.json "$tmp/pending"
	sed -i 's/"expires": "20[0-9][0-9]/"expires": "2001/' "$ca"/challenges/*.json
	run -3 issue
	[[ $output == *"is too old: make a new one" ]]
	cp "$tmp/pending" "$(echo "$ca"/challenges/*.json)"
	[ ! -e "$tmp/ak.pem" ]
	[ -z "$(ls "$ca/issued" 2>/dev/null)" ]
	issue
	# Another CA knows nothing of it.
	"$assay" ca init "$tmp/other" --name Other
	challenge && ca=$tmp/other
	run -3 issue
	[[ $output == *"none of this CA's"* ]]
}

@test "another TPM cannot answer" {
	machine ek
	create
	challenge
	stop_tpm
	rm -r "$tmp/tpm"
	machine ek
	"$agent" key create --config "$tmp/agent.yaml" -o "$tmp/second.json"
	run -1 activate
	[[ $output == "assay-agent key activate: the challenge is for another TPM" ]]
	[ -z "$(tpm2_getcap -T "$tcti" handles-transient)" ]
	[ -z "$(tpm2_getcap -T "$tcti" handles-loaded-session)" ]
}

@test "endorsement keys that are not trusted" {
	machine ek
	create
	mkdir "$tmp/empty"
	run -1 challenge --ek-trust "$tmp/empty"
	[[ $output == *"$tmp/empty: no certificate that is issued by itself, so no anchor" ]]
	ak_ca "$tmp/others" Others
	run -3 challenge --ek-trust "$tmp/others/root.pem"
	[[ $output == *"leads to no trusted root: unable to get "*"issuer certificate"* ]]
	# The intermediate is missing.
	run -3 challenge --ek-trust "$vendor/root.pem"
	[[ $output == *"leads to no trusted root"* ]]
	cp "$tmp/request.json" "$tmp/good.json"
	jq '.ek.certificate = null' "$tmp/good.json" >"$tmp/request.json"
	run -3 challenge
	[[ $output == *"has no certificate of the TPM's endorsement key"* ]]
	jq --rawfile c "$vendor/intermediate.pem" '.ek.certificate = $c' "$tmp/good.json" >"$tmp/request.json"
	run -3 challenge
	[[ $output == *"is of another key" ]]
	jq '.ek.certificate = "none"' "$tmp/good.json" >"$tmp/request.json"
	run -3 challenge
	[[ $output == *"cannot be read" ]]
	[ -z "$(ls "$ca/challenges" 2>/dev/null)" ]
	# Expired; for something else.
	ak_certificate "$vendor" "$tmp/tpm/ak.pubkey.pem" 2.23.133.8.1 yes "$tmp/ek.pem"
	jq --rawfile c "$tmp/ek.pem" '.ek.certificate = $c' "$tmp/good.json" >"$tmp/request.json"
	run -3 challenge
	[[ $output == *"certificate has expired (certificate 1 of its chain)" ]]
	ak_certificate "$vendor" "$tmp/tpm/ak.pubkey.pem" 2.23.133.8.3 "" "$tmp/ek.pem"
	jq --rawfile c "$tmp/ek.pem" '.ek.certificate = $c' "$tmp/good.json" >"$tmp/request.json"
	run -3 challenge
	[[ $output == *"is not for an endorsement key"* ]]
	cp "$tmp/good.json" "$tmp/request.json"
	challenge
}

@test "keys that are no attestation keys" {
	machine ek
	create
	cp "$tmp/request.json" "$tmp/good.json"
	# Each attribute in turn, with the name that belongs to it.
	local bit words
	while read -r bit words; do
		python3 - "$tmp" "$bit" <<-'EOF'
			import base64, hashlib, json, struct, sys
			r = json.load(open(sys.argv[1] + "/good.json"))
			b = bytearray(base64.b64decode(r["ak"]["public"]))
			a, = struct.unpack_from(">I", b, 6)
			struct.pack_into(">I", b, 6, a ^ int(sys.argv[2], 0))
			r["ak"] = {"public": base64.b64encode(b).decode(), "name": "000b" + hashlib.sha256(b[2:]).hexdigest()}
			json.dump(r, open(sys.argv[1] + "/request.json", "w"))
		EOF
		run -3 challenge
		echo "$output"
		[[ $output == *"no attestation key: it is $words"* ]]
	done <<-EOF
		0x10000 not restricted
		0x40000 not for signing
		0x20000 for decrypting too
		0x2 one that can be moved to another TPM
		0x10 one that can be moved to another parent
		0x20 not made by the TPM
	EOF
	jq '.ak.name |= sub("^000b."; "000b!")' "$tmp/good.json" >"$tmp/request.json"
	run -3 challenge
	[[ $output == *"ak: its name is not that of the key" ]]
	jq '.more = 1' "$tmp/good.json" >"$tmp/request.json"
	run -1 challenge
	[[ $output == *"the request has members that are not known" ]]
	jq '.schema = "assay.ak-request/2"' "$tmp/good.json" >"$tmp/request.json"
	run -1 challenge
	[[ $output == *"schema is not assay.ak-request/1" ]]
	head -c 65537 /dev/zero | tr '\0' ' ' >"$tmp/request.json"
	run -1 challenge
	[ -z "$(ls "$ca/challenges" 2>/dev/null)" ]
}

@test "key create: what is there already is used, or replaced; a TPM without a certificate" {
	machine ek --no-cert
	run -0 --separate-stderr create
	[[ $stderr == *"has no certificate of its endorsement key in NV" ]]
	[ "$(jq .ek.certificate "$tmp/request.json")" = null ]
	cp "$tmp/request.json" "$tmp/first.json"
	run -0 --separate-stderr create
	[[ $stderr == *"the key at 0x81010010 is used (--replace makes a new one)"* ]]
	cmp "$tmp/first.json" "$tmp/request.json"
	create --replace --key ecc 2>/dev/null
	run -1 cmp -s "$tmp/first.json" "$tmp/request.json"
	run -2 create --key dsa
	run -2 create extra
	run -1 "$agent" key activate --config "$tmp/agent.yaml" "$tmp/first.json"
	[[ $output == *"$tmp/first.json: schema is not assay.ak-challenge/1" ]]
	# A key that signs anything lies there: it is not asked for.
	tpm2_evictcontrol -T "$tcti" -C o -c 0x81010010 >/dev/null
	tpm2_createprimary -T "$tcti" -C o -G ecc256:ecdsa-sha256:null -c "$tmp/k.ctx" \
		-a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign' >/dev/null
	flush_tpm
	tpm2_evictcontrol -T "$tcti" -C o -c "$tmp/k.ctx" 0x81010010 >/dev/null
	flush_tpm
	run -1 create
	[[ $output == *"no attestation key: it is not restricted"* ]]
	# Its certificate is of another key than the template gives.
	openssl genrsa -out "$tmp/other.key" 2048 2>/dev/null
	openssl rsa -in "$tmp/other.key" -pubout -out "$tmp/other.pem" 2>/dev/null
	ak_certificate "$vendor" "$tmp/other.pem" 2.23.133.8.1 "" "$tmp/ek.pem"
	openssl x509 -in "$tmp/ek.pem" -outform der -out "$tmp/ek.der"
	nv_put 0x01c00002 "$tmp/ek.der"
	run -1 create
	[[ $output == *"the endorsement key's certificate is of another key than the TPM's"* ]]
}

@test "ca init: whole or not at all, for its owner alone" {
	"$assay" ca init "$ca" --name "Our CA" --days 30
	[ "$(stat -c %a "$ca" "$ca/ca.key" | paste -sd' ')" = "700 600" ]
	openssl x509 -in "$ca/ca.pem" -noout -subject | grep -qE 'CN ?= ?Our CA'
	openssl verify -x509_strict -CAfile "$ca/ca.pem" "$ca/ca.pem"
	openssl x509 -in "$ca/ca.pem" -noout -checkend $((29 * 86400))
	run -1 openssl x509 -in "$ca/ca.pem" -noout -checkend $((31 * 86400))
	openssl x509 -in "$ca/ca.pem" -noout -ext basicConstraints | grep -q 'CA:TRUE, pathlen:0'
	diff <(openssl pkey -in "$ca/ca.key" -pubout) <(openssl x509 -in "$ca/ca.pem" -pubkey -noout)
	cp "$ca/ca.key" "$tmp/kept"
	run -1 "$assay" ca init "$ca" --name Again
	cmp "$ca/ca.key" "$tmp/kept"
	run -2 "$assay" ca init "$tmp/x"
	run -2 "$assay" ca init "$tmp/x" --name ""
	run -2 "$assay" ca init "$tmp/x" --name "$(printf '%065d' 0)"
	run -2 "$assay" ca init "$tmp/x" --name X --days 0
	run -2 "$assay" ca init "$tmp/x" --name X --days 36501
	[ ! -e "$tmp/x" ]
	# A folder that is no CA; one whose key is another's.
	echo '{}' >"$tmp/request.json"
	mkdir "$tmp/none"
	ca=$tmp/none
	run -1 challenge
	[[ $output == *"$tmp/none/ca.pem"* ]]
	[ -z "$(ls "$tmp/none")" ]
	"$assay" ca init "$tmp/second" --name Second
	cp "$tmp/kept" "$tmp/second/ca.key"
	ca=$tmp/second
	run -1 challenge
	[[ $output == *"ca.pem and ca.key are no CA"* ]]
}

@test "ca issue: the certificate's lifetime" {
	machine ek-ecc
	create && challenge && activate
	run -2 issue --days 0
	run -1 issue -o "$tmp/none/x.pem"
	# It was found out before the answer was taken.
	issue --days 7
	openssl x509 -in "$tmp/ak.pem" -noout -checkend $((6 * 86400))
	run -1 openssl x509 -in "$tmp/ak.pem" -noout -checkend $((8 * 86400))
}

@test "the manual's examples, in a machine and at a CA" {
	need mandoc
	machine ek
	mkdir "$tmp/here" && cd "$tmp/here"
	cp -r "$trust" vendors
	sed "s|$tmp/ak.pem|ak.pem|" "$tmp/agent.yaml" >agent.yaml
	PATH=$top/build:$PATH
	local line n=0
	while read -r line; do
		echo "\$ $line"
		bash -e -o pipefail -c "$line" </dev/null
		n=$((n + 1))
	done < <(mandoc -Tascii -Owidth=1000 "$top/man/assay-ca.1" | sed 's/.\x08//g' | sed -n '/^EXAMPLES/,/^[A-Z]/p' | sed -n 's/^ *\$ //p')
	[ "$n" -eq 6 ]
	openssl verify -CAfile attestation-ca/ca.pem ak.pem
	[ "$(jq -r .ak.source proof.json)" = ek ]
}
