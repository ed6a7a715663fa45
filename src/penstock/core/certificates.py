"""A server's certificate and key: read from files, checked, and read again when they change."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from penstock.core.errors import ConfigError

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_SEQUENCE, _UTC_TIME, _GENERALIZED_TIME, _VERSION = 0x30, 0x17, 0x18, 0xA0


@dataclass(frozen=True, slots=True)
class Validity:
    """When a certificate is valid, in seconds since the epoch."""

    from_s: float
    until_s: float


class ServerCertificate:
    """What a TLS server shows, and whom it believes.

    Args:
        certificate: PEM file with the certificate, and behind it those of its issuers.
        key: PEM file with the private key; "" if it is in the certificate's file.
        client_ca: PEM file with the issuers of client certificates; "" to ask for none.
        require_client: Whether a client without a certificate is turned away.
        minimum_version: Oldest TLS version taken, "1.2" or "1.3".

    Raises:
        ConfigError: `require_client` is set without `client_ca`.
    """

    def __init__(
        self,
        certificate: str,
        key: str = "",
        *,
        client_ca: str = "",
        require_client: bool = False,
        minimum_version: str = "1.2",
    ) -> None:
        if require_client and not client_ca:
            raise ConfigError(
                "client certificates are required, but there is no `client_ca` to check them with; "
                "name the PEM file with their issuers"
            )
        self.certificate = Path(certificate).expanduser()
        self.key = Path(key).expanduser() if key else self.certificate
        self.client_ca = Path(client_ca).expanduser() if client_ca else None
        self._require_client = require_client
        self._minimum_version = _VERSIONS[minimum_version]
        self._context: ssl.SSLContext | None = None
        self._seen: tuple[object, ...] = ()

    @property
    def context(self) -> ssl.SSLContext:
        """What new connections are to use; another object after every load.

        Raises:
            ConfigError: As for `load`; only before the first load.
        """
        return self._context or self.load()

    def load(self) -> ssl.SSLContext:
        """Read the files.

        Raises:
            ConfigError: A file cannot be read or does not fit the others; what was loaded before
                stays in use.
        """
        self._seen = self._look()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = self._minimum_version
        context.options |= ssl.OP_NO_RENEGOTIATION
        self.load_into(context)
        if self.client_ca is not None:
            needed = self._require_client
            context.verify_mode = ssl.CERT_REQUIRED if needed else ssl.CERT_OPTIONAL
            try:
                context.load_verify_locations(self.client_ca)
            except (OSError, ValueError) as error:
                raise ConfigError(
                    f"the issuers of client certificates cannot be read from {self.client_ca}: "
                    f"{_reason(error)}; name a readable PEM file"
                ) from error
        self._context = context
        return context

    def load_into(self, context: ssl.SSLContext) -> None:
        """Make a context show this certificate, from the next connection on.

        Raises:
            ConfigError: A file cannot be read, or certificate and key do not fit.
        """
        for file in (self.certificate, self.key):
            _check_readable(file)
        try:
            context.load_cert_chain(self.certificate, self.key, password=self._refuse_password)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"certificate {self.certificate} and key {self.key} cannot be used: "
                f"{_reason(error)}; give a PEM certificate and its unencrypted key"
            ) from error

    def has_changed(self) -> bool:
        """Say whether a file is another one than at the last load, also if that failed."""
        return self._seen != self._look()

    def validity(self) -> Validity:
        """Return when the certificate is valid.

        Raises:
            ConfigError: The file cannot be read or holds no certificate.
        """
        _check_readable(self.certificate)
        try:
            return read_validity(self.certificate.read_text(encoding="ascii", errors="replace"))
        except (ValueError, IndexError) as error:
            raise ConfigError(
                f"{self.certificate} holds no certificate: {error}; give a PEM file"
            ) from error

    def _look(self) -> tuple[object, ...]:
        seen: list[object] = []
        for file in (self.certificate, self.key, self.client_ca):
            if file is None:
                continue
            try:
                stat = file.stat()
            except OSError as error:
                seen.append(error.errno)
            else:
                seen.append((stat.st_ino, stat.st_mtime_ns, stat.st_size))
        return tuple(seen)

    def _refuse_password(self) -> str:
        raise ValueError("the key is encrypted, and nobody could type its password here")


def read_validity(pem: str) -> Validity:
    """Return when the first certificate of a PEM text is valid.

    Raises:
        ValueError: There is none, or it is cut off.
        IndexError: It is cut off.
    """
    begin = pem.find("-----BEGIN CERTIFICATE-----")
    end = pem.find("-----END CERTIFICATE-----", begin)
    if begin < 0 or end < 0:
        raise ValueError("no BEGIN CERTIFICATE and END CERTIFICATE in it")
    der = ssl.PEM_cert_to_DER_cert(pem[begin:end] + "-----END CERTIFICATE-----")
    at, _, _ = _enter(der, 0, _SEQUENCE)  # the certificate
    at, _, _ = _enter(der, at, _SEQUENCE)  # what is signed
    if der[at] == _VERSION:
        at = _enter(der, at)[1]
    for _ in ("serial number", "signature algorithm", "issuer"):
        at = _enter(der, at)[1]
    at, _, _ = _enter(der, at, _SEQUENCE)  # the validity
    start, at, kind = _enter(der, at)
    valid_from = _time(der[start:at], kind)
    start, at, kind = _enter(der, at)
    return Validity(valid_from, _time(der[start:at], kind))


def _enter(der: bytes, at: int, wanted: int | None = None) -> tuple[int, int, int]:
    """Return where the contents of the element at `at` begin and end, and its tag."""
    tag, length = der[at], der[at + 1]
    at += 2
    if length & 0x80:
        size = length & 0x7F
        length = int.from_bytes(der[at : at + size], "big")
        at += size
    if at + length > len(der) or wanted not in (None, tag):
        raise ValueError("it is damaged")
    return at, at + length, tag


def _time(text: bytes, kind: int) -> float:
    if kind not in (_UTC_TIME, _GENERALIZED_TIME):
        raise ValueError("it is damaged")
    digits = text.decode("ascii", errors="replace")
    if kind == _UTC_TIME:  # two digits of the year: 1950 to 2049 (RFC 5280, 4.1.2.5.1)
        digits = ("19" if digits >= "50" else "20") + digits
    return datetime.strptime(digits, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _check_readable(file: Path) -> None:
    try:
        file.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"cannot read {file}: {error.strerror}; name a PEM file that this user may read"
        ) from error


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        words = (error.reason or "").replace("_", " ").lower()
        return words or "it is no PEM file"
    return str(error)
