"""
Every failure a person can meet, in one tree.

GatewayError
├─ ClientError            the request is at fault; asking again without a change does not help
│  ├─ InvalidRequest 400 · Unauthenticated 401 · PermissionDenied 403
│  ├─ ModelNotFound 404 · ObjectNotFound 404 · UnknownUrl 404 · UnsupportedEndpoint 404 · MethodNotAllowed 405
│  ├─ RequestTimedOut 408 · RequestTooLarge 413 · TargetTooLong 414 · UnsupportedMediaType 415 · HeadersTooLarge 431
│  └─ RateLimited 429 · QuotaExceeded 429
├─ UpstreamError          the upstream is at fault
│  ├─ UpstreamUnreachable 502 · UpstreamDisconnected 502 · UpstreamMalformed 502
│  ├─ UpstreamTimeout 504 · UpstreamRefusedCredential 502
│  └─ UpstreamAnswered    its own 4xx or 5xx, in OpenAI's words (status and code vary)
├─ GatewayFault           we are
│  └─ Overloaded 503 · Draining 503 · LedgerUnavailable 503 · InternalError 500
└─ ClientGone 499         nobody is left to answer: in log and metrics only

A message says what happened, whose fault it is and what to do; it never holds an upstream's URL, a key or
a stack trace (contract F11). Statuses and codes: contract F15 to F51. `app.protocol.errors` alone writes
them as bytes.
"""

from enum import StrEnum
from typing import ClassVar, Literal

_LONGEST_NAME_SHOWN = 256  # characters of a model's name that an error repeats


class Source(StrEnum):
    """Whose fault an error is."""

    CLIENT = "client"
    UPSTREAM = "upstream"
    GATEWAY = "gateway"


class GatewayError(Exception):
    """One failure with all that its reply needs.

    *retry_after_seconds*: how long a client should wait; None says nothing about it (contract C12).
    *relayed*: the upstream's own headers that pass with it (contract C5, C6).
    *should_retry* False becomes `x-should-retry: false`; None leaves the header out, True is never sent (G1).
    """

    status: int = 500
    type: str = "server_error"
    code: str | None = "internal_error"
    param: str | None = None
    should_retry: bool | None = None
    source: ClassVar[Source] = Source.GATEWAY

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.relayed: tuple[tuple[bytes, bytes], ...] = ()
        self.retry_after_seconds = retry_after_seconds
        if code is not None:
            self.code = code
        if param is not None:
            self.param = param


class ClientError(GatewayError):
    """The request is at fault."""

    status = 400
    type = "invalid_request_error"
    code: str | None = None
    source = Source.CLIENT


class InvalidRequest(ClientError):
    """Contract F23 to F28: JSON, types, missing or unsupported members; *code* says which."""


class Unauthenticated(ClientError):
    """Contract F15, F16."""

    status = 401
    code = "invalid_api_key"


class PermissionDenied(ClientError):
    """Contract F17."""

    status = 403
    code = "insufficient_permissions"


class ModelNotFound(ClientError):
    """Contract F18, F19; the same answer for an unknown and a forbidden model (F14)."""

    status = 404
    code = "model_not_found"


def unknown_model(name: str) -> ModelNotFound:
    """The one answer for a model that is unknown or not for this key (contract F14, F18)."""
    return ModelNotFound(
        f"The model `{_shown(name)}` does not exist or you do not have access to it."
    )


def no_such_model(name: str) -> ModelNotFound:
    """The answer of `GET` and `DELETE /v1/models/{id}` where there is none (contract F19)."""
    return ModelNotFound(f"The model '{_shown(name)}' does not exist", param="model")


