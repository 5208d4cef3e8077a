#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# One machine, one boot: QEMU + OVMF + swtpm, from a fresh TPM and a pristine copy of the variable
# store, in a fresh folder. Run it (`scripts/vm.sh run --help`), or source it and call vm_run.
#
# What a boot leaves in its folder:
#   command      the QEMU command line, quoted for a shell
#   machine      the part of it that says which machine this is: no paths of this boot in it
#   serial.log   what the guest wrote to its serial port
#   end          how it ended: guest-shutdown, guest-reset, timeout, or qemu-exit N
#   pcrs         BANK INDEX HEX, asked of the TPM after the guest had stopped
#   vars.fd      the variable store after the boot; qemu.log and tpm.log, for when something broke
#
# The PCRs are swtpm's own and no claim of the guest. QEMU would shut swtpm down with itself, so it
# is told to stop rather than to exit when the guest powers off, and is then killed; swtpm saves its
# volatile state, and a second swtpm, opened on that state, answers tpm2_pcrread.

vm_usage()
{
	cat <<'USAGE'
Usage: vm.sh run DIR [option...] [-- QEMU-ARGUMENT...]
       vm.sh print DIR [option...] [-- QEMU-ARGUMENT...]     print the command, start nothing
       vm.sh machine [option...] [-- QEMU-ARGUMENT...]       print the machine's part of it alone
       vm.sh line [option...] [-- QEMU-ARGUMENT...]          print it for 'assay platform probe'

DIR must not exist or be empty.
  --code FILE        OVMF code (default: /usr/share/OVMF/OVMF_CODE_4M.fd)
  --vars FILE        variable store to copy (default: OVMF_VARS_4M.fd beside the code)
  --secure           protect the variable store with SMM (with a .secboot.fd code file; q35 only)
  --machine NAME     q35 (default) or pc
  --cpu MODEL        CPU model (default: QEMU's)
  --memory MIB       memory (default: 1024)
  --smp N            CPUs (default: 1)
  --tpm NAME         tis, crb (default) or none
  --banks LIST       PCR banks (default: sha1,sha256,sha384)
  --disk FILE        boot disk, raw
  --disk-bus NAME    virtio (default) or nvme
  --disk-mode MODE   snapshot (default: writes are lost), rw or ro
  --net NAME         none (default) or virtio: a NIC with its option ROM, on a network without exit;
                     or forward:PORT: a NIC without option ROM, and 127.0.0.1:PORT leads to the guest's port 443
  --serial NAME      file (default) or none: no serial port
  --capture FILE     a second, writable raw disk with the serial number "capture"
  --data FILE        one more raw disk, read-only
  --results FILE     a writable raw disk with the serial number "results"
  --tpm-state DIR    a swtpm that was used before, with its keys (a copy of it; --banks must be its own)
  --reboot           let the guest reset instead of ending there
  --timeout SECONDS  default: 300

Environment: ASSAY_ACCEL (default: tcg,thread=multi), ASSAY_QEMU (default: qemu-system-x86_64).
Exit: 0 the guest powered off, 1 it ended otherwise or could not be started, 2 usage.
USAGE
}

vm_say()
{
	echo "vm.sh: $*" >&2
}

# Options into the vm_* variables. They are global on purpose: a caller may look at them.
vm_options()
{
	vm_code=/usr/share/OVMF/OVMF_CODE_4M.fd vm_vars='' vm_secure='' vm_machine=q35 vm_cpu=''
	vm_memory=1024 vm_smp=1 vm_tpm=crb vm_banks=sha1,sha256,sha384 vm_disk='' vm_bus=virtio
	vm_mode=snapshot vm_net=none vm_capture='' vm_data='' vm_results='' vm_state='' vm_reboot='' vm_timeout=300 vm_serial=file vm_extra=()
	while [ $# -gt 0 ]; do
		case $1 in
		--secure) vm_secure=1 ;;
		--reboot) vm_reboot=1 ;;
		--)
			shift
			vm_extra=("$@")
			break
			;;
		--*)
			[ $# -ge 2 ] || { vm_say "$1 wants a value"; return 2; }
			case $1 in
			--code) vm_code=$2 ;;
			--vars) vm_vars=$2 ;;
			--machine) vm_machine=$2 ;;
			--cpu) vm_cpu=$2 ;;
			--memory) vm_memory=$2 ;;
			--smp) vm_smp=$2 ;;
			--tpm) vm_tpm=$2 ;;
			--banks) vm_banks=$2 ;;
			--disk) vm_disk=$2 ;;
			--disk-bus) vm_bus=$2 ;;
			--disk-mode) vm_mode=$2 ;;
			--net) vm_net=$2 ;;
			--serial) vm_serial=$2 ;;
			--capture) vm_capture=$2 ;;
			--data) vm_data=$2 ;;
			--results) vm_results=$2 ;;
			--tpm-state) vm_state=$2 ;;
			--timeout) vm_timeout=$2 ;;
			*) vm_say "unknown option $1"; return 2 ;;
			esac
			shift
			;;
		*) vm_say "unknown argument $1"; return 2 ;;
		esac
		shift
	done
	[ -n "$vm_vars" ] || vm_vars=$(dirname "$vm_code")/OVMF_VARS_4M.fd
	case $vm_machine in q35 | pc) ;; *) vm_say "machine $vm_machine: q35 or pc"; return 2 ;; esac
	case $vm_tpm in tis | crb | none) ;; *) vm_say "TPM $vm_tpm: tis, crb or none"; return 2 ;; esac
	case $vm_bus in virtio | nvme) ;; *) vm_say "disk bus $vm_bus: virtio or nvme"; return 2 ;; esac
	case $vm_mode in snapshot | rw | ro) ;; *) vm_say "disk mode $vm_mode: snapshot, rw or ro"; return 2 ;; esac
	case $vm_serial in file | none) ;; *) vm_say "serial port $vm_serial: file or none"; return 2 ;; esac
	case $vm_net in
	none | virtio) ;;
	forward:*[!0-9]* | forward:) vm_say "network $vm_net: forward:PORT"; return 2 ;;
	forward:*) ;;
	*) vm_say "network $vm_net: none, virtio or forward:PORT"; return 2 ;;
	esac
}

