"""Writing entities; see `core.entities`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace
from sqlalchemy import Connection, delete, insert, select

from penstock.catalog.admission import chunks
from penstock.catalog.database import Database
from penstock.catalog.dialects.upserting import upsert
from penstock.catalog.entities import writing_features as features
from penstock.catalog.entities.writing_change import Change
from penstock.catalog.entities.writing_creation import Creation
from penstock.catalog.entities.writing_links import check_exists, unlink
from penstock.catalog.entities.writing_removal import remove
from penstock.catalog.models import (
    Datastream,
    FeatureOfInterest,
    MovedObservation,
    UnfinishedWrite,
)
from penstock.core.entities import Identity, Made, New, Removed


class SqlWriter:
    """Writes entities into the catalog's tables: each call is one transaction.

    Meets `EntityWriter`, `FeatureRecords` and `MovedObservations` of `core.entities`, and
    `UnfinishedWrites`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        #: Whether observations were moved; None while nobody has asked. Nobody else writes there.
        self._has_moved: bool | None = None

    def create(
        self, new: New, system: int, now_us: int, note: Callable[[Made], bytes] | None = None
    ) -> Made:
        """Make an entity and those within it: all or nothing."""
        with self._database.write() as connection:
            made = Creation(connection, system, now_us).run(new)
            if note is not None:
                made = replace(made, unfinished=_keep(connection, note(made)))
            return made

    def begin(self, note: bytes) -> int:
        """Keep a note of what is still to be done and return its id."""
        with self._database.write() as connection:
            return _keep(connection, note)

    def unfinished(self) -> Mapping[int, bytes]:
        """Return the notes that are kept, in the order in which they came."""
        query = select(UnfinishedWrite.id, UnfinishedWrite.note).order_by(UnfinishedWrite.id)
        with self._database.read() as connection:
            return {row.id: row.note for row in connection.execute(query)}

    def finish(self, id_: int) -> None:
        """Forget a note."""
        with self._database.write() as connection:
            connection.execute(delete(UnfinishedWrite).where(UnfinishedWrite.id == id_))

    def update(self, id_: int, change: New, system: int | None, now_us: int) -> None:
        """Change the properties given, and replace the links given."""
        with self._database.write() as connection:
            check_exists(connection, change.type, id_)
            Change(connection, change.type, id_, system, now_us).update(change)

    def replace(self, id_: int, new: New, system: int | None, now_us: int) -> None:
        """Set all properties: those not given get their defaults."""
        with self._database.write() as connection:
            check_exists(connection, new.type, id_)
            Change(connection, new.type, id_, system, now_us).replace(new)

    def delete(self, type_: str, id_: int, check: Callable[[], object] | None = None) -> Removed:
        """Remove an entity and what cannot be without it."""
        with self._database.write() as connection:
            check_exists(connection, type_, id_)
            if check is not None:
                check()
            return remove(connection, type_, id_)

    def unlink(self, type_: str, id_: int, link: str, target: int) -> None:
        """Take a target off a link to many that does not need it."""
        with self._database.write() as connection:
            check_exists(connection, type_, id_)
            unlink(connection, type_, id_, link, target)

    def own_features(self, datastreams: Sequence[int]) -> Mapping[int, int]:
        """Return the FeatureOfInterest that stands for feature 0 of each datastream."""
        found = self._settled(datastreams)
        missing = [id_ for id_ in datastreams if id_ not in found]
        if missing and self._is_somewhere(missing):
            with self._database.write() as connection:
                found |= (own := features.own_features(connection, missing))
                features.extend_areas(connection, {id_: [own[id_]] for id_ in own})
        return found

    def known_features(self, datastreams: Sequence[int]) -> Mapping[int, int]:
        """Return what `own_features` does, of those that are made already; makes none."""
        return self._settled(datastreams)

    def features_now(self, datastreams: Sequence[int]) -> Mapping[int, int]:
        """Return the feature of observations made now that name none: 0 for the own one."""
        own = self.own_features(datastreams)
        with self._database.read() as connection:
            now = features.known_features_of_places(connection, datastreams)
        unmade = [id_ for id_, feature in now.items() if feature is None]
        made: dict[int, int] = {}
        if unmade:
            with self._database.write() as connection:
                made = features.features_of_places(connection, unmade)
        current = {id_: made.get(id_) if f is None else f for id_, f in now.items()}
        return {
            id_: 0 if feature == own.get(id_) else feature
            for id_, feature in current.items()
            if feature is not None
        }

    def extend_areas(self, seen: Mapping[int, Sequence[int]]) -> None:
        """Make the `observedArea` of datastreams hold these features (0 is the own one) too."""
        of_own = [id_ for id_, some in seen.items() if 0 in some]
        own = self.own_features(of_own) if of_own else {}
        named = {
            id_: [feature or own.get(id_, 0) for feature in some] for id_, some in seen.items()
        }
        with self._database.write() as connection:
            features.extend_areas(connection, named)

    def datastreams_at(self, feature: int) -> Sequence[int]:
        """Return the datastreams whose own feature (0) is this FeatureOfInterest."""
        query = select(Datastream.id).where(Datastream.feature_id == feature)
        with self._database.read() as connection:
            return list(connection.execute(query.order_by(Datastream.id)).scalars())

    def has_moved(self) -> bool:
        """Tell whether any moved observation may be remembered; asks the database once."""
        if self._has_moved is None:
            with self._database.read() as connection:
                one = connection.execute(select(MovedObservation.id).limit(1)).first()
            # A move that came meanwhile stays true.
            self._has_moved = self._has_moved or one is not None
        return self._has_moved

    def moved(self, ids: Sequence[str]) -> Mapping[str, Identity]:
        """Return where observations are now that were moved from the identity of their id."""
        moved = MovedObservation
        query = select(moved.id, moved.datastream_id, moved.time_us, moved.feature)
        found: dict[str, Identity] = {}
        with self._database.read() as connection:
            for chunk in chunks(dict.fromkeys(ids)):
                for id_, *identity in connection.execute(query.where(moved.id.in_(chunk))):
                    found[id_] = Identity(*identity)
        return found

    def move(self, id_: str, to: Identity | None) -> None:
        """Remember where the observation with an id is now; None forgets it."""
        with self._database.write() as connection:
            if to is None:
                _forget(connection, [id_])
                return
            place = {"datastream_id": to.datastream, "time_us": to.time_us, "feature": to.feature}
            connection.execute(
                upsert(MovedObservation)
                .values(id=id_, **place)
                .on_conflict_do_update(index_elements=["id"], set_=place)
            )
        self._has_moved = True

    def forget(self, ids: Sequence[str]) -> None:
        """Forget where the observations with some ids are."""
        if ids:
            with self._database.write() as connection:
                _forget(connection, ids)

    def _settled(self, datastreams: Sequence[int]) -> dict[int, int]:
        query = select(Datastream.id, FeatureOfInterest.id).join(
            FeatureOfInterest, FeatureOfInterest.id == Datastream.feature_id
        )
        with self._database.read() as connection:
            return {
                id_: feature
                for chunk in chunks(datastreams)
                for id_, feature in connection.execute(query.where(Datastream.id.in_(chunk)))
            }

    def _is_somewhere(self, datastreams: Sequence[int]) -> bool:
        """Tell whether a Thing of these has a Location: asking costs less than writing nothing."""
        with self._database.read() as connection:
            return bool(features.known_features_of_places(connection, datastreams))


def _keep(connection: Connection, note: bytes) -> int:
    made = connection.execute(insert(UnfinishedWrite).values(note=note)).inserted_primary_key
    assert made is not None
    return int(made[0])


def _forget(connection: Connection, ids: Sequence[str]) -> None:
    for chunk in chunks(ids):
        connection.execute(delete(MovedObservation).where(MovedObservation.id.in_(chunk)))
