#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# assay-agent measure and log against a software TPM. tpm2_pcrread reads the same TPM, a Python script replays the log.

bats_require_minimum_version 1.5.0

setup() {
	load common
	load swtpm
	cd "$BATS_TEST_DIRNAME/../.."
	tmp=$BATS_TEST_TMPDIR
	load measure
}

teardown() {
	agent_teardown
}

@test "measure: one event of each kind, and the TPM has each once" {
	start_tpm
	configure 'containers: container_measurements.json'
	mkdir -p "$tmp/code/sub" "$tmp/weights"
	echo one >"$tmp/code/b"
	echo two >"$tmp/code/sub/a"
	echo three >"$tmp/code/B"
	seq 100000 >"$tmp/weights/model"
	: >"$tmp/weights/empty"
	printf '{"learning_rate": 2.0e-4,\n "big": 123456789012345678901}\n' >"$tmp/request.json"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$tmp/key.pem" -subj /CN=localhost \
		-out "$tmp/cert.pem" 2>/dev/null
	root=$(openssl rand -hex 32)

	sed -i 's/container_measurements.json/\/nonexistent/' "$config"
	run -1 measure container a b
	[[ $output == *"/nonexistent"* ]]
	configure "containers: $PWD/container_measurements.json"

	[ "$(measure disk "$root")" = "PCR 15	application disk, root hash $root" ]
	measure request "$tmp/request.json"
	id=$(jq -r '."@local/caddy:1"' container_measurements.json)
	measure container @local/caddy:1 "$id"
	measure containers
	measure code "$tmp/code"
	measure weights "$tmp/weights/" "$tmp/code/b"
	measure input --type dataset --repo https://host.example/d --commit 036fa4651240b9a1487f709833b9e4b96b4c1574 "$tmp/code"
	measure input --type model "$tmp/weights/model"
	measure configuration "$tmp/request.json"
	measure configuration
	measure outputs "$tmp/code" "$tmp/weights/model"
	measure timing 12.5
	measure compute 1.5e+17
	measure certificate "$tmp/cert.pem"
	measure sentinel
	agree

	# What the events say, by other people's tools.
	"$replay" "$log" --events >"$tmp/events"
	[ "$(head -1 "$tmp/events")" = "$root" ]
	tree=$(cd "$tmp/code" && find . -type f -printf '%P\n' | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -d' ' -f1)
	model=$(sha256sum "$tmp/weights/model" | cut -d' ' -f1)
	of() { sed -n 's/^\({.*}\)$/\1/p' "$tmp/events" | jq -rc "select(.event_type == \"$1\") | .content"; }
	[ "$(of server_code)" = "{\"resolved\":{\"files\":3,\"hash\":\"sha256:$tree\"},\"spec\":{\"path\":\"$tmp/code\"}}" ]
	[ "$(of weights_file | jq -r 'select(.spec.path | endswith("model")).resolved | .hash, .size' | paste -sd' ')" = "sha256:$model $(stat -c %s "$tmp/weights/model")" ]
	[ "$(of weights_file | wc -l)" = 3 ]
	[ "$(of weights_tree | jq -r .spec.path)" = "$tmp/weights" ]
	[ "$(of weights_tree | jq -r .resolved.hash)" = "sha256:$(cd "$tmp/weights" && sha256sum empty model | sha256sum | cut -d' ' -f1)" ]
	[ "$(of input_resource | head -1 | jq -c '.spec.resource_proto')" = \
		"{\"hash\":\"036fa4651240b9a1487f709833b9e4b96b4c1574\",\"path\":\"$tmp/code\",\"repo\":\"https://host.example/d\",\"resource_type\":\"dataset\"}" ]
	[ "$(of input_resource | head -1 | jq -r .resolved.hash)" = "sha256:$tree" ]
	[ "$(of configuration | jq -r .resolved.hash)" = "$(sha256sum "$tmp/request.json" "$config" | sed 's/^\([^ ]*\) .*/sha256:\1/')" ]
	[ "$(of outputs | jq -r '.[] | .resolved.hash' | paste -sd' ')" = "sha256:$tree sha256:$model" ]
	[ "$(of timing)" = '{"finetune_time":12.5}' ]
	grep -qF '"total_flos":1.5e+17' "$tmp/events"
	[ "$(of input_image | wc -l)" = "$(($(jq length container_measurements.json) + 1))" ]
	# The request stands in its event as the job wrote it.
	python3 - "$log" "$tmp/request.json" <<-'EOF'
		import json, sys
		texts = [list(json.loads(l)["content"].values())[0] for l in open(sys.argv[1]).read().splitlines()[1:]]
		assert any(open(sys.argv[2]).read().strip() in t for t in texts)
	EOF

	# The log in words, and as JSON.
	run -0 "$agent" log --config "$config"
	[ "${lines[-1]}" = "The TPM agrees." ]
	[ "${lines[0]}" = "0	PCR 15	application disk, root hash $root" ]
	[[ $output == *"PCR 15	TLS certificate, fingerprint sha256:$(openssl x509 -in "$tmp/cert.pem" -outform der | sha256sum | cut -d' ' -f1)"* ]]
	[ "$("$agent" log --config "$config" --json | jq -r '.state, (.events | length)' | paste -sd' ')" = "replays $(($(wc -l <"$log") - 1))" ]
}

