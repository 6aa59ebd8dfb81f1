import json

import pytest

from app.domain.usage import Usage
from app.protocol.answer_rules import OPENAI_RULES, AnswerRules
from app.protocol.chat_stream import ChatStream, FaultReason, StreamFault
from tests.protocol.streams import (
    CALL,
    CALL_MORE,
    DONE,
    FIRST,
    HEAD,
    HELLO,
    MADE_UP,
    STOP,
    USAGE,
    at,
    chunk,
    run,
    seeded,
    sizes,
    sse,
    usage_chunk,
)  # fmt: skip

CANONICAL = sse(FIRST, HELLO, STOP) + DONE
RECORDED = {
    "canonical": CANONICAL,
    "tools": sse(CALL, CALL_MORE, chunk(finish='"tool_calls"')) + DONE,
    "two choices": sse(FIRST, chunk('{"role":"assistant"}', index=1), STOP, chunk(finish='"length"', index=1)) + DONE,
    "CR LF": CANONICAL.replace("\n", "\r\n"),
    "CR": CANONICAL.replace("\n", "\r"),
    "names, ids, comments": "\ufeff" + "".join(f"id: 1\nevent: m\n: c\n{e}\n\n" for e in CANONICAL.split("\n\n") if e),
    "several data lines": CANONICAL.replace(',"choices"', '\ndata:,"choices"'),
    "without blank": CANONICAL.replace("data: ", "data:"),
    "no [DONE]": sse(FIRST, HELLO, STOP),
    "no last blank line": CANONICAL.removesuffix("\n\n"),
    "no finish": sse(FIRST, HELLO) + DONE,
    "more after [DONE]": CANONICAL + sse(HELLO),
    "error midway": sse(FIRST, HELLO, '{"error":{"message":"no"}}', HELLO),
    "not JSON": sse(FIRST, '{"id":'),
    "lone surrogates":
        sse(FIRST, chunk(r'{"content":"\ud83d"}'), chunk(r'{"role":"","content":"\ude00"}'), STOP) + DONE,
    "repairs": sse('{"choices":[{"message":{"content":[{"type":"text","text":"hé"}]}}],"big":12345678901234567890123}',
                   '{"choices":[{"delta":{},"finish_reason":"stop"}],"error":null}') + DONE,
    "usage": sse(FIRST, HELLO, STOP, usage_chunk()) + DONE,
    "cut": sse(FIRST, HELLO) + "data: {",
    "regular": sse(FIRST, *(chunk(f'{{"content":"{text}"}}') for text in ("a", "é", "", r"\n", "世界")), STOP) + DONE,
    "padded": sse(FIRST, *(chunk('{"content":"a"}', rest=f',"obfuscation":"{text}"') for text in ("abc", "", "d")),
                  STOP) + DONE,
    "reasoning, then content": sse(FIRST, *(chunk(f'{{"{name}":"{text}"}}') for name in ("reasoning_content", "content")
                                            for text in ("ab", "c", "de")), STOP, usage_chunk()) + DONE,
    "regular, then broken": sse(FIRST, *(chunk(f'{{"content":"{text}"}}') for text in ("a", "b", "\\", "c"))) + DONE,
}  # fmt: skip


@pytest.mark.parametrize("name", RECORDED)
def test_h10_any_cut_gives_the_same_output(name):
    data = RECORDED[name].encode()
    whole = run(data, include_usage=True)

    for cut in range(len(data)):
        assert whole == run(data, include_usage=True, cuts=at(data, cut)), f"cut at {cut}"
    for size in (1, 3):
        assert whole == run(data, include_usage=True, cuts=sizes(data, size))
    for seed in range(1000):
        assert whole == run(data, include_usage=True, cuts=seeded(data, seed)), f"seed {seed}"


@pytest.mark.parametrize("name", ["canonical", "tools", "two choices", "regular", "padded"])
def test_s2_a_canonical_stream_leaves_byte_for_byte(name):
    result = run(RECORDED[name])

    assert RECORDED[name] == result.sent
    assert result.fault is None
    assert result.chunks


