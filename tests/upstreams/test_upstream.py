"""An entry and its dialect's row, made into one upstream (upstreams 1, 3.5, 4.1, G1 to G3, P1 to P3)."""

from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from app.domain.configuration import Credential, TimeoutOverrides, Timeouts
from tests.fakes.upstreams import UPSTREAM_KEY, upstream_of

# --- URLs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dialect", "fields", "chat", "models"),
    [
        pytest.param(
            "4minds",
            {},
            "https://api.4minds.ai/v1/chat/completions",
            ["https://api.4minds.ai/v1/models"],
            id="1: 4minds",
        ),
        pytest.param(
            "minds",
            {},
            "https://mdb.ai/chat/completions",
            ["https://mdb.ai/api/projects/mindsdb/minds"],
            id="4.1: minds, the seed's",
        ),
        pytest.param(
            "minds",
            {"generation": "llm"},
            "https://llm.mdb.ai/chat/completions",
            ["https://mdb.ai/api/projects/mindsdb/minds"],
            id="4.1: minds, llm",
        ),
        pytest.param(
            "minds",
            {"generation": "api-v1"},
            "https://mdb.ai/api/v1/chat/completions",
            ["https://mdb.ai/api/v1/minds/"],
            id="4.1: minds, api-v1",
        ),
        pytest.param(
            "minds",
            {"generation": "mindshub"},
            "https://api.mindshub.ai/v1/chat/completions",
            ["https://api.mindshub.ai/v1/models"],
            id="4.1: minds, mindshub",
        ),
        pytest.param(
            "minds",
            {"base_url": "https://minds.example/v1/"},
            "https://minds.example/v1/chat/completions",
            ["https://minds.example/v1/models", "https://minds.example/v1/minds/"],
            id="4.1: a base URL that ends in v1 is used as it is",
        ),
        pytest.param(
            "minds",
            {"chat_path": "/c", "models_path": "/m"},
            "https://mdb.ai/c",
            ["https://mdb.ai/m"],
            id="4.1: each field alone",
        ),
        pytest.param(
            "minds",
            {"models_path": "https://else.example/m"},
            "https://mdb.ai/chat/completions",
            ["https://else.example/m"],
            id="4.1: a list at another host",
        ),
        pytest.param(
            "openai",
            {"base_url": "http://127.0.0.1:11434"},
            "http://127.0.0.1:11434/v1/chat/completions",
            ["http://127.0.0.1:11434/v1/models"],
            id="P1: without a path, v1 is put between",
        ),
        pytest.param(
            "openai",
            {"base_url": "http://127.0.0.1:11434/"},
            "http://127.0.0.1:11434/v1/chat/completions",
            ["http://127.0.0.1:11434/v1/models"],
            id="P1: a slash is no path",
        ),
        pytest.param(
            "openai",
            {"base_url": "http://127.0.0.1:11434", "append_v1": False},
            "http://127.0.0.1:11434/chat/completions",
            ["http://127.0.0.1:11434/models"],
            id="P1: append_v1 false",
        ),
        pytest.param(
            "openai",
            {"base_url": "https://api.example/openai/v1//"},
            "https://api.example/openai/v1/chat/completions",
            ["https://api.example/openai/v1/models"],
            id="G1: trailing slashes are cut",
        ),
        pytest.param(
            "openai",
            {"base_url": "https://api.example/x", "query": {"api-version": "2024 1", "k": "&"}},
            "https://api.example/x/chat/completions?api-version=2024+1&k=%26",
            ["https://api.example/x/models?api-version=2024+1&k=%26"],
            id="G1: a static query",
        ),
        pytest.param(
            "4minds",
            {"base_url": "http://127.0.0.1:1"},
            "http://127.0.0.1:1/chat/completions",
            ["http://127.0.0.1:1/models"],
            id="P1 is for the generic dialect alone",
        ),
    ],
)  # fmt: skip
def test_where_chat_and_models_are_asked(dialect, fields, chat, models):
    upstream = upstream_of(dialect, **fields)

    assert chat == upstream.url(upstream.chat_path)
    assert models == [upstream.url(path) for path in upstream.models_paths][: len(models)]


