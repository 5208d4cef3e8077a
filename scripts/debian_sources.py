#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Print apt sources (deb822) for another Debian suite, made from what this machine's apt uses.

No mirror is named in this repository: wherever the machine gets Debian from, the other suite is
fetched from there too, with the same keys. Third-party repositories are left out. With
ASSAY_APT_SOURCES=FILE in the environment that file is read instead of /etc/apt (an auditor names
a snapshot of the archive this way).
"""

import argparse
import os
import re
import sys
from pathlib import Path

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
RELEASES = "buster bullseye bookworm trixie forky duke sid stable oldstable testing unstable"
SUITE = re.compile(r"^(%s)(-updates|-security|-backports)?$|^(%s)/updates$" %
                   ((RELEASES.replace(" ", "|"),) * 2))


def words(text):
    return text.split()


def parse_one_line(text):
    """deb [option=value ...] URI SUITE COMPONENT..., sources.list(5)"""
    for line in text.splitlines():
        line = line.split("#", 1)[0].strip()
        m = re.match(r"^deb\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)\s+(.+)$", line)
        if m:
            options = dict(o.split("=", 1) for o in words(m[1] or "") if "=" in o)
            signed = " ".join(options.get("signed-by", "").split(","))
            yield words(m[2]), words(m[3]), words(m[4]), signed


def parse_deb822(text):
    """Stanzas of Field: value; a line that starts with white space goes on with the field."""
    for stanza in re.split(r"\n\s*\n", text):
        fields, last = {}, None
        for line in stanza.splitlines():
            if line.startswith("#"):
                continue
            if line[:1].isspace() and last:
                fields[last] += "\n" + line
            elif ":" in line:
                last, value = line.split(":", 1)
                last = last.strip().lower()
                fields[last] = value.strip()
        if fields.get("enabled", "yes").lower() in ("no", "false", "0", "off"):
            continue
        if "deb" in words(fields.get("types", "")):
            yield (words(fields.get("uris", "")), words(fields.get("suites", "")),
                   words(fields.get("components", "")), fields.get("signed-by", ""))


def host_entries():
    named = os.environ.get("ASSAY_APT_SOURCES")
    if named:
        files = [Path(named)]
    else:
        parts = Path("/etc/apt/sources.list.d")
        files = [Path("/etc/apt/sources.list")]
        files += sorted(list(parts.glob("*.list")) + list(parts.glob("*.sources")))
    for path in files:
        if not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        # A named file may be of either form, whatever it is called.
        deb822 = path.suffix == ".sources" or re.search(r"^Types:", text, re.M | re.I)
        yield from (parse_deb822 if deb822 else parse_one_line)(text)


def is_debian(uri, suite, components, signed):
    """The Debian archive, not somebody's repository beside it that borrows the suite names."""
    if not SUITE.match(suite) or "main" not in components:
        return False
    if not re.match(r"^(https?|file|mirror\+file|mirror\+https?|copy|tor\+https?):", uri):
        return False
    if "debian-archive" in signed or os.environ.get("ASSAY_APT_SOURCES"):
        return True
    return re.search(r"/debian(-security)?/?$", uri) is not None


def kind(suite):
    m = SUITE.match(suite)
    return "-security" if m[3] else m[2] or ""


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("suite", help="codename wanted, trixie for one")
    ap.add_argument("--main-only", action="store_true", help="leave out -updates and -security")
    args = ap.parse_args()

    found = []
    for uris, suites, components, signed in host_entries():
        for uri in uris:
            for suite in suites:
                if not is_debian(uri, suite, components, signed):
                    continue
                k = kind(suite)
                if k == "-backports" or (args.main_only and k):
                    continue
                entry = (uri, args.suite + k, signed)
                if entry not in found:
                    found.append(entry)
    if not any(suite == args.suite for _, suite, _ in found):
        sys.exit("debian_sources: no source of the Debian archive in /etc/apt; "
                 "name one with ASSAY_APT_SOURCES=FILE")
    for uri, suite, signed in found:
        print(f"Types: deb\nURIs: {uri}\nSuites: {suite}\nComponents: main")
        # Folded values (an inline key, a list of keyrings) are kept as they stood.
        print(f"Signed-By: {signed or KEYRING}\n")


if __name__ == "__main__":
    main()
