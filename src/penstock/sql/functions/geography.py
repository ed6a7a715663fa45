"""Distances on the earth."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.sql.functions.making import merged
from penstock.sql.signature import Function, Kind, Value

#: Mean radius R1 of the WGS 84 ellipsoid in metres, (2a + b) / 3, as of Moritz, Geodetic Reference
#: System 1980, Journal of Geodesy 74 (2000). System 5's demo calculates with 6,378,388 m.
EARTH_RADIUS_M = 6371008.8


def _distance(values: Sequence[Value]) -> Value:
    lat1, lon1, lat2, lon2 = (f"({value.sql})" for value in values)
    # Half the chord, squared. At antipodes rounding may make it more than 1: ABS keeps the root
    # real there, and unlike LEAST it keeps NULL.
    half = (
        f"(pow(sin(radians({lat2} - {lat1}) / 2), 2)"
        f" + cos(radians({lat1})) * cos(radians({lat2}))"
        f" * pow(sin(radians({lon2} - {lon1}) / 2), 2))"
    )
    sql = (
        f"CASE WHEN {lat1} BETWEEN -90 AND 90 AND {lat2} BETWEEN -90 AND 90"
        f" AND {lon1} BETWEEN -360 AND 360 AND {lon2} BETWEEN -360 AND 360"
        f" THEN {2 * EARTH_RADIUS_M!r}::DOUBLE * atan2(sqrt({half}), sqrt(abs(1 - {half}))) END"
    )
    return merged(values, f"({sql})", Kind.NUMBER, "m")


FUNCTIONS = {
    "GEO_DISTANCE": Function(
        takes=(Kind.NUMBER,) * 4,
        gives=Kind.NUMBER,
        sql=_distance,
        example="GEO_DISTANCE(a.latitude, a.longitude, b.latitude, b.longitude)",
    ),
}
