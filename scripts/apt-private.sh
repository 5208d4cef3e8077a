# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Sourced by scripts that read another Debian suite. An apt of our own under build/apt/SUITE: its
# lists, cache and sources are private, so neither root nor a change to the machine's apt is
# needed; how the machine reaches its mirror (proxies, certificates, Check-Valid-Until) is taken
# over from its configuration.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${ASSAY_BUILD:-$top/build}

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() {
	say "$@"
	exit 1
}

# Run a command whose output matters only when it fails.
quietly() {
	local out
	out=$("$@" 2>&1) || {
		printf '%s\n' "$out" >&2
		return 1
	}
}

# apt_private_setup SUITE [--main-only]: sets apt_dir, exports APT_CONFIG.
apt_private_setup() {
	local suite=$1
	apt_dir=$build/apt/$suite
	[[ ${2-} != --main-only ]] || apt_dir+=-main
	mkdir -p "$apt_dir"/{lists/partial,cache/archives/partial,empty,debs}
	: >"$apt_dir/status"
	"$top/scripts/debian_sources.py" "$@" >"$apt_dir/debian.sources.new"
	if ! cmp -s "$apt_dir/debian.sources.new" "$apt_dir/debian.sources"; then
		mv "$apt_dir/debian.sources.new" "$apt_dir/debian.sources"
		rm -f "$apt_dir/updated"
	fi
	rm -f "$apt_dir/debian.sources.new"
	{
		env -u APT_CONFIG apt-config dump | grep '^Acquire::' | grep -v '^Acquire::IndexTargets' || true
		cat <<-END
			APT::Architecture "amd64";
			APT::Architectures { "amd64"; };
			APT::Install-Recommends "false";
			APT::Sandbox::User "root";
			APT::Update::Error-Mode "any";
			Acquire::Languages "none";
			Acquire::Retries "3";
			Dir::State "$apt_dir";
			Dir::State::lists "$apt_dir/lists";
			Dir::State::status "$apt_dir/status";
			Dir::State::extended_states "$apt_dir/extended_states";
			Dir::Cache "$apt_dir/cache";
			Dir::Etc::main "/dev/null";
			Dir::Etc::parts "$apt_dir/empty";
			Dir::Etc::sourcelist "$apt_dir/debian.sources";
			Dir::Etc::sourceparts "$apt_dir/empty";
			Dir::Etc::preferences "/dev/null";
			Dir::Etc::preferencesparts "$apt_dir/empty";
		END
	} >"$apt_dir/apt.conf"
	export APT_CONFIG=$apt_dir/apt.conf
}

# apt_private_update [MINUTES]: fetch the package lists unless they are younger than MINUTES.
apt_private_update() {
	local minutes=${1-1440}
	if [[ -e $apt_dir/updated && -n $(find "$apt_dir/updated" -mmin "-$minutes") ]]; then
		return 0
	fi
	say "reading the package lists of ${apt_dir##*/}"
	quietly apt-get -q update || die "cannot read the package lists (sources: $apt_dir/debian.sources)"
	touch "$apt_dir/updated"
}

# A lock that ends with the calling script.
lock() {
	mkdir -p "$(dirname "$1")"
	exec {lock_fd}>"$1"
	flock "$lock_fd"
}
