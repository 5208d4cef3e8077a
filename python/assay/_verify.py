# SPDX-License-Identifier: Apache-2.0
"""Policies and verdicts, on libassay."""

from __future__ import annotations

import ctypes
import datetime
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Union

from . import _library

#: Bytes, or the path of a file that has them.
Source = Union[bytes, str, "os.PathLike[str]"]
#: One of something, or several.
Sources = Union[Source, Iterable[Source]]


class Error(Exception):
    """What this package raises, but for wrong arguments."""


class CouldNot(Error):
    """Nothing can be said: something is missing or unreadable. This is no verdict."""


@dataclass(frozen=True)
class Refusal:
    """One reason not to trust a machine."""

    code: str  #: for programs: "nonce"
    text: str  #: for people, one line

    def __str__(self) -> str:
        return f"{self.code}: {self.text}"


@dataclass(frozen=True)
class Verdict:
    """What a verification came to."""

    verified: bool
    message: str  #: one line
    manifest: Optional[str]  #: name of the manifest that was matched
    release: Optional[int]  #: and its release
    refusals: tuple[Refusal, ...]  #: none when verified
    document: Mapping[str, Any]  #: assay.verdict/1 (docs/schemas/verdict-1.json)


class Refused(Error):
    """Checked, and not to be trusted."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__("; ".join(map(str, verdict.refusals)) or verdict.message)
        self.verdict = verdict

    @property
    def codes(self) -> tuple[str, ...]:
        """The reasons, for programs."""
        return tuple(r.code for r in self.verdict.refusals)


def version() -> str:
    """The version of the shared library."""
    return _text(_library.library().assay_version())


def _text(value: Optional[bytes]) -> str:
    return (value or b"").decode("utf-8", "replace")


def _name(value: str) -> bytes:
    if "\0" in value:
        raise ValueError("a NUL in a text")
    return os.fsencode(value)


def _read(source: Source) -> bytes:
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source)
    try:
        return Path(source).read_bytes()
    except OSError as e:
        raise CouldNot(f"{os.fspath(source)}: {e.strerror}") from e


def _each(sources: Optional[Sources]) -> list[Source]:
    if sources is None:
        return []
    if isinstance(sources, (bytes, bytearray, memoryview, str, os.PathLike)):
        return [sources]
    return list(sources)


def _seconds(at: Union[int, float, datetime.datetime]) -> int:
    if isinstance(at, datetime.datetime):
        if at.tzinfo is None:
            raise ValueError("a time without a time zone")
        return int(at.timestamp())
    return int(at)


class Policy:
    """Whom to trust and what to expect: made once, used by as many threads as there are.

    manifest:    signed golden manifests: bytes or paths; a machine has to match one of them
    key:         public keys that may sign manifests
    ca:          the CA (PEM) of those who may sign them, with `identity`: whom it has certified
    trust:       anchors for the machines' attestation keys: certificates, or folders of them
    min_release: the lowest release that will do
    at:          the time to judge at; None: that of each call
    expect:      what the machine has to have measured, {"container:@local/caddy:1": "sha256:…", "manifest": "base"}: a
                 value, or several, for each key of assay-verify(1)'s --expect
    options:     other options of assay-verify(1), {"platform": "azure"}
    measurements: for proofs of AICert and BlindLlama, in the place of manifests: the values that they come with

    Raises CouldNot when a file cannot be read or is not what it should be, ValueError when the arguments do not make
    a policy.
    """

    def __init__(
        self,
        *,
        manifest: Optional[Sources] = None,
        key: Optional[Sources] = None,
        ca: Optional[Source] = None,
        identity: Union[None, str, Iterable[str]] = None,
        trust: Sources,
        min_release: Optional[int] = None,
        at: Union[None, int, float, datetime.datetime] = None,
        expect: Optional[Mapping[str, Union[str, Iterable[str]]]] = None,
        options: Optional[Mapping[str, str]] = None,
        measurements: Optional[Source] = None,
    ) -> None:
        self._lib = _library.library()
        self._handle: Optional[int] = self._lib.assay_policy_new()
        if not self._handle:
            raise MemoryError
        for m in _each(manifest):
            self._bytes("assay_policy_add_manifest", m)
        for k in _each(key):
            self._bytes("assay_policy_add_key", k)
        if ca is not None:
            self._bytes("assay_policy_set_ca", ca)
        for i in [identity] if isinstance(identity, str) else identity or ():
            self._do("assay_policy_add_identity", _name(i))
        for t in _each(trust):
            if not isinstance(t, bytes) and os.path.isdir(t):
                self._do("assay_policy_add_trust_folder", os.fsencode(t), what=os.fspath(t))
            else:
                self._bytes("assay_policy_add_trust", t)
        if measurements is not None:
            self._bytes("assay_policy_set_measurements", measurements)
        if min_release is not None:
            self._number("assay_policy_set_min_release", min_release, 64)
        if at is not None:
            self._number("assay_policy_set_time", _seconds(at), 63)
        for k, values in (expect or {}).items():
            for v in [values] if isinstance(values, str) else values:
                self._do("assay_policy_expect", _name(f"{k}={v}"))
        for k, v in (options or {}).items():
            self._do("assay_policy_option", _name(k), _name(v))
        self._do("assay_policy_seal")

    def __del__(self) -> None:
        handle = getattr(self, "_handle", None)
        if handle:
            self._lib.assay_policy_free(handle)

    def _do(self, function: str, *arguments: Any, what: Optional[str] = None) -> None:
        status = getattr(self._lib, function)(self._handle, *arguments)
        if status == _library.VERIFIED:
            return
        text = _text(self._lib.assay_policy_error(self._handle))
        text = f"{what}: {text}" if what else text
        if status == _library.BAD_CALL:
            raise ValueError(text)
        raise CouldNot(text)

    def _bytes(self, function: str, source: Source) -> None:
        data = _read(source)
        self._do(function, data, len(data), what=os.fspath(source) if isinstance(source, (str, os.PathLike)) else None)

    # ctypes would cut a number to its size, and say nothing.
    def _number(self, function: str, value: int, bits: int) -> None:
        if not 0 <= value < 1 << bits:
            raise ValueError(f"{value} is not between 0 and 2**{bits}")
        self._do(function, value)

    def judge(self, proof: bytes, *, nonce: Optional[bytes] = None, peer: Optional[bytes] = None) -> Verdict:
        """The verdict on a proof, also when it is a refusal.

        nonce: what this client asked with, and nobody before; None: the proof may be old
        peer:  the certificate (DER) of the TLS connection at hand; None: there is none to be compared

        Raises CouldNot when nothing can be said, ValueError for arguments that cannot be.
        """
        lib = self._lib
        result = ctypes.c_void_p()
        status = lib.assay_verify(
            self._handle,
            proof,
            len(proof),
            nonce,
            0 if nonce is None else len(nonce),
            peer,
            0 if peer is None else len(peer),
            ctypes.byref(result),
        )
        if not result:
            raise MemoryError
        try:
            message = _text(lib.assay_result_message(result))
            if status == _library.BAD_CALL:
                raise ValueError(message)
            if status not in (_library.VERIFIED, _library.REFUSED):
                raise CouldNot(message)
            manifest = lib.assay_result_manifest(result)
            return Verdict(
                verified=status == _library.VERIFIED,
                message=message,
                manifest=None if manifest is None else _text(manifest),
                release=lib.assay_result_release(result) or None,
                refusals=tuple(
                    Refusal(_text(lib.assay_result_code(result, i)), _text(lib.assay_result_text(result, i)))
                    for i in range(lib.assay_result_refusals(result))
                ),
                document=json.loads(lib.assay_result_json(result)),
            )
        finally:
            lib.assay_result_free(result)

    def verify(self, proof: bytes, *, nonce: Optional[bytes] = None, peer: Optional[bytes] = None) -> Verdict:
        """As judge(), but what is not verified is raised: Refused."""
        verdict = self.judge(proof, nonce=nonce, peer=peer)
        if not verdict.verified:
            raise Refused(verdict)
        return verdict


def verify(
    proof: Source,
    *,
    manifest: Optional[Sources] = None,
    key: Optional[Sources] = None,
    ca: Optional[Source] = None,
    identity: Union[None, str, Iterable[str]] = None,
    trust: Sources,
    min_release: Optional[int] = None,
    nonce: Optional[bytes] = None,
    peer: Optional[bytes] = None,
    at: Union[None, int, float, datetime.datetime] = None,
    expect: Optional[Mapping[str, Union[str, Iterable[str]]]] = None,
    options: Optional[Mapping[str, str]] = None,
    measurements: Optional[Source] = None,
) -> Verdict:
    """Verify one proof: bytes, or the path of a file. Arguments as Policy and Policy.judge() have them.

    Returns the verdict of a machine that is to be trusted. Raises Refused, with .codes and .verdict, for one that is
    not, and CouldNot when nothing can be said.
    """
    policy = Policy(
        manifest=manifest,
        key=key,
        ca=ca,
        identity=identity,
        trust=trust,
        min_release=min_release,
        at=at,
        expect=expect,
        options=options,
        measurements=measurements,
    )
    return policy.verify(_read(proof), nonce=nonce, peer=peer)
