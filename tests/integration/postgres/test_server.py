"""The server that other tests run against is what they take it for."""

import psycopg
import pytest
from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.postgres


def test_each_database_is_of_its_own(postgres_server: PostgresServer) -> None:
    one, other = postgres_server.new_database(), postgres_server.new_database()
    with psycopg.connect(one) as connection:
        connection.execute("CREATE TABLE here (id integer)")
    with psycopg.connect(other) as connection:
        assert connection.execute("SELECT to_regclass('here')").fetchone() == (None,)
    for url in (one, other):
        postgres_server.drop_database(url)


def test_texts_sort_by_english_rules_unless_one_says_otherwise(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        plain = "SELECT t FROM (VALUES ('a'), ('B'), ('é'), ('f')) AS v (t) ORDER BY t"
        assert [row[0] for row in connection.execute(plain)] == ["a", "B", "é", "f"]
        exact = [row[0] for row in connection.execute(plain + ' COLLATE "C"')]
        assert exact == ["B", "a", "f", "é"]


def test_a_killed_server_has_what_was_committed(own_postgres_server: PostgresServer) -> None:
    url = own_postgres_server.new_database()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE here (id integer)")
        connection.execute("INSERT INTO here VALUES (7)")
    own_postgres_server.kill()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    own_postgres_server.start()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT id FROM here").fetchone() == (7,)
