# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# A folder of small example files, one of each kind, under the names that the manual pages use.

# What scratch_make wants and this machine lacks; nothing when all is there.
scratch_missing() {
	local tool
	for tool in cpio objcopy objdump sfdisk mformat mcopy mmd openssl python3 jq veritysetup faketime; do
		command -v "$tool" > /dev/null || echo "$tool"
	done
	[ -e "$scratch_stub" ] || echo systemd-boot-efi
}
scratch_stub=/usr/lib/systemd/boot/efi/linuxx64.efi.stub

# scratch_make TOP DIR: TOP is the source tree, built.
scratch_make() {
	local top=$1 dir=$2 assay=$1/build/assay app layer config
	mkdir -p "$dir/parts" && cd "$dir" || return 1

	printf 'ID=example\n' > parts/osrel
	printf 'console=ttyS0 quiet' > parts/cmdline
	printf '6.12.0' > parts/uname
	# Two archives, one of them packed, of a length that is no multiple of 4.
	mkdir -p parts/root/usr/bin parts/root/usr/lib/modules/6.12.0-amd64/kernel parts/early/kernel/x86/microcode || return 1
	printf 'ID=example\n' > parts/root/usr/lib/initrd-release
	printf 'no module' > parts/root/usr/lib/modules/6.12.0-amd64/kernel/example.ko
	printf 'microcode' > parts/early/kernel/x86/microcode/GenuineIntel.bin
	ln -s usr/bin parts/root/bin
	find parts/root parts/early -exec touch -h -d @0 {} +
	(cd parts/early && find kernel | sort | cpio -o --quiet --reproducible -H newc -R 0:0) > parts/initrd &&
		(cd parts/root && find . | sort | cpio -o --quiet --reproducible -H newc -R 0:0) | gzip -n >> parts/initrd || return 1
	while (($(stat -c %s parts/initrd) % 4 != 3)); do printf '\0' >> parts/initrd; done
	cp parts/initrd initrd.img
	# As much of a kernel as is looked at: version of the EFI stub, the boot header's magic, version.
	"$top/tests/fixtures/make-pe.py" parts/linux dirs=5 .text=code put=0xc4:0300 put=0x1f1:04 put=0x202:486472530f02 \
		put=0x20e:1000 "put=0x210:$(printf '6.12.0-amd64 (debian-kernel@lists.debian.org) #1\0' | od -An -v -tx1 | tr -d ' \n')" ||
		return 1
	# Debian 13's stub has an image base, which the addresses that objcopy takes are above.
	local base at=0x2000000 name sections=()
	base=0x$(objdump -p "$scratch_stub" | awk '$1 == "ImageBase" { print $2 }')
	for name in osrel cmdline uname initrd linux; do
		sections+=(--add-section ".$name=parts/$name" --change-section-vma ".$name=$(printf '0x%x' $((base + at)))")
		at=$((at + 0x10000))
	done
	objcopy "${sections[@]}" "$scratch_stub" linux.efi || return 1
	cp "${scratch_stub%/*}/systemd-bootx64.efi" BOOTX64.EFI
	cp BOOTX64.EFI probe-x64.efi # stands for the probe; booted by nobody

	"$top/image/probe/disk.sh" linux.efi BOOTX64.EFI disk.img || return 1
	printf 'timeout 0\n' > parts/loader.conf
	mmd -i disk.img@@1M ::/loader ::/EFI/Linux && mcopy -i disk.img@@1M parts/loader.conf ::/loader/ &&
		mcopy -i disk.img@@1M linux.efi ::/EFI/Linux/ || return 1
	dd if=disk.img of=esp.img bs=1M skip=1 conv=sparse status=none || return 1

	# A container image of one layer, as docker save once wrote it.
	mkdir parts/image && echo hello > parts/hello || return 1
	tar -C parts --sort=name --mtime=@0 --owner=0 --group=0 -cf parts/image/layer.tar hello || return 1
	layer=$(sha256sum < parts/image/layer.tar) && layer=${layer%% *}
	printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' "$layer" > parts/config
	config=$(sha256sum < parts/config) && config=${config%% *}
	mv parts/config "parts/image/$config.json" || return 1
	printf '[{"Config":"%s.json","RepoTags":["hello:latest"],"Layers":["layer.tar"]}]' "$config" > parts/image/manifest.json
	tar -C parts/image -cf image.tar . || return 1

	app=$("$assay" pe --json --bank sha1,sha256 probe-x64.efi | jq -r '.[0].authenticode | "\(.sha1) \(.sha256)"') || return 1
	# shellcheck disable=SC2086 # two words
	"$top/tests/fixtures/make-boot-log.py" $app machine.log console.txt || return 1
	"$assay" platform learn --log machine.log --probe probe-x64.efi --name example -o platform.yaml || return 1
	"$assay" precompute disk.img --platform platform.yaml --json -o prediction.json || return 1
	"$top/tests/fixtures/log-of.py" prediction.json same.log || return 1
	"$assay" manifest create disk.img --platform platform.yaml --name example --release 1 --not-before 2026-11-22 \
		-o manifest.json || return 1
	openssl genpkey -algorithm ed25519 -out key.pem && openssl pkey -in key.pem -pubout -out key.pub &&
		"$assay" manifest sign manifest.json --key key.pem -o signed.json > /dev/null || return 1
	jq -r '.banks | to_entries[] | .key as $bank | .value | to_entries[] | "\($bank) \(.key) \(.value)"' \
		prediction.json > pcrs.txt

	seq 1 100000 | head -c 524288 > app.img
	# What a machine with that disk proves, and whom to trust.
	# shellcheck source=tests/cli/proof.bash
	. "$top/tests/cli/proof.bash"
	mkdir trust && proof_cert parts/root "Test root" - "$proof_ca_ext" && cp parts/root.pem trust/ &&
		proof_cert ak "Test AK" parts/root "$proof_ak_ext" &&
		proof_cert server "server.example" - 'subjectAltName=DNS:server.example\n' -algorithm EC -pkeyopt ec_paramgen_curve:P-256 &&
		"$top/tests/cli/make_proof.py" --key ak.key --cert ak.pem --pcrs pcrs.txt --event 15 sentinel "" --event 15 certificate @server.pem \
			--event 14 event "{\"content\":{\"resolved\":{\"files\":1,\"hash\":\"sha256:$(sha256sum < app.img | cut -d' ' -f1)\"},\"spec\":{\"path\":\"model\"}},\"event_type\":\"weights_tree\"}" \
			--nonce 00112233445566778899 --tls server.pem --tcg-log same.log --manifest example -o proof.json || return 1

	# shellcheck source=tests/cli/verity.bash
	. "$top/tests/cli/verity.bash"
	verity_format app.img app.tree > app.roothash &&
		verity_disk os.img app.img app.tree "$(cat app.roothash)" &&
		cp --sparse=always app.img app.raw &&
		verity_format app.raw app.raw "--hash-offset=$(stat -c %s app.img)" > /dev/null
}

# scratch_setup [MISSING], for setup_file: the folder for one file of tests, or in scratch_lacks what keeps it from being
# made. MISSING: what else the caller found to be missing.
scratch_setup() {
	local missing
	missing=$(scratch_missing)${1:+ $1}
	if [ -n "$missing" ]; then
		export scratch_lacks=${missing//$'\n'/ }
		return
	fi
	export scratch=$BATS_FILE_TMPDIR/scratch
	(scratch_make "$(realpath "$BATS_TEST_DIRNAME/../..")" "$scratch")
}
