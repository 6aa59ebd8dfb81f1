"""
CORS, for pages of the origins that the operator named (contract C14, C15). Without one nothing of this happens.
"""

from app.protocol.headers import HeaderList, header

_ALLOWED = ("authorization", "content-type", "x-api-key", "api-key", "x-mindgate-upstream")
_ALLOWED_PREFIXES = ("openai-", "anthropic-", "x-stainless-")
_EXPOSED = (
    b"x-request-id, retry-after, retry-after-ms, x-ratelimit-limit-requests, x-ratelimit-remaining-requests, "
    b"x-ratelimit-reset-requests, x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens, "
    b"x-mindgate-upstream, x-mindgate-model, x-mindgate-attempts, x-mindgate-upstream-request-id, x-mindgate-dropped"
)
_METHODS = b"GET, POST, DELETE, OPTIONS"
_MAX_AGE = b"600"
_ANY = "*"


def cors_headers(headers: HeaderList, origins: tuple[str, ...]) -> HeaderList:
    """What every reply to a page of an allowed origin carries, errors too; empty for any other request."""
    origin = header(headers, b"origin")
    if origin is None or not (origin in origins or _ANY in origins):
        return []
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-expose-headers", _EXPOSED),
        (b"vary", b"origin"),
    ]


def is_preflight(method: str, headers: HeaderList) -> bool:
    """True for a browser's question whether it may ask."""
    return method == "OPTIONS" and header(headers, b"access-control-request-method") is not None


def preflight_headers(headers: HeaderList) -> HeaderList:
    """The answer's further headers: the request headers are allowed by name, for a `*` does not cover Authorization."""
    wanted = (header(headers, b"access-control-request-headers") or "").lower().split(",")
    names = [name.strip() for name in wanted]
    allowed = [name for name in names if name in _ALLOWED or name.startswith(_ALLOWED_PREFIXES)]
    return [
        (b"access-control-allow-methods", _METHODS),
        (b"access-control-allow-headers", ", ".join(allowed).encode("latin-1")),
        (b"access-control-max-age", _MAX_AGE),
    ]
