"""What goes wrong: processes and servers that end, a second writer, a full disk, bad addresses."""

import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psycopg
import pytest
from tests.postgres_server import PostgresServer
from tests.stores.postgres.writer_victim import ROWS, SECOND

from penstock.core.errors import (
    Backpressure,
    ConfigError,
    Conflict,
    DiskFull,
    MissingDependency,
    NotConnected,
)
from penstock.core.observation import observations
from penstock.core.selection import Selection
from penstock.stores.postgres import PostgresStore, session
from penstock.stores.settings import PostgresSettings
from penstock.testing.store_contract import check_summaries
from penstock.testing.store_model import Row, StoreModel, batch_of, rows_of

pytestmark = pytest.mark.postgres
Open = Callable[..., PostgresStore]

FULL = """CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON penstock.observations
FOR EACH ROW EXECUTE FUNCTION full_disk()"""


def expected_of(batches: int) -> StoreModel:
    """Return what the victim has kept after so many batches."""
    model = StoreModel()
    for number in range(batches):
        model.append(
            [
                Row(datastream=1 + r % 3, time_us=(number + r) * SECOND, number=float(number))
                for r in range(ROWS)
            ]
        )
    return model


def test_a_killed_writer_has_kept_what_it_said_and_whole_batches_only(
    postgres_url: str, open_store: Open
) -> None:
    said = 0
    for round_ in range(3):
        with subprocess.Popen(
            [sys.executable, "-m", "tests.stores.postgres.writer_victim", postgres_url],
            stdout=subprocess.PIPE,
            text=True,
        ) as victim:
            assert victim.stdout is not None
            for _ in range(10 + round_):
                said = int(victim.stdout.readline())
            victim.kill()
        store = open_store(lock_wait_s=30.0)
        kept = store.marks["door"]
        assert kept >= said
        model = expected_of(kept)
        assert rows_of(store.scan(Selection())) == model.scan(Selection())
        check_summaries(store, model)
        store.close()


def test_a_crash_of_the_server_loses_nothing_and_the_store_goes_on_by_itself(
    own_postgres_server: PostgresServer,
) -> None:
    store = PostgresStore.open(own_postgres_server.new_database())
    model = StoreModel()
    for number in range(3):
        rows = [Row(datastream=d, time_us=number * SECOND, number=1.5) for d in (1, 2)]
        batch = batch_of(rows)
        store.append(batch, {"door": number})
        model.append(rows)
        assert rows_of(store.scan(Selection())) == model.scan(Selection())
        own_postgres_server.kill()
        for refused in (
            partial(store.append, batch, {"door": 99}),
            lambda: store.scan(Selection()),
            store.count,
            lambda: store.delete(Selection()),
        ):
            with pytest.raises(NotConnected, match="does not answer"):
                refused()
        assert dict(store.marks) == {"door": number}
        own_postgres_server.start()
        assert rows_of(store.scan(Selection())) == model.scan(Selection())
        check_summaries(store, model)
    store.close()


def test_many_threads_read_on_after_their_connections_ended(
    open_store: Open, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(connections=3)
    store.append(observations([1], [1], [1.0]))
    counts: list[int] = []

    def read() -> None:
        counts.extend(store.count() for _ in range(5))

    for _ in range(2):
        threads = [threading.Thread(target=read) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        postgres_server.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'penstock'"
        )
    assert counts == [1] * 60
    monkeypatch.setattr(session, "BELIEVED_S", 0.0)
    assert store.append(observations([1], [2], [1.0])) == 1
    assert store.count() == 2


def test_a_second_writer_is_refused_and_told_who_writes(open_store: Open) -> None:
    first = open_store()
    with pytest.raises(Conflict, match=r"another Penstock \(from .*, since .*\) writes to schema"):
        open_store()
    open_store(schema="elsewhere").append(observations([1], [1], [2.0]))
    first.append(observations([1], [1], [1.0]))
    first.close()
    assert open_store().count() == 1


def test_who_lost_its_connection_writes_nothing_over_its_successor(
    open_store: Open, postgres_server: PostgresServer
) -> None:
    first = open_store()
    postgres_server.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'penstock'"
    )
    second = open_store()
    with pytest.raises(NotConnected):
        first.append(observations([1], [1], [1.0]))
    with pytest.raises(Conflict, match="another Penstock"):
        first.append(observations([1], [1], [1.0]))
    assert second.count() == 0
    second.close()
    assert first.append(observations([1], [1], [1.0])) == 1


