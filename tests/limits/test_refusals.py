"""A refusal in OpenAI's words: which limit of whom, and whether waiting helps (contract F36 to F40)."""

import pytest

from app.domain.errors import QuotaExceeded, RateLimited
from app.domain.limits import NANO, NO_LIMITS, Ask, Limits
from tests.limits.gate import Gate, principal_of

QUOTA = "You exceeded your current quota, please check your plan and billing details."


@pytest.mark.parametrize(
    ("limits", "taken", "ask", "expected"),
    [
        pytest.param(
            Limits(rpm=500),
            Ask(500),
            Ask(1),
            "Rate limit reached for gpt-4o in key ci on requests per min (RPM): "
            "Limit 500, Used 500, Requested 1. Please try again in 120ms.",
            id="F36: requests a minute",
        ),
        pytest.param(
            Limits(tpm=30000),
            Ask(1, 15532),
            Ask(1, 14655),
            "Rate limit reached for gpt-4o in key ci on tokens per min (TPM): "
            "Limit 30000, Used 15532, Requested 14655. Please try again in 374ms.",
            id="F37: tokens a minute",
        ),
        pytest.param(
            Limits(tpm=60000),
            Ask(1, 60000),
            Ask(1, 1234),
            "Rate limit reached for gpt-4o in key ci on tokens per min (TPM): "
            "Limit 60000, Used 60000, Requested 1234. Please try again in 1.234s.",
            id="F37: a wait of more than a second",
        ),
        pytest.param(
            Limits(rpm=1),
            Ask(1),
            Ask(1),
            "Rate limit reached for gpt-4o in key ci on requests per min (RPM): "
            "Limit 1, Used 1, Requested 1. Please try again in 60s.",
            id="F36: a wait of a minute is told in seconds",
        ),
        pytest.param(
            Limits(rpm=0),
            Ask(),
            Ask(1),
            "Rate limit reached for gpt-4o in key ci on requests per min (RPM): "
            "Limit 0, Used 0, Requested 1.",
            id="F36: no wait where none helps",
        ),
        pytest.param(
            Limits(tpm=30000),
            Ask(),
            Ask(1, 30062),
            "Request too large for gpt-4o in key ci on tokens per min (TPM): "
            "Limit 30000, Requested 30062. "
            "The input or output tokens must be reduced in order to run successfully.",
            id="F38: one request above all tokens of a minute",
        ),
        pytest.param(
            Limits(concurrency=20),
            Ask(slots=20),
            Ask(1, slots=1),
            "Too many concurrent requests for key ci: limit 20. Please try again in 1s.",
            id="F39: concurrency",
        ),
        pytest.param(
            Limits(concurrency=0),
            Ask(),
            Ask(1, slots=1),
            "Too many concurrent requests for key ci: limit 0.",
            id="F39: no wait where none helps",
        ),
        pytest.param(
            Limits(budget_nano=5 * NANO, budget_period="month"),
            Ask(1, 0, 4_999_700_000),
            Ask(1, 0, NANO // 2),
            f"{QUOTA} The budget of key ci is $5.00 this month: $4.9997 used or reserved, "
            "up to $0.50 requested. It begins anew on 2026-12-01 at 00:00 UTC.",
            id="F40: a budget in dollars",
        ),
        pytest.param(
            Limits(budget_tokens=1000, budget_period="day"),
            Ask(1, 990),
            Ask(1, 11),
            f"{QUOTA} The budget of key ci is 1000 tokens today: 990 tokens used or reserved, "
            "up to 11 tokens requested. It begins anew on 2026-11-24 at 00:00 UTC.",
            id="F40: a budget in tokens",
        ),
        pytest.param(
            Limits(budget_nano=3, budget_period="total"),
            Ask(1, 0, 3),
            Ask(1, 0, 1),
            f"{QUOTA} The budget of key ci is $0.000000003 in all: "
            "$0.000000003 used or reserved, up to $0.000000001 requested.",
            id="F40: a budget that never begins anew",
        ),
    ],
)
async def test_the_message_is(limits, taken, ask, expected):
    gate = Gate()
    await gate.admit(principal_of(limits), taken)

    error = await gate.refusal(principal_of(limits), ask)

    assert error is not None
    assert expected == error.message


@pytest.mark.parametrize(
    ("limits", "ask", "expected"),
    [
        pytest.param(Limits(rpm=5), Ask(1), ("requests", "rpm", 12.0, None), id="rpm"),
        pytest.param(Limits(tpm=50), Ask(1, 10), ("tokens", "tpm", 12.0, None), id="tpm"),
        pytest.param(Limits(tpm=50), Ask(1, 51), ("tokens", "tpm", None, False), id="too large"),
        pytest.param(
            Limits(concurrency=5),
            Ask(1, slots=1),
            ("requests", "concurrency", 1.0, None),
            id="slot",
        ),
    ],
)
@pytest.mark.parametrize("place", ["key", "team"])
async def test_a_rate_error_says_whose_and_how_long(limits, ask, expected, place):
    gate = Gate()
    principal = principal_of(limits) if place == "key" else principal_of(NO_LIMITS, limits)
    await gate.admit(principal, Ask(5, 50, 0, 5))

    error = await gate.refusal(principal, ask)

    assert isinstance(error, RateLimited)
    found = (error.type, error.limit, error.retry_after_seconds, error.should_retry)
    assert expected == found
    assert (429, "rate_limit_exceeded", place) == (error.status, error.code, error.scope)
    assert ("key ci" if place == "key" else "team red") in error.message


async def test_an_empty_budget_is_not_asked_again():
    gate = Gate()
    error = await gate.refusal(principal_of(NO_LIMITS, Limits(budget_nano=0)), Ask(1, 0, 1))

    assert isinstance(error, QuotaExceeded)
    assert ("team", "budget_usd", False) == (error.scope, error.limit, error.should_retry)
    assert ("insufficient_quota", "insufficient_quota") == (error.type, error.code)


@pytest.mark.parametrize(
    ("key", "team", "expected"),
    [
        pytest.param(
            Limits(rpm=6, tpm=100), NO_LIMITS, ("key", "tpm"), id="the longest wait is told"
        ),
        pytest.param(
            Limits(tpm=100), Limits(tpm=60), ("team", "tpm"), id="the team's, if it is longer"
        ),
        pytest.param(
            Limits(rpm=6), Limits(concurrency=6), ("key", "rpm"), id="a slot is soonest free"
        ),
        pytest.param(
            Limits(rpm=6),
            Limits(budget_nano=60),
            ("team", "budget_usd"),
            id="a budget before rates",
        ),
        pytest.param(
            Limits(budget_nano=60), Limits(tpm=9), ("team", "tpm"), id="too large before a budget"
        ),
        pytest.param(
            Limits(budget_nano=60),
            Limits(budget_nano=60),
            ("key", "budget_usd"),
            id="the key first",
        ),
    ],
)
async def test_of_several_limits_the_one_that_lasts_longest_is_told(key, team, expected):
    gate = Gate()
    roomy = principal_of(Limits(rpm=6, tpm=100), Limits(tpm=60 if team.tpm != 9 else None))
    await gate.admit(roomy, Ask(6, 60, 60, 6))

    error = await gate.refusal(principal_of(key, team), Ask(1, 60, 1, 1))

    assert error is not None
    assert expected == (error.scope, error.limit)


async def test_a_refusal_carries_the_rate_headers_as_pairs():
    gate = Gate()
    principal = principal_of(Limits(rpm=2, budget_nano=0))

    error = await gate.refusal(principal, Ask(1, 0, 1))

    assert error is not None
    expected = (
        (b"x-ratelimit-limit-requests", b"2"),
        (b"x-ratelimit-remaining-requests", b"2"),
        (b"x-ratelimit-reset-requests", b"0s"),
    )
    assert expected == error.relayed
