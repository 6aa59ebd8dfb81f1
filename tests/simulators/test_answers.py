"""What is answered (X2, X3): the echo, its words counted, the same bytes each time."""

import pytest

from app.simulators.answers import split_words
from tests.simulators.raw_client import CHAT, MODELS, chat_body, head_of

OPEN_SITES = ["4minds", "openmind", "openai"]
SITES = [*OPEN_SITES, "minds", "minds-v1", "minds-api"]
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {}}}


@pytest.mark.parametrize("text", ["a", " a  b\n", "a\u2028b c", "", "   ", "x " * 50])
def test_pieces_joined_are_the_text(text):
    assert "".join(split_words(text)) == text


@pytest.mark.parametrize("site", SITES)
async def test_the_answer_is_the_echo_of_the_last_user_text(chat, site):
    reply = await chat(site, text="hello big world")

    message = reply.json()["choices"][0]["message"]
    assert message["role"] == "assistant"
    assert message["content"] == "echo: hello big world"


@pytest.mark.parametrize("site", SITES)
async def test_streamed_words_join_to_the_same_answer(chat, site):
    reply = await chat(site, text="hello big world", stream=True)

    said = [one for one in reply.deltas() if one.get("role", "assistant") == "assistant"]
    assert [one["content"] for one in said if one.get("content")] == [
        "echo:",
        " hello",
        " big",
        " world",
    ]
    assert reply.header("content-type") == "text/event-stream"


@pytest.mark.parametrize("site", SITES)
async def test_one_event_leaves_per_write(chat, site):
    reply = await chat(site, stream=True)

    assert all(chunk.endswith(b"\n\n") and chunk.count(b"data: ") == 1 for chunk in reply.chunks)


@pytest.mark.parametrize("site", [*OPEN_SITES, "minds"])
async def test_usage_counts_words_of_all_messages_and_of_the_answer(ask, site):
    body = chat_body(MODELS[site], "one two three")
    body["messages"].insert(0, {"role": "system", "content": "be brief"})
    usage = (await ask("POST", CHAT[site], body)).json()["usage"]

    assert usage["prompt_tokens"] == 5
    assert usage["completion_tokens"] == 4
    assert usage["total_tokens"] == 9


@pytest.mark.parametrize("site", OPEN_SITES)
async def test_usage_streams_only_when_asked_for(chat, site):
    silent = await chat(site, stream=True)
    asked = await chat(site, stream=True, stream_options={"include_usage": True})

    assert b'"usage"' not in silent.body
    last = asked.payloads()[-1]
    assert (last["choices"], last["usage"]["total_tokens"]) == ([], 5)
    assert asked.data()[-1] == "[DONE]"


@pytest.mark.parametrize("site", OPEN_SITES)
async def test_a_tool_call_comes_in_three_fragments(chat, site):
    text = 'call look_up {"city":"Köln"}'
    reply = await chat(site, text=text, tools=[TOOL], stream=True)

    calls = [delta["tool_calls"][0] for delta in reply.deltas() if delta.get("tool_calls")]
    assert calls[0]["function"] == {"name": "look_up", "arguments": ""}
    assert len(calls) == 4
    assert "".join(one["function"]["arguments"] for one in calls) == '{"city":"Köln"}'
    assert reply.finishes() == ["tool_calls"]


@pytest.mark.parametrize("site", SITES)
async def test_a_tool_call_comes_whole_when_nothing_streams(chat, site):
    reply = await chat(site, text="call look_up {}", tools=[TOOL])

    message = reply.json()["choices"][0]["message"]
    assert message["content"] is None
    assert message["tool_calls"][0]["function"] == {"name": "look_up", "arguments": "{}"}


@pytest.mark.parametrize(
    "text", ["call other {}", "call look_up [1]", "call look_up {no}", "please call look_up {}"]
)
async def test_what_is_no_call_of_a_known_tool_is_echoed(chat, text):
    reply = await chat("openai", text=text, tools=[TOOL])

    assert reply.json()["choices"][0]["message"]["content"] == f"echo: {text}"


@pytest.mark.parametrize("kind", ["json_object", "json_schema"])
async def test_a_json_format_is_honoured(chat, kind):
    reply = await chat("openai", text='a "b"', response_format={"type": kind})

    assert reply.json()["choices"][0]["message"]["content"] == '{"echo":"a \\"b\\""}'


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
async def test_max_tokens_cuts_the_answer(chat, name):
    whole = await chat("openai", text="one two three", **{name: 2})
    streamed = await chat("openai", text="one two three", stream=True, **{name: 2})

    choice = whole.json()["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("echo: one", "length")
    assert whole.json()["usage"]["completion_tokens"] == 2
    assert (streamed.text(), streamed.finishes()) == ("echo: one", ["length"])


async def test_images_are_counted_in_the_text(ask):
    body = chat_body("sim-gpt")
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}
    body["messages"][0]["content"] = [{"type": "text", "text": "look"}, image, image]
    reply = await ask("POST", CHAT["openai"], body)

    assert reply.json()["choices"][0]["message"]["content"] == "echo: look [images: 2]"


