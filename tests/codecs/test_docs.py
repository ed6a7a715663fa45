"""The page on codecs says something about each."""

from pathlib import Path

import pytest

from penstock.codecs import CODECS

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "codecs.md").read_text()


@pytest.mark.parametrize("name", sorted(CODECS))
def test_every_codec_has_its_section_and_its_row(name: str):
    assert f"\n## {name}\n" in PAGE
    assert f"| [`{name}`](#{name}) |" in PAGE
