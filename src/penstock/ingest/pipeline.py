"""From a batch of messages to observations that are kept and handed to watchers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from penstock.core.listening import Sighting
from penstock.core.store import Marks, Store
from penstock.core.tap import Tap
from penstock.ingest.columns import observations_of
from penstock.ingest.data_flow import DataFlow
from penstock.ingest.decoding import Decoder, Rejected
from penstock.ingest.deleted import Deleted, without_deleted
from penstock.ingest.enrolment import Enrolment
from penstock.ingest.hearing import Hearing, sightings_of
from penstock.ingest.live import LiveHub
from penstock.ingest.messages import Batch
from penstock.ingest.patience import Patience

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a batch of messages.

    Attributes:
        observations: Rows for the store, in the order of the messages.
        rejected: Messages for the dead letters; each at most once.
        sightings: Who sent results.
    """

    observations: pa.RecordBatch
    rejected: Sequence[Rejected]
    sightings: Sequence[Sighting] = ()


class Pipeline:
    """Turns messages into observations and keeps them.

    Args:
        decoder: Reads the messages.
        enrolment: Knows the datastreams.
        store: Keeps the observations.
        live: Hands them on.
        patience: Waits when the store refuses for now.
        data_flow: Shows what passes, if asked to.
        hearing: Takes what is no result, if anybody wants it.
    """

    def __init__(
        self,
        decoder: Decoder,
        enrolment: Enrolment,
        store: Store,
        live: LiveHub,
        patience: Patience,
        data_flow: DataFlow | None,
        hearing: Hearing | None = None,
    ) -> None:
        self._decoder = decoder
        self._enrolment = enrolment
        self._store = store
        self._live = live
        self._patience = patience
        self._data_flow = data_flow
        self._hearing = hearing
        #: Follows what is kept, if anybody wants to.
        self.tap: Tap | None = None

    def read(self, batch: Batch, deleted: Deleted | None = None) -> Outcome:
        """Turn messages into observations; keeps nothing but newly enrolled series.

        Args:
            batch: The messages.
            deleted: Devices of which only what came after their deletion counts, for messages that
                are read again.

        Raises:
            Closing: Ingest is asked to stop.
        """
        unheard = [] if self._hearing is None else self._hearing.hear(batch)
        parts, rejected = self._decoder.decode(batch)
        if self._data_flow is not None:
            try:
                self._data_flow.show(batch, parts, self._enrolment.describe)
            except Exception:
                _log.exception("the data flow of %d messages could not be shown", len(batch))
        if deleted:
            parts, late = without_deleted(batch, parts, deleted, self._enrolment.describe)
            rejected = [*rejected, *late]
        ids, not_enrolled = self._enrolment.resolve(parts)
        parts = self._enrolment.with_features(parts, ids)
        sightings = () if self._hearing is None else sightings_of(batch, parts, ids)
        known = {one.message for one in rejected} if deleted else set()
        not_enrolled = [one for one in not_enrolled if one.message not in known]
        refused = [*unheard, *rejected, *not_enrolled]
        return Outcome(observations_of(parts, ids), refused, sightings)

    def saw(self, sightings: Sequence[Sighting]) -> None:
        """Tell who sent results that are kept."""
        if self._hearing is not None:
            self._hearing.saw(sightings)

    def hold(self, observations: pa.RecordBatch, marks: Marks) -> None:
        """Tell who follows of observations that the store has held since before the start.

        Some may have been removed since: what the store has counts.
        """
        if self.tap is not None:
            self.tap.heard(pa.table(observations), marks)

    def keep(self, observations: pa.RecordBatch, marks: Marks, *, is_from_log: bool = True) -> None:
        """Keep observations and hand them to watchers; waits while the store is busy.

        Raises:
            Closing: Ingest is asked to stop; nothing was kept.
            Exception: The store refuses these rows for good.
        """
        self._patience.until_done("the store", lambda: self._store.append(observations, marks))
        if self.tap is not None:
            self.tap.heard(observations, marks if is_from_log else {})
        try:
            self._live.publish(observations)
        except Exception:
            _log.exception("live watchers missed %d rows", observations.num_rows)

    def tell_removed(self, rows: pa.Table) -> None:
        """Tell that rows with these identities were removed."""
        if self.tap is not None:
            self.tap.heard(rows, {})
