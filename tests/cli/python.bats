#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The Python package: verdicts as `assay verify` has them, and sessions that talk to verified machines alone. Each Python of
# this machine that has requests runs them: Debian's, and one's own.

bats_require_minimum_version 1.5.0

setup_file() {
	load server
	top=$(realpath "$BATS_TEST_DIRNAME/../..")
	lacks=$(proof_missing)
	export top lacks machine=$BATS_FILE_TMPDIR/machine
	[ -n "$lacks" ] || server_setup "$top" "$machine" > "$BATS_FILE_TMPDIR/log" 2>&1 || {
		cat "$BATS_FILE_TMPDIR/log"
		false
	}
}

setup() {
	load server
	[ -z "$lacks" ] || skip "$lacks is missing"
	cd "$machine"
	tmp=$BATS_TEST_TMPDIR
	export ASSAY_LIBRARY=$top/build/libassay.so.0 PYTHONPATH=$top/python PYTHONDONTWRITEBYTECODE=1
	nonce=$(printf '%064d' 5)
	if [ ! -e good.json ]; then
		server_maker
		"${maker[@]}" --nonce "$nonce" -o good.json
	fi
}

teardown() {
	stop_servers
}

# Pythons, each with another requests; or with none.
pythons() {
	local py
	for py in /usr/bin/python3 "$(command -v python3)"; do
		"$py" -W ignore -c "import ${1-sys}, sys; print(sys.executable)" 2> /dev/null || true
	done | sort -u
}

# script [ARGUMENT...]: stdin as a program, by each Python; `session` in its name: those with requests.
script() {
	local py n=0 module=sys
	cat > "$tmp/script.py"
	! grep -q AttestedSession "$tmp/script.py" || module=requests
	for py in ${only:-$(pythons $module)}; do
		n=$((n + 1))
		"$py" -W error - "$@" < <(
			cat <<-'EOF'
				import assay, datetime, hashlib, os, pathlib, sys, threading
				AT = datetime.datetime(2026, 6, 1, tzinfo=datetime.timezone.utc)
				POLICY = dict(manifest="signed.json", key="key.pub", trust="trust", at=AT)
				NONCE = bytes.fromhex("%064d" % 5)
				def raised(what, call, *args, **kwargs):
				    try:
				        call(*args, **kwargs)
				    except what as e:
				        return e
				    raise SystemExit(f"{what.__name__} was not raised")
			EOF
			cat "$tmp/script.py"
		) || return 1
	done
	[ $n -gt 0 ] || skip "python3-requests is not installed"
}

@test "a proof, from paths and from bytes" {
	script <<-'EOF'
		v = assay.verify("good.json", **POLICY)
		assert v.verified and v.manifest == "example" and v.release == 7 and v.refusals == ()
		assert v.document["schema"] == "assay.verdict/1" and v.document["verified"] is True
		read = lambda p: pathlib.Path(p).read_bytes()
		w = assay.verify(read("good.json"), manifest=[read("signed.json")], key=[read("key.pub")], trust=[read("root.pem")], at=AT.timestamp(),
		                 nonce=NONCE, peer=read("host.der"),
		                 expect={"manifest": "example", "tls": "sha256:" + hashlib.sha256(read("host.der")).hexdigest()})
		assert w.verified
		assert assay.verify(pathlib.Path("good.json"), **POLICY).document == v.document
	EOF
}

