"""What an upstream's refusal becomes (upstreams E-C1 to E-C10, E-C14; contract F3 to F7, F11, F40, F46 to F51, K7)."""

import json
import random
from typing import Any

import pytest

from app.domain.errors import (
    GatewayError,
    ModelNotFound,
    Source,
    UpstreamAnswered,
    UpstreamMalformed,
    UpstreamRefusedCredential,
    UpstreamTimeout,
)
from app.protocol.errors import error_body, error_headers
from app.upstreams.refusals import refusal, refusal_of_ok_error

CLIENTS, OURS, RATE, QUOTA = (
    "invalid_request_error",
    "server_error",
    "rate_limit_error",
    "insufficient_quota",
)
HTML = b"<!DOCTYPE html><h1>403 Forbidden</h1>"
UNKNOWN_MODEL = "The model `sales` does not exist or you do not have access to it."
OWN = b'{"error": {"message":"too long","type":"x_error","param":"messages","code":"context_length_exceeded"}}'


def refused(status: int, body: bytes = b"", dialect: str = "minds", **more: Any) -> GatewayError:
    facts: dict[str, Any] = {
        "upstream": dialect,
        "dialect": dialect,
        "headers": [],
        "model": "sales",
    } | more
    return refusal(status=status, body=body, **facts)


def told(error: GatewayError) -> dict[str, str | None]:
    envelope: dict[str, str | None] = json.loads(error_body(error))["error"]

    assert {"message", "type", "param", "code"} <= set(envelope)
    assert envelope["message"]
    assert envelope["code"] is None or isinstance(envelope["code"], str)
    return envelope


def header_names(error: GatewayError) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in error_headers(error)}


def detail(text: str) -> bytes:
    return json.dumps({"detail": text}).encode()


def plain(text: str, **more: Any) -> bytes:
    return json.dumps({"error": text} | more).encode()


def own(code: str | None, message: str = "no") -> bytes:
    return json.dumps(
        {"error": {"message": message, "type": "t", "param": None, "code": code}}
    ).encode()


FACTS = (
    "status",
    "body",
    "dialect",
    "capability",
)  # an answer of the tables below, which may stop early


