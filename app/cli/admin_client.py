"""
The admin API as the commands call it: `/admin/v1` of a running gateway, or of the same application in this process.

Whatever goes wrong is an AdminError of one line: the API's own message, or what is wrong with the way to it.
"""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote

import httpx2

ROOT: Final = "/admin/v1"
PATIENCE_SECONDS: Final = (
    60.0  # an audit log or a year of usage is read whole before the first byte comes
)
CONNECT_SECONDS: Final = 5.0
PAGE_ROWS: Final = 100  # the most that the API gives at once

_JSON: Final = {"content-type": "application/json"}
Row = dict[str, Any]
Query = Mapping[str, str]

# The whole of httpx2's tree, the first that fits (tests/cli/test_admin_client.py walks it), and text that is none.
_FAULTS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (httpx2.ConnectTimeout, "does not answer within {connect:g} seconds; is it running there?"),
    (httpx2.TimeoutException, "did not answer within {patience:g} seconds"),
    (httpx2.ConnectError, "cannot be reached; is it running there?"),
    (httpx2.ProxyError, "cannot be reached through the proxy that the environment names"),
    (httpx2.NetworkError, "broke the connection off"),
    (httpx2.RemoteProtocolError, "does not speak HTTP as a gateway does"),
    (httpx2.UnsupportedProtocol, "needs an address that begins with http:// or https://"),
    (httpx2.InvalidURL, "has no such address; write it as http://HOST:PORT"),
    (httpx2.CookieConflict, "gives an answer that cannot be read"),
    (httpx2.HTTPError, "gives an answer that cannot be read"),
    (UnicodeEncodeError, "cannot be asked: what was typed is not UTF-8"),
)


class AdminError(Exception):
    """One line for standard error. *status*: the API's, 0 where it did not answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


def read(text: str) -> Row:
    """The object that *text* is, its amounts exact: a fraction is a Decimal."""
    found: Row = json.loads(text, parse_float=Decimal)
    return found


def path_of(listed: str, thing_id: str) -> str:
    """The path of one thing of *listed*, such as `/keys`: whatever *thing_id* holds stays one segment.

    Raises AdminError for what cannot be one.
    """
    if not thing_id.strip("."):
        raise AdminError(f"{thing_id!r} is no id")
    return f"{listed}/{quote(thing_id, safe='', errors='surrogateescape')}"


class AdminClient:
    """Asks the admin API behind *http*, which adds address and key. *place* names it in messages."""

    def __init__(self, http: httpx2.AsyncClient, *, place: str) -> None:
        self._http = http
        self._place = place

    async def text(
        self, method: str, path: str, *, query: Query | None = None, body: Row | None = None
    ) -> str:
        """The body of the answer, which is JSON. *path* stands below `/admin/v1`. Raises AdminError."""
        with _mapped(self._place):
            reply = await self._http.request(
                method,
                ROOT + path,
                params=query,
                content=None if body is None else json.dumps(body),
                headers={} if body is None else _JSON,
            )
        answer = _decoded(reply)
        if reply.is_success and isinstance(answer, dict):
            return reply.text
        raise AdminError(_fault(answer, reply.status_code, self._place), reply.status_code)

    async def row(
        self, method: str, path: str, *, query: Query | None = None, body: Row | None = None
    ) -> Row:
        """The answer as an object. Raises AdminError."""
        return read(await self.text(method, path, query=query, body=body))

    async def pages(
        self, path: str, query: Query | None = None, *, at_most: int | None = None
    ) -> AsyncIterator[Row]:
        """A list page by page, with up to *at_most* rows in all; None: all. Raises AdminError."""
        after: dict[str, str] = {}
        left = at_most
        while left is None or left > 0:
            size = {"limit": str(PAGE_ROWS if left is None else min(PAGE_ROWS, left))}
            page = await self.row("GET", path, query={**(query or {}), **size, **after})
            yield page
            if not page.get("has_more") or not page["data"]:
                return
            left = None if left is None else left - len(page["data"])
            after = {"after": str(page["last_id"])}

    async def listing(
        self, path: str, query: Query | None = None, *, at_most: int | None = None
    ) -> Row:
        """All of its pages as one: the last page, with the rows of those before. Raises AdminError."""
        rows: list[Row] = []
        page: Row = {"object": "list", "data": rows, "has_more": False, "last_id": None}
        async for page in self.pages(path, query, at_most=at_most):
            rows += page["data"]
        return {**page, "data": rows}


@contextmanager
def _mapped(place: str) -> Iterator[None]:
    try:
        yield
    except tuple(kind for kind, _ in _FAULTS) as error:
        said = next(words for kind, words in _FAULTS if isinstance(error, kind))
        words = said.format(connect=CONNECT_SECONDS, patience=PATIENCE_SECONDS)
        raise AdminError(f"{place} {words}") from None


def _decoded(reply: httpx2.Response) -> object:
    try:
        return json.loads(reply.content)
    except ValueError:
        return None


def _fault(answer: object, status: int, place: str) -> str:
    error = answer.get("error") if isinstance(answer, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    if isinstance(message, str) and message:
        return message
    return f"{place} answered {status}, and not as Mindgate's admin API does"
