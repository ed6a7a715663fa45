"""Features described in messages: ids of the catalog in the place of descriptions."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from penstock.codecs.sensorthings import SensorThingsCodec
from penstock.codecs.settings import CodecSettings
from penstock.core.codec import Messages
from penstock.ingest.decoding import Part
from penstock.ingest.described import Described

STATION = {
    "name": "station",
    "description": "",
    "encodingType": "application/geo+json",
    "feature": {"type": "Point", "coordinates": [1, 2]},
}


def part(*features: object) -> Part:
    payloads = [
        msgspec.json.encode(
            {"result": 1, "Datastream": {"@iot.id": 7}, "FeatureOfInterest": one, "more": 1}
        )
        for one in features
    ]
    count = len(payloads)
    messages = Messages(["t"] * count, payloads, np.arange(count, dtype=np.int64), [{}] * count)
    readings = SensorThingsCodec(CodecSettings()).decode(messages)
    return Part("sensorthings", readings, readings.message.astype(np.int64))


def test_what_is_described_becomes_the_feature_of_the_catalog() -> None:
    asked: list[tuple[int, str]] = []

    def ask(described: Sequence[tuple[int, str]]) -> Sequence[int]:
        asked.extend(described)
        return [0 if '"refused"' in text else 40 + at for at, (_, text) in enumerate(described)]

    given = part(
        STATION,
        {"@iot.id": 3},
        {**STATION, "name": "refused"},
        {**STATION, "description": "another of the name"},
        {"name": "only a name"},
        STATION,
    )
    described = Described(ask, max_features=10)
    ids = np.array([7, 7, 7, 7, 7, 0])
    (found,) = described.resolve([given], [ids])
    before, after = given.readings.feature, found.readings.feature
    assert before is not None
    assert after is not None
    assert after[1] == 3
    assert len(asked) == 3
    numbers = {text: 40 + at for at, (_, text) in enumerate(asked)}
    wanted = [numbers[given.readings.described[at]] for at in (0, 3)]
    assert after[[0, 3]].tolist() == wanted
    assert after[[2, 4, 5]].tolist() == before[[2, 4, 5]].tolist(), "as the codec said it"
    texts = [msgspec.json.decode(one) for one in found.readings.parameters.to_pylist()]
    assert [sorted(one) for one in texts] == [
        ["more"],
        ["more"],
        ["FeatureOfInterest", "more"],
        ["more"],
        ["FeatureOfInterest", "more"],
        ["FeatureOfInterest", "more"],
    ]
    described.resolve([given], [ids])
    assert len(asked) == 3, "what is known is not asked again"
    described.forget()
    described.resolve([given], [ids])
    assert len(asked) == 6


def test_rows_that_describe_nothing_stay_as_they_are() -> None:
    def ask(described: Sequence[tuple[int, str]]) -> Sequence[int]:
        raise AssertionError(described)

    given = part({"@iot.id": 3})
    (found,) = Described(ask, max_features=10).resolve([given], [np.array([7])])
    assert found is given
