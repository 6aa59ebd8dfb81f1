"""
Very many at once, on room for a few: exactly as many are admitted (issue 4; laws 3 and 4; contract F36 to F40).

Real sockets and one real gateway with a ledger, which has read all but the last byte of every request when the last
bytes come together. What the upstream counts is what was reserved, so settling frees nothing and the counters can be
told in advance.
"""

import asyncio
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import Any

from app.domain.limits import Limits
from app.domain.prices import Price
from app.limits.estimates import estimate_input
from tests.fakes.gateways import RunningGateway
from tests.fakes.ledgers import keeping, ledger_over, records_of
from tests.fakes.raw_client import Reply, ask, chat, chat_body, connected, eventually, request
from tests.fakes.scripted_upstream import ScriptedUpstream, entry_of, scripted, whole
from tests.prove.figures import Figure, equal, told

OUTPUT_TOKENS = 10
INPUT_TOKENS = estimate_input(chat_body(max_tokens=OUTPUT_TOKENS), assumed_media_tokens=0)
TOKENS = INPUT_TOKENS + OUTPUT_TOKENS
COST_NANO = 10_000
PRICES = {"scripted/m": Price(request=COST_NANO * 1000)}
_REQUEST = chat(max_tokens=OUTPUT_TOKENS)
_REST_SECONDS = 0.2
_RATES = ("rpm", "tpm")  # these leak while the crowd is there


def limits_for(limit: str, room: int) -> Limits:
    """*room* of our requests fit into *limit*, and not one more."""
    return {
        "budget_usd": Limits(budget_nano=room * COST_NANO),
        "budget_tokens": Limits(budget_tokens=room * TOKENS),
        "rpm": Limits(rpm=room),
        "tpm": Limits(tpm=room * TOKENS),
        "concurrency": Limits(concurrency=room),
    }[limit]


LIMITS = ("budget_usd", "budget_tokens", "rpm", "tpm", "concurrency")


@dataclass
class Crowd:
    """What came of it. *leaked*: how many more a limit a minute had room for in the time it took. *used*: as `/v1/me`
    tells it afterwards. *faults*: what was not as it must be, in words."""

    limit: str
    room: int
    admitted: int = 0
    refused: int = 0
    leaked: int = 0
    began_at: float = 0.0
    seconds: float = 0.0
    used: float = 0
    records: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def figures(self) -> list[Figure]:
        """Its rows of the table."""
        asked = self.admitted + self.refused
        promised = (
            f"{self.room}" if not self.leaked else f"{self.room} to {self.room + self.leaked}"
        )
        is_exact = self.room <= self.admitted <= self.room + self.leaked
        return [
            Figure(f"{self.limit}: admitted of {asked}", f"{self.admitted}", promised, is_exact),
            told(f"{self.limit}: seconds", f"{self.seconds:.2f}"),
            equal(f"{self.limit}: records", self.records, self.admitted),
            equal(f"{self.limit}: wrong replies or counters", len(self.faults), 0),
        ]


async def crowd(folder: Path, limit: str, *, requests: int, room: int) -> Crowd:
    """*requests* at once on a key whose *limit* has *room*."""
    found = Crowd(limit, room)
    answer = {
        "prompt_tokens": INPUT_TOKENS,
        "completion_tokens": OUTPUT_TOKENS,
        "total_tokens": TOKENS,
    }
    async with scripted() as upstream:
        entry = entry_of(upstream)
        key = replace(keeping(folder, entry).keys[0], limits=limits_for(limit, room))
        async with ledger_over(folder, entry, keys=(key,), prices=PRICES) as gateway:
            is_decided = asyncio.Event()
            if limit != "concurrency":
                is_decided.set()
            upstream.tell(is_decided, whole(_answer(answer)))
            replies = await _rush(gateway, upstream, found, requests, is_decided)
            await _judge(gateway, found, replies)
            if limit == "concurrency":
                await _check_free(gateway, found, room)
    return found


