#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# assay log show and assay log replay: their output, their refusals, and what tpm2_eventlog,
# libefivar and real machines say. Logs of our own making are in tests/corpus/eventlog.

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || exit
	top=$PWD
	assay=$top/${ASSAY_TEST_OUT:-build}/assay
	corpus=$top/tests/corpus/eventlog
	shared=${ASSAY_SHARED:-../shared}/data/eventlogs
	tmp=$BATS_TEST_TMPDIR
}

need() {
	command -v "$1" > /dev/null || skip "$1 is missing"
}

need_shared() {
	[ -e "$shared/known-pcrs.json" ] || skip "no shared data: $shared"
}

@test "show: a line for each event, aligned" {
	run -0 "$assay" log show "$corpus/tcg2"
	[ "${lines[0]}" = "event  PCR  type                              sha256             what" ]
	[ "${lines[1]}" = "    0    0  EV_NO_ACTION                      -                  log header: specification 2.0 errata 0, client, sha1, sha256" ]
	[ "${lines[2]}" = "    1    0  EV_NO_ACTION                      -                  startup locality 3: PCR 0 starts at 3" ]
	[[ ${lines[3]} == "    2    -  EV_NO_ACTION                      -                  reference manifest "* ]]
	[ "${lines[7]}" = "    6    7  EV_EFI_VARIABLE_DRIVER_CONFIG     ccfc4bb32888a345…  variable SecureBoot (EFI global): on" ]
	[ "${lines[13]}" = "   12    4  EV_EFI_ACTION                     3d6772b4f84ed475…  action \"Calling EFI Application from Boot Option\"" ]
	[ "${#lines[@]}" -eq 20 ]
}

@test "show: the registers of a CCEL are not called PCRs" {
	run -0 "$assay" log show "$corpus/ccel"
	[[ ${lines[0]} == "event   MR  type "*" sha384 "* ]]
}

schemas() {
	need python3
	python3 -c 'import jsonschema' 2> /dev/null || skip "python3-jsonschema is missing"
	cat > "$tmp/check.py" <<- 'EOF'
	import json, jsonschema, sys
	schema = json.load(open(sys.argv[1]))
	jsonschema.Draft202012Validator.check_schema(schema)
	jsonschema.Draft202012Validator(schema).validate(json.load(sys.stdin))
	EOF
	local n=0 log
	for log; do
		"$assay" log show --json "$log" > "$tmp/show" 2> /dev/null || continue
		python3 "$tmp/check.py" docs/schemas/eventlog-1.json < "$tmp/show"
		"$assay" log replay --json "$log" | python3 "$tmp/check.py" docs/schemas/replay-1.json
		n=$((n + 1))
	done
	echo "$n logs"
	[ "$n" -ge 7 ]
	# and the check does check
	"$assay" log show --json "$corpus/tcg2" > "$tmp/show"
	run ! python3 "$tmp/check.py" docs/schemas/replay-1.json < "$tmp/show"
}

