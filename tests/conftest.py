"""What every test may use: a clean environment, a fast loop, and gateways over simulated upstreams."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import pytest_asyncio
import uvloop

from tests.fakes.gateways import RunningGateway, running_demo


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Tests run on the loop the product runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True, scope="session")
def clean_environment() -> Iterator[None]:
    """No setting of the person who runs the tests reaches them, proxies and OpenAI's variables included."""
    prefixes = ("MINDGATE_", "FOURMINDS_", "MINDS_", "OPENMIND_", "OPENAI_")
    names = [name for name in os.environ if name.upper().startswith(prefixes)]
    names += [name for name in os.environ if name.lower().endswith("_proxy")]
    kept = {name: os.environ.pop(name) for name in names}
    yield
    os.environ.update(kept)


@pytest_asyncio.fixture
async def demo() -> AsyncIterator[RunningGateway]:
    """A gateway over simulators, fresh for this test."""
    async with running_demo() as gateway:
        yield gateway


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_demo() -> AsyncIterator[RunningGateway]:
    """A gateway over simulators for all tests of a module that share its loop; what was seen before is theirs too."""
    async with running_demo() as gateway:
        yield gateway
