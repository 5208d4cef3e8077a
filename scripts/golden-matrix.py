#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Predict images x platforms, and write one manifest for each image (docs/MATRIX.md).

    golden-matrix.py MATRIX.yaml [--runner ninja|slurm] [--key URI [--cert PEM]] [--jobs N] [--batch N] [--plan]

A cell is a prediction of one image on one platform; what joins an image's cells is its manifest. Both are jobs whose
results are found by what goes into them (matrix_jobs.py), so that what has run is not run again, whoever ran it.
"""

import argparse
import concurrent.futures
import fcntl
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path

sys.dont_write_bytecode = True  # this folder is no place for it
import matrix_file
from matrix_jobs import JobError, canonical, identity, read_result, results, sha256_file

TOP = Path(__file__).resolve().parent.parent
JOBS = Path(__file__).resolve().parent / "matrix_jobs.py"
JOB_SCHEMA = "assay.matrix-job/1"  # to be counted up when the same inputs would give another result
# A Slurm task has jobs until their disks come to this: what it costs to start one must not count.
TASK_BYTES, TASK_JOBS = 8 << 30, 64
TASKS = 1000  # Slurm's own ceiling (MaxArraySize), unless it was raised
LATE = 30  # seconds that a result on another machine may take to be seen here


def die(message):
    sys.exit(f"golden-matrix: {message}")


def say(message):
    print(f"golden-matrix: {message}", file=sys.stderr, flush=True)


def write(path, data):
    """Whole or not at all, for others may be reading."""
    fd, temp = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(fd, "wb") as f:
        f.write(data)
        os.fchmod(f.fileno(), 0o644)
    os.rename(temp, path)


class Digests:
    """SHA-256 of files, each read once; what was seen to be unchanged since an earlier run is not read again."""

    def __init__(self, path):
        self.path = path
        try:
            self.known = json.loads(path.read_bytes())
        except (FileNotFoundError, ValueError):
            self.known = {}

    def one(self, path):
        before = os.stat(path)
        mark = [before.st_dev, before.st_ino, before.st_size, before.st_mtime_ns, before.st_ctime_ns]
        entry = self.known.get(str(path))
        if entry and entry[1:] == mark:
            return entry[0]
        # A file written within a clock's tick of now may be written again with the same time.
        settled = time.time_ns() - max(before.st_mtime_ns, before.st_ctime_ns) > 2 * 10**9
        digest = sha256_file(path)
        if os.stat(path).st_mtime_ns != before.st_mtime_ns:
            die(f"{path}: written while it was read")
        if settled:
            self.known[str(path)] = [digest, *mark]
        return digest

    def all(self, paths):
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            digests = dict(zip(paths, pool.map(self.one, paths)))
        write(self.path, json.dumps(self.known).encode())
        return digests


def make_plan(matrix, out, assay, digests):
    """Every job, under its key. files: where this run finds what the inputs name by digest."""
    version = subprocess.run([assay, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    tool = {"sha256": sha256_file(assay), "version": version}
    disks = digests.all(sorted({p for i in matrix.images for p in [i.disk, *i.data]}))
    not_before = matrix.not_before or "@" + os.environ["SOURCE_DATE_EPOCH"]
    jobs, images = {}, []

    def add(title, inputs, paths):
        inputs = {"schema": JOB_SCHEMA, "tool": tool, **inputs}
        key = sha256(canonical(inputs)).hexdigest()
        jobs[key] = {"title": title, "inputs": inputs,
                     "files": [{"path": str(p), "identity": identity(p), "sha256": disks[p]} for p in paths]}
        return key

    for image in matrix.images:
        named = [{"name": p.name, "sha256": disks[p]} for p in [image.disk, *image.data]]
        platforms = [{"name": p.name, "sha256": sha256(p.profile).hexdigest()} for p in matrix.cells[image.name]]
        for p, said in zip(matrix.cells[image.name], platforms):
            write(out / "inputs" / f"{said['sha256']}.yaml", p.profile)
        cells = [add(f"{image.name} on {p['name']}",
                     {"kind": "prediction", "disk": named[0], "platform": p, "options": image.options}, [image.disk])
                 for p in platforms]
        inputs = {"kind": "manifest", "disk": named[0], "data": named[1:], "name": image.name,
                  "release": image.release, "not_before": not_before, "platforms": platforms, "predictions": cells,
                  "options": image.options}
        if matrix.expires:
            inputs["expires"] = matrix.expires
        images.append({"name": image.name, "release": image.release, "platforms": [p["name"] for p in platforms],
                       "cells": cells, "manifest": add(f"manifest of {image.name} {image.release}", inputs,
                                                       [image.disk, *image.data])})
    return {"assay": str(assay), "out": str(out), "jobs": jobs, "images": images}


def there(plan, key):
    return read_result(plan, key, "job.json") is not None


# --- ninja -----------------------------------------------------------------------------------------------------------

def ninja_escaped(text):
    return re.sub(r"([$ :])", r"$\1", text)


def write_ninja(plan, folder):
    """A result depends on nothing but its name. So no time of a file counts, and no log of earlier runs (generator)."""
    command = " ".join(shlex.quote(w).replace("$", "$$") for w in (str(JOBS), str(folder / "plan.json")))
    lines = ["# Written by golden-matrix.py.", "ninja_required_version = 1.10", f"builddir = {ninja_escaped(str(folder))}",
             "rule job", f"  command = {command} $key", "  description = $title", "  generator = 1"]
    for key, job in plan["jobs"].items():
        after = "".join(" " + ninja_escaped(str(results(plan, k))) for k in job["inputs"].get("predictions", []))
        lines += [f"build {ninja_escaped(str(results(plan, key)))}: job" + (" ||" + after if after else ""),
                  f"  key = {key}", f"  title = {job['title'].replace('$', '$$')}"]
    write(folder / "build.ninja", "\n".join(lines).encode() + b"\n")


def run_ninja(folder, jobs):
    # What ninja says of its success is not asked: the results tell.
    subprocess.run(["ninja", "-f", str(folder / "build.ninja"), "-k", "0", *(["-j", str(jobs)] if jobs else [])],
                   check=False, stdin=subprocess.DEVNULL)


# --- Slurm -----------------------------------------------------------------------------------------------------------

def tasks(plan, keys, batch):
    """Keys shared out to tasks of an array, in their order, so that a task reads few disks."""
    out, size = [], 0
    most = max(batch or TASK_JOBS, -(-len(keys) // TASKS))
    for key in keys:
        cost = sum(f["identity"][0] for f in plan["jobs"][key]["files"])
        full = out and (len(out[-1]) >= most or (not batch and len(keys) <= TASKS and size + cost > TASK_BYTES))
        if not out or full:
            out.append([])
            size = 0
        out[-1].append(key)
        size += cost
    return out


def write_slurm(plan, folder, batch):
    missing = [key for key in plan["jobs"] if not there(plan, key)]
    for phase, what in (("cells", "prediction"), ("manifests", "manifest")):
        plan["tasks"][phase] = tasks(plan, [k for k in missing if plan["jobs"][k]["inputs"]["kind"] == what], batch)
    words = " ".join(map(shlex.quote, (str(JOBS), str(folder / "plan.json"))))
    write(folder / "array.sh", f"""#!/bin/bash
