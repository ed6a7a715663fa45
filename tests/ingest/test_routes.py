from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.errors import ConfigError
from penstock.ingest import IngestSettings, Route
from penstock.ingest.routes import Pattern, TopicTable, routes_of


@pytest.mark.parametrize(
    ("topic", "name", "captured"),
    [
        ("sensor.{serial}.measurements", "sensor.AAD-1123.measurements", {"serial": "AAD-1123"}),
        ("sensor.{serial}.measurements", "sensor..measurements", None),
        ("sensor.{serial}.measurements", "sensorXAADXmeasurements", None),
        ("sensor.{serial}.measurements", "sensor.a/b.measurements", None),
        (
            "factory_iot/{region}/{site}",
            "factory_iot/north/101",
            {"region": "north", "site": "101"},
        ),
        ("factory_iot/{region}/{site}", "factory_iot/north", None),
        ("factory_iot/{region}/{site}", "factory_iot/north/101/x", None),
        ("v1.1/Datastreams({id})/Observations", "v1.1/Datastreams(12)/Observations", {"id": "12"}),
        ("v1.1/Datastreams({id})/Observations", "v1x1/Datastreams(12)/Observations", None),
        ("{system}.int/#", "cz.icecars.Fleet.Car1.int", {"system": "cz.icecars.Fleet.Car1"}),
        ("{system}.int/#", "cz.icecars.Fleet.Car1.int/a/b", {"system": "cz.icecars.Fleet.Car1"}),
        ("{system}.int/#", "a.interior", None),
        ("{a}-{b}/x", "1-2/x", {"a": "1", "b": "2"}),
        ("+/+", "a/b", {}),
        ("+/+", "a/", {}),
        ("+/+", "a", None),
        ("a/+/c", "a//c", {}),
        ("a/#", "a", {}),
        ("a/#", "a/b/c", {}),
        ("a/#", "ab", None),
        ("#", "a/b\nc", {}),
        ("#", "$SYS/broker", None),
        ("+/broker", "$SYS/broker", None),
        ("{x}/broker", "$SYS/broker", None),
        ("$SYS/#", "$SYS/broker", {}),
    ],
)
def test_a_pattern_matches_as_mqtt_does_and_captures(topic, name, captured):
    found = Pattern(topic).match(name)
    assert (None if found is None else dict(found)) == captured


@pytest.mark.parametrize("topic", ["a/#/b", "a+/b", "a#", "{a}/{a}", "{}", "{1a}", "{a", "a}"])
def test_a_pattern_that_makes_no_sense_is_refused(topic):
    with pytest.raises(ConfigError, match="route topic"):
        Pattern(topic)


@given(st.lists(st.sampled_from(["a", "b", "", "$x"]), min_size=1, max_size=4), st.data())
def test_a_filter_made_from_a_topic_matches_it(levels, data):
    wild = [data.draw(st.sampled_from([level, "+"])) for level in levels]
    if data.draw(st.booleans()):
        wild = [*wild[: data.draw(st.integers(0, len(wild)))], "#"]
    hidden = levels[0].startswith("$") and wild[0] in ("+", "#")
    assert (Pattern("/".join(wild)).match("/".join(levels)) is None) == hidden


def find(settings, topic):
    table = TopicTable(routes_of(settings), 100)
    found = table[topic.encode()]
    return table.codecs[found.route] if found.route >= 0 else None


@pytest.mark.parametrize(
    ("topic", "codecs"),
    [
        ("sensor.BBB-3423.measurements", ("measurements",)),
        ("sensor/BBB-3423/measurements", ("measurements",)),
        ("sensor.BBB-3423.registry.created", ("device_registry",)),
        ("sensor.BBB-3423.logs", ("device_logs",)),
        ("UPB/RPi_1/logs", ("device_logs",)),
        ("UPB/RPi_1/state/reported", ("device_state",)),
        ("UPB/RPi_1/tasks/abc", ("device_answer",)),
        ("UPB/RPi_1/commands/blink", ("none",)),
        ("sensor.BBB-3423.commands.sleep", ("none",)),
        ("sensor.BBB-3423.commands.change_sample_frequency", ("none",)),
        ("factory_iot/north/101", ("factory",)),
        ("movements", ("positions",)),
        ("movements/7", ("positions",)),
        ("v1.1/Datastreams(4)/Observations", ("sensorthings",)),
        ("v1.1/Observations", ("sensorthings",)),
        ("cz.icecars.iot4cps-wp5-CarFleet.Car1.int", ("sensorthings",)),
        ("cz.icecars.iot4cps-wp5-CarFleet.Car1.ext/gps", ("sensorthings",)),
        ("senml/a/b", ("senml",)),
        ("influx", ("influx",)),
        ("import/file", ("arrow",)),
        ("UPB/RPi_1", ("flat", "number")),
        ("home/kitchen/temperature", ("number",)),
        ("$SYS/uptime", None),
    ],
)
def test_default_routes_know_the_topics_of_all_families(topic, codecs):
    assert find(IngestSettings(), topic) == codecs


def test_configured_routes_come_before_the_default_ones():
    settings = IngestSettings(routes=(Route(topic="UPB/{station}", codecs=("senml",)),))
    assert find(settings, "UPB/RPi_1") == ("senml",)
    assert find(settings, "Dorinel/Zeus") == ("flat", "number")


def test_without_default_routes_a_topic_can_be_without_a_route():
    assert find(IngestSettings(default_routes=False), "UPB/RPi_1") is None


def test_none_stands_alone():
    settings = IngestSettings(routes=(Route(topic="a", codecs=("none", "flat")),))
    with pytest.raises(ConfigError, match="stands alone"):
        routes_of(settings)


def test_ever_new_topics_do_not_fill_the_memory():
    table = TopicTable(routes_of(IngestSettings()), 100)
    for number in range(1000):
        assert table[b"a/%d" % number].name == f"a/{number}"
        table.trim()
    assert len(table) <= 101
