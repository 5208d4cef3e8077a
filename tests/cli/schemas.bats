#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# docs/schemas/ against what the verbs print with --json, and against broken copies of it, which
# must not pass. (assay log: log.bats.)

bats_require_minimum_version 1.5.0

setup_file() {
	load scratch
	scratch_setup "$(python3 -c 'import jsonschema' 2> /dev/null || echo python3-jsonschema)"
}

setup() {
	top=$(realpath "$BATS_TEST_DIRNAME/../..")
	assay=$top/build/assay
	[ -z "${scratch_lacks-}" ] || skip "$scratch_lacks is missing"
	cd "$scratch"
	tmp=$BATS_TEST_TMPDIR
}

# check SCHEMA FILE...: each FILE is of the schema, and no broken copy of it is.
check() {
	python3 - "$top/docs/schemas/$1.json" "${@:2}" <<- 'EOF'
	import copy, json, sys
	from jsonschema import Draft202012Validator

	schema = json.load(open(sys.argv[1]))
	Draft202012Validator.check_schema(schema)
	validator = Draft202012Validator(schema)

	def resolve(s):
	    while "$ref" in s:
	        s = schema["$defs"][s["$ref"].rsplit("/", 1)[1]]
	    return s

	def broken(node, s):
	    """Copies of node, each with one fault that its schema speaks of."""
	    s = resolve(s)
	    if isinstance(node, dict):
	        if s.get("additionalProperties") is False:
	            yield {**node, "nobody-knows-me": 1}
	        for key in s.get("required", []):
	            yield {k: v for k, v in node.items() if k != key}
	        for key, value in node.items():
	            sub = s.get("properties", {}).get(key, s.get("additionalProperties"))
	            if isinstance(sub, dict):
	                for bad in broken(value, sub):
	                    yield {**node, key: bad}
	    elif isinstance(node, list):
	        yield {"not": "a list"}
	        for i, value in enumerate(node[:3]):
	            for bad in broken(value, s.get("items", {})):
	                yield node[:i] + [bad] + node[i + 1:]
	    elif isinstance(node, str):
	        if any(k in s for k in ("pattern", "enum", "const")):
	            yield node + "!"
	        yield 1.5
	    elif isinstance(node, (bool, int)):
	        yield "1"

	faults = 0
	for path in sys.argv[2:]:
	    doc = json.load(open(path))
	    error = next(validator.iter_errors(doc), None)
	    if error:
	        sys.exit(f"{path}: {'/'.join(map(str, error.path))}: {error.message[:300]}")
	    for bad in broken(doc, schema):
	        faults += 1
	        if validator.is_valid(bad):
	            sys.exit(f"{path}: a broken copy passes: {json.dumps(bad)[:2000]}")
	print(f"{len(sys.argv) - 2} files, {faults} broken copies refused")
	if not faults:
	    sys.exit("nothing was broken")
	EOF
}

@test "facts" {
	"$assay" measure --json disk.img > "$tmp/facts"
	"$assay" measure --json --bank sha1,sha256,sha384,sha512 disk.img > "$tmp/all"
	check facts-1 "$tmp/facts" "$tmp/all"
}

@test "facts with initrds, and initrds" {
	"$assay" measure --initrd --json disk.img > "$tmp/facts"
	check facts-1 "$tmp/facts"
	for f in disk.img linux.efi initrd.img "$top"/tests/corpus/cpio/*; do
		"$assay" initrd --json "$f" > "$tmp/i-${f##*/}" 2> /dev/null || rm "$tmp/i-${f##*/}"
	done
	check initrd-1 "$tmp"/i-*
	[ "$(jq -r '.archives[].compression' "$tmp"/i-* | sort -u | wc -l)" -ge 7 ]
	[ "$(jq -r '.files[].type' "$tmp"/i-* | sort -u | wc -l)" -ge 5 ]
	[ "$(jq -s 'map(select(.bootconfig)) | length' "$tmp"/i-*)" -eq 1 ]
	[ "$(jq '.overridden | length' "$tmp/i-three")" -ge 1 ]
	# what both tell is told alike
	diff <(jq -S '.esp.programs[] | select(.path == "/EFI/BOOT/BOOTX64.EFI") | [.linux, .initrd.tree, .initrd.archives]' "$tmp/facts") \
		<(jq -S '[.linux, .tree, .archives]' "$tmp/i-disk.img")
}

