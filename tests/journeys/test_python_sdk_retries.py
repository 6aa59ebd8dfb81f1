"""Retries are the SDK's: the gateway neither multiplies them nor lets it try what cannot succeed (contract G)."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from openai import AsyncOpenAI

from tests.fakes.gateways import KEY, RunningGateway
from tests.journeys.python_sdk import ask
from tests.journeys.sdk_cases import ALL, FIRST_WORD, HOWS, STREAMED, TEXT, WHOLE, model

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def retrying(shared_demo: RunningGateway) -> AsyncIterator[AsyncOpenAI]:
    """The SDK with the number of retries it has by itself, which is two."""
    async with AsyncOpenAI(base_url=shared_demo.base_url, api_key=KEY) as sdk:
        assert 2 == sdk.max_retries
        yield sdk


def asked_for(gateway: RunningGateway, name: str) -> int:
    """How many requests for a model reached the upstream."""
    assert gateway.simulators is not None
    wanted = name.rpartition("/")[2]
    return sum(wanted == seen.json()["model"] for seen in gateway.simulators.seen if seen.body)


@pytest.mark.parametrize(
    "words",
    [
        pytest.param("status-400", id="a bad request is not tried again"),
        pytest.param("status-401", id="a refused credential is not tried again"),
        pytest.param("status-402", id="an empty wallet is not tried again"),
        pytest.param("status-403", id="a forbidden upstream is not tried again"),
        pytest.param("status-404", id="what is not there is not tried again"),
        pytest.param("status-408", id="an upstream that gave up is not tried again"),
        pytest.param("status-409", id="a lasting conflict is not tried again"),
        pytest.param("status-422", id="what cannot be processed is not tried again"),
        pytest.param("quota", id="a used up quota is not tried again"),
        pytest.param("html-403", id="a page that forbids is not tried again"),
        pytest.param("rate-3600", id="an hour is not waited for"),
    ],
)
async def test_a_final_error_is_asked_once(
    retrying: AsyncOpenAI, shared_demo: RunningGateway, words: str
) -> None:
    for dialect in ALL:
        for place, how in enumerate(HOWS):
            name = model(dialect, f"{words}-gap-{place}")
            seen = await ask(retrying, name, how)
            assert seen.failure is not None
            assert 1 == asked_for(shared_demo, name)


async def test_a_stream_that_began_is_not_tried_again(
    retrying: AsyncOpenAI, shared_demo: RunningGateway
) -> None:
    for dialect in ALL:
        name = model(dialect, f"cut-{FIRST_WORD[dialect]}-gap-1")
        seen = await ask(retrying, name, STREAMED)
        assert seen.failure is not None
        assert 1 == asked_for(shared_demo, name)


async def test_what_may_pass_is_tried_three_times_and_not_nine(
    retrying: AsyncOpenAI, shared_demo: RunningGateway
) -> None:
    words = ("status-500", "status-503", "html-502", "truncjson", "empty", "badjson-1")
    names = [model(dialect, f"{word}-gap-1") for dialect in ALL for word in words]
    seen = await asyncio.gather(*(ask(retrying, name) for name in names))

    assert all(one.failure is not None for one in seen)
    assert dict.fromkeys(names, 3) == {name: asked_for(shared_demo, name) for name in names}


async def test_a_closed_connection_is_renewed_once_a_try(
    retrying: AsyncOpenAI, shared_demo: RunningGateway
) -> None:
    # Only a reused connection that closes without a byte is replaced (contract G9), so how often depends on the pool.
    names = [model(dialect, f"{word}-gap-1") for dialect in ALL for word in ("reset-0", "cut-0")]
    seen = await asyncio.gather(*(ask(retrying, name) for name in names))

    assert {"upstream_disconnected"} == {one.failure and one.failure.code for one in seen}
    assert [] == [name for name in names if not 3 <= asked_for(shared_demo, name) <= 6]


async def test_a_fault_that_passes_goes_unnoticed(
    retrying: AsyncOpenAI, shared_demo: RunningGateway
) -> None:
    words = ("status-500", "status-429", "reset-0", "cut-0")
    asks = [
        (model(dialect, f"{word}-first-1-gap-{place}"), how)
        for dialect in ALL
        for word in words
        for place, how in enumerate((WHOLE, STREAMED))
    ]
    seen = await asyncio.gather(*(ask(retrying, name, how) for name, how in asks))

    assert [(TEXT, None)] * len(asks) == [(one.text, one.failure) for one in seen]
    assert {2} == {asked_for(shared_demo, name) for name, _ in asks}


async def test_the_stated_wait_is_kept(retrying: AsyncOpenAI, shared_demo: RunningGateway) -> None:
    begun = time.monotonic()
    names = [model(dialect, "rate-1-first-1") for dialect in ALL]
    seen = await asyncio.gather(*(ask(retrying, name) for name in names))

    assert [TEXT] * len(ALL) == [one.text for one in seen]
    assert time.monotonic() - begun >= 1
    assert {2} == {asked_for(shared_demo, name) for name in names}