@pytest.mark.parametrize(
    ("answer", "status", "type_", "code"),
    [
        # E-C1
        pytest.param((500, detail("Mind 'x' not found")), 404, CLIENTS, "model_not_found",
                     id="E-C1, F6: Minds' 500 for an unknown Mind"),
        pytest.param((500, detail("Mind 'x' not found in the cache")), 500, OURS, "upstream_error",
                     id="E-C1: another 500 that only begins so"),
        pytest.param((404, detail("Mind 'x' not found")), 404, CLIENTS, "model_not_found",
                     id="E-C1: a 404 on chat"),
        pytest.param((400, detail("Model gpt-9 was not found")), 404, CLIENTS, "model_not_found",
                     id="E-C1: a 400 on chat that says so"),
        pytest.param((400, detail("Unknown passthrough alias 'x'")), 400, CLIENTS, None,
                     id="E-C2: a 400 on chat that says something else"),
        pytest.param((404, plain("unsupported model: gpt-6. Supported model prefixes: [gpt-4o]"), "openmind"),
                     404, CLIENTS, "model_not_found", id="E-C1, F6: OpenMind's unsupported model"),
        pytest.param((404, plain("unsupported model provider: x"), "openmind"), 404, CLIENTS, "model_not_found",
                     id="E-C1: OpenMind's unsupported provider"),
        pytest.param((403, b'{"error":{"code":"model_access_denied"}}'), 404, CLIENTS, "model_not_found",
                     id="E-C1, F5: a 403 that names the model"),
        pytest.param((403, own("model_disabled")), 404, CLIENTS, "model_not_found",
                     id="E-C1: a 403 for a disabled model"),
        pytest.param((404, detail("gone"), "minds", "models.get"), 404, CLIENTS, "model_not_found",
                     id="F19: GET of a model"),
        # E-C2
        pytest.param((400, plain("Invalid JSON"), "openmind"), 400, CLIENTS, None, id="E-C2: a 400 in another shape"),
        pytest.param((404, HTML), 404, CLIENTS, None, id="E-C2: a 404 in HTML"),
        pytest.param((405, b""), 405, CLIENTS, None, id="E-C2: a 405"),
        pytest.param((409, detail("Mind 'x' already exists")), 400, CLIENTS, None, id="E-C2, G5: a 409 is a 400"),
        pytest.param((413, b""), 413, CLIENTS, None, id="E-C2: a 413"),
        pytest.param((415, b""), 415, CLIENTS, None, id="E-C2: a 415"),
        pytest.param((422, plain("no", code="bad")), 422, CLIENTS, "bad", id="E-C2: a 422, with the body's code"),
        pytest.param((422, b'{"detail":[{"loc":["body","model"],"msg":"m"}]}'), 400, CLIENTS, None,
                     id="E-C2, F4: FastAPI's list of faults is a 400"),
        pytest.param((400, b'[{"error":{"code":404,"message":"no"}}]', "openmind"), 400, CLIENTS, None,
                     id="F4: Gemini's array"),
        pytest.param((418, b""), 418, CLIENTS, None, id="E-C2: any other 4xx"),
        # E-C3
        pytest.param((403, plain("Rate limit exceeded. Try again in 60 seconds."), "openmind"), 429, RATE,
                     "rate_limit_exceeded", id="E-C3, F5: OpenMind's 403 is a 429"),
        # E-C4
        pytest.param((401, detail("Unauthorized")), 502, OURS, "upstream_auth_error", id="E-C4, F46: a 401"),
        pytest.param((401, own("invalid_api_key")), 502, OURS, "upstream_auth_error",
                     id="E-C4, F5: a 401 in OpenAI's envelope"),
        pytest.param((403, HTML), 502, OURS, "upstream_auth_error", id="E-C4: a bot filter's 403"),
        pytest.param((403, own("permission_denied"), "4minds"), 502, OURS, "upstream_auth_error",
                     id="E-C4: another 403"),
        pytest.param((401, b"", "openmind", "realtime.transcription"), 502, OURS, "upstream_auth_error",
                     id="E-C4: a websocket's 401"),
        pytest.param((407, b""), 502, OURS, "upstream_auth_error", id="E-C4: a proxy's 407"),
        pytest.param((403, own("c", "base models stay"), "4minds", "models.delete"), 403, CLIENTS,
                     "insufficient_permissions", id="E-C4, K7: a base model cannot be deleted"),
        pytest.param((401, b"", "4minds", "models.delete"), 502, OURS, "upstream_auth_error",
                     id="E-C4: a 401 to a deletion is our key"),
        # E-C5
        pytest.param((402, b'{"error":{"code":"wallet_empty"}}'), 429, QUOTA, QUOTA, id="E-C5, F40: a 402"),
        pytest.param((402, b""), 429, QUOTA, QUOTA, id="E-C5: a 402 without a word"),
        pytest.param((429, detail("Monthly limit exceeded for tokens: 5/5")), 429, QUOTA, QUOTA, id="E-C5: monthly"),
        pytest.param((429, detail("Lifetime limit exceeded for tokens: 5/5")), 429, QUOTA, QUOTA, id="E-C5: lifetime"),
        pytest.param((429, own("insufficient_quota"), "openai"), 429, QUOTA, QUOTA, id="E-C5: OpenAI's own code"),
        pytest.param((429, own("included_allowance_exhausted")), 429, QUOTA, QUOTA, id="E-C5: an allowance"),
        pytest.param((429, b'{"error":{"message":"m","type":"insufficient_quota"}}'), 429, QUOTA, QUOTA,
                     id="E-C5: by the type alone"),
        # E-C6
        pytest.param((429, plain("slow down"), "openmind"), 429, RATE, "rate_limit_exceeded", id="E-C6, F51: a 429"),
        pytest.param((429, HTML), 429, RATE, "rate_limit_exceeded", id="E-C6: a 429 in HTML"),
        pytest.param((429, own("rate_limited")), 429, "t", "rate_limited", id="F3: a 429 in OpenAI's envelope"),
        # E-C7
        pytest.param((408, own("c")), 504, OURS, "upstream_timeout", id="E-C7, G5: a 408 is a 504"),
        # E-C8
        pytest.param((500, detail("oops")), 500, OURS, "upstream_error", id="E-C8, F47: a 500"),
        pytest.param((503, detail("database unreachable")), 503, OURS, "upstream_error", id="E-C8: a 503"),
        pytest.param((503, plain("openai API key not configured"), "openmind"), 503, OURS, "upstream_error",
                     id="E-C8: OpenMind lacks a provider's key"),
        pytest.param((502, HTML), 502, OURS, "upstream_error", id="E-C8: a CDN's 502"),
        pytest.param((504, b""), 504, OURS, "upstream_error", id="E-C8: a 504"),
        pytest.param((501, b""), 502, OURS, "upstream_error", id="E-C8, F9: a 501 is a 502"),
        pytest.param((505, b""), 502, OURS, "upstream_error", id="E-C8: a 505 is a 502"),
        pytest.param((520, HTML), 502, OURS, "upstream_error", id="E-C8: a CDN's 520 is a 502"),
        pytest.param((999, b""), 502, OURS, "upstream_error", id="E-C8: no status of HTTP"),
        pytest.param((529, b""), 503, OURS, "upstream_error", id="E-C8: a 529 is a 503"),
        pytest.param((500, own("kaput")), 500, "t", "kaput", id="E-C8: the code of an envelope"),
        pytest.param((500, b'{"status":"error","message":"no"}', "4minds"), 500, OURS, "upstream_error",
                     id="F4: 4minds' native error"),
        # E-C14
        pytest.param((307, b""), 502, OURS, "upstream_malformed", id="E-C14, F7: a redirect"),
        pytest.param((204, b""), 502, OURS, "upstream_malformed", id="E-C14: a 204 to a POST"),
        pytest.param((206, b"part"), 502, OURS, "upstream_malformed", id="E-C14: a 206 to a POST"),
        pytest.param((103, b""), 502, OURS, "upstream_malformed", id="E-C14: a 1xx as the last word"),
    ],
)  # fmt: skip
def test_a_refusal_has_its_status_type_and_code(answer, status, type_, code):
    error = refused(**dict(zip(FACTS, answer, strict=False)))

    assert error.status == status
    assert told(error)["type"] == type_
    assert told(error)["code"] == code


