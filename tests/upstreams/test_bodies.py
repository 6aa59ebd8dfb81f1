"""A body read whole: bounded, unpacked, never trusted (reliability R4, H7; contract E8, R2)."""

import gzip
import tracemalloc
import zlib

import pytest

from app.domain.errors import UpstreamDisconnected, UpstreamMalformed
from app.upstreams.bodies import Opener, read_whole
from tests.fakes.senders import FakeResponse, Piece

TEXT = b'{"answer":"' + b"abc" * 1000 + b'"}'


def packed_response(coding: bytes, pieces: list[Piece]) -> FakeResponse:
    return FakeResponse(200, [(b"content-encoding", coding)] if coding else [], pieces)


async def whole(response: FakeResponse, limit: int = 10_000) -> bytes:
    return await read_whole(response, limit=limit, name="up")


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        pytest.param(b"", TEXT, id="plain"),
        pytest.param(b"identity", TEXT, id="said to be plain"),
        pytest.param(b" GZIP ", gzip.compress(TEXT), id="gzip, in any case"),
        pytest.param(b"x-gzip", gzip.compress(TEXT), id="gzip under its old name"),
        pytest.param(b"deflate", zlib.compress(TEXT), id="deflate"),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 64, 100_000])
async def test_a_body_is_opened_however_it_is_cut(coding, body, size):
    pieces = [body[at : at + size] for at in range(0, len(body), size)]

    assert await whole(packed_response(coding, pieces)) == TEXT


async def test_silence_is_no_end():
    assert await whole(packed_response(b"", [b"a", None, None, b"b"])) == b"ab"


async def test_an_empty_body_is_empty():
    assert await whole(packed_response(b"", [])) == b""


@pytest.mark.parametrize("coding", [b"br", b"zstd", b"compress", b"gzip, br"])
async def test_a_packing_nobody_can_open_is_malformed(coding):
    with pytest.raises(UpstreamMalformed, match="although none was asked for"):
        await whole(packed_response(coding, [b"x"]))


@pytest.mark.parametrize("coding", [b"gzip", b"deflate"])
async def test_a_broken_packing_is_malformed(coding):
    with pytest.raises(UpstreamMalformed, match="cannot be opened"):
        await whole(packed_response(coding, [b"no packing at all"]))


@pytest.mark.parametrize(
    ("coding", "pieces"),
    [
        pytest.param(b"", [b"x" * 101], id="in one piece"),
        pytest.param(b"", [b"x" * 60, b"x" * 41], id="in two"),
        pytest.param(b"gzip", [gzip.compress(b"x" * 101)], id="once opened"),
        pytest.param(b"gzip", [gzip.compress(b"x" * 50_000_000, 1)], id="H7: a bomb"),
    ],
)
async def test_a_body_past_its_bound_is_malformed(coding, pieces):
    with pytest.raises(UpstreamMalformed, match="larger than"):
        await whole(packed_response(coding, pieces), limit=100)


async def test_a_body_of_just_the_bound_is_taken():
    assert len(await whole(packed_response(b"", [b"x" * 100]), limit=100)) == 100


def test_a_bomb_is_never_opened_whole():
    opener = Opener(b"gzip", limit=1000, name="up")

    bomb = gzip.compress(b"x" * 50_000_000, 1)
    tracemalloc.start()
    try:
        with pytest.raises(UpstreamMalformed):
            opener.open(bomb)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak_bytes < 5_000_000


async def test_a_cut_stays_a_cut():
    cut = UpstreamDisconnected("cut")

    with pytest.raises(UpstreamDisconnected):
        await whole(packed_response(b"", [b"a", cut]))
