"""Points in time at a constant rate."""

import sys
from itertools import pairwise
from time import perf_counter

import pytest

from benchmarks.metronome import Metronome

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc and timerfd")


async def test_points_are_evenly_apart_and_none_is_lost():
    points: list[float] = []
    start = perf_counter()

    with Metronome(200) as metronome:
        while len(points) < 40:
            points += await metronome.due()

    gaps = {round(b - a, 6) for a, b in pairwise(points)}
    assert {0.005} == gaps
    assert perf_counter() - start >= 0.195


async def test_a_point_is_never_given_before_its_time():
    with Metronome(500) as metronome:
        for _ in range(20):
            assert all(point <= perf_counter() for point in await metronome.due())
