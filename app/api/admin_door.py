"""
Who may use the admin API, asked before anything of it runs: before a route is looked for, and before the routes are
even built. A route cannot forget it (reliability S13).

No key of another kind opens it, and it is never open to all, not on a loopback address either.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from math import ceil
from time import monotonic
from typing import Literal

from pydantic import SecretStr
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.access.wrong_keys import WrongKeys
from app.domain.errors import (
    ClientError,
    GatewayError,
    PermissionDenied,
    RateLimited,
    Unauthenticated,
)
from app.domain.keys import Actor
from app.protocol.errors import error_body, error_headers

Role = Literal["admin", "viewer"]

_READING = frozenset({"GET", "HEAD"})
_ACTOR = "mindgate.actor"  # where in the scope the caller stands for the routes
_NO_KEY = (
    "You didn't provide an admin key. You need to provide it in an Authorization header using Bearer auth "
    "(i.e. Authorization: Bearer YOUR_KEY)."
)
_WRONG_KEY = "This key does not open the admin API. Ask whoever runs this gateway."
_TOO_MANY_WRONG = (
    "Too many requests with a wrong admin key came from your address. Check the key, then try again in {seconds}s; "
    "requests with a right key go on."
)
_READS_ONLY = "You have insufficient permissions for this operation. The viewer key may only read."


@dataclass(frozen=True, slots=True)
class AdminKeys:
    """The keys of the two roles; None or empty opens nothing (reliability S12)."""

    admin: SecretStr | None
    viewer: SecretStr | None

    def role(self, authorization: str) -> Role:
        """Whose key the header carries. Raises Unauthenticated; takes the same time for every wrong key."""
        token = bearer_token(authorization)
        if not token:
            raise Unauthenticated(_NO_KEY)
        # Both are compared, whatever the first one says.
        is_admin, is_viewer = is_secret(token, self.admin), is_secret(token, self.viewer)
        if is_admin:
            return "admin"
        if is_viewer:
            return "viewer"
        raise Unauthenticated(_WRONG_KEY)


def bearer_token(authorization: str) -> bytes:
    """The token of an `authorization` header; empty where there is none, or it has another scheme."""
    scheme, _, given = authorization.strip().partition(" ")
    # As it was sent: a header's bytes are read as Latin-1.
    token = given.strip().encode("latin-1", "backslashreplace")
    return token if scheme.lower() == "bearer" else b""


def is_secret(token: bytes, secret: SecretStr | None) -> bool:
    """Whether *token* is *secret*, without telling by the time how much of it, or its length, was right."""
    known = b"" if secret is None else secret.get_secret_value().encode()
    is_equal = hmac.compare_digest(sha256(token).digest(), sha256(known).digest())
    return is_equal and known != b""


def seen_as(scope: Scope, actor: Actor) -> Scope:
    """*scope* as the routes see it behind the door: it is *actor* who asks."""
    return {**scope, _ACTOR: actor}


def actor_of(scope: Scope) -> Actor:
    """Who asks, for the audit log. The door has put it there; KeyError where a request came by no door."""
    found: Actor = scope[_ACTOR]
    return found


class AdminDoor:
    """ASGI in front of *app*: 401 without an admin's or viewer's key, 403 for a viewer who would change something, 429
    for a wrong key from an address that sent too many (S10). *now*: seconds on a clock that never goes back.

    No reply of the admin API is kept by a browser or proxy: it may hold a key.
    """

    def __init__(self, app: ASGIApp, keys: AdminKeys, now: Callable[[], float] = monotonic) -> None:
        self._app = app
        self._keys = keys
        self._wrong_keys = WrongKeys(now)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""

        async def send_unkept(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["cache-control"] = "no-store"
                headers["x-content-type-options"] = "nosniff"
            await send(message)

        address = scope["client"][0] if scope.get("client") else ""
        try:
            role = self._role(Headers(scope=scope).get("authorization", ""), address)
            if role == "viewer" and scope["method"] not in _READING:
                raise PermissionDenied(_READS_ONLY)
        except ClientError as error:
            await _refuse(error, send_unkept)
            return
        await self._app(seen_as(scope, Actor(role, address)), receive, send_unkept)

    def _role(self, authorization: str, address: str) -> Role:
        try:
            return self._keys.role(authorization)
        except Unauthenticated:
            wait_seconds = self._wrong_keys.failed(address) if bearer_token(authorization) else None
            if wait_seconds is None:
                raise
            raise RateLimited(
                _TOO_MANY_WRONG.format(seconds=ceil(wait_seconds)),
                type="requests",
                scope="address",
                limit="wrong_keys",
                retry_after_seconds=wait_seconds,
            ) from None


async def _refuse(error: GatewayError, send: Send) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": error.status,
            "headers": error_headers(error),
        }
    )
    await send({"type": "http.response.body", "body": error_body(error)})
