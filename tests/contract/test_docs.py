"""
The documents and the code say the same: what the code has stands in them, and what they name is there.

Settings are held by test_configuration_docs, error codes by test_error_docs; everything else is here.
"""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
import typer
from fastapi import FastAPI
from fastapi.routing import APIRoute
from typer.core import TyperGroup

from app.api.control_plane import ControlPlaneParts, Readiness, add_control_plane
from app.api.gatekeeper import Gatekeeper
from app.cli.main import app as command_line
from app.config.upstream_schema import DIALECT_FIELDS, Capability
from app.domain.errors import UpstreamAnswered, UpstreamRefusedCredential
from app.domain.exchange import Exchange
from app.domain.limits import Limits, Scope
from app.domain.outcome import Outcome
from app.domain.principal import Principal
from app.domain.usage import Usage
from app.limits.counters import LimitName
from app.protocol import endpoints
from app.protocol.endpoints import find_endpoint
from app.proxy.attempts import reason_of
from app.proxy.self_service import RecentFailures, SelfService, receipt_object
from app.telemetry.exchange_line import exchange_line
from app.telemetry.metrics import Metrics
from app.upstreams.capabilities import MATRIX, SERVED
from app.upstreams.dialect import DIALECTS
from app.upstreams.openmind_providers import TABLE
from tests.contract.test_configuration_docs import load
from tests.fakes.billing import admission_of
from tests.fakes.clock import Clock
from tests.fakes.exchanges import exchange_with
from tests.storage.records import a_record

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
# Every page; those of a decision keep the words of their day, so only their links are held.
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")])
DECISIONS = sorted(DOCS.glob("decisions/*.md"))
CONTEXT: Any = None  # of a command line nobody has typed

CODE = re.compile(r"`([^`\n]+)`")
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
PLACES = r"(?<![\w.])/(home|root|Users|tmp|opt)/"
REGISTRIES = (
    r"pypi|pythonhosted|npmjs|docker\.io|ghcr\.io|quay\.io|golang\.org|index-url|artifactory"
)


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def between(name: str, mark: str) -> str:
    return read(name).split(f"<!-- {mark}:begin -->")[1].split(f"<!-- {mark}:end -->")[0]


def rows(text: str) -> list[list[str]]:
    """The cells of each line of the tables in *text*, without the heads."""
    lines = [line.strip().strip("|") for line in text.splitlines() if line.startswith("|")]
    found = [[cell.strip() for cell in line.split("|")] for line in lines]
    rules = {n for n, row in enumerate(found) if set("".join(row)) <= set("-:")}
    return [row for n, row in enumerate(found) if n not in rules and n + 1 not in rules]


def table(name: str, mark: str) -> list[list[str]]:
    return rows(between(name, mark))


def section(name: str, heading: str) -> str:
    """The text below *heading*, up to the next of its level."""
    parts = re.split(r"^## ", read(name), flags=re.MULTILINE)
    return next(part.partition("\n")[2] for part in parts[1:] if part.partition("\n")[0] == heading)


def words(cell: str) -> list[str]:
    """The words in code type."""
    return CODE.findall(cell)


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


# --- commands -------------------------------------------------------------------------------------------------------


def commands() -> dict[str, set[str]]:
    """Every command with its options; those of a group by both names."""
    top = typer.main.get_command(command_line)
    assert isinstance(top, TyperGroup)
    known: dict[str, set[str]] = {}
    for name in top.list_commands(CONTEXT):
        found = top.get_command(CONTEXT, name)
        below = {f"{name} {part}": one for part, one in getattr(found, "commands", {}).items()}
        for path, command in (below or {name: found}).items():
            options = {option for parameter in command.params for option in parameter.opts}
            known[path] = {option for option in options if option.startswith("--")} - {"--help"}
    return known


def options_in(text: str) -> set[str]:
    return {word.split()[0] for word in words(text) if word.startswith("--")}


def test_every_command_has_its_line_with_its_options():
    stated: dict[str, set[str]] = {}
    for command, does, *_ in rows(section("docs/operations.md", "Start")):
        stated[words(command)[0].removeprefix("mindgate ")] = options_in(does)
    administration = rows(section("docs/operations.md", "Commands"))
    own = {
        words(line[0])[0].removeprefix("mindgate "): options_in(line[2])
        for line in administration
        if len(line) == 3
    }
    for options, of in (line for line in administration if len(line) == 2):
        for path in words(of) or own:
            own[path] |= options_in(options)

    assert own
    assert commands() == stated | own


