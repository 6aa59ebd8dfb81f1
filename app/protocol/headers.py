"""
Which headers pass, by name, in each direction (contract B, C10; reliability S5; upstreams G2).

Allow-lists: what is not named here stays on its side, so a credential or a cookie can only leak by being written into
this file.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

HeaderList = list[tuple[bytes, bytes]]

_IDEMPOTENCY: Final = b"idempotency-key"
_TO_UPSTREAM: Final = frozenset({b"accept", _IDEMPOTENCY})
_TO_OPENAI_FAMILY: Final = _TO_UPSTREAM | {b"openai-beta"}  # contract B14
_TO_CLIENT: Final = frozenset(
    {b"openai-processing-ms", b"openai-version", b"openai-model", b"vary", b"link", b"warning"}
)
_RATE_LIMITS: Final = (
    b"x-ratelimit-"  # contract C5: the upstream's, where the key has no limits of its own
)
# contract B1, B2: in this order
_KEY_CARRIERS: Final = (b"authorization", b"x-api-key", b"api-key")
_BEARER: Final = b"bearer"

SSE_HEADERS: Final[HeaderList] = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]
JSON_HEADERS: Final[HeaderList] = [(b"content-type", b"application/json")]


def client_key(headers: HeaderList) -> str:
    """The key that a client sent, in whichever carrier; "" when there is none (contract B1, B2)."""
    for carrier in _KEY_CARRIERS:
        for name, value in headers:
            if name == carrier:
                token = value.strip()
                if carrier == b"authorization":
                    scheme, _, rest = token.partition(b" ")
                    token = rest.strip() if scheme.lower() == _BEARER else b""
                if token:
                    return token.decode("latin-1")
    return ""


def names_for_upstream(*, openai_family: bool) -> frozenset[bytes]:
    """Which of a client's headers an upstream may see."""
    return _TO_OPENAI_FAMILY if openai_family else _TO_UPSTREAM


def with_own_idempotency(headers: HeaderList, owner: str) -> HeaderList:
    """*headers* with an idempotency key that nobody but *owner* can send. Two of one upstream account might choose the
    same, and one be answered what the other made (reliability S16)."""
    return [
        (name, _owned(value, owner)) if name == _IDEMPOTENCY else (name, value)
        for name, value in headers
    ]


def _owned(value: bytes, owner: str) -> bytes:
    return blake2b(value, key=owner.encode()[:64], digest_size=16).hexdigest().encode()


def response_headers(headers: Iterable[tuple[bytes, bytes]]) -> HeaderList:
    """Those of an upstream's headers that a client may see, repetitions kept (contract C10, C11)."""
    passed = []
    for field in headers:
        name = field[0]
        if name.startswith(_RATE_LIMITS) or name in _TO_CLIENT:
            passed.append(field)
    return passed


def named(headers: HeaderList) -> dict[bytes, bytes]:
    """The first value of each name."""
    found = dict(headers)
    return found if len(found) == len(headers) else dict(reversed(headers))


def header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str | None:
    """The first value called *name* (lower case), as text; None when it is absent."""
    for key, value in headers:
        if key == name:
            return value.decode("latin-1")
    return None
