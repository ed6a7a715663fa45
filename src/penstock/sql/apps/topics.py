"""Topics: the answer of an app as messages, a JSON object for each row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC
from typing import Any

import msgspec
import pyarrow as pa

from penstock.core.apps import AppSpec
from penstock.core.errors import InvalidInput
from penstock.core.queries import END, TIME, ColumnKind, Meaning
from penstock.sql.apps.checking import columns_in
from penstock.sql.apps.naming import text_of

#: Sends messages and returns when the door has them on disk, or raises.
Send = Callable[[Sequence[tuple[str, bytes]]], None]

#: Characters that a value must not bring into a topic, and what stands for them.
_UNSAFE = str.maketrans({"/": "_", "+": "_", "#": "_", "\0": "_"})


class TopicSink:
    """Sends the answer of an app to a topic, at least once. See `core.queries.Sink`.

    Args:
        spec: What was said of the app.
        meaning: What is known of its query.
        send: Sends.
        may_publish: Tells whether the app's system may publish to a topic.

    Raises:
        InvalidInput: The topic names columns that the query does not have.
    """

    def __init__(
        self, spec: AppSpec, meaning: Meaning, send: Send, may_publish: Callable[[str], bool]
    ) -> None:
        self._topic = spec.output.topic
        self._send = send
        self._may_publish = may_publish
        self._in_topic = columns_in(self._topic)
        names = [column.name for column in meaning.columns]
        for name in self._in_topic:
            if name not in names:
                msg = f"topic names the column {name!r}; the query gives {', '.join(names)}"
                raise InvalidInput(msg)
        self._json = [c.name for c in meaning.columns if c.kind is ColumnKind.JSON]
        self._names = names

    def put(self, rows: pa.Table, start_us: int | None, end_us: int | None) -> None:  # noqa: ARG002
        """Send rows; those of a range that is put again are sent again."""
        if rows.num_rows:
            self._send([self._message(row) for row in rows.to_pylist()])

    def _message(self, row: dict[str, Any]) -> tuple[str, bytes]:
        topic = self._topic
        for name in self._in_topic:
            topic = topic.replace(f"{{{name}}}", text_of(row[name]).translate(_UNSAFE))
        if not self._may_publish(topic):
            msg = f"the app's system may not publish to topic {topic[:80]!r}; name one of its own"
            raise InvalidInput(msg)
        document: dict[str, object] = {"time": _iso(row[TIME])}
        if row[END] is not None:
            document["end_time"] = _iso(row[END])
        for name in self._names:
            document[name] = _value(row[name], is_json=name in self._json)
        return topic, msgspec.json.encode(document)


def _iso(time: Any) -> str:
    return str(time.replace(tzinfo=UTC).isoformat().replace("+00:00", "Z"))


def _value(value: Any, *, is_json: bool) -> object:
    if is_json and isinstance(value, str):
        return msgspec.Raw(value.encode())
    return _iso(value) if hasattr(value, "isoformat") and hasattr(value, "hour") else value
