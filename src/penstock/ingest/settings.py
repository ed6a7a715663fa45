"""Settings of ingest."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from penstock.core.catalog import Policy


class Route(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which codecs understand the messages of some topics."""

    topic: Annotated[
        str,
        Meta(
            description="Topic filter: `+` is one level, `#` the rest, `{name}` captures a level "
            "or a part of one.",
            min_length=1,
            max_length=1000,
        ),
    ]
    codecs: Annotated[
        tuple[str, ...],
        Meta(
            description="Codecs to try, first to last; `none` keeps the messages in the log only.",
            min_length=1,
            max_length=8,
        ),
    ]


class IngestSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How messages become observations."""

    routes: Annotated[
        tuple[Route, ...],
        Meta(description="Routes tried before the default ones; the first that matches is taken."),
    ] = ()
    default_routes: Annotated[
        bool, Meta(description="Whether the default routes follow those in `routes`.")
    ] = True
    enrolment: Annotated[
        Policy,
        Meta(
            description="What to do with a device never seen before: `automatic` takes it in, "
            "`approval` lets it wait for a decision, `closed` refuses it."
        ),
    ] = Policy.AUTOMATIC
    max_batch_bytes: Annotated[
        int,
        Meta(description="Bytes of messages handled at once.", ge=4096, le=268_435_456),
    ] = 4_194_304
    poll_interval_s: Annotated[
        float,
        Meta(
            description="Shortest time between two looks at the log, seconds; smaller is quicker "
            "to be visible, larger takes less processor time.",
            gt=0,
            le=10,
        ),
    ] = 0.005
    idle_interval_s: Annotated[
        float,
        Meta(
            description="Time between two looks at the log while nothing arrives, seconds.",
            gt=0,
            le=10,
        ),
    ] = 0.01
    max_retry_s: Annotated[
        float,
        Meta(
            description="Longest wait before what the store or the catalog refused is tried "
            "again, seconds.",
            gt=0,
            le=600,
        ),
    ] = 5.0
    max_topics: Annotated[
        int,
        Meta(description="Topics whose route is remembered.", ge=16, le=10_000_000),
    ] = 65_536
    max_series: Annotated[
        int,
        Meta(description="Series whose datastream is remembered.", ge=16, le=100_000_000),
    ] = 500_000
    place_every_s: Annotated[
        float,
        Meta(
            description="How often the place of a Thing that moves is kept, by the times of its "
            "messages, seconds.",
            gt=0,
            le=86_400,
        ),
    ] = 1.0
    refusal_ttl_s: Annotated[
        float,
        Meta(
            description="How long the catalog's answer is remembered for a series that it did "
            "not take, seconds.",
            ge=0,
            le=3600,
        ),
    ] = 5.0
    max_dead_letters: Annotated[
        int,
        Meta(
            description="Dead letters that may wait; the oldest are dropped beyond that.",
            ge=1,
            le=100_000_000,
        ),
    ] = 1_000_000
    max_dead_letter_age_s: Annotated[
        float,
        Meta(description="How long a dead letter may wait, seconds.", gt=0),
    ] = 2_592_000.0
    max_live_rows: Annotated[
        int,
        Meta(
            description="Rows that wait for one live watcher; the oldest are skipped beyond that.",
            ge=1,
            le=100_000_000,
        ),
    ] = 200_000
    debug_data_flow: Annotated[
        bool,
        Meta(
            description="Print every message and value taken in; also on when the environment "
            'variable `DEBUG_DATA_FLOW` is exactly "true".'
        ),
    ] = False


#: Levels that the topic of a device may have.
MAX_DEVICE_LEVELS = 4


def _below(level: str, rest: str, codec: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return routes for something below the topic of a device, however many levels that has."""
    return tuple(
        ("/".join([level] * levels + [rest]), (codec,))
        for levels in range(1, MAX_DEVICE_LEVELS + 1)
    )


#: Tried in this order behind the configured routes.
DEFAULT_ROUTES = tuple(
    Route(topic=topic, codecs=codecs)
    for topic, codecs in (
        ("sensor.{serial}.measurements", ("measurements",)),
        ("sensor/{serial}/measurements", ("measurements",)),
        ("sensor.{serial}.registry.created", ("device_registry",)),
        ("sensor.{serial}.logs", ("device_logs",)),
        ("sensor.{serial}.tasks", ("device_answer",)),
        ("sensor.{serial}.tasks/{task}", ("device_answer",)),
        ("sensor.{serial}.state.reported", ("device_state",)),
        ("sensor.{serial}.state.desired", ("none",)),
        ("sensor.{serial}.commands.{command}", ("none",)),
        ("sensor/{serial}/registry/created", ("device_registry",)),
        *_below("+", "registry/created", "device_registry"),
        *_below("+", "logs", "device_logs"),
        *_below("+", "tasks", "device_answer"),
        *_below("+", "tasks/{task}", "device_answer"),
        *_below("+", "state/reported", "device_state"),
        *_below("+", "state/desired", "none"),
        *_below("+", "commands/{command}", "none"),
        ("responses/#", ("none",)),
        ("factory_iot/{region}/{site}", ("factory",)),
        ("movements", ("positions",)),
        ("movements/{sensor}", ("positions",)),
        ("v1.1/Datastreams({datastream})/Observations", ("sensorthings",)),
        ("v1.1/FeaturesOfInterest({feature})/Observations", ("sensorthings",)),
        ("v1.1/#", ("sensorthings",)),
        ("{system}.int/#", ("sensorthings",)),
        ("{system}.ext/#", ("sensorthings",)),
        ("senml/#", ("senml",)),
        ("influx/#", ("influx",)),
        ("import/#", ("arrow",)),
        ("{location}/{station}", ("flat", "number")),
        ("#", ("number",)),
    )
)