@pytest.mark.parametrize(
    ("status", "outgoing"),
    [
        pytest.param(400, 400, id="F3: a 400"),
        pytest.param(404, 404, id="F3: a 404"),
        pytest.param(422, 422, id="F3: a 422"),
        pytest.param(429, 429, id="F3: a 429"),
        pytest.param(500, 500, id="F3: a 500"),
        pytest.param(503, 503, id="F3: a 503"),
        pytest.param(409, 400, id="F3, G5: a 409 goes out as 400"),
        pytest.param(501, 502, id="F3, F47: a 501 goes out as 502"),
        pytest.param(529, 503, id="F3, F47: a 529 goes out as 503"),
    ],
)
def test_f3_an_envelope_leaves_byte_for_byte_with_its_status(status, outgoing):
    error = refused(status, OWN, "openai")

    assert error_body(error) == OWN
    assert error.status == outgoing
    assert error.code == "context_length_exceeded"


def test_f3_the_seeds_error_gets_its_missing_param():
    error = refused(
        400, b'{"error":{"message":"m","type":"invalid_request_error","code":"c"}}', "4minds"
    )

    assert told(error) == {"message": "m", "type": CLIENTS, "code": "c", "param": None}


def test_f3_another_dialects_words_about_a_model_are_its_own():
    body = own("model_not_found", "unsupported model: x; model x not found")

    assert error_body(refused(404, body, "openai")) == body
    assert error_body(refused(404, body, "openmind")) != body


