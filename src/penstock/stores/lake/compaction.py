"""Choose which files to merge, so that a time range is found in few files."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.stores.lake.manifest import DataFile


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
