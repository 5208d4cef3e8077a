# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Software TPMs for tests, and what clouds put into theirs: attestation keys, their certificates, and a CA for them. All of it
# is made by swtpm, tpm2-tools and openssl. Loaded after common.bash; $tmp is the test's folder.
#
#   start_tpm [DIR]                a TPM at $tcti (swtpm:path=…), its state in DIR/state ($tmp without), started up
#   stop_tpm                       ends it; a teardown calls it
#   ak_ca DIR [CN]                 a root and an intermediate CA for attestation keys
#   tpm_with_ak KIND DIR [OPTION]  start_tpm DIR, and in it a key with its certificate, of KIND
#       azure      key at 0x81000003 (RSA), certificate in NV 0x01C101D0
#       gcp        template in NV 0x01C10001 (RSA), certificate in NV 0x01C10000; no key: the template makes it
#       gcp-ecc    the same with ECC P-256, 0x01C10003 and 0x01C10002
#       handle     key at 0x81010010 (RSA), certificate in DIR/ak.pem alone; handle-ecc: ECC P-256; handle-pss: RSAPSS
#       ek, ek-ecc no such key: an endorsement key's certificate in NV 0x01C00002 (RSA), 0x01C0000A (ECC P-256)
#     --ca CADIR     the CA (of ak_ca); else one is made in DIR/ca
#     --expired      the certificate was valid in 2020 alone
#     --of PEM       the certificate is of this public key in the place of the TPM's own
#     --eku OID      extendedKeyUsage; 2.23.133.8.3 (AK), for ek 2.23.133.8.1, where nothing is said
#     --no-cert      no certificate in NV
#     --not-restricted   a key that signs whatever it is given
#
# A CA's folder has root.pem, intermediate.pem, chain.pem (the intermediate, then the root), and the keys root.key and
# intermediate.key. A TPM's folder has ak.pem (its certificate), ak.pub (TPM2B_PUBLIC as the TPM has it), ak.pubkey.pem.
#
# For a machine in QEMU: tpm_with_ak, then stop_tpm; DIR/state is a folder for `swtpm socket --tpm2 --tpmstate dir=…` as
# swtpm_setup leaves one, with all banks active. (Give a copy away; each boot changes it.) The agent in that machine finds the
# key as it would in the cloud.

tpm_pid=''
tcti=''

# start_tpm [DIR]
start_tpm() {
	need swtpm tpm2_pcrread tpm2_pcrextend
	local dir=${1:-$tmp} i
	mkdir -p "$dir/state"
	# Absolute paths: swtpm may change its folder. The control socket stays out of the state's.
	dir=$(realpath "$dir")
	swtpm socket --tpm2 --tpmstate "dir=$dir/state" --server "type=unixio,path=$dir/tpm.sock" \
		--ctrl "type=unixio,path=$dir/tpm.sock.ctrl" --flags not-need-init,startup-clear >/dev/null 2>&1 3>&- &
	tpm_pid=$!
	tcti=swtpm:path=$dir/tpm.sock
	# A socket's name is there before anybody listens.
	for ((i = 0; i < 200; i++)); do
		! tpm2_pcrread -T "$tcti" sha256:0 >/dev/null 2>&1 || return 0
		sleep 0.05
	done
	echo "swtpm does not answer" >&2
	return 1
}

stop_tpm() {
	[ -n "$tpm_pid" ] || return 0
	kill "$tpm_pid" 2>/dev/null || true
	wait "$tpm_pid" 2>/dev/null || true
	tpm_pid=''
}

# What tools left in the TPM: there is no resource manager between, and room for three objects.
flush_tpm() {
	tpm2_flushcontext -T "$tcti" -t >/dev/null 2>&1 || true
}

# ak_ca DIR [CN]
ak_ca() {
	need openssl
	local dir=$1 cn=${2:-Test AK}
	mkdir -p "$dir"
	openssl ecparam -name prime256v1 -genkey -noout -out "$dir/root.key"
	openssl ecparam -name prime256v1 -genkey -noout -out "$dir/intermediate.key"
	printf '%s\n' '[ca]' basicConstraints=critical,CA:true keyUsage=critical,keyCertSign,cRLSign \
		subjectKeyIdentifier=hash >"$dir/ca.cnf"
	# Valid in the past too, so that old proofs can be made.
	faketime '2019-01-01 00:00:00' openssl req -x509 -new -key "$dir/root.key" -subj "/CN=$cn root" -days 20000 \
		-config <(printf '[req]\ndistinguished_name=dn\n[dn]\n'; cat "$dir/ca.cnf") -extensions ca -out "$dir/root.pem"
	openssl req -new -key "$dir/intermediate.key" -subj "/CN=$cn CA" -out "$dir/intermediate.csr"
	printf '%s\n' '[ca]' basicConstraints=critical,CA:true,pathlen:0 keyUsage=critical,keyCertSign,cRLSign \
		subjectKeyIdentifier=hash authorityKeyIdentifier=keyid >"$dir/intermediate.cnf"
	faketime '2019-01-01 00:00:00' openssl x509 -req -in "$dir/intermediate.csr" -CA "$dir/root.pem" \
		-CAkey "$dir/root.key" -set_serial 2 -days 20000 -extfile "$dir/intermediate.cnf" -extensions ca \
		-out "$dir/intermediate.pem" 2>/dev/null
	cat "$dir/intermediate.pem" "$dir/root.pem" >"$dir/chain.pem"
}

