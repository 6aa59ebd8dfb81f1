"""Failures that an upstream reports under a 200 (contract E5, J4; upstreams S7, E-C9)."""

from app.protocol import lossless
from app.protocol.lossless import NULL

_ERROR = b'"error"'


def reports_failure(found: dict[str, bytes]) -> bool:
    """Whether an answer or a chunk with these members is a failure in the upstream's own words.

    A non-null `error` always is; the flat forms of other dialects only where no `choices` stand beside them,
    since an extra key on an answer is its own business (upstreams F-S1).
    """
    if found.get("error", NULL) != NULL:
        return True
    if "choices" in found:
        return False
    if found.get("detail", NULL) != NULL:
        return True
    if _ERROR in (found.get("object"), found.get("type")):
        return True
    # 4minds' native envelope (upstreams E-S6); a typed status event may well speak of an error in passing
    return found.get("status") == _ERROR and "message" in found and "type" not in found


def lists_failure(text: bytes) -> bool:
    """Whether *text* is a list whose first entry is a failure: so Gemini's errors come (upstreams E-S5)."""
    if not text.startswith(b"["):
        return False
    try:
        entry = next(iter(lossless.elements(text)), NULL)
        return entry[:1] == b"{" and reports_failure(lossless.members(entry))
    except lossless.NotJson:
        return False
