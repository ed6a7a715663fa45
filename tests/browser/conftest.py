"""The page in a real browser, over the real API: memory store, SQLite catalog, live hub."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import uvicorn
from prometheus_client import CollectorRegistry
from tests.browser.waiting import PATIENCE_S
from tests.catalog.template import fast_passwords, fresh_catalog

from penstock.api import ApiSettings, create_app
from penstock.catalog.identities import SqlIdentities
from penstock.catalog.settings import AccountSettings
from penstock.core.access import PLATFORM, Kind, Principal
from penstock.core.catalog import DeviceStatus, Policy
from penstock.core.clock import SystemClock
from penstock.core.observation import observations
from penstock.core.people import Actor, NewUser
from penstock.core.platform import Arrived, Check, DeadLetter, Health, Replayed
from penstock.core.series import ObservationType, Series, Unit
from penstock.devices.post import MemoryPost
from penstock.ingest.live import LiveHub
from penstock.runtime.config import Config
from penstock.runtime.fleet import make_room
from penstock.runtime.things import make_things
from penstock.sensorthings.settings import ThingsSettings
from penstock.stores.memory import MemoryStore

SECOND = 1_000_000
PASSWORD = "correct horse"

#: The shell without windows, toolbars and what else a person wants needs a fifth of the time.
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser")
#: Chromium for tests: no window, no sandbox (containers), nothing of its own on the network.
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}


@contextmanager
def opened(browser: Any, address: str) -> Iterator[Any]:
    """Give a page at an address; fail at the end when its scripts did."""
    context = browser.new_context(viewport=DESKTOP)
    context.set_default_timeout(PATIENCE_S * 1000)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address)
    yield page
    context.close()
    assert errors == []


def now_us() -> int:
    """Return the time now; the page follows the machine's clock."""
    return time.time_ns() // 1000


class CardboardPlatform:
    """Says what the test wants to be said."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.letters: list[DeadLetter] = []
        self.checks = [Check("door", True, "2 connections"), Check("store", True, "keeps up")]

    def health(self) -> Health:
        site = self.site
        return Health(
            ready=True,
            checks=self.checks,
            connections=2,
            messages_per_s=120.0,
            observations_per_s=480.0,
            lag_messages=0,
            lag_s=0.0,
            messages_total=7,
            observations_total=site.store.count(),
            datastreams_total=site.catalog.count_datastreams(),
            dead_letters=len(self.letters),
            devices_pending=len(site.catalog.devices(DeviceStatus.PENDING)),
            started_us=now_us() - 3600 * SECOND,
            version="0.1.0",
        )

    def stats(self) -> Mapping[str, float]:
        return {}

    @property
    def refused(self) -> int:
        return 0

    async def publish(self, messages: Sequence[tuple[str, bytes]], client: str) -> int:
        return len(messages)

    def arrived(self, offset: int | None, is_wanted: Callable[[str], bool], most: int) -> Arrived:
        return Arrived((), 0, 0, 0)

    async def ingested(self, offset: int, timeout_s: float) -> bool:
        return True

    async def all_ingested(self, timeout_s: float) -> bool:
        return True

    def dead_letters(self, after: int = 0, limit: int = 100) -> Sequence[DeadLetter]:
        return [letter for letter in self.letters if letter.id > after][:limit]

    async def replay_dead_letters(self) -> Replayed:
        answer = Replayed(len(self.letters), len(self.letters) - 1, 1)
        del self.letters[1:]
        return answer

    async def discard_dead_letters(self) -> int:
        count = len(self.letters)
        self.letters.clear()
        return count

    async def replay_log(
        self, partition: str, from_offset: int, until_offset: int | None = None
    ) -> Replayed:
        return Replayed(0, 0, 0)


class Site:
    """A platform with an HTTP server that can be stopped and started again on its port."""

    def __init__(self, folder: Path) -> None:
        self.store = MemoryStore()
        self.catalog = fresh_catalog(folder)
        self.platform = CardboardPlatform(self)
        self.live = LiveHub()
        self.clock = SystemClock()
        self.passwords = fast_passwords()
        self.identities = SqlIdentities(self.catalog.database, self.clock, self.passwords)
        self.post = MemoryPost()
        self.fleet = make_room(
            Config(data_dir=str(folder)),
            self.catalog,
            self.store,
            self.clock,
            self.identities.access,
            self.post,
        )
        self.things = make_things(self.catalog, self.clock, ThingsSettings())
        self.port = 0
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._place: socket.socket | None = None

    def _bound(self) -> socket.socket:
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", self.port))
        return bound

    def close(self) -> None:
        """End for good."""
        self.stop()
        if self._place is not None:
            self._place.close()
        self.fleet.close()
        self.catalog.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Serve; afterwards connections are taken."""
        listener = self._bound()
        self.port = listener.getsockname()[1]
        # Bound as well but never listening: nobody else gets the port while the server is away.
        self._place = self._place or self._bound()
        self.live = LiveHub()
        self._app = create_app(
            store=self.store,
            catalog=self.catalog,
            live=self.live,
            platform=self.platform,
            registry=CollectorRegistry(),
            settings=ApiSettings(),
            clock=self.clock,
            identities=self.identities,
            passwords=self.passwords,
            fleet=self.fleet,
            things=self.things,
        )
        config = uvicorn.Config(self._app, log_level="warning", lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([listener],))
        self._thread.start()
        wait_until(lambda: self._server is not None and self._server.started)

    def stop(self) -> None:
        """End all streams and the server."""
        if self._server is None or self._thread is None:
            return
        server, self._server = self._server, None
        server.should_exit = True
        for each in list(server.servers):
            each.get_loop().call_soon_threadsafe(self._app.state.context.closing.set)
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    def allow_registration(self, mode: Literal["closed", "approval", "open"]) -> None:
        """Serve again as a platform that lets people register."""
        self.stop()
        settings = AccountSettings(registration=mode)
        self.identities = SqlIdentities(self.catalog.database, self.clock, self.passwords, settings)
        self.start()

    def add_user(self, name: str, **more: Any) -> Actor:
        """Add a user, whose password is `PASSWORD`, and return them; the first runs everything."""
        new = NewUser(name=name, password=PASSWORD, **more)
        return Actor(Principal(Kind.USER, self.identities.users.add(Actor(PLATFORM), new).id))

    def enrol(self, thing: str, name: str, unit: str = "", **more: Any) -> int:
        """Return the id of a new datastream."""
        series = Series(thing=thing, name=name, unit=Unit("", unit), **more)
        return self.catalog.enrol([series], Policy.AUTOMATIC, now_us())[0].datastream or 0

    def enrol_text(self, thing: str, name: str) -> int:
        """Return the id of a new datastream of texts."""
        return self.enrol(thing, name, observation_type=ObservationType.CATEGORY)

    def keep(self, datastream: int, times: Sequence[int], numbers: Sequence[float]) -> None:
        """Store numbers and hand them to whoever watches."""
        batch = observations([datastream] * len(times), list(times), list(numbers))
        self.store.append(batch)
        self.live.publish(batch)

    def keep_texts(self, datastream: int, times: Sequence[int], texts: Sequence[str]) -> None:
        """Store texts and hand them to whoever watches."""
        batch = observations([datastream] * len(times), list(times), text=list(texts))
        self.store.append(batch)
        self.live.publish(batch)

    def fill(self, datastream: int, seconds: int, per_s: int = 1) -> list[int]:
        """Store a sine over the last seconds, at whole steps, and return its times."""
        step = SECOND // per_s
        last = now_us() // step * step
        times = list(range(last - seconds * SECOND, last, step))
        self.keep(datastream, times, np.round(20 + np.sin(np.array(times) / 1e7), 3).tolist())
        return times


