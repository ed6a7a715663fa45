"""`penstock demo`: the platform and a gentle mix of simulated sensors."""

from __future__ import annotations

from penstock.cli.up import ConfigFile, DataDir, Http, Mqtt, overrides, run_platform


def demo(
    data_dir: DataDir = None, http: Http = None, mqtt: Mqtt = None, config: ConfigFile = None
) -> None:
    """Run the platform with demo data flowing: open the address that it prints."""
    companion = ["-m", "penstock.simulators.demo", "--broker", "{mqtt}"]
    run_platform(overrides(data_dir, http, mqtt), config, then=companion)