@test "measure: what is refused, and leaves the log and the TPM as they are" {
	start_tpm
	configure "containers: $PWD/container_measurements.json"
	echo text >"$tmp/text"
	echo '[1]' >"$tmp/array.json"
	echo '{},"event_type":"timing","x":{}' >"$tmp/trick.json"
	mkdir "$tmp/links"
	ln -s text "$tmp/links/a"
	mkdir "$tmp/pipe"
	mkfifo "$tmp/pipe/p"
	mkdir "$tmp/name"
	: >"$tmp/name/"$'new\nline'
	measure timing 1
	cp "$log" "$tmp/before"
	refused() {
		local status=$1 words=$2
		shift 2
		run "-$status" --separate-stderr measure "$@"
		[ -z "$output" ]
		[ "${#stderr_lines[@]}" -le 2 ]
		[[ $stderr == *"$words"* ]] || { echo "$stderr"; false; }
	}
	refused 1 'upper case' disk "$(printf 'A%.0s' {1..64})"
	refused 1 'root hash of zeros' disk "$(printf '0%.0s' {1..64})"
	refused 1 'not the hex' disk abc
	refused 1 'container @local/other:1 is not in the list' container @local/other:1 sha256:00
	refused 3 'container @local/caddy:1 is to be sha256:' container @local/caddy:1 "sha256:$(printf '0%.0s' {1..64})"
	refused 1 'a symbolic link is refused' code "$tmp/links"
	refused 1 'a special file is refused' weights "$tmp/pipe"
	refused 1 'control character' weights "$tmp/name"
	refused 1 'not a folder' code "$tmp/text"
	refused 1 'No such file' outputs "$tmp/text" "$tmp/nonexistent"
	refused 1 'JSON object' request "$tmp/array.json"
	refused 1 'JSON' request "$tmp/trick.json"
	refused 1 'certificate' certificate "$tmp/text"
	refused 2 'no number' timing soon
	refused 2 'no number' timing -- -1
	refused 2 'no number' compute 1e
	refused 2 '40 hex digits' input --type t --commit 12 "$tmp/text"
	refused 2 '--type is missing' input "$tmp/text"
	refused 1 'device-mapper name' disk --dm "$(printf 'n%.0s' {1..200})"
	cmp "$tmp/before" "$log"
	agree
	measure sentinel
	refused 1 'one sentinel' sentinel
	refused 1 'no disk follows the sentinel' disk "$(openssl rand -hex 32)"
	agree
}

