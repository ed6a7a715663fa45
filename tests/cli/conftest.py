"""Commands without the sign-ins and keys of whoever runs the tests."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Let commands keep sign-ins in a folder of the test's own, which it gives."""
    for name in ("PENSTOCK_KEY", "PENSTOCK_URL", "PENSTOCK_CA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config"
