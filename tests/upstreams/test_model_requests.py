"""Asking upstreams about models (upstreams 3.1, 4.1, 4.5, G1, G7)."""

import json

import pytest

from app.domain.errors import (
    GatewayError,
    UpstreamDisconnected,
    UpstreamMalformed,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from app.upstreams.client import UpstreamRequest
from app.upstreams.model_requests import ModelList, discover, model_request
from tests.fakes.senders import FakeSender, HangingSender, answer
from tests.fakes.upstreams import UPSTREAM_KEY, upstream_of

LIST = b'{"object":"list","data":[{"id":"a"},{"id":"b"}]}'
ABSENT = b'{"detail":"Not Found"}'


async def asked(upstream, sender, seconds: float = 5) -> ModelList:
    paths = upstream.models_paths
    return await discover(upstream, sender, paths=paths, patience_seconds=seconds)


async def found(upstream, sender) -> list[str]:
    return [model.id for model in (await asked(upstream, sender)).models]


def one(upstream, method: str, model: str) -> UpstreamRequest:
    path = upstream.models_paths[0]
    return model_request(upstream, method, model, list_path=path, request_id="req_1")


async def test_a_list_is_asked_with_the_credential_and_closed():
    sender = FakeSender(answer(LIST))

    assert await found(upstream_of("4minds"), sender) == ["a", "b"]

    (request,) = sender.requests
    fields = dict(request.head.fields)
    assert ("GET", "https://api.4minds.ai/v1/models") == (request.head.method, request.head.url)
    assert (b"application/json", b"identity") == (fields[b"accept"], fields[b"accept-encoding"])
    assert fields[b"authorization"] == f"Bearer {UPSTREAM_KEY}".encode()
    assert sender.given[0].is_closed


@pytest.mark.parametrize("status", [404, 405])
async def test_41_a_list_that_is_not_there_is_looked_for_where_other_ages_had_it(status):
    sender = FakeSender(answer(ABSENT, status), answer(LIST))

    assert await found(upstream_of("minds", generation="mindshub"), sender) == ["a", "b"]
    assert len({request.head.url for request in sender.requests}) == 2
    assert all(response.is_closed for response in sender.given)


async def test_41_the_place_that_had_it_is_told():
    upstream = upstream_of("minds", generation="mindshub")

    told = await asked(upstream, FakeSender(answer(ABSENT, 404), answer(LIST)))

    assert upstream.models_paths[1] == told.path


async def test_41_when_no_place_has_it_the_last_refusal_is_the_answer():
    upstream = upstream_of("minds")
    sender = FakeSender(*(answer(ABSENT, 404) for _ in upstream.models_paths))

    with pytest.raises(GatewayError):
        await found(upstream, sender)

    assert len(upstream.models_paths) == len(sender.requests)


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500, 503])
async def test_any_other_refusal_is_final_at_once(status):
    sender = FakeSender(answer(b"{}", status))

    with pytest.raises(GatewayError):
        await found(upstream_of("minds"), sender)

    assert len(sender.requests) == 1


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"data":{}}', b"7"])
async def test_what_is_no_list_is_malformed_and_quotes_nothing(body):
    with pytest.raises(UpstreamMalformed) as caught:
        await found(upstream_of("4minds"), FakeSender(answer(body)))

    assert "<html>" not in caught.value.message


async def test_45_pages_are_read_until_one_brings_nothing_new():
    rows = [{"name": f"mind_{n}"} for n in range(230)]
    pages = [json.dumps(rows[at : at + 100]).encode() for at in (0, 100, 200, 300)]
    upstream = upstream_of("minds", generation="api-v1")
    sender = FakeSender(*map(answer, pages))

    assert await found(upstream, sender) == [row["name"] for row in rows]
    offsets = [request.head.url.split("offset=")[1] for request in sender.requests]
    assert ["0", "100", "200"] == offsets[:3]
    assert all("limit=100" in request.head.url for request in sender.requests)


async def test_45_41_pages_are_read_below_a_base_url_that_ends_in_v1():
    rows = [{"name": f"mind_{n}"} for n in range(130)]
    pages = [json.dumps(rows[at : at + 100]).encode() for at in (0, 100, 200)]
    upstream = upstream_of("minds", base_url="https://mdb.ai/api/v1")
    sender = FakeSender(answer(ABSENT, 404), *map(answer, pages))

    assert await found(upstream, sender) == [row["name"] for row in rows]
    assert sender.requests[1].head.url == "https://mdb.ai/api/v1/minds/?limit=100&offset=0"


async def test_45_a_server_that_ignores_the_page_is_asked_no_hundred_times():
    page = json.dumps([{"name": f"mind_{n}"} for n in range(100)]).encode()
    upstream = upstream_of("minds", generation="api-v1")
    sender = FakeSender(*(answer(page) for _ in range(5)))

    assert len(await found(upstream, sender)) == 100
    assert len(sender.requests) == 2


async def test_a_list_too_large_is_malformed():
    upstream = upstream_of("4minds", max_json_bytes=10)

    with pytest.raises(UpstreamMalformed):
        await found(upstream, FakeSender(answer(LIST)))


@pytest.mark.parametrize("error", [UpstreamUnreachable("x"), UpstreamDisconnected("x")])
async def test_the_senders_own_errors_pass(error):
    with pytest.raises(type(error)):
        await found(upstream_of("4minds"), FakeSender(error))


async def test_an_upstream_that_hangs_is_left_alone_in_time():
    sender = HangingSender()

    with pytest.raises(UpstreamTimeout) as caught:
        await asked(upstream_of("4minds"), sender, 0.02)

    assert sender.was_cancelled
    assert caught.value.phase == "total"


# --- one model ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "segment"),
    [
        ("Gemma-12B AWQ", "Gemma-12B%20AWQ"),
        ("meta/llama", "meta%2Fllama"),
        ("ft:gpt:x", "ft%3Agpt%3Ax"),
        ("modèle", "mod%C3%A8le"),
        ("a?b#c", "a%3Fb%23c"),
        ("a%20b", "a%2520b"),
    ],
)
def test_g1_a_model_is_one_segment_encoded_whole(model, segment):
    request = one(upstream_of("4minds"), "GET", model)

    assert request.head.url == f"https://api.4minds.ai/v1/models/{segment}"


@pytest.mark.parametrize(("method", "repeatable"), [("GET", True), ("DELETE", False)])
def test_g7_what_destroys_is_sent_once(method, repeatable):
    request = one(upstream_of("4minds"), method, "m")

    assert (method, b"", repeatable) == (request.head.method, request.body, request.repeatable)
    assert dict(request.headers)[b"x-request-id"] == b"req_1"


def test_m3_a_slash_behind_the_list_is_not_doubled():
    request = one(upstream_of("minds", generation="api-v1"), "GET", "sales")

    assert request.head.url == "https://mdb.ai/api/v1/minds/sales"
