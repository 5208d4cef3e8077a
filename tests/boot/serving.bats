#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The base image with an application disk, booted: it proves what it is to a client who holds its manifest, and answers
# for the application. Then one thing is changed at a time, on the machine or in the proof, and each is refused by name.
#
# DISK names another base image than this build's. One boot is the good one, four have something changed: kernel, command line, container, weights. What is changed in a
# proof is changed in a proof of the good boot.

bats_require_minimum_version 1.5.0

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.."
	load ../cli/common
	load ../cli/swtpm
	load serving
	need mmdebstrap mksquashfs veritysetup sfdisk qemu-system-x86_64 swtpm curl faketime tpm2_checkquote
	[ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null || skip "neither root nor sudo"
	[ -n "${DISK-}" ] || make --no-print-directory image >"$BATS_FILE_TMPDIR/image.log" 2>&1 || {
		tail -n 30 "$BATS_FILE_TMPDIR/image.log" >&2
		return 1
	}
	export dir=$PWD/build/boot/serving image=${DISK:-build/image/base.raw} assay=$PWD/build/assay
	rm -rf "$dir"
	mkdir -p "$dir"
	serving_application "$dir/app" && scripts/application-disk.sh "$dir/app" "$dir/app.raw" >"$dir/app.root" || return 1
	serving_tpm
	serving_manifest || return 1
	serving_start good "$image" "$dir/app.raw"
}

teardown_file() {
	cd "$BATS_TEST_DIRNAME/../.."
	load serving
	serving_stop
}

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	load ../cli/common
	load ../cli/swtpm
	load serving
	tmp=$BATS_TEST_TMPDIR
}

# verify PROOF ARGUMENT...: as a client does who trusts this TPM's CA.
verify() {
	run "$assay" verify "$1" --manifest "$dir/manifest.json" --key "$dir/key.pub.pem" --trust "$dir/trust" "${@:2}"
	echo "$output"
}

# refused WORDS...: exit 3, and the reasons (not what else is printed) have these words.
refused() {
	local word reasons
	[ "$status" -eq 3 ]
	reasons=$(grep '^REFUSED' <<<"$output")
	for word; do
		grep -qF -- "$word" <<<"$reasons"
	done
}

# fresh NAME FILE: a new nonce, and the proof of the machine NAME for it.
fresh() {
	nonce=$(openssl rand -hex 32)
	curl -ksf --max-time 120 -o "$2" "$(serving_url "$1")/.well-known/assay/proof?nonce=$nonce"
}

# extra NONCE CERTIFICATE: what a quote has as extraData, by openssl and coreutils.
extra() {
	printf '%s%s' "$1" "$(openssl x509 -outform der <<<"$2" | sha256sum | cut -c 1-64)" | xxd -r -p | sha256sum | cut -c 1-64
}

# changed FILTER: the good proof with this changed by jq, in $tmp/changed.json.
changed() {
	jq -c "$@" "$dir/good.json" >"$tmp/changed.json"
	run ! cmp -s "$tmp/changed.json" <(jq -c . "$dir/good.json")
}

@test "serving: the machine proves itself against the manifest of this build, and the application answers" {
	grep -a 'assay-' "$dir/good/serial.log"
	fresh good "$dir/good.json"
	echo "$nonce" >"$dir/good.nonce"
	verify "$dir/good.json" --nonce "$nonce"
	[ "$status" -eq 0 ]
	# What runs there: container and weights, by their digests.
	[[ $output == *"@local/application:1"* ]]
	[[ $output == *"$(sha256sum <"$dir/app/weights/layers/0.bin" | cut -c 1-64)"* ]]
	[[ $output == *"$(<"$dir/app.root")"* ]]
	# An answer over TLS with the certificate of that proof, for whoever has curl alone.
	jq -r .tls.certificate "$dir/good.json" >"$dir/tls.pem"
	run -0 curl -sf --max-time 60 --cacert "$dir/tls.pem" "$(serving_url good)/"
	[ "$output" = "the application answers" ]
}

@test "serving: assay connect verifies the machine, and gets the application's answer" {
	run -0 --separate-stderr "$assay" connect "$(serving_url good)" --get / --manifest "$dir/manifest.json" --key "$dir/key.pub.pem" \
		--trust "$dir/trust"
	[ "$output" = "the application answers" ]
}

