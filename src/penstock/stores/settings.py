"""Settings of the stores."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class LakeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the lake keeps observations: when rows go to files, and how large files become."""

    flush_rows: Annotated[
        int, Meta(description="Rows in memory at which they are written to files.", ge=1)
    ] = 1_000_000
    flush_interval_s: Annotated[
        float, Meta(description="Seconds after which waiting rows are written to files.", gt=0)
    ] = 60.0
    hot_max_rows: Annotated[
        int,
        Meta(description="Rows in memory above which appending waits for the disk.", ge=1),
    ] = 6_000_000
    flush_bytes: Annotated[
        int,
        Meta(description="Bytes of text and JSON in memory at which rows go to files.", ge=65536),
    ] = 134_217_728
    hot_max_bytes: Annotated[
        int,
        Meta(description="Bytes of text and JSON above which appending waits.", ge=65536),
    ] = 536_870_912
    file_rows: Annotated[
        int, Meta(description="Rows up to which files are merged in the background.", ge=1)
    ] = 8_000_000
    row_group_rows: Annotated[
        int,
        Meta(description="Rows of a Parquet row group, the least that is read.", ge=1024),
    ] = 32_768
    merge_files: Annotated[
        int, Meta(description="Small files of about one size that are merged into one.", ge=2)
    ] = 8
    compression_level: Annotated[
        int, Meta(description="Zstandard level of merged files.", ge=1, le=19)
    ] = 3
    grace_s: Annotated[
        float,
        Meta(description="Seconds that replaced files are kept for other programs.", ge=0),
    ] = 60.0
    retry_s: Annotated[
        float, Meta(description="Seconds between tries to write when the disk is full.", gt=0)
    ] = 1.0
    retention_s: Annotated[
        float | None,
        Meta(
            description="Age in seconds above which observations of datastreams without a "
            "retention of their own are forgotten; none keeps them."
        ),
    ] = None
    background: Annotated[
        bool,
        Meta(description="Flush and merge on a thread of its own; off, only `flush` does."),
    ] = True


class PostgresSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How observations are kept in PostgreSQL, where `store.url` says so."""

    schema: Annotated[
        str,
        Meta(
            description="Schema of the tables, made when it is missing. Platforms that share a "
            "database need one each.",
            pattern="^[a-z_][a-z0-9_]{0,50}$",
        ),
    ] = "penstock"
    partition_s: Annotated[
        int,
        Meta(
            description="Seconds of observations that a table of its own holds; old ones are "
            "dropped as a whole. Counts when the tables are made.",
            ge=3600,
            le=31_557_600,
        ),
    ] = 604_800
    max_partitions: Annotated[
        int,
        Meta(
            description="Tables at most; observations of further stretches of time share one.",
            ge=1,
        ),
    ] = 1000
    connections: Annotated[
        int, Meta(description="Connections at once for reading; one more writes.", ge=1)
    ] = 8
    lock_wait_s: Annotated[
        float,
        Meta(
            description="Seconds to wait at the start for another Penstock that still writes to "
            "the same tables.",
            ge=0,
        ),
    ] = 10.0


class StoreSettings(LakeSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where observations are kept, and how the lake of files keeps them.

    With a `url` they are kept in PostgreSQL, and of the others only `retention_s` counts.
    """

    url: Annotated[
        str,
        Meta(
            description="Address of a PostgreSQL database for observations, "
            "`postgresql://user:password@host:port/database`; empty keeps them in files.",
            pattern="^(postgres(ql)?://.*)?$",
        ),
    ] = ""
    postgres: PostgresSettings = PostgresSettings()
