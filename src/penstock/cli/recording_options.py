"""Options that say what the columns of a recording mean; of `simulate replay` and `import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="CSV, Parquet or NDJSON, also compressed.")
]
TimeOption = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Column with the time; else guessed.")
]
ValueOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN[=NAME]",
        help="Column with values, may be repeated; else all columns with numbers.",
    ),
]
ThingOption = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Column with the name of the thing.")
]
ThingNameOption = Annotated[
    str | None, typer.Option(metavar="TEXT", help="Name of the thing; else the file's name.")
]
NameOption = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="Column that names what was measured, if one does."),
]
UnitOption = Annotated[
    list[str] | None,
    typer.Option(metavar="[NAME=]UNIT", help="Unit of all values or of one, may be repeated."),
]
TimeUnitOption = Annotated[
    str | None,
    typer.Option(metavar="s|ms|us|ns", help="Of times that are numbers; else by their size."),
]
TimeFormatOption = Annotated[
    str | None, typer.Option(metavar="FORMAT", help="Of unusual times, such as '%d.%m.%Y %H:%M'.")
]
TimeZoneOption = Annotated[
    str, typer.Option(metavar="ZONE", help="Of times without an offset: Europe/Vienna.")
]
FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format", metavar="csv|parquet|ndjson", help="Form of the file; else by its name."
    ),
]
