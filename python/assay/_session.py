# SPDX-License-Identifier: Apache-2.0
"""An attested session for requests: what is sent goes to a machine that was verified, or nowhere."""

from __future__ import annotations

import hashlib
import http.client
import os
import ssl
import threading
import time
import urllib.parse
from typing import Any, Optional, Union

import requests
import requests.adapters

from ._verify import CouldNot, Policy, Refusal, Refused, Verdict
from ._version import VERSION

PROOF_PATH = "/.well-known/assay/proof"

#: What the library takes; a proof of a base image is far below.
_MAX_PROOF = 8 << 20
#: A busy server says when to come back (503, Retry-After); it is believed so often, and within the timeout.
_MAX_TRIES = 6
_NONCE_BYTES = 32

# X509_V_FLAG_NO_CHECK_TIME: the proof is fresh, which the dates of the certificate cannot add to.
_NO_CHECK_TIME = 0x200000
# X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
_NAME_ERRORS = (62, 64)


def _context(certificate: Optional[bytes], any_name: bool) -> ssl.SSLContext:
    """Takes this certificate (DER) and no other, with its name; None: any, to find out which."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = certificate is not None and not any_name
    if certificate is None:
        context.verify_mode = ssl.CERT_NONE
    else:
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
        context.load_verify_locations(cadata=certificate)
    return context


class _PinnedAdapter(requests.adapters.HTTPAdapter):
    """Connections to servers with one very certificate; checked in each handshake, before anything is sent."""

    def __init__(self, certificate: bytes) -> None:
        # The name has been checked with the certificate; urllib3 does not when it is given a fingerprint.
        self._certificate = certificate
        super().__init__()

    # What requests itself would do: not all of it is in its type hints, or in each of its releases.
    def _plain(self) -> Any:
        return super()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["ssl_context"] = _context(self._certificate, True)
        kwargs["assert_fingerprint"] = hashlib.sha256(self._certificate).hexdigest()
        return self._plain().init_poolmanager(*args, **kwargs)

    # requests would add the public CAs, or take the checks away.
    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        self._plain().cert_verify(conn, url, False, cert)
        conn.cert_reqs = "CERT_REQUIRED"

    # The same, of requests from 2.32 on.
    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        host, pool = self._plain().build_connection_pool_key_attributes(request, False, cert)
        pool["cert_reqs"] = "CERT_REQUIRED"
        return host, pool

    def proxy_manager_for(self, proxy: Any, **kwargs: Any) -> Any:
        raise requests.exceptions.InvalidProxyURL("an attested session goes through no proxy")


class AttestedSession(requests.Session):
    """A requests.Session with one server, which has to prove itself first.

    At the first request, or by attest(), the server is asked for a proof over a fresh nonce. It is verified together
    with the certificate of the connection that it came through, and from then on each connection has to be with that
    very certificate; no public CA is asked. Nothing of a request is sent before. `max_age` seconds later the server has
    to prove itself again. Other origins are refused, redirects to them too; so are proxies.

    url:      "https://HOST[:PORT]"
    any_name: the host name need not be in the certificate
    timeout:  seconds for a proof, with all waiting

    Raises Refused (its verdict is in it), CouldNot, and what requests raises; requests.exceptions.SSLError when the
    server has another certificate than the one that was verified.
    """

    def __init__(
        self,
        url: str,
        policy: Policy,
        *,
        any_name: bool = False,
        max_age: float = 3600.0,
        timeout: float = 60.0,
    ) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "https":
            raise ValueError(f"{url}: https is what can be attested")
        if not parts.hostname or parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc:
            raise ValueError(f"{url}: https://HOST[:PORT] is wanted")
        super().__init__()
        self.trust_env = False
        self._host = parts.hostname
        self._port = parts.port or 443
        self._netloc = parts.netloc
        self._policy = policy
        self._any_name = any_name
        self._max_age = max_age
        self._timeout = timeout
        self._attesting = threading.RLock()
        self._attested: Optional[float] = None
        #: The verdict in force, and the certificate (DER) that connections are held to.
        self.verdict: Optional[Verdict] = None
        self.certificate: Optional[bytes] = None
        self._unmount()

    def attest(self) -> Verdict:
        """Have the server prove itself now. What is not verified is raised, and then no request goes out."""
        with self._attesting:
            self._unmount()
            certificate, proof, nonce = self._fetch()
            verdict = self._policy.verify(proof, nonce=nonce, peer=certificate)
            adapter = _PinnedAdapter(certificate)
            for origin in self._origins():
                self.mount(origin, adapter)
            self.verdict = verdict
            self.certificate = certificate
            self._attested = time.monotonic()
            return verdict

    def send(self, request: Any, **kwargs: Any) -> Any:
        with self._attesting:
            if self._attested is None or time.monotonic() - self._attested >= self._max_age:
                self.attest()
        return super().send(request, **kwargs)

    def _origins(self) -> list[str]:
        host = self._netloc.rpartition(":")[0] if self._netloc.rpartition(":")[2].isdigit() else self._netloc
        return [f"https://{host}:{self._port}/"] + ([f"https://{host}/"] if self._port == 443 else [])

    def _unmount(self) -> None:
        old = list(self.adapters.values())
        self.adapters.clear()
        self._attested = self.verdict = self.certificate = None
        for adapter in old:
            adapter.close()

    def _connect(self, certificate: Optional[bytes], deadline: float) -> http.client.HTTPSConnection:
        connection = http.client.HTTPSConnection(
            self._host,
            self._port,
            timeout=_remaining(deadline),
            context=_context(certificate, self._any_name),
        )
        try:
            connection.connect()
        except BaseException:
            connection.close()
            raise
        return connection

    def _peer(self, deadline: float) -> bytes:
        connection = self._connect(None, deadline)
        try:
            der: Optional[bytes] = connection.sock.getpeercert(True)
        finally:
            connection.close()
        if not der:
            raise CouldNot(f"{self._netloc}: a server without a certificate")
        return der

    def _fetch(self) -> tuple[bytes, bytes, bytes]:
        """Certificate (DER), proof, and the nonce that it was asked with; both of one connection."""
        deadline = time.monotonic() + self._timeout
        for _ in range(_MAX_TRIES):
            answer = self._try(deadline)
            if not isinstance(answer, int):
                return answer
            if answer >= deadline - time.monotonic():
                break
            time.sleep(max(answer, 0.1))
        raise CouldNot(f"{self._netloc}: busy")

    def _try(self, deadline: float) -> Union[int, tuple[bytes, bytes, bytes]]:
        """The same, or after how many seconds to try again."""
        try:
            # Which certificate, first; then a connection that can be of that one alone, and whose name is checked.
            certificate = self._peer(deadline)
            connection = self._connect(certificate, deadline)
            try:
                nonce = os.urandom(_NONCE_BYTES)
                answer = self._ask(connection, nonce, deadline)
                return answer if isinstance(answer, int) else (certificate, answer, nonce)
            finally:
                connection.close()
        except ssl.SSLCertVerificationError as e:
            if e.verify_code in _NAME_ERRORS:
                raise _wrong_name(self._host) from e
            raise CouldNot(f"{self._netloc}: {e.verify_message}") from e
        except (OSError, http.client.HTTPException) as e:
            raise CouldNot(f"{self._netloc}: {e or type(e).__name__}") from e

    def _ask(self, connection: http.client.HTTPSConnection, nonce: bytes, deadline: float) -> Union[int, bytes]:
        connection.request(
            "GET",
            f"{PROOF_PATH}?nonce={nonce.hex()}",
            headers={"Accept": "application/json", "User-Agent": f"python-assay/{VERSION}"},
        )
        response = connection.getresponse()
        body = self._read(connection, response, deadline)
        if response.status == 200:
            return body
        wait = response.getheader("Retry-After", "1")
        if response.status == 503 and wait.isascii() and wait.isdigit() and len(wait) < 9:
            return int(wait)
        raise CouldNot(f"{self._netloc}: no proof: {response.status} {response.reason}")

    def _read(self, connection: http.client.HTTPSConnection, response: Any, deadline: float) -> bytes:
        body = bytearray()
        while True:
            if connection.sock:
                connection.sock.settimeout(_remaining(deadline))
            piece = response.read1(1 << 16)
            body += piece
            if len(body) > _MAX_PROOF:
                raise CouldNot(f"{self._netloc}: a proof of more than {_MAX_PROOF} bytes")
            if not piece:
                return bytes(body)


def _remaining(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("no proof in time")
    return left


def _wrong_name(host: str) -> Refused:
    refusal = Refusal("host-name", f"the certificate is not for {host}")
    return Refused(Verdict(False, str(refusal), None, None, (refusal,), {}))
