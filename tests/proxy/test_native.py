"""Native routes over HTTP: who may, what passes as it is, and whose a thread is (upstreams N10 to N14; S15, S16)."""

import json
from typing import Any

import pytest

from app.domain.configuration import LimitOptions
from app.domain.errors import (
    InvalidRequest,
    ObjectNotFound,
    PermissionDenied,
    QuotaExceeded,
    RequestTooLarge,
    UnsupportedEndpoint,
    UpstreamDisconnected,
    UpstreamMalformed,
    UpstreamRefusedCredential,
    UpstreamUnreachable,
)
from app.domain.limits import Limits, Scope
from app.domain.outcome import Outcome
from app.domain.prices import Price
from app.domain.principal import Principal
from app.domain.stored_objects import ObjectName
from app.wire.requests import Upload
from tests.fakes.clients import FakeClient
from tests.fakes.natives import MANAGER, NativeOffice, client_of
from tests.fakes.registers import EVERYTHING, OTHER_TEAM, OWN_TEAM, TEAM_MATE
from tests.fakes.senders import FakeResponse, answer
from tests.fakes.upstreams import UPSTREAM_KEY, upstream_of

CORE = "https://api.openmind.org/api/core"
MINDS = "/minds/api/projects/mindsdb/minds"
OWN_MANAGER = Principal("own", resources="own", native=("manage",), key_id="key_own")


def office(*script: FakeResponse | Exception, **fields: Any) -> NativeOffice:
    """OpenMind and Minds; *fields* are those of both entries."""
    upstreams = {
        name: upstream_of(name, **{"native": ("use", "read", "manage"), **fields})
        for name in ("openmind", "minds")
    }
    return NativeOffice(*script, upstreams=upstreams)


def code(client: FakeClient) -> str | None:
    found: str | None = json.loads(client.body)["error"]["code"]
    return found


# --- as it is ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 403, 404, 429, 500, 503])
async def test_s5_an_error_passes_as_it_is_but_for_the_gateway_s_own_key(status: int):
    told = b'{"detail":"no such thing for %b at api.openmind.org", "x":1.50}'
    at = office(answer(told % UPSTREAM_KEY.encode(), status))

    client = await at.served("POST /openmind/rag/query", body=b"{}")

    assert (status, told % b"[key]") == (
        client.status,
        client.body.replace(b"at [key]", b"at api.openmind.org"),
    )


async def test_n10_method_path_query_and_body_go_on_as_they_came():
    at = office(answer(b'{"response":"UklGRg=="}'))
    client = await at.served(
        "POST /openmind/rag/query?skip_cache=true&x=a%20b",
        body=b'{"query":"hi" }',
        headers=[(b"content-type", b"application/json; charset=utf-8")],
    )
    (request,) = at.sender.requests

    assert ("POST", f"{CORE}/rag/query?skip_cache=true&x=a%20b") == (
        request.head.method,
        request.head.url,
    )
    assert b'{"query":"hi" }' == request.body
    assert (b"content-type", b"application/json; charset=utf-8") in request.headers
    assert (200, b'{"response":"UklGRg=="}') == (client.status, client.body)
    assert b"application/json" == client.header(b"content-type")
    assert not request.repeatable


async def test_n11_no_key_of_the_client_s_goes_on():
    at = office(answer(b"{}"))
    carriers = [
        (b"authorization", b"Bearer sk-mine"),
        (b"x-api-key", b"sk-mine"),
        (b"api-key", b"sk-mine"),
        (b"cookie", b"sk-mine"),
        (b"x-user-id", b"root"),
        (b"accept", b"audio/mpeg"),
    ]
    await at.served("POST /openmind/rag/query?api_key=sk-mine&key=sk-mine", headers=carriers)
    (request,) = at.sender.requests
    sent = dict([*request.headers, *request.head.fields])

    assert UPSTREAM_KEY.encode() == sent[b"x-api-key"]
    assert b"audio/mpeg" == sent[b"accept"]
    assert b"sk-mine" not in repr([request.headers, request.head.fields]).encode()
    assert f"{CORE}/rag/query" == request.head.url
    assert b"x-user-id" not in sent


