"""The one configuration: defaults, then the TOML file, then the environment, then options.

Every room owns its settings; here they are put together. A setting is named by its section and
its name: `door.port` in this text, `[door] port = 1883` in the file, `PENSTOCK_DOOR_PORT` in the
environment. Sections may have sections: `door.tls.port`.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec

from penstock.alarms.settings import AlarmSettings
from penstock.api.settings import ApiSettings
from penstock.catalog.settings import AccountSettings, CatalogSettings
from penstock.codecs.settings import CodecSettings
from penstock.core.errors import ConfigError
from penstock.devices.settings import DeviceSettings
from penstock.door.settings import DoorSettings
from penstock.ingest.settings import IngestSettings
from penstock.log.settings import LogSettings
from penstock.sensorthings.settings import ThingsSettings
from penstock.sql.apps.settings import AppSettings
from penstock.sql.settings import SqlSettings
from penstock.stores.settings import StoreSettings

#: Prefix of environment variables that override settings.
ENV_PREFIX = "PENSTOCK_"


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings of one platform."""

    data_dir: Annotated[
        str, msgspec.Meta(min_length=1, description="Folder that holds everything that is kept.")
    ] = "penstock-data"
    log_level: Annotated[
        str,
        msgspec.Meta(
            pattern="^(debug|info|warning|error)$",
            description="What is written to standard error: debug, info, warning or error.",
        ),
    ] = "warning"
    min_free_bytes: Annotated[
        int,
        msgspec.Meta(ge=0, description="Free disk space below which the health report warns."),
    ] = 1_073_741_824
    clock_margin_s: Annotated[
        float,
        msgspec.Meta(
            gt=0,
            description="How far the machine's clock may jump ahead (or be ahead after a pause) so "
            "that retention believes it at once, seconds.",
        ),
    ] = 3_600.0
    clock_settle_s: Annotated[
        float,
        msgspec.Meta(
            ge=0,
            description="How long Penstock must have run with a clock that is further ahead until "
            "retention believes it, seconds. Until then nothing is deleted for its age that was "
            "young before.",
        ),
    ] = 86_400.0
    door: DoorSettings = DoorSettings()
    log: LogSettings = LogSettings()
    ingest: IngestSettings = IngestSettings()
    codecs: CodecSettings = CodecSettings()
    catalog: CatalogSettings = CatalogSettings()
    accounts: AccountSettings = AccountSettings()
    store: StoreSettings = StoreSettings()
    devices: DeviceSettings = DeviceSettings()
    alarms: AlarmSettings = AlarmSettings()
    api: ApiSettings = ApiSettings()
    sensorthings: ThingsSettings = ThingsSettings()
    sql: SqlSettings = SqlSettings()
    apps: AppSettings = AppSettings()

    @property
    def data_path(self) -> Path:
        """`data_dir` as an absolute path."""
        return Path(self.data_dir).expanduser().resolve()


def sections() -> dict[str, type[msgspec.Struct]]:
    """Return the settings types by section; "" holds those above all sections."""
    return dict(_sections("", Config))


def _sections(above: str, kind: type[msgspec.Struct]) -> Iterator[tuple[str, type[msgspec.Struct]]]:
    yield above, kind
    for name, inner in get_type_hints(kind).items():
        if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            yield from _sections(setting_name(above, name), inner)


def setting_name(section: str, name: str) -> str:
    """Return the full name of a setting: `door.port`."""
    return f"{section}.{name}" if section else name


def load(
    file: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Config:
    """Return the configuration from a TOML file, the environment and overriding values.

    Args:
        file: The TOML file; None takes defaults.
        environ: Environment variables; None takes the process's own.
        overrides: Values by section and name, stronger than all else (command-line options).

    Raises:
        ConfigError: The file cannot be read, a setting is unknown or a value not allowed; the
            message names the setting, the value, what is allowed and where it came from.
    """
    values: dict[str, Any] = _read(file) if file is not None else {}
    for name, value in _from_environment(os.environ if environ is None else environ).items():
        _merge(values, name, value)
    for name, value in (overrides or {}).items():
        _merge(values, name, value)
    return _convert(values, str(file) if file is not None else "the settings given")


def environment_name(section: str, name: str) -> str:
    """Return the environment variable of a setting: `PENSTOCK_DOOR_PORT` for `door.port`."""
    return ENV_PREFIX + setting_name(section, name).replace(".", "_").upper()


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"cannot read {file}: {error.strerror}; name a readable TOML file with --config"
        raise ConfigError(msg) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"{file} is not valid TOML: {error}"
        raise ConfigError(msg) from error


def _merge(values: dict[str, Any], name: str, value: object) -> None:
    section = values.setdefault(name, {}) if isinstance(value, Mapping) else None
    if isinstance(section, dict) and isinstance(value, Mapping):
        for key, inner in value.items():
            _merge(section, key, inner)
    else:
        values[name] = value


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """Read the variables that name a setting; others with the prefix are left alone."""
    found: dict[str, Any] = {}
    known = sections()
    for section, kind in known.items():
        hints = get_type_hints(kind, include_extras=True)
        for field in msgspec.structs.fields(kind):
            variable = environment_name(section, field.name)
            if variable not in environ or setting_name(section, field.name) in known:
                continue
            value = _parse(environ[variable], hints[field.name], variable)
            *above, name = setting_name(section, field.name).split(".")
            inside = found
            for part in above:
                inside = inside.setdefault(part, {})
            inside[name] = value
    return found


def _parse(text: str, hint: object, variable: str) -> object:
    """Read a value from text: TOML where it is TOML, else the text itself."""
    kind = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    if kind is str:
        return text
    if text.lower() in {"", "none", "null"}:
        return None
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError as error:
        if re.fullmatch(r"[\w.:/-]+", text):
            return text
        msg = f"{variable}={text!r} is neither plain text nor a TOML value: {error}"
        raise ConfigError(msg) from error


def _convert(values: dict[str, Any], origin: str) -> Config:
    try:
        return msgspec.convert(values, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(_explain(str(error), values, origin)) from error


def _explain(message: str, values: Mapping[str, object], origin: str) -> str:
    """Turn msgspec's message into one that names the setting and what is allowed."""
    path = re.search(r" - at `\$\.?(.*)`$", message)
    where = path.group(1) if path else ""
    what = message[: path.start()] if path else message
    unknown = re.match(r"Object contains unknown field `(.*)`", what)
    if unknown:
        name = unknown.group(1)
        kind = sections().get(where, Config)
        known = [field.name for field in msgspec.structs.fields(kind)]
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"allowed are {', '.join(sorted(known))}"
        return f"{origin}: unknown setting {'.'.join(p for p in (where, name) if p)!r}; {hint}"
    got: object = values
    for part in re.findall(r"[^.\[\]]+", where):
        if isinstance(got, Mapping):
            got = got.get(part)
    return f"{origin}: setting {where!r} is {got!r}: {what}; see docs/reference/settings.md"
