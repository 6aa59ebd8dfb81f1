"""An office on SQLite, fresh for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.fakes.offices import Office, office_over, opened


@pytest_asyncio.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with opened(f"sqlite:///{tmp_path}/keys.db") as database:
        yield office_over(database)
