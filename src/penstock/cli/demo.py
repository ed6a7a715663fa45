"""`penstock demo`: the platform and a gentle mix of simulated sensors."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from penstock.cli.up import ConfigFile, DataDir, Http, Mqtt, overrides, run_platform


def demo(
    data_dir: DataDir = None,
    http: Http = None,
    mqtt: Mqtt = None,
    config: ConfigFile = None,
    *,
    organisation: Annotated[
        bool,
        typer.Option(
            "--organisation",
            help="With a sample organisation: three companies that share, and accounts.",
        ),
    ] = False,
) -> None:
    """Run the platform with demo data flowing: open the address that it prints."""
    settings = overrides(data_dir, http, mqtt)
    if organisation:
        _make_organisation(settings, config)
    _make_apps(settings, config)
    companion = ["-m", "penstock.simulators.demo", "--broker", "{mqtt}"]
    run_platform(settings, config, then=companion)


def _make_apps(settings: dict[str, object], file: Path | None) -> None:
    """Make the stream apps of the demo, stopped, where there are none."""
    from penstock.runtime import config
    from penstock.runtime.demo_apps import make_demo_apps

    make_demo_apps(config.load(file, overrides=settings))


def _make_organisation(settings: dict[str, object], file: Path | None) -> None:
    from penstock.core.errors import Conflict
    from penstock.core.passwords import Passwords
    from penstock.runtime import config
    from penstock.runtime.demo_organisation import PASSWORD, load_demo_organisation
    from penstock.runtime.people import identities_at_rest

    passwords = Passwords()
    try:
        with identities_at_rest(config.load(file, overrides=settings)) as identities:
            users = identities.organisation().users
            made = None if users else load_demo_organisation(identities, passwords)
            users = identities.organisation().users
    finally:
        passwords.close()
    if made is None and not any(user.name.startswith("sue.smith@") for user in users):
        msg = (
            "there are users already in this data folder, who are not the sample's; name an empty "
            "folder with --data-dir"
        )
        raise Conflict(msg)
    names = ", ".join(user.name for user in users)
    sys.stderr.write(f"Sign in as {names}; the password of all is {PASSWORD}.\n")
