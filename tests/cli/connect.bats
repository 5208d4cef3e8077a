#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# assay connect against servers that prove themselves, and against those that would like to.

bats_require_minimum_version 1.5.0

setup_file() {
	load server
	top=$(realpath "$BATS_TEST_DIRNAME/../..")
	lacks=$(proof_missing)
	export top lacks machine=$BATS_FILE_TMPDIR/machine
	[ -n "$lacks" ] || server_setup "$top" "$machine" > "$BATS_FILE_TMPDIR/log" 2>&1 || {
		cat "$BATS_FILE_TMPDIR/log"
		false
	}
}

setup() {
	load server
	[ -z "$lacks" ] || skip "$lacks is missing"
	cd "$machine"
	assay=$top/build/assay
	tmp=$BATS_TEST_TMPDIR
	trust=(--manifest signed.json --key key.pub --trust trust)
	at=(--at 2026-06-01)
}

teardown() {
	stop_servers
}

# visit [OPTION...]: `assay connect`, stdout and stderr apart, the status in $rc.
visit() {
	rc=0
	timeout 60 "$assay" connect "$url" "${trust[@]}" "${at[@]}" "$@" > "$tmp/out" 2> "$tmp/err" || rc=$?
	cat "$tmp/out" "$tmp/err"
}

refused() { # CODE: by the verdict, and nothing was asked but proofs
	[ "$rc" -eq 3 ] && [ "$(jq -r '.reasons[].code' "$tmp/out" | grep -cx "$1")" -ge 1 ] && [ "$(asked_others)" = 0 ]
}

@test "a machine that is the manifest's: the verdict, and nothing was asked but the proof" {
	start_server
	visit
	[ "$rc" -eq 0 ]
	grep -q '^verified .*example, release 7' "$tmp/out"
	grep -q 'answers the nonce' "$tmp/out"
	[ ! -s "$tmp/err" ]
	[ "$(asked_proofs)" = 1 ] && [ "$(asked_others)" = 0 ]
	# 32 bytes of nonce, another one each time
	visit --json
	[ "$(jq -r .verified "$tmp/out")" = true ]
	[ "$(grep -oE 'nonce=[0-9a-f]{64}$' "$requests" | sort -u | wc -l)" = 2 ]
}

@test "--get: the body alone on stdout, over the connection that was verified" {
	start_server
	visit --get '/answer?x=1'
	[ "$rc" -eq 0 ]
	[ "$(cat "$tmp/out")" = "hello from /answer?x=1" ]
	[ "$(cat "$tmp/err")" = "verified   example, release 7" ]
	[ "$(cut -d' ' -f1 "$requests" | sort -u | wc -l)" = 1 ]
	[ "$(tail -n 1 "$requests")" = "1 GET /answer?x=1" ]
	visit --get / -o "$tmp/file"
	[ "$rc" -eq 0 ]
	[ "$(cat "$tmp/file")" = "hello from /" ]
	grep -q '^verified .*example, release 7' "$tmp/out"
	visit --get / --json
	[ "$(cat "$tmp/out")" = "hello from /" ]
	[ "$(jq -r .verified "$tmp/err")" = true ]
}

@test "--save-proof: what was judged, for later" {
	start_server
	visit --save-proof "$tmp/proof"
	[ "$rc" -eq 0 ]
	nonce=$(grep -oE '[0-9a-f]{64}$' "$requests")
	[ "$(jq -r .nonce "$tmp/proof")" = "$nonce" ]
	run -0 "$assay" verify "$tmp/proof" "${trust[@]}" "${at[@]}" --nonce "$nonce" --tls-cert host.pem
	run -3 "$assay" verify "$tmp/proof" "${trust[@]}" "${at[@]}" --nonce "$nonce" --tls-cert mitm.pem
}

@test "a man in the middle with a good certificate of his own, and the machine's proof" {
	start_server --cert mitm.pem --key mitm.key
	visit --get /secret --json
	cp "$tmp/err" "$tmp/out"
	refused tls-certificate
	# who asks the public CAs would be content
	run -0 openssl verify -CAfile public.pem mitm.pem
}

