# SPDX-License-Identifier: Apache-2.0
"""The file that `make golden-matrix` reads (docs/MATRIX.md), strictly: whatever it does not know, it refuses by name.

Every scalar is text until its place says what it is, so that no version number becomes a float; no key may come
twice. Paths in it are relative to the file's own folder.
"""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import yaml

SCHEMA = "assay.matrix/1"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")  # as manifest/manifest.h has it
TOP_KEYS = {"schema", "images", "platforms", "exclude", "out", "key", "cert", "not_before", "expires"}
IMAGE_KEYS = {"name", "disk", "release", "data", "options"}
PLATFORM_KEYS = {"profile"}
EXCLUDE_KEYS = {"image", "platform"}
# What both `assay precompute` and `assay manifest create` know. Not --allow-backing: what a disk image names would be
# an input that no key of a job covers.
OPTIONS = {"bank", "boot", "entry", "assume-stub", "assume-kernel"}
MAX_CELLS = 100000  # a slip of the pen, not a release


class MatrixError(Exception):
    pass


@dataclass
class Image:
    name: str
    disk: Path
    release: int
    data: list = field(default_factory=list)
    options: dict = field(default_factory=dict)


@dataclass
class Platform:
    name: str
    profile: bytes


@dataclass
class Matrix:
    images: list
    platforms: list
    cells: dict  # image's name -> its platforms, in the file's order
    out: Path | None
    key: str | None
    cert: Path | None
    not_before: str | None
    expires: str | None


class Loader(yaml.BaseLoader):
    def construct_mapping(self, node, deep=False):
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise MatrixError(f"line {key.start_mark.line + 1}: a key that is no word")
            if key.value in seen:
                raise MatrixError(f"line {key.start_mark.line + 1}: '{key.value}' comes twice")
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            raise MatrixError(f"line {self.peek_event().start_mark.line + 1}: no aliases here")
        return super().compose_node(parent, index)


def mapping(value, where, known, required):
    if not isinstance(value, dict):
        raise MatrixError(f"{where}: keys and values, not {kind(value)}")
    for key in value:
        if key not in known:
            raise MatrixError(f"{where}: unknown key '{key}'; known are {', '.join(sorted(known))}")
    for key in sorted(required):
        if key not in value:
            raise MatrixError(f"{where}: '{key}' is missing")
    return value


def kind(value):
    return "keys and values" if isinstance(value, dict) else "a list" if isinstance(value, list) else \
        f"'{value}'" if value else "nothing"


def sequence(value, where, least=1):
    if not isinstance(value, list) or len(value) < least:
        raise MatrixError(f"{where}: a list, not {kind(value)}")
    return value


def text(value, where):
    if not isinstance(value, str) or not value or any(ord(c) < 32 for c in value):
        raise MatrixError(f"{where}: one line of text, not {kind(value)}")
    return value


def name(value, where):
    if not NAME.fullmatch(text(value, where)):
        raise MatrixError(f"{where}: '{value}': 1 to 128 of A-Z a-z 0-9 . _ -, the first a letter or digit")
    return value


def existing(folder, value, where):
    path = Path(os.path.abspath(folder / text(value, where)))  # symbolic links stay: the file's name counts
    if not path.is_file():
        raise MatrixError(f"{where}: {path}: no such file")
    return path


def read_image(folder, value, where):
    mapping(value, where, IMAGE_KEYS, {"name", "disk", "release"})
    where = f"{where} ({name(value['name'], where + ': name')})"
    release = text(value["release"], where + ": release")
    if not re.fullmatch(r"[1-9][0-9]{0,17}", release):
        raise MatrixError(f"{where}: release: a number from 1 on, not '{release}'")
    options = mapping(value.get("options", {}), where + ": options", OPTIONS, set())
    return Image(value["name"], existing(folder, value["disk"], where + ": disk"), int(release),
                 [existing(folder, d, where + ": data") for d in sequence(value.get("data", []), where + ": data", 0)],
                 {o: text(v, f"{where}: options: {o}") for o, v in sorted(options.items())})


def read_platform(folder, value, where):
    if isinstance(value, str):
        value = {"profile": value}
    mapping(value, where, PLATFORM_KEYS, PLATFORM_KEYS)
    path = existing(folder, value["profile"], where + ": profile")
    profile = path.read_bytes()
    try:
        said = yaml.load(profile, yaml.BaseLoader)
        return Platform(name(said["name"], f"{path}: name"), profile)
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError):
        raise MatrixError(f"{where}: {path}: not a platform profile") from None


def named(items, what):
    names = {}
    for item in items:
        if item.name in names:
            raise MatrixError(f"{what}: two are called '{item.name}'")
        names[item.name] = item
    return names


def read_cells(images, platforms, excludes):
    left = {i: dict(platforms) for i in images}
    for n, value in enumerate(excludes):
        where = f"exclude {n + 1}"
        mapping(value, where, EXCLUDE_KEYS, set())
        if not value:
            raise MatrixError(f"{where}: neither image nor platform")
        for key, there in (("image", images), ("platform", platforms)):
            if key in value and value[key] not in there:
                raise MatrixError(f"{where}: no {key} '{value[key]}'")
        for i in [value["image"]] if "image" in value else images:
            for p in [value["platform"]] if "platform" in value else platforms:
                left[i].pop(p, None)
    for i, ps in left.items():
        if not ps:
            raise MatrixError(f"image '{i}': no platform is left")
    if sum(map(len, left.values())) > MAX_CELLS:
        raise MatrixError(f"more than {MAX_CELLS} cells")
    return {i: list(ps.values()) for i, ps in left.items()}


def read(path):
    """The matrix in the file `path`; MatrixError says what is wrong with it."""
    path = Path(path)
    try:
        doc = yaml.load(path.read_bytes(), Loader)
    except OSError as e:
        raise MatrixError(e.strerror) from None
    except (yaml.YAMLError, UnicodeDecodeError) as e:
        mark = getattr(e, "problem_mark", None)
        raise MatrixError((f"line {mark.line + 1}: " if mark else "") + (getattr(e, "problem", None) or "not YAML")) from None
    if not isinstance(doc, dict) or doc.get("schema") != SCHEMA:
        raise MatrixError(f"its schema is not {SCHEMA}")
    mapping(doc, "the file", TOP_KEYS, {"images", "platforms"})
    folder = Path(os.path.abspath(path)).parent
    images = named([read_image(folder, v, f"image {n + 1}") for n, v in enumerate(sequence(doc["images"], "images"))],
                   "images")
    platforms = named([read_platform(folder, v, f"platform {n + 1}")
                       for n, v in enumerate(sequence(doc["platforms"], "platforms"))], "platforms")
    key = doc.get("key")
    if doc.get("not_before", "").startswith("+"):
        raise MatrixError("not_before: a point in time, not a span")
    # A URI (pkcs11:…) is handed on as it is.
    if key is not None and not re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", text(key, "key")):
        key = str(existing(folder, key, "key"))
    if "cert" in doc and key is None:
        raise MatrixError("a 'cert' without a 'key'")
    return Matrix(list(images.values()), list(platforms.values()),
                  read_cells(images, platforms, sequence(doc.get("exclude", []), "exclude", 0)),
                  Path(os.path.abspath(folder / text(doc["out"], "out"))) if "out" in doc else None, key,
                  existing(folder, doc["cert"], "cert") if "cert" in doc else None,
                  text(doc["not_before"], "not_before") if "not_before" in doc else None,
                  text(doc["expires"], "expires") if "expires" in doc else None)
