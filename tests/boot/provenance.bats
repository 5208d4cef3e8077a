#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# How a model was made, from end to end: a job disk with a trainer, its configuration and a data set out of a Debian package;
# the base image boots with it, measures, trains in the container assay-base, measures what came out, and proves it. Another
# checkout, which has the manifest, its key and the CA of attestation keys alone, verifies the proof and what it lists.

bats_require_minimum_version 1.5.0

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.."
	load ../cli/common
	load ../cli/swtpm
	local tool
	for tool in mmdebstrap mksquashfs veritysetup sfdisk qemu-system-x86_64 swtpm tpm2_quote jq faketime; do
		command -v "$tool" >/dev/null || skip "$tool is missing"
	done
	[ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null || skip "neither root nor sudo"
	make --no-print-directory image >"$BATS_FILE_TMPDIR/image.log" 2>&1 || {
		tail -n 30 "$BATS_FILE_TMPDIR/image.log" >&2
		return 1
	}
	export image=build/image/base.raw built=build/containers dir=$BATS_FILE_TMPDIR
	# What the job is made of. The package is not installed: the data set is one file of it.
	scripts/fetch-deb.sh trixie build/debs/job python3-sklearn
	export data=build/debs/job/usr/lib/python3/dist-packages/sklearn/datasets/data/digits.csv.gz
	job_folder "$dir/disk"
	export root
	root=$(scripts/application-disk.sh "$dir/disk" "$dir/job.raw")
	machine
	run_job "$dir/job.raw" "$dir/vm"
	mkdir "$dir/got"
	tar -C "$dir/got" -xf "$dir/results.raw"
	checkout
}

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
}

# Another machine's checkout. It gets the manifest, the key of who signed it, the CA of attestation keys, and what came out.
checkout() {
	export other=$dir/elsewhere/assay
	if [ -e .git ] && [ -z "$(git status --porcelain)" ]; then
		git clone -q . "$other"
	else
		# Not a clone, or one with changes: what is in it
		mkdir -p "$other"
		tar -cf - --exclude=./build --exclude=./.git . | tar -C "$other" -xf -
	fi
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u MAKEOVERRIDES make -s -j2 -C "$other" build/assay
	mkdir "$other/m" "$other/m/trust"
	cp "$dir/manifest.json" "$dir/pub.pem" "$other/m"
	cp "$dir/tpm/ca/root.pem" "$dir/tpm/ca/intermediate.pem" "$other/m/trust"
	cp -r "$dir/got/." "$other/m"
}

# verify STATUS [PROOF] [OPTION...]: in the other checkout, which knows nothing of this one.
verify() {
	local status=$1 proof=m/proof.json
	shift
	if [[ ${1-} == *.json ]]; then
		proof=$1
		shift
	fi
	cd "$other" || return 1
	run -"$status" --separate-stderr env -i PATH="$PATH" build/assay verify "$proof" --manifest m/manifest.json --key m/pub.pem \
		--trust m/trust "$@"
	cd "$OLDPWD" || return 1
	echo "$output"
	echo "$stderr"
}
sha256() {
	sha256sum <"$1" | cut -c 1-64
}

# job_folder DIR: the folder of docs/PROVENANCE.md
job_folder() {
	mkdir -p "$1/job/inputs/code" "$1/job/inputs/dataset"
	cp docs/jobs/digits/job.yaml "$1/job"
	cp docs/jobs/digits/digits.yaml "$1/job/configuration.yaml"
	cp docs/jobs/digits/train.py "$1/job/inputs/code"
	cp "$data" "$1/job/inputs/dataset"
}

