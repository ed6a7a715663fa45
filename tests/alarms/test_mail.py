"""Mail to servers that encrypt, and to those that should not be trusted."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme
from tests.alarms.receivers import Mailbox, mail_server

from penstock.alarms.mail import send_mail
from penstock.alarms.settings import AlarmSettings
from penstock.core.errors import NotConnected

BODY = '{"event":"raise","by":"","comment":"","alarm":{"message":"zu heiß","severity":"high"}}'


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(ca: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process trust the CA of the tests, as an operator would."""
    file = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(file)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))


def context(ca: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert(name).configure_cert(made)
    return made


def send(box: Mailbox, security: str, password: str = "right", to: str = "a@example.com") -> str:
    settings = AlarmSettings(
        smtp_host="127.0.0.1",
        smtp_port=box.port,
        smtp_security=security,
        smtp_user="penstock",
        smtp_password=password,
    )
    return send_mail(to, BODY, "k", settings)


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail_goes_encrypted_and_so_does_the_password(ca: trustme.CA, security: str) -> None:
    with mail_server(security, context(ca), "penstock") as box:
        assert send(box, security) == "taken by the mail server"
        assert len(box.taken) == 1
        plain = {said.split()[0].upper() for is_secret, said in box.said if not is_secret}
        assert plain == ({"EHLO", "STARTTLS"} if security == "starttls" else set())
        with pytest.raises(NotConnected, match=r"refuses `alarms.smtp_user`.*: 535 5.7.8 who are"):
            send(box, security, "wrong")
        with pytest.raises(NotConnected, match=r"nobody@example.com: 550 no such mailbox"):
            send(box, security, to="nobody@example.com")
        assert len(box.taken) == 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_of_nobody_known_is_refused(ca: trustme.CA, security: str) -> None:
    with mail_server(security, context(ca), "penstock") as box:
        with pytest.raises(NotConnected, match=r"its certificate is refused: .*; a CA of your own"):
            send(box, security)
        assert not [said for _, said in box.said if said.startswith(("AUTH", "MAIL"))]


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_of_another_host_is_refused(ca: trustme.CA, security: str) -> None:
    with mail_server(security, context(ca, "mail.example.com"), "penstock") as box:
        with pytest.raises(NotConnected, match=r"certificate is refused: .*IP address mismatch"):
            send(box, security)
        assert not [said for _, said in box.said if said.startswith(("AUTH", "MAIL"))]


def test_a_server_that_cannot_encrypt_gets_neither_password_nor_mail() -> None:
    with mail_server("none", user="penstock") as box:
        with pytest.raises(NotConnected, match=r"STARTTLS.*`alarms.smtp_security` is starttls"):
            send(box, "starttls")
        assert {said.split()[0].upper() for _, said in box.said} <= {"EHLO", "QUIT"}
