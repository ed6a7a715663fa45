"""FeaturesOfInterest that messages describe in place."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, select

from penstock.catalog.database import Database
from penstock.catalog.entities.geometry import read_geometry
from penstock.catalog.entities.writing_creation import Creation
from penstock.catalog.models import FeatureOfInterest
from penstock.core.entities import New
from penstock.core.errors import InvalidInput


class _Description(msgspec.Struct, frozen=True):
    name: str
    description: str
    feature: dict[str, Any]
    encoding_type: str = msgspec.field(name="encodingType")
    properties: dict[str, Any] | None = None


class DescribedFeatures:
    """Finds features by all that is said of them, and makes those that are missing.

    Args:
        database: Where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._decoder = msgspec.json.Decoder(_Description)

    def find(self, system: int, text: str, now_us: int) -> int:
        """Return the feature of a system that a description stands for; 0 where it cannot be."""
        try:
            wanted = self._decoder.decode(text)
        except msgspec.DecodeError:
            return 0
        if read_geometry(msgspec.json.encode(wanted.feature).decode()) is None:
            return 0
        with self._database.read() as connection:
            known = _known(connection, system, wanted)
        if known:
            return known
        try:
            with self._database.write() as connection:
                known = _known(connection, system, wanted)
                return known or Creation(connection, system, now_us).run(_new(wanted)).id
        except InvalidInput:
            return 0


def _new(wanted: _Description) -> New:
    values: dict[str, object] = {
        "name": wanted.name,
        "description": wanted.description,
        "encodingType": wanted.encoding_type,
        "feature": wanted.feature,
    }
    if wanted.properties is not None:
        values["properties"] = wanted.properties
    return New(type="FeatureOfInterest", values=values)


def _known(connection: Connection, system: int, wanted: _Description) -> int:
    kept = FeatureOfInterest
    query = select(
        kept.id, kept.description, kept.encoding_type, kept.feature, kept.properties
    ).where(kept.name == wanted.name, kept.home_id == system)
    said = (wanted.description, wanted.encoding_type, wanted.feature, wanted.properties or {})
    for id_, *held, properties in connection.execute(query.order_by(kept.id)):
        if (*held, properties or {}) == said:
            return int(id_)
    return 0
