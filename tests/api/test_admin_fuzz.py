"""Whatever is sent to the admin API: never a 500, and a refusal leaves everything as it was (reliability S14, S31)."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.api.admin_bodies import KeyCreate
from tests.fakes.admin import AdminPlane

FIELDS = [*KeyCreate.model_fields, "id", "key", "grace_seconds", "source", ""]
NUMBERS = (
    st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from([0, 1, 600, 2**53, 2**63, 1e300, 1e-10])
)
TEXTS = st.text(max_size=300) | st.sampled_from(
    ["day", "own", "use", "2027-01-01", "research", "' OR 1=1 --", "\ud800", "\0"]
)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
# Often right, so that much comes as far as the desks.
RIGHT = st.fixed_dictionaries(
    {"name": st.text(min_size=1, max_size=20)},
    optional={
        "rpm": st.integers(0, 1000),
        "budget_usd": st.decimals(0, 10**10, places=10).map(float),
        "models": st.lists(st.text(max_size=10), max_size=3),
        "labels": st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
        "expires_at": st.datetimes().map(str),
        "team": st.sampled_from(["research", "team_1", "none"]),
    },
)
BODIES = RIGHT | st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=5) | VALUES
CALLS = [
    ("POST", "keys"),
    ("PATCH", "keys/key_1"),
    ("POST", "keys/key_1/rotate"),
    ("POST", "teams"),
    ("PATCH", "teams/team_1"),
]
BOUNDED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)


def hold(plane: AdminPlane, method: str, path: str, **sent: Any) -> None:
    before = plane.desks.snapshot()
    reply = asyncio.run(plane.ask(path, method, **sent))

    assert reply.status_code < 500, reply.text
    if reply.status_code >= 400:
        assert before == plane.desks.snapshot()
        assert set(reply.json()["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_no_body_breaks_it(method, path):
    plane = AdminPlane()

    @BOUNDED
    @given(BODIES)
    def hold_for(body: object) -> None:
        plane.seed()
        hold(plane, method, path, content=json.dumps(body).encode())

    hold_for()


@pytest.mark.parametrize(("method", "path"), CALLS[:3])
def test_no_bytes_break_it(method, path):
    plane = AdminPlane()

    @BOUNDED
    @given(
        st.binary(max_size=200) | st.text('{}[]":,\\ue0+-.1naultrfs', max_size=60).map(str.encode)
    )
    def hold_for(content: bytes) -> None:
        plane.seed()
        hold(plane, method, path, content=content)

    hold_for()


NAMES = ["limit", "after", "group_by", "since", "until", "key", "team", "model", "upstream"]
NAMES += ["format", "outcome", "scope", "x"]


@pytest.mark.parametrize("path", ["keys", "teams", "usage", "records", "limits", "prices", "audit"])
def test_no_query_breaks_it(path):
    plane = AdminPlane()

    @BOUNDED
    @given(st.lists(st.tuples(st.sampled_from(NAMES), st.binary(max_size=40)), max_size=4))
    def hold_for(query: list[tuple[str, bytes]]) -> None:
        plane.seed()
        written = "&".join(f"{name}={''.join(f'%{b:02x}' for b in text)}" for name, text in query)
        hold(plane, "GET", f"{path}?{written}")

    hold_for()
