#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# assay-agent serve, against a software TPM. curl and Python ask; what they get is checked without assay.

setup() {
	load common
	load swtpm
	bats_require_minimum_version 1.5.0
	cd "$BATS_TEST_DIRNAME/../.."
	agent=$PWD/build/assay-agent
	fixtures=$PWD/tests/fixtures
	tmp=$BATS_TEST_TMPDIR
	export TSS2_LOG=all+none
	unset NOTIFY_SOCKET
	server_pid='' mux_pid=''
	need curl jq python3 openssl
}

teardown() {
	local pid
	for pid in $server_pid $mux_pid; do
		kill -9 "$pid" 2>/dev/null || true
	done
	[ -z "$tpm_pid" ] || kill -CONT "$tpm_pid" 2>/dev/null || true
	stop_tpm
}

# A TPM with a key as on Azure, and in front of it what lets several programs talk to it.
a_tpm() {
	tpm_with_ak azure "$tmp/tpm"
	flush_tpm
	python3 "$fixtures/tpm-mux.py" "$tmp/tpm/tpm.sock" "$tmp/mux.sock" 3>&- &
	mux_pid=$!
	local i
	for ((i = 0; i < 200; i++)); do
		[ ! -S "$tmp/mux.sock" ] || break
		sleep 0.05
	done
	tcti=swtpm:path=$tmp/mux.sock
}

# configure [YAML of serve]
configure() {
	cat >"$tmp/agent.yaml" <<-EOF
		schema: assay.agent/1
		tpm: {tcti: "$tcti", key: azure, certificates: $tmp/tpm/ca/chain.pem}
		log: $tmp/runtime.cel
		tls: {names: [localhost], certificate: $tmp/cert.pem, key: $tmp/key.pem, owner: $(id -u)}
		serve: {listen: "127.0.0.1:0"${1:+, $1}}
	EOF
}

# Starts it, waits until it listens; $port.
serve() {
	"$agent" serve --config "$tmp/agent.yaml" "$@" 2>"$tmp/stderr" 3>&- &
	server_pid=$!
	local i
	port=''
	for ((i = 0; i < 400; i++)); do
		port=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' "$tmp/stderr")
		[ -z "$port" ] || break
		kill -0 "$server_pid" 2>/dev/null || break
		sleep 0.05
	done
	[ -n "$port" ] || { cat "$tmp/stderr"; return 1; }
}

# get TARGET [CURL OPTION]...: status on stdout; body and headers in files.
get() {
	local target=$1
	shift
	curl -s --max-time 100 -o "$tmp/body" -D "$tmp/head" -w '%{http_code}' "$@" "http://127.0.0.1:$port$target"
}
header() { tr -d '\r' <"$tmp/head" | sed -n "s/^$1: //Ip"; }
P=/.well-known/assay/proof

