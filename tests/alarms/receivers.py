"""Real receivers of notifications: an HTTP server and a mail server on loopback."""

from __future__ import annotations

import base64
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class WebhookReceiver:
    """Keeps what it is sent; answers with the statuses given, then 200."""

    def __init__(self, statuses: list[int]) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.came = threading.Condition()
        self.statuses = statuses
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with receiver.came:
                    status = receiver.statuses.pop(0) if receiver.statuses else 200
                    receiver.got.append((dict(self.headers), body))
                    receiver.came.notify_all()
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def wait(self, count: int) -> None:
        with self.came:
            assert self.came.wait_for(lambda: len(self.got) >= count, 90)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def webhook(*statuses: int) -> Iterator[WebhookReceiver]:
    receiver = WebhookReceiver(list(statuses))
    try:
        yield receiver
    finally:
        receiver.close()


class Mailbox:
    """What a mail server took.

    Attributes:
        port: Where it listens.
        taken: The messages.
        said: What clients said, line by line, each with whether it came encrypted.
    """

    def __init__(self) -> None:
        self.port = 0
        self.taken: list[str] = []
        self.said: list[tuple[bool, str]] = []


class _Mail(socketserver.StreamRequestHandler):
    """One connection: RFC 5321 with STARTTLS (RFC 3207) and AUTH PLAIN, what a client needs."""

    server: MailServer

    def handle(self) -> None:
        self.is_secret, self.has_signed_in = False, not self.server.password
        if self.server.security == "tls" and not self.encrypt():
            return
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            self.server.box.said.append((self.is_secret, line.decode().strip()))
            verb = line.split()[0].upper() if line.split() else b""
            answer = self.answer(verb, line)
            if answer is None:
                return
            self.wfile.write(answer)

    def answer(self, verb: bytes, line: bytes) -> bytes | None:
        if verb == b"EHLO":
            return self.offers()
        if verb == b"STARTTLS":
            self.wfile.write(b"220 go on\r\n")
            return b"" if self.encrypt() else None
        if verb == b"AUTH":
            self.has_signed_in = line.split()[2].decode() == self.server.password
            return b"235 ok\r\n" if self.has_signed_in else b"535 5.7.8 who are you?\r\n"
        if verb == b"DATA":
            self.wfile.write(b"354 go on\r\n")
            self.server.box.taken.append(self.message())
        if verb == b"QUIT":
            self.wfile.write(b"221 bye\r\n")
            return None
        if verb == b"MAIL" and not self.has_signed_in:
            return b"530 5.7.0 sign in first\r\n"
        return b"550 no such mailbox\r\n" if b"nobody@" in line else b"250 ok\r\n"

    def encrypt(self) -> bool:
        context = self.server.context
        assert context is not None
        self.rfile.close()
        try:
            self.request = context.wrap_socket(self.request, server_side=True)
        except OSError:
            return False  # The client does not trust it.
        self.rfile = self.request.makefile("rb")
        self.wfile = self.request.makefile("wb", 0)
        self.is_secret = True
        return True

    def finish(self) -> None:
        self.rfile.close()
        self.wfile.close()
        # What is encrypted is another socket than the one that the server closes.
        self.request.close()

    def offers(self) -> bytes:
        some = [b"here"]
        some += [b"STARTTLS"] if self.server.security == "starttls" and not self.is_secret else []
        some += [b"AUTH PLAIN"] if self.server.password else []
        marks = [b"-"] * (len(some) - 1) + [b" "]
        return b"".join(b"250%s%s\r\n" % pair for pair in zip(marks, some, strict=True))

    def message(self) -> str:
        parts = []
        for part in self.rfile:
            if part == b".\r\n":
                break
            parts.append(part)
        return b"".join(parts).decode()


class MailServer(socketserver.ThreadingTCPServer):
    """A mail server; see `mail_server`."""

    def __init__(self, security: str, context: ssl.SSLContext | None, user: str) -> None:
        self.security, self.context, self.box = security, context, Mailbox()
        plain = f"\0{user}\0right".encode()
        self.password = base64.b64encode(plain).decode() if user else ""
        super().__init__(("127.0.0.1", 0), _Mail)


@contextmanager
def mail_server(
    security: str = "none", context: ssl.SSLContext | None = None, user: str = ""
) -> Iterator[Mailbox]:
    """Run a mail server and give what it took.

    Args:
        security: none, starttls or tls.
        context: Its certificate.
        user: Who may sign in, and must, with the password `right`.
    """
    with MailServer(security, context, user) as server:
        server.box.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.box
        finally:
            server.shutdown()
