#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# A second checkout makes the image that the first one's manifest is about, though in another folder, with another umask and
# time zone, and an assay of its own.

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	command -v mmdebstrap > /dev/null || skip "mmdebstrap is missing"
	[ "$(id -u)" -eq 0 ] || command -v sudo > /dev/null || skip "neither root nor sudo"
}

@test "a second checkout rebuilds the base image, and its audit agrees with the manifest of the first" {
	make --no-print-directory image > "$BATS_TEST_TMPDIR/log" 2>&1 || { tail -n 30 "$BATS_TEST_TMPDIR/log"; false; }
	rm -rf build/golden-repro
	GOLDEN=build/golden-repro PLATFORM="golden/platforms/q35-ovmf-2022.11.yaml golden/platforms/gcp.yaml" \
		scripts/golden.sh > "$BATS_TEST_TMPDIR/table"
	run scripts/rebuild.sh build/golden-repro/base/1/manifest.dsse.json
	echo "$output"
	[ "$status" -eq 0 ]
	# by cmp, too
	cmp build/image/base.raw build/rebuild/checkout/build/image/base.raw
	for f in build/containers/*.tar; do
		cmp "$f" "build/rebuild/checkout/$f"
	done
	# and of another image the same command says that it is another
	root=$(jq -r '.payload' build/golden-repro/base/1/manifest.dsse.json | base64 -d | jq -r '.predicate.verity[0].root_hash')
	cp --sparse=always build/image/base.raw "$BATS_TEST_TMPDIR/other.raw"
	printf x | dd of="$BATS_TEST_TMPDIR/other.raw" bs=1 seek=440 conv=notrunc status=none
	run build/assay audit build/golden-repro/base/1/manifest.dsse.json --disk "$BATS_TEST_TMPDIR/other.raw"
	[ "$status" -eq 3 ]
	[[ $output == *"$root"* || $output == *"subject"* ]]
}

@test "the digest of what decides the image follows a changed byte, mode and link" {
	copy=$BATS_TEST_TMPDIR/copy
	mkdir -p "$copy"
	cp -a --parents mkosi.conf image scripts "$copy"
	scripts/build-agent.sh --sources | xargs cp -a --parents -t "$copy"
	before=$(scripts/build-image.sh --inputs)
	[ "$("$copy/scripts/build-image.sh" --inputs)" = "$before" ]
	cp -a --parents cli/main.c manifest "$copy"
	[ "$("$copy/scripts/build-image.sh" --inputs)" = "$before" ]
	echo >> "$copy/cli/agent.c"
	[ "$("$copy/scripts/build-image.sh" --inputs)" != "$before" ]
	cp -a cli/agent.c "$copy/cli/agent.c"
	echo >> "$copy/image/root/usr/lib/assay/report"
	after=$("$copy/scripts/build-image.sh" --inputs)
	[ "$after" != "$before" ]
	chmod a-x "$copy/image/root/usr/lib/assay/report"
	[ "$("$copy/scripts/build-image.sh" --inputs)" != "$after" ]
	after=$("$copy/scripts/build-image.sh" --inputs)
	ln -sfn /dev/zero "$copy/image/root/etc/systemd/system/systemd-pcrphase.service"
	[ "$("$copy/scripts/build-image.sh" --inputs)" != "$after" ]
}

@test "sources of another suite come from what apt uses, and from nowhere else" {
	cat > "$BATS_TEST_TMPDIR/one-line.list" << 'END'
# deb http://not.example/debian bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://mirror.example/debian bookworm main contrib
deb http://mirror.example/debian bookworm-updates main
deb http://mirror.example/debian-security bookworm-security main # with a remark
deb http://mirror.example/debian bookworm-backports main
deb-src http://mirror.example/debian bookworm main
END
	ASSAY_APT_SOURCES=$BATS_TEST_TMPDIR/one-line.list run scripts/debian_sources.py trixie
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$(grep -c ^Types: <<< "$output")" -eq 3 ]
	grep -q '^Suites: trixie-security$' <<< "$output"
	run ! grep -qE 'bookworm|not.example|backports|deb-src|contrib' <<< "$output"

	cat > "$BATS_TEST_TMPDIR/stanzas.sources" << 'END'
Types: deb deb-src
URIs: https://mirror.example/debian/
Suites: trixie trixie-updates
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 AAAA
 -----END PGP PUBLIC KEY BLOCK-----

Enabled: no
Types: deb
URIs: https://off.example/debian
Suites: trixie
Components: main
END
	ASSAY_APT_SOURCES=$BATS_TEST_TMPDIR/stanzas.sources run scripts/debian_sources.py --main-only bookworm
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$(grep -c ^Types: <<< "$output")" -eq 1 ]
	grep -q '^ -----BEGIN PGP PUBLIC KEY BLOCK-----$' <<< "$output"
	run ! grep -q off.example <<< "$output"

	echo "deb http://apt.example/vendor bookworm stable" > "$BATS_TEST_TMPDIR/vendor.list"
	ASSAY_APT_SOURCES=$BATS_TEST_TMPDIR/vendor.list run scripts/debian_sources.py trixie
	[ "$status" -eq 1 ]
	[[ "$output" == *"no source of the Debian archive"* ]]
}

@test "deps.sh has nothing to do, and says so quickly" {
	dpkg-query -W gcc make > /dev/null || skip "gcc and make are not installed as packages"
	scripts/deps.sh build
	run scripts/deps.sh no-such-group
	[ "$status" -eq 2 ]
}
