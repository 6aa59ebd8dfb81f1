"""
kill -9 at any moment, and on it goes: nothing is lost and nothing is doubled (reliability J2 to J8, R20).

The gateway is a process of its own. Its upstream stands here and knows what it was asked and what it said; so do its
clients, who know what they have whole.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from pydantic import SecretStr

from app.domain.ledger import UsageRecord
from app.limits.estimates import estimate_input
from app.storage.database import Database
from app.storage.record_store import RecordStore
from tests.fakes.raw_client import SECONDS, RawClient, chat_body, request
from tests.fakes.scripted_upstream import scripted
from tests.prove.books import Books
from tests.prove.figures import Figure, equal, told
from tests.prove.serving import Served, settings
from tests.prove.telling_upstream import Teller, Told

_BODIES = (chat_body(max_tokens=3000), chat_body(max_tokens=3000, stream=True))
_LEAST_INPUT = min(estimate_input(body, assumed_media_tokens=0) for body in _BODIES)
_CHARACTERS_PER_TOKEN = 4
_BETWEEN_NOTES_BYTES = 64 * 1024 + 8192  # with the event that a note waits for
_OUTPUT_SHARE = 0.9  # of a long event, the rest is JSON
_IN_STARTS, _AT_REPLIES = 0.2, 0.3  # of all kills
_REST_SECONDS = 0.02  # of a client that finds nobody listening
_DONE = b"data: [DONE]\n\n"


@dataclass
class Kills:
    """*kills* of a gateway on *url*, with so many *clients* that never rest. Each serves *most_seconds* at most.

    *in_starts*, *at_replies*: how many of the kills came before it served, and as a client had its last byte.
    *whole*: ids of replies whose last byte reached a client. *parts*: of others, how many bytes did.
    """

    folder: Path
    url: str
    kills: int
    clients: int = 20
    most_seconds: float = 0.5
    chance: Random = field(default_factory=lambda: Random(9))
    in_starts: int = 0
    at_replies: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    replies: int = 0
    whole: set[str] = field(default_factory=set)
    parts: dict[str, int] = field(default_factory=dict)
    is_over: bool = False

    async def run(self) -> list[Figure]:
        """The rows of its table."""
        served = Served(self.folder)
        async with scripted() as upstream:
            teller = Teller(upstream, self.chance)
            served.configure(settings(upstream.url, self.url))
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(self.clients):
                        group.create_task(self._call(served))
                    await self._kill_again_and_again(served)
                    await served.start()
                    await served.ready()
                    await asyncio.sleep(self.most_seconds)
                    self.is_over = True
                spent = await self._spent(served)
                code = await served.stop()
            finally:
                await served.kill()
            return await self._judged(teller.told, spent, code)

    async def _kill_again_and_again(self, served: Served) -> None:
        started_seconds = 1.0
        for _ in range(self.kills):
            await served.start()
            moment = self.chance.random()
            if moment < _IN_STARTS:  # perhaps while it still recovers
                await asyncio.sleep(self.chance.random() * started_seconds)
                self.in_starts += 1
            else:
                started_seconds = await served.ready()
                await asyncio.sleep(self.chance.random() * self.most_seconds)
            if moment > 1 - _AT_REPLIES:
                await self._reply_arrives()
                self.at_replies += 1
            await served.kill()

    async def _reply_arrives(self) -> None:
        self.arrived.clear()
        async with asyncio.timeout(SECONDS):
            await self.arrived.wait()

    async def _call(self, served: Served) -> None:
        """One client, on one connection after the other."""
        while not self.is_over:
            with suppress(OSError, EOFError):  # it was killed, or has not begun
                async with served.connected() as client:
                    await self._use(client)
            await asyncio.sleep(_REST_SECONDS)

    async def _use(self, client: RawClient) -> None:
        while not self.is_over:
            if not await self._exchange(client):
                return

    async def _exchange(self, client: RawClient) -> bool:
        """Whether the connection can be used again."""
        await client.send(request("POST", "/v1/chat/completions", self.chance.choice(_BODIES)))
        reply = await client.reply()
        self.replies += reply.status == 200
        if reply.status == 200 and (reply.end == "whole" or reply.body.endswith(_DONE)):
            self.whole.add(reply.header("x-request-id") or "")
            self.arrived.set()
        elif reply.status == 200:
            self.parts[reply.header("x-request-id") or ""] = len(reply.body)
        return reply.end == "whole"

    async def _spent(self, served: Served) -> int:
        """What the last process says that the key has spent, in nano-dollars."""
        while True:
            scope = (await served.ask(request("GET", "/v1/me"))).json()["scopes"][0]
            if not scope["limits"]["concurrency"]["used"]:
                break
            await asyncio.sleep(0.05)
        cost_usd: float = scope["spend"]["total"]["cost_usd"]
        return round(cost_usd * 1e9)

    async def _judged(self, told_by_id: dict[str, Told], spent: int, code: int) -> list[Figure]:
        database = await Database.open(SecretStr(self.url))
        try:
            books = await Books.read(RecordStore(database))
        finally:
            await database.aclose()
        records = books.records
        recovered = [record for record in records.values() if record.recovered]
        half = [one for one in self.whole if one in records and not _is_served(records[one])]
        wrong = [
            one.id
            for one in recovered
            if not _is_charged(one, told_by_id.get(one.id), self.parts.get(one.id, 0))
        ]
        left = list((self.folder / "mindgate.journal").iterdir())
        return [
            told("kills -9", self.kills),
            told("of which before it served", self.in_starts),
            told("of which as a reply was whole", self.at_replies),
            told("upstream requests", sum(one.requests for one in told_by_id.values())),
            told("replies that reached a client whole", len(self.whole)),
            told("records", len(records)),
            told("of which recovered", len(recovered)),
            told(
                "of which with output in their charge", sum(r.output_tokens > 0 for r in recovered)
            ),
            equal("whole replies without a record", len(self.whole - records.keys()), 0),
            equal("whole replies whose record is not complete", len(half), 0),
            *books.figures(told_by_id),
            equal("recovered and not charged by their progress", len(wrong), 0),
            equal("counters less records, nano-dollars", spent - books.nano, 0),
            equal("files left in the journal", len(left), 0),
            equal("exit code of the last stop", code, 0),
        ]


def _is_served(record: UsageRecord) -> bool:
    return record.outcome == "complete" and not record.recovered


def _is_charged(record: UsageRecord, told: Told | None, received_bytes: int) -> bool:
    """Its input as estimated at least; and no more output than there was, nor much less than its client has of it: a
    note is made each 64 KiB (J4, J8)."""
    least = (received_bytes - _BETWEEN_NOTES_BYTES) * _OUTPUT_SHARE / _CHARACTERS_PER_TOKEN
    sent = told.characters if told is not None else 0
    return (
        record.outcome == "shutdown"
        and record.usage_source == "estimated"
        and record.input_tokens >= _LEAST_INPUT
        and least <= record.output_tokens <= -(-sent // _CHARACTERS_PER_TOKEN)
    )
