"""Percentiles, and what counts when."""

import pytest

from benchmarks.tally import Tally, percentile

HUNDRED = [float(n) for n in range(1, 101)]


@pytest.mark.parametrize(
    ("ordered", "share", "expected"),
    [
        pytest.param(HUNDRED, 0.50, 50.0, id="half do not exceed the median"),
        pytest.param(HUNDRED, 0.99, 99.0, id="one in a hundred exceeds p99"),
        pytest.param(HUNDRED, 1.0, 100.0, id="none exceeds the greatest"),
        pytest.param([3.0], 0.99, 3.0, id="one alone is every percentile"),
        pytest.param([1.0, 2.0], 0.99, 2.0, id="p99 of few is the greatest"),
        pytest.param([], 0.99, 0.0, id="nothing was counted"),
    ],
)
def test_a_percentile_is_a_value_that_was_seen(ordered, share, expected):
    assert expected == percentile(ordered, share)


def test_right_answers_count_while_the_window_is_open_and_failures_always():
    tally = Tally()
    tally.right(1.0)
    tally.wrong("early")
    tally.is_open = True
    tally.right(0.002)
    tally.is_open = False
    tally.right(1.0)

    assert [0.002] == list(tally.latencies)
    assert {"early": 1} == tally.errors
    assert [2.0, 2.0] == tally.milliseconds(0.5, 1.0)
