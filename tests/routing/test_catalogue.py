"""What is served, in memory: listed names, discovered ones, the last known of a dead upstream (contract K2, P6)."""

import asyncio

import pytest

from app.routing.catalogue import Catalogue
from app.upstreams.discovery import DiscoveredModel
from app.upstreams.model_requests import ModelList
from tests.fakes.upstreams import upstream_of


def listed(*names: str) -> ModelList:
    return ModelList(tuple(model(name) for name in names), "/models")


def model(name: str) -> DiscoveredModel:
    return DiscoveredModel(name, 1, "them")


async def test_listed_names_are_there_before_anybody_was_asked():
    catalogue = Catalogue([upstream_of("openai", name="up", models=("a", "b", "c-*"))])

    assert ["a", "b"] == list(catalogue.entries("up"))


async def test_openmind_s_table_is_there_without_asking():
    catalogue = Catalogue([upstream_of("openmind")])

    assert {"gpt-4o", "gemini-2.0-flash-exp", "grok-2-latest"} <= set(catalogue.entries("openmind"))


async def test_discovery_replaces_what_it_brought_before_and_keeps_what_the_file_lists():
    catalogue = Catalogue([upstream_of("openai", name="up", models=("listed",))])

    catalogue.replace("up", listed("old", "listed"))
    catalogue.replace("up", listed("new"))

    assert {"listed", "new"} == set(catalogue.entries("up"))


async def test_a_dead_upstream_keeps_its_entries():
    catalogue = Catalogue([upstream_of("openai", name="up")])
    catalogue.replace("up", listed("a"))

    catalogue.asked("up")

    assert ["a"] == list(catalogue.entries("up"))


async def test_an_upstream_nobody_configured_has_nothing():
    assert not Catalogue([]).entries("nobody")


@pytest.mark.parametrize(
    ("dialect", "name", "is_found"),
    [
        ("minds", "sales_mind", True),
        ("minds", "SALES_MIND", True),
        ("minds", "sales", False),
        ("openai", "Sales_Mind", True),
        ("openai", "sales_mind", False),
    ],
)
async def test_a_mind_is_found_in_any_case(dialect, name, is_found):
    upstream = upstream_of(dialect)
    catalogue = Catalogue([upstream])
    catalogue.replace(dialect, listed("Sales_Mind"))

    assert is_found is (catalogue.find(upstream, name) is not None)


async def test_with_nobody_to_ask_the_first_round_is_over():
    catalogue = Catalogue([upstream_of("openmind")])

    assert catalogue.is_complete
    await catalogue.first_round(60)


async def test_the_first_round_waits_for_everybody_whatever_came_of_it():
    catalogue = Catalogue([upstream_of("4minds"), upstream_of("minds")])
    catalogue.expect("4minds")
    catalogue.expect("minds")
    waiting = asyncio.ensure_future(catalogue.first_round(60))
    await asyncio.sleep(0)

    catalogue.replace("4minds", listed())
    await asyncio.sleep(0)
    assert not waiting.done()
    assert not catalogue.is_complete
    catalogue.asked("minds")

    await waiting
    assert catalogue.is_complete


async def test_the_first_round_ends_in_time_even_if_an_upstream_hangs():
    catalogue = Catalogue([upstream_of("4minds")])
    catalogue.expect("4minds")

    await catalogue.first_round(0.01)

    assert not catalogue.is_complete
