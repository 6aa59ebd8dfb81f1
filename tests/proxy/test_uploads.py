"""Forms on their way through (contract L, upstreams F10, F-M1 to F-M4, G7, reliability S16)."""

import asyncio
import gc
import io
import json
import threading
import tracemalloc
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

import pytest
import pytest_asyncio
from typing_extensions import override

from app.access.memory_objects import MemoryObjects
from app.access.register import Register
from app.domain.configuration import TimeoutOverrides
from app.domain.errors import (
    ClientGone,
    GatewayError,
    InvalidRequest,
    LedgerUnavailable,
    ObjectNotFound,
    Overloaded,
    RequestTimedOut,
    RequestTooLarge,
    UnsupportedEndpoint,
    UnsupportedMediaType,
    UpstreamAnswered,
    UpstreamDisconnected,
    UpstreamMalformed,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from app.domain.exchange import Exchange
from app.domain.outcome import Outcome
from app.domain.principal import Principal
from app.domain.stored_objects import Claim, ObjectKind, ObjectName
from app.protocol.targets import read_target
from app.proxy.attempts import Attempts
from app.proxy.call import Call
from app.proxy.chooser import Chooser
from app.proxy.reply import Reply
from app.proxy.spooling import spooled
from app.proxy.upload_attempts import UploadAttempts
from app.proxy.uploads import UploadDesk
from app.routing.catalogue import Catalogue
from app.routing.table import RoutingTable
from app.telemetry.logs import make_log
from app.telemetry.metrics import Metrics
from app.upstreams.client import UpstreamRequest
from app.wire.requests import Upload
from tests.fakes.billing import FakeJournal, billing_of
from tests.fakes.clients import FakeClient
from tests.fakes.registers import EVERYTHING, OTHER_TEAM, OWN_TEAM, TEAM_MATE, memory_register
from tests.fakes.scripted_upstream import End, scripted, whole
from tests.fakes.senders import FakeResponse, FakeSender, answer
from tests.fakes.upstreams import upstream_of
from tests.protocol.forms import (
    FILE,
    FLAT,
    JSONL,
    MERGED,
    NODE_7,
    PURPOSE,
    PYTHON,
    B,
    field,
    form,
    part,
)
from tests.protocol.streams import sizes
from tests.upstreams.both_senders import SENDERS, Make, makes

TYPE = b"multipart/form-data; boundary=" + B
MADE = (
    b'{"id":"file-1","object":"file","bytes":1,"created_at":2,"filename":"f","purpose":"fine-tune",'
    b'"status":"processed","dataset_id":77}'
)
BIG = part('name="file"; filename="big.bin"', bytes(300_000))
CLOSING = b"--%b--" % B


class TakingSender(FakeSender):
    """Takes uploads as a socket would, and gives them up as one would: by not completing them.

    *received*: what has come of the last body; *is_complete*: all of it has. *answers_at*: that many bytes are enough
    for an answer; *dies_at*: or for the end of the connection. *length*: what was told of it.
    """

    def __init__(self, *script: FakeResponse | Exception) -> None:
        super().__init__(*script)
        self.received = bytearray()
        self.is_complete = False
        self.was_given_up = False
        self.length: int | None = None
        self.answers_at = self.dies_at = 1 << 62
        self.waits: asyncio.Event | None = None
        self.has_begun = asyncio.Event()

    @override
    async def send(self, request: UpstreamRequest) -> FakeResponse:
        body = request.body
        if isinstance(body, bytes):
            self.received += body
            self.length = len(body)
        else:
            request.leaves()
            await self._take(body)
            if self.length is not None and self.is_complete:
                assert self.length == len(self.received)
        self.is_complete = self.is_complete or isinstance(body, bytes)
        if self.waits is not None:
            await self.waits.wait()
        return await super().send(request)

    async def _take(self, upload: Upload) -> None:
        self.length = upload.length
        try:
            async for piece in upload.pieces:
                self.received += piece
                self.has_begun.set()
                await asyncio.sleep(0)
                if len(self.received) >= self.dies_at:
                    raise UpstreamDisconnected("It is gone.")
                if len(self.received) >= self.answers_at:
                    return
            self.is_complete = True
        except BaseException:
            self.was_given_up = True
            raise
        finally:
            assert isinstance(upload.pieces, AsyncGenerator)
            await upload.pieces.aclose()


class Rig:
    """One desk over a 4minds upstream and one of the dialect openai."""

    def __init__(
        self,
        *script: FakeResponse | Exception,
        sender: Any = None,
        register: Register | None = None,
        most_bytes: int = 1 << 30,
        **four: Any,
    ) -> None:
        self.now = asyncio.get_running_loop().time
        self.upstreams = {
            "four": upstream_of("4minds", name="four", **four),
            "open": upstream_of("openai", name="open"),
            "mind": upstream_of("minds", name="mind"),
        }
        self.sender: Any = sender or TakingSender(*(script or (answer(MADE),)))
        self.register = register or memory_register()
        self.journal = FakeJournal()
        self.lines = io.StringIO()
        billing = billing_of(self.now, journal=self.journal, upstreams=self.upstreams)
        catalogue = Catalogue(self.upstreams.values())
        table = RoutingTable(self.upstreams, (), None, catalogue)
        senders = dict.fromkeys(self.upstreams, self.sender)
        attempts = Attempts(self.upstreams, senders, billing, Metrics("1"), self.now)
        self.desk = UploadDesk(
            Chooser(self.upstreams, table, self.register),
            self.register,
            billing,
            UploadAttempts(attempts, self.now),
            make_log("json", self.lines),
            max_upload_bytes=most_bytes,
            now=self.now,
        )
        self.billing = billing
        self.client = FakeClient()
        self.exchange: Exchange

    def call(
        self,
        pieces: Sequence[bytes | Exception],
        *,
        principal: Principal = OWN_TEAM,
        chunked: bool = False,
        pin: str | None = None,
        path: str = "/v1/files",
        content_type: bytes = TYPE,
        query: str = "",
        silent: bool = False,
    ) -> Call:
        self.client = FakeClient(
            "POST",
            path,
            query=query,
            headers=[(b"content-type", content_type), (b"authorization", b"Bearer sk-client")],
            pieces=pieces,
            says_length=not chunked,
            stays_silent=silent,
        )
        target = read_target(path, self.upstreams)
        assert target.endpoint is not None
        capability = target.endpoint.capabilities["POST"]
        self.exchange = Exchange("req_1", "POST", capability, self.now())
        self.exchange.at_ms = 1_740_830_400_000
        self.exchange.caller = principal
        reply = Reply(self.client, self.exchange, self.now, self.billing)
        return Call(self.client, target, pin, principal, self.exchange, reply)

    async def serve(self, pieces: Sequence[bytes | Exception], **more: Any) -> None:
        await self.desk.serve(self.call(pieces, **more))

    async def refused(self, pieces: Sequence[bytes | Exception], **more: Any) -> GatewayError:
        with pytest.raises(GatewayError) as refusal:
            await self.serve(pieces, **more)
        assert not self.client.head_sent
        return refusal.value

    async def is_whose(self, kind: Any, object_id: str, upstream: str = "four") -> list[str]:
        everybody = (OWN_TEAM, TEAM_MATE, OTHER_TEAM)
        name = ObjectName(upstream, kind, object_id)
        return [one.name for one in everybody if await self.register.may_touch(one, name)]

    def has(self, dataset: str, principal: Principal) -> None:
        """*dataset* is *principal*'s from before."""
        self.register.claim(
            principal, ObjectName("four", "dataset", dataset), exchange_id="req_0", at_ms=1
        )


def cut(whole: bytes, size: int = 65536) -> list[bytes]:
    return list(sizes(whole, size))


def big(*before: bytes, after: tuple[bytes, ...] = ()) -> bytes:
    return form(*before, BIG, *after)


# --- what arrives ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("chunked", "came", "left"), [
    pytest.param(False, PYTHON, PYTHON, id="openai-python, small"),
    pytest.param(True, NODE_7, NODE_7, id="openai-node 7, small"),
    pytest.param(False, big(PURPOSE), big(PURPOSE), id="openai-python: fields, file, with a length"),
    pytest.param(True, big(after=(PURPOSE,)), big(after=(PURPOSE,)), id="openai-node 7: the file first, in chunks"),
    pytest.param(False, big(*FLAT, PURPOSE), big(PURPOSE, MERGED), id="openai-python with extra_body"),
    pytest.param(True, big(after=FLAT), big(after=(MERGED,)), id="openai-node 7 with an extra object"),
    pytest.param(False, form(*FLAT, PURPOSE, FILE), form(PURPOSE, FILE, MERGED), id="a small one with extra_body"),
    pytest.param(False, form(FILE, *FLAT), form(FILE, MERGED), id="openai-node 6, small: flattened behind the file"),
    pytest.param(False, big(after=FLAT), big(after=FLAT), id="flattened behind the file with a length"),
])  # fmt: skip
@pytest.mark.parametrize("size", [1000, 65536])
async def test_l2_l4_forms_of_the_sdks_arrive_in_one_way(chunked, came, left, size):
    rig = Rig()

    await rig.serve(cut(came, size), chunked=chunked)

    assert left == bytes(rig.sender.received)
    assert rig.sender.is_complete
    assert (200, MADE) == (rig.client.status, rig.client.body)
    [request] = rig.sender.requests
    assert (b"content-type", TYPE) in request.headers
    assert "https://api.4minds.ai/v1/files" == request.head.url


