"""
The hostile upstream of reliability R15, at the seam: each of table H's twelve kinds of fault, as JSON and as a stream.

Both senders keep it. What the gateway makes of each fault is in `tests/journeys/test_hostile_upstreams.py`.
"""

import asyncio
import random
from typing import NamedTuple

import pytest

from app.domain.errors import (
    GatewayError,
    UpstreamDisconnected,
    UpstreamMalformed,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from tests.fakes.scripted_upstream import (
    ANSWER,
    DONE,
    LAST_CHUNK,
    STREAM,
    End,
    Pause,
    Seen,
    Step,
    chunked,
    event,
    head,
    sse,
    sse_head,
    whole,
)
from tests.upstreams.both_senders import (
    TAKEN,
    Sink,
    poured,
    read_all,
    request_of,
    sent,
    within,
)

SHORT = 0.05
UNREACHABLE, CUT = UpstreamUnreachable, UpstreamDisconnected
MALFORMED, TIMEOUT = UpstreamMalformed, UpstreamTimeout
HUGE = event("x" * 2_000_000)
BROKEN_TEXT = b'data: {"choices":[{"delta":{"content":"\xff\xe2\x82"}}]}\n\n'


class Fault(NamedTuple):
    """What an upstream may do, as JSON and as a stream.

    *outcome*: the errors that may come of it; or the two bodies as they were sent, which whoever reads them has to
    judge. *greets*: it happens before any request.
    """

    json: list[Step]
    stream: list[Step]
    outcome: tuple[type[GatewayError], ...] | tuple[bytes, bytes]
    greets: bool = False


def alike(*steps: Step) -> tuple[list[Step], list[Step]]:
    return list(steps), list(steps)


def cut(*more: Step) -> tuple[list[Step], list[Step]]:
    return [whole(ANSWER)[:30], *more], [sse_head()[:30], *more]


def framed(**headers: str) -> tuple[list[Step], list[Step]]:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return [head(200, fields) + ANSWER], [head(200, fields) + STREAM]


def closed(steps: tuple[list[Step], list[Step]]) -> tuple[list[Step], list[Step]]:
    return [*steps[0], End.CLOSE], [*steps[1], End.CLOSE]


def both(body: bytes) -> tuple[list[Step], list[Step], tuple[bytes, bytes]]:
    return [whole(body)], [sse(body)], (body, body)


DRIP = [step for _ in range(1_000) for step in (b"b", Pause(0.01))]
EVENTS = [step for _ in range(1_000) for step in (chunked(event("x")), Pause(0.01))]
FAULTS = {
    "H1 resets on accept": Fault(*alike(End.RESET), (UNREACHABLE, CUT), greets=True),
    "H1 closes on accept": Fault(*alike(End.CLOSE), (UNREACHABLE, CUT), greets=True),
    "H1 stays silent": Fault(*alike(End.HOLD), (TIMEOUT,)),
    "H2 FIN before the head": Fault(*alike(End.CLOSE), (CUT,)),
    "H2 RST before the head": Fault(*alike(End.RESET), (CUT,)),
    "H2 FIN in the head": Fault(*cut(End.CLOSE), (CUT,)),
    "H2 RST in the head": Fault(*cut(Pause(0.01), End.RESET), (CUT,)),
    "H3 garbage": Fault(*alike(b"\xff\xfe\xfd garbage\r\n\r\n", End.HOLD), (MALFORMED,)),
    "H3 HTTP/0.9": Fault([ANSWER, End.CLOSE], [STREAM, End.CLOSE], (MALFORMED,)),
    "H3 HTTP/2": Fault(*alike(b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64", End.HOLD), (MALFORMED,)),
    "H3 a TLS alert": Fault(*alike(b"\x15\x03\x03\x00\x02\x02\x0a", End.CLOSE), (MALFORMED,)),
    "H4 endless 1xx": Fault(*alike(head(100) * 1_000, End.HOLD), (MALFORMED,)),
    "H4 dripping": Fault(*alike(b"HTTP/1.1 200 OK\r\na: ", *DRIP), (TIMEOUT,)),
    "H5 a head of 1 MB": Fault(*alike(head(200, {"a": "b" * 1_000_000}), End.HOLD), (MALFORMED,)),
    "H5 1,000 fields": Fault(*alike(head(200, [("a", "b")] * 1_000), End.HOLD), (MALFORMED,)),
    "H5 CR in a value": Fault(*alike(head(200, {"a": "b\rc: d"}), End.HOLD), (MALFORMED,)),
    "H5 NUL in a value": Fault(*alike(head(200, {"a": "b\0"}), End.HOLD), (MALFORMED,)),
    "H6 too short a length": Fault(*framed(content_length="9"), (ANSWER[:9], STREAM[:9])),
    "H6 too long a length": Fault(*closed(framed(content_length="9999")), (CUT,)),
    "H6 a length beside chunks": Fault(*framed(content_length="9", transfer_encoding="chunked"), (MALFORMED,)),
    "H6 a bad chunk size": Fault(*alike(sse_head() + b"-2\r\nab\r\n", End.HOLD), (MALFORMED,)),
    "H6 extensions without end": Fault(*alike(sse_head() + b"1;" + b"x" * 3_000_000, End.HOLD), (MALFORMED, TIMEOUT)),
    "H7 gzip, not asked for": Fault(*closed(framed(content_encoding="gzip")), (ANSWER, STREAM)),
    "H8 FIN in a line": Fault([whole(ANSWER)[:-9], End.CLOSE], [sse_head() + chunked(STREAM[:50]), End.CLOSE], (CUT,)),
    "H8 RST in a character": Fault(
        [whole(b"\xe2\x82\xac")[:-1], Pause(0.01), End.RESET],
        [sse_head() + chunked(b"data: \xe2"), Pause(0.01), End.RESET],
        (CUT,),
    ),
    "H9 stalls": Fault([whole(ANSWER)[:-9], End.HOLD], [sse_head() + chunked(STREAM[:50]), End.HOLD], (TIMEOUT,)),
    "H9 never ends": Fault(*alike(sse_head(), *EVENTS), (TIMEOUT,)),
    "H10 a huge event": Fault(*both(HUGE)),
    "H10 invalid UTF-8": Fault(*both(BROKEN_TEXT)),
    "H10 no [DONE]": Fault(*both(STREAM.removesuffix(DONE))),
    "H10 more behind [DONE]": Fault(*both(STREAM + STREAM)),
    "H10 held open behind [DONE]": Fault(*alike(sse_head() + chunked(STREAM), End.HOLD), (TIMEOUT,)),
    "H11 HTML": Fault(*alike(whole(b"<html>", content_type="text/html")), (b"<html>", b"<html>")),
    "H11 204": Fault(*alike(head(204)), (b"", b"")),
    "H11 a redirect": Fault(*alike(head(302, {"location": "/x", "content-length": "0"})), (b"", b"")),
    "H11 no choices": Fault(*both(b'{"choices":null}')),
    "H12 an error under 200": Fault(*both(b'{"error":{}}')),
}  # fmt: skip
FORMS = ("json", "stream")
HEALTHY = whole(b'{"healthy":1}')


@pytest.mark.parametrize("way", sorted(TAKEN))
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", FAULTS)
async def test_each_fault_is_typed_or_a_body_as_it_was_sent(upstream, sender, name, form, way):
    fault = FAULTS[name]
    script = getattr(fault, form)
    upstream.tell(*script)
    upstream.greeting = script if fault.greets else ()
    # Short only where the deadline is what ends it: on a busy machine a good answer may take as long.
    deadlines = within(SHORT, SHORT * 2) if UpstreamTimeout in fault.outcome else within()
    request = request_of(upstream, deadlines=deadlines)

    if isinstance(fault.outcome[0], bytes):
        _, body = await TAKEN[way](sender, request)
        assert fault.outcome[FORMS.index(form)] == body
    else:
        with pytest.raises(fault.outcome):
            await TAKEN[way](sender, request)

    upstream.tell(HEALTHY)
    assert (200, b'{"healthy":1}') == await read_all(sender, request_of(upstream))


async def test_h10_at_done_the_rest_may_be_left(upstream, sender):
    upstream.tell(*FAULTS["H10 held open behind [DONE]"].stream)
    response = await sent(sender, request_of(upstream))
    response.pour(sink := Sink())
    await sink.until(len(STREAM))

    response.release()

    assert STREAM == sink.body


def answers(seen: Seen, chance: random.Random) -> list[Step]:
    """An answer that holds the request's number and nothing else, or a fault that holds it too."""
    number = (seen.header("x-number") or "").encode()
    said = b"<%b>" % number * 50
    stream: list[Step] = [sse_head()]
    for _ in range(50):
        stream += [chunked(b"<%b>" % number), Pause(0)]
    scripts: list[list[Step]] = [
        [whole(said)],
        [*stream, LAST_CHUNK],
        [*stream, End.CLOSE],
        [*stream, End.RESET],
        [End.CLOSE],
        [End.RESET],
        [whole(said) + whole(b"<smuggled>")],
        [head(100) * 20, whole(said)],
        [head(200, {"content-length": "3"}) + said],
        [sse_head() + b"zz\r\n"],
        [head(200) + said, End.CLOSE],
        [whole(said)[:-5], End.HOLD],
    ]
    return chance.choice(scripts)


@pytest.mark.parametrize("seed", range(2))
async def test_no_byte_of_one_answer_comes_in_another(upstream, make, seed):
    """R15: under 50 exchanges at once, on connections that are used again, whatever their upstream does."""
    chance = random.Random(seed)
    sender = make(max_connections=60)
    upstream.answer = lambda seen: answers(seen, chance)
    outcomes: list[str] = []

    async def ask(number: int) -> None:
        request = request_of(
            upstream, headers=[(b"x-number", b"%d" % number)], deadlines=within(0.5, 0.5)
        )
        ask_one = chance.choice([read_all, poured])
        try:
            _, body = await ask_one(sender, request)
        except GatewayError as error:
            outcomes.append(type(error).__name__)
            return
        outcomes.append("answered")
        expected = b"<%d>" % number * 50
        assert expected.startswith(body)
        assert body

    for start in range(0, 200, 50):
        async with asyncio.TaskGroup() as group:
            for number in range(start, start + 50):
                group.create_task(ask(number))

    assert 200 == len(outcomes)
    assert {"answered", "UpstreamDisconnected", "UpstreamMalformed"} <= set(outcomes)


async def test_after_all_of_them_nothing_is_left(upstream, make):
    """R14: no connection and no task but those of an idle pool."""
    sender = make(max_connections=4)
    before = len(asyncio.all_tasks())
    for name, fault in FAULTS.items():
        if fault.greets or name == "H10 a huge event":
            continue
        upstream.tell(*fault.stream)
        for ask in (read_all, poured):
            try:
                await ask(sender, request_of(upstream, deadlines=within(SHORT, SHORT)))
            except GatewayError:
                continue

    upstream.tell(HEALTHY)
    await read_all(sender, request_of(upstream))
    await sender.aclose()
    await upstream.all_gone()
    await asyncio.sleep(0.01)

    assert len(asyncio.all_tasks()) <= before