@pytest.mark.parametrize("status", [400, 404, 429, 500])
@pytest.mark.parametrize(
    "leak", ["https://10.0.0.1/v1", "sk-live-abcdef123456", "canary-7f3a", r"https:\/\/a.b"]
)
def test_f11_an_envelope_that_leaks_is_written_anew(status, leak):
    error = refused(status, own("c", f"because of {leak} so"), "openai", secrets=("canary-7f3a",))

    assert told(error)["message"] in ("because of [url] so", "because of [key] so")
    assert told(error)["code"] == "c"
    assert told(error)["type"] == "t"


@pytest.mark.parametrize("status", [401, 403, 407])
@pytest.mark.parametrize(
    "body",
    [own("invalid_api_key", "Incorrect: sk-operator-key-1"), detail("canary-7f3a"), HTML, b""],
)
def test_f46_the_text_of_a_refused_credential_is_for_the_log_alone(status, body):
    error = refused(status, body, secrets=("canary-7f3a",))

    assert isinstance(error, UpstreamRefusedCredential)
    assert (
        error.message == "Upstream 'minds' refused the gateway's credential. This is not your key."
    )
    assert error.log_detail
    assert "sk-operator" not in error.log_detail
    assert "canary" not in error.log_detail
    assert header_names(error)["x-should-retry"] == "false"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        pytest.param(
            (500, detail("Mind 'x' not found")), UNKNOWN_MODEL, id="F18: the client's name for it"
        ),
        pytest.param(
            (404, plain("unsupported model: y"), "openmind"),
            UNKNOWN_MODEL,
            id="F18: not the upstream's",
        ),
        pytest.param(
            (403, HTML, "4minds", "models.delete"), "4minds returned HTTP 403", id="E-S7: no words"
        ),
        pytest.param(
            (404, b"", "minds", "models.get"),
            "The model 'sales' does not exist",
            id="F19: its own words",
        ),
        pytest.param(
            (503, plain("no", details="at all"), "openmind"),
            "no: at all",
            id="F4: the text is kept",
        ),
        pytest.param(
            (408, b""), "Upstream 'minds' gave up waiting (HTTP 408).", id="E-C7: who gave up"
        ),
    ],
)
def test_the_message_is_in_words_the_client_understands(answer, message):
    error = refused(**dict(zip(FACTS, answer, strict=False)))

    assert told(error)["message"] == message


def test_f40_the_message_says_whose_quota_it_is():
    message = refused(429, detail("Monthly limit exceeded for tokens: 5/5")).message

    assert message.startswith(
        "You exceeded your current quota, please check your plan and billing details."
    )
    assert "upstream 'minds', not your key's" in message
    assert message.endswith("Monthly limit exceeded for tokens: 5/5")


def test_f19_a_missing_model_has_its_param():
    assert refused(404, b"", capability="models.delete").param == "model"


def test_e_s4_the_param_is_the_faulty_member():
    error = refused(422, b'{"detail":[{"loc":["body","messages",0,"role"],"msg":"bad"}]}')

    assert (error.param, error.message) == ("role", "body.messages.0.role: bad")


def test_f7_a_redirect_is_named_and_its_target_is_not():
    error = refused(307, b"", headers=[("location", "https://secret.internal/x")])

    assert isinstance(error, UpstreamMalformed)
    assert (
        error.message
        == "Upstream 'minds' answered with HTTP 307, a redirect, which the gateway does not follow."
    )


def test_an_endless_name_of_a_model_is_cut():
    assert len(refused(500, detail("Mind 'x' not found"), model="m" * 100_000).message) < 400


