"""Runs one program of Eclipse Paho's suite as it is, and says how each of its tests went.

`suite.py PROGRAM PORT` runs in a process of its own, in the suite's folder. The program reads its
options itself; only `unittest.main`, which would read them once more and exit, is ours. The last
line on standard output is JSON: the outcome by test.
"""

from __future__ import annotations

import json
import runpy
import sys
import unittest
import warnings


class Outcomes(unittest.TextTestResult):
    """Remembers what became of each test."""

    def __init__(self, *args: object, **more: object) -> None:
        super().__init__(*args, **more)  # type: ignore[arg-type]
        self.by_test: dict[str, str] = {}

    def startTest(self, test: unittest.TestCase) -> None:  # noqa: N802
        super().startTest(test)
        self.by_test[test.id().rsplit(".", 1)[-1]] = "passed"

    def addError(self, test: unittest.TestCase, err: object) -> None:  # noqa: N802
        super().addError(test, err)  # type: ignore[arg-type]
        self._note(test, err)

    def addFailure(self, test: unittest.TestCase, err: object) -> None:  # noqa: N802
        super().addFailure(test, err)  # type: ignore[arg-type]
        self._note(test, err)

    def _note(self, test: unittest.TestCase, err: object) -> None:
        assert isinstance(err, tuple)
        name = test.id().rsplit(".", 1)[-1]
        self.by_test[name] = f"{err[0].__name__}: {err[1]}".splitlines()[0][:200]


def main() -> None:
    program, port = sys.argv[1:3]
    sys.path.insert(0, ".")
    names = sys.argv[3:]

    def run() -> None:
        loader = unittest.defaultTestLoader
        module = sys.modules["__main__"]
        if names:
            tests = loader.loadTestsFromNames([f"Test.{name}" for name in names], module)
        else:
            tests = loader.loadTestsFromModule(module)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = unittest.TextTestRunner(resultclass=Outcomes, verbosity=2).run(tests)
        assert isinstance(found, Outcomes)
        sys.stdout.flush()
        sys.stdout.write("\n" + json.dumps(found.by_test) + "\n")

    unittest.main = run  # type: ignore[assignment,misc]
    sys.argv = [program, f"--port={port}" if program == "client_test.py" else "-p", port]
    if program == "client_test.py":
        sys.argv.pop()
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main()
