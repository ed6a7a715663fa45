"""A command from the page to a simulated sensor, through the whole platform and back."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.browser.waiting import PATIENCE_S
from tests.integration.conftest import Running

pytestmark = pytest.mark.browser


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Running]:
    """A platform to which the simulated sensors send."""
    running = Running(tmp_path / "data")
    host, port = running.mqtt
    command = [sys.executable, "-m", "penstock.cli.main", "simulate", "accelerometer"]
    command += ["--broker", f"{host}:{port}", "--rate", "20", "--json"]
    simulation = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield running
    simulation.terminate()
    simulation.wait(PATIENCE_S)
    running.stop()


def test_a_simulated_sensor_obeys_the_page(platform: Running, browser: Any) -> None:
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_S * 1000)
    page.goto(f"{platform.http}/#view=devices")
    page.get_by_role("link", name="AAD-1123").click()
    form = page.get_by_role("form", name="Command change_sample_frequency")
    form.get_by_label("Sample frequency, Hz").fill("40")
    form.get_by_role("button").click()
    page.locator(".task[data-state=done]").wait_for()
    page.get_by_role("list", name="Lines").get_by_text("changed to 40 Hz").wait_for()
    page.locator(".facts").get_by_text("40 Hz").wait_for()
    page.close()
