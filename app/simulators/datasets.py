"""The datasets of 4minds as state (F19 to F23, X6): they count their files, with integer ids."""

from __future__ import annotations

from app.simulators.dialect import Call, Ids, Route
from app.simulators.file_shelf import FileShelf
from app.simulators.replies import Json, Problem, RefusalError, Reply, json_reply
from app.simulators.shelf import Shelf, gone, whole_list

CREATED_ISO = "2025-03-01T12:00:00Z"
FIRST_ID = 1234  # the seed's
IMPORTED = (("part-1.jsonl", 2048), ("part-2.jsonl", 1024))


class Datasets:
    """The datasets that one account has just now."""

    def __init__(self, files: FileShelf) -> None:
        """Begin empty. *files* know which dataset they are of."""
        self._files = files
        self._rows = Shelf("dataset")
        self._ids = Ids()

    def add(self, name: str | None, status: str = "ready") -> int:
        """The id of a new one; *name* None: a made-up name."""
        number = FIRST_ID - 1 + self._ids.next_number()
        row = {"id": number, "name": name or f"dataset-{number}", "status": status}
        return int(self._rows.add(row)["id"])

    def check(self, dataset_id: int) -> None:
        """Refuse with 404 one that is not here."""
        self._rows.get(dataset_id)

    def routes(self) -> tuple[Route, ...]:
        """List, create, import, get, delete."""
        return (
            Route("GET", ("datasets",), self._list),
            Route("POST", ("datasets",), self._create),
            Route("POST", ("datasets", "import"), self._import),
            Route("GET", ("datasets", "{}"), self._get),
            Route("DELETE", ("datasets", "{}"), self._delete),
        )

    def _list(self, call: Call) -> Reply:
        return json_reply(whole_list(call, [self._shown(row) for row in self._rows]))

    def _create(self, call: Call) -> Reply:
        (name,) = _texts(call.json(), "name")
        return json_reply(self._shown(self._rows.get(self.add(name))))

    def _import(self, call: Call) -> Reply:
        """A dataset of two files; it is ready once somebody has looked at it."""
        integration, source = _texts(call.json(), "integration_id", "source_path")
        name = source.rstrip("/").rpartition("/")[2] or integration
        dataset_id = self.add(name, "importing")
        for filename, size in IMPORTED:
            self._files.add(filename, "fine-tune", size)["dataset_id"] = dataset_id
        return json_reply(self._shown(self._rows.get(dataset_id)))

    def _get(self, call: Call) -> Reply:
        row = self._rows.get(_number(call))
        row["status"] = "ready"
        return json_reply(self._shown(row) | {"files": self._files.of_dataset(row["id"])})

    def _delete(self, call: Call) -> Reply:
        """With `?permanent=true` its files go too, else they are of no dataset."""
        row = self._rows.remove(_number(call))
        for file in self._files.of_dataset(row["id"]):
            if call.parameter("permanent") == "true":
                self._files.remove(file["id"])
            else:
                file["dataset_id"] = None
        return json_reply(gone("dataset", row["id"]))

    def _shown(self, row: Json) -> Json:
        files = self._files.of_dataset(row["id"])
        return {
            "id": row["id"],
            "name": row["name"],
            "file_count": len(files),
            "total_bytes": sum(file["bytes"] for file in files),
            "status": row["status"],
            "created_at": CREATED_ISO,
        }


def _number(call: Call) -> int | str:
    text = call.arguments[0]
    return int(text) if text.isascii() and text.isdigit() else text


def _texts(body: Json, *names: str) -> list[str]:
    for name in names:
        if not isinstance(body.get(name), str) or not body[name]:
            message = f"'{name}' is a text that is not empty."
            raise RefusalError(Problem(400, message, "invalid_request", loc=(name,)))
    return [body[name] for name in names]
