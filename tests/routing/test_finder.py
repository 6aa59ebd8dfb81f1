"""A name is looked up once the catalogues that may know it were heard (contract K2, reliability R23)."""

import asyncio

import pytest

from app.domain.configuration import RouteEntry
from app.domain.errors import ModelNotFound
from app.routing.catalogue import Catalogue
from app.routing.finder import RouteFinder
from app.routing.table import Operation, RoutingTable
from app.upstreams.discovery import DiscoveredModel
from app.upstreams.model_requests import ModelList
from tests.fakes.upstreams import upstream_of

CHAT = Operation("chat.create", "POST /v1/chat/completions")


class Finding:
    """A finder over one upstream that is still to be asked. *unknown*: how often nobody had a name."""

    def __init__(self) -> None:
        upstreams = {"up": upstream_of("openai", name="up")}
        self.catalogue = Catalogue(upstreams.values())
        self.catalogue.expect("up")
        self.unknown = 0
        table = RoutingTable(upstreams, (RouteEntry("alias", ("up/x",)),), None, self.catalogue)
        self.finder = RouteFinder(table, self.catalogue, self._count)

    def _count(self) -> None:
        self.unknown += 1


async def test_a_name_of_the_file_waits_for_nobody():
    finding = Finding()

    async with asyncio.timeout(1):
        route = await finding.finder.find("alias", operation=CHAT, pin=None)

    assert route.is_named


async def test_another_name_waits_until_the_upstream_was_heard():
    finding = Finding()
    looking = asyncio.ensure_future(finding.finder.find("m", operation=CHAT, pin=None))
    await asyncio.sleep(0)
    assert not looking.done()

    finding.catalogue.replace("up", ModelList((DiscoveredModel("m", 0, "up"),), "/models"))

    assert (await looking).deployments[0].upstream == "up"
    assert finding.unknown == 0


async def test_a_name_that_nobody_has_is_told():
    finding = Finding()
    finding.catalogue.asked("up")

    for _ in range(2):
        with pytest.raises(ModelNotFound):
            await finding.finder.find("m", operation=CHAT, pin=None)

    assert finding.unknown == 2


async def test_a_name_once_found_is_found_anew_when_a_catalogue_changes():
    finding = Finding()
    finding.catalogue.replace("up", ModelList((DiscoveredModel("m", 0, "up"),), "/models"))
    first = await finding.finder.find("m", operation=CHAT, pin=None)
    assert await finding.finder.find("m", operation=CHAT, pin=None) is first

    finding.catalogue.replace("up", ModelList((DiscoveredModel("other", 0, "up"),), "/models"))

    with pytest.raises(ModelNotFound):
        await finding.finder.find("m", operation=CHAT, pin=None)


async def test_names_found_do_not_gather_without_bound():
    finding = Finding()
    finding.catalogue.asked("up")

    for number in range(3000):
        await finding.finder.find(f"up/{number}", operation=CHAT, pin=None)

    assert len(finding.finder._found) <= 1025


async def test_r4_a_long_name_of_a_clients_own_is_found_and_not_kept():
    finding = Finding()
    finding.catalogue.asked("up")

    route = await finding.finder.find("up/" + "x" * 10_000, operation=CHAT, pin=None)

    assert ("up", {}) == (route.deployments[0].upstream, finding.finder._found)
