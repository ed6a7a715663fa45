"""`penstock doctor`: what is wrong here, and what to do about it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli.up import ConfigFile, DataDir, Http, Mqtt, overrides

if TYPE_CHECKING:
    from penstock.runtime.finding import Finding

#: What stands before a finding, by its level.
MARKS = {"ok": "[green]✓[/]", "warning": "[yellow]![/]", "problem": "[red]✗[/]"}


def doctor(
    data_dir: DataDir = None,
    http: Http = None,
    mqtt: Mqtt = None,
    config: ConfigFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Look at configuration, folder, disk, addresses and limits; exit code 1 on a problem."""
    import msgspec

    from penstock.runtime.diagnosis import diagnose
    from penstock.runtime.finding import Level

    findings = diagnose(config, overrides(data_dir, http, mqtt))
    if as_json:
        sys.stdout.write(msgspec.json.encode(findings).decode() + "\n")
    else:
        _show(findings)
    if any(finding.level is Level.PROBLEM for finding in findings):
        raise typer.Exit(1)


def _show(findings: Sequence[Finding]) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False, soft_wrap=True)
    for finding in findings:
        console.print(f"{MARKS[finding.level]} {finding.what}: {escape(finding.found)}")
        if finding.do:
            console.print(f"    → {escape(finding.do)}")
