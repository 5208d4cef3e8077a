#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# assay export: each form against the prediction by a program that is not ours to trust it with (export_check.py), and
# against what reads it.

bats_require_minimum_version 1.5.0
export PATH=$PATH:/usr/sbin:/sbin

setup_file() {
	load scratch
	scratch_setup
	[ -z "${scratch_lacks-}" ] || return 0
	cd "$scratch" || return 1
	local top assay
	top=$(realpath "$BATS_TEST_DIRNAME/../..")
	assay=$top/build/assay
	# A machine of which all is known, with every bank; and Google's, with a set for PCR 0 and nothing for 1 and 7.
	load common
	small_profile "sha1, sha256, sha384, sha512" > small.yaml
	"$assay" precompute disk.img --platform small.yaml --json -o small.json
	"$assay" precompute disk.img --platform "$top/golden/platforms/gcp.yaml" --json -o gcp.json
	"$assay" manifest create disk.img --platform small.yaml --platform "$top/golden/platforms/gcp.yaml" --name example \
		--release 7 --not-before 2026-11-22 --bank sha1,sha256,sha384 -o both.json
}

setup() {
	top=$(realpath "$BATS_TEST_DIRNAME/../..")
	assay=$top/build/assay
	load common
	[ -z "${scratch_lacks-}" ] || skip "$scratch_lacks is missing"
	cd "$scratch"
	tmp=$BATS_TEST_TMPDIR
}

# export FORMAT FILE [OPTION...]: into $tmp/out, what it says on stderr into $tmp/said.
export_to() {
	"$assay" export "$2" --format "$1" "${@:3}" -o "$tmp/out" 2> "$tmp/said"
}

# holds WORDS FORMAT PREDICTION [BANK] [PHASE]: $tmp/out has the prediction's values for these PCRs, so many.
holds() {
	run -0 "$top/tests/cli/export_check.py" "$2" "$3" "$tmp/out" "${@:4}"
	[ "$output" = "$1" ] || {
		echo "$output, expected $1"
		false
	}
}

# matches PATTERN FILE: its first line.
matches() {
	# shellcheck disable=SC2053 # a pattern
	[[ $(head -n 1 "$2") == $1 ]]
}

# refuses STATUS PATTERN ARGUMENT...: this exit code, one line of this kind, nothing on stdout.
refuses() {
	local rc=0
	"$assay" export "${@:3}" > "$tmp/stdout" 2> "$tmp/stderr" || rc=$?
	[ "$rc" -eq "$1" ] && [ ! -s "$tmp/stdout" ] && matches "$2" "$tmp/stderr" || {
		echo "exit $rc: $(cat "$tmp/stdout" "$tmp/stderr")"
		false
	}
}

all="0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15"

@test "nitro: PCR 4, 7 and 12 in SHA-384, as nitro-tpm-pcr-compute prints them" {
	export_to nitro small.json
	holds "4 7 12 / 3" nitro small.json
	[ ! -s "$tmp/said" ]
	jq -e '.Measurements | keys == ["HashAlgorithm", "PCR12", "PCR4", "PCR7"] and .HashAlgorithm == "SHA384" and
		([.PCR4, .PCR7, .PCR12] | all(test("^[0-9a-f]{96}$")))' "$tmp/out"
	export_to nitro small.json --pcrs 4,8-10,12
	holds "4 8 9 10 12 / 5" nitro small.json
}

@test "nitro: what it cannot hold is refused by name" {
	refuses 1 "assay export: gcp.json: PCR 7 has no golden value: it is 'unknown', the Secure Boot variables*" gcp.json --format nitro
	refuses 1 "assay export: gcp.json: PCR 0 has 2 accepted values, and nitro can hold one" gcp.json --format nitro --pcrs 0,4
	refuses 2 "assay export: nitro holds values of sha384, and of no other bank" small.json --format nitro --bank sha256
	"$assay" precompute disk.img --platform small.yaml --bank sha256 --json -o "$tmp/one.json"
	refuses 1 "*one.json: the prediction has no value in bank sha384, but in sha256" "$tmp/one.json" --format nitro
}

