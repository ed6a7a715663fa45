"""JSON Patch (RFC 6902): changes of a JSON document, told step by step."""

from __future__ import annotations

import copy
from typing import Any

import msgspec

from penstock.core.errors import Conflict, InvalidInput
from penstock.sensorthings.writing.values import refuse, shown

#: Bytes of JSON that one patch may copy: each `copy` can double what there is.
MAX_COPIED = 16_777_216

_OPS = ("add", "remove", "replace", "move", "copy", "test")


def apply_patch(document: Any, patch: object) -> Any:
    """Return a document changed by a patch; the one given stays as it is.

    Raises:
        InvalidInput: The patch is none, or a step speaks of what is not there.
        Conflict: A `test` does not hold.
    """
    if not isinstance(patch, list):
        refuse("", f"{shown(patch)} is no JSON Patch; expected a list of steps")
    document, copied = copy.deepcopy(document), 0
    for number, step in enumerate(patch):
        at = f"[{number}]"
        if not isinstance(step, dict) or step.get("op") not in _OPS:
            refuse(at, f"{shown(step)} is no step; its op is one of {', '.join(_OPS)}")
        if step["op"] == "copy":
            copied += len(msgspec.json.encode(_get(document, _pointer(step, "from", at), at)))
            if copied > MAX_COPIED:
                refuse(at, f"a patch copies at most {MAX_COPIED} bytes")
        document = _apply(document, step, at)
    return document


def _apply(document: Any, step: dict[str, Any], at: str) -> Any:
    op, path = step["op"], _pointer(step, "path", at)
    if op in ("add", "replace", "test") and "value" not in step:
        refuse(at, f"{op} needs a value")
    if op == "test":
        held = _get(document, path, at)
        if not _is_same(held, step["value"]):
            raise Conflict(f"{at}: {step['path']} is {shown(held)}, not {shown(step['value'])}")
        return document
    if op in ("move", "copy"):
        source = _pointer(step, "from", at)
        value = copy.deepcopy(_get(document, source, at))
        if op == "move":
            if path[: len(source)] == source and path != source:
                refuse(at, "a value cannot be moved into itself")
            document = _remove(document, source, at)
        return _add(document, path, value, at)
    if op == "remove":
        return _remove(document, path, at)
    if op == "replace":
        _get(document, path, at)
        if not path:
            return step["value"]
        document = _remove(document, path, at)
    return _add(document, path, step["value"], at)


def _pointer(step: dict[str, Any], name: str, at: str) -> list[str]:
    """Return the parts of a JSON Pointer (RFC 6901)."""
    text = step.get(name)
    if not isinstance(text, str) or (text and not text.startswith("/")):
        refuse(at, f"{name} is {shown(text)}; expected a JSON Pointer such as /properties/a")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _get(document: Any, path: list[str], at: str) -> Any:
    for depth, part in enumerate(path):
        if isinstance(document, dict) and part in document:
            document = document[part]
        elif isinstance(document, list):
            document = document[_index(document, part, len(document) - 1, at)]
        else:
            _missing(path[: depth + 1], at)
    return document


def _add(document: Any, path: list[str], value: Any, at: str) -> Any:
    if not path:
        return value
    parent = _get(document, path[:-1], at)
    if isinstance(parent, dict):
        parent[path[-1]] = value
    elif isinstance(parent, list):
        end = len(parent)
        place = end if path[-1] == "-" else _index(parent, path[-1], end, at)
        parent.insert(place, value)
    else:
        _missing(path, at)
    return document


def _remove(document: Any, path: list[str], at: str) -> Any:
    _get(document, path, at)
    if not path:
        return None
    parent = _get(document, path[:-1], at)
    if isinstance(parent, list):
        parent.pop(int(path[-1]))
    else:
        del parent[path[-1]]
    return document


def _index(items: list[Any], part: str, largest: int, at: str) -> int:
    if not (part.isascii() and part.isdigit()) or (len(part) > 1 and part[0] == "0"):
        refuse(at, f"{part[:40]!r} is no index of a list of {len(items)}")
    if len(part) > 9 or int(part) > largest:
        refuse(at, f"there is no item {part[:40]} in a list of {len(items)}")
    return int(part)


def _missing(path: list[str], at: str) -> Any:
    raise InvalidInput(f"{at}: there is no /{'/'.join(path)[:80]}")


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_is_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_is_same, one, other))
    return bool(one == other)
