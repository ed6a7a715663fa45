"""Pages that are made from the code are up to date, and settings say what they are."""

import re
from pathlib import Path
from typing import get_type_hints

import msgspec
import pytest

from penstock.cli.reference import reference as cli_reference
from penstock.core import errors
from penstock.runtime.config import sections, setting_name
from penstock.runtime.settings_reference import reference as settings_reference

ROOT = Path(__file__).parents[2]


def test_the_settings_page_is_up_to_date() -> None:
    page = ROOT / "docs/reference/settings.md"
    assert page.read_text() == settings_reference(), "run `make reference`"


def test_the_command_line_page_is_up_to_date() -> None:
    page = ROOT / "docs/reference/cli.md"
    assert page.read_text() == cli_reference(), "run `make reference`"


@pytest.mark.parametrize("section", sections())
def test_every_setting_says_what_it_is(section: str) -> None:
    kind = sections()[section]
    hints = get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        if setting_name(section, field.name) not in sections():
            (meta,) = hints[field.name].__metadata__
            assert meta.description, field.name


def test_every_error_code_has_its_heading() -> None:
    page = (ROOT / "docs/reference/errors.md").read_text()
    for value in vars(errors).values():
        if isinstance(value, type) and issubclass(value, errors.PenstockError):
            assert f"## `{value.code}`" in page


@pytest.mark.parametrize("page", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md")))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
