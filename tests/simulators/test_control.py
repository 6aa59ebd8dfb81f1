"""The control words (X4): what is understood, and that nothing else is."""

import re
from pathlib import Path

import pytest

from app.simulators.control import (
    WORDS,
    Script,
    UnknownWordError,
    check_dialect,
    read_header,
    split_name,
)
from tests.simulators.raw_client import CHAT, MODELS, chat_body


@pytest.mark.parametrize(
    ("name", "base", "words"),
    [
        pytest.param("4minds-model-123", "4minds-model-123", {}, id="a plain name has no words"),
        pytest.param(
            "4minds-model-123-sim-ttft-200-cut-3",
            "4minds-model-123",
            {"ttft": 200, "cut": 3},
            id="words with numbers",
        ),
        pytest.param("sales_mind_sim_cut_3", "sales_mind", {"cut": 3}, id="underscores for Minds"),
        pytest.param("gpt-4o-sim-quota", "gpt-4o", {"quota": 1}, id="no number means 1"),
        pytest.param("gpt-4o-sim-status", "gpt-4o", {"status": 500}, id="no status means 500"),
        pytest.param("gpt-4o-sim-redirect", "gpt-4o", {"redirect": 302}, id="no redirect: 302"),
        pytest.param("gpt-4o-sim-reset-0", "gpt-4o", {"reset": 0}, id="zero is a number"),
        pytest.param("sim-gpt", "sim-gpt", {}, id="sim at the start is a name"),
        pytest.param("sim-gpt-sim-cut-1", "sim-gpt", {"cut": 1}, id="sim in name and suffix"),
        pytest.param(
            "Gemma-12B AWQ-sim-crlf-bom", "Gemma-12B AWQ", {"crlf": 1, "bom": 1}, id="a blank"
        ),
    ],
)
def test_a_suffix_is_cut_from_the_name(name, base, words):
    assert split_name(name) == (base, words)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("gpt-4o-sim-ttfd-200", id="a typo"),
        pytest.param("gpt-4o-sim-", id="nothing"),
        pytest.param("gpt-4o-sim-3", id="a number alone"),
        pytest.param("gpt-4o-sim-cut-1-2", id="two numbers"),
        pytest.param("gpt-4o-sim-cut-1-cut-2", id="a word twice"),
        pytest.param("gpt-4o-sim-garbage-8", id="a number the word does not know"),
        pytest.param("gpt-4o-sim-form-6", id="a form that does not exist"),
    ],
)
def test_what_is_not_understood_is_refused(name):
    with pytest.raises(UnknownWordError):
        split_name(name)


def test_the_header_takes_the_same_words():
    assert read_header("ttft=200, cut=3,burst") == {"ttft": 200, "cut": 3, "burst": 1}


@pytest.mark.parametrize("value", ["ttft=", "cut=x", "nosuch", "", "cut=-1"])
def test_a_header_that_is_not_understood_is_refused(value):
    with pytest.raises(UnknownWordError):
        read_header(value)


def test_a_word_of_another_dialect_is_refused():
    check_dialect({"form": 1, "cut": 1}, "minds")

    with pytest.raises(UnknownWordError):
        check_dialect({"form": 1}, "openai")


def test_asking_a_script_for_a_word_that_does_not_exist_is_a_mistake():
    with pytest.raises(KeyError):
        Script({}).number("nosuch")


@pytest.mark.parametrize("site", ["4minds", "minds", "openmind", "openai"])
async def test_an_unknown_word_is_400_in_every_dialect(chat, site):
    refused = await chat(site, "-sim-ttfd-200")

    assert refused.status == 400
    assert b"ttfd" in refused.body


async def test_the_header_works_on_any_route(ask):
    refused = await ask("GET", "/4minds/v1/models", headers=[("x-sim", "status=503")])

    assert refused.status == 503


async def test_an_unknown_word_in_the_header_is_400(ask):
    refused = await ask("GET", "/4minds/v1/models", headers=[("x-sim", "ttfd=3")])

    assert refused.status == 400


async def test_header_and_suffix_add_up(ask):
    body = chat_body(MODELS["4minds"] + "-sim-cut-2", stream=True)
    reply = await ask("POST", CHAT["4minds"], body, headers=[("x-sim", "tokens=9")])

    assert (reply.end, reply.text()) == ("closed", "w1 w2")


def test_every_word_is_tried_somewhere():
    files = Path(__file__).parent.glob("test_*.py")
    text = "\n".join(path.read_text() for path in files if path != Path(__file__))

    assert [word for word in WORDS if not re.search(rf'[-_" ]{word}\b', text)] == []
