"""
What a Minds account keeps beside its Minds (N7): data sources, knowledge bases, conversations.

A data source is read back with its password in clear, as the vendor does: whoever relays these
routes must know whom to.
"""

from __future__ import annotations

from collections.abc import Callable

from app.simulators.dialect import Call, Ids, Route
from app.simulators.replies import Json, Problem, RefusalError, Reply, json_reply

KEPT_ROWS = 10_000  # of a family: a simulator that runs for days must not grow without end
SECRET = "sim-database-password"  # noqa: S105 - what a leak is recognised by
EXAMPLE_SOURCE: Json = {
    "name": "demo_db",
    "engine": "postgres",
    "description": "A simulated database",
    "connection_data": {
        "host": "db.example.com",
        "port": 5432,
        "user": "demo",
        "password": SECRET,
        "database": "demo",
    },
    "tables": ["customers", "orders"],
}


class NamedRows:
    """Rows by their name, as one family of routes keeps them."""

    def __init__(self, noun: str, key: str = "name") -> None:
        """*noun* stands in the 404; *key* is the member that names a row."""
        self._noun = noun
        self._key = key
        self._rows: dict[str, Json] = {}

    def get(self, name: object) -> Json:
        """The row itself. Raises RefusalError 404."""
        row = self._rows.get(name) if isinstance(name, str) else None
        if row is None:
            raise RefusalError(Problem(404, f"{self._noun} '{name}' not found", ""))
        return row

    def add(self, body: Json) -> Json:
        """A row that is new. Raises RefusalError 409 or 422."""
        name = body.get(self._key)
        if not isinstance(name, str) or not name:
            raise RefusalError(Problem(422, "Field required", "invalid", loc=(self._key,)))
        if name in self._rows:
            raise RefusalError(Problem(409, f"{self._noun} '{name}' already exists", ""))
        self._rows[name] = dict(body)
        if len(self._rows) > KEPT_ROWS:
            del self._rows[next(iter(self._rows))]
        return self._rows[name]

    def routes(
        self, path: tuple[str, ...], slash: Callable[[Call], Reply] | None = None
    ) -> tuple[Route, ...]:
        """List, create, get, change, delete. *slash*: the collection has one; without it, this."""
        collection = path if slash is None else (*path, "")
        without = () if slash is None else (Route("GET", path, slash), Route("POST", path, slash))
        one = (*path, "{}")
        return (
            *without,
            Route("GET", collection, lambda call: json_reply(list(self._rows.values()))),
            Route("POST", collection, lambda call: json_reply(self.add(call.json()), 201)),
            Route("GET", one, lambda call: json_reply(self.get(call.arguments[0]))),
            Route("PUT", one, self._change),
            Route("PATCH", one, self._change),
            Route("DELETE", one, self._delete),
        )

    def _change(self, call: Call) -> Reply:
        row, body = self.get(call.arguments[0]), call.json()
        row |= body | {self._key: row[self._key]}
        return json_reply(row)

    def _delete(self, call: Call) -> Reply:
        self.get(call.arguments[0])
        del self._rows[call.arguments[0]]
        return json_reply({})


class Sources:
    """All of it, for one account."""

    def __init__(self) -> None:
        """Begin with one data source."""
        self.datasources = NamedRows("Datasource")
        self.datasources.add(EXAMPLE_SOURCE)
        self._knowledge_bases = NamedRows("Knowledge base")
        self._conversations = NamedRows("Conversation", "id")
        self._ids = Ids()

    def routes(self, slash: Callable[[Call], Reply]) -> tuple[Route, ...]:
        """N7, but for Minds themselves."""
        conversations = ("api", "v1", "conversations")
        return (
            *self.datasources.routes(("api", "datasources")),
            *self.datasources.routes(("api", "v1", "datasources"), slash),
            *self._knowledge_bases.routes(("api", "knowledge_bases")),
            Route("POST", (*conversations, ""), self._converse),
            Route("GET", (*conversations, "{}", "items"), self._items),
            *self._conversations.routes(conversations, slash),
            Route("GET", ("api", "v1", "tree"), self._tree),
            Route("GET", ("api", "v1", "limits", ""), _limits),
        )

    def _converse(self, call: Call) -> Reply:
        number = self._ids.next_number()
        row: Json = {"id": f"conv_{number}", "metadata": call.json().get("metadata"), "items": []}
        return json_reply(self._conversations.add(row), 201)

    def _items(self, call: Call) -> Reply:
        return json_reply({"data": self._conversations.get(call.arguments[0])["items"]})

    def _tree(self, call: Call) -> Reply:
        source = self.datasources.get(EXAMPLE_SOURCE["name"])
        return json_reply([{"name": source["name"], "type": "db", "children": source["tables"]}])


def _limits(call: Call) -> Reply:
    return json_reply({"tokens": {"limit": 1_000_000, "used": 5, "period": "month"}})
