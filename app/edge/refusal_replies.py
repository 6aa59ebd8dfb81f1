"""The replies that no exchange stands behind: to what was no request, and to one that nobody answered."""

from app.domain.errors import ClientError, InternalError
from app.edge.client_request import ClientRequest
from app.edge.request_ids import new_request_id
from app.edge.status_lines import STATUS_LINES
from app.protocol.errors import error_body, error_headers
from app.wire.requests import field_lines


def refusal_reply(error: ClientError, date_line: bytes) -> bytes:
    """All of the reply that tells of *error*, and that the connection ends with it."""
    body = error_body(error)
    fields = [
        *error_headers(error),
        (b"content-length", b"%d" % len(body)),
        (b"x-request-id", new_request_id().encode()),
        (b"connection", b"close"),
    ]
    return b"%b%b%b\r\n%b" % (STATUS_LINES[error.status], date_line, field_lines(fields), body)


def answer_fault(request: ClientRequest) -> None:
    """*request*, left without a complete reply, is answered: the fault is ours (contract F49). Or its connection is
    cut, when a part of a reply has left (J3)."""
    if request.head_sent:
        request.cut()
        return
    error = InternalError()
    body = error_body(error)
    request.start(error.status, field_lines(error_headers(error)), len(body))
    request.finish(body)
