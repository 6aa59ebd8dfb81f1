"""What leaves for the client and for the upstream, byte by byte (contract B, C, D, H; upstreams G2, G5, S1 to S6)."""

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from app.domain.configuration import RouteEntry
from tests.fakes.gateways import KEY, RunningGateway
from tests.fakes.raw_client import ask, chat, chat_body, connected, is_envelope, line_of, request
from tests.fakes.scripted_upstream import (
    ANSWER,
    DONE,
    FINISH,
    FIRST,
    LAST_CHUNK,
    SECOND,
    STREAM,
    USAGE,
    End,
    ScriptedUpstream,
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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with scripted() as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(upstream: ScriptedUpstream) -> AsyncIterator[RunningGateway]:
    routes = (RouteEntry("alias", ("scripted/m",)), RouteEntry('quo"ted é', ("scripted/m",)))
    async with gateway_over(entry_of(upstream), routes=routes) as found:
        yield found


def holds_whole_events(piece: bytes) -> bool:
    """Contract H11: an HTTP chunk neither begins nor ends inside an event."""
    events = piece.removesuffix(b"\n\n").split(b"\n\n")
    return piece.endswith(b"\n\n") and all(one.startswith(b"data: ") for one in events)


# --- the stream, to the client ------------------------------------------------------------------------------------

# Repaired and passed frames, two data lines, every line end, characters of two to four bytes, a comment, an id.
_RAW = "ä\u2028\U0001f600".encode()
_UNEVEN = (
    b"\xef\xbb\xbf: hello\r\n"
    + FIRST.replace(b"one", _RAW).replace(b'"c-1",', b'"c-1",\ndata: ').replace(b"\n", b"\r\n")
    + b"id: 7\nevent: chunk\n"
    + SECOND.replace(b'"finish_reason":null', b'"finish_reason":""')
    + FINISH.replace(b"data: ", b"data:").replace(b"\n", b"\r")
    + DONE
)
_EVEN = FIRST.replace(b"one", _RAW) + SECOND + FINISH + DONE
_EVENED = _EVEN.replace(b'"c-1",', b'"c-1", ', 1)


async def test_h8_a_canonical_stream_leaves_byte_for_byte(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    upstream.tell(sse_head(), *(chunked(one) for one in (FIRST, SECOND, FINISH, DONE)), LAST_CHUNK)

    reply = await ask(gateway, chat(stream=True))

    assert reply.body == STREAM
    assert reply.chunks == [FIRST, SECOND, FINISH, DONE]
    assert reply.end == "whole"


async def test_h11_an_event_leaves_when_its_last_byte_has_come(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    more, rest = asyncio.Event(), asyncio.Event()
    upstream.tell(
        *(sse_head(), chunked(FIRST + SECOND[:-1]), more, chunked(SECOND[-1:]), rest),
        *(chunked(FINISH + DONE), LAST_CHUNK),
    )

    async with connected(gateway) as client:
        await client.send(chat(stream=True))
        await client.begin()
        first = await client.chunk()
        more.set()
        second = await client.chunk()
        rest.set()
        last = await client.chunk()

    assert [first, second, last] == [FIRST, SECOND, FINISH + DONE]


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        pytest.param(_EVEN, _EVEN, id="h10 a canonical stream"),
        pytest.param(_UNEVEN, _EVENED, id="h10 a stream with every irregularity"),
    ],
)
async def test_h10_any_cut_of_the_upstreams_bytes_gives_the_same_stream(
    gateway: RunningGateway, upstream: ScriptedUpstream, sent: bytes, received: bytes
) -> None:
    wire = sse(sent)
    upstream.tell()
    upstream.answer = lambda seen: cut_at(wire, int(seen.header("idempotency-key") or 0))
    at_once = asyncio.Semaphore(8)

    async def cut(position: int) -> tuple[int, bytes, bool]:
        async with at_once:
            reply = await ask(
                gateway, chat(headers=[("idempotency-key", str(position))], stream=True)
            )
        return position, reply.body, all(map(holds_whole_events, reply.chunks))

    found = await asyncio.gather(*(cut(position) for position in range(1, len(wire))))

    assert [position for position, body, _ in found if body != received] == []
    assert [position for position, _, is_whole in found if not is_whole] == []


def cut_at(wire: bytes, position: int) -> list[bytes]:
    return [wire[:position], wire[position:]]


async def test_h10_one_byte_at_a_time(gateway: RunningGateway, upstream: ScriptedUpstream) -> None:
    wire = sse(_UNEVEN)
    upstream.tell(*(wire[place : place + 1] for place in range(len(wire))))

    reply = await ask(gateway, chat(stream=True))

    assert reply.body == _EVENED
    assert all(map(holds_whole_events, reply.chunks))


_TWO_LINES = FIRST.replace(b'"c-1",', b'"c-1",\ndata: ')
_TWO_LINES_JOINED = FIRST.replace(b'"c-1",', b'"c-1", ')
_REST = SECOND + FINISH + DONE


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        pytest.param(STREAM.replace(b"\n", b"\r\n"), STREAM, id="h8 CRLF"),
        pytest.param(STREAM.replace(b"\n", b"\r"), STREAM, id="h8 lone CR"),
        pytest.param(
            FIRST.replace(b"\n\n", b"\r\n\n") + SECOND.replace(b"\n\n", b"\n\r") + FINISH + DONE,
            STREAM,
            id="h8 mixed line ends",
        ),
        pytest.param(_TWO_LINES + _REST, _TWO_LINES_JOINED + _REST, id="h1 two data lines"),
        pytest.param(b"\xef\xbb\xbf" + STREAM, STREAM, id="h2 a BOM"),
        pytest.param(STREAM.replace(b"data: ", b"data:"), STREAM, id="h8 no blank after data:"),
        pytest.param(STREAM.removesuffix(b"\n"), STREAM, id="h7 the last blank line is missing"),
        pytest.param(STREAM.removesuffix(b"\n\n"), STREAM, id="h7 the last line end is missing"),
        pytest.param(b": hi\n\n" + FIRST + b":\n" + _REST, STREAM, id="h8 comments"),
        pytest.param(b"id: 1\n" + FIRST + b"id\n\n" + _REST, STREAM, id="h2 id lines"),
        pytest.param(b"retry: 3000\n\n" + STREAM, STREAM, id="h2 a retry block"),
        pytest.param(b"event: x\n" + STREAM, STREAM, id="h2 an event name"),
        pytest.param(b"event: ping\n\n" + STREAM, STREAM, id="j7 a ping without data"),
        pytest.param(b"event: ping\ndata: {}\n\n" + STREAM, STREAM, id="j7 a ping with {}"),
        pytest.param(b"data:\n\ndata\n\n" + STREAM, STREAM, id="j7 empty data"),
        pytest.param(b"\n\n\n" + STREAM, STREAM, id="h8 blank padding"),
        pytest.param(STREAM.replace(b"[DONE]", b"[DONE] "), STREAM, id="h3 a blank after [DONE]"),
        pytest.param(STREAM + SECOND + DONE, STREAM, id="h5 more after [DONE]"),
        pytest.param(STREAM.removesuffix(DONE), STREAM, id="h6 no [DONE]"),
        pytest.param(FIRST + SECOND + USAGE + FINISH + DONE, STREAM, id="i10 usage not asked for"),
    ],
)
async def test_h8_what_is_understood_leaves_in_order(
    gateway: RunningGateway, upstream: ScriptedUpstream, sent: bytes, received: bytes
) -> None:
    upstream.tell(sse(sent))

    reply = await ask(gateway, chat(stream=True))

    assert reply.body == received
    assert all(map(holds_whole_events, reply.chunks))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("a\u2028b\u2029c\u0085d", id="h9 line separators of Unicode, raw"),
        pytest.param("\\ud83d", id="d5 half a character"),
        pytest.param("\\/ \\u00e9 é", id="d4 escapes as they came"),
        pytest.param("x" * (70 << 10), id="h12 a line above 64 KiB"),
        pytest.param("é" * (600 << 10), id="h12 a line above 1 MiB"),
    ],
)
async def test_h9_h12_a_canonical_event_passes_whatever_it_holds(
    gateway: RunningGateway, upstream: ScriptedUpstream, content: str
) -> None:
    stream = FIRST + event(content) + FINISH + DONE
    upstream.tell(sse(stream))

    reply = await ask(gateway, chat(stream=True))

    assert reply.body == stream
    assert all(map(holds_whole_events, reply.chunks))


