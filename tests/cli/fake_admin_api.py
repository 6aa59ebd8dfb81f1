"""
The admin API in small, on a real socket: it answers what it was given, in pages, and remembers what it was asked.

It runs in a thread, since a command runs an event loop of its own.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from typing_extensions import override

ADMIN_KEY = "admin-0123456789abcdef"
KEY = {
    "id": "key_1",
    "name": "ci",
    "prefix": "mg-abcd…wxyz",
    "team": "research",
    "models": ["fast", "openmind/*"],
    "rpm": 600,
    "tpm": 200000,
    "concurrency": 20,
    "budget_usd": 25,
    "budget_tokens": None,
    "budget_period": "month",
    "max_tokens": None,
    "expires_at": None,
    "resources": "own",
    "native": [],
    "labels": {"site": "berlin"},
    "created_at": "2026-01-31T12:00:00.000Z",
    "revoked_at": None,
}


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: dict[str, str]
    body: Any


@dataclass
class FakeAdminApi:
    """*lists*: rows by path. *answers*: (status, body) by "METHOD path", for what is no list. *page*: rows a page."""

    url: str = ""
    lists: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    page: int = 100
    asked: list[Asked] = field(default_factory=list)

    def answer(self, asked: Asked, authorization: str) -> tuple[int, Any]:
        self.asked.append(asked)
        if authorization != f"Bearer {ADMIN_KEY}":
            return 401, error(
                "This key does not open the admin API. Ask whoever runs this gateway."
            )
        given = self.answers.get(f"{asked.method} {asked.path}")
        if given is not None:
            return given
        if asked.method == "GET" and asked.path in self.lists:
            return 200, self.listed(self.lists[asked.path], asked.query)
        return 404, error("There is no such object.")

    def listed(self, rows: list[dict[str, Any]], query: dict[str, str]) -> dict[str, Any]:
        """A page behind the row whose place `after` is."""
        begin = int(query.get("after", "-1")) + 1
        end = begin + min(self.page, int(query["limit"]))
        last = str(min(end, len(rows)) - 1) if rows else None
        return {
            "object": "list",
            "data": rows[begin:end],
            "has_more": end < len(rows),
            "last_id": last,
        }


def error(message: str) -> dict[str, Any]:
    """The one shape of errors."""
    return {
        "error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    }


@contextmanager
def served(api: FakeAdminApi) -> Iterator[FakeAdminApi]:
    """*api* on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            parts = urlsplit(self.path)
            size = int(self.headers.get("content-length", "0"))
            body = json.loads(self.rfile.read(size)) if size else None
            path = parts.path.removeprefix("/admin/v1")
            asked = Asked(self.command, path, dict(parse_qsl(parts.query)), body)
            status, value = api.answer(asked, self.headers.get("authorization", ""))
            sent = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815 the library's names

        @override
        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        api.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield api
        finally:
            server.shutdown()
            thread.join()
