#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Mutations of a good proof, 10,000 of them, under ASan and UBSan: none is accepted but those that are the same document, none
# crashes (tests/mutation/proof.c). MUTATION_SEED: another seed than 1.

bats_require_minimum_version 1.5.0

setup() {
	load proof
	local lacks
	lacks=$(proof_missing)
	[ -z "$lacks" ] || skip "$lacks is missing"
	top=$proof_top
	machine=$BATS_TEST_TMPDIR/machine
	(
		proof_setup "$top" "$machine"
		machine_events
		prove proof.json "${events[@]}" --tls tls.pem --nonce "$(printf '%020d' 1)" --tcg-log boot.log --manifest example
	)
}

@test "10,000 mutations of a proof" {
	make -s -C "$top" VARIANT=asan build/asan/mutation/proof >"$BATS_TEST_TMPDIR/make" 2>&1 || {
		cat "$BATS_TEST_TMPDIR/make"
		false
	}
	local seed=${MUTATION_SEED:-1}
	cd "$BATS_TEST_TMPDIR"
	run -0 "$top/build/asan/mutation/proof" "$machine" "$seed" 10000
	echo "# ${lines[-1]}" >&3
	[[ ${lines[-1]} == "10000 mutations, seed $seed: "*" 0 wrongly accepted" ]]
	# Each kind of document that is the same was there: whoever finds them is awake.
	local kind
	for kind in same source hint no-tcg-log; do
		grep -qE "^ *[1-9][0-9]* accepted, the same document: $kind\$" <<<"$output"
	done
}
