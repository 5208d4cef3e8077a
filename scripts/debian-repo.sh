# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Sourced after apt-private.sh, whose apt is set up: a folder of Debian packages, each checked
# against the archive's signature by apt and against its digest here.

# repo_has REPO WANTED: is REPO a repository that was made for the names in the text WANTED?
repo_has() {
	[[ -e $1/Packages && -e $1/wanted && $(<"$1/wanted") == "$2" ]]
}

# repo_make REPO WANTED NAME...: fetch the newest packages NAME... into a new folder REPO, with an
# index (Packages) for apt, and packages.tsv: name, version, sha256. What REPO has already is kept.
repo_make() {
	local repo=$1 wanted=$2 new=$1.new file size sum
	shift 2
	say "fetching $# packages"
	rm -rf "$new"
	mkdir -p "$new"
	apt-get -qq --print-uris download "$@" >"$new/uris" || die "cannot fetch the packages"
	while read -r _ file _ _; do
		[[ ! -e $repo/$file ]] || ln "$repo/$file" "$new/$file"
	done <"$new/uris"
	(cd "$new" && quietly apt-get -qq download "$@") || die "cannot fetch the packages"
	: >"$new/packages.tsv"
	while read -r _ file size sum; do
		sum=${sum#SHA256:}
		sha256sum --quiet --check <<<"$sum  $new/$file" >&2 || die "$file: wrong digest"
		dpkg-deb -f "$new/$file"
		printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$file" "$size" "$sum"
		dpkg-deb --show --showformat="\${Package}\t\${Version}\t$sum\n" "$new/$file" >>"$new/packages.tsv"
	done <"$new/uris" >"$new/Packages"
	LC_ALL=C sort -o "$new/packages.tsv" "$new/packages.tsv"
	echo "$wanted" >"$new/wanted"
	rm -rf "$new/uris" "$repo"
	mv "$new" "$repo"
}
