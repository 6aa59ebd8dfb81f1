"""
A strict reader of multipart/form-data without I/O: bytes in as they come, parts out.

A small part is kept, a large one only counted and hashed: an upload of any size costs the same
memory. What is broken is told as a fault, never repaired: a gateway that mangles a form must fail.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field

KEPT_BYTES = 8 * 1024 * 1024  # of one part; a longer one is known by its size and hash
MAX_PART_HEAD_BYTES = 8 * 1024
MAX_PARTS = 1000

_BOUNDARY = re.compile(
    r'multipart/form-data\s*;(?:.*;)?\s*boundary=(?:"([^"]{1,70})"|([^\s";]{1,70}))'
)
_PARAMETER = re.compile(r';\s*([A-Za-z*]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))')


@dataclass(frozen=True, slots=True)
class Part:
    """One part. *filename* None: a field. *content* None: more than KEPT_BYTES came."""

    name: str
    filename: str | None
    content_type: str
    size: int
    sha256: str
    content: bytes | None

    def text(self) -> str | None:
        """The content as text; None when it is no UTF-8 or was too long to keep."""
        try:
            return None if self.content is None else self.content.decode("utf-8")
        except UnicodeDecodeError:
            return None


@dataclass(frozen=True, slots=True)
class Form:
    """The parts in order. *fault* says what was broken; empty for a form that was whole."""

    parts: tuple[Part, ...] = ()
    fault: str = ""

    def named(self, name: str) -> list[Part]:
        """Every part of this name, in order."""
        return [part for part in self.parts if part.name == name]

    def field(self, name: str) -> str | None:
        """The text of the first field of this name; None when there is none."""
        return next((part.text() for part in self.named(name) if part.filename is None), None)

    def file(self, name: str) -> Part | None:
        """The first file of this name; None when there is none."""
        return next((part for part in self.named(name) if part.filename is not None), None)


@dataclass(slots=True)
class _OpenPart:
    """A part while its content comes."""

    name: str
    filename: str | None
    content_type: str
    size: int = 0
    kept: bytearray | None = field(default_factory=bytearray)
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        self.digest.update(piece)
        if self.kept is not None:
            self.kept += piece
            if len(self.kept) > KEPT_BYTES:
                self.kept = None

    def closed(self) -> Part:
        content = None if self.kept is None else bytes(self.kept)
        return Part(
            self.name, self.filename, self.content_type, self.size, self.digest.hexdigest(), content
        )


class FormReader:
    """Takes the bytes of one body; `form` tells what it was once all are in."""

    def __init__(self, content_type: str) -> None:
        """Read what the content type's boundary parts."""
        match = _BOUNDARY.match(content_type)
        boundary = (match.group(1) or match.group(2)) if match else ""
        self._delimiter = b"\r\n--" + boundary.encode("latin-1")
        self._buffer = bytearray(b"\r\n")  # so that the first delimiter is like the others
        self._fault = "" if boundary else "the content type names no boundary"
        self._parts: list[Part] = []
        self._open: _OpenPart | None = None
        self._is_between = False  # behind a delimiter, before the end of the part's head
        self._is_over = False

    def feed(self, data: bytes) -> None:
        """Take what came."""
        if self._fault or self._is_over:
            return
        self._buffer += data
        while self._step():
            pass

    def form(self) -> Form:
        """What the bytes so far make: a form without its closing boundary has a fault."""
        if not self._fault and not self._is_over:
            return Form(tuple(self._parts), "the form has no closing boundary")
        return Form(tuple(self._parts), self._fault)

    def _step(self) -> bool:
        """Whether the buffer may hold more than was taken from it."""
        if self._fault or self._is_over:
            return False
        return self._take_head() if self._is_between else self._take_content()

    def _take_content(self) -> bool:
        buffer = self._buffer
        end = buffer.find(self._delimiter)
        taken = max(0, len(buffer) - len(self._delimiter) + 1) if end < 0 else end
        if self._open is not None and taken:
            self._open.add(bytes(memoryview(buffer)[:taken]))
        del buffer[: taken if end < 0 else end + len(self._delimiter)]
        if end < 0:
            return False
        if self._open is not None:
            self._parts.append(self._open.closed())
            self._open = None
        self._is_between = True
        return True

    def _take_head(self) -> bool:
        buffer = self._buffer
        if len(buffer) < 2:
            return False
        if buffer[:2] == b"--":
            self._is_over = True
            buffer.clear()
            return False
        if buffer[:2] != b"\r\n":
            self._fault = "a boundary is followed by something else"
            return False
        end = buffer.find(b"\r\n\r\n", 2)
        if end < 0:
            if len(buffer) > MAX_PART_HEAD_BYTES:
                self._fault = "the head of a part is too long"
            return False
        self._begin_part(bytes(buffer[2:end]))
        del buffer[: end + 4]
        self._is_between = False
        return True

    def _begin_part(self, head: bytes) -> None:
        headers = {}
        for line in head.decode("utf-8", "replace").split("\r\n"):
            name, colon, value = line.partition(":")
            if not colon:
                self._fault = "a part has a broken header"
            headers[name.strip().lower()] = value.strip()
        disposition = headers.get("content-disposition", "")
        found = {name: quoted or bare for name, quoted, bare in _PARAMETER.findall(disposition)}
        if not disposition.startswith("form-data") or "name" not in found:
            self._fault = "a part has no name"
        if len(self._parts) == MAX_PARTS:
            self._fault = "the form has too many parts"
        content_type = headers.get("content-type", "")
        self._open = _OpenPart(found.get("name", ""), found.get("filename"), content_type)
