"""Answers become messages: a JSON object for each row."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import pyarrow as pa

from penstock.core.apps import Output
from penstock.core.queries import END, SERIES, TIME, Meaning
from penstock.sql.engine.derived import fill
from penstock.sql.engine.picture import Pictures
from penstock.sql.engine.tap import int64s

_UTC = pa.timestamp("us", tz="UTC")
#: Messages that are published together.
PAGE = 1000


class TopicSink:
    """Publishes answers, at least once: what is computed again is published again.

    Each object has `time`, `end_time` where there is one, `datastream` for row-by-row queries,
    and the columns of the query. Columns in the topic are written without `/`, `+` and `#`.

    Args:
        output: With the topic.
        meaning: Columns of the answer.
        publish: Brings (topic, payload) pairs to subscribers; returns when they are there.
        pictures: Tells names of datastreams.
    """

    def __init__(
        self,
        output: Output,
        meaning: Meaning,
        publish: Callable[[Sequence[tuple[str, bytes]]], None],
        pictures: Pictures,
    ) -> None:
        self._topic = output.topic
        self._names = [column.name for column in meaning.columns]
        self._publish = publish
        self._pictures = pictures

    def put(self, rows: pa.Table, start_us: int | None, end_us: int | None) -> None:  # noqa: ARG002
        """Take rows; see `core.queries.Sink`."""
        for start in range(0, rows.num_rows, PAGE):
            self._publish(self._messages(rows.slice(start, PAGE)))

    def _messages(self, rows: pa.Table) -> list[tuple[str, bytes]]:
        times = rows.column(TIME).cast(_UTC).to_pylist()
        ends = rows.column(END).cast(_UTC).to_pylist()
        names = self._series(rows)
        columns = [self._plain(rows.column(name)).to_pylist() for name in self._names]
        messages = []
        for time, end, series, *values in zip(times, ends, names, *columns, strict=True):
            facts: dict[str, object] = {"time": time}
            if end is not None:
                facts["end_time"] = end
            if series:
                facts["datastream"] = series
            facts.update(zip(self._names, values, strict=True))
            texts = {key: _level(value) for key, value in facts.items()}
            messages.append((fill(self._topic, texts), msgspec.json.encode(facts)))
        return messages

    def _plain(self, column: pa.ChunkedArray) -> pa.ChunkedArray:
        return column.cast(_UTC) if pa.types.is_timestamp(column.type) else column

    def _series(self, rows: pa.Table) -> list[str]:
        ids = int64s(rows, SERIES)
        if not ids.any():
            return [""] * len(ids)
        picture = self._pictures.knowing(ids[ids > 0])
        return [picture.infos[at].name if at >= 0 else "" for at in picture.index(ids).tolist()]


def _level(value: object) -> str:
    text = "" if value is None else str(value)
    for sign in "/+#\0":
        text = text.replace(sign, "-")
    return text
