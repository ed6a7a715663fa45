"""Choose which files to merge, so that a time range is found in few files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from penstock.stores.lake.manifest import DataFile, Manifest, Wide

#: Roll-ups that are brought together at a time.
WIDEN_FILES = 8


def choose_merge(files: Sequence[DataFile], *, merge_files: int, file_rows: int) -> list[DataFile]:
    """Return files of one partition to merge into one, or none.

    Files are merged with others of about their size, `merge_files` at a time, so a row is written
    again only a few times until its file has about `file_rows`.
    """
    tiers: dict[tuple[str, int], list[DataFile]] = {}
    for file in files:
        if file.rows <= file_rows // 2:
            tier = _tier(file.rows, merge_files)
            tiers.setdefault((file.partition, tier), []).append(file)
    for key in sorted(tiers, key=lambda key: (key[1], key[0])):
        found = _leading(sorted(tiers[key], key=lambda file: file.first_us), file_rows)
        if len(found) >= merge_files or sum(file.rows for file in found) > file_rows // 2:
            return found
    return []


def choose_whole(files: Sequence[DataFile], *, file_rows: int) -> list[DataFile]:
    """Return small files of one partition to merge into one, whatever their sizes, or none."""
    partitions: dict[str, list[DataFile]] = {}
    for file in files:
        if file.rows <= file_rows // 2:
            partitions.setdefault(file.partition, []).append(file)
    for small in partitions.values():
        found = _leading(sorted(small, key=lambda file: file.first_us), file_rows)
        if len(found) > 1:
            return found
    return []


@dataclass(frozen=True, slots=True)
class ToWiden:
    """Roll-ups to bring together: of files, and of many files."""

    files: list[DataFile]
    rollups: list[Wide]


def choose_rollups(manifest: Manifest, file_rows: int) -> ToWiden | None:
    """Return roll-ups of one partition to bring together into one, or None."""
    within = {path for wide in manifest.rollups for path in wide.files}
    files: dict[str, list[DataFile]] = {}
    for file in manifest.files:
        # Smaller files will be merged, and their roll-ups with them.
        if file.rollup and file.path not in within and file.rows > file_rows // 2:
            files.setdefault(file.partition, []).append(file)
    for found in files.values():
        if len(found) >= WIDEN_FILES:
            return ToWiden(found, [])
    rollups: dict[tuple[str, int], list[Wide]] = {}
    for wide in manifest.rollups:
        tier = _tier(len(wide.files), WIDEN_FILES)
        rollups.setdefault((wide.files[0].rsplit("/", 1)[0], tier), []).append(wide)
    for several in rollups.values():
        if len(several) >= WIDEN_FILES:
            return ToWiden([], several)
    return None


def _tier(rows: int, merge_files: int) -> int:
    tier = 0
    while rows > merge_files:
        rows //= merge_files
        tier += 1
    return tier


def _leading(files: list[DataFile], file_rows: int) -> list[DataFile]:
    """Return the first files, as many as make one of `file_rows`."""
    found: list[DataFile] = []
    rows = 0
    for file in files:
        if found and rows + file.rows > file_rows:
            break
        found.append(file)
        rows += file.rows
    return found if len(found) > 1 else []
