"""Rows, series and tables: what the contract does not reach."""

from collections.abc import Callable

import msgspec
import numpy as np
import psycopg
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.errors import InvalidInput
from penstock.core.observation import observations
from penstock.core.selection import Cursor, Selection
from penstock.stores.memory import MemoryStore
from penstock.stores.postgres import PostgresStore, texts
from penstock.testing.store_contract import check_buckets, check_summaries
from penstock.testing.store_model import Row, StoreModel, batch_of, buckets_of, rows_of

pytestmark = pytest.mark.postgres
Open = Callable[..., PostgresStore]
DAY = 86_400_000_000
WEEK = 7 * DAY


@given(st.lists(st.none() | st.text(st.sampled_from("\0\ue00001ab"), max_size=6)))
def test_texts_come_back_whatever_characters_they_have(values: list[str | None]) -> None:
    kept = texts.kept(pa.array(values, pa.string()))
    assert not any("\0" in text for text in kept.to_pylist() if text is not None)
    assert texts.given(kept).to_pylist() == values


def tables(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT relid::regclass::text FROM pg_partition_tree('penstock.observations') "
            "WHERE isleaf ORDER BY 1"
        )
        return [name.partition("observations_")[2] for (name,) in found]


def test_first_and_last_pages_of_many_datastreams_equal_those_of_a_dictionary(
    open_store: Open,
) -> None:
    store, memory = open_store(), MemoryStore()
    random = np.random.default_rng(7)
    # Most rows lie close together and some far away: stretches of all lengths are looked at.
    time = np.append(random.integers(0, 10**9, 3000), random.integers(-(10**15), 10**15, 60))
    batch = observations(random.integers(1, 200, len(time)), time, random.random(len(time)))
    for one in (store, memory):
        one.append(batch)
    many = tuple(range(1, 150))
    for descending in (False, True):
        for datastreams in (None, many, many[:60], (3,)):
            for after in (None, Cursor(5 * 10**8, 7, 0)):
                for start, end in ((None, None), (10**8, 9 * 10**8), (10**14, None)):
                    for limit in (1, 10, 700):
                        selection = Selection(
                            datastreams=datastreams,
                            start_us=start,
                            end_us=end,
                            descending=descending,
                            after=after,
                            limit=limit,
                        )
                        assert rows_of(store.scan(selection)) == rows_of(memory.scan(selection))


def test_old_tables_are_dropped_as_a_whole_and_rows_of_others_one_by_one(
    open_store: Open, postgres_url: str
) -> None:
    store, model = open_store(), StoreModel()
    rows = [
        Row(datastream=d, time_us=week * WEEK + day * DAY, number=float(week))
        for d in (1, 2)
        for week in range(5)
        for day in range(0, 7, 3)
    ]
    store.append(batch_of(rows))
    model.append(rows)
    assert len(tables(postgres_url)) == 5
    now = 4 * WEEK + 6 * DAY
    for ages, default in (({2: 3 * WEEK}, WEEK), ({}, 2 * DAY), ({1: 0}, None), ({}, 0)):
        assert store.expire(ages, default, now) == model.expire(ages, default, now)
        assert rows_of(store.scan(Selection())) == model.scan(Selection())
        check_summaries(store, model)
    assert tables(postgres_url) == ["19700129t000000"]
    store.append(batch_of(rows))
    assert len(tables(postgres_url)) == 5
    assert store.count() == len(rows)


def test_times_beyond_the_most_tables_share_one(open_store: Open, postgres_url: str) -> None:
    store = open_store(max_partitions=2)
    for week in (0, 5, 9, 400, 401):
        store.append(observations([1], [week * WEEK], [1.0]))
    assert tables(postgres_url) == ["19700101t000000", "19700205t000000", "elsewhere"]
    store.close()
    store = open_store(max_partitions=2)
    store.append(observations([1], [700 * WEEK], [1.0]))
    assert store.count() == 6
    # When there may be tables again, a row goes where others of its stretch are already.
    assert store.expire({}, 0, 9 * WEEK) == 2
    store.append(observations([1, 1], [400 * WEEK + 1, 900 * WEEK], [2.0, 2.0]))
    assert store.count() == 6
    assert len(rows_of(store.scan(Selection()))) == 6
    assert tables(postgres_url) == ["19870402t000000", "elsewhere"]