@pytest.mark.parametrize("status", [200, 201, 204, 400, 403, 404, 409, 422, 429, 500, 503, 529])
async def test_n10_any_status_comes_back_as_it_is(status):
    said = b"" if status == 204 else b'{"detail":"as it is"}'
    at = office(answer(said, status))
    call = at.call(f"GET {MINDS}")
    await at.serve(call)

    assert (status, said) == (client_of(call).status, client_of(call).body)
    expected = Outcome.COMPLETE if status < 400 else Outcome.UPSTREAM_ERROR
    assert expected is call.exchange.outcome


@pytest.mark.parametrize(
    ("status", "error", "expected"),
    [
        pytest.param(401, UpstreamRefusedCredential, 502, id="E-C4: the operator's key"),
        pytest.param(407, UpstreamRefusedCredential, 502, id="a proxy's"),
        pytest.param(302, UpstreamMalformed, 502, id="G4: a redirect"),
        pytest.param(307, UpstreamMalformed, 502, id="G4: to a slash"),
        pytest.param(304, UpstreamMalformed, 502, id="nobody asked for a change"),
    ],
)
async def test_what_is_no_answer_does_not_come_back(status, error, expected):
    secret = FakeResponse(
        status, [(b"location", b"http://inside/"), (b"content-type", b"text/plain")], [b"om1_key"]
    )
    at = office(secret)
    call = at.call(f"GET {MINDS}")

    assert isinstance(await at.serve(call), error)
    assert expected == client_of(call).status
    assert b"om1_key" not in client_of(call).body
    assert client_of(call).header(b"location") is None
    assert secret.is_closed


async def test_c10_of_the_upstream_s_headers_only_those_of_the_list_come_back():
    fields = [
        (b"content-type", b"text/html"),
        (b"set-cookie", b"a=b"),
        (b"server", b"x"),
        (b"x-secret", b"y"),
        (b"vary", b"accept"),
    ]
    at = office(FakeResponse(200, fields, [b"<p>"]))
    client = await at.served(f"GET {MINDS}")
    names = [name for name, _ in client.reply_headers]

    assert b"text/html" == client.header(b"content-type")
    assert b"accept" == client.header(b"vary")
    assert {b"set-cookie", b"server", b"x-secret"}.isdisjoint(names)
    assert (b"nosniff", b"sandbox") == (
        client.header(b"x-content-type-options"),
        client.header(b"content-security-policy"),
    )


@pytest.mark.parametrize(
    ("status", "given", "told"),
    [
        pytest.param(429, b"3", b"3", id="as it is"),
        pytest.param(503, b"0.2", b"1", id="C12: whole seconds, upwards"),
        pytest.param(429, b"0", None, id="C12: never nought"),
        pytest.param(400, b"3", None, id="of another status none is told"),
    ],
)
async def test_c12_a_wait_is_told(status, given, told):
    at = office(FakeResponse(status, [(b"retry-after", given)], [b"{}"]))
    client = await at.served(f"GET {MINDS}")

    assert told == client.header(b"retry-after")


async def test_a_stream_is_passed_as_it_comes_and_unbuffered():
    fields = [(b"content-type", b"text/event-stream")]
    at = office(FakeResponse(200, fields, [b"data: 1\n\n", b"data: 2\n\n"]))
    at.register.claim(MANAGER, ObjectName("minds", "thread", "t"), exchange_id="e", at_ms=1)
    client = await at.served("POST /minds/threads/t/runs", body=b'{"stream":true}')

    assert [b"data: 1\n\n", b"data: 2\n\n"] == client.writes[:2]
    assert b"no" == client.header(b"x-accel-buffering")
    assert client.length is None


async def test_a_head_is_asked_as_a_get_and_answered_without_a_body():
    at = office(FakeResponse(200, [(b"content-length", b"4")], [b"body"]))
    client = await at.served(f"HEAD {MINDS}")

    assert "GET" == at.sender.requests[0].head.method
    assert (200, 4, b"") == (client.status, client.length, client.body)


async def test_n14_it_is_one_exchange_called_native():
    at = office(answer(b"{}"))
    call = at.call("POST /openmind/rag/query", body=b"{}")
    await at.serve(call)

    assert ("openmind", "native", "native", "native") == (
        call.exchange.upstream,
        call.exchange.model,
        call.exchange.label,
        call.exchange.endpoint,
    )
    assert ["Intent", "UsageRecord"] == at.journal.kinds
    assert call.exchange.is_priced


