"""Batches: several requests in one, by JSON and by multipart."""

from __future__ import annotations

from typing import Any

import pytest
from tests.conformance.sensorthings.marks import behaviour, requirement
from tests.conformance.sensorthings.service import (
    Service,
    at,
    datastream,
    observed,
    ref,
    sensor,
    thing,
    without,
)

CLASS = "c04batch/BatchTests"
pytestmark = requirement("req/batch-request/batch-request")


@pytest.fixture
def things(sta: Service) -> list[Any]:
    return [
        sta.make("Things", thing(f"thing {number}", properties={"int": number + 8}))
        for number in range(4)
    ]


def ask(sta: Service, *requests: dict[str, object]) -> dict[str, dict[str, Any]]:
    """POST a JSON batch and return the responses by id."""
    answer = sta.post("$batch", {"requests": list(requests)}, 200)
    return {one["id"]: one for one in answer.json()["responses"]}


@behaviour(CLASS, "test06JsonBatchRequest")
def test_requests_of_a_json_batch_are_answered_each(sta: Service, things: list[Any]) -> None:
    operations = [
        {"op": "replace", "path": "/name", "value": "replaced"},
        {"op": "add", "path": "/properties/new", "value": "changes"},
    ]
    group = {"atomicityGroup": "group1"}
    found = ask(
        sta,
        {"id": "0", "method": "get", "url": f"{at('Things', things[0])}?$select=name"},
        {"id": "1", **group, "method": "post", "url": "Things", "body": thing("new")},
        {
            "id": "2",
            **group,
            "method": "patch",
            "url": at("Things", things[0]),
            "body": {"name": "patched"},
        },
        {
            "id": "3",
            **group,
            "method": "patch",
            "headers": {"content-type": "application/json-patch+json"},
            "url": at("Things", things[1]),
            "body": operations,
        },
        {"id": "4", "method": "get", "url": "Things(987654)"},
        {"id": "5", "method": "delete", "url": at("Things", things[2])},
    )
    assert {id_: one["status"] for id_, one in found.items()} == {
        "0": 200,
        "1": 201,
        "2": 200,
        "3": 200,
        "4": 404,
        "5": 200,
    }
    assert found["0"]["body"] == {"name": "thing 0"}
    assert sta.get(found["1"]["location"])["name"] == "new"
    assert sta.get(at("Things", things[0]))["name"] == "patched"
    assert sta.get(at("Things", things[1]))["properties"] == {"int": 9, "new": "changes"}


REFERENCES = [
    pytest.param(
        "Things({})/Datastreams",
        "Sensor",
        marks=behaviour(CLASS, "test07JsonBatchRequestWithChangeSetReferencingNewEntitiesInBody"),
    ),
    pytest.param(
        "$sensor1/Datastreams",
        "Thing",
        marks=behaviour(CLASS, "test08JsonBatchRequestWithChangeSetReferencingNewEntitiesInUrl"),
    ),
]


@pytest.mark.parametrize(("url", "link"), REFERENCES)
def test_a_request_may_refer_to_what_one_before_it_made(
    sta: Service, things: list[Any], url: str, link: str
) -> None:
    target = ref("$sensor1") if link == "Sensor" else ref(things[0])
    stream = {**without(datastream(), "Sensor"), link: target}
    group = {"atomicityGroup": "group1", "method": "post"}
    found = ask(
        sta,
        {"id": "sensor1", **group, "url": "Sensors", "body": sensor("new")},
        {"id": "any", **group, "url": url.format(things[0]), "body": stream},
    )
    assert [one["status"] for one in found.values()] == [201, 201]
    made = sta.get(found["any"]["location"], expand="Sensor,Thing")
    assert made["Sensor"]["name"] == "new"
    assert made["Thing"]["@iot.id"] == things[0]


def test_of_a_group_all_is_done_or_nothing(sta: Service, things: list[Any]) -> None:
    group = {"atomicityGroup": "group1"}
    found = ask(
        sta,
        {
            "id": "1",
            **group,
            "method": "patch",
            "url": at("Things", things[0]),
            "body": {"name": "patched"},
        },
        {"id": "2", **group, "method": "post", "url": "Things", "body": {"name": "no text"}},
    )
    assert found["2"]["status"] == 400
    assert sta.get(at("Things", things[0]))["name"] == "thing 0"
    assert len(sta.ids("Things")) == len(things)


def multipart(sta: Service, *lines: str, status: int = 200) -> str:
    """POST a batch of parts, written by hand, and return the answer with its boundary as `B`."""
    answer = sta.http.post(
        sta.url("$batch"),
        content="\r\n".join(lines).encode(),
        headers={"content-type": "multipart/mixed;boundary=batch"},
    )
    assert answer.status_code == status, answer.text
    boundary = answer.headers["content-type"].partition("boundary=")[2].strip('"')
    return answer.text.replace(boundary, "B").replace("\r\n", "\n")


