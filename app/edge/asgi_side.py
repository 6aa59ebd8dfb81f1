"""
A client's request as ASGI shows it. `receive` and `send` are for the control plane: the data plane takes the request
itself, from the scope.

Ours, and not uvicorn's `RequestResponseCycle`: one kind of request can then wait in line, one place frames replies,
and the bounds, deadlines and the drain hold for both planes.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from app.edge.client_request import ClientRequest
from app.wire.requests import field_lines

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApplication = Callable[[Scope, Receive, Send], Awaitable[None]]

CLIENT = "mindgate.client"  # in a scope's extensions: the ClientRequest
_ASGI = {"version": "3.0", "spec_version": "2.3"}
_OWN = (
    b"content-length",
    b"transfer-encoding",
    b"connection",
    b"date",
)  # the connection writes these


class AsgiSide:
    """The scope and the two callables of *request*.

    *peers*: the addresses of client and server. *state*: what the lifespan left for all requests.
    """

    __slots__ = ("_is_read", "_request", "scope")

    def __init__(
        self, request: ClientRequest, peers: tuple[Any, Any], state: dict[str, Any]
    ) -> None:
        self._request = request
        self._is_read = False
        target = request.target
        self.scope: Scope = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": request.version,
            "method": request.method,
            "scheme": "http",
            "path": target.plain_path,
            "raw_path": target.raw_path,
            "query_string": target.raw_query,
            "root_path": "",
            "headers": request.headers,
            "client": peers[0],
            "server": peers[1],
            "state": state.copy(),
            "extensions": {CLIENT: request},
        }

    async def receive(self) -> Message:
        """The whole body, once. Then nothing until the reply is complete: a client that leaves cancels the task."""
        if self._request.is_finished:
            return {"type": "http.disconnect"}
        if self._is_read:
            await asyncio.get_running_loop().create_future()
        self._is_read = True
        body = await self._request.read_body()
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Message) -> None:
        """*message* goes out; returns when there is room for another."""
        if message["type"] == "http.response.start":
            self._start(message)
            return
        self._request.write(message.get("body", b""))
        if not message.get("more_body", False):
            self._request.finish()
        elif self._request.is_full:
            await self._room()

    def _start(self, message: Message) -> None:
        headers = [(name.lower(), value) for name, value in message.get("headers", ())]
        told = [value for name, value in headers if name == b"content-length"]
        fields = field_lines([pair for pair in headers if pair[0] not in _OWN])
        self._request.start(message["status"], fields, int(told[0]) if told else None)

    async def _room(self) -> None:
        room = asyncio.get_running_loop().create_future()
        self._request.when_room(lambda: None if room.done() else room.set_result(None))
        await room
