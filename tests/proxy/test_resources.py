"""
Stored objects through the gateway: whose they are, where they are, what passes and what is filled in (contract F31, L8,
M1 to M12; upstreams 3, G7; reliability S16).
"""

import json
from collections.abc import Callable
from typing import Any

import pytest
from typing_extensions import override

from app.access.register import Register
from app.domain.errors import UpstreamDisconnected, UpstreamUnreachable
from app.domain.principal import Principal
from app.domain.stored_objects import ObjectKind, ObjectName
from app.proxy.client_connection import ClientConnection
from app.proxy.json_asking import JsonAsking
from app.proxy.resource_rows import ROWS
from app.proxy.resources import ResourceDesk
from app.upstreams.client import UpstreamRequest
from tests.fakes.calls import Office, Served
from tests.fakes.registers import EVERYTHING, OTHER_TEAM, OWN_TEAM, TEAM_MATE
from tests.fakes.senders import FakeResponse, FakeSender, answer

BASE = "https://api.4minds.ai/v1"
JOB = b'{"id":"ftjob-1","model":"Gemma-12B AWQ","created_at":1.50,"training_file":"file-1"}'
FILE = (
    b'{"id":"file-1","object":"file","bytes":1234,"created_at":1740830400,"filename":"t.jsonl",'
    b'"purpose":"fine-tune","status":"processed","dataset_id":1234}'
)
RESTRICTED = Principal("ci", models=("4minds-*",), key_id="key_ci")


def desk_of(
    office: Office, register: Register | None = None, on_model: Callable[[], None] = lambda: None
) -> ResourceDesk:
    return ResourceDesk(
        office.upstreams,
        office.table,
        JsonAsking(office.attempts, office.clock),
        register or office.register,
        rights=office.rights,
        billing=office.billing,
        on_model=on_model,
    )


async def served(
    office: Office, line: str, principal: Principal = EVERYTHING, **more: Any
) -> Served:
    return await office.serve(desk_of(office).serve, office.call(line, principal, **more))


# --- whose is it ------------------------------------------------------------------------------------------------------

WITH_ID = [route for route in ROWS if "{id}" in route]
OBJECT = {"file": "file-1", "job": "ftjob-1", "dataset": "1234", "completion": "chatcmpl-1"}


def line_of(route: str) -> tuple[str, str, bytes]:
    """A request for *route*, the id of its object, and a body that it takes."""
    object_id = OBJECT[ROWS[route].kind]
    method, _, path = route.partition(" ")
    body = b'{"metadata":{}}' if ROWS[route].act == "change" else b""
    return f"{method} /v1/{path.replace('{id}', object_id)}", object_id, body


@pytest.mark.parametrize("route", WITH_ID)
async def test_s16_what_is_another_team_s_is_404_and_nobody_is_asked(route: str):
    office = Office.of()
    line, object_id, body = line_of(route)
    office.made(OTHER_TEAM, ROWS[route].kind, object_id, upstream="openai")
    office.made(OTHER_TEAM, ROWS[route].kind, object_id)

    for pin in (None, "openai"):
        one = await served(office, line, OWN_TEAM, body=body, pin=pin)

        assert one.client.status == 404 or "unsupported" in str(one.body)
    assert office.asked() == []


@pytest.mark.parametrize("route", WITH_ID)
async def test_s16_and_so_is_what_nobody_made_in_the_same_words(route: str):
    office = Office.of(names=("openai",) if ".more" in route else ("4minds", "openai"))
    line, object_id, body = line_of(route)
    unknown = await served(office, line, OWN_TEAM, body=body)
    office.made(OTHER_TEAM, ROWS[route].kind, object_id)
    others = await served(office, line, OWN_TEAM, body=body)

    assert (404, unknown.body) == (others.client.status, others.body)
    assert json.loads(unknown.body)["error"]["code"] is None
    assert office.asked() == []


