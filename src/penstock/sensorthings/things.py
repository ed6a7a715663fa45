"""What the SensorThings API is made of; the runtime puts it together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from penstock.core.entities import EntityReader, EntityWriter, FeatureRecords, MovedObservations
from penstock.core.unfinished import UnfinishedWrites
from penstock.sensorthings.settings import ThingsSettings


def _nobody(type_: str, id_: int | str, what: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Things:
    """The catalog's side of SensorThings, and who wants to know of changes.

    Attributes:
        reader: Reads entities.
        writer: Writes entities.
        features: Own features of Datastreams.
        moved: Observations that are elsewhere than their id says.
        unfinished: Writes to catalog and log that are not done to their end.
        settings: Bounds.
        forget_series: Makes ingest ask the catalog anew; see `Ingest.forget_series`.
        changed: Is told of every entity made, changed or removed; see `writing.asked.Parts`.
    """

    reader: EntityReader
    writer: EntityWriter
    features: FeatureRecords
    moved: MovedObservations
    unfinished: UnfinishedWrites
    settings: ThingsSettings = field(default_factory=ThingsSettings)
    forget_series: Callable[[float], bool] = lambda _: True
    changed: Callable[[str, int | str, str], None] = _nobody
