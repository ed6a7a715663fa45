"""What a request to write asks, and what it is answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa

from penstock.core.access import Access, Principal
from penstock.core.clock import Clock
from penstock.core.entities import (
    EntityReader,
    EntityWriter,
    FeatureRecords,
    MovedObservations,
)
from penstock.core.expression import Expression
from penstock.core.fleet import Fleet
from penstock.core.platform import Platform
from penstock.core.store import Store
from penstock.core.unfinished import UnfinishedWrites
from penstock.sensorthings.grammar.options import Options
from penstock.sensorthings.grammar.resource import ResourcePath


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to write.

    Attributes:
        path: What it is about.
        body: As it came.
        content_type: As the header says it.
        base: Address of the service, without a slash at the end: `http://host/v1.1`.
        options: Options of the query; `system=NAME` is among the custom ones.
        prefer: The header `Prefer`; `return=representation` is answered with a body.
        only_new: Whether no Observation may be replaced; the header `If-None-Match: *`.
    """

    path: ResourcePath
    base: str
    body: bytes = b""
    content_type: str = "application/json"
    options: Options = field(default_factory=Options)
    prefer: str = ""
    only_new: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


#: Answers one request of a batch: who asks, method, address below the base, headers, body.
Run = Callable[[Principal, str, str, Mapping[str, str], bytes], Awaitable[Answer]]


class Blocking(Protocol):
    """Runs a call that waits for disk or lock in a thread."""

    async def __call__(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Return what the call returns."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The platform's parts that writing works with.

    Attributes:
        reader: Reads entities.
        writer: Writes entities.
        features: Own features of Datastreams.
        moved: Observations that are elsewhere than their id says.
        store: Keeps observations.
        platform: Takes messages.
        access: Gives what decides, as of now.
        clock: Tells the time.
        blocking: Runs calls that wait.
        find_observations: Returns the rows, in `core.observation.SCHEMA`, that a path leads to and
            the filter holds for; `NotFound` when it leads nowhere that who asks may read.
        condition: Returns the filter over a type of the catalog without what goes to Observations.
        refusal: Makes an answer of an error, for requests within a batch.
        fleet: Gives what commands devices; None where nothing does.
        forget_series: Makes ingest ask the catalog anew; see `Ingest.forget_series`.
        changed: Is told of every entity that was made, changed or removed: its type, its id
            (of an Observation what its address has), and `create`, `update` or `delete`.
    """

    reader: EntityReader
    writer: EntityWriter
    features: FeatureRecords
    moved: MovedObservations
    unfinished: UnfinishedWrites
    store: Store
    platform: Platform
    access: Callable[[], Access]
    clock: Clock
    blocking: Blocking
    find_observations: Callable[[Principal, ResourcePath, Options], pa.Table]
    condition: Callable[[Principal, str, Options], Expression | None]
    refusal: Callable[[Exception], Answer]
    fleet: Callable[[], Fleet] | None = None
    forget_series: Callable[[float], bool] = lambda _: True
    changed: Callable[[str, int | str, str], None] = lambda _type, _id, _what: None
