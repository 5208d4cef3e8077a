# SPDX-License-Identifier: Apache-2.0
"""libassay.so.0 as ctypes sees it: the declarations of assay.h, and nothing else."""

from __future__ import annotations

import ctypes
import os
import threading
from typing import Any, Optional

SONAME = "libassay.so.0"

VERIFIED = 0
COULD_NOT = 1
BAD_CALL = 2
REFUSED = 3

_TEXT = ctypes.c_char_p
_BYTES = ctypes.c_char_p
_SIZE = ctypes.c_size_t
_HANDLE = ctypes.c_void_p

# Name: (what it returns, what it takes). ctypes leaves Python's lock alone while one of them runs.
_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "assay_version": (_TEXT, []),
    "assay_policy_new": (_HANDLE, []),
    "assay_policy_free": (None, [_HANDLE]),
    "assay_policy_error": (_TEXT, [_HANDLE]),
    "assay_policy_add_manifest": (ctypes.c_int, [_HANDLE, _BYTES, _SIZE]),
    "assay_policy_add_key": (ctypes.c_int, [_HANDLE, _BYTES, _SIZE]),
    "assay_policy_set_ca": (ctypes.c_int, [_HANDLE, _BYTES, _SIZE]),
    "assay_policy_add_identity": (ctypes.c_int, [_HANDLE, _TEXT]),
    "assay_policy_add_trust": (ctypes.c_int, [_HANDLE, _BYTES, _SIZE]),
    "assay_policy_add_trust_folder": (ctypes.c_int, [_HANDLE, _TEXT]),
    "assay_policy_set_min_release": (ctypes.c_int, [_HANDLE, ctypes.c_uint64]),
    "assay_policy_set_time": (ctypes.c_int, [_HANDLE, ctypes.c_int64]),
    "assay_policy_expect": (ctypes.c_int, [_HANDLE, _TEXT]),
    "assay_policy_set_measurements": (ctypes.c_int, [_HANDLE, _BYTES, _SIZE]),
    "assay_policy_option": (ctypes.c_int, [_HANDLE, _TEXT, _TEXT]),
    "assay_policy_seal": (ctypes.c_int, [_HANDLE]),
    "assay_verify": (
        ctypes.c_int,
        [_HANDLE, _BYTES, _SIZE, _BYTES, _SIZE, _BYTES, _SIZE, ctypes.POINTER(_HANDLE)],
    ),
    "assay_result_free": (None, [_HANDLE]),
    "assay_result_status": (ctypes.c_int, [_HANDLE]),
    "assay_result_message": (_TEXT, [_HANDLE]),
    "assay_result_refusals": (_SIZE, [_HANDLE]),
    "assay_result_code": (_TEXT, [_HANDLE, _SIZE]),
    "assay_result_text": (_TEXT, [_HANDLE, _SIZE]),
    "assay_result_json": (_TEXT, [_HANDLE]),
    "assay_result_manifest": (_TEXT, [_HANDLE]),
    "assay_result_release": (ctypes.c_uint64, [_HANDLE]),
}

_lock = threading.Lock()
_library: Optional[ctypes.CDLL] = None


def library() -> ctypes.CDLL:
    """The library, loaded at the first call: $ASSAY_LIBRARY, a path, or what the loader finds.

    OSError where there is none, or where it lacks a function.
    """
    global _library
    with _lock:
        if _library is None:
            lib = ctypes.CDLL(os.environ.get("ASSAY_LIBRARY") or SONAME)
            for name, (restype, argtypes) in _FUNCTIONS.items():
                try:
                    function = getattr(lib, name)
                except AttributeError as e:
                    raise OSError(f"{SONAME} has no {name}") from e
                function.restype = restype
                function.argtypes = argtypes
            _library = lib
        return _library
