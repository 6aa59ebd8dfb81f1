"""A sound to a recognition socket and back, in no real time (upstreams A11, A12, A14; law 5)."""

import asyncio
import struct
from base64 import b64decode
from typing import Any

import pytest

from app.domain.configuration import RecognitionOptions
from app.domain.errors import (
    UpstreamAnswered,
    UpstreamDisconnected,
    UpstreamRefusedCredential,
    UpstreamTimeout,
)
from app.protocol.wav import raw_sound
from app.proxy.recogniser import Recogniser
from app.upstreams.recognition import GOOGLE, RIVA, Engine, Recognition
from tests.fakes.clock import Clock
from tests.fakes.engines import FakeEngine, Sleeping
from tests.fakes.upstreams import upstream_of

UPSTREAM = upstream_of("openmind")


class Notes:
    """Keeps the contract of `Listener`."""

    def __init__(self) -> None:
        self.finals: list[str] = []
        self.sent_ms = 0

    def heard(self, final: str) -> None:
        self.finals.append(final)

    def went_on(self, sent_ms: int) -> None:
        self.sent_ms = sent_ms


class Talking:
    """One sound and one engine."""

    def __init__(
        self, ms: int = 1000, engine: Engine = RIVA, rate: int = 16_000, **options: Any
    ) -> None:
        self.clock = Clock()
        self.began = self.clock()
        self.engine = FakeEngine(self.clock)
        count = rate * ms // 1000
        samples = struct.pack(f"<{count}h", *(n % 9 for n in range(count)))
        self.recognition = Recognition(
            engine, raw_sound(samples, rate), "", RecognitionOptions(**options)
        )
        self.notes = Notes()

    async def run(self) -> str:
        """What was understood."""
        recogniser = Recogniser(self.clock, Sleeping(self.clock))
        await recogniser.recognise(self.recognition, self.engine, UPSTREAM, self.notes)
        return self.recognition.text

    def after(self, pieces: int, **message: object) -> None:
        """The engine says *message* when it has heard so many pieces."""
        self.when(pieces, lambda: self.engine.say(**message))

    def when(self, pieces: int, act: Any) -> None:
        before = self.engine.on_told

        def told(count: int) -> None:
            before(count)
            if count == pieces:
                act()

        self.engine.on_told = told

    @property
    def lasted(self) -> float:
        return self.clock() - self.began


async def test_all_of_it_is_sent_and_what_was_understood_comes_back():
    one = Talking()
    one.after(5, asr_reply="hello")
    one.after(25, asr_reply="there")

    assert "hello there" == await one.run()
    assert (["hello", "there"], 1000) == (one.notes.finals, one.notes.sent_ms)
    assert 25 == len(one.engine.told)  # 1 s, and 1.5 s of silence
    assert one.engine.ended_at == pytest.approx(one.clock(), abs=0.1)
    assert one.lasted == pytest.approx(25 * 0.08 + 2, abs=0.2)


async def test_a_sound_of_many_bytes_arrives_whole_too():
    """Its pieces are made in a thread."""
    one = Talking(rate=192_000)
    one.after(5, asr_reply="hello")

    assert "hello" == await one.run()
    sent = b"".join(b64decode(str(message["audio"])) for _, message in one.engine.told)
    assert bytes(one.recognition.sound.samples) == sent[: 2 * 192_000]


@pytest.mark.parametrize(
    ("greeted_after", "began_after"),
    [
        pytest.param(0.1, 0.1, id="A11: as soon as it greets"),
        pytest.param(None, 0.5, id="A11: at the latest after half a second"),
        pytest.param(3.0, 0.5, id="A11: however late it greets"),
    ],
)
async def test_a_greeting_is_waited_for_but_not_long(greeted_after, began_after):
    one = Talking(engine=GOOGLE)
    if greeted_after is not None:
        one.clock.call_later(greeted_after, lambda: one.engine.say(type="connection"))
    one.after(3, asr_reply="hello")

    assert "hello" == await one.run()
    assert one.engine.told[0][0] - one.began == pytest.approx(began_after, abs=0.06)


