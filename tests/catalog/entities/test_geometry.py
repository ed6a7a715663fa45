"""Geometries are remembered, and only as many as there is room for."""

from __future__ import annotations

from penstock.catalog.entities import geometry


def ring(corners: int, x: int = 0) -> str:
    """Return a polygon along the diagonal and back."""
    ways = [(x, 0), *((x + n, n) for n in range(1, corners)), (x, corners), (x, 0)]
    return "POLYGON ((" + ", ".join(f"{a} {b}" for a, b in ways) + "))"


def test_a_short_geometry_is_read_once() -> None:
    text = ring(8)
    assert geometry.read_geometry(text) is geometry.read_geometry(text)


def test_of_long_geometries_only_the_last_few_are_held() -> None:
    filter_, *others = (ring(2000, x) for x in range(30))
    assert len(filter_) > geometry.SHORT
    before = geometry._of_short.cache_info().currsize
    first = geometry.read_geometry(filter_)
    for other in others:
        assert geometry.relation("intersects", other, filter_) is True
    assert geometry.read_geometry(filter_) is first
    assert geometry._of_short.cache_info().currsize == before
    assert geometry._of_long.cache_info().currsize <= 4
    assert geometry.read_geometry("POINT (" + "1" * geometry.SHORT) is None
