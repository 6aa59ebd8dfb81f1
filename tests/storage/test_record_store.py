"""The ledger in the database, on SQLite and Postgres alike (reliability J7, Q6, S17)."""

import asyncio
import random
from collections import Counter
from datetime import UTC, datetime

import pytest

from app.domain.errors import LedgerUnavailable
from app.domain.ledger import UsageRecord
from app.domain.limits import PeriodStarts, Spending
from app.storage.database import Database
from app.storage.record_rows import DETAILS
from app.storage.record_store import RecordStore
from app.storage.schema import records as records_table
from app.storage.spans import DAY_MS, HOUR_MS, Grain, spans
from tests.storage.records import NOON_MS, a_record

MIDNIGHT_MS = NOON_MS - 12 * HOUR_MS
MONDAY_MS = MIDNIGHT_MS - 6 * DAY_MS
MONTH_MS = int(datetime(2026, 9, 1, tzinfo=UTC).timestamp() * 1000)
EVER = spans(0, NOON_MS + 400 * DAY_MS)


@pytest.fixture
def store(database: Database) -> RecordStore:
    return RecordStore(database)


def test_every_field_of_a_record_is_a_column_or_a_detail():
    columns = [column.name for column in records_table.columns]

    assert columns.pop() == "details"
    assert sorted(UsageRecord.__struct_fields__) == sorted([*columns, *DETAILS])


def test_details_keep_their_order():
    assert " ".join(DETAILS[:15]) == (
        "endpoint upstream_model stream status phase error_code attempts usage_source priced duration_us ttft_us "
        "sent_us answered_us trail recovered"
    )  # as rows have it that were written before: a new one goes behind


async def test_a_record_comes_back_as_it_was(store):
    record = a_record(trail='[["a","m","timeout",1,2]]', ttft_us=None, recovered=True)

    assert await store.add([record]) == 1

    assert record == await store.record(record.id)
    assert await store.record("req_unknown") is None


@pytest.mark.parametrize("size", [0, 1, 2, 3, 63, 255, 256, 257, 500, 1000])
async def test_a_batch_of_any_size_is_kept_whole(store, size):
    batch = [a_record(key_id=f"key_{number % 7}") for number in range(size)]

    assert size == await store.add(batch)

    assert batch[::-1] == await store.records(limit=2000)
    assert size == sum(row.requests for row in await store.sums(EVER))


async def test_what_comes_twice_counts_once(store):
    first = [a_record() for _ in range(10)]
    second = [a_record() for _ in range(5)]
    await store.add(first)

    assert await store.add([*first, *second, *second]) == 5
    assert await store.add([*first, *second]) == 0

    [total] = await store.sums(EVER)
    assert total.requests == 15
    assert total.cost_nano == 15_000


async def test_sums_equal_the_records_whatever_the_batches(store):
    chance = random.Random(4)
    made = [
        a_record(
            at_ms=NOON_MS + chance.randrange(80 * DAY_MS),
            key_id=f"key_{chance.randrange(5)}",
            team_id=chance.choice(["", "team_a", "team_b"]),
            upstream=chance.choice(["a", "b"]),
            label=chance.choice(["m1", "m2"]),
            input_tokens=chance.randrange(10**6),
            cost_nano=chance.randrange(10**12),
            priced=chance.random() < 0.5,
            usage_source=chance.choice(["upstream", "estimated", ""]),
        )
        for _ in range(600)
    ]
    for _ in range(20):
        await store.add(chance.sample(made, 100))
    await store.add(made)

    for period in (
        EVER,
        spans(0, NOON_MS + 400 * DAY_MS, "day"),
        spans(NOON_MS, NOON_MS + 81 * DAY_MS, "hour"),
    ):
        [total] = await store.sums(period)
        assert total == (
            (),
            600,
            sum(one.input_tokens for one in made),
            sum(one.cached_input_tokens for one in made),
            sum(one.output_tokens for one in made),
            sum(one.cost_nano for one in made),
            sum(not one.priced for one in made),
            sum(one.usage_source == "estimated" for one in made),
        )
    by_key = Counter(one.key_id for one in made)
    rows = await store.sums(EVER, ["key"])
    assert sorted(by_key.items()) == [(row.values[0], row.requests) for row in rows]


async def test_a_period_counts_the_hours_in_it_alone(store):
    await store.add([a_record(at_ms=NOON_MS + number * HOUR_MS) for number in range(-40, 40)])

    for since in (-30, -13, -12, 0, 7):
        period = spans(NOON_MS + since * HOUR_MS, NOON_MS + 9 * HOUR_MS)
        [total] = await store.sums(period)
        assert 9 - since == total.requests