@test "a man in the middle who puts his certificate into the proof" {
	server_maker
	cat > "$tmp/maker" <<-MAKER
		#!/bin/bash
		for last; do :; done
		$(printf '%q ' "${maker[@]}") "\$@" &&
			python3 -c 'import json, sys; p = json.load(open(sys.argv[1])); p["tls"]["certificate"] = open("mitm.pem").read(); json.dump(p, open(sys.argv[1], "w"))' "\$last"
	MAKER
	chmod +x "$tmp/maker"
	maker_is() { maker=("$tmp/maker"); }
	eval "server_maker() { maker_is; }"
	start_server --cert mitm.pem --key mitm.key
	visit --json
	[ "$rc" -eq 3 ]
	[ "$(jq -r '.reasons | length' "$tmp/out")" -ge 1 ]
	[ "$(asked_others)" = 0 ]
}

@test "an old proof of the machine itself" {
	server_maker
	"${maker[@]}" --nonce "$(printf '%064d' 7)" -o "$tmp/old"
	start_server --proof "$tmp/old"
	visit --json --get / -o "$tmp/file"
	refused nonce
	[ ! -e "$tmp/file" ]
	"${maker[@]}" -o "$tmp/old"
	visit --json
	refused nonce
}

@test "another machine: nothing is asked of it, and its verdict is told" {
	start_server
	visit --expect manifest=other --get /secret
	[ "$rc" -eq 3 ] && [ ! -s "$tmp/out" ]
	grep -q '^REFUSED    expectation: ' "$tmp/err"
	[ "$(asked_others)" = 0 ]
	visit --min-release 8 --get /secret -o "$tmp/file"
	[ "$rc" -eq 3 ] && [ ! -e "$tmp/file" ]
	[ "$(asked_others)" = 0 ]
}

@test "the host name has to be in the certificate, unless it need not" {
	start_server
	url=https://127.0.0.1:$port
	visit --get /secret
	[ "$rc" -eq 3 ]
	grep -q 'certificate is not for 127.0.0.1' "$tmp/err"
	[ "$(asked_others)" = 0 ]
	visit --get / --any-name
	[ "$rc" -eq 0 ]
}

@test "a connection that is closed after the proof: all of it once more, on a new one" {
	start_server --hang-up 1
	visit --get /x
	[ "$rc" -eq 0 ]
	[ "$(cat "$tmp/out")" = "hello from /x" ]
	[ "$(asked_proofs)" = 2 ] && [ "$(asked_others)" = 1 ]
	[ "$(tail -n 2 "$requests" | cut -d' ' -f1 | sort -u)" = 2 ]
	stop_servers
	start_server --hang-up 1 --say-close
	visit --get /x
	[ "$rc" -eq 0 ]
	[ "$(asked_proofs)" = 2 ] && [ "$(asked_others)" = 1 ]
}

@test "a server that closes each connection is asked nothing" {
	start_server --hang-up -1
	visit --get /secret
	[ "$rc" -eq 1 ]
	grep -q 'closes each connection' "$tmp/err"
	[ "$(asked_proofs)" = 2 ] && [ "$(asked_others)" = 0 ]
}

@test "somebody else takes over when the connection is closed" {
	start_server --hang-up 1 --swap mitm.pem mitm.key
	visit --get /secret
	[ "$rc" -eq 3 ]
	[ "$(asked_proofs)" = 2 ] && [ "$(asked_others)" = 0 ]
}

@test "a busy server is asked again when it says so, and not for ever" {
	start_server --busy 2
	visit
	[ "$rc" -eq 0 ] && [ "$(asked_proofs)" = 3 ]
	stop_servers
	start_server --busy -1
	visit
	[ "$rc" -eq 1 ] && [ "$(asked_proofs)" = 6 ]
	grep -q 'answers 503' "$tmp/err"
	stop_servers
	start_server --busy -1 --retry-after 9999
	SECONDS=0
	visit
	[ "$rc" -eq 1 ] && [ "$(asked_proofs)" = 1 ] && [ "$SECONDS" -lt 20 ]
	grep -q 'busy for 9999 seconds' "$tmp/err"
}

