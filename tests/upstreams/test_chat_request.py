"""The body edits of upstreams G5, each a splice, and what else goes upstream (G1, G2, O-P1)."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import InvalidRequest, ModelNotFound
from app.protocol.headers import HeaderList
from app.protocol.requests import read_chat_request, read_closely, read_plainly
from app.upstreams.chat_request import ChatOptions, PreparedChat, prepare_chat
from app.upstreams.upstream import Upstream
from tests.fakes.upstreams import UPSTREAM_KEY, upstream_of
from tests.protocol.documents import objects, pairs_of, patient

USAGE = b'"stream_options":{"include_usage":true},'


def prepared(
    upstream: Upstream,
    body: bytes,
    model: str | None = None,
    *,
    headers: HeaderList | None = None,
    **more: Any,
) -> PreparedChat:
    chat = read_chat_request(body)
    options = ChatOptions(headers or [], "req_1", **more)
    return prepare_chat(upstream, model or chat.model, chat, options)


def body_of(found: PreparedChat) -> bytes:
    """The body, which a chat request has whole."""
    assert isinstance(found.request.body, bytes)
    return found.request.body


def fields_of(found: PreparedChat) -> HeaderList:
    """All of the request's fields, as they go onto the wire."""
    return [*found.request.head.fields, *found.request.headers]


def sent(dialect: Any, body: bytes, model: str | None = None, **fields: Any) -> bytes:
    return body_of(prepared(upstream_of(dialect, **fields), body, model))


# --- the table of G5 ------------------------------------------------------------------------------------------------

DIALECTS = ("4minds", "minds", "openmind", "openai")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_body_that_needs_no_edit_leaves_as_the_very_same_object(dialect):
    body = b'{"model":"gpt-4o","messages":[{"role":"user","content":"\\u00e9"}],"x":{"y":1.10}}'
    chat = read_chat_request(body)

    request = prepare_chat(upstream_of(dialect), "gpt-4o", chat, ChatOptions([], "r")).request

    assert request.body is chat.body is body


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_model_becomes_the_upstreams_name_and_nothing_else_changes(dialect):
    body = b'{ "messages" : [ ], "model" : "mine" ,"z":1E5}'

    assert sent(dialect, body, "gpt-4o-mini") == body.replace(b'"mine"', b'"gpt-4o-mini"')


DEVELOPER = (
    b'{"model":"m","messages":[{"role" : "developer","content":"developer"},{"role":"user"}]}'
)
SYSTEM = DEVELOPER.replace(b': "developer"', b': "system"')


@pytest.mark.parametrize(
    ("dialect", "model", "fields", "result"),
    [
        pytest.param("4minds", "m", {}, DEVELOPER, id="4minds keeps it"),
        pytest.param("openai", "m", {}, DEVELOPER, id="openai keeps it"),
        pytest.param("minds", "m", {}, SYSTEM, id="minds: system"),
        pytest.param("openmind", "grok-2", {}, SYSTEM, id="openmind: system"),
        pytest.param("openmind", "gpt-4o", {}, DEVELOPER, id="openmind's openai keeps it"),
        pytest.param("openai", "m", {"developer_role": "system"}, SYSTEM, id="an entry may ask"),
        pytest.param("minds", "m", {"developer_role": "keep"}, DEVELOPER, id="or ask not to"),
    ],
)
def test_the_role_developer(dialect, model, fields, result):
    named = json.dumps(model).encode()

    assert sent(dialect, DEVELOPER, model, **fields) == result.replace(b'"m"', named)


@pytest.mark.parametrize(
    "messages",
    [
        pytest.param(b"null", id="null"),
        pytest.param(b'"developer"', id="a string"),
        pytest.param(b'{"role":"developer"}', id="an object"),
        pytest.param(b'["developer",7,null,[{"role":"developer"}]]', id="rows that are none"),
        pytest.param(b'[{"content":[{"role":"developer"}]}]', id="further down"),
        pytest.param(rb'[{"role":"user","\ud83d":"developer"}]', id="half a character in a name"),
    ],
)
def test_what_only_looks_like_a_role_stays(messages):
    body = b'{"model":"m","messages":' + messages + b"}"

    assert sent("minds", body) == body


