"""How the official Python SDK finds the gateway: base URLs, keys, pins, models, and what replies carry."""

from typing import Any

import pytest
from openai import (
    AsyncAzureOpenAI,
    AsyncOpenAI,
    AuthenticationError,
    NotFoundError,
    Omit,
    PermissionDeniedError,
)

from tests.fakes.gateways import KEY, OTHER_KEY, RunningGateway
from tests.journeys.python_sdk import ask
from tests.journeys.sdk_cases import ALL, HOWS, MODELS, TEXT, model

pytestmark = pytest.mark.asyncio(loop_scope="module")

LISTED = (
    "4minds-model-123",
    "4minds-model-456",
    "Gemma-12B AWQ",
    "sales_mind",
    "support_mind",
    "gpt-4o",
    "grok-2-latest",
    "sim-gpt",
    "org/model:v1",
    "name with space",
    "gpt-4",
    "fast",
)
HELLO: Any = [{"role": "user", "content": "Hello there"}]


def sdk(gateway: RunningGateway, base: str = "/v1", **options: Any) -> AsyncOpenAI:
    """A client that asks once, at *base* of the gateway."""
    return AsyncOpenAI(
        base_url=gateway.root + base, **{"api_key": KEY, "max_retries": 0, "timeout": 10, **options}
    )


# --- models ---------------------------------------------------------------------------------------------------------


async def test_models_are_listed_in_one_page(client: AsyncOpenAI) -> None:
    page = await client.models.list()
    names = [one.id for one in page.data]

    assert set(LISTED) <= set(names)
    assert len(names) == len(set(names))
    assert not page.has_next_page()
    assert [] == [one for one in page.data if not one.owned_by or one.object != "model"]
    assert names == [one.id async for one in client.models.list()]


async def test_every_listed_model_can_be_asked_for(client: AsyncOpenAI) -> None:
    names = [one.id async for one in client.models.list()]

    assert names == [(await client.models.retrieve(name)).id for name in names]


@pytest.mark.parametrize("name", LISTED)
async def test_every_listed_model_answers(client: AsyncOpenAI, name: str) -> None:
    assert TEXT == (await ask(client, name)).text


@pytest.mark.parametrize(
    "name", ["nope", "local/nope", "org/nope:v1", "no such name", "ünknown/🎉"]
)
async def test_an_unknown_model_is_not_found(client: AsyncOpenAI, name: str) -> None:
    with pytest.raises(NotFoundError) as raised:
        await client.models.retrieve(name)

    assert "model_not_found" == raised.value.code
    assert "model" == raised.value.param
    for how in HOWS:
        seen = await ask(client, name, how)
        assert seen.failure is not None
        assert ("NotFoundError", "model_not_found") == (seen.failure.name, seen.failure.code)


@pytest.mark.parametrize(
    "name", ["org/model:v1", "name with space", "local/org/model:v1", "4minds-model-456"]
)
@pytest.mark.asyncio(loop_scope="function")  # as the gateway of its own
async def test_a_model_is_deleted(demo: RunningGateway, name: str) -> None:
    async with sdk(demo) as client:
        deleted = await client.models.delete(name)
        with pytest.raises(NotFoundError) as raised:
            await client.models.delete(name)

    assert deleted.deleted
    assert ("model", name.removeprefix("local/")) == (deleted.object, deleted.id)
    assert "model_not_found" == raised.value.code


async def test_a_base_model_is_not_deleted(client: AsyncOpenAI) -> None:
    with pytest.raises(PermissionDeniedError) as raised:
        await client.models.delete("sim-gpt")

    assert "insufficient_permissions" == raised.value.code


@pytest.mark.parametrize("name", ["sales_mind", "gpt-4o"])
async def test_deleting_is_not_offered_everywhere(client: AsyncOpenAI, name: str) -> None:
    with pytest.raises(NotFoundError) as raised:
        await client.models.delete(name)

    assert "unsupported_endpoint" == raised.value.code


