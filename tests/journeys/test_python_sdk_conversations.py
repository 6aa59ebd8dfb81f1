"""Conversations of the official Python SDK: over several turns, with tools, side by side, in any script and manner."""

import asyncio
import json
from typing import Any

import pytest
from openai import APIError, AsyncOpenAI, InternalServerError, OpenAI
from pydantic import BaseModel

from tests.fakes.gateways import KEY, RunningGateway
from tests.journeys.python_sdk import Gathered, ask, seen_of
from tests.journeys.sdk_cases import (
    ALL,
    ARGUMENTS,
    CALLED,
    FIRST_WORD,
    HOWS,
    STREAMED,
    TEXT,
    TOOL,
    complete,
    model,
    plain,
)
from tests.journeys.sdk_texts import TEXTS

pytestmark = pytest.mark.asyncio(loop_scope="module")

Messages = list[dict[str, Any]]


class Echo(BaseModel):
    """What a simulator answers in JSON mode."""

    echo: str


async def turn(client: AsyncOpenAI, name: str, messages: Messages, **members: Any) -> str:
    """One streamed turn, its answer appended to *messages*."""
    gathered = Gathered()
    stream: Any = await client.chat.completions.create(
        model=name,
        messages=messages,  # type: ignore[arg-type] # plain dicts, as users write them
        stream=True,
        **members,
    )
    async with stream:
        async for chunk in stream:
            gathered.add(chunk)
    text = gathered.seen().text
    messages.append({"role": "assistant", "content": text})
    return text


@pytest.mark.parametrize("dialect", ALL)
async def test_a_conversation_carries_its_history(
    client: AsyncOpenAI, shared_demo: RunningGateway, dialect: str
) -> None:
    messages: Messages = [{"role": "system", "content": "Be brief."}]
    for text in ("My name is Ada.", "What is it?", "And yours?"):
        messages.append({"role": "user", "content": text})
        assert f"echo: {text}" == await turn(client, model(dialect), messages)

    assert shared_demo.simulators is not None
    assert messages[:-1] == shared_demo.simulators.seen.last.json()["messages"]


@pytest.mark.parametrize("dialect", ALL)
async def test_a_tool_is_called_and_its_result_goes_back(
    client: AsyncOpenAI, shared_demo: RunningGateway, dialect: str
) -> None:
    messages: Messages = [{"role": "user", "content": f"call get_weather {ARGUMENTS}"}]
    answer = await client.chat.completions.create(
        model=model(dialect),
        messages=messages,  # type: ignore[arg-type]
        tools=[TOOL],  # type: ignore[list-item]
    )
    message = answer.choices[0].message
    assert message.tool_calls is not None
    call = message.tool_calls[0]
    assert call.type == "function"
    result = json.dumps({"sunny": True, **json.loads(call.function.arguments)})
    messages.append(message.to_dict())
    messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
    messages.append({"role": "user", "content": "So?"})

    assert "echo: So?" == await turn(client, model(dialect), messages)
    assert shared_demo.simulators is not None
    upstream = shared_demo.simulators.seen.last.json()["messages"]
    assert messages[:-1] == upstream
    assert call.id == upstream[1]["tool_calls"][0]["id"] == upstream[2]["tool_call_id"]


@pytest.mark.parametrize("dialect", ALL)
async def test_the_helper_tells_of_each_piece(client: AsyncOpenAI, dialect: str) -> None:
    name = model(dialect)
    kinds, text, arguments = [], "", ""
    for asked in ("Hello there", f"call get_weather {ARGUMENTS}"):
        async with client.chat.completions.stream(
            model=name,
            messages=[{"role": "user", "content": asked}],
            tools=[{**TOOL, "function": {**TOOL["function"], "strict": True}}],  # type: ignore[list-item, dict-item]
        ) as stream:
            async for event in stream:
                kinds.append(event.type)
                text += event.delta if event.type == "content.delta" else ""
                if event.type == "tool_calls.function.arguments.delta":
                    arguments += event.arguments_delta

    assert TEXT == text
    assert ARGUMENTS == arguments
    assert {"content.done", "tool_calls.function.arguments.done"} <= set(kinds)


@pytest.mark.parametrize("dialect", ALL)
async def test_an_answer_is_parsed_into_a_model(client: AsyncOpenAI, dialect: str) -> None:
    answer = await client.chat.completions.parse(
        model=model(dialect),
        messages=[{"role": "user", "content": "Hello there"}],
        response_format=Echo,
    )

    assert Echo(echo="Hello there") == answer.choices[0].message.parsed


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("dialect", ALL)
@pytest.mark.parametrize("asked", [pytest.param(text, id=claim) for claim, text in TEXTS.items()])
async def test_text_arrives_as_it_was_sent(
    client: AsyncOpenAI, dialect: str, how: str, asked: str
) -> None:
    seen = await ask(client, model(dialect), how, asked)

    assert f"echo: {asked}" == seen.text
    assert seen.failure is None


