#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run jobs of a plan that golden-matrix.py has made; ninja and Slurm call this, on any machine that has its folder.

    matrix_jobs.py PLAN KEY              one job
    matrix_jobs.py PLAN --task PHASE N   those of the Nth task of a Slurm array

A job's key is the SHA-256 of what goes into it (job.json), and its result is the folder results/KEY, which is there
whole or not at all. Exit 1 when a job failed; its reason is then in failed/KEY beside the plan, too.
"""

import base64
import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path


class JobError(Exception):
    """args: why, and the lines that a program said before."""

    def __str__(self):
        return self.args[0]


def canonical(doc):
    """One text for one document: what a key is the digest of."""
    return json.dumps(doc, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def sha256_file(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def identity(path):
    """By what a file is known to be the same as before, without reading it, on any machine that shares it."""
    st = os.stat(path)
    return [st.st_size, st.st_mtime_ns]


def results(plan, key):
    return Path(plan["out"], "results", key)


def read_result(plan, key, name):
    """A file of a result; None when there is no result. A result whose inputs are not those of its name is refused."""
    folder = results(plan, key)
    try:
        job = (folder / "job.json").read_bytes()
    except FileNotFoundError:
        if folder.exists():
            raise JobError(f"{folder}: no result of a job; remove it") from None
        return None
    if hashlib.sha256(job).hexdigest() != key:
        raise JobError(f"{folder}/job.json: not the inputs that its name stands for; remove the folder")
    return (folder / name).read_bytes()


@contextlib.contextmanager
def only_one(path):
    """Keeps others of this machine, and of those that the file system locks for, from doing the same at a time. It saves
    work and nothing more: os.rename() decides."""
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            if os.stat(path).st_ino == os.fstat(fd).st_ino:
                break
        except FileNotFoundError:
            pass  # who held it has removed it
        except OSError:
            break  # no locks in this file system
        os.close(fd)
    try:
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        os.close(fd)


def sync(path):
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def settle(work, result):
    """The work folder becomes the result, unless another machine was faster; then it must have come to the same."""
    for name in os.listdir(work):
        sync(work / name)
    sync(work)
    try:
        os.rename(work, result)
    except OSError as e:
        if e.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
        for name in os.listdir(work):
            if (result / name).read_bytes() != (work / name).read_bytes():
                raise JobError(f"{result}/{name}: other bytes from the same inputs") from None
        return
    sync(result.parent)


def assay(plan, *args):
    """Runs it; what it says goes to stderr, and its last line into the failure."""
    p = subprocess.run([plan["assay"], *args], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.PIPE, text=True, errors="replace", check=False)
    lines = [line for line in p.stderr.splitlines() if not line.startswith("Try '")]
    if p.returncode != 0:
        how = f"exit status {p.returncode}" if p.returncode > 0 else f"ended by signal {-p.returncode}"
        last = lines.pop() if lines else f"assay {args[0]}"
        raise JobError(f"{last} ({how})", lines)
    for line in lines:
        print(line, file=sys.stderr)


def options(inputs):
    return [word for name, value in inputs["options"].items() for word in (f"--{name}", value)]


def profile(plan, sha256):
    path = Path(plan["out"], "inputs", f"{sha256}.yaml")
    if sha256_file(path) != sha256:
        raise JobError(f"{path}: not the profile that its name stands for; remove it")
    return ["--platform", str(path)]


def same_disk(path, sha256, said):
    """What assay hashed is what the key stands for. (The content of a qcow2 is not its file.)"""
    if os.stat(path).st_size == said["size"] and said["digest"].get("sha256") != sha256:
        raise JobError(f"{path}: has changed since the run began")


def run_prediction(plan, job, work):
    inputs, disk = job["inputs"], job["files"][0]
    out = work / "prediction.json"
    assay(plan, "precompute", disk["path"], *profile(plan, inputs["platform"]["sha256"]), *options(inputs), "--json",
          "-o", str(out))
    said = json.loads(out.read_bytes())
    same_disk(disk["path"], inputs["disk"]["sha256"], said["image"])
    if said["platform"]["digest"]["sha256"] != inputs["platform"]["sha256"]:
        raise JobError("the prediction is for another profile")


def run_manifest(plan, job, work):
    inputs, disk = job["inputs"], job["files"][0]
    out, cells = work / "manifest.dsse.json", []
    for cell in inputs["predictions"]:
        data = read_result(plan, cell, "prediction.json")
        if data is None:
            raise JobError(f"{plan['jobs'][cell]['title']} has no result")
        cells.append(json.loads(data))
    args = ["--name", inputs["name"], "--release", str(inputs["release"]), "--not-before", inputs["not_before"]]
    if "expires" in inputs:
        args += ["--expires", inputs["expires"]]
    for platform in inputs["platforms"]:
        args += profile(plan, platform["sha256"])
    for data in job["files"][1:]:
        args += ["--data", data["path"]]
    assay(plan, "manifest", "create", disk["path"], *args, *options(inputs), "-o", str(out))
    # The manifest has made its predictions itself. So each was made twice, and here is where both meet.
    said = statement(out.read_bytes())["predicate"]
    same_disk(disk["path"], inputs["disk"]["sha256"], said["facts"]["image"])
    for data, told in zip(job["files"][1:], said["data"], strict=True):
        same_disk(data["path"], data["sha256"], told["image"])
    if len(cells) != len(said["predictions"]):
        raise JobError(f"{len(said['predictions'])} predictions in the manifest, {len(cells)} cells")
    for cell, told in zip(cells, said["predictions"]):
        if cell != told:
            pcrs = [f"{bank} {n}" for bank in cell["banks"] for n in cell["banks"][bank]
                    if cell["banks"][bank][n] != told.get("banks", {}).get(bank, {}).get(n)]
            raise JobError(f"the manifest and the cell of {cell['platform']['name']} differ"
                           + (f" in {', '.join(pcrs)}" if pcrs else ""))


def statement(envelope):
    return json.loads(base64.b64decode(json.loads(envelope)["payload"]))


RUN = {"prediction": run_prediction, "manifest": run_manifest}


def run(plan, key):
    job = plan["jobs"][key]
    if read_result(plan, key, "job.json") is not None:
        return
    work_folder = Path(plan["out"], "work")
    with only_one(work_folder / f"{key}.lock"):
        if read_result(plan, key, "job.json") is not None:
            return
        if sha256_file(plan["assay"]) != job["inputs"]["tool"]["sha256"]:
            raise JobError(f"{plan['assay']}: another program than when the run began")
        work = work_folder / f"{key}.{socket.gethostname()}.{os.getpid()}"
        for left in work_folder.glob(f"{key}.{socket.gethostname()}.*"):
            shutil.rmtree(left)
        os.mkdir(work)
        try:
            # Looked at before and after: what was read in between is what the key stands for.
            changed = [f["path"] for f in job["files"] if identity(f["path"]) != f["identity"]]
            if not changed:
                RUN[job["inputs"]["kind"]](plan, job, work)
                changed = [f["path"] for f in job["files"] if identity(f["path"]) != f["identity"]]
            if changed:
                raise JobError(f"{changed[0]}: has changed since the run began")
            (work / "job.json").write_bytes(canonical(job["inputs"]))
            settle(work, results(plan, key))
        finally:
            shutil.rmtree(work, ignore_errors=True)


def run_said(plan, key, folder):
    """Runs a job and says how it failed; False then."""
    failed = folder / "failed" / key
    failed.unlink(missing_ok=True)
    try:
        run(plan, key)
    except (JobError, OSError, ValueError, KeyError) as e:
        reason = str(e) if isinstance(e, (JobError, OSError)) else f"{type(e).__name__}: {e}"
        for line in e.args[1] if isinstance(e, JobError) and len(e.args) > 1 else []:
            print(line, file=sys.stderr)
        print(f"golden-matrix: {plan['jobs'][key]['title']}: {reason}", file=sys.stderr, flush=True)
        failed.write_text(reason + "\n")
        return False
    return True


def main(argv):
    if len(argv) == 3:
        path, keys = argv[1:]
    elif len(argv) == 5 and argv[2] == "--task":
        path, keys = argv[1], None
    else:
        sys.exit(f"usage: {argv[0]} PLAN KEY | PLAN --task PHASE N")
    plan = json.loads(Path(path).read_bytes())
    keys = plan["tasks"][argv[3]][int(argv[4])] if keys is None else [keys]
    # Each is tried, whatever became of the others.
    return 0 if all([run_said(plan, key, Path(path).parent) for key in keys]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv))
