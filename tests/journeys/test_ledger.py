"""Every exchange in the ledger, once, whatever happened to it (law 1; reliability J2 to J8, J13, J14)."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from pydantic import SecretStr

from app.domain.configuration import KeyEntry
from app.domain.ledger import UsageRecord
from app.domain.limits import Limits
from app.domain.prices import Price
from tests.fakes.gateways import KEY, RunningGateway, running_demo
from tests.fakes.ledgers import keeping, ledger_over, records_of
from tests.fakes.raw_client import ask, chat, chat_body, connected, eventually, request
from tests.fakes.scripted_upstream import (
    ANSWER,
    DONE,
    FINISH,
    FIRST,
    LAST_CHUNK,
    SECOND,
    USAGE,
    End,
    ScriptedUpstream,
    chunked,
    entry_of,
    event,
    head,
    scripted,
    sse_head,
    whole,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

PRICE = Price(input=2_500_000, output=10_000_000)  # 2.50 and 10 dollars a million


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with scripted() as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(
    upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RunningGateway]:
    folder = tmp_path_factory.mktemp("ledger")
    async with ledger_over(folder, entry_of(upstream), prices={"scripted/*": PRICE}) as found:
        yield found


async def last_record(gateway: RunningGateway) -> UsageRecord:
    return (await records_of(gateway))[-1]


async def test_a_completion_is_charged_by_the_upstream_s_count(gateway, upstream):
    answer = json.loads(ANSWER)
    answer["usage"] = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
    upstream.tell(whole(json.dumps(answer).encode()))

    reply = await ask(gateway, chat())
    record = await last_record(gateway)

    assert reply.header("x-request-id") == record.id
    assert (1000, 100, "upstream") == (
        record.input_tokens,
        record.output_tokens,
        record.usage_source,
    )
    assert record.cost_nano == 2_500_000 + 1_000_000
    assert (200, "complete", 1, True) == (
        record.status,
        record.outcome,
        record.attempts,
        record.priced,
    )
    assert ("key_file_", "m", "scripted") == (record.key_id[:9], record.model, record.upstream)
    assert record.ttft_us is not None
    assert record.sent_us is not None
    assert 0 < record.sent_us <= record.ttft_us <= record.duration_us


async def test_a_stream_is_charged_by_the_count_that_its_client_does_not_see(gateway, upstream):
    """J13: the gateway asks for it, and takes the chunk out again."""
    body = chunked(FIRST + SECOND + FINISH + USAGE + DONE) + LAST_CHUNK
    upstream.tell(sse_head() + body)

    reply = await ask(gateway, chat(stream=True))
    record = await last_record(gateway)

    assert b'"usage"' not in reply.body
    assert b'"include_usage":true' in upstream.seen[-1].body
    assert (3, 2, "upstream", True) == (
        record.input_tokens,
        record.output_tokens,
        record.usage_source,
        record.stream,
    )


@pytest.mark.parametrize(
    ("script", "outcome", "source"),
    [
        pytest.param((whole(ANSWER),), "complete", "upstream", id="a whole answer"),
        pytest.param(
            (sse_head() + chunked(FIRST + SECOND + FINISH + DONE) + LAST_CHUNK,),
            "complete",
            "estimated",
            id="J13: a stream without a count",
        ),
        pytest.param(
            (sse_head() + chunked(FIRST + SECOND), End.CLOSE),
            "upstream_cut",
            "estimated",
            id="J5: a cut stream is charged for what was sent",
        ),
        pytest.param((End.CLOSE,), "upstream_cut", "estimated", id="a cut before the answer"),
        pytest.param(
            (whole(b'{"error":{"message":"a long text of no use"}}', 500),),
            "upstream_error",
            "",
            id="J14: an error's text is no output",
        ),
        pytest.param((head(200) + b"<html>", End.CLOSE), "upstream_error", "", id="no answer"),
    ],
)
async def test_each_end_has_its_record(gateway, upstream, script, outcome, source):
    is_stream = b"event-stream" in script[0] if isinstance(script[0], bytes) else False
    upstream.tell(*script)

    reply = await ask(gateway, chat(stream=is_stream))
    record = await last_record(gateway)

    assert reply.header("x-request-id") == record.id
    assert (outcome, source) == (record.outcome, record.usage_source)
    assert (record.input_tokens > 0) == bool(source)
    assert (record.cost_nano > 0) == bool(source)


async def test_a_client_that_leaves_is_charged_for_what_was_streamed(gateway, upstream):
    words = b"".join(event("word " * 20) for _ in range(10))
    upstream.tell(sse_head() + chunked(FIRST + words), End.HOLD)
    before = len(gateway.lines())

    async with connected(gateway) as client:
        await client.send(chat(stream=True))
        await client.begin()
        while b"word " not in await client.chunk():
            pass
        client.close()
    assert await eventually(lambda: len(gateway.lines()) > before)
    record = await last_record(gateway)

    assert ("client_gone", "estimated") == (record.outcome, record.usage_source)
    assert record.output_tokens >= 10 * 100 // 4


async def test_a_refusal_leaves_no_trace(gateway):
    """Law 4, R27: no upstream was asked, so there is nothing to account for."""
    before = await records_of(gateway)

    reply = await ask(gateway, request("POST", "/v1/chat/completions", b"{", key=KEY))

    assert reply.status == 400
    assert await records_of(gateway) == before


async def test_the_log_and_the_ledger_say_the_same(gateway, upstream):
    """R27: one outcome, in metric, line and record; J12 is the cost's."""
    upstream.tell(whole(ANSWER))
    await ask(gateway, chat())
    record, line = await last_record(gateway), gateway.lines()[-1]

    assert (record.id, record.outcome) == (line["request_id"], line["outcome"])
    assert record.cost_nano / 1e9 == line["cost_usd"]