@pytest.mark.parametrize(
    ("dialect", "fields", "body", "result"),
    [
        pytest.param(
            "minds", {}, b'"max_completion_tokens":5', b'"max_tokens":5', id="minds: alone"
        ),
        pytest.param(
            "minds",
            {},
            b'"max_completion_tokens" : 5',
            b'"max_tokens" : 5',
            id="minds: blanks stay",
        ),
        pytest.param(
            "minds", {}, rb'"max_completion_token\u0073":5', b'"max_tokens":5', id="minds: escaped"
        ),
        pytest.param(
            "minds",
            {},
            b'"max_completion_tokens":5,"max_tokens":7',
            b'"max_completion_tokens":5,"max_tokens":7',
            id="minds: both stay",
        ),
        pytest.param("minds", {}, b'"max_tokens":7', b'"max_tokens":7', id="minds: the old one"),
        pytest.param(
            "minds",
            {"max_tokens_name": "keep"},
            b'"max_completion_tokens":5',
            b'"max_completion_tokens":5',
            id="minds: an entry may keep it",
        ),
        *(
            pytest.param(
                name,
                {},
                b'"max_completion_tokens":5',
                b'"max_completion_tokens":5',
                id=f"{name} keeps it",
            )
            for name in ("4minds", "openmind", "openai")
        ),
        pytest.param(
            "openai",
            {"max_tokens_name": "max_completion_tokens"},
            b'"max_tokens":5',
            b'"max_completion_tokens":5',
            id="the other way, when an entry asks",
        ),
        pytest.param(
            "openai", {"rename": {"seed": "zeed"}}, b'"seed":5', b'"zeed":5', id="an entry's rename"
        ),
        pytest.param(
            "openai",
            {"rename": {"seed": "zeed"}},
            b'"a":{"seed":5}',
            b'"a":{"seed":5}',
            id="not further down",
        ),
        pytest.param(
            "openai",
            {"rename": {"seed": "zeed"}, "drop": ("seed",)},
            b'"a":1,"seed":5',
            b'"a":1',
            id="what is dropped is not renamed",
        ),
    ],
)
def test_renames(dialect, fields, body, result):
    head = b'{"model":"gpt-4o",'

    assert sent(dialect, head + body + b"}", **fields) == head + result + b"}"


@pytest.mark.parametrize(
    ("dialect", "fields", "body", "result", "dropped"),
    [
        pytest.param("minds", {}, b'"store":true', b"", ("store",), id="minds: store true"),
        pytest.param("openmind", {}, b'"store": true', b"", ("store",), id="openmind: store true"),
        pytest.param("minds", {}, b'"store":false', b'"store":false', (), id="minds: store false"),
        pytest.param("minds", {}, b'"store":null', b'"store":null', (), id="minds: store null"),
        pytest.param("4minds", {}, b'"store":true', b'"store":true', (), id="4minds stores"),
        pytest.param("openai", {}, b'"store":true', b'"store":true', (), id="openai stores"),
        pytest.param(
            "openai",
            {"drop": ("user", "metadata", "seed")},
            b'"user":"u","x":1,"metadata":{"user":1}',
            b'"x":1',
            ("user", "metadata"),
            id="D16: an entry's drops, those present named",
        ),
        pytest.param(
            "openai", {"drop": ("model",)}, b'"x":1', b'"x":1', (), id="the model is never dropped"
        ),
    ],
)
def test_drops_are_named(dialect, fields, body, result, dropped):
    head = b'{"model":"gpt-4o"'

    found = prepared(upstream_of(dialect, **fields), head + b"," + body + b"}")

    assert found.request.body == head + (b"," + result if result else b"") + b"}"
    assert found.dropped == dropped


@pytest.mark.parametrize(
    ("dialect", "fields", "is_added"),
    [
        ("4minds", {}, True),
        ("openmind", {}, True),
        ("openai", {}, True),
        ("minds", {}, False),
        ("minds", {"generation": "llm"}, False),
        ("minds", {"generation": "api-v1"}, False),
        ("minds", {"generation": "mindshub"}, True),
        ("openai", {"drop": ("stream_options",)}, False),
    ],
)
def test_usage_is_asked_for_where_the_upstream_knows_how(dialect, fields, is_added):
    body = b'{"model":"gpt-4o","stream":true}'

    found = prepared(upstream_of(dialect, **fields), body)

    assert is_added is found.usage_added
    assert found.request.body == (b"{" + USAGE + body[1:] if is_added else body)


@pytest.mark.parametrize(
    ("options", "result"),
    [
        pytest.param(b"null", b'{"include_usage":true}', id="null"),
        pytest.param(b"{}", b'{"include_usage":true}', id="empty"),
        pytest.param(b"{ }", b'{"include_usage":true }', id="empty with a blank"),
        pytest.param(b'{"include_usage":false}', b'{"include_usage":true}', id="false"),
        pytest.param(b'{"include_usage": null}', b'{"include_usage": true}', id="its null"),
        pytest.param(b'{"x":1}', b'{"include_usage":true,"x":1}', id="beside another"),
        pytest.param(b'{"include_usage":true}', b'{"include_usage":true}', id="there already"),
    ],
)
def test_usage_is_asked_for_inside_the_clients_own_options(options, result):
    head = b'{"model":"m","stream":true,"stream_options":'

    assert sent("openai", head + options + b"}") == head + result + b"}"


