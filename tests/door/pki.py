"""A certificate authority of a test's own, and what it issued, as files."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass
class Pki:
    """Issues certificates into a folder."""

    folder: Path
    authority: trustme.CA

    @property
    def ca(self) -> str:
        """PEM file with the authority's certificate."""
        file = self.folder / "ca.pem"
        self.authority.cert_pem.write_to_path(str(file))
        return str(file)

    def server(self, *names: str, stem: str = "server") -> dict[str, str]:
        """Issue a server's certificate; return it as settings."""
        return self._write(self.authority.issue_cert(*(names or ("localhost", "127.0.0.1"))), stem)

    def client(self, name: str | None, *alternatives: str, stem: str = "client") -> dict[str, str]:
        """Issue a client's certificate with this common name."""
        issued = self.authority.issue_cert(
            *(alternatives or ("device@example.org",)), common_name=name
        )
        return self._write(issued, stem)

    def trusting(self, client: dict[str, str] | None = None) -> ssl.SSLContext:
        """Return what a client uses that believes this authority."""
        context = ssl.create_default_context(cafile=self.ca)
        if client is not None:
            context.load_cert_chain(client["certificate"], client["key"])
        return context

    def _write(self, issued: trustme.LeafCert, stem: str) -> dict[str, str]:
        key, certificate = self.folder / f"{stem}.key", self.folder / f"{stem}.pem"
        issued.private_key_pem.write_to_path(str(key))
        certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        return {"certificate": str(certificate), "key": str(key)}


def new_pki(folder: Path) -> Pki:
    """Found an authority."""
    folder.mkdir(parents=True, exist_ok=True)
    return Pki(folder, trustme.CA())