@pytest.mark.parametrize(
    ("group_by", "expected"),
    [
        pytest.param(["key"], [("a",), ("b",)], id="by key"),
        pytest.param(["team"], [("t",), ("u",)], id="by team"),
        pytest.param(["model"], [("l1",), ("l2",)], id="by model"),
        pytest.param(["upstream"], [("x",), ("y",)], id="by upstream"),
        pytest.param(["key", "upstream"], [("a", "x"), ("a", "y"), ("b", "x")], id="by two"),
        pytest.param(["day"], [(MIDNIGHT_MS,), (MIDNIGHT_MS + DAY_MS,)], id="by day"),
        pytest.param(
            ["hour", "key"],
            [(NOON_MS, "a"), (NOON_MS, "b"), (NOON_MS + DAY_MS, "a")],
            id="by hour and key",
        ),
    ],
)
async def test_usage_is_grouped(store, group_by, expected):
    await store.add([
        a_record(key_id="a", team_id="t", label="l1", upstream="x"),
        a_record(key_id="b", team_id="u", label="l2", upstream="x"),
        a_record(key_id="a", team_id="t", label="l2", upstream="y", at_ms=NOON_MS + DAY_MS),
    ])  # fmt: skip
    largest: Grain = "hour" if "hour" in group_by else "day"

    rows = await store.sums(spans(0, NOON_MS + 9 * DAY_MS, largest), group_by)

    assert expected == [row.values for row in rows]


async def test_a_day_is_whole_where_hours_and_days_make_up_the_period(store):
    await store.add([a_record(at_ms=MIDNIGHT_MS + number * HOUR_MS) for number in range(72)])
    period = spans(MIDNIGHT_MS + 5 * HOUR_MS, MIDNIGHT_MS + 51 * HOUR_MS, "day")

    rows = await store.sums(period, ["day"])

    assert [19, 24, 3] == [row.requests for row in rows]


async def test_a_span_larger_than_the_group_is_refused(store):
    with pytest.raises(ValueError, match="larger"):
        await store.sums(spans(0, NOON_MS, "month"), ["day"])
    with pytest.raises(ValueError, match="larger"):
        await store.sums(spans(0, NOON_MS, "day"), ["hour"])


async def test_usage_is_filtered_ordered_and_paged(store):
    await store.add(
        [
            a_record(key_id=f"key_{number}", cost_nano=number % 3, input_tokens=number)
            for number in range(9)
        ]
    )

    rows = await store.sums(EVER, ["key"], order="cost", after=0, limit=4)
    more = await store.sums(EVER, ["key"], order="cost", after=4, limit=9)

    assert ["key_2", "key_5", "key_8", "key_1"] == [row.values[0] for row in rows]
    assert ["key_4", "key_7", "key_0", "key_3", "key_6"] == [row.values[0] for row in more]
    [row] = await store.sums(EVER, ["key"], key_id="key_3", upstream="minds", model="minds-1")
    assert row.values == ("key_3",)
    assert await store.sums(EVER, key_id="key_99") == []
    assert await store.sums([], ["key"]) == []
    most = await store.sums(EVER, ["key"], order="tokens", limit=1)
    assert most[0].values == ("key_8",)


async def test_records_are_listed_newest_first_and_paged(store):
    made = [a_record(at_ms=NOON_MS + number) for number in range(10)]
    await store.add(made)

    first = await store.records(limit=4)
    second = await store.records(after=first[-1].id, limit=100)

    assert made[::-1] == first + second
    within = await store.records(since_ms=NOON_MS + 3, until_ms=NOON_MS + 6, limit=100)
    assert made[3:6][::-1] == within


@pytest.mark.parametrize("field", ["key_id", "team_id", "model", "upstream", "outcome"])
async def test_records_are_filtered(store, field):
    wanted = a_record(**{field: "x' OR '1'='1"})
    await store.add([a_record(), wanted, a_record()])

    assert [wanted] == await store.records(limit=10, **{field: "x' OR '1'='1"})
    assert await store.records(limit=10, **{field: "%"}) == []


async def test_spending_is_told_by_period_key_and_team(store):
    moments = [NOON_MS, MIDNIGHT_MS - 1, MONDAY_MS, MONDAY_MS - 1, MONTH_MS, MONTH_MS - 1]
    await store.add([
        a_record(at_ms=at_ms, cost_nano=10**number, input_tokens=1, output_tokens=1)
        for number, at_ms in enumerate(moments)
    ])  # fmt: skip
    await store.add([a_record(key_id="", team_id=""), a_record(key_id="key_b", team_id="team_a")])

    found = await store.spending(PeriodStarts(MIDNIGHT_MS, MONDAY_MS, MONTH_MS))

    assert set(found) == {("key", "key_a"), ("key", "key_b"), ("team", "team_a")}
    # That week began on the last day of August, so it is longer than the month.
    assert found["key", "key_a"] == Spending(
        day=(1, 2), week=(110_111, 10), month=(10_011, 6), total=(111_111, 12)
    )
    assert found["team", "team_a"].total == (112_111, 12 + 120)


