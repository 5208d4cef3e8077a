#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# assay initrd against cpio, bsdtar and the packers' own tools. A booted kernel: tests/boot/initrd.bats.
bats_require_minimum_version 1.5.0

setup_file() {
	load common
	need cpio
	export dir=$BATS_FILE_TMPDIR/i
	mkdir -p "$dir/a/usr/bin" "$dir/a/etc" "$dir/b/usr/lib" "$dir/early/kernel/x86/microcode"
	cd "$dir"
	seq 1 20000 > a/usr/bin/numbers
	chmod 4755 a/usr/bin/numbers
	echo one > a/etc/first
	: > a/etc/empty
	chmod 600 a/etc/empty
	echo 'a name' > 'a/etc/with blank'
	ln -s usr/bin a/bin
	mkfifo a/etc/pipe
	mkdir -p b/etc && echo later > b/etc/first
	echo more > b/usr/lib/more
	ln b/usr/lib/more b/usr/lib/again
	ln b/usr/lib/more b/usr/zlast
	echo code > early/kernel/x86/microcode/AuthenticAMD.bin
	find a b early -exec touch -h -d @1700000000 {} +
	pack newc a
	pack newc b
	pack newc early
	pack crc a crc
	cat a.cpio b.cpio > both.cpio
	need python3 objcopy jq
	"$BATS_TEST_DIRNAME/../fixtures/make-pe.py" linux dirs=5 .text=code put=0xc4:0300 put=0x1f1:04 put=0x202:486472530f02 \
		put=0x20e:1000 "put=0x210:$(printf '6.12.31-amd64 (x@y) #1\0' | od -An -v -tx1 | tr -d ' \n')"
}

# pack FORMAT FOLDER [NAME]: as the kernel's own documents have it made, and cut behind its trailer
pack() {
	(cd "$2" && find . | LC_ALL=C sort | cpio -o --quiet --reproducible -H "$1" -R 0:0) > "${3:-$2}.cpio"
}

setup() {
	top=$(realpath "$BATS_TEST_DIRNAME/../..")
	assay=$top/build/assay
	load common
	cd "$dir"
	tmp=$BATS_TEST_TMPDIR
}

# tree FOLDER: its files as assay initrd --mtree has them, by find and sha256sum; owners are not looked at.
tree() {
	(
		cd "$1"
		find . -printf '%y %m %n %p\t%l\n' | while IFS=$'\t' read -r line target; do
			read -r kind mode links path <<< "$line"
			printf '%s mode=0%s' "${path// /\\040}" "$mode"
			case $kind in
			d) echo " type=dir" ;;
			l) echo " type=link link=$target" ;;
			p) echo " type=fifo" ;;
			f)
				printf ' type=file size=%s sha256=%s' "$(stat -c %s "$path")" "$(sha256sum < "$path" | cut -d' ' -f1)"
				[ "$links" -eq 1 ] && echo || echo " nlink=$links"
				;;
			esac
		done | LC_ALL=C sort
	)
}

ours() { "$assay" initrd --mtree "$1" | sed 's/ uid=[0-9]* gid=[0-9]*//' | LC_ALL=C sort; }

@test "the same files, modes, owners, sizes and times as cpio -tv" {
	for f in a crc early; do
		TZ=UTC cpio -itv --quiet --numeric-uid-gid < $f.cpio | awk '{ $2 = $6 = $7 = $8 = ""; print }' | tr -s ' ' | LC_ALL=C sort > "$tmp/theirs"
		"$assay" initrd $f.cpio | grep '^[dlpcb-][rwxsStT-]\{9\} ' | awk '{ $5 = $6 = ""; print }' | tr -s ' ' | LC_ALL=C sort > "$tmp/ours"
		# a link's size is its target's length there, and so it is here
		diff "$tmp/theirs" "$tmp/ours"
		[ "$(wc -l < "$tmp/ours")" -ge 5 ]
	done
	[[ $("$assay" initrd a.cpio) == *"2023-11-14 22:13 usr/bin/numbers"* ]]
}

