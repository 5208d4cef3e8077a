#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# One byte of a disk is changed, and exactly the PCRs that cover it move: in the prediction, and on
# the machine. IMA's aggregate of PCRs 0 to 9 is in PCR 10, which therefore moves with any of them.
#
# The bytes are chosen so that the system still boots: a digit of the kernel's version text, of the
# name in the initrd's gzip header, of a command line word that nobody reads, of a partition's name.
#
# shellcheck disable=SC2154 # what lib.bash sets

setup_file() {
	load lib
	load oracle
	load check
	check_setup
	[ -z "${boot_missing-}" ] || return 0
	local chain
	for chain in uki sdboot-uki sdboot-entry sdboot-entry-252; do
		changes_base $chain || return 1
	done
}

setup() {
	load lib
	load oracle
	load check
	[ -z "${boot_missing-}" ] || skip "$boot_missing is missing"
}

changes_row() { # CHAIN
	if [ "$1" = sdboot-entry-252 ]; then
		boot_row chain=sdboot-entry systemd=252 cmdline=assay.change=0
	else
		boot_row chain="$1" cmdline=assay.change=0
	fi
}

# The disks that are changed, their machine's profile (one for all), and their predictions.
changes_base() { # CHAIN
	local dir=$boot_dir/changes/$1
	changes_row "$1"
	rm -rf "$dir"
	mkdir -p "$dir"
	boot_row_machine && boot_row_parts "$dir" || return 1
	# One member, with a name in its header, so that a byte can change and nothing else does.
	gzip -dc "$dir/initrd" > "$dir/assay-initrd-name" && gzip -9 -c -N "$dir/assay-initrd-name" > "$dir/initrd" || return 1
	echo 'nobody reads this' > "$dir/readme"
	boot_row_disk "$dir" && mcopy -i "$dir/disk.img@@$boot_esp_offset" "$dir/readme" ::/README.TXT || return 1
	if [ "$1" = uki ]; then
		boot_row_profile "$dir" || return 1
	else
		cp "$boot_dir/changes/uki/profile.yaml" "$dir"
	fi
	check_predict "$dir"
}

# change_byte CHAIN NAME OLD NEW [TIMES]: a copy of the chain's disk in which the text OLD, which is
# there once (or TIMES: the first is taken), has become NEW, of the same length and one byte away.
# Sets dir.
change_byte() {
	local at base=$boot_dir/changes/$1
	dir=$boot_dir/changes/$1-$2
	rm -rf "$dir"
	mkdir -p "$dir"
	cp --sparse=always "$base/disk.img" "$dir/disk.img"
	at=$(LC_ALL=C grep -aboF -- "$3" "$base/disk.img")
	[ "$(wc -l <<< "$at")" -eq "${5-1}" ] || boot_die "'$3' is not ${5-1} times in $base/disk.img: $at" || return 1
	at=${at%%$'\n'*}
	printf '%s' "$4" | dd of="$dir/disk.img" bs=1 seek="${at%%:*}" conv=notrunc status=none
	[ "$(cmp -l "$base/disk.img" "$dir/disk.img" | wc -l)" -eq 1 ] || boot_die "not one byte was changed" || return 1
	change_predict "$1"
}

change_predict() { # CHAIN
	cp "$boot_dir/changes/$1/profile.yaml" "$dir"
	check_predict "$dir"
}

# The PCRs in which two files of lines differ; an error unless they differ in all banks or in none.
change_moved() { # FILE FILE
	awk '
		NR == FNR { a[$1 " " $2] = tolower($3); next }
		$2 < 16 { n++; differs[$2] += 0; if (!(($1 " " $2) in a)) bad = 1; if (a[$1 " " $2] != tolower($3)) differs[$2]++ }
		END {
			for (i = 0; i < 16; i++) {
				if (differs[i] != 0 && differs[i] != 3) bad = 1
				if (differs[i]) printf "%s%d", sep, i
				if (differs[i]) sep = " "
			}
			if (n != 48 || bad) printf " (%d cells%s)", n, bad ? ", not the same in each bank" : ""
			print ""
		}' "$1" "$2"
}

# expect_moved CHAIN PCRS: exactly these differ between the base's prediction and dir's.
expect_moved() {
	check_predicted "$boot_dir/changes/$1/prediction.json" > "$dir/before.txt"
	check_predicted "$dir/prediction.json" > "$dir/predicted.txt"
	local moved
	moved=$(change_moved "$dir/before.txt" "$dir/predicted.txt")
	[ "$moved" = "$2" ] || boot_die "moved: $moved; expected: $2"
}

