"""Who is taken for a device that said something."""

from __future__ import annotations

from collections.abc import Sequence

from tests.ingest.conftest import Plant

from penstock.core.listening import Heard, Kind, Sighting, Unheard


class Witness:
    """Remembers who was seen."""

    def __init__(self) -> None:
        self.seen: list[Sighting] = []

    def hear(self, kind: Kind, heard: Heard) -> Sequence[Unheard]:
        return ()

    def saw(self, sightings: Sequence[Sighting]) -> None:
        self.seen += sightings


def test_a_file_that_is_imported_is_no_word_of_a_device(plant: Plant) -> None:
    plant.listener = witness = Witness()
    plant.open()
    plant.ingested(
        ("import/history", "a=1@1"), ("import/sensorthings", "b=2@2"), ("imports/x", "c=3@3")
    )
    assert {one.topic for one in witness.seen} == {"import/sensorthings", "imports/x"}
    assert len(plant.values()) == 3
