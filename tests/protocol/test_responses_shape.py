"""A Responses-shaped body on chat completions: a decision table over contract D17, P2 to P6 and D4."""

import json

import pytest

from app.domain.errors import InvalidRequest
from app.protocol.members import members
from app.protocol.requests import ChatRequest, read_chat_request
from app.protocol.responses_shape import ChatBody, as_chat_body

HARD = rb'{"n":123456789012345678901234567890,"x":[1.10,1E5,-0,1e400],"s":"a\/\u00e9\ud83d","k\ud83d":1}'
FLAT = b'{"type":"function","name":"read","description":"d","parameters":{},"strict":false}'
NESTED = b'{"type":"function","function":{"name":"read","description":"d","parameters":{},"strict":false}}'
SEARCH = b'{"type":"web_search"}'
PATCH = b'{"type":"custom","name":"apply_patch","format":{"type":"text"}}'


def translated(body: bytes) -> ChatBody:
    return as_chat_body(body, tuple(members(body, 0)))


def chat(inner: bytes) -> bytes:
    """The chat body of a Responses body with *inner* beside a model."""
    return translated(b'{"model":"m",%b}' % inner).body


def messages(items: bytes) -> list[dict[str, object]]:
    said: list[dict[str, object]] = json.loads(chat(b'"input":[%b]' % items))["messages"]
    return said


def refused(body: bytes) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        translated(body)
    return caught.value


# --- what is left alone ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"model":"m","messages":[]}', id="D1: an ordinary body"),
        pytest.param(b'{"model":"m","messages":[],"tools":[%b]}' % NESTED, id="D1: with nested tools"),
        pytest.param(b'{"messages":[],"tool_choice":"auto","tools":[]}', id="D12: with no tools"),
        pytest.param(b'{"messages":[],"tool_choice":{"type":"function","function":{"name":"x"}}}',
                     id="D1: a nested choice"),
        pytest.param(b'{"messages":[],"tools":[{"type":"custom","custom":{"name":"x"}}]}',
                     id="D1: chat's own custom tool"),
        pytest.param(b'{"messages":[],"tools":[{"type":"web_search"},{"type":"retrieval","x":1}]}',
                     id="D3: an upstream's own tools"),
        pytest.param(b'{"messages":[],"tools":null,"tool_choice":null}', id="D12: nulls"),
        pytest.param(b'{"messages":[],"tools":[1,null,"x"],"tool_choice":7}', id="D12: no tools at all"),
        pytest.param(b'{"messages":[],"tools":{"type":"function","name":"x"}}', id="D12: tools in no list"),
        pytest.param(rb'{"messages":[],"tools":[{"type":"function","function":{"name":"\ud83d"}}]}',
                     id="D4: nested tools with a lone surrogate"),
        pytest.param(b'{"messages":[],"input":"x","instructions":"y","max_output_tokens":1,"text":{}}',
                     id="D3: beside messages, Responses members are an extension"),
        pytest.param(b'{"model":"m","instructions":"y","prompt":"x","text":{}}', id="D3: no input"),
        pytest.param(b'{"model":"m"}', id="D12: neither messages nor input"),
        pytest.param(b"{}", id="D12: nothing"),
    ],
)  # fmt: skip
def test_d17_what_is_chat_already_stays_the_same_object(body):
    result = translated(body)

    assert result.body is body
    assert () == result.dropped


@pytest.mark.parametrize(
    "member",
    [
        b'"temperature" : 1.10',
        b'"top_p":1E5',
        b'"user":"a\\/b"',
        b'"metadata":{"a" : "\\ud83d"}',
        b'"parallel_tool_calls":false',
        b'"store" :false',
        b'"stream":true',
        b'"prompt_cache_key":"k"',
        b'"seed":123456789012345678901234567890',
        b'"4minds":' + HARD,
        b'"max_tokens":5',
        b'"reasoning_effort":"low"',
    ],
)
def test_p4_every_other_member_passes_byte_for_byte_and_in_its_place(member):
    assert (
        b'{ "model":"m", %b ,\n"messages":[{"role":"user","content":"hi"}], "z":1 }' % member
        == (translated(b'{ "model":"m", %b ,\n"input":"hi", "z":1 }' % member).body)
    )


