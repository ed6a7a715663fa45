"""Keeps the door and the hub running, each in a process of its own.

The supervisor loads little and does little, so that it has few reasons to fail. It gives each
child its configuration on standard input and keeps that pipe open: when the pipe ends, the
supervisor is gone and the child shuts down. A child says on standard output that it is ready.
A child that fails is started again after a pause that doubles; one that fails for a reason that
a restart cannot mend (exit code 78) ends the platform.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import signal
import sys
from collections.abc import Callable, Mapping

import msgspec

from penstock.core.errors import PenstockError
from penstock.runtime.child import EXIT_CONFIG, Launch

#: Pauses before a failed child is started again, in seconds: the first, and the longest.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 10.0
#: A child that ran longer than this, in seconds, counts as having started well.
STABLE_S = 30.0
#: Time that a child has to shut down before it is killed, in seconds.
SHUTDOWN_S = 20.0
#: The children by name, in the order in which they start and stop.
CHILDREN = {"door": "penstock.runtime.door_process", "hub": "penstock.runtime.hub_process"}

#: What a child says of itself when it is ready: addresses, process id.
About = Mapping[str, object]


class CannotStart(PenstockError):
    """Raised when a child says that it cannot start; it has said why on standard error."""

    code = "cannot-start"


class Supervisor:
    """Runs the children until it is told to stop.

    Args:
        config: The configuration as JSON text, handed to each child.
        on_ready: Called once, when all children are ready, with what each said of itself.
    """

    def __init__(self, config: bytes, on_ready: Callable[[Mapping[str, About]], None]) -> None:
        #: Lets the platform's own processes in at the door, until the platform ends.
        self.internal_secret = secrets.token_urlsafe(32)
        launch = Launch(config=msgspec.Raw(config), internal_secret=self.internal_secret)
        self._launch = msgspec.json.encode(launch)
        self._on_ready = on_ready
        self._announced = False
        self._ready: dict[str, About] = {}
        self._stopping = asyncio.Event()
        self._processes: dict[str, asyncio.subprocess.Process] = {}

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT, then shut the children down in order.

        SIGHUP makes the children read their certificates again; in a terminal it means that the
        terminal is gone, and ends the platform.

        Raises:
            CannotStart: A child said that starting it again is no use.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        in_terminal = sys.stdin is not None and sys.stdin.isatty()
        hangup = self._stopping.set if in_terminal else self._reload
        loop.add_signal_handler(signal.SIGHUP, hangup)
        keepers = [asyncio.create_task(self._keep(name)) for name in CHILDREN]
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait([*keepers, stopping], return_when=asyncio.FIRST_COMPLETED)
        self._stopping.set()
        for name in CHILDREN:
            await self._stop(name)
        await stopping
        results = await asyncio.gather(*keepers, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    def _reload(self) -> None:
        for name in self._ready:
            process = self._processes[name]
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(signal.SIGHUP)

    async def _keep(self, name: str) -> None:
        loop = asyncio.get_running_loop()
        pause = FIRST_PAUSE_S
        while not self._stopping.is_set():
            started = loop.time()
            code = await self._run_once(name)
            if self._stopping.is_set():
                return
            if code == EXIT_CONFIG:
                msg = f"the {name} cannot start; what must be mended is said above"
                raise CannotStart(msg)
            if loop.time() - started > STABLE_S:
                pause = FIRST_PAUSE_S
            sys.stderr.write(f"penstock: the {name} ended ({code}); starting it again\n")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    async def _run_once(self, name: str) -> int:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            CHILDREN[name],
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            # Ctrl-C in a terminal reaches the whole group; only the supervisor acts on it.
            start_new_session=True,
        )
        self._processes[name] = process
        if self._stopping.is_set():  # it was told to stop while this one was being started
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        if process.stdin is None or process.stdout is None:
            msg = "a child was started without pipes"
            raise AssertionError(msg)
        with contextlib.suppress(ConnectionError):
            process.stdin.write(self._launch + b"\n")
            await process.stdin.drain()
        while line := await _line(process.stdout):
            if line.startswith(b"READY "):
                self._hear(name, json.loads(line[6:]))
            else:
                sys.stdout.write(line.decode(errors="replace"))
        return await process.wait()

    def _hear(self, name: str, said: About) -> None:
        self._ready[name] = said
        if not self._announced and self._ready.keys() == CHILDREN.keys():
            self._announced = True
            self._on_ready(self._ready)

    async def _stop(self, name: str) -> None:
        process = self._processes.get(name)
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), SHUTDOWN_S)
        except TimeoutError:
            sys.stderr.write(f"penstock: the {name} did not shut down in time; killing it\n")
            process.kill()
            await process.wait()


async def _line(stream: asyncio.StreamReader) -> bytes:
    """Return the next line; of one that is too long, only that there was one."""
    try:
        return await stream.readline()
    except ValueError:
        return b"(a line was too long to show)\n"
