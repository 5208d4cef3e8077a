#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# assay audit: manifests of small disks that veritysetup, mksquashfs and sfdisk made, changed in each of their values;
# disks changed in one byte; what was not given.

bats_require_minimum_version 1.5.0

setup_file() {
	export PATH=$PATH:/usr/sbin:/sbin
	load chain
	load common
	top=$(realpath "$BATS_TEST_DIRNAME/../..")
	lacks=$(chain_missing)
	export lacks
	[ -z "$lacks" ] || return 0
	export made=$BATS_FILE_TMPDIR/made
	mkdir "$made" && cd "$made"
	chain_root root && chain_squashfs root root.sqfs && chain_disk disk.img root.sqfs
	mkdir root/etc/more && chain_squashfs root more.sqfs && chain_disk data.img more.sqfs
	small_profile sha1,sha256 > small.yaml
	small_profile sha1,sha256,sha384 | sed 's/name: small/name: other/' > other.yaml
	create m.json
}

setup() {
	load chain
	load common
	top=$(realpath "$BATS_TEST_DIRNAME/../..")
	assay=$top/build/assay
	export PATH=$PATH:/usr/sbin:/sbin
	[ -z "$lacks" ] || skip "missing: $lacks"
	cp -a --sparse=always "$made" "$BATS_TEST_TMPDIR/here"
	cd "$BATS_TEST_TMPDIR/here"
	expected="--name example --release 3 --not-before 2023-11-14T22:13:20Z --expires 2024-11-13T22:13:20Z"
}

create() { # OUT [OPTION...]
	"$top/build/assay" manifest create disk.img --data data.img --platform small.yaml --platform other.yaml \
		--name example --release 3 --not-before @1700000000 --statement -o "$1" "${@:2}"
}

audit() { # MANIFEST [OPTION...]: of the disks and profiles that it was made of
	run "$assay" audit "$1" --disk disk.img --data data.img --platform small.yaml --platform other.yaml "${@:2}"
	echo "$output" | grep -E "^(differs|not recomp|assay)" | head -n 20 || true
}

# states CLAIM: the states of the claims of that path, of the last run with --json.
states() {
	jq -r --arg path "$1" '[.claims[] | select(.path == $path).state] | join(" ")' <<< "$output"
}

differing() { jq -r '.claims[] | select(.state == "differs").path' <<< "$output"; }

@test "a manifest agrees with its disk; signatures are not looked at" {
	audit m.json
	[ "$status" -eq 0 ]
	grep -q '^signatures *not checked here' <<< "$output"
	grep -q '^agrees *predictions\[small\] PCR 4 sha256: [0-9a-f]\{64\}$' <<< "$output"
	grep -q '^agrees *predictions\[other\] PCR 11, .*events$' <<< "$output"
	grep -qE '^[0-9]+ claims: [0-9]+ agree, 6 declared, 0 not recomputed, 0 differ$' <<< "$output"
	# in an envelope, with a signature that nobody made
	"$assay" manifest create disk.img --data data.img --platform small.yaml --platform other.yaml --name example \
		--release 3 --not-before @1700000000 | jq '.signatures = [{"sig": "AAAA"}]' > envelope.json
	audit envelope.json
	[ "$status" -eq 0 ]
}

@test "what the manifest says is what sha256sum, sfdisk and hashlib say" {
	run -0 "$top/tests/fixtures/audit-oracle.py" m.json disk.img data.img
	echo "$output"
	"$top/tests/fixtures/audit-leaves.py" --one subject m.json > wrong.json
	run -1 "$top/tests/fixtures/audit-oracle.py" wrong.json disk.img data.img
	"$top/tests/fixtures/audit-leaves.py" --one 'predicate.predictions[1].banks.sha384' m.json > wrong.json
	run -1 "$top/tests/fixtures/audit-oracle.py" wrong.json disk.img data.img
}