async def test_a_body_with_a_length_has_the_right_one_upstream_and_one_in_chunks_has_none():
    told, chunked = Rig(), Rig()
    await told.serve(cut(big(*FLAT)))
    await chunked.serve(cut(big(*FLAT)), chunked=True)

    assert told.sender.length == len(told.sender.received) == len(big(MERGED))
    assert chunked.sender.length is None


async def test_a_small_form_has_a_length_upstream_even_if_it_came_in_chunks():
    rig = Rig()
    await rig.serve(cut(NODE_7), chunked=True)

    assert [NODE_7] == rig.sender.bodies()


async def test_another_upstream_gets_the_form_untouched():
    rig = Rig()
    await rig.serve(cut(big(*FLAT)), pin="open")

    assert big(*FLAT) == bytes(rig.sender.received)
    assert "open" == rig.exchange.upstream


async def test_l3_an_unpinned_upload_goes_to_the_first_that_has_files():
    rig = Rig()
    await rig.serve(cut(PYTHON))

    assert "four" == rig.exchange.upstream


async def test_g8_a_pin_to_an_upstream_without_files_is_unsupported():
    rig = Rig()
    error = await rig.refused(cut(PYTHON), pin="mind")

    assert isinstance(error, UnsupportedEndpoint)
    assert [] == rig.sender.requests
    assert 0 == rig.client.taken


