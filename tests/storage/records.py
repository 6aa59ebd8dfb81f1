"""Records for tests."""

from itertools import count

from app.domain.ledger import UsageRecord

NOON_MS = 1_788_696_000_000  # 2026-09-06, a Sunday, 12:00 UTC
_numbers = count(1)


def a_record(**changes: object) -> UsageRecord:
    """An exchange that went well; each has an id of its own, later than the ones before."""
    record = UsageRecord(
        id=f"req_{NOON_MS:012x}{next(_numbers):020x}",
        at_ms=NOON_MS,
        key_id="key_a",
        team_id="team_a",
        endpoint="/v1/chat/completions",
        model="fast",
        upstream="minds",
        upstream_model="minds-1",
        stream=True,
        status=200,
        outcome="ok",
        phase="",
        error_code="",
        attempts=1,
        input_tokens=100,
        cached_input_tokens=10,
        output_tokens=20,
        usage_source="upstream",
        cost_nano=1_000,
        priced=True,
        duration_us=1_500_000,
        ttft_us=200_000,
        sent_us=500,
        answered_us=None,
        trail="[]",
        recovered=False,
        label="minds-1",
    )
    return record._replace(**changes)  # type: ignore[arg-type]
