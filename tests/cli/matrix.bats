#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Images x platforms (scripts/golden-matrix.py, docs/MATRIX.md): what is refused, what runs and what does not run again,
# what a failure leaves, and that ninja and Slurm come to the same bytes.

bats_require_minimum_version 1.5.0

setup_file() {
	load chain
	load common
	export PATH=$PATH:/usr/sbin:/sbin made=$BATS_FILE_TMPDIR/made
	mkdir "$made"
	export lacking
	lacking=$(chain_missing)
	[ -z "$lacking" ] || return 0
	chain_root "$made/root"
	chain_squashfs "$made/root" "$made/root.sqfs"
	chain_disk "$made/one.img" "$made/root.sqfs"
	chain_squashfs "$made/root" "$made/root.sqfs" -comp xz
	chain_disk "$made/two.img" "$made/root.sqfs"
	cp "$made/one.img" "$made/weights.img"
	rm -r "$made/root" "$made/root.sqfs"
}

setup() {
	load common
	load slurm
	top=$(realpath "$BATS_TEST_DIRNAME/../..")
	need ninja python3 jq
	python3 -c 'import yaml, hashlib; hashlib.file_digest' 2>/dev/null || skip "python3 with yaml, from 3.11 on, is missing"
	[ -z "$lacking" ] || skip "missing: $lacking"
	export TMPDIR=$BATS_TEST_TMPDIR
	unset SOURCE_DATE_EPOCH
	mkdir "$BATS_TEST_TMPDIR/here"
	cd "$BATS_TEST_TMPDIR/here"
	cp "$made"/*.img .
	small_profile "sha256, sha384" >small.yaml
	small_profile "sha1, sha256" | sed 's/small/other/' >other.yaml
	cp "$top/golden/platforms/q35-ovmf-2022.11.yaml" q35.yaml
	cat >m.yaml <<-'EOF'
		schema: assay.matrix/1
		out: out
		not_before: 2026-11-22
		expires: +30d
		images:
		  - {name: one, disk: one.img, release: 7, data: [weights.img]}
		  - name: two
		    disk: two.img
		    release: 1
		    options: {bank: sha256}
		platforms: [small.yaml, {profile: other.yaml}, q35.yaml]
		exclude:
		  - {image: two, platform: other}
	EOF
	# Counts its calls; when a file of that name is there, changes the disk or holds on in the middle.
	cat >assay <<-EOF
		#!/bin/bash
		here=$PWD
		[ "\$1" = --version ] || echo "\$*" >>"\$here/calls"
		[ "\$1" = precompute ] || exec "$top/build/assay" "\$@"
		[ ! -e "\$here/change" ] || { rm "\$here/change"; printf x >>"\$here/one.img"; }
		[ ! -e "\$here/hold" ] || {
			printf half >"\${!#}"
			echo \$\$ >>"\$here/held"
			sleep 60
		}
		exec "$top/build/assay" "\$@"
	EOF
	chmod +x assay
	export ASSAY=$PWD/assay
	: >calls
}

teardown() {
	slurm_stop
}

# shellcheck disable=SC2120 # `run` passes some
matrix() { # [ARGUMENT...]
	"$top/scripts/golden-matrix.py" m.yaml "$@" 2>&1 3>&-
}

calls() {
	grep -c . calls || true
}

# All that is in results/, with its times.
listing() {
	find out/results -printf '%P %T@ %s\n' | sort
}

results() {
	find out/results -mindepth 1 -maxdepth 1 | wc -l
}

# predictions MANIFEST
predictions() {
	jq -r .payload "$1" | base64 -d | jq -c '.predicate.predictions[]'
}

@test "five cells and two manifests; each value is the manifest's; a second run does nothing" {
	run -0 matrix
	[ "$(calls)" -eq 7 ]
	[ "$(results)" -eq 7 ]
	[[ "$output" == *"7 jobs: 0 kept, 7 run; 2 of 2 manifests in"* ]]
	# Each result stands under the SHA-256 of what went into it.
	for r in out/results/*; do
		[ "$(sha256sum <"$r/job.json")" = "${r##*/}  -" ]
	done
	# The cells of the manifests are those of the results, all of them, each value.
	cat out/results/*/prediction.json | jq -cS '[.image, .platform.name, .banks]' | sort >cells
	predictions out/manifests/one/7/manifest.dsse.json | jq -cS '[.image, .platform.name, .banks]' >told
	predictions out/manifests/two/1/manifest.dsse.json | jq -cS '[.image, .platform.name, .banks]' >>told
	[ "$(wc -l <cells)" -eq 5 ]
	cmp cells <(sort told)
	# And each is what the program says when it is asked alone.
	"$top/build/assay" precompute two.img --platform q35.yaml --bank sha256 --json >alone.json
	predictions out/manifests/two/1/manifest.dsse.json | jq -cS 'select(.platform.name | startswith("q35")).banks' >joined
	cmp joined <(jq -cS .banks alone.json)
	jq -r .payload out/manifests/one/7/manifest.dsse.json | base64 -d | jq -e \
		'.predicate | .name == "one" and .release == 7 and (.data | length) == 1 and .validity.expires == "2026-12-22T00:00:00Z"'
	[ "$(grep -c '^one  .* done ' out/table.txt)" -eq 3 ]
	[ -z "$(ls out/work)" ]

	listing >before
	run -0 matrix
	[[ "$output" == *"ninja: no work to do."* ]]
	[[ "$output" == *"7 jobs: 7 kept, 0 run; 2 of 2"* ]]
	[ "$(calls)" -eq 7 ]
	cmp before <(listing)
}

@test "what counts is what is in the files: other times and other folders run nothing, another name does" {
	run -0 matrix
	: >calls
	touch one.img two.img small.yaml
	mkdir moved
	mv two.img moved/
	sed -i 's,disk: two.img,disk: moved/two.img,' m.yaml
	rm -r out/run out/inputs
	run -0 matrix
	[[ "$output" == *"7 jobs: 7 kept, 0 run"* ]]
	[ "$(calls)" -eq 0 ]
	mv moved/two.img moved/too.img
	sed -i 's,moved/two.img,moved/too.img,' m.yaml
	run -0 matrix
	[ "$(calls)" -eq 3 ]
}

@test "another profile: its cells and their manifests run again, and nothing else" {
	run -0 matrix
	: >calls
	listing >before
	echo '# a remark' >>other.yaml
	run -0 matrix
	[ "$(cut -d ' ' -f 1,2 calls | sort | tr '\n' ' ')" = "manifest create precompute $PWD/one.img " ]
	[[ "$output" == *"7 jobs: 5 kept, 2 run"* ]]
	# What was there is still there, as it was.
	[ -z "$(comm -23 before <(listing) | grep /)" ]
	# Back again: both are known.
	sed -i '$d' other.yaml
	: >calls
	run -0 matrix
	[ "$(calls)" -eq 0 ]
}

@test "another option, release, validity, program: what depends on it runs again" {
	run -0 matrix
	: >calls
	sed -i 's/bank: sha256/bank: "sha256,sha384"/; s/\[small.yaml, /[/; s/release: 7/release: 8/' m.yaml
	sed -i '/exclude/,$d' m.yaml
	run -1 matrix # other.yaml has no sha384
	echo "$output"
	[[ "$output" == *"FAILED: two on other: assay precompute: "*sha384*"exit status"* ]]
	: >calls
	sed -i 's/"sha256,sha384"/sha256/' m.yaml
	run -0 matrix
	[ "$(cut -d ' ' -f 1 calls | sort | uniq -c | tr -s ' \n' ' ')" = " 1 manifest 1 precompute " ]
	: >calls
	sed -i 's/+30d/+31d/' m.yaml
	run -0 matrix
	[ "$(cut -d ' ' -f 1 calls | sort | uniq -c | tr -s ' \n' ' ')" = " 2 manifest " ]
	: >calls
	echo >>assay
	run -0 matrix
	[ "$(calls)" -eq 6 ]
}

@test "a disk that is broken fails by name, the others go on; mended, nothing but it runs" {
	head -c 100000 /dev/zero >good
	mv two.img good
	head -c 100000 /dev/zero >two.img
	run -1 matrix
	[[ "$output" == *"FAILED: two on small: assay precompute: $PWD/two.img: "* ]]
	[[ "$output" == *"FAILED: two on q35-ovmf-2022.11: "* ]]
	[[ "$output" == *"FAILED: manifest of two 1: 2 of 2 cells failed"* ]]
	[[ "$output" == *"7 jobs: 0 kept, 4 run; 1 of 2 manifests"* ]]
	[ "$(results)" -eq 4 ]
	[ -z "$(ls out/work)" ]
	[ -e out/manifests/one/7/manifest.dsse.json ]
	[ ! -e out/manifests/two ]
	: >calls
	mv good two.img
	run -0 matrix
	[ "$(calls)" -eq 3 ]
	[ -e out/manifests/two/1/manifest.dsse.json ]
}

@test "killed in the middle: nothing is half there, and the next run ends the work" {
	touch hold
	setsid "$top/scripts/golden-matrix.py" m.yaml >log 2>&1 3>&- &
	for _ in {1..100}; do
		[ ! -s held ] || break
		sleep 0.1
	done
	[ -n "$(cat out/work/*/prediction.json)" ] # half of one
	# ninja gives each job a group of its own; all are in the session that setsid has begun for this test.
	leader=$!
	mapfile -t pids < <(ps -o pid= -s "$leader" | tr -d ' ')
	kill -KILL "${pids[@]}"
	wait "$leader" || true
	[ "$(results)" -eq 0 ]
	[ "$(find out/work -name prediction.json | wc -l)" -ge 1 ]
	rm hold
	: >calls
	run -0 matrix
	[ "$(calls)" -eq 7 ]
	[ "$(results)" -eq 7 ]
	[ -z "$(ls out/work)" ]
	run ! grep -rl half out/results
}