def test_every_command_that_is_shown_is_there_with_the_options_it_is_given():
    known = commands()
    typed = re.findall(r"\bmindgate ((?:keys|teams|audit) \w+|[a-z]+)\b(.*)", shell())

    assert typed
    for path, rest in typed:
        assert set(re.findall(r"--[a-z-]+", rest)) <= known[path], path


def shell() -> str:
    """All that pages show as shell."""
    return "\n".join(
        body for page in PAGES for kind, body in FENCE.findall(text_of(page)) if kind[:2] == "sh"
    )


def test_every_path_of_the_control_plane_is_named():
    app = control_plane()
    paths = {found.removesuffix("/{name}") for found in control_paths(app)}
    stated = words(section("docs/architecture.md", "Two planes").replace("\n", " "))

    named = {word for word in stated if word.startswith("/")}
    assert (paths | {"/admin/v1"}) - {"/docs/start.js"} == named


def control_paths(app: FastAPI) -> Iterator[str]:
    for path in app.openapi()["paths"]:
        if not path.startswith("/v1/"):
            yield path
    for route in app.routes:
        if isinstance(route, APIRoute) and not route.path.startswith("/v1/"):
            yield route.path


def test_every_state_of_readiness_has_its_line():
    stated = [words(line[0])[0] for line in table("docs/operations.md", "readiness")]

    assert sorted(get_args(Readiness)) == sorted(stated)


# --- limits and self-service ----------------------------------------------------------------------------------------


def test_every_limit_that_may_refuse_has_its_line():
    stated = {words(line[0])[0] for line in table("docs/limits-and-budgets.md", "limits")}
    [counted] = [line for line in table("docs/metrics.md", "metrics") if "_limited_" in line[0]]
    limits = {*get_args(LimitName), "unpriced", "wrong_keys"}

    assert limits == stated
    assert limits <= set(words(counted[3]))


def shape(value: Any) -> Any:
    """The members of a JSON value, of a list those of its first one."""
    if isinstance(value, dict):
        return {name: shape(found) for name, found in value.items()}
    if isinstance(value, list):
        return [shape(found) for found in value[:1]]
    return None


def shown_object(kind: str) -> dict[str, Any]:
    shown = [
        json.loads(body) for form, body in blocks("docs/limits-and-budgets.md") if form == "json"
    ]
    [found] = [one for one in shown if one["object"] == kind]
    assert isinstance(found, dict)
    return found


def test_the_receipt_that_is_shown_has_its_members():
    receipt = json.loads(msgspec.json.encode(receipt_object(a_record())))

    assert shape(shown_object("exchange")) == shape(receipt)


def test_what_a_key_sees_of_itself_is_shown_with_its_members():
    limits = Limits(rpm=600, concurrency=20)
    scope = Scope("key", "key_1", "ci", limits)
    principal = Principal("ci", key_id="key_1", scopes=(scope,))
    failures = RecentFailures()
    failures.note(exchange_with("req_1", "POST", "chat.create", 0.0, caller=principal))
    me = SelfService(admission_of(Clock()), failures, None, None).me(principal, ["gpt-4o"])

    assert shape(shown_object("me")) == shape(json.loads(me))


# --- metrics, log and headers ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Declared:
    """A metric as the registry has it; *samples* are the names that PromQL knows."""

    name: str
    kind: str
    labels: tuple[str, ...]
    samples: frozenset[str]


def declared() -> list[Declared]:
    collectors = getattr(Metrics("0")._registry, "_collector_to_names", {})
    return [described(collector, names) for collector, names in collectors.items()]


def described(collector: Any, names: list[str]) -> Declared:
    family = next(iter(collector.describe()))
    name = f"{family.name}_total" if family.type == "counter" else family.name
    return Declared(name, family.type, tuple(collector._labelnames), frozenset({*names, name}))


def test_every_metric_has_its_line_with_exactly_its_labels():
    stated = {
        (words(name)[0], kind, tuple(words(labels)))
        for name, kind, labels, _ in table("docs/metrics.md", "metrics")
    }

    assert {(metric.name, metric.kind, metric.labels) for metric in declared()} == stated


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_names_a_metric_that_is_gone(page):
    known = frozenset().union(*(metric.samples for metric in declared()))
    named = set(re.findall(r"\bmindgate_[a-z_]+\b", text_of(page)))

    assert named - known == set()


