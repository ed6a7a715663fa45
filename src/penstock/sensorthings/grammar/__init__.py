"""The language of SensorThings: filters, query options and resource paths (OGC 18-088 section 9)."""

from penstock.sensorthings.grammar.options import Expand, Metadata, Options, ResultFormat
from penstock.sensorthings.grammar.resource import Ending, ResourcePath, Segment

__all__ = [
    "Ending",
    "Expand",
    "Metadata",
    "Options",
    "ResourcePath",
    "ResultFormat",
    "Segment",
]
