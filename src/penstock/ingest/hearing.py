"""Messages that are no results: handed to who listens, a batch at a time."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np

from penstock.core.codec import Int64s
from penstock.core.imports import is_recording
from penstock.core.listening import PLATFORM_CLIENT, Heard, Kind, Listener, Sighting, Unheard
from penstock.ingest.decoding import Part, Rejected
from penstock.ingest.messages import Batch
from penstock.ingest.patience import Closing, Patience
from penstock.ingest.routes import TopicTable

_log = logging.getLogger(__name__)


class Hearing:
    """Finds in batches what a listener wants to hear.

    Args:
        listener: Who listens.
        table: Whose routes the topics were found with.
        patience: Waits when the listener refuses for now.
    """

    def __init__(self, listener: Listener, table: TopicTable, patience: Patience) -> None:
        self._listener = listener
        self._patience = patience
        self._tenancy = table.tenancy
        known = set(Kind)
        self._kinds = {
            number: Kind(codecs[0])
            for number, codecs in enumerate(table.codecs)
            if codecs[0] in known
        }
        self._kinds[TopicTable.OWN] = Kind.PLATFORM

    def hear(self, batch: Batch) -> list[Rejected]:
        """Hand on what is for the listener and return what it could not make sense of.

        Raises:
            Closing: Ingest is asked to stop.
        """
        routes = np.array([topic.route for topic in batch.topics], np.int64)
        rejected: list[Rejected] = []
        for route in np.unique(routes).tolist():
            kind = self._kinds.get(route)
            if kind is not None:
                members = np.flatnonzero(routes == route).tolist()
                rejected += self._tell(kind, batch, members)
        return rejected

    def saw(self, sightings: Sequence[Sighting]) -> None:
        """Tell who sent results."""
        if sightings:
            try:
                self._listener.saw(sightings)
            except Exception:
                _log.exception("the listener broke on %d sightings", len(sightings))

    def _tell(self, kind: Kind, batch: Batch, members: list[int]) -> Iterable[Rejected]:
        if kind is not Kind.PLATFORM:
            # What the platform itself sends to devices passes through the log too.
            members = [m for m in members if not batch.client(m).startswith(PLATFORM_CLIENT)]
        else:
            members = [m for m in members if batch.client(m).startswith(PLATFORM_CLIENT)]
        if not members:
            return ()
        heard = self._heard(batch, members)
        try:
            unheard = self._patience.until_done(
                "what devices say", lambda: self._listener.hear(kind, heard)
            )
        except Closing:
            raise
        except Exception as error:
            _log.exception("the listener broke on %d messages", len(members))
            reason = f"the listener broke: {type(error).__name__}: {error}"[:500]
            unheard = [Unheard(at, reason) for at in range(len(members))]
        return [Rejected(members[u.message], kind, u.reason, u.device) for u in unheard]

    def _heard(self, batch: Batch, members: list[int]) -> Heard:
        topics = [batch.topics[m] for m in members]
        return Heard(
            topics=[topic.name for topic in topics],
            paths=[topic.path for topic in topics],
            systems=[topic.system for topic in topics],
            prefixes=[self._tenancy.prefix(topic.system) for topic in topics],
            payloads=[batch.payloads[m] for m in members],
            arrived_us=batch.arrived_us[np.array(members, np.int64)].tolist(),
            clients=[batch.client(m) for m in members],
            fields=[topic.fields for topic in topics],
            correlations=[batch.correlation(m) for m in members],
        )


def sightings_of(batch: Batch, parts: Sequence[Part], ids: Sequence[Int64s]) -> Sequence[Sighting]:
    """Return the newest message of each Datastream in a batch.

    Costs next to nothing for a row: of rows with one key, the last one stays. A file that is
    imported is left out: no device said anything.
    """
    return list(chain.from_iterable(map(_sightings, [batch] * len(parts), parts, ids)))


def _sightings(batch: Batch, part: Part, ids: Int64s) -> list[Sighting]:
    series = part.readings.series
    last = np.full(len(part.readings.keys), -1, np.int64)
    last[series] = np.arange(len(series))
    rows = last[last >= 0]
    rows = rows[ids[rows] > 0]
    messages = part.message[rows]
    return [
        Sighting(datastream, arrived_us, batch.client(m), batch.topics[m].name, part.codec)
        for datastream, arrived_us, m in zip(
            ids[rows].tolist(),
            batch.arrived_us[messages].tolist(),
            messages.tolist(),
            strict=True,
        )
        if not is_recording(batch.topics[m].path)
    ]
