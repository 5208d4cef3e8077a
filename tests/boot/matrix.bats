#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Real boots: the PCRs that assay predicts from the disk and a profile of the machine, which the
# probe made, are the PCRs that the guest reads from its TPM: 0 to 15, in three banks. Each row is
# one machine and one disk; together the rows have each value and each pair of values of the first
# eight things that a row names. What further words a row has (sections, the FAT's kind, who built
# the UKI) are for variety alone.

setup_file() {
	load lib
	load oracle
	load check
	check_setup
}

setup() {
	load lib
	load oracle
	load check
	[ -z "${boot_missing-}" ] || skip "$boot_missing is missing"
}

@test "the rows have each value and each pair of values" {
	local all=(fw=12 fw=13 size=1 size=2 nic=none nic=virtio tpm=tis tpm=crb chain=uki chain=sdboot-uki
		chain=sdboot-entry sb=off sb=on systemd=252 systemd=257 kernel=6.1 kernel=6.12)
	local a b missing=0
	for a in "${all[@]}"; do
		for b in "${all[@]}"; do
			[ "$a" = "$b" ] || [ "${a%=*}" != "${b%=*}" ] || continue
			grep -E '^	check_row ' "$BATS_TEST_FILENAME" | sed 's/$/ /' | grep -F -- " $a " | grep -qF -- " $b " || {
				echo "no row has $a and $b"
				missing=1
			}
		done
	done
	[ $missing -eq 0 ]
}

@test "Debian 13 OVMF, 1 GiB and CPU, no NIC, tpm-crb, UKI started by firmware, Secure Boot off, systemd 257, Linux 6.12, with .ucode .splash .pcrpkey .pcrsig" {
	check_row fw=13 size=1 nic=none tpm=crb chain=uki sb=off systemd=257 kernel=6.12 sections=.ucode,.splash,.pcrpkey,.pcrsig
}

@test "Debian 12 OVMF, 1 GiB and CPU, virtio-net with option ROM, tpm-tis, systemd-boot and a UKI, Secure Boot off, systemd 257, Linux 6.12, credentials and extensions beside the UKI" {
	check_row fw=12 size=1 nic=virtio tpm=tis chain=sdboot-uki sb=off systemd=257 kernel=6.12 filler=a sidecars=yes
}

@test "Debian 13 OVMF, 2 GiB and CPU, virtio-net with option ROM, tpm-crb, systemd-boot and a Type 1 entry, Secure Boot off, systemd 257, Linux 6.1, one counted entry among others" {
	check_row fw=13 size=2 nic=virtio tpm=crb chain=sdboot-entry sb=off systemd=257 kernel=6.1 filler=ab others=yes
}

@test "Debian 13 OVMF, 1 GiB and CPU, virtio-net with option ROM, tpm-crb, UKI started by firmware, Secure Boot off, systemd 252, Linux 6.12" {
	check_row fw=13 size=1 nic=virtio tpm=crb chain=uki sb=off systemd=252 kernel=6.12 build=objcopy fat=16
}

@test "Debian 12 OVMF, 2 GiB and CPU, no NIC, tpm-crb, UKI started by firmware, Secure Boot off, systemd 257, Linux 6.1" {
	check_row fw=12 size=2 nic=none tpm=crb chain=uki sb=off systemd=257 kernel=6.1 build=objcopy filler=abc
}

@test "Debian 12 OVMF, 1 GiB and CPU, no NIC, tpm-tis, UKI started by firmware, Secure Boot on, systemd 252, Linux 6.12, with .splash .pcrpkey .pcrsig" {
	check_row fw=12 size=1 nic=none tpm=tis chain=uki sb=on systemd=252 kernel=6.12 build=objcopy sections=.splash,.pcrpkey,.pcrsig
}

@test "Debian 13 OVMF, 2 GiB and CPU, no NIC, tpm-crb, systemd-boot and a UKI, Secure Boot on, systemd 252, Linux 6.1, credentials and extensions beside the UKI" {
	check_row fw=13 size=2 nic=none tpm=crb chain=sdboot-uki sb=on systemd=252 kernel=6.1 build=objcopy sidecars=yes
}

@test "Debian 13 OVMF, 1 GiB and CPU, virtio-net with option ROM, tpm-tis, systemd-boot and a Type 1 entry, Secure Boot on, systemd 252, Linux 6.1" {
	check_row fw=13 size=1 nic=virtio tpm=tis chain=sdboot-entry sb=on systemd=252 kernel=6.1 fat=16
}

@test "Debian 12 OVMF, 2 GiB and CPU, no NIC, tpm-tis, systemd-boot and a Type 1 entry, Secure Boot on, systemd 257, Linux 6.12" {
	check_row fw=12 size=2 nic=none tpm=tis chain=sdboot-entry sb=on systemd=257 kernel=6.12 filler=abcd
}

@test "Debian 13 OVMF, 1 GiB and CPU, no NIC, tpm-tis, UKI started by firmware, Secure Boot on, systemd 257, Linux 6.12, with .pcrpkey .pcrsig" {
	check_row fw=13 size=1 nic=none tpm=tis chain=uki sb=on systemd=257 kernel=6.12 sections=.pcrpkey,.pcrsig
}

@test "Debian 13 OVMF, 1 GiB and CPU, no NIC, tpm-crb, systemd-boot and a UKI, Secure Boot on, systemd 257, Linux 6.12, one counted entry among others, profile from another disk's log" {
	check_row fw=13 size=1 nic=none tpm=crb chain=sdboot-uki sb=on systemd=257 kernel=6.12 keys=same others=yes learned=yes
}
