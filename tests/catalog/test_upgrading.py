"""A catalog of an earlier version keeps everything when it is opened today."""

import sqlite3
from pathlib import Path

import msgspec
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from tests.catalog.template import ON_POSTGRES

from penstock.catalog import SqlCatalog
from penstock.catalog.entities import SqlEntities
from penstock.catalog.schema import MIGRATIONS
from penstock.core.access import EVERYTHING, Scope
from penstock.core.catalog import Policy
from penstock.core.entities import New, Query
from penstock.core.series import Series

pytestmark = pytest.mark.skipif(ON_POSTGRES, reason="no catalog in PostgreSQL is that old")

ROWS = """
INSERT INTO sensor (id, name, encoding_type, metadata, description, properties)
    VALUES (1, '', '', '', '', '{}');
INSERT INTO observed_property (id, name, definition, description, properties)
    VALUES (1, 'temp', '', '', '{}');
INSERT INTO thing (id, name, position, located_us, description, properties)
    VALUES (7, 'site.boiler', '[1.0, 2.0]', 5, 'd', '{"a": 1}');
INSERT INTO location (id, name, encoding_type, location, description, properties)
    VALUES (3, 'l', 'application/geo+json', '{}', '', '{}');
INSERT INTO thing_location VALUES (7, 3);
INSERT INTO historical_location (id, thing_id, time_us) VALUES (4, 7, 5);
INSERT INTO historical_location_location VALUES (4, 3);
INSERT INTO datastream (id, name, full_name, thing_id, sensor_id, observed_property_id,
    observation_type, unit_name, unit_symbol, unit_definition, retention_s, search, description,
    properties)
    VALUES (9, 'temp', 'site.boiler.temp', 7, 1, 1, 'Measurement', '', '', '', 60.0,
    'site.boiler.temp', '', '{}');
INSERT INTO device (name, status, first_seen_us, thing_id) VALUES
    ('site.boiler', 'enrolled', 5, 7), ('waits', 'pending', 6, NULL);
"""


MORE_ROWS = """
INSERT INTO actuator (id, name, encoding_type, metadata, description, properties)
    VALUES (2, 'valve', 'text/plain', 'commands', '', '{}');
INSERT INTO tasking_capability (id, name, tasking_parameters, thing_id, actuator_id, description,
    properties) VALUES (5, 'close', '{}', 7, 2, '', '{}');
INSERT INTO task (id, key, tasking_capability_id, tasking_parameters, creation_time_us, state,
    expires_us, message, made_by) VALUES (6, 'k', 5, '{}', 1, 'sent', 9, '', '');
INSERT INTO device_fact (thing_id, type, topic, client, retired) VALUES (7, 'valve', '', '', 0);
INSERT INTO data_grant (id, owner_id, reader_id, datastream_id, state, note, decided_by,
    created_us, created_by) VALUES (8, 1, 1, 9, 'granted', '', '', 0, '');
"""

REGISTRATION_ROWS = """
INSERT INTO leaving_device (system_id, name) VALUES (1, 'site.pump');
INSERT INTO registration_request (id, name, display_name, note, password_hash, address, at_us)
    VALUES (11, 'ada@example.org', 'Ada', 'please', 'hash', '127.0.0.1', 12);
INSERT INTO feature_of_interest (id, name, encoding_type, feature, description, properties)
    VALUES (12, 'air', 'application/geo+json', '{"type": "Point"}', 'd', '{}');
UPDATE sensor SET name = 'probe', metadata = 'probe.pdf', properties = '{"a": [1]}' WHERE id = 1;
"""
#: Tables that version 0005 makes anew or leaves, with as many rows as there were.
HELD = {
    "sensor": 1,
    "observed_property": 1,
    "thing": 1,
    "location": 1,
    "thing_location": 1,
    "historical_location": 1,
    "historical_location_location": 1,
    "datastream": 1,
    "device": 2,
    "actuator": 1,
    "tasking_capability": 1,
    "task": 1,
    "device_fact": 1,
    "data_grant": 1,
    "leaving_device": 1,
    "registration_request": 1,
    "feature_of_interest": 1,
}


