"""Multipart bodies, byte by byte as an SDK writes them."""

from tests.simulators.raw_client import head_of

BOUNDARY = "sim-boundary"
FORM_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def part(name: str, content: bytes | str, filename: str | None = None) -> bytes:
    raw = content.encode() if isinstance(content, str) else content
    more = "" if filename is None else f'; filename="{filename}"\r\nContent-Type: text/plain'
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + raw + b"\r\n"


def form_body(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def form_request(
    target: str, *parts: bytes, headers: list[tuple[str, str]] | None = None, chunked: bool = False
) -> bytes:
    """A whole upload, with the right key."""
    body = form_body(*parts)
    pairs = [("Content-Type", FORM_TYPE), *(headers or [])]
    if not chunked:
        pairs.append(("Content-Length", str(len(body))))
        return head_of("POST", target, None, pairs, False) + body
    pairs.append(("Transfer-Encoding", "chunked"))
    pieces = [body[at : at + 100] for at in range(0, len(body), 100)]
    framed = b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in pieces)
    return head_of("POST", target, None, pairs, False) + framed + b"0\r\n\r\n"


def upload_parts(
    content: bytes | str = '{"a": 1}\n', *more: bytes, purpose: str = "fine-tune"
) -> list[bytes]:
    return [part("purpose", purpose), *more, part("file", content, "data.jsonl")]
