#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A base image with other files in its root file system, sealed again as the build seals it.

    reseal.py DISK OUTPUT WORK [PATH=FILE | -PATH]...

PATH=FILE puts FILE's bytes in the place of the file PATH, -PATH takes it away. The root file system
is packed anew (unsquashfs, mksquashfs: no root, nothing is mounted), its tree made by veritysetup,
the root hash in the UKI and the partitions' UUIDs exchanged. Everything else is DISK's.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

SECTOR = 512
START_OF_DATA = b"#\n# START OF DATA - DO NOT MODIFY\n#\n"


def run(*command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **options).stdout


def edit(pseudo, edits):
    """The lines of unsquashfs -pf, with what replaces them."""
    head, mark, data = pseudo.partition(START_OF_DATA)
    if not mark:
        sys.exit("reseal: no data in the pseudo file")
    lines = head.decode().splitlines()
    for e in edits:
        path = e[1:] if e.startswith("-") else e.partition("=")[0]
        at = [i for i, line in enumerate(lines) if line.startswith(path.strip("/") + " R ")]
        if len(at) != 1:
            sys.exit(f"reseal: {path}: {len(at)} such files")
        if e.startswith("-"):
            del lines[at[0]]
        else:
            name, _, when, mode = lines[at[0]].split()[:4]
            lines[at[0]] = f"{name} F {when} {mode} 0 0 cat {Path(e.partition('=')[2]).resolve()}"
    return "\n".join(lines).encode() + b"\n" + mark + data


def uuid(digits):
    return "-".join(digits[a:b] for a, b in ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32)))


def main():
    disk, output, work, *edits = sys.argv[1:]
    work = Path(work)
    work.mkdir(parents=True, exist_ok=True)
    table = json.loads(run("sfdisk", "--json", disk))["partitiontable"]
    parts = {p["name"]: p for p in table["partitions"]}
    raw = {}
    with open(disk, "rb") as f:
        for name, p in parts.items():
            f.seek(p["start"] * SECTOR)
            raw[name] = f.read(p["size"] * SECTOR)

    root, tree, pseudo = work / "root", work / "tree", work / "pseudo"
    root.write_bytes(raw["root"])
    run("unsquashfs", "-no-progress", "-pf", str(pseudo), str(root))
    pseudo.write_bytes(edit(pseudo.read_bytes(), edits))
    root.unlink()
    tree.unlink(missing_ok=True)
    run("mksquashfs", "-", str(root), "-pf", str(pseudo), "-comp", "zstd", "-Xcompression-level", "1",
        "-noappend", "-no-progress", "-quiet")
    seal = run("veritysetup", "format", str(root), str(tree))
    new = re.search(r"^Root hash:\s*([0-9a-f]{64})$", seal, re.M)[1]
    raw["root"], raw["root-verity"] = root.read_bytes(), tree.read_bytes()

    old = set(re.findall(rb"roothash=([0-9a-f]{64})", raw["esp"]))
    if len(old) != 1:
        sys.exit(f"reseal: {len(old)} root hashes in the ESP")
    raw["esp"] = raw["esp"].replace(b"roothash=" + old.pop(), b"roothash=" + new.encode())
    parts["root"]["uuid"], parts["root-verity"]["uuid"] = uuid(new[:32]), uuid(new[32:])

    at, script = 2048, f"label: gpt\nlabel-id: {table['id']}\n"
    for name in ("esp", "root", "root-verity"):
        p = parts[name]
        p["start"], p["size"] = at, -(-len(raw[name]) // SECTOR)
        at += -(-p["size"] // 2048) * 2048
        script += ", ".join(f'{k}="{p[k]}"' if k in ("name", "attrs") else f"{k}={p[k]}"
                            for k in ("start", "size", "type", "uuid", "name", "attrs") if k in p) + "\n"
    with open(output, "wb") as f:
        f.truncate((at + 2048) * SECTOR)
        for name in raw:
            f.seek(parts[name]["start"] * SECTOR)
            f.write(raw[name])
    run("sfdisk", "--quiet", output, input=script)
    print(new)


if __name__ == "__main__":
    main()