# --- input ----------------------------------------------------------------------------------------------------------

USER, ASSISTANT = {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}


def call(number: int) -> dict[str, object]:
    return {
        "id": f"call_{number}",
        "type": "function",
        "function": {"name": "read", "arguments": "{}"},
    }


def call_item(number: int) -> bytes:
    return (
        b'{"type":"function_call","id":"fc_%d","call_id":"call_%d","name":"read","arguments":"{}",'
        b'"status":"completed"}' % (number, number)
    )


def output_item(number: int) -> bytes:
    return b'{"type":"function_call_output","call_id":"call_%d","output":"ok"}' % number


def tool(number: int, content: object = "ok") -> dict[str, object]:
    return {"role": "tool", "tool_call_id": f"call_{number}", "content": content}


USER_ITEM = b'{"type":"message","role":"user","content":"a"}'
ASSISTANT_ITEM = (
    b'{"type":"message","id":"msg_1","status":"completed","role":"assistant",'
    b'"content":[{"type":"output_text","text":"b","annotations":[],"logprobs":[]}]}'
)
THOUGHT = b'{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"x"}'


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        pytest.param(b"", [], id="D12: no items, no messages"),
        pytest.param(USER_ITEM, [USER], id="P2: a message"),
        pytest.param(b'{"role":"user","content":"a"}', [USER], id="P2: a message without type"),
        pytest.param(b'{"role":"system","content":"a"}', [{"role": "system", "content": "a"}], id="P2: system"),
        pytest.param(b'{"role":"developer","content":"a"}', [{"role": "developer", "content": "a"}],
                     id="P2: developer, which D15 settles later"),
        pytest.param(ASSISTANT_ITEM, [ASSISTANT], id="P2: the assistant's own text, back as it left"),
        pytest.param(b'{"role":"user","content":null}', [{"role": "user", "content": None}], id="D12: no content"),
        pytest.param(b'{"role":"tool","tool_call_id":"call_1","content":"ok"}', [tool(1)],
                     id="D17: a chat message among the items"),
        pytest.param(b'{"role":"user","name":"n","content":"a","cache_control":{}}',
                     [USER | {"name": "n", "cache_control": {}}], id="D3: a vendor's members stay"),
        pytest.param(call_item(1), [{"role": "assistant", "content": None, "tool_calls": [call(1)]}],
                     id="P2: a call is an assistant's message"),
        pytest.param(b",".join([call_item(1), call_item(2), output_item(1), output_item(2)]),
                     [{"role": "assistant", "content": None, "tool_calls": [call(1), call(2)]}, tool(1), tool(2)],
                     id="P2: calls in a row are one message"),
        pytest.param(b",".join([call_item(1), THOUGHT, call_item(2)]),
                     [{"role": "assistant", "content": None, "tool_calls": [call(1), call(2)]}],
                     id="P2: a thought between them is dropped and parts nothing"),
        pytest.param(b",".join([call_item(1), output_item(1), call_item(2), output_item(2)]),
                     [{"role": "assistant", "content": None, "tool_calls": [call(1)]}, tool(1),
                      {"role": "assistant", "content": None, "tool_calls": [call(2)]}, tool(2)],
                     id="P2: an output parts them"),
        pytest.param(b",".join([USER_ITEM, ASSISTANT_ITEM, call_item(1)]),
                     [USER, ASSISTANT | {"tool_calls": [call(1)]}], id="P2: text and calls are one turn"),
        pytest.param(b",".join([call_item(1), USER_ITEM]),
                     [{"role": "assistant", "content": None, "tool_calls": [call(1)]}, USER],
                     id="P2: a call before the user's word"),
        pytest.param(b'{"type":"function_call","call_id":"c","name":"f","arguments":{"a":1},"extra_content":{"g":1}}',
                     [{"role": "assistant", "content": None, "tool_calls": [
                         {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'},
                          "extra_content": {"g": 1}}]}],
                     id="E3, D3: arguments are a string, a signature stays"),
        pytest.param(b'{"type":"custom_tool_call","call_id":"c","name":"f","input":"x\\ny"},'
                     b'{"type":"custom_tool_call_output","call_id":"c","output":"ok"}',
                     [{"role": "assistant", "content": None, "tool_calls": [
                         {"id": "c", "type": "function",
                          "function": {"name": "f", "arguments": '{"input":"x\\ny"}'}}]},
                      {"role": "tool", "tool_call_id": "c", "content": "ok"}],
                     id="P6: a custom tool's call is told as a function's"),
        pytest.param(b'{"type":"function_call_output","call_id":"call_1","output":[{"type":"input_text","text":"x"},'
                     b'{"type":"input_text","text":"y"}]}',
                     [tool(1, [{"type": "text", "text": "x"}, {"type": "text", "text": "y"}])],
                     id="P2: an output of parts"),
        pytest.param(b'{"type":"function_call_output","call_id":"call_1","output":{"a" : 1.10}}',
                     [tool(1, '{"a":1.10}')], id="P2: an output that is no string is told as its text"),
        pytest.param(b'{"type":"function_call_output","call_id":"call_1","output":""}', [tool(1, "")],
                     id="P2: an empty output"),
    ],
)  # fmt: skip
def test_p2_items_become_messages(items, expected):
    assert expected == messages(items)


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        pytest.param(b'{"type":"input_text","text":"a"}', {"type": "text", "text": "a"}, id="P2: input_text"),
        pytest.param(b'{"type":"output_text","text":"a","annotations":[{}]}', {"type": "text", "text": "a"},
                     id="P2: output_text without its annotations"),
        pytest.param(b'{"type":"input_text","text":"a","cache_control":{"ttl":1}}',
                     {"type": "text", "text": "a", "cache_control": {"ttl": 1}}, id="D3: a cache mark stays"),
        pytest.param(b'{"type":"input_image","image_url":"data:x","detail":"low","file_id":null}',
                     {"type": "image_url", "image_url": {"url": "data:x", "detail": "low"}}, id="P2: input_image"),
        pytest.param(b'{"type":"input_image","image_url":"data:x","detail":null}',
                     {"type": "image_url", "image_url": {"url": "data:x"}}, id="P2: input_image, no detail"),
        pytest.param(b'{"type":"input_file","filename":"a.pdf","file_data":"data:x"}',
                     {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:x"}}, id="P2: input_file"),
        pytest.param(b'{"type":"input_file","file_id":"file-1"}', {"type": "file", "file": {"file_id": "file-1"}},
                     id="P2: input_file by its id"),
        pytest.param(b'{"type":"refusal","refusal":"no"}', {"type": "refusal", "refusal": "no"}, id="P2: refusal"),
        pytest.param(b'{"type":"text","text":"a"}', {"type": "text", "text": "a"}, id="D17: chat's own part"),
        pytest.param(b'{"type":"x","y":1}', {"type": "x", "y": 1}, id="D12: an unknown part"),
        pytest.param(b"7", 7, id="D12: no part at all"),
    ],
)  # fmt: skip
def test_p2_parts_become_chat_s_parts(part, expected):
    other = {"type": "text", "text": "z"}
    item = b'{"role":"user","content":[%b,{"type":"text","text":"z"}]}' % part

    assert [{"role": "user", "content": [expected, other]}] == messages(item)


