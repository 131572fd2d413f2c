"""Rates, averages, percentiles from sums alone."""

import math
import random

import pytest

from officepro.activity.figures import average_milliseconds, percentile_milliseconds, success_rate


def buckets_of(durations: list[int]) -> list[int]:
    found = [0] * 125
    for microseconds in durations:
        found[math.floor(4 * math.log2(max(microseconds, 1)))] += 1
    return found


def test_rate_and_average_of_nothing_are_nought() -> None:
    assert success_rate(0, 0) == average_milliseconds(0, 0) == percentile_milliseconds([], 0.5) == 0


def test_rate_and_average() -> None:
    assert success_rate(3, 1) == 66.67
    assert average_milliseconds(4, 10_000) == 2.5


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
def test_a_percentile_is_true_within_a_bucket(share: float) -> None:
    chance = random.Random(7)
    durations = sorted(int(chance.lognormvariate(8, 1)) for _ in range(20_000))

    told = percentile_milliseconds(buckets_of(durations), share)

    assert told == pytest.approx(durations[int(share * 20_000)] / 1000, rel=0.05)


def test_all_alike_are_told_within_their_bucket() -> None:
    assert percentile_milliseconds(buckets_of([5_000] * 100), 0.99) == pytest.approx(5, rel=0.19)
