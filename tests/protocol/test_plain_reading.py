"""The two ways to read a chat body say the same, and what SDKs write is read the short way (contract D, law 6)."""

import json
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from app.domain.errors import InvalidRequest
from app.protocol.requests import ChatRequest, read_chat_request, read_closely, read_plainly
from tests.protocol.documents import objects

patient = settings(deadline=None, max_examples=400)

ACTED_ON = ("model", "messages", "stream", "stream_options", "n", "store", "max_tokens")
SHAPES = ("input", "tools", "tool_choice", "instructions")
_GOOD = {
    "model": '"gpt-4o"', "messages": '[{"role":"user","content":"hi"}]', "stream": "true", "n": "2", "store": "true",
    "stream_options": '{"include_usage":true}', "tools": '[{"type":"function","function":{"name":"n"}}]',
    "tool_choice": '"auto"', "max_tokens": "5",
}  # fmt: skip
_ODD: dict[str, list[str]] = {
    "model": ['"m"', '"gpt-4o"', '"é"', r'"a\/b"', r'"\u006d"', r'"\ud83d"', '""', "7", "null", '"a\\"b"'],
    "messages": ["[]", '[{"role":"user","content":"hi"}]', '[{"model":"x","n":2}]', "null", '"model"'],
    "stream": ["true", "false", "null", "1", '"true"', "[]"],
    "stream_options": ["null", "{}", '{"include_usage":true}', '{"include_usage":1}', "[]",
                       '{"include_usage":true,"include_usage":false}', '{"x":1e400}', r'{"x":"\ud83d"}'],
    "n": ["1", "2", "0", "-0", "-3", "1.0", "1e2", "true", "null", '"2"', "9" * 30],
    "tools": ["[]", "null", '"x"', '[{"type":"function","function":{"name":"n"}}]',
              '[{"type":"function","name":"n","parameters":{}}]', '[{"name":null,"type":"custom"}]', "[7]"],
    "tool_choice": ['"auto"', "null", '{"type":"function","function":{"name":"n"}}',
                    '{"type":"function","name":"n"}', "7"],
    "input": ['"hi"', "[]", "null"],
}  # fmt: skip
_NAMES = (*ACTED_ON, *SHAPES, "x", "é", "messages", "model")
_LIKELY = (*ACTED_ON, "tools", "tool_choice", "x")
_SEPARATORS = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n\t", " :  ")])
_AROUND = st.sampled_from(
    [*[("", "")] * 12, (" ", ""), ("\ufeff", ""), ("\n", "\n"), ("", " x"), ("", "}")]
)
_FAULTS = st.sampled_from([*[None] * 16, b"\xff", b"", b"\\", b'"'])


def _seldom(draw: st.DrawFn) -> bool:
    return draw(st.integers(0, 15)) == 15


