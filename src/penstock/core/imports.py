"""Topics below which rows are handed over in bulk, within a system."""

from __future__ import annotations

#: Recordings: files that somebody imports.
IMPORTS = "import/"
#: Observations that were posted to the SensorThings API, or published to its topics.
WRITTEN = "import/sensorthings"


def is_recording(path: str) -> bool:
    """Tell whether a topic, without the name of its system, is one of imported files."""
    return path.startswith(IMPORTS) and path != WRITTEN


def is_written(topic: str) -> bool:
    """Tell whether a topic, with or without the name of its system, is that of `WRITTEN`."""
    return topic == WRITTEN or topic.partition("/")[2] == WRITTEN