@pytest.mark.parametrize("stream", [b"false", b"null"])
def test_usage_is_not_asked_for_without_a_stream(stream):
    body = b'{"model":"m","stream":' + stream + b"}"

    assert sent("openai", body) == body


def test_i11_an_upstream_that_refused_stream_options_gets_none():
    body = b'{"model":"m","stream":true,"stream_options":{"include_usage":true}}'

    found = prepared(upstream_of("openai"), body, stream_options=False)

    assert found.request.body == b'{"model":"m","stream":true}'
    assert (("stream_options",), False) == (found.dropped, found.usage_added)


@pytest.mark.parametrize("dialect", ["4minds", "openmind", "openai"])
def test_several_choices_pass(dialect):
    body = b'{"model":"gpt-4o","n":2}'

    assert sent(dialect, body) == body


def test_minds_cannot_give_several_choices():
    with pytest.raises(InvalidRequest) as caught:
        sent("minds", b'{"model":"m","n":2}')

    assert ("unsupported_parameter", "n") == (caught.value.code, caught.value.param)
    assert sent("minds", b'{"model":"m","n":1}') == b'{"model":"m","n":1}'


def test_all_edits_at_once_touch_nothing_else():
    body = (
        b'{ "store" : true,\n "max_completion_tokens":5, "messages":[{"role":"developer"}],'
        b'\t"model":"mine","seed":18446744073709551617,"stream":true , "store2":true }'
    )

    result = sent("minds", body, "Sales", generation="mindshub")

    assert result == (
        b'{ "stream_options":{"include_usage":true},"max_tokens":5, "messages":[{"role":"system"}],'
        b'\t"model":"Sales","seed":18446744073709551617,"stream":true , "store2":true }'
    )


@patient
@given(
    objects(("x", "seed", "user", "drop_me")),
    st.sampled_from(["4minds", "minds", "openai"]),
    st.booleans(),
)
def test_any_body_stays_json_and_says_the_same(rest, dialect, stream):
    pairs = pairs_of(rest)
    inner = rest.strip(b" \t\r\n")[1:-1]
    head = b'{"model":"mine","stream":%s' % (b"true" if stream else b"false")
    body = head + (b"," + inner if pairs else b"") + b"}"
    if any(name in ("model", "stream", "store") for name, _ in pairs):
        return

    found = prepared(upstream_of(dialect, drop=("drop_me",)), body, "theirs")

    expected = [("model", "theirs"), ("stream", stream)]
    expected += [pair for pair in pairs if pair[0] != "drop_me"]
    if found.usage_added:
        expected.insert(0, ("stream_options", [("include_usage", True)]))
    assert expected == pairs_of(body_of(found))


@patient
@given(
    objects(
        ("model", "stream", "stream_options", "seed", "drop_me", "max_completion_tokens"), least=1
    ),
    st.sampled_from(DIALECTS),
    st.booleans(),
)
def test_a_body_read_plainly_is_edited_like_one_read_closely(rest, dialect, takes_options):
    body = b'{"model":"mine","stream":true,' + rest.strip(b" \t\r\n")[1:]
    plain = read_plainly(body)
    if plain is None:
        return
    upstream = upstream_of(dialect, drop=("drop_me",), rename={"seed": "zeed"})
    options = ChatOptions([], "r", stream_options=takes_options)

    short = prepare_chat(upstream, "gpt-4o", plain, options)
    long = prepare_chat(upstream, "gpt-4o", read_closely(body), options)

    assert long.request.body == short.request.body
    assert (long.dropped, long.usage_added) == (short.dropped, short.usage_added)


# --- where it goes, and with what -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "url", "name"),
    [
        ("gpt-4o", "openai/chat/completions", "gpt-4o"),
        ("grok-2-latest", "xai/chat/completions", "grok-2-latest"),
        ("gemini/gemini-2.5-pro", "gemini/chat/completions", "gemini-2.5-pro"),
        ("openai/gpt-oss-120b", "nearai/chat/completions", "openai/gpt-oss-120b"),
        ("openai/gpt-4o", "openai/chat/completions", "gpt-4o"),
        ("mistral/large", "openrouter/chat/completions", "mistral/large"),
    ],
)
def test_op1_the_provider_stands_in_the_path_and_the_rest_in_the_body(model, url, name):
    found = prepared(upstream_of("openmind"), b'{"model":"x"}', model)

    assert found.request.head.url == f"https://api.openmind.org/api/core/{url}"
    assert (name, {"model": name}) == (found.model, json.loads(body_of(found)))


