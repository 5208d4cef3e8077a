#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# libassay as other programs have it: its symbols, header, pkg-config file and installation.

bats_require_minimum_version 1.5.0

setup_file() {
	load server
	lacks=$(proof_missing)
	export lacks machine=$BATS_FILE_TMPDIR/machine
	[ -n "$lacks" ] || (server_setup "$(realpath "$BATS_TEST_DIRNAME/../..")" "$machine") > "$BATS_FILE_TMPDIR/log" 2>&1 || {
		cat "$BATS_FILE_TMPDIR/log"
		false
	}
}

teardown() {
	stop_servers
}

setup() {
	load server
	top=$(realpath "$BATS_TEST_DIRNAME/../..")
	cd "$top"
	tmp=$BATS_TEST_TMPDIR
	so=$top/build/libassay.so.0
}

own_make() {
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u MAKEOVERRIDES make -s -j2 "$@"
}

# installed DIR: header, library and pkg-config file as `make install` would put them there; sets PKG_CONFIG_PATH.
installed() {
	mkdir -p "$1/include" "$1/lib/pkgconfig"
	cp include/assay.h "$1/include"
	cp "$so" "$1/lib"
	ln -s libassay.so.0 "$1/lib/libassay.so"
	sed "s,^prefix=.*,prefix=$1,; s,^libdir=.*,libdir=$1/lib," build/libassay.pc > "$1/lib/pkgconfig/libassay.pc"
	export PKG_CONFIG_PATH=$1/lib/pkgconfig
}

@test "the library shows the functions of the list, under their version, and nothing else" {
	need nm
	grep -v '^#' tests/fixtures/libassay.abi > "$tmp/list"
	[ "$(wc -l < "$tmp/list")" -ge 26 ]
	nm -D --defined-only "$so" | awk '$2 != "A" { print $3 }' | sort > "$tmp/shown"
	diff <(sort "$tmp/list") "$tmp/shown"
}

@test "such a change would be seen" {
	need nm
	nm -D --defined-only "$so" | awk '$2 != "A" { print $3 }' > "$tmp/shown"
	sed -i '2s/ASSAY_0/ASSAY_1/' "$tmp/shown"
	run -1 diff <(grep -v '^#' tests/fixtures/libassay.abi | sort) <(sort "$tmp/shown")
}

@test "the functions of header, list, linker's map and Python are the same" {
	grep -v '^#' tests/fixtures/libassay.abi | sed 's/@@.*//' | sort > "$tmp/list"
	diff "$tmp/list" <(sed -n '/^ASSAY_PUBLIC/{N;s/\n//;s/^ASSAY_PUBLIC .*\b\(assay_[a-z_]*\)(.*/\1/p}' include/assay.h | sort)
	diff "$tmp/list" <(sed -n 's/^\t\(assay_[a-z_]*\);$/\1/p' api/libassay.map | sort)
	diff "$tmp/list" <(sed -n 's/^    "\(assay_[a-z_]*\)": (.*/\1/p' python/assay/_library.py | sort)
	diff "$tmp/list" <(sed -n 's/^\.F[no] \(assay_[a-z_]*\).*/\1/p' man/libassay.3 | sort -u)
}

@test "soname, what it needs, and that it stays" {
	need readelf
	run -0 readelf -dW "$so"
	grep -q 'SONAME.*\[libassay.so.0\]' <<< "$output"
	grep -q 'Flags:.*NODELETE' <<< "$output"
	# Private in the .pc: what its own loader finds.
	diff <(sed -n 's/.*(NEEDED).*\[\(.*\)\.so.*/\1/p' <<< "$output" | grep -vE '^(libc|ld-linux.*)$' | sort) \
		<(sed -n 's/^Requires.private: //p' api/libassay.pc.in | tr ' ' '\n' | sed 's/^jansson$/libjansson/' | sort)
}

