"""Runs OGC's executable test suite for SensorThings 1.0 against a Penstock: `make ets`.

The suite is OGC's, published as `org.opengis.cite:ets-sta10`; Maven fetches it. A platform starts
on free ports with an empty folder, gets one Thing (the first level of the suite reads what is
there), and the suite runs against `/v1.0`. What came out goes into docs/reference/sensorthings.md.
`python -m tests.conformance.ets URL` runs it against a service that is there already, and writes
nothing: it deletes everything that it finds.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import httpx
from tests.conformance.platform import Running
from tests.conformance.sections import write

HERE = Path(__file__).parent
#: Tests that are not passed, and why that is right.
EXCEPTIONS = {
    "checkQueriesPriorityOrdering": "everything it asks for is answered as it expects, but it "
    "reads the number 6 as a text, which the version of its JSON library refuses: no service that "
    "gives back a number as a number can pass",
}
#: The levels of the suite, by its packages.
LEVELS = {
    "sensingCore": "1, sensing core",
    "createUpdateDelete": "2, create, update, delete",
    "filteringExtension": "3, filtering",
}
#: What the first level reads.
SEED = {
    "name": "oven",
    "description": "an oven",
    "Locations": [
        {
            "name": "kitchen",
            "description": "a kitchen",
            "encodingType": "application/geo+json",
            "location": {"type": "Point", "coordinates": [8.4, 49.0]},
        }
    ],
    "Datastreams": [
        {
            "name": "temperature",
            "description": "air within",
            "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
            "unitOfMeasurement": {
                "name": "degree Celsius",
                "symbol": "°C",
                "definition": "ucum:Cel",
            },
            "Sensor": {
                "name": "probe",
                "description": "a probe",
                "encodingType": "application/pdf",
                "metadata": "probe.pdf",
            },
            "ObservedProperty": {
                "name": "temperature",
                "definition": "https://example.org/temperature",
                "description": "of air",
            },
            "Observations": [
                {
                    "phenomenonTime": "2026-01-01T00:00:00Z",
                    "resultTime": "2026-01-01T00:00:01Z",
                    "result": 181.5,
                }
            ],
        }
    ],
}


@dataclass(frozen=True)
class Outcome:
    """How one test went; `problem` is "" when it passed."""

    level: str
    name: str
    problem: str


def classpath(folder: Path) -> str:
    """Return where the suite and its libraries are; Maven fetches what is missing."""
    maven = shutil.which("mvn")
    if maven is None or shutil.which("java") is None:
        sys.exit("the suite needs Java and Maven: apt-get install maven")
    file = folder / "classpath"
    command = [maven, "-q", "-B", "-f", HERE / "pom.xml", "dependency:build-classpath"]
    subprocess.run([*command, f"-Dmdep.outputFile={file}"], check=True)
    return file.read_text(encoding="utf-8").strip()


def run(service: str, folder: Path) -> list[Outcome]:
    """Run the suite and return how its tests went."""
    properties = folder / "properties.xml"
    properties.write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n<properties version="1.0">'
        f'<entry key="iut">{service}</entry><entry key="ics">3</entry></properties>\n',
        encoding="utf-8",
    )
    subprocess.run(
        ["java", f"-Duser.home={folder}", "-cp", classpath(folder)]
        + ["org.opengis.cite.sta10.TestNGController", str(properties)],
        check=True,
        capture_output=True,
    )
    return read(next(folder.rglob("testng-results.xml")))


def read(file: Path) -> list[Outcome]:
    """Return what the suite reports."""
    found = []
    for group in ET.parse(file).iter("class"):
        level = LEVELS[group.attrib["name"].split(".")[-2]]
        for method in group.iter("test-method"):
            if method.get("is-config") == "true" and method.attrib["status"] == "PASS":
                continue
            message = (method.findtext("exception/message") or "").strip()
            failed = method.attrib["status"] != "PASS"
            problem = " ".join((message or method.attrib["status"]).split())[:400] if failed else ""
            found.append(Outcome(level, method.attrib["name"], problem))
    return found


def table(outcomes: list[Outcome]) -> str:
    """Return what is to be read about it."""
    lines = ["| level | passed | of |", "| --- | --- | --- |"]
    for level in LEVELS.values():
        here = [outcome for outcome in outcomes if outcome.level == level]
        lines.append(f"| {level} | {sum(not one.problem for one in here)} | {len(here)} |")
    total = sum(not one.problem for one in outcomes)
    lines += [f"| all | **{total}** | **{len(outcomes)}** |", ""]
    for one in outcomes:
        if one.problem:
            lines.append(f"- `{one.name}`: {EXCEPTIONS.get(one.name, '**not explained yet**')}.")
    return "\n".join(lines)


@contextmanager
def platform(folder: Path) -> Iterator[str]:
    """Start a platform with one Thing; give the root of its service."""
    with Running(folder / "data") as running:
        root = f"{running.http}/v1.0"
        httpx.post(f"{root}/Things", json=SEED, timeout=120).raise_for_status()
        yield root


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="penstock-ets-") as name:
        folder = Path(name)
        if sys.argv[1:]:
            outcomes = run(sys.argv[1].rstrip("/"), folder)
        else:
            with platform(folder) as root:
                outcomes = run(root, folder)
            write("ets", table(outcomes))
    sys.stdout.write(table(outcomes) + "\n")
    surprises = [one for one in outcomes if one.problem and one.name not in EXCEPTIONS]
    for one in outcomes:
        if one.problem:
            sys.stderr.write(f"not passed: {one.name}: {one.problem}\n")
    sys.exit(bool(surprises))


if __name__ == "__main__":
    main()
