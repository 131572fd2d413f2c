"""Bit masks of minutes: both algorithms set the same bits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from officepro.scheduling import minutes

RANGES = st.lists(
    st.tuples(st.integers(-5_000, 20_000), st.integers(1, 9_000)).map(lambda span: (span[0], span[0] + span[1])),
    max_size=12,
)
REACH = st.integers(-90, 90)


@pytest.mark.parametrize("few", [0, minutes.FEW])
@given(begins=st.integers(-100, 100), length=st.integers(1, 300), ranges=RANGES, before=REACH, behind=REACH)
def test_the_minutes_around_some_ranges(
    few: int, begins: int, length: int, ranges: list[tuple[int, int]], before: int, behind: int
) -> None:
    ranges = [one for one in ranges if -(-one[1] // 60) + behind > one[0] // 60 - before]  # only non-empty ranges
    expected = sum(
        1 << minute - begins
        for minute in range(begins, begins + length)
        if any(start // 60 - before <= minute < -(-end // 60) + behind for start, end in ranges)
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(minutes, "FEW", few)
        assert minutes.touching(begins, length, ranges, before, behind) == expected