@test "no parser of disks, file systems or programs is in it, and nothing prints or ends" {
	need nm
	[ "$(nm "$so" | grep -cE ' t assay_(api|proof)_')" -gt 5 ]
	run ! bash -c "nm '$so' | grep -E ' t assay_(gpt|fat|fs|ext4|erofs|squashfs|pe|uki|image|nbd|sdboot|tar)_'"
	# fortified names too; __stack_chk_fail and __assert_fail are no exits of ours
	run ! bash -c "nm -D --undefined-only '$so' | grep -E ' (__)?(exit|_exit|abort|printf|puts|putchar|perror|vprintf|fork|execve|system|popen|setenv|signal|sigaction)(_chk)?(@|\$)'"
	[ -z "$output" ]
}

@test "the header stands alone, in C11, C17 and C++17" {
	need cc c++ pkg-config
	installed "$tmp/i"
	printf '#include <assay.h>\n#include <assay.h>\nint main(void) { return assay_version() == 0; }\n' > "$tmp/x.c"
	for std in c11 c17; do
		# shellcheck disable=SC2046 # words
		cc -std=$std -pedantic -Wall -Wextra -Werror -o "$tmp/x" "$tmp/x.c" $(pkg-config --cflags --libs libassay)
		LD_LIBRARY_PATH=$tmp/i/lib "$tmp/x"
	done
	# shellcheck disable=SC2046
	c++ -x c++ -std=c++17 -pedantic -Wall -Wextra -Werror -o "$tmp/x" "$tmp/x.c" $(pkg-config --cflags --libs libassay)
	LD_LIBRARY_PATH=$tmp/i/lib "$tmp/x"
	[ "$(pkg-config --modversion libassay)" = "$(cat VERSION)" ]
	cp include/assay.h "$tmp/alone.h"
	grep -vE '^#include <(stddef|stdint)\.h>$' "$tmp/alone.h" > "$tmp/rest"
	run ! grep '#include' "$tmp/rest"
}

@test "the Python package is typed, and of this version" {
	need python3
	[ -e python/assay/py.typed ]
	[ "$(ASSAY_LIBRARY=$so PYTHONPATH=python python3 -B -c 'import assay; print(assay.version(), assay.__version__)')" = "$(cat VERSION) $(cat VERSION)" ]
	command -v mypy > /dev/null || skip "mypy is not installed"
	(cd python && mypy --strict --cache-dir "$tmp/mypy" assay)
}

# in_machine: a folder with a machine's files, and a proof of nonce 5, good.json.
in_machine() {
	[ -z "$lacks" ] || skip "$lacks is missing"
	need cc pkg-config
	installed "$tmp/i"
	export LD_LIBRARY_PATH=$tmp/i/lib
	cd "$machine"
	nonce=$(printf '%064d' 5)
	at=$(date -u -d 2026-06-01 +%s)
	if [ ! -e good.json ]; then
		server_maker
		"${maker[@]}" --nonce "$nonce" -o good.json
	fi
}

# consumer COMPILER [FLAG...]: $tmp/consumer
consumer() {
	# shellcheck disable=SC2046 # words
	"$@" -Wall -Wextra -Werror -pthread -o "$tmp/consumer" "$top/tests/fixtures/api_consumer.c" -x none $(pkg-config --cflags --libs libassay)
}

