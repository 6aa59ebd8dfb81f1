"""What no text of ours may repeat: URLs, hosts, keys, control characters (contract F4, F11; reliability S20)."""

import random
import string
import time

import pytest

from app.protocol.scrubbing import is_clean, scrub, strings_of

SECRETS = ("canary-key-7f3a", "sim-openmind", "mdb.ai.internal-name")

# text, and what must not be left of it
CORPUS = [
    pytest.param("see https://api.4minds.ai/v1/chat?key=abc for more", "4minds.ai", id="a URL"),
    pytest.param("HTTPS://API.EXAMPLE.COM", "EXAMPLE", id="a URL in capitals"),
    pytest.param(r"at https:\/\/api.openai.com\/v1", "openai", id="a URL with escaped slashes"),
    pytest.param("redis://user:hunter2@cache/0", "hunter2", id="a URL with a password"),
    pytest.param("file:///etc/passwd", "passwd", id="a file URL"),
    pytest.param("wss://api.openmind.org/asr", "openmind", id="a websocket URL"),
    pytest.param("dial tcp: lookup api.openai.com: no such host", "openai.com", id="a bare host"),
    pytest.param("host api.mindsdb.com.", "mindsdb", id="a host at the end of a sentence"),
    pytest.param("connect to vllm:8000 failed", "vllm", id="a compose host with its port"),
    pytest.param("db.prod.svc.cluster.local:5432", "cluster", id="a cluster host with its port"),
    pytest.param("localhost:11434 refused", "11434", id="localhost with its port"),
    pytest.param(
        "HTTPConnectionPool(host='ollama', port=11434)", "ollama", id="a host as urllib3 says it"
    ),
    pytest.param("Connect call failed ('172.18.0.3', 8000)", "172.18", id="an IPv4 address"),
    pytest.param("10.0.0.5:443", "10.0", id="an IPv4 address with its port"),
    pytest.param("to [fe80::1]:443", "fe80", id="an IPv6 address in brackets"),
    pytest.param("to 2001:db8:0:0:0:0:0:1", "2001", id="a long IPv6 address"),
    pytest.param("to ::1 failed", "::1", id="the IPv6 loopback"),
    pytest.param(
        "Incorrect API key provided: sk-proj-abcDEF1234567890", "abcDEF", id="an OpenAI key"
    ),
    pytest.param("key sk-ab****wxyz", "wxyz", id="a masked OpenAI key"),
    pytest.param("sk-mg-0123456789abcdef", "0123", id="a key of this gateway"),
    pytest.param("om1_live_8f6c2d", "8f6c", id="an OpenMind key"),
    pytest.param("om1_test_abc", "abc", id="an OpenMind test key"),
    pytest.param("Authorization: Bearer abc.def", "abc", id="a Bearer header"),
    pytest.param("bearer xyz", "xyz", id="a short bearer"),
    pytest.param("Basic dXNlcjpwYXNzd29yZA==", "dXNl", id="a Basic header"),
    pytest.param("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig", "eyJ", id="a JWT"),
    pytest.param("AIzaSyD-1234567890abcdef", "AIza", id="a Google key"),
    pytest.param("AKIAIOSFODNN7EXAMPLE", "AKIA", id="an AWS key"),
    pytest.param("hf_abcdefghijkl", "abcdef", id="a Hugging Face token"),
    pytest.param("api_key=Zm9vYmFy1234", "Zm9v", id="a key as a parameter"),
    pytest.param('{"x-api-key": "Zm9vYmFy1234"}', "Zm9v", id="a key in JSON"),
    pytest.param("password: correct1horse", "horse", id="a password"),
    pytest.param("your canary-key-7f3a is wrong", "canary", id="the configured key"),
    pytest.param("sim-openmind", "sim-", id="a key without a shape"),
    pytest.param(
        "POST http://mdb.ai.internal-name/v1/x?canary-key-7f3a&y=1",
        "/v1/x",
        id="a URL at the configured host",
    ),
    pytest.param(
        "POST http://mdb.ai.internal-name/v1/x?canary-key-7f3a&y=1",
        "y=1",
        id="a URL that holds the configured key",
    ),
    pytest.param("two\nlines\r\nand\ttabs", "\n", id="several lines"),
    pytest.param("a\u2028b\x85c\x0bd", "\u2028", id="line breaks of Unicode"),
    pytest.param("\x1b[31mred\x1b[0m", "[31m", id="ANSI colour"),
    pytest.param("\x1b]0;title\x07bell", "title", id="an ANSI title"),
    pytest.param("\x9b31mred", "31m", id="ANSI in one byte"),
    pytest.param(
        "sk-\x00proj\x07-abcdef123456", "abcdef", id="a key with control characters inside"
    ),
    pytest.param("abc\u202egnp.exe", "\u202e", id="a turned line"),
    pytest.param("half \ud83d a character", "\ud83d", id="half a character"),
]