async def test_r16_an_event_above_1_mib_that_would_have_to_be_rewritten_is_refused(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    large = event("x" * (1100 << 10)).replace(b'"finish_reason":null', b'"finish_reason":""')
    upstream.tell(sse(FIRST + large + FINISH + DONE))

    reply = await ask(gateway, chat(stream=True))

    assert reply.body.startswith(FIRST)
    assert reply.error["code"] == "upstream_malformed"
    assert b"[DONE]" not in reply.body


async def test_h4_the_body_ends_at_done_though_the_upstream_holds_it_open(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    upstream.tell(sse_head(), chunked(STREAM), End.HOLD)

    async with connected(gateway) as client:
        await client.send(chat(stream=True))
        reply = await client.reply()
        seen = await upstream.request()
        await asyncio.wait_for(seen.gone.wait(), 5)
        upstream.tell(whole(ANSWER))
        await client.send(chat())
        second = await client.reply()

    assert (reply.body, reply.end) == (STREAM, "whole")
    assert second.body == ANSWER  # the client's own connection lives on
    assert (await line_of(gateway, reply))["outcome"] == "complete"


async def test_h5_nothing_follows_done_even_in_the_same_read(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    upstream.tell(sse_head() + chunked(STREAM + SECOND) + chunked(SECOND) + LAST_CHUNK)

    reply = await ask(gateway, chat(stream=True))

    assert reply.body == STREAM


async def test_e12_an_answer_in_order_leaves_byte_for_byte(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    extra = b',"4minds":{"big":123456789012345678901234567890,"e":1E5,"x":1e400,"s":"\\ud83d\\/"},  "z":-0}'
    answer = ANSWER.removesuffix(b"}") + extra
    upstream.tell(whole(answer))

    reply = await ask(gateway, chat())

    assert reply.body == answer
    assert reply.header("content-length") == str(len(answer))


# --- headers of the reply -----------------------------------------------------------------------------------------


async def test_c8_the_headers_of_a_stream(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    upstream.tell(sse(STREAM))

    reply = await ask(gateway, chat(stream=True, headers=[("accept-encoding", "gzip, br")]))

    assert reply.header("content-type") == "text/event-stream; charset=utf-8"
    assert reply.header("cache-control") == "no-cache, no-transform"
    assert reply.header("x-accel-buffering") == "no"
    assert reply.header("content-length") is None
    assert reply.header("content-encoding") is None
    assert len(reply.headers) == len(set(reply.headers))


_FROM_UPSTREAM = [
    ("set-cookie", "__cf_bm=secret-cookie"),
    ("x-api-key", "sk-leaked-credential"),
    ("authorization", "Bearer sk-leaked-credential"),
    ("server", "nginx"),
    ("date", "Thu, 01 Jan 1970 00:00:00 GMT"),
    ("alt-svc", "h3"),
    ("strict-transport-security", "max-age=1"),
    ("openai-organization", "org-secret"),
    ("openai-project", "proj-secret"),
    ("connection", "x-hop"),
    ("x-hop", "1"),
    ("keep-alive", "timeout=5"),
    ("x-powered-by", "Express"),
    ("x-request-id", "upstream-id-1"),
    ("openai-processing-ms", "17"),
    ("openai-version", "2020-10-01"),
    ("openai-model", "m-1"),
    ("x-ratelimit-remaining-tokens", "5"),
    ("x-ratelimit-reset-requests", "6m0s"),
    ("vary", "accept"),
    ("vary", "origin"),
    ("link", "</a>"),
    ("link", "</b>"),
]
_KEPT = ("openai-processing-ms", "openai-version", "openai-model", "vary", "link")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_c9_c10_response_headers_pass_an_allow_list(
    gateway: RunningGateway, upstream: ScriptedUpstream, stream: bool
) -> None:
    body = STREAM if stream else ANSWER
    framing = ("content-length", str(len(body)))
    kind = ("content-type", "text/event-stream" if stream else "application/json")
    upstream.tell(head(200, [*_FROM_UPSTREAM, framing, kind]) + body)

    reply = await ask(gateway, chat(stream=stream))

    relayed = [pair for pair in _FROM_UPSTREAM if pair[0] in _KEPT or "ratelimit" in pair[0]]
    ours = {
        *("date", "content-type", "content-length", "transfer-encoding", "cache-control"),
        *("x-accel-buffering", "x-request-id", "server-timing", "x-mindgate-upstream"),
        *("x-mindgate-model", "x-mindgate-attempts", "x-mindgate-upstream-request-id"),
    }
    assert reply.body == body
    assert [
        pair for pair in reply.headers if pair[0] not in ours
    ] == relayed  # c11: repetitions kept
    assert reply.header("x-mindgate-upstream-request-id") == "upstream-id-1"
    assert reply.header("x-request-id") != "upstream-id-1"
    assert len(reply.all("date")) == 1
    assert not any("1970" in value or "secret" in value for _, value in reply.headers)


async def test_c9_a_cookie_is_not_sent_back_to_the_upstream(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    upstream.tell(whole(ANSWER, set_cookie="session=abc; path=/"))

    await ask(gateway, chat())
    await ask(gateway, chat())

    assert [seen.header("cookie") for seen in upstream.seen] == [None, None]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        pytest.param("gzip", gzip.compress, id="r2 gzip is opened"),
        pytest.param("deflate", zlib.compress, id="r2 deflate is opened"),
    ],
)
async def test_r2_a_packed_answer_is_opened(
    gateway: RunningGateway, upstream: ScriptedUpstream, stream: bool, coding: str, packed: object
) -> None:
    assert callable(packed)
    plain = STREAM if stream else ANSWER
    body = packed(plain)
    kind = "text/event-stream" if stream else "application/json"
    headers = {"content-type": kind, "content-encoding": coding, "content-length": str(len(body))}
    upstream.tell(head(200, headers), body[:7], body[7:])

    reply = await ask(gateway, chat(stream=stream))

    assert reply.body == plain
    assert reply.header("content-encoding") is None
    assert upstream.seen[0].header("accept-encoding") == "identity"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_h7_a_coding_that_cannot_be_opened_is_a_502(
    gateway: RunningGateway, upstream: ScriptedUpstream, stream: bool
) -> None:
    upstream.tell(whole(ANSWER, content_encoding="br"))

    reply = await ask(gateway, chat(stream=stream))

    assert reply.status == 502
    assert reply.error["code"] == "upstream_malformed"


# --- the request, to the upstream -----------------------------------------------------------------------------------

_MESSAGES = b'"messages":[{"role":"user","content":"hi"}]'


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"model":"m",%b}' % _MESSAGES, id="d1 a plain body"),
        pytest.param(b'{"model":"m",%b,"seed":1e400}' % _MESSAGES, id="d4 a float beyond range"),
        pytest.param(b'{"model":"m",%b,"seed":-0}' % _MESSAGES, id="d4 minus nought"),
        pytest.param(b'{"model":"m",%b,"t":1.10,"u":1E5}' % _MESSAGES, id="d4 spelling of numbers"),
        pytest.param(b'{"model":"m",%b,"s":0.12345678901234567}' % _MESSAGES, id="d4 17 digits"),
        pytest.param(b'{"model":"m",%b,"s":18446744073709551617}' % _MESSAGES, id="d4 above 2^64"),
        pytest.param(b'{"model":"m",%b,"s":"\\ud83d"}' % _MESSAGES, id="d4 a lone surrogate"),
        pytest.param(b'{"z":1,"model":"m","a":2,%b}' % _MESSAGES, id="d4 order of keys"),
        pytest.param(b'{"model":"m",%b,"u":"\\/\\u00e9"}' % _MESSAGES, id="d4 escapes"),
        pytest.param('{"model":"m","messages":[],"u":"é\u2028"}'.encode(), id="d4 raw UTF-8"),
        pytest.param(b' {\r\n "model" :\t"m" ,\n%b }\n' % _MESSAGES, id="d1 white space"),
        pytest.param(b'{"model":"m",%b,"x":1,"x":2}' % _MESSAGES, id="d6 other repetitions pass"),
        pytest.param(
            b'{"model":"m",%b,"api_base":"http://evil","4minds":{"a":[null]},"cache_control":{}}'
            % _MESSAGES,
            id="d3 unknown members",
        ),
        pytest.param(
            b'{"model":"m","messages":[],"tools":[],"stop":null,"n":1}', id="d12 no stricter"
        ),
        pytest.param(b'{"\\u006dodel":"m",%b}' % _MESSAGES, id="d1 an escaped name"),
    ],
)
async def test_d1_d4_a_body_goes_upstream_byte_for_byte(
    gateway: RunningGateway, upstream: ScriptedUpstream, body: bytes
) -> None:
    upstream.tell(whole(ANSWER))

    reply = await ask(gateway, request("POST", "/v1/chat/completions", body))

    assert reply.status == 200
    assert upstream.seen[0].body == body


@pytest.mark.parametrize(
    ("body", "received"),
    [
        pytest.param(
            b'\xef\xbb\xbf{"model":"m",%b}' % _MESSAGES,
            b'{"model":"m",%b}' % _MESSAGES,
            id="d11 a BOM is not forwarded",
        ),
        pytest.param(
            b'{ "x":1e400,"model" : "alias" ,%b,"y":-0 }' % _MESSAGES,
            b'{ "x":1e400,"model" : "m" ,%b,"y":-0 }' % _MESSAGES,
            id="d2 the value of model and nothing else",
        ),
        pytest.param(
            b'{"model":"scripted/m",%b}' % _MESSAGES,
            b'{"model":"m",%b}' % _MESSAGES,
            id="d2 an upstream's prefix",
        ),
        pytest.param(
            b'{"model":"quo\\"ted \\u00e9","messages":[{"model":"alias"}]}',
            b'{"model":"m","messages":[{"model":"alias"}]}',
            id="d2 an escaped name, and a model deeper down",
        ),
        pytest.param(
            b'{"model":"m",%b,"stream":true}' % _MESSAGES,
            b'{"stream_options":{"include_usage":true},"model":"m",%b,"stream":true}' % _MESSAGES,
            id="i11 usage is asked for",
        ),
        pytest.param(
            b'{"model":"m",%b,"stream":true,"stream_options":{"x":1}}' % _MESSAGES,
            b'{"model":"m",%b,"stream":true,"stream_options":{"include_usage":true,"x":1}}'
            % _MESSAGES,
            id="i11 beside other options",
        ),
        pytest.param(
            b'{"model":"m",%b,"stream":true,"stream_options":{"include_usage":true}}' % _MESSAGES,
            b'{"model":"m",%b,"stream":true,"stream_options":{"include_usage":true}}' % _MESSAGES,
            id="i11 who asks for it sends it unchanged",
        ),
    ],
)
async def test_d2_changes_are_spliced(
    gateway: RunningGateway, upstream: ScriptedUpstream, body: bytes, received: bytes
) -> None:
    upstream.tell(sse(STREAM) if b'"stream":true' in body else whole(ANSWER))

    reply = await ask(gateway, request("POST", "/v1/chat/completions", body))

    assert reply.status == 200
    assert upstream.seen[0].body == received


async def test_d7_the_model_may_come_last_after_5_mb(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    front = b'{"messages":[{"role":"user","content":"' + b"A" * (5 << 20) + b'"}],"model":"'
    upstream.tell(whole(ANSWER))

    reply = await ask(gateway, request("POST", "/v1/chat/completions", front + b'alias"}'))

    assert reply.status == 200
    assert upstream.seen[0].body == front + b'm"}'


async def test_d6_two_models_are_refused(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    upstream.tell(whole(ANSWER))
    body = b'{"model":"m",%b,"\\u006dodel":"alias"}' % _MESSAGES

    reply = await ask(gateway, request("POST", "/v1/chat/completions", body))

    assert reply.status == 400
    assert is_envelope(reply)
    assert reply.error["param"] == "model"
    assert upstream.seen == []


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param((7, 1, 40), id="r5 pieces of any size"),
        pytest.param((1,), id="r5 one byte, then the rest"),
        pytest.param((), id="r5 one piece"),
    ],
)
@pytest.mark.parametrize("trailer", [b"", b"x-trailer: 1\r\n"], ids=["no trailer", "a trailer"])
async def test_r5_a_chunked_request_body(
    gateway: RunningGateway, upstream: ScriptedUpstream, pieces: tuple[int, ...], trailer: bytes
) -> None:
    body, sent, at = chat_body(), b"", 0
    for size in pieces:
        sent, at = sent + chunked(body[at : at + size]), at + size
    sent += chunked(body[at:]) + b"0\r\n" + trailer + b"\r\n"
    upstream.tell(whole(ANSWER))

    framing = [("transfer-encoding", "chunked"), ("content-type", "application/json")]
    reply = await ask(gateway, request("POST", "/v1/chat/completions", None, framing) + sent)

    assert reply.status == 200
    assert upstream.seen[0].body == body
    assert upstream.seen[0].header("content-length") == str(len(body))


_FROM_CLIENT = [
    ("x-api-key", "sk-other-client-key-0001"),
    ("api-key", "sk-other-client-key-0002"),
    ("proxy-authorization", "Basic c2VjcmV0"),
    ("x-goog-api-key", "AIzaSecretSecret"),
    ("xi-api-key", "secret-xi"),
    ("cookie", "session=secret"),
    ("openai-organization", "org-secret"),
    ("openai-project", "proj-secret"),
    ("x-stainless-lang", "python"),
    ("x-stainless-retry-count", "0"),
    ("x-mindgate-upstream", "scripted"),
    ("x-forwarded-for", "10.0.0.1"),
    ("x-user-id", "root"),
    ("referer", "http://secret"),
    ("origin", "http://secret"),
    ("te", "trailers"),
    ("x-eight-bit", "\xe9\xff"),
    ("anthropic-version", "2023-06-01"),
    ("x-request-id", "client-chosen"),
    ("accept", "application/json"),
    ("idempotency-key", "idem-1"),
    ("openai-beta", "assistants=v2"),
]


async def test_b5_g2_request_headers_pass_an_allow_list(
    gateway: RunningGateway, upstream: ScriptedUpstream
) -> None:
    upstream.tell(whole(ANSWER))

    reply = await ask(gateway, chat(headers=_FROM_CLIENT))

    sent = upstream.seen[0]
    assert reply.status == 200
    assert sorted(name for name, _ in sent.headers) == sorted(
        (
            *("host", "content-length", "content-type", "authorization", "accept-encoding"),
            *("user-agent", "x-request-id", "accept", "idempotency-key", "openai-beta"),
        )
    )
    assert sent.header("authorization") == "Bearer sk-upstream-0123456789"
    assert sent.header("x-request-id") == reply.header("x-request-id")
    assert sent.target == "/v1/chat/completions"
    assert KEY.encode() not in sent.head
    assert b"secret" not in sent.head
    assert b"client" not in sent.head


@pytest.mark.parametrize(
    ("options", "received"),
    [
        pytest.param(None, STREAM, id="i10 not asked for: hidden"),
        pytest.param({"include_usage": False}, STREAM, id="i10 declined: hidden"),
        pytest.param(
            {"include_usage": True},
            FIRST + SECOND + FINISH + USAGE + DONE,
            id="i10 asked for: last before [DONE]",
        ),
    ],
)
async def test_i10_i11_usage_is_read_and_shown_to_who_asked(
    gateway: RunningGateway,
    upstream: ScriptedUpstream,
    options: dict[str, bool] | None,
    received: bytes,
) -> None:
    upstream.tell(sse(FIRST + SECOND + FINISH + USAGE + DONE))

    reply = await ask(gateway, chat(stream=True, stream_options=options))

    assert [without_null_usage(one) for one in frames(reply.body)] == frames(received)
    assert json.loads(upstream.seen[0].body)["stream_options"]["include_usage"] is True
    line = await line_of(gateway, reply)
    assert (line["input_tokens"], line["output_tokens"]) == (3, 2)


def frames(stream: bytes) -> list[object]:
    lines = stream.removesuffix(b"\n\n").split(b"\n\n")
    texts = [line.removeprefix(b"data: ") for line in lines]
    return [text if text == b"[DONE]" else json.loads(text) for text in texts]


def without_null_usage(found: object) -> object:
    """A chunk before the usage chunk says `usage: null` to who asked (contract I10)."""
    if isinstance(found, dict) and found.get("usage", 0) is None:
        return {name: value for name, value in found.items() if name != "usage"}
    return found