async def test_f31_a_file_s_404_has_openais_words():
    one = await served(Office.of(), "GET /v1/files/file-9", OWN_TEAM)

    assert json.loads(one.body) == {
        "error": {
            "message": "No such File object: file-9",
            "type": "invalid_request_error",
            "param": "id",
            "code": None,
        }
    }


@pytest.mark.parametrize("principal", [OWN_TEAM, TEAM_MATE, EVERYTHING], ids=lambda p: p.name)
async def test_the_team_and_who_may_see_all_reach_it(principal: Principal):
    office = Office.of(answer(FILE))
    office.made(OWN_TEAM, "file", "file-1")

    one = await served(office, "GET /v1/files/file-1", principal)

    assert (200, FILE) == (one.client.status, one.body)
    assert office.asked() == [f"GET {BASE}/files/file-1"]


# --- where it is ------------------------------------------------------------------------------------------------------


async def test_an_object_is_found_where_it_was_made_without_a_pin():
    office = Office.of(names=("openai", "4minds"))
    office.senders["4minds"]._script.append(answer(FILE))
    office.made(EVERYTHING, "file", "file-1", upstream="4minds")

    one = await served(office, "GET /v1/files/file-1")

    assert (200, "4minds") == (one.client.status, one.exchange.upstream)


@pytest.mark.parametrize(
    ("names", "line", "pin", "asked"),
    [
        pytest.param(("openai", "4minds"), "GET /v1/files/f", None, "openai", id="first one"),
        pytest.param(("minds", "4minds"), "GET /v1/files/f", None, "4minds", id="the only one"),
        pytest.param(("openai", "4minds"), "GET /v1/files/f", "4minds", "4minds", id="pinned"),
        pytest.param(("openai", "4minds"), "GET /4minds/v1/files/f", None, "4minds", id="base URL"),
    ],
)
async def test_of_an_unknown_object_the_pin_then_the_only_then_the_first_upstream_is_asked(
    names: tuple[str, ...], line: str, pin: str | None, asked: str
):
    office = Office.of(names=names)
    office.senders[asked]._script.append(answer(b'{"id":"f"}'))

    one = await served(office, line, pin=pin)

    assert (200, asked) == (one.client.status, one.exchange.upstream)


@pytest.mark.parametrize(
    ("names", "pin", "message"),
    [
        pytest.param(
            ("4minds", "minds"),
            "minds",
            "Upstream 'minds' does not support GET /v1/files. Here '4minds' would serve it.",
            id="pinned to one that has none",
        ),
        pytest.param(
            ("minds", "openmind"),
            None,
            "No configured upstream supports GET /v1/files. "
            "An upstream of dialect '4minds' or 'openai' would serve it.",
            id="nobody has it",
        ),
    ],
)
async def test_u1_what_an_upstream_does_not_have_is_said_at_once_and_who_would(
    names: tuple[str, ...], pin: str | None, message: str
):
    office = Office.of(names=names)

    one = await served(office, "GET /v1/files", OWN_TEAM, pin=pin)

    said = json.loads(one.body)["error"]
    assert (404, "unsupported_endpoint", message) == (
        one.client.status,
        said["code"],
        said["message"],
    )
    assert one.client.header(b"x-should-retry") == b"false"
    assert office.asked() == []


async def test_an_object_whose_upstream_lacks_the_route_is_not_looked_for_elsewhere():
    office = Office.of(names=("openai", "4minds"))
    office.made(EVERYTHING, "job", "ftjob-1")

    one = await served(office, "GET /v1/fine_tuning/jobs/ftjob-1/events")

    assert b"Upstream '4minds' does not support" in one.body
    assert office.asked() == []


@pytest.mark.parametrize(
    "tricky",
    [
        *("..", "%2e%2e", "a%2fb", "a%00b", "a;b", "a%3bb", "a%5cb", "a%3fb", "a%23b", "a%0d%0ab"),
        *("a%252fb", "a%20b", "%c3%a4", "x" * 257),
    ],
)
async def test_a12_tricks_in_an_id_are_400_and_reach_nobody(tricky: str):
    office = Office.of()

    one = await served(office, f"GET /v1/files/{tricky}")

    assert (400, "id") == (one.client.status, json.loads(one.body)["error"]["param"])
    assert office.asked() == []