@test "verdict and reasons are those of assay verify" {
	"$top/build/assay" verify good.json --manifest signed.json --key key.pub --trust trust --at 2026-06-01 --nonce "$nonce" --json > "$tmp/cli"
	run -3 "$top/build/assay" verify good.json --manifest signed.json --key key.pub --trust trust --at 2026-06-01 --expect manifest=x \
		--nonce "$(printf '%064d' 6)" --tls-cert mitm.pem --json
	echo "$output" > "$tmp/bad"
	openssl x509 -in mitm.pem -outform DER -out mitm.der
	script "$tmp/cli" "$tmp/bad" <<-'EOF'
		import json
		good, bad = (json.loads(pathlib.Path(p).read_bytes()) for p in sys.argv[1:])
		assert assay.verify("good.json", nonce=NONCE, **POLICY).document == good
		e = raised(assay.Refused, assay.verify, "good.json", nonce=bytes.fromhex("%064d" % 6), peer=pathlib.Path("mitm.der").read_bytes(),
		           expect={"manifest": "x"}, **POLICY)
		assert e.verdict.document == bad
		assert list(e.codes) == [r["code"] for r in bad["reasons"]] and "nonce" in e.codes, e.codes
		assert not e.verdict.verified and e.verdict.manifest is None and e.verdict.release is None
		p = assay.Policy(**POLICY)
		assert p.judge(pathlib.Path("good.json").read_bytes(), nonce=b"12345678").refusals[0].code == "nonce"
	EOF
}

@test "what can not be judged is no verdict, and wrong arguments are ValueErrors" {
	script <<-'EOF'
		raised(assay.CouldNot, assay.verify, "nonesuch", **POLICY)
		raised(assay.CouldNot, assay.verify, b"no json", **POLICY)
		raised(assay.CouldNot, assay.Policy, **{**POLICY, "key": "nonesuch"})
		raised(assay.CouldNot, assay.Policy, **{**POLICY, "key": b"no key"})
		raised(assay.CouldNot, assay.Policy, **{**POLICY, "trust": b"no certificate"})
		raised(assay.CouldNot, assay.Policy, **{**POLICY, "manifest": b"no manifest"})
		assert "nonesuch" in str(raised(assay.CouldNot, assay.Policy, **{**POLICY, "trust": "nonesuch"}))
		for change in ({"manifest": None}, {"key": None}, {"trust": []}, {"ca": "root.pem"}, {"identity": "x"}, {"expect": {"nonesuch": "x"}},
		               {"options": {"nonesuch": "x"}}, {"options": {"ignore-pcr": "99"}}, {"min_release": -1}, {"min_release": 1 << 64},
		               {"at": -1}, {"at": datetime.datetime(2026, 6, 1)}, {"expect": {"a\0": "b"}}):
		    raised(ValueError, assay.Policy, **{**POLICY, **change})
		p = assay.Policy(**POLICY)
		for n in (b"", b"1234567", b"x" * 65):
		    raised(ValueError, p.verify, b"{}", nonce=n)
		raised(ValueError, p.verify, b"{}", peer=b"")
		raised(AttributeError, getattr, assay, "nonesuch")
		raised(TypeError, assay.Policy, nonesuch=1, **POLICY)
	EOF
}

@test "a CA and whom it certified, in the place of a key" {
	proof_cert signers "Signers" - "$proof_ca_ext"
	proof_cert rel "Releases" signers 'keyUsage=critical,digitalSignature\nextendedKeyUsage=codeSigning\nsubjectAltName=email:rel@example.com\n' \
		-algorithm EC -pkeyopt ec_paramgen_curve:P-256
	cat rel.pem signers.pem > rel.chain
	cp manifest.json by-ca.json
	"$top/build/assay" manifest sign by-ca.json --key rel.key --cert rel.chain
	script <<-'EOF'
		p = {**POLICY, "key": None, "manifest": "by-ca.json"}
		assert assay.verify("good.json", ca="signers.pem", identity="rel@example.com", **p).verified
		assert "manifest" in raised(assay.Refused, assay.verify, "good.json", ca="signers.pem", identity="x@example.com", **p).codes
		# A rolling release: one of them matches.
		assert assay.verify("good.json", ca="signers.pem", identity="rel@example.com", **{**p, "key": "key.pub", "manifest": ["signed.json", "by-ca.json"]}).verified
	EOF
}

