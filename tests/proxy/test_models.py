"""Models beside chat: how long one is waited for, and whose it is (contract K2, K7, G6; reliability S16)."""

import asyncio
from contextlib import suppress

import pytest

from app.access.permissions import Permissions
from app.domain.errors import ModelNotFound, PermissionDenied, UpstreamError
from app.domain.exchange import Exchange
from app.domain.principal import Principal
from app.protocol.targets import read_target
from app.proxy.attempts import Attempts
from app.proxy.call import Call
from app.proxy.model_rights import ModelRights
from app.proxy.models import ModelDesk
from app.proxy.reply import Reply
from app.routing.catalogue import Catalogue
from app.routing.finder import RouteFinder
from app.routing.table import RoutingTable
from app.telemetry.metrics import Metrics
from app.upstreams.discovery import DiscoveredModel
from app.upstreams.model_requests import ModelList
from tests.fakes.billing import billing_of
from tests.fakes.calls import Office
from tests.fakes.clients import FakeClient
from tests.fakes.registers import EVERYTHING, OTHER_TEAM, OWN_TEAM, TEAM_MATE, memory_register
from tests.fakes.senders import FakeResponse, FakeSender, answer
from tests.fakes.upstreams import upstream_of

MODEL = b'{"id":"m","object":"model","created":1,"owned_by":"them"}'


async def test_an_sdk_s_stated_patience_does_not_hold_up_a_model():
    """Every OpenAI SDK states 600 seconds; what the catalogue knows stands in long before."""
    now = asyncio.get_running_loop().time
    upstreams = {"up": upstream_of("openai", name="up", models=("m",))}
    catalogue = Catalogue(upstreams.values())
    table = RoutingTable(upstreams, (), None, catalogue)
    finder = RouteFinder(table, catalogue, lambda: None)
    sender = FakeSender(answer(MODEL))
    attempts = Attempts(upstreams, {"up": sender}, billing_of(now), Metrics("1"), now)
    desk = ModelDesk(
        upstreams,
        catalogue,
        finder,
        attempts,
        rights=ModelRights(Permissions(upstreams), memory_register(now)),
        now=now,
        on_deleted=lambda: None,
    )
    client = FakeClient("GET", "/v1/models/m", headers=[(b"x-stainless-read-timeout", b"600")])
    exchange = Exchange("req_1", "GET", "models.get", now())
    call = Call(
        client,
        read_target(client.path, upstreams),
        None,
        Principal("k"),
        exchange,
        Reply(client, exchange, now, billing_of(now)),
    )

    assert await desk.describe(call, "m") == MODEL
    [request] = sender.requests
    assert request.deadlines is not None
    assert request.deadlines.first_byte_seconds == 10


def desk_of(office: Office) -> ModelDesk:
    return ModelDesk(
        office.upstreams,
        office.catalogue,
        office.finder,
        office.attempts,
        rights=office.rights,
        now=office.clock,
        on_deleted=lambda: None,
    )


def tuned(*script: FakeResponse) -> Office:
    """4minds with a model that a team trained, and one of its own."""
    office = Office.of(*script, names=("4minds",))
    found = tuple(DiscoveredModel(name, 1, "4minds") for name in ("4minds-7", "4minds-base"))
    office.catalogue.replace("4minds", ModelList(found, "/models"))
    office.made(OWN_TEAM, "model", "4minds-7")
    return office


async def test_s16_a_fine_tuned_model_is_listed_for_its_team_and_who_may_see_all():
    office = tuned()
    shown = {
        one.name: await desk_of(office).names(office.call("GET /v1/models", one))
        for one in (TEAM_MATE, OTHER_TEAM, EVERYTHING)
    }

    both = ["4minds-7", "4minds-base"]
    assert shown == {TEAM_MATE.name: both, OTHER_TEAM.name: both[1:], EVERYTHING.name: both}


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_s16_another_team_s_is_as_if_it_did_not_exist(method: str):
    office = tuned()
    desk = desk_of(office)
    ask = desk.describe if method == "GET" else desk.delete

    with pytest.raises(ModelNotFound):
        await ask(office.call(f"{method} /v1/models/4minds-7", OTHER_TEAM), "4minds-7")

    assert office.asked() == []


async def test_k7_a_team_deletes_what_it_made_and_it_is_nobody_s_any_more():
    office = tuned(answer(b'{"id":"4minds-7","deleted":true}'))

    await desk_of(office).delete(office.call("DELETE /v1/models/4minds-7", TEAM_MATE), "4minds-7")

    assert office.asked() == ["DELETE https://api.4minds.ai/v1/models/4minds-7"]
    assert office.register.may_use_model(OTHER_TEAM, "4minds", "4minds-7")


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b'{"id":"4minds-7","deleted":false}', id="not deleted"),
        pytest.param(b'{"error":{"message":"Try later.","code":"busy"}}', id="an error under a 200"),
        pytest.param(b'{"status":"error","message":"Try later."}', id="4minds' own error"),
    ],
)  # fmt: skip
async def test_s16_a_model_that_is_still_there_stays_its_team_s(said: bytes):
    """Nobody's would be everybody's."""
    office = tuned(answer(said))
    call = office.call("DELETE /v1/models/4minds-7", TEAM_MATE)

    with suppress(UpstreamError):
        await desk_of(office).delete(call, "4minds-7")

    assert not office.register.may_use_model(OTHER_TEAM, "4minds", "4minds-7")


async def test_e_c9_an_error_under_a_200_is_no_deletion():
    office = tuned(answer(b'{"error":{"message":"Try later.","code":"busy"}}'))

    with pytest.raises(UpstreamError):
        await desk_of(office).delete(
            office.call("DELETE /v1/models/4minds-7", TEAM_MATE), "4minds-7"
        )


async def test_f17_what_nobody_here_made_is_deleted_only_by_who_may_touch_all():
    office = tuned(answer(b"{}"))
    desk = desk_of(office)

    with pytest.raises(PermissionDenied):
        await desk.delete(office.call("DELETE /v1/models/4minds-base", OWN_TEAM), "4minds-base")
    assert office.asked() == []

    await desk.delete(office.call("DELETE /v1/models/4minds-base"), "4minds-base")
    assert len(office.asked()) == 1


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_s16_an_unknown_model_is_told_in_the_same_words(method: str):
    words = b'{"error":{"message":"Nope.","type":"t","param":null,"code":"c"}}'
    office = tuned(answer(words, 404))
    desk = desk_of(office)
    ask = desk.describe if method == "GET" else desk.delete
    said = []
    for name in ("4minds-7", "4minds-9"):
        with pytest.raises(ModelNotFound) as raised:
            await ask(office.call(f"{method} /v1/models/{name}", OTHER_TEAM), name)
        said.append(raised.value.message.replace(name, "X"))

    assert said[0] == said[1]