@test "facts: a program is what pe prints, three texts, kernel and initrd" {
	diff <(jq -S '."$defs".program | del(.properties.cmdline, .properties.os_release, .properties.uname, .properties.linux, .properties.initrd)' "$top/docs/schemas/facts-1.json") \
		<(jq -S '."$defs".program' "$top/docs/schemas/pe-1.json")
}

@test "facts: a pair is what verity prints" {
	diff <(jq -S '."$defs".verity' "$top/docs/schemas/facts-1.json") <(jq -S '."$defs".verity' "$top/docs/schemas/verity-1.json")
}

@test "dm-verity: whole, with faults, not to be checked; partitions, files, a disk without partitions" {
	export PATH=$PATH:/usr/sbin:/sbin
	command -v veritysetup > /dev/null || skip "veritysetup is missing"
	command -v mksquashfs > /dev/null || skip "mksquashfs is missing"
	load verity
	mksquashfs "$top/docs" "$tmp/data" -quiet -no-progress -noD -noF > /dev/null
	truncate -s 1M "$tmp/data"
	root=$(verity_format "$tmp/data" "$tmp/tree")
	verity_disk "$tmp/disk" "$tmp/data" "$tmp/tree" "$root"
	"$assay" verity --json "$tmp/disk" > "$tmp/whole"
	"$assay" verity --json --root-hash "$root" --hash-device "$tmp/tree" "$tmp/data" > "$tmp/files"
	verity_flip "$tmp/disk" $(((8 << 20) + 5000))
	"$assay" verity --json "$tmp/disk" > "$tmp/named" || [ $? -eq 3 ]
	[ "$(jq -r '.[0].faults[0].path' "$tmp/named" | cut -c 1)" = / ]
	verity_flip "$tmp/disk" $(((16 << 20) + 4096 + 100))
	"$assay" verity --json "$tmp/disk" > "$tmp/faults" || [ $? -eq 3 ]
	verity_flip "$tmp/disk" $((16 << 20))
	"$assay" verity --json "$tmp/disk" > "$tmp/unchecked" 2> /dev/null || [ $? -eq 1 ]
	verity_format "$tmp/data" "$tmp/data" --data-blocks=128 --hash-offset=524288 > /dev/null
	"$assay" verity --json "$tmp/data" > "$tmp/device"
	check verity-1 "$tmp/whole" "$tmp/files" "$tmp/named" "$tmp/faults" "$tmp/unchecked" "$tmp/device"
	[ "$(jq -s '[.[][] | .faults // empty | length] | add' "$tmp/faults")" -ge 1 ]
	[ "$(jq -r '.[0] | .usage + " " + .source' "$tmp/device")" = "data tree" ]
}

@test "facts: of a disk with the whole chain, sound and broken" {
	load chain
	[ -z "$(chain_missing)" ] || skip "missing: $(chain_missing)"
	chain_root "$tmp/root" && chain_squashfs "$tmp/root" "$tmp/root.sqfs" && chain_disk "$tmp/chain.img" "$tmp/root.sqfs"
	"$assay" measure --json "$tmp/chain.img" > "$tmp/sound"
	verity_flip "$tmp/chain.img" 330000
	"$assay" measure --json "$tmp/chain.img" > "$tmp/flipped" 2> "$tmp/stderr" || [ $? -eq 3 ]
	sed -i 's/hello:1/hello:2/' "$tmp/root/usr/share/assay/container_measurements.json"
	chain_squashfs "$tmp/root" "$tmp/root.sqfs" && chain_disk "$tmp/chain.img" "$tmp/root.sqfs"
	"$assay" measure --json "$tmp/chain.img" > "$tmp/listed" 2>> "$tmp/stderr" || [ $? -eq 3 ]
	check facts-1 "$tmp/sound" "$tmp/flipped" "$tmp/listed"
	[ "$(jq -s '[.[].chain[].state] | unique | length' "$tmp/sound" "$tmp/flipped")" -ge 2 ]
	[ "$(jq -c '[.container_measurements[0].entries[].state]' "$tmp/listed")" = '["unlisted","missing","agrees"]' ]
}

