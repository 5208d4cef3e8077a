#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# manifest verify --ca: certificates of a CA that openssl runs, good ones and each kind of bad one; signers by key and by
# certificate together; and the state that refuses older releases.

bats_require_minimum_version 1.5.0

# issue CA NAME SUBJECT EXTENSIONS [OPTION...]: a key NAME.pem and its certificate NAME.crt by CA.
issue() {
	local ca=$1 name=$2 subject=$3 extensions=$4
	shift 4
	openssl ecparam -name prime256v1 -genkey -noout -out "$name.pem"
	printf '%b' "$extensions" > "$name.ext"
	openssl req -new -key "$name.pem" -subj "$subject" -out "$name.csr" 2> /dev/null
	openssl x509 -req -in "$name.csr" -CA "$ca.crt" -CAkey "$ca.pem" -CAcreateserial -extfile "$name.ext" -out "$name.crt" \
		-days 3650 "$@" 2> /dev/null
}

# root NAME [EXTENSION...]: a CA that signed itself.
root() {
	local name=$1
	shift
	openssl ecparam -name prime256v1 -genkey -noout -out "$name.pem"
	openssl req -x509 -key "$name.pem" -subj "/CN=$name" -days 3650 -out "$name.crt" "$@"
}

setup_file() {
	load scratch
	scratch_setup
	[ -z "${scratch_lacks-}" ] || return 0
	cd "$scratch"
	# Certificates begin when they are made, so the manifest does, too.
	"$(realpath "$BATS_TEST_DIRNAME/../..")/build/assay" manifest create disk.img --platform platform.yaml --name example \
		--release 1 --not-before "@$(($(date +%s) - 86400))" -o manifest.json
	local leaf='basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=codeSigning\n'
	root ca
	root other
	issue ca alice /CN=alice "${leaf}subjectAltName=email:alice@example.com,URI:https://ci.example.com/release,DNS:build.example.com\n"
	issue ca bob /CN=bob "${leaf}subjectAltName=email:bob@example.com\n"
	issue ca alice2 /CN=alice2 "${leaf}subjectAltName=email:alice@example.com\n"
	issue ca plain "/O=example/CN=plain signer" "$leaf"
	issue ca bare /CN=bare 'basicConstraints=CA:FALSE\n'
	issue ca nosign /CN=nosign 'keyUsage=keyEncipherment\n'
	issue ca tls /CN=tls 'keyUsage=digitalSignature\nextendedKeyUsage=serverAuth\n'
	issue ca old /CN=old "$leaf" -days 1
	issue other mallory /CN=plain "${leaf}subjectAltName=email:alice@example.com\n"
	issue ca sub /CN=sub 'basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\nsubjectKeyIdentifier=hash\n'
	issue sub carol /CN=carol "${leaf}subjectAltName=email:carol@example.com\n"
	issue ca noca /CN=noca 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature,keyCertSign\n'
	issue noca dave /CN=dave "$leaf"
	issue ca nokcs /CN=nokcs 'basicConstraints=CA:TRUE\nkeyUsage=digitalSignature\n'
	issue nokcs erin /CN=erin "$leaf"
	issue ca tlsca /CN=tlsca 'basicConstraints=CA:TRUE\nextendedKeyUsage=serverAuth\n'
	issue tlsca frank /CN=frank "$leaf"
	issue ca names /CN=names 'basicConstraints=critical,CA:TRUE\nnameConstraints=critical,permitted;email:example.org\n'
	issue names grace /CN=grace "${leaf}subjectAltName=email:grace@example.com\n"
	issue ca depth /CN=depth 'basicConstraints=critical,CA:TRUE,pathlen:0\n'
	issue depth deeper /CN=deeper 'basicConstraints=critical,CA:TRUE\n'
	issue deeper heidi /CN=heidi "$leaf"
	issue ca odd /CN=odd "${leaf}1.2.3.4=critical,ASN1:NULL\n"
	issue ca sha1 /CN=sha1 "$leaf" -sha1
	for name in carol:sub dave:noca erin:nokcs frank:tlsca grace:names; do
		cat "${name%:*}.crt" "${name#*:}.crt" > "${name%:*}.chain"
	done
	cat heidi.crt deeper.crt depth.crt > heidi.chain
	cat carol.crt sub.crt ca.crt > carol.whole
}

