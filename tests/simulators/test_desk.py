"""Health comes back after the first n requests of a name (X29)."""

import pytest

from tests.simulators.raw_client import CHAT, MODELS, chat_body


@pytest.mark.parametrize("site", ["4minds", "minds", "openmind", "openai"])
async def test_words_hold_for_the_first_n_requests(chat, site):
    statuses = [(await chat(site, "-sim-status-503-first-2")).status for _ in range(4)]

    assert statuses == [503, 503, 200, 200]


async def test_first_counts_per_exact_name(chat):
    for suffix in ("-sim-status-503-first-1", "-sim-first-1-status-503"):
        assert [(await chat("4minds", suffix)).status for _ in range(2)] == [503, 200]


async def test_first_counts_per_dialect(ask):
    header = [("x-sim", "status=500, first=1")]

    for site in ("4minds", "openai"):
        body = chat_body(MODELS[site])
        statuses = [(await ask("POST", CHAT[site], body, headers=header)).status for _ in range(2)]
        assert statuses == [500, 200]


async def test_first_counts_per_path_where_there_is_no_model(ask):
    header = [("x-sim", "status=500, first=1")]
    path = "/4minds/v1/models"

    assert [(await ask("GET", path, headers=header)).status for _ in range(2)] == [500, 200]


async def test_a_refused_key_does_not_count(ask, chat):
    body = chat_body(MODELS["4minds"] + "-sim-status-503-first-1")
    await ask("POST", CHAT["4minds"], body, bare=True)

    assert (await chat("4minds", "-sim-status-503-first-1")).status == 503


async def test_replies_are_numbered(chat):
    assert [(await chat("openai")).header("x-request-id") for _ in range(2)] == ["sim-1", "sim-2"]