@test "one policy and many threads" {
	script <<-'EOF'
		p = assay.Policy(**POLICY)
		proof = pathlib.Path("good.json").read_bytes()
		want = p.verify(proof, nonce=NONCE).document
		bad = []
		def work():
		    for _ in range(20):
		        if p.verify(proof, nonce=NONCE).document != want or p.judge(proof, nonce=b"another one").verified:
		            bad.append(1)
		threads = [threading.Thread(target=work) for _ in range(8)]
		[t.start() for t in threads]
		[t.join() for t in threads]
		assert not bad
	EOF
}

@test "a session: the proof first, then requests on connections that are held to its certificate" {
	start_server
	script "$url" "$requests" <<-'EOF'
		url, log = sys.argv[1:]
		pathlib.Path(log).write_text("")
		with assay.AttestedSession(url, assay.Policy(**POLICY)) as s:
		    assert s.verdict is None
		    assert s.get(url + "/a?b=c").text == "hello from /a?b=c\n"
		    assert s.verdict.verified and s.certificate == pathlib.Path("host.der").read_bytes()
		    assert s.post(url + "/p", data="body").text == "thanks\n"
		    assert s.get(url + "/x", verify=False).ok and s.get(url + "/x", verify="/nonexistent").ok
		lines = pathlib.Path(log).read_text().splitlines()
		assert "proof?nonce=" in lines[0] and sum("proof" in l for l in lines) == 1, lines
		assert [l.split()[1:3] for l in lines[1:]] == [["GET", "/a?b=c"], ["POST", "/p"], ["GET", "/x"], ["GET", "/x"]], lines
	EOF
}

@test "a session: other origins, proxies and other kinds of URL are refused" {
	start_server
	export HTTPS_PROXY=http://127.0.0.1:9 https_proxy=http://127.0.0.1:9 REQUESTS_CA_BUNDLE=/nonexistent
	script "$url" "$port" <<-'EOF'
		import requests
		url, port = sys.argv[1:]
		p = assay.Policy(**POLICY)
		with assay.AttestedSession(url, p) as s:
		    assert s.get(url + "/").ok
		    for other in (f"https://127.0.0.1:{port}/", f"http://localhost:{port}/", "https://localhost/", f"https://localhost:{port}.example/",
		                  f"https://localhost:{port}@127.0.0.1/", "http://127.0.0.1/"):
		        raised(requests.exceptions.RequestException, s.get, other)
		    raised(requests.exceptions.RequestException, s.get, url + "/", proxies={"https": "http://127.0.0.1:9"})
		for word in ("http://localhost", "https://", "https://a@localhost", "https://localhost/x", "https://localhost/?x", "localhost"):
		    raised(ValueError, assay.AttestedSession, word, p)
	EOF
}

@test "a session: who is not to be trusted is sent nothing" {
	start_server
	script "$url" "$requests" <<-'EOF'
		url, log = sys.argv[1:]
		with assay.AttestedSession(url, assay.Policy(**POLICY, expect={"manifest": "other"})) as s:
		    assert raised(assay.Refused, s.post, url + "/p", data="secret").codes == ("expectation",)
		    assert raised(assay.Refused, s.get, url + "/p").codes == ("expectation",)
		with assay.AttestedSession(url.replace("localhost", "127.0.0.1"), assay.Policy(**POLICY)) as s:
		    assert raised(assay.Refused, s.get, url.replace("localhost", "127.0.0.1") + "/p").codes == ("host-name",)
		with assay.AttestedSession(url.replace("localhost", "127.0.0.1"), assay.Policy(**POLICY), any_name=True) as s:
		    s.attest()
		assert all("proof" in l for l in pathlib.Path(log).read_text().splitlines())
	EOF
	stop_servers
	start_server --cert mitm.pem --key mitm.key
	script "$url" "$requests" <<-'EOF'
		url, log = sys.argv[1:]
		with assay.AttestedSession(url, assay.Policy(**POLICY)) as s:
		    assert "tls-certificate" in raised(assay.Refused, s.post, url + "/p", data="secret").codes
		assert all("proof" in l for l in pathlib.Path(log).read_text().splitlines())
	EOF
	stop_servers
	start_server --proof good.json
	script "$url" "$requests" <<-'EOF'
		url, log = sys.argv[1:]
		with assay.AttestedSession(url, assay.Policy(**POLICY)) as s:
		    assert raised(assay.Refused, s.post, url + "/p", data="secret").codes == ("nonce",)
		assert all("proof" in l for l in pathlib.Path(log).read_text().splitlines())
	EOF
}

