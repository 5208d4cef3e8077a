#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The house: scripts, licence lines, a second compiler, installation, equal builds, the agent's
# contents, and nothing of a developer's machine in the tree. (Floors: floors.bats. Manual pages:
# man.bats.)

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	tmp=$BATS_TEST_TMPDIR
}

# What git knows and what it would take. An unpacked archive has no git, and git says nothing about
# somebody else's clone.
tree() {
	if [ -e .git ] && git rev-parse --git-dir > /dev/null 2>&1; then
		git ls-files --cached --others --exclude-standard | while read -r f; do [ ! -f "$f" ] || echo "$f"; done
	else
		find . '(' -path ./build -o -path ./.git ')' -prune -o -type f -printf '%P\n'
	fi
}

# A make of its own, not a job of the one that runs the tests.
own_make() {
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u MAKEOVERRIDES make -s -j2 "$@"
}

copy_tree() {
	mkdir -p "$1"
	tree | grep -v '^tests/corpus/' | tar -cf - -T - | tar -xf - -C "$1"
}

@test "shellcheck of every script" {
	command -v shellcheck > /dev/null || skip "shellcheck is missing"
	mapfile -t scripts < <(tree | while read -r f; do
		case $f in
		*.sh | *.bash) echo "$f" ;;
		*.bats | *.py) ;;
		*) ! head -n 1 "$f" | grep -qaE '^#!.*[/ ](ba)?sh\b' || echo "$f" ;;
		esac
	done)
	[ "${#scripts[@]}" -gt 10 ]
	# 2030, 2031: Debian 13's takes a name that a sourced file uses in a subshell for ours.
	shellcheck -x -e SC2030,SC2031 "${scripts[@]}"
}

@test "shellcheck of every bats file" {
	command -v shellcheck > /dev/null || skip "shellcheck is missing"
	# 2164: a failing cd ends a test. 2154: bats sets variables of its own.
	shellcheck -x --severity=warning -e SC2164,SC2154 tests/*/*.bats
}

@test "no test has a line that begins with !, for such a line fails nothing" {
	# what takes notice: an || behind it, or `run` in front of it
	run ! bash -c "grep -nE '^[[:space:]]*! ' tests/*/*.bats | grep -v '||'"
	[ -z "$output" ]
}

@test "the Python fixtures compile" {
	mapfile -t files < <(tree | grep '\.py$')
	[ "${#files[@]}" -gt 0 ]
	for f in "${files[@]}"; do
		python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read(), sys.argv[1])' "$f"
	done
}

@test "every file names its licence" {
	tree | while read -r f; do
		case $f in
		LICENSE | VERSION | .gitignore | .clang-format | tests/corpus/* | golden/* | image/* | *.json) continue ;;
		esac
		head -n 3 "$f" | grep -q 'SPDX-License-Identifier: Apache-2\.0' || {
			echo "$f"
			false
		}
	done
}

@test "nothing of a developer's machine: no home folder, no registry, no odd file name" {
	# Put together here, so that this file has none of them in it.
	local folders="/(ro""ot|ho""me|wo""rk|Us""ers)/" hosts='https?://[^/ ]*(art''ifactory|ne''xus|prox''y|mir''ror)'
	tree > "$tmp/files"
	grep -v '^tests/corpus/' "$tmp/files" | tr '\n' '\0' | xargs -0 grep -nIE -e "(^|[^a-zA-Z0-9_.])$folders" -e "$hosts" -- > "$tmp/found" || true
	# Configuration of the image speaks of the image's own folders; .example is nobody's.
	run ! grep -vE '^image/|\.example/' "$tmp/found"
	run ! grep -vE '^[a-zA-Z0-9_.@/+-]+$' "$tmp/files"
	run ! grep -E '^-' "$tmp/files"
	run ! grep -aE "(^|[^a-zA-Z0-9_.])$folders" build/assay
	run ! grep -aE "(^|[^a-zA-Z0-9_.])$folders" build/assay-agent
	run ! grep -aE "(^|[^a-zA-Z0-9_.])$folders" build/libassay.so.0
}

# agent_rooms MAP: what of ours went into the agent, but for what may.
agent_strangers() {
	sed -n 's/^LOAD \(.*\.[oa]\)$/\1/p' "$1" | grep -v '^/' |
		grep -vE '^build/([a-z]+/)?obj/((core|tpm|attest)/[a-z0-9_]+|cli/(agent(_[a-z]+)*|cli))\.o$'
}

@test "no parser of disks, file systems or programs is in the agent" {
	[ -e build/assay-agent.map ] || skip "build/assay-agent is not built"
	[ "$(grep -cE '^LOAD build/.*/attest/' build/assay-agent.map)" -gt 0 ]
	run ! agent_strangers build/assay-agent.map
	[ -z "$output" ]
	run ! bash -c "nm build/assay-agent | grep -E ' assay_(gpt|fat|fs|pe|uki|image|platform|precompute|loader)_'"
}