setup() {
	top=$(realpath "$BATS_TEST_DIRNAME/../..")
	assay=$top/build/assay
	[ -z "${scratch_lacks-}" ] || skip "$scratch_lacks is missing"
	cd "$scratch"
	tmp=$BATS_TEST_TMPDIR
	env=$tmp/env
}

# sign NAME [CERT]: a fresh envelope by NAME, in $env.
sign() {
	"$assay" manifest sign manifest.json --key "$1.pem" --cert "${2-$1.crt}" -o "$env"
}

# by_hand NAME CHAIN: the same when `sign` would refuse the certificate.
by_hand() {
	"$assay" manifest sign manifest.json --key "$1.pem" -o "$env"
	jq --rawfile cert "$2" '.signatures[0].cert = $cert' "$env" > "$tmp/more"
	mv "$tmp/more" "$env"
}

verify() {
	"$assay" manifest verify "$env" "$@"
}

@test "a certificate's names: email, URI, DNS; the common name only without them; each exactly" {
	sign alice
	for name in alice@example.com https://ci.example.com/release build.example.com; do
		run -0 verify --ca ca.crt --identity "$name"
		[[ $output == *"certified as $name"* ]]
	done
	for name in alice Alice@example.com lice@example.com example.com '*.example.com' '' "alice@example.com "; do
		run -3 verify --ca ca.crt --identity "$name"
		[[ $output == *"wrong-identity: signature 1: its certificate is of alice@example.com, https://ci.example.com/release, build.example.com"* ]]
	done
	run -0 verify --ca ca.crt --identity nobody --identity alice@example.com
	sign plain
	run -0 verify --ca ca.crt --identity "plain signer"
	run -3 verify --ca ca.crt --identity "example"
	sign bare
	run -0 verify --ca ca.crt --identity bare
}

@test "what is wrong with a certificate is said" {
	while read -r name word; do
		chain=$name.crt
		[ ! -e "$name.chain" ] || chain=$name.chain
		by_hand "$name" "$chain"
		run -3 verify --ca ca.crt --identity "$name" --identity alice@example.com --identity grace@example.com
		[[ $output == *"REFUSED    bad-certificate: signature 1: its certificate: "*"$word"* ]] || {
			echo "$name: $output"
			false
		}
	done <<- 'ROWS'
		nosign no digitalSignature
		tls no codeSigning
		mallory unable to get local issuer
		dave invalid CA
		erin invalid CA
		frank a CA of its: its extendedKeyUsage
		grace permitted subtree violation
		heidi path length
		odd unhandled critical extension
		sha1 too weak
	ROWS
}

@test "a certificate is judged at the time that is given" {
	sign old
	run -0 "$assay" manifest verify "$env" --ca ca.crt --identity old --at "@$(($(date +%s) + 60))"
	run -3 "$assay" manifest verify "$env" --ca ca.crt --identity old --at +3d
	[[ $output == *"has expired"* ]]
	run -3 "$assay" manifest verify "$env" --ca ca.crt --identity old --at 2020-01-01
	[[ $output == *"not yet valid"* ]]
}

@test "through an intermediate CA; without it; with the root beside it; the intermediate as the anchor" {
	sign carol carol.chain
	run -0 verify --ca ca.crt --identity carol@example.com
	run -3 verify --ca other.crt --identity carol@example.com
	# Trusting the intermediate CA leaves its certificate without a use.
	run -0 verify --ca sub.crt --identity carol@example.com
	[ "$(jq -r '.signatures[0].cert' "$env" | grep -c BEGIN)" -eq 2 ]
	sign carol carol.whole
	[ "$(jq -r '.signatures[0].cert' "$env" | grep -c BEGIN)" -eq 2 ]
	run -0 verify --ca ca.crt --identity carol@example.com
	sign carol
	run -3 verify --ca ca.crt --identity carol@example.com
	run -0 verify --ca sub.crt --identity carol@example.com
	cat other.crt ca.crt > "$tmp/both.crt"
	sign carol carol.chain
	run -0 verify --ca "$tmp/both.crt" --identity carol@example.com
}

