"""Nobody grants more than they have (reliability S14)."""

import re
from fnmatch import translate
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.access.subsets import covers, first_above, first_uncovered
from app.domain.limits import Limits

LETTERS = "ab]-!"
NAMES = ["".join(name) for size in range(5) for name in product(LETTERS, repeat=size)]
tokens = st.sampled_from([*"ab*?]-", "*", "[ab]", "[!a]", "[", "[]a]", "[!]]", "[a-b]", "[b-a]"])
patterns = st.lists(tokens, max_size=5).map("".join)


def matched(pattern: str) -> set[str]:
    return set(filter(re.compile(translate(pattern)).match, NAMES))


@settings(max_examples=1000, deadline=None)
@given(patterns, patterns)
def test_covered_is_never_said_when_some_name_is_the_keys_and_not_the_teams(wide, narrow):
    if covers(wide, narrow):
        assert set() == matched(narrow) - matched(wide)


@settings(max_examples=300, deadline=None)
@given(patterns)
def test_a_name_is_covered_exactly_when_it_matches(wide):
    plain = [name for name in NAMES if "[" not in name]

    assert matched(wide) == {name for name in plain if covers(wide, name)}


@settings(deadline=None)
@given(patterns)
def test_a_pattern_covers_itself_and_a_star_covers_all(pattern):
    assert covers("*", pattern)
    assert first_uncovered([pattern], [pattern]) is None


@pytest.mark.parametrize(
    ("team", "key", "uncovered"),
    [
        pytest.param((), ("*",), None, id="a team without patterns has all"),
        pytest.param(("gpt-*",), (), None, id="a key without patterns takes its team's"),
        pytest.param(("gpt-*",), ("gpt-4o",), None, id="a name within"),
        pytest.param(("gpt-*",), ("gpt-4*",), None, id="a pattern within"),
        pytest.param(("gpt-*",), ("*",), "*", id="more than the team has"),
        pytest.param(("gpt-*",), ("gpt*",), "gpt*", id="a dash less is more"),
        pytest.param(("*-mini",), ("gpt-*-mini",), None, id="the end alone is bound"),
        pytest.param(("*-mini",), ("gpt-*",), "gpt-*", id="the end is not bound"),
        pytest.param(("a", "b"), ("b", "a"), None, id="names in any order"),
        pytest.param(("a", "b"), ("[ab]",), "[ab]", id="what only two cover together is refused"),
        pytest.param(("openmind/*",), ("openmind/gpt-*", "local/x"), "local/x", id="the second"),
        pytest.param(("gpt-?",), ("gpt-[34]",), None, id="a set is one letter"),
        pytest.param(("gpt-[345]",), ("gpt-4",), None, id="a letter of a set"),
        pytest.param(("gpt-[345]",), ("gpt-?",), "gpt-?", id="any letter is more than a set"),
        pytest.param(("GPT-*",), ("gpt-4",), "gpt-4", id="letters have their case"),
        pytest.param(("a**b",), ("a*b",), None, id="two stars are one"),
        pytest.param(("*a" * 128,), ("*a" * 127 + "*",), "*a" * 127 + "*", id="long ones end soon"),
    ],
)
def test_the_patterns_of_a_key_lie_within_its_teams(team, key, uncovered):
    assert uncovered == first_uncovered(key, team)


TEAM = Limits(rpm=60, tpm=1000, concurrency=5, budget_nano=100, budget_tokens=50, max_tokens=10,
              budget_period="month")  # fmt: skip


@pytest.mark.parametrize(
    ("own", "above"),
    [
        pytest.param(Limits(), None, id="none of its own"),
        pytest.param(TEAM, None, id="all as its team"),
        pytest.param(Limits(rpm=61), "rpm", id="rpm"),
        pytest.param(Limits(tpm=1001), "tpm", id="tpm"),
        pytest.param(Limits(concurrency=6), "concurrency", id="concurrency"),
        pytest.param(Limits(max_tokens=11), "max_tokens", id="max_tokens"),
        pytest.param(Limits(budget_nano=101, budget_period="month"), "budget_usd", id="a budget"),
        pytest.param(Limits(budget_tokens=51, budget_period="day"), "budget_tokens", id="a day's"),
        pytest.param(
            Limits(budget_nano=101, budget_period="total"), None, id="for ever, not a month"
        ),
        pytest.param(
            Limits(budget_nano=100, budget_period="day"), None, id="the same, but each day"
        ),
    ],
)
def test_the_limits_of_a_key_lie_within_its_teams(own, above):
    assert above == first_above(own, TEAM)
    assert first_above(own, Limits()) is None
