# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Proofs for the benchmarks: by an attestation key of RSA-2048 with a chain of three, 100 events in the log.

# bench_proof TOP DIR: DIR as tests/cli/proof.bash makes it, DIR/hundred.json, and what tpm2-tools and openssl want of it:
# hundred.msg, .sig and .nonce, ak.pub.pem, untrusted.pem.
bench_proof() (
	# shellcheck source=tests/cli/proof.bash
	. "$1/tests/cli/proof.bash"
	rm -rf "$2"
	proof_setup "$1" "$2" || return 1
	local events=(--event 15 root_hash "$(cat data.roothash)" --event 15 sentinel '') i
	for i in $(seq 98); do
		events+=(--event 14 event "{\"content\":{\"resolved\":{\"hash\":\"sha256:$(printf '%064d' "$i")\",\"size\":17},\"spec\":{\"path\":\"model/part-$i.bin\"}},\"event_type\":\"weights_file\"}")
	done
	prove hundred.json "${events[@]}" && jq -r .quote.message hundred.json | base64 -d >hundred.msg &&
		jq -r .quote.signature hundred.json | base64 -d >hundred.sig && openssl pkey -in ak.key -pubout -out ak.pub.pem
)
