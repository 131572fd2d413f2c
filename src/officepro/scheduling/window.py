"""The days that are asked for, as an axis of minutes. PURE.

An opening hour that falls into a spring gap means the moment of the change.
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
    """The days that are asked for, as an axis of minutes; made by `make_window` and shared. Bit 0 is `begins`."""

    zone: str
    first: date
    last: date
    grid: int
    begins: int  # the minute of the first day's local midnight
    length: int  # minutes until the midnight after the last day
    every_minute: int
    off_grid: int  # where no visit may start: between the grid's wall-clock times, or when these show a second time
    stretches: tuple[Stretch, ...]
    pieces: tuple[Piece, ...]
    wall_days: int  # local days that the pieces show, from the day before the first

    def local_time(self, minute: int) -> LocalTime:
        """What the wall clock shows, for minutes from the window's first day to two days after its last."""
        return shown(self.stretches, minute)


@lru_cache(maxsize=256)
def make_window(zone: str, first: date, last: date, grid: int) -> Window:
    """The local days `first` to `last`, with visits starting every `grid` minutes from local midnight."""
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
    """From wall-clock minutes to the window's axis. `repeated`: whether minutes shown a second time go on as before."""
    if len(pieces) == 1 and pieces[0].runs:
        return wall >> pieces[0].shows
    mask = 0
    for begins, length, shows, runs in pieces:
        if runs:
            mask |= (wall >> shows & ones(length)) << begins
        elif repeated and wall >> shows & 1:
            mask |= ones(length) << begins
    return mask
