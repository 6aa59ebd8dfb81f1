"""How events are spelled (X26): the same answer under every legal form of server-sent events."""

import json
from typing import Any

import pytest

from tests.simulators.raw_client import chat_bytes

SITES = ["4minds", "minds-api", "openai"]


def read_events(body: bytes) -> list[str]:
    """The data of each event, read by the letter of the HTML standard."""
    text = body.decode("utf-8").removeprefix("\ufeff")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    events: list[str] = []
    data: list[str] = []
    for line in lines:
        if not line:
            events += ["\n".join(data)] if data else []
            data = []
        elif line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
    return events + (["\n".join(data)] if data else [])


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize(
    "suffix",
    [
        "-sim-crlf",
        "-sim-cr",
        "-sim-multiline",
        "-sim-nospace",
        "-sim-bom",
        "-sim-noise",
        "-sim-noblank",
        "-sim-crlf-multiline-nospace-bom-noise-noblank",
        "-sim-cr-multiline-noise",
    ],
)
async def test_every_form_holds_the_same_events(chat, site, suffix):
    plain = read_events((await chat(site, "", stream=True)).body)
    formed = read_events((await chat(site, suffix, stream=True)).body)

    def content(events: list[str]) -> tuple[list[Any], int]:
        kept = [json.loads(one) for one in events if one != "[DONE]"]
        return [one["choices"] for one in kept], events.count("[DONE]")

    assert content(formed) == content(plain)


async def test_line_ends_are_the_ones_asked_for(chat):
    crlf = await chat("4minds", "-sim-crlf", stream=True)
    cr = await chat("4minds", "-sim-cr", stream=True)

    assert crlf.body.count(b"\n") == crlf.body.count(b"\r\n") == crlf.body.count(b"\r")
    assert (cr.body.count(b"\n"), cr.body.endswith(b"\r\r")) == (0, True)


async def test_the_other_forms_are_really_there(chat):
    multiline = await chat("4minds", "-sim-multiline", stream=True)
    nospace = await chat("4minds", "-sim-nospace", stream=True)
    bom = await chat("4minds", "-sim-bom", stream=True)
    noise = await chat("4minds", "-sim-noise", stream=True)
    noblank = await chat("4minds", "-sim-noblank", stream=True)

    assert multiline.chunks[0].count(b"data: ") > 5
    assert nospace.body.startswith(b"data:{")
    assert bom.body.startswith(b"\xef\xbb\xbfdata: ")
    assert bom.body.count(b"\xef\xbb\xbf") == 1
    for mark in (b": comment\n", b"id: 0\n", b"retry: 10\n", b"event: noise\n\n"):
        assert mark in noise.body
    assert noblank.body.endswith(b"data: [DONE]\n")
    assert not noblank.body.endswith(b"\n\n")


async def test_one_byte_per_write_arrives_as_the_same_bytes(connect, chat):
    peer = await connect()
    await peer.send(chat_bytes("4minds", "-sim-bytes", stream=True))
    reply = await peer.reply()

    assert reply.text() == "echo: one two"
