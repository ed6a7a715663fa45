"""What is known of a client before it says who it is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: Longest name taken from a certificate, in UTF-8 bytes.
MAX_NAME_BYTES = 256


@dataclass(frozen=True, slots=True)
class Caller:
    """The other end, as its transport knows it.

    Attributes:
        address: IP address; "" if not known.
        encrypted: Whether nobody on the way can read or change anything.
        certificate_name: Name in the client certificate, which was checked; None without one, and
            for one in which no name can be found.
    """

    address: str = ""
    encrypted: bool = False
    certificate_name: str | None = None

    @property
    def who(self) -> str:
        """What to call it in a message."""
        return f"a client at {self.address}" if self.address else "a client"


def caller_of(transport: asyncio.BaseTransport) -> Caller:
    """Return what a transport knows."""
    peer = transport.get_extra_info("peername")
    address = str(peer[0]) if peer else ""
    tls = transport.get_extra_info("ssl_object")
    if tls is None:
        return Caller(address)
    return Caller(address, True, name_in(tls.getpeercert() or {}))


def name_in(certificate: Mapping[str, Any]) -> str | None:
    """Return the name in a certificate as `ssl` shows it.

    That is its common name if it has one and only one, else its first DNS name, e-mail address or
    URI. A name with control characters or of absurd length is none.
    """
    common = [
        value
        for part in certificate.get("subject", ())
        for key, value in part
        if key == "commonName"
    ]
    others = [
        value
        for kind in ("DNS", "email", "URI")
        for key, value in certificate.get("subjectAltName", ())
        if key == kind
    ]
    found = common if len(common) == 1 else ([] if common else others[:1])
    if not found or not found[0].isprintable() or not found[0].strip():
        return None
    name = str(found[0])
    return name if len(name.encode(errors="replace")) <= MAX_NAME_BYTES else None
