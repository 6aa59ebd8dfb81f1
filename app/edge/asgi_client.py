"""
A client behind ASGI's `receive` and `send`: keeps the contract of `app.proxy.client_connection`.

The gateway owns both callables: no framework response object stands between the relay and the socket (reliability F13).
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from app.domain.errors import ClientGone, RequestTooLarge, UnsupportedMediaType
from app.protocol.headers import HeaderList, header

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_GONE = "The client closed its connection."


class AsgiClient:
    """One request. *extra_headers* stand on its reply, whatever it is (CORS)."""

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        max_body_bytes: int,
        extra_headers: HeaderList,
    ) -> None:
        self._receive = receive
        self._send = send
        self._max_body_bytes = max_body_bytes
        self._extra_headers = extra_headers
        self._body_is_read = asyncio.Event()
        self.method: str = scope["method"]
        self.path: str = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        self.query: str = scope["query_string"].decode("latin-1")
        self.headers: HeaderList = list(scope["headers"])
        self.is_gone = False
        self.head_sent = False
        self._is_finished = False

    async def read_body(self) -> bytes:
        """See `ClientConnection.read_body`. Counted on the bytes that arrive, whatever a length says (contract D8)."""
        self._refuse_early()
        pieces: list[bytes] = []
        size, is_more = 0, True
        while is_more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.is_gone = True
                raise ClientGone(_GONE)
            piece = message.get("body", b"")
            size += len(piece)
            if size > self._max_body_bytes:
                raise self._too_large()
            pieces.append(piece)
            is_more = message.get("more_body", False)
        self._body_is_read.set()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def watch(self) -> None:
        """Raises ClientGone when the client leaves, once its body is read: it is the reader of `receive` until then."""
        await self._body_is_read.wait()
        while (await self._receive())["type"] != "http.disconnect":
            continue  # a stray piece behind the end of the body
        if not self._is_finished:  # a server says "disconnected" after a complete reply, too
            self.is_gone = True
            raise ClientGone(_GONE)

    def nothing_to_read(self) -> None:
        """The request has no body that anybody wants: `watch` may begin."""
        self._body_is_read.set()

    async def start(self, status: int, headers: HeaderList) -> None:
        """See `ClientConnection.start`."""
        self.head_sent = True
        head = [*headers, *self._extra_headers]
        await self._send({"type": "http.response.start", "status": status, "headers": head})

    async def write(self, piece: bytes) -> None:
        """See `ClientConnection.write`."""
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})

    async def finish(self) -> None:
        """See `ClientConnection.finish`."""
        self._is_finished = True
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def _refuse_early(self) -> None:
        coding = (header(self.headers, b"content-encoding") or "identity").strip().lower()
        if coding not in ("identity", ""):
            raise UnsupportedMediaType(
                f"Content-Encoding '{coding[:40]}' is not supported: send the request uncompressed."
            )
        length = header(self.headers, b"content-length") or ""
        if length.isdigit() and int(length) > self._max_body_bytes:
            raise self._too_large()

    def _too_large(self) -> RequestTooLarge:
        megabytes = self._max_body_bytes / 1024 / 1024
        return RequestTooLarge(f"The request body is larger than {megabytes:g} MB.")
