"""A body is estimated without being read, and a picture does not count by its bytes (reliability R24)."""

import base64
import json
import random
import time

import pytest

from app.limits.estimates import estimate_input

PICTURE = base64.b64encode(random.Random(4).randbytes(60_000)).decode()
TEXT = "Describe in few words what you see here, please. " * 100


def chat(*parts: object) -> bytes:
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": parts}]}).encode()


def text(words: str) -> dict[str, str]:
    return {"type": "text", "text": words}


def image(payload: str, media_type: str = "image/png") -> dict[str, object]:
    url = f"data:{media_type};base64,{payload}"
    return {"type": "image_url", "image_url": {"url": url}}


AUDIO = {"type": "input_audio", "input_audio": {"data": PICTURE, "format": "wav"}}
FILE = {"type": "file", "file": {"filename": "a.pdf", "file_data": PICTURE}}
FILE_URL = {
    "type": "file",
    "file": {"file_data": f"data:application/pdf;base64,{PICTURE}"},
}


def third(body: bytes) -> int:
    return -(-len(body) // 3)


@pytest.mark.parametrize(
    ("body", "expected"),
    [(b"", 0), (b"a", 1), (b"abc", 1), (b"abcd", 2), (b"x" * 3000, 1000)],
    ids=["nothing", "one byte", "three bytes", "four bytes", "three thousand bytes"],
)
def test_text_counts_a_third_of_its_bytes_rounded_up(body, expected):
    assert expected == estimate_input(body, assumed_media_tokens=1000)


@pytest.mark.parametrize(
    ("parts", "payloads"),
    [
        pytest.param([text(TEXT)], 0, id="text alone"),
        pytest.param([text(TEXT), image(PICTURE)], 1, id="a picture"),
        pytest.param([image(PICTURE), text(TEXT), image(PICTURE[:9000])], 2, id="two pictures"),
        pytest.param([image(PICTURE, "image/svg+xml;charset=utf-8")], 1, id="a long media type"),
        pytest.param([AUDIO], 1, id="audio"),
        pytest.param([FILE], 1, id="a file"),
        pytest.param([FILE_URL], 1, id="a file as a data URL"),
        pytest.param([AUDIO, FILE, image(PICTURE)] * 5, 15, id="many of all kinds"),
        pytest.param([text(PICTURE)], 0, id="base64 as text is read as text"),
        pytest.param([text(f"see data:image/png;base64,{PICTURE}")], 0, id="a URL inside of text"),
        pytest.param([text(json.dumps(AUDIO))], 0, id="audio inside of text"),
        pytest.param([{"metadata": PICTURE}], 0, id="a member of another name"),
    ],
)
def test_each_payload_counts_what_is_assumed(parts, payloads):
    body = chat(*parts)
    bare = body
    for part in parts if payloads else ():
        for payload in (PICTURE, PICTURE[:9000]):
            if payload in json.dumps(part):
                bare = bare.replace(payload.encode(), b"", 1)
                break

    estimate = estimate_input(body, assumed_media_tokens=1000)

    # the few bytes before the base64 in a data URL belong to the payload
    assert third(bare) + 1000 * payloads - 16 * payloads <= estimate
    assert estimate <= third(bare) + 1000 * payloads


def test_white_space_and_escapes_do_not_hide_a_payload():
    escaped = PICTURE.replace("/", "\\/").replace("A", "A\\n")
    body = b'{"input_audio": {"data" : \n  "' + escaped.encode() + b'"}}'

    assert 1000 < estimate_input(body, assumed_media_tokens=1000) < 1050


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"url":"data:image/png;base64,' + b"A" * 9000, id="a string without an end"),
        pytest.param(b"A" * 9000, id="no string at all"),
        pytest.param(b"A" * 5000 + b'"' + b"A" * 5000, id="a string without a beginning"),
        pytest.param(b'"' * 9000, id="quotes alone"),
        pytest.param(b"\xff\x00" * 9000, id="no text"),
    ],
)
def test_what_is_no_json_counts_by_its_bytes(body):
    assert third(body) == estimate_input(body, assumed_media_tokens=1000)


def test_a_picture_too_small_to_be_found_counts_little():
    body = chat(*[image(PICTURE[:2000])] * 20)

    assert estimate_input(body, assumed_media_tokens=1000) <= 20 * 1100


_MEGABYTES = 20_000_000
_HOSTILE = {
    "one picture": b'{"url":"data:image/png;base64,' + b"A" * _MEGABYTES + b'"}',
    "a string without an end": b'"' + b"A" * _MEGABYTES,
    "short strings": (b'"' + b"A" * 2040 + b'",') * (_MEGABYTES // 2043),
    "short pictures": (b'"data:;base64,' + b"A" * 2030 + b'",') * (_MEGABYTES // 2046),
    "quotes": b'"' * _MEGABYTES,
    "members": b'"data":"' * (_MEGABYTES // 8),
}


@pytest.mark.parametrize("body", _HOSTILE.values(), ids=_HOSTILE.keys())
def test_the_work_is_bounded(body):
    begun = time.process_time()
    estimate_input(body, assumed_media_tokens=1000)

    # measured: at most 9 ms; what is quadratic takes minutes
    assert time.process_time() - begun < 0.25