@pytest.mark.parametrize(
    ("parts", "content"),
    [
        pytest.param(b'[{"type":"input_text","text":"a"}]', "a", id="a lone text is a string"),
        pytest.param(b"[]", [], id="D12: no parts stay no parts"),
        pytest.param(b'[{"type":"input_text","text":"a","cache_control":{}}]',
                     [{"type": "text", "text": "a", "cache_control": {}}], id="D3: unless it carries something"),
        pytest.param(b'[{"type":"input_text","text":7}]', [{"type": "text", "text": 7}], id="or is no text"),
    ],
)  # fmt: skip
def test_p2_a_lone_text_is_a_string_for_upstreams_that_know_nothing_else(parts, content):
    assert [{"role": "user", "content": content}] == messages(
        b'{"role":"user","content":%b}' % parts
    )


def test_d4_values_inside_items_survive_byte_for_byte():
    literal = rb'"\ud83d \u00e9 a\/b ' + "\u2028".encode() + b'"'
    items = (
        b'{"role":"user","content":[{"type":"input_text","text":%(l)b},'
        b'{"type":"input_image","image_url":%(l)b}],"x":%(h)b},'
        b'{"type":"function_call","call_id":%(l)b,"name":"f","arguments":%(l)b,"y":%(h)b},'
        b'{"type":"function_call_output","call_id":%(l)b,"output":%(l)b}'
    ) % {b"l": literal, b"h": HARD}
    body = chat(b'"instructions":%b,"input":[%b]' % (literal, items))

    assert (
        b'{"model":"m","messages":[{"role":"system","content":%(l)b},'
        b'{"role":"user","content":[{"type":"text","text":%(l)b},'
        b'{"type":"image_url","image_url":{"url":%(l)b}}],"x":%(h)b},'
        b'{"role":"assistant","content":null,"tool_calls":[{"id":%(l)b,"type":"function",'
        b'"function":{"name":"f","arguments":%(l)b},"y":%(h)b}]},'
        b'{"role":"tool","tool_call_id":%(l)b,"content":%(l)b}]}'
    ) % {b"l": literal, b"h": HARD} == body


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        pytest.param(b'"instructions":"i","input":"a"',
                     [{"role": "system", "content": "i"}, USER], id="P3: before a string"),
        pytest.param(b'"input":[{"role":"system","content":"s"}],"instructions":"i"',
                     [{"role": "system", "content": "i"}, {"role": "system", "content": "s"}],
                     id="P3: before another system message, wherever it stands"),
        pytest.param(b'"instructions":null,"input":"a"', [USER], id="P3: null says nothing"),
        pytest.param(b'"instructions":"","input":"a"', [USER], id="P3: the empty string says nothing"),
    ],
)  # fmt: skip
def test_p3_instructions_are_the_first_system_message(inner, expected):
    found = json.loads(chat(inner))

    assert {"model": "m", "messages": expected} == found


