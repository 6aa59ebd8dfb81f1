"""The generic dialect keeps files, jobs and completions, and lists them as OpenAI does."""

import hashlib

import pytest

from app.simulators import shelf
from app.simulators.file_shelf import KEPT_CONTENT_BYTES
from app.simulators.form_reader import KEPT_BYTES
from tests.simulators.forms import form_request, upload_parts
from tests.simulators.raw_client import CHAT, chat_body

BASE = "/openai/v1"


@pytest.fixture
def upload(send):
    async def uploaded(content="hello", **more):
        return (await send(form_request(f"{BASE}/files", *upload_parts(content), **more))).json()

    return uploaded


@pytest.fixture
def train(ask, upload):
    async def started():
        body = {"model": "sim-gpt", "training_file": (await upload())["id"], "suffix": "mine"}
        return (await ask("POST", f"{BASE}/fine_tuning/jobs", body)).json()

    return started


async def test_files_are_paged_to_the_last(ask, upload):
    made = [(await upload(str(number)))["id"] for number in range(5)]
    found, after = [], ""
    while True:
        page = (await ask("GET", f"{BASE}/files?limit=2&order=asc{after}")).json()
        found += [row["id"] for row in page["data"]]
        assert (page["first_id"], page["last_id"]) == (found[-len(page["data"])], found[-1])
        if not page["has_more"]:
            break
        after = f"&after={page['last_id']}"

    assert found == made


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "order=up", "after=nosuch"])
async def test_a_page_that_cannot_be_is_400(ask, query):
    assert (await ask("GET", f"{BASE}/files?{query}")).status == 400


async def test_an_empty_list_has_no_ids(ask):
    page = (await ask("GET", f"{BASE}/files")).json()

    assert page == {
        "object": "list",
        "data": [],
        "first_id": None,
        "last_id": None,
        "has_more": False,
    }


async def test_a_content_is_what_was_uploaded(ask, upload):
    row = await upload("hello")
    reply = await ask("GET", f"{BASE}/files/{row['id']}/content")

    assert (reply.status, reply.body) == (200, b"hello")
    assert (reply.header("content-length"), reply.header("accept-ranges")) == ("5", "bytes")


@pytest.mark.parametrize(
    ("asked", "status", "body", "content_range"),
    [
        ("bytes=1-3", 206, b"ell", "bytes 1-3/5"),
        ("bytes=3-", 206, b"lo", "bytes 3-4/5"),
        ("bytes=-2", 206, b"lo", "bytes 3-4/5"),
        ("bytes=0-99", 206, b"hello", "bytes 0-4/5"),
        ("bytes=5-", 416, None, "bytes */5"),
        ("bytes=", 416, None, "bytes */5"),
    ],
)
async def test_a_range_of_a_content(ask, upload, asked, status, body, content_range):
    row = await upload("hello")
    path = f"{BASE}/files/{row['id']}/content"
    reply = await ask("GET", path, headers=[("Range", asked)])

    assert (reply.status, reply.header("content-range")) == (status, content_range)
    assert body is None or reply.body == body


async def test_a_made_up_content_is_as_long_as_told_and_the_same_in_pieces(ask, upload):
    path = f"{BASE}/files/{(await upload())['id']}/content"
    whole = await ask("GET", path, headers=[("x-sim", "mib=2")])
    half = await ask("GET", path, headers=[("x-sim", "mib=2"), ("Range", "bytes=1000001-")])

    assert len(whole.body) == 2 * 1024 * 1024
    assert whole.body == bytes(range(256)) * 8192
    assert half.body == whole.body[1_000_001:]


@pytest.mark.parametrize(
    ("words", "end"), [("cut=2", "closed"), ("reset=2", "reset"), ("eof=2", "closed")]
)
async def test_a_download_breaks_where_it_is_told(ask, upload, words, end):
    path = f"{BASE}/files/{(await upload())['id']}/content"
    reply = await ask("GET", path, headers=[("x-sim", f"mib=1, {words}")])

    assert reply.end == end
    assert len(reply.body) < 1024 * 1024


