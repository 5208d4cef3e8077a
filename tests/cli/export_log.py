#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""export_log.py PREDICTION LOG EXTENDS [CHOICE]: the firmware log (TCG PC Client PFP 1.06, 10) and the tpm2_pcrextend arguments
of a machine that measures what is predicted: PCR by PCR, of each set the accepted value CHOICE. Without IMA's events.
export_log.py --of LOG EXTENDS: the arguments for what a log says was extended."""

import json
import struct
import sys

IDS = {"sha1": (4, 20), "sha256": (11, 32), "sha384": (12, 48), "sha512": (13, 64)}
EV_NO_ACTION, EV_IPL = 3, 13
IMA = 10


def main(prediction, log, extends, choice="0"):
    doc = json.load(open(prediction))
    banks = [b for b in IDS if b in doc["banks"]]
    spec = b"Spec ID Event03\0" + struct.pack("<IBBBBI", 0, 0, 2, 0, 2, len(banks))
    spec += b"".join(struct.pack("<HH", *IDS[b]) for b in banks) + b"\0"
    out = struct.pack("<II20sI", 0, EV_NO_ACTION, bytes(20), len(spec)) + spec
    lines = []
    for row in doc["pcrs"]:
        for event in row["events"] if row["pcr"] != IMA else []:
            d = event.get("digests") or event["accepted"][int(choice)]
            # Of a type whose data nobody holds against its digest: the data is not known here.
            out += struct.pack("<III", row["pcr"], EV_IPL, len(banks))
            out += b"".join(struct.pack("<H", IDS[b][0]) + bytes.fromhex(d[b]) for b in banks)
            out += struct.pack("<I", 4) + b"what"
            lines.append("%d:%s\n" % (row["pcr"], ",".join(f"{b}={d[b]}" for b in banks)))
    open(log, "wb").write(out)
    open(extends, "w").writelines(lines)


def extends_of(log, extends):
    data = open(log, "rb").read()
    names = {n: (b, size) for b, (n, size) in IDS.items()}
    at = 32 + struct.unpack_from("<I", data, 28)[0]  # the first event, of the old form
    with open(extends, "w") as out:
        while at < len(data):
            pcr, kind, count = struct.unpack_from("<III", data, at)
            at += 12
            digests = []
            for _ in range(count):
                bank, size = names[struct.unpack_from("<H", data, at)[0]]
                digests.append(f"{bank}={data[at + 2:at + 2 + size].hex()}")
                at += 2 + size
            at += 4 + struct.unpack_from("<I", data, at)[0]
            if kind != EV_NO_ACTION:
                out.write(f"{pcr}:{','.join(digests)}\n")


if sys.argv[1] == "--of":
    extends_of(*sys.argv[2:])
else:
    main(*sys.argv[1:])
