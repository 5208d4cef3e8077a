#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""export_check.py FORMAT PREDICTION EXPORT [BANK] [PHASE]: is every value in an export the prediction's, and every
accepted value of each PCR that is in the export there? Prints the PCRs and how many values were compared."""

import base64
import hashlib
import json
import os
import re
import sys


def die(text):
    sys.exit(f"export_check: {text}")


class Prediction:
    def __init__(self, path, phase=None):
        self.doc = json.load(open(path))
        self.phase = phase

    def accepted(self, bank, pcr):
        """What a register may be, out of the prediction's text."""
        if self.phase and pcr == 11:
            return [p["pcr11"][bank] for p in self.doc["phases"] if p["phase"] == self.phase]
        one = self.doc["banks"][bank].get(str(pcr))
        return [one] if one else self.doc.get("accepted", {}).get(bank, {}).get(str(pcr), [])


def nitro(doc):
    assert list(doc) == ["Measurements"], doc
    m = doc["Measurements"]
    assert m.pop("HashAlgorithm") == "SHA384"
    return {("sha384", int(re.fullmatch(r"PCR(\d+)", k)[1])): [v] for k, v in m.items()}


def aicert(doc):
    # As its verifier reads it: {int(k): v.lower() for k, v in doc["measurements"].items()}
    return {("sha256", int(k)): [v.lower()] for k, v in doc["measurements"].items()}


def keylime(doc, bank):
    mask = int(doc.pop("mask"), 0)
    assert mask == sum(1 << int(k) for k in doc), "mask"
    return {(bank, int(k)): v for k, v in doc.items()}


def pcrs_json(doc):
    return {(bank, int(k)): v for bank, pcrs in doc["banks"].items() for k, v in pcrs.items()}


def rvps(doc, bank):
    # As trustee reads it: rvps/src/lib.rs, extractors/sample
    assert doc["version"] == "0.1.0" and doc["type"] == "sample" and len(doc) == 3, doc
    values = json.loads(base64.b64decode(doc["payload"], validate=True))
    return {(bank, int(re.fullmatch(r"tpm_pcr(\d+)", k)[1])): v for k, v in values.items()}


def pcrlock(path):
    """What systemd-pcrlock makes of a folder: components by name, each of their variants, event by event."""
    ends = {}
    for name in sorted(os.listdir(path)):
        full = os.path.join(path, name)
        files = [os.path.join(full, f) for f in sorted(os.listdir(full))] if os.path.isdir(full) else [full]
        assert re.fullmatch(r"\d{3}-[a-z0-9-]+\.pcrlock(\.d)?", name) and len(files) != 1 or not os.path.isdir(full), name
        variants = []
        for f in files:
            chain = {}
            for record in json.load(open(f))["records"]:
                for d in record["digests"]:
                    chain.setdefault((d["hashAlg"], record["pcr"]), []).append(bytes.fromhex(d["digest"]))
            variants.append(chain)
        for key in {k for v in variants for k in v}:
            size = hashlib.new(key[0]).digest_size
            now = set()
            for value in ends.get(key, {bytes(size)}):
                for chain in variants:
                    end = value
                    for digest in chain.get(key, []):
                        assert len(digest) == size
                        end = hashlib.new(key[0], end + digest).digest()
                    now.add(end)
            ends[key] = now
    return {k: [v.hex() for v in values] for k, values in ends.items()}


def main():
    form, prediction, export = sys.argv[1:4]
    bank, phase = (sys.argv[4:] + [None, None])[:2]
    p = Prediction(prediction, phase)
    doc = export if form == "pcrlock" else json.load(open(export))
    values = {"nitro": nitro, "aicert": aicert, "pcrlock": pcrlock,
              "pcrs-json": pcrs_json,
              "keylime": lambda d: keylime(d, bank), "rvps": lambda d: rvps(d, bank)}[form](doc)
    for (b, pcr), got in values.items():
        want = p.accepted(b, pcr)
        if not want or sorted(got) != sorted(want):
            die(f"{b} PCR {pcr} is {got}, the prediction has {want}")
    if not values:
        die("nothing in it")
    print(" ".join(map(str, sorted({pcr for _, pcr in values}))), "/", sum(map(len, values.values())))


main()
