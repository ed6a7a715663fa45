"""What one compilation knows: the text, its inputs, the tables it reads, and what is allowed."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field, replace

from sqlglot import exp

from penstock.core.errors import InvalidQuery
from penstock.sql.language.pieces import Stage
from penstock.sql.language.places import Refusals, did_you_mean
from penstock.sql.language.reach import Reach
from penstock.sql.language.relations import Relation, Uses, quoted
from penstock.sql.plan import INPUT_COLUMNS, TABLES, Input, Source
from penstock.sql.signature import SOURCE_UNIT, Kind, Shift, Value

_KINDS = {
    "TIMESTAMP": Kind.TIME,
    "DOUBLE": Kind.NUMBER,
    "VARCHAR": Kind.TEXT,
    "BIGINT": Kind.INTEGER,
}

#: Columns that hold JSON text.
_JSON = {"parameters", "properties"}


#: Longest SQL that is made of a query, in characters, and most uses of inputs and tables in it,
#: where what `WITH` names counts for each time that it is used.
MAX_SQL, MAX_USES = 200_000, 64
TOO_LONG = f"what is made of this is longer than {MAX_SQL} characters; make it simpler"


@dataclass(slots=True)
class Mention:
    """A place where an input is named, and which of its rows are wanted there."""

    number: int
    start_us: int | None = None
    end_us: int | None = None


def _not_yet(_context: Context, _node: exp.Expr) -> Relation:
    raise NotImplementedError


@dataclass(slots=True)
class Context:
    """What one compilation knows.

    Attributes:
        refusals: Makes its errors.
        reach_us: How far what has no bound of its own looks.
        apps: Names of apps that may be read; None when that is not known.
        is_adhoc: It is answered once for all, by one run: nothing has to be bounded.
        sources: Inputs, in the order of their first mention.
        used: Columns of inputs that the answer depends on.
        tables: Tables of the catalog that are read.
        ctes: Named relations that come before the `SELECT`, by name.
        names: What `WITH` has named, innermost scope last.
        mentions: Where inputs are named, and which of their rows are wanted there.
        analyse: Analyses a query.
        stages: Named relations that are pieces of windows.
        uses: How often inputs and tables are used so far, with all that `WITH` names.
    """

    refusals: Refusals
    reach_us: int
    apps: Container[str] | None
    is_adhoc: bool = False
    sources: list[Source] = field(default_factory=list)
    used: set[tuple[int, str]] = field(default_factory=set)
    tables: dict[str, None] = field(default_factory=dict)
    ctes: list[tuple[str, str]] = field(default_factory=list)
    names: list[dict[str, Relation]] = field(default_factory=list)
    mentions: list[Mention] = field(default_factory=list)
    analyse: Callable[[Context, exp.Expr], Relation] = field(default=_not_yet)
    uses: int = 0
    stages: list[Stage] = field(default_factory=list)
    _keys: int = 0

    def refuse(self, node: exp.Expr | None, message: str) -> InvalidQuery:
        """Return the error for a node."""
        return self.refusals.at(node, message)

    def use(self, uses: Uses | Iterable[tuple[int, str]]) -> None:
        """Note that the answer depends on these columns."""
        self.used.update(uses)

    def new_key(self) -> int:
        """Return a number for a group key."""
        self._keys += 1
        return self._keys

    def add_cte(self, prefix: str, sql: str) -> str:
        """Give a `SELECT` a name that comes before the query, and return it, quoted."""
        name = quoted(f"__{prefix}{len(self.ctes)}")
        self.ctes.append((name, sql))
        return name

    def add_stage(self, sql: str, reach: Reach, *, is_shared: bool) -> str:
        """Give the pieces of windows a name that comes before the query, and return it."""
        name = self.add_cte("stage", sql)
        self.stages.append(Stage(name, reach, is_shared))
        return name

    def table(self, node: exp.Table) -> Relation:
        """Return the relation that a name in a `FROM` means.

        Raises:
            InvalidQuery: There is no such table, datastream pattern or app, or too many are used.
        """
        found = self._named(node)
        self.uses += found.weight
        if self.uses > MAX_USES:
            msg = (
                f"the query reads tables more than {MAX_USES} times, as what WITH names counts for"
                " each use; make an app of a part of it, and read its output"
            )
            raise self.refuse(node, msg)
        return found

    def _named(self, node: exp.Table) -> Relation:
        name = node.this
        if not isinstance(name, exp.Identifier):
            raise self.refuse(node, "this cannot stand in a FROM; see docs/reference/sql.md")
        if node.args.get("catalog"):
            msg = "a name has at most two parts, as in `apps.name`; quote a datastream's name"
            raise self.refuse(node, msg)
        schema = node.args.get("db")
        if schema is not None:
            return self._app(node, schema.name, name.name)
        if not name.quoted:
            lowered = name.name.lower()
            for names in reversed(self.names):
                if lowered in names:
                    return self._renewed(names[lowered])
            if lowered == "observations":
                return self._input(Source())
            if lowered in TABLES:
                return self._catalog(lowered)
            known = [*TABLES, "observations", *(name for names in self.names for name in names)]
            msg = (
                f"there is no table `{name.name}`.{did_you_mean(name.name, known)} Datastreams are"
                ' named in double quotes, as in `FROM "Plant.Boiler.TMP"` or `FROM "Plant.*.TMP"`'
            )
            raise self.refuse(node, msg)
        for names in reversed(self.names):
            if name.name.lower() in names:
                return self._renewed(names[name.name.lower()])
        if not name.name or "\0" in name.name:
            raise self.refuse(node, "a datastream's name is wanted between the quotes")
        return self._input(Source(names=(name.name,)))

    def _renewed(self, relation: Relation) -> Relation:
        """Return one more use of a named relation: its group keys are none of another use."""
        if relation.keys is None:
            return relation
        new = {key: self.new_key() for key in sorted(relation.keys)}
        fields = {
            name: replace(value, key=new.get(value.key)) if value.key is not None else value
            for name, value in relation.fields.items()
        }
        return replace(relation, fields=fields, keys=frozenset(new.values()))

    def _app(self, node: exp.Table, schema: str, name: str) -> Relation:
        if schema.lower() != "apps":
            msg = (
                f"there is no `{schema}.{name}`; only `apps.NAME` has two parts. Quote a"
                ' datastream\'s whole name: `"a.b.c"`'
            )
            raise self.refuse(node, msg)
        if self.apps is not None and name not in self.apps:
            known = self.apps if isinstance(self.apps, Iterable) else ()
            msg = f"there is no app `{name}`.{did_you_mean(name, known)}"
            raise self.refuse(node, msg)
        return self._input(Source(app=name))

    def _input(self, source: Source) -> Relation:
        if source not in self.sources:
            self.sources.append(source)
        number = self.sources.index(source)
        self.mentions.append(Mention(number))
        fields = {
            name: Value(
                quoted(name),
                Kind.JSON if name in _JSON else _KINDS[type_],
                unit=SOURCE_UNIT if name == "result" else None,
                uses=frozenset({(number, name)}),
                time=Shift(0, 0) if name == "time" else None,
            )
            for name, type_ in INPUT_COLUMNS.items()
        }
        identity = frozenset((number, name) for name in ("time", "datastream", "feature"))
        return Relation(
            quoted(f"__rows{number}"),
            fields,
            Reach(),
            identity=identity,
            is_rowwise=True,
            use=len(self.mentions) - 1,
        )

    def _catalog(self, name: str) -> Relation:
        self.tables[name] = None
        fields = {
            column: Value(quoted(column), Kind.JSON if column in _JSON else _KINDS[type_])
            for column, type_ in TABLES[name].items()
        }
        return Relation(quoted(name), fields, None)

    def inputs(self) -> tuple[Input, ...]:
        """Return what is read of observations, once all is analysed."""
        return tuple(
            Input(
                f"__input{number}",
                source,
                # A relation needs a column, also where rows are counted only.
                tuple(n for n in INPUT_COLUMNS if n == "time" or (number, n) in self.used),
                *self._wanted(number),
            )
            for number, source in enumerate(self.sources)
        )

    def _wanted(self, number: int) -> tuple[int | None, int | None]:
        """Return the range of time that all mentions of an input want."""
        mentions = [mention for mention in self.mentions if mention.number == number]
        starts = [mention.start_us for mention in mentions]
        ends = [mention.end_us for mention in mentions]
        start = None if None in starts else min(us for us in starts if us is not None)
        return start, None if None in ends else max(us for us in ends if us is not None)

    def narrow(self, use: int, start_us: int | None, end_us: int | None) -> None:
        """Note that rows outside of a range of time are not wanted at one mention."""
        mention = self.mentions[use]
        if start_us is not None:
            mention.start_us = max(start_us, mention.start_us or start_us)
        if end_us is not None:
            mention.end_us = min(end_us, mention.end_us or end_us)

    def relations(self) -> list[tuple[str, str]]:
        """Return names and SQL: inputs with unread columns as nulls, then what `WITH` names.

        So whatever a query mentions is there, and only what its answer depends on is read.
        """
        entries: list[tuple[str, str]] = []
        for number, input_ in enumerate(self.inputs()):
            columns = [
                quoted(name) if name in input_.columns else f"NULL::{type_} AS {quoted(name)}"
                for name, type_ in INPUT_COLUMNS.items()
            ]
            hidden = [
                f"{quoted(name) if name in input_.columns else f'NULL::{type_}'} AS {alias}"
                for name, alias, type_ in (
                    ("time", "__time", "TIMESTAMP"),
                    ("end_time", "__end", "TIMESTAMP"),
                    ("datastream", "__series", "BIGINT"),
                    ("feature", "__row", "BIGINT"),
                )
            ]
            sql = f"SELECT {', '.join([*hidden, *columns])} FROM {quoted(input_.relation)}"
            entries.append((quoted(f"__rows{number}"), sql))
        return [*entries, *self.ctes]
