#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The main job on the base image: what `make golden` predicts for the reference machine is what `make boot` finds there.

bats_require_minimum_version 1.5.0

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.."
	command -v mmdebstrap >/dev/null || skip "mmdebstrap is missing"
	[ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null || skip "neither root nor sudo"
	export GOLDEN=build/golden-test
	# No older boot may stand in for this one: what it leaves is missing, or it is its own.
	rm -rf "$GOLDEN" build/boot-run
	make --no-print-directory image >build/golden-test.image.log 2>&1 || {
		tail -n 30 build/golden-test.image.log >&2
		return 1
	}
	scripts/golden.sh >build/golden-test.table 2>build/golden-test.log || {
		cat build/golden-test.log >&2
		return 1
	}
}

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	manifest=$GOLDEN/base/1/manifest.dsse.json
	prediction=$BATS_TEST_TMPDIR/prediction.json
	build/assay manifest show --statement "$manifest" | jq '.predicate.predictions[0]' >"$prediction"
	platform=$(jq -r .platform.name "$prediction")
}

@test "golden: one table of 16 PCRs, each with its value, what it covers and where it comes from" {
	cat build/golden-test.table
	[ "$(grep -cE '^ *([0-9]|1[0-5])  [0-9a-f]{64}  ' build/golden-test.table)" -eq 16 ]
	grep -qE '^  4 .*\\EFI\\BOOT\\BOOTX64.EFI' build/golden-test.table
	[ "$(find "$GOLDEN" -type f -printf '%P\n' | sort)" = "base/1/manifest.dsse.json
base/1/$platform.yaml" ]
	# The image's own digest is that of the file (sha256sum).
	[ "$(jq -r .image.digest.sha256 "$prediction")" = "$(sha256sum build/image/base.raw | cut -d' ' -f1)" ]
	[ "$(jq -r '.banks | keys | join(",")' "$prediction")" = sha1,sha256,sha384 ]
}

@test "golden: PCR 11 of the base image is systemd-measure's, after each phase" {
	uki=$BATS_TEST_TMPDIR/uki.efi
	build/assay cat -o "$uki" build/image/base.raw /EFI/BOOT/BOOTX64.EFI
	args=()
	for s in linux osrel cmdline initrd splash dtb uname sbat pcrpkey; do
		objcopy -O binary --only-section=.$s "$uki" "$BATS_TEST_TMPDIR/$s" 2>/dev/null || continue
		[ ! -s "$BATS_TEST_TMPDIR/$s" ] || args+=("--$s=$BATS_TEST_TMPDIR/$s")
	done
	scripts/trixie-tool.sh systemd-measure calculate "${args[@]}" --bank=sha1 --bank=sha256 --bank=sha384 --json=short \
		>"$BATS_TEST_TMPDIR/measure.json"
	jq -S '[to_entries[] | .key as $b | .value[] | {bank: $b, phase, hash}] | sort_by(.bank, .phase)' \
		"$BATS_TEST_TMPDIR/measure.json" >"$BATS_TEST_TMPDIR/theirs"
	jq -S '[.phases[] | select(.phase | test("shutdown") | not) | .phase as $p | .pcr11 | to_entries[]
		| {bank: .key, phase: $p, hash: .value}] | sort_by(.bank, .phase)' "$prediction" \
		>"$BATS_TEST_TMPDIR/ours"
	[ "$(jq length "$BATS_TEST_TMPDIR/theirs")" -eq 12 ]
	diff "$BATS_TEST_TMPDIR/ours" "$BATS_TEST_TMPDIR/theirs"
}