@test "redirects are not followed, errors are no answers" {
	start_server --status /.well-known/assay/proof 302
	visit --get /x
	[ "$rc" -eq 1 ]
	grep -q 'answers 302' "$tmp/err"
	[ "$(wc -l < "$requests")" = 1 ]
	stop_servers
	start_server --status /moved 302 --status /none 404 --status /broken 500
	for path in moved none broken; do
		visit --get "/$path" -o "$tmp/file"
		[ "$rc" -eq 1 ] && [ ! -e "$tmp/file" ] && [ ! -s "$tmp/out" ]
	done
	run ! grep elsewhere "$requests"
}

@test "sizes and times have limits" {
	start_server --big /big 1000001
	visit --get /big --max-size 1000001 -o "$tmp/file"
	[ "$rc" -eq 0 ] && [ "$(stat -c %s "$tmp/file")" = 1000001 ]
	visit --get /big --max-size 1000000 -o "$tmp/none"
	[ "$rc" -eq 1 ] && [ ! -e "$tmp/none" ]
	grep -q 'more than 1000000 bytes' "$tmp/err"
	stop_servers
	start_server --slow 5
	SECONDS=0
	visit --timeout 1
	[ "$rc" -eq 1 ] && [ "$SECONDS" -lt 4 ]
	stop_servers
	limit=$(sed -n 's/^#define ASSAY_PROOF_MAX_FILE (\([0-9]*\)U << 20)$/\1/p' "$top/core/limits.h")
	start_server --big /.well-known/assay/proof $(((limit << 20) + 1))
	visit
	[ "$rc" -eq 1 ]
	grep -q "more than $((limit << 20)) bytes" "$tmp/err"
}

@test "what is no proof, and no such server" {
	echo '{"schema": "assay.proof/9"}' > "$tmp/odd"
	start_server --proof "$tmp/odd"
	visit --json
	[ "$rc" -eq 3 ] && [ "$(asked_others)" = 0 ]
	echo 'hello' > "$tmp/odd"
	visit --json --get /
	[ "$rc" -eq 1 ] && [ "$(asked_others)" = 0 ]
	stop_servers
	visit
	[ "$rc" -eq 1 ] && [ ! -s "$tmp/out" ] && [ "$(wc -l < "$tmp/err")" = 1 ]
	# plain HTTP behind a URL that says otherwise
	python3 - "$tmp/port" <<-'EOF' 3>&- &
		import http.server, sys
		s = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
		open(sys.argv[1], "w").write(str(s.server_port))
		s.serve_forever()
	EOF
	servers+=($!)
	for ((i = 0; i < 200; i++)); do
		[ ! -s "$tmp/port" ] || break
		sleep 0.05
	done
	url=https://localhost:$(cat "$tmp/port")
	visit
	[ "$rc" -eq 1 ] && [ ! -s "$tmp/out" ]
}

@test "proxies, CAs and key logs of the environment change nothing" {
	start_server
	export https_proxy=http://127.0.0.1:9 HTTPS_PROXY=http://127.0.0.1:9 ALL_PROXY=socks5://127.0.0.1:9 SSL_CERT_FILE=/nonexistent CURL_CA_BUNDLE=/nonexistent
	visit --get /
	[ "$rc" -eq 0 ]
}

@test "https://HOST[:PORT] and nothing else; a path that is one" {
	for word in http://localhost/ localhost:8443 https:// https://localhost/x 'https://localhost/?x' https://a@localhost/ https://localhost/#x \
		ftp://localhost file:///etc/passwd 'https://local host' 'https://läng.example'; do
		run -2 --separate-stderr "$assay" connect "$word" "${trust[@]}"
		[ -z "$output" ]
		[[ ${stderr_lines[0]} == "assay connect: '$word': https://HOST[:PORT] is wanted" ]]
	done
	run -2 "$assay" connect https://localhost:1 "${trust[@]}" --get x
	run -2 "$assay" connect https://localhost:1 "${trust[@]}" --get '/ HTTP/1.1'
	run -2 "$assay" connect https://localhost:1 "${trust[@]}" -o file
	run -2 "$assay" connect https://localhost:1 "${trust[@]}" --timeout 0
	run -2 "$assay" connect https://localhost:1 "${trust[@]}" --max-size x
	run -2 "$assay" connect https://localhost:1 --manifest signed.json --key key.pub
	run -1 "$assay" connect https://localhost:1 --manifest nonesuch --key key.pub --trust trust
}
