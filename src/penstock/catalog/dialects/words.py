"""What conditions say in different words to SQLite and to PostgreSQL.

Each class here is one thing to say, and two ways to say it. What both call `penstock_...` is not
here: those functions are in `entities.sql_functions` for SQLite and in `postgresql_functions` for
PostgreSQL, and give the same.

SQLite has values of any kind in one place; PostgreSQL wants to know what they are. Numbers are
`bigint` or `numeric` there, JSON is `json`: text as it was written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    ColumnElement,
    Dialect,
    FromClause,
    Integer,
    LargeBinary,
    Select,
    Text,
    and_,
    any_,
    case,
    cast,
    func,
    literal_column,
    null,
    select,
    true,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import NamedFromClause
from sqlalchemy.types import NullType, TypeEngine, UserDefinedType

Sql = ColumnElement[Any]
Way = Callable[..., Sql]

_DAY_US = 86_400_000_000


class Given(UserDefinedType[Any]):
    """The type of a value that is of another kind each time; the driver says which it is."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Return the name of the type in SQL, which nothing asks for."""
        return "NUMERIC"


class Word(FunctionElement[Any], ColumnElement[Any]):
    """Something that is said in two ways; both are made of its arguments.

    Args:
        arguments: SQL that it is about.
        about: What else it is about.
    """

    # Statements are compiled once for each shape by those who use them.
    inherit_cache = False
    sqlite: Way
    postgresql: Way

    def __init__(self, *arguments: Any, about: tuple[Any, ...] = ()) -> None:
        super().__init__(*arguments)
        self.about = about


def _word(
    name: str, sqlite: Way, postgresql: Way, type_: TypeEngine[Any] | None = None
) -> type[Word]:
    """Make a word of two functions from its arguments to SQL."""
    ways = {"sqlite": staticmethod(sqlite), "postgresql": staticmethod(postgresql)}
    own = {"type": type_ or NullType(), "inherit_cache": False}
    # Else SQLite, which has no type for truths, is asked whether it equals 1.
    own["_is_implicitly_boolean"] = isinstance(type_, Boolean)
    kind = type(name, (Word,), {**ways, **own})

    def say(element: Word, compiler: Any, **options: Any) -> str:
        way = getattr(element, compiler.dialect.name)
        said: Sql = way(*element.clauses, *element.about)
        text: str = compiler.process(said.self_group(), **options)
        return text

    compiles(kind)(say)
    return kind


def _called(name: str) -> Way:
    return getattr(func, name)  # type: ignore[no-any-return]


# Text

#: Where a text is in another one, from 1; 0 where it is not.
Instr = _word("Instr", func.instr, func.strpos, Integer())

#: The text without the characters of another one at both ends.
Trimmed = _word("Trimmed", func.trim, func.btrim, Text())


def _sqlite_ends(whole: Sql, part: Sql) -> Sql:
    is_there = func.substr(whole, -func.length(part)) == part
    # To `substr`, the last 0 characters are all of them.
    return case((and_(func.length(part) == 0, whole.is_not(None)), True), else_=is_there)


#: Whether a text ends with another one.
Ends = _word(
    "Ends",
    _sqlite_ends,
    lambda whole, part: func.right(whole, func.length(part)) == part,
    Boolean(),
)

#: A number as a place in a text: whole, no less than 0 and no more than any text is long.
Place = _word(
    "Place",
    lambda value: func.min(func.max(cast(value, Integer), 0), 2**31 - 2),
    _called("penstock_place"),
    Integer(),
)

#: A text that is greater or less by its code points, whatever the language of the database.
Exact = _word("Exact", lambda value: value, lambda value: value.collate("C"), Text())


# Times

_PARTS = {"Y": "year", "m": "month", "d": "day"}


def _sqlite_calendar(day: Sql, letter: str) -> Sql:
    seconds = day * 86_400
    return cast(func.strftime(f"%{letter}", seconds, "unixepoch"), Integer)


def _postgresql_calendar(day: Sql, letter: str) -> Sql:
    date = literal_column("DATE '1970-01-01'").op("+")(cast(day, Integer))
    return cast(func.date_part(_PARTS[letter], date), BigInteger)


#: Year (`Y`), month (`m`) or day (`d`) of a day since 1970.
CalendarPart = _word("CalendarPart", _sqlite_calendar, _postgresql_calendar, BigInteger())


# JSON. A document and where to look in it: names of members and places in arrays; several ways
# where a number may be either, of which at most one leads somewhere.

Steps = tuple[str | int, ...]
Paths = Sequence[Steps]


def _sqlite_path(steps: Steps) -> str:
    return "$" + "".join(f"[{one}]" if isinstance(one, int) else f'."{one}"' for one in steps)


def _first(found: list[Sql]) -> Sql:
    return found[0] if len(found) == 1 else func.coalesce(*found)


def _in_sqlite(function: Way) -> Way:
    def say(document: Sql, paths: Paths) -> Sql:
        return _first([function(document, _sqlite_path(steps)) for steps in paths])

    return say


def _in_postgresql(function: Way | None = None) -> Way:
    def say(document: Sql, paths: Paths) -> Sql:
        part = _first([_follow(document, steps) for steps in paths])
        return part if function is None else function(part)

    return say


def _follow(document: Sql, steps: Steps) -> Sql:
    for step in steps:
        name = literal_column(str(step)) if isinstance(step, int) else _Named(about=(step,))
        document = document.op("->", precedence=15)(name)
    return document


class _Named(FunctionElement[str]):
    """A text that stands in the statement itself, as it belongs to its shape."""

    type = Text()
    inherit_cache = False

    def __init__(self, about: tuple[str]) -> None:
        super().__init__()
        self.about = about