@test "data disks: with a partition table, without, and without a root hash" {
	load chain
	[ -z "$(chain_missing)" ] || skip "missing: $(chain_missing)"
	chain_root "$tmp/root" && chain_squashfs "$tmp/root" "$tmp/root.sqfs" && chain_disk "$tmp/chain.img" "$tmp/root.sqfs"
	cp "$tmp/root.sqfs" "$tmp/device"
	truncate -s %4096 "$tmp/device"
	veritysetup format "$tmp/device" "$tmp/device" --data-blocks=$(($(stat -c %s "$tmp/device") / 4096)) \
		--hash-offset="$(stat -c %s "$tmp/device")" > /dev/null
	"$assay" measure --data --json "$tmp/chain.img" "$tmp/device" "$tmp/root.sqfs" > "$tmp/data"
	check data-1 "$tmp/data"
	diff <(jq -S '."$defs" | del(.program, .filesystem, .container_list, .archive, .bootconfig, .tree, .module_release, .modules, .linux, .root_modules)' "$top/docs/schemas/facts-1.json") \
		<(jq -S '."$defs" | del(.disk, .filesystem, .container_list)' "$top/docs/schemas/data-1.json")
}

@test "facts: a container is what containers prints, and its root hash" {
	diff <(jq -S '."$defs" | .container |= del(.properties.root_hash) | [.container, .layer]' "$top/docs/schemas/facts-1.json") \
		<(jq -S '."$defs" | [.image, .layer]' "$top/docs/schemas/containers-1.json")
}

@test "programs, of every kind that the corpus has" {
	"$assay" pe --json --full linux.efi BOOTX64.EFI > "$tmp/real"
	for f in "$top"/tests/corpus/pe/*; do
		"$assay" pe --json --full "$f" > "$tmp/pe-${f##*/}" 2> /dev/null || rm "$tmp/pe-${f##*/}"
	done
	check pe-1 "$tmp/real" "$tmp"/pe-*
	[ "$(jq -r '.[].kind' "$tmp"/pe-* | sort -u | wc -l)" -ge 6 ]
	[ "$(jq -r '.[].signatures[].digest_alg' "$tmp"/pe-* | grep -c sha256)" -ge 1 ]
}