# ak_certificate CADIR PUBLIC.pem EKU EXPIRED OUT.pem: a certificate of a key whose private half nobody has.
ak_certificate() {
	local ca=$1 public=$2 eku=$3 expired=$4 out=$5 usage=digitalSignature
	[ "$eku" != 2.23.133.8.1 ] || usage=keyEncipherment
	printf '%s\n' '[ak]' basicConstraints=critical,CA:false "keyUsage=critical,$usage" "extendedKeyUsage=$eku" \
		authorityKeyIdentifier=keyid >"$out.cnf"
	[ "$usage" = digitalSignature ] || printf '%s\n' \
		'subjectAltName=critical,dirName:tpm' '[tpm]' '1.2.23.133.2.1=id:00001014' '2.2.23.133.2.2=swtpm' '3.2.23.133.2.3=id:20191023' \
		>>"$out.cnf"
	# The request is signed by a passing key; what it asks for is another's certificate.
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$out.key" -subj "/CN=$(basename "${out%.pem}")" \
		-out "$out.csr" 2>/dev/null
	local date=()
	[ -z "$expired" ] || date=(faketime '2020-01-01 00:00:00')
	"${date[@]}" openssl x509 -req -in "$out.csr" -CA "$ca/intermediate.pem" -CAkey "$ca/intermediate.key" \
		-set_serial "0x$(openssl rand -hex 15)" -days 365 -force_pubkey "$public" -extfile "$out.cnf" -extensions ak \
		-out "$out" 2>/dev/null
	rm -f "$out.key" "$out.csr" "$out.cnf"
}

# nv_put INDEX FILE: as clouds have it, readable by whoever can talk to the TPM.
nv_put() {
	tpm2_nvundefine -T "$tcti" -C o "$1" >/dev/null 2>&1 || true
	tpm2_nvdefine -T "$tcti" -C o -s "$(wc -c <"$2")" -a 'ownerwrite|authwrite|ownerread|authread|ppread' "$1" >/dev/null
	tpm2_nvwrite -T "$tcti" -C o -i "$2" "$1"
}

# template_of PUBLIC (TPM2B_PUBLIC): the TPMT_PUBLIC that made it, its unique field empty.
template_of() {
	python3 - "$1" <<-'EOF'
		import struct, sys
		b = open(sys.argv[1], "rb").read()[2:]
		type, = struct.unpack(">H", b[:2])
		# sizes from the end: modulus, or x and y; TPMs give coordinates their full length
		sys.stdout.buffer.write(b[:-258] + bytes(2) if type == 1 else b[:-68] + bytes(4))
	EOF
}

# tpm_with_ak KIND DIR [OPTION]...
tpm_with_ak() {
	need openssl tpm2_createprimary tpm2_createek tpm2_nvwrite tpm2_evictcontrol faketime
	local kind=$1 dir=$2 ca='' expired='' of='' eku='' nocert='' restricted='|restricted' handle=0x81010010 nv='' hierarchy=o
	local scheme alg=rsa
	shift 2
	while [ $# -gt 0 ]; do
		case $1 in
		--ca) ca=$2 && shift ;;
		--expired) expired=yes ;;
		--of) of=$2 && shift ;;
		--eku) eku=$2 && shift ;;
		--no-cert) nocert=yes ;;
		--not-restricted) restricted='' ;;
		*) echo "tpm_with_ak: $1?" >&2 && return 1 ;;
		esac
		shift
	done
	case $kind in
	azure) handle=0x81000003 nv=0x01c101d0 ;;
	gcp) handle='' nv=0x01c10000 hierarchy=e ;;
	gcp-ecc) alg=ecc handle='' nv=0x01c10002 hierarchy=e ;;
	handle) ;;
	handle-ecc) alg=ecc ;;
	handle-pss) alg=rsapss ;;
	ek) nv=0x01c00002 ;;
	ek-ecc) alg=ecc nv=0x01c0000a ;;
	*) echo "tpm_with_ak: $kind?" >&2 && return 1 ;;
	esac
	case $alg in
	rsa) scheme=rsa2048:rsassa-sha256:null ;;
	rsapss) scheme=rsa2048:rsapss-sha256:null ;;
	ecc) scheme=ecc256:ecdsa-sha256:null ;;
	esac
	mkdir -p "$dir"
	[ -n "$ca" ] || { ca=$dir/ca && ak_ca "$ca"; }
	start_tpm "$dir"
	if [[ $kind == ek* ]]; then
		tpm2_createek -T "$tcti" -c "$dir/ak.ctx" -G "$alg" -u "$dir/ak.pub" >/dev/null
		eku=${eku:-2.23.133.8.1}
	else
		tpm2_createprimary -T "$tcti" -C "$hierarchy" -g sha256 -G "$scheme" -c "$dir/ak.ctx" \
			-a "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign$restricted" >/dev/null
		flush_tpm
		[ -z "$handle" ] || tpm2_evictcontrol -T "$tcti" -C o -c "$dir/ak.ctx" "$handle" >/dev/null
		eku=${eku:-2.23.133.8.3}
	fi
	flush_tpm
	tpm2_readpublic -T "$tcti" -c "$dir/ak.ctx" -f tss -o "$dir/ak.pub" >/dev/null
	flush_tpm
	tpm2_readpublic -T "$tcti" -c "$dir/ak.ctx" -f pem -o "$dir/ak.pubkey.pem" >/dev/null
	flush_tpm
	rm -f "$dir/ak.ctx"
	ak_certificate "$ca" "${of:-$dir/ak.pubkey.pem}" "$eku" "$expired" "$dir/ak.pem"
	if [[ $kind == gcp* ]]; then
		template_of "$dir/ak.pub" >"$dir/ak.template"
		nv_put "$(printf '0x%x' $((nv + 1)))" "$dir/ak.template"
	fi
	if [ -n "$nv" ] && [ -z "$nocert" ]; then
		openssl x509 -in "$dir/ak.pem" -outform der -out "$dir/ak.der"
		nv_put "$nv" "$dir/ak.der"
	fi
}
