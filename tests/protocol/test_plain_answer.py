"""An answer that is taken for one in order is one: the close look would send the same bytes and count the same."""

import json
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from app.protocol.answer_rules import OPENAI_RULES, AnswerRules
from app.protocol.chat_answer import plain_answer, read_answer, read_closely
from tests.protocol.streams import MADE_UP

patient = settings(deadline=None, max_examples=400)

_CALL = '{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}'
_USAGE = '{"prompt_tokens":9,"completion_tokens":9,"total_tokens":18}'
_GOOD = {
    "id": '"a"', "object": '"chat.completion"', "created": "1740830400", "model": '"m"', "usage": _USAGE,
    "index": "0", "finish_reason": '"stop"', "role": '"assistant"', "content": '"hi"', "tool_calls": f"[{_CALL}]",
    "x": '{"choices":[],"error":1}',
}  # fmt: skip
_ODD = {
    "id": ['""', "null", "7", r'"\ud83d"', r'"\u0061"'],
    "object": ['"chat.completion.chunk"', r'"chat\u002ecompletion"', '""', "null"],
    "created": ["1.5", "0", "-0", "-7", "1e9", "1740830400.0", "9" * 17, "9" * 19, "9" * 40, "null", '"7"'],
    "model": ['""', "null", r'"\ud83d"'],
    "usage": ["null", "{}", '{"prompt_tokens":9,"completion_tokens":9}', "7", _USAGE.replace("9,", "-9,", 1),
              _USAGE[:-1] + ',"prompt_tokens_details":{"cached_tokens":5}}',
              _USAGE[:-1] + ',"prompt_tokens_details":{"cached_tokens":50}}',
              _USAGE[:-1] + ',"prompt_tokens_details":{"cached_tokens":-5}}',
              _USAGE[:-1] + ',"prompt_tokens_details":{"cached_tokens":null}}',
              _USAGE[:-1] + ',"prompt_tokens_details":{"cached_tokens":"5"}}',
              _USAGE[:-1] + ',"prompt_tokens_details":null}', _USAGE.replace("18", "18.0")],
    "index": ["1", "-0", "0.0", "null", '"0"', "00"],
    "finish_reason": ['"error"', r'"\u0065rror"', '""', "null", '"length"', "7"],
    "role": ['"user"', r'"\u0061ssistant"', "null", '""'],
    "content": ["null", "[]", '[{"type":"text","text":"a"}]', "7", r'"\ud83d"', r'"\n\u00e9"', '"é"', "{}"],
    "tool_calls": ["[]", "null", "{}", _CALL, "7", "[7]", f"[{_CALL},{_CALL}]", f"[{_CALL.replace('c', '', 1)}]",
                   f"[{_CALL.replace('function', 'custom', 1)}]", '[{"id":"c","type":"custom","custom":{}}]',
                   f"[{_CALL.replace('{}', '')}]", '[{"id":"c","function":{"name":"f","arguments":"{}"}}]',
                   '[{"id":"c","type":"function","function":{"name":"","arguments":"{}"}}]',
                   '[{"id":"c","type":"function","function":{"name":"f","arguments":{}}}]',
                   '[{"id":"c","type":"function","function":{"name":"f"}}]'],
    "error": ["null", '"no"', "{}", "0"],
    "detail": ['"no"'],
}  # fmt: skip
_BLANKS = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t: ")])
_AROUND = st.sampled_from([*[("", "")] * 12, (" ", "\n"), ("\ufeff", ""), ("", "x"), ("[", "]")])
_FAULTS = st.sampled_from([*[None] * 16, b"\xff", b"", b"\\", b'"'])


def _seldom(draw: st.DrawFn) -> bool:
    return draw(st.integers(0, 24)) == 24


@st.composite
def _object(
    draw: st.DrawFn, /, names: tuple[str, ...], blanks: tuple[str, str], **inner: str
) -> str:
    """An object of these members: some missing, some odd, some twice, in any order."""
    chosen = [name for name in draw(st.permutations(names)) if not _seldom(draw)]
    if _seldom(draw):
        chosen += draw(st.lists(st.sampled_from([*names, "error", "detail"]), max_size=2))
    comma, colon = blanks
    rows = [f'"{name}"{colon}{inner.get(name) or _value(draw, name)}' for name in chosen]
    return "{" + comma.join(rows) + "}"


def _value(draw: st.DrawFn, name: str) -> str:
    if name in _GOOD and not _seldom(draw):
        return _GOOD[name]
    return draw(st.sampled_from(_ODD.get(name, ["1"])))


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """Answers as upstreams send them, good ones and near misses."""
    blanks = draw(_BLANKS)
    choices = []
    for place in range(draw(st.sampled_from([1, 1, 1, 2, 0]))):
        parts = (
            ("role", "content", "tool_calls") if draw(st.booleans()) else ("role", "content", "x")
        )
        message = draw(_object(parts, blanks))
        index = {"index": str(place)} if not _seldom(draw) else {}
        choices.append(
            draw(
                _object(
                    ("index", "message", "finish_reason", "x"), blanks, message=message, **index
                )
            )
        )
    names = ("id", "object", "created", "model", "choices", "usage", "x")
    text = draw(_object(names, blanks, choices=f"[{','.join(choices)}]"))
    before, behind = draw(_AROUND)
    body = f"{before}{text}{behind}".encode()
    at = draw(st.integers(0, len(body)))
    fault = draw(_FAULTS)
    return body if fault is None else body[:at] + fault + body[at + 1 :]


@patient
@given(answers())
def test_what_is_taken_for_an_answer_in_order_is_one(body):
    plain = plain_answer(body)

    event("plain" if plain else "looked at closely")
    if plain is not None:
        close = read_closely(body, OPENAI_RULES, MADE_UP)
        assert (close.body, close.usage) == (plain.body, plain.usage)
        assert plain.body is close.body is body


SDK: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1740830400,
    "model": "gpt-4o",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": 'Hé "\n',
                "refusal": None,
                "annotations": [],
            },
            "logprobs": None,
            "finish_reason": "stop",
        },
        {
            "index": 1,
            "message": {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
                ],
            },
            "finish_reason": "tool_calls",
        },
    ],
    "usage": {
        "prompt_tokens": 19,
        "completion_tokens": 10,
        "total_tokens": 29,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    },
    "service_tier": "default",
    "system_fingerprint": None,
}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(json.dumps(SDK, separators=(",", ":")), id="compact"),
        pytest.param(
            json.dumps(SDK, indent=2, ensure_ascii=False) + "\n", id="as OpenAI writes it"
        ),
    ],
)
def test_an_answer_as_openai_writes_it_is_known_at_once(body):
    assert plain_answer(body.encode()) is not None


def test_a_dialect_with_a_filter_always_has_it_asked():
    body = json.dumps(SDK).encode()
    rules = AnswerRules(answer_filter=lambda text: text.replace(b"chatcmpl-1", b"chatcmpl-2"))

    assert b"chatcmpl-2" in read_answer(body, rules=rules, identity=MADE_UP).body
