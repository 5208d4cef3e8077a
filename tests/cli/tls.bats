#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# assay-agent tls: the machine's key and certificate, against a software TPM; openssl and tpm2-tools look at what came of it.

setup() {
	load common
	load swtpm
	bats_require_minimum_version 1.5.0
	cd "$BATS_TEST_DIRNAME/../.."
	agent=$PWD/build/assay-agent
	tmp=$BATS_TEST_TMPDIR
	export TSS2_LOG=all+none
	# Keys lie in memory.
	[ "$(stat -f -c %T /dev/shm)" = tmpfs ] || skip "/dev/shm is no tmpfs"
	mem=$(mktemp -d /dev/shm/assay-test-XXXXXX)
}

teardown() {
	stop_tpm
	rm -rf "${mem:-/nonexistent}"
}

configure() {
	cat >"$tmp/agent.yaml" <<-EOF
		schema: assay.agent/1
		tpm: {tcti: "$tcti"}
		log: $tmp/runtime.cel
		tls: {names: [localhost, 127.0.0.1], certificate: ${1:-$mem}/cert.pem, key: ${1:-$mem}/key.pem, owner: $(id -u)}
	EOF
}

# shellcheck disable=SC2120 # run hands arguments on
tls() { "$agent" tls --config "$tmp/agent.yaml" "$@"; }

# PCR 15 after the certificates in these files, from zero, by other people's programs.
pcr15_of() {
	local v file
	v=$(printf '%064d' 0)
	for file; do
		v=$( (xxd -r -p <<<"$v" && sha256sum "$file" | cut -d' ' -f1 | xxd -r -p) | sha256sum | cut -d' ' -f1)
	done
	echo "$v"
}
pcr15() { tpm2_pcrread -T "$tcti" sha256:15 | awk '/15:/ { sub(/0x/, "", $2); print tolower($2) }'; }

@test "tls: made, measured, and there the next time" {
	need openssl xxd
	start_tpm
	configure
	run -0 --separate-stderr tls
	[ -z "$stderr" ]
	local digest
	digest=$(openssl x509 -in "$mem/cert.pem" -outform DER | sha256sum | cut -d' ' -f1)
	[ "$output" = "made	sha256:$digest	$mem/cert.pem" ]
	[ "$(pcr15)" = "$(pcr15_of "$mem/cert.pem")" ]
	[ "$(stat -c %a "$mem/key.pem")" = 400 ]
	[ "$(stat -c %a "$mem/cert.pem")" = 444 ]
	cmp <(openssl pkey -in "$mem/key.pem" -pubout) <(openssl x509 -in "$mem/cert.pem" -pubkey -noout)
	openssl verify -x509_strict -purpose sslserver -verify_ip 127.0.0.1 -verify_hostname localhost -partial_chain \
		-trusted "$mem/cert.pem" "$mem/cert.pem"
	cp -a "$mem" "$tmp/before"
	run -0 tls
	[ "$output" = "there	sha256:$digest	$mem/cert.pem" ]
	diff -r "$mem" "$tmp/before"
	[ "$(pcr15)" = "$(pcr15_of "$mem/cert.pem")" ]
	# Another one, on request: both are in the log, the last is in use.
	run -0 tls --renew
	[[ $output == "made	sha256:"* ]]
	[ "$(pcr15)" = "$(pcr15_of "$tmp/before/cert.pem" "$mem/cert.pem")" ]
	run -0 "$agent" log --config "$tmp/agent.yaml"
	[ "$(ls -A "$mem" | sort | tr '\n' ' ')" = "cert.pem key.pem " ]
}

@test "tls: what was not published is, without another event" {
	start_tpm
	configure
	tls
	cp "$mem/cert.pem" "$tmp/cert.pem"
	rm "$mem/cert.pem"
	mv "$mem/key.pem" "$mem/key.pem.new"
	run -0 tls
	[[ $output == "completed	sha256:"* ]]
	cmp "$mem/cert.pem" "$tmp/cert.pem"
	[ "$(pcr15)" = "$(pcr15_of "$mem/cert.pem")" ]
}

@test "tls: killed at any moment, the next start has one pair, measured" {
	need openssl xxd
	start_tpm
	local i
	for i in {1..40}; do
		[ "$((i % 8))" != 1 ] || {
			stop_tpm
			rm -rf "$tmp/state" "$tmp"/runtime.cel* "${mem:?}"/*
			start_tpm
			configure
		}
		rm -f "$mem/cert.pem"
		[ "$((i % 2))" = 0 ] || rm -f "$mem/key.pem"
		tls >"$tmp/out" 2>&1 &
		local pid=$!
		sleep "0.0$((RANDOM % 5))$((RANDOM % 10))"
		kill -9 "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
		run -0 tls
		cmp <(openssl pkey -in "$mem/key.pem" -pubout) <(openssl x509 -in "$mem/cert.pem" -pubkey -noout)
		python3 - "$tmp/runtime.cel" "$mem/cert.pem" "$(pcr15)" <<-'EOF'
			import hashlib, json, sys
			v = bytes(32)
			for line in open(sys.argv[1]).read().splitlines()[1:]:
			    last = json.loads(line)["content"]["certificate"]
			    v = hashlib.sha256(v + hashlib.sha256(last.encode()).digest()).digest()
			assert v.hex() == sys.argv[3], "PCR 15"
			assert last == open(sys.argv[2]).read(), "the last one is in use"
		EOF
	done
}

@test "tls: a disk is no place for a key" {
	case $(stat -f -c %T "$tmp") in tmpfs | ramfs) skip "the tests' folder is in memory" ;; esac
	start_tpm
	configure "$tmp"
	run -1 --separate-stderr tls
	[ -z "$output" ]
	[[ $stderr == "assay-agent tls: $tmp/key.pem: "*"tmpfs"* ]]
	[ ! -e "$tmp/key.pem" ]
	[ ! -e "$tmp/cert.pem" ]
	[ "$(pcr15)" = "$(printf '%064d' 0)" ]
	run -0 tls --allow-disk
	[ -e "$tmp/key.pem" ]
}

@test "tls: a key that others may have read, a log that the TPM does not have" {
	start_tpm
	configure
	tls
	chmod 444 "$mem/key.pem"
	run -1 --separate-stderr tls
	[[ $stderr == *"mode 0400"*"0444"* ]]
	run -0 tls --renew
	tpm2_pcrextend -T "$tcti" "15:sha256=$(printf '%064d' 1)"
	run -1 --separate-stderr tls
	[[ $stderr == *"PCR 15"* ]]
}

@test "tls: usage, names that are none" {
	run -2 "$agent" tls extra
	run -2 "$agent" tls --nope
	local days
	for days in 0 -1 36501 x 1x ''; do
		run -2 "$agent" tls --days "$days"
	done
	start_tpm
	configure
	sed -i 's/127.0.0.1\]/"a b"]/' "$tmp/agent.yaml"
	run -1 --separate-stderr tls
	[[ $stderr == *"'a b' is neither a DNS name nor an IP address"* ]]
	[ -z "$(ls -A "$mem")" ]
}
