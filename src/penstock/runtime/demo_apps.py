"""Stream apps to look at in a demo, over what its simulators send."""

from __future__ import annotations

from penstock.catalog.apps.records import SqlApps
from penstock.core.apps import KeptApp
from penstock.core.clock import SystemClock
from penstock.core.organisation import DEFAULT_SYSTEM
from penstock.runtime.catalog import open_catalog
from penstock.runtime.config import Config
from penstock.sql.apps.app_text import parse_apps
from penstock.sql.apps.checking import checked

TEXT = """\
-- app: demo-means
-- description: Means of ten seconds of every sensor of the factory
-- lateness: 2 s

SELECT window_start, window_end, name, AVG(result) AS mean
FROM TABLE(TUMBLE(TABLE "site-101/*", DESCRIPTOR(time), INTERVAL '10' SECOND))
GROUP BY window_start, window_end, name

-- app: demo-vibration
-- description: Root mean square and peak of each accelerometer, a second at a time
-- lateness: 1 s

SELECT window_start, window_end, thing, SQRT(AVG(result * result)) AS rms, MAX(ABS(result)) AS peak
FROM TABLE(TUMBLE(TABLE "*.acceleration", DESCRIPTOR(time), INTERVAL '1' SECOND))
GROUP BY window_start, window_end, thing
"""


def make_demo_apps(config: Config) -> None:
    """Make them, stopped, in a data folder that has no apps; the platform must not run."""
    config.data_path.mkdir(parents=True, exist_ok=True)
    catalog = open_catalog(config)
    try:
        records = SqlApps(catalog.database)
        if records.apps():
            return
        now_us = SystemClock().now_us()
        for spec in parse_apps(TEXT):
            records.add(
                KeptApp(system=DEFAULT_SYSTEM, spec=checked(spec), by="demo", changed_us=now_us)
            )
    finally:
        catalog.close()
