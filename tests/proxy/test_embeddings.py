"""Embeddings through the gateway: the model's upstream, its name there, its tokens charged (contract N1 to N3)."""

import json

import pytest

from app.domain.principal import Principal
from app.domain.usage import Usage
from app.proxy.embeddings import EmbeddingDesk
from tests.fakes.calls import Office, Served
from tests.fakes.registers import EVERYTHING
from tests.fakes.senders import answer

VECTORS = (
    b'{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.50,1.0]}],"model":"e",'
    b'"usage":{"prompt_tokens":8,"total_tokens":8}}'
)
RESTRICTED = Principal("ci", models=("other-*",), key_id="key_ci")


async def served(office: Office, body: bytes, principal: Principal = EVERYTHING) -> Served:
    desk = EmbeddingDesk(office.routes, office.asking)
    return await office.serve(desk.serve, office.call("POST /v1/embeddings", principal, body=body))


async def test_the_body_passes_but_for_the_prefix_of_its_model():
    body = b'{"input":[[1,2],[3]] , "model":"openai/e", "dimensions":2}'
    office = Office.of(answer(VECTORS), names=("openai", "minds"))

    one = await served(office, body)

    assert office.senders["openai"].bodies() == [body.replace(b"openai/", b"")]
    assert (200, VECTORS) == (one.client.status, one.body)


async def test_its_tokens_are_charged_as_the_upstream_counted_them():
    office = Office.of(answer(VECTORS), names=("openai",))

    await served(office, b'{"input":"Hello","model":"openai/e"}')

    [record] = office.journal.records
    assert (8, 0, "upstream", "e") == (
        record.input_tokens,
        record.output_tokens,
        record.usage_source,
        record.upstream_model,
    )


async def test_what_nobody_counted_is_estimated():
    office = Office.of(answer(b'{"data":[{"embedding":[1.0]}]}'), names=("openai",))

    one = await served(office, b'{"input":"Hello","model":"openai/e"}')

    assert one.exchange.usage_source == "estimated"
    assert one.exchange.usage == Usage(12, 0)


async def test_n1_floats_become_base64_where_that_was_asked_for():
    office = Office.of(answer(VECTORS), names=("openai",))

    one = await served(office, b'{"input":"x","model":"openai/e","encoding_format":"base64"}')

    assert json.loads(one.body)["data"][0]["embedding"] == "AAAAPwAAgD8="


@pytest.mark.parametrize(
    ("body", "principal", "status", "code"),
    [
        pytest.param(b"{", EVERYTHING, 400, "invalid_json", id="F23"),
        pytest.param(b'{"input":"x"}', EVERYTHING, 400, "missing_required_parameter", id="F25"),
        pytest.param(b'{"model":7}', EVERYTHING, 400, "invalid_type", id="F24"),
        pytest.param(
            b'{"model":"a","model":"b"}', EVERYTHING, 400, "invalid_json", id="D6: two models"
        ),
        pytest.param(b'{"model":"openai/e"}', RESTRICTED, 404, "model_not_found", id="F14"),
        pytest.param(b'{"model":"minds/e"}', EVERYTHING, 404, "unsupported_endpoint", id="U1"),
    ],
)
async def test_what_cannot_be_asked_reaches_nobody(
    body: bytes, principal: Principal, status: int, code: str
):
    office = Office.of(names=("openai", "minds"))

    one = await served(office, body, principal)

    assert (status, code) == (one.client.status, json.loads(one.body)["error"]["code"])
    assert office.asked() == []


async def test_n3_an_answer_without_vectors_is_502():
    one = await served(
        Office.of(answer(b'{"data":[]}'), names=("openai",)), b'{"model":"openai/e"}'
    )

    assert (502, "upstream_malformed") == (
        one.client.status,
        json.loads(one.body)["error"]["code"],
    )
