"""Whose a model is, and who may name it (contract F14, reliability S15, S16)."""

from dataclasses import replace

import pytest

from app.domain.errors import ModelNotFound, UnsupportedEndpoint
from app.domain.stored_objects import ObjectName
from app.proxy.model_access import ModelAccess
from app.proxy.model_rights import ModelRights
from tests.fakes.registers import OTHER_TEAM, memory_register
from tests.fakes.sounding import Sounding, caller
from tests.fakes.upstreams import upstream_of

UPSTREAMS = {"up": upstream_of("openai", name="up", models=("ours", "theirs"))}


def access_of(sounding: Sounding) -> ModelAccess:
    """Where another team made one model."""
    steps, register = sounding.steps.access, memory_register()
    theirs = ObjectName("up", "model", "theirs")
    register.claim(OTHER_TEAM, theirs, exchange_id="req_0", at_ms=1)
    rights = ModelRights(steps._rights._permissions, register)
    return ModelAccess(sounding.upstreams, steps._finder, rights)


async def test_a_model_has_its_route():
    one = Sounding("audio.speech", upstreams=UPSTREAMS)
    call = one.call(b"")

    route = await access_of(one).route(call, "ours")

    assert [("up", "ours")] == [(each.upstream, each.model) for each in route.deployments]
    assert "ours" == call.exchange.model_requested


@pytest.mark.parametrize(
    ("models", "name"),
    [
        pytest.param((), "theirs", id="S16: another team made it"),
        pytest.param((), "nobody-s", id="F18: there is none"),
        pytest.param(("x-*",), "ours", id="S15: the key may not use it"),
    ],
)
async def test_f14_forbidden_and_unknown_are_one_answer(models, name):
    one = Sounding(
        "audio.speech", upstreams=UPSTREAMS, principal=replace(caller(models), resources="own")
    )

    with pytest.raises(ModelNotFound) as caught:
        await access_of(one).route(one.call(b""), name)
    assert f"The model `{name}` does not exist" in caught.value.message


async def test_u1_an_upstream_without_the_route_says_so():
    one = Sounding("audio.speech", upstreams={"4minds": upstream_of("4minds")})

    with pytest.raises(UnsupportedEndpoint) as caught:
        await access_of(one).route(one.call(b""), "4minds-model-1")
    assert "'openmind' or 'openai' would serve it" in caught.value.message
