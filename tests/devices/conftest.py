from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.devices.rooms import Room


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Room]]:
    """Make rooms; all are closed at the end."""
    rooms: list[Room] = []

    def one(**more: Any) -> Room:
        folder = tmp_path / str(len(rooms))
        folder.mkdir()
        rooms.append(Room(folder, **more))
        return rooms[-1]

    yield one
    for room in rooms:
        room.close()


@pytest.fixture
def room(make: Callable[..., Room]) -> Room:
    return make()
