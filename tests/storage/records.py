"""Records for tests."""

from itertools import count

from msgspec.structs import replace

from app.domain.ledger import UsageRecord
from tests.fakes.records import RECORD

NOON_MS = 1_788_696_000_000  # 2026-09-06, a Sunday, 12:00 UTC
_numbers = count(1)


def a_record(**changes: object) -> UsageRecord:
    """An exchange that went well; each has an id of its own, later than the ones before."""
    record = replace(
        RECORD,
        id=f"req_{NOON_MS:012x}{next(_numbers):020x}",
        at_ms=NOON_MS,
        key_id="key_a",
        team_id="team_a",
        upstream="minds",
        upstream_model="minds-1",
        label="minds-1",
    )
    return replace(record, **changes)
