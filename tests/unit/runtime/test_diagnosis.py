"""`penstock doctor`: what it finds, and what it says to do."""

import json
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from penstock.catalog.sql_catalog import SqlCatalog
from penstock.cli.main import app
from penstock.runtime import data_dir
from penstock.runtime.diagnosis import diagnose
from penstock.runtime.finding import Finding, Level


def found(what: str, tmp_path: Path, file: Path | None = None, **overrides: object) -> Finding:
    settings = {"data_dir": str(tmp_path / "data"), "door": {"port": 0}, "api": {"port": 0}}
    findings = diagnose(file, {**settings, **overrides})
    return next(finding for finding in findings if finding.what == what)


def test_a_sound_place_has_no_problem(tmp_path: Path) -> None:
    words = ["--data-dir", str(tmp_path / "data"), "--mqtt", "127.0.0.1:0", "--http", "127.0.0.1:0"]
    outcome = CliRunner().invoke(app, ["doctor", *words, "--json"])
    assert outcome.exit_code == 0, outcome.output
    assert {one["level"] for one in json.loads(outcome.output)} <= {"ok", "warning"}


def test_a_taken_port_is_named_with_a_way_to_see_who_has_it(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        finding = found("MQTT", tmp_path, door={"port": port})
    assert finding.level is Level.PROBLEM
    assert "Address already in use" in finding.found
    assert f"sport = :{port}" in finding.do


def test_an_unreadable_configuration_is_said_with_its_reason(tmp_path: Path) -> None:
    file = tmp_path / "penstock.toml"
    file.write_text("[door\n")
    finding = found("configuration", tmp_path, file)
    assert finding.level is Level.PROBLEM
    assert "not valid TOML" in finding.found


def test_a_folder_that_is_a_file_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    assert found("data folder", tmp_path).level is Level.PROBLEM


def test_a_disk_that_is_nearly_full_is_a_problem(tmp_path: Path) -> None:
    finding = found("disk", tmp_path, min_free_bytes=10**18)
    assert finding.level is Level.PROBLEM
    assert "make room" in finding.do


def test_a_running_instance_is_told_with_its_process(tmp_path: Path) -> None:
    data_dir.lock(tmp_path / "data")
    assert "another Penstock (process" in found("instance", tmp_path).found


def test_a_damaged_catalog_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/catalog.sqlite").write_bytes(b"not a database" * 100)
    finding = found("catalog", tmp_path)
    assert finding.level is Level.PROBLEM
    assert "put" in finding.do


def test_a_catalog_of_a_newer_penstock_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    file = tmp_path / "data/catalog.sqlite"
    SqlCatalog.open(file).close()
    assert found("catalog", tmp_path).level is Level.OK
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    finding = found("catalog", tmp_path)
    assert finding.level is Level.PROBLEM
    assert "newer Penstock: version 9999" in finding.found


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:70000"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    outcome = CliRunner().invoke(app, ["doctor", "--mqtt", address])
    assert "is not an address" in str(outcome.exception)


def test_a_platform_that_others_reach_without_a_user_is_a_problem(tmp_path: Path) -> None:
    open_house = {"door": {"host": "0.0.0.0", "port": 0}}
    finding = found("accounts", tmp_path, **open_house)
    assert finding.level is Level.PROBLEM
    assert "mqtt on 0.0.0.0:0" in finding.found
    assert "127.0.0.1:" not in finding.found
    assert "penstock users add NAME --administrator" in finding.do
    # The door's own list of device accounts keeps others out; so does a user.
    kept = {"door": {**open_house["door"], "users": {"car": "$argon2id$"}}}
    with pytest.raises(StopIteration):
        found("accounts", tmp_path, **kept)
    words = ["users", "add", "ada@example.com", "--password-stdin", "--administrator"]
    outcome = CliRunner().invoke(
        app, [*words, "--data-dir", str(tmp_path / "data")], input="correct horse\n"
    )
    assert outcome.exit_code == 0, outcome.output
    with pytest.raises(StopIteration):
        found("accounts", tmp_path, **open_house)
