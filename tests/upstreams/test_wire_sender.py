"""The wire's errors in the gateway's words: none is forgotten, and each says whose fault it is."""

import pytest

from app.domain.errors import (
    Overloaded,
    UpstreamDisconnected,
    UpstreamError,
    UpstreamMalformed,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from app.upstreams.deadlines import Deadlines
from app.upstreams.wire_sender import ERRORS, gateway_error
from app.wire import errors
from app.wire.errors import CutBeforeHead, HeadLate, TotalLate, WireError

DEADLINES = Deadlines("up", 3.0, 103.0, 12.0, 18.0, 118.0)


def all_below(kind: type[WireError]) -> set[type[WireError]]:
    found = set(kind.__subclasses__())
    return found.union(*map(all_below, found))


def made(kind: type[WireError]) -> WireError:
    return CutBeforeHead(is_stale=False) if kind is CutBeforeHead else kind()


# What each branch of the tree becomes; whatever is below it, the same.
EXPECTED = {
    errors.NotConnected: UpstreamUnreachable,
    errors.NoConnectionFree: Overloaded,
    errors.Cut: UpstreamDisconnected,
    errors.Malformed: UpstreamMalformed,
    errors.Late: UpstreamTimeout,
}


def test_every_error_of_the_wire_stands_on_one_branch():
    public = {kind for name, kind in vars(errors).items() if isinstance(kind, type)} - {WireError}

    assert public == all_below(WireError)
    assert set(EXPECTED) == set(WireError.__subclasses__())


@pytest.mark.parametrize("kind", sorted(all_below(WireError), key=str), ids=lambda kind: kind.__name__)  # fmt: skip
@pytest.mark.parametrize("deadlines", [DEADLINES, None], ids=["with deadlines", "without"])
def test_every_error_of_the_wire_has_a_name_above_it(kind, deadlines):
    error = gateway_error("up", deadlines, made(kind))

    [branch] = [each for each in EXPECTED if issubclass(kind, each)]
    assert EXPECTED[branch] is type(error)
    assert "'up'" in error.message


def test_each_branch_has_its_row():
    assert set(EXPECTED) == set(ERRORS)


@pytest.mark.parametrize(
    ("kind", "phase", "words"),
    [
        (HeadLate, "first_byte", "within 3 seconds"),
        (TotalLate, "total", "within 18 seconds"),
        (errors.WriteStuck, "idle", "took nothing of the request"),
    ],
)
def test_f48_a_deadline_says_which_it_was(kind, phase, words):
    error = gateway_error("up", DEADLINES, kind())

    assert isinstance(error, UpstreamTimeout)
    assert phase == error.phase
    assert words in error.message


@pytest.mark.parametrize("kind", sorted(all_below(errors.NotConnected), key=str))
def test_what_was_not_connected_was_not_asked(kind):
    """Reliability R6: it may be tried elsewhere."""
    error = gateway_error("up", None, kind())

    assert isinstance(error, UpstreamError)
    assert not error.upstream_asked
