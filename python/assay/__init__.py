# SPDX-License-Identifier: Apache-2.0
"""Is the machine that made this proof the one that a signed golden manifest describes?

    verdict = assay.verify("proof.json", manifest="manifest.dsse.json", key="pub.pem", trust="roots/")

    policy = assay.Policy(manifest="manifest.dsse.json", key="pub.pem", trust="roots/")
    with assay.AttestedSession("https://server.example", policy) as session:
        session.get("/answer")      # sent to the verified machine, or not at all

The work is done by the shared library libassay; AttestedSession needs requests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._verify import CouldNot, Error, Policy, Refusal, Refused, Source, Sources, Verdict, verify, version
from ._version import VERSION as __version__

if TYPE_CHECKING:
    from ._session import AttestedSession as AttestedSession

__all__ = [
    "AttestedSession",
    "CouldNot",
    "Error",
    "Policy",
    "Refusal",
    "Refused",
    "Source",
    "Sources",
    "Verdict",
    "__version__",
    "verify",
    "version",
]


# requests is there for those who want a session, and not loaded for the others.
def __getattr__(name: str) -> Any:
    if name == "AttestedSession":
        from ._session import AttestedSession

        return AttestedSession
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
