"""The control plane behind ASGI's two callables, on the same connections (contract A11, D8)."""

import asyncio

import pytest

from app.domain.errors import GatewayError
from app.edge.asgi_side import Receive, Scope, Send
from tests.edge.served import served
from tests.fakes.raw_client import eventually


def request(
    method: str = "POST", target: str = "/api/x?a=%20", body: bytes = b"", *lines: str
) -> bytes:
    head = [f"{method} {target} HTTP/1.1", "host: x", f"content-length: {len(body)}", *lines]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


async def test_a_body_goes_in_and_a_reply_comes_out() -> None:
    async with served() as found, found.connected() as client:
        for _ in range(2):
            await client.send(request(body=b"abc"))
            reply = await client.reply()

            assert (200, b"=abc", "1") == (reply.status, reply.body, reply.header("x-own"))
            assert ["4"] == reply.all("content-length")


async def test_its_scope_says_what_was_asked() -> None:
    async with served() as found, found.connected() as client:
        await client.send(request(target="/api/%C3%A9?a=%20"))
        await client.reply()
        port = client.transport.get_extra_info("sockname")[1]

    (scope,) = found.scopes
    assert ("http", "POST", "/api/é", b"a=%20") == (
        scope["type"], scope["method"], scope["path"], scope["query_string"],
    )  # fmt: skip
    assert (b"/api/%C3%A9", "1.1", "http", "") == (
        scope["raw_path"], scope["http_version"], scope["scheme"], scope["root_path"],
    )  # fmt: skip
    assert ("127.0.0.1", port) == scope["client"]
    assert ("127.0.0.1", found.port) == scope["server"]


async def test_a11_head_has_no_body() -> None:
    async with served() as found, found.connected() as client:
        await client.send(request("HEAD"))
        reply = await client.reply(is_head=True)
        await client.send(request())

        assert "1" == reply.header("content-length")
        assert b"=" == (await client.reply()).body


async def test_it_takes_turns_with_the_data_plane() -> None:
    async with served() as found, found.connected() as client:
        await client.send(request(target="/v1/x") + request(body=b"b") + request(target="/v1/y"))
        bodies = [(await client.reply()).body for _ in range(3)]

    assert [b"POST /v1/x ", b"=b", b"POST /v1/y "] == bodies


async def test_d8_its_bodies_are_bounded_too() -> None:
    raised: list[int] = []

    async def read(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await receive()
        except GatewayError as error:
            raised.append(error.status)
        await send({"type": "http.response.start", "status": 413})
        await send({"type": "http.response.body"})

    async with served(app=read) as found:
        reply = await found.ask(request(body=b"x" * ((1 << 20) + 1)))

    assert (413, [413]) == (reply.status, raised)


async def test_a_large_reply_waits_for_room() -> None:
    sent: list[int] = []

    async def large(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(200):
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
            sent.append(number)
        await send({"type": "http.response.body", "body": b"end"})

    async with served(app=large) as found, found.connected() as client:
        await client.send(request())
        await eventually(lambda: bool(sent))
        await asyncio.sleep(0.05)
        assert len(sent) < 200
        reply = await client.reply()

    assert 200 * 65536 + 3 == len(reply.body)


@pytest.mark.parametrize("reads", [True, False], ids=["that listens", "that does not"])
async def test_law_5_an_application_is_cancelled_when_its_client_leaves(reads: bool) -> None:
    ends: list[str] = []

    async def wait(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await receive()
            await (receive() if reads else asyncio.Event().wait())
        finally:
            ends.append("over")

    async with served(app=wait) as found:
        async with found.connected() as client:
            await client.send(request())
            await eventually(lambda: bool(found.scopes))

        assert await eventually(lambda: ["over"] == ends)


async def test_after_its_reply_it_hears_that_this_was_all() -> None:
    heard: list[str] = []

    async def listen(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})
        heard.append((await receive())["type"])

    async with served(app=listen) as found:
        assert 204 == (await found.ask(request())).status

    assert ["http.disconnect"] == heard
