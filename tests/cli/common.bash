# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What several files of tests share.

# Skip, by name, for want of a program.
need() {
	local tool
	for tool; do
		command -v "$tool" >/dev/null || skip "$tool is not installed"
	done
}

# small_profile BANKS: a platform that measures nothing of its own, Secure Boot off.
small_profile() {
	cat <<-EOF
		schema: assay.platform/1
		name: small
		arch: x86-64
		banks: [$1]
		secure_boot: false
		events:
		  - {slot: gpt}
		  - {slot: boot, tries: 0}
		  - {slot: exit}
	EOF
}
