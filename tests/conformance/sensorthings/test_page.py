"""The page says what the last runs gave, and these were of the tests that there are."""

from __future__ import annotations

import subprocess
import sys

from tests.conformance.sections import section

#: Prints the tables as they should be, in a process of its own: pytest does not collect in itself.
PROGRAM = """
import sys
from contextlib import redirect_stdout
from tests.conformance.sensorthings.__main__ import tables
with redirect_stdout(sys.stderr):
    found = tables()
print("\\n=====\\n".join(found[name] for name in ("against", "behaviours", "requirements")))
"""


def test_the_tables_are_up_to_date() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    page = "\n=====\n".join(section(name) for name in ("against", "behaviours", "requirements"))
    assert page == done.stdout.strip(), "run `make reference`"