@test "profiles" {
	for f in platform.yaml "$top"/golden/platforms/*.yaml; do
		"$assay" platform show --json "$f" > "$tmp/$(basename "$f")"
	done
	check platform-1 "$tmp"/*.yaml
}

@test "manifests: the envelope, the statement, and each piece in its own schema" {
	load chain
	[ -z "$(chain_missing)" ] || skip "missing: $(chain_missing)"
	chain_root "$tmp/root" && chain_squashfs "$tmp/root" "$tmp/root.sqfs" && chain_disk "$tmp/chain.img" "$tmp/root.sqfs"
	"$assay" manifest create "$tmp/chain.img" --platform platform.yaml --data app.raw --data os.img --bank sha256,sha1 \
		--platform "$top/golden/platforms/gcp.yaml" --name a.b-c --release 3 --not-before 2026-11-22 \
		--boot '\EFI\BOOT\BOOTX64.EFI' -o "$tmp/envelope"
	"$assay" manifest show --statement "$tmp/envelope" > "$tmp/statement"
	check envelope-1 "$tmp/envelope"
	check manifest-1 "$tmp/statement"
	jq .predicate.facts "$tmp/statement" > "$tmp/facts"
	jq .predicate.data "$tmp/statement" > "$tmp/data"
	for i in 0 1; do
		jq ".predicate.predictions[$i]" "$tmp/statement" > "$tmp/prediction$i"
	done
	check facts-1 "$tmp/facts"
	check data-1 "$tmp/data"
	check prediction-1 "$tmp/prediction0" "$tmp/prediction1"
	[ "$(jq -r '[.predicate.inputs[].kind] | unique | join(" ")' "$tmp/statement")" = "data disk log platform probe" ]
	[ "$(jq '.predicate.containers + .predicate.verity | length' "$tmp/statement")" -ge 3 ]
}

@test "verdicts on signatures, and the releases that were accepted" {
	openssl genpkey -algorithm ed25519 -out "$tmp/other.pem"
	openssl pkey -in "$tmp/other.pem" -pubout -out "$tmp/other.pub"
	"$assay" manifest verify signed.json --key key.pub --at 2026-12-01 --state "$tmp/releases" --json > "$tmp/v-good"
	run -3 --separate-stderr "$assay" manifest verify signed.json --key "$tmp/other.pub" --json
	echo "$output" > "$tmp/v-other"
	run -3 --separate-stderr "$assay" manifest verify manifest.json --key key.pub --json
	echo "$output" > "$tmp/v-none"
	run -3 --separate-stderr "$assay" manifest verify signed.json --key key.pub --at 2020-01-01 --json
	echo "$output" > "$tmp/v-early"
	check verification-1 "$tmp"/v-*
	check releases-1 "$tmp/releases"
	[ "$(jq -r .refusal "$tmp"/v-* | sort | tr '\n' ' ')" = "no-signature not-yet-valid null wrong-key " ]
}

@test "predictions and comparisons" {
	for f in platform.yaml "$top"/golden/platforms/*.yaml; do
		"$assay" precompute disk.img --platform "$f" --json > "$tmp/$(basename "$f" .yaml).json"
	done
	check prediction-1 "$tmp"/*.json prediction.json
	# what the profiles above lead to: a value, several, none
	[ "$(jq -s '[.[].accepted // empty] | length' "$tmp"/*.json)" -ge 1 ]
	[ "$(jq -s '[.[].pcrs[] | select(.status == "unknown")] | length' "$tmp"/*.json)" -ge 1 ]

	"$assay" compare prediction.json --pcrs pcrs.txt --json > "$tmp/equal"
	"$assay" compare prediction.json --log machine.log --json > "$tmp/different" || [ $? -eq 3 ]
	grep sha256 pcrs.txt > "$tmp/few"
	"$assay" compare prediction.json --pcrs "$tmp/few" --json > "$tmp/half"
	"$assay" compare "$tmp/azure-trusted-launch.json" --pcrs pcrs.txt --json > "$tmp/azure" || [ $? -eq 3 ]
	check comparison-1 "$tmp/equal" "$tmp/different" "$tmp/half" "$tmp/azure"
	[ "$(jq -rs '[.[].cells[].verdict] | unique | length' "$tmp/equal" "$tmp/different" "$tmp/half" "$tmp/azure")" -eq 4 ]
}

@test "golden values, of a prediction and of a manifest, all and some" {
	"$assay" export manifest.json --format pcrs-json > "$tmp/manifest"
	"$assay" precompute disk.img --platform "$top/golden/platforms/gcp.yaml" --json > "$tmp/gcp"
	"$assay" export "$tmp/gcp" --format pcrs-json > "$tmp/sets" 2> "$tmp/said"
	"$assay" export "$tmp/gcp" --format pcrs-json --bank sha384 --pcrs 11 --phase enter-initrd > "$tmp/phase"
	check pcrs-1 "$tmp/manifest" "$tmp/sets" "$tmp/phase"
}

@test "explanations" {
	local log_of=$top/tests/fixtures/log-of.py
	sed 's/^name: example$/name: other/; s/example\\0/elpmaxe\\0/' platform.yaml > "$tmp/other.yaml"
	"$assay" manifest create disk.img --platform platform.yaml --platform "$tmp/other.yaml" --name a --release 1 \
		--not-before 2026-11-22 -o "$tmp/two.json"
	"$log_of" prediction.json "$tmp/log" change:4:3 more:5:2 drop:9:2
	awk '$2 == 3 { $3 = substr($3, 2) "0" } 1' pcrs.txt > "$tmp/pcrs"
	"$assay" explain prediction.json --log same.log --json > "$tmp/agrees"
	"$assay" explain manifest.json --log "$tmp/log" --json > "$tmp/differs" || [ $? -eq 3 ]
	"$assay" explain "$tmp/two.json" --log "$tmp/log" --pcrs "$tmp/pcrs" --json > "$tmp/two" || [ $? -eq 3 ]
	"$assay" explain "$tmp/two.json" --log machine.log --json > "$tmp/machine" || [ $? -eq 3 ]
	check explanation-1 "$tmp/agrees" "$tmp/differs" "$tmp/two" "$tmp/machine"
	[ "$(jq -s '[.[].choices // empty] | length' "$tmp/two" "$tmp/machine")" -eq 2 ]
	[ "$(jq -rs '[.[].pcrs[].events[].verdict] | unique | length' "$tmp/differs" "$tmp/two")" -eq 4 ]
	[ "$(jq '[.pcrs[] | select(.log_disagrees)] | length' "$tmp/two")" -ge 1 ]
}

@test "diffs: the same, other files, another manifest, a data disk" {
	cp disk.img "$tmp/new.img"
	mcopy -i "$tmp/new.img@@1M" parts/osrel ::/loader/x
	mcopy -o -i "$tmp/new.img@@1M" BOOTX64.EFI ::/EFI/Linux/linux.efi
	"$assay" diff --json manifest.json disk.img > "$tmp/same"
	"$assay" diff --json --platform platform.yaml disk.img "$tmp/new.img" > "$tmp/files" || [ $? -eq 3 ]
	"$assay" diff --json app.img app.raw > "$tmp/data" || [ $? -eq 3 ]
	cp BOOTX64.EFI "$tmp/b.efi"
	mcopy -o -i "$tmp/new.img@@1M" BOOTX64.EFI ::/EFI/BOOT/BOOTX64.EFI
	"$assay" diff --json disk.img "$tmp/new.img" > "$tmp/boot" || [ $? -eq 3 ]
	check diff-1 "$tmp/same" "$tmp/files" "$tmp/data" "$tmp/boot"
	[ "$(jq -s '[.[].changes[].kind] | unique | length' "$tmp/files" "$tmp/data" "$tmp/boot")" -ge 4 ]
}

@test "audits: all four states, profiles given and found, a disk that the manifest does not know" {
	cp manifest.json platform.yaml "$tmp"
	"$assay" audit "$tmp/manifest.json" --disk disk.img --json > "$tmp/agrees"
	"$assay" audit "$tmp/manifest.json" --disk disk.img --data app.raw --name other --json > "$tmp/differs" || [ $? -eq 3 ]
	"$assay" audit manifest.json --disk app.raw --platform platform.yaml --json > "$tmp/unread" || [ $? -eq 3 ]
	check audit-1 "$tmp/agrees" "$tmp/differs" "$tmp/unread"
	[ "$(jq -rs '[.[].claims[].state] | unique | length' "$tmp/agrees" "$tmp/differs" "$tmp/unread")" -eq 4 ]
	[ "$(jq -rs '[.[].profiles[].given] | unique | length' "$tmp/agrees" "$tmp/unread")" -eq 2 ]
}

@test "container images: plain and packed, several, unchecked, damaged, in a disk" {
	for f in "$top"/tests/corpus/container/*; do
		"$assay" containers --json "$f" > "$tmp/c-${f##*/}" 2> /dev/null || [ -s "$tmp/c-${f##*/}" ] || rm "$tmp/c-${f##*/}"
	done
	"$assay" containers --json image.tar > "$tmp/c1"
	"$assay" containers --json --ids-only image.tar > "$tmp/c2"
	gzip -c image.tar > "$tmp/image.tgz"
	cp disk.img "$tmp/disk" && mcopy -i "$tmp/disk@@1M" image.tar "$tmp/image.tgz" ::/
	"$assay" containers --json "$tmp/disk" > "$tmp/c3"
	check containers-1 "$tmp"/c-* "$tmp"/c[123]
	[ "$(jq -c '[.[] | [.archive, .partition]]' "$tmp/c3")" = '[["/image.tar",1],["/image.tgz",1]]' ]
	[ "$(jq '[.[].layers[] | select(.damage)] | length' "$tmp"/c-* | sort -n | tail -n 1)" -ge 1 ]
}