@pytest.mark.parametrize(
    ("line", "retry"),
    [
        pytest.param("POST /openmind/rag/query", False, id="it may have been done"),
        pytest.param(f"GET {MINDS}", None, id="reading does nothing"),
    ],
)
async def test_n14_nothing_is_asked_twice(line, retry):
    at = office(UpstreamDisconnected("cut"))
    error = await at.serve(at.call(line))

    assert isinstance(error, UpstreamDisconnected)
    assert 1 == len(at.sender.requests)
    assert retry is error.should_retry


async def test_a_failure_of_ours_has_our_shape():
    at = office(UpstreamUnreachable("Upstream 'minds' could not be reached."))
    client = await at.served(f"GET {MINDS}")

    assert (502, "upstream_unreachable") == (client.status, code(client))


# --- bodies -----------------------------------------------------------------------------------------------------------


async def sent_body(at: NativeOffice, call: Any) -> bytes | Upload:
    await at.serve(call)
    return at.sender.requests[0].body


async def test_a_large_body_passes_as_it_comes():
    at = office(answer(b"{}"))
    pieces = [bytes(700_000), bytes(700_000)]
    body = await sent_body(at, at.call(f"POST {MINDS}", pieces=pieces))

    assert isinstance(body, Upload)
    assert 1_400_000 == body.length


async def test_one_of_unknown_length_does_too():
    at = office(answer(b"{}"))
    chunked = [(b"transfer-encoding", b"chunked")]
    call = at.call(f"POST {MINDS}", pieces=[b"{}"], says_length=False, headers=chunked)
    body = await sent_body(at, call)

    assert isinstance(body, Upload)
    assert body.length is None


async def test_one_of_unknown_length_waits_where_the_upstream_wants_to_be_told():
    at = office(answer(b"{}"), upload_transfer="length")
    chunked = [(b"transfer-encoding", b"chunked")]
    call = at.call(f"POST {MINDS}", pieces=[b"{", b"}"], says_length=False, headers=chunked)
    body = await sent_body(at, call)

    assert isinstance(body, Upload)
    assert 2 == body.length


async def test_no_body_is_none_and_has_no_type():
    at = office(answer(b"{}"))
    call = at.call(
        f"POST {MINDS}", says_length=False, headers=[(b"content-type", b"application/json")]
    )

    assert b"" == await sent_body(at, call)
    assert b"content-type" not in dict(at.sender.requests[0].headers)


async def test_one_that_is_too_large_is_the_client_s_fault():
    at = office(RequestTooLarge("too large"))
    call = at.call(f"POST {MINDS}", pieces=[bytes(9_000_000)])
    error = await at.serve(call)

    assert isinstance(error, RequestTooLarge)
    assert (413, Outcome.REJECTED) == (client_of(call).status, call.exchange.outcome)


# --- who may ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "offered", "key", "word"),
    [
        pytest.param(f"GET {MINDS}", ("use",), MANAGER, "'read'", id="N12: read is off"),
        pytest.param("POST /minds/threads", ("read",), MANAGER, "'use'", id="N12: use is off"),
        pytest.param(f"DELETE {MINDS}/m", ("use", "read"), MANAGER, "'manage'", id="N12: manage"),
        pytest.param(f"DELETE {MINDS}/m", ("manage",), EVERYTHING, "key", id="N12: and on the key"),
        pytest.param(f"GET {MINDS}", (), MANAGER, "'read'", id="nothing is offered"),
    ],
)
async def test_n12_what_is_not_offered_answers_u1(line, offered, key, word):
    at = office(native=offered)
    call = at.call(line, key)
    error = await at.serve(call)

    assert isinstance(error, UnsupportedEndpoint)
    assert (404, "unsupported_endpoint") == (client_of(call).status, code(client_of(call)))
    assert word in error.message
    assert b"false" == client_of(call).header(b"x-should-retry")
    assert [] == at.sender.requests


async def test_n12_using_and_reading_need_nothing_of_the_key():
    at = office(answer(b"[]"), answer(b"{}"), native=("use", "read"))

    assert 200 == (await at.served(f"GET {MINDS}", OWN_TEAM)).status
    assert 200 == (await at.served("POST /openmind/rag/query", OWN_TEAM)).status


