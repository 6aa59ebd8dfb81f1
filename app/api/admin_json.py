"""
A body of the admin API as JSON that means one thing: no member twice, no NaN, nothing too deep or too large, and
numbers exact as they are written (reliability S6).
"""

import json
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any, NoReturn

from fastapi import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect
from typing_extensions import override

from app.domain.errors import InvalidRequest, RequestTooLarge, UnsupportedMediaType

MAX_BODY_BYTES = 64 * 1024

_BROKEN = "We could not parse the JSON body of your request."


class StrictRoute(APIRoute):
    """FastAPI's way to read a body differently: by `read_json`, before its own part begins."""

    @override
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, given a request that is read already."""
        answer = super().get_route_handler()

        async def read_and_answer(request: Request) -> Response:
            body = await _body(request)
            return await answer(_ReadRequest(request, body))

        return read_and_answer


class _ReadRequest(Request):
    """A request whose body is here."""

    def __init__(self, request: Request, body: bytes) -> None:
        super().__init__(request.scope, request.receive)
        self._read = body
        self._value = read_json(body) if body else None

    @override
    async def body(self) -> bytes:
        return self._read

    @override
    async def json(self) -> Any:
        return self._value


async def _body(request: Request) -> bytes:
    """All of it. Raises RequestTooLarge as soon as that is known, UnsupportedMediaType for what is not JSON."""
    parts, size = [], 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > MAX_BODY_BYTES:
                limit = MAX_BODY_BYTES // 1024
                raise RequestTooLarge(f"The request body is larger than {limit} KB.")
            parts.append(part)
    except ClientDisconnect:
        raise _invalid(f"{_BROKEN} Its end is missing.") from None  # nobody is left to read it
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if size and kind != "application/json":
        raise UnsupportedMediaType("The body must be JSON: content-type application/json.")
    return b"".join(parts)


def read_json(text: bytes) -> Any:
    """The value of *text*, its fractions as Decimal. Raises InvalidRequest `invalid_json` (contract F23)."""
    try:
        value = json.loads(
            text.decode("utf-8"),
            parse_float=Decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=_members,
        )
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except json.JSONDecodeError as error:
        raise _invalid(f"{_BROKEN} Line {error.lineno}, column {error.colno}.") from None
    except UnicodeDecodeError:
        raise _invalid(f"{_BROKEN} It is not UTF-8.") from None
    except UnicodeEncodeError:  # what no database and no reply can hold
        raise _invalid(f"{_BROKEN} A text in it has half a surrogate pair.") from None
    except RecursionError:  # what nests less deep is no field of ours either, and refused as such
        raise _invalid(f"{_BROKEN} It nests too deep.") from None
    except ValueError:  # more digits than Python reads
        raise _invalid(f"{_BROKEN} A number in it is too long.") from None
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _invalid(f"{_BROKEN} A member stands twice in it.")
    return members


def _refuse_constant(_: str) -> NoReturn:
    raise _invalid(f"{_BROKEN} NaN and Infinity are no JSON.")


def _invalid(message: str) -> InvalidRequest:
    return InvalidRequest(message, code="invalid_json")