@pytest.mark.parametrize(
    "name",
    ["CR LF", "CR", "names, ids, comments", "without blank", "no [DONE]", "no last blank line",
     "more after [DONE]"],
)  # fmt: skip
def test_h8_irregular_framing_leaves_as_the_canonical_stream(name):
    assert CANONICAL == run(RECORDED[name]).sent


def test_h1_data_lines_are_put_on_one_line():
    assert (
        CANONICAL.replace(',"choices"', ' ,"choices"') == run(RECORDED["several data lines"]).sent
    )


def test_d5_halves_of_a_surrogate_pair_pass():
    result = run(RECORDED["lone surrogates"])

    assert r'{"content":"\ud83d"}' in result.sent
    assert r'{"content":"\ude00"}' in result.sent
    assert result.sent.endswith(sse(STOP) + DONE)


def ended(*events: str) -> str:
    return sse(*events, STOP) + DONE


BARE = '"object":"chat.completion.chunk","created":1,"model":"m1"'
TOOL = '"id":"call_1","type":"function","function":{"name":"f","arguments":"{}"}'


def tools(*fragments: str, role: bool = False) -> str:
    first = '"role":"assistant",' if role else ""
    return chunk(f'{{{first}"tool_calls":[{",".join(fragments)}]}}')


def more(index: int, arguments: str, rest: str = "") -> str:
    return f'{{"index":{index},"function":{{"arguments":{arguments}}}{rest}}}'


