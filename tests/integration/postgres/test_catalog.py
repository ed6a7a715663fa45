"""A catalog in PostgreSQL: what differs from a file, and what the server does to us."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg.errors
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import String, insert, select, text
from tests.catalog.template import empty_database
from tests.postgres_server import PostgresServer, name_of, shared

from penstock.catalog import CatalogSettings, SqlCatalog
from penstock.catalog.dialects import postgresql_owner
from penstock.catalog.dialects.postgresql_errors import ours
from penstock.catalog.entities import SqlEntities
from penstock.catalog.models import Thing
from penstock.catalog.tables import Base
from penstock.core.access import EVERYTHING
from penstock.core.catalog import Policy
from penstock.core.entities import Query
from penstock.core.errors import (
    Backpressure,
    ConfigError,
    Conflict,
    DiskFull,
    InvalidInput,
    NotConnected,
    NotSupported,
    PenstockError,
)
from penstock.core.expression import Shape
from penstock.core.series import Series
from penstock.runtime.catalog import catalog_health, open_catalog
from penstock.runtime.config import Config, load
from penstock.runtime.finding import Level
from penstock.testing.entities_contract import apply, path, place, thing

pytestmark = pytest.mark.postgres

A_SERIES = [Series(thing="boiler", name="temperature")]


@pytest.fixture
def url(postgres_server: PostgresServer) -> Iterator[str]:
    """An empty catalog's database."""
    url = shared().new_database(empty_database())
    yield url
    shared().drop_database(url)


@pytest.fixture
def catalog(url: str) -> Iterator[SqlCatalog]:
    with closing(SqlCatalog.open(url)) as catalog:
        yield catalog


def names(catalog: SqlCatalog) -> list[str]:
    with catalog.database.read() as connection:
        return list(connection.execute(select(Thing.name).order_by(Thing.name)).scalars())


# Tables


def test_the_migrations_make_the_tables_of_the_models(catalog: SqlCatalog) -> None:
    with catalog.database.read() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                # How long texts may be is not the database's to say.
                "compare_type": lambda *types: (
                    False if all(isinstance(one, String) for one in types[-2:]) else None
                ),
                "include_object": lambda _, name, kind, *__: (
                    kind != "table" or name in Base.metadata.tables
                ),
            },
        )
        assert compare_metadata(context, Base.metadata) == []


def test_texts_are_in_the_order_of_their_code_points(catalog: SqlCatalog) -> None:
    with catalog.database.write() as connection:
        connection.execute(insert(Thing), [{"name": one} for one in ("b", "a", "B", "é", "z")])
    assert names(catalog) == ["B", "a", "b", "z", "é"]


def test_ids_go_on_behind_the_defaults_and_are_never_used_again(catalog: SqlCatalog) -> None:
    with catalog.database.write() as connection:
        assert catalog.database.dialect.last_id(connection, "system") == 1
        assert catalog.database.dialect.last_id(connection, "alarm") == 0


def test_two_that_open_an_empty_database_at_once_make_one_catalog(postgres_url: str) -> None:
    made: list[SqlCatalog] = []
    settings = CatalogSettings(busy_timeout_s=100)
    openers = [
        threading.Thread(target=lambda: made.append(SqlCatalog.open(postgres_url, settings)))
        for _ in range(3)
    ]
    for one in openers:
        one.start()
    for one in openers:
        one.join()
    assert [catalog.enrol(A_SERIES, Policy.AUTOMATIC, 1)[0].datastream for catalog in made] == [
        1
    ] * 3
    for catalog in made:
        catalog.close()


def test_two_schemas_of_a_database_are_two_catalogs(postgres_url: str) -> None:
    name = name_of(postgres_url)
    for schema in ("one", "other"):
        shared().sql(f"CREATE SCHEMA {schema}", name)
    urls = [f"{postgres_url}&options=-csearch_path%3D{one},public" for one in ("one", "other")]
    one, other = (SqlCatalog.open(url) for url in urls)
    one.enrol(A_SERIES, Policy.AUTOMATIC, 1)
    assert (one.count_datastreams(), other.count_datastreams()) == (1, 0)
    one.close()
    other.close()


def test_a_catalog_of_a_newer_penstock_is_refused(url: str) -> None:
    shared().sql("UPDATE alembic_version SET version_num = '9999'", name_of(url))
    with pytest.raises(ConfigError, match="9999"):
        SqlCatalog.open(url)


# Writing


@pytest.mark.parametrize(("durable", "wanted"), [(True, "on"), (False, "off")])
@pytest.mark.parametrize("usual", ["on", "off"])
def test_what_is_durable_waits_for_the_disk(
    url: str, durable: bool, wanted: str, usual: str
) -> None:
    name = name_of(url)
    shared().sql(f"ALTER DATABASE {name} SET synchronous_commit = {usual}")
    with closing(SqlCatalog.open(url)) as catalog:
        with catalog.database.write(durable=durable) as connection:
            assert connection.execute(text("SHOW synchronous_commit")).scalar() == wanted
        with catalog.database.read() as connection:
            assert connection.execute(text("SHOW synchronous_commit")).scalar() == usual