@test "serving: tpm2_checkquote and openssl agree on quote, nonce and certificate" {
	cd "$tmp"
	jq -r .quote.message "$dir/good.json" | base64 -d >message
	jq -r .quote.signature "$dir/good.json" | base64 -d >signature
	jq -r '.ak.certificates[0]' "$dir/good.json" >ak.pem
	jq -r .tls.certificate "$dir/good.json" >tls.pem
	openssl verify -CAfile "$dir/tpm/ca/root.pem" -untrusted "$dir/tpm/ca/intermediate.pem" ak.pem
	openssl x509 -in ak.pem -noout -pubkey >ak.pub.pem
	# extraData: SHA-256 over the nonce and the digest of the certificate that the client sees
	openssl s_client -connect "localhost:$(<"$dir/good.port")" -servername localhost </dev/null 2>/dev/null | openssl x509 >seen.pem
	cmp <(openssl x509 -in tls.pem) seen.pem
	extra=$(extra "$(<"$dir/good.nonce")" "$(<seen.pem)")
	jq -r '.pcrs.sha256 | to_entries | sort_by(.key | tonumber)[].value' "$dir/good.json" | xxd -r -p >values
	tpm2_checkquote -u ak.pub.pem -m message -s signature -g sha256 -q "$extra"
	[[ $(xxd -p message | tr -d '\n') == *"$(sha256sum <values | cut -c 1-64)"* ]]
	[[ $(xxd -p message | tr -d '\n') == *"$extra"* ]]
}

@test "a man in the middle with a valid server of his own" {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost \
		-keyout "$tmp/key.pem" -out "$tmp/cert.pem" -days 1 2>/dev/null
	python3 tests/boot/middle.py "$tmp/cert.pem" "$tmp/key.pem" "$(<"$dir/good.port")" >"$tmp/port" 3>&- &
	middle=$!
	for ((i = 0; i < 100; i++)); do [ -s "$tmp/port" ] && break || sleep 0.1; done
	curl -sf --max-time 60 --cacert "$tmp/cert.pem" "https://localhost:$(<"$tmp/port")/" | grep 'the application answers'
	run "$assay" connect "https://localhost:$(<"$tmp/port")" --get / --manifest "$dir/manifest.json" --key "$dir/key.pub.pem" \
		--trust "$dir/trust"
	kill "$middle"
	echo "$output"
	refused tls-certificate
	[[ $output != *"the application answers"* ]]
	# In the proof: his certificate in the place of the machine's.
	changed --rawfile c "$tmp/cert.pem" '.tls.certificate = $c'
	verify "$tmp/changed.json" --nonce "$(<"$dir/good.nonce")"
	refused binding "this TLS certificate"
}

@test "an old proof, replayed" {
	verify "$dir/good.json" --nonce "$(openssl rand -hex 32)"
	refused "answers another nonce"
	# … and said to be of the nonce that the client asked with
	nonce=$(openssl rand -hex 32)
	changed --arg n "$nonce" '.nonce = $n'
	verify "$tmp/changed.json" --nonce "$nonce"
	refused "not made for this nonce"
}

@test "a quote of another TPM" {
	# A TPM of the same maker, asked for the same thing.
	tpm_with_ak azure "$tmp/other" --ca "$dir/tpm/ca"
	extra=$(extra "$(<"$dir/good.nonce")" "$(jq -r .tls.certificate "$dir/good.json")")
	tpm2_quote -T "$tcti" -c 0x81000003 -l sha256:0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15 -q "$extra" -m "$tmp/m" -s "$tmp/s" >/dev/null
	stop_tpm
	changed --arg m "$(base64 -w0 "$tmp/m")" --arg s "$(base64 -w0 "$tmp/s")" '.quote = {message: $m, signature: $s}'
	verify "$tmp/changed.json" --nonce "$(<"$dir/good.nonce")"
	refused signature:
	# With that TPM's own key and certificate, the values are not the quoted ones.
	changed --arg m "$(base64 -w0 "$tmp/m")" --arg s "$(base64 -w0 "$tmp/s")" --rawfile c "$tmp/other/ak.pem" \
		--arg p "$(base64 -w0 "$tmp/other/ak.pub")" '.quote = {message: $m, signature: $s} | .ak.public = $p | .ak.certificates = [$c]'
	verify "$tmp/changed.json" --nonce "$(<"$dir/good.nonce")"
	refused "the values are not those that were signed"
}

@test "a certificate of the attestation key by another CA" {
	ak_ca "$tmp/ca" "Other"
	ak_certificate "$tmp/ca" "$dir/tpm/ak.pubkey.pem" 2.23.133.8.3 '' "$tmp/ak.pem"
	changed --rawfile c "$tmp/ak.pem" --rawfile i "$tmp/ca/intermediate.pem" '.ak.certificates = [$c, $i]'
	verify "$tmp/changed.json" --nonce "$(<"$dir/good.nonce")"
	refused untrusted-key "Other CA"
}

