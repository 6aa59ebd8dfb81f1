"""What the generic dialect keeps (section 6): files with contents, jobs that train models."""

from __future__ import annotations

from app.simulators.dialect import Call, Route
from app.simulators.file_shelf import FileShelf, read_upload
from app.simulators.job_shelf import JobShelf, read_job
from app.simulators.model_shelf import ModelShelf
from app.simulators.replies import Json, Reply, json_reply
from app.simulators.shelf import page_list

MAX_UPLOAD_BYTES = 512 * 1024 * 1024


class Resources:
    """Files and jobs of one account, and the routes to them."""

    def __init__(self, models: ModelShelf, created: int) -> None:
        """Begin empty. *models* is where a job puts what it trained."""
        self._models = models
        self._files = FileShelf(created, page_list(default_limit=10_000))
        self._jobs = JobShelf(created, page_list(), _trained_name, models.add)

    def routes(self) -> tuple[Route, ...]:
        """The rows `files`, `files.content`, `fine_tuning` and `fine_tuning.more`."""
        jobs = ("fine_tuning", "jobs")
        return (
            Route("POST", ("files",), self._upload),
            *self._files.routes(),
            Route("GET", ("files", "{}", "content"), self._files.read),
            Route("POST", jobs, self._train, "body", self._models.check),
            *self._jobs.routes(),
            *self._jobs.more_routes(),
        )

    def _upload(self, call: Call) -> Reply:
        file, purpose = read_upload(call, MAX_UPLOAD_BYTES)
        return json_reply(self._files.add(file.filename or "", purpose, file.size, file.content))

    def _train(self, call: Call) -> Reply:
        training_file, suffix = read_job(call.body or {})
        self._files.get(training_file)
        return json_reply(self._jobs.add(call.model, training_file, suffix))


def _trained_name(row: Json, number: int) -> str:
    return f"ft:{row['model']}:sim:{row['user_provided_suffix'] or ''}:{number}"
