"""What the engine must not forget beside the store's marks: a small file, replaced as a whole."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from penstock.core.errors import Corrupt
from penstock.core.queries import Meaning, Query
from penstock.sql.engine.ranges import Range
from penstock.sql.plan import Source

NAME = "queries.json"


class Entry(msgspec.Struct, kw_only=True):
    """A query that was started and is not forgotten.

    Attributes:
        id: Of the query.
        query: As it was last started.
        mark: Name of the store's mark that says how far it has come.
        began_us: Event time that it began at; there is no answer before it.
        meaning: What is known of its plan, so that it need not be made to follow the data.
        sources: What it reads.
        pending: Ranges to compute again.
        asked_us: Event time from which on answers are of this query, and not of one before it.
        since: Where the log was when it was first started, by partition.
    """

    id: int
    query: Query
    mark: str
    began_us: int
    meaning: Meaning
    sources: tuple[Source, ...]
    pending: Sequence[Range] = ()
    since: Mapping[str, int] = {}
    asked_us: int | None = None


class Ledger:
    """Reads and writes the entries.

    Args:
        folder: Where the file is; made when it is first written.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME

    def read(self) -> list[Entry]:
        """Return what was written last.

        Raises:
            Corrupt: The file cannot be understood.
        """
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=list[Entry])
        except FileNotFoundError:
            return []
        except msgspec.DecodeError as error:
            msg = (
                f"{self._path} cannot be read ({error}); restore it from a backup, or remove it: "
                "stream apps then begin at the present"
            )
            raise Corrupt(msg) from error

    def write(self, entries: Sequence[Entry]) -> None:
        """Replace what was written; durable when it returns."""
        replace_file(self._path, msgspec.json.encode(entries))


def replace_file(path: Path, content: bytes) -> None:
    """Replace a file as a whole; durable when it returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".json.new")
    with new.open("wb") as sink:
        sink.write(content)
        sink.flush()
        os.fsync(sink.fileno())
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