@test "the same digests as bsdtar" {
	need bsdtar
	list() { sed 's/sha256digest/sha256/; s/mode=0*/mode=/' | awk '{ n = split($0, w, " "); s = w[1]; asort_(w, n); for (i = 2; i <= n; i++) s = s " " w[i]; print s }
		function asort_(w, n,  i, j, t) { for (i = 3; i <= n; i++) { t = w[i]; for (j = i - 1; j >= 2 && w[j] > t; j--) w[j + 1] = w[j]; w[j + 1] = t } }' | LC_ALL=C sort; }
	for f in a early; do
		diff <(bsdtar -cf - --format=mtree --options='!all,type,uid,gid,mode,size,sha256,link' @$f.cpio | grep '^\.' | list) \
			<("$assay" initrd --mtree $f.cpio | list)
	done
}

@test "the tree that cpio unpacks, one archive over the other" {
	mkdir "$tmp/x"
	(cd "$tmp/x" && cpio -idum --quiet < "$dir/a.cpio" && cpio -idum --quiet < "$dir/b.cpio")
	diff <(tree "$tmp/x") <(ours both.cpio)
	run -0 "$assay" initrd both.cpio
	[[ $output == *"but      etc/first of archive 0: replaced by a later member, of archive 1"* ]]
	[ "$(grep -c '^but' <<< "$output")" -eq 1 ]
	[ "$("$assay" initrd --cat etc/first both.cpio)" = later ]
	"$assay" initrd --cat /bin/numbers both.cpio | cmp - a/usr/bin/numbers
	"$assay" initrd --cat usr/lib/again -o "$tmp/again" both.cpio
	cmp "$tmp/again" b/usr/lib/more
}

@test "--mtree is what the tree's digest is of" {
	want=$("$assay" initrd --mtree both.cpio | sha256sum | cut -d' ' -f1)
	[ "$("$assay" initrd --json both.cpio | jq -r .tree.sha256)" = "$want" ]
}

@test "each compression, alone, beside others, with zeros between" {
	need bzip2 gzip lz4 xz zstd
	gzip -n < a.cpio > a.gzip
	bzip2 < a.cpio > a.bzip2
	xz --check=crc32 < a.cpio > a.xz
	xz --format=lzma < a.cpio > a.lzma
	lz4 -q -l < a.cpio > a.lz4
	zstd -q < a.cpio > a.zstd
	want=$("$assay" initrd --mtree both.cpio)
	: > all
	for c in gzip bzip2 xz lzma zstd lz4; do
		cat a.$c b.cpio > one
		# what follows a plain archive begins at a multiple of 4, and so does what is plain
		(cat a.$c; head -c $((4 - $(stat -c %s a.$c) % 4 + 4)) /dev/zero; cat b.cpio) > one
		run -0 "$assay" initrd --mtree one
		[ "$output" = "$want" ]
		run -0 "$assay" initrd --json one
		jq -e --arg c $c --argjson n "$(stat -c %s a.$c)" --argjson u "$(stat -c %s a.cpio)" \
			'.archives[0] | .compression == $c and .size == $n and .unpacked == $u and .offset == 0' <<< "$output"
		[ $c = lz4 ] || cat a.$c >> all
	done
	cat a.lz4 >> all
	run -0 "$assay" initrd --json all
	[ "$(jq -c '[.archives[].compression]' <<< "$output")" = '["gzip","bzip2","xz","lzma","zstd","lz4"]' ]
}

@test "microcode in front is told, and not behind something packed" {
	gzip -n < a.cpio > a.gzip
	cat early.cpio a.gzip > front
	run -0 "$assay" initrd --json front
	jq -e '[.archives[].early] == [true, false]' <<< "$output"
	(cat a.gzip; head -c $((4 - $(stat -c %s a.gzip) % 4)) /dev/zero; cat early.cpio) > behind
	run -0 "$assay" initrd --json behind
	jq -e '[.archives[].early] == [false, false]' <<< "$output"
}

@test "unmkinitramfs finds the same archives and files" {
	need gzip
	tools=$top/build/initramfs-tools
	"$top/scripts/fetch-deb.sh" bookworm "$tools" initramfs-tools-core 2> "$tmp/log" || skip "initramfs-tools-core cannot be fetched"
	gzip -n < a.cpio > a.gzip
	cat early.cpio a.gzip > whole
	sh "$tools/usr/bin/unmkinitramfs" whole "$tmp/x"
	diff <(tree "$tmp/x/main") <(ours a.gzip)
	diff <(tree "$tmp/x/early") <(ours early.cpio)
}

@test "refused by name: what the kernel would not read, or read in part" {
	refuse() { # WORDS: of standard input
		cat > "$tmp/bad"
		run -1 "$assay" initrd "$tmp/bad"
		[[ $output == *"$1"* ]] || {
			echo "$output"
			false
		}
		[ "${#lines[@]}" -eq 1 ]
	}
	xz < a.cpio | refuse "xz: the check CRC64"
	printf '\x89LZO\0\r\n\x1a\n and more' | refuse "packed with lzo"
	(cat a.cpio; echo junk) | refuse "neither a cpio header nor"
	(cat a.cpio; printf '\0'; cat b.cpio) | refuse "no multiple of 4"
	head -c 1000 a.cpio | refuse "cut short"
	(cd a && echo etc/../x | sed 's,.*,./etc/../etc/first,' | cpio -o --quiet -H newc) | refuse '".."'
	(cd a && find . | cpio -o --quiet -H odc) | refuse "070707"
	gzip < a.cpio | head -c 2000 | cat <(gzip -n < b.cpio) - | refuse "gzip: cut short"
	# gzip's members follow each other directly, and split a member
	(head -c 5000 a.cpio | gzip; tail -c +5001 a.cpio | gzip) | refuse "cut short"
	printf 'hello' | refuse "$tmp/bad"
}

@test "a UKI: sections, kernel, and modules of its release or another's" {
	stub=/usr/lib/systemd/boot/efi/linuxx64.efi.stub
	[ -e $stub ] || skip "systemd-boot-efi is missing"
	need objcopy objdump
	base=0x$(objdump -p $stub | awk '$1 == "ImageBase" { print $2 }')
	uki() { # OUT INITRD [UCODE]
		local args=()
		[ -z "${3-}" ] || args=(--add-section ".ucode=$3" --change-section-vma ".ucode=$(printf '0x%x' $((base + 0x4000000)))")
		objcopy --add-section ".initrd=$2" --change-section-vma ".initrd=$(printf '0x%x' $((base + 0x2000000)))" \
			--add-section .linux=linux --change-section-vma ".linux=$(printf '0x%x' $((base + 0x3000000)))" "${args[@]}" $stub "$1"
	}
	for release in 6.12.31-amd64 6.12.30-amd64; do
		mkdir -p "$release/lib/modules/$release" && echo > "$release/lib/modules/$release/x.ko"
		pack newc $release
		uki $release.efi $release.cpio early.cpio
	done
	run -0 "$assay" initrd --check 6.12.31-amd64.efi
	[[ $output == *"from     .ucode, .initrd"* && $output == *"kernel   6.12.31-amd64 (x@y) #1"* ]]
	run -0 "$assay" initrd 6.12.30-amd64.efi
	[[ $output == *"MISMATCH modules for 6.12.30-amd64, kernel is 6.12.31-amd64"* ]]
	run -3 "$assay" initrd --check 6.12.30-amd64.efi
	run -3 --separate-stderr "$assay" initrd --check --json 6.12.30-amd64.efi
	jq -e '.modules.verdict == "mismatch" and .linux.release == "6.12.31-amd64" and .archives[0].early' <<< "$output"
	uki none.efi a.cpio
	run -0 "$assay" initrd --check none.efi
	run -1 "$assay" initrd --check 6.12.30-amd64.cpio # whose kernel nobody knows
}

# names FOLDER: its names as facts have them, by find and sha256sum; all of it is root's.
names() {
	(
		cd "$1"
		find . -printf '%y %m %n %P\t%l\n' | while IFS=$'\t' read -r line target; do
			read -r kind mode links path <<< "$line"
			printf -v mode %04o "0$mode"
			case $kind in
			f) what="$([ "$mode" = 0644 ] || echo "mode=$mode ")$([ "$links" -eq 1 ] || echo "nlink=$links ")$(sha256sum < "$path" | cut -d' ' -f1)" ;;
			d) what="dir$([ "$mode" = 0755 ] || echo " mode=$mode")" ;;
			l) what="link -> $target" ;;
			p) what="fifo$([ "$mode" = 0644 ] || echo " mode=$mode")" ;;
			esac
			printf '%s\t%s\n' "${path:-.}" "$what"
		done | LC_ALL=C sort
	)
}

