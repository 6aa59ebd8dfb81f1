"""Which connection a request goes out on, for both senders (reliability R6, R14, R15; contract G9, F41)."""

import asyncio

import pytest

from app.domain.errors import GatewayError, Overloaded, UpstreamDisconnected
from app.wire.requests import Upload
from tests.fakes.scripted_upstream import SECONDS, End, Seen, head, sse_head, whole
from tests.upstreams.both_senders import poured, read_all, request_of, same_for, sent

ANSWER = whole(b"{}")


def connections(seen: list[Seen]) -> list[int]:
    """Which connection each came on, the first being 0."""
    numbers = list(dict.fromkeys(one.connection for one in seen))
    return [numbers.index(one.connection) for one in seen]


@pytest.mark.parametrize("ask", [read_all, poured])
async def test_a_connection_is_used_again(upstream, sender, ask):
    upstream.tell(ANSWER)

    for _ in range(3):
        await ask(sender, request_of(upstream))

    assert [0, 0, 0] == connections(upstream.seen)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([whole(b"{}", connection="close")], id="the upstream says so"),
        pytest.param([b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}"], id="HTTP/1.0"),
        pytest.param([head(200) + b"{}", End.CLOSE], id="the close is the end"),
    ],
)
async def test_a_connection_that_must_not_be_used_again_is_not(upstream, sender, script):
    upstream.tell(*script)

    answers = [await read_all(sender, request_of(upstream)) for _ in range(2)]

    assert [(200, b"{}")] * 2 == answers
    assert [0, 1] == connections(upstream.seen)


async def test_the_connection_that_was_used_last_is_used_next(upstream, make, kind):
    same_for(kind, "last in, first out")
    sender = make(max_connections=2)
    ends = [asyncio.Event(), asyncio.Event()]
    upstream.answer = lambda _: [
        head(200, {"content-length": "2"}),
        ends[len(upstream.seen) - 1],
        b"{}",
    ]
    held = [await sent(sender, request_of(upstream)) for _ in range(2)]
    upstream.answer = lambda _: [ANSWER]
    for response, end in reversed(list(zip(held, ends, strict=True))):
        end.set()
        while await response.read(SECONDS):
            pass
        await response.aclose()

    await read_all(sender, request_of(upstream))

    assert [0, 1, 0] == connections(upstream.seen)


async def test_an_idle_connection_is_closed_in_time(upstream, make):
    sender = make(keepalive_seconds=0.02)
    upstream.tell(ANSWER)

    await read_all(sender, request_of(upstream))
    await asyncio.sleep(0.1)
    await read_all(sender, request_of(upstream))

    assert [0, 1] == connections(upstream.seen)


async def test_r14_a_connection_serves_until_its_greatest_age(upstream, make):
    sender = make(max_connection_age_seconds=0.05)
    upstream.tell(ANSWER)

    for _ in range(2):
        await read_all(sender, request_of(upstream))
    await asyncio.sleep(0.1)
    await read_all(sender, request_of(upstream))

    assert [0, 0, 1] == connections(upstream.seen)


async def test_r14_an_answer_longer_than_the_greatest_age_comes_whole(upstream, make):
    sender = make(max_connection_age_seconds=0.02)
    upstream.tell(head(200, {"content-length": "2"}), end := asyncio.Event(), b"{}")
    response = await sent(sender, request_of(upstream))
    await asyncio.sleep(0.05)
    end.set()

    assert b"{}" == await response.read(SECONDS)
    await response.aclose()


async def test_closing_the_sender_closes_its_connections(upstream, make):
    sender = make(max_connections=2)
    upstream.tell(ANSWER)
    await asyncio.gather(*(read_all(sender, request_of(upstream)) for _ in range(2)))

    await sender.aclose()

    await upstream.all_gone()


# --- a full pool ----------------------------------------------------------------------------------------------------


async def test_f41_a_full_pool_is_overload(upstream, sender):
    upstream.tell(head(200, {"content-length": "5"}), End.HOLD)
    first = await sent(sender, request_of(upstream))

    with pytest.raises(Overloaded):
        await sent(sender, request_of(upstream))

    assert 1 == len(upstream.seen)
    await first.aclose()


async def test_who_waits_gets_the_connection_that_becomes_free(upstream, make):
    sender = make(max_connections=1)
    upstream.tell(head(200, {"content-length": "2"}), end := asyncio.Event(), b"{}")
    first = await sent(sender, request_of(upstream))
    second = asyncio.ensure_future(read_all(sender, request_of(upstream)))
    await asyncio.sleep(0)
    end.set()

    while await first.read(SECONDS):
        pass
    await first.aclose()

    assert (200, b"{}") == await second
    assert [0, 0] == connections(upstream.seen)


async def test_who_waits_gets_the_place_of_a_connection_that_was_closed(upstream, make):
    sender = make(max_connections=1)
    upstream.answer = lambda _: [sse_head(), End.HOLD] if len(upstream.seen) == 1 else [ANSWER]
    first = await sent(sender, request_of(upstream))
    second = asyncio.ensure_future(read_all(sender, request_of(upstream)))
    await asyncio.sleep(0)

    await first.aclose()

    assert (200, b"{}") == await second


