"""Streams as upstreams send them, and how the tests put them through."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from openai.types.chat import ChatCompletionChunk

from app.domain.usage import Usage
from app.protocol.answer_rules import OPENAI_RULES, AnswerRules
from app.protocol.chat_stream import ChatStream, FaultReason, Identity, StreamFault

MADE_UP = Identity(id="chatcmpl-made0up", created=1700000000, model="asked-model")
HEAD = '"id":"c1","object":"chat.completion.chunk","created":1740830400,"model":"m1"'
USAGE = '{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13}'
DONE = "data: [DONE]\n\n"


def sse(*events: str) -> str:
    """One data line and a blank line each."""
    return "".join(f"data: {event}\n\n" for event in events)


def chunk(delta: str = "{}", finish: str = "null", index: int = 0, rest: str = "") -> str:
    """A chunk of HEAD's stream with one choice."""
    choice = f'{{"index":{index},"delta":{delta},"finish_reason":{finish}}}'
    return f'{{{HEAD},"choices":[{choice}]{rest}}}'


def usage_chunk(usage: str = USAGE) -> str:
    return f'{{{HEAD},"choices":[],"usage":{usage}}}'


FIRST = chunk('{"role":"assistant","content":""}')
HELLO = chunk('{"content":"Héllo \u2028 \x85 wörld"}')
STOP = chunk(finish='"stop"')
CALL = chunk(
    '{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"call_1","type":"function",'
    '"function":{"name":"f","arguments":""}}]}'
)
CALL_MORE = chunk('{"tool_calls":[{"index":0,"function":{"arguments":"{\\"a\\":1}"}}]}')


@dataclass(frozen=True)
class Result:
    """All that a stream shows at its end."""

    sent: str
    fault: StreamFault | None
    usage: Usage | None
    finish_reason: str | None
    has_content: bool
    output_characters: int
    dropped_events: int

    @property
    def reason(self) -> FaultReason | None:
        """Why it failed; None when it did not."""
        return self.fault.reason if self.fault else None

    @property
    def chunks(self) -> list[dict[str, Any]]:
        """The chunks sent, each accepted by the official SDK's strict models first."""
        events = [
            e for e in self.sent.split("\n\n") if e.startswith("data: ") and "[DONE]" not in e
        ]
        found = [json.loads(event.removeprefix("data: ")) for event in events]
        for each in found:
            ChatCompletionChunk.model_validate(each, strict=True)
        return found


def run(
    received: str | bytes,
    *,
    rules: AnswerRules = OPENAI_RULES,
    include_usage: bool = False,
    clean: bool = True,
    cuts: Iterator[bytes] | None = None,
    max_event_bytes: int = 1 << 20,
) -> Result:
    """The stream through ChatStream, read by read."""
    data = received.encode() if isinstance(received, str) else received
    stream = ChatStream(
        rules=rules,
        include_usage=include_usage,
        identity=MADE_UP,
        max_event_bytes=max_event_bytes,
    )
    sent = b"".join(stream.feed(piece) for piece in (cuts or iter([data])))
    sent += stream.finish(clean=clean)
    return Result(
        sent.decode(),
        stream.fault,
        stream.progress.usage,
        stream.progress.finish_reason,
        stream.progress.has_content,
        stream.progress.output_characters,
        stream.dropped_events,
    )


def sizes(data: bytes, size: int) -> Iterator[bytes]:
    """The bytes in reads of *size*."""
    return (data[start : start + size] for start in range(0, len(data), size))


def at(data: bytes, cut: int) -> Iterator[bytes]:
    """The bytes in two reads."""
    return iter((data[:cut], data[cut:]))


def seeded(data: bytes, seed: int) -> Iterator[bytes]:
    """The bytes in reads of random sizes, empty ones too."""
    dice = random.Random(seed)
    start = 0
    while start < len(data):
        size = dice.choice((0, 1, 2, 3, 7, 40, 300))
        yield data[start : start + size]
        start += size
