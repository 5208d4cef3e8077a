# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Machines that prove themselves, without a TPM: a small disk and its manifest, a CA, attestation keys, and proofs that
# make_proof.py puts together.

# shellcheck source=tests/cli/chain.bash
. "${BASH_SOURCE[0]%/*}/chain.bash"
# shellcheck source=tests/cli/common.bash
. "${BASH_SOURCE[0]%/*}/common.bash"

proof_missing() {
	local tool
	chain_missing
	for tool in openssl faketime; do
		command -v "$tool" > /dev/null || printf '%s ' "$tool"
	done
}

# proof_cert OUT SUBJECT ISSUER|- EXTENSIONS [KEY-ARGUMENTS...]: OUT.key and OUT.pem, valid from 2026 to 2036.
proof_cert() {
	local out=$1 subject=$2 issuer=$3 extensions=$4
	shift 4
	[ $# -gt 0 ] || set -- -algorithm RSA -pkeyopt rsa_keygen_bits:2048
	[ -e "$out.key" ] || openssl genpkey "$@" -out "$out.key" 2> /dev/null
	printf '%b' "$extensions" > "$out.cnf"
	openssl req -new -key "$out.key" -subj "/CN=$subject" -out "$out.csr" &&
		if [ "$issuer" = - ]; then
			faketime '2026-01-01 00:00:00' openssl x509 -req -in "$out.csr" -key "$out.key" -days "${proof_days:-3650}" -set_serial 1 \
				-extfile "$out.cnf" -out "$out.pem" 2> /dev/null
		else
			faketime '2026-01-01 00:00:00' openssl x509 -req -in "$out.csr" -CA "$issuer.pem" -CAkey "$issuer.key" \
				-days "${proof_days:-3650}" -set_serial "0x$(openssl rand -hex 8)" -extfile "$out.cnf" -out "$out.pem" 2> /dev/null
		fi
	rm -f "$out.csr" "$out.cnf"
}
proof_ca_ext='basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n'
proof_ak_ext='basicConstraints=critical,CA:false\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=2.23.133.8.3\n'
export proof_ca_ext proof_ak_ext

# proof_setup TOP DIR [BANKS]: the machine's folder: manifest.json and signed.json (image "example", release 7, platform
# "small"), key.pub, pcrs.txt, boot.log, disk.img, data.img and data.roothash; CA root, ca; key ak; TLS tls; trust/.
proof_setup() {
	local top=$1 dir=$2 banks=${3:-sha1, sha256} assay=$1/build/assay
	mkdir -p "$dir/trust" && cd "$dir" || return 1
	chain_root root && chain_squashfs root root.sqfs && chain_disk disk.img root.sqfs &&
		mkdir root/etc/more && chain_squashfs root data.img || return 1
	# A data disk: the filesystem, its tree behind it.
	truncate -s %4096 data.img &&
		verity_format data.img data.img "--hash-offset=$(stat -c %s data.img)" --salt=5b5b > data.roothash || return 1
	small_profile "$banks" > small.yaml
	"$assay" precompute disk.img --platform small.yaml --json -o prediction.json &&
		"$assay" manifest create disk.img --data data.img --platform small.yaml --name example --release 7 \
			--not-before 2026-01-01 --expires 2027-01-01 -o manifest.json || return 1
	openssl genpkey -algorithm ed25519 -out key.pem && openssl pkey -in key.pem -pubout -out key.pub &&
		"$assay" manifest sign manifest.json --key key.pem -o signed.json > /dev/null || return 1
	jq -r '.banks | to_entries[] | .key as $bank | .value | to_entries[] | "\($bank) \(.key) \(.value)"' prediction.json > pcrs.txt
	"$top/tests/fixtures/log-of.py" prediction.json boot.log
	proof_cert root "Test root" - "$proof_ca_ext" && proof_cert ca "Test AK CA" root "$proof_ca_ext" &&
		proof_cert ak "Test AK" ca "$proof_ak_ext" && cp root.pem trust/ &&
		proof_cert tls "server.example" - 'subjectAltName=DNS:server.example\n' -algorithm EC -pkeyopt ec_paramgen_curve:P-256
	container=$(jq -r '.payload' manifest.json | base64 -d | jq -r '.predicate.containers[] | select(.names == ["localhost/hello:1"]).image_id' | head -n1)
	printf '%s\n' "$container" > container.id
}

# machine_events: what a well-behaved machine measures after the boot, as words for make_proof.py.
machine_events() {
	# shellcheck disable=SC2034 # the caller's
	events=(
		--event 15 root_hash "$(cat data.roothash)"
		--event 15 sentinel ""
		--event 15 certificate @tls.pem
		--event 14 event "{\"content\":{\"resolved\":{\"id\":\"$(cat container.id)\"},\"spec\":{\"image_name\":\"@local/hello:1\"}},\"event_type\":\"input_image\"}"
		--event 14 event "{\"content\":{\"resolved\":{\"hash\":\"sha256:$(printf '%064d' 5)\",\"size\":17},\"spec\":{\"path\":\"model/weights.bin\"}},\"event_type\":\"weights_file\"}"
		--event 14 event "{\"content\":{\"resolved\":{\"hash\":\"sha1:$(printf '%040d' 6)\"},\"spec\":{\"resource_proto\":{\"path\":\"data/set\",\"resource_type\":\"dataset\"}}},\"event_type\":\"input_resource\"}"
		--event 8 event "{\"content\":[{\"resolved\":{\"hash\":\"sha256:$(printf '%064d' 7)\"},\"spec\":{\"path\":\"out.zip\"}}],\"event_type\":\"outputs\"}"
		--event 8 event '{"content":{"total_flos":12.5e15},"event_type":"compute_consumed"}'
	)
}

# prove OUT [OPTION...]: a proof of that machine; later options of make_proof.py win.
prove() {
	local out=$1
	shift
	"$proof_top/tests/cli/make_proof.py" --key ak.key --cert ak.pem --cert ca.pem --pcrs pcrs.txt "$@" -o "$out"
}
proof_top=$(realpath "${BASH_SOURCE[0]%/*}/../..")
