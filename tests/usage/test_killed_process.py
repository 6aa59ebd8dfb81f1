"""kill -9 at any moment: what the process said it had written is there once, in the words it said (reliability R20)."""

import asyncio
import sys
from pathlib import Path
from random import Random

import pytest

from app.usage.recovery import recover
from tests.fakes.record_stores import MemoryRecordStore
from tests.usage.killed_writer import IN_FLIGHT
from tests.usage.notes import Warnings

ROOT = Path(__file__).parents[2]
KILLS = 20


async def written_until_killed(folder: Path, name: str, after_seconds: float) -> list[list[str]]:
    """What the process said before it was killed; a last line that was cut is left out."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.usage.killed_writer", str(folder), name),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    said = await process.stdout.readline()  # it has begun
    reading = asyncio.ensure_future(process.stdout.read())
    await asyncio.sleep(after_seconds)
    process.kill()
    said += await reading
    await process.wait()
    return [line.split() for line in said.decode().split("\n")[:-1]]


@pytest.mark.timeout(120)
async def test_twenty_kills_lose_nothing_and_double_nothing(tmp_path):
    random, store = Random(20), MemoryRecordStore()
    begun: set[str] = set()
    claimed: list[str] = []
    settled: dict[str, int] = {}
    for number in range(KILLS):
        # Recovery runs while the next process writes: it must leave the living one alone.
        said, _ = await asyncio.gather(
            written_until_killed(tmp_path, f"{number:03}", random.uniform(0.0, 0.1)),
            recover(tmp_path, store, warn=Warnings()),
        )
        begun |= {line[1] for line in said if line[0] == "begun"}
        claimed += [line[1] for line in said if line[0] == "claimed"]
        settled |= {line[1]: int(line[2]) for line in said if line[0] == "settled"}
    found = await recover(tmp_path, store, warn=Warnings())

    kept = store.kept
    assert len(begun) > KILLS * 20
    assert found.unreadable == 0
    assert begun <= kept.keys()
    assert len(kept.keys() - begun) <= KILLS  # written, and killed before it could be said
    kept_claims = [claim.id for claim in store.claims]
    said_claims = set(claimed)
    assert claimed == [id for id in kept_claims if id in said_claims]
    assert 0 <= len(kept_claims) - len(claimed) <= KILLS  # likewise
    assert settled == {id: kept[id].cost_nano for id in settled}
    unsaid = [id for id in begun - settled.keys() if not kept[id].recovered]
    assert len(unsaid) <= KILLS  # likewise
    assert sum(record.recovered for record in kept.values()) <= KILLS * (IN_FLIGHT + 1)
    assert store.spent["key_1"] == sum(record.cost_nano for record in kept.values())
    assert [] == list(tmp_path.iterdir())
