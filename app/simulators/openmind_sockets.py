"""Where OpenMind's websockets are (N3, N4, X16), and how they let somebody in."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from app.simulators.control import Script
from app.simulators.dialect import Call, Dialect, Ids, Route
from app.simulators.keys import PREFIXES
from app.simulators.openmind import NAME, WORD_PROBLEMS, shape
from app.simulators.recognition import ELEVENLABS, GOOGLE, RIVA, Engine, Recognition
from app.simulators.replies import Problem, RefusalError, Reply, compact
from app.simulators.session import Say, Session

CARRIER = "?api_key"
MISSING_KEY = "Missing API key. Please connect with ?api_key=YOUR_API_KEY"
INVALID_KEY = "Invalid API key: no such key"
FRAMES_PER_REPLY = 5

_Begin = Callable[[Script], Session]


class Vision:
    """VILA: a reply to each fifth frame."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self._frames = 0

    def greet(self) -> Sequence[Say]:
        """Nothing."""
        return []

    def hear(self, message: str | bytes, at_seconds: float) -> Sequence[Say]:
        """A reply once there were five; what is no frame is ignored."""
        if not _is_frame(message):
            return []
        self._frames += 1
        if self._frames % FRAMES_PER_REPLY:
            return []
        return [compact({"vlm_reply": f"I have seen {self._frames} frames."})]

    def farewell(self) -> Sequence[str]:
        """Nothing."""
        return []


def dialects() -> tuple[Dialect, ...]:
    """One for each address, since the key stands in the query here alone."""
    ids = Ids()

    def recognizer(engine: Engine) -> _Begin:
        return lambda script: Recognition(engine, script, ids.next_number())

    cores = (PREFIXES[NAME], PREFIXES[NAME] + "/v1")  # of both generations
    google = ((), ("v1",), ("v2",))
    return (
        *(_dialect(core + "/google/asr", google, recognizer(GOOGLE)) for core in cores),
        *(_dialect(core + "/elevenlabs/asr", ((),), recognizer(ELEVENLABS)) for core in cores),
        _dialect(PREFIXES["riva-asr"], ((), ("",)), recognizer(RIVA)),
        _dialect(PREFIXES["vila"], ((), ("",)), lambda script: Vision()),
    )


def _dialect(prefix: str, paths: tuple[tuple[str, ...], ...], begin: _Begin) -> Dialect:
    def answer(call: Call) -> Reply:
        if (call.request.header("upgrade") or "").lower() != "websocket":
            headers = (("upgrade", "websocket"), ("connection", "Upgrade"))
            raise RefusalError(Problem(426, "Upgrade Required", "", headers=headers))
        return Reply(session=begin(call.script))

    return Dialect(
        name=NAME,
        prefix=prefix,
        carrier=CARRIER,
        routes=tuple(Route("GET", path, answer, "query") for path in paths),
        shape=shape,
        word_problems=WORD_PROBLEMS,
        missing_key=MISSING_KEY,
        invalid_key=INVALID_KEY,
    )


def _is_frame(message: str | bytes) -> bool:
    try:
        fields = json.loads(message)
    except ValueError:
        return False
    return isinstance(fields, dict) and isinstance(fields.get("frame"), str)
