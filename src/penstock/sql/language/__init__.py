"""The language: what a query means, as a plan of bounded SQL.

Import it when the first query is asked: the parser is large.
"""

from penstock.sql.language.compiling import compile_adhoc, compile_query

__all__ = ["compile_adhoc", "compile_query"]
