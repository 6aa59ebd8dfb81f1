"""4minds keeps state for F1 to F24 (X6), and reads its own form field strictly (X7)."""

import json
from typing import Any

import pytest

from app.simulators import fourminds_resources
from tests.simulators.forms import form_request, part, upload_parts
from tests.simulators.raw_client import CHAT, chat_body

BASE = "/4minds/v1"
CONTENT = [("x-sim", "content")]


@pytest.fixture
def upload(send):
    """Uploads a file with these options in the field `4minds`; None sends no such field."""

    async def uploaded(options: Any = None, content: str = '{"a": 1}\n', **more: Any) -> Any:
        fields = [] if options is None else [part("4minds", json.dumps(options))]
        return await send(form_request(f"{BASE}/files", *upload_parts(content, *fields), **more))

    return uploaded


async def store(ask, text: str = "one two", **more: Any) -> Any:
    body = chat_body("4minds-model-123", text, store=True, **more)
    return await ask("POST", CHAT["4minds"], body)


async def test_f4_only_what_asked_to_be_stored_is(ask):
    await ask("POST", CHAT["4minds"], chat_body("4minds-model-123"))
    stored = (await store(ask)).json()

    listed = (await ask("GET", CHAT["4minds"])).json()
    assert listed == {"object": "list", "data": [{**stored, "metadata": {}}]}


async def test_f4_a_streamed_completion_is_stored_whole(ask):
    reply = await store(ask, stream=True)
    completion_id = reply.payloads()[0]["id"]

    kept = (await ask("GET", f"{CHAT['4minds']}/{completion_id}")).json()
    assert kept["choices"][0]["message"]["content"] == reply.text() == "echo: one two"
    assert kept["object"] == "chat.completion"


@pytest.mark.parametrize(
    ("query", "texts"),
    [
        ("", ["echo: a", "echo: b"]),
        ("?model=4minds-model-123", ["echo: a", "echo: b"]),
        ("?model=4minds-model-456", []),
        ("?metadata[team]=red", ["echo: b"]),
        ("?metadata%5Bteam%5D=blue", []),
        ("?limit=1", ["echo: a", "echo: b"]),
    ],
)
async def test_f5_stored_completions_are_filtered_and_never_paged(ask, query, texts):
    await store(ask, "a")
    await store(ask, "b", metadata={"team": "red"})
    listed = (await ask("GET", CHAT["4minds"] + query)).json()

    assert [row["choices"][0]["message"]["content"] for row in listed["data"]] == texts
    assert list(listed) == ["object", "data"]


async def test_f6_f7_a_stored_completion_is_read_and_deleted_once(ask):
    path = f"{CHAT['4minds']}/{(await store(ask)).json()['id']}"

    assert (await ask("GET", path)).status == 200
    deleted = (await ask("DELETE", path)).json()
    assert (deleted["object"], deleted["deleted"]) == ("chat.completion.deleted", True)
    assert [(await ask(method, path)).status for method in ("GET", "DELETE")] == [404, 404]
    assert (await ask("GET", path + "/messages")).status == 404


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"title": "Updated Title"}, 200),
        ({"metadata": {"a": "b"}}, 200),
        ({"metadata": {"a": 1}}, 400),
        ({"model": "x"}, 400),
        ({}, 400),
    ],
)
async def test_f8_title_and_metadata_can_be_changed(ask, change, status):
    path = f"{CHAT['4minds']}/{(await store(ask)).json()['id']}"
    reply = await ask("POST", path, change)

    assert reply.status == status
    kept = (await ask("GET", path)).json()
    assert (kept.items() >= change.items()) is (status == 200 or change == {})


async def test_f9_the_messages_that_were_asked_are_listed(ask):
    completion_id = (await store(ask, "what?")).json()["id"]
    listed = (await ask("GET", f"{CHAT['4minds']}/{completion_id}/messages")).json()

    assert list(listed) == ["object", "data"]
    assert [(row["id"], row["role"], row["content"]) for row in listed["data"]] == [
        (f"{completion_id}-0", "user", "what?")
    ]


@pytest.mark.parametrize("chunked", [False, True])
async def test_f10_an_upload_is_a_file_of_a_new_dataset(upload, chunked):
    row = (await upload(content="hello", chunked=chunked)).json()

    assert row == {
        "id": "file-sim000000001",
        "object": "file",
        "bytes": 5,
        "created_at": 1740830400,
        "filename": "data.jsonl",
        "purpose": "fine-tune",
        "status": "processed",
        "dataset_id": 1234,
        "4minds": {"training_type": "graph"},
    }