@test "show and replay: JSON is of its schema" {
	schemas "$corpus"/*
}

@test "show and replay: JSON is of its schema, real logs" {
	need_shared
	schemas "$shared"/*
}

@test "replay: lines that compare reads, reasons as comments" {
	run -0 "$assay" log replay --bank sha256 "$corpus/hcrtm"
	[ "${#lines[@]}" -eq 2 ]
	[[ ${lines[0]} =~ ^sha256\ 0\ [0-9a-f]{64}$ ]]
	[ "${lines[1]}" = "# sha256 1-23: no event of the log extends it" ]
	run -0 "$assay" log replay "$corpus/fewer"
	[[ $output == *"# sha1 0-23: the log's header announces sha1, and no event has such a digest"* ]]
	[[ $output == *"# sha256 17: a dynamic launch resets it"* ]]
}

@test "replay: a CCEL gives RTMRs and no PCRs" {
	run -0 "$assay" log replay "$corpus/ccel"
	[[ ${lines[0]} =~ ^sha384\ RTMR0\ [0-9a-f]{96}$ ]]
	run -0 "$assay" log replay --json "$corpus/ccel"
	[[ $output == *'"rtmrs"'* ]]
	[[ $output != *'"banks"'* ]]
}

@test "replay: the same twice, byte for byte" {
	"$assay" log replay --json "$corpus/tcg2" > "$tmp/a"
	"$assay" log replay --json "$corpus/tcg2" | cmp - "$tmp/a"
	"$assay" log show --json "$corpus/tcg2" > "$tmp/a"
	"$assay" log show --json "$corpus/tcg2" | cmp - "$tmp/a"
}

@test "bad input: one line with file, structure and offset; exit 1" {
	: > "$tmp/empty"
	head -c 65536 /dev/zero > "$tmp/zeros"
	head -c 200 "$corpus/tcg2" > "$tmp/cut"
	head -c 65536 "$assay" > "$tmp/program"
	local verb name
	for verb in show replay; do
		for name in empty zeros cut program; do
			run -1 --separate-stderr "$assay" log $verb "$tmp/$name"
			[ -z "$output" ]
			[ "${#stderr_lines[@]}" -eq 1 ]
			[[ ${stderr_lines[0]} == "assay log $verb: $tmp/$name: "* ]]
		done
		run -1 --separate-stderr "$assay" log $verb "$tmp/empty"
		[[ $stderr == *": the event log is empty" ]]
		run -1 --separate-stderr "$assay" log $verb "$tmp/zeros"
		[[ $stderr == *": no event log: nothing but bytes of 0x00 (at byte 0x0)" ]]
		run -1 --separate-stderr "$assay" log $verb "$tmp/cut"
		[[ $stderr == *"event 2 of the log cut short: "*" bytes wanted, "*" left (at byte 0x"* ]]
		run -1 --separate-stderr "$assay" log $verb "$tmp/program"
		[[ $stderr == *"event 0 extends PCR 0x464c457f: no event log, or a damaged one (at byte 0x0)" ]]
		run -1 --separate-stderr "$assay" log $verb "$tmp"
		[[ $stderr == *"not a regular file"* ]]
		run -1 --separate-stderr "$assay" log $verb "$tmp/absent"
		[[ $stderr == *"No such file"* ]]
	done
	run -1 --separate-stderr "$assay" log replay --bank sha512 "$corpus/tcg2"
	[ -z "$output" ]
	[[ $stderr == *"no event has a sha512 digest"* ]]
}

@test "usage: exit 2" {
	run -2 "$assay" log show
	run -2 "$assay" log show a b
	run -2 "$assay" log show --bank sha1 "$corpus/tcg2"
	run -2 "$assay" log replay
	run -2 "$assay" log replay --bank md5 "$corpus/tcg2"
	[[ $output == *"no bank 'md5'"* ]]
	run -2 "$assay" log replay --bank sha1,sha1 "$corpus/tcg2"
	run -2 "$assay" log replay --unknown "$corpus/tcg2"
}

@test "a full disk is noticed" {
	[ -w /dev/full ] || skip "no /dev/full"
	run -1 bash -c '"$0" log show "$1" > /dev/full' "$assay" "$corpus/tcg2"
	run -1 bash -c '"$0" log replay "$1" > /dev/full' "$assay" "$corpus/tcg2"
	run -1 bash -c '"$0" log show --json "$1" > /dev/full' "$assay" "$corpus/tcg2"
}

# The logs are of two boots in QEMU, the values what the guests read from their TPMs.
@test "replay: PCRs of our own boots" {
	local name line n=0
	for name in ovmf-2025.02 ovmf-2025.02-sb; do
		while read -r line; do
			[[ $line != \#* ]] || continue
			grep -qixF -- "$line" "tests/fixtures/eventlog/$name.pcrs"
			n=$((n + 1))
		done < <("$assay" log replay "$corpus/$name")
	done
	[ "$n" -eq 60 ] # 0 to 7, 9 and 11 in three banks, twice
}

@test "replay: PCRs of real machines" {
	need_shared
	need python3
	cat > "$tmp/check.py" <<- 'EOF'
	import json, os, subprocess, sys
	assay, shared = sys.argv[1:]
	equal = 0
	for log, known in json.load(open(shared + "/known-pcrs.json")).items():
	    out = subprocess.run([assay, "log", "replay", "--json", os.path.join(shared, log)],
	                         capture_output=True, check=True).stdout
	    ours = json.loads(out)
	    for bank, pcrs in known["pcrs"].items():
	        for pcr, value in pcrs.items():
	            if pcr in ours["banks"][bank]:
	                assert ours["banks"][bank][pcr] == value.lower(), (log, bank, pcr)
	                equal += 1
	            else:
	                assert ours["unreplayed"][bank][pcr], (log, bank, pcr)
	print(equal, "PCRs equal")
	assert equal >= 100
	EOF
	run -0 python3 "$tmp/check.py" "$assay" "$shared"
	sed "s/^/# /" <<< "$output" >&3
}

# tpm2_eventlog 5.4 ignores StartupLocality, and extends PCRs by the digests (zeros) of EV_NO_ACTION
# events too, where the machines' own values say that it must not: PCRs with such events are left
# out. It rejects CCELs, logs without a Spec ID event, and events in no PCR: not compared.
as_tpm2_eventlog() { # EVENTS PCRS LOG...
	need tpm2_eventlog
	need python3
	cat > "$tmp/check.py" <<- 'EOF'
	import json, re, subprocess, sys
	assay, at_least, logs = sys.argv[1], sys.argv[2:4], sys.argv[4:]
	compared = pcrs = 0
	for log in logs:
	    theirs = subprocess.run(["tpm2_eventlog", log], capture_output=True)
	    show = subprocess.run([assay, "log", "show", "--json", log], capture_output=True)
	    if theirs.returncode or show.returncode or b"EventNum" not in theirs.stdout:
	        print("not compared:", log)
	        continue
	    show = json.loads(show.stdout)
	    replay = json.loads(subprocess.run([assay, "log", "replay", "--json", log],
	                                       capture_output=True, check=True).stdout)
	    events, tail = theirs.stdout.decode(errors="replace").split("\npcrs:\n")
	    blocks = re.split(r"^- EventNum: \d+$", events, flags=re.M)[1:]
	    assert len(blocks) == len(show["events"]), log
	    for ours, block in zip(show["events"], blocks):
	        assert int(re.search(r"PCRIndex: (\d+)", block)[1]) == ours["pcr"], (log, ours)
	        name = re.search(r"EventType: (\S+)", block)[1]
	        assert name in (ours["type"], "Unknown"), (log, name, ours["type"])
	        found = dict(re.findall(r'AlgorithmId: (\w+)\s+Digest: "([0-9a-f]+)"', block))
	        if ours["number"]:  # the header has its digest in another place
	            assert found == ours["digests"], (log, ours["number"])
	        compared += 1
	    if "banks" not in replay:
	        continue
	    no_action = {e["pcr"] for e in show["events"][1:] if not e["extended"]}
	    bank = None
	    for line in tail.splitlines():
	        if m := re.match(r"  (\w+):$", line):
	            bank = m[1]
	        elif m := re.match(r"    (\d+)\s*: 0x([0-9a-f]+)$", line):
	            if int(m[1]) in no_action:
	                continue
	            assert replay["banks"][bank][m[1]] == m[2], (log, bank, m[1])
	            pcrs += 1
	print(compared, "events and", pcrs, "PCRs equal")
	assert compared >= int(at_least[0]) and pcrs >= int(at_least[1])
	EOF
	run -0 python3 "$tmp/check.py" "$assay" "$@"
	sed "s/^/# /" <<< "$output" >&3
}

@test "events and PCRs as tpm2_eventlog has them: our own boots" {
	as_tpm2_eventlog 76 60 "$corpus"/ovmf-*
}

@test "events and PCRs as tpm2_eventlog has them: real machines" {
	need_shared
	as_tpm2_eventlog 840 200 "$shared"/google* "$shared"/immune* "$shared"/keylime* "$shared"/tpm2*
}

as_libefivar() { # PATHS LOG...
	need python3
	python3 -c 'import ctypes; ctypes.CDLL("libefivar.so.1")' 2> /dev/null || skip "libefivar.so.1 is missing"
	cat > "$tmp/check.py" <<- 'EOF'
	import ctypes, json, re, struct, subprocess, sys
	lib = ctypes.CDLL("libefivar.so.1")
	lib.efidp_format_device_path.restype = ctypes.c_ssize_t
	lib.efidp_format_device_path.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p,
	                                         ctypes.c_ssize_t]

	def theirs(path):
	    text = ctypes.create_string_buffer(8192)
	    assert lib.efidp_format_device_path(text, 8192, path, len(path)) >= 0
	    return text.value.decode()

	def same(text):  # the two agree on what is said, not on how numbers are written
	    text = text.lower().replace("fvvol(", "fv(")
	    text = re.sub(r"file\((.*?)\)", r"\1", text)
	    return re.sub(r"0x[0-9a-f]+|(?<=[(,])\d+(?=[,)])", lambda m: str(int(m[0], 0)), text)

	paths = {}
	for log in sys.argv[3:]:
	    out = subprocess.run([sys.argv[1], "log", "show", "--json", log], capture_output=True)
	    if out.returncode:
	        continue
	    for e in json.loads(out.stdout)["events"]:
	        data = bytes.fromhex(e["data"])
	        if "BOOT_SERVICES" in e["type"]:
	            path = data[32:32 + struct.unpack_from("<Q", data, 24)[0]]
	            text = re.sub(r" \(0x[0-9a-f]+ bytes\)$", "", e["description"].split(" ", 1)[1])
	        elif e["type"] == "EV_EFI_VARIABLE_BOOT" and "variable Boot0" in e["description"]:
	            value = data[32 + 2 * struct.unpack_from("<Q", data, 16)[0]:]
	            end = 6
	            while value[end:end + 2] != b"\0\0":
	                end += 2
	            path = value[end + 2:end + 2 + struct.unpack_from("<H", value, 4)[0]]
	            text = re.sub(r"(, not active|, hidden|, options .*)*$", "",
	                          e["description"].split('" ', 1)[1])
	        else:
	            continue
	        # libefivar 37 prints two IP addresses as one, and BBS nodes with a third field
	        if path and not re.search(r"IPv|BBS", text):
	            paths[path] = text
	for path, text in paths.items():
	    assert same(theirs(path)) == same(text), (theirs(path), text)
	print(len(paths), "device paths equal")
	assert len(paths) >= int(sys.argv[2])
	EOF
	run -0 python3 "$tmp/check.py" "$assay" "$@"
	sed "s/^/# /" <<< "$output" >&3
}

@test "device paths as libefivar has them: our own boots" {
	as_libefivar 4 "$corpus"/*
}

@test "device paths as libefivar has them: real machines" {
	need_shared
	as_libefivar 80 "$shared"/*
}

@test "signature databases as efitools count them" {
	need sig-list-to-certs
	need cert-to-efi-sig-list
	need hash-to-efi-sig-list
	need openssl
	need python3
	cd "$tmp"
	openssl req -x509 -newkey rsa:2048 -nodes -subj "/CN=key of the test" -days 2 -keyout k.pem -out c.pem 2> /dev/null
	cert-to-efi-sig-list -g 11111111-2222-3333-4444-555555555555 c.pem c.esl
	cat c.esl c.esl > db.esl
	python3 - <<- 'EOF'
	import hashlib, struct, uuid
	def event(pcr, type, data):
	    return (struct.pack("<IIIH", pcr, type, 1, 11) + hashlib.sha256(data).digest() +
	            struct.pack("<I", len(data)) + data)
	spec = b"Spec ID Event03\0" + struct.pack("<IBBBBIHHB", 0, 0, 2, 0, 2, 1, 11, 32, 0)
	db = open("db.esl", "rb").read()
	data = uuid.UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f").bytes_le + struct.pack("<QQ", 2, len(db)) + "db".encode("utf-16-le") + db
	open("log", "wb").write(struct.pack("<II", 0, 3) + bytes(20) + struct.pack("<I", len(spec)) + spec +
	                        event(7, 0x80000001, data) + event(7, 4, bytes(4)))
	EOF
	local print
	print=$(openssl x509 -in c.pem -outform DER | sha256sum | cut -c1-16)
	run -0 "$assay" log show log
	[[ $output == *"variable db (image security): 2 X.509 certificates: \"key of the test\" sha256 $print… owner 11111111-2222-3333-4444-555555555555, \"key of the test\""* ]]
	run -0 sig-list-to-certs db.esl out
	[ "$(ls out-* | wc -l)" -eq 2 ]
}

@test "the manual page, and its examples run" {
	need mandoc
	run -0 mandoc -Tlint -Wwarning man/assay-log.1
	[ -z "$output" ]
	cd "$tmp"
	cp "$corpus/tcg2" machine.log
	local n=0 line
	while read -r line; do
		PATH=${assay%/*}:$PATH bash -c "$line" > /dev/null
		n=$((n + 1))
	done < <(sed -n 's/^\.Dl \$ //p' "$top/man/assay-log.1")
	[ "$n" -eq 3 ]
}
