"""A usage record in which everything stands, for tests to change."""

from app.domain.ledger import UsageRecord

RECORD = UsageRecord(
    id="req_1",
    at_ms=1_700_000_000_123,
    key_id="key_1",
    team_id="team_1",
    endpoint="chat.create",
    model="fast",
    upstream="sun",
    upstream_model="sun-1",
    stream=True,
    status=200,
    outcome="complete",
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
    sent_us=900,
    answered_us=190_000,
    trail="[]",
    recovered=False,
    label="sun-1",
)
