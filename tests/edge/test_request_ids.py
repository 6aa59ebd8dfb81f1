"""Every reply has an id that no other has and nobody can guess (contract C1)."""

import re

from app.edge.request_ids import IdSource, new_request_id
from tests.fakes.clock import Clock

SHAPE = re.compile(r"req_[0-9a-f]{32}")


class Blocks:
    """Randomness that counts how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __call__(self, size: int) -> bytes:
        self.asked.append(size)
        return b"".join(number.to_bytes(10, "big") for number in range(size // 10))


def test_an_id_is_32_hexadecimal_digits():
    new_id = IdSource(Clock())

    assert [] == [one for one in (new_id() for _ in range(1000)) if not SHAPE.fullmatch(one)]
    assert SHAPE.fullmatch(new_request_id())


def test_no_id_comes_twice_also_where_a_block_ends():
    clock = Clock()
    new_id, other = IdSource(clock), IdSource(clock)
    ids = [source() for _ in range(1000) for source in (new_id, other)] + [new_request_id()]

    assert len(ids) == len(set(ids))


def test_all_of_a_block_is_used_and_none_of_it_twice():
    blocks = Blocks()
    new_id = IdSource(Clock(0.0), blocks)

    ids = [new_id() for _ in range(410)]

    assert [f"req_{number:032x}" for number in range(410)] == ids
    assert blocks.asked == [4100]
    new_id()
    assert blocks.asked == [4100, 4100]


def test_ids_stand_in_the_order_of_their_time():
    """What came together is kept together in the ledger, and the newest is the greatest."""
    clock = Clock(1_700_000_000.0)
    new_id = IdSource(clock)
    ids = []
    for _ in range(100):
        ids.append(new_id())
        clock.advance(0.002)

    assert sorted(ids) == ids
