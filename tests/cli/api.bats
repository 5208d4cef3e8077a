#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# libassay as other programs have it: its symbols, header, pkg-config file and installation.

bats_require_minimum_version 1.5.0

setup() {
	load common
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
