"""Pages of Observations: which one is asked for, and what it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
import pyarrow as pa

from penstock.core.errors import InvalidInput
from penstock.core.expression import Order, Property
from penstock.core.selection import Cursor
from penstock.sensorthings.sources import ID


class Found(NamedTuple):
    """A page of rows, and the option that leads to the next one; empty on the last."""

    table: pa.Table
    next: str = ""


class Along(NamedTuple):
    """Pages of several datastreams: their rows, one datastream behind the other.

    Attributes:
        table: The rows.
        sizes: How many of them are of each datastream, in the order of the rows.
        next: The option that leads to the next page, where there is one.
    """

    table: pa.Table
    sizes: Mapping[int, int]
    next: Mapping[int, str]


class Paging(msgspec.Struct, frozen=True, kw_only=True):
    """Which page, in which order."""

    top: int
    skip: int = 0
    token: str | None = None
    order: tuple[Order, ...] = ()


def natural_order(order: Sequence[Order]) -> tuple[str, bool] | None:
    """Return the name and direction of an order that the store has anyway, or None."""
    if not order:
        return ID, False
    paths = [one.by.path if isinstance(one.by, Property) else () for one in order]
    names = [path[0] if len(path) == 1 else "" for path in paths]
    directions = {one.descending for one in order}
    if names[0] == ID:
        return ID, order[0].descending
    if names[0] == "phenomenonTime" and (len(names) == 1 or names[1] == ID):
        return ("phenomenonTime", order[0].descending) if len(directions) == 1 else None
    return None


def token_of(last: Cursor) -> str:
    """Return the token that leads to what is behind a row."""
    return f"{last.datastream}~{last.time_us}~{last.feature}"


def cursor_of(token: str) -> Cursor:
    """Return what a token says.

    Raises:
        InvalidInput: It is not one of ours.
    """
    try:
        datastream, time_us, feature = (int(part) for part in token.split("~"))
    except ValueError as error:
        msg = f"$skiptoken={token[:60]!r} is none that a nextLink gave"
        raise InvalidInput(msg) from error
    return Cursor(time_us, datastream, feature)