# Written by golden-matrix.py: one task of an array; $1 is cells or manifests.
exec {words} --task "$1" "$SLURM_ARRAY_TASK_ID"
""".encode())


def run_slurm(plan, folder, jobs):
    ids = []
    phases = [p for p in ("cells", "manifests") if plan["tasks"][p]]
    if not phases:
        say("no job to run")

    def cancel(number, _):
        if ids:
            subprocess.run(["scancel", *ids], check=False)
        die(f"stopped by signal {number}" + (f"; cancelled {' '.join(ids)}" if ids else ""))

    for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, cancel)
    for phase in phases:
        count = len(plan["tasks"][phase])
        words = ["sbatch", "--parsable", f"--job-name=assay-{phase}", f"--chdir={TOP}",
                 f"--output={folder}/log/{phase}-%a", f"--array=0-{count - 1}" + (f"%{jobs}" if jobs else "")]
        if ids:  # whatever became of the cells: an image whose cells are all there gets its manifest
            words.append(f"--dependency=afterany:{ids[-1]}")
        if phase == phases[-1]:
            words.append("--wait")
        say(f"{sum(map(len, plan['tasks'][phase]))} {phase} in an array of {count}")
        with subprocess.Popen([*words, str(folder / "array.sh"), phase], stdout=subprocess.PIPE, text=True) as p:
            line = p.stdout.readline()  # the array's number comes at once, the end when all have ended
            if line:
                ids.append(line.strip().split(";")[0])
        if not line:
            if ids:
                subprocess.run(["scancel", *ids], check=False)
            die("sbatch has not taken the jobs")
    # Another machine's files may be seen late.
    end = time.monotonic() + LATE
    while time.monotonic() < end and [k for phase in phases for task in plan["tasks"][phase] for k in task
                                      if not there(plan, k) and not (folder / "failed" / k).exists()]:
        time.sleep(0.5)
    for log in sorted((folder / "log").iterdir()) if phases else []:
        sys.stderr.write(log.read_text(errors="replace"))


# --- manifests and table ---------------------------------------------------------------------------------------------

def signers(envelope):
    return [(s.get("keyid"), s.get("cert")) for s in envelope["signatures"]]


def publish(plan, image, data, key, cert):
    """The manifest to its place in the out folder, signed here and nowhere else: no other machine needs the key."""
    folder = Path(plan["out"], "manifests", image["name"], str(image["release"]))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "manifest.dsse.json"
    if key:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".sign.") as temp:
            new = Path(temp, path.name)
            new.write_bytes(data)
            words = [plan["assay"], "manifest", "sign", str(new), "--key", key, *(["--cert", str(cert)] if cert else [])]
            if subprocess.run(words, check=False, stdout=subprocess.DEVNULL).returncode != 0:
                raise JobError(f"manifest of {image['name']} {image['release']}: not signed")
            data = new.read_bytes()
    try:
        old, new = json.loads(path.read_bytes()), json.loads(data)
        # Some signatures are never twice the same: the same content by the same signers stays as it is.
        if old["payload"] == new["payload"] and signers(old) == signers(new):
            return
    except (FileNotFoundError, ValueError, KeyError):
        pass
    write(path, data)


def columns(rows):
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "".join("  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip() + "\n" for row in rows)


def table(plan, before):
    rows = [("image", "release", "platform", "", "bank", "values", "PCR 0", "PCR 4", "PCR 11", "result")]
    for image in plan["images"]:
        for platform, key in zip(image["platforms"], image["cells"]):
            data = read_result(plan, key, "prediction.json")
            head = (image["name"], str(image["release"]), platform)
            if data is None:
                rows.append((*head, "failed", *["-"] * 6))
                continue
            banks = json.loads(data)["banks"]
            bank = "sha256" if "sha256" in banks else next(iter(banks), "-")
            values = banks.get(bank, {})
            rows.append((*head, "kept" if key in before else "done", bank, str(len(values)),
                         *(values[n][:16] if n in values else "-" for n in ("0", "4", "11")), key[:16]))
    return columns(rows)


def finish(plan, folder, before, key, cert):
    failures, made = [], 0

    def reason(job):
        try:
            return (folder / "failed" / job).read_text().strip()
        except FileNotFoundError:
            return f"no result; see {folder}"

    for image in plan["images"]:
        lacking = {p: k for p, k in zip(image["platforms"], image["cells"]) if not there(plan, k)}
        failures += [f"{image['name']} on {p}: {reason(k)}" for p, k in lacking.items()]
        title = plan["jobs"][image["manifest"]]["title"]
        data = read_result(plan, image["manifest"], "manifest.dsse.json")
        if data is None:
            failures.append(f"{title}: " + (f"{len(lacking)} of {len(image['cells'])} cells failed" if lacking
                                            else reason(image["manifest"])))
            continue
        try:
            publish(plan, image, data, key, cert)
            made += 1
        except JobError as e:
            failures.append(str(e))
    text = table(plan, before)
    write(Path(plan["out"], "table.txt"), text.encode())
    sys.stdout.write(text)
    for f in failures:
        say(f"FAILED: {f}")
    done = [k for k in plan["jobs"] if k not in before and there(plan, k)]
    print(f"{len(plan['jobs'])} jobs: {len(before)} kept, {len(done)} run; {made} of {len(plan['images'])} manifests in "
          f"{plan['out']}/manifests", flush=True)
    return 1 if failures else 0


def arguments():
    def count(text):
        if not re.fullmatch("[1-9][0-9]{0,5}", text):
            raise argparse.ArgumentTypeError(f"a number from 1 on, not '{text}'")
        return int(text)

    p = argparse.ArgumentParser(prog="golden-matrix", description="Predict images x platforms; docs/MATRIX.md.")
    p.add_argument("matrix", metavar="MATRIX.yaml")
    p.add_argument("--runner", choices=("ninja", "slurm"), default="ninja")
    p.add_argument("--key", help="sign with this key, instead of the file's")
    p.add_argument("--cert", help="that key's certificates")
    p.add_argument("--jobs", type=count, help="so many at a time")
    p.add_argument("--batch", type=count, help="so many in a Slurm task, instead of by the size of their disks")
    p.add_argument("--plan", action="store_true", help="write the plan and what runs it; run nothing")
    return p.parse_args()


def main():
    args = arguments()
    if args.cert and not args.key:
        die("--cert without --key")
    try:
        matrix = matrix_file.read(args.matrix)
    except matrix_file.MatrixError as e:
        die(f"{args.matrix}: {e}")
    if not matrix.not_before and not re.fullmatch("[0-9]{1,12}", os.environ.get("SOURCE_DATE_EPOCH", "")):
        die(f"{args.matrix}: neither not_before nor SOURCE_DATE_EPOCH says from when the manifests are valid")
    if not shutil.which({"ninja": "ninja", "slurm": "sbatch"}[args.runner]) and not args.plan:
        die(f"{args.runner} is not installed")
    assay = Path(os.environ.get("ASSAY") or TOP / "build/assay").absolute()
    if not os.access(assay, os.X_OK):
        die(f"{assay}: no such program; make builds it")
    out = matrix.out or TOP / "build/matrix"
    folder = out / "run" / f"{socket.gethostname()}-{args.runner}"
    for f in (out / "inputs", out / "results", out / "work", folder):
        f.mkdir(parents=True, exist_ok=True)
    # One run of this machine at a time; other machines, and the other runner, are no matter.
    with open(folder / "lock", "w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another run in {folder}: waiting")
            fcntl.flock(lock, fcntl.LOCK_EX)
        for f in ("failed", "log"):
            shutil.rmtree(folder / f, ignore_errors=True)
            (folder / f).mkdir()
        plan = make_plan(matrix, out, assay, Digests(out / "run" / f"{socket.gethostname()}-digests.json"))
        plan["tasks"] = {}
        before = {key for key in plan["jobs"] if there(plan, key)}
        if args.runner == "ninja":
            write_ninja(plan, folder)
        else:
            write_slurm(plan, folder, args.batch)
        write(folder / "plan.json", json.dumps(plan, indent=1).encode())
        if args.plan:
            print(f"{len(plan['jobs'])} jobs, {len(before)} of them have run: {folder}")
            return 0
        if args.runner == "ninja":
            run_ninja(folder, args.jobs)
        else:
            run_slurm(plan, folder, args.jobs)
        key, cert = (args.key, args.cert) if args.key else (matrix.key, matrix.cert)
        return finish(plan, folder, before, key, cert)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (JobError, OSError) as e:
        die(e)
