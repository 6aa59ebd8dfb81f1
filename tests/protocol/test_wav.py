"""RIFF files read and written (upstreams A4, A8, A9): whatever is in them, it is one channel of 16 bit in the end."""

import io
import struct
import wave
from array import array
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some

from app.protocol.wav import NotWav, Sound, raw_sound, read_wav, wav_header

SAMPLES = [0, 1, -1, 300, -300, 32767, -32768]
samples = some.lists(some.integers(-32768, 32767), min_size=1, max_size=400)


def wav(
    data: bytes,
    *,
    code: int = 1,
    channels: int = 1,
    rate: int = 16_000,
    bits: int = 16,
    extra: bytes = b"",
    before: bytes = b"",
) -> bytes:
    """A file by hand. *extra*: behind the format's sixteen bytes; *before*: chunks before the samples."""
    width = channels * bits // 8
    about = struct.pack("<HHIIHH", code, channels, rate, rate * width, width, bits) + extra
    chunks = b"fmt " + struct.pack("<I", len(about)) + about + before
    chunks += b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def heard(sound: Sound, start: int = 0, stop: int = 1 << 30) -> list[int]:
    """A stretch of *sound* at its own rate."""
    return list(array("h", sound.at_rate(sound.rate, start, stop)))


def s16(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}h", *values)


# --- reading --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "found"),
    [
        pytest.param(wav(s16(*SAMPLES)), SAMPLES, id="16 bit"),
        pytest.param(wav(bytes([0, 128, 255]), bits=8), [-32768, 0, 32512], id="8 bit, unsigned"),
        pytest.param(
            wav(b"\x99\x01\x02\x99\xff\xff", bits=24), [0x0201, -1], id="24 bit: the upper two bytes"
        ),
        pytest.param(wav(struct.pack("<ii", 1 << 30, -(1 << 31)), bits=32), [1 << 14, -32768], id="32 bit"),
        pytest.param(
            wav(struct.pack("<fffff", 0, 1, -1, 0.5, 7), code=3, bits=32),
            [0, 32767, -32767, 16384, 32767],
            id="float, clipped",
        ),
        pytest.param(
            wav(struct.pack("<ddd", float("nan"), float("-inf"), 0.5), code=3, bits=64),
            [0, -32767, 16384],
            id="what is no number is silence",
        ),
        pytest.param(wav(s16(10, 20, -5, -6), channels=2), [15, -6], id="two channels are mixed"),
        pytest.param(
            wav(s16(3, 6, 9), code=0xFFFE, extra=struct.pack("<HHIH", 22, 16, 4, 1) + bytes(14)),
            [3, 6, 9],
            id="the extensible format",
        ),
        pytest.param(
            wav(s16(1, 2), before=b"LIST\x03\x00\x00\x00abc\x00"), [1, 2], id="odd chunks before it"
        ),
        pytest.param(wav(s16(1, 2) + b"\x07"), [1, 2], id="half a sample at the end"),
        pytest.param(wav(b""), [], id="no samples"),
    ],
)  # fmt: skip
def test_a_file_is_one_channel_of_16_bit(file, found):
    assert found == heard(read_wav(file))


