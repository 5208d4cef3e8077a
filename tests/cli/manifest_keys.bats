#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# manifest sign and verify with what others make and keep: tokens (SoftHSM), a TPM (swtpm), cosign, securesystemslib.

bats_require_minimum_version 1.5.0

setup_file() {
	load scratch
	scratch_setup
}

setup() {
	top=$(realpath "$BATS_TEST_DIRNAME/../..")
	assay=$top/build/assay
	load common
	[ -z "${scratch_lacks-}" ] || skip "$scratch_lacks is missing"
	cd "$scratch"
	tmp=$BATS_TEST_TMPDIR
	at=(--at 2026-12-01)
}

teardown() {
	[ ! -e "$tmp/swtpm.pid" ] || kill "$(cat "$tmp/swtpm.pid")" 2> /dev/null || true
}

# fetched SUITE FOLDER PACKAGE [--with-depends]: unpacked under build/, by apt's own checks.
fetched() {
	local packages=("$3")
	[ "$3" != python3-securesystemslib ] || packages+=(python3-cryptography)
	"$top/scripts/fetch-deb.sh" ${4:+"$4"} "$1" "$top/build/$2" "${packages[@]}" 2> "$tmp/fetch" || skip "$3 of $1 cannot be fetched: $(tail -n 1 "$tmp/fetch")"
}

make_keys() {
	openssl genpkey -algorithm ed25519 -out "$tmp/ed25519.pem"
	openssl genpkey -algorithm ec -pkeyopt ec_paramgen_curve:P-256 -out "$tmp/p256.pem"
	openssl genpkey -algorithm ec -pkeyopt ec_paramgen_curve:P-384 -out "$tmp/p384.pem"
	openssl genpkey -quiet -algorithm rsa -pkeyopt rsa_keygen_bits:2048 -out "$tmp/rsa.pem" 2> /dev/null ||
		openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:2048 -out "$tmp/rsa.pem" 2> /dev/null
	for k in ed25519 p256 p384 rsa; do openssl pkey -in "$tmp/$k.pem" -pubout -out "$tmp/$k.pub"; done
}

@test "a token's keys, each kind: PINs right, wrong and missing; a URI that means several, or none" {
	need softhsm2-util
	modules=$(openssl version -m | sed -n 's/^MODULESDIR: "\(.*\)"$/\1/p')
	if [ ! -e "$modules/pkcs11.so" ]; then
		fetched bookworm-backports backports pkcs11-provider
		export OPENSSL_MODULES=$top/build/backports$modules
	fi
	export SOFTHSM2_CONF=$tmp/softhsm2.conf PKCS11_PROVIDER_MODULE
	PKCS11_PROVIDER_MODULE=$(find /usr/lib -name libsofthsm2.so 2> /dev/null | head -n 1)
	mkdir "$tmp/tokens"
	printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' "$tmp/tokens" > "$SOFTHSM2_CONF"
	softhsm2-util --init-token --free --label release --pin 1234-pin --so-pin 5678
	make_keys
	i=1
	for k in ed25519 p256 p384 rsa; do
		softhsm2-util --import "$tmp/$k.pem" --token release --label $k --id 0$i --pin 1234-pin
		i=$((i + 1))
	done
	for k in ed25519 p256 p384 rsa; do
		run -0 env ASSAY_PASSPHRASE=1234-pin "$assay" manifest sign manifest.json --key "pkcs11:token=release;object=$k" -o "$tmp/env"
		run -0 "$assay" manifest verify "${at[@]}" "$tmp/env" --key "$tmp/$k.pub"
		run -0 "$assay" manifest verify "${at[@]}" "$tmp/env" --key "pkcs11:token=release;object=$k;type=public"
	done
	rm "$tmp/env"
	run -1 env ASSAY_PASSPHRASE=9999-pin "$assay" manifest sign manifest.json --key "pkcs11:token=release;object=p256" -o "$tmp/env"
	[[ $output == *"passphrase or PIN is wrong"* && $output != *9999* ]]
	run -1 setsid "$assay" manifest sign manifest.json --key "pkcs11:token=release;object=p256" -o "$tmp/env"
	[[ $output == *"no terminal"* ]]
	run -0 "$assay" manifest sign manifest.json --key "pkcs11:token=release;object=p256?pin-value=1234-pin" -o "$tmp/env"
	[[ $output != *1234* ]]
	run -1 "$assay" manifest sign manifest.json --key "pkcs11:token=release?pin-value=1234-pin" -o "$tmp/env2"
	[[ $output == *"pin-value=...: 4 private keys: it must name one"* ]]
	run -1 "$assay" manifest sign manifest.json --key "pkcs11:token=nonesuch?pin-value=1234-pin" -o "$tmp/env2"
	[[ $output == *"no private key in it"* && $output != *1234* ]]
	[ ! -e "$tmp/env2" ]
	run -1 env OPENSSL_MODULES="$tmp" "$assay" manifest sign manifest.json --key "pkcs11:token=release" -o "$tmp/env2"
	[[ $output == *"provider pkcs11 cannot be loaded"* ]]
}

