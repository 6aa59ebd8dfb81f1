"""Which provider of OpenMind serves a model (upstreams 5.2, O-P1, O2; contract K8)."""

from typing import Any

import pytest

from app.domain.configuration import UpstreamEntry
from app.upstreams.dialect import DIALECTS
from app.upstreams.discovery import DiscoveredModel
from app.upstreams.openmind_providers import (
    TABLE,
    ProviderTarget,
    claims,
    listed_models,
    provider_of,
)

DEFAULTS: dict[str, Any] = {
    "catalogue": "seed",
    "models": (),
    "providers": UpstreamEntry("openmind", "openmind").providers,
    "model_providers": {},
}
SEED = ["gpt-4o", "gpt-4o-mini", "deepseek-chat", "gemini-2.0-flash-exp", "grok-2-latest"]


def asked(name: str, **settings: Any) -> tuple[str, str] | None:
    target = provider_of(name, **DEFAULTS | settings)
    return None if target is None else (target.provider, target.model)


def listed(**settings: Any) -> dict[str, str]:
    return {model.id: model.owned_by for model in listed_models(**DEFAULTS | settings)}


@pytest.mark.parametrize(
    ("name", "settings", "target"),
    [
        # rule 1
        pytest.param("gpt-4o", {}, ("openai", "gpt-4o"), id="O-P1.1: an entry of the table"),
        pytest.param("openai/gpt-oss-120b", {}, ("nearai", "openai/gpt-oss-120b"),
                     id="O-P1.1: an entry with a slash is nearai's, whole"),
        pytest.param("deepseek/deepseek-v3.2", {}, ("openrouter", "deepseek/deepseek-v3.2"),
                     id="O-P1.1: openrouter's, though it begins with a provider"),
        pytest.param("my-model", {"model_providers": {"my-model": "nearai"}}, ("nearai", "my-model"),
                     id="O-P1.1: an entry of model_providers"),
        pytest.param("gpt-4o", {"model_providers": {"gpt-4o": "openrouter"}}, ("openrouter", "gpt-4o"),
                     id="O-P1.1: the operator's word wins over the table"),
        pytest.param("mistral-large", {"model_providers": {"mistral-large": "mistral"}}, ("mistral", "mistral-large"),
                     id="O-P1.1: a provider the table does not know"),
        pytest.param("openai/gpt-oss-120b", {"providers": ("openai",)}, ("openai", "gpt-oss-120b"),
                     id="O-P1.1: a row of a provider not in use does not count"),
        # rule 2
        pytest.param("openai/gpt-4o", {}, ("openai", "gpt-4o"), id="O-P1.2: the first segment is cut"),
        pytest.param("gemini/gemini-2.5-pro", {}, ("gemini", "gemini-2.5-pro"), id="O-P1.2: as in the rule"),
        pytest.param("openrouter/a/b", {}, ("openrouter", "a/b"), id="O-P1.2: once"),
        pytest.param("nearai/any", {}, ("nearai", "any"), id="O-P1.2: a provider without prefixes"),
        pytest.param("mistral/large", {"providers": ("mistral",)}, ("mistral", "large"),
                     id="O-P1.2: a provider the table does not know"),
        # rule 3
        pytest.param("gpt-4o-2024-08-06", {}, ("openai", "gpt-4o-2024-08-06"), id="O-P1.3: a dated snapshot"),
        pytest.param("o1-preview", {}, ("openai", "o1-preview"), id="O-P1.3: o1"),
        pytest.param("o3", {}, ("openai", "o3"), id="O-P1.3: the prefix itself"),
        pytest.param("deepseek-reasoner", {}, ("deepseek", "deepseek-reasoner"), id="O-P1.3: deepseek"),
        pytest.param("gemini-9", {}, ("gemini", "gemini-9"), id="O-P1.3: gemini"),
        pytest.param("grok-9", {}, ("xai", "grok-9"), id="O-P1.3: grok"),
        # rule 4
        pytest.param("mistralai/mistral-large", {}, ("openrouter", "mistralai/mistral-large"),
                     id="O-P1.4: any other name with a slash"),
        pytest.param("openai/", {}, None, id="O-P1.4: a slash with nothing behind it is no name"),
        # rule 5
        pytest.param("llama-3", {}, None, id="O-P1.5: nobody's"),
        pytest.param("", {}, None, id="O-P1.5: no name"),
        pytest.param("a/b", {"providers": ("openai",)}, None, id="O-P1.5: openrouter is not in use"),
        pytest.param("grok-4", {"providers": ("openai",)}, None, id="O-P1.5: the prefix's owner is not in use"),
        pytest.param("qwen-2.5-7b-instruct", {}, None, id="K8: a bare name that is not listed"),
        pytest.param("qwen-2.5-7b-instruct", {"catalogue": "extended"}, ("nearai", "qwen-2.5-7b-instruct"),
                     id="K8: and one that is, by the catalogue"),
        pytest.param("qwen-2.5-7b-instruct", {"models": ("qwen-2.5-7b-instruct",)}, ("nearai", "qwen-2.5-7b-instruct"),
                     id="K8: or by the entry"),
    ],
)  # fmt: skip
def test_o_p1_the_first_rule_that_knows_names_the_provider(name, settings, target):
    assert asked(name, **settings) == target