@st.composite
def _members(draw: st.DrawFn) -> tuple[str, str]:
    name = draw(st.sampled_from(_NAMES if _seldom(draw) else _LIKELY))
    value = _GOOD.get(name, '{"model":"x","n":3}')
    if draw(st.integers(0, 4)) == 4:
        value = draw(st.sampled_from([*_ODD.get(name, ()), '"model"', "1", '{"model":"x"}', '"]"']))
    if _seldom(draw):
        levels = draw(st.sampled_from([61, 62, 63, 64, 65, 70]))
        value = "[" * levels + "]" * levels
    return f'"\\u{ord(name[0]):04x}{name[1:]}"' if _seldom(draw) else f'"{name}"', value


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Bodies as clients send them, and as those do who mean ill."""
    pairs = draw(st.lists(_members(), max_size=6))
    if not _seldom(draw):
        pairs = list(dict(pairs).items())
    if all(name != '"model"' for name, _ in pairs):
        pairs.insert(draw(st.integers(0, len(pairs))), ('"model"', '"m"'))
    comma, colon = draw(_SEPARATORS)
    text = comma.join(name + colon + value for name, value in pairs)
    before, behind = draw(_AROUND)
    body = f"{before}{{{text}}}{behind}".encode()
    at = draw(st.integers(0, len(body)))
    fault = draw(_FAULTS)
    return body if fault is None else body[:at] + fault + body[at + 1 :]


def said(chat: ChatRequest) -> Any:
    """All that a request says, the places of its members too."""
    fields = (chat.body, chat.model, chat.stream, chat.include_usage, chat.choices, chat.dropped)
    return (*fields, list(chat.members))


def outcome(body: bytes) -> Any:
    try:
        return said(read_closely(body))
    except InvalidRequest as error:
        return error.code, error.param, error.message


@patient
@given(st.one_of(bodies(), objects((*ACTED_ON, *SHAPES), least=1)))
def test_what_is_read_plainly_reads_the_same_closely(body):
    plain = read_plainly(body)

    event("read plainly" if plain else "read closely")
    if plain is not None:
        assert outcome(body) == said(plain)
        assert plain.body is body


@patient
@given(bodies())
def test_a_plain_reading_knows_which_members_there_are_and_finds_each(body):
    plain = read_plainly(body)
    if plain is None:
        return
    close = read_closely(body)

    for name in {*_NAMES, "absent"}:
        assert (name in close.members) == (name in plain.members)
        assert close.members.find(name) == plain.members.find(name)


TOOL = {
    "type": "function",
    "function": {
        "name": "model",
        "description": 'Says "n", {and} [more]\\',
        "parameters": {"properties": {"stream": {"type": "string", "enum": ["a", "b"]}}},
    },
}
SDK: dict[str, Any] = {
    "messages": [{"role": "user", "content": 'é "model" \n' * 20, "model": "x"}] * 40,
    "model": "gpt-4o",
    "stream": True,
    "stream_options": {"include_usage": True},
    "n": 2,
    "tools": [TOOL] * 40,
    "tool_choice": "auto",
    "temperature": 0.5,
    "user": "model",
}


@pytest.mark.parametrize(
    ("body", "is_plain"),
    [
        pytest.param(json.dumps(SDK, separators=(",", ":")), True, id="compact, as most SDKs write"),
        pytest.param(json.dumps(SDK), True, id="with blanks, as json.dumps writes"),
        pytest.param(json.dumps(SDK, indent=2), True, id="pretty-printed"),
        pytest.param(json.dumps(SDK, ensure_ascii=False) + "\n", True, id="raw UTF-8 and a line end"),
        pytest.param('{"model":"m","messages":[]}', True, id="as small as can be"),
        pytest.param('{"messages":[{"content":"%s"}],"model":"m"}' % ("x" * 2_000_000), True, id="large (D7)"),
        pytest.param('{"model":"m","x":%s}' % ("[" * 63 + "]" * 63), True, id="64 levels"),
        pytest.param('{"model":"m","x":%s}' % ("[" * 64 + "]" * 64), False, id="65 levels"),
        pytest.param('{"model":"m","x":[' + "[[{}]]," * 100_000 + "[]]}", True, id="wide, not deep"),
        pytest.param('{"model":"m"' + "".join(f',"{n}":1' for n in range(200_000)) + "}", False,
                     id="countless members hold up no other thread"),
        pytest.param('{"model":"m","x":[' + "[[]]," * 300_000 + "[]]}", False, id="nor do countless brackets"),
        pytest.param('{"model":"m","x":1,"x":2}', False, id="any repeated member"),
        pytest.param(r'{"model":"m","mod\u0065l":"n"}', False, id="a name with an escape"),
        pytest.param(r'{"model":"m","x":"\ud83d"}', False, id="a lone surrogate"),
        pytest.param('\ufeff{"model":"m"}', False, id="a byte order mark"),
        pytest.param('{"model":"m","input":"x"}', False, id="a Responses body (D17)"),
        pytest.param('{"model":"m","messages":[],"tools":[{"type":"function","name":"f"}]}', False,
                     id="a flat tool (D17)"),
    ],
)  # fmt: skip
def test_which_bodies_are_read_plainly(body, is_plain):
    assert is_plain is (read_plainly(body.encode()) is not None)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"N":1,"model":55 , "N":{"q":"%b","model":5}}' % (b"x" * 9), id="a length that misleads"),
        pytest.param(b'{"model": "m" ,"x": 12,"model": "n" ,"x": 1}', id="a number that begins alike"),
        pytest.param(b'{"model": {"model":"m"}, "model":"m" }', id="a namesake inside"),
        pytest.param(b'{"model":"m","y":1, "model":"m"}', id="the very same member again"),
        pytest.param(b'{"model":"m","model":"n"    }', id="blanks as long as what is missing"),
    ],
)  # fmt: skip
def test_d6_no_repeated_member_gets_past_the_short_way(body):
    assert read_plainly(body) is None
    with pytest.raises(InvalidRequest):
        read_chat_request(body)
