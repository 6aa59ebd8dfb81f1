import json

import pytest

from app.protocol.chat_stream import FaultReason
from app.upstreams.minds_thoughts import minds_rules
from tests.protocol.streams import (
    DONE,
    FIRST,
    HELLO,
    STOP,
    USAGE,
    at,
    chunk,
    run,
    seeded,
    sizes,
    sse,
    usage_chunk,
)

RULES = minds_rules(thoughts="reasoning", missing_finish="accept")
STRICT = minds_rules(thoughts="reasoning", missing_finish="error")
HEAD = (
    '{"id":"8f6c","object":"chat.completion.chunk","created":%d,"model":"sales_mind",'
    '"choices":[{"index":%d,"delta":%s,'
)
TAIL = '"finish_reason":%s}],"system_fingerprint":null}'


def mind(delta: str, index: int = 0, finish: str = "null", created: int = 1747577755) -> str:
    return HEAD % (created, index, delta) + TAIL % finish


def told(role: str, text: str, index: int = 0, finish: str = "null") -> str:
    return mind(f'{{"role":"{role}","content":"{text}"}}', index, finish)


# upstreams 4.4, byte for byte
EXAMPLE_IN = "".join(
    f"event: completion\n{event}\n\n"
    for event in sse(
        mind(
            '{"role":"thought.planning","content":"Planning query steps..."}', 0, created=1747577751
        ),
        mind('{"role":"thought.execution.step.sql","content":"SELECT 1"}', 1, created=1747577753),
        told("assistant", "There were 8.", 2),
        told("assistant", "", 2, '"stop"'),
    ).split("\n\n")
    if event
)
EXAMPLE_OUT = (
    sse(
        '{"id":"8f6c","object":"chat.completion.chunk","created":1747577751,"model":"sales_mind","choices":[{"index":0,'
        '"delta":{"role":"assistant","reasoning_content":"Planning query steps..."},"finish_reason":null}],'
        '"system_fingerprint":null}',
        '{"id":"8f6c","object":"chat.completion.chunk","created":1747577753,"model":"sales_mind","choices":[{"index":0,'
        '"delta":{"reasoning_content":"\\n\\nSELECT 1"},"finish_reason":null}],"system_fingerprint":null}',
        '{"id":"8f6c","object":"chat.completion.chunk","created":1747577755,"model":"sales_mind","choices":[{"index":0,'
        '"delta":{"content":"There were 8."},"finish_reason":null}],"system_fingerprint":null}',
        '{"id":"8f6c","object":"chat.completion.chunk","created":1747577755,"model":"sales_mind","choices":[{"index":0,'
        '"delta":{"content":""},"finish_reason":"stop"}],"system_fingerprint":null}',
    )
    + DONE
)
FORMS = {
    "T1": sse(mind('{"content":"Thinking. "}'), mind('{"content":"It is 8."}')),
    "T2": sse(
        told("user", "q", 0),
        told("system", "t1", 1),
        told("system", "t2", 2),
        told("assistant", "It is 8.", 3),
    ),
    "T3": sse(
        told("system", "t1", 0), told("system", "t2", 1), told("assistant", "It is 8.", 2, '"stop"')
    ),
    "T4": EXAMPLE_IN,
    "T5": sse(FIRST, HELLO, chunk('{"reasoning_content":"hm"}'), STOP) + DONE,
}


def test_the_worked_example_comes_out_byte_for_byte():
    result = run(EXAMPLE_IN, rules=STRICT)

    assert EXAMPLE_OUT == result.sent
    assert result.chunks


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("thoughts", ["reasoning", "content", "comment", "drop"])
def test_h10_any_cut_gives_the_same_output(form, thoughts):
    data = FORMS[form].encode()
    rules = minds_rules(thoughts=thoughts, missing_finish="accept")
    whole = run(data, rules=rules)

    assert whole.sent.endswith(DONE)
    assert whole.chunks
    for cut in range(len(data)):
        assert whole == run(data, rules=rules, cuts=at(data, cut)), f"cut at {cut}"
    assert whole == run(data, rules=rules, cuts=sizes(data, 3))
    for seed in range(30):
        assert whole == run(data, rules=rules, cuts=seeded(data, seed)), f"seed {seed}"