async def test_an_id_is_decoded_once_and_encoded_whole():
    office = Office.of(answer(b'{"id":"a:b@c"}'))

    await served(office, "GET /v1/files/a%3Ab@c")

    assert office.asked() == [f"GET {BASE}/files/a%3Ab%40c"]


# --- making -----------------------------------------------------------------------------------------------------------


class WatchedRegister(Register):
    """Notes whether the client had anything when something was claimed."""

    client: ClientConnection
    claimed: tuple[ObjectName, bool]

    @override
    def claim(
        self, principal: Principal, name: ObjectName, *, exchange_id: str, at_ms: int
    ) -> None:
        self.claimed = (name, self.client.head_sent)
        super().claim(principal, name, exchange_id=exchange_id, at_ms=at_ms)


@pytest.mark.parametrize(
    ("line", "body", "answered", "name"),
    [
        pytest.param(
            "POST /v1/fine_tuning/jobs",
            b'{"model":"Gemma-12B AWQ","training_file":"file-1"}',
            JOB,
            ObjectName("4minds", "job", "ftjob-1"),
            id="a job",
        ),
        pytest.param(
            "POST /v1/datasets",
            b'{"name":"Mine"}',
            b'{"id":1234,"name":"Mine"}',
            ObjectName("4minds", "dataset", "1234"),
            id="a dataset, its number as text",
        ),
        pytest.param(
            "POST /v1/datasets/import",
            b'{"integration_id":"i","source_path":"/a"}',
            b'{"id":7}',
            ObjectName("4minds", "dataset", "7"),
            id="an import",
        ),
    ],
)
async def test_what_is_made_is_claimed_before_the_reply_goes_out(
    line: str, body: bytes, answered: bytes, name: ObjectName
):
    office = Office.of(answer(answered))
    office.made(OWN_TEAM, "file", "file-1")
    watched = WatchedRegister(office.register._objects, office.register._note, now=office.clock)
    call = office.call(line, OWN_TEAM, body=body)
    watched.client = call.client

    one = await office.serve(desk_of(office, watched).serve, call)

    assert (name, False) == watched.claimed
    assert one.client.status == 200
    assert await watched.may_touch(TEAM_MATE, name)
    assert not await watched.may_touch(OTHER_TEAM, name)


async def test_f14_only_the_upstream_s_prefix_is_cut_from_a_job_s_model():
    body = b'{"hyper": 1E5, "model" : "4minds/Gemma-12B AWQ","external_model_id":7}'
    office = Office.of(answer(JOB))

    await served(office, "POST /v1/fine_tuning/jobs", body=body)

    [sent] = office.senders["4minds"].requests
    assert sent.body == body.replace(b"4minds/", b"")
    assert (b"content-type", b"application/json") in sent.headers


@pytest.mark.parametrize(
    ("body", "made_at", "asked"),
    [
        pytest.param(b'{"model":"4minds/G"}', None, "4minds", id="by the model's prefix"),
        pytest.param(b'{"model":"G","training_file":"f"}', "4minds", "4minds", id="by the file"),
        pytest.param(b'{"model":"4minds-7"}', None, "4minds", id="by who claims the model"),
        pytest.param(b'{"model":"G"}', None, "openai", id="else the first"),
    ],
)
async def test_m1_a_job_goes_by_its_model_or_its_file(body: bytes, made_at: str | None, asked: str):
    office = Office.of(names=("openai", "4minds"))
    office.senders[asked]._script.append(answer(JOB))
    if made_at is not None:
        office.made(EVERYTHING, "file", "f", upstream=made_at)

    one = await served(office, "POST /v1/fine_tuning/jobs", body=body)

    assert (200, asked) == (one.client.status, one.exchange.upstream)


