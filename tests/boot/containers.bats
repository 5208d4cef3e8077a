#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The containers of the base image: what was built is what lies in the image and what is committed,
# they run on what is in them, and a machine whose archives are not the listed ones stops before it
# starts any. (That a good one starts them, and that Caddy answers, golden.bats sees in its boot.)

bats_require_minimum_version 1.5.0

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.."
	local tool
	for tool in mmdebstrap unsquashfs mksquashfs veritysetup sfdisk qemu-system-x86_64 swtpm; do
		command -v "$tool" >/dev/null || skip "$tool is missing"
	done
	[ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null || skip "neither root nor sudo"
	make --no-print-directory image >"$BATS_FILE_TMPDIR/image.log" 2>&1 || {
		tail -n 30 "$BATS_FILE_TMPDIR/image.log" >&2
		return 1
	}
	export image=build/image/base.raw built=build/containers
	# The root file system as a file, for unsquashfs.
	export root=$BATS_FILE_TMPDIR/root.squashfs
	local start size
	read -r start size < <(sfdisk --json "$image" | jq -r '.partitiontable.partitions[] | select(.name == "root") | "\(.start) \(.size)"')
	dd if="$image" of="$root" bs=512 skip="$start" count="$size" status=none
}

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
}

@test "containers: what is committed, what was built and what lies in the image have the same IDs" {
	run -0 scripts/check-containers.sh
	echo "$output" | sed 's/^/# /' >&3
	unsquashfs -quiet -no-progress -dest "$BATS_TEST_TMPDIR/root" "$root" usr/share/assay >/dev/null
	share=$BATS_TEST_TMPDIR/root/usr/share/assay
	cmp "$share/container_measurements.json" "$built/container_measurements.json"
	[ "$(cd "$share/containers" && sha256sum -- *)" = "$(cd "$built" && sha256sum -- *.tar)" ]
	# As assay reads them, and by jq and sha256sum.
	run -0 build/assay containers --check "$share/container_measurements.json" "$share"/containers/*.tar
	for name in assay-base assay-server caddy; do
		tar=$share/containers/$name.tar
		id=$(tar -xOf "$tar" "$(tar -xOf "$tar" manifest.json | jq -r '.[0].Config')" | sha256sum | cut -d' ' -f1)
		[ "$(jq -r --arg n "@local/$name:1" '.[$n]' "$share/container_measurements.json")" = "sha256:$id" ]
	done
}

# The layer of a container, unpacked; its programs run with its own loader and libraries.
unpack() {
	tree=$BATS_TEST_TMPDIR/$1
	mkdir -p "$tree"
	tar -xOf "$built/$1.tar" "$(tar -xOf "$built/$1.tar" manifest.json | jq -r '.[0].Layers[0]')" | tar -C "$tree" -x
	chmod -R u+w "$tree"
}
run_in() { # PROGRAM ARGUMENT...
	env -i PYTHONHOME="$tree/usr" PYTHONDONTWRITEBYTECODE=1 HOME="$BATS_TEST_TMPDIR" "$tree/lib64/ld-linux-x86-64.so.2" \
		--inhibit-cache --library-path "$tree/usr/lib/x86_64-linux-gnu" "$tree/$1" "${@:2}"
}

@test "containers: each library that a program or library wants is in the container" {
	for name in assay-base caddy; do
		unpack $name
		find "$tree" -type f \( -name '*.so*' -o -path '*/bin/*' \) | while read -r f; do
			[ "$(od -An -tx1 -N4 "$f")" = " 7f 45 4c 46" ] || continue
			echo "$name: ${f#"$tree"}"
			run_in --list "$f" 2>&1 | grep -F 'not found' || true
		done >"$BATS_TEST_TMPDIR/list"
		[ "$(grep -c "^$name: " "$BATS_TEST_TMPDIR/list")" -gt 3 ]
		run ! grep -F 'not found' "$BATS_TEST_TMPDIR/list"
	done
	unpack assay-server
	run ! grep -q . <(find "$tree" -type f -name '*.so*')
}

@test "containers: Python counts and has its modules, Caddy understands its configuration" {
	unpack assay-base
	run -0 run_in usr/bin/python3.13 -c 'import bz2, ctypes, decimal, hashlib, json, lzma, numpy, sqlite3, ssl, uuid, yaml, zlib
print(numpy.linalg.inv(numpy.diag([2.0, 4.0])).sum(), sqlite3.connect(":memory:").execute("select 6 * 7").fetchone()[0])'
	echo "$output"
	[ "$output" = "0.75 42" ]
	unpack caddy
	run -0 run_in usr/bin/caddy adapt --config "$tree/etc/caddy/Caddyfile"
	[ "$(jq -r '[.. | .dial? // empty] | join(" ")' <<<"${lines[-1]}")" = "127.0.0.1:8081 127.0.0.1:8080" ]
	[ "$(jq -c '[.. | .issuers? // empty][0]' <<<"${lines[-1]}")" = '[{"module":"internal"}]' ]
	# With an application disk: the agent's certificate, and no authority of Caddy's own.
	run -0 env ASSAY_TLS='/tls/cert.pem /tls/key.pem' "$tree/lib64/ld-linux-x86-64.so.2" --inhibit-cache \
		--library-path "$tree/usr/lib/x86_64-linux-gnu" "$tree/usr/bin/caddy" adapt --config "$tree/etc/caddy/Caddyfile"
	[ "$(jq -c '[.. | .load_files? // empty][0][0] | [.certificate, .key]' <<<"${lines[-1]}")" = '["/tls/cert.pem","/tls/key.pem"]' ]
	run ! grep -qE '"issuers"|"internal"|acme' <<<"${lines[-1]}"
}

@test "containers: Python and tar of Debian 13 make the same bytes" {
	tools=$(echo build/tools/trixie-*)
	[ -x "$tools/usr/bin/python3" ] || skip "no tools tree"
	libs=$tools/usr/lib/x86_64-linux-gnu
	# The host's yaml module without its C part, which is the host's Python's.
	mkdir "$BATS_TEST_TMPDIR/py"
	cp -r "$(python3 -c 'import os, yaml; print(os.path.dirname(yaml.__file__))')" "$BATS_TEST_TMPDIR/py/yaml"
	rm -f "$BATS_TEST_TMPDIR"/py/yaml/*.so
	python() {
		env -i PATH="$PATH" PYTHONHOME="$PWD/$tools/usr" PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$BATS_TEST_TMPDIR/py" \
			"$libs/ld-linux-x86-64.so.2" --library-path "$libs" "$tools/usr/bin/python3" "$@"
	}
	[[ "$(python --version)" == "Python 3.13."* ]]
	for name in assay-server caddy; do
		python scripts/container_archive.py build image/containers.yaml $name build/containers.work/repo \
			"$(sed -n 's/^SourceDateEpoch=//p' mkosi.conf)" "$BATS_TEST_TMPDIR/$name.tar"
		cmp "$BATS_TEST_TMPDIR/$name.tar" "$built/$name.tar"
	done
}

# boot_changed EDIT...: boot the base image with other files in it (reseal.py), sealed again; its
# console to $log. The machine has to power off by itself, and without the report that was asked for.
boot_changed() {
	local dir=$BATS_TEST_TMPDIR/boot try
	# shellcheck source=scripts/reference.sh
	. scripts/reference.sh
	tests/boot/reseal.py "$image" "$BATS_TEST_TMPDIR/disk.raw" "$BATS_TEST_TMPDIR/work" "$@"
	run -0 build/assay verity "$BATS_TEST_TMPDIR/disk.raw"
	for ((try = 1; try <= 4; try++)); do
		rm -rf "$dir" && mkdir -p "$dir"
		truncate -s 8M "$dir/capture.raw"
		# shellcheck disable=SC2154 # reference_options: reference.sh
		run scripts/vm.sh run "$dir/vm" "${reference_options[@]}" --timeout 400 --disk "$BATS_TEST_TMPDIR/disk.raw" \
			--capture "$dir/capture.raw"
		# A guest kernel that died by itself (docs/TESTING.md)
		[ "$(cat "$dir/vm/end")" = guest-reset ] || break
		echo "# the guest's kernel died; booted again" >&3
	done
	log=$dir/vm/serial.log
	grep -a assay- "$log" || tail -n 30 "$log"
	[ "$(cat "$dir/vm/end")" = guest-shutdown ]
	grep -aq '^assay-containers: no container is started' "$log"
	run ! grep -aqE 'ASSAY-REPORT|assay-answers' "$log"
	[ -z "$(tr -d '\0' <"$dir/capture.raw" | head -c 1)" ]
}

@test "boot: an archive that has not the listed ID stops the machine, which names archive, expected and actual ID" {
	right=$(jq -r '."@local/caddy:1"' "$built/container_measurements.json")
	wrong=sha256:$(printf 'a%.0s' {1..64})
	sed "s/$right/$wrong/" "$built/container_measurements.json" >"$BATS_TEST_TMPDIR/list"
	boot_changed usr/share/assay/container_measurements.json="$BATS_TEST_TMPDIR/list"
	grep -aqF "assay-containers: WRONG: /usr/share/assay/containers/caddy.tar: expected @local/caddy:1 $wrong, actual @local/caddy:1 $right" "$log"
	[ "$(grep -ac 'WRONG' "$log")" -eq 1 ]
}

@test "boot: an archive that is missing stops the machine" {
	boot_changed -usr/share/assay/containers/assay-server.tar
	grep -aqF "WRONG: /usr/share/assay/containers/assay-server.tar is missing; expected @local/assay-server:1 $(jq -r '."@local/assay-server:1"' "$built/container_measurements.json")" "$log"
}

@test "boot: a layer that is not the configuration's stops the machine: podman refuses it" {
	# The small container alone, with another busybox in it; its configuration and ID are right.
	grep -vE 'assay-base|caddy' "$built/container_measurements.json" | sed 's/,$//' >"$BATS_TEST_TMPDIR/list"
	python3 - "$built/assay-server.tar" "$BATS_TEST_TMPDIR/changed.tar" <<-'END'
		import sys
		data = bytearray(open(sys.argv[1], "rb").read())
		data[len(data) // 2] ^= 1
		open(sys.argv[2], "wb").write(data)
	END
	run -3 build/assay containers "$BATS_TEST_TMPDIR/changed.tar"
	boot_changed usr/share/assay/container_measurements.json="$BATS_TEST_TMPDIR/list" -usr/share/assay/containers/assay-base.tar \
		-usr/share/assay/containers/caddy.tar usr/share/assay/containers/assay-server.tar="$BATS_TEST_TMPDIR/changed.tar"
	grep -aq "assay-containers: assay-server.tar: .*, as listed" "$log"
	grep -aqF "WRONG: /usr/share/assay/containers/assay-server.tar: podman refuses it" "$log"
}