# --- where, and with which key --------------------------------------------------------------------------------------

PINNED = ("/openmind/v1", "/openmind/v1/", "/openmind", "/openmind/")


@pytest.mark.parametrize("base", ["/v1", "/v1/", "", "/", "/v1/v1", *PINNED])
async def test_a_base_url_works(shared_demo: RunningGateway, base: str) -> None:
    async with sdk(shared_demo, base) as client:
        listed = [one.id async for one in client.models.list()]
        assert [TEXT] * len(HOWS) == [(await ask(client, "gpt-4o", how)).text for how in HOWS]

    assert "gpt-4o" in listed
    assert ("sales_mind" in listed) == (base not in PINNED)


@pytest.mark.parametrize("dialect", ALL)
async def test_a_pin_decides(shared_demo: RunningGateway, dialect: str) -> None:
    name = model(dialect, "burst").partition("/")[2] or model(dialect, "burst")
    upstream = "local" if dialect == "openai" else dialect
    by_header = {"default_headers": {"x-mindgate-upstream": upstream}}
    for where, options in ((f"/{upstream}/v1", {}), ("/v1", by_header)):
        async with sdk(shared_demo, where, **options) as client:
            assert TEXT == (await ask(client, name)).text


async def test_a_pin_refuses_what_its_upstream_lacks(shared_demo: RunningGateway) -> None:
    pins: list[dict[str, Any]] = [
        {"base": "/4minds/v1"},
        {"default_headers": {"x-mindgate-upstream": "4minds"}},
    ]
    for options in pins:
        async with sdk(shared_demo, **options) as client:
            seen = await ask(client, "sim-gpt")
            assert seen.failure is not None
            assert "model_not_found" == seen.failure.code


@pytest.mark.parametrize("carrier", ["x-api-key", "api-key"])
async def test_other_carriers_hold_the_key(shared_demo: RunningGateway, carrier: str) -> None:
    headers: Any = {"Authorization": Omit(), carrier: KEY}
    async with sdk(shared_demo, api_key="unused") as client:
        seen = [await ask(client, "gpt-4o", how, extra_headers=headers) for how in HOWS]
        assert [TEXT] * len(HOWS) == [one.text for one in seen]
        assert [one async for one in client.models.list(extra_headers=headers)]


async def test_the_azure_client_holds_the_key_in_its_own_header(
    shared_demo: RunningGateway,
) -> None:
    async with AsyncAzureOpenAI(
        base_url=shared_demo.base_url, api_version="2024-10-21", api_key=KEY, max_retries=0
    ) as client:
        assert [one async for one in client.models.list()]


@pytest.mark.parametrize("key", ["sk-wrong", OTHER_KEY])
async def test_a_wrong_key_is_refused(shared_demo: RunningGateway, key: str) -> None:
    async with sdk(shared_demo, default_headers={"Authorization": f"Bearer {key}"}) as client:
        for request in (client.models.list(), client.models.retrieve("gpt-4o")):
            with pytest.raises(AuthenticationError) as raised:
                await request
            assert ("invalid_api_key", 401) == (raised.value.code, raised.value.status_code)
            assert raised.value.request_id
        for how in HOWS:
            seen = await ask(client, "gpt-4o", how)
            assert seen.failure is not None
            assert ("AuthenticationError", 401) == (seen.failure.name, seen.failure.status)


async def test_neither_key_nor_organisation_reaches_an_upstream(
    shared_demo: RunningGateway,
) -> None:
    options = {"organization": "org-of-another", "project": "proj-of-another"}
    async with sdk(shared_demo, **options, default_headers={"x-api-key": KEY}) as client:
        for dialect in ALL:
            assert TEXT == (await ask(client, MODELS[dialect])).text
            assert shared_demo.simulators is not None
            sent = str(shared_demo.simulators.seen.last.headers)
            assert KEY not in sent
            assert "-of-another" not in sent
            assert "stainless" not in sent


