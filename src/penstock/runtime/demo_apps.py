"""Stream apps to look at in a demo, over what its simulators send."""

from __future__ import annotations

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
