"""What the demo's devices may, where companies share a platform."""

from pathlib import Path

import msgspec
import pytest

from penstock.core.clock import ManualClock
from penstock.core.organisation import Client, Company, Organisation, System
from penstock.door.permissions import COMPANION_CLIENT, Permissions


@pytest.mark.parametrize(
    ("topic", "is_allowed"),
    [
        ("room/kitchen", True),
        ("com.acme.hall.north.int/Car1", True),
        ("com.acme.hall.south.int/Car1", False),
        ("com.acme.hall.north/Car1", False),
        ("com.acme.hall.north.ext/Car1", False),
        ("com.acme.hall.north.log/Car1", False),
    ],
)
def test_they_send_data_of_systems_that_are_there_and_nothing_else(
    tmp_path: Path, topic: str, is_allowed: bool
) -> None:
    organisation = Organisation(
        accounts=True,
        companies=(Company(id=1, name="default"), Company(id=2, name="com.acme")),
        systems=(
            System(id=1, company=1, name="default"),
            System(id=2, company=2, name="com.acme.hall.north"),
        ),
        clients=(Client(id=1, system=1, name="sensor"),),
    )
    file = tmp_path / "access.json"
    file.write_bytes(msgspec.json.encode(organisation))
    permissions = Permissions(ManualClock(), file)
    assert permissions.may_publish(COMPANION_CLIENT, topic) is is_allowed