# --- waits and retries ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "headers", "sent"),
    [
        pytest.param(429, b"", [], "1", id="E-C6: a 429 always says how long"),
        pytest.param(429, b"", [("retry-after", "7")], "7", id="E-C6: what the upstream asks for"),
        pytest.param(429, b"", [("Retry-After", "0")], "1", id="C12: never 0"),
        pytest.param(429, OWN, [("retry-after", "7")], "7", id="F3: with its own envelope"),
        pytest.param(429, OWN, [], "1", id="F3: with its own envelope, unsaid"),
        pytest.param(
            403,
            plain("Rate limit exceeded. Try again in 60 seconds."),
            [],
            "60",
            id="E-C3: from its words",
        ),
        pytest.param(503, b"", [("retry-after", "7")], "7", id="C12: a 503 says it"),
        pytest.param(529, b"", [("retry-after", "7")], "7", id="C12: and a 529, which is a 503"),
        pytest.param(503, b"", [], None, id="a 503 that does not say"),
        pytest.param(500, b"", [("retry-after", "7")], None, id="C12: on 429 and 503 alone"),
        pytest.param(400, b"", [("retry-after", "7")], None, id="C12: not on a 400"),
        pytest.param(402, b"", [("retry-after", "7")], None, id="F40: no wait fills a wallet"),
    ],
)
def test_c12_a_wait_goes_out_in_whole_seconds(status, body, headers, sent):
    assert header_names(refused(status, body, headers=headers)).get("retry-after") == sent


def test_headers_may_be_a_mapping():
    assert refused(429, headers={"retry-after-ms": "250"}).retry_after_seconds == 0.25


@pytest.mark.parametrize(
    ("status", "body", "is_final"),
    [
        pytest.param(402, b"", True, id="E-C5, F40: no money"),
        pytest.param(429, own("insufficient_quota"), True, id="E-C5: no quota"),
        pytest.param(401, b"", True, id="E-C4: no key"),
        pytest.param(408, b"", True, id="F48: a deadline"),
        pytest.param(429, b"", False, id="F51: too fast"),
        pytest.param(500, b"", False, id="F47: a fault"),
        pytest.param(503, b"", False, id="F47: not now"),
        pytest.param(307, b"", False, id="F45: no answer"),
        pytest.param(404, b"", False, id="a 404 is not retried anyway"),
    ],
)
def test_g1_lasting_failures_alone_are_marked(status, body, is_final):
    assert ("x-should-retry" in header_names(refused(status, body))) is is_final


@pytest.mark.parametrize(
    ("error", "kind", "source"),
    [
        pytest.param(
            refused(500, detail("Mind 'x' not found")), ModelNotFound, Source.CLIENT, id="F18"
        ),
        pytest.param(refused(408), UpstreamTimeout, Source.UPSTREAM, id="E-C7"),
        pytest.param(refused(400), UpstreamAnswered, Source.UPSTREAM, id="E-C2"),
    ],
)
def test_whose_fault_it_was_stays_true(error, kind, source):
    assert isinstance(error, kind)
    assert error.source is source


# --- errors in a 200 ------------------------------------------------------------------------------------------------


def inside(body: bytes, **more: Any) -> GatewayError:
    facts: dict[str, Any] = {"upstream": "minds", "dialect": "minds", "model": "sales"} | more
    return refusal_of_ok_error(body=body, **facts)