@test "aicert: the registers of its own measurement files, sets refused" {
	export_to aicert small.json
	holds "0 1 2 3 4 12 13 / 7" aicert small.json
	[ ! -s "$tmp/said" ]
	jq -e 'keys == ["measurements"] and (.measurements | all(test("^[0-9a-f]{64}$")))' "$tmp/out"
	refuses 1 "*PCR 0 has 2 accepted values, and aicert can hold one" gcp.json --format aicert
	export_to aicert gcp.json --pcrs 2-4,12,13
	holds "2 3 4 12 13 / 5" aicert gcp.json
	# What is unknown may be left out, and that is said.
	jq 'del(.accepted) | .pcrs[0] |= (.status = "unknown" | .reason = "firmware\u001b[2J" | .events = [])' gcp.json > "$tmp/unknown.json"
	export_to aicert "$tmp/unknown.json"
	holds "2 3 4 12 13 / 5" aicert gcp.json
	diff - "$tmp/said" <<- END
		assay export: $tmp/unknown.json: PCR 0 is left out: it is 'unknown', firmware\\x1b[2J
		assay export: $tmp/unknown.json: PCR 1 is left out: it is 'unknown', ACPI tables and boot entries of the machine type; learn them from a machine's log
	END
}

@test "keylime: every accepted value, a mask, and not PCR 10" {
	export_to keylime small.json
	holds "${all/ 10/} / 15" keylime small.json sha256
	[ "$(cat "$tmp/said")" = "assay export: small.json: PCR 10 is left out: keylime checks it by IMA's log" ]
	export_to keylime small.json --bank sha1 --pcrs 4
	holds "4 / 1" keylime small.json sha1
	[ "$(jq -r .mask "$tmp/out")" = 0x10 ]
	export_to keylime gcp.json
	holds "0 2 3 4 5 6 8 9 11 12 13 14 15 / 14" keylime gcp.json sha256
	[ "$(grep -c "left out" "$tmp/said")" -eq 3 ]
	refuses 1 "*: keylime cannot hold PCR 10: *" small.json --format keylime --pcrs 4,10
	refuses 2 "*: keylime does not tell banks apart: name one of them" small.json --format keylime --bank sha1,sha256
}

# The rules of keylime's verifier for a quote (Tpm.check_pcrs of keylime 7), written out: it cannot be had as a package.
keylime_judges() {
	python3 - "$tmp/out" "$1" <<- 'EOF'
		import json, sys
		policy = json.load(open(sys.argv[1]))
		quote = {int(k): v for k, v in json.loads(sys.argv[2]).items()}
		allow = {int(k): v for k, v in policy.items() if k != "mask"}
		quoted = {i for i in range(24) if int(policy["mask"], 0) >> i & 1}
		assert quoted == set(allow), "the agent would quote other PCRs"
		bad = [i for i in allow if i not in quote or quote[i] not in allow[i]]
		print(*bad)
	EOF
}

@test "keylime: its rules accept the predicted registers, each of a set, and no others" {
	export_to keylime gcp.json
	for i in 0 1; do
		quote=$(jq -c --argjson i $i '.banks.sha256 + (.accepted.sha256 | map_values(.[$i]))' gcp.json)
		[ -z "$(keylime_judges "$quote")" ]
	done
	for pcr in 0 4 15; do
		[ "$(keylime_judges "$(jq -c --arg p $pcr '.[$p] = ("ab" * 32)' <<< "$quote")")" = $pcr ]
		[ "$(keylime_judges "$(jq -c --arg p $pcr 'del(.[$p])' <<< "$quote")")" = $pcr ]
	done
}

@test "rvps: the message that trustee's sample extractor reads, under the names of its policies" {
	export_to rvps gcp.json
	holds "0 2 3 4 5 6 8 9 11 12 13 14 15 / 14" rvps gcp.json sha256
	[ "$(grep -c "left out" "$tmp/said")" -eq 3 ]
	[ "$(jq -r .payload "$tmp/out" | base64 -d | jq -c .tpm_pcr0)" = "$(jq -c '.accepted.sha256["0"]' gcp.json)" ]
	export_to rvps small.json --bank sha384 --pcrs 10,11 --phase enter-initrd
	holds "10 11 / 2" rvps small.json sha384 enter-initrd
	refuses 2 "*: rvps does not tell banks apart: name one of them" small.json --format rvps --bank sha1,sha384
	"$assay" precompute disk.img --platform small.yaml --bank sha1,sha384 --json -o "$tmp/two.json"
	refuses 2 "*: rvps does not tell banks apart: name one of sha1,sha384" "$tmp/two.json" --format rvps
}

@test "pcrs-json: everything, and what is missing with its reason" {
	export_to pcrs-json gcp.json
	n=$(jq '[.banks[][]] + [.accepted[][][]] | length' gcp.json)
	holds "0 2 3 4 5 6 8 9 11 12 13 14 15 / $n" pcrs-json gcp.json
	[ "$(jq -r '.without_value | keys | join(" ")' "$tmp/out")" = "1 10 7" ]
	[ "$(jq -r .without_value[\"1\"] "$tmp/out")" = "$(jq -r '.pcrs[1].reason' gcp.json)" ]
	[ "$(grep -c "left out" "$tmp/said")" -eq 3 ]
	export_to pcrs-json small.json --bank sha512,sha1 --pcrs 11
	holds "11 / 2" pcrs-json small.json
	[ "$(jq -r '.banks | keys | join(" ")' "$tmp/out")" = "sha1 sha512" ]
}

@test "pcrlock: events that lead to the golden values, in files by PCR and part" {
	"$assay" export small.json --format pcrlock -o "$tmp/out" 2> "$tmp/said"
	holds "4 5 9 11 / 16" pcrlock small.json
	[ "$(cat "$tmp/said")" = "assay export: small.json: PCR 10 is left out: IMA's events are in no log that systemd-pcrlock reads" ]
	"$assay" precompute disk.img --platform platform.yaml --json -o "$tmp/p.json"
	rm -r "$tmp/out"
	"$assay" export "$tmp/p.json" --format pcrlock -o "$tmp/out/" 2> /dev/null
	n=$(jq '[.banks.sha256, .banks.sha1 | to_entries[] | select(.value | test("^0+$") | not) | select(.key != "10")] | length' "$tmp/p.json")
	holds "0 1 2 3 4 5 6 7 9 11 / $n" pcrlock "$tmp/p.json"
	rm -r "$tmp/out" && mkdir "$tmp/out" # an empty one is taken
	"$assay" export gcp.json --format pcrlock --bank sha256 --pcrs 0,4 -o "$tmp/out"
	holds "0 4 / 3" pcrlock gcp.json
	[ "$(ls "$tmp/out/250-firmware-code-early-pcr0.pcrlock.d")" = $'01.pcrlock\n02.pcrlock' ]
}

@test "pcrlock: what does not lead there is refused, and so are IMA, phases, and a folder with something in it" {
	# one bit of one event; one of a set; a value that no event leads to
	for fault in '.pcrs[4].events[1].digests.sha384 |= sub("^.."; "00")' '.pcrs[0].events[0].accepted[1] = .pcrs[0].events[0].accepted[0]' \
		'.banks.sha1["11"] |= sub("^.."; "00")' '.pcrs[5].events |= .[1:]' '.pcrs[12].events = .pcrs[11].events'; do
		jq "$fault" gcp.json > "$tmp/bad.json"
		refuses 1 "*bad.json: PCR *: its events do not lead to its golden values" "$tmp/bad.json" --format pcrlock -o "$tmp/out"
		[ ! -e "$tmp/out" ]
	done
	refuses 1 "*: pcrlock cannot hold PCR 10: *" small.json --format pcrlock --pcrs 10 -o "$tmp/out"
	refuses 1 "*: nothing is measured into these PCRs" small.json --format pcrlock --pcrs 12-15 -o "$tmp/out"
	refuses 2 "*: pcrlock does not go by the phase of the boot" small.json --format pcrlock --phase enter-initrd -o "$tmp/out"
	refuses 2 "*: pcrlock is a directory: -o DIR is missing" small.json --format pcrlock
	mkdir "$tmp/full"
	echo mine > "$tmp/full/600-gpt.pcrlock"
	refuses 1 "*PCR 10 is left out*" small.json --format pcrlock -o "$tmp/full"
	grep -q "full: is there already, and not empty" "$tmp/stderr"
	[ "$(cat "$tmp/full/600-gpt.pcrlock")" = mine ]
	[ "$(find "$tmp" -name '.assay-*' | wc -l)" -eq 0 ]
}

# predicts PREDICTION CHOICE PCR...: a machine that measured the prediction, of each set this value.
predicts() {
	need swtpm swtpm_setup tpm2_pcrextend
	load pcrlock
	mkdir "$tmp/tpm-$2"
	"$top/tests/cli/export_log.py" "$1" "$tmp/tpm-$2/log" "$tmp/tpm-$2/extends" "$2"
	pcrlock_predicts "$tmp/out" "$1" "$tmp/tpm-$2" "${@:3}"
}

@test "pcrlock: systemd-pcrlock lists the components, knows every event again and predicts our values" {
	"$top/scripts/trixie-tool.sh" systemd-pcrlock --version > /dev/null || skip "systemd-pcrlock cannot be had"
	"$assay" export small.json --format pcrlock -o "$tmp/out" 2> /dev/null
	"$top/scripts/trixie-tool.sh" systemd-pcrlock --components="$tmp/out" list-components --json=short > "$tmp/list" 2> "$tmp/said"
	[ ! -s "$tmp/said" ]
	diff <(jq -r '.[].id' "$tmp/list") <(ls "$tmp/out" | sed 's/\.pcrlock$//')
	predicts small.json 0 0 1 2 3 4 5 7 8 9 11 12 13 14 15
}

@test "pcrlock: systemd-pcrlock predicts each accepted value, whichever the machine has" {
	"$top/scripts/trixie-tool.sh" systemd-pcrlock --version > /dev/null || skip "systemd-pcrlock cannot be had"
	"$assay" export gcp.json --format pcrlock -o "$tmp/out" 2> /dev/null
	"$top/scripts/trixie-tool.sh" systemd-pcrlock --components="$tmp/out" list-components --json=short > "$tmp/list"
	[ "$(jq -r '.[].id' "$tmp/list" | grep -c 250-firmware-code-early-pcr0)" -eq 2 ]
	for choice in 0 1; do
		predicts gcp.json $choice 0 2 3 4 5 8 9 11 12 13 14 15
	done
}

# The Python that has cbor2.
with_cbor2() {
	for python in python3 /usr/bin/python3; do
		! "$python" -c 'import cbor2' 2> /dev/null || return 0
	done
	skip "python3-cbor2 is not installed"
}

# is_corim WORDS PREDICTION [PHASE]: as holds, by cbor2.
is_corim() {
	run -0 "$python" "$top/tests/cli/export_check.py" corim "$2" "$tmp/out" "" "${@:3}"
	[ "$output" = "$1" ] || {
		echo "$output, expected $1"
		false
	}
}

@test "corim: canonical CBOR with every value, a state for each combination of sets" {
	with_cbor2
	export_to corim small.json
	is_corim "$all / 48" small.json
	[ "$(cat "$tmp/said")" = "assay export: small.json: bank sha1 is left out: the registry of algorithms does not have it" ]
	export_to corim small.json --bank sha384 --pcrs 4,11 --phase enter-initrd
	is_corim "4 11 / 2" small.json enter-initrd
	[ ! -s "$tmp/said" ]
	export_to corim gcp.json
	is_corim "0 2 3 4 5 6 8 9 11 12 13 14 15 / 28" gcp.json
	# two sets: their combinations
	jq '.accepted |= map_values(.["4"] = .["0"]) | .banks |= map_values(del(.["4"]))' gcp.json > "$tmp/two.json"
	export_to corim "$tmp/two.json"
	is_corim "0 2 3 4 5 6 8 9 11 12 13 14 15 / 30" "$tmp/two.json"
}

@test "corim: name, release, platform and validity of the manifest" {
	with_cbor2
	export_to corim both.json --platform small --bank sha256 --pcrs 4
	"$python" - "$tmp/out" <<- 'EOF'
		import cbor2, sys
		rim = cbor2.load(open(sys.argv[1], "rb")).value
		mid = cbor2.loads(rim[1][0].value)
		assert rim[0] == "assay:example:7:small" and mid[1] == {0: "assay:example:7:small", 1: 7}, (rim[0], mid[1])
		assert [rim[4][k].isoformat() for k in (0, 1)] == ["2026-11-22T00:00:00+00:00", "2027-11-22T00:00:00+00:00"], rim[4]
		assert mid[4][0][0][0] == {0: {1: "example", 2: "small"}}
	EOF
}

@test "corim: Debian's cddl accepts it by our reading of the draft, and nothing that is off" {
	with_cbor2
	"$top/scripts/fetch-deb.sh" sid "$top/build/sid-tools" cddl || skip "cddl of Debian sid cannot be had"
	cddl=$top/build/sid-tools/usr/bin/cddl
	"$cddl" --version > /dev/null || skip "cddl of Debian sid does not run here"
	for file in small gcp both; do
		platform=small
		[ $file != gcp ] || platform=gcp
		export_to corim $file.json --platform $platform
		run -0 "$cddl" --ci validate --cddl "$top/tests/cli/corim.cddl" --cbor "$tmp/out"
	done
	# another tag, within and without; a value of another length; registers by name; no claims
	"$python" - "$tmp" <<- 'EOF'
		import cbor2, sys
		def tagged(n, v):
		    return cbor2.CBORTag(n, v)
		rim = cbor2.load(open(sys.argv[1] + "/out", "rb")).value
		def mid():
		    return cbor2.loads(rim[1][0].value)
		def whole(m, outer=501, inner=506):
		    return tagged(outer, {**rim, 1: [tagged(inner, cbor2.dumps(m))]})
		def registers(change):
		    m = mid()
		    change(m[4][0][0][1][0][1][14])
		    return m
		bad = [
		    whole(mid(), outer=500), whole(mid(), inner=505), tagged(501, {k: v for k, v in rim.items() if k}),
		    whole(registers(lambda r: r.__setitem__(4, [[1, b"x" * 31]]))), whole(registers(lambda r: r.__setitem__("4", r.pop(4)))),
		    whole(registers(lambda r: r.__setitem__(4, []))), whole(registers(lambda r: r.clear())), whole({**mid(), 4: {}}),
		    whole(registers(lambda r: r.__setitem__(4, [[2, b"x" * 32]]))),
		]
		for i, item in enumerate(bad):
		    cbor2.dump(item, open(f"{sys.argv[1]}/bad{i}", "wb"))
	EOF
	for file in "$tmp"/bad*; do
		run ! "$cddl" --ci validate --cddl "$top/tests/cli/corim.cddl" --cbor "$file"
	done
	[ "$(find "$tmp" -name 'bad*' | wc -l)" -eq 9 ]
}

@test "corim: SHA-1 asked for, too many combinations" {
	refuses 1 "*: corim cannot hold values of sha1: *" small.json --format corim --bank sha1,sha256
	"$assay" precompute disk.img --platform small.yaml --bank sha1 --json -o "$tmp/sha1.json"
	refuses 1 "*: corim cannot hold values of sha1: *" "$tmp/sha1.json" --format corim
	jq '.accepted |= map_values(.["4"] = .["0"] | .["5"] = .["0"] | .["6"] = .["0"] | .["2"] = .["0"] | .["3"] = .["0"] | .["8"] = .["0"]) |
		.banks |= map_values(del(.["4", "5", "6", "2", "3", "8"]))' gcp.json > "$tmp/many.json"
	refuses 1 "*: more combinations of accepted values than 64: *" "$tmp/many.json" --format corim
}

# uki_disk: a disk with a UKI of known sections, which stay beside it, and its prediction in uki.json.
uki_disk() {
	need mkfs.vfat mmd mcopy python3 openssl
	export MTOOLS_SKIP_CHECK=1
	cd "$tmp"
	for s in osrel cmdline initrd uname; do
		echo "some $s" > $s
	done
	"$top/tests/fixtures/make-pe.py" linux .text=code put=0xc4:0300 tail=100
	"$top/tests/fixtures/make-pe.py" BOOTX64.EFI '.sdmagic=#### LoaderInfo: systemd-stub 257.13 ####' .osrel=@osrel .cmdline=@cmdline \
		.initrd=@initrd .uname=@uname .linux=@linux
	mkfs.vfat -C -F 12 esp.img 4096 > /dev/null
	mmd -i esp.img ::/EFI ::/EFI/BOOT
	mcopy -i esp.img BOOTX64.EFI ::/EFI/BOOT/
	"$top/tests/fixtures/make-gpt.py" disk.img 8 esp:1:4:esp.img
	"$assay" precompute disk.img --platform "$scratch/small.yaml" --json -o uki.json
}

# measure WORD...: Debian 13's systemd-measure of the sections of uki_disk.
measure() {
	"$top/scripts/trixie-tool.sh" systemd-measure "$1" --linux=linux --osrel=osrel --cmdline=cmdline --initrd=initrd --uname=uname \
		--json=short "${@:2}" || skip "systemd-measure cannot be had"
}

@test "pcrsig: bit for bit what systemd-measure signs, every bank and phase" {
	uki_disk
	openssl genrsa -out key.pem 3072 2> /dev/null
	export_to pcrsig uki.json --key key.pem
	banks=(--bank=sha1 --bank=sha256 --bank=sha384 --bank=sha512)
	measure sign --private-key=key.pem "${banks[@]}" > theirs
	diff <(jq -S . out) <(jq -S . theirs)
	[ "$(jq '[.[][]] | length' out)" -eq 16 ]
	export_to pcrsig uki.json --key key.pem --bank sha256 --phase enter-initrd:leave-initrd:sysinit:ready:shutdown
	measure sign --private-key=key.pem --bank=sha256 --phase=enter-initrd:leave-initrd:sysinit:ready:shutdown > theirs
	diff <(jq -S . out) <(jq -S . theirs)
}

@test "pcrsig: OpenSSL alone accepts the signatures, for policies computed from the prediction" {
	need openssl
	openssl genrsa -out "$tmp/key.pem" 2048 2> /dev/null
	openssl rsa -in "$tmp/key.pem" -pubout -out "$tmp/pub.pem" 2> /dev/null
	export_to pcrsig small.json --key "$tmp/key.pem"
	python3 - small.json "$tmp" <<- 'EOF'
		import base64, hashlib, json, struct, subprocess, sys
		p, tmp = json.load(open(sys.argv[1])), sys.argv[2]
		ids = {"sha1": 4, "sha256": 11, "sha384": 12, "sha512": 13}
		out, n = json.load(open(tmp + "/out")), 0
		assert list(out) == sorted(ids)
		for bank, entries in out.items():
		    assert len(entries) == 4
		    for entry, phase in zip(entries, p["phases"]):
		        value = bytes.fromhex(phase["pcr11"][bank])
		        head = struct.pack(">IIHB3s", 0x17f, 1, ids[bank], 3, b"\0\x08\0")
		        pol = hashlib.sha256(bytes(32) + head + hashlib.sha256(value).digest()).digest()
		        assert entry["pcrs"] == [11] and entry["pol"] == pol.hex(), (bank, phase["phase"])
		        open(tmp + "/pol", "wb").write(pol)
		        open(tmp + "/sig", "wb").write(base64.b64decode(entry["sig"], validate=True))
		        subprocess.run(["openssl", "dgst", "-" + bank, "-verify", tmp + "/pub.pem", "-signature", tmp + "/sig", tmp + "/pol"],
		                       check=True, stdout=subprocess.DEVNULL)
		        n += 1
		assert n == 16
	EOF
}

@test "pcrsig: keys that are none, other PCRs, a prediction without PCR 11" {
	need openssl
	openssl genrsa -out "$tmp/key.pem" 2048 2> /dev/null
	openssl genrsa -out "$tmp/weak.pem" 1024 2> /dev/null
	openssl ecparam -name prime256v1 -genkey -noout -out "$tmp/ec.pem"
	openssl rsa -in "$tmp/key.pem" -aes128 -passout pass:x -out "$tmp/locked.pem" 2> /dev/null
	refuses 2 "*: pcrsig wants a private key" small.json --format pcrsig
	refuses 2 "*: keylime is not signed: it wants no key" small.json --format keylime --key "$tmp/key.pem"
	refuses 1 "*weak.pem: an RSA key with 1024 bits: *" small.json --format pcrsig --key "$tmp/weak.pem"
	refuses 1 "*ec.pem: PCR signatures are made with RSA keys, not ECDSA P-256" small.json --format pcrsig --key "$tmp/ec.pem"
	refuses 1 "*small.json: *no private key*" small.json --format pcrsig --key small.json
	# A passphrase in a file, a wrong one, none and nobody to ask.
	echo x > "$tmp/word"
	echo y > "$tmp/other"
	export_to pcrsig small.json --key "$tmp/locked.pem" --passphrase-file "$tmp/word"
	"$assay" export small.json --format pcrsig --key "$tmp/key.pem" | cmp - "$tmp/out"
	refuses 1 "*locked.pem: *" small.json --format pcrsig --key "$tmp/locked.pem" --passphrase-file "$tmp/other"
	refuses 1 "*locked.pem: *" small.json --format pcrsig --key "$tmp/locked.pem" < /dev/null
	refuses 1 "*nonesuch: *No such file or directory" small.json --format pcrsig --key nonesuch
	refuses 2 "*: pcrsig is of PCR 11, and of no other" small.json --format pcrsig --key "$tmp/key.pem" --pcrs 4,11
	jq 'del(.phases) | .banks |= map_values(del(."11")) | .pcrs[11] |= (.status = "unknown" | .events = [])' small.json > "$tmp/none.json"
	refuses 1 "*: PCR 11 has no golden value: it is 'unknown'" "$tmp/none.json" --format pcrsig --key "$tmp/key.pem"
	jq 'del(.phases)' small.json > "$tmp/none.json"
	refuses 1 "*: the prediction has no phases; PCR 11 is 'image' in it" "$tmp/none.json" --format pcrsig --key "$tmp/key.pem"
}

@test "--phase: PCR 11 as it is after it, and nothing else moves" {
	for phase in enter-initrd enter-initrd:leave-initrd:sysinit:ready; do
		export_to keylime small.json --phase $phase
		holds "${all/ 10/} / 15" keylime small.json sha256 $phase
		run -1 "$top/tests/cli/export_check.py" keylime small.json "$tmp/out" sha256
		export_to pcrs-json small.json --phase $phase
		holds "$all / 64" pcrs-json small.json "" $phase
		[ "$(jq -r .phase "$tmp/out")" = $phase ]
	done
	refuses 1 "*: the prediction has no phase 'ready', but enter-initrd, *" small.json --format keylime --phase ready
	refuses 2 "*: a phase is of PCR 11, which is not among those wanted" small.json --format nitro --phase enter-initrd
	jq 'del(.phases)' small.json > "$tmp/none.json"
	refuses 1 "*: the prediction has no phases; PCR 11 is 'image' in it" "$tmp/none.json" --format keylime --phase enter-initrd
}

@test "a manifest: statement or envelope, and the platform that is named" {
	"$assay" manifest create disk.img --platform small.yaml --name example --release 7 --not-before 2026-11-22 --statement \
		-o "$tmp/statement.json"
	jq '.predicate.predictions[0]' "$tmp/statement.json" > "$tmp/own.json"
	export_to pcrs-json "$tmp/statement.json"
	holds "$all / 64" pcrs-json "$tmp/own.json"
	[ "$(jq -c '[.image, .release, .platform]' "$tmp/out")" = '["example",7,"small"]' ]
	jq -r .payload both.json | base64 -d > "$tmp/two.json"
	for i in 0 1; do
		jq ".predicate.predictions[$i]" "$tmp/two.json" > "$tmp/own.json"
		name=$(jq -r .platform.name "$tmp/own.json")
		export_to keylime both.json --platform "$name"
		run -0 "$top/tests/cli/export_check.py" keylime "$tmp/own.json" "$tmp/out" sha256
	done
	refuses 2 "*several platforms, name one: small, gcp" both.json --format keylime
	refuses 1 "*has no prediction for platform aws, but for small, gcp" both.json --format keylime --platform aws
	refuses 1 "*a prediction for platform small, not for aws" small.json --format keylime --platform aws
}

@test "mistakes: no format, an unknown one, PCRs that are none, files of another kind" {
	refuses 2 "*--format FORMAT is missing" small.json
	refuses 2 "*no format 'tss'; there are *keylime*" small.json --format tss
	for list in "" "," "4," ",4" 4-2 24 4-24 x 4x -4 4- 4--5 99999999999999999999; do
		refuses 2 "*--pcrs: PCRs like 0,4-7, not '$list'" small.json --format keylime "--pcrs=$list"
	done
	refuses 1 "*PCR 16 has no golden value: predictions end with PCR 15" small.json --format keylime --pcrs 4,16
	refuses 2 "*sha1*" small.json --format keylime --bank sha1,sha1
	refuses 1 "*container_measurements.json: *" "$top/container_measurements.json" --format keylime
	refuses 1 "*machine.log: *" machine.log --format keylime
}

@test "the same call gives the same bytes, and a refusal leaves the old file" {
	for format in nitro aicert keylime pcrs-json rvps corim; do
		export_to $format small.json
		"$assay" export small.json --format $format 2> /dev/null | cmp - "$tmp/out"
	done
	cp "$tmp/out" "$tmp/old"
	run -1 "$assay" export gcp.json --format nitro -o "$tmp/out"
	cmp "$tmp/old" "$tmp/out"
}