@test "a TPM's keys: persistent handles and TSS2 files, ECDSA and RSA" {
	need swtpm swtpm_setup tpm2_createprimary tpm2_evictcontrol
	modules=$(openssl version -m | sed -n 's/^MODULESDIR: "\(.*\)"$/\1/p')
	[ -e "$modules/tpm2.so" ] || skip "tpm2-openssl is not installed"
	mkdir "$tmp/state"
	swtpm_setup --tpm2 --tpmstate "$tmp/state" --pcr-banks sha256 --overwrite > /dev/null 2>&1
	port=$((20000 + $$ % 10000))
	swtpm socket --tpm2 --tpmstate "dir=$tmp/state" --server "type=tcp,port=$port,bindaddr=127.0.0.1" \
		--ctrl "type=tcp,port=$((port + 1)),bindaddr=127.0.0.1" --flags not-need-init,startup-clear --pid "file=$tmp/swtpm.pid" \
		--daemon > "$tmp/swtpm.log" 2>&1 3>&-
	export TPM2TOOLS_TCTI=swtpm:host=127.0.0.1,port=$port TPM2OPENSSL_TCTI=swtpm:host=127.0.0.1,port=$port
	tpm2_createprimary -Q -C o -g sha256 -G ecc256 -c "$tmp/primary"
	handle=0x81000001
	for kind in ecc256 ecc384 rsa2048; do
		tpm2_create -Q -C "$tmp/primary" -G $kind -u "$tmp/pub" -r "$tmp/priv" -a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign'
		tpm2_flushcontext -t
		tpm2_load -Q -C "$tmp/primary" -u "$tmp/pub" -r "$tmp/priv" -c "$tmp/key"
		tpm2_evictcontrol -Q -C o -c "$tmp/key" $handle
		tpm2_flushcontext -t
		tpm2_readpublic -Q -c $handle -f pem -o "$tmp/$kind.pub"
		run -0 "$assay" manifest sign manifest.json --key handle:$handle -o "$tmp/env"
		run -0 "$assay" manifest verify "${at[@]}" "$tmp/env" --key "$tmp/$kind.pub"
		handle=$(printf '0x%x' $((handle + 1)))
	done
	openssl genpkey -provider tpm2 -provider default -propquery '?provider=tpm2' -algorithm EC -pkeyopt group:P-256 \
		-pkeyopt user-auth:tpm-word -out "$tmp/tss.pem" 2> /dev/null
	grep -q 'BEGIN TSS2 PRIVATE KEY' "$tmp/tss.pem"
	run -0 env ASSAY_PASSPHRASE=tpm-word "$assay" manifest sign manifest.json --key "$tmp/tss.pem" -o "$tmp/env"
	openssl pkey -provider tpm2 -provider default -passin pass:tpm-word -in "$tmp/tss.pem" -pubout -out "$tmp/tss.pub"
	run -0 "$assay" manifest verify "${at[@]}" "$tmp/env" --key "$tmp/tss.pub"
	rm "$tmp/env"
	run -1 env ASSAY_PASSPHRASE=other-word "$assay" manifest sign manifest.json --key "$tmp/tss.pem" -o "$tmp/env"
	[[ $output != *other-word* ]]
	run -1 "$assay" manifest sign manifest.json --key handle:0x81000099 -o "$tmp/env"
	[ ! -e "$tmp/env" ]
}

# cosign's own way to call our envelope.
attested() {
	"$cosign" verify-blob-attestation --key "$2" --insecure-ignore-tlog --private-infrastructure \
		--type urn:assay:golden-manifest:1 --signature "$1" "${@:3}"
}

@test "cosign accepts our ECDSA P-256 and Ed25519 signatures, and refuses what is changed or of another disk" {
	fetched trixie cosign cosign
	cosign=$top/build/cosign/usr/bin/cosign
	export HOME=$tmp
	make_keys
	for k in p256 ed25519; do
		"$assay" manifest sign manifest.json --key "$tmp/$k.pem" -o "$tmp/env"
		run -0 attested "$tmp/env" "$tmp/$k.pub" disk.img
		[[ $output == *"Verified OK"* ]]
		run attested "$tmp/env" "$tmp/$k.pub" linux.efi
		[ "$status" -ne 0 ]
		run attested "$tmp/env" key.pub disk.img
		[ "$status" -ne 0 ]
		jq '.payload |= (@base64d | sub("\"release\": 1"; "\"release\": 2") | @base64)' "$tmp/env" > "$tmp/changed"
		run -1 cmp -s "$tmp/env" "$tmp/changed"
		run attested "$tmp/changed" "$tmp/$k.pub" disk.img
		[ "$status" -ne 0 ]
		run -3 "$assay" manifest verify "${at[@]}" "$tmp/changed" --key "$tmp/$k.pub"
	done
	# What cosign of Debian 13 checks otherwise than its key says: P-384 with SHA-256, RSA with the old padding.
	for k in p384 rsa; do
		"$assay" manifest sign manifest.json --key "$tmp/$k.pem" -o "$tmp/env"
		run attested "$tmp/env" "$tmp/$k.pub" disk.img
		echo "# cosign and $k: exit $status" >&3
	done
}

