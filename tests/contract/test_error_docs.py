"""docs/errors.md and the error tree agree: a code without a line fails, and so does a line for a code that is gone."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, get_args, get_type_hints

import pytest

from app.domain.errors import (
    ClientError,
    ClientGone,
    GatewayError,
    GatewayFault,
    RateLimited,
    UpstreamAnswered,
)

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "errors.md"

# Roots of the tree, and the two that have no status of their own or nobody to read it.
UNDOCUMENTED = {GatewayError, ClientError, GatewayFault, ClientGone, UpstreamAnswered}
# An error of which each one says its type.
TYPES = {RateLimited: set(get_args(get_type_hints(RateLimited.__init__)["type"]))}
# What no reply of ours carries: simulators speak for upstreams.
OUTSIDE = {"simulators"}


class Line(NamedTuple):
    """One row of the page's table; *code* None is `null`; *type* may be several."""

    status: str
    code: str | None
    type: str
    when: str
    fault: str
    advice: str
    retried: str

    @property
    def types(self) -> set[str]:
        return set(re.findall(r"\w+", self.type))


def lines() -> list[Line]:
    table = PAGE.read_text(encoding="utf-8").split("<!-- errors:begin -->")[1]
    rows = table.split("<!-- errors:end -->")[0].strip().splitlines()[2:]
    cells = [[cell.strip().strip("`") for cell in row.strip("|").split(" | ")] for row in rows]
    return [Line(status, None if code == "null" else code, *rest) for status, code, *rest in cells]


def tree(root: type[GatewayError] = GatewayError) -> Iterator[type[GatewayError]]:
    yield root
    for kind in root.__subclasses__():
        yield from tree(kind)


def documented_kinds() -> list[type[GatewayError]]:
    return [
        kind for kind in tree() if kind not in UNDOCUMENTED and kind.__module__.startswith("app.")
    ]


def codes_in(text: str) -> Iterator[str]:
    """Every `code="…"` that a call passes."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg == "code" and isinstance(keyword.value, ast.Constant):
                    yield str(keyword.value.value)


def codes_in_use() -> set[str | None]:
    passed = {
        code
        for path in sorted((ROOT / "app").rglob("*.py"))
        if not OUTSIDE & set(path.parts)
        for code in codes_in(path.read_text(encoding="utf-8"))
    }
    return passed | {kind.code for kind in documented_kinds()}


def test_every_code_has_its_line():
    assert codes_in_use() - {line.code for line in lines()} == set()


def test_no_line_names_a_code_that_is_gone():
    assert {line.code for line in lines()} - codes_in_use() == set()


@pytest.mark.parametrize("kind", documented_kinds(), ids=lambda kind: kind.__name__)
def test_every_error_of_the_tree_stands_with_its_status_and_type(kind):
    found = [line for line in lines() if line.code == kind.code]

    types = TYPES.get(kind, {kind.type})
    assert any(status_matches(line, kind.status) and line.types == types for line in found)


@pytest.mark.parametrize("kind", documented_kinds(), ids=lambda kind: kind.__name__)
def test_the_page_says_whether_it_is_retried(kind):
    line = next(
        line for line in lines() if line.code == kind.code and status_matches(line, kind.status)
    )

    # OpenAI's SDKs repeat 408, 409, 429 and everything from 500 up, unless x-should-retry says no (contract G1).
    repeats = kind.status in (408, 409, 429) or kind.status >= 500
    assert (line.retried != "no") == (repeats and kind.should_retry is not False)


def status_matches(line: Line, status: int) -> bool:
    return str(status) in line.status.split(", ") or (line.status == "5xx" and 500 <= status < 600)


def test_every_line_is_complete():
    for line in lines():
        assert re.fullmatch(r"[45](\d\d|xx)(, [45]\d\d)*", line.status), line
        assert line.types <= {
            *("invalid_request_error", "server_error", "insufficient_quota"),
            *("rate_limit_error", "requests", "tokens"),
        }, line
        assert line.fault in {"client", "upstream", "gateway"}, line
        assert line.retried in {"yes", "no", "waits"}, line
        assert line.when, line
        assert line.advice, line


def test_no_code_stands_twice_for_the_same_fault():
    codes = [(line.code or line.status, line.fault) for line in lines()]

    assert len(codes) == len(set(codes))


def test_a_code_without_a_line_would_be_seen():
    assert list(codes_in('raise InvalidRequest("m", code="brand_new")')) == ["brand_new"]
