"""The official SDKs as clients of the gateway that a module shares."""

from collections.abc import AsyncIterator

import pytest_asyncio
from openai import AsyncOpenAI

from tests.fakes.gateways import KEY, RunningGateway


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(shared_demo: RunningGateway) -> AsyncIterator[AsyncOpenAI]:
    """Python's SDK, strict about every answer and chunk, asking once."""
    async with AsyncOpenAI(
        base_url=shared_demo.base_url,
        api_key=KEY,
        max_retries=0,
        timeout=10,
        _strict_response_validation=True,
    ) as sdk:
        yield sdk
