# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# A machine that serves, for serving.bats: its application disk, its TPM, its manifest, and its boots. Everything lies in
# $dir, $image is booted, $assay is the program. Loaded after common.bash and swtpm.bash.
# shellcheck disable=SC2154

# serving_application FOLDER [WORD]: the folder of an application disk: busybox's httpd, which serves the weights. WORD is
# in the container's environment.
serving_application() {
	local when
	when=$(sed -n 's/^SourceDateEpoch=//p' mkosi.conf)
	mkdir -p "$1/containers" "$1/weights/layers"
	cat >"$1.yaml" <<-END
		containers:
		  - name: application
		    tag: "1"
		    packages: [busybox-static]
		    keep: [usr/bin/busybox]
		    env: [WORD=${2:-one}]
		    user: "65534:65534"
		    entrypoint: [/usr/bin/busybox, sh, -c, trap 'exit 0' TERM; /usr/bin/busybox httpd -f -h /weights "\$@" & wait, httpd]
		    command: [-p, "127.0.0.1:8080"]
	END
	scripts/container_archive.py build "$1.yaml" application build/containers.work/repo "$when" "$1/containers/application.tar" >/dev/null
	echo "the application answers" >"$1/weights/index.html"
	seq 1 300000 >"$1/weights/layers/0.bin"
	seq 7 7 70000 >"$1/weights/layers/1.bin"
}

# A TPM as Azure's, in $dir/tpm, its CA in $dir/tpm/ca, whose certificates are in $dir/trust.
serving_tpm() {
	mkdir -p "$dir/tpm/state"
	swtpm_setup --tpm2 --tpmstate "$dir/tpm/state" --pcr-banks sha1,sha256,sha384 --overwrite >"$dir/tpm.log" 2>&1
	tpm_with_ak azure "$dir/tpm"
	stop_tpm
	mkdir -p "$dir/trust"
	cp "$dir/tpm/ca/root.pem" "$dir/tpm/ca/intermediate.pem" "$dir/trust"
}

# The machine that is booted, but for its disks; sets serving_options.
serving_machine() { # PORT
	# shellcheck source=scripts/reference.sh
	. scripts/reference.sh
	# shellcheck disable=SC2154 # reference_options: reference.sh
	serving_options=("${reference_options[@]}" --net "forward:$1")
}

# The signed manifest of image and application disk: $dir/manifest.json, $dir/key.pub.pem; and $dir/older.json, release 1 of
# the same.
serving_manifest() {
	local release
	serving_machine 4443
	"$assay" platform probe --name serving -o "$dir/serving.yaml" \
		--qemu "$(scripts/vm.sh line "${serving_options[@]}" --disk disk --data "$dir/app.raw")" || return 1
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$dir/key.pem"
	openssl pkey -in "$dir/key.pem" -pubout -out "$dir/key.pub.pem"
	for release in 1 2; do
		"$assay" manifest create "$image" --data "$dir/app.raw" --platform "$dir/serving.yaml" --name base --release $release \
			--not-before "$(date -u -d '-1 day' +%F)" -o "$dir/release-$release.json" &&
			"$assay" manifest sign "$dir/release-$release.json" --key "$dir/key.pem" || return 1
	done
	mv "$dir/release-2.json" "$dir/manifest.json"
	mv "$dir/release-1.json" "$dir/older.json"
}

# serving_start NAME DISK DATA: boot, until the machine answers for a proof. Its port is in $dir/NAME.port. A guest kernel
# that dies by itself under QEMU's emulation is booted again, as in scripts/boot.sh.
serving_start() {
	local name=$1 port try wait start
	for try in 1 2 3 4; do
		port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
		echo "$port" >"$dir/$name.port"
		rm -rf "${dir:?}/$name"
		serving_machine "$port"
		scripts/vm.sh run "$dir/$name" "${serving_options[@]}" --timeout 1800 --disk "$2" --data "$3" --tpm-state "$dir/tpm/state" \
			>"$dir/$name.vm" 2>&1 3>&- &
		echo $! >"$dir/vm.pid"
		start=$SECONDS
		for ((wait = 0; wait < 600; wait++)); do
			if curl -ksf --max-time 30 -o "$dir/$name.first" "https://localhost:$port/.well-known/assay/proof"; then
				echo "# $name: proves itself after $((SECONDS - start)) s" >&3
				return 0
			fi
			kill -0 "$(<"$dir/vm.pid")" 2>/dev/null || break
			sleep 1
		done
		serving_stop
		if [ "$(cat "$dir/$name/end" 2>/dev/null)" = guest-reset ]; then
			echo "# the guest's kernel died; booted again ($try)" >&3
			continue
		fi
		echo "$name: the machine does not serve:" >&2
		grep -a assay- "$dir/$name/serial.log" >&2 || tail -n 30 "$dir/$name/serial.log" >&2
		return 1
	done
	return 1
}

serving_stop() {
	[ -s "$dir/vm.pid" ] || return 0
	kill "$(<"$dir/vm.pid")" 2>/dev/null || true
	while kill -0 "$(<"$dir/vm.pid")" 2>/dev/null; do sleep 0.2; done
	rm -f "$dir/vm.pid"
}

serving_url() { # NAME
	echo "https://localhost:$(<"$dir/$1.port")"
}