@test "a session: a server that becomes another one is sent nothing more, until it has proved itself" {
	# connections 1 and 2 are those of the proof
	for only in $(pythons requests); do
		start_server --hang-up -1 --swap-after 3 mitm.pem mitm.key
		becomes_another
	done
}

becomes_another() {
	script "$url" "$requests" <<-'EOF'
		import requests
		url, log = sys.argv[1:]
		with assay.AttestedSession(url, assay.Policy(**POLICY)) as s:
		    assert s.get(url + "/first").ok
		    for _ in range(3):
		        raised(requests.exceptions.SSLError, s.post, url + "/p", data="secret")
		    raised(assay.Refused, s.attest)
		    raised(assay.Refused, s.post, url + "/p", data="secret")
		assert not any("secret" in l for l in pathlib.Path(log).read_text().splitlines())
	EOF
}

@test "a session: the server proves itself again when the time is over" {
	start_server
	script "$url" "$requests" <<-'EOF'
		import time
		url, log = sys.argv[1:]
		pathlib.Path(log).write_text("")
		with assay.AttestedSession(url, assay.Policy(**POLICY), max_age=0.5) as s:
		    s.get(url + "/1")
		    s.get(url + "/2")
		    time.sleep(0.6)
		    s.get(url + "/3")
		    s.attest()
		proofs = [l for l in pathlib.Path(log).read_text().splitlines() if "proof?nonce=" in l]
		assert len(proofs) == 3 and len({l.split("nonce=")[1] for l in proofs}) == 3, proofs
	EOF
}

@test "a session: busy, slow and silent servers" {
	start_server --busy 1
	script "$url" <<-'EOF'
		with assay.AttestedSession(sys.argv[1], assay.Policy(**POLICY)) as s:
		    assert s.attest().verified
	EOF
	stop_servers
	start_server --busy -1 --retry-after 9999
	script "$url" <<-'EOF'
		with assay.AttestedSession(sys.argv[1], assay.Policy(**POLICY)) as s:
		    assert "busy" in str(raised(assay.CouldNot, s.attest))
	EOF
	stop_servers
	start_server --slow 5
	script "$url" <<-'EOF'
		import time
		begin = time.monotonic()
		with assay.AttestedSession(sys.argv[1], assay.Policy(**POLICY), timeout=0.5) as s:
		    raised(assay.CouldNot, s.attest)
		assert time.monotonic() - begin < 4
	EOF
	stop_servers
	script "$url" <<-'EOF'
		with assay.AttestedSession(sys.argv[1], assay.Policy(**POLICY)) as s:
		    raised(assay.CouldNot, s.get, sys.argv[1] + "/")
	EOF
}

@test "without requests there is everything but the session; without the library an OSError" {
	mkdir "$tmp/no"
	echo 'raise ImportError("none")' > "$tmp/no/requests.py"
	PYTHONPATH=$PYTHONPATH:$tmp/no python3 -S - <<-'EOF'
		import assay
		assert assay.verify("good.json", manifest="signed.json", key="key.pub", trust="trust", at=1780272000).verified
		try:
		    assay.AttestedSession
		except ImportError:
		    pass
		else:
		    raise SystemExit("a session without requests")
	EOF
	run ! env ASSAY_LIBRARY=/nonexistent/libassay.so.0 python3 -c 'import assay; assay.version()'
	[[ $output == *OSError* ]]
}