@pytest.mark.parametrize(("text", "gone"), CORPUS)
def test_f11_nothing_of_it_is_left(text, gone):
    left = scrub(text, SECRETS)

    assert gone not in left
    assert left.isprintable()
    left.encode("utf-8")


@pytest.mark.parametrize(("text", "gone"), CORPUS)
def test_scrubbing_twice_is_scrubbing_once(text, gone):
    once = scrub(text, SECRETS)

    assert scrub(once, SECRETS) == once
    assert is_clean(once, SECRETS)


@pytest.mark.parametrize(
    "text",
    [
        "The model `gpt-4o-2024-08-06` does not exist or you do not have access to it.",
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
        "Invalid type for 'messages[0].content': expected a string, but got an integer instead.",
        "Monthly limit exceeded for tokens: 5/5",
        "Rate limit exceeded. Try again in 60 seconds.",
        "unsupported model: gpt-6. Supported model prefixes for openai: [gpt-4o, gpt-4.1]",
        "Mind 'sales_mind' not found",
        "body.messages.0.role: Input should be 'system', 'user' or 'assistant'",
        "llama3.1:70b is loading, since 10:30:15",
        "No such File object: file-abc123def456",
        "Response with id 'resp_68a1b2c3d4e5' not found.",
        "expected ',' or '}' at line 3 column 12",
        "qwen2.5-vl-72b-instruct, deepseek-ai/DeepSeek-V3.1, zai-org/GLM-4.7",
        "Grüße: 模型不存在 🙂",
        "api_key: field required",
        "a task-force of scikit-learn users",
        "std::string, a: b, 1.2.3",
    ],
)
def test_f4_ordinary_words_are_kept(text):
    assert scrub(text, SECRETS) == text
    assert is_clean(text, SECRETS)


def test_line_breaks_alone_do_not_make_a_text_unclean():
    assert is_clean("two\nlines")


def test_what_was_struck_out_is_named():
    said = scrub("GET https://a.b/c at 10.0.0.1 with sk-12345678")

    assert said == "GET [url] at [host] with [key]"


def test_a_short_secret_does_not_strike_out_ordinary_words():
    assert scrub("a model", ("", "a", "mod")) == "a model"


def test_the_longer_of_two_secrets_is_struck_out_whole():
    assert scrub("canary-key-long", ("canary-key", "canary-key-long")) == "[key]"


def test_strings_are_found_at_any_depth():
    value = {"a": [1, None, {"b": "c"}], "d": {"e": ["f", True]}}

    assert sorted(strings_of(value)) == ["a", "b", "c", "d", "e", "f"]


@pytest.mark.parametrize(
    "piece", ["a", "a.", "a-", "a:", "1.", "sk-", "bearer ", "::", "api_key=", "x://", "\x1b["]
)
def test_a_hostile_text_takes_no_time(piece):
    text = piece * (16_384 // len(piece))
    before = time.perf_counter()

    scrub(text, SECRETS)

    assert time.perf_counter() - before < 0.5


@pytest.mark.parametrize("seed", range(20))
def test_random_texts_never_raise_and_settle(seed):
    chance = random.Random(seed)
    pieces = [
        *string.printable,
        "sk-",
        "om1_",
        "://",
        "Bearer ",
        ".com",
        ":8000",
        "\x1b[",
        "::",
        *SECRETS,
    ]
    for _ in range(100):
        once = scrub("".join(chance.choices(pieces, k=60)), SECRETS)

        assert once.isprintable(), seed
        assert not any(secret in once for secret in SECRETS), (seed, once)