@test "the agent's log, with a TPM simulator: agreeing, pending, differing" {
	command -v swtpm > /dev/null || skip "swtpm is missing"
	mkdir "$tmp/tpm"
	swtpm socket --tpm2 --tpmstate dir="$tmp/tpm" --flags startup-clear --server "type=unixio,path=$tmp/tpm.sock" \
		--ctrl "type=unixio,path=$tmp/tpm.sock.ctrl" 3>&- &
	pid=$!
	for _ in {1..50}; do
		[ ! -S "$tmp/tpm.sock.ctrl" ] || break
		sleep 0.1
	done
	printf '%s\n' 'schema: assay.agent/1' "tpm: {tcti: \"swtpm:path=$tmp/tpm.sock\"}" "log: $tmp/log" > "$tmp/agent.yaml"
	agent=$top/build/assay-agent
	"$agent" measure sentinel --config "$tmp/agent.yaml"
	"$agent" measure disk --config "$tmp/agent.yaml" "$(printf '%064d' 1)" || [ $? -eq 1 ]
	"$agent" measure timing --config "$tmp/agent.yaml" 1.5
	"$agent" log --json --config "$tmp/agent.yaml" > "$tmp/agrees"
	# One event more: the same once again, as if it were the next.
	tail -n 1 "$tmp/log" | sed 's/"recnum":1}/"recnum":2}/' >> "$tmp/log"
	"$agent" log --json --config "$tmp/agent.yaml" > "$tmp/pending"
	tail -n 1 "$tmp/log" | sed 's/"recnum":2}/"recnum":3}/' >> "$tmp/log"
	"$agent" log --json --config "$tmp/agent.yaml" > "$tmp/differs" || [ $? -eq 3 ]
	kill "$pid" 2> /dev/null || true
	check agent-log-1 "$tmp/agrees" "$tmp/pending" "$tmp/differs"
	[ "$(jq -rs '[.[].state] | join(" ")' "$tmp/agrees" "$tmp/pending" "$tmp/differs")" = "replays pending differs" ]
}