@test "a program in C11 and in C++17: what assay verify says" {
	in_machine
	need c++
	"$top/build/assay" verify good.json --manifest signed.json --key key.pub --trust trust --at "@$at" --nonce "$nonce" --tls-cert host.pem \
		--json > "$tmp/cli"
	rc=0
	"$top/build/assay" verify good.json --manifest signed.json --key key.pub --trust trust --at "@$at" --nonce "${nonce/5/6}" \
		--json > "$tmp/bad" || rc=$?
	[ "$rc" -eq 3 ]
	for compiler in "cc -std=c11 -D_GNU_SOURCE" "c++ -x c++ -std=c++17"; do
		# shellcheck disable=SC2086 # words
		consumer $compiler
		run -0 "$tmp/consumer" signed.json key.pub root.pem good.json "$at" "$nonce" host.der manifest=example
		[ "${lines[0]}" = "0 verified: example, release 7" ] && [ "${lines[1]}" = "example 7" ]
		"$tmp/consumer" signed.json key.pub root.pem good.json "$at" "$nonce" host.der | tail -n +3 | cmp - "$tmp/cli"
		run -3 "$tmp/consumer" signed.json key.pub root.pem good.json "$at" "${nonce/5/6}"
		[[ ${lines[0]} == "3 nonce: "* ]] && [ "${lines[1]}" = nonce ]
		diff <(printf '%s\n' "${lines[@]:2}") "$tmp/bad"
		run -1 "$tmp/consumer" signed.json key.pub root.pem key.pub
		[[ ${lines[0]} == "1 "* ]] && [ "${#lines[@]}" = 1 ]
		run -1 "$tmp/consumer" key.pub key.pub root.pem good.json
		run -1 "$tmp/consumer" signed.json root.pem root.pem good.json
		run -1 "$tmp/consumer" signed.json key.pub key.pub good.json
		run -2 "$tmp/consumer" signed.json key.pub root.pem good.json - - - nonesuch=x
		run -2 "$tmp/consumer" signed.json key.pub root.pem good.json - 00
		[[ ${lines[0]} == "2 a nonce of 1 bytes"* ]]
	done
}

@test "calls that are none, one after the other" {
	in_machine
	cat > "$tmp/odd.c" <<-'EOF'
		#include <assay.h>
		#include <string.h>
		#define MUST(x) do { if (!(x)) return __LINE__; } while (0)
		int main(void)
		{
			struct assay_policy *p = assay_policy_new();
			struct assay_result *r = (struct assay_result *)1;

			MUST(assay_policy_add_key(NULL, "", 0) == ASSAY_COULD_NOT && assay_policy_seal(NULL) == ASSAY_COULD_NOT);
			MUST(*assay_policy_error(NULL) && !*assay_policy_error(p));
			MUST(assay_verify(NULL, "", 0, NULL, 0, NULL, 0, &r) == ASSAY_COULD_NOT && r);
			MUST(assay_result_status(r) == ASSAY_COULD_NOT && !assay_result_json(r) && !assay_result_manifest(r));
			assay_result_free(r);
			MUST(assay_verify(p, "", 0, NULL, 0, NULL, 0, NULL) == ASSAY_BAD_CALL);
			MUST(assay_verify(p, "", 0, NULL, 0, NULL, 0, &r) == ASSAY_BAD_CALL);
			MUST(strstr(assay_result_message(r), "not sealed") && assay_result_refusals(r) == 0 && !assay_result_code(r, 0));
			assay_result_free(r);
			assay_result_free(NULL);
			assay_policy_free(NULL);
			MUST(assay_result_status(NULL) == ASSAY_COULD_NOT && *assay_result_message(NULL) && !assay_result_text(NULL, 0));
			MUST(assay_policy_add_manifest(p, NULL, 0) == ASSAY_BAD_CALL && strstr(assay_policy_error(p), "NULL"));
			/* and now it is spoilt */
			MUST(assay_policy_add_manifest(p, "{}", 2) == ASSAY_VERIFIED && assay_policy_seal(p) == ASSAY_BAD_CALL);
			MUST(strstr(assay_policy_error(p), "NULL"));
			assay_policy_free(p);
			p = assay_policy_new();
			MUST(assay_policy_seal(p) == ASSAY_BAD_CALL && strstr(assay_policy_error(p), "no manifest"));
			assay_policy_free(p);
			p = assay_policy_new();
			MUST(assay_policy_set_time(p, -1) == ASSAY_BAD_CALL && assay_policy_option(p, "x", "y") == ASSAY_BAD_CALL);
			MUST(assay_policy_option(p, "ignore-pcr", "007") == ASSAY_BAD_CALL);
			MUST(assay_policy_option(p, "threshold", "99") == ASSAY_BAD_CALL);
			assay_policy_free(p);
			return 0;
		}
	EOF
	# shellcheck disable=SC2046 # words
	cc -std=c11 -Wall -Wextra -Werror -o "$tmp/odd" "$tmp/odd.c" $(pkg-config --cflags --libs libassay)
	"$tmp/odd"
}