# --- other members --------------------------------------------------------------------------------------------------

SCHEMA = b'{"type":"json_schema","name":"n","schema":{"a":1.10},"strict":true}'


@pytest.mark.parametrize(
    ("inner", "expected", "dropped"),
    [
        pytest.param(b'"max_output_tokens":5', b'"max_completion_tokens":5', (), id="P4: the limit"),
        pytest.param(b'"max_output_tokens":null', b"", (), id="P4: no limit"),
        pytest.param(b'"max_tokens":5,"max_output_tokens":6', b'"max_tokens":5', ("max_output_tokens",),
                     id="P4: chat's own limit wins, and the loss is told"),
        pytest.param(b'"max_completion_tokens":null,"max_output_tokens":6', b'"max_completion_tokens":6', (),
                     id="P4: a null limit does not, and stands once (D6)"),
        pytest.param(b'"text":{"format":%b}' % SCHEMA,
                     b'"response_format":{"type":"json_schema","json_schema":'
                     b'{"name":"n","schema":{"a":1.10},"strict":true}}', (), id="P4: a schema is nested"),
        pytest.param(b'"text":{"format":{"type":"json_object"},"verbosity":"low"}',
                     b'"response_format":{"type":"json_object"},"verbosity":"low"', (), id="P4: JSON, and verbosity"),
        pytest.param(b'"text":{"format":{"type":"text"}}', b"", (), id="P4: plain text goes without saying"),
        pytest.param(b'"text":{}', b"", (), id="P4: empty text"),
        pytest.param(b'"text":null', b"", (), id="P4: no text"),
        pytest.param(b'"text":{"format":null}', b"", (), id="P4: no format"),
        pytest.param(b'"reasoning":{"effort":"low"}', b'"reasoning_effort":"low"', (), id="P4: the effort"),
        pytest.param(b'"reasoning":{"effort":"low","summary":"auto"}', b'"reasoning_effort":"low"',
                     ("reasoning.summary",), id="P4, D16: the summary is dropped and named"),
        pytest.param(b'"reasoning":{"effort":null,"summary":null}', b"", (), id="P4: no effort"),
        pytest.param(b'"reasoning_effort":"high","reasoning":{"effort":"low"}', b'"reasoning_effort":"high"',
                     ("reasoning",), id="P4: chat's own effort wins"),
        pytest.param(b'"include":["reasoning.encrypted_content"],"truncation":"auto","max_tool_calls":3', b"",
                     ("include", "truncation", "max_tool_calls"), id="P5, D16: dropped and named"),
        pytest.param(b'"include":null,"truncation":null,"background":false', b"", (), id="P5: nulls are no loss"),
        pytest.param(b'"previous_response_id":null,"conversation":null,"prompt":null',
                     b'"previous_response_id":null,"conversation":null,"prompt":null', (), id="P17: nulls ask nothing"),
    ],
)  # fmt: skip
def test_p4_members_are_said_in_chat_s_words(inner, expected, dropped):
    before = translated(b'{"model":"m","input":"a",%b}' % inner)
    after = translated(b'{%b,"input":"a","model":"m"}' % inner)

    said, comma = b'"messages":[{"role":"user","content":"a"}]', b"," if expected else b""
    assert b'{"model":"m",%b%b%b}' % (said, comma, expected) == before.body
    assert b'{%b%b%b,"model":"m"}' % (expected, comma, said) == after.body
    assert dropped == before.dropped == after.dropped


