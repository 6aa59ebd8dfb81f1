"""
How many tokens a body may come to, without reading it (reliability R24): a third of its bytes, but media apart.

A picture in base64 has a million bytes and costs a thousand tokens. So the body is probed at even steps; where base64
runs, the string it stands in is looked at once and stepped over. No byte is met more than twice, text hardly at all.
"""

import re
from typing import Final

_BYTES_PER_TOKEN: Final = 3

# A payload shorter than two steps may be missed: by its bytes it counts some 1,400 tokens at most.
_STEP_BYTES: Final = 2048
_SMALLEST_PROBED: Final = 3072

_HEAD_BYTES: Final = 256  # of a data URL, with its media type and parameters
_NAME_BYTES: Final = 48  # before a string: its name, colon and white space
_BASE64: Final = re.compile(
    rb"[A-Za-z0-9+/=_\\-]{32}"
)  # the backslash: JSON may escape a slash or a line end
_MEMBER: Final = re.compile(rb'"(?:file_)?data"[ \t\r\n]{0,16}:[ \t\r\n]{0,16}\Z')


def estimate_input(body: bytes, *, assumed_media_tokens: int) -> int:
    """The input tokens to reserve for *body*, rounded up.

    Each base64 payload counts *assumed_media_tokens*: a string that is a data URL, or the `data` of an audio part or
    the `file_data` of a file.
    """
    size = len(body)
    media_tokens = 0
    if size >= _SMALLEST_PROBED:
        payloads, payload_bytes = _media(body)
        size -= payload_bytes
        media_tokens = payloads * assumed_media_tokens
    return -(-size // _BYTES_PER_TOKEN) + media_tokens


def _media(body: bytes) -> tuple[int, int]:
    """How many payloads there are in *body*, and their bytes."""
    count = payload_bytes = 0
    passed = 0  # no string that begins before is looked at again
    at = _STEP_BYTES
    while at < len(body):
        if _BASE64.match(body, at):
            start = body.rfind(b'"', passed, at) + 1
            end = body.find(b'"', at)
            if end < 0:
                break
            if start and _is_media(body, start):
                count += 1
                payload_bytes += end - start
            passed = end + 1
            at = max(at, end)
        at += _STEP_BYTES
    return count, payload_bytes


def _is_media(body: bytes, start: int) -> bool:
    """Whether the string whose first byte is at *start* holds a payload."""
    if body.startswith(b"data:", start):
        return body.find(b";base64,", start, start + _HEAD_BYTES) >= 0
    name = body[max(0, start - 1 - _NAME_BYTES) : start - 1]
    return _MEMBER.search(name) is not None