@pytest.mark.parametrize(
    ("options", "understood"),
    [
        pytest.param(
            {"dataset_name": "My Data"},
            {"training_type": "graph", "dataset_name": "My Data"},
            id="a name",
        ),
        pytest.param(
            {"training_type": "sft", "model_params": {"learning_rate": 0.001}},
            {"training_type": "sft", "model_params": {"learning_rate": 0.001}},
            id="type and params",
        ),
    ],
)
async def test_x7_what_was_understood_is_echoed(upload, options, understood):
    assert (await upload(options)).json()["4minds"] == understood


async def test_x7_the_id_of_a_dataset_wins_over_its_name(ask, upload):
    first = (await upload({"dataset_name": "A"})).json()["dataset_id"]
    second = (await upload({"dataset_id": first, "dataset_name": "B"})).json()

    assert second["dataset_id"] == first
    assert second["4minds"] == {"training_type": "graph", "dataset_id": first}
    listed = (await ask("GET", f"{BASE}/datasets")).json()["data"]
    assert [(row["name"], row["file_count"]) for row in listed] == [("A", 2)]


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        pytest.param([part("4minds", "{")], "invalid_4minds_field", id="no JSON"),
        pytest.param([part("4minds", "[]")], "invalid_4minds_field", id="no object"),
        pytest.param([part("4minds", '{"name": "x"}')], "invalid_4minds_field", id="unknown key"),
        pytest.param(
            [part("4minds", '{"dataset_id": "1"}')], "invalid_4minds_field", id="an id as text"
        ),
        pytest.param(
            [part("4minds", '{"dataset_id": true}')], "invalid_4minds_field", id="an id as flag"
        ),
        pytest.param(
            [part("4minds", '{"training_type": "x"}')], "invalid_4minds_field", id="bad type"
        ),
        pytest.param([part("4minds", "{}")] * 2, "invalid_4minds_field", id="twice"),
        pytest.param([part("4minds", "{}", "a.json")], "invalid_4minds_field", id="as a file"),
        pytest.param([part("4minds[dataset_name]", "My")], "unknown_field", id="a bracket"),
        pytest.param([part("4minds[model_params][x]", "1")], "unknown_field", id="two brackets"),
    ],
)
async def test_x7_a_field_that_is_not_as_documented_is_400(ask, send, parts, code):
    reply = await send(form_request(f"{BASE}/files", *upload_parts("x", *parts)))

    assert (reply.status, reply.json()["error"]["code"]) == (400, code)
    assert (await ask("GET", f"{BASE}/files")).json()["data"] == []


async def test_x7_a_dataset_that_is_not_there_is_404(ask, upload):
    assert (await upload({"dataset_id": 999})).status == 404
    assert (await ask("GET", f"{BASE}/files")).json()["data"] == []


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([part("purpose", "fine-tune")], id="no file"),
        pytest.param([part("file", "x", "a.txt")], id="no purpose"),
        pytest.param([part("file", "x"), part("purpose", "x")], id="a file without a name"),
    ],
)
async def test_f10_file_and_purpose_are_needed(send, parts):
    assert (await send(form_request(f"{BASE}/files", *parts))).status == 400


async def test_f10_json_is_no_upload(ask):
    reply = await ask("POST", f"{BASE}/files", {"purpose": "fine-tune"})

    assert (reply.status, reply.json()["error"]["code"]) == (400, "invalid_multipart")


async def test_f10_above_the_bound_is_413(monkeypatch, upload):
    monkeypatch.setattr(fourminds_resources, "MAX_UPLOAD_BYTES", 10)

    assert fourminds_resources.MAX_UPLOAD_BYTES == 10
    assert (await upload(content="x" * 10)).status == 200
    assert (await upload(content="x" * 11)).status == 413


def test_x7_the_bound_is_100_megabytes():
    assert fourminds_resources.MAX_UPLOAD_BYTES == 100 * 1024 * 1024


async def test_f11_files_are_listed_by_purpose_without_has_more(ask, send):
    for purpose in ("fine-tune", "assistants"):
        await send(form_request(f"{BASE}/files", *upload_parts(purpose=purpose)))
    listed = (await ask("GET", f"{BASE}/files?purpose=assistants")).json()

    assert list(listed) == ["object", "data"]
    assert [row["purpose"] for row in listed["data"]] == ["assistants"]
    assert len((await ask("GET", f"{BASE}/files")).json()["data"]) == 2


async def test_f12_f13_a_file_is_read_and_deleted_once(ask, upload):
    row = (await upload()).json()
    path = f"{BASE}/files/{row['id']}"

    assert (await ask("GET", path)).json()["filename"] == "data.jsonl"
    assert (await ask("DELETE", path)).json() == {
        "id": row["id"],
        "object": "file",
        "deleted": True,
    }
    assert [(await ask(method, path)).status for method in ("GET", "DELETE")] == [404, 404]
    assert (await ask("GET", f"{BASE}/datasets/1234")).json()["file_count"] == 0


