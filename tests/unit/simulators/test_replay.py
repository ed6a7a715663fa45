from __future__ import annotations

import itertools
import json

import pytest

from penstock.core.errors import ConfigError
from penstock.simulators.recordings import Columns, Recording
from penstock.simulators.replay import Replay

START = 1_795_344_944_000_000
NOON = 1_704_110_400_000_000


@pytest.fixture
def recording(tmp_path) -> Recording:
    path = tmp_path / "lab.csv"
    path.write_text(
        "time,thing,a,b (V),c\n1704110400,x,1,2,rain\n"
        "1704110402,y/z,,4,sun\n1704110403,x,5,6,rain\n"
    )
    return Recording(path, Columns(values=("a", "b (V)", "c")))


def sent(replay: Replay):
    messages = itertools.chain.from_iterable(replay.messages(START))
    return [((m.time_us - START) / 1e6, m.topic, json.loads(m.payload)) for m in messages]


def test_rows_go_out_at_the_recorded_pace_with_times_of_now(recording):
    got = sent(Replay(recording))
    assert [at for at, *_ in got] == [0.0, 2.0, 3.0]
    assert [topic for _, topic, _ in got] == ["recordings/x", "recordings/y_z", "recordings/x"]
    assert got[1][2] == {"b": 4.0, "c": "sun", "timestamp": "2026-11-22T10:55:46.000000Z"}


def test_speed_shortens_the_pace_and_the_times_of_now(recording):
    got = sent(Replay(recording, speed=4.0))
    assert [at for at, *_ in got] == [0.0, 0.5, 0.75]
    assert got[2][2]["timestamp"] == "2026-11-22T10:55:44.750000Z"


def test_times_can_stay_as_recorded(recording):
    got = sent(Replay(recording, shift_to_now=False, speed=None))
    assert got[1][2]["timestamp"] == "2024-01-01T12:00:02.000000Z"


def test_every_value_can_be_a_message(recording):
    got = sent(Replay(recording, form="value", topic="lab/{thing}/{name}", shift_to_now=False))
    assert got[0][1:] == ("lab/x/a", {"value": 1.0, "timestamp": "2024-01-01T12:00:00.000000Z"})
    assert got[1][2]["unit"] == "V"
    assert len(got) == 8


def test_rows_can_be_senml_packs(recording):
    got = sent(Replay(recording, form="senml", shift_to_now=False))
    assert got[0][1:] == (
        "senml/x",
        [
            {"bn": "x/", "bt": 1704110400.0, "n": "a", "v": 1.0},
            {"n": "b", "v": 2.0, "u": "V"},
            {"n": "c", "vs": "rain"},
        ],
    )


def test_rows_out_of_order_can_be_sorted(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("time,v\n1704110403,3\n1704110401,1\n1704110402,2\n")
    got = sent(Replay(Recording(path), sort=True))
    assert [body["v"] for *_, body in got] == [1.0, 2.0, 3.0]
    assert [at for at, *_ in got] == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"form": "xml"}, "payload form 'xml' is not known; it is one of flat, value, senml"),
        ({"speed": None}, "choose --shift none"),
        ({"topic": "a/{name}"}, "cannot be filled in"),
        ({"topic": "a/{place}"}, "cannot be filled in"),
    ],
)
def test_what_cannot_work_is_refused(recording, options, message):
    with pytest.raises(ConfigError, match=message):
        Replay(recording, **options)