async def test_the_query_goes_on_without_a_key_in_it():
    rig = Rig()
    await rig.serve(cut(PYTHON), query="a=1&api_key=sk-client")

    assert rig.sender.requests[0].head.url.endswith("/files?a=1")


async def test_l1_a_large_upload_passes_with_flat_memory():
    """200 MB, made as they are taken: what is alive at any time is a few pieces."""
    piece, count = bytes(65536), 3200
    head = PURPOSE + FLAT[0] + BIG[: BIG.index(b"\0")]
    whole_bytes = len(head) + count * len(piece) + 2 + len(CLOSING)

    class Lazy(FakeClient):
        @override
        async def body_pieces(self, most_bytes: int) -> AsyncIterator[bytes]:
            yield head
            for _ in range(count):
                yield b"%b" % piece[:-1] + b"\0"  # a new one each time
            yield b"\r\n" + CLOSING

    class Counting(TakingSender):
        @override
        async def _take(self, upload: Upload) -> None:
            self.counted = 0
            async for one in upload.pieces:
                self.counted += len(one)
            self.is_complete = self.counted == upload.length

    sender = Counting(answer(MADE))
    rig = Rig(sender=sender)
    call = rig.call([])
    call.client = client = Lazy("POST", "/v1/files", headers=rig.client.headers)
    client.body_bytes = whole_bytes
    gc.collect()
    tracemalloc.start()
    try:
        await rig.desk.serve(call)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert sender.is_complete
    assert sender.counted > 200_000_000
    assert peak < 2 * 1024 * 1024


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("content_type", "kind"), [
    (b"application/json", UnsupportedMediaType),
    (b"", UnsupportedMediaType),
    (b"multipart/form-data", InvalidRequest),
    (b"multipart/form-data; boundary=" + 71 * b"x", InvalidRequest),
])  # fmt: skip
async def test_what_is_no_form_is_refused_before_a_byte_is_read(content_type, kind):
    rig = Rig()
    error = await rig.refused(cut(PYTHON), content_type=content_type)

    assert type(error) is kind
    assert ([], 0) == (rig.sender.requests, rig.client.taken)


