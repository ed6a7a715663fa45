from __future__ import annotations

import io
import re

import numpy as np

from penstock.codecs import make
from penstock.core.clock import ManualClock
from penstock.ingest.data_flow import DataFlow, is_wanted
from penstock.ingest.decoding import Decoder
from penstock.ingest.messages import Batch
from penstock.ingest.routes import TopicTable
from penstock.ingest.settings import Route

NOW_US = 1_700_000_000_000_000


def lines(codec, *messages):
    made = make(codec)
    table = TopicTable((Route(topic="{location}/{station}", codecs=(codec,)),), 100)
    batch = Batch(
        partition="door",
        next_offset=len(messages),
        topics=[table[topic.encode()] for topic, _ in messages],
        payloads=[payload for _, payload in messages],
        arrived_us=np.full(len(messages), NOW_US),
        offsets=np.arange(len(messages)),
        clients=["c"],
        block=np.zeros(len(messages), np.int64),
    )
    parts, _ = Decoder({codec: made}, table).decode(batch)
    out = io.StringIO()
    DataFlow(out, ManualClock(NOW_US)).show(batch, parts, lambda _, key: made.describe(key))
    written = out.getvalue().splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", line) for line in written)
    return [line[20:] for line in written]


def test_a_message_is_shown_as_system_2_shows_it():
    payload = (
        b'{"BAT":99,"HUMID":40,"PRJ":"SPRC","TMP":25.3,"status":"OK",'
        b'"timestamp":"2019-11-26T03:54:20+03:00"}'
    )
    assert lines("flat", ("UPB/RPi_1", payload)) == [
        "Received a message by topic [UPB/RPi_1]",
        "Data timestamp is 2019-11-26T03:54:20+03:00",
        "UPB.RPi_1.BAT 99",
        "UPB.RPi_1.HUMID 40",
        "UPB.RPi_1.TMP 25.3",
    ]


def test_a_message_without_a_timestamp_is_from_now():
    assert lines("flat", ("Dorinel/Zeus", b'{"Alarm":0,"AQI":12}'), ("a/b", b'{"x":1}')) == [
        "Received a message by topic [Dorinel/Zeus]",
        "Data timestamp is NOW",
        "Dorinel.Zeus.Alarm 0",
        "Dorinel.Zeus.AQI 12",
        "Received a message by topic [a/b]",
        "Data timestamp is NOW",
        "a.b.x 1",
    ]


def test_it_is_on_by_setting_or_by_exactly_true_in_the_environment():
    assert is_wanted(True, {})
    assert is_wanted(False, {"DEBUG_DATA_FLOW": "true"})
    assert not is_wanted(False, {})
    for other in ("1", "True", "TRUE", "yes", ""):
        assert not is_wanted(False, {"DEBUG_DATA_FLOW": other})


def test_ingest_shows_what_passes_only_when_asked(plant, capfd):
    plant.open()
    plant.ingested(("a", "x=1@1000000"))
    plant.close()
    assert capfd.readouterr().out == ""
    plant.open(debug_data_flow=True)
    plant.ingested(("a", "x=2@2000000"))
    shown = capfd.readouterr().out
    assert "Received a message by topic [a]\n" in shown
    assert "Data timestamp is 1970-01-01T00:00:02+00:00\n" in shown
    assert "a.x 2\n" in shown
