"""The hub's process: the hub, and the HTTP server in front of it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import Iterator

import uvicorn

from penstock.api.app import create_app
from penstock.core.errors import ConfigError
from penstock.runtime.child import run_child, say_ready
from penstock.runtime.config import Config
from penstock.runtime.freed_memory import keep_freed_memory
from penstock.runtime.https import Https
from penstock.runtime.hub import Hub
from penstock.runtime.patient_http import PatientHttp
from penstock.runtime.without_pandas import go_without_pandas

#: Batches make many short-lived objects and no cycles; looking for cycles at Python's default of
#: 700 costs a fifth of decoding.
GC_THRESHOLDS = (50_000, 20, 50)


class Server(uvicorn.Server):
    """An HTTP server that leaves signals to the process and says when it serves."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.serving = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing; `child` handles signals."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve."""
        await super().startup(sockets)
        self.serving.set()


async def main(config: Config, internal_secret: str, stopping: asyncio.Event) -> None:
    """Take in, store and serve until told to stop."""
    go_without_pandas()
    https = Https(config.api.tls) if config.api.tls.certificate else None
    sock = _listen(config)
    hub = await asyncio.to_thread(Hub, config, internal_secret)
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    keep_freed_memory()
    host, port = sock.getsockname()[:2]
    hub.http = f"{'http' if https is None else 'https'}://{host}:{port}"
    hub.start()
    app = create_app(
        store=hub.store,
        catalog=hub.catalog,
        live=hub.ingest.live,
        platform=hub,
        registry=hub.registry,
        settings=config.api,
        identities=hub.identities,
        passwords=hub.passwords,
        fleet=hub.fleet,
        things=hub.things,
        apps=hub.apps.apps,
        alarms=hub.alarms,
        adhoc=hub.apps.questions,
    )
    await app.state.things.resume()
    server = Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            http=PatientHttp,
            # Who comes through a proxy is the proxy: the header can be made up by anybody.
            proxy_headers=False,
            timeout_graceful_shutdown=3,
            server_header=False,
            ssl_context_factory=None if https is None else lambda *_: https.context,
        )
    )
    renewing = None if https is None else _keep_fresh(https)
    serving = asyncio.create_task(server.serve(sockets=[sock]))
    await server.serving.wait()
    say_ready(scheme="http" if https is None else "https", host=host, port=port)
    await asyncio.wait(
        [serving, asyncio.create_task(stopping.wait())], return_when=asyncio.FIRST_COMPLETED
    )
    app.state.context.closing.set()
    server.should_exit = True
    await serving
    if renewing is not None:
        renewing.cancel()
    await hub.close()


def _keep_fresh(https: Https) -> asyncio.Task[None]:
    """Take new certificates as they come, and at once on SIGHUP."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, https.reload)
    return loop.create_task(https.keep_fresh())


def _listen(config: Config) -> socket.socket:
    host, port = config.api.host, config.api.port
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
    except OSError as error:
        msg = (
            f"the web server cannot listen on {host}:{port}: {error}; stop what uses it, or choose "
            "another address with --http HOST:PORT"
        )
        raise ConfigError(msg) from error
    sock.listen(1024)
    sock.setblocking(False)
    return sock


if __name__ == "__main__":
    run_child("hub", Config, main)