# expect_real CHAIN PCRS: the changed disk boots to its prediction, and against the base's assay
# compare says that exactly these differ.
expect_real() {
	local moved
	changes_row "$1" && boot_row_machine && boot_capture "$dir" "$dir/disk.img" && check_machine "$dir" &&
		check_boot "$dir" || return 1
	moved=$(change_moved "$dir/before.txt" <(awk '$2 < 16' "$dir/pcrs.txt"))
	[ "$moved" = "$2" ] || boot_die "on the machine moved: $moved; expected: $2" || return 1
	run "$assay" compare "$boot_dir/changes/$1/prediction.json" --pcrs "$dir/pcrs.txt"
	[ "$status" -eq 3 ] || boot_die "assay compare: exit $status, expected 3"$'\n'"$output" || return 1
	moved=$(awk '$NF == "DIFFERENT" { print $2 }' <<< "$output" | sort -n | uniq -c | awk '$1 == 3 { printf "%s%s", sep, $2; sep = " " }')
	[ "$moved" = "$2" ] || boot_die "assay compare: different are $moved; expected: $2"$'\n'"$output"
}

# The text is in the kernel's boot header, and once more behind the packed part.
change_kernel() { change_byte "$1" kernel '#1 SMP PREEMPT_DYNAMIC' '#2 SMP PREEMPT_DYNAMIC' 2; }
change_initrd() { change_byte "$1" initrd assay-initrd-name assay-initrd-namE; }
change_cmdline() { change_byte "$1" cmdline assay.change=0 assay.change=1; }

# The checksums of the table follow, or the firmware would not take it.
change_partition() { # CHAIN
	dir=$boot_dir/changes/$1-partition
	rm -rf "$dir"
	mkdir -p "$dir"
	cp --sparse=always "$boot_dir/changes/$1/disk.img" "$dir/disk.img"
	sfdisk --quiet --part-label "$dir/disk.img" 2 rooT || return 1
	change_predict "$1"
}

@test "a byte of the kernel in a UKI: PCRs 4, 10 and 11 move, on the machine too" {
	change_kernel uki
	expect_moved uki "4 10 11"
	expect_real uki "4 10 11"
}

@test "a byte of the initrd in a UKI: PCRs 4, 9, 10 and 11 move, on the machine too" {
	change_initrd uki
	expect_moved uki "4 9 10 11"
	expect_real uki "4 9 10 11"
}

@test "a byte of the command line in a UKI: PCRs 4, 9, 10 and 11 move, on the machine too" {
	change_cmdline uki
	expect_moved uki "4 9 10 11"
	expect_real uki "4 9 10 11"
}

@test "a byte of the partition table: PCRs 5 and 10 move, on the machine too" {
	change_partition uki
	expect_moved uki "5 10"
	expect_real uki "5 10"
}

@test "systemd-boot and a UKI: kernel, initrd, command line, partition table" {
	change_kernel sdboot-uki
	expect_moved sdboot-uki "4 10 11"
	change_initrd sdboot-uki
	expect_moved sdboot-uki "4 9 10 11"
	change_cmdline sdboot-uki
	expect_moved sdboot-uki "4 9 10 11"
	change_partition sdboot-uki
	expect_moved sdboot-uki "5 10"
}

@test "systemd-boot and a Type 1 entry: kernel, initrd, command line, partition table" {
	change_kernel sdboot-entry
	expect_moved sdboot-entry "4 10"
	change_initrd sdboot-entry
	expect_moved sdboot-entry "9 10"
	change_cmdline sdboot-entry
	expect_moved sdboot-entry "9 10 12"
	change_partition sdboot-entry
	expect_moved sdboot-entry "5 10"
}

@test "a byte of loader.conf: PCRs 5 and 10 move with systemd-boot 257, none with 252" {
	change_byte sdboot-entry loader '# loader.conf: 0' '# loader.conf: 1'
	expect_moved sdboot-entry "5 10"
	change_byte sdboot-entry-252 loader '# loader.conf: 0' '# loader.conf: 1'
	expect_moved sdboot-entry-252 ""
}

@test "a byte of a file that nobody reads: no PCR moves" {
	change_byte uki nobody 'nobody reads this' 'nobody reads thiS'
	expect_moved uki ""
}
