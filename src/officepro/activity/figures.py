"""PURE: statistics of a period: success rate, average, percentiles."""

from collections.abc import Sequence

BUCKETS_PER_OCTAVE = 4


def success_rate(calls: int, errors: int) -> float:
    """Return the success rate in percent, with two decimals; 0 without calls, as in the dashboard of the source API
    specification."""
    return round(100 * (calls - errors) / calls, 2) if calls else 0.0


def average_milliseconds(calls: int, microseconds: int) -> float:
    """Return the average duration in milliseconds, with two decimals; 0 without calls."""
    return round(microseconds / calls / 1000, 2) if calls else 0.0


def percentile_milliseconds(durations: Sequence[int], share: float) -> float:
    """Return a percentile in milliseconds from counts by bucket; 0 without calls. Bucket n begins at 2^(n/4)
    microseconds; values are interpolated linearly within it."""
    total = sum(durations)
    if not total:
        return 0.0
    wanted, seen = share * total, 0
    for bucket, number in enumerate(durations):
        if number and seen + number >= wanted:
            low, high = _begins(bucket), _begins(bucket + 1)
            return round((low + (high - low) * (wanted - seen) / number) / 1000, 2)
        seen += number
    return round(_begins(len(durations)) / 1000, 2)


def _begins(bucket: int) -> float:
    return float(2 ** (bucket / BUCKETS_PER_OCTAVE))
