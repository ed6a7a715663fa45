"""Real receivers of notifications: an HTTP server and a mail server on loopback."""

from __future__ import annotations

import socketserver
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
            assert self.came.wait_for(lambda: len(self.got) >= count, 30)

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


@contextmanager
def mail_server() -> Iterator[tuple[int, list[str]]]:
    """Give the port of a mail server (RFC 5321, what a client needs of it) and what it took."""
    taken: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            for line in self.rfile:
                verb = line.split()[0].upper() if line.split() else b""
                if verb == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    parts = []
                    for part in self.rfile:
                        if part == b".\r\n":
                            break
                        parts.append(part)
                    taken.append(b"".join(parts).decode())
                elif verb == b"QUIT":
                    self.wfile.write(b"221 bye\r\n")
                    return
                elif b"nobody@" in line:
                    self.wfile.write(b"550 no such mailbox\r\n")
                    continue
                self.wfile.write(b"250 ok\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1], taken
        finally:
            server.shutdown()
