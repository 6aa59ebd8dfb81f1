"""
The rooms stand where they should: import-linter's contracts hold, the page says the same floors, and the straight
line is entered and left in one place.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import grimp
import pytest

ROOT = Path(__file__).parents[2]
APP = ROOT / "app"
PAGE = ROOT / "docs" / "architecture.md"

# Who may import a module that has one caller by design; `main` joins rooms and may import all of them.
CALLERS = {
    "app.proxy.pipeline": {"app.edge.data_plane"},  # the one way in
    "app.proxy.settlement": {"app.proxy.pipeline"},  # the one way out (law 1)
    "app.proxy.relay": {"app.proxy.pipeline"},
    "app.proxy.models": {"app.proxy.pipeline"},
    # A request's model is judged in one place; a native route has none, and a family may have none.
    "app.access.permissions": {
        *("app.proxy.model_rights", "app.proxy.models", "app.proxy.families", "app.proxy.native"),
    },
    "app.upstreams.chat_request": {"app.proxy.pipeline", "app.proxy.attempts"},
    "app.upstreams.httpx_sender": set(),  # everyone else knows the seam alone
    "app.upstreams.wire_sender": set(),
    "app.access.authenticator": set(),  # the pipeline declares what it needs of it
    "app.edge.data_plane": set(),
    "app.simulators.server": {"app.cli.simulated"},
}


@pytest.fixture(scope="module")
def contracts() -> Any:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
        "importlinter"
    ]["contracts"]


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("app", cache_dir=None)


def layers(contracts: Any) -> list[list[str]]:
    """The floors from the lowest up; a room without a file yet is in brackets."""
    [floors] = [contract for contract in contracts if contract["type"] == "layers"]
    return [re.split(r" *[|:] *", layer) for layer in reversed(floors["layers"])]


def test_the_contracts_of_import_linter_hold():
    lint = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert lint.returncode == 0, lint.stdout
    assert "0 broken" in lint.stdout


def test_the_page_has_the_floors_of_the_contract(contracts):
    text = PAGE.read_text(encoding="utf-8").split("<!-- floors:begin -->")[1]
    stated = re.findall(
        r"^\| (\d+) \| `(\w+)` \|", text.split("<!-- floors:end -->")[0], re.MULTILINE
    )
    floors = {
        room: floor
        for floor, rooms in enumerate(layers(contracts), start=1)
        for room in rooms
        if not room.startswith("(")
    }

    assert floors == {room: int(floor) for floor, room in stated}


def test_rooms_and_floors_are_the_same_set(contracts):
    rooms = {path.name for path in APP.iterdir() if (path / "__init__.py").exists()}
    floors = [room for floor in layers(contracts) for room in floor]

    assert rooms == {room for room in floors if not room.startswith("(")}
    assert rooms.isdisjoint(room.strip("()") for room in floors if room.startswith("("))


@pytest.mark.parametrize("module", CALLERS)
def test_a_step_of_the_straight_line_is_called_from_its_place_alone(graph, module):
    importers = {
        name
        for name in graph.find_modules_that_directly_import(module)
        if not name.startswith("app.main.")
    }

    assert importers == CALLERS[module]


def test_simulators_share_no_code_with_the_gateway(graph):
    """Nouns and wire format they may know; a parser or renderer that they check would hide its own mistakes."""
    imported = {
        name
        for module in graph.find_descendants("app.simulators")
        for name in graph.find_modules_directly_imported_by(module)
        if not name.startswith("app.simulators")
    }

    assert {
        name for name in imported if not name.startswith(("app.domain", "app.protocol"))
    } == set()
