"""What every endpoint works with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, ParamSpec, TypeVar, cast

import anyio
import anyio.to_thread
from fastapi import Depends, Request

from penstock.api.lane import Lane
from penstock.api.rates import Rates
from penstock.api.secrets_kept import Secrets
from penstock.api.settings import ApiSettings
from penstock.api.signing_in import SigningIn
from penstock.api.stream_slots import StreamSlots
from penstock.core.access import Access, Action, Principal, Resource, Scope
from penstock.core.alarms import Alarms
from penstock.core.apps import Apps
from penstock.core.catalog import Catalog, DatastreamInfo
from penstock.core.clock import Clock
from penstock.core.errors import Backpressure, NotFound, NotSupported
from penstock.core.fleet import Fleet
from penstock.core.identity import Identities
from penstock.core.live import Live
from penstock.core.organisation import Organisation
from penstock.core.passwords import Passwords
from penstock.core.platform import Platform
from penstock.core.queries import Adhoc
from penstock.core.shares import Shares
from penstock.core.store import CanDownsample, CanSummarise, Store

P = ParamSpec("P")
R = TypeVar("R")

#: Calls that may wait until passwords are hashed.
MAX_HASHING = 20
#: Calls that may wait until queries are computed.
MAX_COMPUTING = 50
#: Stands for no datastream at all: ids begin at 1.
NONE = (0,)
#: Largest id of anything.
MAX_ID = 2**63 - 1


class Context:
    """The platform's parts behind their contracts, and the threads that may wait for them."""

    def __init__(
        self,
        *,
        store: Store,
        catalog: Catalog,
        live: Live,
        platform: Platform,
        settings: ApiSettings,
        clock: Clock,
        identities: Identities | None = None,
        passwords: Passwords | None = None,
        fleet: Fleet | None = None,
        apps: Apps | None = None,
        adhoc: Adhoc | None = None,
        alarms: Alarms | None = None,
    ) -> None:
        self.store = store
        self.catalog = catalog
        self.live = live
        self.platform = platform
        self.settings = settings
        self.clock = clock
        self.identities = identities
        self._fleet = fleet
        self._apps = apps
        self._adhoc = adhoc
        self._alarms = alarms
        self.signing_in = SigningIn(clock, passwords or Passwords())
        self.secrets = Secrets(clock)
        self.rates = Rates(clock, settings)
        #: Registrations of one network address, and of everybody, of late.
        self.registering = Shares(clock, per_s=5 / 3600, most=5)
        self.registering_at_all = Shares(clock, per_s=60 / 3600, most=60)
        self._open = Access(Organisation(), clock)
        self.streams = StreamSlots(settings)
        self.closing = asyncio.Event()
        self._limiter = anyio.CapacityLimiter(settings.threads)
        self._lane = Lane()
        self._probes = anyio.CapacityLimiter(2)
        self._hashing = anyio.CapacityLimiter(1)
        self._computing = anyio.CapacityLimiter(settings.sql_threads)

    @property
    def access(self) -> Access:
        """What decides, as of now; ask for it anew with every decision."""
        return self._open if self.identities is None else self.identities.access()

    @property
    def people(self) -> Identities:
        """The organisation.

        Raises:
            NotSupported: This platform keeps none.
        """
        if self.identities is None:
            msg = "this platform keeps no users, companies and keys"
            raise NotSupported(msg)
        return self.identities

    @property
    def has_fleet(self) -> bool:
        """Whether this platform looks after devices."""
        return self._fleet is not None

    @property
    def fleet(self) -> Fleet:
        """Devices, and commands to them.

        Raises:
            NotSupported: This platform has none.
        """
        if self._fleet is None:
            msg = "this platform does not look after devices"
            raise NotSupported(msg)
        return self._fleet

    @property
    def apps(self) -> Apps:
        """The stream apps.

        Raises:
            NotSupported: This platform has none.
        """
        if self._apps is None:
            msg = "this platform has no stream apps"
            raise NotSupported(msg)
        return self._apps

    @property
    def adhoc(self) -> Adhoc:
        """What answers questions in SQL.

        Raises:
            NotSupported: This platform answers none.
        """
        if self._adhoc is None:
            msg = "this platform answers no questions in SQL"
            raise NotSupported(msg)
        return self._adhoc

    @property
    def alarms(self) -> Alarms:
        """Alarms, their rules, and who is told.

        Raises:
            NotSupported: This platform has none.
        """
        if self._alarms is None:
            msg = "this platform has no alarms"
            raise NotSupported(msg)
        return self._alarms

    async def blocking(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a call that waits for disk or lock in a thread, never in the event loop."""
        async with self._lane.turn():
            return await anyio.to_thread.run_sync(
                partial(call, *args, **kwargs), limiter=self._limiter
            )

    async def computing(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a call that computes for long, of which few run at one time.

        Raises:
            Backpressure: Too many wait for it.
        """
        if self._computing.statistics().tasks_waiting >= MAX_COMPUTING:
            msg = f"{MAX_COMPUTING} queries wait to be computed; try again in a moment"
            raise Backpressure(msg, retry_after_s=5.0)
        return await anyio.to_thread.run_sync(
            partial(call, *args, **kwargs), limiter=self._computing
        )

    async def probe(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a quick call about the platform's state; slow queries never keep it waiting."""
        return await anyio.to_thread.run_sync(partial(call, *args, **kwargs), limiter=self._probes)

    async def hashing(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a call that hashes passwords; slow on purpose, so one at a time.

        Raises:
            Backpressure: Too many wait for it.
        """
        if self._hashing.statistics().tasks_waiting >= MAX_HASHING:
            msg = f"{MAX_HASHING} passwords wait to be hashed; try again in a moment"
            raise Backpressure(msg, retry_after_s=2.0)
        return await anyio.to_thread.run_sync(partial(call, *args, **kwargs), limiter=self._hashing)

    def summarising(self) -> CanSummarise:
        """Return the store as one that summarises."""
        if not isinstance(self.store, CanSummarise):
            msg = "this store cannot tell counts and latest values"
            raise NotSupported(msg)
        return self.store

    def downsampling(self) -> CanDownsample:
        """Return the store as one that downsamples."""
        if not isinstance(self.store, CanDownsample):
            msg = "this store cannot downsample; ask for the observations themselves"
            raise NotSupported(msg)
        return self.store

    def scope(self, who: Principal) -> Scope:
        """Return all that somebody may read.

        Raises:
            Unauthenticated: Nobody has said who asks.
        """
        access = self.access
        access.require(who, Action.VIEW, Resource("platform"))
        return access.scope(who)

    async def readable(self, who: Principal, datastreams: Sequence[int] | None) -> list[int] | None:
        """Return those of these datastreams, or of all, that somebody may read; None is all.

        Those that one may not read are left out, like those that do not exist.

        Raises:
            Unauthenticated: Nobody has said who asks.
        """
        scope = self.scope(who)
        if scope.everything:
            return None if datastreams is None else list(datastreams)
        found = await self.blocking(self.catalog.readable, scope, datastreams)
        return list(found) or list(NONE)

    async def datastream(self, who: Principal, id_: int) -> DatastreamInfo:
        """Return one datastream.

        Raises:
            NotFound: There is none with this id that `who` may read.
            Unauthenticated: Nobody has said who asks.
        """
        scope = self.scope(who)
        found: Sequence[DatastreamInfo] = (
            await self.blocking(self.catalog.datastreams, ids=[id_], limit=1, scope=scope)
            if 0 < id_ <= MAX_ID
            else ()
        )
        if not found:
            msg = f"there is no datastream with id {id_}; `GET /api/v1/datastreams` lists them"
            raise NotFound(msg)
        return found[0]


async def _context(request: Request) -> Context:
    return cast("Context", request.app.state.context)


#: A parameter of this type receives the context.
Ctx = Annotated[Context, Depends(_context)]