def test_g1_a_request_s_own_query_comes_before_the_static_one():
    upstream = upstream_of("openai", query={"v": "2"})

    assert upstream.url("/models", "limit=1").endswith("/models?limit=1&v=2")


def test_openmind_has_no_list_to_ask_for():
    assert upstream_of("openmind").models_paths == ()


def test_41_the_other_generations_paths_are_tried_after_the_own_one():
    assert upstream_of("minds", generation="api-v1").models_paths == (
        "/api/v1/minds/",
        "/api/projects/mindsdb/minds",
        "/v1/models",
    )


def test_s5_a_base_url_of_its_own_keeps_the_key_from_every_other_host():
    """Generation `llm` has its list on another host than its chat: but not for a host that was written down."""
    upstream = upstream_of("minds", generation="llm", base_url="https://minds.example.com")

    assert {"minds.example.com"} == {
        urlsplit(upstream.url(path)).hostname for path in upstream.models_paths
    }


# --- headers and credentials ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dialect", "fields", "carrier"),
    [
        pytest.param("4minds", {}, (b"authorization", b"Bearer " + UPSTREAM_KEY.encode()), id="4minds"),
        pytest.param("minds", {}, (b"authorization", b"Bearer " + UPSTREAM_KEY.encode()), id="minds"),
        pytest.param("openmind", {}, (b"x-api-key", UPSTREAM_KEY.encode()), id="B6: openmind"),
        pytest.param("openai", {}, (b"authorization", b"Bearer " + UPSTREAM_KEY.encode()), id="openai"),
        pytest.param(
            "openai",
            {"credential": Credential("API-Key", "")},
            (b"api-key", UPSTREAM_KEY.encode()),
            id="P2: the bare key, for Azure",
        ),
        pytest.param(
            "openmind",
            {"credential": Credential("authorization", "Bearer")},
            (b"authorization", b"Bearer " + UPSTREAM_KEY.encode()),
            id="1: openmind's later generation",
        ),
        pytest.param("openai", {"api_key": None}, None, id="P2: no key, no header"),
        pytest.param(
            "openai",
            {"headers": {"Authorization": "Bearer other"}},
            (b"authorization", b"Bearer " + UPSTREAM_KEY.encode()),
            id="never two: the key is the credential",
        ),
    ],
)  # fmt: skip
def test_the_credential_stands_in_one_place(dialect, fields, carrier):
    headers = upstream_of(dialect, **fields).headers
    carriers = [one for one in headers if one[0] in (b"authorization", b"x-api-key", b"api-key")]

    assert carriers == ([carrier] if carrier else [])


@pytest.mark.parametrize(
    ("dialect", "language"), [("4minds", None), ("minds", b"en"), ("openmind", None)]
)
def test_g3_the_user_agent_and_minds_language(dialect, language):
    fields = dict(upstream_of(dialect).headers)

    assert fields[b"user-agent"] == b"Mozilla/5.0 (compatible; Mindgate/9.9.9)"
    assert fields.get(b"accept-language") == language
    assert fields[b"accept-encoding"] == b"identity"


def test_an_entry_may_name_its_own_agent_and_headers():
    upstream = upstream_of(
        "openai", user_agent="me/1", headers={"X-Title": "t", "Y-Secret": SecretStr("hush-hush")}
    )
    fields = dict(upstream.headers)

    assert fields[b"user-agent"] == b"me/1"
    assert (b"t", b"hush-hush") == (fields[b"x-title"], fields[b"y-secret"])