@test "serve: the latest proof, a fresh one, and what is none" {
	a_tpm
	configure
	serve
	[ "$(get $P)" = 200 ]
	[ "$(header Content-Type)" = application/json ]
	[ "$(header Cache-Control)" = no-cache ]
	local etag
	etag=$(header ETag)
	[ "$(jq -r '.schema, .nonce' "$tmp/body" | tr '\n' ' ')" = "assay.proof/1 null " ]
	cp "$tmp/body" "$tmp/latest"
	[ "$(get $P)" = 200 ]
	cmp "$tmp/body" "$tmp/latest"
	[ "$(get $P -H "If-None-Match: $etag")" = 304 ]
	[ ! -s "$tmp/body" ] || [ "$(get /attestation.json)" = 200 ]
	[ "$(get /attestation.json)" = 200 ]
	cmp "$tmp/body" "$tmp/latest"
	[ "$(get $P -I)" = 200 ]
	[ "$(header Content-Length)" = "$(stat -c %s "$tmp/latest")" ]

	local nonce=00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF
	[ "$(get "$P?nonce=$nonce")" = 200 ]
	[ "$(header Cache-Control)" = no-store ]
	[ "$(jq -r .nonce "$tmp/body")" = "${nonce,,}" ]
	# Others check it: signature, PCR values and nonce.
	need tpm2_checkquote xxd
	jq -r .quote.message "$tmp/body" | base64 -d >"$tmp/message"
	jq -r .quote.signature "$tmp/body" | base64 -d >"$tmp/signature"
	local extra
	extra=$( (xxd -r -p <<<"$nonce" && head -c 32 /dev/zero) | sha256sum | cut -d' ' -f1)
	tpm2_checkquote -u "$tmp/tpm/ak.pubkey.pem" -m "$tmp/message" -s "$tmp/signature" -g sha256 -q "$extra" >/dev/null
	run -1 tpm2_checkquote -u "$tmp/tpm/ak.pubkey.pem" -m "$tmp/message" -s "$tmp/signature" -g sha256 -q "${extra/?/0}${extra:0:0}f"

	# As a reverse proxy has it.
	[ "$(get "$P?nonce=$nonce" -H 'Host: proofs.example' -H 'X-Forwarded-For: 192.0.2.1' -H 'X-Forwarded-Proto: https' -H 'Via: 2.0 Caddy')" = 200 ]

	local target
	for target in '?nonce=' '?nonce=00' '?nonce=0011223344556' '?nonce=001122334455667' '?nonce=001122334455667x' \
		"?nonce=$nonce$nonce${nonce}" '?x=y' '?nonce=0011223344556677&x=y' '?nonce=0011223344556677&nonce=0011223344556677'; do
		[ "$(get "$P$target")" = 400 ]
		[ "$(header Content-Type)" = application/json ]
		jq -e '.error | length > 0' "$tmp/body"
	done
	for target in / /.well-known/assay /.well-known/assay/proofs /attestation /attestation.json/; do
		[ "$(get $target)" = 404 ]
		jq -e .error "$tmp/body"
	done
	local method
	for method in POST PUT DELETE PATCH OPTIONS; do
		[ "$(get $P -X $method)" = 405 ]
		[ "$(header Allow)" = "GET, HEAD" ]
	done
	[ "$(get $P -d data)" = 405 ]
	[ "$(get $P -H "X: $(printf '%020000d' 0)")" -ge 400 ]
	[ "$(get $P)" = 200 ]
}

@test "serve: what is measured meanwhile is in the next proof" {
	a_tpm
	configure
	serve
	[ "$(get $P)" = 200 ]
	[ "$(jq '.runtime_log | length' "$tmp/body")" = 0 ]
	"$agent" measure timing --config "$tmp/agent.yaml" 7
	[ "$(get $P)" = 200 ]
	[ "$(jq '.runtime_log | length' "$tmp/body")" = 1 ]
	[ "$(get /attestation.json)" = 200 ]
	[ "$(jq '.runtime_log | length' "$tmp/body")" = 1 ]
	# Certificates are bound into the quote.
	"$agent" tls --config "$tmp/agent.yaml" --allow-disk
	[ "$(get "$P?nonce=0011223344556677")" = 200 ]
	[ "$(jq -r .tls.certificate "$tmp/body")" = "$(cat "$tmp/cert.pem")" ]
	python3 "$fixtures/proof-load.py" "$port" 3 1
}

@test "serve: it is measured though many ask" {
	a_tpm
	configure
	serve
	python3 "$fixtures/proof-load.py" "$port" 200 20 >/dev/null 3>&- &
	local load=$! i
	for i in {1..10}; do
		timeout 60 "$agent" measure timing --config "$tmp/agent.yaml" "$i"
	done
	kill "$load" 2>/dev/null || true
	wait "$load" || true
	[ "$(get $P)" = 200 ]
	[ "$(jq '.runtime_log | length' "$tmp/body")" = 10 ]
}

@test "serve: a thousand at once, each its own proof or a 503; no growth of memory" {
	ulimit -n 4096 || skip "no 4096 descriptors here"
	a_tpm
	configure
	serve
	run -0 python3 "$fixtures/proof-load.py" "$port" 1000 4 "$server_pid"
	echo "# $output" >&3
	# 1000 come at once, 256 may wait: some were sent away; all got theirs.
	jq -e 'all(.[]; .ok == 1000 and .later > 0)' <<<"$output"
	# 2 MiB: the allocator's own steps; one proof kept for each request would be 10 MiB a round.
	jq -e '.[3].rss - .[0].rss < 2048 and .[3].hwm - .[0].hwm < 2048' <<<"$output"
	[ "$(get $P)" = 200 ]
	[ "$(get "$P?nonce=0011223344556677")" = 200 ]
}

