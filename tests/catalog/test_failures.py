"""What the database refuses, in our words; nothing is half done and everything goes on after."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert
from tests.catalog.template import ON_POSTGRES, fresh_catalog, reopened

from penstock.catalog import CatalogSettings
from penstock.catalog.models import Thing
from penstock.core.catalog import Policy
from penstock.core.errors import Backpressure, Bug, DiskFull, NotSupported
from penstock.core.series import Series

MANY = [Series(thing=f"t{n}", name="x", properties={"k": "v" * 500}) for n in range(200)]


ONLY_SQLITE = pytest.mark.skipif(ON_POSTGRES, reason="what SQLite's file does")


@ONLY_SQLITE
def test_a_full_disk_changes_nothing_and_work_goes_on_when_there_is_space(tmp_path: Path) -> None:
    catalog = fresh_catalog(tmp_path)
    catalog.enrol(MANY[:5], Policy.AUTOMATIC, 1)
    pages = "50"

    def limit(connection: Any, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    catalog._database.engine.dispose()
    event.listen(catalog._database.engine, "connect", limit)
    with pytest.raises(DiskFull):
        catalog.enrol(MANY, Policy.AUTOMATIC, 2)
    assert catalog.count_datastreams() == 5
    assert len(catalog.devices()) == 5

    pages = "100000"
    catalog._database.engine.dispose()
    answers = catalog.enrol(MANY, Policy.AUTOMATIC, 3)
    assert all(answer.datastream for answer in answers)
    catalog.close()


def test_a_file_held_by_another_program_is_a_reason_to_retry(tmp_path: Path) -> None:
    catalog = fresh_catalog(tmp_path, CatalogSettings(busy_timeout_s=0.01))
    other = reopened(tmp_path)
    with other._database.write() as connection:
        connection.execute(insert(Thing), {"name": "theirs"})
        with pytest.raises(Backpressure):
            catalog.enrol(MANY[:1], Policy.AUTOMATIC, 1)
        assert catalog.count_datastreams() == 0
    assert catalog.enrol(MANY[:1], Policy.AUTOMATIC, 2)[0].datastream == 1
    other.close()
    catalog.close()


def test_a_broken_promise_of_ours_is_called_a_bug(tmp_path: Path) -> None:
    catalog = fresh_catalog(tmp_path)
    with pytest.raises(Bug), catalog._database.write() as connection:
        connection.execute(insert(Thing), [{"id": 1, "name": "one"}, {"id": 1, "name": "two"}])
    catalog.close()


@ONLY_SQLITE
def test_what_is_beyond_the_limits_of_the_database_is_not_supported(tmp_path: Path) -> None:
    catalog = fresh_catalog(tmp_path)
    deep = "SELECT " + "(SELECT " * 200 + "1" + ")" * 200
    with pytest.raises(NotSupported, match="smaller parts"), catalog.database.read() as connection:
        connection.exec_driver_sql(deep)
    catalog.close()
