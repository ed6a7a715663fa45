"""Series become datastream ids: from a cache, and all new ones of a batch by one catalog call."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping, Sequence
from itertools import islice

import numpy as np

from penstock.core.catalog import Catalog, Enrolled, Policy
from penstock.core.clock import Clock
from penstock.core.codec import Codec, Int64s
from penstock.core.errors import InvalidInput
from penstock.core.organisation import DEFAULT_SYSTEM
from penstock.core.series import Series
from penstock.ingest.decoding import Part, Rejected
from penstock.ingest.described import Described
from penstock.ingest.patience import Closing, Patience
from penstock.ingest.places import Places
from penstock.ingest.tenancy import Owned, Tenancy

_log = logging.getLogger(__name__)

_MAX_NAME = 255


class Enrolment:
    """Knows the datastream of every series seen lately.

    Args:
        catalog: Asked for what is not known.
        codecs: Who can describe their keys.
        policy: What to do with new devices.
        patience: Waits when the catalog refuses for now.
        clock: Tells how old a refusal is.
        max_series: Series remembered.
        refusal_ttl_s: How long a refusal is remembered.
        place_every_s: How often the place of a Thing is told.
        tenancy: Names the systems.
    """

    def __init__(
        self,
        catalog: Catalog,
        codecs: Mapping[str, Codec],
        policy: Policy,
        patience: Patience,
        clock: Clock,
        *,
        max_series: int,
        refusal_ttl_s: float,
        place_every_s: float,
        tenancy: Tenancy,
    ) -> None:
        self._tenancy = tenancy
        self._catalog = catalog
        self._codecs = codecs
        self._policy = policy
        self._patience = patience
        self._clock = clock
        self._max_series = max_series
        self._refusal_ttl_s = refusal_ttl_s
        self._ids: dict[str, dict[Hashable, int]] = {name: {} for name in codecs}
        self._refusals: dict[tuple[str, Hashable], tuple[str, str]] = {}
        self._refused_s = clock.monotonic_s()
        self._places = Places(self.describe, every_s=place_every_s, max_things=max_series)
        self._described = Described(self._describe_features, max_features=max_series)

    def resolve(self, parts: Sequence[Part]) -> tuple[list[Int64s], list[Rejected]]:
        """Return for each part the datastream of each row, 0 where there is none, with reasons.

        Tells the catalog where Things are now, too.

        Raises:
            Closing: Ingest is asked to stop.
        """
        self._forget()
        self._enrol_new(parts)
        ids: list[Int64s] = []
        rejected: dict[int, Rejected] = {}
        for part in parts:
            known = self._ids[part.codec]
            found = np.array([known.get(key, 0) for key in part.readings.keys], np.int64)
            rows = found[part.readings.series]
            ids.append(rows)
            if not found.all():
                for row in np.flatnonzero(rows == 0).tolist():
                    message = int(part.message[row])
                    if message not in rejected:
                        key = part.readings.keys[int(part.readings.series[row])]
                        reason, device = self._refusals[part.codec, key]
                        rejected[message] = Rejected(message, part.codec, reason, device)
        if moves := self._places.news(parts, ids, self._clock.now_us()):
            # A refusal means that somebody removed the Thing just now; its rows tell.
            self._ask(moves)
        return ids, list(rejected.values())

    def with_features(self, parts: Sequence[Part], ids: Sequence[Int64s]) -> list[Part]:
        """Return parts with the catalog's features in the place of those described in messages.

        Raises:
            Closing: Ingest is asked to stop.
        """
        return self._described.resolve(parts, ids)

    def _describe_features(self, described: Sequence[tuple[int, str]]) -> Sequence[int]:
        now_us = self._clock.now_us()
        try:
            return self._patience.until_done(
                "the catalog", lambda: self._catalog.describe_features(described, now_us)
            )
        except Closing:
            raise
        except Exception:
            # What they are of stands in the parameters of the observations.
            _log.exception("%d features could not be kept as described", len(described))
            return [0] * len(described)

    def describe(self, codec: str, key: Hashable) -> Series:
        """Return what a key of a codec stands for."""
        system, plain = (key.system, key.key) if isinstance(key, Owned) else (DEFAULT_SYSTEM, key)
        return self._tenancy.adopt(self._codecs[codec].describe(plain), system)

    def forget_refusals(self) -> None:
        """Ask the catalog again for every series that it refused."""
        self._refusals.clear()

    def forget(self) -> None:
        """Ask the catalog again for every series."""
        self._refusals.clear()
        self._places.forget()
        self._described.forget()
        for known in self._ids.values():
            known.clear()

    @property
    def has_refusals(self) -> bool:
        """Whether a series was refused lately."""
        return bool(self._refusals)

    def _forget(self) -> None:
        now_s = self._clock.monotonic_s()
        if now_s - self._refused_s >= self._refusal_ttl_s or len(self._refusals) > self._max_series:
            self._refusals.clear()
            self._refused_s = now_s
        if sum(map(len, self._ids.values())) > self._max_series:
            for known in self._ids.values():
                for key in list(islice(known, (len(known) + 1) // 2)):
                    del known[key]

    def _enrol_new(self, parts: Sequence[Part]) -> None:
        new: dict[tuple[str, Hashable], Series] = {}
        for part in parts:
            known = self._ids[part.codec]
            for key in part.readings.keys:
                if key not in known and (part.codec, key) not in self._refusals:
                    self._describe(part.codec, key, new)
        if not new:
            return
        answers = self._ask(list(new.values()))
        for ((codec, key), series), answer in zip(new.items(), answers, strict=True):
            if answer.datastream is None:
                waits_for = "" if answer.is_late else answer.device or series.thing
                self._refusals[codec, key] = (answer.reason, waits_for)
            else:
                self._ids[codec][key] = answer.datastream

    def _describe(self, codec: str, key: Hashable, new: dict[tuple[str, Hashable], Series]) -> None:
        try:
            series = self.describe(codec, key)
        except Exception as error:
            reason = f"the codec broke: {type(error).__name__}: {error}"
            self._refusals[codec, key] = (reason, "")
            return
        objection = self._tenancy.objection(series)
        if objection:
            self._refusals[codec, key] = (objection, "")
            return
        named = series.datastream_id is not None
        if named or all(0 < len(name) <= _MAX_NAME for name in (series.thing, series.name)):
            new[codec, key] = series
            return
        reason = (
            f"thing {series.thing[:80]!r} with datastream {series.name[:80]!r} cannot be kept; "
            f"names have 1 to {_MAX_NAME} characters"
        )
        self._refusals[codec, key] = (reason, "")

    def _ask(self, series: list[Series]) -> Sequence[Enrolled]:
        try:
            return self._patience.until_done("the catalog", lambda: self._enrol(series))
        except Closing:
            raise
        except Exception as error:
            if len(series) == 1:
                kind = "" if isinstance(error, InvalidInput) else f"{type(error).__name__}: "
                return [Enrolled(None, f"the catalog refused it: {kind}{error}")]
            middle = len(series) // 2
            return [*self._ask(series[:middle]), *self._ask(series[middle:])]

    def _enrol(self, series: list[Series]) -> Sequence[Enrolled]:
        return self._catalog.enrol(series, self._policy, self._clock.now_us())