async def test_what_was_spent_is_known_after_a_restart(upstream, tmp_path: Path):
    entry = entry_of(upstream)
    keys = keeping(tmp_path, entry).keys
    limited = replace(keys[0], limits=Limits(budget_nano=15_000, budget_period="month"))
    changes = {"prices": {"scripted/m": Price(request=10_000_000)}, "keys": (limited,)}
    upstream.tell(whole(ANSWER))
    async with ledger_over(tmp_path, entry, **changes) as first:
        assert (await ask(first, chat())).status == 200

    async with ledger_over(tmp_path, entry, **changes) as second:
        refused = await ask(second, chat())

    assert (429, "insufficient_quota") == (refused.status, refused.json()["error"]["code"])
    assert refused.header("x-should-retry") == "false"


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(chat(), id="an answer"),
        pytest.param(request("GET", "/v1/models"), id="the list"),
        pytest.param(request("GET", "/v1/me"), id="oneself"),
        pytest.param(request("POST", "/v1/chat/completions", b"{"), id="400"),
        pytest.param(request("GET", "/v1/models/none"), id="404 a model"),
        pytest.param(request("GET", "/v1/requests/none"), id="404 an exchange"),
        pytest.param(request("POST", "/v1/embeddings", b"{}"), id="404 an endpoint"),
    ],
)
async def test_c5_every_reply_says_where_the_limits_stand(upstream, tmp_path: Path, sent):
    upstream.tell(whole(ANSWER))
    keys = keeping(tmp_path, entry_of(upstream)).keys
    limited = (replace(keys[0], limits=Limits(rpm=60, tpm=100_000)),)
    async with ledger_over(tmp_path, entry_of(upstream), keys=limited) as limiting:
        reply = await ask(limiting, sent)

    assert ("60", "100000") == (
        reply.header("x-ratelimit-limit-requests"),
        reply.header("x-ratelimit-limit-tokens"),
    )
    assert reply.header("x-ratelimit-reset-requests") is not None


@pytest.mark.parametrize(
    ("model", "path", "status"),
    [
        pytest.param("gpt-4o", "/openmind/v1/openai/chat/completions", 200, id="the usual one"),
        pytest.param("gpt-4o", "/openmind/v1/nearai/chat/completions", 404, id="S15: another one"),
        pytest.param("deepseek-chat", "/openmind/v1/deepseek/chat/completions", 200, id="granted"),
        pytest.param("deepseek-chat", "/openmind/v1/openai/chat/completions", 404, id="elsewhere"),
    ],
)
async def test_s15_a_path_that_names_a_provider_leads_no_further(model, path, status):
    models = ("openmind/gpt-4o", "openmind/deepseek/*")
    async with running_demo(keys=(KeyEntry("test", SecretStr(KEY), models=models),)) as demo:
        reply = await ask(demo, request("POST", path, chat_body(model)))

    assert status == reply.status