@test "facts: the names in a UKI's initrd are those that cpio unpacks" {
	load scratch
	[ -z "$(scratch_missing)" ] || skip "$(scratch_missing | tr '\n' ' ') is missing"
	mkdir -p "$tmp/x" "$tmp/parts" && (cd "$tmp/x" && cpio -idum --quiet < "$dir/a.cpio" && cpio -idum --quiet < "$dir/b.cpio")
	base=0x$(objdump -p "$scratch_stub" | awk '$1 == "ImageBase" { print $2 }')
	objcopy --add-section .initrd=both.cpio --change-section-vma ".initrd=$(printf '0x%x' $((base + 0x2000000)))" \
		--add-section .linux=linux --change-section-vma ".linux=$(printf '0x%x' $((base + 0x3000000)))" "$scratch_stub" "$tmp/uki.efi"
	"$top/image/probe/disk.sh" "$tmp/uki.efi" BOOTX64.EFI "$tmp/disk.img"
	"$assay" measure --initrd --json "$tmp/disk.img" > "$tmp/facts"
	jq -r '.esp.programs[0].initrd.names | to_entries[] | (if .key == "." then "" else .key end) as $d | .value + (if .value["."] then {} else {".": "dir"} end) |
		to_entries[] | (if .key == "." then (if $d == "" then "." else $d end) else $d + (if $d == "" then "" else "/" end) + .key end) + "\t" + .value' \
		"$tmp/facts" | LC_ALL=C sort > "$tmp/ours"
	diff "$tmp/ours" <(names "$tmp/x")
	[ "$(wc -l < "$tmp/ours")" -ge 12 ]
	# without the option nothing is unpacked
	"$assay" measure --json "$tmp/disk.img" | jq -e '.esp.programs[0] | has("initrd") | not'
}

