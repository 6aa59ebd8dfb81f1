"""Forms as the SDKs, browsers and curl send them, and forms that nobody should."""

B = b"d74496d66958873e"


def part(disposition: str | bytes, content: bytes, *headers: str) -> bytes:
    """One part, boundary and line end included."""
    if isinstance(disposition, str):
        disposition = disposition.encode()
    more = b"".join(b"%b\r\n" % header.encode() for header in headers)
    return b"--%b\r\nContent-Disposition: form-data; %b\r\n%b\r\n%b\r\n" % (
        B,
        disposition,
        more,
        content,
    )


def field(name: str, value: str) -> bytes:
    """A field as httpx writes it."""
    return part(f'name="{name}"', value.encode())


def form(*parts: bytes, preamble: bytes = b"", epilogue: bytes = b"\r\n") -> bytes:
    """A whole form."""
    return preamble + b"".join(parts) + b"--%b--" % B + epilogue


JSONL = b'{"messages":[]}\r\n{"messages":["--' + B[:-1] + b'"]}\r\n--\r\n'
FILE = part('name="file"; filename="train.jsonl"', JSONL, "Content-Type: application/jsonl")
PURPOSE = field("purpose", "fine-tune")
PYTHON = form(PURPOSE, FILE)  # fields first, with a length
NODE_7 = form(FILE, PURPOSE)  # the file first, in chunks
FLAT = (field("4minds[dataset_name]", "My"), field("4minds[model_params][learning_rate]", "0.001"))
MERGED = part('name="4minds"', b'{"dataset_name":"My","model_params":{"learning_rate":0.001}}')
