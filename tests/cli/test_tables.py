"""What people type as a time, and what they read."""

from __future__ import annotations

import contextlib
import io
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.cli.tables import ago, moment, show, text, when
from penstock.core.errors import InvalidInput


@pytest.mark.parametrize(("given", "seconds"), [("90d", 7_776_000), ("12h", 43_200), ("5min", 300)])
def test_a_time_may_be_counted_from_now(given: str, seconds: int) -> None:
    before = time.time()
    found = when(given)
    assert found is not None
    assert before + seconds - 1 <= found / 1e6 <= time.time() + seconds + 1


def test_a_time_may_be_written_out() -> None:
    assert when("1970-01-01T00:00:01.5Z") == 1_500_000
    assert when("1970-01-01T02:00:00+02:00") == 0
    assert when(None) is None


@pytest.mark.parametrize("given", ["tomorrow", "", "5", "-3d", "2027-13-01"])
def test_what_is_no_time_is_refused_with_what_is_allowed(given: str) -> None:
    with pytest.raises(InvalidInput, match="ISO 8601"):
        when(given)


def test_values_are_written_as_people_read_them() -> None:
    assert text(None) == ""
    assert text(value=True) == "yes"
    assert text([1, 2.50]) == "1, 2.5"
    assert text({"a": {"b": 1}}) == "a=b=1"
    assert moment(0) == "1970-01-01 00:00:00"
    assert ago(int(time.time() * 1e6) - 7_200_000_000) == "2 h"


def test_a_table_shows_text_of_devices_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    show([{"name": "[bold red]x"}], [("Name", "name")], "nothing")
    assert "[bold red]x" in capsys.readouterr().out
    show([], [("Name", "name")], "nothing [here]")
    assert "nothing [here]" in capsys.readouterr().out


@given(
    st.lists(
        st.tuples(st.text("abc-.", min_size=1, max_size=200), st.text("xy ", max_size=300)),
        min_size=1,
        max_size=4,
    ),
    st.integers(20, 120),
)
def test_names_are_never_broken(rows: list[tuple[str, str]], columns: int) -> None:
    with pytest.MonkeyPatch.context() as patch, io.StringIO() as out:
        patch.setenv("COLUMNS", str(columns))
        with contextlib.redirect_stdout(out):
            show(
                [{"said": said, "name": name} for name, said in rows],
                [("Said", "said"), ("Device", "name")],
                "",
            )
        lines = out.getvalue().splitlines()
    for name, _ in rows:
        assert any(name in line for line in lines)
