"""Whether certificates can be used, and for how long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from penstock.core.certificates import ServerCertificate, Validity
from penstock.core.errors import ConfigError
from penstock.runtime.config import Config
from penstock.runtime.finding import Finding, Level

#: A certificate is to be renewed when less than this is left, or a quarter of its time.
RENEW_S = 14 * 86_400.0
DAY_S = 86_400.0
#: Permissions with which everybody may read or change a file.
_FOR_ALL = 0o007


def certificates(config: Config, now_s: float | None = None) -> Iterator[Finding]:
    """Look at the certificates of the front door and of the API, as far as there are any.

    Args:
        config: Says where they are.
        now_s: The time, in seconds since the epoch; the machine's by default.
    """
    now_s = time.time() if now_s is None else now_s
    door, api = config.door.tls, config.api.tls
    if door.certificate:
        yield from _look(
            "MQTT certificate",
            lambda: ServerCertificate(
                door.certificate,
                door.key,
                client_ca=door.client_ca,
                require_client=door.require_client_certificate,
            ),
            now_s,
        )
    if api.certificate:
        yield from _look(
            "HTTPS certificate", lambda: ServerCertificate(api.certificate, api.key), now_s
        )


def _look(what: str, make: Callable[[], ServerCertificate], now_s: float) -> Iterator[Finding]:
    try:
        certificate = make()
        certificate.load()
        validity = certificate.validity()
    except ConfigError as error:
        do = "mend the files or the settings; docs/guides/tls.md shows how"
        yield Finding(what, Level.PROBLEM, str(error), do)
        return
    yield _dates(what, validity, now_s)
    if certificate.key.stat().st_mode & _FOR_ALL:
        found = f"everybody on this machine may read {certificate.key}"
        yield Finding(what, Level.WARNING, found, f"chmod o= {certificate.key}")


def _dates(what: str, validity: Validity, now_s: float) -> Finding:
    left_s = validity.until_s - now_s
    lasts_s = validity.until_s - validity.from_s
    until = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(validity.until_s))
    if now_s < validity.from_s:
        begins = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(validity.from_s))
        do = "set the clock: timedatectl; or wait"
        return Finding(what, Level.PROBLEM, f"is valid from {begins} only", do)
    renew = "renew it; Penstock takes the new files without a restart"
    if left_s <= 0:
        return Finding(what, Level.PROBLEM, f"expired on {until}", renew)
    text = f"valid until {until}, {left_s / DAY_S:.0f} days"
    if left_s < min(RENEW_S, lasts_s / 4):
        return Finding(what, Level.WARNING, text, renew)
    return Finding(what, Level.OK, text)
