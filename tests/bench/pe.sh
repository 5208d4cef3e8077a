#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# pe.sh [RUNS]: the Authenticode digest (sha256) of a UKI of 75 MB, whole processes, best of RUNS,
# against what one core hashes in memory by `openssl speed` and against pesign. One line a number:
# name, value, unit. Exit 3 when a target is missed. Needs openssl, python3, pesign.

set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
assay=${ASSAY:-$top/build/assay}
runs=${1:-25}
want_openssl=0.90 # of its rate
want_pesign=2.5	  # times as fast

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
head -c 75000000 /dev/urandom >"$tmp/initrd"
printf 'kernel' >"$tmp/linux"
"$top/tests/fixtures/make-pe.py" "$tmp/uki.efi" .text=stub .osrel=ID=x .cmdline=quiet \
	.linux=@"$tmp/linux" .initrd=@"$tmp/initrd"
size=$(stat -c %s "$tmp/uki.efi")

# best COMMAND...: seconds of its fastest run, the file being in memory
best() {
	python3 - "$runs" "$@" <<-'END'
		import subprocess, sys, time
		best = None
		for _ in range(int(sys.argv[1])):
		    t = time.perf_counter()
		    subprocess.run(sys.argv[2:], stdout=subprocess.DEVNULL, check=True)
		    t = time.perf_counter() - t
		    best = t if best is None else min(best, t)
		print(f"{best:.6f}")
	END
}

# Bytes a second of one core, the better of two runs around ours: the machine may have other work.
speed() {
	openssl speed -mr -seconds 1 -bytes 262144 -evp sha256 2>/dev/null | awk -F: '/^\+F/ { print $NF }'
}

cat "$tmp/uki.efi" >/dev/null
before=$(speed)
ours=$(best "$assay" pe "$tmp/uki.efi")
after=$(speed)
pesign=
if command -v pesign >/dev/null; then
	pesign=$(best pesign -h -i "$tmp/uki.efi")
	a=$("$assay" pe "$tmp/uki.efi" | awk '$1 == "sha256" { print $2 }')
	b=$(pesign -h -i "$tmp/uki.efi" | awk '{ print $1 == "hash:" ? $2 : $1 }')
	[[ $a == "$b" ]] || {
		echo "pe.sh: the digests differ: $a, pesign $b" >&2
		exit 1
	}
fi

awk -v size="$size" -v ours="$ours" -v before="$before" -v after="$after" -v pesign="$pesign" \
	-v want_openssl="$want_openssl" -v want_pesign="$want_pesign" 'BEGIN {
	rate = before > after ? before : after
	bad = 0
	printf "authenticode-sha256\t%.1f\tMB/s\n", size / ours / 1e6
	printf "openssl-speed-sha256\t%.1f\tMB/s\n", rate / 1e6
	ratio = size / ours / rate
	printf "authenticode/openssl\t%.3f\tat least %.2f\n", ratio, want_openssl
	bad += ratio < want_openssl
	if (pesign != "") {
		printf "pesign-sha256\t%.1f\tMB/s\n", size / pesign / 1e6
		ratio = pesign / ours
		printf "authenticode/pesign\t%.2f\tat least %.2f\n", ratio, want_pesign
		bad += ratio < want_pesign
	} else {
		print "SKIP pesign: not installed"
	}
	exit bad ? 3 : 0
}'
