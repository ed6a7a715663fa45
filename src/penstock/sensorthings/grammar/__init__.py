"""The language of SensorThings: filters, options and resource paths (OGC 18-088 section 9)."""

from penstock.sensorthings.grammar.expressions import parse_expression
from penstock.sensorthings.grammar.options import Expand, Metadata, Options, ResultFormat
from penstock.sensorthings.grammar.printing import print_expression, print_options
from penstock.sensorthings.grammar.query import parse_options
from penstock.sensorthings.grammar.resource import Ending, ResourcePath, Segment
from penstock.sensorthings.grammar.resource_paths import parse_path

__all__ = [
    "Ending",
    "Expand",
    "Metadata",
    "Options",
    "ResourcePath",
    "ResultFormat",
    "Segment",
    "parse_expression",
    "parse_options",
    "parse_path",
    "print_expression",
    "print_options",
]