def test_what_the_server_promises_beyond_the_disk_stays(url: str) -> None:
    shared().sql(f"ALTER DATABASE {name_of(url)} SET synchronous_commit = 'remote_apply'")
    with closing(SqlCatalog.open(url)) as catalog, catalog.database.write() as connection:
        assert connection.execute(text("SHOW synchronous_commit")).scalar() == "remote_apply"


def test_another_program_that_writes_is_waited_for_and_then_a_reason_to_retry(url: str) -> None:
    with (
        closing(SqlCatalog.open(url)) as other,
        closing(SqlCatalog.open(url, CatalogSettings(busy_timeout_s=0.05))) as catalog,
    ):
        with other.database.write() as connection:
            connection.execute(insert(Thing), {"name": "theirs"})
            with pytest.raises(Backpressure, match="held by another"):
                catalog.enrol(A_SERIES, Policy.AUTOMATIC, 1)
            assert names(catalog) == []
        catalog.enrol(A_SERIES, Policy.AUTOMATIC, 1)
        assert names(catalog) == ["boiler", "theirs"]


def test_a_reader_sees_one_moment_and_cannot_write(catalog: SqlCatalog) -> None:
    with catalog.database.read() as connection:
        assert connection.execute(select(Thing.id)).all() == []
        catalog.enrol(A_SERIES, Policy.AUTOMATIC, 1)
        assert connection.execute(select(Thing.id)).all() == []
    with pytest.raises(PenstockError), catalog.database.read() as connection:
        connection.execute(insert(Thing), {"name": "smuggled"})


def test_nul_in_json_is_refused_with_its_reason(catalog: SqlCatalog) -> None:
    entities = SqlEntities(catalog.database)
    with pytest.raises(InvalidInput, match="NUL"):
        entities.create(thing("t", {"a": "x\0y"}), 1, 1)
    entities.create(thing("t", {"a": "x\\u0000y"}), 1, 1)
    (row,) = entities.find(Query(type="Thing", scope=EVERYTHING))
    assert b"u0000" in bytes(row["properties"])  # type: ignore[arg-type]


# Geometries


def inside(entities: SqlEntities) -> list[object]:
    area = Shape("POLYGON ((0 0, 2 0, 2 2, 0 2, 0 0))")
    where = apply("st_within", path("location"), area)
    query = Query(type="Location", scope=EVERYTHING, where=where)
    return [row["@iot.id"] for row in entities.find(query)]


def test_without_postgis_all_but_geometries_works_and_with_it_they_do(
    postgres_server: PostgresServer,
) -> None:
    server, database = postgres_server, "plain_catalog"
    server.sql("CREATE ROLE plain LOGIN")
    server.sql(f"CREATE DATABASE {database} OWNER plain")
    url = server.url(database, user="plain")
    with closing(SqlCatalog.open(url)) as catalog:
        entities = SqlEntities(catalog.database)
        entities.create(place(1, 1), 1, 1)
        assert len(entities.find(Query(type="Location", scope=EVERYTHING))) == 1
        with pytest.raises(NotSupported, match="CREATE EXTENSION postgis"):
            inside(entities)
    health = catalog_health(Config(catalog=CatalogSettings(url=url)))
    assert "without PostGIS" in health.found
    server.sql("CREATE EXTENSION postgis", database)
    with closing(SqlCatalog.open(url)) as catalog:
        assert len(inside(SqlEntities(catalog.database))) == 1
    health = catalog_health(Config(catalog=CatalogSettings(url=url)))
    assert "PostGIS 3" in health.found
    server.drop_database(url)
    server.sql("DROP ROLE plain")


# What goes wrong


@pytest.mark.parametrize("end", [PostgresServer.stop, PostgresServer.kill])
def test_after_the_server_was_started_again_everything_goes_on(
    own_postgres_server: PostgresServer, end: Callable[[PostgresServer], None]
) -> None:
    server = own_postgres_server
    with closing(SqlCatalog.open(server.new_database())) as catalog:
        first = catalog.enrol(A_SERIES, Policy.AUTOMATIC, 1)
        end(server)
        for _ in range(3):
            with pytest.raises(NotConnected, match="tried again"):
                catalog.enrol(A_SERIES, Policy.AUTOMATIC, 2)
        with pytest.raises(NotConnected):
            catalog.datastreams()
        server.start()
        assert catalog.enrol(A_SERIES, Policy.AUTOMATIC, 3) == first
        assert catalog.count_datastreams() == 1


