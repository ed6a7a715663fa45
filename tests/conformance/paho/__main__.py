"""Runs Eclipse Paho's interoperability suite against a door: `make paho`.

The suite is Eclipse's and not ours to keep: PAHO_SUITE names a checkout of
https://github.com/eclipse/paho.mqtt.testing, or it is cloned. Every program is run against a door
of its own, with a log and a journal on disk. What came out is written into docs/reference/mqtt.md.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = "https://github.com/eclipse/paho.mqtt.testing"
#: Settings other than the defaults, and why. The port is free to choose.
SETTINGS = {"max_keep_alive_s": 60}
#: Program to MQTT version.
PROGRAMS = {"client_test.py": "3.1.1", "client_test5.py": "5.0"}
#: Tests that are not passed, and why that is right.
EXCEPTIONS = {
    "5.0 test_subscribe_failure": "expects 0x80 (unspecified error) in SUBACK for a topic that may "
    "not be subscribed to; the door answers 0x87 (not authorized), which section 3.9.3 gives for "
    "this and which tells the client more",
}
PAGE = Path(__file__).parents[3] / "docs" / "reference" / "mqtt.md"
BEGIN, END = "<!-- paho: written by `make paho` -->", "<!-- paho: end -->"
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Outcome:
    """How the tests of one program went."""

    version: str
    by_test: dict[str, str]

    @property
    def failed(self) -> dict[str, str]:
        return {
            f"{self.version} {name}": what
            for name, what in self.by_test.items()
            if what != "passed"
        }


def find_suite(folder: Path) -> Path:
    """Return the suite's folder: that of PAHO_SUITE, or of a new clone."""
    given = os.environ.get("PAHO_SUITE")
    if given:
        suite = Path(given).expanduser().resolve()
    else:
        suite = folder / "suite"
        subprocess.run(["git", "clone", "--quiet", "--depth", "1", REPOSITORY, suite], check=True)
    suite = suite / "interoperability" if (suite / "interoperability").is_dir() else suite
    if not (suite / "client_test5.py").is_file():
        sys.exit(f"{suite} is no checkout of {REPOSITORY}; name one with PAHO_SUITE=FOLDER")
    return suite


def run(suite: Path, program: str, folder: Path, names: list[str]) -> Outcome:
    """Run one program against a new door."""
    settings = json.dumps({"port": 0, **SETTINGS})
    command = [sys.executable, str(HERE / "door.py"), str(folder / program), settings]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as door:
        assert door.stdout is not None
        port = door.stdout.readline().strip()
        try:
            done = subprocess.run(
                [sys.executable, str(HERE / "suite.py"), program, port, *names],
                cwd=suite,
                stdout=subprocess.PIPE,
                text=True,
            )
        finally:
            door.kill()
    if done.returncode:
        sys.exit(f"{program} did not run to its end")
    return Outcome(PROGRAMS[program], json.loads(done.stdout.splitlines()[-1]))


def table(outcomes: list[Outcome]) -> str:
    """Return what is to be read about it."""
    lines = ["| MQTT | program | passed | of |", "| --- | --- | --- | --- |"]
    for outcome, program in zip(outcomes, PROGRAMS, strict=True):
        total = len(outcome.by_test)
        passed = total - len(outcome.failed)
        lines.append(f"| {outcome.version} | `{program}` | {passed} | {total} |")
    changed = ", ".join(f"`{name} = {json.dumps(value)}`" for name, value in SETTINGS.items())
    lines += [
        "",
        f"Settings other than the defaults: {changed}, which `test_server_keep_alive` expects.",
        "Nobody may subscribe to `test/nosubscribe`, which `test_subscribe_failure` expects.",
        "",
    ]
    failed = {name for outcome in outcomes for name in outcome.failed}
    for name in sorted(failed):
        version, test = name.split(" ")
        why = EXCEPTIONS.get(name, "**not explained yet**")
        lines.append(f"- `{test}` (MQTT {version}): {why}.")
    return "\n".join(lines)


def write(text: str) -> None:
    """Put the result into the page."""
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def main() -> None:
    names = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="penstock-paho-") as name:
        folder = Path(name)
        suite = find_suite(folder)
        outcomes = [run(suite, program, folder, names) for program in PROGRAMS]
    text = table(outcomes)
    sys.stdout.write(text + "\n")
    surprises = {
        name: what
        for outcome in outcomes
        for name, what in outcome.failed.items()
        if name not in EXCEPTIONS
    }
    if not names:
        write(text)
    for name, what in surprises.items():
        sys.stderr.write(f"not passed: {name}: {what}\n")
    sys.exit(bool(surprises))


if __name__ == "__main__":
    main()