@test "each value changed, each member taken out, one more put in: it is named" {
	create m.json --bank sha256 --boot /EFI/BOOT/BOOTX64.EFI
	run "$top/tests/fixtures/audit-leaves.py" m.json "$expected" "$assay" audit '{}' --disk disk.img --data data.img \
		--platform small.yaml --platform other.yaml
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "the same with nothing at hand but a disk that cannot be read: no change makes it agree" {
	verity_flip disk.img 530
	mkdir alone
	cp m.json alone/
	run "$top/tests/fixtures/audit-leaves.py" --rough alone/m.json "$expected" "$assay" audit '{}' --disk disk.img
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "what no disk can show is declared, until the auditor says what is expected" {
	audit m.json --json
	[ "$(jq -r '[.claims[] | select(.state == "declared").path] | join(" ")' <<< "$output")" = \
		"predicate.name predicate.release predicate.tool.name predicate.tool.version predicate.validity.expires predicate.validity.notBefore" ]
	# shellcheck disable=SC2086 # words
	audit m.json --json $expected
	[ "$status" -eq 0 ]
	[ "$(jq -r .count.declared <<< "$output")" -eq 2 ]
	[ "$(states predicate.release)" = agrees ]
	audit m.json --json --not-before 2023-11-14T22:13:20Z --expires +365d
	[ "$status" -eq 0 ]
	[ "$(states predicate.validity.expires)" = agrees ]
	local wrong
	for wrong in "--name other" "--release 4" "--not-before 2023-11-14" "--expires 2030-01-01"; do
		# shellcheck disable=SC2086 # words
		audit m.json $wrong
		[ "$status" -eq 3 ]
		[ "$(grep -c ^differs <<< "$output")" -eq 1 ]
	done
	grep -q '^differs *validity.expires: the manifest says 2024-11-13T22:13:20Z, recomputed 2030-01-01T00:00:00Z  (predicate.validity.expires)$' <<< "$output"
	jq '.predicate.tool.version = "0.0.7"' m.json > older.json
	audit older.json
	[ "$status" -eq 0 ]
	grep -q '^declared *tool.version: 0.0.7; this tool is ' <<< "$output"
}

@test "a byte of a program: its facts, PCR 4 and PCR 11 on each platform" {
	local at
	at=$(grep -abo ID=example disk.img | head -n 1 | cut -d : -f 1)
	verity_flip disk.img $((at + 5))
	audit m.json --json
	[ "$status" -eq 3 ]
	for i in 0 1; do
		[ "$(states "predicate.predictions[$i].banks.sha256.4")" = differs ]
		[ "$(states "predicate.predictions[$i].banks.sha256.11")" = differs ]
		[ "$(states "predicate.predictions[$i].banks.sha256.5")" = agrees ]
	done
	differing | grep -qx 'predicate.facts.esp.programs\[0\].authenticode.sha256'
	differing | grep -qx 'subject\[1\].digest.sha256'
	run differing
	run -1 grep -F 'subject[2]' <<< "$output"
	audit m.json
	grep -qE '^differs +predictions\[small\] PCR 4 sha256: the manifest says [0-9a-f]{64}, recomputed [0-9a-f]{64}  \(predicate.predictions\[0\].banks.sha256.4\)$' <<< "$output"
}

@test "a byte that nothing measures: the disk's digest, and nothing else" {
	verity_flip disk.img $((100 * 512))
	audit m.json --json
	[ "$status" -eq 3 ]
	diff <(differing | sort) - <<- 'END'
		predicate.facts.image.digest.sha256
		predicate.inputs[0].digest.sha256
		predicate.predictions[0].image.digest.sha256
		predicate.predictions[1].image.digest.sha256
		subject[0].digest.sha256
	END
}

@test "a byte of the root: the broken link is named, PCRs agree; a manifest that says so itself does not agree" {
	verity_flip disk.img 330000
	audit m.json --json
	[ "$status" -eq 3 ]
	[ "$(states 'predicate.predictions[0].banks.sha256.4')" = agrees ]
	[ "$(states 'predicate.predictions[0].image.root.checked')" = differs ]
	jq -r '.claims[] | select(.path == "predicate.facts.chain[1]" and .state == "differs").why' <<< "$output" | grep -q '^broken link: verity: '
	# All that was recomputed written into the manifest: the chain is as broken as before.
	jq --argjson audit "$output" 'reduce ($audit.claims[] | select(.state == "differs" and (has("manifest") or has("recomputed")))) as $c
		(.; ($c.path | [scan("[^.\\[\\]]+") | (tonumber? // .)]) as $p |
		if $c | has("recomputed") then setpath($p; $c.recomputed) else delpaths([$p]) end)' m.json > said.json
	audit said.json --json
	[ "$status" -eq 3 ]
	[ "$(differing)" = 'predicate.facts.chain[1]' ]
	audit said.json
	grep -q '^differs *facts.chain\[1\]; broken link: verity: ' <<< "$output"
}

@test "a byte of the partition table: it cannot be read, and the digest differs; a table that can: PCR 5" {
	cp disk.img sound.img
	verity_flip disk.img 530
	audit m.json
	[ "$status" -eq 3 ]
	grep -q "^not recomputed *facts.gpt, .*; GPT header's CRC is " <<< "$output"
	grep -q '^differs *subject\[disk.img\].digest.sha256: ' <<< "$output"
	cp sound.img disk.img
	sfdisk -q --part-label disk.img 2 other
	audit m.json --json
	[ "$status" -eq 3 ]
	[ "$(states 'predicate.predictions[1].banks.sha384.5')" = differs ]
	[ "$(states 'predicate.predictions[1].banks.sha384.4')" = agrees ]
	differing | grep -qx 'predicate.facts.gpt.partitions\[1\].name'
}

@test "a file that is no disk, or another disk" {
	head -c 100000 root.sqfs > disk.img
	audit m.json
	[ "$status" -eq 3 ]
	grep -q '^differs *facts.image.size: ' <<< "$output"
	rm disk.img
	audit m.json
	[ "$status" -eq 1 ]
}

@test "data disks: another, none, one more, in another order" {
	cp data.img kept.img
	verity_flip data.img $((100 * 512))
	audit m.json --json
	[ "$status" -eq 3 ]
	diff <(differing | sort) - <<- 'END'
		predicate.data[0].image.digest.sha256
		predicate.inputs[1].digest.sha256
		subject[4].digest.sha256
	END
	cp kept.img data.img
	run "$assay" audit m.json --disk disk.img
	[ "$status" -eq 1 ]
	grep -q '^not recomputed *data\[data.img\], [0-9]* values; this data disk was not given$' <<< "$output"
	grep -q '^not recomputed *subject\[data.img\]' <<< "$output"
	grep -q ' 0 differ$' <<< "$output"
	# found by its digest, whatever it is called; the other one is none of the manifest's
	head -c 65536 root.sqfs > data.img
	run "$assay" audit m.json --disk disk.img --data data.img --data kept.img --json
	[ "$status" -eq 3 ]
	[ "$(jq -c '[.disks[] | [.file, .as]]' <<< "$output")" = '[["disk.img","disk.img"],["data.img",null],["kept.img","data.img"]]' ]
	differing | grep -qxF 'predicate.data[1]'
	# two of them, the wrong way round
	cp root.sqfs second.img
	run -0 --separate-stderr "$assay" manifest create disk.img --data kept.img --data second.img --platform small.yaml --name example --release 3 --not-before @1700000000 --statement -o two.json
	mv kept.img a && mv second.img b
	run "$assay" audit two.json --disk disk.img --data b --data a --json
	[ "$status" -eq 0 ]
	[ "$(jq -c '[.disks[].as]' <<< "$output")" = '["disk.img","second.img","kept.img"]' ]
	# a summary has to follow from the facts, also from those that cannot be made again
	jq '.predicate.containers[3].image_id = "sha256:00"' m.json > wrong.json
	run "$assay" audit wrong.json --disk disk.img --json
	[ "$status" -eq 3 ]
	[ "$(differing)" = 'predicate.containers[3].image_id' ]
}

@test "profiles: found beside the manifest by their digest, missing, changed, of another platform" {
	run "$assay" audit m.json --disk disk.img --data data.img
	[ "$status" -eq 0 ]
	grep -q '^profile *small: ./small.yaml, found beside the manifest$' <<< "$output"
	mkdir elsewhere && mv other.yaml elsewhere/
	run "$assay" audit "$PWD/m.json" --disk disk.img --data data.img --json
	[ "$status" -eq 1 ]
	[ "$(states 'predicate.predictions[1]')" = "not recomputed" ]
	[ "$(states 'predicate.inputs[3]')" = "not recomputed" ]
	[ "$(jq -c .profiles[].given <<< "$output")" = false ]
	# another of the same name: PCR by PCR
	sed 's/tries: 0/tries: 1/' elsewhere/other.yaml > other.yaml
	run "$assay" audit m.json --disk disk.img --data data.img
	[ "$status" -eq 1 ]
	audit m.json --json
	[ "$status" -eq 3 ]
	[ "$(states 'predicate.predictions[1].banks.sha256.4')" = differs ]
	[ "$(states 'predicate.predictions[1].banks.sha256.11')" = agrees ]
	[ "$(states 'predicate.predictions[1].platform.digest.sha256')" = differs ]
	[ "$(states 'predicate.predictions[0].platform')" = agrees ]
	sed 's/name: other/name: third/' elsewhere/other.yaml > third.yaml
	audit m.json --platform third.yaml --json
	[ "$status" -eq 3 ]
	differing | grep -qxF 'predicate.predictions[2]'
	run "$assay" audit m.json --disk disk.img --platform other.yaml --platform elsewhere/other.yaml
	[ "$status" -eq 1 ]
	[[ $output == *"elsewhere/other.yaml: a second profile of platform other"* ]]
}

@test "the same disk in a qcow2, and under another name" {
	command -v qemu-img > /dev/null || skip "qemu-img is missing"
	qemu-img convert -O qcow2 disk.img packed.qcow2
	run "$assay" audit m.json --disk packed.qcow2 --data data.img
	[ "$status" -eq 0 ]
	mv disk.img renamed && mv data.img also
	run "$assay" audit m.json --disk renamed --data also
	[ "$status" -eq 0 ]
	grep -q '^disk *renamed as disk.img$' <<< "$output"
}

@test "signed again by the right key, a change is named all the same" {
	openssl genpkey -algorithm ed25519 -out key.pem && openssl pkey -in key.pem -pubout -out key.pub
	"$assay" manifest sign m.json --key key.pem -o signed.json
	"$assay" manifest verify signed.json --key key.pub --at 2024-01-01
	audit signed.json
	[ "$status" -eq 0 ]
	"$top/tests/fixtures/audit-leaves.py" --one 'predicate.predictions[1].banks.sha384.4' m.json > changed.json
	"$assay" manifest sign changed.json --key key.pem -o signed.json
	"$assay" manifest verify signed.json --key key.pub --at 2024-01-01
	audit signed.json --json
	[ "$status" -eq 3 ]
	[ "$(differing)" = 'predicate.predictions[1].banks.sha384.4' ]
}

@test "text out of the manifest does not steer the terminal" {
	jq '.predicate.data[0].image.name = "a\u001b[31mb" | .predicate["\u001b[2J"] = "\u001b[0m" |
		.predicate.facts.boot = "line\nline"' m.json > foreign.json
	audit foreign.json
	[ "$status" -eq 3 ]
	run -1 grep -F $'\033' <<< "$output"
}

@test "what is no manifest, or of another version; usage" {
	echo '{}' > none.json
	audit none.json
	[ "$status" -eq 1 ]
	jq '.predicate.schema = "assay.manifest/2"' m.json > two.json
	audit two.json
	[ "$status" -eq 1 ]
	[[ $output == *'schema is "assay.manifest/2"'* ]]
	run "$assay" audit m.json
	[ "$status" -eq 2 ]
	run "$assay" audit --disk disk.img
	[ "$status" -eq 2 ]
	run "$assay" audit m.json --disk disk.img --expires +3d
	[ "$status" -eq 2 ]
	run "$assay" audit m.json --disk disk.img --release 0
	[ "$status" -eq 2 ]
}