@pytest.mark.parametrize(("pieces", "kind"), [
    pytest.param([b""], InvalidRequest, id="nothing"),
    pytest.param([b"hello"], InvalidRequest, id="no form"),
    pytest.param([PYTHON[:-5]], InvalidRequest, id="no closing boundary"),
    pytest.param([form(PURPOSE)], InvalidRequest, id="no file"),
    pytest.param([form(part("x=1", b""), FILE)], InvalidRequest, id="a part without a name"),
    pytest.param([form(field("4minds", "[]"), FILE)], InvalidRequest, id="a field 4minds that is no object"),
    pytest.param([form(FILE, field("4minds[dataset_id]", "x"))], InvalidRequest, id="an id that is none"),
    pytest.param([PYTHON[:50], RequestTimedOut("Too slow.")], RequestTimedOut, id="a client too slow"),
    pytest.param([PYTHON[:50], ClientGone("Gone.")], ClientGone, id="a client that left"),
])  # fmt: skip
@pytest.mark.parametrize("chunked", [False, True])
async def test_l6_a_small_form_that_is_broken_never_reaches_an_upstream(pieces, kind, chunked):
    rig = Rig()
    error = await rig.refused(pieces, chunked=chunked)

    assert type(error) is kind
    assert [] == rig.sender.requests
    assert [] == rig.journal.notes
    assert error.should_retry is None


@pytest.mark.parametrize(("pieces", "kind"), [
    pytest.param([big()[:-5]], InvalidRequest, id="no closing boundary"),
    pytest.param([big(after=(part("x=1", b""),))], InvalidRequest, id="a part without a name"),
    pytest.param([big(after=(field("4minds", "[]"),))], InvalidRequest, id="a field 4minds that is no object"),
    pytest.param([form(part('name="a"', bytes(200_000)))], InvalidRequest, id="no file"),
    pytest.param([big()[:200_000], RequestTooLarge("Too large.")], RequestTooLarge, id="too large"),
    pytest.param([big()[:200_000], RequestTimedOut("Too slow.")], RequestTimedOut, id="a client too slow"),
])  # fmt: skip
@pytest.mark.parametrize("chunked", [False, True])
async def test_l6_a_fault_behind_the_first_bytes_ends_the_upload_before_it_is_whole(
    pieces, kind, chunked
):
    rig = Rig()
    error = await rig.refused(
        [one for piece in pieces for one in (cut(piece) if isinstance(piece, bytes) else [piece])],
        chunked=chunked,
    )

    assert type(error) is kind
    assert error.should_retry is False
    assert rig.sender.was_given_up
    assert CLOSING not in rig.sender.received
    assert (Outcome.REJECTED, error.code or "") == (rig.exchange.outcome, rig.exchange.error_code)


async def test_l6_too_large_is_refused_by_its_head_before_anybody_is_asked():
    rig = Rig(most_bytes=1000)
    error = await rig.refused(cut(big()))

    assert isinstance(error, RequestTooLarge)
    assert [] == rig.sender.requests