# What the guest can see of the machine, and so what its PCRs may depend on, except for the firmware.
# bootindex: else the order in which disk and NIC are tried would be the firmware's to choose.
vm_machine_args()
{
	vm_args=(-machine "$vm_machine${vm_secure:+,smm=on}" -accel "${ASSAY_ACCEL:-tcg,thread=multi}"
		-m "$vm_memory" -smp "$vm_smp" -nodefaults -display none)
	[ -z "$vm_cpu" ] || vm_args+=(-cpu "$vm_cpu")
	[ -z "$vm_secure" ] || vm_args+=(-global "driver=cfi.pflash01,property=secure,value=on")
	[ "$vm_tpm" = none ] || vm_args+=(-device "tpm-$vm_tpm,tpmdev=tpm0")
	case ${vm_disk:+$vm_bus} in
	virtio) vm_args+=(-device "virtio-blk-pci,drive=disk0,bootindex=1") ;;
	nvme) vm_args+=(-device "nvme,drive=disk0,serial=disk0,bootindex=1") ;;
	esac
	# The option ROM would be measured into PCR 2, and it is another one in each release of QEMU's packages.
	case $vm_net in
	virtio) vm_args+=(-netdev "user,id=net0,restrict=on" -device "virtio-net-pci,netdev=net0") ;;
	forward:*) vm_args+=(-device "virtio-net-pci,netdev=net0,romfile=") ;;
	esac
	[ -z "$vm_data" ] || vm_args+=(-device "virtio-blk-pci,drive=data0")
	[ -z "$vm_results" ] || vm_args+=(-device "virtio-blk-pci,drive=results0,serial=results")
	[ -z "$vm_capture" ] || vm_args+=(-device "virtio-blk-pci,drive=capture0,serial=capture")
	vm_args+=("${vm_extra[@]}")
}

