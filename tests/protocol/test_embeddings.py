"""Embeddings in the encoding that was asked for (contract N1, N3)."""

import base64
import json
import struct

import pytest

from app.domain.usage import Usage
from app.protocol.embeddings import Encoding, read_embeddings
from app.protocol.lists import NoList

FLOATS = [0.5, -1.25, 3.0]
PACKED = base64.b64encode(struct.pack("<3f", *FLOATS)).decode()
USED = {"prompt_tokens": 8, "total_tokens": 8}


def answer_of(*vectors: object, **more: object) -> bytes:
    rows = [
        {"object": "embedding", "index": at, "embedding": vector}
        for at, vector in enumerate(vectors)
    ]
    return json.dumps(
        {"object": "list", "data": rows, "model": "m", "usage": USED, **more}
    ).encode()


@pytest.mark.parametrize(
    ("sent", "encoding"), [([0.1, 1e-9], "float"), (PACKED, "base64")], ids=["floats", "base64"]
)
def test_what_is_in_order_passes_byte_for_byte(sent: object, encoding: Encoding):
    body = answer_of(sent, sent)

    found = read_embeddings(body, encoding)

    assert (body, Usage(8, 0)) == (found.body, found.usage)


@pytest.mark.parametrize(
    ("sent", "encoding", "expected"),
    [
        pytest.param(FLOATS, "base64", PACKED, id="N1: floats in reply to base64"),
        pytest.param(PACKED, "float", FLOATS, id="base64 in reply to floats"),
    ],
)
def test_n1_the_encoding_is_the_one_that_was_asked_for(
    sent: object, encoding: Encoding, expected: object
):
    found = json.loads(read_embeddings(answer_of(sent), encoding).body)

    assert expected == found["data"][0]["embedding"]
    assert ("m", USED) == (found["model"], found["usage"])


def test_n3_items_are_ordered_by_index():
    rows = b'{"data":[{"index":1,"embedding":[2.50]},{"index":0,"embedding":[1.0]}],"x":1.10}'

    found = read_embeddings(rows, "float")

    assert found.body == (
        b'{"data":[{"index":0,"embedding":[1.0]},{"index":1,"embedding":[2.50]}],"x":1.10}'
    )
    assert found.usage is None


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"data":[]}', id="N3: none"),
        pytest.param(b"{}", id="no list"),
        pytest.param(b'{"data":[{}]}', id="no vector"),
        pytest.param(b'{"data":[{"embedding":"!"}]}', id="no base64"),
        pytest.param(b'{"data":[{"embedding":"AAA="}]}', id="half a number"),
        pytest.param(b'{"data":[{"index":"x","embedding":[1]}]}', id="an index that is none"),
        pytest.param(b"<html>", id="HTML"),
    ],
)
def test_what_is_no_answer_is_told(body: bytes):
    with pytest.raises(NoList):
        read_embeddings(body, "float")
