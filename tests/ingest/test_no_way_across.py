"""Random organisations and random messages: none reaches a row of a system not its topic's."""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.catalog.systems import add_systems, owners
from tests.catalog.template import fresh_catalog

from penstock.catalog import SqlCatalog
from penstock.codecs.registry import make
from penstock.codecs.settings import CodecSettings
from penstock.core.access import Access
from penstock.core.catalog import Policy
from penstock.core.clock import ManualClock
from penstock.core.organisation import Organisation, System
from penstock.ingest.decoding import NOT_DECODED, Decoder
from penstock.ingest.enrolment import Enrolment
from penstock.ingest.messages import Batch
from penstock.ingest.patience import Patience
from penstock.ingest.routes import TopicTable
from penstock.ingest.settings import DEFAULT_ROUTES
from penstock.ingest.tenancy import Tenancy

NAMES = ("cz.icecars.fleet.Car1", "cz.icecars.fleet.Car2")
PLAIN = (
    "hall/oven",
    "sensor.A1.measurements",
    "v1.1/Datastreams(1)/Observations",
    "v1.1/Datastreams(2)/Observations",
    "v1.1/Observations",
    "factory_iot/north/101",
)
THINGS = ("oven", f"{NAMES[0]}.oven", f"{NAMES[1]}.oven", NAMES[0])

topics = st.one_of(
    st.sampled_from(PLAIN),
    st.builds("{}/{}".format, st.sampled_from(NAMES), st.sampled_from(PLAIN)),
    st.builds("{}{}".format, st.sampled_from(NAMES), st.sampled_from((".int", ".ext/x", ".log"))),
    st.builds("{0}/{1}.int/x".format, st.sampled_from(NAMES), st.sampled_from(NAMES)),
)
payloads = st.one_of(
    st.just(b"21.5"),
    st.just(b'{"TMP": 21.5, "BAT": 99}'),
    st.builds(
        lambda id_: b'{"result": 1, "Datastream": {"@iot.id": %d}}' % id_, st.integers(1, 12)
    ),
    st.builds(
        lambda thing, name: msgspec.json.encode(
            {"result": 1, "Datastream": {"name": name, "Thing": {"name": thing}}}
        ),
        st.sampled_from(THINGS),
        st.sampled_from(("t", "oven.t")),
    ),
)
claims = st.lists(
    st.sampled_from(("hall/+", "sensor.A1.measurements", "v1.1/#", "factory_iot/+/101")),
    max_size=3,
)


@st.composite
def organisations(draw: st.DrawFn) -> Organisation:
    """Draw an organisation with up to two systems that claim topics."""
    some = draw(st.sets(st.sampled_from((0, 1))))
    systems = [
        System(id=2 + at, company=1, name=NAMES[at], topics=tuple(draw(claims))) for at in some
    ]
    return Organisation(systems=(*Organisation().systems, *systems))


class Works:
    """Decoding and enrolment, with an organisation that can be changed."""

    def __init__(self, catalog: SqlCatalog, organisation: Organisation) -> None:
        self.clock = ManualClock()
        self.catalog = catalog
        self.change(organisation)
        tenancy = Tenancy(lambda: self.access)
        every = {name for route in DEFAULT_ROUTES for name in route.codecs}
        names = every - NOT_DECODED
        codecs = {name: _codec(name) for name in names}
        self.table = TopicTable(DEFAULT_ROUTES, 1000, tenancy)
        self.decoder = Decoder(codecs, self.table)
        self.enrolment = Enrolment(
            catalog, codecs, Policy.AUTOMATIC, Patience(threading.Event(), 0.01), self.clock,
            max_series=1000, refusal_ttl_s=5.0, place_every_s=1.0, tenancy=tenancy,
        )  # fmt: skip

    def change(self, organisation: Organisation) -> None:
        self.access = Access(organisation, self.clock)

    def take(self, messages: Sequence[tuple[str, bytes]]) -> list[tuple[str, int]]:
        """Ingest messages; return topic and Datastream of every row."""
        self.table.trim()
        count = len(messages)
        batch = Batch(
            partition="door",
            next_offset=count,
            topics=[self.table[topic.encode()] for topic, _ in messages],
            payloads=[payload for _, payload in messages],
            arrived_us=np.arange(count) + 1_700_000_000_000_000,
            offsets=np.arange(count),
            clients=("c",),
            block=np.zeros(count, np.int64),
        )
        parts, _ = self.decoder.decode(batch)
        ids, _ = self.enrolment.resolve(parts)
        return [
            (messages[message][0], id_)
            for part, found in zip(parts, ids, strict=True)
            for message, id_ in zip(part.message.tolist(), found.tolist(), strict=True)
        ]


@functools.cache
def _codec(name: str) -> object:
    return make(name, settings=CodecSettings())


@settings(max_examples=80)
@given(
    steps=st.lists(
        st.tuples(organisations(), st.lists(st.tuples(topics, payloads), min_size=1, max_size=8)),
        min_size=1,
        max_size=4,
    )
)
def test_no_message_touches_a_row_of_a_system_whose_topic_it_was_not(
    steps: list[tuple[Organisation, list[tuple[str, bytes]]]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    catalog = fresh_catalog(tmp_path_factory.mktemp("catalog"))
    add_systems(catalog, 2, 3)
    works = Works(catalog, steps[0][0])
    before: dict[int, int] = {}
    for organisation, messages in steps:
        works.change(organisation)
        rows = works.take(messages)
        after = owners(catalog)
        whose = {topic: works.access.system_of(topic) for topic, _ in messages}
        for topic, id_ in rows:
            assert not id_ or after[id_] == whose[topic]
        made = {id_: after[id_] for id_ in after.keys() - before.keys()}
        assert set(made.values()) <= set(whose.values())
        assert {id_: after[id_] for id_ in before} == before
        before = after
    catalog.close()


def test_the_id_of_another_systems_datastream_is_refused_with_a_reason(tmp_path: Path) -> None:
    catalog = fresh_catalog(tmp_path)
    add_systems(catalog, 2)
    systems = (*Organisation().systems, System(id=2, company=1, name=NAMES[0]))
    works = Works(catalog, Organisation(systems=systems))
    ((_, mine),) = works.take([("hall/oven", b"1")])
    by_id = b'{"result": 1, "Datastream": {"@iot.id": %d}}' % mine
    both = works.take([(f"{NAMES[0]}.int", by_id), ("v1.1/Observations", by_id)])
    assert dict(both) == {f"{NAMES[0]}.int": 0, "v1.1/Observations": mine}
    (made,) = works.take([(f"{NAMES[0]}/hall/oven", b"1")])
    (info,) = catalog.datastreams(ids=[made[1]])
    assert info.thing.startswith(f"{NAMES[0]}.")
    catalog.close()
