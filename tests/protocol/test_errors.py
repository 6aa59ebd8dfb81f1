"""The envelope, the event and the headers of an error (contract C7, C12, C13, F1, F2, F15 to F49, G1, J1)."""

import json
from typing import Any

import pytest

from app.domain.errors import (
    ClientError,
    Draining,
    GatewayError,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    ModelNotFound,
    PermissionDenied,
    RequestTooLarge,
    Unauthenticated,
    UnknownUrl,
    UnsupportedEndpoint,
    UnsupportedMediaType,
    UpstreamAnswered,
    UpstreamDisconnected,
    UpstreamError,
    UpstreamMalformed,
    UpstreamRefusedCredential,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from app.protocol.errors import error_body, error_event, error_headers

KEYS = {"message", "type", "param", "code"}
CLIENTS, OURS = "invalid_request_error", "server_error"


def envelope(error: GatewayError) -> dict[str, str | None]:
    whole: dict[str, dict[str, str | None]] = json.loads(error_body(error))

    assert set(whole) == {"error"}
    assert set(whole["error"]) == KEYS
    return whole["error"]


def answered(**changes: Any) -> UpstreamAnswered:
    facts: dict[str, Any] = {"status": 503, "type": OURS} | changes
    return UpstreamAnswered("no", **facts)


@pytest.mark.parametrize(
    ("error", "status", "type_", "code"),
    [
        pytest.param(
            Unauthenticated("m"),
            401,
            CLIENTS,
            "invalid_api_key",
            id="F15, F16: no key or a wrong one",
        ),
        pytest.param(
            PermissionDenied("m"), 403, CLIENTS, "insufficient_permissions", id="F17: not allowed"
        ),
        pytest.param(ModelNotFound("m"), 404, CLIENTS, "model_not_found", id="F18: no such model"),
        pytest.param(UnknownUrl("m"), 404, CLIENTS, "unknown_url", id="F20: no such path"),
        pytest.param(
            MethodNotAllowed("m", allow=("GET",)),
            405,
            CLIENTS,
            "method_not_allowed",
            id="F21: a wrong method",
        ),
        pytest.param(
            UnsupportedEndpoint("m"),
            404,
            CLIENTS,
            "unsupported_endpoint",
            id="F9, F22: no such route",
        ),
        pytest.param(
            InvalidRequest("m", code="invalid_json"),
            400,
            CLIENTS,
            "invalid_json",
            id="F23: its own code",
        ),
        pytest.param(InvalidRequest("m"), 400, CLIENTS, None, id="F2: a code may be null"),
        pytest.param(
            RequestTooLarge("m"), 413, CLIENTS, "request_too_large", id="F33: a large body"
        ),
        pytest.param(
            UnsupportedMediaType("m"),
            415,
            CLIENTS,
            "unsupported_media_type",
            id="F35: a wrong media type",
        ),
        pytest.param(Draining("m"), 503, OURS, "shutting_down", id="F43: shutting down"),
        pytest.param(
            UpstreamUnreachable("m"), 502, OURS, "upstream_unreachable", id="F44: not reached"
        ),
        pytest.param(UpstreamDisconnected("m"), 502, OURS, "upstream_disconnected", id="F45: cut"),
        pytest.param(UpstreamMalformed("m"), 502, OURS, "upstream_malformed", id="F45: no answer"),
        pytest.param(
            UpstreamRefusedCredential("m"),
            502,
            OURS,
            "upstream_auth_error",
            id="F46: the operator's key",
        ),
        pytest.param(UpstreamError("m"), 502, OURS, "upstream_error", id="F47: it said so itself"),
        pytest.param(
            UpstreamTimeout("m", phase="idle"), 504, OURS, "upstream_timeout", id="F48: a deadline"
        ),
        pytest.param(InternalError(), 500, OURS, "internal_error", id="F49: our own defect"),
        pytest.param(
            answered(type="rate_limit_error", code="c"),
            503,
            "rate_limit_error",
            "c",
            id="F51: what it answered",
        ),
    ],
)
def test_every_error_has_its_status_type_and_code(error, status, type_, code):
    rendered = envelope(error)

    assert error.status == status
    assert rendered["type"] == type_
    assert rendered["code"] == code
    assert rendered["message"]
    assert rendered["param"] is None


def test_f24_a_param_names_the_member():
    assert envelope(InvalidRequest("m", param="stream"))["param"] == "stream"


def test_f1_a_message_is_never_empty():
    assert envelope(ClientError(""))["message"] == "The request failed, and no reason was given."


def test_f3_an_upstreams_envelope_leaves_byte_for_byte():
    body = b'{ "error":{"message":"no","type":"t","param":null,"code":null },\n"more":1}'

    assert error_body(answered(body=body)) == body


@pytest.mark.parametrize("half", ["\ud83d", "a\udc00b", "\udfff\ud800"])
def test_half_a_character_in_a_message_param_or_code_does_not_crash(half):
    error = InvalidRequest(half, code=half, param=half)

    assert set(envelope(error)) == KEYS
    assert error_event(error).decode("utf-8").count("\n") == 2


# --- events ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(Draining("The gateway is shutting down."), id="J11: shutting down"),
        pytest.param(UpstreamDisconnected("a\nb\r\nc"), id="J1: line breaks in the message"),
        pytest.param(
            answered(body=b'{\r\n  "error": {"message":\n"x"}\r}'),
            id="J1: a body over several lines",
        ),
    ],
)
def test_j1_an_error_event_is_one_line_of_data_and_no_done(error):
    event = error_event(error)

    assert event.startswith(b"data: {")
    assert event.endswith(b"}\n\n")
    assert not set(event[:-2]) & set(b"\r\n")
    assert b"[DONE]" not in event
    assert "error" in json.loads(event[6:])