@test "signing refuses a certificate of another key, one that may not sign, and a chain that is none" {
	run -1 "$assay" manifest sign manifest.json --key alice.pem --cert bob.crt -o "$env"
	[[ $output == *"certificate 1 is of another key"* ]]
	run -1 "$assay" manifest sign manifest.json --key tls.pem --cert tls.crt -o "$env"
	[[ $output == *"no codeSigning"* ]]
	run -1 "$assay" manifest sign manifest.json --key nosign.pem --cert nosign.crt -o "$env"
	[[ $output == *"no digitalSignature"* ]]
	cat carol.crt other.crt > "$tmp/bad.chain"
	run -1 "$assay" manifest sign manifest.json --key carol.pem --cert "$tmp/bad.chain" -o "$env"
	[[ $output == *"certificate 2 did not issue certificate 1"* ]]
	run -1 "$assay" manifest sign manifest.json --key alice.pem --cert alice.pem -o "$env"
	[[ $output == *"no certificate in it"* ]]
	[ ! -e "$env" ]
	run -1 verify --ca alice.pem --identity x
}

@test "signers by key and by certificate count together; one person is one, one key is one" {
	sign alice
	run -0 "$assay" manifest sign "$env" --key key.pem
	run -0 verify --ca ca.crt --identity alice@example.com --key key.pub --threshold 2
	[[ $output == *"2 signers, 2 wanted"* ]]
	# The same key, given and certified.
	openssl pkey -in alice.pem -pubout -out "$tmp/alice.pub"
	run -0 verify --ca ca.crt --identity alice@example.com --key "$tmp/alice.pub"
	run -3 verify --ca ca.crt --identity alice@example.com --key "$tmp/alice.pub" --threshold 2
	[[ $output == *"below-threshold: 1 of 2"* ]]
	# Two keys of one person.
	run -0 "$assay" manifest sign "$env" --key alice2.pem --cert alice2.crt
	run -3 verify --ca ca.crt --identity alice@example.com --identity bob@example.com --threshold 2
	[[ $output == *"below-threshold: 1 of 2"* && $output == *"has been counted"* ]]
	run -0 "$assay" manifest sign "$env" --key bob.pem --cert bob.crt
	run -0 verify --ca ca.crt --identity alice@example.com --identity bob@example.com --threshold 2
}

@test "a certificate is changed, is of another signer, or is there and judged by nobody" {
	sign alice
	cp "$env" "$tmp/good"
	openssl pkey -in alice.pem -pubout -out "$tmp/alice.pub"
	run -3 verify --key "$tmp/alice.pub"
	[[ $output == *"contradiction"*"certificate that nobody judges"* ]]
	run -0 verify --key "$tmp/alice.pub" --ignore-unsigned
	jq --rawfile cert bob.crt '.signatures[0].cert = $cert' "$tmp/good" > "$env"
	run -3 verify --ca ca.crt --identity alice@example.com --identity bob@example.com
	[[ $output == *"bad-signature"* ]]
	for what in '.signatures[0].cert += "x"' '.signatures[0].cert |= "x\n" + .' '.signatures[0].cert += .signatures[0].cert' \
		'.signatures[0].cert = ""' 'del(.signatures[0].cert)'; do
		jq "$what" "$tmp/good" > "$env"
		run -3 verify --ca ca.crt --identity alice@example.com
	done
	jq --rawfile more bob.crt '.signatures[0].cert += $more' "$tmp/good" > "$env"
	run -3 verify --ca ca.crt --identity alice@example.com
	[[ $output == *"leads nowhere"* ]]
	size=$(stat -c %s "$tmp/good")
	start=$(grep -abo '"cert"' "$tmp/good" | cut -d: -f1)
	for ((i = start; i < start + 900; i += 41)); do
		cp "$tmp/good" "$env"
		byte=$(od -An -tu1 -j $i -N 1 "$env")
		printf '%b' "\\x$(printf %02x $((byte ^ 1)))" | dd of="$env" bs=1 seek=$i conv=notrunc status=none
		run verify --ca ca.crt --identity alice@example.com
		[ "$status" -eq 3 ] || [ "$status" -eq 1 ] || {
			echo "byte $i of $size: exit $status"
			false
		}
	done
}

