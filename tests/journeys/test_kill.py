"""kill -9 under load, and on it goes: what `make prove` shows of it, in small (reliability R20)."""

from pathlib import Path

import pytest

from tests.prove.figures import broken
from tests.prove.kills import Kills
from tests.prove.serving import sqlite_in


@pytest.mark.timeout(120)
async def test_four_kills_lose_nothing_and_double_nothing(tmp_path: Path):
    """J2 to J8: every whole reply and every upstream request has one record, charged once."""
    kills = Kills(tmp_path, sqlite_in(tmp_path), 4, clients=8, most_seconds=0.25)

    figures = await kills.run()

    assert [] == broken(figures)
    assert len(kills.whole) > 20
