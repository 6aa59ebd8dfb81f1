"""What all connections of one server share."""

from collections.abc import Callable

from app.protocol.headers import HeaderList
from app.wire.outbox import Outbox
from app.wire.requests import field_lines


class Surroundings:
    """*now*: monotonic seconds. *date_line*: fields that stand on each reply. *is_draining*: each is the last one.

    *outbox*: by which replies leave.
    """

    __slots__ = ("date_line", "is_draining", "now", "outbox")

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.outbox = Outbox()
        self.date_line = b""
        self.is_draining = False

    def refresh(self, fields: HeaderList) -> None:
        """*fields* stand on each reply from now on."""
        self.date_line = field_lines(fields)
