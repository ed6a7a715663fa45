"""What the door's and the hub's processes share: configuration in, readiness out, clean exit."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import msgspec

from penstock.core.errors import ConfigError, Conflict, PenstockError

#: Exit code of a child whose configuration or surroundings must be mended first (EX_CONFIG).
EXIT_CONFIG = 78


class ChildConfig(Protocol):
    """The part of the configuration that every child needs."""

    @property
    def log_level(self) -> str:
        """What is written to standard error."""
        ...


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """What the supervisor tells a child, as one line of JSON.

    Attributes:
        config: The configuration.
        internal_secret: Known to the children only, and new with each supervisor: by it the door
            knows the platform's own connections.
    """

    config: msgspec.Raw
    internal_secret: str


C = TypeVar("C", bound=ChildConfig)


def run_child(
    name: str, kind: type[C], main: Callable[[C, str, asyncio.Event], Awaitable[None]]
) -> None:
    """Run `main(config, internal_secret, stopping)` as a child of the supervisor, and exit.

    `main` runs until the event is set: by SIGTERM, or because the supervisor is gone.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until, or unless, there is something to reload
    launch = msgspec.json.decode(sys.stdin.buffer.readline(), type=Launch)
    config = msgspec.json.decode(launch.config, type=kind)
    logging.basicConfig(
        level=config.log_level.upper(),
        format=f"%(asctime)s {name} %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    try:
        _run(_until_stopped(main, config, launch.internal_secret))
    except (ConfigError, Conflict) as error:
        _fail(name, error, EXIT_CONFIG)
    except PenstockError as error:
        _fail(name, error, 1)


def say_ready(**about: object) -> None:
    """Tell the supervisor that this process works, and what there is to know about it."""
    sys.stdout.write(f"READY {json.dumps({'pid': os.getpid(), **about})}\n")
    sys.stdout.flush()


def _fail(name: str, error: PenstockError, code: int) -> None:
    sys.stderr.write(f"penstock {name}: {error}\n")
    sys.stderr.flush()
    sys.exit(code)


def _run(main: Awaitable[None]) -> None:
    async def body() -> None:
        await main

    try:
        import uvloop
    except ImportError:
        asyncio.run(body())
    else:
        uvloop.run(body())


async def _until_stopped(
    main: Callable[[C, str, asyncio.Event], Awaitable[None]], config: C, internal_secret: str
) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    pipe = sys.stdin.fileno()

    def watch() -> None:
        if not os.read(pipe, 4096):
            loop.remove_reader(pipe)
            stopping.set()

    loop.add_reader(pipe, watch)
    await main(config, internal_secret, stopping)
