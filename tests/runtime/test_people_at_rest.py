"""Accounts without the platform running, the picture for the door, and the demo organisation."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import msgspec
import pytest
from tests.catalog.template import fast_passwords

from penstock.api.settings import ApiSettings
from penstock.catalog import SqlCatalog
from penstock.core.access import PLATFORM, Access, Action, Kind, Principal, Resource
from penstock.core.clock import ManualClock
from penstock.core.errors import ConfigError, Conflict, Corrupt, DiskFull, InvalidInput
from penstock.core.organisation import Organisation, User
from penstock.core.people import Actor, NewCompany, NewUser
from penstock.runtime.access_file import access_file, read_access, write_access
from penstock.runtime.config import Config
from penstock.runtime.data_dir import lock
from penstock.runtime.demo_organisation import PASSWORD, load_demo_organisation
from penstock.runtime.people import add_user_at_rest, identities_at_rest, open_identities


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(data_dir=str(tmp_path / "data"))


def test_the_first_user_is_made_while_the_platform_does_not_run(config: Config) -> None:
    new = NewUser(name="root", password="long enough", administrator=True)
    user = add_user_at_rest(config, new)
    assert user.administrator
    picture = read_access(access_file(config.data_path))
    assert picture.accounts
    assert [held.name for held in picture.users] == ["root"]
    with pytest.raises(Conflict, match="already"):
        add_user_at_rest(config, new)


def test_a_platform_that_runs_is_asked_by_its_api_instead(config: Config) -> None:
    held = lock(config.data_path)
    try:
        with pytest.raises(Conflict):
            add_user_at_rest(config, NewUser(name="root", password="long enough"))
    finally:
        os.close(held)


def test_a_new_data_directory_is_for_its_owner_only(tmp_path: Path) -> None:
    os.close(lock(tmp_path / "new" / "data"))
    assert stat.S_IMODE((tmp_path / "new" / "data").stat().st_mode) == 0o700


def test_the_name_of_a_removed_company_goes_to_nobody_else(config: Config) -> None:
    config.data_path.mkdir(parents=True)
    catalog = SqlCatalog.open(config.data_path / "catalog.sqlite")
    identities = open_identities(config, catalog, ManualClock(), fast_passwords())
    root = Actor(PLATFORM)
    sue, eve = (
        Actor(
            Principal(
                Kind.USER, identities.users.add(root, NewUser(name=name, password="long enough")).id
            )
        )
        for name in ("sue", "eve")
    )
    made = identities.companies.add(sue, NewCompany(name="at.acme"))
    identities.companies.remove(sue, made.id)
    with pytest.raises(Conflict, match="was another company's"):
        identities.companies.add(eve, NewCompany(name="at.ACME"))
    assert identities.companies.add(root, NewCompany(name="at.acme")).name == "at.acme"
    catalog.close()


def test_listening_to_others_without_a_user_is_refused_with_what_to_do(config: Config) -> None:
    config.data_path.mkdir(parents=True)
    remote = Config(data_dir=config.data_dir, api=ApiSettings(host="0.0.0.0"))
    catalog = SqlCatalog.open(config.data_path / "catalog.sqlite")
    passwords = fast_passwords()
    with pytest.raises(ConfigError, match="penstock users add"):
        open_identities(remote, catalog, ManualClock(), passwords)
    open_identities(config, catalog, ManualClock(), passwords).users.add(
        Actor(PLATFORM), NewUser(name="root", password="long enough")
    )
    assert open_identities(remote, catalog, ManualClock(), passwords).organisation().accounts
    catalog.close()


def test_the_picture_is_for_its_owner_only_and_reads_back(tmp_path: Path) -> None:
    file = access_file(tmp_path)
    assert read_access(file) == Organisation()
    picture = Organisation(accounts=True, version=7, users=[User(id=1, name="root")])
    write_access(file, picture)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert msgspec.json.encode(read_access(file)) == msgspec.json.encode(picture)
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    file.write_text("{")
    with pytest.raises(Corrupt):
        read_access(file)


def test_a_change_that_the_door_cannot_be_told_of_is_not_made(config: Config) -> None:
    with identities_at_rest(config) as people:
        people.users.add(Actor(PLATFORM), NewUser(name="root", password="long enough"))
        file = access_file(config.data_path)
        before = file.read_bytes()
        # A folder in the way of the new file: writing fails as on a full disk.
        blocked = file.with_suffix(".new")
        blocked.mkdir()
        with pytest.raises(DiskFull, match="nothing was changed"):
            people.users.add(Actor(PLATFORM), NewUser(name="sue", password="long enough"))
        assert [user.name for user in people.users.list(Actor(PLATFORM))] == ["root"]
        assert file.read_bytes() == before
        blocked.rmdir()
        people.users.add(Actor(PLATFORM), NewUser(name="sue", password="long enough"))
        assert len(read_access(file).users) == 2


def test_the_picture_is_written_anew_when_the_platform_starts(config: Config) -> None:
    add_user_at_rest(config, NewUser(name="root", password="long enough"))
    file = access_file(config.data_path)
    held = read_access(file)
    file.unlink()
    with identities_at_rest(config):
        assert read_access(file) == held


def test_the_demo_organisation_is_that_of_the_digital_twin_stack(config: Config) -> None:
    passwords = fast_passwords()
    with identities_at_rest(config) as people:
        demo = load_demo_organisation(people, passwords)
        access = people.access()
        assert len(demo.keys) == 6
        ids = {system.name: system.id for system in access.organisation.systems}
        car, other = (ids[f"cz.icecars.iot4cps-wp5-CarFleet.Car{n}"] for n in (1, 2))
        stations = ids["is.iceland.iot4cps-wp5-WeatherService.Stations"]
        who = access.holder(demo.keys["cz.icecars.iot4cps-wp5-CarFleet.Car1/car_1"])
        assert who is not None
        assert access.scope(who).systems == {car, stations}
        user = access.user("peter.novak@example.com")
        assert user is not None
        assert passwords.check(user.password_hash, PASSWORD).result()
        peter = Principal(Kind.USER, user.id)
        assert access.scope(peter).systems == {car, other, stations}
        assert not access.allows(peter, Action.MANAGE, Resource("platform"))
        analyst = access.holder(
            demo.keys["at.datahouse.iot4cps-wp5-Analytics.RoadAnalytics/road_analytics"]
        )
        assert analyst is not None
        assert {car, other, stations} <= access.scope(analyst).systems
        assert sum(user.administrator for user in access.organisation.users) == 1
        with pytest.raises(Conflict, match="already"):
            load_demo_organisation(people, passwords)


def test_a_short_password_is_for_the_demonstration_only(config: Config) -> None:
    with pytest.raises(InvalidInput):
        add_user_at_rest(config, NewUser(name="root", password=PASSWORD))
    assert not Access(read_access(access_file(config.data_path)), ManualClock()).organisation.users