@test "serve: a queue of two" {
	a_tpm
	configure "queue: 2"
	serve
	run -0 python3 "$fixtures/proof-load.py" "$port" 60 1
	jq -e '.[0].ok == 60 and .[0].later > 0' <<<"$output"
}

@test "serve: slow clients do not stop others" {
	a_tpm
	configure "connections: 16, timeout: 2"
	serve
	# Heads that never end, a byte now and then.
	python3 - "$port" <<-'EOF' 3>&- &
		import socket, sys, time
		slow = []
		while True:
		    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
		    s.sendall(b"GET / HTTP/1.1\r\nX: ")
		    slow.append(s)
		    for s in list(slow):
		        try:
		            s.sendall(b"x")
		        except OSError:
		            slow.remove(s)
		    time.sleep(0.005)
	EOF
	local slow=$! i
	sleep 1
	for i in {1..10}; do
		[ "$(get "$P?nonce=00112233445566$((10 + i))")" = 200 ]
	done
	kill "$slow"
	wait "$slow" || true
	[ "$(ls "/proc/$server_pid/fd" | wc -l)" -lt 64 ]
}

@test "serve: the way to the TPM breaks, and mends" {
	a_tpm
	configure "timeout: 30"
	serve
	local i
	[ "$(get $P)" = 200 ]
	# Dropped: the next request has it opened again.
	for i in {1..3}; do
		kill -USR1 "$mux_pid"
		sleep 0.1
		case $(get "$P?nonce=0011223344556677") in
		200) ;;
		503) jq -e .error "$tmp/body" && [ "$(header Retry-After)" -ge 1 ] ;;
		*) false ;;
		esac
		[ "$(get "$P?nonce=0011223344556677")" = 200 ]
	done
	# Gone for a while; the latest is there all the same, as nothing was measured since.
	kill -USR2 "$mux_pid"
	sleep 0.1
	for i in {1..3}; do
		[ "$(get "$P?nonce=0011223344556677")" = 503 ]
		jq -e '.error | startswith("no proof: ")' "$tmp/body"
		[ "$(header Retry-After)" -ge 1 ]
	done
	[ "$(get $P)" = 200 ]
	touch "$tmp/runtime.cel"
	[ "$(get $P)" = 503 ]
	kill -USR2 "$mux_pid"
	sleep 0.1
	[ "$(get "$P?nonce=0011223344556677")" = 200 ]
	[ "$(get $P)" = 200 ]
	[ "$(grep -c 'no proof: ' "$tmp/stderr")" -le 6 ]
	# In the middle of many requests.
	python3 "$fixtures/proof-load.py" "$port" 300 2 >/dev/null 3>&- &
	local load=$!
	for i in {1..5}; do
		kill -USR1 "$mux_pid"
		sleep 0.2
	done
	wait "$load"
	[ "$(get $P)" = 200 ]
}

@test "serve: a TPM that hangs" {
	a_tpm
	configure "timeout: 2"
	serve
	[ "$(get $P)" = 200 ]
	kill -STOP "$tpm_pid"
	[ "$(get "$P?nonce=0011223344556677")" = 503 ]
	jq -e '.error | contains("in time")' "$tmp/body"
	[ "$(get $P)" = 200 ]
	kill -CONT "$tpm_pid"
	local i status
	for ((i = 0; i < 50; i++)); do
		status=$(get "$P?nonce=0011223344556677")
		[ "$status" != 200 ] || break
		sleep 0.1
	done
	[ "$status" = 200 ]
	# To its end, too.
	kill -STOP "$tpm_pid"
	get "$P?nonce=0011223344556677" || true
	kill -TERM "$server_pid"
	status=0
	wait "$server_pid" || status=$?
	kill -CONT "$tpm_pid"
	server_pid=''
	[ "$status" = 1 ]
	grep -q 'did not end within 2 seconds' "$tmp/stderr"
}