@pytest.mark.parametrize(
    ("models", "team_models", "may"),
    [
        pytest.param((), (), True, id="no patterns"),
        pytest.param(("minds/*",), (), True, id="the whole upstream"),
        pytest.param(("*",), (), True, id="everything"),
        pytest.param(("openmind/*",), (), False, id="another upstream"),
        pytest.param(("minds/sales",), (), False, id="one model"),
        pytest.param(("native",), (), False, id="a model of the name we log"),
        pytest.param(("minds/native",), (), False, id="the same of the upstream"),
        pytest.param(("minds/s*",), (), False, id="some models"),
        pytest.param(("minds/*",), ("minds/sales",), False, id="more than its team may"),
        pytest.param(("minds/sales",), ("minds/*",), False, id="less than its team may"),
        pytest.param((), ("minds/*",), True, id="as much as its team may"),
    ],
)
async def test_s15_a_key_bound_to_models_needs_the_whole_upstream(models, team_models, may):
    at = office(answer(b"[]"))
    call = at.call(f"GET {MINDS}", Principal("ci", models=models, team_models=team_models))
    error = await at.serve(call)

    assert may is (error is None)
    assert may is (at.sender.requests != [])
    if not may:
        assert isinstance(error, PermissionDenied)
        assert "minds/*" in error.message


@pytest.mark.parametrize(
    ("line", "may"),
    [
        pytest.param("POST /openmind/elevenlabs/tts", True, id="speech keeps nothing"),
        pytest.param("POST /openmind/rag/query", True, id="a search keeps nothing"),
        pytest.param("POST /openmind/agent", False, id="the agent remembers"),
        pytest.param("POST /openmind/agent/medical", False, id="so does the other"),
        pytest.param("DELETE /openmind/agent/memory", False, id="and would forget"),
        pytest.param(f"GET {MINDS}", True, id="minds are models"),
        pytest.param(f"POST {MINDS}", False, id="changing them"),
        pytest.param(f"DELETE {MINDS}/m", False, id="destroying them"),
        pytest.param("GET /minds/api/datasources", False, id="passwords"),
        pytest.param("GET /minds/api/v1/conversations/", False, id="what others said"),
    ],
)
async def test_s16_a_key_bound_to_its_own_touches_nothing_that_is_shared(line, may):
    at = office(answer(b"{}"))
    error = await at.serve(at.call(line, OWN_MANAGER))

    assert may is (at.sender.requests != [])
    assert may is (error is None)
    if not may:
        assert isinstance(error, PermissionDenied)


@pytest.mark.parametrize(
    "path",
    [
        f"{MINDS}/%2e%2e",
        f"{MINDS}/..",
        f"{MINDS}/a%2Fb",
        "/minds/api/datasources/a%5Cb",
        "/minds/api/datasources/%00",
        "/minds/api/datasources/a%3Bb",
        "/minds/api/v1/conversations/../../../cloud",
    ],
)
async def test_a12_tricks_end_here(path):
    at = office()
    call = at.call(f"DELETE {path}")

    assert isinstance(await at.serve(call), InvalidRequest)
    assert 400 == client_of(call).status
    assert [] == at.sender.requests


# --- threads ----------------------------------------------------------------------------------------------------------


async def test_s16_a_thread_is_whose_team_made_it():
    at = office(answer(b'{"id":"thread_1","object":"thread"}'), *(answer(b"{}") for _ in range(3)))
    made = await at.served("POST /minds/threads", OWN_TEAM, body=b"{}")

    assert (200, b'{"id":"thread_1","object":"thread"}') == (made.status, made.body)
    for line in (
        "GET {}/messages",
        "POST {}/messages",
        "POST {}/runs",
        "GET {}/runs/r",
        "DELETE {}",
    ):
        call = at.call(line.format("/minds/threads/thread_1"), OTHER_TEAM)
        error = await at.serve(call)
        assert isinstance(error, ObjectNotFound), line
        assert 404 == client_of(call).status
    assert 1 == len(at.sender.requests)
    for key in (OWN_TEAM, TEAM_MATE, EVERYTHING):
        assert 200 == (await at.served("GET /minds/threads/thread_1/messages", key)).status