async def test_where_there_is_no_greeting_none_is_waited_for():
    one = Talking()
    await one.run()

    assert one.engine.told[0][0] == one.began


async def test_a12_what_an_engine_says_behind_our_close_counts():
    one = Talking()

    def works_off() -> None:
        one.clock.call_later(0.4, lambda: one.engine.say(asr_reply="at last"))
        one.clock.call_later(0.8, one.engine.hang_up)

    one.engine.on_end = works_off

    assert "at last" == await one.run()
    assert one.lasted == pytest.approx(25 * 0.08 + 5 + 0.8, abs=0.2)


async def test_a12_an_engine_that_does_not_close_is_left_after_two_seconds():
    one = Talking()
    one.after(9, asr_reply="hello")
    one.engine.on_end = lambda: None

    assert "hello" == await one.run()
    assert one.engine.was_aborted
    assert one.lasted == pytest.approx(25 * 0.08 + 2 + 2, abs=0.2)


async def test_o8_no_speech_is_an_empty_text():
    assert "" == await Talking().run()


@pytest.mark.parametrize(
    ("code", "reason", "error"),
    [
        pytest.param(1000, "", UpstreamDisconnected, id="A14: an early end"),
        pytest.param(1006, "", UpstreamDisconnected, id="A14: a cut"),
        pytest.param(1008, "bad key", UpstreamRefusedCredential, id="A14: the key"),
        pytest.param(1008, "quota", UpstreamAnswered, id="A14: the quota"),
    ],
)
async def test_a_socket_that_ends_early_is_an_error_and_nothing_more_is_sent(code, reason, error):
    one = Talking()
    one.when(5, lambda: one.engine.hang_up(code, reason))

    with pytest.raises(error):
        await one.run()
    assert 5 == len(one.engine.told)


@pytest.mark.parametrize("code", [1000, 1001, 1005])
async def test_an_engine_that_closes_once_it_has_all_is_done(code):
    """ElevenLabs closes after silence."""
    one = Talking()
    one.after(20, asr_reply="hello")
    one.when(25, lambda: one.engine.hang_up(code))

    assert "hello" == await one.run()
    assert one.lasted < 25 * 0.08 + 0.5


async def test_a_cut_is_an_error_even_when_all_was_sent():
    one = Talking()
    one.when(25, lambda: one.engine.hang_up(1006))

    with pytest.raises(UpstreamDisconnected):
        await one.run()


@pytest.mark.parametrize(
    ("words", "error"),
    [
        pytest.param("Failed to decode audio: odd", UpstreamAnswered, id="A14: the sound's fault"),
        pytest.param("Speech recognition error: 13", UpstreamDisconnected, id="A14: its own"),
    ],
)
async def test_an_error_ends_it_at_once(words, error):
    one = Talking(ms=60_000)
    one.after(3, type="error", message=words)

    with pytest.raises(error):
        await one.run()
    assert len(one.engine.told) <= 4
    assert one.engine.was_aborted


async def test_an_engine_that_takes_too_long_to_take_it_is_given_up():
    one = Talking(ms=1000)
    one.engine.on_told = lambda _: one.clock.advance(4)

    with pytest.raises(UpstreamTimeout) as caught:
        await one.run()
    assert "total" == caught.value.phase
    assert one.lasted < 40


async def test_law_5_a_client_that_leaves_closes_the_socket_at_once():
    one = Talking(ms=60_000)
    reached = asyncio.Event()
    one.when(3, reached.set)
    running = asyncio.ensure_future(one.run())
    await reached.wait()

    running.cancel()
    await asyncio.wait([running])

    assert running.cancelled()
    assert one.engine.was_aborted
    assert 1 == len(asyncio.all_tasks())
