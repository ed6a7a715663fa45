"""Codecs by name: data, loaded on use."""

from __future__ import annotations

import difflib
import importlib
from typing import cast

from penstock.codecs.settings import CodecSettings
from penstock.core.codec import Codec
from penstock.core.errors import ConfigError

#: Name in routes to `module:Class`; the class takes `CodecSettings`.
CODECS: dict[str, str] = {
    "arrow": "penstock.codecs.arrow:ArrowCodec",
    "factory": "penstock.codecs.factory:FactoryCodec",
    "flat": "penstock.codecs.flat:FlatCodec",
    "influx": "penstock.codecs.influx:InfluxCodec",
    "measurements": "penstock.codecs.measurements:MeasurementsCodec",
    "number": "penstock.codecs.number:NumberCodec",
    "positions": "penstock.codecs.positions:PositionsCodec",
    "senml": "penstock.codecs.senml:SenmlCodec",
    "sensorthings": "penstock.codecs.sensorthings:SensorThingsCodec",
}


def make(name: str, settings: CodecSettings | None = None) -> Codec:
    """Return a new codec.

    Raises:
        ConfigError: No codec has that name, or a setting is wrong.
    """
    target = CODECS.get(name)
    if target is None:
        close = difflib.get_close_matches(name, CODECS, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        msg = f"codec {name!r} is not known{hint} Codecs are: {', '.join(sorted(CODECS))}"
        raise ConfigError(msg if close else msg.replace(" Codecs", "; codecs"))
    module, _, attribute = target.partition(":")
    made = getattr(importlib.import_module(module), attribute)(settings or CodecSettings())
    return cast("Codec", made)
