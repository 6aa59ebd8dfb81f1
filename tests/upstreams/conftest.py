"""One upstream to script, and the senders to try on it: what asks for `kind`, `make` or `sender` runs for both."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from app.upstreams.client import Sender
from tests.fakes.scripted_upstream import ScriptedUpstream, scripted
from tests.upstreams.both_senders import SENDERS, Make, makes


@pytest_asyncio.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with scripted() as one:
        yield one


@pytest.fixture(params=sorted(SENDERS))
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest_asyncio.fixture
async def make(kind: str) -> AsyncIterator[Make]:
    async for one in makes(kind):
        yield one


@pytest.fixture
def sender(make: Make) -> Sender:
    return make()
