"""Relations: what is known of a table, a subquery or a join while a query is analysed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from penstock.sql.language.reach import Reach
from penstock.sql.signature import Shift, Value

#: The columns that carry the identity of a row through every step.
HIDDEN = ("__time", "__end", "__series", "__row")

#: `Relation.tag` of rows that their keys tell apart.
NO_TAG = "0::BIGINT"

Uses = frozenset[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Window:
    """The windows that rows were put into, in microseconds.

    Attributes:
        form: `TUMBLE`, `HOP`, `CUMULATE` or `SESSION`.
        size: Longest extent; for sessions, the reach.
        step: Distance between windows; for sessions, the gap.
        offset: Where windows begin, from the epoch.
        keys: Session windows are told apart by these keys too.
        time: Where the time attribute lies that the windows are made of.
        rows: Reach of the rows, before they were put into sessions.
    """

    form: str
    size: int
    step: int
    offset: int = 0
    keys: tuple[str, ...] = ()
    time: Shift = field(default=Shift(0, 0), compare=False)
    rows: Reach | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Relation:
    """What is known of a relation.

    Attributes:
        sql: It, for a `FROM`: a name or a `SELECT` in parentheses. Has the `HIDDEN` columns, and
            the fields by their names.
        fields: Its columns by name, in order; the `sql` of each is its quoted name.
        reach: Of its rows by their `__time`; None for tables of the catalog, which have no time.
        identity: What the `HIDDEN` columns depend on.
        keys: Numbers of the group keys that tell rows of one `__time` apart, if these do.
        window: The windows of its `window_start` and `window_end`, or None.
        is_rowwise: Each row follows from one row of an input, with its time and datastream.
        tag: SQL of what `__row` becomes where `keys` tell rows apart already.
        use: Number of the mention of an input whose rows these are, each on its own, or None.
        order: What its `ORDER BY` was, for questions.
        weight: How often inputs and tables are used in it, when it is one that `WITH` names.
        copies: In how many windows a row of an input may be in it, at most.
        single: Where `sql` puts each row of a relation into several windows: `sql`, and that of
            the relation with each row once. What is made of it has another `sql`.
    """

    sql: str
    fields: dict[str, Value]
    reach: Reach | None
    identity: Uses = frozenset()
    keys: frozenset[int] | None = None
    window: Window | None = None
    is_rowwise: bool = False
    tag: str = NO_TAG
    use: int | None = None
    order: str = ""
    weight: int = 1
    copies: int = 1
    single: tuple[str, str] | None = None

    def named(self, name: str) -> Value | None:
        """Return a field by its name, whatever the case."""
        lowered = name.lower()
        return next((v for known, v in self.fields.items() if known.lower() == lowered), None)

    @property
    def needed(self) -> Reach:
        """Its reach, for what has one."""
        return self.reach or Reach()


@dataclass(slots=True)
class Scope:
    """What names mean in one `SELECT`.

    Attributes:
        relations: By alias, in the order of the `FROM`.
        guards: By alias: a condition without which the columns of that relation are null.
        flat: Aliases whose columns are those of one relation, `__rows`, called `alias.column`.
    """

    relations: dict[str, Relation] = field(default_factory=dict)
    guards: dict[str, str] = field(default_factory=dict)
    flat: frozenset[str] = frozenset()

    def column(self, alias: str, name: str) -> Value | None:
        """Return a column of one relation as it is written in SQL."""
        relation = self.relations.get(alias)
        found = relation.named(name) if relation else None
        if found is None:
            return None
        if alias in self.flat:
            return replace(found, sql=f"__rows.{flat_name(alias, found)}")
        sql = f"{quoted(alias)}.{found.sql}"
        if guard := self.guards.get(alias):
            sql = f"(CASE WHEN {guard} THEN {sql} END)"
        return replace(found, sql=sql)

    def columns(self) -> list[Value]:
        """Return all columns of all relations, as they are written in SQL."""
        found = [self.column(a, name) for a, r in self.relations.items() for name in r.fields]
        return [value for value in found if value is not None]

    def matches(self, name: str) -> list[tuple[str, Value]]:
        """Return the columns of that name, with the alias of their relation."""
        found = ((alias, self.column(alias, name)) for alias in self.relations)
        return [(alias, value) for alias, value in found if value is not None]


@dataclass(frozen=True, slots=True)
class From:
    """What a `FROM` gives: names, its SQL, and what the rows of it are as a whole.

    Attributes:
        scope: What names mean.
        sql: What follows `FROM`.
        whole: What is known of its rows; `sql` and `fields` of it do not count.
        hidden: SQL of the four `HIDDEN` columns.
    """

    scope: Scope
    sql: str
    whole: Relation
    hidden: tuple[str, str, str, str]

    def flat(self, where_sql: str) -> From:
        """Return the rows that pass, with each column under one name, as one relation."""
        columns = [f"{sql} AS {name}" for sql, name in zip(self.hidden, HIDDEN, strict=True)]
        scope = replace(self.scope, guards={}, flat=frozenset(self.scope.relations))
        columns += [
            f"{value.sql} AS {flat.sql.removeprefix('__rows.')}"
            for value, flat in zip(self.scope.columns(), scope.columns(), strict=True)
        ]
        sql = f"(SELECT {', '.join(columns)} FROM {self.sql}{where_sql}) AS __rows"
        a, b, c, d = (f"__rows.{name}" for name in HIDDEN)
        return From(scope, sql, self.whole, (a, b, c, d))


def flat_name(alias: str, value: Value) -> str:
    """Return what a column is called when all are columns of one relation."""
    return quoted(f"{alias}.{value.sql[1:-1]}")


def quoted(name: str) -> str:
    """Return an identifier for DuckDB."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """Return a text literal for DuckDB."""
    return "'" + value.replace("'", "''") + "'"


def microseconds(us: int) -> str:
    """Return an interval for DuckDB."""
    return f"to_microseconds({us})"


def together(values: Iterable[Value]) -> Uses:
    """Return all that values depend on."""
    return frozenset().union(*(value.uses for value in values))
