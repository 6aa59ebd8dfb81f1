"""docs/admin-api.md and the admin API's own description agree: every route, field and query parameter has its line, and
no line names one that is gone."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.admin import AdminPlane

PAGE = Path(__file__).parents[2] / "docs" / "admin-api.md"

TABLE = re.compile(r"^<!-- (fields|query): (.*?) -->\n((?:\|.*\n)+)", re.MULTILINE)
ROUTE = re.compile(r"^\| `((?:GET|POST|PATCH|DELETE) [^`]+)` \|", re.MULTILINE)
ROW = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)

# What the page of errors describes.
ELSEWHERE = {"ErrorReply", "ErrorDetail"}


def tables(kind: str) -> dict[str, set[str]]:
    """What the page says: schema or route → the fields or parameters of all tables that name it."""
    found: dict[str, set[str]] = {}
    for what, names, rows in TABLE.findall(PAGE.read_text(encoding="utf-8")):
        if what == kind:
            for name in names.split(", " if kind == "query" else " "):
                found.setdefault(name, set()).update(ROW.findall(rows))
    return found


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """The whole description, the data plane's part included."""
    return AdminPlane().app.openapi()


def operations(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in schema["paths"].items():
        if path.startswith("/admin/"):
            for method, operation in methods.items():
                yield f"{method.upper()} {path}", operation


def schemas_of(schema: dict[str, Any]) -> set[str]:
    """The names of all schemas that the admin routes speak of."""
    known = schema["components"]["schemas"]
    seen: set[str] = set()
    waiting = [str(operation) for _, operation in operations(schema)]
    while waiting:
        for name in set(re.findall(r"#/components/schemas/(\w+)", waiting.pop())) - seen:
            seen.add(name)
            waiting.append(str(known[name]))
    return seen - ELSEWHERE


def test_every_route_has_its_line_and_every_line_its_route(schema):
    stated = ROUTE.findall(PAGE.read_text(encoding="utf-8"))

    assert sorted(route for route, _ in operations(schema)) == sorted(stated)


def test_every_field_has_its_line_and_every_line_its_field(schema):
    known = schema["components"]["schemas"]
    described = {
        name: set(known[name]["properties"])
        for name in schemas_of(schema)
        if "properties" in known[name]
    }

    assert described == tables("fields")


def test_every_query_parameter_has_its_line_and_every_line_its_parameter(schema):
    described = {
        route: taken
        for route, operation in operations(schema)
        if (
            taken := {
                row["name"] for row in operation.get("parameters", []) if row["in"] == "query"
            }
        )
    }

    assert described == tables("query")


def test_every_operation_says_what_it_does_and_wants_a_key(schema):
    silent = [
        route
        for route, operation in operations(schema)
        if not operation.get("description") or operation.get("security") != [{"AdminKey": []}]
    ]

    assert [] == silent


def test_no_operation_shows_the_frameworks_own_error(schema):
    shown = [
        route
        for route, operation in operations(schema)
        if "422" in operation["responses"] or "default" not in operation["responses"]
    ]

    assert [] == shown