REPAIRS = [
    pytest.param(
        [chunk('{"content":"a"}'), chunk('{"role":"assistant","content":"b"}')],
        [chunk('{"role":"assistant","content":"a"}'), chunk('{"content":"b"}')],
        id="the role stands in the first delta only (I3)",
    ),
    pytest.param([chunk('{"role":"","content":"a"}')], [chunk('{"role":"assistant","content":"a"}')],
                 id='a role "" becomes assistant (I3)'),
    pytest.param([FIRST, chunk('{"content":"a"}', finish='""')], [FIRST, chunk('{"content":"a"}')],
                 id='finish_reason "" becomes null (I4)'),
    pytest.param([FIRST, STOP, chunk(finish='"stop"')], [FIRST, STOP, chunk()],
                 id="one finish_reason per choice (I4)"),
    pytest.param([f'{{{HEAD},"choices":[{{"index":0,"message":{{"role":"assistant","content":"a"}},"finish_reason":null}}]}}'],
                 [chunk('{"role":"assistant","content":"a"}')], id="message becomes delta (I5)"),
    pytest.param([FIRST, chunk('{"content":"a"},"message":{"content":"b"}')], [FIRST, chunk('{"content":"a"}')],
                 id="a message beside a delta that speaks is removed (I5)"),
    pytest.param([FIRST, f'{{{HEAD},"choices":[{{"delta":{{"content":"a"}},"finish_reason":null}}]}}'],
                 [FIRST, chunk('{"content":"a"}')], id="a missing index is 0 (I2)"),
    pytest.param([FIRST, f'{{{BARE},"choices":[{{"index":0,"delta":{{}}}}]}}'],
                 [FIRST, f'{{"id":"c1",{BARE},"choices":[{{"index":0,"delta":{{}}}}]}}'],
                 id="a missing id is the first frame's (S3)"),
    pytest.param([FIRST, f'{{"id":"c2",{BARE},"choices":[{{"index":0,"delta":{{}}}}]}}'],
                 [FIRST, f'{{"id":"c1",{BARE},"choices":[{{"index":0,"delta":{{}}}}]}}'],
                 id="the id is the same throughout (I1)"),
    pytest.param([FIRST, '{"choices":[{"index":0,"delta":{}}]}'],
                 [FIRST, f'{{{HEAD},"choices":[{{"index":0,"delta":{{}}}}]}}'],
                 id="object, created and model too (S3)"),
    pytest.param([FIRST, chunk(rest=',"error":null,"x":1.10')], [FIRST, chunk(rest=',"x":1.10')],
                 id="error null is removed, all else stays (I14)"),
    pytest.param([FIRST, chunk('{"content":[{"type":"text","text":"a"},{"type":"image"},"b"]}')],
                 [FIRST, chunk('{"content":"ab"}')], id="a list of parts is joined (I6)"),
    pytest.param([FIRST, chunk('{"content":{"type":"sql_query","query":"SELECT 1"}}')],
                 [FIRST, chunk('{"content":"SELECT 1"}')], id="an sql_query gives its query (M-S4)"),
    pytest.param([FIRST, chunk('{"content":{"a": 1.10}}')], [FIRST, chunk(r'{"content":"{\"a\":1.10}"}')],
                 id="another object its compact JSON text (M-S4)"),
    pytest.param([FIRST, chunk('{"content":"a"}', rest=f',"usage":{USAGE}')],
                 [FIRST, chunk('{"content":"a"}', rest=f',"usage":{USAGE}')],
                 id="a whole usage beside choices stays (I10)"),
    pytest.param([FIRST, chunk('{"content":"a"}', rest=',"usage":null')],
                 [FIRST, chunk('{"content":"a"}', rest=',"usage":null')],
                 id="usage null stays (I10)"),
    pytest.param([FIRST, chunk('{"content":"a"}', rest=',"usage":{},"x":1')],
                 [FIRST, chunk('{"content":"a"}', rest=',"x":1')],
                 id="a partial usage is removed (E4)"),
    pytest.param([f'{{{HEAD},"choices":[],"prompt_filter_results":[]}}', FIRST], [FIRST],
                 id="an empty first chunk is withheld (I15)"),
    pytest.param([FIRST, usage_chunk()], [FIRST], id="the usage chunk is kept back unless asked for (I11)"),
    pytest.param([FIRST, '{"type":"status"}', '{"choices":null}'], [FIRST], id="extension events go nowhere (S5)"),
    pytest.param([FIRST, chunk(rest=',"detail":"more","4minds":{"a":1}')],
                 [FIRST, chunk(rest=',"detail":"more","4minds":{"a":1}')],
                 id="an extra key on a chunk is canonical (F-S1)"),
]  # fmt: skip


@pytest.mark.parametrize(("received", "sent"), REPAIRS)
def test_chunks_are_repaired(received, sent):
    has_finish = any('"stop"' in event for event in sent)
    tail = DONE if has_finish else sse(STOP) + DONE
    result = run(sse(*received) + tail)

    assert sse(*sent) + tail == result.sent
    assert result.chunks


TOOL_REPAIRS = [
    pytest.param([tools(f'{{"index":1,{TOOL}}}', role=True), tools(more(1, '"x"'))],
                 [tools(f'{{"index":0,{TOOL}}}', role=True), tools(more(0, '"x"'))],
                 id="indexes begin at 0 (I7)"),
    pytest.param([tools(f'{{{TOOL}}}', role=True), tools('{"function":{"arguments":"x"}}')],
                 [tools(f'{{"index":0,{TOOL}}}', role=True), tools(more(0, '"x"'))],
                 id="a missing index is made up, the same throughout (I8)"),
    pytest.param([tools(f'{{"index":0,{TOOL}}}', role=True),
                  tools('{"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":"x"}}')],
                 [tools(f'{{"index":0,{TOOL}}}', role=True), tools(more(0, '"x"'))],
                 id="id, type and name are not repeated (I7)"),
    pytest.param([tools(f'{{"index":0,{TOOL}}}', role=True),
                  tools('{"index":0,"id":"call_2","type":"function","function":{"name":"g","arguments":"{}"}}')],
                 [tools(f'{{"index":0,{TOOL}}}', role=True),
                  tools('{"index":1,"id":"call_2","type":"function","function":{"name":"g","arguments":"{}"}}')],
                 id="another id under the same index is another call"),
    pytest.param([tools('{"index":0,"function":{"name":"f","arguments":{"a": 1.10}}}', role=True)],
                 [tools(r'{"index":0,"function":{"name":"f","arguments":"{\"a\":1.10}"},"id":"call_made0up_0_0","type":"function"}',
                        role=True)],
                 id="id, type and string arguments are made up (I8, E3)"),
    pytest.param([tools(f'{{"index":0,{TOOL},"extra_content":{{"google":{{"s":"\\/"}}}}}}', role=True),
                  tools('{"index":0,"id":null,"function":{"name":null,"arguments":"x"}}')],
                 [tools(f'{{"index":0,{TOOL},"extra_content":{{"google":{{"s":"\\/"}}}}}}', role=True),
                  tools('{"index":0,"id":null,"function":{"name":null,"arguments":"x"}}')],
                 id="unknown members pass, null is as good as absent"),
]  # fmt: skip