@pytest.mark.parametrize(
    ("param", "kind", "value"),
    [
        ("training_file", "file", "file-1"),
        ("validation_file", "file", "file-1"),
        ("dataset_id", "dataset", 1234),
        ("dataset_id", "dataset", "1234"),
    ],
)
async def test_s16_a_job_cannot_train_on_what_is_another_team_s(
    param: str, kind: ObjectKind, value: str | int
):
    office = Office.of()
    office.made(OTHER_TEAM, kind, str(value))
    body = json.dumps({"model": "G", param: value}).encode()

    one = await served(office, "POST /v1/fine_tuning/jobs", OWN_TEAM, body=body)

    said = json.loads(one.body)["error"]
    assert (404, param) == (one.client.status, said["param"])
    assert office.asked() == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b'{"model":"gpt-4o"}', 404, id="F18: a model that the key may not use"),
        pytest.param(b'{"external_model_id":7}', 400, id="F25: and none named"),
        pytest.param(b'{"model":"4minds-7"}', 200, id="one that it may"),
    ],
)
async def test_a_key_s_models_hold_for_jobs(body: bytes, status: int):
    office = Office.of(answer(JOB))

    one = await served(office, "POST /v1/fine_tuning/jobs", RESTRICTED, body=body)

    assert status == one.client.status
    assert len(office.asked()) == (status == 200)


@pytest.mark.parametrize(
    "member",
    [
        pytest.param(b'"hyperparameters":{"dataset_id":1234}', id="a data set, nested"),
        pytest.param(b'"hyperparameters":{"dataset_id":1,"dataset_id":1234}', id="a data set, the second"),
        pytest.param(b'"dataset_ids":["1", 1234]', id="data sets"),
        pytest.param(b'"files":["file-2"]', id="files"),
        pytest.param(b'"more":[[{"file_id":"file-2"}]]', id="a file, deep in a list"),
        pytest.param(b'"m":{"validation\\u005ffile":"file-2"}', id="a file, its name escaped"),
        pytest.param(b'"method":{"grader":{"model":"ft-theirs"}}', id="a model that grades"),
        pytest.param(b'"method":{"grader":{"model":"4minds/ft-theirs"}}', id="a model with its prefix"),
    ],
)  # fmt: skip
async def test_s16_nothing_that_a_job_names_anywhere_is_another_team_s(member: bytes):
    office = Office.of(answer(JOB))
    office.made(OWN_TEAM, "file", "file-1")
    office.made(OWN_TEAM, "dataset", "1")
    for kind, name in (("file", "file-2"), ("dataset", "1234"), ("model", "ft-theirs")):
        office.made(OTHER_TEAM, kind, name)  # type: ignore[arg-type]
    body = b'{"model":"Gemma-12B AWQ","training_file":"file-1",%b}' % member

    one = await served(office, "POST /v1/fine_tuning/jobs", OWN_TEAM, body=body)

    assert (404, []) == (one.client.status, office.asked())


async def test_what_is_the_client_s_own_text_names_nothing():
    office = Office.of(answer(JOB))
    office.made(OWN_TEAM, "file", "file-1")
    body = (
        b'{"model":"Gemma-12B AWQ","training_file":"file-1","metadata":{"file_id":"x","model":"y"},'
        b'"suffix":"{\\"file_id\\":\\"x\\"}","dataset_id":null,"files":[{"name":"a"}]}'
    )

    one = await served(office, "POST /v1/fine_tuning/jobs", OWN_TEAM, body=body)

    assert 200 == one.client.status


async def test_s16_a_data_set_is_not_made_of_another_team_s_files():
    office = Office.of(answer(b'{"id":5}'))
    office.made(OTHER_TEAM, "file", "file-2")

    one = await served(
        office, "POST /v1/datasets", OWN_TEAM, body=b'{"name":"x","file_ids":["file-2"]}'
    )

    assert (404, []) == (one.client.status, office.asked())


