import json

import pytest

from app.protocol.chat_fold import ChatFold
from app.protocol.chat_stream import FaultReason
from app.upstreams.fourminds_events import fourminds_rules
from tests.protocol.streams import CALL, DONE, FIRST, HELLO, MADE_UP, STOP, at, chunk, run, sse

STATUS = '{"type":"status","stage":"planning","message":"hop 1"}'
NAMED = f"event: agent_status\ndata: {STATUS}\n\n"
# upstreams 3.4, byte for byte
EXAMPLE_IN = NAMED + sse(
    '{"id":"chatcmpl-9","object":"chat.completion.chunk","created":1740830400,"model":"4minds-model-123",'
    '"choices":[{"index":0,"delta":{"role":"assistant","content":"Ma"},"finish_reason":null}]}'
)
EXAMPLE_OUT = sse(
    '{"id":"chatcmpl-9","object":"chat.completion.chunk","created":1740830400,"model":"4minds-model-123",'
    '"choices":[{"index":0,"delta":{"role":"assistant","content":"Ma"},"finish_reason":null}]}',
    '{"id":"chatcmpl-9","object":"chat.completion.chunk","created":1740830400,"model":"4minds-model-123",'
    '"choices":[{"index":0,"delta":{},"finish_reason":null}],"4minds":{"event":"agent_status",'
    '"data":{"type":"status","stage":"planning","message":"hop 1"}}}',
)
CHUNKS = fourminds_rules(events="chunk")


def wrapped(name: str, data: str) -> str:
    return chunk(rest=f',"4minds":{{"event":{name},"data":{data}}}')


def test_f_s2_the_worked_example_comes_out_byte_for_byte():
    result = run(EXAMPLE_IN, rules=CHUNKS)

    assert EXAMPLE_OUT == result.sent
    assert result.chunks
    assert 0 == result.dropped_events


def test_any_cut_gives_the_same_output():
    data = (EXAMPLE_IN + NAMED + sse(STATUS, STOP) + DONE).encode()
    whole = run(data, rules=CHUNKS)

    for cut in range(len(data)):
        assert whole == run(data, rules=CHUNKS, cuts=at(data, cut)), f"cut at {cut}"


@pytest.mark.parametrize(
    ("event", "sent"),
    [
        pytest.param(NAMED, wrapped('"agent_status"', STATUS), id="named"),
        pytest.param(sse(STATUS), wrapped("null", STATUS), id="an object without choices"),
        pytest.param(
            "event: s\ndata: planning\n\n",
            wrapped('"s"', '"planning"'),
            id="plain text under a name (K1)",
        ),
        pytest.param(
            'event: s\ndata: {"a":\ndata: 1.10}\n\n',
            wrapped('"s"', '{"a": 1.10}'),
            id="over two lines",
        ),
    ],
)
def test_f_s2_events_become_chunks_that_add_nothing(event, sent):
    result = run(sse(FIRST) + event + sse(STOP) + DONE, rules=CHUNKS)

    assert sse(FIRST, sent, STOP) + DONE == result.sent
    assert result.chunks


@pytest.mark.parametrize(
    ("form", "sent"),
    [
        ("comment", f': 4minds {{"event":"agent_status","data":{STATUS}}}\n\n'),
        ("raw", NAMED),
        ("drop", ""),
    ],
)
def test_f_s2_other_forms(form, sent):
    result = run(NAMED + sse(FIRST, STOP) + DONE, rules=fourminds_rules(events=form))

    assert sse(FIRST) + sent + sse(STOP) + DONE == result.sent
    assert (form == "drop") == bool(result.dropped_events)


@pytest.mark.parametrize("form", ["chunk", "comment", "raw", "drop"])
def test_f_s2_s9_no_form_of_an_event_harms_a_folded_answer(form):
    events = NAMED + sse(STATUS, '{"choices":null,"a":1}') + "event: s\ndata: planning\n\n"
    fold = ChatFold(rules=fourminds_rules(events=form), identity=MADE_UP, max_event_bytes=1 << 20)
    fold.feed((sse(FIRST) + events + sse(HELLO, STOP) + DONE).encode())
    answer = json.loads(fold.finish(clean=True).body)

    assert (
        json.loads(HELLO)["choices"][0]["delta"]["content"]
        == answer["choices"][0]["message"]["content"]
    )
    assert (form == "chunk") == ("4minds" in answer)
    assert {"id", "object", "created", "model", "choices"} == answer.keys() - {"4minds"}


@pytest.mark.parametrize("form", ["chunk", "comment", "raw", "drop"])
def test_f_s3_k1_text_under_a_name_that_may_not_pass_is_dropped_and_counted(form):
    text = "event: s\ndata: planning\n\n"
    result = run(
        text * 70 + sse(FIRST) + text + sse(STOP) + DONE, rules=fourminds_rules(events=form)
    )

    assert result.reason is None
    assert result.sent.endswith(sse(STOP) + DONE)
    assert (71 if form == "drop" else 6) == result.dropped_events


def test_f_s3_64_events_wait_the_rest_is_dropped_and_counted():
    events = [f'{{"n":{n}}}' for n in range(70)]
    result = run(sse(*events, FIRST, STOP) + DONE, rules=CHUNKS)
    waited = [c["4minds"]["data"]["n"] for c in result.chunks if "4minds" in c]

    assert list(range(64)) == waited
    assert 6 == result.dropped_events


def test_f_s1_chunks_leave_byte_for_byte():
    received = sse(FIRST, HELLO, chunk(rest=',"4minds":{"a":1.10}'), STOP) + DONE

    assert received == run(received, rules=CHUNKS).sent
    assert json.loads(CALL)["choices"]


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        pytest.param(
            '{"error":{"message":"no"}}', FaultReason.ERROR_EVENT, id="an error is no event (S7)"
        ),
        pytest.param(
            '{"status":"error","message":"no"}',
            FaultReason.ERROR_EVENT,
            id="nor the native envelope",
        ),
        pytest.param("planning", FaultReason.MALFORMED, id="nor text without a name (S7)"),
    ],
)
def test_failures_stay_failures(event, reason):
    result = run(sse(FIRST, event), rules=CHUNKS)

    assert reason == result.reason
    assert sse(FIRST) == result.sent


def test_s10_an_end_without_a_chunk_is_too_early():
    assert FaultReason.DISCONNECTED == run(NAMED, rules=CHUNKS).reason
