# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Debian's docker-registry on 127.0.0.1, in the folder of one file of tests, and the clients of Debian 13.

# registry_clients TOOL...: on PATH, fetched if this machine has none.
registry_clients() {
	local top tool
	top=$(realpath "$BATS_TEST_DIRNAME/../..")
	mkdir "$BATS_FILE_TMPDIR/bin"
	for tool; do
		command -v "$tool" >/dev/null && continue
		printf '#!/bin/sh\nexec "%s" %s "$@"\n' "$top/scripts/trixie-tool.sh" "$tool" >"$BATS_FILE_TMPDIR/bin/$tool"
		chmod +x "$BATS_FILE_TMPDIR/bin/$tool"
	done
	export PATH=$BATS_FILE_TMPDIR/bin:$PATH
}

registry_start() {
	local port
	port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	cat >"$BATS_FILE_TMPDIR/config.yml" <<-END
		version: 0.1
		storage: {filesystem: {rootdirectory: $BATS_FILE_TMPDIR/store}}
		http: {addr: "127.0.0.1:$port"}
	END
	docker-registry serve "$BATS_FILE_TMPDIR/config.yml" >"$BATS_FILE_TMPDIR/log" 2>&1 3>&- &
	echo $! >"$BATS_FILE_TMPDIR/pid"
	echo "localhost:$port" >"$BATS_FILE_TMPDIR/at"
	for _ in {1..100}; do
		! curl -s -o /dev/null "http://127.0.0.1:$port/v2/" || return 0
		sleep 0.1
	done
	cat "$BATS_FILE_TMPDIR/log" >&2
	return 1
}

registry_stop() {
	[ ! -e "$BATS_FILE_TMPDIR/pid" ] || kill "$(cat "$BATS_FILE_TMPDIR/pid")"
}

# Both clients speak HTTP to this name by themselves.
registry_at() {
	cat "$BATS_FILE_TMPDIR/at"
}
