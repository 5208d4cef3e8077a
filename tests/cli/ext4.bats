#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# assay on filesystems by mke2fs; the tree they were made of, debugfs and e2fsck are the oracles.

load common
load tree

setup_file() {
	bats_require_minimum_version 1.5.0
	export LC_ALL=C.UTF-8 PATH=$PATH:/usr/sbin:/sbin
	make_tree "$BATS_FILE_TMPDIR/tree"
}

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return 1
	assay=$PWD/build/assay
	tree=$BATS_FILE_TMPDIR/tree
	cd "$BATS_TEST_TMPDIR" || return 1
	need mke2fs debugfs
}

# make_fs IMAGE SIZE OPTION...: of the tree
make_fs() {
	truncate -s 0 "$1"
	truncate -s "$2" "$1"
	mke2fs -q -F -d "$tree" "${@:3}" "$1" 2>mkfs.log || {
		cat mkfs.log
		return 1
	}
}

edit() {
	debugfs -w -f - "$1" >debugfs.log 2>&1
}

@test "ext2, ext3, ext4 with blocks of 1, 2 and 4 KiB" {
	make_fs ext2.img 24M -t ext2 -b 1024
	same_tree ext2.img "$tree"
	make_fs ext3.img 32M -t ext3 -b 2048
	same_tree ext3.img "$tree"
	make_fs ext4.img 32M -t ext4 -b 4096
	same_tree ext4.img "$tree"
}

@test "ext4 without checksums, with old ones, with all, with 32 and 64 bits" {
	local features
	for features in ^metadata_csum,^64bit ^metadata_csum,uninit_bg,64bit metadata_csum_seed,^64bit,dir_index; do
		make_fs f.img 32M -t ext4 -b 1024 -O "$features"
		same_tree f.img "$tree"
	done
}

@test "ext4 with data inside inodes, attributes in inodes, quotas, orphans' file" {
	# With inline_data, mke2fs 1.47.0 cuts a file off behind its last hole: debugfs sees no more than we do.
	cp -a "$tree" sub
	rm sub/holes
	local tree=$PWD/sub
	make_fs inline.img 32M -t ext4 -b 1024 -I 512 -O inline_data
	same_tree inline.img "$tree"
	[ "$("$assay" cat --part 0 inline.img /six | wc -c)" -eq 6 ]
	make_fs inline.img 32M -t ext4 -I 256 -O inline_data,ea_inode,project,quota,verity,large_dir,stable_inodes
	same_tree inline.img "$tree"
}

@test "ext4 with clusters, descriptors in their groups, two backups, groups of their own" {
	make_fs bigalloc.img 64M -t ext4 -b 1024 -O bigalloc -C 4096
	same_tree bigalloc.img "$tree"
	make_fs meta.img 64M -t ext4 -b 1024 -g 1024 -O meta_bg,^resize_inode
	same_tree meta.img "$tree"
	make_fs meta.img 64M -t ext4 -b 1024 -g 2048 -O meta_bg,^resize_inode,sparse_super2,^flex_bg,^64bit
	same_tree meta.img "$tree"
	# Since 1.47.2 -r is no more; before, the other is unknown.
	make_fs old.img 32M -E revision=0 -b 1024 > /dev/null || make_fs old.img 32M -r 0 -b 1024
	same_tree old.img "$tree"
}

@test "ext4: a sparse file of more than 4 GiB, and trees of many extents" {
	local tree=$BATS_TEST_TMPDIR/sub type
	mkdir "$tree"
	# 4,000 pieces, some of them far away: all levels of extents and of lists of blocks.
	python3 - "$tree" <<-'END'
		import sys
		with open(sys.argv[1] + "/pieces", "wb") as f:
		    for i in range(4000):
		        f.seek(i * 8192 + (100000000 if i > 3000 else 0))
		        f.write(b"%4095d\n" % i)
		with open(sys.argv[1] + "/sparse", "wb") as f:
		    for at in 1000, 2**32 - 2, 2**32 + 5000000:
		        f.seek(at)
		        f.write(b"data\n")
	END
	for type in ext2 ext4; do
		make_fs sparse.img 40M -t "$type" -b 1024
		"$assay" cat --part 0 sparse.img /pieces | cmp - "$tree/pieces"
	done
	"$assay" cat --part 0 sparse.img /sparse | tail -c 6000000 | cmp - <(tail -c 6000000 "$tree/sparse")
}

