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


NAMED_INFORMATION = {1: ("sha256", 32), 7: ("sha384", 48), 8: ("sha512", 64)}


def corim(path):
    """draft-ietf-rats-corim-11, read with cbor2. What each state has of a register, over all of them."""
    import cbor2

    def tagged(item, tag):
        assert item.tag == tag, item
        return item.value

    data = open(path, "rb").read()
    rim = tagged(cbor2.loads(data), 501)
    assert cbor2.dumps(cbor2.loads(data), canonical=True) == data, "not canonical"
    assert set(rim) <= {0, 1, 4} and len(rim[1]) == 1
    inner = tagged(rim[1][0], 506)
    mid = cbor2.loads(inner)
    assert cbor2.dumps(mid, canonical=True) == inner, "not canonical inside"
    assert mid[1][0] == rim[0], "identity"
    values, states = {}, []
    for environment, claims in mid[4][0]:
        assert len(claims) == 1 and list(environment) == [0]
        state = {}
        for pcr, digests in claims[0][1][14].items():
            assert len({alg for alg, _ in digests}) == len(digests), "an algorithm twice (7.7)"
            for alg, value in digests:
                bank, size = NAMED_INFORMATION[alg]
                assert len(value) == size
                state[bank, pcr] = value.hex()
        states.append(state)
        for key, value in state.items():
            if value not in values.setdefault(key, []):
                values[key].append(value)
    assert all(set(s) == set(values) for s in states), "states of different registers"
    assert len({tuple(sorted(s.items())) for s in states}) == len(states), "a state twice"
    # Every combination that is accepted, bank by bank alike.
    count = 1
    for pcr in {pcr for _, pcr in values}:
        count *= max(len(v) for (_, p), v in values.items() if p == pcr)
    assert count == len(states), (count, len(states))
    return values


def main():
    form, prediction, export = sys.argv[1:4]
    bank, phase = (sys.argv[4:] + [None, None])[:2]
    p = Prediction(prediction, phase)
    doc = export if form in ("pcrlock", "corim") else json.load(open(export))
    values = {"nitro": nitro, "aicert": aicert, "pcrlock": pcrlock, "corim": corim,
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