@test "usage: --ca and --identity belong together, somebody has to be given, the threshold can be reached" {
	sign alice
	run -2 verify
	run -2 verify --ca ca.crt
	run -2 verify --identity x
	run -2 verify --ca ca.crt --identity x --threshold 2
	run -2 verify --key key.pub --threshold 0
	run -2 verify --key key.pub --threshold 65
	run -2 verify --key key.pub --min-release x
	run -2 verify --key key.pub --at yesterday
	run -1 verify --key nonesuch.pub
	run -1 verify --ca nonesuch.crt --identity x
}

# release N [NAME [AGE]]: signed by key.pem, in $env.
release() {
	"$assay" manifest create disk.img --platform platform.yaml --name "${2-example}" --release "$1" \
		--not-before "@$(($(date +%s) - ${3-86400}))" -o "$env"
	"$assay" manifest sign "$env" --key key.pem
}

@test "state: older releases are refused, and the same release with other content; a failure changes nothing" {
	state=$tmp/state
	release 2
	run -0 verify --key key.pub --state "$state"
	[[ $output == *"no older than what was accepted before"* ]]
	[ "$(jq -c . "$state")" = "{\"images\":{\"example\":{\"payload\":\"$(jq -r .payload "$env" | base64 -d | sha256sum | cut -d' ' -f1)\",\"release\":2}},\"schema\":\"assay.releases/1\"}" ]
	cp "$env" "$tmp/two"
	cp "$state" "$tmp/before"
	run -0 verify --key key.pub --state "$state"
	cmp "$state" "$tmp/before"
	release 1
	run -3 verify --key key.pub --state "$state"
	[[ $output == *"rolled-back: release 1 of example, and 2 was accepted before"* ]]
	release 1 another
	run -0 verify --key key.pub --state "$state"
	release 2 example 3600
	run -3 verify --key key.pub --state "$state"
	[[ $output == *"release-replaced"* ]]
	cp "$state" "$tmp/before"
	release 3
	run -3 verify --key key.pub --state "$state" --name other
	cmp "$state" "$tmp/before"
	run -0 verify --key key.pub --state "$state"
	[ "$(jq -c '[.images[].release]' "$state")" = '[1,3]' ]
	for bad in '' '{}' '[]' x '{"schema":"assay.releases/2","images":{}}' '{"schema":"assay.releases/1"}' \
		'{"schema":"assay.releases/1","images":{"example":{"release":"9"}}}' \
		'{"schema":"assay.releases/1","images":{},"images":{}}'; do
		printf '%s' "$bad" > "$tmp/bad"
		run -1 verify --key key.pub --state "$tmp/bad"
		[ "$(cat "$tmp/bad")" = "$bad" ]
	done
	run -1 verify --key key.pub --state "$tmp/no/such/folder/state"
}

@test "state: several at once, through a link too, lose nothing" {
	state=$tmp/state
	ln -s "$state" "$tmp/link"
	for i in {1..12}; do
		release "$i" "image$i"
		cp "$env" "$tmp/env$i"
	done
	echo '{"schema":"assay.releases/1","images":{}}' > "$state"
	pids=()
	for i in {1..12}; do
		path=$state
		((i % 2)) || path=$tmp/link
		"$assay" manifest verify "$tmp/env$i" --key key.pub --state "$path" > /dev/null &
		pids+=($!)
	done
	wait "${pids[@]}"
	[ "$(jq '.images | length' "$state")" -eq 12 ]
	[ "$(jq -c '[.images[].release] | add' "$state")" = 78 ]
}
