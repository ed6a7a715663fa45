"""Long computing as a stream: rows while they come, how far it is, and an end when nobody reads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any

import msgspec
import pyarrow as pa
from fastapi import Response

from penstock.api.apps.answers import Computed
from penstock.api.apps.tables import columns_of, encode, flat, values_of
from penstock.api.context import Context
from penstock.api.downloads import FORMATS, Sheet
from penstock.api.errors import problem_of
from penstock.api.streaming import Leaving
from penstock.core.apps import Verified
from penstock.core.errors import PenstockError
from penstock.core.queries import Progress

NDJSON = "application/x-ndjson"
#: Seconds between two lines that say how far it is.
TELL_EVERY_S = 0.5


class _Left(Exception):
    """Nobody reads any more."""


class Course:
    """How far it is, and whether it is still wanted; handed to what computes."""

    def __init__(self) -> None:
        self.share = 0.0
        self._left = threading.Event()

    def __call__(self, share: float) -> None:
        """Take how far it is; see `core.queries.Progress`."""
        if self._left.is_set():
            raise _Left
        self.share = share

    def leave(self) -> None:
        """Let it end at the next part."""
        self._left.set()


async def compute(
    ctx: Context, begin: Callable[[Progress], Iterator[pa.Table]], kind: str, name: str
) -> Response:
    """Return the rows that `begin` gives, in the form asked for, while they come.

    What goes wrong before the first part gives an ordinary error. Later, NDJSON ends with a line
    that says so; of other forms the connection is cut.
    """
    course = Course()
    parts = await ctx.computing(begin, course)
    work = _Work(ctx, parts, course)
    first = await work.first()
    if kind in ("csv", "arrow"):
        form = FORMATS[kind]
        headers = {
            "Content-Disposition": f'attachment; filename="{name}.{form.suffix}"',
            "Cache-Control": "no-store",
        }
        return Leaving(_file(work, first, kind), media_type=form.media, headers=headers)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return Leaving(_lines(work, first), media_type=NDJSON, headers=headers)


async def follow(ctx: Context, work: Callable[[Progress], Verified]) -> Response:
    """Return, as NDJSON, how far some work is, and in the end what came of it.

    It is given up when nobody reads any more.
    """
    course = Course()
    task = asyncio.create_task(ctx.computing(work, course))
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return Leaving(_course(task, course), media_type=NDJSON, headers=headers)


async def _course(task: asyncio.Task[Verified], course: Course) -> AsyncGenerator[bytes, None]:
    told = -1.0
    try:
        while not (await asyncio.wait([task], timeout=TELL_EVERY_S))[0]:
            if course.share - told >= 0.01:
                told = course.share
                yield _line(Computed(progress=round(told, 4)))
        verified = task.result()
        yield _line(Computed(progress=1.0))
        yield _line(Computed(verified=verified))
    except PenstockError as error:
        yield _line(Computed(error=msgspec.to_builtins(problem_of(error))))
    finally:
        course.leave()
        task.add_done_callback(_look_away)


class _Work:
    """Parts computed in a thread, one at a time."""

    def __init__(self, ctx: Context, parts: Iterator[pa.Table], course: Course) -> None:
        self._ctx = ctx
        self._parts = parts
        self._course = course
        self._task: asyncio.Task[pa.Table | None] | None = None

    @property
    def share(self) -> float:
        return self._course.share

    async def first(self) -> pa.Table | None:
        try:
            return await self._begin()
        except asyncio.CancelledError:
            self.leave()
            raise

    async def next(self, wait_s: float | None) -> tuple[bool, pa.Table | None]:
        """Return whether the next part is there within some time, and it."""
        task = self._task or self._begin()
        self._task = task
        done, _ = await asyncio.wait([task], timeout=wait_s)
        if not done:
            return False, None
        self._task = None
        return True, task.result()

    def leave(self) -> None:
        self._course.leave()
        if self._task is not None:
            self._task.add_done_callback(_look_away)

    def _begin(self) -> asyncio.Task[pa.Table | None]:
        return asyncio.create_task(self._ctx.computing(next, self._parts, None))


def _look_away(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()


async def _lines(work: _Work, first: pa.Table | None) -> AsyncGenerator[bytes, None]:
    rows, told = 0, -1.0
    part = first
    is_first = True
    try:
        while part is not None:
            if is_first:
                yield _line(Computed(columns=columns_of(part.schema)))
                is_first = False
            if part.num_rows:
                rows += part.num_rows
                yield _line(Computed(values=values_of(part)))
            is_there = False
            while not is_there:
                if work.share - told >= 0.01:
                    told = work.share
                    yield _line(Computed(progress=round(told, 4)))
                is_there, part = await work.next(TELL_EVERY_S)
        yield _line(Computed(progress=1.0))
        yield _line(Computed(rows=rows))
    except PenstockError as error:
        yield _line(Computed(error=msgspec.to_builtins(problem_of(error))))
    finally:
        work.leave()


async def _file(work: _Work, first: pa.Table | None, kind: str) -> AsyncGenerator[bytes, None]:
    part = first
    sheet: Sheet | None = None
    try:
        while part is not None:
            shown = flat(part) if kind == "csv" else part
            sheet = sheet or Sheet(FORMATS[kind], shown.schema)
            yield sheet.write(shown)
            _, part = await work.next(None)
        if sheet is not None:
            yield sheet.finish()
    finally:
        work.leave()


def _line(document: Computed) -> bytes:
    known = {
        name: value
        for name in Computed.__struct_fields__
        if (value := getattr(document, name)) is not None
    }
    return encode(known) + b"\n"