def test_a_full_disk_keeps_nothing_and_says_so(open_store: Open, postgres_url: str) -> None:
    store = open_store()
    store.append(observations([1], [1], [1.0]), {"door": 1})
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(FULL)
        with pytest.raises(DiskFull, match=r"no disk space left: .*could not extend file"):
            store.append(observations([1, 2], [2, 2], [1.0, 1.0]), {"door": 2})
        assert (store.count(), dict(store.marks)) == (1, {"door": 1})
        admin.execute("DROP TRIGGER full_disk ON penstock.observations")
    store.append(observations([1, 2], [2, 2], [1.0, 1.0]), {"door": 2})
    assert (store.count(), dict(store.marks)) == (3, {"door": 2})


def test_a_lock_that_somebody_holds_is_backpressure(open_store: Open, postgres_url: str) -> None:
    store = open_store(url=f"{postgres_url}&options=-c%20lock_timeout%3D50")
    store.append(observations([1], [1], [1.0]))
    with psycopg.connect(postgres_url) as other:
        other.execute("LOCK TABLE penstock.observations IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(Backpressure, match="is busy"):
            store.append(observations([1], [2], [1.0]))
    assert store.append(observations([1], [2], [1.0])) == 1


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("postgresql://me:geheim%21@127.0.0.1:1/x", NotConnected),
        ("postgresql://me:geheim%21@127.0.0.1:geheim%21/x", NotConnected),
        ("postgresql://me@127.0.0.1:1/x?password=geheim%21", NotConnected),
        ("postgresql://me:geheim%21@/x?host=/nowhere&nonsense=geheim%21", NotConnected),
    ],
)
def test_errors_never_show_a_password(url: str, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        PostgresStore.open(url)
    assert "geheim" not in str(caught.value)


def test_a_database_that_is_not_there_or_refuses_says_so(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    # The driver does not say why it cannot connect other than in words.
    with pytest.raises(NotConnected, match='database "nowhere" does not exist'):
        PostgresStore.open(postgres_server.url("nowhere"))
    postgres_server.sql("DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN")
    with pytest.raises(ConfigError, match="permission denied"):
        PostgresStore.open(postgres_url.replace("penstock@", "guest@"))


def test_tables_of_a_newer_penstock_are_left_alone(open_store: Open, postgres_url: str) -> None:
    open_store().close()
    with psycopg.connect(postgres_url) as admin:
        admin.execute("UPDATE penstock.layout SET format = 99")
    with pytest.raises(ConfigError, match="newer Penstock"):
        open_store()


def test_a_database_in_another_encoding_is_refused(postgres_server: PostgresServer) -> None:
    postgres_server.sql(
        "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0"
    )
    try:
        with pytest.raises(ConfigError, match="encoding LATIN1"):
            PostgresStore.open(postgres_server.url("latin"))
    finally:
        postgres_server.drop_database(postgres_server.url("latin"))


def test_a_missing_driver_is_named_with_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "adbc_driver_postgresql", None)
    monkeypatch.setitem(sys.modules, "adbc_driver_manager", None)
    session.driver_error.cache_clear()
    try:
        with pytest.raises(MissingDependency, match=r"pip install 'penstock\[postgres\]'"):
            PostgresStore.open("postgresql:///x", PostgresSettings())
    finally:
        session.driver_error.cache_clear()


def test_rows_that_something_else_wrote_are_replaced(open_store: Open, postgres_url: str) -> None:
    store = open_store()
    store.append(observations([1], [1], [1.0]))
    with psycopg.connect(postgres_url) as other:
        other.execute(
            "INSERT INTO penstock.observations (datastream, time, number, feature) "
            "VALUES (1, '1970-01-01 00:00:05+00', 7, 0)"
        )
    store.append(observations([1, 1], [5 * SECOND, 6 * SECOND], [2.0, 3.0]), {"door": 5})
    assert rows_of(store.scan(Selection()))[1:] == [
        Row(datastream=1, time_us=5 * SECOND, number=2.0),
        Row(datastream=1, time_us=6 * SECOND, number=3.0),
    ]
    assert dict(store.marks) == {"door": 5}


def test_the_source_of_this_store_is_the_only_one_that_knows_the_driver() -> None:
    source = Path(__file__).parents[3] / "src" / "penstock"
    knowing = {
        path.parent.name for path in source.rglob("*.py") if "import dbapi" in path.read_text()
    }
    assert knowing == {"postgres"}
