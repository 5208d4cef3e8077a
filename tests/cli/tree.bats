#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Which filesystem of a disk is looked into; long listings; trees as mtree(5), which mtree(8) holds against what
# unsquashfs unpacks, and bsdtar reads.

load common

setup_file() {
	bats_require_minimum_version 1.5.0
	export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
	local tree=$BATS_FILE_TMPDIR/tree
	mkdir -p "$tree"/{dir/sub,dir-x,dir.x} && cd "$tree" || return 1
	seq 1 200000 > dir/long
	head -c 300000 /dev/urandom > dir-x/random
	truncate -s 3M dir/sparse
	printf 1 > one
	ln one dir/hard
	ln -s ../one dir/link
	ln -s 'odd #=*\ name' odd-link
	: > $'odd \t\n#=*?[\\\xff name'
	mkfifo pipe
	local i
	for i in {1..300}; do echo "$i" > "dir/sub/$i"; done
	chmod 4711 one
	chmod 1777 dir.x
	chmod 2640 dir-x/random
	touch -h -d @1700000000 one odd-link dir-x
}

setup() {
	assay=$(realpath "$BATS_TEST_DIRNAME/../..")/build/assay
	tree=$BATS_FILE_TMPDIR/tree
	cd "$BATS_TEST_TMPDIR" || return 1
}

image() {
	need mksquashfs
	mksquashfs "$tree" fs.sqfs -noappend -quiet -no-progress "$@" > mksquashfs.log || {
		cat mksquashfs.log
		return 1
	}
}

# fails TEXT COMMAND...: exit 1, nothing on stdout, TEXT on stderr.
fails() {
	local text=$1
	shift
	run -1 --separate-stderr "$@"
	[ -z "$output" ]
	[[ $stderr == *"$text"* ]] || {
		echo "$stderr"
		false
	}
}

@test "mtree(8) finds nothing amiss in what unsquashfs unpacks, and one changed byte" {
	need mtree unsquashfs
	[ "$(id -u)" = 0 ] || skip "not root: unsquashfs could not set owners"
	image -comp zstd -p 'dev d 755 0 0' -p 'dev/null c 666 0 0 1 3' -p 'dev/sda b 660 0 6 8 1'
	"$assay" ls --mtree fs.sqfs > fs.mtree
	unsquashfs -quiet -no-progress -d out fs.sqfs > /dev/null
	mtree -p out -f fs.mtree
	[ "$(grep -c '^\./dir/sub/' fs.mtree)" = 300 ]
	printf x | dd of=out/dir/long bs=1 seek=70000 conv=notrunc status=none
	run -2 mtree -p out -f fs.mtree
	[[ $output == *dir/long:* ]] && [[ $output == *sha256* ]]
}

@test "bsdtar reads the listing, and writes the same facts of the same tree" {
	need bsdtar
	image
	"$assay" ls --mtree fs.sqfs > fs.mtree
	# The same words in the same order, from both: squashfs has whole seconds.
	words() {
		grep -v '^#' | tr ' ' '\n' | sed 's/^mode=0*/mode=/; s/^\(time=[0-9]*\)\..*/\1/; s/\\052/*/g; s/\\077/?/g; s/\\133/[/g' |
			awk '/^\./ { if (line) print line; line = $0; next } { w[$0] } { line = line " " $0 } END { print line }' |
			awk '{ n = split($0, a, " "); name = a[1]; for (i = 2; i <= n; i++) print name, a[i] }' | sort
	}
	(cd "$tree" && bsdtar -cf - --format=mtree --options='mtree:!all,mtree:type,mode,uid,gid,size,time,sha256,link,nlink' .) |
		words > theirs
	words < fs.mtree > ours
	diff theirs ours
	[ "$(wc -l < ours)" -gt 2000 ]
	bsdtar -tf fs.mtree | grep -qx './dir/sub/300'
}

@test "the digest is that of the listing, whatever the disk looks like" {
	image -comp gzip
	local digest
	digest=$("$assay" ls --digest fs.sqfs)
	[ "$digest" = "$("$assay" ls --mtree fs.sqfs | sha256sum | cut -d' ' -f1)" ]
	image -comp lz4 -b 4K -no-fragments -no-exports
	[ "$digest" = "$("$assay" ls --digest fs.sqfs)" ]
	[ "$digest" != "$("$assay" ls --digest fs.sqfs /dir)" ]
	[ "$("$assay" ls --mtree fs.sqfs /dir/sub | wc -l)" = 302 ]
	# One byte of one file.
	cp -a "$tree" copy
	printf 2 > copy/dir/sub/77 && touch -r "$tree/dir/sub/77" copy/dir/sub/77
	mksquashfs copy other.sqfs -noappend -quiet -no-progress > /dev/null
	[ "$digest" != "$("$assay" ls --digest other.sqfs)" ]
}

