"""Minds keeps state for N5 to N8 (X12): Minds, data sources with their secrets, threads."""

import pytest

from app.simulators import minds_sources, minds_threads
from app.simulators.minds_sources import SECRET
from tests.simulators.raw_client import CHAT, chat_body

PROJECT = "/minds/api/projects/mindsdb/minds"
PAGED = "/minds/api/v1/minds/"


async def test_n6_a_mind_that_was_made_is_listed_and_answers(ask):
    made = await ask("POST", PROJECT, {"name": "new_mind", "datasources": ["demo_db"]})

    assert made.json()["datasources"] == ["demo_db"]
    names = [row["name"] for row in (await ask("GET", PROJECT)).json()]
    assert names == ["sales_mind", "support_mind", "new_mind"]
    assert (await ask("GET", f"{PROJECT}/new_mind")).status == 200
    assert (await ask("GET", f"{PAGED}new_mind")).status == 200
    assert (await ask("POST", CHAT["minds"], chat_body("new_mind"))).status == 200


async def test_n6_the_later_generation_lowers_names(ask):
    made = await ask("POST", PAGED, {"name": "New_Mind"})

    assert (made.status, made.json()["name"]) == (201, "new_mind")
    assert (await ask("POST", CHAT["minds-api"], chat_body("NEW_mind"))).status == 200
    assert (await ask("GET", PAGED)).json()["total"] == 251


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize("base", [f"{PROJECT}/", PAGED])
async def test_n6_a_mind_is_changed_and_renamed(ask, base, method):
    change = {"name": "other_mind", "parameters": {"prompt_template": "Be short."}}

    assert (await ask(method, f"{base}sales_mind", change)).status == 200
    assert (await ask("GET", f"{base}sales_mind")).status == 404
    row = (await ask("GET", f"{PROJECT}/other_mind")).json()
    assert row["parameters"] == change["parameters"]
    assert (await ask("POST", CHAT["minds"], chat_body("sales_mind"))).status == 500


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        pytest.param("POST", PROJECT, {"name": "sales_mind"}, 409, id="a name that is taken"),
        pytest.param("POST", PAGED, {"name": "SALES_mind"}, 409, id="taken but for its case"),
        pytest.param("POST", PROJECT, {}, 422, id="no name"),
        pytest.param(
            "PUT", f"{PROJECT}/sales_mind", {"name": "support_mind"}, 409, id="renamed to another"
        ),
        pytest.param("PUT", f"{PROJECT}/nobody", {}, 404, id="an unknown Mind"),
        pytest.param("POST", PROJECT, {"name": "x", "datasources": ["no"]}, 404, id="no source"),
        pytest.param("POST", PROJECT.replace("mindsdb", "x"), {"name": "y"}, 404, id="no project"),
        pytest.param("DELETE", f"{PROJECT}/nobody", None, 404, id="delete of nobody"),
        pytest.param("DELETE", f"{PAGED}nobody", None, 404, id="later delete of nobody"),
    ],
)
async def test_n6_a_change_that_cannot_be_is_refused(ask, method, path, body, status):
    reply = await ask(method, path, body)

    assert reply.status == status
    assert "detail" in reply.json()
    assert (await ask("GET", f"{PROJECT}/support_mind")).status == 200


@pytest.mark.parametrize("base", [f"{PROJECT}/", PAGED])
async def test_n6_data_sources_are_attached_and_detached(ask, base):
    one = f"{base}sales_mind"
    body = {"name": "demo_db", "check_connection": True}
    attached = [(await ask("POST", f"{one}/datasources", body)).json() for _ in range(2)]

    assert [row["datasources"] for row in attached] == [["demo_db"]] * 2
    statuses = [(await ask("DELETE", f"{one}/datasources/demo_db")).status for _ in range(2)]
    assert statuses == [200, 404]
    assert (await ask("POST", f"{one}/datasources", {"name": "nosuch"})).status == 404


@pytest.mark.parametrize(("base", "status"), [(f"{PROJECT}/", 200), (PAGED, 204)])
async def test_n7_a_mind_that_is_deleted_is_gone_everywhere(ask, base, status):
    reply = await ask("DELETE", f"{base}sales_mind")

    assert reply.status == status
    assert (await ask("GET", f"{PROJECT}/sales_mind")).status == 404
    assert (await ask("POST", CHAT["minds"], chat_body("sales_mind"))).status == 500


@pytest.mark.parametrize("path", ["/minds/api/datasources", "/minds/api/v1/datasources/"])
async def test_n7_a_data_source_is_read_back_with_its_password(ask, path):
    one = f"{path.rstrip('/')}/demo_db"

    assert SECRET in (await ask("GET", path)).body.decode()
    assert (await ask("GET", one)).json()["connection_data"]["password"] == SECRET