async def test_s16_what_an_unfinished_job_names_is_no_model_of_its_team_s():
    """An upstream that shows what it was sent would else let anybody take the models of all."""
    office = Office.of(
        answer(b'{"id":"ftjob-1","status":"queued","fine_tuned_model":"4minds-123"}')
    )
    office.made(OWN_TEAM, "file", "file-1")
    body = b'{"model":"g","training_file":"file-1","fine_tuned_model":"4minds-123"}'

    await served(office, "POST /v1/fine_tuning/jobs", OWN_TEAM, body=body)

    assert office.register.may_use_model(OTHER_TEAM, "4minds", "4minds-123")


async def test_s16_a_job_cannot_start_from_another_team_s_model():
    office = Office.of()
    office.made(OTHER_TEAM, "model", "4minds-7")

    one = await served(office, "POST /v1/fine_tuning/jobs", OWN_TEAM, body=b'{"model":"4minds-7"}')

    assert (404, "model_not_found") == (
        one.client.status,
        json.loads(one.body)["error"]["code"],
    )
    assert office.asked() == []


@pytest.mark.parametrize(
    ("line", "body", "code"),
    [
        pytest.param("POST /v1/datasets", b"{", "invalid_json", id="broken"),
        pytest.param("POST /v1/datasets", b"", "invalid_json", id="empty"),
        pytest.param("POST /v1/datasets", b'"x"', "invalid_type", id="no object"),
        pytest.param("POST /v1/chat/completions/c", b"{]", "invalid_json", id="a change"),
        pytest.param("POST /v1/fine_tuning/jobs/j/cancel", b"no", "invalid_json", id="a cancel"),
        pytest.param(
            "POST /v1/fine_tuning/jobs",
            b'{"training_file":"a","training_file":"b"}',
            "invalid_json",
            id="D6: a member that counts stands twice",
        ),
        pytest.param(
            "POST /v1/fine_tuning/jobs", b'{"training_file":["a"]}', "invalid_type", id="F24"
        ),
    ],
)
async def test_f23_a_body_that_is_none_reaches_nobody(line: str, body: bytes, code: str):
    office = Office.of()

    one = await served(office, line, body=body)

    assert (400, code) == (one.client.status, json.loads(one.body)["error"]["code"])
    assert office.asked() == []


@pytest.mark.parametrize("content_type", [None, b"application/json", b"text/plain"])
async def test_f17_a_cancel_needs_no_body_whatever_type_it_states(content_type: bytes | None):
    office = Office.of(answer(JOB))
    headers = [(b"content-type", content_type)] if content_type else []

    one = await served(office, "POST /v1/fine_tuning/jobs/ftjob-1/cancel", headers=headers)

    [sent] = office.senders["4minds"].requests
    assert (200, b"") == (one.client.status, sent.body)


async def test_m10_what_changes_a_completion_passes_byte_for_byte():
    body = b' {"title" : "\\u00e4", "x":1.10}'
    office = Office.of(answer(b'{"id":"c","metadata":{}}'))

    await served(office, "POST /v1/chat/completions/c", body=body)

    assert office.senders["4minds"].bodies() == [body]


# --- answers ----------------------------------------------------------------------------------------------------------

M2 = (
    *("id", "object", "created_at", "model", "organization_id", "result_files", "seed", "status"),
    *("training_file", "hyperparameters", "error", "finished_at", "fine_tuned_model"),
    *("trained_tokens", "validation_file"),
)


async def test_m2_a_job_has_every_field_and_what_was_there_keeps_its_bytes():
    office = Office.of(answer(JOB))

    one = await served(office, "GET /v1/fine_tuning/jobs/ftjob-1")

    assert one.body.startswith(JOB[:-1])
    assert set(M2) == set(json.loads(one.body))


async def test_an_answer_that_lacks_nothing_passes_byte_for_byte():
    whole = json.dumps(dict.fromkeys(M2) | {"id": "ftjob-1"}, indent=2).encode()
    office = Office.of(answer(whole))

    assert whole == (await served(office, "GET /v1/fine_tuning/jobs/ftjob-1")).body