def _shown(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME_SHOWN else f"{name[:_LONGEST_NAME_SHOWN]}…"


class ObjectNotFound(ClientError):
    """Contract F31: no such key, team or exchange, or it is somebody else's (reliability S16)."""

    status = 404
    code = "not_found"


class UnknownUrl(ClientError):
    """Contract F20."""

    status = 404
    code = "unknown_url"


class UnsupportedEndpoint(ClientError):
    """Contract F22, upstreams U1: a route that no upstream asked for has."""

    status = 404
    code = "unsupported_endpoint"
    should_retry = False


class MethodNotAllowed(ClientError):
    """Contract F21. *allow*: the methods that the path does take."""

    status = 405
    code = "method_not_allowed"

    def __init__(self, message: str, *, allow: tuple[str, ...]) -> None:
        super().__init__(message)
        self.allow = allow


class RequestTimedOut(ClientError):
    """Contract F32."""

    status = 408
    code = "request_timeout"


class RequestTooLarge(ClientError):
    """Contract F33."""

    status = 413
    code = "request_too_large"


class TargetTooLong(ClientError):
    """Contract F34: the request target."""

    status = 414
    code = "request_header_too_large"


class HeadersTooLarge(ClientError):
    """Contract F34: the header block."""

    status = 431
    code = "request_header_too_large"


class UnsupportedMediaType(ClientError):
    """Contract F35."""

    status = 415
    code = "unsupported_media_type"


class RateLimited(ClientError):
    """Contract F36 to F39. *type* says what there is too much of: `requests` or `tokens`.

    *scope* and *limit* are for metrics: `key` or `team`, and `rpm`, `tpm`, `concurrency` or `wrong_keys`.
    """

    status = 429
    code = "rate_limit_exceeded"

    def __init__(
        self,
        message: str,
        *,
        type: Literal["requests", "tokens"],
        scope: str,
        limit: str,
        retry_after_seconds: float | None,
    ) -> None:
        super().__init__(message, retry_after_seconds=retry_after_seconds)
        self.type = type
        self.scope = scope
        self.limit = limit
        if retry_after_seconds is None:
            self.should_retry = False  # waiting does not help (F38)


class QuotaExceeded(ClientError):
    """Contract F40: a budget is used up. *scope* and *limit* as for RateLimited; *limit*: `budget_usd`,
    `budget_tokens` or `unpriced`."""

    status = 429
    type = "insufficient_quota"
    code = "insufficient_quota"
    should_retry = False

    def __init__(self, message: str, *, scope: str, limit: str) -> None:
        super().__init__(message)
        self.scope = scope
        self.limit = limit


class UpstreamError(GatewayError):
    """The upstream is at fault. *upstream_asked* False: not a byte of the request reached it.

    *log_detail*: its own words where they are for the log alone, without secrets; never rendered (upstreams E-C4).
    """

    status = 502
    code: str | None = "upstream_error"
    source = Source.UPSTREAM
    upstream_asked: ClassVar[bool] = True
    log_detail: str | None = None


class UpstreamUnreachable(UpstreamError):
    """Contract F44: DNS, connect (its deadline included) or TLS failed; nothing was sent."""

    code = "upstream_unreachable"
    upstream_asked = False


class UpstreamDisconnected(UpstreamError):
    """Contract F45: the answer was cut."""

    code = "upstream_disconnected"


class UpstreamMalformed(UpstreamError):
    """Contract F45: the answer is no answer."""

    code = "upstream_malformed"


class UpstreamTimeout(UpstreamError):
    """Contract F48. *phase* (reliability R27): pool, first_byte, idle or total."""

    status = 504
    code = "upstream_timeout"
    should_retry = False

    def __init__(self, message: str, *, phase: str) -> None:
        super().__init__(message)
        self.phase = phase


class UpstreamRefusedCredential(UpstreamError):
    """Contract F46: the operator's key was refused, not the client's."""

    code = "upstream_auth_error"
    should_retry = False


class UpstreamAnswered(UpstreamError):
    """An upstream's own error in OpenAI's envelope (contract F3, F4, F40, F51).

    *body*: the upstream's bytes where they are already in that envelope; None lets the renderer write them.
    """

    def __init__(  # noqa: PLR0913 the whole envelope is the upstream's
        self,
        message: str,
        *,
        status: int,
        type: str,
        code: str | None = None,
        param: str | None = None,
        retry_after_seconds: float | None = None,
        should_retry: bool | None = None,
        body: bytes | None = None,
    ) -> None:
        super().__init__(message, param=param, retry_after_seconds=retry_after_seconds)
        self.status = status
        self.type = type
        self.code = code
        self.should_retry = should_retry
        self.body = body


class GatewayFault(GatewayError):
    """The gateway is at fault."""


class Overloaded(GatewayFault):
    """Contract F41, G8: nothing became free in time; the request was not sent."""

    status = 503
    code = "overloaded"


class Draining(GatewayFault):
    """Contract F43; in a stream, J11."""

    status = 503
    code = "shutting_down"


class LedgerUnavailable(GatewayFault):
    """The ledger or its database cannot be written now: an admin call, or a request where `usage.on_journal_failure`
    is `refuse` (reliability R18, R19)."""

    status = 503
    code = "ledger_unavailable"


class InternalError(GatewayFault):
    """Contract F49: our own defect."""

    def __init__(self) -> None:
        super().__init__("The server had an error while processing your request. Sorry about that!")


class ClientGone(GatewayError):
    """Contract F50: the client left. Never rendered."""

    status = 499
    code = None
    source = Source.CLIENT


class ConfigurationError(Exception):
    """The gateway cannot start. The message is one line: the file, the key, and what would be right."""