def test_a_stream_s_sizes_mean_all_there_is():
    sound = read_wav(wav_header(24_000) + s16(*SAMPLES))

    assert (SAMPLES, 24_000) == (heard(sound), sound.rate)


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        pytest.param(b"", "RIFF", id="nothing"),
        pytest.param(b"ID3\x04" + bytes(64), "RIFF", id="an mp3"),
        pytest.param(b"RIFX" + bytes(64), "RIFF", id="big-endian"),
        pytest.param(b"RIFF\x00\x00\x00\x00AVI LIST", "RIFF", id="a film"),
        pytest.param(b"RIFF\x00\x00\x00\x00WAVE", "no samples", id="nothing in it"),
        pytest.param(wav(s16(1))[:30], "cut short|no samples", id="cut in its format"),
        pytest.param(b"RIFF\x00\x00\x00\x00WAVEdata\x00\x00\x00\x00", "before their", id="no format"),
        pytest.param(wav(bytes(9), code=85), "number 85", id="mp3 in a WAV"),
        pytest.param(wav(bytes(9), code=7, bits=8), "number 7", id="mu-law"),
        pytest.param(wav(bytes(9), bits=12), "12 bit", id="12 bit"),
        pytest.param(wav(bytes(9), channels=0), "0 channels", id="no channel"),
        pytest.param(wav(bytes(9), channels=9), "9 channels", id="too many channels"),
        pytest.param(wav(bytes(9), rate=0), "0 Hz", id="no rate"),
        pytest.param(wav(bytes(9), rate=1 << 30), "Hz", id="a rate beyond belief"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_says_why(file, reason):
    with pytest.raises(NotWav, match=reason):
        read_wav(file)


@given(some.binary(max_size=300))
def test_any_bytes_are_a_sound_or_none(junk):
    for file in (junk, b"RIFF\x00\x00\x00\x00WAVE" + junk, wav(s16(1, 2), before=junk)):
        try:
            sound = read_wav(file)
        except NotWav:
            continue
        assert len(heard(sound)) == sound.frames


@given(samples, some.integers(1, 8), some.integers(0, 500), some.integers(0, 500))
def test_any_stretch_is_the_same_stretch_of_the_whole(values, channels, start, length):
    sound = read_wav(wav(s16(*values), channels=channels))
    means = [
        sum(values[at : at + channels]) // channels
        for at in range(0, sound.frames * channels, channels)
    ]

    assert means[start : start + length] == heard(sound, start, start + length)


# --- other rates ----------------------------------------------------------------------------------------------------


@given(
    samples,
    some.sampled_from([8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000, 192_000]),
    some.sampled_from([8_000, 16_000, 24_000]),
    some.integers(1, 50),
)
def test_pieces_at_another_rate_are_the_whole_at_that_rate(values, rate, new, step):
    """However it is cut: there is no seam between two pieces."""
    sound = raw_sound(s16(*values), rate)
    frames = sound.frames * new // rate
    whole = sound.at_rate(new, 0, frames)
    pieces = [sound.at_rate(new, at, at + step) for at in range(0, frames, step)]

    assert whole == b"".join(pieces)
    assert 2 * frames == len(whole)
    assert all(min(values) <= one <= max(values) for one in array("h", whole))


@pytest.mark.parametrize(("rate", "new"), [(48_000, 16_000), (8_000, 16_000), (44_100, 16_000)])
def test_a_tone_keeps_its_length_and_its_height(rate, new):
    period = rate // 400  # samples of a 400 Hz square wave
    tone = ([9000] * (period // 2) + [-9000] * (period - period // 2)) * 40
    sound = raw_sound(s16(*tone), rate)
    found = array("h", sound.at_rate(new, 0, 1 << 30))
    rises = sum(1 for a, b in pairwise(found) if a < 0 <= b)

    assert len(found) == pytest.approx(new * len(tone) / rate, abs=1)
    assert rises == pytest.approx(39, abs=1)
    assert max(found) == 9000


def test_other_rates_and_channels_are_mixed_alike():
    """48 kHz of two channels to 16 kHz of one: of each six the mean."""
    sound = read_wav(
        wav(s16(1, 2, 3, 4, 5, 7, -1, -1, -1, -1, -1, -2, 9, 9), channels=2, rate=48_000)
    )

    assert [3, -2] == list(array("h", sound.at_rate(16_000, 0, 9)))


def test_its_own_rate_changes_nothing():
    assert s16(*SAMPLES) == raw_sound(s16(*SAMPLES), 16_000).at_rate(16_000, 0, 99)


def test_a_rate_that_no_sound_has_is_refused():
    with pytest.raises(NotWav, match="12 Hz"):
        raw_sound(b"", 12)


def test_how_long_it_lasts_is_rounded_up():
    assert (1000, 1001) == (
        raw_sound(bytes(32_000), 16_000).duration_ms,
        raw_sound(bytes(32_002), 16_000).duration_ms,
    )


# --- writing --------------------------------------------------------------------------------------------------------


@given(samples, some.sampled_from([16_000, 24_000, 44_100]))
def test_what_is_written_the_standard_library_reads(values, rate):
    data = s16(*values)
    with wave.open(io.BytesIO(wav_header(rate, len(data)) + data)) as file:
        about = (file.getnchannels(), file.getsampwidth(), file.getframerate())

        assert (1, 2, rate) == about
        assert data == file.readframes(len(values) + 1)


def test_a4_a_stream_does_not_know_its_size():
    header = wav_header(24_000)

    assert (b"\xff" * 4, b"\xff" * 4, 44) == (header[4:8], header[40:44], len(header))
