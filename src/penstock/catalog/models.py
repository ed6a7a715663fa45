"""The tables: entities of SensorThings 1.1 (18-088 section 8), and devices as enrolment sees them.

Times are integer microseconds UTC. `properties` are JSON objects. Ids are never used again.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Table,
)
from sqlalchemy.orm import Mapped, mapped_column

from penstock.catalog.organisation_models import SystemRow
from penstock.catalog.tables import NAME_LENGTH, Base, Id


class Entity:
    """What every SensorThings entity has."""

    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=True)
    description: Mapped[str] = mapped_column(default="")
    properties: Mapped[dict[str, Any]] = mapped_column(default=dict)


class Shared(Entity):
    """An entity that belongs to no system. `home_id` is the one that it was made for.

    While nothing is linked to it, that one alone sees it.
    """

    home_id: Mapped[int | None] = mapped_column(ForeignKey("system.id", ondelete="SET NULL"))


thing_location = Table(
    "thing_location",
    Base.metadata,
    Column("thing_id", Id, ForeignKey("thing.id", ondelete="CASCADE"), primary_key=True),
    Column(
        "location_id",
        Id,
        ForeignKey("location.id", ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
)

historical_location_location = Table(
    "historical_location_location",
    Base.metadata,
    Column(
        "historical_location_id",
        Id,
        ForeignKey("historical_location.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column(
        "location_id",
        Id,
        ForeignKey("location.id", ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
)


class Thing(Entity, Base):
    """An object that is measured, of one system. `position` repeats its newest Location."""

    __tablename__ = "thing"
    __table_args__ = (Index(None, "system_id", "name"), {"sqlite_autoincrement": True})

    system_id: Mapped[int] = mapped_column(ForeignKey(SystemRow.id), default=1, server_default="1")
    name: Mapped[str] = mapped_column(index=True)
    position: Mapped[list[float] | None] = mapped_column(JSON(none_as_null=True))
    located_us: Mapped[int | None] = mapped_column(BigInteger)


class Location(Shared, Base):
    """A place, GeoJSON unless `encoding_type` says otherwise.

    `feature_id` is the FeatureOfInterest made from it, once one was asked for.
    """

    __tablename__ = "location"
    __table_args__ = ({"sqlite_autoincrement": True},)

    name: Mapped[str]
    encoding_type: Mapped[str] = mapped_column(default="application/geo+json")
    location: Mapped[dict[str, Any]]
    feature_id: Mapped[int | None] = mapped_column(
        ForeignKey("feature_of_interest.id", ondelete="SET NULL"), index=True
    )


class HistoricalLocation(Base):
    """When a Thing came to a place."""

    __tablename__ = "historical_location"
    __table_args__ = (
        Index(None, "thing_id", "time_us"),
        # Pages by id of one Thing, and of all by time, without sorting a long history.
        Index(None, "thing_id"),
        Index(None, "time_us"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=True)
    thing_id: Mapped[int] = mapped_column(ForeignKey("thing.id", ondelete="CASCADE"))
    time_us: Mapped[int] = mapped_column(BigInteger)


class Sensor(Shared, Base):
    """A procedure or model. The one with the empty name stands for those not known.

    Metadata that is no text is in `metadata_json`, and the text is empty.
    """

    __tablename__ = "sensor"
    __table_args__ = ({"sqlite_autoincrement": True},)

    name: Mapped[str] = mapped_column(index=True)
    encoding_type: Mapped[str] = mapped_column(default="text/plain")
    sensor_metadata: Mapped[str] = mapped_column("metadata", default="")
    metadata_json: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class ObservedProperty(Shared, Base):
    """What is measured."""

    __tablename__ = "observed_property"
    __table_args__ = ({"sqlite_autoincrement": True},)

    name: Mapped[str] = mapped_column(index=True)
    definition: Mapped[str] = mapped_column(default="")


class Datastream(Entity, Base):
    """Results of one kind of one Thing, or of several at once (a MultiDatastream).

    Its phenomenon and result times are derived by the store. `full_name` is `<thing>.<name>`, with
    `~2` and so on behind it where that is taken. `search` is the text that searches look in: see
    `catalog.search`. `observation_type_uri` is what was given where it is none of the five that
    `ObservationType` has. `unit_verbatim` is the unit as JSON where it is not three texts. `multi`
    makes it a MultiDatastream: its `multiObservationDataTypes` and `unitOfMeasurements`; its
    ObservedProperties are in `datastream_observed_property`, the first of them here too.
    `feature_id` is the FeatureOfInterest that stands for feature 0, once one was asked for.
    """

    __tablename__ = "datastream"
    __table_args__ = (
        Index(None, "thing_id", "name"),
        CheckConstraint("retention_s > 0", name="retention_positive"),
        {"sqlite_autoincrement": True},
    )

    name: Mapped[str]
    full_name: Mapped[str] = mapped_column(index=True)
    thing_id: Mapped[int] = mapped_column(ForeignKey("thing.id"))
    sensor_id: Mapped[int] = mapped_column(ForeignKey("sensor.id"), index=True)
    observed_property_id: Mapped[int] = mapped_column(
        ForeignKey("observed_property.id"), index=True
    )
    observation_type: Mapped[str] = mapped_column(String(32))
    observation_type_uri: Mapped[str] = mapped_column(default="", server_default="")
    unit_name: Mapped[str] = mapped_column(default="")
    unit_symbol: Mapped[str] = mapped_column(default="")
    unit_definition: Mapped[str] = mapped_column(default="")
    unit_verbatim: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    multi: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    observed_area: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    feature_id: Mapped[int | None] = mapped_column(
        ForeignKey("feature_of_interest.id", ondelete="SET NULL"), index=True
    )
    retention_s: Mapped[float | None]
    search: Mapped[str] = mapped_column(default="")


class DatastreamObservedProperty(Base):
    """What the parts of a MultiDatastream's results measure, in their order from 0."""

    __tablename__ = "datastream_observed_property"

    datastream_id: Mapped[int] = mapped_column(
        ForeignKey("datastream.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    observed_property_id: Mapped[int] = mapped_column(
        ForeignKey("observed_property.id"), index=True
    )


class MovedObservation(Base):
    """Where the observation with an id is now, that was moved from the identity of its id."""

    __tablename__ = "moved_observation"

    id: Mapped[str] = mapped_column(primary_key=True)
    datastream_id: Mapped[int] = mapped_column(Id, index=True)
    time_us: Mapped[int] = mapped_column(BigInteger)
    feature: Mapped[int] = mapped_column(BigInteger)


class UnfinishedWrite(Base):
    """What is still to be done of a write to two places; see `core.unfinished`."""

    __tablename__ = "unfinished_write"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    note: Mapped[bytes] = mapped_column(LargeBinary)


class FeatureOfInterest(Shared, Base):
    """What was observed when it is not the Thing itself; its id is `feature` of observations."""

    __tablename__ = "feature_of_interest"
    __table_args__ = ({"sqlite_autoincrement": True},)

    name: Mapped[str]
    encoding_type: Mapped[str] = mapped_column(default="application/geo+json")
    feature: Mapped[dict[str, Any]]


class DatastreamFeature(Base):
    """A FeatureOfInterest that Observations of a Datastream are of."""

    __tablename__ = "datastream_feature"

    datastream_id: Mapped[int] = mapped_column(
        ForeignKey("datastream.id", ondelete="CASCADE"), primary_key=True
    )
    feature_id: Mapped[int] = mapped_column(
        ForeignKey("feature_of_interest.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class Device(Base):
    """A name that sends data for a system, and whether it may."""

    __tablename__ = "device"
    __table_args__ = (Index(None, "status"),)

    system_id: Mapped[int] = mapped_column(
        ForeignKey(SystemRow.id), primary_key=True, default=1, server_default="1"
    )
    name: Mapped[str] = mapped_column(String(NAME_LENGTH), primary_key=True)
    status: Mapped[str] = mapped_column(String(16))
    first_seen_us: Mapped[int] = mapped_column(BigInteger)
    thing_id: Mapped[int | None] = mapped_column(
        ForeignKey("thing.id", ondelete="CASCADE"), unique=True
    )
