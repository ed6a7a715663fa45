"""Settings of stream SQL."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

#: Characters of a text that LISTAGG gives, without another setting.
MAX_LIST = 1_000_000


class SqlSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How queries are computed."""

    memory_bytes: Annotated[
        int,
        Meta(
            description="Memory that the computing of running queries may take, beside the rows "
            "that are read for it.",
            ge=33_554_432,
        ),
    ] = 536_870_912
    threads: Annotated[
        int, Meta(description="Threads that compute running queries.", ge=1, le=256)
    ] = 1
    tick_s: Annotated[
        float,
        Meta(
            description="Shortest time between two turns of the engine, seconds; smaller answers "
            "sooner, larger takes less processor time. With queries that answer row by row, as "
            "most alarm rules do, short turns follow each other sooner.",
            ge=0.001,
            le=60,
        ),
    ] = 0.1
    max_slice_rows: Annotated[
        int,
        Meta(
            description="Rows that are read at once. A longer range is computed in parts; a query "
            "whose smallest slice has more rows fails.",
            ge=1000,
        ),
    ] = 5_000_000
    pieces_bytes: Annotated[
        int,
        Meta(
            description="Memory for what has been computed of long windows that are not at their "
            "end yet. A query that has no room in it computes the whole window at its end.",
            ge=0,
        ),
    ] = 134_217_728
    max_slice_s: Annotated[
        float,
        Meta(
            description="Seconds that computing a range may take. A longer range is computed in "
            "parts, others having their turn between them; a query whose smallest slice takes "
            "longer fails.",
            gt=0,
            le=3600,
        ),
    ] = 30.0
    max_list_characters: Annotated[
        int,
        Meta(
            description="Characters of a text that LISTAGG gives; a query that gives more fails.",
            ge=1,
            le=100_000_000,
        ),
    ] = MAX_LIST
    max_waiting_rows: Annotated[
        int,
        Meta(
            description="New rows that wait in memory for the engine; of more it remembers only "
            "which ranges they touch, and reads them from the store.",
            ge=1,
        ),
    ] = 2_000_000
    max_retry_s: Annotated[
        float,
        Meta(
            description="Longest wait before a query that failed is tried again, seconds.",
            gt=0,
            le=3600,
        ),
    ] = 60.0
    catalog_age_s: Annotated[
        float,
        Meta(
            description="How old what queries see of the catalog may be, seconds. Datastreams that"
            " are new are seen at once.",
            ge=0,
            le=3600,
        ),
    ] = 10.0
    question_memory_bytes: Annotated[
        int,
        Meta(description="Memory that a single question may take.", ge=33_554_432),
    ] = 268_435_456
    question_threads: Annotated[
        int, Meta(description="Threads that answer a single question.", ge=1, le=256)
    ] = 1
    question_max_answer_bytes: Annotated[
        int, Meta(description="Bytes that the answer to a single question may have.", ge=1)
    ] = 67_108_864
    question_max_scan_rows: Annotated[
        int,
        Meta(
            description="Rows that are read for a single question; each takes about 60 bytes of "
            "memory, beside what answering takes.",
            ge=1,
        ),
    ] = 20_000_000
