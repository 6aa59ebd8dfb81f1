"""
The capability matrix is true (upstreams 2): each route that a dialect has works end to end against its simulator, and
each that it lacks is a 404 at once that says who would serve it, without a word to an upstream (U1).

The sweep goes over the endpoint table itself, so a route that is added is in it.
"""

import io
import wave
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from app.protocol import endpoints
from app.upstreams.capabilities import MATRIX, SERVED, dialects_with
from tests.fakes.gateways import RunningGateway, running_demo

pytestmark = pytest.mark.asyncio(loop_scope="module")

DIALECTS = {"4minds": "4minds", "minds": "minds", "openmind": "openmind", "openai": "local"}
CHAT = {
    "4minds": "4minds-model-123",
    "minds": "sales_mind",
    "openmind": "gpt-4o",
    "openai": "sim-gpt",
}
BASE = {"4minds": "Gemma-12B AWQ", "openai": "sim-gpt"}  # what jobs train
HELLO = [{"role": "user", "content": "Hello"}]
LISTED_FROM_MEMORY = ("models.list",)
# What the generic simulator knows of the families; of the others, the relay alone is swept.
FAMILY = {"moderations": {"input": "x"}}


def silence() -> bytes:
    """A quarter of a second as WAV."""
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(8_000))
    return written.getvalue()


def rows() -> Iterator[tuple[str, str, str]]:
    """Every capability of the matrix with each method and path below `/v1`."""
    for capability, methods, template in endpoints._ROWS:
        if capability in MATRIX:
            yield from ((capability, method, template) for method in methods.split())
    for family in endpoints.FAMILIES:
        yield "families", "POST", family


def cells(has: bool) -> list[Any]:
    found = []
    for capability, method, template in rows():
        for column, dialect in enumerate(DIALECTS):
            support = MATRIX[capability][column]
            if (support == "-") is has or (
                template not in FAMILY and capability == "families" and has
            ):
                continue
            name = f"{method} {template} at {dialect}"
            found.append(pytest.param(dialect, capability, method, template, id=name))
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway() -> AsyncIterator[RunningGateway]:
    async with running_demo() as found:
        yield found


def at(
    gateway: RunningGateway, base: str, headers: dict[str, str] | None = None
) -> httpx2.AsyncClient:
    fields = gateway.headers | (headers or {})
    return httpx2.AsyncClient(base_url=f"{gateway.root}{base}", headers=fields, timeout=20)


def upload(purpose: str = "fine-tune") -> Any:
    return {"file": ("a.jsonl", b'{"messages":[]}\n'), "purpose": (None, purpose)}


class Maker:
    """Makes what a route needs to be there, each time anew."""

    def __init__(self, client: httpx2.AsyncClient, dialect: str) -> None:
        self.client = client
        self.dialect = dialect

    async def post(self, path: str, **more: Any) -> Any:
        answer = await self.client.post(path, **more)
        assert answer.is_success, answer.text
        return answer.json()

    async def file(self) -> str:
        return str((await self.post("files", files=upload()))["id"])

    async def job(self) -> str:
        body = {"model": BASE[self.dialect], "training_file": await self.file()}
        return str((await self.post("fine_tuning/jobs", json=body))["id"])

    async def paused_job(self) -> str:
        job = await self.job()
        await self.post(f"fine_tuning/jobs/{job}/pause")
        return job

    async def dataset(self) -> str:
        return str((await self.post("datasets", json={"name": "x"}))["id"])

    async def completion(self) -> str:
        body = {"model": CHAT[self.dialect], "messages": HELLO, "store": True}
        return str((await self.post("chat/completions", json=body))["id"])

    async def model(self) -> str:
        job, found = await self.job(), None
        for _ in range(5):
            found = (await self.client.get(f"fine_tuning/jobs/{job}")).json()
            if found["fine_tuned_model"]:
                return str(found["fine_tuned_model"])
        raise AssertionError(found)

    async def asked(self, method: str, template: str) -> dict[str, Any]:
        """The path of a request for a route, and what goes with it."""
        line, chat = f"{method} {template}", CHAT[self.dialect]
        if template == "models/{model...}":
            name = await self.model() if method == "DELETE" else chat
            return {"url": f"models/{name}"}
        if "{id}" in template:
            return {"url": template.replace("{id}", await self._id(template))} | _body(line)
        bodies: dict[str, dict[str, Any]] = {
            "POST chat/completions": {"json": {"model": chat, "messages": HELLO}},
            "POST embeddings": {"json": {"model": chat, "input": "x"}},
            "POST audio/speech": {
                "json": {"model": self._sound("tts-1"), "input": "x", "voice": "alloy"}
            },
            "POST audio/transcriptions": {
                "files": {"file": ("a.wav", silence(), "audio/wav")},
                "data": {"model": self._sound("whisper-1")},
            },
            "POST files": {"files": upload()},
            "POST datasets": {"json": {"name": "x"}},
            "POST datasets/import": {"json": {"integration_id": "i", "source_path": "/x"}},
        }
        if line == "POST fine_tuning/jobs":
            training_file = await self.file()
            return {
                "url": template,
                "json": {"model": BASE[self.dialect], "training_file": training_file},
            }
        if template in FAMILY:
            return {"url": template, "json": FAMILY[template]}
        found: dict[str, Any] = {"url": template}
        return found | bodies.get(line, {})

    def _sound(self, model: str) -> str:
        return CHAT["openai"] if self.dialect == "openai" else model

    async def _id(self, template: str) -> str:
        if template.endswith("/resume"):
            return await self.paused_job()
        making = {
            "files": self.file,
            "fine_tuning": self.job,
            "datasets": self.dataset,
            "chat": self.completion,
        }
        return await making[template.partition("/")[0]]()