@test "ext4: extents that were not written yet, files with room behind their size" {
	make_fs f.img 32M -t ext4 -b 1024
	head -c 10000 /dev/urandom >pattern
	edit f.img <<-END
		write pattern /pattern
		fallocate /all-hole 0 15
		set_inode_field /pattern size 3333
	END
	"$assay" cat --part 0 f.img /all-hole | cmp - "$tree/all-hole"
	"$assay" cat --part 0 f.img /pattern | cmp - <(head -c 3333 pattern)
}

@test "ext4: names, owners and bytes as debugfs has them" {
	local f
	make_fs f.img 32M -t ext4 -b 1024 -O dir_index
	e2fsck -fyD f.img >/dev/null 2>&1 || [ $? -eq 1 ]
	[[ $(debugfs -R 'stat /many' f.img 2>/dev/null) == *"Flags: 0x81000"* ]]
	debugfs -R 'ls -p /many' f.img 2>/dev/null | awk -F/ '$6 != "." && $6 != ".." && $6 != "" { print $6 }' |
		sort >theirs
	"$assay" ls --part 0 f.img /many | sort | diff theirs -
	[ "$(wc -l <theirs)" -eq 3000 ]
	for f in six holes all-hole lower.txt; do
		debugfs -R "dump /$f theirs" f.img 2>/dev/null
		"$assay" cat --part 0 f.img "/$f" | cmp theirs -
	done
}

# refused TEXT IMAGE PATH: ls of it fails and says TEXT.
refused() {
	run -1 --separate-stderr "$assay" ls --part 0 "$2" "${@:3}"
	[ -z "$output" ]
	# shellcheck disable=SC2154
	[[ $stderr == *"$1"* ]] || {
		echo "$stderr"
		false
	}
}

@test "ext4: a journal to be replayed, a journal alone, an encrypted file, casefold" {
	make_fs f.img 32M -t ext4 -b 1024 -O encrypt,casefold
	edit f.img <<-END
		set_inode_field /six flags 0x80800
		set_inode_field /EFI flags 0x80800
		set_inode_field /loader flags 0x40080000
	END
	run -1 --separate-stderr "$assay" cat --part 0 f.img /six
	[[ $stderr == *"encrypted (fscrypt)"* ]]
	refused "encrypted (fscrypt)" f.img /EFI
	"$assay" ls --part 0 f.img / | grep -qx six
	"$assay" ls --part 0 f.img /loader/entries >/dev/null
	refused "ignores case (casefold)" f.img /loader/ENTRIES
	edit f.img <<<'feature needs_recovery'
	refused "its journal has to be replayed first" f.img
	truncate -s 8M journal.img
	mke2fs -q -F -O journal_dev journal.img
	refused "nothing but a journal of another filesystem" journal.img
}

@test "ext4: damage is found by the checksums" {
	local what block
	make_fs whole.img 32M -t ext4 -b 1024 -O dir_index
	# flip OFFSET: one bit
	flip() {
		cp whole.img bad.img
		python3 - "$1" <<-'END'
			import sys
			with open("bad.img", "r+b") as f:
			    f.seek(int(sys.argv[1]))
			    b = f.read(1)[0]
			    f.seek(int(sys.argv[1]))
			    f.write(bytes([b ^ 1]))
		END
	}
	flip $((1024 + 200))
	refused "the superblock's checksum is 0x" bad.img
	flip $((2048 + 12))
	refused "the checksum of group 0's descriptor is wrong" bad.img
	what=$(debugfs -R 'imap /six' whole.img 2>/dev/null)
	[[ $what =~ located\ at\ block\ ([0-9]+),\ offset\ 0x([0-9a-f]+) ]]
	flip $((BASH_REMATCH[1] * 1024 + 16#${BASH_REMATCH[2]} + 8))
	run -1 --separate-stderr "$assay" cat --part 0 bad.img /six
	[[ $stderr == *"its checksum is wrong"* ]]
	block=$(debugfs -R 'bmap /loader/entries 0' whole.img 2>/dev/null)
	flip $((block * 1024 + 30))
	refused "the checksum of a directory's block is wrong" bad.img /loader/entries
	"$assay" ls --part 0 bad.img /EFI >/dev/null
	e2fsck -fyD whole.img >/dev/null 2>&1 || [ $? -eq 1 ]
	block=$(debugfs -R 'bmap /many 0' whole.img 2>/dev/null)
	flip $((block * 1024 + 45))
	refused "the checksum of a directory's index is wrong" bad.img /many
	truncate -s 31M whole.img
	refused "cut short: its superblock tells of 33554432 bytes, there are 32505856" whole.img
}
