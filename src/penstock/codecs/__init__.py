"""Payload families: each turns a batch of raw messages into columns of readings."""

from penstock.codecs.registry import CODECS, make
from penstock.codecs.settings import CodecSettings

__all__ = ["CODECS", "CodecSettings", "make"]
