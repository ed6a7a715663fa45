"""Batches as multipart/mixed (18-088 section 11): read into requests, answered in parts."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from itertools import pairwise
from typing import Any

import msgspec

from penstock.sensorthings.writing.values import refuse

_BOUNDARY = re.compile(r'boundary="?([^";,\s]{1,70})"?', re.IGNORECASE)
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_REQUEST_LINE = re.compile(r"([A-Za-z]+) (\S+)(?: HTTP/[0-9.]+)?\s*")
_NO_ID = "-"


def is_multipart(content_type: str) -> bool:
    """Tell whether a body is in parts."""
    return content_type.partition(";")[0].strip().lower() == "multipart/mixed"


def read_parts(body: bytes, content_type: str) -> list[dict[str, Any]]:
    """Return the requests of a batch, each as a JSON batch has it; a change set is a group.

    Raises:
        InvalidInput: The parts cannot be told apart, or one is no request.
    """
    found: list[dict[str, Any]] = []
    for number, (headers, content) in enumerate(_parts(body, content_type, "batch")):
        at = f"part {number + 1}"
        if is_multipart(headers.get("content-type", "")):
            inner = _parts(content, headers["content-type"], at)
            found.extend(
                {**_request(*one, len(found) + position, at), "atomicityGroup": at}
                for position, one in enumerate(inner)
            )
        else:
            found.append(_request(headers, content, len(found), at))
    return found


def _parts(body: bytes, content_type: str, at: str) -> Iterator[tuple[dict[str, str], bytes]]:
    boundary = _BOUNDARY.search(content_type)
    if boundary is None:
        refuse(at, "its Content-Type names no boundary")
    mark = re.escape(boundary[1].encode())
    marks = list(re.finditer(rb"(?:\A|\r?\n)--" + mark + rb"(--)?[ \t]*(?=\r?\n|\Z)", body))
    if not marks or marks[-1][1] is None:
        refuse(at, f"it does not end with --{boundary[1]}--")
    for here, behind in pairwise(marks):
        if here[1] is not None:
            return
        yield _split(body[here.end() : behind.start()])


def _split(text: bytes) -> tuple[dict[str, str], bytes]:
    """Return the headers of a part or request, by their names in lower case, and the rest."""
    head, *rest = _BLANK_LINE.split(text.lstrip(b"\r\n"), maxsplit=1)
    headers = {}
    for line in head.decode(errors="replace").splitlines():
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    return headers, rest[0] if rest else b""


def _request(headers: Mapping[str, str], content: bytes, number: int, at: str) -> dict[str, Any]:
    line, _, rest = content.lstrip(b"\r\n").partition(b"\n")
    known = _REQUEST_LINE.fullmatch(line.decode(errors="replace").strip())
    if known is None:
        refuse(at, f"{line[:60]!r} is no request, such as GET Things HTTP/1.1")
    inner, body = _split(rest) if rest.strip() else ({}, b"")
    found: dict[str, Any] = {
        "id": headers.get("content-id") or f"{_NO_ID}{number}",
        "method": known[1],
        "url": known[2],
        "headers": {name: one for name, one in inner.items() if name == "content-type"},
    }
    if body.strip():
        try:
            found["body"] = msgspec.json.decode(body)
        except msgspec.DecodeError:
            # The one who answers says what is wrong with it.
            found["body"] = msgspec.Raw(body)
    return found


def write_parts(
    requests: Sequence[Mapping[str, Any]], responses: Sequence[Mapping[str, Any]]
) -> tuple[str, bytes]:
    """Return the content type and body of the answer to a batch."""
    boundary = f"batch_{uuid.uuid4()}"
    lines: list[str] = []
    group: tuple[str, str] | None = None
    for request, response in zip(requests, responses, strict=True):
        name = request.get("atomicityGroup")
        if group is not None and name != group[0]:
            lines.append(f"--{group[1]}--")
            group = None
        if name is not None and group is None:
            group = (name, f"set_{uuid.uuid4()}")
            lines += [f"--{boundary}", f"Content-Type: multipart/mixed; boundary={group[1]}", ""]
        lines.append(f"--{boundary if group is None else group[1]}")
        lines += _answer(response)
    if group is not None:
        lines.append(f"--{group[1]}--")
    lines.append(f"--{boundary}--")
    return f"multipart/mixed; boundary={boundary}", "\r\n".join(lines).encode()


def _answer(response: Mapping[str, Any]) -> list[str]:
    lines = ["Content-Type: application/http"]
    if not response["id"].startswith(_NO_ID):
        lines.append(f"Content-ID: {response['id']}")
    status = HTTPStatus(response["status"])
    lines += ["", f"HTTP/1.1 {status.value} {status.phrase}"]
    if "location" in response:
        lines.append(f"Location: {response['location']}")
    body = response.get("body")
    if body is None:
        return [*lines, "", ""]
    kind = response.get("headers", {}).get("content-type")
    is_text = kind is not None and isinstance(body, str)
    lines.append(f"Content-Type: {kind if is_text else 'application/json'}")
    return [*lines, "", body if is_text else msgspec.json.encode(body).decode()]