@test "a disk that changes under the run gives no result under its old name" {
	touch change
	run -1 matrix --jobs 1
	[[ "$output" == *"one.img: has changed since the run began"* ]]
	run -0 matrix
	run -0 matrix
	[[ "$output" == *"7 jobs: 7 kept"* ]]
	digest=$(sha256sum <one.img)
	[ "$(cat out/results/*/job.json | jq -r 'select(.disk.name == "one.img").disk.sha256' | sort -u)" = "${digest%% *}" ]
}

@test "several at the same job: it runs once" {
	run -0 matrix --plan
	plan=$(echo out/run/*-ninja/plan.json)
	key=$(jq -r '.images[0].cells[0]' "$plan")
	for _ in 1 2 3 4; do
		"$top/scripts/matrix_jobs.py" "$plan" "$key" 3>&- &
	done
	wait
	[ "$(calls)" -eq 1 ]
	[ "$(results)" -eq 1 ]
	# And two whole runs, as two machines would start them.
	"$top/scripts/golden-matrix.py" m.yaml >log1 2>&1 3>&- &
	matrix >log2
	wait $!
	[ "$(calls)" -eq 7 ]
}

@test "a cell that does not say what the manifest says, and a result that is not what its name says, are refused" {
	run -0 matrix
	plan=$(echo out/run/*-ninja/plan.json)
	cell=$(jq -r '.images[1].cells[0]' "$plan") join=$(jq -r '.images[1].manifest' "$plan")
	rm -r "out/results/$join"
	value=$(jq -r '.banks.sha256["4"]' "out/results/$cell/prediction.json")
	sed -i "s/$value/${value/[0-9]/f}/" "out/results/$cell/prediction.json"
	run -1 matrix
	[[ "$output" == *"manifest of two 1: the manifest and the cell of small differ in sha256 4"* ]]
	echo >>"out/results/$cell/job.json"
	run -1 matrix
	[[ "$output" == *"not the inputs that its name stands for; remove the folder"* ]]
	rm -r "out/results/$cell"
	run -0 matrix
}

# refused MESSAGE SED-SCRIPT...: the file, so changed, is refused with these words, and nothing is made.
refused() {
	local message=$1
	shift
	cp m.yaml kept.yaml
	sed -i "$@" m.yaml
	run -1 matrix
	[[ "$output" == "golden-matrix: m.yaml: "*"$message"* ]] || {
		echo "wanted: $message; got: $output"
		false
	}
	[ ! -e out ]
	mv kept.yaml m.yaml
}

@test "the file is read strictly" {
	refused "unknown key 'keys'; known are " -e '2i keys: a'
	refused "image 1: unknown key 'discs'; known are data, disk, name, options, release" -e 's/data: \[w/discs: [w/'
	refused "image 2 (two): options: unknown key 'allow-backing'" -e 's/bank: sha256/allow-backing: yes/'
	refused "platform 2: unknown key 'prof'" -e 's/{profile:/{prof:/'
	refused "exclude 1: unknown key 'disk'" -e 's/{image: two, p/{disk: two, p/'
	refused "line 3: 'out' comes twice" -e '2p'
	refused "line 6: 'name' comes twice" -e 's/{name: one/{name: x, name: one/'
	refused "its schema is not assay.matrix/1" -e 's,matrix/1,matrix/2,'
	refused "'platforms' is missing" -e 's/^platforms.*//'
	refused "image 1: 'release' is missing" -e 's/ release: 7,//'
	refused "image 1 (one): release: a number from 1 on, not '0'" -e 's/release: 7/release: 0/'
	refused "image 1 (one): release: a number from 1 on, not '1e3'" -e 's/release: 7/release: 1e3/'
	refused "image 1: name: 'a b': 1 to 128 of" -e 's/name: one/name: a b/'
	refused "image 1 (one): disk: $PWD/none.img: no such file" -e 's/one.img/none.img/'
	refused "image 1 (one): data: a list, not 'weights.img'" -e 's/\[weights.img\]/weights.img/'
	refused "platform 1: profile: $PWD/none.yaml: no such file" -e 's/\[small.yaml/[none.yaml/'
	refused "$PWD/assay: not a platform profile" -e 's/\[small.yaml/[assay/'
	refused "platforms: two are called 'small'" -e 's/\[small.yaml/[small.yaml, small.yaml/'
	refused "images: two are called 'one'" -e 's/name: two/name: one/'
	refused "exclude 1: no platform 'othr'" -e 's/platform: other/platform: othr/'
	refused "image 'two': no platform is left" -e '$a\  - {image: two}'
	refused "exclude 1: neither image nor platform" -e 's/{image: two, platform: other}/{}/'
	refused "not_before: a point in time" -e 's/not_before: .*/not_before: +1d/'
	refused "neither not_before nor SOURCE_DATE_EPOCH" -e '/not_before/d'
	refused "a 'cert' without a 'key'" -e '2i cert: m.yaml'
	refused "key: $PWD/k.pem: no such file" -e '2i key: k.pem'
	refused "no aliases here" -e 's/name: two/name: *x/'
	refused "line 10: " -e 's/disk: two.img/disk: [/'
	refused "images: a list, not nothing" -e '/name: one/d; /name: two/,/options/d'
	run -1 "$top/scripts/golden-matrix.py" none.yaml
	[[ "$output" == "golden-matrix: none.yaml: No such file or directory" ]]
}

@test "the file of docs/MATRIX.md is one" {
	mkdir -p build golden/platforms
	cp "$top"/golden/platforms/*.yaml golden/platforms/
	touch build/base.raw build/server.qcow2 build/weights.img release.pem
	{
		sed -n '/^    schema:/,/^[^ ]/s/^    //p' "$top/docs/MATRIX.md"
		echo "out: out"
	} >m.yaml
	run -0 matrix --plan
	[[ "$output" == "5 jobs, 0 of them have run: "* ]]
	# Each key that is read is in its table.
	for key in $(python3 -Bc "import sys; sys.path.insert(0, '$top/scripts'); import matrix_file as m
	print(*m.TOP_KEYS, *m.IMAGE_KEYS, *m.OPTIONS)"); do
		sed -n '/^| Key/,/^$/p' "$top/docs/MATRIX.md" | grep -qF "\`$key\`" || grep -qE "^\| \`images: $key\`" "$top/docs/MATRIX.md" || {
			echo "$key"
			false
		}
	done
}

@test "SOURCE_DATE_EPOCH stands in for not_before" {
	sed -i '/not_before/d' m.yaml
	SOURCE_DATE_EPOCH=1700000000 run -0 matrix
	jq -r .payload out/manifests/one/7/manifest.dsse.json | base64 -d |
		jq -e '.predicate.validity == {"notBefore": "2023-11-14T22:13:20Z", "expires": "2023-12-14T22:13:20Z"}'
}

@test "Slurm: the same results as ninja's, bit for bit; what the one has run, the other does not" {
	[ -z "$(slurm_missing)" ] || skip "not installed: $(slurm_missing)"
	slurm_start "$BATS_TEST_TMPDIR/slurm" >&2 || skip "a Slurm of one node does not start here"
	run -0 matrix
	mv out ninja
	: >calls
	run -0 matrix --runner slurm --jobs 2 --batch 2
	[[ "$output" == *"5 cells in an array of 3"*"2 manifests in an array of 1"*"7 jobs: 0 kept, 7 run; 2 of 2"* ]]
	[ "$(calls)" -eq 7 ]
	diff -r ninja/results out/results
	diff -r ninja/manifests out/manifests
	# neither runs it again
	run -0 matrix --runner slurm
	[[ "$output" == *"no job to run"*"7 jobs: 7 kept, 0 run"* ]]
	run -0 matrix
	[[ "$output" == *"ninja: no work to do."* ]]
	[ "$(calls)" -eq 7 ]
	# half by the one, half by the other
	rm -r out/results
	mkdir out/results
	find ninja/results -mindepth 1 -maxdepth 1 | sort | head -n 3 | xargs cp -a -t out/results
	run -0 matrix --runner slurm
	[[ "$output" == *"7 jobs: 3 kept, 4 run"* ]]
	diff -r ninja/results out/results
	# the same failure, the same exit status
	echo "events: no" >>q35.yaml
	run -1 matrix --runner slurm
	[[ "$output" == *"FAILED: one on q35-ovmf-2022.11: "*"FAILED: manifest of one 7: 1 of 3 cells failed"* ]]
	[ -z "$(squeue -h)" ]
}

@test "signed: by the file's key or another, once; results stay unsigned" {
	need openssl
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out release.pem 2>/dev/null
	openssl pkey -in release.pem -pubout -out release.pub
	openssl genpkey -algorithm ED25519 -out other.pem
	openssl pkey -in other.pem -pubout -out other.pub
	sed -i '2i key: release.pem' m.yaml
	run -0 matrix
	for m in out/manifests/*/*/manifest.dsse.json; do
		"$top/build/assay" manifest verify "$m" --key release.pub --at 2026-11-23
	done
	[ "$(jq -s 'map(.signatures | length) | add' out/results/*/manifest.dsse.json)" -eq 0 ]
	run ! grep -rqF "$(sed -n 2p release.pem)" out
	# No signature by ECDSA is like another, but nothing has changed.
	sha256sum out/manifests/*/*/* >before
	run -0 matrix
	sha256sum --quiet -c before
	: >calls
	run -0 matrix --key other.pem
	[ "$(cut -d ' ' -f 1,2 calls | sort -u)" = "manifest sign" ]
	"$top/build/assay" manifest verify out/manifests/one/7/manifest.dsse.json --key other.pub --at 2026-11-23
	run -3 "$top/build/assay" manifest verify out/manifests/one/7/manifest.dsse.json --key release.pub --at 2026-11-23
	run -1 matrix --key m.yaml
	[[ "$output" == *"FAILED: manifest of one 7: not signed"* ]]
	"$top/build/assay" manifest verify out/manifests/one/7/manifest.dsse.json --key other.pub --at 2026-11-23
	# with a certificate
	openssl req -x509 -key release.pem -subj /CN=release.example -days 2 -out chain.pem 2>/dev/null
	run -0 matrix --key release.pem --cert chain.pem
	jq -e '.signatures[0].cert | startswith("-----BEGIN CERTIFICATE")' out/manifests/one/7/manifest.dsse.json
	rm -r out/manifests
	sed -i '2i cert: chain.pem' m.yaml
	run -0 matrix
	jq -e '.signatures[0].cert | startswith("-----BEGIN CERTIFICATE")' out/manifests/one/7/manifest.dsse.json
	sed -i '/^cert:/d' m.yaml
	# without a key it is the result as it is
	sed -i '/^key:/d' m.yaml
	run -0 matrix
	[ "$(jq '.signatures | length' out/manifests/one/7/manifest.dsse.json)" -eq 0 ]
}

@test "make golden-matrix" {
	# With the flags that the program was built with: it is in use by other tests meanwhile.
	local same=()
	grep -q -- -Werror "$top/build/obj/flags" && same=(WERROR=1)
	need dpkg-query
	[ "$(dpkg-query -W -f '${db:Status-Status}' ninja-build 2>/dev/null)" = installed ] || skip "ninja-build is not installed"
	unset ASSAY
	run -0 env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u MAKEOVERRIDES make -s -C "$top" "${same[@]}" golden-matrix MATRIX="$PWD/m.yaml"
	[[ "$output" == *"7 jobs: 0 kept, 7 run; 2 of 2 manifests in $PWD/out/manifests"* ]]
	run -2 env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u MAKEOVERRIDES make -s -C "$top" "${same[@]}" golden-matrix
	[[ "$output" == *"MATRIX=FILE.yaml is missing"* ]]
	echo "nobody: 1" >>m.yaml
	run -2 env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u MAKEOVERRIDES make -s -C "$top" "${same[@]}" golden-matrix MATRIX="$PWD/m.yaml"
	[[ "$output" == *"unknown key 'nobody'"* ]]
}