# --- tools ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [b'"input":"a"', b'"messages":[{"role":"user","content":"a"}]'])
@pytest.mark.parametrize(
    ("tools", "expected", "dropped"),
    [
        pytest.param(FLAT, NESTED, (), id="P4: a flat function"),
        pytest.param(b"%b , %b" % (NESTED, FLAT), b"%b,%b" % (NESTED, NESTED), (), id="P4: among nested ones"),
        pytest.param(b"%b,%b" % (FLAT, PATCH), NESTED, ("custom",), id="P6: a custom tool is dropped and named"),
        pytest.param(rb'{"name":"\ud83d","type":"function","parameters":%b,"cache_control":{}}' % HARD,
                     rb'{"type":"function","cache_control":{},"function":{"name":"\ud83d","parameters":%b}}' % HARD,
                     (), id="D3, D4: schemas survive, a vendor's members stay outside"),
        pytest.param(b'%b,{"type":"custom","custom":{"name":"x"}}' % FLAT,
                     b'%b,{"type":"custom","custom":{"name":"x"}}' % NESTED, (), id="D3: chat's own custom tool"),
        pytest.param(b'%b,{"input_schema":{}}' % FLAT, b'%b,{"input_schema":{}}' % NESTED, (),
                     id="D12: a tool without type"),
    ],
)  # fmt: skip
def test_d17_flat_tools_are_nested(asked, tools, expected, dropped):
    result = translated(b'{"model":"m",%b,"tools":[%b]}' % (asked, tools))

    assert result.body.endswith(b',"tools":[%b]}' % expected)
    assert dropped == result.dropped


def test_d3_beside_messages_an_upstream_s_own_tool_stays_with_flat_ones():
    result = translated(b'{"messages":[],"tools":[%b,%b]}' % (SEARCH, FLAT))

    assert b'{"messages":[],"tools":[%b,%b]}' % (SEARCH, NESTED) == result.body


@pytest.mark.parametrize(
    "kind",
    ["web_search", "file_search", "code_interpreter", "mcp", "image_generation", "custom"],
)
def test_p6_a_tool_chat_cannot_run_is_dropped_and_named(kind):
    hosted = b'{"type":"%b","name":"x"}' % kind.encode()
    result = translated(b'{"input":"a","tools":[%b,%b]}' % (hosted, FLAT))

    assert result.body.endswith(b',"tools":[%b]}' % NESTED)
    assert (kind,) == result.dropped


def test_d16_a_client_s_own_text_is_not_named_in_a_header():
    result = translated(b'{"input":"a","tools":[{"type":"x\\r\\ny: z"},%b]}' % FLAT)

    assert ("tools",) == result.dropped


def test_p6_what_hosted_tools_left_in_the_conversation_is_dropped_and_named():
    item = b'{"type":"web_search_call","id":"ws_1","status":"completed"}'
    result = translated(b'{"input":[%b,%b,%b]}' % (item, USER_ITEM, item))

    assert b'{"messages":[{"role":"user","content":"a"}]}' == result.body
    assert ("web_search_call",) == result.dropped


