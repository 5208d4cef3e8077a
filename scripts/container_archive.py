#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Container images out of Debian packages, by the recipes of image/containers.yaml.

    container_archive.py list YAML               NAME, TAG, archive and its ID ("-" for a recipe)
    container_archive.py packages YAML [NAME]    the packages that recipes name
    container_archive.py build YAML NAME REPO TIME OUTPUT

build unpacks the packages that the recipe names, and no others, from the folder REPO, lays
containers/NAME over them and writes a docker-archive of one layer. No maintainer script runs and
nothing of this machine gets in: names are sorted, times are TIME, and no umask, locale or user has
a part in it. So the same packages give the same bytes, and the same image ID.
"""

import argparse
import fnmatch
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import yaml

TEXT = {"name", "tag", "archive", "id", "user", "folder"}
LISTS = {"packages", "keep", "drop", "entrypoint", "command", "env"}
FIELDS = TEXT | LISTS | {"links", "folders"}
MERGED = ("bin", "sbin", "lib", "lib64")
# Documentation; the copyright files stay.
DROP = ["usr/share/doc/*", "usr/share/man/*", "usr/share/info/*", "usr/share/lintian/*", "usr/share/locale/*",
        "usr/share/bash-completion/*", "usr/share/zsh/*", "usr/share/fish/*", "usr/share/bug/*"]
KEEP = ["usr/share/doc/*/copyright"]


def die(message):
    sys.exit(f"container_archive: {message}")


def texts(value):
    return isinstance(value, list) and all(isinstance(v, str) for v in value)


def load(path):
    """The rows of containers.yaml by name; whatever is not understood is an error."""
    document = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    if not isinstance(document, dict) or set(document) != {"containers"} or not isinstance(document["containers"], list):
        die(f"{path}: one list 'containers' is wanted")
    rows = {}
    for row in document["containers"]:
        if not isinstance(row, dict):
            die(f"{path}: a container is a mapping")
        name = row.get("name")
        where = f"{path}: container {name}"
        for key, value in row.items():
            if key not in FIELDS:
                die(f"{where}: unknown key '{key}'")
            if not (isinstance(value, str) if key in TEXT else texts(value) if key in LISTS else
                    isinstance(value, dict) and texts(list(value) + list(value.values()))):
                die(f"{where}: {key}: text wanted (numbers in quotes)" if key in TEXT else f"{where}: {key}: wrong kind")
        for key in ("name", "tag"):
            if not re.fullmatch(r"[a-z0-9]+([._-][a-z0-9]+)*", row.get(key, "")):
                die(f"{where}: {key}: lower-case letters, digits and single . _ - between them are wanted")
        if ("archive" in row) == ("packages" in row):
            die(f"{where}: either packages or an archive")
        if "archive" in row and set(row) != {"name", "tag", "archive", "id"}:
            die(f"{where}: an archive has name, tag, archive and id")
        if "id" in row and not re.fullmatch(r"sha256:[0-9a-f]{64}", row["id"]):
            die(f"{where}: id: sha256: and 64 lower-case hex digits are wanted")
        if "packages" in row and "id" in row:
            die(f"{where}: id goes with an archive")
        if name in rows:
            die(f"{where}: is there twice")
        rows[name] = row
    return rows


class Layer:
    """Paths without a leading slash, and for each the header and the bytes."""

    def __init__(self, mtime):
        self.mtime = mtime
        self.members = {}

    def add(self, path, kind, mode, data=b"", target="", uid=0, gid=0):
        path = self.real(path)
        have = self.members.get(path)
        if kind == tarfile.DIRTYPE and have and have[0].type == tarfile.DIRTYPE:
            return
        if have:
            die(f"/{path}: is in two packages")
        info = tarfile.TarInfo(path)
        info.type, info.mode, info.linkname, info.size = kind, mode & 0o7777, target, len(data)
        info.mtime, info.uid, info.gid = self.mtime, uid, gid
        self.members[path] = (info, data)

    @staticmethod
    def real(path):
        """Debian's merged /usr: /bin and the like are links to what is in /usr."""
        first, _, rest = path.partition("/")
        return f"usr/{path}" if first in MERGED and rest else path

    def add_package(self, deb, keep, drop):
        """True if something of it is wanted."""
        fsys = subprocess.run(["dpkg-deb", "--fsys-tarfile", deb], check=True, stdout=subprocess.PIPE).stdout
        used = False
        with tarfile.open(fileobj=io.BytesIO(fsys)) as tar:
            for m in tar:
                path = m.name.removeprefix("./").rstrip("/")
                if path in ("", ".") or m.isdir() or not wanted(self.real(path), keep, drop):
                    continue
                if m.isfile():
                    self.add(path, tarfile.REGTYPE, m.mode, tar.extractfile(m).read(), "", m.uid, m.gid)
                elif m.issym():
                    self.add(path, tarfile.SYMTYPE, 0o777, b"", m.linkname)
                else:
                    die(f"{deb}: {path}: neither a file nor a symbolic link")
                used = True
        return used

    def add_tree(self, tree):
        for path in sorted(tree.rglob("*")):
            name = str(path.relative_to(tree))
            if path.is_symlink():
                self.add(name, tarfile.SYMTYPE, 0o777, b"", str(path.readlink()))
            elif path.is_file():
                # A mode of the repository's, not of the umask that it was checked out with.
                self.members.pop(self.real(name), None)
                self.add(name, tarfile.REGTYPE, 0o755 if path.stat().st_mode & 0o100 else 0o644, path.read_bytes())

    def finish(self):
        for top in MERGED:
            if any(p.startswith(f"usr/{top}/") for p in self.members):
                self.members.pop(top, None)
                info = tarfile.TarInfo(top)
                info.type, info.mode, info.linkname, info.mtime = tarfile.SYMTYPE, 0o777, f"usr/{top}", self.mtime
                self.members[top] = (info, b"")
        for path in list(self.members):
            for parent in Path(path).parents:
                if str(parent) != "." and str(parent) not in self.members:
                    self.add(str(parent), tarfile.DIRTYPE, 0o755)
        return tar_of(self.members[p] for p in sorted(self.members))


