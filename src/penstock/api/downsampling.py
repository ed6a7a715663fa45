"""Buckets: a long range in as many points as a chart can show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import pyarrow as pa
from fastapi import Query

from penstock.api.context import Context
from penstock.api.times import nice_width, parse_width
from penstock.core.errors import InvalidInput
from penstock.core.selection import Selection
from penstock.core.store import BUCKETS, CanSummarise, Summary

Agg = Annotated[
    list[Literal["min", "max", "mean", "first", "last", "count"]] | None,
    Query(description="What of each bucket is wanted; may be repeated. By default all."),
]


def buckets(
    ctx: Context,
    selection: Selection,
    width: str | None,
    points: int | None,
    agg: Sequence[str] | None,
) -> tuple[pa.Table, int]:
    """Return buckets with the aggregates wanted, and their width in microseconds.

    Raises:
        InvalidInput: No datastream is named, both or no width are given, or the answer would be
            too large.
    """
    if selection.datastreams is None:
        raise unnamed()
    if width is not None and points is not None:
        msg = "width and points contradict each other; give one of them"
        raise InvalidInput(msg)
    summaries = _summaries(ctx, selection.datastreams)
    spans = [_span(selection, summary) for summary in summaries]
    if width is not None:
        width_us = parse_width(width)
    else:
        starts = [start for start, end in spans if end > start]
        ends = [end for start, end in spans if end > start]
        whole = max(ends) - min(starts) if starts else 1
        width_us = nice_width(whole, points or 1)
    most = sum(
        min(summary.count, (end - start) // width_us + 2)
        for summary, (start, end) in zip(summaries, spans, strict=True)
        if end > start
    )
    if most > ctx.settings.max_buckets:
        msg = (
            f"this could be {most} buckets, more than {ctx.settings.max_buckets} "
            "(`max_buckets` in [api]); ask for wider buckets, a shorter range or fewer datastreams"
        )
        raise InvalidInput(msg)
    table = ctx.downsampling().buckets(selection, width_us)
    if agg:
        chosen = [name for name in BUCKETS.names if name in {"datastream", "time", *agg}]
        table = table.select(chosen)
    return table, width_us


def unnamed() -> InvalidInput:
    """Return the error that no datastream was named."""
    return InvalidInput(
        "downsampling needs to know which datastreams; add datastream=1&datastream=2"
    )


def _summaries(ctx: Context, datastreams: Sequence[int]) -> list[Summary]:
    store: CanSummarise = ctx.summarising()
    found = (store.summary(id_) for id_ in datastreams)
    return [summary for summary in found if summary is not None]


def _span(selection: Selection, summary: Summary) -> tuple[int, int]:
    start, end = summary.first_us, summary.last_us + 1
    if selection.start_us is not None:
        start = max(start, selection.start_us)
    if selection.end_us is not None:
        end = min(end, selection.end_us)
    return start, end
