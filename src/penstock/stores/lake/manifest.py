"""The manifest: which files make up the lake, and where it stands in the log.

One JSON file, replaced atomically. What it does not name does not exist.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from penstock.core.errors import Corrupt
from penstock.core.selection import Selection

_log = logging.getLogger(__name__)

NAME = "manifest.json"
FORMAT = "penstock-lake"
VERSION = 1


class DataFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of rows, as the manifest describes it.

    Attributes:
        path: Path within the lake.
        rows: Its rows.
        bytes: Its size.
        first_us: Least time.
        last_us: Greatest time.
        first_datastream: Least datastream.
        last_datastream: Greatest datastream.
        empty: Columns without any value.
        rollup: Path of its roll-up within the lake; empty when it has none.
        rollup_bytes: Size of that.
        rollup_width_us: Width of its buckets.
    """

    path: str
    rows: int
    bytes: int
    first_us: int
    last_us: int
    first_datastream: int
    last_datastream: int
    empty: tuple[str, ...] = ()
    rollup: str = ""
    rollup_bytes: int = 0
    rollup_width_us: int = 0

    def may_hold(self, selection: Selection) -> bool:
        """Return whether a row of the selection can be in it."""
        if selection.start_us is not None and self.last_us < selection.start_us:
            return False
        if selection.end_us is not None and self.first_us >= selection.end_us:
            return False
        if selection.after is not None:
            at = selection.after.time_us
            if self.first_us > at if selection.descending else self.last_us < at:
                return False
        wanted = selection.datastreams
        return wanted is None or any(
            self.first_datastream <= d <= self.last_datastream for d in wanted
        )

    def empty_of(self, columns: Sequence[str]) -> bool:
        """Return whether none of these columns has a value."""
        return set(columns) <= set(self.empty)

    @property
    def partition(self) -> str:
        """Folder that holds it."""
        return self.path.rsplit("/", 1)[0]


class Wide(msgspec.Struct, frozen=True, kw_only=True):
    """One roll-up of many files, so that a year is found in few files.

    Attributes:
        path: Path within the lake.
        bytes: Its size.
        width_us: Width of its buckets.
        first_us: Least time of the rows it stands for.
        last_us: Greatest time of them.
        files: Paths of the files of rows that it stands for.
    """

    path: str
    bytes: int
    width_us: int
    first_us: int
    last_us: int
    files: tuple[str, ...]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What the lake holds.

    Attributes:
        format: Always `penstock-lake`.
        version: Of the format.
        next_file: Number that the next file gets; numbers are never used again.
        marks: Log partition to the offset before which everything is in these files.
        files: Files of rows; no identity is in two of them.
        rollups: Roll-ups of many files; no file is in two of them.
        series: Path of the file with one row per datastream: its newest row, count and extent.
        observations: Rows of all files.
    """

    format: str = FORMAT
    version: int = VERSION
    next_file: int = 1
    marks: dict[str, int] = {}
    files: tuple[DataFile, ...] = ()
    rollups: tuple[Wide, ...] = ()
    series: str = ""
    observations: int = 0

    def paths(self) -> set[str]:
        """Return every path that it names."""
        named = {self.series} if self.series else set()
        named.update(w.path for w in self.rollups)
        named.update(f.path for f in self.files)
        named.update(f.rollup for f in self.files if f.rollup)
        return named


def read_manifest(directory: Path) -> Manifest:
    """Return the manifest of a lake; an empty one when there is none yet.

    Raises:
        Corrupt: It cannot be read.
    """
    path = directory / NAME
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        return Manifest()
    except msgspec.DecodeError as error:
        msg = f"{path} cannot be read ({error}); restore it from a backup"
        raise Corrupt(msg) from error
    if manifest.format != FORMAT or manifest.version != VERSION:
        msg = (
            f"{path} is {manifest.format} version {manifest.version}; this program reads "
            f"{FORMAT} version {VERSION}"
        )
        raise Corrupt(msg)
    return manifest


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Replace the manifest, durably: after a crash the old or the new one is there."""
    path = directory / NAME
    fresh = path.with_suffix(".json.new")
    with fresh.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(manifest), indent=1))
        file.flush()
        os.fsync(file.fileno())
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fresh.replace(path)
        # From here on the new manifest counts, whatever the sync says: it names the new files, so
        # giving up now would remove what it needs.
        try:
            os.fsync(descriptor)
        except OSError:
            _log.exception("the directory of %s could not be synced", path)
    finally:
        os.close(descriptor)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
