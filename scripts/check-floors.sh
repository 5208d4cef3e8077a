#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Is the house still in order?
#
#   scripts/check-floors.sh floors [TOP]     no #include runs upward or sideways
#   scripts/check-floors.sh spdx [TOP]       each source names its licence at its top
#   scripts/check-floors.sh prefix LIB.a     each symbol others can see begins with assay_
#
# Each finding is one line; exit 1 if there is any, 2 if there was nothing to look at.

set -u

# What each room may include, besides itself. Peers never include each other.
allowed() {
	case $1 in
	core) echo "" ;;
	tpm | measure) echo "core" ;;
	precompute) echo "core tpm measure" ;;
	attest) echo "core tpm" ;; # it goes into the guest: no disk, no prediction
	manifest | verify) echo "core tpm measure precompute" ;;
	api) echo "core tpm measure precompute manifest verify" ;;
	cli) echo "core tpm measure precompute manifest attest verify api" ;;
	esac
}

floors() {
	local room file from may line to
	local seen=0 bad=0
	cd "$1" || exit 2
	for room in core tpm measure precompute manifest attest verify api cli; do
		[ -d "$room" ] || continue
		while read -r file; do
			seen=$((seen + 1))
			may=" $room $(allowed "$room") "
			from=$room
			# The agent goes into the guest, with what it shares with the other program.
			case $file in
			cli/agent*.[ch])
				may=" core tpm attest "
				from="the agent"
				;;
			cli/cli.[ch])
				may=" core "
				from="what the agent shares"
				;;
			esac
			while IFS=: read -r line to; do
				[[ $room != cli || $to != cli/cli.h ]] || continue
				[[ $file != cli/agent*.[ch] || $to != cli/agent*.h ]] || continue
				if [[ $may != *" ${to%%/*} "* ]]; then
					echo "$file:$line: $from must not include $to"
					bad=1
				elif [[ $to == *_priv.h && ${to%%/*} != "$room" ]]; then
					echo "$file:$line: $to is private to its room"
					bad=1
				fi
			done < <(sed -nE '/^[ \t]*#[ \t]*include[ \t]*"/{=;s/^[^"]*"([^"]*)".*/\1/p}' "$file" |
				paste -d: - -)
		done < <(find "$room" -name '*.[ch]' | sort)
	done
	if [ "$seen" = 0 ]; then
		echo "no sources under $1" >&2
		exit 2
	fi
	return $bad
}

sources() {
	if git rev-parse --git-dir > /dev/null 2>&1; then
		git ls-files --cached --others --exclude-standard
	else
		find . -type f -not -path './.git/*' | sed 's,^\./,,'
	fi | grep -v -e '^tests/corpus/' -e '^build/' | sort
}

spdx() {
	local file bad=0 seen=0
	cd "$1" || exit 2
	while read -r file; do
		[ -f "$file" ] || continue
		case $file in
		*.[chS] | *.sh | *.bash | *.bats | *.py | *.mk | *.lds | *.1 | *.5 | *.8 | Makefile | */Makefile) ;;
		*) [ "$(head -c 2 "$file" | tr -d '\0')" = '#!' ] || continue ;;
		esac
		seen=$((seen + 1))
		if [ "$(head -n 3 "$file" | grep -c 'SPDX-License-Identifier: Apache-2\.0')" != 1 ]; then
			echo "$file: no SPDX-License-Identifier: Apache-2.0 in its first three lines"
			bad=1
		fi
	done < <(sources)
	if [ "$seen" = 0 ]; then
		echo "no sources under $1" >&2
		exit 2
	fi
	return $bad
}

prefix() {
	local names
	names=$(nm -g --defined-only "$1" | awk 'NF == 3 { print $3 }') || exit 2
	if [ -z "$names" ]; then
		echo "$1: no symbols" >&2
		exit 2
	fi
	! grep -v '^assay_' <<< "$names"
}

case ${1:-} in
floors | spdx) "$1" "${2:-$(dirname "$0")/..}" ;;
prefix) prefix "${2:?the library}" ;;
*)
	sed -n '3,9s/^# \{0,1\}//p' "$0" >&2
	exit 2
	;;
esac
