"""
What one exchange may cost, counted and not timed: calls of Python functions of ours.

A count does not depend on the machine, so it cannot flake; a call that comes to the hot path is seen here, where a
benchmark would lose it in noise. Raise a budget only with a measurement that says why.
"""

import asyncio
import sys
import tomllib
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from types import FrameType

import pytest
from pydantic import SecretStr

from app.domain.configuration import KeyEntry
from app.domain.limits import Limits
from app.domain.prices import Price
from tests.fakes.gateways import KEY, RunningGateway
from tests.fakes.ledgers import ledger_over
from tests.fakes.raw_client import RawClient, chat, connected
from tests.fakes.scripted_upstream import (
    ANSWER,
    DONE,
    FINISH,
    FIRST,
    LAST_CHUNK,
    SECOND,
    ScriptedUpstream,
    chunked,
    entry_of,
    scripted,
    sse_head,
    whole,
)

# Some 25 of them are the `__init__` of what was a struct, whose making nobody counted: interpreted they cost half a
# hundredth of a chat's instructions, and compiled (docs/decisions/0018) they took a third of them away.
CALLS_PER_CHAT = 189
CALLS_PER_STREAM = 237
CALLS_PER_EVENT = 14

NOT_COMPILED = {
    "main/application.py",  # is a FastAPI
    "protocol/usage.py",  # its classes are read by their annotations, which compiled code does not keep
    # A large body is read in a thread, and compiled code lets no other thread run before it is through.
    *(
        "protocol/chat_answer.py",
        "protocol/members.py",
        "protocol/nesting.py",
        "protocol/requests.py",
    ),
}

pytestmark = pytest.mark.interpreted

ROOT = Path(__file__).parents[2]
_APP = f"{ROOT / 'app'}/"


class Counted:
    """Counts calls of Python functions while it is entered; a generator that goes on counts each time."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    def __enter__(self) -> "Counted":
        sys.setprofile(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    @property
    def total(self) -> int:
        return self.calls.total()

    def report(self) -> str:
        """The calls by function, most often first."""
        return "\n".join(f"{count:5} {name}" for name, count in self.calls.most_common())

    def _note(self, frame: FrameType, event: str, _: object) -> None:
        file = frame.f_code.co_filename
        if event == "call" and file.startswith(_APP):
            self.calls[f"{file.removeprefix(_APP)}:{frame.f_code.co_name}"] += 1


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with scripted() as one:
        yield one


@pytest.fixture
async def gateway(upstream: ScriptedUpstream, tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """With everything on: a key with every limit, its team, a price, the journal and the ledger."""
    limits = Limits(10**9, 10**9, 10**6, 10**18, 10**15, "month")
    async with ledger_over(
        tmp_path,
        entry_of(upstream),
        keys=(KeyEntry("test", SecretStr(KEY), team="team", limits=limits),),
        prices={"scripted/*": Price(input=150_000, output=600_000)},
    ) as one:
        yield one


async def counted(client: RawClient, request: bytes) -> Counted:
    with Counted() as calls:
        await client.send(request)
        reply = await client.reply()
    assert reply.status == 200
    return calls


async def least(gateway: RunningGateway, request: bytes) -> Counted:
    """The cheapest of several: what a bookkeeping turn or a split read adds is no cost of the exchange."""
    async with connected(gateway) as client:
        found = [await counted(client, request) for _ in range(8)]
    return min(found, key=lambda one: one.total)


async def test_a_chat_completion_keeps_its_budget(upstream, gateway):
    upstream.tell(whole(ANSWER))

    calls = await least(gateway, chat())

    assert calls.total <= CALLS_PER_CHAT, calls.report()


async def test_a_stream_that_comes_at_once_keeps_its_budget(upstream, gateway):
    events = b"".join(chunked(one) for one in (FIRST, *[SECOND] * 98, FINISH, DONE))
    upstream.tell(sse_head() + events + LAST_CHUNK)

    calls = await least(gateway, chat(stream=True))

    assert calls.total <= CALLS_PER_STREAM, calls.report()


async def test_a_relayed_event_keeps_its_budget(upstream, gateway):
    few, many = [await of_a_stream(upstream, gateway, events) for events in (10, 110)]

    many.calls.subtract(few.calls)

    assert many.total / 100 <= CALLS_PER_EVENT, many.report()


async def test_what_runs_is_what_is_compiled(upstream, gateway):
    upstream.tell(whole(ANSWER))
    chats = await least(gateway, chat())
    events = await of_a_stream(upstream, gateway, 3)
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    compiled = {
        f"{room}/{name}.py"
        for room, names in pyproject["tool"]["mindgate"]["compiled"].items()
        for name in names
    }

    run = {name.partition(":")[0] for name in chats.calls | events.calls}

    assert run - compiled == NOT_COMPILED


async def of_a_stream(upstream: ScriptedUpstream, gateway: RunningGateway, events: int) -> Counted:
    """The calls of a stream whose events come one by one: each when the client has the one before."""
    turns = [asyncio.Event() for _ in range(events)]
    pieces = [step for turn in turns for step in (turn, chunked(SECOND))]
    upstream.tell(sse_head() + chunked(FIRST), *pieces, chunked(FINISH + DONE) + LAST_CHUNK)
    async with connected(gateway) as client:
        with Counted() as calls:
            await client.send(chat(stream=True))
            await client.begin()
            for turn in turns:
                assert await client.chunk()
                turn.set()
            while await client.chunk():
                continue
    return calls
