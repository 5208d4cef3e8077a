#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make_proof.py OPTION... -o FILE: a proof (docs/PROOF.md) as a machine would make it, from its parts.

The TPM's structures are packed here by the words of its specification, the log's digests are computed here, and openssl
signs: nothing of assay is in it. Options that say what a machine would not do make the proofs that are to be refused.

  --key FILE, --cert FILE...     the attestation key (PEM, private), its certificate and those above it
  --pcrs FILE                    "BANK N HEX": the registers at the end of the boot
  --event PCR CARRIER TEXT...    what was measured after it, in order; @FILE for a file's text
  --nonce HEX, --tls FILE, --tcg-log FILE, --manifest NAME
  --scheme rsassa|rsapss|ecdsa, --hash BANK
  --shape assay|aicert|aicert-early|blindllama

  --select BANK:N,N+BANK:N,N     what is signed; all 16 PCRs of each bank of --pcrs without it
  --extra HEX, --attributes N, --signer-hierarchy N, --type N, --magic N, --rest HEX
  --unlogged PCR TEXT            measured, and in no log
  --sign-with FILE               by another key than the certificate's
"""
import argparse
import base64
import hashlib
import json
import os
import struct
import subprocess
import sys
import tempfile

ALGS = {"sha1": (0x0004, 20), "sha256": (0x000B, 32), "sha384": (0x000C, 48), "sha512": (0x000D, 64)}
SCHEMES = {"rsassa": 0x0014, "rsapss": 0x0016, "ecdsa": 0x0018}
# fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, restricted, sign
AK_ATTRIBUTES = 0x00050072


def tpm2b(data):
    return struct.pack(">H", len(data)) + data


def openssl(*args, data=None):
    return subprocess.run(("openssl",) + args, input=data, check=True, stdout=subprocess.PIPE).stdout


def der(data, at=0):
    """One element: its tag, its content, and where the next begins."""
    length, begin = data[at + 1], at + 2
    if length & 0x80:
        n = length & 0x7F
        length, begin = int.from_bytes(data[begin : begin + n], "big"), begin + n
    return data[at], data[begin : begin + length], begin + length


def integers(content):
    at, out = 0, []
    while at < len(content):
        _, number, at = der(content, at)
        out.append(int.from_bytes(number, "big"))
    return out


def public_area(key, args):
    """TPMT_PUBLIC of a primary key, of the key's SubjectPublicKeyInfo."""
    spki = openssl("pkey", "-in", key, "-pubout", "-outform", "DER")
    _, body, _ = der(spki)
    _, algorithm, at = der(body)
    _, bits, _ = der(body, at)
    alg, attributes = ALGS["sha256"][0], args.attributes
    scheme = struct.pack(">HH", SCHEMES[args.scheme], ALGS[args.hash][0])
    if args.scheme == "ecdsa":
        size = (len(bits) - 2) // 2
        curve = {32: 3, 48: 4, 66: 5}[size]
        x, y = bits[2 : 2 + size], bits[2 + size :]
        return (struct.pack(">HHIH", 0x0023, alg, attributes, 0) + struct.pack(">H", 0x0010) + scheme
                + struct.pack(">HH", curve, 0x0010) + tpm2b(x) + tpm2b(y))
    n, e = integers(der(bits[1:])[1])
    size = (n.bit_length() + 7) // 8
    return (struct.pack(">HHIH", 0x0001, alg, attributes, 0) + struct.pack(">H", 0x0010) + scheme
            + struct.pack(">HI", size * 8, 0 if e == 65537 else e) + tpm2b(n.to_bytes(size, "big")))


