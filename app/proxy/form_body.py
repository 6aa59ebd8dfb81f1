"""
The body of one multipart form between a client and an upstream: read no faster than it leaves, and held back at its end
until it was checked (contract L1, L6; reliability S16).
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

from app.domain.errors import ClientError
from app.protocol.form_rewrite import FormRewriter

_FIRST_BYTES = 64 * 1024  # a form that fits into them is known whole before anybody is asked


def is_small(body_bytes: int | None) -> bool:
    """True for a form that tells so small a length that it will be known whole before anybody is asked."""
    return body_bytes is not None and body_bytes < _FIRST_BYTES


class FormBody:
    """*pieces*: as the client sends them; *form*: what rewrites them. *check* raises what speaks against the form as
    far as it has come: it is asked before a byte leaves, and again before the last ones do.

    *is_whole*: all of it has come, and it was found good. *fault*: the client's, for which it was given up; None while
    there is none.
    """

    def __init__(
        self,
        pieces: AsyncIterator[bytes],
        form: FormRewriter,
        check: Callable[[], Awaitable[None]],
    ) -> None:
        self._pieces = pieces
        self._form = form
        self._check = check
        self._first: list[bytes] = []
        self.is_whole = False
        self.fault: ClientError | None = None

    async def begin(self) -> bytes | None:
        """The whole body where it is small, else None: then so much of it has come that its length is certain, if the
        client told one, and what is known of it was checked. Raises InvalidRequest and what the client's pieces and
        *check* raise."""
        size = 0
        try:
            while (piece := await anext(self._pieces, None)) is not None:
                self._first.append(self._form.feed(piece))
                size += len(piece)
                if size >= _FIRST_BYTES and self._form.is_decided:
                    await self._check()
                    return None
            await self._end()
        except ClientError as error:
            self.fault = error
            raise
        first, self._first = self._first, []
        return b"".join(first)

    async def rest(self) -> AsyncGenerator[bytes, None]:
        """The body from its beginning, after `begin`. Raises as that does."""
        first, self._first = self._first, []
        yield b"".join(first)
        del first
        try:
            while (piece := await anext(self._pieces, None)) is not None:
                if piece := self._form.feed(piece):
                    yield piece
            await self._end()
        except ClientError as error:
            self.fault = error
            raise
        yield b"".join(self._first)

    async def _end(self) -> None:
        last = self._form.end()
        await self._check()
        self._first.append(last)
        self.is_whole = True