async def test_k2_a_content_is_there_only_when_told(ask, upload):
    path = f"{BASE}/files/{(await upload(content='hello')).json()['id']}/content"
    hidden = await ask("GET", path)

    assert (hidden.status, hidden.json()["error"]["code"]) == (404, "unknown_url")
    assert (await ask("GET", path, headers=CONTENT)).body == b"hello"


@pytest.fixture
def train(ask, upload):
    """Starts a job on a file uploaded with *options*."""

    async def started(options: Any = None, **more: Any) -> Any:
        row = (await upload(options)).json()
        body = {"model": "Gemma-12B AWQ", "training_file": row["id"], **more}
        return await ask("POST", f"{BASE}/fine_tuning/jobs", body)

    return started


async def test_f14_f16_a_job_runs_to_its_end_by_looks(ask, train):
    job = (await train(suffix="mine", external_model_id=42)).json()
    path = f"{BASE}/fine_tuning/jobs/{job['id']}"

    assert (job["object"], job["status"], job["fine_tuned_model"]) == (
        "fine_tuning.job",
        "queued",
        None,
    )
    assert (job["model"], job["external_model_id"]) == ("Gemma-12B AWQ", 42)
    looks = [(await ask("GET", path)).json() for _ in range(3)]
    assert [look["status"] for look in looks] == ["running", "succeeded", "succeeded"]
    assert [look["fine_tuned_model"] for look in looks] == [None, *["4minds-model-1001"] * 2]


async def test_f2_f3_what_a_job_made_is_a_model_that_chats_and_can_be_deleted(ask, train):
    job = (await train()).json()
    for _ in range(2):
        await ask("GET", f"{BASE}/fine_tuning/jobs/{job['id']}")
    body = chat_body("4minds-model-1001")

    assert "4minds-model-1001" in (await ask("GET", f"{BASE}/models")).body.decode()
    assert (await ask("POST", CHAT["4minds"], body)).status == 200
    assert (await ask("DELETE", f"{BASE}/models/4minds-model-1001")).status == 200
    assert (await ask("POST", CHAT["4minds"], body)).status == 404


async def test_f14_a_job_trains_on_all_files_of_the_dataset(upload, train):
    first = (await upload({"dataset_name": "A"})).json()
    job = (await train({"dataset_id": first["dataset_id"]})).json()

    assert job["dataset_id"] == first["dataset_id"]
    assert job["trained_files"] == [first["id"], job["training_file"]]


async def test_f10_an_upload_to_a_dataset_that_has_a_model_trains_by_itself(ask, upload, train):
    job = (await train()).json()
    for _ in range(2):
        await ask("GET", f"{BASE}/fine_tuning/jobs/{job['id']}")
    await upload({"dataset_id": job["dataset_id"]})

    jobs = (await ask("GET", f"{BASE}/fine_tuning/jobs")).json()["data"]
    assert [one["status"] for one in jobs] == ["succeeded", "queued"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        pytest.param({"model": "nosuch"}, 404, id="an unknown model"),
        pytest.param({"model": "4minds-model-123"}, 400, id="no base model"),
        pytest.param({"training_file": "file-nosuch"}, 404, id="an unknown file"),
        pytest.param({"training_file": None}, 400, id="no file"),
        pytest.param({"suffix": 7}, 400, id="a suffix that is a number"),
        pytest.param({"external_model_id": "42"}, 400, id="an external model as text"),
        pytest.param({"external_model_id": 7}, 400, id="an unknown external model"),
    ],
)
async def test_f14_a_job_that_cannot_be_is_refused(ask, train, change, status):
    assert (await train(**change)).status == status
    assert (await ask("GET", f"{BASE}/fine_tuning/jobs")).json() == {"object": "list", "data": []}


async def test_f15_a_list_is_no_look(ask, train):
    await train()
    lists = [(await ask("GET", f"{BASE}/fine_tuning/jobs")).json() for _ in range(3)]

    assert [one["data"][0]["status"] for one in lists] == ["queued"] * 3
    assert list(lists[0]) == ["object", "data"]


async def test_f17_a_job_is_cancelled_once_and_for_good(ask, train):
    path = f"{BASE}/fine_tuning/jobs/{(await train()).json()['id']}"

    assert (await ask("POST", f"{path}/cancel")).json()["status"] == "cancelled"
    assert (await ask("POST", f"{path}/cancel")).status == 400
    assert (await ask("GET", path)).json()["status"] == "cancelled"


