"""The list of statements in the reference is that of the tests."""

from __future__ import annotations

from tests.conformance.statements import PAGE, named, page


def test_the_reference_lists_the_statements_that_tests_name() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make reference`"
    assert sum(map(len, named().values())) > 100