@test "a directory comes before what is in it, names by their bytes, hard links once" {
	image
	"$assay" ls --mtree fs.sqfs | sed -n 's/^\(\.[^ ]*\) .*/\1/p' > names
	(cd "$tree" && find . -printf '%P\n') | grep -v '^odd\|name$' | tr '/' '\001' | sort | tr '\001' '/' |
		sed '1d; s,^,./,' > want
	diff want <(grep -v '^\./odd\|^\.$' names)
	"$assay" ls --mtree fs.sqfs | grep -A1 -F '# hard link to ./dir/hard:' | grep -q '^\./one .* nlink=2 '
}

@test "long: modes, owners, sizes, targets" {
	image -p 'sda b 660 7 6 8 17' -all-root
	"$assay" ls -l fs.sqfs > long
	grep -qxF -- 'drwxrwxrwt     0     0            -  dir.x/' long
	grep -qxF -- '-rws--x--x     0     0            1  one' long
	grep -qxF -- 'lrwxrwxrwx     0     0           13  odd-link -> odd #=*\ name' long
	grep -qxF -- 'brw-rw----     0     0         8,17  sda' long
	grep -q '^prw' long
	"$assay" ls -lR fs.sqfs /dir-x | grep -qxF -- '-rw-r-S---     0     0       300000  random'
	"$assay" ls -lR fs.sqfs > all
	grep -qxF -- 'lrwxrwxrwx     0     0            6  dir/link -> ../one' all
	[ "$(wc -l < all)" = "$(($(find "$tree" -mindepth 1 -printf x | wc -c) + 1))" ]
}

@test "partitions by number, and by what they are for" {
	need mkfs.vfat mcopy sfdisk
	image -comp xz
	truncate -s 64M disk.img
	printf '%s\n' 'label: gpt' 'start=2048, size=40960, type=uefi' 'size=20480, type=4f68bce3-e8cd-4db1-96e7-fbcaf984b709' \
		'size=20480, type=8484680c-9521-48c6-9c11-b0720656f69e' 'size=2048, type=linux' | sfdisk -q disk.img
	mkfs.vfat --offset 2048 -F 16 disk.img 20480 > /dev/null
	mcopy -i disk.img@@1M "$tree/one" ::/esp-file
	dd if=fs.sqfs of=disk.img bs=512 seek=43008 conv=notrunc status=none
	dd if=fs.sqfs of=disk.img bs=512 seek=63488 conv=notrunc status=none
	[ "$("$assay" ls disk.img)" = esp-file ]
	[ "$("$assay" ls --part esp disk.img)" = esp-file ]
	[ "$("$assay" cat --part root disk.img /dir/link)" = 1 ]
	[ "$("$assay" cat --part usr disk.img /one)" = 1 ]
	[ "$("$assay" cat --part 2 disk.img /one)" = 1 ]
	[ "$("$assay" ls --mtree disk.img | sed -n 3p)" = \
		"./esp-file type=file size=1 sha256digest=$(sha256sum < "$tree/one" | cut -d' ' -f1)" ]
	fails 'partition 4: unknown filesystem' "$assay" ls --part 4 disk.img
	sfdisk -q --part-type disk.img 3 4f68bce3-e8cd-4db1-96e7-fbcaf984b709
	fails '2 root partitions; say which with --part' "$assay" ls --part root disk.img
	fails 'no /usr partition among 4 partitions' "$assay" ls --part usr disk.img
	run -2 "$assay" ls --part home disk.img
	run -2 "$assay" ls --mtree --digest fs.sqfs
	run -2 "$assay" ls --mtree -l fs.sqfs
	run -2 "$assay" cat --mtree fs.sqfs /one
	# Without a partition table but with a filesystem, that.
	[ "$("$assay" cat fs.sqfs /one)" = 1 ]
	fails 'no GPT' "$assay" ls --part esp fs.sqfs
	head -c 5000 fs.sqfs > cut.sqfs
	fails 'cut.sqfs: squashfs of ' "$assay" ls cut.sqfs
}

@test "the same tree in squashfs, ext4 and erofs: the same listing" {
	need mksquashfs mke2fs debugfs mkfs.erofs
	local kind
	# Whole seconds, which all of them can hold; no holes, of which a listing knows nothing.
	cp -a "$tree" copy
	find copy -exec touch -h -d @1700000001 {} +
	mksquashfs copy squashfs.img -noappend -quiet -no-progress > /dev/null
	truncate -s 32M ext4.img
	mke2fs -q -t ext4 -d copy ext4.img
	mkfs.erofs -T1700000001 erofs.img copy > /dev/null 2>&1 || skip "mkfs.erofs cannot: $(mkfs.erofs -T1700000001 erofs.img copy 2>&1 | tail -n 1)"
	for kind in squashfs ext4 erofs; do
		# Times of ext4's root and lost+found are of today.
		"$assay" ls --mtree --part 0 $kind.img | grep -v '^\./lost+found ' |
			sed '2s/ time=[^ ]*//' > $kind.mtree
		diff squashfs.mtree $kind.mtree
	done
	[ "$(grep -c sha256digest squashfs.mtree)" -gt 300 ]
	# Nanoseconds, where there are some.
	debugfs -w -R 'set_inode_field /one mtime_extra 0x1d6f3454' ext4.img 2> /dev/null
	"$assay" ls --mtree --part 0 ext4.img | grep -q '^\./one .* time=1700000001\.123456789 '
}