def _body(line: str) -> dict[str, Any]:
    return {"json": {"metadata": {"a": "b"}}} if line == "POST chat/completions/{id}" else {}


def asked_upstream(gateway: RunningGateway, answer: httpx2.Response) -> list[str]:
    """What upstreams were asked in the name of the exchange that *answer* ends."""
    assert gateway.simulators is not None
    ours = answer.headers["x-request-id"]
    return [one.target for one in gateway.simulators.seen if one.header("x-request-id") == ours]


@pytest.mark.parametrize(("dialect", "capability", "method", "template"), cells(has=True))
async def test_what_the_matrix_has_works(gateway, dialect, capability, method, template):
    support = MATRIX[capability][list(DIALECTS).index(dialect)]
    async with at(gateway, f"/{DIALECTS[dialect]}/v1/") as client:
        request = await Maker(client, dialect).asked(method, template)
        answer = await client.request(method, **request)

    assert answer.is_success, answer.text
    is_local = support == "local" or capability in LISTED_FROM_MEMORY
    assert is_local == (not asked_upstream(gateway, answer))
    if method == "GET" and answer.headers["content-type"] == "application/json":
        assert answer.json()


@pytest.mark.parametrize("pin", ["by its address", "by a header"])
@pytest.mark.parametrize(("dialect", "capability", "method", "template"), cells(has=False))
async def test_u1_what_it_lacks_is_refused_at_once(
    gateway, dialect, capability, method, template, pin
):
    name = DIALECTS[dialect]
    base, headers = f"/{name}/v1/", {}
    if pin == "by a header":
        base, headers = "/v1/", {"x-mindgate-upstream": name}
    path = template.replace("{id}", "1").replace("{model...}", "m")
    async with at(gateway, base, headers) as client:
        answer = await client.request(
            method, path, content=b"no form, no JSON" if method == "POST" else None
        )

    error = answer.json()["error"]
    assert (404, "unsupported_endpoint") == (answer.status_code, error["code"])
    assert error["message"].startswith(f"Upstream '{name}' does not support {method} /v1/")
    able = (
        [f"'{DIALECTS[one]}'" for one in dialects_with(capability)] if capability in SERVED else []
    )
    assert [] == [one for one in able if one not in error["message"]]
    assert [] == asked_upstream(gateway, answer)


@pytest.mark.parametrize(("method", "path", "body", "who"), [
    pytest.param(
        "POST", "embeddings", {"model": "4minds/x", "input": "x"}, "Upstream '4minds' does not support",
        id="by its prefix",
    ),
    pytest.param(
        "POST", "embeddings", {"model": "gpt-4", "input": "x"}, "No upstream of this model supports",
        id="by a route's targets",
    ),
    pytest.param("DELETE", "models/sales_mind", None, "Upstream 'minds' does not support", id="by who lists it"),
    pytest.param("DELETE", "models/minds/x", None, "Upstream 'minds' does not support", id="by a prefix in the path"),
])  # fmt: skip
async def test_u1_a_model_whose_upstream_lacks_it_is_refused_in_words_that_agree(
    gateway, method, path, body, who
):
    async with at(gateway, "/v1/") as client:
        answer = await client.request(method, path, json=body)

    error = answer.json()["error"]
    assert (404, "unsupported_endpoint") == (answer.status_code, error["code"])
    assert error["message"].startswith(who)
    assert "'local' would serve it." in error["message"]
    assert [] == asked_upstream(gateway, answer)