# The backends: files and sockets of this one boot. $1: folder of the boot, $2: TPM control socket.
vm_backend_args()
{
	local access=''

	vm_backends=(
		-drive "if=pflash,unit=0,format=raw,readonly=on,file=$vm_code"
		-drive "if=pflash,unit=1,format=raw,file=$1/vars.fd"
		-qmp stdio -no-shutdown)
	[ "$vm_serial" = none ] ||
		vm_backends+=(-chardev "file,id=serial0,path=$1/serial.log" -serial chardev:serial0)
	[ -n "$vm_reboot" ] || vm_backends+=(-no-reboot)
	case $vm_mode in
	snapshot) access=,snapshot=on ;;
	ro) access=,readonly=on ;;
	esac
	[ -z "$vm_disk" ] ||
		vm_backends+=(-drive "if=none,id=disk0,format=raw,file=$(realpath "$vm_disk")$access")
	[ -z "$vm_capture" ] ||
		vm_backends+=(-drive "if=none,id=capture0,format=raw,file=$(realpath "$vm_capture")")
	[ -z "$vm_data" ] ||
		vm_backends+=(-drive "if=none,id=data0,format=raw,readonly=on,file=$(realpath "$vm_data")")
	[ -z "$vm_results" ] ||
		vm_backends+=(-drive "if=none,id=results0,format=raw,file=$(realpath "$vm_results")")
	case $vm_net in
	forward:*) vm_backends+=(-netdev "user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:${vm_net#*:}-:443") ;;
	esac
	[ "$vm_tpm" = none ] ||
		vm_backends+=(-chardev "socket,id=chrtpm0,path=$2" -tpmdev "emulator,id=tpm0,chardev=chrtpm0")
}

# The backends as placeholders, which assay-platform(1) fills in for the boot of its probe.
vm_line_args()
{
	vm_backends=(
		-drive "if=pflash,unit=0,format=raw,readonly=on,file=$vm_code"
		-drive "if=pflash,unit=1,format=raw,file=$vm_vars"
		-chardev 'file,id=serial0,path={serial}' -serial chardev:serial0 -no-reboot)
	[ -z "$vm_disk" ] || vm_backends+=(-drive 'if=none,id=disk0,format=raw,snapshot=on,file={disk}')
	[ -z "$vm_capture" ] || vm_backends+=(-drive "if=none,id=capture0,format=raw,file={copy:$vm_capture}")
	[ -z "$vm_data" ] || vm_backends+=(-drive "if=none,id=data0,format=raw,readonly=on,file=$vm_data")
	[ -z "$vm_results" ] || vm_backends+=(-drive "if=none,id=results0,format=raw,file={copy:$vm_results}")
	case $vm_net in
	forward:*) vm_backends+=(-netdev "user,id=net0,restrict=on") ;;
	esac
	[ "$vm_tpm" = none ] ||
		vm_backends+=(-chardev 'socket,id=chrtpm0,path={tpm}' -tpmdev "emulator,id=tpm0,chardev=chrtpm0")
}

# One line that a shell takes apart again as it was. (printf %q would put a backslash before commas.)
vm_quoted()
{
	local word sep=''

	for word; do
		case $word in
		'' | *[!A-Za-z0-9_.,:=/+-]*) word="'${word//\'/\'\\\'\'}'" ;;
		esac
		printf '%s%s' "$sep" "$word"
		sep=' '
	done
	echo
}

# vm_tpm_new STATE BANKS: a TPM that was never used, with these PCR banks active; or a copy of --tpm-state.
vm_tpm_new()
{
	if [ -n "${vm_state:-}" ]; then
		cp -r "$vm_state" "$1"
		return
	fi
	mkdir -p "$1"
	swtpm_setup --tpm2 --tpmstate "$1" --pcr-banks "$2" --overwrite
}

