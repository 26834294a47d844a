"""Columns are read at once as their cells are one by one."""

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.imports import values
from campaigns.imports.columns import Moments
from campaigns.imports.values import Bad, to_microseconds

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
DAYS = st.sampled_from(
    ["2026-11-22", "2026-11-23", "2024-02-29", "2023-02-29", "20240229", "2024-W09-4", "29.02.2024"]
)
RESTS = st.sampled_from(
    [
        "T09:00+01:00",
        "T09:00:00Z",
        " 09:00-02:00",
        "T09:00",
        "",
        "T0900+0100",
        "-09:00",
        " 8:00",
        "T23:59+23:59",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.builds(str.__add__, DAYS, RESTS), max_size=12))
def test_moments_are_the_same_whatever_was_read_before(cells: list[str]) -> None:
    read = values.moment(NOW)
    alone = [read(cell) for cell in cells]
    wanted = [at if isinstance(at, Bad) else to_microseconds(at) for at in alone]
    assert Moments(NOW).column(cells) == wanted
