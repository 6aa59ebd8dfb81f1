"""A year of a busy team stays fast (reliability Q6): chosen by name, prints its figures."""

import random
import time
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace
from pydantic import SecretStr

from app.domain.limits import PeriodStarts
from app.storage.database import Database
from app.storage.record_store import RecordStore
from app.storage.spans import DAY_MS, spans
from tests.storage.records import a_record

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]

YEAR_MS = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)
END_MS = YEAR_MS + 365 * DAY_MS
RECORDS = 1_000_000
BATCH = 500


@pytest.fixture(autouse=True)
def chosen_by_name(request):
    options = request.config.option
    if "soak" not in options.markexpr and not any(
        "ledger_speed" in name for name in request.config.args
    ):
        pytest.skip("takes a minute: choose it by name or with -m soak")


async def fill(store: RecordStore) -> float:
    """Seconds of CPU a record took, its making left out."""
    chance, spent = random.Random(6), 0.0
    template = a_record()
    for first in range(0, RECORDS, BATCH):
        batch = []
        for number in range(first, first + BATCH):
            at_ms = YEAR_MS + number * 365 * DAY_MS // RECORDS
            key, model = chance.randrange(50), chance.randrange(5)
            batch.append(
                replace(
                    template,
                    id=f"req_{at_ms:012x}{chance.getrandbits(80):020x}",
                    at_ms=at_ms,
                    key_id=f"key_{key}",
                    team_id=f"team_{key % 10}",
                    label=f"model-{model}",
                    upstream=f"up-{chance.randrange(3)}",
                )
            )
        begun = time.process_time()
        assert await store.add(batch) == BATCH
        spent += time.process_time() - begun
    return spent / RECORDS


async def test_a_summary_of_a_million_records_takes_less_than_a_tenth_of_a_second_of_cpu(tmp_path):
    database = await Database.open(SecretStr(f"sqlite:///{tmp_path}/ledger.db"))
    store = RecordStore(database)
    figures = {"CPU a record added, µs": await fill(store) * 1e6}
    figures["file, MB"] = (tmp_path / "ledger.db").stat().st_size / 1e6

    async def timed(name, call, times=3):
        took = []
        for _ in range(times):
            begun = time.process_time()  # all threads: what else runs on the machine does not count
            await call()
            took.append(time.process_time() - begun)
        figures[name + ", ms"] = min(took) * 1e3
        return max(took)

    for group in ("key", "team", "model", "upstream", "day"):
        period = spans(YEAR_MS, END_MS, "day" if group == "day" else "month")
        await timed(f"by {group}", lambda p=period, g=group: store.sums(p, [g]))
    odd = spans(YEAR_MS + 5_000_000, END_MS - 5_000_000)
    await timed("by key, odd ends", lambda: store.sums(odd, ["key"]))
    month = spans(END_MS - 31 * DAY_MS, END_MS, "hour")
    await timed("by hour, 31 days", lambda: store.sums(month, ["hour"]))
    await timed(
        "by day and key, first 100",
        lambda: store.sums(spans(YEAR_MS, END_MS, "day"), ["day", "key"], limit=100),
    )
    starts = PeriodStarts(END_MS - DAY_MS, END_MS - 7 * DAY_MS, END_MS - 31 * DAY_MS)
    await timed("spending", lambda: store.spending(starts))
    await timed("newest 100 records", lambda: store.records(limit=100))
    await timed("newest 100 of a key", lambda: store.records(limit=100, key_id="key_7"))
    await timed("of a key that has none", lambda: store.records(limit=100, key_id="key_x"))
    slowest = await timed("retention of 500", lambda: store.delete_before(END_MS, at_most=500), 200)
    figures["slowest retention of 500, ms"] = slowest * 1e3
    await timed("retention without work", lambda: store.delete_before(YEAR_MS, at_most=500))
    await database.aclose()
    print("\n" + "\n".join(f"{name}: {value:,.2f}" for name, value in figures.items()))  # noqa: T201 what it is for
    for group in ("key", "team", "model", "upstream", "day"):
        assert figures[f"by {group}, ms"] < 100
    assert figures["slowest retention of 500, ms"] < 50
