"""A server's certificate: dates read without a library, bad files refused, new ones noticed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.certificates import ServerCertificate, read_validity
from penstock.core.errors import ConfigError

KEY = ec.generate_private_key(ec.SECP256R1())
whole_seconds = st.datetimes(datetime(1950, 1, 1), datetime(2200, 1, 1)).map(  # noqa: DTZ001
    lambda at: at.replace(microsecond=0, tzinfo=UTC)
)


def issue(begins: datetime, ends: datetime, name: str = "a", serial: int = 1) -> str:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(subject, subject, KEY.public_key(), serial, begins, ends)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


@given(
    whole_seconds,
    st.timedeltas(timedelta(0), timedelta(days=365_000)),
    st.text("abc", min_size=1, max_size=60),
    st.integers(1, 2**158),
)
def test_dates_are_those_that_the_library_wrote(
    begins: datetime, lasts: timedelta, name: str, serial: int
) -> None:
    ends = begins + lasts
    validity = read_validity("text before it\n" + issue(begins, ends, name, serial))
    assert validity.from_s == begins.timestamp()
    assert validity.until_s == ends.replace(microsecond=0).timestamp()


@given(st.integers(0, 10_000), st.sampled_from(["", "A", "/", "\n"]))
def test_a_damaged_certificate_is_an_error_or_has_dates(place: int, instead: str) -> None:
    pem = issue(datetime(2020, 1, 1, tzinfo=UTC), datetime(2050, 1, 1, tzinfo=UTC))
    at = place % len(pem)
    damaged = pem[:at] + instead + pem[at + 1 :]
    try:
        validity = read_validity(damaged)
    except (ValueError, IndexError):
        return
    assert isinstance(validity.until_s, float)


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def write(folder: Path, issued: trustme.LeafCert) -> tuple[Path, Path]:
    certificate, key = folder / "c.pem", folder / "k.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(str(key))
    return certificate, key


def test_certificate_and_key_may_share_a_file(tmp_path: Path, authority: trustme.CA) -> None:
    file = tmp_path / "both.pem"
    authority.issue_cert("a.example").private_key_and_cert_chain_pem.write_to_path(str(file))
    assert ServerCertificate(str(file)).load()


def test_a_load_that_fails_keeps_what_was_loaded_and_is_noticed_once(
    tmp_path: Path, authority: trustme.CA
) -> None:
    certificate, key = write(tmp_path, authority.issue_cert("a.example"))
    loaded = ServerCertificate(str(certificate), str(key))
    context = loaded.load()
    assert not loaded.has_changed()
    certificate.unlink()
    assert loaded.has_changed()
    with pytest.raises(ConfigError, match="No such file"):
        loaded.load()
    assert loaded.context is context
    assert not loaded.has_changed()
    write(tmp_path, authority.issue_cert("b.example"))
    assert loaded.has_changed()
    assert loaded.load() is not context


def test_a_symbolic_link_that_points_elsewhere_is_noticed(
    tmp_path: Path, authority: trustme.CA
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, authority.issue_cert("a.example"))
    live = tmp_path / "live"
    live.symlink_to("one")
    loaded = ServerCertificate(str(live / "c.pem"), str(live / "k.pem"))
    loaded.load()
    (tmp_path / "new").symlink_to("two")
    (tmp_path / "new").replace(live)
    assert loaded.has_changed()


def test_what_cannot_be_used_says_why(tmp_path: Path, authority: trustme.CA) -> None:
    certificate, key = write(tmp_path, authority.issue_cert("a.example"))
    other = tmp_path / "other"
    other.mkdir()
    _, foreign_key = write(other, authority.issue_cert("b.example"))
    locked = tmp_path / "locked.pem"
    locked.write_bytes(
        KEY.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    for first, second, why in (
        (certificate, foreign_key, "key values mismatch"),
        (certificate, locked, "the key is encrypted"),
        (text, key, "it is no PEM file|no start line"),
        (tmp_path, key, "Is a directory"),
        (certificate, tmp_path / "absent", "No such file"),
    ):
        with pytest.raises(ConfigError, match=why):
            ServerCertificate(str(first), str(second)).load()
    with pytest.raises(ConfigError, match="issuers of client certificates"):
        ServerCertificate(str(certificate), str(key), client_ca=str(text)).load()
    with pytest.raises(ConfigError, match="no BEGIN CERTIFICATE"):
        ServerCertificate(str(text)).validity()
