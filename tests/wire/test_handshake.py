"""The opening handshake as bytes (RFC 6455, 4.1 and 4.2)."""

import pytest

from app.wire.errors import Malformed
from app.wire.handshake import (
    BadHandshake,
    ClientHandshake,
    acceptance,
    chosen_subprotocol,
    is_offer,
    status_of,
    without_handshake,
)

KEY = (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ==")  # RFC 6455, 1.3, with its answer
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
VERSION = (b"sec-websocket-version", b"13")


def test_the_example_of_the_standard_is_answered_as_it_says():
    assert b"\r\nsec-websocket-accept: %b\r\n\r\n" % ACCEPT in acceptance([KEY, VERSION])


@pytest.mark.parametrize(
    "fields",
    [
        [KEY],
        [VERSION],
        [KEY, (b"sec-websocket-version", b"8")],
        [KEY, VERSION, VERSION],
        [KEY, KEY, VERSION],
        [(b"sec-websocket-key", b"c2hvcnQ="), VERSION],
        [(b"sec-websocket-key", b"!!!"), VERSION],
        [(b"sec-websocket-key", b"\xff" * 24), VERSION],
    ],
    ids=[
        "without a version",
        "without a key",
        "with an old version",
        "with two versions",
        "with two keys",
        "with a short key",
        "with a key that is no base64",
        "with a key that is no text",
    ],
)
def test_what_is_no_handshake_is_not_accepted(fields):
    with pytest.raises(BadHandshake):
        acceptance(fields)


@pytest.mark.parametrize(
    ("value", "is_one"),
    [(b"websocket", True), (b" WebSocket ", True), (b"h2c", False), (b"", False)],
)
def test_an_offer_of_a_websocket_is_known(value, is_one):
    assert is_one == is_offer({b"upgrade": value})


@pytest.mark.parametrize(
    ("lines", "chosen"),
    [
        (b"sec-websocket-protocol: chat\r\n", "chat"),
        (b"x-request-id: 1\r\nSec-WebSocket-Protocol:chat.v2 \r\n", "chat.v2"),
        (b"x-sec-websocket-protocol: chat\r\n", ""),
        (b"", ""),
    ],
)
def test_the_subprotocol_is_read_from_the_lines_it_leaves_with(lines, chosen):
    assert chosen == chosen_subprotocol(lines)


def answer(handshake: ClientHandshake, *lines: bytes, accept: bytes | None = None) -> bytes:
    key = dict(handshake.fields)[b"sec-websocket-key"]
    if accept is None:
        accept = acceptance([(b"sec-websocket-key", key), VERSION]).split(b": ")[-1].strip()
    fields = (b"Upgrade: WebSocket", b"Connection: keep-alive, Upgrade", *lines)
    ends = b"\r\n".join((*fields, b"Sec-WebSocket-Accept: " + accept))
    return b"HTTP/1.1 101 Switching Protocols\r\n" + ends + b"\r\n\r\n"


def test_a_right_answer_opens_it():
    handshake = ClientHandshake(["a", "b"])
    handshake.check(answer(handshake, b"Sec-WebSocket-Protocol: b"))

    assert "b" == handshake.subprotocol
    assert (b"sec-websocket-protocol", b"a, b") in handshake.fields


WRONG = {
    "to another key": lambda one: answer(one, accept=ACCEPT),
    "with a subprotocol that was not offered": lambda one: answer(
        one, b"Sec-WebSocket-Protocol: c"
    ),
    "with an extension": lambda one: answer(one, b"Sec-WebSocket-Extensions: permessage-deflate"),
    "of another upgrade": lambda one: answer(one).replace(b"WebSocket\r", b"h2c\r"),
    "without Connection": lambda one: answer(one).replace(b"Connection", b"X-C"),
    "with a line that is no field": lambda one: answer(one, b"what is this"),
    "of HTTP/1.0": lambda one: answer(one).replace(b"HTTP/1.1", b"HTTP/1.0"),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_wrong_answer_does_not_open_it(wrong):
    handshake = ClientHandshake([])
    with pytest.raises(Malformed):
        handshake.check(wrong(handshake))


def test_two_handshakes_have_two_keys():
    assert ClientHandshake([]).fields != ClientHandshake([]).fields


def test_the_fields_of_a_handshake_are_nobody_elses_to_write():
    own = [(b"Sec-WebSocket-Key", b"x"), (b"connection", b"x"), (b"host", b"x")]

    assert [(b"user-agent", b"x")] == without_handshake([*own, (b"user-agent", b"x")])


@pytest.mark.parametrize("head", [b"HTTP/2 101 X\r\n", b"HTTP/1.1 1 X\r\n", b"SSH-2.0 101 \r\n"])
def test_a_status_is_read_from_http_alone(head):
    assert 101 == status_of(b"HTTP/1.1 101 X\r\n")
    with pytest.raises(Malformed):
        status_of(head)
