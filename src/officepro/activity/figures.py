"""PURE: what the sums of a time say: success rate, average, percentiles."""

from collections.abc import Sequence

BUCKETS_PER_OCTAVE = 4


def success_rate(calls: int, errors: int) -> float:
    """Percent, two decimals; 0 when nothing was called, as the seeds' dashboard shows it."""
    return round(100 * (calls - errors) / calls, 2) if calls else 0.0


def average_milliseconds(calls: int, microseconds: int) -> float:
    return round(microseconds / calls / 1000, 2) if calls else 0.0


def percentile_milliseconds(durations: Sequence[int], share: float) -> float:
    """From counts by bucket (bucket n begins at 2^(n/4) microseconds), straight lines drawn inside the bucket."""
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
