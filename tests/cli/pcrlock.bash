# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Debian 13's systemd-pcrlock on a machine that is a TPM simulator and a firmware log.

# pcrlock_predicts COMPONENTS PREDICTION DIR PCR...: DIR (new, short: sockets lie in it) has the firmware log as `log` and what it
# extended as `extends`, arguments of tpm2_pcrextend. systemd-pcrlock recognises every event by the components, and predicts just
# the accepted values of these PCRs.
pcrlock_predicts() {
	local components=$1 prediction=$2 dir=$3 pcrs pid rc=0
	shift 3
	pcrs=$*
	swtpm_setup --tpm2 --tpmstate "$dir" --pcr-banks "$(jq -r '.banks | keys | join(",")' "$prediction")" --overwrite > "$dir/setup" 2>&1 || return 1
	swtpm socket --tpm2 --tpmstate dir="$dir" --flags startup-clear --server type=unixio,path="$dir/sock" \
		--ctrl type=unixio,path="$dir/sock.ctrl" > /dev/null 2>&1 3>&- &
	pid=$!
	for _ in {1..50}; do
		[ ! -S "$dir/sock.ctrl" ] || break
		sleep 0.1
	done
	TPM2TOOLS_TCTI=swtpm:path=$dir/sock xargs -a "$dir/extends" tpm2_pcrextend &&
		SYSTEMD_MEASURE_LOG_FIRMWARE=$dir/log SYSTEMD_MEASURE_LOG_USERSPACE=$dir/none SYSTEMD_TPM2_DEVICE=swtpm:path=$dir/sock \
			"$pcrlock_top/scripts/trixie-tool.sh" systemd-pcrlock --components="$components" predict --pcr="${pcrs// /,}" \
			--json=short > "$dir/predicted" 2> "$dir/said" || rc=1
	kill "$pid"
	wait "$pid" || true
	if [ $rc -ne 0 ] || grep -E "not matching any component|Couldn't find component|Removing from set" "$dir/said"; then
		cat "$dir/said"
		return 1
	fi
	python3 - "$prediction" "$dir/predicted" "$@" <<- 'END'
		import json, sys
		p, theirs = (json.load(open(f)) for f in sys.argv[1:3])
		pcrs = sorted(map(int, sys.argv[3:]))
		for bank in p["banks"]:
		    rows = {r["pcr"]: sorted(r["values"]) for r in theirs[bank]}
		    assert sorted(rows) == pcrs, (bank, sorted(rows))
		    for pcr, values in rows.items():
		        one = p["banks"][bank].get(str(pcr))
		        assert values == sorted([one] if one else p["accepted"][bank][str(pcr)]), (bank, pcr, values)
	END
}
pcrlock_top=$(realpath "${BASH_SOURCE[0]%/*}/../..")
