"""Which observations and Datastreams a condition on a time finds: a table.

`OBSERVATIONS` in `test_dates.py` are numbered from 0. The cases are those that FROST-Server's own
tests check, so that both answer alike.
"""

from __future__ import annotations

from typing import NamedTuple


class ObservationCase(NamedTuple):
    """A condition on a property, and the observations found.

    Attributes:
        behaviour: Name of the behaviour.
        condition: With `{time}` and `{value}`.
        found: For the instant 07:00 with resultTime, validTime, phenomenonTime, then for the
            interval from 07:00 to 08:00 with the same.
    """

    behaviour: str
    condition: str
    found: tuple[tuple[int, ...], ...]


class DatastreamCase(NamedTuple):
    """A condition on phenomenonTime and resultTime of a Datastream, and whether it holds.

    Attributes:
        behaviour: Name of the behaviour.
        condition: With `{time}` and `{value}`.
        holds: For each of `test_dates.DATASTREAM_TIMES`, `1` or `0`; `-` when it is not asked.
    """

    behaviour: str
    condition: str
    holds: str


OBSERVATION_CASES = (
    ObservationCase(
        "test01Lt",
        "{time} lt {value}",
        (
            (0, 1, 21, 23),
            (8, 9, 23),
            (0, 1, 8, 9, 21, 23),
            (0, 1, 21, 23),
            (8, 9, 23),
            (0, 1, 8, 9, 21, 23),
        ),
    ),
    ObservationCase(
        "test01Lt",
        "{value} lt {time}",
        (
            (3, 4, 5, 6, 7, 22, 24),
            (12, 13, 14, 15, 20, 24),
            (3, 4, 5, 6, 7, 12, 13, 14, 15, 20, 22, 24),
            (5, 6, 7, 22, 24),
            (14, 15, 24),
            (5, 6, 7, 14, 15, 22, 24),
        ),
    ),
    ObservationCase(
        "test02Gt",
        "{time} gt {value}",
        (
            (3, 4, 5, 6, 7, 22, 24),
            (12, 13, 14, 15, 20, 24),
            (3, 4, 5, 6, 7, 12, 13, 14, 15, 20, 22, 24),
            (5, 6, 7, 22, 24),
            (14, 15, 24),
            (5, 6, 7, 14, 15, 22, 24),
        ),
    ),
    ObservationCase(
        "test02Gt",
        "{value} gt {time}",
        (
            (0, 1, 21, 23),
            (8, 9, 23),
            (0, 1, 8, 9, 21, 23),
            (0, 1, 21, 23),
            (8, 9, 23),
            (0, 1, 8, 9, 21, 23),
        ),
    ),
    ObservationCase(
        "test03Le",
        "{time} le {value}",
        (
            (0, 1, 2, 21, 23),
            (8, 9, 23),
            (0, 1, 2, 8, 9, 21, 23),
            (0, 1, 2, 21, 23),
            (8, 9, 10, 11, 17, 19, 23),
            (0, 1, 2, 8, 9, 10, 11, 17, 19, 21, 23),
        ),
    ),
    ObservationCase(
        "test03Le",
        "{value} le {time}",
        (
            (2, 3, 4, 5, 6, 7, 22, 24),
            (11, 12, 13, 14, 15, 17, 18, 20, 24),
            (2, 3, 4, 5, 6, 7, 11, 12, 13, 14, 15, 17, 18, 20, 22, 24),
            (5, 6, 7, 22, 24),
            (11, 13, 14, 15, 18, 20, 24),
            (5, 6, 7, 11, 13, 14, 15, 18, 20, 22, 24),
        ),
    ),
    ObservationCase(
        "test04Ge",
        "{time} ge {value}",
        (
            (2, 3, 4, 5, 6, 7, 22, 24),
            (11, 12, 13, 14, 15, 17, 18, 20, 24),
            (2, 3, 4, 5, 6, 7, 11, 12, 13, 14, 15, 17, 18, 20, 22, 24),
            (5, 6, 7, 22, 24),
            (11, 13, 14, 15, 18, 20, 24),
            (5, 6, 7, 11, 13, 14, 15, 18, 20, 22, 24),
        ),
    ),
    ObservationCase(
        "test04Ge",
        "{value} ge {time}",
        (
            (0, 1, 2, 21, 23),
            (8, 9, 23),
            (0, 1, 2, 8, 9, 21, 23),
            (0, 1, 2, 21, 23),
            (8, 9, 10, 11, 17, 19, 23),
            (0, 1, 2, 8, 9, 10, 11, 17, 19, 21, 23),
        ),
    ),
    ObservationCase("test05Eq", "{time} eq {value}", ((2,), (), (2,), (), (11,), (11,))),
    ObservationCase("test05Eq", "{value} eq {time}", ((2,), (), (2,), (), (11,), (11,))),
    ObservationCase(
        "test06Before",
        "before({time},{value})",
        (
            (0, 1, 21, 23),
            (8, 9, 23),
            (0, 1, 8, 9, 21, 23),
            (0, 1, 21, 23),
            (8, 9, 23),
            (0, 1, 8, 9, 21, 23),
        ),
    ),
    ObservationCase(
        "test06Before",
        "before({value},{time})",
        (
            (3, 4, 5, 6, 7, 22, 24),
            (12, 13, 14, 15, 20, 24),
            (3, 4, 5, 6, 7, 12, 13, 14, 15, 20, 22, 24),
            (5, 6, 7, 22, 24),
            (14, 15, 24),
            (5, 6, 7, 14, 15, 22, 24),
        ),
    ),
    ObservationCase(
        "test07After",
        "after({time},{value})",
        (
            (3, 4, 5, 6, 7, 22, 24),
            (12, 13, 14, 15, 20, 24),
            (3, 4, 5, 6, 7, 12, 13, 14, 15, 20, 22, 24),
            (5, 6, 7, 22, 24),
            (14, 15, 24),
            (5, 6, 7, 14, 15, 22, 24),
        ),
    ),
    ObservationCase(
        "test07After",
        "after({value},{time})",
        (
            (0, 1, 21, 23),
            (8, 9, 23),
            (0, 1, 8, 9, 21, 23),
            (0, 1, 21, 23),
            (8, 9, 23),
            (0, 1, 8, 9, 21, 23),
        ),
    ),
    ObservationCase(
        "test08Meets",
        "meets({time},{value})",
        ((2,), (9, 11, 17, 18), (2, 9, 11, 17, 18), (2, 5), (9, 14), (2, 5, 9, 14)),
    ),
    ObservationCase(
        "test08Meets",
        "meets({value},{time})",
        ((2,), (9, 11, 17, 18), (2, 9, 11, 17, 18), (2, 5), (9, 14), (2, 5, 9, 14)),
    ),
    ObservationCase(
        "test10Overlaps",
        "overlaps({time},{value})",
        (
            (2,),
            (10, 11, 16, 17, 18, 19),
            (2, 10, 11, 16, 17, 18, 19),
            (2, 3, 4),
            (10, 11, 12, 13, 16, 17, 18, 19, 20),
            (2, 3, 4, 10, 11, 12, 13, 16, 17, 18, 19, 20),
        ),
    ),
    ObservationCase(
        "test10Overlaps",
        "overlaps({value},{time})",
        (
            (2,),
            (10, 11, 16, 17, 18, 19),
            (2, 10, 11, 16, 17, 18, 19),
            (2, 3, 4),
            (10, 11, 12, 13, 16, 17, 18, 19, 20),
            (2, 3, 4, 10, 11, 12, 13, 16, 17, 18, 19, 20),
        ),
    ),
    ObservationCase(
        "test11Starts",
        "starts({time},{value})",
        ((2,), (11, 17, 18), (2, 11, 17, 18), (2,), (11, 17, 18), (2, 11, 17, 18)),
    ),
    ObservationCase(
        "test11Starts",
        "starts({value},{time})",
        ((2,), (11, 17, 18), (2, 11, 17, 18), (2,), (11, 17, 18), (2, 11, 17, 18)),
    ),
    ObservationCase(
        "test12Finishes",
        "finishes({time},{value})",
        ((2,), (9,), (2, 9), (5,), (11, 19, 20), (5, 11, 19, 20)),
    ),
    ObservationCase(
        "test12Finishes",
        "finishes({value},{time})",
        ((2,), (9,), (2, 9), (5,), (11, 19, 20), (5, 11, 19, 20)),
    ),
)

DATASTREAM_CASES = (
    DatastreamCase("test01Lt", "{time} lt {value}", "000110000001"),
    DatastreamCase("test02Gt", "{time} gt {value}", "100000100000"),
    DatastreamCase("test03Le", "{time} le {value}", "000110000111"),
    DatastreamCase("test04Ge", "{time} ge {value}", "110000110100"),
    DatastreamCase("test05Eq", "{time} eq {value}", "000000000100"),
    DatastreamCase("test06Before", "before({time}, {value})", "000110000001"),
    DatastreamCase("test07After", "after({time}, {value})", "100000100000"),
    DatastreamCase("test08Meets", "meets({time}, {value})", "010100100001"),
    DatastreamCase("test09During", "during({time}, {value})", "-----0011110"),
    DatastreamCase("test10Overlaps", "overlaps({time}, {value})", "011001011110"),
    DatastreamCase("test11Starts", "starts({time}, {value})", "010000000110"),
    DatastreamCase("test12Finishes", "finishes({time}, {value})", "000100010100"),
)
