"""
Whose is it (reliability S16, upstreams G7): two teams share one upstream account, and neither sees what the other made.

The sweep goes over the endpoint table itself, so a route that is added is in it.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
import pytest_asyncio
from pydantic import SecretStr

from app.domain.configuration import Configuration, KeyEntry
from app.main.demo import demo_configuration
from app.protocol import endpoints
from app.simulators.server import Simulators
from tests.fakes.gateways import RunningGateway, running
from tests.fakes.ledgers import storage_in
from tests.fakes.raw_client import ask, request

pytestmark = pytest.mark.asyncio(loop_scope="module")

RED, ALSO_RED, BLUE, ALONE, ALL = (f"sk-two-teams-{number}-0123456789" for number in range(5))
TRAINING = b'{"messages":[]}\n'
HELLO = [{"role": "user", "content": "Hello red"}]
# Where an id of each kind stands, by what the template begins with.
KINDS = {
    "files": "file",
    "fine_tuning/jobs": "job",
    "datasets": "dataset",
    "chat/completions": "completion",
    "models": "model",
}
SERVED = {"chat.stored", "files", "files.content", "fine_tuning", "fine_tuning.more", "datasets"}


@dataclass
class Made:
    """What team red made at 4minds."""

    ids: dict[str, str]


def configured(simulators: Simulators, folder: Path) -> Configuration:
    found = demo_configuration(simulators, Configuration().server)
    return replace(
        found,
        storage=storage_in(folder),
        server=replace(found.server, drain_seconds=0.0),
        keys=(
            KeyEntry("red", SecretStr(RED), resources="own", team="red"),
            KeyEntry("red too", SecretStr(ALSO_RED), resources="own", team="red"),
            KeyEntry("blue", SecretStr(BLUE), resources="own", team="blue"),
            KeyEntry("alone", SecretStr(ALONE), resources="own"),
            KeyEntry("all", SecretStr(ALL)),
        ),
    )


def at(gateway: RunningGateway, key: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        base_url=f"{gateway.root}/4minds/v1/",
        headers={"authorization": f"Bearer {key}"},
        timeout=20,
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def simulators() -> AsyncIterator[Simulators]:
    async with await Simulators.start() as found:
        yield found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("two-teams")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(simulators: Simulators, folder: Path) -> AsyncIterator[RunningGateway]:
    async with running(configured(simulators, folder), simulators) as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def made(gateway: RunningGateway) -> Made:
    async with at(gateway, RED) as red:
        upload: Any = {"file": ("red.jsonl", TRAINING), "purpose": (None, "fine-tune")}
        file = (await red.post("files", files=upload)).json()
        dataset = (await red.post("datasets", json={"name": "Red"})).json()
        body = {"model": "Gemma-12B AWQ", "training_file": file["id"]}
        job = (await red.post("fine_tuning/jobs", json=body)).json()
        found = job
        for _ in range(10):
            found = (await red.get(f"fine_tuning/jobs/{job['id']}")).json()
            if found["status"] == "succeeded":
                break
        chat: dict[str, Any] = {"model": "4minds-model-123", "messages": HELLO, "store": True}
        completion = (await red.post("chat/completions", json=chat)).json()
    ids = {
        "file": file["id"],
        "dataset": str(dataset["id"]),
        "job": job["id"],
        "model": found["fine_tuned_model"],
        "completion": completion["id"],
    }
    return Made(ids)


def kind_of(template: str) -> str | None:
    fitting = [kind for start, kind in KINDS.items() if template.startswith(start + "/{")]
    return fitting[0] if fitting else None


def sweep() -> Iterator[Any]:
    """Every method and path of the table that names an object."""
    for capability, methods, template in endpoints._ROWS:
        kind = kind_of(template)
        if kind is None or capability not in {*SERVED, "models.get", "models.delete"}:
            continue
        for method in methods.split():
            yield pytest.param(method, template, kind, id=f"{method} {template}")


SWEEP = list(sweep())


async def test_the_sweep_covers_every_kind():
    assert set(KINDS.values()) == {one.values[2] for one in SWEEP}


@pytest.mark.parametrize("key", [BLUE, ALONE], ids=["another team", "no team"])
@pytest.mark.parametrize(("method", "template", "kind"), SWEEP)
async def test_nobody_else_reaches_it(gateway, simulators, made, method, template, kind, key):
    own = made.ids[kind]
    path = template.replace("{id}", own).replace("{model...}", own)
    before = [one.target for one in simulators.seen]
    async with at(gateway, key) as other:
        answer = await other.request(method, path, json={} if method == "POST" else None)
        nonsense = await other.request(
            method, template.replace("{id}", "no-such").replace("{model...}", "no-such"),
            json={} if method == "POST" else None,
        )  # fmt: skip

    assert 404 == answer.status_code
    assert answer.json()["error"]["message"].replace(own, "X") == nonsense.json()["error"][
        "message"
    ].replace("no-such", "X")
    asked = [one.target for one in simulators.seen][len(before) :]
    assert [] == [target for target in asked if own in target]


@pytest.mark.parametrize(
    "path", ["files", "fine_tuning/jobs", "datasets", "chat/completions", "models"]
)
async def test_no_list_shows_it(gateway, made, path):
    async with at(gateway, BLUE) as blue, at(gateway, ALONE) as alone:
        shown = [(await one.get(path)).text for one in (blue, alone)]

    for text in shown:
        assert [] == [
            one for one in made.ids.values() if f'"{one}"' in text or f'"id":{one},' in text
        ]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("files", "file"),
        ("fine_tuning/jobs", "job"),
        ("datasets", "dataset"),
        ("chat/completions", "completion"),
        ("models", "model"),
    ],
)
async def test_every_list_shows_it_to_its_team(gateway, made, path, kind):
    shown: set[str] = set()
    async with at(gateway, ALSO_RED) as red:
        for _ in range(200):  # the list of models is read anew beside, every five seconds at most
            shown = {str(row["id"]) for row in (await red.get(path)).json()["data"]}
            if made.ids[kind] in shown:
                break
            await asyncio.sleep(0.05)

    assert made.ids[kind] in shown


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("fine_tuning/jobs", {"model": "Gemma-12B AWQ", "training_file": "FILE"}, id="its file"),
        pytest.param(
            "fine_tuning/jobs",
            {"model": "Gemma-12B AWQ", "training_file": "OWN", "validation_file": "FILE"},
            id="its file, to validate",
        ),
        pytest.param("fine_tuning/jobs", {"model": "MODEL", "training_file": "OWN"}, id="its model, to train"),
        pytest.param("chat/completions", {"model": "MODEL", "messages": HELLO}, id="its model, to chat"),
    ],
)  # fmt: skip
async def test_no_body_reaches_it(gateway, made, path, body):
    async with at(gateway, BLUE) as blue:
        own = (
            await blue.post(
                "files", files={"file": ("b.jsonl", TRAINING), "purpose": (None, "fine-tune")}
            )
        ).json()
        names = {"FILE": made.ids["file"], "MODEL": made.ids["model"], "OWN": own["id"]}
        filled = {
            key: names.get(value, value) if isinstance(value, str) else value
            for key, value in body.items()
        }
        answer = await blue.post(path, json=filled)

    assert 404 == answer.status_code


async def test_no_upload_goes_into_its_dataset(gateway, made):
    field = '{"dataset_id":' + made.ids["dataset"] + "}"
    form = {"file": ("b.jsonl", TRAINING), "purpose": (None, "fine-tune"), "4minds": (None, field)}
    flat = {"4minds[dataset_id]": (None, made.ids["dataset"]), "file": ("b.jsonl", TRAINING)}
    async with at(gateway, BLUE) as blue, at(gateway, RED) as red:
        answers = [await blue.post("files", files=one) for one in (form, flat)]
        dataset = (await red.get(f"datasets/{made.ids['dataset']}")).json()

    assert [404, 404] == [one.status_code for one in answers]
    assert 0 == dataset["file_count"]


def form_of(*parts: tuple[str, bytes]) -> bytes:
    """A form that begins with *parts*, header and value of each, and ends with a file."""
    file = ('Content-Disposition: form-data; name="file"; filename="b.jsonl"', TRAINING)
    written = [
        f"--B\r\n{head}\r\n\r\n".encode() + value + b"\r\n" for head, value in (*parts, file)
    ]
    return b"".join(written) + b"--B--\r\n"


FIELD = 'Content-Disposition: form-data; name="{}"'
# What a reader that heeds a charset takes for the field `4minds`, in UTF-7.
HIDDEN = FIELD.format("+ADQ-minds")


@pytest.mark.parametrize(
    ("content_type", "head"),
    [
        pytest.param("; charset=utf-7", HIDDEN, id="the charset of the form"),
        pytest.param('; CharSet="UTF-16"', FIELD.format("4minds"), id="a charset in which nothing is read here"),
        pytest.param("", FIELD.format("_charset_"), id="a field that names the charset"),
        pytest.param(
            "", FIELD.format("4minds") + "\r\nContent-Type: text/plain; charset=utf-8; charset=utf-7",
            id="the charset of the field, the second",
        ),
        pytest.param("", FIELD.format("4minds") + "\r\nContent-Transfer-Encoding: base64", id="an encoding"),
    ],
)  # fmt: skip
async def test_no_form_is_read_in_two_ways(gateway, simulators, made, content_type, head):
    before = len(list(simulators.seen))
    value = b'{"dataset_id":%b}' % made.ids["dataset"].encode()
    async with at(gateway, BLUE) as blue:
        answer = await blue.post(
            "files",
            content=form_of((head, value)),
            headers={"content-type": f"multipart/form-data; boundary=B{content_type}"},
        )

    assert 400 == answer.status_code
    assert [] == [one.target for one in list(simulators.seen)[before:] if one.method == "POST"]


SPELLINGS = (
    *(
        "/4minds/v1/{}",
        "/4minds/{}",
        "/4minds//{}",
        "//4minds/v1//{}",
        "/%34minds/{}",
        "/4minds/v1/v1/{}",
    ),
    *(
        "/v1/{}",
        "/{}",
        "/v1/v1/{}",
        "/local/v1/{}",
        "/4minds/v1/{}/",
        "/4minds/v1/x/../{}",
        "/v1/./{}",
    ),
)
IDS = (
    "{}",
    "{}%20",
    "%20{}",
    "0{}",
    "+{}",
    "{}.0",
    "{}%00",
    "{}%0a",
    "{};x",
    "{}#",
    "{}?x=1",
    "{}%2fcontent",
)


@pytest.mark.parametrize("start", [*KINDS, "f%69les", "FILES", "dataset%73"])
async def test_no_spelling_reaches_it(gateway, simulators, made, start):
    kind = KINDS.get(start, "file" if start.lower().startswith("f") else "dataset")
    own = made.ids[kind]
    before = len(list(simulators.seen))
    statuses = set()
    for path in SPELLINGS:
        for name in (*IDS, own.upper(), own.swapcase()):
            for method in ("GET", "HEAD", "POST", "PUT", "DELETE"):
                line = path.format(f"{start}/{name.format(own)}")
                body = b"{}" if method in ("POST", "PUT", "PATCH") else None
                sent = request(method, line, body, key=BLUE)
                statuses.add((await ask(gateway, sent, is_head=method == "HEAD")).status)

    assert statuses <= {400, 404, 405}
    asked = {one.target for one in list(simulators.seen)[before:] if own in one.target}
    # Of names that nobody is known to have, one an upstream alone can say.
    assert asked <= ({one for one in asked if "/models/" in one} if kind == "model" else set())
    assert [] == [one for one in asked if one.endswith(f"4minds/v1/models/{own}")]


@pytest.mark.parametrize("spelling", ["{} ", " {}", "{}\u00a0"])
async def test_no_spelling_of_its_model_reaches_it(gateway, simulators, made, spelling):
    before = len(list(simulators.seen))
    body = {"model": spelling.format(made.ids["model"]), "messages": HELLO}
    async with at(gateway, BLUE) as blue:
        answers = [
            await blue.post("chat/completions", json=body),
            await blue.get(f"models/{quote(body['model'])}"),
        ]

    assert [404, 404] == [one.status_code for one in answers]
    assert [] == [one.target for one in list(simulators.seen)[before:] if "1001" in one.target]
    assert [] == [one for one in list(simulators.seen)[before:] if one.method == "POST"]


@pytest.mark.parametrize(
    ("path", "member"),
    [
        ("fine_tuning/jobs", {"dataset_id": "DATASET"}),
        ("fine_tuning/jobs", {"hyperparameters": {"dataset_id": "DATASET"}}),
        ("fine_tuning/jobs", {"files": ["FILE"]}),
        ("fine_tuning/jobs", {"method": {"grader": {"model": "MODEL"}}}),
        ("datasets", {"file_ids": ["FILE"]}),
        ("datasets/import", {"dataset_id": "DATASET", "integration_id": "i", "source_path": "p"}),
    ],
)
async def test_no_member_reaches_it(gateway, simulators, made, path, member):
    async with at(gateway, BLUE) as blue:
        file: Any = {"file": ("b.jsonl", TRAINING), "purpose": (None, "fine-tune")}
        own = (await blue.post("files", files=file)).json()["id"]
        before = len(list(simulators.seen))
        text = json.dumps({"name": "x", "model": "Gemma-12B AWQ", "training_file": own} | member)
        for kind in ("file", "dataset", "model"):
            text = text.replace(kind.upper(), made.ids[kind])
        answer = await blue.post(path, content=text, headers={"content-type": "application/json"})

    assert 404 == answer.status_code
    assert [] == [one.target for one in list(simulators.seen)[before:] if one.method == "POST"]


@pytest.mark.parametrize("name", ["file_id", "file\\u005fid", "\\u0066ile_id"])
@pytest.mark.parametrize(
    ("key", "status"), [(BLUE, 404), (ALONE, 404), (ALSO_RED, 200), (ALL, 200)]
)
async def test_no_chat_shows_its_file(gateway, simulators, made, name, key, status):
    """An upstream would tell what is in it to whoever names it."""
    file = '{"type":"file","file":{"%s":"%s"}}' % (name, made.ids["file"])  # noqa: UP031 braces
    body = (
        '{"model":"4minds-model-123","messages":[{"role":"user","content":[{"type":"text","text":"Tell"},'
        f"{file}]}}]}}"
    )
    before = len(list(simulators.seen))
    async with at(gateway, key) as somebody:
        answer = await somebody.post(
            "chat/completions", content=body, headers={"content-type": "application/json"}
        )

    assert status == answer.status_code
    posted = [one for one in list(simulators.seen)[before:] if one.method == "POST"]
    assert (status == 200) is bool(posted)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    "model",
    [
        *("4minds-model-123", "4minds-model-123-sim-events-1", "4minds-model-123-sim-noise"),
        *("4minds-model-123-sim-bytes", "4minds-model-123-sim-json", "4minds-model-123-sim-cut-2"),
    ],
)
async def test_a_stored_completion_is_its_teams_from_the_first_byte_on(gateway, model, stream):
    body: dict[str, Any] = {"model": model, "messages": HELLO, "store": True, "stream": stream}
    async with at(gateway, RED) as red, at(gateway, BLUE) as blue:
        said = (await red.post("chat/completions", json=body)).text
        [own] = set(re.findall(r'"id":"(chatcmpl-[^"]+)"', said)) or {""}
        seen = [(await one.get(f"chat/completions/{own}")).status_code for one in (red, blue)]

    assert ([200, 404] == seen) is bool(own)
    assert own or not stream  # what is cut before its end was never told


async def test_a_thread_of_minds_is_its_teams_alone(gateway, simulators):
    def native(key: str) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            base_url=f"{gateway.root}/minds/", headers={"authorization": f"Bearer {key}"}
        )

    async with native(RED) as red, native(ALSO_RED) as also, native(BLUE) as blue:
        own = (await red.post("threads", json={})).json()["id"]
        before = len(list(simulators.seen))
        paths = [f"{start}/{own}{end}" for start in ("threads", "%74hreads", "/threads/")
                 for end in ("", "/", "/messages", "/messages/", "/runs", "/runs/1")]  # fmt: skip
        answers = [
            await blue.request(method, path, json={} if method == "POST" else None)
            for path in paths
            for method in ("GET", "HEAD", "POST", "DELETE")
        ]
        asked = [one.target for one in list(simulators.seen)[before:]]
        shared = (await also.get(f"threads/{own}/messages")).status_code

    assert {404, 405} >= {one.status_code for one in answers}
    assert [] == [one for one in asked if own in one]
    assert 200 == shared


async def test_without_storage_it_is_remembered_too(simulators, tmp_path):
    file: Any = {"file": ("red.jsonl", TRAINING), "purpose": (None, "fine-tune")}
    forgetful = replace(configured(simulators, tmp_path), storage=None)
    async with running(forgetful, simulators) as gateway, at(gateway, RED) as red:
        own = (await red.post("files", files=file)).json()["id"]
        seen = {}
        for key in (RED, ALSO_RED, BLUE, ALONE, ALL):
            async with at(gateway, key) as anybody:
                seen[key] = (await anybody.get(f"files/{own}")).status_code

    assert {RED: 200, ALSO_RED: 200, BLUE: 404, ALONE: 404, ALL: 200} == seen


async def test_a_key_for_all_sees_everything(gateway, made):
    async with at(gateway, ALL) as everybody:
        for path, kind in {
            "files": "file",
            "fine_tuning/jobs": "job",
            "datasets": "dataset",
        }.items():
            assert 200 == (await everybody.get(f"{path}/{made.ids[kind]}")).status_code


async def test_all_of_it_is_still_there(gateway, made):
    async with at(gateway, RED) as red:
        for start, kind in KINDS.items():
            assert 200 == (await red.get(f"{start}/{made.ids[kind]}")).status_code, kind


async def test_pages_stay_full_and_end(gateway, made):
    """A page of *limit* holds as many of one's own as there are, however many of others stand between."""
    form = {"purpose": (None, "fine-tune")}
    async with at(gateway, RED) as red, at(gateway, BLUE) as blue:
        mine = []
        for number in range(7):
            for one, own in ((red, False), (blue, True)):
                file: Any = {"file": (f"{number}.jsonl", TRAINING), **form}
                answer = (await one.post("files", files=file)).json()
                mine += [answer["id"]] if own else []
        seen: list[str] = []
        after = ""
        for _ in range(10):
            page = (
                await blue.get("files", params={"limit": 3, **({"after": after} if after else {})})
            ).json()
            seen += [row["id"] for row in page["data"]]
            if page["data"]:
                assert (page["first_id"], page["last_id"]) == (
                    page["data"][0]["id"],
                    page["data"][-1]["id"],
                )
            if not page["has_more"]:
                break
            assert 3 == len(page["data"])
            after = page["last_id"]

    assert len(seen) == len(set(seen))
    assert set(mine) <= set(seen)


async def test_it_is_remembered_after_a_restart(simulators, tmp_path):
    file: Any = {"file": ("red.jsonl", TRAINING), "purpose": (None, "fine-tune")}
    async with (
        running(configured(simulators, tmp_path), simulators) as first,
        at(first, RED) as red,
    ):
        own = (await red.post("files", files=file)).json()["id"]
    async with running(configured(simulators, tmp_path), simulators) as second:
        seen = {}
        for key in (RED, ALSO_RED, BLUE, ALONE, ALL):
            async with httpx2.AsyncClient(base_url=second.root) as anybody:
                answer = await anybody.get(
                    f"/v1/files/{own}", headers={"authorization": f"Bearer {key}"}
                )
            seen[key] = answer.status_code

    assert {RED: 200, ALSO_RED: 200, BLUE: 404, ALONE: 404, ALL: 200} == seen