@compiles(_Named)
def _say_name(element: _Named, compiler: Any, **_: Any) -> str:
    text: str = compiler.render_literal_value(element.about[0], Text())
    return f"{text}::text"


_extract = _in_sqlite(func.json_extract)

#: SQLite's word for the kind of a JSON value; null when it is missing.
JsonKind = _word(
    "JsonKind",
    _in_sqlite(func.json_type),
    _in_postgresql(_called("penstock_json_kind")),
    Text(),
)
#: The value if it is a number, a text or a truth, else null or anything.
JsonNumber = _word("JsonNumber", _extract, _in_postgresql(_called("penstock_json_number")))
JsonText = _word("JsonText", _extract, _in_postgresql(_called("penstock_json_text")), Text())
JsonTruth = _word("JsonTruth", _extract, _in_postgresql(_called("penstock_json_truth")))
#: Whether it is missing or null.
JsonAbsent = _word(
    "JsonAbsent",
    lambda document, paths: _extract(document, paths).is_(null()),
    lambda document, paths: _in_postgresql(_called("penstock_json_kind"))(document, paths).is_(
        null()
    ),
    Boolean(),
)


def _written(kind: Sql, value: Sql) -> Sql:
    return case(
        (kind == literal_column("'text'"), value),
        (kind == literal_column("'true'"), literal_column("'true'")),
        (kind == literal_column("'false'"), literal_column("'false'")),
        (kind == literal_column("'real'"), func.penstock_number_text(value)),
        else_=cast(value, Text),
    )


def _sqlite_written(document: Sql, paths: Paths) -> Sql:
    return _written(_in_sqlite(func.json_type)(document, paths), _extract(document, paths))


#: The value as it is written; text without quotation marks.
JsonWritten = _word(
    "JsonWritten",
    _sqlite_written,
    _in_postgresql(_called("penstock_json_written")),
    Text(),
)
#: What is there: an object or array as a document.
JsonPart = _word("JsonPart", _extract, _in_postgresql())
#: An object or array as the text that it is.
JsonDocument = _word(
    "JsonDocument", _extract, lambda *about: cast(_in_postgresql()(*about), Text), Text()
)
#: The value as one sees what rows are sorted by: null, a number or a text.
JsonShown = _word("JsonShown", _extract, _in_postgresql(_called("penstock_json_shown")))
#: What `JsonShown` gave, or gave before, as something that can be greater or less.
JsonInOrder = _word("JsonInOrder", lambda value: value, _called("penstock_order"))

#: The items of an array, each a `value` and the `type` that `JsonKind` says.
JsonItems = _word("JsonItems", func.json_each, _called("penstock_json_each"))
#: Values of such items, as above.
ItemNumber = _word("ItemNumber", lambda value: value, _called("penstock_json_number"))
ItemTruth = _word("ItemTruth", lambda value: value, _called("penstock_json_truth"))
ItemWritten = _word(
    "ItemWritten",
    lambda value, type_: _written(type_, value),
    lambda value, _: func.penstock_json_written(value),
    Text(),
)

#: An empty array.
EmptyArray = _word(
    "EmptyArray", lambda: literal_column("'[]'"), lambda: literal_column("'[]'::json")
)
#: A text as JSON.
JsonQuoted = _word("JsonQuoted", func.json_quote, lambda value: func.to_json(cast(value, Text)))
#: An object of names and values.
JsonObject = _word("JsonObject", func.json_object, _called("json_build_object"))
#: JSON as it is passed on: bytes or text, which need not be decoded.
Raw = _word("Raw", lambda value: cast(value, LargeBinary), lambda value: cast(value, Text), Text())
#: JSON as text that is put together with other text.
#: (A column of JSON in SQLite keeps a number as one, not as its text.)
Plain = _word("Plain", lambda value: cast(value, Text), lambda value: cast(value, Text), Text())


# Sets given as one value, a JSON array: however many there are, it is one statement.


def _in_sqlite_array(value: Sql, array: Sql) -> Sql:
    return value.in_(select(func.json_each(array).table_valued("value").c.value))


#: Whether a whole number is in an array.
Among = _word(
    "Among",
    _in_sqlite_array,
    lambda value, array: (
        value == any_(cast(func.translate(cast(array, Text), "[]", "{}"), ARRAY(BigInteger)))
    ),
    Boolean(),
)
#: Whether a text is in an array.
AmongTexts = _word(
    "AmongTexts",
    _in_sqlite_array,
    lambda value, array: value.in_(
        select(func.json_array_elements_text(cast(array, JSON)).table_valued("value").c.value)
    ),
    Boolean(),
)


# The order of rows. To SQLite nulls are less than everything, to PostgreSQL they are greater.

Rising = _word("Rising", lambda key: key.asc(), lambda key: key.asc().nulls_first())
Falling = _word("Falling", lambda key: key.desc(), lambda key: key.desc().nulls_last())


def pages_of(
    dialect: Dialect, parent: NamedFromClause[Any], page: Select[Any], row: NamedFromClause[Any]
) -> tuple[FromClause, list[Sql]]:
    """Return rows whose ids a query gives for each parent, and what holds for them.

    PostgreSQL would ask for each pair of parent and row; SQLite knows no other way, and looks the
    few ids up.
    """
    ids = page.correlate(parent)
    if dialect.name == "sqlite":
        return parent.join(row, true()), [row.c.id.in_(ids)]
    found = ids.subquery("found")
    once = select(found.c[0].label("id")).distinct().lateral("once")
    return parent.join(once, true()).join(row, row.c.id == once.c.id), []
