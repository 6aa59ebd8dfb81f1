"""Questions about usage, put to the ledger (reliability Q6)."""

from typing import Any

import pytest

from app.storage.spans import Span
from app.storage.sums import SumRow
from app.usage.reports import Reports, UsageQuery

HOUR = 3_600_000
NOW_MS = 1_700_000_000_000  # 14 November 2023, 22:13:20 UTC
ROW = SumRow((), 1, 2, 3, 4, 5, 6, 7)


class AskedStore:
    """Remembers what it was asked for, and has *rows* of it."""

    def __init__(self, rows: int = 0) -> None:
        self.rows = rows
        self.spans: list[Span] = []
        self.group_by: tuple[str, ...] = ()
        self.filters: dict[str, Any] = {}

    async def sums(self, spans, group_by=(), *, limit=None, **filters):
        self.spans, self.group_by, self.filters = spans, group_by, filters
        return [ROW] * (self.rows if limit is None else min(limit, self.rows))


def reports(store: AskedStore) -> Reports:
    return Reports(store, lambda: NOW_MS / 1000)


@pytest.mark.parametrize(
    ("since_ms", "until_ms", "expected"),
    [
        pytest.param(
            None,
            None,
            (NOW_MS - NOW_MS % HOUR + HOUR - 720 * HOUR, NOW_MS - NOW_MS % HOUR + HOUR),
            id="thirty days, with the hour that runs",
        ),
        pytest.param(HOUR + 1, 5 * HOUR, (HOUR, 5 * HOUR), id="the beginning is rounded down"),
        pytest.param(HOUR, 5 * HOUR - 1, (HOUR, 5 * HOUR), id="the end is rounded up"),
        pytest.param(None, 721 * HOUR, (HOUR, 721 * HOUR), id="thirty days before the end"),
    ],
)
async def test_a_period_is_made_of_whole_hours(since_ms, until_ms, expected):
    store = AskedStore()

    report = await reports(store).usage(UsageQuery(since_ms=since_ms, until_ms=until_ms))

    assert expected == (report.since_ms, report.until_ms)
    assert expected == (store.spans[0].start_ms, store.spans[-1].end_ms)


@pytest.mark.parametrize(
    ("group_by", "grains"),
    [
        pytest.param((), {"month", "day", "hour"}, id="the largest that fit"),
        pytest.param(("key", "day"), {"day", "hour"}, id="none larger than the day asked for"),
        pytest.param(("day", "hour"), {"hour"}, id="none larger than the hour asked for"),
    ],
)
async def test_no_sum_is_larger_than_what_is_grouped_by(group_by, grains):
    store = AskedStore()

    await reports(store).usage(UsageQuery(group_by, since_ms=NOW_MS - 3000 * HOUR))

    assert grains == {span.grain for span in store.spans}


@pytest.mark.parametrize(("rows", "has_more"), [(9, False), (10, False), (11, True)])
async def test_a_page_says_whether_there_are_others(rows, has_more):
    report = await reports(AskedStore(rows)).usage(UsageQuery(limit=10))

    assert (min(rows, 10), has_more) == (len(report.rows), report.has_more)


async def test_filters_pass_as_they_are():
    store = AskedStore()

    await reports(store).usage(UsageQuery(("key",), key_id="k", team_id="t", after=20))

    assert store.group_by == ("key",)
    assert store.filters == {
        "key_id": "k",
        "team_id": "t",
        "model": None,
        "upstream": None,
        "order": "group",
        "after": 20,
    }
