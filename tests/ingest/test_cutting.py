"""However messages are cut into blocks, reads and batches, the store ends up the same."""

from __future__ import annotations

from itertools import accumulate, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.core.catalog import Enrolled
from penstock.core.clock import ManualClock
from penstock.core.publish import encode_publish
from penstock.ingest import Ingest, IngestSettings, Route
from penstock.log import MemoryLog

TOPICS = ("a", "b/1", "b/2", "quiet", "nowhere")
PAYLOADS = ("1", "2", "value=3@7", "value=4@7 x=1@8", "x=5@7", "x=6@8 x=7@8", "junk", "", "bomb")
MESSAGES = st.lists(
    st.tuples(st.sampled_from(TOPICS), st.sampled_from(PAYLOADS)),
    min_size=1,
    max_size=40,
)


class NamesCatalog:
    """Gives ids by name and no id to series called `x` of thing `b.2`."""

    def __init__(self):
        self.ids = {}

    def enrol(self, series, policy, now_us):
        return [
            Enrolled(None, "not wanted")
            if (s.thing, s.name) == ("b.2", "x")
            else Enrolled(self.ids.setdefault((s.thing, s.name), len(self.ids) + 1))
            for s in series
        ]

    def devices(self, status=None):
        return []


def run(messages, cuts, pauses, make_store, codecs):
    """Ingest messages cut into blocks at `cuts`; wait for ingest after those in `pauses`."""
    log, store, catalog = MemoryLog(), make_store(), NamesCatalog()
    writer = log.writer("door")
    routes = (
        Route(topic="quiet", codecs=("none",)),
        Route(topic="b/#", codecs=("pairs", "lone")),
        Route(topic="a", codecs=("lone", "pairs")),
    )
    config = IngestSettings(
        routes=routes, default_routes=False, poll_interval_s=1e-4, idle_interval_s=1e-4
    )
    ingest = Ingest(log, catalog, store, lambda name: codecs[name](), config, ManualClock())
    ingest.start()
    edges = sorted({0, len(messages), *(c for c in cuts if c < len(messages))})
    for start, end in pairwise(edges):
        packets = [
            encode_publish(topic, payload.encode()) for topic, payload in messages[start:end]
        ]
        ends = b"".join(n.to_bytes(4, "little") for n in accumulate(map(len, packets)))
        # However it is cut, message n arrives at 7 + n; payloads name the times 7 and 8 too.
        writer.append("c", 4, 7 + start, b"".join(packets), ends)
        writer.sync()
        if start in pauses:
            assert ingest.wait("door", end, 20)
    assert ingest.wait("door", len(messages), 20)
    dead = sorted((x.offset, x.codec, x.reason) for x in ingest.dead_letters(limit=1000))
    ingest.close()
    names = {number: name for name, number in catalog.ids.items()}
    return {(names[k[0]], *k[1:]): row[1:] for k, row in store.rows.items()}, dead


@settings(max_examples=60)
@given(MESSAGES, st.sets(st.integers(0, 40)), st.sets(st.integers(0, 40)))
def test_any_cutting_gives_the_same_store_and_dead_letters(
    make_store, codecs, messages, cuts, pauses
):
    whole = run(messages, (), (), make_store, codecs)
    assert run(messages, cuts, pauses, make_store, codecs) == whole
