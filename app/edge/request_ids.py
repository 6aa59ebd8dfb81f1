"""The id of each exchange, which every reply carries as `x-request-id` (contract C1)."""

from uuid import uuid4


def new_request_id() -> str:
    """An id that no other exchange has."""
    return f"req_{uuid4().hex}"