@pytest.mark.parametrize(("received", "sent"), TOOL_REPAIRS)
def test_tool_calls_are_repaired_and_end_in_tool_calls(received, sent):
    result = run(sse(*received, STOP) + DONE)

    assert sse(*sent, chunk(finish='"tool_calls"')) + DONE == result.sent  # I9
    assert "tool_calls" == result.finish_reason
    assert result.chunks


@pytest.mark.parametrize(
    ("first", "second", "later", "sent"),
    [
        pytest.param(0, 0, [(0, '"b"')], [(1, '"b"')], id="every call is number 0"),
        pytest.param(1, 2, [(1, '"a"'), (2, '"b"')], [(0, '"a"'), (1, '"b"')], id="counted from 1"),
        pytest.param(
            3,
            0,
            [(3, '"a"'), (0, '"b"'), (3, '"c"')],
            [(0, '"a"'), (1, '"b"'), (0, '"c"')],
            id="any order",
        ),
    ],
)
def test_i7_a_fragment_whose_index_is_another_calls_of_ours_goes_to_its_own(
    first, second, later, sent
):
    """As it stands it would look canonical, and its arguments would go to the wrong call."""
    received = sse(
        tools(f'{{"index":{first},{TOOL}}}', role=True),
        tools(
            f'{{"index":{second},"id":"call_2","type":"function","function":{{"name":"g","arguments":""}}}}'
        ),
        *(tools(more(index, arguments)) for index, arguments in later),
    )

    fragments = [c["choices"][0]["delta"]["tool_calls"][0] for c in run(received).chunks[2:]]

    assert [(f["index"], f["function"]["arguments"]) for f in fragments] == [
        (index, json.loads(arguments)) for index, arguments in sent
    ]


def test_i7_a_call_counted_from_1_whose_head_is_repeated_is_one_call():
    repeated = '{"index":1,"id":"call_1","type":"function","function":{"name":"f","arguments":"x"}}'
    result = run(sse(tools(f'{{"index":1,{TOOL}}}', role=True), tools(repeated)))

    assert [0, 0] == [c["choices"][0]["delta"]["tool_calls"][0]["index"] for c in result.chunks]


def test_two_calls_whose_fragments_alternate_stay_apart():
    received = sse(
        tools(f'{{"index":5,{TOOL}}}', role=True),
        tools('{"index":7,"id":"call_2","type":"function","function":{"name":"g","arguments":""}}'),
        tools(more(5, '"a"')),
        tools(more(7, '"b"')),
    )
    indexes = [c["choices"][0]["delta"]["tool_calls"][0]["index"] for c in run(received).chunks]

    assert [0, 1, 0, 1] == indexes


