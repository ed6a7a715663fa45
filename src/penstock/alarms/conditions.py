"""What a rule says of its rows, put into its query as columns.

A query that only gives the rows that are bad cannot tell when they are good again. So what it asks
of its rows (`WHERE`, or `HAVING` of groups) becomes the column `raised`, and only what names the
source stays in `WHERE`. Works on the words of the query, whatever they mean: what the language
does not know it refuses afterwards, at the right place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from penstock.alarms.rows import CLEARED, RAISED
from penstock.core.errors import InvalidInput, InvalidQuery

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|--[^\n]*|/\*.*?\*/)
  | (?P<text>'(?:[^']|'')*')
  | (?P<quoted>"(?:[^"]|"")*"|`[^`]*`)
  | (?P<word>[A-Za-z_][A-Za-z_0-9]*)
  | (?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
  | (?P<mark><=|>=|<>|!=|\|\||=>|.)
    """,
    re.VERBOSE | re.DOTALL,
)
#: Columns that are the same for all rows of a datastream; see `docs/reference/sql.md`.
_SOURCE_COLUMNS = frozenset(
    {"name", "thing", "datastream", "property", "unit", "system", "sensor", "app", "column"}
)
#: Words that stand in conditions and name no column.
_PLAIN_WORDS = frozenset(
    {"and", "or", "not", "in", "like", "between", "is", "null", "true", "false", "escape"}
)
_CLAUSES = ("select", "from", "where", "group", "having", "window", "qualify", "order", "limit")


class _Token(msgspec.Struct, frozen=True):
    kind: str
    text: str
    start: int
    end: int
    depth: int

    @property
    def word(self) -> str:
        return self.text.lower() if self.kind == "word" else ""

    @property
    def name(self) -> str:
        """The column that it may be, in lower case."""
        return self.text.strip('"`').lower() if self.kind in ("word", "quoted") else ""


def with_conditions(sql: str, raise_: str = "", clear: str = "") -> str:
    """Return a query with the columns `raised` and `cleared` that say what a rule wants to know.

    Args:
        sql: One `SELECT`.
        raise_: Condition that raises, over its columns and those of its source; "" takes what the
            query asks of its rows.
        clear: Condition that clears; "" for none.

    Raises:
        InvalidQuery: It is not one `SELECT` to which columns can be added.
    """
    sql = sql.strip().rstrip(";").rstrip()
    tokens = _tokens(sql)
    top = [token for token in tokens if token.depth == 0]
    clauses = _clauses(top)
    if "select" not in clauses or top[0].word != "select":
        msg = "a rule needs one SELECT ... FROM ..."
        raise InvalidQuery(msg)
    items = _items(sql, tokens, clauses)
    if RAISED in items:
        if raise_:
            msg = f"the query has a column {RAISED!r}; leave out `raise`, or the column"
            raise InvalidInput(msg)
        return _add(sql, clauses, {CLEARED: _expand(clear, items)} if clear else {})
    if any(token.word in ("union", "intersect", "except") for token in top):
        msg = (
            f"a rule over several SELECTs needs a boolean column {RAISED!r} in each, since a "
            "condition cannot be added to them"
        )
        raise InvalidQuery(msg)
    kept = None
    if not raise_:
        raise_, kept = _asked(sql, tokens, clauses)
    columns = {}
    if raise_:
        columns[RAISED] = _expand(raise_, items)
    if clear:
        if not raise_:
            msg = "`clear` needs a condition that raises: write `raise`, or WHERE"
            raise InvalidInput(msg)
        columns[CLEARED] = _expand(clear, items)
    return _add(_without(sql, clauses, kept) if kept is not None else sql, clauses, columns)


def _tokens(sql: str) -> list[_Token]:
    found: list[_Token] = []
    depth = 0
    for match in _TOKEN.finditer(sql):
        kind = match.lastgroup or "mark"
        text = match.group()
        if kind == "space":
            continue
        if text in ")]":
            depth -= 1
        found.append(_Token(kind, text, match.start(), match.end(), depth))
        if text in "([":
            depth += 1
    return found


def _clauses(top: Sequence[_Token]) -> dict[str, tuple[int, int]]:
    """Return where the clauses of the outermost query begin and end, keyword and all."""
    starts = [(token.word, token.start) for token in top if token.word in _CLAUSES]
    ends = [*(start for _, start in starts[1:]), *(token.end for token in top[-1:] if starts)]
    found: dict[str, tuple[int, int]] = {}
    for (word, start), end in zip(starts, ends, strict=True):
        found.setdefault(word, (start, end))
    return found


