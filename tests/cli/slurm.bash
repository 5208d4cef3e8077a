# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# A Slurm cluster of one node on this machine, in a folder of its own: munged, slurmctld and slurmd as processes of the
# test, on 127.0.0.1. Nothing of the system's configuration is read or written.

slurm_pids=()

slurm_missing() {
	local tool
	for tool in munged slurmctld slurmd sbatch sinfo scancel; do
		command -v "$tool" >/dev/null || printf '%s ' "$tool"
	done
}

# slurm_port: one that nobody listens on now.
slurm_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# slurm_start DIR: sets SLURM_CONF; 1 when the node does not come up, with DIR's logs to say why.
slurm_start() {
	local dir=$1 user host
	user=$(id -un)
	host=$(hostname -s)
	mkdir -p "$dir"/{state,spool,munge}
	chmod 700 "$dir/munge"
	head -c 128 /dev/urandom >"$dir/munge/key"
	chmod 400 "$dir/munge/key"
	cat >"$dir/slurm.conf" <<-END
		ClusterName=assay
		SlurmctldHost=$host(127.0.0.1)
		SlurmctldPort=$(slurm_port)
		SlurmdPort=$(slurm_port)
		SlurmUser=$user
		SlurmdUser=$user
		AuthType=auth/munge
		AuthInfo=socket=$dir/munge/socket
		CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
		ProctrackType=proctrack/pgid
		JobAcctGatherType=jobacct_gather/none
		MpiDefault=none
		SelectType=select/cons_tres
		SelectTypeParameters=CR_CPU
		SchedulerParameters=batch_sched_delay=0,sched_min_interval=0
		SchedulerTimeSlice=5
		ReturnToService=2
		KillWait=5
		StateSaveLocation=$dir/state
		SlurmdSpoolDir=$dir/spool
		SlurmctldPidFile=$dir/slurmctld.pid
		SlurmdPidFile=$dir/slurmd.pid
		SlurmctldLogFile=$dir/slurmctld.log
		SlurmdLogFile=$dir/slurmd.log
		NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
		PartitionName=all Nodes=$host Default=YES MaxTime=10 State=UP
	END
	# A container may have no cgroups. Before 23.11 there is no such word, and no need for it.
	: >"$dir/cgroup.conf"
	[[ $(slurmd -V) == *" 22."* ]] || echo "CgroupPlugin=disabled" >"$dir/cgroup.conf"
	export SLURM_CONF=$dir/slurm.conf
	munged --foreground --force --key-file "$dir/munge/key" --socket "$dir/munge/socket" --pid-file "$dir/munge/pid" \
		--log-file "$dir/munge/log" --seed-file "$dir/munge/seed" >"$dir/munged.out" 2>&1 3>&- &
	slurm_pids+=($!)
	for _ in {1..50}; do
		[ ! -S "$dir/munge/socket" ] || break
		sleep 0.1
	done
	slurmctld -D -f "$dir/slurm.conf" >"$dir/slurmctld.out" 2>&1 3>&- &
	slurm_pids+=($!)
	slurmd -D -f "$dir/slurm.conf" >"$dir/slurmd.out" 2>&1 3>&- &
	slurm_pids+=($!)
	local until=$((SECONDS + 60)) pid
	while ((SECONDS < until)); do
		[ "$(timeout 5 sinfo -h -o %t 2>/dev/null)" != idle ] || return 0
		# One that has ended will not come up any more; kill would be content with any that lives.
		for pid in "${slurm_pids[@]}"; do
			kill -0 "$pid" 2>/dev/null || break 2
		done
		sleep 0.2
	done
	tail -n 20 "$dir"/*.out "$dir"/*.log
	return 1
}

slurm_stop() {
	local pid
	for pid in "${slurm_pids[@]}"; do
		kill "$pid" 2>/dev/null || true
	done
	for pid in "${slurm_pids[@]}"; do
		wait "$pid" 2>/dev/null || true
	done
	slurm_pids=()
}