@pytest.mark.parametrize(
    ("path", "slash"), [("datasources", ""), ("v1/datasources", "/"), ("knowledge_bases", "")]
)
async def test_n7_collections_keep_what_is_made(ask, path, slash):
    collection = f"/minds/api/{path}{slash}"
    one = f"/minds/api/{path}/mine"

    assert (await ask("POST", collection, {"name": "mine", "engine": "mysql"})).status == 201
    assert (await ask("POST", collection, {"name": "mine"})).status == 409
    assert (await ask("POST", collection, {})).status == 422
    changed = (await ask("PATCH", one, {"engine": "postgres", "name": "other"})).json()
    assert changed == {"name": "mine", "engine": "postgres"}
    assert "mine" in [row["name"] for row in (await ask("GET", collection)).json()]
    statuses = [(await ask(m, one)).status for m in ("GET", "DELETE", "GET", "DELETE")]
    assert statuses == [200, 200, 404, 404]


async def test_n7_conversations_are_numbered(ask):
    path = "/minds/api/v1/conversations/"
    made = (await ask("POST", path, {"metadata": {"a": "b"}})).json()

    assert made == {"id": "conv_1", "metadata": {"a": "b"}, "items": []}
    assert (await ask("GET", f"{path}conv_1/items")).json() == {"data": []}
    assert [(await ask("DELETE", f"{path}conv_1")).status for _ in range(2)] == [200, 404]


@pytest.mark.parametrize("path", ["tree", "limits/"])
async def test_n7_the_rest_of_an_account_can_be_read(ask, path):
    assert (await ask("GET", f"/minds/api/v1/{path}")).status == 200


@pytest.mark.parametrize("path", ["minds", "datasources", "conversations"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_x12_a_collection_without_its_slash_is_307(ask, method, path):
    body = {"name": "x"} if method == "POST" else None
    reply = await ask(method, f"/minds/api/v1/{path}?limit=5", body)

    assert reply.status == 307
    assert reply.header("location") == f"http://sim/minds/api/v1/{path}/?limit=5"


@pytest.fixture
def thread(ask):
    async def made(text="what?"):
        thread_id = (await ask("POST", "/minds/threads", {})).json()["id"]
        message = {"role": "user", "content": text}
        assert (await ask("POST", f"/minds/threads/{thread_id}/messages", message)).status == 200
        return f"/minds/threads/{thread_id}"

    return made


async def test_n8_a_run_answers_in_the_thread(ask, thread):
    path = await thread("what?")
    run = (await ask("POST", f"{path}/runs", {"assistant_id": "sales_mind"})).json()

    assert (run["status"], run["assistant_id"]) == ("completed", "sales_mind")
    assert (await ask("GET", f"{path}/runs/{run['id']}")).json() == run
    messages = (await ask("GET", f"{path}/messages")).json()["data"]
    assert [(row["role"], row["content"]) for row in messages] == [
        ("user", "what?"),
        ("assistant", "echo: what?"),
    ]


async def test_n8_a_run_that_streams_has_named_events(ask, thread):
    path = await thread("one two")
    body = {"assistant_id": "sales_mind", "stream": True}
    reply = await ask("POST", f"{path}/runs", body)

    deltas = [one for one in reply.payloads() if one["object"] == "thread.message.delta"]
    assert "".join(one["delta"]["content"] for one in deltas) == "echo: one two"
    assert b"event: thread.run.completed\n" in reply.body
    assert reply.body.endswith(b"event: done\ndata: [DONE]\n\n")


async def test_n8_control_words_work_on_runs(ask, thread):
    path = await thread()
    body = {"assistant_id": "sales_mind", "stream": True}
    reply = await ask("POST", f"{path}/runs", body, headers=[("x-sim", "cut=2")])

    assert reply.end == "closed"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/runs", {"assistant_id": "nobody"}, 404),
        ("POST", "/runs", {}, 422),
        ("POST", "/messages", {"role": "system", "content": "x"}, 422),
        ("POST", "/messages", {"role": "user"}, 422),
        ("GET", "/runs/run_99", None, 404),
    ],
)
async def test_n8_what_a_thread_cannot_do_is_refused(ask, thread, method, path, body, status):
    assert (await ask(method, await thread() + path, body)).status == status


async def test_n8_a_thread_that_is_deleted_is_gone(ask, thread):
    path = await thread()

    assert (await ask("DELETE", path)).json()["deleted"] is True
    for method, rest in (("DELETE", ""), ("GET", "/messages"), ("POST", "/runs")):
        body = {"assistant_id": "sales_mind"} if method == "POST" else None
        assert (await ask(method, path + rest, body)).status == 404


async def test_the_oldest_go_when_there_are_too_many(monkeypatch, ask, thread):
    monkeypatch.setattr(minds_sources, "KEPT_ROWS", 2)
    monkeypatch.setattr(minds_threads, "KEPT_THREADS", 2)
    monkeypatch.setattr(minds_threads, "KEPT_RUNS", 1)
    for name in ("a", "b", "c"):
        await ask("POST", "/minds/api/knowledge_bases", {"name": name})
    paths = [await thread() for _ in range(3)]
    body = {"assistant_id": "sales_mind"}
    runs = [(await ask("POST", f"{paths[2]}/runs", body)).json()["id"] for _ in range(2)]

    assert [(await ask("GET", f"{path}/messages")).status for path in paths] == [404, 200, 200]
    assert [(await ask("GET", f"{paths[2]}/runs/{run}")).status for run in runs] == [404, 200]
    names = [row["name"] for row in (await ask("GET", "/minds/api/knowledge_bases")).json()]
    assert names == ["b", "c"]
