"""What a key may learn about itself, and nothing about another (`GET /v1/me`, `GET /v1/requests/{id}`; S16)."""

import json

import pytest
from msgspec.structs import replace

from app.api.openai_surface import Me, Receipt
from app.domain.errors import ObjectNotFound
from app.domain.exchange import Exchange
from app.domain.ledger import UsageRecord
from app.domain.limits import Ask, Limits, Scope, Spent
from app.domain.outcome import Outcome
from app.domain.principal import Principal
from app.limits.admission import Reservation
from app.protocol.targets import read_target
from app.proxy.call import Call
from app.proxy.reply import Reply
from app.proxy.self_service import RecentFailures, SelfService
from tests.fakes.billing import admission_of, billing_of
from tests.fakes.clients import FakeClient
from tests.fakes.clock import Clock
from tests.fakes.exchanges import exchange_with
from tests.fakes.records import RECORD as RECORD_OF_ALL

KEY = Scope("key", "key_1", "ci", Limits(rpm=10, budget_nano=2_000_000_000, budget_period="month"))
TEAM = Scope("team", "team_1", "research", Limits(concurrency=3))
CALLER = Principal("ci", key_id="key_1", team="research", team_id="team_1", scopes=(KEY, TEAM))

RECORD = replace(
    RECORD_OF_ALL,
    upstream="two",
    upstream_model="m-2",
    attempts=2,
    input_tokens=10,
    cached_input_tokens=4,
    output_tokens=5,
    cost_nano=12_500,
    duration_us=2_000_000,
    ttft_us=400_000,
    sent_us=300_000,
    answered_us=390_000,
    trail='[["one","m-1","upstream_unreachable",100000,250000]]',
)


class FakeReceipts:
    """Records that are there at once, and others that a flush brings."""

    def __init__(self, *unshipped: UsageRecord) -> None:
        self.found: dict[str, UsageRecord] = {}
        self.unshipped = unshipped

    async def record(self, record_id: str) -> UsageRecord | None:
        return self.found.get(record_id)

    async def flush(self) -> None:
        self.found |= {one.id: one for one in self.unshipped}


def asking(path: str, caller: Principal = CALLER) -> Call:
    clock, client = Clock(), FakeClient("GET", path)
    exchange = Exchange("req_9", "GET", "requests.get", clock())
    reply = Reply(client, exchange, clock, billing_of(clock))
    return Call(client, read_target(path, {}), None, caller, exchange, reply)


def service(*records: UsageRecord) -> SelfService:
    receipts = FakeReceipts(*records)
    return SelfService(admission_of(Clock()), RecentFailures(), receipts, receipts.flush)


async def test_me_tells_what_is_left_and_what_was_spent():
    admission = admission_of(Clock())
    held = admission.admit(CALLER, Ask(1, 100, 500_000_000, 1), "m", "a")
    assert isinstance(held, Reservation)
    admission.settle(held, Spent(1, 40, 250_000_000))
    failures = RecentFailures()

    found = json.loads(SelfService(admission, failures, None, None).me(CALLER, ["fast", "m"]))

    assert ("me", "ci", "research", ["fast", "m"]) == (
        found["object"],
        found["name"],
        found["team"],
        found["models"],
    )
    key, team = found["scopes"]
    assert ("key", "key_1", "team", "team_1") == (key["type"], key["id"], team["type"], team["id"])
    assert {"used": 1, "limit": 10, "remaining": 9} == {
        name: key["limits"]["rpm"][name] for name in ("used", "limit", "remaining")
    }
    assert key["limits"]["rpm"]["reset_at"].endswith("Z")
    assert (0.25, 2, 1.75) == tuple(
        key["limits"]["budget_usd"][name] for name in ("used", "limit", "remaining")
    )
    assert {"cost_usd": 0.25, "tokens": 40} == key["spend"]["day"] == team["spend"]["total"]
    assert team["limits"]["concurrency"]["used"] == 0


def test_the_last_failures_are_the_key_s_own_and_bounded():
    failures = RecentFailures()
    for number in range(25):
        one = exchange_with(f"req_{number}", "POST", "chat.create", 0.0, caller=CALLER, status=502)
        one.outcome, one.error_code = Outcome.UPSTREAM_ERROR, "upstream_malformed"
        failures.note(one)
    failures.note(
        exchange_with("req_x", "POST", "chat.create", 0.0, caller=Principal("o", key_id="k2"))
    )
    failures.note(Exchange("req_y", "POST", "chat.create", 0.0))

    mine = failures.of("key_1")

    assert [f"req_{number}" for number in range(24, 14, -1)] == [one["id"] for one in mine]
    assert (502, "upstream_error", "upstream_malformed") == (
        mine[0]["status"],
        mine[0]["outcome"],
        mine[0]["code"],
    )
    assert [one["id"] for one in failures.of("k2")] == ["req_x"]


async def test_a_receipt_has_the_time_line_the_attempts_and_the_price():
    found = json.loads(await service(RECORD).receipt(asking("/v1/requests/req_1")))

    assert {
        "received_seconds": 0,
        "upstream_asked_seconds": 0.3,
        "upstream_answered_seconds": 0.39,
        "first_byte_seconds": 0.4,
        "finished_seconds": 2.0,
    } == found["timeline"]
    assert [
        ("one", "m-1", "upstream_unreachable", 0.1, 0.25),
        ("two", "m-2", "answered", 0.3, 2.0),
    ] == [tuple(attempt.values()) for attempt in found["attempts"]]
    assert {
        "input_tokens": 10,
        "cached_input_tokens": 4,
        "output_tokens": 5,
        "source": "upstream",
    } == found["usage"]
    assert ("2023-11-14T22:13:20.123Z", 0.0000125) == (found["created_at"], found["cost_usd"])


@pytest.mark.parametrize(
    ("path", "caller"),
    [
        pytest.param("/v1/requests/req_2", CALLER, id="unknown"),
        pytest.param("/v1/requests/req_1", Principal("o", key_id="key_2"), id="another key's"),
        pytest.param(
            "/v1/requests/req_1",
            Principal("mate", key_id="key_3", team_id="team_1"),
            id="a team mate's",
        ),
        pytest.param("/v1/requests/req_1", Principal("anyone"), id="a caller without a key"),
    ],
)
async def test_s16_another_s_exchange_is_not_there(path, caller):
    with pytest.raises(ObjectNotFound) as caught:
        await service(RECORD).receipt(asking(path, caller))

    assert (404, "id") == (caught.value.status, caught.value.param)


async def test_without_a_ledger_there_are_no_receipts():
    with pytest.raises(ObjectNotFound):
        await SelfService(admission_of(Clock()), RecentFailures(), None, None).receipt(
            asking("/v1/requests/req_1")
        )


async def test_the_documentation_describes_both_answers():
    """`/docs`: every member that is sent, and none besides."""
    receipt = json.loads(await service(RECORD).receipt(asking("/v1/requests/req_1")))
    me = json.loads(service().me(CALLER, ["m"]))

    assert Receipt.model_validate(receipt).model_dump() == receipt
    assert Me.model_validate(me).model_dump() == me
