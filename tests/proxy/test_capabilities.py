"""What the gateway says of what its upstreams can do (upstreams 2)."""

import json
from typing import Any, get_args

import pytest

from app.config.upstream_schema import Capability
from app.domain.configuration import DialectName
from app.proxy.capabilities import CapabilityDesk
from app.upstreams.capabilities import MATRIX
from tests.fakes.calls import Office
from tests.fakes.senders import FakeSender
from tests.fakes.upstreams import upstream_of


async def told(office: Office, pin: str | None = None) -> Any:
    desk = CapabilityDesk(office.upstreams, office.table, office.billing)
    call = office.call("GET /v1/capabilities", pin=pin)
    return json.loads((await office.serve(desk.serve, call)).body)


async def test_every_upstream_is_told_with_every_capability_of_the_matrix():
    found = await told(Office.of())

    assert ("list", ["4minds", "minds", "openmind", "openai"]) == (
        found["object"],
        [row["id"] for row in found["data"]],
    )
    for column, row in enumerate(found["data"]):
        shown = {name: one["support"] for name, one in row["capabilities"].items()}
        assert {name: cells[column] for name, cells in MATRIX.items()} == shown


async def test_the_matrix_has_every_capability_that_a_file_may_name():
    assert set(get_args(Capability)) == set(MATRIX)


@pytest.mark.parametrize(
    ("capability", "routes"),
    [
        (
            "files",
            ["GET /v1/files", "POST /v1/files", "GET /v1/files/{id}", "DELETE /v1/files/{id}"],
        ),
        ("models.get", ["GET /v1/models/{model}"]),
        ("embeddings", ["POST /v1/embeddings"]),
    ],
)
async def test_each_has_its_routes(capability: str, routes: list[str]):
    [row] = (await told(Office.of(names=("openai",))))["data"]

    assert routes == row["capabilities"][capability]["routes"]


async def test_an_entry_s_own_cell_counts_and_what_nothing_serves_stays_out():
    upstream = upstream_of(
        "4minds", capabilities={"files.content": "native", "responses": "native"}, native=("use",)
    )
    office = Office({"4minds": upstream}, {"4minds": FakeSender()})

    [row] = (await told(office))["data"]

    assert row["capabilities"]["files.content"]["support"] == "native"
    assert row["capabilities"]["responses"]["support"] == "-"
    assert row["native"] == []


@pytest.mark.parametrize(
    ("dialect", "fields", "classes"),
    [
        pytest.param("minds", {}, ["use", "read"], id="N12: the default"),
        pytest.param("minds", {"native": ("use", "manage")}, ["use", "manage"], id="as configured"),
        pytest.param("openmind", {}, ["use"], id="what its dialect has"),
        pytest.param("4minds", {}, [], id="none"),
        pytest.param(
            "4minds", {"native_paths": {"read": ("GET /x",)}}, ["read"], id="N9: added by the entry"
        ),
    ],
)
async def test_the_classes_of_native_routes_are_those_that_there_are(
    dialect: DialectName, fields: dict[str, Any], classes: list[str]
):
    office = Office({dialect: upstream_of(dialect, **fields)}, {dialect: FakeSender()})

    [row] = (await told(office))["data"]

    assert classes == row["native"]


async def test_a_pin_leaves_one_and_one_to_nobody_is_400():
    office = Office.of()

    assert ["minds"] == [row["id"] for row in (await told(office, "minds"))["data"]]
    assert "unknown_upstream" == (await told(office, "nobody"))["error"]["code"]