@pytest.mark.parametrize("choice", [b'"auto"', b'"none"', b"null"])
def test_p6_with_no_tool_left_nothing_speaks_of_tools(choice):
    result = translated(
        b'{"tools":[%b],"tool_choice":%b,"parallel_tool_calls":true,"input":"a"}' % (SEARCH, choice)
    )

    assert b'{"messages":[{"role":"user","content":"a"}]}' == result.body
    assert ("web_search",) == result.dropped


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        pytest.param(b'"auto"', b'"auto"', id="P4: a word"),
        pytest.param(b'"required"', b'"required"', id="P4: another"),
        pytest.param(b'{"type":"function","name":"read"}', b'{"type":"function","function":{"name":"read"}}',
                     id="P4: a flat choice"),
        pytest.param(b'{"type":"function","function":{"name":"read"}}',
                     b'{"type":"function","function":{"name":"read"}}', id="P4: a nested one"),
        pytest.param(b'{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"read"},%b]}' % SEARCH,
                     b'{"type":"allowed_tools","allowed_tools":{"mode":"auto",'
                     b'"tools":[{"type":"function","function":{"name":"read"}}]}}', id="P4: allowed tools"),
        pytest.param(b'{"type":"allowed_tools","mode":"auto","tools":[%b]}' % SEARCH, b'"none"',
                     id="P6: none of them left"),
    ],
)  # fmt: skip
def test_p4_a_tool_choice_is_nested(choice, expected):
    body = chat(b'"input":"a","tools":[%b],"tool_choice":%b' % (FLAT, choice))

    assert body.endswith(b',"tools":[%b],"tool_choice":%b}' % (NESTED, expected))


def test_d17_a_flat_choice_beside_messages_is_nested():
    body = b'{"messages":[],"tools":[%b],"tool_choice":{"type":"function","name":"read"}}' % NESTED

    assert (
        b'{"messages":[],"tools":[%b],"tool_choice":%b}'
        % (
            NESTED,
            b'{"type":"function","function":{"name":"read"}}',
        )
        == translated(body).body
    )


