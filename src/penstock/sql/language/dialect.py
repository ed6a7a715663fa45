"""Parsing: sqlglot, with Flink's window table functions, and no function that it knows itself."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlglot import exp, parser, tokens
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import TokenType

from penstock.core.errors import InvalidQuery
from penstock.sql.language.places import Refusals

#: Longest SQL text; what people write is far below.
MAX_CHARACTERS = 50_000

#: Most nodes of a syntax tree, and how deep they may be nested.
MAX_NODES, MAX_DEPTH = 20_000, 50

#: Table functions whose first arguments are tables.
TABLE_FUNCTIONS = ("TUMBLE", "HOP", "CUMULATE", "SESSION", "SERIES_JOIN")


class _Parser(parser.Parser):
    # Every call becomes `Anonymous`: which functions there are is said in one place, ours.
    FUNCTIONS: ClassVar[Any] = {}
    NO_PAREN_FUNCTIONS: ClassVar[Any] = {}
    NO_PAREN_FUNCTION_PARSERS: ClassVar[Any] = {"CASE": lambda self: self._parse_case()}
    FUNC_TOKENS = parser.Parser.FUNC_TOKENS | {TokenType.SESSION, TokenType.TABLE}
    FUNCTION_PARSERS: ClassVar[Any] = {
        "CAST": lambda self: self._parse_cast(self.STRICT_CAST),
        "TRY_CAST": lambda self: self._parse_cast(False, safe=True),
        "EXTRACT": lambda self: self._parse_extract(),
        "FLOOR": lambda self: self._rounding(exp.Floor),
        "CEIL": lambda self: self._rounding(exp.Ceil),
        "CEILING": lambda self: self._rounding(exp.Ceil),
        "POSITION": lambda self: self._position(),
        "JSON_VALUE": lambda self: self._json("JSON_VALUE"),
        "JSON_QUERY": lambda self: self._json("JSON_QUERY"),
        "JSON_EXISTS": lambda self: self._json("JSON_EXISTS"),
        "TABLE": lambda self: self._parse_function(),
        **dict.fromkeys(TABLE_FUNCTIONS, lambda self: self._over_tables()),
    }

    def _parse_string_as_identifier(self) -> exp.Identifier | None:
        if self._match(TokenType.STRING, advance=False):
            self.raise_error("Expected a name; names stand in double quotes, texts in single ones")
        return None

    def _rounding(self, kind: Any) -> exp.Expr:
        token = self._tokens[self._index - 2]
        made: exp.Expr = self.expression(self._parse_ceil_floor(kind), token=token)
        return made

    def _position(self) -> exp.Expr:
        part = self._parse_bitwise()
        if self._match(TokenType.IN) or self._match(TokenType.COMMA):
            args = [part, self._parse_bitwise()]
        else:
            self.raise_error("Expected IN, as in POSITION('a' IN text)")
            args = []
        return self.expression(exp.Anonymous(this="POSITION", expressions=args))

    def _json(self, name: str) -> exp.Expr:
        """Parse `JSON_VALUE(text, '$.a' RETURNING DOUBLE)`: the type becomes a third argument."""
        token = self._tokens[self._index - 2]
        args = self._parse_csv(self._parse_disjunction)
        if self._match_text_seq("RETURNING"):
            kind = self._parse_types()
            if kind is None:
                self.raise_error("Expected a type behind RETURNING")
            args += [kind] if kind is not None else []
        return self.expression(exp.Anonymous(this=name, expressions=args), token=token)

    def _over_tables(self) -> exp.Expr:
        """Parse the arguments of a window table function: `TABLE x PARTITION BY k` and others."""
        token = self._tokens[self._index - 2]
        args = self._parse_csv(self._table_argument)
        return self.expression(
            exp.Anonymous(this=token.text.upper(), expressions=args), token=token
        )

    def _table_argument(self) -> exp.Expr | None:
        # Named arguments, `DATA => TABLE x`: kept by name and put in order later.
        if self._next and self._next.token_type == TokenType.FARROW:
            name = self._parse_var(any_token=True)
            self._match(TokenType.FARROW)
            return self.expression(exp.Kwarg(this=name, expression=self._table_argument()))
        if self._match(TokenType.TABLE) or self._curr.token_type == TokenType.L_PAREN:
            table = self._parse_table()
            keys = self._partition_keys()
            if keys and isinstance(table, exp.Expr):
                table.set("partition", exp.Partition(expressions=keys))
            return table
        return self._parse_disjunction()

    def _partition_keys(self) -> list[exp.Expr | None]:
        """Parse `PARTITION BY k, l` up to the next argument of the table function."""
        if not self._match(TokenType.PARTITION_BY):
            return []
        if self._match(TokenType.L_PAREN, advance=False):
            return list(self._parse_wrapped_csv(self._parse_column))
        keys = [self._parse_column()]
        if keys[0] is None:
            self.raise_error("Expected a column behind PARTITION BY")
        while self._curr.token_type == TokenType.COMMA and not (
            self._next.token_type in {TokenType.TABLE, TokenType.INTERVAL, TokenType.L_PAREN}
            or self._next.text.upper() == "DESCRIPTOR"
        ):
            self._advance()
            keys.append(self._parse_column())
        return keys


class Flink(Dialect):
    """What we read of Flink SQL."""

    # So that `NULLS FIRST` is told apart from nothing written.
    NULL_ORDERING = "nulls_are_last"
    Parser = _Parser

    class Tokenizer(tokens.Tokenizer):
        """Flink's quotes, and the standard's."""

        IDENTIFIERS: ClassVar[Any] = ['"', "`"]
        STRING_ESCAPES: ClassVar[Any] = ["'"]


def parse(sql: str) -> tuple[exp.Query, Refusals]:
    """Parse one `SELECT`.

    Raises:
        InvalidQuery: It is no SQL, more than one statement, or something else than a `SELECT`.
    """
    refusals = Refusals(sql)
    if len(sql) > MAX_CHARACTERS:
        msg = f"the SQL has {len(sql)} characters; at most {MAX_CHARACTERS} are allowed"
        raise InvalidQuery(msg)
    if any("\ud800" <= letter <= "\udfff" for letter in sql):
        msg = "the SQL holds half of a character (a lone surrogate), which no text can"
        raise InvalidQuery(msg)
    dialect = Flink()
    try:
        words = dialect.tokenize(sql)
        _refuse_others(words, refusals)
        statements = [tree for tree in dialect.parser().parse(words, sql) if tree is not None]
    except TokenError as error:
        msg = f"this is no SQL: {error}"
        raise InvalidQuery(msg) from error
    except ParseError as error:
        raise _of_parser(error) from error
    except RecursionError as error:
        msg = "the SQL is nested too deep; take parts of it into `WITH`"
        raise InvalidQuery(msg) from error
    if not statements:
        msg = "there is no SQL; write a SELECT, as in `SELECT time, result FROM observations`"
        raise InvalidQuery(msg)
    if len(statements) > 1:
        raise refusals.at(statements[1], "only one SELECT is allowed; this is a second statement")
    if not isinstance(statements[0], exp.Query):
        msg = "only a SELECT is allowed: nothing is made, changed or set by a query"
        raise refusals.at_offset(len(sql) - len(sql.lstrip()), msg)
    return statements[0], refusals


def _refuse_others(words: list[Any], refusals: Refusals) -> None:
    if words and words[0].token_type not in {TokenType.SELECT, TokenType.WITH, TokenType.L_PAREN}:
        msg = "only a SELECT is allowed: nothing is made, changed or set by a query"
        raise refusals.at_offset(words[0].start, msg)
    depth = 0
    for word in words:
        if word.token_type in {TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.CASE}:
            depth += 1
        elif word.token_type in {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.END}:
            depth -= 1
        if depth > MAX_DEPTH:
            msg = f"nested more than {MAX_DEPTH} deep; take parts of it into `WITH`"
            raise refusals.at_offset(word.start, msg)
    if len(words) > MAX_NODES:
        msg = f"the SQL has {len(words)} words; at most {MAX_NODES} are allowed"
        raise InvalidQuery(msg)


def _of_parser(error: ParseError) -> InvalidQuery:
    details = error.errors[0] if error.errors else {}
    what = str(details.get("description") or error).rstrip(".")
    line, end = details.get("line"), details.get("col")
    word = str(details.get("highlight") or "")
    if not isinstance(line, int) or not isinstance(end, int):
        return InvalidQuery(f"this is no SQL: {what}")
    near = f" at `{word}`" if word else ""
    return InvalidQuery(
        f"this cannot be understood{near}: {what}", line, max(end - len(word) + 1, 1)
    )
