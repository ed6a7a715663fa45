"""Sign-ins that are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.cli import saved
from penstock.core.errors import ConfigError


def test_a_sign_in_is_kept_for_its_address_only() -> None:
    saved.keep("http://a:1/", saved.SignIn("secret-a", "sue"))
    saved.keep("http://b:1", saved.SignIn("secret-b", "anna"))
    assert saved.secret_for("http://a:1") == "secret-a"
    assert saved.secret_for("http://b:1/") == "secret-b"
    assert saved.secret_for("http://c:1") is None
    saved.keep("http://a:1", None)
    assert saved.secret_for("http://a:1") is None
    assert saved.secret_for("http://b:1") == "secret-b"


def test_the_file_is_for_its_owner_alone(nobody: Path) -> None:
    saved.keep("http://a:1", saved.SignIn("secret", "sue"))
    assert saved.file().stat().st_mode & 0o077 == 0
    assert [one.name for one in saved.file().parent.iterdir()] == ["sign-ins.json"]
    assert nobody in saved.file().parents


def test_a_key_of_the_environment_is_stronger(monkeypatch: pytest.MonkeyPatch) -> None:
    saved.keep("http://a:1", saved.SignIn("kept", "sue"))
    monkeypatch.setenv("PENSTOCK_KEY", " given \n")
    assert saved.secret_for("http://a:1") == "given"


def test_a_file_that_is_none_of_ours_is_said() -> None:
    saved.file().parent.mkdir(parents=True)
    saved.file().write_text("not json")
    with pytest.raises(ConfigError, match="sign in again"):
        saved.secret_for("http://a:1")
