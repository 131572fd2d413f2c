"""Sets of minutes as bit masks in one big integer: whole days are processed by a few shifts and ANDs. PURE.

Bit 0 is the first minute of the caller's time axis.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection
from itertools import compress
from operator import lt

Ranges = Collection[tuple[int, int]]  # (starts, ends) in epoch seconds, starts < ends; any order, overlaps allowed

FEW = 100_000  # ranges x minutes, up to which setting one range after the other is faster


def ones(count: int) -> int:
    """Return a mask whose lowest `count` bits are set."""
    return (1 << count) - 1


def repeat(mask: int, period: int, times: int) -> int:
    """Return `mask` repeated every `period` bits, `times` times."""
    done = 1
    while done < times:
        step = min(done, times - done)
        mask |= mask << step * period
        done += step
    return mask


def lasting(mask: int, minutes: int) -> int:
    """Return the bits that begin a run of at least `minutes` set bits. Takes log2(`minutes`) steps."""
    found = 1
    while found < minutes:
        step = min(found, minutes - found)
        mask &= mask >> step
        found += step
    return mask


def touching(begins: int, length: int, ranges: Ranges, before: int, behind: int) -> int:
    """Return the minutes of the axis from `before` minutes before a range until `behind` minutes after it.

    The axis starts at epoch minute `begins` and has `length` minutes.
    """
    if not ranges:
        return 0
    first, last = begins + before, begins - behind
    if len(ranges) * length <= FEW:
        mask = 0
        for start, end in ranges:
            starts_at, ends_at = max(start // 60 - first, 0), min(-(-end // 60) - last, length)
            if starts_at < ends_at:
                mask |= (1 << ends_at) - (1 << starts_at)
        return mask
    starts = sorted([start // 60 - first for start, _ in ranges])
    ends = sorted([-(-end // 60) - last for _, end in ranges])
    return union(starts, ends, length)


def union(starts: list[int], ends: list[int], length: int) -> int:
    """Return the minutes, of `length`, that lie in any range. `starts` and `ends` are sorted independently.

    The union has a gap after the n-th end exactly if the next start is later. The remaining runs neither overlap nor
    touch, and each is a subtraction: 2**end - 2**start. No step costs ranges x length.
    """
    pauses = list(map(lt, ends, starts[1:]))
    run_starts = [starts[0], *compress(starts[1:], pauses)]
    run_ends = [*compress(ends, pauses), ends[-1]]
    inside = slice(bisect_right(run_ends, 0), bisect_left(run_starts, length))
    run_starts = [max(start, 0) for start in run_starts[inside]]
    run_ends = [min(end, length) for end in run_ends[inside]]
    return _bits(run_ends, length) - _bits(run_starts, length)


def _bits(positions: list[int], length: int) -> int:
    octets = bytearray(length // 8 + 1)
    for position in positions:
        octets[position >> 3] |= 1 << (position & 7)
    return int.from_bytes(octets, "little")
