"""The eyes of the Python SDK: one chat, asked whole, streamed or by the `.stream()` helper, as a `Seen`."""

from typing import Any

from openai import APIError, APIStatusError, AsyncOpenAI
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from tests.journeys.sdk_cases import ASKED, HELPER, STREAMED, WHOLE, Failure, Seen

WITH_USAGE: Any = {"include_usage": True}


async def ask(
    client: AsyncOpenAI, model: str, how: str = WHOLE, asked: str = ASKED, **members: Any
) -> Seen:
    """What *client* shows when it asks *model*; streams ask for their usage."""
    request = {"model": model, "messages": [{"role": "user", "content": asked}], **members}
    manner = {WHOLE: whole, STREAMED: streamed, HELPER: helped}[how]
    return await manner(client, request)


async def whole(client: AsyncOpenAI, request: dict[str, Any]) -> Seen:
    """The answer in one piece."""
    try:
        return seen_of(await client.chat.completions.create(**request))
    except APIError as error:
        return Seen(failure=failure_of(error))


async def streamed(client: AsyncOpenAI, request: dict[str, Any]) -> Seen:
    """The answer from its chunks; a failure keeps what had come."""
    gathered = Gathered()
    try:
        stream: Any = await client.chat.completions.create(
            **request, stream=True, stream_options=WITH_USAGE
        )
        async with stream:
            async for chunk in stream:
                gathered.add(chunk)
    except APIError as error:
        return gathered.seen(failure_of(error))
    return gathered.seen()


async def helped(client: AsyncOpenAI, request: dict[str, Any]) -> Seen:
    """The answer that `.stream()` puts together."""
    try:
        async with client.chat.completions.stream(**request, stream_options=WITH_USAGE) as stream:
            return seen_of(await stream.get_final_completion()).without_reasoning()
    except APIError as error:
        return Seen(failure=failure_of(error))


def seen_of(completion: ChatCompletion) -> Seen:
    """One `chat.completion`."""
    (choice,) = completion.choices
    message = choice.message
    calls = [call for call in message.tool_calls or () if call.type == "function"]
    return Seen(
        text=message.content or "",
        reasoning=getattr(message, "reasoning_content", None) or "",
        calls=tuple((call.function.name, call.function.arguments) for call in calls),
        finish_reason=choice.finish_reason,
        usage=usage_of(completion.usage),
    )


def usage_of(usage: CompletionUsage | None) -> tuple[int, int, int] | None:
    """Prompt, completion and total tokens."""
    if usage is None:
        return None
    return usage.prompt_tokens, usage.completion_tokens, usage.total_tokens


def failure_of(error: APIError) -> Failure:
    """The exception. One with a status carries the id of its exchange."""
    status = error.status_code if isinstance(error, APIStatusError) else None
    if isinstance(error, APIStatusError):
        assert error.request_id
    return Failure(type(error).__name__, status, error.code)


class Gathered:
    """What a user keeps of the chunks of one answer."""

    def __init__(self) -> None:
        self.chunks: list[ChatCompletionChunk] = []
        self._text = self._reasoning = ""
        self._calls: dict[int, list[str]] = {}

    def add(self, chunk: ChatCompletionChunk) -> None:
        """One more."""
        self.chunks.append(chunk)
        for choice in chunk.choices:
            self._text += choice.delta.content or ""
            self._reasoning += getattr(choice.delta, "reasoning_content", None) or ""
            for call in choice.delta.tool_calls or ():
                parts = self._calls.setdefault(call.index, ["", ""])
                parts[0] += call.function.name or "" if call.function else ""
                parts[1] += call.function.arguments or "" if call.function else ""

    def seen(self, failure: Failure | None = None) -> Seen:
        """All of them; a second finish reason or usage is a mistake."""
        finishes = [one.finish_reason for chunk in self.chunks for one in chunk.choices]
        usages = [usage_of(chunk.usage) for chunk in self.chunks]
        finish, usage = _only(finishes), _only(usages)
        return Seen(
            text=self._text,
            reasoning=self._reasoning,
            calls=tuple((name, arguments) for name, arguments in self._calls.values()),
            finish_reason=finish,
            usage=usage,
            statuses=sum("4minds" in (chunk.model_extra or {}) for chunk in self.chunks),
            failure=failure,
        )


def _only(values: list[Any]) -> Any:
    """The one value that is not None; None without any."""
    said = [one for one in values if one is not None]
    assert len(said) <= 1, said
    return said[0] if said else None
