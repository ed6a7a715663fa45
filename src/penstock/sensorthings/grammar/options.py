"""What the options of a request say: `$filter`, `$expand` and the others, as trees."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from penstock.core.expression import Expression, Order

#: A property to be shown, and members of its JSON: `("properties", "site", "name")`.
SelectPath = tuple[str, ...]


class ResultFormat(StrEnum):
    """How a set is shown."""

    JSON = "JSON"
    DATA_ARRAY = "dataArray"
    CSV = "CSV"
    GEOJSON = "GeoJSON"


class Metadata(StrEnum):
    """Which annotations an answer carries (`$resultMetadata`, an extension of FROST)."""

    #: All.
    FULL = "full"
    #: Only `@iot.count` and `@iot.nextLink`.
    MINIMAL = "minimal"
    #: The same as minimal.
    NONE = "none"
    #: Only `@iot.count`.
    OFF = "off"


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a request, or of one `$expand`; checked against the type they speak of.

    Attributes:
        where: `$filter`.
        order: `$orderby`.
        select: `$select`, the id as `@iot.id`, names of links as they are; None shows everything.
        distinct: `$select=distinct:...`: equal rows once.
        expand: `$expand`; each link once.
        top: `$top`, not negative.
        skip: `$skip`.
        count: `$count`.
        skip_token: `$skiptoken`, as it was written, without percent-encoding.
        format: `$resultFormat`; of a request, never of an `$expand`.
        metadata: `$resultMetadata`; of a request, never of an `$expand`.
        id: `$id`: the address of an entity to be unlinked, as it was written.
        custom: Options without `$`, by name: not part of the standard.
    """

    where: Expression | None = None
    order: tuple[Order, ...] = ()
    select: tuple[SelectPath, ...] | None = None
    distinct: bool = False
    expand: tuple[Expand, ...] = ()
    top: int | None = None
    skip: int = 0
    count: bool | None = None
    skip_token: str | None = None
    format: ResultFormat = ResultFormat.JSON
    metadata: Metadata = Metadata.FULL
    id: str | None = None
    custom: tuple[tuple[str, str], ...] = ()


class Expand(msgspec.Struct, frozen=True):
    """A link whose entities are shown in place; `Datastreams/Thing` is one within one.

    Attributes:
        link: Name of the link.
        options: What is said about the entities there.
        at: Where it stands in the text.
    """

    link: str
    options: Options = Options()
    at: int = 0
