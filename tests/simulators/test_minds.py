"""Minds in small: thoughts and forms (X9), choices (X10), errors (X11), listings (X12)."""

from typing import Any

import pytest

from tests.simulators.raw_client import CHAT, Seen, chat_body

THOUGHTS = ["Planning the query.", "SELECT 1"]


def choices_of(reply: Seen) -> list[Any]:
    return [one["choices"][0] for one in reply.payloads() if one.get("choices")]


def roles_of(reply: Seen) -> list[Any]:
    return [one["delta"].get("role") for one in choices_of(reply)]


async def test_t1_sends_whole_messages_that_nothing_tells_apart(chat):
    reply = await chat("minds", "_sim_form_1", stream=True)

    contents = [one["delta"]["content"] for one in choices_of(reply)]
    assert contents == [*THOUGHTS, "echo: one two"]
    assert {one["index"] for one in choices_of(reply)} == {0}
    assert reply.finishes() == []
    assert "[DONE]" not in reply.data()


async def test_t2_echoes_the_input_and_never_finishes(chat):
    reply = await chat("minds", "_sim_form_2", stream=True)

    assert roles_of(reply) == ["user", "system", "system", *["assistant"] * 3]
    assert [one["index"] for one in choices_of(reply)] == [0, 1, 2, 3, 4, 5]
    assert reply.finishes() == []


@pytest.mark.parametrize("site", ["minds", "minds-v1"])
async def test_t3_is_the_default_and_its_last_message_stops(chat, site):
    reply = await chat(site, stream=True)

    assert roles_of(reply) == ["system", "system", *["assistant"] * 3]
    assert [one["finish_reason"] for one in choices_of(reply)] == [None] * 4 + ["stop"]
    assert (reply.end, "[DONE]" in reply.data()) == ("whole", False)
    assert b"event:" not in reply.body


async def test_t4_is_the_default_at_api_v1(chat):
    reply = await chat("minds-api", stream=True)

    assert all(chunk.startswith(b"event: completion\ndata: ") for chunk in reply.chunks)
    assert roles_of(reply)[:2] == ["thought.planning", "thought.execution.step.sql"]
    assert [one["index"] for one in choices_of(reply)] == [0, 1, 2, 3, 4, 4]
    last = choices_of(reply)[-1]
    assert (last["delta"], last["finish_reason"]) == ({"role": "assistant", "content": ""}, "stop")
    assert reply.payloads()[0]["id"] == "00000000-0000-4000-8000-000000000001"


@pytest.mark.parametrize("site", ["minds", "minds-v1", "minds-api"])
async def test_t5_is_openais_own_for_aliases(ask, site):
    body = chat_body("latest:sonnet", stream=True, stream_options={"include_usage": True})
    reply = await ask("POST", CHAT[site], body)

    assert reply.text() == "echo: one two"
    assert reply.data()[-1] == "[DONE]"
    assert reply.payloads()[-1]["usage"]["total_tokens"] == 5


async def test_an_alias_answers_whole_as_openai_would(ask):
    reply = await ask("POST", CHAT["minds-v1"], chat_body("latest:gpt"))

    assert reply.json()["choices"][0]["finish_reason"] == "stop"
    assert reply.json()["system_fingerprint"] == "simulated"


@pytest.mark.parametrize("site", ["minds", "minds-api"])
async def test_a_mind_calls_a_tool_in_one_event(chat, site):
    tools = [{"type": "function", "function": {"name": "look_up"}}]
    reply = await chat(site, text='call look_up {"a":1}', tools=tools, stream=True)

    (call,) = [c for one in reply.deltas() for c in one.get("tool_calls", [])]
    assert call["function"] == {"name": "look_up", "arguments": '{"a":1}'}
    assert reply.finishes() == ["tool_calls"]


async def test_t5_can_be_asked_of_a_mind(chat):
    assert (await chat("minds", "_sim_form_5", stream=True)).data()[-1] == "[DONE]"


async def test_the_answer_is_the_seeds_example(chat):
    reply = await chat("minds")

    assert reply.json() == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1702685778,
        "model": "sales_mind",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "echo: one two"}}],
        "usage": {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5},
        "system_fingerprint": None,
    }


