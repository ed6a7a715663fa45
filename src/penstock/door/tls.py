"""TLS, as a layer between a connection and its socket.

The event loop's own TLS tells the protocol of a connection only once the handshake is done: until
then nobody counts it, and no bound holds. It also cannot close one side only, so that last words
get lost. Here are the same OpenSSL objects without these two properties.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Any

from penstock.core.certificates import ServerCertificate
from penstock.door.callers import caller_of
from penstock.door.layers import Layer
from penstock.door.mistakes import Mistakes, first_words
from penstock.door.stats import Stats

#: Most bytes that a record holds (RFC 8446, section 5.1).
RECORD_BYTES = 16_384
#: Every TLS connection begins with a record of this type.
HANDSHAKE = 0x16

#: What OpenSSL calls it, and what it means to who set up the client.
_MEANINGS = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "the client showed no certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "the client does not know who issued our certificate",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the client does not believe our certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the client does not believe our certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the client says that our certificate has expired",
    "UNSUPPORTED_PROTOCOL": "the client offers only TLS versions that are too old",
    "NO_SHARED_CIPHER": "the client offers no cipher that is safe enough",
}


class TlsLayer(Layer):
    """One TLS connection, server side.

    Args:
        above: Gets what the client sent, decrypted.
        certificate: What to show, as it is when the client begins.
        mistakes: Where to say why a client did not get through.
        counts: Where such clients are counted.
        max_unread_bytes: As in `Layer`.
    """

    def __init__(
        self,
        above: asyncio.Protocol,
        certificate: ServerCertificate,
        mistakes: Mistakes,
        counts: Stats,
        *,
        max_unread_bytes: int,
    ) -> None:
        super().__init__(above, max_unread_bytes)
        self._certificate = certificate
        self._mistakes = mistakes
        self._counts = counts
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        self._is_open = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what is known of the connection; `ssl_object` once TLS is agreed."""
        if name == "ssl_object" and self._is_open:
            return self._tls
        return super().get_extra_info(name, default)

    def data_received(self, data: bytes) -> None:
        """Decrypt what came, and pass it on in one piece."""
        if self.ended:
            return
        tls = self._tls or self._begin(data)
        if tls is None:
            return
        self._incoming.write(data)
        chunks: list[bytes] = []
        try:
            if not self._is_open:
                tls.do_handshake()
                self._is_open = True
            while chunk := tls.read(RECORD_BYTES):
                chunks.append(chunk)
        except ssl.SSLWantReadError:
            is_over = False
        except ssl.SSLError as error:
            self._fail(error)
            return
        else:
            is_over = True  # the client said goodbye
        self.answer(self._outgoing.read())
        if chunks:
            self.above.data_received(chunks[0] if len(chunks) == 1 else b"".join(chunks))
        if is_over and not self.ended:
            self.close()

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Encrypt and send."""
        tls = self._tls
        if self.ended or tls is None:
            return
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[tls.write(rest) :]
        except ssl.SSLError:
            self.abort()
            return
        self.below.write(self._outgoing.read())

    def say_goodbye(self) -> None:
        """Tell the client that nothing was cut off."""
        if self._tls is None or not self._is_open:
            return
        with contextlib.suppress(ssl.SSLError):  # the client's own goodbye is not waited for
            self._tls.unwrap()
        self.below.write(self._outgoing.read())

    def _begin(self, data: bytes) -> ssl.SSLObject | None:
        if data[0] != HANDSHAKE:
            words = first_words(data)
            self._mistakes.report(
                "plain", f"{caller_of(self.below).who} spoke {words} to a port that wants TLS"
            )
            self.abort()
            return None
        context = self._certificate.context
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        return self._tls

    def _fail(self, error: ssl.SSLError) -> None:
        """End a connection that broke TLS; OpenSSL has written what the client must be told."""
        if not self._is_open:
            self._counts.handshake_failures += 1
            name = error.reason or "unknown"
            why = getattr(error, "verify_message", "") or _MEANINGS.get(name, "TLS was not agreed")
            who = caller_of(self.below).who
            self._mistakes.report("tls", f"{who} did not get in: {why} ({name})")
        self.answer(self._outgoing.read())
        self._is_open = False  # no other goodbye than this
        self.end_soon()