@pytest.mark.parametrize(
    ("form", "reasoning", "content"),
    [
        pytest.param("T1", "", "Thinking. It is 8.", id="T1: told by nothing, all is answer"),
        pytest.param("T2", "q\n\nt1\n\nt2", "It is 8.", id="T2: system and user are thoughts"),
        pytest.param("T3", "t1\n\nt2", "It is 8.", id="T3: finish, no [DONE]"),
        pytest.param(
            "T4", "Planning query steps...\n\nSELECT 1", "There were 8.", id="T4: named events"
        ),
        pytest.param("T5", "hm", "Héllo \u2028 \x85 wörld", id="T5: OpenAI's own"),
    ],
)
def test_m_s2_m_s3_what_a_client_adds_up(form, reasoning, content):
    chunks = run(FORMS[form], rules=RULES).chunks
    deltas = [found["choices"][0]["delta"] for found in chunks]

    assert reasoning == "".join(delta.get("reasoning_content", "") for delta in deltas)
    assert content == "".join(delta.get("content", "") for delta in deltas)
    assert ["assistant"] == [delta["role"] for delta in deltas if "role" in delta]
    assert {0} == {found["choices"][0]["index"] for found in chunks}
    assert ["stop"] == [r for c in chunks if (r := c["choices"][0]["finish_reason"])]


def test_t5_leaves_byte_for_byte():
    assert FORMS["T5"] == run(FORMS["T5"], rules=RULES).sent


@pytest.mark.parametrize(
    ("thoughts", "sent"),
    [
        pytest.param("content", ['{"role":"assistant","content":"t1"}', '{"content":"\\n\\nt2"}',
                                 '{"content":"\\n\\nIt is 8."}'], id="content"),
        pytest.param("drop", ['{"role":"assistant","content":"It is 8."}'], id="drop"),
    ],
)  # fmt: skip
def test_m_s3_thoughts_go_where_they_were_told(thoughts, sent):
    result = run(FORMS["T3"], rules=minds_rules(thoughts=thoughts, missing_finish="error"))
    finishes = ["null"] * (len(sent) - 1) + ['"stop"']

    assert sse(*map(mind, sent, [0] * len(sent), finishes)) + DONE == result.sent


def test_m_s3_thoughts_as_comments():
    result = run(FORMS["T3"], rules=minds_rules(thoughts="comment", missing_finish="error"))

    assert result.sent.startswith(
        ': thought {"role":"system","content":"t1"}\n\n: thought {"role":"system","content":"t2"}\n\n'
    )


def test_m_s3_empty_thoughts_are_skipped():
    events = [told("system", ""), told("system", "a"), told("system", ""), told("system", "b")]
    deltas = [c["choices"][0]["delta"] for c in run(sse(*events), rules=RULES).chunks]

    assert ["a", "\n\nb"] == [delta["reasoning_content"] for delta in deltas]


def test_m_s5_text_that_resumes_after_a_thought_begins_a_paragraph():
    events = [told("assistant", "A", 0), told("assistant", "B", 1), told("thought.planning", "t", 2),
              told("assistant", "", 3), told("assistant", "C", 4), told("assistant", "D", 5)]  # fmt: skip
    deltas = [c["choices"][0]["delta"] for c in run(sse(*events), rules=RULES).chunks]

    assert ["A", "B", "", "\n\nC", "D"] == [d["content"] for d in deltas if "content" in d]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        pytest.param(
            '{"type":"sql_query","query":"SELECT 1"}', "SELECT 1", id="an sql_query gives its query"
        ),
        pytest.param(
            '{"rows": [1.10]}', '{"rows":[1.10]}', id="any other object its compact JSON text"
        ),
        pytest.param('[{"type":"text","text":"a"},"b"]', "ab", id="a list of parts their texts"),
    ],
)
@pytest.mark.parametrize(
    ("role", "member"), [("assistant", "content"), ("system", "reasoning_content")]
)
def test_m_s4_content_that_is_no_string(content, text, role, member):
    event = mind(f'{{"role":"{role}","content":{content}}}', 3)
    chunks = run(sse(event), rules=RULES).chunks

    assert text == chunks[0]["choices"][0]["delta"][member]


