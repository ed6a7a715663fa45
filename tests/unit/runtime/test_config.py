"""The configuration: where values come from, and what is said when they are wrong."""

from pathlib import Path

import pytest

from penstock.core.errors import ConfigError
from penstock.runtime.config import Config, environment_name, load, sections


def write(folder: Path, text: str) -> Path:
    file = folder / "penstock.toml"
    file.write_text(text)
    return file


def test_defaults_need_no_file() -> None:
    assert load(environ={}) == Config()


def test_environment_beats_file_and_options_beat_environment(tmp_path: Path) -> None:
    file = write(tmp_path, "[door]\nport = 1\n[api]\nport = 2\n")
    environ = {"PENSTOCK_DOOR_PORT": "3"}
    assert load(file, environ).door.port == 3
    assert load(file, environ).api.port == 2
    assert load(file, environ, {"door": {"port": 4}}).door.port == 4
    assert load(file, environ, {"door": {"port": 4}}).api.port == 2


def test_text_in_the_environment_needs_no_quotes() -> None:
    config = load(environ={"PENSTOCK_DOOR_HOST": "127.0.0.2", "PENSTOCK_DATA_DIR": "/a b"})
    assert config.door.host == "127.0.0.2"
    assert config.data_dir == "/a b"


def test_none_in_the_environment_takes_a_limit_away() -> None:
    assert load(environ={"PENSTOCK_LOG_MAX_AGE_S": "none"}).log.max_age_s is None


def test_an_unknown_setting_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown setting 'door\.prot'; did you mean 'port'\?"):
        load(write(tmp_path, "[door]\nprot = 1\n"), {})


def test_an_unknown_section_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown setting 'dor'; did you mean 'door'\?"):
        load(write(tmp_path, "[dor]\nport = 1\n"), {})


def test_a_value_out_of_range_is_refused_with_name_and_value(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"setting 'door\.port' is 70000: .*65535"):
        load(write(tmp_path, "[door]\nport = 70000\n"), {})


def test_a_file_that_is_not_toml_is_refused_with_the_place(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"not valid TOML.*line 1"):
        load(write(tmp_path, "port : 1\n"), {})


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "absent.toml", {})


def test_every_section_has_an_environment_name() -> None:
    assert environment_name("door", "max_packet_bytes") == "PENSTOCK_DOOR_MAX_PACKET_BYTES"
    rooms = {"door", "log", "ingest", "codecs", "catalog", "store", "devices", "api"}
    assert {"", *rooms} <= set(sections())


def test_a_section_may_have_sections(tmp_path: Path) -> None:
    assert environment_name("door.tls", "port") == "PENSTOCK_DOOR_TLS_PORT"
    file = write(tmp_path, '[door]\nport = 1\n[door.tls]\nport = 2\nkey = "k"\n')
    config = load(file, {"PENSTOCK_DOOR_TLS_PORT": "3", "PENSTOCK_DOOR_WEBSOCKET_PORT": "4"})
    assert (config.door.port, config.door.tls.port, config.door.tls.key) == (1, 3, "k")
    assert config.door.websocket.port == 4


def test_an_unknown_setting_of_a_section_in_a_section_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path, "[door.tls]\nprot = 1\n")
    with pytest.raises(
        ConfigError, match=r"unknown setting 'door\.tls\.prot'; did you mean 'port'"
    ):
        load(file, {})
