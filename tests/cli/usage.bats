#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# What scripts rely on in every verb: exit codes, which stream, one line for a mistake, and that a
# failure leaves the output file as it was.

bats_require_minimum_version 1.5.0

setup_file() {
	load scratch
	scratch_setup
}

setup() {
	top=$(realpath "$BATS_TEST_DIRNAME/../..")
	assay=$top/build/assay
	[ -z "${scratch_lacks-}" ] || skip "$scratch_lacks is missing"
	cd "$scratch"
	out=$BATS_TEST_TMPDIR/stdout
	err=$BATS_TEST_TMPDIR/stderr
}

# The verbs of `assay --help`, two words for those of a group.
verbs() {
	"$assay" --help | sed -n 's/^  \([a-z]\+\( [a-z]\+\)\?\)  .*/\1/p'
}

# A call of each verb that works here, without a trailing -o.
calls() {
	cat <<-'CALLS'
		measure disk.img
		ls -lR disk.img
		cat disk.img /EFI/BOOT/BOOTX64.EFI
		verity os.img
		initrd linux.efi
		pe linux.efi
		log show machine.log
		log replay machine.log
		precompute disk.img --platform platform.yaml
		compare prediction.json --pcrs pcrs.txt
		explain prediction.json --log same.log
		containers image.tar
		manifest create disk.img --platform platform.yaml --name a --release 1 --not-before 2026-11-22
		manifest show manifest.json
		export manifest.json --format aicert
		manifest sign manifest.json --key key.pem --output -
		manifest verify signed.json --key key.pub --at 2026-12-01
		audit manifest.json --disk disk.img
		diff manifest.json disk.img
		verify proof.json --manifest signed.json --key key.pub --trust trust --at 2026-12-01
		platform learn --log machine.log --probe probe-x64.efi
		platform show platform.yaml
	CALLS
}

# call ARGUMENT...: stdout and stderr apart, the status in $rc.
call() {
	rc=0
	"$assay" "$@" > "$out" 2> "$err" || rc=$?
}

told() {
	printf '%s: exit %s, expected %s; stdout %s bytes, stderr:\n%s\n' "$1" "$rc" "$2" "$(stat -c %s "$out")" "$(cat "$err")"
	return 1
}

# One line that begins with the program's name or "Usage: ", then where to look.
is_usage_mistake() {
	[ "$rc" -eq 2 ] && [ ! -s "$out" ] && [ "$(wc -l < "$err")" -eq 2 ] &&
		grep -qE "^(assay|Usage: assay)\b" "$err" && grep -qE "^Try 'assay( [a-z ]+)? --help'\.$" "$err" || told "$1" 2
}

@test "the calls below are of every verb, but those that want a machine, a server or a TPM" {
	[ "$(verbs | grep -c .)" -ge 11 ]
	diff <(verbs | sort) <( (calls | sed -E 's/^(log|manifest|platform) ([a-z]+).*/\1 \2/; t; s/ .*//'; printf '%s\n' "platform probe" connect "ca init" "ca challenge" "ca issue") | sort)
}

@test "each call works and says nothing on stderr" {
	while read -ra words; do
		call "${words[@]}"
		[ "$rc" -eq 0 ] && [ -s "$out" ] && [ ! -s "$err" ] || told "${words[*]}" 0
	done < <(calls)
}

@test "--help of every verb: stdout, exit 0, synopsis and a manual page that is there" {
	while read -ra words; do
		call "${words[@]}" --help
		[ "$rc" -eq 0 ] && [ ! -s "$err" ] && grep -q "^Usage: assay ${words[*]} " "$out" || told "${words[*]}" 0
		page=$(sed -n 's/^Manual page: \(.*\)(\([0-9]\))$/\1.\2/p' "$out")
		grep -q "^\.Nm assay ${words[*]}\$" "$top/man/$page" || {
			echo "${words[*]}: man/$page is not about it"
			false
		}
	done < <(verbs)
}

