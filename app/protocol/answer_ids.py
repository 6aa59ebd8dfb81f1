"""The id that an upstream gave a chat completion, read from the first bytes of its answer (contract M12)."""

import msgspec

_DATA = b"data:"


class _Named(msgspec.Struct):
    id: str = ""


_DECODE = msgspec.json.Decoder(_Named).decode


def completion_id(first: bytes) -> str:
    """The `id` of a whole answer, or of the first event of a stream that has one; "" where there is none."""
    if not first.startswith(b"{"):
        for line in first.split(b"\n"):
            if line.startswith(_DATA) and (found := _id_in(line[len(_DATA) :])):
                return found
        return ""
    return _id_in(first)


def _id_in(text: bytes) -> str:
    try:
        return _DECODE(text).id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
