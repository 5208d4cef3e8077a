#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""probe_report.py TEXT log|pcrs|facts: the probe's report, read by docs/PROBE.md alone.

A second reader beside precompute/probelog.c, for tests. log: its bytes; pcrs: BANK INDEX HEX;
facts: KEY VALUE. Exit 1 unless the last report is whole.
"""
import base64
import re
import sys
import zlib

SIZES = {"sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64}


def read(path):
    facts, blobs, ended = {}, {}, False
    with open(path, "rb") as f:
        lines = re.findall(rb"(@assay [^\r\n]*) ([0-9a-f]{8})\r?\n", f.read())
    for body, crc in lines:
        if zlib.crc32(body) != int(crc, 16):
            sys.exit(f"damaged: {body!r}")
        key, _, value = body[7:].decode().partition(" ")
        if key == "begin":
            facts, blobs, ended = {}, {}, False
        name, plus, offset = key.partition("+")
        if plus:
            blob = blobs.setdefault(name, bytearray())
            if int(offset, 16) != len(blob):
                sys.exit(f"gap in {name} at {len(blob)}")
            blob += base64.b64decode(value, validate=True)
        else:
            facts[key] = value
        ended = ended or key == "end"
    if not ended:
        sys.exit("no whole report")
    if facts["end"] != "none":
        log = blobs["log"]
        if facts["end"] != f"log {len(log):08x} {zlib.crc32(log):08x}":
            sys.exit("the log is not what its end says")
    return facts, blobs


def main():
    facts, blobs = read(sys.argv[1])
    if sys.argv[2] == "log":
        sys.stdout.buffer.write(blobs["log"])
    elif sys.argv[2] == "facts":
        for key, value in facts.items():
            print(key, value)
    else:
        for bank, size in SIZES.items():
            values = blobs.get("pcrs-" + bank, b"")
            for i in range(len(values) // size):
                print(bank, i, values[i * size : (i + 1) * size].hex())


main()