@pytest.mark.parametrize(
    ("body", "status", "code", "message"),
    [
        pytest.param(own("kaput", "oops"), 502, "upstream_error", "oops", id="E-C9: OpenAI's envelope"),
        pytest.param(plain("oops"), 502, "upstream_error", "oops", id="J4: a text"),
        pytest.param(detail("oops"), 502, "upstream_error", "oops", id="S7, J4: a detail"),
        pytest.param(b'{"message":"oops"}', 502, "upstream_error", "oops", id="J4: the flat form"),
        pytest.param(b'data: {"error":"oops"}', 502, "upstream_error", "oops", id="J4: an event line as it came"),
        pytest.param(b'{"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}', 502, "upstream_error",
                     "Upstream 'minds' ended its answer with an error.", id="J4: a finish reason"),
        pytest.param(b'{"error":{}}', 502, "upstream_error", "Upstream 'minds' ended its answer with an error.",
                     id="E-C9: an error without words"),
        pytest.param(own("model_not_found"), 404, "model_not_found", UNKNOWN_MODEL, id="E-C9 as E-C1: by code"),
        pytest.param(detail("Mind 'x' not found"), 404, "model_not_found", UNKNOWN_MODEL, id="E-C9 as E-C1: by words"),
        pytest.param(b'{"error":{"code":402,"message":"m"}}', 429, "insufficient_quota", None,
                     id="E-C9 as E-C5: by number"),
        pytest.param(detail("Monthly limit exceeded for tokens: 5/5"), 429, "insufficient_quota", None,
                     id="E-C9 as E-C5: by words"),
        pytest.param(own("rate_limited", "slow"), 429, "rate_limit_exceeded", "slow", id="E-C9 as E-C6: by code"),
        pytest.param(b'{"error":{"code":429,"message":"slow"}}', 429, "rate_limit_exceeded", "slow",
                     id="E-C9 as E-C6: by number"),
        pytest.param(own("invalid_api_key", "Incorrect API key"), 502, "upstream_auth_error",
                     "Upstream 'minds' refused the gateway's credential. This is not your key.",
                     id="F46: not the client's key"),
        pytest.param(b"", 502, "upstream_malformed", "Upstream 'minds' sent an empty answer.", id="E-C10: nothing"),
        pytest.param(b" \r\n", 502, "upstream_malformed", "Upstream 'minds' sent an empty answer.", id="E-C10: blanks"),
        pytest.param(HTML, 502, "upstream_malformed", "Upstream 'minds' sent HTML in place of an answer.",
                     id="E-C10, J4: HTML"),
        pytest.param(b'{"choices":', 502, "upstream_malformed", "Upstream 'minds' sent an answer that is no JSON.",
                     id="E-C10: cut JSON"),
        pytest.param(b'{"choices":null}', 502, "upstream_malformed", "Upstream 'minds' sent JSON that is no answer.",
                     id="E-C10: null choices"),
        pytest.param(b'{"error":null,"choices":[]}', 502, "upstream_malformed",
                     "Upstream 'minds' sent JSON that is no answer.", id="E-C10: a null error is none"),
    ],
)  # fmt: skip
def test_an_error_in_a_200_has_its_own_status(body, status, code, message):
    error = inside(body)

    assert error.status == status
    assert told(error)["code"] == code
    assert message is None or told(error)["message"] == message


def test_f11_an_error_in_a_200_leaks_nothing():
    error = inside(own("c", "at https://a.b with canary-7f3a"), secrets=("canary-7f3a",))

    assert told(error)["message"] == "at [url] with [key]"


@pytest.mark.parametrize("seed", range(20))
def test_no_bytes_make_a_refusal_raise(seed):
    chance = random.Random(seed)
    bodies = [
        OWN,
        HTML,
        b"",
        detail("Mind 'x' not found"),
        plain("unsupported model"),
        b'{"detail":[1]}',
    ]
    for _ in range(200):
        body = bytearray(chance.choice(bodies))
        for _ in range(min(len(body), chance.randrange(4))):
            body[chance.randrange(len(body))] = chance.randrange(256)
        headers = [("retry-after", chance.choice(["", "x", "9" * 400, "-1", "nan", "1e9", "١"]))]
        error = refused(chance.randrange(100, 1000), bytes(body), headers=headers)

        assert 400 <= error.status < 600, seed
        assert told(error)
        assert told(inside(bytes(body)))
        error_headers(error)