async def test_at_api_v1_it_stops_and_has_no_usage(chat):
    answer = (await chat("minds-api")).json()

    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["usage"] is None


async def test_a_thought_may_be_a_choice_with_a_gap_behind_it(chat):
    choices = (await chat("minds", "_sim_choices_2")).json()["choices"]

    assert [one["index"] for one in choices] == [1, 3]
    assert [one["message"]["role"] for one in choices] == ["thought.planning", "assistant"]
    assert choices[1]["message"]["content"] == "echo: one two"


async def test_an_answer_may_be_spread_over_choices(chat):
    choices = (await chat("minds", "_sim_choices_3")).json()["choices"]

    assert [one["message"]["content"] for one in choices] == ["echo:", " one", " two"]
    assert [one["index"] for one in choices] == [0, 1, 2]


@pytest.mark.parametrize("stream", [False, True])
async def test_content_may_be_an_object(chat, stream):
    reply = await chat("minds", "_sim_objects", stream=stream)

    expected = {"type": "sql_query", "query": "echo: one two"}
    if stream:
        assert choices_of(reply)[-1]["delta"]["content"] == expected
    else:
        assert reply.json()["choices"][0]["message"]["content"] == expected


@pytest.mark.parametrize("stream", [False, True])
async def test_a_mind_that_loads_says_so_with_200(chat, stream):
    reply = await chat("minds", "_sim_loading", stream=stream)

    text = reply.text() if stream else reply.json()["choices"][0]["message"]["content"]
    assert text == "The Mind is not ready yet. Please try again later."


@pytest.mark.parametrize("stream", [False, True])
async def test_a_silent_mind_ends_after_its_thoughts(chat, stream):
    reply = await chat("minds", "_sim_silent", stream=stream)

    if stream:
        assert roles_of(reply) == ["system", "system"]
        assert reply.finishes() == []
    else:
        roles = [one["message"]["role"] for one in reply.json()["choices"]]
        assert roles == ["thought.planning"]
    assert reply.end == "whole"


@pytest.mark.parametrize("stream", [False, True])
async def test_nothing_is_an_empty_200(chat, stream):
    reply = await chat("minds", "_sim_nothing", stream=stream)

    assert (reply.status, reply.body, reply.end) == (200, b"", "whole")


async def test_an_unknown_mind_is_500(ask):
    reply = await ask("POST", CHAT["minds"], chat_body("nobody"))

    assert (reply.status, reply.json()) == (500, {"detail": "Mind 'nobody' not found"})


async def test_an_unknown_alias_is_400(ask):
    reply = await ask("POST", CHAT["minds-v1"], chat_body("latest:nobody"))

    assert reply.status == 400
    assert reply.json()["detail"].startswith("Unknown passthrough alias")


async def test_names_are_lowered_at_api_v1_only(ask):
    lowered = await ask("POST", CHAT["minds-api"], chat_body("Sales_Mind"))
    exact = await ask("POST", CHAT["minds"], chat_body("Sales_Mind"))

    assert lowered.json()["model"] == "sales_mind"
    assert exact.status == 500


@pytest.mark.parametrize(
    ("change", "loc"),
    [
        pytest.param(
            {"messages": [{"role": "developer", "content": "x"}]},
            ["body", "messages", 0, "role"],
            id="the role developer",
        ),
        pytest.param({"metadata": "x"}, ["body", "metadata"], id="metadata that is no object"),
        pytest.param(
            {"metadata": {"mdb_completions_session_id": 1.5}},
            ["body", "metadata", "mdb_completions_session_id"],
            id="a session id that is a fraction",
        ),
        pytest.param(
            {"metadata": {"enable_charting": "yes"}},
            ["body", "metadata", "enable_charting"],
            id="charting that is no flag",
        ),
        pytest.param({"messages": None}, ["body", "messages"], id="no messages"),
        pytest.param({"model": 7}, ["body", "model"], id="a model that is a number"),
    ],
)
async def test_validation_is_422_with_a_list(ask, change, loc):
    reply = await ask("POST", CHAT["minds"], chat_body("sales_mind") | change)

    assert reply.status == 422
    assert reply.json()["detail"][0]["loc"] == loc