def sign(key, message, args):
    """TPMT_SIGNATURE"""
    with tempfile.NamedTemporaryFile() as f:
        f.write(message)
        f.flush()
        opts = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"] if args.scheme == "rsapss" else []
        sig = openssl("dgst", "-" + args.hash, *opts, "-sign", key, f.name)
    head = struct.pack(">HH", SCHEMES[args.scheme], ALGS[args.hash][0])
    if args.scheme != "ecdsa":
        return head + tpm2b(sig)
    r, s = integers(der(sig)[1])
    return head + b"".join(tpm2b(v.to_bytes((v.bit_length() + 7) // 8, "big")) for v in (r, s))


def measured(bank, carrier, text):
    if carrier == "sentinel":
        return bytes(ALGS[bank][1])
    if carrier == "root_hash":
        raw = bytes.fromhex(text)
        return raw if len(raw) == ALGS[bank][1] else hashlib.new(bank, raw).digest()
    return hashlib.new(bank, text.encode()).digest()


def extend(pcrs, pcr, carrier, text):
    for bank in pcrs:
        if pcr in pcrs[bank]:
            pcrs[bank][pcr] = hashlib.new(bank, pcrs[bank][pcr] + measured(bank, carrier, text)).digest()


def selection(choice):
    """TPML_PCR_SELECTION"""
    out = struct.pack(">I", len(choice))
    for bank, wanted in choice:
        bits = sum(1 << i for i in wanted)
        out += struct.pack(">HB", ALGS[bank][0], 3) + bits.to_bytes(3, "little")
    return out


def serialized(choice, pcrs):
    """The file that tpm2_quote writes: host structures."""
    out = struct.pack("<I", len(choice))
    for i in range(16):
        bank, wanted = choice[i] if i < len(choice) else (None, ())
        bits = sum(1 << n for n in wanted)
        out += struct.pack("<HB", ALGS[bank][0] if bank else 0, 3 if bank else 0) + bits.to_bytes(4, "little") + b"\0"
    values = [pcrs[bank][n] for bank, wanted in choice for n in sorted(wanted)]
    blocks = [values[i : i + 8] for i in range(0, len(values), 8)]
    out += struct.pack("<I", len(blocks))
    for block in blocks:
        out += struct.pack("<I", len(block))
        for i in range(8):
            value = block[i] if i < len(block) else b""
            out += struct.pack("<H", len(value)) + value.ljust(64, b"\0")
    return out


def text_of(word):
    if word.startswith("@"):
        with open(word[1:], newline="") as f:
            return f.read()
    return word


def tls_digest(path):
    return hashlib.sha256(openssl("x509", "-in", path, "-outform", "DER")).digest() if path else bytes(32)


def main():
    p = argparse.ArgumentParser(usage=__doc__)
    for name in ("key", "pcrs", "nonce", "tls", "tcg-log", "manifest", "select", "extra", "sign-with", "rest"):
        p.add_argument("--" + name)
    p.add_argument("-o", dest="out", required=True)
    p.add_argument("--cert", action="append", default=[])
    p.add_argument("--event", action="append", nargs=3, default=[])
    p.add_argument("--unlogged", action="append", nargs=2, default=[])
    p.add_argument("--scheme", default="rsassa", choices=SCHEMES)
    p.add_argument("--hash", default="sha256", choices=ALGS)
    p.add_argument("--shape", default="assay")
    p.add_argument("--source", default="handle")
    for name, value in (("attributes", AK_ATTRIBUTES), ("signer-hierarchy", 0x40000001), ("type", 0x8018), ("magic", 0xFF544347)):
        p.add_argument("--" + name, type=lambda s: int(s, 0), default=value)
    args = p.parse_args()

    pcrs = {}
    with open(args.pcrs) as f:
        for line in f:
            bank, n, value = line.split()
            pcrs.setdefault(bank, {})[int(n)] = bytes.fromhex(value)
    for bank in pcrs:
        for i in range(16):
            pcrs[bank].setdefault(i, bytes(ALGS[bank][1]))
    log = []
    for pcr, carrier, word in args.event:
        text = text_of(word)
        extend(pcrs, int(pcr), carrier, text)
        log.append({"content": {carrier: text}, "content_type": "assay", "pcr": int(pcr), "recnum": len(log),
                    "digests": [{"hashAlg": b, "digest": measured(b, carrier, text).hex()} for b in sorted(pcrs)]})
    for pcr, text in args.unlogged:
        extend(pcrs, int(pcr), "event", text)

    if args.select is not None:
        choice = [(part.split(":")[0], [int(n) for n in part.split(":")[1].split(",") if n])
                  for part in args.select.split("+") if part]
    else:
        choice = [(bank, sorted(pcrs[bank])) for bank in sorted(pcrs)]
    digest = hashlib.new(args.hash, b"".join(pcrs[bank][n] for bank, wanted in choice for n in sorted(wanted))).digest()
    public = public_area(args.key, args)
    name = struct.pack(">H", ALGS["sha256"][0]) + hashlib.sha256(public).digest()
    qualified = name[:2] + hashlib.sha256(struct.pack(">I", args.signer_hierarchy) + name).digest()
    nonce = bytes.fromhex(args.nonce or "")
    if args.extra is not None:
        extra = bytes.fromhex(args.extra)
    elif args.shape != "assay":
        extra = b""
    else:
        extra = hashlib.sha256(nonce + tls_digest(args.tls)).digest()
    attest = (struct.pack(">IH", args.magic, args.type) + tpm2b(qualified) + tpm2b(extra) + struct.pack(">QIIB", 123456, 7, 0, 1)
              + struct.pack(">Q", 0x2016051100162800) + selection(choice) + tpm2b(digest) + bytes.fromhex(args.rest or ""))
    signature = sign(args.sign_with or args.key, attest, args)

    def b64(data):
        return base64.b64encode(data).decode()

    pems = []
    for path in args.cert:
        pems.append(openssl("x509", "-in", path).decode())
    if args.shape == "assay":
        proof = {
            "schema": "assay.proof/1",
            "ak": {"source": args.source, "public": b64(tpm2b(public)), "certificates": pems},
            "manifest": {"name": args.manifest} if args.manifest else None,
            "nonce": args.nonce or None,
            "pcrs": {bank: {str(n): pcrs[bank][n].hex() for n in wanted} for bank, wanted in choice if wanted},
            "quote": {"message": b64(attest), "signature": b64(signature)},
            "runtime_log": log,
            "tcg_log": b64(open(args.tcg_log, "rb").read()) if args.tcg_log else None,
            "tls": {"certificate": openssl("x509", "-in", args.tls).decode()} if args.tls else None,
        }
    else:
        texts = [r["content"] for r in log]
        quote = {"message": b64(attest), "signature": b64(signature), "pcr": b64(serialized(choice, pcrs))}
        if args.shape == "blindllama":
            proof = {"cert_chain": pems, "quote": quote, "webserver_rootca": texts[2]["certificate"],
                     "application_disk_roothash": texts[0]["root_hash"]}
        else:
            events = [t["event"] for t in texts if "event" in t]
            proof = {"event_log": events, "remote_attestation": {"quote": {k: {"base64": v} for k, v in quote.items()},
                     "cert_chain": [{"base64": b64(pem.encode())} for pem in pems]}}
            if args.shape == "aicert":
                proof["event_log"] = [t["event"] for t, r in zip(texts, log) if "event" in t and r["pcr"] != 8]
                proof["output_event_log"] = [t["event"] for t, r in zip(texts, log) if "event" in t and r["pcr"] == 8]
                proof["ca_cert"] = "".join(t["certificate"] for t in texts if "certificate" in t)
    with open(args.out + ".tmp", "w") as f:
        json.dump(proof, f, indent=2, sort_keys=True)
        f.write("\n")
    os.replace(args.out + ".tmp", args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
