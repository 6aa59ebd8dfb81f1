"""
Nobody grants more than they have: whether a key's patterns and limits lie within its team's (reliability S14).

A pattern counts as covered only when one pattern of the team matches all that it matches: what is not sure is refused.
"""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from app.domain.limits import Limits, Period

_STAR = "*"
_ANY_LETTER = "?"
# Each is at least as long as those before it.
_PERIODS: tuple[Period, ...] = ("day", "week", "month", "total")


def first_uncovered(patterns: Iterable[str], team_patterns: Sequence[str]) -> str | None:
    """The first of *patterns* that matches what no team pattern surely matches; None when all are covered.

    A team without patterns has all models. A key without patterns takes its team's.
    """
    if not team_patterns:
        return None
    wide = [_Wide(pattern) for pattern in team_patterns]
    for pattern in patterns:
        tokens = _tokens(pattern)
        if not any(one.covers(tokens) for one in wide):
            return pattern
    return None


def covers(wide: str, narrow: str) -> bool:
    """True only when every name that *narrow* matches is matched by *wide*; both as `fnmatch` reads them."""
    return _Wide(wide).covers(_tokens(narrow))


def first_above(limits: Limits, team: Limits) -> str | None:
    """The first limit that is higher than the team's where both have one; None when there is none.

    A budget is above when it is larger for a period that is no longer: 10 a month lies within 5 a day.
    """
    pairs = [
        ("rpm", limits.rpm, team.rpm),
        ("tpm", limits.tpm, team.tpm),
        ("concurrency", limits.concurrency, team.concurrency),
        ("max_tokens", limits.max_tokens, team.max_tokens),
    ]
    if _PERIODS.index(limits.budget_period) <= _PERIODS.index(team.budget_period):
        pairs += [
            ("budget_usd", limits.budget_nano, team.budget_nano),
            ("budget_tokens", limits.budget_tokens, team.budget_tokens),
        ]
    for name, own, teams in pairs:
        if own is not None and teams is not None and own > teams:
            return name
    return None


class _Wide:
    """A pattern that may cover others. Sets of its places are numbers: bit i is its token i."""

    def __init__(self, pattern: str) -> None:
        tokens = _tokens(pattern)
        self._end = 1 << len(tokens)
        self._stars = _bits(token == _STAR for token in tokens)
        self._any = _bits(token == _ANY_LETTER for token in tokens)
        self._letter_sets = {token for token in tokens if len(token) > 1}
        self._places: dict[str, int] = {}
        for place, token in enumerate(tokens):
            self._places[token] = self._places.get(token, 0) | 1 << place
        self._takers: dict[str, int] = {_STAR: 0}

    def covers(self, tokens: Iterable[str]) -> bool:
        """Walks *tokens* through this pattern as letters would be: *behind* has bit i where all so far may be taken by
        the first i tokens. A star may take anything, a star too, and also nothing."""
        stars = self._stars
        behind = 1 | (1 & stars) << 1
        for token in tokens:
            takers = self._takers.get(token)
            if takers is None:
                takers = self._takers[token] = self._taking(token)
            behind = behind & stars | (behind & takers) << 1
            behind |= (behind & stars) << 1  # once: two stars never stand side by side
            if not behind:
                return False
        return bool(behind & self._end)

    def _taking(self, token: str) -> int:
        """Where a token stands, stars aside, that matches every letter that *token*, no star, matches."""
        takers = self._any | self._places.get(token, 0)
        if len(token) == 1 and token != _ANY_LETTER:
            for letters in self._letter_sets:
                if fnmatchcase(token, letters):
                    takers |= self._places[letters]
        return takers


def _bits(flags: Iterable[bool]) -> int:
    return sum(1 << place for place, flag in enumerate(flags) if flag)


def _tokens(pattern: str) -> list[str]:
    """Letters, `?`, `*` (never two in a row) and sets with their brackets, told apart as `fnmatch` does."""
    tokens: list[str] = []
    place = 0
    while place < len(pattern):
        end = place + 1
        if pattern[place] == "[":
            end = _set_end(pattern, place)
        token = pattern[place:end]
        if not (token == _STAR and tokens[-1:] == [_STAR]):
            tokens.append(token)
        place = end
    return tokens


def _set_end(pattern: str, start: int) -> int:
    """Behind the bracket that closes the set; behind the opening one where nothing closes it: then it is a letter."""
    first = start + 1
    if pattern[first : first + 1] == "!":
        first += 1
    closing = pattern.find("]", first + 1)  # one that stands first is a letter of the set
    return start + 1 if closing < 0 else closing + 1
