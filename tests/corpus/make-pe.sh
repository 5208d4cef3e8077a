#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Make the seeds of fuzz_pe and fuzz_sbat anew. What they found later is added by hand. Needs
# python3, openssl and sbsign.

set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
make=$here/../fixtures/make-pe.py
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$here/pe" "$here/sbat"
cd "$here/pe"

sbat='sbat,1,SBAT Version,sbat,1,https://x'$'\n'
"$make" pe32 pe32 .text=code
"$make" plus .text=code .data=data tail=13
"$make" dirs4 dirs=4 .text=code
"$make" gaps gap=512 .text=code gap=512 .data=data tail=9
"$make" bss .text=code .bss+5000=
"$make" empty-sections .text=code .cmdline= .linux=
"$make" kernel "dirs=5" .text=code put=0x1f1:04 put=0x202:486472530f02 put=0x20e:1000 \
	put=0x210:362e312e30202878407929
"$make" uki .text=code '.sdmagic=#### LoaderInfo: systemd-stub 257.9-1 ####' \
	".sbat=${sbat}systemd-stub,1,d,systemd,257,u" .osrel=ID=x .cmdline=quiet .uname=6.1 \
	.linux=@kernel .initrd+700=initrd
"$make" profiles .text=code .linux=k .cmdline=base .profile=ID=a .cmdline=a .dtbauto=1 .dtbauto=2 \
	.profile=ID=b .uname=b .efifw=f .hwids=h
"$make" addon .text=code '.sdmagic=#### LoaderInfo: systemd-addon 257 ####' .cmdline=more
"$make" sdboot .text=code '.sdmagic=#### LoaderInfo: systemd-boot 252.39-1 ####'
"$make" grub .text=code mods=m ".sbat=${sbat}grub,5,FSF,grub,2.12,u"
"$make" shim .text=code .vendor_cert=c ".sbat=${sbat}shim,4,UEFI shim,shim,1,u"
"$make" long-names .text=code /4=x tail=36 put=0x8c:0006000001000000 put=0x616:2e76656e646f725f636572740000
openssl req -x509 -newkey rsa:1024 -nodes -keyout "$tmp/k" -out "$tmp/c" -subj /CN=fuzz -days 1 2>/dev/null
sbsign --key "$tmp/k" --cert "$tmp/c" --output signed plus 2>/dev/null
sbsign --key "$tmp/k" --cert "$tmp/c" --output signed-twice signed 2>/dev/null

cd "$here/sbat"
printf '%s' "$sbat" >one
printf '%sshim,4,UEFI shim,shim,1,u\nshim.debian,1,Debian,shim,16.1,u\n' "$sbat" >shim
printf '\xef\xbb\xbfa,1,v,p,1,u\r\n\r\nb,2147483647,,,,,more\n\0junk' >odd
printf 'a,0,v,p,1,u\n' >bad