@test "eight threads on one policy, and with one each: the same verdicts" {
	in_machine
	consumer cc -O1 -std=c11 -D_GNU_SOURCE
	export THREADS=8 TIMES=50
	run -0 "$tmp/consumer" signed.json key.pub root.pem good.json "$at" "$nonce" host.der
	[ "$output" = "0 different, all 0" ]
	run -0 "$tmp/consumer" signed.json key.pub root.pem good.json "$at" "$nonce" host.der manifest=other
	[ "$output" = "0 different, all 3" ]
	EACH=1 TIMES=5 run -0 "$tmp/consumer" signed.json key.pub root.pem good.json "$at" "$nonce" host.der
	[ "$output" = "0 different, all 0" ]
}

@test "the same under ThreadSanitizer, which says nothing" {
	in_machine
	printf '#include <pthread.h>\nint x;\nstatic void *f(void *a) { x++; return a; }\nint main(void) { pthread_t t; pthread_create(&t, 0, f, 0); x++; return pthread_join(t, 0); }\n' > "$tmp/race.c"
	cc -fsanitize=thread -g -pthread -o "$tmp/race" "$tmp/race.c" 2> /dev/null || skip "no ThreadSanitizer"
	run "$tmp/race"
	[[ $output == *"data race"* ]] || skip "ThreadSanitizer sees nothing here"
	(cd "$top" && own_make VARIANT=tsan build/tsan/libassay.so.0)
	cp "$top/build/tsan/libassay.so.0" "$tmp/i/lib/libassay.so.0"
	consumer cc -fsanitize=thread -g -std=c11 -D_GNU_SOURCE
	export THREADS=8 TIMES=10
	run -0 "$tmp/consumer" signed.json key.pub root.pem good.json "$at" "$nonce" host.der
	[ "$output" = "0 different, all 0" ]
	EACH=1 run -0 "$tmp/consumer" signed.json key.pub root.pem good.json "$at" "$nonce" host.der
	[ "$output" = "0 different, all 0" ]
}

# block LANGUAGE NUMBER: that example of docs/API.md
block() {
	awk -v lang="\`\`\`$1" -v want="$2" '/^```/ { if (on) { on = 0; next } if ($0 == lang && ++n == want) { on = 1; next } } on' "$top/docs/API.md"
}

@test "the examples of docs/API.md" {
	in_machine
	need python3
	start_server
	mkdir "$tmp/here"
	cp signed.json "$tmp/here/manifest.dsse.json"
	cp key.pub "$tmp/here/pub.pem"
	cp root.pem "$tmp/here/ca.pem"
	cp good.json "$tmp/here/proof.json"
	cd "$tmp/here"
	block c 1 > example.c
	command=$(sed -n 's/^    \(cc .*pkg-config.*\)$/\1/p' "$top/docs/API.md")
	[ -n "$command" ]
	eval "$command"
	run -0 ./a.out
	[ "$output" = "verified: example, release 7" ]
	export ASSAY_LIBRARY=$so PYTHONPATH=$top/python PYTHONDONTWRITEBYTECODE=1
	block python 1 > one.py
	run -0 python3 one.py
	[ "$output" = "example 7" ]
	block python 2 | sed "s/8443/$port/" > two.py
	/usr/bin/python3 -c 'import requests' || skip "python3-requests is not installed"
	run -0 /usr/bin/python3 two.py
	[ "${lines[0]}" = "hello from /" ] && [ "${lines[-1]}" = "verified: example, release 7" ]
}

@test "memory that ends: no wrong verdict, wherever it does" {
	in_machine
	# shellcheck disable=SC2046 # words
	cc -std=c11 -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -o "$tmp/memory" "$top/tests/fixtures/api_memory.c" $(pkg-config --cflags --libs libassay)
	run -0 "$tmp/memory" signed.json key.pub root.pem good.json "$at" 5
	[ "${output% runs}" -gt 200 ]
}
