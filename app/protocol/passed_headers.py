"""
Which of an upstream's headers stand on a body that is passed on as it comes (contract C10, L9).

What the body is must pass with it; what would speak for this gateway's own address, as a cookie or a redirect, never.
"""

from app.protocol.headers import HeaderList

_OF_A_BODY = frozenset((b"content-type", b"content-disposition", b"content-language"))
_OF_A_FILE = _OF_A_BODY | {b"content-range", b"accept-ranges", b"etag", b"last-modified"}
# A browser must not run what somebody uploaded as a page of this gateway.
_HARMLESS: HeaderList = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"sandbox"),
]
_LONGEST_LENGTH = 18  # digits


def body_headers(headers: HeaderList) -> HeaderList:
    """What says how to read the body."""
    return [field for field in headers if field[0] in _OF_A_BODY]


def file_headers(headers: HeaderList) -> HeaderList:
    """The same for a file that is downloaded, whole or in part."""
    return [*(field for field in headers if field[0] in _OF_A_FILE), *_HARMLESS]


def body_length(headers: HeaderList) -> int | None:
    """How long the body is, in bytes; None where nothing credible says it."""
    for name, value in headers:
        if name == b"content-length" and value.isdigit() and len(value) <= _LONGEST_LENGTH:
            return int(value)
    return None
