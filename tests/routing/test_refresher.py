"""Every upstream that has a list is asked on its own, in the background (contract K2, reliability R23)."""

import asyncio
import io
import json
from contextlib import asynccontextmanager

from app.domain.errors import UpstreamUnreachable
from app.routing.catalogue import Catalogue
from app.routing.refresher import Refresher
from app.telemetry.logs import make_log
from tests.fakes.senders import FakeSender, HangingSender, answer
from tests.fakes.upstreams import upstream_of

LIST = b'{"data":[{"id":"a"}]}'


@asynccontextmanager
async def refreshing(senders, **fields):
    """A refresher that runs over one generic upstream per sender."""
    upstreams = {name: upstream_of("openai", name=name, **fields) for name in senders}
    catalogue, log = Catalogue(upstreams.values()), io.StringIO()
    refresher = Refresher(upstreams, senders, catalogue, make_log("json", log))
    running = asyncio.ensure_future(refresher.run())
    try:
        yield catalogue, log
    finally:
        running.cancel()
        await asyncio.wait([running])


async def test_every_upstream_is_asked_at_once():
    senders = {"one": FakeSender(answer(LIST)), "two": FakeSender(answer(LIST))}

    async with refreshing(senders) as (catalogue, _):
        await catalogue.first_round(5)

        assert [["a"], ["a"]] == [list(catalogue.entries(name)) for name in senders]


async def test_one_that_hangs_delays_no_other():
    hanging = HangingSender()

    async with refreshing({"one": hanging, "two": FakeSender(answer(LIST))}) as (catalogue, _):
        async with asyncio.timeout(5):
            while not catalogue.entries("two"):  # noqa: ASYNC110 a catalogue tells nobody
                await asyncio.sleep(0)

        assert not catalogue.is_complete
    assert hanging.was_cancelled


async def test_one_that_fails_is_named_in_the_log_and_keeps_what_the_file_lists():
    senders = {"one": FakeSender(UpstreamUnreachable("Upstream 'one' could not be reached."))}

    async with refreshing(senders, models=("listed",)) as (catalogue, log):
        await catalogue.first_round(5)

        assert catalogue.is_complete
        assert ["listed"] == list(catalogue.entries("one"))
        (line,) = [json.loads(row) for row in log.getvalue().splitlines()]
    assert ("warning", "one") == (line["level"], line["upstream"])
    assert line["error"] == "upstream_unreachable"


async def test_who_has_no_list_is_not_asked():
    sender = FakeSender()
    upstreams = {"up": upstream_of("openai", name="up", capabilities={"models.list": "-"})}
    catalogue = Catalogue(upstreams.values())
    refresher = Refresher(upstreams, {"up": sender}, catalogue, make_log("json", io.StringIO()))

    await refresher.run()

    assert catalogue.is_complete
    assert sender.requests == []