def _items(
    sql: str, tokens: Sequence[_Token], clauses: Mapping[str, tuple[int, int]]
) -> dict[str, str]:
    """Return the expressions of the output columns that have a name of their own."""
    start, end = clauses["select"]
    inside = [token for token in tokens if start < token.start < end]
    found: dict[str, str] = {}
    item: list[_Token] = []
    for token in [*inside, _Token("mark", ",", end, end, 0)]:
        if token.text != "," or token.depth:
            item.append(token)
            continue
        if len(item) > 2 and item[-2].word == "as":
            found[item[-1].name] = sql[item[0].start : item[-3].end]
        elif item and item[-1].name:
            found.setdefault(item[-1].name, item[-1].text if len(item) == 1 else "")
        item = []
    return found


def _expand(condition: str, items: Mapping[str, str]) -> str:
    """Return a condition with the expressions of output columns in the place of their names."""
    tokens = _tokens(condition)
    parts: list[str] = []
    at = 0
    for index, token in enumerate(tokens):
        before = tokens[index - 1].text if index else ""
        after = tokens[index + 1].text if index + 1 < len(tokens) else ""
        expression = items.get(token.name, "") if token.name else ""
        if not expression or before == "." or after in ("(", "."):
            continue
        if expression.strip('"`').lower() == token.name:
            continue
        parts += [condition[at : token.start], f"({expression})"]
        at = token.end
    return "".join(parts) + condition[at:]


def _asked(
    sql: str, tokens: Sequence[_Token], clauses: Mapping[str, tuple[int, int]]
) -> tuple[str, tuple[str, str] | None]:
    """Return what a query asks of its rows, and which clause keeps what of it."""
    if "having" in clauses:
        start, end = clauses["having"]
        return sql[start + len("having") : end].strip(), ("having", "")
    if "where" not in clauses or "group" in clauses:
        return "", None
    start, end = clauses["where"]
    parts = _conjuncts([token for token in tokens if start < token.start < end])
    texts = [(sql[part[0].start : part[-1].end], _names_source(part)) for part in parts if part]
    asked = [text for text, is_source in texts if not is_source]
    kept = [text for text, is_source in texts if is_source]
    if not asked:
        return "", None
    return " AND ".join(_bracketed(asked)), ("where", " AND ".join(kept))


def _bracketed(parts: Sequence[str]) -> list[str]:
    return [f"({part})" for part in parts] if len(parts) > 1 else list(parts)


def _conjuncts(tokens: Sequence[_Token]) -> list[list[_Token]]:
    """Cut a condition at the outermost ANDs; the AND of BETWEEN is none, and OR joins them all."""
    if any(token.depth == 0 and token.word == "or" for token in tokens):
        return [list(tokens)]
    parts: list[list[_Token]] = [[]]
    in_between = False
    cases = 0
    for token in tokens:
        cases += (token.word == "case") - (token.word == "end")
        if token.depth == 0 and token.word == "between":
            in_between = True
        is_and = token.depth == 0 and token.word == "and" and not cases
        if is_and and not in_between:
            parts.append([])
            continue
        if is_and:
            in_between = False
        parts[-1].append(token)
    return parts


def _names_source(tokens: Sequence[_Token]) -> bool:
    """Tell whether a condition is only about which datastreams are meant."""
    names = False
    for index, token in enumerate(tokens):
        after = tokens[index + 1].text if index + 1 < len(tokens) else ""
        if not token.name or after == "." or token.word in _PLAIN_WORDS:
            continue
        if after == "(" and token.kind == "word":
            if token.word in ("select", "exists"):
                return False
            continue
        if token.name not in _SOURCE_COLUMNS:
            return False
        names = True
    return names


def _without(sql: str, clauses: Mapping[str, tuple[int, int]], kept: tuple[str, str]) -> str:
    name, condition = kept
    start, end = clauses[name]
    clause = f"{name.upper()} {condition} " if condition else ""
    return f"{sql[:start]}{clause}{sql[end:]}".rstrip()


def _add(sql: str, clauses: Mapping[str, tuple[int, int]], columns: Mapping[str, str]) -> str:
    if not columns or "from" not in clauses:
        return sql
    at = clauses["from"][0]
    more = "".join(f", ({text}) AS {name}" for name, text in columns.items())
    return f"{sql[:at].rstrip()}{more} {sql[at:]}"