async def test_a_client_that_leaves_cancels_the_upload():
    rig = Rig()
    task = asyncio.ensure_future(rig.serve(cut(big())[:3], silent=True))
    await rig.sender.has_begun.wait()
    task.cancel()
    await asyncio.wait({task})

    assert task.cancelled()
    assert rig.sender.was_given_up
    assert not rig.sender.is_complete


# --- what is sent once ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "body"), [
    pytest.param(503, b'{"error":{"message":"m","type":"server_error","code":null}}', id="503"),
    pytest.param(429, b'{"error":{"message":"m","type":"rate_limit_error","code":null}}', id="429"),
    pytest.param(200, b"<html>", id="no JSON"),
    pytest.param(200, b'{"error":{"message":"m","type":"x","code":null,"param":null}}', id="an error in a 200"),
    pytest.param(0, b"", id="the connection was cut"),
])  # fmt: skip
@pytest.mark.parametrize("came", [PYTHON, big()])
async def test_g7_what_has_left_is_not_sent_again_and_no_client_is_told_to(status, body, came):
    rig = Rig(answer(body, status) if status else UpstreamDisconnected("Cut."))
    error = await rig.refused(cut(came))

    assert error.should_retry is False
    assert len(rig.sender.requests) == 1
    assert not rig.sender.requests[0].repeatable


async def test_before_a_byte_has_left_a_client_may_try_again():
    class Unreachable(TakingSender):
        @override
        async def send(self, request: UpstreamRequest) -> FakeResponse:
            raise UpstreamUnreachable("Nobody is there.")

    rig = Rig(sender=Unreachable())
    error = await rig.refused(cut(big()))

    assert error.should_retry is None


async def test_a_connection_that_dies_midway_ends_the_upload():
    rig = Rig()
    rig.sender.dies_at = 100_000
    error = await rig.refused(cut(big()))

    assert isinstance(error, UpstreamDisconnected)
    assert error.should_retry is False
    assert rig.client.taken < len(cut(big()))


async def test_an_upstream_that_refuses_early_is_heard():
    rig = Rig(
        answer(
            b'{"error":{"message":"Too large.","type":"invalid_request_error","code":null}}', 413
        )
    )
    rig.sender.answers_at = 100_000
    error = await rig.refused(cut(big()))

    assert isinstance(error, UpstreamAnswered)
    assert (413, False) == (error.status, error.should_retry)


async def test_an_upstream_that_agrees_before_it_has_all_is_not_believed():
    rig = Rig()
    rig.sender.answers_at = 100_000
    error = await rig.refused(cut(big()))

    assert isinstance(error, UpstreamMalformed)
    assert [] == await rig.is_whose("file", "file-1")


async def test_r5_the_first_byte_deadline_begins_when_the_upload_has_ended():
    rig = Rig(timeouts=TimeoutOverrides(first_byte_seconds=0.05))
    rig.sender.waits = asyncio.Event()
    error = await rig.refused(cut(big()))

    assert isinstance(error, UpstreamTimeout)
    assert ("first_byte", False) == (error.phase, error.should_retry)
    assert rig.sender.is_complete


async def test_r5_a_client_that_takes_long_is_no_upstream_that_is_late():
    class Slow(FakeClient):
        @override
        async def body_pieces(self, most_bytes: int) -> AsyncIterator[bytes]:
            async for piece in super().body_pieces(most_bytes):
                await asyncio.sleep(0.03)
                yield piece

    rig = Rig(timeouts=TimeoutOverrides(first_byte_seconds=0.05))
    call = rig.call([])
    call.client = Slow("POST", "/v1/files", headers=rig.client.headers, pieces=cut(big()))
    call.reply = Reply(call.client, rig.exchange, rig.now, rig.billing)

    await rig.desk.serve(call)

    assert rig.sender.is_complete


# --- on a real socket -------------------------------------------------------------------------------------------------


@pytest.fixture(params=sorted(SENDERS))
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest_asyncio.fixture
async def make(kind: str) -> AsyncIterator[Make]:
    async for one in makes(kind):
        yield one