# The machine: its TPM has an attestation key as Azure's have it; its manifest is that of this very image and job disk.
machine() {
	# shellcheck source=scripts/reference.sh
	. scripts/reference.sh
	tpm_with_ak azure "$dir/tpm"
	stop_tpm
	truncate -s 4M "$dir/results.raw"
	# shellcheck disable=SC2154,SC2054 # reference_options: reference.sh; swtpm.bash leaves all banks on
	options=("${reference_options[@]}" --banks sha1,sha256,sha384,sha512 --disk "$image" --data "$dir/job.raw" --results "$dir/results.raw")
	declare -p options >"$dir/options"
	build/assay platform probe --name job-machine --qemu "$(scripts/vm.sh line "${options[@]}")" -o "$dir/machine.yaml"
	build/assay manifest create "$image" --data "$dir/job.raw" --platform "$dir/machine.yaml" --name base --release 1 --not-before @0 --expires +30000d \
		-o "$dir/manifest.json"
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$dir/key.pem" 2>/dev/null
	openssl pkey -in "$dir/key.pem" -pubout -out "$dir/pub.pem"
	build/assay manifest sign "$dir/manifest.json" --key "$dir/key.pem"
}

# run_job DISK DIR: one boot with this job disk; its results in $dir/results.raw, its console in DIR/serial.log.
run_job() {
	local try
	for ((try = 1; try <= 4; try++)); do
		rm -rf "$2"
		truncate -s 0 "$dir/results.raw"
		truncate -s 4M "$dir/results.raw"
		! scripts/vm.sh run "$2" "${options[@]}" --data "$1" --tpm-state "$dir/tpm/state" --timeout 900 || break
		# A guest kernel that died by itself (docs/TESTING.md)
		[ "$(cat "$2/end" 2>/dev/null)" = guest-reset ] || break
		echo "# the guest's kernel died; booted again" >&3
	done
	grep -aE 'assay-|container: |PCR ' "$2/serial.log" >&2 || tail -n 30 "$2/serial.log" >&2
	[ "$(cat "$2/end")" = guest-shutdown ]
}

@test "provenance: the guest measured in order, ran the trainer, and wrote proof and outputs" {
	[ "$(cd "$dir/got" && find . -type f | sort | tr '\n' ' ')" = "./out/model.safetensors ./out/report.json ./proof.json " ]
	# Above chance by far: 36 of 360.
	[ "$(jq .held_out_right "$dir/got/out/report.json")" -gt 330 ]
	grep -aq "assay-job: job digits in assay-base:1" "$dir/vm/serial.log"
	grep -aqE '^container: [0-9]+ of 360 held-out digits read' "$dir/vm/serial.log"
}

