"""The apps of the demo can be run, and are made once."""

from __future__ import annotations

from pathlib import Path

from penstock.catalog.apps.records import SqlApps
from penstock.catalog.sql_catalog import SqlCatalog
from penstock.core.apps import AppState
from penstock.runtime.config import Config
from penstock.runtime.demo_apps import make_demo_apps
from penstock.sql.language import compile_query


def test_they_are_made_once_and_stopped(tmp_path: Path) -> None:
    config = Config(data_dir=str(tmp_path / "data"))
    for _ in range(2):
        make_demo_apps(config)
    catalog = SqlCatalog.open(tmp_path / "data" / "catalog.sqlite")
    apps = SqlApps(catalog.database).apps()
    catalog.close()
    assert [app.spec.name for app in apps] == ["demo-means", "demo-vibration"]
    for app in apps:
        assert app.state is AppState.STOPPED
        assert compile_query(app.spec.sql, reach_us=1).meaning.columns
