"""PURE: chart geometry. The template renders it as SVG and, for screen readers, as a table."""

from collections.abc import Sequence
from datetime import date

import msgspec

STEPS = 2  # grid lines above the baseline


class Bar(msgspec.Struct, frozen=True):
    """One day; heights in percent of the chart's height."""

    name: str
    succeeded: int
    failed: int
    succeeded_height: float
    failed_height: float


class Chart(msgspec.Struct, frozen=True):
    """Bars and the labels of the vertical axis."""

    bars: list[Bar]
    scale: list[str]  # labels of the grid lines, from the top down


def bars(usage: Sequence[tuple[date, int, int]]) -> Chart:
    """Return the chart of `usage`: (day, calls, errors), oldest first."""
    top = _round_up(max((calls for _, calls, _ in usage), default=0))
    drawn = [
        Bar(
            f"{day:%a} {day.day}",
            calls - errors,
            errors,
            round(100 * (calls - errors) / top, 2),
            max(round(100 * errors / top, 2), 1.0) if errors else 0.0,
        )
        for day, calls, errors in usage
    ]
    return Chart(drawn, [_short(top * step / STEPS) for step in range(STEPS, -1, -1)])


def _round_up(highest: int) -> int:
    """Return the next 1, 2, 4, 6, 8 or 10 times a power of ten."""
    power = 10 ** max(len(str(highest)) - 1, 0)
    return next(step * power for step in (1, 2, 4, 6, 8, 10) if step * power >= highest) if highest else STEPS


def _short(number: float) -> str:
    return f"{number / 1000:g}k" if number >= 1000 else f"{number:g}"
