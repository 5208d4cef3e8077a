# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Servers that prove themselves (proof_server.py), for what connects to them.

# shellcheck source=tests/cli/proof.bash
. "${BASH_SOURCE[0]%/*}/proof.bash"

# server_setup TOP DIR: the machine of proof_setup, which serves as localhost (host.pem, host.key), and somebody in the middle with
# a certificate for the same name (mitm.pem, mitm.key), by a CA of the kind that everybody trusts.
server_setup() {
	local names='basicConstraints=critical,CA:false\nsubjectAltName=DNS:localhost\n'
	proof_setup "$1" "$2" || return 1
	proof_cert host localhost - "$names" -algorithm EC -pkeyopt ec_paramgen_curve:P-256 &&
		proof_cert public "A public CA" - "$proof_ca_ext" &&
		proof_cert mitm localhost public "$names" -algorithm EC -pkeyopt ec_paramgen_curve:P-256 || return 1
	openssl x509 -in host.pem -outform DER -out host.der
	machine_events
	sed 's/@tls.pem/@host.pem/' <(printf '%s\n' "${events[@]}") > events
}

# The command of this machine's proofs, into `maker`.
server_maker() {
	local events
	mapfile -t events < events
	maker=("$proof_top/tests/cli/make_proof.py" --key ak.key --cert ak.pem --cert ca.pem --pcrs pcrs.txt --manifest example
		"${events[@]}" --tls host.pem)
}

# start_server [OPTION...]: serves with host.pem, unless an option says otherwise; sets url, port, and `requests`, the file of
# what it was asked.
start_server() {
	local i dir
	dir=$(mktemp -d "$BATS_TEST_TMPDIR/server.XXXX")
	server_maker
	python3 "$proof_top/tests/cli/proof_server.py" --cert host.pem --key host.key "$@" "$dir" -- "${maker[@]}" > "$dir/log" 2>&1 3>&- &
	servers+=($!)
	requests=$dir/requests
	: > "$requests"
	for ((i = 0; i < 400; i++)); do
		if [ -e "$dir/port" ]; then
			port=$(cat "$dir/port")
			# shellcheck disable=SC2034 # for the tests
			url=https://localhost:$port
			return 0
		fi
		sleep 0.05
	done
	cat "$dir/log" >&2
	return 1
}

stop_servers() {
	local pid
	for pid in "${servers[@]}"; do
		kill "$pid" 2> /dev/null || true
		wait "$pid" 2> /dev/null || true
	done
	servers=()
}
servers=()

# How often the server was asked for a proof, and for something else.
asked_proofs() {
	grep -c ' GET /.well-known/assay/proof?nonce=[0-9a-f]*$' "$requests" || true
}
asked_others() {
	grep -cv ' GET /.well-known/assay/proof?nonce=[0-9a-f]*$' "$requests" || true
}
