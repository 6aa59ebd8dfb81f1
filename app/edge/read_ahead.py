"""What a client has sent ahead: read from its socket, and not looked at yet."""

from typing import Final

HEAD_END: Final = b"\r\n\r\n"


class ReadAhead:
    """*held*: the bytes, of which those before *at* were handed out."""

    __slots__ = ("at", "held")

    def __init__(self) -> None:
        self.held, self.at = b"", 0

    def __len__(self) -> int:
        return len(self.held) - self.at

    def add(self, data: bytes) -> None:
        """*data* has come, behind the rest."""
        self.held, self.at = self.held[self.at :] + data, 0

    def put_back(self, data: bytes) -> None:
        """*data*, handed out last, belongs before the rest again."""
        self.held, self.at = data + self.held[self.at :], 0

    def piece(self) -> bytes:
        """The next bytes, with one head in them at most."""
        found = self.held.find(HEAD_END, self.at)
        start, self.at = self.at, found + len(HEAD_END) if found >= 0 else len(self.held)
        piece = self.held[start : self.at]
        if self.at == len(self.held):
            self.drop()
        return piece

    def rest(self) -> bytes:
        """All of it."""
        rest = self.held[self.at :]
        self.drop()
        return rest

    def drop(self) -> None:
        """None of it is looked at."""
        self.held, self.at = b"", 0
