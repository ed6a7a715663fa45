"""A PostgreSQL server for the tests: private, thrown away, on a socket in a temporary folder.

One server runs for a whole process of tests, started when the first test asks for it; each test has
a database of its own. Texts sort by English rules there, as on many servers, so that what relies on
the order of code points without saying so fails. Nothing is synced to the disk.

    def test_it(postgres_url: str) -> None: ...                      # an empty database
    def test_it(postgres_server: PostgresServer) -> None:
        url = postgres_server.new_database()                         # as many as one likes
    def test_it(own_postgres_server: PostgresServer) -> None:
        own_postgres_server.kill()                                   # one that may be ended

Without PostgreSQL 15 or newer on the machine, such tests are skipped; in CI they fail.
"""

from __future__ import annotations

import atexit
import functools
import itertools
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self
from urllib.parse import quote

import pytest

#: The oldest version that Penstock is tested with.
OLDEST = 15

#: How long a server may take to start or to stop.
PATIENCE_S = 90

#: For tests only: what is lost in a power cut was worth nothing.
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "400",
    "shared_buffers": "32MB",
    "max_wal_size": "256MB",
    "timezone": "Asia/Kathmandu",  # what relies on UTC without saying so fails
    "log_min_messages": "warning",
}


class PostgresServer:
    """A server that runs.

    Args:
        settings: Of `postgresql.conf`, in place of or besides those here.
    """

    def __init__(self, settings: dict[str, str] | None = None) -> None:
        self._programs = _programs()
        self._folder = Path(tempfile.mkdtemp(prefix="penstock-pg-"))
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._settings = _SETTINGS | (settings or {})
        if os.geteuid() == 0:
            shutil.chown(self._folder, "postgres", "postgres")
        self._run(
            "initdb", "--no-sync", "--username=penstock", "--auth=trust", "--encoding=UTF8",
            "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en", "-D", self.data,
        )  # fmt: skip
        self.start()

    @property
    def data(self) -> str:
        """The folder of its files."""
        return str(self._folder / "data")

    @property
    def log(self) -> Path:
        """What the server writes."""
        return self._folder / "log"

    def url(self, database: str = "postgres", *, user: str = "penstock", password: str = "") -> str:
        """Return the address of a database."""
        who = f"{quote(user)}:{quote(password)}" if password else quote(user)
        return f"postgresql://{who}@/{database}?host={quote(str(self._folder), safe='')}"

    def new_database(self, template: str | None = None) -> str:
        """Make a database, empty or a copy of another one by name, and return its address."""
        name = f"test_{next(self._numbers)}"
        self.sql(f'CREATE DATABASE "{name}" TEMPLATE "{template or "template1"}"')
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Remove a database, whoever is still connected to it."""
        self.sql(f'DROP DATABASE IF EXISTS "{name_of(url)}" WITH (FORCE)')

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run a statement as the server's administrator and return what psql prints."""
        return self._run(
            "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", self.url(database),
            "-c", statement,
        )  # fmt: skip

    def dump(self, url: str) -> bytes:
        """Return everything in a database, as `pg_dump` writes it."""
        return self._run("pg_dump", "-d", url).encode()

    def start(self) -> None:
        """Start it, and return when it answers."""
        options = [f"-c{name}={value}" for name, value in self._settings.items()]
        command = ["postgres", "-D", self.data, "-k", str(self._folder), *options]
        with self.log.open("ab") as log:
            # Should the tests be killed, it goes with them.
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "INT", *self._as_user(), *self._command(*command)],
                stdout=log,
                stderr=log,
                cwd="/",
            )
        deadline = time.monotonic() + PATIENCE_S
        ready = [*self._command("pg_isready", "-q", "-h", str(self._folder))]
        while subprocess.run(ready, check=False).returncode != 0:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL does not start: {self.log.read_text()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop it; connections end. Safe to call twice."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Stop it as a crash does: connections end, and it recovers when it starts again."""
        self._end(signal.SIGQUIT)

    def close(self) -> None:
        """Stop it and remove its files."""
        self._end(signal.SIGQUIT)
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.send_signal(how)
            process.wait(PATIENCE_S)

    def _command(self, program: str, *arguments: str) -> list[str]:
        return [str(self._programs / program), *arguments]

    def _as_user(self) -> list[str]:
        """Return how to become somebody else: it does not run as root."""
        if os.geteuid() != 0:
            return ["--"]
        return ["--reuid=postgres", "--regid=postgres", "--init-groups", "--"]

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            ["setpriv", *self._as_user(), *self._command(program, *arguments)],
            capture_output=True,
            text=True,
            cwd="/",
        )
        if done.returncode != 0:
            raise RuntimeError(f"{program} {arguments} failed: {done.stdout}{done.stderr}")
        return done.stdout.strip()


def name_of(url: str) -> str:
    """Return the name of the database of an address."""
    found = re.search(r"@[^/]*/([^?]*)", url)
    assert found is not None
    return found[1]


@functools.cache
def shared() -> PostgresServer:
    """Return the server of this process of tests; it ends with the process."""
    server = PostgresServer()
    atexit.register(server.close)
    return server


def need_postgres() -> None:
    """Skip the test where there is no PostgreSQL; fail it in CI."""
    try:
        _programs()
    except FileNotFoundError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))


@functools.cache
def _programs() -> Path:
    """Return the folder with the programs of the newest PostgreSQL."""
    debian = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    versions = {int(path.parent.parent.name): path.parent for path in debian}
    on_path = shutil.which("initdb")
    if on_path is not None:
        said = subprocess.run([on_path, "--version"], capture_output=True, text=True, check=True)
        version = re.search(r"\d+", said.stdout)
        assert version is not None
        versions.setdefault(int(version[0]), Path(on_path).resolve().parent)
    if not versions or max(versions) < OLDEST:
        raise FileNotFoundError(
            f"PostgreSQL {OLDEST} or newer is not installed; `make servers` installs it"
        )
    return versions[max(versions)]


@pytest.fixture
def postgres_server() -> PostgresServer:
    """The server that the tests of this process share: do not stop it."""
    need_postgres()
    return shared()


@pytest.fixture
def own_postgres_server() -> Iterator[PostgresServer]:
    """A server of the test's own, to be stopped, killed and started again."""
    need_postgres()
    with PostgresServer() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The address of an empty database of the test's own."""
    url = postgres_server.new_database()
    yield url
    postgres_server.drop_database(url)
