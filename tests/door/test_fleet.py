"""The benchmark of ten thousand clients, with five hundred."""

from __future__ import annotations

from pathlib import Path

import pytest

benchmark = pytest.importorskip("benchmarks.fleet")


def test_five_hundred_clients_with_keys_come_publish_and_come_back(tmp_path: Path) -> None:
    found = benchmark.measure(500, 1.0, 1.0, tmp_path)
    assert found["clients"] == 500
    assert found["acknowledgements"]["messages"] > 0
    assert found["acknowledgements_after"]["messages"] > 0
    assert found["storm"]["tries"] >= 500
    assert found["bytes_per_client"] < 200_000
