"""What a gateway that does nothing takes: its memory, and its start, with and without ten thousand keys (issue 4)."""

import asyncio
from dataclasses import replace
from pathlib import Path

from pydantic import SecretStr

from app.access.key_format import display_prefix, new_key
from app.access.pepper import match_peppers, open_peppers
from app.domain.keys import Actor, VirtualKey
from app.domain.limits import Limits
from app.storage.database import Database
from app.storage.key_rows import StoredKey
from app.storage.key_store import KeyStore
from tests.fakes.raw_client import chat, request
from tests.fakes.scripted_upstream import ANSWER, scripted, whole
from tests.prove.figures import Figure, at_most, equal, told
from tests.prove.serving import Served, settings, sqlite_in

_MOST_MB, _MOST_START_SECONDS = 100.0, 2.0
_LIMITS = Limits(600, 200_000, 20, 25 * 10**9, 5_000_000, "month", 4096)
_AT_ONCE = 500
_STARTS = 5
_REST_SECONDS = 1.0


async def fill(folder: Path, count: int) -> str:
    """*count* keys with limits are in the database of *folder*; the secret of the last of them."""
    database = await Database.open(SecretStr(sqlite_in(folder)))
    try:
        peppers = open_peppers((), folder / "mindgate.pepper", may_make=True)
        store = KeyStore(database, peppers.seal)
        await match_peppers(store, peppers)
        secret = ""
        for first in range(0, count, _AT_ONCE):
            async with store.changing(Actor("command"), 1_700_000_000_000) as change:
                for number in range(first, min(first + _AT_ONCE, count)):
                    secret = new_key()
                    key = VirtualKey(f"key_{number:06}", f"key {number}", display_prefix(secret))
                    key = replace(key, limits=_LIMITS, labels={"owner": f"person {number}"})
                    await change.put_key(StoredKey(key, peppers.digest(secret)))
                change.audit("key.create", "many", None, {"keys": count})
    finally:
        await database.aclose()
    return secret


async def prove(folder: Path, *, keys: int) -> list[Figure]:
    """The rows of its table, with and without *keys*."""
    figures: list[Figure] = []
    async with scripted() as upstream:
        upstream.tell(whole(ANSWER))
        for count in (0, keys):
            own = folder / str(count)
            own.mkdir()
            secret = await fill(own, count) if count else ""
            served = Served(own)
            served.configure(settings(upstream.url, sqlite_in(own)))
            name = f"with {count:,} keys"
            figures += await _measured(served, name, secret)
    return figures


async def _measured(served: Served, name: str, secret: str) -> list[Figure]:
    """Of several starts the fastest: what else the machine does is not the gateway's."""
    took = []
    for _ in range(_STARTS - 1):
        took.append(await _started(served))
        await served.stop()
    took.append(await _started(served))
    await asyncio.sleep(_REST_SECONDS)
    idle = served.memory_mb()
    status = (await served.ask(_chat_of(secret) if secret else chat())).status
    await served.stop()
    memory = at_most(f"{name}: idle memory", idle, _MOST_MB, "MB")
    if secret:
        memory = told(memory.name, memory.measured)
    return [
        memory,
        at_most(f"{name}: from start to ready", min(took), _MOST_START_SECONDS, "s"),
        equal(f"{name}: status of a request", status, 200),
    ]


async def _started(served: Served) -> float:
    await served.start()
    try:
        return await served.ready()
    except BaseException:
        await served.kill()
        raise


def _chat_of(secret: str) -> bytes:
    body = b'{"model":"m","messages":[{"role":"user","content":"Hello"}]}'
    return request("POST", "/v1/chat/completions", body, key=secret)