async def test_a_failed_job_is_an_answer_although_it_has_an_error():
    job = b'{"id":"ftjob-1","status":"failed","error":{"code":"x","message":"m","param":null}}'
    office = Office.of(answer(job))

    one = await served(office, "GET /v1/fine_tuning/jobs/ftjob-1")

    assert (200, "failed") == (one.client.status, json.loads(one.body)["status"])


@pytest.mark.parametrize(
    ("line", "shape"),
    [
        ("DELETE /v1/files/x", {"id": "x", "object": "file", "deleted": True}),
        ("DELETE /v1/chat/completions/x", {"object": "chat.completion.deleted"}),
        ("DELETE /v1/datasets/x", {"id": "x", "object": "dataset", "deleted": True}),
    ],
)
@pytest.mark.parametrize("body", [b"", b"{}", b'{"status":"success"}'])
async def test_m11_a_deletion_says_what_was_deleted(line: str, shape: dict[str, Any], body: bytes):
    office = Office.of(answer(body, status=200 if body else 204))

    one = await served(office, line)

    assert one.client.status == 200
    assert shape.items() <= json.loads(one.body).items()


@pytest.mark.parametrize(
    ("answered", "is_gone"),
    [
        pytest.param(answer(b'{"id":"file-1","deleted":true}'), True, id="deleted"),
        pytest.param(answer(b'{"id":"file-1","deleted":false}'), False, id="not deleted"),
        pytest.param(answer(b'{"error":{"message":"no"}}', status=500), False, id="refused"),
    ],
)
async def test_what_was_deleted_is_nobody_s_any_more(answered: FakeResponse, is_gone: bool):
    office = Office.of(answered)
    office.made(OWN_TEAM, "file", "file-1")

    await served(office, "DELETE /v1/files/file-1", OWN_TEAM)

    assert is_gone != await office.register.may_touch(
        OWN_TEAM, ObjectName("4minds", "file", "file-1")
    )


@pytest.mark.parametrize(
    ("line", "answered"),
    [
        pytest.param("GET /v1/fine_tuning/jobs/ftjob-1", b"%b", id="one job"),
        pytest.param(
            "GET /v1/fine_tuning/jobs", b'{"object":"list","data":[%b]}', id="a list of jobs"
        ),
    ],
)
async def test_the_model_that_a_job_made_is_the_job_s_team_s_whoever_looks(
    line: str, answered: bytes
):
    job = b'{"id":"ftjob-1","status":"succeeded","fine_tuned_model":"4minds-9"}'
    office = Office.of(answer(answered % job))
    office.made(OWN_TEAM, "job", "ftjob-1")
    assert office.register.may_use_model(OTHER_TEAM, "4minds", "4minds-9")

    await served(office, line, EVERYTHING)

    assert office.register.may_use_model(TEAM_MATE, "4minds", "4minds-9")
    assert not office.register.may_use_model(OTHER_TEAM, "4minds", "4minds-9")


@pytest.mark.parametrize(
    ("answered", "status", "code"),
    [
        pytest.param(answer(b""), 502, "upstream_malformed", id="E-C10: empty"),
        pytest.param(answer(b"<html>"), 502, "upstream_malformed", id="E-C10: HTML"),
        pytest.param(answer(b'{"error":{"message":"x"}}'), 502, "upstream_error", id="E-C9"),
        pytest.param(answer(b'{"status":"error","message":"x"}'), 502, "upstream_error", id="E-S6"),
        pytest.param(answer(b"{}", status=302), 502, "upstream_malformed", id="E-C14"),
        pytest.param(
            answer(b'{"error":{"message":"No such","type":"t","param":null,"code":null}}', 404),
            404,
            None,
            id="a 404 in its own words",
        ),
        pytest.param(answer(b"{}", status=401), 502, "upstream_auth_error", id="E-C4"),
    ],
)
async def test_an_answer_that_is_none_is_a_typed_error(
    answered: FakeResponse, status: int, code: str | None
):
    one = await served(Office.of(answered), "GET /v1/files/file-1")

    assert (status, code) == (one.client.status, json.loads(one.body)["error"]["code"])
    assert answered.is_over


