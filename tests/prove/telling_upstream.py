"""
An upstream that counts: it chooses what each answer uses, says so, and remembers what it said to whom.

An exchange is known by the `x-request-id` that the gateway sends, which is also the id of its reply and its record.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from tests.fakes.scripted_upstream import (
    DONE,
    FINISH,
    FIRST,
    LAST_CHUNK,
    End,
    Pause,
    ScriptedUpstream,
    Seen,
    Step,
    chunked,
    event,
    head,
    sse_head,
    whole,
)

_WORD = "word " * 20
_LONG = "word " * 800  # a stream of these comes past the bytes between two notes of its progress


@dataclass
class Told:
    """What one exchange was told. *characters*: of output, so far. *is_counted*: the usage has left too.

    *requests*: how often the upstream was asked for it.
    """

    fault: str
    input_tokens: int = 0
    output_tokens: int = 0
    characters: int = 0
    is_counted: bool = False
    requests: int = 0


# How an answer goes wrong, and how often of a hundred; all others are whole.
FAULTS = {"error": 6, "busy": 6, "garbage": 5, "cut": 7, "reset": 6, "stall": 6}


class Teller:
    """Answers what *upstream* is asked. *faults*: how often of a hundred each is chosen; none: all answers are whole.

    *pause*: at most so many seconds between two events of a stream.
    """

    def __init__(
        self,
        upstream: ScriptedUpstream,
        chance: Random,
        *,
        faults: dict[str, int] | None = None,
        pause: float = 0.02,
    ) -> None:
        self.told: dict[str, Told] = {}
        self._chance = chance
        self._faults = faults or {}
        self._pause = pause
        upstream.answer = self._answer
        self._scripts: dict[str, Callable[[Told, bool], Iterator[Step]]] = {
            "": self._whole,
            "error": lambda *_: _steps(whole(b'{"error":{"message":"sorry"}}', 500)),
            "busy": lambda *_: _steps(whole(b'{"error":{"message":"later"}}', 429)),
            "garbage": lambda *_: _steps(head(200) + b"<html>no</html>", End.CLOSE),
            "cut": lambda told, is_stream: self._broken(told, is_stream, End.CLOSE),
            "reset": lambda told, is_stream: self._broken(told, is_stream, End.RESET),
            "stall": lambda told, is_stream: self._broken(told, is_stream, End.HOLD),
        }

    def _answer(self, seen: Seen) -> Iterator[Step]:
        chance = self._chance
        names, weights = list(self._faults), list(self._faults.values())
        [fault] = chance.choices([*names, ""], [*weights, 100 - sum(weights)])
        told = self.told.setdefault(seen.header("x-request-id") or "", Told(fault))
        told.requests += 1
        told.fault = fault
        told.input_tokens, told.output_tokens = chance.randrange(1, 5000), chance.randrange(1, 3000)
        return self._scripts[fault](told, b'"stream":true' in seen.body.replace(b" ", b""))

    def _whole(self, told: Told, is_stream: bool) -> Iterator[Step]:
        if not is_stream:
            yield Pause(self._chance.random() * self._pause)
            told.is_counted = True
            yield whole(_answer(told))
            return
        yield from self._events(told, self._chance.randrange(12))
        told.is_counted = True
        yield chunked(FINISH + _usage(told) + DONE) + LAST_CHUNK

    def _events(self, told: Told, count: int) -> Iterator[Step]:
        text = _LONG if self._chance.random() < 0.15 else _WORD
        if text is _LONG:
            count += 20
        told.characters += len("one")
        yield sse_head() + chunked(FIRST)
        for _ in range(count):
            told.characters += len(text)
            yield chunked(event(text))
            yield Pause(self._chance.random() * self._pause)

    def _broken(self, told: Told, is_stream: bool, end: End) -> Iterator[Step]:
        """Ends before anything, or in the middle."""
        if self._chance.random() < 0.5:
            yield end
        elif is_stream:
            yield from self._events(told, 1 + self._chance.randrange(4))
            yield end
        else:
            yield whole(_answer(told))[:-20]
            yield end


def _steps(*steps: Step) -> Iterator[Step]:
    return iter(steps)


def _usage_json(told: Told) -> str:
    return json.dumps(
        {
            "prompt_tokens": told.input_tokens,
            "completion_tokens": told.output_tokens,
            "total_tokens": told.input_tokens + told.output_tokens,
        }
    )


def _usage(told: Told) -> bytes:
    return (
        'data: {"id":"c-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],'
        f'"usage":{_usage_json(told)}}}\n\n'
    ).encode()


def _answer(told: Told) -> bytes:
    return (
        '{"id":"c-1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":'
        '{"role":"assistant","content":"one two"},"finish_reason":"stop"}],'
        f'"usage":{_usage_json(told)}}}'
    ).encode()