def test_a_reason_is_a_word_of_ours_and_never_the_upstreams_own():
    own = UpstreamAnswered("m", status=400, type="t", code="whatever_an_upstream_says")
    renamed = UpstreamAnswered("m", status=429, type="t", code="rate_limit_exceeded")

    assert reason_of(own) == "refused"
    assert reason_of(renamed) == "rate_limit_exceeded"
    assert reason_of(UpstreamRefusedCredential("m")) == "upstream_auth_error"
    assert reason_of(KeyboardInterrupt()) == "abandoned"


def test_every_outcome_has_its_line():
    stated = [words(outcome)[0] for outcome, _ in table("docs/metrics.md", "outcomes")]

    assert [str(outcome) for outcome in Outcome] == stated


def full_exchange() -> Exchange:
    """An exchange that leaves nothing out of its line."""
    samples = {str: "x", bool: True, int: 1}
    values: dict[str, Any] = {
        field.name: next((value for kind, value in samples.items() if field.type is kind), 2.0)
        for field in fields(Exchange)
    }
    values |= {
        "received_at": 1.0,
        "caller": Principal("x"),
        "usage_source": "estimated",
        "dropped": ("x",),
        "usage": Usage(1, 1, 0),
        "outcome": Outcome.COMPLETE,
    }
    return exchange_with(**values)


@pytest.mark.interpreted  # the fields of what is compiled do not know their types
def test_every_field_of_the_log_line_has_its_line():
    stated = [words(name)[0] for name, _ in table("docs/metrics.md", "fields")]

    assert [*exchange_line(full_exchange(), 3.0), "event", "level", "timestamp"] == stated


@pytest.mark.interpreted  # likewise
def test_the_line_that_is_shown_holds_no_other_fields():
    [shown] = [json.loads(body) for kind, body in blocks("docs/metrics.md") if kind == "json"]

    assert set(shown) <= {*exchange_line(full_exchange(), 3.0), "event", "level", "timestamp"}


def test_every_header_of_ours_has_its_line():
    pattern = re.compile(r"x-mindgate-[a-z-]*[a-z]")
    used = {
        name for path in (ROOT / "app").rglob("*.py") for name in pattern.findall(text_of(path))
    }
    stated = {
        name
        for line in table("docs/metrics.md", "headers")
        for name in words(line[0])
        if name.startswith("x-mindgate-")
    }

    assert used == stated


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_names_a_header_that_is_gone(page):
    stated = {name for line in table("docs/metrics.md", "headers") for name in words(line[0])}

    assert set(re.findall(r"x-mindgate-[a-z-]*[a-z]", text_of(page))) - stated == set()


# --- upstreams ------------------------------------------------------------------------------------------------------


def matrix() -> list[list[str]]:
    return table("docs/upstreams.md", "matrix")


def test_the_matrix_equals_the_rows_of_the_dialects():
    cells = [
        [name, *(dialect.capabilities[name] for dialect in DIALECTS.values())]
        for name in MATRIX
        if name in SERVED
    ]

    assert cells == [[words(line[0])[0], *line[2:]] for line in matrix()]


def test_every_dialect_says_every_capability():
    assert [list(MATRIX)] * len(DIALECTS) == [list(one.capabilities) for one in DIALECTS.values()]


def test_the_columns_of_the_matrix_are_the_dialects():
    head = between("docs/upstreams.md", "matrix").strip().splitlines()[0]

    assert list(DIALECTS) == [cell.strip() for cell in head.strip("|").split("|")][2:]


def test_the_routes_of_the_matrix_are_those_of_the_endpoint_table():
    routes = endpoints.routes_by_capability()

    assert {name: list(routes[name]) for name in SERVED} == {
        words(line[0])[0]: words(line[1]) for line in matrix()
    }


def test_each_route_of_the_matrix_is_the_one_that_asks_for_it():
    for line in matrix():
        for route in words(line[1]):
            method, path = route.split(" /v1/")
            endpoint = find_endpoint(tuple(path.split("/")))

            assert endpoint is not None
            assert endpoint.capabilities["GET" if method == "*" else method] == words(line[0])[0]


def test_the_page_of_docs_shows_every_route_that_is_served_and_no_other():
    routes = endpoints.routes_by_capability()
    own = set(routes) - set(get_args(Capability))
    served = {route for name in {*SERVED, *own} for route in routes[name]}
    paths = control_plane().openapi()["paths"]
    shown = {
        f"* {path}" if "families" in operation["tags"] else f"{method.upper()} {path}"
        for path, methods in paths.items()
        for method, operation in methods.items()
        if path.startswith("/v1/")
    }

    assert served == shown