@pytest.mark.parametrize("what", ["events", "checkpoints"])
async def test_k2_jobs_have_no_events_and_no_checkpoints(ask, train, what):
    job = (await train()).json()

    assert (await ask("GET", f"{BASE}/fine_tuning/jobs/{job['id']}/{what}")).status == 404


@pytest.mark.parametrize("path", ["fine-tune-categories", "external-models"])
async def test_f18_f24_the_fixed_lists_have_the_seeds_form(ask, path):
    listed = (await ask("GET", f"{BASE}/{path}")).json()

    assert list(listed) == ["object", "data"]
    assert {type(row["id"]) for row in listed["data"]} == {int}


async def test_f19_f20_a_dataset_has_the_seeds_form(ask):
    made = await ask("POST", f"{BASE}/datasets", {"name": "My New Dataset"})

    row = {
        "id": 1234,
        "name": "My New Dataset",
        "file_count": 0,
        "total_bytes": 0,
        "status": "ready",
        "created_at": "2025-03-01T12:00:00Z",
    }
    assert made.json() == row
    assert (await ask("GET", f"{BASE}/datasets")).json() == {"object": "list", "data": [row]}


async def test_f19_a_dataset_counts_its_files(ask, upload):
    dataset = (await ask("POST", f"{BASE}/datasets", {"name": "A"})).json()
    for content in ("12345", "123"):
        await upload({"dataset_id": dataset["id"]}, content=content)

    (row,) = (await ask("GET", f"{BASE}/datasets")).json()["data"]
    assert (row["file_count"], row["total_bytes"]) == (2, 8)


async def test_f21_an_import_is_ready_once_somebody_looked(ask):
    body = {"integration_id": "s3", "source_path": "s3://bucket/data/"}
    made = (await ask("POST", f"{BASE}/datasets/import", body)).json()
    seen = (await ask("GET", f"{BASE}/datasets/{made['id']}")).json()

    assert (made["name"], made["status"], made["file_count"]) == ("data", "importing", 2)
    assert (seen["status"], len(seen["files"])) == ("ready", 2)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("datasets", {}),
        ("datasets", {"name": ""}),
        ("datasets", {"name": 7}),
        ("datasets/import", {"integration_id": "s3"}),
        ("datasets/import", {"source_path": "s3://x"}),
    ],
)
async def test_f20_f21_what_lacks_its_members_is_400(ask, path, body):
    assert (await ask("POST", f"{BASE}/{path}", body)).status == 400


async def test_f22_a_dataset_shows_its_files(ask, upload):
    row = (await upload()).json()
    seen = (await ask("GET", f"{BASE}/datasets/{row['dataset_id']}")).json()

    assert [file["id"] for file in seen["files"]] == [row["id"]]


@pytest.mark.parametrize(("query", "left"), [("", 1), ("?permanent=true", 0)])
async def test_f23_a_delete_takes_the_files_only_when_permanent(ask, upload, query, left):
    await upload()
    deleted = await ask("DELETE", f"{BASE}/datasets/1234{query}")

    assert deleted.json() == {"id": 1234, "object": "dataset", "deleted": True}
    files = (await ask("GET", f"{BASE}/files")).json()["data"]
    assert [row["dataset_id"] for row in files] == [None] * left
    assert (await ask("GET", f"{BASE}/datasets/1234")).status == 404


@pytest.mark.parametrize("dataset_id", ["99", "import", "x", "%2e%2e"])
async def test_f22_a_dataset_that_is_not_there_is_404(ask, dataset_id):
    assert (await ask("GET", f"{BASE}/datasets/{dataset_id}")).status == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "files/nosuch"),
        ("DELETE", "files/nosuch"),
        ("GET", "chat/completions/nosuch"),
        ("POST", "fine_tuning/jobs/nosuch/cancel"),
        ("GET", "fine_tuning/jobs/nosuch"),
        ("DELETE", "datasets/7"),
    ],
)
async def test_errors_of_resources_have_no_param(ask, method, path):
    reply = await ask(method, f"{BASE}/{path}")

    assert reply.status == 404
    assert list(reply.json()["error"]) == ["message", "type", "code"]


@pytest.mark.parametrize("path", ["files", "datasets", "fine_tuning/jobs", "chat/completions"])
async def test_control_words_work_on_resources(ask, path):
    reply = await ask("GET", f"{BASE}/{path}", headers=[("x-sim", "native, status=503")])

    assert (reply.status, reply.json()["status"]) == (503, "error")


async def test_an_upload_that_is_told_to_fail_leaves_nothing(ask, upload):
    failed = await upload(headers=[("x-sim", "status=500")])

    assert failed.status == 500
    assert (await ask("GET", f"{BASE}/files")).json()["data"] == []
