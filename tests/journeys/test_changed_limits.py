"""A key's limits are looked at and changed while it is used (contract F36 to F40)."""

import asyncio
import json
from dataclasses import replace

from app.domain.limits import Limits
from tests.fakes.ledgers import ADMIN, VIEWER, keeping, ledger_over
from tests.fakes.raw_client import Reply, ask, chat, request
from tests.fakes.scripted_upstream import ANSWER, entry_of, scripted, whole

TOKENS_A_MINUTE = 5000


def dear_answer() -> bytes:
    """One that comes to a hundred minutes' worth of tokens."""
    usage = {"prompt_tokens": 400_000, "completion_tokens": 100_000, "total_tokens": 500_000}
    return json.dumps(json.loads(ANSWER) | {"usage": usage}).encode()


def wait_told(reply: Reply) -> int:
    assert reply.status == 429
    return int(reply.header("retry-after") or 0)


async def test_who_looks_at_limits_forgives_nobody_his_debt(tmp_path):
    async with scripted() as upstream:
        entry = entry_of(upstream)
        limits = Limits(tpm=TOKENS_A_MINUTE)
        keys = tuple(replace(key, limits=limits) for key in keeping(tmp_path, entry).keys)
        async with ledger_over(tmp_path, entry, keys=keys) as gateway:
            upstream.tell(whole(dear_answer()))
            assert (await ask(gateway, chat())).status == 200
            before = wait_told(await ask(gateway, chat()))

            look = request("GET", "/admin/v1/limits", headers=list(VIEWER.items()))
            assert (await ask(gateway, look)).status == 200

            assert wait_told(await ask(gateway, chat())) in range(before - 5, before + 1)


async def test_a_change_of_something_else_forgives_nobody_his_debt(tmp_path):
    async with scripted() as upstream, ledger_over(tmp_path, entry_of(upstream)) as gateway:
        upstream.tell(whole(dear_answer()))
        admin = list(ADMIN.items())
        draft = json.dumps({"name": "x", "tpm": TOKENS_A_MINUTE}).encode()
        key = (await ask(gateway, request("POST", "/admin/v1/keys", draft, headers=admin))).json()
        mine = [("authorization", f"Bearer {key['key']}")]
        assert (await ask(gateway, chat(headers=mine))).status == 200
        before = wait_told(await ask(gateway, chat(headers=mine)))

        change = b'{"labels": {"a": "b"}}'
        path = f"/admin/v1/keys/{key['id']}"
        assert (await ask(gateway, request("PATCH", path, change, headers=admin))).status == 200

        assert wait_told(await ask(gateway, chat(headers=mine))) in range(before - 5, before + 1)


async def test_requests_that_came_before_a_change_do_not_undo_it(tmp_path):
    """Their heads are authenticated before it, their bodies end after it."""
    async with scripted() as upstream, ledger_over(tmp_path, entry_of(upstream)) as gateway:
        upstream.tell(whole(ANSWER))
        admin = list(ADMIN.items())
        made = request("POST", "/admin/v1/keys", b'{"name": "x"}', headers=admin)
        key = (await ask(gateway, made)).json()
        mine = [("authorization", f"Bearer {key['key']}")]
        slow = [await asyncio.open_connection("127.0.0.1", gateway.port) for _ in range(3)]
        body = chat(headers=mine)
        for _, writer in slow:
            writer.write(body[:-5])
            await writer.drain()
        await asyncio.sleep(0.2)  # the gateway has read the heads, which nothing tells

        change = request("PATCH", f"/admin/v1/keys/{key['id']}", b'{"rpm": 1}', headers=admin)
        assert (await ask(gateway, change)).status == 200
        statuses = [(await ask(gateway, chat(headers=mine))).status]
        for reader, writer in slow:
            writer.write(body[-5:])
            statuses.append(int((await reader.readline()).split()[1]))
            writer.close()
            await writer.wait_closed()
            statuses.append((await ask(gateway, chat(headers=mine))).status)

        assert [200] + [429] * 6 == statuses