@pytest.mark.parametrize(
    ("line", "step", "retry"),
    [
        pytest.param("POST /v1/datasets", UpstreamDisconnected("x"), b"false", id="it was cut"),
        pytest.param("POST /v1/datasets", answer(b"{}", 500), b"false", id="it failed"),
        pytest.param("POST /v1/datasets", answer(b"<", 200), b"false", id="no answer"),
        pytest.param("DELETE /v1/files/f", UpstreamDisconnected("x"), b"false", id="a deletion"),
        pytest.param("POST /v1/datasets", answer(b"{}", 429), None, id="it said no: a limit"),
        pytest.param("POST /v1/datasets", answer(b"{}", 404), None, id="it said no"),
        pytest.param("GET /v1/files/f", UpstreamDisconnected("x"), None, id="reading is harmless"),
    ],
)
async def test_g7_what_may_have_worked_is_not_to_be_tried_again(
    line: str, step: FakeResponse | Exception, retry: bytes | None
):
    one = await served(Office.of(step), line, body=b"{}" if "POST" in line else b"")

    assert one.client.header(b"x-should-retry") == retry


class ClosedSender(FakeSender):
    """Finds nobody there."""

    @override
    async def send(self, request: UpstreamRequest) -> FakeResponse:
        raise UpstreamUnreachable("down")


async def test_g7_what_never_left_may_be_tried_again():
    office = Office.of()
    office.senders["4minds"] = ClosedSender()

    one = await served(office, "POST /v1/datasets", body=b"{}")

    assert (502, None) == (one.client.status, one.client.header(b"x-should-retry"))


async def test_only_reading_may_be_repeated_on_another_connection():
    office = Office.of(answer(FILE), answer(b"{}"))

    await served(office, "GET /v1/files/file-1")
    await served(office, "DELETE /v1/files/file-1")

    assert [one.repeatable for one in office.senders["4minds"].requests] == [True, False]


async def test_r4_an_answer_is_bounded():
    office = Office.of(answer(b'{"id":"' + b"x" * 70_000_000 + b'"}'))

    one = await served(office, "GET /v1/files/file-1")

    assert (502, "upstream_malformed") == (
        one.client.status,
        json.loads(one.body)["error"]["code"],
    )


async def test_a11_head_has_the_length_of_the_answer_and_no_body():
    one = await served(Office.of(answer(FILE)), "HEAD /v1/files/file-1")

    assert (200, len(FILE), b"") == (one.client.status, one.client.length, one.body)


@pytest.mark.parametrize("path", ["fine-tune-categories", "external-models", "datasets"])
async def test_f18_f19_f24_pass_untouched(path: str):
    rows = b'{"object":"list","data":[{"id":1234,"created_at":"2025-03-01T12:00:00Z","n":1.0}]}'
    office = Office.of(answer(rows))

    one = await served(office, f"GET /v1/{path}?x=1")

    assert rows == one.body
    assert office.asked() == [f"GET {BASE}/{path}?x=1"]


async def test_a_key_in_the_query_never_goes_on():
    office = Office.of(answer(b'{"data":[]}'))

    await served(office, "GET /v1/external-models?api_key=sk-1&a=b&key=2")

    assert office.asked() == [f"GET {BASE}/external-models?a=b"]


async def test_a_query_of_one_s_own_passes():
    office = Office.of(answer(b"{}"))

    await served(office, "DELETE /v1/datasets/7?permanent=true")

    assert office.asked() == [f"DELETE {BASE}/datasets/7?permanent=true"]


async def test_a_model_that_a_job_has_made_makes_the_lists_of_models_old():
    job = b'{"id":"ftjob-1","fine_tuned_model":"4minds-9"}'
    office, news = Office.of(answer(job), answer(job)), []
    office.made(OWN_TEAM, "job", "ftjob-1")
    desk = desk_of(office, on_model=lambda: news.append("a model"))

    for _ in range(2):
        await office.serve(desk.serve, office.call("GET /v1/fine_tuning/jobs/ftjob-1", OWN_TEAM))

    assert ["a model"] == news