@pytest.mark.parametrize("dialect", ALL)
async def test_text_survives_splits_inside_its_characters(
    client: AsyncOpenAI, dialect: str
) -> None:
    asked = "\n".join(TEXTS.values())

    assert f"echo: {asked}" == (await ask(client, model(dialect, "bytes"), STREAMED, asked)).text


@pytest.mark.parametrize("dialect", ALL)
async def test_usage_comes_only_when_asked_for(client: AsyncOpenAI, dialect: str) -> None:
    chunks = {}
    for wanted in (True, False, None):
        options = {} if wanted is None else {"stream_options": {"include_usage": wanted}}
        gathered = Gathered()
        stream: Any = await client.chat.completions.create(
            model=model(dialect, "form-5" if dialect == "minds" else ""),
            messages=[{"role": "user", "content": "Hello there"}],
            stream=True,
            **options,  # type: ignore[call-overload]
        )
        async with stream:
            async for chunk in stream:
                gathered.add(chunk)
        chunks[wanted] = gathered.chunks

    assert [] == chunks[True][-1].choices
    assert [] == [chunk for chunk in chunks[True][:-1] if chunk.usage or not chunk.choices]
    for wanted in (False, None):
        assert [] == [chunk for chunk in chunks[wanted] if chunk.usage or not chunk.choices]


@pytest.mark.parametrize("dialect", ALL)
async def test_chunks_of_one_answer_belong_together(client: AsyncOpenAI, dialect: str) -> None:
    stream = await client.chat.completions.create(
        model=model(dialect), messages=[{"role": "user", "content": "Hello there"}], stream=True
    )
    async with stream:
        chunks = [chunk async for chunk in stream]

    roles = [choice.delta.role for chunk in chunks for choice in chunk.choices]
    assert 1 == len({(chunk.id, chunk.created, chunk.model) for chunk in chunks})
    assert {0} == {choice.index for chunk in chunks for choice in chunk.choices}
    assert ["assistant"] == [role for role in roles if role]
    assert roles[0] == "assistant"


@pytest.mark.parametrize("dialect", ALL)
async def test_a_reset_stream_never_looks_complete(client: AsyncOpenAI, dialect: str) -> None:
    # A reset may overtake what was sent before it, so how much arrived is not said.
    seen = await ask(client, model(dialect, f"reset-{FIRST_WORD[dialect]}"), STREAMED)

    assert seen.failure is not None
    assert "upstream_disconnected" == seen.failure.code
    assert seen.finish_reason is None
    assert TEXT.startswith(seen.text)


async def test_conversations_side_by_side_do_not_mix(client: AsyncOpenAI) -> None:
    async def conversation(number: int) -> list[str]:
        dialect = ALL[number % len(ALL)]
        name, messages, answers = model(dialect, f"gap-{1 + number % 5}"), [], []
        for step in range(3):
            messages.append({"role": "user", "content": f"this is {number} saying {step}"})
            answers.append(await turn(client, name, messages))
        return answers

    found = await asyncio.gather(*(conversation(number) for number in range(40)))

    assert found == [
        [f"echo: this is {number} saying {step}" for step in range(3)] for number in range(40)
    ]


async def test_leaving_a_stream_harms_no_other(client: AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model=model("openmind", "tokens-1000-gap-20"),
        messages=[{"role": "user", "content": "Hello there"}],
        stream=True,
    )
    async with stream:
        async for chunk in stream:
            if chunk.choices[0].delta.content:
                break

    assert complete() == await ask(client, model("openmind"))


@pytest.mark.parametrize("dialect", ALL)
async def test_the_synchronous_sdk_converses(shared_demo: RunningGateway, dialect: str) -> None:
    def converse() -> None:
        with OpenAI(
            base_url=shared_demo.base_url,
            api_key=KEY,
            max_retries=0,
            _strict_response_validation=True,
        ) as client:
            request: Any = {
                "model": model(dialect),
                "messages": [{"role": "user", "content": "Hello there"}],
            }
            assert complete() == seen_of(client.chat.completions.create(**request))

            gathered = Gathered()
            with client.chat.completions.create(
                **request, stream=True, stream_options={"include_usage": True}
            ) as stream:
                for chunk in stream:
                    gathered.add(chunk)
            assert plain(dialect, STREAMED) == gathered.seen()

            with client.chat.completions.stream(
                **{
                    **request,
                    "messages": [{"role": "user", "content": f"call get_weather {ARGUMENTS}"}],
                },
                tools=[TOOL],  # type: ignore[list-item]
            ) as helper:
                assert seen_of(helper.get_final_completion()).calls == CALLED

            request["model"] = model(dialect, f"cut-{FIRST_WORD[dialect]}")
            with (
                pytest.raises(APIError, match="ended its stream"),
                client.chat.completions.create(**request, stream=True) as stream,
            ):
                list(stream)

            request["model"] = model(dialect, "status-500")
            with pytest.raises(InternalServerError) as raised:
                client.chat.completions.create(**request)
            assert raised.value.request_id

    await asyncio.to_thread(converse)
