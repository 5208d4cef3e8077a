# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The PCRs that a row's image decides, calculated once more without assay: pesign for programs,
# coreutils for the rest, the parts as they were before they went into the disk. Sourced after
# lib.bash; works on the folder of a row.
# shellcheck disable=SC2154 # what lib.bash sets

oracle_hash() { # BANK, bytes on stdin -> hex
	local sum
	sum=$("$1sum") && printf '%s\n' "${sum%% *}"
}

oracle_bytes() { # hex -> bytes
	# shellcheck disable=SC2059
	printf "$(printf '%s' "$1" | sed 's/../\\x&/g')"
}

oracle_le32() { # FILE OFFSET -> number
	od -An -tu4 -j "$2" -N 4 "$1" | tr -d ' '
}

# The Authenticode digest of a PE32+ file whose sections lie one behind the other, which all of ours
# do: the bytes of the file but for checksum, the certificate table's entry, and the certificates.
oracle_program() { # BANK FILE
	local pe directory certs size digest
	pe=$(oracle_le32 "$2" 60)
	directory=$((pe + 24 + 144))
	certs=$(oracle_le32 "$2" $directory)
	[ "$certs" -ne 0 ] || certs=$(stat -Lc %s "$2")
	digest=$({
		head -c $((pe + 88)) "$2"
		tail -c +$((pe + 92 + 1)) "$2" | head -c $((directory - pe - 92))
		tail -c +$((directory + 8 + 1)) "$2" | head -c $((certs - directory - 8))
	} | oracle_hash "$1")
	# Debian 12's pesign knows no sha384; where it knows the bank it has to agree.
	if size=$(pesign --hash --digest_type="$1" --in="$2" 2> /dev/null) && [[ $size != *"$digest"* ]]; then
		boot_die "oracle: pesign has another $1 of $2: $size" || return 1
	fi
	printf '%s\n' "$digest"
}

