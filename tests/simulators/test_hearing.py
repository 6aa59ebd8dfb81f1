"""Where speech begins and ends, judged on samples: the same however they are cut."""

import pytest

from app.simulators.hearing import Hearing
from app.simulators.sounds import tone


def sound(ms: int, rate: int = 16_000) -> bytes:
    return b"".join(tone(ms, rate))


def silence(ms: int, rate: int = 16_000) -> bytes:
    return bytes(rate * ms // 1000 * 2)


def finals(pcm: bytes, rate: int = 16_000, piece: int = 3200) -> list[int]:
    ear = Hearing(rate)
    heard = [one for at in range(0, len(pcm), piece) for one in ear.hear(pcm[at : at + piece])]
    return [one.ms for one in [*heard, *ear.last()] if one.what == "final"]


@pytest.mark.parametrize(
    ("pcm", "expected"),
    [
        pytest.param(silence(3000), [], id="silence is nothing"),
        pytest.param(sound(1000) + silence(500), [1000], id="half a second of silence ends it"),
        pytest.param(sound(1000), [1000], id="what is left counts"),
        pytest.param(
            sound(1000) + silence(490) + sound(500) + silence(600), [1990], id="a pause is within"
        ),
        pytest.param(
            sound(1000) + silence(500) + sound(300) + silence(500), [1000, 300], id="two of them"
        ),
        pytest.param(sound(12_000), [5000, 5000, 2000], id="five seconds are enough"),
        pytest.param(silence(700) + sound(100) + silence(700), [100], id="silence before it"),
    ],
)
@pytest.mark.parametrize("piece", [319, 640, 3200, 10**9])
def test_a_final_says_how_long_the_sound_was(pcm, expected, piece):
    assert finals(pcm, piece=piece) == expected


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050, 24_000, 44_100, 48_000])
def test_every_rate_is_heard_to_the_hundredth(rate):
    assert finals(sound(1230, rate) + silence(600, rate), rate) == [1230]


def test_quiet_noise_is_silence():
    noise = b"\x20\x00\xe0\xff" * 8000

    assert finals(sound(200) + noise) == [200]


def test_partials_come_early_and_then_each_second():
    ear = Hearing(16_000)
    heard = list(ear.hear(sound(3000)))

    assert [one.ms for one in heard if one.what == "partial"] == [100, 200, 1000, 2000, 3000]
    assert heard[0].what == "start"
