"""An office on SQLite, fresh for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from app.access.pepper import match_peppers
from tests.fakes.offices import Office, office_over, opened


@pytest_asyncio.fixture
async def new_office(tmp_path: Path) -> AsyncIterator[Office]:
    """Its database belongs to no pepper yet."""
    async with opened(f"sqlite:///{tmp_path}/keys.db") as database:
        yield office_over(database)


@pytest_asyncio.fixture
async def office(new_office: Office) -> Office:
    await match_peppers(new_office.store, new_office.peppers)
    return new_office
