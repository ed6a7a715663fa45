"""Questions: one SELECT of DuckDB's SQL about what is stored, of which only the known gets in.

Tables are `observations`, datastreams by name or pattern, outputs of apps (`apps.NAME`) and the
catalog's tables. Functions are those that compute; none reads files, settings or the session.
"""

from __future__ import annotations

from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from penstock.core.errors import InvalidQuery
from penstock.core.queries import Meaning
from penstock.sql.plan import INPUT_COLUMNS, TABLES, Input, Plan, Source

#: How deep parentheses may be.
MAX_DEPTH = 100
#: Functions that the parser has no class for and that only compute.
_KNOWN = frozenset(
    {
        "arg_max",
        "arg_min",
        "bit_count",
        "entropy",
        "epoch",
        "epoch_ms",
        "epoch_us",
        "even",
        "hash",
        "isfinite",
        "isnan",
        "json_array_length",
        "json_extract",
        "json_extract_string",
        "json_keys",
        "json_type",
        "json_value",
        "kurtosis",
        "len",
        "mad",
        "max_by",
        "min_by",
        "skewness",
        "strftime",
        "strlen",
        "time_bucket",
    }
)
#: Those with a class that make much of little, or tell of the machine.
_REFUSED = (
    exp.Repeat, exp.Pad, exp.Space, exp.GenerateSeries, exp.ReadCSV, exp.ReadParquet, exp.Explode,
    exp.CurrentUser, exp.Rand, exp.Uuid,
)  # fmt: skip
_STATEMENTS = (exp.DDL, exp.DML, exp.Command, exp.Lock, exp.Into, exp.Pivot, exp.Parameter)


def compile_question(sql: str) -> Plan:
    """Return the plan of a question; its SQL gives the columns asked for, and nothing before them.

    Raises:
        InvalidQuery: It is not one SELECT, or names what there is not.
    """
    if _depth(sql) > MAX_DEPTH:
        msg = f"parentheses are deeper than {MAX_DEPTH}; take parts of it into `WITH`"
        raise InvalidQuery(msg)
    tree = _parsed(sql)
    local = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    for node in tree.walk():
        _check(node)
    plan = _Tables(local, _columns(tree))
    for table in list(tree.find_all(exp.Table)):
        plan.take(table)
    meaning = Meaning(columns=(), sources=(), is_rowwise=False, back_us=0, ahead_us=0)
    return Plan(tree.sql(dialect="duckdb"), tuple(plan.inputs), tuple(plan.tables), meaning)


class _Tables:
    """Gives the tables of a question their relations."""

    def __init__(self, local: set[str], columns: tuple[str, ...]) -> None:
        self._local = local
        self._columns = columns
        self._sources: dict[Source, str] = {}
        self.inputs: list[Input] = []
        self.tables: dict[str, None] = {}

    def take(self, table: exp.Table) -> None:
        name = table.this
        if not isinstance(name, exp.Identifier) or table.catalog:
            raise _refused(table, f"`{table.sql()[:60]}` is no table; {_hint()}")
        text, home = name.name, table.db
        if not home and text.lower() in self._local:
            return
        if not home and text.lower() in TABLES and not name.args.get("quoted"):
            self.tables[text.lower()] = None
            return
        if home and home.lower() != "apps":
            raise _refused(table, f"there is no `{home}.{text}`; {_hint()}")
        if home:
            source = Source(app=text)
        elif text.lower() == "observations":
            source = Source()
        elif name.args.get("quoted"):
            source = Source(names=(text,))
        else:
            raise _refused(table, f"there is no table `{text}`; {_hint()}")
        if source not in self._sources:
            self._sources[source] = relation = f"__in{len(self._sources)}"
            self.inputs.append(Input(relation, source, self._columns))
        alias = table.alias or text
        table.set("db", None)
        table.set("this", exp.to_identifier(self._sources[source]))
        if not table.args.get("alias"):
            table.set("alias", exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))


def _parsed(sql: str) -> exp.Query:
    try:
        found = [one for one in sqlglot.parse(sql, dialect="duckdb") if one is not None]
    except RecursionError as error:
        raise InvalidQuery("the SQL is nested too deep") from error
    except SqlglotError as error:
        places: list[dict[str, Any]] = getattr(error, "errors", [])
        first = places[0] if places else {}
        what = str(first.get("description") or error).splitlines()[0][:300]
        raise InvalidQuery(
            f"this is no SQL: {what}", int(first.get("line") or 0), int(first.get("col") or 0)
        ) from error
    if len(found) != 1 or not isinstance(found[0], exp.Query):
        raise InvalidQuery("only one SELECT is allowed: nothing is made, changed or set")
    return found[0]


def _check(node: exp.Expr) -> None:
    if isinstance(node, _STATEMENTS) and not isinstance(node, exp.Query):
        raise _refused(node, f"`{node.sql()[:40]}` is not part of a question")
    if isinstance(node, exp.With) and node.args.get("recursive"):
        raise _refused(node, "WITH RECURSIVE is not part of a question")
    if isinstance(node, exp.Anonymous):
        if str(node.this).lower() not in _KNOWN:
            raise _refused(node, f"there is no function {node.this} here")
    elif isinstance(node, _REFUSED):
        raise _refused(node, f"there is no function {node.sql_name()} here")


def _columns(tree: exp.Query) -> tuple[str, ...]:
    """Return which columns of observations are read."""
    is_star = any(not isinstance(one.parent, exp.Count) for one in tree.find_all(exp.Star))
    named = {one.name.lower() for one in tree.find_all(exp.Identifier)}
    return tuple(one for one in INPUT_COLUMNS if is_star or one in named) or ("time",)


def _refused(node: exp.Expr, message: str) -> InvalidQuery:
    place = next((one.meta for one in node.walk() if "line" in one.meta), {})
    # The parser tells where a word ends.
    column = place.get("col", 0) - (place.get("end", 0) - place.get("start", 0))
    return InvalidQuery(message, place.get("line", 0), max(0, column))


def _hint() -> str:
    return f"there are observations, 'PATTERN', apps.NAME, {', '.join(TABLES)}"


def _depth(sql: str) -> int:
    depth = deepest = 0
    for sign in sql:
        depth += (sign in "([") - (sign in ")]")
        deepest = max(deepest, depth)
    return deepest