@test "published manifests" {
	compgen -G "$top/golden/*/*/manifest.dsse.json" > /dev/null || skip "golden/ has no manifest: make golden makes one"
	for f in "$top"/golden/*/*/manifest.dsse.json; do
		check envelope-1 "$f"
		"$assay" manifest show --statement "$f" > "$tmp/statement"
		check manifest-1 "$tmp/statement"
	done
}

@test "verdict: verified, and refused at several steps" {
	local trust=(--manifest signed.json --key key.pub --trust trust)
	"$assay" verify proof.json "${trust[@]}" --at 2026-12-01 --nonce 00112233445566778899 --json > "$tmp/good"
	run -3 bash -c "'$assay' verify proof.json ${trust[*]} --at 2036-12-01 --json > '$tmp/old'"
	run -3 bash -c "'$assay' verify proof.json ${trust[*]} --at 2026-12-01 --nonce 99887766554433221100 --json > '$tmp/stale'"
	jq '.runtime_log = []' proof.json > "$tmp/p"
	run -3 bash -c "'$assay' verify '$tmp/p' ${trust[*]} --at 2026-12-01 --json > '$tmp/short'"
	echo '{}' > "$tmp/p"
	run -3 bash -c "'$assay' verify '$tmp/p' ${trust[*]} --at 2026-12-01 --json > '$tmp/none'"
	check verdict-1 "$tmp/good" "$tmp/old" "$tmp/stale" "$tmp/short" "$tmp/none"
}

@test "a machine's proof, and the files of a CA for attestation keys" {
	command -v swtpm tpm2_createek faketime openssl > /dev/null || skip "swtpm, tpm2-tools, faketime or openssl is missing"
	load common
	load swtpm
	export TSS2_LOG=all+none
	tpm_with_ak ek "$tmp/tpm"
	printf '%s\n' 'schema: assay.agent/1' "tpm: {tcti: \"$tcti\", key: ek, certificates: $tmp/ak.pem}" "log: $tmp/log" \
		'manifest: base' "firmware_log: $PWD/machine.log" > "$tmp/agent.yaml"
	agent=$top/build/assay-agent
	"$assay" ca init "$tmp/ca" --name CA
	"$agent" key create --config "$tmp/agent.yaml" -o "$tmp/request"
	"$assay" ca challenge "$tmp/ca" "$tmp/request" --ek-trust "$tmp/tpm/ca" -o "$tmp/challenge"
	"$agent" key activate --config "$tmp/agent.yaml" "$tmp/challenge" -o "$tmp/answer"
	"$assay" ca issue "$tmp/ca" "$tmp/request" "$tmp/answer" -o "$tmp/ak.pem"
	"$agent" proof --config "$tmp/agent.yaml" -o "$tmp/bare"
	"$agent" measure disk --config "$tmp/agent.yaml" "$(printf '%064d' 3)"
	"$agent" measure sentinel --config "$tmp/agent.yaml"
	"$agent" measure certificate --config "$tmp/agent.yaml" "$tmp/ak.pem"
	"$agent" measure timing --config "$tmp/agent.yaml" 5
	"$agent" proof --config "$tmp/agent.yaml" --nonce 0011223344556677 -o "$tmp/proof"
	stop_tpm
	check ak-request-1 "$tmp/request"
	check ak-challenge-1 "$tmp/challenge"
	check ak-answer-1 "$tmp/answer"
	check proof-1 "$tmp/bare" "$tmp/proof"
}
