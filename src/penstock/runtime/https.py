"""The HTTP server's TLS."""

from __future__ import annotations

import asyncio
import logging
import ssl

from penstock.api.settings import ApiTlsSettings
from penstock.core.certificates import ServerCertificate
from penstock.core.errors import ConfigError

_log = logging.getLogger(__name__)

#: Time between looks at the files of the certificate.
LOOK_S = 10.0


class Https:
    """A TLS context that is always up to date.

    Args:
        settings: Which certificate to show; there must be one.

    Raises:
        ConfigError: It cannot be used.
    """

    def __init__(self, settings: ApiTlsSettings) -> None:
        self._certificate = ServerCertificate(
            settings.certificate, settings.key, minimum_version=settings.minimum_version
        )
        #: For the server; stays the same object.
        self.context: ssl.SSLContext = self._certificate.load()

    def reload(self) -> None:
        """Read the certificate again; what cannot be used leaves the old one in use."""
        try:
            self._certificate.load()  # tried out on a context that nobody uses
            self._certificate.load_into(self.context)
        except ConfigError as error:
            _log.error("The certificate in use stays, since the new one is no good: %s", error)
        else:
            _log.info("New connections are shown %s", self._certificate.certificate)

    async def keep_fresh(self) -> None:
        """Take new certificates as they come, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            if self._certificate.has_changed():
                self.reload()