oracle_extend() { # BANK DIGEST...: a PCR from zero
	local bank=$1 pcr size digest
	size=$(printf '' | oracle_hash "$bank") && size=${#size}
	shift
	pcr=$(printf '%0*d' "$size" 0)
	for digest in "$@"; do
		[ ${#digest} -eq "$size" ] || boot_die "oracle: no digest: '$digest'" || return 1
		pcr=$(oracle_bytes "$pcr$digest" | oracle_hash "$bank") || return 1
	done
	printf '%s\n' "$pcr"
}

oracle_utf16() { # TEXT -> UTF-16 with its NUL
	printf '%s\0' "$1" | iconv -f UTF-8 -t UTF-16LE
}

oracle_u32() { # NUMBER -> little endian
	oracle_bytes "$(printf '%02x%02x%02x%02x' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24 & 255)))"
}

oracle_pcr4() { # BANK DIR
	local d=()
	d+=("$(printf 'Calling EFI Application from Boot Option' | oracle_hash "$1")")
	d+=("$(oracle_bytes 00000000 | oracle_hash "$1")")
	[ "${row[chain]}" = uki ] || d+=("$(oracle_program "$1" "$2/boot.efi")") || return 1
	[ "${row[chain]}" = sdboot-entry ] || d+=("$(oracle_program "$1" "$2/uki.efi")") || return 1
	# A stub of 252 or 257 has the firmware load the kernel, unless Secure Boot is on.
	[ "${row[chain]}" != sdboot-entry ] && [ "${row[sb]}" = on ] ||
		d+=("$(oracle_program "$1" "$2/linux")") || return 1
	oracle_extend "$1" "${d[@]}"
}

# The GPT event is the header, the number of partitions and their entries (TCG PC Client Platform
# Firmware Profile, UEFI_GPT_DATA); boot_disk makes two partitions.
oracle_gpt() { # DISK
	dd if="$1" bs=1 skip=512 count=92 status=none
	oracle_bytes 0200000000000000
	dd if="$1" bs=128 skip=8 count=2 status=none
}

oracle_pcr5() { # BANK DIR
	local d=()
	d+=("$(oracle_bytes 00000000 | oracle_hash "$1")")
	d+=("$(oracle_gpt "$2/disk.img" | oracle_hash "$1")")
	[ "${row[chain]}" = uki ] || [ "${row[systemd]}" = 252 ] || d+=("$(oracle_hash "$1" < "$2/loader.conf")")
	d+=("$(printf 'Exit Boot Services Invocation' | oracle_hash "$1")")
	d+=("$(printf 'Exit Boot Services Returned with Success' | oracle_hash "$1")")
	oracle_extend "$1" "${d[@]}"
}

# One cpio archive as the stub makes it: directories, files, and the trailer, whose length is written
# in upper case, being a constant of the stub's source.
oracle_cpio() { # DIRECTORY MODE FILE-MODE FILE=NAME...
	local inode=1 f size
	if [ "$1" != .extra ]; then
		oracle_cpio_entry $((inode++)) 40555 .extra 0
	fi
	oracle_cpio_entry $((inode++)) "40$2" "$1" 0
	local directory=$1 mode=$3
	shift 3
	for f in "$@"; do
		size=$(stat -Lc %s "${f%%=*}")
		oracle_cpio_entry $((inode++)) "100$mode" "$directory/${f#*=}" "$size"
		cat "${f%%=*}"
		oracle_pad "$size"
	done
	oracle_cpio_entry 0 0 'TRAILER!!!' 0 | sed 's/0b\(0*TRAILER\)/0B\1/'
}

oracle_pad() { head -c $(((4 - $1 % 4) % 4)) /dev/zero; }

oracle_cpio_entry() { # INODE MODE(octal) NAME SIZE
	local name=$3
	printf '070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\0' "$1" "$((8#$2))" 0 0 1 0 "$4" 0 0 0 0 \
		$((${#name} + 1)) 0 "$name"
	oracle_pad $((110 + ${#name} + 1))
}

oracle_credentials() { oracle_cpio .extra/credentials 500 400 "$1/extra/a.cred=a.cred" "$1/extra/b.cred=b.cred"; }
oracle_global_credentials() { oracle_cpio .extra/global_credentials 500 400 "$1/extra/global.cred=global.cred"; }
oracle_confext() { oracle_cpio .extra/confext 555 444 "$1/extra/conf.confext.raw=conf.confext.raw"; }
oracle_sysext() { # to 252 a .confext.raw is a .raw
	local files=("$1/extra/ext.raw=ext.raw")
	[ "${row[systemd]}" != 252 ] || files=("$1/extra/conf.confext.raw=conf.confext.raw" "${files[@]}")
	oracle_cpio .extra/sysext 555 444 "${files[@]}"
}

oracle_has() { [[ ,${row[sections]}, == *,$1,* ]]; }

# What the stub makes of files and sections, to stand behind the initrd.
oracle_archives() { # DIR
	if [ -n "${row[sidecars]}" ]; then
		oracle_credentials "$1"
		oracle_global_credentials "$1"
		oracle_sysext "$1"
		[ "${row[systemd]}" = 252 ] || oracle_confext "$1"
	fi
	! oracle_has .pcrsig || oracle_cpio .extra 555 444 "$1/pcrsig=tpm2-pcr-signature.json"
	! oracle_has .pcrpkey || oracle_cpio .extra 555 444 "$1/pcrpkey=tpm2-pcr-public-key.pem"
	[ "${row[systemd]}" = 252 ] || oracle_cpio .extra 555 444 "$1/osrel=os-release"
}

# What the kernel is given as initrd. A single part is handed over as it is, several are filled up.
oracle_initrd() { # DIR
	if [ "${row[chain]}" = sdboot-entry ]; then
		cat "$1/initrd"
		return
	fi
	if oracle_has .ucode; then
		cat "$1/ucode"
		oracle_pad "$(stat -Lc %s "$1/ucode")"
	fi
	cat "$1/initrd"
	oracle_archives "$1" > "$1/archives"
	[ ! -s "$1/archives" ] || oracle_pad "$(stat -Lc %s "$1/initrd")"
	cat "$1/archives"
}

oracle_options() { # DIR: the command line as the kernel is given it
	if [ "${row[chain]}" = sdboot-entry ]; then
		printf 'initrd=\\assay\\initrd %s' "$(cat "$1/cmdline")"
	else
		cat "$1/cmdline"
	fi
}

oracle_pcr9() { # BANK DIR
	oracle_extend "$1" "$(oracle_utf16 "$(oracle_options "$2")" | oracle_hash "$1")" \
		"$(oracle_initrd "$2" | oracle_hash "$1")"
}

oracle_pcr11() { # BANK DIR
	local d=() s sections=(.linux .osrel .cmdline .initrd .ucode .splash .dtb .uname .sbat .pcrpkey)
	[ "${row[chain]}" = sdboot-entry ] && set -- "$1" "$2" && sections=()
	[ "${row[systemd]}" = 257 ] || [ ${#sections[@]} -eq 0 ] || sections=(.linux .osrel .cmdline .initrd .splash .dtb .pcrpkey)
	for s in "${sections[@]}"; do
		objdump -h -j "$s" "$2/uki.efi" > /dev/null 2>&1 || continue
		d+=("$(printf '%s\0' "$s" | oracle_hash "$1")")
		if [ "$s" = .sbat ]; then
			objcopy -O binary --only-section=.sbat "$2/uki.efi" "$2/sbat" || return 1
			d+=("$(oracle_hash "$1" < "$2/sbat")")
		else
			d+=("$(oracle_hash "$1" < "$2/${s#.}")")
		fi
	done
	oracle_extend "$1" "${d[@]}"
}

# systemd-boot measures the command line that it hands over: a Type 1 entry's always, 252 also that
# of a UKI, which its stub then takes and measures once more, unless Secure Boot is on.
oracle_pcr12() { # BANK DIR
	local d=() one
	one=$(oracle_utf16 "$(oracle_options "$2")" | oracle_hash "$1")
	[ "${row[chain]}" != sdboot-entry ] || d=("$one")
	if [ "${row[chain]}" = sdboot-uki ] && [ "${row[systemd]}" = 252 ]; then
		d=("$one")
		[ "${row[sb]}" = on ] || d+=("$one")
	fi
	if [ -n "${row[sidecars]}" ]; then
		d+=("$(oracle_credentials "$2" | oracle_hash "$1")" "$(oracle_global_credentials "$2" | oracle_hash "$1")")
		[ "${row[systemd]}" = 252 ] || d+=("$(oracle_confext "$2" | oracle_hash "$1")")
	fi
	oracle_extend "$1" "${d[@]}"
}

oracle_pcr13() { # BANK DIR
	local d=()
	[ -z "${row[sidecars]}" ] || d=("$(oracle_sysext "$2" | oracle_hash "$1")")
	oracle_extend "$1" "${d[@]}"
}

# The parts were signed in place: what .linux holds is the same file, and what the ESP holds too.
oracle_lines() { # DIR -> BANK INDEX HEX
	local bank pcr
	for bank in "${boot_banks[@]}"; do
		for pcr in 4 5 9 11 12 13; do
			printf '%s %s %s\n' "$bank" "$pcr" "$("oracle_pcr$pcr" "$bank" "$1")"
		done
		for pcr in 14 15; do
			printf '%s %s %s\n' "$bank" "$pcr" "$(oracle_extend "$bank")"
		done
	done
}