def test_j1_an_event_says_the_same_as_the_body():
    error = UpstreamTimeout("m", phase="idle")

    assert error_event(error) == b"data: " + error_body(error) + b"\n\n"


# --- headers --------------------------------------------------------------------------------------------------------

JSON = (b"content-type", b"application/json")
NO_RETRY = (b"x-should-retry", b"false")


def waits(seconds: bytes, milliseconds: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"retry-after", seconds), (b"retry-after-ms", milliseconds)]


def test_c7_an_error_is_json():
    assert error_headers(InvalidRequest("m")) == [JSON]


def test_f21_a_wrong_method_hears_the_right_ones():
    assert (b"allow", b"GET, DELETE") in error_headers(
        MethodNotAllowed("m", allow=("GET", "DELETE"))
    )


@pytest.mark.parametrize(
    ("wait_seconds", "headers"),
    [
        pytest.param(None, [], id="C12: nothing known, nothing said"),
        pytest.param(0.12, waits(b"1", b"120"), id="C12: part of a second is rounded up"),
        pytest.param(0.139, waits(b"1", b"139"), id="C12: milliseconds are exact"),
        pytest.param(1, waits(b"1", b"1000"), id="C12: a whole second stays"),
        pytest.param(2.0001, waits(b"3", b"2001"), id="C12: always up"),
        pytest.param(0, waits(b"1", b"1000"), id="C12: never 0"),
        pytest.param(-3.5, waits(b"1", b"1000"), id="C12: never negative"),
        pytest.param(60, waits(b"60", b"60000"), id="C13: a minute may be slept"),
        pytest.param(
            60.5, [*waits(b"61", b"60500"), NO_RETRY], id="C13: more than a minute is not slept"
        ),
        pytest.param(float("inf"), [], id="for ever is no number of seconds"),
        pytest.param(float("nan"), [], id="what is no number is not said"),
    ],
)
def test_a_wait_is_whole_seconds_and_milliseconds(wait_seconds, headers):
    error = answered(retry_after_seconds=wait_seconds)

    assert error_headers(error) == [JSON, *headers]


@pytest.mark.parametrize(
    ("should_retry", "headers"),
    [
        pytest.param(False, [JSON, NO_RETRY], id="G1: a lasting failure says so"),
        pytest.param(None, [JSON], id="G1: else the client decides"),
        pytest.param(True, [JSON], id="G1: true is never sent"),
    ],
)
def test_g1_should_retry_is_false_or_absent(should_retry, headers):
    assert error_headers(answered(should_retry=should_retry)) == headers


def test_g1_should_retry_false_stands_once():
    headers = error_headers(answered(retry_after_seconds=90, should_retry=False))

    assert headers.count(NO_RETRY) == 1


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(UnsupportedEndpoint("m"), id="F22"),
        pytest.param(UpstreamRefusedCredential("m"), id="F46"),
        pytest.param(UpstreamTimeout("m", phase="total"), id="F48"),
    ],
)
def test_what_the_contract_marks_false_is_not_retried(error):
    assert NO_RETRY in error_headers(error)