def made_by(version: str, file: Path, rows: str) -> None:
    """Leave a catalog as that version of the tables had it."""
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, version)
    engine.dispose()
    with sqlite3.connect(file) as held:
        held.executescript(rows)
    held.close()


def test_names_that_were_unique_may_come_twice_and_nothing_is_lost(tmp_path: Path) -> None:
    file = tmp_path / "catalog.db"
    made_by("0003", file, ROWS + MORE_ROWS)
    catalog = SqlCatalog.open(file)
    again = catalog.enrol([Series(thing="site.boiler", name="temp")], Policy.CLOSED, 9)
    assert again[0].datastream == 9
    catalog.close()
    with sqlite3.connect(file) as held:
        for table in ("actuator", "tasking_capability", "task", "device_fact", "data_grant"):
            assert held.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,), table
        assert held.execute("PRAGMA foreign_key_check").fetchall() == []
        copy = "INSERT INTO thing (name, description, properties) SELECT name, '', '{}' FROM thing"
        held.execute(copy)
        assert held.execute("SELECT max(id) FROM thing").fetchone() == (8,)
        kept = held.execute("SELECT observation_type_uri, multi, search FROM datastream").fetchone()
        assert kept == ("", None, "site.boiler.temp")
    held.close()


def test_what_was_there_before_sensorthings_stays_and_can_be_written(tmp_path: Path) -> None:
    file = tmp_path / "catalog.db"
    made_by("0004", file, ROWS + MORE_ROWS + REGISTRATION_ROWS)
    with sqlite3.connect(file) as held:
        before = {table: _rows(held, table) for table in HELD}
        assert {table: len(rows) for table, rows in before.items()} == HELD
    held.close()
    catalog = SqlCatalog.open(file)
    entities = SqlEntities(catalog.database)
    (stream,) = entities.find(
        Query(type="Datastream", scope=EVERYTHING, links=("Thing", "Sensor", "ObservedProperty"))
    )
    links = {name: stream[f"{name}@iot.id"] for name in ("Thing", "Sensor", "ObservedProperty")}
    assert (stream["@iot.id"], links) == (9, {"Thing": 7, "Sensor": 1, "ObservedProperty": 1})
    (sensor,) = entities.find(Query(type="Sensor", scope=EVERYTHING))
    assert (sensor["name"], msgspec.json.encode(sensor["metadata"])) == ("probe", b'"probe.pdf"')
    same = {"name": "probe", "description": "", "encodingType": "", "metadata": {"of": "two"}}
    made = entities.create(New(type="Sensor", values=same), 1, 20)
    assert made.id == 2
    assert entities.system_of("Task", 6) == 1
    catalog.close()
    with sqlite3.connect(file) as held:
        for table, rows in before.items():
            after = _rows(held, table)
            for old, new in zip(rows, after, strict=False):
                assert old.items() <= new.items(), table
            assert len(after) == len(rows) + (table == "sensor"), table
        assert held.execute("PRAGMA foreign_key_check").fetchall() == []
    held.close()


def _rows(held: sqlite3.Connection, table: str) -> list[dict[str, object]]:
    found = held.execute(f"SELECT * FROM {table} ORDER BY 1, 2")
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found]


def test_everything_is_still_there_and_belongs_to_the_default_system(tmp_path: Path) -> None:
    file = tmp_path / "catalog.db"
    made_by("0001", file, ROWS)
    catalog = SqlCatalog.open(file)
    (info,) = catalog.datastreams(scope=Scope(systems=frozenset({1})))
    assert (info.id, info.name, info.thing_id, info.system) == (9, "site.boiler.temp", 7, 1)
    assert (info.location, info.thing_properties, info.retention_s) == ((1.0, 2.0), {"a": 1}, 60.0)
    assert {device.name: device.thing_id for device in catalog.devices()} == {
        "site.boiler": 7,
        "waits": None,
    }
    again = catalog.enrol([Series(thing="site.boiler", name="temp")], Policy.CLOSED, 9)
    assert again[0].datastream == 9
    catalog.close()
    with sqlite3.connect(file) as held:
        for table in ("thing_location", "historical_location", "historical_location_location"):
            assert held.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,), table
        assert held.execute("PRAGMA foreign_key_check").fetchall() == []
    held.close()