@test "provenance: total_flos is what the trainer's formula says, and the model is as good as the report has it, without NumPy" {
	python3 - "$dir/got/out" "$data" docs/jobs/digits/digits.yaml <<-'END'
		import gzip, json, struct, sys, yaml
		out, data, configuration = sys.argv[1:]
		c = yaml.safe_load(open(configuration))
		report = json.load(open(out + "/report.json"))
		lines = [list(map(float, line.split(","))) for line in gzip.open(data, "rt")]
		B, I, H, O = c["batch"], 64, c["hidden"], 10
		P = (I + 1) * H + (H + 1) * O
		S = c["epochs"] * ((len(lines) - c["held_out"]) // B)
		assert report["steps"] == S
		assert report["total_flos"] == S * (4 * B * I * H + 6 * B * H * O + 5 * B * H + 8 * B * O + 4 * P)
		raw = open(out + "/model.safetensors", "rb").read()
		n, = struct.unpack("<Q", raw[:8])
		w = {}
		for name, t in json.loads(raw[8:8 + n]).items():
		    a, b = t["data_offsets"]
		    flat = struct.unpack("<%dd" % ((b - a) // 8), raw[8 + n + a:8 + n + b])
		    rows, columns = t["shape"]
		    assert t["dtype"] == "F64" and rows * columns == len(flat)
		    w[name] = [flat[r * columns:(r + 1) * columns] for r in range(rows)]
		assert b + 8 + n == len(raw)
		def layer(x, name):
		    return [sum(a * b for a, b in zip(x, column)) + bias
		            for column, bias in zip(zip(*w[name + ".weight"]), w[name + ".bias"][0])]
		def read(line):
		    scores = layer([max(0, h) for h in layer([v / 16 for v in line[:64]], "hidden")], "digit")
		    return scores.index(max(scores))
		assert len(report["held_out"]) == c["held_out"]
		right = sum(read(lines[i]) == lines[i][64] for i in report["held_out"])
		assert right == report["held_out_right"], right
	END
}

@test "provenance: the same inputs give the same model on this machine: the container's Python, another CPU" {
	mkdir "$BATS_TEST_TMPDIR/tree" "$BATS_TEST_TMPDIR/out"
	tree=$BATS_TEST_TMPDIR/tree
	tar -xOf "$built/assay-base.tar" "$(tar -xOf "$built/assay-base.tar" manifest.json | jq -r '.[0].Layers[0]')" | tar -C "$tree" -x
	python() {
		env -i "$@" PYTHONHOME="$tree/usr" PYTHONDONTWRITEBYTECODE=1 "$tree/lib64/ld-linux-x86-64.so.2" --inhibit-cache \
			--library-path "$tree/usr/lib/x86_64-linux-gnu" "$tree/usr/bin/python3.13" "$dir/disk/job/inputs/code/train.py" \
			"$dir/disk/job/configuration.yaml" "$dir/disk/job/inputs/dataset/digits.csv.gz" "$BATS_TEST_TMPDIR/out"
	}
	python
	cmp "$BATS_TEST_TMPDIR/out/model.safetensors" "$dir/got/out/model.safetensors"
	python NPY_DISABLE_CPU_FEATURES="AVX2 FMA3 AVX512F AVX512CD AVX512_SKX"
	cmp "$BATS_TEST_TMPDIR/out/model.safetensors" "$dir/got/out/model.safetensors"
}

@test "provenance: another checkout verifies the proof by the manifest of this build, and lists what went in and came out" {
	verify 0
	[[ $output == *"verified    the machine runs base, release 1" ]]
	verify 0 --json
	verdict=$output
	[ "$(jq -c '[.verified, .reached, .manifest.name, .manifest.platform]' <<<"$verdict")" = '[true,"runtime","base","job-machine"]' ]
	# Order and registers
	[ "$(jq -r '.events[] | "\(.pcr) \(.kind)"' <<<"$verdict" | tr '\n' ' ')" = "15 disk 14 build_request 14 input_image 14 configuration \
14 input_resource 14 input_resource 15 sentinel 8 outputs 8 timing 8 compute_consumed " ]
	# Digests: those of the files that went in and came out.
	jq -r '.claims[] | "\(.kind) \(.name) \(.digest)"' <<<"$verdict" | sort >"$BATS_TEST_TMPDIR/claims"
	diff "$BATS_TEST_TMPDIR/claims" - <<-END
		configuration configuration.yaml sha256:$(sha256 docs/jobs/digits/digits.yaml)
		disk null $root
		input_image @local/assay-base:1 $(jq -r '."@local/assay-base:1"' "$built/container_measurements.json")
		input_resource code/train.py sha256:$(sha256 docs/jobs/digits/train.py)
		input_resource dataset/digits.csv.gz sha256:$(sha256 "$data")
		outputs model.safetensors sha256:$(sha256 "$dir/got/out/model.safetensors")
		outputs report.json sha256:$(sha256 "$dir/got/out/report.json")
	END
	# Compute as the trainer reports it, and the time: longer than the training itself.
	[ "$(jq '.events[] | select(.kind == "compute_consumed").content.total_flos' <<<"$verdict")" = \
		"$(jq .total_flos "$dir/got/out/report.json")" ]
	jq -e --argjson t "$(jq .training_seconds "$dir/got/out/report.json")" \
		'.events[] | select(.kind == "timing").content.finetune_time | tonumber > $t' <<<"$verdict"
	[ "$(jq -c '.events[] | select(.kind == "build_request").content | [.container, .name, .schema]' <<<"$verdict")" = \
		'["assay-base:1","digits","assay.job/1"]' ]
}

@test "provenance: what is expected of inputs and outputs is held against the files; a swapped byte is refused by name" {
	local what name file swapped
	all=()
	for what in "configuration:configuration.yaml $dir/disk/job/configuration.yaml" "input:code/train.py $dir/disk/job/inputs/code/train.py" \
		"input:dataset/digits.csv.gz $data" "output:model.safetensors $dir/got/out/model.safetensors" "output:report.json $dir/got/out/report.json"; do
		read -r name file <<<"$what"
		all+=(--expect "$name=sha256:$(sha256 "$file")")
		swapped=$BATS_TEST_TMPDIR/swapped
		cp "$file" "$swapped"
		chmod u+w "$swapped"
		python3 - "$swapped" <<-'END'
			import sys
			f = open(sys.argv[1], "r+b")
			data = bytearray(f.read())
			data[len(data) // 2] ^= 1
			f.seek(0)
			f.write(data)
		END
		[ "$(cmp -l "$file" "$swapped" | wc -l)" -eq 1 ]
		verify 3 --expect "$name=sha256:$(sha256 "$swapped")"
		[[ $output == *"REFUSED     expectation: "*"${name#*:}"* ]]
	done
	verify 0 "${all[@]}" --expect "root_hash=$root"
}

@test "provenance: a log that names other bytes is not the one that was signed" {
	for filter in '.runtime_log |= map(if .content.event? // "" | contains("\"outputs\"") then .content.event |= sub("sha256:(?<d>.)"; "sha256:" + (if .d == "0" then "1" else "0" end)) else . end)' \
		'.runtime_log |= map(if .content.event? // "" | contains("total_flos") then .content.event |= sub("total_flos\":"; "total_flos\":1") else . end)' \
		'.runtime_log |= map(select((.content.event? // "" | contains("digits.csv.gz\",\"resource")) | not))' \
		'.runtime_log |= (map(select(.pcr != 8)) + map(select(.pcr == 8) | select(.content.event | contains("timing") | not)))'; do
		jq "$filter" "$dir/got/proof.json" >"$other/m/edited.json"
		run ! cmp -s <(jq . "$dir/got/proof.json") "$other/m/edited.json"
		verify 3 m/edited.json --json
		jq -e '.verified == false and (.reasons | length) > 0' <<<"$output"
	done
}

@test "provenance: quote and chain by tpm2_checkquote and openssl" {
	cd "$BATS_TEST_TMPDIR"
	jq -r .quote.message "$dir/got/proof.json" | base64 -d >message
	jq -r .quote.signature "$dir/got/proof.json" | base64 -d >signature
	jq -r '.ak.certificates[0]' "$dir/got/proof.json" >leaf.pem
	openssl verify -purpose any -CAfile "$dir/tpm/ca/root.pem" -untrusted "$dir/tpm/ca/intermediate.pem" leaf.pem
	openssl x509 -in leaf.pem -noout -pubkey >leaf.pub
	# Neither nonce nor TLS certificate: SHA-256 of 32 zeros.
	tpm2_checkquote -u leaf.pub -m message -s signature -g sha256 -q "$(head -c 32 /dev/zero | sha256sum | cut -c 1-64)"
	# The registers, replayed by Python alone from what is in the log: 8 and 14 begin with zeros.
	python3 - "$dir/got/proof.json" <<-'END'
		import hashlib, json, sys
		proof = json.load(open(sys.argv[1]))
		for pcr in (8, 14):
		    value = bytes(32)
		    for r in proof["runtime_log"]:
		        if r["pcr"] == pcr:
		            value = hashlib.sha256(value + hashlib.sha256(r["content"]["event"].encode()).digest()).digest()
		    assert proof["pcrs"]["sha256"][str(pcr)] == value.hex(), pcr
	END
}

@test "boot: a job that fails leaves no proof, and the console says why" {
	eval "$(cat "$dir/options")"
	cp -r "$dir/disk" "$BATS_TEST_TMPDIR/disk"
	# It leaves outputs, and then fails.
	echo 'sys.exit("no more digits")' >>"$BATS_TEST_TMPDIR/disk/job/inputs/code/train.py"
	scripts/application-disk.sh "$BATS_TEST_TMPDIR/disk" "$BATS_TEST_TMPDIR/job.raw"
	run_job "$BATS_TEST_TMPDIR/job.raw" "$BATS_TEST_TMPDIR/vm"
	grep -aq '^container: no more digits' "$BATS_TEST_TMPDIR/vm/serial.log"
	grep -aq '^assay-job: FAILED: the container: status 1; there is no proof' "$BATS_TEST_TMPDIR/vm/serial.log"
	[ "$(tr -d '\0' <"$dir/results.raw" | wc -c)" -eq 0 ]
}
