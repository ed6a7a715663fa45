"""Put rows into files and the files into the manifest, in one atomic step."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pyarrow as pa

from penstock.core.errors import Corrupt, DiskFull, NotConnected
from penstock.core.selection import Selection
from penstock.stores.bucketing import combine
from penstock.stores.identities import Identities, overlay
from penstock.stores.lake import manifest as manifests
from penstock.stores.lake.compaction import ToWiden
from penstock.stores.lake.encoding import is_whole_ms
from penstock.stores.lake.manifest import DataFile, Manifest, Wide
from penstock.stores.lake.merging import merged
from penstock.stores.lake.reading import Reader
from penstock.stores.lake.removal import Removal, Removed, state_without
from penstock.stores.lake.series import SeriesState
from penstock.stores.lake.settling import Settled
from penstock.stores.lake.writing import (
    ROLLUPS,
    ROWS,
    folder_of,
    rollup_path,
    split_by_partition,
    sync_file,
    write_file,
    write_rollup_file,
)
from penstock.stores.selecting import int64s
from penstock.stores.settings import LakeSettings

SERIES = "series"
#: Part of a row group that is enough in files that will be merged: each holds little of a
#: datastream, and there are many of them.
FIRST_SHARE = 4


@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """What is on disk: the manifest, and the state of each datastream."""

    manifest: Manifest
    state: SeriesState


def open_version(directory: Path) -> Version:
    """Read what is on disk and remove what the manifest does not name."""
    if not (directory / manifests.NAME).exists():
        _begin(directory)
    manifest = manifests.read_manifest(directory)
    state = SeriesState.empty()
    if manifest.series:
        state = SeriesState.read(directory / manifest.series)
    named = manifest.paths()
    for folder in (ROWS, SERIES, ROLLUPS):
        for path in (directory / folder).rglob("*.parquet"):
            if path.relative_to(directory).as_posix() not in named:
                path.unlink()
    directory.joinpath(manifests.NAME).with_suffix(".json.new").unlink(missing_ok=True)
    return Version(manifest, state)


def _begin(directory: Path) -> None:
    """Write the first manifest, so that a missing one is never taken for an empty lake."""
    if next(directory.joinpath(ROWS).rglob("*.parquet"), None) is not None:
        msg = (
            f"{directory} holds observations but no {manifests.NAME}, which says what they are; "
            "restore it from a backup, or move the folder away to begin an empty lake"
        )
        raise Corrupt(msg)
    try:
        manifests.write_manifest(directory, manifests.Manifest())
    except OSError as error:
        raise _explained(error, directory) from error


class Commit:
    """Makes the next version from the one before; only the thread that writes calls it."""

    def __init__(self, directory: Path, settings: LakeSettings, reader: Reader) -> None:
        self._directory = directory
        self._settings = settings
        self._reader = reader
        self._next = manifests.read_manifest(directory).next_file
        self._numbering = threading.Lock()

    def add(self, before: Version, settled: Settled, marks: Mapping[str, int]) -> Version:
        """Return the version that also holds some rows, durable.

        Raises:
            DiskFull: Nothing changed.
        """
        with self._all_or_nothing() as made:
            files = list(before.manifest.files)
            for old, rows in settled.changed.items():
                files[files.index(old)] = self._overlaid(old, rows, made)
            for month, rows in split_by_partition(settled.added):
                files.append(
                    self._write(
                        folder_of(month), [rows], made, in_ms=is_whole_ms(rows), share=FIRST_SHARE
                    )
                )
            if not settled.added.num_rows and not settled.changed:
                return self._publish(before, files, before.state, marks, made)
            touched = pa.concat_tables([settled.added, *settled.changed.values()])
            state = before.state.with_rows(touched, settled.added)
            return self._publish(before, files, state, marks, made)

    def remove(self, before: Version, removal: Removal) -> Version:
        """Return the version without some rows, durable; the same one when there are none.

        Raises:
            DiskFull: Nothing changed.
        """
        removed = Removed()
        with self._all_or_nothing() as made:
            files = []
            for file in before.manifest.files:
                kept = self._remaining(file, removal, removed, made)
                if kept is not None:
                    files.append(kept)
            if not removed.rows:
                return before
            state = state_without(before.state, removal, removed, files, self._reader)
            return self._publish(before, files, state, {}, made)

    def merge(self, sources: Sequence[DataFile]) -> DataFile:
        """Write a file with the rows of others; it belongs to the lake once `adopt` is called.

        Any thread may call it.

        Raises:
            DiskFull: Nothing changed.
        """
        in_ms = all(self._reader.is_whole_ms(file) for file in sources)
        with self._all_or_nothing() as made:
            return self._write(
                sources[0].partition, merged(self._reader, sources), made, in_ms=in_ms
            )

    def adopt(self, before: Version, sources: Sequence[DataFile], merged: DataFile) -> Version:
        """Return the version with `merged` in place of its sources, durable.

        When one of them changed meanwhile, `merged` is removed and the version is as before.

        Raises:
            DiskFull: Nothing changed.
        """
        with self._all_or_nothing() as made:
            made += [merged.path, rollup_path(merged.path)]
            old = before.manifest.files
            if set(sources) <= set(old):
                files = [file for file in old if file not in sources]
                return self._publish(before, [*files, merged], before.state, {}, made)
        for path in (merged.path, rollup_path(merged.path)):
            (self._directory / path).unlink(missing_ok=True)
        return before

    def widen(self, before: Version, chosen: ToWiden) -> Version:
        """Return the version where one roll-up stands for several, durable.

        Raises:
            DiskFull: Nothing changed.
        """
        files, rollups = chosen.files, chosen.rollups
        width_us = max(
            [file.rollup_width_us for file in files] + [wide.width_us for wide in rollups]
        )
        paths = [file.rollup for file in files] + [wide.path for wide in rollups]
        table = combine([self._reader.rollup(path, Selection()) for path in paths], width_us)
        of = [file.path for file in files] + [path for wide in rollups for path in wide.files]
        folder = rollup_path(of[0]).rsplit("/", 1)[0]
        with self._all_or_nothing() as made:
            made.append(f"{folder}/{self._number()}.parquet")
            wide = Wide(
                path=made[0],
                bytes=write_rollup_file(self._directory, made[0], table),
                width_us=width_us,
                first_us=min([f.first_us for f in files] + [w.first_us for w in rollups]),
                last_us=max([f.last_us for f in files] + [w.last_us for w in rollups]),
                files=tuple(of),
            )
            kept = [old for old in before.manifest.rollups if old not in rollups]
            manifest = msgspec.structs.replace(before.manifest, rollups=(*kept, wide))
            widened = Version(manifest, before.state)
            return self._publish(widened, manifest.files, before.state, {}, made)

    def _remaining(
        self, file: DataFile, removal: Removal, removed: Removed, made: list[str]
    ) -> DataFile | None:
        if not file.may_hold(removal.bounds):
            return file
        keys = Identities.of(self._reader.columns(file, removal.bounds, ()))
        gone = keys.take(removal.is_removed(keys))
        if not len(gone):
            return file
        removed.add(gone.datastream)
        if len(gone) == file.rows:
            return None

        def change(held: pa.Table, first: int, last: int) -> pa.Table:  # noqa: ARG001
            return held.filter(pa.array(~removal.is_removed(Identities.of(held))))

        parts = merged(self._reader, [file], change)
        return self._write(file.partition, parts, made, in_ms=self._reader.is_whole_ms(file))

    def _overlaid(self, old: DataFile, rows: pa.Table, made: list[str]) -> DataFile:
        ids = int64s(rows["datastream"])

        def change(held: pa.Table, first: int, last: int) -> pa.Table:
            return overlay(held, rows.filter(pa.array((ids >= first) & (ids <= last))))

        parts = merged(self._reader, [old], change)
        in_ms = self._reader.is_whole_ms(old) and is_whole_ms(rows)
        return self._write(old.partition, parts, made, in_ms=in_ms)

    def _write(
        self,
        folder: str,
        parts: Iterable[pa.Table],
        made: list[str],
        *,
        in_ms: bool,
        share: int = 1,
    ) -> DataFile:
        path = f"{folder}/{self._number()}.parquet"
        made += [path, rollup_path(path)]
        return write_file(
            self._directory,
            path,
            parts,
            least_group_rows=self._settings.row_group_rows // share,
            row_group_rows=self._settings.row_group_rows,
            compression_level=self._settings.compression_level,
            in_ms=in_ms,
        )

    def _publish(
        self,
        before: Version,
        files: Sequence[DataFile],
        state: SeriesState,
        marks: Mapping[str, int],
        made: list[str],
    ) -> Version:
        series = before.manifest.series
        if state is not before.state:
            series = f"{SERIES}/{self._number()}.parquet"
            (self._directory / SERIES).mkdir(exist_ok=True)
            made.append(series)
            with (self._directory / series).open("xb") as sink:
                state.write(sink)
                sync_file(sink)
            manifests.sync_directory(self._directory / SERIES)
        paths = {file.path for file in files}
        rollups = tuple(wide for wide in before.manifest.rollups if paths.issuperset(wide.files))
        manifest = msgspec.structs.replace(
            before.manifest,
            rollups=rollups,
            next_file=self._next,
            marks={**before.manifest.marks, **marks},
            files=tuple(files),
            series=series,
            observations=sum(file.rows for file in files),
        )
        manifests.write_manifest(self._directory, manifest)
        return Version(manifest, state)

    def _number(self) -> str:
        with self._numbering:
            number = f"{self._next:010}"
            self._next += 1
            return number

    @contextmanager
    def _all_or_nothing(self) -> Iterator[list[str]]:
        made: list[str] = []
        try:
            yield made
        except BaseException as error:
            for path in made:
                (self._directory / path).unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise _explained(error, self._directory) from error
            raise


def _explained(error: OSError, directory: Path) -> DiskFull | NotConnected:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        msg = f"no space left for {directory}; make room, the lake goes on by itself"
        return DiskFull(msg)
    return NotConnected(f"{directory} cannot be written ({error}); nothing was changed")