ENDS = [
    pytest.param(FORMS["T1"], "accept", True, None, id="M-S6: accepted after answer text"),
    pytest.param(FORMS["T2"], "error", True, FaultReason.DISCONNECTED, id="M-S6: not where that is an error"),
    pytest.param(FORMS["T1"], "accept", False, FaultReason.DISCONNECTED, id="M-S6: a cut is always a failure"),
    pytest.param(FORMS["T3"], "error", False, None, id="S10: cut after the finish is complete"),
    pytest.param(sse(told("system", "t")), "accept", True, FaultReason.MALFORMED, id="M-S7: thoughts only"),
    pytest.param(sse(told("system", "t", 0, '"stop"')), "accept", True, FaultReason.MALFORMED,
                 id="M-S7: even when a thought claims to finish"),
    pytest.param(sse(told("system", "t")) + DONE, "accept", True, FaultReason.MALFORMED, id="M-S7: then [DONE]"),
    pytest.param("", "error", True, FaultReason.MALFORMED, id="M-S7: nothing"),
    pytest.param(sse(told("system", "t")), "accept", False, FaultReason.DISCONNECTED, id="thoughts, then cut"),
]  # fmt: skip


@pytest.mark.parametrize(("received", "missing_finish", "clean", "fault"), ENDS)
def test_streams_end(received, missing_finish, clean, fault):
    rules = minds_rules(thoughts="reasoning", missing_finish=missing_finish)
    result = run(received, rules=rules, clean=clean)

    assert fault == result.reason
    assert result.sent.endswith(DONE) == (fault is None)


def test_content_that_thoughts_share_is_no_answer():
    rules = minds_rules(thoughts="content", missing_finish="accept")

    assert FaultReason.MALFORMED == run(sse(told("system", "t")), rules=rules).reason


def test_tool_calls_and_usage_pass():
    call = '{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"c","type":"function",' \
           '"function":{"name":"f","arguments":"{}"}}]}'  # fmt: skip
    received = sse(chunk(call), chunk(finish='"tool_calls"'), usage_chunk()) + DONE
    result = run(received, rules=STRICT, include_usage=True)

    assert received == result.sent


def test_i7_a_call_that_comes_with_its_finish_is_sent_before_it():
    """Form T3 has both in one frame, and an SDK's helper calls a call done only when a chunk follows."""
    call = '{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"c","type":"function",' \
           '"function":{"name":"f","arguments":"{}"}}]}'  # fmt: skip
    chunks = run(sse(chunk(call, finish='"tool_calls"')), rules=RULES).chunks

    assert [(True, None), (False, "tool_calls")] == [
        ("tool_calls" in found["choices"][0]["delta"], found["choices"][0]["finish_reason"])
        for found in chunks
    ]


def test_several_choices_in_one_frame_become_several_chunks():
    both = told("system", "t", 0).replace(
        '}],"system',
        '},{"index":1,"delta":{"role":"assistant","content":"a"},"finish_reason":"stop"}],"system',
    )
    chunks = run(
        sse(both.replace('"system_fingerprint":null', f'"usage":{USAGE}')), rules=RULES
    ).chunks

    assert [{"role": "assistant", "reasoning_content": "t"}, {"content": "a"}] == [
        found["choices"][0]["delta"] for found in chunks
    ]
    assert [False, True] == ["usage" in found for found in chunks]


def test_r16_an_event_over_the_bound_is_refused():
    result = run(
        sse(FIRST, chunk('{"content":"%s"}' % ("x" * 4000)), STOP),
        rules=RULES,
        max_event_bytes=2000,
    )

    assert FaultReason.MALFORMED == result.reason
    assert json.loads(result.sent.removeprefix("data: "))