@test "golden: the base image verifies as veritysetup has it, and does not with a bit flipped: the file is named" {
	load ../cli/verity
	disk=$BATS_TEST_TMPDIR/disk
	part() { # NUMBER FIELD: of sfdisk, in bytes
		sfdisk -J "$disk" | jq ".partitiontable.partitions[$1 - 1].$2 * 512"
	}
	cp --sparse=always --reflink=auto build/image/base.raw "$disk"
	build/assay verity --json "$disk" >"$BATS_TEST_TMPDIR/verity"
	[ "$(jq -c '.[] | [.usage, .verified, .source]' "$BATS_TEST_TMPDIR/verity")" = '["root",true,"/EFI/BOOT/BOOTX64.EFI"]' ]
	read -r data tree size root < <(jq -r '.[0] | "\(.partition) \(.hash_partition) \(.data_block_size) \(.root_hash)"' \
		"$BATS_TEST_TMPDIR/verity")
	for n in "$data" "$tree"; do
		dd if="$disk" of="$BATS_TEST_TMPDIR/part$n" iflag=skip_bytes,count_bytes bs=1M conv=sparse status=none \
			skip="$(part "$n" start)" count="$(part "$n" size)"
	done
	veritysetup verify "$BATS_TEST_TMPDIR/part$data" "$BATS_TEST_TMPDIR/part$tree" "$root"
	verity_flip "$disk" $(($(part "$data" start) + 4000000))
	run -3 --separate-stderr build/assay verity --json "$disk"
	[ "$(jq -c '.[0].faults | map([.level, .block])' <<<"$output")" = "[[0,$((4000000 / size))]]" ]
	[[ $(jq -r '.[0].faults[0] | .path // .what' <<<"$output") == ?* ]]
}

@test "golden: signed by the key for trying out, which others cannot read; the profile is the manifest's own" {
	[ "$(stat -c %a build/keys/try-out.pem)" = 600 ]
	build/assay manifest verify "$manifest" --key build/keys/try-out.pub.pem --name base
	# openssl, over the same bytes.
	jq -j '"DSSEv1 \(.payloadType | length) \(.payloadType) "' "$manifest" >"$BATS_TEST_TMPDIR/signed"
	jq -r .payload "$manifest" | base64 -d >"$BATS_TEST_TMPDIR/payload"
	printf '%s ' "$(stat -c %s "$BATS_TEST_TMPDIR/payload")" | cat - "$BATS_TEST_TMPDIR/payload" >>"$BATS_TEST_TMPDIR/signed"
	jq -r '.signatures[0].sig' "$manifest" | base64 -d >"$BATS_TEST_TMPDIR/sig"
	openssl dgst -sha256 -verify build/keys/try-out.pub.pem -signature "$BATS_TEST_TMPDIR/sig" "$BATS_TEST_TMPDIR/signed"
	jq -r '.predicate.inputs[] | select(.kind == "platform").digest.sha256' "$BATS_TEST_TMPDIR/payload" >"$BATS_TEST_TMPDIR/digest"
	[ "$(sha256sum <"$GOLDEN/base/1/$platform.yaml")" = "$(cat "$BATS_TEST_TMPDIR/digest")  -" ]
}

@test "golden: what is published stays: the same again changes nothing, the number with other content is refused, or is the next" {
	before=$(sha256sum "$manifest")
	profile=$GOLDEN/base/1/$platform.yaml
	PLATFORM=$profile run scripts/golden.sh
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$(sha256sum "$manifest")" = "$before" ]
	PLATFORM=$profile RELEASE=1 EXPIRES=+3d run scripts/golden.sh
	echo "$output"
	[ "$status" -eq 1 ]
	[[ $output == *"release 1 of base is published and says something else"* ]]
	[ "$(sha256sum "$manifest")" = "$before" ]
	[ "$(find "$GOLDEN" -mindepth 2 -maxdepth 2)" = "$GOLDEN/base/1" ]
	# Another key adds its signature, once.
	openssl genpkey -algorithm ed25519 -out "$BATS_TEST_TMPDIR/second.pem"
	openssl pkey -in "$BATS_TEST_TMPDIR/second.pem" -pubout -out "$BATS_TEST_TMPDIR/second.pub.pem"
	cp -r "$GOLDEN" "$BATS_TEST_TMPDIR/golden"
	export GOLDEN=$BATS_TEST_TMPDIR/golden
	for n in 1 2; do
		PLATFORM=$profile KEY=$BATS_TEST_TMPDIR/second.pem run scripts/golden.sh
		echo "$output"
		[ "$status" -eq 0 ]
		[ "$(jq '.signatures | length' "$GOLDEN/base/1/manifest.dsse.json")" -eq 2 ]
	done
	build/assay manifest verify "$GOLDEN/base/1/manifest.dsse.json" --threshold 2 \
		--key build/keys/try-out.pub.pem --key "$BATS_TEST_TMPDIR/second.pub.pem"
	PLATFORM=$profile EXPIRES=+3d run scripts/golden.sh
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"published: $GOLDEN/base/2/manifest.dsse.json" ]]
	# A profile that is not the manifest's is not published with it, and nothing half is left.
	build/assay manifest create build/image/base.raw --platform "$profile" --name base --release 3 --not-before 2026-11-22 \
		-o "$BATS_TEST_TMPDIR/three.json"
	run scripts/publish.sh --golden "$GOLDEN" --key "$BATS_TEST_TMPDIR/second.pem" "$BATS_TEST_TMPDIR/three.json" \
		golden/platforms/gcp.yaml
	echo "$output"
	[ "$status" -eq 1 ]
	[[ $output == *"is not among the files given"* ]]
	[ "$(find "$GOLDEN/base" -mindepth 1 -maxdepth 1 | sort | tr '\n' ' ')" = "$GOLDEN/base/1 $GOLDEN/base/2 " ]
}

