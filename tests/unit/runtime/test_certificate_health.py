"""`penstock doctor` on certificates: dates, keys, permissions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from penstock.runtime.certificate_health import certificates
from penstock.runtime.config import load
from penstock.runtime.diagnosis import diagnose
from penstock.runtime.finding import Finding, Level

ENDS = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, object]:
    issued = trustme.CA().issue_cert("localhost", not_after=ENDS)
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    issued.cert_chain_pems[0].write_to_path(str(certificate))
    issued.private_key_pem.write_to_path(str(key))
    key.chmod(0o640)
    return {"certificate": str(certificate), "key": str(key)}


def look(files: dict[str, object], *, days_left: float) -> list[Finding]:
    config = load(environ={}, overrides={"door": {"tls": files}, "api": {"tls": files}})
    now = ENDS - timedelta(days=days_left)
    return list(certificates(config, now.timestamp()))


def test_no_certificate_is_nothing_to_look_at() -> None:
    assert list(certificates(load(environ={}))) == []


@pytest.mark.parametrize(
    ("days_left", "level", "says"),
    [
        (200, Level.OK, "valid until 2030-01-01 00:00 UTC, 200 days"),
        (13, Level.WARNING, "13 days"),
        (-1, Level.PROBLEM, "expired on 2030-01-01"),
        (50_000, Level.PROBLEM, "is valid from"),
    ],
)
def test_dates_are_judged(
    files: dict[str, object], days_left: float, level: Level, says: str
) -> None:
    findings = look(files, days_left=days_left)
    assert [finding.what for finding in findings] == ["MQTT certificate", "HTTPS certificate"]
    for finding in findings:
        assert finding.level is level
        assert says in finding.found
        assert bool(finding.do) is (level is not Level.OK)


def test_a_key_for_everybody_is_a_warning_with_the_command(files: dict[str, object]) -> None:
    Path(str(files["key"])).chmod(0o644)
    finding = look(files, days_left=200)[1]
    assert finding.level is Level.WARNING
    assert finding.do == f"chmod o= {files['key']}"


def test_a_key_of_another_certificate_is_a_problem(files: dict[str, object]) -> None:
    trustme.CA().issue_cert("b").private_key_pem.write_to_path(str(files["key"]))
    finding = look(files, days_left=200)[0]
    assert finding.level is Level.PROBLEM
    assert "key values mismatch" in finding.found


def test_the_doctor_looks_at_every_address_and_certificate(
    tmp_path: Path, files: dict[str, object]
) -> None:
    door = {"port": 0, "tls": {"port": 0, **files}, "websocket": {"port": 0, "tls_port": 0}}
    settings = {"data_dir": str(tmp_path / "data"), "door": door, "api": {"port": 0}}
    findings = {finding.what: finding for finding in diagnose(None, settings)}
    for what in ("MQTT", "MQTT (mqtts)", "MQTT (ws)", "MQTT (wss)"):
        assert findings[what].level is Level.OK
    assert findings["MQTT certificate"].level is Level.OK


def test_the_doctor_says_when_the_door_would_refuse_to_start(tmp_path: Path) -> None:
    door = {"port": 0, "tls": {"key": "server.key"}}
    settings = {"data_dir": str(tmp_path / "data"), "door": door}
    findings = {finding.what: finding for finding in diagnose(None, settings)}
    assert findings["MQTT"].level is Level.PROBLEM
    assert "has no `certificate`" in findings["MQTT"].found