async def test_s16_another_team_s_answers_as_one_that_never_was():
    at = office(answer(b'{"id":"thread_1"}'))
    await at.served("POST /minds/threads", OWN_TEAM)
    theirs = await at.served("GET /minds/threads/thread_1/messages", OTHER_TEAM)
    none = await at.served("GET /minds/threads/thread_9/messages", OTHER_TEAM)

    assert theirs.body.replace(b"thread_1", b"thread_9") == none.body


async def test_a_thread_that_was_deleted_is_nobody_s():
    at = office(answer(b'{"id":"thread_1"}'), answer(b'{"deleted":true}'))
    await at.served("POST /minds/threads", OWN_TEAM)
    gone = await at.served("DELETE /minds/threads/thread_1", TEAM_MATE)

    assert 200 == gone.status
    assert 404 == (await at.served("GET /minds/threads/thread_1/messages", OWN_TEAM)).status


async def test_a_thread_that_could_not_be_deleted_stays_whose_it_was():
    at = office(answer(b'{"id":"t"}'), answer(b"{}", 500), answer(b"[]"))
    await at.served("POST /minds/threads", OWN_TEAM)

    assert 500 == (await at.served("DELETE /minds/threads/t", OWN_TEAM)).status
    assert 200 == (await at.served("GET /minds/threads/t/messages", OWN_TEAM)).status


@pytest.mark.parametrize(
    "said", [b"{}", b"[]", b"no JSON", b'{"id":null}', b'{"id":""}', b'{"id":"a\\u0000b"}']
)
async def test_a_thread_that_nobody_could_come_back_to_is_no_answer(said):
    at = office(answer(said))
    error = await at.serve(at.call("POST /minds/threads", OWN_TEAM))

    assert isinstance(error, UpstreamMalformed)
    assert error.should_retry is False


async def test_a_refusal_to_make_one_comes_as_it_is():
    at = office(answer(b'{"detail":"no"}', 422))
    client = await at.served("POST /minds/threads", OWN_TEAM)

    assert (422, b'{"detail":"no"}') == (client.status, client.body)


# --- what it costs ----------------------------------------------------------------------------------------------------

SPOKEN = {"openmind/native": Price(character=15_000_000)}  # 15 USD a million


@pytest.mark.parametrize(
    ("body", "characters"),
    [
        pytest.param(b'{"text":"Hello"}', 5, id="the old name"),
        pytest.param(b'{"input":"Hall\\u00f6"}', 5, id="the new one: characters, not bytes"),
        pytest.param(b'{"text":"Hello","input":"Hello there"}', 11, id="both: the longer"),
        pytest.param(b'{"TEXT":"Hello"}', 5, id="in any case"),
        pytest.param(b'{"text":5}', 0, id="no text"),
        pytest.param(b'["text"]', 0, id="no object"),
        pytest.param(b"{", 0, id="no JSON"),
        pytest.param(b"", 0, id="nothing"),
    ],
)
async def test_n14_speech_costs_by_its_characters(body, characters):
    at = NativeOffice(answer(b"{}"), upstreams={"openmind": upstream_of("openmind")}, prices=SPOKEN)
    call = at.call("POST /openmind/elevenlabs/tts", body=body)
    await at.serve(call)

    assert characters == call.exchange.characters
    assert characters * 15_000 == call.exchange.cost_nano
    assert [characters * 15_000] == [record.cost_nano for record in at.journal.records]


def with_budget(nano: int) -> Principal:
    limits = Limits(budget_nano=nano, budget_period="total")
    return Principal("ci", key_id="k", scopes=(Scope("key", "k", "ci", limits),))


async def test_speech_beyond_a_budget_is_refused_before_it_is_asked_for():
    at = NativeOffice(upstreams={"openmind": upstream_of("openmind")}, prices=SPOKEN)
    call = at.call("POST /openmind/riva/tts", with_budget(15_000 * 4), body=b'{"text":"Hello"}')

    assert isinstance(await at.serve(call), QuotaExceeded)
    assert [] == at.sender.requests


async def test_j12_speech_without_a_price_is_refused_where_the_operator_says_so():
    at = NativeOffice(
        upstreams={"openmind": upstream_of("openmind")}, options=LimitOptions(unpriced="refuse")
    )
    call = at.call("POST /openmind/riva/tts", with_budget(10**9), body=b'{"text":"Hello"}')

    assert isinstance(await at.serve(call), QuotaExceeded)
