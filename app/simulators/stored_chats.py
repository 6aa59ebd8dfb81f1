"""Stored chat completions as state (X6): kept when asked with `store: true`, streamed ones too."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from app.simulators.dialect import Call, Route
from app.simulators.replies import Event, Json, Problem, RefusalError, Reply, json_reply
from app.simulators.shelf import Listing, Shelf, gone

_PATH = ("chat", "completions")


class StoredChats:
    """The completions that one upstream keeps."""

    def __init__(self, listing: Listing, changeable: frozenset[str]) -> None:
        """*changeable* are the members an update may set."""
        self._listing = listing
        self._changeable = changeable
        self._rows = Shelf("chat completion")
        self._messages = Shelf("chat completion")

    def keep(self, body: Json, completion: Event) -> None:
        """Keep the completion that answers *body*, if it asked for that."""
        if body.get("store") is not True or not isinstance(completion.payload, dict):
            return
        metadata = body.get("metadata") or {}
        row = self._rows.add({**completion.payload, "metadata": metadata})
        messages = [
            {"id": f"{row['id']}-{place}", "name": None, "content_parts": None, **message}
            for place, message in enumerate(body["messages"])
        ]
        self._messages.add({"id": row["id"], "messages": messages})

    def routes(self) -> tuple[Route, ...]:
        """List, get, update, delete, messages."""
        return (
            Route("GET", _PATH, self._list),
            Route("GET", (*_PATH, "{}"), self._get),
            Route("POST", (*_PATH, "{}"), self._update),
            Route("DELETE", (*_PATH, "{}"), self._delete),
            Route("GET", (*_PATH, "{}", "messages"), self._list_messages),
        )

    def _list(self, call: Call) -> Reply:
        wanted = dict(parse_qsl(call.query))
        rows = [row for row in self._rows if _fits(row, wanted)]
        return json_reply(self._listing(call, rows))

    def _get(self, call: Call) -> Reply:
        return json_reply(self._rows.get(call.arguments[0]))

    def _update(self, call: Call) -> Reply:
        row, body = self._rows.get(call.arguments[0]), call.json()
        if not body or not body.keys() <= self._changeable:
            names = ", ".join(sorted(self._changeable))
            raise RefusalError(Problem(400, f"Only {names} can be changed.", "invalid_update"))
        _check_metadata(body.get("metadata"))
        row |= body
        return json_reply(row)

    def _delete(self, call: Call) -> Reply:
        self._rows.remove(call.arguments[0])
        self._messages.remove(call.arguments[0])
        return json_reply(gone("chat.completion.deleted", call.arguments[0]))

    def _list_messages(self, call: Call) -> Reply:
        messages = self._messages.get(call.arguments[0])["messages"]
        return json_reply(self._listing(call, messages))


def _fits(row: Json, wanted: dict[str, str]) -> bool:
    if "model" in wanted and row["model"] != wanted["model"]:
        return False
    metadata = {f"metadata[{name}]": value for name, value in row["metadata"].items()}
    return all(metadata.get(n) == v for n, v in wanted.items() if n.startswith("metadata["))


def _check_metadata(metadata: Any) -> None:
    is_right = metadata is None or (
        isinstance(metadata, dict) and all(isinstance(value, str) for value in metadata.values())
    )
    if not is_right:
        message = "metadata is an object of strings"
        raise RefusalError(Problem(400, message, "invalid_metadata", loc=("metadata",)))