def control_plane() -> FastAPI:
    app = FastAPI()
    keeper = Gatekeeper(is_open=True, metrics_token=None, admin_key=None)
    add_control_plane(app, ControlPlaneParts("0", lambda: "ok", lambda: b"", keeper, lambda: ""))
    return app


def test_the_routes_that_no_upstream_serves_are_named():
    stated = words(between("docs/upstreams.md", "own").replace("\n", " "))
    own = {
        f"{method} /v1/{template}": capability
        for capability, methods, template in endpoints._ROWS
        for method in methods.split()
        if capability not in get_args(Capability)
    }

    assert {*own, *own.values()} == set(stated)


def test_every_capability_of_the_configuration_is_in_the_matrix_or_said_to_be_unserved():
    served = {words(line[0])[0] for line in matrix()}
    unserved = words(between("docs/upstreams.md", "unserved").replace("\n", " "))

    assert set(get_args(Capability)) == served | set(unserved)
    assert served & set(unserved) == set()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_has_its_section_with_its_own_options(dialect):
    text = section("docs/upstreams.md", dialect)
    [stated] = re.findall(r"^Options: ([^,].*?), see \[configuration\]", text, re.MULTILINE)
    own = ["append_v1"] if dialect == "openai" else []

    assert words(stated) == sorted(words(stated), key=list(DIALECT_FIELDS).index)
    assert set(words(stated)) == {n for n, d in DIALECT_FIELDS.items() if d == dialect} | set(own)


def test_the_models_that_dialects_claim_are_listed():
    text = section("docs/upstreams.md", "Which upstream gets a request")
    stated = {word for word in words(text.replace("\n", " ")) if word.endswith("*")}

    claims = {one for row in DIALECTS.values() for one in (*row.claims, *row.audio_claims)}

    assert claims == stated


def test_the_generations_of_minds_are_those_of_its_row():
    ends = {"accept": "accepted", "error": "an error"}
    stated = [
        [*(words(cell)[0] for cell in line[:4]), line[4]]
        for line in rows(section("docs/upstreams.md", "minds"))
    ]

    assert stated == [
        [name, row.base_url, row.chat_path, row.models_path, ends[row.missing_finish]]
        for name, row in DIALECTS["minds"].generations.items()
    ]


def test_the_providers_of_openmind_are_those_of_its_table():
    stated = [
        [words(cell) for cell in line] for line in rows(section("docs/upstreams.md", "openmind"))
    ]

    assert stated == [
        [[name], list(row.listed), [f"{p}*" for p in row.prefixes], list(row.further)]
        for name, row in TABLE.items()
    ]


# --- the life of a request ------------------------------------------------------------------------------------------


def test_every_error_of_a_step_is_one_of_the_table_of_errors():
    documented = {words(line[1])[0] for line in table("docs/errors.md", "errors")}
    named = {
        code for line in table("docs/life-of-a-request.md", "steps") for code in words(line[4])
    }

    assert named - documented == set()


def test_the_steps_are_numbered_and_the_straight_line_calls_them():
    steps = table("docs/life-of-a-request.md", "steps")

    assert [line[0] for line in steps] == [str(n + 1) for n in range(len(steps))]
    assert "`app/proxy/pipeline.py`" in [line[2] for line in steps]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_names_is_there(page):
    named = re.findall(r"`((?:app|tests|config|docs|requirements)/[\w./-]+\.\w+)`", text_of(page))

    # Two that a person may make, and git does not keep.
    own = {"config/mindgate.yaml", "config/prometheus.local.yml"}
    assert [name for name in named if name not in own and not (ROOT / name).exists()] == []


# --- every page -----------------------------------------------------------------------------------------------------