@test "an event missing, in another order, or too many" {
	n=$(jq '.runtime_log | length' "$dir/good.json")
	[ "$n" -ge 8 ]
	first=$(jq '[.runtime_log[].pcr] | index(14)' "$dir/good.json")
	changed --argjson i "$first" 'del(.runtime_log[$i]) | .runtime_log |= [to_entries[] | .value + {recnum: .key}]'
	verify "$tmp/changed.json" --nonce "$(<"$dir/good.nonce")"
	refused runtime-value "PCR 14" "a record is missing"
	changed --argjson i "$first" '.runtime_log |= (.[$i:$i + 2] |= reverse) | .runtime_log |= [to_entries[] | .value + {recnum: .key}]'
	verify "$tmp/changed.json" --nonce "$(<"$dir/good.nonce")"
	refused runtime-value "PCR 14" "in each other's places"
	changed --argjson i "$first" '.runtime_log += [.runtime_log[$i]] | .runtime_log |= [to_entries[] | .value + {recnum: .key}]'
	verify "$tmp/changed.json" --nonce "$(<"$dir/good.nonce")"
	refused runtime-value "PCR 14" "were not measured"
	# What was not measured is not believed for its number, either.
	changed --argjson i "$first" 'del(.runtime_log[$i])'
	verify "$tmp/changed.json" --nonce "$(<"$dir/good.nonce")"
	refused malformed recnum
}

@test "a manifest that was rolled back" {
	run "$assay" verify "$dir/good.json" --manifest "$dir/older.json" --key "$dir/key.pub.pem" --trust "$dir/trust" \
		--nonce "$(<"$dir/good.nonce")"
	[ "$status" -eq 0 ]
	verify "$dir/good.json" --nonce "$(<"$dir/good.nonce")" --state "$tmp/state"
	[ "$status" -eq 0 ]
	run "$assay" verify "$dir/good.json" --manifest "$dir/older.json" --key "$dir/key.pub.pem" --trust "$dir/trust" \
		--nonce "$(<"$dir/good.nonce")" --state "$tmp/state"
	echo "$output"
	refused rolled-back "release 1 of base"
	serving_stop
}

# byte NAME OLD NEW: the image with OLD, which is first in its UKI, as NEW of the same length, in $tmp/NAME.raw.
byte() {
	local at
	cp --sparse=always --reflink=auto "$image" "$tmp/$1.raw"
	at=$(LC_ALL=C grep -aboF -m1 -- "$2" "$image" | head -n1)
	[ -n "$at" ]
	printf '%s' "$3" | dd of="$tmp/$1.raw" bs=1 seek="${at%%:*}" conv=notrunc status=none
	[ "$(cmp -l "$image" "$tmp/$1.raw" | wc -l)" -eq 1 ]
}

# proves NAME DISK DATA: boot it; its proof is right for its nonce, and refused.
proves() {
	serving_start "$@"
	fresh "$1" "$dir/$1.json"
	echo "$nonce" >"$dir/$1.nonce"
	serving_stop
	rm -f "$tmp/$1.raw"
	verify "$dir/$1.json" --nonce "$nonce"
}

@test "boot: another kernel" {
	byte kernel '#1 SMP PREEMPT_DYNAMIC' '#2 SMP PREEMPT_DYNAMIC'
	proves kernel "$tmp/kernel.raw" "$dir/app.raw"
	refused "another kernel: PCR 4" "its kernel (.linux) differs; .osrel, .cmdline, .initrd"
}

@test "boot: another command line" {
	byte cmdline 'quiet panic=-1' 'quiet panic=-2'
	proves cmdline "$tmp/cmdline.raw" "$dir/app.raw"
	refused "another command line: PCR 4" "its command line (.cmdline) differs; .linux, .osrel, .initrd"
}

@test "boot: another container" {
	cp -r "$dir/app" "$tmp/app"
	rm "$tmp/app/container_measurements.json"
	serving_application "$tmp/app" two
	root=$(scripts/application-disk.sh "$tmp/app" "$tmp/app.raw")
	proves container "$image" "$tmp/app.raw"
	was=$(jq -r '."@local/application:1"' "$dir/app/container_measurements.json")
	is=$(jq -r '."@local/application:1"' "$tmp/app/container_measurements.json")
	refused "a disk with root hash $root" "container @local/application:1 is $is, in the manifest it is $was"
	# Whoever takes any disk is told of the container all the same.
	verify "$dir/container.json" --nonce "$nonce" --expect "root_hash=$root"
	refused "container @local/application:1 is $is, in the manifest it is $was"
}

@test "boot: another byte of the weights" {
	cp -r "$dir/app" "$tmp/app"
	printf x | dd of="$tmp/app/weights/layers/0.bin" bs=1 seek=1000 conv=notrunc status=none
	root=$(scripts/application-disk.sh "$tmp/app" "$tmp/app.raw")
	proves weights "$image" "$tmp/app.raw"
	refused "a disk with root hash $root"
	# Whoever takes any disk, but these weights alone:
	was=$(sha256sum <"$dir/app/weights/layers/0.bin" | cut -c 1-64)
	is=$(sha256sum <"$tmp/app/weights/layers/0.bin" | cut -c 1-64)
	verify "$dir/weights.json" --nonce "$nonce" --expect "root_hash=$root" \
		--expect "weights:/application/weights/layers/0.bin=sha256:$was"
	refused expectation "/application/weights/layers/0.bin" "$is" "$was"
}