def test_o2_the_seeds_five_are_listed_by_default():
    assert list(listed()) == SEED
    assert listed()["grok-2-latest"] == "openmind/xai"
    assert DiscoveredModel("gpt-4o", 0, "openmind/openai") in listed_models(**DEFAULTS)


def test_5_2_extended_adds_the_further_names():
    names = listed(catalogue="extended")

    assert set(SEED) < set(names)
    assert names["gpt-5-nano"] == "openmind/openai"
    assert names["openai/gpt-oss-120b"] == "openmind/nearai"
    assert names["x-ai/grok-4-fast"] == "openmind/openrouter"
    assert len(names) == sum(len(row.listed) + len(row.further) for row in TABLE.values())


def test_5_2_models_replaces_both():
    names = listed(catalogue="extended", models=("gpt-4o", "gemini/gemini-2.5-pro", "gpt-*"))

    assert names == {"gpt-4o": "openmind/openai", "gemini/gemini-2.5-pro": "openmind/gemini"}


def test_k8_what_model_providers_names_is_listed_too():
    assert (
        listed(models=("gpt-4o",), model_providers={"mine": "nearai"})["mine"] == "openmind/nearai"
    )


def test_k8_what_no_rule_places_is_not_listed():
    assert listed(models=("llama-3", "gpt-4o")) == {"gpt-4o": "openmind/openai"}
    assert list(listed(providers=("xai",))) == ["grok-2-latest"]


@pytest.mark.parametrize(
    "settings", [{}, {"catalogue": "extended"}, {"models": ("openrouter/a", "a/b")}]
)
def test_k8_what_is_listed_works(settings):
    for name, owner in listed(**settings).items():
        target = provider_of(name, **DEFAULTS | settings)

        assert target is not None
        assert owner == f"openmind/{target.provider}"


def test_no_name_stands_twice_in_the_table():
    names = [name for row in TABLE.values() for name in (*row.listed, *row.further)]

    assert len(names) == len(set(names))


def test_every_bare_name_goes_to_the_provider_that_lists_it():
    for provider, row in TABLE.items():
        for name in (*row.listed, *row.further):
            assert provider_of(name, **DEFAULTS | {"catalogue": "extended"}) == ProviderTarget(
                provider, name
            )


@pytest.mark.parametrize(
    ("name", "is_claimed"),
    [
        ("gpt-4o", True),
        ("gpt-9", True),
        ("o1", True),
        ("o3-mini", True),
        ("o4-mini", True),
        ("deepseek-chat", True),
        ("gemini-2.5-pro", True),
        ("grok-4", True),
        ("o2", False),
        ("sales_mind", False),
        ("4minds-model-123", False),
        ("openai/gpt-4o", False),
        ("", False),
    ],
)
def test_openmind_claims_its_prefixes_and_no_more(name, is_claimed):
    assert claims(name) is is_claimed


def test_the_dialects_patterns_are_the_tables_prefixes():
    prefixes = {prefix for row in TABLE.values() for prefix in row.prefixes}

    assert {pattern.removesuffix("*") for pattern in DIALECTS["openmind"].claims} == prefixes