@pytest.mark.parametrize("chunked", [False, True])
async def test_an_upload_arrives_on_a_real_socket(make, chunked):
    async with scripted() as upstream:
        upstream.tell(whole(MADE))
        rig = Rig(sender=make(), base_url=upstream.url)
        await rig.serve(cut(big(*FLAT)), chunked=chunked)

        [seen] = upstream.seen
        assert seen.body == (big(after=(MERGED,)) if chunked else big(MERGED))
        assert rig.client.body == MADE


@pytest.mark.parametrize("came", [
    pytest.param(big(after=(field("4minds", '{"dataset_id":5}'),)), id="another team's data set"),
    pytest.param(big()[:-6], id="no closing boundary"),
])  # fmt: skip
@pytest.mark.parametrize("chunked", [False, True])
async def test_l6_on_a_real_socket_a_refused_upload_is_never_whole(make, came, chunked):
    async with scripted() as upstream:
        upstream.tell(whole(MADE))
        rig = Rig(sender=make(), base_url=upstream.url)
        rig.has("5", OTHER_TEAM)
        error = await rig.refused(cut(came), chunked=chunked)
        await upstream.all_gone()

        assert error.status in (400, 404)
        assert upstream.seen == []
        assert upstream.connections == 1


async def test_law_5_a_client_that_leaves_ends_the_upload_on_a_real_socket(make):
    async with scripted() as upstream:
        upstream.answers_heads = True
        upstream.tell(End.HOLD)
        rig = Rig(sender=make(), base_url=upstream.url)
        task = asyncio.ensure_future(rig.serve(cut(big())[:3], silent=True))
        await upstream.request()
        task.cancel()
        await asyncio.wait({task})
        await upstream.all_gone()

        assert task.cancelled()


# --- whose it is ----------------------------------------------------------------------------------------------------

IN_A_PART = field("4minds", '{"dataset_id": 5}')
FLATTENED = field("4minds[dataset_id]", "5")


@pytest.mark.parametrize(("chunked", "came", "is_asked"), [
    pytest.param(False, form(IN_A_PART, FILE), False, id="small: nobody is asked"),
    pytest.param(False, big(IN_A_PART), False, id="before the file: nobody is asked"),
    pytest.param(True, big(FLATTENED), False, id="flattened before the file, in chunks: nobody is asked"),
    pytest.param(False, big(after=(IN_A_PART,)), True, id="behind the file"),
    pytest.param(True, big(after=(IN_A_PART,)), True, id="behind the file, in chunks"),
    pytest.param(True, big(after=(FLATTENED,)), True, id="flattened behind the file, in chunks"),
    pytest.param(False, big(after=(FLATTENED,)), True, id="flattened behind the file: passes as it is, and counts"),
])  # fmt: skip
async def test_s16_another_team_s_data_set_is_unknown_and_the_upload_never_whole(
    chunked, came, is_asked
):
    rig = Rig()
    rig.has("5", OTHER_TEAM)
    error = await rig.refused(cut(came), chunked=chunked)

    assert isinstance(error, ObjectNotFound)
    assert is_asked == bool(rig.sender.has_begun.is_set())
    assert CLOSING not in rig.sender.received
    assert not rig.sender.is_complete


@pytest.mark.parametrize(("owner", "caller", "may"), [
    pytest.param(OWN_TEAM, OWN_TEAM, True, id="its own"),
    pytest.param(TEAM_MATE, OWN_TEAM, True, id="its team's"),
    pytest.param(OTHER_TEAM, OWN_TEAM, False, id="another team's"),
    pytest.param(None, OWN_TEAM, False, id="nobody's"),
    pytest.param(OTHER_TEAM, EVERYTHING, True, id="another team's, with resources: all"),
    pytest.param(None, EVERYTHING, True, id="nobody's, with resources: all"),
])  # fmt: skip
@pytest.mark.parametrize("came", [form(IN_A_PART, FILE), big(after=(IN_A_PART,))])
async def test_s16_whose_data_set_a_key_may_add_to(owner, caller, may, came):
    rig = Rig()
    if owner is not None:
        rig.has("5", owner)

    if may:
        await rig.serve(cut(came), principal=caller)
        assert rig.sender.is_complete
    else:
        await rig.refused(cut(came), principal=caller)
        assert not rig.sender.is_complete


