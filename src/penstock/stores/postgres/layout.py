"""Tables: made when they are missing, and what they are made of.

- `observations`: the rows, by ranges of time; the primary key is the identity of an observation.
- `series`: of each datastream how many rows, from when to when, how far its values reach, and its
  newest row. Written with the rows, in one transaction.
- `marks`: positions in the log before which everything is here; likewise.
- `layout`: one row that says which form all this has.
"""

from __future__ import annotations

import msgspec

from penstock.core.errors import ConfigError
from penstock.stores.postgres.session import Session

#: The form of the tables; a greater one is of a newer Penstock.
FORMAT = 1
#: Oldest server with all that is used here.
OLDEST = 150_000

_OBSERVATIONS = """CREATE TABLE {schema}.observations (
    datastream bigint NOT NULL,
    time timestamptz NOT NULL,
    number double precision,
    feature bigint NOT NULL,
    end_time timestamptz,
    result_time timestamptz,
    text text COLLATE "C",
    parameters text COLLATE "C",
    PRIMARY KEY (datastream, time, feature)
){partitioned}"""
#: Blocks of a range of the index by time. 128 hold some 15,000 rows.
_BY_TIME = """CREATE INDEX observations_by_time ON {schema}.observations
    USING brin (time) WITH (pages_per_range = 128, autosummarize = on)"""
_SERIES = """CREATE TABLE {schema}.series (
    datastream bigint PRIMARY KEY,
    count bigint NOT NULL,
    revision bigint NOT NULL DEFAULT 0,
    first_time timestamptz NOT NULL,
    is_known boolean NOT NULL DEFAULT true,
    last_end_time timestamptz NOT NULL,
    first_result_time timestamptz,
    last_result_time timestamptz,
    min double precision,
    max double precision,
    time timestamptz NOT NULL,
    feature bigint NOT NULL,
    number double precision,
    end_time timestamptz,
    result_time timestamptz,
    text text COLLATE "C",
    parameters text COLLATE "C"
) WITH (fillfactor = 60)"""
_MARKS = 'CREATE TABLE {schema}.marks (name text COLLATE "C" PRIMARY KEY, "offset" bigint NOT NULL)'
_LAYOUT = """CREATE TABLE {schema}.layout (
    format integer NOT NULL,
    partition_us bigint NOT NULL,
    is_hypertable boolean NOT NULL
)"""


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """How the rows are laid out.

    Attributes:
        schema: Schema of the tables.
        partition_us: Width of a range of time, microseconds.
        is_hypertable: TimescaleDB cuts the ranges, not we.
    """

    schema: str
    partition_us: int
    is_hypertable: bool


def prepare(session: Session, schema: str, partition_us: int) -> Layout:
    """Return the layout of the tables in a schema; make them when they are missing.

    Raises:
        ConfigError: The server is too old, or the database has another encoding, or the tables are
            of a newer Penstock.
    """
    version = int(session.value("SELECT current_setting('server_version_num')"))
    if version < OLDEST:
        msg = f"PostgreSQL {version // 10_000} is too old; {OLDEST // 10_000} or newer is needed"
        raise ConfigError(msg)
    encoding = session.value("SELECT current_setting('server_encoding')")
    if encoding != "UTF8":
        msg = f"the database has the encoding {encoding}; make one with `createdb --encoding=UTF8`"
        raise ConfigError(msg)
    if session.value(f"SELECT to_regclass('{schema}.layout') IS NULL"):
        _make(session, schema, partition_us)
        session.commit()
    found = session.fetch(f"SELECT format, partition_us, is_hypertable FROM {schema}.layout")
    row = found.to_pylist()[0]
    if row.pop("format") > FORMAT:
        msg = f"schema {schema!r} was made by a newer Penstock; update this one"
        raise ConfigError(msg)
    return Layout(schema=schema, **row)


def _make(session: Session, schema: str, partition_us: int) -> None:
    if not session.value(f"SELECT to_regnamespace('{schema}') IS NOT NULL"):
        session.run(f"CREATE SCHEMA {schema}")
    is_hypertable = bool(
        session.value("SELECT count(*) > 0 FROM pg_extension WHERE extname = 'timescaledb'")
    )
    partitioned = "" if is_hypertable else " PARTITION BY RANGE (time)"
    for statement in (_OBSERVATIONS, _BY_TIME, _SERIES, _MARKS, _LAYOUT):
        session.run(statement.format(schema=schema, partitioned=partitioned))
    if is_hypertable:
        session.fetch(
            f"SELECT count(*) FROM create_hypertable('{schema}.observations', 'time', "
            "chunk_time_interval => "
            f"interval '{partition_us} microseconds', create_default_indexes => false)"
        )
    session.run(f"INSERT INTO {schema}.layout VALUES ({FORMAT}, {partition_us}, {is_hypertable})")


def make_temporary(session: Session, layout: Layout) -> None:
    """Make what the writer's connection puts aside: identities, changes of series, what is gone."""
    session.run(
        "CREATE TEMPORARY TABLE staged (datastream bigint, time timestamptz, feature bigint) "
        "ON COMMIT DELETE ROWS"
    )
    session.run(
        f"CREATE TEMPORARY TABLE changes (LIKE {layout.schema}.series, old_last_end_time "
        "timestamptz, old_first_result_time timestamptz, old_last_result_time timestamptz, "
        "old_min double precision, old_max double precision) ON COMMIT DELETE ROWS"
    )
    session.run(
        "CREATE TEMPORARY TABLE gone (datastream bigint, count bigint, first_time timestamptz, "
        "time timestamptz, last_end_time timestamptz, first_result_time timestamptz, "
        "last_result_time timestamptz, min double precision, max double precision) "
        "ON COMMIT DELETE ROWS"
    )
    session.run(
        "CREATE TEMPORARY TABLE found (datastream bigint, revision bigint, last_end_time "
        "timestamptz, first_result_time timestamptz, last_result_time timestamptz, "
        "min double precision, max double precision) ON COMMIT DELETE ROWS"
    )
    session.commit()