@test "serve: another TPM, or another boot, is no proof" {
	a_tpm
	configure
	serve
	kill "$mux_pid" && wait "$mux_pid" || true
	stop_tpm
	rm -f "$tmp"/mux.sock*
	start_tpm "$tmp/tpm"
	python3 "$fixtures/tpm-mux.py" "$tmp/tpm/tpm.sock" "$tmp/mux.sock" 3>&- &
	mux_pid=$!
	local i status
	for ((i = 0; i < 5; i++)); do
		status=$(get "$P?nonce=0011223344556677")
		[ "$status" = 500 ] || [ "$status" = 503 ]
		jq -e .error "$tmp/body"
		sleep 0.2
	done
	[[ $(jq -r .error "$tmp/body") == *"boot"* ]]
}

@test "serve: ends with 0 on SIGTERM, after what waits was answered" {
	a_tpm
	configure
	serve
	python3 - "$port" "$server_pid" <<-'EOF'
		import os, signal, socket, sys
		socks = []
		for i in range(20):
		    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
		    s.sendall(b"GET /.well-known/assay/proof?nonce=%016d HTTP/1.1\r\n\r\n" % i)
		    socks.append(s)
		# The last one that is heard has been taken in after all others.
		s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
		s.sendall(b"GET / HTTP/1.1\r\n\r\n")
		s.recv(1)
		os.kill(int(sys.argv[2]), signal.SIGTERM)
		for i, s in enumerate(socks):
		    data = b""
		    while more := s.recv(65536):
		        data += more
		    assert data.startswith(b"HTTP/1.1 200"), data[:200]
		    assert b'"nonce": "%016d"' % i in data
	EOF
	wait "$server_pid"
	server_pid=''
	[ "$(get $P || true)" = 000 ]
}

@test "serve: /attestation.json in an older format" {
	a_tpm
	configure "attestation: aicert"
	"$agent" measure certificate --config "$tmp/agent.yaml" "$tmp/tpm/ca/root.pem" || skip "no certificate can be measured"
	serve
	[ "$(get /attestation.json)" = 200 ]
	jq -e '.remote_attestation.quote.message.base64 and .event_log' "$tmp/body"
	[ "$(get $P)" = 200 ]
	[ "$(jq -r .schema "$tmp/body")" = assay.proof/1 ]
}

@test "serve: the service manager is told" {
	a_tpm
	configure
	NOTIFY_SOCKET=$tmp/notify
	export NOTIFY_SOCKET
	python3 - "$NOTIFY_SOCKET" >"$tmp/told" <<-'EOF' 3>&- &
		import socket, sys
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		s.bind(sys.argv[1])
		print(s.recv(100).decode())
	EOF
	local manager=$! i
	for ((i = 0; i < 100; i++)); do
		[ ! -S "$tmp/notify" ] || break
		sleep 0.05
	done
	serve
	wait "$manager"
	[ "$(cat "$tmp/told")" = READY=1 ]
}

@test "serve: refused by name" {
	a_tpm
	configure
	local where
	for where in 0.0.0.0:0 192.0.2.1:8081 '[::]:0'; do
		run -1 --separate-stderr "$agent" serve --config "$tmp/agent.yaml" --listen "$where"
		[ -z "$output" ]
		[ "${#stderr_lines[@]}" -eq 1 ]
		[[ $stderr == "assay-agent serve: "*"'$where' is not an address of the loopback interface"* ]]
	done
	run -1 --separate-stderr "$agent" serve --config "$tmp/agent.yaml" --listen localhost:80
	[[ $stderr == *"'localhost:80'"* ]]
	serve --listen 0.0.0.0:0 --any-address
	[ "$(get $P)" = 200 ]
	# A machine that cannot prove itself does not begin to serve.
	sed -i 's/key: azure/key: gcp/' "$tmp/agent.yaml"
	run -1 --separate-stderr timeout 60 "$agent" serve --config "$tmp/agent.yaml"
	[[ $stderr == "assay-agent serve: "* ]]
	run -1 timeout 60 "$agent" serve --config "$tmp/none.yaml"
	run -2 "$agent" serve extra
	run -2 "$agent" serve --nope
}
