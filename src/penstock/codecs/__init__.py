"""Payload families: each turns a batch of raw messages into columns of readings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.codecs.settings import CodecSettings
from penstock.core.lazy import lazily

if TYPE_CHECKING:
    from penstock.codecs.registry import CODECS, make

__all__ = ["CODECS", "CodecSettings", "make"]

__getattr__ = lazily(__name__, dict.fromkeys(("CODECS", "make"), "penstock.codecs.registry"))
