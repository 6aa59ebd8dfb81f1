"""
No secret leaves by the routes beside chat either: an upstream that repeats its key, its host or a static header in an
error is passed on without them (contract F11; reliability S5, S20), also where a native route passes errors as they are
(upstreams N10).
"""

import io
import json
import wave
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from pydantic import SecretStr

from app.domain.configuration import Configuration, KeyEntry
from app.domain.principal import Native
from tests.fakes.gateways import KEY, RunningGateway, running
from tests.fakes.ledgers import records_of, storage_in
from tests.fakes.scripted_upstream import ScriptedUpstream, entry_of, scripted, whole

pytestmark = pytest.mark.asyncio(loop_scope="module")

UPSTREAM, HEADER = "canary-upstream-0123456789", "canary-header-0123456789"
NATIVE: tuple[Native, ...] = ("use", "read", "manage")
SHAPES = (
    '{"error":{"message":%s,"type":"t","param":null,"code":"c"}}',
    '{"status":"error","message":%s}',
    '{"detail":%s}',
    "<html>%s</html>",
)
STATUSES = (302, 400, 401, 403, 404, 416, 422, 429, 500, 503)


def silence() -> bytes:
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(3_200))
    return written.getvalue()


FORM: dict[str, Any] = {
    "files": {"file": ("a.wav", silence(), "audio/wav"), "purpose": (None, "fine-tune")},
    "data": {"model": "whisper-1"},
}
SPEAK = {"json": {"model": "tts-1", "input": "x", "voice": "alloy"}}
TRAIN = {"json": {"model": "m", "training_file": "x"}}
REQUESTS: dict[str, dict[str, Any]] = {
    "GET /openai/v1/files": {},
    "POST /openai/v1/files": FORM,
    "GET /openai/v1/files/x": {},
    "DELETE /openai/v1/files/x": {},
    "POST /openai/v1/fine_tuning/jobs": TRAIN,
    "GET /openai/v1/fine_tuning/jobs/x/events": {},
    "GET /openai/v1/chat/completions": {},
    "POST /openai/v1/chat/completions/x": {"json": {}},
    "POST /openai/v1/embeddings": {"json": {"model": "m", "input": "x"}},
    "POST /openai/v1/audio/speech": SPEAK,
    "POST /openai/v1/audio/transcriptions": FORM,
    "POST /openmind/v1/audio/speech": SPEAK,
    "GET /4minds/v1/datasets": {},
    "POST /4minds/v1/datasets/import": {"json": {}},
    "GET /4minds/v1/models/x": {},
    "DELETE /4minds/v1/models/x": {},
}
AS_THEY_ARE: dict[str, dict[str, Any]] = {
    "POST /openai/v1/moderations": {"json": {"input": "x"}},
    "GET /openai/v1/files/x/content": {},
    "GET /minds/api/v1/minds/": {},
    "POST /minds/threads": {"json": {}},
    "POST /openmind/elevenlabs/tts": {"json": {"text": "x"}},
    "POST /openmind/rag/query": {"json": {}},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def telling() -> AsyncIterator[ScriptedUpstream]:
    async with scripted() as found:
        yield found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("canary")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(telling: ScriptedUpstream, folder: Path) -> AsyncIterator[RunningGateway]:
    entries = tuple(
        entry_of(
            telling,
            name=dialect,
            dialect=dialect,
            models=("*",),
            api_key=SecretStr(UPSTREAM),
            headers={"x-static": SecretStr(HEADER)},
            native=NATIVE,
        )
        for dialect in ("openai", "4minds", "minds", "openmind")
    )
    found = Configuration(
        upstreams=entries,
        default_upstream="openai",
        keys=(KeyEntry("test", SecretStr(KEY), native=NATIVE),),
        storage=storage_in(folder),
    )
    async with running(replace(found, server=replace(found.server, drain_seconds=0.0))) as served:
        yield served


async def said(
    gateway: RunningGateway,
    telling: ScriptedUpstream,
    line: str,
    status: int,
    shape: str,
    **more: Any,
) -> str:
    """All that a client is told when the upstream answers *status* and tells its secrets in *shape*."""
    told = f"Authorization: Bearer {UPSTREAM} at {telling.url} with {HEADER}"
    telling.tell(
        whole(
            shape.replace("%s", json.dumps(told)).encode(),
            status,
            x_key=UPSTREAM,
            location=f"http://x/?k={UPSTREAM}",
            set_cookie=UPSTREAM,
            www_authenticate=UPSTREAM,
            content_range=f"bytes */{UPSTREAM}",
            retry_after=UPSTREAM,
        )
    )  # fmt: skip
    method, _, path = line.partition(" ")
    async with httpx2.AsyncClient(
        base_url=gateway.root, headers=gateway.headers, timeout=10
    ) as one:
        answer = await one.request(method, path, **more)
    return repr(answer.headers.raw) + answer.text


def secrets_in(text: str, telling: ScriptedUpstream) -> list[str]:
    return [one for one in (UPSTREAM, HEADER, f"127.0.0.1:{telling.port}") if one in text]


@pytest.mark.parametrize("line", [*REQUESTS, *AS_THEY_ARE])
async def test_f11_no_refusal_brings_a_secret_out(gateway, telling, line):
    more = {**REQUESTS, **AS_THEY_ARE}[line]
    for status in STATUSES:
        for shape in SHAPES:
            text = await said(gateway, telling, line, status, shape, **more)

            assert [] == secrets_in(text, telling), (status, shape)


@pytest.mark.parametrize("line", REQUESTS)
async def test_f11_nor_does_an_error_under_a_200(gateway, telling, line):
    for shape in SHAPES:
        text = await said(gateway, telling, line, 200, shape, **REQUESTS[line])

        assert [] == secrets_in(text, telling), shape


async def test_s20_nor_what_is_written_down(gateway, telling, folder):
    await said(gateway, telling, "GET /openai/v1/files", 500, SHAPES[0])
    records = await records_of(gateway)
    gateway.gateway_log.flush()
    written = b"".join(one.read_bytes() for one in folder.rglob("*") if one.is_file())

    assert records
    for text in (repr(records), gateway.log.getvalue(), written.decode("latin-1")):
        assert [] == secrets_in(text, telling)
