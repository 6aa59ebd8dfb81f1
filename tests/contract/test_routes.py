"""
Who serves what: the pipeline, the documents and `/docs` name the same desks and native routes.

test_docs compares matrix and endpoints with the documents; tests/journeys/test_matrix.py asks a running gateway.
"""

import io
import re
from typing import Any

import pytest_asyncio

from app.domain.configuration import Configuration
from app.main.gateway import build
from app.protocol import endpoints
from app.protocol.native_paths import NativeRoute
from app.telemetry.logs import make_log
from app.upstreams.capabilities import MATRIX, SERVED
from app.upstreams.native_routes import NATIVE_ROUTES
from tests.contract.test_docs import control_plane, table, words

EVERY = {"GET", "POST", "PUT", "PATCH", "DELETE"}

# --- who answers ------------------------------------------------------------------------------------------------------


@pytest_asyncio.fixture
async def pipeline() -> Any:
    """What a gateway without upstreams calls."""
    made = build(Configuration(), make_log("json", io.StringIO()))
    return made.app.data_plane._pipeline


async def test_every_capability_that_is_served_has_somebody_who_serves_it(pipeline):
    own = set(endpoints.routes_by_capability()) - set(MATRIX)

    assert SERVED | own | {"native"} == set(pipeline._served)


async def test_the_desks_are_those_that_the_life_of_a_request_names(pipeline):
    lines = table("docs/life-of-a-request.md", "desks")
    named = {capability: words(file)[0] for said, file, _ in lines for capability in words(said)}
    files = {
        capability: f"{type(desk).__module__.replace('.', '/')}.py"
        for capability, desk in pipeline._steps.desks.items()
    }

    assert set(pipeline._served) - {"chat.create"} == set(named)
    # Uploads and the rest of `files` have a desk each, and two lines.
    assert {**files, "files": named["files"]} == {name: named[name] for name in files}


# --- native routes ----------------------------------------------------------------------------------------------------


def native_rows() -> list[tuple[str, str, str]]:
    """Each native route as the page has it: its dialect, class and words."""
    return [
        (dialect, f"{row.kind}, with" if row.is_shared else row.kind, words_of(row))
        for dialect, routes in NATIVE_ROUTES.items()
        for row in routes
    ]


def words_of(row: NativeRoute) -> str:
    methods = "*" if set(row.methods) == EVERY else ",".join(row.methods)
    return f"{methods} {row.path}"


def test_the_native_routes_of_the_page_are_those_of_the_table():
    stated = [
        (words(dialect)[0], kind.split(" `")[0], route)
        for dialect, kind, routes, _ in table("docs/upstreams.md", "native")
        for route in words(routes)
        if " " in route
    ]

    assert sorted(native_rows()) == sorted(stated)


def test_the_page_of_docs_names_every_native_route():
    shown = control_plane().openapi()["paths"]["/v1/capabilities"]["get"]["description"]
    lines = [
        (d, f"`{row.path}`", row.kind) for d, routes in NATIVE_ROUTES.items() for row in routes
    ]

    assert lines
    for dialect, path, kind in lines:
        assert re.search(rf"^\| {dialect} \| [^|]+ \| {re.escape(path)} \| {kind} \|$", shown, re.M)
