"""The files of an OpenAI-like upstream, as state (X6): uploaded, listed, read, deleted."""

from __future__ import annotations

from app.simulators.contents import content_of, download, made_up
from app.simulators.dialect import Call, Ids, Route
from app.simulators.form_reader import Form, Part
from app.simulators.replies import Json, Problem, RefusalError, Reply, json_reply
from app.simulators.shelf import Listing, Shelf, gone

KEPT_CONTENT_BYTES = 64 * 1024 * 1024  # of all files together; beyond it the oldest are forgotten


class FileShelf:
    """The files that one upstream has just now."""

    def __init__(self, created: int, listing: Listing) -> None:
        """*created* is what every file says it was made at."""
        self._created = created
        self._listing = listing
        self._rows = Shelf("File object")
        self._contents: dict[str, bytes] = {}
        self._ids = Ids()

    def add(self, filename: str, purpose: str, size: int, content: bytes | None = None) -> Json:
        """The row of a file that is new. *content* None: too long to keep."""
        number = self._ids.next_number()
        row: Json = {
            "id": f"file-sim{number:09d}",
            "object": "file",
            "bytes": size,
            "created_at": self._created,
            "filename": filename,
            "purpose": purpose,
            "status": "processed",
        }
        if content is not None:
            self._contents[row["id"]] = content
            self._forget_contents()
        return self._rows.add(row)

    def get(self, file_id: str) -> Json:
        """The row itself. Raises RefusalError 404."""
        return self._rows.get(file_id)

    def of_dataset(self, dataset_id: int) -> list[Json]:
        """The files of one dataset, oldest first."""
        return [row for row in self._rows if row.get("dataset_id") == dataset_id]

    def remove(self, file_id: str) -> None:
        """The file is gone. Raises RefusalError 404."""
        self._rows.remove(file_id)
        self._contents.pop(file_id, None)

    def routes(self) -> tuple[Route, ...]:
        """List, get, delete."""
        return (
            Route("GET", ("files",), self._list),
            Route("GET", ("files", "{}"), lambda call: json_reply(self.get(call.arguments[0]))),
            Route("DELETE", ("files", "{}"), self._delete),
        )

    def read(self, call: Call) -> Reply:
        """GET /files/{id}/content."""
        row = self.get(call.arguments[0])
        content = made_up(call.script)
        if content is None:
            kept = self._contents.get(row["id"])
            if kept is None:
                message = "The simulator did not keep a content as long as this."
                raise RefusalError(Problem(404, message, "content_not_kept"))
            content = content_of(kept)
        return download(call, content)

    def _list(self, call: Call) -> Reply:
        purpose = call.parameter("purpose")
        rows = [row for row in self._rows if purpose in (None, row["purpose"])]
        return json_reply(self._listing(call, rows))

    def _delete(self, call: Call) -> Reply:
        self.remove(call.arguments[0])
        return json_reply(gone("file", call.arguments[0]))

    def _forget_contents(self) -> None:
        total = sum(map(len, self._contents.values()))
        while total > KEPT_CONTENT_BYTES:
            total -= len(self._contents.pop(next(iter(self._contents))))


def read_form(call: Call) -> Form:
    """The form that came. Raises RefusalError 400 when there is none, or it is broken."""
    form = call.request.form
    if form is None or form.fault:
        message = form.fault if form else "multipart/form-data is expected"
        raise RefusalError(Problem(400, f"Invalid form: {message}.", "invalid_multipart"))
    return form


def read_upload(call: Call, most_bytes: int) -> tuple[Part, str]:
    """The parts `file` and `purpose`. Raises RefusalError 400, or 413 above *most_bytes*."""
    form = read_form(call)
    file, purpose = form.file("file"), form.field("purpose")
    for name, value in (("file", file), ("purpose", purpose)):
        if not value:
            raise RefusalError(Problem(400, f"'{name}' is required.", "missing", loc=(name,)))
    if file is None or purpose is None:
        raise AssertionError("both are there")
    if file.size > most_bytes:
        message = f"The file has {file.size} bytes, {most_bytes} are allowed."
        raise RefusalError(Problem(413, message, "file_too_large", loc=("file",)))
    return file, purpose
