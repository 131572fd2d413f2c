"""Time axis of the requested days, in minutes. PURE.

Opening hours within the gap of a daylight-saving change begin at the change.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from officepro.scheduling.minutes import ones, repeat
from officepro.scheduling.wall_clock import (
    DAY_MINUTES,
    LocalTime,
    Piece,
    Stretch,
    midnight,
    moment_of,
    pieces_of,
    shown,
    stretches_of,
)

LONGEST_VISIT_MINUTES = DAY_MINUTES
LONGEST_WINDOW_DAYS = 366


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """Time axis of the requested days, in minutes; bit 0 is `begins`. Created and cached by `make_window`."""

    zone: str
    first: date
    last: date
    grid: int
    begins: int  # the minute of the first day's local midnight
    length: int  # minutes until the midnight after the last day
    every_minute: int
    off_grid: int  # minutes that are not on the grid in local time, or repeat a local time
    stretches: tuple[Stretch, ...]
    pieces: tuple[Piece, ...]
    wall_days: int  # local days covered by the pieces, from the day before the first

    def local_time(self, minute: int) -> LocalTime:
        """Convert a minute to local time; from the window's first day to two days after its last."""
        return shown(self.stretches, minute)


@lru_cache(maxsize=256)
def make_window(zone: str, first: date, last: date, grid: int) -> Window:
    """Return the window of the local days `first` to `last`, with a grid of `grid` minutes from local midnight.

    Raises ValueError for more than `LONGEST_WINDOW_DAYS` days or an invalid grid.
    """
    days = (last - first).days + 1
    if not 1 <= days <= LONGEST_WINDOW_DAYS:
        raise ValueError(f"A window has 1 to {LONGEST_WINDOW_DAYS} days.")
    if not 1 <= grid <= DAY_MINUTES:
        raise ValueError(f"A grid has steps of 1 to {DAY_MINUTES} minutes.")
    stretches = stretches_of(zone, (first - timedelta(days=2)).year, (last + timedelta(days=4)).year)
    begins = moment_of(stretches, midnight(first))
    length = moment_of(stretches, midnight(last) + DAY_MINUTES) - begins
    origin = midnight(first) - DAY_MINUTES
    pieces = tuple(pieces_of(stretches, begins, begins + length + LONGEST_VISIT_MINUTES, origin))
    wall_days = max(-(-(shows + length) // DAY_MINUTES) for _, length, shows, _ in pieces)

    grid_of_day = repeat(1, grid, -(-DAY_MINUTES // grid))
    grid_of_days = repeat(grid_of_day, DAY_MINUTES, days) << DAY_MINUTES
    every_minute = ones(length)
    off_grid = every_minute ^ (every_minute & to_real_time(grid_of_days, pieces, repeated=False))
    return Window(zone, first, last, grid, begins, length, every_minute, off_grid, stretches, pieces, wall_days)


def to_real_time(wall: int, pieces: tuple[Piece, ...], repeated: bool) -> int:
    """Convert a mask of local minutes to the window's axis. `repeated`: also the minutes of repeated local times."""
    if len(pieces) == 1 and pieces[0].runs:
        return wall >> pieces[0].shows
    mask = 0
    for begins, length, shows, runs in pieces:
        if runs:
            mask |= (wall >> shows & ones(length)) << begins
        elif repeated and wall >> shows & 1:
            mask |= ones(length) << begins
    return mask