def slugs(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    titles = HEADING.findall(re.sub(FENCE, "", text_of(page)))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", [*PAGES, *DECISIONS], ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page):
    broken = []
    for link in LINK.findall(re.sub(FENCE, "", text_of(page))):
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        if link.startswith(("http://", "https://")):
            continue
        if not target.exists() or (anchor and anchor not in slugs(target)):
            broken.append(link)

    assert broken == []


@pytest.mark.parametrize("page", [*PAGES, *DECISIONS], ids=lambda page: page.name)
def test_no_page_names_a_place_on_a_machine_or_a_registry(page):
    assert re.findall(f"{PLACES}|{REGISTRIES}", text_of(page), re.IGNORECASE) == []


def blocks(name: str) -> list[tuple[str, str]]:
    """The fenced blocks of a page: what stands behind the fence, and the text."""
    return FENCE.findall(read(name))


def blocks_of(kind: str) -> list[Any]:
    return [
        pytest.param(body, id=f"{page.name} block {n}")
        for page in PAGES
        for n, (found, body) in enumerate(FENCE.findall(text_of(page)), start=1)
        if found == kind
    ]


@pytest.mark.parametrize("text", blocks_of("yaml"))
def test_a_configuration_that_is_shown_loads(tmp_path, text):
    assert load(tmp_path, text).upstreams


@pytest.mark.parametrize("text", blocks_of("json"))
def test_json_that_is_shown_is_json(text):
    assert json.loads(text)


# --- README and CHANGELOG -------------------------------------------------------------------------------------------


def test_the_readme_is_short():
    assert len(read("README.md").splitlines()) < 150


def test_the_readme_names_the_three_variables_in_one_table():
    table_of_keys = section("README.md", "With a key")

    assert [words(line[0])[0] for line in rows(table_of_keys)] == [
        *("FOURMINDS_API_KEY", "MINDS_API_KEY", "OPENMIND_API_KEY")
    ]


def test_every_promise_of_the_readme_names_tests_that_are_there():
    promises = rows(section("README.md", "What it promises, and the test that shows it"))

    assert promises
    for promise, tests in promises:
        assert words(tests), promise
        for test in words(tests):
            assert (ROOT / test).is_file(), test


def test_the_changelog_keeps_its_form():
    text = read("CHANGELOG.md")
    versions = re.findall(r"^## (.+)$", text, re.MULTILINE)
    order = ["Security", "Removed", "Deprecated", "Added", "Changed", "Fixed"]

    assert versions[0] == "[Unreleased]"
    assert tomllib.loads(read("pyproject.toml"))["project"]["version"] in text
    for release in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        sections = re.split(r"^### (\w+)$", release, flags=re.MULTILINE)[1:]
        assert sections[::2] == sorted(sections[::2], key=order.index)
        assert all("\n- " in body for body in sections[1::2])


# --- what can be run is run -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Demo:
    """A running `mindgate demo`. *root* has no `/v1`."""

    root: str
    key: str

    def adapted(self, text: str) -> str:
        """A snippet for this demo: its address, and its key where the snippet asks for one."""
        return text.replace("http://127.0.0.1:8080", self.root).replace(
            "YOUR_GATEWAY_KEY", self.key
        )


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The command itself, as a person starts it, on a free port."""
    with started_demo(tmp_path_factory.mktemp("demo")) as running:
        yield running


@contextmanager
def started_demo(folder: Path) -> Iterator[Demo]:
    command = [str(Path(sys.executable).parent / "mindgate"), "demo", "--port", "0"]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout
        try:
            said = {}
            for line in process.stdout:
                if match := re.match(r"(base URL|API key) +(\S+)$", line):
                    said[match[1]] = match[2]
                if line.startswith("Browse"):
                    break
            yield Demo(said["base URL"].removesuffix("/v1"), said["API key"])
        finally:
            process.terminate()


def run(*command: str, folder: Path) -> str:
    """What *command* prints; fails when it does."""
    ran = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("text", blocks_of("sh runnable"))
def test_a_shell_block_marked_runnable_runs(tmp_path, demo, text):
    printed = run("sh", "-ec", demo.adapted(text), folder=tmp_path)

    assert printed
    assert '"error"' not in printed
    assert ("[DONE]" in printed) == ('"stream": true' in text)


def test_something_is_marked_runnable():
    assert len(blocks_of("sh runnable")) >= 3


@pytest.mark.parametrize("text", blocks_of("python"))
def test_a_python_snippet_streams_an_answer(tmp_path, demo, text):
    assert (
        run(sys.executable, "-Werror", "-c", demo.adapted(text), folder=tmp_path) == "echo: Hello"
    )


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.parametrize("text", blocks_of("js"))
def test_a_javascript_snippet_is_javascript(tmp_path, text):
    (tmp_path / "snippet.mjs").write_text(text, encoding="utf-8")

    assert run("node", "--check", "snippet.mjs", folder=tmp_path) == ""


def test_the_key_in_the_readme_is_the_demos(demo):
    assert set(re.findall(r"sk-mg-\w+", read("README.md"))) == {demo.key}
