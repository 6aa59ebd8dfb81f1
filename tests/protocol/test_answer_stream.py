import json

import pytest
from openai.types.chat import ChatCompletionChunk

from app.protocol.answer_stream import pieces
from app.protocol.chat_stream import is_event_stream, stream_of_answer
from tests.protocol.streams import MADE_UP, run

USAGE = '{"completion_tokens":10,"prompt_tokens":8,"total_tokens":18}'
# the seed's answer (upstreams 5.3), its usage shortened
SEED = (
    '{"choices":[{"finish_reason":"stop","index":0,"logprobs":null,"message":{"annotations":[],'
    '"content":"Hello! How can I assist you today?","refusal":null,"role":"assistant"}}],'
    '"created":1742147458,"id":"chatcmpl","model":"gpt-4o-2024-08-06","object":"chat.completion",'
    '"service_tier":"default","system_fingerprint":"fingerprint","usage":' + USAGE + "}"
)
HEAD = '{"id":"chatcmpl","object":"chat.completion.chunk","created":1742147458,"model":"gpt-4o-2024-08-06",'
REST = ',"service_tier":"default","system_fingerprint":"fingerprint"}'
SENT = [
    f'{HEAD}"choices":[{{"index":0,"delta":{{"role":"assistant","content":""}},"finish_reason":null}}]{REST}',
    f'{HEAD}"choices":[{{"index":0,"delta":{{"content":"Hello! How can I assist you today?"}},'
    f'"finish_reason":null}}]{REST}',
    f'{HEAD}"choices":[{{"index":0,"delta":{{}},"finish_reason":"stop"}}]{REST}',
    f'{HEAD}"choices":[],"usage":{USAGE}{REST}',
    "[DONE]",
]


def frames(answer: str, *, include_usage: bool = False) -> list[str]:
    sent = stream_of_answer(answer.encode(), include_usage=include_usage, identity=MADE_UP)
    return [frame.decode().removeprefix("data: ").removesuffix("\n\n") for frame in sent]


def answer(*choices: str) -> str:
    return f'{{"id":"a","object":"chat.completion","created":1,"model":"m","choices":[{",".join(choices)}]}}'


def test_s8_the_seeds_answer_leaves_as_the_example_shows():
    assert SENT == frames(SEED, include_usage=True)


def test_i10_usage_is_left_out_unless_asked_for():
    assert [*SENT[:3], "[DONE]"] == frames(SEED)


def test_the_stream_of_an_answer_is_canonical():
    sent = "".join(f"data: {frame}\n\n" for frame in frames(SEED, include_usage=True))

    assert sent == run(sent, include_usage=True).sent
    assert run(sent).chunks


def test_tool_calls_go_whole_in_the_second_chunk():
    call = '{"id":"call_1","type":"function","function":{"name":"f","arguments":"{}"}}'
    message = f'{{"role":"assistant","content":null,"tool_calls":[{call},{call}]}}'
    sent = frames(answer(f'{{"index":0,"message":{message},"finish_reason":"tool_calls"}}'))
    delta = json.loads(sent[1])["choices"][0]["delta"]

    assert 4 == len(sent)
    assert [0, 1] == [found["index"] for found in delta["tool_calls"]]
    assert json.loads(call).items() <= delta["tool_calls"][1].items()
    ChatCompletionChunk.model_validate(json.loads(sent[1]), strict=True)


def test_each_choice_has_its_own_chunks():
    sent = frames(
        answer(
            '{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}',
            '{"index":1,"message":{"role":"assistant","content":"b"},"finish_reason":"length"}',
        )
    )
    choices = [json.loads(frame)["choices"][0] for frame in sent[:-1]]

    assert [0, 0, 0, 1, 1, 1] == [choice["index"] for choice in choices]
    assert ["stop", "length"] == [c["finish_reason"] for c in choices if c["finish_reason"]]


def test_reasoning_refusal_and_unknown_members_are_not_lost():
    message = '{"role":"assistant","content":"a","refusal":"r","reasoning_content":"t","x":[1.10]}'
    sent = frames(
        answer(
            f'{{"index":0,"logprobs":{{"content":[]}},"message":{message},"finish_reason":"stop"}}'
        )
    )
    deltas = [json.loads(frame)["choices"][0]["delta"] for frame in sent[1:-2]]

    assert [{"x": [1.1]}, {"reasoning_content": "t"}, {"content": "a"}, {"refusal": "r"}] == deltas
    assert '"x":[1.10]' in sent[1]
    assert '"logprobs":{"content":[]}' in sent[-2]


HARD_TO_CUT = [
    pytest.param("x" * 40, id="plain"),
    pytest.param("é€😀" * 12, id="characters of several bytes (H10)"),
    pytest.param("\\u00e9" * 12, id="escapes"),
    pytest.param("\\n\\\\" * 12, id="short escapes"),
    pytest.param("a\\ud83d\\ude00" * 8, id="surrogate pairs"),
    pytest.param("\\\\ud83d" * 8, id="a backslash, then text that looks like an escape"),
    pytest.param("\\ud83d" * 12, id="lone surrogates (D5)"),
]


@pytest.mark.parametrize("inner", HARD_TO_CUT)
@pytest.mark.parametrize("most", range(12, 30))
def test_h12_texts_are_cut_between_characters(inner, most):
    text = f'"{inner}"'.encode()
    cut = list(pieces(text, most))

    assert text[1:-1] == b"".join(piece[1:-1] for piece in cut)
    assert all(len(piece) - 2 <= most for piece in cut)
    # json.loads joins no pair across pieces, so equality shows that none was parted
    assert json.loads(text) == "".join(json.loads(piece) for piece in cut)


def test_h12_frames_we_make_stay_below_128_kib():
    long = '"' + "é" * 200_000 + '"'
    sent = frames(
        answer(
            f'{{"index":0,"message":{{"role":"assistant","content":{long}}},"finish_reason":"stop"}}'
        )
    )

    assert max(len(frame.encode()) for frame in sent) < 128 * 1024
    assert json.loads(long) == "".join(
        json.loads(frame)["choices"][0]["delta"].get("content", "") for frame in sent[:-1]
    )


@pytest.mark.parametrize(
    ("content_type", "first_bytes", "is_stream"),
    [
        pytest.param("text/event-stream; charset=utf-8", b"", True, id="SSE by its type"),
        pytest.param("application/json", b"data: {}", False, id="JSON by its type"),
        pytest.param("", b"\n data: {}", True, id="SSE by its first byte"),
        pytest.param("text/plain", b"\xef\xbb\xbf: hi", True, id="a comment behind a BOM"),
        pytest.param("", b' {"id"', False, id="JSON by its first byte"),
        pytest.param("", b"<html>", False, id="HTML is no stream"),
        pytest.param("", b"", False, id="nor is nothing"),
    ],
)
def test_s8_s9_what_a_body_is(content_type, first_bytes, is_stream):
    assert is_stream == is_event_stream(content_type, first_bytes)


def test_i1_an_id_that_was_already_sent_stays():
    frames = stream_of_answer(SEED.encode(), include_usage=False, identity=MADE_UP, said_id="said")

    ids = {json.loads(frame[6:])["id"] for frame in frames if b"[DONE]" not in frame}
    assert ids == {"said"}