def wanted(path, keep, drop):
    """A pattern's * goes over slashes. The recipe's keep, if it has one, is all that stays."""
    def matches(patterns):
        return any(fnmatch.fnmatchcase(path, p) for p in patterns)
    if matches(KEEP):
        return True
    return not matches(DROP + drop) and (not keep or matches(keep))


def tar_of(members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def compact(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def build(rows, name, repo, tree, when, output):
    row = rows.get(name) or die(f"no container {name}")
    if "packages" not in row:
        die(f"{name} has no recipe")
    layer = Layer(when)
    for package in row["packages"]:
        debs = sorted(Path(repo).glob(f"{package}_*.deb"))
        if len(debs) != 1:
            die(f"{package}: {len(debs)} packages in {repo}")
        if not layer.add_package(str(debs[0]), row.get("keep", []), row.get("drop", [])):
            die(f"{name}: nothing of {package} is wanted")
    layer.add_tree(tree)
    for path, target in row.get("links", {}).items():
        layer.add(path.strip("/"), tarfile.SYMTYPE, 0o777, b"", target)
    for path, mode in row.get("folders", {}).items():
        if not re.fullmatch("[0-7]{3,4}", mode):
            die(f"{name}: folders: {path}: the mode is octal digits")
        layer.add(path.strip("/"), tarfile.DIRTYPE, int(mode, 8))
    blob = layer.finish()
    diff_id = hashlib.sha256(blob).hexdigest()

    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))
    run = {"Env": row.get("env", []), "Entrypoint": row.get("entrypoint"), "Cmd": row.get("command"),
           "User": row.get("user"), "WorkingDir": row.get("folder", "/")}
    config = compact({
        "architecture": "amd64", "os": "linux", "created": created,
        "config": {k: v for k, v in run.items() if v},
        "history": [{"created": created, "created_by": "assay"}],
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff_id}"]},
    })
    image_id = hashlib.sha256(config).hexdigest()
    manifest = compact([{"Config": f"{image_id}.json", "RepoTags": [f"localhost/{name}:{row['tag']}"],
                         "Layers": [f"{diff_id}.tar"]}])
    members = []
    for path, data in (("manifest.json", manifest), (f"{image_id}.json", config), (f"{diff_id}.tar", blob)):
        info = tarfile.TarInfo(path)
        info.mode, info.mtime, info.size = 0o644, when, len(data)
        members.append((info, data))
    Path(output).write_bytes(tar_of(members))
    print(f"sha256:{image_id}")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("verb", choices=("list", "packages", "build"))
    ap.add_argument("yaml")
    ap.add_argument("argument", nargs="*")
    args = ap.parse_args()
    rows = load(args.yaml)
    if args.verb == "list" and not args.argument:
        for row in rows.values():
            print(row["name"], row["tag"], row.get("archive", "-"), row.get("id", "-"), sep="\t")
    elif args.verb == "packages" and len(args.argument) <= 1:
        if args.argument and args.argument[0] not in rows:
            die(f"no container {args.argument[0]}")
        chosen = [rows[n] for n in args.argument or rows]
        print("\n".join(sorted({p for row in chosen for p in row.get("packages", [])})))
    elif args.verb == "build" and len(args.argument) == 4:
        name, repo, when, output = args.argument
        build(rows, name, repo, Path(args.yaml).parent / "containers" / name, int(when), output)
    else:
        ap.error("wrong arguments")


if __name__ == "__main__":
    main()
