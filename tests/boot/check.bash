# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What is held against what: a prediction, the machine, and calculations without assay. Sourced
# after lib.bash and oracle.bash. Whatever does not match is shown in full.
# shellcheck disable=SC2154 # what lib.bash sets

assay=${ASSAY:-$boot_top/build/assay}

boot_cells=48 # PCRs 0 to 15 in three banks

# check_setup: what every boot needs; called by setup_file.
check_setup() {
	local tool
	for tool in qemu-system-x86_64 swtpm swtpm_setup swtpm_ioctl tpm2_pcrread sfdisk mkfs.vfat mcopy objcopy \
		objdump cpio jq sbsign cert-to-efi-sig-list sign-efi-sig-list openssl python3 pesign iconv xz; do
		command -v "$tool" > /dev/null || {
			# shellcheck disable=SC2034 # read by the tests' setup
			export boot_missing=$tool
			return 0
		}
	done
	[ -x "$assay" ] || boot_die "$assay is not built" || return 1
	[ -e "$boot_top/build/probe/probe-x64.efi" ] || make -s -C "$boot_top" probe >&2 || return 1
	boot_debs_get >&2
}

# check_lines FILE REAL [PCRS]: compares lines BANK INDEX HEX with the machine's; prints a table of
# what differs, and last "EQUAL of ALL equal". PCRS: a list, when not all of 0 to 15.
check_lines() {
	awk -v only=" ${3:-0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15} " '
		index(only, " " $2 " ") == 0 { next }
		NR == FNR { want[$1 " " $2] = tolower($3); next }
		{
			key = $1 " " $2
			n++
			if (key in want && want[key] == tolower($3)) { equal++; next }
			print "  " $1 " PCR " $2 ": machine " tolower($3)
			print "  " $1 " PCR " $2 ": wanted  " ((key in want) ? want[key] : "(no value)")
		}
		END { print equal + 0 " of " n + 0 " equal" }' "$1" "$2"
}

# The prediction's values as lines. Independent of how assay compares.
check_predicted() { # PREDICTION.json
	jq -r '.banks | to_entries[] | .key as $bank | .value | to_entries[] | "\($bank) \(.key) \(.value)"' "$1"
}

