"""What the official Python SDK does beside chat, at 4minds through the gateway (upstreams F1 to F24; contract L, M)."""

import io
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from openai import AsyncOpenAI, BadRequestError, NotFoundError

from tests.fakes.gateways import KEY, RunningGateway, running_demo

pytestmark = pytest.mark.asyncio(loop_scope="module")

TRAINING = b'{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Ho"}]}\n'
HELLO: Any = [{"role": "user", "content": "Hello there"}]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway() -> AsyncIterator[RunningGateway]:
    async with running_demo() as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(gateway: RunningGateway) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(
        base_url=f"{gateway.root}/4minds/v1",
        api_key=KEY,
        max_retries=0,
        timeout=20,
        _strict_response_validation=True,
    ) as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def plain(gateway: RunningGateway) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(
        base_url=f"{gateway.root}/4minds/v1/", headers=gateway.headers, timeout=20
    ) as found:
        yield found


async def uploaded(client: AsyncOpenAI, name: str = "training.jsonl", **options: Any) -> Any:
    return await client.files.create(file=(name, TRAINING), purpose="fine-tune", **options)


# --- files ----------------------------------------------------------------------------------------------------------


async def test_a_file_is_uploaded_found_listed_and_deleted(client):
    made = await uploaded(client, "äö ü.jsonl")
    found = await client.files.retrieve(made.id)
    listed = [one.id async for one in client.files.list(purpose="fine-tune")]
    gone = await client.files.delete(made.id)

    assert ("äö ü.jsonl", len(TRAINING), "fine-tune") == (made.filename, made.bytes, made.purpose)
    assert (made.id, made.filename, made.created_at) == (found.id, found.filename, found.created_at)
    assert made.id in listed
    assert (made.id, True) == (gone.id, gone.deleted)
    with pytest.raises(NotFoundError) as raised:
        await client.files.retrieve(made.id)
    assert "No such File object" in raised.value.message or "file" in raised.value.message.lower()


async def test_a_list_is_one_page_that_ends(client):
    made = [(await uploaded(client, f"{number}.jsonl")).id for number in range(3)]
    page = await client.files.list()

    assert set(made) <= {one.id for one in page.data}
    assert page.has_more is False
    assert page.has_next_page() is False


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(
            {"extra_body": {"4minds": {"dataset_name": "Mine"}}}, id="flattened by the SDK"
        ),
        pytest.param(
            {"extra_body": {"4minds": json.dumps({"dataset_name": "Mine"})}}, id="as JSON text"
        ),
    ],
)
async def test_the_field_4minds_arrives_as_json_text(client, plain, options):
    made = await uploaded(client, **options)
    dataset = (await plain.get(f"datasets/{made.dataset_id}")).json()

    assert "Mine" == dataset["name"]


async def test_a_dataset_id_wins_over_a_name(client, plain):
    dataset = (await plain.post("datasets", json={"name": "Kept"})).json()
    field = {"dataset_id": dataset["id"], "dataset_name": "Other", "training_type": "sft"}
    made = await uploaded(client, extra_body={"4minds": field})

    assert dataset["id"] == made.dataset_id


async def test_a_form_without_a_file_never_reaches_an_upstream(plain, gateway):
    seen = len(list(gateway.simulators.seen))
    answer = await plain.post("files", files={"purpose": (None, "fine-tune")})

    assert 400 == answer.status_code
    assert {"message", "type", "param", "code"} == set(answer.json()["error"])
    files = [one for one in list(gateway.simulators.seen)[seen:] if "/files" in one.target]
    assert [] == [one for one in files if one.method == "POST" and one.answered]


# --- fine-tuning ----------------------------------------------------------------------------------------------------


async def test_a_job_runs_to_its_end_and_its_model_chats(client):
    file = await uploaded(client)
    job = await client.fine_tuning.jobs.create(
        model="Gemma-12B AWQ", training_file=file.id, suffix="mine"
    )
    seen = job
    for _ in range(10):
        seen = await client.fine_tuning.jobs.retrieve(job.id)
        if seen.status == "succeeded":
            break
    listed = [one.id async for one in client.fine_tuning.jobs.list(limit=50)]
    answer = await client.chat.completions.create(model=seen.fine_tuned_model, messages=HELLO)
    gone = await client.models.delete(seen.fine_tuned_model)

    assert job.id == seen.id
    assert "succeeded" == seen.status
    assert job.id in listed
    assert "echo: Hello there" == answer.choices[0].message.content
    assert gone.deleted


async def test_a_job_is_cancelled(client, plain):
    file = await uploaded(client)
    external = (await plain.get("external-models")).json()["data"][0]["id"]
    extra: Any = {"external_model_id": external}
    job = await client.fine_tuning.jobs.create(
        model="4minds/Gemma-12B AWQ", training_file=file.id, extra_body=extra
    )

    assert "cancelled" == (await client.fine_tuning.jobs.cancel(job.id)).status


async def test_what_4minds_does_not_have_is_said_at_once(client):
    with pytest.raises(NotFoundError) as raised:
        await client.fine_tuning.jobs.list_events("ftjob-1")

    assert "unsupported_endpoint" == raised.value.code


