"""`mindgate check` against good, wrong-key, dead and hanging upstreams (architecture 5, upstreams O-P3)."""

import asyncio
import socket
from dataclasses import replace

import pytest
from pydantic import SecretStr

from app.domain.configuration import Configuration, KeyEntry, RouteEntry, ServerOptions
from app.domain.limits import Limits
from app.domain.prices import Price
from app.main.checking import UpstreamReport, check_upstreams, unpriced_targets
from app.main.demo import demo_configuration
from app.simulators.server import Simulators
from tests.fakes.gateways import upstream_at
from tests.fakes.scripted_upstream import End, scripted

WRONG = "wrong-key-0123456789"


async def reports_of(configuration: Configuration, **more: float) -> dict[str, UpstreamReport]:
    return {one.name: one for one in await check_upstreams(configuration, **more)}


async def test_good_upstreams_are_well_each_with_what_it_serves():
    async with await Simulators.start() as simulators:
        found = await reports_of(demo_configuration(simulators, ServerOptions()))

    assert ["4minds", "minds", "openmind", "local"] == list(found)
    assert [None] * 4 == [one.fault for one in found.values()]
    assert all(found[name].models for name in ("4minds", "minds", "local"))
    assert "openai" in found["openmind"].detail
    assert "chat.create" in found["minds"].capabilities


async def test_a_wrong_key_is_a_fault_and_is_not_shown():
    async with await Simulators.start() as simulators:
        good = demo_configuration(simulators, ServerOptions())
        wrong = [replace(one, api_key=SecretStr(WRONG)) for one in good.upstreams]
        found = await reports_of(replace(good, upstreams=tuple(wrong)))

    for one in found.values():
        assert f"upstreams.{one.name}.api_key" in (one.fault or ""), one
        assert WRONG not in f"{one}"


async def test_a_dead_upstream_is_a_fault_that_names_it():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    entries = (upstream_at(f"http://127.0.0.1:{port}/v1", name="dead"),)

    found = await reports_of(Configuration(upstreams=entries))

    assert "'dead' could not be reached" in (found["dead"].fault or "")
    assert str(port) not in (found["dead"].fault or "")


@pytest.mark.parametrize("dialect", ["openai", "openmind"])
async def test_a_hanging_upstream_is_a_fault_in_time_and_holds_up_no_other(dialect):
    async with scripted() as upstream, await Simulators.start() as simulators:
        upstream.tell(End.HOLD)
        good = demo_configuration(simulators, ServerOptions())
        hanging = upstream_at(upstream.url, name="hanging", dialect=dialect)
        both = replace(good, upstreams=(hanging, *good.upstreams))
        async with asyncio.timeout(5):
            found = await reports_of(both, patience_seconds=0.5)

    assert "0.5 seconds" in (found["hanging"].fault or "")
    assert [None] * 4 == [one.fault for one in found.values()][1:]


@pytest.mark.parametrize(
    ("limits", "unpriced"),
    [
        pytest.param(Limits(budget_nano=1), ("up/dear",), id="J12: a budget does not hold there"),
        pytest.param(Limits(budget_tokens=1), (), id="tokens are counted whatever they cost"),
        pytest.param(Limits(), (), id="no budget"),
    ],
)
def test_a_target_without_a_price_is_named_where_a_budget_counts_on_it(limits, unpriced):
    configuration = Configuration(
        upstreams=(upstream_at("http://127.0.0.1:1/v1", name="up"),),
        routes=(RouteEntry("fast", ("up/cheap", "up/dear")), RouteEntry("alias", ("fast",))),
        keys=(KeyEntry("ci", SecretStr("k" * 20), limits=limits),),
        prices={"up/cheap": Price(input=1)},
    )

    assert unpriced == unpriced_targets(configuration)