@test "what cosign signs is verified here" {
	fetched trixie cosign cosign
	cosign=$top/build/cosign/usr/bin/cosign
	export HOME=$tmp COSIGN_PASSWORD=
	(cd "$tmp" && "$cosign" generate-key-pair)
	"$assay" manifest show --statement manifest.json > "$tmp/statement"
	# attest-blob makes a statement of its own, of in-toto's version 0.1: signed by the key, and no manifest.
	jq .predicate "$tmp/statement" > "$tmp/predicate"
	"$cosign" attest-blob --key "$tmp/cosign.key" --predicate "$tmp/predicate" --type urn:assay:golden-manifest:1 --tlog-upload=false -y \
		--output-signature "$tmp/attested" disk.img > /dev/null
	run -1 "$assay" manifest verify "${at[@]}" "$tmp/attested" --key "$tmp/cosign.pub"
	[[ $output == *'_type is "https://in-toto.io/Statement/v0.1"'* ]]
	run -3 "$assay" manifest verify "${at[@]}" "$tmp/attested" --key key.pub
	[[ $output == *wrong-key* ]]
	# sign-blob over the bytes that DSSE says.
	{
		printf 'DSSEv1 28 application/vnd.in-toto+json %d ' "$(stat -c %s "$tmp/statement")"
		cat "$tmp/statement"
	} > "$tmp/pae"
	"$cosign" sign-blob --key "$tmp/cosign.key" --tlog-upload=false -y --output-signature "$tmp/sig" "$tmp/pae" > /dev/null
	jq --rawfile sig "$tmp/sig" '.signatures = [{keyid: "", sig: ($sig | rtrimstr("\n"))}]' manifest.json > "$tmp/env"
	run -0 "$assay" manifest verify "${at[@]}" "$tmp/env" --key "$tmp/cosign.pub"
}

@test "securesystemslib: its DSSE accepts our signatures, and we accept its, each kind of key" {
	[ "$(uname -m)" = x86_64 ] || skip "fetched for x86-64"
	# Debian 12's is too old: Debian 13's, with its own Python.
	fetched trixie dsse python3-securesystemslib --with-depends
	libs=$top/build/dsse/usr/lib/x86_64-linux-gnu
	make_keys
	for k in ed25519 p256 p384 rsa; do
		"$assay" manifest sign manifest.json --key "$tmp/$k.pem" -o "$tmp/env"
		PYTHONHOME=$top/build/dsse/usr PYTHONDONTWRITEBYTECODE=1 "$libs/ld-linux-x86-64.so.2" --library-path "$libs" \
			"$top/build/dsse/usr/bin/python3" - "$tmp/env" "$tmp/$k.pem" "$tmp/theirs" <<- 'PY'
			import json, sys
			from cryptography.hazmat.primitives.serialization import load_pem_private_key
			from securesystemslib import dsse, exceptions
			from securesystemslib.signer import CryptoSigner, SSlibKey
			env = json.load(open(sys.argv[1]))
			private = load_pem_private_key(open(sys.argv[2], "rb").read(), None)
			keyid = env["signatures"][0]["keyid"]
			key = SSlibKey.from_crypto(private.public_key(), keyid=keyid)
			e = dsse.Envelope.from_dict(json.loads(json.dumps(env)))
			assert list(e.verify([key], 1)) == [keyid]
			e.payload = e.payload.replace(b'"release": 1', b'"release": 2')
			try:
			    e.verify([key], 1)
			    sys.exit("a changed one is accepted")
			except exceptions.VerificationError:
			    pass
			e = dsse.Envelope.from_dict(json.loads(json.dumps(env)))
			e.signatures = {}
			if sys.argv[2].endswith("/p384.pem"): # it checks P-384, and does not sign with it
			    sys.exit(0)
			e.sign(CryptoSigner(private))
			json.dump(e.to_dict(), open(sys.argv[3], "w"))
		PY
		[ $k != p384 ] || continue
		run -3 "$assay" manifest verify "${at[@]}" "$tmp/theirs" --key "$tmp/$k.pub"
		[[ $output == *contradiction* ]] # their key ids are made otherwise
		run -0 "$assay" manifest verify "${at[@]}" "$tmp/theirs" --key "$tmp/$k.pub" --ignore-unsigned
		run -3 "$assay" manifest verify "${at[@]}" "$tmp/theirs" --key key.pub --ignore-unsigned
	done
}
