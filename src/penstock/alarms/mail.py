"""Mail about alarms, by the mail server of the settings."""

from __future__ import annotations

import re
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate
from typing import Any

import msgspec

from penstock.alarms.settings import AlarmSettings
from penstock.core.errors import InvalidInput, NotConnected

_ADDRESS = re.compile(r"[^\s@<>,;\"\\]{1,64}@[^\s@<>,;\"\\]{1,255}")
#: How long the mail server may take for each step, in seconds.
TIMEOUT_S = 30.0


def addresses(text: str) -> list[str]:
    """Return the mail addresses of a list separated by commas.

    Raises:
        InvalidInput: One of them is none.
    """
    found = [part.strip() for part in text.split(",") if part.strip()]
    for one in found:
        if not _ADDRESS.fullmatch(one) or not one.isascii():
            msg = f"{one[:100]!r} is not a mail address; write name@example.com"
            raise InvalidInput(msg)
    if not found:
        msg = "a mail target needs an address"
        raise InvalidInput(msg)
    return found


def send_mail(to: str, body: str, key: str, settings: AlarmSettings) -> str:
    """Send mail about an alarm and return what the server said.

    Raises:
        InvalidInput: There is no mail server, or it refuses the addresses for good.
        NotConnected: It was not taken this time.
    """
    if not settings.smtp_host:
        msg = "there is no mail server; set `alarms.smtp_host`"
        raise InvalidInput(msg)
    message = _message(to, msgspec.json.decode(body), key, settings)
    try:
        with _server(settings) as server:
            if settings.smtp_user:
                server.login(settings.smtp_user, settings.smtp_password)
            refused = server.send_message(message, settings.smtp_from, addresses(to))
    except (OSError, smtplib.SMTPException) as error:
        msg = f"{settings.smtp_host}: {_said(error)}"
        raise NotConnected(msg) from error
    return f"taken, but not for {', '.join(refused)}" if refused else "taken by the mail server"


def _said(error: Exception) -> str:
    """Return what went wrong with a mail server, for people."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        answers = (f"{to}: {_answer(*said)}" for to, said in error.recipients.items())
        return f"it refuses the addresses: {'; '.join(answers)}"
    if isinstance(error, smtplib.SMTPAuthenticationError):
        said = _answer(error.smtp_code, error.smtp_error)
        return f"it refuses `alarms.smtp_user` and `alarms.smtp_password`: {said}"
    if isinstance(error, smtplib.SMTPResponseException):
        return _answer(error.smtp_code, error.smtp_error)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return f"{error} `alarms.smtp_security` is starttls, tls or none."
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is refused: {error.verify_message}; a CA of your own is named by "
            "the environment variable SSL_CERT_FILE"
        )
    if isinstance(error, ssl.SSLError | smtplib.SMTPServerDisconnected):
        why = getattr(error, "reason", None) or str(error)
        return f"{why}; does `alarms.smtp_port` fit `alarms.smtp_security`?"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _answer(code: int, text: bytes | str) -> str:
    said = text.decode(errors="replace") if isinstance(text, bytes) else text
    return f"{code} {' '.join(said.split())}"


def _server(settings: AlarmSettings) -> smtplib.SMTP:
    where = (settings.smtp_host, settings.smtp_port)
    if settings.smtp_security == "tls":
        return smtplib.SMTP_SSL(*where, timeout=TIMEOUT_S, context=ssl.create_default_context())
    server = smtplib.SMTP(*where, timeout=TIMEOUT_S)
    if settings.smtp_security == "starttls":
        try:
            server.starttls(context=ssl.create_default_context())
        except (OSError, smtplib.SMTPException):
            server.close()
            raise
    return server


def _message(to: str, document: dict[str, Any], key: str, settings: AlarmSettings) -> EmailMessage:
    alarm = document.get("alarm") or {}
    event = document.get("event", "")
    message = EmailMessage()
    message["From"] = settings.smtp_from
    message["To"] = ", ".join(addresses(to))
    title = f"[{str(alarm.get('severity', 'test')).upper()}] {event}: {alarm.get('message', '')}"
    # A line break would begin another header.
    message["Subject"] = " ".join(title.split())[:250]
    message["Date"] = formatdate(localtime=False, usegmt=True)
    message["Message-ID"] = f"<{key}@penstock>"
    lines = [str(alarm.get("message", "This is a test.")), ""]
    lines += [
        f"{name}: {alarm[name]}"
        for name in ("rule", "subject", "severity", "state", "occurrences")
        if name in alarm
    ]
    lines += [f"{name}: {value}" for name, value in (alarm.get("values") or {}).items()]
    if document.get("comment"):
        lines.append(f"comment: {document['comment']}")
    message.set_content("\n".join(lines))
    return message