ENDS = [
    pytest.param(sse(FIRST, HELLO) + DONE, True, sse(FIRST, HELLO, STOP) + DONE, None,
                 id="[DONE] without finish gets a stop chunk (H6)"),
    pytest.param(sse(CALL) + DONE, True, sse(CALL, chunk(finish='"tool_calls"')) + DONE, None,
                 id="or a tool_calls chunk (S10)"),
    pytest.param(sse(FIRST, STOP), False, sse(FIRST, STOP) + DONE, None, id="cut after the finish is complete (S10)"),
    pytest.param(sse(FIRST, HELLO), True, sse(FIRST, HELLO), FaultReason.DISCONNECTED,
                 id="clean without finish is a failure, no [DONE] (S10, law 7)"),
    pytest.param(sse(FIRST, HELLO), False, sse(FIRST, HELLO), FaultReason.DISCONNECTED, id="cut without finish is too"),
    pytest.param(sse(FIRST) + "data: " + STOP, False, sse(FIRST), FaultReason.DISCONNECTED,
                 id="an event without its blank line does not count after a cut (S1)"),
    pytest.param("", True, "", FaultReason.DISCONNECTED, id="nothing came"),
    pytest.param(DONE, True, "", FaultReason.MALFORMED, id="[DONE] alone is no answer (E-C10)"),
    pytest.param(sse('{"choices":null}') + DONE, True, "", FaultReason.MALFORMED, id="nor are null choices (H11)"),
    pytest.param(sse(FIRST, STOP).replace("[DONE]", "") + "data: [DONE] \n\n" + sse(HELLO), True,
                 sse(FIRST, STOP) + DONE, None, id="[DONE] is trimmed, nothing follows it (H3, H5)"),
]  # fmt: skip


@pytest.mark.parametrize(("received", "clean", "sent", "fault"), ENDS)
def test_streams_end(received, clean, sent, fault):
    result = run(received, clean=clean)

    assert sent == result.sent
    assert fault == result.reason


FAULTS = [
    pytest.param('{"error":{"message":"no"}}', FaultReason.ERROR_EVENT, id="error object (S7)"),
    pytest.param('{"error":"no"}', FaultReason.ERROR_EVENT, id="error text (J4)"),
    pytest.param('{"detail":"no"}', FaultReason.ERROR_EVENT, id="detail (J4)"),
    pytest.param('{"object":"error","message":"no"}', FaultReason.ERROR_EVENT, id="object error"),
    pytest.param('{"status":"error","message":"no"}', FaultReason.ERROR_EVENT, id="4minds' native envelope (E-S6)"),
    pytest.param(chunk(finish='"error"'), FaultReason.ERROR_EVENT, id="finish_reason error (J4)"),
    pytest.param(chunk(rest=',"error":{"message":"no"}'), FaultReason.ERROR_EVENT, id="an error on a chunk (S7)"),
    pytest.param("<html>", FaultReason.MALFORMED, id="HTML (J4)"),
    pytest.param("[]", FaultReason.MALFORMED, id="no object (S7)"),
    pytest.param('{"x":' * 100_000, FaultReason.MALFORMED, id="nesting without end"),
    pytest.param('{"id":', FaultReason.MALFORMED, id="broken JSON (J2)"),
    pytest.param(chunk('{"content":NaN}'), FaultReason.MALFORMED, id="NaN is no JSON"),
    pytest.param('{"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}', FaultReason.MALFORMED,
                 id="a call without name"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "reason"), FAULTS)
def test_a_failure_ends_the_stream_after_what_came_before(data, reason):
    result = run(sse(FIRST, HELLO, data, HELLO) + DONE)

    assert StreamFault(reason, data.encode()) == result.fault
    assert sse(FIRST, HELLO) == result.sent


def test_j4_an_event_named_error_is_a_failure_whatever_it_holds():
    result = run(sse(FIRST) + 'event: error\ndata: {"message":"no"}\n\n' + DONE)

    assert StreamFault(FaultReason.ERROR_EVENT, b'{"message":"no"}') == result.fault
    assert sse(FIRST) == result.sent