def get(url: str) -> tuple[str, ...]:
    return ("--batch", "Content-Type: application/http", "", f"GET {url} HTTP/1.1", "", "")


FILTER = "Things?$count=true&$filter=properties/int%20eq%20{}&$select=name"


@pytest.mark.parametrize(
    "start",
    [
        pytest.param("", marks=[
            behaviour(CLASS, "test03BatchRequestWithEncodedCharsInUrl"),
            behaviour(CLASS, "test05BatchRequestWithResourcePathRelativeToBatchRequest"),
        ]),
        pytest.param("{root}/", marks=behaviour(CLASS, "test04BatchRequestWithAbsoluteUri")),
        pytest.param("/v1.1/", marks=behaviour(CLASS, "test01BatchRequest")),
    ],
)  # fmt: skip
def test_requests_of_a_multipart_batch_name_what_they_want_in_every_way(
    sta: Service, things: list[Any], start: str
) -> None:
    start = start.format(root=sta.root)
    text = multipart(
        sta, *get(start + FILTER.format(10)), *get(start + FILTER.format(11)), "--batch--"
    )
    assert '{"@iot.count":1,"value":[{"name":"thing 2"}]}' in text
    assert '{"@iot.count":1,"value":[{"name":"thing 3"}]}' in text
    assert text.lower().count("http/1.1 200") == len(things) / 2


@behaviour(CLASS, "test01BatchRequest")
@behaviour(CLASS, "test02BatchRequestWithChangeSetReferencingNewEntities")
def test_a_change_set_refers_to_what_it_made(sta: Service, things: list[Any]) -> None:
    import json

    what = sta.make("ObservedProperties", observed())
    stream = {
        **datastream(),
        "Sensor": ref("$sensor1"),
        "ObservedProperty": ref(what),
    }
    bodies = [json.dumps(sensor("new")), json.dumps(stream)]
    urls = ["/v1.1/Sensors", f"/v1.1/{at('Things', things[0])}/Datastreams"]
    lines = ["--batch", "Content-Type: multipart/mixed;boundary=change", ""]
    for name, url, body in zip(("sensor1", "any"), urls, bodies, strict=True):
        lines += [
            "--change",
            "Content-Type: application/http",
            f"Content-ID: {name}",
            "",
            f"POST {url} HTTP/1.1",
            "Host: localhost",
            "Content-Type: application/json",
            f"Content-Length: {len(body.encode())}",
            "",
            body,
        ]
    text = multipart(sta, *lines, "--change--", *get("/v1.1/Things(987654)"), "--batch--")
    assert text.lower().count("http/1.1 201") == 2
    assert text.lower().count("http/1.1 404") == 1
    assert f"Location: {sta.root}/Datastreams(" in text
    assert sta.all("Datastreams", expand="Sensor")[0]["Sensor"]["name"] == "new"


def test_a_batch_that_cannot_be_read_is_answered_with_400(sta: Service) -> None:
    sta.post("$batch", {"requests": "all"}, 400)
    sta.post("$batch", [1, 2], 400)
    multipart(sta, "nothing", status=400)


@pytest.mark.parametrize(
    "options", ["", "?$select=id", "?$resultFormat=CSV", "?$expand=Datastreams"]
)
def test_a_group_takes_back_all_whatever_options_its_requests_have(
    sta: Service, things: list[Any], options: str
) -> None:
    group = {"atomicityGroup": "g"}
    before = sta.get(at("Things", things[0]))
    url = f"{at('Things', things[0])}{options}"
    change = {"id": "1", **group, "method": "patch", "url": url, "body": {"name": "changed"}}
    found = ask(sta, change, {"id": "2", **group, "method": "get", "url": "Things(987654)"})
    assert (found["1"]["status"], found["2"]["status"]) == (424, 404)
    assert sta.get(at("Things", things[0])) == before


@pytest.mark.parametrize("ending", ["/name/$value", "/properties/none", "/Locations/$ref"])
def test_what_cannot_be_taken_back_is_not_done_in_a_group(
    sta: Service, things: list[Any], ending: str
) -> None:
    url = f"{at('Things', things[0])}{ending}"
    found = ask(sta, {"id": "1", "atomicityGroup": "g", "method": "put", "url": url, "body": {}})
    assert found["1"]["status"] == 501


@pytest.mark.parametrize("url", ["$batch", "%24batch", "//$batch", "$batch/", "$batch?a=1"])
def test_a_batch_within_a_batch_is_refused_however_it_is_written(sta: Service, url: str) -> None:
    inner = {"requests": [{"id": "1", "method": "get", "url": "Things"}]}
    found = ask(sta, {"id": "1", "method": "post", "url": url, "body": inner})
    assert found["1"]["status"] == 400