@test "measure: fs-verity digests, as fsverity-utils has them" {
	need fsverity
	start_tpm
	configure
	mkdir "$tmp/w"
	local n
	for n in 0 1 4095 4096 4097 65536 65537 524287 524288 524289 67108865; do
		head -c "$n" /dev/urandom >"$tmp/w/$n"
	done
	measure weights --fsverity "$tmp/w"
	agree
	"$replay" "$log" --events | jq -r 'select(.event_type == "weights_file") | .resolved // .content | "\(.resolved.fsverity) \(.spec.path)"' | sort >"$tmp/ours"
	fsverity digest "$tmp"/w/* | sort >"$tmp/theirs"
	diff "$tmp/theirs" "$tmp/ours"
	tree=$(cd "$tmp/w" && find . -type f -printf '%P\n' | LC_ALL=C sort | while read -r f; do
		fsverity digest --compact "$f" | sed "s,\$,  $f,"; done | sha256sum | cut -d' ' -f1)
	[ "$("$replay" "$log" --events | jq -r 'select(.event_type == "weights_tree").content.resolved.fsverity')" = "sha256:$tree" ]
}

@test "measure: what the kernel says: fs-verity's digests, dm-verity's root hash" {
	need cc
	cc -shared -fPIC -O1 -w -o "$tmp/kernel.so" tests/fixtures/kernel.c -ldl -lcrypto
	start_tpm
	configure
	local root digest
	root=$(openssl rand -hex 32)
	seq 10000 >"$tmp/model"
	in_kernel() { env LD_PRELOAD="$tmp/kernel.so" "$@"; }
	# The file's own root is another: what comes out is the kernel's.
	digest=$(python3 - "$root" "$(stat -c %s "$tmp/model")" <<-'EOF'
		import hashlib, struct, sys
		d = bytes([1, 1, 12, 0]) + bytes(4) + struct.pack("<Q", int(sys.argv[2])) + bytes.fromhex(sys.argv[1]) + bytes(32 + 32 + 144)
		print(hashlib.sha256(d).hexdigest())
	EOF
	)
	run -0 in_kernel env VERITY_ROOT="$root" "$agent" measure weights --config "$config" --fsverity "$tmp/model"
	[[ $output == *"fs-verity sha256:$digest" ]]
	# One that was made with a salt: nobody who has the file would come to its digest.
	measure weights --fsverity "$tmp/model" >"$tmp/computed"
	in_kernel env VERITY_ROOT="$root" VERITY_SALT=1 "$agent" measure weights --config "$config" --fsverity "$tmp/model" | diff "$tmp/computed" -

	local table="1 254:0 254:1 4096 4096 262144 1 sha256 $root 1234"
	run -0 in_kernel env DM_TABLE="$table" "$agent" measure disk --config "$config" --dm application
	[[ $output == *"root hash $root" ]]
	run -1 in_kernel env DM_TABLE="$table" "$agent" measure disk --config "$config" --dm other
	[[ $output == *"no such device"* ]]
	run -1 in_kernel env DM_TABLE="$table" DM_TARGET=linear "$agent" measure disk --config "$config" --dm application
	[[ $output == *"not one of dm-verity"* ]]
	run -1 in_kernel env DM_TABLE="$table 1 ignore_corruption" "$agent" measure disk --config "$config" --dm application
	[[ $output == *"ignore corruption"* ]]
	agree
	[ "$(wc -l <"$log")" = 5 ]
}

@test "log: a PCR of the plan that is not zero at the start, and who it was" {
	start_tpm
	configure
	tpm2_pcrextend -T "$tcti" "8:sha256=$(printf '%064d' 7)"
	run -1 measure timing 1
	[[ $output == *"sha256 PCR 8 is not zero, and the log has no event in it"*"GRUB"* ]]
	[ ! -e "$log" ]
	# Another PCR, in the same file, is another's name.
	configure 'pcrs: {output: 9, timing: 9, compute: 9}'
	measure timing 1
	tpm2_pcrextend -T "$tcti" "14:sha1=$(printf '%040d' 7)"
	run -1 measure timing 2
	[[ $output == *"sha1 PCR 14 is not zero"*"shim"* ]]
	run -3 "$agent" log --config "$config"
	[[ $output == *"sha1 PCR 14 is not zero"* ]]
}

@test "log: extended by somebody else, gone, of other banks, cut, changed: refused with the reason" {
	start_tpm
	configure
	measure timing 1
	measure timing 2
	cp "$log" "$tmp/good"
	refused() {
		run -1 measure timing 3
		[[ $output == *"$1"* ]] || { echo "$output"; false; }
		cp "$tmp/good" "$log"
	}
	# Two events more than the TPM has; one of them it would complete.
	python3 - "$log" <<-'EOF'
		import json, sys
		lines = open(sys.argv[1]).read().splitlines()
		for n in 2, 3:
		    r = json.loads(lines[-1]); r["recnum"] = n; lines.append(json.dumps(r))
		open(sys.argv[1], "w").write("\n".join(lines) + "\n")
	EOF
	refused "sha1 PCR 8: the log gives "
	head -2 "$tmp/good" >"$log"
	refused "sha1 PCR 8: the log gives "
	head -1 "$tmp/good" >"$log"
	refused "sha1 PCR 8 is not zero"
	: >"$log"
	refused "no header of assay.runtime-log/1"
	sed -i '1s/runtime-log/something/' "$log"
	refused "line 1: no header"
	sed -i '2s/finetune_time/finetune_tame/' "$log"
	refused "line 2: record 0: the sha1 digest is not that of the content"
	sed -i '2d' "$log"
	refused "line 2: record 0: recnum is not 0"
	sed -i '3s/^{/{x/' "$log"
	refused "line 3: "
	sed -i 's/{"digest":"[0-9a-f]*","hashAlg":"sha512"}/X/; s/,X//' "$log"
	refused "the TPM has other banks than the log"
	rm "$log"
	refused "or the log of this boot is gone"
	ln -sf "$tmp/good" "$tmp/link" && rm "$log" && mv "$tmp/link" "$log"
	run -1 measure timing 3
	[[ $output == *"cannot open"* ]]
	rm "$log" && cp "$tmp/good" "$log"
	measure timing 3
	agree
	tpm2_pcrextend -T "$tcti" "8:sha256=$(printf '%064d' 7)"
	refused "sha256 PCR 8: the log gives "
}

@test "log: a torn last line is cut off, one that was not extended is completed" {
	start_tpm
	configure
	measure timing 1
	local n len
	cp "$log" "$tmp/one"
	# The line of a second event, as it would be written, and the log as if it had been cut at each byte of it.
	cp "$log" "$tmp/two"
	python3 - "$tmp/two" <<-'EOF'
		import hashlib, json, sys
		line = open(sys.argv[1]).read().splitlines()[-1]
		r = json.loads(line); r["recnum"] = 1
		r["content"]["event"] = r["content"]["event"].replace(":1}", ":2}")
		for d in r["digests"]: d["digest"] = hashlib.new(d["hashAlg"], r["content"]["event"].encode()).hexdigest()
		open(sys.argv[1], "a").write(json.dumps(r) + "\n")
	EOF
	len=$(($(stat -c %s "$tmp/two") - $(stat -c %s "$tmp/one")))
	for ((n = 1; n < len; n += 41)); do
		head -c $(($(stat -c %s "$tmp/one") + n)) "$tmp/two" >"$log"
		run -0 "$agent" log --config "$config"
		[ "${lines[-1]}" = "The TPM agrees." ]
		run -1 measure certificate /dev/null # nothing is opened
		[ "$(stat -c %s "$log")" = $(($(stat -c %s "$tmp/one") + n)) ]
	done
	measure timing 3
	agree
	[ "$(wc -l <"$log")" = 3 ]
	# Whole, and not extended.
	python3 - "$log" <<-'EOF'
		import hashlib, json, sys
		line = open(sys.argv[1]).read().splitlines()[-1]
		r = json.loads(line); r["recnum"] = 2
		open(sys.argv[1], "a").write(json.dumps(r) + "\n")
	EOF
	run -0 "$agent" log --config "$config"
	[[ ${lines[-1]} == *"but for the last event"* ]]
	run agree
	[ "$status" -ne 0 ]
	measure timing 4
	agree
	[ "$(wc -l <"$log")" = 5 ]
}

@test "log: of an earlier boot: refused by name, set aside, begun anew" {
	start_tpm
	configure
	measure timing 1
	run -1 "$agent" log --config "$config" --set-aside
	[[ $output == *"it is of this boot"* ]]
	stop_tpm
	start_tpm
	run -1 measure timing 2
	[[ $output == *"of an earlier boot (resetCount "*"--set-aside"* ]]
	run -3 "$agent" log --config "$config"
	[[ $output == *"of an earlier boot"* ]]
	[ "$("$agent" log --config "$config" --json 2>/dev/null | jq -r .state)" = "earlier boot" ]
	[ "$("$agent" log --config "$config" --set-aside)" = "$log.1" ]
	run -1 "$agent" log --config "$config"
	[[ $output == *"there is no log"* ]]
	measure timing 2
	agree
	stop_tpm
	start_tpm
	[ "$("$agent" log --config "$config" --set-aside)" = "$log.2" ]
	measure timing 3
	agree
}

@test "log: a TPM that was suspended and resumed: the log goes on; one that was restarted: it does not" {
	start_tpm
	configure
	measure timing 1
	# Startup(STATE) after Shutdown(STATE): restartCount is one more, PCRs are kept.
	tpm2_shutdown -T "$tcti"
	stop_tpm
	eval "$(declare -f start_tpm | sed 's/startup-clear/startup-state/')"
	start_tpm
	measure timing 2
	agree
	[ "$(wc -l <"$log")" = 3 ]
	# Startup(CLEAR) after Shutdown(STATE): the same counts, and the PCRs are lost.
	tpm2_shutdown -T "$tcti"
	stop_tpm
	eval "$(declare -f start_tpm | sed 's/startup-state/startup-clear/')"
	start_tpm
	run -1 measure timing 3
	[[ $output == *"of an earlier boot"* ]]
	"$agent" log --config "$config" --set-aside
	measure timing 3
	agree
}

@test "log: sixty agents at once, all events there once" {
	start_tpm
	configure
	local i pids=() readers=()
	for i in $(seq 1 20); do
		measure timing "1$i.5" >/dev/null 2>"$tmp/err.$i" 3>&- &
		pids+=($!)
		measure compute "1$i" >/dev/null 3>&- &
		pids+=($!)
		"$agent" log --config "$config" >/dev/null 2>&1 3>&- &
		readers+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i"
	done
	for i in "${readers[@]}"; do
		wait "$i" || [ $? -eq 1 ] # there was no log yet
	done
	agree
	[ "$(wc -l <"$log")" = 41 ]
	[ "$("$replay" "$log" --events | sort -u | wc -l)" = 40 ]
}

@test "log: the lock is held by another: a clear error, after a while" {
	start_tpm
	configure
	measure timing 1
	flock "$log.lock" sleep 60 3>&- &
	local holder=$!
	sleep 0.3
	run -1 timeout 50 "$agent" measure timing --config "$config" 2
	pkill -P "$holder" sleep || true
	kill "$holder" 2>/dev/null || true
	[[ $output == *"runtime.cel.lock: another agent has held it for 30 seconds"* ]]
	measure timing 3
	agree
}

@test "measure: usage" {
	local verb
	for verb in disk sentinel container containers code weights input configuration outputs request timing compute certificate; do
		run -0 "$agent" measure "$verb" --help
		[[ $output == "Usage: assay-agent measure $verb "* ]]
		run -2 "$agent" measure "$verb" --nope
		run -2 "$agent" measure "$verb" a b c d e --config
	done
	run -2 "$agent" measure
	run -2 "$agent" measure nothing
	run -2 "$agent" log --json --set-aside
	run -1 "$agent" measure sentinel --config "$tmp/nonexistent"
	[[ $output == *"$tmp/nonexistent"* ]]
}