def test_a_wrong_password_is_said_and_not_shown(
    own_postgres_server: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    server = own_postgres_server
    server.sql("CREATE ROLE guarded LOGIN PASSWORD 'right'")
    server.sql("CREATE DATABASE guarded OWNER guarded")
    rules = Path(server.data) / "pg_hba.conf"
    rules.write_text("local all guarded scram-sha-256\nlocal all all trust\n")
    server.sql("SELECT pg_reload_conf()")
    wrong = server.url("guarded", user="guarded", password="not-the-password")
    with caplog.at_level(logging.DEBUG), pytest.raises(ConfigError) as refused:
        SqlCatalog.open(wrong)
    chain, error = "", refused.value
    while error is not None:
        chain, error = chain + str(error) + repr(error), error.__cause__ or error.__context__  # type: ignore[assignment]
    assert "not-the-password" not in chain + caplog.text
    assert "guarded" in str(refused.value)
    right = server.url("guarded", user="guarded", password="right")
    SqlCatalog.open(right).close()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:hidden@[::1/db",
        "postgresql://u:hidden@h/d?what=1",
        "mysql://u:hidden@h/d",
    ],
)
def test_a_url_that_cannot_be_read_is_not_shown(url: str) -> None:
    for use in (
        SqlCatalog.open,
        lambda url: open_catalog(Config(catalog=CatalogSettings(url=url))),
    ):
        with pytest.raises(ConfigError) as refused:
            use(url)  # type: ignore[operator]
        assert "hidden" not in str(refused.value)
        assert "postgresql://USER@HOST" in str(refused.value)


def test_what_is_not_there_is_said(postgres_server: PostgresServer, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="createdb"):
        SqlCatalog.open(postgres_server.url("nothing_of_this_name"))
    with pytest.raises(NotConnected, match="cannot be reached"):
        SqlCatalog.open(f"postgresql://u@/d?host={tmp_path}")
    health = catalog_health(
        Config(catalog=CatalogSettings(url=f"postgresql://u@/d?host={tmp_path}"))
    )
    assert health.level is Level.PROBLEM


def test_a_user_who_may_not_make_tables_is_told_what_is_missing(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    postgres_server.sql("CREATE ROLE nobody LOGIN")
    with pytest.raises(ConfigError, match="GRANT CREATE ON SCHEMA"):
        SqlCatalog.open(postgres_server.url(name_of(postgres_url), user="nobody"))
    postgres_server.sql("DROP ROLE nobody")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("53100", DiskFull),
        ("53200", Backpressure),
        ("53300", Backpressure),
        ("55P03", Backpressure),
        ("40001", Backpressure),
        ("40P01", Backpressure),
        ("54001", NotSupported),
        ("22003", InvalidInput),
        ("22021", InvalidInput),
        ("57P01", NotConnected),
        ("57P03", NotConnected),
        ("08006", NotConnected),
    ],
)
def test_what_the_server_refuses_is_in_our_words(code: str, kind: type[PenstockError]) -> None:
    assert type(ours(psycopg.errors.lookup(code)("as the server says it"))) is kind


# Settings


def test_the_url_may_come_from_the_environment(url: str) -> None:
    config = load(environ={"PENSTOCK_CATALOG_URL": url})
    with closing(open_catalog(config)) as catalog:
        assert catalog.count_datastreams() == 0
    health = catalog_health(config)
    assert health.level is Level.WARNING  # nothing is synced in tests
    assert "does not sync" in health.found


def test_a_catalog_has_one_hub(
    url: str, catalog: SqlCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql_owner, "_PATIENCE_S", 0.0)
    with closing(SqlCatalog.open(url, is_hub=True)) as hub:
        with pytest.raises(Conflict, match=r"another hub works with this catalog .*since 20"):
            SqlCatalog.open(url, is_hub=True)
        # Others than hubs may work with it.
        catalog.enrol(A_SERIES, Policy.AUTOMATIC, 0)
        assert hub.count_datastreams() == 1
    SqlCatalog.open(url, is_hub=True).close()


def test_a_hub_that_lost_the_server_takes_its_catalog_again_before_it_writes(
    own_postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql_owner, "_PATIENCE_S", 0.0)
    url = own_postgres_server.new_database()
    with closing(SqlCatalog.open(url, is_hub=True)) as hub:
        own_postgres_server.kill()
        own_postgres_server.start()
        _again(lambda: hub.enrol(A_SERIES, Policy.AUTOMATIC, 0))
        with pytest.raises(Conflict):
            SqlCatalog.open(url, is_hub=True)
        own_postgres_server.kill()
        own_postgres_server.start()
        other = [Series(thing="x", name="y")]
        with (
            closing(SqlCatalog.open(url, is_hub=True)),
            pytest.raises(Conflict, match="another hub"),
        ):
            _again(lambda: hub.enrol(other, Policy.AUTOMATIC, 0))
        assert hub.count_datastreams() == 1


def _again(do: Callable[[], object]) -> None:
    """Do something that may meet a connection that is gone."""
    for _ in range(5):
        try:
            do()
        except NotConnected:
            continue
        return