# check_boot DIR: the prediction DIR/prediction.json, the real boot's DIR/pcrs.txt and log.bin.
check_boot() {
	local dir=$1 out rc=0 last
	check_predicted "$dir/prediction.json" > "$dir/predicted.txt" || return 1
	out=$(check_lines "$dir/predicted.txt" "$dir/pcrs.txt")
	last=${out##*$'\n'}
	[ "$last" = "$boot_cells of $boot_cells equal" ] || {
		printf 'predicted and real differ (%s):\n%s\n' "$dir" "$out" >&2
		rc=1
	}
	"$assay" compare "$dir/prediction.json" --pcrs "$dir/pcrs.txt" > "$dir/compare-pcrs.txt" 2>&1 || {
		printf 'assay compare --pcrs: exit %s\n' $? >&2
		cat "$dir/compare-pcrs.txt" >&2
		rc=1
	}
	"$assay" compare "$dir/prediction.json" --log "$dir/log.bin" > "$dir/compare-log.txt" 2>&1 || {
		printf 'assay compare --log: exit %s\n' $? >&2
		cat "$dir/compare-log.txt" >&2
		rc=1
	}
	[ $rc -eq 0 ] || return $rc
	echo "# $last; boots: $(cat "$dir/tries")" >&3
}

# check_machine DIR: was it the machine and were they the stages that the row names? And do guest and
# TPM agree?
check_machine() {
	local dir=$1 out word pcrs='0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15'
	# The guest loads a module after its report, which with Secure Boot on IMA measures into PCR 10.
	[ "${row[sb]}" = off ] || pcrs=${pcrs/ 10 / }
	out=$(check_lines "$dir/boot/pcrs" "$dir/pcrs.txt" "$pcrs")
	[[ $out != *$'\n'* ]] && [[ $out =~ ^(48 of 48|45 of 45)\ equal$ ]] ||
		boot_die "the guest's PCRs are not the TPM's:"$'\n'"$out" || return 1
	local want=("kernel ${row[kernel]}." "cpus ${row[size]}")
	[ "${row[chain]}" = sdboot-entry ] || want+=("StubInfo systemd-stub ${row[systemd]}.")
	[ "${row[chain]}" = uki ] || want+=("LoaderInfo systemd-boot ${row[systemd]}.")
	[ "${row[sb]}" = off ] || want+=("SecureBoot 1")
	for word in "${want[@]}"; do
		grep -qF "$word" "$dir/report" || boot_die "the guest does not say '$word':
$(grep -vE '^(log|pcr|ima) ' "$dir/report")" || return 1
	done
	[ "${row[sb]}" = on ] || ! grep -q 'SecureBoot 1' "$dir/report" || boot_die "Secure Boot is on" || return 1
	grep -qE 'tpm-'"${row[tpm]}" "$dir/boot/machine"
}

# check_oracle DIR: the machine against pesign and coreutils; no assay in it.
check_oracle() {
	local dir=$1 out
	oracle_lines "$dir" > "$dir/oracle.txt" || return 1
	out=$(check_lines "$dir/oracle.txt" "$dir/pcrs.txt" '4 5 9 11 12 13 14 15')
	[ "${out##*$'\n'}" = "24 of 24 equal" ] || boot_die "oracle and machine differ:"$'\n'"$out"
}

# check_measure DIR: PCR 11 against systemd-measure of Debian 13, which knows what stub 257 measures: the
# machine's value, and those that the prediction has for each phase of a boot with systemd.
check_measure() {
	local dir=$1 s args=() phase=enter-initrd phases out
	[ "${row[systemd]}" = 257 ] && [ "${row[chain]}" != sdboot-entry ] || return 0
	for s in linux osrel cmdline initrd uname sbat ${row[sections]//[.,]/ }; do
		[ "$s" = pcrsig ] || args+=("--$s=$dir/$s") # not measured: it signs what is
	done
	phases=(--phase=: "--phase=$phase")
	for s in leave-initrd sysinit ready; do
		phase+=:$s
		phases+=("--phase=$phase")
	done
	"$boot_top/scripts/trixie-tool.sh" systemd-measure calculate "${args[@]}" "${boot_banks[@]/#/--bank=}" "${phases[@]}" \
		--json=short > "$dir/measure.json" || return 1
	jq -r 'to_entries[] | .key as $bank | .value[] | select(.phase == null) | "\($bank) 11 \(.hash)"' "$dir/measure.json" \
		> "$dir/measure.txt"
	out=$(check_lines "$dir/measure.txt" "$dir/pcrs.txt" 11)
	[ "$out" = "3 of 3 equal" ] || boot_die "systemd-measure and machine differ:"$'\n'"$out" || return 1
	jq -r 'to_entries[] | .key as $bank | .value[] | select(.phase != null) | "\($bank) \(.phase) \(.hash)"' \
		"$dir/measure.json" | sort > "$dir/phases-systemd.txt"
	jq -r '.phases[] | .phase as $phase | .pcr11 | to_entries[] | "\(.key) \($phase) \(.value)"' "$dir/prediction.json" |
		grep -v shutdown | sort > "$dir/phases-assay.txt"
	[ "$(wc -l < "$dir/phases-systemd.txt")" -eq 12 ] && diff "$dir/phases-systemd.txt" "$dir/phases-assay.txt" >&2
}

# check_predict DIR: DIR/prediction.json from DIR/disk.img and DIR/profile.yaml.
check_predict() {
	"$assay" precompute "$1/disk.img" --platform "$1/profile.yaml" --bank sha1,sha256,sha384 --json \
		-o "$1/prediction.json" || boot_die "assay precompute: exit $?"
}

# check_row KEY=VALUE...: one row of the matrix, start to end.
check_row() {
	local dir
	boot_row "$@" || return 1
	[ "$BATS_TEST_DESCRIPTION" = "$(boot_row_name)" ] || boot_die "the row is: $(boot_row_name)" || return 1
	dir=$boot_dir/captures/$(boot_row_slug)
	rm -rf "$dir"
	mkdir -p "$dir"
	boot_row_machine && boot_row_parts "$dir" && boot_row_disk "$dir" && declare -p row > "$dir/row" || return 1
	boot_row_profile "$dir" && check_predict "$dir" || return 1
	boot_capture "$dir" "$dir/disk.img" && check_machine "$dir" && check_oracle "$dir" && check_measure "$dir" && check_boot "$dir"
}
