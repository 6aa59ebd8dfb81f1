"""What a request's members can have against them, in OpenAI's words (contract F24, F26, F27)."""

from app.domain.errors import InvalidRequest

_KINDS = {b'"': "a string", b"[": "an array", b"{": "an object", b"n": "null"}


def missing(param: str) -> InvalidRequest:
    """F26: *param* is needed and absent."""
    return InvalidRequest(
        f"Missing required parameter: '{param}'.", code="missing_required_parameter", param=param
    )


def unsupported(param: str, reason: str) -> InvalidRequest:
    """F27. *reason* goes on from the name of *param*: "is not supported …", and says what to do instead (F12)."""
    return InvalidRequest(
        f"Unsupported parameter: '{param}' {reason}", code="unsupported_parameter", param=param
    )


def invalid_type(param: str, expected: str, value: bytes) -> InvalidRequest:
    """F24: *value*, as it stands in the body, is not *expected*."""
    kind = _KINDS.get(value[:1], "a boolean" if value[:1] in b"tf" else "a number")
    return InvalidRequest(
        f"Invalid type for '{param}': expected {expected}, but got {kind} instead.",
        code="invalid_type",
        param=param,
    )