def test_h10_invalid_utf_8_is_malformed_wherever_it_stands():
    result = run(sse(FIRST).encode() + b'data: {"x":"\xff",' + FIRST[1:].encode() + b"\n\n")

    assert FaultReason.MALFORMED == result.reason


USAGES = [
    pytest.param([FIRST, STOP, usage_chunk()], [FIRST, STOP, usage_chunk()], id="as it came (S4)"),
    pytest.param([FIRST, usage_chunk(), HELLO, STOP], [FIRST, HELLO, STOP, usage_chunk()], id="last (I10)"),
    pytest.param([FIRST, STOP, usage_chunk(), usage_chunk()], [FIRST, STOP, usage_chunk()], id="once (I10)"),
    pytest.param([FIRST, chunk(finish='"stop"', rest=f',"usage":{USAGE}')],
                 [FIRST, chunk(finish='"stop"', rest=',"usage":null'), usage_chunk()],
                 id="from the last chunk with choices into its own (I10)"),
    pytest.param([FIRST, STOP, f'{{"usage":{USAGE}}}'],
                 [FIRST, STOP, f'{{{HEAD},"usage":{USAGE},"choices":[]}}'], id="without choices, repaired"),
    pytest.param([FIRST, STOP, usage_chunk("{}")], [FIRST, STOP], id="never an empty one (I10)"),
]  # fmt: skip


@pytest.mark.parametrize(("received", "sent"), USAGES)
def test_i10_usage_that_was_asked_for_has_a_chunk_of_its_own(received, sent):
    result = run(sse(*received) + DONE, include_usage=True)

    assert sse(*sent) + DONE == result.sent
    assert result.chunks


@pytest.mark.parametrize("include_usage", [True, False])
def test_s4_usage_is_read_whether_or_not_it_is_sent(include_usage):
    assert Usage(9, 4) == run(RECORDED["usage"], include_usage=include_usage).usage


def test_s4_usage_beside_a_lone_surrogate_is_read_and_sent_as_it_came():
    odd = usage_chunk(USAGE[:-1] + r',"x":"\ud83d"}')
    result = run(sse(FIRST, STOP, odd) + DONE, include_usage=True)

    assert (Usage(9, 4), sse(FIRST, STOP, odd) + DONE) == (result.usage, result.sent)


def test_s4_usage_beside_a_null_error_is_read():
    beside = f',"error":null,"usage":{USAGE}'
    result = run(sse(FIRST, chunk(finish='"stop"', rest=beside)) + DONE, include_usage=True)

    assert Usage(9, 4) == result.usage
    assert result.sent.endswith(sse(usage_chunk()) + DONE)


@pytest.mark.parametrize("rest", ["", ',"error":null'])
def test_i4_text_after_the_finish_is_dropped(rest):
    late = chunk('{"content":"late"}', rest=rest)
    result = run(sse(FIRST, STOP, late) + DONE)

    assert (sse(FIRST, STOP) + DONE, 1) == (result.sent, result.dropped_events)


def test_i10_the_usage_chunk_follows_a_made_up_finish():
    sent = run(sse(FIRST, usage_chunk()) + DONE, include_usage=True).sent

    assert sse(FIRST, STOP, usage_chunk()) + DONE == sent


def test_what_was_sent_is_counted():
    result = run(
        sse(
            chunk('{"role":"assistant","reasoning_content":"abc"}'),
            chunk('{"content":"de"}'),
            CALL_MORE,
        )
    )

    assert result.has_content
    assert len("abc") + len("de") == result.output_characters
    assert not run(sse(FIRST)).has_content


def test_s5_dropped_events_are_counted():
    assert (
        2 == run(sse(FIRST, '{"type":"status"}', "{}", f'{{{HEAD},"choices":[]}}')).dropped_events
    )