async def test_metadata_that_is_right_passes(chat):
    metadata = {"mdb_completions_session_id": 7, "enable_charting": True, "other": "x"}

    assert (await chat("minds", metadata=metadata)).status == 200


async def test_bad_json_is_422(ask):
    reply = await ask("POST", CHAT["minds"], [])

    assert (reply.status, reply.json()["detail"][0]["type"]) == (422, "json_invalid")


async def test_the_monthly_quota_is_429_for_good(chat):
    reply = await chat("minds", "_sim_quota")

    assert reply.status == 429
    assert reply.json() == {"detail": "Monthly limit exceeded for tokens: 5/5"}


async def test_the_velocity_limit_says_when(chat):
    reply = await chat("minds", "_sim_rate_9")

    assert (reply.status, reply.header("retry-after")) == (429, "9")
    assert reply.json()["error"]["code"] == "rate_limited"


async def test_an_empty_wallet_is_402(chat):
    reply = await chat("minds", "_sim_wallet")

    assert (reply.status, reply.header("x-mindshub-reason")) == (402, "wallet_empty")
    assert reply.json()["error"]["code"] == "wallet_empty"


async def test_who_is_no_browser_meets_the_bot_filter(send):
    data = (
        b"GET /minds/api/v1/minds/ HTTP/1.1\r\nHost: sim\r\nUser-Agent: python\r\n"
        b"Authorization: Bearer sim-minds\r\n\r\n"
    )
    reply = await send(data)

    assert (reply.status, reply.header("content-type")) == (403, "text/html; charset=UTF-8")


async def test_the_project_lists_a_bare_array_with_rfc_1123_dates(ask):
    rows = (await ask("GET", "/minds/api/projects/mindsdb/minds")).json()

    assert [row["name"] for row in rows] == ["sales_mind", "support_mind"]
    assert rows[0]["created_at"] == "Wed, 07 Aug 2024 10:50:31 GMT"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/minds/api/projects/mindsdb/minds/sales_mind", 200),
        ("/minds/api/projects/mindsdb/minds/nobody", 404),
        ("/minds/api/projects/other/minds", 404),
        ("/minds/api/v1/minds/Sales_Mind", 200),
        ("/minds/api/v1/minds/nobody", 404),
    ],
)
async def test_minds_are_looked_up_by_name(ask, path, status):
    reply = await ask("GET", path)

    assert reply.status == status
    assert status == 404 or reply.json()["name"] == "sales_mind"


async def test_250_minds_are_paged(ask):
    found = []
    for offset in (0, 100, 200, 300):
        page = (await ask("GET", f"/minds/api/v1/minds/?limit=100&offset={offset}")).json()
        assert page["total"] == 250
        found += [row["name"] for row in page["minds"]]

    assert (len(found), len(set(found))) == (250, 250)


async def test_a_page_has_100_minds_at_most_and_iso_dates(ask):
    page = (await ask("GET", "/minds/api/v1/minds/")).json()

    assert len(page["minds"]) == 100
    assert page["minds"][0]["created_at"] == "2024-08-07T10:50:31Z"


@pytest.mark.parametrize("query", ["limit=101", "limit=0", "limit=x", "offset=-1"])
async def test_a_page_that_cannot_be_is_422(ask, query):
    assert (await ask("GET", f"/minds/api/v1/minds/?{query}")).status == 422


async def test_the_collection_without_its_slash_is_307(ask):
    reply = await ask("GET", "/minds/api/v1/minds?limit=5")

    assert reply.status == 307
    assert reply.header("location") == "http://sim/minds/api/v1/minds/?limit=5"


async def test_the_hub_lists_models_that_are_off_or_embed(ask):
    rows = (await ask("GET", "/minds/v1/models")).json()["data"]

    assert [row["id"] for row in rows if row["enabled"] and not row["embedding"]] == [
        "latest:sonnet",
        "latest:gpt",
    ]
    assert len(rows) == 4


async def test_every_listed_mind_answers(ask):
    assert (await ask("POST", CHAT["minds-api"], chat_body("mind_250"))).status == 200