def wait_until(is_true: Any) -> None:
    """Return when it is; fail when it does not become so."""
    until = time.monotonic() + PATIENCE_S
    while not is_true():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    site.start()
    yield site
    site.close()


# A module's, not the session's: while Playwright runs, no test with an event loop of its own can.
@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail("the browser tests need Chromium: run `make servers`")
        pytest.skip("there is no Chromium")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=list(ARGUMENTS), timeout=PATIENCE_S * 1000
        )
        yield browser
        browser.close()


class Pages:
    """Opens the page, and remembers whatever it complains about."""

    def __init__(self, browser: Any, site: Site) -> None:
        self._browser = browser
        self._site = site
        self._contexts: list[Any] = []
        self.complaints: list[str] = []
        self.foreign: list[str] = []

    def open(self, hash_: str = "#view=chart", *, phone: bool = False, **more: Any) -> Any:
        """Return the page at a hash, at desktop or phone size, once it says who looks at it."""
        size = {"viewport": PHONE, "is_mobile": True, "has_touch": True, "device_scale_factor": 2}
        context = self._browser.new_context(**(size if phone else {"viewport": DESKTOP}), **more)
        context.set_default_timeout(PATIENCE_S * 1000)
        self._contexts.append(context)
        context.on("request", self._look_where_to)
        page = context.new_page()
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(f"dialog {dialog.message}"))
        page.goto(self._site.url + hash_)
        page.wait_for_selector("header.bar, form[aria-label='Sign in']")
        return page

    def sign_in(self, page: Any, name: str, password: str = PASSWORD) -> None:
        """Fill the form in and send it."""
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_label("Password", exact=True).fill(password)
        page.get_by_role("button", name="Sign in").click()

    def enter(self, hash_: str, name: str, **more: Any) -> Any:
        """Return the page at a hash as somebody who has signed in sees it."""
        page = self.open(hash_, **more)
        self.sign_in(page, name)
        page.wait_for_selector("header.bar")
        return page

    def _look_where_to(self, request: Any) -> None:
        if not request.url.startswith((self._site.url, "blob:", "data:")):
            self.foreign.append(request.url)

    def _note(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def close(self) -> None:
        for context in self._contexts:
            context.close()


@pytest.fixture
def pages(browser: Any, site: Site) -> Iterator[Pages]:
    pages = Pages(browser, site)
    yield pages
    pages.close()
    assert pages.foreign == []
