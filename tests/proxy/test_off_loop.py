"""A large body is read beside the loop (contract D9), also where the data plane is compiled."""

import asyncio

import pytest

from app.protocol.requests import read_chat_request
from app.proxy.off_loop import off_loop

LEAST_TURNS = 20  # of the loop, while a body is read that takes half a second


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param(b'{"role":"user","content":"x"},' * 150_000, id="small messages"),
        pytest.param(b"[]," * 2_000_000, id="brackets"),
    ],
)
async def test_the_loop_goes_on_while_a_body_of_many_parts_is_read(parts):
    body = b'{"model":"m","messages":[' + parts.rstrip(b",") + b"]}"
    reading = asyncio.ensure_future(off_loop(len(body), read_chat_request, body))
    turns = 0

    while not reading.done():
        await asyncio.sleep(0.001)
        turns += 1

    assert (await reading).model == "m"
    assert turns >= LEAST_TURNS