# vm_tpm_start STATE SOCKET [FLAGS]: start swtpm on an absolute state folder; its pid into
# vm_tpm_pid. With FLAGS (server) it serves SOCKET to tpm2-tools, the state taken up where it was.
vm_tpm_start()
{
	local args=(--ctrl "type=unixio,path=$2")
	local i

	[ "${3:-}" != server ] || args=(--server "type=unixio,path=$2" --ctrl "type=unixio,path=$2.ctrl"
		--flags not-need-init)
	swtpm socket --tpm2 --tpmstate "dir=$1" "${args[@]}" &
	vm_tpm_pid=$!
	for ((i = 0; i < 100; i++)); do
		[ ! -S "$2" ] || return 0
		kill -0 "$vm_tpm_pid" 2>/dev/null || break
		sleep 0.05
	done
	vm_say "swtpm did not start"
	return 1
}

# End a child of ours, whatever it is doing.
vm_end()
{
	[ -n "$1" ] || return 0
	kill -KILL "$1" 2>/dev/null
	wait "$1" 2>/dev/null
	return 0
}

# vm_tpm_pcrs STATE SOCKET BANKS: save the running TPM's PCRs and print them as BANK INDEX HEX. Ends it.
vm_tpm_pcrs()
{
	local bank hex pcr

	swtpm_ioctl --unix "$2" -v && swtpm_ioctl --unix "$2" -s || return 1
	wait "$vm_tpm_pid"
	vm_tpm_start "$1" "$2-tools" server || return 1
	for bank in ${3//,/ }; do
		hex=$(TSS2_LOG=all+none tpm2_pcrread -T "swtpm:path=$2-tools" -Q -o /dev/stdout "$bank:all" |
			od -An -v -tx1 | tr -d ' \n')
		local size=$((${#hex} / 24))
		[ "$size" -ge 40 ] || return 1
		for ((pcr = 0; pcr < 24; pcr++)); do
			echo "$bank $pcr ${hex:pcr * size:size}"
		done
	done
	vm_end "$vm_tpm_pid"
}

# Read QEMU's events until the guest ended; how, into vm_ended. $1, $2: QMP's output and input.
vm_wait_end()
{
	local line left start=$SECONDS

	vm_ended=''

	echo '{"execute":"qmp_capabilities"}' >&"$2"
	while left=$((vm_timeout - SECONDS + start)); [ "$left" -gt 0 ]; do
		IFS= read -r -t "$left" -u "$1" line
		case $? in
		0) ;;
		1)
			vm_ended="qemu-exit"
			return
			;;
		*) break ;; # above 128: the time is up
		esac
		echo "$line" >&2
		case $line in
		*'"event": "SHUTDOWN"'*)
			vm_ended=${line#*\"reason\": \"}
			vm_ended=${vm_ended%%\"*}
			# Answered after the disks have been flushed
			echo '{"execute":"query-status"}' >&"$2"
			;;
		*'"status": "shutdown"'*) return ;;
		esac
	done
	vm_ended=${vm_ended:-timeout}
}

# vm_run DIR [option...]: boot once. 0 when the guest powered off. A process of its own, so that
# whatever ends it ends QEMU and swtpm with it.
vm_run()
{
	"$vm_self" run "$@"
}

vm_main_run()
{
	local dir=$1 file
	shift

	vm_options "$@" || return 2
	for file in "$vm_code" "$vm_vars" ${vm_disk:+"$vm_disk"} ${vm_capture:+"$vm_capture"} ${vm_data:+"$vm_data"} ${vm_results:+"$vm_results"} \
		${vm_state:+"$vm_state/."}; do
		[ -r "$file" ] || { vm_say "$file: cannot be read"; return 1; }
	done
	mkdir -p "$dir" || return 1
	[ -z "$(ls -A "$dir")" ] || { vm_say "$dir: not empty; each boot wants a fresh folder"; return 1; }
	# Short (a socket's path holds 107 bytes) and outside the TPM's state folder
	vm_sockets=$(mktemp -d "${TMPDIR:-/tmp}/assay-vm.XXXXXX") || return 1
	vm_tpm_pid='' vm_qemu_pid=''
	trap 'vm_end "$vm_qemu_pid"; vm_end "$vm_tpm_pid"; rm -rf "$vm_sockets"' EXIT
	trap 'exit 1' INT TERM HUP
	vm_boot "$(realpath "$dir")" "$vm_sockets"
}

# vm_boot DIR SOCKETS: what vm_run does once everything is checked.
vm_boot()
{
	local dir=$1 sock=$2 qemu=${ASSAY_QEMU:-qemu-system-x86_64} in out rc

	cp "$vm_vars" "$dir/vars.fd" && chmod u+w "$dir/vars.fd" || return 1
	vm_machine_args
	vm_backend_args "$dir" "$sock/tpm"
	vm_quoted "$qemu" "${vm_args[@]}" >"$dir/machine"
	vm_quoted "$qemu" "${vm_args[@]}" "${vm_backends[@]}" >"$dir/command"

	if [ "$vm_tpm" != none ] &&
		{ ! vm_tpm_new "$dir/tpm" "$vm_banks" || ! vm_tpm_start "$dir/tpm" "$sock/tpm"; } >"$dir/tpm.log" 2>&1; then
		vm_say "no TPM; see $dir/tpm.log"
		return 1
	fi

	mkfifo "$sock/in" "$sock/out" || return 1
	exec {in}<>"$sock/in"
	"$qemu" "${vm_args[@]}" "${vm_backends[@]}" <"$sock/in" >"$sock/out" 2>"$dir/qemu.log" &
	vm_qemu_pid=$!
	exec {out}<"$sock/out"
	vm_wait_end "$out" "$in" 2>"$dir/qmp.log"
	exec {in}>&- {out}<&-
	if [ "$vm_ended" = qemu-exit ]; then
		wait "$vm_qemu_pid"
		rc=$?
		echo "qemu-exit $rc" >"$dir/end"
		vm_say "QEMU ended by itself ($rc); see $dir/qemu.log"
		return 1
	fi
	vm_end "$vm_qemu_pid"
	echo "$vm_ended" >"$dir/end"

	if [ "$vm_tpm" != none ] &&
		! vm_tpm_pcrs "$dir/tpm" "$sock/tpm" "$vm_banks" 2>>"$dir/tpm.log" >"$dir/pcrs"; then
		rm -f "$dir/pcrs"
		vm_say "the TPM did not answer; see $dir/tpm.log"
		return 1
	fi
	[ "$vm_ended" = guest-shutdown ] || { vm_say "the guest ended by $vm_ended; see $dir"; return 1; }
}

vm_main()
{
	local verb=${1:-}
	[ $# -eq 0 ] || shift

	[ "${1:-}" != --help ] || verb=help
	case $verb in
	run)
		[ $# -ge 1 ] || { vm_usage >&2; return 2; }
		vm_main_run "$@"
		;;
	print)
		[ $# -ge 1 ] || { vm_usage >&2; return 2; }
		local dir=$1
		shift
		vm_options "$@" || return 2
		vm_machine_args
		vm_backend_args "$dir" TPM-SOCKET
		vm_quoted "${ASSAY_QEMU:-qemu-system-x86_64}" "${vm_args[@]}" "${vm_backends[@]}"
		;;
	machine)
		vm_options "$@" || return 2
		vm_machine_args
		vm_quoted "${ASSAY_QEMU:-qemu-system-x86_64}" "${vm_args[@]}"
		;;
	line)
		vm_options "$@" || return 2
		vm_machine_args
		vm_line_args
		vm_quoted "${ASSAY_QEMU:-qemu-system-x86_64}" "${vm_args[@]}" "${vm_backends[@]}"
		;;
	--help | -h | help) vm_usage ;;
	*)
		vm_usage >&2
		return 2
		;;
	esac
}

vm_self=$(realpath "${BASH_SOURCE[0]}")
[ "${BASH_SOURCE[0]}" != "$0" ] || vm_main "$@"
