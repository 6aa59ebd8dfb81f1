"""Exactly as many as there is room for, and everything comes back: what `make prove` shows of it, in small."""

from pathlib import Path

import pytest

from tests.fakes.ledgers import ledger_over, records_of
from tests.fakes.raw_client import chat, connected, eventually
from tests.fakes.scripted_upstream import entry_of, scripted
from tests.prove.crowds import LIMITS, PRICES, crowd
from tests.prove.figures import broken
from tests.prove.mixture import Mixture


@pytest.mark.parametrize("limit", LIMITS)
async def test_of_200_at_once_exactly_20_are_admitted(tmp_path: Path, limit):
    """Law 4, contract F36 to F40: the rest is refused in the right words and leaves no trace."""
    found = await crowd(tmp_path, limit, requests=200, room=20)

    assert [] == found.faults
    assert [] == broken(found.figures)
    assert 200 == found.admitted + found.refused


@pytest.mark.timeout(120)
async def test_three_hundred_exchanges_of_every_kind_leave_nothing_taken(tmp_path: Path):
    """Law 3, J1 to J8: clients that leave, upstreams that fail, and two stops in the middle of it."""
    mixture = Mixture(tmp_path, 300, at_once=40, generations=3)

    figures = await mixture.run()

    assert [] == broken(figures)
    assert 300 <= mixture.begun


async def test_a_client_that_leaves_before_anything_was_sent_is_charged_nothing(tmp_path: Path):
    """J14, R6: the connection to the upstream was not there yet, so nobody can have worked on an answer."""
    async with scripted() as upstream:
        upstream.reads_on = False
        silent = entry_of(upstream.url.replace("http://127.0.0.1", "https://localhost"))
        async with ledger_over(tmp_path, silent, prices=PRICES) as gateway:
            async with connected(gateway) as client:
                await client.send(chat())
                await upstream.opened.wait()  # and it will never say a word of TLS
            assert await eventually(lambda: len(gateway.lines()) == 1)
            records = await records_of(gateway)

    assert [("client_gone", 0, 0)] == [
        (record.outcome, record.input_tokens, record.cost_nano) for record in records
    ]
