"""
What records add to the sums of their hour, day and month (reliability J7, Q6).

Only rows that were really inserted come here: a record that is sent twice counts once.
"""

from collections.abc import Iterable
from operator import attrgetter
from typing import NamedTuple

from app.domain.ledger import UsageRecord
from app.storage.spans import HOUR_MS, Grain, grain_start

LONGEST_LABEL = 512  # characters of `usage_sums.model`

_SumKey = tuple[str, int, str, str, str, str]
_Whose = tuple[str, str, str, str]

_whose = attrgetter("key_id", "team_id", "upstream", "label")


class SumRow(NamedTuple):
    """*values*: of the groups asked for, in that order; an hour or day as milliseconds since 1970."""

    values: tuple[str | int, ...]
    requests: int
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    cost_nano: int
    unpriced_requests: int
    estimated_requests: int


def sum_rows(records: Iterable[UsageRecord]) -> list[tuple[str | int, ...]]:
    """Rows for `usage_sums`, each to be added to the one there is, in the order of its key.

    The order lets two processes that add at once wait for each other instead of locking each other out.
    """
    hours: dict[tuple[int, _Whose], list[int]] = {}
    for record in records:
        key = (record.at_ms // HOUR_MS, _whose(record))
        held = hours.get(key)
        if held is None:
            held = hours[key] = [0, 0, 0, 0, 0, 0, 0]
        held[0] += 1
        held[1] += record.input_tokens
        held[2] += record.cached_input_tokens
        held[3] += record.output_tokens
        held[4] += record.cost_nano
        if not record.priced:
            held[5] += 1
        if record.usage_source == "estimated":
            held[6] += 1
    return _every_grain(hours)


def _every_grain(
    hours: dict[tuple[int, _Whose], list[int]],
) -> list[tuple[str | int, ...]]:
    grains: tuple[Grain, ...] = ("hour", "day", "month")
    found: dict[_SumKey, list[int]] = {}
    for (hour, (key_id, team_id, upstream, label)), amounts in hours.items():
        for grain in grains:
            start = grain_start(hour * HOUR_MS, grain)
            key = (grain, start, key_id, team_id, upstream, label[:LONGEST_LABEL])
            held = found.get(key)
            found[key] = (
                amounts if held is None else [a + b for a, b in zip(held, amounts, strict=True)]
            )
    return [(*key, *found[key]) for key in sorted(found)]