def _answer(usage: dict[str, int]) -> bytes:
    message = {"role": "assistant", "content": "one two"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    answer = {"id": "c-1", "object": "chat.completion", "created": 1, "model": "m"}
    return json.dumps({**answer, "choices": [choice], "usage": usage}).encode()


async def _rush(
    gateway: RunningGateway,
    upstream: ScriptedUpstream,
    found: Crowd,
    requests: int,
    is_decided: asyncio.Event,
) -> list[Reply]:
    replies: list[Reply] = []
    ready, is_time = 0, asyncio.Event()

    async def one() -> None:
        nonlocal ready
        async with connected(gateway) as client:
            await client.send(_REQUEST[:-1])
            ready += 1
            await is_time.wait()
            await client.send(_REQUEST[-1:])
            replies.append(await client.reply())

    async with asyncio.TaskGroup() as group:
        for _ in range(requests):
            group.create_task(one())
        await eventually(lambda: ready == requests)
        await asyncio.sleep(_REST_SECONDS)  # the gateway has read all that there is
        found.began_at = monotonic()
        is_time.set()
        await eventually(lambda: len(replies) + len(upstream.seen) >= requests)
        is_decided.set()
    found.seconds = monotonic() - found.began_at
    if found.limit in _RATES:
        found.leaked = int(found.seconds * found.room / 60)
    return replies


async def _judge(gateway: RunningGateway, found: Crowd, replies: list[Reply]) -> None:
    admitted = [reply for reply in replies if reply.status == 200]
    refused = [reply for reply in replies if reply.status == 429]
    found.admitted, found.refused = len(admitted), len(refused)
    found.faults += [f"status {one.status}" for one in replies if one.status not in (200, 429)]
    for reply in refused:
        found.faults += refusal_faults(reply, found.limit)
    await eventually(lambda: len(gateway.lines()) >= len(replies))  # all are settled
    records = await records_of(gateway)
    found.records = len(records)
    if {record.id for record in records} != {one.header("x-request-id") for one in admitted}:
        found.faults.append("the records are not those of the admitted")
    me = (await ask(gateway, request("GET", "/v1/me"))).json()["scopes"][0]
    found.used = me["limits"][found.limit]["used"]
    leaked = 1 + int((monotonic() - found.began_at) * found.room / 60)
    least, most = _used_after(found, leaked)
    if not least <= round(found.used, 9) <= most:
        found.faults.append(f"used {found.used}, not {least} to {most}")
    spent = (round(me["spend"]["total"]["cost_usd"] * 1e9), me["spend"]["total"]["tokens"])
    if spent != (found.admitted * COST_NANO, found.admitted * TOKENS):
        found.faults.append(f"spent {spent}")
    if spent[0] != sum(record.cost_nano for record in records):
        found.faults.append("the records do not add up to what was counted")


def _used_after(found: Crowd, leaked: int) -> tuple[float, float]:
    """What the limit says when all is over: what was admitted and nothing of what was refused."""
    match found.limit:
        case "budget_usd":
            exact = round(found.admitted * COST_NANO / 1e9, 9)
            return exact, exact
        case "budget_tokens":
            return found.admitted * TOKENS, found.admitted * TOKENS
        case "concurrency":
            return 0, 0
        case "tpm":
            return (found.admitted - leaked) * TOKENS, found.room * TOKENS
    return found.admitted - leaked, found.room


def refusal_faults(reply: Reply, limit: str) -> list[str]:
    """What of *reply* is not as contract C5, C12, F36 to F40 want it."""
    is_budget = limit.startswith("budget")
    wanted: dict[str, Any] = {
        "code": "insufficient_quota" if is_budget else "rate_limit_exceeded",
        "type": {"tpm": "tokens", "rpm": "requests", "concurrency": "requests"}.get(
            limit, "insufficient_quota"
        ),
        "x-should-retry": "false" if is_budget else None,
        "retry-after": not is_budget,
        "retry-after-ms": not is_budget,
        "x-ratelimit-remaining-requests": limit == "rpm",
        "x-ratelimit-remaining-tokens": limit == "tpm",
    }
    error = reply.json()["error"]
    said = {
        "code": error["code"],
        "type": error["type"],
        "x-should-retry": reply.header("x-should-retry"),
    }
    said |= {name: reply.header(name) is not None for name in wanted if name not in said}
    return [f"{name}: {said[name]!r}" for name, value in wanted.items() if said[name] != value]


async def _check_free(gateway: RunningGateway, found: Crowd, room: int) -> None:
    again = await asyncio.gather(*(ask(gateway, _REQUEST) for _ in range(room)))
    if taken := sum(reply.status != 200 for reply in again):
        found.faults.append(f"{taken} places were not free again")


async def prove(folder: Path, *, requests: int, room: int) -> list[Figure]:
    """Every limit's crowd."""
    figures: list[Figure] = []
    for limit in LIMITS:
        own = folder / limit
        own.mkdir()
        figures += (await crowd(own, limit, requests=requests, room=room)).figures
    return figures
