"""What any catalog must do. Derive from `CatalogContract` and give it a `catalog` fixture."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from penstock.core.access import EVERYTHING, Scope
from penstock.core.catalog import Catalog, DatastreamInfo, DeviceStatus, Enrolled, Policy
from penstock.core.errors import Forbidden, InvalidInput, NotFound
from penstock.core.registration import (
    DatastreamFacts,
    PropertyFacts,
    Registration,
    SensorFacts,
    ThingFacts,
)
from penstock.core.series import ObservationType, Series, Unit

CELSIUS = Unit("degree Celsius", "°C", "http://qudt.org/vocab/unit/DEG_C")


def series(thing: str = "site.boiler", name: str = "temperature", **more: object) -> Series:
    """Return a series with the fields given."""
    return Series(thing=thing, name=name, **more)  # type: ignore[arg-type]


class CatalogContract:
    """The promises of `core.catalog.Catalog`, one test each."""

    @pytest.fixture
    def catalog(self) -> Catalog:
        """Return an empty catalog. To be overridden."""
        raise NotImplementedError

    @staticmethod
    def enrol(
        catalog: Catalog, *given: Series, policy: Policy = Policy.AUTOMATIC, now_us: int = 1_000
    ) -> Sequence[Enrolled]:
        """Enrol with defaults."""
        return catalog.enrol(given, policy, now_us)

    def test_a_feature_that_is_described_twice_is_one(self, catalog: Catalog) -> None:
        point = '{"type":"Point","coordinates":[13.0,47.8]}'
        text = (
            '{"name":"station","description":"on the roof","encodingType":"application/geo+json",'
            f'"feature":{point}}}'
        )
        other = text.replace("roof", "ground")
        nameless = text.replace('"name":"station",', "")
        crooked = text.replace("13.0", '"x"')
        told = [(1, text), (1, other), (1, text), (1, nameless), (1, "[]"), (1, crooked)]
        first, second, *rest = catalog.describe_features(told, 1_000)
        assert 0 < first != second > 0
        assert rest == [first, 0, 0, 0]
        assert list(catalog.describe_features([(1, other), (1, text)], 2_000)) == [second, first]

    def enrol_one(self, catalog: Catalog, given: Series, now_us: int = 1_000) -> DatastreamInfo:
        """Enrol one series and return what the catalog then holds."""
        (answer,) = self.enrol(catalog, given, now_us=now_us)
        assert answer.datastream is not None, answer.reason
        (info,) = catalog.datastreams(ids=[answer.datastream])
        return info

    def test_a_new_series_becomes_a_datastream_with_all_that_it_knows(
        self, catalog: Catalog
    ) -> None:
        info = self.enrol_one(
            catalog,
            series(
                observed_property="air temperature",
                observation_type=ObservationType.COUNT,
                unit=CELSIUS,
                sensor="PT100",
                location=(13.04, 47.8, 424.0),
                thing_properties={"site": 101},
                properties={"range": [0, 100]},
            ),
        )
        assert info == DatastreamInfo(
            id=info.id,
            name="site.boiler.temperature",
            thing="site.boiler",
            thing_id=info.thing_id,
            observed_property="air temperature",
            observation_type=ObservationType.COUNT,
            unit=CELSIUS,
            sensor="PT100",
            location=(13.04, 47.8, 424.0),
            properties={"range": [0, 100]},
            thing_properties={"site": 101},
            retention_s=None,
        )
        assert info.id > 0
        assert info.thing_id > 0

    def test_a_scope_leaves_out_what_is_not_in_it(self, catalog: Catalog) -> None:
        self.enrol(catalog, series("a", "x"), series("a", "y"), series("b", "x"))
        ax, ay, bx = catalog.datastreams()
        for scope, wanted in (
            (EVERYTHING, [ax, ay, bx]),
            (Scope(), []),
            (Scope(systems=frozenset({ax.system})), [ax, ay, bx]),
            (Scope(systems=frozenset({ax.system + 1})), []),
            (Scope(things=frozenset({ax.thing_id})), [ax, ay]),
            (Scope(datastreams=frozenset({ay.id})), [ay]),
            (Scope(things=frozenset({bx.thing_id}), datastreams=frozenset({ax.id})), [ax, bx]),
            (Scope(datastreams=frozenset(range(1, 5000))), [ax, ay, bx]),
        ):
            ids = [info.id for info in wanted]
            assert catalog.datastreams(scope=scope) == wanted
            assert catalog.count_datastreams(scope=scope) == len(wanted)
            assert list(catalog.readable(scope)) == ids
            assert list(catalog.readable(scope, [bx.id, ax.id, 99, -1])) == [
                id_ for id_ in ids if id_ != ay.id
            ]
            assert catalog.datastreams(ids=[ay.id], scope=scope) == [i for i in wanted if i == ay]
            assert [i.name for i in catalog.datastreams("x", scope=scope)] == [
                i.name for i in wanted if i.name.endswith("x")
            ]

    def test_the_observed_property_is_the_name_when_not_known(self, catalog: Catalog) -> None:
        assert self.enrol_one(catalog, series()).observed_property == "temperature"

    def test_enrolling_again_gives_the_same_datastream(self, catalog: Catalog) -> None:
        first = self.enrol(catalog, series(), series(name="pressure"))
        again = self.enrol(catalog, series(name="pressure"), series(), now_us=9_000)
        assert [a.datastream for a in again] == [a.datastream for a in first][::-1]
        assert catalog.count_datastreams() == 2

    def test_a_series_twice_in_a_batch_is_one_datastream(self, catalog: Catalog) -> None:
        first, second = self.enrol(catalog, series(), series(unit=CELSIUS))
        assert first == second
        assert catalog.datastreams()[0].unit == CELSIUS

    def test_the_observation_type_is_that_of_the_first_sight(self, catalog: Catalog) -> None:
        self.enrol(catalog, series(observation_type=ObservationType.CATEGORY))
        info = self.enrol_one(catalog, series(observation_type=ObservationType.TRUTH))
        assert info.observation_type is ObservationType.CATEGORY

    def test_what_a_series_does_not_know_stays(self, catalog: Catalog) -> None:
        full = series(
            unit=CELSIUS,
            sensor="PT100",
            location=(1.0, 2.0),
            properties={"a": 1},
            thing_properties={"b": 2},
        )
        assert self.enrol_one(catalog, full) == self.enrol_one(catalog, series())

    def test_properties_are_merged_and_the_newer_value_counts(self, catalog: Catalog) -> None:
        self.enrol(catalog, series(properties={"a": 1, "b": 1}, thing_properties={"x": 1}))
        info = self.enrol_one(
            catalog, series(properties={"b": 2}, thing_properties={"y": {"z": None}})
        )
        assert info.properties == {"a": 1, "b": 2}
        assert info.thing_properties == {"x": 1, "y": {"z": None}}

    def test_a_unit_is_completed_but_never_mixed_with_another(self, catalog: Catalog) -> None:
        self.enrol(catalog, series(unit=Unit(symbol="°C")))
        assert self.enrol_one(catalog, series(unit=CELSIUS)).unit == CELSIUS
        assert self.enrol_one(catalog, series(unit=Unit(symbol="K"))).unit == Unit(symbol="K")

    def test_a_later_location_replaces_and_an_earlier_does_not(self, catalog: Catalog) -> None:
        self.enrol(catalog, series(location=(1.0, 1.0), located_us=100))
        late = self.enrol_one(catalog, series(location=(2.0, 2.0), located_us=50))
        assert late.location == (1.0, 1.0)
        moved = self.enrol_one(catalog, series(location=(3.0, 3.0)), now_us=1_000)
        assert moved.location == (3.0, 3.0)

    def test_the_location_of_a_thing_shows_in_all_its_datastreams(self, catalog: Catalog) -> None:
        self.enrol(catalog, series(), series(name="pressure", location=(1.0, 2.0)))
        assert {info.location for info in catalog.datastreams()} == {(1.0, 2.0)}

    @pytest.mark.parametrize(
        "wrong",
        [
            series(thing=""),
            series(name=""),
            series(thing="x" * 256),
            series(name="x" * 256),
            series(name="a\0b"),
            series(name="\ud800"),
            series(location=(181.0, 0.0)),
            series(location=(0.0, float("nan"))),
            series(location=(0.0,)),
        ],
    )
    def test_a_wrong_series_is_refused_and_the_others_are_not(
        self, catalog: Catalog, wrong: Series
    ) -> None:
        bad, good = self.enrol(catalog, wrong, series(thing="other"))
        assert bad.datastream is None
        assert bad.reason
        assert good.datastream is not None
        assert [d.name for d in catalog.devices()] == ["other"]

    def test_names_that_look_alike_when_joined_are_different_datastreams(
        self, catalog: Catalog
    ) -> None:
        answers = self.enrol(catalog, series("a", "b.c"), series("a.b", "c"))
        again = self.enrol(catalog, series("a.b", "c"), series("a", "b.c"))
        assert answers[0] != answers[1]
        assert list(again) == list(answers)[::-1]
        assert len({info.name for info in catalog.datastreams()}) == 2

    def test_a_datastream_is_found_by_its_id(self, catalog: Catalog) -> None:
        held = self.enrol_one(catalog, series())
        found, missing = self.enrol(
            catalog,
            Series(datastream_id=held.id, unit=CELSIUS),
            Series(datastream_id=held.id + 1),
            policy=Policy.CLOSED,
        )
        assert found == Enrolled(held.id)
        assert missing.datastream is None
        assert str(held.id + 1) in missing.reason
        assert catalog.datastreams()[0].unit == CELSIUS

    @pytest.mark.parametrize("impossible", [0, -1, 2**63, 10**30])
    def test_an_impossible_id_is_unknown(self, catalog: Catalog, impossible: int) -> None:
        (answer,) = self.enrol(catalog, Series(datastream_id=impossible))
        assert answer.datastream is None

    def test_with_approval_an_unknown_device_waits_until_approved(self, catalog: Catalog) -> None:
        (answer,) = self.enrol(catalog, series(), policy=Policy.APPROVAL, now_us=5)
        assert answer.datastream is None
        assert "site.boiler" in answer.reason
        (device,) = catalog.devices(DeviceStatus.PENDING)
        assert (device.name, device.first_seen_us, device.thing_id) == ("site.boiler", 5, None)
        assert catalog.count_datastreams() == 0

        catalog.decide("site.boiler", DeviceStatus.ENROLLED)
        (answer,) = self.enrol(catalog, series(), policy=Policy.APPROVAL, now_us=6)
        assert answer.datastream is not None
        (device,) = catalog.devices()
        assert (device.status, device.first_seen_us) == (DeviceStatus.ENROLLED, 5)
        assert device.thing_id == catalog.datastreams()[0].thing_id

    def test_when_closed_only_known_devices_get_new_datastreams(self, catalog: Catalog) -> None:
        self.enrol(catalog, series())
        known, unknown = self.enrol(
            catalog, series(name="pressure"), series(thing="stranger"), policy=Policy.CLOSED
        )
        assert known.datastream is not None
        assert unknown.datastream is None
        assert "stranger" in unknown.reason
        assert catalog.count_datastreams() == 2

    @pytest.mark.parametrize("policy", list(Policy))
    def test_a_refused_device_is_refused_under_every_policy(
        self, catalog: Catalog, policy: Policy
    ) -> None:
        held = self.enrol_one(catalog, series())
        catalog.decide("site.boiler", DeviceStatus.REFUSED)
        by_name, by_id = self.enrol(catalog, series(), Series(datastream_id=held.id), policy=policy)
        assert by_name.datastream is None
        assert by_id.datastream is None
        assert "refused" in by_name.reason
        catalog.decide("site.boiler", DeviceStatus.ENROLLED)
        assert self.enrol_one(catalog, series()) == held

    def test_a_waiting_device_is_enrolled_once_the_policy_is_automatic(
        self, catalog: Catalog
    ) -> None:
        self.enrol(catalog, series(), policy=Policy.APPROVAL)
        assert self.enrol_one(catalog, series()).thing == "site.boiler"
        assert catalog.devices(DeviceStatus.PENDING) == []

    def test_nobody_can_decide_about_a_device_never_seen(self, catalog: Catalog) -> None:
        with pytest.raises(NotFound, match="ghost"):
            catalog.decide("ghost", DeviceStatus.ENROLLED)

    def test_devices_are_listed_by_name(self, catalog: Catalog) -> None:
        self.enrol(catalog, series("b"), series("a"))
        self.enrol(catalog, series("aa"), policy=Policy.APPROVAL)
        assert [d.name for d in catalog.devices()] == ["a", "aa", "b"]
        assert [d.name for d in catalog.devices(DeviceStatus.ENROLLED)] == ["a", "b"]

    @pytest.mark.parametrize(
        ("search", "found"),
        [
            ("", ["A.temp", "A.wind", "B.temp"]),
            ("TEMP", ["A.temp", "B.temp"]),
            ("a. temp", ["A.temp"]),
            ("celsius", ["A.temp"]),
            ("°c", ["A.temp"]),
            ("speed", ["A.wind"]),
            ("NORD", ["A.temp", "A.wind"]),
            ("nord speed", ["A.wind"]),
            ("site 101", ["A.temp", "A.wind"]),
            ("straße", ["B.temp"]),
            ("STRASSE", ["B.temp"]),
            ("rooftop", ["B.temp"]),
            ("%", []),
            ("t_mp", []),
            ("temp nothing", []),
        ],
    )
    def test_search_finds_words_in_names_property_unit_and_properties(
        self, catalog: Catalog, search: str, found: list[str]
    ) -> None:
        region = {"site": 101, "region": "Nord"}
        self.enrol(
            catalog,
            series("A", "temp", unit=CELSIUS, thing_properties=region),
            series("A", "wind", observed_property="Speed"),
            series("B", "temp", properties={"at": ["Straße", {"level": "Rooftop"}]}),
        )
        assert [info.name for info in catalog.datastreams(search)] == found
        assert catalog.count_datastreams(search) == len(found)

    def test_search_follows_what_is_learnt_later(self, catalog: Catalog) -> None:
        self.enrol(catalog, series("A", "x"), series("A", "y"))
        self.enrol(catalog, series("A", "x", unit=CELSIUS))
        self.enrol(catalog, series("A", "x", thing_properties={"k": "new"}))
        assert catalog.count_datastreams("celsius") == 1
        assert catalog.count_datastreams("new") == 2

    def test_pages_put_together_are_the_whole(self, catalog: Catalog) -> None:
        self.enrol(catalog, *(series(f"thing{n % 3}", f"s{n}") for n in range(25)))
        whole = catalog.datastreams(limit=1_000)
        pages: list[DatastreamInfo] = []
        while page := catalog.datastreams(after=pages[-1].id if pages else 0, limit=7):
            assert len(page) <= 7
            pages.extend(page)
        assert pages == list(whole)
        assert [info.id for info in whole] == sorted({info.id for info in whole})

    def test_datastreams_are_chosen_by_thing_and_by_ids(self, catalog: Catalog) -> None:
        answers = self.enrol(catalog, series("A", "x"), series("B", "x"), series("A", "y"))
        ids = [answer.datastream or 0 for answer in answers]
        assert [info.name for info in catalog.datastreams(thing="A")] == ["A.x", "A.y"]
        assert [i.id for i in catalog.datastreams(ids=[ids[2], ids[0], 10**30])] == [ids[0], ids[2]]
        assert [i.id for i in catalog.datastreams(ids=ids, after=ids[0], limit=1)] == [ids[1]]
        assert catalog.datastreams(ids=[]) == []
        assert catalog.datastreams(thing="C") == []

    def test_retention_is_kept_per_datastream(self, catalog: Catalog) -> None:
        info = self.enrol_one(catalog, series())
        assert catalog.retentions() == {}
        catalog.set_retention(info.id, 3600.5)
        assert catalog.retentions() == {info.id: 3600.5}
        assert catalog.datastreams()[0].retention_s == 3600.5
        catalog.set_retention(info.id, None)
        assert catalog.retentions() == {}

    @pytest.mark.parametrize("wrong", [0, -1, float("nan"), float("inf")])
    def test_a_retention_that_is_no_age_is_refused(self, catalog: Catalog, wrong: float) -> None:
        info = self.enrol_one(catalog, series())
        with pytest.raises(InvalidInput):
            catalog.set_retention(info.id, wrong)

    @pytest.mark.parametrize("missing", [77, -1, 2**63])
    def test_retention_of_a_missing_datastream_is_refused(
        self, catalog: Catalog, missing: int
    ) -> None:
        with pytest.raises(NotFound):
            catalog.set_retention(missing, 1.0)

    def test_thousands_enrol_in_one_batch(self, catalog: Catalog) -> None:
        many = [series(f"thing{n % 700}", f"s{n}") for n in range(5_000)]
        answers = self.enrol(catalog, *many)
        assert len({answer.datastream for answer in answers}) == 5_000
        assert self.enrol(catalog, *many[::-1]) == list(answers)[::-1]

    def test_closing_twice_is_harmless(self, catalog: Catalog) -> None:
        catalog.close()
        catalog.close()

    def test_registration_creates_what_it_names_and_is_idempotent(self, catalog: Catalog) -> None:
        wanted = Registration(
            things=[ThingFacts(name="car", properties={"owner": "sue"}, location=(13.0, 47.8))],
            sensors=[SensorFacts(name="PT100", metadata="https://example.com/pt100.pdf")],
            observed_properties=[PropertyFacts(name="air temperature", definition="urn:at")],
            datastreams=[
                DatastreamFacts(
                    series=series("car", unit=CELSIUS, sensor="PT100", observed_property="air"),
                    description="inside",
                )
            ],
        )
        ids = catalog.register(wanted, 1_000)
        assert catalog.register(wanted, 2_000) == ids
        (info,) = catalog.datastreams(ids=ids)
        assert (info.name, info.unit, info.sensor) == ("car.temperature", CELSIUS, "PT100")
        assert (info.location, info.thing_properties) == ((13.0, 47.8), {"owner": "sue"})
        assert [device.status for device in catalog.devices()] == [DeviceStatus.ENROLLED]
        assert catalog.count_datastreams("sue") == 1

    def test_registration_changes_the_kind_of_result_and_keeps_the_id(
        self, catalog: Catalog
    ) -> None:
        first = self.enrol_one(catalog, series())
        changed = series(observation_type=ObservationType.CATEGORY)
        ids = catalog.register(Registration(datastreams=[DatastreamFacts(series=changed)]), 2_000)
        assert ids == [first.id]
        (info,) = catalog.datastreams(ids=ids)
        assert info.observation_type is ObservationType.CATEGORY

    def test_registration_lets_in_a_device_that_waits_but_not_one_that_was_refused(
        self, catalog: Catalog
    ) -> None:
        self.enrol(catalog, series(), series("other"), policy=Policy.APPROVAL)
        catalog.decide("other", DeviceStatus.REFUSED)
        assert catalog.register(Registration(datastreams=[DatastreamFacts(series=series())]), 5)
        refused = DatastreamFacts(series=series("other"))
        fine = ThingFacts(name="fine")
        with pytest.raises(Forbidden, match="refused"):
            catalog.register(Registration(things=[fine], datastreams=[refused]), 6)
        assert "fine" not in {device.name for device in catalog.devices()}

    def test_registration_of_what_cannot_be_kept_leaves_nothing_behind(
        self, catalog: Catalog
    ) -> None:
        for wrong in (
            Registration(things=[ThingFacts(name="fine"), ThingFacts(name="x" * 256)]),
            Registration(things=[ThingFacts(name="fine", location=(500.0, 0.0))]),
            Registration(things=[ThingFacts(name="fine")], sensors=[SensorFacts(name="")]),
        ):
            with pytest.raises(InvalidInput):
                catalog.register(wrong, 1_000)
        assert not catalog.devices()
