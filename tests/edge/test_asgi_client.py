"""A client behind ASGI's two callables (contract B9, B12, D8; law 5)."""

import asyncio
from typing import Any

import pytest

from app.domain.errors import ClientGone, RequestTooLarge, UnsupportedMediaType
from app.edge.asgi_client import AsgiClient

GONE = {"type": "http.disconnect"}


def piece(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


class Wire:
    """The server's side: gives *messages* in order, then waits for ever; keeps what was sent."""

    def __init__(self, *messages: dict[str, Any], headers=(), limit: int = 10, **scope) -> None:
        self.messages = list(messages)
        self.sent: list[dict[str, Any]] = []
        usual = {
            "method": "POST",
            "path": "/v1/x",
            "query_string": b"a=1",
            "headers": list(headers),
        }
        self.client = AsgiClient(
            usual | scope,
            self.receive,
            self.send,
            max_body_bytes=limit,
            extra_headers=[(b"e", b"1")],
        )

    async def receive(self) -> dict[str, Any]:
        if not self.messages:
            await asyncio.Event().wait()
        return self.messages.pop(0)

    async def send(self, message) -> None:
        self.sent.append(dict(message))


@pytest.mark.parametrize(
    ("messages", "body"),
    [
        pytest.param([piece(b"abc")], b"abc", id="in one piece"),
        pytest.param([piece(b"a", more=True), piece(b"", more=True), piece(b"b")], b"ab", id="in three"),
        pytest.param([piece(b"")], b"", id="B9: empty"),
        pytest.param([{"type": "http.request"}], b"", id="B9: none at all"),
        pytest.param([piece(b"x" * 10)], b"x" * 10, id="D8: just the bound"),
    ],
)  # fmt: skip
async def test_a_body_is_read_whole(messages, body):
    assert await Wire(*messages).client.read_body() == body


@pytest.mark.parametrize(
    ("messages", "headers"),
    [
        pytest.param([piece(b"x" * 11)], [], id="D8: one byte more"),
        pytest.param([piece(b"x" * 6, more=True), piece(b"x" * 6)], [], id="D8: in two pieces"),
        pytest.param([piece(b"x" * 11)], [(b"content-length", b"3")], id="D8: whatever its length says"),
        pytest.param([], [(b"content-length", b"11")], id="F33: told before it came"),
    ],
)  # fmt: skip
async def test_a_body_too_large_is_413(messages, headers):
    with pytest.raises(RequestTooLarge):
        await Wire(*messages, headers=headers).client.read_body()


@pytest.mark.parametrize(
    ("limit", "megabytes"),
    [pytest.param(64 << 20, "64", id="F33: whole"), pytest.param(1 << 19, "0.5", id="F33: a part")],
)
async def test_f33_the_message_names_the_bound(limit, megabytes):
    headers = [(b"content-length", b"%d" % (limit + 1))]

    with pytest.raises(RequestTooLarge) as raised:
        await Wire(piece(b""), headers=headers, limit=limit).client.read_body()

    assert f"The request body is larger than {megabytes} MB." == raised.value.message


@pytest.mark.parametrize("coding", [b"gzip", b"br", b" GZIP ", b"gzip, identity", b"\xff"])
async def test_b12_a_packed_body_is_415(coding):
    with pytest.raises(UnsupportedMediaType):
        await Wire(piece(b"x"), headers=[(b"content-encoding", coding)]).client.read_body()


@pytest.mark.parametrize("coding", [b"identity", b"", b" Identity "])
async def test_b12_a_body_said_to_be_plain_is_read(coding):
    wire = Wire(piece(b"x"), headers=[(b"content-encoding", coding)])

    assert await wire.client.read_body() == b"x"


async def test_a_length_that_is_no_number_is_not_our_matter():
    assert await Wire(piece(b"x"), headers=[(b"content-length", b"+1")]).client.read_body() == b"x"


async def test_a_client_that_leaves_mid_body_is_gone():
    wire = Wire(piece(b"a", more=True), GONE)

    with pytest.raises(ClientGone):
        await wire.client.read_body()

    assert wire.client.is_gone


async def test_law_5_once_its_body_is_read_its_leaving_is_noticed():
    wire = Wire(piece(b"a"), piece(b"stray"), GONE)
    watching = asyncio.ensure_future(wire.client.watch())
    await asyncio.sleep(0)
    assert not watching.done()

    await wire.client.read_body()

    with pytest.raises(ClientGone):
        await watching
    assert wire.client.is_gone


async def test_law_5_a_request_without_a_body_is_watched_at_once():
    wire = Wire(GONE, method="GET")

    wire.client.nothing_to_read()

    with pytest.raises(ClientGone):
        await wire.client.watch()


async def test_what_goes_out_is_a_head_with_the_extra_headers_pieces_and_one_end():
    wire = Wire()
    await wire.client.start(200, [(b"a", b"b")])
    await wire.client.write(b"1")
    await wire.client.write(b"2")
    await wire.client.finish()

    assert wire.client.head_sent
    assert wire.sent[0] == {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"a", b"b"), (b"e", b"1")],
    }
    assert [(b"1", True), (b"2", True), (b"", False)] == [
        (message["body"], message["more_body"]) for message in wire.sent[1:]
    ]


@pytest.mark.parametrize(
    ("scope", "path"),
    [
        ({"raw_path": b"/v1/models/a%2Fb", "path": "/v1/models/a/b"}, "/v1/models/a%2Fb"),
        ({"raw_path": None, "path": "/v1/x"}, "/v1/x"),
        ({"raw_path": b"/v1/\xff", "path": "/v1/?"}, "/v1/\xff"),
    ],
)
async def test_the_path_is_as_it_came(scope, path):
    client = Wire(**scope).client

    assert (path, "a=1", "POST") == (client.path, client.query, client.method)