async def test_a_content_too_long_to_keep_is_404_but_the_file_is_there(ask, upload):
    row = await upload(bytes(KEPT_BYTES + 1))

    assert row["bytes"] == KEPT_BYTES + 1
    assert (await ask("GET", f"{BASE}/files/{row['id']}/content")).status == 404


async def test_the_oldest_contents_go_when_there_are_too_many(ask, upload):
    count = KEPT_CONTENT_BYTES // KEPT_BYTES + 1
    ids = [(await upload(bytes(KEPT_BYTES)))["id"] for _ in range(count)]
    statuses = [(await ask("GET", f"{BASE}/files/{one}/content")).status for one in ids]

    assert statuses == [404, *[200] * (count - 1)]


async def test_an_upload_is_hashed_as_it_came(simulators, upload):
    await upload("x" * 3_000_000)
    seen = simulators.seen.last
    whole = form_request(f"{BASE}/files", *upload_parts("x" * 3_000_000)).partition(b"\r\n\r\n")[2]

    assert (seen.body, seen.size) == (b"", len(whole))
    assert seen.sha256 == hashlib.sha256(whole).hexdigest()
    assert seen.as_json()["body"] is None


async def test_a_job_ends_with_events_and_a_checkpoint(ask, train):
    path = f"{BASE}/fine_tuning/jobs/{(await train())['id']}"
    assert (await ask("GET", f"{path}/checkpoints")).json()["data"] == []
    job = [(await ask("GET", path)).json() for _ in range(2)][-1]

    assert (job["status"], job["fine_tuned_model"]) == ("succeeded", "ft:sim-gpt:sim:mine:1")
    events = (await ask("GET", f"{path}/events?limit=2")).json()
    assert [row["message"] for row in events["data"]] == [
        "The job is succeeded.",
        "The job is running.",
    ]
    assert events["has_more"] is True
    (checkpoint,) = (await ask("GET", f"{path}/checkpoints")).json()["data"]
    assert checkpoint["fine_tuning_job_id"] == job["id"]
    chat = await ask("POST", CHAT["openai"], chat_body(job["fine_tuned_model"]))
    assert chat.status == 200


async def test_a_job_that_is_paused_stays_so_until_resumed(ask, train):
    path = f"{BASE}/fine_tuning/jobs/{(await train())['id']}"
    statuses = [
        (await ask("POST", f"{path}/pause")).json()["status"],
        (await ask("GET", path)).json()["status"],
        (await ask("POST", f"{path}/resume")).json()["status"],
        (await ask("GET", path)).json()["status"],
        (await ask("POST", f"{path}/cancel")).json()["status"],
    ]

    assert statuses == ["paused", "paused", "queued", "running", "cancelled"]
    assert (await ask("POST", f"{path}/resume")).status == 400


async def test_stored_completions_come_oldest_first_and_paged(ask):
    for text in ("a", "b", "c"):
        await ask("POST", CHAT["openai"], chat_body("sim-gpt", text, store=True))
    page = (await ask("GET", f"{CHAT['openai']}?limit=2")).json()

    contents = [row["choices"][0]["message"]["content"] for row in page["data"]]
    assert (contents, page["has_more"]) == (["echo: a", "echo: b"], True)


async def test_an_update_sets_metadata_alone(ask):
    made = (await ask("POST", CHAT["openai"], chat_body("sim-gpt", store=True))).json()
    path = f"{CHAT['openai']}/{made['id']}"

    assert (await ask("POST", path, {"metadata": {"a": "b"}})).json()["metadata"] == {"a": "b"}
    assert (await ask("POST", path, {"title": "x"})).status == 400


async def test_the_oldest_objects_go_when_there_are_too_many(monkeypatch, ask):
    monkeypatch.setattr(shelf, "KEPT_ROWS", 2)
    for text in ("a", "b", "c"):
        await ask("POST", CHAT["openai"], chat_body("sim-gpt", text, store=True))
    rows = (await ask("GET", CHAT["openai"])).json()["data"]

    assert [row["choices"][0]["message"]["content"] for row in rows] == ["echo: b", "echo: c"]
    first = await ask("GET", f"{CHAT['openai']}/chatcmpl-1/messages")
    assert first.status == 404