async def test_what_was_made_is_its_team_s_before_the_client_knows_of_it():
    claimed: list[Claim] = []
    known_at_start: list[list[str]] = []

    class Noting(FakeClient):
        @override
        def start(self, status: int, fields: bytes, length: int | None) -> None:
            known_at_start.append([claim.object_id for claim in claimed])
            super().start(status, fields, length)

    objects = MemoryObjects()

    def note(claim: Claim) -> None:
        claimed.append(claim)
        objects.note(claim)

    rig = Rig(register=Register(objects, note))
    call = rig.call([])
    call.client = Noting("POST", "/v1/files", headers=rig.client.headers, pieces=[PYTHON])
    call.reply = Reply(call.client, rig.exchange, rig.now, rig.billing)

    await rig.desk.serve(call)

    assert known_at_start == [["file-1", "77"]]
    assert await rig.is_whose("file", "file-1") == ["ada", "bob"]
    assert await rig.is_whose("dataset", "77") == ["ada", "bob"]


async def test_a_data_set_that_was_there_stays_whose_it_was():
    rig = Rig()
    rig.has("5", TEAM_MATE)
    await rig.serve(cut(form(IN_A_PART, FILE)))

    assert [] == await rig.is_whose("dataset", "77")

    echoing = Rig()
    echoing.has("77", OTHER_TEAM)
    await echoing.serve(cut(PYTHON))

    assert ["eve"] == await echoing.is_whose("dataset", "77")


async def test_an_upload_whose_owner_cannot_be_asked_is_not_completed():
    class Down(MemoryObjects):
        @override
        async def find(self, kind: ObjectKind, ids: Sequence[str]) -> list[Claim]:
            raise LedgerUnavailable("The database is down.")

    objects = Down()
    rig = Rig(register=Register(objects, objects.note))
    error = await rig.refused(cut(big(after=(IN_A_PART,))))

    assert isinstance(error, LedgerUnavailable)
    assert not rig.sender.is_complete


# --- the answer -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("came", "left"), [
    pytest.param(MADE, MADE, id="a whole one, byte for byte"),
    pytest.param(b' {"id" : "f", "x":1.10}\n',
                 b' {"id" : "f", "x":1.10,"object":"file","bytes":%d,"created_at":1740830400,"filename":"train.jsonl",'
                 b'"purpose":"fine-tune","status":"processed"}\n' % len(JSONL), id="what strict readers miss is added"),
    pytest.param(b'{"id":"f","object":"file","bytes":null,"created_at":3,"purpose":"x","filename":""}',
                 b'{"id":"f","object":"file","bytes":null,"created_at":3,"purpose":"x","filename":"","status":"processed"}',
                 id="what is there stays"),
    pytest.param(b'{"dataset_id":77}', b'{"dataset_id":77}', id="an answer without an id is relayed as it is"),
    pytest.param(b"{}", b"{}", id="an empty one too"),
])  # fmt: skip
async def test_l8_the_answer_is_what_strict_readers_want(came, left):
    rig = Rig(answer(came))
    await rig.serve(cut(PYTHON))

    assert left == rig.client.body
    assert (b"file-1" in came or b'"f"' in came) is (rig.lines.getvalue() == "")


async def test_the_status_of_the_upstream_stays():
    rig = Rig(answer(MADE, 201))
    await rig.serve(cut(PYTHON))

    assert 201 == rig.client.status


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"id":', b'{"status":"error","message":"No."}'])  # fmt: skip
async def test_e5_an_answer_that_is_none_is_an_error(body):
    rig = Rig(answer(body))
    error = await rig.refused(cut(PYTHON))

    assert 502 == error.status


async def test_an_answer_beyond_its_bound_is_none():
    rig = Rig(answer(MADE), max_json_bytes=20)
    error = await rig.refused(cut(PYTHON))

    assert isinstance(error, UpstreamMalformed)