def test_d3_beside_messages_a_choice_of_an_upstream_s_own_tool_stays():
    body = b'{"messages":[],"tools":[%b],"tool_choice":%b}' % (FLAT, SEARCH)

    assert b'{"messages":[],"tools":[%b],"tool_choice":%b}' % (NESTED, SEARCH) == (
        translated(body).body
    )


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inner", "code", "param"),
    [
        pytest.param(b'"input":null', "missing_required_parameter", "input", id="F26: no input"),
        pytest.param(b'"input":7', "invalid_type", "input", id="F24: input a number"),
        pytest.param(b'"input":{}', "invalid_type", "input", id="F24: input an object"),
        pytest.param(b'"input":["a"]', "invalid_type", "input[0]", id="F24: an item that is a string"),
        pytest.param(b'"input":[{"content":"a"}]', "missing_required_parameter", "input[0].role", id="F26: no role"),
        pytest.param(b'"input":[%b,{"type":"function_call","name":"f"}]' % USER_ITEM,
                     "missing_required_parameter", "input[1].call_id", id="F26: a call without its id"),
        pytest.param(b'"input":[{"type":"function_call","call_id":"c"}]',
                     "missing_required_parameter", "input[0].name", id="F26: a call without a name"),
        pytest.param(b'"input":[{"type":"function_call_output","call_id":"c"}]',
                     "missing_required_parameter", "input[0].output", id="F26: no output"),
        pytest.param(b'"input":[{"type":"item_reference","id":"msg_1"}]',
                     "unsupported_parameter", "input[0]", id="F27, P2: an item reference"),
        pytest.param(b'"input":[{"type":"computer_call"}]', "unsupported_parameter", "input[0]",
                     id="F27: an item chat has nothing for"),
        pytest.param(b'"input":[{"role":"user","content":[{"type":"input_image","file_id":"f"}]}]',
                     "unsupported_parameter", "input[0].content[0].file_id", id="F27: an image by its id"),
        pytest.param(b'"input":[{"role":"user","content":[{"type":"input_image"}]}]',
                     "missing_required_parameter", "input[0].content[0].image_url", id="F26: an image without one"),
        pytest.param(b'"input":[{"role":"user","content":[{"type":"input_file","file_url":"u"}]}]',
                     "unsupported_parameter", "input[0].content[0].file_url", id="F27: a file by its URL"),
        pytest.param(b'"input":"a","instructions":[]', "invalid_type", "instructions", id="F24: instructions"),
        pytest.param(b'"input":"a","text":"x"', "invalid_type", "text", id="F24: text a string"),
        pytest.param(b'"input":"a","reasoning":true', "invalid_type", "reasoning", id="F24: reasoning a boolean"),
        pytest.param(b'"input":"a","previous_response_id":"resp_1"',
                     "unsupported_parameter", "previous_response_id", id="F27: an earlier response"),
        pytest.param(b'"input":"a","conversation":"conv_1"', "unsupported_parameter", "conversation",
                     id="P20: a conversation"),
        pytest.param(b'"input":"a","prompt":{"id":"p"}', "unsupported_parameter", "prompt", id="F27: a stored prompt"),
        pytest.param(b'"input":"a","background":true', "unsupported_parameter", "background", id="P20: background"),
        pytest.param(b'"input":"a","tool_choice":{"type":"web_search"}', "unsupported_parameter", "tool_choice",
                     id="P6: a choice that demands a hosted tool"),
        pytest.param(b'"input":"a","tools":[{"type":"mcp"}],"tool_choice":"required"',
                     "unsupported_parameter", "tool_choice", id="P6: a tool demanded, and none left"),
        pytest.param(b'"input":"a","tool_choice":{"type":"allowed_tools","mode":"required","tools":[{"type":"mcp"}]}',
                     "unsupported_parameter", "tool_choice", id="P6: only hosted ones allowed, and one demanded"),
        pytest.param(b'"input":"a","tool_choice":{"type":"allowed_tools","tools":7}', "invalid_type",
                     "tool_choice.tools", id="F24: allowed tools in no list"),
        pytest.param(b'"messages":[],"tool_choice":{"type":"custom","name":"x"}', "unsupported_parameter",
                     "tool_choice", id="P6: a flat custom choice beside messages"),
        pytest.param(b'"input":"a","input":"b"', "invalid_json", "input", id="D6: input twice"),
        pytest.param(b'"input":"a","max_output_tokens":1,"max_output_tokens":2', "invalid_json",
                     "max_output_tokens", id="D6: the limit twice"),
        pytest.param(b'"messages":[],"tools":[],"tools":[%b]' % FLAT, "invalid_json", "tools",
                     id="D6: flat tools twice"),
    ],
)  # fmt: skip
def test_f_what_cannot_be_honoured_is_refused_by_name(inner, code, param):
    error = refused(b'{"model":"m",%b}' % inner)

    assert (400, code, param) == (error.status, error.code, error.param)
    assert f"'{param}'" in error.message


def test_f23_more_distinct_lone_surrogates_than_can_be_kept_are_refused_not_mangled():
    many = b"".join(
        b"\\u" + b"%c%c%02xx" % (d, second, low)
        for d in b"dD"
        for second in b"89aAbBcCdDeEfF"
        for low in range(256)
    )

    assert "invalid_json" == refused(b'{"input":[{"role":"user","content":"%b"}]}' % many).code


# --- wired in -------------------------------------------------------------------------------------------------------


def test_d17_a_chat_request_is_read_from_the_chat_body():
    body = (
        b'\xef\xbb\xbf{"input":"a","tools":[%b,%b],"stream":true,"model":"m","max_output_tokens":5}'
    ) % (FLAT, SEARCH)
    request = read_chat_request(body)

    assert (
        ChatRequest(
            body=b'{"messages":[{"role":"user","content":"a"}],"tools":[%b],"stream":true,"model":"m",'
            b'"max_completion_tokens":5}' % NESTED,
            model="m",
            stream=True,
            include_usage=False,
            choices=1,
            members=request.members,
            dropped=("web_search",),
            max_tokens=5,
        )
        == request
    )
    assert list(members(request.body, 0)) == list(request.members)


def test_d1_an_ordinary_chat_request_keeps_its_very_body():
    body = b'{"model":"m","messages":[],"tools":[%b]}' % NESTED

    assert read_chat_request(body).body is body
    assert () == read_chat_request(body).dropped