@test "such a parser would be seen" {
	printf 'LOAD build/obj/core/err.o\nLOAD build/obj/measure/pe/pe.o\nLOAD /usr/lib/libc.so\n' > "$tmp/map"
	run -0 agent_strangers "$tmp/map"
	[ "$output" = build/obj/measure/pe/pe.o ]
	echo 'LOAD build/libassay.a' > "$tmp/map"
	run -0 agent_strangers "$tmp/map"
}

@test "clang builds it without a warning" {
	command -v clang > /dev/null || skip "clang is missing"
	own_make VARIANT=clang CC=clang CFLAGS=-O1 WERROR=1 all
	[ -x build/clang/assay ]
}

@test "two builds in different folders are equal; install, run, uninstall leaves nothing" {
	local a=$tmp/a b=$tmp/another/folder/of/another/length
	copy_tree "$a"
	copy_tree "$b"
	own_make -C "$a" all
	own_make -C "$b" all
	cmp "$a/build/assay" "$b/build/assay"
	cmp "$a/build/assay-agent" "$b/build/assay-agent"
	cmp "$a/build/libassay.so.0" "$b/build/libassay.so.0"

	command -v lld-link > /dev/null && command -v mformat > /dev/null && command -v sfdisk > /dev/null ||
		skip "the builds are equal; for the installation lld, mtools or sfdisk is missing"
	own_make -C "$a" install DESTDIR="$tmp/dest" PREFIX=/opt/assay PYTHONDIR=/opt/assay/python > "$tmp/log"
	[ "$("$tmp/dest/opt/assay/bin/assay" --version)" = "assay $(cat VERSION)" ]
	"$tmp/dest/opt/assay/bin/assay" platform show "$tmp/dest/opt/assay/share/assay/platforms/azure-trusted-launch.yaml" > /dev/null
	[ "$(find "$tmp/dest" -name '*.[1358]' | wc -l)" = "$(find man -type f | wc -l)" ]
	[ -e "$tmp/dest/opt/assay/share/man/man8/assay-agent.8" ]
	[ "$(PKG_CONFIG_PATH=$tmp/dest/opt/assay/lib/pkgconfig pkg-config --libs --cflags libassay | xargs)" = "-I/opt/assay/include -L/opt/assay/lib -lassay" ]
	[ "$(readlink "$tmp/dest/opt/assay/lib/libassay.so")" = libassay.so.0 ]
	[ -e "$tmp/dest/opt/assay/include/assay.h" ]
	ASSAY_LIBRARY=$tmp/dest/opt/assay/lib/libassay.so.0 PYTHONPATH=$tmp/dest/opt/assay/python python3 -B -c 'import assay; assay.version()'
	# As a distribution would: another's files are there and have to stay.
	touch "$tmp/dest/opt/assay/bin/other" "$tmp/dest/opt/assay/share/man/man1/other.1"
	own_make -C "$a" uninstall DESTDIR="$tmp/dest" PREFIX=/opt/assay PYTHONDIR=/opt/assay/python > "$tmp/log"
	[ "$(find "$tmp/dest" ! -type d -printf '%f\n' | sort | tr '\n' ' ')" = "other other.1 " ]
	[ -z "$(find "$tmp/dest" -path '*share/assay*')" ]
}

@test "links and file names in the documents lead somewhere" {
	for f in *.md docs/*.md; do
		{
			grep -oE '\]\([^)#]+' "$f" | cut -c3- | grep -v '^https:' | sed "s#^#$(dirname "$f")/#" || true
			grep -oE '`(docs|tests|scripts|core|tpm|measure|precompute|attest|cli|image)/[a-z0-9_./-]*`' "$f" | tr -d '`' || true
		} | sort -u | while read -r target; do
			[ -e "$target" ] || {
				echo "$f names $target, which is not there"
				false
			}
		done
	done
}

@test "make help lists the jobs" {
	run -0 own_make help
	for job in all golden golden-matrix boot check bench fuzz install image probe; do
		grep -qE "^ +make $job +" <<< "$output"
	done
}

@test "the packages of deps.sh: unknown groups are refused, and nothing is installed" {
	run scripts/deps.sh nonesuch
	[ "$status" -eq 2 ]
}
