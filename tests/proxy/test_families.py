"""Families of routes, relayed: to whom they are open, what passes (upstreams 2, P4, G6, G7; reliability S16)."""

import json

import pytest

from app.domain.principal import Principal
from app.proxy.body_relay import BodyRelay
from app.proxy.families import FamilyDesk
from app.proxy.upload_attempts import UploadAttempts
from app.wire.requests import Upload
from tests.fakes.calls import Office, Served
from tests.fakes.registers import EVERYTHING, OTHER_TEAM, OWN_TEAM, TEAM_MATE
from tests.fakes.senders import FakeResponse, answer

BASE = "http://127.0.0.1:9/v1"
RESTRICTED = Principal("ci", models=("gpt-image-*",), key_id="key_ci")
WIDE = Principal("ci", models=("openai/*",), key_id="key_ci")
FORM = (b"content-type", b"multipart/form-data; boundary=x")


async def served(
    office: Office, line: str, principal: Principal = EVERYTHING, **more: object
) -> Served:
    desk = FamilyDesk(
        office.chooser,
        office.routes,
        UploadAttempts(office.attempts, office.clock),
        BodyRelay(office.clock, office.clock.call_later),
        billing=office.billing,
        max_upload_bytes=1000,
        now=office.clock,
    )
    return await office.serve(desk.serve, office.call(line, principal, **more))  # type: ignore[arg-type]


def openai(*script: FakeResponse | Exception) -> Office:
    return Office.of(*script, names=("openai", "minds"))


@pytest.mark.parametrize(
    "line",
    ["GET /v1/batches", "POST /v1/vector_stores", "DELETE /v1/assistants/a", "GET /v1/threads/t"],
)
async def test_s16_what_keeps_state_is_for_keys_that_may_touch_all(line: str):
    office = openai(answer(b"{}"))

    refused = await served(office, line, OWN_TEAM, body=b"{}")
    assert (403, []) == (refused.client.status, office.asked())

    assert (await served(office, line, body=b"{}")).client.status == 200


@pytest.mark.parametrize("path", ["moderations", "rerank", "images/generations"])
async def test_what_keeps_none_is_for_every_key(path: str):
    office = openai(answer(b'{"x":1.10}'))

    one = await served(office, f"POST /v1/{path}", OWN_TEAM, body=b'{"input":"x"}')

    assert (200, b'{"x":1.10}') == (one.client.status, one.body)
    assert office.asked() == [f"POST {BASE}/{path}"]


@pytest.mark.parametrize(
    ("principal", "body", "status"),
    [
        pytest.param(RESTRICTED, b'{"model":"openai/gpt-image-1"}', 200, id="one of its models"),
        pytest.param(RESTRICTED, b'{"model":"openai/dall-e-3"}', 404, id="F14: another"),
        pytest.param(RESTRICTED, b'{"prompt":"x"}', 400, id="none named"),
        pytest.param(WIDE, b'{"prompt":"x"}', 200, id="none named, and it may use all there"),
    ],
)
async def test_a_key_s_models_hold(principal: Principal, body: bytes, status: int):
    office = openai(answer(b"{}"))

    one = await served(office, "POST /v1/images/generations", principal, body=body)

    assert status == one.client.status
    assert len(office.asked()) == (status == 200)


@pytest.mark.parametrize(
    ("principal", "status"),
    [(OWN_TEAM, 404), (TEAM_MATE, 404), (OTHER_TEAM, 200), (EVERYTHING, 200)],
)
async def test_s16_a_stored_file_is_shown_to_its_team_alone(principal: Principal, status: int):
    office = openai(answer(b"{}"))
    office.made(OTHER_TEAM, "file", "file-1", upstream="openai")
    body = b'{"model":"openai/gpt-image-1","images":[{"file\\u005fid":"file-1"}]}'

    one = await served(office, "POST /v1/images/edits", principal, body=body)

    assert status == one.client.status
    assert len(office.asked()) == (status == 200)


async def test_p4_the_model_is_spliced_and_the_request_charged():
    office = openai(answer(b'{"created":1}'))
    body = b'{"prompt":"x", "model": "openai/gpt-image-1","n":1}'

    await served(office, "POST /v1/images/generations", OWN_TEAM, body=body)

    [record] = office.journal.records
    assert office.senders["openai"].bodies() == [body.replace(b"openai/", b"")]
    assert ("gpt-image-1", "estimated") == (record.upstream_model, record.usage_source)


async def test_g6_a_form_goes_on_as_it_comes():
    office = openai(answer(b"{}"))

    await served(office, "POST /v1/images/edits", OWN_TEAM, headers=[FORM], body=b"--x--\r\n")

    [sent] = office.senders["openai"].requests
    assert isinstance(sent.body, Upload)
    assert sent.body.length == 7
    assert FORM in sent.headers
    assert not sent.repeatable


async def test_a_form_s_model_cannot_be_seen_so_a_key_of_certain_models_may_not_send_one():
    office = openai()

    one = await served(
        office, "POST /v1/audio/translations", RESTRICTED, headers=[FORM], body=b"--x--\r\n"
    )

    assert (400, "model") == (one.client.status, json.loads(one.body)["error"]["param"])
    assert office.asked() == []


@pytest.mark.parametrize("path", ["images/..", "batches/%2e%2e/x", "batches/a%2fb"])
async def test_a12_tricks_reach_nobody(path: str):
    office = openai()

    one = await served(office, f"GET /v1/{path}")

    assert one.client.status == 400
    assert office.asked() == []


async def test_u1_nobody_has_it():
    one = await served(Office.of(names=("minds",)), "POST /v1/moderations", body=b"{}")

    assert (404, "unsupported_endpoint") == (
        one.client.status,
        json.loads(one.body)["error"]["code"],
    )


async def test_g7_what_failed_after_it_left_is_not_to_be_tried_again():
    one = await served(openai(answer(b"{}", 500)), "POST /v1/batches", body=b"{}")

    assert (500, b"false") == (one.client.status, one.client.header(b"x-should-retry"))


async def test_an_answer_of_any_type_passes_with_its_type():
    events = FakeResponse(
        200, [(b"content-type", b"text/event-stream"), (b"set-cookie", b"a=b")], [b"data: 1\n\n"]
    )

    one = await served(openai(events), "POST /v1/images/generations", body=b"{}")

    assert (b"text/event-stream", b"data: 1\n\n") == (one.client.header(b"content-type"), one.body)
    assert one.client.header(b"set-cookie") is None