@test "--help and --version of both programs" {
	for program in assay assay-agent; do
		run -0 "$top/build/$program" --help
		[[ ${lines[0]} == "Usage: $program VERB "* ]]
		page=${lines[-1]#Manual page: }
		[ -e "$top/man/${page%(*}.${page:(-2):1}" ]
		run -0 "$top/build/$program" --version
		[ "$output" = "$program $(cat "$top/VERSION")" ]
	done
	run -0 "$assay" platform --help
	[ "${#lines[@]}" -eq 6 ]
}

@test "no verb, an unknown one, half of one" {
	for words in "" nonesuch "log" "log nonesuch" "platform" "show" "--nonesuch" "measures" "measur"; do
		# shellcheck disable=SC2086 # words
		call $words
		is_usage_mistake "$words"
	done
}

@test "an unknown option, letter and argument of every verb" {
	while read -ra words; do
		call "${words[@]}" --nonesuch
		is_usage_mistake "${words[*]} --nonesuch"
		grep -q "no option '--nonesuch'" "$err"
		call "${words[@]}" -Z
		is_usage_mistake "${words[*]} -Z"
	done < <(calls)
	while read -ra words; do
		[[ ${words[0]} != @(pe|containers) ]] || continue
		call "${words[@]}" one two three
		is_usage_mistake "${words[*]} one two three"
	done < <(calls)
}

@test "no argument at all, of every verb" {
	while read -ra words; do
		call "${words[@]}"
		is_usage_mistake "${words[*]}"
	done < <(verbs)
}

@test "an option without its argument, one with too much, a bank that is none" {
	call measure disk.img --bank
	is_usage_mistake "--bank"
	grep -q "'--bank' wants an argument" "$err"
	call measure disk.img --json=yes
	is_usage_mistake "--json=yes"
	grep -q "'--json' takes no argument" "$err"
	call precompute disk.img --platform platform.yaml -o
	is_usage_mistake "-o"
	for words in "measure disk.img" "pe linux.efi" "log replay machine.log" "precompute disk.img --platform platform.yaml"; do
		# shellcheck disable=SC2086 # words
		call $words --bank md5
		is_usage_mistake "$words --bank md5"
		# shellcheck disable=SC2086
		call $words --bank ""
		is_usage_mistake "$words --bank ''"
	done
	call compare prediction.json --pcrs pcrs.txt --log machine.log
	is_usage_mistake "--pcrs and --log"
	call compare prediction.json
	is_usage_mistake "neither"
}

@test "a file that is not there: exit 1, one line that names it, of every verb" {
	while read -r line; do
		for file in disk.img linux.efi machine.log platform.yaml prediction.json pcrs.txt probe-x64.efi image.tar manifest.json signed.json key.pem key.pub; do
			[[ " $line " == *" $file "* ]] || continue
			read -ra words <<< "${line/$file/nonesuch-$file}"
			call "${words[@]}"
			[ "$rc" -eq 1 ] && [ ! -s "$out" ] && [ "$(wc -l < "$err")" -eq 1 ] &&
				grep -q "^assay .*nonesuch-$file: .*No such file" "$err" || told "${words[*]}" 1
		done
	done < <(calls)
}

@test "a folder, and an empty file, in place of each file: exit 1, one line" {
	mkdir -p "$BATS_TEST_TMPDIR/folder"
	: > "$BATS_TEST_TMPDIR/empty"
	while read -r line; do
		for bad in folder empty; do
			for file in disk.img linux.efi machine.log platform.yaml prediction.json pcrs.txt probe-x64.efi image.tar manifest.json signed.json key.pem key.pub; do
				[[ " $line " == *" $file "* ]] || continue
				read -ra words <<< "${line/$file/$BATS_TEST_TMPDIR/$bad}"
				call "${words[@]}"
				[ "$rc" -eq 1 ] && [ ! -s "$out" ] && [ "$(wc -l < "$err")" -eq 1 ] &&
					grep -q "/$bad: " "$err" || told "${words[*]}" 1
			done
		done
	done < <(calls)
}

@test "a failure leaves the output file as it was, and nothing beside it" {
	dir=$BATS_TEST_TMPDIR/o
	mkdir "$dir"
	: > "$BATS_TEST_TMPDIR/empty"
	for words in "measure --json EMPTY" "cat disk.img /nonesuch" "precompute EMPTY --platform platform.yaml" \
		"precompute disk.img --platform EMPTY" "platform learn --log EMPTY --probe probe-x64.efi" \
		"platform learn --log machine.log --probe linux.efi"; do
		for old in there none; do
			rm -f "$dir/file"
			[ $old = none ] || echo old > "$dir/file"
			# shellcheck disable=SC2086 # words
			call ${words/EMPTY/$BATS_TEST_TMPDIR/empty} -o "$dir/file"
			[ "$rc" -eq 1 ] || told "$words" 1
			[ "$(ls -A "$dir")" = "$([ $old = none ] || echo file)" ]
			[ $old = none ] || [ "$(cat "$dir/file")" = old ]
		done
	done
	call measure disk.img -o "$BATS_TEST_TMPDIR/no/such/folder/file"
	[ "$rc" -eq 1 ]
}

@test "-o writes what stdout would have had" {
	for words in "measure --json disk.img" "cat disk.img /EFI/BOOT/BOOTX64.EFI" "precompute disk.img --platform platform.yaml --json" \
		"export prediction.json --format aicert" "platform learn --log machine.log --probe probe-x64.efi --name x"; do
		# shellcheck disable=SC2086 # words
		call $words
		[ "$rc" -eq 0 ]
		# shellcheck disable=SC2086
		run -0 "$assay" $words -o "$BATS_TEST_TMPDIR/file"
		[ -z "$output" ]
		cmp "$out" "$BATS_TEST_TMPDIR/file"
	done
}

@test "the same call twice prints the same bytes" {
	for words in "measure --json disk.img" "precompute disk.img --platform platform.yaml --json" "pe --json linux.efi" \
		"log show --json machine.log" "platform show --json platform.yaml"; do
		# shellcheck disable=SC2086 # words
		call $words
		cp "$out" "$BATS_TEST_TMPDIR/first"
		# shellcheck disable=SC2086
		call $words
		cmp "$out" "$BATS_TEST_TMPDIR/first"
	done
}

@test "a full standard output: exit 1 and a word about it, of every verb and of --help" {
	[ -c /dev/full ] || skip "no /dev/full"
	while read -ra words; do
		rc=0
		"$assay" "${words[@]}" > /dev/full 2> "$err" || rc=$?
		[ "$rc" -eq 1 ] && [ "$(wc -l < "$err")" -eq 1 ] || {
			echo "${words[*]}: exit $rc: $(cat "$err")"
			false
		}
	done < <(
		calls
		calls | grep -E '^(audit|diff|measure|initrd|pe|log|precompute|compare|platform show)' | sed 's/$/ --json/'
		verbs | sed 's/$/ --help/'
		echo --help
		echo --version
	)
}

@test "exit 3 is for what was compared and differs, and for nothing else" {
	sed 's/^sha256 4 ../sha256 4 ff/' pcrs.txt > "$BATS_TEST_TMPDIR/pcrs"
	call compare prediction.json --pcrs "$BATS_TEST_TMPDIR/pcrs"
	[ "$rc" -eq 3 ]
	grep -q DIFFERENT "$out"
	rc=0
	"$assay" compare prediction.json --pcrs "$BATS_TEST_TMPDIR/pcrs" > /dev/full 2> "$err" || rc=$?
	[ "$rc" -ne 0 ]
	echo "sha512 4 $(printf '0%.0s' {1..128})" > "$BATS_TEST_TMPDIR/pcrs"
	call compare prediction.json --pcrs "$BATS_TEST_TMPDIR/pcrs"
	[ "$rc" -eq 1 ] # nothing to compare is no verdict
}
