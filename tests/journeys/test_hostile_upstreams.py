"""
The twelve kinds of hostile upstream (reliability R15, table H), its deadlines (R5) and what is asked again (R6).

For every fault: a typed error for this client, health for all others, no traceback, and one settled exchange.
"""

import asyncio
import gzip
import logging
import socket
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from app.domain.configuration import RouteEntry, TimeoutOverrides, Timeouts
from tests.fakes.gateways import RunningGateway
from tests.fakes.raw_client import (
    Reply,
    ask,
    chat,
    connected,
    eventually,
    in_flight,
    is_envelope,
    line_of,
    metrics,
    request,
)
from tests.fakes.scripted_upstream import (
    ANSWER,
    DONE,
    FINISH,
    FIRST,
    LAST_CHUNK,
    SECOND,
    STREAM,
    End,
    Pause,
    ScriptedUpstream,
    Seen,
    Step,
    chunked,
    entry_of,
    event,
    gateway_over,
    head,
    scripted,
    sse,
    sse_head,
    whole,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHORT = 0.3  # seconds of the deadline under test; the others are long
LONG = 20.0
READ_BYTES = 64 << 10
OUTCOMES = ("upstream_error", "upstream_cut", "timeout")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with scripted() as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def healthy() -> AsyncIterator[ScriptedUpstream]:
    async with scripted() as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(
    upstream: ScriptedUpstream, healthy: ScriptedUpstream
) -> AsyncIterator[RunningGateway]:
    entries = [
        entry_of(upstream, keepalive_seconds=60.0),
        entry_of(healthy, name="healthy", models=("well",)),
        *(
            entry_of(upstream, name=name, models=(name,), timeouts=TimeoutOverrides(**limits))
            for name, limits in {
                "first": {"first_byte_seconds": SHORT},
                "idle": {"idle_seconds": SHORT},
                "total": {"total_seconds": SHORT},
            }.items()
        ),
    ]
    async with gateway_over(*entries, timeouts=Timeouts(first_byte_seconds=LONG)) as found:
        yield found


@pytest.fixture(autouse=True)
def no_traceback(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing that an upstream does is a defect of ours."""
    yield
    records = [*caplog.get_records("setup"), *caplog.get_records("call")]
    assert [
        record for record in records if record.exc_info or record.levelno >= logging.ERROR
    ] == []


async def check_refused(gateway: RunningGateway, reply: Reply, status: int, code: str) -> None:
    """A typed error with its own status, and an exchange settled once."""
    assert (reply.status, reply.error["code"], reply.end) == (status, code, "whole")
    assert is_envelope(reply)
    assert (await line_of(gateway, reply))["outcome"] in OUTCOMES
    assert await in_flight(gateway) == 0


def check_failed_stream(reply: Reply, before: bytes, code: str) -> None:
    """Contract J1: one error event behind *before*, the body's end, no `[DONE]`, no `event:`."""
    assert reply.status == 200
    assert reply.body[: len(before)] == before
    last = reply.body.removeprefix(before)
    assert last.startswith(b'data: {"error":{')
    assert last.endswith(b"}}\n\n")
    assert last.count(b"\n\n") == 1
    assert set(reply.error) == {"message", "type", "param", "code"}
    assert reply.error["code"] == code
    assert b"[DONE]" not in reply.body
    assert reply.end == "whole"


async def is_serving(gateway: RunningGateway, upstream: ScriptedUpstream) -> bool:
    """The same upstream, well again, is served from."""
    upstream.tell(whole(ANSWER))
    return (await ask(gateway, chat())).body == ANSWER


# --- before the first byte to the client ----------------------------------------------------------------------------

_BOMB = gzip.compress(b"0" * (65 << 20))
_GZIP_HEAD = {"content-type": "application/json", "content-encoding": "gzip"}
_LONG_HEAD = {"content-type": "application/json", "content-length": str(len(ANSWER) + 9)}
_SHORT_HEAD = {"content-type": "application/json", "content-length": str(len(ANSWER) - 9)}
_BOTH_HEAD = {**_SHORT_HEAD, "content-length": "5", "transfer-encoding": "chunked"}
_CHUNKED_HEAD = {"content-type": "application/json", "transfer-encoding": "chunked"}
_HTML = b"<html><body>502 Bad Gateway</body></html>"


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize(
    ("code", "script"),
    [
        pytest.param("upstream_disconnected", (End.CLOSE,), id="h2 FIN before the head"),
        pytest.param("upstream_disconnected", (End.RESET,), id="h2 RST before the head"),
        pytest.param("upstream_disconnected", (b"HTTP/1.1 2", End.CLOSE), id="h2 FIN in the head"),
        pytest.param("upstream_disconnected", (b"HTTP/1.1 2", End.RESET), id="h2 RST in the head"),
        pytest.param("upstream_malformed", (b"nonsense\r\n\r\n",), id="h3 garbage status line"),
        pytest.param("upstream_malformed", (b"<html>old</html>\r\n\r\n",), id="h3 HTTP/0.9"),
        pytest.param(
            "upstream_malformed", (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",), id="h3 an HTTP/2 preface"
        ),
        pytest.param(
            "upstream_malformed", (b"\x15\x03\x01\x00\x02\x02\x46\r\n\r\n",), id="h3 a TLS alert"
        ),
        pytest.param(
            "upstream_malformed", (head(200, {"x-filler": "x" * (200 << 10)}),), id="h5 a huge head"
        ),
        pytest.param("upstream_malformed", (head(200, {"x-nul": "a\0b"}),), id="h5 NUL in a value"),
        pytest.param("upstream_malformed", (head(200, {"x y": "1"}),), id="h5 a broken name"),
        pytest.param(
            "upstream_disconnected",
            (head(200, _LONG_HEAD) + ANSWER, End.CLOSE),
            id="h6 Content-Length too long",
        ),
        pytest.param(
            "upstream_malformed",
            (head(200, _SHORT_HEAD) + ANSWER,),
            id="h6 Content-Length too short",
        ),
        pytest.param(
            "upstream_malformed",
            (head(200, _BOTH_HEAD) + chunked(ANSWER) + LAST_CHUNK,),
            id="h6 a length and chunks",
        ),
        pytest.param(
            "upstream_malformed",
            (head(200, {"content-length": "5, 6"}) + ANSWER,),
            id="h6 two lengths",
        ),
        pytest.param(
            "upstream_malformed", (head(200, _CHUNKED_HEAD) + b"zz\r\n",), id="h6 bad chunk size"
        ),
        pytest.param(
            "upstream_malformed",
            (head(200, _CHUNKED_HEAD) + b"1" * 40 + b"\r\n",),
            id="h6 a chunk of 10^40 bytes",
        ),
        pytest.param(
            "upstream_malformed",
            (head(200, {**_GZIP_HEAD, "content-length": str(len(_BOMB))}) + _BOMB,),
            id="h7 a gzip bomb",
        ),
        pytest.param(
            "upstream_malformed",
            (whole(ANSWER, content_encoding="gzip"),),
            id="h7 gzip that is none",
        ),
        pytest.param(
            "upstream_disconnected",
            (head(200, _LONG_HEAD) + ANSWER[:40], End.RESET),
            id="h8 RST inside the body",
        ),
        pytest.param(
            "upstream_malformed", (whole(_HTML, content_type="text/html"),), id="h11 200 with HTML"
        ),
        pytest.param("upstream_malformed", (whole(b""),), id="h11 an empty body"),
        pytest.param("upstream_malformed", (head(204),), id="h11 204"),
        pytest.param("upstream_malformed", (whole(ANSWER, 206),), id="h11 206"),
        pytest.param(
            "upstream_malformed",
            (whole(b"", 307, location="http://169.254.169.254/latest"),),
            id="h11 a redirect is not followed",
        ),
        pytest.param(
            "upstream_malformed", (whole(b'{"id":"c","choices":null}'),), id="h11 choices null"
        ),
        pytest.param("upstream_malformed", (whole(b"[]"),), id="h11 an empty list"),
        pytest.param("upstream_malformed", (whole(b'{"a":'),), id="h11 half of the JSON"),
        pytest.param("upstream_malformed", (whole(b"\xff\xfe{}"),), id="h10 no UTF-8"),
    ],
)
async def test_h_a_fault_before_the_first_byte_is_a_real_status(
    gateway: RunningGateway,
    upstream: ScriptedUpstream,
    stream: bool,
    code: str,
    script: tuple[Step, ...],
) -> None:
    upstream.tell(*script)

    reply = await ask(gateway, chat(stream=stream))

    await check_refused(gateway, reply, 502, code)
    assert len(upstream.seen) == 1  # not asked again: it may be working (R6)
    assert await is_serving(gateway, upstream)


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize(
    ("status", "code", "script"),
    [
        pytest.param(
            502, "boom", whole(b'{"error":{"message":"no","code":"boom"}}', 502), id="h12 a 502"
        ),
        pytest.param(
            502, "upstream_error", whole(b'{"error":{"message":"no"}}'), id="h12 an error in a 200"
        ),
        pytest.param(
            502,
            "upstream_error",
            sse(b'data: {"error":{"message":"no"}}\n\n'),
            id="h12 first event",
        ),
        pytest.param(
            502,
            "upstream_error",
            sse(b'event: error\ndata: {"message":"no"}\n\n'),
            id="j4 event: error",
        ),
        pytest.param(
            502, "upstream_error", sse(b'data: {"error":"no"}\n\n'), id="j4 error as text"
        ),
        pytest.param(502, "upstream_error", sse(b'data: {"detail":"no"}\n\n'), id="j4 detail"),
        pytest.param(
            502, "upstream_error", sse(b'data: [{"error":{"message":"no"}}]\n\n'), id="e-s5 list"
        ),
        pytest.param(502, "upstream_malformed", sse(b"data: nonsense\n\n"), id="j2 no JSON"),
        pytest.param(502, "upstream_malformed", sse(b"data: [DONE]\n\n"), id="h11 [DONE] alone"),
        pytest.param(502, "upstream_disconnected", sse(b"\n"), id="j2 an empty stream"),
        pytest.param(500, "upstream_error", whole(_HTML, 500), id="f47 HTML"),
        pytest.param(502, "upstream_error", whole(b"", 501), id="f47 501 is tried three times"),
        pytest.param(503, "upstream_error", whole(b"", 529), id="f47 529"),
        pytest.param(502, "upstream_auth_error", whole(b'{"error":"no"}', 401), id="f46 401"),
        pytest.param(502, "upstream_auth_error", whole(_HTML, 403), id="f46 403 and HTML"),
        pytest.param(504, "upstream_timeout", whole(b"", 408), id="g5 408"),
        pytest.param(
            400, "conflict", whole(b'{"error":{"message":"m","code":"conflict"}}', 409), id="g5 409"
        ),
        pytest.param(429, "insufficient_quota", whole(b'{"error":"pay"}', 402), id="f40 402"),
    ],
)
async def test_f_an_upstreams_own_error_has_its_place(
    gateway: RunningGateway,
    upstream: ScriptedUpstream,
    stream: bool,
    status: int,
    code: str,
    script: bytes,
) -> None:
    upstream.tell(script)

    reply = await ask(gateway, chat(stream=stream))

    await check_refused(gateway, reply, status, code)
    assert await is_serving(gateway, upstream)


async def test_h1_reset_on_accept(gateway: RunningGateway, upstream: ScriptedUpstream) -> None:
    upstream.tell()
    upstream.greeting = (End.RESET,)

    reply = await ask(gateway, chat())

    assert reply.status == 502
    assert reply.error["code"] in ("upstream_unreachable", "upstream_disconnected")
    assert await is_serving(gateway, upstream)


async def test_h4_many_interim_answers_end(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    upstream.tell(*[head(103)] * 5, whole(ANSWER))

    assert (await ask(gateway, chat())).body == ANSWER


async def test_h5_a_thousand_fields_are_not_relayed(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    fields = {f"x-field-{number}": "1" for number in range(1000)}
    upstream.tell(head(200, {**fields, "content-length": str(len(ANSWER))}) + ANSWER)

    reply = await ask(gateway, chat())

    assert reply.status in (200, 502)
    assert not any(name.startswith("x-field") for name, _ in reply.headers)


# --- after the first byte ---------------------------------------------------------------------------------------------

_UMLAUT = event("ä")
_IN_A_CHARACTER = _UMLAUT[: _UMLAUT.index("ä".encode()) + 1]


@pytest.mark.parametrize(
    ("code", "rest"),
    [
        pytest.param("upstream_disconnected", (End.CLOSE,), id="h8 FIN between events"),
        pytest.param("upstream_disconnected", (End.RESET,), id="h8 RST between events"),
        pytest.param("upstream_disconnected", (chunked(SECOND[:20]), End.RESET), id="h8 in a line"),
        pytest.param(
            "upstream_disconnected", (chunked(_IN_A_CHARACTER), End.CLOSE), id="h8 in a character"
        ),
        pytest.param("upstream_disconnected", (b"ff\r\ndata", End.CLOSE), id="h8 in a chunk"),
        pytest.param("upstream_disconnected", (LAST_CHUNK,), id="j2 an end without finish"),
        pytest.param(
            "upstream_malformed", (chunked(b"data: {nope\n\n"), LAST_CHUNK), id="j2 no JSON"
        ),
        pytest.param(
            "upstream_malformed",
            (chunked(event("x").replace(b'"x"', b'"\xff"')), LAST_CHUNK),
            id="h10 invalid UTF-8",
        ),
        pytest.param("upstream_malformed", (b"zz\r\n",), id="h6 bad chunk size"),
        pytest.param(
            "upstream_error", (chunked(b'data: {"error":{"message":"no"}}\n\n'),), id="h12 an error"
        ),
        pytest.param(
            "upstream_error",
            (chunked(b'event: error\ndata: {"message":"no"}\n\n' + DONE), LAST_CHUNK),
            id="j4 event: error, then [DONE]",
        ),
        pytest.param(
            "upstream_error", (chunked(b'data: {"detail":"no"}\n\n'), LAST_CHUNK), id="j4 detail"
        ),
        pytest.param(
            "upstream_error", (chunked(event(finish="error") + DONE),), id="j4 finish_reason error"
        ),
    ],
)
async def test_j1_a_fault_after_the_first_byte_is_the_last_event(
    gateway: RunningGateway, upstream: ScriptedUpstream, code: str, rest: tuple[Step, ...]
) -> None:
    go_on = asyncio.Event()
    upstream.tell(sse_head(), chunked(FIRST), go_on, *rest)

    async with connected(gateway) as client:
        await client.send(chat(stream=True))
        reply = await client.begin()
        first = await client.chunk()
        go_on.set()
        while piece := await client.chunk():
            reply.body += piece
    reply.body = first + reply.body

    check_failed_stream(reply, FIRST, code)
    assert (await line_of(gateway, reply))["outcome"] in OUTCOMES
    assert len(upstream.seen) == 1  # law 2
    assert await is_serving(gateway, upstream)


async def test_h8_a_reset_after_each_event(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    events = [FIRST, *(event(f" {number}") for number in range(8))]
    for count in range(1, len(events) + 1):
        upstream.tell(sse_head(), *map(chunked, events[:count]), End.CLOSE)

        reply = await ask(gateway, chat(stream=True))

        check_failed_stream(reply, b"".join(events[:count]), "upstream_disconnected")


async def test_s10_a_cut_after_the_finish_is_complete(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    upstream.tell(sse_head(), chunked(FIRST + SECOND + FINISH), End.CLOSE)

    reply = await ask(gateway, chat(stream=True))

    assert reply.body == STREAM
    assert (await line_of(gateway, reply))["outcome"] == "complete"


async def test_r15_a_healthy_stream_beside_every_fault_is_unharmed(
    gateway: RunningGateway, upstream: ScriptedUpstream, healthy: ScriptedUpstream
) -> None:
    events = [FIRST, *(event(f" {number}") for number in range(30)), FINISH, DONE]
    gates = [asyncio.Event() for _ in events]
    steps = [step for gate, one in zip(gates, events, strict=True) for step in (gate, chunked(one))]
    healthy.tell(sse_head(), *steps, LAST_CHUNK)
    faults: list[tuple[Step, ...]] = [
        (End.RESET,),
        (b"\0\1\2\r\n\r\n",),
        (sse_head(), chunked(FIRST), End.RESET),
        (head(200, _CHUNKED_HEAD) + b"zz\r\n",),
        (whole(_BOMB, content_encoding="gzip"),),
        (whole(_HTML, 503),),
    ]

    async with connected(gateway) as client:
        await client.send(chat("well", stream=True))
        received: list[bytes] = []
        for number, gate in enumerate(gates):
            upstream.tell(*faults[number % len(faults)])
            await ask(gateway, chat(stream=True))
            gate.set()
            if not received:
                await client.begin()
            received.append(await client.chunk())

    assert received == events


async def test_r15_what_came_behind_an_answer_is_not_the_next_ones(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    foreign = ANSWER.replace(b"one two", b"somebody else's")

    # As long as one read of the gateway's, so that what follows lies below its parser, unseen.
    one_read = ANSWER + b" " * (READ_BYTES - len(whole(ANSWER)) - 2)
    assert len(whole(one_read)) == READ_BYTES
    for answer in (ANSWER, one_read):
        for surplus in (whole(foreign), b"\r\n", foreign, b"x" * (300 << 10)):
            upstream.tell(whole(answer) + surplus)
            first = await ask(gateway, chat())
            second = await ask(gateway, chat())

            assert (first.body, second.body) == (answer, answer)


# --- asked again, or not (R6, G9) -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "attempts", "second"),
    [
        pytest.param(200, 3, (End.CLOSE,), id="g9 FIN and nothing heard: once more"),
        pytest.param(200, 3, (End.RESET,), id="g9 RST and nothing heard: once more"),
        pytest.param(502, 2, (b"HTTP/1.1 200", End.CLOSE), id="r6 part of a head: final"),
        pytest.param(502, 2, (head(103), End.CLOSE), id="r6 an interim answer: final"),
        pytest.param(502, 2, (sse_head(), End.CLOSE), id="r6 a head: final"),
    ],
)
async def test_g9_a_kept_connection_that_dies(
    gateway: RunningGateway,
    upstream: ScriptedUpstream,
    status: int,
    attempts: int,
    second: tuple[Step, ...],
) -> None:
    upstream.tell()

    def answer(seen: Seen) -> tuple[Step, ...]:
        is_second = len(upstream.seen) > 1 and seen.connection == upstream.seen[0].connection
        return second if is_second else (whole(ANSWER),)

    upstream.answer = answer
    await ask(gateway, chat())
    reply = await ask(gateway, chat())

    assert reply.status == status
    assert len(upstream.seen) == attempts
    assert upstream.seen[1].connection == upstream.seen[0].connection
    assert len({seen.body for seen in upstream.seen}) == 1


async def test_g9_the_second_attempt_goes_out_on_a_fresh_connection(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    upstream.tell()
    both_are_here = asyncio.Event()
    old: set[int] = set()

    def answer(seen: Seen) -> tuple[Step, ...]:
        if not both_are_here.is_set():
            old.add(seen.connection)
            return both_are_here, whole(ANSWER)
        return (End.CLOSE,) if seen.connection in old else (whole(ANSWER),)

    upstream.answer = answer
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(ask(gateway, chat()))
        await upstream.request(3)
        both_are_here.set()

    assert (await ask(gateway, chat())).status == 200
    assert len(upstream.seen) == 5


async def test_g7_a_delete_is_never_sent_twice(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    upstream.tell()
    upstream.answer = lambda _: (End.CLOSE,) if len(upstream.seen) > 1 else (whole(ANSWER),)
    await ask(gateway, chat())

    reply = await ask(gateway, request("DELETE", "/v1/models/m"))

    await check_refused(gateway, reply, 502, "upstream_disconnected")
    assert [seen.method for seen in upstream.seen] == ["POST", "DELETE"]
    assert upstream.seen[1].connection == upstream.seen[0].connection


def closed_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


async def test_r6_a_refused_connection_fails_over(upstream: ScriptedUpstream) -> None:
    dead = entry_of(f"http://127.0.0.1:{closed_port()}/v1", name="dead")
    routes = (RouteEntry("either", ("dead/m", "scripted/m-other")),)
    async with gateway_over(dead, entry_of(upstream), routes=routes) as gateway:
        upstream.tell(whole(ANSWER))
        reply = await ask(gateway, chat("either"))
        alone = await ask(gateway, chat("dead/m"))

    assert (reply.status, reply.body) == (200, ANSWER)
    assert reply.header("x-mindgate-upstream") == "scripted"
    assert reply.header("x-mindgate-attempts") == "2"
    assert b'"m-other"' in upstream.seen[0].body
    assert (alone.status, alone.error["code"]) == (502, "upstream_unreachable")


async def test_r6_a_deployment_that_was_reached_does_not_fail_over(
    upstream: ScriptedUpstream, healthy: ScriptedUpstream
) -> None:
    routes = (RouteEntry("either", ("scripted/m", "healthy/m")),)
    entries = (entry_of(upstream), entry_of(healthy, name="healthy"))
    async with gateway_over(*entries, routes=routes) as gateway:
        upstream.tell(End.CLOSE)
        healthy.tell(whole(ANSWER))
        reply = await ask(gateway, chat("either"))

    assert reply.status == 502
    assert healthy.seen == []


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize(
    ("status", "given", "seconds", "milliseconds", "should_retry"),
    [
        pytest.param(429, {"retry-after": "7"}, "7", "7000", None, id="c12 seconds"),
        pytest.param(429, {"retry-after": "0"}, "1", "1000", None, id="c12 never 0"),
        pytest.param(429, {"retry-after": "1.2"}, "2", "1200", None, id="c12 rounded up"),
        pytest.param(429, {"retry-after-ms": "150"}, "1", "150", None, id="c12 milliseconds"),
        pytest.param(
            429,
            {
                "date": "Thu, 01 Jan 2026 00:00:00 GMT",
                "retry-after": "Thu, 01 Jan 2026 00:00:09 GMT",
            },
            *("9", "9000", None),
            id="c12 a date",
        ),
        pytest.param(429, {}, "1", "1000", None, id="c12 a 429 always says how long"),
        pytest.param(429, {"retry-after": "90"}, "90", "90000", "false", id="c13 above a minute"),
        pytest.param(503, {"retry-after": "7"}, "7", "7000", None, id="c12 a 503"),
        pytest.param(503, {}, None, None, None, id="c12 a 503 that does not say"),
        pytest.param(500, {"retry-after": "7"}, None, None, None, id="c12 a 500 states no wait"),
    ],
)
async def test_c12_a_wait_is_relayed(
    gateway: RunningGateway,
    upstream: ScriptedUpstream,
    stream: bool,
    status: int,
    given: dict[str, str],
    seconds: str | None,
    milliseconds: str | None,
    should_retry: str | None,
) -> None:
    body = b'{"error":{"message":"later","type":"requests","param":null,"code":"slow_down"}}'
    upstream.tell(head(status, {**given, "content-length": str(len(body))}) + body)

    reply = await ask(gateway, chat(stream=stream))

    assert (reply.status, reply.body) == (status, body)  # f3: its own words, byte for byte
    assert reply.header("retry-after") == seconds
    assert reply.header("retry-after-ms") == milliseconds
    assert reply.header("x-should-retry") == should_retry


async def test_s22_an_upstreams_codes_make_no_new_series(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    async def series() -> int:
        return sum(
            "mindgate_attempts_total{" in line for line in (await metrics(gateway)).splitlines()
        )

    counts = []
    for number in range(5):
        upstream.tell(whole(b'{"error":{"message":"no","code":"code-%d"}}' % number, 400))
        await ask(gateway, chat())
        counts.append(await series())

    assert len(set(counts)) == 1


# --- deadlines (R5) -----------------------------------------------------------------------------------------------

_TICK = 0.01  # the loop's clock counts in milliseconds
_SLACK = 2.0  # a slow computer; the other deadlines are ten times as long
_DRIP = [step for byte in head(200, {"x": "y" * 500}) for step in (bytes([byte]), Pause(0.02))]
_LIVE = [step for _ in range(400) for step in (chunked(SECOND), Pause(0.01))]


@pytest.mark.parametrize(
    ("model", "stream", "script"),
    [
        pytest.param("first", False, (End.HOLD,), id="first byte: silence, json"),
        pytest.param("first", True, (End.HOLD,), id="first byte: silence, stream"),
        pytest.param("first", False, _DRIP, id="first byte: a dripped head, json"),
        pytest.param("first", True, _DRIP, id="first byte: a dripped head, stream"),
        pytest.param("first", True, (sse_head(), End.HOLD), id="first byte: a head, no event"),
        pytest.param(
            "first",
            True,
            (
                sse_head(),
                *[step for _ in range(400) for step in (chunked(b": x\n\n"), Pause(0.01))],
            ),
            id="first byte: comments are no event",
        ),
        pytest.param("first", False, (head(200, _LONG_HEAD), End.HOLD), id="first byte: no body"),
        pytest.param(
            "first",
            False,
            (head(500, {"content-length": "9"}), End.HOLD),
            id="first byte: an error",
        ),
        pytest.param("idle", False, (head(200, _LONG_HEAD) + b"{", End.HOLD), id="idle: json"),
        pytest.param(
            "total",
            False,
            (
                head(200, _CHUNKED_HEAD),
                *[s for _ in range(400) for s in (chunked(b" "), Pause(0.01))],
            ),
            id="total: json",
        ),
    ],
)
async def test_r5_a_deadline_before_the_first_byte_is_a_504(
    gateway: RunningGateway,
    upstream: ScriptedUpstream,
    model: str,
    stream: bool,
    script: tuple[Step, ...],
) -> None:
    upstream.tell(*script)
    started_at = asyncio.get_running_loop().time()

    reply = await ask(gateway, chat(model, stream=stream))
    took = asyncio.get_running_loop().time() - started_at

    await check_refused(gateway, reply, 504, "upstream_timeout")
    assert SHORT - _TICK < took < SHORT + _SLACK
    assert reply.header("x-should-retry") == "false"
    assert f"{SHORT:g} seconds" in reply.error["message"]
    line = await line_of(gateway, reply)
    assert (line["outcome"], line["phase"]) == (
        "timeout",
        {"first": "first_byte"}.get(model, model),
    )
    assert await eventually(upstream.seen[0].gone.is_set)
    assert await is_serving(gateway, upstream)


@pytest.mark.parametrize(
    ("model", "rest"),
    [
        pytest.param("idle", (End.HOLD,), id="idle: silence"),
        pytest.param("idle", (chunked(SECOND[:9]), End.HOLD), id="idle: inside an event"),
        pytest.param("total", _LIVE, id="total: a stream that never ends"),
    ],
)
async def test_r5_a_deadline_after_the_first_byte_is_an_error_event(
    gateway: RunningGateway, upstream: ScriptedUpstream, model: str, rest: tuple[Step, ...]
) -> None:
    upstream.tell(sse_head(), chunked(FIRST), *rest)
    started_at = asyncio.get_running_loop().time()

    reply = await ask(gateway, chat(model, stream=True))
    took = asyncio.get_running_loop().time() - started_at

    sent = reply.body[: reply.body.rindex(b"data: ")]
    check_failed_stream(reply, sent, "upstream_timeout")
    assert sent.startswith(FIRST)
    assert SHORT - _TICK < took < SHORT + _SLACK
    line = await line_of(gateway, reply)
    assert (line["outcome"], line["phase"]) == ("timeout", model)
    assert await eventually(upstream.seen[0].gone.is_set)


async def test_r5_a_slow_live_stream_survives_the_idle_deadline(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    pieces = [FIRST, *[SECOND] * 8, FINISH, DONE]
    slowly = [step for one in pieces for step in (chunked(one), Pause(SHORT / 6))]
    upstream.tell(sse_head(), *slowly, LAST_CHUNK)

    reply = await ask(gateway, chat("idle", stream=True))

    assert reply.body == b"".join(pieces)


async def test_r4_r5_a_client_that_pauses_makes_no_upstream_idle(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    """While the client is full nothing is read: that silence is no upstream's."""
    long = event("x" * READ_BYTES)
    stream = FIRST + long * 200 + FINISH + DONE
    upstream.tell(
        sse_head(), chunked(FIRST), *[chunked(long)] * 200, chunked(FINISH + DONE), LAST_CHUNK
    )

    async with connected(gateway) as client:
        await client.send(chat("idle", stream=True))
        reply = await client.begin()
        await asyncio.sleep(SHORT * 3)
        while piece := await client.chunk():
            reply.body += piece

    assert reply.body == stream
    assert (await line_of(gateway, reply))["outcome"] == "complete"


async def test_r5_the_first_byte_of_a_whole_answer_is_its_first_event(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    """Also where a stream was asked for."""
    answer = whole(ANSWER)
    upstream.tell(answer[:-50], Pause(SHORT * 2), answer[-50:])

    reply = await ask(gateway, chat("first", stream=True))

    assert (reply.status, reply.body.endswith(DONE)) == (200, True)


async def test_r5_events_that_wait_or_are_dropped_are_heard(upstream: ScriptedUpstream) -> None:
    """An agent's status before the first chunk (F-S3), and thoughts that go nowhere (M-S3)."""
    limits = TimeoutOverrides(first_byte_seconds=SHORT)
    thought = event("hm", first=True).replace(b'"assistant"', b'"system"')
    status = b"event: agent_status\ndata: {}\n\n".replace(b"{}", b'{"type":"status"}')
    entries = [
        entry_of(upstream, name="4m", dialect="4minds", models=("4m",), timeouts=limits),
        entry_of(
            *(upstream, "mind"), dialect="minds", models=("mind",), timeouts=limits, thoughts="drop"
        ),
    ]
    async with gateway_over(*entries) as patient:
        for model, waiting in (("4m", status), ("mind", thought)):
            upstream.tell(
                sse_head(),
                *[step for _ in range(4) for step in (chunked(waiting), Pause(SHORT / 2))],
                *(chunked(FIRST + FINISH + DONE), LAST_CHUNK),
            )
            reply = await ask(patient, chat(model, stream=True))

            assert (reply.status, reply.body[: len(FIRST)]) == (200, FIRST), model


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
async def test_r4_a_whole_answer_has_a_bound_whatever_was_asked_for(
    upstream: ScriptedUpstream, stream: bool
) -> None:
    async with gateway_over(entry_of(upstream, max_json_bytes=1 << 20)) as bounded:
        upstream.tell(whole(ANSWER.replace(b"one", b"x" * (2 << 20))))
        reply = await ask(bounded, chat(stream=stream))

        await check_refused(bounded, reply, 502, "upstream_malformed")
        assert "larger than 1 MB" in reply.error["message"]


@pytest.mark.parametrize(
    ("patience", "is_cut"),
    [
        pytest.param([("x-stainless-read-timeout", "0.4")], True, id="g6 half of what was stated"),
        pytest.param([("x-stainless-timeout", "0.4")], True, id="g6 node's header"),
        pytest.param([("x-stainless-read-timeout", "nan")], False, id="g6 no number"),
        pytest.param([], False, id="g6 nothing stated"),
    ],
)
async def test_g6_a_client_states_its_patience(
    gateway: RunningGateway,
    upstream: ScriptedUpstream,
    patience: list[tuple[str, str]],
    is_cut: bool,
) -> None:
    upstream.tell(Pause(0.5), whole(ANSWER))

    reply = await ask(gateway, chat(headers=patience))

    assert reply.status == (504 if is_cut else 200)


async def test_r5_the_connect_deadline_is_a_502() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        limits = Timeouts(connect_seconds=SHORT, first_byte_seconds=LONG)
        async with gateway_over(entry_of(url), timeouts=limits) as gateway:
            started_at = asyncio.get_running_loop().time()
            reply = await ask(gateway, chat())
            took = asyncio.get_running_loop().time() - started_at
        for filler in fillers:
            filler.close()

    assert (reply.status, reply.error["code"]) == (502, "upstream_unreachable")
    assert SHORT - _TICK < took < SHORT + _SLACK