# --- stored completions ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_completion_is_stored_found_changed_and_deleted(client, plain, stream):
    asked: Any = {
        "model": "4minds-model-123",
        "messages": HELLO,
        "store": True,
        "metadata": {"run": "7"},
    }
    if stream:
        chunks = [
            chunk async for chunk in await client.chat.completions.create(**asked, stream=True)
        ]
        made = chunks[0].id
    else:
        made = (await client.chat.completions.create(**asked)).id

    found = await client.chat.completions.retrieve(made)
    listed = [one.id async for one in client.chat.completions.list(model="4minds-model-123")]
    changed = await client.chat.completions.update(made, metadata={"run": "8"})
    messages = (await plain.get(f"chat/completions/{made}/messages")).json()
    gone = await client.chat.completions.delete(made)

    assert made == found.id
    assert made in listed
    assert {"run": "8"} == changed.metadata
    # By hand: the strict SDK takes no message but an assistant's here.
    said = [one["content"] for one in messages["data"] if one["role"] == "user"]
    assert (["Hello there"], False) == (said, messages["has_more"])
    assert gone.deleted
    with pytest.raises(NotFoundError):
        await client.chat.completions.retrieve(made)


# --- what the SDK does not know -------------------------------------------------------------------------------------


async def test_datasets_are_made_listed_looked_at_and_deleted(plain, client):
    made = (await plain.post("datasets", json={"name": "Research"})).json()
    imported = (
        await plain.post("datasets/import", json={"integration_id": "int-1", "source_path": "/a"})
    ).json()
    await uploaded(client, extra_body={"4minds": {"dataset_id": made["id"]}})
    listed = (await plain.get("datasets")).json()
    found = (await plain.get(f"datasets/{made['id']}")).json()
    gone = await plain.delete(f"datasets/{imported['id']}?permanent=true")

    assert "list" == listed["object"]
    assert {made["id"], imported["id"]} <= {row["id"] for row in listed["data"]}
    assert (made["id"], 1) == (found["id"], found["file_count"])
    assert 200 == gone.status_code
    assert 404 == (await plain.get(f"datasets/{imported['id']}")).status_code


@pytest.mark.parametrize("path", ["fine-tune-categories", "external-models"])
async def test_what_4minds_lists_beside_passes(plain, path):
    answer = await plain.get(path)

    assert (200, "list") == (answer.status_code, answer.json()["object"])
    assert answer.json()["data"]


# --- routing --------------------------------------------------------------------------------------------------------


async def test_a_resource_is_found_again_without_a_pin(gateway, client):
    made = await uploaded(client)
    async with AsyncOpenAI(base_url=gateway.base_url, api_key=KEY, max_retries=0) as anywhere:
        found = await anywhere.files.retrieve(made.id)

    assert made.id == found.id


@pytest.mark.parametrize(
    "path",
    [
        "files/..%2f..%2fadmin",
        "files/%2e%2e",
        "files/a%00b",
        "files/a;b",
        "files/a%2fb",
        "datasets/..%5c",
    ],
)
async def test_tricks_in_a_path_reach_no_upstream(plain, gateway, path):
    seen = len(list(gateway.simulators.seen))
    answer = await plain.get(path)

    came = [one.target for one in list(gateway.simulators.seen)[seen:]]
    assert answer.status_code in (400, 404)
    assert [] == [target for target in came if "/models" not in target]  # asked at start, meanwhile


async def test_broken_json_reaches_no_upstream(plain, gateway):
    seen = len(list(gateway.simulators.seen))
    answer = await plain.post(
        "fine_tuning/jobs", content=b"{", headers={"content-type": "application/json"}
    )

    came = [one.target for one in list(gateway.simulators.seen)[seen:]]
    assert (400, "invalid_json") == (answer.status_code, answer.json()["error"]["code"])
    assert [] == [target for target in came if "/models" not in target]  # asked at start, meanwhile


async def test_a_capability_that_nobody_has_names_who_would(gateway):
    async with httpx2.AsyncClient(base_url=gateway.root, headers=gateway.headers) as plain:
        answer = await plain.get("/minds/v1/files")

    assert (404, "unsupported_endpoint") == (answer.status_code, answer.json()["error"]["code"])
    assert "4minds" in answer.json()["error"]["message"]
    assert "false" == answer.headers["x-should-retry"]


async def test_capabilities_are_told(gateway):
    async with httpx2.AsyncClient(base_url=gateway.root, headers=gateway.headers) as plain:
        answer = (await plain.get("/v1/capabilities")).json()

    rows = {row["id"]: row["capabilities"] for row in answer["data"]}
    assert "list" == answer["object"]
    assert "native" == rows["4minds"]["files"]["support"]
    assert "files" not in rows["minds"] or "-" == rows["minds"]["files"]["support"]


async def test_the_sync_sdk_uploads_a_file_object(gateway):
    async with AsyncOpenAI(base_url=gateway.base_url, api_key=KEY, max_retries=0) as client:
        made = await client.files.create(file=io.BytesIO(TRAINING), purpose="fine-tune")

    assert len(TRAINING) == made.bytes


async def test_a_wrong_dataset_is_the_client_s_fault(client):
    with pytest.raises((BadRequestError, NotFoundError)):
        await uploaded(client, extra_body={"4minds": {"dataset_id": "not a number"}})
