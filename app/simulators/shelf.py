"""Objects that an upstream keeps: by id, in the order they were made, and the two ways to list."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from app.simulators.dialect import Call
from app.simulators.replies import Json, Problem, RefusalError

KEPT_ROWS = 10_000  # a simulator that runs for days must not grow without end
MAX_LIMIT = 10_000

Listing = Callable[[Call, list[Json]], Json]


class Shelf:
    """Rows by their `id`. *noun* stands in the 404 for one that is not here."""

    def __init__(self, noun: str) -> None:
        """Begin empty."""
        self._noun = noun
        self._rows: dict[object, Json] = {}

    def __iter__(self) -> Iterator[Json]:
        """Oldest first, over a copy."""
        return iter(list(self._rows.values()))

    def add(self, row: Json) -> Json:
        """Keep *row*; the oldest goes when there are too many."""
        self._rows[row["id"]] = row
        if len(self._rows) > KEPT_ROWS:
            del self._rows[next(iter(self._rows))]
        return row

    def get(self, key: object) -> Json:
        """The row itself. Raises RefusalError 404."""
        row = self._rows.get(key)
        if row is None:
            message = f"No such {self._noun}: {key}"
            raise RefusalError(Problem(404, message, "not_found", loc=("id",)))
        return row

    def remove(self, key: object) -> Json:
        """The row that is gone now. Raises RefusalError 404."""
        row = self.get(key)
        del self._rows[key]
        return row


def whole_list(call: Call, rows: list[Json]) -> Json:
    """4minds' way: everything, and no word of more (seed)."""
    return {"object": "list", "data": rows}


def page_list(default_limit: int = 20, newest_first: bool = True) -> Listing:
    """OpenAI's way: `limit`, `after` and `order` are understood, `has_more` is true."""

    def listed(call: Call, rows: list[Json]) -> Json:
        order = call.parameter("order") or ("desc" if newest_first else "asc")
        if order not in ("asc", "desc"):
            raise RefusalError(Problem(400, "order is asc or desc", "invalid", loc=("order",)))
        ordered = rows[::-1] if order == "desc" else rows
        limit, after = _limit(call, default_limit), call.parameter("after")
        if after is not None:
            ids = [row["id"] for row in ordered]
            if after not in ids:
                message = f"No such object: {after}"
                raise RefusalError(Problem(400, message, "not_found", loc=("after",)))
            ordered = ordered[ids.index(after) + 1 :]
        shown = ordered[:limit]
        return {
            "object": "list",
            "data": shown,
            "first_id": shown[0]["id"] if shown else None,
            "last_id": shown[-1]["id"] if shown else None,
            "has_more": len(ordered) > limit,
        }

    return listed


def _limit(call: Call, default: int) -> int:
    text = call.parameter("limit")
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= MAX_LIMIT:
        raise RefusalError(Problem(400, "limit is a positive integer", "invalid", loc=("limit",)))
    return int(text)


def gone(kind: str, key: object) -> Json:
    """What a delete answers."""
    return {"id": key, "object": kind, "deleted": True}