async def test_a_failed_connection_leaves_its_place(upstream, make):
    sender = make(max_connections=1)
    upstream.tell(ANSWER)
    for _ in range(3):
        with pytest.raises(GatewayError):
            await sent(sender, request_of("http://127.0.0.1:1/", "GET"))

    assert (200, b"{}") == await read_all(sender, request_of(upstream))


# --- a kept connection that died (reliability R6, contract G9) ------------------------------------------------------


@pytest.mark.parametrize("end", [End.CLOSE, End.RESET])
async def test_a_request_on_a_connection_that_had_died_goes_out_once_more(upstream, sender, end):
    upstream.tell(ANSWER)
    await read_all(sender, request_of(upstream))
    upstream.answer = lambda seen: [end] if len(upstream.seen) == 2 else [whole(b'{"again":1}')]

    assert await read_all(sender, request_of(upstream)) == (200, b'{"again":1}')
    assert len(upstream.seen) == 3


async def test_it_goes_out_once_more_only(upstream, make):
    sender = make(max_connections=4)
    held = asyncio.Event()
    upstream.tell(held, ANSWER)
    first = [asyncio.ensure_future(read_all(sender, request_of(upstream))) for _ in range(4)]
    await upstream.request(4)
    held.set()
    await asyncio.gather(*first)
    upstream.answer = lambda _: [End.CLOSE]

    with pytest.raises(UpstreamDisconnected):
        await read_all(sender, request_of(upstream))

    assert len(upstream.seen) == 6


async def test_a_connection_that_ended_while_idle_is_not_used(upstream, sender):
    upstream.tell(ANSWER)
    await read_all(sender, request_of(upstream))
    for connection in list(upstream.open):
        connection.is_over = True
        connection.transport.close()
    await upstream.all_gone()
    await asyncio.sleep(0.01)

    request = request_of(upstream, repeatable=False)

    assert (200, b"{}") == await read_all(sender, request)


async def pieces():
    yield b"a"


@pytest.mark.parametrize("what", ["not repeatable", "an upload"])
async def test_a_request_that_must_not_be_repeated_is_not(upstream, sender, what):
    """Upstreams G7: a DELETE, say; and an upload's pieces come only once."""
    upstream.tell(ANSWER)
    await read_all(sender, request_of(upstream))
    upstream.answer = lambda _: [End.CLOSE]
    more = {"repeatable": False} if what == "not repeatable" else {"body": Upload(pieces(), 1)}

    with pytest.raises(UpstreamDisconnected):
        await read_all(sender, request_of(upstream, **more))

    assert len(upstream.seen) == 2


async def test_a_request_on_a_new_connection_is_not_repeated(upstream, sender):
    upstream.tell(End.CLOSE)

    with pytest.raises(UpstreamDisconnected):
        await read_all(sender, request_of(upstream))

    assert len(upstream.seen) == 1


@pytest.mark.parametrize("beginning", [b"H", b"HTTP/1.1 200", head(100)])
async def test_once_a_byte_of_the_answer_came_it_is_not_repeated(upstream, sender, beginning):
    upstream.tell(ANSWER)
    await read_all(sender, request_of(upstream))
    upstream.answer = lambda _: [beginning, End.CLOSE]

    with pytest.raises(GatewayError):
        await read_all(sender, request_of(upstream))

    assert len(upstream.seen) == 2


# --- never two exchanges in one (reliability R15) -------------------------------------------------------------------


@pytest.mark.parametrize("ask", [read_all, poured])
@pytest.mark.parametrize("surplus", [whole(b'{"smuggled":1}'), b"H", b"\0"])
async def test_more_than_the_answer_is_not_taken_for_the_next_one(upstream, sender, surplus, ask):
    """Response splitting by an upstream."""
    upstream.tell(ANSWER + surplus)

    first = await ask(sender, request_of(upstream))
    upstream.answer = lambda _: [whole(b'{"second":1}')]
    second = await ask(sender, request_of(upstream))

    assert ((200, b"{}"), (200, b'{"second":1}')) == (first, second)
    assert [0, 1] == connections(upstream.seen)


async def test_a_line_end_behind_an_answer_is_nothing(upstream, sender):
    """Some servers send one; whether the connection serves on is the sender's to decide."""
    upstream.tell(ANSWER + b"\r\n")

    assert [(200, b"{}")] * 2 == [await read_all(sender, request_of(upstream)) for _ in range(2)]


async def test_what_comes_on_an_idle_connection_is_not_taken_for_the_next_answer(upstream, sender):
    upstream.tell(ANSWER)
    await read_all(sender, request_of(upstream))
    upstream.say(whole(b'{"smuggled":1}'))
    await asyncio.sleep(0.02)
    upstream.answer = lambda _: [whole(b'{"second":1}')]

    assert (200, b'{"second":1}') == await read_all(sender, request_of(upstream))


@pytest.mark.parametrize(
    ("method", "answer"),
    [("HEAD", whole(b"{}")), ("POST", whole(b"{}", 204)), ("GET", whole(b"{}", 304))],
)
async def test_a_body_where_there_is_none_is_surplus(upstream, sender, method, answer):
    upstream.tell(answer)

    await read_all(sender, request_of(upstream, method))
    upstream.answer = lambda _: [whole(b'{"second":1}')]

    assert (200, b'{"second":1}') == await read_all(sender, request_of(upstream))