def test_m_s6_a_dialect_may_accept_a_missing_finish():
    rules = AnswerRules(missing_finish="accept")

    assert sse(FIRST, HELLO, STOP) + DONE == run(sse(FIRST, HELLO), rules=rules).sent
    assert FaultReason.DISCONNECTED == run(sse(FIRST, HELLO), rules=rules, clean=False).reason
    assert FaultReason.DISCONNECTED == run(sse(FIRST), rules=rules).reason


BIG = "x" * (2 << 20)


def test_r16_a_canonical_event_over_the_bound_passes():
    received = sse(FIRST, chunk(f'{{"content":"{BIG}"}}'), STOP) + DONE

    assert received == run(received).sent


def test_r16_an_event_over_the_bound_is_not_rewritten():
    result = run(sse(FIRST, chunk(f'{{"role":"assistant","content":"{BIG}"}}'), STOP) + DONE)

    assert FaultReason.MALFORMED == result.reason
    assert sse(FIRST) == result.sent


def test_frames_before_an_event_that_is_too_large_are_sent():
    result = run(sse(FIRST).encode() + b"data: " + b"x" * (65 << 20))

    assert FaultReason.MALFORMED == result.reason
    assert sse(FIRST) == result.sent


def stream() -> ChatStream:
    return ChatStream(
        rules=OPENAI_RULES, include_usage=False, identity=MADE_UP, max_event_bytes=1 << 20
    )


def test_j9_a_noop_has_the_streams_identity():
    live = stream()
    live.feed(sse(FIRST).encode())

    assert sse(chunk()) == live.noop().decode()


def test_i1_a_noop_before_the_first_chunk_settles_the_id():
    live = stream()
    noop = live.noop().decode()
    sent = live.feed(sse(FIRST).encode()).decode()

    assert '"id":"chatcmpl-made0up"' in noop
    assert '"id":"chatcmpl-made0up"' in sent


def test_nothing_follows_the_end():
    live = stream()
    live.feed((sse(FIRST, STOP) + DONE).encode())

    assert live.ended
    assert b"" == live.noop() + live.feed(sse(HELLO).encode()) + live.finish(clean=True)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ('[{"error":{"code":404,"message":"no"}}]', FaultReason.ERROR_EVENT),
        ('[{"a":1}]', FaultReason.MALFORMED),
        ("[]", FaultReason.MALFORMED),
        ('[{"error":', FaultReason.MALFORMED),
    ],
)
def test_e_s5_an_error_in_a_list_is_an_error_in_a_stream_too(data, reason):
    result = run(sse(FIRST, data, HELLO))

    assert (reason, sse(FIRST)) == (result.reason, result.sent)
    assert result.fault is not None
    assert result.fault.data.decode() == data


@pytest.mark.parametrize(
    ("received", "heard"),
    [
        (": comment\n\nevent: ping\n\ndata: ", False),
        (sse("{}"), True),
        (sse('{"choices":[]}'), True),
        (sse(FIRST), True),
        (sse('{"error":"no"}'), False),
    ],
)
def test_r5_an_event_that_is_no_error_is_heard_sent_or_not(received, heard):
    listening = stream()
    listening.feed(received.encode())

    assert heard == listening.heard


def tool_call(number: int) -> str:
    function = '{"name":"f","arguments":""}'
    return f'{{"index":{number},"id":"c{number}","type":"function","function":{function}}}'


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(chunk('{"content":"x"}', index=300), id="a choice of a high number"),
        pytest.param(
            chunk(f'{{"tool_calls":[{",".join(map(tool_call, range(20_000)))}]}}'),
            id="thousands of tool calls",
        ),
    ],
)
def test_r4_what_a_stream_makes_us_remember_is_bounded(event):
    result = run(sse(FIRST, event), max_event_bytes=8 << 20)

    assert result.reason is FaultReason.MALFORMED


def test_i4_behind_the_last_finish_reason_there_is_no_noop():
    one = stream()
    one.feed(sse(FIRST, STOP).encode())

    assert one.noop() == b""
