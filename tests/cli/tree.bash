# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# A tree with all kinds of files, and a comparison of an image of it, as assay reads it, with the tree itself.

# make_tree DIR: some hundred files, links, holes, a directory of 3,000 names.
make_tree() {
	python3 "$BATS_TEST_DIRNAME/../fixtures/make-tree.py" "$1"
	ln -s EFI/BOOT "$1/to-dir"
	ln -s /a/../loader/./entries "$1/to-abs"
	ln -s "$(printf '%0200d' 0 | tr 0 /)EFI" "$1/long-link"
	ln -s nowhere "$1/dangling"
	mkfifo "$1/pipe"
	ln "$1/lower.txt" "$1/hard"
	printf 'six\n\n\n' >"$1/six"
	truncate -s 300000 "$1/holes"
	printf 'middle' | dd of="$1/holes" bs=1 seek=150000 conv=notrunc status=none
	truncate -s 9000 "$1/all-hole"
	mkdir "$1/many"
	(cd "$1/many" && printf 'name-%s\n' {1..3000} | xargs touch)
}

names_in() {
	find "$1" -mindepth 1 -printf '%f\n' | sort
}

# same_tree IMAGE TREE: all names, a good part of the contents, through links too.
same_tree() {
	local image=$1 from=$2 f
	: "${assay:?the program}"
	"$assay" ls -R --part 0 "$image" | sort >ours
	(cd "$from" && find . -mindepth 1 \( -type d -printf '%P/\n' \) -o -printf '%P\n') |
		grep -v '^lost+found/$' | sort >theirs
	grep -v '^lost+found/$' ours | cmp -s - theirs || {
		diff theirs ours | head -n 20
		return 1
	}
	while IFS= read -r f; do
		"$assay" cat --part 0 "$image" "/$f" | cmp - "$from/$f" || return 1
	done < <(cd "$from" && find . -maxdepth 1 -type f -printf '%P\n' &&
		find . -mindepth 2 -path ./many -prune -o -type f -size +0 -printf '%P\n' | sort | awk 'NR % 16 == 0')
	f=$(names_in "$from/EFI/BOOT" | head -n 1)
	"$assay" cat --part 0 "$image" "/to-dir/$f" | cmp - "$from/EFI/BOOT/$f"
	f=$(names_in "$from/loader/entries" | head -n 1)
	"$assay" cat --part 0 "$image" "/to-abs/$f" | cmp - "$from/loader/entries/$f"
	f=$(names_in "$from/EFI/BOOT" | tail -n 1)
	"$assay" cat --part 0 "$image" "/long-link/BOOT/$f" | cmp - "$from/EFI/BOOT/$f"
	run -1 "$assay" cat --part 0 "$image" /dangling
	run -1 "$assay" cat --part 0 "$image" /pipe
}
