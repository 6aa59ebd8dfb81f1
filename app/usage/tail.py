"""
Reads a journal that is still being written, piece by piece, so that no piece holds the event loop for long.
"""

import os
from pathlib import Path

from app.domain.errors import LedgerUnavailable
from app.usage.journal import Mark
from app.usage.segments import Series

PIECE_BYTES = (
    64 * 1024
)  # some 250 lines, a fraction of a millisecond to read; longer than a line may be


class Tail:
    """A place in the segments of *series*, which moves on. *segment*: where it stands. *lost*: segments so far that
    somebody removed, and pieces that no journal wrote."""

    def __init__(self, series: Series) -> None:
        self.segment = 1
        self.lost = 0
        self._series = series
        self._offset = 0
        self._number = -1

    def read(self, mark: Mark) -> list[bytes] | None:
        """The lines of the next piece, all of one segment, perhaps past *mark*; None where *mark* is reached.

        Raises LedgerUnavailable where they stand but cannot be read at the moment; the next call tries them again.
        """
        while (self.segment, self._offset) < mark[:2]:
            piece = self._piece()
            end = piece.rfind(b"\n") + 1
            if end:
                self._offset += end
                return piece[: end - 1].split(b"\n")
            if len(piece) == PIECE_BYTES:  # no line is that long
                self.lost += 1
                self._offset += PIECE_BYTES
            elif self.segment == mark.segment:  # a cut line, which the next note closes
                return None
            else:
                self.lost += bool(piece)
                self.close()
                self.segment, self._offset = self.segment + 1, 0
        return None

    def close(self) -> None:
        """No file is open."""
        if self._number >= 0:
            os.close(self._number)
            self._number = -1

    def _piece(self) -> bytes:
        """What follows in this segment. One that is gone counts as ended."""
        try:
            if self._number < 0:
                self._number = os.open(self._path, os.O_RDONLY)
            return os.pread(self._number, PIECE_BYTES, self._offset)
        except FileNotFoundError:
            self.lost += 1
            return b""
        except OSError as error:
            raise LedgerUnavailable(
                f"The ledger's journal cannot be read at the moment: {error.strerror}."
            ) from None

    @property
    def _path(self) -> Path:
        return self._series.path(self.segment)
