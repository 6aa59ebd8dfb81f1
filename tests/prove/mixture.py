"""
All kinds of exchanges at random, very many: every lease and reservation comes back, and every record is there once
(issue 4; law 3; reliability J1 to J8, J13, J14).

The gateway is stopped now and then with all of them under way, and started again on the same folder.
"""

import asyncio
import os
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from app.domain.configuration import ServerOptions, Timeouts, UpstreamEntry
from app.domain.limits import Limits
from app.domain.prices import Price
from tests.fakes.gateways import KEY, OTHER_KEY, RunningGateway
from tests.fakes.ledgers import keeping, ledger_over
from tests.fakes.raw_client import (
    RawClient,
    ask,
    chat_body,
    connected,
    eventually,
    in_flight,
    metrics,
    request,
)
from tests.fakes.scripted_upstream import ScriptedUpstream, entry_of, scripted
from tests.prove.books import Books
from tests.prove.figures import Figure, equal, told
from tests.prove.telling_upstream import FAULTS, Teller

_PRICES = {"scripted/m": Price(input=2_500_000, output=10_000_000)}
_TIMEOUTS = Timeouts(
    first_byte_seconds=0.5, idle_seconds=0.5, total_seconds=5, first_byte_is_fixed=True
)
# A minute so wide that it leaks empty at once, a budget that nobody uses up, and too few slots.
_FREE = Limits(10**6, 10**10, 10**4, 10**15, 10**12, "total")
_PATIENCE_SECONDS = 600.0
_KEYS = (KEY, OTHER_KEY)


