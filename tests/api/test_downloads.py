import asyncio
import csv
import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.api.house import SECOND, T0, AsgiStream, House

from penstock.api import downloads
from penstock.core.errors import NotConnected
from penstock.core.observation import SCHEMA, observations
from penstock.core.selection import Selection


def read(kind: str, content: bytes) -> pa.Table:
    if kind == "parquet":
        return pq.read_table(io.BytesIO(content))
    return pa.ipc.open_stream(content).read_all()


@pytest.fixture
def many(house: House, monkeypatch: pytest.MonkeyPatch) -> pa.Table:
    """Rows of several batches."""
    monkeypatch.setattr(downloads, "BATCH_ROWS", 100)
    rows = 250
    house.store.append(
        observations(
            [1 + at % 2 for at in range(rows)],
            [T0 + at * SECOND for at in range(rows)],
            [None if at % 7 == 0 else at / 3 for at in range(rows)],
            text=[f'say "{at}", ä' if at % 7 == 0 else None for at in range(rows)],
        )
    )
    return house.store.scan(Selection())


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
async def test_a_file_holds_the_rows_and_types_of_the_store(
    house: House, many: pa.Table, kind: str
) -> None:
    response = await house.client.get(f"/api/v1/observations?format={kind}")
    table = read(kind, response.content)
    assert table.schema == SCHEMA
    assert table.equals(many)


async def test_csv_has_a_header_iso_times_and_quoted_text(house: House, many: pa.Table) -> None:
    response = await house.client.get("/api/v1/observations?format=csv")
    rows = list(csv.DictReader(io.StringIO(response.text)))
    assert list(rows[0]) == SCHEMA.names
    assert len(rows) == 250
    assert rows[0]["text"] == 'say "0", ä'
    assert rows[0]["number"] == ""
    assert rows[1]["time"] == "2023-11-14T22:13:21.000000Z"
    assert [float(row["number"]) for row in rows if row["number"]] == [
        number for number in many.column("number").to_pylist() if number is not None
    ]


@pytest.mark.parametrize("limit", [1, 99, 100, 101, 200, 249, 250, 251])
async def test_a_limit_holds_across_batches(house: House, many: pa.Table, limit: int) -> None:
    response = await house.client.get(f"/api/v1/observations?format=arrow&limit={limit}&order=desc")
    table = read("arrow", response.content)
    assert table.num_rows == min(limit, 250)
    assert table.column("time")[0].as_py() == many.column("time")[-1].as_py()


async def test_no_rows_are_a_file_with_columns(house: House) -> None:
    for kind in ("parquet", "arrow"):
        response = await house.client.get(f"/api/v1/observations?format={kind}")
        assert read(kind, response.content).schema == SCHEMA
    response = await house.client.get("/api/v1/observations?format=csv")
    assert [line.replace('"', "") for line in response.text.split()] == [",".join(SCHEMA.names)]


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("text/csv", "text/csv; charset=utf-8"),
        ("application/vnd.apache.parquet", "application/vnd.apache.parquet"),
        ("application/vnd.apache.arrow.stream;q=1, */*", "application/vnd.apache.arrow.stream"),
        ("*/*", "application/json"),
        ("text/html", "application/json"),
    ],
)
async def test_the_accept_header_chooses_the_format(house: House, accept: str, media: str) -> None:
    response = await house.client.get("/api/v1/observations", headers={"accept": accept})
    assert response.headers["content-type"] == media


@pytest.mark.parametrize(
    ("thing", "name"),
    [
        ("site.boiler", "site.boiler.temp.csv"),
        ('a"; x=/..\\', "a_x_.._.temp.csv"),
        ("ß ß", "temp.csv"),
    ],
)
async def test_a_file_is_called_like_its_datastream(house: House, thing: str, name: str) -> None:
    (id_,) = house.enrol((thing, "temp"))
    response = await house.client.get(f"/api/v1/datastreams/{id_}/observations?format=csv")
    assert response.headers["content-disposition"] == f'attachment; filename="{name}"'


async def test_buckets_and_latest_can_be_files(house: House, boiler: int) -> None:
    buckets = await house.client.get(
        f"/api/v1/observations?datastream={boiler}&width=5s&format=parquet&agg=mean"
    )
    assert read("parquet", buckets.content).to_pydict()["mean"] == [2.0, 7.0]
    latest = await house.client.get("/api/v1/latest?format=csv")
    assert "22:13:29" in latest.text


async def test_a_store_that_fails_at_once_gives_an_ordinary_error(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Any) -> pa.Table:
        raise NotConnected("the store is gone")

    monkeypatch.setattr(house.store, "scan", fail)
    response = await house.client.get("/api/v1/observations?format=csv")
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert response.json()["error"] == {"code": "not-connected", "message": "the store is gone"}


@pytest.mark.parametrize("kind", ["csv", "parquet", "arrow"])
async def test_a_file_that_cannot_be_finished_is_cut_off(
    house: House, many: pa.Table, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    scan = house.store.scan

    def fail_later(selection: Selection) -> pa.Table:
        if selection.after is not None:
            raise NotConnected("the store is gone")
        return scan(selection)

    monkeypatch.setattr(house.store, "scan", fail_later)
    stream = AsgiStream(house.app, "/api/v1/observations", f"format={kind}")
    with pytest.raises(RuntimeError, match="response already started"):
        async with stream:
            await asyncio.wait([stream.task])
    assert stream.status == 200
    assert not stream.is_finished
