"""Writes docs/reference/cli.md from the commands themselves.

`python -m penstock.cli.reference > docs/reference/cli.md`
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from typing import Any

import typer

HEAD = """# Command line

Every command has `--help`; `penstock --install-completion` lets the shell complete commands and
names. Those that ask a running Penstock act for whoever signed in (`penstock login`), or for the
key in `PENSTOCK_KEY`. This page is made from the code (`make reference`).

| exit code | meaning; the reason is one line on standard error |
| --- | --- |
| 0 | done |
| 1 | failed |
| 2 | wrong usage, or input that was refused |
| 3 | there is no such thing |
| 4 | sign in, or not allowed |
| 5 | it exists already, or its state does not allow this |
| 6 | not reachable or busy: try again |
| 7 | a device did not do what it was told |
"""


def reference() -> str:
    """Return the page."""
    from penstock.cli.main import app

    return "\n".join([HEAD, *_command(typer.main.get_command(app), "penstock")])


def _command(command: Any, path: str) -> Iterator[str]:
    children = getattr(command, "commands", None)
    if children is not None:
        for name, child in children.items():
            yield from _command(child, f"{path} {name}")
        return
    yield f"## {path}"
    yield ""
    yield inspect.cleandoc(command.help or "").split("\f")[0]
    yield ""
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            yield f"- `{parameter.name.upper()}`: {getattr(parameter, 'help', '') or ''}"
        elif not parameter.hidden:
            names = ", ".join([*parameter.opts, *parameter.secondary_opts])
            yield f"- `{names}`: {parameter.help or ''}{_default(parameter)}"
    yield ""


def _default(option: Any) -> str:
    if option.default in (None, False, ()) or callable(option.default):
        return ""
    return f" Default `{option.default}`."


if __name__ == "__main__":
    sys.stdout.write(reference())