async def test_fields_that_passed_as_they_were_are_told_of_in_the_log():
    rig = Rig()
    await rig.serve(cut(big(after=FLAT)))

    [line] = [json.loads(text) for text in rig.lines.getvalue().splitlines()]
    assert ("four", "req_1") == (line["upstream"], line["request_id"])
    assert "My" not in rig.lines.getvalue()


# --- an upstream that takes no chunks -------------------------------------------------------------------------------


async def test_l2_for_an_upstream_without_chunks_the_form_waits_on_disk_and_goes_with_a_length():
    rig = Rig(upload_transfer="length")
    await rig.serve(cut(big(after=FLAT)), chunked=True)

    assert big(after=(MERGED,)) == bytes(rig.sender.received)
    assert len(rig.sender.received) == rig.sender.length


async def test_a_broken_form_that_waits_on_disk_never_reaches_an_upstream():
    rig = Rig(upload_transfer="length")
    rig.has("5", OTHER_TEAM)

    for came in (big()[:-5], big(after=(IN_A_PART,))):
        await rig.refused(cut(came), chunked=True)

    assert [] == rig.sender.requests
    assert not rig.sender.has_begun.is_set()


async def some(*pieces: bytes | Exception) -> AsyncGenerator[bytes, None]:
    for piece in pieces:
        if isinstance(piece, Exception):
            raise piece
        yield piece


class NotedFile(io.BytesIO):
    """A file of which it is known whether it was closed. *fails*: the disk is full."""

    fails = False

    @override
    def writelines(self, lines: Any) -> None:
        if self.fails:
            raise OSError(28, "No space left on device")
        super().writelines(lines)


@pytest.mark.parametrize("pieces", [(), (b"a",), (b"a" * 300_000, b"b", b"c" * 600_000)])
async def test_a_spool_gives_what_it_took_and_is_gone_afterwards(pieces):
    file = NotedFile()
    async with spooled(some(*pieces), lambda: file) as spool:
        assert len(b"".join(pieces)) == spool.length
        assert b"".join(pieces) == b"".join([piece async for piece in spool.pieces()])
        assert not file.closed

    assert file.closed


async def test_a_spool_is_gone_when_its_pieces_fail():
    file = NotedFile()
    with pytest.raises(InvalidRequest):
        async with spooled(some(b"a" * 300_000, InvalidRequest("No.")), lambda: file):
            pass

    assert file.closed


async def test_a_spool_is_gone_when_whoever_waits_for_it_is_cancelled():
    file, is_silent = NotedFile(), asyncio.Event()

    async def silent() -> AsyncGenerator[bytes, None]:
        yield b"a" * 300_000
        is_silent.set()
        await asyncio.Event().wait()

    async def spool() -> None:
        async with spooled(silent(), lambda: file):
            pass

    task = asyncio.ensure_future(spool())
    await is_silent.wait()
    task.cancel()
    await asyncio.wait({task})

    assert task.cancelled()
    assert file.closed


async def test_nobody_closes_a_spool_under_the_hands_of_the_thread_that_writes_it():
    is_writing, may_go_on = threading.Event(), threading.Event()
    was_closed: list[bool] = []

    class SlowFile(NotedFile):
        @override
        def writelines(self, lines: Any) -> None:
            is_writing.set()
            may_go_on.wait(5)
            was_closed.append(self.closed)

    file = SlowFile()

    async def spool() -> None:
        async with spooled(some(b"a" * 300_000), lambda: file):
            pass

    task = asyncio.ensure_future(spool())
    await asyncio.to_thread(is_writing.wait, 5)
    task.cancel()
    await asyncio.wait({task}, timeout=0.05)
    may_go_on.set()
    await asyncio.wait({task})

    assert task.cancelled()
    assert was_closed == [False]
    assert file.closed


async def test_a_full_disk_is_told_as_what_it_is():
    file = NotedFile()
    file.fails = True
    with pytest.raises(Overloaded):
        async with spooled(some(b"a" * 300_000), lambda: file):
            pass

    assert file.closed


async def test_a_real_spool_has_no_name_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    async with spooled(some(b"a" * 300_000)) as spool:
        assert 300_000 == spool.length
        assert [] == list(tmp_path.iterdir())
