import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from app.protocol.chat_answer import AnswerUnusable, read_answer
from app.protocol.chat_stream import FaultReason
from app.upstreams.minds_choices import ThoughtForm
from app.upstreams.minds_thoughts import is_not_ready, minds_rules
from tests.protocol.streams import MADE_UP

SEED = (
    '{"id":"chatcmpl-123","object":"chat.completion","created":1702685778,"model":"m","choices":[{"index":0,"message":'
    '{"role":"assistant","content":"It is 8."}}],"usage":{"prompt_tokens":9,"completion_tokens":9,"total_tokens":18},'
    '"system_fingerprint":null}'
)


def answer(*choices: tuple[int, str | None, str]) -> str:
    """Choices as (index, role, content as JSON)."""
    messages = [
        (index, f'"role":"{role}",' if role else "", content) for index, role, content in choices
    ]
    written = ",".join(
        f'{{"index":{index},"message":{{{role}"content":{content}}}}}'
        for index, role, content in messages
    )
    return f'{{"id":"8f6c","object":"chat.completion","created":1,"model":"m","choices":[{written}],"usage":null}}'


def read(body: str, thoughts: ThoughtForm = "reasoning") -> dict[str, Any]:
    rules = minds_rules(thoughts=thoughts, missing_finish="accept")
    found = read_answer(body.encode(), rules=rules, identity=MADE_UP)
    ChatCompletion.model_validate_json(found.body, strict=True)
    parsed: dict[str, Any] = json.loads(found.body)
    return parsed


def said(body: str, thoughts: ThoughtForm = "reasoning") -> tuple[str | None, str | None]:
    found = read(body, thoughts)

    assert 1 == len(found["choices"])
    assert 0 == found["choices"][0]["index"]
    message = found["choices"][0]["message"]
    return message.get("reasoning_content"), message["content"]


CASES = [
    pytest.param([(0, "system", '"t"'), (1, "assistant", '"A"')], ("t", "A"), id="M-A2: thoughts as choices, 2025"),
    pytest.param([(0, "thought.planning", '"t1"'), (1, "thought.execution", '"t2"'), (4, "assistant", '"A"')],
                 ("t1\n\nt2", "A"), id="M-A2: thought roles, gaps in the index"),
    pytest.param([(0, "thought.x", '"t"'), (1, "assistant", '"It"'), (2, "assistant", '" is"'), (3, None, '" 8"')],
                 ("t", "It is 8"), id="M-A3: one choice per token"),
    pytest.param([(0, "assistant", '"let"'), (1, "assistant", '" me"'), (3, "assistant", '"A"')], ("let me", "A"),
                 id="M-A4: a gap in the index ends a run"),
    pytest.param([(0, "assistant", '"a"'), (1, "thought.x", '"t"'), (2, "assistant", '"A"')], ("a\n\nt", "A"),
                 id="M-A4: earlier commentary is no answer"),
    pytest.param([(0, "thought.x", '"t"'), (1, "assistant", '"A"'), (1, "assistant", '""')], ("t", "A"),
                 id="T4's last, empty message belongs to the run"),
    pytest.param([(0, "assistant", '"A"'), (1, "thought.x", '"t"'), (2, "assistant", '""')], ("t", "A"),
                 id="a run that says nothing is no answer"),
    pytest.param([(0, "assistant", '"A"'), (1, "thought.x", '"late"')], ("late", "A"), id="a late thought"),
    pytest.param([(0, "assistant", '{"type":"sql_query","query":"SELECT 1"}')], (None, "SELECT 1"),
                 id="M-A5: an object as content"),
    pytest.param([(0, "system", '{"a": 1.10}'), (1, "assistant", '"A"')], ('{"a":1.10}', "A"), id="M-A5: in a thought"),
    pytest.param([(7, "assistant", '"A"')], (None, "A"), id="the index is 0"),
]  # fmt: skip


@pytest.mark.parametrize(("choices", "expected"), CASES)
def test_m_a4_many_choices_become_one(choices, expected):
    assert expected == said(answer(*choices))


@pytest.mark.parametrize(
    ("thoughts", "expected"),
    [("content", (None, "t\n\nA")), ("drop", (None, "A")), ("comment", (None, "A"))],
)
def test_m_a4_thoughts_go_where_they_were_told(thoughts, expected):
    assert expected == said(answer((0, "system", '"t"'), (1, "assistant", '"A"')), thoughts)


def test_m_a1_the_seeds_answer_gets_its_finish_reason_and_stays_otherwise():
    body = read_answer(SEED.encode(), rules=minds_rules(thoughts="reasoning", missing_finish="accept"),
                       identity=MADE_UP).body.decode()  # fmt: skip

    assert SEED.replace('8."}}', '8."},"finish_reason":"stop"}') == body


def test_an_answer_in_order_leaves_byte_for_byte():
    body = SEED.replace('8."}}', '8."} , "finish_reason":"stop"}').encode()

    assert body == read_answer(body, rules=minds_rules(thoughts="reasoning", missing_finish="error"),
                               identity=MADE_UP).body  # fmt: skip


def test_m_a5_usage_null_is_removed():
    assert "usage" not in read(answer((0, "system", '"t"'), (1, "assistant", '"A"')))


def test_the_finish_reason_of_the_run_stays():
    body = answer((0, "system", '"t"'), (1, "assistant", '"A"')).replace(
        '"A"}', '"A"},"finish_reason":"length"'
    )

    assert "length" == read(body)["choices"][0]["finish_reason"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            answer((0, "system", '"t"'), (1, "thought.x", '"t"')), id="no assistant choice"
        ),
        pytest.param(answer(), id="no choices"),
    ],
)
def test_m_a7_no_answer_is_refused(body):
    with pytest.raises(AnswerUnusable) as raised:
        read(body)

    assert FaultReason.MALFORMED == raised.value.reason


NOT_READY = '"The Mind is not ready yet. Please try again later."'


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        (answer((0, "assistant", NOT_READY)), True),
        (
            answer(
                (
                    0,
                    "assistant",
                    '"As they say: The Mind is not ready yet. Please try again later."',
                )
            ),
            False,
        ),
        (answer((0, "system", '"t"'), (1, "assistant", NOT_READY)), False),
        (answer(), False),
        ("<html>", False),
    ],
)
def test_m_a6_not_ready_is_told_when_it_is_the_whole_content(body, verdict):
    assert verdict == is_not_ready(body.encode())