async def test_days_to_come_count_in_no_period_but_all_time(store):
    """A clock that was ahead wrote them."""
    next_month = int(datetime(2026, 10, 1, tzinfo=UTC).timestamp() * 1000)
    tomorrow = MIDNIGHT_MS + DAY_MS
    await store.add([a_record(at_ms=at_ms) for at_ms in (MIDNIGHT_MS, tomorrow, next_month)])
    await store.add([a_record(key_id="key_b", at_ms=next_month + 7 * DAY_MS)])

    found = await store.spending(PeriodStarts(MIDNIGHT_MS, MONDAY_MS, MONTH_MS))

    # That day is a Sunday.
    assert found["key", "key_a"] == Spending((1000, 120), (1000, 120), (2000, 240), (3000, 360))
    assert found["key", "key_b"] == Spending(total=(1000, 120))


async def test_a_week_that_began_last_month_is_whole(store):
    first_of_month = int(datetime(2026, 10, 1, tzinfo=UTC).timestamp() * 1000)  # a Thursday
    monday = first_of_month - 3 * DAY_MS
    await store.add(
        [a_record(at_ms=monday - 1), a_record(at_ms=monday), a_record(at_ms=first_of_month)]
    )

    found = await store.spending(PeriodStarts(first_of_month, monday, first_of_month))

    assert found["key", "key_a"] == Spending((1000, 120), (2000, 240), (1000, 120), (3000, 360))


async def test_retention_takes_the_oldest_and_leaves_the_sums(store):
    made = [a_record(at_ms=NOON_MS + number) for number in range(10)]
    await store.add(made)

    assert await store.delete_before(NOON_MS + 7, at_most=5) == 5
    assert await store.delete_before(NOON_MS + 7, at_most=5) == 2
    assert await store.delete_before(NOON_MS + 7, at_most=5) == 0

    assert made[7:][::-1] == await store.records(limit=100)
    [total] = await store.sums(EVER)
    assert total.requests == 10


HOSTILE = [
    pytest.param("'; DROP TABLE records; --", id="an injection"),
    pytest.param("%_\\", id="wildcards"),
    pytest.param("\U0001f600 ‮\x1b[31m\r\n\t\x7f", id="emoji, bidi and escapes"),
    pytest.param("a" * 100_000, id="a very long text"),
    pytest.param(":key $1 ? %s {x}", id="placeholders"),
    pytest.param("", id="nothing"),
]


@pytest.mark.parametrize("text", HOSTILE)
async def test_a_hostile_text_is_kept_as_it_is(store, text):
    record = a_record(model=text, upstream_model=text, trail=text)

    await store.add([record])

    assert record == await store.record(record.id)
    assert [record] == await store.records(model=text, limit=5)


@pytest.mark.parametrize(
    ("field", "value", "kept"),
    [
        pytest.param("model", "a\ud800b", "a\ufffdb", id="half a surrogate pair"),
        pytest.param("error_code", "a\ud800b", "a\ufffdb", id="half a surrogate pair in a detail"),
        pytest.param("input_tokens", 2**70, 2**48, id="a number of more than 64 bits"),
        pytest.param("output_tokens", 2**62, 2**48, id="so many tokens that sums would not fit"),
        pytest.param("cost_nano", 2**48 + 1, 2**48, id="more money than there is"),
        pytest.param("cached_input_tokens", -1, 0, id="a negative amount"),
    ],
)
async def test_what_cannot_be_stored_is_kept_as_nearly_as_can_be(store, field, value, kept):
    record = a_record(**{field: value})

    assert await store.add([a_record(), record]) == 2

    assert getattr(await store.record(record.id), field) == kept


async def test_a_label_longer_than_its_column_is_cut_in_the_sums(store):
    await store.add([a_record(label="x" * 512)])

    [row] = await store.sums(EVER, ["model"])
    assert row.values == ("x" * 512,)


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_postgres_keeps_all_of_a_record_but_nul_and_what_is_too_long(store):
    record = a_record(model="a\0b", outcome="e" * 100)

    assert await store.add([record]) == 1

    kept = await store.record(record.id)
    assert (kept.model, kept.outcome) == ("a\ufffdb", "e" * 32)


async def test_sums_of_the_largest_amounts_are_exact(store):
    largest = dict.fromkeys(("input_tokens", "output_tokens", "cost_nano"), 2**62)
    await store.add([a_record(**largest) for _ in range(5)])
    await store.add([a_record(**largest) for _ in range(5)])

    [total] = await store.sums(EVER)
    assert (total.input_tokens, total.output_tokens, total.cost_nano) == (10 * 2**48,) * 3


async def test_stores_that_add_the_same_records_at_once_count_them_once(store):
    made = [a_record(key_id=f"key_{number % 5}") for number in range(400)]
    chance = random.Random(1)

    added = await asyncio.gather(
        *(store.add(chance.sample(made, 300)) for _ in range(12)), store.add(made)
    )

    assert sum(added) == 400
    [total] = await store.sums(EVER)
    assert total.requests == 400


async def test_a_database_opened_for_reading_cannot_be_added_to(database, database_url):
    reading = await Database.open(database_url, read_only=True)

    with pytest.raises(LedgerUnavailable):
        await RecordStore(reading).add([a_record()])
    assert await RecordStore(reading).records(limit=1) == []

    await reading.aclose()