def test_op1_a_name_that_no_provider_claims_is_404_without_a_call():
    with pytest.raises(ModelNotFound) as caught:
        sent("openmind", b'{"model":"llama"}')

    assert caught.value.code == "model_not_found"


def test_op1_f18_the_404_names_the_model_as_the_client_wrote_it():
    chat = read_chat_request(b'{"model":"openmind/llama"}')

    with pytest.raises(ModelNotFound) as caught:
        prepare_chat(upstream_of("openmind"), "llama", chat, ChatOptions([], "req_1"))

    assert "The model `openmind/llama` does not exist" in caught.value.message


def test_op2_a_provider_in_the_path_decides():
    found = prepared(upstream_of("openmind"), b'{"model":"anything"}', provider="xai")

    assert found.request.head.url.endswith("/api/core/xai/chat/completions")


def test_a_provider_is_one_encoded_segment():
    found = prepared(upstream_of("openmind"), b'{"model":"m"}', provider="../admin?x#")

    assert found.request.head.url.endswith("/api/core/..%2Fadmin%3Fx%23/chat/completions")


CLIENT: HeaderList = [
    (b"authorization", b"Bearer sk-client"),
    (b"x-api-key", b"sk-client"),
    (b"api-key", b"sk-client"),
    (b"cookie", b"sk-client"),
    (b"accept", b"text/event-stream"),
    (b"accept-encoding", b"gzip"),
    (b"user-agent", b"OpenAI/Python"),
    (b"idempotency-key", b"i-1"),
    (b"openai-beta", b"b-1"),
    (b"openai-organization", b"org-client"),
    (b"x-request-id", b"theirs"),
    (b"content-type", b"text/plain"),
    (b"content-length", b"99"),
]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_headers_of_a_chat_request(dialect):
    found = fields_of(prepared(upstream_of(dialect), b'{"model":"gpt-4o"}', headers=CLIENT))
    names = [name for name, _ in found]
    fields = dict(found)

    assert len(names) == len(set(names))
    assert b"sk-client" not in b" ".join(fields.values())
    assert fields[b"content-type"] == b"application/json"
    assert fields[b"accept-encoding"] == b"identity"
    assert fields[b"x-request-id"] == b"req_1"
    assert fields[b"accept"] == b"text/event-stream"
    assert fields[b"idempotency-key"] == b"i-1"
    assert (b"openai-beta" in names) is (dialect == "openai")
    assert not {b"cookie", b"openai-organization", b"content-length", b"host"} & set(names)
    carriers = {b"authorization", b"x-api-key", b"api-key"} & set(names)
    assert carriers == ({b"x-api-key"} if dialect == "openmind" else {b"authorization"})
    assert UPSTREAM_KEY.encode() in b" ".join(fields[name] for name in carriers)


def test_the_entrys_own_header_wins_over_the_clients():
    upstream = upstream_of("openai", headers={"Accept": "application/json", "OpenAI-Beta": "ours"})

    fields = fields_of(prepared(upstream, b'{"model":"m"}', headers=CLIENT))

    assert [(b"accept", b"application/json")] == [one for one in fields if one[0] == b"accept"]
    assert [(b"openai-beta", b"ours")] == [one for one in fields if one[0] == b"openai-beta"]


@pytest.mark.parametrize(
    ("dialect", "body", "sent"),
    [
        pytest.param(
            "openai", b'{"model":"m"}', b'{"max_tokens":50,"model":"m"}', id="where there is none"
        ),
        pytest.param(
            "openai",
            b'{"model":"m","max_tokens":null}',
            b'{"model":"m","max_tokens":50}',
            id="for a null",
        ),
        pytest.param(
            "openai",
            b'{"model":"m","max_tokens":5}',
            b'{"model":"m","max_tokens":5}',
            id="not else",
        ),
        pytest.param(
            "minds",
            b'{"model":"m","max_completion_tokens":null}',
            b'{"model":"m","max_tokens":50}',
            id="under the upstream's name",
        ),
    ],
)
def test_a_key_s_bound_is_said_to_the_upstream(dialect, body, sent):
    """ADR 0012: else the upstream would not know of it."""
    options = ChatOptions([], "req_1", max_tokens=50)
    prepared = prepare_chat(upstream_of(dialect), "m", read_chat_request(body), options)

    assert sent == prepared.request.body