@pytest.mark.parametrize("site", OPEN_SITES)
async def test_several_choices_are_given_and_counted(chat, site):
    whole = await chat(site, n=2)
    streamed = await chat(site, n=2, stream=True)

    assert [one["index"] for one in whole.json()["choices"]] == [0, 1]
    assert whole.json()["usage"]["completion_tokens"] == 6
    places = [one["choices"][0]["index"] for one in streamed.payloads()]
    assert places == [0, 1] * (len(places) // 2)


async def test_text_of_any_kind_survives(chat):
    text = "Köln \u2028 \U0001f600 \ud800"
    reply = await chat("openai", text=text)

    assert reply.json()["choices"][0]["message"]["content"] == f"echo: {text}"


@pytest.mark.parametrize(
    ("site", "created"),
    [("4minds", 1740830400), ("minds", 1702685778), ("openmind", 1742147458)],
)
async def test_created_is_the_seeds_and_ids_count_up(chat, site, created):
    replies = [(await chat(site)).json() for _ in range(3)]

    assert {one["created"] for one in replies} == {created}
    assert [one["id"] for one in replies] == ["chatcmpl-1", "chatcmpl-2", "chatcmpl-3"]


async def test_answers_are_byte_exact(chat):
    expected = (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-simulated: mindgate\r\n"
        b"x-request-id: sim-1\r\ncontent-length: 289\r\n\r\n"
        b'{"id":"chatcmpl-1","object":"chat.completion","created":1740830400,'
        b'"model":"4minds-model-123","choices":[{"index":0,"message":{"role":"assistant",'
        b'"content":"echo: hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,'
        b'"completion_tokens":2,"total_tokens":3},"system_fingerprint":"simulated"}'
    )

    reply = await chat("4minds", text="hi")

    assert reply.raw == expected.replace(b"289", str(len(reply.body)).encode())


@pytest.mark.parametrize("site", ["4minds", "openmind", "openai"])
async def test_an_answer_says_that_it_is_simulated(chat, site):
    reply = await chat(site)

    assert reply.json()["system_fingerprint"] == "simulated"
    assert reply.header("x-simulated") == "mindgate"


@pytest.mark.parametrize(
    "mangled",
    [
        pytest.param(b"[]", id="an array"),
        pytest.param(b'{"model":"sim-gpt"', id="cut JSON"),
        pytest.param(b'{"model":"sim-gpt","messages":[],"x":NaN}', id="NaN"),
        pytest.param(b'{"model":"sim-gpt"}', id="no messages"),
        pytest.param(b'{"model":"sim-gpt","messages":[]}', id="empty messages"),
        pytest.param(b'{"model":"sim-gpt","messages":["hi"]}', id="a message that is no object"),
        pytest.param(b'{"model":"sim-gpt","messages":[{"role":"x","content":""}]}', id="role"),
        pytest.param(
            b'{"model":"sim-gpt","messages":[{"role":"user","content":1}]}', id="content a number"
        ),
        pytest.param(b'{"messages":[{"role":"user","content":"a"}]}', id="no model"),
        pytest.param(
            b'{"model":"sim-gpt","model":"sim-gpt","messages":[{"role":"user","content":"a"}]}',
            id="model given twice",
        ),
        pytest.param(
            b'{"model":"sim-gpt","stream":1,"messages":[{"role":"user","content":"a"}]}',
            id="stream a number",
        ),
        *(
            pytest.param(
                b'{"model":"sim-gpt",%b,"messages":[{"role":"user","content":"a"}]}' % member,
                id=f"a wrong member {place}",
            )
            for place, member in enumerate(
                [
                    b'"stream_options":7',
                    b'"tools":{}',
                    b'"response_format":"json"',
                    b'"max_tokens":0',
                    b'"max_tokens":true',
                    b'"n":"2"',
                    b'"n":129',
                ]
            )
        ),
    ],
)
async def test_a_mangled_body_is_400(send, mangled):
    reply = await send(head_of("POST", CHAT["openai"], mangled, None, False) + mangled)

    assert reply.status == 400
    assert set(reply.json()["error"]) == {"message", "type", "param", "code"}