@test "a disk: what firmware starts, systemd-boot's entries, --boot" {
	load scratch
	[ -z "$(scratch_missing)" ] || skip "$(scratch_missing | tr '\n' ' ') is missing"
	scratch_make "$top" "$tmp/s"
	cd "$tmp/s"
	for what in disk.img linux.efi initrd.img; do
		run -0 "$assay" initrd --mtree $what
		[ "$(sha256sum <<< "$output")" = "$("$assay" initrd --mtree parts/initrd | sha256sum)" ]
	done
	run -0 "$assay" initrd --json --boot '\EFI\Linux\linux.efi' disk.img
	[ "$(jq -r .from <<< "$output")" = "/EFI/Linux/linux.efi: .initrd" ]
	run -1 "$assay" initrd --boot /EFI/Linux/linux.efi linux.efi
	# systemd-boot and one entry, then two of which one is of Type 1
	mcopy -o -i disk.img@@1M BOOTX64.EFI ::/EFI/BOOT/BOOTX64.EFI
	run -0 "$assay" initrd disk.img
	[[ ${lines[0]} == "from     /EFI/Linux/linux.efi: .initrd" ]]
	mmd -i disk.img@@1M ::/loader/entries ::/k
	head -c 5 parts/initrd > "$tmp/five" && printf '\0\0\0' > "$tmp/three"
	(cd "$dir" && cat early.cpio) > "$tmp/one" && printf '\0' >> "$tmp/one"
	mcopy -i disk.img@@1M parts/linux ::/k/linux
	mcopy -i disk.img@@1M "$tmp/one" ::/k/one
	mcopy -i disk.img@@1M parts/initrd ::/k/two
	printf 'title x\nlinux /k/linux\ninitrd /k/one\ninitrd /k/two\noptions quiet\n' > "$tmp/x.conf"
	mcopy -i disk.img@@1M "$tmp/x.conf" ::/loader/entries/
	run -1 "$assay" initrd disk.img
	[[ $output == *"with 2 entries: say which with --boot"* ]]
	if [[ $("$assay" pe --json BOOTX64.EFI | jq -r '.[0].version') == 252* ]]; then
		# 252 pads nothing between them
		run -1 "$assay" initrd --boot /loader/entries/x.conf disk.img
		[[ $output == *"no multiple of 4"* ]]
	else
		run -0 "$assay" initrd --json --boot /loader/entries/x.conf disk.img
		jq -e '.from == "/loader/entries/x.conf" and .linux.release == "6.12.0-amd64" and (.archives | length) == 3' <<< "$output"
	fi
}

@test "--cat: what is not there, and a failure leaves the old file" {
	echo old > "$tmp/out"
	run -1 "$assay" initrd --cat nonesuch -o "$tmp/out" a.cpio
	[[ $output == *"nonesuch: not in the initrd"* ]]
	run -1 "$assay" initrd --cat etc a.cpio
	[[ $output == *"no regular file (dir)"* ]]
	[ "$(cat "$tmp/out")" = old ]
	run -0 "$assay" initrd --cat etc/empty -o "$tmp/out" a.cpio
	[ ! -s "$tmp/out" ]
}