def test_a_batch_that_came_already_changes_nothing_in_the_database(
    open_store: Open, postgres_url: str
) -> None:
    store = open_store()
    batch = observations([1, 2, 2], [5, 6, 7], [1.0, float("nan"), None], text=[None, None, "a\0"])
    store.append(batch, {"door": 1})
    with psycopg.connect(postgres_url) as connection:
        query = "SELECT xmin, ctid, * FROM penstock.observations ORDER BY time"
        before = connection.execute(query).fetchall()
        connection.commit()
        store.append(batch, {"door": 2})
        assert str(connection.execute(query).fetchall()) == str(before)
    assert dict(store.marks) == {"door": 2}


def test_a_batch_may_hold_new_datastreams_replaced_rows_and_what_is_there_already(
    open_store: Open,
) -> None:
    store, model = open_store(), StoreModel()
    for rows in (
        [Row(datastream=1, time_us=1, number=1.0), Row(datastream=1, time_us=2, number=2.0)],
        [
            Row(datastream=1, time_us=1, number=1.0),
            Row(datastream=1, time_us=2, number=5.0, text="x"),
            Row(datastream=1, time_us=0, number=9.0),
            Row(datastream=2, time_us=1, number=3.0),
        ],
        [Row(datastream=2, time_us=1, number=3.0)],
        [],
    ):
        store.append(batch_of(rows))
        model.append(rows)
        check_summaries(store, model)
        assert rows_of(store.scan(Selection())) == model.scan(Selection())


def test_extents_are_found_out_again_only_where_an_end_is_lost(
    open_store: Open, postgres_url: str
) -> None:
    store, model = open_store(), StoreModel()

    def known() -> list[bool]:
        with psycopg.connect(postgres_url) as connection:
            query = "SELECT is_known FROM penstock.series ORDER BY datastream"
            return [one for (one,) in connection.execute(query)]

    def append(*rows: Row) -> None:
        store.append(batch_of(rows))
        model.append(rows)

    append(*(Row(datastream=d, time_us=t, number=float(t)) for d in (1, 2) for t in range(5)))
    append(Row(datastream=1, time_us=2, number=3.5))
    assert known() == [True, True]
    append(Row(datastream=1, time_us=4, number=2.0))
    assert known() == [False, True]
    check_summaries(store, model)
    assert known() == [True, True]
    append(Row(datastream=2, time_us=0, number=-1.0))
    assert known() == [True, True]
    for gone in (Row(datastream=2, time_us=2), Row(datastream=2, time_us=0)):
        store.delete_rows(pa.Table.from_batches([batch_of([gone])]))
        model.delete_rows([gone])
    assert known() == [True, False]
    check_summaries(store, model)


def test_buckets_of_numbers_whose_squares_are_too_large_are_right(open_store: Open) -> None:
    store = open_store()
    rows = [
        Row(datastream=1, time_us=t, feature=f, number=n)
        for t, f, n in ((1, 0, 1e300), (1, 1, -1e300), (2, 0, 1.7e308), (3, 0, float("inf")))
    ]
    store.append(batch_of(rows))
    for features in (None, (0,)):
        selection = Selection(features=features)
        table = store.buckets(selection, 10)
        found = table.set_column(1, "time", table["time"].cast("int64")).to_pylist()
        check_buckets(found, buckets_of(rows_of(store.scan(selection)), 10))
    wide = 2_000_000 * DAY
    assert store.buckets(Selection(), wide)["count"].to_pylist() == [4]


def test_a_time_that_the_database_cannot_hold_is_refused_and_named(open_store: Open) -> None:
    store = open_store()
    batch = observations([1], [1], [1.0], end_time=[-(2**62)])
    with pytest.raises(InvalidInput, match="end_time"):
        store.append(batch)
    store.append(observations([1], [1], [1.0], end_time=[2**63 - 1]))
    assert rows_of(store.scan(Selection()))[0].end_time_us == 2**63 - 1


def test_large_batches_and_selections_go_through(open_store: Open) -> None:
    store = open_store()
    rows = 120_000
    ids = np.arange(rows) % 60_000 + 1
    assert store.append(observations(ids, np.arange(rows) + 10, np.ones(rows))) == rows
    assert store.count() == rows
    wanted = Selection(datastreams=tuple(range(1, 60_001, 2)))
    assert store.scan(wanted).num_rows == rows // 2
    first = store.scan(msgspec.structs.replace(wanted, limit=3, descending=True))
    assert [row.time_us for row in rows_of(first)] == [rows + 8, rows + 6, rows + 4]
    assert store.latest().num_rows == 60_000
