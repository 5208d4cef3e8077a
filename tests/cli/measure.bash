# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2119,SC2120 # $tmp and $tcti come from elsewhere; lines of configuration may too
#
# The agent measuring into a software TPM: what measure.bats and measure_crash.bats share. Loaded after common.bash and
# swtpm.bash; the caller's folder is the repository's top.

agent=$PWD/build/assay-agent
replay=$PWD/tests/fixtures/cel-replay.py
proxy=$PWD/tests/fixtures/tpm-proxy.py
shim=$PWD/tests/fixtures/dies.c
log=$tmp/run/runtime.cel
config=$tmp/agent.yaml
proxy_pid=''
export TSS2_LOG=all+none

agent_teardown() {
	stop_tpm
	[ -z "$proxy_pid" ] || kill "$proxy_pid" 2>/dev/null || true
}

# configure [LINE]...: the agent's, for the TPM at $tcti
configure() {
	printf '%s\n' 'schema: assay.agent/1' "tpm: {tcti: \"$tcti\"}" "log: $log" "$@" >"$config"
}

measure() {
	"$agent" measure "$1" --config "$config" "${@:2}"
}

# What tpm2-tools read of the PCRs of the plan, as lines BANK INDEX HEX, without zeros.
of_tools() {
	local bank
	for bank in sha1 sha256 sha384 sha512; do
		tpm2_pcrread -T "${1:-$tcti}" "$bank:8,14,15" | awk -v b="$bank" \
			'/: 0x/ { sub(/^ */, ""); sub(/ *: 0x/, " "); print b, $1, tolower($2) }'
	done | grep -v ' 0*$' | sort
}

# The log replays to what the TPM has: each event once, in each bank.
agree() {
	"$replay" "$log" | sort >"$tmp/replayed"
	of_tools "$@" >"$tmp/read"
	diff "$tmp/replayed" "$tmp/read"
}

build_shim() {
	need cc
	cc -shared -fPIC -O1 -w -o "$tmp/dies.so" "$shim" -ldl
}

# dying N EVENT [VAR=VALUE]...: measures EVENT and ends at the Nth call
dying() {
	env LD_PRELOAD="$tmp/dies.so" DIES_AT="$1" "${@:3}" "$agent" measure timing --config "$config" "$2" >/dev/null 2>&1
}

# start_proxy CODE...: the agent talks to it; it answers TPM2_PCR_Extend with these
start_proxy() {
	[ -z "$proxy_pid" ] || kill "$proxy_pid" 2>/dev/null || true
	rm -f "$tmp/proxy.sock"
	ln -sf "$tmp/tpm.sock.ctrl" "$tmp/proxy.sock.ctrl"
	python3 "$proxy" "$tmp/proxy.sock" "$tmp/tpm.sock" 182 "$@" 3>&- &
	proxy_pid=$!
	local i
	for ((i = 0; i < 100; i++)); do
		[ ! -S "$tmp/proxy.sock" ] || break
		sleep 0.05
	done
	configure
	sed -i "s,path=[^\"]*,path=$tmp/proxy.sock," "$config"
}