# --- what replies carry ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", ALL)
async def test_replies_say_who_answered(client: AsyncOpenAI, dialect: str) -> None:
    raw = await client.chat.completions.with_raw_response.create(
        model=MODELS[dialect], messages=HELLO
    )

    assert raw.headers["x-mindgate-upstream"] == ("local" if dialect == "openai" else dialect)
    assert raw.headers["x-mindgate-model"] == MODELS[dialect].rpartition("/")[2]
    assert raw.headers["x-mindgate-attempts"] == "1"
    assert raw.headers["x-request-id"] == raw.request_id
    assert "sim-" in raw.headers["x-mindgate-upstream-request-id"]
    assert raw.headers["content-type"].startswith("application/json")
    assert "set-cookie" not in raw.headers
    assert TEXT == raw.parse().choices[0].message.content


@pytest.mark.parametrize("dialect", ALL)
async def test_streams_say_who_answered(client: AsyncOpenAI, dialect: str) -> None:
    async with client.chat.completions.with_streaming_response.create(
        model=MODELS[dialect], messages=HELLO, stream=True
    ) as raw:
        lines = [line async for line in raw.iter_lines()]

    assert raw.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert raw.headers["x-mindgate-upstream"] == ("local" if dialect == "openai" else dialect)
    assert raw.request_id
    assert "data: [DONE]" == [line for line in lines if line][-1]


async def test_each_exchange_has_an_id_of_its_own(client: AsyncOpenAI) -> None:
    answers = [
        await client.chat.completions.create(model="gpt-4o", messages=HELLO) for _ in range(3)
    ]
    page = await client.models.list()
    one = await client.models.retrieve("gpt-4o")

    ids = [found._request_id for found in (*answers, page, one)]
    assert all(ids)
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("openmind/gpt-4o", "gpt-4o-2024-08-06"),
        ("gpt-4", "gpt-4o-2024-08-06"),
        ("4minds/4minds-model-123", "4minds-model-123"),
        ("minds/sales_mind", "sales_mind"),
        ("openmind/deepseek/deepseek-chat", "deepseek-chat-2025-04-14"),
    ],
)
async def test_the_model_is_what_the_upstream_says(
    client: AsyncOpenAI, name: str, said: str
) -> None:
    answer = await client.chat.completions.create(model=name, messages=HELLO)

    assert said == answer.model


@pytest.mark.parametrize("dialect", ALL)
async def test_no_error_tells_of_the_upstreams_address_or_key(
    client: AsyncOpenAI, shared_demo: RunningGateway, dialect: str
) -> None:
    for how in HOWS:
        seen = await ask(client, model(dialect, "leak"), how)
        assert seen.failure is not None
    with pytest.raises(Exception, match="simulated error 500") as raised:
        await client.chat.completions.create(model=model(dialect, "leak"), messages=HELLO)

    assert shared_demo.simulators is not None
    text = repr(raised.value) + str(vars(raised.value))
    assert str(shared_demo.simulators.port) not in text
    assert f"sim-{dialect}" not in text.replace(model(dialect, "leak"), "")


async def test_members_the_sdk_does_not_know_reach_the_upstream(
    client: AsyncOpenAI, shared_demo: RunningGateway
) -> None:
    extra = {"4minds": {"big": 2**70, "text": "a\u2028b"}, "cache_control": None}
    for dialect in ALL:
        await client.chat.completions.create(
            model=MODELS[dialect], messages=HELLO, extra_body=extra
        )
        assert shared_demo.simulators is not None
        assert extra.items() <= shared_demo.simulators.seen.last.json().items()


@pytest.mark.asyncio(loop_scope="function")  # as the gateway of its own
async def test_an_upstream_that_refuses_stream_options_is_asked_again_without(
    demo: RunningGateway,
) -> None:
    async with sdk(demo) as client:
        for dialect in ALL:
            for how in HOWS:
                seen = await ask(client, model(dialect, "rejectoptions"), how)
                assert TEXT == seen.text
                assert seen.failure is None