@test "boot: the base image's PCRs 0-15 in three banks are the predicted ones" {
	run scripts/boot.sh
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "$output" == *"48 compared: 48 equal, 0 different; 0 not given, 0 not predicted"* ]]
	# The TPM's own values, asked of it after the machine had stopped, are what the guest reported.
	diff <(grep -E '^sha(1|256|384) ([0-9]|1[0-5]) ' build/boot-run/pcrs | tr A-F a-f | sort) \
		<(grep -E '^sha(1|256|384) ([0-9]|1[0-5]) ' build/boot-run/vm/pcrs | tr A-F a-f | sort)
}

@test "boot: each container's ID was checked before the report, and Caddy answers for assay-server" {
	log=build/boot-run/vm/serial.log
	[ -s "$log" ]
	grep -a '^.*assay-' "$log"
	while read -r key id; do
		name=${key#@local/}
		grep -aqF "assay-containers: ${name%:*}.tar: $key $id, as listed" "$log"
	done < <(jq -r 'to_entries[] | "\(.key) \(.value)"' build/containers/container_measurements.json)
	[ "$(grep -ac ', as listed' "$log")" -eq 3 ]
	[ "$(grep -aoE 'all as listed|https://localhost/container_measurements.json is what|REPORT BEGIN' "$log" | tr '\n' ' ')" = \
		"all as listed https://localhost/container_measurements.json is what REPORT BEGIN " ]
}

@test "boot: the guest's event log leads to the prediction too" {
	[ -s build/boot-run/eventlog ]
	run build/assay compare "$manifest" --log build/boot-run/eventlog
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "$output" == *"45 compared: 45 equal, 0 different; 3 not given, 0 not predicted"* ]]
}

@test "boot: systemd-pcrlock knows every event of that log by the exported components, and predicts our values" {
	[ -s build/boot-run/eventlog ]
	scripts/trixie-tool.sh systemd-pcrlock --version >/dev/null || skip "systemd-pcrlock cannot be had"
	load ../cli/pcrlock
	dir=$BATS_TEST_TMPDIR/tpm
	mkdir "$dir"
	build/assay export "$manifest" --format pcrlock -o "$BATS_TEST_TMPDIR/components"
	cp build/boot-run/eventlog "$dir/log"
	tests/cli/export_log.py --of "$dir/log" "$dir/extends"
	pcrlock_predicts "$BATS_TEST_TMPDIR/components" "$prediction" "$dir" 0 1 2 3 4 5 7 8 9 11 12 13 14 15
}

@test "boot: a prediction for another firmware differs in the platform's PCRs alone, and the exit code says so" {
	[ -s build/boot-run/pcrs ]
	other=golden/platforms/q35-ovmf-2025.02.yaml
	[ "$(sha256sum </usr/share/OVMF/OVMF_CODE_4M.fd)" != "$(grep -m1 -oE '[0-9a-f]{64}' "$other")  -" ] ||
		other=golden/platforms/q35-ovmf-2022.11.yaml
	build/assay precompute build/image/base.raw --platform "$other" --json -o "$BATS_TEST_TMPDIR/other.json"
	run build/assay compare "$BATS_TEST_TMPDIR/other.json" --pcrs build/boot-run/pcrs
	echo "$output"
	[ "$status" -eq 3 ]
	moved=$(awk '/DIFFERENT/ { print $2 }' <<<"$output" | sort -nu | tr '\n' ' ')
	[[ "$moved" == *"0 "* ]]
	for pcr in 4 5 9 11 12 13; do
		[[ " $moved" != *" $pcr "* ]]
	done
}
