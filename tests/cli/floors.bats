#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The architecture, as far as a script can read it; and that the script does see what it looks for.

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	check=$PWD/scripts/check-floors.sh
	top=$BATS_TEST_TMPDIR/top
	mkdir -p "$top/core" "$top/tpm" "$top/measure/pe" "$top/attest" "$top/cli"
}

@test "no include runs upward or sideways" {
	run $check floors
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "every source names its licence" {
	run $check spdx
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "every visible symbol begins with assay_" {
	command -v nm > /dev/null || skip "nm is missing"
	[ -e build/libassay.a ] || skip "build/libassay.a is not built"
	run $check prefix build/libassay.a
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "an arrow upward is seen" {
	echo '#include "tpm/pcr.h"' > "$top/core/a.c"
	run $check floors "$top"
	[ "$status" -eq 1 ]
	[ "$output" = "core/a.c:1: core must not include tpm/pcr.h" ]
}

@test "an arrow sideways is seen, in a sub-folder and with odd spacing" {
	printf 'int x;\n  #  include   "tpm/pcr.h" // why\n' > "$top/measure/pe/a.h"
	run $check floors "$top"
	[ "$status" -eq 1 ]
	[ "$output" = "measure/pe/a.h:2: measure must not include tpm/pcr.h" ]
}

@test "another room's private header is seen" {
	echo '#include "core/json_priv.h"' > "$top/tpm/a.c"
	run $check floors "$top"
	[ "$status" -eq 1 ]
}

@test "the agent takes no parser of disks along" {
	echo '#include "measure/measure.h"' > "$top/cli/agent.c"
	echo '#include "measure/measure.h"' > "$top/cli/main.c"
	echo '#include "precompute/precompute.h"' > "$top/attest/a.c"
	echo '#include "measure/measure.h"' > "$top/cli/cli.h"
	echo '#include "cli/machine.h"' >> "$top/cli/agent.c"
	run $check floors "$top"
	[ "$status" -eq 1 ]
	[ "${#lines[@]}" -eq 4 ]
}

@test "arrows downward are fine" {
	echo '#include "core/err.h"' > "$top/tpm/a.c"
	echo '#include "tpm/pcr.h"' > "$top/attest/a.c"
	printf '#include "attest/x.h"\n#include "cli/cli.h"\n' > "$top/cli/agent.c"
	run $check floors "$top"
	[ "$status" -eq 0 ]
}

@test "a source without its licence line is seen" {
	echo 'int x;' > "$top/core/a.c"
	run $check spdx "$top"
	[ "$status" -eq 1 ]
	[[ $output == core/a.c:* ]]
}

@test "a symbol without the prefix is seen" {
	command -v nm > /dev/null && command -v cc > /dev/null || skip "nm or cc is missing"
	echo 'int assay_ok; int leak;' > "$top/a.c"
	cc -c -o "$top/a.o" "$top/a.c"
	run $check prefix "$top/a.o"
	[ "$status" -eq 1 ]
	[ "$output" = leak ]
}