def test_what_may_stand_in_no_reply():
    """Credentials, and where the upstream is (contract F11)."""
    upstream = upstream_of(
        "openai",
        headers={"A": SecretStr("secret-a"), "B": "plain"},
        query={"k": SecretStr("secret-q"), "v": "1"},
    )

    assert {UPSTREAM_KEY, "secret-a", "secret-q", "127.0.0.1:9"} == set(upstream.secrets())
    assert UPSTREAM_KEY not in repr(upstream.entry)


def test_f11_a_proxy_s_password_and_host_are_secrets_too():
    proxy = SecretStr("http://me:pass%40word@proxy.example.com:3128")

    found = upstream_of("openai", proxy=proxy).secrets()

    assert {UPSTREAM_KEY, "pass@word", "127.0.0.1:9", "proxy.example.com:3128"} == set(found)


# --- deadlines ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dialect", "defaults", "own", "idle", "first_byte", "is_fixed"),
    [
        pytest.param("openai", {}, {}, 120, 300, False, id="ours"),
        pytest.param("4minds", {}, {}, 300, 300, False, id="3.5: the dialect's"),
        pytest.param("minds", {}, {}, 300, 300, False, id="4.6: the dialect's"),
        pytest.param("minds", {"idle_seconds": 50}, {}, 50, 300, False, id="the file's over both"),
        pytest.param("minds", {"idle_seconds": 50}, {"idle_seconds": 7}, 7, 300, False, id="the entry's"),
        pytest.param("openai", {}, {"first_byte_seconds": 9}, 120, 9, True, id="G6: written down"),
        pytest.param(
            "openai",
            {"first_byte_seconds": 8, "first_byte_is_fixed": True},
            {},
            120,
            8,
            True,
            id="G6: written down for all",
        ),
    ],
)  # fmt: skip
def test_whose_deadline_counts(dialect, defaults, own, idle, first_byte, is_fixed):
    upstream = upstream_of(dialect, Timeouts(**defaults), timeouts=TimeoutOverrides(**own))

    found = upstream.timeouts
    assert (idle, first_byte) == (found.idle_seconds, found.first_byte_seconds)
    assert is_fixed is found.first_byte_is_fixed


# --- capabilities ---------------------------------------------------------------------------------------------------


def test_an_entry_overrides_a_cell_of_the_matrix():
    upstream = upstream_of("minds", capabilities={"models.delete": "native", "chat.create": "-"})

    assert upstream.supports("models.delete")
    assert not upstream.supports("chat.create")
    assert upstream.supports("models.list")


@pytest.mark.parametrize("capability", ["responses", "nothing", ""])
def test_what_is_in_no_cell_is_not_supported(capability):
    assert not upstream_of("openai").supports(capability)


@pytest.mark.parametrize(
    ("generation", "asks"), [("seed", False), ("llm", False), ("api-v1", False), ("mindshub", True)]
)
def test_only_mindshub_knows_stream_options(generation, asks):
    assert asks is upstream_of("minds", generation=generation).edits.asks_usage


# --- request heads --------------------------------------------------------------------------------------------------


def test_the_head_of_a_chat_request_is_prepared_once():
    upstream = upstream_of("openai")
    head = upstream.chat_head()

    assert head is upstream.chat_head()
    assert ("POST", "http://127.0.0.1:9/v1/chat/completions") == (head.method, head.url)
    assert [*upstream.headers, (b"content-type", b"application/json")] == head.fields


def test_each_provider_has_a_head_of_its_own_and_an_unknown_one_none_that_is_kept():
    upstream = upstream_of("openmind")

    assert upstream.chat_head("xai") is upstream.chat_head("xai")
    assert upstream.chat_head("xai") is not upstream.chat_head("openai")
    assert upstream.chat_head("xai").url.endswith("/xai/chat/completions")
    assert upstream.chat_head("nobody") is not upstream.chat_head("nobody")


def test_no_secret_stands_in_a_head_that_is_shown():
    upstream = upstream_of("openai")

    assert UPSTREAM_KEY not in repr(upstream.chat_head()) + repr(upstream)