@dataclass
class Mixture:
    """*exchanges*, *at_once* at a time, on one gateway after the other: *generations* of them.

    *clients*: how often each kind of client came.
    """

    folder: Path
    exchanges: int
    at_once: int = 100
    generations: int = 4
    chance: Random = field(default_factory=lambda: Random(4))
    clients: Counter[str] = field(default_factory=Counter)
    begun: int = 0
    is_stopping: bool = False

    async def run(self) -> list[Figure]:
        """The rows of its table."""
        async with scripted() as upstream:
            files = _open_files()  # the loop's own among them, now that something listens
            teller = Teller(upstream, self.chance, faults=FAULTS)
            for number in range(1, self.generations):
                await self._until_stopped(upstream, self.exchanges * number // self.generations)
            figures = await self._to_the_end(upstream, teller)
            await eventually(lambda: _open_files() == files)
            return [*figures, equal("file descriptors left open", _open_files() - files, 0)]

    async def _until_stopped(self, upstream: ScriptedUpstream, until: int) -> None:
        """A generation that is stopped in the middle of it."""
        async with asyncio.TaskGroup() as group, self._gateway(entry_of(upstream)) as gateway:
            for _ in range(self.at_once):
                group.create_task(self._work(gateway, self.exchanges))
            await eventually(lambda: self.begun >= until, _PATIENCE_SECONDS)
            self.is_stopping = True
        self.is_stopping = False

    async def _to_the_end(self, upstream: ScriptedUpstream, teller: Teller) -> list[Figure]:
        async with self._gateway(entry_of(upstream)) as gateway:
            async with asyncio.TaskGroup() as group:
                for _ in range(self.at_once):
                    group.create_task(self._work(gateway, self.exchanges))
            return await self._judged(gateway, teller)

    def _gateway(self, entry: UpstreamEntry) -> Any:
        first, other = keeping(self.folder, entry).keys
        tight = replace(_FREE, concurrency=self.at_once // 3)
        keys = (replace(first, limits=_FREE), replace(other, limits=tight))
        return ledger_over(
            self.folder,
            entry,
            keys=keys,
            prices=_PRICES,
            timeouts=_TIMEOUTS,
            server=ServerOptions(drain_seconds=0.05),
        )

    # --- the clients ----------------------------------------------------------------------------------------------

    async def _work(self, gateway: RunningGateway, until: int) -> None:
        while not self.is_stopping and self.begun < until:
            self.begun += 1
            name = self.chance.choice(_CLIENTS)
            self.clients[name] += 1
            sent = self._request()
            with suppress(ConnectionError, EOFError):  # the gateway stops, or it is how they leave
                async with connected(gateway) as client:
                    await _BEHAVIOURS[name](client, sent, self.chance)

    def _request(self) -> bytes:
        is_stream = self.chance.random() < 0.6
        members: dict[str, Any] = {"stream": True} if is_stream else {}
        if is_stream and self.chance.random() < 0.3:
            members["stream_options"] = {"include_usage": True}
        if self.chance.random() < 0.7:
            members["max_tokens"] = self.chance.randrange(1, 5000)
        body = chat_body(**members)
        return request("POST", "/v1/chat/completions", body, key=self.chance.choice(_KEYS))

    # --- the end --------------------------------------------------------------------------------------------------

    async def _judged(self, gateway: RunningGateway, teller: Teller) -> list[Figure]:
        if gateway.kept is None:
            raise AssertionError("this gateway keeps nothing")
        await eventually(lambda: not len(gateway.gateway.in_flight))
        await gateway.kept.recorder.flush()
        books = await Books.read(gateway.kept.records)
        outcomes = Counter(record.outcome for record in books.records.values())
        scopes = await _scopes(gateway)
        page = await metrics(gateway)
        spent = sum(round(scope["spend"]["total"]["cost_usd"] * 1e9) for scope in scopes)
        tokens = sum(scope["spend"]["total"]["tokens"] for scope in scopes)
        return [
            told("exchanges", self.begun),
            told("of which their clients left", sum(self.clients[name] for name in _LEAVING)),
            *(told(f"records: {name}", count) for name, count in outcomes.most_common()),
            told("upstream requests", sum(one.requests for one in teller.told.values())),
            *books.figures(teller.told),
            equal("counters less records, nano-dollars", spent - books.nano, 0),
            equal("counters less records, tokens", tokens - books.tokens, 0),
            equal("slots still taken", _used(scopes, "concurrency"), 0),
            equal("requests a minute still taken", _used(scopes, "rpm"), 0),
            equal("tokens a minute still taken", _used(scopes, "tpm"), 0),
            equal("nano-dollars still reserved", _used(scopes, "budget_usd") - spent, 0),
            equal("tokens still reserved", _used(scopes, "budget_tokens") - tokens, 0),
            equal("exchanges in flight", int(await in_flight(gateway)), 0),
            equal("leases that ended by themselves", _value(page, "leases_expired_total"), 0),
            equal("records dropped", _value(page, "journal_dropped_total"), 0),
            equal("records recovered", sum(one.recovered for one in books.records.values()), 0),
        ]


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


async def _scopes(gateway: RunningGateway) -> list[dict[str, Any]]:
    """Of both keys, once their minutes have leaked empty."""
    await asyncio.sleep(0.5)
    found = []
    for key in _KEYS:
        reply = await ask(gateway, request("GET", "/v1/me", key=key))
        found.append(reply.json()["scopes"][0])
    return found


def _used(scopes: list[dict[str, Any]], limit: str) -> int:
    scale = 1e9 if limit == "budget_usd" else 1
    return sum(round(scope["limits"][limit]["used"] * scale) for scope in scopes)


def _value(page: str, name: str) -> int:
    found = re.search(rf"^mindgate_{name} (\S+)$", page, re.MULTILINE)
    if found is None:
        raise AssertionError(f"no {name} among the metrics")
    return int(float(found[1]))


# --- kinds of clients: each on a fresh connection, which is closed behind it -----------------------------------------

_Behaviour = Callable[[RawClient, bytes, Random], Awaitable[object]]


async def _patient(client: RawClient, sent: bytes, _: Random) -> None:
    await client.send(sent)
    await client.reply()


async def _leaves_while_sending(client: RawClient, sent: bytes, chance: Random) -> None:
    await client.send(sent[: chance.randrange(1, len(sent))])
    await asyncio.sleep(chance.random() * 0.01)


async def _leaves_at_once(client: RawClient, sent: bytes, _: Random) -> None:
    await client.send(sent)


async def _leaves_waiting(client: RawClient, sent: bytes, chance: Random) -> None:
    await client.send(sent)
    await asyncio.sleep(chance.random() * 0.05)


async def _leaves_behind_the_head(client: RawClient, sent: bytes, _: Random) -> None:
    await client.send(sent)
    await client.begin()


async def _leaves_in_the_stream(client: RawClient, sent: bytes, chance: Random) -> None:
    await client.send(sent)
    if (await client.begin()).header("transfer-encoding") == "chunked":
        left = chance.randrange(1, 5)
        while left and await client.chunk():
            left -= 1
    client.reset()


async def _says_that_it_is_done(client: RawClient, sent: bytes, _: Random) -> None:
    await client.send(sent)
    client.half_close()
    await client.reply()


async def _reads_late(client: RawClient, sent: bytes, chance: Random) -> None:
    await client.send(sent)
    await asyncio.sleep(chance.random() * 0.2)
    await client.reply()


_BEHAVIOURS: dict[str, _Behaviour] = {
    "patient": _patient,
    "leaves while sending": _leaves_while_sending,
    "leaves at once": _leaves_at_once,
    "leaves waiting": _leaves_waiting,
    "leaves behind the head": _leaves_behind_the_head,
    "leaves in the stream": _leaves_in_the_stream,
    "says that it is done": _says_that_it_is_done,
    "reads late": _reads_late,
}
_LEAVING = [name for name in _BEHAVIOURS if name.startswith("leaves")]
_CLIENTS = [*_BEHAVIOURS, "patient", "patient", "patient", "patient", "patient"]
