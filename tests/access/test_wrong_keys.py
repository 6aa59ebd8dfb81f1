"""Sixty wrong keys a minute from one address (reliability S10)."""

import pytest

from app.access.wrong_keys import WrongKeys
from tests.fakes.clock import Clock


def fail(counter: WrongKeys, address: str, times: int) -> list[float | None]:
    return [counter.failed(address) for _ in range(times)]


def test_sixty_at_once_and_then_one_a_second():
    clock = Clock()
    counter = WrongKeys(clock)

    assert [None] * 60 == fail(counter, "192.0.2.1", 60)
    assert pytest.approx(1.0) == counter.failed("192.0.2.1")
    clock.advance(1)
    assert counter.failed("192.0.2.1") is None
    assert counter.failed("192.0.2.1") is not None


def test_a_refused_one_costs_no_more_waiting():
    clock = Clock()
    counter = WrongKeys(clock)
    fail(counter, "192.0.2.1", 5000)

    clock.advance(60)

    assert [None] * 60 == fail(counter, "192.0.2.1", 60)


@pytest.mark.parametrize(
    ("first", "second", "is_one"),
    [
        pytest.param("192.0.2.1", "192.0.2.2", False, id="two addresses"),
        pytest.param("2001:db8::1", "2001:db8::ffff:2", True, id="one network of IPv6"),
        pytest.param("2001:db8::1", "2001:db8:0:1::1", False, id="two networks of IPv6"),
        pytest.param("192.0.2.1", "::ffff:192.0.2.1", True, id="the same one, told as IPv6"),
        pytest.param("::ffff:192.0.2.1", "::ffff:192.0.2.2", False, id="two, told as IPv6"),
        pytest.param("", "", True, id="no address is one"),
        pytest.param("a:b:nonsense", "192.0.2.1", False, id="what is no address"),
    ],
)
def test_who_counts_as_one(first, second, is_one):
    counter = WrongKeys(Clock())
    fail(counter, first, 60)

    assert is_one is (counter.failed(second) is not None)


def test_addresses_are_bounded_and_the_oldest_goes_first():
    counter = WrongKeys(Clock())
    fail(counter, "10.0.0.1", 60)

    for number in range(10_000):
        counter.failed(f"192.0.{number // 250}.{number % 250}")

    assert 4096 == len(counter)
    assert counter.failed("10.0.0.1") is None
